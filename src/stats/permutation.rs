//! Permutation tests of paired differences and of sets of one site and its controls.
//!
//! What may be exchanged decides what a test shows. Take sets of one site and `k` controls, several
//! sets a gene:
//!
//! - [`sign_flip_clusters`] flips all differences of a gene together. It needs genes to be
//!   independent, and the summed difference of a gene to be spread evenly around 0. Where members
//!   are exchangeable that is exact for `k = 1`; for `k > 1` and skewed values it holds nearly, the
//!   better the more genes. Sites of a gene may deviate together from their controls. This is the
//!   test for sets that share genes.
//! - [`set_labels`] gives the site's label to a random member of each set, independently in each.
//!   Exact for any distribution, but it takes the *sets* as independent: where the sites of a gene
//!   deviate together it rejects far too often. This is the test where every set is its own unit.
//! - One relabelling index for all sets of a gene is no way between the two. The sites of a gene
//!   share a deviation, its "second controls" do not: they were numbered at random. So a gene's sum
//!   varies less after relabelling than before (its shared part `1 / k` as much, in variance), and
//!   the test rejects too often for `k > 1`; for `k = 1` it is the sign flip. It is not offered; a
//!   test beside this file measures it.

mod flips;
mod interval;
mod labels;

use rayon::prelude::*;
use statrs::distribution::{ContinuousCDF, Normal};

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
    /// Two-sided p-value. Random flips: `(b + 1) / (m + 1)` (Phipson & Smyth 2010), where `b` of
    /// `m` flips were at least as far from 0. All flips: the share of them.
    pub p_value: f64,
    /// The least p-value this test could have given: `1 / (m + 1)`, or `2 / 2^clusters` where that
    /// is more, as no two-sided test over so few clusters can go lower.
    pub p_floor: f64,
    /// Whether all `2^clusters` flips were tried: there were no more of them than permutations
    /// asked for.
    pub exact: bool,
}

/// One value in the cluster it lies in, and how much it counts there.
pub type Member = (usize, f64, f64);

/// What flips change: of each cluster the summed difference, and how much of one difference it
/// holds (where pairs lie in one cluster, their number).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClusterSums {
    sums: Vec<f64>,
    counts: Vec<f64>,
}

impl ClusterSums {
    /// Of clusters' sums and counts, one each.
    pub fn new(sums: Vec<f64>, counts: Vec<f64>) -> ClusterSums {
        ClusterSums { sums, counts }
    }

    /// Of paired differences, one cluster number each; the shorter slice counts.
    pub fn of_pairs(differences: &[f64], clusters: &[usize]) -> ClusterSums {
        let n = differences.len().min(clusters.len());
        let (dense, n_clusters) = dense_clusters(&clusters[..n]);
        let mut found = ClusterSums::new(vec![0.0; n_clusters], vec![0.0; n_clusters]);
        for (difference, cluster) in differences.iter().zip(dense) {
            found.sums[cluster] += difference;
            found.counts[cluster] += 1.0;
        }
        found
    }

    /// Of two groups whose values count in the clusters they lie in themselves, as `(cluster,
    /// weight, value)`: of a pair over two clusters each is in its own. The weights of both groups
    /// must add up to the same. Values are taken from the middle of the two means, so that a
    /// cluster with more of one group has no sum for that alone. Where both members of every pair
    /// lie in one cluster this is [`ClusterSums::of_pairs`].
    pub fn of_members(first: &[Member], second: &[Member]) -> ClusterSums {
        let clusters: Vec<usize> = first.iter().chain(second).map(|member| member.0).collect();
        let (dense, n_clusters) = dense_clusters(&clusters);
        let mean = |group: &[Member]| {
            group
                .iter()
                .map(|(_, weight, value)| weight * value)
                .sum::<f64>()
                / group.iter().map(|m| m.1).sum::<f64>()
        };
        let middle = (mean(first) + mean(second)) / 2.0;
        let mut found = ClusterSums::new(vec![0.0; n_clusters], vec![0.0; n_clusters]);
        let sides = first
            .iter()
            .map(|member| (1.0, member))
            .chain(second.iter().map(|member| (-1.0, member)));
        for ((sign, (_, weight, value)), cluster) in sides.zip(dense) {
            found.sums[cluster] += sign * weight * (value - middle);
            found.counts[cluster] += weight / 2.0;
        }
        found
    }

    /// Number of clusters.
    pub fn n_clusters(&self) -> usize {
        self.sums.len()
    }

    /// How many clusters of one size would say as much: `(sum n)^2 / sum n^2` over the counts;
    /// `NaN` for none.
    pub fn effective(&self) -> f64 {
        let n: f64 = self.counts.iter().sum();
        n * n / self.counts.iter().map(|count| count * count).sum::<f64>()
    }

