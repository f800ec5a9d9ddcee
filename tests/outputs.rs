//! What the program leaves and what it leaves alone: outputs, full disks, closed streams.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::fs::{create_dir, hard_link, read, write};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const NANO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/nano.pt");
const PROGRAM: &str = env!("CARGO_BIN_EXE_ldar-analyze");

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(PROGRAM)
        .current_dir(folder)
        .args(arguments)
        .output()
        .unwrap()
}

fn message(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn ok(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        message(&output)
    );
    message(&output)
}

/// 3000 letters that look random, and what reads them: g.fa, r.bed.
fn world(folder: &Path) {
    let mut state = 7_u64;
    let mut letter = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        char::from(b"ACGT"[(state >> 33) as usize % 4])
    };
    let sequence: String = (0..3000).map(|_| letter()).collect();
    write(folder.join("g.fa"), format!(">c\n{sequence}\n")).unwrap();
    write(folder.join("r.bed"), "c\t100\t400\n").unwrap();
}

const BOUNDARIES: [&str; 8] = [
    "boundaries",
    "--fasta",
    "g.fa",
    "--checkpoint",
    NANO,
    "--context",
    "512",
    "--regions",
];

/// Names and bytes of all files of a folder, without indexes of genomes.
fn all(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let names = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap());
    let files = names.filter(|entry| {
        entry.path().is_file() && !entry.file_name().to_string_lossy().ends_with(".fai")
    });
    let mut files: Vec<_> = files
        .map(|entry| {
            (
                entry.file_name().to_string_lossy().into_owned(),
                read(entry.path()).unwrap(),
            )
        })
        .collect();
    files.sort();
    files
}

#[test]
fn no_output_replaces_what_is_not_ours() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    world(at);
    for name in [
        "notes.tsv",
        "notes.bw",
        "x.plus.bw",
        "model.safetensors",
        "curves.svg",
        "curves.png",
    ] {
        write(at.join(name), "years of work").unwrap();
    }
    hard_link(at.join("r.bed"), at.join("hard.bed")).unwrap();
    symlink("r.bed", at.join("soft.bed")).unwrap();
    std::fs::copy(NANO, at.join("nano.pt")).unwrap();
    symlink("nano.pt", at.join("link.safetensors")).unwrap();
    create_dir(at.join("theirs")).unwrap();
    write(
        at.join("theirs/manifest.json"),
        "{\"name\": \"an extension\"}",
    )
    .unwrap();
    create_dir(at.join("run")).unwrap();
    write(at.join("run/metrics.tsv"), "years of work").unwrap();
    let recipe = concat!(env!("CARGO_MANIFEST_DIR"), "/analyses/train-fly-2m.toml");
    let before = all(at);
    let evaluate = ["evaluate", recipe, "--metrics", "notes.tsv", "--curves"];
    let density = [
        "density",
        "--checkpoint",
        NANO,
        "--max-per-class",
        "3",
        "--shard",
        "1/2",
        "--out",
    ];
    let inputs: &[&[&str]] = &[
        &[&BOUNDARIES[..], &["r.bed", "--out", "r.bed"]].concat(),
        &[&BOUNDARIES[..], &["r.bed", "--out", "hard.bed"]].concat(),
        &[&BOUNDARIES[..], &["r.bed", "--out", "soft.bed"]].concat(),
        &[&BOUNDARIES[..], &["r.bed", "--out", "g.fa"]].concat(),
        &["scan", "--fasta", "g.fa", "--out", "./g.fa"],
        &["convert", "nano.pt", "link.safetensors"],
    ];
    for arguments in inputs {
        let output = run(at, arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(
            message(&output).contains("would overwrite the input"),
            "{arguments:?}: {}",
            message(&output)
        );
    }
    let others: &[&[&str]] = &[
        &[&BOUNDARIES[..], &["all", "--out", "notes.tsv"]].concat(),
        &[&BOUNDARIES[..], &["all", "--out", "x.bw"]].concat(),
        &["scan", "--fasta", "g.fa", "--out", "notes.tsv"],
        &["convert", NANO, "model.safetensors"],
        &[&evaluate[..], &["curves.svg"]].concat(),
        &[&evaluate[..], &["curves.png"]].concat(),
        &["train", recipe, "--out", "run"],
        &[&density[..], &["theirs"]].concat(),
        &[&density[..], &["."]].concat(),
        &[&density[..], &["/"]].concat(),
        &[&density[..7], &["--out", "theirs"]].concat(),
        &["density", "--checkpoint", NANO, "--out", "theirs"],
        &["reproduce", "--out", "theirs"],
        &["reproduce", "--out", "."],
    ];
    for arguments in others {
        let output = run(at, arguments);
        assert!(
            matches!(output.status.code(), Some(1 | 2)),
            "{arguments:?}: {}",
            message(&output)
        );
        let parts = [
            "tells that this program wrote it",
            "choose another --out",
            "choose a folder inside it",
        ];
        assert!(
            parts.iter().any(|part| message(&output).contains(part)),
            "{arguments:?}: {}",
            message(&output)
        );
    }
    assert_eq!(all(at), before);
    assert_eq!(
        read(at.join("theirs/manifest.json")).unwrap(),
        b"{\"name\": \"an extension\"}"
    );
    assert_eq!(read(at.join("run/metrics.tsv")).unwrap(), b"years of work");
}

