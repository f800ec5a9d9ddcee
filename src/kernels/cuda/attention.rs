//! Windowed attention. See [`crate::kernels::attention`]; the kernels say how it is cut into
//! blocks.

use super::kept_table;
use super::launch::{Arg, Buffer, Grid, launch};
use crate::kernels::Seqs;
use crate::kernels::attention::{AttentionDims, frequencies};
use crate::kernels::profile::Pass;
use crate::kernels::tape::Tape;
use candle_core::{DType, Result, Tensor};

#[cfg(test)]
mod tests;

const THREADS: usize = 256;

/// Rows that a block owns.
const BLOCK: usize = 64;

/// Shared memory that a block may ask for on GPUs of compute capability 8.0 and 9.0; the launch
/// says where another has less.
const SHARED: usize = 160 * 1024;

/// Channels of a head, at most.
const MAX_HEAD_DIM: usize = 128;

/// What all kernels of one call need.
#[derive(Clone)]
struct Call {
    rows: usize,
    d: usize,
    head_dim: usize,
    dims: AttentionDims,
    /// (blocks, 3): first row of the sequence, row behind its last, first row of the block.
    blocks: Tensor,
    /// Rotary frequencies, (rotary_dim / 2).
    frequency: Tensor,
    n_blocks: usize,
    window: usize,
    dtype: DType,
}

impl Call {
    fn new(qkv: &Tensor, dims: AttentionDims, seqs: &Seqs) -> Result<Call> {
        let (rows, columns) = qkv.dims2()?;
        let (d, head_dim) = (columns / 3, columns / 3 / dims.n_heads);
        if head_dim > MAX_HEAD_DIM {
            candle_core::bail!(
                "attention: the CUDA kernels know heads of up to {MAX_HEAD_DIM} channels, not {head_dim}"
            );
        }
        if seqs.iter().map(|seq| seq.len()).sum::<usize>() != rows {
            candle_core::bail!("attention: sequences {seqs:?} leave out some of {rows} rows");
        }
        let table: Vec<u32> = seqs
            .iter()
            .flat_map(|seq| {
                seq.clone()
                    .step_by(BLOCK)
                    .flat_map(|first| [seq.start as u32, seq.end as u32, first as u32])
            })
            .collect();
        let longest = seqs.iter().map(|seq| seq.len()).max().unwrap_or(0);
        let mut frequency = frequencies(dims.rotary_dim);
        if frequency.is_empty() {
            frequency.push(0.0); // an empty tensor has no address
        }
        Ok(Call {
            rows,
            d,
            head_dim,
            dims,
            n_blocks: table.len() / 3,
            blocks: kept_table(qkv, &table)?,
            frequency: Tensor::new(frequency, qkv.device())?,
            window: dims.window.unwrap_or(longest).min(longest),
            dtype: qkv.dtype(),
        })
    }

    fn half(&self) -> usize {
        self.dims.rotary_dim / 2
    }

    fn scale(&self) -> f32 {
        1.0 / (self.head_dim as f32).sqrt()
    }

    /// A launch by blocks of rows and by heads, and how many rows such a block takes at a time: as
    /// many as fit into shared memory beside its own `own` matrices of elements, twice the rows
    /// taken at a time, `scores` matrices of scores and `sums` of sums.
    fn grid(&self, own: usize, scores: usize, sums: usize) -> (Grid, usize) {
        let (width, f32s, size) = (
            self.head_dim.next_multiple_of(16),
            size_of::<f32>(),
            self.dtype.size_in_bytes(),
        );
        let ld = width + if self.dtype == DType::F32 { 1 } else { 8 };
        let shared = |step: usize| {
            (scores * BLOCK * (step + 4) + sums * BLOCK * (width + 4) + 2 * BLOCK) * f32s
                + (own * BLOCK + 2 * step) * ld * size
        };
        let step = [64, 32]
            .into_iter()
            .find(|&step| shared(step) <= SHARED)
            .unwrap_or(16);
        (
            Grid {
                blocks: [self.n_blocks, self.dims.n_heads, 1],
                threads: THREADS,
                shared: shared(step),
            },
            step,
        )
    }

