//! Bidirectional softmax attention with rotary positions and an optional window, without an L x L
//! buffer.
//!
//! `qkv` is (total bases, 3 d_model): q, k, v, each (heads, head_dim). Positions count from each
//! sequence's start. Rotary embedding turns the first `rotary_dim` channels of each head (halves
//! paired: channel i with i + rotary_dim/2, base 10000). Key j is seen from i when |i - j| <=
//! window. The online softmax goes over blocks of 64 keys (Dao et al. 2022).

use super::profile::{Pass, timed};
use super::simd::{
    Left, Onto, Shared, dot, exp, exp_vector, matmul, padded, sum, transpose, vectors, vectors_mut,
};
use super::tape::Tape;
use super::{Seqs, check_seqs, cpu, cuda, from_cpu, slice};
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::Mutex;

/// Queries and keys per block.
const BLOCK: usize = 64;

/// Sizes of one attention mixer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttentionDims {
    /// Heads; they divide d_model.
    pub n_heads: usize,
    /// Channels of each head that are turned, even.
    pub rotary_dim: usize,
    /// Positions seen on each side; `None`: all.
    pub window: Option<usize>,
}

struct Attention {
    dims: AttentionDims,
    seqs: Seqs,
    /// Log-sum-exp of each query's scores, (heads, total bases), kept for the backward pass when
    /// there will be one.
    lse: Option<Mutex<Vec<f32>>>,
}

/// Whether q, k, v fit the columns and the sequences the rows.
fn check(dims: &AttentionDims, total: usize, columns: usize, seqs: &Seqs) -> Result<()> {
    let d_model = columns / 3;
    check_seqs(seqs, total)?;
    if !columns.is_multiple_of(3) || dims.n_heads == 0 || !d_model.is_multiple_of(dims.n_heads) {
        candle_core::bail!(
            "attention: {columns} columns are not q, k, v of {} heads",
            dims.n_heads
        );
    }
    if !dims.rotary_dim.is_multiple_of(2) || dims.rotary_dim > d_model / dims.n_heads {
        candle_core::bail!(
            "attention: {} rotary channels do not fit heads of {}",
            dims.rotary_dim,
            d_model / dims.n_heads
        );
    }
    Ok(())
}

/// The attention output before `out_proj`, (total bases, d_model).
pub fn attention(tape: &Tape, qkv: &Tensor, dims: AttentionDims, seqs: &Seqs) -> Result<Tensor> {
    let (total, columns) = qkv.dims2()?;
    check(&dims, total, columns, seqs)?;
    if cuda::runs(qkv) {
        return cuda::attention::attention(tape, qkv, dims, seqs);
    }
    let lse = tape.is_on().then(|| Mutex::new(Vec::new()));
    tape.apply1(
        qkv,
        Attention {
            dims,
            seqs: seqs.clone(),
            lse,
        },
    )
}

/// One head of one sequence, as blocks of padded rows.
struct Head {
    len: usize,
    /// head_dim rounded up to whole vectors.
    width: usize,
    window: usize,
    /// (blocks * BLOCK, width); q holds the 1/sqrt(head_dim) scale.
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
    /// k and v transposed block by block: (blocks, width, BLOCK).
    k_t: Vec<f32>,
    v_t: Vec<f32>,
}

/// Frequencies of the rotary embedding, (rotary_dim / 2). Angles are their products with positions,
/// in f32 like the authors'.
pub(super) fn frequencies(rotary_dim: usize) -> Vec<f32> {
    (0..rotary_dim / 2)
        .map(|i| 1.0 / 10_000_f32.powf(2.0 * i as f32 / rotary_dim as f32))
        .collect()
}

