//! Sign-flip permutation of paired differences, whole clusters at a time.

use rayon::prelude::*;

use crate::stats::dense_clusters;
use crate::stats::rng::Rng;

/// The outcome of a permutation test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SignFlip {
    /// The observed mean difference.
    pub statistic: f64,
    /// Number of clusters.
    pub n_clusters: usize,
    /// Two-sided p-value `(b + 1) / (m + 1)` (Phipson & Smyth 2010): `b` of `m` random flips were at least as far from 0.
    pub p_value: f64,
    /// The least p-value this test could have given: `1 / (m + 1)`, or `2 / 2^clusters` where that is more, as no two-sided test over so few
    /// clusters can go lower.
    pub p_floor: f64,
}

/// Tests whether paired differences are symmetric around 0, with all differences of a cluster flipped together: members of a cluster (sites
/// of overlapping genes) are not independent, and flipping them one by one would call their common deviation significant.
///
/// `differences` and `clusters` have one entry a pair; the shorter one counts. The statistic is the mean over pairs. All `NaN` (and `p_value` 1)
/// without pairs. The result depends on `seed` and the data, not on the number of threads.
pub fn sign_flip_clusters(differences: &[f64], clusters: &[usize], permutations: usize, seed: u64) -> SignFlip {
    let n = differences.len().min(clusters.len());
    let (dense, n_clusters) = dense_clusters(&clusters[..n]);
    if n == 0 {
        return SignFlip { statistic: f64::NAN, n_clusters: 0, p_value: 1.0, p_floor: 1.0 };
    }
    let mut sums = vec![0.0; n_clusters];
    for (difference, cluster) in differences.iter().zip(dense) {
        sums[cluster] += difference;
    }
    let observed: f64 = sums.iter().sum();
    // Sums in another order differ in the last bits; a flip that gives the same value must count as equal.
    let tolerance = 1e-12 * sums.iter().map(|s| s.abs()).sum::<f64>();
    let rng = Rng::new(seed).derive("sign-flip");
    let beyond = (0..permutations as u64)
        .into_par_iter()
        .filter(|replicate| {
            let mut rng = rng.derive_number(*replicate);
            let mut flipped = 0.0;
            for chunk in sums.chunks(64) {
                let mut bits = rng.next_u64();
                for sum in chunk {
                    flipped += if bits & 1 == 1 { -sum } else { *sum };
                    bits >>= 1;
                }
            }
            flipped.abs() >= observed.abs() - tolerance
        })
        .count();
    let least = 1.0 / (permutations as f64 + 1.0);
    let exact_least = 2f64.powi(1 - i32::try_from(n_clusters).unwrap_or(i32::MAX));
    SignFlip {
        statistic: observed / n as f64,
        n_clusters,
        p_value: (beyond as f64 + 1.0) / (permutations as f64 + 1.0),
        p_floor: least.max(exact_least).min(1.0),
    }
}

#[cfg(test)]
mod tests {
    use statrs::distribution::{Binomial, DiscreteCDF};

    use super::*;

    /// Every one of the `2^clusters` flips.
    fn exact(sums: &[f64]) -> f64 {
        let observed: f64 = sums.iter().sum::<f64>().abs();
        let beyond = (0u32..1 << sums.len())
            .filter(|mask| {
                let flipped: f64 = sums.iter().enumerate().map(|(i, s)| if mask >> i & 1 == 1 { -s } else { *s }).sum();
                flipped.abs() >= observed - 1e-9
            })
            .count();
        beyond as f64 / f64::from(1u32 << sums.len())
    }

    #[test]
    fn random_flips_approach_the_exact_test() {
        let differences = [0.3, 0.1, -0.2, 0.5, 0.4, 0.1, -0.05, 0.2, 0.35, -0.1, 0.02];
        let clusters = [0, 0, 1, 2, 3, 3, 4, 5, 6, 7, 7];
        let sums = [0.4, -0.2, 0.5, 0.5, -0.05, 0.2, 0.35, -0.08];
        let test = sign_flip_clusters(&differences, &clusters, 200_000, 11);
        let expected = exact(&sums);
        assert_eq!(test.n_clusters, 8);
        assert!((test.statistic - 1.62 / 11.0).abs() < 1e-12);
        assert!((test.p_value - expected).abs() < 4.0 * (expected * (1.0 - expected) / 200_000.0).sqrt(), "{} {expected}", test.p_value);
        assert_eq!(test.p_floor, 2.0 / 256.0);
    }

