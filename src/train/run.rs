//! The training loop: steps, metrics, held-out loss, checkpoints, resumption.

use super::data::{Batch, Corpus, mask};
use super::evaluate::masked_loss;
use super::optimizer::{Gradients, Optimizer, trainable};
use super::recipe::Recipe;
use crate::model::checkpoint::{Checkpoint, load_tensors, on, save_tensors};
use crate::model::fresh::Fresh;
use crate::model::weights::Loaded;
use crate::model::{Config, LdarNet, Precision};
use crate::output::write_atomic;
use crate::stats::rng::Rng;
use crate::{Error, Result};
use candle_core::{Device, Tensor};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// One row of the metrics table.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// Steps made.
    pub step: u64,
    /// Bases seen.
    pub bases: u64,
    /// Base learning rate of the last step.
    pub lr: f64,
    /// Mean over the steps since the row before: masked loss in nats, ratio loss, bases per boundary, gradient norm before clipping.
    pub mlm: f64,
    /// Ratio loss.
    pub ratio: f64,
    /// Bases per boundary.
    pub compression: f64,
    /// Gradient norm before clipping.
    pub grad_norm: f64,
    /// Masked loss and bases per boundary on held-out windows, where measured.
    pub validation: Option<(f64, f64)>,
    /// Bases per second since the row before.
    pub bases_per_s: f64,
}

const HEADER: &str = "step\tbases\tlr\tmlm_nats\tratio\tcompression\tgrad_norm\tvalidation_mlm_nats\tvalidation_compression\tbases_per_s";

impl Metrics {
    fn line(&self) -> String {
        let (mlm, compression) = self.validation.map_or((String::new(), String::new()), |(m, c)| (format!("{m:.5}"), format!("{c:.3}")));
        format!(
            "{}\t{}\t{:.6e}\t{:.5}\t{:.5}\t{:.3}\t{:.4}\t{mlm}\t{compression}\t{:.0}",
            self.step, self.bases, self.lr, self.mlm, self.ratio, self.compression, self.grad_norm, self.bases_per_s
        )
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All steps were made.
    Finished,
    /// It was asked to stop after this many steps, and left a checkpoint.
    Stopped(u64),
}

/// A run in its folder: `training.safetensors` (weights, moments, step), `metrics.tsv`, and at the end `model.safetensors`.
pub struct Run {
    recipe: Recipe,
    config: Config,
    corpus: Corpus,
    /// The model's tensors, which the optimizer changes in place.
    tensors: BTreeMap<String, Tensor>,
    model: LdarNet,
    optimizer: Optimizer,
    /// The batches of the next step.
    ready: Option<Vec<Batch>>,
    folder: PathBuf,
}

impl Run {
    /// Starts in `folder`, or goes on from the checkpoint there, on a device and there in a precision (see [`LdarNet::set_training_precision`]).
    ///
    /// # Errors
    /// The folder holds a run and `resume` is false; or `resume` is true and it holds none, or one of another recipe.
    pub fn open(recipe: Recipe, folder: &Path, resume: bool, device: &Device, precision: Precision) -> Result<Run> {
        let state_path = folder.join("training.safetensors");
        if !resume && state_path.exists() {
            return Err(Error::file(folder, "already holds a training run: continue it with --resume, or choose another --out"));
        }
        if resume && !state_path.exists() {
            return Err(Error::file(folder, "holds no training.safetensors to resume from: leave out --resume to start"));
        }
        let config = recipe.config()?;
        let corpus = Corpus::open(&recipe.data)?;
        let state = if resume { Some(load_tensors(&state_path)?) } else { None };
        let weights: BTreeMap<String, Tensor> = match &state {
            Some((tensors, notes)) => {
                if notes.get("data") != Some(&format!("{:016x}", corpus.digest())) {
                    return Err(Error::file(&state_path, "was trained on other sequence: resume with the FASTA files it was started with"));
                }
                if notes.get("recipe") != Some(&recipe_text(&recipe)?) {
                    return Err(Error::file(&state_path, "belongs to another recipe: resume with the recipe it was started with"));
                }
                let weight = |(name, tensor): (&String, &Tensor)| Some((name.strip_prefix("w.")?.to_string(), tensor.clone()));
                tensors.iter().filter_map(weight).collect()
            }
            None => {
                let mut fresh = Fresh::new(recipe.seed);
                LdarNet::new(&config, &mut fresh)?;
                fresh.tensors
            }
        };
        let tensors = trainable(&weights, device)?;
        let mut model = LdarNet::new(&config, &mut Loaded::new(tensors.clone()))?;
        model.set_training_precision(precision)?;
        let mut optimizer = Optimizer::new(recipe.adamw(&config), &tensors, config.stages.len())?;
        if let Some((tensors, notes)) = &state {
            let step = notes.get("step").and_then(|s| s.parse().ok());
            let step = step.ok_or_else(|| Error::file(&state_path, "does not say at which step it was written"))?;
            optimizer.restore(tensors, step)?;
        }
        Ok(Run { recipe, config, corpus, tensors, model, optimizer, ready: None, folder: folder.to_path_buf() })
    }

