//! `matched-flops` as its users meet it: from pretraining to the page, at a size of seconds.
#![allow(clippy::unwrap_used)]

use polars::prelude::{DataFrame, ParquetReader, SerReader};
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Output};

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ldar-analyze"))
        .current_dir(folder)
        .args(arguments)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Standard output and standard error.
fn ok(folder: &Path, arguments: &[&str]) -> (String, String) {
    let output = run(folder, arguments);
    let said = text(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    (text(&output.stdout), said)
}

fn fails(folder: &Path, arguments: &[&str], exit: i32, part: &str) {
    let output = run(folder, arguments);
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(exit), "{arguments:?}: {message}");
    assert!(
        message.contains(part) && !message.contains("panicked"),
        "no '{part}' in: {message}"
    );
}

/// Letters that look random and are the same every time.
fn letters(n: usize, state: &mut u64) -> String {
    let mut next = || {
        *state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        char::from(b"ACGT"[(*state >> 62) as usize])
    };
    (0..n).map(|_| next()).collect()
}

const SCALE: &str = r#"
about = "a model of nothing"
seeds = [1, 2]
tasks = ["emp_H3"]
finetune = ["--epochs", "1", "--batch", "8", "--bootstraps", "50", "--permutations", "50"]
[pretraining.model]
arch_layout = ["m1", ["M1"], "m1"]
d_model = [32, 64]
d_intermediate = [0, 128]
ssm_cfg = { d_state = 16, d_conv = 4, expand = 2 }
[pretraining.data]
length = 128
reverse_complement = 0.5
holdout = [0.0, 0.0]
test = [0.0, 0.0]
holdout_contigs = ["I", "III"]
[pretraining.masking]
fraction = 0.15
mask = 0.8
random = 0.1
[pretraining.optimizer]
alpha = 0.03
compression = [4.0]
lr = 1e-3
betas = [0.9, 0.95]
eps = 1e-8
weight_decay = 0.01
max_grad_norm = 1.0
schedule = { warmup = 0.1, decay = 0.2, floor = 0.05 }
[pretraining.run]
steps = 6
batch = 2
micro_batch = 2
log_every = 2
validate_every = 3
validation_windows = 4
checkpoint_every = 3
"#;

/// A genome of three contigs, a task, and sizes.
fn world(folder: &Path) {
    let mut state = 5;
    let mut genome = String::new();
    for (name, n) in [("chrI", 1000), ("chrII", 6000), ("chrIII", 1000)] {
        writeln!(genome, ">{name}\n{}", letters(n, &mut state)).unwrap();
    }
    std::fs::write(folder.join("yeast.fa"), genome).unwrap();
    std::fs::create_dir_all(folder.join("tasks/emp_H3")).unwrap();
    for (split, n) in [("dev", 60), ("test", 40)] {
        let mut table = String::from("sequence,label\n");
        for row in 0..n {
            let core = if row % 2 == 0 { "GATTACA" } else { "CCGCGGC" };
            let (left, right) = (letters(40, &mut state), letters(50, &mut state));
            writeln!(table, "{left}{core}{right},{}", row % 2).unwrap();
        }
        std::fs::write(folder.join(format!("tasks/emp_H3/{split}.csv")), table).unwrap();
    }
    std::fs::write(folder.join("tiny.toml"), SCALE).unwrap();
    let one = SCALE.replace("seeds = [1, 2]", "seeds = [7]");
    std::fs::write(folder.join("one.toml"), one).unwrap();
}

fn table(folder: &Path, name: &str) -> DataFrame {
    let path = folder.join(format!("tables/{name}.parquet"));
    ParquetReader::new(std::fs::File::open(path).unwrap())
        .finish()
        .unwrap()
}

fn words(table: &DataFrame, column: &str) -> Vec<String> {
    let column = table.column(column).unwrap();
    let of = column.str().unwrap();
    of.iter().map(|one| one.unwrap().to_string()).collect()
}

fn numbers(table: &DataFrame, column: &str) -> Vec<Option<f64>> {
    table
        .column(column)
        .unwrap()
        .f64()
        .unwrap()
        .iter()
        .collect()
}

/// The tables of a folder, by name.
fn tables(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder.join("tables")).unwrap();
    let mut all: Vec<(String, Vec<u8>)> = entries
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.display().to_string(), std::fs::read(path).unwrap()))
        .collect();
    all.sort();
    all
}

