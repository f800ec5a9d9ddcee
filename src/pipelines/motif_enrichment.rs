//! Do boundaries gather at transcription-factor motifs in promoters, beyond what the letters alone
//! would give, and for which factors?
//!
//! Promoters that share a base are merged and read once on each strand; hits and controls of all
//! motifs are looked up in these readings. Two endpoints were fixed before any result was seen:
//! `edges`, the mean over the inter-base positions within one of the hit's two edges, and `inside`,
//! the mean over the positions between those. Each hit is compared with one control, and whole
//! clusters of promoters flip sign in the test; permuted matrices are compared as wholes
//! (`orders`).

mod discrimination;
mod grounds;
mod hits;
mod matching;
mod orders;
mod rows;
mod shuffled;
mod statistics;
mod tables;
mod unmatched;
mod yardstick;

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub use crate::controls::balance::BalanceRow;
pub use discrimination::HIT_WINDOW;
pub use grounds::TSS_DISTANCE_BP;
pub(super) use hits::best_word_p;
pub use hits::{ELEMENT_P, TSS_SLACK_BP};
pub use matching::{PERMUTED_MATRICES, SCORE_CALIPER_BITS};
pub use rows::{
    DetailRow, HitRow, LogoRow, MotifRow, OrderRow, PairRow, ProfileRow, PromoterRow,
    StatisticsRow, UnmatchedRow, YardstickRow,
};
pub use yardstick::YARDSTICKS;

use crate::error::{Error, Result};
use crate::genome::annotation::Annotation;
use crate::genome::fasta::Genome;
use crate::genome::promoters::{Dropped, Promoters};
use crate::motifs::background::{Background, Letters};
use crate::motifs::elements::Element;
use crate::motifs::scan::Encoded;
use crate::motifs::{MOST_COLUMNS, Motif};
use crate::pipelines::comparison::{ContigReader, Discrimination};
use crate::pipelines::{BoundarySource, Progress, Values};
use crate::stats::rng::Rng;
use grounds::Grounds;
use hits::{Hits, Occurrence};
use matching::Matched;
use orders::Orders;

/// The cluster of what lies outside of promoters.
const NO_CLUSTER: usize = usize::MAX;

/// What a hit is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Control {
    /// Hits of column-permuted versions of the matrix in the same promoters; of a core promoter
    /// element, where it may lie.
    Permuted,
    /// Places of the same width in the same cluster of promoters, on the same strand, that share no
    /// base with a hit: random ones; of a core promoter element, where it may lie.
    Position,
    /// Hits of the same motif, as good, in windows outside of promoters and exons.
    Outside,
    /// The hit itself in its place, its flanks shuffled with their dinucleotides kept.
    Shuffled,
}

impl Control {
    /// All, in the order of reports.
    pub const ALL: [Control; 4] = [
        Control::Permuted,
        Control::Position,
        Control::Outside,
        Control::Shuffled,
    ];

    /// The name in tables and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Control::Permuted => "permuted",
            Control::Position => "position",
            Control::Outside => "outside",
            Control::Shuffled => "shuffled",
        }
    }
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EnrichmentRequest {
    /// Inter-base positions of the profile on either side of a hit.
    pub flank: usize,
    /// Bases of a tile given to the model.
    pub context: usize,
    /// Least distance of a read position from the ends of its tile, in bases.
    pub margin: usize,
    /// The largest p-value of a hit.
    pub p: f64,
    /// Motifs with fewer usable hits are listed, not tested.
    pub min_hits: usize,
    /// The controls, each once.
    pub controls: Vec<Control>,
    /// Bases on either side of the middle of a hit that composition is taken of.
    pub gc_flank_bp: usize,
    /// The largest difference in G+C fraction allowed on each of these sides.
    pub caliper: f64,
    /// Random flips of the first round of the permutation tests; small p-values get more.
    pub permutations: usize,
    /// Draws of the bootstrap.
    pub bootstraps: usize,
    /// Seed of everything random.
    pub seed: u64,
    /// Tiles per call of the model.
    pub batch: usize,
    /// Hits of one permuted matrix take the place of the motif's: expected to be null.
    pub negative_control: bool,
    /// Identifiers of the motifs of the panels, in their order.
    pub panels: Vec<String>,
    /// Identifiers of motifs of which every hit is shown. Without any: the first of the panels, or
    /// where that has fewer than `min_hits`, the motif with most.
    pub detail: Vec<String>,
}

