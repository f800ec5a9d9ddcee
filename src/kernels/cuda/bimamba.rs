//! The BiMamba-2 mixer after its input projection. See [`crate::kernels::bimamba`] and, for the
//! formulas, [`crate::kernels::ssd`].
//!
//! Both directions share one table of chunks of 64 rows, which direction 1 reads from the last to
//! the first. `xbc` and `y` are (2, rows, channels), steps and decays (2, heads, rows), states (2,
//! chunks, heads, head dimension, state size).

mod backward;
#[cfg(test)]
mod tests;

pub use backward::backward;

use super::kept_table;
use super::launch::{Arg, Buffer, Grid, launch};
use crate::kernels::profile::Pass;
use crate::kernels::ssd::{Dims, HEAD_DIM};
use crate::kernels::{EPS, Seqs};
use candle_core::{DType, Result, Tensor};

/// Rows of a chunk; another [`Dims::chunk`] changes nothing here.
const CHUNK: usize = 64;

/// Chunks of a segment, within which one block carries a state along.
const SEGMENT: usize = 8;

/// Heads that share a block.
const GROUP: usize = 4;

/// Largest state size: what fits into shared memory.
const MAX_STATE: usize = 128;

/// Threads of a block.
const THREADS: usize = 256;

/// Threads of a block of the convolution.
const CONV_THREADS: usize = 128;

/// Leading dimension of a tile of [`CHUNK`] or [`HEAD_DIM`] columns in shared memory.
const LD: usize = 72;

/// Elements of a tile of [`CHUNK`] rows of B or C there, whatever the state size is.
const WIDE: usize = CHUNK * (MAX_STATE + 8);

/// How the work of one batch is cut.
#[derive(Clone)]
pub struct Plan {
    dims: Dims,
    rows: usize,
    /// First row, rows, first row and end of the sequence of each.
    chunks: Tensor,
    n_chunks: usize,
    /// First chunk, chunks, whether first and whether last of its sequence.
    segments: Tensor,
    n_segments: usize,
    /// First segment and segments of each that is not empty.
    sequences: Tensor,
    n_sequences: usize,
}

/// What the scans read.
struct Inputs {
    xbc: Tensor,
    dt: Tensor,
    a: Tensor,
}

impl Plan {
    /// For sequences that cover `rows` rows; the tables go where `like` is.
    ///
    /// # Errors
    /// Sizes are beyond what the kernels can do, or rows belong to no sequence.
    pub fn new(like: &Tensor, rows: usize, dims: Dims, seqs: &Seqs) -> Result<Plan> {
        if dims.d_state == 0 || dims.d_state > MAX_STATE || !dims.d_inner.is_multiple_of(HEAD_DIM) {
            candle_core::bail!(
                "bimamba on CUDA: d_state is 1 to {MAX_STATE} and d_inner in {HEAD_DIM}s, not {dims:?}"
            );
        }
        let (mut chunks, mut segments, mut sequences) = (Vec::new(), Vec::new(), Vec::new());
        let mut end = 0;
        for seq in seqs.iter() {
            if seq.start != end {
                candle_core::bail!(
                    "bimamba on CUDA: rows {end} to {} belong to no sequence",
                    seq.start
                );
            }
            end = seq.end;
            let first = segments.len() / 4;
            for start in seq.clone().step_by(CHUNK * SEGMENT) {
                let stop = seq.end.min(start + CHUNK * SEGMENT);
                let (before, last) = (chunks.len() / 4, stop == seq.end);
                segments.extend([
                    before,
                    (stop - start).div_ceil(CHUNK),
                    usize::from(start == seq.start),
                    usize::from(last),
                ]);
                chunks.extend(
                    (start..stop)
                        .step_by(CHUNK)
                        .flat_map(|row| [row, CHUNK.min(stop - row), seq.start, seq.end]),
                );
            }
            if segments.len() / 4 > first {
                sequences.extend([first, segments.len() / 4 - first]);
            }
        }
        if end != rows {
            candle_core::bail!("bimamba on CUDA: rows {end} to {rows} belong to no sequence");
        }
        let table = |numbers: &[usize]| -> Result<Tensor> {
            let numbers: std::result::Result<Vec<u32>, _> =
                numbers.iter().map(|&n| u32::try_from(n)).collect();
            kept_table(like, &numbers.map_err(candle_core::Error::wrap)?)
        };
        Ok(Plan {
            dims,
            rows,
            chunks: table(&chunks)?,
            n_chunks: chunks.len() / 4,
            segments: table(&segments)?,
            n_segments: segments.len() / 4,
            sequences: table(&sequences)?,
            n_sequences: sequences.len() / 2,
        })
    }

