//! RMSNorm with the residual addition before it, and sums over rows. See [`crate::kernels::norm`].

use super::launch::{Arg, Buffer, Grid, launch};
use crate::kernels::EPS;
use crate::kernels::profile::Pass;
use crate::kernels::tape::Tape;
use candle_core::{DType, Result, Tensor};

/// Threads of a block.
const THREADS: usize = 256;

/// Rows that one block of a backward pass sums over.
const ROWS: usize = 64;

/// `x + h` and its norm in `dtype`; `x` itself and its norm where there is no `h`.
pub fn add_rms_norm(
    tape: &Tape,
    x: &Tensor,
    h: Option<&Tensor>,
    weight: &Tensor,
    dtype: DType,
) -> Result<(Tensor, Tensor)> {
    let (rows, d) = x.dims2()?;
    let name = match (h.map(Tensor::dtype), dtype) {
        (Some(DType::BF16), DType::F32) => "add_rms_norm_last",
        _ => "add_rms_norm",
    };
    let typed = if name == "add_rms_norm" {
        dtype
    } else {
        DType::BF16
    };
    let mut y = Buffer::new(x, dtype, (rows, d))?;
    let mut sum = Buffer::new(x, DType::F32, if h.is_some() { (rows, d) } else { (0, d) })?;
    let args = &mut [
        Arg::In(x),
        Arg::maybe(h),
        Arg::In(weight),
        Arg::Out(&mut sum),
        Arg::Out(&mut y),
        Arg::Int(rows),
        Arg::Int(d),
        Arg::Float(EPS),
    ];
    launch(
        name,
        Some(typed),
        Pass::Forward,
        Grid::line(rows.div_ceil(THREADS / 32), THREADS, 0),
        args,
    )?;
    let y = y.tensor()?;
    let sum = match h {
        Some(_) => sum.tensor()?,
        None => x.clone(),
    };
    let (kept, w) = (sum.clone(), weight.clone());
    let fed = h.map(|h| (x.id(), h.id(), h.dtype()));
    tape.record(&y, move |grad, grads| {
        let other = grads.take(&kept);
        let (d_sum, dw) = backward(&kept, &w, grad, other.as_ref())?;
        grads.add(&w, dw)?;
        match fed {
            Some((x, h, dtype)) => {
                grads.add_to(h, d_sum.to_dtype(dtype)?)?;
                grads.add_to(x, d_sum)
            }
            None => grads.add(&kept, d_sum),
        }
    });
    Ok((sum, y))
}

/// The gradients of the sum, with `other` added, and of the weight.
fn backward(
    x: &Tensor,
    w: &Tensor,
    dy: &Tensor,
    other: Option<&Tensor>,
) -> Result<(Tensor, Tensor)> {
    let (rows, d) = x.dims2()?;
    let parts = rows.div_ceil(ROWS);
    let (mut dx, mut dw) = (
        Buffer::new(x, DType::F32, (rows, d))?,
        Buffer::new(x, DType::F32, (parts, d))?,
    );
    let args = &mut [
        Arg::In(x),
        Arg::In(w),
        Arg::In(dy),
        Arg::maybe(other),
        Arg::Out(&mut dx),
        Arg::Out(&mut dw),
        Arg::Int(rows),
        Arg::Int(d),
        Arg::Int(ROWS),
        Arg::Float(EPS),
    ];
    let grid = Grid::line(parts, THREADS, THREADS / 32 * d * size_of::<f32>());
    launch(
        "rms_norm_backward",
        Some(dy.dtype()),
        Pass::Backward,
        grid,
        args,
    )?;
    Ok((dx.tensor()?, column_sums(&dw.tensor()?)?))
}

/// Sums of (rows, columns) over the rows in f32, (columns).
pub fn column_sums(x: &Tensor) -> Result<Tensor> {
    const PART: usize = 1024;
    let (rows, d) = x.dims2()?;
    let parts = rows.div_ceil(PART).max(1);
    let mut out = Buffer::new(x, DType::F32, (parts, d))?;
    let grid = Grid {
        blocks: [d.div_ceil(32), parts, 1],
        threads: THREADS,
        shared: THREADS * size_of::<f32>(),
    };
    let args = &mut [
        Arg::In(x),
        Arg::Out(&mut out),
        Arg::Int(rows),
        Arg::Int(d),
        Arg::Int(PART),
    ];
    launch("column_sums", Some(x.dtype()), Pass::Backward, grid, args)?;
    let out = out.tensor()?;
    if parts == 1 {
        out.flatten_all()
    } else {
        column_sums(&out)
    }
}
