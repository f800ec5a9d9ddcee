//! A model with its head and optimizer: loss, gradients, steps.

use super::protocol::{Protocol, Trained, decays};
use crate::kernels::tape::Tape;
use crate::model::head::{self, Answer, Readout, parts, softmax};
use crate::model::weights::{Loaded, inventory};
use crate::model::{Config, FineTuned, Precision};
use crate::train::optimizer::{AdamW, Gradients, Group, Optimizer, trainable};
use crate::{Error, Result};
use candle_core::{Device, Tensor};
use std::collections::BTreeMap;

/// What is to be said of a sequence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    /// A class.
    Class(u32),
    /// A number, in units of the head's output.
    Value(f64),
}

/// Sequences, as the learner takes them.
pub enum Inputs {
    /// Tokens.
    Tokens(Vec<Vec<u8>>),
    /// Pooled vectors of the model, where it is not trained.
    Features(Vec<Vec<f32>>),
}

/// One step's sequences.
pub struct Batch {
    /// The sequences.
    pub inputs: Inputs,
    /// One each.
    pub goals: Vec<Goal>,
}

/// A model in training.
pub struct Learner {
    /// Model and head, on the tensors that steps change.
    pub tuned: FineTuned,
    optimizer: Optimizer,
    trained: BTreeMap<String, Tensor>,
    all: BTreeMap<String, Tensor>,
    /// Blocks that no gradient passes.
    frozen: usize,
    at_once: usize,
    recompute: bool,
    device: Device,
}

impl Learner {
    /// Starts on copies of tensors of a model and its head.
    ///
    /// # Errors
    /// Tensors that do not fit, more blocks to train than there are.
    pub fn new(
        config: &Config,
        readout: Readout,
        tensors: &BTreeMap<String, Tensor>,
        protocol: &Protocol,
        device: &Device,
        precision: Precision,
    ) -> Result<Learner> {
        let all = trainable(tensors, device)?;
        let mut tuned = FineTuned::new(config, readout, &mut Loaded::new(all.clone()))?;
        tuned.model.set_training_precision(precision)?;
        let (names, frozen) = trained_names(config, protocol.trained)?;
        let trained: BTreeMap<_, _> = all
            .clone()
            .into_iter()
            .filter(|(name, _)| names.contains(name))
            .collect();
        let settings = AdamW {
            betas: protocol.betas,
            eps: protocol.eps,
            weight_decay: protocol.weight_decay,
            max_grad_norm: protocol.max_grad_norm,
            lr_multiplier: Vec::new(),
        };
        let group = |name: &str| Group {
            lr_multiplier: if head::TENSORS.contains(&name) {
                protocol.head_rate
            } else {
                1.0
            },
            decays: decays(name),
        };
        let optimizer = Optimizer::grouped(settings, &trained, group)?;
        let (at_once, recompute) = (protocol.at_once, protocol.recompute);
        Ok(Learner {
            tuned,
            optimizer,
            trained,
            all,
            frozen,
            at_once,
            recompute,
            device: device.clone(),
        })
    }

    /// Mean loss over a batch, and the gradients of that mean.
    ///
    /// # Errors
    /// As [`FineTuned::features`]; a loss that is no number.
    pub fn gradients(&self, batch: &Batch) -> Result<(f64, Gradients)> {
        let (n, mut loss, mut sums) = (batch.goals.len(), 0.0, Gradients::default());
        let parts = match &batch.inputs {
            Inputs::Tokens(tokens) => parts(tokens, self.at_once),
            Inputs::Features(features) => std::iter::once(0..features.len()).collect(),
        };
        for part in parts {
            let tape = if self.recompute {
                Tape::frugal()
            } else {
                Tape::on()
            }
            .frozen(self.frozen);
            let features = match &batch.inputs {
                Inputs::Tokens(tokens) => self.tuned.features(&tape, &tokens[part.clone()])?,
                Inputs::Features(features) => self.tensor(&features[part.clone()])?,
            };
            let outputs = self.tuned.outputs(&tape, &features)?;
            let (sum, slopes) = score(&outputs.to_vec2::<f32>()?, &batch.goals[part], n);
            loss += sum / n as f64;
            let slopes = Tensor::from_vec(slopes, outputs.shape(), &self.device)?;
            self.optimizer
                .accumulate(&tape.backward([(outputs, slopes)])?, &mut sums)?;
        }
        if !loss.is_finite() {
            return Err(Error::Invalid(format!(
                "the loss is {loss} at step {}: lower the learning rate",
                self.optimizer.step + 1
            )));
        }
        Ok((loss, sums))
    }

    /// One step with what [`Learner::gradients`] gave; gives the gradient's norm before clipping.
    ///
    /// # Errors
    /// A norm that is no number.
    pub fn step(&mut self, gradients: &Gradients, rate: f64) -> Result<f64> {
        self.optimizer.step(gradients, 1, rate)
    }

    /// Steps made.
    pub fn steps(&self) -> u64 {
        self.optimizer.step
    }

    /// Pooled vectors as a tensor, (sequences, d_model).
    ///
    /// # Errors
    /// Vectors of unlike widths.
    pub fn tensor(&self, features: &[Vec<f32>]) -> Result<Tensor> {
        let width = features.first().map_or(0, Vec::len);
        Ok(Tensor::from_vec(
            features.concat(),
            (features.len(), width),
            &self.device,
        )?)
    }

    /// The tensors that are trained, by name.
    pub fn trained(&self) -> &BTreeMap<String, Tensor> {
        &self.trained
    }

    /// All tensors, those of the head among them.
    pub fn tensors(&self) -> &BTreeMap<String, Tensor> {
        &self.all
    }

