//! `bench`: how fast a model runs on this machine.

use super::compute::Compute;
use super::{counts, source, stdout};
use crate::benchmark::{Benchmark, Measured, Mode};
use crate::error::{Error, Result};
use crate::kernels::profile::Pass;
use crate::model::fresh::Fresh;
use crate::model::{Checkpoint, Config, LdarNet};
use crate::report::format::{count, number};
use serde_json::json;
use std::path::PathBuf;

/// Measure how fast a model runs on this machine
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ldar-analyze bench --config 2m
  ldar-analyze bench --config 110m --length 2048 --mode train --profile
  ldar-analyze bench --checkpoint model.pt --length 1024 --batch 16 --threads 1 --json

A --config gets random weights, and a routing threshold that keeps one base in four. Efficiency is useful FLOPs (see inspect) per second
over those of a 2048-cubed f32 matrix product of the kind the model is made of, measured in turn on the same threads; on a GPU, of an 8192-cubed one by cuBLAS in the run's precision. A training step counts three forward
passes. --profile also gives the efficiency of the mixers' scans; it makes a GPU wait after every operation: speed is then lower than without.")]
pub struct Arguments {
    /// Checkpoint: the authors' .pt, or safetensors
    #[arg(long, value_name = "FILE", conflicts_with = "config", required_unless_present = "config", value_parser = source::path_of("checkpoint"))]
    checkpoint: Option<PathBuf>,
    /// A named configuration with random weights instead of a file
    #[arg(long, value_name = "NAME", value_parser = ["110m", "2m"])]
    config: Option<String>,
    /// Bases per sequence
    #[arg(long, value_name = "BASES", default_value_t = 4096, value_parser = counts::parse)]
    length: usize,
    /// Sequences per batch
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = counts::batch)]
    batch: usize,
    /// What to time: a forward pass, or a training step (forward, loss, backward, AdamW)
    #[arg(long, value_name = "MODE", default_value = "forward", value_parser = ["forward", "train"])]
    mode: String,
    /// Timed runs
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = counts::parse)]
    runs: usize,
    /// Print the time of every operation
    #[arg(long)]
    profile: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// In training, run every layer again on the way back instead of keeping what is inside it
    #[arg(long)]
    recompute: bool,
    #[command(flatten)]
    compute: Compute,
}

/// What is to be measured.
pub struct Request(Arguments);

impl Arguments {
    /// Refuses sizes that mean nothing.
    pub fn validate(self) -> Result<Request> {
        counts::check(&[
            ("--length", self.length),
            ("--batch", self.batch),
            ("--runs", self.runs),
        ])?;
        if self.recompute && self.mode != "train" {
            return Err(Error::Usage("--recompute needs --mode train".into()));
        }
        Ok(Request(self))
    }
}

impl Request {
    /// Measures and prints.
    pub fn run(self) -> Result<()> {
        let Arguments {
            checkpoint,
            config,
            length,
            batch,
            mode,
            runs,
            profile,
            json,
            recompute,
            compute,
        } = self.0;
        let (name, config, tensors) = match (&checkpoint, &config) {
            (Some(path), _) => {
                let checkpoint = Checkpoint::open(path)?;
                (
                    path.display().to_string(),
                    checkpoint.config,
                    checkpoint.tensors,
                )
            }
            (None, Some(name)) => {
                let (config, mut fresh) = (Config::named(name)?, Fresh::new(1));
                LdarNet::new(&config, &mut fresh)?;
                (name.clone(), config, fresh.tensors)
            }
            (None, None) => {
                return Err(Error::Usage("bench needs --checkpoint or --config".into()));
            }
        };
        let timed = if mode == "train" {
            Mode::Train
        } else {
            Mode::Forward
        };
        let compress_fourfold = checkpoint.is_none();
        let device = compute.device()?;
        let precision = match timed {
            Mode::Forward => compute.precision(&device),
            Mode::Train => compute.training_precision(&device)?,
        };
        let arithmetic = if device.is_cpu() {
            precision.arithmetic()
        } else {
            precision.on_device(timed == Mode::Train)
        };
        let benchmark = Benchmark {
            config,
            tensors,
            compress_fourfold,
            mode: timed,
            precision,
            recompute,
            device,
            length,
            batch,
            runs,
            profile,
        };
        let measured = benchmark.run()?;
        let threads = rayon::current_num_threads();
        stdout::print(&match json {
            true => {
                let value = json!({
                    "model": name, "mode": mode, "length": length, "batch": batch, "threads": threads, "runs": runs, "dtype": arithmetic.to_string(),
                    "bases_per_second": measured.bases_per_second(0.5),
                    "bases_per_second_min": measured.bases_per_second(0.0),
                    "bases_per_second_max": measured.bases_per_second(1.0),
                    "flops_per_base": measured.flops_per_base,
                    "matmul_flops_per_second": measured.matmul_flops_per_second,
                    "candle_matmul_flops_per_second": measured.candle_flops_per_second,
                    "efficiency": measured.efficiency(),
                    "flops_per_second": measured.flops_per_second(),
                    "gpu": measured.gpu.as_ref().map(|gpu| json!({
                        "name": gpu.name, "capability": gpu.capability, "memory_bytes": gpu.memory_bytes,
                        "peak_bf16_flops_per_second": gpu.peak_flops, "peak_bytes_per_second": gpu.peak_bytes_per_second,
                        "share_of_peak": gpu.peak_flops.filter(|_| measured.bf16).map(|peak| measured.flops_per_second() / peak),
                    })),
                    "scan_efficiency": scans(&measured).map(|(name, e)| (name.to_string(), json!(e))).collect::<serde_json::Map<_, _>>(),
                    "compression": measured.compression,
                    "peak_bytes": measured.peak_bytes,
                    "milliseconds_by_operation": table(&measured).into_iter().map(|(name, ms, _)| (name, json!(ms))).collect::<serde_json::Map<_, _>>(),
                });
                format!("{value:#}\n")
            }
            false => text(
                &format!(
                    "{name}, {mode}, {batch} x {length} bases, {arithmetic}, {threads} threads, {runs} runs"
                ),
                &measured,
            ),
        })
    }
}

