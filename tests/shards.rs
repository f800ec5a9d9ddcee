//! Runs in parts: shards give what one run gives, byte by byte, and a killed run goes on where it
//! was.
#![allow(clippy::unwrap_used)]

use sha2::Digest;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const NANO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/nano.pt");

/// On the bundled genome, with a small model, little work for the statistics.
const SPLICE: [&str; 17] = [
    "splice-profile",
    "--checkpoint",
    NANO,
    "--context",
    "1024",
    "--margin",
    "128",
    "--control",
    "decoy,shuffle",
    "--max-sites",
    "45",
    "--reference",
    "untrained",
    "--permutations",
    "100",
    "--bootstraps",
    "100",
];
const MOTIFS: [&str; 21] = [
    "motif-enrichment",
    "--checkpoint",
    NANO,
    "--context",
    "1024",
    "--margin",
    "100",
    "--control",
    "all",
    "--tss",
    "canonical",
    "--name",
    "Cf2",
    "--name",
    "dl",
    "--min-hits",
    "20",
    "--permutations",
    "99",
    "--bootstraps",
    "50",
];

const DENSITY: [&str; 16] = [
    "density",
    "--checkpoint",
    NANO,
    "--context",
    "1024",
    "--margin",
    "128",
    "--max-per-class",
    "12",
    "--reference",
    "untrained",
    "--permutations",
    "100",
    "--bootstraps",
    "100",
    "--seed=3",
];

fn program(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ldar-analyze"));
    command
        .current_dir(folder)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    program(folder, arguments).output().unwrap()
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

/// Names and bytes of the files of a folder.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(String, Vec<u8>)> = (std::fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            (
                path.file_name().unwrap().to_string_lossy().into_owned(),
                std::fs::read(&path).unwrap(),
            )
        })
        .collect();
    files.sort();
    files
}

fn same(folder: &Path, one: &str, other: &str) {
    for part in ["tables", "figures"] {
        let (a, b) = (
            files(&folder.join(one).join(part)),
            files(&folder.join(other).join(part)),
        );
        assert!(a.len() > 3);
        assert_eq!(
            a.iter().map(|f| &f.0).collect::<Vec<_>>(),
            b.iter().map(|f| &f.0).collect::<Vec<_>>()
        );
        a.iter()
            .zip(&b)
            .for_each(|(a, b)| assert!(a.1 == b.1, "{} of {one} and {other} differ", a.0));
    }
}

/// Bases of each record of a file of answers, by key: format in `pipelines/store.rs`.
fn records(path: &Path) -> Vec<([u8; 16], u64)> {
    let bytes = std::fs::read(path).unwrap();
    let number = |at: usize| u64::from(u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()));
    let (mut at, mut found) = (40, Vec::new());
    while at + 24 <= bytes.len() {
        let bases = number(at + 16) * number(at + 20);
        found.push((bytes[at..at + 16].try_into().unwrap(), bases));
        at += 32 + 4 * bases as usize;
    }
    if at > bytes.len() {
        found.pop(); // cut short
    }
    found
}

fn merged(command: &[&str], shards: u32) {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    ok(at, &[command, &["--out", "whole"]].concat());
    assert!(!at.join("whole.partial").exists());
    let names: Vec<String> = (1..=shards).map(|i| format!("shard{i}")).collect();
    for (i, name) in (1..=shards).zip(&names) {
        let part = format!("{i}/{shards}");
        ok(at, &[command, &["--shard", &part, "--out", name]].concat());
        let mut held: Vec<String> = files(&at.join(name)).into_iter().map(|f| f.0).collect();
        held.sort();
        assert_eq!(held, ["answers.bin", "manifest.json"]);
    }
    let keys: Vec<[u8; 16]> = names
        .iter()
        .flat_map(|name| records(&at.join(name).join("answers.bin")))
        .map(|r| r.0)
        .collect();
    assert_eq!(
        keys.iter().collect::<BTreeSet<_>>().len(),
        keys.len(),
        "nothing is in two shards"
    );
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    let some = run(at, &[&["merge"], &all[1..], &["--out", "none"]].concat());
    assert!(
        !some.status.success() && message(&some).contains(&format!("missing: 1/{shards}")),
        "{}",
        message(&some)
    );
    assert!(!at.join("none").exists());
    ok(at, &[&["merge"], &all[..], &["--out", "together"]].concat());
    same(at, "whole", "together");
}

