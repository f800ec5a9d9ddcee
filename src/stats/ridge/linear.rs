//! Ridge regression of least squares, for many responses to the same rows.

use super::Design;
use crate::matrix::cholesky::Cholesky;

/// The factored normal equations of some rows under one penalty.
#[derive(Clone, Debug)]
pub struct Normal {
    factor: Cholesky,
    width: usize,
}

impl Normal {
    /// Of `rows` of a design (weight `i` is that of `rows[i]`), one for each list of penalties, one
    /// penalty a column. `None` where the equations have no single solution.
    pub fn of(
        design: &Design,
        rows: &[usize],
        weights: &[f64],
        penalties: &[Vec<f64>],
    ) -> Option<Vec<Normal>> {
        let (gram, width) = (design.gram(rows, weights), design.width());
        let one = |penalties: &Vec<f64>| {
            let mut matrix = gram.clone();
            penalties
                .iter()
                .enumerate()
                .for_each(|(column, penalty)| matrix[column * (width + 1)] += penalty);
            Some(Normal {
                factor: Cholesky::new(matrix, width)?,
                width,
            })
        };
        penalties.iter().map(one).collect()
    }

    /// The coefficients, `(width, responses)` row-major, from the sums `sum weight x y` of the same
    /// shape.
    ///
    /// # Panics
    /// Where the sums are not of that shape.
    pub fn coefficients(&self, mut sums: Vec<f64>) -> Vec<f64> {
        let responses = sums.len() / self.width.max(1);
        self.factor.solve(&mut sums, responses);
        sums
    }
}

/// `sum weight x y` over rows, `(width, responses)` row-major; `y` is `(all rows, responses)`,
/// weight `i` that of `rows[i]`.
pub fn moments(
    design: &Design,
    rows: &[usize],
    weights: &[f64],
    y: &[f64],
    responses: usize,
) -> Vec<f64> {
    let mut sums = vec![0.0; design.width() * responses];
    for (row, weight) in rows.iter().zip(weights) {
        let y = &y[row * responses..(row + 1) * responses];
        let mut add = |column: usize, x: f64| {
            let line = &mut sums[column * responses..(column + 1) * responses];
            line.iter_mut()
                .zip(y)
                .for_each(|(sum, y)| *sum += weight * x * y);
        };
        design
            .numbers_of(*row)
            .iter()
            .enumerate()
            .for_each(|(column, x)| add(column, *x));
        design
            .active(*row)
            .iter()
            .for_each(|column| add(design.numbers + *column as usize, 1.0));
    }
    sums
}

/// Predictions of a row for all responses, from coefficients `(width, responses)`.
pub fn predict(design: &Design, row: usize, coefficients: &[f64], responses: usize) -> Vec<f64> {
    let mut sums = vec![0.0; responses];
    let mut add = |column: usize, x: f64| {
        let line = &coefficients[column * responses..(column + 1) * responses];
        sums.iter_mut().zip(line).for_each(|(sum, b)| *sum += x * b);
    };
    design
        .numbers_of(row)
        .iter()
        .enumerate()
        .for_each(|(column, x)| add(column, *x));
    design
        .active(row)
        .iter()
        .for_each(|column| add(design.numbers + *column as usize, 1.0));
    sums
}

#[cfg(test)]
mod tests {
    use super::super::tests::example;
    use super::*;

    #[test]
    fn the_residuals_solve_the_normal_equations() {
        let (design, plain) = example(300, 8);
        let rows: Vec<usize> = (20..300).collect();
        let weights: Vec<f64> = rows.iter().map(|row| 1.0 + (row % 4) as f64).collect();
        let y: Vec<f64> = (0..600).map(|i| ((i * 31) % 23) as f64).collect();
        let penalties: Vec<f64> = (0..9)
            .map(|column| if column == 0 { 0.0 } else { 3.0 })
            .collect();
        let normal = Normal::of(&design, &rows, &weights, std::slice::from_ref(&penalties))
            .unwrap()
            .remove(0);
        let b = normal.coefficients(moments(&design, &rows, &weights, &y, 2));
        for response in 0..2 {
            for column in 0..9 {
                let slope: f64 = (rows.iter().zip(&weights))
                    .map(|(row, w)| {
                        w * plain[*row][column]
                            * (y[row * 2 + response] - predict(&design, *row, &b, 2)[response])
                    })
                    .sum();
                assert!(
                    (slope - penalties[column] * b[column * 2 + response]).abs() < 1e-6,
                    "{column} {response}"
                );
            }
        }
        assert!(
            Normal::of(&design, &[], &[], &[penalties]).is_none(),
            "an intercept without rows"
        );
    }
}
