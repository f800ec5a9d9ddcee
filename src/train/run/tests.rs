use super::*;
use std::cell::Cell;

/// A tiny model on a repetitive sequence that can be learned in a few steps.
fn recipe(folder: &Path, steps: u64) -> Recipe {
    let fasta = folder.join("tiny.fa");
    let unit = "ACGTTGCAGGATCCTTAACG";
    std::fs::write(&fasta, format!(">tiny\n{}\n", unit.repeat(100))).unwrap();
    let text = format!(
        r#"
        seed = 5
        [model]
        arch_layout = ["m1", ["M1"], "m1"]
        d_model = [32, 64]
        d_intermediate = [0, 128]
        ssm_cfg = {{ d_state = 16, d_conv = 4, expand = 2 }}
        [data]
        fasta = ["{}"]
        length = 64
        reverse_complement = 0.5
        holdout = [0.4, 0.6]
        test = [0.45, 0.55]
        [masking]
        fraction = 0.15
        mask = 0.8
        random = 0.1
        [optimizer]
        alpha = 0.03
        compression = [4.0]
        lr = 2e-3
        betas = [0.9, 0.95]
        eps = 1e-8
        weight_decay = 0.01
        max_grad_norm = 1.0
        schedule = {{ warmup = 0.1, decay = 0.2, floor = 0.05 }}
        [run]
        steps = {steps}
        batch = 4
        micro_batch = 2
        log_every = 2
        validate_every = 8
        validation_windows = 4
        checkpoint_every = 5
        "#,
        fasta.display()
    );
    let path = folder.join("recipe.toml");
    std::fs::write(&path, text).unwrap();
    Recipe::open(&path).unwrap()
}

#[test]
fn a_resumed_run_ends_on_the_same_bits() {
    let temp = tempfile::tempdir().unwrap();
    let recipe = recipe(temp.path(), 12);
    let (whole, parts) = (temp.path().join("whole"), temp.path().join("parts"));
    let mut rows = Vec::new();
    let ending = Run::open(recipe.clone(), &whole, false, &Device::Cpu, Precision::F32)
        .unwrap()
        .train(&|| false, &mut |m| rows.push(m.clone()))
        .unwrap();
    assert_eq!(ending, Ending::Finished);
    assert_eq!(rows.iter().map(|m| m.step).collect::<Vec<_>>(), [2, 4, 6, 8, 10, 12]);
    assert!(rows[3].validation.is_some() && rows[5].validation.is_some());

    // Stopped in the middle, then killed after two steps past a checkpoint (step 10), then to the end.
    let polls = Cell::new(0);
    let stop_after = |n: u64| {
        polls.set(0);
        let polls = &polls;
        move || {
            polls.set(polls.get() + 1);
            polls.get() > n
        }
    };
    let ending =
        Run::open(recipe.clone(), &parts, false, &Device::Cpu, Precision::F32).unwrap().train(&stop_after(7), &mut |_| ()).unwrap();
    assert_eq!(ending, Ending::Stopped(7));
    let mut killed = Run::open(recipe.clone(), &parts, true, &Device::Cpu, Precision::F32).unwrap();
    assert_eq!(killed.step(), 7);
    for _ in 0..2 {
        killed.one_step(&mut Metrics::default()).unwrap();
    }
    drop(killed);
    let mut resumed = Run::open(recipe.clone(), &parts, true, &Device::Cpu, Precision::F32).unwrap();
    assert_eq!(resumed.step(), 7);
    assert_eq!(resumed.train(&|| false, &mut |_| ()).unwrap(), Ending::Finished);
    let bytes = |folder: &Path| std::fs::read(folder.join("model.safetensors")).unwrap();
    assert!(bytes(&whole) == bytes(&parts), "a resumed run ends on other bits");
    let metrics = std::fs::read_to_string(parts.join("metrics.tsv")).unwrap();
    let steps: Vec<&str> = metrics.lines().skip(1).map(|l| l.split('\t').next().unwrap()).collect();
    assert!(steps.windows(2).all(|w| w[0].parse::<u64>().unwrap() < w[1].parse::<u64>().unwrap()), "{steps:?}");

    assert!(Run::open(recipe.clone(), &parts, false, &Device::Cpu, Precision::F32).err().unwrap().to_string().contains("--resume"));
    let mut other = recipe.clone();
    other.optimizer.lr = 1e-4;
    assert!(Run::open(other, &parts, true, &Device::Cpu, Precision::F32).err().unwrap().to_string().contains("another recipe"));
    assert!(
        Run::open(recipe, &temp.path().join("nothing"), true, &Device::Cpu, Precision::F32)
            .err()
            .unwrap()
            .to_string()
            .contains("training.safetensors")
    );
}

#[test]
fn learns_a_repeat() {
    let temp = tempfile::tempdir().unwrap();
    let mut rows = Vec::new();
    let mut run = Run::open(recipe(temp.path(), 120), &temp.path().join("run"), false, &Device::Cpu, Precision::F32).unwrap();
    run.train(&|| false, &mut |m| rows.push(m.clone())).unwrap();
    let last = rows.last().unwrap().validation.unwrap();
    assert!(rows[0].mlm > 1.2 && last.0 < 0.9, "from {} to {}", rows[0].mlm, last.0);
}
