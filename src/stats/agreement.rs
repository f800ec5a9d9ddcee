//! How far two readings of the same positions agree: correlations with intervals over clusters.

use rayon::prelude::*;

use crate::stats::bootstrap::{cluster_rows, interval, totals_interval};
use crate::stats::dense_clusters;
use crate::stats::rng::Rng;

/// Leave-one-out sets of a rank correlation are of this many groups of clusters at most: each costs
/// a pass over all positions.
const GROUPS: usize = 200;

/// A measure of agreement with its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Agreement {
    /// The correlation; `NaN` below two positions or where a reading has one value throughout or
    /// one that is not a number.
    pub correlation: f64,
    /// Lower end of the interval; `NaN` with fewer than two clusters.
    pub ci_low: f64,
    /// Upper end.
    pub ci_high: f64,
}

/// Pearson's correlation of two readings, one cluster number a position (the shortest slice
/// counts), with its BCa `level` interval over `replicates` draws of clusters.
pub fn pearson(
    a: &[f64],
    b: &[f64],
    clusters: &[usize],
    replicates: usize,
    level: f64,
    seed: u64,
) -> Agreement {
    let n = a.len().min(b.len()).min(clusters.len());
    let (center_a, center_b) = (crate::stats::mean(&a[..n]), crate::stats::mean(&b[..n])); // sums of squares keep their digits around them
    let moments = |i: usize| {
        let (a, b) = (a[i] - center_a, b[i] - center_b);
        [1.0, a, b, a * a, b * b, a * b]
    };
    let rows = cluster_rows(&clusters[..n], moments);
    let total: [f64; 6] = std::array::from_fn(|i| rows.iter().map(|row| row[i]).sum());
    let (ci_low, ci_high) = totals_interval(
        &rows,
        correlation,
        replicates,
        level,
        &Rng::new(seed).derive("pearson"),
    );
    Agreement {
        correlation: correlation(&total),
        ci_low,
        ci_high,
    }
}

/// Spearman's correlation of two readings: that of their ranks, ties sharing the mean of theirs,
/// ranks taken anew in every draw. Arguments and interval as in [`pearson`]; the acceleration is
/// taken from at most 200 groups of clusters.
pub fn spearman(
    a: &[f64],
    b: &[f64],
    clusters: &[usize],
    replicates: usize,
    level: f64,
    seed: u64,
) -> Agreement {
    let n = a.len().min(b.len()).min(clusters.len());
    if a[..n].iter().chain(&b[..n]).any(|value| value.is_nan()) {
        return Agreement {
            correlation: f64::NAN,
            ci_low: f64::NAN,
            ci_high: f64::NAN,
        };
    }
    let (dense, n_clusters) = dense_clusters(&clusters[..n]);
    let (order_a, order_b) = (Order::new(&a[..n]), Order::new(&b[..n]));
    // Weights are those of clusters.
    let weighted = |weights: &[f64]| {
        let weights: Vec<f64> = dense.iter().map(|cluster| weights[*cluster]).collect();
        let (ranks_a, ranks_b) = (order_a.ranks(&weights), order_b.ranks(&weights));
        let mut total = [0.0; 6];
        for ((weight, a), b) in weights.iter().zip(&ranks_a).zip(&ranks_b) {
            total
                .iter_mut()
                .zip([1.0, *a, *b, a * a, b * b, a * b])
                .for_each(|(sum, value)| *sum += weight * value);
        }
        correlation(&total)
    };
    let groups = n_clusters.min(GROUPS);
    let without = |group| {
        weighted(
            &(0..n_clusters)
                .map(|cluster| f64::from(u8::from(cluster % groups != group)))
                .collect::<Vec<f64>>(),
        )
    };
    let left_out: Vec<f64> = (0..groups).into_par_iter().map(without).collect();
    let (ci_low, ci_high) = interval(
        weighted,
        n_clusters,
        &left_out,
        replicates,
        level,
        &Rng::new(seed).derive("spearman"),
    );
    Agreement {
        correlation: weighted(&vec![1.0; n_clusters]),
        ci_low,
        ci_high,
    }
}