#[test]
fn former_outputs_are_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    world(at);
    for _ in 0..2 {
        for out in ["b.tsv", "b.tsv.gz"] {
            ok(at, &[&BOUNDARIES[..], &["r.bed", "--out", out]].concat());
            ok(
                at,
                &[
                    "scan",
                    "--fasta",
                    "g.fa",
                    "--motifs",
                    "core-promoter",
                    "--out",
                    &out.replace('b', "s"),
                ],
            );
        }
        ok(at, &["convert", NANO, "nano.safetensors"]);
    }
    // The page of a results folder is drawn anew, somebody's page in its place is not replaced.
    let quick = [
        "--checkpoint",
        NANO,
        "--region",
        "chr4:50001-50100",
        "--context",
        "512",
        "--motifs",
        "none",
    ];
    for _ in 0..2 {
        ok(at, &[&["locus", "--out", "locus"], &quick[..]].concat());
        ok(at, &["report", "locus"]);
    }
    for more in [&[][..], &["--prune"][..]] {
        write(at.join("locus/index.html"), "<p>mine</p>").unwrap();
        let output = run(at, &[&["report", "locus"], more].concat());
        assert!(
            message(&output).contains("index.html"),
            "{}",
            message(&output)
        );
        assert_eq!(read(at.join("locus/index.html")).unwrap(), b"<p>mine</p>");
    }
}

/// `2>&-` and `2>&1 | head -1`: nobody reads the messages, the work is done.
#[test]
fn messages_need_no_reader() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    world(at);
    let scan = format!("'{PROGRAM}' scan --fasta g.fa --motifs core-promoter --out");
    let lost = format!("'{PROGRAM}' scan --fasta none.fa --out c.tsv");
    let script = format!(
        "set -o pipefail; {scan} a.tsv 2>&- && ({scan} b.tsv 2>&1; echo $? > code) | true && cat code && ({lost} 2>&1; echo $? > code) | true; cat code"
    );
    let output = Command::new("bash")
        .current_dir(at)
        .args(["-c", &script])
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "0\n1\n",
        "{}",
        message(&output)
    );
    assert!(
        at.join("a.tsv").exists()
            && read(at.join("a.tsv")).unwrap() == read(at.join("b.tsv")).unwrap()
    );
    // A pipe takes what a file would.
    let piped = Command::new("bash")
        .current_dir(at)
        .args([
            "-c",
            &format!("set -o pipefail; {scan} /dev/fd/1 | cat > c.tsv"),
        ])
        .output()
        .unwrap();
    assert!(
        piped.status.success()
            && read(at.join("c.tsv")).unwrap() == read(at.join("a.tsv")).unwrap(),
        "{}",
        message(&piped)
    );
    // A reader that has left for sure.
    let mut child = Command::new(PROGRAM)
        .current_dir(at)
        .args([&BOUNDARIES[..], &["r.bed", "--out", "x.bw"]].concat())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stderr.take());
    assert!(child.wait().unwrap().success() && at.join("x.plus.bw").exists());
}