#[test]
fn seven_shards_of_splice_profile_are_one_run() {
    merged(&SPLICE, 7);
}

#[test]
fn seven_shards_of_motif_enrichment_are_one_run() {
    merged(&MOTIFS, 7);
}

#[test]
fn shards_of_density_are_one_run() {
    merged(&DENSITY, 3);
}

const COMPARE: [&str; 7] = [
    "compare",
    "--context",
    "1024",
    "--flank",
    "50",
    "--permutations",
    "100",
];

/// Two models with answers of their own, and a tokenizer that needs none.
#[test]
fn shards_of_compare_are_one_run() {
    merged(&[&COMPARE[..], &["fixed:4", NANO, "bundled"]].concat(), 2);
}

/// Files are found from the folder where the shards ran, or where they are said to be, under
/// another name too.
#[test]
fn shards_of_compare_are_merged_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    std::fs::copy(NANO, at.join("nano.pt")).unwrap();
    std::fs::write(at.join("r.bed"), "chr4\t0\t1000\n").unwrap();
    ok(
        at,
        &[
            "boundaries",
            "--fasta",
            "fly",
            "--regions",
            "r.bed",
            "--checkpoint",
            NANO,
            "--context",
            "1024",
            "--out",
            "some.bw",
        ],
    );
    let command = [&COMPARE[..], &["track:some.plus.bw", "nano.pt", "--out"]].concat();
    ok(at, &[&command[..], &["whole"]].concat());
    for part in ["1/2", "2/2"] {
        ok(at, &[&command[..], &[&part[..1], "--shard", part]].concat());
    }
    std::fs::create_dir(at.join("else")).unwrap();
    ok(
        &at.join("else"),
        &["merge", "../1", "../2", "--out", "together"],
    );
    same(at, "whole", "else/together");
    std::fs::rename(at.join("some.plus.bw"), at.join("other.bw")).unwrap();
    std::fs::rename(at.join("nano.pt"), at.join("model.pt")).unwrap();
    let moved = [
        "--input",
        "some.plus.bw=other.bw",
        "--input",
        "nano.pt=model.pt",
    ];
    ok(
        at,
        &[&["merge", "1", "2", "--out", "again"], &moved[..]].concat(),
    );
    std::fs::copy(at.join("some.minus.bw"), at.join("other.bw")).unwrap();
    let wrong = run(
        at,
        &[&["merge", "1", "2", "--out", "wrong"], &moved[..]].concat(),
    );
    assert!(
        message(&wrong).contains("is not the track that"),
        "{}",
        message(&wrong)
    );
}

#[test]
fn shards_of_tracks_are_one_run() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let genome = concat!(env!("CARGO_MANIFEST_DIR"), "/reference/dm6-chr4/chr4.fa.gz");
    std::fs::copy(genome, at.join("g.fa.gz")).unwrap();
    std::fs::write(
        at.join("r.bed"),
        "chr4\t200000\t206000\nchr4\t300000\t301000\n",
    )
    .unwrap();
    let command = [
        "boundaries",
        "--genome",
        "g.fa.gz",
        "--regions",
        "r.bed",
        "--checkpoint",
        NANO,
        "--context",
        "1024",
        "--out",
    ];
    let whole = ok(at, &[&command[..], &["whole.bw"]].concat());
    assert!(whole.contains("seams: right after "), "{whole}");
    for part in ["1/2", "2/2"] {
        ok(at, &[&command[..], &[&part[..1], "--shard", part]].concat());
    }
    ok(at, &["merge", "2", "1", "--out", "together.bw"]);
    for strand in ["plus", "minus"] {
        let bytes = |name: &str| std::fs::read(at.join(format!("{name}.{strand}.bw"))).unwrap();
        assert!(bytes("whole") == bytes("together"), "{strand}");
    }
    // Moved inputs are named, and found when they are given.
    std::fs::create_dir(at.join("else")).unwrap();
    std::fs::rename(at.join("g.fa.gz"), at.join("else/g.fa.gz")).unwrap();
    assert!(message(&run(at, &["merge", "1", "2", "--out", "again.bw"])).contains("g.fa.gz"));
    ok(
        at,
        &[
            "merge",
            "1",
            "2",
            "--out",
            "again.bw",
            "--input",
            "g.fa.gz=else/g.fa.gz",
        ],
    );
}

