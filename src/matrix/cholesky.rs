//! Symmetric positive definite systems, by the Cholesky factor.

use super::{add_product, subtract_earlier};
use std::ops::Range;

/// Columns that are factored together; what is left is a product of matrices.
const BLOCK: usize = 48;

/// The lower triangular factor of a matrix.
#[derive(Clone, Debug)]
pub struct Cholesky {
    n: usize,
    /// `(n, n)` row-major; what lies above the diagonal is not used.
    lower: Vec<f64>,
}

impl Cholesky {
    /// Factors an `(n, n)` row-major matrix of which only the lower half is read. `None` where it
    /// is not positive definite.
    ///
    /// # Panics
    /// Where the length is not `n * n`.
    pub fn new(mut matrix: Vec<f64>, n: usize) -> Option<Cholesky> {
        assert_eq!(matrix.len(), n * n, "a matrix that is not square");
        for start in (0..n).step_by(BLOCK) {
            let end = n.min(start + BLOCK);
            subtract_earlier(&mut matrix, n, start..end);
            for i in start..end {
                for j in start..=i {
                    let [of_i, of_j] = [i, j].map(|row| &matrix[row * n + start..row * n + j]);
                    let left = matrix[i * n + j] - dot(of_i, of_j);
                    matrix[i * n + j] = if i == j {
                        let root = left.sqrt();
                        // Of what is negative the root is NaN.
                        if root == 0.0 || root.is_nan() {
                            return None;
                        }
                        root
                    } else {
                        left / matrix[j * n + j]
                    };
                }
            }
            divide_below(&mut matrix, n, start..end);
        }
        Some(Cholesky { n, lower: matrix })
    }

    /// Solves for `columns` right-hand sides at once: `b` is `(n, columns)` row-major and becomes
    /// the solution.
    ///
    /// # Panics
    /// Where the length of `b` is not `n * columns`.
    pub fn solve(&self, b: &mut [f64], columns: usize) {
        assert_eq!(
            b.len(),
            self.n * columns,
            "right-hand sides of another length"
        );
        if columns == 1 {
            return self.solve_one(b);
        }
        let less = |to: &mut [f64], factor: f64, from: &[f64]| {
            to.iter_mut()
                .zip(from)
                .for_each(|(to, from)| *to -= factor * from)
        };
        for i in 0..self.n {
            let (done, rest) = b.split_at_mut(i * columns);
            let row = &mut rest[..columns];
            for (k, solved) in done.chunks_exact(columns).enumerate() {
                less(row, self.lower[i * self.n + k], solved);
            }
            row.iter_mut()
                .for_each(|value| *value /= self.lower[i * self.n + i]);
        }
        for i in (0..self.n).rev() {
            let (above, rest) = b.split_at_mut(i * columns);
            let row = &mut rest[..columns];
            row.iter_mut()
                .for_each(|value| *value /= self.lower[i * self.n + i]);
            // What is solved is taken out of the equations above it, row by row of the factor.
            for (k, open) in above.chunks_exact_mut(columns).enumerate() {
                less(open, self.lower[i * self.n + k], row);
            }
        }
    }

    fn solve_one(&self, b: &mut [f64]) {
        let row = |i: usize| &self.lower[i * self.n..][..=i];
        for i in 0..self.n {
            let (done, rest) = b.split_at_mut(i);
            let row = row(i);
            rest[0] = (rest[0] - dot(&row[..i], done)) / row[i];
        }
        for i in (0..self.n).rev() {
            let (above, rest) = b.split_at_mut(i);
            let row = row(i);
            rest[0] /= row[i];
            (above.iter_mut().zip(row)).for_each(|(open, factor)| *open -= factor * rest[0]);
        }
    }
}

/// Multiplies the rows below a factored block of columns by the inverse of its triangle, transposed.
fn divide_below(matrix: &mut [f64], n: usize, block: Range<usize>) {
    let (start, width) = (block.start, block.len());
    if block.end == n {
        return;
    }
    // The inverse, transposed: column j of the inverse is row j here.
    let mut inverse = vec![0.0; width * width];
    for j in 0..width {
        for i in j..width {
            let row = &matrix[(start + i) * n + start..][..width];
            let before = dot(&row[j..i], &inverse[j * width + j..j * width + i]);
            let unit = f64::from(u8::from(i == j));
            inverse[j * width + i] = (unit - before) / row[i];
        }
    }
    let mut below = Vec::with_capacity((n - block.end) * width);
    for i in block.end..n {
        below.extend_from_slice(&matrix[i * n + start..][..width]);
    }
    let mut quotient = vec![0.0; below.len()];
    add_product(&below, &inverse, width, &mut quotient);
    for (i, row) in (block.end..n).zip(quotient.chunks_exact(width)) {
        matrix[i * n + start..][..width].copy_from_slice(row);
    }
}

/// The sum of products, in lanes that fit vector registers.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    const LANES: usize = 8;
    let (a, b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest = a.remainder().iter().zip(b.remainder());
    let mut sums = [0.0; LANES];
    let rest: f64 = rest.map(|(a, b)| a * b).sum();
    for (a, b) in a.zip(b) {
        (sums.iter_mut().zip(a).zip(b)).for_each(|((sum, a), b)| *sum += a * b);
    }
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn positive_definite(n: usize) -> Vec<f64> {
        let root: Vec<f64> = (0..n * n)
            .map(|i| ((i * 7919) % 101) as f64 / 50.0 - 1.0)
            .collect();
        let mut matrix = vec![0.0; n * n];
        for i in 0..n {
            for j in 0..n {
                matrix[i * n + j] = (0..n)
                    .map(|k| root[i * n + k] * root[j * n + k])
                    .sum::<f64>()
                    + f64::from(u8::from(i == j));
            }
        }
        matrix
    }

    #[test]
    fn solutions_solve() {
        for (n, columns) in [
            (1, 1),
            (3, 2),
            (BLOCK, 1),
            (BLOCK + 1, 3),
            (3 * BLOCK - 5, 4),
        ] {
            let matrix = positive_definite(n);
            let wanted: Vec<f64> = (0..n * columns).map(|i| (i % 17) as f64 - 8.0).collect();
            let mut b = vec![0.0; n * columns];
            add_product(&matrix, &wanted, columns, &mut b);
            // Only the lower half is read.
            let lower = (0..n * n)
                .map(|at| {
                    if at % n > at / n {
                        f64::NAN
                    } else {
                        matrix[at]
                    }
                })
                .collect();
            Cholesky::new(lower, n).unwrap().solve(&mut b, columns);
            for (found, wanted) in b.iter().zip(&wanted) {
                assert!(
                    (found - wanted).abs() < 1e-6,
                    "{n}, {columns}: {found} {wanted}"
                );
            }
        }
    }

    #[test]
    fn what_is_not_positive_definite_is_refused() {
        assert!(Cholesky::new(vec![1.0, 0.0, 2.0, 1.0], 2).is_none());
        assert!(
            Cholesky::new(vec![0.0], 1).is_none() && Cholesky::new(vec![f64::NAN], 1).is_none()
        );
        assert!(Cholesky::new(Vec::new(), 0).is_some());
    }
}
