//! `train`: a model from a recipe.

use super::compute::Compute;
use super::router::RouterOption;
use super::source;
use super::stderr::say;
use super::stdout;
use crate::error::{Error, Result};
use crate::report::format::count;
use crate::train::ranks::Ranks;
use crate::train::recipe::Recipe;
use crate::train::run::{Ending, Lengthened, Metrics, Run};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Train a model from a recipe; stop and resume it at will
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ldar-analyze train analyses/train-fly-2m.toml --out runs/fly-2m
  ldar-analyze train analyses/train-fly-2m.toml --out runs/fly-2m --resume
  ldar-analyze train analyses/train-fly-2m.toml --router fixed:4 --out runs/fly-2m-fixed
      the same data, masks, seed and steps, with a token of every fourth base
  mpirun -n 4 --bind-to none ldar-analyze --threads 8 train analyses/train-2m.toml --out runs/2m
      four processes that share every step (in a build with --features mpi)

The folder holds metrics.tsv (one row every few steps), training.safetensors (weights, moments and step: what --resume needs) and at the
end model.safetensors. Ctrl-C, SIGTERM and SIGUSR1 write a checkpoint and stop; a killed run loses the steps since its last checkpoint. A run resumed by as
many processes ends on the same bits as one that was never stopped. It may have other log_every, validate_every, validation_windows, checkpoint_every and recompute than before, and
more steps: the learning rate then follows the longer schedule from there on.")]
pub struct Arguments {
    /// Recipe (TOML): model, data, masking, optimizer, length of the run
    #[arg(value_name = "RECIPE")]
    recipe: PathBuf,
    /// Folder of the run
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Go on from the checkpoint in the folder
    #[arg(long)]
    resume: bool,
    #[command(flatten)]
    router: RouterOption,
    #[command(flatten)]
    compute: Compute,
}

/// Ctrl-C; a batch system that kills soon after it asks; what `mpirun` hands on to its processes
/// without ending them.
#[cfg(unix)]
const STOPS: [i32; 3] = [
    signal_hook::consts::SIGINT,
    signal_hook::consts::SIGTERM,
    signal_hook::consts::SIGUSR1,
];
#[cfg(not(unix))]
const STOPS: [i32; 2] = [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM];

/// What is to be done.
pub struct Request {
    recipe: Recipe,
    out: PathBuf,
    resume: bool,
    compute: Compute,
}

impl Arguments {
    /// Reads the recipe.
    pub fn validate(self) -> Result<Request> {
        let mut recipe = source::recipe(&self.recipe)?;
        if let Some(routing) = self.router.routing() {
            recipe.route(routing)?;
        }
        Ok(Request {
            recipe,
            out: self.out,
            resume: self.resume,
            compute: self.compute,
        })
    }
}

impl Request {
    /// Trains, with the other processes that a launcher started.
    pub fn run(self) -> Result<()> {
        let ranks = Rc::new(Ranks::join()?);
        let ending = self.train(&ranks);
        if let Err(e) = &ending
            && ranks.size() > 1
        {
            if !ranks.is_first() {
                // What fails on all is said by the first, which ends them.
                std::thread::sleep(Duration::from_secs(3));
            }
            say(&format!(
                "error: rank {} of {}: {e}",
                ranks.rank(),
                ranks.size()
            ));
            ranks.abort();
        }
        ending
    }

    fn train(self, ranks: &Rc<Ranks>) -> Result<()> {
        let steps = self.recipe.run.steps;
        let device = self.compute.device_of(ranks.local())?;
        let precision = self.compute.training_precision(&device)?;
        let mut run = Run::open(self.recipe, &self.out, self.resume, &device, precision)?;
        ranks.connect(&device)?;
        run.share(ranks.clone())?;
        let speaks = ranks.is_first();
        if speaks
            && let Some(Lengthened {
                from,
                lr_before,
                lr,
            }) = run.lengthened()
        {
            say(&format!(
                "the run grows from {from} steps to {steps}: from step {} on the learning rate follows the schedule of {steps} steps, {lr:.2e} next, where it \
                 would have been {lr_before:.2e}; the steps before followed that of {from}, so the result is not that of {steps} steps at a stretch",
                run.step() + 1
            ));
        }
        let stop = Arc::new(AtomicBool::new(false));
        for signal in STOPS {
            signal_hook::flag::register(signal, stop.clone())
                .map_err(|e| Error::Invalid(format!("a signal cannot be caught: {e}")))?;
        }
        if speaks {
            let by = match ranks.size() {
                1 => String::new(),
                size => format!(", by {size} processes"),
            };
            say(&format!(
                "training on {} bases, steps {} to {steps}{by}",
                count(run.corpus().training_bases()),
                run.step()
            ));
        }
        let target = match speaks {
            true => ProgressDrawTarget::stderr_with_hz(2),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(Some(steps), target);
        if let Ok(style) =
            ProgressStyle::with_template("{pos}/{len} steps {wide_bar} {eta} left  {msg}")
        {
            bar.set_style(style);
        }
        bar.set_position(run.step());
        bar.reset_eta();
        let ending = run.train(&|| stop.load(Ordering::Relaxed), &mut |row| {
            bar.set_position(row.step);
            bar.set_message(summary(row));
            if let Some((mlm, compression)) = row.validation
                && speaks
            {
                let line = match mlm.is_nan() {
                    true => format!("step {}: held-out MLM not measured: no position of the held-out windows was masked", row.step),
                    false => format!(
                        "step {}: held-out MLM {mlm:.4} nats, {compression:.2} bases per token; {:.3} MFLOP per base in training",
                        row.step,
                        row.flops_per_base / 1e6
                    ),
                };
                if bar.is_hidden() { say(&line) } else { bar.println(line) }
            }
        })?;
        bar.finish_and_clear();
        if !speaks {
            return Ok(());
        }
        match ending {
            Ending::Finished => stdout::print(&format!(
                "wrote {}\n",
                self.out.join("model.safetensors").display()
            )),
            Ending::Stopped(step) => stdout::print(&format!(
                "stopped after step {step} of {steps}; continue with the same command and --resume\n"
            )),
        }
    }
}

fn summary(row: &Metrics) -> String {
    let Metrics {
        mlm,
        ratio,
        compression,
        flops_per_base,
        bases_per_s,
        ..
    } = row;
    let mflop = flops_per_base / 1e6;
    format!(
        "{bases_per_s:.0} bases/s  MLM {mlm:.4}  ratio {ratio:.3}  {compression:.2} bases per token  {mflop:.3} MFLOP per base"
    )
}
