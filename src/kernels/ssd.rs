//! One Mamba-2 core (causal depthwise convolution, SiLU, state-space scan) over one sequence in one direction, for a group of heads.
//!
//! The scan `h_t = exp(A dt_t) h_{t-1} + dt_t B_t ⊗ x_t`, `y_t = C_t h_t + D x_t` is computed in chunks as small matrix products
//! (state-space duality, Dao & Gu 2024, section 6). With `a_t` the running sum of `A dt` inside a chunk, `u_s = dt_s x_s`, `H0` the state that
//! enters the chunk:
//! `y_t = e^{a_t} C_t H0 + sum over s <= t of e^{a_t - a_s} (C_t·B_s) u_s + D x_t`,
//! `H1 = e^{a_end} H0 + sum over s of e^{a_end - a_s} B_s ⊗ u_s`.
//! `C·B` is shared by the heads of the group. Only one chunk's intermediates exist at a time; the backward pass recomputes them and
//! keeps one state per chunk.

use super::simd::{Left, Shared, dot, exp, matmul, padded, sigmoid, softplus, sum, transpose};
use pulp::Simd;
use std::ops::Range;

/// Channels per head (`headdim`), the same in every LDARNet.
pub const HEAD_DIM: usize = 64;

/// Sizes of one BiMamba-2 mixer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dims {
    /// `expand * d_model`, a multiple of [`HEAD_DIM`].
    pub d_inner: usize,
    /// State size N.
    pub d_state: usize,
    /// Kernel of the depthwise convolution, 2 to 4.
    pub d_conv: usize,
    /// Positions per chunk, a multiple of 16; changes speed only, not results.
    pub chunk: usize,
}

impl Dims {
    /// Number of heads.
    pub fn n_heads(&self) -> usize {
        self.d_inner / HEAD_DIM
    }
    /// Channels through the convolution: x, B and C.
    pub fn conv_dim(&self) -> usize {
        self.d_inner + 2 * self.d_state
    }
    /// Columns that `in_proj` gives: z, x, B, C, dt.
    pub fn in_proj(&self) -> usize {
        2 * self.d_inner + 2 * self.d_state + self.n_heads()
    }
    /// Length of the packed parameters of one direction.
    pub fn n_params(&self) -> usize {
        self.conv_dim() * (self.d_conv + 1) + 3 * self.n_heads() + self.d_inner
    }
}

/// Parameters of one direction, or their gradients, in the packed order
/// conv weight (conv_dim x d_conv), conv bias, dt_bias, A_log, D (heads each), norm weight (d_inner).
pub struct Core<T> {
    /// (conv_dim, d_conv).
    pub conv_weight: T,
    /// (conv_dim).
    pub conv_bias: T,
    /// (heads).
    pub dt_bias: T,
    /// ln of -A, (heads).
    pub a_log: T,
    /// Skip connection D, (heads).
    pub d: T,
    /// Weight of the gated norm, (d_inner).
    pub norm: T,
}

impl<'a> Core<&'a [f32]> {
    /// Views into packed parameters.
    pub fn split(dims: &Dims, packed: &'a [f32]) -> Self {
        let h = dims.n_heads();
        let (conv_weight, rest) = packed.split_at(dims.conv_dim() * dims.d_conv);
        let (conv_bias, rest) = rest.split_at(dims.conv_dim());
        let (dt_bias, rest) = rest.split_at(h);
        let (a_log, rest) = rest.split_at(h);
        let (d, norm) = rest.split_at(h);
        Core { conv_weight, conv_bias, dt_bias, a_log, d, norm }
    }
}

impl<'a> Core<&'a mut [f32]> {
    /// Mutable views into packed gradients.
    pub fn split_mut(dims: &Dims, packed: &'a mut [f32]) -> Self {
        let h = dims.n_heads();
        let (conv_weight, rest) = packed.split_at_mut(dims.conv_dim() * dims.d_conv);
        let (conv_bias, rest) = rest.split_at_mut(dims.conv_dim());
        let (dt_bias, rest) = rest.split_at_mut(h);
        let (a_log, rest) = rest.split_at_mut(h);
        let (d, norm) = rest.split_at_mut(h);
        Core { conv_weight, conv_bias, dt_bias, a_log, d, norm }
    }
}

