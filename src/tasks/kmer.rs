//! The baseline: logistic regression on how often each 6-mer occurs; of values, ridge regression.
//!
//! A sequence is the vector of the square roots of its 6-mer counts (its own strand, without N),
//! scaled to length 1, so that neither long sequences nor repeats weigh more. The ridge penalty is
//! chosen by the score of the validation rows: Matthews correlation, of values Pearson's.

use super::metrics::measure;
use super::{Dataset, Partition, Predictions, Split, Targets, Task};
use crate::stats::minimum::minimum;
use crate::stats::{mean, variance};
use rayon::prelude::*;
use std::time::Instant;

/// Its name in tables.
pub const NAME: &str = "kmer";

const K: usize = 6;
const WORDS: usize = 1 << (2 * K);

/// Penalties that are tried, from strong to weak: half of `penalty / n` times the squared weights
/// is added to the mean loss over `n` rows.
const PENALTIES: [f64; 7] = [10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01];

/// Chunks whose gradients are summed in order, so that threads change nothing.
const CHUNKS: usize = 16;

/// What the baseline says after one training.
#[derive(Clone, Debug, PartialEq)]
pub struct Fitted {
    /// The penalty that was best.
    pub penalty: f64,
    /// Of the validation rows.
    pub valid: Predictions,
    /// Of the test rows.
    pub test: Predictions,
}

/// Trains on a partition of a task, and predicts its validation and test rows.
pub fn run(task: &Task, partition: &Partition) -> Fitted {
    let rows = |indices: &[usize]| {
        indices
            .iter()
            .map(|i| words(&task.data.sequences[*i]))
            .collect::<Vec<_>>()
    };
    let (train, valid) = (rows(&partition.train), rows(&partition.valid));
    let (learned, chosen_by) = (
        task.data.targets.select(&partition.train),
        task.data.targets.select(&partition.valid),
    );
    let problem = Problem::new(&train, &learned);
    let mut weights = problem.start();
    let mut best: Option<(f64, f64, Vec<f64>)> = None;
    for penalty in PENALTIES {
        weights = problem.fit(weights, penalty);
        let score = measure(&problem.predict(&weights, &valid), &chosen_by).score();
        // Of equal scores the stronger penalty stays.
        if best.as_ref().is_none_or(|(most, ..)| score > *most) {
            best = Some((score, penalty, weights.clone()));
        }
    }
    let (_, penalty, weights) = best.unwrap_or((f64::NAN, PENALTIES[0], weights));
    let predictions = |split, scores, bases_per_second| Predictions {
        model: NAME.into(),
        fold: partition.fold,
        seed: partition.seed,
        split,
        scores,
        bases_per_second,
    };
    let started = Instant::now();
    let tested: Vec<_> = task
        .test
        .sequences
        .par_iter()
        .map(|sequence| words(sequence))
        .collect();
    let scores = problem.predict(&weights, &tested);
    let speed = task.test.bases() as f64 / started.elapsed().as_secs_f64();
    Fitted {
        penalty,
        valid: predictions(Split::Valid, problem.predict(&weights, &valid), f64::NAN),
        test: predictions(Split::Test, scores, speed),
    }
}

/// What predicts the same of every sequence: the shares of the classes among the training rows, or
/// their mean value.
pub fn majority(partition: &Partition, data: &Dataset, n: usize) -> Vec<Vec<f32>> {
    let scores = match data.targets.select(&partition.train) {
        Targets::Classes { labels, names } => {
            let mut shares = vec![0.0; names.len()];
            labels
                .iter()
                .for_each(|label| shares[*label as usize] += 1.0 / labels.len() as f64);
            shares.into_iter().map(|share| share as f32).collect()
        }
        Targets::Values(values) => vec![mean(&values) as f32],
    };
    vec![scores; n]
}

/// Which 6-mers a sequence holds, by number, with the square root of how often, scaled to length 1.
type Sparse = Vec<(u16, f32)>;

fn words(sequence: &[u8]) -> Sparse {
    let (mut word, mut plain, mut found) = (0usize, 0, Vec::with_capacity(sequence.len()));
    for letter in sequence {
        let Some(code) = super::base_code(*letter) else {
            plain = 0;
            continue;
        };
        word = (word << 2 | code as usize) % WORDS;
        plain += 1;
        if plain >= K {
            found.push(word as u16);
        }
    }
    found.sort_unstable();
    let length = (found.len() as f32).sqrt(); // of the square roots of counts that sum to so many
    found
        .chunk_by(|a, b| a == b)
        .map(|same| (same[0], (same.len() as f32).sqrt() / length))
        .collect()
}

