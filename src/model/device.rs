//! Where a model runs.

use crate::kernels::cuda;
use crate::{Error, Result};
pub use candle_core::Device;
use candle_core::DeviceLocation;
use std::str::FromStr;

/// A device as asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// An NVIDIA GPU where this build and this machine have one, else the CPU.
    Auto,
    /// The CPU.
    Cpu,
    /// An NVIDIA GPU, if by number that one.
    Cuda(Option<usize>),
}

impl FromStr for Choice {
    type Err = String;

    /// `auto`, `cpu`, `cuda`, `cuda:1`.
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match (text, text.strip_prefix("cuda:").map(str::parse::<u16>)) {
            ("auto", _) => Ok(Choice::Auto),
            ("cpu", _) => Ok(Choice::Cpu),
            ("cuda", _) => Ok(Choice::Cuda(None)),
            (_, Some(Ok(number))) => Ok(Choice::Cuda(Some(number.into()))),
            _ => Err(
                "a device is auto, cpu, cuda, or cuda:N with the number of a GPU from 0 on".into(),
            ),
        }
    }
}

impl Choice {
    /// Opens the device for the process of number `local` among those of a run on this machine: of
    /// its GPUs they take one after the other, where none is asked for by number. In a build with
    /// CUDA, `say` is told what `auto` found.
    ///
    /// # Errors
    /// A GPU is asked for, and this build or this machine has none.
    pub fn open(self, local: usize, say: &dyn Fn(&str)) -> Result<Device> {
        let built = cfg!(feature = "cuda");
        let own = || local % cuda::count().max(1);
        match self {
            Choice::Cpu => Ok(Device::Cpu),
            Choice::Auto if !built => Ok(Device::Cpu),
            Choice::Auto => Ok(match cuda::open(own()) {
                Ok(device) => {
                    say(&format!("running on the GPU {}", name(&device)));
                    device
                }
                Err(e) => {
                    say(&format!("running on the CPU: no usable GPU ({})", first_line(&e)));
                    Device::Cpu
                }
            }),
            Choice::Cuda(_) if !built => Err(Error::Usage(
                "--device cuda: this program was built without CUDA; install it with `cargo install --path . --features cuda`".into(),
            )),
            Choice::Cuda(number) => {
                let number = number.unwrap_or_else(own);
                cuda::open(number).map_err(|e| {
                    let why = first_line(&e);
                    Error::Invalid(format!("--device cuda:{number}: no such GPU, or its driver does not answer ({why}); see nvidia-smi"))
                })
            }
        }
    }
}

/// A device as [`Choice`] names it: `cpu`, `cuda:0`.
pub fn name(device: &Device) -> String {
    match device.location() {
        DeviceLocation::Cuda { gpu_id } => format!("cuda:{gpu_id}"),
        DeviceLocation::Metal { gpu_id } => format!("metal:{gpu_id}"),
        DeviceLocation::Cpu => "cpu".into(),
    }
}

/// What an error says before its backtrace.
fn first_line(error: &candle_core::Error) -> String {
    error
        .to_string()
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_by_name() {
        let parsed = ["auto", "cpu", "cuda", "cuda:3"].map(|text| text.parse::<Choice>().unwrap());
        assert_eq!(
            parsed,
            [
                Choice::Auto,
                Choice::Cpu,
                Choice::Cuda(None),
                Choice::Cuda(Some(3))
            ]
        );
        for bad in [
            "",
            "gpu",
            "cuda:",
            "cuda:-1",
            "cuda:x",
            "cuda:4294967296",
            "CPU",
        ] {
            assert!(
                bad.parse::<Choice>().unwrap_err().contains("cuda:N"),
                "{bad}"
            );
        }
        assert_eq!(
            name(&Choice::Cpu.open(0, &|_| panic!("nothing to say")).unwrap()),
            "cpu"
        );
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_plain_build_has_no_gpu() {
        assert!(
            Choice::Auto
                .open(0, &|_| panic!("nothing to say"))
                .unwrap()
                .is_cpu()
        );
        assert!(
            Choice::Cuda(Some(0))
                .open(0, &|_| ())
                .unwrap_err()
                .to_string()
                .contains("--features cuda")
        );
    }
}
