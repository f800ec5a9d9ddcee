//! `cargo bench --profile dev` (the profile that everything else is built with): speed, efficiency
//! and memory on this machine's CPU, through the command that users have (`ldar-analyze bench`),
//! written to `reports/benchmarks/cpu.md` and `cpu.json`.
//!
//! With a plain-PyTorch LDARNet at hand, the same work is timed there in turn: `LDAR_PEER` is the
//! folder of its `bench.py`, `LDAR_PEER_PYTHON` the interpreter, `LDAR_PEER_2M` and
//! `LDAR_PEER_110M` checkpoints (`.pt`) that both sides read.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

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
        "--json",
    ]);
    eprintln!("{command:?}");
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
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
    eprintln!("{command:?}");
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
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

fn main() {
    if !std::env::args().any(|a| a == "--bench") {
        return; // `cargo test --all-targets` starts benchmarks too
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
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
    let machine = format!(
        "{}, family {} model {}, {threads} threads, {}",
        field("model name"),
        field("cpu family"),
        field("model\t"),
        flags.join(" ")
    );
    let mut text = format!(
        "# Speed on the CPU\n\n`cargo bench --profile dev` on {machine}; f32; medians of 7 runs.\nE is useful FLOP/s over the FLOP/s of a 2048-cubed f32 matrix product, the one \
         that the model is made of, in the same run; a training step counts three forward passes. Random weights, routing threshold set to keep one base in four.\n\n\
         | work | bases/s (min to max) | E | compression | matrix product, GFLOP/s (candle's) | one thread, bases/s | {threads} threads over one |\n|---|---|---|---|---|---|---|\n"
    );
    let (mut speed, mut memory, mut peers) = (Vec::new(), Vec::new(), Vec::new());
    for work in SPEED {
        let (all, one) = (ours(work, None, threads, 7), ours(work, None, 1, 7));
        let ratio = number(&all, "bases_per_second") / number(&one, "bases_per_second");
        let [median, low, high] = [
            "bases_per_second",
            "bases_per_second_min",
            "bases_per_second_max",
        ]
        .map(|key| number(&all, key));
        writeln!(
            text,
            "| {} | {median:.0} ({low:.0} to {high:.0}) | {:.2} | {:.2} | {:.0} ({:.0}) | {:.0} | {ratio:.2} |",
            name(work),
            number(&all, "efficiency"),
            number(&all, "compression"),
            number(&all, "matmul_flops_per_second") / 1e9,
            number(&all, "candle_matmul_flops_per_second") / 1e9,
            number(&one, "bases_per_second"),
        )
        .unwrap();
        speed.push(
            json!({"work": name(work), "all_threads": all, "one_thread": one, "ratio": ratio}),
        );
    }
    text += "\nPeak memory beyond the weights (a training step's gradients included):\n\n| work | GB |\n|---|---|\n";
    for work in MEMORY {
        let measured = ours(work, None, threads, 1);
        writeln!(
            text,
            "| {} | {:.2} |",
            name(work),
            number(&measured, "peak_bytes") / 1e9
        )
        .unwrap();
        memory.push(json!({"work": name(work), "measured": measured}));
    }
    for work in SPEED {
        let Some((file, theirs)) = peer(work, threads) else {
            continue;
        };
        let mine = number(&ours(work, Some(&file), threads, 7), "bases_per_second");
        if peers.is_empty() {
            text += "\nAgainst the same model in plain PyTorch, the same checkpoint, in turn:\n\n| work | PyTorch, bases/s | here, bases/s | ratio |\n|---|---|---|---|\n";
        }
        writeln!(
            text,
            "| {} | {theirs:.0} | {mine:.0} | {:.1} |",
            name(work),
            mine / theirs
        )
        .unwrap();
        peers.push(json!({"work": name(work), "peer_bases_per_second": theirs, "bases_per_second": mine, "ratio": mine / theirs}));
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("reports/benchmarks");
    std::fs::create_dir_all(&folder).unwrap();
    let value = json!({"machine": machine, "threads": threads, "speed": speed, "memory": memory, "peer": peers});
    std::fs::write(folder.join("cpu.json"), format!("{value:#}\n")).unwrap();
    std::fs::write(folder.join("cpu.md"), &text).unwrap();
    println!("{text}");
}
