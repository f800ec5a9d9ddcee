//! `stability`: what an edit of sequence does to the boundaries around it.

use super::analysis::{Asked, Course};
use super::answers::{Origin, ShardOption};
use super::biotypes::Biotypes;
use super::compute::Compute;
use super::draws::Draws;
use super::left_out::LeftOut;
use super::reads::Opened;
use super::router::RouterOption;
use super::source::Assembly;
use super::windows::Windows;
use super::{counts, source};
use crate::error::{Error, Result};
use crate::model::LdarNet;
use crate::pipelines::ldarnet::Router;
use crate::pipelines::splice_profile::SpliceProfileRequest;
use crate::pipelines::stability::{self as pipeline, MAP_BP, StabilityRequest, UNTRAINED};
use crate::pipelines::store::{Part, Unopened};
use crate::pipelines::{BoundarySource, Values};
use std::path::PathBuf;

/// Ask what an edit of sequence does to the boundaries around it, against matched controls; writes
/// an HTML report
///
/// Single bases are replaced, masked, inserted and taken away at random places of genes, and
/// replaced at splice cores and at the same nucleotides elsewhere. How much do boundary probabilities
/// change, how many decisions, how far off; and is that more than a function of a few nucleotides, or
/// an untrained model, would show?
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ldar-analyze stability --out stability
      the bundled fly chromosome 4 and the bundled model; open stability/index.html
  ldar-analyze stability --genome hg38.fa.gz --annotation gencode.gtf.gz --checkpoint model.pt --places 1000 --max-sites 500 --out stability
  ldar-analyze stability --negative-control --out null
      controls of splice cores against other controls: a null by construction
  ldar-analyze stability --genome hg38.fa.gz --annotation gencode.gtf.gz --checkpoint model.pt --shard 3/40 --out shards/3
      one of forty jobs; `ldar-analyze merge shards/* --out results` then gives the results

Every place is read some twenty times, each time in --context bases. A former result in the folder of --out is replaced; any other folder that is not empty is left alone.")]
pub struct Arguments {
    #[command(flatten)]
    assembly: Assembly,
    #[command(flatten)]
    biotypes: Biotypes,
    /// Model: the authors' .pt, or safetensors; or ldarnet-110m (see fetch) [default: bundled]
    #[arg(long, value_name = "FILE", value_parser = source::path_of("checkpoint"))]
    checkpoint: Option<PathBuf>,
    /// Folder for the results
    #[arg(long, value_name = "FOLDER", default_value = "stability")]
    out: PathBuf,
    /// Only these contigs, by any of their names
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    contigs: Vec<String>,
    /// Random places of genes, each edited in all ways
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = counts::parse)]
    places: usize,
    /// At most so many donors, and so many acceptors, a random subset
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = counts::parse)]
    max_sites: usize,
    /// Bases on either side of an edit whose boundaries are looked at
    #[arg(long, value_name = "BASES", default_value_t = 100, value_parser = counts::parse)]
    reach: usize,
    #[command(flatten)]
    windows: Windows,
    #[command(flatten)]
    draws: Draws,
    /// Compare two controls of each splice core with each other instead: a null by construction
    #[arg(long)]
    negative_control: bool,
    #[command(flatten)]
    compute: Compute,
    #[command(flatten)]
    shard: ShardOption,
}

/// What is to be run.
pub struct Request {
    files: Option<(PathBuf, PathBuf)>,
    checkpoint: Option<PathBuf>,
    compute: Compute,
    part: Option<Part>,
    out: PathBuf,
    windows: Windows,
    pipeline: StabilityRequest,
}

/// The farthest that is looked at, in bases.
const FARTHEST: usize = 2000;