impl Default for EnrichmentRequest {
    fn default() -> Self {
        EnrichmentRequest {
            flank: 50,
            context: 4096,
            margin: 512,
            p: 1e-4,
            min_hits: 10,
            controls: vec![Control::Permuted, Control::Position, Control::Outside],
            gc_flank_bp: 50,
            caliper: 0.1,
            permutations: 10_000,
            bootstraps: 1000,
            seed: 1,
            batch: 4,
            negative_control: false,
            panels: Vec::new(),
            detail: Vec::new(),
        }
    }
}

impl EnrichmentRequest {
    /// Refuses what no run could meet.
    ///
    /// # Errors
    /// [`Error::Invalid`], with what to change.
    pub fn check(&self) -> Result<()> {
        let invalid = |message: String| Err(Error::Invalid(message));
        if self.flank == 0 {
            return invalid(
                "flank 0: the endpoint needs at least 1 position on either side of a hit".into(),
            );
        }
        if self
            .margin
            .max(1)
            .checked_mul(2)
            .is_none_or(|margins| margins >= self.context)
        {
            return invalid(format!(
                "a context of {} bases has no room between margins of {}",
                self.context, self.margin
            ));
        }
        if !(self.p > 0.0 && self.p <= 0.1) {
            return invalid(format!("p {}: above 0, and at most 0.1", self.p));
        }
        if !(0.0..=1.0).contains(&self.caliper) {
            return invalid(format!(
                "caliper {}: a difference in G+C fraction lies in 0 to 1",
                self.caliper
            ));
        }
        if self.controls.is_empty()
            || self.controls.iter().collect::<BTreeSet<_>>().len() < self.controls.len()
        {
            return invalid("controls: each at most once, and at least one".into());
        }
        if self.negative_control && self.controls.iter().any(|c| *c != Control::Permuted) {
            return invalid(
                "the negative control compares permuted matrices with permuted ones: ask for the control permuted alone".into(),
            );
        }
        Ok(())
    }

    fn needs_outside(&self) -> bool {
        self.controls.contains(&Control::Outside)
    }

    /// Whether the profile of a motif is shown, however few its hits.
    fn shows(&self, id: &String) -> bool {
        self.panels.contains(id) || self.detail.contains(id)
    }
}

/// A motif that is asked about.
#[derive(Clone, Debug)]
pub struct Query {
    /// Its matrix.
    pub motif: Motif,
    /// Where it may lie and how likely its hits are by chance, where it is a core promoter element.
    pub element: Option<Element>,
}

