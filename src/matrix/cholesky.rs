//! Symmetric positive definite systems, by the Cholesky factor.

use super::add_product;

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
            subtract_earlier(&mut matrix, n, start, end);
            for i in start..n {
                for j in start..end.min(i + 1) {
                    let sum: f64 = (start..j)
                        .map(|k| matrix[i * n + k] * matrix[j * n + k])
                        .sum();
                    let left = matrix[i * n + j] - sum;
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
}

/// Takes the products of the columns before `start` out of the columns `start..end` of the rows
/// from `start` on.
fn subtract_earlier(matrix: &mut [f64], n: usize, start: usize, end: usize) {
    if start == 0 {
        return;
    }
    let width = end - start;
    let rows: Vec<f64> = (start..n)
        .flat_map(|i| matrix[i * n..i * n + start].iter().map(|value| -value))
        .collect();
    let turned: Vec<f64> = (0..start)
        .flat_map(|k| (start..end).map(move |j| (j, k)))
        .map(|(j, k)| matrix[j * n + k])
        .collect();
    let mut sums: Vec<f64> = (start..n)
        .flat_map(|i| matrix[i * n + start..i * n + end].iter().copied())
        .collect();
    add_product(&rows, &turned, width, &mut sums);
    for (i, row) in (start..n).zip(sums.chunks_exact(width)) {
        matrix[i * n + start..i * n + end].copy_from_slice(row);
    }
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
