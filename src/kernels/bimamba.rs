//! The BiMamba-2 mixer between its shared projections, as one candle operation.
//!
//! `zxbcdt` (total bases, `Dims::in_proj`) is read by two cores, one in each direction; each core's
//! output is gated and normalised, `RMSNorm(y * silu(z)) * w`, and the two are averaged: (total
//! bases, d_inner), ready for the shared `out_proj`. Sequences are packed one after another; `seqs`
//! holds the rows of each, and no state crosses from one to the next.

use super::cuda;
use super::linear::{Linear, linear};
use super::profile::{Pass, timed};
use super::simd::{Shared, dot, sigmoid, silu, vectorized};
use super::ssd::{Core, Dims, Scan, ScanGrads};
use super::tape::Tape;
use super::{EPS, ROWS, Seqs, check_seqs, cpu, from_cpu, slice};
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;
use std::sync::Mutex;

/// Heads that one unit of parallel work takes. Fixed, so that sums have the same order on every
/// machine.
const HEADS_PER_UNIT: usize = 4;

/// The operation; see the module.
pub struct BiMamba {
    dims: Dims,
    seqs: Seqs,
    /// Scan outputs of the two directions, each (total bases, d_inner), kept for the backward pass
    /// when there will be one.
    scans: Option<Mutex<[Vec<f32>; 2]>>,
}

/// The mixer in training, from its input `x` (rows, d_model) through `in_proj` (`Dims::in_proj`,
/// d_model); `fwd` and `bwd` are the packed parameters of the two cores ([`pack`]). What the
/// projection gives is the widest tensor of the network: the backward pass makes it again.
pub fn mixer(
    tape: &Tape,
    x: &Tensor,
    in_proj: &Tensor,
    cores: [&Tensor; 2],
    dims: Dims,
    seqs: &Seqs,
) -> Result<Tensor> {
    let op = BiMamba {
        dims,
        seqs: seqs.clone(),
        scans: tape.is_on().then(Mutex::default),
    };
    let project = |x: &Tensor, in_proj: &Tensor| linear(&Tape::off(), x, in_proj);
    let projected = project(x, in_proj)?;
    // The scans and how the work was cut, where kernels made them.
    let (out, kept) = match op.plan(&projected, cores)? {
        Some(plan) => {
            let (out, scans) = cuda::bimamba::forward(&plan, &projected, cores)?;
            (out, Some((plan, scans)))
        }
        None => (projected.apply_op3_no_bwd(cores[0], cores[1], &op)?, None),
    };
    let (x, in_proj, [fwd, bwd]) = (x.clone(), in_proj.clone(), cores.map(Tensor::clone));
    tape.record(&out, move |grad, grads| {
        let d_projected = {
            let projected = project(&x, &in_proj)?;
            let (d_projected, d_fwd, d_bwd) = match kept {
                Some((plan, scans)) => {
                    cuda::bimamba::backward(&plan, &projected, [&fwd, &bwd], scans, grad)?
                }
                None => op.gradients(&projected, &fwd, &bwd, grad)?,
            };
            grads.add(&fwd, d_fwd)?;
            grads.add(&bwd, d_bwd)?;
            d_projected
        };
        let (dx, d_weight) = Linear.gradients(&x, &in_proj, &d_projected)?;
        grads.add(&x, dx)?;
        grads.add(&in_proj, d_weight)
    });
    Ok(out)
}

/// What follows the projection: `projected` (rows, `Dims::in_proj`) through both cores; the mixer
/// in inference.
pub fn scan(projected: &Tensor, cores: [&Tensor; 2], dims: Dims, seqs: &Seqs) -> Result<Tensor> {
    let op = BiMamba {
        dims,
        seqs: seqs.clone(),
        scans: None,
    };
    match op.plan(projected, cores)? {
        Some(plan) => Ok(cuda::bimamba::forward(&plan, projected, cores)?.0),
        None => projected.apply_op3_no_bwd(cores[0], cores[1], &op),
    }
}

/// Puts the parameters of one core, in the order of [`Core`], into one tensor.
pub fn pack(tape: &Tape, parts: &[Tensor]) -> Result<Tensor> {
    let flat = parts
        .iter()
        .map(Tensor::flatten_all)
        .collect::<Result<Vec<_>>>()?;
    let out = Tensor::cat(&flat, 0)?;
    let parts = parts.to_vec();
    tape.record(&out, move |grad, grads| {
        let mut start = 0;
        for part in &parts {
            grads.add(
                part,
                grad.narrow(0, start, part.elem_count())?
                    .reshape(part.shape())?,
            )?;
            start += part.elem_count();
        }
        Ok(())
    });
    Ok(out)
}

