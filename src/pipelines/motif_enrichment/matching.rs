//! One control for each hit, by the matcher that all analyses share. Permuted matrices are compared
//! another way: see `orders`.

use super::grounds::Grounds;
use super::hits::{Hits, Occurrence};
use super::{Control, EnrichmentRequest, Query};
use crate::controls::Covariates;
use crate::controls::balance::Balance;
use crate::controls::matching::{Dropped, Member, Metric, Pool, serve};
use crate::genome::Strand;
use crate::stats::rng::Rng;

/// Column-permuted versions of a matrix whose hits are pooled.
pub const PERMUTED_MATRICES: usize = 50;

/// How far the score of a hit outside of promoters may lie from that of the hit it is compared
/// with, in bits.
pub const SCORE_CALIPER_BITS: f64 = 1.5;

/// Random places drawn for each hit.
const DRAWS: usize = 100;

/// Hits and their controls.
#[derive(Clone, Debug, Default)]
pub(super) struct Matched {
    /// Index into [`Hits::usable`], and its control.
    pub pairs: Vec<(usize, Occurrence)>,
    /// Hits without a control, by reason, in the order of [`Dropped::ALL`].
    pub dropped: [usize; 3],
    /// Covariates before and after.
    pub balance: Balance,
}

/// Seeks a control for every usable hit.
pub(super) fn find(
    control: Control,
    query: &Query,
    hits: &Hits,
    grounds: &Grounds,
    request: &EnrichmentRequest,
) -> Matched {
    let mut rng = Rng::new(request.seed).derive(&format!("{} {}", control.name(), query.motif.id));
    // Hits are sorted and of one width: the first that ends beyond the start of a place is the one
    // that may reach into it.
    let apart = |place: &Occurrence| {
        let next = hits
            .raw
            .partition_point(|hit| (hit.ground, hit.end) <= (place.ground, place.start));
        hits.raw
            .get(next)
            .is_none_or(|hit| !hit.shares_a_base(place))
    };
    let mut candidates: Vec<Occurrence> = match control {
        Control::Position => positions(hits, grounds, request, &mut rng)
            .into_iter()
            .filter(apart)
            .collect(),
        Control::Outside => hits.outside.clone(),
        Control::Permuted | Control::Shuffled => Vec::new(), // see `orders` and `shuffled`
    };
    // A place may be drawn twice.
    candidates.sort_by_key(|place| (place.ground, place.start, place.strand));
    candidates.dedup_by_key(|place| (place.ground, place.start, place.strand));
    let covariates = |place: &Occurrence| -> Covariates {
        grounds.all[place.ground].covariates(
            place.start,
            place.end,
            place.strand,
            place.score,
            request.gc_flank_bp,
        )
    };
    let member = |place: &Occurrence| {
        let cluster = if control == Control::Outside {
            0
        } else {
            grounds.all[place.ground].cluster as u64
        };
        let strand = u64::from(place.strand == Strand::Minus && control != Control::Outside);
        Member {
            stratum: cluster * 2 + strand,
            position: place.start,
            covariates: covariates(place),
            second_choice: false,
        }
    };
    let sites: Vec<Member> = hits.usable.iter().map(member).collect();
    let pool: Vec<Member> = candidates.iter().map(member).collect();
    let mut found = Matched::default();
    sites
        .iter()
        .for_each(|site| found.balance.sites.push(&site.covariates));
    pool.iter()
        .for_each(|one| found.balance.pool.push(&one.covariates));
    let metric = metric(control, &found.balance, request);
    let mut all = Pool::new(&pool, &metric, false);
    let served = serve(&mut all, &sites, &vec![None; sites.len()], 1, &mut rng);
    for (index, served) in served.into_iter().enumerate() {
        match served {
            Ok(controls) => {
                for control in controls {
                    found.balance.paired_sites.push(&sites[index].covariates);
                    found.balance.controls.push(&pool[control].covariates);
                    found.pairs.push((index, candidates[control]));
                }
            }
            Err(why) => {
                found.dropped[Dropped::ALL.iter().position(|d| *d == why).unwrap_or(0)] += 1
            }
        }
    }
    found
}

fn metric(control: Control, balance: &Balance, request: &EnrichmentRequest) -> Metric {
    let spread = balance.denominators();
    let scored = control == Control::Outside;
    let mut metric = Metric::ANY;
    metric.scale = std::array::from_fn(|i| {
        if spread[i].is_finite() && (i < 5 || scored) {
            spread[i]
        } else {
            0.0
        }
    });
    (metric.caliper[0], metric.caliper[1]) = (request.caliper, request.caliper);
    if control == Control::Outside {
        metric.caliper[5] = SCORE_CALIPER_BITS;
    }
    metric
}

/// Usable places in the ground and on the strand of each hit: random ones, or of a core promoter
/// element all where it may lie.
fn positions(
    hits: &Hits,
    grounds: &Grounds,
    request: &EnrichmentRequest,
    rng: &mut Rng,
) -> Vec<Occurrence> {
    let mut found = Vec::new();
    for hit in &hits.usable {
        let ground = &grounds.all[hit.ground];
        let plain = |start: &usize| ground.is_plain(*start, start + hits.width, request);
        let place = |start: usize| Occurrence {
            start,
            end: start + hits.width,
            score: f64::NAN,
            p_value: f64::NAN,
            ..*hit
        };
        if let Some(homes) = &hits.homes {
            let on_strand = homes[hit.ground]
                .iter()
                .filter(|(_, strand)| *strand == hit.strand)
                .map(|(start, _)| *start);
            found.extend(on_strand.filter(plain).map(place));
            continue;
        }
        let room = ground.interval.len_bp() - hits.width + 1;
        for _ in 0..DRAWS {
            let start = ground.interval.start + rng.below(room);
            found.extend(Some(start).filter(plain).map(place));
        }
    }
    found
}
