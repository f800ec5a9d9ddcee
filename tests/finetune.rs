//! Plain PyTorch is the referee: a linear head on `nano`, trained for three steps on sequences of
//! unlike lengths and three classes.
//!
//! `golden/finetune.safetensors` was made by these lines beside the peer in plain PyTorch,
//! `ldarnet_torch.py` (float32, one thread):
//!
//! ```python
//! import torch, torch.nn.functional as F
//! from safetensors.torch import save_file
//! from ldarnet_torch import Net
//! torch.manual_seed(1); torch.set_num_threads(1)
//! net = Net('nano.pt'); d = net.c['d_model'][0]; params = {}
//! for k in net.w:                                                        # tie what is shared
//!     src = k.replace('.bwd.in_proj', '.fwd.in_proj').replace('.bwd.out_proj', '.fwd.out_proj')
//!     params.setdefault(src, net.w[src].clone().requires_grad_()); net.w[k] = params[src]
//! params['head.weight'] = (torch.randn(3, d) * 0.2).requires_grad_(); params['head.bias'] = torch.randn(3).mul(0.1).requires_grad_()
//! ids = [torch.randint(0, 5 if n == 90 else 4, (n,)) for n in (70, 33, 129, 1, 64, 90)]; labels = torch.tensor([0, 2, 1, 2, 0, 1])
//! hidden = lambda s: net.level('backbone.', net.c['arch_layout'], F.embedding(s[None], net.w['embeddings.weight']), 0, [])[0]
//! logits = lambda: torch.stack([F.linear(hidden(s).mean(0), params['head.weight'], params['head.bias']) for s in ids])
//! plain = lambda n: n.endswith('.bias') or 'norm' in n or 'ln' in n
//! groups = [{'params': [p for n, p in params.items() if plain(n) == kind], 'weight_decay': 0.0 if kind else 0.1} for kind in (True, False)]
//! opt = torch.optim.AdamW(groups, lr=2e-4, betas=(0.9, 0.95), eps=1e-8)
//! some = lambda t: t.detach().flatten()[::max(1, t.numel() // 256)].clone()
//! out = {'head.weight': params['head.weight'].detach().clone(), 'head.bias': params['head.bias'].detach().clone(), 'labels': labels.long(),
//!        'lengths': torch.tensor([len(s) for s in ids]).long(), 'ids': torch.cat(ids).long()}
//! losses, norms = [], []
//! for step in range(3):
//!     opt.zero_grad(); loss = F.cross_entropy(logits(), labels); loss.backward(); losses.append(loss.item())
//!     if step == 0:
//!         out['probabilities'] = logits().softmax(-1).detach()
//!         for n, p in params.items():
//!             if p.grad is not None: out['grad.' + n] = some(p.grad); out['norm.' + n] = p.grad.norm()
//!     norms.append(torch.nn.utils.clip_grad_norm_(params.values(), 1.0).item()); opt.step()
//! for n, p in params.items(): out['after.' + n] = some(p)
//! out['losses'], out['grad_norms'] = torch.tensor(losses), torch.tensor(norms)
//! save_file({k: v.contiguous() for k, v in out.items()}, 'finetune.safetensors')
//! ```
#![allow(clippy::unwrap_used)]

use candle_core::{Device, Tensor};
use ldar::model::head::{Answer, Pooling, Readout};
use ldar::model::{Checkpoint, Precision};
use ldar::train::finetune::Protocol;
use ldar::train::finetune::learner::{Batch, Goal, Inputs, Learner};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");

fn floats(t: &Tensor) -> Vec<f32> {
    t.to_device(&Device::Cpu)
        .unwrap()
        .flatten_all()
        .unwrap()
        .to_vec1()
        .unwrap()
}

/// The elements that the oracle keeps of a tensor.
fn some(t: &Tensor) -> Vec<f32> {
    let all = floats(t);
    all.iter()
        .step_by((all.len() / 256).max(1))
        .copied()
        .collect()
}

fn worst(got: &[f32], want: &[f32]) -> f32 {
    assert_eq!(got.len(), want.len());
    got.iter()
        .zip(want)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max)
}

