//! Do boundaries fall on splice junctions? Boundary probabilities around annotated donors and acceptors, against matched decoys of the same
//! genes, with one endpoint fixed in advance: the paired difference of the mean over inter-base positions -2..+2.

mod matching;
mod reading;
mod rows;
mod summary;

use std::collections::BTreeMap;

use serde::Serialize;

pub use crate::controls::balance::BalanceRow;
pub use rows::{AccountingRow, ControlRow, PairRow, ProfileRow, SiteRow, StatisticsRow};

use crate::error::{Error, Result};
use crate::genome::annotation::{Annotation, AnnotationSummary};
use crate::genome::contig_names;
use crate::genome::fasta::Genome;
use crate::genome::junctions::{CanonicalRule, JunctionRequest, Junctions, SiteKind, SiteStatus, TranscriptChoice};
use crate::pipelines::tiles::TileShape;
use crate::pipelines::{BoundaryModel, Progress};
use crate::stats::rng::Rng;

/// The endpoint is the mean over offsets `-ENDPOINT_REACH ..= ENDPOINT_REACH`. Fixed before any result was seen; not an option.
pub const ENDPOINT_REACH: usize = 2;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SpliceProfileRequest {
    /// Positions of the profile on either side of a site.
    pub flank: usize,
    /// Bases of a tile given to the model.
    pub context: usize,
    /// Least distance of a position from the ends of its tile, in bases.
    pub margin: usize,
    /// Which transcripts speak for a gene.
    pub transcripts: TranscriptChoice,
    /// Gene biotypes; empty for all.
    pub biotypes: Vec<String>,
    /// Contigs, by any of their names; empty for all.
    pub contigs: Vec<String>,
    /// At most this many sites of each kind, a random subset; `None` for all.
    pub max_sites: Option<usize>,
    /// Shorter introns are left out, in bases.
    pub min_intron_bp: usize,
    /// Bases of each flank whose G+C is matched.
    pub gc_flank_bp: usize,
    /// Largest difference in G+C fraction between a site and its decoy, on each flank.
    pub caliper: f64,
    /// Least distance of a decoy from every annotated site of its strand, in bases; at least 5 keeps their endpoints from sharing positions.
    pub min_site_distance_bp: usize,
    /// Random flips of the permutation test.
    pub permutations: usize,
    /// Draws of the bootstrap.
    pub bootstraps: usize,
    /// Seed of everything random.
    pub seed: u64,
    /// Tiles per call of the model.
    pub batch: usize,
    /// Compare decoys with decoys: a second matched decoy takes the place of each site (group `site`), its first decoy stays the control. The
    /// result must come out null.
    pub negative_control: bool,
}

impl Default for SpliceProfileRequest {
    fn default() -> Self {
        SpliceProfileRequest {
            flank: 120,
            context: 4096,
            margin: 512,
            transcripts: TranscriptChoice::Canonical,
            biotypes: Vec::new(),
            contigs: Vec::new(),
            max_sites: None,
            min_intron_bp: 30,
            gc_flank_bp: 50,
            caliper: 0.05,
            min_site_distance_bp: 2 * ENDPOINT_REACH + 1,
            permutations: 10_000,
            bootstraps: 2000,
            seed: 1,
            batch: 4,
            negative_control: false,
        }
    }
}

/// What the annotation gave.
#[derive(Clone, Debug, Serialize)]
pub struct AnnotationReport {
    /// What its file held.
    pub summary: AnnotationSummary,
    /// Annotation contigs found in the genome.
    pub contigs_matched: usize,
    /// Annotation contigs not found there.
    pub contigs_unmatched: usize,
    /// The first of those; empty for none.
    pub unmatched_examples: String,
    /// How many genes each rule named the canonical transcript of; empty when all transcripts are used.
    pub canonical_rules: BTreeMap<CanonicalRule, usize>,
}

/// What was found: plain tables.
#[derive(Clone, Debug, Serialize)]
pub struct SpliceProfile {
    /// Every annotated site, in order of contig, position, strand and kind.
    pub sites: Vec<SiteRow>,
    /// The matched controls.
    pub controls: Vec<ControlRow>,
    /// The pairs.
    pub pairs: Vec<PairRow>,
    /// Mean profiles over pairs.
    pub profile: Vec<ProfileRow>,
    /// The endpoint, one row for donors and one for acceptors.
    pub statistics: Vec<StatisticsRow>,
    /// Covariate balance.
    pub balance: Vec<BalanceRow>,
    /// All annotated sites by kind and status, every status listed.
    pub accounting: Vec<AccountingRow>,
    /// What the annotation gave.
    pub annotation: AnnotationReport,
    /// Tiles the model read.
    pub tiles_read: u64,
    /// Bases in them.
    pub bases_read: u64,
    /// Whether this compared decoys with decoys.
    pub negative_control: bool,
}

