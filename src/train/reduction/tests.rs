use super::*;
use crate::model::fresh::Fresh;
use crate::model::weights::Loaded;
use crate::model::{Config, LdarNet};
use crate::train::objective::Objective;
use crate::train::optimizer::AdamW;
use candle_core::Device;

fn optimizer(tensors: &std::collections::BTreeMap<String, Tensor>) -> Optimizer {
    let settings = AdamW {
        betas: (0.9, 0.95),
        eps: 1e-8,
        weight_decay: 0.01,
        max_grad_norm: 1.0,
        lr_multiplier: vec![1.0, 1.0],
    };
    Optimizer::new(settings, tensors, 2).unwrap()
}

#[test]
fn the_only_rank_gets_what_backward_passes_give() {
    let config = serde_json::json!({
        "arch_layout": ["m1", ["M1"], "m1"], "d_model": [32, 64], "d_intermediate": [0, 128], "ssm_cfg": {"d_state": 16}
    });
    let config = Config::from_json(config).unwrap();
    let mut fresh = Fresh::new(3);
    LdarNet::new(&config, &mut fresh).unwrap();
    let tensors = super::super::optimizer::trainable(&fresh.tensors, &Device::Cpu).unwrap();
    let model = LdarNet::new(&config, &mut Loaded::new(tensors.clone())).unwrap();
    let optimizer = optimizer(&tensors);
    let (ranks, mut reduction) = (Ranks::alone(), Reduction::default());
    // The second step sums while its backward pass runs.
    for (step, recompute) in [(1_u8, false), (2, false), (3, true)] {
        let loss = |window: u8| {
            let inputs = [(0..40)
                .map(|i| (i * window + step) % 4)
                .collect::<Vec<u8>>()];
            let objective = Objective {
                alpha: 0.03,
                compression: vec![4.0],
                recompute,
            };
            objective
                .loss(&model, &inputs, &[(3, 1), (20, 2)].into())
                .unwrap()
        };
        let mut want = Gradients::default();
        let mut before = Gradients::default();
        optimizer
            .accumulate(&loss(1).backward().unwrap(), &mut want)
            .unwrap();
        optimizer
            .accumulate(&loss(1).backward().unwrap(), &mut before)
            .unwrap();
        optimizer
            .accumulate(&loss(3).backward().unwrap(), &mut want)
            .unwrap();
        let got = reduction.sum(&ranks, &optimizer, loss(3), before).unwrap();
        let numbers = |gradients: &Gradients| {
            gradients
                .named(&optimizer)
                .map(|(name, grad)| {
                    let values = grad.flatten_all().unwrap().to_vec1::<f32>().unwrap();
                    (name.to_string(), grad.dims().to_vec(), values)
                })
                .collect::<Vec<_>>()
        };
        let want = numbers(&want);
        assert!(want.len() > 20);
        assert_eq!(numbers(&got), want, "step {step}");
        assert_eq!(got.norm().unwrap(), {
            let parts = want.iter().map(|(_, _, values)| {
                let values = Tensor::from_slice(values, values.len(), &Device::Cpu).unwrap();
                Gradients::from(vec![Some(values)]).norm().unwrap().powi(2)
            });
            parts.sum::<f64>().sqrt()
        });
    }
}

#[test]
fn buckets_hold_what_is_whole_first() {
    let seen = [(1, 5), (0, 0), (2, 3), (1, 3), (1, 9)];
    let plan = Plan::new(&seen, &[BUCKET, 7, 1, 1, 1]);
    assert_eq!(plan.order, [2, 3, 0, 4]);
    assert_eq!(plan.buckets, [0..3, 3..4]);
    assert_eq!(plan.uses, [1, 0, 2, 1, 1]);
    assert!(Plan::new(&[(0, 0)], &[4]).buckets.is_empty());
    let other = Plan::new(&[(1, 5), (0, 0), (2, 3), (1, 4), (1, 9)], &[1; 5]);
    assert_ne!(plan.digest(), other.digest());
}
