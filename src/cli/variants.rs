//! `variants`: what a model says of variants without having been told of any.

mod read;

use super::analysis::{Asked, Course};
use super::answers::{Origin, ShardOption};
use super::compute::Compute;
use super::left_out::LeftOut;
use super::reads::Opened;
use super::router::RouterOption;
use super::windows::Windows;
use super::{counts, source};
use crate::error::{Error, Result};
use crate::genome::fasta::Genome;
use crate::pipelines::BoundarySource;
use crate::pipelines::Values;
use crate::pipelines::ldarnet::Scorer;
use crate::pipelines::signal::{Missing, Signal};
use crate::pipelines::store::{Part, Unopened};
use crate::pipelines::variants::{self as pipeline, Allele, VariantsRequest};
use crate::report::provenance::Input;
use crate::report::variants::Found;
use std::path::PathBuf;

/// Score variants with a model that was never told of any: likelihoods, boundaries, hidden states;
/// VCF, tables and an HTML report
///
/// Every allele gets the log-likelihood ratio of alternative against reference with the position
/// masked, what it does to the boundaries nearby, and how far it moves the mean hidden state;
/// beside them what a table of the nucleotides nearby says, and a track. Alleles that cannot be scored
/// come back with the reason.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ldar-analyze variants --vcf calls.vcf.gz --genome hg38.fa.gz --checkpoint model.pt --both-strands --signal phyloP.bw --out scores
      scores/variants.vcf.gz with INFO fields, and its index; tables and a page
  ldar-analyze variants --table mpra.tsv --labels effect --group element --context 512 --margin 64 --reach 32 --out mpra
      measured effects, in elements with sequences of their own: columns sequence, pos, ref, alt, effect, element
  ldar-analyze variants --vcf clinvar.vcf.gz --genome hg38.fa.gz --labels PATHOGENIC --group GENE --shard 3/40 --out shards/3
      one of forty jobs; `ldar-analyze merge shards/* --out results` then gives the results

A table has a line of column names: chrom (also chr, contig), pos (counted from 1, as in VCF), ref and alt (- for nothing: a deletion or insertion), and, in place of --genome,
sequence: what pos counts in. --labels names a column, of VCF an INFO field: 0 and 1 alone are labels (AUROC), else measured effects (Spearman's correlation in
each group). --group names genes or elements, which are drawn as wholes; contigs where there is none.

The model reads --context bases for the reference of a tile, for each masked position and for each allele: a shorter context costs less in proportion.")]
pub struct Arguments {
    /// Variants: VCF, plain, gzip or bgzip
    #[arg(
        long,
        value_name = "VCF",
        conflicts_with = "table",
        required_unless_present = "table"
    )]
    vcf: Option<PathBuf>,
    /// Variants: a table of text, comma- or tab-separated, plain or gzip
    #[arg(long, value_name = "TSV")]
    table: Option<PathBuf>,
    /// Genome: FASTA, plain, gzip or bgzip, with contigs named in any style [default: bundled fly
    /// chromosome 4]
    #[arg(long, value_name = "FASTA", value_parser = source::path_of("genome"))]
    genome: Option<PathBuf>,
    /// Model: the authors' .pt, or safetensors; or ldarnet-110m (see fetch) [default: bundled]
    #[arg(long, value_name = "FILE", value_parser = source::path_of("checkpoint"))]
    checkpoint: Option<PathBuf>,
    /// A track to set beside the scores, such as conservation: its mean over the bases that change
    #[arg(long, value_name = "BIGWIG")]
    signal: Option<PathBuf>,
    /// Labels (0 and 1) or measured effects: a column of --table, an INFO field of --vcf
    #[arg(long, value_name = "NAME", help_heading = "Evaluation")]
    labels: Option<String>,
    /// Genes or elements, drawn as wholes: a column, or an INFO field [default: contigs]
    #[arg(
        long,
        value_name = "NAME",
        requires = "labels",
        help_heading = "Evaluation"
    )]
    group: Option<String>,
    /// Draws of the bootstrap
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = counts::parse, help_heading = "Evaluation")]
    bootstraps: usize,
    /// Sign flips of the tests
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = counts::parse, help_heading = "Evaluation")]
    permutations: usize,
    /// Folder for the results
    #[arg(long, value_name = "FOLDER", default_value = "variants")]
    out: PathBuf,
    /// Score both strands and take the mean: twice the work
    #[arg(long)]
    both_strands: bool,
    /// Bases on either side of a variant within which boundaries, and likelihoods of insertions and
    /// deletions, are looked at
    #[arg(long, value_name = "BASES", default_value_t = 100, value_parser = counts::parse)]
    reach: usize,
    #[command(flatten)]
    windows: Windows,
    /// Seed of everything random
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    compute: Compute,
    #[command(flatten)]
    shard: ShardOption,
}

/// The file of variants.
enum File {
    Vcf(PathBuf),
    Table(PathBuf),
}

/// What is to be run.
pub struct Request {
    file: File,
    genome: Option<PathBuf>,
    checkpoint: Option<PathBuf>,
    signal: Option<PathBuf>,
    out: PathBuf,
    windows: Windows,
    compute: Compute,
    part: Option<Part>,
    pipeline: VariantsRequest,
}

