//! Reverse-mode differentiation of the fused operations.
//!
//! Candle's own starts every gradient as a tensor of zeros, adds to it on a second pool of threads, and keeps all intermediate results until
//! the end. Here a gradient that comes alone is taken as it is, and what a step needed is freed once it is done.

use super::add::Add;
use candle_core::{CustomOp1, CustomOp2, CustomOp3, Result, Tensor, TensorId};
use std::cell::RefCell;
use std::collections::HashMap;

type Backward = Box<dyn FnOnce(&Tensor, &mut Grads) -> Result<()>>;

/// The steps of a forward pass, if they are to be differentiated.
pub struct Tape(Option<RefCell<Vec<(TensorId, Backward)>>>);

/// Gradients by tensor.
#[derive(Default)]
pub struct Grads(HashMap<TensorId, Tensor>);

impl Grads {
    /// Adds to the gradient of `of`.
    pub fn add(&mut self, of: &Tensor, grad: Tensor) -> Result<()> {
        let sum = match self.0.remove(&of.id()) {
            Some(before) => before.apply_op2_no_bwd(&grad, &Add)?,
            None => grad,
        };
        self.0.insert(of.id(), sum);
        Ok(())
    }

    /// The gradient of a tensor, if anything depended on it.
    pub fn get(&self, of: &Tensor) -> Option<&Tensor> {
        self.0.get(&of.id())
    }
}

impl Tape {
    /// For inference: nothing is kept.
    pub fn off() -> Tape {
        Tape(None)
    }

    /// For training.
    pub fn on() -> Tape {
        Tape(Some(RefCell::default()))
    }

    /// Whether steps are kept.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Notes how to get from the gradient of `of` to those of what it was made from.
    pub fn record(&self, of: &Tensor, backward: impl FnOnce(&Tensor, &mut Grads) -> Result<()> + 'static) {
        if let Some(steps) = &self.0 {
            steps.borrow_mut().push((of.id(), Box::new(backward)));
        }
    }

    /// Applies an operation to one contiguous tensor.
    pub fn apply1(&self, a: &Tensor, op: impl CustomOp1 + 'static) -> Result<Tensor> {
        let out = a.apply_op1_no_bwd(&op)?;
        if self.is_on() {
            let (a, result) = (a.clone(), out.clone());
            self.record(&out, move |grad, grads| match op.bwd(&a, &result, grad)? {
                Some(da) => grads.add(&a, da),
                None => Ok(()),
            });
        }
        Ok(out)
    }

    /// Applies an operation to two contiguous tensors.
    pub fn apply2(&self, a: &Tensor, b: &Tensor, op: impl CustomOp2 + 'static) -> Result<Tensor> {
        let out = a.apply_op2_no_bwd(b, &op)?;
        if self.is_on() {
            let (a, b, result) = (a.clone(), b.clone(), out.clone());
            self.record(&out, move |grad, grads| {
                let (da, db) = op.bwd(&a, &b, &result, grad)?;
                da.map_or(Ok(()), |da| grads.add(&a, da))?;
                db.map_or(Ok(()), |db| grads.add(&b, db))
            });
        }
        Ok(out)
    }

    /// Applies an operation to three contiguous tensors.
    pub fn apply3(&self, a: &Tensor, b: &Tensor, c: &Tensor, op: impl CustomOp3 + 'static) -> Result<Tensor> {
        let out = a.apply_op3_no_bwd(b, c, &op)?;
        if self.is_on() {
            let (a, b, c, result) = (a.clone(), b.clone(), c.clone(), out.clone());
            self.record(&out, move |grad, grads| {
                let (da, db, dc) = op.bwd(&a, &b, &c, &result, grad)?;
                da.map_or(Ok(()), |da| grads.add(&a, da))?;
                db.map_or(Ok(()), |db| grads.add(&b, db))?;
                dc.map_or(Ok(()), |dc| grads.add(&c, dc))
            });
        }
        Ok(out)
    }

    /// Gradients of everything that has no step of its own, from those of some results.
    pub fn backward(self, seeds: impl IntoIterator<Item = (Tensor, Tensor)>) -> Result<Grads> {
        let mut grads = Grads::default();
        for (of, grad) in seeds {
            grads.add(&of, grad)?;
        }
        for (of, backward) in self.0.into_iter().flat_map(RefCell::into_inner).rev() {
            if let Some(grad) = grads.0.remove(&of) {
                backward(&grad, &mut grads)?;
            }
        }
        Ok(grads)
    }
}
