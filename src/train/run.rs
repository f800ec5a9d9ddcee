//! The training loop: steps, metrics, held-out loss, checkpoints, resumption.

use super::data::{Batch, Corpus, Fnv, mask};
use super::evaluate::masked_loss;
use super::optimizer::{Gradients, Optimizer, trainable};
use super::ranks::Ranks;
use super::recipe::{Recipe, RunRecipe};
use super::reduction::Reduction;
use crate::kernels::cuda;
use crate::kernels::tape::Grads;
use crate::memory;
use crate::model::checkpoint::{Checkpoint, at, is_ours, load_tensors, notes, on, save_tensors};
use crate::model::fresh::Fresh;
use crate::model::weights::Loaded;
use crate::model::{Config, LdarNet, Precision};
use crate::output::{check_file, write_atomic};
use crate::stats::rng::Rng;
use crate::{Error, Result};
use candle_core::{Device, Tensor};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Instant;

/// One row of the metrics table. It is the same whether the run was resumed or not, but for the
/// speed.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// Steps made.
    pub step: u64,
    /// Bases seen.
    pub bases: u64,
    /// Base learning rate of the last step.
    pub lr: f64,
    /// Mean over the steps since the row before: masked loss in nats, ratio loss, bases per
    /// boundary, gradient norm before clipping.
    pub mlm: f64,
    /// Ratio loss.
    pub ratio: f64,
    /// Bases per boundary.
    pub compression: f64,
    /// Gradient norm before clipping.
    pub grad_norm: f64,
    /// Operations of a forward pass per base, from the positions that were kept.
    pub flops_per_base: f64,
    /// Masked loss and bases per boundary on held-out windows, where measured; the loss is `NaN`
    /// where no position of theirs was masked.
    pub validation: Option<(f64, f64)>,
    /// Bases per second since the row before.
    pub bases_per_s: f64,
}

/// The first line of the table, as [`Metrics`] are written.
const HEADER: &str = "step\tbases\tlr\tmlm_nats\tratio\tcompression\tgrad_norm\tvalidation_mlm_nats\tvalidation_compression\tflops_per_base\tbases_per_s";

impl Metrics {
    fn read(line: &str) -> Option<Metrics> {
        let fields: Vec<&str> = line.split('\t').collect();
        let number = |i: usize| match *fields.get(i)? {
            "" => Some(f64::NAN),
            text => text.parse().ok(),
        };
        let validation = (number(7)?, number(8)?);
        Some(Metrics {
            step: fields.first()?.parse().ok()?,
            bases: fields.get(1)?.parse().ok()?,
            lr: number(2)?,
            mlm: number(3)?,
            ratio: number(4)?,
            compression: number(5)?,
            grad_norm: number(6)?,
            flops_per_base: number(9)?,
            validation: (!validation.1.is_nan()).then_some(validation),
            bases_per_s: number(10)?,
        })
    }

    fn line(&self) -> String {
        let known = |value: f64, digits: usize| {
            if value.is_nan() {
                String::new()
            } else {
                format!("{value:.digits$}")
            }
        };
        let (mlm, compression) = self
            .validation
            .map_or((String::new(), String::new()), |(m, c)| {
                (known(m, 5), known(c, 3))
            });
        format!(
            "{}\t{}\t{:.6e}\t{:.5}\t{:.5}\t{:.3}\t{:.4}\t{mlm}\t{compression}\t{:.0}\t{:.0}",
            self.step,
            self.bases,
            self.lr,
            self.mlm,
            self.ratio,
            self.compression,
            self.grad_norm,
            self.flops_per_base,
            self.bases_per_s
        )
    }
}

/// The metrics of the run in a folder, by rising steps.
///
/// # Errors
/// A table that cannot be read, or is not one of a run.
pub fn metrics(folder: &Path) -> Result<Vec<Metrics>> {
    let path = folder.join(METRICS);
    let text = std::fs::read_to_string(&path).map_err(Error::io(&path))?;
    let rows: Option<Vec<Metrics>> = match text.split_once('\n') {
        Some((HEADER, rows)) => rows.lines().map(Metrics::read).collect(),
        _ => None,
    };
    rows.ok_or_else(|| {
        Error::file(
            &path,
            "is not the metrics.tsv of a training run: it is damaged, or of another version",
        )
    })
}