/// Rows and what is to be learned of them.
struct Problem<'a> {
    rows: &'a [Sparse],
    /// Class of each row, or value scaled to mean 0 and deviation 1.
    targets: Vec<f64>,
    /// Linear functions: one a class, but one for two classes and for values.
    functions: usize,
    /// Mean and deviation of the values; `None` for classes.
    scale: Option<(f64, f64)>,
}

impl<'a> Problem<'a> {
    fn new(rows: &'a [Sparse], targets: &Targets) -> Problem<'a> {
        match targets {
            Targets::Classes { labels, names } => {
                let functions = if names.len() == 2 { 1 } else { names.len() };
                Problem {
                    rows,
                    targets: labels.iter().map(|label| f64::from(*label)).collect(),
                    functions,
                    scale: None,
                }
            }
            Targets::Values(values) => {
                let deviation = variance(values).sqrt();
                let (mean, deviation) =
                    (mean(values), if deviation > 0.0 { deviation } else { 1.0 });
                Problem {
                    rows,
                    targets: values.iter().map(|v| (v - mean) / deviation).collect(),
                    functions: 1,
                    scale: Some((mean, deviation)),
                }
            }
        }
    }

    /// Weights of nothing: `functions` times the words and an intercept.
    fn start(&self) -> Vec<f64> {
        vec![0.0; self.functions * (WORDS + 1)]
    }

    fn fit(&self, start: Vec<f64>, penalty: f64) -> Vec<f64> {
        let n = self.rows.len() as f64;
        minimum(start, 1e-5, 300, |weights, gradient| {
            let chunk = self.rows.len().div_ceil(CHUNKS).max(1);
            let chunks: Vec<(f64, Vec<f64>)> = (self
                .rows
                .par_chunks(chunk)
                .zip(self.targets.par_chunks(chunk)))
            .map(|(rows, targets)| self.loss(weights, rows, targets))
            .collect();
            gradient.fill(0.0);
            let mut loss = 0.0;
            for (value, part) in chunks {
                loss += value / n;
                gradient.iter_mut().zip(part).for_each(|(g, p)| *g += p / n);
            }
            for (own, slope) in weights
                .chunks(WORDS + 1)
                .zip(gradient.chunks_mut(WORDS + 1))
            {
                for (weight, slope) in own[..WORDS].iter().zip(slope) {
                    loss += 0.5 * penalty / n * weight * weight;
                    *slope += penalty / n * weight;
                }
            }
            loss
        })
    }

    /// Summed loss of some rows, and its gradient.
    fn loss(&self, weights: &[f64], rows: &[Sparse], targets: &[f64]) -> (f64, Vec<f64>) {
        let (mut loss, mut gradient) = (0.0, vec![0.0; weights.len()]);
        for (row, target) in rows.iter().zip(targets) {
            let linear = self.linear(weights, row);
            let error: Vec<f64> = match (self.scale, self.functions) {
                (Some(_), _) => {
                    let error = linear[0] - target;
                    loss += 0.5 * error * error;
                    vec![error]
                }
                (None, 1) => {
                    let signed = if *target > 0.5 { linear[0] } else { -linear[0] };
                    loss += softplus(-signed);
                    vec![sigmoid(linear[0]) - target]
                }
                (None, _) => {
                    let mut probabilities = softmax(&linear);
                    loss -= probabilities[*target as usize].max(f64::MIN_POSITIVE).ln();
                    probabilities[*target as usize] -= 1.0;
                    probabilities
                }
            };
            for (slope, error) in gradient.chunks_mut(WORDS + 1).zip(error) {
                row.iter().for_each(|(word, value)| {
                    slope[usize::from(*word)] += error * f64::from(*value)
                });
                slope[WORDS] += error;
            }
        }
        (loss, gradient)
    }

    fn linear(&self, weights: &[f64], row: &Sparse) -> Vec<f64> {
        let of = |own: &[f64]| {
            own[WORDS]
                + row
                    .iter()
                    .map(|(word, value)| own[usize::from(*word)] * f64::from(*value))
                    .sum::<f64>()
        };
        weights.chunks(WORDS + 1).map(of).collect()
    }

    fn predict(&self, weights: &[f64], rows: &[Sparse]) -> Vec<Vec<f32>> {
        let one = |row: &Sparse| {
            let linear = self.linear(weights, row);
            let scores = match (self.scale, self.functions) {
                (Some((mean, deviation)), _) => vec![mean + deviation * linear[0]],
                (None, 1) => vec![sigmoid(-linear[0]), sigmoid(linear[0])],
                (None, _) => softmax(&linear),
            };
            scores.into_iter().map(|score| score as f32).collect()
        };
        rows.par_iter().map(one).collect()
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn softmax(linear: &[f64]) -> Vec<f64> {
    let most = linear.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = linear.iter().map(|x| (x - most).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|p| p / sum).collect()
}

#[cfg(test)]
mod tests;
