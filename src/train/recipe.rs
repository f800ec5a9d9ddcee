//! The recipe of a training run, a TOML file: everything that decides the result is in it.

use super::objective::Objective;
use super::optimizer::{AdamW, lr_multipliers};
use super::schedule::Schedule;
use crate::model::weights::inventory;
use crate::model::{Config, Routing};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A whole recipe.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Seed of initial weights, windows and masks.
    pub seed: u64,
    /// The model.
    pub model: ModelRecipe,
    /// The sequence.
    pub data: DataRecipe,
    /// Masked-language-model corruption.
    pub masking: Masking,
    /// Loss, optimizer and schedule.
    pub optimizer: OptimizerRecipe,
    /// Length of the run and what is written when.
    pub run: RunRecipe,
}

/// The model: a named configuration, or one written out in the authors' form.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ModelRecipe {
    /// `110m` or `2m`.
    Named(NamedModel),
    /// The authors' JSON form, as TOML.
    Written(serde_json::Value),
}

/// A named configuration.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedModel {
    /// The name.
    pub config: String,
    /// How positions are kept ([`Routing`]), where not by the learned router.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub router: Option<String>,
}

/// Where windows come from.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataRecipe {
    /// FASTA files, relative to the recipe.
    pub fasta: Vec<PathBuf>,
    /// Of each file, its share of the windows, in any unit; not given, each has that of its places
    /// for windows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weights: Vec<f64>,
    /// Bases per window.
    pub length: usize,
    /// Fraction of windows read as their reverse complement.
    pub reverse_complement: f64,
    /// Held-out part of every contig, as fractions of its length.
    pub holdout: (f64, f64),
    /// The part of the first file's contigs on which the final number is measured, inside the
    /// held-out part.
    pub test: (f64, f64),
    /// Contigs of the first file that are held out whole, and tested.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holdout_contigs: Vec<String>,
}

impl DataRecipe {
    /// What is wrong where no window can be drawn.
    pub(super) fn nowhere(&self) -> String {
        format!(
            "no stretch without N outside the held-out part is {} bases long",
            self.length
        )
    }
}

/// Corruption of the input.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Masking {
    /// Fraction of A, C, G, T positions to predict.
    pub fraction: f64,
    /// Of these, fraction shown as `[MASK]`.
    pub mask: f64,
    /// Of these, fraction shown as a random base; the rest is shown as it is.
    pub random: f64,
}

/// Loss, optimizer and schedule.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptimizerRecipe {
    /// Weight of the ratio loss.
    pub alpha: f64,
    /// Target bases per boundary of each stage.
    pub compression: Vec<f64>,
    /// Base learning rate; each stage multiplies it by the authors' rule.
    pub lr: f64,
    /// Decay rates of the moments.
    pub betas: (f64, f64),
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Clipping of the gradient's norm.
    pub max_grad_norm: f64,
    /// Warm-up, plateau, decay.
    pub schedule: Schedule,
}

/// Length of the run and what is written when.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRecipe {
    /// Optimizer steps.
    pub steps: u64,
    /// Windows per step.
    pub batch: usize,
    /// Windows per forward and backward pass; their gradients are averaged.
    pub micro_batch: usize,
    /// Run every layer again on the way back instead of keeping what is inside it: slower, in a
    /// fraction of the memory, the same gradients.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub recompute: bool,
    /// Steps between rows of the metrics table.
    pub log_every: u64,
    /// Steps between measurements on held-out windows.
    pub validate_every: u64,
    /// Held-out windows measured then.
    pub validation_windows: usize,
    /// Steps between checkpoints.
    pub checkpoint_every: u64,
}

impl Recipe {
    /// Reads and checks a recipe; paths in it become relative to the current folder.
    ///
    /// # Errors
    /// The file is no TOML, a key is unknown or missing, or a value makes no sense.
    pub fn open(path: &Path) -> Result<Recipe> {
        let text = std::fs::read_to_string(path).map_err(Error::io(path))?;
        let mut recipe: Recipe =
            toml::from_str(&text).map_err(|e| Error::file(path, format!("is no recipe: {e}")))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        for fasta in &mut recipe.data.fasta {
            *fasta = folder.join(&*fasta);
        }
        recipe
            .check()
            .map_err(|e| Error::file(path, e.to_string()))?;
        Ok(recipe)
    }

