//! Sites against their controls: what every pipeline does that asks whether boundaries mark a set
//! of positions. It matches controls of any number of families, reads the model around sites and
//! controls, and compares one endpoint fixed in advance: the mean over inter-base positions -2..+2.

pub mod baseline;
mod correction;
pub mod discrimination;
mod heatmap;
mod letters;
mod matching;
mod reading;
mod rows;
mod statistics;
mod strands;
mod tables;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use crate::controls::balance::BalanceRow;
pub use discrimination::Discrimination;
pub use heatmap::{MOST_BINS, MOST_SITES};
pub use letters::{LetterRow, letters};
pub use matching::Matched;
pub use reading::strand_windows;
pub use rows::{
    BaselineRow, ControlRow, HeatmapRow, MatchingRow, OffsetRow, PairRow, ProfileRow, RunRow,
    StatisticsRow, StrandRow, SumRow, WidthRow,
};

use crate::controls::strength::Span;
use crate::controls::{ControlRequest, Core, Covariates, Family, Method, Side};
use crate::error::{Error, Result};
use crate::genome::bed::BedRecord;
use crate::genome::fasta::Genome;
use crate::genome::{Interval, Strand};
use crate::pipelines::tiles::TileShape;
use crate::pipelines::{BoundarySource, Progress, Values, masked};
use crate::stats::rng::Rng;

/// The endpoint is the mean over offsets `-ENDPOINT_REACH ..= ENDPOINT_REACH`. Fixed before any
/// result was seen; not an option.
pub const ENDPOINT_REACH: usize = 2;

/// What is flipped together by the test and drawn together by the bootstrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum ReplicateUnit {
    /// Genes, overlapping ones merged.
    Gene,
    /// Contigs.
    Contig,
    /// Each site by itself. Too sure of itself wherever sites of a gene are alike.
    Site,
}

impl ReplicateUnit {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            ReplicateUnit::Gene => "gene",
            ReplicateUnit::Contig => "contig",
            ReplicateUnit::Site => "site",
        }
    }
}

/// What is asked, whatever the sites.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComparisonRequest {
    /// Positions of the profile on either side of a site.
    pub flank: usize,
    /// Bases of a tile given to the model.
    pub context: usize,
    /// Least distance of a position from the ends of its tile, in bases.
    pub margin: usize,
    /// The controls.
    pub controls: ControlRequest,
    /// The unit of replication.
    pub cluster: ReplicateUnit,
    /// Random flips of the permutation tests.
    pub permutations: usize,
    /// Draws of the bootstrap.
    pub bootstraps: usize,
    /// Seed of everything random.
    pub seed: u64,
    /// Tiles per call of the model.
    pub batch: usize,
    /// Compare controls with controls: of twice as many controls a site, dealt into two sets at
    /// random, one takes the place of the site (group `site`). The result is expected to be null.
    pub negative_control: bool,
    /// Read every site and control on both strands and repeat everything on the mean of the two.
    pub strand_average: bool,
}

impl Default for ComparisonRequest {
    fn default() -> Self {
        ComparisonRequest {
            flank: 120,
            context: 4096,
            margin: 512,
            controls: ControlRequest {
                families: vec![Family::Decoy],
                method: Method::Nearest,
                per_site: 1,
                replacement: false,
                side: Side::Any,
                gc_flank_bp: 50,
                caliper: 0.05,
                min_site_distance_bp: 2 * ENDPOINT_REACH + 1,
                site_distance_bp: 120,
                kmer: 8,
            },
            cluster: ReplicateUnit::Gene,
            permutations: 10_000,
            bootstraps: 2000,
            seed: 1,
            batch: 4,
            negative_control: false,
            strand_average: false,
        }
    }
}

impl ComparisonRequest {
    /// Bases on either side of a site or control that must be there and be ACGT.
    pub fn radius_bp(&self) -> usize {
        const WIDEST_MATRIX: usize = 20;
        self.flank
            .max(self.controls.gc_flank_bp)
            .max(WIDEST_MATRIX)
            .max(self.controls.kmer)
    }

