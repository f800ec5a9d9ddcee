//! Every number that decides a training, beside the task and the model it starts from.

use crate::kernels::pool::Pooling;
use crate::tasks::EpochRow;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// How a head and a model are trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Protocol {
    /// Learning rate at the start.
    pub rate: f64,
    /// Factor on the learning rate of the head.
    pub head_rate: f64,
    /// Decay rates of the moments.
    pub betas: (f64, f64),
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Decoupled weight decay, of the parameters that [`decays`] names.
    pub weight_decay: f64,
    /// The gradient's norm is clipped to this.
    pub max_grad_norm: f64,
    /// What the learning rate does.
    pub schedule: Schedule,
    /// Factor on the learning rate where the schedule lowers it.
    pub factor: f64,
    /// Epochs that the schedule bears without a better score; it acts on one more.
    pub patience: u64,
    /// Epochs, at most.
    pub epochs: u64,
    /// The training stops after so many epochs without a better validation score.
    pub stop_after: u64,
    /// The validation score.
    pub monitor: Monitor,
    /// Sequences per step.
    pub batch: usize,
    /// Bases per forward and backward pass, at most (a longer sequence alone): steps of more are
    /// made of several, whose gradients are summed.
    pub at_once: usize,
    /// Which weights are trained.
    pub trained: Trained,
    /// How the rows of a sequence become one.
    pub pooling: Pooling,
    /// Train on either strand by chance, and give the mean of both strands' scores.
    pub both_strands: bool,
    /// Run every layer again on the way back instead of keeping what is inside it: slower, in a
    /// fraction of the memory.
    pub recompute: bool,
}

/// What the learning rate does over the epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// PyTorch's "reduce on plateau" that is fed a score which should rise, and waits for it to
    /// fall: as the authors ran it. In effect the rate falls about every third epoch.
    Authors,
    /// The same, waiting for it to rise.
    Plateau,
    /// Nothing.
    Constant,
}

/// The score by which the best epoch is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Monitor {
    /// Matthews correlation; of values Pearson's.
    Correlation,
    /// Accuracy.
    Accuracy,
    /// Loss: the lower the better.
    Loss,
}

/// Which weights are trained, beside the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trained {
    /// All.
    All,
    /// None: a linear probe.
    Head,
    /// Those of so many blocks before the head, and of the final norms behind any of them.
    LastBlocks(usize),
}

/// Whether weight decay shrinks a parameter: the authors' rule, by its name. `A_log`, `D` and
/// `dt_bias` are decayed.
pub fn decays(name: &str) -> bool {
    !(name.ends_with(".bias") || name.contains("norm") || name.contains("ln"))
}

impl Protocol {
    /// The authors' protocol for the Nucleotide Transformer tasks.
    pub fn ldarnet() -> Protocol {
        Protocol {
            rate: 1e-4,
            head_rate: 1.0,
            betas: (0.9, 0.95),
            eps: 1e-8,
            weight_decay: 0.1,
            max_grad_norm: 1.0,
            schedule: Schedule::Authors,
            factor: 0.5,
            patience: 2,
            epochs: 100,
            stop_after: 5,
            monitor: Monitor::Correlation,
            batch: 64,
            at_once: 16_384,
            trained: Trained::All,
            pooling: Pooling::Mean,
            both_strands: false,
            recompute: false,
        }
    }

    /// A few epochs at a constant rate, for a first look: minutes on two cores.
    pub fn short() -> Protocol {
        Protocol {
            rate: 1e-3,
            schedule: Schedule::Constant,
            epochs: 4,
            batch: 32,
            ..Protocol::ldarnet()
        }
    }

    /// The nearest published protocol for Genomic Benchmarks, Caduceus'; optimizer and head are
    /// those of [`Protocol::ldarnet`].
    pub fn caduceus() -> Protocol {
        Protocol {
            rate: 1e-3,
            schedule: Schedule::Constant,
            epochs: 10,
            stop_after: 10,
            monitor: Monitor::Accuracy,
            batch: 128,
            ..Protocol::ldarnet()
        }
    }

    /// The validation score of an epoch, the higher the better.
    pub fn score(&self, row: &EpochRow) -> f64 {
        match self.monitor {
            Monitor::Correlation => row.valid_score,
            Monitor::Accuracy => row.valid_accuracy,
            Monitor::Loss => -row.valid_loss,
        }
    }

    /// Refuses numbers that mean nothing.
    ///
    /// # Errors
    /// The first of them is named.
    pub fn check(&self) -> Result<()> {
        let fail = |what: &str| Err(Error::Usage(what.to_string()));
        let positive = |x: f64| x > 0.0 && x.is_finite();
        let below_one = |x: f64| (0.0..1.0).contains(&x);
        if !positive(self.rate)
            || !positive(self.head_rate)
            || !positive(self.eps)
            || !positive(self.max_grad_norm)
        {
            return fail("--rate, --head-rate, --eps and --max-grad-norm are above 0");
        }
        if !below_one(self.betas.0)
            || !below_one(self.betas.1)
            || !(0.0..=1.0).contains(&self.weight_decay)
        {
            return fail("--betas lie from 0 to below 1, --weight-decay from 0 to 1");
        }
        if !(self.factor > 0.0 && self.factor < 1.0) {
            return fail("--factor lies between 0 and 1");
        }
        if self.epochs == 0 || self.stop_after == 0 || self.batch == 0 || self.at_once == 0 {
            return fail("--epochs, --stop-after, --batch and --bases-at-once are at least 1");
        }
        if self.trained == Trained::LastBlocks(0) {
            return fail("--last-blocks is at least 1; --freeze trains the head alone");
        }
        Ok(())
    }
}