/// One unit of parallel work: a sequence, a direction, a group of heads.
pub struct Scan<'a> {
    /// Sizes.
    pub dims: Dims,
    /// Parameters of the direction.
    pub core: &'a Core<&'a [f32]>,
    /// Output of `in_proj`, (total bases, `dims.in_proj()`).
    pub zxbcdt: &'a [f32],
    /// Rows of this sequence.
    pub rows: Range<usize>,
    /// Read from the end to the start.
    pub reverse: bool,
    /// Heads of this unit.
    pub heads: Range<usize>,
}

/// What the backward pass of one unit gives: places in shared buffers that no other unit writes, and parameter gradients to add up.
pub struct ScanGrads {
    /// (total bases, d_inner): gradient of the x channels, before the convolution.
    pub x: Shared<f32>,
    /// (total bases, 2 d_state): this unit's part of the gradient of B and C, before the convolution.
    pub bc: Shared<f32>,
    /// (total bases, heads): gradient of the raw dt.
    pub dt: Shared<f32>,
}

/// Everything one chunk needs, allocated once per unit of work.
struct Chunk {
    /// Convolution output before SiLU, (chunk, group channels | B | C).
    pre: Vec<f32>,
    /// x per head, (heads, chunk, 64).
    x: Vec<f32>,
    /// B and C after SiLU, (chunk, padded d_state).
    b: Vec<f32>,
    c: Vec<f32>,
    /// Transpose of `b`.
    b_t: Vec<f32>,
    /// C·B, lower triangle of (chunk, chunk) in blocks of 16.
    g: Vec<f32>,
    /// dt, its slope with respect to the raw value, and the running sum of A dt: (heads, chunk).
    dt: Vec<f32>,
    slope: Vec<f32>,
    a: Vec<f32>,
}

