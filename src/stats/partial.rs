//! Partial rank correlation of two series along a line, and what it is when one of them is turned
//! against the other.

use rayon::prelude::*;

use crate::matrix::cholesky::Cholesky;
use crate::stats::fourier::circular_correlation;

/// A column counts as a combination of those before it where less than this share of its length
/// stands upright on them.
const UPRIGHT: f64 = 1e-6;

/// Columns for a smooth function of ranks: the ranks, and lines that rise from `knots` evenly
/// spaced quantiles on.
pub fn bent_lines(ranks: Vec<f64>, knots: usize) -> Vec<Vec<f64>> {
    let lines: Vec<Vec<f64>> = (1..=knots)
        .map(|knot| {
            let at = knot as f64 / (knots + 1) as f64 - 0.5;
            ranks.iter().map(|rank| (rank - at).max(0.0)).collect()
        })
        .collect();
    std::iter::once(ranks).chain(lines).collect()
}

/// What is accounted for: columns that stand upright on each other and have length 1, a constant
/// among them.
#[derive(Clone, Debug)]
pub struct Accounted {
    columns: Vec<Vec<f64>>,
}

impl Accounted {
    /// For a constant and `columns` of `n` values each; columns that follow from others are
    /// dropped.
    pub fn new(n: usize, columns: impl IntoIterator<Item = Vec<f64>>) -> Accounted {
        let mut found = Accounted {
            columns: Vec::new(),
        };
        for column in std::iter::once(vec![1.0; n]).chain(columns) {
            let full = length(&column);
            // Twice is enough (Kahan in Parlett 1980).
            let mut rest = found.rest(&found.rest(&column));
            let left = length(&rest);
            if left > UPRIGHT * full {
                rest.iter_mut().for_each(|value| *value /= left);
                found.columns.push(rest);
            }
        }
        found
    }

    /// Columns, the constant among them.
    pub fn width(&self) -> usize {
        self.columns.len()
    }

    /// What the columns leave of a series.
    pub fn rest(&self, values: &[f64]) -> Vec<f64> {
        let mut rest = values.to_vec();
        for column in &self.columns {
            let along = dot(column, &rest);
            rest.iter_mut()
                .zip(column)
                .for_each(|(value, column)| *value -= along * column);
        }
        rest
    }

    /// The correlation of `a` with `b` shifted circularly by every distance, once the columns, which stay
    /// where they are, are accounted for in both; that of no shift first. `a` and `b` are what
    /// [`Accounted::rest`] left.
    pub fn turned(&self, a: &[f64], b: &[f64]) -> Vec<f64> {
        let mut left = vec![dot(b, b); b.len()];
        // A few at a time: each holds a transform of the whole series.
        for columns in self.columns.chunks(4) {
            let along: Vec<Vec<f64>> = columns
                .par_iter()
                .map(|column| circular_correlation(column, b))
                .collect();
            for along in along {
                left.iter_mut()
                    .zip(along)
                    .for_each(|(left, along)| *left -= along * along);
            }
        }
        let full = length(a);
        circular_correlation(a, b)
            .into_iter()
            .zip(left)
            .map(|(product, left)| match left > 0.0 {
                true => (product / (full * left.sqrt())).clamp(-1.0, 1.0),
                false => 0.0,
            })
            .collect()
    }
}

/// Added to the diagonal of normal equations, as a share of the observations: columns may follow
/// from others.
const RIDGE: f64 = 1e-9;

