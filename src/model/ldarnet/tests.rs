use super::*;
use crate::model::Checkpoint;
use crate::model::fresh::Fresh;
use std::path::{Path, PathBuf};

/// Every checkpoint of the golden folder, as in `tests/parity.rs`.
fn models() -> Vec<(String, LdarNet)> {
    let folder = std::env::var_os("LDAR_GOLDEN_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden"),
        PathBuf::from,
    );
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "pt"));
    paths.sort();
    paths
        .iter()
        .map(|path| {
            (
                path.display().to_string(),
                Checkpoint::open(path).unwrap().model().unwrap(),
            )
        })
        .collect()
}

/// Boundary probabilities of the outermost router on random bases.
fn probs(model: &LdarNet) -> Vec<f32> {
    let mut rng = crate::stats::rng::Rng::new(5).derive("bases");
    let bases: Vec<u8> = (0..512).map(|_| rng.below(4) as u8).collect();
    model.forward(&[bases]).unwrap().stages[0]
        .prob
        .to_vec1()
        .unwrap()
}

/// Largest difference from f32, and fraction of positions that keep their side of the threshold.
fn against_f32(arithmetic: Arithmetic, most: f32, agreement: f64) {
    for (name, mut model) in models() {
        let exact = probs(&model);
        model.set_arithmetic(arithmetic).unwrap();
        let got = probs(&model);
        assert_ne!(
            got, exact,
            "{name}: bf16 products differ in the last digits"
        );
        let worst = got
            .iter()
            .zip(&exact)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f32::max);
        let same = got
            .iter()
            .zip(&exact)
            .filter(|(a, b)| (**a > THRESHOLD) == (**b > THRESHOLD))
            .count() as f64
            / exact.len() as f64;
        println!(
            "{name} in {arithmetic}: off by {worst:.1e} at most, {:.2} % of masks agree",
            100.0 * same
        );
        assert!(
            worst < most && same >= agreement,
            "{name} in {arithmetic}: off by {worst}, masks agree on {same}"
        );
        model.set_precision(Precision::F32).unwrap();
        assert_eq!(probs(&model), exact, "{name}: and back");
    }
}

#[test]
fn bf16_stays_near_f32() {
    against_f32(Arithmetic::emulated(Precision::Bf16), 2e-2, 0.97);
    let native = Precision::Bf16.arithmetic();
    if native.precision() == Precision::Bf16 {
        against_f32(native, 2e-2, 0.97);
    }
}

#[test]
fn bf16x3_stays_at_f32() {
    against_f32(Arithmetic::emulated(Precision::Bf16x3), 1e-3, 0.999);
}

#[test]
fn training_does_not_round() {
    let (_, mut model) = models().remove(0);
    let loss = |model: &LdarNet| {
        model
            .forward_on(&Tape::on(), &[[0_u8, 1, 2, 3, 2, 1, 0, 3]])
            .unwrap()
            .logits
            .to_vec2::<f32>()
            .unwrap()
    };
    let exact = loss(&model);
    model
        .set_arithmetic(Arithmetic::emulated(Precision::Bf16))
        .unwrap();
    assert_eq!(loss(&model), exact);
}

#[test]
fn parts_of_a_batch_give_what_the_whole_gives() {
    let mut rng = crate::stats::rng::Rng::new(6).derive("bases");
    let sequences: Vec<Vec<u8>> = [70, 1, 200, 33, 5, 5]
        .iter()
        .map(|length| (0..*length).map(|_| rng.below(4) as u8).collect())
        .collect();
    for (name, model) in models() {
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            let pool = pool.build().unwrap();
            let (output, routed) = pool.install(|| {
                let output = model.forward(&sequences).unwrap();
                (output, model.route(&sequences, 0).unwrap())
            });
            let stage = |routed: &Routed| {
                let probs = routed.prob.to_vec1::<f32>().unwrap();
                (probs, routed.mask.clone(), routed.seqs.to_vec())
            };
            assert_eq!(stage(&routed[0]), stage(&output.stages[0]), "{name}");
            (
                output.logits.to_vec2::<f32>().unwrap(),
                output.hidden.to_vec2::<f32>().unwrap(),
                output.stages.iter().map(stage).collect::<Vec<_>>(),
            )
        };
        let one = run(1);
        assert_eq!(one.0.len(), 314);
        for threads in [2, 3, 9] {
            assert!(run(threads) == one, "{name}, {threads} threads");
        }
    }
}

/// Kernels of a forward pass with the layers of the 110m model, on narrow rows; products with
/// weights besides, by cuBLAS, are 60.
#[test]
fn kernels_of_a_forward_pass() {
    if !cuda::EMULATES {
        return;
    }
    let config = Config::from_json(serde_json::json!({
        "arch_layout": ["m3t1", ["M10"], "m4"], "d_model": [32, 64], "d_intermediate": [0, 128],
        "ssm_cfg": {"d_conv": 4, "expand": 2, "d_state": 16},
        "attn_cfg": {"num_heads": [2, 2], "rotary_emb_dim": [16, 16], "window_size": [1023, -1]},
    }));
    let mut model = LdarNet::new(&config.unwrap(), &mut Fresh::new(3)).unwrap();
    let sequences = [[0_u8, 1, 2, 3, 0, 2, 1, 3, 3, 1]; 2];
    let logits = |model: &LdarNet| {
        let before = cuda::launches();
        let logits = model.forward(&sequences).unwrap().logits;
        (logits.to_vec2::<f32>().unwrap(), cuda::launches() - before)
    };
    cuda::emulated(cuda::Order::Ascending, || {
        // Parameters are packed in every pass, then once.
        let (packed_anew, launches) = logits(&model);
        model.set_precision(Precision::F32).unwrap();
        assert_eq!(logits(&model), (packed_anew, launches));
        assert_eq!(launches, 136);
    });
}
