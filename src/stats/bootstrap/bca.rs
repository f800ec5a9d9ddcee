//! The bias-corrected and accelerated interval of a statistic of clusters.

use rayon::prelude::*;
use statrs::distribution::{ContinuousCDF, Normal};

use super::draw_weights;
use crate::stats::rng::Rng;
use crate::stats::{percentile_interval, quantile_sorted};

/// The `level` interval of a statistic of the total of `rows`, one row of sums a cluster.
pub(crate) fn totals_interval<const C: usize>(
    rows: &[[f64; C]],
    statistic: impl Fn(&[f64; C]) -> f64 + Sync,
    replicates: usize,
    level: f64,
    rng: &Rng,
) -> (f64, f64) {
    let total = |weights: &[f64]| {
        let mut total = [0.0; C];
        for (row, weight) in rows
            .iter()
            .zip(weights)
            .filter(|(_, weight)| **weight > 0.0)
        {
            total
                .iter_mut()
                .zip(row)
                .for_each(|(t, v)| *t += weight * v);
        }
        total
    };
    let all = total(&vec![1.0; rows.len()]);
    let left_out: Vec<f64> = rows
        .iter()
        .map(|row| statistic(&std::array::from_fn(|c| all[c] - row[c])))
        .collect();
    interval(
        |weights| statistic(&total(weights)),
        rows.len(),
        &left_out,
        replicates,
        level,
        rng,
    )
}

/// The `level` interval of `statistic`, a function of how often each of `n` clusters counts, given
/// its values without each cluster in turn (or each of many groups of clusters: the acceleration is
/// the same up to noise, at less cost). `(low, high)`.
pub(crate) fn interval(
    statistic: impl Fn(&[f64]) -> f64 + Sync,
    n: usize,
    left_out: &[f64],
    replicates: usize,
    level: f64,
    rng: &Rng,
) -> (f64, f64) {
    let observed = statistic(&vec![1.0; n]);
    if n < 2 || observed.is_nan() {
        return (f64::NAN, f64::NAN); // one cluster says nothing of how clusters vary
    }
    let draw = |replicate| statistic(&draw_weights(rng, replicate, n));
    let mut values: Vec<f64> = (0..replicates as u64).into_par_iter().map(draw).collect();
    values.retain(|v| !v.is_nan());
    values.sort_unstable_by(f64::total_cmp);
    let levels = bias_correction(&values, observed)
        .zip(acceleration(left_out))
        .and_then(|(z0, a)| bca_levels(z0, a, level));
    match levels {
        Some((low, high)) => (
            quantile_sorted(&values, low),
            quantile_sorted(&values, high),
        ),
        None => percentile_interval(values, level),
    }
}

/// `z0`: the normal quantile of the share of replicates below the observed value, ties counting
/// half (a value that differs only by the order of summation is a tie). `None` where all lie on one
/// side.
fn bias_correction(values: &[f64], observed: f64) -> Option<f64> {
    let tolerance = 1e-12 * observed.abs();
    let below = values.iter().filter(|v| **v < observed - tolerance).count() as f64;
    let above = values.iter().filter(|v| **v > observed + tolerance).count() as f64;
    let share = 0.5 + 0.5 * (below - above) / values.len() as f64;
    (share > 0.0 && share < 1.0).then(|| Normal::standard().inverse_cdf(share))
}

/// The acceleration `sum u^3 / (6 (sum u^2)^1.5)`, where `u` is the mean of the leave-one-out
/// values less each of them. `None` where they are all alike or one is not a number.
fn acceleration(left_out: &[f64]) -> Option<f64> {
    let mean = crate::stats::mean(left_out);
    let moment = |power| left_out.iter().map(|v| (mean - v).powi(power)).sum::<f64>();
    let squares = moment(2);
    let rounding = (1e-12 * mean).powi(2) * left_out.len() as f64;
    (squares > rounding && squares.is_finite()).then(|| moment(3) / (6.0 * squares.powf(1.5)))
}

/// The quantiles of the replicates that bound the `level` interval. `None` where the acceleration
/// is so large that they would cross.
fn bca_levels(z0: f64, acceleration: f64, level: f64) -> Option<(f64, f64)> {
    let normal = Normal::standard();
    let at = |p: f64| {
        let z = z0 + normal.inverse_cdf(p);
        let denominator = 1.0 - acceleration * z;
        (denominator > 0.0).then(|| normal.cdf(z0 + z / denominator))
    };
    let tail = (1.0 - level) / 2.0;
    at(tail).zip(at(1.0 - tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    // import numpy as np, scipy.stats as st
    // x = np.array([.12,.95,.33,2.7,.08,.51,1.4,.2,.77,.05,3.9,.61,.02,1.1,.29]); n = len(x)
    // j = np.array([np.delete(x, i).mean() for i in range(n)]); u = j.mean() - j; (u**3).sum() / (6 *
    // (u**2).sum()**1.5)
    #[test]
    fn acceleration_as_numpy() {
        let x = [
            0.12, 0.95, 0.33, 2.7, 0.08, 0.51, 1.4, 0.2, 0.77, 0.05, 3.9, 0.61, 0.02, 1.1, 0.29,
        ];
        let total: f64 = x.iter().sum();
        let left_out: Vec<f64> = x.iter().map(|v| (total - v) / 14.0).collect();
        assert!((acceleration(&left_out).unwrap() - 0.07638134340199847).abs() < 1e-12);
        assert_eq!(acceleration(&[0.1 + 0.2, 0.3, 0.3]), None);
        assert_eq!(acceleration(&[0.3, f64::NAN, 0.2]), None);
    }

    // st.norm.ppf((3 + 0.5 * 2) / 10) -> -0.2533471031357997
    // z = st.norm.ppf([.025, .975]); st.norm.cdf(.1 + (.1 + z) / (1 - .05 * (.1 + z))) ->
    // [0.05461007689835953, 0.9917237368688839] z = st.norm.ppf([.05, .95]); st.norm.cdf(-.2 + (-.2 +
    // z) / (1 - .02 * (-.2 + z))) -> [0.023896401557642943, 0.9011005742412209]
    #[test]
    fn levels_as_scipy() {
        let values = [1.0, 2.0, 3.0, 5.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0];
        assert!((bias_correction(&values, 5.0).unwrap() + 0.2533471031357997).abs() < 1e-9);
        assert_eq!(
            (bias_correction(&values, 0.5), bias_correction(&[], 0.5)),
            (None, None)
        );
        let near = |found: Option<(f64, f64)>, low: f64, high: f64| {
            let found = found.unwrap();
            assert!(
                (found.0 - low).abs() < 1e-9 && (found.1 - high).abs() < 1e-9,
                "{found:?}"
            );
        };
        near(
            bca_levels(0.1, 0.05, 0.95),
            0.05461007689835953,
            0.9917237368688839,
        );
        near(
            bca_levels(-0.2, 0.02, 0.9),
            0.023896401557642943,
            0.9011005742412209,
        );
        assert_eq!(bca_levels(1.0, 0.5, 0.95), None);
    }
}
