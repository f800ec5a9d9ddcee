//! The fused operations of the model, each a candle custom operation with its gradient.
//!
//! Sequences of a batch are packed one after another along the rows, so nothing is ever padded and
//! no sequence can see another. Every fast version is held against the readable one in
//! [`mod@reference`].

pub mod adamw;
pub mod add;
pub mod attention;
pub mod bf16;
pub mod bimamba;
pub mod cast;
#[cfg(test)]
mod check;
pub mod columns;
pub mod cuda;
pub mod dechunk;
pub mod gather;
pub mod gemm;
pub mod linear;
pub mod loss;
pub mod norm;
pub mod pool;
pub mod precision;
pub mod profile;
pub mod reference;
pub mod routing;
mod simd;
pub mod ssd;
pub mod swiglu;
pub mod tape;

use candle_core::{CpuStorage, Device, Layout, Result, Shape, Tensor};
use std::ops::Range;
use std::sync::Arc;

/// Rows of each sequence of a packed batch, ascending and without gaps.
pub type Seqs = Arc<[Range<usize>]>;

/// Added to the mean square in every RMSNorm.
pub const EPS: f32 = 1e-5;

/// Rows that one parallel task of a row-wise operation takes. Fixed, so that sums over rows have
/// the same order on every machine.
const ROWS: usize = 64;

/// Parallel tasks write the rows of their sequence, so sequences must follow one another.
fn check_seqs(seqs: &Seqs, rows: usize) -> Result<()> {
    let mut end = 0;
    for seq in seqs.iter() {
        if seq.start < end || seq.end < seq.start || seq.end > rows {
            candle_core::bail!("sequences {seqs:?} do not follow one another within {rows} rows");
        }
        end = seq.end;
    }
    Ok(())
}

/// The contiguous elements of a CPU argument.
fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let data = storage.as_slice::<f32>()?;
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&data[start..end]),
        None => candle_core::bail!("a fused operation was given a tensor that is not contiguous"),
    }
}

/// A copy-free view of a contiguous CPU tensor, or a contiguous copy of another.
enum Elements<'a> {
    Borrowed(
        Box<dyn std::ops::Deref<Target = candle_core::Storage> + 'a>,
        Range<usize>,
    ),
    Owned(Vec<f32>),
}

impl std::ops::Deref for Elements<'_> {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        match self {
            Elements::Borrowed(guard, range) => match &***guard {
                candle_core::Storage::Cpu(CpuStorage::F32(data)) => &data[range.clone()],
                _ => &[],
            },
            Elements::Owned(data) => data,
        }
    }
}

/// The elements of a tensor in a backward pass.
fn cpu(tensor: &Tensor) -> Result<Elements<'_>> {
    let (guard, layout) = tensor.storage_and_layout();
    if let (candle_core::Storage::Cpu(CpuStorage::F32(_)), Some((start, end))) =
        (&*guard, layout.contiguous_offsets())
    {
        return Ok(Elements::Borrowed(Box::new(guard), start..end));
    }
    drop(guard);
    Ok(Elements::Owned(tensor.flatten_all()?.to_vec1::<f32>()?))
}

/// A gradient as a tensor on the device of the argument it belongs to.
fn from_cpu(data: Vec<f32>, shape: &Shape, like: &Tensor) -> Result<Tensor> {
    let tensor = Tensor::from_vec(data, shape, &Device::Cpu)?;
    if like.device().is_cpu() {
        Ok(tensor)
    } else {
        tensor.to_device(like.device())
    }
}
