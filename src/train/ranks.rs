//! The processes that train one model together: each reads its own part of every batch, and
//! gradients are summed over all (data parallel).
//!
//! MPI starts them and carries the sums (feature `mpi`). On GPUs, NCCL carries those of gradients
//! (feature `nccl`). A process that no launcher started is the only rank.

#[cfg(feature = "mpi")]
mod wire;

use crate::{Error, Result};
use candle_core::{Device, Tensor};

/// Variables in which launchers say how many processes they started: Open MPI; MPICH, Intel MPI and
/// others with PMI; `srun`.
const LAUNCHERS: [&str; 3] = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"];

/// This process among those that train together.
pub struct Ranks {
    rank: usize,
    size: usize,
    /// Number of this process among those on its machine.
    local: usize,
    #[cfg(feature = "mpi")]
    wire: Option<wire::Wire>,
    #[cfg(feature = "nccl")]
    link: std::cell::OnceCell<crate::kernels::cuda::nccl::Link>,
}

/// A sum over all ranks that was asked for.
pub struct Pending(Sum);

enum Sum {
    /// Of the only rank.
    Own(Tensor),
    /// On its way through host memory.
    #[cfg(feature = "mpi")]
    Wire(wire::Reply<f32>, Device),
    /// On its way between GPUs.
    #[cfg(feature = "nccl")]
    Link(crate::kernels::cuda::nccl::InFlight),
}

impl Ranks {
    /// The only rank.
    pub fn alone() -> Ranks {
        Ranks {
            rank: 0,
            size: 1,
            local: 0,
            #[cfg(feature = "mpi")]
            wire: None,
            #[cfg(feature = "nccl")]
            link: std::cell::OnceCell::new(),
        }
    }

    /// This process among those that its launcher (`mpirun`, `srun`) started with it.
    ///
    /// # Errors
    /// There are others, and this build has no MPI, or MPI does not see them.
    pub fn join() -> Result<Ranks> {
        match launched(|name| std::env::var(name).ok()) {
            1 => Ok(Ranks::alone()),
            started => Ranks::of(started),
        }
    }

    #[cfg(not(feature = "mpi"))]
    fn of(started: usize) -> Result<Ranks> {
        Err(Error::Usage(format!(
            "a launcher started {started} processes, and this program was built without MPI: install it with `cargo install --path . --features mpi`, or start one process"
        )))
    }

    #[cfg(feature = "mpi")]
    fn of(started: usize) -> Result<Ranks> {
        let (wire, place) = wire::Wire::open()?;
        if place.size != started {
            return Err(Error::Invalid(format!(
                "the launcher started {started} processes and MPI sees {}: use the launcher of the MPI that this program was built with (for srun, see `srun --mpi=list`)",
                place.size
            )));
        }
        Ok(Ranks {
            rank: place.rank,
            size: place.size,
            local: place.local,
            wire: Some(wire),
            #[cfg(feature = "nccl")]
            link: std::cell::OnceCell::new(),
        })
    }

    /// Number of this process, from 0.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// How many there are.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Number of this process among those on its machine, from 0: the GPU it takes.
    pub fn local(&self) -> usize {
        self.local
    }

    /// Whether this one writes files and says how the work goes.
    pub fn is_first(&self) -> bool {
        self.rank == 0
    }

    /// Prepares sums of tensors on `device`.
    ///
    /// # Errors
    /// Some ranks have a GPU and some have not; NCCL cannot connect the GPUs.
    pub fn connect(&self, device: &Device) -> Result<()> {
        if !self.same(u64::from(device.is_cuda()))? {
            return Err(Error::Invalid(
                "some ranks run on a GPU and some on the CPU: give --device cpu or --device cuda"
                    .into(),
            ));
        }
        #[cfg(feature = "nccl")]
        if self.size > 1 && device.is_cuda() {
            use crate::kernels::cuda::nccl;
            // The first rank's key, spread as a sum in which all others have zeros.
            let key = match self.is_first() {
                true => nccl::key()?.map(f64::from).to_vec(),
                false => vec![0.0; nccl::KEY],
            };
            let key: Vec<u8> = self.sum(key)?.iter().map(|&byte| byte as u8).collect();
            let link = nccl::Link::open(device, self.rank, self.size, &key)?;
            let _ = self.link.set(link); // a second call finds the first one's
        }
        Ok(())
    }

    /// Sums over the ranks, number by number; every rank gets the same bits.
    ///
    /// # Errors
    /// MPI has ended.
    pub fn sum(&self, numbers: Vec<f64>) -> Result<Vec<f64>> {
        #[cfg(feature = "mpi")]
        if let Some(wire) = &self.wire {
            return wire.sum(numbers).wait();
        }
        Ok(numbers)
    }

