//! Percentile intervals by the cluster bootstrap: whole clusters are drawn with replacement, with everything in them.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::stats::effect::Ranked;
use crate::stats::rng::Rng;
use crate::stats::{dense_clusters, percentile_interval};

/// How often each of `n` clusters is drawn in one replicate of `n` draws.
fn draw_weights(rng: &Rng, replicate: u64, n: usize) -> Vec<f64> {
    let (mut rng, mut weights) = (rng.derive_number(replicate), vec![0.0; n]);
    for _ in 0..n {
        weights[rng.below(n)] += 1.0;
    }
    weights
}

/// The `level` interval of the mean of `values` (one cluster number each). `(low, high)`; `NaN` with fewer than two clusters.
pub fn mean_interval(values: &[f64], clusters: &[usize], replicates: usize, level: f64, seed: u64) -> (f64, f64) {
    let (dense, n) = dense_clusters(&clusters[..clusters.len().min(values.len())]);
    let (mut sums, mut counts) = (vec![0.0; n], vec![0.0; n]);
    for (value, cluster) in values.iter().zip(dense) {
        sums[cluster] += value;
        counts[cluster] += 1.0;
    }
    if n < 2 {
        return (f64::NAN, f64::NAN); // one cluster says nothing of how clusters vary
    }
    let rng = Rng::new(seed).derive("mean");
    let means = (0..replicates as u64)
        .into_par_iter()
        .map(|replicate| {
            let weights = draw_weights(&rng, replicate, n);
            let dot = |column: &[f64]| weights.iter().zip(column).map(|(w, v)| w * v).sum::<f64>();
            dot(&sums) / dot(&counts)
        })
        .collect();
    percentile_interval(means, level)
}

/// The `level` interval of the AUROC of paired samples: value `i` of both belongs to cluster `clusters[i]`, and both are drawn together.
/// `(low, high)`; `NaN` with fewer than two clusters.
pub fn auroc_interval(positives: &[f64], negatives: &[f64], clusters: &[usize], replicates: usize, level: f64, seed: u64) -> (f64, f64) {
    let pairs = positives.len().min(negatives.len()).min(clusters.len());
    let (dense, n) = dense_clusters(&clusters[..pairs]);
    if n < 2 {
        return (f64::NAN, f64::NAN);
    }
    let ranked = Ranked::new(&positives[..pairs], &negatives[..pairs]);
    let rng = Rng::new(seed).derive("auroc");
    let values = (0..replicates as u64)
        .into_par_iter()
        .map(|replicate| {
            let weights = draw_weights(&rng, replicate, n);
            ranked.auroc(|pair| weights[dense[pair]])
        })
        .collect();
    percentile_interval(values, level)
}

/// Sums of profiles by cluster, from which means and their bands follow without the profiles themselves.
#[derive(Clone, Debug)]
pub struct ProfileSums {
    width: usize,
    /// In order of cluster, so that two groups over the same clusters are drawn alike by one seed, whatever came first.
    clusters: BTreeMap<usize, ClusterSum>,
}

#[derive(Clone, Debug)]
struct ClusterSum {
    count: f64,
    /// `(width)`.
    sums: Vec<f64>,
}

/// The mean of profiles at each position, with a pointwise band.
#[derive(Clone, Debug, PartialEq)]
pub struct Band {
    /// Mean over all profiles, `(width)`; `NaN` without profiles.
    pub mean: Vec<f64>,
    /// Lower end of the interval at each position, `(width)`.
    pub low: Vec<f64>,
    /// Upper end, `(width)`.
    pub high: Vec<f64>,
    /// Number of profiles.
    pub n: usize,
}

impl ProfileSums {
    /// For profiles of `width` values.
    pub fn new(width: usize) -> ProfileSums {
        ProfileSums { width, clusters: BTreeMap::new() }
    }

    /// Adds one profile, of `width` values (others are cut; a shorter one counts as 0 beyond its end), to a cluster.
    pub fn add(&mut self, cluster: usize, profile: &[f32]) {
        let empty = || ClusterSum { count: 0.0, sums: vec![0.0; self.width] };
        let entry = self.clusters.entry(cluster).or_insert_with(empty);
        entry.count += 1.0;
        entry.sums.iter_mut().zip(profile).for_each(|(sum, value)| *sum += f64::from(*value));
    }

