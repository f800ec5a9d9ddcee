//! Logistic regression: the propensity score of a matching.

/// A fitted model.
#[derive(Clone, Debug, PartialEq)]
pub struct Logistic {
    /// Intercept, then one a variable.
    pub coefficients: Vec<f64>,
}

/// Ridge penalty on the coefficients (not on the intercept): keeps them finite where the groups are
/// separable, and is without effect elsewhere.
const RIDGE: f64 = 1e-6;

impl Logistic {
    /// Fits `P(label) = 1 / (1 + exp(-b0 - b . x))` by Newton's method (iteratively reweighted
    /// least squares). `rows` all have one length. `None` where one of the labels does not occur or
    /// the fit does not converge.
    pub fn fit(rows: &[&[f64]], labels: &[bool]) -> Option<Logistic> {
        let n = rows.len().min(labels.len());
        let positives = labels[..n].iter().filter(|l| **l).count();
        if positives == 0 || positives == n {
            return None;
        }
        let width = rows.first()?.len() + 1;
        let mut b = vec![0.0; width];
        b[0] = (positives as f64 / (n - positives) as f64).ln();
        for _ in 0..100 {
            let mut gradient = vec![0.0; width];
            let mut hessian = vec![vec![0.0; width]; width];
            for i in 1..width {
                gradient[i] = -RIDGE * n as f64 * b[i];
                hessian[i][i] = RIDGE * n as f64;
            }
            for (row, label) in rows.iter().zip(labels) {
                let x = |i: usize| if i == 0 { 1.0 } else { row[i - 1] };
                let p = 1.0 / (1.0 + (-dot(&b, row)).exp());
                let error = f64::from(u8::from(*label)) - p;
                for (i, (slope, curvature)) in gradient.iter_mut().zip(&mut hessian).enumerate() {
                    *slope += error * x(i);
                    let row = curvature.iter_mut().enumerate().take(i + 1);
                    row.for_each(|(j, value)| *value += p * (1.0 - p) * x(i) * x(j));
                }
            }
            let step = solve(hessian, gradient)?;
            // A long step overshoots where the groups are nearly separable.
            let most = step.iter().fold(0.0f64, |m, s| m.max(s.abs()));
            let shrink = if most > 4.0 { 4.0 / most } else { 1.0 };
            b.iter_mut().zip(&step).for_each(|(b, s)| *b += shrink * s);
            if most < 1e-9 {
                return Some(Logistic { coefficients: b });
            }
        }
        None
    }

    /// The log-odds of a row.
    pub fn logit(&self, row: &[f64]) -> f64 {
        dot(&self.coefficients, row)
    }
}

fn dot(coefficients: &[f64], row: &[f64]) -> f64 {
    coefficients[0]
        + coefficients[1..]
            .iter()
            .zip(row)
            .map(|(b, x)| b * x)
            .sum::<f64>()
}

/// Solves `a x = b` for a symmetric positive definite `a` of which the lower half is given
/// (Cholesky). Columns without any variation get 0.
pub(crate) fn solve(mut a: Vec<Vec<f64>>, mut b: Vec<f64>) -> Option<Vec<f64>> {
    let n = b.len();
    for i in 0..n {
        for j in 0..=i {
            let sum = a[i][j] - (0..j).map(|k| a[i][k] * a[j][k]).sum::<f64>();
            if i == j {
                if sum.is_nan() || sum <= 0.0 {
                    return None;
                }
                a[i][i] = sum.sqrt();
            } else {
                a[i][j] = sum / a[j][j];
            }
        }
    }
    for i in 0..n {
        b[i] = (b[i] - (0..i).map(|k| a[i][k] * b[k]).sum::<f64>()) / a[i][i];
    }
    for i in (0..n).rev() {
        b[i] = (b[i] - (i + 1..n).map(|k| a[k][i] * b[k]).sum::<f64>()) / a[i][i];
    }
    Some(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    // import numpy as np, statsmodels.api as sm
    // x = np.array([[.1,2],[.4,1],[.35,3],[.8,2.5],[.9,.5],[.6,1.5],[.2,.7],[.75,2.2]]); y =
    // [0,1,0,1,1,0,0,1] sm.Logit(y, sm.add_constant(x)).fit(tol=1e-12).params
    #[test]
    fn as_statsmodels() {
        let rows = [
            [0.1, 2.0],
            [0.4, 1.0],
            [0.35, 3.0],
            [0.8, 2.5],
            [0.9, 0.5],
            [0.6, 1.5],
            [0.2, 0.7],
            [0.75, 2.2],
        ];
        let labels = [false, true, false, true, true, false, false, true];
        let rows: Vec<&[f64]> = rows.iter().map(|r| &r[..]).collect();
        let fitted = Logistic::fit(&rows, &labels).unwrap();
        for (b, expected) in fitted.coefficients.iter().zip(ORACLE) {
            assert!((b - expected).abs() < 1e-3 * expected.abs(), "{fitted:?}");
        }
        assert!(
            (fitted.logit(&[0.5, 2.0]) - (ORACLE[0] + 0.5 * ORACLE[1] + 2.0 * ORACLE[2])).abs()
                < 1e-2
        );
    }
    const ORACLE: [f64; 3] = [-3.0986179606113504, 9.944114835424822, -1.2348826913729143];

    #[test]
    fn separable_groups_constant_columns_and_one_label() {
        let rows: Vec<[f64; 2]> = (0..20).map(|i| [f64::from(i), 1.0]).collect();
        let rows: Vec<&[f64]> = rows.iter().map(|r| &r[..]).collect();
        let labels: Vec<bool> = (0..20).map(|i| i >= 10).collect();
        if let Some(fitted) = Logistic::fit(&rows, &labels) {
            assert!(fitted.logit(&[0.0, 1.0]) < 0.0 && fitted.logit(&[19.0, 1.0]) > 0.0);
        }
        assert_eq!(Logistic::fit(&rows, &[true; 20]), None);
        assert_eq!(Logistic::fit(&[], &[]), None);
    }
}