/// Sums over the steps since the last row of the table; a checkpoint keeps them, so that a resumed
/// run writes the same rows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Since {
    steps: u64,
    mlm: f64,
    ratio: f64,
    compression: f64,
    grad_norm: f64,
    flops_per_base: f64,
    seconds: f64,
}

impl Since {
    /// Bit for bit, as text.
    fn to_text(self) -> String {
        let Since {
            steps,
            mlm,
            ratio,
            compression,
            grad_norm,
            flops_per_base,
            seconds,
        } = self;
        let bits = [mlm, ratio, compression, grad_norm, flops_per_base, seconds]
            .map(|sum| format!(" {:016x}", sum.to_bits()))
            .concat();
        format!("{steps}{bits}")
    }

    fn from_text(text: &str) -> Option<Since> {
        let mut words = text.split(' ');
        let steps = words.next()?.parse().ok()?;
        let mut sum = || {
            u64::from_str_radix(words.next()?, 16)
                .ok()
                .map(f64::from_bits)
        };
        Some(Since {
            steps,
            mlm: sum()?,
            ratio: sum()?,
            compression: sum()?,
            grad_norm: sum()?,
            flops_per_base: sum()?,
            seconds: sum()?,
        })
    }
}

/// A run that goes on for more steps than it was started for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lengthened {
    /// Steps of the recipe before.
    pub from: u64,
    /// Base learning rate of the next step by the schedule of those.
    pub lr_before: f64,
    /// That by the schedule that holds now.
    pub lr: f64,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All steps were made.
    Finished,
    /// It was asked to stop after this many steps, and left a checkpoint.
    Stopped(u64),
}

/// How far the run in a folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// There is none.
    Fresh,
    /// It was begun, and can be resumed, if it is of the recipe.
    Begun,
    /// It is of the recipe and of its sequence, and its model is there.
    Finished,
}

/// How far the run of a recipe is in a folder; `digest` is that of its sequence
/// ([`Corpus::digest`]).
pub fn standing(recipe: &Recipe, digest: u64, folder: &Path) -> Standing {
    let Some(state) = notes(&folder.join(STATE)) else {
        return Standing::Fresh;
    };
    let steps = recipe.run.steps;
    let of_model = notes(&folder.join(MODEL)).and_then(|notes| notes.get("step")?.parse().ok());
    let whole = of_model == Some(steps)
        && State::read(&state, recipe, digest).is_ok_and(|state| state.step == steps);
    match whole {
        true => Standing::Finished,
        false => Standing::Begun,
    }
}

/// A run in its folder: `training.safetensors` (weights, moments, step), `metrics.tsv`, and at the
/// end `model.safetensors`.
pub struct Run {
    recipe: Recipe,
    config: Config,
    corpus: Corpus,
    /// The model's tensors, which the optimizer changes in place.
    tensors: BTreeMap<String, Tensor>,
    model: LdarNet,
    optimizer: Optimizer,
    /// Micro-batches that run beside each other.
    beside: usize,
    ranks: Rc<Ranks>,
    reduction: Reduction,
    /// This rank's batches of the next step.
    ready: Option<Vec<Batch>>,
    since: Since,
    /// Each schedule that steps were made by: the step it began at, its length.
    schedules: Vec<(u64, u64)>,
    folder: PathBuf,
}

