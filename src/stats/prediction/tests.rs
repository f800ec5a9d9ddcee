use rayon::prelude::*;

use super::*;
use crate::stats::grouped::{Components, Group};
use crate::stats::rng::Rng;

fn exact(means: &[f64]) -> Vec<Estimate> {
    means
        .iter()
        .map(|mean| Estimate {
            mean: *mean,
            variance: 0.0,
        })
        .collect()
}

// import numpy as np, scipy.stats as st; s = np.array([.2, .35, .3, .5, .1, .45]); se =
// s.std(ddof=1) * np.sqrt(1 + 1/6) for x in (.9, 1.5, 4.): t = (x - s.mean()) / se; print(2 *
// st.t.sf(abs(t), 5)) se * st.t.ppf(.975, 5) -> the half width
#[test]
fn without_sampling_error_it_is_students_t() {
    let sample = [0.2, 0.35, 0.3, 0.5, 0.1, 0.45];
    for (value, oracle) in [0.9, 1.5, 4.0].into_iter().zip(STUDENT) {
        let found = predict(
            Estimate {
                mean: value,
                variance: 0.0,
            },
            &exact(&sample),
            0.95,
        )
        .unwrap();
        assert!(
            (found.p_value / oracle - 1.0).abs() < 5e-3,
            "{value}: {} {oracle}",
            found.p_value
        );
        assert!(
            (found.difference - found.low - HALF_WIDTH).abs() < 1e-3
                && (found.center - 19.0 / 60.0).abs() < 1e-9
        );
        assert!((found.between - crate::stats::variance(&sample)).abs() < 1e-9);
    }
    // The same where all have one sampling error and differ far more than by that.
    let blurred: Vec<Estimate> = sample
        .iter()
        .map(|mean| Estimate {
            mean: *mean,
            variance: 1e-4,
        })
        .collect();
    let found = predict(
        Estimate {
            mean: 0.9,
            variance: 1e-4,
        },
        &blurred,
        0.95,
    )
    .unwrap();
    assert!(
        (found.p_value / STUDENT[0] - 1.0).abs() < 5e-3,
        "{}",
        found.p_value
    );
}
const STUDENT: [f64; 3] = [
    0.01575539116951597,
    0.0007665013415339529,
    3.1182256473769996e-06,
];
const HALF_WIDTH: f64 = 0.4180215374224689;

/// p = 0.05 at the end of the interval, and with others that do not differ the group's own error
/// alone counts.
#[test]
fn limits() {
    let others: Vec<Estimate> = (0..50)
        .map(|i| Estimate {
            mean: 0.3 + 0.001 * f64::from(i % 2),
            variance: 1.0,
        })
        .collect();
    let found = predict(
        Estimate {
            mean: 5.0,
            variance: 2.0,
        },
        &others,
        0.95,
    )
    .unwrap();
    assert_eq!(found.between, 0.0);
    let moved = |by: f64| {
        predict(
            Estimate {
                mean: 5.0 - by,
                variance: 2.0,
            },
            &others,
            0.95,
        )
        .unwrap()
        .p_value
    };
    assert!((moved(found.low) - 0.05).abs() < 1e-9 && (moved(found.high) - 0.05).abs() < 1e-9);
    // Normal with variance 2 + 1 / 50 at least.
    assert!(
        found.high - found.low > 2.0 * 1.96 * 2.02f64.sqrt() * 0.999
            && found.high - found.low < 2.0 * 1.96 * 2.3f64.sqrt()
    );
    for (group, others) in [
        (0.3, vec![0.1, 0.2]),
        (0.3, vec![0.2; 5]),
        (f64::NAN, vec![0.1, 0.2, 0.3]),
        (0.3, vec![0.1, f64::NAN, 0.3]),
        (0.3, vec![]),
    ] {
        assert_eq!(
            predict(
                Estimate {
                    mean: group,
                    variance: 0.0
                },
                &exact(&others),
                0.95
            ),
            None
        );
    }
}