/// Angles of the rotary embedding, (positions, rotary_dim / 2) cosines and sines.
struct Rotary {
    half: usize,
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl Rotary {
    fn new(rotary_dim: usize, positions: usize) -> Self {
        let half = rotary_dim / 2;
        let mut table = Rotary {
            half,
            cos: Vec::with_capacity(half * positions),
            sin: Vec::with_capacity(half * positions),
        };
        let frequency = frequencies(rotary_dim);
        for t in 0..positions {
            for f in &frequency {
                let angle = t as f32 * f;
                table.cos.push(angle.cos());
                table.sin.push(angle.sin());
            }
        }
        table
    }

    /// Turns the first channels of `x` at position `t`, backwards where `inverse`.
    #[inline(always)]
    fn turn(&self, x: &mut [f32], t: usize, inverse: bool) {
        let (first, second) = x.split_at_mut(self.half);
        for i in 0..self.half {
            let (c, s) = (self.cos[t * self.half + i], self.sin[t * self.half + i]);
            let s = if inverse { -s } else { s };
            let (a, b) = (first[i], second[i]);
            first[i] = a * c - b * s;
            second[i] = b * c + a * s;
        }
    }
}

impl Head {
    #[inline(always)]
    #[allow(clippy::too_many_arguments)]
    fn load<S: Simd>(
        simd: S,
        qkv: &[f32],
        rows: Range<usize>,
        d_model: usize,
        head: usize,
        dims: &AttentionDims,
        rotary: &Rotary,
        values_transposed: bool,
    ) -> Head {
        let hd = d_model / dims.n_heads;
        let (len, width) = (rows.len(), padded(hd));
        let size = len.next_multiple_of(BLOCK) * width;
        let scale = 1.0 / (hd as f32).sqrt();
        let mut parts = [
            vec![0.0_f32; size],
            vec![0.0_f32; size],
            vec![0.0_f32; size],
        ];
        for (part, to) in parts.iter_mut().enumerate() {
            for t in 0..len {
                let to = &mut to[t * width..][..hd];
                to.copy_from_slice(
                    &qkv[((rows.start + t) * 3 + part) * d_model + head * hd..][..hd],
                );
                if part < 2 {
                    rotary.turn(to, t, false);
                }
                if part == 0 {
                    to.iter_mut().for_each(|x| *x *= scale);
                }
            }
        }
        let [q, k, v] = parts;
        let mut k_t = vec![0.0_f32; size];
        let mut v_t = vec![0.0_f32; if values_transposed { size } else { 0 }];
        for (x, to) in [(&k, &mut k_t), (&v, &mut v_t)] {
            for (to, from) in to
                .chunks_exact_mut(BLOCK * width)
                .zip(x.chunks_exact(BLOCK * width))
            {
                transpose(simd, from, BLOCK, width, to);
            }
        }
        Head {
            len,
            width,
            window: dims.window.unwrap_or(len).min(len),
            q,
            k,
            v,
            k_t,
            v_t,
        }
    }

    /// Blocks of keys that the queries of a block can see.
    fn seen(&self, block: usize) -> Range<usize> {
        let first = (block * BLOCK).saturating_sub(self.window) / BLOCK;
        let last = ((block + 1) * BLOCK + self.window)
            .min(self.len)
            .div_ceil(BLOCK);
        first..last
    }

    /// Scores of a block of queries against a block of keys; what cannot be seen is far below any
    /// score.
    #[inline(always)]
    fn scores<S: Simd>(&self, simd: S, i: usize, j: usize, s: &mut [f32]) {
        let (w, size) = (self.width, BLOCK * self.width);
        matmul(
            simd,
            0..BLOCK,
            0..w,
            BLOCK,
            BLOCK,
            Left::rows(&self.q[i * size..][..size], w),
            &self.k_t[j * size..][..size],
            s,
            Onto::Zero,
        );
        let (far, near) = (
            j.abs_diff(i) * BLOCK + BLOCK - 1,
            (j + 1) * BLOCK <= self.len,
        );
        if far > self.window || !near {
            for (t, row) in s.chunks_exact_mut(BLOCK).enumerate() {
                let query = i * BLOCK + t;
                let (from, to) = (
                    query.saturating_sub(self.window),
                    (query + self.window + 1).min(self.len),
                );
                for (l, s) in row.iter_mut().enumerate() {
                    let key = j * BLOCK + l;
                    *s = if key >= from && key < to {
                        *s
                    } else {
                        f32::MIN
                    };
                }
            }
        }
    }