/// What was found: plain tables.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Enrichment {
    /// The promoters.
    pub promoters: Vec<PromoterRow>,
    /// What became no promoter, by reason.
    pub dropped: BTreeMap<Dropped, usize>,
    /// Every motif asked about.
    pub motifs: Vec<MotifRow>,
    /// Usable hits.
    pub hits: Vec<HitRow>,
    /// Hits and their controls: every test can be redone from these.
    pub pairs: Vec<PairRow>,
    /// One row a motif, control and endpoint.
    pub statistics: Vec<StatisticsRow>,
    /// How many motifs random functions of two letters single out.
    pub yardsticks: Vec<YardstickRow>,
    /// Hits of each motif and of its column-permuted matrices, matrix by matrix.
    pub orders: Vec<OrderRow>,
    /// Usable hits without a control, by motif, control and reason.
    pub unmatched: Vec<UnmatchedRow>,
    /// Covariates of hits and controls, all tested motifs together, by control.
    pub balance: Vec<BalanceRow>,
    /// Mean profiles of the motifs of panels and details.
    pub profile: Vec<ProfileRow>,
    /// Every hit of the motifs asked for in detail, position by position.
    pub detail: Vec<DetailRow>,
    /// Columns of the motifs in `profile`.
    pub logos: Vec<LogoRow>,
    /// Hits of all tested motifs, one of each group of like matrices, told from their controls.
    pub discrimination: Discrimination,
    /// Probabilities of A, C, G and T by chance.
    pub background: [f64; 4],
    /// Merged promoters.
    pub n_regions: usize,
    /// Bases in them.
    pub region_bp: u64,
    /// Windows outside of promoters.
    pub n_outside: usize,
    /// Tiles the model read.
    pub tiles_read: u64,
    /// Bases in them.
    pub bases_read: u64,
    /// Whether this compared controls with controls.
    pub negative_control: bool,
}

/// Everything of one motif before the tests.
struct Studied {
    hits: Hits,
    /// One entry a control that has its readings in the grounds.
    matched: Vec<(Control, Matched)>,
    /// Where permuted matrices are asked for and the motif is tested or shown.
    orders: Option<Orders>,
}

impl Studied {
    /// The hits with their controls of one kind, where it has its readings in the grounds.
    fn matched_to(&self, control: Control) -> Option<&Matched> {
        let of = self.matched.iter().find(|(of, _)| *of == control);
        of.map(|(_, matched)| matched)
    }
}

/// Runs the analysis. Without an annotation, windows outside keep away from the promoters given
/// alone.
///
/// # Errors
/// A request that cannot be met, an unreadable contig, and what the model reports. No promoter and
/// no hit is no error.
pub fn run(
    genome: &Genome,
    annotation: Option<&Annotation>,
    promoters: &Promoters,
    queries: &[Query],
    source: &dyn BoundarySource,
    request: &EnrichmentRequest,
    progress: &dyn Fn(Progress),
) -> Result<Enrichment> {
    request.check()?;
    if source.values() == Values::Signal && request.controls.contains(&Control::Shuffled) {
        return Err(Error::Invalid(
            "control shuffled: a signal has no values for shuffled sequence".into(),
        ));
    }
    let mut grounds = grounds::read(
        genome,
        annotation,
        &promoters.promoters,
        source,
        request,
        progress,
    )?;
    let background = background(&grounds);
    let (promoter_grounds, outside) = grounds.all.split_at(grounds.n_promoters);
    let encoded = [promoter_grounds, outside]
        .map(|grounds| Encoded::new(grounds.iter().map(|ground| ground.inside())));
    let mut studied: Vec<Studied> = Vec::with_capacity(queries.len());
    for some in queries.chunks(MOTIFS_AT_ONCE) {
        progress(Progress {
            stage: "scanning",
            done: studied.len() as u64,
            total: queries.len() as u64,
        });
        let study = |query: &Query| {
            let (hits, permuted) = hits::find(query, &grounds, &encoded, background, request);
            let wanted = hits.usable.len() >= request.min_hits || request.shows(&query.motif.id);
            let controls = request
                .controls
                .iter()
                .filter(|c| matches!(c, Control::Position | Control::Outside) && wanted);
            let mut matched: Vec<(Control, Matched)> = controls
                .map(|control| {
                    (
                        *control,
                        matching::find(*control, query, &hits, &grounds, request),
                    )
                })
                .collect();
            let mut orders = None;
            if wanted && request.controls.contains(&Control::Permuted) {
                let (found, covariates) = Orders::new(
                    &hits.usable,
                    permuted,
                    &grounds,
                    request,
                    request.shows(&query.motif.id),
                    &mut Rng::new(request.seed).derive(&format!("partners {}", query.motif.id)),
                );
                matched.push((Control::Permuted, covariates));
                orders = Some(found);
            }
            Studied {
                hits,
                matched,
                orders,
            }
        };
        studied.extend(some.par_iter().map(study).collect::<Vec<_>>());
    }
    let request = &EnrichmentRequest {
        detail: details(queries, &studied, request),
        ..request.clone()
    };
    let shuffled = shuffled::read(queries, &studied, &mut grounds, source, request, progress)?;
    if source.is_part() {
        return Ok(Enrichment::default());
    }
    progress(Progress {
        stage: "testing",
        done: 0,
        total: 1,
    });
    let mut found = tables::outcome(
        genome, promoters, queries, &studied, &shuffled, &grounds, background, request,
    );
    if !request.negative_control {
        let mut contigs = ContigReader::new(genome, source);
        found.discrimination = discrimination::find(
            &studied,
            &found.motifs,
            &grounds,
            &mut contigs,
            source.values(),
            request,
        )?;
    }
    Ok(found)
}