fn check(request: &SpliceProfileRequest) -> Result<()> {
    let invalid = |message: String| Err(Error::Invalid(message));
    if request.flank < ENDPOINT_REACH {
        return invalid(format!("flank {}: the endpoint needs at least {ENDPOINT_REACH} positions on either side", request.flank));
    }
    let needed = request.flank.checked_add(request.margin.max(1)).and_then(|half| half.checked_mul(2));
    if needed.is_none_or(|needed| needed > request.context) {
        return invalid(format!(
            "a context of {} bases is too short for a flank of {} and a margin of {} on both sides; use a longer context or a smaller margin",
            request.context, request.flank, request.margin
        ));
    }
    if request.gc_flank_bp > 1 << 16 {
        return invalid(format!("a flank of {} bases for the G+C match; 50 is usual", request.gc_flank_bp));
    }
    if !(0.0..=1.0).contains(&request.caliper) {
        return invalid(format!("caliper {}: a difference in G+C fraction lies in 0 to 1", request.caliper));
    }
    Ok(())
}

/// A contig's letters, kept for the next call that wants the same one: a genome of one contig is read once.
struct ContigReader<'a> {
    genome: &'a Genome,
    last: Option<(usize, Vec<u8>)>,
}

impl ContigReader<'_> {
    fn get(&mut self, contig: usize) -> Result<&[u8]> {
        if self.last.as_ref().is_none_or(|(index, _)| *index != contig) {
            self.last = None; // never two contigs in memory
            let name = self.genome.contigs().get(contig).map_or("", |c| c.name.as_str());
            self.last = Some((contig, self.genome.read_contig(name)?));
        }
        Ok(self.last.as_ref().map_or(&[], |(_, sequence)| sequence))
    }
}

/// Runs the analysis. Memory holds one contig, one row a site and the sums of profiles by cluster, whatever the genome; the result depends on
/// the inputs and the seed, not on threads or (but for the model's own rounding) on `batch`.
///
/// # Errors
/// A request that cannot be met, a genome and an annotation that do not fit each other, an unreadable contig, and what the model reports.
/// An annotation without a usable site is no error: every count is there and the statistics are `NaN`.
pub fn run(
    genome: &Genome,
    annotation: &Annotation,
    model: &dyn BoundaryModel,
    request: &SpliceProfileRequest,
    progress: &dyn Fn(Progress),
) -> Result<SpliceProfile> {
    check(request)?;
    let names: Vec<&str> = genome.contigs().iter().map(|contig| contig.name.as_str()).collect();
    let junction_request = JunctionRequest {
        transcripts: request.transcripts,
        biotypes: request.biotypes.clone(),
        contigs: request.contigs.clone(),
        min_intron_bp: request.min_intron_bp,
    };
    let mut junctions = Junctions::new(annotation, &names, &junction_request)?;
    let mut contigs = ContigReader { genome, last: None };
    let radius_bp = request.flank.max(request.gc_flank_bp);
    let usable: Vec<usize> =
        (0..names.len()).filter(|c| junctions.sites[junctions.site_range(*c)].iter().any(|s| s.status == SiteStatus::Used)).collect();
    for (done, contig) in usable.iter().enumerate() {
        progress(Progress { stage: "checking sites", done: done as u64, total: usable.len() as u64 });
        junctions.check_sequence(*contig, contigs.get(*contig)?, radius_bp);
    }
    let rng = Rng::new(request.seed);
    sample(&mut junctions, request.max_sites, &rng);
    let mut matched = matching::Matched::default();
    for (done, contig) in usable.iter().enumerate() {
        progress(Progress { stage: "matching controls", done: done as u64, total: usable.len() as u64 });
        let has_sites = junctions.sites[junctions.site_range(*contig)].iter().any(|s| s.status == SiteStatus::Used);
        if has_sites {
            matched.contig(&mut junctions, annotation, *contig, contigs.get(*contig)?, request, &rng);
        }
    }
    let shape = TileShape { context_bp: request.context, margin_bp: request.margin };
    let subjects = matched.subjects(&junctions, request.negative_control);
    let mut readings = reading::Readings::plan(subjects, genome, &shape, request.flank)?;
    readings.read(&mut contigs, model, request.batch, progress)?;
    Ok(summary::outcome(annotation, &junctions, &matched, &readings, request, &rng))
}

/// Keeps a random subset of `max_sites` usable sites of each kind.
fn sample(junctions: &mut Junctions, max_sites: Option<usize>, rng: &Rng) {
    let Some(max_sites) = max_sites else { return };
    for kind in SiteKind::ALL {
        let mut usable: Vec<usize> = (0..junctions.sites.len())
            .filter(|s| junctions.sites[*s].kind == kind && junctions.sites[*s].status == SiteStatus::Used)
            .collect();
        rng.derive(&format!("sample {}", kind.name())).shuffle(&mut usable);
        for site in usable.into_iter().skip(max_sites) {
            junctions.sites[site].status = SiteStatus::NotSampled;
        }
    }
}

/// `contig:position:strand`.
fn site_name(junctions: &Junctions, contig: usize, position: usize, strand: crate::genome::Strand) -> String {
    format!("{}:{position}:{strand}", junctions.contigs[contig])
}

fn annotation_report(annotation: &Annotation, junctions: &Junctions) -> AnnotationReport {
    let unmatched = &junctions.contigs[junctions.n_genome_contigs..];
    let some = !unmatched.is_empty();
    AnnotationReport {
        summary: annotation.summary.clone(),
        contigs_matched: annotation.contigs.len() - unmatched.len(),
        contigs_unmatched: unmatched.len(),
        unmatched_examples: if some { contig_names::examples(unmatched.iter().map(String::as_str)) } else { String::new() },
        canonical_rules: junctions.canonical_rules.clone(),
    }
}

#[cfg(test)]
mod tests;