/// What columns leave of two series, by least squares; `row` gives the columns of an observation, a
/// constant among them, and is asked twice, so that no table of them is held. Series that no
/// columns fit (not finite) come back as they are.
pub fn rest_by_rows<const WIDTH: usize>(
    row: impl Fn(usize) -> [f64; WIDTH],
    of: [&[f64]; 2],
) -> [Vec<f64>; 2] {
    let n = of[0].len().min(of[1].len());
    let mut gram = vec![0.0; WIDTH * WIDTH];
    let mut sums = vec![0.0; 2 * WIDTH];
    for i in 0..n {
        let row = row(i);
        for (column, x) in row.iter().enumerate().filter(|(_, x)| **x != 0.0) {
            (gram[column * WIDTH..].iter_mut().zip(&row)).for_each(|(sum, y)| *sum += x * y);
            (sums[2 * column..].iter_mut().zip(of)).for_each(|(sum, of)| *sum += x * of[i]);
        }
    }
    (0..WIDTH).for_each(|column| gram[column * (WIDTH + 1)] += RIDGE * n as f64);
    let mut rest = of.map(|of| of[..n].to_vec());
    let Some(factor) = Cholesky::new(gram, WIDTH) else {
        return rest;
    };
    factor.solve(&mut sums, 2);
    for i in 0..n {
        let row = row(i);
        for (side, rest) in rest.iter_mut().enumerate() {
            let fit = row.iter().enumerate();
            rest[i] -= fit
                .map(|(column, x)| x * sums[2 * column + side])
                .sum::<f64>();
        }
    }
    rest
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn length(values: &[f64]) -> f64 {
    dot(values, values).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::rng::Rng;

    #[test]
    fn lines_bend_at_their_knots() {
        assert_eq!(bent_lines(vec![-0.4, 0.4], 1)[1], [0.0, 0.4]);
    }

    #[test]
    fn rows_leave_what_columns_leave() {
        let mut rng = Rng::new(3);
        let mut series = || (0..80).map(|_| rng.uniform()).collect::<Vec<f64>>();
        let (a, b, c) = (series(), series(), series());
        let accounted = Accounted::new(80, [c.clone()]);
        let row = |i: usize| [1.0, c[i], 2.0 * c[i]];
        for (found, of) in rest_by_rows(row, [&a, &b]).iter().zip([&a, &b]) {
            for (found, wanted) in found.iter().zip(accounted.rest(of)) {
                assert!((found - wanted).abs() < 1e-6, "{found} {wanted}");
            }
        }
    }

    // With one covariate the partial correlation is (r_ab - r_ac r_bc) / sqrt((1 - r_ac^2)(1 -
    // r_bc^2)) (Fisher 1924).
    #[test]
    fn is_the_closed_form_at_every_shift() {
        let mut rng = Rng::new(2);
        let n = 60;
        let mut series = || (0..n).map(|_| rng.uniform()).collect::<Vec<f64>>();
        let (noise, c, b) = (series(), series(), series());
        let a: Vec<f64> = noise.iter().zip(&c).map(|(x, c)| x + c).collect();
        let flat = vec![2.0; n];
        let double: Vec<f64> = c.iter().map(|c| 2.0 * c + 1.0).collect();
        let accounted = Accounted::new(n, [c.clone(), flat, double]);
        assert_eq!(accounted.width(), 2, "what follows from others is dropped");
        let rest_of_b = accounted.rest(&b);
        let turned = accounted.turned(&accounted.rest(&a), &rest_of_b);
        let r = |x: &[f64], y: &[f64]| {
            let (mx, my) = (crate::stats::mean(x), crate::stats::mean(y));
            let centred = |v: &[f64], m: f64| v.iter().map(|v| v - m).collect::<Vec<f64>>();
            let (x, y) = (centred(x, mx), centred(y, my));
            dot(&x, &y) / (length(&x) * length(&y))
        };
        for (shift, found) in turned.iter().enumerate() {
            let moved: Vec<f64> = (0..n).map(|i| rest_of_b[(i + shift) % n]).collect();
            let (ab, ac, bc) = (r(&a, &moved), r(&a, &c), r(&moved, &c));
            let expected = (ab - ac * bc) / ((1.0 - ac * ac) * (1.0 - bc * bc)).sqrt();
            assert!(
                (found - expected).abs() < 1e-9,
                "{shift}: {found} {expected}"
            );
        }
    }
}
