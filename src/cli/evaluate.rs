//! `evaluate`: the held-out loss of a model, beside that of context tables.

use super::progress::Bar;
use super::{source, stdout};
use crate::error::Result;
use crate::pipelines::Progress;
use crate::report::format::count;
use crate::train::data::Corpus;
use crate::train::evaluate::{Evaluation, evaluate};
use crate::train::recipe::Recipe;
use std::path::PathBuf;

/// Measure a model's masked-base loss on the held-out sequence of a recipe
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ldar-analyze evaluate analyses/train-fly-2m.toml
  ldar-analyze evaluate analyses/train-fly-2m.toml --checkpoint runs/fly-2m/model.safetensors --json

Beside the model stand interpolated tables of the base given the k bases on either side, fitted on the recipe's training sequence (both
strands) and scored on the same positions with their true neighbours.")]
pub struct Arguments {
    /// Recipe (TOML) that names the sequence, what is held out, and the masking
    #[arg(value_name = "RECIPE")]
    recipe: PathBuf,
    /// Checkpoint, .pt or .safetensors [default: the bundled model]
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What is to be done.
pub struct Request {
    recipe: Recipe,
    checkpoint: Option<PathBuf>,
    json: bool,
}

impl Arguments {
    /// Reads the recipe.
    pub fn validate(self) -> Result<Request> {
        Ok(Request { recipe: Recipe::open(&self.recipe)?, checkpoint: self.checkpoint, json: self.json })
    }
}

impl Request {
    /// Measures.
    pub fn run(self) -> Result<()> {
        let model = source::checkpoint(self.checkpoint.as_deref())?.model()?;
        let corpus = Corpus::open(&self.recipe.data)?;
        let bar = Bar::new();
        let found = evaluate(&model, &self.recipe, &corpus, &mut |done, total| bar.show(Progress { stage: "held-out windows", done, total }))?;
        bar.finish();
        stdout::print(&if self.json { json(&found)? } else { text(&found) })
    }
}

fn json(found: &Evaluation) -> Result<String> {
    let text = serde_json::to_string_pretty(found).map_err(|e| crate::Error::Invalid(format!("the result is no JSON: {e}")))?;
    Ok(text + "\n")
}

fn text(found: &Evaluation) -> String {
    let mut out = format!(
        "{} masked positions in {} held-out windows\nmodel          {:.4} nats (standard error over windows {:.4}), {:.1} % right, {:.2} bases per token\n",
        count(found.positions),
        found.windows,
        found.mlm_nats,
        found.mlm_se,
        100.0 * found.accuracy,
        found.compression
    );
    for (k, nats) in found.table_nats.iter().enumerate() {
        out += &format!("table k = {k:<4} {nats:.4} nats ({:+.4} against the model)\n", nats - found.mlm_nats);
    }
    out
}
