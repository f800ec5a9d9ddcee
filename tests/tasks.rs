//! `finetune --model kmer` and `benchmark` as their users meet them.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::{Command, Output};

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ldar-analyze"))
        .args(arguments)
        .args(["--threads", "2"])
        .current_dir(folder)
        .output()
        .unwrap()
}

fn ok(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {message}");
    String::from_utf8_lossy(&output.stdout).into_owned() + &message
}

fn fails(folder: &Path, arguments: &[&str], exit: i32, part: &str) {
    let output = run(folder, arguments);
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.code() == Some(exit) && message.contains(part),
        "{arguments:?}: {:?} {message}",
        output.status
    );
}

/// A column of a table, by its name.
fn column(path: &Path, name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines = text
        .lines()
        .map(|line| line.split('\t').map(String::from).collect::<Vec<_>>());
    let place = lines
        .next()
        .unwrap()
        .iter()
        .position(|head| head == name)
        .unwrap();
    lines.map(|fields| fields[place].clone()).collect()
}

/// Rows whose class is a planted word, over enough sequences that it is learned.
fn planted(n: u64, seed: u64) -> String {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 62) as usize
    };
    let mut text = String::from("sequence,label\n");
    for row in 0..n {
        let mut letters: Vec<u8> = (0..60).map(|_| b"ACGT"[next()]).collect();
        if row % 2 == 1 {
            letters[20..29].copy_from_slice(b"CCAATCGGA");
        }
        text += &format!(
            "{},{}\n",
            String::from_utf8(letters).unwrap(),
            ["no", "yes"][(row % 2) as usize]
        );
    }
    text
}

#[test]
fn the_bundled_task_from_start_to_page() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let said = ok(
        here,
        &[
            "finetune",
            "prom_core_tata",
            "--model",
            "kmer",
            "--out",
            "r",
            "--bootstraps",
            "200",
            "--permutations",
            "200",
        ],
    );
    assert!(said.contains("16 of 613 test sequences are exact copies of training rows, 1 of them with another label."), "{said}");
    let table = |name: &str| here.join("r/tables").join(name);
    let mcc: f64 = column(&table("metrics.tsv"), "mcc")[0].parse().unwrap();
    assert!((mcc - 0.498).abs() < 0.03, "{mcc}");
    assert_eq!(
        column(&table("predictions.tsv"), "score").len(),
        2 * 2 * 613,
        "two models, two classes"
    );
    let page = std::fs::read(here.join("r/index.html")).unwrap();
    let text = String::from_utf8_lossy(&page);
    let headline = text
        .split("<strong>")
        .nth(1)
        .unwrap()
        .split("</strong>")
        .next()
        .unwrap();
    assert!(headline.split_whitespace().count() <= 25, "{headline}");
    assert!(
        [
            "6-mer logistic regression",
            "exact copies",
            "Calibration",
            "Confusion"
        ]
        .iter()
        .all(|part| text.contains(part))
    );
    std::fs::remove_file(here.join("r/index.html")).unwrap();
    std::fs::remove_dir_all(here.join("r/figures")).unwrap();
    ok(here, &["report", "r"]);
    assert!(
        std::fs::read(here.join("r/index.html")).unwrap() == page,
        "the page is remade from the tables"
    );
}

#[test]
fn folds_seeds_and_wrong_files() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    for (name, n, seed) in [("train.csv", 400, 1), ("test.csv", 100, 2)] {
        std::fs::write(here.join(name), planted(n, seed)).unwrap();
    }
    ok(
        here,
        &[
            "finetune",
            "--model",
            "kmer",
            "--data",
            "train.csv",
            "--folds",
            "3",
            "--test",
            "test.csv",
            "--out",
            "f",
        ],
    );
    let metrics = here.join("f/tables/metrics.tsv");
    assert_eq!(column(&metrics, "fold").iter().max().unwrap(), "2");
    let folds = here.join("f/tables/folds.tsv");
    let (model, n, mean) = (
        column(&folds, "model"),
        column(&folds, "n_folds"),
        column(&folds, "mean"),
    );
    assert_eq!((model[0].as_str(), n[0].as_str()), ("kmer", "3"));
    assert!(mean[0].parse::<f64>().unwrap() > 0.9, "{mean:?}");
    ok(
        here,
        &[
            "finetune",
            "--model",
            "kmer",
            "--train",
            "train.csv",
            "--test",
            "test.csv",
            "--seeds",
            "5,6",
            "--out",
            "s",
        ],
    );
    assert!(
        column(&here.join("s/tables/metrics.tsv"), "seed")
            .iter()
            .any(|seed| seed == "6")
    );

    std::fs::write(here.join("bad.csv"), "sequence,label\nACGT,yes\nACXT,no\n").unwrap();
    std::fs::write(here.join("other.csv"), "sequence,label\nACGT,maybe\n").unwrap();
    let files = |test: &'static str| {
        [
            "finetune",
            "--model",
            "kmer",
            "--train",
            "train.csv",
            "--test",
            test,
            "--out",
            "x",
        ]
    };
    fails(
        here,
        &files("bad.csv"),
        1,
        "bad.csv:3: 'X' in the sequence is no nucleotide",
    );
    fails(
        here,
        &files("other.csv"),
        1,
        "other.csv:2: class 'maybe' is in no training row",
    );
    assert!(!here.join("x").exists());
    for (arguments, part) in [
        (
            &["finetune", "nothing"][..],
            "no bundled task 'nothing': there are mouse_2, prom_core_tata",
        ),
        (
            &["finetune", "--test", "test.csv"],
            "--test needs --train or --data",
        ),
        (
            &[
                "finetune",
                "--data",
                "train.csv",
                "--test",
                "test.csv",
                "--folds",
                "1",
            ],
            "--folds 1: at least 2",
        ),
        (
            &[
                "finetune",
                "--data",
                "train.csv",
                "--test",
                "test.csv",
                "--seeds",
                "1,2",
            ],
            "--data takes one of --seeds",
        ),
        (
            &[
                "finetune",
                "--train",
                "train.csv",
                "--test",
                "test.csv",
                "--seeds",
                "1,1",
            ],
            "each once",
        ),
    ] {
        fails(here, arguments, 2, part);
    }
}

