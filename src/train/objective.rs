//! The training objective: masked-language-model cross-entropy plus the ratio loss that holds the compression near its target.

use crate::Result;
use crate::kernels::loss::cross_entropy;
use crate::model::{LdarNet, Output};
use candle_core::Tensor;
use std::sync::Arc;

/// Weights of the objective.
#[derive(Clone, Debug, PartialEq)]
pub struct Objective {
    /// Weight of the ratio loss of every stage.
    pub alpha: f64,
    /// Target bases per boundary of each stage, outermost first.
    pub compression: Vec<f64>,
}

/// Loss of one packed batch and its parts.
pub struct Loss {
    /// `mlm + alpha * sum of ratios`, with gradients.
    pub total: Tensor,
    /// Mean cross-entropy over the masked positions, in nats.
    pub mlm: f64,
    /// Ratio loss summed over stages.
    pub ratio: f64,
    /// Bases per boundary actually reached, outermost stage.
    pub compression: f64,
}

impl Objective {
    /// Runs the model on `inputs` and scores `targets`, (row in the packed batch, true base).
    pub fn loss(&self, model: &LdarNet, inputs: &[Vec<u8>], targets: &Arc<[(usize, u8)]>) -> Result<Loss> {
        self.of(&model.forward(inputs)?, targets)
    }

    /// The loss of a forward pass that was made.
    pub fn of(&self, output: &Output, targets: &Arc<[(usize, u8)]>) -> Result<Loss> {
        let mlm = cross_entropy(&output.logits, targets)?;
        let mlm_value = f64::from(mlm.to_scalar::<f32>()?);
        let (mut total, mut ratio_sum, mut reached) = (mlm, 0.0, 1.0);
        for (i, stage) in output.stages.iter().enumerate() {
            let n = self.compression.get(i).or(self.compression.last()).copied().unwrap_or(4.0);
            let fraction = stage.mask.iter().filter(|&&b| b).count() as f64 / stage.mask.len() as f64;
            // N/(N-1) ((N-1) F G + (1-F)(1-G)) is linear in G; F carries no gradient.
            let mean = stage.prob.mean_all()?;
            let ratio = mean.affine(n / (n - 1.0) * ((n - 1.0) * fraction - (1.0 - fraction)), n / (n - 1.0) * (1.0 - fraction))?;
            ratio_sum += f64::from(ratio.to_scalar::<f32>()?);
            total = (total + (ratio * self.alpha)?)?;
            if i == 0 {
                reached = 1.0 / fraction;
            }
        }
        Ok(Loss { total, mlm: mlm_value, ratio: ratio_sum, compression: reached })
    }
}
