//! `association` as its users meet it, with a small model on sequence made here.
#![allow(clippy::unwrap_used)]

mod common;

use common::{NANO, ok, run};
use std::path::Path;

/// Two contigs of 40,000 and 12,000 bases.
fn fasta(at: &Path) {
    let mut state = 7u64;
    let mut letter = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        char::from(b"ACGT"[(state >> 62) as usize])
    };
    let mut text = String::new();
    for (name, n) in [("one", 40_000), ("two", 12_000)] {
        text += &format!(">{name}\n");
        text.extend((0..n).map(|_| letter()));
        text += "\n";
    }
    std::fs::write(at.join("toy.fa"), text).unwrap();
}

const SMALL: [&str; 21] = [
    "association",
    "--track",
    "own.plus.bw",
    "--genome",
    "toy.fa",
    "--checkpoint",
    NANO,
    "--context",
    "1024",
    "--margin",
    "64",
    "--windows",
    "100,500",
    "--block",
    "2000",
    "--permutations",
    "99",
    "--bootstraps",
    "50",
    "--reach",
    "200",
];

#[test]
fn the_models_own_probabilities_are_followed() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    fasta(at);
    let boundaries = [
        "boundaries",
        "--genome",
        "toy.fa",
        "--checkpoint",
        NANO,
        "--context",
        "1024",
        "--out",
        "own.bw",
    ];
    ok(at, &boundaries);
    std::fs::write(
        at.join("borders.bedpe"),
        "one\t100\t200\ttwo\t0\t50\nnine\t1\t2\t.\t-1\t-1\n",
    )
    .unwrap();
    let with_sites = [&SMALL[..], &["--sites", "borders.bedpe", "--out", "out"]].concat();
    let said = ok(at, &with_sites);
    assert!(
        said.contains("boundary density correlates with")
            && said.contains("of 2 tracks in 500-bp windows")
            && said.contains("most with own.plus.bw"),
        "{said}"
    );
    let text = std::fs::read_to_string(at.join("out/tables/correlations.tsv")).unwrap();
    let rows: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    let row = rows
        .iter()
        .find(|r| r[..4] == ["own.plus.bw", "density", "100", "composition"])
        .unwrap();
    assert!(
        row[4] == "520" && row[7].parse::<f64>().unwrap() > 0.3 && row[10] == "0.01",
        "{row:?}"
    );
    let page = std::fs::read_to_string(at.join("out/index.html")).unwrap();
    assert!(page.contains("Do boundaries follow other data") && page.contains("borders.bedpe"));
    for figure in ["correlations", "profile", "profile_difference"] {
        assert!(at.join(format!("out/figures/{figure}.png")).exists());
    }
    ok(at, &["report", "out"]);
    let again = std::fs::read_to_string(at.join("out/index.html")).unwrap();
    assert_eq!(again, page);
    for shard in ["1/2", "2/2"] {
        let out = format!("s{}", &shard[..1]);
        ok(
            at,
            &[
                &with_sites[..with_sites.len() - 1],
                &[&out, "--shard", shard],
            ]
            .concat(),
        );
    }
    ok(at, &["merge", "s1", "s2", "--out", "merged"]);
    for name in ["correlations", "contigs", "around_boundaries", "profile"] {
        let of = |run: &str| std::fs::read(at.join(run).join(format!("tables/{name}.tsv")));
        assert_eq!(of("out").unwrap(), of("merged").unwrap(), "{name}");
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    fasta(at);
    std::fs::write(at.join("far.bed"), "one\t39999\t40001\n").unwrap();
    std::fs::write(at.join("other.bed"), "chr9\t1\t2\n").unwrap();
    for (arguments, code, part) in [
        (&["association"][..], 2, "--track"),
        (
            &["association", "--track", "x.bw", "--windows", "5"],
            2,
            "--windows 5",
        ),
        (
            &["association", "--track", "x.bw", "--block", "100"],
            2,
            "--block 100",
        ),
        (
            &["association", "--track", "a/x.bw", "b/x.bw"],
            2,
            "two tracks are called x.bw",
        ),
        (
            &["association", "--track", "none.bw", "--out", "o"],
            1,
            "none.bw",
        ),
        (
            &[
                "association",
                "--sites",
                "far.bed",
                "--genome",
                "toy.fa",
                "--out",
                "o",
            ],
            1,
            "far.bed",
        ),
        (
            &[
                "association",
                "--sites",
                "other.bed",
                "--genome",
                "toy.fa",
                "--out",
                "o",
            ],
            1,
            "no site is in the genome",
        ),
    ] {
        let output = run(at, arguments);
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.code() == Some(code) && message.contains(part),
            "{arguments:?}: {message}"
        );
    }
}