impl Run {
    /// Starts in `folder`, or goes on from the checkpoint there, on a device and there in a
    /// precision (see [`LdarNet::set_training_precision`]).
    ///
    /// A resumed run may log, measure and save at other steps, recompute or not, and have more
    /// steps than before (see [`Run::lengthened`]): none of these changes the steps that were made.
    ///
    /// # Errors
    /// The folder holds a run and `resume` is false; or `resume` is true and it holds none, or one
    /// of another recipe; files that are not of such a run; a recipe that asks for more memory than
    /// there is.
    pub fn open(
        recipe: Recipe,
        folder: &Path,
        resume: bool,
        device: &Device,
        precision: Precision,
    ) -> Result<Run> {
        let state_path = folder.join(STATE);
        check_folder(folder, resume, &recipe)?;
        let config = recipe.config()?;
        if let (needed, Some(total)) = (
            recipe.least_memory_bytes(&config, device.is_cpu())?,
            memory::total_bytes(),
        ) && needed > u128::from(total)
        {
            let [needed, total] = [needed as f64, total as f64].map(|bytes| bytes / 1e9);
            let what = format!(
                "recipe: it takes {needed:.0} GB of memory at least, and this machine has {total:.0} GB"
            );
            return Err(Error::Invalid(format!(
                "{what}: make the model, data.length or run.micro_batch smaller, or set run.recompute"
            )));
        }
        let corpus = Corpus::open(&recipe.data)?;
        let state = if resume {
            Some(load_tensors(&state_path)?)
        } else {
            None
        };
        let wrong = |e: Error| at(&state_path, e);
        let mut before = State {
            step: 0,
            since: Since::default(),
            schedules: Vec::new(),
        };
        let weights: BTreeMap<String, Tensor> = match &state {
            Some((tensors, notes)) => {
                before = State::read(notes, &recipe, corpus.digest())
                    .map_err(|what| Error::file(&state_path, what))?;
                let weight = |(name, tensor): (&String, &Tensor)| {
                    Some((name.strip_prefix("w.")?.to_string(), tensor.clone()))
                };
                tensors.iter().filter_map(weight).collect()
            }
            None => {
                let mut fresh = Fresh::new(recipe.seed);
                LdarNet::new(&config, &mut fresh)?;
                fresh.tensors
            }
        };
        let tensors = trainable(&weights, device)?;
        let beside = match tensors.values().any(cuda::runs) {
            true => 1,
            false => beside(&recipe, &config)?,
        };
        let mut model = LdarNet::new(&config, &mut Loaded::new(tensors.clone())).map_err(wrong)?;
        model.set_training_precision(precision)?;
        let mut optimizer = Optimizer::new(recipe.adamw(&config), &tensors, config.stages.len())?;
        if let Some((tensors, _)) = &state {
            optimizer.restore(tensors, before.step).map_err(wrong)?;
        }
        let State {
            since,
            mut schedules,
            ..
        } = before;
        if schedules
            .last()
            .is_none_or(|(_, steps)| *steps != recipe.run.steps)
        {
            schedules.push((before.step, recipe.run.steps));
        }
        let folder = folder.to_path_buf();
        Ok(Run {
            recipe,
            config,
            corpus,
            tensors,
            model,
            optimizer,
            beside,
            ranks: Rc::new(Ranks::alone()),
            reduction: Reduction::default(),
            ready: None,
            since,
            schedules,
            folder,
        })
    }

    /// Shares every step with other processes that opened the same run, in a folder that all of
    /// them see. The first rank writes it. However many there are, the steps are the same but for
    /// the rounding of sums.
    ///
    /// # Errors
    /// There are more ranks than micro-batches; their recipes, sequences or weights differ.
    pub fn share(&mut self, ranks: Rc<Ranks>) -> Result<()> {
        let RunRecipe {
            batch, micro_batch, ..
        } = self.recipe.run;
        if ranks.size() > batch / micro_batch {
            return Err(Error::Invalid(format!(
                "recipe: a step of {batch} windows has {} micro-batches, and there are {} ranks: make run.micro_batch smaller, or start fewer",
                batch / micro_batch,
                ranks.size()
            )));
        }
        self.ranks = ranks;
        if self.ranks.size() == 1 {
            return Ok(());
        }
        let mut hash = Fnv::default();
        let recipe = recipe_text(&self.recipe)?;
        recipe.bytes().for_each(|byte| hash.add(u64::from(byte)));
        hash.add(self.corpus.digest());
        hash.add(self.step());
        if !self.ranks.same(hash.value())? {
            return Err(Error::Invalid(
                "the processes are not of one run: start all with the same recipe, sequence and options, in a folder that all of them see".into(),
            ));
        }
        self.check_weights()
    }