/// Motifs between two looks at the progress.
const MOTIFS_AT_ONCE: usize = 64;

/// The motifs of which every hit is shown: those asked for, else one that has something to show.
fn details(queries: &[Query], studied: &[Studied], request: &EnrichmentRequest) -> Vec<String> {
    if !request.detail.is_empty() {
        return request.detail.clone();
    }
    let n = |index: &usize| studied[*index].hits.usable.len();
    let first = request
        .panels
        .first()
        .and_then(|id| queries.iter().position(|query| query.motif.id == *id));
    let enough = first.filter(|index| n(index) >= request.min_hits);
    let most = || {
        (0..queries.len())
            .rev()
            .max_by_key(n)
            .filter(|index| n(index) > 0)
    };
    enough
        .or_else(most)
        .map(|index| queries[index].motif.id.clone())
        .into_iter()
        .collect()
}

/// The letters of all promoters.
fn background(grounds: &Grounds) -> Background {
    let mut letters = Letters::default();
    grounds.all[..grounds.n_promoters]
        .iter()
        .for_each(|ground| letters.add(ground.inside()));
    letters.background()
}

/// Means of a profile that starts `flank` positions before the first edge: (edges, inside).
///
/// Edges: the three positions around each of the two. Inside: those that lie between, or for a hit
/// of fewer than four bases between the edges.
fn endpoints(profile: &[f32], flank: usize, width: usize) -> (f64, f64) {
    let mean = |from: usize, to: usize| {
        profile[from..=to]
            .iter()
            .map(|v| f64::from(*v))
            .sum::<f64>()
            / (to - from + 1) as f64
    };
    let (start, end) = (flank, flank + width);
    let edges = (mean(start - 1, start + 1) + mean(end - 1, end + 1)) / 2.0;
    let inside = match width {
        0 | 1 => f64::NAN,
        2 | 3 => mean(start + 1, end - 1),
        _ => mean(start + 2, end - 2),
    };
    (edges, inside)
}

/// [`endpoints`] of a place.
fn endpoints_of(place: &Occurrence, grounds: &Grounds) -> (f64, f64) {
    let width = place.end - place.start;
    let mut values = [0.0; MOST_COLUMNS + 3];
    let read = grounds.all[place.ground].profile(place.start - 1, place.end + 1, place.strand);
    values
        .iter_mut()
        .zip(read)
        .for_each(|(value, read)| *value = read);
    endpoints(&values[..width + 3], 1, width)
}

/// The profile of a place, `width + 2 flank + 1` inter-base positions in its own orientation.
fn profile(place: &Occurrence, grounds: &Grounds, flank: usize) -> Vec<f32> {
    grounds.all[place.ground]
        .profile(place.start - flank, place.end + flank, place.strand)
        .collect()
}

#[cfg(test)]
mod tests;
