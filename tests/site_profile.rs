//! `site-profile` as its users meet it, on the bundled chromosome with a small model.
#![allow(clippy::unwrap_used)]

mod common;

use common::{NANO, ok, run};
use std::fmt::Write as _;

/// Records of four positions a block of 20 kb, some 50 kb into the chromosome.
fn list(first: usize, strand: &str) -> String {
    let mut text = String::from("track name=x\n");
    for i in 0..48 {
        let start = 60_000 + first + i / 4 * 20_000 + i % 4 * 4000;
        writeln!(text, "4\t{start}\t{}\tr{i}\t0\t{strand}", start + 11).unwrap();
    }
    text
}

const SMALL: [&str; 17] = [
    "site-profile",
    "--sites",
    "sites.bed",
    "--checkpoint",
    NANO,
    "--context",
    "512",
    "--margin",
    "32",
    "--flank",
    "40",
    "--block",
    "20000",
    "--permutations",
    "99",
    "--bootstraps",
    "50",
];

#[test]
fn sites_are_told_drawn_and_put_together_from_shards() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    std::fs::write(at.join("sites.bed"), list(0, "+") + "chrNo\t5\t9\n").unwrap();
    std::fs::write(
        at.join("controls.bed"),
        list(1500, "-") + "4\t9\t12\t.\t0\t+\n",
    )
    .unwrap();
    let said = ok(
        at,
        &[&SMALL[..], &["--reference", "untrained", "--out", "out"]].concat(),
    );
    assert!(
        said.contains("sites from random positions") && said.contains("untrained model"),
        "{said}"
    );
    let table = |run: &str, name: &str| {
        std::fs::read_to_string(at.join(run).join(format!("tables/{name}.tsv"))).unwrap()
    };
    assert!(table("out", "accounting").contains("site\tcontig_not_in_genome\t1\n"));
    assert!(table("out", "discrimination").contains("site\trandom\tletters+untrained\t"));
    let page = std::fs::read_to_string(at.join("out/index.html")).unwrap();
    assert!(page.contains("beyond the nucleotides?") && page.contains("1 sites and 0 controls"));
    ok(at, &["report", "out"]);
    let again = std::fs::read_to_string(at.join("out/index.html")).unwrap();
    assert_eq!(again, page);
    let given = ["--control-bed", "controls.bed", "--anchor", "middle"];
    let minus = ["--sites", "minus.bed"];
    std::fs::write(at.join("minus.bed"), list(0, "-")).unwrap();
    let given = [&SMALL[..1], &minus, &SMALL[3..], &given].concat();
    let said = ok(at, &[&given[..], &["--out", "given"]].concat());
    assert!(said.contains("sites from the given controls"), "{said}");
    assert!(table("given", "accounting").contains("control\twindow_off_contig\t1\n"));
    for shard in ["1/2", "2/2"] {
        let out = format!("s{}", &shard[..1]);
        ok(
            at,
            &[&given[..], &["--shard", shard, "--out", &out]].concat(),
        );
    }
    ok(at, &["merge", "s1", "s2", "--out", "merged"]);
    for name in ["discrimination", "statistics", "conditional", "sites"] {
        assert_eq!(table("given", name), table("merged", name), "{name}");
    }
}

#[test]
fn what_cannot_be_asked_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    std::fs::write(at.join("sites.bed"), "chrNo\t5\t9\t.\t0\t+\n").unwrap();
    std::fs::write(at.join("empty.bed"), "").unwrap();
    for (arguments, code, part) in [
        (&["site-profile"][..], 2, "--sites"),
        (
            &["site-profile", "--sites", "sites.bed", "--block", "100"],
            2,
            "--block 100",
        ),
        (
            &["site-profile", "--sites", "sites.bed", "--window", "5:9"],
            2,
            "-10:10",
        ),
        (&["site-profile", "--sites", "none.bed"], 1, "none.bed"),
        (
            &["site-profile", "--sites", "sites.bed"],
            1,
            "no contig 'chrNo'",
        ),
        (&["site-profile", "--sites", "empty.bed"], 1, "sites"),
    ] {
        let output = run(at, arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(part), "{said}");
    }
}
