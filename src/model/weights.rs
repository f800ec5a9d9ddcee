//! Where a model's tensors come from. The model asks for each by name and shape, once; a source
//! loads it, makes it, or notes it.

use super::config::Config;
use crate::{Error, Result};
use candle_core::{DType, Device, Tensor};
use std::collections::BTreeMap;

/// How a fresh tensor is filled; see the spec, "Init as in Mamba-2".
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// N(0, sd).
    Normal(f64),
    /// Uniform in [-bound, bound].
    Uniform(f64),
    /// One value.
    Constant(f32),
    /// The identity matrix.
    Identity,
    /// Inverse softplus of a step log-uniform in [1e-3, 1e-1], floored at 1e-4.
    DtBias,
    /// ln of a uniform value in [1, 16].
    ALog,
}

/// Gives tensors by name.
pub trait TensorSource {
    /// The tensor `name` of exactly this shape.
    fn tensor(&mut self, name: &str, shape: &[usize], init: Init) -> Result<Tensor>;
}

/// Notes names and shapes, in the model's order, without making tensors.
#[derive(Default)]
pub struct Inventory(pub Vec<(String, Vec<usize>)>);

impl TensorSource for Inventory {
    fn tensor(&mut self, name: &str, shape: &[usize], _: Init) -> Result<Tensor> {
        self.0.push((name.to_string(), shape.to_vec()));
        Ok(Tensor::zeros(1, DType::F32, &Device::Cpu)?.broadcast_as(shape)?)
    }
}

/// Every tensor of a configuration, shared ones once, in the model's order.
pub fn inventory(config: &Config) -> Result<Vec<(String, Vec<usize>)>> {
    let mut names = Inventory::default();
    super::LdarNet::new(config, &mut names)?;
    Ok(names.0)
}

/// Tensors that are at hand, by name.
pub struct Loaded {
    tensors: BTreeMap<String, Tensor>,
}

impl Loaded {
    /// Takes the tensors of a checkpoint.
    pub fn new(tensors: BTreeMap<String, Tensor>) -> Self {
        Loaded { tensors }
    }

    /// Tensors that nobody asked for.
    pub fn rest(self) -> Vec<String> {
        self.tensors.into_keys().collect()
    }
}

impl TensorSource for Loaded {
    fn tensor(&mut self, name: &str, shape: &[usize], _: Init) -> Result<Tensor> {
        let tensor = self
            .tensors
            .remove(name)
            .ok_or_else(|| Error::Invalid(format!("tensor {name} {shape:?} is missing")))?;
        if tensor.dims() != shape {
            return Err(Error::Invalid(format!(
                "tensor {name} has shape {:?}, but the configuration asks for {shape:?}",
                tensor.dims()
            )));
        }
        Ok(tensor)
    }
}