impl Arguments {
    /// Refuses what no run could meet, before anything is read.
    pub fn validate(self) -> Result<Request> {
        counts::check(&[
            ("--bootstraps", self.bootstraps),
            ("--permutations", self.permutations),
            ("--batch", self.windows.batch),
            ("--reach", self.reach),
        ])?;
        if let Some(asked) = self.windows.asked() {
            check_room(asked, self.reach)?;
        }
        let file = match (self.vcf, self.table) {
            (Some(vcf), _) => File::Vcf(vcf),
            (None, Some(table)) => File::Table(table),
            (None, None) => return Err(Error::Usage("variants needs --vcf or --table".into())),
        };
        Ok(Request {
            file,
            genome: source::fasta(self.genome),
            checkpoint: self.checkpoint,
            signal: self.signal,
            out: self.out,
            windows: self.windows,
            compute: self.compute,
            part: self.shard.part(),
            pipeline: VariantsRequest {
                context: 0,
                margin: 0,
                batch: self.windows.batch,
                reach: self.reach,
                both_strands: self.both_strands,
                labels: self.labels,
                group: self.group,
                bootstraps: self.bootstraps,
                permutations: self.permutations,
                seed: self.seed,
            },
        })
    }
}

/// Refuses a context without room for a single base with its surroundings.
fn check_room((context, margin): (usize, usize), reach: usize) -> Result<()> {
    let needed = margin
        .max(1)
        .saturating_add(reach)
        .saturating_mul(2)
        .saturating_add(1);
    match needed > context {
        true => Err(Error::Usage(format!(
            "a context of {context} bases has no room for a variant with --reach {reach} and a margin of {margin} on both sides: it takes {needed}"
        ))),
        false => Ok(()),
    }
}

fn left_out(found: &Found) -> LeftOut {
    let (used, reasons) = found
        .found
        .accounting
        .split_first()
        .map_or((0, Vec::new()), |(scored, reasons)| {
            (scored.n, reasons.to_vec())
        });
    LeftOut {
        what: "alleles",
        used,
        reasons: reasons
            .into_iter()
            .map(|row| (row.outcome, row.n))
            .collect(),
    }
}

impl Request {
    /// Scores, writes the results folder and prints the short of it.
    pub fn run(mut self, origin: Origin) -> Result<()> {
        let mut course = Course::start(origin, &self.out, self.part)?;
        let opened = Opened::model(
            &course.origin,
            self.checkpoint.as_deref(),
            RouterOption::default(),
            self.compute,
        )?;
        opened.recorded(&mut course.run);
        let (context, margin) = self.windows.of(opened.trained_length(), 0)?;
        check_room((context, margin), self.pipeline.reach)?;
        (self.pipeline.context, self.pipeline.margin) = (context, margin);
        let (own, alleles) = self.variants()?;
        let inputs = self.inputs(&course.origin, own.is_none())?;
        let genome = own.map_or_else(|| source::genome(self.genome.as_deref()), Ok)?;
        let track = self
            .signal
            .as_deref()
            .map(|path| Signal::open(path, None, Missing::Unknown, genome.contigs()))
            .transpose()?;
        let scorer: Box<dyn BoundarySource + '_> = match &opened {
            Opened::Model { model, .. } => Box::new(Scorer(model)),
            _ => Box::new(Unopened(Values::Scores)),
        };
        let asked = Asked {
            parameters: serde_json::to_value(&self.pipeline).unwrap_or_default(),
            inputs: &inputs,
            facts: opened.facts(),
            trained_length: opened.trained_length(),
            models: &[("", scorer.as_ref())],
        };
        let vcf = match &self.file {
            File::Vcf(path) => Some(path.clone()),
            File::Table(_) => None,
        };
        course.finish(asked, left_out, |models, progress| {
            let source = models.first().copied().unwrap_or(scorer.as_ref());
            Ok(Found {
                found: pipeline::run(
                    &genome,
                    &alleles,
                    source,
                    track.as_ref(),
                    &self.pipeline,
                    progress,
                )?,
                vcf,
            })
        })
    }

    /// The alleles, and the sequences of a table that has its own.
    fn variants(&self) -> Result<(Option<Genome>, Vec<Allele>)> {
        let names = read::Names {
            labels: self.pipeline.labels.as_deref(),
            group: self.pipeline.group.as_deref(),
        };
        let (own, alleles) = match &self.file {
            File::Vcf(path) => (None, read::vcf(path, &names)?),
            File::Table(path) => read::table(path, &names)?,
        };
        match (own, &self.genome) {
            (Some(_), Some(genome)) => Err(Error::Usage(format!(
                "--genome {}: the table has sequences of its own (a column 'sequence'); leave one of both out",
                genome.display()
            ))),
            (own, _) => Ok((own, alleles)),
        }
    }

    fn inputs(&self, origin: &Origin, reads_genome: bool) -> Result<Vec<Input>> {
        let variants = match &self.file {
            File::Vcf(path) | File::Table(path) => Input::file("variants", path)?,
        };
        let mut inputs = vec![variants];
        if reads_genome {
            inputs.push(source::genome_input(self.genome.as_deref())?);
        }
        inputs.push(origin.checkpoint(0, || source::checkpoint_input(self.checkpoint.as_deref()))?);
        if let Some(path) = &self.signal {
            inputs.push(Input::file("track", path)?);
        }
        Ok(inputs)
    }
}
