//! Sums of two tensors: the residual stream, and a bias on every row.

use super::profile::{Pass, timed};
use super::tape::Tape;
use super::{ROWS, cpu, cuda, from_cpu, slice};
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

/// Elements that one task takes.
const PART: usize = 1 << 14;

struct Add;

/// `a + b`, of one shape.
pub fn add(tape: &Tape, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let out = sum(a, b)?;
    let (a, b) = (a.id(), b.id()); // no values are needed on the way back
    tape.record(&out, move |grad, grads| {
        grads.add_to(a, grad.clone())?;
        grads.add_to(b, grad.clone())
    });
    Ok(out)
}

/// The same without a tape.
pub(super) fn sum(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if cuda::runs(a) {
        a + b
    } else {
        a.apply_op2_no_bwd(b, &Add)
    }
}

impl CustomOp2 for Add {
    fn name(&self) -> &'static str {
        "add"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let _timed = timed(self.name(), Pass::Forward);
        let (a, b) = (slice(s1, l1)?, slice(s2, l2)?);
        if a.len() != b.len() {
            candle_core::bail!("add: {:?} and {:?} differ", l1.shape(), l2.shape());
        }
        let mut out = Vec::with_capacity(a.len());
        let sum = |(a, b): (&f32, &f32)| a + b;
        if a.len() <= PART {
            out.extend(a.iter().zip(b).map(sum));
        } else {
            out.par_extend(a.par_iter().zip(b).with_min_len(PART).map(sum));
        }
        Ok((CpuStorage::F32(out), l1.shape().clone()))
    }
}

struct AddRow;

/// `x + row`, (rows, channels) and (channels).
pub fn add_row(tape: &Tape, x: &Tensor, row: &Tensor) -> Result<Tensor> {
    if cuda::runs(x) {
        return cuda::linear::add_row(tape, x, row);
    }
    tape.apply2(x, row, AddRow)
}

impl CustomOp2 for AddRow {
    fn name(&self) -> &'static str {
        "add-row"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let _timed = timed(self.name(), Pass::Forward);
        let (x, row) = (slice(s1, l1)?, slice(s2, l2)?);
        if l1.shape().dims2()?.1 != row.len() {
            candle_core::bail!("add-row: {:?} and {:?} do not fit", l1.shape(), l2.shape());
        }
        let mut out = x.to_vec();
        out.par_chunks_mut(ROWS * row.len()).for_each(|block| {
            for out in block.chunks_exact_mut(row.len()) {
                out.iter_mut().zip(row).for_each(|(x, b)| *x += b);
            }
        });
        Ok((CpuStorage::F32(out), l1.shape().clone()))
    }

    fn bwd(
        &self,
        _: &Tensor,
        row: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let _timed = timed(self.name(), Pass::Backward);
        let sums = column_sums(&cpu(grad)?, row.elem_count());
        Ok((Some(grad.clone()), Some(from_cpu(sums, row.shape(), row)?)))
    }
}

/// Sums over the rows of `x` (rows, `columns`), in one order whatever the number of threads.
pub(super) fn column_sums(x: &[f32], columns: usize) -> Vec<f32> {
    let part = |block: &[f32]| {
        let mut sums = vec![0.0_f32; columns];
        for row in block.chunks_exact(columns) {
            sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
        }
        sums
    };
    let parts: Vec<Vec<f32>> = x.par_chunks(ROWS * columns).map(part).collect();
    parts
        .concat()
        .chunks_exact(columns)
        .fold(vec![0.0; columns], |mut sums, part| {
            sums.iter_mut().zip(part).for_each(|(sum, x)| *sum += x);
            sums
        })
}
