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
fn threads_change_no_bit() {
    let temp = tempfile::tempdir().unwrap();
    let recipe = recipe(temp.path(), 6);
    let run = |threads: usize| {
        let folder = temp.path().join(threads.to_string());
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let (cpu, f32) = (Device::Cpu, Precision::F32);
            let mut run = Run::open(recipe.clone(), &folder, false, &cpu, f32).unwrap();
            assert_eq!(run.beside, threads.min(2), "two micro-batches a step");
            run.train(&|| false, &mut |_| ()).unwrap();
        });
        std::fs::read(folder.join("model.safetensors")).unwrap()
    };
    let one = run(1);
    assert!(run(2) == one && run(3) == one);
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
    assert_eq!(
        rows.iter().map(|m| m.step).collect::<Vec<_>>(),
        [2, 4, 6, 8, 10, 12]
    );
    assert!(rows[3].validation.is_some() && rows[5].validation.is_some());

    // Stopped in the middle, then killed after two steps past a checkpoint (step 10), then to the
    // end.
    let polls = Cell::new(0);
    let stop_after = |n: u64| {
        polls.set(0);
        let polls = &polls;
        move || {
            polls.set(polls.get() + 1);
            polls.get() > n
        }
    };
    let ending = Run::open(recipe.clone(), &parts, false, &Device::Cpu, Precision::F32)
        .unwrap()
        .train(&stop_after(7), &mut |_| ())
        .unwrap();
    assert_eq!(ending, Ending::Stopped(7));
    let mut killed = Run::open(recipe.clone(), &parts, true, &Device::Cpu, Precision::F32).unwrap();
    assert_eq!(killed.step(), 7);
    for _ in 0..2 {
        killed.one_step().unwrap();
    }
    drop(killed);
    let mut resumed =
        Run::open(recipe.clone(), &parts, true, &Device::Cpu, Precision::F32).unwrap();
    assert_eq!(resumed.step(), 7);
    assert_eq!(
        resumed.train(&|| false, &mut |_| ()).unwrap(),
        Ending::Finished
    );
    let bytes = |folder: &Path| std::fs::read(folder.join("model.safetensors")).unwrap();
    assert!(
        bytes(&whole) == bytes(&parts),
        "a resumed run ends on other bits"
    );
    // So does the table, but for the speed, though step 7 lies between two rows.
    let rows = |folder: &Path| {
        let table = std::fs::read_to_string(folder.join("metrics.tsv")).unwrap();
        table
            .lines()
            .map(|line| line.rsplit_once('\t').unwrap().0.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(rows(&whole), rows(&parts));

    assert!(
        Run::open(recipe.clone(), &parts, false, &Device::Cpu, Precision::F32)
            .err()
            .unwrap()
            .to_string()
            .contains("--resume")
    );
    let mut other = recipe.clone();
    other.optimizer.lr = 1e-4;
    let message = Run::open(other, &parts, true, &Device::Cpu, Precision::F32)
        .err()
        .unwrap()
        .to_string();
    assert!(
        message.contains("another recipe (lr = 0.002; here lr = 0.0001)")
            && message.contains("training.safetensors"),
        "{message}"
    );
    assert!(
        Run::open(
            recipe,
            &temp.path().join("nothing"),
            true,
            &Device::Cpu,
            Precision::F32
        )
        .err()
        .unwrap()
        .to_string()
        .contains("training.safetensors")
    );
}

#[test]
fn a_run_by_another_router_says_so_and_leaves_the_router_alone() {
    let temp = tempfile::tempdir().unwrap();
    let mut recipe = recipe(temp.path(), 6);
    recipe.route("random:3".parse().unwrap()).unwrap();
    recipe.optimizer.weight_decay = 0.5;
    let mut rows = Vec::new();
    for name in ["one", "other"] {
        open(&recipe, &temp.path().join(name), false)
            .unwrap()
            .train(&|| false, &mut |m| rows.push(m.clone()))
            .unwrap();
    }
    let [one, other] = ["one", "other"].map(|name| temp.path().join(name).join(MODEL));
    assert!(
        std::fs::read(&one).unwrap() == std::fs::read(other).unwrap(),
        "the same seed gives other bits"
    );
    assert!(
        rows.iter()
            .all(|m| m.ratio == 0.0 && m.flops_per_base > 1e5)
            && (2.0..4.0).contains(&rows[0].compression),
        "{rows:?}"
    );
    let checkpoint = Checkpoint::open(&one).unwrap();
    assert_eq!(
        (
            checkpoint.config.routing.to_string(),
            checkpoint.model().unwrap().config().routing
        ),
        ("random:3".into(), checkpoint.config.routing)
    );
    // As it was made, the identity; everything else moved.
    let mut fresh = Fresh::new(recipe.seed);
    LdarNet::new(&checkpoint.config, &mut fresh).unwrap();
    for (name, tensor) in &checkpoint.tensors {
        let off = (tensor - &fresh.tensors[name])
            .unwrap()
            .abs()
            .unwrap()
            .max_all()
            .unwrap()
            .to_scalar::<f32>()
            .unwrap();
        assert_eq!(off == 0.0, name.contains("routing_module"), "{name}: {off}");
    }
    // What was trained by one router goes on by it alone.
    recipe.route("none".parse().unwrap()).unwrap();
    let message = open(&recipe, &temp.path().join("one"), true)
        .err()
        .unwrap()
        .to_string();
    assert!(message.contains("router"), "{message}");
}

#[test]
fn learns_a_repeat() {
    let temp = tempfile::tempdir().unwrap();
    let mut rows = Vec::new();
    let mut run = Run::open(
        recipe(temp.path(), 120),
        &temp.path().join("run"),
        false,
        &Device::Cpu,
        Precision::F32,
    )
    .unwrap();
    run.train(&|| false, &mut |m| rows.push(m.clone())).unwrap();
    let last = rows.last().unwrap().validation.unwrap();
    assert!(
        rows[0].mlm > 1.2 && last.0 < 0.9,
        "from {} to {}",
        rows[0].mlm,
        last.0
    );
}

fn open(recipe: &Recipe, folder: &Path, resume: bool) -> Result<Run> {
    Run::open(recipe.clone(), folder, resume, &Device::Cpu, Precision::F32)
}

#[test]
fn what_does_not_change_the_past_may_change() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join("run");
    let mut recipe = recipe(temp.path(), 10);
    let mut run = open(&recipe, &folder, false).unwrap();
    assert_eq!(run.lengthened(), None);
    let polls = Cell::new(0);
    let stop = || {
        polls.set(polls.get() + 1);
        polls.get() > 4
    };
    assert_eq!(run.train(&stop, &mut |_| ()).unwrap(), Ending::Stopped(4));
    let run = &mut recipe.run;
    (
        run.log_every,
        run.validate_every,
        run.validation_windows,
        run.checkpoint_every,
        run.recompute,
    ) = (3, 5, 2, 4, true);
    assert_eq!(open(&recipe, &folder, true).unwrap().lengthened(), None);
    recipe.run.steps = 20;
    let mut longer = open(&recipe, &folder, true).unwrap();
    // Step 5 of 10 and of 20 are both on the plateau.
    assert_eq!(
        longer.lengthened(),
        Some(Lengthened {
            from: 10,
            lr_before: 2e-3,
            lr: 2e-3
        })
    );
    assert_eq!(
        longer.train(&|| false, &mut |_| ()).unwrap(),
        Ending::Finished
    );
    assert_eq!(
        notes(&folder.join(MODEL)).unwrap()["schedules"],
        "0:10 4:20"
    );
    // A finished run goes on from where its learning rate had decayed.
    recipe.run.steps = 22;
    let Lengthened {
        from,
        lr_before,
        lr,
    } = open(&recipe, &folder, true).unwrap().lengthened().unwrap();
    assert!(
        from == 20 && lr_before < 1.1e-4 && lr > lr_before,
        "{lr_before} {lr}"
    );
    recipe.run.steps = 9;
    assert!(
        open(&recipe, &folder, true)
            .err()
            .unwrap()
            .to_string()
            .contains("started for 20 steps")
    );
    recipe.run.steps = 20;
    recipe.run.batch = 2;
    assert!(
        open(&recipe, &folder, true)
            .err()
            .unwrap()
            .to_string()
            .contains("(batch = 4; here batch = 2)")
    );
}