/// How far two readings decide alike, yes or no at each position: the share of positions decided
/// alike, and Cohen's kappa (1960), that share beyond what independent decisions would give over
/// the most it could be. Arguments and intervals as in [`pearson`].
pub fn decisions(
    a: &[bool],
    b: &[bool],
    clusters: &[usize],
    replicates: usize,
    level: f64,
    seed: u64,
) -> [Agreement; 2] {
    let n = a.len().min(b.len()).min(clusters.len());
    let of = |yes: bool| f64::from(u8::from(yes));
    let rows = cluster_rows(&clusters[..n], |i| {
        [1.0, of(a[i]), of(b[i]), of(a[i] == b[i])]
    });
    let total: [f64; 4] = std::array::from_fn(|i| rows.iter().map(|row| row[i]).sum());
    let share = |[n, _, _, same]: &[f64; 4]| same / n;
    let kappa = |[n, a, b, same]: &[f64; 4]| {
        let by_chance = (a * b + (n - a) * (n - b)) / (n * n);
        if by_chance < 1.0 {
            (same / n - by_chance) / (1.0 - by_chance)
        } else {
            f64::NAN
        }
    };
    let rng = Rng::new(seed).derive("decisions");
    let measure = |statistic: &(dyn Fn(&[f64; 4]) -> f64 + Sync)| {
        let (ci_low, ci_high) = totals_interval(&rows, statistic, replicates, level, &rng);
        Agreement {
            correlation: statistic(&total),
            ci_low,
            ci_high,
        }
    };
    [measure(&share), measure(&kappa)]
}

/// Pearson's correlation from count, sums, sums of squares and sum of products.
pub(crate) fn correlation([n, a, b, aa, bb, ab]: &[f64; 6]) -> f64 {
    let (variance_a, variance_b) = (aa - a * a / n, bb - b * b / n);
    if variance_a > 1e-12 * aa && variance_b > 1e-12 * bb {
        ((ab - a * b / n) / (variance_a * variance_b).sqrt()).clamp(-1.0, 1.0)
    } else {
        f64::NAN
    }
}

/// Ranks, ties sharing the mean of theirs, spread evenly over -1/2 to 1/2.
pub fn ranks(values: &[f64]) -> Vec<f64> {
    Order::new(values).ranks(&vec![1.0; values.len()])
}

/// Positions by rising value.
struct Order {
    positions: Vec<usize>,
    /// Ends of stretches of equal values in `positions`.
    ends: Vec<usize>,
}

impl Order {
    fn new(values: &[f64]) -> Order {
        let mut positions: Vec<usize> = (0..values.len()).collect();
        positions.sort_by(|i, j| values[*i].total_cmp(&values[*j]));
        let mut ends = Vec::new();
        for ties in positions.chunk_by(|i, j| values[*i] == values[*j]) {
            ends.push(ends.last().copied().unwrap_or(0) + ties.len());
        }
        Order { positions, ends }
    }

