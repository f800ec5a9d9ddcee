//! Tests at every position of a profile at once, by sign flips of whole clusters: max-T adjusted
//! p-values per offset, and the mass of runs of offsets.
//!
//! The statistic of an offset is `t = sum_c S_c / sqrt(sum_c S_c^2)` over the clusters' summed
//! differences `S_c`. Flips leave the denominator as it is, and it is the standard deviation of the
//! numerator over all flips: every offset has the same scale in the maximum. Computing a standard
//! error anew in each flip would change nothing, as Student's t of the cluster sums, `t sqrt((n - 1)
//! / (n - t^2))` for `n` clusters, rises with `t` alike at all offsets.
//!
//! - `p_max_t` compares an offset with the largest `|t|` of all offsets in each flip (Westfall &
//!   Young 1993; Nichols & Holmes 2002). The probability of *any* false offset among those at
//!   `p_max_t <= 0.05` is at most 0.05, whatever the dependence between offsets: single offsets may
//!   be named.
//! - A run is a stretch of neighbouring offsets with `|t|` above a threshold and one sign; its mass
//!   is the sum of `t`. Its p-value compares it with the largest mass of each flip (Maris &
//!   Oostenveld 2007). A small one shows that the profiles differ *somewhere*. It does not show
//!   where the difference begins and ends, nor that any given offset of the run differs: under the
//!   null tested there is no difference at any offset (Sassenhagen & Draschkow 2019). The threshold
//!   must be fixed in advance; it decides what kind of difference is seen best, not whether the
//!   test holds.

mod flipped;

use rayon::prelude::*;

use crate::stats::permutation::Flips;
use crate::stats::quantile_sorted;
use crate::stats::rng::Rng;
use flipped::Standardised;

/// The threshold of runs on `|t|`: the two-sided 0.05 point of the normal distribution. Fixed in
/// advance.
pub const RUN_THRESHOLD: f64 = 1.959963984540054;

/// Flips that are summed together.
const BLOCK: u64 = 128;

/// The tests of one profile.
#[derive(Clone, Debug, PartialEq)]
pub struct OffsetTests {
    /// One per offset, in order.
    pub offsets: Vec<OffsetTest>,
    /// Runs of offsets beyond the threshold, in order.
    pub runs: Vec<RunTest>,
    /// Number of clusters.
    pub n_clusters: usize,
    /// The least p-value these tests could have given, as in
    /// [`crate::stats::permutation::SignFlip`].
    pub p_floor: f64,
    /// Whether all `2^clusters` flips were tried.
    pub exact: bool,
    /// The `|t|` that the largest of all offsets stays below in 95 % of the flips; `NaN` without
    /// clusters.
    pub max_t_95: f64,
}

/// The test of one offset.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OffsetTest {
    /// Mean difference over pairs.
    pub difference: f64,
    /// The difference over its standard deviation under flips; 0 where no cluster differs.
    pub t: f64,
    /// Two-sided p-value of this offset alone.
    pub p_value: f64,
    /// Two-sided p-value adjusted for all offsets.
    pub p_max_t: f64,
}

/// The test of one run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RunTest {
    /// First offset, as an index.
    pub start: usize,
    /// One past the last offset, as an index.
    pub end: usize,
    /// Sum of `t`, with its sign.
    pub mass: f64,
    /// Two-sided p-value adjusted for all runs there could have been.
    pub p_value: f64,
}

/// What flips gave, counted.
struct Counted {
    /// Flips at least as far from 0 as the data, per offset alone.
    beyond: Vec<usize>,
    /// Largest `|t|` of each flip.
    max_t: Vec<f64>,
    /// Largest mass of a run of each flip.
    max_mass: Vec<f64>,
}

