//! `evaluate`: the held-out loss of a model, beside that of context tables.

use super::compute::Compute;
use super::progress::Bar;
use super::router::RouterOption;
use super::{source, stdout};
use crate::error::{Error, Result};
use crate::figures::curves::{CurvePanel, CurveSeries, CurvesFigure, Reference};
use crate::figures::{Figure, render::is_ours};
use crate::model::LdarNet;
use crate::output::{check_file, write_atomic};
use crate::pipelines::Progress;
use crate::report::format::count;
use crate::train::data::Corpus;
use crate::train::evaluate::{Evaluation, evaluate};
use crate::train::recipe::Recipe;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Measure a model's masked-base loss on the held-out sequence of a recipe
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ldar-analyze evaluate analyses/train-fly-2m.toml
  ldar-analyze evaluate analyses/train-fly-2m.toml --checkpoint runs/fly-2m/model.safetensors --json
  ldar-analyze evaluate analyses/train-fly-2m.toml --metrics runs/fly-2m/metrics.tsv --curves curves.svg

Beside the model stand interpolated tables of the base given the k bases on either side, fitted on the recipe's training sequence (both
strands), weighted on the tested part of the other files, and scored on the same positions with their true neighbours.")]
pub struct Arguments {
    /// Recipe (TOML) that names the sequence, what is held out, and the masking
    #[arg(value_name = "RECIPE")]
    recipe: PathBuf,
    /// Checkpoint, .pt or .safetensors [default: the bundled model]
    #[arg(long, value_name = "FILE", value_parser = source::path_of("checkpoint"))]
    checkpoint: Option<PathBuf>,
    #[command(flatten)]
    router: RouterOption,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Metrics table of the training run, for --curves
    #[arg(long, value_name = "FILE", requires = "curves")]
    metrics: Option<PathBuf>,
    /// Draw the training curves with the tables' losses to this .svg or .png file
    #[arg(long, value_name = "FILE", requires = "metrics")]
    curves: Option<PathBuf>,
    #[command(flatten)]
    compute: Compute,
}

/// What is to be done.
pub struct Request {
    recipe: Recipe,
    checkpoint: Option<PathBuf>,
    router: RouterOption,
    json: bool,
    curves: Option<(PathBuf, PathBuf)>,
    compute: Compute,
}

impl Arguments {
    /// Reads the recipe.
    pub fn validate(self) -> Result<Request> {
        if let Some(curves) = &self.curves {
            if !curves.extension().is_some_and(|e| e == "svg" || e == "png") {
                return Err(Error::Usage(format!(
                    "--curves {}: a figure's name ends in .svg or .png",
                    curves.display()
                )));
            }
            let inputs: Vec<&Path> = [
                Some(self.recipe.as_path()),
                self.checkpoint.as_deref(),
                self.metrics.as_deref(),
            ]
            .into_iter()
            .flatten()
            .collect();
            check_file(curves, &inputs, is_ours)?;
        }
        Ok(Request {
            recipe: source::recipe(&self.recipe)?,
            checkpoint: self.checkpoint,
            router: self.router,
            json: self.json,
            curves: self.metrics.zip(self.curves),
            compute: self.compute,
        })
    }
}

impl Request {
    /// Measures.
    pub fn run(self) -> Result<()> {
        let checkpoint = self
            .router
            .checkpoint(source::checkpoint(self.checkpoint.as_deref())?)?;
        let model = self.compute.model(&checkpoint, &self.compute.device()?)?;
        let corpus = Corpus::open(&self.recipe.data)?;
        let bar = Bar::new();
        let found = evaluate(&model, &self.recipe, &corpus, &mut |done, total| {
            bar.show(Progress {
                stage: "held-out windows",
                done,
                total,
            })
        })?;
        bar.finish();
        if let Some((metrics, to)) = &self.curves {
            draw(metrics, &found, &self.recipe, to)?;
        }
        stdout::print(&if self.json {
            json(&found, &model)?
        } else {
            text(&found)
        })
    }
}

