//! The causal depthwise convolution and its SiLU for one chunk of positions, channel by channel in
//! registers.

use super::super::simd::{load, silu_with_slope, store};
use super::{Chunk, HEAD_DIM, Scan};
use pulp::Simd;

/// Taps of the convolution as computed: shorter kernels start with zeros.
pub(super) const TAPS: usize = 4;

/// Weights of the channels that one unit of work reads: its heads' x, then B, then C, B and C
/// filled up with zeros to whole vectors.
pub struct Conv {
    /// Channels.
    pub width: usize,
    /// Kernel-major, (TAPS, width).
    pub weight: Vec<f32>,
    /// (width).
    pub bias: Vec<f32>,
}

impl Conv {
    /// No weights yet, or no gradients.
    pub fn zeros(width: usize) -> Conv {
        Conv {
            width,
            weight: vec![0.0; TAPS * width],
            bias: vec![0.0; width],
        }
    }

    /// Collects the weights of a unit.
    pub fn new(scan: &Scan<'_>) -> Conv {
        let (k, mut conv) = (scan.dims.d_conv, Conv::zeros(scan.width()));
        for (local, channel) in scan.channels() {
            conv.bias[local] = scan.core.conv_bias[channel];
            for tap in 0..k {
                conv.weight[(TAPS - k + tap) * conv.width + local] =
                    scan.core.conv_weight[channel * k + tap];
            }
        }
        conv
    }
}

