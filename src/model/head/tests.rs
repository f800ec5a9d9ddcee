use super::*;
use crate::model::fresh::Fresh;

fn tuned(readout: Readout) -> (Checkpoint, FineTuned) {
    let mut checkpoint =
        Checkpoint::open(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/nano.pt")).unwrap();
    let mut fresh = Fresh::new(3);
    FineTuned::new(&checkpoint.config, readout.clone(), &mut fresh).unwrap();
    checkpoint.tensors.extend(
        fresh
            .tensors
            .into_iter()
            .filter(|(name, _)| TENSORS.contains(&name.as_str())),
    );
    checkpoint
        .notes
        .insert(NOTE.into(), serde_json::to_string(&readout).unwrap());
    let tuned = FineTuned::of(&checkpoint, &Device::Cpu).unwrap();
    (checkpoint, tuned)
}

fn classes(pooling: Pooling, both_strands: bool) -> Readout {
    Readout {
        pooling,
        both_strands,
        answer: Answer::Classes(["a", "b", "c"].map(String::from).to_vec()),
    }
}

const SEQUENCES: [&[u8]; 4] = [
    &[0, 1, 2, 3, 3, 1, 0, 2, 4, 1],
    &[2],
    &[3, 3, 3, 0, 1, 2, 0],
    &[1; 90],
];

#[test]
fn a_score_is_of_its_sequence_alone() {
    for pooling in [Pooling::Mean, Pooling::Max, Pooling::First] {
        let (_, tuned) = tuned(classes(pooling, false));
        let alone: Vec<Vec<f32>> = SEQUENCES
            .iter()
            .map(|s| tuned.scores(&[s], 1, &mut |_| Ok(())).unwrap().remove(0))
            .collect();
        for at_once in [1, 12, 1000] {
            let mut bases = 0;
            let together = tuned
                .scores(&SEQUENCES, at_once, &mut |n| {
                    bases += n;
                    Ok(())
                })
                .unwrap();
            assert_eq!(bases, 108);
            for (a, b) in alone.iter().zip(&together) {
                assert!(
                    a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5),
                    "{pooling:?}: {a:?} {b:?}"
                );
                assert!((b.iter().sum::<f32>() - 1.0).abs() < 1e-6);
            }
        }
        assert!(alone[0] != alone[2]);
    }
}

#[test]
fn both_strands_give_one_score() {
    let (_, tuned) = tuned(classes(Pooling::Mean, true));
    let turned: Vec<Vec<u8>> = SEQUENCES.iter().map(|s| reverse_complement(s)).collect();
    let turned: Vec<&[u8]> = turned.iter().map(Vec::as_slice).collect();
    assert_eq!(
        tuned.scores(&SEQUENCES, 50, &mut |_| Ok(())).unwrap(),
        tuned.scores(&turned, 50, &mut |_| Ok(())).unwrap()
    );
}

#[test]
fn a_file_keeps_the_head_and_stays_a_model() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tuned.safetensors");
    let (checkpoint, tuned) = tuned(Readout {
        pooling: Pooling::Max,
        both_strands: true,
        answer: Answer::Value { mean: 2.5, sd: 0.5 },
    });
    checkpoint.save(&path).unwrap();
    let back = Checkpoint::open(&path).unwrap();
    let again = FineTuned::of(&back, &Device::Cpu).unwrap();
    assert_eq!(again.readout, tuned.readout);
    assert_eq!(
        again.scores(&SEQUENCES, 50, &mut |_| Ok(())).unwrap(),
        tuned.scores(&SEQUENCES, 50, &mut |_| Ok(())).unwrap()
    );
    assert!(back.model().is_ok());
    assert_eq!(tuned.readout.answer.scores(&[-1.0]), [2.0]);
    // A head that nobody describes has no place, and a model without one has no scores.
    let mut bare = Checkpoint::open(&path).unwrap();
    bare.notes.remove(NOTE);
    bare.save(&path).unwrap();
    assert!(
        Checkpoint::open(&path)
            .err()
            .unwrap()
            .to_string()
            .contains("head.bias has no place")
    );
    assert!(
        FineTuned::of(&bare, &Device::Cpu)
            .err()
            .unwrap()
            .to_string()
            .contains("finetune")
    );
}

#[test]
fn parts_are_no_longer_than_asked() {
    let sequences = [5, 5, 1, 20, 3].map(|n| vec![0; n]);
    assert_eq!(parts(&sequences, 10), [0..2, 2..3, 3..4, 4..5]);
    assert_eq!(parts(&sequences, 1), [0..1, 1..2, 2..3, 3..4, 4..5]);
    assert_eq!(parts(&sequences, 100).pop(), Some(0..5));
    assert!(parts(&[[0; 0]; 0], 10).is_empty());
}
