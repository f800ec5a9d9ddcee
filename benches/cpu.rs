//! `cargo bench --profile dev` (the profile that everything else is built with): speed, efficiency
//! and memory on this machine's CPU, through the command that users have (`ldar-analyze bench`),
//! written to `reports/benchmarks/cpu.md` and `cpu.json`: a section for each kind of machine, of
//! which a run replaces its own.
//!
//! With a plain-PyTorch LDARNet at hand, the same work is timed there in turn: `LDAR_PEER` is the
//! folder of its `bench.py`, `LDAR_PEER_PYTHON` the interpreter, `LDAR_PEER_2M` and
//! `LDAR_PEER_110M` checkpoints (`.pt`) that both sides read.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};
use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// (mode, configuration, batch, length).
type Work = (&'static str, &'static str, usize, usize);

const SPEED: [Work; 5] = [
    ("forward", "110m", 1, 4096),
    ("forward", "2m", 1, 4096),
    ("forward", "2m", 16, 1024),
    ("train", "2m", 4, 4096),
    ("train", "110m", 1, 2048),
];
const MEMORY: [Work; 5] = [
    ("forward", "110m", 1, 16_384),
    ("forward", "110m", 1, 32_768),
    ("forward", "110m", 1, 65_536),
    ("forward", "110m", 1, 131_072),
    ("train", "2m", 8, 4096),
];

/// Bases that are cut into contigs, and into how many.
const CONTIG_BASES: usize = 4_000_000;
const CONTIGS: [usize; 3] = [10_000, 100_000, 1_000_000];

/// Runs a command, which must succeed; gives what it printed.
fn printed(command: &mut Command) -> Vec<u8> {
    eprintln!("{command:?}");
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// Runs `ldar-analyze bench` on a configuration, or on a checkpoint in its place.
fn ours(
    (mode, config, batch, length): Work,
    checkpoint: Option<&str>,
    threads: usize,
    runs: usize,
) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ldar-analyze"));
    match checkpoint {
        Some(file) => command.args(["bench", "--checkpoint", file]),
        None => command.args(["bench", "--config", config]),
    };
    let [batch, length, threads, runs] = [batch, length, threads, runs].map(|n| n.to_string());
    command.env("RAYON_NUM_THREADS", &threads).args([
        "--mode",
        mode,
        "--batch",
        &batch,
        "--length",
        &length,
        "--threads",
        &threads,
        "--runs",
        &runs,
        "--profile",
        "--json",
    ]);
    serde_json::from_slice(&printed(&mut command)).unwrap()
}

/// Bases per second of the peer: the number before `bases/s` in the line that it prints.
fn peer((mode, config, batch, length): Work, threads: usize) -> Option<(String, f64)> {
    let [folder, python, file] = [
        "LDAR_PEER".into(),
        "LDAR_PEER_PYTHON".into(),
        format!("LDAR_PEER_{}", config.to_uppercase()),
    ]
    .map(std::env::var);
    let (folder, python, file) = (folder.ok()?, python.ok()?, file.ok()?);
    let mode = if mode == "train" { "train" } else { "fwd" };
    let mut command = Command::new(python);
    command
        .arg(Path::new(&folder).join("bench.py"))
        .arg(&file)
        .args([
            &length.to_string(),
            &batch.to_string(),
            mode,
            &threads.to_string(),
        ]);
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    let printed = printed(&mut command);
    let text = String::from_utf8_lossy(&printed);
    let before = text
        .split(" bases/s")
        .next()
        .and_then(|t| t.split_whitespace().last());
    Some((
        file,
        before
            .and_then(|n| n.parse().ok())
            .unwrap_or_else(|| panic!("the peer printed {text}")),
    ))
}

fn number(value: &Value, key: &str) -> f64 {
    value[key].as_f64().unwrap_or(f64::NAN)
}

fn name((mode, config, batch, length): Work) -> String {
    format!("{mode}, {config}, {batch} x {length}")
}

/// Seconds of a command of the program.
fn seconds(words: &[&str]) -> f64 {
    let start = Instant::now();
    printed(Command::new(env!("CARGO_BIN_EXE_ldar-analyze")).args(words));
    start.elapsed().as_secs_f64()
}