/// A disk that is full (here: a limit on the size of files) is an error of one line, and nothing
/// half-written is left.
#[test]
fn what_does_not_fit_is_an_error_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    world(at);
    let locus = [
        "locus",
        "--checkpoint",
        NANO,
        "--region",
        "chr4:50001-50100",
        "--context",
        "512",
        "--motifs",
        "none",
        "--out",
        "out",
    ];
    let density = [
        "density",
        "--checkpoint",
        NANO,
        "--context",
        "512",
        "--margin",
        "64",
        "--max-per-class",
        "4",
        "--out",
        "out",
    ];
    ok(
        at,
        &[
            &density[..density.len() - 2],
            &["--shard", "1/1", "--out", "shards"],
        ]
        .concat(),
    );
    // The answers of shards are there before: what does not fit are the tracks.
    ok(
        at,
        &[
            &BOUNDARIES[..],
            &["all", "--shard", "1/1", "--out", "shard"],
        ]
        .concat(),
    );
    let commands: Vec<Vec<&str>> = vec![
        [&BOUNDARIES[..], &["all", "--out", "out.tsv"]].concat(),
        vec!["merge", "shard", "--out", "out.bw"],
        vec!["merge", "shard", "--out", "out.bedgraph"],
        vec!["merge", "shard", "--out", "out.bedgraph.gz"],
        vec!["merge", "shard", "--out", "out.parquet"],
        vec!["scan", "--fasta", "g.fa", "--p", "0.01", "--out", "out.tsv"],
        vec![
            "scan",
            "--fasta",
            "g.fa",
            "--p",
            "0.01",
            "--out",
            "out.tsv.gz",
        ],
        vec!["convert", NANO, "out.safetensors"],
        locus.to_vec(),
        density.to_vec(),
        vec!["merge", "shards", "--out", "out"],
    ];
    for command in commands {
        let output = Command::new("bash")
            .current_dir(at)
            .args(["-c", "ulimit -f 4; exec \"$0\" \"$@\"", PROGRAM])
            .args(&command)
            .output()
            .unwrap();
        let said = message(&output);
        assert_eq!(output.status.code(), Some(1), "{command:?}: {said}");
        assert!(
            said.contains("error: ") && said.contains("File too large"),
            "{command:?}: {said}"
        );
        assert!(
            !said.contains("panicked") && !said.contains("fault of"),
            "{command:?}: {said}"
        );
        let left = std::fs::read_dir(at)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let left: Vec<String> = left
            .filter(|name| {
                name.starts_with(".ldar")
                    || (name.starts_with("out") && !name.ends_with(".partial"))
            })
            .collect();
        assert!(left.is_empty(), "{command:?}: {left:?}");
        let _ = std::fs::remove_dir_all(at.join("out.partial"));
    }
    if Path::new("/dev/full").exists() {
        let output = run(
            at,
            &[&BOUNDARIES[..], &["r.bed", "--out", "/dev/full"]].concat(),
        );
        assert!(
            output.status.code() == Some(1)
                && message(&output).contains("/dev/full: No space left"),
            "{}",
            message(&output)
        );
        let full = std::fs::File::options()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let output = Command::new(PROGRAM)
            .current_dir(at)
            .args(["inspect", "--config", "2m"])
            .stdout(full)
            .output()
            .unwrap();
        assert!(
            output.status.code() == Some(1)
                && message(&output).contains("standard output: No space left"),
            "{}",
            message(&output)
        );
    }
}

/// What `run.json` names as a step of a recipe is a folder under steps/.
#[test]
fn steps_lie_under_steps() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    ok(
        at,
        &[
            "locus",
            "--checkpoint",
            NANO,
            "--region",
            "chr4:50001-50100",
            "--context",
            "512",
            "--motifs",
            "none",
            "--out",
            "one",
        ],
    );
    create_dir(at.join("all")).unwrap();
    create_dir(at.join("all/steps")).unwrap();
    symlink("../../one", at.join("all/steps/locus")).unwrap();
    symlink("..", at.join("all/steps/again")).unwrap();
    let said = |step: &str| {
        let mut record: serde_json::Value =
            serde_json::from_slice(&read(at.join("one/run.json")).unwrap()).unwrap();
        record["analysis"] = "reproduce".into();
        record["parameters"] = serde_json::json!({"title": "t", "about": "a"});
        record["outcome"] = serde_json::json!({"steps": [{"name": step}]});
        write(at.join("all/run.json"), record.to_string()).unwrap();
        message(&run(at, &["report", "all"]))
    };
    assert!(!said("locus").contains("error"), "{}", said("locus"));
    assert!(
        said("../../one").contains("is no name of a folder"),
        "{}",
        said("../../one")
    );
    assert!(
        said("again").contains("report of a recipe itself"),
        "{}",
        said("again")
    );
}
