//! `--device` and `--dtype`: where a model runs, and in which precision.

use super::stderr::say;
use crate::error::{Error, Result};
use crate::model::device::{Choice, Device};
use crate::model::{Checkpoint, LdarNet, Precision};
use clap::ValueEnum;

/// The options, for every command that runs a model.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Compute {
    /// Where the model runs: auto (the first NVIDIA GPU where this build and this machine have
    /// one), cpu, cuda, cuda:1, ...
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    device: Choice,
    /// Precision: on a CPU of the projections' operands, on a GPU of all activations inside layers;
    /// sums, the residual stream and the routing are f32 always [default: f32 on a CPU, bf16 on a
    /// GPU]
    #[arg(long, value_name = "TYPE", value_enum)]
    dtype: Option<Type>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Type {
    /// Exact
    #[value(name = "f32")]
    F32,
    /// Each number as the sum of two bf16: nearly exact, faster than f32 on a CPU with AMX only
    /// (elsewhere f32 is run)
    #[value(name = "bf16x3")]
    Bf16x3,
    /// Each number as one bf16: boundary probabilities move in the third digit; faster on a GPU,
    /// and on a CPU with AMX or AVX-512-BF16 (elsewhere f32 is run)
    #[value(name = "bf16")]
    Bf16,
}

impl Compute {
    /// Opens the device that was asked for; `auto` says on standard error which it found, in a
    /// build that can run on a GPU.
    pub fn device(self) -> Result<Device> {
        self.device_of(0)
    }

    /// The same for one of several processes on this machine: each takes another GPU.
    pub fn device_of(self, local: usize) -> Result<Device> {
        self.device.open(local, &say)
    }

    /// The precision that was asked for on `device`; says so on standard error where f32 is run
    /// instead.
    pub fn precision(self, device: &Device) -> Precision {
        let (asked, needs) = match (self.dtype, device.is_cpu()) {
            (None, true) | (Some(Type::F32), _) => return Precision::F32,
            (None | Some(Type::Bf16), false) => return Precision::Bf16,
            (Some(Type::Bf16x3), _) => (Precision::Bf16x3, "a processor with AMX"),
            (Some(Type::Bf16), true) => (
                Precision::Bf16,
                "a GPU, or a processor with AMX or AVX-512-BF16",
            ),
        };
        if !device.is_cpu() || asked.arithmetic().precision() != asked {
            say(&format!(
                "--dtype {asked} gains nothing without {needs}: running in f32"
            ));
        }
        asked
    }

    /// The same for training, which is f32 on a CPU.
    ///
    /// # Errors
    /// Another was asked for there.
    pub fn training_precision(self, device: &Device) -> Result<Precision> {
        match self.dtype {
            Some(dtype) if device.is_cpu() && dtype != Type::F32 => Err(Error::Usage(
                "--dtype: on a CPU, training runs in f32".into(),
            )),
            _ => Ok(self.precision(device)),
        }
    }

    /// The model of a checkpoint on `device`, in the precision that was asked for.
    pub fn model(self, checkpoint: &Checkpoint, device: &Device) -> Result<LdarNet> {
        let mut model = checkpoint.model_on(device)?;
        model.set_precision(self.precision(device))?;
        Ok(model)
    }
}