/// Shards of a GPU in bf16 are put together where there is neither GPU nor checkpoint: what is
/// known of the model is what they say.
#[test]
fn shards_are_merged_without_their_model() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    std::fs::copy(NANO, at.join("nano.pt")).unwrap();
    let commands: [&[&str]; 3] = [
        &[&["density", "--checkpoint", "nano.pt"], &DENSITY[3..]].concat(),
        &[&COMPARE[..], &["fixed:4", "nano.pt"]].concat(),
        &[
            "boundaries",
            "--genome",
            "fly",
            "--regions",
            "r.bed",
            "--checkpoint",
            "nano.pt",
            "--context",
            "1024",
        ],
    ];
    std::fs::write(at.join("r.bed"), "chr4\t200000\t206000\n").unwrap();
    for (number, command) in commands.iter().enumerate() {
        let out = |name: &str| format!("{name}{number}{}", if number == 2 { ".bw" } else { "" });
        ok(at, &[command, &["--out", &out("whole")][..]].concat());
        for part in ["1/2", "2/2"] {
            let place = at.join(format!("{number}-{}", &part[..1]));
            ok(
                at,
                &[
                    command,
                    &["--shard", part, "--out", place.to_str().unwrap()][..],
                ]
                .concat(),
            );
            // As a run on a GPU would have left it.
            let manifest = std::fs::read_to_string(place.join("manifest.json")).unwrap();
            let manifest = manifest
                .replace("stage 0, f32\"", "stage 0, bf16 (CUDA)\"")
                .replace("\"dtype\": \"f32\"", "\"dtype\": \"bf16 (CUDA)\"");
            let manifest = manifest.replace("\"device\": \"cpu\"", "\"device\": \"cuda:0\"");
            std::fs::write(place.join("manifest.json"), &manifest).unwrap();
            let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
            let mut answers = std::fs::read(place.join("answers.bin")).unwrap();
            answers[8..40].copy_from_slice(&sha2::Sha256::digest(
                manifest["model"]["answers"].as_str().unwrap(),
            ));
            std::fs::write(place.join("answers.bin"), answers).unwrap();
        }
    }
    std::fs::remove_file(at.join("nano.pt")).unwrap();
    for number in 0..3 {
        let shards = [format!("{number}-1"), format!("{number}-2")];
        let out = |name: &str| format!("{name}{number}{}", if number == 2 { ".bw" } else { "" });
        ok(
            at,
            &["merge", &shards[0], &shards[1], "--out", &out("merged")],
        );
        if number == 2 {
            let bytes = |name: &str| std::fs::read(at.join(format!("{name}2.plus.bw"))).unwrap();
            assert!(bytes("whole") == bytes("merged"));
            continue;
        }
        same(at, &out("whole"), &out("merged"));
        let record = |name: &str| -> serde_json::Value {
            serde_json::from_slice(&std::fs::read(at.join(out(name)).join("run.json")).unwrap())
                .unwrap()
        };
        let (whole, merged) = (record("whole"), record("merged"));
        assert_eq!(
            (&merged["compute"]["dtype"], &merged["compute"]["device"]),
            (&"bf16 (CUDA)".into(), &"cuda:0".into())
        );
        assert_eq!(
            (&whole["compute"]["dtype"], &whole["compute"]["device"]),
            (&"f32".into(), &"cpu".into())
        );
        assert_eq!(
            (&merged["inputs"], &merged["model"]),
            (&whole["inputs"], &whole["model"])
        );
        assert_eq!(merged["parameters"], whole["parameters"]);
    }
    // Shards of two precisions are no run.
    let manifest = std::fs::read_to_string(at.join("0-1/manifest.json")).unwrap();
    std::fs::write(
        at.join("0-1/manifest.json"),
        manifest.replace("stage 0, bf16 (CUDA)", "stage 0, f32"),
    )
    .unwrap();
    let output = run(at, &["merge", "0-1", "0-2", "--out", "mixed"]);
    assert!(
        message(&output).contains("they differ in the model"),
        "{}",
        message(&output)
    );
}

