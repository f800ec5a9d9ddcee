//! The options that say which model is fine-tuned and how, and the trainings themselves.

use super::answers::Origin;
use super::compute::Compute;
use super::progress::Bar;
use super::router::RouterOption;
use super::source;
use crate::error::{Error, Result};
use crate::model::device::{self, Device};
use crate::model::head::Pooling;
use crate::model::{Config, Precision};
use crate::pipelines::Progress;
use crate::report::provenance::Input;
use crate::report::shard::Model;
use crate::tasks::judge::{LDARNET, RANDOM};
use crate::tasks::{EpochRow, Partition, Task};
use crate::train::finetune::protocol::{Monitor, Schedule, Trained};
use crate::train::finetune::reader::SequenceReader;
use crate::train::finetune::{Job, Outcome, Protocol, Start, Told};
use clap::ValueEnum;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// The options.
#[derive(Clone, Debug, clap::Args)]
pub struct TrainingOptions {
    /// Model to start from: the authors' .pt, or safetensors; or ldarnet-110m (see fetch) [default:
    /// bundled]
    #[arg(long, value_name = "FILE", value_parser = source::path_of("checkpoint"), help_heading = "Model")]
    checkpoint: Option<PathBuf>,
    /// Start from random weights of this configuration
    #[arg(long, value_name = "NAME", value_parser = ["110m", "2m"], conflicts_with = "checkpoint", help_heading = "Model")]
    config: Option<String>,
    /// Train the same architecture from random weights too
    #[arg(long, conflicts_with = "config", help_heading = "Model")]
    random: bool,
    #[command(flatten)]
    router: RouterOption,
    /// Train the head alone, on what the model gives (a linear probe)
    #[arg(long, help_heading = "Model")]
    freeze: bool,
    /// Train the head and the last N blocks alone
    #[arg(
        long,
        value_name = "N",
        conflicts_with = "freeze",
        help_heading = "Model"
    )]
    last_blocks: Option<usize>,
    /// What the head reads of the last hidden state [default: mean]
    #[arg(long, value_name = "HOW", value_enum, help_heading = "Model")]
    pooling: Option<Pooling>,
    /// Train on either strand by chance, and give the mean of both strands' scores
    #[arg(long, help_heading = "Model")]
    rc: bool,
    /// Numbers of a training: those of the authors for the Nucleotide Transformer tasks; those of
    /// Caduceus for Genomic Benchmarks; a few epochs at a constant rate. The options below replace
    /// one each
    #[arg(
        long,
        value_name = "NAME",
        value_enum,
        default_value = "short",
        help_heading = "Training"
    )]
    protocol: ProtocolChoice,
    /// Learning rate
    #[arg(long, value_name = "RATE", help_heading = "Training")]
    rate: Option<f64>,
    /// Factor on the learning rate of the head
    #[arg(long, value_name = "FACTOR", help_heading = "Training")]
    head_rate: Option<f64>,
    /// AdamW: decay rates of the two moments
    #[arg(
        long,
        value_name = "B1,B2",
        value_delimiter = ',',
        num_args = 2,
        help_heading = "Training"
    )]
    betas: Option<Vec<f64>>,
    /// AdamW: added to the root of the second moment
    #[arg(long, value_name = "EPS", help_heading = "Training")]
    eps: Option<f64>,
    /// AdamW: weight decay, not of biases and norms
    #[arg(long, value_name = "SHARE", help_heading = "Training")]
    weight_decay: Option<f64>,
    /// The gradient's norm is clipped to this
    #[arg(long, value_name = "NORM", help_heading = "Training")]
    max_grad_norm: Option<f64>,
    /// What the learning rate does: falls as the authors' scheduler made it; falls where the
    /// validation score no longer rises; nothing
    #[arg(long, value_name = "NAME", value_enum, help_heading = "Training")]
    schedule: Option<Schedule>,
    /// Factor by which the schedule lowers the rate
    #[arg(long, value_name = "FACTOR", help_heading = "Training")]
    factor: Option<f64>,
    /// Epochs without a better score that the schedule bears
    #[arg(long, value_name = "N", help_heading = "Training")]
    patience: Option<u64>,
    /// Epochs, at most
    #[arg(long, value_name = "N", help_heading = "Training")]
    epochs: Option<u64>,
    /// Stop after so many epochs without a better validation score
    #[arg(long, value_name = "N", help_heading = "Training")]
    stop_after: Option<u64>,
    /// Validation score by which the best epoch is chosen: Matthews correlation (of values
    /// Pearson's), accuracy or loss
    #[arg(long, value_name = "SCORE", value_enum, help_heading = "Training")]
    monitor: Option<Monitor>,
    /// Sequences per step
    #[arg(long, value_name = "N", help_heading = "Training")]
    batch: Option<usize>,
    /// Bases per pass through the model; a step of more is made of several passes
    #[arg(long, value_name = "BASES", help_heading = "Training")]
    bases_at_once: Option<usize>,
    /// Run every layer again on the way back instead of keeping what is inside it: slower, in a
    /// fraction of the memory
    #[arg(long, help_heading = "Training")]
    recompute: bool,
    #[command(flatten)]
    compute: Compute,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ProtocolChoice {
    Short,
    Ldarnet,
    Caduceus,
}

