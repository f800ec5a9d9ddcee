//! The scan itself.

use super::super::simd::{Left, Onto, Shared, matmul, vectors, vectors_mut};
use super::conv::Conv;
use super::{HEAD_DIM, Scan, decay_row, decays, multiply, scale_rows, scale_rows_by};
use pulp::Simd;

impl Scan<'_> {
    /// The scan of this unit; `y` is (total bases, d_inner), of which this unit writes its rows and
    /// its heads' columns.
    #[inline(always)]
    pub fn forward<S: Simd>(&self, simd: S, y: Shared<f32>) {
        let (q, n) = (self.dims.chunk, self.n());
        let conv = Conv::new(self);
        let mut chunk = self.scratch(false);
        let mut state = vec![0.0; self.heads.len() * n * HEAD_DIM];
        let (mut m, mut u, mut out) = (
            vec![0.0; q * q],
            vec![0.0; q * HEAD_DIM],
            vec![0.0; q * HEAD_DIM],
        );
        let (mut inside, mut outside, mut since) = (vec![0.0; q], vec![0.0; q], vec![0.0; q]);
        for first in (0..self.rows.len()).step_by(q) {
            self.load::<S, true, false>(simd, first, &conv, &mut chunk);
            self.products(simd, &mut chunk);
            let len = q.min(self.rows.len() - first);
            for (local, head) in self.heads.clone().enumerate() {
                let a = &chunk.a[local * q..][..q];
                let x = &chunk.x[local * q * HEAD_DIM..][..q * HEAD_DIM];
                let state = &mut state[local * n * HEAD_DIM..][..n * HEAD_DIM];
                scale_rows(simd, x, &chunk.dt[local * q..][..q], &mut u);
                decays(simd, a, &mut inside, &mut outside);
                for t in 0..q {
                    let m = &mut m[t * q..][..(t / 16 + 1) * 16];
                    decay_row(simd, a, t, &mut since, m);
                    multiply(simd, m, &chunk.g[t * q..][..m.len()]);
                }
                matmul(
                    simd,
                    0..q,
                    0..n,
                    HEAD_DIM,
                    HEAD_DIM,
                    Left::rows(&chunk.c, n),
                    state,
                    &mut out,
                    Onto::Zero,
                );
                for i in (0..q).step_by(16) {
                    matmul(
                        simd,
                        i..i + 16,
                        0..i + 16,
                        HEAD_DIM,
                        HEAD_DIM,
                        Left::rows(&m, q),
                        &u,
                        &mut out,
                        Onto::Rows(&inside),
                    );
                }
                let skip = simd.splat_f32s(self.core.d[head]);
                for t in 0..len {
                    // SAFETY: rows and head columns of this unit are its own.
                    let to = unsafe {
                        y.slice(
                            self.row(first + t) * self.dims.d_inner + head * HEAD_DIM,
                            HEAD_DIM,
                        )
                    };
                    let row = t * HEAD_DIM..(t + 1) * HEAD_DIM;
                    let from = vectors::<S>(&out[row.clone()]);
                    let from = from.iter().zip(vectors::<S>(&x[row]));
                    for (to, (&out, &x)) in vectors_mut::<S>(to).iter_mut().zip(from) {
                        *to = simd.mul_add_f32s(x, skip, out);
                    }
                }
                if first + q < self.rows.len() {
                    scale_rows_by(simd, &mut u, &outside);
                    matmul(
                        simd,
                        0..n,
                        0..q,
                        HEAD_DIM,
                        HEAD_DIM,
                        Left::transposed(&chunk.b, n),
                        &u,
                        state,
                        Onto::Times(inside[q - 1]),
                    );
                }
            }
        }
    }
}
