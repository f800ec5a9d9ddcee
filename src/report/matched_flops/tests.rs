use super::*;
use crate::pipelines::matched_flops::ArmRow;

/// A world of arms that differ by what is asked for.
fn world(gain: f64, more_flops: f64, seeds: u64) -> Outcome {
    let mut outcome = Outcome::default();
    for seed in 1..=seeds {
        for (arm, nats, flops) in [
            ("learned", 1.3, 1e6),
            ("fixed", 1.31, 1e6 * (1.0 + more_flops)),
        ] {
            outcome.arms.push(ArmRow {
                arm: arm.into(),
                part: "main".into(),
                seed,
                router: if arm == "fixed" {
                    "fixed:3.9"
                } else {
                    "learned"
                }
                .into(),
                layout: "[\"m1\",[\"M2\"],\"m1\"]".into(),
                alpha: 0.03,
                target: 4.0,
                parameters: 500_000,
                bases: 12_000_000,
                mlm_nats: nats + 0.001 * seed as f64,
                compression: 4.0,
                flops_per_base: flops,
                flops_off: off(flops, Some(1e6)),
                training_flops_per_base: flops,
                training_flops_off: off(flops, Some(1e6)),
            });
            for task in ["emp_H3", "emp_H3K4me1"] {
                let mcc = if arm == "learned" { 0.6 + gain } else { 0.6 };
                outcome.scores.push(ScoreRow {
                    task: task.into(),
                    arm: arm.into(),
                    seed,
                    mcc: mcc + 0.01 * (seed as f64 * 3.0).sin(),
                    accuracy: 0.8,
                    auroc: 0.85,
                    flops_per_base: flops,
                    flops_off: off(flops, Some(1e6)),
                });
            }
        }
    }
    for task in ["emp_H3", "emp_H3K4me1"] {
        outcome.differences.push(DifferenceRow {
            task: task.into(),
            arm: LEARNED.into(),
            other: FIXED.into(),
            n_seeds: seeds,
            n: 1000,
            n_clusters: 900,
            difference: gain,
            sd: 0.01,
            seeds_low: gain - 0.02,
            seeds_high: gain + 0.02,
            seeds_p: f64::NAN,
            seeds_p_holm: if gain.abs() > 0.05 { 0.01 } else { 0.6 },
            test_low: gain - 0.02,
            test_high: gain + 0.02,
            test_p: 0.001,
            test_p_floor: 0.001,
            test_p_holm: 0.002,
            without_copies: gain,
        });
    }
    outcome
}

#[test]
fn the_headline_follows_the_numbers() {
    for (gain, flops, seeds, parts) in [
        (
            0.1,
            0.0,
            3,
            [
                "beat fixed on 2 of 2 tasks",
                "within 0.0%",
                "lose on 0",
                "by 0.100",
            ],
        ),
        (
            -0.1,
            0.0,
            3,
            ["on 0 of 2 tasks", "lose on 2", "by −0.100", "3 seeds"],
        ),
        (
            0.01,
            -0.023,
            3,
            ["on 0 of 2 tasks", "within 2.3%", "lose on 0", "by 0.010"],
        ),
        (
            0.01,
            0.0,
            1,
            [
                "on 0 of 2 tasks",
                "one seed, no interval",
                "lose on 0",
                "by 0.010",
            ],
        ),
    ] {
        let text = headline(&world(gain, flops, seeds));
        for part in parts {
            assert!(text.contains(part), "no '{part}' in: {text}");
        }
        assert!(text.split_whitespace().count() <= 25, "{text}");
    }
    assert!(headline(&Outcome::default()).contains("none was fine-tuned"));
}

#[test]
fn unequal_operations_are_found() {
    assert_eq!(apart(&world(0.0, 0.0, 2), FIXED), [0.0; 3]);
    let found = apart(&world(0.0, -0.02, 2), FIXED);
    assert!(
        found.iter().all(|off| (off + 0.02).abs() < 1e-12),
        "{found:?}"
    );
    assert!(
        apart(&world(0.0, 0.0, 2), "none")
            .iter()
            .all(|off| off.is_nan())
    );
    let loss = loss_difference(&world(0.0, 0.0, 3), FIXED);
    assert!((loss.mean + 0.01).abs() < 1e-12 && loss.n == 3);
}

#[test]
fn what_the_paper_says_is_excluded_or_open() {
    let mut outcome = world(0.01, 0.0, 3);
    assert!(published(&outcome).is_empty());
    let tasks = [("emp_H3", 0.02), ("emp_H3K4me1", 0.143), ("emp_H4", 0.9)];
    for (task, published) in tasks {
        outcome.tasks.push(TaskRow {
            task: task.into(),
            rows: 1000,
            tested: 1000,
            n_clusters: 900,
            n_copies: 0,
            published,
        });
    }
    let texts = published(&outcome);
    assert!(texts[0].contains("outside of both 95% intervals on emp_H3K4me1 (+0.143)."));
    assert!(texts[1].contains("not excluded on emp_H3 (+0.020)."));
    outcome.differences[1].test_high = 0.2;
    assert!(published(&outcome)[0].contains("not excluded on emp_H3 (+0.020), emp_H3K4me1"));
}