    /// q and k turned by their positions, (rows, 2 d).
    fn rotated(&self, qkv: &Tensor, pass: Pass) -> Result<Tensor> {
        let mut turned = Buffer::new(qkv, self.dtype, (self.rows, 2 * self.d))?;
        let args = &mut [
            Arg::In(qkv),
            Arg::In(&self.blocks),
            Arg::In(&self.frequency),
            Arg::Out(&mut turned),
            Arg::Int(self.d),
            Arg::Int(self.head_dim),
            Arg::Int(self.half()),
        ];
        let grid = Grid::line(
            self.n_blocks,
            THREADS,
            2 * BLOCK * self.half() * size_of::<f32>(),
        );
        launch("attention_rotate", Some(self.dtype), pass, grid, args)?;
        turned.tensor()
    }

    /// The output, (rows, d), and the log-sum-exp of the scores of each query, (heads, rows).
    fn forward(&self, qkv: &Tensor) -> Result<(Tensor, Tensor)> {
        let qk = self.rotated(qkv, Pass::Forward)?;
        let mut out = Buffer::new(qkv, self.dtype, (self.rows, self.d))?;
        let mut lse = Buffer::new(qkv, DType::F32, (self.dims.n_heads, self.rows))?;
        let (grid, step) = self.grid(1, 1, 1);
        let args = &mut [
            Arg::In(&qk),
            Arg::In(qkv),
            Arg::In(&self.blocks),
            Arg::Out(&mut out),
            Arg::Out(&mut lse),
            Arg::Int(self.rows),
            Arg::Int(self.d),
            Arg::Int(self.head_dim),
            Arg::Int(self.window),
            Arg::Int(step),
            Arg::Float(self.scale()),
        ];
        launch("attention", Some(self.dtype), Pass::Forward, grid, args)?;
        Ok((out.tensor()?, lse.tensor()?))
    }

    /// The gradient of `qkv`, from that of the output.
    fn backward(&self, qkv: &Tensor, out: &Tensor, lse: &Tensor, dout: &Tensor) -> Result<Tensor> {
        let qk = self.rotated(qkv, Pass::Backward)?;
        let mut delta = Buffer::new(qkv, DType::F32, (self.dims.n_heads, self.rows))?;
        let args = &mut [
            Arg::In(out),
            Arg::In(dout),
            Arg::Out(&mut delta),
            Arg::Int(self.rows),
            Arg::Int(self.d),
            Arg::Int(self.head_dim),
        ];
        let grid = Grid {
            blocks: [self.rows.div_ceil(THREADS / 32), self.dims.n_heads, 1],
            threads: THREADS,
            shared: 0,
        };
        launch(
            "attention_delta",
            Some(self.dtype),
            Pass::Backward,
            grid,
            args,
        )?;
        let delta = delta.tensor()?;
        let mut d_qkv = Buffer::new(qkv, self.dtype, (self.rows, 3 * self.d))?;
        for (name, sums) in [("attention_queries", 1), ("attention_keys", 2)] {
            let (grid, step) = self.grid(2, 2, sums);
            let args = &mut [
                Arg::In(&qk),
                Arg::In(qkv),
                Arg::In(dout),
                Arg::In(&self.blocks),
                Arg::In(&self.frequency),
                Arg::In(lse),
                Arg::In(&delta),
                Arg::Out(&mut d_qkv),
                Arg::Int(self.rows),
                Arg::Int(self.d),
                Arg::Int(self.head_dim),
                Arg::Int(self.half()),
                Arg::Int(self.window),
                Arg::Int(step),
                Arg::Float(self.scale()),
            ];
            launch(name, Some(self.dtype), Pass::Backward, grid, args)?;
        }
        d_qkv.tensor()
    }
}

/// The attention output before `out_proj`, (rows, d), in the format of `qkv`.
pub fn attention(tape: &Tape, qkv: &Tensor, dims: AttentionDims, seqs: &Seqs) -> Result<Tensor> {
    let call = Call::new(qkv, dims, seqs)?;
    let (out, lse) = call.forward(qkv)?;
    let (qkv, kept) = (qkv.clone(), out.clone());
    tape.record(&out, move |grad, grads| {
        grads.add(&qkv, call.backward(&qkv, &kept, &lse, grad)?)
    });
    Ok(out)
}
