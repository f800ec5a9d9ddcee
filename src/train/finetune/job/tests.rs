use super::*;
use crate::model::head::Pooling;
use crate::tasks::Dataset;
use crate::train::finetune::protocol::Schedule;

/// Sequences with TATAAA in the middle, and without, of unlike lengths; every third row is tested.
fn task(values: bool) -> Task {
    let mut rng = Rng::new(4);
    let rows: Vec<(Vec<u8>, u32)> = (0..60)
        .map(|i| {
            let mut letters: Vec<u8> = (0..24 + rng.below(30))
                .map(|_| b"CG"[rng.below(2)])
                .collect();
            if i % 2 == 1 {
                letters[8..20].copy_from_slice(b"TATAAATATAAA");
            }
            (letters, i % 2)
        })
        .collect();
    let part = |tested: bool| {
        let rows: Vec<_> = rows
            .iter()
            .enumerate()
            .filter(|(i, _)| (i % 3 == 0) == tested)
            .map(|(_, row)| row.clone())
            .collect();
        let labels: Vec<u32> = rows.iter().map(|row| row.1).collect();
        let targets = match values {
            false => Targets::Classes {
                labels,
                names: vec!["no".into(), "yes".into()],
            },
            true => Targets::Values(
                labels
                    .iter()
                    .map(|&label| 100.0 + 10.0 * f64::from(label))
                    .collect(),
            ),
        };
        Dataset {
            names: vec![String::new(); rows.len()],
            sequences: rows.into_iter().map(|row| row.0).collect(),
            targets,
        }
    };
    let partition = Partition {
        fold: 1,
        seed: 9,
        train: (0..30).collect(),
        valid: (30..40).collect(),
    };
    Task {
        name: "tata".into(),
        data: part(false),
        test: part(true),
        partitions: vec![partition],
        notes: Vec::new(),
    }
}

