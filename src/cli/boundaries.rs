//! `boundaries`: the boundary probability of every base: as a table, the referee for whoever checks
//! the model from outside, or as tracks of a genome.

mod regions;
mod table;
mod tracks;

use super::answers::{self, Answers, Origin, ShardOption};
use super::compute::Compute;
use super::reads::Opened;
use super::router::RouterOption;
use super::stderr::say;
use super::{counts, source};
use crate::error::{Error, Result};
use crate::genome::Interval;
use crate::genome::fasta::Genome;
use crate::memory;
use crate::output;
use crate::pipelines::BoundarySource;
use crate::pipelines::boundaries::{BoundariesRequest, Reading};
use crate::pipelines::store::Part;
use crate::report::format::count;
use crate::report::provenance::Input;
use crate::report::shard;
use crate::report::tracks::is_track;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Write the boundary probability of every base of a FASTA: as a table, or both strands as bigWig,
/// bedGraph or Parquet
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ldar-analyze boundaries --fasta region.fa --out boundaries.tsv.gz
  ldar-analyze boundaries --fasta region.fa.gz --checkpoint model.pt --context 0 | head
  ldar-analyze boundaries --genome hg38.fa.gz --regions chr21 --checkpoint model.pt --out chr21.bw
      chr21.plus.bw and chr21.minus.bw; .bedgraph, .bedgraph.gz and .parquet likewise

A track holds at base t the probability that a boundary lies before t in the orientation of the strand: on plus that of inter-base position t, on
minus of t + 1. With --shard the folder of --out gets a shard of tracks. --signal X.plus.bw --signal-minus X.minus.bw of the analyses, and deepTools with bins of 1, put it back at its place.

Columns of the table, of plus, separated by tabs, under a header line:
  contig         first word of the record's > line
  position       0-based: the inter-base position before this base
  base           the base, as the file has it
  boundary_prob  9 significant digits; the first base of a record reads 1. NA where a deeper --stage never saw the base
  is_boundary    1 if the probability is above 0.5, else 0 (NA likewise)

A record longer than --context is read in windows that overlap by two margins, which are trimmed. For tracks the difference this makes is
measured after seams and printed.")]
pub struct Arguments {
    /// Sequences: FASTA, plain, gzip or bgzip; or human, mouse, fly (see fetch)
    #[arg(long, visible_alias = "genome", value_name = "FILE", value_parser = source::path_of("genome"))]
    fasta: PathBuf,
    /// What to read: all, contigs by any of their names, or the regions of a BED file
    #[arg(long, value_name = "all|CONTIG,..|BED", default_value = "all")]
    regions: String,
    /// Model: the authors' .pt, or safetensors [default: the bundled model]
    #[arg(long, value_name = "FILE", value_parser = source::path_of("checkpoint"))]
    checkpoint: Option<PathBuf>,
    #[command(flatten)]
    router: RouterOption,
    /// File to write: tracks for .bw, .bedgraph[.gz] and .parquet, else the table, gzip if the name
    /// ends in .gz; - for standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    out: PathBuf,
    /// Bases given to the model at once; 0 reads every record at once
    #[arg(long, value_name = "BASES", default_value_t = 4096, value_parser = counts::parse)]
    context: usize,
    /// Bases trimmed from each end of a window [default: an eighth of the context, a quarter for
    /// tracks]
    #[arg(long, value_name = "BASES", value_parser = counts::parse)]
    margin: Option<usize>,
    /// Router to read, 0 for the outermost
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = counts::parse)]
    stage: usize,
    /// Windows given to the model together
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = counts::batch)]
    batch: usize,
    #[command(flatten)]
    compute: Compute,
    #[command(flatten)]
    shard: ShardOption,
}

/// Seams looked at on each strand of a contig.
const SEAMS: usize = 8;

/// A larger difference at a seam is a reason to change margin and context.
const SEAMLESS: f32 = 1e-3;

/// What is to be read and written.
pub struct Request {
    /// `None`: the bundled genome.
    fasta: Option<PathBuf>,
    regions: String,
    checkpoint: Option<PathBuf>,
    router: RouterOption,
    out: PathBuf,
    stage: usize,
    compute: Compute,
    part: Option<Part>,
    reading: BoundariesRequest,
}

impl Arguments {
    /// Refuses contexts without room between their margins.
    pub fn validate(self) -> Result<Request> {
        let tracks = is_track(&self.out) || self.shard.part().is_some();
        let margin = self
            .margin
            .unwrap_or(self.context / if tracks { 4 } else { 8 });
        if self.context > 0 && margin.max(1).saturating_mul(2) >= self.context {
            return Err(Error::Usage(format!(
                "--context {} leaves no room between two margins of {}: use a longer context or a smaller --margin",
                self.context,
                margin.max(1)
            )));
        }
        counts::check(&[("--batch", self.batch)])?;
        let fasta = source::fasta(Some(self.fasta));
        let seams = if tracks { SEAMS } else { 0 };
        let reading = BoundariesRequest {
            context: self.context,
            margin,
            batch: self.batch,
            seams,
        };
        let part = self.shard.part();
        if part.is_some() && self.out.as_os_str() == "-" {
            return Err(Error::Usage(
                "--shard leaves a folder: name it with --out".into(),
            ));
        }
        let Arguments {
            regions,
            checkpoint,
            router,
            out,
            stage,
            compute,
            ..
        } = self;
        Ok(Request {
            fasta,
            regions,
            checkpoint,
            router,
            out,
            stage,
            compute,
            part,
            reading,
        })
    }
}