    /// Whether all ranks have the same weights, to the bit.
    fn check_weights(&self) -> Result<()> {
        if self.ranks.size() == 1 {
            return Ok(()); // nothing to copy from a device
        }
        let mut hash = Fnv::default();
        for tensor in self.tensors.values() {
            let values = tensor.flatten_all()?.to_vec1::<f32>()?;
            values.iter().for_each(|x| hash.add(u64::from(x.to_bits())));
        }
        match self.ranks.same(hash.value())? {
            true => Ok(()),
            false => Err(Error::Invalid(format!(
                "step {}: the ranks' weights are not the same to the bit: start all with the same program on processors, or GPUs, of one kind",
                self.step()
            ))),
        }
    }

    /// What becomes of the learning rate in a run that was just resumed with more steps.
    pub fn lengthened(&self) -> Option<Lengthened> {
        let [.., (_, from), (at, steps)] = self.schedules[..] else {
            return None;
        };
        let lr =
            |steps| self.recipe.optimizer.lr * self.recipe.optimizer.schedule.factor(at, steps);
        (at == self.step()).then(|| Lengthened {
            from,
            lr_before: lr(from),
            lr: lr(steps),
        })
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

    /// Trains to the end of the recipe, or until `stop` says so on any rank. `report` is told every
    /// row of the metrics.
    pub fn train(
        &mut self,
        stop: &dyn Fn() -> bool,
        report: &mut dyn FnMut(&Metrics),
    ) -> Result<Ending> {
        let steps = self.recipe.run.steps;
        let mut table = match self.ranks.is_first() {
            true => Some(MetricsTable::open(&self.folder.join(METRICS), self.step())?),
            false => None,
        };
        let validation = self
            .corpus
            .holdout_windows(self.recipe.run.validation_windows);
        let mut started = Instant::now();
        while self.step() < steps {
            if self.ranks.any(stop())? {
                self.since.seconds += started.elapsed().as_secs_f64();
                self.checkpoint()?;
                return Ok(Ending::Stopped(self.step()));
            }
            let lr = self.one_step()?;
            let (run, step) = (&self.recipe.run, self.step());
            let validate = step % run.validate_every == 0 || step == steps;
            if step % run.log_every == 0 || validate {
                let seconds = self.since.seconds + started.elapsed().as_secs_f64();
                let since = std::mem::take(&mut self.since);
                let n = since.steps as f64;
                let mut done = Metrics {
                    step,
                    bases: step * self.bases_per_step(),
                    lr,
                    mlm: since.mlm / n,
                    ratio: since.ratio / n,
                    compression: since.compression / n,
                    grad_norm: since.grad_norm / n,
                    flops_per_base: since.flops_per_base / n,
                    validation: None,
                    bases_per_s: n * self.bases_per_step() as f64 / seconds,
                };
                if validate && !validation.is_empty() {
                    let mut rng = Rng::new(self.recipe.seed).derive("validation");
                    done.validation = Some(masked_loss(
                        &self.model,
                        &validation,
                        &self.recipe,
                        &mut rng,
                        &self.ranks,
                    )?);
                }
                if let Some(table) = &mut table {
                    table.add(&done)?;
                }
                report(&done);
                started = Instant::now();
            }
            if step % self.recipe.run.checkpoint_every == 0 || step == steps {
                self.since.seconds += started.elapsed().as_secs_f64();
                started = Instant::now();
                self.checkpoint()?;
            }
        }
        if self.ranks.is_first() {
            self.save_model(&self.folder.join(MODEL))?;
        }
        Ok(Ending::Finished)
    }

    /// Makes one step, while another thread draws the windows of the next. Returns its base
    /// learning rate.
    fn one_step(&mut self) -> Result<f64> {
        let step = self.step();
        let (corpus, recipe) = (&self.corpus, &self.recipe);
        let (rank, ranks) = (self.ranks.rank(), self.ranks.size());
        // All are drawn, so that a step has the same windows and masks however they are shared.
        let own = move |step| {
            let all = batches_of(corpus, recipe, step);
            all.into_iter().skip(rank).step_by(ranks).collect()
        };
        let batches: Vec<Batch> = self.ready.take().unwrap_or_else(|| own(step));
        let mut learner = Learner {
            model: &self.model,
            optimizer: &mut self.optimizer,
            reduction: &mut self.reduction,
            beside: self.beside,
            ranks: &self.ranks,
            since: &mut self.since,
        };
        let (lr, next) = std::thread::scope(|scope| {
            let next = scope.spawn(move || own(step + 1));
            let lr = learner.learn(recipe, batches)?;
            let next = next
                .join()
                .map_err(|_| Error::Invalid("the thread that draws windows failed".into()))?;
            Ok::<_, Error>((lr, next))
        })?;
        self.ready = Some(next);
        Ok(lr)
    }

    fn checkpoint(&self) -> Result<()> {
        self.check_weights()?;
        if !self.ranks.is_first() {
            return Ok(());
        }
        let mut tensors = self.optimizer.state()?;
        tensors.extend(
            on(&self.tensors, &Device::Cpu)?
                .into_iter()
                .map(|(name, tensor)| (format!("w.{name}"), tensor)),
        );
        let notes = BTreeMap::from([
            ("step".to_string(), self.step().to_string()),
            ("recipe".to_string(), recipe_text(&self.recipe)?),
            ("data".to_string(), format!("{:016x}", self.corpus.digest())),
            ("since".to_string(), self.since.to_text()),
            ("schedules".to_string(), self.schedules_text()),
        ]);
        save_tensors(&self.folder.join(STATE), &tensors, notes)
    }

    fn schedules_text(&self) -> String {
        self.schedules
            .iter()
            .map(|(step, steps)| format!("{step}:{steps}"))
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// Writes the model alone.
    fn save_model(&self, path: &Path) -> Result<()> {
        let mut notes = BTreeMap::from([
            ("step".to_string(), self.step().to_string()),
            (
                "bases_seen".to_string(),
                (self.step() * self.bases_per_step()).to_string(),
            ),
            (
                "train_length".to_string(),
                self.recipe.data.length.to_string(),
            ),
            ("recipe".to_string(), recipe_text(&self.recipe)?),
        ]);
        if self.schedules.len() > 1 {
            notes.insert("schedules".into(), self.schedules_text()); // the recipe alone does not tell how it was made
        }
        Checkpoint {
            config: self.config.clone(),
            tensors: on(&self.tensors, &Device::Cpu)?,
            notes,
        }
        .save(path)
    }
}

/// The masked micro-batches of a step; they follow from the recipe's seed and the step alone.
fn batches_of(corpus: &Corpus, recipe: &Recipe, step: u64) -> Vec<Batch> {
    let mut rng = Rng::new(recipe.seed).derive("step").derive_number(step);
    let windows =
        corpus.training_windows(recipe.run.batch, recipe.data.reverse_complement, &mut rng);
    windows
        .chunks(recipe.run.micro_batch)
        .map(|windows| mask(windows.to_vec(), &recipe.masking, &mut rng))
        .collect()
}

/// How many micro-batches run beside each other: as many as there are threads, where half of the
/// memory holds them. Each keeps the gradients of all parameters, and inside of layers about 32
/// times what enters these.
fn beside(recipe: &Recipe, config: &Config) -> Result<usize> {
    let parameters = recipe.least_memory_bytes(config, false)?;
    let kept = recipe.least_memory_bytes(config, true)? - parameters;
    let each = parameters / 4 + 32 * kept;
    let room = memory::total_bytes().map_or(1, |total| u128::from(total) / 2 / each.max(1));
    let micro_batches = recipe.run.batch / recipe.run.micro_batch;
    let most = rayon::current_num_threads().min(micro_batches);
    Ok(usize::try_from(room).unwrap_or(most).clamp(1, most.max(1)))
}

/// What a step changes.
struct Learner<'a> {
    model: &'a LdarNet,
    optimizer: &'a mut Optimizer,
    reduction: &'a mut Reduction,
    beside: usize,
    ranks: &'a Ranks,
    since: &'a mut Since,
}

impl Learner<'_> {
    /// Forward, backward and update on this rank's micro-batches of a step. Returns the step's base
    /// learning rate.
    fn learn(&mut self, recipe: &Recipe, batches: Vec<Batch>) -> Result<f64> {
        let step = self.optimizer.step;
        let micro_batches = recipe.run.batch / recipe.run.micro_batch;
        let objective = recipe.objective();
        let (mut sums, mut seen) = (Gradients::default(), [0.0; 4]);
        let loss_of = |Batch { inputs, targets }: &Batch| {
            let loss = objective.loss(self.model, inputs, targets)?;
            if !loss.mlm.is_finite() {
                return Err(Error::Invalid(format!(
                    "the loss is {} at step {}: lower the learning rate",
                    loss.mlm,
                    step + 1
                )));
            }
            let values = [loss.mlm, loss.ratio, loss.compression, loss.flops_per_base];
            Ok((loss, values))
        };
        let mut see = |values: [f64; 4]| {
            for (sum, value) in seen.iter_mut().zip(values) {
                *sum += value / micro_batches as f64;
            }
        };
        // The gradients of a rank's last micro-batch are summed over all ranks while they are made.
        let (last, before) = match batches.split_last() {
            Some((last, before)) if self.ranks.size() > 1 => (Some(last), before),
            _ => (None, &batches[..]),
        };
        let pass = |batch: &Batch| {
            let (loss, values) = loss_of(batch)?;
            Ok((loss.backward()?, values))
        };
        for round in before.chunks(self.beside) {
            let passes: Vec<(Grads, [f64; 4])> = match round {
                [only] => vec![pass(only)?],
                round => round.par_iter().map(pass).collect::<Result<_>>()?,
            };
            for (grads, values) in passes {
                see(values);
                self.optimizer.accumulate(&grads, &mut sums)?;
            }
        }
        if let Some(last) = last {
            let (loss, values) = loss_of(last)?;
            see(values);
            let before = std::mem::take(&mut sums);
            sums = self
                .reduction
                .sum(self.ranks, self.optimizer, loss, before)?;
        }
        let lr = recipe.optimizer.lr * recipe.optimizer.schedule.factor(step, recipe.run.steps);
        let since = &mut *self.since;
        since.grad_norm += self.optimizer.step(&sums, micro_batches, lr)?;
        let seen = self.ranks.sum(seen.to_vec())?;
        since.mlm += seen[0];
        since.ratio += seen[1];
        since.compression += seen[2];
        since.flops_per_base += seen[3];
        since.steps += 1;
        Ok(lr)
    }
}

