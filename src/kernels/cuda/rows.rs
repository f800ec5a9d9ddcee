//! Rows chosen by number, and the choice of those above a threshold. See
//! [`crate::kernels::gather`].

use super::launch::{Arg, Buffer, Grid, launch};
use super::norm::column_sums;
use super::upload;
use crate::kernels::Seqs;
use crate::kernels::gather::Index;
use crate::kernels::profile::Pass;
use crate::kernels::tape::Tape;
use candle_core::{DType, Result, Tensor};

const THREADS: usize = 256;

/// Rows that a block takes, a warp each.
const ROWS: usize = THREADS / 32;

/// Rows of a table up to which gradients are summed by row number.
const SMALL: usize = 16;

/// Rows `index` of `x`: of a small table (embeddings), or ascending ones.
pub fn gather_rows(tape: &Tape, x: &Tensor, index: &Index) -> Result<Tensor> {
    let ((rows, d), n) = (x.dims2()?, index.len());
    let numbers = index.on(x)?;
    let mut out = Buffer::new(x, DType::F32, (n, d))?;
    let args = &mut [
        Arg::In(x),
        Arg::In(&numbers),
        Arg::Out(&mut out),
        Arg::Int(n),
        Arg::Int(d),
    ];
    launch(
        "gather_rows",
        None,
        Pass::Forward,
        Grid::line(n.div_ceil(ROWS), THREADS, 0),
        args,
    )?;
    let out = out.tensor()?;
    let (id, index) = (x.id(), index.clone());
    tape.record(&out, move |grad, grads| {
        let dx = if rows <= SMALL {
            summed(grad, &numbers, rows)?
        } else {
            spread(grad, &index, &numbers, rows)?
        };
        grads.add_to(id, dx)
    });
    Ok(out)
}

/// Sums of the rows of `grad` that chose each of `rows` rows.
fn summed(grad: &Tensor, index: &Tensor, rows: usize) -> Result<Tensor> {
    const PART: usize = 1024;
    let (n, d) = grad.dims2()?;
    let parts = n.div_ceil(PART).max(1);
    let mut sums = Buffer::new(grad, DType::F32, (parts, rows * d))?;
    let grid = Grid {
        blocks: [d.div_ceil(32), parts, 1],
        threads: THREADS,
        shared: THREADS * rows * size_of::<f32>(),
    };
    let args = &mut [
        Arg::In(grad),
        Arg::In(index),
        Arg::Out(&mut sums),
        Arg::Int(rows),
        Arg::Int(n),
        Arg::Int(d),
        Arg::Int(PART),
    ];
    launch("sum_rows", None, Pass::Backward, grid, args)?;
    column_sums(&sums.tensor()?)?.reshape((rows, d))
}

/// Row i of `grad` at row `index[i]` of `rows`, zeros elsewhere.
fn spread(grad: &Tensor, index: &Index, numbers: &Tensor, rows: usize) -> Result<Tensor> {
    if !index.is_sorted_by(|a, b| a < b) {
        candle_core::bail!("gather-rows: the numbers of rows of a long tensor must ascend");
    }
    let (n, d) = grad.dims2()?;
    let mut out = Buffer::new(grad, DType::F32, (rows, d))?;
    let args = &mut [
        Arg::In(grad),
        Arg::In(numbers),
        Arg::Out(&mut out),
        Arg::Int(rows),
        Arg::Int(n),
        Arg::Int(d),
    ];
    launch(
        "spread_rows",
        None,
        Pass::Backward,
        Grid::line(rows.div_ceil(ROWS), THREADS, 0),
        args,
    )?;
    out.tensor()
}

/// Mean or largest of the rows of each sequence. See [`mod@crate::kernels::pool`].
pub fn pool(tape: &Tape, x: &Tensor, seqs: &Seqs, largest: bool) -> Result<Tensor> {
    let ((rows, d), n) = (x.dims2()?, seqs.len());
    let starts: Vec<u32> = seqs
        .iter()
        .map(|seq| seq.start as u32)
        .chain([rows as u32])
        .collect();
    let starts = upload(x, &starts)?;
    let mut out = Buffer::new(x, DType::F32, (n, d))?;
    let mut at = if largest {
        Some(Buffer::new(x, DType::U32, (n, d))?)
    } else {
        None
    };
    let grid = Grid {
        blocks: [d.div_ceil(32), n, 1],
        threads: THREADS,
        shared: 2 * THREADS * size_of::<f32>(),
    };
    let chosen = at.as_mut().map_or(Arg::Null, Arg::Out);
    launch(
        "pool_rows",
        None,
        Pass::Forward,
        grid,
        &mut [
            Arg::In(x),
            Arg::In(&starts),
            Arg::Out(&mut out),
            chosen,
            Arg::Int(d),
        ],
    )?;
    let (out, at, id) = (out.tensor()?, at.map(Buffer::tensor).transpose()?, x.id());
    tape.record(&out, move |grad, grads| {
        let mut dx = Buffer::new(grad, DType::F32, (rows, d))?;
        let at = Arg::maybe(at.as_ref());
        let args = &mut [
            Arg::In(grad),
            Arg::In(&starts),
            at,
            Arg::Out(&mut dx),
            Arg::Int(rows),
            Arg::Int(n),
            Arg::Int(d),
        ];
        launch(
            "unpool_rows",
            None,
            Pass::Backward,
            Grid::line(rows.div_ceil(ROWS), THREADS, 0),
            args,
        )?;
        grads.add_to(id, dx.tensor()?)
    });
    Ok(out)
}

/// Numbers of the rows above `threshold`, ascending. Reads them back to the host: the one point of
/// a forward pass that waits for the device.
pub fn above(prob: &Tensor, threshold: f32) -> Result<Index> {
    const BLOCK: usize = 1024;
    let rows = prob.elem_count();
    let blocks = rows.div_ceil(BLOCK);
    let (mut counts, mut kept) = (
        Buffer::new(prob, DType::U32, blocks)?,
        Buffer::new(prob, DType::U32, 1 + rows)?,
    );
    let grid = Grid::line(blocks, THREADS, ROWS * size_of::<f32>());
    launch(
        "count_kept",
        None,
        Pass::Forward,
        grid,
        &mut [
            Arg::In(prob),
            Arg::Out(&mut counts),
            Arg::Int(rows),
            Arg::Float(threshold),
        ],
    )?;
    let counts = counts.tensor()?;
    let args = &mut [
        Arg::In(prob),
        Arg::In(&counts),
        Arg::Out(&mut kept),
        Arg::Int(rows),
        Arg::Float(threshold),
    ];
    launch("place_kept", None, Pass::Forward, grid, args)?;
    let kept = kept.tensor()?;
    let host = kept.to_vec1::<u32>()?;
    let n = host[0] as usize;
    let rows = host[1..=n].iter().map(|&row| row as usize).collect();
    Ok(Index::with_device(rows, kept.narrow(0, 1, n)?))
}
