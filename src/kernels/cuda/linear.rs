//! What candle's own operations and cuBLAS do: products with weights, and channels added or cut.

use super::norm::column_sums;
use crate::kernels::cast::cast;
use crate::kernels::profile::{Pass, settle, timed};
use crate::kernels::tape::Tape;
use candle_core::{D, Result, Tensor};

/// `x W^T` in the number format of `x`. The weight may be of another: its gradient comes back in
/// its own.
pub fn linear(tape: &Tape, x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    let weight = cast(tape, weight, x.dtype())?;
    let out = {
        settle(x.device())?;
        let _timed = timed("linear", Pass::Forward);
        let out = x.matmul(&weight.t()?)?;
        settle(x.device())?;
        out
    };
    let x = x.clone();
    tape.record(&out, move |grad, grads| {
        let (dx, dw) = gradients(&x, &weight, grad)?;
        grads.add(&x, dx)?;
        grads.add(&weight, dw)
    });
    Ok(out)
}

/// Gradients of both operands from that of the product, each in its operand's format.
pub fn gradients(x: &Tensor, weight: &Tensor, grad: &Tensor) -> Result<(Tensor, Tensor)> {
    settle(x.device())?;
    let _timed = timed("linear", Pass::Backward);
    let dx = grad.matmul(&weight.to_dtype(x.dtype())?)?;
    let dw = grad.t()?.matmul(x)?.to_dtype(weight.dtype())?;
    settle(x.device())?;
    Ok((dx, dw))
}

/// `x + row`.
pub fn add_row(tape: &Tape, x: &Tensor, row: &Tensor) -> Result<Tensor> {
    let out = x.broadcast_add(row)?;
    let (x, row) = (x.id(), row.id());
    tape.record(&out, move |grad, grads| {
        grads.add_to(row, column_sums(grad)?)?;
        grads.add_to(x, grad.clone())
    });
    Ok(out)
}

/// `row` after the channels of every row.
pub fn extend_columns(tape: &Tape, x: &Tensor, row: &Tensor) -> Result<Tensor> {
    let (rows, d) = x.dims2()?;
    let extra = row.elem_count();
    let out = Tensor::cat(
        &[
            x,
            &row.reshape((1, extra))?
                .broadcast_as((rows, extra))?
                .contiguous()?,
        ],
        1,
    )?;
    let (x, row) = (x.id(), row.id());
    tape.record(&out, move |grad, grads| {
        grads.add_to(row, column_sums(grad)?.narrow(0, d, extra)?)?;
        grads.add_to(x, grad.narrow(1, 0, d)?.contiguous()?)
    });
    Ok(out)
}

/// The first `columns` channels of every row.
pub fn first_columns(tape: &Tape, x: &Tensor, columns: usize) -> Result<Tensor> {
    let out = x.narrow(1, 0, columns)?.contiguous()?;
    let (id, all) = (x.id(), x.dim(1)?);
    tape.record(&out, move |grad, grads| {
        grads.add_to(
            id,
            grad.pad_with_zeros(D::Minus1, 0, all - columns)?
                .contiguous()?,
        )
    });
    Ok(out)
}
