//! Is a value one more draw of what a sample was drawn from?

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::{mean, variance};

/// Two-sided p-value that `value` is one more draw of the normal distribution that `sample` was drawn from: Student's t of the prediction interval,
/// `(value - mean) / (sd sqrt(1 + 1 / n))` with `n - 1` degrees of freedom. `NaN` below three values, or where they do not vary.
pub fn prediction_p_value(value: f64, sample: &[f64]) -> f64 {
    let (n, sd) = (sample.len() as f64, variance(sample).sqrt());
    let t = (value - mean(sample)) / (sd * (1.0 + 1.0 / n).sqrt());
    match StudentsT::new(0.0, 1.0, n - 1.0) {
        Ok(students) if n >= 3.0 && sd > 0.0 && t.is_finite() => (2.0 * students.sf(t.abs())).min(1.0),
        _ => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // import numpy as np, scipy.stats as st; s = np.array([.2, .35, .3, .5, .1, .45]); x = .9
    // t = (x - s.mean()) / (s.std(ddof=1) * np.sqrt(1 + 1/6)); 2 * st.t.sf(abs(t), 5)
    #[test]
    fn as_scipy() {
        let sample = [0.2, 0.35, 0.3, 0.5, 0.1, 0.45];
        assert!((prediction_p_value(0.9, &sample) - ORACLE).abs() < 1e-9, "{}", prediction_p_value(0.9, &sample));
        assert!((prediction_p_value(mean(&sample), &sample) - 1.0).abs() < 1e-9);
        assert!(prediction_p_value(1.0, &[0.3, 0.4]).is_nan() && prediction_p_value(1.0, &[0.3; 5]).is_nan());
        assert!(prediction_p_value(f64::NAN, &sample).is_nan() && prediction_p_value(1.0, &[]).is_nan());
    }
    const ORACLE: f64 = 0.01575539116951597;
}
