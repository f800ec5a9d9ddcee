//! `x · W^T`: x (rows, in), W (out, in) as checkpoints hold it, result (rows, out); in f32, or with
//! weights rounded to bf16.

use super::bf16::Weights;
use super::gemm::{Matrix, product};
use super::profile::{Pass, timed};
use super::tape::Tape;
use super::{cpu, cuda, from_cpu, slice};
use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor};
use std::sync::Arc;

/// The operation behind [`linear`].
pub(super) struct Linear;

/// The product, in the number format of `x`: f32, or bf16 with sums in f32 on a GPU.
pub fn linear(tape: &Tape, x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    if cuda::runs(x) {
        return cuda::linear::linear(tape, x, weight);
    }
    tape.apply2(x, weight, Linear)
}

/// The operation behind [`linear_bf16`].
struct LinearBf16(Arc<Weights>);

/// The product with weights in bf16, for inference.
pub fn linear_bf16(x: &Tensor, weights: &Arc<Weights>) -> Result<Tensor> {
    x.apply_op1_no_bwd(&LinearBf16(weights.clone()))
}

impl CustomOp1 for LinearBf16 {
    fn name(&self) -> &'static str {
        "linear bf16"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let _timed = timed(self.name(), Pass::Forward);
        let ((rows, from), (to, columns)) = (layout.shape().dims2()?, self.0.shape());
        if from != columns {
            candle_core::bail!(
                "linear: {:?} does not fit weights ({to}, {columns})",
                layout.shape()
            );
        }
        Ok((
            CpuStorage::F32(self.0.product(slice(storage, layout)?, rows)),
            (rows, to).into(),
        ))
    }
}

impl CustomOp2 for Linear {
    fn name(&self) -> &'static str {
        "linear"
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
        let ((rows, from), (to, columns)) = (l1.shape().dims2()?, l2.shape().dims2()?);
        if from != columns {
            candle_core::bail!(
                "linear: {:?} does not fit weights {:?}",
                l1.shape(),
                l2.shape()
            );
        }
        let y = product(
            rows,
            to,
            from,
            Matrix::rows(x, from),
            Matrix::rows(w, from).transpose(),
        );
        Ok((CpuStorage::F32(y), (rows, to).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (dx, d_weight) = self.gradients(x, weight, grad)?;
        Ok((Some(dx), Some(d_weight)))
    }
}

impl Linear {
    /// Gradients of both operands from that of the product.
    pub(super) fn gradients(
        &self,
        x: &Tensor,
        weight: &Tensor,
        grad: &Tensor,
    ) -> Result<(Tensor, Tensor)> {
        if cuda::runs(x) {
            return cuda::linear::gradients(x, weight, grad);
        }
        let _timed = timed(self.name(), Pass::Backward);
        let ((rows, from), to) = (x.dims2()?, weight.dim(0)?);
        let (x_data, w_data, g_data) = (cpu(x)?, cpu(weight)?, cpu(grad)?);
        let (x_rows, w_rows, g_rows) = (
            Matrix::rows(&x_data, from),
            Matrix::rows(&w_data, from),
            Matrix::rows(&g_data, to),
        );
        let dx = product(rows, from, to, g_rows, w_rows);
        let dw = product(to, from, rows, g_rows.transpose(), x_rows);
        Ok((
            from_cpu(dx, x.shape(), x)?,
            from_cpu(dw, weight.shape(), weight)?,
        ))
    }
}
