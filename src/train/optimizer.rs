//! AdamW (Loshchilov & Hutter 2019) with the authors' parameter groups.

use crate::kernels::adamw::{AdamWStep, Moments, Update, squared_norm};
use crate::kernels::add::add;
use crate::kernels::tape::{Grads, Tape};
use crate::model::Config;
use crate::{Error, Result};
use candle_core::{Device, Tensor};
use std::collections::BTreeMap;

/// Settings of the optimizer.
#[derive(Clone, Debug, PartialEq)]
pub struct AdamW {
    /// Decay rates of the two moments.
    pub betas: (f64, f64),
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Decoupled weight decay, not applied to biases, norms, A_log, D and dt_bias.
    pub weight_decay: f64,
    /// The gradient's norm is clipped to this.
    pub max_grad_norm: f64,
    /// Learning-rate multiplier of each stage, outermost first; embeddings and LM head use the
    /// first.
    pub lr_multiplier: Vec<f64>,
}

/// Parameters being trained with their moments.
pub struct Optimizer {
    settings: AdamW,
    params: Vec<Param>,
    /// Steps made.
    pub step: u64,
}

/// What holds for a parameter by its name.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// Factor on the learning rate.
    pub lr_multiplier: f64,
    /// Whether weight decay shrinks it.
    pub decays: bool,
}

struct Param {
    name: String,
    tensor: Tensor,
    moments: Moments,
    lr_multiplier: f64,
    weight_decay: f64,
}

/// Stage that a parameter belongs to, from its name: one level for each `main_network`, the
/// innermost stack's own not counted.
fn stage_of(name: &str, stages: usize) -> usize {
    let mut rest = name.strip_prefix("backbone.").unwrap_or("");
    let mut stage = 0;
    while let Some(inner) = rest.strip_prefix("main_network.") {
        stage += 1;
        rest = inner;
    }
    stage.min(stages - 1)
}

/// Biases, norms, A_log, D and dt_bias keep their size.
fn decays(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    let norm = name
        .rsplit('.')
        .nth(1)
        .is_some_and(|module| module.starts_with("norm") || module == "rmsnorm");
    !(norm || matches!(last, "bias" | "A_log" | "D" | "dt_bias"))
}

/// The authors' rule for the learning-rate multiplier of each stage: the root of the compression
/// from there to the innermost stage, times the ratio of the widths (3.0 for 110m, 4.0 for 2m, at a
/// compression of 4).
pub fn lr_multipliers(config: &Config, compression: &[f64]) -> Vec<f64> {
    let innermost = config.stages[config.stages.len() - 1].d_model as f64;
    let stages = config.stages.iter().enumerate();
    stages
        .map(|(i, s)| {
            compression.iter().skip(i).product::<f64>().sqrt() * innermost / s.d_model as f64
        })
        .collect()
}

/// Copies of tensors on a device that nothing else sees, to be changed in place.
pub fn trainable(
    tensors: &BTreeMap<String, Tensor>,
    device: &Device,
) -> Result<BTreeMap<String, Tensor>> {
    tensors
        .iter()
        .map(|(name, tensor)| Ok((name.clone(), tensor.force_contiguous()?.to_device(device)?)))
        .collect()
}

impl Optimizer {
    /// Starts on `params`, by name: the tensors that the model was built on, which steps change in
    /// place.
    pub fn new(settings: AdamW, params: &BTreeMap<String, Tensor>, stages: usize) -> Result<Self> {
        let multipliers = settings.lr_multiplier.clone();
        let group = |name: &str| Group {
            lr_multiplier: multipliers
                .get(stage_of(name, stages))
                .copied()
                .unwrap_or(1.0),
            decays: decays(name),
        };
        Optimizer::grouped(settings, params, group)
    }

    /// The same with other parameter groups than those of pretraining; the settings' multipliers by
    /// stage are not used.
    pub fn grouped(
        settings: AdamW,
        params: &BTreeMap<String, Tensor>,
        group: impl Fn(&str) -> Group,
    ) -> Result<Self> {
        let param = |(name, tensor): (&String, &Tensor)| {
            let Group {
                lr_multiplier,
                decays,
            } = group(name);
            Ok(Param {
                name: name.clone(),
                tensor: tensor.clone(),
                moments: Moments::new(tensor)?,
                lr_multiplier,
                weight_decay: if decays { settings.weight_decay } else { 0.0 },
            })
        };
        let params = params.iter().map(param).collect::<Result<_>>()?;
        Ok(Optimizer {
            settings,
            params,
            step: 0,
        })
    }

