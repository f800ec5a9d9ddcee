//! Memory and launches on an NVIDIA GPU.

use super::Facts;
use super::launch::{Arg, Grid};
use crate::kernels::profile;
use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::cudarc::driver::result::mem_pool;
use candle_core::cuda_backend::cudarc::driver::{
    CudaSlice, DevicePtr, LaunchConfig, PushKernelArg, result, sys,
};
use candle_core::cuda_backend::{CudaDevice, CudaStorage, CudaStorageSlice, WrapErr};
use candle_core::{DType, Device, Result, Storage};
use std::collections::HashMap;
use std::path::Path;
use std::sync::LazyLock;

/// Shared memory that a block gets without being asked for.
const PLAIN_SHARED: usize = 48 * 1024;

/// Uninitialised elements.
pub(super) fn alloc(device: &CudaDevice, dtype: DType, n: usize) -> Result<CudaStorage> {
    let n = n.max(1); // the driver knows no empty allocation
    // SAFETY: what is read of them was written by a kernel before: that is what a `Buffer` is for.
    let slice = unsafe {
        match dtype {
            DType::F32 => CudaStorageSlice::F32(device.alloc::<f32>(n)?),
            DType::BF16 => CudaStorageSlice::BF16(device.alloc::<half::bf16>(n)?),
            DType::U32 => CudaStorageSlice::U32(device.alloc::<u32>(n)?),
            other => candle_core::bail!("no kernels on {other:?}"),
        }
    };
    Ok(CudaStorage {
        slice,
        device: device.clone(),
    })
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

/// PTX to use in place of the program's own: where `LDAR_PTX` names a folder, what it holds as
/// `MODULE.ptx`, so that a kernel can be mended without building the program again.
static MENDED: LazyLock<HashMap<&str, String>> = LazyLock::new(|| {
    let folder = std::env::var_os("LDAR_PTX").unwrap_or_default();
    let read = |(_, module, _): &(&str, &'static str, &str)| {
        let path = Path::new(&folder).join(format!("{module}.ptx"));
        Some((*module, std::fs::read_to_string(path).ok()?))
    };
    match folder.is_empty() {
        true => HashMap::new(),
        false => super::ASSEMBLED.iter().filter_map(read).collect(),
    }
});

/// Starts a kernel; nothing is waited for.
pub(super) fn launch(device: &CudaDevice, name: &str, grid: Grid, args: &mut [Arg]) -> Result<()> {
    let Some((_, module, ptx)) = super::ASSEMBLED.iter().find(|(known, ..)| *known == name) else {
        candle_core::bail!("there is no kernel {name}");
    };
    let ptx = MENDED.get(module).map_or(*ptx, String::as_str);
    let function = device.get_or_load_custom_func(name, module, ptx)?;
    if grid.shared > PLAIN_SHARED {
        let limit =
            sys::CUdevice_attribute_enum::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN;
        let limit = device.cuda_stream().context().attribute(limit).w()? as usize;
        if grid.shared > limit {
            candle_core::bail!(
                "{name} needs {} bytes of shared memory a block and this GPU has {limit}: use --dtype bf16, or --device cpu",
                grid.shared
            );
        }
        let attribute =
            sys::CUfunction_attribute_enum::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
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
                let Storage::Cuda(cuda) = buffer.storage() else {
                    candle_core::bail!("{name}: a buffer is not on the GPU")
                };
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
    let config = LaunchConfig {
        grid_dim: (x, y, z),
        block_dim: (grid.threads as u32, 1, 1),
        shared_mem_bytes: grid.shared as u32,
    };
    // SAFETY: the addresses are of live allocations of this device, which the stream's order keeps
    // alive until the kernel is done; sizes are what the host function of the operation computed
    // them from, and the same launches run in the emulation, with guards behind every buffer.
    unsafe { builder.launch(config) }.w()?;
    profile::settle(&Device::Cuda(device.clone()))
}

/// Opens a GPU that can run the kernels. Freed memory stays with this process: a forward pass asks
/// for the same again and again.
pub(super) fn open(ordinal: usize) -> Result<Device> {
    let device = Device::new_cuda_with_stream(ordinal)?;
    let cuda = device.as_cuda_device()?;
    let (major, minor) = cuda.cuda_stream().context().compute_capability().w()?;
    if major < 8 {
        candle_core::bail!(
            "its compute capability is {major}.{minor}, and the kernels need 8.0 (A100) or more"
        );
    }
    // SAFETY: all work of this process on the device goes through the one stream of `device`.
    unsafe { cuda.disable_event_tracking() };
    if let Some((name, module, ptx)) = super::ASSEMBLED.first() {
        // An older driver cannot read PTX of a newer toolkit: better said now than in the middle of
        // the work.
        let ptx = MENDED.get(module).map_or(*ptx, String::as_str);
        cuda.get_or_load_custom_func(name, module, ptx)?;
    }
    if let Ok(pool) = pool(&device) {
        let mut all = u64::MAX;
        let threshold = sys::CUmemPool_attribute_enum::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
        // SAFETY: the pool is the device's own, and the attribute is a 64-bit number.
        unsafe { mem_pool::set_attribute(pool, threshold, std::ptr::from_mut(&mut all).cast()) }
            .w()?;
    }
    Ok(device)
}

fn pool(device: &Device) -> Result<sys::CUmemoryPool> {
    let stream = device.as_cuda_device()?.cuda_stream();
    // SAFETY: the context is alive.
    unsafe { result::device::get_default_mem_pool(stream.context().cu_device()) }.w()
}

/// What a GPU says of itself.
pub(super) fn facts(device: &Device) -> Result<Facts> {
    use sys::CUdevice_attribute as Attribute;
    let stream = device.as_cuda_device()?.cuda_stream();
    let context = stream.context();
    let number = |attribute| context.attribute(attribute).map(|n| n as f64).w();
    let processors = number(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?;
    let hertz = 1e3 * number(Attribute::CU_DEVICE_ATTRIBUTE_CLOCK_RATE)?;
    let bits = number(Attribute::CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH)?;
    let memory_hertz = 1e3 * number(Attribute::CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE)?;
    let capability = context.compute_capability().w()?;
    // Dense bf16 products and sums of one multiprocessor in one cycle, by NVIDIA's white papers.
    let per_cycle = match capability {
        (8, 0) => Some(2048.0),
        (9, 0) => Some(4096.0),
        _ => None,
    };
    Ok(Facts {
        name: context.name().w()?,
        capability,
        memory_bytes: context.total_mem().w()? as u64,
        peak_flops: per_cycle.map(|n| n * processors * hertz),
        peak_bytes_per_second: 2.0 * memory_hertz * bits / 8.0,
    })
}

/// Most memory that was in use at once since the last [`reset_peak`], in bytes.
pub(super) fn peak_bytes(device: &Device) -> Result<u64> {
    let mut peak = 0_u64;
    let attribute = sys::CUmemPool_attribute_enum::CU_MEMPOOL_ATTR_USED_MEM_HIGH;
    // SAFETY: the pool is the device's own, and the attribute is a 64-bit number.
    unsafe {
        mem_pool::get_attribute(
            pool(device)?,
            attribute,
            std::ptr::from_mut(&mut peak).cast(),
        )
    }
    .w()?;
    Ok(peak)
}

/// Counts [`peak_bytes`] from what is in use now.
pub(super) fn reset_peak(device: &Device) -> Result<()> {
    let mut zero = 0_u64;
    let attribute = sys::CUmemPool_attribute_enum::CU_MEMPOOL_ATTR_USED_MEM_HIGH;
    // SAFETY: as above; the driver accepts 0 alone.
    unsafe {
        mem_pool::set_attribute(
            pool(device)?,
            attribute,
            std::ptr::from_mut(&mut zero).cast(),
        )
    }
    .w()
}
