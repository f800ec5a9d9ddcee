//! `density`: does the model cut some classes of sequence more densely than others?

use super::analysis::Course;
use super::answers::{Origin, ShardOption};
use super::biotypes::Biotypes;
use super::draws::Draws;
use super::left_out::LeftOut;
use super::reads::Reads;
use super::source::Assembly;
use super::splice_profile::Reference;
use super::windows::Windows;
use super::{counts, source};
use crate::error::{Error, Result};
use crate::pipelines::density::{self as pipeline, DensityRequest, LEAST_BP, TOKEN_REACH};
use crate::pipelines::store::Part;
use crate::report::provenance::Input;
use std::path::PathBuf;

/// Ask whether the model cuts classes of sequence more densely than others, against matched
/// controls; writes an HTML report
///
/// Stretches of each class of the annotation (donors, acceptors, promoters, exons, CDS, UTRs,
/// introns, intergenic, repeats) are compared with stretches nearby of the same length and G+C that
/// are not of the class: mean boundary probability, share of boundaries, token lengths, and what is
/// left of the difference when the nucleotides within 8 bases are accounted for.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ldar-analyze density --out density
      the bundled fly chromosome 4 and the bundled model; open density/index.html
  ldar-analyze density --genome hg38.fa.gz --annotation gencode.gtf.gz --checkpoint model.pt --max-per-class 100 --out density
      100 stretches of each class from the whole genome
  ldar-analyze density --contigs chr21 --genome hg38.fa.gz --annotation gencode.gtf.gz --max-per-class 2000 --out chr21
  ldar-analyze density --genome hg38.fa.gz --annotation gencode.gtf.gz --signal phyloP.bw --out conservation
      any track in place of a model: its mean by class, with the same controls and tests; a track has no boundaries to count and no tokens
  ldar-analyze density --genome hg38.fa.gz --annotation gencode.gtf.gz --checkpoint model.pt --shard 3/40 --out shards/3
      one of forty jobs; `ldar-analyze merge shards/* --out results` then gives the results
  ldar-analyze density --reference untrained --out density
      an untrained model of the same size beside: what training has to do with it
  ldar-analyze density --negative-control --out null
      controls against other controls: a null by construction

Each base is of one class, by the first that any transcript says of it: CDS, 5' UTR, 3' UTR, non-coding exon, intron; intergenic outside of genes and promoters. Exons,
junctions, promoters and repeats (soft-masked bases) lie over these. Contigs that the annotation does not name are left out.
A former result in the folder of --out is replaced; any other folder that is not empty is left alone.")]
pub struct Arguments {
    #[command(flatten)]
    assembly: Assembly,
    #[command(flatten)]
    biotypes: Biotypes,
    #[command(flatten)]
    reads: Reads,
    /// Folder for the results
    #[arg(long, value_name = "FOLDER", default_value = "density")]
    out: PathBuf,
    /// Only these contigs, by any of their names
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    contigs: Vec<String>,
    /// Bases of a stretch, at most; junctions get half of it on either side
    #[arg(long, value_name = "BASES", default_value_t = 100, value_parser = counts::parse)]
    stretch: usize,
    /// At most so many stretches of each class, a random subset
    #[arg(long, value_name = "N", default_value_t = 400, value_parser = counts::parse)]
    max_per_class: usize,
    /// Largest difference in G+C fraction between a stretch and its control
    #[arg(long, value_name = "FRACTION", default_value_t = 0.03)]
    caliper: f64,
    #[command(flatten)]
    windows: Windows,
    #[command(flatten)]
    draws: Draws,
    /// What else is asked about the same stretches and controls, to compare with
    #[arg(long, value_enum, value_name = "WHAT")]
    reference: Option<Reference>,
    /// Compare two controls of each stretch with each other instead: a null by construction
    #[arg(long)]
    negative_control: bool,
    #[command(flatten)]
    shard: ShardOption,
}

/// The longest stretch, in bases.
const LONGEST: usize = 10_000;

/// What is to be run.
pub struct Request {
    files: Option<(PathBuf, PathBuf)>,
    reads: Reads,
    part: Option<Part>,
    out: PathBuf,
    windows: Windows,
    pipeline: DensityRequest,
}