    /// The mean profile and its pointwise `level` band over `replicates` draws of clusters.
    pub fn band(&self, replicates: usize, level: f64, seed: u64) -> Band {
        let clusters: Vec<&ClusterSum> = self.clusters.values().collect();
        let rng = Rng::new(seed).derive("profile");
        let weighted = |weights: &[f64]| {
            let (mut total, mut count) = (vec![0.0; self.width], 0.0);
            for (cluster, weight) in clusters.iter().zip(weights).filter(|(_, weight)| **weight > 0.0) {
                count += weight * cluster.count;
                total.iter_mut().zip(&cluster.sums).for_each(|(t, s)| *t += weight * s);
            }
            total.iter_mut().for_each(|t| *t /= count);
            total
        };
        let draws: Vec<Vec<f64>> =
            (0..replicates as u64).into_par_iter().map(|replicate| weighted(&draw_weights(&rng, replicate, clusters.len()))).collect();
        let (low, high) = (0..self.width)
            .into_par_iter()
            .map(|position| percentile_interval(draws.iter().map(|draw| draw[position]).collect(), level))
            .unzip();
        let n = clusters.iter().map(|cluster| cluster.count).sum::<f64>() as usize;
        Band { mean: weighted(&vec![1.0; clusters.len()]), low, high, n }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 40 clusters of one to five values.
    fn data() -> (Vec<f64>, Vec<usize>) {
        let mut rng = Rng::new(5);
        let clusters: Vec<usize> = (0..40usize).flat_map(|c| vec![c * 3; 1 + c % 5]).collect();
        (clusters.iter().map(|c| (*c as f64 / 60.0) + rng.uniform()).collect(), clusters)
    }

    #[test]
    fn means_bands_and_threads_agree() {
        let (values, clusters) = data();
        let interval = mean_interval(&values, &clusters, 2000, 0.95, 1);
        let mut sums = ProfileSums::new(2);
        for (value, cluster) in values.iter().zip(&clusters) {
            sums.add(*cluster, &[*value as f32, 1.0]);
        }
        let band = sums.band(2000, 0.95, 1);
        assert_eq!(band.n, values.len());
        assert!((band.mean[0] - crate::stats::mean(&values)).abs() < 1e-6);
        assert!((band.low[0] - interval.0).abs() < 0.04 && (band.high[0] - interval.1).abs() < 0.04);
        assert_eq!((band.low[1], band.high[1]), (1.0, 1.0));
        let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        assert_eq!(one.install(|| sums.band(2000, 0.95, 1)), band);
    }

    #[test]
    fn width_is_that_of_the_ratio_estimator() {
        // The sd of a cluster bootstrap of a ratio of sums: sqrt(sum (S_c - n_c mean)^2) / sum n_c (Cochran 1977, eq. 2.45).
        let (values, clusters) = data();
        let mean = crate::stats::mean(&values);
        let squares: f64 = (0..40usize)
            .map(|c| values.iter().zip(&clusters).filter(|(_, k)| **k == c * 3).map(|(v, _)| v - mean).sum::<f64>().powi(2))
            .sum();
        let sd = squares.sqrt() / values.len() as f64;
        let (low, high) = mean_interval(&values, &clusters, 20_000, 0.95, 3);
        let expected = 2.0 * 1.959964 * sd;
        assert!(((high - low) / expected - 1.0).abs() < 0.05, "{} {expected}", high - low);
    }

    #[test]
    fn auroc_interval_holds_its_value() {
        let (values, clusters) = data();
        let shifted: Vec<f64> = values.iter().enumerate().map(|(i, v)| v - 0.3 + 0.1 * (i % 3) as f64).collect();
        let (low, high) = auroc_interval(&values, &shifted, &clusters, 1000, 0.95, 4);
        let value = crate::stats::effect::auroc(&values, &shifted);
        assert!(low < value && value < high && high - low < 0.3, "{low} {value} {high}");
        assert_eq!(auroc_interval(&values, &values, &clusters, 100, 0.95, 4), (0.5, 0.5));
    }

    #[test]
    fn nothing_gives_nan() {
        assert!(mean_interval(&[], &[], 10, 0.95, 0).0.is_nan());
        assert!(auroc_interval(&[], &[], &[], 10, 0.95, 0).1.is_nan());
        let band = ProfileSums::new(3).band(10, 0.95, 0);
        assert!(band.n == 0 && band.mean.len() == 3 && band.mean[0].is_nan() && band.low[0].is_nan());
    }
}