impl TrainingOptions {
    /// The numbers of a training.
    ///
    /// # Errors
    /// Numbers that mean nothing, and a score that the task does not have.
    pub fn protocol(&self, regression: bool) -> Result<Protocol> {
        let mut protocol = match self.protocol {
            ProtocolChoice::Short => Protocol::short(),
            ProtocolChoice::Ldarnet => Protocol::ldarnet(),
            ProtocolChoice::Caduceus => Protocol::caduceus(),
        };
        let p = &mut protocol;
        let numbers = [
            (&mut p.rate, self.rate),
            (&mut p.head_rate, self.head_rate),
            (&mut p.eps, self.eps),
            (&mut p.weight_decay, self.weight_decay),
            (&mut p.max_grad_norm, self.max_grad_norm),
            (&mut p.factor, self.factor),
        ];
        numbers
            .into_iter()
            .for_each(|(of, given)| *of = given.unwrap_or(*of));
        let counts = [
            (&mut p.patience, self.patience),
            (&mut p.epochs, self.epochs),
            (&mut p.stop_after, self.stop_after),
        ];
        counts
            .into_iter()
            .for_each(|(of, given)| *of = given.unwrap_or(*of));
        let sizes = [
            (&mut p.batch, self.batch),
            (&mut p.at_once, self.bases_at_once),
        ];
        sizes
            .into_iter()
            .for_each(|(of, given)| *of = given.unwrap_or(*of));
        if let Some([first, second]) = self.betas.as_deref() {
            p.betas = (*first, *second);
        }
        p.schedule = self.schedule.unwrap_or(p.schedule);
        p.monitor = self.monitor.unwrap_or(p.monitor);
        p.pooling = self.pooling.unwrap_or(p.pooling);
        p.trained = match (self.freeze, self.last_blocks) {
            (true, _) => Trained::Head,
            (false, Some(n)) => Trained::LastBlocks(n),
            (false, None) => Trained::All,
        };
        (p.both_strands, p.recompute) = (self.rc, self.recompute);
        if regression && p.monitor == Monitor::Accuracy {
            return Err(Error::Usage(
                "values have no accuracy: choose --monitor correlation or loss".into(),
            ));
        }
        protocol.check()?;
        Ok(protocol)
    }

    /// The record of the file that is started from, which shards know; none of random weights.
    ///
    /// # Errors
    /// A file that cannot be read; shards without a checkpoint.
    pub fn input(&self, origin: &Origin) -> Result<Option<Input>> {
        match self.config {
            Some(_) => Ok(None),
            None => origin
                .checkpoint(0, || source::checkpoint_input(self.checkpoint.as_deref()))
                .map(Some),
        }
    }

    /// How positions are kept, where it was asked for.
    pub fn router(&self) -> RouterOption {
        self.router
    }

    /// The models' names in tables.
    pub fn names(&self) -> &'static [&'static str] {
        match (&self.config, self.random) {
            (Some(_), _) => &[RANDOM],
            (None, true) => &[LDARNET, RANDOM],
            (None, false) => &[LDARNET],
        }
    }

    /// Opens the models, in the order of their names, and what runs them.
    ///
    /// # Errors
    /// A file that is no model; a device that is not there.
    pub fn open(&self) -> Result<Models> {
        let device = self.compute.device()?;
        let precision = self.compute.training_precision(&device)?;
        let starts = match &self.config {
            Some(name) => vec![Start::Random(self.router.config(Config::named(name)?)?)],
            None => {
                let checkpoint = self
                    .router
                    .checkpoint(source::checkpoint(self.checkpoint.as_deref())?)?;
                let random = self
                    .random
                    .then(|| Start::Random(checkpoint.config.clone()));
                std::iter::once(Start::Checkpoint(checkpoint))
                    .chain(random)
                    .collect()
            }
        };
        Ok(Models {
            starts,
            device,
            precision,
        })
    }
}

/// What is fine-tuned, and where.
pub struct Models {
    starts: Vec<Start>,
    device: Device,
    precision: Precision,
}

/// Raised by hand when the same options come to give other weights, or trainings leave more: what
/// earlier versions left is then not gone on with.
const TRAININGS_FORMAT: u32 = 2;

