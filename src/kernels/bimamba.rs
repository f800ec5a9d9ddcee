//! The BiMamba-2 mixer between its shared projections, as one candle operation.
//!
//! `zxbcdt` (total bases, `Dims::in_proj`) is read by two cores, one in each direction; each core's
//! output is gated and normalised, `RMSNorm(y * silu(z)) * w`, and the two are averaged: (total
//! bases, d_inner), ready for the shared `out_proj`. Sequences are packed one after another; `seqs`
//! holds the rows of each, and no state crosses from one to the next.

use super::cuda;
use super::linear::{Linear, linear};
use super::profile::{Pass, timed};
use super::simd::{Shared, dot, sigmoid_vector, vectorized, vectors, vectors_mut};
use super::ssd::{Core, Dims, HEAD_DIM, Scan, ScanGrads};
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
            || !self.dims.d_inner.is_multiple_of(HEAD_DIM)
        {
            candle_core::bail!(
                "bimamba: d_conv must be 2 to 4, the chunk a multiple of 16 and the channels one of {HEAD_DIM}, not {:?}",
                self.dims
            );
        }
        check_seqs(&self.seqs, rows)?;
        if self.seqs.iter().map(|seq| seq.len()).sum::<usize>() != rows {
            candle_core::bail!("bimamba: there are rows of no sequence");
        }
        Ok(rows)
    }
}

vectorized! {
    /// Gates, normalises and averages the scans of some rows: `out` holds that of the forward
    /// direction on the way in, the average on the way out. `zxbcdt` and `backward` start at the
    /// first of the rows.
    fn gate<'a, simd>(zxbcdt: &'a [f32], columns: usize, backward: &'a [f32], norms: [&'a [f32]; 2], out: &'a mut [f32]) {
        let d = norms[0].len();
        let (mut gated, mut other) = (vec![0.0_f32; d], vec![0.0_f32; d]);
        let norms = norms.map(|norm| vectors::<S>(norm));
        let scale = |gated: &[f32]| simd.splat_f32s(0.5 / (dot(simd, gated, gated) / d as f32 + EPS).sqrt());
        for (i, out) in out.chunks_exact_mut(d).enumerate() {
            let (z, y) = (vectors::<S>(&zxbcdt[i * columns..][..d]), vectors::<S>(&backward[i * d..][..d]));
            let out = vectors_mut::<S>(out);
            let to = vectors_mut::<S>(&mut gated).iter_mut().zip(vectors_mut::<S>(&mut other));
            for ((to, other), ((&out, &y), &z)) in to.zip(out.iter().zip(y).zip(z)) {
                let gate = simd.mul_f32s(z, sigmoid_vector(simd, z));
                *to = simd.mul_f32s(out, gate);
                *other = simd.mul_f32s(y, gate);
            }
            let scales = [scale(&gated), scale(&other)];
            let gated = vectors::<S>(&gated).iter().zip(vectors::<S>(&other));
            for ((out, (&f, &b)), (&w_f, &w_b)) in out.iter_mut().zip(gated).zip(norms[0].iter().zip(norms[1])) {
                let f = simd.mul_f32s(simd.mul_f32s(f, scales[0]), w_f);
                *out = simd.mul_add_f32s(simd.mul_f32s(b, scales[1]), w_b, f);
            }
        }
    }
}

vectorized! {
    /// The gradient of [`gate`]: fills the z columns of `d_in` and `dy`, adds to `d_norm` (two
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
        let (mut v, mut gate, mut slope) = (vec![0.0_f32; d], vec![0.0_f32; d], vec![0.0_f32; d]);
        let (one, half) = (simd.splat_f32s(1.0), simd.splat_f32s(0.5));
        for (i, d_in) in d_in.chunks_exact_mut(columns).enumerate() {
            let (z, g) = (vectors::<S>(&zxbcdt[i * columns..][..d]), vectors::<S>(&grad[i * d..][..d]));
            let dz = vectors_mut::<S>(&mut d_in[..d]);
            let to = vectors_mut::<S>(&mut gate).iter_mut().zip(vectors_mut::<S>(&mut slope));
            for ((gate, slope), &z) in to.zip(z) {
                let s = sigmoid_vector(simd, z);
                *gate = simd.mul_f32s(z, s);
                *slope = simd.mul_f32s(s, simd.mul_add_f32s(z, simd.sub_f32s(one, s), one));
            }
            let (gate, slope) = (vectors::<S>(&gate), vectors::<S>(&slope));
            for direction in 0..2 {
                let dy = if direction == 0 { &mut dy_f[i * d..][..d] } else { &mut dy_b[i * d..][..d] };
                let (w, y) = (vectors::<S>(&norms[direction][..d]), vectors::<S>(&y[direction][i * d..][..d]));
                let to = vectors_mut::<S>(&mut v).iter_mut().zip(vectors_mut::<S>(dy));
                for ((v, dy), ((&y, &gate), (&g, &w))) in to.zip(y.iter().zip(gate).zip(g.iter().zip(w))) {
                    *v = simd.mul_f32s(y, gate);
                    *dy = simd.mul_f32s(simd.mul_f32s(half, g), w);
                }
                let r = 1.0 / (dot(simd, &v, &v) / d as f32 + EPS).sqrt();
                let back = simd.splat_f32s(-r * r * r * dot(simd, dy, &v) / d as f32);
                let (r, half_r) = (simd.splat_f32s(r), simd.splat_f32s(0.5 * r));
                let d_norm = vectors_mut::<S>(&mut d_norm[direction * d..][..d]);
                for ((sum, &g), &v) in d_norm.iter_mut().zip(g).zip(vectors::<S>(&v)) {
                    *sum = simd.mul_add_f32s(simd.mul_f32s(half_r, g), v, *sum);
                }
                let to = dz.iter_mut().zip(vectors_mut::<S>(dy));
                for ((dz, dy), ((&v, &y), (&gate, &slope))) in to.zip(vectors::<S>(&v).iter().zip(y).zip(gate.iter().zip(slope))) {
                    let dv = simd.mul_add_f32s(r, *dy, simd.mul_f32s(back, v));
                    *dy = simd.mul_f32s(dv, gate);
                    let through_y = simd.mul_f32s(dv, y);
                    *dz = if direction == 0 {
                        simd.mul_f32s(through_y, slope)
                    } else {
                        simd.mul_add_f32s(through_y, slope, *dz)
                    };
                }
            }
        }
    }
}