/// The files of a run.
const STATE: &str = "training.safetensors";
const METRICS: &str = "metrics.tsv";
const MODEL: &str = "model.safetensors";

/// Refuses a folder whose files of these names are not those of a run.
fn check_folder(folder: &Path, resume: bool, recipe: &Recipe) -> Result<()> {
    let [state, metrics, model] = [STATE, METRICS, MODEL].map(|name| folder.join(name));
    let inputs: Vec<&Path> = recipe.data.fasta.iter().map(PathBuf::as_path).collect();
    let says = |path: &Path, names: &[&str]| {
        notes(path).is_some_and(|notes| names.iter().all(|name| notes.contains_key(*name)))
    };
    let is_model = |path: &Path| is_ours(path) && says(path, &["recipe", "bases_seen"]);
    match (resume, state.exists()) {
        (false, true) => {
            return Err(Error::file(
                folder,
                "already holds a training run: continue it with --resume, or choose another --out",
            ));
        }
        (true, false) => {
            return Err(Error::file(
                folder,
                format!("holds no {STATE} to resume from: leave out --resume to start"),
            ));
        }
        (false, false) if is_model(&model) => {
            return Err(Error::file(
                folder,
                format!("already holds a trained model, {MODEL}: choose another --out"),
            ));
        }
        _ => {}
    }
    check_file(&state, &inputs, |path| {
        says(path, &["step", "recipe", "data"])
    })?;
    check_file(&model, &inputs, |path| resume && is_model(path))?;
    check_file(&metrics, &inputs, |path| {
        let mut head = vec![0; HEADER.len() + 1];
        std::fs::File::open(path)
            .and_then(|mut file| file.read_exact(&mut head))
            .is_ok()
            && head == format!("{HEADER}\n").into_bytes()
    })
}

