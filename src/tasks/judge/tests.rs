use super::*;
use crate::genome::sequence::reverse_complement;
use crate::stats::rng::Rng;
use crate::tasks::{Dataset, folds};

fn random(n: usize, rng: &mut Rng) -> Vec<u8> {
    (0..n).map(|_| b"ACGT"[rng.below(4)]).collect()
}

fn dataset(sequences: Vec<Vec<u8>>, targets: Targets, prefix: &str) -> Dataset {
    Dataset {
        names: (0..sequences.len())
            .map(|i| format!("{prefix}{i}"))
            .collect(),
        sequences,
        targets,
    }
}

fn classes(labels: Vec<u32>) -> Targets {
    Targets::Classes {
        labels,
        names: vec!["no".into(), "yes".into()],
    }
}

/// 40 rows in two folds, 20 tested sequences: number 0 is a copy of row 0 and number 1 of the other
/// strand of row 1, both with the other class.
fn task() -> Task {
    let mut rng = Rng::new(4);
    let rows: Vec<Vec<u8>> = (0..40).map(|_| random(60, &mut rng)).collect();
    let mut tested: Vec<Vec<u8>> = (0..20).map(|_| random(60, &mut rng)).collect();
    tested[0] = rows[0].clone();
    tested[1] = reverse_complement(&rows[1]);
    let labels = (0..40).map(|i| i % 2).collect();
    let partitions = folds(40, 2, 1)
        .into_iter()
        .enumerate()
        .map(|(fold, (train, valid))| Partition {
            fold,
            seed: 1,
            train,
            valid,
        })
        .collect();
    let data = dataset(rows, classes(labels), "row");
    let test = dataset(
        tested,
        classes((0..20).map(|i| 1 - i % 2).collect()),
        "test",
    );
    Task {
        name: "toy".into(),
        data,
        test,
        partitions,
        notes: vec!["a note".into()],
    }
}

/// A model that errs on the given test sequences.
fn model(name: &str, task: &Task, wrong: &[usize]) -> Vec<Predictions> {
    let scores: Vec<Vec<f32>> = task
        .test
        .targets
        .labels()
        .iter()
        .enumerate()
        .map(|(i, label)| {
            let said = if wrong.contains(&i) {
                1 - label
            } else {
                *label
            };
            if said == 1 {
                vec![0.2, 0.8]
            } else {
                vec![0.7, 0.3]
            }
        })
        .collect();
    let one = |partition: &Partition| {
        let base = Predictions {
            model: name.into(),
            fold: partition.fold,
            seed: partition.seed,
            split: Split::Test,
            scores: scores.clone(),
            bases_per_second: 5.0,
        };
        let valid = Predictions {
            split: Split::Valid,
            scores: vec![vec![1.0, 0.0]; partition.valid.len()],
            ..base.clone()
        };
        [base, valid]
    };
    task.partitions.iter().flat_map(one).collect()
}

