//! Reverse-mode differentiation of the fused operations.
//!
//! Candle's own starts every gradient as a tensor of zeros, adds to it on a second pool of threads,
//! and keeps all intermediate results until the end. Here a gradient that comes alone is taken as
//! it is, and what a step needed is freed once it is done.

use super::add::sum;
use candle_core::{CustomOp1, CustomOp2, Result, Tensor, TensorId};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;

type Backward = Box<dyn FnOnce(&Tensor, &mut Grads) -> Result<()>>;

/// The steps of a forward pass, if they are to be differentiated.
pub struct Tape {
    steps: Option<RefCell<Vec<(TensorId, Backward)>>>,
    /// Segments keep their inputs only.
    frugal: bool,
    /// So many segments more keep nothing, and no gradient passes them.
    frozen: Cell<usize>,
}

/// Gradients by tensor.
#[derive(Default)]
pub struct Grads {
    of: HashMap<TensorId, Tensor>,
    /// The tensors whose gradients were added to, in order, since the last step of the way back.
    added: Vec<TensorId>,
}

impl Grads {
    /// Adds to the gradient of `of`.
    pub fn add(&mut self, of: &Tensor, grad: Tensor) -> Result<()> {
        self.add_to(of.id(), grad)
    }

    /// The same by the tensor's number, for steps that do not keep it.
    pub fn add_to(&mut self, of: TensorId, grad: Tensor) -> Result<()> {
        let total = match self.of.remove(&of) {
            Some(before) => sum(&before, &grad)?,
            None => grad,
        };
        self.of.insert(of, total);
        self.added.push(of);
        Ok(())
    }

    /// Removes the gradient of a tensor: for the step of an operation with two results, noted on
    /// the second, that of the first.
    pub fn take(&mut self, of: &Tensor) -> Option<Tensor> {
        self.of.remove(&of.id())
    }

    /// The gradient of a tensor, if anything depended on it.
    pub fn get(&self, of: &Tensor) -> Option<&Tensor> {
        self.of.get(&of.id())
    }
}

impl Tape {
    /// For inference: nothing is kept.
    pub fn off() -> Tape {
        Tape {
            steps: None,
            frugal: false,
            frozen: Cell::new(0),
        }
    }

    /// For training.
    pub fn on() -> Tape {
        Tape {
            steps: Some(RefCell::default()),
            frugal: false,
            frozen: Cell::new(0),
        }
    }

    /// For training in little memory: of each [`Tape::segment`] only the inputs are kept, and the
    /// way back runs it again.
    pub fn frugal() -> Tape {
        Tape {
            steps: Some(RefCell::default()),
            frugal: true,
            frozen: Cell::new(0),
        }
    }

    /// The same tape with nothing kept of the first `segments` calls of [`Tape::segment`]: no
    /// gradient passes them.
    pub fn frozen(self, segments: usize) -> Tape {
        self.frozen.set(segments);
        self
    }

    /// Whether steps are kept.
    pub fn is_on(&self) -> bool {
        self.steps.is_some()
    }

    /// Notes how to get from the gradient of `of` to those of what it was made from.
    pub fn record(
        &self,
        of: &Tensor,
        backward: impl FnOnce(&Tensor, &mut Grads) -> Result<()> + 'static,
    ) {
        if let Some(steps) = &self.steps {
            steps.borrow_mut().push((of.id(), Box::new(backward)));
        }
    }