/// What a run was doing when it was saved, beside its tensors.
struct State {
    step: u64,
    since: Since,
    schedules: Vec<(u64, u64)>,
}

impl State {
    /// Reads the notes of a run that is to go on with `recipe`; the error says what is wrong with
    /// the file.
    fn read(
        notes: &BTreeMap<String, String>,
        recipe: &Recipe,
        digest: u64,
    ) -> Result<State, String> {
        let lacks =
            |name: &str| format!("does not say its '{name}': it is of another version, or damaged");
        let note = |name: &str| notes.get(name).ok_or_else(|| lacks(name));
        if note("data")? != &format!("{digest:016x}") {
            return Err(
                "was trained on other sequence: resume with the FASTA files it was started with"
                    .into(),
            );
        }
        may_go_on(note("recipe")?, recipe)?;
        let step = note("step")?.parse().map_err(|_| lacks("step"))?;
        let since = Since::from_text(note("since")?).ok_or_else(|| lacks("since"))?;
        let schedule = |text: &str| {
            text.split_once(':')
                .and_then(|(step, steps)| Some((step.parse().ok()?, steps.parse().ok()?)))
        };
        let schedules = note("schedules")?
            .split(' ')
            .map(schedule)
            .collect::<Option<_>>()
            .ok_or_else(|| lacks("schedules"))?;
        Ok(State {
            step,
            since,
            schedules,
        })
    }
}

