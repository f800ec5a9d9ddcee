//! `association`: do boundaries follow other data along the genome?

use super::analysis::Course;
use super::answers::{Origin, ShardOption};
use super::compute::Compute;
use super::draws::Draws;
use super::left_out::LeftOut;
use super::reads::Opened;
use super::router::RouterOption;
use super::windows::Windows;
use super::{counts, source};
use crate::error::{Error, Result};
use crate::genome::fasta::Genome;
use crate::pipelines::association::{
    self as pipeline, AssociationRequest, BIN_BP, DENSITY, FileTrack, SiteTrack, Track,
};
use crate::pipelines::signal::Missing;
use crate::pipelines::store::Part;
use crate::report::format::count;
use crate::report::provenance::Input;
use std::path::PathBuf;

/// Ask whether boundaries follow other data along the genome (accessibility, histone marks,
/// conservation, domain borders), given composition; writes an HTML report
///
/// Boundary density and token length in windows of several sizes against each track: rank
/// correlation as it is, and with G+C, CpG, dinucleotides, N and soft-masking accounted for. The
/// track around boundaries against positions that are none and share their k-mer. All tested
/// against circular shifts of the track along each contig.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ldar-analyze association --track h3k4me3.bw --track-missing zero --genome hg38.fa.gz --checkpoint model.pt --contigs chr21 --out chr21
      open chr21/index.html
  ldar-analyze association --track atac.bw phyloP.bw --genome hg38.fa.gz --checkpoint model.pt --out association
      each track is a question of its own; the genome is read once
  ldar-analyze association --sites borders.bed --genome hg38.fa.gz --checkpoint model.pt --windows 1000,10000 --out borders
      borders of contact domains: each base of a site counts 1, any other 0
  ldar-analyze association --track chr4.bw --out association
      a track on dm6, whose chromosome 4 is bundled, against the bundled model
  ldar-analyze association --track atac.bw --genome hg38.fa.gz --router fixed:4 --out grid
      the same question to boundaries that know nothing of the sequence

Boundaries are those of the plus strand. A track and the genome must be of the same assembly. A former result in the folder of --out is replaced; any other
folder that is not empty is left alone.")]
pub struct Arguments {
    /// Tracks: bigWig files, a number for each base
    #[arg(long, value_name = "BIGWIG", num_args = 1.., required_unless_present = "sites")]
    track: Vec<PathBuf>,
    /// What bases without a value in a track are
    #[arg(long, value_enum, default_value = "unknown", requires = "track")]
    track_missing: Missing,
    /// Sites as one more track: BED, or BEDPE with both ends of a line
    #[arg(long, value_name = "BED")]
    sites: Option<PathBuf>,
    /// Genome: FASTA, plain, gzip or bgzip; a .fai beside it is made if missing [default: bundled
    /// fly chromosome 4]
    #[arg(long, value_name = "FASTA", value_parser = source::path_of("genome"))]
    genome: Option<PathBuf>,
    /// Model: the authors' .pt, or safetensors; or ldarnet-110m (see fetch) [default: bundled]
    #[arg(long, value_name = "FILE", value_parser = source::path_of("checkpoint"))]
    checkpoint: Option<PathBuf>,
    #[command(flatten)]
    router: RouterOption,
    /// Folder for the results
    #[arg(long, value_name = "FOLDER", default_value = "association")]
    out: PathBuf,
    /// Only these contigs, by any of their names
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    contigs: Vec<String>,
    /// Sizes of windows, in bases
    #[arg(long, value_name = "BASES,..", value_delimiter = ',', default_value = "100,300,1000,3000,10000", value_parser = counts::parse)]
    windows: Vec<usize>,
    /// Bases of a block: what intervals draw
    #[arg(long, value_name = "BASES", default_value_t = 100_000, value_parser = counts::parse)]
    block: usize,
    /// Bases on either side of a boundary that the profile of a track shows
    #[arg(long, value_name = "BASES", default_value_t = 1000, value_parser = counts::parse)]
    reach: usize,
    #[command(flatten)]
    given: Windows,
    #[command(flatten)]
    draws: Draws,
    #[command(flatten)]
    compute: Compute,
    #[command(flatten)]
    shard: ShardOption,
}

/// Windows, blocks and profiles, in bases.
const SHORTEST_WINDOW: usize = 20;
const LONGEST_WINDOW: usize = 1_000_000;
const FARTHEST: usize = 10_000;

/// Random shifts whose profiles are kept in memory.
const MOST_PERMUTATIONS: usize = 100_000;

/// What is to be run.
pub struct Request {
    tracks: Vec<PathBuf>,
    missing: Missing,
    sites: Option<PathBuf>,
    genome: Option<PathBuf>,
    checkpoint: Option<PathBuf>,
    router: RouterOption,
    compute: Compute,
    part: Option<Part>,
    out: PathBuf,
    windows: Windows,
    pipeline: AssociationRequest,
}

