//! Worlds of sequences, labels and numbers of which it is known what tells what.

use super::conditional::{SecondStage, covariance_test};
use super::letters::Letters;
use super::measured::fit_scores;
use super::sequence::SequenceModel;
use super::swap::swap_test;
use super::*;
use crate::stats::effect::auroc;
use crate::stats::offsets::OffsetTests;
use crate::stats::rng::Rng;

const WIDTH: usize = 10;

/// Sites with one control each in 40 clusters. Sites prefer an A at place 3, and a T at place 6
/// after an A at 5.
struct World {
    letters: Letters,
    codes: Vec<u8>,
    cases: Cases,
}

impl World {
    fn new(sites: usize, seed: u64) -> World {
        let mut rng = Rng::new(seed);
        let (mut codes, mut is_site, mut clusters) = (Vec::new(), Vec::new(), Vec::new());
        for site in 0..sites {
            for label in [true, false] {
                let mut row: Vec<u8> = (0..WIDTH).map(|_| rng.below(4) as u8).collect();
                if label && rng.uniform() < 0.4 {
                    row[3] = 0;
                }
                if label && row[5] == 0 && rng.uniform() < 0.6 {
                    row[6] = 3;
                }
                codes.extend(row);
                is_site.push(label);
                clusters.push(site % 40);
            }
        }
        let weights = vec![1.0; is_site.len()];
        let cases = Cases::new(is_site, weights, &clusters).unwrap();
        World {
            letters: Letters::new(codes.clone(), WIDTH, 0..WIDTH),
            codes,
            cases,
        }
    }

    fn code(&self, row: usize, place: usize) -> u8 {
        self.codes[row * WIDTH + place]
    }

    fn auroc(&self, logits: &[f64]) -> f64 {
        let side = |label: bool| {
            (0..self.cases.n())
                .filter(|i| self.cases.is_site[*i] == label)
                .map(|i| logits[i])
                .collect::<Vec<f64>>()
        };
        auroc(&side(true), &side(false))
    }

    fn bits(&self, logits: &[f64]) -> f64 {
        let loss = |i: usize| crate::stats::ridge::logistic::loss(logits[i], self.cases.is_site[i]);
        1.0 - (0..self.cases.n()).map(loss).sum::<f64>()
            / self.cases.n() as f64
            / std::f64::consts::LN_2
    }

    /// Three numbers a row: `of(row)` and two of noise with an effect of the cluster.
    fn numbers(&self, seed: u64, of: impl Fn(usize) -> f64) -> Vec<f64> {
        let mut rng = Rng::new(seed);
        let shared: Vec<f64> = (0..self.cases.n_clusters).map(|_| rng.uniform()).collect();
        let row = |row: usize| {
            let level = shared[self.cases.clusters[row]];
            [
                of(row) + 0.1 * rng.uniform(),
                rng.uniform() + level,
                rng.uniform() - level,
            ]
        };
        let values: Vec<f64> = (0..self.cases.n()).flat_map(row).collect();
        standardised(&values, 3, &self.cases.weights)
    }

    fn pairs(&self) -> Vec<(usize, usize)> {
        (0..self.cases.n() / 2)
            .map(|pair| (2 * pair, 2 * pair + 1))
            .collect()
    }
}

#[test]
fn folds_hold_whole_clusters_and_too_little_is_said_so() {
    let cases = World::new(400, 1).cases;
    for a in 0..cases.n() {
        for b in 0..a.min(200) {
            assert!(cases.clusters[a] != cases.clusters[b] || cases.folds[a] == cases.folds[b]);
        }
    }
    assert!((0..FOLDS).all(|fold| cases.in_fold(fold).count() > 100));
    let labels: Vec<bool> = (0..200).map(|i| i % 2 == 0).collect();
    let few = Cases::new(labels.clone(), vec![1.0; 200], &[0; 200]).unwrap_err();
    assert!(few.contains("1 clusters"), "{few}");
    assert!(
        Cases::new(labels[..20].to_vec(), vec![1.0; 20], &[0; 20])
            .unwrap_err()
            .contains("10 sites")
    );
    let sites_only: Vec<usize> = (0..200).map(|i| i % 2 * 20 + i / 2 % 20).collect();
    assert!(
        Cases::new(labels, vec![1.0; 200], &sites_only).is_ok_and(|cases| cases.n_clusters == 40)
    );
}

/// The best classifier of the world knows the two preferences. With many sites the model comes
/// close to it, out of fold.
#[test]
fn the_nucleotides_tell_what_there_is_to_tell() {
    let world = World::new(2000, 3);
    let model = SequenceModel::fit(&world.letters, &world.cases).unwrap();
    let best: Vec<f64> = (0..world.cases.n())
        .map(|row| {
            let a = if world.code(row, 3) == 0 {
                (0.4 + 0.6 * 0.25) / 0.25
            } else {
                0.6f64
            };
            let t = match (world.code(row, 5), world.code(row, 6)) {
                (0, 3) => (0.6 + 0.4 * 0.25) / 0.25,
                (0, _) => 0.4,
                _ => 1.0f64,
            };
            a.ln() + t.ln()
        })
        .collect();
    let (found, best) = (
        (world.auroc(&model.logits), world.bits(&model.logits)),
        (world.auroc(&best), world.bits(&best)),
    );
    assert!(
        found.0 > best.0 - 0.02 && found.0 < best.0 + 0.01,
        "{found:?} {best:?}"
    );
    // A hundred coefficients on 3200 rows cost about 0.025 bits without a penalty.
    assert!(found.1 > best.1 - 0.03, "{found:?} {best:?}");
}

