//! Memory and launches on an NVIDIA GPU.

use super::launch::{Arg, Grid};
use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, DevicePtr, LaunchConfig, PushKernelArg, sys};
use candle_core::cuda_backend::{CudaDevice, CudaStorage, CudaStorageSlice, WrapErr};
use candle_core::{DType, Result, Storage};

/// Shared memory that a block gets without being asked for.
const PLAIN_SHARED: usize = 48 * 1024;

/// Uninitialised elements.
pub(super) fn alloc(device: &CudaDevice, dtype: DType, n: usize) -> Result<CudaStorage> {
    // SAFETY: what is read of them was written by a kernel before: that is what a `Buffer` is for.
    let slice = unsafe {
        match dtype {
            DType::F32 => CudaStorageSlice::F32(device.alloc::<f32>(n)?),
            DType::BF16 => CudaStorageSlice::BF16(device.alloc::<half::bf16>(n)?),
            DType::U32 => CudaStorageSlice::U32(device.alloc::<u32>(n)?),
            other => candle_core::bail!("no kernels on {other:?}"),
        }
    };
    Ok(CudaStorage { slice, device: device.clone() })
}

/// Address of the element `start`, on the stream that all work of a device goes through.
pub(super) fn address(storage: &CudaStorage, start: usize) -> Result<u64> {
    fn of<T>(slice: &CudaSlice<T>, start: usize) -> u64 {
        let (pointer, _used) = slice.device_ptr(slice.stream());
        pointer + (start * size_of::<T>()) as u64
    }
    Ok(match &storage.slice {
        CudaStorageSlice::F32(x) => of(x, start),
        CudaStorageSlice::BF16(x) => of(x, start),
        CudaStorageSlice::U32(x) => of(x, start),
        _ => candle_core::bail!("no kernels on {:?}", storage.dtype()),
    })
}

/// An argument as the driver reads it.
enum Word {
    Address(u64),
    Int(i32),
    Float(f32),
}

/// Starts a kernel; nothing is waited for.
pub(super) fn launch(device: &CudaDevice, name: &str, grid: Grid, args: &mut [Arg]) -> Result<()> {
    let Some((_, module, ptx)) = super::ASSEMBLED.iter().find(|(known, ..)| *known == name) else {
        candle_core::bail!("there is no kernel {name}");
    };
    let function = device.get_or_load_custom_func(name, module, ptx)?;
    if grid.shared > PLAIN_SHARED {
        let attribute = sys::CUfunction_attribute_enum::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
        function.set_attribute(attribute, grid.shared as i32).w()?;
    }
    let mut guards = Vec::new();
    let mut words = Vec::with_capacity(args.len());
    for arg in args.iter_mut() {
        words.push(match arg {
            Arg::In(tensor) => {
                guards.push(tensor.storage_and_layout());
                Word::Address(super::launch::address(tensor)?)
            }
            Arg::Out(buffer) => {
                let Storage::Cuda(cuda) = buffer.storage() else { candle_core::bail!("{name}: a buffer is not on the GPU") };
                Word::Address(address(cuda, 0)?)
            }
            Arg::Int(n) => Word::Int(i32::try_from(*n).map_err(candle_core::Error::wrap)?),
            Arg::Float(x) => Word::Float(*x),
            Arg::Null => Word::Address(0),
        });
    }
    let mut builder = function.builder();
    for word in &words {
        match word {
            Word::Address(x) => builder.arg(x),
            Word::Int(x) => builder.arg(x),
            Word::Float(x) => builder.arg(x),
        };
    }
    let [x, y, z] = grid.blocks.map(|n| n as u32);
    let config = LaunchConfig { grid_dim: (x, y, z), block_dim: (grid.threads as u32, 1, 1), shared_mem_bytes: grid.shared as u32 };
    // SAFETY: the addresses are of live allocations of this device, which the stream's order keeps alive until the kernel is done; sizes are what
    // the host function of the operation computed them from, and the same launches run in the emulation, with guards behind every buffer.
    unsafe { builder.launch(config) }.w()?;
    Ok(())
}
