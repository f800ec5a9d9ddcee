use super::*;
use crate::stats::rng::Rng;

const REQUEST: JudgeRequest = JudgeRequest {
    bootstraps: 500,
    permutations: 999,
    seed: 1,
};

/// Rows of a model that is right with a probability, by sequence; clusters of two sequences.
fn said(n: usize, right: f64, seed: u64) -> Vec<PredictionRow> {
    let mut rng = Rng::new(seed);
    let mut rows = Vec::new();
    for index in 0..n as u64 {
        let label = index / 2 % 2;
        let answer = if rng.uniform() < right {
            label
        } else {
            1 - label
        };
        for class in 0..2 {
            rows.push(PredictionRow {
                model: "ldarnet".into(),
                fold: 0,
                seed,
                index,
                sequence: format!("s{index}"),
                label: label.to_string(),
                class: class.to_string(),
                score: if class == answer { 0.9 } else { 0.1 },
                cluster: index / 2,
                likeness: if index % 10 == 9 { "exact" } else { "" }.into(),
            });
        }
    }
    rows
}

/// Arms that are right with probabilities, over seeds.
fn tested(n: usize, arms: &[(&str, f64)], seeds: u64) -> Tested {
    let mut tested = Tested::new(&said(n, 1.0, 0)).unwrap();
    for (number, (arm, right)) in arms.iter().enumerate() {
        for seed in 0..seeds {
            let rows = said(n, *right, 100 * number as u64 + seed + 1);
            tested.add(arm, seed, "ldarnet", &rows).unwrap();
        }
    }
    tested
}

#[test]
fn differences_are_paired_by_seed() {
    let tested = tested(400, &[("learned", 0.9), ("fixed", 0.7)], 4);
    assert_eq!(
        (tested.n(), tested.n_clusters(), tested.n_copies()),
        (400, 200, 40)
    );
    let row = tested
        .difference("t", ("learned", "fixed"), &REQUEST)
        .unwrap();
    let by_arm = |arm: &str| -> Vec<f64> {
        let all = tested.measures();
        let own = all.iter().filter(|(name, _, _)| *name == arm);
        own.map(|(_, _, found)| found.mcc).collect()
    };
    let by_seed: Vec<f64> = by_arm("learned")
        .iter()
        .zip(by_arm("fixed"))
        .map(|(a, b)| a - b)
        .collect();
    let over = repeats(&by_seed, 0.95);
    assert!((row.difference - over.mean).abs() < 1e-12 && row.n_seeds == 4);
    assert!((row.seeds_low - over.low).abs() < 1e-12 && (row.sd - over.sd).abs() < 1e-12);
    assert!((row.seeds_p - t_test(&by_seed)).abs() < 1e-15);
    assert!(row.difference > 0.3 && row.difference < 0.5, "{row:?}");
    assert!(row.test_low < row.difference && row.difference < row.test_high);
    assert!(row.test_p <= 0.001 && (row.without_copies - row.difference).abs() < 0.1);
    let means = tested.means("t", &REQUEST);
    assert!((means[0].mcc - means[1].mcc - row.difference).abs() < 1e-12);
    assert!(
        tested
            .difference("t", ("learned", "none"), &REQUEST)
            .is_none()
    );
}

#[test]
fn both_kinds_of_p_must_hold() {
    // Ten tasks, no difference: neither kind finds one.
    let mut none: Vec<DifferenceRow> = (0..10)
        .map(|task| {
            let mut tested = Tested::new(&said(200, 1.0, 0)).unwrap();
            for seed in 0..3 {
                for (arm, base) in [("learned", 0), ("fixed", 50)] {
                    let rows = said(200, 0.8, 1000 * task + base + seed);
                    tested.add(arm, seed, "ldarnet", &rows).unwrap();
                }
            }
            tested
                .difference(&format!("t{task}"), ("learned", "fixed"), &REQUEST)
                .unwrap()
        })
        .collect();
    adjust(&mut none);
    assert!(none.iter().all(|row| !row.is_told()));
    let seeds: Vec<f64> = none.iter().map(|row| row.seeds_p).collect();
    for (row, adjusted) in none.iter().zip(holm(&seeds)) {
        assert_eq!(row.seeds_p_holm, adjusted);
    }
    // One seed: no interval over seeds, and nothing is told.
    let one = tested(400, &[("learned", 0.95), ("fixed", 0.6)], 1);
    let mut rows = vec![one.difference("t", ("learned", "fixed"), &REQUEST).unwrap()];
    adjust(&mut rows);
    assert!(rows[0].seeds_low.is_nan() && rows[0].test_p_holm <= LEVEL && !rows[0].is_told());
    let four = tested(400, &[("learned", 0.95), ("fixed", 0.6)], 4);
    let mut rows = vec![
        four.difference("t", ("learned", "fixed"), &REQUEST)
            .unwrap(),
    ];
    adjust(&mut rows);
    assert!(rows[0].is_told());
}

#[test]
fn arms_share_their_test_sequences() {
    let mut tested = Tested::new(&said(20, 1.0, 0)).unwrap();
    for rows in [said(18, 1.0, 0), said(22, 1.0, 0), Vec::new()] {
        let message = tested.add("fixed", 3, "ldarnet", &rows).unwrap_err();
        assert!(message.to_string().contains("fixed, seed 3"), "{message}");
    }
    assert!((off(1.02, Some(1.0)) - 0.02).abs() < 1e-12 && off(1.0, None).is_nan());
}
