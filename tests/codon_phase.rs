//! `codon-phase` as its users meet it, on the bundled chromosome with a small model.
#![allow(clippy::unwrap_used)]

mod common;

use common::{NANO, ok, run};

const SMALL: [&str; 13] = [
    "codon-phase",
    "--checkpoint",
    NANO,
    "--context",
    "256",
    "--margin",
    "32",
    "--max-genes",
    "8",
    "--permutations",
    "50",
    "--bootstraps",
    "50",
];

#[test]
fn codons_are_read_told_and_put_together_from_shards() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let said = ok(at, &[&SMALL[..], &["--out", "out"]].concat());
    assert!(
        said.contains("between codons") && said.contains("against outside CDS"),
        "{said}"
    );
    let lines = |name: &str| -> Vec<Vec<String>> {
        let text = std::fs::read_to_string(at.join(format!("out/tables/{name}.tsv"))).unwrap();
        let words = |line: &str| line.split('\t').map(str::to_string).collect();
        text.lines().skip(1).map(words).collect()
    };
    let genes = lines("genes");
    let used = genes.iter().find(|row| row[0] == "used").unwrap();
    assert!(used[1].parse::<u64>().unwrap() >= 6, "{genes:?}");
    assert!(genes.iter().any(|row| row[0] == "not drawn"), "{genes:?}");
    let phases = lines("phases");
    let n: Vec<u64> = phases.iter().map(|row| row[2].parse().unwrap()).collect();
    assert!(
        phases.len().is_multiple_of(3) && n[0].abs_diff(n[1]) < 200 && n[0] > 1000,
        "{phases:?}"
    );
    let page = std::fs::read_to_string(at.join("out/index.html")).unwrap();
    assert!(page.contains("Do boundaries keep to codons?"));
    ok(at, &["report", "out"]);
    let again = std::fs::read_to_string(at.join("out/index.html")).unwrap();
    assert_eq!(again, page);
    for shard in ["1/2", "2/2"] {
        let out = format!("s{}", &shard[..1]);
        ok(
            at,
            &[&SMALL[..], &["--shard", shard, "--out", &out]].concat(),
        );
    }
    ok(at, &["merge", "s1", "s2", "--out", "merged"]);
    for name in ["phases", "comparisons", "clusters", "genes"] {
        let of = |run: &str| std::fs::read(at.join(run).join(format!("tables/{name}.tsv")));
        assert_eq!(of("out").unwrap(), of("merged").unwrap(), "{name}");
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, code, part) in [
        (&["codon-phase", "--max-genes", "0"][..], 2, "--max-genes"),
        (&["codon-phase", "--genome", "x.fa"], 2, "--annotation"),
        (
            &["codon-phase", "--contigs", "chr9", "--out", "o"],
            1,
            "chr9",
        ),
    ] {
        let output = run(folder.path(), arguments);
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.code() == Some(code) && message.contains(part),
            "{arguments:?}: {message}"
        );
    }
}
