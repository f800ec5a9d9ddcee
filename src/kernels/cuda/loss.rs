//! Mean cross-entropy over chosen positions. See [`crate::kernels::loss`].

use super::launch::{Arg, Buffer, Grid, launch};
use super::upload;
use crate::kernels::profile::Pass;
use crate::kernels::tape::Tape;
use candle_core::{DType, Result, Tensor};

#[cfg(test)]
mod tests;

/// Threads of a block, one a target or a row.
const THREADS: usize = 256;

/// Shared memory of a sum over a block.
const SHARED: usize = THREADS / 32 * size_of::<f32>();

/// Classes, at most: a thread goes over them alone.
const MAX_CLASSES: usize = 32;

/// Mean over `targets` (row, class) in nats, a scalar; `logits` is (rows, classes), f32.
pub fn cross_entropy(tape: &Tape, logits: &Tensor, targets: &[(usize, u8)]) -> Result<Tensor> {
    let (rows, classes) = logits.dims2()?;
    if targets
        .iter()
        .any(|&(row, class)| row >= rows || usize::from(class) >= classes)
    {
        candle_core::bail!(
            "cross-entropy: a target outside the logits {:?}",
            logits.shape()
        );
    }
    if classes > MAX_CLASSES {
        candle_core::bail!(
            "cross-entropy: the CUDA kernels know up to {MAX_CLASSES} classes, not {classes}"
        );
    }
    let mut ordered = targets.to_vec();
    ordered.sort_by_key(|&(row, _)| row);
    let (n, parts) = (targets.len(), targets.len().div_ceil(THREADS).max(1));
    let table = upload(
        logits,
        &ordered
            .iter()
            .flat_map(|&(row, class)| [row as u32, u32::from(class)])
            .collect::<Vec<_>>(),
    )?;
    let mut sums = Buffer::new(logits, DType::F32, parts)?;
    let args = &mut [
        Arg::In(logits),
        Arg::In(&table),
        Arg::Out(&mut sums),
        Arg::Int(n),
        Arg::Int(classes),
    ];
    launch(
        "cross_entropy_parts",
        None,
        Pass::Forward,
        Grid::line(parts, THREADS, SHARED),
        args,
    )?;
    let mut mean = Buffer::new(logits, DType::F32, ())?;
    let sums = sums.tensor()?;
    let args = &mut [
        Arg::In(&sums),
        Arg::Out(&mut mean),
        Arg::Int(parts),
        Arg::Int(n),
    ];
    launch(
        "cross_entropy_mean",
        None,
        Pass::Forward,
        Grid::line(1, THREADS, SHARED),
        args,
    )?;
    let mean = mean.tensor()?;
    let logits = logits.clone();
    tape.record(&mean, move |grad, grads| {
        let mut dlogits = Buffer::new(&logits, DType::F32, (rows, classes))?;
        let args = &mut [
            Arg::In(&logits),
            Arg::In(&table),
            Arg::In(grad),
            Arg::Out(&mut dlogits),
            Arg::Int(rows),
            Arg::Int(n),
            Arg::Int(classes),
        ];
        launch(
            "cross_entropy_backward",
            None,
            Pass::Backward,
            Grid::line(rows.div_ceil(THREADS), THREADS, 0),
            args,
        )?;
        grads.add(&logits, dlogits.tensor()?)
    });
    Ok(mean)
}