/// Killed, a recipe's run takes its step along: nothing computes unseen, and the next run goes on.
#[cfg(unix)]
#[test]
fn a_killed_recipe_leaves_nothing_running() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let step = format!(
        "options = {{ checkpoint = \"{NANO}\", context = 1024, margin = 128, control = \"all\", permutations = 100, bootstraps = 100 }}"
    );
    let recipe = format!(
        "title = \"t\"\nabout = \"a\"\n[[step]]\nname = \"one\"\ncommand = \"splice-profile\"\n{step}\n"
    );
    std::fs::write(at.join("r.toml"), recipe).unwrap();
    let answers = at.join("r/steps/one.partial/answers.bin");
    let length = || std::fs::metadata(&answers).map_or(0, |found| found.len());
    let wait = |what: &str, done: &mut dyn FnMut() -> bool| {
        let started = Instant::now();
        while !done() {
            assert!(started.elapsed() < Duration::from_secs(120), "{what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    let mut parent = program(at, &["reproduce", "r.toml"]).spawn().unwrap();
    wait("no answers", &mut || length() > 40_000);
    parent.kill().unwrap(); // SIGKILL
    parent.wait().unwrap();
    // The lock on the answers is free as soon as the step has ended.
    let file = std::fs::File::open(&answers).unwrap();
    let started = Instant::now();
    wait("the step goes on", &mut || file.try_lock().is_ok());
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "{:?}",
        started.elapsed()
    );
    drop(file);
    let held = length();
    let mut again = program(at, &["reproduce", "r.toml"]).spawn().unwrap();
    wait("the run does not go on", &mut || {
        length() > held + 40_000 || again.try_wait().unwrap().is_some()
    });
    again.kill().unwrap();
    let said = message(&again.wait_with_output().unwrap());
    assert!(said.contains("are at hand"), "{said}");
}

/// Kills a run each time its file of answers has grown by a step, until it ends by itself. Returns
/// what the last run said, and the answers that were kept when it started.
fn killed(
    folder: &Path,
    arguments: &[&str],
    answers: &Path,
    step: u64,
) -> (String, Vec<([u8; 16], u64)>) {
    let mut kills = 0;
    loop {
        let kept = if answers.exists() {
            records(answers)
        } else {
            Vec::new()
        };
        let length = || std::fs::metadata(answers).map_or(0, |found| found.len());
        let goal = length() + step;
        let mut child = program(folder, arguments).spawn().unwrap();
        let started = Instant::now();
        while length() < goal && child.try_wait().unwrap().is_none() {
            assert!(started.elapsed() < Duration::from_secs(120), "no end");
            std::thread::sleep(Duration::from_millis(1));
        }
        if child.try_wait().unwrap().is_none() && kills < 6 {
            child.kill().unwrap(); // SIGKILL
            child.wait().unwrap();
            kills += 1;
            let now = records(answers);
            assert!(
                now.len() >= kept.len() && now[..kept.len()] == kept[..],
                "what was kept stays"
            );
            continue;
        }
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", message(&output));
        assert!(kills >= 3, "killed {kills} times only");
        return (message(&output), kept);
    }
}

#[test]
fn a_killed_run_goes_on_and_asks_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    ok(at, &[&SPLICE[..], &["--out", "whole"]].concat());
    let (said, kept) = killed(
        at,
        &[&SPLICE[..], &["--out", "often"]].concat(),
        &at.join("often.partial/answers.bin"),
        40_000,
    );
    assert!(
        said.contains(&format!(
            "the outputs of {} calls of the model are at hand",
            kept.len()
        )),
        "{said}"
    );
    same(at, "whole", "often");
    assert!(!at.join("often.partial").exists());
    // A shard keeps its answers: all of them once, and the last run asked only for those that were
    // not there.
    let (said, kept) = killed(
        at,
        &[&SPLICE[..], &["--shard", "2/2", "--out", "part"]].concat(),
        &at.join("part.partial/answers.bin"),
        20_000,
    );
    let all = records(&at.join("part/answers.bin"));
    assert_eq!(
        all.iter().map(|r| r.0).collect::<BTreeSet<_>>().len(),
        all.len()
    );
    let asked: u64 = all[kept.len()..].iter().map(|r| r.1).sum();
    let bases = said
        .lines()
        .find_map(|line| line.strip_suffix(" bases read by the model"))
        .unwrap()
        .replace(',', "");
    assert_eq!(bases.parse::<u64>().unwrap(), asked, "{said}");
}
