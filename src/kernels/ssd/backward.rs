//! The gradient of the scan.

use super::super::simd::{Left, Onto, Shared, dot, matmul, sum, transpose, vectors, vectors_mut};
use super::conv::{Conv, TAPS};
use super::{Core, HEAD_DIM, Scan, decay_row, decays, multiply, scale_rows, scale_rows_by};
use pulp::Simd;

/// What the backward pass of one unit gives: places in shared buffers that no other unit writes,
/// and parameter gradients to add up.
pub struct ScanGrads {
    /// (total bases, d_inner): gradient of the x channels, before the convolution.
    pub x: Shared<f32>,
    /// (total bases, 2 d_state): this unit's part of the gradient of B and C, before the
    /// convolution.
    pub bc: Shared<f32>,
    /// (total bases, heads): gradient of the raw dt.
    pub dt: Shared<f32>,
}

impl Scan<'_> {
    /// The gradient of [`Scan::forward`]. `dy` is the gradient of its output, (total bases,
    /// d_inner); `params` receives (adds) the gradients of the parameters, all but `norm`.
    ///
    /// With `dH1` the gradient of the state that leaves the chunk:
    /// `du_s = sum over t >= s of e^{a_t - a_s} (C_t·B_s) dy_t + e^{a_end - a_s} B_s dH1`, `dH0 =
    /// e^{a_end} dH1 + sum of e^{a_t} C_t ⊗ dy_t`, `dC_t = e^{a_t} H0 dy_t + sum over s of dG_ts
    /// B_s`, `dB_s = e^{a_end - a_s} dH1 u_s + sum over t of dG_ts C_t`, `dG_ts = e^{a_t - a_s}
    /// dy_t·u_s`,
    ///
    /// The step at u scales every path that crosses it, so with `V_t = e^{a_t} C_t H0 dy_t`, `Z_s =
    /// e^{a_end - a_s} B_s dH1 u_s`, `W_ts = dy_t·u_s e^{a_t - a_s} C_t·B_s`: `d(A dt_u) = sum of
    /// V_t over t >= u + sum of Z_s over s < u + e^{a_end} dH1·H0 + sum of W_ts over t >= u > s`.
    /// Differences of running sums would say the same, but lose their digits in cancellation.
    #[inline(always)]
    pub fn backward<S: Simd>(
        &self,
        simd: S,
        dy: &[f32],
        grads: &ScanGrads,
        params: &mut Core<&mut [f32]>,
    ) {
        const P: usize = HEAD_DIM;
        let (q, n, k) = (self.dims.chunk, self.n(), self.dims.d_conv);
        let (width, heads, len) = (self.width(), self.heads.len(), self.rows.len());
        let conv = Conv::new(self);
        let mut conv_grads = Conv::zeros(width);
        let mut chunk = self.scratch(true);
        let n_chunks = len.div_ceil(q);

        // States that enter each chunk, transposed: (chunks, heads, 64, n).
        let mut states = vec![0.0; n_chunks * heads * P * n];
        let mut u = vec![0.0; q * P];
        let (mut inside, mut outside, mut since) = (vec![0.0; q], vec![0.0; q], vec![0.0; q]);
        for index in 0..n_chunks.saturating_sub(1) {
            self.load::<S, false, false>(simd, index * q, &conv, &mut chunk);
            for local in 0..heads {
                let a = &chunk.a[local * q..][..q];
                decays(simd, a, &mut inside, &mut outside);
                scale_rows(
                    simd,
                    &chunk.x[local * q * P..][..q * P],
                    &chunk.dt[local * q..][..q],
                    &mut u,
                );
                scale_rows_by(simd, &mut u, &outside);
                let (before, after) = states.split_at_mut(((index + 1) * heads + local) * P * n);
                let (before, after) = (
                    &before[(index * heads + local) * P * n..][..P * n],
                    &mut after[..P * n],
                );
                matmul(
                    simd,
                    0..P,
                    0..q,
                    n,
                    n,
                    Left::transposed(&u, P),
                    &chunk.b,
                    after,
                    Onto::Other(before, inside[q - 1]),
                );
            }
        }

        let mut state_grad = vec![0.0; heads * n * P];
        let mut state_grad_t = vec![0.0; P * n];
        let (mut m, mut dg, mut g_sum) = (vec![0.0; q * q], vec![0.0; q * q], vec![0.0; q * q]);
        let mut decay = vec![0.0; q];
        let (mut dout, mut scaled, mut u_t, mut du) = (
            vec![0.0; q * P],
            vec![0.0; q * P],
            vec![0.0; q * P],
            vec![0.0; q * P],
        );
        let (mut db, mut dc) = (vec![0.0; q * n], vec![0.0; q * n]);
        // Per position: V, Z and the gradient of A dt; W summed over the rows from the end.
        let (mut through_entering, mut through_leaving, mut da, mut w_sum) =
            (vec![0.0; q], vec![0.0; q], vec![0.0; q], vec![0.0; q]);
        let mut dc_head = vec![0.0; q * n];
        let mut scalars = vec![[0.0_f64; 3]; heads];
        // Gradient before the convolution, with the first TAPS - 1 rows of the chunk that follows
        // at its end.
        let mut dpre = vec![0.0; (q + TAPS - 1) * width];
        let mut dx = vec![0.0; q * width];
        for index in (0..n_chunks).rev() {
            let first = index * q;
            let rows = q.min(len - first);
            let last = index + 1 == n_chunks;
            self.load::<S, true, true>(simd, first, &conv, &mut chunk);
            self.products(simd, &mut chunk);
            g_sum.fill(0.0);
            db.fill(0.0);
            dc.fill(0.0);
            for (local, head) in self.heads.clone().enumerate() {
                let (a, dt) = (&chunk.a[local * q..][..q], &chunk.dt[local * q..][..q]);
                let x = &chunk.x[local * q * P..][..q * P];
                decays(simd, a, &mut inside, &mut outside);
                let entering = &states[(index * heads + local) * P * n..][..P * n];
                let state_grad = &mut state_grad[local * n * P..][..n * P];
                for t in 0..rows {
                    dout[t * P..][..P].copy_from_slice(
                        &dy[self.row(first + t) * self.dims.d_inner + head * P..][..P],
                    );
                }
                dout[rows * P..].fill(0.0);
                scale_rows(simd, x, dt, &mut u);
                // dG and its sum over heads.
                transpose(simd, &u, q, P, &mut u_t);
                for i in (0..q).step_by(16) {
                    matmul(
                        simd,
                        i..i + 16,
                        0..P,
                        i + 16,
                        q,
                        Left::rows(&dout, P),
                        &u_t,
                        &mut dg,
                        Onto::Zero,
                    );
                }
                for t in 0..q {
                    decay_row(simd, a, t, &mut since, &mut decay);
                    let columns = t * q..t * q + (t / 16 + 1) * 16;
                    let e = &decay[..columns.len()];
                    let rows = vectors::<S>(e).iter();
                    let rows = rows.zip(vectors::<S>(&chunk.g[columns.clone()]));
                    let m = vectors_mut::<S>(&mut m[columns.clone()]);
                    for (m, (&e, &g)) in m.iter_mut().zip(rows) {
                        *m = simd.mul_f32s(e, g);
                    }
                    multiply(simd, &mut dg[columns.clone()], e);
                    add(simd, &mut g_sum[columns.clone()], &dg[columns]);
                }
                // du: through the state that leaves, then inside the chunk.
                let mut through_both = 0.0;
                if last {
                    through_leaving.fill(0.0);
                } else {
                    transpose(simd, state_grad, n, P, &mut state_grad_t);
                    scale_rows(simd, &u, &outside, &mut scaled);
                    matmul(
                        simd,
                        0..q,
                        0..P,
                        n,
                        n,
                        Left::rows(&scaled, P),
                        &state_grad_t,
                        &mut db,
                        Onto::Held,
                    );
                    matmul(
                        simd,
                        0..q,
                        0..n,
                        P,
                        P,
                        Left::rows(&chunk.b, n),
                        state_grad,
                        &mut du,
                        Onto::Zero,
                    );
                    for t in 0..q {
                        through_leaving[t] =
                            outside[t] * dot(simd, &du[t * P..][..P], &u[t * P..][..P]);
                    }
                    through_both = inside[q - 1] * dot(simd, &state_grad_t, entering);
                }
                for s in (0..q).step_by(16) {
                    matmul(
                        simd,
                        s..s + 16,
                        s..q,
                        P,
                        P,
                        Left::transposed(&m, q),
                        &dout,
                        &mut du,
                        if last {
                            Onto::Zero
                        } else {
                            Onto::Rows(&outside)
                        },
                    );
                }
                // The state that enters, and C.
                if index > 0 {
                    scale_rows(simd, &dout, &inside, &mut scaled);
                    matmul(
                        simd,
                        0..q,
                        0..P,
                        n,
                        n,
                        Left::rows(&scaled, P),
                        entering,
                        &mut dc_head,
                        Onto::Zero,
                    );
                    for t in 0..q {
                        let row = &dc_head[t * n..][..n];
                        through_entering[t] = dot(simd, row, &chunk.c[t * n..][..n]);
                        add(simd, &mut dc[t * n..][..n], row);
                    }
                    matmul(
                        simd,
                        0..n,
                        0..q,
                        P,
                        P,
                        Left::transposed(&chunk.c, n),
                        &scaled,
                        state_grad,
                        Onto::Times(inside[q - 1]),
                    );
                } else {
                    through_entering.fill(0.0);
                }
                // The steps.
                w_sum.fill(0.0);
                let mut entering_sum = 0.0;
                for t in (0..q).rev() {
                    let columns = (t / 16 + 1) * 16;
                    let rows = vectors::<S>(&dg[t * q..][..columns]).iter();
                    let rows = rows.zip(vectors::<S>(&chunk.g[t * q..][..columns]));
                    for (sum, (&dg, &g)) in vectors_mut::<S>(&mut w_sum).iter_mut().zip(rows) {
                        *sum = simd.mul_add_f32s(dg, g, *sum);
                    }
                    entering_sum += through_entering[t];
                    da[t] = entering_sum + sum(simd, &w_sum[..t]);
                }
                let rate = -self.core.a_log[head].exp();
                let mut leaving_sum = 0.0;
                for t in 0..rows {
                    let step = da[t] + leaving_sum + through_both;
                    leaving_sum += through_leaving[t];
                    let (x, dout) = (&x[t * P..][..P], &dout[t * P..][..P]);
                    let raw = (dot(simd, &du[t * P..][..P], x) + rate * step)
                        * chunk.dt_slope[local * q + t];
                    let sums = &mut scalars[local];
                    sums[0] += f64::from(raw);
                    sums[1] += f64::from(dt[t] * step * rate);
                    sums[2] += f64::from(dot(simd, dout, x));
                    // SAFETY: rows and heads of this unit are its own.
                    unsafe {
                        grads
                            .dt
                            .slice(self.row(first + t) * self.dims.n_heads() + head, 1)[0] = raw
                    };
                }
                let skip = simd.splat_f32s(self.core.d[head]);
                for t in 0..q {
                    let step = simd.splat_f32s(dt[t]);
                    let from = vectors::<S>(&du[t * P..][..P]).iter();
                    let from = from.zip(vectors::<S>(&dout[t * P..][..P]));
                    let to = vectors_mut::<S>(&mut dpre[t * width + local * P..][..P]);
                    for (to, (&du, &dout)) in to.iter_mut().zip(from) {
                        *to = simd.mul_add_f32s(du, step, simd.mul_f32s(dout, skip));
                    }
                }
            }
            for i in (0..q).step_by(16) {
                matmul(
                    simd,
                    i..i + 16,
                    0..i + 16,
                    n,
                    n,
                    Left::rows(&g_sum, q),
                    &chunk.b,
                    &mut dc,
                    Onto::Held,
                );
                matmul(
                    simd,
                    i..i + 16,
                    i..q,
                    n,
                    n,
                    Left::transposed(&g_sum, q),
                    &chunk.c,
                    &mut db,
                    Onto::Held,
                );
            }
            let d = self.group_dim();
            for t in 0..q {
                let row = &mut dpre[t * width..][..width];
                if t >= rows {
                    row.fill(0.0);
                    continue;
                }
                row[d..d + n].copy_from_slice(&db[t * n..][..n]);
                row[d + n..].copy_from_slice(&dc[t * n..][..n]);
                multiply(simd, row, &chunk.slope[t * width..][..width]);
            }
            self.convolve_backward(simd, &conv, &chunk.raw, &dpre, &mut dx, &mut conv_grads);
            self.scatter(first, rows, &dx, grads);
            let (head_rows, tail) = dpre.split_at_mut(q * width);
            tail.copy_from_slice(&head_rows[..(TAPS - 1) * width]);
        }
        for (head, [dt_bias, a_log, d]) in self.heads.clone().zip(scalars) {
            params.dt_bias[head] += dt_bias as f32;
            params.a_log[head] += a_log as f32;
            params.d[head] += d as f32;
        }
        for (local, channel) in self.channels() {
            params.conv_bias[channel] += conv_grads.bias[local];
            for tap in 0..k {
                params.conv_weight[channel * k + tap] +=
                    conv_grads.weight[(TAPS - k + tap) * width + local];
            }
        }
    }

    /// Puts the gradient of the convolution's inputs, (chunk, width), where it belongs.
    #[inline(always)]
    fn scatter(&self, first: usize, rows: usize, dx: &[f32], grads: &ScanGrads) {
        let (d, n, np) = (self.group_dim(), self.dims.d_state, self.n());
        for (t, dx) in dx.chunks_exact(self.width()).take(rows).enumerate() {
            let row = self.row(first + t);
            // SAFETY: rows, head columns and the BC buffer of this unit are its own.
            let (x, bc) = unsafe {
                let x = grads
                    .x
                    .slice(row * self.dims.d_inner + self.heads.start * HEAD_DIM, d);
                (x, grads.bc.slice(row * 2 * n, 2 * n))
            };
            x.copy_from_slice(&dx[..d]);
            bc[..n].copy_from_slice(&dx[d..d + n]);
            bc[n..].copy_from_slice(&dx[d + np..d + np + n]);
        }
    }
}

/// `to[i] += from[i]`, whole vectors.
#[inline(always)]
fn add<S: Simd>(simd: S, to: &mut [f32], from: &[f32]) {
    for (to, &x) in vectors_mut::<S>(to).iter_mut().zip(vectors::<S>(from)) {
        *to = simd.add_f32s(*to, x);
    }
}
