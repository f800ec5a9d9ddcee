//! Statistics on plain slices. Nothing here knows what a gene is: observations belong to
//! *clusters*, the units of replication, and everything random resamples or flips whole clusters.
//!
//! ```
//! use ldar::stats::bootstrap::mean_interval;
//! use ldar::stats::permutation::sign_flip_clusters;
//!
//! // Eight paired differences in four clusters of two: no p-value can be below 2 of 16 flips.
//! let differences = [0.9, 1.1, 0.4, 0.6, 1.0, 1.2, 0.7, 0.5];
//! let clusters = [0, 0, 1, 1, 2, 2, 3, 3];
//! let test = sign_flip_clusters(&differences, &clusters, 9999, 1);
//! assert!((test.statistic - 0.8).abs() < 1e-12 && test.p_value >= 0.125);
//! let (low, high) = mean_interval(&differences, &clusters, 2000, 0.95, 1);
//! assert!(0.5 <= low && low < 0.8 && 0.8 < high && high <= 1.1);
//! ```
//!
//! | file | what it holds |
//! |---|---|
//! | `permutation` | sign flips of clusters: tests, intervals, equivalence; labels within sets of a site and its controls |
//! | `offsets` | sign flips at every position of a profile: max-T and the mass of runs |
//! | `bootstrap` | BCa intervals of AUROCs, ratios and correlations; mean profiles with bands |
//! | `effect` | effect sizes |
//! | `grouped` | means of groups whose members lie in clusters: variance components |
//! | `prediction` | whether a group is one more draw of what others were drawn from |
//! | `minimum` | the minimum of a convex function |
//! | `repeats` | the mean of repeats with Student's interval |
//! | `multiplicity` | Holm, Benjamini-Hochberg and Benjamini-Yekutieli |
//! | `base_table` | a base from its neighbours, by counts |
//! | `context` | what the letters around a position explain, cross-fitted |
//! | `ridge` | ridge regressions, logistic and of least squares |
//! | `roc` | AUROC, information and their intervals over clusters |
//! | `discrimination` | sites from controls by nucleotides and by measured numbers, out of fold |
//! | `shift` | marks shifted circularly within their windows: one statistic, or a profile over lags |
//! | `fourier` | circular correlation at every shift |
//! | `partial` | partial rank correlation, also of series turned against each other |
//! | `stratified` | shares of two groups compared within strata |
//! | `agreement` | correlations of two readings of the same positions |
//! | `rng` | the seeded generator |

pub mod agreement;
pub mod base_table;
pub mod bootstrap;
pub mod context;
pub mod discrimination;
pub mod effect;
pub mod fourier;
pub mod grouped;
pub mod logistic;
pub mod minimum;
pub mod multiplicity;
pub mod offsets;
pub mod partial;
pub mod permutation;
pub mod prediction;
pub mod repeats;
pub mod ridge;
pub mod rng;
pub mod roc;
pub mod shift;
pub mod stratified;

/// Arithmetic mean; `NaN` for an empty slice.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Variance with denominator `n - 1`; `NaN` below two values.
pub fn variance(values: &[f64]) -> f64 {
    if values.len() < 2 {
        return f64::NAN;
    }
    let mean = mean(values);
    values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (values.len() - 1) as f64
}

/// The `p`-quantile (`p` in `[0, 1]`) of sorted values, interpolated linearly between order
/// statistics (numpy's default, type 7 of Hyndman & Fan 1996); `NaN` for an empty slice.
pub fn quantile_sorted(sorted: &[f64], p: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let at = p.clamp(0.0, 1.0) * last as f64;
    let low = (at.floor() as usize).min(last);
    let high = (low + 1).min(last);
    sorted[low] + (at - low as f64) * (sorted[high] - sorted[low])
}