impl Arguments {
    /// Refuses what no run could meet, before anything is read.
    pub fn validate(self) -> Result<Request> {
        let usage = |message: String| Err(Error::Usage(message));
        self.draws.check()?;
        counts::check(&[("--batch", self.given.batch)])?;
        if self.draws.permutations > MOST_PERMUTATIONS {
            return usage(format!(
                "--permutations {}: at most {MOST_PERMUTATIONS}",
                self.draws.permutations
            ));
        }
        let mut windows = self.windows;
        windows.sort_unstable();
        windows.dedup();
        let sizes = SHORTEST_WINDOW..=LONGEST_WINDOW;
        if let Some(size) = windows.iter().find(|size| !sizes.contains(size)) {
            return usage(format!(
                "--windows {size}: {SHORTEST_WINDOW} to {LONGEST_WINDOW}"
            ));
        }
        if let Some(largest) = windows.last().filter(|largest| **largest > self.block) {
            return usage(format!(
                "--block {}: a block holds whole windows, of which the largest has {largest} bases",
                self.block
            ));
        }
        if !(10 * BIN_BP..=FARTHEST).contains(&self.reach) {
            return usage(format!(
                "--reach {}: {} to {FARTHEST}",
                self.reach,
                10 * BIN_BP
            ));
        }
        self.given.check(0)?;
        let mut names: Vec<_> = (self.track.iter().chain(&self.sites))
            .map(|path| path.file_name().unwrap_or(path.as_os_str()))
            .collect();
        names.sort_unstable();
        if let Some(two) = names.windows(2).find(|two| two[0] == two[1]) {
            return usage(format!(
                "two tracks are called {}: a track goes by the name of its file, so rename one (a link will do)",
                two[0].to_string_lossy()
            ));
        }
        Ok(Request {
            tracks: self.track,
            missing: self.track_missing,
            sites: self.sites,
            genome: source::fasta(self.genome),
            checkpoint: self.checkpoint,
            router: self.router,
            compute: self.compute,
            part: self.shard.part(),
            out: self.out,
            windows: self.given,
            pipeline: AssociationRequest {
                contigs: self.contigs,
                windows,
                block_bp: self.block,
                reach_bp: self.reach,
                permutations: self.draws.permutations,
                bootstraps: self.draws.bootstraps,
                seed: self.draws.seed,
                batch: self.given.batch,
                ..AssociationRequest::default()
            },
        })
    }
}

fn left_out(found: &pipeline::Association) -> LeftOut {
    let rows = || found.contigs.iter().filter(|row| row.measure == DENSITY);
    let sum = |of: fn(&pipeline::ContigRow) -> u64| rows().map(of).sum::<u64>();
    let used = |row: &pipeline::ContigRow| u64::from(row.is_used) * row.n_windows;
    let reasons = [
        (
            "not read, or with bases other than A, C, G and T",
            sum(|row| row.n_unread),
        ),
        (
            "without a value of the track",
            sum(|row| row.n_without_track),
        ),
        (
            "on contigs with too few, or where boundaries or track do not vary",
            sum(|row| u64::from(!row.is_used) * row.n_windows),
        ),
    ];
    LeftOut {
        what: "windows",
        used: rows().map(used).sum(),
        reasons: reasons.map(|(reason, n)| (reason.into(), n)).to_vec(),
    }
}

impl Request {
    /// Runs the analysis, writes the results folder and prints the short of it.
    pub fn run(mut self, origin: Origin) -> Result<()> {
        let course = Course::start(origin, &self.out, self.part)?;
        let genome = source::genome(self.genome.as_deref())?;
        let tracks = self.open(&genome, &|line| course.bar.note(line))?;
        let tracks: Vec<&dyn Track> = tracks.iter().map(AsRef::as_ref).collect();
        let opened = Opened::model(
            &course.origin,
            self.checkpoint.as_deref(),
            self.router,
            self.compute,
        )?;
        (self.pipeline.context, self.pipeline.margin) =
            self.windows.of(opened.trained_length(), 0)?;
        let mut inputs = vec![source::genome_input(self.genome.as_deref())?];
        for path in &self.tracks {
            inputs.push(Input::file("track", path)?);
        }
        if let Some(path) = &self.sites {
            inputs.push(Input::file("sites", path)?);
        }
        inputs.push(
            course
                .origin
                .checkpoint(0, || source::checkpoint_input(self.checkpoint.as_deref()))?,
        );
        let mut parameters = serde_json::to_value(&self.pipeline).unwrap_or_default();
        self.router.note(&mut parameters);
        course.read(
            &opened,
            (parameters, &inputs),
            left_out,
            |source, progress| pipeline::run(&genome, source, &tracks, &self.pipeline, progress),
        )
    }

    fn open(&self, genome: &Genome, note: &dyn Fn(&str)) -> Result<Vec<Box<dyn Track>>> {
        let mut tracks: Vec<Box<dyn Track>> = Vec::new();
        for path in &self.tracks {
            let track = FileTrack::open(path, self.missing, genome.contigs())?;
            tracks.push(Box::new(track));
        }
        if let Some(path) = &self.sites {
            let sites = SiteTrack::open(path, genome.contigs())?;
            if sites.n_elsewhere > 0 {
                note(&format!(
                    "{}: {} sites lie on contigs that the genome lacks",
                    path.display(),
                    count(sites.n_elsewhere as usize)
                ));
            }
            tracks.push(Box::new(sites));
        }
        Ok(tracks)
    }
}