#[test]
fn files_of_others_are_left_alone() {
    let temp = tempfile::tempdir().unwrap();
    let recipe = recipe(temp.path(), 2);
    let at = |name: &str| temp.path().join("run").join(name);
    std::fs::create_dir(temp.path().join("run")).unwrap();
    let theirs = |resume: bool, name: &str| {
        let message = open(&recipe, &temp.path().join("run"), resume)
            .err()
            .unwrap()
            .to_string();
        assert!(message.contains(name), "{message}");
    };
    for name in [MODEL, METRICS] {
        std::fs::write(at(name), "years of work").unwrap();
        theirs(false, name);
        assert_eq!(std::fs::read(at(name)).unwrap(), b"years of work");
        std::fs::remove_file(at(name)).unwrap();
    }
    open(&recipe, &temp.path().join("run"), false)
        .unwrap()
        .train(&|| false, &mut |_| ())
        .unwrap();
    for name in [MODEL, METRICS, STATE] {
        let ours = std::fs::read(at(name)).unwrap();
        std::fs::write(at(name), "years of work").unwrap();
        theirs(true, name);
        std::fs::write(at(name), ours).unwrap();
    }
    open(&recipe, &temp.path().join("run"), true).unwrap();
    // The model stays also where what is needed to go on was removed.
    std::fs::remove_file(at(STATE)).unwrap();
    theirs(false, MODEL);
}

