//! Smoothing of chunks and upsampling. See [`crate::kernels::dechunk`]; the kernels say how
//! sequences are cut into segments.

use super::kept_table;
use super::launch::{Arg, Buffer, Grid, launch};
use crate::kernels::dechunk::Kept;
use crate::kernels::profile::Pass;
use crate::kernels::tape::Tape;
use candle_core::{DType, Result, Tensor};

#[cfg(test)]
mod tests;

/// Chunks of a segment.
const SEGMENT: usize = 32;

/// Channels of a block, a thread each.
const THREADS: usize = 128;

/// Threads of the kernels that take a warp or a thread a chunk.
const WIDE: usize = 256;

/// Sizes and tables of one call.
#[derive(Clone)]
struct Call {
    bases: usize,
    chunks: usize,
    d: usize,
    /// Row of the base at which each chunk starts, (chunks).
    index: Tensor,
    /// First chunk and chunk behind the last of each segment.
    segments: Tensor,
    n_segments: usize,
    /// First segment and segment behind the last of each sequence.
    sequences: Tensor,
    n_sequences: usize,
}

impl Call {
    fn new(x: &Tensor, prob: &Tensor, kept: &Kept) -> Result<Call> {
        let ((chunks, d), bases) = (x.dims2()?, prob.dims1()?);
        let (mut segments, mut sequences) = (Vec::new(), Vec::new());
        let (mut base, mut chunk) = (0, 0);
        for (seq, own) in kept.seqs.iter().zip(kept.chunks.iter()) {
            let starts = kept.index.get(own.clone()).and_then(|index| index.first());
            if seq.start != base
                || own.start != chunk
                || starts.is_some_and(|&first| first != base)
                || starts.is_none() != seq.is_empty()
            {
                candle_core::bail!("dechunk: the chunks {own:?} do not cover the bases {seq:?}");
            }
            (base, chunk) = (seq.end, own.end);
            let first = segments.len() as u32 / 2;
            segments.extend(
                own.clone()
                    .step_by(SEGMENT)
                    .flat_map(|start| [start as u32, own.end.min(start + SEGMENT) as u32]),
            );
            sequences.extend([first, segments.len() as u32 / 2]);
        }
        if (base, chunk, chunk) != (bases, chunks, kept.index.len()) {
            candle_core::bail!(
                "dechunk: {chunk} chunks of {base} bases, but vectors of {chunks} chunks and probabilities of {bases} bases"
            );
        }
        Ok(Call {
            bases,
            chunks,
            d,
            index: kept.index.on(x)?,
            n_segments: segments.len() / 2,
            segments: kept_table(x, &segments)?,
            n_sequences: sequences.len() / 2,
            sequences: kept_table(x, &sequences)?,
        })
    }

    fn tiles(&self) -> usize {
        self.d.div_ceil(THREADS)
    }

    /// Blocks of one segment and one tile of channels, with `words` of four bytes of shared memory.
    fn grid(&self, words: usize) -> Grid {
        Grid {
            blocks: [self.n_segments, self.tiles(), 1],
            threads: THREADS,
            shared: words * size_of::<f32>(),
        }
    }

    /// What enters each segment in both directions, (2, segments, d): of the averages of `x`, or of
    /// the gradients of averages, `x` being half the gradient of z.
    fn entering(&self, x: &Tensor, prob: &Tensor, pass: Pass) -> Result<Tensor> {
        let mut ends = Buffer::new(x, DType::F32, (2, self.n_segments, self.d))?;
        let mut decay = Buffer::new(x, DType::F32, self.n_segments)?;
        let gradient = usize::from(pass == Pass::Backward);
        let args = &mut [
            Arg::In(x),
            Arg::In(prob),
            Arg::In(&self.index),
            Arg::In(&self.segments),
            Arg::Out(&mut ends),
            Arg::Out(&mut decay),
            Arg::Int(self.d),
            Arg::Int(gradient),
        ];
        launch("dechunk_ends", None, pass, self.grid(SEGMENT), args)?;
        let decay = decay.tensor()?;
        let args = &mut [
            Arg::In(&self.sequences),
            Arg::In(&decay),
            Arg::Out(&mut ends),
            Arg::Int(self.n_segments),
            Arg::Int(self.d),
            Arg::Int(gradient),
        ];
        let grid = Grid {
            blocks: [self.tiles(), self.n_sequences, 2],
            threads: THREADS,
            shared: 0,
        };
        launch("dechunk_carry", None, pass, grid, args)?;
        ends.tensor()
    }