impl Models {
    /// Who is trained, for the record of a shard.
    pub fn record(&self, input: Option<&Input>) -> Model {
        let arithmetic = if self.device.is_cpu() {
            Precision::F32.arithmetic()
        } else {
            self.precision.on_device(true)
        };
        let from = input.map_or("random weights".into(), |input| {
            format!("checkpoint {}", input.sha256)
        });
        let (trained_length, facts) = match &self.starts[..] {
            [Start::Checkpoint(checkpoint), ..] => {
                (checkpoint.trained_length(), source::model_facts(checkpoint))
            }
            [Start::Random(config), ..] => (None, json!({"config": config.json})),
            [] => (None, Value::Null),
        };
        let answers = format!("trainings {TRAININGS_FORMAT}, {from}, {arithmetic}");
        Model {
            answers,
            dtype: arithmetic.to_string(),
            device: device::name(&self.device),
            trained_length,
            facts,
        }
    }
}

/// The trainings of a run: every model on every partition.
pub struct Trainings<'a> {
    pub task: &'a Task,
    /// The models' names in tables.
    pub names: &'a [&'static str],
    pub protocol: &'a Protocol,
    /// What decides the result, as text.
    pub about: &'a str,
}

impl<'a> Trainings<'a> {
    /// In order: the number of the model, and the rows.
    fn list(&self) -> Vec<(usize, &'a Partition)> {
        let of = |model: usize| {
            self.task
                .partitions
                .iter()
                .map(move |partition| (model, partition))
        };
        (0..self.names.len()).flat_map(of).collect()
    }

    /// Runs those that `chosen` names by number, or takes what an earlier run left in `folder`.
    ///
    /// # Errors
    /// Those of a training.
    pub fn run(
        &self,
        models: &Models,
        folder: &Path,
        chosen: impl Fn(usize) -> bool,
        bar: &Bar,
    ) -> Result<Vec<Outcome>> {
        let Trainings {
            task,
            names,
            protocol,
            about,
        } = *self;
        let list: Vec<_> = self
            .list()
            .into_iter()
            .enumerate()
            .filter(|(number, _)| chosen(*number))
            .map(|(_, one)| one)
            .collect();
        let mut reader = SequenceReader::new(task);
        let bases = |partition: &Partition| {
            (reader.bases(&partition.train) + reader.bases(&partition.valid)) as u64
        };
        let sizes: Vec<u64> = list
            .iter()
            .map(|(_, partition)| protocol.epochs * bases(partition))
            .collect();
        let (total, mut before, mut outcomes) = (sizes.iter().sum::<u64>(), 0, Vec::new());
        for ((model, partition), size) in list.into_iter().zip(sizes) {
            let (start, model, device, precision) = (
                &models.starts[model],
                names[model],
                &models.device,
                models.precision,
            );
            let job = Job {
                task,
                partition,
                start,
                protocol,
                model,
                about,
                folder,
                device,
                precision,
            };
            let mut done = 0;
            let told = &mut |told: Told| {
                match told {
                    Told::Bases(bases) => done += bases as u64,
                    Told::Epoch(row) => bar.note(&line(row)),
                }
                // Epochs that are not needed count as done when the training has ended.
                bar.show(Progress {
                    stage: "fine-tuning",
                    done: before + done.min(size),
                    total,
                });
                Ok(())
            };
            outcomes.push(job.run(&mut reader, told)?);
            before += size;
        }
        Ok(outcomes)
    }

    /// What finished trainings left in some folders.
    ///
    /// # Errors
    /// A training that is in none of them.
    pub fn gather(&self, folders: &[PathBuf]) -> Result<Vec<Outcome>> {
        let Trainings {
            task,
            names,
            protocol,
            about,
        } = *self;
        let find = |(model, partition): (usize, &'a Partition)| {
            let model = names[model];
            for folder in folders {
                if let Some(outcome) =
                    Outcome::read(folder, (task, partition), model, protocol, about)?
                {
                    return Ok(outcome);
                }
            }
            let Partition { fold, seed, .. } = partition;
            Err(Error::Invalid(format!(
                "no shard holds the training of {model} on fold {fold} with seed {seed}: run its shard again"
            )))
        };
        self.list().into_iter().map(find).collect()
    }
}

/// An epoch in a line.
fn line(row: &EpochRow) -> String {
    let score = if row.valid_accuracy.is_nan() {
        "Pearson r"
    } else {
        "MCC"
    };
    format!(
        "{} fold {} seed {} epoch {}: loss {:.4}, validation loss {:.4}, {score} {:.4}, rate {:.1e}, {:.0} bases/s",
        row.model,
        row.fold,
        row.seed,
        row.epoch,
        row.train_loss,
        row.valid_loss,
        row.valid_score,
        row.rate,
        row.bases_per_second
    )
}
