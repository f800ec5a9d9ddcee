//! One Mamba-2 core (causal depthwise convolution, SiLU, state-space scan) over one sequence in one
//! direction, for a group of heads.
//!
//! The scan `h_t = exp(A dt_t) h_{t-1} + dt_t B_t ⊗ x_t`, `y_t = C_t h_t + D x_t` is computed in
//! chunks as small matrix products (state-space duality, Dao & Gu 2024, section 6). With `a_t` the
//! running sum of `A dt` inside a chunk, `u_s = dt_s x_s`, `H0` the state that enters the chunk:
//! `y_t = e^{a_t} C_t H0 + sum over s <= t of e^{a_t - a_s} (C_t·B_s) u_s + D x_t`, `H1 = e^{a_end}
//! H0 + sum over s of e^{a_end - a_s} B_s ⊗ u_s`. `C·B` is shared by the heads of the group. Only
//! one chunk's intermediates exist at a time; the backward pass recomputes them and keeps one state
//! per chunk.

mod backward;
mod conv;
mod forward;

pub use backward::ScanGrads;

use super::simd::{
    Left, Onto, exp_vector, matmul, padded, softplus, transpose, vectors, vectors_mut,
};
use conv::{Conv, TAPS};
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
/// conv weight (conv_dim x d_conv), conv bias, dt_bias, A_log, D (heads each), norm weight
/// (d_inner).
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
        Core {
            conv_weight,
            conv_bias,
            dt_bias,
            a_log,
            d,
            norm,
        }
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
        Core {
            conv_weight,
            conv_bias,
            dt_bias,
            a_log,
            d,
            norm,
        }
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

/// Everything one chunk needs, allocated once per unit of work.
struct Chunk {
    /// Inputs of the convolution, (TAPS - 1 + chunk, width).
    raw: Vec<f32>,
    /// x per head, (heads, chunk, 64).
    x: Vec<f32>,
    /// B and C after SiLU, (chunk, padded d_state).
    b: Vec<f32>,
    c: Vec<f32>,
    /// Derivative of the SiLU, (chunk, width); for the backward pass.
    slope: Vec<f32>,
    /// Transpose of `b`.
    b_t: Vec<f32>,
    /// C·B, lower triangle of (chunk, chunk) in blocks of 16.
    g: Vec<f32>,
    /// dt, its slope with respect to the raw value, and the running sum of A dt: (heads, chunk).
    dt: Vec<f32>,
    dt_slope: Vec<f32>,
    a: Vec<f32>,
}