fn json(found: &Evaluation, model: &LdarNet) -> Result<String> {
    let mut value = serde_json::to_value(found)
        .map_err(|e| Error::Invalid(format!("the result is no JSON: {e}")))?;
    value["dtype"] = model.arithmetic().to_string().into();
    value["router"] = model.config().routing.to_string().into();
    Ok(format!("{value:#}\n"))
}

fn text(found: &Evaluation) -> String {
    let mut out = format!(
        "{} masked positions in {} held-out windows\nmodel          {:.4} nats (standard error over windows {:.4}), {:.1} % right, {:.2} bases per token, {:.3} MFLOP per base\n",
        count(found.positions),
        found.windows,
        found.mlm_nats,
        found.mlm_se,
        100.0 * found.accuracy,
        found.compression,
        found.flops_per_base / 1e6
    );
    for (k, nats) in found.table_nats.iter().enumerate() {
        out += &format!(
            "table k = {k:<4} {nats:.4} nats ({:+.4} against the model)\n",
            nats - found.mlm_nats
        );
    }
    out
}

/// Training curves: masked loss on training and held-out windows, and the compression; lines are
/// the model and the tables on the tested part, which is of the first file alone.
fn draw(metrics: &Path, found: &Evaluation, recipe: &Recipe, to: &Path) -> Result<()> {
    let text = std::fs::read_to_string(metrics).map_err(Error::io(metrics))?;
    let header: Vec<&str> = text.lines().next().unwrap_or("").split('\t').collect();
    let column = |name: &str| -> Result<Vec<(f64, f64)>> {
        let index = |name: &str| header.iter().position(|h| *h == name);
        let (Some(x), Some(y)) = (index("bases"), index(name)) else {
            return Err(Error::file(
                metrics,
                format!(
                    "has no columns 'bases' and '{name}': it is not the metrics.tsv of a training run"
                ),
            ));
        };
        let point = |line: &str| {
            let fields: Vec<&str> = line.split('\t').collect();
            Some((
                fields.get(x)?.parse::<f64>().ok()? / 1e6,
                fields.get(y)?.parse().ok()?,
            ))
        };
        Ok(text.lines().skip(1).filter_map(point).collect())
    };
    let series = |label: &str, name: &str| -> Result<CurveSeries> {
        Ok(CurveSeries {
            label: label.into(),
            points: column(name)?,
        })
    };
    let table = |k: usize| {
        Some(Reference {
            label: format!("table, k = {k}"),
            value: *found.table_nats.get(k)?,
        })
    };
    let model = Reference {
        label: "this model".into(),
        value: found.mlm_nats,
    };
    let loss = CurvePanel {
        title: "Masked-base loss; lines: tested part".into(),
        y_label: "cross-entropy (nats)".into(),
        series: vec![
            series("training windows", "mlm_nats")?,
            series("held-out windows", "validation_mlm_nats")?,
        ],
        references: [0, 4, 10]
            .into_iter()
            .filter_map(table)
            .chain([model])
            .collect(),
    };
    let target = recipe.optimizer.compression.first().copied().unwrap_or(4.0);
    let compression: Vec<(f64, f64)> = column("compression")?
        .into_iter()
        .filter(|point| point.1 <= 5.0 * target)
        .collect();
    let tokens = CurvePanel {
        title: "Compression".into(),
        y_label: "bases per token".into(),
        series: vec![
            CurveSeries {
                label: "training windows".into(),
                points: compression,
            },
            series("held-out windows", "validation_compression")?,
        ],
        references: vec![Reference {
            label: "target".into(),
            value: target,
        }],
    };
    let figure = CurvesFigure {
        panels: vec![loss, tokens],
        x_label: "bases seen (millions)".into(),
    };
    let bytes = if to.extension().is_some_and(|e| e == "png") {
        figure.to_png()?
    } else {
        figure.to_svg()?.into_bytes()
    };
    write_atomic(to, |file| file.write_all(&bytes))
}
