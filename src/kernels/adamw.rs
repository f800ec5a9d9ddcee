//! The update of AdamW (Loshchilov & Hutter 2019), in place, and the norm of gradients.

use super::profile::{Pass, timed};
use super::{cpu, cuda};
use candle_core::{CpuStorage, Device, InplaceOp2, Layout, Result, Tensor};
use rayon::prelude::*;
use std::sync::Mutex;

/// Elements that one task takes. Fixed, so that sums have the same order on every machine.
const PART: usize = 1 << 15;

/// Running means of a parameter's gradient and of its square.
pub enum Moments {
    /// Of a parameter on the CPU.
    Host([Vec<f32>; 2]),
    /// Of one that kernels update, flat, on its device.
    Device([Tensor; 2]),
}

impl Moments {
    /// Zeros for a parameter.
    pub fn new(parameter: &Tensor) -> Result<Moments> {
        let n = parameter.elem_count();
        if cuda::runs(parameter) {
            let zeros = || Tensor::zeros(n, parameter.dtype(), parameter.device());
            return Ok(Moments::Device([zeros()?, zeros()?]));
        }
        Ok(Moments::Host([vec![0.0; n], vec![0.0; n]]))
    }

    /// Both as flat tensors on the CPU.
    pub fn tensors(&self) -> Result<[Tensor; 2]> {
        match self {
            Moments::Host([first, second]) => {
                let tensor =
                    |values: &Vec<f32>| Tensor::from_slice(values, values.len(), &Device::Cpu);
                Ok([tensor(first)?, tensor(second)?])
            }
            Moments::Device([first, second]) => Ok([
                first.to_device(&Device::Cpu)?,
                second.to_device(&Device::Cpu)?,
            ]),
        }
    }

    /// Takes what [`Moments::tensors`] gave.
    ///
    /// # Errors
    /// They are of another size.
    pub fn restore(&mut self, [first, second]: [&Tensor; 2]) -> Result<()> {
        let n = match self {
            Moments::Host([first, _]) => first.len(),
            Moments::Device([first, _]) => first.elem_count(),
        };
        if first.elem_count() != n || second.elem_count() != n {
            candle_core::bail!(
                "moments of {} elements for a parameter of {n}",
                first.elem_count()
            );
        }
        *self = match self {
            Moments::Host(_) => Moments::Host([
                first.flatten_all()?.to_vec1()?,
                second.flatten_all()?.to_vec1()?,
            ]),
            Moments::Device([old, _]) => {
                let place =
                    |x: &Tensor| x.flatten_all()?.force_contiguous()?.to_device(old.device());
                Moments::Device([place(first)?, place(second)?])
            }
        };
        Ok(())
    }
}

/// One update: `g = grad_scale grad`, `m += (1 - b1)(g - m)`, `v = b2 v + (1 - b2) g^2`, `x = keep
/// x - rate m / (sqrt(v) / root + eps)`.
#[derive(Clone, Copy, Debug)]
pub struct AdamWStep {
    /// Decay rates of the moments.
    pub betas: [f64; 2],
    /// Added to the root of the second moment.
    pub eps: f32,
    /// Factor of the gradients: their clipping.
    pub grad_scale: f32,
    /// Root of the second moment's bias correction.
    pub root: f32,
}

/// A parameter to be updated.
pub struct Update<'a> {
    /// Contiguous; changed in place.
    pub parameter: &'a Tensor,
    /// Its gradient.
    pub grad: &'a Tensor,
    /// Its moments.
    pub moments: &'a mut Moments,
    /// What decay leaves of the parameter.
    pub keep: f32,
    /// Learning rate over the first moment's bias correction.
    pub rate: f32,
}

struct InPlace<'a> {
    step: AdamWStep,
    keep: f32,
    rate: f32,
    moments: Mutex<&'a mut [Vec<f32>; 2]>,
}

impl AdamWStep {
    /// Changes parameters and their moments.
    pub fn apply(self, mut updates: Vec<Update>) -> Result<()> {
        if updates.first().is_some_and(|u| cuda::runs(u.parameter)) {
            return cuda::adamw::apply(self, &updates);
        }
        for Update {
            parameter,
            grad,
            moments,
            keep,
            rate,
        } in &mut updates
        {
            let Moments::Host(moments) = moments else {
                candle_core::bail!("adamw: moments on a device, a parameter on the CPU")
            };
            parameter.inplace_op2(
                grad,
                &InPlace {
                    step: self,
                    keep: *keep,
                    rate: *rate,
                    moments: Mutex::new(moments),
                },
            )?;
        }
        Ok(())
    }
}

impl InplaceOp2 for InPlace<'_> {
    fn name(&self) -> &'static str {
        "adamw"
    }

    fn cpu_fwd(
        &self,
        to: &mut CpuStorage,
        layout: &Layout,
        grad: &CpuStorage,
        grad_layout: &Layout,
    ) -> Result<()> {
        let _timed = timed(self.name(), Pass::Forward);
        let (
            AdamWStep {
                betas: [b1, b2],
                eps,
                grad_scale,
                root,
            },
            keep,
            rate,
        ) = (self.step, self.keep, self.rate);
        let mut moments = self.moments.lock().unwrap_or_else(|e| e.into_inner());
        let (new, b2) = ([(1.0 - b1) as f32, (1.0 - b2) as f32], b2 as f32);
        let grad = super::slice(grad, grad_layout)?;
        let (CpuStorage::F32(to), Some((start, end))) = (to, layout.contiguous_offsets()) else {
            candle_core::bail!("adamw: a parameter must be contiguous and f32");
        };
        let [first, second] = &mut **moments;
        if end - start != grad.len() || first.len() != grad.len() {
            candle_core::bail!(
                "adamw: the gradient {:?} does not fit the parameter {:?}",
                grad_layout.shape(),
                layout.shape()
            );
        }
        let parts = to[start..end]
            .par_chunks_mut(PART)
            .zip(grad.par_chunks(PART));
        parts
            .zip(first.par_chunks_mut(PART).zip(second.par_chunks_mut(PART)))
            .for_each(|((x, g), (m, v))| {
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

/// Sum of the squares of all elements of some tensors.
pub fn squared_norm(tensors: &[&Tensor]) -> Result<f64> {
    if tensors.first().is_some_and(|x| cuda::runs(x)) {
        return cuda::adamw::squared_norm(tensors);
    }
    let sum = |part: &[f32]| {
        part.iter()
            .map(|&x| f64::from(x) * f64::from(x))
            .sum::<f64>()
    };
    tensors
        .iter()
        .map(|x| {
            Ok(cpu(x)?
                .par_chunks(PART)
                .map(sum)
                .collect::<Vec<f64>>()
                .iter()
                .sum::<f64>())
        })
        .sum()
}