impl Scan<'_> {
    /// (channel of this unit, channel of the convolution), all that exist.
    pub(super) fn channels(&self) -> impl Iterator<Item = (usize, usize)> {
        let (d, inner, n, padded) = (
            self.group_dim(),
            self.dims.d_inner,
            self.dims.d_state,
            self.n(),
        );
        let first = self.heads.start * HEAD_DIM;
        let heads = (0..d).map(move |i| (i, first + i));
        heads
            .chain((0..n).map(move |i| (d + i, inner + i)))
            .chain((0..n).map(move |i| (d + padded + i, inner + n + i)))
    }

    /// Copies the rows that the convolution of a chunk reads, (TAPS - 1 + chunk, width), 0 where
    /// there is none.
    #[inline(always)]
    pub(super) fn gather(&self, first: usize, raw: &mut [f32]) {
        let (columns, inner, n, d, np) = (
            self.dims.in_proj(),
            self.dims.d_inner,
            self.dims.d_state,
            self.group_dim(),
            self.n(),
        );
        let before = TAPS - 1;
        for (t, to) in raw.chunks_exact_mut(self.width()).enumerate() {
            if first + t < before || first + t - before >= self.rows.len() {
                to.fill(0.0);
                continue;
            }
            let from = &self.zxbcdt[self.row(first + t - before) * columns + inner..];
            to[..d].copy_from_slice(&from[self.heads.start * HEAD_DIM..][..d]);
            to[d..d + n].copy_from_slice(&from[inner..][..n]);
            to[d + np..d + np + n].copy_from_slice(&from[inner + n..][..n]);
        }
    }

    /// From `chunk.raw` to x, B, with `C` to C, and with `SLOPE` to the derivative of the SiLU,
    /// (chunk, width).
    #[inline(always)]
    pub(super) fn convolve<S: Simd, const C: bool, const SLOPE: bool>(
        &self,
        simd: S,
        conv: &Conv,
        chunk: &mut Chunk,
    ) {
        let (q, d, np, width) = (self.dims.chunk, self.group_dim(), self.n(), conv.width);
        let Chunk {
            raw,
            x,
            b,
            c,
            slope,
            ..
        } = chunk;
        assert!(
            raw.len() >= (q + TAPS - 1) * width
                && width.is_multiple_of(S::F32_LANES)
                && (!SLOPE || slope.len() >= q * width)
        );
        assert!(
            conv.weight.len() >= TAPS * width
                && x.len() >= d * q
                && b.len() >= q * np
                && c.len() >= q * np
                && width == d + 2 * np
        );
        let channels = if C { width } else { width - np };
        for channel in (0..channels).step_by(S::F32_LANES) {
            // SAFETY: the asserts bound every index.
            unsafe {
                let weight: [S::f32s; TAPS] =
                    std::array::from_fn(|tap| load::<S>(&conv.weight, tap * width + channel));
                let bias = load::<S>(&conv.bias, channel);
                let (to, at, stride) = match channel {
                    i if i < d => (
                        &mut *x,
                        i / HEAD_DIM * q * HEAD_DIM + i % HEAD_DIM,
                        HEAD_DIM,
                    ),
                    i if i < d + np => (&mut *b, i - d, np),
                    i => (&mut *c, i - d - np, np),
                };
                let mut window: [S::f32s; TAPS] = std::array::from_fn(|tap| {
                    if tap == 0 {
                        bias
                    } else {
                        load::<S>(raw, (tap - 1) * width + channel)
                    }
                });
                for t in 0..q {
                    for tap in 1..TAPS {
                        window[tap - 1] = window[tap];
                    }
                    window[TAPS - 1] = load::<S>(raw, (t + TAPS - 1) * width + channel);
                    let mut sum = bias;
                    for (&w, &x) in weight.iter().zip(&window) {
                        sum = simd.mul_add_f32s(w, x, sum);
                    }
                    let (value, slope_here) = silu_with_slope(simd, sum);
                    store::<S>(to, at + t * stride, value);
                    if SLOPE {
                        store::<S>(slope, t * width + channel, slope_here);
                    }
                }
            }
        }
    }

    /// The gradient with respect to the chunk's inputs, from that of the convolution's outputs,
    /// `dout` (chunk + TAPS - 1, width), which goes on beyond the chunk: `dx[t] = sum over j of
    /// weight[TAPS - 1 - j] dout[t + j]`. Adds to the gradients of weights and biases.
    #[inline(always)]
    pub(super) fn convolve_backward<S: Simd>(
        &self,
        simd: S,
        conv: &Conv,
        raw: &[f32],
        dout: &[f32],
        dx: &mut [f32],
        grads: &mut Conv,
    ) {
        let (q, width) = (self.dims.chunk, conv.width);
        assert!(
            raw.len() >= (q + TAPS - 1) * width
                && dout.len() >= (q + TAPS - 1) * width
                && dx.len() >= q * width
        );
        assert!(
            conv.weight.len() >= TAPS * width
                && grads.weight.len() >= TAPS * width
                && width.is_multiple_of(S::F32_LANES)
        );
        for channel in (0..width).step_by(S::F32_LANES) {
            // SAFETY: the asserts bound every index.
            unsafe {
                let weight: [S::f32s; TAPS] =
                    std::array::from_fn(|tap| load::<S>(&conv.weight, tap * width + channel));
                let mut d_weight: [S::f32s; TAPS] =
                    std::array::from_fn(|tap| load::<S>(&grads.weight, tap * width + channel));
                let mut d_bias = load::<S>(&grads.bias, channel);
                // window[j] is dout[t + j]
                let mut window: [S::f32s; TAPS] = std::array::from_fn(|j| {
                    if j == 0 {
                        d_bias
                    } else {
                        load::<S>(dout, (j - 1) * width + channel)
                    }
                });
                for t in 0..q {
                    for j in 1..TAPS {
                        window[j - 1] = window[j];
                    }
                    window[TAPS - 1] = load::<S>(dout, (t + TAPS - 1) * width + channel);
                    let x = load::<S>(raw, (t + TAPS - 1) * width + channel);
                    let mut sum = simd.splat_f32s(0.0);
                    for j in 0..TAPS {
                        sum = simd.mul_add_f32s(weight[TAPS - 1 - j], window[j], sum);
                        d_weight[TAPS - 1 - j] =
                            simd.mul_add_f32s(x, window[j], d_weight[TAPS - 1 - j]);
                    }
                    d_bias = simd.add_f32s(d_bias, window[0]);
                    store::<S>(dx, t * width + channel, sum);
                }
                for (tap, &value) in d_weight.iter().enumerate() {
                    store::<S>(&mut grads.weight, tap * width + channel, value);
                }
                store::<S>(&mut grads.bias, channel, d_bias);
            }
        }
    }
}