    /// The gradients by parameter name.
    pub fn named<'a>(
        &'a self,
        gradients: &'a Gradients,
    ) -> impl Iterator<Item = (&'a str, &'a Tensor)> {
        gradients.named(&self.optimizer)
    }

    /// The optimizer's moments by name.
    pub fn moments(&self) -> Result<BTreeMap<String, Tensor>> {
        self.optimizer.state()
    }

    /// Puts back moments and number of steps.
    pub fn restore(&mut self, moments: &BTreeMap<String, Tensor>, steps: u64) -> Result<()> {
        self.optimizer.restore(moments, steps)
    }
}

/// Summed loss (cross-entropy in nats, or the squared difference), and the slopes of the mean over
/// `n` sequences.
fn score(outputs: &[Vec<f32>], goals: &[Goal], n: usize) -> (f64, Vec<f32>) {
    let (mut sum, mut slopes) = (0.0, Vec::new());
    for (outputs, goal) in outputs.iter().zip(goals) {
        match *goal {
            Goal::Class(class) => {
                let probabilities = softmax(outputs);
                sum += crate::kernels::loss::nats(outputs, class as usize);
                slopes.extend(
                    (0..)
                        .zip(probabilities)
                        .map(|(c, p)| ((p - f64::from(u8::from(c == class))) / n as f64) as f32),
                );
            }
            Goal::Value(value) => {
                for &output in outputs {
                    let off = f64::from(output) - value;
                    sum += off * off;
                    slopes.push((2.0 * off / n as f64) as f32);
                }
            }
        }
    }
    (sum, slopes)
}

/// Names of the trained tensors, and the number of blocks in front of them.
fn trained_names(config: &Config, trained: Trained) -> Result<(Vec<String>, usize)> {
    let mut names: Vec<String> = inventory(config)?
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    // Blocks in the order in which they run, which is that of the inventory.
    let block = |name: &str| {
        let (stack, rest) = name.rsplit_once(".layers.")?;
        Some(format!("{stack}.layers.{}.", rest.split('.').next()?))
    };
    let mut blocks: Vec<String> = names.iter().filter_map(|name| block(name)).collect();
    blocks.dedup();
    let frozen = match trained {
        Trained::All => 0,
        Trained::Head => blocks.len(),
        Trained::LastBlocks(n) if n > blocks.len() => {
            return Err(Error::Usage(format!(
                "--last-blocks {n}: the model has {} blocks",
                blocks.len()
            )));
        }
        Trained::LastBlocks(n) => blocks.len() - n,
    };
    if trained != Trained::All {
        let last = &blocks[frozen..];
        names.retain(|name| {
            match name
                .strip_suffix("rmsnorm.weight")
                .filter(|_| block(name).is_none())
            {
                Some(stack) => last.iter().any(|block| {
                    block
                        .strip_prefix(stack)
                        .is_some_and(|rest| rest.starts_with("layers."))
                }),
                None => last.iter().any(|block| name.starts_with(block)),
            }
        });
    }
    names.extend(head::TENSORS.map(String::from));
    Ok((names, frozen))
}

/// The goals of targets; values in units of the head's output.
pub fn goals(targets: &crate::tasks::Targets, answer: &Answer) -> Vec<Goal> {
    match (targets, answer) {
        (crate::tasks::Targets::Values(values), Answer::Value { mean, sd }) => values
            .iter()
            .map(|v| Goal::Value((v - mean) / sd))
            .collect(),
        _ => targets
            .labels()
            .iter()
            .map(|&label| Goal::Class(label))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_blocks_are_those_before_the_head() {
        let config = Config::named("2m").unwrap();
        let (all, none) = trained_names(&config, Trained::All).unwrap();
        assert_eq!(
            (all.len(), none),
            (inventory(&config).unwrap().len() + 2, 0)
        );
        assert_eq!(
            trained_names(&config, Trained::Head).unwrap(),
            (head::TENSORS.map(String::from).to_vec(), 13)
        );
        let (names, frozen) = trained_names(&config, Trained::LastBlocks(4)).unwrap();
        assert_eq!(frozen, 9);
        let has = |name: &str| names.iter().any(|known| known.starts_with(name));
        assert!(
            has("backbone.decoder.layers.0.")
                && has("backbone.decoder.rmsnorm.weight")
                && has("head.bias")
        );
        assert!(
            has("backbone.main_network.main_network.layers.5.mlp")
                && has("backbone.main_network.main_network.rmsnorm.weight")
        );
        assert!(
            !has("backbone.main_network.main_network.layers.4.")
                && !has("backbone.encoder")
                && !has("embeddings")
                && !has("backbone.routing")
        );
        assert!(trained_names(&config, Trained::LastBlocks(14)).is_err());
    }

    #[test]
    fn slopes_are_those_of_the_mean_loss() {
        let outputs = vec![vec![0.3_f32, -1.0, 2.0], vec![0.0, 0.5, 0.1]];
        let goals = [Goal::Class(2), Goal::Class(0)];
        let (_, slopes) = score(&outputs, &goals, 5);
        for (i, slope) in slopes.iter().enumerate() {
            let at = |by: f32| {
                let mut moved = outputs.clone();
                moved[i / 3][i % 3] += by;
                score(&moved, &goals, 5).0 / 5.0
            };
            let numeric = (at(1e-3) - at(-1e-3)) / 2e-3;
            assert!(
                (numeric - f64::from(*slope)).abs() < 1e-4,
                "{i}: {numeric} {slope}"
            );
        }
        assert_eq!(
            score(&[vec![1.5]], &[Goal::Value(1.0)], 4),
            (0.25, vec![0.25])
        );
    }
}
