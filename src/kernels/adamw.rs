//! The update of AdamW (Loshchilov & Hutter 2019), in place.

use super::cpu;
use super::profile::{Pass, timed};
use candle_core::{CpuStorage, InplaceOp2, Layout, Result, Tensor};
use rayon::prelude::*;
use std::sync::Mutex;

/// Elements that one task takes. Fixed, so that sums have the same order on every machine.
const PART: usize = 1 << 15;

/// Running means of a parameter's gradient and of its square.
pub struct Moments {
    /// Of the gradient.
    pub first: Vec<f32>,
    /// Of its square.
    pub second: Vec<f32>,
}

impl Moments {
    /// Zeros for a parameter of `n` elements.
    pub fn new(n: usize) -> Moments {
        Moments { first: vec![0.0; n], second: vec![0.0; n] }
    }
}

/// One update: `g = grad_scale grad`, `m += (1 - b1)(g - m)`, `v = b2 v + (1 - b2) g^2`, `x = keep x - rate m / (sqrt(v) / root + eps)`.
#[derive(Clone, Copy, Debug)]
pub struct AdamWStep {
    /// Decay rates of the moments.
    pub betas: [f64; 2],
    /// Added to the root of the second moment.
    pub eps: f32,
    /// Factor of the gradient: its clipping.
    pub grad_scale: f32,
    /// What decay leaves of the parameter.
    pub keep: f32,
    /// Learning rate over the first moment's bias correction.
    pub rate: f32,
    /// Root of the second moment's bias correction.
    pub root: f32,
}

struct InPlace<'a>(AdamWStep, Mutex<&'a mut Moments>);

impl AdamWStep {
    /// Changes `parameter`, contiguous, and its moments.
    pub fn apply(self, parameter: &Tensor, grad: &Tensor, moments: &mut Moments) -> Result<()> {
        parameter.inplace_op2(grad, &InPlace(self, Mutex::new(moments)))
    }
}

impl InplaceOp2 for InPlace<'_> {
    fn name(&self) -> &'static str {
        "adamw"
    }

    fn cpu_fwd(&self, to: &mut CpuStorage, layout: &Layout, grad: &CpuStorage, grad_layout: &Layout) -> Result<()> {
        let _timed = timed(self.name(), Pass::Forward);
        let (AdamWStep { betas: [b1, b2], eps, grad_scale, keep, rate, root }, mut moments) =
            (self.0, self.1.lock().unwrap_or_else(|e| e.into_inner()));
        let (new, b2) = ([(1.0 - b1) as f32, (1.0 - b2) as f32], b2 as f32);
        let grad = super::slice(grad, grad_layout)?;
        let (CpuStorage::F32(to), Some((start, end))) = (to, layout.contiguous_offsets()) else {
            candle_core::bail!("adamw: a parameter must be contiguous and f32");
        };
        let Moments { first, second } = &mut **moments;
        if end - start != grad.len() || first.len() != grad.len() {
            candle_core::bail!("adamw: the gradient {:?} does not fit the parameter {:?}", grad_layout.shape(), layout.shape());
        }
        let parts = to[start..end].par_chunks_mut(PART).zip(grad.par_chunks(PART));
        parts.zip(first.par_chunks_mut(PART).zip(second.par_chunks_mut(PART))).for_each(|((x, g), (m, v))| {
            for (((x, g), m), v) in x.iter_mut().zip(g).zip(m).zip(v) {
                let g = g * grad_scale;
                *m += new[0] * (g - *m);
                *v = b2 * *v + new[1] * g * g;
                *x = *x * keep - rate * *m / (v.sqrt() / root + eps);
            }
        });
        Ok(())
    }
}

/// Sum of the squares of a tensor's elements.
pub fn squared_norm(x: &Tensor) -> Result<f64> {
    let x = cpu(x)?;
    let sum = |part: &[f32]| part.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>();
    Ok(x.par_chunks(PART).map(sum).collect::<Vec<f64>>().iter().sum())
}
