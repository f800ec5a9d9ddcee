use super::*;
use crate::model::fresh::Fresh;
use crate::model::weights::Loaded;
use crate::model::{Config, Routing};
use crate::stats::rng::Rng;
use candle_core::Device;
use std::collections::BTreeMap;

const RULES: [&str; 5] = ["fixed:2.5", "fixed:4+1", "random:3", "none", "turned"];

fn config(rule: &str) -> Config {
    let config = serde_json::json!({
        "arch_layout": ["m1t1", ["M1"], "m1"], "d_model": [32, 64], "d_intermediate": [0, 128], "ssm_cfg": {"d_state": 16},
        "attn_cfg": {"num_heads": 2, "rotary_emb_dim": 8, "window_size": [15, -1]}
    });
    Config::from_json(config)
        .unwrap()
        .routed(rule.parse::<Routing>().unwrap())
        .unwrap()
}

/// Fresh weights, made larger where they start so small or so regular that a gradient would not
/// show.
fn weights(config: &Config) -> BTreeMap<String, Tensor> {
    let mut fresh = Fresh::new(3);
    LdarNet::new(config, &mut fresh).unwrap();
    let noisy = |(name, tensor): (String, Tensor)| {
        let mut rng = Rng::new(11).derive(&name);
        let noise: Vec<f32> = (0..tensor.elem_count())
            .map(|_| (rng.uniform() as f32 - 0.5) * 0.2)
            .collect();
        let noise = Tensor::from_vec(noise, tensor.shape(), &Device::Cpu).unwrap();
        (name, (tensor + noise).unwrap())
    };
    fresh.tensors.into_iter().map(noisy).collect()
}

fn sequences(lengths: &[usize]) -> Vec<Vec<u8>> {
    let mut rng = Rng::new(8);
    lengths
        .iter()
        .map(|n| (0..*n).map(|_| rng.below(4) as u8).collect())
        .collect()
}

fn loss(config: &Config, weights: &BTreeMap<String, Tensor>, recompute: bool) -> Loss {
    let model = LdarNet::new(config, &mut Loaded::new(weights.clone())).unwrap();
    let inputs = sequences(&[23, 40, 1]);
    let targets: Arc<[(usize, u8)]> = (0..64)
        .step_by(3)
        .map(|row| (row, (row % 4) as u8))
        .collect();
    Objective {
        alpha: 0.03,
        compression: vec![4.0],
        recompute,
    }
    .loss(&model, &inputs, &targets)
    .unwrap()
}

#[test]
fn sequences_do_not_see_their_batch() {
    for rule in RULES {
        let config = config(rule);
        let model = LdarNet::new(&config, &mut Loaded::new(weights(&config))).unwrap();
        let all = sequences(&[37, 5, 1, 64]);
        let together = model.forward(&all).unwrap();
        let mut row = 0;
        for one in &all {
            let alone = model.forward(std::slice::from_ref(one)).unwrap();
            assert_eq!(
                together.stages[0].mask[row..row + one.len()],
                alone.stages[0].mask,
                "{rule}"
            );
            let packed = together.logits.narrow(0, row, one.len()).unwrap();
            let off = (packed - &alone.logits)
                .unwrap()
                .abs()
                .unwrap()
                .max_all()
                .unwrap()
                .to_scalar::<f32>()
                .unwrap();
            assert!(off < 1e-5, "{rule}: {off}");
            row += one.len();
        }
        assert_eq!(
            model.route(&all, 0).unwrap()[0].mask,
            together.stages[0].mask,
            "{rule}"
        );
    }
}