    /// The tensors that are trained, in the order of their gradients.
    pub(super) fn parameters(&self) -> impl Iterator<Item = &Tensor> {
        self.params.iter().map(|param| &param.tensor)
    }

    /// Adds the gradients of one backward pass to `sums`.
    pub fn accumulate(&self, grads: &Grads, sums: &mut Gradients) -> Result<()> {
        sums.0.resize(self.params.len(), None);
        for (param, sum) in self.params.iter().zip(&mut sums.0) {
            *sum = match (sum.take(), grads.get(&param.tensor)) {
                (Some(before), Some(grad)) => Some(add(&Tape::off(), &before, grad)?),
                (before, grad) => before.or(grad.cloned()),
            };
        }
        Ok(())
    }

    /// One step at learning rate `lr`, with the mean of the summed gradients of `micro_batches`
    /// backward passes; gives the mean's norm before clipping. A parameter without gradient stays
    /// as it is.
    pub fn step(&mut self, grads: &Gradients, micro_batches: usize, lr: f64) -> Result<f64> {
        let share = 1.0 / micro_batches as f64;
        let norm = grads.norm()? * share;
        if !norm.is_finite() {
            return Err(Error::Invalid(format!(
                "the gradient's norm is {norm} at step {}: lower the learning rate",
                self.step + 1
            )));
        }
        // PyTorch's clip_grad_norm_.
        let clip = (self.settings.max_grad_norm / (norm + 1e-6)).min(1.0);
        self.step += 1;
        let (b1, b2) = self.settings.betas;
        let step = AdamWStep {
            betas: [b1, b2],
            eps: self.settings.eps as f32,
            grad_scale: (clip * share) as f32,
            root: (1.0 - b2.powi(self.step as i32)).sqrt() as f32,
        };
        let correction = 1.0 - b1.powi(self.step as i32);
        let with_grad = self
            .params
            .iter_mut()
            .zip(&grads.0)
            .filter_map(|(param, grad)| Some((param, grad.as_ref()?)));
        let updates = with_grad.map(
            |(
                Param {
                    tensor,
                    moments,
                    lr_multiplier,
                    weight_decay,
                    ..
                },
                grad,
            )| {
                let lr = lr * *lr_multiplier;
                Update {
                    parameter: tensor,
                    grad,
                    moments,
                    keep: (1.0 - lr * *weight_decay) as f32,
                    rate: (lr / correction) as f32,
                }
            },
        );
        step.apply(updates.collect())?;
        Ok(norm)
    }

    /// Moments as tensors, for a checkpoint of the training state.
    pub fn state(&self) -> Result<BTreeMap<String, Tensor>> {
        let mut out = BTreeMap::new();
        for param in &self.params {
            for (moment, tensor) in ["m", "v"].iter().zip(param.moments.tensors()?) {
                out.insert(format!("{moment}.{}", param.name), tensor);
            }
        }
        Ok(out)
    }

    /// Puts back what [`Optimizer::state`] gave.
    pub fn restore(&mut self, state: &BTreeMap<String, Tensor>, step: u64) -> Result<()> {
        for param in &mut self.params {
            let moment = |which: &str| {
                let name = format!("{which}.{}", param.name);
                let fits = state
                    .get(&name)
                    .filter(|t| t.elem_count() == param.tensor.elem_count());
                fits.ok_or_else(|| {
                    Error::Invalid(format!(
                        "the training state has no {name} of the right size"
                    ))
                })
            };
            let moments = [moment("m")?, moment("v")?];
            param.moments.restore(moments)?;
        }
        self.step = step;
        Ok(())
    }
}

/// Summed gradients of the micro-batches of a step, in the optimizer's order.
#[derive(Default)]
pub struct Gradients(Vec<Option<Tensor>>);

impl Gradients {
    /// Of each parameter, in the optimizer's order.
    pub(super) fn from(all: Vec<Option<Tensor>>) -> Gradients {
        Gradients(all)
    }

    /// That of the parameter of this number.
    pub(super) fn of(&self, parameter: usize) -> Option<&Tensor> {
        self.0.get(parameter)?.as_ref()
    }

    /// L2 norm over all parameters.
    pub fn norm(&self) -> Result<f64> {
        Ok(squared_norm(&self.0.iter().flatten().collect::<Vec<_>>())?.sqrt())
    }

    /// The gradients by parameter name, for tests and inspection.
    pub fn named<'a>(
        &'a self,
        optimizer: &'a Optimizer,
    ) -> impl Iterator<Item = (&'a str, &'a Tensor)> {
        let all = optimizer
            .params
            .iter()
            .map(|p| p.name.as_str())
            .zip(&self.0);
        all.filter_map(|(name, grad)| Some((name, grad.as_ref()?)))
    }
}
