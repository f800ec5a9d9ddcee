//! The gradient of the mixer. Everything but the scans' outputs is made again.

use super::{CHUNK, CONV_THREADS, Inputs, LD, Plan, THREADS, WIDE};
use crate::kernels::EPS;
use crate::kernels::cuda::launch::{Arg, Buffer, Grid, launch};
use crate::kernels::cuda::norm::column_sums;
use crate::kernels::profile::Pass;
use candle_core::{DType, Result, Tensor};

/// Rows that one block of the gate's gradient sums over.
const GATE_ROWS: usize = 16;

/// Gradients of the projection and of both cores' packed parameters, from the scans' outputs `y`
/// and the gradient of the mixer's output.
pub fn backward(
    plan: &Plan,
    projected: &Tensor,
    cores: [&Tensor; 2],
    y: Tensor,
    grad: &Tensor,
) -> Result<(Tensor, Tensor, Tensor)> {
    let dims = plan.dims;
    let mut d_projected = Buffer::new(projected, projected.dtype(), (plan.rows, dims.in_proj()))?;
    let (dy, d_norm) = plan.gate_backward(projected, &y, cores, grad, &mut d_projected)?;
    drop(y);
    let inputs = plan.inputs(projected, cores, Pass::Backward)?;
    let (dx, dbc, d_raw, d_scalars) = plan.scan_backward(&inputs, &dy, cores)?;
    drop((dy, inputs));
    let d_conv = plan.conv_backward(projected, cores, [&dx, &dbc, &d_raw], &mut d_projected)?;
    let core = |direction: usize| -> Result<Tensor> {
        let part = |sums: &Tensor| {
            sums.narrow(0, direction * sums.elem_count() / 2, sums.elem_count() / 2)
        };
        Tensor::cat(&[part(&d_conv)?, part(&d_scalars)?, part(&d_norm)?], 0)
    };
    Ok((d_projected.tensor()?, core(0)?, core(1)?))
}

impl Plan {
    /// Gradients of the scans' outputs and of the norms' weights, (2 d_inner); writes the columns
    /// of z.
    fn gate_backward(
        &self,
        projected: &Tensor,
        y: &Tensor,
        [fwd, bwd]: [&Tensor; 2],
        grad: &Tensor,
        d_projected: &mut Buffer,
    ) -> Result<(Tensor, Tensor)> {
        let (dtype, parts) = (projected.dtype(), self.rows.div_ceil(GATE_ROWS));
        let mut dy = Buffer::new(projected, dtype, (2, self.rows, self.dims.d_inner))?;
        let mut d_norm = Buffer::new(projected, DType::F32, (parts, 2 * self.dims.d_inner))?;
        let [rows, d, n, k] = self.sizes();
        let args = &mut [
            Arg::In(projected),
            Arg::In(y),
            Arg::In(fwd),
            Arg::In(bwd),
            Arg::In(grad),
            Arg::Out(d_projected),
            Arg::Out(&mut dy),
            Arg::Out(&mut d_norm),
            Arg::Int(GATE_ROWS),
            rows,
            d,
            n,
            k,
            Arg::Float(EPS),
        ];
        launch(
            "bimamba_gate_backward",
            Some(dtype),
            Pass::Backward,
            Grid::line(parts, THREADS, 4 * GATE_ROWS * 4),
            args,
        )?;
        Ok((dy.tensor()?, column_sums(&d_norm.tensor()?)?))
    }

