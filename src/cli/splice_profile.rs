//! `splice-profile`: do boundaries fall on splice junctions?

use super::analysis::Course;
use super::answers::{Origin, ShardOption};
use super::biotypes::Biotypes;
use super::draws::Draws;
use super::left_out::LeftOut;
use super::reads::Reads;
use super::source::Assembly;
use super::windows::Windows;
use super::{counts, source};
use crate::controls::{ControlRequest, Family, Method, Side};
use crate::error::{Error, Result};
use crate::genome::bed;
use crate::genome::junctions::TranscriptChoice;
use crate::genome::region::{self, Region};
use crate::pipelines::splice_profile::{
    self as pipeline, ComparisonRequest, ReplicateUnit, SpliceProfileRequest,
};
use crate::pipelines::store::Part;
use crate::report::provenance::Input;
use std::path::PathBuf;

/// Ask whether learned boundaries fall on splice junctions, against matched controls; writes an
/// HTML report
///
/// Boundary probabilities around annotated donors and acceptors are compared with those at matched
/// controls. By default these are decoys: GT and AG dinucleotides of the same genes that nothing
/// splices at, alike in composition, repeats and place in the gene. The endpoint is fixed: the
/// paired difference of the mean over inter-base positions -2 to +2. Everything is repeated on what
/// a table of the nucleotides nearby leaves unexplained.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ldar-analyze splice-profile --out results
      the bundled fly chromosome 4 and the bundled model; open results/index.html
  ldar-analyze splice-profile --genome hg38.fa.gz --annotation gencode.gtf.gz --contigs chr21 --biotype protein_coding --out chr21
  ldar-analyze splice-profile --region chr4:539253-741472 --out held-out
      genes in the stretch of the bundled chromosome that the bundled model was not trained on
  ldar-analyze splice-profile --control all --out families
      decoys, decoys of equal strength, equal k-mers, random positions, moved windows, shuffled flanks, side by side
  ldar-analyze splice-profile --control decoy,bed --control-bed mine.bed --out mine
      your own controls beside decoys; a record named chr4:24052:+ is paired with that site, the others are matched. The position of a
      record is its start on plus and its end on minus
  ldar-analyze splice-profile --genome hg38.fa.gz --annotation gencode.gtf.gz --signal phyloP.bw --out conservation
      any track in place of a model, with the same controls and tests (all but shuffle)
  ldar-analyze splice-profile --genome hg38.fa.gz --annotation gencode.gtf.gz --checkpoint model.pt --shard 3/40 --out shards/3
      one of forty jobs; `ldar-analyze merge shards/* --out results` then gives the results
  ldar-analyze splice-profile --control all --negative-control --out null
      controls against controls: a null by construction