#[test]
fn from_pretraining_to_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    world(here);
    let command = [
        "matched-flops",
        "--scale",
        "tiny.toml",
        "--genome",
        "yeast.fa",
        "--data",
        "tasks",
        "--out",
        "out",
    ];
    let planned = ok(here, &[&command[..], &["--dry-run"]].concat()).0;
    assert_eq!(planned.matches("to run").count(), 8 + 6, "{planned}");
    assert_eq!(planned.matches("to see").count(), 4, "{planned}");
    assert!(planned.contains("8 pretrainings") && !here.join("out").exists());

    // One seed on each of two machines.
    let (first, said) = ok(here, &[&command[..], &["--shard", "1/2"]].concat());
    assert!(said.contains("1 of 2 seeds are done") && first.contains("one seed, no interval"));
    let (printed, said) = ok(here, &[&command[..], &["--shard", "2/2"]].concat());
    assert!(
        !said.contains("seeds are done") && printed.contains("out/index.html"),
        "{said}"
    );
    let out = here.join("out");
    let arms = table(&out, "arms");
    assert_eq!(
        words(&arms, "arm"),
        ["learned", "fixed", "random", "none"].repeat(2)
    );
    // Windows of 128 bases hold whole tokens: the grid cannot hit N more exactly, and after a few
    // steps the router keeps so few that one block without compression is too much.
    for (i, off) in numbers(&arms, "flops_off").iter().enumerate() {
        let bound = [0.0, 0.03, 0.2, f64::INFINITY][i % 4];
        assert!(off.unwrap().abs() <= bound, "{off:?}");
    }
    let scores = table(&out, "scores");
    assert_eq!(scores.height(), 2 * 6);
    // The grid's N is taken anew: sequences of 97 bases hold whole tokens too.
    for (arm, off) in words(&scores, "arm")
        .iter()
        .zip(numbers(&scores, "flops_off"))
    {
        assert!(arm != "fixed" || off.unwrap().abs() <= 0.03, "{off:?}");
    }
    let differences = table(&out, "differences");
    assert_eq!(
        words(&differences, "other"),
        ["fixed", "random", "none", "turned", "kmer"]
    );
    assert!(
        numbers(&differences, "seeds_low")
            .iter()
            .all(Option::is_some)
    );
    assert_eq!(numbers(&table(&out, "tasks"), "published"), [Some(0.048)]);

    // Nothing is run twice, and what is lost comes back to the same bytes.
    let before = tables(&out);
    let (_, said) = ok(here, &command);
    assert_eq!(said.matches("unchanged since the last run").count(), 8 + 10);
    assert_eq!(tables(&out), before);
    std::fs::remove_dir_all(out.join("steps/emp_H3-fixed-seed-2")).unwrap();
    std::fs::remove_dir_all(out.join("pretraining/random-seed-1")).unwrap();
    let (_, said) = ok(here, &command);
    assert_eq!(
        said.matches("unchanged since the last run").count(),
        7 + 9,
        "{said}"
    );
    assert_eq!(tables(&out), before);

    let page = std::fs::read_to_string(out.join("index.html")).unwrap();
    for part in [
        "Learned boundaries beat fixed on 0 of 1 tasks",
        "emp_H3 (paper: +0.048)",
        "Fewer than three seeds",
        "steps/emp_H3-turned-seed-1/index.html",
    ] {
        assert!(page.contains(part), "no '{part}'");
    }
    for figure in ["scores", "differences", "pretraining"] {
        for ending in ["svg", "png"] {
            assert!(out.join(format!("figures/{figure}.{ending}")).exists());
        }
    }
    std::fs::remove_file(out.join("index.html")).unwrap();
    ok(here, &["report", "out"]);
    assert_eq!(
        std::fs::read_to_string(out.join("index.html")).unwrap(),
        page
    );
    fails(
        here,
        &[&["matched-flops", "--scale", "one.toml"], &command[3..]].concat(),
        1,
        "choose another --out",
    );
}

#[test]
fn parts_of_a_recipe() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    world(here);
    let inputs = [
        "reproduce",
        "matched-flops",
        "--set",
        "scale=one.toml",
        "--set",
        "yeast=yeast.fa",
        "--set",
        "tasks=tasks",
    ];
    ok(
        here,
        &[&inputs[..], &["--set", "parts=ratio-loss,compression"]].concat(),
    );
    let arms = table(&here.join("matched-flops/steps/matched-flops"), "arms");
    assert_eq!(
        words(&arms, "arm"),
        [
            "learned",
            "alpha-0",
            "alpha-0.003",
            "alpha-0.3",
            "target-2",
            "target-8"
        ]
    );
    let page = std::fs::read_to_string(here.join("matched-flops/index.html")).unwrap();
    assert!(page.contains("The ratio loss") && page.contains("The target compression"));
    assert!(page.contains("none was fine-tuned"));

    let call = |more: &[&'static str]| {
        let mut words = vec!["matched-flops", "--genome", "yeast.fa", "--out", "x"];
        words.extend(more);
        words
    };
    fails(here, &call(&["--scale", "tall"]), 2, "'tall'");
    fails(here, &call(&["--parts", "some"]), 2, "ratio-loss");
    fails(here, &call(&["--data", "nowhere"]), 1, "nowhere");
    let missing = SCALE.replace("\"III\"", "\"IX\"");
    std::fs::write(here.join("missing.toml"), missing).unwrap();
    fails(
        here,
        &call(&["--scale", "missing.toml", "--data", "tasks"]),
        1,
        "'IX'",
    );
    assert!(!here.join("x").exists());
}
