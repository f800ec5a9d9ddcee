//! Boundary probabilities. See [`crate::kernels::routing`].

use super::kept_table;
use super::launch::{Arg, Buffer, Grid, launch};
use crate::kernels::Seqs;
use crate::kernels::profile::Pass;
use crate::kernels::tape::Tape;
use candle_core::{DType, Result, Tensor};

#[cfg(test)]
mod tests;

/// Threads of a block, a warp a row.
const THREADS: usize = 256;

fn grid(rows: usize) -> Grid {
    Grid::line(rows.div_ceil(THREADS / 32), THREADS, 0)
}

/// `q`, `k` are (rows, channels), f32; the result is (rows). Row 0 starts a sequence.
pub fn boundary_prob(tape: &Tape, q: &Tensor, k: &Tensor, seqs: &Seqs) -> Result<Tensor> {
    let (rows, d) = q.dims2()?;
    let starts: Vec<u32> = seqs
        .iter()
        .filter(|seq| !seq.is_empty())
        .map(|seq| seq.start as u32)
        .collect();
    if rows > 0 && starts.first() != Some(&0) {
        candle_core::bail!(
            "boundary-prob: sequences {seqs:?} do not begin with the first of {rows} rows"
        );
    }
    let mut p = Buffer::new(q, DType::F32, rows)?;
    let mut kept = Buffer::new(q, DType::F32, (3, rows))?;
    let table = kept_table(q, &starts)?;
    let args = &mut [
        Arg::In(q),
        Arg::In(k),
        Arg::In(&table),
        Arg::Int(starts.len()),
        Arg::Out(&mut p),
        Arg::Out(&mut kept),
        Arg::Int(rows),
        Arg::Int(d),
    ];
    launch("boundary_prob", None, Pass::Forward, grid(rows), args)?;
    let (p, kept) = (p.tensor()?, kept.tensor()?);
    let (q, k) = (q.clone(), k.clone());
    tape.record(&p, move |grad, grads| {
        let (dq, dk) = backward(&q, &k, &kept, grad)?;
        grads.add(&q, dq)?;
        grads.add(&k, dk)
    });
    Ok(p)
}

fn backward(q: &Tensor, k: &Tensor, kept: &Tensor, dp: &Tensor) -> Result<(Tensor, Tensor)> {
    let (rows, d) = q.dims2()?;
    let (mut dq, mut dk) = (
        Buffer::new(q, DType::F32, (rows, d))?,
        Buffer::new(q, DType::F32, (rows, d))?,
    );
    let args = &mut [
        Arg::In(q),
        Arg::In(k),
        Arg::In(kept),
        Arg::In(dp),
        Arg::Out(&mut dq),
        Arg::Out(&mut dk),
        Arg::Int(rows),
        Arg::Int(d),
    ];
    launch(
        "boundary_prob_backward",
        None,
        Pass::Backward,
        grid(rows),
        args,
    )?;
    Ok((dq.tensor()?, dk.tensor()?))
}