impl Request {
    /// Reads and writes.
    pub fn run(self, origin: Origin) -> Result<()> {
        if matches!(origin, Origin::Merged(_)) && !is_track(&self.out) {
            return Err(Error::Usage("shards of boundaries make tracks: end --out in .bw, .bedgraph, .bedgraph.gz or .parquet".into()));
        }
        // Nothing can be kept beside standard output or a device.
        let out = super::table::place(self.out.clone()).filter(|out| !output::is_device(out));
        self.check_place(out.as_deref())?;
        let mut run = origin.start();
        let genome = source::genome(self.fasta.as_deref())?;
        let regions = regions::read(&genome, &self.regions)?;
        let opened = Opened::model(
            &origin,
            self.checkpoint.as_deref(),
            self.router,
            self.compute,
        )?;
        opened.recorded(&mut run);
        let Some(out) = out else {
            return opened.with(self.stage, |source| self.write(&genome, &regions, source));
        };
        let inputs = self.inputs(&origin)?;
        let mut parameters = serde_json::to_value(self.reading).unwrap_or_default();
        if self.regions_file().is_none() {
            parameters["regions"] = self.regions.as_str().into(); // else their file is an input
        }
        self.router.note(&mut parameters);
        let about = answers::About {
            analysis: "boundaries",
            parameters,
            inputs: &inputs,
            stage: self.stage,
            dtype: &run.dtype,
            device: &run.device,
            trained_length: opened.trained_length(),
            facts: &opened.facts(),
        };
        let answers = Answers::of(origin, &about, &out, self.part)?;
        opened.with(self.stage, |source| {
            answers.with(source, |source| self.write(&genome, &regions, source))
        })?;
        if answers.is_shard() {
            answers.leave_shard(&about, &run, &out)
        } else {
            answers.remove()
        }
    }

    /// Refuses an output that would replace what is not ours, before anything is read.
    fn check_place(&self, out: Option<&Path>) -> Result<()> {
        let inputs: Vec<&Path> = [
            self.fasta.as_deref(),
            self.checkpoint.as_deref(),
            self.regions_file(),
        ]
        .into_iter()
        .flatten()
        .collect();
        match out {
            Some(out) if self.part.is_some() => shard::replaceable(out).map(drop),
            // A track says nothing of who made it.
            Some(out) if is_track(out) => tracks::places(out)
                .iter()
                .try_for_each(|place| output::check_file(place, &inputs, |_| false)),
            out => super::table::check(out, table::HEADER, &inputs),
        }
    }

    fn regions_file(&self) -> Option<&Path> {
        Some(Path::new(&self.regions)).filter(|_| regions::is_file(&self.regions))
    }

    fn write(
        &self,
        genome: &Genome,
        regions: &BTreeMap<usize, Vec<Interval>>,
        source: &dyn BoundarySource,
    ) -> Result<()> {
        if source.is_part() {
            return tracks::read(genome, regions, source, &self.reading, &mut |_, _, _, _| {
                Ok(())
            })
            .map(drop);
        }
        if is_track(&self.out) {
            let reading = tracks::write(genome, regions, source, &self.reading, &self.out)?;
            self.tell(&reading);
            return Ok(());
        }
        let rows = table::Table {
            genome,
            regions,
            source,
            reading: self.reading,
        };
        let out = super::table::place(self.out.clone());
        super::table::write(out.as_deref(), |out, failed| rows.write(out, failed))
    }

    fn inputs(&self, origin: &Origin) -> Result<Vec<Input>> {
        let checkpoint =
            origin.checkpoint(0, || source::checkpoint_input(self.checkpoint.as_deref()))?;
        let mut inputs = vec![source::genome_input(self.fasta.as_deref())?, checkpoint];
        if let Some(path) = self.regions_file() {
            inputs.push(Input::file("regions", path)?);
        }
        Ok(inputs)
    }

    /// What was read, on standard error.
    fn tell(&self, reading: &Reading) {
        let peak = memory::peak_bytes().map_or(String::new(), |bytes| {
            format!("peak memory {:.2} GB, ", bytes as f64 / 1e9)
        });
        say(&format!(
            "{peak}{} bases read by the model",
            count(reading.bases_read as usize)
        ));
        match reading.seams {
            0 => say("no seams: every contig was read at once"),
            n => say(&format!(
                "seams: right after {n} of them the value differs by at most {:.1e} from that of a window centred on it{}",
                reading.seam_difference,
                if reading.seam_difference > SEAMLESS {
                    "; a larger --margin (and --context) lessens this"
                } else {
                    ""
                }
            )),
        }
        for place in tracks::places(&self.out) {
            say(&place.display().to_string());
        }
    }
}
