//! How far a context's mean is trusted: weights chosen by predicting training folds from each
//! other.

use rayon::prelude::*;

use super::{FOLDS, Observation, Sums, WIDEST, prefix, shrunk};

/// Weights that are tried, in observations; infinite leaves a width out.
pub const WEIGHTS: [f64; 15] = [
    f64::INFINITY,
    1024.0,
    512.0,
    256.0,
    128.0,
    64.0,
    32.0,
    16.0,
    8.0,
    4.0,
    2.0,
    1.0,
    0.5,
    0.25,
    0.125,
];

/// Estimates of a context with two folds held out: `[f][g]` (`[f][f]` is not used).
type Estimates = [[f64; FOLDS]; FOLDS];

/// Squared error by held-out fold and weight, less what no weight changes.
type Losses = [[f64; WEIGHTS.len()]; FOLDS];

/// The weight of each width and held-out fold. `all` is in order of letters.
pub(super) fn weights(all: &[Observation], sums: &Sums) -> Vec<[f64; FOLDS]> {
    let mean = |f: usize, g: usize| {
        let (n, sum) = sums.of_folds(|fold| fold != f && fold != g);
        if n > 0.0 { sum / n } else { 0.0 }
    };
    let means = std::array::from_fn(|f| std::array::from_fn(|g| mean(f, g)));
    let mut chosen = vec![[f64::INFINITY; FOLDS]];
    for width in 1..=WIDEST {
        let losses = losses(all, 1, width, &means, &chosen);
        let best = |losses: &[f64; WEIGHTS.len()]| {
            let least = losses.iter().zip(WEIGHTS).min_by(|a, b| a.0.total_cmp(b.0));
            least.map_or(f64::INFINITY, |(_, weight)| weight)
        };
        chosen.push(std::array::from_fn(|f| best(&losses[f])));
    }
    chosen
}

/// The losses of the weights of `target` in the part of the table under one context of width `width -
/// 1`, whose estimates are `above`.
fn losses(
    run: &[Observation],
    width: usize,
    target: usize,
    above: &Estimates,
    chosen: &[[f64; FOLDS]],
) -> Losses {
    let of_child = |child: &[Observation]| {
        let mut losses = Losses::default();
        let sums = Sums::of(child);
        // A context of one fold says nothing of how it carries over to others, nor do those inside
        // it.
        if sums.n.iter().filter(|n| **n > 0).count() < 2 {
            return losses;
        }
        if width < target {
            return self::losses(
                child,
                width + 1,
                target,
                &estimates(&sums, &chosen[width], above),
                chosen,
            );
        }
        for (f, losses) in losses.iter_mut().enumerate() {
            for g in (0..FOLDS).filter(|g| *g != f && sums.n[*g] > 0) {
                let seen = sums.of_folds(|fold| fold != f && fold != g);
                for (loss, weight) in losses.iter_mut().zip(WEIGHTS) {
                    let p = shrunk(seen, weight, above[f][g]);
                    *loss += f64::from(sums.n[g]) * p * p - 2.0 * p * sums.sum[g];
                }
            }
        }
        losses
    };
    let children: Vec<&[Observation]> = run
        .chunk_by(|a, b| prefix(a.letters, width) == prefix(b.letters, width))
        .collect();
    // In parallel near the root; added in order, so that the number of threads changes nothing.
    let parts: Vec<Losses> = match width {
        1 | 2 => children.into_par_iter().map(of_child).collect(),
        _ => children.into_iter().map(of_child).collect(),
    };
    let mut total = Losses::default();
    for part in &parts {
        for (total, part) in total.iter_mut().flatten().zip(part.iter().flatten()) {
            *total += part;
        }
    }
    total
}

/// The estimates of a context from those of the narrower one.
fn estimates(sums: &Sums, weights: &[f64; FOLDS], above: &Estimates) -> Estimates {
    let estimate = |f: usize, g: usize| {
        shrunk(
            sums.of_folds(|fold| fold != f && fold != g),
            weights[f],
            above[f][g],
        )
    };
    std::array::from_fn(|f| std::array::from_fn(|g| estimate(f, g)))
}
