//! What an analysis reads: a model, or a track from bigWig files.

use super::compute::Compute;
use super::source;
use crate::error::{Error, Result};
use crate::genome::fasta::{Contig, Genome};
use crate::model::{Checkpoint, LdarNet};
use crate::pipelines::BoundarySource;
use crate::pipelines::ldarnet::Router;
use crate::pipelines::signal::{Missing, Signal};
use crate::pipelines::store::Part;
use crate::report::provenance::Input;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The options.
#[derive(Clone, Debug, clap::Args)]
pub struct Reads {
    /// Model: the authors' .pt, or safetensors; or ldarnet-110m (see fetch) [default: bundled]
    #[arg(long, value_name = "FILE", value_parser = source::path_of("checkpoint"))]
    checkpoint: Option<PathBuf>,
    /// Read this track in place of a model, a number for each base; with --signal-minus it is that of the plus strand
    #[arg(long, value_name = "BIGWIG", conflicts_with_all = ["checkpoint", "dtype", "device"], help_heading = "Signal")]
    signal: Option<PathBuf>,
    /// The track of the minus strand
    #[arg(long, value_name = "BIGWIG", requires = "signal", help_heading = "Signal")]
    signal_minus: Option<PathBuf>,
    /// What bases without a value in the track are
    #[arg(long, value_enum, default_value = "unknown", requires = "signal", help_heading = "Signal")]
    signal_missing: MissingChoice,
    #[command(flatten)]
    compute: Compute,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum MissingChoice {
    /// Unknown: sites and controls whose window holds one are not used
    Unknown,
    /// Zero, as in tracks of coverage
    Zero,
}

/// What was opened.
pub enum Opened {
    /// A model.
    Model {
        /// Its file.
        checkpoint: Checkpoint,
        /// The network.
        model: LdarNet,
    },
    /// A track.
    Signal(Signal),
}

impl Reads {
    /// Whether a track is read.
    pub fn is_signal(&self) -> bool {
        self.signal.is_some()
    }

    /// Refuses to go on with what a track cannot answer: `name` is the control as typed.
    pub fn refuse_for_signal(&self, name: &str) -> Result<()> {
        match self.is_signal() {
            true => Err(Error::Usage(format!("{name} needs a model: a track has no values for shuffled letters"))),
            false => Ok(()),
        }
    }

    /// Refuses to cut into parts what costs nothing.
    pub fn refuse_shards_of_signal(&self, part: Option<Part>) -> Result<()> {
        match self.is_signal() && part.is_some() {
            true => Err(Error::Usage("--shard is for models: a track is read in no time".into())),
            false => Ok(()),
        }
    }

    /// Opens the model's file; `None` for a track.
    pub fn checkpoint(&self) -> Result<Option<Checkpoint>> {
        if self.is_signal() { Ok(None) } else { source::checkpoint(self.checkpoint.as_deref()).map(Some) }
    }

    /// Makes ready what will be read on a genome.
    pub fn open(&self, checkpoint: Option<Checkpoint>, genome: &Genome) -> Result<Opened> {
        let Some(checkpoint) = checkpoint else {
            return Ok(Opened::Signal(self.signal(genome.contigs())?));
        };
        let model = self.compute.model(&checkpoint, &self.compute.device()?)?;
        Ok(Opened::Model { checkpoint, model })
    }

    fn signal(&self, contigs: &[Contig]) -> Result<Signal> {
        let missing = match self.signal_missing {
            MissingChoice::Unknown => Missing::Unknown,
            MissingChoice::Zero => Missing::Zero,
        };
        let plus = self.signal.as_deref().unwrap_or(Path::new(""));
        Signal::open(plus, self.signal_minus.as_deref(), missing, contigs)
    }

    /// The files.
    pub fn inputs(&self) -> Result<Vec<Input>> {
        let Some(signal) = &self.signal else {
            return Ok(vec![source::checkpoint_input(self.checkpoint.as_deref())?]);
        };
        let mut inputs = vec![Input::file("signal", signal)?];
        if let Some(minus) = &self.signal_minus {
            inputs.push(Input::file("signal of minus", minus)?);
        }
        Ok(inputs)
    }
}

impl Opened {
    /// Hands what pipelines read to `run`.
    pub fn with<T>(&self, run: impl FnOnce(&dyn BoundarySource) -> Result<T>) -> Result<T> {
        match self {
            Opened::Model { model, .. } => run(&Router::new(model, 0)?),
            Opened::Signal(signal) => run(signal),
        }
    }

    /// The model's precision and what runs it; a track is f32.
    pub fn dtype(&self) -> String {
        match self {
            Opened::Model { model, .. } => model.arithmetic().to_string(),
            Opened::Signal(_) => "f32".into(),
        }
    }

    /// What `run.json` says of the model; null for a track.
    pub fn facts(&self) -> Value {
        match self {
            Opened::Model { checkpoint, .. } => source::model_facts(checkpoint),
            Opened::Signal(_) => Value::Null,
        }
    }
}
