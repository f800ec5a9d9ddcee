//! The training objective: masked-language-model cross-entropy plus the ratio loss that holds the
//! compression near its target.

use crate::Result;
use crate::kernels::loss::cross_entropy;
use crate::kernels::tape::{Grads, Tape};
use crate::model::LdarNet;
use crate::model::flops::forward_flops;
use candle_core::{Tensor, TensorId};
use std::sync::Arc;

/// Weights of the objective.
#[derive(Clone, Debug, PartialEq)]
pub struct Objective {
    /// Weight of the ratio loss of every stage.
    pub alpha: f64,
    /// Target bases per boundary of each stage, outermost first.
    pub compression: Vec<f64>,
    /// Keep only what enters each layer, and run the layer again on the way back: a third more work
    /// for a fraction of the memory.
    pub recompute: bool,
}

/// Loss of one packed batch and its parts.
pub struct Loss {
    /// `mlm + alpha * ratio`.
    pub total: f64,
    /// Mean cross-entropy over the masked positions, in nats.
    pub mlm: f64,
    /// Ratio loss summed over stages; 0 where no router is trained.
    pub ratio: f64,
    /// Bases per boundary actually reached, outermost stage.
    pub compression: f64,
    /// Operations of the forward pass per base ([`crate::model::flops`]).
    pub flops_per_base: f64,
    tape: Tape,
    /// Results that the loss is made of, with its gradient with respect to each.
    seeds: Vec<(Tensor, Tensor)>,
}

impl Loss {
    /// Gradients of the total with respect to the model's tensors.
    pub fn backward(self) -> Result<Grads> {
        Ok(self.tape.backward(self.seeds)?)
    }

    /// The same, told of its progress: see [`Tape::backward_telling`].
    pub fn backward_telling(
        self,
        told: impl FnMut(&[TensorId], &Grads) -> candle_core::Result<()>,
    ) -> Result<Grads> {
        Ok(self.tape.backward_telling(self.seeds, told)?)
    }
}

impl Objective {
    /// Runs the model on `inputs` and scores `targets`, (row in the packed batch, true base).
    pub fn loss(
        &self,
        model: &LdarNet,
        inputs: &[Vec<u8>],
        targets: &Arc<[(usize, u8)]>,
    ) -> Result<Loss> {
        let tape = if self.recompute {
            Tape::frugal()
        } else {
            Tape::on()
        };
        let output = model.forward_on(&tape, inputs)?;
        let cross_entropy = cross_entropy(&tape, &output.logits, targets)?;
        let mlm = f64::from(cross_entropy.to_scalar::<f32>()?);
        let mut seeds = vec![(cross_entropy.clone(), cross_entropy.ones_like()?)];
        let (mut ratio, mut compression) = (0.0, 1.0);
        let learned = model.config().routing.is_learned();
        for (i, stage) in output.stages.iter().enumerate() {
            let n = self
                .compression
                .get(i)
                .or(self.compression.last())
                .copied()
                .unwrap_or(4.0);
            let positions = stage.mask.len() as f64;
            let fraction = stage.mask.iter().filter(|&&b| b).count() as f64 / positions;
            if learned {
                // N/(N-1) ((N-1) F G + (1-F)(1-G)) is linear in G, the mean probability; F carries
                // no gradient.
                let mean = stage
                    .prob
                    .to_vec1::<f32>()?
                    .iter()
                    .map(|&p| f64::from(p))
                    .sum::<f64>()
                    / positions;
                ratio +=
                    n / (n - 1.0) * ((n - 1.0) * fraction * mean + (1.0 - fraction) * (1.0 - mean));
                let slope = n / (n - 1.0) * ((n - 1.0) * fraction - (1.0 - fraction));
                seeds.push((
                    stage.prob.clone(),
                    Tensor::full(
                        (self.alpha * slope / positions) as f32,
                        stage.mask.len(),
                        stage.prob.device(),
                    )?,
                ));
            }
            if i == 0 {
                compression = 1.0 / fraction;
            }
        }
        let bases: usize = inputs.iter().map(Vec::len).sum();
        let flops_per_base = forward_flops(model.config(), inputs, &output.stages) / bases as f64;
        Ok(Loss {
            total: mlm + self.alpha * ratio,
            mlm,
            ratio,
            compression,
            flops_per_base,
            tape,
            seeds,
        })
    }
}

#[cfg(test)]
mod tests;
