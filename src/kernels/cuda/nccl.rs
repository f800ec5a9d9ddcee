//! Sums of tensors over the GPUs of several processes, by NCCL. They run on a stream of their own,
//! beside what the device computes.

use super::launch::Buffer;
use candle_core::cuda_backend::cudarc::driver::{CudaEvent, CudaStream};
use candle_core::cuda_backend::cudarc::nccl::{Comm, Id, ReduceOp};
use candle_core::cuda_backend::{CudaStorageSlice, WrapErr};
use candle_core::{DType, Device, Error, Result, Storage, Tensor};
use std::sync::Arc;

/// Bytes of a key.
pub const KEY: usize = 128;

/// What all processes that are to be linked must know, made by one of them.
///
/// # Errors
/// NCCL does not start.
pub fn key() -> Result<[u8; KEY]> {
    let id = Id::new().map_err(failed)?;
    Ok(id.internal().map(|byte| byte as u8))
}

fn failed(error: impl std::fmt::Debug) -> Error {
    Error::Msg(format!("NCCL: {error:?}"))
}

/// This process's GPU among those of all.
pub struct Link {
    gpus: Comm,
    /// Where sums run.
    own: Arc<CudaStream>,
    /// Where everything else does.
    compute: Arc<CudaStream>,
}

/// A sum on its way. What is summed lives until it is there: freed memory is reused in the order of
/// the other stream.
pub struct InFlight {
    _summed: Tensor,
    sum: Buffer,
    done: CudaEvent,
    compute: Arc<CudaStream>,
}

impl Link {
    /// Links the GPUs of `size` processes, of which this is number `rank`; returns on all at once.
    ///
    /// # Errors
    /// They do not find each other, or two of them are one.
    pub fn open(device: &Device, rank: usize, size: usize, key: &[u8]) -> Result<Link> {
        let compute = device.as_cuda_device()?.cuda_stream();
        let own = compute.context().new_stream().w()?;
        let mut internal = [0; KEY];
        for (to, from) in internal.iter_mut().zip(key) {
            *to = *from as std::ffi::c_char;
        }
        let gpus = Comm::from_rank(own.clone(), rank, size, Id::uninit(internal))
            .map_err(|e| failed(e).context("each process needs a GPU of its own"))?;
        Ok(Link { gpus, own, compute })
    }

    /// Starts the sum over the processes of a contiguous tensor of f32, as soon as it is made.
    ///
    /// # Errors
    /// Memory is lacking, or NCCL fails.
    pub fn start_sum(&self, summed: Tensor) -> Result<InFlight> {
        let mut sum = Buffer::new(&summed, DType::F32, summed.shape().clone())?;
        let made = self.compute.record_event(None).w()?;
        self.own.wait(&made).w()?;
        {
            let (storage, layout) = summed.storage_and_layout();
            let (Storage::Cuda(from), Some((start, end))) =
                (&*storage, layout.contiguous_offsets())
            else {
                candle_core::bail!("NCCL sums contiguous tensors on a GPU");
            };
            let Storage::Cuda(to) = sum.storage_mut() else {
                candle_core::bail!("NCCL: a buffer is not on the GPU");
            };
            let (CudaStorageSlice::F32(from), CudaStorageSlice::F32(to)) =
                (&from.slice, &mut to.slice)
            else {
                candle_core::bail!("NCCL sums tensors of f32");
            };
            self.gpus
                .all_reduce(&from.slice(start..end), to, &ReduceOp::Sum)
                .map_err(failed)?;
        }
        Ok(InFlight {
            _summed: summed,
            sum,
            done: self.own.record_event(None).w()?,
            compute: self.compute.clone(),
        })
    }
}

impl InFlight {
    /// The sum; what the device does next waits for it, this thread does not.
    ///
    /// # Errors
    /// The driver fails.
    pub fn wait(self) -> Result<Tensor> {
        self.compute.wait(&self.done).w()?;
        self.sum.tensor()
    }
}
