//! Chosen rows: the embeddings of tokens, and the vectors at boundaries on their way into the inner
//! network.

use super::profile::{Pass, timed};
use super::tape::Tape;
use super::{cpu, cuda, from_cpu, slice};
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

/// Numbers of rows, on the host, and on a device once an operation there has asked for them.
#[derive(Clone, Debug)]
pub struct Index {
    rows: Arc<[usize]>,
    device: Arc<OnceLock<Tensor>>,
}

impl From<Vec<usize>> for Index {
    fn from(rows: Vec<usize>) -> Self {
        Index {
            rows: rows.into(),
            device: Arc::default(),
        }
    }
}

impl Deref for Index {
    type Target = [usize];
    fn deref(&self) -> &[usize] {
        &self.rows
    }
}

impl Index {
    /// Numbers that are on a device already, u32.
    pub(super) fn with_device(rows: Vec<usize>, device: Tensor) -> Self {
        Index {
            rows: rows.into(),
            device: Arc::new(device.into()),
        }
    }

    /// The numbers as u32 on the device of `like`; one 0 where there are none, as an empty tensor
    /// has no address.
    pub(super) fn on(&self, like: &Tensor) -> Result<Tensor> {
        if let Some(there) = self
            .device
            .get()
            .filter(|there| there.device().same_device(like.device()))
        {
            return Ok(there.clone());
        }
        let table: Vec<u32> = self.rows.iter().map(|&row| row as u32).collect();
        let there = cuda::upload(like, &table)?;
        let _ = self.device.set(there.clone()); // the first device's are kept
        Ok(there)
    }
}

struct Gather(Index);

/// Rows `index` of `x` (rows, channels), as (index.len(), channels).
pub fn gather_rows(tape: &Tape, x: &Tensor, index: &Index) -> Result<Tensor> {
    if cuda::runs(x) {
        return cuda::rows::gather_rows(tape, x, index);
    }
    tape.apply1(x, Gather(index.clone()))
}

/// Numbers of the rows of `x` (rows) above `threshold`, ascending.
pub fn above(x: &Tensor, threshold: f32) -> Result<Index> {
    if cuda::runs(x) {
        return cuda::rows::above(x, threshold);
    }
    let x = cpu(x)?;
    Ok((0..x.len())
        .filter(|&row| x[row] > threshold)
        .collect::<Vec<_>>()
        .into())
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
            dx[row * d..][..d]
                .iter_mut()
                .zip(g)
                .for_each(|(dx, g)| *dx += g);
        }
        Ok(Some(from_cpu(dx, arg.shape(), arg)?))
    }
}