What the model has said is kept in OUT.partial until the results are there: a run that was stopped goes on where it was.
A former result in the folder of --out is replaced; any other folder that is not empty is left alone.")]
pub struct Arguments {
    #[command(flatten)]
    assembly: Assembly,
    #[command(flatten)]
    reads: Reads,
    #[command(flatten)]
    shard: ShardOption,
    /// Folder for the results
    #[arg(long, value_name = "FOLDER", default_value = "splice-profile")]
    out: PathBuf,
    /// Positions of the profile on either side of a site
    #[arg(long, value_name = "BASES", default_value_t = 120, value_parser = counts::parse)]
    flank: usize,
    #[command(flatten)]
    windows: Windows,
    #[command(flatten)]
    biotypes: Biotypes,
    /// Which transcripts speak for a gene
    #[arg(long, value_enum, default_value = "canonical")]
    transcripts: TranscriptChoice,
    /// Only these contigs, by any of their names
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    contigs: Vec<String>,
    /// Only genes that lie wholly in this region, as chr4:539253-741472 (from 1, ends included); may
    /// be repeated
    #[arg(long, value_name = "REGION", value_parser = region::parse)]
    region: Vec<Region>,
    /// At most so many sites of each kind, a random subset
    #[arg(long, value_name = "N", value_parser = counts::parse)]
    max_sites: Option<usize>,
    /// Shorter introns are left out
    #[arg(long, value_name = "BASES", default_value_t = 30, value_parser = counts::parse)]
    min_intron: usize,
    /// Families of controls, the primary one first; `all` for all that need no file
    #[arg(
        long,
        value_enum,
        value_name = "FAMILY",
        value_delimiter = ',',
        default_value = "decoy",
        help_heading = "Controls"
    )]
    control: Vec<Control>,
    /// Controls of family bed: BED with names and strands, plain or gzip
    #[arg(long, value_name = "BED", help_heading = "Controls")]
    control_bed: Option<PathBuf>,
    /// How the nearest control is found
    #[arg(
        long = "match",
        value_enum,
        default_value = "nearest",
        help_heading = "Controls"
    )]
    method: Method,
    /// Controls for each site, at most; their values are averaged
    #[arg(long, value_name = "K", default_value_t = 1, help_heading = "Controls", value_parser = counts::parse)]
    controls_per_site: usize,
    /// Let a control serve several sites
    #[arg(long, help_heading = "Controls")]
    with_replacement: bool,
    /// Where in the gene controls may lie
    #[arg(long, value_enum, default_value = "any", help_heading = "Controls")]
    control_side: Side,
    /// Bases of each flank whose composition is matched
    #[arg(long, value_name = "BASES", default_value_t = 50, help_heading = "Controls", value_parser = counts::parse)]
    gc_flank: usize,
    /// Largest difference in G+C fraction between a site and its control, on each flank
    #[arg(
        long,
        value_name = "FRACTION",
        default_value_t = 0.05,
        help_heading = "Controls"
    )]
    caliper: f64,
    /// Least distance of a control from every annotated site of its strand; 5 keeps their endpoints
    /// apart
    #[arg(long, value_name = "BASES", default_value_t = 5, help_heading = "Controls", value_parser = counts::parse)]
    min_site_distance: usize,
    /// Distance that controls keep from annotated sites where their gene allows; the outer offsets
    /// of nearer ones carry the signal of the site
    #[arg(long, value_name = "BASES", default_value_t = 120, help_heading = "Controls", value_parser = counts::parse)]
    site_distance: usize,
    /// k-mer that controls of family kmer share with their site; narrower ones are listed apart
    #[arg(long, value_name = "K", default_value_t = 8, help_heading = "Controls", value_parser = counts::parse)]
    kmer: usize,
    /// Unit of replication: what the test flips and the bootstrap draws as one
    #[arg(long, value_enum, default_value = "gene")]
    cluster: ReplicateUnit,
    /// First and last offset whose boundaries are to tell donors from decoys
    #[arg(long, value_name = "FIRST:LAST", default_value = "-10:10", allow_hyphen_values = true, value_parser = window, help_heading = "Sites from decoys")]
    donor_window: (i64, i64),
    /// The same of acceptors
    #[arg(long, value_name = "FIRST:LAST", default_value = "-30:10", allow_hyphen_values = true, value_parser = window, help_heading = "Sites from decoys")]
    acceptor_window: (i64, i64),
    /// What else is asked to tell sites from decoys, to compare with
    #[arg(
        long,
        value_enum,
        value_name = "WHAT",
        help_heading = "Sites from decoys"
    )]
    reference: Option<Reference>,
    /// Read sites and controls on both strands, and repeat everything on the mean of the two
    #[arg(long)]
    strand_average: bool,
    #[command(flatten)]
    draws: Draws,
    /// Compare two sets of controls, dealt at random, in every family: a null by construction
    #[arg(long)]
    negative_control: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Reference {
    /// A model of the same size with fresh weights, by --seed: it is read too, in the same time
    Untrained,
}

/// `-10:10`: the first and last of some offsets, of which one at least.
pub(super) fn window(text: &str) -> std::result::Result<(i64, i64), String> {
    let offsets = text
        .split_once(':')
        .and_then(|(first, last)| Some((first.parse::<i64>().ok()?, last.parse::<i64>().ok()?)));
    match offsets {
        Some((first, last))
            if (-WIDEST_WINDOW..=0).contains(&first) && (0..=WIDEST_WINDOW).contains(&last) =>
        {
            Ok((first, last))
        }
        _ => Err(format!(
            "two offsets around 0 and a colon between them, such as -10:10, each at most {WIDEST_WINDOW} from it"
        )),
    }
}

/// Wider windows would take more sites than there are.
const WIDEST_WINDOW: i64 = 60;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Control {
    /// GT or AG of the same gene, flanks alike
    Decoy,
    /// As decoy, and as strong by a weight matrix of the other genes' sites
    Strength,
    /// The same k nucleotides around the position, in any gene with sites of the contig; both genes are
    /// units of replication
    Kmer,
    /// Any position of the same gene, flanks alike
    Random,
    /// The window moved by 30 to 200 bases inside the gene
    Shift,
    /// The site itself, its flanks shuffled with their dinucleotides kept
    Shuffle,
    /// The user's: see --control-bed
    Bed,
    /// All but bed, and bed with --control-bed
    All,
}

impl Control {
    fn families(self, bed: bool) -> Vec<Family> {
        match self {
            Control::Decoy => vec![Family::Decoy],
            Control::Strength => vec![Family::Strength],
            Control::Kmer => vec![Family::Kmer],
            Control::Random => vec![Family::Random],
            Control::Shift => vec![Family::Shift],
            Control::Shuffle => vec![Family::Shuffle],
            Control::Bed => vec![Family::Bed],
            Control::All => Family::ALL
                .into_iter()
                .filter(|family| bed || *family != Family::Bed)
                .collect(),
        }
    }
}

/// What is to be run.
pub struct Request {
    files: Option<(PathBuf, PathBuf)>,
    reads: Reads,
    part: Option<Part>,
    control_bed: Option<PathBuf>,
    out: PathBuf,
    windows: Windows,
    pipeline: SpliceProfileRequest,
}

