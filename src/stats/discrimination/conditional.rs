//! Do measured numbers tell sites from controls *given* the nucleotides? The generalised covariance
//! measure (Shah & Peters 2020), the greatest over several numbers, with whole clusters as
//! observations.
//!
//! With `e = Y - P(Y | nucleotides)`, out of fold, and `R_j` what the nucleotides leave of number
//! `j`, `e R_j` has mean 0 where the number tells nothing beyond them, and nearly so where either
//! of the two is estimated well: their errors multiply. `R_j` is taken in two stages: what the
//! caller already subtracted (a prediction fitted elsewhere), then a ridge regression of the rest
//! on the nucleotides of these very rows, out of fold. Without the second stage a number that is a
//! function of the nucleotides, but one that was badly predicted from elsewhere, would be found.

use rayon::prelude::*;

use super::letters::Letters;
use super::{Cases, FOLDS};
use crate::stats::offsets::{OffsetTests, RUN_THRESHOLD, sign_flip_offsets};
use crate::stats::ridge::Design;
use crate::stats::ridge::linear::{Normal, moments, predict};

/// Penalties of the second stage for a nucleotide's coefficient; infinite is the mean alone.
const PENALTIES: [f64; 5] = [1.0, 10.0, 100.0, 1000.0, f64::INFINITY];

/// The error that numbers count as measured with, in their standard deviations: what the
/// nucleotides explain but for 1% of the variance is explained.
pub const ERROR: f64 = 0.1;
/// Pairs of cancelling clusters a number: enough for their sum to be nearly normal.
const CANCELLING: u32 = 4;

/// Rows that are fitted on, of sites and of controls, at most: of more, every second, third and so
/// on.
const MOST_FITTED: usize = 10_000;

/// The second stage, factored: it serves any numbers measured at the same rows.
pub struct SecondStage<'a> {
    cases: &'a Cases,
    folds: Vec<Stage>,
}

/// The regression without one fold.
struct Stage {
    design: Design,
    rows: Vec<usize>,
    weights: Vec<f64>,
    normals: Vec<Normal>,
}

