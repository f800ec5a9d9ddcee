//! `codon-phase`: do boundaries keep to codons?

use super::analysis::{Asked, Course};
use super::answers::{Origin, ShardOption};
use super::compute::Compute;
use super::draws::Draws;
use super::left_out::LeftOut;
use super::reads::Opened;
use super::router::RouterOption;
use super::source::Assembly;
use super::windows::Windows;
use super::{counts, source};
use crate::error::{Error, Result};
use crate::model::config::Config;
use crate::pipelines::codon_phase::{self as pipeline, CodonPhaseRequest};
use crate::pipelines::ldarnet::Router;
use crate::pipelines::store::{Part, Unopened};
use crate::pipelines::{BoundarySource, Values};
use std::path::PathBuf;

/// Ask whether boundaries keep to codons, stage by stage of a model; writes an HTML report
///
/// How often is each position of a codon cut: between codons, after their first, after their second
/// base? Codon positions differ in their nucleotides, so each is compared with the same k-mers at the
/// other positions of codons, and outside of coding sequence, by cluster of overlapping genes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ldar-analyze codon-phase --out codons
      the bundled fly chromosome 4 and the bundled model; open codons/index.html
  ldar-analyze codon-phase --genome hg38.fa.gz --annotation gencode.gtf.gz --checkpoint model.pt --max-genes 2000 --out codons
  ldar-analyze codon-phase --router fixed:3 --out grid
      cuts on a grid of three: between codons or not by the accident of where a gene starts
  ldar-analyze codon-phase --genome hg38.fa.gz --annotation gencode.gtf.gz --checkpoint model.pt --shard 3/40 --out shards/3
      one of forty jobs; `ldar-analyze merge shards/* --out results` then gives the results

One transcript speaks for a gene: the canonical one, else that with the longest coding sequence. A former result in the folder of --out is replaced; any other
folder that is not empty is left alone.")]
pub struct Arguments {
    #[command(flatten)]
    assembly: Assembly,
    /// Model: the authors' .pt, or safetensors; or ldarnet-110m (see fetch) [default: bundled]
    #[arg(long, value_name = "FILE", value_parser = source::path_of("checkpoint"))]
    checkpoint: Option<PathBuf>,
    #[command(flatten)]
    router: RouterOption,
    /// Folder for the results
    #[arg(long, value_name = "FOLDER", default_value = "codon-phase")]
    out: PathBuf,
    /// Only these contigs, by any of their names
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    contigs: Vec<String>,
    /// At most so many genes, a random subset
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = counts::parse)]
    max_genes: usize,
    #[command(flatten)]
    windows: Windows,
    #[command(flatten)]
    draws: Draws,
    #[command(flatten)]
    compute: Compute,
    #[command(flatten)]
    shard: ShardOption,
}

/// Routers whose cuts are kept in one byte a base.
const MOST_STAGES: usize = 8;

/// What is to be run.
pub struct Request {
    files: Option<(PathBuf, PathBuf)>,
    checkpoint: Option<PathBuf>,
    router: RouterOption,
    compute: Compute,
    part: Option<Part>,
    out: PathBuf,
    windows: Windows,
    pipeline: CodonPhaseRequest,
}

impl Arguments {
    /// Refuses what no run could meet, before anything is read.
    pub fn validate(self) -> Result<Request> {
        self.draws.check()?;
        counts::check(&[
            ("--batch", self.windows.batch),
            ("--max-genes", self.max_genes),
        ])?;
        self.windows.check(0)?;
        Ok(Request {
            files: self.assembly.files()?,
            checkpoint: self.checkpoint,
            router: self.router,
            compute: self.compute,
            part: self.shard.part(),
            out: self.out,
            windows: self.windows,
            pipeline: CodonPhaseRequest {
                contigs: self.contigs,
                max_genes: self.max_genes,
                permutations: self.draws.permutations,
                bootstraps: self.draws.bootstraps,
                seed: self.draws.seed,
                batch: self.windows.batch,
                ..CodonPhaseRequest::default()
            },
        })
    }
}

fn left_out(found: &pipeline::CodonPhase) -> LeftOut {
    let (used, others): (Vec<_>, Vec<_>) = found.genes.iter().partition(|row| row.status == "used");
    LeftOut {
        what: "genes with a CDS",
        used: used.iter().map(|row| row.n_genes).sum(),
        reasons: others
            .iter()
            .map(|row| (row.status.clone(), row.n_genes))
            .collect(),
    }
}

impl Request {
    /// Runs the analysis, writes the results folder and prints the short of it.
    pub fn run(mut self, origin: Origin) -> Result<()> {
        let mut course = Course::start(origin, &self.out, self.part)?;
        let opened = Opened::model(
            &course.origin,
            self.checkpoint.as_deref(),
            self.router,
            self.compute,
        )?;
        opened.recorded(&mut course.run);
        (self.pipeline.context, self.pipeline.margin) =
            self.windows.of(opened.trained_length(), 0)?;
        let (genome, annotation) = source::reference(self.files.as_ref(), &course.bar)?;
        let mut inputs = source::files_inputs(self.files.as_ref())?;
        inputs.push(
            course
                .origin
                .checkpoint(0, || source::checkpoint_input(self.checkpoint.as_deref()))?,
        );
        // The model of shards is not opened: its configuration says how many routers it has.
        let routers = Config::from_json(opened.facts()["config"].clone())?
            .layout
            .stages()
            - 1;
        if routers > MOST_STAGES {
            return Err(Error::Invalid(format!(
                "the model has {routers} routers: at most {MOST_STAGES} can be looked at"
            )));
        }
        let stages: Vec<Box<dyn BoundarySource + '_>> = match &opened {
            Opened::Model { model, .. } => (0..routers.max(1))
                .map(|stage| Ok(Box::new(Router::new(model, stage)?) as Box<dyn BoundarySource>))
                .collect::<Result<_>>()?,
            _ => (0..routers)
                .map(|_| Box::new(Unopened(Values::Probabilities)) as Box<dyn BoundarySource>)
                .collect(),
        };
        let names: Vec<String> = (0..stages.len())
            .map(|stage| match stage {
                0 => String::new(),
                stage => format!("stage {stage}"),
            })
            .collect();
        let named: Vec<(&str, &dyn BoundarySource)> = names
            .iter()
            .zip(&stages)
            .map(|(name, stage)| (name.as_str(), stage.as_ref()))
            .collect();
        let mut parameters = serde_json::to_value(&self.pipeline).unwrap_or_default();
        self.router.note(&mut parameters);
        let asked = Asked {
            parameters,
            inputs: &inputs,
            facts: opened.facts(),
            trained_length: opened.trained_length(),
            models: &named,
        };
        course.finish(asked, left_out, |kept, progress| {
            pipeline::run(&genome, &annotation, kept, &self.pipeline, progress)
        })
    }
}