impl Scan<'_> {
    fn group_dim(&self) -> usize {
        self.heads.len() * HEAD_DIM
    }

    fn width(&self) -> usize {
        self.group_dim() + 2 * self.dims.d_state
    }

    /// Row of the t-th position in reading order.
    #[inline(always)]
    fn row(&self, t: usize) -> usize {
        if self.reverse { self.rows.end - 1 - t } else { self.rows.start + t }
    }

    /// Column of a local channel within the convolution's channels.
    fn channel(&self, local: usize) -> usize {
        let d = self.group_dim();
        if local < d { self.heads.start * HEAD_DIM + local } else { self.dims.d_inner + local - d }
    }

    /// Convolution weights of this group, kernel-major (d_conv, width), and biases.
    fn conv_weights(&self) -> (Vec<f32>, Vec<f32>) {
        let (k, width) = (self.dims.d_conv, self.width());
        let mut weight = vec![0.0; k * width];
        for local in 0..width {
            for tap in 0..k {
                weight[tap * width + local] = self.core.conv_weight[self.channel(local) * k + tap];
            }
        }
        (weight, (0..width).map(|local| self.core.conv_bias[self.channel(local)]).collect())
    }

    fn scratch(&self) -> Chunk {
        let (q, n, heads) = (self.dims.chunk, padded(self.dims.d_state), self.heads.len());
        Chunk {
            pre: vec![0.0; q * self.width()],
            x: vec![0.0; heads * q * HEAD_DIM],
            b: vec![0.0; q * n],
            c: vec![0.0; q * n],
            b_t: vec![0.0; q * n],
            g: vec![0.0; q * q],
            dt: vec![0.0; heads * q],
            slope: vec![0.0; heads * q],
            a: vec![0.0; heads * q],
        }
    }

    /// The convolution at one position over the two pieces of channels that this group reads.
    #[inline(always)]
    fn conv_row<const K: usize>(&self, t: usize, weight: &[f32], bias: &[f32], pre: &mut [f32]) {
        let zeros = [0.0_f32; 0];
        let (columns, d) = (self.dims.in_proj(), self.group_dim());
        let pieces = [(0, d, self.dims.d_inner + self.heads.start * HEAD_DIM), (d, self.width(), 2 * self.dims.d_inner)];
        for (from, to, column) in pieces {
            let n = to - from;
            let taps: [&[f32]; K] = std::array::from_fn(|k| {
                if t + k + 1 >= K { &self.zxbcdt[self.row(t + k + 1 - K) * columns + column..][..n] } else { &zeros[..] }
            });
            let weights: [&[f32]; K] = std::array::from_fn(|k| &weight[k * self.width() + from..][..n]);
            let (bias, pre) = (&bias[from..to], &mut pre[from..to]);
            if t + 1 >= K {
                for i in 0..n {
                    let mut v = bias[i];
                    for k in 0..K {
                        v = weights[k][i].mul_add(taps[k][i], v);
                    }
                    pre[i] = v;
                }
            } else {
                pre.copy_from_slice(bias);
                for k in (0..K).filter(|&k| !taps[k].is_empty()) {
                    for i in 0..n {
                        pre[i] = weights[k][i].mul_add(taps[k][i], pre[i]);
                    }
                }
            }
        }
    }

    /// Fills the chunk that starts at position `first` (reading order); positions past the end are neutral: zero input, zero step.
    #[inline(always)]
    fn load(&self, first: usize, weight: &[f32], bias: &[f32], chunk: &mut Chunk) {
        let (q, n, width, d) = (self.dims.chunk, self.dims.d_state, self.width(), self.group_dim());
        let (len, np) = (q.min(self.rows.len() - first), padded(n));
        for t in 0..q {
            let pre = &mut chunk.pre[t * width..][..width];
            if t < len {
                match self.dims.d_conv {
                    2 => self.conv_row::<2>(first + t, weight, bias, pre),
                    3 => self.conv_row::<3>(first + t, weight, bias, pre),
                    _ => self.conv_row::<4>(first + t, weight, bias, pre),
                }
            } else {
                pre.fill(0.0);
            }
            for (head, x) in pre[..d].chunks_exact(HEAD_DIM).enumerate() {
                let to = &mut chunk.x[(head * q + t) * HEAD_DIM..][..HEAD_DIM];
                for (to, &x) in to.iter_mut().zip(x) {
                    *to = x * sigmoid(x);
                }
            }
            for (to, from) in [(&mut chunk.b, &pre[d..d + n]), (&mut chunk.c, &pre[d + n..])] {
                for (to, &x) in to[t * np..][..n].iter_mut().zip(from) {
                    *to = x * sigmoid(x);
                }
            }
        }
        let columns = self.dims.in_proj();
        for (local, head) in self.heads.clone().enumerate() {
            let (dt, slope) = (&mut chunk.dt[local * q..][..q], &mut chunk.slope[local * q..][..q]);
            for (t, dt) in dt[..len].iter_mut().enumerate() {
                *dt = self.zxbcdt[self.row(first + t) * columns + columns - self.dims.n_heads() + head] + self.core.dt_bias[head];
            }
            for (dt, slope) in dt[..len].iter_mut().zip(slope.iter_mut()) {
                (*dt, *slope) = softplus(*dt);
            }
            dt[len..].fill(0.0);
            let decay = -self.core.a_log[head].exp();
            let mut sum = 0.0;
            for (a, dt) in chunk.a[local * q..][..q].iter_mut().zip(dt.iter()) {
                sum += decay * dt;
                *a = sum;
            }
        }
    }

    /// C·B of the chunk, blocks on and below the diagonal.
    #[inline(always)]
    fn products<S: Simd>(&self, simd: S, chunk: &mut Chunk) {
        let (q, n) = (self.dims.chunk, padded(self.dims.d_state));
        transpose(&chunk.b, q, n, &mut chunk.b_t);
        for i in (0..q).step_by(16) {
            matmul(simd, i..i + 16, 0..n, i + 16, q, Left::rows(&chunk.c, n), &chunk.b_t, &mut chunk.g, false);
        }
    }

    /// The scan of this unit; `y` is (total bases, d_inner), of which this unit writes its rows and its heads' columns.
    #[inline(always)]
    pub fn forward<S: Simd>(&self, simd: S, y: Shared<f32>) {
        let (q, n) = (self.dims.chunk, padded(self.dims.d_state));
        let (weight, bias) = self.conv_weights();
        let mut chunk = self.scratch();
        let mut state = vec![0.0; self.heads.len() * n * HEAD_DIM];
        let (mut m, mut u, mut out) = (vec![0.0; q * q], vec![0.0; q * HEAD_DIM], vec![0.0; q * HEAD_DIM]);
        let (mut inside, mut outside) = (vec![0.0; q], vec![0.0; q]);
        for first in (0..self.rows.len()).step_by(q) {
            self.load(first, &weight, &bias, &mut chunk);
            self.products(simd, &mut chunk);
            let len = q.min(self.rows.len() - first);
            for (local, head) in self.heads.clone().enumerate() {
                let a = &chunk.a[local * q..][..q];
                let x = &chunk.x[local * q * HEAD_DIM..][..q * HEAD_DIM];
                let state = &mut state[local * n * HEAD_DIM..][..n * HEAD_DIM];
                scale_rows(x, &chunk.dt[local * q..][..q], &mut u);
                decays(a, &mut inside, &mut outside);
                decayed(a, &chunk.g, &mut m);
                matmul(simd, 0..q, 0..n, HEAD_DIM, HEAD_DIM, Left::rows(&chunk.c, n), state, &mut out, false);
                scale_rows_by(&mut out, &inside);
                for i in (0..q).step_by(16) {
                    matmul(simd, i..i + 16, 0..i + 16, HEAD_DIM, HEAD_DIM, Left::rows(&m, q), &u, &mut out, true);
                }
                let skip = self.core.d[head];
                for t in 0..len {
                    // SAFETY: rows and head columns of this unit are its own.
                    let to = unsafe { y.slice(self.row(first + t) * self.dims.d_inner + head * HEAD_DIM, HEAD_DIM) };
                    let (out, x) = (&out[t * HEAD_DIM..][..HEAD_DIM], &x[t * HEAD_DIM..][..HEAD_DIM]);
                    for i in 0..HEAD_DIM {
                        to[i] = x[i].mul_add(skip, out[i]);
                    }
                }
                if first + q < self.rows.len() {
                    scale_rows_by(&mut u, &outside);
                    let scale = inside[q - 1];
                    state.iter_mut().for_each(|v| *v *= scale);
                    matmul(simd, 0..n, 0..q, HEAD_DIM, HEAD_DIM, Left::transposed(&chunk.b, n), &u, state, true);
                }
            }
        }
    }

    /// The gradient of [`Scan::forward`]. `dy` is the gradient of its output, (total bases, d_inner); `params`
    /// receives (adds) the gradients of the parameters, all but `norm`.
    ///
    /// With `dH1` the gradient of the state that leaves the chunk:
    /// `du_s = sum over t >= s of e^{a_t - a_s} (C_t·B_s) dy_t + e^{a_end - a_s} B_s dH1`, `dH0 = e^{a_end} dH1 + sum of e^{a_t} C_t ⊗ dy_t`,
    /// `dC_t = e^{a_t} H0 dy_t + sum over s of dG_ts B_s`, `dB_s = e^{a_end - a_s} dH1 u_s + sum over t of dG_ts C_t`, `dG_ts = e^{a_t - a_s} dy_t·u_s`,
    ///
    /// The step at u scales every path that crosses it, so with `V_t = e^{a_t} C_t H0 dy_t`, `Z_s = e^{a_end - a_s} B_s dH1 u_s`, `W_ts = dy_t·u_s e^{a_t - a_s} C_t·B_s`:
    /// `d(A dt_u) = sum of V_t over t >= u + sum of Z_s over s < u + e^{a_end} dH1·H0 + sum of W_ts over t >= u > s`. Differences of
    /// running sums would say the same, but lose their digits in cancellation.
    #[inline(always)]
    pub fn backward<S: Simd>(&self, simd: S, dy: &[f32], grads: &ScanGrads, params: &mut Core<&mut [f32]>) {
        const P: usize = HEAD_DIM;
        let (q, n, k) = (self.dims.chunk, padded(self.dims.d_state), self.dims.d_conv);
        let (width, heads, len) = (self.width(), self.heads.len(), self.rows.len());
        let (weight, bias) = self.conv_weights();
        let mut chunk = self.scratch();
        let n_chunks = len.div_ceil(q);

        // States that enter each chunk, transposed: (chunks + 1, heads, 64, n). The one past the end is not needed (its gradient is 0).
        let mut states = vec![0.0; n_chunks * heads * P * n];
        let mut u = vec![0.0; q * P];
        let (mut inside, mut outside) = (vec![0.0; q], vec![0.0; q]);
        for index in 0..n_chunks.saturating_sub(1) {
            self.load(index * q, &weight, &bias, &mut chunk);
            for local in 0..heads {
                let a = &chunk.a[local * q..][..q];
                decays(a, &mut inside, &mut outside);
                scale_rows(&chunk.x[local * q * P..][..q * P], &chunk.dt[local * q..][..q], &mut u);
                scale_rows_by(&mut u, &outside);
                let (before, after) = states.split_at_mut(((index + 1) * heads + local) * P * n);
                let (before, after) = (&before[(index * heads + local) * P * n..][..P * n], &mut after[..P * n]);
                let scale = inside[q - 1];
                for (to, from) in after.iter_mut().zip(before) {
                    *to = scale * from;
                }
                matmul(simd, 0..P, 0..q, n, n, Left::transposed(&u, P), &chunk.b, after, true);
            }
        }

        let mut state_grad = vec![0.0; heads * n * P];
        let mut state_grad_t = vec![0.0; P * n];
        let (mut m, mut decay, mut dg, mut g_sum) = (vec![0.0; q * q], vec![0.0; q * q], vec![0.0; q * q], vec![0.0; q * q]);
        let (mut dout, mut scaled, mut u_t, mut du) = (vec![0.0; q * P], vec![0.0; q * P], vec![0.0; q * P], vec![0.0; q * P]);
        let (mut db, mut dc) = (vec![0.0; q * n], vec![0.0; q * n]);
        // Per position: V, Z and the gradient of A dt; W summed over the rows from the end.
        let (mut through_entering, mut through_leaving, mut da, mut w_sum) = (vec![0.0; q], vec![0.0; q], vec![0.0; q], vec![0.0; q]);
        let mut dc_head = vec![0.0; q * n];
        let mut scalars = vec![[0.0_f64; 3]; heads];
        // Gradient before the convolution, with the first k - 1 rows of the chunk that follows at its end.
        let mut dpre = vec![0.0; (q + k - 1) * width];
        let mut dweight = vec![0.0; k * width];
        let mut dbias = vec![0.0; width];
        for index in (0..n_chunks).rev() {
            let first = index * q;
            let rows = q.min(len - first);
            let last = index + 1 == n_chunks;
            self.load(first, &weight, &bias, &mut chunk);
            self.products(simd, &mut chunk);
            g_sum.fill(0.0);
            db.fill(0.0);
            dc.fill(0.0);
            for (local, head) in self.heads.clone().enumerate() {
                let (a, dt) = (&chunk.a[local * q..][..q], &chunk.dt[local * q..][..q]);
                let x = &chunk.x[local * q * P..][..q * P];
                decays(a, &mut inside, &mut outside);
                let entering = &states[(index * heads + local) * P * n..][..P * n];
                let state_grad = &mut state_grad[local * n * P..][..n * P];
                for t in 0..rows {
                    dout[t * P..][..P].copy_from_slice(&dy[self.row(first + t) * self.dims.d_inner + head * P..][..P]);
                }
                dout[rows * P..].fill(0.0);
                scale_rows(x, dt, &mut u);
                for t in 0..q {
                    let columns = (t / 16 + 1) * 16;
                    let (decay, m) = (&mut decay[t * q..][..columns], &mut m[t * q..][..columns]);
                    for s in 0..columns {
                        let e = exp(a[t] - a[s]);
                        decay[s] = if s <= t { e } else { 0.0 };
                        m[s] = decay[s] * chunk.g[t * q + s];
                    }
                }
                // dG and its sum over heads.
                transpose(&u, q, P, &mut u_t);
                for i in (0..q).step_by(16) {
                    matmul(simd, i..i + 16, 0..P, i + 16, q, Left::rows(&dout, P), &u_t, &mut dg, false);
                }
                for t in 0..q {
                    let columns = (t / 16 + 1) * 16;
                    let (dg, decay) = (&dg[t * q..][..columns], &decay[t * q..][..columns]);
                    for (sum, (dg, e)) in g_sum[t * q..][..columns].iter_mut().zip(dg.iter().zip(decay)) {
                        *sum = dg.mul_add(*e, *sum);
                    }
                }
                // du: through the state that leaves, then inside the chunk.
                let mut through_both = 0.0;
                if last {
                    du.fill(0.0);
                    through_leaving.fill(0.0);
                } else {
                    transpose(state_grad, n, P, &mut state_grad_t);
                    scale_rows(&u, &outside, &mut scaled);
                    matmul(simd, 0..q, 0..P, n, n, Left::rows(&scaled, P), &state_grad_t, &mut db, true);
                    matmul(simd, 0..q, 0..n, P, P, Left::rows(&chunk.b, n), state_grad, &mut du, false);
                    scale_rows_by(&mut du, &outside);
                    for t in 0..q {
                        through_leaving[t] = dot(&du[t * P..][..P], &u[t * P..][..P]);
                    }
                    through_both = inside[q - 1] * dot(&state_grad_t, entering);
                }
                for s in (0..q).step_by(16) {
                    matmul(simd, s..s + 16, s..q, P, P, Left::transposed(&m, q), &dout, &mut du, true);
                }
                // The state that enters, and C.
                if index > 0 {
                    scale_rows(&dout, &inside, &mut scaled);
                    matmul(simd, 0..q, 0..P, n, n, Left::rows(&scaled, P), entering, &mut dc_head, false);
                    for t in 0..q {
                        let row = &dc_head[t * n..][..n];
                        through_entering[t] = dot(row, &chunk.c[t * n..][..n]);
                        dc[t * n..][..n].iter_mut().zip(row).for_each(|(to, x)| *to += x);
                    }
                    let scale = inside[q - 1];
                    state_grad.iter_mut().for_each(|v| *v *= scale);
                    matmul(simd, 0..n, 0..q, P, P, Left::transposed(&chunk.c, n), &scaled, state_grad, true);
                } else {
                    through_entering.fill(0.0);
                }
                // The steps.
                w_sum.fill(0.0);
                let mut entering_sum = 0.0;
                for t in (0..q).rev() {
                    let columns = (t / 16 + 1) * 16;
                    let (dg, m) = (&dg[t * q..][..columns], &m[t * q..][..columns]);
                    for (sum, (dg, m)) in w_sum.iter_mut().zip(dg.iter().zip(m)) {
                        *sum = dg.mul_add(*m, *sum);
                    }
                    entering_sum += through_entering[t];
                    da[t] = entering_sum + sum(&w_sum[..t]);
                }
                let rate = -self.core.a_log[head].exp();
                let mut leaving_sum = 0.0;
                for t in 0..rows {
                    let step = da[t] + leaving_sum + through_both;
                    leaving_sum += through_leaving[t];
                    let (x, dout) = (&x[t * P..][..P], &dout[t * P..][..P]);
                    let raw = (dot(&du[t * P..][..P], x) + rate * step) * chunk.slope[local * q + t];
                    let sums = &mut scalars[local];
                    sums[0] += f64::from(raw);
                    sums[1] += f64::from(dt[t] * step * rate);
                    sums[2] += f64::from(dot(dout, x));
                    // SAFETY: rows and heads of this unit are its own.
                    unsafe { grads.dt.slice(self.row(first + t) * self.dims.n_heads() + head, 1)[0] = raw };
                }
                for t in 0..q {
                    let to = &mut dpre[t * width + local * P..][..P];
                    let (du, dout) = (&du[t * P..][..P], &dout[t * P..][..P]);
                    for i in 0..P {
                        to[i] = du[i].mul_add(dt[t], dout[i] * self.core.d[head]);
                    }
                }
            }
            for i in (0..q).step_by(16) {
                matmul(simd, i..i + 16, 0..i + 16, n, n, Left::rows(&g_sum, q), &chunk.b, &mut dc, true);
                matmul(simd, i..i + 16, i..q, n, n, Left::transposed(&g_sum, q), &chunk.c, &mut db, true);
            }
            let (d, n_state) = (self.group_dim(), self.dims.d_state);
            for t in 0..q {
                let row = &mut dpre[t * width..][..width];
                row[d..d + n_state].copy_from_slice(&db[t * n..][..n_state]);
                row[d + n_state..].copy_from_slice(&dc[t * n..][..n_state]);
                let pre = &chunk.pre[t * width..][..width];
                for (g, &x) in row.iter_mut().zip(pre) {
                    let s = sigmoid(x);
                    *g *= s * x.mul_add(1.0 - s, 1.0);
                }
                if t >= rows {
                    row.fill(0.0);
                }
            }
            self.conv_backward(first, rows, &weight, &dpre, grads, &mut dweight, &mut dbias);
            let (head_rows, tail) = dpre.split_at_mut(q * width);
            tail.copy_from_slice(&head_rows[..(k - 1) * width]);
        }
        for (head, [dt_bias, a_log, d]) in self.heads.clone().zip(scalars) {
            params.dt_bias[head] += dt_bias as f32;
            params.a_log[head] += a_log as f32;
            params.d[head] += d as f32;
        }
        for local in 0..width {
            let channel = self.channel(local);
            params.conv_bias[channel] += dbias[local];
            for tap in 0..k {
                params.conv_weight[channel * k + tap] += dweight[tap * width + local];
            }
        }
    }

    /// The convolution's gradient for the rows of one chunk: input row t is used by output rows t..t+k.
    #[inline(always)]
    #[allow(clippy::too_many_arguments)]
    fn conv_backward(
        &self,
        first: usize,
        rows: usize,
        weight: &[f32],
        dpre: &[f32],
        grads: &ScanGrads,
        dweight: &mut [f32],
        dbias: &mut [f32],
    ) {
        let (k, width, d) = (self.dims.d_conv, self.width(), self.group_dim());
        let (columns, bc) = (self.dims.in_proj(), 2 * self.dims.d_state);
        for t in 0..rows {
            let row = self.row(first + t);
            // SAFETY: rows, head columns and the BC buffer of this unit are its own.
            let (dx, dbc) = unsafe {
                let x = grads.x.slice(row * self.dims.d_inner + self.heads.start * HEAD_DIM, d);
                (x, grads.bc.slice(row * bc, bc))
            };
            let input = &self.zxbcdt[row * columns..][..columns];
            let x = &input[self.dims.d_inner + self.heads.start * HEAD_DIM..][..d];
            let pieces = [(0, dx, x), (d, dbc, &input[2 * self.dims.d_inner..][..bc])];
            for (from, to, input) in pieces {
                to.fill(0.0);
                let n = to.len();
                let input = &input[..n];
                for tap in 0..k {
                    let g = &dpre[(t + k - 1 - tap) * width + from..][..n];
                    let w = &weight[tap * width + from..][..n];
                    let dw = &mut dweight[tap * width + from..][..n];
                    for i in 0..n {
                        to[i] = w[i].mul_add(g[i], to[i]);
                        dw[i] = input[i].mul_add(g[i], dw[i]);
                    }
                }
            }
            for (sum, g) in dbias.iter_mut().zip(&dpre[t * width..][..width]) {
                *sum += g;
            }
        }
    }
}

