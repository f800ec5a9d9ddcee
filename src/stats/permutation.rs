//! Permutation tests of paired differences and of sets of one site and its controls.
//!
//! What may be exchanged decides what a test shows. Take sets of one site and `k` controls, several sets a gene:
//!
//! - [`sign_flip_clusters`] flips all differences of a gene together. It needs genes to be independent, and the summed difference of a gene to be spread
//!   evenly around 0. Where members are exchangeable that is exact for `k = 1`; for `k > 1` and skewed values it holds nearly, the better the more genes.
//!   Sites of a gene may deviate together from their controls. This is the test for sets that share genes.
//! - [`set_labels`] gives the site's label to a random member of each set, independently in each. Exact for any distribution, but it takes the *sets*
//!   as independent: where the sites of a gene deviate together it rejects far too often. This is the test where every set is its own unit.
//! - One relabelling index for all sets of a gene is no way between the two. The sites of a gene share a deviation, its "second controls" do not: they
//!   were numbered at random. So a gene's sum varies less after relabelling than before (its shared part `1 / k` as much, in variance), and the test
//!   rejects too often for `k > 1`; for `k = 1` it is the sign flip. It is not offered; a test beside this file measures it.

mod flips;
mod labels;

use rayon::prelude::*;

use crate::stats::dense_clusters;
use crate::stats::rng::Rng;
pub(crate) use flips::{Flips, Signs};
pub use labels::{SetLabels, set_labels};

/// Flips whose sums are taken together.
const FLIPS: u64 = 256;

/// The outcome of a sign-flip test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SignFlip {
    /// The observed mean difference.
    pub statistic: f64,
    /// Number of clusters.
    pub n_clusters: usize,
    /// Two-sided p-value. Random flips: `(b + 1) / (m + 1)` (Phipson & Smyth 2010), where `b` of `m` flips were at least as far from 0.
    /// All flips: the share of them.
    pub p_value: f64,
    /// The least p-value this test could have given: `1 / (m + 1)`, or `2 / 2^clusters` where that is more, as no two-sided test over so few
    /// clusters can go lower.
    pub p_floor: f64,
    /// Whether all `2^clusters` flips were tried: there were no more of them than permutations asked for.
    pub exact: bool,
}

/// Tests whether paired differences are symmetric around 0, with all differences of a cluster flipped together: members of a cluster (sites
/// of overlapping genes) are not independent, and flipping them one by one would call their common deviation significant.
///
/// `differences` and `clusters` have one entry a pair; the shorter one counts. The statistic is the mean over pairs. Without pairs, or with a difference
/// that is not a number, it is `NaN` and `p_value` 1. The result depends on `seed` and the data, not on the number of threads.
pub fn sign_flip_clusters(differences: &[f64], clusters: &[usize], permutations: usize, seed: u64) -> SignFlip {
    let n = differences.len().min(clusters.len());
    let (dense, n_clusters) = dense_clusters(&clusters[..n]);
    let mut sums = vec![0.0; n_clusters];
    for (difference, cluster) in differences.iter().zip(dense) {
        sums[cluster] += difference;
    }
    let observed: f64 = sums.iter().sum();
    if n == 0 || observed.is_nan() {
        return SignFlip { statistic: f64::NAN, n_clusters, p_value: 1.0, p_floor: 1.0, exact: false };
    }
    let tolerance = 1e-12 * sums.iter().map(|s| s.abs()).sum::<f64>();
    let flips = Flips::new(n_clusters, permutations, Rng::new(seed).derive("sign-flip"));
    let tables: Vec<[f64; 256]> = sums.chunks(8).map(flipped).collect();
    // Sums in another order differ in the last bits; a flip that gives the same value must count as equal.
    let far = |sum: &f64| sum.abs() >= observed.abs() - tolerance;
    let block = |first: u64| {
        let some = first * FLIPS..flips.count().min((first + 1) * FLIPS);
        flipped_sums(&tables, some.map(|flip| flips.signs(flip)).collect()).iter().filter(|sum| far(sum)).count()
    };
    let beyond = (0..flips.count().div_ceil(FLIPS)).into_par_iter().map(block).sum();
    SignFlip { statistic: observed / n as f64, n_clusters, p_value: flips.p_value(beyond), p_floor: flips.p_floor(), exact: flips.exact }
}

/// The sum of up to eight values after each of the 256 ways to flip them; a set bit flips.
fn flipped(values: &[f64]) -> [f64; 256] {
    std::array::from_fn(|bits| values.iter().enumerate().map(|(i, value)| if bits >> i & 1 == 1 { -value } else { *value }).sum())
}

/// The sum over all values after each flip.
fn flipped_sums(tables: &[[f64; 256]], mut flips: Vec<Signs>) -> Vec<f64> {
    let mut sums = vec![0.0; flips.len()];
    for tables in tables.chunks(8) {
        for (sum, signs) in sums.iter_mut().zip(&mut flips) {
            let bytes = signs.next_64().to_le_bytes();
            *sum += tables.iter().zip(bytes).map(|(table, bits)| table[usize::from(bits)]).sum::<f64>();
        }
    }
    sums
}

#[cfg(test)]
mod tests;
