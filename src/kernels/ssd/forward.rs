//! The scan itself.

use super::super::simd::{Left, Shared, matmul};
use super::conv::Conv;
use super::{HEAD_DIM, Scan, decayed, decays, scale_rows, scale_rows_by};
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
        let (mut inside, mut outside) = (vec![0.0; q], vec![0.0; q]);
        for first in (0..self.rows.len()).step_by(q) {
            self.load::<S, false>(simd, first, &conv, &mut chunk);
            self.products(simd, &mut chunk);
            let len = q.min(self.rows.len() - first);
            for (local, head) in self.heads.clone().enumerate() {
                let a = &chunk.a[local * q..][..q];
                let x = &chunk.x[local * q * HEAD_DIM..][..q * HEAD_DIM];
                let state = &mut state[local * n * HEAD_DIM..][..n * HEAD_DIM];
                scale_rows(x, &chunk.dt[local * q..][..q], &mut u);
                decays(a, &mut inside, &mut outside);
                decayed(a, &chunk.g, &mut m);
                matmul(
                    simd,
                    0..q,
                    0..n,
                    HEAD_DIM,
                    HEAD_DIM,
                    Left::rows(&chunk.c, n),
                    state,
                    &mut out,
                    false,
                );
                scale_rows_by(&mut out, &inside);
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
                        true,
                    );
                }
                let skip = self.core.d[head];
                for t in 0..len {
                    // SAFETY: rows and head columns of this unit are its own.
                    let to = unsafe {
                        y.slice(
                            self.row(first + t) * self.dims.d_inner + head * HEAD_DIM,
                            HEAD_DIM,
                        )
                    };
                    let (out, x) = (
                        &out[t * HEAD_DIM..][..HEAD_DIM],
                        &x[t * HEAD_DIM..][..HEAD_DIM],
                    );
                    for i in 0..HEAD_DIM {
                        to[i] = x[i].mul_add(skip, out[i]);
                    }
                }
                if first + q < self.rows.len() {
                    scale_rows_by(&mut u, &outside);
                    let scale = inside[q - 1];
                    state.iter_mut().for_each(|v| *v *= scale);
                    matmul(
                        simd,
                        0..n,
                        0..q,
                        HEAD_DIM,
                        HEAD_DIM,
                        Left::transposed(&chunk.b, n),
                        &u,
                        state,
                        true,
                    );
                }
            }
        }
    }
}