#[test]
fn gradients_without_a_trained_router_are_those_of_differences() {
    for rule in RULES {
        let config = config(rule);
        let weights = weights(&config);
        let here = loss(&config, &weights, false);
        assert_eq!((here.ratio, here.total), (0.0, here.mlm), "{rule}");
        let grads = here.backward().unwrap();
        let of = |name: &String| grads.get(&weights[name]);
        let without: Vec<&String> = weights.keys().filter(|name| of(name).is_none()).collect();
        assert!(
            without.len() == 2 && without.iter().all(|name| name.contains("routing_module")),
            "{rule}: {without:?}"
        );
        // Along the gradient of all other weights together, and along that of each of a few.
        let along = |names: &[&String]| {
            let square = |grad: &Tensor| {
                f64::from(
                    grad.sqr()
                        .unwrap()
                        .sum_all()
                        .unwrap()
                        .to_scalar::<f32>()
                        .unwrap(),
                )
            };
            let norm = names
                .iter()
                .map(|name| square(of(name).unwrap()))
                .sum::<f64>()
                .sqrt();
            let at = |by: f64| {
                let mut moved = weights.clone();
                for name in names {
                    let step = (of(name).unwrap() * (by / norm)).unwrap();
                    moved.insert(
                        (*name).clone(),
                        (&weights[*name] + step.reshape(weights[*name].shape()).unwrap()).unwrap(),
                    );
                }
                loss(&config, &moved, false).mlm
            };
            let slope = (at(1e-2) - at(-1e-2)) / 2e-2;
            assert!(
                (slope / norm - 1.0).abs() < 0.02,
                "{rule} {names:?}: slope {slope}, gradient {norm}"
            );
        };
        let trained: Vec<&String> = weights.keys().filter(|name| of(name).is_some()).collect();
        // A turned mask changes where the encoder's output crosses the router's threshold: there
        // only what comes after it is smooth.
        let fixed = config.routing != Routing::Turned;
        let after = |name: &&&String| {
            fixed
                || ["main_network", "decoder", "residual", "lm_head"]
                    .iter()
                    .any(|part| name.contains(part))
        };
        let smooth: Vec<&String> = trained.iter().filter(after).copied().collect();
        along(&smooth);
        for part in [
            "main_network.main_network.layers.0.mlp.fc1",
            "residual_proj.weight",
            "encoder.layers.0.mixer.fwd.in_proj",
        ] {
            let some: Vec<&String> = smooth
                .iter()
                .filter(|name| name.contains(part))
                .copied()
                .collect();
            assert!(!some.is_empty() || !fixed, "{part}");
            if !some.is_empty() {
                along(&some);
            }
        }
        // Recomputed layers change nothing.
        let again = loss(&config, &weights, true).backward().unwrap();
        for name in trained {
            let off = (of(name).unwrap() - again.get(&weights[name]).unwrap())
                .unwrap()
                .abs()
                .unwrap()
                .max_all()
                .unwrap();
            assert!(off.to_scalar::<f32>().unwrap() < 1e-6, "{rule} {name}");
        }
    }
}

#[test]
fn a_rule_that_cuts_where_the_router_cuts_gives_its_output() {
    // With P = 1 for every position, the learned path and `none` are one: a router whose keys are
    // its queries turned around says 1 everywhere.
    let (learned, none) = (config("learned"), config("none"));
    let mut weights = weights(&learned);
    // Same embedding everywhere: q·k is then constant, and -1 with k = -q.
    let identity = Tensor::eye(32, candle_core::DType::F32, &Device::Cpu).unwrap();
    weights.insert(
        "backbone.routing_module.q_proj_layer.weight".into(),
        identity.clone(),
    );
    weights.insert(
        "backbone.routing_module.k_proj_layer.weight".into(),
        identity.neg().unwrap(),
    );
    // Only embedding and its norm reach the router: no layer of the encoder adds anything.
    for (name, tensor) in weights.clone() {
        if name.contains("encoder") && name.contains("out_proj") || name == "embeddings.weight" {
            let flat = if name == "embeddings.weight" {
                tensor.ones_like()
            } else {
                tensor.zeros_like()
            };
            weights.insert(name, flat.unwrap());
        }
    }
    let output = |config: &Config| {
        let model = LdarNet::new(config, &mut Loaded::new(weights.clone())).unwrap();
        let output = model.forward(&sequences(&[30, 9])).unwrap();
        assert!(output.stages[0].mask.iter().all(|kept| *kept));
        output.logits.to_vec2::<f32>().unwrap()
    };
    for (a, b) in output(&learned)
        .iter()
        .flatten()
        .zip(output(&none).iter().flatten())
    {
        assert!((a - b).abs() < 1e-4, "{a} {b}");
    }
    let grads = |config: &Config| {
        let objective = Objective {
            alpha: 0.0,
            compression: vec![4.0],
            recompute: false,
        };
        let model = LdarNet::new(config, &mut Loaded::new(weights.clone())).unwrap();
        let targets: Arc<[(usize, u8)]> = (0..39).map(|row| (row, (row % 4) as u8)).collect();
        objective
            .loss(&model, &sequences(&[30, 9]), &targets)
            .unwrap()
            .backward()
            .unwrap()
    };
    let (one, other) = (grads(&learned), grads(&none));
    let after = |name: &&String| {
        ["main_network", "decoder", "residual", "lm_head"]
            .iter()
            .any(|part| name.contains(part))
    };
    for tensor in weights
        .iter()
        .filter(|(name, _)| after(name))
        .map(|(_, tensor)| tensor)
    {
        let (one, other) = (one.get(tensor).unwrap(), other.get(tensor).unwrap());
        let largest = |x: &Tensor| {
            x.abs()
                .unwrap()
                .max_all()
                .unwrap()
                .to_scalar::<f32>()
                .unwrap()
        };
        assert!(largest(&(one - other).unwrap()) <= 1e-4 * largest(one).max(1e-3));
    }
}
