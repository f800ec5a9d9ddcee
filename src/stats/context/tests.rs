use super::*;
use crate::stats::rng::Rng;

fn letters(rng: &mut Rng, n: usize) -> Vec<u8> {
    (0..n).map(|_| rng.below(4) as u8).collect()
}

/// Genes of `n` random letters in five folds, with the value of each inner position given by
/// `value`; `(observations, positions)`.
type Position = (Context, Fold, usize, f32);
fn world(
    seed: u64,
    genes: usize,
    n: usize,
    value: impl Fn(&[u8], usize, usize, &mut Rng) -> f32,
) -> (ContextTable, Vec<Position>) {
    let mut rng = Rng::new(seed).derive("context");
    let folds = Fold::deal(&vec![1; genes]);
    let (mut observations, mut positions) = (Observations::default(), Vec::new());
    for (gene, fold) in folds.into_iter().enumerate() {
        let codes = letters(&mut rng, n + 16);
        for t in 8..n + 8 {
            let (context, value) = (Context::around(&codes, t), value(&codes, t, gene, &mut rng));
            observations.push(context, fold, value);
            positions.push((context, fold, gene, value));
        }
    }
    (ContextTable::fit(observations).unwrap(), positions)
}

fn explained(table: &ContextTable, positions: &[Position]) -> Vec<R2> {
    let mut explained = Explained::default();
    for (context, fold, gene, value) in positions {
        explained.add(*gene, *value, &table.predict(*context, *fold));
    }
    assert_eq!(explained.n(), positions.len());
    explained.r2(300, 0.95, 1)
}

#[test]
fn contexts_are_read_from_the_inside_out() {
    // Left of 4: 3, 2, 1, 0; right: 0, 1, unknown.
    let context = Context::around(&[0, 1, 2, 3, 0, 1, 9, 2], 4);
    assert_eq!(
        (
            context.known,
            prefix(context.letters, 1),
            prefix(context.letters, 2)
        ),
        (2, 0b1100, 0b1100_1001)
    );
    for (position, known) in [(0, 0), (1, 1), (7, 0), (8, 0), (usize::MAX, 0)] {
        assert_eq!(
            Context::around(&[0, 1, 2, 3, 0, 1, 9, 2], position).known,
            known
        );
    }
    assert_eq!(
        Context::around(&[3; 40], 20),
        Context {
            letters: u32::MAX,
            known: 8
        }
    );
}

#[test]
fn many_predictions_are_those_of_each() {
    let (table, positions) = world(4, 20, 3000, |codes, t, _, rng| {
        f32::from(codes[t] + codes[t - 1]) + rng.uniform() as f32
    });
    let mut asked: Vec<(Context, Fold)> = positions.iter().map(|p| (p.0, p.1)).collect();
    let mut rng = Rng::new(2);
    for _ in 0..500 {
        let mut codes = letters(&mut rng, 16);
        codes[rng.below(16)] = 4; // letters unknown on one side or the other
        asked.insert(
            rng.below(asked.len()),
            (Context::around(&codes, 8), Fold(rng.below(FOLDS) as u8)),
        );
    }
    for ((context, fold), estimates) in asked
        .iter()
        .zip(table.predict_all(&asked, |estimates| estimates))
    {
        assert_eq!(estimates, table.predict(*context, *fold));
    }
    assert!(table.predict_all(&[], |estimates| estimates).is_empty());
}

#[test]
fn folds_are_even() {
    let sizes = [100, 1, 50, 50, 60, 40, 99, 3, 2];
    let folds = Fold::deal(&sizes);
    let load = |fold| {
        folds
            .iter()
            .zip(sizes)
            .filter(|(f, _)| f.number() == fold)
            .map(|(_, size)| size)
            .sum::<u64>()
    };
    let loads: Vec<u64> = (0..FOLDS).map(load).collect();
    assert_eq!(loads, [100, 99, 60, 90, 56]); // 60 and 50 + 40 and 50 + 3 + 2 + 1 after the two largest
    assert!(Fold::deal(&[]).is_empty());
}

