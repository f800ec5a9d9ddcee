//! The authors' code is the referee: their weights, outputs, gradients and training steps, run in
//! float32 on a CPU.
//!
//! Reads every `NAME.json` of the folder in `LDAR_GOLDEN_DIR` (default `tests/golden`).
#![allow(clippy::unwrap_used)]

use candle_core::{Device, Tensor};
use ldar::model::weights::Loaded;
use ldar::model::{Checkpoint, LdarNet};
use ldar::train::objective::Objective;
use ldar::train::optimizer::{AdamW, Gradients, Optimizer, trainable};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    std::env::var_os("LDAR_GOLDEN_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden"),
        PathBuf::from,
    )
}

fn names() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "json"))
        .map(|p| p.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert!(
        !names.is_empty(),
        "no golden case in {}",
        folder().display()
    );
    names
}

fn tensors(path: &Path) -> HashMap<String, Tensor> {
    candle_core::safetensors::load(path, &Device::Cpu)
        .unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn floats(t: &Tensor) -> Vec<f32> {
    t.to_device(&Device::Cpu)
        .unwrap()
        .flatten_all()
        .unwrap()
        .to_vec1()
        .unwrap()
}

fn worst(got: &Tensor, want: &Tensor) -> f32 {
    assert_eq!(got.elem_count(), want.elem_count());
    floats(got)
        .iter()
        .zip(floats(want))
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max)
}

fn tokens(t: &Tensor) -> Vec<u8> {
    t.flatten_all()
        .unwrap()
        .to_vec1::<i64>()
        .unwrap()
        .into_iter()
        .map(|x| x as u8)
        .collect()
}

#[test]
fn outputs() {
    outputs_on(&Device::Cpu);
}

/// `cargo test --features cuda -- --ignored gpu`
#[cfg(feature = "cuda")]
#[test]
#[ignore = "needs an NVIDIA GPU"]
fn outputs_on_the_gpu() {
    outputs_on(&ldar::kernels::cuda::open(0).unwrap());
}

fn outputs_on(device: &Device) {
    for name in names() {
        let model = Checkpoint::open(folder().join(format!("{name}.pt")))
            .unwrap()
            .model_on(device)
            .unwrap();
        let expected = tensors(&folder().join(format!("{name}.expected.safetensors")));
        for case in (0..).take_while(|i| expected.contains_key(&format!("case{i}.input_ids"))) {
            let want = |key: &str| &expected[&format!("case{case}.{key}")];
            let out = model.forward(&[tokens(want("input_ids"))]).unwrap();
            let encoded = model.encode(&[tokens(want("input_ids"))]).unwrap();
            for (key, got) in [
                ("logits", &out.logits),
                ("encoder_output", &encoded),
                ("last_hidden_state", &out.hidden),
            ] {
                let error = worst(got, want(key));
                println!("{name} case {case} {key}: {error:.1e}");
                assert!(error < 1e-4, "{name} case {case} {key}: off by {error}");
            }
            for (i, stage) in out.stages.iter().enumerate() {
                let error = worst(&stage.prob, want(&format!("stage{i}.boundary_prob")));
                println!("{name} case {case} stage {i} boundary_prob: {error:.1e}");
                assert!(error < 1e-4, "{name} case {case} stage {i}: off by {error}");
                let mask: Vec<u8> = want(&format!("stage{i}.boundary_mask"))
                    .flatten_all()
                    .unwrap()
                    .to_vec1()
                    .unwrap();
                assert_eq!(
                    stage.mask,
                    mask.iter().map(|&b| b != 0).collect::<Vec<_>>(),
                    "{name} case {case} stage {i}: mask"
                );
            }
            if !out.stages.is_empty() {
                let routed = model
                    .route(&[tokens(want("input_ids"))], out.stages.len() - 1)
                    .unwrap();
                for (i, (alone, whole)) in routed.iter().zip(&out.stages).enumerate() {
                    assert_eq!(
                        floats(&alone.prob),
                        floats(&whole.prob),
                        "{name} case {case} stage {i}: routers alone"
                    );
                }
            }
            assert!(
                model
                    .route(&[tokens(want("input_ids"))], out.stages.len())
                    .is_err()
            );
            assert!(!expected.contains_key(&format!(
                "case{case}.stage{}.boundary_prob",
                out.stages.len()
            )));
        }
    }
}

