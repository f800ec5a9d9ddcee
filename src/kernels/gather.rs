//! Chosen rows: the embeddings of tokens, and the vectors at boundaries on their way into the inner network.

use super::profile::{Pass, timed};
use super::tape::Tape;
use super::{cpu, from_cpu, slice};
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use std::sync::Arc;

struct Gather(Arc<[usize]>);

/// Rows `index` of `x` (rows, channels), as (index.len(), channels).
pub fn gather_rows(tape: &Tape, x: &Tensor, index: &Arc<[usize]>) -> Result<Tensor> {
    tape.apply1(x, Gather(index.clone()))
}

impl CustomOp1 for Gather {
    fn name(&self) -> &'static str {
        "gather-rows"
    }

    fn cpu_fwd(&self, s: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
        let _timed = timed(self.name(), Pass::Forward);
        let x = slice(s, l)?;
        let d = l.shape().dims2()?.1;
        let mut out = Vec::with_capacity(self.0.len() * d);
        for &row in self.0.iter() {
            out.extend_from_slice(&x[row * d..][..d]);
        }
        Ok((CpuStorage::F32(out), (self.0.len(), d).into()))
    }

    fn bwd(&self, arg: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let _timed = timed(self.name(), Pass::Backward);
        let (g, d) = (cpu(grad)?, arg.dim(1)?);
        let mut dx = vec![0.0_f32; arg.elem_count()];
        for (&row, g) in self.0.iter().zip(g.chunks_exact(d)) {
            dx[row * d..][..d].iter_mut().zip(g).for_each(|(dx, g)| *dx += g);
        }
        Ok(Some(from_cpu(dx, arg.shape(), arg)?))
    }
}