impl Arguments {
    /// Refuses what no run could meet, before anything is read.
    pub fn validate(self) -> Result<Request> {
        self.draws.check()?;
        counts::check(&[
            ("--batch", self.windows.batch),
            ("--places", self.places),
            ("--max-sites", self.max_sites),
        ])?;
        if !(MAP_BP..=FARTHEST).contains(&self.reach) {
            return Err(Error::Usage(format!(
                "--reach {}: {MAP_BP} to {FARTHEST}",
                self.reach
            )));
        }
        if let Some(asked) = self.windows.asked() {
            check_room(asked, self.reach)?;
        }
        let mut sites = SpliceProfileRequest {
            biotypes: self.biotypes.of_genes(),
            contigs: self.contigs,
            max_sites: Some(self.max_sites),
            ..SpliceProfileRequest::default()
        };
        sites.comparison.flank = self.reach;
        sites.comparison.permutations = self.draws.permutations;
        sites.comparison.bootstraps = self.draws.bootstraps;
        sites.comparison.seed = self.draws.seed;
        sites.comparison.batch = self.windows.batch;
        sites.comparison.negative_control = self.negative_control;
        Ok(Request {
            files: self.assembly.files()?,
            checkpoint: self.checkpoint,
            compute: self.compute,
            part: self.shard.part(),
            out: self.out,
            windows: self.windows,
            pipeline: StabilityRequest {
                sites,
                places: self.places,
                reach: self.reach,
            },
        })
    }
}

/// Refuses a context without room for what is looked at between its margins, also where it is
/// halved.
fn check_room((context, margin): (usize, usize), reach: usize) -> Result<()> {
    let needed = (2 * margin.max(1).saturating_add(reach + 4)).max(4 * (reach + 2));
    match needed > context {
        true => Err(Error::Usage(format!(
            "a context of {context} bases has no room for --reach {reach} and a margin of {margin} on both sides: it takes {needed}"
        ))),
        false => Ok(()),
    }
}

fn left_out(found: &pipeline::Stability) -> LeftOut {
    LeftOut {
        what: "places and pairs of sites",
        used: found.n_places + found.n_pairs,
        reasons: Vec::new(),
    }
}

impl Request {
    /// Runs the analysis, writes the results folder and prints the short of it.
    pub fn run(mut self, origin: Origin) -> Result<()> {
        let mut course = Course::start(origin, &self.out, self.part)?;
        let opened = Opened::model(
            &course.origin,
            self.checkpoint.as_deref(),
            RouterOption::default(),
            self.compute,
        )?;
        opened.recorded(&mut course.run);
        let (context, margin) = self
            .windows
            .of(opened.trained_length(), self.pipeline.reach)?;
        check_room((context, margin), self.pipeline.reach)?;
        (
            self.pipeline.sites.comparison.context,
            self.pipeline.sites.comparison.margin,
        ) = (context, margin);
        let (genome, annotation) = source::reference(self.files.as_ref(), &course.bar)?;
        let mut inputs = source::files_inputs(self.files.as_ref())?;
        inputs.push(
            course
                .origin
                .checkpoint(0, || source::checkpoint_input(self.checkpoint.as_deref()))?,
        );
        let untrained = self.untrained(&opened)?;
        let models: [Box<dyn BoundarySource + '_>; 2] = match (&opened, &untrained) {
            (Opened::Model { model, .. }, Some(untrained)) => [
                Box::new(Router::new(model, 0)?),
                Box::new(Router::new(untrained, 0)?),
            ],
            _ => [
                Box::new(Unopened(Values::Probabilities)),
                Box::new(Unopened(Values::Probabilities)),
            ],
        };
        let seeded = format!("{UNTRAINED} {}", self.pipeline.sites.comparison.seed);
        let named = [
            ("", models[0].as_ref()),
            (seeded.as_str(), models[1].as_ref()),
        ];
        let asked = Asked {
            parameters: serde_json::to_value(&self.pipeline).unwrap_or_default(),
            inputs: &inputs,
            facts: opened.facts(),
            trained_length: opened.trained_length(),
            models: &named,
        };
        course.finish(asked, left_out, |kept, progress| {
            pipeline::run(&genome, &annotation, kept, &self.pipeline, progress)
        })
    }

    /// A model of the same shape with random weights; none for shards, whose models are not opened.
    fn untrained(&self, opened: &Opened) -> Result<Option<LdarNet>> {
        let Opened::Model { checkpoint, .. } = opened else {
            return Ok(None);
        };
        let fresh = checkpoint.untrained(self.pipeline.sites.comparison.seed)?;
        self.compute
            .model(&fresh, &self.compute.device()?)
            .map(Some)
    }
}