impl Arguments {
    /// Refuses what no run could meet, before anything is read.
    pub fn validate(self) -> Result<Request> {
        let usage = |message: String| Err(Error::Usage(message));
        self.draws.check()?;
        counts::check(&[
            ("--batch", self.windows.batch),
            ("--max-per-class", self.max_per_class),
        ])?;
        if !(LEAST_BP..=LONGEST).contains(&self.stretch) {
            return usage(format!(
                "--stretch {}: {LEAST_BP} to {LONGEST}",
                self.stretch
            ));
        }
        if !(0.0..=1.0).contains(&self.caliper) {
            return usage(format!(
                "--caliper {}: a difference in G+C fraction lies in 0 to 1",
                self.caliper
            ));
        }
        if let Some(asked) = self.windows.asked() {
            check_room(asked, self.stretch)?;
        }
        self.reads.refuse_shards_of_signal(self.shard.part())?;
        self.reads
            .refuse_untrained_of_signal(self.reference.is_some())?;
        if self.negative_control && self.reference.is_some() {
            return usage(
                "--reference untrained is for classes: --negative-control compares controls with controls"
                    .into(),
            );
        }
        let pipeline = DensityRequest {
            stretch_bp: self.stretch,
            max_per_class: self.max_per_class,
            caliper: self.caliper,
            contigs: self.contigs,
            biotypes: self.biotypes.of_genes(),
            permutations: self.draws.permutations,
            bootstraps: self.draws.bootstraps,
            seed: self.draws.seed,
            batch: self.windows.batch,
            negative_control: self.negative_control,
            untrained: self.reference.is_some(),
            ..DensityRequest::default()
        };
        Ok(Request {
            files: self.assembly.files()?,
            reads: self.reads,
            part: self.shard.part(),
            out: self.out,
            windows: self.windows,
            pipeline,
        })
    }
}

/// Refuses a context without room for a stretch and its tokens between its margins.
fn check_room((context, margin): (usize, usize), stretch: usize) -> Result<()> {
    let needed = margin
        .max(1)
        .saturating_mul(2)
        .saturating_add(stretch + TOKEN_REACH);
    if needed > context {
        return Err(Error::Usage(format!(
            "a context of {context} bases has no room for --stretch {stretch}, {TOKEN_REACH} bases more for tokens and a margin of {margin} on both sides: it takes {needed}"
        )));
    }
    Ok(())
}

fn left_out(found: &pipeline::Density) -> LeftOut {
    let sum =
        |of: fn(&pipeline::AccountingRow) -> u64| found.accounting.iter().map(of).sum::<u64>();
    let reasons = [
        ("too short", sum(|row| row.n_short)),
        (
            "not A, C, G and T, or at an end",
            sum(|row| row.n_not_plain),
        ),
        ("without a control", sum(|row| row.n_no_control)),
    ];
    LeftOut {
        what: "stretches",
        used: sum(|row| row.n_used),
        reasons: reasons.map(|(reason, n)| (reason.into(), n)).to_vec(),
    }
}

impl Request {
    /// Runs the analysis, writes the results folder and prints the short of it.
    pub fn run(mut self, origin: Origin) -> Result<()> {
        let course = Course::start(origin, &self.out, self.part)?;
        let checkpoint = self.reads.checkpoint(&course.origin)?;
        let trained = course.origin.trained_length(checkpoint.as_ref());
        let (context, margin) = self.windows.of(trained, 0)?;
        check_room((context, margin), self.pipeline.stretch_bp)?;
        (self.pipeline.context, self.pipeline.margin) = (context, margin);
        let (genome, annotation) = source::reference(self.files.as_ref(), &course.bar)?;
        let inputs = self.inputs(&course.origin)?;
        let seed = self.pipeline.seed;
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
                let sources = (source, reference);
                pipeline::run(&genome, &annotation, sources, &self.pipeline, progress)
            },
        )
    }

    fn inputs(&self, origin: &Origin) -> Result<Vec<Input>> {
        let mut inputs = source::files_inputs(self.files.as_ref())?;
        inputs.extend(self.reads.inputs(origin)?);
        Ok(inputs)
    }
}
