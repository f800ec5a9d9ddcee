//! `site-profile`: do boundaries tell any list of sites from controls?

use super::analysis::Course;
use super::answers::{Origin, ShardOption};
use super::draws::Draws;
use super::left_out::LeftOut;
use super::reads::Reads;
use super::splice_profile::{Reference, window};
use super::windows::Windows;
use super::{counts, source};
use crate::controls::{ControlRequest, Family};
use crate::error::{Error, Result};
use crate::genome::bed;
use crate::pipelines::comparison::{ComparisonRequest, ENDPOINT_REACH, ReplicateUnit};
use crate::pipelines::site_profile::{self as pipeline, Anchor, SITE, SiteProfileRequest};
use crate::pipelines::store::Part;
use crate::report::provenance::Input;
use std::path::PathBuf;

/// Ask whether boundaries tell any list of sites (BED) from random positions nearby, or from a
/// second list; writes an HTML report
///
/// Models of the boundaries around a position, of its nucleotides, and of both are trained to tell
/// sites from controls, and judged on blocks of the genome that they have not seen. So the page
/// says whether boundaries know of the sites at all, and whether they know more than the
/// nucleotides say. Beside it, mean profiles and the difference of the mean over -2 to +2.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ldar-analyze site-profile --sites starts.bed --out starts
      positions in the bundled fly chromosome 4 against random ones nearby, with the bundled model; open starts/index.html
  ldar-analyze site-profile --genome hg38.fa.gz --sites peaks.bed.gz --anchor middle --contigs chr1 --max-sites 2000 --out peaks
  ldar-analyze site-profile --genome hg38.fa.gz --sites bound.bed --control-bed unbound.bed --checkpoint model.pt --reference untrained --out bound
      motif hits that are bound against hits that are not; an untrained model of the same size beside
  ldar-analyze site-profile --genome hg38.fa.gz --sites peaks.bed --signal phyloP.bw --out conservation
      any track in place of a model

A site is one position of a record (--anchor), in the orientation of its strand; a record without a strand is read on plus, and counted. Sites are
compared within blocks of --block bases, the unit of replication. A former result in the folder of --out is replaced; any other folder that is not
empty is left alone.")]
pub struct Arguments {
    /// Genome: FASTA, plain, gzip or bgzip, a .fai beside it is made if missing; or human, mouse,
    /// fly (see fetch) [default: bundled fly chromosome 4]
    #[arg(long, value_name = "FASTA", value_parser = source::path_of("genome"))]
    genome: Option<PathBuf>,
    /// The sites: BED, plain or gzip
    #[arg(long, value_name = "BED")]
    sites: PathBuf,
    /// Controls in place of random positions: BED, plain or gzip; those in blocks with sites are
    /// used
    #[arg(long, value_name = "BED")]
    control_bed: Option<PathBuf>,
    /// Which position of a record it is about, in the orientation of its strand
    #[arg(long, value_enum, default_value = "start")]
    anchor: Anchor,
    #[command(flatten)]
    reads: Reads,
    #[command(flatten)]
    shard: ShardOption,
    /// Folder for the results
    #[arg(long, value_name = "FOLDER", default_value = "site-profile")]
    out: PathBuf,
    /// Only these contigs, by any of their names
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    contigs: Vec<String>,
    /// At most so many sites, a random subset
    #[arg(long, value_name = "N", value_parser = counts::parse)]
    max_sites: Option<usize>,
    /// Length of a block: the unit of replication, within which controls are drawn
    #[arg(long, value_name = "BASES", default_value_t = 50_000, value_parser = counts::parse)]
    block: usize,
    /// First and last offset whose boundaries are to tell sites from controls
    #[arg(long, value_name = "FIRST:LAST", default_value = "-10:10", allow_hyphen_values = true, value_parser = window)]
    window: (i64, i64),
    /// What else is asked to tell sites from controls, to compare with
    #[arg(long, value_enum, value_name = "WHAT")]
    reference: Option<Reference>,
    /// Positions of the profile on either side of a site
    #[arg(long, value_name = "BASES", default_value_t = 120, value_parser = counts::parse)]
    flank: usize,
    #[command(flatten)]
    windows: Windows,
    #[command(flatten)]
    draws: Draws,
}

/// What is to be run.
pub struct Request {
    genome: Option<PathBuf>,
    sites: PathBuf,
    control_bed: Option<PathBuf>,
    reads: Reads,
    part: Option<Part>,
    out: PathBuf,
    windows: Windows,
    pipeline: SiteProfileRequest,
}

