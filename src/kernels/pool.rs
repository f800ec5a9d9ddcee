//! One vector a sequence: the mean, the largest or the first of its rows.

use super::gather::gather_rows;
use super::profile::{Pass, timed};
use super::tape::Tape;
use super::{Seqs, check_seqs, cpu, cuda, from_cpu};
use candle_core::{Result, Tensor};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::Arc;

/// How the rows of a sequence become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Pooling {
    /// Their mean.
    Mean,
    /// The largest value of each channel; of equal ones that of the first row.
    Max,
    /// The first row.
    First,
}

/// (rows, channels) to (sequences, channels).
///
/// # Errors
/// A sequence without rows, or rows that belong to none.
pub fn pool(tape: &Tape, x: &Tensor, seqs: &Seqs, pooling: Pooling) -> Result<Tensor> {
    let (rows, d) = x.dims2()?;
    check_seqs(seqs, rows)?;
    if seqs.is_empty()
        || seqs.iter().map(Range::len).sum::<usize>() != rows
        || seqs.iter().any(|seq| seq.is_empty())
    {
        candle_core::bail!(
            "pooling: sequences {seqs:?} do not cover {rows} rows, each at least one"
        );
    }
    if pooling == Pooling::First {
        return gather_rows(
            tape,
            x,
            &seqs.iter().map(|seq| seq.start).collect::<Vec<_>>().into(),
        );
    }
    if cuda::runs(x) {
        return cuda::rows::pool(tape, x, seqs, pooling == Pooling::Max);
    }
    let _timed = timed("pool", Pass::Forward);
    let (out, chosen) = pooled(&cpu(x)?, d, seqs, pooling);
    let out = from_cpu(out, &(seqs.len(), d).into(), x)?;
    if tape.is_on() {
        let (x, seqs) = (x.clone(), seqs.clone());
        tape.record(&out, move |grad, grads| {
            let _timed = timed("pool", Pass::Backward);
            let spread = spread(&cpu(grad)?, d, &seqs, &chosen, rows);
            grads.add(&x, from_cpu(spread, x.shape(), &x)?)
        });
    }
    Ok(out)
}

/// The pooled rows and, of the largest, the row of each.
fn pooled(x: &[f32], d: usize, seqs: &Seqs, pooling: Pooling) -> (Vec<f32>, Arc<[usize]>) {
    let mut out = vec![0.0; seqs.len() * d];
    let mut chosen = vec![
        0;
        if pooling == Pooling::Max {
            out.len()
        } else {
            0
        }
    ];
    match pooling {
        Pooling::Max => out
            .par_chunks_mut(d)
            .zip(chosen.par_chunks_mut(d))
            .zip(seqs.par_iter())
            .for_each(|((out, chosen), seq)| {
                out.copy_from_slice(&x[seq.start * d..][..d]);
                chosen.fill(seq.start);
                for row in seq.clone().skip(1) {
                    for ((out, chosen), &x) in out
                        .iter_mut()
                        .zip(chosen.iter_mut())
                        .zip(&x[row * d..][..d])
                    {
                        if x > *out {
                            (*out, *chosen) = (x, row);
                        }
                    }
                }
            }),
        _ => out
            .par_chunks_mut(d)
            .zip(seqs.par_iter())
            .for_each(|(out, seq)| {
                let mut sums = vec![0.0_f64; d];
                for x in x[seq.start * d..seq.end * d].chunks_exact(d) {
                    sums.iter_mut()
                        .zip(x)
                        .for_each(|(sum, &x)| *sum += f64::from(x));
                }
                out.iter_mut()
                    .zip(sums)
                    .for_each(|(out, sum)| *out = (sum / seq.len() as f64) as f32);
            }),
    }
    (out, chosen.into())
}

/// The gradient of every row: a share of that of its sequence, or all of it where the row was the
/// largest.
fn spread(grad: &[f32], d: usize, seqs: &Seqs, chosen: &[usize], rows: usize) -> Vec<f32> {
    let mut dx = vec![0.0; rows * d];
    if chosen.is_empty() {
        for (grad, seq) in grad.chunks_exact(d).zip(seqs.iter()) {
            let share = 1.0 / seq.len() as f32;
            for dx in dx[seq.start * d..seq.end * d].chunks_exact_mut(d) {
                dx.iter_mut()
                    .zip(grad)
                    .for_each(|(dx, grad)| *dx = grad * share);
            }
        }
    } else {
        for (i, (&grad, &row)) in grad.iter().zip(chosen).enumerate() {
            dx[row * d + i % d] = grad;
        }
    }
    dx
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::check::{gpu_tests, like_the_cpu, same, seqs, values};

    const LENGTHS: [usize; 5] = [1, 64, 7, 300, 2];

    /// The readable operation: one sequence after another.
    fn slow(x: &Tensor, pooling: Pooling) -> Result<Tensor> {
        let seqs = seqs(&LENGTHS);
        let pooled = seqs.iter().map(|seq| {
            let rows = x.narrow(0, seq.start, seq.len())?;
            match pooling {
                Pooling::Mean => rows.mean_keepdim(0),
                Pooling::First => rows.narrow(0, 0, 1),
                Pooling::Max => rows.gather(&rows.argmax_keepdim(0)?, 0),
            }
        });
        Tensor::cat(&pooled.collect::<Result<Vec<_>>>()?, 0)
    }

    #[test]
    fn sequences_of_unlike_lengths() {
        for pooling in [Pooling::Mean, Pooling::Max, Pooling::First] {
            let x = values((LENGTHS.iter().sum::<usize>(), 40), 3, 2.0);
            same(
                &[x],
                |tape, x| pool(tape, &x[0], &seqs(&LENGTHS), pooling),
                |x| slow(&x[0], pooling),
                1e-6,
            );
        }
    }

    #[test]
    fn many_sequences() {
        let lengths: Vec<usize> = (0..300).map(|i| 1 + i * 37 % 90).collect();
        for pooling in [Pooling::Mean, Pooling::Max] {
            let x = values((lengths.iter().sum::<usize>(), 33), 4, 2.0);
            like_the_cpu(
                &[x],
                |tape, x| pool(tape, &x[0], &seqs(&lengths), pooling),
                1e-6,
            );
        }
    }

    #[test]
    fn rows_without_a_sequence_are_refused() {
        let x = values((5, 3), 1, 1.0);
        for lengths in [&[2, 2][..], &[5, 0], &[]] {
            assert!(
                pool(&Tape::off(), &x, &seqs(lengths), Pooling::Mean).is_err(),
                "{lengths:?}"
            );
        }
    }

    gpu_tests!(sequences_of_unlike_lengths, many_sequences);
}