/// Refuses to go on with a recipe that would have made other steps than those that were made. More
/// steps are no such recipe, though their schedule is longer: from here on the learning rate
/// follows it.
fn may_go_on(before: &str, recipe: &Recipe) -> Result<(), String> {
    let mut old: Recipe =
        toml::from_str(before).map_err(|e| format!("holds a recipe that cannot be read: {e}"))?;
    let steps = old.run.steps;
    if recipe.run.steps < steps {
        return Err(format!(
            "was started for {steps} steps: run.steps can grow, not fall to {}",
            recipe.run.steps
        ));
    }
    let RunRecipe {
        batch, micro_batch, ..
    } = old.run;
    old.run = RunRecipe {
        batch,
        micro_batch,
        ..recipe.run.clone()
    };
    let [old, new] = [&old, recipe].map(|recipe| recipe_text(recipe).map_err(|e| e.to_string()));
    let (old, new) = (old?, new?);
    match old.lines().zip(new.lines()).find(|(old, new)| old != new) {
        Some((old, new)) => Err(format!(
            "belongs to another recipe ({old}; here {new}): resume with the recipe it was started with"
        )),
        None if old != new => {
            Err("belongs to another recipe: resume with the recipe it was started with".into())
        }
        None => Ok(()),
    }
}

/// The recipe as text, by file names only: the same recipe started from another folder is the same.
fn recipe_text(recipe: &Recipe) -> Result<String> {
    let mut recipe = recipe.clone();
    for path in &mut recipe.data.fasta {
        if let Some(name) = path.file_name() {
            *path = PathBuf::from(name);
        }
    }
    toml::to_string(&recipe)
        .map_err(|e| Error::Invalid(format!("the recipe cannot be written down: {e}")))
}

/// The metrics file; on resumption, rows of steps that were lost are dropped.
struct MetricsTable {
    path: PathBuf,
    file: std::fs::File,
}

impl MetricsTable {
    fn open(path: &Path, step: u64) -> Result<Self> {
        let before = if step == 0 {
            String::new()
        } else {
            std::fs::read_to_string(path).unwrap_or_default()
        };
        let kept = |line: &&str| {
            line.split('\t')
                .next()
                .and_then(|s| s.parse::<u64>().ok())
                .is_some_and(|s| s <= step)
        };
        write_atomic(path, |file| {
            writeln!(file, "{HEADER}")?;
            before
                .lines()
                .filter(kept)
                .try_for_each(|line| writeln!(file, "{line}"))
        })?;
        let file = std::fs::OpenOptions::new()
            .append(true)
            .open(path)
            .map_err(Error::io(path))?;
        Ok(MetricsTable {
            path: path.to_path_buf(),
            file,
        })
    }

    fn add(&mut self, row: &Metrics) -> Result<()> {
        writeln!(self.file, "{}", row.line()).map_err(Error::io(&self.path))
    }
}

#[cfg(test)]
mod tests;
