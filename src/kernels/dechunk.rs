//! From chunks back to bases: smoothing in both directions, then every base takes the value of its
//! chunk.
//!
//! `f_j = P_j x_j + (1 - P_j) f_{j-1}`, `g_j = P_j x_j + (1 - P_j) g_{j+1}`, `z = (f + g) / 2`,
//! zero beyond the ends, with P the probability of the j-th kept position clamped to [1e-4, 1 -
//! 1e-4]. Base t takes z of the last boundary at or before it, times `ste(c_t)`: 1 in the forward
//! pass, and in the backward pass the identity gradient to `c_t = max(p_t, 1 - p_t)`. Always f32.

use super::gather::Index;
use super::profile::{Pass, timed};
use super::simd::{dot, vectorized};
use super::tape::Tape;
use super::{Seqs, cpu, cuda, from_cpu, slice};
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

/// Which positions of a packed batch were kept.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Rows of the bases of each sequence.
    pub seqs: Seqs,
    /// Rows of the chunks of each sequence.
    pub chunks: Seqs,
    /// Row of the base at which each chunk starts, ascending.
    pub index: Index,
}

struct Dechunk(Kept);

/// `x` is (chunks, channels), `prob` (bases); the result is (bases, channels).
pub fn dechunk(tape: &Tape, x: &Tensor, prob: &Tensor, kept: &Kept) -> Result<Tensor> {
    if cuda::runs(x) {
        return cuda::dechunk::dechunk(tape, x, prob, kept);
    }
    tape.apply2(x, prob, Dechunk(kept.clone()))
}

const CLAMP: (f32, f32) = (1e-4, 1.0 - 1e-4);

/// One sequence's chunks: `x` (n, d) and clamped probabilities.
struct Smooth<'a> {
    x: &'a [f32],
    p: Vec<f32>,
    d: usize,
}

impl Smooth<'_> {
    /// The forward and backward averages, each (n, d).
    fn run(&self) -> (Vec<f32>, Vec<f32>) {
        let size = self.p.len() * self.d;
        let mut out = (vec![0.0_f32; size], vec![0.0_f32; size]);
        average(self, &mut out.0, false);
        average(self, &mut out.1, true);
        out
    }
}

vectorized! {
    fn average<'a, _simd>(smooth: &'a Smooth<'a>, out: &'a mut [f32], reverse: bool) {
        let (n, d) = (smooth.p.len(), smooth.d);
        let mut last = vec![0.0_f32; d];
        for i in 0..n {
            let j = if reverse { n - 1 - i } else { i };
            let (p, x, out) = (smooth.p[j], &smooth.x[j * d..][..d], &mut out[j * d..][..d]);
            for c in 0..d {
                last[c] = p.mul_add(x[c] - last[c], last[c]);
                out[c] = last[c];
            }
        }
    }
}

vectorized! {
    /// The gradient runs against the direction of its average. `half` is half the gradient of z,
    /// (n, d); adds to `dx` (n, d) and gives the gradient of each P.
    fn average_backward<'a, _simd>(smooth: &'a Smooth<'a>, averaged: &'a [f32], half: &'a [f32], reverse: bool, dx: &'a mut [f32]) -> Vec<f32> {
        let (n, d) = (smooth.p.len(), smooth.d);
        let mut dp = vec![0.0_f32; n];
        let (mut carry, zero) = (vec![0.0_f32; d], vec![0.0_f32; d]);
        for i in 0..n {
            let j = if reverse { i } else { n - 1 - i };
            let before = match (reverse, j) {
                (false, 0) => &zero[..],
                (false, j) => &averaged[(j - 1) * d..][..d],
                (true, j) if j + 1 == n => &zero[..],
                (true, j) => &averaged[(j + 1) * d..][..d],
            };
            let (x, half, p, to) = (&smooth.x[j * d..][..d], &half[j * d..][..d], smooth.p[j], &mut dx[j * d..][..d]);
            for c in 0..d {
                let lambda = half[c] + carry[c];
                to[c] = p.mul_add(lambda, to[c]);
                dp[j] += lambda * (x[c] - before[c]);
                carry[c] = (1.0 - p) * lambda;
            }
        }
        dp
    }
}

vectorized! {
    fn product<'a, simd>(a: &'a [f32], b: &'a [f32]) -> f32 {
        dot(simd, a, b)
    }
}

