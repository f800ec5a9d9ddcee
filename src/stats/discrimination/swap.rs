//! Do measured numbers tell sites from controls at all? Each site is paired with one control; under
//! the null the two may be exchanged, all pairs of a cluster together. The statistic is the
//! out-of-fold AUROC of a linear discriminant with a fixed penalty, fitted anew for each exchange.
//!
//! Exchanging the numbers of a pair is the same as exchanging its labels. The discriminant of a
//! fold is `(G + penalty)^-1 d`, where `G` sums `x x'` over the members of the other folds' pairs,
//! whatever their labels, and `d` sums the differences within pairs: an exchange turns the sign of
//! a cluster's part of `d`.

use rayon::prelude::*;

use super::{Cases, FOLDS};
use crate::matrix::add_product;
use crate::matrix::cholesky::Cholesky;
use crate::stats::effect::auroc;
use crate::stats::permutation::Flips;
use crate::stats::ridge::Design;
use crate::stats::rng::Rng;

/// Penalty of a standardised number for each row that is fitted on. Fixed in advance.
const PENALTY: f64 = 0.1;

/// The outcome of the test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Swap {
    /// The AUROC of the discriminant.
    pub auroc: f64,
    /// How often exchanged labels give at least as high an AUROC, `(b + 1) / (m + 1)`, or the share
    /// of all exchanges.
    pub p_value: f64,
}

/// Tests standardised numbers, `(rows, width)`. `pairs` are rows: a site and a control of its
/// cluster, each in one pair at most. `None` without pairs.
pub fn swap_test(
    cases: &Cases,
    numbers: &[f64],
    width: usize,
    pairs: &[(usize, usize)],
    permutations: usize,
    seed: u64,
) -> Option<Swap> {
    if pairs.is_empty() {
        return None;
    }
    let design = Design::new(width, numbers.to_vec(), None);
    let fold = |pair: &(usize, usize)| cases.folds[pair.0];
    let factors: Option<Vec<Cholesky>> = (0..FOLDS)
        .map(|left_out| {
            let rows: Vec<usize> = pairs
                .iter()
                .filter(|pair| fold(pair) != left_out)
                .flat_map(|pair| [pair.0, pair.1])
                .collect();
            let mut gram = design.gram(&rows, &vec![1.0; rows.len()]);
            (0..width).for_each(|column| {
                gram[column * (width + 1)] += PENALTY * rows.len() as f64 + 1e-9
            });
            Cholesky::new(gram, width)
        })
        .collect();
    let factors = factors?;
    // Differences by cluster, and each cluster's fold.
    let mut differences = vec![vec![0.0; width]; cases.n_clusters];
    let mut fold_of = vec![0; cases.n_clusters];
    for pair in pairs {
        let cluster = cases.clusters[pair.0];
        fold_of[cluster] = fold(pair);
        design.add_to(pair.0, 1.0, &mut differences[cluster]);
        design.add_to(pair.1, -1.0, &mut differences[cluster]);
    }
    // Rows of the pairs by fold, so that a fold's scores are one product.
    let by_fold: [Vec<(usize, usize)>; FOLDS] = std::array::from_fn(|of| {
        pairs
            .iter()
            .filter(|pair| fold(pair) == of)
            .copied()
            .collect()
    });
    let numbers_of = |row: usize| &numbers[row * width..(row + 1) * width];
    let rows_by_fold: [Vec<f64>; FOLDS] = std::array::from_fn(|of| {
        by_fold[of]
            .iter()
            .flat_map(|pair| [pair.0, pair.1])
            .flat_map(|row| numbers_of(row).iter().copied())
            .collect()
    });
    let statistic = |flipped: &[bool]| {
        let (mut sites, mut controls) = (
            Vec::with_capacity(pairs.len()),
            Vec::with_capacity(pairs.len()),
        );
        for (left_out, (some, rows)) in by_fold.iter().zip(&rows_by_fold).enumerate() {
            let mut direction = vec![0.0; width];
            for (cluster, difference) in differences
                .iter()
                .enumerate()
                .filter(|(cluster, _)| fold_of[*cluster] != left_out)
            {
                let sign = if flipped[cluster] { -1.0 } else { 1.0 };
                direction
                    .iter_mut()
                    .zip(difference)
                    .for_each(|(sum, d)| *sum += sign * d);
            }
            factors[left_out].solve(&mut direction, 1);
            let mut scores = vec![0.0; 2 * some.len()];
            add_product(rows, &direction, 1, &mut scores);
            for (pair, two) in some.iter().zip(scores.chunks_exact(2)) {
                let turned = flipped[cases.clusters[pair.0]];
                sites.push(two[usize::from(turned)]);
                controls.push(two[usize::from(!turned)]);
            }
        }
        auroc(&sites, &controls)
    };
    let observed = statistic(&vec![false; cases.n_clusters]);
    let flips = Flips::new(
        cases.n_clusters,
        permutations,
        Rng::new(seed).derive("swap"),
    );
    let beyond = |flip: u64| {
        let mut signs = flips.signs(flip);
        let mut flipped = Vec::with_capacity(cases.n_clusters);
        while flipped.len() < cases.n_clusters {
            let word = signs.next_64();
            flipped.extend(
                (0..64)
                    .take(cases.n_clusters - flipped.len())
                    .map(|bit| word >> bit & 1 == 1),
            );
        }
        statistic(&flipped) >= observed - 1e-12
    };
    let beyond = (0..flips.count())
        .into_par_iter()
        .filter(|flip| beyond(*flip))
        .count();
    Some(Swap {
        auroc: observed,
        p_value: flips.p_value(beyond),
    })
}