    /// Steps made so far.
    pub fn step(&self) -> u64 {
        self.optimizer.step
    }

    /// The training data.
    pub fn corpus(&self) -> &Corpus {
        &self.corpus
    }

    fn bases_per_step(&self) -> u64 {
        (self.recipe.run.batch * self.recipe.data.length) as u64
    }

    /// Trains to the end of the recipe, or until `stop` says so. `report` is told every row of the metrics.
    pub fn train(&mut self, stop: &dyn Fn() -> bool, report: &mut dyn FnMut(&Metrics)) -> Result<Ending> {
        let steps = self.recipe.run.steps;
        let mut table = MetricsTable::open(&self.folder.join("metrics.tsv"), self.step())?;
        let validation = self.corpus.holdout_windows(self.recipe.run.validation_windows);
        let (mut row, mut rows, mut since) = (Metrics::default(), 0_u64, Instant::now());
        while self.step() < steps {
            if stop() {
                self.checkpoint()?;
                return Ok(Ending::Stopped(self.step()));
            }
            self.one_step(&mut row)?;
            rows += 1;
            let (run, step) = (&self.recipe.run, self.step());
            let validate = step % run.validate_every == 0 || step == steps;
            if step % run.log_every == 0 || validate {
                let seconds = since.elapsed().as_secs_f64();
                let n = rows as f64;
                let mut done = Metrics {
                    step,
                    bases: step * self.bases_per_step(),
                    lr: row.lr,
                    mlm: row.mlm / n,
                    ratio: row.ratio / n,
                    compression: row.compression / n,
                    grad_norm: row.grad_norm / n,
                    validation: None,
                    bases_per_s: n * self.bases_per_step() as f64 / seconds,
                };
                if validate && !validation.is_empty() {
                    let mut rng = Rng::new(self.recipe.seed).derive("validation");
                    done.validation = Some(masked_loss(&self.model, &validation, &self.recipe, &mut rng)?);
                }
                table.add(&done)?;
                report(&done);
                (row, rows, since) = (Metrics::default(), 0, Instant::now());
            }
            if step % self.recipe.run.checkpoint_every == 0 || step == steps {
                self.checkpoint()?;
            }
        }
        self.save_model(&self.folder.join("model.safetensors"))?;
        Ok(Ending::Finished)
    }

    /// Makes one step, while another thread draws the windows of the next.
    fn one_step(&mut self, row: &mut Metrics) -> Result<()> {
        let step = self.step();
        let (corpus, recipe) = (&self.corpus, &self.recipe);
        let batches = self.ready.take().unwrap_or_else(|| batches_of(corpus, recipe, step));
        let (model, optimizer) = (&self.model, &mut self.optimizer);
        let next = std::thread::scope(|scope| {
            let next = scope.spawn(|| batches_of(corpus, recipe, step + 1));
            learn(model, optimizer, recipe, &batches, row)?;
            next.join().map_err(|_| Error::Invalid("the thread that draws windows failed".into()))
        })?;
        self.ready = Some(next);
        Ok(())
    }

