//! What an analysis reads: a model, or a track from bigWig files.

use super::answers::Origin;
use super::compute::Compute;
use super::router::RouterOption;
use super::source;
use crate::error::{Error, Result};
use crate::genome::fasta::{Contig, Genome};
use crate::model::{Checkpoint, LdarNet, device};
use crate::pipelines::ldarnet::Router;
use crate::pipelines::signal::{Missing, Signal};
use crate::pipelines::store::{Part, Unopened};
use crate::pipelines::{BoundarySource, Values};
use crate::report::provenance::{Input, Run};
use crate::report::shard::Model;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The options.
#[derive(Clone, Debug, clap::Args)]
pub struct Reads {
    /// Model: the authors' .pt, or safetensors; or ldarnet-110m (see fetch) [default: bundled]
    #[arg(long, value_name = "FILE", value_parser = source::path_of("checkpoint"))]
    checkpoint: Option<PathBuf>,
    /// Read this track in place of a model, a number for each base; with --signal-minus it is that
    /// of the plus strand
    #[arg(long, value_name = "BIGWIG", conflicts_with_all = ["checkpoint", "dtype", "device"], help_heading = "Signal")]
    signal: Option<PathBuf>,
    /// The track of the minus strand
    #[arg(
        long,
        value_name = "BIGWIG",
        requires = "signal",
        help_heading = "Signal"
    )]
    signal_minus: Option<PathBuf>,
    /// What bases without a value in the track are
    #[arg(
        long,
        value_enum,
        default_value = "unknown",
        requires = "signal",
        help_heading = "Signal"
    )]
    signal_missing: Missing,
    #[command(flatten)]
    compute: Compute,
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
    /// Shards of a model, which is not opened.
    Shards(Model),
}

impl Reads {
    /// Whether a track is read.
    pub fn is_signal(&self) -> bool {
        self.signal.is_some()
    }

    /// Refuses to go on with what a track cannot answer: `name` is the control as typed.
    pub fn refuse_for_signal(&self, name: &str) -> Result<()> {
        match self.is_signal() {
            true => Err(Error::Usage(format!(
                "{name} needs a model: a track has no values for shuffled sequence"
            ))),
            false => Ok(()),
        }
    }

    /// Refuses fresh weights where there are none.
    pub fn refuse_untrained_of_signal(&self, untrained: bool) -> Result<()> {
        match self.is_signal() && untrained {
            true => Err(Error::Usage(
                "--reference untrained needs a model: a track has no weights".into(),
            )),
            false => Ok(()),
        }
    }

    /// Refuses to cut into parts what costs nothing.
    pub fn refuse_shards_of_signal(&self, part: Option<Part>) -> Result<()> {
        match self.is_signal() && part.is_some() {
            true => Err(Error::Usage(
                "--shard is for models: a track is read in no time".into(),
            )),
            false => Ok(()),
        }
    }

    /// Opens what can be opened before there is a genome: the model's file. `None` for a track, and
    /// for shards, whose model is not opened.
    pub fn checkpoint(&self, origin: &Origin) -> Result<Option<Checkpoint>> {
        match self.is_signal() || origin.model().is_some() {
            true => Ok(None),
            false => source::checkpoint(self.checkpoint.as_deref()).map(Some),
        }
    }

    /// Makes ready what will be read on a genome.
    pub fn open(
        &self,
        origin: &Origin,
        checkpoint: Option<Checkpoint>,
        genome: &Genome,
    ) -> Result<Opened> {
        match (checkpoint, origin.model()) {
            (Some(checkpoint), _) => {
                let model = self.compute.model(&checkpoint, &self.compute.device()?)?;
                Ok(Opened::Model { checkpoint, model })
            }
            (None, Some(model)) => Ok(Opened::Shards(model.clone())),
            (None, None) => Ok(Opened::Signal(self.signal(genome.contigs())?)),
        }
    }

    /// The architecture of a checkpoint with fresh weights, where it is asked for; of shards nothing
    /// is opened.
    pub fn untrained(
        &self,
        asked: bool,
        origin: &Origin,
        checkpoint: Option<&Checkpoint>,
        seed: u64,
    ) -> Result<Option<Opened>> {
        if !asked {
            return Ok(None);
        }
        let fresh = |checkpoint: &Checkpoint| -> Result<Opened> {
            let checkpoint = checkpoint.untrained(seed)?;
            let model = self.compute.model(&checkpoint, &self.compute.device()?)?;
            Ok(Opened::Model { checkpoint, model })
        };
        Ok(checkpoint
            .map(fresh)
            .transpose()?
            .or_else(|| origin.model().cloned().map(Opened::Shards)))
    }

    fn signal(&self, contigs: &[Contig]) -> Result<Signal> {
        let plus = self.signal.as_deref().unwrap_or(Path::new(""));
        Signal::open(
            plus,
            self.signal_minus.as_deref(),
            self.signal_missing,
            contigs,
        )
    }

    /// The files.
    pub fn inputs(&self, origin: &Origin) -> Result<Vec<Input>> {
        let Some(signal) = &self.signal else {
            return Ok(vec![origin.checkpoint(0, || {
                source::checkpoint_input(self.checkpoint.as_deref())
            })?]);
        };
        let mut inputs = vec![Input::file("signal", signal)?];
        if let Some(minus) = &self.signal_minus {
            inputs.push(Input::file("signal of minus", minus)?);
        }
        Ok(inputs)
    }
}

impl Opened {
    /// A model from its file, or that of shards, which is not opened.
    pub fn model(
        origin: &Origin,
        checkpoint: Option<&Path>,
        router: RouterOption,
        compute: Compute,
    ) -> Result<Opened> {
        if let Some(model) = origin.model() {
            return Ok(Opened::Shards(model.clone()));
        }
        let checkpoint = router.checkpoint(source::checkpoint(checkpoint)?)?;
        let model = compute.model(&checkpoint, &compute.device()?)?;
        Ok(Opened::Model { checkpoint, model })
    }

    /// Says in the record of a run what the model runs in and on; of a track nothing.
    pub fn recorded(&self, run: &mut Run) {
        match self {
            Opened::Model { model, .. } => run.computed(
                &model.arithmetic().to_string(),
                &device::name(model.device()),
            ),
            Opened::Signal(_) => {}
            Opened::Shards(model) => run.computed(&model.dtype, &model.device),
        }
    }

    /// Hands what pipelines read to `run`: of a model, its router of `stage`.
    pub fn with<T>(
        &self,
        stage: usize,
        run: impl FnOnce(&dyn BoundarySource) -> Result<T>,
    ) -> Result<T> {
        match self {
            Opened::Model { model, .. } => run(&Router::new(model, stage)?),
            Opened::Signal(signal) => run(signal),
            Opened::Shards(_) => run(&Unopened(Values::Probabilities)),
        }
    }

    /// Bases the model was given at once in training, where its file says so.
    pub fn trained_length(&self) -> Option<usize> {
        match self {
            Opened::Model { checkpoint, .. } => checkpoint.trained_length(),
            Opened::Signal(_) => None,
            Opened::Shards(model) => model.trained_length,
        }
    }

    /// What `run.json` says of the model; null for a track.
    pub fn facts(&self) -> Value {
        match self {
            Opened::Model { checkpoint, .. } => source::model_facts(checkpoint),
            Opened::Signal(_) => Value::Null,
            Opened::Shards(model) => model.facts.clone(),
        }
    }
}
