//! `stability` as its users meet it, on the bundled chromosome with a small model.
#![allow(clippy::unwrap_used)]

mod common;

use common::{NANO, ok, run};
use std::path::Path;

const SMALL: [&str; 17] = [
    "stability",
    "--checkpoint",
    NANO,
    "--context",
    "256",
    "--margin",
    "32",
    "--reach",
    "40",
    "--places",
    "4",
    "--max-sites",
    "5",
    "--permutations",
    "50",
    "--bootstraps",
    "50",
];

fn lines(folder: &Path, name: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(folder.join("tables").join(format!("{name}.tsv"))).unwrap();
    text.lines()
        .map(|line| line.split('\t').map(str::to_string).collect())
        .collect()
}

#[test]
fn edits_are_answered_told_and_put_together_from_shards() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let said = ok(at, &[&SMALL[..], &["--out", "out"]].concat());
    assert!(
        said.contains("An SNV changes")
            && said.contains("decisions")
            && said.contains("donor core"),
        "{said}"
    );
    let edits = lines(&at.join("out"), "edits");
    let n = |model: &str, group: &str| {
        edits
            .iter()
            .filter(|row| row[0] == model && row[2] == group)
            .count()
    };
    assert_eq!(
        (n("model", "random"), n("untrained", "random")),
        (4 * 13, 4 * 13)
    );
    assert!(n("model", "donor") >= 3 && n("model", "donor") == n("untrained", "donor_control"));
    let page = std::fs::read_to_string(at.join("out/index.html")).unwrap();
    assert!(page.contains("Mutation map") && page.contains("What does an edit of sequence do"));
    ok(at, &["report", "out"]);
    assert_eq!(
        std::fs::read_to_string(at.join("out/index.html")).unwrap(),
        page
    );
    for shard in ["1/2", "2/2"] {
        ok(
            at,
            &[
                &SMALL[..],
                &["--shard", shard, "--out", &format!("s{}", &shard[..1])],
            ]
            .concat(),
        );
    }
    ok(at, &["merge", "s1", "s2", "--out", "merged"]);
    for name in [
        "edits",
        "responses",
        "comparisons",
        "distances",
        "mutation_map",
    ] {
        let of = |run: &str| {
            std::fs::read(at.join(run).join("tables").join(format!("{name}.tsv"))).unwrap()
        };
        assert_eq!(of("out"), of("merged"), "{name}");
    }
    let said = ok(
        at,
        &[&SMALL[..], &["--out", "null", "--negative-control"]].concat(),
    );
    assert!(said.contains("donor core"), "{said}");
}

#[test]
fn what_cannot_be_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, part) in [
        (&["stability", "--reach", "5"][..], "--reach 5"),
        (
            &["stability", "--context", "200", "--reach", "100"],
            "has no room",
        ),
        (&["stability", "--places", "0"], "--places"),
        (&["stability", "--genome", "x.fa"], "--annotation"),
    ] {
        let output = run(folder.path(), arguments);
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.code() == Some(2) && message.contains(part),
            "{arguments:?}: {message}"
        );
    }
}