impl Dechunk {
    fn smooth<'a>(&self, x: &'a [f32], prob: &[f32], d: usize, seq: usize) -> Smooth<'a> {
        let chunks = self.0.chunks[seq].clone();
        let p = self.0.index[chunks.clone()]
            .iter()
            .map(|&t| prob[t].clamp(CLAMP.0, CLAMP.1))
            .collect();
        Smooth {
            x: &x[chunks.start * d..chunks.end * d],
            p,
            d,
        }
    }

    /// Bases of the j-th chunk of a sequence, relative to the sequence's first base.
    fn bases(&self, seq: usize, j: usize) -> std::ops::Range<usize> {
        let (bases, chunks) = (&self.0.seqs[seq], &self.0.chunks[seq]);
        let end = if chunks.start + j + 1 < chunks.end {
            self.0.index[chunks.start + j + 1]
        } else {
            bases.end
        };
        self.0.index[chunks.start + j] - bases.start..end - bases.start
    }
}

/// Splits a buffer of rows of `d` at the sequences.
fn split<'a>(mut data: &'a mut [f32], seqs: &Seqs, d: usize) -> Vec<&'a mut [f32]> {
    let mut out = Vec::with_capacity(seqs.len());
    for seq in seqs.iter() {
        let (part, rest) = data.split_at_mut(seq.len() * d);
        out.push(part);
        data = rest;
    }
    out
}

impl CustomOp2 for Dechunk {
    fn name(&self) -> &'static str {
        "dechunk"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let _timed = timed(self.name(), Pass::Forward);
        let (x, prob) = (slice(s1, l1)?, slice(s2, l2)?);
        let d = l1.shape().dims2()?.1;
        let mut out = vec![0.0_f32; prob.len() * d];
        split(&mut out, &self.0.seqs, d)
            .into_par_iter()
            .enumerate()
            .for_each(|(seq, out)| {
                let smooth = self.smooth(x, prob, d, seq);
                let (f, g) = smooth.run();
                for j in 0..smooth.p.len() {
                    let (f, g) = (&f[j * d..][..d], &g[j * d..][..d]);
                    for t in self.bases(seq, j) {
                        for (out, (f, g)) in out[t * d..][..d].iter_mut().zip(f.iter().zip(g)) {
                            *out = 0.5 * (f + g);
                        }
                    }
                }
            });
        Ok((CpuStorage::F32(out), (prob.len(), d).into()))
    }

    fn bwd(
        &self,
        arg1: &Tensor,
        arg2: &Tensor,
        res: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let _timed = timed(self.name(), Pass::Backward);
        let (x, prob, res, grad) = (cpu(arg1)?, cpu(arg2)?, cpu(res)?, cpu(grad)?);
        let (x, prob, res, grad): (&[f32], &[f32], &[f32], &[f32]) = (&x, &prob, &res, &grad);
        let d = arg1.dim(1)?;
        let (mut dx, mut dp) = (vec![0.0_f32; x.len()], vec![0.0_f32; prob.len()]);
        let parts =
            split(&mut dx, &self.0.chunks, d)
                .into_par_iter()
                .zip(split(&mut dp, &self.0.seqs, 1));
        parts.enumerate().for_each(|(seq, (dx, dp))| {
            let smooth = self.smooth(x, prob, d, seq);
            let (f, g) = smooth.run();
            let (n, first) = (smooth.p.len(), self.0.seqs[seq].start);
            let mut half = vec![0.0_f32; n * d];
            for j in 0..n {
                let bases = self.bases(seq, j);
                let half = &mut half[j * d..][..d];
                for t in bases.clone() {
                    let (out, g) = (&res[(first + t) * d..][..d], &grad[(first + t) * d..][..d]);
                    let decision = product(out, g);
                    dp[t] = if t == bases.start {
                        decision
                    } else {
                        -decision
                    };
                    half.iter_mut()
                        .zip(g)
                        .for_each(|(half, g)| *half += 0.5 * g);
                }
            }
            for (averaged, reverse) in [(&f, false), (&g, true)] {
                let toward_p = average_backward(&smooth, averaged, &half, reverse, dx);
                for (j, toward_p) in toward_p.into_iter().enumerate() {
                    let t = self.bases(seq, j).start;
                    if (CLAMP.0..=CLAMP.1).contains(&prob[first + t]) {
                        dp[t] += toward_p;
                    }
                }
            }
        });
        Ok((
            Some(from_cpu(dx, arg1.shape(), arg1)?),
            Some(from_cpu(dp, arg2.shape(), arg2)?),
        ))
    }
}