    fn groups(&self) -> usize {
        self.dims.n_heads().div_ceil(GROUP)
    }

    /// The last arguments of every kernel.
    fn sizes(&self) -> [Arg<'static>; 4] {
        [
            self.rows,
            self.dims.d_inner,
            self.dims.d_state,
            self.dims.d_conv,
        ]
        .map(Arg::Int)
    }

    /// Convolution and steps.
    fn inputs(&self, projected: &Tensor, [fwd, bwd]: [&Tensor; 2], pass: Pass) -> Result<Inputs> {
        let (dims, dtype) = (self.dims, projected.dtype());
        let mut xbc = Buffer::new(projected, dtype, (2, self.rows, dims.conv_dim()))?;
        let [rows, d, n, k] = self.sizes();
        let args = &mut [
            Arg::In(projected),
            Arg::In(fwd),
            Arg::In(bwd),
            Arg::In(&self.chunks),
            Arg::Out(&mut xbc),
            rows,
            d,
            n,
            k,
        ];
        let grid = Grid {
            blocks: [self.n_chunks, dims.conv_dim().div_ceil(CONV_THREADS), 1],
            threads: CONV_THREADS,
            shared: 0,
        };
        launch("bimamba_conv", Some(dtype), pass, grid, args)?;
        let steps = || Buffer::new(projected, DType::F32, (2, dims.n_heads(), self.rows));
        let (mut dt, mut a) = (steps()?, steps()?);
        let [rows, d, n, k] = self.sizes();
        let args = &mut [
            Arg::In(projected),
            Arg::In(fwd),
            Arg::In(bwd),
            Arg::In(&self.chunks),
            Arg::Out(&mut dt),
            Arg::Out(&mut a),
            rows,
            d,
            n,
            k,
        ];
        let grid = Grid {
            blocks: [self.n_chunks, 1, 2],
            threads: THREADS,
            shared: 0,
        };
        launch("bimamba_steps", Some(dtype), pass, grid, args)?;
        Ok(Inputs {
            xbc: xbc.tensor()?,
            dt: dt.tensor()?,
            a: a.tensor()?,
        })
    }