/// Starts one unit of the scan with the widest vectors of this machine.
struct Forward<'a>(Scan<'a>, Shared<f32>);

impl WithSimd for Forward<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        self.0.forward(simd, self.1);
    }
}

/// The same for the gradient.
struct Backward<'a> {
    scan: Scan<'a>,
    dy: &'a [f32],
    grads: ScanGrads,
    params: Core<&'a mut [f32]>,
}

impl WithSimd for Backward<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        self.scan
            .backward(simd, self.dy, &self.grads, &mut self.params);
    }
}

impl BiMamba {
    /// The units of work: (sequence, direction, heads, number of the group).
    fn units(&self) -> Vec<(usize, usize, std::ops::Range<usize>, usize)> {
        let heads = self.dims.n_heads();
        let mut units = Vec::new();
        for seq in (0..self.seqs.len()).filter(|&s| !self.seqs[s].is_empty()) {
            for direction in 0..2 {
                for (group, first) in (0..heads).step_by(HEADS_PER_UNIT).enumerate() {
                    units.push((
                        seq,
                        direction,
                        first..heads.min(first + HEADS_PER_UNIT),
                        group,
                    ));
                }
            }
        }
        // Longest first, so that the last unit to finish is a short one.
        units.sort_by_key(|(seq, ..)| std::cmp::Reverse(self.seqs[*seq].len()));
        units
    }

    fn scan<'a>(
        &self,
        zxbcdt: &'a [f32],
        cores: &'a [Core<&'a [f32]>; 2],
        unit: &(usize, usize, std::ops::Range<usize>, usize),
    ) -> Scan<'a> {
        Scan {
            dims: self.dims,
            core: &cores[unit.1],
            zxbcdt,
            rows: self.seqs[unit.0].clone(),
            reverse: unit.1 == 1,
            heads: unit.2.clone(),
        }
    }

    /// How kernels would cut the work, if they are to do it.
    fn plan(&self, projected: &Tensor, cores: [&Tensor; 2]) -> Result<Option<cuda::bimamba::Plan>> {
        if !cuda::runs(projected) {
            return Ok(None);
        }
        let rows = self.check(projected.shape(), cores.map(Tensor::shape))?;
        cuda::bimamba::Plan::new(projected, rows, self.dims, &self.seqs).map(Some)
    }

    fn check(&self, zxbcdt: &Shape, params: [&Shape; 2]) -> Result<usize> {
        let (rows, columns) = zxbcdt.dims2()?;
        if columns != self.dims.in_proj()
            || params
                .iter()
                .any(|p| p.elem_count() != self.dims.n_params())
        {
            candle_core::bail!(
                "bimamba: input {zxbcdt:?} or parameters do not fit {:?}",
                self.dims
            );
        }
        if !(2..=4).contains(&self.dims.d_conv)
            || self.dims.chunk == 0
            || !self.dims.chunk.is_multiple_of(16)
        {
            candle_core::bail!(
                "bimamba: d_conv must be 2 to 4 and the chunk a multiple of 16, not {:?}",
                self.dims
            );
        }
        check_seqs(&self.seqs, rows)?;
        Ok(rows)
    }
}

vectorized! {
    /// Gates, normalises and averages the scans of some rows: `out` holds that of the forward
    /// direction on the way in, the average on the way out. `zxbcdt` and `backward` start at the
    /// first of the rows.
    fn gate<'a, simd>(zxbcdt: &'a [f32], columns: usize, backward: &'a [f32], norms: [&'a [f32]; 2], out: &'a mut [f32]) {
        let d = norms[0].len();
        let (mut gated, mut gate) = (vec![0.0_f32; d], vec![0.0_f32; d]);
        for (i, out) in out.chunks_exact_mut(d).enumerate() {
            let (z, y) = (&zxbcdt[i * columns..][..d], &backward[i * d..][..d]);
            for c in 0..d {
                gate[c] = silu(z[c]);
                gated[c] = out[c] * gate[c];
            }
            let (scale, w) = (0.5 / (dot(simd, &gated, &gated) / d as f32 + EPS).sqrt(), norms[0]);
            for c in 0..d {
                out[c] = gated[c] * scale * w[c];
                gated[c] = y[c] * gate[c];
            }
            let (scale, w) = (0.5 / (dot(simd, &gated, &gated) / d as f32 + EPS).sqrt(), norms[1]);
            for c in 0..d {
                out[c] = (gated[c] * scale).mul_add(w[c], out[c]);
            }
        }
    }
}

