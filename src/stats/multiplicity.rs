//! Adjusted p-values: the false discovery rate over many tests, and the probability of any false
//! claim among a few.

/// Holm adjusted p-values, in the order of `p_values`: claiming all at most `a` keeps the
/// probability of any false claim at `a`, under any dependence (Holm 1979). A `NaN` stays `NaN` and
/// is not counted as a test.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len())
        .filter(|i| !p_values[*i].is_nan())
        .collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let (tests, mut most) = (order.len(), 0.0f64);
    let mut adjusted = vec![f64::NAN; p_values.len()];
    for (below, index) in order.into_iter().enumerate() {
        most = most.max((tests - below) as f64 * p_values[index]).min(1.0);
        adjusted[index] = most;
    }
    adjusted
}

/// Benjamini-Hochberg adjusted p-values, in the order of `p_values`: rejecting all at most `q`
/// keeps the false discovery rate at `q` for independent or positively dependent tests (Benjamini &
/// Hochberg 1995). A `NaN` stays `NaN` and is not counted as a test.
pub fn benjamini_hochberg(p_values: &[f64]) -> Vec<f64> {
    step_up(p_values, |_| 1.0)
}

/// Benjamini-Yekutieli adjusted p-values: as [`benjamini_hochberg`], times the sum of `1 / i` over
/// the `i` in `1..=n` tests; holds under any dependence (Benjamini & Yekutieli 2001).
pub fn benjamini_yekutieli(p_values: &[f64]) -> Vec<f64> {
    step_up(p_values, |tests| (1..=tests).map(|i| 1.0 / i as f64).sum())
}

/// The least of `factor(n) n p / rank` over this p-value and all larger ones, at most 1.
fn step_up(p_values: &[f64], factor: impl Fn(usize) -> f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len())
        .filter(|i| !p_values[*i].is_nan())
        .collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let tests = order.len();
    let (scale, mut least) = (factor(tests) * tests as f64, 1.0f64);
    let mut adjusted = vec![f64::NAN; p_values.len()];
    for (below, index) in order.into_iter().enumerate().rev() {
        least = least.min(scale * p_values[index] / (below + 1) as f64);
        adjusted[index] = least.max(p_values[index]); // n p / n may round to less than p
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: [f64; 8] = [0.01, 0.04, 0.03, 0.005, 0.55, 0.04, 1.0, 0.0002];

    // from statsmodels.stats.multitest import multipletests; p = [.01, .04, .03, .005, .55, .04,
    // 1., .0002] multipletests(p, method='fdr_bh')[1].tolist(); multipletests(p,
    // method='fdr_by')[1].tolist()
    #[test]
    fn as_statsmodels() {
        let bh = [
            0.02666666666666667,
            0.05333333333333334,
            0.05333333333333334,
            0.02,
            0.6285714285714287,
            0.05333333333333334,
            1.0,
            0.0016,
        ];
        let by = [
            0.07247619047619047,
            0.14495238095238094,
            0.14495238095238094,
            0.054357142857142854,
            1.0,
            0.14495238095238094,
            1.0,
            0.004348571428571428,
        ];
        let near = |found: Vec<f64>, expected: [f64; 8]| {
            found
                .iter()
                .zip(expected)
                .all(|(f, e)| (f - e).abs() < 1e-12)
        };
        assert!(near(benjamini_hochberg(&P), bh) && near(benjamini_yekutieli(&P), by));
    }

    // multipletests(p, method='holm')[1].tolist()
    #[test]
    fn holm_as_statsmodels() {
        let expected = [0.06, 0.16, 0.15, 0.035, 1.0, 0.16, 1.0, 0.0016];
        assert!(
            holm(&P)
                .iter()
                .zip(expected)
                .all(|(found, expected)| (found - expected).abs() < 1e-12),
            "{:?}",
            holm(&P)
        );
    }

    #[test]
    fn nan_is_no_test() {
        let mut with = vec![f64::NAN];
        with.extend(P);
        with.push(f64::NAN);
        for adjust in [benjamini_hochberg, benjamini_yekutieli, holm] {
            let adjusted = adjust(&with);
            assert!(adjusted[0].is_nan() && adjusted[9].is_nan());
            assert_eq!(adjusted[1..9], adjust(&P));
            assert_eq!((adjust(&[]).len(), adjust(&[0.3])), (0, vec![0.3]));
        }
    }
}