    /// Tests whether the sums of clusters are symmetric around 0. The statistic is their total over
    /// the total of the counts. Without clusters, or with a sum that is not a number, it is `NaN`
    /// and `p_value` 1. The result depends on `seed` and the data, not on the number of threads.
    pub fn test(&self, permutations: usize, seed: u64) -> SignFlip {
        let (sums, n_clusters) = (&self.sums, self.sums.len());
        let observed: f64 = sums.iter().sum();
        if n_clusters == 0 || observed.is_nan() {
            return SignFlip {
                statistic: f64::NAN,
                n_clusters,
                p_value: 1.0,
                p_floor: 1.0,
                exact: false,
            };
        }
        let tolerance = 1e-12 * sums.iter().map(|s| s.abs()).sum::<f64>();
        let flips = Flips::new(n_clusters, permutations, Rng::new(seed).derive("sign-flip"));
        let tables: Vec<[f64; 256]> = sums.chunks(8).map(flipped).collect();
        // Sums in another order differ in the last bits; a flip that gives the same value must
        // count as equal.
        let far = |sum: &f64| sum.abs() >= observed.abs() - tolerance;
        let block = |first: u64| {
            let some = first * FLIPS..flips.count().min((first + 1) * FLIPS);
            flipped_sums(&tables, some.map(|flip| flips.signs(flip)).collect())
                .iter()
                .filter(|sum| far(sum))
                .count()
        };
        let beyond = (0..flips.count().div_ceil(FLIPS))
            .into_par_iter()
            .map(block)
            .sum();
        let statistic = observed / self.counts.iter().sum::<f64>();
        SignFlip {
            statistic,
            n_clusters,
            p_value: flips.p_value(beyond),
            p_floor: flips.p_floor(),
            exact: flips.exact,
        }
    }

    /// What the p-value of [`ClusterSums::test`] tends to with many clusters, by the normal law of
    /// the total under flips: without flips, for counting many tests. `NaN` where a sum is not a
    /// number, 1 where no cluster differs.
    pub fn normal_p_value(&self) -> f64 {
        let (total, squares) = self.sums.iter().fold((0.0, 0.0), |(total, squares), sum| {
            (total + sum, squares + sum * sum)
        });
        if squares == 0.0 {
            1.0
        } else {
            2.0 * Normal::standard().sf(f64::abs(total / f64::sqrt(squares)))
        }
    }

    /// The p-value of the hypothesis that the difference is at least `margin` away from 0, by two
    /// one-sided tests (Schuirmann 1987): small where it is shown to be smaller. 1 where the
    /// observed difference lies beyond the margin.
    pub fn equivalence(&self, margin: f64, permutations: usize, seed: u64) -> f64 {
        let observed = self.sums.iter().sum::<f64>() / self.counts.iter().sum::<f64>();
        if observed.is_nan() || margin.is_nan() || observed.abs() >= margin {
            return 1.0;
        }
        let at = |difference: f64| {
            let shifted = self
                .sums
                .iter()
                .zip(&self.counts)
                .map(|(sum, count)| sum - difference * count)
                .collect();
            // The flips of two sides are twice those of one.
            ClusterSums::new(shifted, self.counts.clone())
                .test(permutations, seed)
                .p_value
                / 2.0
        };
        at(margin).max(at(-margin))
    }
}

/// Tests whether paired differences are symmetric around 0, with all differences of a cluster
/// flipped together: members of a cluster (sites of overlapping genes) are not independent, and
/// flipping them one by one would call their common deviation significant.
///
/// `differences` and `clusters` have one entry a pair; the shorter one counts. The statistic is the
/// mean over pairs. See [`ClusterSums::test`].
pub fn sign_flip_clusters(
    differences: &[f64],
    clusters: &[usize],
    permutations: usize,
    seed: u64,
) -> SignFlip {
    ClusterSums::of_pairs(differences, clusters).test(permutations, seed)
}

/// The sum of up to eight values after each of the 256 ways to flip them; a set bit flips.
fn flipped(values: &[f64]) -> [f64; 256] {
    std::array::from_fn(|bits| {
        values
            .iter()
            .enumerate()
            .map(|(i, value)| if bits >> i & 1 == 1 { -value } else { *value })
            .sum()
    })
}

/// The sum over all values after each flip.
fn flipped_sums(tables: &[[f64; 256]], mut flips: Vec<Signs>) -> Vec<f64> {
    let mut sums = vec![0.0; flips.len()];
    for tables in tables.chunks(8) {
        for (sum, signs) in sums.iter_mut().zip(&mut flips) {
            let bytes = signs.next_64().to_le_bytes();
            *sum += tables
                .iter()
                .zip(bytes)
                .map(|(table, bits)| table[usize::from(bits)])
                .sum::<f64>();
        }
    }
    sums
}

#[cfg(test)]
mod tests;
