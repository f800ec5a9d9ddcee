//! RMSNorm over the last dimension: `x / sqrt(mean(x^2) + eps) * w`.

use super::add::add;
use super::cuda;
use super::profile::{Pass, timed};
use super::simd::{dot, vectorized};
use super::tape::Tape;
use super::{EPS, ROWS, cpu, from_cpu, slice};
use candle_core::{CpuStorage, CustomOp2, DType, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

struct RmsNorm;

/// `x` is (rows, channels), `weight` (channels).
fn rms_norm(tape: &Tape, x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    tape.apply2(x, weight, RmsNorm)
}

/// The residual stream before a layer: `x + h` in f32, and its norm in `dtype`; `x` itself and its
/// norm where there is no `h`.
///
/// On the way back the sum's own gradient is only passed on together with that of its norm, which
/// every layer uses.
pub fn add_rms_norm(
    tape: &Tape,
    x: &Tensor,
    h: Option<&Tensor>,
    weight: &Tensor,
    dtype: DType,
) -> Result<(Tensor, Tensor)> {
    if cuda::runs(x) {
        return cuda::norm::add_rms_norm(tape, x, h, weight, dtype);
    }
    let sum = h.map_or_else(|| Ok(x.clone()), |h| add(tape, x, h))?;
    let norm = rms_norm(tape, &sum, weight)?;
    Ok((sum, norm))
}

vectorized! {
    fn forward<'a, simd>(out: &'a mut [f32], x: &'a [f32], w: &'a [f32]) {
        let d = w.len();
        for (out, x) in out.chunks_exact_mut(d).zip(x.chunks_exact(d)) {
            let scale = 1.0 / (dot(simd, x, x) / d as f32 + EPS).sqrt();
            for c in 0..d {
                out[c] = x[c] * scale * w[c];
            }
        }
    }
}

vectorized! {
    fn backward<'a, simd>(dx: &'a mut [f32], x: &'a [f32], g: &'a [f32], w: &'a [f32], dw: &'a mut [f32]) {
        let d = w.len();
        let mut wg = vec![0.0_f32; d];
        for (dx, (x, g)) in dx.chunks_exact_mut(d).zip(x.chunks_exact(d).zip(g.chunks_exact(d))) {
            let r = 1.0 / (dot(simd, x, x) / d as f32 + EPS).sqrt();
            for c in 0..d {
                wg[c] = w[c] * g[c];
                dw[c] = (x[c] * r).mul_add(g[c], dw[c]);
            }
            let back = r * r * r * dot(simd, &wg, x) / d as f32;
            for c in 0..d {
                dx[c] = r * wg[c] - back * x[c];
            }
        }
    }
}

impl CustomOp2 for RmsNorm {
    fn name(&self) -> &'static str {
        "rms-norm"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let _timed = timed(self.name(), Pass::Forward);
        let (x, w) = (slice(s1, l1)?, slice(s2, l2)?);
        let d = w.len();
        if l1.shape().dims2()?.1 != d {
            candle_core::bail!("rms-norm: {:?} does not end in {d} channels", l1.shape());
        }
        let mut out = vec![0.0_f32; x.len()];
        out.par_chunks_mut(ROWS * d)
            .zip(x.par_chunks(ROWS * d))
            .for_each(|(out, x)| {
                forward(out, x, w);
            });
        Ok((CpuStorage::F32(out), l1.shape().clone()))
    }

    fn bwd(
        &self,
        arg1: &Tensor,
        arg2: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let _timed = timed(self.name(), Pass::Backward);
        let (x, w, g) = (cpu(arg1)?, cpu(arg2)?, cpu(grad)?);
        let (x, w, g): (&[f32], &[f32], &[f32]) = (&x, &w, &g);
        let d = w.len();
        let mut dx = vec![0.0_f32; x.len()];
        let parts: Vec<Vec<f32>> = dx
            .par_chunks_mut(ROWS * d)
            .zip(x.par_chunks(ROWS * d).zip(g.par_chunks(ROWS * d)))
            .map(|(dx, (x, g))| {
                let mut dw = vec![0.0_f32; d];
                backward(dx, x, g, w, &mut dw);
                dw
            })
            .collect();
        let mut dw = vec![0.0_f32; d];
        for part in &parts {
            dw.iter_mut().zip(part).for_each(|(to, x)| *to += x);
        }
        Ok((
            Some(from_cpu(dx, arg1.shape(), arg1)?),
            Some(from_cpu(dw, arg2.shape(), arg2)?),
        ))
    }
}