/// Standard normal, by the polar method.
fn normal(rng: &mut Rng) -> f64 {
    loop {
        let (x, y) = (2.0 * rng.uniform() - 1.0, 2.0 * rng.uniform() - 1.0);
        let s = x * x + y * y;
        if s > 0.0 && s < 1.0 {
            return x * (-2.0 * s.ln() / s).sqrt();
        }
    }
}

/// A group of about `n` members in 60 clusters that all groups share, and a level of its own.
fn draw(n: usize, level: f64, clusters: &[f64], rng: &mut Rng) -> Group {
    let place: Vec<usize> = (0..n).map(|_| rng.below(clusters.len())).collect();
    let values: Vec<f64> = place
        .iter()
        .map(|cluster| level + clusters[*cluster] + normal(rng))
        .collect();
    Group::new(&values, &place)
}

/// Where the group is one more draw, one in twenty p-values lies below 0.05, whatever its number of
/// members beside those of the others.
#[test]
fn one_in_twenty_whatever_the_numbers() {
    const DRAWS: usize = 500;
    for (setting, (between, shared)) in [(0.3, 0.0), (0.3, 0.5), (1.0, 0.5), (0.0, 0.5)]
        .into_iter()
        .enumerate()
    {
        for (n_own, n_others) in [(10, 12), (12, 60), (150, 12), (400, 3), (20, 1)] {
            let seed = Rng::new(77).derive(&format!("{setting} {n_own} {n_others}"));
            let far = (0..DRAWS as u64).into_par_iter().filter(|draw_number| {
                let mut rng = seed.derive_number(*draw_number);
                let clusters: Vec<f64> = (0..60).map(|_| shared * normal(&mut rng)).collect();
                let one = |n: usize, rng: &mut Rng| {
                    let level = between * normal(rng);
                    draw(n, level, &clusters, rng)
                };
                let own = one(n_own, &mut rng);
                let numbers: Vec<usize> = (0..40)
                    .map(|_| n_others + rng.below(1 + n_others))
                    .collect();
                let others: Vec<Group> = numbers.into_iter().map(|n| one(n, &mut rng)).collect();
                let all: Vec<Group> = others.iter().copied().chain([own]).collect();
                let components = Components::estimate(&all).unwrap();
                let of = |group: &Group| Estimate {
                    mean: group.mean,
                    variance: components.of_mean(group),
                };
                predict(of(&own), &others.iter().map(of).collect::<Vec<_>>(), 0.95)
                    .unwrap()
                    .p_value
                    <= 0.05
            });
            let share = far.count() as f64 / DRAWS as f64;
            let error = (0.05 * 0.95 / DRAWS as f64).sqrt();
            println!("between {between} shared {shared}: {n_own} of {n_others}: {share:.3}");
            // Unequal and small numbers cost up to two points: variances are estimated, not known.
            assert!(
                share < 0.07 + 3.0 * error,
                "between {between} shared {shared}: {n_own} of {n_others}: {share}"
            );
            // Levels that do not differ, and clusters that all groups share, make it shy, never
            // blind.
            assert!(
                share > 0.004 || between == 0.0,
                "between {between} shared {shared}: {n_own} of {n_others}: {share}"
            );
        }
    }
}

/// And what is no draw of the others is found.
#[test]
fn a_level_far_from_the_others_is_found() {
    let mut rng = Rng::new(5);
    let clusters = [0.0; 60];
    let others: Vec<Group> = (0..40)
        .map(|_| draw(30, 0.3 * normal(&mut rng), &clusters, &mut rng))
        .collect();
    let own = draw(30, 2.0, &clusters, &mut rng);
    let components = Components::estimate(&others).unwrap();
    let of = |group: &Group| Estimate {
        mean: group.mean,
        variance: components.of_mean(group),
    };
    let found = predict(of(&own), &others.iter().map(of).collect::<Vec<_>>(), 0.95).unwrap();
    assert!(
        found.p_value < 1e-4
            && found.low > 1.0
            && found.high < 3.0
            && (found.between.sqrt() - 0.3).abs() < 0.1,
        "{found:?}"
    );
}