    fn checkpoint(&self) -> Result<()> {
        let mut tensors = self.optimizer.state()?;
        tensors.extend(on(&self.tensors, &Device::Cpu)?.into_iter().map(|(name, tensor)| (format!("w.{name}"), tensor)));
        let notes = BTreeMap::from([
            ("step".to_string(), self.step().to_string()),
            ("recipe".to_string(), recipe_text(&self.recipe)?),
            ("data".to_string(), format!("{:016x}", self.corpus.digest())),
        ]);
        save_tensors(&self.folder.join("training.safetensors"), &tensors, notes)
    }

    /// Writes the model alone.
    fn save_model(&self, path: &Path) -> Result<()> {
        let notes = BTreeMap::from([
            ("step".to_string(), self.step().to_string()),
            ("bases_seen".to_string(), (self.step() * self.bases_per_step()).to_string()),
            ("train_length".to_string(), self.recipe.data.length.to_string()),
            ("recipe".to_string(), recipe_text(&self.recipe)?),
        ]);
        Checkpoint { config: self.config.clone(), tensors: on(&self.tensors, &Device::Cpu)?, notes }.save(path)
    }
}

/// The masked micro-batches of a step; they follow from the recipe's seed and the step alone.
fn batches_of(corpus: &Corpus, recipe: &Recipe, step: u64) -> Vec<Batch> {
    let mut rng = Rng::new(recipe.seed).derive("step").derive_number(step);
    let windows = corpus.training_windows(recipe.run.batch, recipe.data.reverse_complement, &mut rng);
    windows.chunks(recipe.run.micro_batch).map(|windows| mask(windows.to_vec(), &recipe.masking, &mut rng)).collect()
}

/// Forward, backward and update on the micro-batches of a step.
fn learn(model: &LdarNet, optimizer: &mut Optimizer, recipe: &Recipe, batches: &[Batch], row: &mut Metrics) -> Result<()> {
    let step = optimizer.step;
    let micro_batches = recipe.run.batch / recipe.run.micro_batch;
    let objective = recipe.objective();
    let mut sums = Gradients::default();
    for Batch { inputs, targets } in batches {
        let loss = objective.loss(model, inputs, targets)?;
        if !loss.mlm.is_finite() {
            return Err(Error::Invalid(format!("the loss is {} at step {}: lower the learning rate", loss.mlm, step + 1)));
        }
        row.mlm += loss.mlm / micro_batches as f64;
        row.ratio += loss.ratio / micro_batches as f64;
        row.compression += loss.compression / micro_batches as f64;
        optimizer.accumulate(&loss.backward()?, &mut sums)?;
    }
    row.lr = recipe.optimizer.lr * recipe.optimizer.schedule.factor(step, recipe.run.steps);
    row.grad_norm += optimizer.step(&sums, micro_batches, row.lr)?;
    Ok(())
}

/// The recipe as text, by file names only: the same recipe started from another folder is the same.
fn recipe_text(recipe: &Recipe) -> Result<String> {
    let mut recipe = recipe.clone();
    for path in &mut recipe.data.fasta {
        if let Some(name) = path.file_name() {
            *path = PathBuf::from(name);
        }
    }
    toml::to_string(&recipe).map_err(|e| Error::Invalid(format!("the recipe cannot be written down: {e}")))
}

/// The metrics file; on resumption, rows of steps that were lost are dropped.
struct MetricsTable {
    path: PathBuf,
    file: std::fs::File,
}

impl MetricsTable {
    fn open(path: &Path, step: u64) -> Result<Self> {
        let before = if step == 0 { String::new() } else { std::fs::read_to_string(path).unwrap_or_default() };
        let kept = |line: &&str| line.split('\t').next().and_then(|s| s.parse::<u64>().ok()).is_some_and(|s| s <= step);
        write_atomic(path, |file| {
            writeln!(file, "{HEADER}")?;
            before.lines().filter(kept).try_for_each(|line| writeln!(file, "{line}"))
        })?;
        let file = std::fs::OpenOptions::new().append(true).open(path).map_err(Error::io(path))?;
        Ok(MetricsTable { path: path.to_path_buf(), file })
    }

    fn add(&mut self, row: &Metrics) -> Result<()> {
        writeln!(self.file, "{}", row.line()).map_err(Error::io(&self.path))
    }
}

#[cfg(test)]
mod tests;