    /// The bases before and after an inter-base position of a strand that the values of its profile
    /// are read from: each value is read from the base after its position in the orientation of the
    /// strand, and of [`ComparisonRequest::strand_average`] from that on either side.
    pub fn read_bp(&self, strand: Strand) -> [usize; 2] {
        match strand {
            _ if self.strand_average => [self.flank + 1, self.flank + 1],
            Strand::Plus => [self.flank, self.flank + 1],
            Strand::Minus => [self.flank + 1, self.flank],
        }
    }

    /// These bases around a position.
    pub fn bases_read(&self, position: usize, strand: Strand) -> Interval {
        let [before, after] = self.read_bp(strand);
        Interval::new(
            position.saturating_sub(before),
            position.saturating_add(after),
        )
    }

    /// Refuses what no run could meet.
    ///
    /// # Errors
    /// [`Error::Invalid`], with what to change.
    pub fn check(&self) -> Result<()> {
        let invalid = |message: String| Err(Error::Invalid(message));
        if self.flank < ENDPOINT_REACH {
            return invalid(format!(
                "flank {}: the endpoint needs at least {ENDPOINT_REACH} positions on either side",
                self.flank
            ));
        }
        let needed = self
            .flank
            .checked_add(self.margin.max(1))
            .and_then(|half| half.checked_mul(2));
        if needed.is_none_or(|needed| needed > self.context) {
            return invalid(format!(
                "a context of {} bases is too short for a flank of {} and a margin of {} on both sides; use a longer context or a smaller margin",
                self.context, self.flank, self.margin
            ));
        }
        let controls = &self.controls;
        if controls.gc_flank_bp > 1 << 16 {
            return invalid(format!(
                "a flank of {} bases for the G+C match; 50 is usual",
                controls.gc_flank_bp
            ));
        }
        if !(0.0..=1.0).contains(&controls.caliper) {
            return invalid(format!(
                "caliper {}: a difference in G+C fraction lies in 0 to 1",
                controls.caliper
            ));
        }
        if !(4..=24).contains(&controls.kmer) {
            return invalid(format!(
                "a k-mer of {}: 4 to 24 bases can be asked for",
                controls.kmer
            ));
        }
        if controls.families.is_empty() || controls.per_site == 0 {
            return invalid("no control was asked for".into());
        }
        let distinct: BTreeSet<Family> = controls.families.iter().copied().collect();
        if distinct.len() < controls.families.len() {
            return invalid("a family of controls was asked for twice".into());
        }
        Ok(())
    }
}

/// A kind of site.
#[derive(Clone, Debug)]
pub struct SiteClass {
    /// Its name in tables.
    pub name: &'static str,
    /// The letters all its sites share; empty for none.
    pub core: Core,
    /// The letters a weight matrix of its sites scores; `None` for no strength.
    pub span: Option<Span>,
    /// First and last offset whose values are to tell sites from decoys.
    pub window: (i64, i64),
}

/// A site under study.
#[derive(Clone, Debug)]
pub struct Site {
    /// The caller's number for it, of which each has one.
    pub number: usize,
    /// Index into [`Study::kinds`].
    pub kind: usize,
    /// Index of the genome's contig.
    pub contig: usize,
    /// Inter-base position.
    pub position: usize,
    /// Strand.
    pub strand: Strand,
    /// The intervals of its genes.
    pub genes: Vec<Interval>,
    /// Index into [`Study::clusters`].
    pub cluster: usize,
}

/// Everything that is compared, whatever it is.
pub struct Study<'a> {
    /// The genome.
    pub genome: &'a Genome,
    /// Kinds of sites, in the order of tables.
    pub kinds: Vec<SiteClass>,
    /// Sites, by contig; each with its window of plain letters.
    pub sites: Vec<Site>,
    /// Sites that weight matrices are fitted on, by contig: those above, before any were sampled.
    pub references: Vec<Site>,
    /// Clusters of genes: contig and interval, by contig and start, without overlaps.
    pub clusters: Vec<(usize, Interval)>,
    /// Annotated positions by contig and strand: no control lies near them and no baseline is
    /// fitted on them.
    pub annotated: BTreeMap<(usize, Strand), BTreeSet<usize>>,
    /// Merged exons of all transcripts by cluster and strand, where [`ControlRequest::side`] needs
    /// them.
    pub exons: BTreeMap<(usize, Strand), Vec<Interval>>,
    /// The user's controls by contig and strand, contigs named as the genome names them.
    pub given: BTreeMap<(usize, Strand), Vec<BedRecord>>,
}