    /// Both averages' mean: of the chunk of each base, (bases, d), or on the way back once more of
    /// each chunk, (chunks, d).
    fn average(&self, x: &Tensor, prob: &Tensor, entering: &Tensor, pass: Pass) -> Result<Tensor> {
        let spread = pass == Pass::Forward;
        let mut out = Buffer::new(
            x,
            DType::F32,
            (if spread { self.bases } else { self.chunks }, self.d),
        )?;
        let args = &mut [
            Arg::In(x),
            Arg::In(prob),
            Arg::In(&self.index),
            Arg::In(&self.segments),
            Arg::In(entering),
            Arg::Out(&mut out),
            Arg::Int(self.bases),
            Arg::Int(self.chunks),
            Arg::Int(self.d),
            Arg::Int(usize::from(spread)),
        ];
        launch(
            "dechunk_average",
            None,
            pass,
            self.grid(2 * SEGMENT + 1),
            args,
        )?;
        out.tensor()
    }

    /// The gradients of `x` and of `prob`.
    fn backward(
        &self,
        x: &Tensor,
        prob: &Tensor,
        entering: &Tensor,
        dout: &Tensor,
    ) -> Result<(Tensor, Tensor)> {
        let z = self.average(x, prob, entering, Pass::Backward)?;
        let mut half = Buffer::new(x, DType::F32, (self.chunks, self.d))?;
        let mut dprob = Buffer::new(x, DType::F32, self.bases)?;
        let args = &mut [
            Arg::In(&z),
            Arg::In(dout),
            Arg::In(&self.index),
            Arg::Out(&mut half),
            Arg::Out(&mut dprob),
            Arg::Int(self.bases),
            Arg::Int(self.chunks),
            Arg::Int(self.d),
        ];
        launch(
            "dechunk_decisions",
            None,
            Pass::Backward,
            Grid::line(self.chunks.div_ceil(WIDE / 32), WIDE, 0),
            args,
        )?;
        let half = half.tensor()?;
        let gradients = self.entering(&half, prob, Pass::Backward)?;
        let mut dx = Buffer::new(x, DType::F32, (self.chunks, self.d))?;
        let mut toward_p = Buffer::new(x, DType::F32, (self.tiles(), self.chunks))?;
        let args = &mut [
            Arg::In(x),
            Arg::In(prob),
            Arg::In(&self.index),
            Arg::In(&self.segments),
            Arg::In(entering),
            Arg::In(&half),
            Arg::In(&gradients),
            Arg::Out(&mut dx),
            Arg::Out(&mut toward_p),
            Arg::Int(self.chunks),
            Arg::Int(self.d),
        ];
        launch(
            "dechunk_backward",
            None,
            Pass::Backward,
            self.grid(SEGMENT * (1 + THREADS / 32)),
            args,
        )?;
        let toward_p = toward_p.tensor()?;
        let args = &mut [
            Arg::In(prob),
            Arg::In(&self.index),
            Arg::In(&toward_p),
            Arg::Out(&mut dprob),
            Arg::Int(self.chunks),
            Arg::Int(self.tiles()),
        ];
        launch(
            "dechunk_prob",
            None,
            Pass::Backward,
            Grid::line(self.chunks.div_ceil(WIDE), WIDE, 0),
            args,
        )?;
        Ok((dx.tensor()?, dprob.tensor()?))
    }
}

/// `x` is (chunks, d), `prob` (bases), both f32; the result is (bases, d).
pub fn dechunk(tape: &Tape, x: &Tensor, prob: &Tensor, kept: &Kept) -> Result<Tensor> {
    let call = Call::new(x, prob, kept)?;
    let entering = call.entering(x, prob, Pass::Forward)?;
    let out = call.average(x, prob, &entering, Pass::Forward)?;
    let (x, prob) = (x.clone(), prob.clone());
    tape.record(&out, move |grad, grads| {
        let (dx, dprob) = call.backward(&x, &prob, &entering, grad)?;
        grads.add(&x, dx)?;
        grads.add(&prob, dprob)
    });
    Ok(out)
}