/// Seconds that `scan` and `boundaries` take over the same bases cut into so many contigs.
fn contigs(folder: &Path, n: usize) -> Value {
    let mut fasta = String::new();
    let mut state = 1_u64;
    for contig in 0..n {
        writeln!(fasta, ">{contig}").unwrap();
        for _ in 0..CONTIG_BASES / n {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            fasta.push(['A', 'C', 'G', 'T'][(state >> 62) as usize]);
        }
        fasta.push('\n');
    }
    let path = folder.join("contigs.fa");
    std::fs::write(&path, fasta).unwrap();
    let path = path.to_str().unwrap();
    let [scan, boundaries] = ["scan", "boundaries"]
        .map(|command| seconds(&[command, "--fasta", path, "--out", "/dev/null"]));
    json!({"contigs": n, "scan_seconds": scan, "boundaries_seconds": boundaries})
}

/// Seconds of `splice-profile --control all` on the bundled chromosome, by stage.
fn splice(folder: &Path) -> Value {
    let out = folder.join("splice");
    seconds(&[
        "splice-profile",
        "--control",
        "all",
        "--out",
        out.to_str().unwrap(),
    ]);
    let run: Value = serde_json::from_slice(&std::fs::read(out.join("run.json")).unwrap()).unwrap();
    run["compute"].clone()
}

/// What this machine is.
fn machine(threads: usize) -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |key: &str| {
        cpu.lines()
            .find(|l| l.starts_with(key))
            .and_then(|l| l.split(": ").nth(1))
            .unwrap_or("not known")
            .to_string()
    };
    let flags: Vec<String> = field("flags")
        .split(' ')
        .filter(|f| f.starts_with("avx512_bf16") || f.starts_with("amx") || *f == "avx512f")
        .map(String::from)
        .collect();
    format!(
        "{}, family {} model {}, {threads} threads, {}",
        field("model name"),
        field("cpu family"),
        field("model\t"),
        flags.join(" ")
    )
}

/// The section of a machine.
fn section(machine: &str, measured: &Value) -> String {
    let mut text = format!("\n## {machine}\n");
    let rows = |key: &str| measured[key].as_array().cloned().unwrap_or_default();
    let mut table = |title: &str, heads: &[&str], rows: Vec<Vec<String>>| {
        if rows.is_empty() {
            return;
        }
        writeln!(text, "\n{title}\n\n| {} |", heads.join(" | ")).unwrap();
        writeln!(text, "|{}", "---|".repeat(heads.len())).unwrap();
        for row in rows {
            writeln!(text, "| {} |", row.join(" | ")).unwrap();
        }
    };
    let work = |row: &Value| row["work"].as_str().unwrap_or_default().to_string();
    let speed = rows("speed").into_iter().map(|row| {
        let (all, one) = (&row["all_threads"], &row["one_thread"]);
        let [median, low, high] = [
            "bases_per_second",
            "bases_per_second_min",
            "bases_per_second_max",
        ]
        .map(|key| number(all, key));
        let scan = |key: &str| number(&all["scan_efficiency"], key);
        let scans = match scan("bimamba backward") {
            backward if backward.is_nan() => format!("{:.2}", scan("bimamba")),
            backward => format!("{:.2}, {backward:.2}", scan("bimamba")),
        };
        vec![
            work(&row),
            format!("{median:.0} ({low:.0} to {high:.0})"),
            format!("{:.2}", number(all, "efficiency")),
            scans,
            format!("{:.2}", number(all, "compression")),
            format!(
                "{:.0} ({:.0})",
                number(all, "matmul_flops_per_second") / 1e9,
                number(all, "candle_matmul_flops_per_second") / 1e9
            ),
            format!("{:.0}", number(one, "bases_per_second")),
            format!("{:.2}", number(&row, "ratio")),
        ]
    });
    table(
        "Speed:",
        &[
            "work",
            "bases/s (min to max)",
            "E",
            "E of the scans, forward and backward",
            "compression",
            "matrix product, GFLOP/s (candle's)",
            "one thread, bases/s",
            "all threads over one",
        ],
        speed.collect(),
    );
    let peers = rows("peer").into_iter().map(|row| {
        vec![
            work(&row),
            format!("{:.0}", number(&row, "peer_bases_per_second")),
            format!("{:.0}", number(&row, "bases_per_second")),
            format!("{:.1}", number(&row, "ratio")),
        ]
    });
    table(
        "Against the same model in plain PyTorch, the same checkpoint, in turn:",
        &["work", "PyTorch, bases/s", "here, bases/s", "ratio"],
        peers.collect(),
    );
    let memory = rows("memory").into_iter().map(|row| {
        let bytes = number(&row["measured"], "peak_bytes");
        vec![work(&row), format!("{:.2}", bytes / 1e9)]
    });
    table(
        "Peak memory beyond the weights (a training step's gradients included):",
        &["work", "GB"],
        memory.collect(),
    );
    let contigs = rows("contigs").into_iter().map(|row| {
        vec![
            row["contigs"].to_string(),
            format!("{:.1}", number(&row, "scan_seconds")),
            format!("{:.1}", number(&row, "boundaries_seconds")),
        ]
    });
    table(
        &format!("{CONTIG_BASES} bases in contigs of one length each:"),
        &["contigs", "`scan`, s", "`boundaries`, s"],
        contigs.collect(),
    );
    let stages = measured["splice"]["seconds_by_stage"].as_object();
    let stages = stages.into_iter().flatten().map(|(stage, seconds)| {
        let seconds = seconds.as_f64().unwrap_or(f64::NAN);
        let share = 100.0 * seconds / number(&measured["splice"], "seconds");
        vec![
            stage.replace('_', " "),
            format!("{seconds:.1}"),
            format!("{share:.0} %"),
        ]
    });
    table(
        "`splice-profile --control all` on the bundled chromosome (the model's part is reading sequence, and reading with the untrained reference):",
        &["stage", "s", "of all"],
        stages.collect(),
    );
    text
}