impl Study<'_> {
    /// The name of a contig, by its number in the genome.
    pub fn contig_name(&self, contig: usize) -> &str {
        self.genome
            .contigs()
            .get(contig)
            .map_or("", |c| c.name.as_str())
    }

    /// `contig:position:strand`.
    pub fn site_name(&self, contig: usize, position: usize, strand: Strand) -> String {
        format!("{}:{position}:{strand}", self.contig_name(contig))
    }

    /// `contig:start-end`; empty for no cluster.
    pub fn cluster_name(&self, cluster: usize) -> String {
        let Some((contig, interval)) = self.clusters.get(cluster) else {
            return String::new();
        };
        format!(
            "{}:{}-{}",
            self.contig_name(*contig),
            interval.start,
            interval.end
        )
    }

    /// The cluster that holds a position.
    fn cluster_at(&self, contig: usize, position: usize) -> Option<usize> {
        let after = self
            .clusters
            .partition_point(|(c, interval)| (*c, interval.start) <= (contig, position));
        let at = after.checked_sub(1)?;
        let (c, interval) = self.clusters[at];
        (c == contig && position <= interval.end).then_some(at)
    }
}

/// What a comparison found: plain tables.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Comparison {
    /// The matched controls.
    pub controls: Vec<ControlRow>,
    /// The pairs.
    pub pairs: Vec<PairRow>,
    /// Family `kmer` by width of the shared k-mer.
    pub widths: Vec<WidthRow>,
    /// Mean profiles over pairs.
    pub profile: Vec<ProfileRow>,
    /// The endpoint, one row a measure, kind and family.
    pub statistics: Vec<StatisticsRow>,
    /// Covariate balance.
    pub balance: Vec<BalanceRow>,
    /// What became of every site in every family.
    pub matching: Vec<MatchingRow>,
    /// Tests of single offsets.
    pub offsets: Vec<OffsetRow>,
    /// Runs of offsets.
    pub runs: Vec<RunRow>,
    /// What the tests of offsets and runs flip.
    pub sums: Vec<SumRow>,
    /// How much of the boundary probability the letters nearby explain.
    pub baseline: Vec<BaselineRow>,
    /// Agreement of the two strands.
    pub strands: Vec<StrandRow>,
    /// Profiles of single sites of the first family's pairs, sorted and in bins; empty in a
    /// negative control.
    pub heatmap: Vec<HeatmapRow>,
    /// Sites told from decoys.
    pub discrimination: Discrimination,
    /// Endpoint and covariates of each site by its number, where they are known.
    #[serde(skip)]
    pub by_site: BTreeMap<usize, SiteFacts>,
    /// Tiles the model read.
    pub tiles_read: u64,
    /// Bases in them.
    pub bases_read: u64,
    /// Whether this compared controls with controls.
    pub negative_control: bool,
}

/// What is known of a site beside its place.
#[derive(Clone, Debug)]
pub struct SiteFacts {
    /// Its covariates.
    pub covariates: Covariates,
    /// Its endpoint, where it was read.
    pub value: Option<f64>,
    /// Its control in the first family, where it has one.
    pub control: Option<String>,
}

/// A contig's letters, kept for the next call that wants the same one: a genome of one contig is
/// read once.
pub struct ContigReader<'a> {
    genome: &'a Genome,
    source: &'a dyn BoundarySource,
    last: Option<Loaded>,
}

struct Loaded {
    contig: usize,
    letters: Vec<u8>,
    missing: Vec<Interval>,
    /// The letters with N where values are missing; `None` where none is.
    masked: Option<Vec<u8>>,
}