fn three_steps(device: &Device) {
    let want: HashMap<String, Tensor> =
        candle_core::safetensors::load(format!("{GOLDEN}/finetune.safetensors"), &Device::Cpu)
            .unwrap();
    let integers = |name: &str| want[name].to_vec1::<i64>().unwrap();
    let mut left: Vec<u8> = integers("ids").into_iter().map(|id| id as u8).collect();
    let tokens: Vec<Vec<u8>> = integers("lengths")
        .into_iter()
        .map(|n| left.drain(..n as usize).collect())
        .collect();
    let goals: Vec<Goal> = integers("labels")
        .into_iter()
        .map(|label| Goal::Class(label as u32))
        .collect();
    let checkpoint = Checkpoint::open(format!("{GOLDEN}/nano.pt")).unwrap();
    let mut tensors = checkpoint.tensors.clone();
    ["head.weight", "head.bias"]
        .iter()
        .for_each(|name| drop(tensors.insert(name.to_string(), want[*name].clone())));
    let answer = Answer::Classes(["a", "b", "c"].map(String::from).to_vec());
    let readout = Readout {
        pooling: Pooling::Mean,
        both_strands: false,
        answer,
    };
    // All six sequences together; and in three passes, of two, two and two sequences.
    for at_once in [1000, 163] {
        let protocol = Protocol {
            at_once,
            ..Protocol::ldarnet()
        };
        let mut learner = Learner::new(
            &checkpoint.config,
            readout.clone(),
            &tensors,
            &protocol,
            device,
            Precision::F32,
        )
        .unwrap();
        let sequences: Vec<&[u8]> = tokens.iter().map(Vec::as_slice).collect();
        let probabilities = learner
            .tuned
            .scores(&sequences, at_once, &mut |_| Ok(()))
            .unwrap()
            .concat();
        assert!(worst(&probabilities, &floats(&want["probabilities"])) < 1e-5);
        let (losses, norms) = (floats(&want["losses"]), floats(&want["grad_norms"]));
        for step in 0..3 {
            let (loss, gradients) = learner
                .gradients(&Batch {
                    inputs: Inputs::Tokens(tokens.clone()),
                    goals: goals.clone(),
                })
                .unwrap();
            let off = (loss - f64::from(losses[step])).abs();
            if step == 0 {
                let (mut worst_off, mut names) = (0.0_f32, 0);
                for (name, got) in learner.named(&gradients) {
                    let norm = want[&format!("norm.{name}")].to_scalar::<f32>().unwrap();
                    let (kept, expected) = (some(got), floats(&want[&format!("grad.{name}")]));
                    let difference = kept
                        .iter()
                        .zip(&expected)
                        .map(|(a, b)| (a - b).powi(2))
                        .sum::<f32>()
                        .sqrt();
                    let kept_norm = expected.iter().map(|x| x * x).sum::<f32>().sqrt();
                    let whole = floats(got).iter().map(|x| x * x).sum::<f32>().sqrt();
                    worst_off = worst_off
                        .max(difference / kept_norm.max(1e-6))
                        .max((whole / norm - 1.0).abs());
                    assert!(
                        difference < 1e-3 * kept_norm.max(1e-6)
                            && (whole / norm - 1.0).abs() < 1e-3,
                        "gradient of {name}"
                    );
                    names += 1;
                }
                assert_eq!(
                    names,
                    want.keys().filter(|name| name.starts_with("grad.")).count(),
                    "parameters with a gradient"
                );
                println!(
                    "{at_once} at once: gradients of {names} parameters off by {worst_off:.1e} of their norm at most"
                );
            }
            let norm = learner.step(&gradients, 2e-4).unwrap();
            println!(
                "{at_once} at once, step {step}: loss {loss:.7}, off by {off:.1e}; norm {norm:.6}"
            );
            assert!(
                off < 1e-5 && (norm / f64::from(norms[step]) - 1.0).abs() < 1e-3,
                "step {step}"
            );
        }
        let mut most = 0.0_f32;
        for (name, tensor) in learner.tensors() {
            let off = worst(&some(tensor), &floats(&want[&format!("after.{name}")]));
            assert!(off < 1e-4, "{name} after three steps: off by {off}");
            most = most.max(off);
        }
        println!("{at_once} at once: weights off by {most:.1e} at most");
    }
}

#[test]
fn three_steps_of_a_head() {
    three_steps(&Device::Cpu);
}

/// `cargo test --features cuda -- --ignored gpu`
#[cfg(feature = "cuda")]
#[test]
#[ignore = "needs an NVIDIA GPU"]
fn three_steps_of_a_head_on_the_gpu() {
    three_steps(&ldar::kernels::cuda::open(0).unwrap());
}

const NANO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/nano.pt");

/// Short runs on the files of [`data`].
const FINETUNE: [&str; 21] = [
    "finetune",
    "--checkpoint",
    NANO,
    "--train",
    "train.csv",
    "--valid",
    "dev.csv",
    "--test",
    "test.csv",
    "--seeds",
    "1,2",
    "--rate",
    "2e-3",
    "--batch",
    "7",
    "--epochs",
    "4",
    "--bootstraps",
    "100",
    "--permutations",
    "100",
];