impl Scan<'_> {
    /// Channels of this unit's heads.
    fn group_dim(&self) -> usize {
        self.heads.len() * HEAD_DIM
    }

    /// d_state in whole vectors.
    fn n(&self) -> usize {
        padded(self.dims.d_state)
    }

    /// Channels through this unit's convolution, B and C in whole vectors.
    fn width(&self) -> usize {
        self.group_dim() + 2 * self.n()
    }

    /// Row of the t-th position in reading order.
    #[inline(always)]
    fn row(&self, t: usize) -> usize {
        if self.reverse {
            self.rows.end - 1 - t
        } else {
            self.rows.start + t
        }
    }

    fn scratch(&self, backward: bool) -> Chunk {
        let (q, n, heads, width) = (self.dims.chunk, self.n(), self.heads.len(), self.width());
        Chunk {
            raw: vec![0.0; (q + TAPS - 1) * width],
            x: vec![0.0; heads * q * HEAD_DIM],
            b: vec![0.0; q * n],
            c: vec![0.0; q * n],
            slope: vec![0.0; if backward { q * width } else { 0 }],
            b_t: vec![0.0; q * n],
            g: vec![0.0; q * q],
            dt: vec![0.0; heads * q],
            dt_slope: vec![0.0; heads * q],
            a: vec![0.0; heads * q],
        }
    }

    /// Fills the chunk that starts at position `first` (reading order), C only where asked.
    /// Positions past the end get a step of 0, so that they reach nothing.
    #[inline(always)]
    fn load<S: Simd, const C: bool, const SLOPE: bool>(
        &self,
        simd: S,
        first: usize,
        conv: &Conv,
        chunk: &mut Chunk,
    ) {
        let q = self.dims.chunk;
        let len = q.min(self.rows.len() - first);
        self.gather(first, &mut chunk.raw);
        self.convolve::<S, C, SLOPE>(simd, conv, chunk);
        let columns = self.dims.in_proj();
        for (local, head) in self.heads.clone().enumerate() {
            let (dt, slope) = (
                &mut chunk.dt[local * q..][..q],
                &mut chunk.dt_slope[local * q..][..q],
            );
            for (t, dt) in dt[..len].iter_mut().enumerate() {
                *dt = self.zxbcdt
                    [self.row(first + t) * columns + columns - self.dims.n_heads() + head]
                    + self.core.dt_bias[head];
            }
            for (dt, slope) in dt.iter_mut().zip(slope.iter_mut()) {
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
        let (q, n) = (self.dims.chunk, self.n());
        transpose(simd, &chunk.b, q, n, &mut chunk.b_t);
        for i in (0..q).step_by(16) {
            matmul(
                simd,
                i..i + 16,
                0..n,
                i + 16,
                q,
                Left::rows(&chunk.c, n),
                &chunk.b_t,
                &mut chunk.g,
                Onto::Zero,
            );
        }
    }
}

/// `to[t] = from[t] * scale[t]`, rows of [`HEAD_DIM`].
#[inline(always)]
fn scale_rows<S: Simd>(simd: S, from: &[f32], scale: &[f32], to: &mut [f32]) {
    let rows = from.chunks_exact(HEAD_DIM).zip(scale);
    for (to, (from, &scale)) in to.chunks_exact_mut(HEAD_DIM).zip(rows) {
        let scale = simd.splat_f32s(scale);
        for (to, &x) in vectors_mut::<S>(to).iter_mut().zip(vectors::<S>(from)) {
            *to = simd.mul_f32s(x, scale);
        }
    }
}

/// The same in place.
#[inline(always)]
fn scale_rows_by<S: Simd>(simd: S, rows: &mut [f32], scale: &[f32]) {
    for (row, &scale) in rows.chunks_exact_mut(HEAD_DIM).zip(scale) {
        let scale = simd.splat_f32s(scale);
        for x in vectors_mut::<S>(row) {
            *x = simd.mul_f32s(*x, scale);
        }
    }
}

/// `to[i] *= by[i]`, whole vectors.
#[inline(always)]
fn multiply<S: Simd>(simd: S, to: &mut [f32], by: &[f32]) {
    for (to, &by) in vectors_mut::<S>(to).iter_mut().zip(vectors::<S>(by)) {
        *to = simd.mul_f32s(*to, by);
    }
}

/// `inside[t] = e^{a_t}`, the decay since the chunk's start; `outside[t] = e^{a_end - a_t}`, the
/// decay to its end.
#[inline(always)]
fn decays<S: Simd>(simd: S, a: &[f32], inside: &mut [f32], outside: &mut [f32]) {
    let end = simd.splat_f32s(a[a.len() - 1]);
    let to = vectors_mut::<S>(inside)
        .iter_mut()
        .zip(vectors_mut::<S>(outside));
    for (&a, (inside, outside)) in vectors::<S>(a).iter().zip(to) {
        *inside = exp_vector(simd, a);
        *outside = exp_vector(simd, simd.sub_f32s(end, a));
    }
}

/// Products of two decays below this are 0: they could be subnormal, which some processors are slow
/// at.
const LEAST: f32 = 1e-36;

/// Of 16 elements from number 15 - l on the first l + 1 are 1 and the others 0.
const UP_TO: [f32; 32] = {
    let mut ones = [0.0; 32];
    let mut i = 0;
    while i < 16 {
        ones[i] = 1.0;
        i += 1;
    }
    ones
};

/// `row[s] = e^{a_t - a_s}` for s <= t, and 0 in the rest of the 16 columns of t's own. Columns
/// before these are two decays, to t from where its columns begin and to there from s: of the
/// second there is one row in `since`, made at the first t of 16.
#[inline(always)]
fn decay_row<S: Simd>(simd: S, a: &[f32], t: usize, since: &mut [f32], row: &mut [f32]) {
    let first = t / 16 * 16;
    let since = vectors_mut::<S>(&mut since[..first]);
    if t == first {
        let here = simd.splat_f32s(a[first]);
        for (since, &a) in since.iter_mut().zip(vectors::<S>(&a[..first])) {
            *since = exp_vector(simd, simd.sub_f32s(here, a));
        }
    }
    let (before, own) = row[..first + 16].split_at_mut(first);
    let here = simd.splat_f32s(a[t]);
    let seen = vectors::<S>(&UP_TO[15 - (t - first)..][..16]);
    let rows = vectors::<S>(&a[first..first + 16]).iter().zip(seen);
    for (own, (&a, &seen)) in vectors_mut::<S>(own).iter_mut().zip(rows) {
        *own = simd.mul_f32s(exp_vector(simd, simd.sub_f32s(here, a)), seen);
    }
    let (here, zero) = (simd.splat_f32s(own[0]), simd.splat_f32s(0.0));
    let least = simd.splat_f32s(-LEAST);
    for (row, &since) in vectors_mut::<S>(before).iter_mut().zip(since.iter()) {
        *row = simd.max_f32s(zero, simd.mul_add_f32s(here, since, least));
    }
}