#[test]
fn numbers_that_tell_are_found_and_others_are_left_out() {
    let world = World::new(600, 5);
    let model = SequenceModel::fit(&world.letters, &world.cases).unwrap();
    let letters_bits = world.bits(&model.logits);
    // A number that differs by label beyond the nucleotides.
    let telling = world.numbers(7, |row| {
        if world.cases.is_site[row] && row % 4 == 0 {
            0.3
        } else {
            0.0
        }
    });
    let both = fit_scores(&world.cases, &telling, 3, Some(&model)).unwrap();
    assert!(
        world.bits(&both.logits) > letters_bits + 0.05,
        "{} {letters_bits}",
        world.bits(&both.logits)
    );
    let alone = fit_scores(&world.cases, &telling, 3, None).unwrap();
    assert!(
        world.auroc(&alone.logits) > 0.7
            && swap_test(&world.cases, &telling, 3, &world.pairs(), 199, 1)
                .unwrap()
                .p_value
                < 0.01
    );
    // Noise: nothing gained, hardly anything lost.
    let noise = world.numbers(8, |_| 0.0);
    let both = fit_scores(&world.cases, &noise, 3, Some(&model)).unwrap();
    assert!(
        (world.bits(&both.logits) - letters_bits).abs() < 0.01,
        "{}",
        world.bits(&both.logits) - letters_bits
    );
    assert!(
        (world.auroc(&fit_scores(&world.cases, &noise, 3, None).unwrap().logits) - 0.5).abs()
            < 0.06
    );
}

/// Over many worlds of noise the p-value is below 0.1 in a tenth.
#[test]
fn swaps_of_noise_are_uniform() {
    let world = World::new(100, 5);
    let p: Vec<f64> = (0..300)
        .map(|seed| {
            swap_test(
                &world.cases,
                &world.numbers(seed + 100, |_| 0.0),
                3,
                &world.pairs(),
                99,
                seed,
            )
            .unwrap()
            .p_value
        })
        .collect();
    for level in [0.1, 0.5] {
        let share = p.iter().filter(|p| **p <= level).count() as f64 / p.len() as f64;
        assert!(
            (share - level).abs() < 3.5 * (level * (1.0 - level) / 300.0).sqrt(),
            "{level}: {share}"
        );
    }
    assert_eq!(
        swap_test(&world.cases, &world.numbers(1, |_| 0.0), 3, &[], 99, 1),
        None
    );
}

/// A number that is a function of the nucleotides which tell sites is not found; one that also
/// differs by label is, and is named.
#[test]
fn given_the_nucleotides() {
    let tests = |seed: u64, shift: f64| {
        let world = World::new(250, seed);
        let model = SequenceModel::fit(&world.letters, &world.cases).unwrap();
        let of_letters = |row: usize| {
            let pair = f64::from(world.code(row, 6) * world.code(row, 5)) / 9.0;
            0.2 * (f64::from(u8::from(world.code(row, 3) == 0)) + pair)
                + shift * f64::from(u8::from(world.cases.is_site[row]))
        };
        let numbers = world.numbers(seed, of_letters);
        let residuals = SecondStage::new(&world.letters, &world.cases)
            .unwrap()
            .residuals(&numbers, 3);
        // What a ridge regression on these nucleotides can predict is gone: little but the noise is
        // left.
        let spread = |values: &[f64]| values.iter().step_by(3).map(|v| v * v).sum::<f64>();
        assert!(
            spread(&residuals) < 0.35 * spread(&numbers),
            "{} {}",
            spread(&residuals),
            spread(&numbers)
        );
        covariance_test(
            &world.cases,
            &model.logits,
            (&numbers, &residuals),
            3,
            499,
            seed,
        )
    };
    let least = |tests: &OffsetTests| {
        tests
            .offsets
            .iter()
            .map(|test| test.p_max_t)
            .fold(1.0, f64::min)
    };
    let found = (0..40)
        .filter(|seed| least(&tests(*seed, 0.0)) <= 0.1)
        .count();
    assert!(found <= 11, "{found} of 40 at 0.1"); // 3.7 standard errors
    let planted = tests(5, 0.05);
    assert!(
        planted.offsets[0].p_max_t < 0.01
            && planted.offsets[0].t > 3.0
            && planted.offsets[1].p_max_t > 0.05,
        "{planted:?}"
    );
    assert!(planted.max_t_95 > 1.9 && planted.max_t_95 < 3.0);
}

#[test]
fn standardised_columns() {
    let all = standardised(&[1.0, 5.0, 3.0, 5.0, 5.0, 5.0], 2, &[1.0, 1.0, 2.0]);
    let column: Vec<f64> = all.iter().step_by(2).copied().collect();
    let mean = (column[0] + column[1] + 2.0 * column[2]) / 4.0;
    let variance = (column[0].powi(2) + column[1].powi(2) + 2.0 * column[2].powi(2)) / 4.0;
    assert!(mean.abs() < 1e-12 && (variance - 1.0).abs() < 1e-12 && all[1] == 0.0);
}
