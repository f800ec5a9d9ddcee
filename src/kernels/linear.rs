//! `x · W^T`: x (rows, in), W (out, in) as checkpoints hold it, result (rows, out).

use super::profile::{Pass, timed};
use super::{cpu, from_cpu, slice};
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};
use gemm::Parallelism;

struct Linear;

/// The product; see the module.
pub fn linear(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op2(&weight.contiguous()?, Linear)
}

/// A matrix in memory: element (i, j) is `data[i * row + j * column]`.
#[derive(Clone, Copy)]
struct Matrix<'a> {
    data: &'a [f32],
    row: usize,
    column: usize,
}

impl<'a> Matrix<'a> {
    fn rows(data: &'a [f32], columns: usize) -> Self {
        Matrix { data, row: columns, column: 1 }
    }

    fn transpose(self) -> Self {
        Matrix { row: self.column, column: self.row, ..self }
    }
}

/// `a · b`, (m, n) row-major, with k inner.
fn product(m: usize, n: usize, k: usize, a: Matrix<'_>, b: Matrix<'_>) -> Vec<f32> {
    assert!(a.data.len() == m * k && b.data.len() == k * n);
    let mut c: Vec<f32> = Vec::with_capacity(m * n);
    let threads = Parallelism::Rayon(0);
    // SAFETY: the lengths fit the sizes and strides; gemm writes every element of c and reads none.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.as_mut_ptr(),
            1,
            n as isize,
            false,
            a.data.as_ptr(),
            a.column as isize,
            a.row as isize,
            b.data.as_ptr(),
            b.column as isize,
            b.row as isize,
            0.0,
            1.0,
            false,
            false,
            false,
            threads,
        );
        c.set_len(m * n);
    }
    c
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
