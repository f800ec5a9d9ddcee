//! Fresh tensors for training from the start.

use super::weights::{Init, TensorSource};
use crate::Result;
use crate::stats::rng::Rng;
use candle_core::{Device, Tensor};
use std::collections::BTreeMap;

/// Makes every tensor that the model asks for. A tensor's values depend on the seed and its name
/// only.
pub struct Fresh {
    seed: u64,
    /// What was made.
    pub tensors: BTreeMap<String, Tensor>,
}

impl Fresh {
    /// Starts without tensors.
    pub fn new(seed: u64) -> Self {
        Fresh {
            seed,
            tensors: BTreeMap::new(),
        }
    }
}

impl TensorSource for Fresh {
    fn tensor(&mut self, name: &str, shape: &[usize], init: Init) -> Result<Tensor> {
        let mut rng = Rng::new(self.seed).derive(name);
        let count: usize = shape.iter().product();
        let values: Vec<f32> = (0..count)
            .map(|i| match init {
                Init::Constant(value) => value,
                Init::Identity => f32::from(u8::from(i / shape[1] == i % shape[1])),
                Init::Normal(sd) => (normal(&mut rng) * sd) as f32,
                Init::Uniform(bound) => ((2.0 * rng.uniform() - 1.0) * bound) as f32,
                Init::ALog => (1.0 + 15.0 * rng.uniform()).ln() as f32,
                Init::DtBias => {
                    let (low, high) = (1e-3_f64.ln(), 1e-1_f64.ln());
                    let dt = (low + (high - low) * rng.uniform()).exp().max(1e-4);
                    // Inverse of softplus.
                    (dt + (-(-dt).exp_m1()).ln()) as f32
                }
            })
            .collect();
        let tensor = Tensor::from_vec(values, shape, &Device::Cpu)?;
        self.tensors.insert(name.to_string(), tensor.clone());
        Ok(tensor)
    }
}

/// A standard normal number (Box & Muller 1958).
fn normal(rng: &mut Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.uniform()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.uniform()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Config, LdarNet};

    #[test]
    fn fresh_tensors_follow_the_spec() {
        let mut fresh = Fresh::new(7);
        LdarNet::new(&Config::named("2m").unwrap(), &mut fresh).unwrap();
        let values = |name: &str| {
            fresh.tensors[name]
                .flatten_all()
                .unwrap()
                .to_vec1::<f32>()
                .unwrap()
        };
        let sd = |name: &str| {
            let v = values(name);
            (v.iter().map(|x| x * x).sum::<f32>() / v.len() as f32).sqrt()
        };
        let layer = "backbone.encoder.layers.0.mixer.fwd";
        assert!((sd(&format!("{layer}.in_proj.weight")) / 0.02 - 1.0).abs() < 0.02);
        // Encoder 4 and decoder 3 lower-case blocks: 7 additions at stage 0; 12 more of six M
        // blocks at stage 1.
        assert!(
            (sd(&format!("{layer}.out_proj.weight")) / (0.02 / 7_f32.sqrt()) - 1.0).abs() < 0.05
        );
        let inner = "backbone.main_network.main_network.layers.5.mlp.fc2.weight";
        assert!((sd(inner) / (0.02 / 19_f32.sqrt()) - 1.0).abs() < 0.02);
        for x in values(&format!("{layer}.dt_bias")) {
            let dt = (1.0 + x.exp()).ln();
            assert!((0.99e-3..1.01e-1).contains(&dt), "{dt}");
        }
        assert!(
            values(&format!("{layer}.A_log"))
                .iter()
                .all(|x| (0.0..=16_f32.ln() + 1e-6).contains(x))
        );
        assert!(
            values("backbone.residual_proj.weight")
                .iter()
                .all(|&x| x == 0.0)
        );
        assert_eq!(
            values("backbone.routing_module.q_proj_layer.weight")
                .iter()
                .sum::<f32>(),
            64.0
        );
    }
}