#[test]
fn batches_give_what_single_sequences_give() {
    for name in names() {
        let model = Checkpoint::open(folder().join(format!("{name}.pt")))
            .unwrap()
            .model()
            .unwrap();
        let expected = tensors(&folder().join(format!("{name}.expected.safetensors")));
        let cases: Vec<usize> = (0..)
            .take_while(|i| expected.contains_key(&format!("case{i}.input_ids")))
            .collect();
        let inputs: Vec<Vec<u8>> = cases
            .iter()
            .map(|i| tokens(&expected[&format!("case{i}.input_ids")]))
            .collect();
        let out = model.forward(&inputs).unwrap();
        let mut row = 0;
        for (case, input) in cases.iter().zip(&inputs) {
            let alone = model.forward(&[input]).unwrap();
            let part = out.logits.narrow(0, row, input.len()).unwrap();
            // Sums of a matrix product may be taken in another order for another number of rows:
            // rounding, and nothing else.
            let error = worst(&part, &alone.logits);
            assert!(
                error < 2e-5,
                "{name} case {case} depends on its batch mates: {error}"
            );
            row += input.len();
        }
    }
}

/// Activations in bf16, as kernels run them: probabilities move in the third digit, and decisions
/// only where they are at the threshold.
#[cfg(any(feature = "cuda", feature = "cuda-emulation"))]
fn bf16_outputs_on(device: &Device) {
    use ldar::model::Precision;
    for name in names() {
        let mut model = Checkpoint::open(folder().join(format!("{name}.pt")))
            .unwrap()
            .model_on(device)
            .unwrap();
        assert_eq!(
            model.set_precision(Precision::Bf16).unwrap().to_string(),
            "bf16 (CUDA)"
        );
        let expected = tensors(&folder().join(format!("{name}.expected.safetensors")));
        for case in (0..).take_while(|i| expected.contains_key(&format!("case{i}.input_ids"))) {
            let want = |key: &str| &expected[&format!("case{case}.{key}")];
            let out = model.forward(&[tokens(want("input_ids"))]).unwrap();
            let (got, logits) = (floats(&out.logits), floats(want("logits")));
            let norm = |x: &mut dyn Iterator<Item = f32>| x.map(|v| v * v).sum::<f32>().sqrt();
            let off = norm(&mut got.iter().zip(&logits).map(|(a, b)| a - b))
                / norm(&mut logits.iter().copied());
            // A decision that tips changes what the inner network sees: then only the routing can
            // be compared.
            let (mut moved, mut tipped) = (0.0, 0);
            if let Some(stage) = out.stages.first() {
                let exact = floats(want("stage0.boundary_prob"));
                moved = worst(&stage.prob, want("stage0.boundary_prob"));
                let near = |p: f32| (p - 0.5).abs() <= moved;
                tipped = stage
                    .mask
                    .iter()
                    .zip(&exact)
                    .filter(|&(&kept, &p)| kept != (p > 0.5))
                    .count();
                assert!(
                    stage
                        .mask
                        .iter()
                        .zip(&exact)
                        .all(|(&kept, &p)| kept == (p > 0.5) || near(p)),
                    "{name} case {case}"
                );
            }
            println!(
                "{name} case {case}: probabilities moved by {moved:.1e} at most, {tipped} decisions tipped, logits off by {off:.1e} of their norm"
            );
            assert!(
                moved < 0.01 && off > 1e-5 && (off < 0.03 || tipped > 0 && off < 0.3),
                "{name} case {case}"
            );
        }
    }
}

#[cfg(feature = "cuda-emulation")]
#[test]
fn bf16_outputs_in_the_emulation() {
    use ldar::kernels::cuda::{Order, emulated};
    emulated(Order::Descending, || bf16_outputs_on(&Device::Cpu));
}