    /// Refuses values that make no sense.
    ///
    /// # Errors
    /// The first of them is named.
    pub fn check(&self) -> Result<()> {
        let fail = |what: &str| Err(Error::Invalid(format!("recipe: {what}")));
        let unit = |x: f64| (0.0..=1.0).contains(&x);
        let (d, m, o, r) = (&self.data, &self.masking, &self.optimizer, &self.run);
        if d.fasta.is_empty() || d.length < 2 {
            return fail("data.fasta needs a file, and data.length at least 2 bases");
        }
        let share = |x: &f64| *x >= 0.0 && x.is_finite();
        if !d.weights.is_empty()
            && (d.weights.len() != d.fasta.len()
                || !d.weights.iter().all(share)
                || d.weights.iter().sum::<f64>() == 0.0)
        {
            return fail(
                "data.weights holds one number for each file of data.fasta, at 0 or above",
            );
        }
        if !(0.0 <= d.holdout.0
            && d.holdout.0 <= d.test.0
            && d.test.0 <= d.test.1
            && d.test.1 <= d.holdout.1
            && d.holdout.1 <= 1.0)
        {
            return fail("data.test must lie inside data.holdout, both as fractions from 0 to 1");
        }
        if !unit(d.reverse_complement)
            || !unit(m.fraction)
            || !unit(m.mask)
            || !unit(m.random)
            || m.mask + m.random > 1.0
        {
            return fail(
                "reverse_complement and the masking fractions lie from 0 to 1, and mask + random is at most 1",
            );
        }
        if o.compression.iter().any(|&n| n <= 1.0 || n.is_nan())
            || !(o.lr > 0.0 && o.lr.is_finite())
        {
            return fail("optimizer.compression is above 1 and optimizer.lr above 0");
        }
        if !unit(o.schedule.warmup)
            || !unit(o.schedule.decay)
            || !unit(o.schedule.floor)
            || o.schedule.floor == 0.0
        {
            return fail("schedule.warmup and decay lie from 0 to 1, floor above 0");
        }
        if [r.log_every, r.validate_every, r.checkpoint_every].contains(&0)
            || r.batch == 0
            || r.micro_batch == 0
        {
            return fail("the counts under run are at least 1");
        }
        if d.length > 1 << 26 || r.batch > 1 << 20 {
            return fail("data.length is at most 2^26 bases and run.batch at most 2^20 windows");
        }
        if m.fraction == 0.0 {
            return fail(
                "masking.fraction is above 0: without masked positions there is nothing to learn",
            );
        }
        let positive = |x: f64| x > 0.0 && x.is_finite();
        if !(0.0..1.0).contains(&o.betas.0)
            || !(0.0..1.0).contains(&o.betas.1)
            || !positive(o.eps)
            || !positive(o.max_grad_norm)
        {
            return fail("optimizer.betas lie from 0 to below 1, eps and max_grad_norm above 0");
        }
        if !(0.0..=1.0).contains(&o.weight_decay) || !o.alpha.is_finite() || o.alpha < 0.0 {
            return fail("optimizer.weight_decay lies from 0 to 1, alpha at 0 or above");
        }
        if r.batch % r.micro_batch != 0 {
            return fail("run.batch is a multiple of run.micro_batch");
        }
        let routers = self.config()?.layout.stages() - 1;
        if o.compression.len() != routers {
            return fail(&format!(
                "optimizer.compression holds {} targets, but the model has {routers} routers",
                o.compression.len()
            ));
        }
        Ok(())
    }

    /// The model's configuration.
    pub fn config(&self) -> Result<Config> {
        match &self.model {
            ModelRecipe::Named(NamedModel {
                config,
                router: None,
            }) => Config::named(config),
            ModelRecipe::Named(NamedModel {
                config,
                router: Some(router),
            }) => Config::named(config)?.routed(router.parse()?),
            ModelRecipe::Written(json) => Config::from_json(json.clone()),
        }
    }

    /// Keeps positions by another rule than the recipe says.
    ///
    /// # Errors
    /// The model is a single stack.
    pub fn route(&mut self, routing: Routing) -> Result<()> {
        let json = self.config()?.routed(routing)?.json;
        match &mut self.model {
            ModelRecipe::Named(named) => {
                named.router = (!routing.is_learned()).then(|| routing.to_string())
            }
            ModelRecipe::Written(written) => *written = json,
        }
        Ok(())
    }

    /// What training takes of memory at the very least, in bytes: weights, gradients and two
    /// moments of each parameter, and on a CPU, where they are held beside these, what every layer
    /// keeps of a micro-batch for the way back.
    ///
    /// # Errors
    /// A configuration that no model can be built on.
    pub fn least_memory_bytes(&self, config: &Config, activations: bool) -> Result<u128> {
        let size = |shape: &[usize]| shape.iter().map(|n| *n as u128).product::<u128>();
        let parameters: u128 = inventory(config)?
            .iter()
            .map(|(_, shape)| size(shape))
            .sum();
        let mut kept = 0.0;
        if activations {
            let mut rows = (self.run.micro_batch * self.data.length) as f64;
            for (number, (stage, layers)) in config
                .stages
                .iter()
                .zip(config.layout.blocks_by_stage())
                .enumerate()
            {
                kept += rows * (stage.d_model * layers) as f64;
                rows /= self
                    .optimizer
                    .compression
                    .get(number)
                    .copied()
                    .unwrap_or(1.0);
            }
        }
        Ok(16 * parameters + 4 * kept as u128)
    }

    /// The training objective.
    pub fn objective(&self) -> Objective {
        Objective {
            alpha: self.optimizer.alpha,
            compression: self.optimizer.compression.clone(),
            recompute: self.run.recompute,
        }
    }

    /// The optimizer's settings.
    pub fn adamw(&self, config: &Config) -> AdamW {
        let o = &self.optimizer;
        AdamW {
            betas: o.betas,
            eps: o.eps,
            weight_decay: o.weight_decay,
            max_grad_norm: o.max_grad_norm,
            lr_multiplier: lr_multipliers(config, &o.compression),
        }
    }
}
