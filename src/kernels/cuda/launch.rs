//! Starting a kernel on tensors: on the GPU they live on, or on the CPU through the emulation.

use crate::kernels::profile::{Pass, settle, timed};
use candle_core::op::BackpropOp;
use candle_core::{CpuStorage, DType, Device, Result, Shape, Storage, Tensor};
use half::bf16;
use std::ffi::c_void;

/// Size of a launch. Blocks are one-dimensional.
#[derive(Clone, Copy, Debug)]
pub struct Grid {
    /// Blocks in x, y, z; nothing is launched where one is 0.
    pub blocks: [usize; 3],
    /// Threads of a block, whole warps.
    pub threads: usize,
    /// Bytes of shared memory of a block.
    pub shared: usize,
}

impl Grid {
    /// `blocks` blocks in x.
    pub fn line(blocks: usize, threads: usize, shared: usize) -> Grid {
        Grid {
            blocks: [blocks, 1, 1],
            threads,
            shared,
        }
    }
}

/// An argument of a kernel.
pub enum Arg<'a> {
    /// `const T*` of a contiguous tensor.
    In(&'a Tensor),
    /// `T*`.
    Out(&'a mut Buffer),
    /// `int`.
    Int(usize),
    /// `float`.
    Float(f32),
    /// A null pointer.
    Null,
}

impl<'a> Arg<'a> {
    /// The tensor, or a null pointer.
    pub fn maybe(tensor: Option<&'a Tensor>) -> Arg<'a> {
        tensor.map_or(Arg::Null, Arg::In)
    }
}

/// Elements that kernels are about to write; [`Buffer::tensor`] makes them readable.
pub struct Buffer {
    storage: Storage,
    shape: Shape,
}

/// Elements behind every emulated buffer that no kernel may touch.
const GUARD: usize = 32;

impl Buffer {
    /// Uninitialised elements, f32, bf16 or u32, on the device of `like`.
    pub fn new(like: &Tensor, dtype: DType, shape: impl Into<Shape>) -> Result<Buffer> {
        let shape = shape.into();
        let storage = match like.device() {
            Device::Cpu => Storage::Cpu(poison(dtype, shape.elem_count() + GUARD)?),
            #[cfg(feature = "cuda")]
            Device::Cuda(device) => {
                Storage::Cuda(super::device::alloc(device, dtype, shape.elem_count())?)
            }
            other => candle_core::bail!("no kernels for {other:?}"),
        };
        Ok(Buffer { storage, shape })
    }

    /// Where it is.
    #[cfg(feature = "cuda")]
    pub(super) fn storage(&self) -> &Storage {
        &self.storage
    }

    /// The same, to write to.
    #[cfg(feature = "nccl")]
    pub(super) fn storage_mut(&mut self) -> &mut Storage {
        &mut self.storage
    }

    /// What was written.
    pub fn tensor(self) -> Result<Tensor> {
        let mut storage = self.storage;
        if let Storage::Cpu(cpu) = &mut storage {
            let n = self.shape.elem_count();
            let kept = match cpu {
                CpuStorage::F32(x) => x.drain(n..).all(|x| x.is_nan()),
                CpuStorage::BF16(x) => x.drain(n..).all(|x| x.is_nan()),
                CpuStorage::U32(x) => x.drain(n..).all(|x| x == u32::MAX),
                _ => false,
            };
            if !kept {
                candle_core::bail!("a kernel wrote behind a buffer of {:?}", self.shape);
            }
        }
        Ok(Tensor::from_storage(
            storage,
            self.shape,
            BackpropOp::none(),
            false,
        ))
    }
}

/// NaN, or the largest number, everywhere.
fn poison(dtype: DType, n: usize) -> Result<CpuStorage> {
    Ok(match dtype {
        DType::F32 => CpuStorage::F32(vec![f32::NAN; n]),
        DType::BF16 => CpuStorage::BF16(vec![bf16::NAN; n]),
        DType::U32 => CpuStorage::U32(vec![u32::MAX; n]),
        other => candle_core::bail!("no kernels on {other:?}"),
    })
}

/// Runs the kernel called `name`; `typed` adds the element type that the kernel was made for.
pub fn launch(
    name: &'static str,
    typed: Option<DType>,
    pass: Pass,
    grid: Grid,
    args: &mut [Arg],
) -> Result<()> {
    if grid.blocks.contains(&0) {
        return Ok(());
    }
    let full = match typed {
        None => name.to_owned(),
        Some(DType::F32) => format!("{name}_f32"),
        Some(DType::BF16) => format!("{name}_bf16"),
        Some(other) => candle_core::bail!("{name}: no kernel for {other:?}"),
    };
    let first = args.iter().find_map(|arg| match arg {
        Arg::In(tensor) => Some(tensor.device().clone()),
        Arg::Out(buffer) => Some(buffer.storage.device()),
        _ => None,
    });
    super::LAUNCHES.set(super::launches() + 1);
    first.as_ref().map_or(Ok(()), settle)?; // what candle started before counts for itself
    let _timed = timed(name, pass);
    match first {
        #[cfg(feature = "cuda")]
        Some(Device::Cuda(device)) => super::device::launch(&device, &full, grid, args),
        _ => emulate(&full, grid, args),
    }
}

/// Address of a contiguous tensor's first element on its device, for kernels that read it from a
/// table. The tensor must outlive the launch.
pub fn address(tensor: &Tensor) -> Result<u64> {
    let (storage, layout) = tensor.storage_and_layout();
    match (&*storage, layout.contiguous_offsets()) {
        (Storage::Cpu(cpu), Some((start, _))) => Ok(host_address(cpu, start)? as u64),
        #[cfg(feature = "cuda")]
        (Storage::Cuda(cuda), Some((start, _))) => super::device::address(cuda, start),
        _ => candle_core::bail!("a kernel was given a tensor that is not contiguous"),
    }
}

/// Where the elements of an emulated argument are.
fn host_address(storage: &CpuStorage, start: usize) -> Result<*mut c_void> {
    Ok(match storage {
        CpuStorage::F32(x) => x[start..].as_ptr() as *mut c_void,
        CpuStorage::BF16(x) => x[start..].as_ptr() as *mut c_void,
        CpuStorage::U32(x) => x[start..].as_ptr() as *mut c_void,
        other => candle_core::bail!(
            "no kernels on {:?}",
            candle_core::backend::BackendStorage::dtype(other)
        ),
    })
}

#[cfg(feature = "cuda-emulation")]
fn emulate(name: &str, grid: Grid, args: &mut [Arg]) -> Result<()> {
    let Some((_, entry)) = super::EMULATED.iter().find(|(known, _)| *known == name) else {
        candle_core::bail!("there is no kernel {name}");
    };
    // Every argument as the eight bytes whose address the kernel's caller reads it from.
    let mut words: Vec<u64> = Vec::with_capacity(args.len());
    let mut guards = Vec::new();
    for arg in args.iter_mut() {
        words.push(match arg {
            Arg::In(tensor) => {
                guards.push(tensor.storage_and_layout());
                address(tensor)?
            }
            Arg::Out(buffer) => {
                let Storage::Cpu(cpu) = &mut buffer.storage else {
                    candle_core::bail!("{name}: a buffer is not on the CPU")
                };
                host_address(cpu, 0)? as u64
            }
            Arg::Int(n) => u64::from(u32::try_from(*n).map_err(candle_core::Error::wrap)?),
            Arg::Float(x) => u64::from(x.to_bits()),
            Arg::Null => 0,
        });
    }
    let mut params: Vec<*mut c_void> = words
        .iter_mut()
        .map(|word| std::ptr::from_mut(word).cast())
        .collect();
    let [x, y, z] = grid.blocks;
    let size = [x, y, z, grid.threads].map(|n| n as u32);
    // SAFETY: the kernel's own source says how many arguments it reads and the entry checks their
    // number; buffers are written by one kernel at a time, as `&mut` says, and the emulation runs
    // on this thread.
    unsafe {
        entry(
            size.as_ptr(),
            grid.shared,
            super::reversed(),
            params.as_mut_ptr(),
            params.len(),
        )
    };
    Ok(())
}

#[cfg(not(feature = "cuda-emulation"))]
fn emulate(name: &str, _: Grid, args: &mut [Arg]) -> Result<()> {
    let _ = args;
    candle_core::bail!(
        "{name}: this build has no kernels for the CPU; build with --features cuda-emulation"
    )
}