    /// The rank of each position where position `i` counts `weights[i]` times, as a share of their
    /// sum from -1/2 to 1/2.
    fn ranks(&self, weights: &[f64]) -> Vec<f64> {
        let mut ranks = vec![0.0; self.positions.len()];
        let (mut start, mut below) = (0, 0.0);
        for end in &self.ends {
            let ties = &self.positions[start..*end];
            let tied: f64 = ties.iter().map(|position| weights[*position]).sum();
            ties.iter()
                .for_each(|position| ranks[*position] = below + tied / 2.0);
            below += tied;
            start = *end;
        }
        ranks
            .iter_mut()
            .for_each(|rank| *rank = *rank / below - 0.5);
        ranks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: [f64; 15] = [
        0.12, 0.95, 0.33, 2.7, 0.08, 0.51, 1.4, 0.2, 0.77, 0.05, 3.9, 0.61, 0.02, 1.1, 0.29,
    ];
    const Y: [f64; 15] = [
        0.31, 0.40, 0.52, 0.9, 0.22, 0.35, 0.8, 0.44, 0.6, 0.18, 1.2, 0.5, 0.3, 0.9, 0.1,
    ];
    const X_TIED: [f64; 15] = [
        0.1, 1.0, 0.3, 2.7, 0.1, 0.5, 1.4, 0.2, 0.8, 0.0, 3.9, 0.6, 0.0, 1.1, 0.3,
    ];
    const Y_TIED: [f64; 15] = [
        0.3, 0.4, 0.5, 0.9, 0.2, 0.4, 0.8, 0.4, 0.6, 0.2, 1.2, 0.5, 0.3, 0.9, 0.1,
    ];

    #[test]
    fn ranks_share_ties() {
        // scipy.stats.rankdata([3, 1, 3, 7]) -> [2.5, 1, 2.5, 4]; (r - 1/2) / 4 - 1/2.
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 7.0]), [0.0, -0.375, 0.0, 0.375]);
    }

    // import numpy as np, scipy.stats as st; xt, yt = np.round(x, 1), np.round(y, 1); i =
    // np.arange(15) st.pearsonr(x, y).statistic, st.spearmanr(x, y).statistic, st.spearmanr(xt,
    // yt).statistic for f in (lambda i: st.pearsonr(x[i], y[i]).statistic, lambda i:
    // st.spearmanr(xt[i], yt[i]).statistic):
    //     st.bootstrap((i,), f, vectorized=False, n_resamples=40000, method='BCa',
    //     random_state=1).confidence_interval
    #[test]
    fn as_scipy() {
        let clusters: Vec<usize> = (0..15).collect();
        let linear = pearson(&X, &Y, &clusters, 40_000, 0.95, 1);
        assert!((linear.correlation - 0.8798398491140748).abs() < 1e-12);
        assert!(
            (linear.ci_low - 0.74953).abs() < 0.008 && (linear.ci_high - 0.96952).abs() < 0.003,
            "{linear:?}"
        );
        let ranks = spearman(&X_TIED, &Y_TIED, &clusters, 40_000, 0.95, 1);
        assert!((ranks.correlation - 0.8611449110654534).abs() < 1e-12);
        assert!(
            (ranks.ci_low - 0.57408).abs() < 0.012 && (ranks.ci_high - 0.97137).abs() < 0.003,
            "{ranks:?}"
        );
        assert!(
            (spearman(&X, &Y, &clusters, 10, 0.95, 1).correlation - 0.8614838113804786).abs()
                < 1e-12
        );
    }

    // from sklearn.metrics import cohen_kappa_score;
    // cohen_kappa_score([1,1,0,0,1,0,0,0,1,0],[1,0,0,0,1,1,0,0,1,0]) -> 0.5833333333333333
    #[test]
    fn decisions_as_sklearn() {
        let yes = |values: [u8; 10]| values.map(|v| v == 1);
        let (a, b) = (
            yes([1, 1, 0, 0, 1, 0, 0, 0, 1, 0]),
            yes([1, 0, 0, 0, 1, 1, 0, 0, 1, 0]),
        );
        let [share, kappa] = decisions(&a, &b, &(0..10).collect::<Vec<_>>(), 2000, 0.95, 1);
        assert!(
            (share.correlation - 0.8).abs() < 1e-12
                && (kappa.correlation - 0.5833333333333333).abs() < 1e-12
        );
        assert!(kappa.ci_low < 0.58 && 0.58 < kappa.ci_high && share.ci_high <= 1.0);
        assert!(
            decisions(&[false; 3], &[false; 3], &[0, 1, 2], 10, 0.95, 1)[1]
                .correlation
                .is_nan()
        );
    }

    /// Where clusters shift both readings together, intervals over clusters are wider than those
    /// over positions.
    #[test]
    fn clusters_widen_intervals() {
        let mut rng = Rng::new(2);
        let (mut a, mut b, mut clusters) = (Vec::new(), Vec::new(), Vec::new());
        for cluster in 0..300 {
            let shared = rng.uniform();
            for _ in 0..20 {
                a.push(shared + rng.uniform());
                b.push(shared + rng.uniform());
                clusters.push(cluster);
            }
        }
        let alone: Vec<usize> = (0..a.len()).collect();
        for correlate in [pearson, spearman] {
            let by_cluster = correlate(&a, &b, &clusters, 400, 0.95, 3);
            let by_position = correlate(&a, &b, &alone, 400, 0.95, 3);
            assert!((by_cluster.correlation - by_position.correlation).abs() < 1e-12);
            assert!(
                (by_cluster.correlation - 0.5).abs() < 0.05,
                "{by_cluster:?}"
            );
            assert!(
                by_cluster.ci_high - by_cluster.ci_low
                    > 1.5 * (by_position.ci_high - by_position.ci_low)
            );
        }
    }

    #[test]
    fn limits() {
        for correlate in [pearson, spearman] {
            assert!(correlate(&[], &[], &[], 10, 0.95, 0).correlation.is_nan());
            assert!(
                correlate(&[1.0, 1.0, 1.0], &[1.0, 2.0, 3.0], &[0, 1, 2], 10, 0.95, 0)
                    .correlation
                    .is_nan()
            );
            assert!(
                correlate(
                    &[1.0, f64::NAN, 3.0],
                    &[1.0, 2.0, 3.0],
                    &[0, 1, 2],
                    10,
                    0.95,
                    0
                )
                .correlation
                .is_nan()
            );
            let one = correlate(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0], &[7, 7, 7], 10, 0.95, 0);
            assert!((one.correlation + 1.0).abs() < 1e-12 && one.ci_low.is_nan());
        }
    }
}