    /// Output (blocks * BLOCK, width) and log-sum-exp (len).
    #[inline(always)]
    fn forward<S: Simd>(&self, simd: S) -> (Vec<f32>, Vec<f32>) {
        let (w, size) = (self.width, BLOCK * self.width);
        let (mut out, mut lse) = (vec![0.0_f32; self.q.len()], vec![0.0_f32; self.q.len() / w]);
        let mut s = vec![0.0_f32; BLOCK * BLOCK];
        for (i, (out, lse)) in out
            .chunks_exact_mut(size)
            .zip(lse.chunks_exact_mut(BLOCK))
            .enumerate()
        {
            let (mut max, mut sums) = ([f32::MIN; BLOCK], [0.0_f32; BLOCK]);
            for j in self.seen(i) {
                self.scores(simd, i, j, &mut s);
                let mut keep = [0.0_f32; BLOCK];
                for t in 0..BLOCK {
                    let row = &mut s[t * BLOCK..][..BLOCK];
                    let mut top = simd.splat_f32s(max[t]);
                    for &x in vectors::<S>(row) {
                        top = simd.max_f32s(x, top);
                    }
                    // A row that sees no key yet keeps a floor, so that f32::MIN - floor is still
                    // far below zero.
                    let new = simd.reduce_max_f32s(top).max(-1e30);
                    keep[t] = exp(max[t] - new);
                    max[t] = new;
                    exp_seen(simd, row, new);
                    sums[t] = sums[t] * keep[t] + sum(simd, row);
                }
                matmul(
                    simd,
                    0..BLOCK,
                    0..BLOCK,
                    w,
                    w,
                    Left::rows(&s, BLOCK),
                    &self.v[j * size..][..size],
                    out,
                    Onto::Rows(&keep),
                );
            }
            for t in 0..BLOCK {
                let scale = if sums[t] > 0.0 { 1.0 / sums[t] } else { 0.0 };
                out[t * w..][..w].iter_mut().for_each(|x| *x *= scale);
                lse[t] = max[t] + sums[t].max(f32::MIN_POSITIVE).ln();
            }
        }
        lse.truncate(self.len);
        (out, lse)
    }

