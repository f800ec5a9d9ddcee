//! `x · W^T`: x (rows, in), W (out, in) as checkpoints hold it, result (rows, out).

use super::gemm::{Matrix, product};
use super::profile::{Pass, timed};
use super::{cpu, from_cpu, slice};
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};

struct Linear;

/// The product; see the module.
pub fn linear(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op2(&weight.contiguous()?, Linear)
}

impl CustomOp2 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(&self, s1: &CpuStorage, l1: &Layout, s2: &CpuStorage, l2: &Layout) -> Result<(CpuStorage, Shape)> {
        let _timed = timed(self.name(), Pass::Forward);
        let (x, w) = (slice(s1, l1)?, slice(s2, l2)?);
        let ((rows, from), (to, columns)) = (l1.shape().dims2()?, l2.shape().dims2()?);
        if from != columns {
            candle_core::bail!("linear: {:?} does not fit weights {:?}", l1.shape(), l2.shape());
        }
        let y = product(rows, to, from, Matrix::rows(x, from), Matrix::rows(w, from).transpose());
        Ok((CpuStorage::F32(y), (rows, to).into()))
    }

    fn bwd(&self, arg1: &Tensor, arg2: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let _timed = timed(self.name(), Pass::Backward);
        let (x, w, g) = (cpu(arg1)?, cpu(arg2)?, cpu(grad)?);
        let ((rows, from), to) = (arg1.dims2()?, arg2.dim(0)?);
        let (x, w, g) = (Matrix::rows(&x, from), Matrix::rows(&w, from), Matrix::rows(&g, to));
        let dx = product(rows, from, to, g, w);
        let dw = product(to, from, rows, g.transpose(), x);
        Ok((Some(from_cpu(dx, arg1.shape(), arg1)?), Some(from_cpu(dw, arg2.shape(), arg2)?)))
    }
}