impl<'a> SecondStage<'a> {
    /// Factors the equations of each fold.
    ///
    /// # Errors
    /// In words, why they have no solution.
    pub fn new(letters: &Letters, cases: &'a Cases) -> Result<SecondStage<'a>, String> {
        let stage = |fold: usize| {
            let rows = thinned(cases, cases.without(&[fold]));
            let weights: Vec<f64> = rows.iter().map(|row| cases.weights[*row]).collect();
            let design = letters.design(cases, &rows);
            let penalties: Vec<Vec<f64>> = PENALTIES
                .iter()
                .filter(|p| p.is_finite())
                .map(|p| letters.penalties(*p))
                .collect();
            let normals = Normal::of(&design, &rows, &weights, &penalties)?;
            Some(Stage {
                design,
                rows,
                weights,
                normals,
            })
        };
        let folds: Option<Vec<Stage>> = (0..FOLDS).into_par_iter().map(stage).collect();
        Ok(SecondStage {
            cases,
            folds: folds.ok_or("the regression on the nucleotides has no solution")?,
        })
    }

    /// What is left of `numbers`, `(rows, width)`, out of fold; of each number under the penalty
    /// that leaves least.
    pub fn residuals(&self, numbers: &[f64], width: usize) -> Vec<f64> {
        let by_fold: Vec<Vec<Vec<f64>>> = self
            .folds
            .par_iter()
            .enumerate()
            .map(|(fold, stage)| self.of_fold(fold, stage, numbers, width))
            .collect();
        let mut best: Vec<(f64, usize)> = vec![(f64::INFINITY, 0); width];
        for penalty in 0..PENALTIES.len() {
            let mut losses = vec![0.0; width];
            for (fold, of_fold) in by_fold.iter().enumerate() {
                for (row, left) in self
                    .cases
                    .in_fold(fold)
                    .zip(of_fold[penalty].chunks_exact(width))
                {
                    losses
                        .iter_mut()
                        .zip(left)
                        .for_each(|(loss, left)| *loss += self.cases.weights[row] * left * left);
                }
            }
            best.iter_mut()
                .zip(losses)
                .filter(|(best, loss)| *loss < best.0)
                .for_each(|(best, loss)| *best = (loss, penalty));
        }
        let mut left = vec![0.0; numbers.len()];
        for (fold, of_fold) in by_fold.iter().enumerate() {
            for (index, row) in self.cases.in_fold(fold).enumerate() {
                (0..width)
                    .for_each(|j| left[row * width + j] = of_fold[best[j].1][index * width + j]);
            }
        }
        left
    }

    /// By penalty: what is left of the rows of a fold, in their order.
    fn of_fold(&self, fold: usize, stage: &Stage, numbers: &[f64], width: usize) -> Vec<Vec<f64>> {
        let sums = moments(&stage.design, &stage.rows, &stage.weights, numbers, width);
        let total: f64 = stage.weights.iter().sum();
        let mean: Vec<f64> = sums[..width].iter().map(|sum| sum / total).collect(); // the first column is the intercept
        let less = |row: usize, expected: Vec<f64>| {
            numbers[row * width..(row + 1) * width]
                .iter()
                .zip(expected)
                .map(|(number, expected)| number - expected)
                .collect::<Vec<f64>>()
        };
        let mut left: Vec<Vec<f64>> = Vec::with_capacity(PENALTIES.len());
        for normal in &stage.normals {
            let b = normal.coefficients(sums.clone());
            left.push(
                self.cases
                    .in_fold(fold)
                    .flat_map(|row| less(row, predict(&stage.design, row, &b, width)))
                    .collect(),
            );
        }
        left.push(
            self.cases
                .in_fold(fold)
                .flat_map(|row| less(row, mean.clone()))
                .collect(),
        );
        left
    }
}

/// At most [`MOST_FITTED`] sites and as many controls.
fn thinned(cases: &Cases, rows: Vec<usize>) -> Vec<usize> {
    if rows.len() <= MOST_FITTED {
        return rows;
    }
    let of = |label: bool| {
        let all: Vec<usize> = rows
            .iter()
            .copied()
            .filter(|row| cases.is_site[*row] == label)
            .collect();
        let every = all.len().div_ceil(MOST_FITTED);
        all.into_iter().step_by(every.max(1))
    };
    of(true).chain(of(false)).collect()
}

/// Tests whether residuals `(rows, numbers)` covary with what the nucleotides leave of the labels,
/// by sign flips of clusters, at every number alone and at the greatest `|t|` of all. `values` are
/// the numbers themselves, `logits` log-odds of the labels given the nucleotides, out of fold.
///
/// The test is as that of numbers measured with an independent error of [`ERROR`] standard
/// deviations, averaged over that error. A number that follows from the nucleotides leaves nothing
/// but the errors of its regression, however small, and these may covary with the errors of the
/// model of the labels.
pub fn covariance_test(
    cases: &Cases,
    logits: &[f64],
    (values, residuals): (&[f64], &[f64]),
    width: usize,
    permutations: usize,
    seed: u64,
) -> OffsetTests {
    let mut sums = vec![0.0; cases.n_clusters * width];
    let mut squares = 0.0;
    for (row, left) in residuals.chunks_exact(width.max(1)).enumerate() {
        let expected = 1.0 / (1.0 + (-logits[row]).exp());
        let unexpected = cases.weights[row] * (f64::from(u8::from(cases.is_site[row])) - expected);
        squares += unexpected * unexpected;
        let of_cluster = &mut sums[cases.clusters[row] * width..][..width];
        of_cluster
            .iter_mut()
            .zip(left)
            .for_each(|(sum, left)| *sum += unexpected * left);
    }
    // Pairs of clusters that cancel stand for the error: nothing in the data, that much in its
    // flips.
    for (number, (_, variance)) in super::moments(values, width, &cases.weights)
        .into_iter()
        .enumerate()
    {
        let each = ERROR * variance.sqrt() * (squares / f64::from(2 * CANCELLING)).sqrt();
        for sign in (0..CANCELLING).flat_map(|_| [1.0, -1.0]) {
            sums.extend((0..width).map(|other| if other == number { sign * each } else { 0.0 }));
        }
    }
    let n_sites = cases.is_site.iter().filter(|is| **is).count();
    sign_flip_offsets(&sums, width, n_sites, RUN_THRESHOLD, permutations, seed)
}