impl Arguments {
    /// Refuses what no run could meet, before anything is read.
    pub fn validate(self) -> Result<Request> {
        let usage = |message: String| Err(Error::Usage(message));
        self.draws.check()?;
        counts::check(&[
            ("--batch", self.windows.batch),
            ("--max-sites", self.max_sites.unwrap_or(1)),
        ])?;
        if self.flank < ENDPOINT_REACH {
            return usage(format!(
                "--flank {}: at least {ENDPOINT_REACH} positions on either side",
                self.flank
            ));
        }
        if self.block < 2 * self.flank {
            return usage(format!(
                "--block {}: a block is at least as long as a profile, {} bases",
                self.block,
                2 * self.flank
            ));
        }
        self.windows.check(self.flank)?;
        self.reads.refuse_shards_of_signal(self.shard.part())?;
        self.reads
            .refuse_untrained_of_signal(self.reference.is_some())?;
        let defaults = SiteProfileRequest::default();
        let family = match self.control_bed {
            Some(_) => Family::Bed,
            None => Family::Random,
        };
        let comparison = ComparisonRequest {
            flank: self.flank,
            controls: ControlRequest {
                families: vec![family],
                ..defaults.comparison.controls.clone()
            },
            cluster: ReplicateUnit::Gene,
            permutations: self.draws.permutations,
            bootstraps: self.draws.bootstraps,
            seed: self.draws.seed,
            batch: self.windows.batch,
            ..defaults.comparison
        };
        Ok(Request {
            genome: source::fasta(self.genome),
            sites: self.sites,
            control_bed: self.control_bed,
            reads: self.reads,
            part: self.shard.part(),
            out: self.out,
            windows: self.windows,
            pipeline: SiteProfileRequest {
                comparison,
                anchor: self.anchor,
                block_bp: self.block,
                contigs: self.contigs,
                max_sites: self.max_sites,
                window: self.window,
                untrained: self.reference.is_some(),
            },
        })
    }
}

fn left_out(found: &pipeline::SiteProfile) -> LeftOut {
    let sites = found.accounting.iter().filter(|row| row.kind == SITE);
    let (used, out): (Vec<_>, Vec<_>) = sites.partition(|row| row.status == "used");
    LeftOut {
        what: "sites",
        used: used.iter().map(|row| row.n).sum(),
        reasons: out
            .into_iter()
            .map(|row| (row.status.clone(), row.n))
            .collect(),
    }
}

impl Request {
    /// Runs the analysis, writes the results folder and prints the short of it.
    pub fn run(mut self, origin: Origin) -> Result<()> {
        let course = Course::start(origin, &self.out, self.part)?;
        let checkpoint = self.reads.checkpoint(&course.origin)?;
        let comparison = &mut self.pipeline.comparison;
        let trained = course.origin.trained_length(checkpoint.as_ref());
        (comparison.context, comparison.margin) = self.windows.of(trained, comparison.flank)?;
        let genome = source::genome(self.genome.as_deref())?;
        let sites = bed::read(&self.sites)?;
        let controls = (self.control_bed.as_deref()).map_or(Ok(Vec::new()), bed::read)?;
        let unstranded = sites.iter().chain(&controls).filter(|r| r.strand.is_none());
        let n = unstranded.count();
        if n > 0 {
            course
                .bar
                .note(&format!("{n} records have no strand and are read on plus"));
        }
        let mut inputs = vec![source::genome_input(self.genome.as_deref())?];
        inputs.extend(self.reads.inputs(&course.origin)?);
        inputs.push(Input::file("sites", &self.sites)?);
        if let Some(path) = &self.control_bed {
            inputs.push(Input::file("controls", path)?);
        }
        let seed = self.pipeline.comparison.seed;
        let untrained = (self.reads).untrained(
            self.pipeline.untrained,
            &course.origin,
            checkpoint.as_ref(),
            seed,
        )?;
        let opened = self.reads.open(&course.origin, checkpoint, &genome)?;
        let parameters = serde_json::to_value(&self.pipeline).unwrap_or_default();
        course.read_beside_untrained(
            (&opened, untrained.as_ref(), seed),
            (parameters, &inputs),
            left_out,
            |source, reference, progress| {
                pipeline::run(
                    &genome,
                    (&sites, &controls),
                    (source, reference),
                    &self.pipeline,
                    progress,
                )
            },
        )
    }
}
