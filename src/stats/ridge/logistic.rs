//! Ridge logistic regression by Newton's method.

use super::Design;
use crate::matrix::cholesky::Cholesky;

/// Newton steps, at most.
const MOST_STEPS: usize = 60;
/// A fit has converged where the next step promises less than this of the deviance, for each unit
/// of weight.
const PROMISE: f64 = 1e-9;
/// Steps converge quadratically: after a full step that promised less than this, the next would
/// promise less than [`PROMISE`].
const LAST_PROMISE: f64 = 1e-6;

/// Rows to fit on: place, label and weight go together.
#[derive(Clone, Copy, Debug)]
pub struct Labelled<'a> {
    /// All rows.
    pub design: &'a Design,
    /// Which of them are fitted.
    pub rows: &'a [usize],
    /// The label of every row of the design.
    pub labels: &'a [bool],
    /// The weight of every row of the design.
    pub weights: &'a [f64],
}

/// Coefficients `b` that minimise `sum w log(1 + exp(-s x.b)) + sum penalty b^2 / 2` over the rows
/// (`s` is 1 for a true label and -1 for a false one), one penalty a column. `start` is where the
/// search begins. `None` where a label is missing or the sum has no minimum.
pub fn fit(data: Labelled<'_>, penalties: &[f64], start: &[f64]) -> Option<Vec<f64>> {
    let Labelled {
        design,
        rows,
        labels,
        weights,
    } = data;
    let n = |label: bool| {
        rows.iter()
            .filter(|row| labels[**row] == label && weights[**row] > 0.0)
            .count()
    };
    if n(true) == 0 || n(false) == 0 {
        return None;
    }
    let total: f64 = rows.iter().map(|row| weights[*row]).sum();
    let width = design.width();
    let mut b = start.to_vec();
    let mut logits = data.logits(&b);
    let mut current = objective(data, penalties, &b, &logits);
    for _ in 0..MOST_STEPS {
        let mut slope: Vec<f64> = b
            .iter()
            .zip(penalties)
            .map(|(b, penalty)| -penalty * b)
            .collect();
        let mut curvature = Vec::with_capacity(rows.len());
        for (row, logit) in rows.iter().zip(&logits) {
            let p = 1.0 / (1.0 + (-logit).exp());
            design.add_to(
                *row,
                weights[*row] * (f64::from(u8::from(labels[*row])) - p),
                &mut slope,
            );
            curvature.push(weights[*row] * p * (1.0 - p));
        }
        let mut hessian = design.gram(rows, &curvature);
        penalties
            .iter()
            .enumerate()
            .for_each(|(column, penalty)| hessian[column * (width + 1)] += penalty);
        let mut step = slope.clone();
        Cholesky::new(hessian, width)?.solve(&mut step, 1);
        let promise: f64 = slope
            .iter()
            .zip(&step)
            .map(|(slope, step)| slope * step)
            .sum();
        if promise < PROMISE * total {
            return Some(b);
        }
        // A full step may overshoot where the labels are nearly separable.
        let mut share = 1.0;
        loop {
            let next: Vec<f64> = b
                .iter()
                .zip(&step)
                .map(|(b, step)| b + share * step)
                .collect();
            let of_next = data.logits(&next);
            let value = objective(data, penalties, &next, &of_next);
            if value <= current {
                if share == 1.0 && promise < LAST_PROMISE * total {
                    return Some(next);
                }
                (b, current, logits) = (next, value, of_next);
                break;
            }
            share /= 2.0;
            if share < 1e-6 {
                return Some(b); // rounding is all that is left
            }
        }
    }
    None
}

impl Labelled<'_> {
    /// The log-odds of the rows.
    fn logits(&self, b: &[f64]) -> Vec<f64> {
        let logit = |row: &usize| self.design.times(*row, b);
        self.rows.iter().map(logit).collect()
    }
}

/// What [`fit`] makes least, at coefficients and the log-odds that they give.
fn objective(data: Labelled<'_>, penalties: &[f64], b: &[f64], logits: &[f64]) -> f64 {
    let of_row =
        |(row, logit): (&usize, &f64)| data.weights[*row] * loss(*logit, data.labels[*row]);
    let penalty: f64 = b
        .iter()
        .zip(penalties)
        .map(|(b, penalty)| penalty * b * b)
        .sum();
    data.rows.iter().zip(logits).map(of_row).sum::<f64>() + penalty / 2.0
}

/// `-ln P(label)` at log-odds `logit` of a true label.
pub fn loss(logit: f64, label: bool) -> f64 {
    let against = if label { -logit } else { logit };
    // ln(1 + e^x) without overflow.
    against.max(0.0) + (-against.abs()).exp().ln_1p()
}

#[cfg(test)]
mod tests {
    use super::super::tests::example;
    use super::*;

    #[test]
    fn the_slope_is_zero_at_the_fit_and_no_neighbour_is_better() {
        let (design, plain) = example(400, 3);
        let labels: Vec<bool> = plain
            .iter()
            .enumerate()
            .map(|(i, row)| row[1] + 0.8 * row[4] + ((i * 37) % 11) as f64 / 11.0 > 0.7)
            .collect();
        let weights: Vec<f64> = (0..400).map(|i| 0.5 + (i % 3) as f64).collect();
        let rows: Vec<usize> = (0..400).filter(|row| row % 5 != 0).collect();
        let penalties: Vec<f64> = (0..9)
            .map(|column| if column == 0 { 0.0 } else { 2.0 })
            .collect();
        let data = Labelled {
            design: &design,
            rows: &rows,
            labels: &labels,
            weights: &weights,
        };
        let b = fit(data, &penalties, &[0.0; 9]).unwrap();
        let objective = |b: &[f64]| objective(data, &penalties, b, &data.logits(b));
        let best = objective(&b);
        for column in 0..9 {
            for by in [-1e-3, 1e-3] {
                let mut moved = b.clone();
                moved[column] += by;
                assert!(objective(&moved) > best, "{column}");
            }
        }
        // The same minimum from elsewhere.
        let other = fit(data, &penalties, &[0.7; 9]).unwrap();
        assert!(
            b.iter().zip(&other).all(|(a, b)| (a - b).abs() < 1e-3),
            "{b:?} {other:?}"
        );
        assert_eq!(
            fit(
                Labelled {
                    labels: &[true; 400],
                    ..data
                },
                &penalties,
                &[0.0; 9]
            ),
            None
        );
    }

    #[test]
    fn losses_far_out_are_finite() {
        assert!((loss(0.0, true) - 2.0f64.ln()).abs() < 1e-15);
        assert_eq!((loss(1e4, true), loss(-1e4, true)), (0.0, 1e4));
        assert_eq!(loss(3.0, true), loss(-3.0, false));
    }

    #[test]
    fn separable_labels_converge_under_a_penalty() {
        let values: Vec<f64> = (0..40)
            .flat_map(|i| [1.0, f64::from(i) / 10.0 - 2.0])
            .collect();
        let design = Design::new(2, values, None);
        let labels: Vec<bool> = (0..40).map(|i| i >= 20).collect();
        let rows: Vec<usize> = (0..40).collect();
        let data = Labelled {
            design: &design,
            rows: &rows,
            labels: &labels,
            weights: &[1.0; 40],
        };
        let b = fit(data, &[0.0, 1e-3], &[0.0; 2]).unwrap();
        assert!(b[1] > 5.0 && b[1].is_finite(), "{b:?}");
    }
}