    /// Gradients of (turned and scaled) q, k and v, each (blocks * BLOCK, width); `dout` and `out`
    /// have that shape too.
    #[inline(always)]
    fn backward<S: Simd>(&self, simd: S, out: &[f32], dout: &[f32], lse: &[f32]) -> [Vec<f32>; 3] {
        let (w, size) = (self.width, BLOCK * self.width);
        let mut grads = [
            vec![0.0_f32; self.q.len()],
            vec![0.0_f32; self.q.len()],
            vec![0.0_f32; self.q.len()],
        ];
        let [dq, dk, dv] = &mut grads;
        let (mut p, mut dp) = (vec![0.0_f32; BLOCK * BLOCK], vec![0.0_f32; BLOCK * BLOCK]);
        for i in 0..self.q.len() / size {
            let (out, dout) = (&out[i * size..][..size], &dout[i * size..][..size]);
            for j in self.seen(i) {
                self.scores(simd, i, j, &mut p);
                matmul(
                    simd,
                    0..BLOCK,
                    0..w,
                    BLOCK,
                    BLOCK,
                    Left::rows(dout, w),
                    &self.v_t[j * size..][..size],
                    &mut dp,
                    Onto::Zero,
                );
                for t in 0..BLOCK {
                    let (p, dp) = (&mut p[t * BLOCK..][..BLOCK], &mut dp[t * BLOCK..][..BLOCK]);
                    let Some(&lse) = lse.get(i * BLOCK + t) else {
                        p.fill(0.0);
                        dp.fill(0.0);
                        continue;
                    };
                    let delta = dot(simd, &out[t * w..][..w], &dout[t * w..][..w]);
                    exp_seen(simd, p, lse);
                    let delta = simd.splat_f32s(delta);
                    for (dp, &p) in vectors_mut::<S>(dp).iter_mut().zip(vectors::<S>(p)) {
                        *dp = simd.mul_f32s(p, simd.sub_f32s(*dp, delta));
                    }
                }
                matmul(
                    simd,
                    0..BLOCK,
                    0..BLOCK,
                    w,
                    w,
                    Left::transposed(&p, BLOCK),
                    dout,
                    &mut dv[j * size..][..size],
                    Onto::Held,
                );
                matmul(
                    simd,
                    0..BLOCK,
                    0..BLOCK,
                    w,
                    w,
                    Left::transposed(&dp, BLOCK),
                    &self.q[i * size..][..size],
                    &mut dk[j * size..][..size],
                    Onto::Held,
                );
                matmul(
                    simd,
                    0..BLOCK,
                    0..BLOCK,
                    w,
                    w,
                    Left::rows(&dp, BLOCK),
                    &self.k[j * size..][..size],
                    &mut dq[i * size..][..size],
                    Onto::Held,
                );
            }
        }
        grads
    }
}

/// `x = e^{x - from}` for the keys that are seen, 0 for others.
#[inline(always)]
fn exp_seen<S: Simd>(simd: S, scores: &mut [f32], from: f32) {
    let (from, zero) = (simd.splat_f32s(from), simd.splat_f32s(0.0));
    let hidden = simd.splat_f32s(f32::MIN);
    for x in vectors_mut::<S>(scores) {
        let e = exp_vector(simd, simd.sub_f32s(*x, from));
        *x = simd.select_f32s(simd.equal_f32s(*x, hidden), zero, e);
    }
}

/// One (sequence, head) of the forward pass.
struct Forward<'a> {
    op: &'a Attention,
    qkv: &'a [f32],
    d_model: usize,
    unit: (usize, usize),
    rotary: &'a Rotary,
    out: Shared<f32>,
    lse: Shared<f32>,
    total: usize,
}

impl WithSimd for Forward<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (seq, head) = self.unit;
        let rows = self.op.seqs[seq].clone();
        let hd = self.d_model / self.op.dims.n_heads;
        let data = Head::load(
            simd,
            self.qkv,
            rows.clone(),
            self.d_model,
            head,
            &self.op.dims,
            self.rotary,
            false,
        );
        let (out, lse) = data.forward(simd);
        // SAFETY: rows and head columns of this unit are its own.
        unsafe {
            for (t, from) in out.chunks_exact(data.width).take(rows.len()).enumerate() {
                self.out
                    .slice((rows.start + t) * self.d_model + head * hd, hd)
                    .copy_from_slice(&from[..hd]);
            }
            self.lse
                .slice(head * self.total + rows.start, rows.len())
                .copy_from_slice(&lse);
        }
    }
}

/// One (sequence, head) of the backward pass.
struct Backward<'a> {
    op: &'a Attention,
    qkv: &'a [f32],
    res: &'a [f32],
    grad: &'a [f32],
    lse: &'a [f32],
    d_model: usize,
    unit: (usize, usize),
    rotary: &'a Rotary,
    d_qkv: Shared<f32>,
}