#[test]
fn a_judgement_by_hand() {
    let task = task();
    let mut all = model("good", &task, &[0]);
    all.extend(model("poor", &task, &[0, 2, 3, 4, 5, 6, 7]));
    let request = JudgeRequest {
        bootstraps: 200,
        permutations: 2000,
        seed: 1,
    };
    let found = judge(&task, &all, Vec::new(), &request).unwrap();

    let row = |model: &str, subset: &str, split: &str| {
        found
            .metrics
            .iter()
            .find(|r| r.model == model && r.subset == subset && r.split == split)
            .unwrap()
    };
    let good = row("good", "all", "test");
    assert_eq!(
        (good.n, good.accuracy, good.bases_per_second),
        (20, 0.95, 5.0)
    );
    assert!(good.mcc_low < good.mcc && good.mcc <= good.mcc_high && good.pearson_low.is_nan());
    let (without, valid) = (
        row("good", "without_duplicates", "test"),
        row("good", "all", "valid"),
    );
    assert_eq!(
        (
            without.n,
            without.accuracy,
            valid.n,
            valid.mcc,
            valid.mcc_low.is_nan()
        ),
        (18, 1.0, 20, 0.0, true)
    );
    let majority = row(MAJORITY, "all", "test");
    assert!(majority.mcc == 0.0 && majority.auroc == 0.5 && majority.mcc_low.is_nan());

    let fold = found
        .folds
        .iter()
        .find(|r| r.model == "good" && r.measure == "mcc" && r.subset == "all")
        .unwrap();
    assert!(
        (fold.n_folds, fold.sd, fold.n_clusters) == (2, 0.0, 20)
            && (fold.mean - good.mcc).abs() < 1e-12
            && fold.test_low < fold.mean
    );
    assert_eq!(found.folds.len(), 3 * 2 * OF_CLASSES.len());

    // Six sequences on which only one model is right: 2 of 2^6 exchanges are as extreme.
    let pair = found
        .comparisons
        .iter()
        .find(|r| r.measure == "accuracy" && r.subset == "all")
        .unwrap();
    assert_eq!(
        (
            pair.model.as_str(),
            pair.other.as_str(),
            pair.n_folds,
            pair.p_value
        ),
        ("good", "poor", 2, 2.0 / 64.0)
    );
    assert!((pair.difference - 0.3).abs() < 1e-12 && pair.ci_low > 0.0);
    let ranked = found
        .comparisons
        .iter()
        .find(|r| r.measure == "mcc" && r.subset == "all")
        .unwrap();
    assert!(
        ranked.p_value == 2.0 / 64.0 && ranked.p_floor == 2.0 / 64.0 && ranked.difference > 0.2
    );
    assert!(
        found
            .comparisons
            .iter()
            .all(|r| r.other != MAJORITY && r.model != MAJORITY)
    );

    let [copy, other_strand] = &found.duplicates[..] else {
        panic!("{:?}", found.duplicates)
    };
    assert_eq!(
        (
            copy.likeness.as_str(),
            copy.partner.as_str(),
            copy.split.as_str(),
            copy.n_other_label
        ),
        ("exact", "row0", "train", 1)
    );
    assert_eq!(
        (
            other_strand.likeness.as_str(),
            other_strand.sequence.as_str(),
            other_strand.partner_label.as_str()
        ),
        ("reverse_complement", "test1", "yes")
    );

    assert_eq!(found.predictions.len(), 3 * 2 * 20 * 2);
    let first = &found.predictions[0];
    assert_eq!(
        (
            first.sequence.as_str(),
            first.label.as_str(),
            first.class.as_str(),
            first.likeness.as_str()
        ),
        ("test0", "yes", "no", "exact")
    );
    assert_eq!(
        (
            found.facts.rows,
            found.facts.tested,
            found.facts.clusters,
            found.facts.class_rows.as_slice()
        ),
        (40, 20, 20, &[20, 20][..])
    );
}

#[test]
fn copies_of_rows_that_only_validate_are_told_apart() {
    let mut task = task();
    task.partitions = vec![Partition {
        fold: 0,
        seed: 1,
        train: (1..40).collect(),
        valid: vec![0],
    }];
    let found = judge(&task, &[], Vec::new(), &JudgeRequest::default()).unwrap();
    assert_eq!(
        found
            .duplicates
            .iter()
            .map(|row| row.split.as_str())
            .collect::<Vec<_>>(),
        ["valid", "train"]
    );
}

#[test]
fn values_are_judged_by_correlation() {
    let mut task = task();
    let values = |n: usize| Targets::Values((0..n).map(|i| i as f64).collect());
    (task.data.targets, task.test.targets) = (values(40), values(20));
    let scores = (0..20)
        .map(|i| vec![i as f32 + if i % 3 == 0 { 2.0 } else { 0.0 }])
        .collect();
    let one = Predictions {
        model: "m".into(),
        fold: 0,
        seed: 1,
        split: Split::Test,
        scores,
        bases_per_second: f64::NAN,
    };
    let found = judge(
        &task,
        &[one],
        Vec::new(),
        &JudgeRequest {
            bootstraps: 200,
            ..JudgeRequest::default()
        },
    )
    .unwrap();
    let row = found
        .metrics
        .iter()
        .find(|row| row.model == "m" && row.subset == "all")
        .unwrap();
    assert!(
        row.mcc.is_nan()
            && row.mcc_low.is_nan()
            && row.pearson_low < row.pearson
            && row.mse > 0.0
            && row.loss == row.mse
    );
    assert_eq!(found.predictions[0].class, "");
    assert_eq!(found.predictions[0].label, "0");
}

#[test]
fn predictions_of_another_task_are_refused() {
    let task = task();
    let good = &model("m", &task, &[])[0];
    for wrong in [
        Predictions {
            fold: 7,
            ..good.clone()
        },
        Predictions {
            scores: good.scores[1..].to_vec(),
            ..good.clone()
        },
        Predictions {
            scores: vec![vec![1.0]; 20],
            ..good.clone()
        },
        Predictions {
            split: Split::Valid,
            scores: vec![vec![1.0, 0.0]; 19],
            ..good.clone()
        },
    ] {
        assert!(
            judge(&task, &[wrong], Vec::new(), &JudgeRequest::default())
                .unwrap_err()
                .to_string()
                .contains("are not of task toy")
        );
    }
}
