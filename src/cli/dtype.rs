//! `--dtype`: the precision of the projections in inference.

use crate::model::Precision;
use clap::ValueEnum;

/// The option, for every command that runs a model.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Dtype {
    /// Precision of the model's projections; everything else, and every sum, is f32
    #[arg(long, value_name = "TYPE", value_enum, default_value_t = Type::F32)]
    dtype: Type,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Type {
    /// Exact
    #[value(name = "f32")]
    F32,
    /// Each number as the sum of two bf16: nearly exact, faster than f32 with AMX only (elsewhere f32 is run)
    #[value(name = "bf16x3")]
    Bf16x3,
    /// Each number as one bf16: boundary probabilities move in the third digit; faster with AMX or AVX-512-BF16 (elsewhere f32 is run)
    #[value(name = "bf16")]
    Bf16,
}

impl Dtype {
    /// The precision that was asked for; says so on standard error where this machine runs f32 instead.
    pub fn precision(self) -> Precision {
        let (asked, needs) = match self.dtype {
            Type::F32 => return Precision::F32,
            Type::Bf16x3 => (Precision::Bf16x3, "AMX"),
            Type::Bf16 => (Precision::Bf16, "AMX or AVX-512-BF16"),
        };
        if asked.arithmetic().precision() != asked {
            eprintln!("--dtype {asked} gains nothing on a processor without {needs}: running in f32");
        }
        asked
    }
}