vectorized! {
    /// Fills the x, B, C and dt columns of some rows of `d_in` with sums over planes. `planes` are
    /// (columns, planes) of x, of B and C, and of dt; they start at the first of the rows and are
    /// `stride` rows apart.
    fn sum_planes<'a, simd>(columns: usize, planes: [(usize, &'a [f32]); 3], stride: usize, d_in: &'a mut [f32]) {
        for (i, row) in d_in.chunks_exact_mut(columns).enumerate() {
            // The z columns before them are as many as x has.
            let mut rest = &mut row[planes[0].0..];
            for (width, planes) in planes {
                let to;
                (to, rest) = rest.split_at_mut(width);
                to.copy_from_slice(&planes[i * width..][..width]);
                for plane in planes.chunks(stride * width).skip(1) {
                    let (from, end) = S::as_simd_f32s(&plane[i * width..][..width]);
                    let (to, to_end) = S::as_mut_simd_f32s(to);
                    for (to, &x) in to.iter_mut().zip(from) {
                        *to = simd.add_f32s(*to, x);
                    }
                    for (to, x) in to_end.iter_mut().zip(end) {
                        *to += x;
                    }
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
        let [(f, f_all), (b, b_all)] = [rows * d; 2].map(to_fill);
        let (mut scans, outputs) = ([f, b], [f_all, b_all]);
        self.units().into_par_iter().for_each(|unit| {
            Arch::new().dispatch(Forward(self.scan(zxbcdt, &cores, &unit), outputs[unit.1]));
        });
        // SAFETY: the units have written all rows and heads.
        scans
            .iter_mut()
            .for_each(|scan| unsafe { scan.set_len(rows * d) });
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
        let (mut d_in, all_d_in) = to_fill(rows * columns);
        // Gate and norm: gradient of the scan outputs, of z, and of the norm weights (summed per
        // block of rows, in block order).
        let (mut dy, all_dy) = to_fill(2 * rows * d);
        let blocks: Vec<_> = (0..rows.div_ceil(ROWS))
            .into_par_iter()
            .map(|block| {
                let mut d_norm = vec![0.0_f32; 2 * d];
                let (first, n) = (block * ROWS, ROWS.min(rows - block * ROWS));
                // SAFETY: the rows of a block are its own.
                let (d_in, dy_f, dy_b) = unsafe {
                    (
                        all_d_in.slice(first * columns, n * columns),
                        all_dy.slice(first * d, n * d),
                        all_dy.slice((rows + first) * d, n * d),
                    )
                };
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
        // SAFETY: the blocks have written all rows.
        unsafe { dy.set_len(2 * rows * d) };
        let (mut dx, dx_all) = to_fill(2 * rows * d);
        let (mut dbc, dbc_all) = to_fill(2 * groups * rows * 2 * n);
        let (mut ddt, ddt_all) = to_fill(2 * rows * h);
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
        // SAFETY: the units have written all rows and heads.
        unsafe {
            dx.set_len(2 * rows * d);
            dbc.set_len(2 * groups * rows * 2 * n);
            ddt.set_len(2 * rows * h);
        }
        (0..rows.div_ceil(ROWS)).into_par_iter().for_each(|block| {
            let (first, own) = (block * ROWS, ROWS.min(rows - block * ROWS));
            let planes = [
                (d, &dx[first * d..]),
                (2 * n, &dbc[first * 2 * n..]),
                (h, &ddt[first * h..]),
            ];
            // SAFETY: the rows of a block are its own.
            let d_in = unsafe { all_d_in.slice(first * columns, own * columns) };
            sum_planes(columns, planes, rows, d_in);
        });
        // SAFETY: all columns of all rows are written.
        unsafe { d_in.set_len(rows * columns) };
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

/// Room for `n` elements that tasks write before anything reads them.
fn to_fill(n: usize) -> (Vec<f32>, Shared<f32>) {
    let mut room = Vec::with_capacity(n);
    let all = Shared::uninit(&mut room.spare_capacity_mut()[..n]);
    (room, all)
}
