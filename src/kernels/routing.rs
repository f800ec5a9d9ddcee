//! Boundary probabilities from the router's two projections.
//!
//! With q and k L2-normalised: `s_t = (q_{t-1}·k_t + q_t·k_{t-1}) / 2`, `p_t = clamp((1 - s_t) / 2,
//! 0, 1)`; the first position of every sequence has p = 1. `p_t` belongs to the inter-base position
//! between t-1 and t.

use super::profile::{Pass, timed};
use super::simd::{dot, vectorized};
use super::tape::Tape;
use super::{ROWS, Seqs, cpu, cuda, from_cpu, slice};
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

/// Below this norm a vector counts as having it (PyTorch's `normalize`).
const MIN_NORM: f32 = 1e-12;

struct Routing(Seqs);

/// `q`, `k` are (rows, channels); the result is (rows).
pub fn boundary_prob(tape: &Tape, q: &Tensor, k: &Tensor, seqs: &Seqs) -> Result<Tensor> {
    if cuda::runs(q) {
        return cuda::routing::boundary_prob(tape, q, k, seqs);
    }
    tape.apply2(q, k, Routing(seqs.clone()))
}

/// Reciprocal norms of all rows.
fn scales(x: &[f32], d: usize) -> Vec<f32> {
    vectorized! {
        fn block<'a, simd>(x: &'a [f32], d: usize, to: &'a mut [f32]) {
            for (x, to) in x.chunks_exact(d).zip(to) {
                *to = 1.0 / dot(simd, x, x).sqrt().max(MIN_NORM);
            }
        }
    }
    let mut out = vec![0.0_f32; x.len() / d];
    out.par_chunks_mut(ROWS)
        .zip(x.par_chunks(ROWS * d))
        .for_each(|(to, x)| block(x, d, to));
    out
}

/// Rows of one side with their reciprocal norms.
#[derive(Clone, Copy)]
struct Unit<'a> {
    rows: &'a [f32],
    scales: &'a [f32],
    d: usize,
}

impl<'a> Unit<'a> {
    #[inline(always)]
    fn row(self, t: usize) -> &'a [f32] {
        &self.rows[t * self.d..][..self.d]
    }
}

vectorized! {
    /// `s` of the positions from `first` on; 0 at position 0, which has no base before it.
    fn similarity<'a, simd>(q: Unit<'a>, k: Unit<'a>, first: usize, to: &'a mut [f32]) {
        for (i, to) in to.iter_mut().enumerate() {
            let t = first + i;
            if t == 0 {
                *to = 0.0;
                continue;
            }
            let forward = dot(simd, q.row(t - 1), k.row(t)) * q.scales[t - 1] * k.scales[t];
            let backward = dot(simd, q.row(t), k.row(t - 1)) * q.scales[t] * k.scales[t - 1];
            *to = 0.5 * (forward + backward);
        }
    }
}

/// `s` of all positions.
fn similarities(q: Unit<'_>, k: Unit<'_>) -> Vec<f32> {
    let mut out = vec![0.0_f32; q.scales.len()];
    out.par_chunks_mut(ROWS)
        .enumerate()
        .for_each(|(block, to)| similarity(q, k, block * ROWS, to));
    out
}

vectorized! {
    /// `d q_t = (ds_t k_{t-1} + ds_{t+1} k_{t+1}) / 2` in normalised vectors, then through the
    /// normalisation; `ds` has one entry more than there are rows, and no step between sequences.
    fn backward<'a, simd>(own: Unit<'a>, other: Unit<'a>, ds: &'a [f32], first: usize, out: &'a mut [f32]) {
        let d = own.d;
        for (i, out) in out.chunks_exact_mut(d).enumerate() {
            let t = first + i;
            if ds[t] != 0.0 {
                let (scale, row) = (0.5 * ds[t] * other.scales[t - 1], other.row(t - 1));
                for c in 0..d {
                    out[c] = row[c] * scale;
                }
            }
            if ds[t + 1] != 0.0 {
                let (scale, row) = (0.5 * ds[t + 1] * other.scales[t + 1], other.row(t + 1));
                for c in 0..d {
                    out[c] = row[c].mul_add(scale, out[c]);
                }
            }
            let (row, scale) = (own.row(t), own.scales[t]);
            let along = dot(simd, out, row) * scale * scale;
            for c in 0..d {
                out[c] = (out[c] - row[c] * along) * scale;
            }
        }
    }
}

impl CustomOp2 for Routing {
    fn name(&self) -> &'static str {
        "boundary-prob"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let _timed = timed(self.name(), Pass::Forward);
        let (q, k) = (slice(s1, l1)?, slice(s2, l2)?);
        let (rows, d) = l1.shape().dims2()?;
        let (sq, sk) = (scales(q, d), scales(k, d));
        let s = similarities(
            Unit {
                rows: q,
                scales: &sq,
                d,
            },
            Unit {
                rows: k,
                scales: &sk,
                d,
            },
        );
        let mut p: Vec<f32> = s
            .iter()
            .map(|s| (0.5 * (1.0 - s)).clamp(0.0, 1.0))
            .collect();
        for seq in self.0.iter().filter(|s| !s.is_empty()) {
            p[seq.start] = 1.0;
        }
        Ok((CpuStorage::F32(p), rows.into()))
    }

    fn bwd(
        &self,
        arg1: &Tensor,
        arg2: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let _timed = timed(self.name(), Pass::Backward);
        let (q, k, g) = (cpu(arg1)?, cpu(arg2)?, cpu(grad)?);
        let (q, k, g): (&[f32], &[f32], &[f32]) = (&q, &k, &g);
        let (rows, d) = arg1.dims2()?;
        let (sq, sk) = (scales(q, d), scales(k, d));
        let (q, k) = (
            Unit {
                rows: q,
                scales: &sq,
                d,
            },
            Unit {
                rows: k,
                scales: &sk,
                d,
            },
        );
        // Gradient of s; a clamped probability passes none, nor does a sequence's first position.
        let mut ds: Vec<f32> = similarities(q, k)
            .iter()
            .zip(g)
            .map(|(s, g)| if s.abs() <= 1.0 { -0.5 * g } else { 0.0 })
            .collect();
        ds.push(0.0);
        for seq in self.0.iter().filter(|s| !s.is_empty()) {
            ds[seq.start] = 0.0;
        }
        let side = |own: Unit<'_>, other: Unit<'_>| {
            let mut out = vec![0.0_f32; rows * d];
            out.par_chunks_mut(ROWS * d)
                .enumerate()
                .for_each(|(block, out)| backward(own, other, &ds, block * ROWS, out));
            out
        };
        let (dq, dk) = (side(q, k), side(k, q));
        Ok((
            Some(from_cpu(dq, arg1.shape(), arg1)?),
            Some(from_cpu(dk, arg2.shape(), arg2)?),
        ))
    }
}
