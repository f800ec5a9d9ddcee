//! Another number format, for activations and weights inside blocks.

use super::tape::Tape;
use candle_core::{DType, Result, Tensor};

/// `x` in `dtype`; its gradient comes back in the format of `x`.
pub fn cast(tape: &Tape, x: &Tensor, dtype: DType) -> Result<Tensor> {
    if x.dtype() == dtype {
        return Ok(x.clone());
    }
    let out = x.to_dtype(dtype)?;
    let (id, from) = (x.id(), x.dtype());
    tape.record(&out, move |grad, grads| {
        grads.add_to(id, grad.to_dtype(from)?)
    });
    Ok(out)
}
