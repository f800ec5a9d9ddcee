//! Matrices of doubles, on the thread that asks, with the widest vector instructions that the
//! processor has: products, and systems that are symmetric and positive definite (`cholesky`).

pub mod cholesky;

/// Adds `a · b` to `c`, which has `columns` columns. Row-major: `c` is `(rows, columns)`, `b`
/// `(inner, columns)`, `a` `(rows, inner)`, where lengths give `rows` and `inner`. The last bits
/// depend on the shapes and the processor, not on the number of threads.
///
/// # Panics
/// Where the lengths do not fit together.
pub fn add_product(a: &[f64], b: &[f64], columns: usize, c: &mut [f64]) {
    let (rows, inner) = (c.len() / columns.max(1), b.len() / columns.max(1));
    assert!(
        c.len() == rows * columns && b.len() == inner * columns && a.len() == rows * inner,
        "lengths that are no product"
    );
    if c.is_empty() || inner == 0 {
        return;
    }
    let (down, right) = (columns as isize, 1);
    // SAFETY: the three slices hold all elements of these shapes and strides, and only `c`,
    // borrowed alone, is written.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            inner,
            c.as_mut_ptr(),
            right,
            down,
            true,
            a.as_ptr(),
            1,
            inner as isize,
            b.as_ptr(),
            right,
            down,
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// Takes out of the columns `block` of a row-major `(n, n)` matrix, in the rows from the block's
/// start on, the product of the columns before it with the same columns of the block's own rows,
/// transposed.
///
/// # Panics
/// Where the block does not lie in the matrix.
fn subtract_earlier(matrix: &mut [f64], n: usize, block: std::ops::Range<usize>) {
    assert!(
        matrix.len() == n * n && block.start <= block.end && block.end <= n,
        "a block that is not in the matrix"
    );
    if block.start == 0 || block.is_empty() {
        return;
    }
    let (all, down) = (matrix.as_mut_ptr(), n as isize);
    // SAFETY: rows `block.start..n` and columns before `block.end` lie in the matrix. What is
    // written, the columns of the block, is read by neither factor, which hold columns before it.
    unsafe {
        let rows = all.add(block.start * n);
        gemm::gemm(
            n - block.start,
            block.len(),
            block.start,
            rows.add(block.start),
            1,
            down,
            true,
            rows.cast_const(),
            1,
            down,
            rows.cast_const(),
            down,
            1,
            1.0,
            -1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_agree_with_the_definition() {
        for (rows, columns, inner) in [
            (1, 1, 1),
            (3, 5, 7),
            (128, 241, 300),
            (1, 33, 1000),
            (70, 1, 9),
            (13, 17, 0),
            (0, 3, 2),
            (4, 0, 0),
        ] {
            let a: Vec<f64> = (0..rows * inner)
                .map(|i| ((i * 7919) % 101) as f64 / 50.0 - 1.0)
                .collect();
            let b: Vec<f64> = (0..inner * columns)
                .map(|i| ((i * 104_729) % 97) as f64 / 50.0 - 1.0)
                .collect();
            let mut c: Vec<f64> = (0..rows * columns).map(|i| i as f64).collect();
            add_product(&a, &b, columns, &mut c);
            for (at, value) in c.iter().enumerate() {
                let (i, j) = (at / columns, at % columns);
                let want = at as f64
                    + (0..inner)
                        .map(|l| a[i * inner + l] * b[l * columns + j])
                        .sum::<f64>();
                assert!(
                    (value - want).abs() < 1e-9,
                    "{rows} x {columns} x {inner} at {i}, {j}: {value} {want}"
                );
            }
        }
    }

    #[test]
    #[should_panic(expected = "no product")]
    fn lengths_that_do_not_fit() {
        add_product(&[1.0; 6], &[1.0; 4], 2, &mut [0.0; 4]);
    }
}