    // import numpy as np, scipy.stats as st; x = np.array([.3,.1,-.2,.5,.4,.1,-.05,.2,.35,-.1])
    // st.permutation_test((x,), np.mean, permutation_type='samples', n_resamples=np.inf).pvalue -> 0.068359375
    #[test]
    fn one_pair_a_cluster_is_scipys_sign_flip() {
        let x = [0.3, 0.1, -0.2, 0.5, 0.4, 0.1, -0.05, 0.2, 0.35, -0.1];
        let expected = 0.068359375;
        assert!((exact(&x) - expected).abs() < 1e-12);
        let clusters: Vec<usize> = (0..10).collect();
        let p = sign_flip_clusters(&x, &clusters, 100_000, 2).p_value;
        assert!((p - expected).abs() < 4.0 * (expected * (1.0 - expected) / 100_000.0).sqrt());
    }

    #[test]
    fn no_pairs_and_no_difference() {
        let empty = sign_flip_clusters(&[], &[], 100, 0);
        assert!(empty.statistic.is_nan() && empty.p_value == 1.0);
        assert_eq!(sign_flip_clusters(&[0.0; 5], &[0, 1, 2, 3, 4], 100, 0).p_value, 1.0);
        assert_eq!(sign_flip_clusters(&[1.0; 40], &(0..40).collect::<Vec<_>>(), 999, 0).p_value, 0.001);
    }

    #[test]
    fn threads_change_nothing() {
        let differences: Vec<f64> = (0..200).map(|i| f64::from(i % 17) - 7.5).collect();
        let clusters: Vec<usize> = (0..200).map(|i| i / 3).collect();
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| sign_flip_clusters(&differences, &clusters, 5000, 9))
        };
        assert_eq!(run(1), run(3));
    }

    /// Null data in which the members of a cluster share half of their variance: flips of clusters must keep their level, flips of
    /// single pairs must not.
    #[test]
    fn the_null_keeps_its_level_only_by_cluster() {
        const SEEDS: u64 = 600;
        let (mut by_cluster, mut by_pair, mut p_values) = (0u64, 0u64, Vec::new());
        for seed in 0..SEEDS {
            let mut rng = Rng::new(seed).derive("null");
            // Symmetric around 0 and not normal: the sum of two uniforms each.
            let mut noise = || rng.uniform() + rng.uniform() - 1.0;
            let (mut differences, mut clusters) = (Vec::new(), Vec::new());
            for cluster in 0..30usize {
                let shared = noise();
                for _ in 0..2 + cluster % 9 {
                    differences.push(shared + noise());
                    clusters.push(cluster);
                }
            }
            let alone: Vec<usize> = (0..differences.len()).collect();
            let p = sign_flip_clusters(&differences, &clusters, 499, seed).p_value;
            by_cluster += u64::from(p <= 0.05);
            by_pair += u64::from(sign_flip_clusters(&differences, &alone, 499, seed).p_value <= 0.05);
            p_values.push(p);
        }
        let null = Binomial::new(0.05, SEEDS).unwrap();
        let (low, high) = (null.inverse_cdf(0.005), null.inverse_cdf(0.995));
        assert!((low..=high).contains(&by_cluster), "{by_cluster} of {SEEDS} outside [{low}, {high}]");
        assert!(by_pair > 2 * high, "{by_pair}");
        // Kolmogorov-Smirnov distance to uniform, 1% critical value.
        p_values.sort_by(f64::total_cmp);
        let n = SEEDS as f64;
        let distance = p_values.iter().enumerate().map(|(i, p)| ((i as f64 + 1.0) / n - p).abs()).fold(0.0, f64::max);
        assert!(distance < 1.63 / n.sqrt(), "{distance}");
    }
}