    /// The states that enter the chunks; with the gradient `dy` of the scans' outputs, the
    /// gradients of the states that leave them.
    fn states(&self, inputs: &Inputs, dy: Option<&Tensor>, pass: Pass) -> Result<Tensor> {
        let (heads, n, like) = (self.dims.n_heads(), self.dims.d_state, &inputs.xbc);
        let (dtype, elements, segments) = (like.dtype(), HEAD_DIM * n, self.n_segments);
        let start =
            |entering: Option<&Tensor>, ends: Arg, decays: Arg, states: Arg| -> Result<()> {
                let [rows, d, n, k] = self.sizes();
                let args = &mut [
                    Arg::In(&inputs.xbc),
                    Arg::maybe(dy),
                    Arg::In(&inputs.dt),
                    Arg::In(&inputs.a),
                    Arg::In(&self.chunks),
                    Arg::In(&self.segments),
                    Arg::maybe(entering),
                    ends,
                    decays,
                    states,
                    Arg::Int(self.n_chunks),
                    Arg::Int(segments),
                    rows,
                    d,
                    n,
                    k,
                ];
                let shared = WIDE * (4 + dtype.size_in_bytes())
                    + CHUNK * LD * dtype.size_in_bytes()
                    + CHUNK * 4;
                launch(
                    "bimamba_states",
                    Some(dtype),
                    pass,
                    Grid {
                        blocks: [segments * heads, 1, 2],
                        threads: THREADS,
                        shared,
                    },
                    args,
                )
            };
        let entering = if self.n_segments > self.n_sequences {
            let mut ends = Buffer::new(like, DType::F32, (2, segments, heads, elements))?;
            let mut decays = Buffer::new(like, DType::F32, (2, segments, heads))?;
            start(None, Arg::Out(&mut ends), Arg::Out(&mut decays), Arg::Null)?;
            let decays = decays.tensor()?;
            let args = &mut [
                Arg::Out(&mut ends),
                Arg::In(&decays),
                Arg::In(&self.sequences),
                Arg::Int(segments),
                Arg::Int(heads),
                Arg::Int(elements),
                Arg::Int(usize::from(dy.is_some())),
            ];
            let blocks = [self.n_sequences, heads, 2 * elements.div_ceil(THREADS)];
            launch(
                "bimamba_pass",
                None,
                pass,
                Grid {
                    blocks,
                    threads: THREADS,
                    shared: 0,
                },
                args,
            )?;
            Some(ends.tensor()?)
        } else {
            None
        };
        let mut states = Buffer::new(like, dtype, (2, self.n_chunks, heads, elements))?;
        start(
            entering.as_ref(),
            Arg::Null,
            Arg::Null,
            Arg::Out(&mut states),
        )?;
        states.tensor()
    }

    fn scan(&self, inputs: &Inputs, states: &Tensor, [fwd, bwd]: [&Tensor; 2]) -> Result<Tensor> {
        let dtype = inputs.xbc.dtype();
        let mut y = Buffer::new(&inputs.xbc, dtype, (2, self.rows, self.dims.d_inner))?;
        let [rows, d, n, k] = self.sizes();
        let args = &mut [
            Arg::In(&inputs.xbc),
            Arg::In(&inputs.dt),
            Arg::In(&inputs.a),
            Arg::In(states),
            Arg::In(fwd),
            Arg::In(bwd),
            Arg::In(&self.chunks),
            Arg::Out(&mut y),
            Arg::Int(self.n_chunks),
            rows,
            d,
            n,
            k,
        ];
        let shared = 2 * (WIDE + CHUNK * LD) * dtype.size_in_bytes() + 2 * CHUNK * (LD + 1) * 4;
        let grid = Grid {
            blocks: [self.n_chunks * self.groups(), 1, 2],
            threads: THREADS,
            shared,
        };
        launch("bimamba_scan", Some(dtype), Pass::Forward, grid, args)?;
        y.tensor()
    }

    fn gate(&self, projected: &Tensor, y: &Tensor, [fwd, bwd]: [&Tensor; 2]) -> Result<Tensor> {
        let dtype = projected.dtype();
        let mut out = Buffer::new(projected, dtype, (self.rows, self.dims.d_inner))?;
        let [rows, d, n, k] = self.sizes();
        let args = &mut [
            Arg::In(projected),
            Arg::In(y),
            Arg::In(fwd),
            Arg::In(bwd),
            Arg::Out(&mut out),
            rows,
            d,
            n,
            k,
            Arg::Float(EPS),
        ];
        launch(
            "bimamba_gate",
            Some(dtype),
            Pass::Forward,
            Grid::line(self.rows.div_ceil(THREADS / 32), THREADS, 0),
            args,
        )?;
        out.tensor()
    }
}

/// The mixer's output (rows, d_inner), and the outputs of the two scans (2, rows, d_inner), which
/// `backward` needs.
pub fn forward(plan: &Plan, projected: &Tensor, cores: [&Tensor; 2]) -> Result<(Tensor, Tensor)> {
    let inputs = plan.inputs(projected, cores, Pass::Forward)?;
    let states = plan.states(&inputs, None, Pass::Forward)?;
    let y = plan.scan(&inputs, &states, cores)?;
    Ok((plan.gate(projected, &y, cores)?, y))
}