fn nano() -> Start {
    Start::Checkpoint(
        Checkpoint::open(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/nano.pt")).unwrap(),
    )
}

fn protocol() -> Protocol {
    Protocol {
        rate: 2e-3,
        epochs: 5,
        batch: 7,
        at_once: 150,
        schedule: Schedule::Plateau,
        ..Protocol::ldarnet()
    }
}

fn run(
    (task, start, protocol): (&Task, &Start, &Protocol),
    folder: &Path,
    told: &mut dyn FnMut(Told) -> Result<()>,
) -> Result<Outcome> {
    let job = Job {
        task,
        partition: &task.partitions[0],
        start,
        protocol,
        model: "ldarnet",
        about: "this",
        folder,
        device: &Device::Cpu,
        precision: Precision::F32,
    };
    job.run(&mut SequenceReader::new(task), told)
}

/// An error in place of a kill, at the `n`-th epoch or in the middle of the next.
fn killed(n: u64, within: bool) -> impl FnMut(Told) -> Result<()> {
    let mut epochs = 0;
    move |told| {
        epochs += u64::from(matches!(told, Told::Epoch(_)));
        let now = epochs == n && (within == matches!(told, Told::Bases(_)));
        if now {
            Err(Error::Invalid("killed".into()))
        } else {
            Ok(())
        }
    }
}

fn bytes(folder: &Path) -> Vec<u8> {
    std::fs::read(folder.join("ldarnet-fold-1-seed-9.safetensors")).unwrap()
}

#[test]
fn a_training_that_was_killed_ends_on_the_same_bits() {
    let temp = tempfile::tempdir().unwrap();
    let (task, start) = (task(false), nano());
    for (name, protocol) in [
        ("all", protocol()),
        (
            "both",
            Protocol {
                both_strands: true,
                pooling: Pooling::Max,
                ..protocol()
            },
        ),
        (
            "last",
            Protocol {
                trained: Trained::LastBlocks(1),
                recompute: true,
                ..protocol()
            },
        ),
        (
            "probe",
            Protocol {
                trained: Trained::Head,
                both_strands: true,
                rate: 0.02,
                ..protocol()
            },
        ),
    ] {
        let (whole, parts) = (
            temp.path().join(name),
            temp.path().join(format!("{name}-parts")),
        );
        let outcome = run((&task, &start, &protocol), &whole, &mut |_| Ok(())).unwrap();
        for (epoch, within) in [(2, false), (1, true), (1, false)] {
            assert!(
                run(
                    (&task, &start, &protocol),
                    &parts,
                    &mut killed(epoch, within)
                )
                .is_err()
            );
        }
        let again = run((&task, &start, &protocol), &parts, &mut |_| Ok(())).unwrap();
        assert!(bytes(&whole) == bytes(&parts), "{name}: other weights");
        let scores = |outcome: &Outcome| {
            outcome
                .predictions
                .iter()
                .map(|p| p.scores.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(scores(&outcome), scores(&again));
        let told = |outcome: &Outcome| {
            outcome
                .epochs
                .iter()
                .map(|e| (e.epoch, e.rate, e.train_loss, e.valid_loss, e.best))
                .collect::<Vec<_>>()
        };
        assert_eq!(told(&outcome), told(&again));
        assert_eq!(outcome.epochs.iter().filter(|epoch| epoch.best).count(), 1);
        // Done once: nothing is trained again, and what something else decided is not taken.
        assert_eq!(
            scores(
                &run((&task, &start, &protocol), &parts, &mut |_| panic!(
                    "trained again"
                ))
                .unwrap()
            ),
            scores(&again)
        );
        let names: Vec<_> = std::fs::read_dir(&parts)
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        assert_eq!(names.len(), 2, "{names:?}");
        // Only what was to be trained is another.
        let Start::Checkpoint(from) = &start else {
            panic!()
        };
        let tuned = Checkpoint::open(whole.join("ldarnet-fold-1-seed-9.safetensors")).unwrap();
        let changed = from.tensors.iter().filter(|(name, t)| {
            t.flatten_all().unwrap().to_vec1::<f32>().unwrap()
                != tuned.tensors[*name]
                    .flatten_all()
                    .unwrap()
                    .to_vec1::<f32>()
                    .unwrap()
        });
        let changed: Vec<&String> = changed.map(|(name, _)| name).collect();
        match protocol.trained {
            Trained::Head => assert!(changed.is_empty() && outcome.moved.is_none()),
            Trained::LastBlocks(_) => assert!(
                !changed.is_empty()
                    && changed
                        .iter()
                        .all(|name| name.starts_with("backbone.decoder."))
            ),
            Trained::All => assert!(changed.len() > 50 && outcome.moved.is_some()),
        }
    }
}

#[test]
fn learns_a_motif_and_predicts_from_the_file() {
    let temp = tempfile::tempdir().unwrap();
    for values in [false, true] {
        let (task, start) = (task(values), nano());
        let folder = temp.path().join(values.to_string());
        let outcome = run(
            (
                &task,
                &start,
                &Protocol {
                    epochs: 12,
                    ..protocol()
                },
            ),
            &folder,
            &mut |_| Ok(()),
        )
        .unwrap();
        let tested = &outcome.predictions[1];
        let found = measure(&tested.scores, &task.test.targets);
        assert!(found.score() > 0.9, "{found:?} {:?}", outcome.epochs);
        let checkpoint =
            Checkpoint::open(folder.join("ldarnet-fold-1-seed-9.safetensors")).unwrap();
        let tuned = FineTuned::of(&checkpoint, &Device::Cpu).unwrap();
        let tokens: Vec<Vec<u8>> = task
            .test
            .sequences
            .iter()
            .map(|s| crate::model::tokenizer::encode(s))
            .collect();
        let again = tuned
            .scores(
                &tokens.iter().map(Vec::as_slice).collect::<Vec<_>>(),
                150,
                &mut |_| Ok(()),
            )
            .unwrap();
        assert_eq!(again, tested.scores);
        // Weights that fit another model's file, started from it: the head is made anew.
        assert!(
            Start::Checkpoint(checkpoint)
                .tensors(&tuned.readout, 1)
                .is_ok()
        );
    }
}

#[test]
fn random_weights_follow_the_seed() {
    let Start::Checkpoint(nano) = nano() else {
        panic!()
    };
    let start = Start::Random(nano.config.clone());
    let readout = Readout {
        pooling: Pooling::Mean,
        both_strands: false,
        answer: Answer::Classes(vec!["a".into(), "b".into()]),
    };
    let sum = |seed| {
        let tensors = start.tensors(&readout, seed).unwrap();
        tensors["backbone.encoder.layers.0.mixer.fwd.in_proj.weight"]
            .sum_all()
            .unwrap()
            .to_scalar::<f32>()
            .unwrap()
    };
    assert!(sum(1) == sum(1) && sum(1) != sum(2));
}
