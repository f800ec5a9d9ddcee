//! Intervals by the cluster bootstrap: whole clusters are drawn with replacement, with everything
//! in them.
//!
//! Intervals are bias-corrected and accelerated (BCa; Efron 1987, Efron & Tibshirani 1993, ch. 14).
//! The bias correction `z0` is the normal quantile of the share of replicates below the observed
//! value (ties count half), the acceleration comes from leaving out one cluster at a time. Where
//! one of the two is undefined (no replicate on one side, no difference between the leave-one-out
//! values, a statistic that some leave-one-out set does not have) the percentile interval stands
//! in. With fewer than two clusters, or where the observed value is `NaN`, the interval is `NaN`.
//! [`ProfileSums`] keeps pointwise percentile bands.

mod bca;
mod labelled;
mod profile;

use crate::stats::dense_clusters;
use crate::stats::effect::{Ranked, log2_of_ratio};
use crate::stats::rng::Rng;
pub(crate) use bca::{interval, totals_interval};
pub use labelled::labelled_auroc;
pub use profile::{Band, ProfileSums};

/// How often each of `n` clusters is drawn in one replicate of `n` draws.
fn draw_weights(rng: &Rng, replicate: u64, n: usize) -> Vec<f64> {
    let (mut rng, mut weights) = (rng.derive_number(replicate), vec![0.0; n]);
    for _ in 0..n {
        weights[rng.below(n)] += 1.0;
    }
    weights
}

/// Sums by cluster of `row(i)` over observations `0..clusters.len()`.
pub(crate) fn cluster_rows<const C: usize>(
    clusters: &[usize],
    row: impl Fn(usize) -> [f64; C],
) -> Vec<[f64; C]> {
    let (dense, n) = dense_clusters(clusters);
    let mut rows = vec![[0.0; C]; n];
    for (i, cluster) in dense.into_iter().enumerate() {
        rows[cluster]
            .iter_mut()
            .zip(row(i))
            .for_each(|(sum, value)| *sum += value);
    }
    rows
}

/// The `level` interval of the mean of `values` (one cluster number each; the shorter slice
/// counts). `(low, high)`.
pub fn mean_interval(
    values: &[f64],
    clusters: &[usize],
    replicates: usize,
    level: f64,
    seed: u64,
) -> (f64, f64) {
    let n = values.len().min(clusters.len());
    let rows = cluster_rows(&clusters[..n], |i| [values[i], 1.0]);
    totals_interval(
        &rows,
        |[sum, count]| sum / count,
        replicates,
        level,
        &Rng::new(seed).derive("mean"),
    )
}

/// The `level` interval of [`crate::stats::effect::paired_d`] of `differences` (one cluster number
/// each). `(low, high)`.
pub fn paired_d_interval(
    differences: &[f64],
    clusters: &[usize],
    replicates: usize,
    level: f64,
    seed: u64,
) -> (f64, f64) {
    let n = differences.len().min(clusters.len());
    let center = crate::stats::mean(&differences[..n]); // sums of squares keep their digits around it
    let rows = cluster_rows(&clusters[..n], |i| {
        [
            differences[i] - center,
            (differences[i] - center).powi(2),
            1.0,
        ]
    });
    let d = |[sum, squares, count]: &[f64; 3]| {
        let mean = sum / count;
        let variance = (squares - sum * mean) / (count - 1.0);
        if variance > 0.0 {
            (mean + center) / variance.sqrt()
        } else {
            f64::NAN
        }
    };
    totals_interval(
        &rows,
        d,
        replicates,
        level,
        &Rng::new(seed).derive("paired-d"),
    )
}

/// The `level` interval of [`crate::stats::effect::log2_ratio`] of paired samples: value `i` of
/// both belongs to cluster `clusters[i]`, and both are drawn together. `(low, high)`.
pub fn log2_ratio_interval(
    numerators: &[f64],
    denominators: &[f64],
    clusters: &[usize],
    replicates: usize,
    level: f64,
    seed: u64,
) -> (f64, f64) {
    let n = numerators.len().min(denominators.len()).min(clusters.len());
    let rows = cluster_rows(&clusters[..n], |i| [numerators[i], denominators[i]]);
    totals_interval(
        &rows,
        |[above, below]| log2_of_ratio(*above, *below),
        replicates,
        level,
        &Rng::new(seed).derive("log2-ratio"),
    )
}

/// The `level` interval of the AUROC of paired samples: value `i` of both belongs to cluster
/// `clusters[i]`, and both are drawn together. `(low, high)`. That of Cliff's delta is `(2 low - 1,
/// 2 high - 1)`: a BCa interval follows any monotone transformation.
pub fn auroc_interval(
    positives: &[f64],
    negatives: &[f64],
    clusters: &[usize],
    replicates: usize,
    level: f64,
    seed: u64,
) -> (f64, f64) {
    let n = positives.len().min(negatives.len()).min(clusters.len());
    let (positives, negatives) = (&positives[..n], &negatives[..n]);
    let (dense, n_clusters) = dense_clusters(&clusters[..n]);
    let ranked = Ranked::new(positives, negatives);
    let auroc = |weights: &[f64]| ranked.auroc(|pair| weights[dense[pair]]);
    let left_out = aurocs_without(positives, negatives, &ranked, &dense, n_clusters);
    interval(
        auroc,
        n_clusters,
        &left_out,
        replicates,
        level,
        &Rng::new(seed).derive("auroc"),
    )
}

/// The AUROC without each cluster in turn: the pairs of values won in all, less those with one
/// member in the cluster (those with both were taken twice).
fn aurocs_without(
    positives: &[f64],
    negatives: &[f64],
    ranked: &Ranked,
    dense: &[usize],
    n_clusters: usize,
) -> Vec<f64> {
    let (won_by, lost_by) = ranked.won_and_lost(positives.len(), negatives.len());
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); n_clusters];
    dense
        .iter()
        .enumerate()
        .for_each(|(pair, cluster)| members[*cluster].push(pair));
    let (all, won): (f64, f64) = (dense.len() as f64, won_by.iter().sum());
    let without = |members: &Vec<usize>| {
        let part = |values: &[f64]| {
            members
                .iter()
                .map(|pair| values[*pair])
                .collect::<Vec<f64>>()
        };
        let n = members.len() as f64;
        let inside = Ranked::new(&part(positives), &part(negatives)).auroc(|_| 1.0) * n * n;
        let touching: f64 = members
            .iter()
            .map(|pair| won_by[*pair] + lost_by[*pair])
            .sum();
        (won - touching + inside) / (all - n).powi(2)
    };
    members.iter().map(without).collect()
}

#[cfg(test)]
mod tests;
