//! Boundary probabilities from the router's two projections.
//!
//! With q and k L2-normalised: `s_t = (q_{t-1}·k_t + q_t·k_{t-1}) / 2`, `p_t = clamp((1 - s_t) / 2, 0, 1)`; the first position of every
//! sequence has p = 1. `p_t` belongs to the inter-base position between t-1 and t.

use super::simd::dot;
use super::{Seqs, cpu, from_cpu, slice};
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};
use pulp::Arch;
use rayon::prelude::*;

/// Below this norm a vector counts as having it (PyTorch's `normalize`).
const MIN_NORM: f32 = 1e-12;

struct Routing(Seqs);

/// `q`, `k` are (rows, channels); the result is (rows).
pub fn boundary_prob(q: &Tensor, k: &Tensor, seqs: &Seqs) -> Result<Tensor> {
    q.contiguous()?.apply_op2(&k.contiguous()?, Routing(seqs.clone()))
}

/// Reciprocal norms of all rows.
fn scales(x: &[f32], d: usize) -> Vec<f32> {
    x.par_chunks(d).with_min_len(64).map(|x| Arch::new().dispatch(|| 1.0 / dot(x, x).sqrt().max(MIN_NORM))).collect()
}

/// `1 - 2p` before clamping.
#[inline(always)]
fn similarity(q: &[f32], k: &[f32], sq: &[f32], sk: &[f32], d: usize, t: usize) -> f32 {
    let (before, here) = ((t - 1) * d, t * d);
    0.5 * (dot(&q[before..][..d], &k[here..][..d]) * sq[t - 1] * sk[t] + dot(&q[here..][..d], &k[before..][..d]) * sq[t] * sk[t - 1])
}

impl CustomOp2 for Routing {
    fn name(&self) -> &'static str {
        "boundary-prob"
    }

    fn cpu_fwd(&self, s1: &CpuStorage, l1: &Layout, s2: &CpuStorage, l2: &Layout) -> Result<(CpuStorage, Shape)> {
        let (q, k) = (slice(s1, l1)?, slice(s2, l2)?);
        let (rows, d) = l1.shape().dims2()?;
        let (sq, sk) = (scales(q, d), scales(k, d));
        let mut p = vec![1.0_f32; rows];
        p.par_iter_mut().enumerate().with_min_len(64).skip(1).for_each(|(t, p)| {
            *p = Arch::new().dispatch(|| (0.5 * (1.0 - similarity(q, k, &sq, &sk, d, t))).clamp(0.0, 1.0));
        });
        for seq in self.0.iter().filter(|s| !s.is_empty()) {
            p[seq.start] = 1.0;
        }
        Ok((CpuStorage::F32(p), rows.into()))
    }

    fn bwd(&self, arg1: &Tensor, arg2: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (q, k, g) = (cpu(arg1)?, cpu(arg2)?, cpu(grad)?);
        let (q, k, g): (&[f32], &[f32], &[f32]) = (&q, &k, &g);
        let (rows, d) = arg1.dims2()?;
        let (sq, sk) = (scales(q, d), scales(k, d));
        // Gradient of s; a clamped probability passes none, nor does a sequence's first position.
        let mut ds: Vec<f32> = (0..rows + 1)
            .into_par_iter()
            .with_min_len(64)
            .map(|t| {
                if t == 0 || t == rows {
                    return 0.0;
                }
                let s = Arch::new().dispatch(|| similarity(q, k, &sq, &sk, d, t));
                if s.abs() <= 1.0 { -0.5 * g[t] } else { 0.0 }
            })
            .collect();
        for seq in self.0.iter().filter(|s| !s.is_empty()) {
            ds[seq.start] = 0.0;
        }
        // d q_t = (ds_t k_{t-1} + ds_{t+1} k_{t+1}) / 2 in normalised vectors, then through the normalisation; k the same with q.
        let side = |own: &[f32], own_scale: &[f32], other: &[f32], other_scale: &[f32]| {
            let mut out = vec![0.0_f32; rows * d];
            out.par_chunks_mut(d).enumerate().with_min_len(64).for_each(|(t, out)| {
                Arch::new().dispatch(|| {
                    if ds[t] != 0.0 {
                        let scale = 0.5 * ds[t] * other_scale[t - 1];
                        let other = &other[(t - 1) * d..][..d];
                        for c in 0..d {
                            out[c] = other[c] * scale;
                        }
                    }
                    if ds[t + 1] != 0.0 {
                        let scale = 0.5 * ds[t + 1] * other_scale[t + 1];
                        let other = &other[(t + 1) * d..][..d];
                        for c in 0..d {
                            out[c] = other[c].mul_add(scale, out[c]);
                        }
                    }
                    let (own, scale) = (&own[t * d..][..d], own_scale[t]);
                    let along = dot(out, own) * scale * scale;
                    for c in 0..d {
                        out[c] = (out[c] - own[c] * along) * scale;
                    }
                });
            });
            out
        };
        let (dq, dk) = (side(q, &sq, k, &sk), side(k, &sk, q, &sq));
        Ok((Some(from_cpu(dq, arg1.shape(), arg1)?), Some(from_cpu(dk, arg2.shape(), arg2)?)))
    }
}
