//! Repeated measurements: their mean, and how far it may lie from that of endless repetition.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// The mean of repeats with Student's interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Repeats {
    /// How many values there were.
    pub n: usize,
    /// Their mean; `NaN` for none.
    pub mean: f64,
    /// Their standard deviation with denominator `n - 1`; `NaN` below two.
    pub sd: f64,
    /// Lower end of the interval: the mean less `t sd / sqrt(n)`; `NaN` below two.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// The mean of independent values with its central `level` interval.
pub fn repeats(values: &[f64], level: f64) -> Repeats {
    let (n, mean, sd) = (
        values.len(),
        super::mean(values),
        super::variance(values).sqrt(),
    );
    let t = StudentsT::new(0.0, 1.0, n.saturating_sub(1) as f64)
        .map_or(f64::NAN, |t| t.inverse_cdf(0.5 + level / 2.0));
    let half = t * sd / (n as f64).sqrt();
    Repeats {
        n,
        mean,
        sd,
        low: mean - half,
        high: mean + half,
    }
}

/// Student's test that the mean of independent values is 0: the two-sided p-value; `NaN` below two
/// values. Values that are all the same tell nothing of their spread: `NaN`.
pub fn t_test(values: &[f64]) -> f64 {
    let Repeats { n, mean, sd, .. } = repeats(values, 0.95);
    if n < 2 || sd == 0.0 {
        return f64::NAN;
    }
    let t = mean / (sd / (n as f64).sqrt());
    StudentsT::new(0.0, 1.0, (n - 1) as f64).map_or(f64::NAN, |of| 2.0 * of.cdf(-t.abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    // scipy.stats.ttest_1samp([.02, .05, .01], 0).pvalue; ttest_1samp([-.1, .3, .2, .25], 0).pvalue
    #[test]
    fn t_test_as_scipy() {
        assert!((t_test(&[0.02, 0.05, 0.01]) - T_ORACLE[0]).abs() < 1e-9);
        assert!((t_test(&[-0.1, 0.3, 0.2, 0.25]) - T_ORACLE[1]).abs() < 1e-9);
        assert!(t_test(&[0.1]).is_nan() && t_test(&[]).is_nan() && t_test(&[0.1, 0.1]).is_nan());
    }
    const T_ORACLE: [f64; 2] = [0.1567259572884322, 0.16822899527384716];

    // import numpy as np, scipy.stats as st
    // x = np.array([.81,.79,.83,.80,.82,.78,.84,.81,.80,.82]); st.t.interval(.95, 9, x.mean(),
    // st.sem(x)); x.std(ddof=1)
    #[test]
    fn as_scipy() {
        let found = repeats(
            &[0.81, 0.79, 0.83, 0.80, 0.82, 0.78, 0.84, 0.81, 0.80, 0.82],
            0.95,
        );
        assert!(
            (found.low - ORACLE[0]).abs() < 1e-9
                && (found.high - ORACLE[1]).abs() < 1e-9
                && (found.sd - ORACLE[2]).abs() < 1e-12
        );
        assert!((found.mean - 0.81).abs() < 1e-12 && found.n == 10);
    }
    const ORACLE: [f64; 3] = [0.7969394295310921, 0.8230605704689078, 0.01825741858350551];

    #[test]
    fn one_value_has_no_interval() {
        let one = repeats(&[0.5], 0.95);
        assert!(one.mean == 0.5 && one.sd.is_nan() && one.low.is_nan() && one.high.is_nan());
        assert!(repeats(&[], 0.95).mean.is_nan());
    }
}
