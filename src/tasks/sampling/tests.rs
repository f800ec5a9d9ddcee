use super::*;
use crate::tasks::metrics::measure;

fn classes(labels: &[u32]) -> Targets {
    Targets::Classes {
        labels: labels.to_vec(),
        names: vec!["0".into(), "1".into()],
    }
}

fn scores(predicted: &[u32]) -> Vec<Vec<f32>> {
    predicted
        .iter()
        .map(|class| {
            if *class == 0 {
                vec![0.9, 0.1]
            } else {
                vec![0.1, 0.9]
            }
        })
        .collect()
}

/// Labels, and predictions of which a share is right.
fn sample(n: usize, right: f64, rng: &mut Rng) -> (Vec<u32>, Vec<u32>) {
    let labels: Vec<u32> = (0..n).map(|_| rng.below(2) as u32).collect();
    let predicted = labels
        .iter()
        .map(|label| {
            if rng.uniform() < right {
                *label
            } else {
                1 - label
            }
        })
        .collect();
    (labels, predicted)
}

#[test]
fn the_score_is_the_mean_over_trainings() {
    let targets = classes(&[0, 1, 1, 0, 1, 0]);
    let (a, b) = (scores(&[0, 1, 1, 1, 1, 0]), scores(&[0, 0, 1, 1, 1, 0]));
    let answers = Answers::new(&targets, &[0, 1, 2, 3, 4, 5], &[&a, &b]);
    assert!(
        (answers.score() - (measure(&a, &targets).mcc + measure(&b, &targets).mcc) / 2.0).abs()
            < 1e-12
    );
    let values = Targets::Values(vec![0.2, 0.3, 0.5, 0.9]);
    let given: Vec<Vec<f32>> = [0.1, 0.4, 0.35, 0.8].map(|v| vec![v]).to_vec();
    let answers = Answers::new(&values, &[0, 1, 2, 3], &[&given]);
    assert!((answers.score() - measure(&given, &values).pearson).abs() < 1e-12);
}

// Where labels are balanced and errors even, MCC = 2 accuracy - 1, whose standard error is 2 sqrt(a
// (1 - a) / n).
#[test]
fn intervals_are_as_wide_as_theory_says_and_clusters_widen_them() {
    let mut rng = Rng::new(1);
    let (labels, predicted) = sample(2000, 0.8, &mut rng);
    let (targets, found) = (classes(&labels), scores(&predicted));
    let width = |clusters: &[usize]| {
        let (low, high) = Answers::new(&targets, clusters, &[&found]).interval(2000, 3);
        high - low
    };
    let alone: Vec<usize> = (0..2000).collect();
    let theory = 2.0 * 1.96 * 2.0 * (0.8 * 0.2 / 2000.0f64).sqrt();
    assert!(
        (width(&alone) / theory - 1.0).abs() < 0.1,
        "{} {theory}",
        width(&alone)
    );
    // Every sequence four times: a quarter of the evidence.
    let four = |all: &[u32]| -> Vec<u32> { all[..500].iter().flat_map(|v| [*v; 4]).collect() };
    let (targets, found) = (classes(&four(&labels)), scores(&four(&predicted)));
    let clusters: Vec<usize> = (0..2000).map(|i| i / 4).collect();
    let (low, high) = Answers::new(&targets, &clusters, &[&found]).interval(2000, 3);
    assert!(
        ((high - low) / (2.0 * theory) - 1.0).abs() < 0.15,
        "{} {theory}",
        high - low
    );
}

// McNemar's exact test is the exchange test of accuracies: of 2^10 exchanges of ten sequences that
// only one model gets right ... scipy.stats.binomtest(1, 10).pvalue -> 0.021484375 (1 against 9)
#[test]
fn the_exchange_of_sequences_is_mcnemars_test() {
    let labels: Vec<u32> = (0..40).map(|i| i % 2).collect();
    let wrong = |which: &[usize]| -> Vec<Vec<f32>> {
        scores(
            &labels
                .iter()
                .enumerate()
                .map(|(i, l)| if which.contains(&i) { 1 - l } else { *l })
                .collect::<Vec<_>>(),
        )
    };
    let (targets, clusters): (_, Vec<usize>) = (classes(&labels), (0..40).collect());
    // Errors of both kinds alike, so that MCC moves with accuracy.
    let (a, b) = (
        wrong(&[0, 1, 20]),
        wrong(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
    );
    let (a, b) = (
        Answers::new(&targets, &clusters, &[&a]),
        Answers::new(&targets, &clusters, &[&b]),
    );
    let found = a.against(&b, 500, 2000, 1);
    assert!(
        (found.value - (a.score() - b.score())).abs() < 1e-12
            && found.low < found.value
            && found.value < found.high
    );
    assert!(
        (found.p_value - 0.021484375).abs() < 0.02 && found.p_floor == 2.0 / 1024.0,
        "{found:?}"
    );
    assert_eq!(
        (
            a.against(&a, 100, 100, 1).p_value,
            a.against(&a, 100, 100, 1).value
        ),
        (1.0, 0.0)
    );
}

#[test]
fn p_values_of_models_that_do_not_differ_are_uniform_with_clusters() {
    let (mut rng, mut low) = (Rng::new(9), 0);
    let clusters: Vec<usize> = (0..200).map(|i| i / 4).collect();
    for round in 0..200 {
        let labels: Vec<u32> = (0..200).map(|_| rng.below(2) as u32).collect();
        // Errors come by cluster: all four sequences wrong together.
        let mut model = || {
            let wrong: Vec<bool> = (0..50).map(|_| rng.uniform() < 0.3).collect();
            scores(
                &labels
                    .iter()
                    .enumerate()
                    .map(|(i, l)| if wrong[i / 4] { 1 - l } else { *l })
                    .collect::<Vec<_>>(),
            )
        };
        let (a, b, targets) = (model(), model(), classes(&labels));
        let found = Answers::new(&targets, &clusters, &[&a]).against(
            &Answers::new(&targets, &clusters, &[&b]),
            0,
            200,
            round,
        );
        low += usize::from(found.p_value <= 0.1);
    }
    // 20 expected; four standard deviations.
    assert!((3..=37).contains(&low), "{low} of 200 at most 0.1");
}