/// `to[t] = from[t] * scale[t]`, rows of [`HEAD_DIM`].
#[inline(always)]
fn scale_rows(from: &[f32], scale: &[f32], to: &mut [f32]) {
    for ((to, from), scale) in to.chunks_exact_mut(HEAD_DIM).zip(from.chunks_exact(HEAD_DIM)).zip(scale) {
        for i in 0..HEAD_DIM {
            to[i] = from[i] * scale;
        }
    }
}

/// The same in place.
#[inline(always)]
fn scale_rows_by(rows: &mut [f32], scale: &[f32]) {
    for (row, scale) in rows.chunks_exact_mut(HEAD_DIM).zip(scale) {
        for x in row {
            *x *= scale;
        }
    }
}

/// `inside[t] = e^{a_t}`, the decay since the chunk's start; `outside[t] = e^{a_end - a_t}`, the decay to its end.
#[inline(always)]
fn decays(a: &[f32], inside: &mut [f32], outside: &mut [f32]) {
    let end = a[a.len() - 1];
    for ((a, inside), outside) in a.iter().zip(inside).zip(outside) {
        *inside = exp(*a);
        *outside = exp(end - a);
    }
}

/// `m[t][s] = e^{a_t - a_s} g[t][s]` for s <= t, 0 in the rest of the diagonal blocks.
#[inline(always)]
fn decayed(a: &[f32], g: &[f32], m: &mut [f32]) {
    let q = a.len();
    for t in 0..q {
        let columns = (t / 16 + 1) * 16;
        let (g, m) = (&g[t * q..][..columns], &mut m[t * q..][..columns]);
        for s in 0..columns {
            let e = exp(a[t] - a[s]);
            m[s] = if s <= t { e * g[s] } else { 0.0 };
        }
    }
}