/// The definitions, word by word: weights and estimates by filtering all observations again and
/// again.
#[test]
fn weights_and_estimates_by_hand() {
    let mut rng = Rng::new(8);
    let mut all: Vec<(u32, usize, f64)> = Vec::new();
    let mut observations = Observations::default();
    let folds = Fold::deal(&[1; FOLDS]);
    for _ in 0..1500 {
        // Few different letters, so that contexts of all widths are seen more than once.
        let codes: Vec<u8> = (0..16)
            .map(|_| {
                if rng.uniform() < 0.8 {
                    0
                } else {
                    rng.below(3) as u8
                }
            })
            .collect();
        let (context, fold) = (Context::around(&codes, 8), folds[rng.below(FOLDS)]);
        let value =
            f32::from(codes[7]) * 0.2 + f32::from(codes[10]) * 0.1 + rng.uniform() as f32 * 0.3;
        observations.push(context, fold, value);
        all.push((context.letters, fold.number(), f64::from(value)));
    }
    let table = ContextTable::fit(observations).unwrap();
    let seen = |letters: u32, width: usize, without: [usize; 2]| {
        let same =
            |o: &&(u32, usize, f64)| width == 0 || prefix(o.0, width) == prefix(letters, width);
        let kept = all.iter().filter(same).filter(|o| !without.contains(&o.1));
        kept.fold((0.0, 0.0), |(n, sum), o| (n + 1.0, sum + o.2))
    };
    let estimate = |letters: u32, width: usize, without: [usize; 2], weights: &[f64]| {
        let (n, sum) = seen(letters, 0, without);
        (1..=width).fold(sum / n, |above, w| match seen(letters, w, without) {
            (n, sum) if n > 0.0 && weights[w].is_finite() => {
                (sum + weights[w] * above) / (n + weights[w])
            }
            _ => above,
        })
    };
    for f in 0..FOLDS {
        let mut weights = vec![f64::INFINITY];
        for width in 1..=4 {
            let loss = |weight: f64| -> f64 {
                let tried = [&weights[..], &[weight]].concat();
                all.iter()
                    .filter(|o| o.1 != f)
                    .map(|o| (o.2 - estimate(o.0, width, [f, o.1], &tried)).powi(2))
                    .sum()
            };
            let losses = WEIGHTS.map(loss);
            let chosen = WEIGHTS
                .iter()
                .position(|w| *w == table.weights[width][f])
                .unwrap();
            let least = losses.iter().copied().fold(f64::INFINITY, f64::min);
            assert!(
                losses[chosen] <= least * (1.0 + 1e-12),
                "width {width}: {losses:?}, {chosen}"
            );
            weights.push(table.weights[width][f]);
        }
        for (letters, _, _) in all.iter().step_by(50) {
            let found = table.predict(
                Context {
                    letters: *letters,
                    known: 8,
                },
                Fold(f as u8),
            );
            for (width, found) in found.iter().enumerate().take(5) {
                assert!(
                    (f64::from(*found) - estimate(*letters, width, [f, f], &weights)).abs() < 1e-6
                );
            }
            // What is not known backs off.
            let cut = table.predict(
                Context {
                    letters: *letters,
                    known: 2,
                },
                Fold(f as u8),
            );
            assert_eq!((cut[..3].to_vec(), cut[8]), (found[..3].to_vec(), found[2]));
        }
    }
}

/// The value is 1 after a G, with noise of variance 0.05, and a part that depends on the third
/// letter to the right: the variances are known.
#[test]
fn r2_is_the_share_that_letters_hold() {
    let value = |codes: &[u8], t: usize, _: usize, rng: &mut Rng| {
        let noise = (rng.uniform() - 0.5) as f32 * 0.6f32.sqrt(); // variance 0.05
        f32::from(codes[t - 1] == 2) + f32::from(codes[t + 2] < 2) * 0.5 + noise
    };
    let (table, positions) = world(1, 20, 3000, value);
    let r2 = explained(&table, &positions);
    // Variances: G 3/16, third letter 1/16, noise 1/20.
    let (first, both) = (0.1875 / 0.3, 0.25 / 0.3);
    for row in &r2 {
        let expected = if row.k < 3 { first } else { both };
        assert!(
            (expected - 0.02..expected + 0.005).contains(&row.r2),
            "{row:?} {expected}"
        );
        assert!(row.ci_low < row.r2 && row.r2 < row.ci_high && row.ci_high - row.ci_low < 0.03);
    }
}

