//! Intervals by inverting the sign-flip test: all differences that it does not reject.
//!
//! Taken at a difference `d`, the sum of a cluster is `S_c - d n_c`. A flip with totals `a = sum
//! +-S_c` and `b = sum +-n_c` is at least as far from 0 as the data exactly where `d` lies between
//! `(S - a) / (n - b)` and `(S + a) / (n + b)`, which holds `S / n`. So the p-value of every `d` is
//! known at once, and the ends of the interval are order statistics of these ends.

use rayon::prelude::*;

use super::{ClusterSums, FLIPS, Flips, flipped, flipped_sums};
use crate::stats::rng::Rng;

impl ClusterSums {
    /// The differences that [`ClusterSums::test`] with the same `permutations` and `seed` does not
    /// reject at `1 - level`: its interval of `level`, which holds 0 exactly where the p-value is
    /// above `1 - level`. `(low, high)`; both `NaN` where that is no bounded interval, as with
    /// fewer than six clusters at 0.95.
    pub fn interval(&self, permutations: usize, level: f64, seed: u64) -> (f64, f64) {
        let nothing = (f64::NAN, f64::NAN);
        let (total, n) = (
            self.sums.iter().sum::<f64>(),
            self.counts.iter().sum::<f64>(),
        );
        if total.is_nan() || n.is_nan() || n <= 0.0 {
            return nothing;
        }
        let flips = Flips::new(
            self.sums.len(),
            permutations,
            Rng::new(seed).derive("sign-flip"),
        );
        let [sums, counts] = [&self.sums, &self.counts]
            .map(|values| values.chunks(8).map(flipped).collect::<Vec<[f64; 256]>>());
        let ends = |a: f64, b: f64| {
            let end = |sum: f64, count: f64| {
                if count > 1e-12 * n {
                    sum / count
                } else {
                    f64::INFINITY
                }
            };
            let (one, other) = (end(total - a, n - b), end(total + a, n + b));
            // All clusters flipped, or none: as far from 0 as the data at any difference.
            if one.is_infinite() || other.is_infinite() {
                (f64::NEG_INFINITY, f64::INFINITY)
            } else {
                (one.min(other), one.max(other))
            }
        };
        let block = |first: u64| {
            let some = (first * FLIPS..flips.count().min((first + 1) * FLIPS))
                .map(|flip| flips.signs(flip))
                .collect::<Vec<_>>();
            let (a, b) = (
                flipped_sums(&sums, some.clone()),
                flipped_sums(&counts, some),
            );
            a.into_iter()
                .zip(b)
                .map(|(a, b)| ends(a, b))
                .collect::<Vec<_>>()
        };
        let blocks: Vec<Vec<(f64, f64)>> = (0..flips.count().div_ceil(FLIPS))
            .into_par_iter()
            .map(block)
            .collect();
        let (mut lows, mut highs): (Vec<f64>, Vec<f64>) = blocks.into_iter().flatten().unzip();
        lows.sort_unstable_by(f64::total_cmp);
        highs.sort_unstable_by(|x, y| y.total_cmp(x));
        // The fewest flips that must be as far as the data for a difference to be kept.
        let kept = (0..=lows.len())
            .collect::<Vec<_>>()
            .partition_point(|beyond| flips.p_value(*beyond) <= 1.0 - level + 1e-12);
        match kept
            .checked_sub(1)
            .and_then(|last| lows.get(last).zip(highs.get(last)))
        {
            Some((low, high)) if low.is_finite() && high.is_finite() => (*low, *high),
            _ => nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::permutation::sign_flip_clusters;

    #[test]
    fn it_holds_what_the_test_does_not_reject() {
        let differences = [
            0.3, 0.1, -0.2, 0.5, 0.4, 0.1, -0.05, 0.2, 0.35, -0.1, 0.02, 0.33, 0.18,
        ];
        let clusters = [0, 0, 1, 2, 3, 3, 4, 5, 6, 7, 7, 8, 9];
        let at = |d: f64, permutations| {
            let shifted: Vec<f64> = differences.iter().map(|x| x - d).collect();
            sign_flip_clusters(&shifted, &clusters, permutations, 4).p_value
        };
        for (permutations, level) in [(1024, 0.95), (1024, 0.9), (999, 0.95)] {
            let (low, high) =
                ClusterSums::of_pairs(&differences, &clusters).interval(permutations, level, 4);
            for (end, out) in [(low, -1.0), (high, 1.0)] {
                assert!(
                    at(end - out * 1e-6, permutations) > 1.0 - level
                        && at(end + out * 1e-6, permutations) <= 1.0 - level,
                    "{low} {high}"
                );
            }
        }
    }

    #[test]
    fn limits() {
        let of = |values: &[f64], clusters: &[usize]| {
            ClusterSums::of_pairs(values, clusters).interval(1000, 0.95, 1)
        };
        assert!(of(&[], &[]).0.is_nan() && of(&[1.0, f64::NAN, 2.0], &[0, 1, 2]).0.is_nan());
        assert!(
            of(&[1.0, 2.0, 3.0, 2.0, 1.0], &[0, 1, 2, 3, 4]).0.is_nan(),
            "2 of 32 flips are 6%"
        );
        let (low, high) = of(&[1.0, 2.0, 3.0, 2.0, 1.0, 2.5], &[0, 1, 2, 3, 4, 5]);
        assert!(low < 1.917 && 1.917 < high);
        let (low, high) = of(&[0.5; 12], &(0..12).collect::<Vec<_>>());
        assert!((low - 0.5).abs() < 1e-12 && (high - 0.5).abs() < 1e-12);
    }

    /// The share of runs in which the interval holds the truth. Clusters of 1 to 40 pairs share a
    /// part of their differences; `skew` 0 is symmetric, 1 exponential.
    fn covered(n_clusters: usize, skew: f64) -> f64 {
        const RUNS: u64 = 2000;
        let covers = |run: u64| {
            let mut rng = Rng::new(run).derive(&format!("cover {n_clusters} {skew}"));
            // Both parts of mean 0 and variance about 1.
            let mut noise = || {
                let symmetric = (rng.uniform() + rng.uniform() + rng.uniform() - 1.5) * 2.0;
                skew * (-(1.0 - rng.uniform()).ln() - 1.0) + (1.0 - skew) * symmetric
            };
            let (mut values, mut clusters) = (Vec::new(), Vec::new());
            for cluster in 0..n_clusters {
                let shared = noise();
                for _ in 0..1 + cluster * cluster * 39 / (n_clusters * n_clusters) {
                    values.push(0.3 + 0.5 * shared + noise());
                    clusters.push(cluster);
                }
            }
            let (low, high) = ClusterSums::of_pairs(&values, &clusters).interval(999, 0.95, run);
            low <= 0.3 && 0.3 <= high
        };
        (0..RUNS).into_par_iter().filter(|run| covers(*run)).count() as f64 / RUNS as f64
    }

    #[test]
    fn it_covers_with_few_and_unequal_clusters() {
        for n_clusters in [10, 30, 74] {
            for skew in [0.0, 0.5] {
                let share = covered(n_clusters, skew);
                println!("{n_clusters} clusters, skew {skew}: {share}");
                assert!(
                    (0.93..=0.97).contains(&share),
                    "{n_clusters} clusters, skew {skew}: {share}"
                );
            }
        }
    }
}
