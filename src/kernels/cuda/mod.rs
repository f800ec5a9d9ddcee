//! The same operations as CUDA kernels: `NAME.cu` holds the kernels, `NAME.rs` starts them and
//! notes the way back on the tape.
//!
//! Activations inside blocks are f32 or bf16, as the tensors say; the residual stream, sums,
//! softmax, scan states, routing and dechunking are f32 always. The host side is compiled in every
//! build, so that it cannot rot; kernels are there with the features `cuda` (for a GPU, by nvcc)
//! and `cuda-emulation` (for the CPU, by a C++ compiler: the same sources, run one fiber per CUDA
//! thread, for tests).
//!
//! nvcc makes PTX of them when the program is built, for compute capability 8.0, and the program
//! holds it; the driver translates it for its GPU and remembers that. candle's own kernels need
//! nvcc then anyway; compiling at first use would need NVRTC on every user's machine besides. With
//! `LDAR_PTX=DIR` the files `DIR/NAME.ptx`, all of them, take the place of what the program holds:
//! changed kernels are tried out without building it again.

pub mod adamw;
pub mod attention;
pub mod bimamba;
pub mod dechunk;
#[cfg(feature = "cuda")]
mod device;
pub mod launch;
pub mod linear;
pub mod loss;
#[cfg(feature = "nccl")]
pub mod nccl;
pub mod norm;
pub mod routing;
pub mod rows;
pub mod swiglu;

use candle_core::{Device, Result, Tensor};
use std::cell::{Cell, RefCell};

#[cfg(feature = "cuda")]
include!(concat!(env!("OUT_DIR"), "/assembled.rs"));
#[cfg(feature = "cuda-emulation")]
type Entry = unsafe extern "C" fn(*const u32, usize, bool, *mut *mut std::ffi::c_void, usize);
#[cfg(feature = "cuda-emulation")]
mod emulated {
    use super::Entry;
    use std::ffi::c_void;
    include!(concat!(env!("OUT_DIR"), "/emulated.rs"));
}
#[cfg(feature = "cuda-emulation")]
use emulated::EMULATED;

/// In which order emulated warps and lanes run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// From the first on.
    Ascending,
    /// From the last on.
    Descending,
}

/// Whether this build can run kernels on the CPU.
pub const EMULATES: bool = cfg!(feature = "cuda-emulation");

thread_local! {
    static TABLES_KEPT: RefCell<Vec<(Vec<u32>, Tensor)>> = const { RefCell::new(Vec::new()) };
    static LAUNCHES: Cell<u64> = const { Cell::new(0) };
    /// Whether operations on this thread's CPU tensors go through the emulation.
    static EMULATION: Cell<Option<Order>> = Cell::new(
        (EMULATES && std::env::var_os("LDAR_EMULATE_CUDA").is_some()).then_some(Order::Ascending),
    );
}

/// Runs `work` with every operation on CPU tensors made by the emulated kernels;
/// `LDAR_EMULATE_CUDA=1` does so for a whole process.
pub fn emulated<T>(order: Order, work: impl FnOnce() -> T) -> T {
    let before = EMULATION.replace(Some(order));
    let out = work();
    EMULATION.set(before);
    out
}

/// Kernels that this thread has started.
pub fn launches() -> u64 {
    LAUNCHES.get()
}

/// Whether operations on this tensor are made by kernels.
pub fn runs(x: &Tensor) -> bool {
    x.device().is_cuda() || EMULATION.get().is_some()
}

/// Whether emulated warps run from the last on.
#[cfg(feature = "cuda-emulation")]
fn reversed() -> bool {
    EMULATION.get() == Some(Order::Descending)
}

/// What a GPU says of itself.
#[derive(Clone, Debug)]
pub struct Facts {
    /// As NVIDIA sells it.
    pub name: String,
    /// Compute capability.
    pub capability: (i32, i32),
    /// Memory.
    pub memory_bytes: u64,
    /// Dense bf16 FLOP/s of its tensor cores at its highest clock, where the number per cycle is
    /// known.
    pub peak_flops: Option<f64>,
    /// Bytes per second of its memory at its highest clock.
    pub peak_bytes_per_second: f64,
}

/// How many GPUs this build and this machine have.
pub fn count() -> usize {
    #[cfg(feature = "cuda")]
    return device::count();
    #[cfg(not(feature = "cuda"))]
    0
}

/// Opens a GPU.
///
/// # Errors
/// There is none of that number, its driver does not answer, or this build has no CUDA.
pub fn open(ordinal: usize) -> Result<Device> {
    #[cfg(feature = "cuda")]
    return device::open(ordinal);
    #[cfg(not(feature = "cuda"))]
    Device::new_cuda(ordinal)
}

/// What a GPU says of itself; `None` for the CPU.
pub fn facts(device: &Device) -> Option<Facts> {
    #[cfg(feature = "cuda")]
    if device.is_cuda() {
        return device::facts(device).ok();
    }
    let _ = device;
    None
}

/// Most memory that was in use at once on a GPU since [`reset_peak`], in bytes; `None` for the CPU.
pub fn peak_bytes(device: &Device) -> Option<u64> {
    #[cfg(feature = "cuda")]
    if device.is_cuda() {
        return device::peak_bytes(device).ok();
    }
    let _ = device;
    None
}

/// Counts [`peak_bytes`] from what is in use now.
pub fn reset_peak(device: &Device) {
    #[cfg(feature = "cuda")]
    if device.is_cuda() {
        let _ = device::reset_peak(device); // without it the peak is that of the process
    }
    let _ = device;
}

/// A small table for a kernel, as [`upload`] gives it; the last ones are kept, as every layer of a
/// stack asks for the same, and copies from the host may wait for the device.
pub(super) fn kept_table(like: &Tensor, table: &[u32]) -> Result<Tensor> {
    const TABLES: usize = 24;
    const WORDS: usize = 1 << 16;
    if table.len() > WORDS {
        return upload(like, table);
    }
    let device = like.device();
    let known = TABLES_KEPT.with_borrow(|kept| {
        kept.iter()
            .find(|(words, there)| words == table && there.device().same_device(device))
            .map(|(_, there)| there.clone())
    });
    if let Some(there) = known {
        return Ok(there);
    }
    let there = upload(like, table)?;
    TABLES_KEPT.with_borrow_mut(|kept| {
        kept.truncate(TABLES - 1);
        kept.insert(0, (table.to_vec(), there.clone()));
    });
    Ok(there)
}

/// A table for a kernel, on the device of `like`.
pub(super) fn upload(like: &Tensor, table: &[u32]) -> Result<Tensor> {
    // An empty tensor has no address.
    let table = if table.is_empty() { &[0] } else { table };
    Tensor::from_slice(table, table.len(), like.device())
}

#[cfg(all(test, feature = "cuda-emulation"))]
mod tests;
