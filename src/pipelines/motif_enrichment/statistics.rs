//! The tests of one comparison.

use crate::stats::effect::{auroc, paired_d};
use crate::stats::permutation::ClusterSums;

/// Level of every interval.
pub(super) const LEVEL: f64 = 0.95;

/// False discovery rate that floors are held against.
const RATE: f64 = 0.05;

/// A test that fewer flips than this reached is repeated with more of them.
const FEW: f64 = 10.0;

/// The outcome of one comparison of one endpoint.
#[derive(Clone, Debug)]
pub(super) struct Compared {
    pub hit_mean: f64,
    pub control_mean: f64,
    pub difference: f64,
    pub ci_low: f64,
    pub ci_high: f64,
    pub d: f64,
    pub auroc: f64,
    pub p_value: f64,
    pub p_floor: f64,
    pub n_pairs: usize,
    pub n_clusters: usize,
    pub n_effective: f64,
    pub n_orders: usize,
    pub order_sd: f64,
}

/// Flips enough for a floor of a tenth of the least Benjamini-Hochberg threshold, `RATE / n_tests`,
/// and never fewer than asked for.
pub(super) fn most_permutations(permutations: usize, n_tests: usize) -> usize {
    let needed = (10.0 * n_tests as f64 / RATE).ceil() as usize;
    permutations.max(needed)
}

/// Compares paired values; one cluster number a pair.
///
/// A test that fewer than ten of the `permutations` flips reached is done anew with `most` other
/// flips, and that p-value stands. This keeps p valid: for a level below that of the first round it
/// must come from the second, and above it what was rejected in the first round is a subset of what
/// a single round would reject.
pub(super) fn compare(
    hits: &[f64],
    controls: &[f64],
    clusters: &[usize],
    (permutations, most): (usize, usize),
    seed: u64,
) -> Compared {
    let differences: Vec<f64> = hits
        .iter()
        .zip(controls)
        .map(|(hit, control)| hit - control)
        .collect();
    let sums = ClusterSums::of_pairs(&differences, clusters);
    let mut test = sums.test(permutations, seed);
    if !test.exact && most > permutations && test.p_value * (permutations as f64 + 1.0) < FEW + 1.0
    {
        test = sums.test(most, seed ^ 1);
    }
    let (ci_low, ci_high) = sums.interval(permutations, LEVEL, seed);
    Compared {
        hit_mean: crate::stats::mean(hits),
        control_mean: crate::stats::mean(controls),
        difference: test.statistic,
        ci_low,
        ci_high,
        d: paired_d(&differences),
        auroc: auroc(hits, controls),
        p_value: if differences.is_empty() {
            f64::NAN
        } else {
            test.p_value
        },
        p_floor: test.p_floor,
        n_pairs: differences.len(),
        n_clusters: test.n_clusters,
        n_effective: sums.effective(),
        n_orders: 0,
        order_sd: f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floors_lie_far_under_the_least_threshold() {
        assert_eq!(most_permutations(10_000, 40), 10_000);
        assert_eq!(most_permutations(10_000, 1000), 200_000);
        let clusters: Vec<usize> = (0..60).collect();
        let (hits, controls): (Vec<f64>, Vec<f64>) =
            (0..60).map(|i| (1.0 + f64::from(i), f64::from(i))).unzip();
        let many = compare(&hits, &controls, &clusters, (1000, 200_000), 3);
        assert!((many.p_floor - 1.0 / 200_001.0).abs() < 1e-12 && many.p_value == many.p_floor);
        let none = compare(&hits, &hits, &clusters, (1000, 200_000), 3);
        assert_eq!((none.p_value, none.difference), (1.0, 0.0));
        assert!(
            (none.p_floor - 1.0 / 1001.0).abs() < 1e-12,
            "no second round where nothing is to be seen"
        );
        let nothing = compare(&[], &[], &[], (1000, 1000), 3);
        assert!(nothing.p_value.is_nan() && nothing.n_pairs == 0);
    }
}