#[test]
fn a_suite_is_run_task_by_task_and_not_again() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    for (task, seed) in [("mouse_2", 3), ("tf_0", 5)] {
        std::fs::create_dir_all(here.join("data").join(task)).unwrap();
        for (number, (split, n)) in [("train", 200), ("dev", 60), ("test", 60)]
            .into_iter()
            .enumerate()
        {
            std::fs::write(
                here.join("data").join(task).join(format!("{split}.csv")),
                planted(n, seed + 100 * number as u64),
            )
            .unwrap();
        }
    }
    let words = |more: &[&'static str]| {
        [
            &["benchmark", "gue", "--data", "data", "--out", "b"][..],
            more,
            &["--", "--model", "kmer", "--bootstraps", "200"],
        ]
        .concat()
    };
    let said = ok(here, &words(&["--tasks", "mouse_2,tf_0", "--shard", "1/2"]));
    assert!(
        said.contains("1 of 2 tasks are done")
            && here.join("b/steps/mouse_2/index.html").exists()
            && !here.join("b/steps/tf_0").exists(),
        "{said}"
    );
    let said = ok(here, &words(&["--tasks", "mouse_2,tf_0"]));
    assert!(
        said.contains("mouse_2: unchanged since the last run") && !said.contains("tasks are done"),
        "{said}"
    );
    let table = here.join("b/tables/benchmark.tsv");
    assert_eq!(
        column(&table, "task"),
        ["mouse_2", "mouse_2", "tf_0", "tf_0"]
    );
    assert!(column(&table, "test_low")[0].parse::<f64>().unwrap() > 0.5);
    let page = std::fs::read_to_string(here.join("b/index.html")).unwrap();
    assert!(page.contains("steps/tf_0/index.html") && page.contains("GUE tasks"));
    ok(here, &["report", "b"]);
    assert_eq!(
        std::fs::read_to_string(here.join("b/index.html")).unwrap(),
        page
    );

    fails(
        here,
        &words(&["--tasks", "tf_3"]),
        1,
        "has no files of task 'tf_3'",
    );
    fails(
        here,
        &["benchmark", "gue", "--tasks", "H3"],
        2,
        "gue has emp_H3",
    );
    fails(
        here,
        &["benchmark", "nt", "--out", "b", "--data", "data"],
        1,
        "holds the report of suite 'gue'",
    );
    fails(
        here,
        &["benchmark", "gue", "--genome", "GRCh38=x.fa"],
        2,
        "no suite but gb",
    );
    assert!(ok(here, &["benchmark", "nt", "--list"]).contains("train 13468; rate 1e-4"));
}

#[test]
fn coordinates_are_cut_from_genomes() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let rows = planted(400, 9);
    let genome: Vec<&str> = rows
        .lines()
        .skip(1)
        .map(|line| line.split(',').next().unwrap())
        .collect();
    std::fs::write(here.join("g.fa"), format!(">chr1\n{}\n", genome.concat())).unwrap();
    // Every second stretch holds the word.
    for (split, from, to) in [("train", 0, 300), ("test", 300, 400)] {
        std::fs::create_dir_all(here.join("data/drosophila_enhancers_stark").join(split)).unwrap();
        for (class, rest) in [("negative", 0), ("positive", 1)] {
            let lines: Vec<String> = (from..to)
                .filter(|i| i % 2 == rest)
                .map(|i| format!("{i},1,{},{},+", 60 * i, 60 * i + 60))
                .collect();
            let text = format!("id,region,start,end,strand\n{}\n", lines.join("\n"));
            std::fs::write(
                here.join("data/drosophila_enhancers_stark")
                    .join(split)
                    .join(format!("{class}.csv")),
                text,
            )
            .unwrap();
        }
    }
    let words = |genome: &'static str| {
        vec![
            "benchmark",
            "gb",
            "--data",
            "data",
            "--tasks",
            "drosophila_enhancers_stark",
            "--genome",
            genome,
            "--out",
            "b",
            "--",
            "--model",
            "kmer",
            "--seeds",
            "1,2",
        ]
    };
    fails(
        here,
        &[
            "benchmark",
            "gb",
            "--data",
            "data",
            "--tasks",
            "drosophila_enhancers_stark",
            "--out",
            "b",
        ],
        2,
        "give --genome BDGP6=FASTA",
    );
    ok(here, &words("BDGP6=g.fa"));
    assert_eq!(
        column(&here.join("b/tables/benchmark.tsv"), "measure")[0],
        "accuracy"
    );
    assert!(
        column(&here.join("b/tables/benchmark.tsv"), "value")[0]
            .parse::<f64>()
            .unwrap()
            > 0.9
    );
    let cut = std::fs::read_to_string(here.join("b/sequences/drosophila_enhancers_stark.test.csv"))
        .unwrap();
    assert!(cut.contains(&format!("301,{},positive\n", genome[301])));
    let again = ok(here, &words("BDGP6=g.fa"));
    assert!(
        !again.contains("cutting") && again.contains("unchanged since the last run"),
        "{again}"
    );
}
