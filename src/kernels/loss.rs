//! Mean cross-entropy over chosen positions.

use super::profile::{Pass, timed};
use super::tape::Tape;
use super::{cpu, cuda, from_cpu, slice};
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use std::sync::Arc;

struct CrossEntropy(Arc<[(usize, u8)]>);

/// Mean over `targets` (row, class) of `-ln softmax(logits[row])[class]`, in nats; `logits` is
/// (rows, classes). Zero without targets.
pub fn cross_entropy(tape: &Tape, logits: &Tensor, targets: &Arc<[(usize, u8)]>) -> Result<Tensor> {
    if cuda::runs(logits) {
        return cuda::loss::cross_entropy(tape, logits, targets);
    }
    tape.apply1(logits, CrossEntropy(targets.clone()))
}

/// `-ln softmax(logits)[class]`.
pub fn nats(logits: &[f32], class: usize) -> f64 {
    let max = logits.iter().copied().fold(f32::MIN, f32::max);
    let sum: f64 = logits.iter().map(|&x| f64::from(x - max).exp()).sum();
    sum.ln() - f64::from(logits[class] - max)
}

impl CustomOp1 for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross-entropy"
    }

    fn cpu_fwd(&self, s: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
        let _timed = timed(self.name(), Pass::Forward);
        let x = slice(s, l)?;
        let (rows, classes) = l.shape().dims2()?;
        if self
            .0
            .iter()
            .any(|&(row, class)| row >= rows || usize::from(class) >= classes)
        {
            candle_core::bail!("cross-entropy: a target outside the logits {:?}", l.shape());
        }
        let sum: f64 = self
            .0
            .iter()
            .map(|&(row, class)| nats(&x[row * classes..][..classes], usize::from(class)))
            .sum();
        Ok((
            CpuStorage::F32(vec![(sum / self.0.len().max(1) as f64) as f32]),
            Shape::from(()),
        ))
    }

    fn bwd(&self, arg: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let _timed = timed(self.name(), Pass::Backward);
        let (x, classes) = (cpu(arg)?, arg.dim(1)?);
        let scale = grad.to_scalar::<f32>()? / self.0.len().max(1) as f32;
        let mut dx = vec![0.0_f32; x.len()];
        for &(row, class) in self.0.iter() {
            let (x, dx) = (
                &x[row * classes..][..classes],
                &mut dx[row * classes..][..classes],
            );
            let max = x.iter().copied().fold(f32::MIN, f32::max);
            let sum: f32 = x.iter().map(|&x| (x - max).exp()).sum();
            for (dx, &x) in dx.iter_mut().zip(x) {
                *dx += scale * (x - max).exp() / sum;
            }
            dx[usize::from(class)] -= scale;
        }
        Ok(Some(from_cpu(dx, arg.shape(), arg)?))
    }
}