/// `cargo test --features cuda -- --ignored gpu`
#[cfg(feature = "cuda")]
#[test]
#[ignore = "needs an NVIDIA GPU"]
fn bf16_outputs_on_the_gpu() {
    bf16_outputs_on(&ldar::kernels::cuda::open(0).unwrap());
}

/// In bf16 too every pass uses the weights as they are then: recomputed layers change nothing, and
/// a model made anew from the trained weights gives the same.
#[cfg(feature = "cuda-emulation")]
#[test]
fn bf16_training_follows_its_weights() {
    use ldar::kernels::cuda::{Order, emulated};
    use ldar::model::Precision;
    let sequences = [
        vec![0_u8, 1, 2, 3, 3, 2, 1, 0, 2, 2, 1, 3],
        vec![3, 0, 0, 1, 2, 1, 3],
    ];
    let targets: std::sync::Arc<[(usize, u8)]> = vec![(1, 1), (4, 3), (9, 2), (13, 0)].into();
    let checkpoint = Checkpoint::open(folder().join("nano.pt")).unwrap();
    let run = |recompute: bool| {
        let params = trainable(&checkpoint.tensors, &Device::Cpu).unwrap();
        let mut model = LdarNet::new(&checkpoint.config, &mut Loaded::new(params.clone())).unwrap();
        model.set_training_precision(Precision::Bf16).unwrap();
        let settings = AdamW {
            betas: (0.9, 0.95),
            eps: 1e-8,
            weight_decay: 0.01,
            max_grad_norm: 1.0,
            lr_multiplier: vec![1.0; checkpoint.config.stages.len()],
        };
        let mut optimizer =
            Optimizer::new(settings, &params, checkpoint.config.stages.len()).unwrap();
        let objective = Objective {
            alpha: 0.03,
            compression: vec![4.0; checkpoint.config.stages.len() - 1],
            recompute,
        };
        let mut losses = Vec::new();
        for _ in 0..4 {
            let loss = objective.loss(&model, &sequences, &targets).unwrap();
            losses.push(loss.total);
            let mut sums = Gradients::default();
            optimizer
                .accumulate(&loss.backward().unwrap(), &mut sums)
                .unwrap();
            optimizer.step(&sums, 1, 3e-3).unwrap();
        }
        let mut anew = LdarNet::new(&checkpoint.config, &mut Loaded::new(params)).unwrap();
        anew.set_precision(Precision::Bf16).unwrap();
        let logits =
            [&model, &anew].map(|model| floats(&model.forward(&sequences).unwrap().logits));
        assert_eq!(logits[0], logits[1]);
        losses
    };
    emulated(Order::Ascending, || {
        let losses = run(false);
        assert_eq!(losses, run(true));
        assert!(losses[3] < losses[0] - 0.05, "{losses:?}");
    });
}

#[test]
fn training_steps() {
    training_steps_on(&Device::Cpu, false);
}

#[test]
fn training_steps_with_recomputed_layers() {
    training_steps_on(&Device::Cpu, true);
}

/// `cargo test --features cuda -- --ignored gpu`
#[cfg(feature = "cuda")]
#[test]
#[ignore = "needs an NVIDIA GPU"]
fn training_steps_on_the_gpu() {
    training_steps_on(&ldar::kernels::cuda::open(0).unwrap(), true);
}

