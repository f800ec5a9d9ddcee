//! Sums of gradients over the ranks of a run, each started as soon as it is whole, while the
//! backward pass makes the others.

use super::objective::Loss;
use super::optimizer::{Gradients, Optimizer};
use super::ranks::{Pending, Ranks};
use crate::kernels::add::add;
use crate::kernels::tape::{Grads, Tape};
use crate::{Error, Result};
use candle_core::{Tensor, TensorId};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

/// Elements that are summed together at least.
const BUCKET: usize = 1 << 20;

/// What the first backward pass showed, on every rank alike.
#[derive(Hash)]
struct Plan {
    /// How often a backward pass adds to the gradient of each parameter; 0 where it has none.
    uses: Vec<usize>,
    /// Parameters with gradients by number, as these become whole.
    order: Vec<usize>,
    /// Parts of `order` whose gradients are summed together.
    buckets: Vec<Range<usize>>,
}

impl Plan {
    /// From how often each parameter's gradient was added to and the step that last did so, and the
    /// elements of each.
    fn new(seen: &[(usize, usize)], elements: &[usize]) -> Plan {
        let mut order: Vec<usize> = (0..seen.len()).filter(|&p| seen[p].0 > 0).collect();
        order.sort_by_key(|&p| (seen[p].1, p));
        let (mut buckets, mut start, mut filled) = (Vec::new(), 0, 0);
        for (at, &p) in order.iter().enumerate() {
            filled += elements[p];
            if filled >= BUCKET || at + 1 == order.len() {
                buckets.push(start..at + 1);
                (start, filled) = (at + 1, 0);
            }
        }
        Plan {
            uses: seen.iter().map(|(uses, _)| *uses).collect(),
            order,
            buckets,
        }
    }

    fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }
}

/// Sums gradients over ranks, step after step.
#[derive(Default)]
pub struct Reduction(Option<Plan>);

impl Reduction {
    /// Runs the backward pass of a rank's last micro-batch of a step and gives the gradients summed
    /// over it, over those of the micro-batches `before`, and over all ranks. A parameter that had
    /// no gradient in the first step has none.
    ///
    /// # Errors
    /// A backward pass was not like the first one, or not alike on all ranks.
    pub fn sum(
        &mut self,
        ranks: &Ranks,
        optimizer: &Optimizer,
        loss: Loss,
        before: Gradients,
    ) -> Result<Gradients> {
        let parameters: Vec<&Tensor> = optimizer.parameters().collect();
        let number = |(number, tensor): (usize, &&Tensor)| (tensor.id(), number);
        let numbers: HashMap<TensorId, usize> = parameters.iter().enumerate().map(number).collect();
        let own = |p: usize, grads: &Grads| -> candle_core::Result<Tensor> {
            let Some(grad) = grads.get(parameters[p]) else {
                candle_core::bail!("a parameter's gradient was made and is gone");
            };
            let grad = match before.of(p) {
                Some(before) => add(&Tape::off(), before, grad)?,
                None => grad.clone(),
            };
            grad.flatten_all()
        };
        let start = |bucket: &[usize], grads: &Grads| -> candle_core::Result<Pending> {
            let parts: candle_core::Result<Vec<Tensor>> =
                bucket.iter().map(|&p| own(p, grads)).collect();
            ranks.start_sum(Tensor::cat(&parts?, 0)?)
        };
        let mut pending = Vec::new();
        let plan = match self.0.take() {
            Some(plan) => {
                let mut left = plan.uses.clone();
                let mut more = false;
                loss.backward_telling(|added, grads| {
                    for p in added.iter().filter_map(|id| numbers.get(id)) {
                        more |= left[*p] == 0;
                        left[*p] = left[*p].saturating_sub(1);
                    }
                    while let Some(bucket) = plan.buckets.get(pending.len()) {
                        let bucket = &plan.order[bucket.clone()];
                        if bucket.iter().any(|&p| left[p] > 0) {
                            break;
                        }
                        pending.push(start(bucket, grads)?);
                    }
                    Ok(())
                })?;
                if more || left.iter().any(|&left| left > 0) {
                    return Err(unlike(optimizer));
                }
                plan
            }
            None => {
                let (mut seen, mut step) = (vec![(0, 0); parameters.len()], 0);
                let grads = loss.backward_telling(|added, _| {
                    step += 1;
                    for &p in added.iter().filter_map(|id| numbers.get(id)) {
                        seen[p] = (seen[p].0 + 1, step);
                    }
                    Ok(())
                })?;
                let elements: Vec<usize> = parameters.iter().map(|t| t.elem_count()).collect();
                let plan = Plan::new(&seen, &elements);
                if !ranks.same(plan.digest())? {
                    return Err(Error::Invalid(
                        "the ranks' backward passes are not alike: start all with the same program, recipe and options".into(),
                    ));
                }
                for bucket in &plan.buckets {
                    pending.push(start(&plan.order[bucket.clone()], &grads)?);
                }
                plan
            }
        };
        let lost = |p: usize| plan.uses[p] == 0 && before.of(p).is_some();
        if (0..parameters.len()).any(lost) {
            return Err(unlike(optimizer));
        }
        let mut sums = vec![None; parameters.len()];
        for (bucket, sum) in plan.buckets.iter().zip(pending) {
            let (sum, mut at) = (sum.wait()?, 0);
            for &p in &plan.order[bucket.clone()] {
                let n = parameters[p].elem_count();
                sums[p] = Some(sum.narrow(0, at, n)?.reshape(parameters[p].shape())?);
                at += n;
            }
        }
        self.0 = Some(plan);
        Ok(Gradients::from(sums))
    }
}

fn unlike(optimizer: &Optimizer) -> Error {
    Error::Invalid(format!(
        "step {}: its backward passes are not alike, and gradients cannot be summed over ranks while they run",
        optimizer.step + 1
    ))
}

#[cfg(test)]
mod tests;