vectorized! {
    /// The gradient of [`gate`]: adds to the z columns of `d_in`, fills `dy`, adds to `d_norm` (two
    /// directions, d_inner).
    fn gate_backward<'a, simd>(
        zxbcdt: &'a [f32],
        columns: usize,
        y: [&'a [f32]; 2],
        norms: [&'a [f32]; 2],
        grad: &'a [f32],
        d_in: &'a mut [f32],
        dy: [&'a mut [f32]; 2],
        d_norm: &'a mut [f32],
    ) {
        let d = norms[0].len();
        let [dy_f, dy_b] = dy;
        let (mut v, mut s) = (vec![0.0_f32; d], vec![0.0_f32; d]);
        for (i, d_in) in d_in.chunks_exact_mut(columns).enumerate() {
            let (z, g) = (&zxbcdt[i * columns..][..d], &grad[i * d..][..d]);
            for c in 0..d {
                s[c] = sigmoid(z[c]);
            }
            let dz = &mut d_in[..d];
            for direction in 0..2 {
                let dy = if direction == 0 { &mut dy_f[i * d..][..d] } else { &mut dy_b[i * d..][..d] };
                let (w, y) = (&norms[direction][..d], &y[direction][i * d..][..d]);
                for c in 0..d {
                    v[c] = y[c] * z[c] * s[c];
                }
                let r = 1.0 / (dot(simd, &v, &v) / d as f32 + EPS).sqrt();
                let d_norm = &mut d_norm[direction * d..][..d];
                for c in 0..d {
                    dy[c] = 0.5 * g[c] * w[c];
                    d_norm[c] = (0.5 * g[c] * r).mul_add(v[c], d_norm[c]);
                }
                let back = r * r * r * dot(simd, dy, &v) / d as f32;
                for c in 0..d {
                    let dv = r * dy[c] - back * v[c];
                    dy[c] = dv * z[c] * s[c];
                    dz[c] += dv * y[c] * s[c] * z[c].mul_add(1.0 - s[c], 1.0);
                }
            }
        }
    }
}

impl CustomOp3 for BiMamba {
    fn name(&self) -> &'static str {
        "bimamba"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let _timed = timed(self.name(), Pass::Forward);
        let rows = self.check(l1.shape(), [l2.shape(), l3.shape()])?;
        let (zxbcdt, fwd, bwd) = (slice(s1, l1)?, slice(s2, l2)?, slice(s3, l3)?);
        let cores = [Core::split(&self.dims, fwd), Core::split(&self.dims, bwd)];
        let d = self.dims.d_inner;
        let mut scans = [vec![0.0_f32; rows * d], vec![0.0_f32; rows * d]];
        let outputs = scans.each_mut().map(|scan| Shared::new(scan));
        self.units().into_par_iter().for_each(|unit| {
            Arch::new().dispatch(Forward(self.scan(zxbcdt, &cores, &unit), outputs[unit.1]));
        });
        let mut out = if self.scans.is_some() {
            scans[0].clone()
        } else {
            std::mem::take(&mut scans[0])
        };
        let columns = self.dims.in_proj();
        out.par_chunks_mut(ROWS * d)
            .zip(scans[1].par_chunks(ROWS * d))
            .enumerate()
            .for_each(|(block, (out, backward))| {
                gate(
                    &zxbcdt[block * ROWS * columns..],
                    columns,
                    backward,
                    [cores[0].norm, cores[1].norm],
                    out,
                );
            });
        if let Some(keep) = &self.scans {
            *keep.lock().unwrap_or_else(|e| e.into_inner()) = scans;
        }
        Ok((CpuStorage::F32(out), (rows, d).into()))
    }
}

impl BiMamba {
    /// Gradients of the projection and of both cores' parameters, from that of the output.
    fn gradients(
        &self,
        zxbcdt_tensor: &Tensor,
        fwd_tensor: &Tensor,
        bwd_tensor: &Tensor,
        grad: &Tensor,
    ) -> Result<(Tensor, Tensor, Tensor)> {
        let _timed = timed("bimamba", Pass::Backward);
        let (zxbcdt, fwd, bwd, grad) = (
            cpu(zxbcdt_tensor)?,
            cpu(fwd_tensor)?,
            cpu(bwd_tensor)?,
            cpu(grad)?,
        );
        let (zxbcdt, grad): (&[f32], &[f32]) = (&zxbcdt, &grad);
        let cores = [Core::split(&self.dims, &fwd), Core::split(&self.dims, &bwd)];
        let (d, n, h, columns) = (
            self.dims.d_inner,
            self.dims.d_state,
            self.dims.n_heads(),
            self.dims.in_proj(),
        );
        let rows = zxbcdt_tensor.dim(0)?;
        let Some(kept) = &self.scans else {
            candle_core::bail!("bimamba: backward without a training forward")
        };
        let kept = kept.lock().unwrap_or_else(|e| e.into_inner());
        let mut d_in = vec![0.0_f32; rows * columns];
        // Gate and norm: gradient of the scan outputs, of z, and of the norm weights (summed per
        // block of rows, in block order).
        let mut dy = vec![0.0_f32; 2 * rows * d];
        let (dy_f, dy_b) = dy.split_at_mut(rows * d);
        let blocks: Vec<_> = d_in
            .par_chunks_mut(ROWS * columns)
            .zip(
                dy_f.par_chunks_mut(ROWS * d)
                    .zip(dy_b.par_chunks_mut(ROWS * d)),
            )
            .enumerate()
            .map(|(block, (d_in, (dy_f, dy_b)))| {
                let mut d_norm = vec![0.0_f32; 2 * d];
                let (first, n) = (block * ROWS, dy_f.len() / d);
                let y = kept.each_ref().map(|scan| &scan[first * d..][..n * d]);
                let norms = [cores[0].norm, cores[1].norm];
                gate_backward(
                    &zxbcdt[first * columns..],
                    columns,
                    y,
                    norms,
                    &grad[first * d..],
                    d_in,
                    [dy_f, dy_b],
                    &mut d_norm,
                );
                d_norm
            })
            .collect();

        let units = self.units();
        let groups = h.div_ceil(HEADS_PER_UNIT);
        let (mut dx, mut dbc, mut ddt) = (
            vec![0.0_f32; 2 * rows * d],
            vec![0.0_f32; 2 * groups * rows * 2 * n],
            vec![0.0_f32; 2 * rows * h],
        );
        let (dx_all, dbc_all, ddt_all) = (
            Shared::new(&mut dx),
            Shared::new(&mut dbc),
            Shared::new(&mut ddt),
        );
        let n_params = self.dims.n_params();
        let mut partial = vec![0.0_f32; units.len() * n_params];
        units
            .par_iter()
            .zip(partial.par_chunks_mut(n_params))
            .for_each(|(unit, params)| {
                let (direction, group) = (unit.1, unit.3);
                // Units of one (direction, group) plane write different rows or heads.
                let grads = ScanGrads {
                    x: dx_all.part(direction * rows * d, rows * d),
                    bc: dbc_all.part((direction * groups + group) * rows * 2 * n, rows * 2 * n),
                    dt: ddt_all.part(direction * rows * h, rows * h),
                };
                Arch::new().dispatch(Backward {
                    scan: self.scan(zxbcdt, &cores, unit),
                    dy: &dy[direction * rows * d..][..rows * d],
                    grads,
                    params: Core::split_mut(&self.dims, params),
                });
            });
        d_in.par_chunks_mut(columns)
            .enumerate()
            .for_each(|(row, d_in)| {
                for plane in 0..2 {
                    add(&mut d_in[d..2 * d], &dx[(plane * rows + row) * d..][..d]);
                    add(
                        &mut d_in[columns - h..],
                        &ddt[(plane * rows + row) * h..][..h],
                    );
                }
                for plane in 0..2 * groups {
                    add(
                        &mut d_in[2 * d..2 * d + 2 * n],
                        &dbc[(plane * rows + row) * 2 * n..][..2 * n],
                    );
                }
            });
        let mut d_params = [vec![0.0_f32; n_params], vec![0.0_f32; n_params]];
        for (unit, partial) in units.iter().zip(partial.chunks_exact(n_params)) {
            add(&mut d_params[unit.1], partial);
        }
        for block in &blocks {
            for (params, norm) in d_params.iter_mut().zip(block.chunks_exact(d)) {
                add(&mut params[n_params - d..], norm);
            }
        }
        let [d_fwd, d_bwd] = d_params;
        Ok((
            from_cpu(d_in, zxbcdt_tensor.shape(), zxbcdt_tensor)?,
            from_cpu(d_fwd, fwd_tensor.shape(), fwd_tensor)?,
            from_cpu(d_bwd, bwd_tensor.shape(), bwd_tensor)?,
        ))
    }
}

fn add(to: &mut [f32], from: &[f32]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += from;
    }
}
