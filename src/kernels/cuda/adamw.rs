//! AdamW over all parameters in one launch, and the norm of all gradients. See
//! [`crate::kernels::adamw`].

use super::launch::{Arg, Buffer, Grid, address, launch};
use super::upload;
use crate::kernels::adamw::{AdamWStep, Moments, Update};
use crate::kernels::profile::Pass;
use candle_core::{DType, Result, Tensor};

const THREADS: usize = 256;

/// Elements that one block takes.
const PART: usize = 4096;

/// One record of the kernels' table: addresses of parameter, gradient and moments, its rates, its
/// size, and the blocks before it.
fn record(
    addresses: [u64; 4],
    rates: [f32; 2],
    size: usize,
    blocks_before: usize,
) -> impl Iterator<Item = u32> {
    let words = addresses
        .into_iter()
        .flat_map(|address| [address as u32, (address >> 32) as u32]);
    words
        .chain(rates.map(f32::to_bits))
        .chain([size as u32, blocks_before as u32])
}

/// Changes parameters and moments in place.
pub fn apply(step: AdamWStep, updates: &[Update]) -> Result<()> {
    let Some(first) = updates.first() else {
        return Ok(());
    };
    let (mut table, mut blocks) = (Vec::new(), 0);
    for Update {
        parameter,
        grad,
        moments,
        keep,
        rate,
    } in updates
    {
        let Moments::Device([m, v]) = moments else {
            candle_core::bail!("adamw: moments on the CPU, a parameter on a device")
        };
        let n = parameter.elem_count();
        if [*parameter, *grad, m, v]
            .iter()
            .any(|x| x.elem_count() != n || x.dtype() != DType::F32 || !x.is_contiguous())
        {
            candle_core::bail!(
                "adamw: gradient or moments do not fit the parameter {:?}",
                parameter.shape()
            );
        }
        table.extend(record(
            [
                address(parameter)?,
                address(grad)?,
                address(m)?,
                address(v)?,
            ],
            [*keep, *rate],
            n,
            blocks,
        ));
        blocks += n.div_ceil(PART);
    }
    let table = upload(first.parameter, &table)?;
    let AdamWStep {
        betas: [b1, b2],
        eps,
        grad_scale,
        root,
    } = step;
    let args = &mut [
        Arg::In(&table),
        Arg::Int(updates.len()),
        Arg::Float((1.0 - b1) as f32),
        Arg::Float(b2 as f32),
        Arg::Float((1.0 - b2) as f32),
        Arg::Float(eps),
        Arg::Float(grad_scale),
        Arg::Float(root),
    ];
    launch(
        "adamw",
        None,
        Pass::Forward,
        Grid::line(blocks, THREADS, 0),
        args,
    )
}

/// Sum of the squares of all elements; waits for the device.
pub fn squared_norm(tensors: &[&Tensor]) -> Result<f64> {
    let Some(first) = tensors.first() else {
        return Ok(0.0);
    };
    let (mut table, mut blocks) = (Vec::new(), 0);
    for x in tensors {
        if x.dtype() != DType::F32 || !x.is_contiguous() {
            candle_core::bail!("squared norm: a gradient must be contiguous and f32");
        }
        table.extend(record(
            [0, address(x)?, 0, 0],
            [0.0; 2],
            x.elem_count(),
            blocks,
        ));
        blocks += x.elem_count().div_ceil(PART);
    }
    let table = upload(first, &table)?;
    let mut sums = Buffer::new(first, DType::F32, blocks)?;
    let grid = Grid::line(blocks, THREADS, THREADS / 32 * size_of::<f32>());
    launch(
        "squared_norms",
        None,
        Pass::Backward,
        grid,
        &mut [
            Arg::In(&table),
            Arg::Int(tensors.len()),
            Arg::Out(&mut sums),
        ],
    )?;
    Ok(sums
        .tensor()?
        .to_vec1::<f32>()?
        .into_iter()
        .map(f64::from)
        .sum())
}