/// Tests whether summed differences are symmetric around 0 at each offset. `sums` is `(clusters,
/// width)`, row by row: of each cluster, the sum over its `pairs` (`n_pairs` over all clusters) of
/// site less control at each offset. All offsets of a cluster flip together.
///
/// An offset with a sum that is not a number has `NaN` in all fields and is left out of maxima and
/// runs. Without clusters all p-values are 1. Memory: a copy of `sums`. The result depends on
/// `seed` and the data, not on the number of threads.
pub fn sign_flip_offsets(
    sums: &[f64],
    width: usize,
    n_pairs: usize,
    threshold: f64,
    permutations: usize,
    seed: u64,
) -> OffsetTests {
    let data = Standardised::new(sums, width);
    let flips = Flips::new(
        data.n_clusters,
        permutations,
        Rng::new(seed).derive("offsets"),
    );
    let observed = data.unflipped();
    let block = |first: u64| {
        let rows = data.flipped(
            (first * BLOCK..flips.count().min((first + 1) * BLOCK))
                .map(|flip| flips.signs(flip))
                .collect(),
        );
        count(&rows, &observed, threshold)
    };
    let blocks: Vec<Counted> = (0..flips.count().div_ceil(BLOCK))
        .into_par_iter()
        .map(block)
        .collect();
    let reaching = |pick: fn(&Counted) -> &Vec<f64>, value: f64| {
        flips.p_value(
            blocks
                .iter()
                .flat_map(pick)
                .filter(|most| **most >= value.abs() - rounding(value))
                .count(),
        )
    };
    let offset = |index: usize| {
        let sum: f64 = sums.chunks_exact(width).map(|row| row[index]).sum();
        if sum.is_nan() {
            return OffsetTest {
                difference: f64::NAN,
                t: f64::NAN,
                p_value: f64::NAN,
                p_max_t: f64::NAN,
            };
        }
        OffsetTest {
            difference: sum / n_pairs as f64,
            t: observed[index],
            p_value: flips.p_value(blocks.iter().map(|block| block.beyond[index]).sum()),
            p_max_t: reaching(|block| &block.max_t, observed[index]),
        }
    };
    let run = |(start, end, mass): (usize, usize, f64)| RunTest {
        start,
        end,
        mass,
        p_value: reaching(|block| &block.max_mass, mass),
    };
    OffsetTests {
        offsets: (0..width).into_par_iter().map(offset).collect(),
        runs: runs(&observed, threshold).into_iter().map(run).collect(),
        n_clusters: data.n_clusters,
        p_floor: flips.p_floor(),
        exact: flips.exact,
        max_t_95: {
            let mut most: Vec<f64> = blocks
                .iter()
                .flat_map(|block| &block.max_t)
                .copied()
                .collect();
            most.sort_by(f64::total_cmp);
            if data.n_clusters == 0 {
                f64::NAN
            } else {
                quantile_sorted(&most, 0.95)
            }
        },
    }
}

/// Sums in another order differ in the last bits; a flip that gives the same value must count as
/// equal.
fn rounding(value: f64) -> f64 {
    1e-10 * (1.0 + value.abs())
}

/// `rows` is `(flips, width)`.
fn count(rows: &[f64], observed: &[f64], threshold: f64) -> Counted {
    let mut counted = Counted {
        beyond: vec![0; observed.len()],
        max_t: Vec::new(),
        max_mass: Vec::new(),
    };
    for row in rows.chunks_exact(observed.len().max(1)) {
        for ((beyond, t), observed) in counted.beyond.iter_mut().zip(row).zip(observed) {
            *beyond += usize::from(t.abs() >= observed.abs() - rounding(*observed));
        }
        counted
            .max_t
            .push(row.iter().fold(0.0, |most: f64, t| most.max(t.abs())));
        counted.max_mass.push(
            runs(row, threshold)
                .into_iter()
                .fold(0.0, |most: f64, (_, _, mass)| most.max(mass.abs())),
        );
    }
    counted
}

/// Stretches `(start, end, sum of t)` with `|t|` above the threshold and one sign.
fn runs(t: &[f64], threshold: f64) -> Vec<(usize, usize, f64)> {
    let side = |t: f64| {
        if t > threshold {
            1
        } else {
            -i32::from(t < -threshold)
        }
    };
    let mut start = 0;
    let mut found = Vec::new();
    for stretch in t.chunk_by(|a, b| side(*a) == side(*b)) {
        if side(stretch[0]) != 0 {
            found.push((start, start + stretch.len(), stretch.iter().sum()));
        }
        start += stretch.len();
    }
    found
}

#[cfg(test)]
mod tests;