impl WithSimd for Backward<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (seq, head) = self.unit;
        let rows = self.op.seqs[seq].clone();
        let hd = self.d_model / self.op.dims.n_heads;
        let data = Head::load(
            simd,
            self.qkv,
            rows.clone(),
            self.d_model,
            head,
            &self.op.dims,
            self.rotary,
            true,
        );
        let mut io = [vec![0.0_f32; data.q.len()], vec![0.0_f32; data.q.len()]];
        for (to, from) in io.iter_mut().zip([self.res, self.grad]) {
            for (t, to) in to.chunks_exact_mut(data.width).take(rows.len()).enumerate() {
                to[..hd]
                    .copy_from_slice(&from[(rows.start + t) * self.d_model + head * hd..][..hd]);
            }
        }
        let total = self.lse.len() / self.op.dims.n_heads;
        let lse = &self.lse[head * total + rows.start..][..rows.len()];
        let mut grads = data.backward(simd, &io[0], &io[1], lse);
        let scale = 1.0 / (hd as f32).sqrt();
        for (part, from) in grads.iter_mut().enumerate() {
            for (t, from) in from
                .chunks_exact_mut(data.width)
                .take(rows.len())
                .enumerate()
            {
                let from = &mut from[..hd];
                if part == 0 {
                    from.iter_mut().for_each(|x| *x *= scale);
                }
                if part < 2 {
                    self.rotary.turn(from, t, true);
                }
                // SAFETY: rows and head columns of this unit are its own.
                let to = unsafe {
                    self.d_qkv
                        .slice(((rows.start + t) * 3 + part) * self.d_model + head * hd, hd)
                };
                to.copy_from_slice(from);
            }
        }
    }
}

impl Attention {
    fn units(&self) -> Vec<(usize, usize)> {
        (0..self.seqs.len())
            .flat_map(|seq| (0..self.dims.n_heads).map(move |head| (seq, head)))
            .collect()
    }

    fn rotary(&self) -> Rotary {
        Rotary::new(
            self.dims.rotary_dim,
            self.seqs.iter().map(|s| s.len()).max().unwrap_or(0),
        )
    }
}

impl CustomOp1 for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(&self, s: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
        let _timed = timed(self.name(), Pass::Forward);
        let qkv = slice(s, l)?;
        let (total, columns) = l.shape().dims2()?;
        let d_model = columns / 3;
        let dims = &self.dims;
        let (mut out, mut lse) = (
            vec![0.0_f32; total * d_model],
            vec![0.0_f32; dims.n_heads * total],
        );
        let (out_all, lse_all, rotary) =
            (Shared::new(&mut out), Shared::new(&mut lse), self.rotary());
        self.units().into_par_iter().for_each(|unit| {
            let job = Forward {
                op: self,
                qkv,
                d_model,
                unit,
                rotary: &rotary,
                out: out_all,
                lse: lse_all,
                total,
            };
            Arch::new().dispatch(job);
        });
        if let Some(keep) = &self.lse {
            *keep.lock().unwrap_or_else(|e| e.into_inner()) = lse;
        }
        Ok((CpuStorage::F32(out), (total, d_model).into()))
    }

    fn bwd(&self, arg: &Tensor, res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let _timed = timed(self.name(), Pass::Backward);
        let (qkv, res, grad) = (cpu(arg)?, cpu(res)?, cpu(grad)?);
        let d_model = arg.dim(1)? / 3;
        let Some(lse) = &self.lse else {
            candle_core::bail!("attention: backward without a training forward")
        };
        let lse = lse.lock().unwrap_or_else(|e| e.into_inner());
        let mut d_qkv = vec![0.0_f32; qkv.len()];
        let (d_qkv_all, rotary) = (Shared::new(&mut d_qkv), self.rotary());
        let (qkv, res, grad, lse): (&[f32], &[f32], &[f32], &[f32]) = (&qkv, &res, &grad, &lse);
        self.units().into_par_iter().for_each(|unit| {
            Arch::new().dispatch(Backward {
                op: self,
                qkv,
                res,
                grad,
                lse,
                d_model,
                unit,
                rotary: &rotary,
                d_qkv: d_qkv_all,
            });
        });
        Ok(Some(from_cpu(d_qkv, arg.shape(), arg)?))
    }
}