const TITLE: &str = "# Speed on the CPU

`cargo bench --profile dev`, f32, medians of 7 runs. E is useful FLOP/s over the FLOP/s of a 2048-cubed f32 matrix product, the one that the model is
made of, in the same run; a training step counts three forward passes. The scans are the mixers between their projections. Random weights, routing
threshold set to keep one base in four.
";

fn main() {
    if !std::env::args().any(|a| a == "--bench") {
        return; // `cargo test --all-targets` starts benchmarks too
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let speed = SPEED.map(|work| {
        let (all, one) = (ours(work, None, threads, 7), ours(work, None, 1, 7));
        let ratio = number(&all, "bases_per_second") / number(&one, "bases_per_second");
        json!({"work": name(work), "all_threads": all, "one_thread": one, "ratio": ratio})
    });
    let memory =
        MEMORY.map(|work| json!({"work": name(work), "measured": ours(work, None, threads, 1)}));
    let peers: Vec<Value> = SPEED
        .into_iter()
        .filter_map(|work| {
            let (file, theirs) = peer(work, threads)?;
            let mine = number(&ours(work, Some(&file), threads, 7), "bases_per_second");
            Some(json!({"work": name(work), "peer_bases_per_second": theirs, "bases_per_second": mine, "ratio": mine / theirs}))
        })
        .collect();
    let scratch = tempfile::tempdir().unwrap();
    let contigs = CONTIGS.map(|n| contigs(scratch.path(), n));
    let splice = splice(scratch.path());

    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("reports/benchmarks");
    std::fs::create_dir_all(&folder).unwrap();
    let mut machines = serde_json::Map::new();
    if let Ok(before) = std::fs::read(folder.join("cpu.json")) {
        machines = serde_json::from_slice(&before).unwrap();
    }
    machines.insert(
        machine(threads),
        json!({"speed": speed, "peer": peers, "memory": memory, "contigs": contigs, "splice": splice}),
    );
    let sections = machines
        .iter()
        .map(|(machine, measured)| section(machine, measured));
    let text = format!("{TITLE}{}", sections.collect::<String>());
    let all = Value::Object(machines);
    std::fs::write(folder.join("cpu.json"), format!("{all:#}\n")).unwrap();
    std::fs::write(folder.join("cpu.md"), &text).unwrap();
    println!("{text}");
}