fn program(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ldar-analyze"));
    command
        .current_dir(folder)
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn ok(folder: &Path, arguments: &[&[&str]]) -> String {
    let output = program(folder, &arguments.concat()).output().unwrap();
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Sequences of unlike lengths, every second one with TATAAA; test sequences also as FASTA.
fn data(folder: &Path) {
    let mut state = 1_u64;
    let mut below = |n: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % n
    };
    let mut fasta = String::new();
    for (name, rows) in [("train", 40), ("dev", 12), ("test", 20)] {
        let mut table = "sequence,label\n".to_string();
        for row in 0..rows {
            let letters: String = (0..24 + below(30))
                .map(|_| ['C', 'G'][below(2) as usize])
                .collect();
            let middle = if row % 2 == 1 { "TATAAATATAAA" } else { "" };
            let sequence = format!("{}{middle}{}", &letters[..8], &letters[8..]);
            table += &format!("{sequence},{}\n", row % 2);
            if name == "test" {
                fasta += &format!(">s{row}\n{sequence}\n");
            }
        }
        std::fs::write(folder.join(format!("{name}.csv")), table).unwrap();
    }
    std::fs::write(folder.join("test.fa"), fasta).unwrap();
}

/// The models and the predictions of a results folder.
fn results(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let models = std::fs::read_dir(folder.join("models"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = models
        .chain([
            folder.join("tables/predictions.tsv"),
            folder.join("tables/boundaries.tsv"),
        ])
        .collect();
    files.sort();
    files
        .iter()
        .map(|file| {
            (
                file.file_name().unwrap().to_string_lossy().into_owned(),
                std::fs::read(file).unwrap(),
            )
        })
        .collect()
}

#[test]
fn shards_and_killed_runs_give_what_one_run_gives() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path();
    data(folder);
    ok(folder, &[&FINETUNE, &["--out", "whole"]]);
    let whole = results(&folder.join("whole"));
    assert_eq!(whole.len(), 4, "two models, two tables");
    assert!(!folder.join("whole.partial").exists());
    for shard in ["1", "2"] {
        ok(
            folder,
            &[
                &FINETUNE,
                &[
                    "--shard",
                    &format!("{shard}/2"),
                    "--out",
                    &format!("shards/{shard}"),
                ],
            ],
        );
    }
    ok(
        folder,
        &[&["merge", "shards/1", "shards/2", "--out", "merged"]],
    );
    assert!(
        whole == results(&folder.join("merged")),
        "shards gave something else"
    );

    let mut killed = program(folder, &[&FINETUNE[..], &["--out", "parts"]].concat())
        .spawn()
        .unwrap();
    let left = folder.join("parts.partial/ldarnet-fold-0-seed-1.training.safetensors");
    let since = Instant::now();
    while !left.exists() && killed.try_wait().unwrap().is_none() {
        assert!(since.elapsed() < Duration::from_secs(120));
        std::thread::sleep(Duration::from_millis(5));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert!(
        !folder.join("parts").exists() && left.exists(),
        "it was killed too late to tell anything"
    );
    ok(folder, &[&FINETUNE, &["--out", "parts"]]);
    assert!(
        whole == results(&folder.join("parts")),
        "a killed run gave something else"
    );

    // The file alone gives the scores of the table.
    let model = "whole/models/ldarnet-fold-0-seed-2.safetensors";
    let told = ok(
        folder,
        &[&["predict", "--model", model, "--fasta", "test.fa"]],
    );
    let table = String::from_utf8(
        whole
            .iter()
            .find(|(name, _)| name == "predictions.tsv")
            .unwrap()
            .1
            .clone(),
    )
    .unwrap();
    let mut lines = table.lines();
    let columns: Vec<&str> = lines.next().unwrap().split('\t').collect();
    let at = |name: &str| columns.iter().position(|column| *column == name).unwrap();
    let of_model = lines
        .map(|line| line.split('\t').collect::<Vec<_>>())
        .filter(|row| row[at("model")] == "ldarnet" && row[at("seed")] == "2");
    let scores: Vec<f64> = of_model
        .map(|row| row[at("score")].parse().unwrap())
        .collect();
    let mut told = told.lines();
    assert_eq!(told.next(), Some("sequence\tpredicted\tp_0\tp_1"));
    let told: Vec<f64> = told
        .flat_map(|line| {
            line.split('\t')
                .skip(2)
                .map(|p| p.parse().unwrap())
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(told.len(), 40);
    assert!(
        told.iter().zip(&scores).all(|(a, b)| (a - b).abs() < 1e-6),
        "{told:?} {scores:?}"
    );
}

#[test]
fn what_cannot_be_is_said() {
    let temp = tempfile::tempdir().unwrap();
    data(temp.path());
    let fails = |arguments: &[&[&str]], code: i32, part: &str| {
        let output = program(temp.path(), &arguments.concat()).output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            output.status.code() == Some(code) && message.contains(part),
            "{arguments:?}: {message}"
        );
    };
    fails(
        &[&FINETUNE, &["--last-blocks", "99"]],
        2,
        "the model has 6 blocks",
    );
    fails(&[&FINETUNE, &["--factor", "2"]], 2, "--factor");
    fails(
        &[&FINETUNE, &["--regression", "--monitor", "accuracy"]],
        2,
        "no accuracy",
    );
    fails(
        &[&FINETUNE, &["--model", "kmer", "--shard", "1/2"]],
        2,
        "--shard",
    );
    fails(
        &[&["predict", "--model", NANO, "--fasta", "test.fa"]],
        1,
        "no head",
    );
    // A run leaves nothing where it could not start.
    assert!(!temp.path().join("finetune").exists());
}
