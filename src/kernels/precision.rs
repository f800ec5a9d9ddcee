//! The numbers that matrix products are made of, and what this machine makes them with.

use candle_core::DType;
use std::fmt;
use std::sync::OnceLock;

/// What the operands of a projection are rounded to. Products are summed in f32 in every case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Not at all.
    #[default]
    F32,
    /// The sum of two bf16 numbers, about 17 bits of significand: three products for one.
    Bf16x3,
    /// One bf16 number, 8 bits of significand.
    Bf16,
}

impl Precision {
    /// How this machine makes products of this precision.
    ///
    /// Without a matrix unit three bf16 products are slower than one in f32 and less exact:
    /// `Bf16x3` is then run as `F32`.
    pub fn arithmetic(self) -> Arithmetic {
        let unit = match (self, best()) {
            (Precision::F32, _) | (Precision::Bf16x3, Unit::Avx512) => Unit::Vector,
            (_, unit) => unit,
        };
        Arithmetic {
            precision: if unit == Unit::Vector {
                Precision::F32
            } else {
                self
            },
            unit,
        }
    }

    /// How a GPU does, for activations as for weights: `Bf16x3` is run as `F32`. Where training
    /// changes the weights, they are rounded anew in every pass.
    pub fn on_device(self, training: bool) -> Arithmetic {
        let unit = if training {
            Unit::TrainingDevice
        } else {
            Unit::Device
        };
        Arithmetic {
            precision: if self == Precision::Bf16 {
                self
            } else {
                Precision::F32
            },
            unit,
        }
    }

    /// Numbers that stand for one f32.
    pub(super) fn parts(self) -> usize {
        if self == Precision::Bf16x3 { 2 } else { 1 }
    }

    /// Which parts of the left and the right operand are multiplied, the least first; part 0 is the
    /// larger.
    pub(super) fn products(self) -> &'static [(usize, usize)] {
        if self == Precision::Bf16x3 {
            &[(1, 0), (0, 1), (0, 0)]
        } else {
            &[(0, 0)]
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Precision::F32 => "f32",
            Precision::Bf16x3 => "bf16x3",
            Precision::Bf16 => "bf16",
        })
    }
}

/// What multiplies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Unit {
    /// f32 vectors: [`super::gemm`].
    #[default]
    Vector,
    /// `VDPBF16PS`.
    Avx512,
    /// `TDPBF16PS`.
    Amx,
    /// cuBLAS and the kernels of [`super::cuda`].
    Device,
    /// The same on weights that change.
    TrainingDevice,
    /// The program of the AMX tiles, read by an interpreter.
    #[cfg(test)]
    Emulated,
}

/// A precision and what runs it; prints as `f32`, `bf16 (AVX-512-BF16)`, `bf16 (AMX)`, `bf16x3
/// (AMX)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arithmetic {
    pub(super) precision: Precision,
    pub(super) unit: Unit,
}

impl Arithmetic {
    /// What the operands are rounded to: `F32` where the machine has nothing for what was asked.
    pub fn precision(self) -> Precision {
        self.precision
    }

    /// Whether a GPU runs it.
    pub fn on_device(self) -> bool {
        matches!(self.unit, Unit::Device | Unit::TrainingDevice)
    }

    /// Whether a GPU runs it and nothing changes the weights: what is made of them is kept.
    pub fn keeps_weights(self) -> bool {
        self.unit == Unit::Device
    }

    /// Whether a GPU's weights can be rounded once and for all.
    pub fn rounds_weights_once(self) -> bool {
        self.keeps_weights() && self.precision == Precision::Bf16
    }

    /// The number format of activations inside layers.
    pub fn activations(self) -> DType {
        if self.on_device() && self.precision == Precision::Bf16 {
            DType::BF16
        } else {
            DType::F32
        }
    }

    /// The AMX program on the interpreter.
    #[cfg(test)]
    pub fn emulated(precision: Precision) -> Self {
        Arithmetic {
            precision,
            unit: Unit::Emulated,
        }
    }
}

impl fmt::Display for Arithmetic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.unit {
            Unit::Vector => write!(f, "{}", self.precision),
            Unit::Avx512 => write!(f, "{} (AVX-512-BF16)", self.precision),
            Unit::Amx => write!(f, "{} (AMX)", self.precision),
            Unit::Device | Unit::TrainingDevice => write!(f, "{} (CUDA)", self.precision),
            #[cfg(test)]
            Unit::Emulated => write!(f, "{} (emulated)", self.precision),
        }
    }
}

/// The fastest unit for bf16 that this machine has.
fn best() -> Unit {
    static BEST: OnceLock<Unit> = OnceLock::new();
    *BEST.get_or_init(|| {
        #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
        if super::bf16::amx::available() {
            return Unit::Amx;
        }
        #[cfg(target_arch = "x86_64")]
        if super::bf16::avx512::available() {
            return Unit::Avx512;
        }
        Unit::Vector
    })
}