    /// Gradients of x, of B and C by groups of heads, of the raw steps, and of dt_bias, A_log and
    /// D, (2 x 3 heads).
    fn scan_backward(
        &self,
        inputs: &Inputs,
        dy: &Tensor,
        [fwd, bwd]: [&Tensor; 2],
    ) -> Result<(Tensor, Tensor, Tensor, Tensor)> {
        let (dims, dtype, heads) = (self.dims, dy.dtype(), self.dims.n_heads());
        let (states, d_states) = (
            self.states(inputs, None, Pass::Backward)?,
            self.states(inputs, Some(dy), Pass::Backward)?,
        );
        let mut dx = Buffer::new(dy, dtype, (2, self.rows, dims.d_inner))?;
        let mut d_raw = Buffer::new(dy, DType::F32, (2, heads, self.rows))?;
        let mut d_scalars = Buffer::new(dy, DType::F32, (self.n_chunks, 6 * heads))?;
        let [rows, d, n, k] = self.sizes();
        let args = &mut [
            Arg::In(&inputs.xbc),
            Arg::In(dy),
            Arg::In(&inputs.dt),
            Arg::In(&inputs.a),
            Arg::In(&states),
            Arg::In(&d_states),
            Arg::In(fwd),
            Arg::In(bwd),
            Arg::In(&self.chunks),
            Arg::Out(&mut dx),
            Arg::Out(&mut d_raw),
            Arg::Out(&mut d_scalars),
            Arg::Int(self.n_chunks),
            rows,
            d,
            n,
            k,
        ];
        let size = dtype.size_in_bytes();
        let shared = CHUNK * (LD + 8) * 4 + (4 * CHUNK * LD + 2 * WIDE) * size;
        let grid = Grid {
            blocks: [self.n_chunks * self.groups(), 1, 2],
            threads: THREADS,
            shared,
        };
        launch(
            "bimamba_scan_backward",
            Some(dtype),
            Pass::Backward,
            grid,
            args,
        )?;
        let mut dbc = Buffer::new(
            dy,
            DType::F32,
            (2, self.groups(), self.rows, 2 * dims.d_state),
        )?;
        let [rows, d, n, k] = self.sizes();
        let args = &mut [
            Arg::In(&inputs.xbc),
            Arg::In(dy),
            Arg::In(&inputs.dt),
            Arg::In(&inputs.a),
            Arg::In(&states),
            Arg::In(&d_states),
            Arg::In(&self.chunks),
            Arg::Out(&mut dbc),
            Arg::Int(self.n_chunks),
            rows,
            d,
            n,
            k,
        ];
        // V and later a state share a place.
        let shared = (WIDE + 4 * CHUNK) * 4
            + (WIDE + 3 * CHUNK * LD) * size
            + (WIDE * size).max(CHUNK * LD * 4);
        let grid = Grid {
            blocks: [self.n_chunks * self.groups(), 1, 4],
            threads: THREADS,
            shared,
        };
        launch(
            "bimamba_bc_backward",
            Some(dtype),
            Pass::Backward,
            grid,
            args,
        )?;
        Ok((
            dx.tensor()?,
            dbc.tensor()?,
            d_raw.tensor()?,
            column_sums(&d_scalars.tensor()?)?,
        ))
    }

    /// Gradients of the convolutions' parameters, (2 x conv_dim (d_conv + 1)); writes the columns
    /// of x, B, C and dt.
    fn conv_backward(
        &self,
        projected: &Tensor,
        [fwd, bwd]: [&Tensor; 2],
        [dx, dbc, d_raw]: [&Tensor; 3],
        d_projected: &mut Buffer,
    ) -> Result<Tensor> {
        let (dims, dtype) = (self.dims, projected.dtype());
        let mut d_conv = Buffer::new(
            projected,
            DType::F32,
            (self.n_chunks, 2 * dims.conv_dim() * (dims.d_conv + 1)),
        )?;
        let [rows, d, n, k] = self.sizes();
        let args = &mut [
            Arg::In(projected),
            Arg::In(fwd),
            Arg::In(bwd),
            Arg::In(&self.chunks),
            Arg::In(dx),
            Arg::In(dbc),
            Arg::In(d_raw),
            Arg::Out(d_projected),
            Arg::Out(&mut d_conv),
            rows,
            d,
            n,
            k,
        ];
        let channels = dims.conv_dim() + dims.n_heads();
        let grid = Grid {
            blocks: [self.n_chunks, channels.div_ceil(CONV_THREADS), 1],
            threads: CONV_THREADS,
            shared: 0,
        };
        launch(
            "bimamba_conv_backward",
            Some(dtype),
            Pass::Backward,
            grid,
            args,
        )?;
        column_sums(&d_conv.tensor()?)
    }
}