    /// Applies an operation to one contiguous tensor.
    pub fn apply1(&self, a: &Tensor, op: impl CustomOp1 + 'static) -> Result<Tensor> {
        let out = a.apply_op1_no_bwd(&op)?;
        if self.is_on() {
            let (a, result) = (a.clone(), out.clone());
            self.record(&out, move |grad, grads| {
                match op.bwd(&a, &result, grad)? {
                    Some(da) => grads.add(&a, da),
                    None => Ok(()),
                }
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

    /// Runs a part of the network from the residual stream and what is to be added to it to the
    /// same two after that part.
    pub fn segment(
        &self,
        residual: Tensor,
        h: Option<Tensor>,
        work: impl Fn(&Tape, Tensor, Option<Tensor>) -> Result<(Tensor, Tensor)> + 'static,
    ) -> Result<(Tensor, Tensor)> {
        if let Some(left) = self.frozen.get().checked_sub(1) {
            self.frozen.set(left);
            return work(&Tape::off(), residual, h);
        }
        if !self.frugal {
            return work(self, residual, h);
        }
        let (sum, next) = work(&Tape::off(), residual.clone(), h.clone())?;
        let sum_id = sum.id();
        self.record(&next, move |grad, grads| {
            let tape = Tape::on();
            let (sum, next) = work(&tape, residual, h)?;
            let of_sum = grads.of.remove(&sum_id).map(|grad| (sum, grad));
            let inner = tape.backward(of_sum.into_iter().chain([(next, grad.clone())]))?;
            inner
                .of
                .into_iter()
                .try_for_each(|(of, grad)| grads.add_to(of, grad))
        });
        Ok((sum, next))
    }

    /// Gradients of everything that has no step of its own, from those of some results.
    pub fn backward(self, seeds: impl IntoIterator<Item = (Tensor, Tensor)>) -> Result<Grads> {
        self.backward_telling(seeds, |_, _| Ok(()))
    }

    /// The same; after each step of the way back, `told` is given the tensors whose gradients that
    /// step added to, a tensor as often as it was added to, and all gradients so far.
    ///
    /// # Errors
    /// Those of the steps and of `told`.
    pub fn backward_telling(
        self,
        seeds: impl IntoIterator<Item = (Tensor, Tensor)>,
        mut told: impl FnMut(&[TensorId], &Grads) -> Result<()>,
    ) -> Result<Grads> {
        let mut grads = Grads::default();
        for (of, grad) in seeds {
            grads.add(&of, grad)?;
        }
        for (of, backward) in self.steps.into_iter().flat_map(RefCell::into_inner).rev() {
            if let Some(grad) = grads.of.remove(&of) {
                backward(&grad, &mut grads)?;
                told(&grads.added, &grads)?;
                grads.added.clear();
            }
        }
        Ok(grads)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::add::{add, add_row};
    use crate::kernels::bimamba::pack;
    use crate::kernels::columns::{extend_columns, first_columns};
    use crate::kernels::linear::linear;
    use candle_core::Device;

    fn tensor(values: &[f32], columns: usize) -> Tensor {
        Tensor::from_slice(values, (values.len() / columns, columns), &Device::Cpu).unwrap()
    }

    fn floats(x: &Tensor) -> Vec<f32> {
        x.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn a_tensor_used_twice_gets_both_gradients() {
        let (x, unused) = (tensor(&[1.0, 2.0], 2), tensor(&[5.0], 1));
        let tape = Tape::on();
        let twice = add(&tape, &x, &x).unwrap();
        let thrice = add(&tape, &twice, &x).unwrap();
        let dropped = add(&tape, &unused, &unused).unwrap();
        // A seed in the middle adds to what comes from the end.
        let grads = tape
            .backward([
                (thrice, tensor(&[1.0, 10.0], 2)),
                (twice, tensor(&[100.0, 100.0], 2)),
            ])
            .unwrap();
        assert_eq!(floats(grads.get(&x).unwrap()), [203.0, 230.0]);
        assert!(grads.get(&unused).is_none() && grads.get(&dropped).is_none());
    }

    #[test]
    fn shapes_and_products() {
        let (x, w) = (
            tensor(&[1.0, 2.0, 3.0, 4.0], 2),
            tensor(&[1.0, 0.0, 1.0, 1.0, 2.0, -1.0], 2),
        );
        let (row, extra) = (
            Tensor::new(&[1.0_f32, 2.0, 3.0], &Device::Cpu).unwrap(),
            Tensor::new(&[7.0_f32], &Device::Cpu).unwrap(),
        );
        let tape = Tape::on();
        let y = add_row(&tape, &linear(&tape, &x, &w).unwrap(), &row).unwrap();
        assert_eq!(floats(&y), [2.0, 5.0, 3.0, 4.0, 9.0, 5.0]);
        let wide = extend_columns(&tape, &y, &extra).unwrap();
        assert_eq!(floats(&wide), [2.0, 5.0, 3.0, 7.0, 4.0, 9.0, 5.0, 7.0]);
        let narrow = first_columns(&tape, &wide, 2).unwrap();
        assert_eq!(floats(&narrow), [2.0, 5.0, 4.0, 9.0]);
        let seeds = [
            (narrow, tensor(&[1.0, 2.0, 3.0, 4.0], 2)),
            (wide, tensor(&[0.0, 0.0, 1.0, 5.0, 0.0, 0.0, 0.0, 6.0], 4)),
        ];
        let grads = tape.backward(seeds).unwrap();
        let grad = |of: &Tensor| floats(grads.get(of).unwrap());
        // dy = [1 2 1; 3 4 0]: dx = dy W, dW = dy^T x.
        assert_eq!(grad(&x), [5.0, 1.0, 7.0, 4.0]);
        assert_eq!(grad(&w), [10.0, 14.0, 14.0, 20.0, 1.0, 2.0]);
        assert_eq!(
            (grad(&row), grad(&extra)),
            (vec![4.0, 6.0, 1.0], vec![11.0])
        );
    }

    #[test]
    fn packed_parts_get_their_own_gradients() {
        let parts = [
            tensor(&[1.0, 2.0, 3.0, 4.0], 2),
            Tensor::new(&[9.0_f32], &Device::Cpu).unwrap(),
        ];
        let tape = Tape::on();
        let packed = pack(&tape, &parts).unwrap();
        let grads = tape
            .backward([(
                packed,
                Tensor::new(&[1.0_f32, 2.0, 3.0, 4.0, 5.0], &Device::Cpu).unwrap(),
            )])
            .unwrap();
        assert_eq!(
            grads.get(&parts[0]).unwrap().to_vec2::<f32>().unwrap(),
            [[1.0, 2.0], [3.0, 4.0]]
        );
        assert_eq!(floats(grads.get(&parts[1]).unwrap()), [5.0]);
    }
}
