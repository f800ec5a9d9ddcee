//! More and fewer channels: on the way into a wider stage, learned constants fill the new ones; on
//! the way out they are dropped.

use super::add::column_sums;
use super::tape::Tape;
use super::{cpu, cuda, from_cpu, slice};
use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor};

struct Extend;

/// (rows, d) and (e) to (rows, d + e): `row` after the channels of every row.
pub fn extend_columns(tape: &Tape, x: &Tensor, row: &Tensor) -> Result<Tensor> {
    if cuda::runs(x) {
        return cuda::linear::extend_columns(tape, x, row);
    }
    tape.apply2(x, row, Extend)
}

impl CustomOp2 for Extend {
    fn name(&self) -> &'static str {
        "extend-columns"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, extra) = (slice(s1, l1)?, slice(s2, l2)?);
        let (rows, d) = l1.shape().dims2()?;
        let mut out = Vec::with_capacity(rows * (d + extra.len()));
        for x in x.chunks_exact(d) {
            out.extend_from_slice(x);
            out.extend_from_slice(extra);
        }
        Ok((CpuStorage::F32(out), (rows, d + extra.len()).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        row: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (d, all) = (x.dim(1)?, grad.dim(1)?);
        let sums = column_sums(&cpu(grad)?, all);
        Ok((
            Some(grad.narrow(1, 0, d)?.contiguous()?),
            Some(from_cpu(sums[d..].to_vec(), row.shape(), row)?),
        ))
    }
}

struct First(usize);

/// The first `columns` channels of every row.
pub fn first_columns(tape: &Tape, x: &Tensor, columns: usize) -> Result<Tensor> {
    if cuda::runs(x) {
        return cuda::linear::first_columns(tape, x, columns);
    }
    tape.apply1(x, First(columns))
}

impl CustomOp1 for First {
    fn name(&self) -> &'static str {
        "first-columns"
    }

    fn cpu_fwd(&self, s: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = slice(s, l)?;
        let (rows, d) = l.shape().dims2()?;
        let mut out = Vec::with_capacity(rows * self.0);
        x.chunks_exact(d)
            .for_each(|x| out.extend_from_slice(&x[..self.0]));
        Ok((CpuStorage::F32(out), (rows, self.0).into()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let (g, d) = (cpu(grad)?, x.dim(1)?);
        let mut dx = vec![0.0_f32; x.elem_count()];
        for (dx, g) in dx.chunks_exact_mut(d).zip(g.chunks_exact(self.0)) {
            dx[..self.0].copy_from_slice(g);
        }
        Ok(Some(from_cpu(dx, x.shape(), x)?))
    }
}
