//! The gate of the SwiGLU MLP: (rows, 2 d) read as `[y | gate]` gives `silu(gate) * y`, (rows, d).

use super::profile::{Pass, timed};
use super::simd::{sigmoid, silu, vectorized};
use super::tape::Tape;
use super::{ROWS, cpu, cuda, from_cpu, slice};
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

struct SwiGlu;

/// Applies the gate.
pub fn swiglu(tape: &Tape, x: &Tensor) -> Result<Tensor> {
    if cuda::runs(x) {
        return cuda::swiglu::swiglu(tape, x);
    }
    tape.apply1(x, SwiGlu)
}

vectorized! {
    fn forward<'a, _simd>(out: &'a mut [f32], x: &'a [f32], d: usize) {
        for (out, x) in out.chunks_exact_mut(d).zip(x.chunks_exact(2 * d)) {
            let (y, gate) = x.split_at(d);
            for c in 0..d {
                out[c] = y[c] * silu(gate[c]);
            }
        }
    }
}

vectorized! {
    fn backward<'a, _simd>(dx: &'a mut [f32], x: &'a [f32], g: &'a [f32], d: usize) {
        for (dx, (x, g)) in dx.chunks_exact_mut(2 * d).zip(x.chunks_exact(2 * d).zip(g.chunks_exact(d))) {
            let ((y, gate), (dy, d_gate)) = (x.split_at(d), dx.split_at_mut(d));
            for c in 0..d {
                let s = sigmoid(gate[c]);
                dy[c] = g[c] * gate[c] * s;
                d_gate[c] = g[c] * y[c] * s * gate[c].mul_add(1.0 - s, 1.0);
            }
        }
    }
}

impl CustomOp1 for SwiGlu {
    fn name(&self) -> &'static str {
        "swiglu"
    }

    fn cpu_fwd(&self, s: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
        let _timed = timed(self.name(), Pass::Forward);
        let x = slice(s, l)?;
        let (rows, columns) = l.shape().dims2()?;
        let d = columns / 2;
        let mut out = vec![0.0_f32; rows * d];
        out.par_chunks_mut(ROWS * d)
            .zip(x.par_chunks(ROWS * columns))
            .for_each(|(out, x)| {
                forward(out, x, d);
            });
        Ok((CpuStorage::F32(out), (rows, d).into()))
    }

    fn bwd(&self, arg: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let _timed = timed(self.name(), Pass::Backward);
        let (x, g) = (cpu(arg)?, cpu(grad)?);
        let (x, g): (&[f32], &[f32]) = (&x, &g);
        let columns = arg.dim(1)?;
        let d = columns / 2;
        let mut dx = vec![0.0_f32; x.len()];
        dx.par_chunks_mut(ROWS * columns)
            .zip(x.par_chunks(ROWS * columns).zip(g.par_chunks(ROWS * d)))
            .for_each(|(dx, (x, g))| {
                backward(dx, x, g, d);
            });
        Ok(Some(from_cpu(dx, arg.shape(), arg)?))
    }
}