    /// The largest over the ranks, number by number.
    ///
    /// # Errors
    /// MPI has ended.
    pub fn largest(&self, numbers: Vec<f64>) -> Result<Vec<f64>> {
        #[cfg(feature = "mpi")]
        if let Some(wire) = &self.wire {
            return wire.largest(numbers).wait();
        }
        Ok(numbers)
    }

    /// Whether it holds on any rank.
    ///
    /// # Errors
    /// MPI has ended.
    pub fn any(&self, holds: bool) -> Result<bool> {
        Ok(self.largest(vec![f64::from(u8::from(holds))])? != [0.0])
    }

    /// Whether all ranks have the same number.
    ///
    /// # Errors
    /// MPI has ended.
    pub fn same(&self, number: u64) -> Result<bool> {
        // Halves of 64 bits are exact in f64; the least is the largest of the negative.
        let [high, low] = [number >> 32, number & 0xffff_ffff].map(|half| half as f64);
        let most = self.largest(vec![high, low, -high, -low])?;
        Ok(most[0] == -most[2] && most[1] == -most[3])
    }

    /// Starts the sum over the ranks of a flat tensor of f32; sums of tensors are started in the
    /// same order on every rank.
    ///
    /// # Errors
    /// The tensor cannot be read.
    pub fn start_sum(&self, own: Tensor) -> candle_core::Result<Pending> {
        #[cfg(feature = "nccl")]
        if let Some(link) = self.link.get() {
            return Ok(Pending(Sum::Link(link.start_sum(own)?)));
        }
        #[cfg(feature = "mpi")]
        if let Some(wire) = &self.wire {
            let (numbers, device) = (own.to_vec1()?, own.device().clone());
            return Ok(Pending(Sum::Wire(wire.sum(numbers), device)));
        }
        Ok(Pending(Sum::Own(own)))
    }

    /// Ends all ranks at once: this one failed, and the others would wait for it. The only rank
    /// just goes on to its end.
    pub fn abort(&self) {
        #[cfg(feature = "mpi")]
        if let Some(wire) = &self.wire {
            wire.abort();
        }
    }
}

impl Pending {
    /// Waits for the sum; it is where the tensor was.
    ///
    /// # Errors
    /// MPI has ended, or memory for it is lacking.
    pub fn wait(self) -> Result<Tensor> {
        match self.0 {
            Sum::Own(own) => Ok(own),
            #[cfg(feature = "mpi")]
            Sum::Wire(reply, device) => {
                let sum = reply.wait()?;
                let n = sum.len();
                Ok(Tensor::from_vec(sum, n, &device)?)
            }
            #[cfg(feature = "nccl")]
            Sum::Link(sum) => Ok(sum.wait()?),
        }
    }
}

/// How many processes a launcher started with this one, by its variables.
fn launched(variable: impl Fn(&str) -> Option<String>) -> usize {
    LAUNCHERS
        .iter()
        .find_map(|name| variable(name)?.parse().ok())
        .unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn launchers_are_known_by_what_they_set() {
        let of = |set: &'static [(&str, &str)]| {
            launched(move |name| {
                let found = set.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_string())
            })
        };
        assert_eq!(of(&[]), 1);
        assert_eq!(of(&[("OMPI_COMM_WORLD_SIZE", "4")]), 4);
        assert_eq!(of(&[("PMI_SIZE", "3")]), 3);
        // Of a batch script itself `srun` says nothing yet.
        assert_eq!(of(&[("SLURM_NTASKS", "8")]), 1);
        assert_eq!(of(&[("SLURM_STEP_NUM_TASKS", "8")]), 8);
        assert_eq!(of(&[("PMI_SIZE", "many")]), 1);
    }

    #[test]
    fn the_only_rank_has_the_sums() {
        let ranks = Ranks::alone();
        assert_eq!((ranks.rank(), ranks.size(), ranks.local()), (0, 1, 0));
        assert_eq!(ranks.sum(vec![1.5, -2.0]).unwrap(), [1.5, -2.0]);
        assert!(ranks.any(true).unwrap() && !ranks.any(false).unwrap());
        assert!(ranks.same(u64::MAX).unwrap());
        let own = Tensor::new(&[1.0_f32, 2.0], &Device::Cpu).unwrap();
        let sum = ranks.start_sum(own).unwrap().wait().unwrap();
        assert_eq!(sum.to_vec1::<f32>().unwrap(), [1.0, 2.0]);
        ranks.abort();
    }
}