impl<'a> ContigReader<'a> {
    /// Nothing read yet.
    pub fn new(genome: &'a Genome, source: &'a dyn BoundarySource) -> ContigReader<'a> {
        ContigReader {
            genome,
            source,
            last: None,
        }
    }

    /// The genome that is read.
    pub fn genome(&self) -> &'a Genome {
        self.genome
    }

    /// The letters of a contig, by its number in the genome, as [`masked`] gives them.
    ///
    /// # Errors
    /// An unreadable contig, and those of the source.
    pub fn get(&mut self, contig: usize) -> Result<&[u8]> {
        let loaded = self.load(contig)?;
        Ok(loaded.masked.as_deref().unwrap_or(&loaded.letters))
    }

    /// The letters of a contig as they are, and the bases that the source has no value for, in
    /// order and apart.
    ///
    /// # Errors
    /// As [`ContigReader::get`].
    pub fn letters(&mut self, contig: usize) -> Result<(&[u8], &[Interval])> {
        let loaded = self.load(contig)?;
        Ok((&loaded.letters, &loaded.missing))
    }

    fn load(&mut self, contig: usize) -> Result<&Loaded> {
        let last = self.last.take().filter(|last| last.contig == contig); // never two contigs in memory
        let loaded = match last {
            Some(loaded) => loaded,
            None => {
                let name = self
                    .genome
                    .contigs()
                    .get(contig)
                    .map_or("", |c| c.name.as_str());
                let (letters, missing) =
                    (self.genome.read_contig(name)?, self.source.missing(name)?);
                let masked = (!missing.is_empty()).then(|| masked(letters.clone(), &missing));
                Loaded {
                    contig,
                    letters,
                    missing,
                    masked,
                }
            }
        };
        Ok(self.last.insert(loaded))
    }
}

/// A site and its control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SitePair {
    /// The site, by index into [`Study::sites`].
    pub site: usize,
    /// Its position; in a negative control that of another control of it.
    pub position: usize,
    /// The position of the control, on the strand of the site.
    pub control: usize,
}

/// The first family's pairs, one control a site.
///
/// # Errors
/// An unreadable contig.
pub fn pairs(
    study: &Study<'_>,
    contigs: &mut ContigReader<'_>,
    request: &ComparisonRequest,
    progress: &dyn Fn(Progress),
) -> Result<Vec<SitePair>> {
    let matched = Matched::new(study, contigs, request, &Rng::new(request.seed), progress)?;
    let pair = |(site, found): (&usize, &crate::controls::Found)| {
        let control = found.controls.as_ref().ok()?.first()?.position;
        let position = if request.negative_control {
            found.second.first()?.position
        } else {
            study.sites[*site].position
        };
        Some(SitePair {
            site: *site,
            position,
            control,
        })
    };
    Ok(matched
        .found
        .first()
        .into_iter()
        .flatten()
        .filter_map(pair)
        .collect())
}

/// Matches, reads and compares. Memory holds one contig, one row a site and family, a bounded
/// sample of read positions and the sums of profiles by cluster, whatever the genome; the result
/// depends on the inputs and the seed, not on threads or (but for the model's own rounding) on
/// `batch`.
///
/// `reference` is what else is asked to tell sites from decoys: an untrained model.
///
/// # Errors
/// A request that cannot be met, an unreadable contig, and what the model reports. A source that
/// answers a part only gives an empty outcome. No usable site is no error: the statistics are then
/// `NaN`.
pub fn run(
    study: &Study<'_>,
    contigs: &mut ContigReader<'_>,
    (source, reference): (&dyn BoundarySource, Option<&dyn BoundarySource>),
    request: &ComparisonRequest,
    progress: &dyn Fn(Progress),
) -> Result<Comparison> {
    request.check()?;
    if source.values() == Values::Signal && request.controls.families.contains(&Family::Shuffle) {
        return Err(Error::Invalid(
            "controls of family shuffle: a signal has no values for shuffled sequence".into(),
        ));
    }
    let rng = Rng::new(request.seed);
    let matched = Matched::new(study, contigs, request, &rng, progress)?;
    let shape = TileShape {
        context_bp: request.context,
        margin_bp: request.margin,
    };
    let spots = matched.sets.spots(study);
    let mut readings = reading::Readings::plan(study, &matched, &spots, request, &shape, &rng)?;
    readings.read(study, contigs, source, request, &rng, progress)?;
    let reference = reference
        .map(|source| discrimination::read(study, contigs, &spots, source, request, progress))
        .transpose()?;
    if source.is_part() {
        return Ok(Comparison::default());
    }
    progress(Progress {
        stage: "testing",
        done: 0,
        total: 1,
    });
    let values = |spots: Vec<Vec<f32>>| discrimination::SpotValues {
        values: spots,
        kind: source.values(),
    };
    let (own, reference) = (
        values(std::mem::take(&mut readings.spot_values)),
        reference.map(values),
    );
    tables::outcome(
        study,
        contigs,
        &matched,
        readings,
        (own, reference),
        request,
        &rng,
    )
}