#[test]
fn a_damaged_state_is_named() {
    let temp = tempfile::tempdir().unwrap();
    let (recipe, folder) = (recipe(temp.path(), 2), temp.path().join("run"));
    open(&recipe, &folder, false)
        .unwrap()
        .train(&|| false, &mut |_| ())
        .unwrap();
    let (tensors, notes) = load_tensors(&folder.join(STATE)).unwrap();
    let refused =
        |tensors: &BTreeMap<String, Tensor>, notes: BTreeMap<String, String>, part: &str| {
            save_tensors(&folder.join(STATE), tensors, notes).unwrap();
            let message = open(&recipe, &folder, true).err().unwrap().to_string();
            assert!(
                message.contains("training.safetensors: ") && message.contains(part),
                "{message}"
            );
        };
    for name in ["w.embeddings.weight", "m.embeddings.weight"] {
        let mut some = tensors.clone();
        some.remove(name).unwrap();
        refused(&some, notes.clone(), "embeddings.weight");
    }
    for name in ["since", "schedules"] {
        let mut some = notes.clone();
        some.remove(name).unwrap();
        refused(&tensors, some.clone(), name);
        some.insert(name.into(), "x".into());
        refused(&tensors, some, name);
    }
}

#[test]
fn absurd_sizes_are_refused_before_memory_is_asked_for() {
    let temp = tempfile::tempdir().unwrap();
    let sound = recipe(temp.path(), 2);
    let needed = sound
        .least_memory_bytes(&sound.config().unwrap(), true)
        .unwrap();
    assert!((100_000..100_000_000).contains(&needed), "{needed}");
    let refused = |recipe: &Recipe| {
        let message = open(recipe, &temp.path().join("run"), false)
            .err()
            .unwrap()
            .to_string();
        assert!(message.contains("GB of memory at least"), "{message}");
    };
    let mut wide = sound.clone();
    let mut json = serde_json::to_value(&sound.model).unwrap();
    json["d_model"] = serde_json::json!([1 << 18, 1 << 20]);
    wide.model = crate::train::recipe::ModelRecipe::Written(json);
    refused(&wide);
    let mut long = sound.clone();
    (long.data.length, long.run.batch, long.run.micro_batch) = (1 << 26, 1 << 20, 1 << 20);
    refused(&long);
}

#[test]
fn a_loss_without_masked_positions_is_no_number() {
    let temp = tempfile::tempdir().unwrap();
    let mut recipe = recipe(temp.path(), 2);
    recipe.masking.fraction = 1e-12;
    let run = open(&recipe, &temp.path().join("run"), false).unwrap();
    let windows = run.corpus.holdout_windows(2);
    let measured = masked_loss(
        &run.model,
        &windows,
        &recipe,
        &mut Rng::new(1),
        &Ranks::alone(),
    )
    .unwrap();
    assert!(measured.0.is_nan() && measured.1 >= 1.0);
    let line = Metrics {
        validation: Some(measured),
        ..Metrics::default()
    }
    .line();
    assert_eq!(line.split('\t').nth(7), Some(""));
    let mut report = |_, _| ();
    let message = crate::train::evaluate::evaluate(&run.model, &recipe, &run.corpus, &mut report)
        .err()
        .unwrap()
        .to_string();
    assert!(message.contains("was masked"), "{message}");
}