impl Arguments {
    /// Refuses what no run could meet, before anything is read.
    pub fn validate(self) -> Result<Request> {
        let usage = |message: &str| Err(Error::Usage(message.into()));
        self.draws.check()?;
        counts::check(&[
            ("--batch", self.windows.batch),
            ("--gc-flank", self.gc_flank),
            ("--max-sites", self.max_sites.unwrap_or(1)),
            ("--controls-per-site", self.controls_per_site),
        ])?;
        if self.flank < pipeline::ENDPOINT_REACH {
            return usage(&format!(
                "--flank {}: the endpoint takes {} positions on either side",
                self.flank,
                pipeline::ENDPOINT_REACH
            ));
        }
        if !(0.0..=1.0).contains(&self.caliper) {
            return usage(&format!(
                "--caliper {}: a difference in G+C fraction lies in 0 to 1",
                self.caliper
            ));
        }
        self.windows.check(self.flank)?;
        if !(4..=24).contains(&self.kmer) {
            return usage(&format!("--kmer {}: 4 to 24", self.kmer));
        }
        let mut families: Vec<Family> = Vec::new();
        for family in self
            .control
            .iter()
            .flat_map(|control| control.families(self.control_bed.is_some()))
        {
            if !families.contains(&family) {
                families.push(family);
            }
        }
        self.reads.refuse_shards_of_signal(self.shard.part())?;
        if self.reads.is_signal() && self.control.contains(&Control::All) {
            families.retain(|family| *family != Family::Shuffle);
        }
        if families.contains(&Family::Shuffle) {
            self.reads.refuse_for_signal("--control shuffle")?;
        }
        self.reads
            .refuse_untrained_of_signal(self.reference.is_some())?;
        if self.negative_control && self.reference.is_some() {
            return usage(
                "--reference untrained is for sites: --negative-control compares controls with controls",
            );
        }
        match (families.contains(&Family::Bed), &self.control_bed) {
            (true, None) => return usage("--control bed needs --control-bed FILE"),
            (false, Some(_)) => {
                return usage("--control-bed is for family bed: add it to --control");
            }
            _ => {}
        }
        let controls = ControlRequest {
            families,
            method: self.method,
            per_site: self.controls_per_site,
            replacement: self.with_replacement,
            side: self.control_side,
            gc_flank_bp: self.gc_flank,
            caliper: self.caliper,
            min_site_distance_bp: self.min_site_distance,
            site_distance_bp: self.site_distance,
            kmer: self.kmer,
        };
        let comparison = ComparisonRequest {
            flank: self.flank,
            controls,
            cluster: self.cluster,
            permutations: self.draws.permutations,
            bootstraps: self.draws.bootstraps,
            seed: self.draws.seed,
            batch: self.windows.batch,
            negative_control: self.negative_control,
            strand_average: self.strand_average,
            ..ComparisonRequest::default()
        };
        let pipeline = SpliceProfileRequest {
            comparison,
            transcripts: self.transcripts,
            biotypes: self.biotypes.of_genes(),
            contigs: self.contigs,
            regions: self.region,
            max_sites: self.max_sites,
            min_intron_bp: self.min_intron,
            donor_window: self.donor_window,
            acceptor_window: self.acceptor_window,
            untrained: self.reference.is_some(),
        };
        Ok(Request {
            files: self.assembly.files()?,
            part: self.shard.part(),
            reads: self.reads,
            control_bed: self.control_bed,
            out: self.out,
            windows: self.windows,
            pipeline,
        })
    }
}

fn left_out(found: &pipeline::SpliceProfile) -> LeftOut {
    let (used, out): (Vec<_>, Vec<_>) = found
        .accounting
        .iter()
        .partition(|row| row.status == "used");
    let reasons = out
        .into_iter()
        .map(|row| (row.status.clone(), row.n))
        .collect();
    LeftOut {
        what: "splice sites",
        used: used.iter().map(|row| row.n).sum(),
        reasons,
    }
}

impl Request {
    /// Runs the analysis, writes the results folder and prints the short of it.
    pub fn run(mut self, origin: Origin) -> Result<()> {
        let course = Course::start(origin, &self.out, self.part)?;
        let checkpoint = self.reads.checkpoint(&course.origin)?;
        self.settle_context(course.origin.trained_length(checkpoint.as_ref()))?;
        let (genome, annotation) = source::reference(self.files.as_ref(), &course.bar)?;
        let given = self.control_bed.as_deref().map_or(Ok(Vec::new()), |path| {
            bed::read_positions(path, genome.contigs())
        })?;
        let inputs = self.inputs(&course.origin)?;
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
                pipeline::run_beside(
                    &genome,
                    &annotation,
                    &given,
                    (source, reference),
                    &self.pipeline,
                    progress,
                )
            },
        )
    }

    fn settle_context(&mut self, trained: Option<usize>) -> Result<()> {
        let comparison = &mut self.pipeline.comparison;
        (comparison.context, comparison.margin) = self.windows.of(trained, comparison.flank)?;
        Ok(())
    }

    fn inputs(&self, origin: &Origin) -> Result<Vec<Input>> {
        let mut inputs = source::files_inputs(self.files.as_ref())?;
        inputs.extend(self.reads.inputs(origin)?);
        if let Some(path) = &self.control_bed {
            inputs.push(Input::file("controls", path)?);
        }
        Ok(inputs)
    }
}