/// Values that follow the gene and not its letters, in genes of one repeated motif each: a table of
/// the gene itself would explain everything, one of other genes nothing.
#[test]
fn what_does_not_carry_over_is_not_explained() {
    let mut rng = Rng::new(3);
    let (mut observations, mut positions) = (Observations::default(), Vec::new());
    for (gene, fold) in Fold::deal(&[1; 30]).into_iter().enumerate() {
        let (codes, level) = (letters(&mut rng, 7).repeat(30), rng.uniform() as f32);
        for t in 8..200 {
            let context = Context::around(&codes, t);
            observations.push(context, fold, level);
            positions.push((context, fold, gene, level));
        }
    }
    let table = ContextTable::fit(observations).unwrap();
    let r2 = explained(&table, &positions);
    assert!(r2.iter().all(|row| row.r2 < 0.1), "{r2:?}");
    assert!(r2[7].r2 >= r2[0].r2 - 0.1, "{r2:?}");
}

#[test]
fn order_and_threads_change_nothing_and_gaps_are_counted() {
    let mut rng = Rng::new(5);
    let folds = Fold::deal(&[1; 7]);
    let mut rows: Vec<(Context, Fold, f32)> = (0..5000)
        .map(|i| {
            (
                Context::around(&letters(&mut rng, 16), 8),
                folds[i % 7],
                rng.uniform() as f32,
            )
        })
        .collect();
    rows.push((Context::around(&[0; 10], 5), folds[0], 0.5));
    rows.push((rows[0].0, folds[0], f32::NAN));
    let fit = |rows: &[(Context, Fold, f32)], threads| {
        let mut observations = Observations::default();
        rows.iter()
            .for_each(|(context, fold, value)| observations.push(*context, *fold, *value));
        assert_eq!((observations.n(), observations.left_out()), (5000, 2));
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| ContextTable::fit(observations).unwrap())
    };
    let first = fit(&rows, 1);
    let queries: Vec<Context> = rows.iter().step_by(100).map(|row| row.0).collect();
    rng.shuffle(&mut rows);
    let second = fit(&rows, 3);
    assert_eq!(first.weights, second.weights);
    assert!(
        queries
            .iter()
            .all(|q| first.predict(*q, folds[1]) == second.predict(*q, folds[1]))
    );
    let two = Observations {
        all: first.all.iter().filter(|o| o.fold.0 < 2).copied().collect(),
        left_out: 0,
    };
    assert!(
        ContextTable::fit(two)
            .unwrap_err()
            .to_string()
            .contains("three folds")
    );
}

/// `cargo test --lib context -- --ignored --nocapture`.
#[test]
#[ignore = "a timing"]
fn twenty_million_positions() {
    let mut rng = Rng::new(1);
    let codes = letters(&mut rng, 20_000_016);
    let folds = Fold::deal(&[1; 100]);
    let start = std::time::Instant::now();
    let mut observations = Observations::default();
    for t in 8..20_000_008 {
        observations.push(
            Context::around(&codes, t),
            folds[t / 200_001],
            f32::from(codes[t - 1]) + rng.uniform() as f32,
        );
    }
    println!("collected after {:.1} s", start.elapsed().as_secs_f64());
    let table = ContextTable::fit(observations).unwrap();
    println!(
        "fitted after {:.1} s, {:?}",
        start.elapsed().as_secs_f64(),
        table.weights
    );
    let sum: f64 = (8..2_000_008usize)
        .into_par_iter()
        .map(|t| f64::from(table.predict(Context::around(&codes, t), folds[t / 200_001])[8]))
        .sum();
    println!(
        "2 million predicted after {:.1} s, {sum}",
        start.elapsed().as_secs_f64()
    );
}