/// E of the scans alone, where they were timed.
fn scans(measured: &Measured) -> impl Iterator<Item = (&'static str, f64)> {
    let passes = [
        ("bimamba", Pass::Forward),
        ("bimamba backward", Pass::Backward),
    ];
    passes
        .into_iter()
        .filter_map(|(name, pass)| Some((name, measured.scan_efficiency(pass)?)))
}

/// (operation, milliseconds per run, calls per run), longest first, what is in no operation last.
fn table(measured: &Measured) -> Vec<(String, f64, f64)> {
    let runs = measured.seconds.len() as f64;
    let mut rows: Vec<(String, f64, f64)> = Vec::new();
    for ((name, pass), spent) in &measured.profile {
        let name = if *pass == Pass::Backward {
            format!("{name} backward")
        } else {
            name.to_string()
        };
        rows.push((
            name,
            1e3 * spent.time.as_secs_f64() / runs,
            f64::from(spent.calls) / runs,
        ));
    }
    rows.sort_by(|a, b| b.1.total_cmp(&a.1));
    if !rows.is_empty() {
        let rest = 1e3 * measured.seconds.iter().sum::<f64>() / runs
            - rows.iter().map(|row| row.1).sum::<f64>();
        rows.push(("rest".into(), rest, 1.0));
    }
    rows
}

fn text(title: &str, measured: &Measured) -> String {
    let mut text = format!("{title}\n\n");
    let mut line = |name: &str, value: String| text += &format!("{name:<16}{value}\n");
    let [low, median, high] =
        [0.0, 0.5, 1.0].map(|p| count(measured.bases_per_second(p).round() as usize));
    line(
        "speed",
        format!("{median} bases/s (median; {low} to {high})"),
    );
    line(
        "efficiency",
        format!(
            "{:.3} of a matrix product's {} GFLOP/s",
            measured.efficiency(),
            number(measured.matmul_flops_per_second / 1e9)
        ),
    );
    if let Some(candle) = measured.candle_flops_per_second {
        line(
            "candle",
            format!(
                "the same product by candle: {} GFLOP/s",
                number(candle / 1e9)
            ),
        );
    }
    if let Some(gpu) = &measured.gpu {
        line(
            "GPU",
            format!(
                "{}, {:.0} GB, {} GB/s",
                gpu.name,
                gpu.memory_bytes as f64 / 1e9,
                number(gpu.peak_bytes_per_second / 1e9)
            ),
        );
        let share = gpu
            .peak_flops
            .filter(|_| measured.bf16)
            .map_or(String::new(), |peak| {
                format!(
                    ", {:.3} of the {} TFLOP/s of its tensor cores in bf16 at the highest clock",
                    measured.flops_per_second() / peak,
                    number(peak / 1e12)
                )
            });
        line(
            "achieved",
            format!(
                "{} TFLOP/s{share}",
                number(measured.flops_per_second() / 1e12)
            ),
        );
    }
    line(
        "work",
        format!("{} MFLOP per base", number(measured.flops_per_base / 1e6)),
    );
    line(
        "compression",
        format!("{:.2} bases per boundary", measured.compression),
    );
    line(
        "peak memory",
        measured
            .peak_bytes
            .map_or("not known on this system".into(), |b| {
                format!("{:.2} GB beyond the weights", b as f64 / 1e9)
            }),
    );
    let rows = table(measured);
    if !rows.is_empty() {
        text += "\noperation                    ms per run    calls\n";
        for (name, ms, calls) in rows {
            text += &format!("{name:<26}{ms:>13.2}{calls:>9.0}\n");
        }
        for (name, e) in scans(measured) {
            text += &format!("efficiency of {name}: {e:.3}\n");
        }
    }
    text
}
