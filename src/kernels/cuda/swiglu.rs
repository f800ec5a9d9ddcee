//! The gate of the SwiGLU MLP. See [`crate::kernels::swiglu`].

use super::launch::{Arg, Buffer, Grid, launch};
use crate::kernels::profile::Pass;
use crate::kernels::tape::Tape;
use candle_core::{Result, Tensor};

const THREADS: usize = 256;

/// (rows, 2 d) to (rows, d).
pub fn swiglu(tape: &Tape, x: &Tensor) -> Result<Tensor> {
    let (rows, columns) = x.dims2()?;
    let d = columns / 2;
    let grid = Grid::line(rows * d.div_ceil(THREADS), THREADS, 0);
    let mut out = Buffer::new(x, x.dtype(), (rows, d))?;
    launch(
        "swiglu",
        Some(x.dtype()),
        Pass::Forward,
        grid,
        &mut [Arg::In(x), Arg::Out(&mut out), Arg::Int(d)],
    )?;
    let out = out.tensor()?;
    let x = x.clone();
    tape.record(&out, move |grad, grads| {
        let mut dx = Buffer::new(&x, x.dtype(), x.shape())?;
        let args = &mut [Arg::In(&x), Arg::In(grad), Arg::Out(&mut dx), Arg::Int(d)];
        launch(
            "swiglu_backward",
            Some(x.dtype()),
            Pass::Backward,
            grid,
            args,
        )?;
        grads.add(&x, dx.tensor()?)
    });
    Ok(out)
}