fn training_steps_on(device: &Device, recompute: bool) {
    for name in names() {
        let path = folder().join(format!("{name}.train.safetensors"));
        if !path.exists() {
            continue;
        }
        let expected = tensors(&path);
        let meta: serde_json::Value =
            serde_json::from_slice(&std::fs::read(folder().join(format!("{name}.json"))).unwrap())
                .unwrap();
        let meta = &meta["train"];
        let number = |v: &serde_json::Value| v.as_f64().unwrap();
        let numbers = |v: &serde_json::Value| {
            v.as_array()
                .unwrap()
                .iter()
                .map(number)
                .collect::<Vec<f64>>()
        };
        let checkpoint = Checkpoint::open(folder().join(format!("{name}.pt"))).unwrap();
        let params = trainable(&checkpoint.tensors, device).unwrap();
        let model = LdarNet::new(&checkpoint.config, &mut Loaded::new(params.clone())).unwrap();
        let betas = numbers(&meta["betas"]);
        let settings = AdamW {
            betas: (betas[0], betas[1]),
            eps: number(&meta["eps"]),
            weight_decay: number(&meta["weight_decay"]),
            max_grad_norm: number(&meta["max_grad_norm"]),
            lr_multiplier: numbers(&meta["lr_multiplier"]),
        };
        let mut optimizer =
            Optimizer::new(settings, &params, checkpoint.config.stages.len()).unwrap();
        let objective = Objective {
            alpha: number(&meta["alpha_ratio"]),
            compression: numbers(&meta["N"]),
            recompute,
        };

        // Rows of the batch are spread over the micro-batches, whose gradients are averaged.
        let micro_batches = meta["micro_batches"].as_u64().unwrap() as usize;
        let (ids, labels) = (&expected["input_ids"], &expected["labels"]);
        let (rows, length) = ids.dims2().unwrap();
        let labels: Vec<Vec<i64>> = labels.to_vec2().unwrap();
        let per_micro_batch = rows / micro_batches;
        let batches: Vec<_> = (0..micro_batches)
            .map(|m| {
                let rows = m * per_micro_batch..(m + 1) * per_micro_batch;
                let inputs: Vec<Vec<u8>> =
                    rows.clone().map(|r| tokens(&ids.get(r).unwrap())).collect();
                let targets: Vec<(usize, u8)> = rows
                    .enumerate()
                    .flat_map(|(i, r)| {
                        labels[r]
                            .iter()
                            .enumerate()
                            .map(move |(t, &l)| (i * length + t, l))
                    })
                    .filter(|&(_, label)| label >= 0)
                    .map(|(row, label)| (row, label as u8))
                    .collect();
                (inputs, targets.into())
            })
            .collect();

        for (step, want) in meta["steps"].as_array().unwrap().iter().enumerate() {
            let mut sums = Gradients::default();
            let (mut loss, mut mlm, mut ratio) = (0.0, 0.0, 0.0);
            for (inputs, targets) in &batches {
                let part = objective.loss(&model, inputs, targets).unwrap();
                loss += part.total / micro_batches as f64;
                mlm += part.mlm / micro_batches as f64;
                ratio += part.ratio / micro_batches as f64;
                optimizer
                    .accumulate(&part.backward().unwrap(), &mut sums)
                    .unwrap();
            }
            if step == 0 {
                assert_eq!(
                    sums.named(&optimizer).count(),
                    params.len(),
                    "{name}: every parameter has a gradient"
                );
                for (param, got) in sums.named(&optimizer) {
                    let want = floats(&expected[&format!("grad.{param}")]);
                    let norm = want.iter().map(|x| x * x).sum::<f32>().sqrt();
                    let got = floats(got).into_iter().map(|g| g / micro_batches as f32);
                    let error = got
                        .zip(&want)
                        .map(|(a, b)| (a - b) * (a - b))
                        .sum::<f32>()
                        .sqrt();
                    assert!(
                        error <= 1e-3 * norm,
                        "{name} gradient of {param}: relative error {}",
                        error / norm
                    );
                }
            }
            let norm = optimizer
                .step(&sums, micro_batches, number(&meta["lr"]))
                .unwrap();
            println!(
                "{name} step {step}: loss {loss:.7} mlm {mlm:.7} ratio {ratio:.7} gradient {norm:.7}"
            );
            for (what, got) in [
                ("loss", loss),
                ("mlm", mlm),
                ("ratio", ratio),
                ("grad_norm", norm),
            ] {
                let want = number(&want[what]);
                assert!(
                    (got - want).abs() < 1e-4,
                    "{name} step {step} {what}: {got}, not {want}"
                );
            }
        }
        for (param, tensor) in &params {
            let error = worst(tensor, &expected[&format!("after3.{param}")]);
            assert!(
                error < 1e-4,
                "{name} {param} after three steps: off by {error}"
            );
        }
    }
}