/// The central `level` interval of values, by [`quantile_sorted`]; `NaN`s are left out. `(low,
/// high)`, both `NaN` where nothing is left.
pub fn percentile_interval(mut values: Vec<f64>, level: f64) -> (f64, f64) {
    values.retain(|v| !v.is_nan());
    values.sort_unstable_by(f64::total_cmp);
    let tail = (1.0 - level) / 2.0;
    (
        quantile_sorted(&values, tail),
        quantile_sorted(&values, 1.0 - tail),
    )
}

/// Count, mean and variance of a stream of values (Welford 1962).
#[derive(Clone, Copy, Debug, Default)]
pub struct Moments {
    n: u64,
    mean: f64,
    squares: f64,
}

impl Moments {
    /// Takes one more value.
    pub fn push(&mut self, value: f64) {
        self.n += 1;
        let delta = value - self.mean;
        self.mean += delta / self.n as f64;
        self.squares += delta * (value - self.mean);
    }

    /// Takes all values of another stream (Chan, Golub & LeVeque 1979).
    pub fn merge(&mut self, other: &Moments) {
        let n = self.n + other.n;
        if n == 0 {
            return;
        }
        let delta = other.mean - self.mean;
        self.squares += other.squares + delta * delta * self.n as f64 * other.n as f64 / n as f64;
        self.mean += delta * other.n as f64 / n as f64;
        self.n = n;
    }

    /// How many values there were.
    pub fn n(&self) -> u64 {
        self.n
    }

    /// Their mean; `NaN` for none.
    pub fn mean(&self) -> f64 {
        if self.n == 0 { f64::NAN } else { self.mean }
    }

    /// Their variance with denominator `n - 1`; `NaN` below two values.
    pub fn variance(&self) -> f64 {
        if self.n < 2 {
            f64::NAN
        } else {
            self.squares / (self.n - 1) as f64
        }
    }
}

/// Numbers clusters `0..` in order of first appearance: (cluster of each observation, number of
/// clusters).
pub(crate) fn dense_clusters(clusters: &[usize]) -> (Vec<usize>, usize) {
    let mut numbers = std::collections::HashMap::new();
    let dense = clusters
        .iter()
        .map(|cluster| {
            let next = numbers.len();
            *numbers.entry(*cluster).or_insert(next)
        })
        .collect();
    (dense, numbers.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    // np.quantile([1,2,4,8], [0, .025, .5, .9, 1]) -> [1., 1.075, 3., 6.8, 8.]; np.var([1,2,4,8],
    // ddof=1) -> 9.583333333333334
    #[test]
    fn quantiles_and_variance_as_numpy() {
        let values = [1.0, 2.0, 4.0, 8.0];
        for (p, expected) in [
            (0.0, 1.0),
            (0.025, 1.075),
            (0.5, 3.0),
            (0.9, 6.8),
            (1.0, 8.0),
        ] {
            assert!((quantile_sorted(&values, p) - expected).abs() < 1e-12);
        }
        assert!((variance(&values) - 9.583333333333334).abs() < 1e-12);
        let mut moments = Moments::default();
        values.iter().for_each(|v| moments.push(*v));
        assert!((moments.variance() - variance(&values)).abs() < 1e-12 && moments.mean() == 3.75);
        for cut in 0..=values.len() {
            let [mut first, mut second] = [Moments::default(); 2];
            values[..cut].iter().for_each(|v| first.push(*v));
            values[cut..].iter().for_each(|v| second.push(*v));
            first.merge(&second);
            assert!(
                first.n() == 4
                    && (first.mean() - 3.75).abs() < 1e-12
                    && (first.variance() - variance(&values)).abs() < 1e-12
            );
        }
    }

    #[test]
    fn nothing_in_gives_nan_out() {
        assert!(
            mean(&[]).is_nan() && variance(&[1.0]).is_nan() && quantile_sorted(&[], 0.5).is_nan()
        );
        assert!(percentile_interval(vec![f64::NAN], 0.95).0.is_nan());
        assert!(Moments::default().mean().is_nan());
    }
}
