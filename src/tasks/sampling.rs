//! How far a score depends on which sequences were tested, and whether two models differ on the
//! same sequences.
//!
//! Sequences that are like each other are not independent: whole clusters of them are drawn in the
//! bootstrap, and exchanged in the test. Where a model was trained several times, its score is the
//! mean over the trainings on the same sequences.

use super::Targets;
use super::metrics::{matthews, predicted};
use crate::stats::bootstrap::interval;
use crate::stats::permutation::Flips;
use crate::stats::rng::Rng;
use crate::stats::{dense_clusters, mean};
use rayon::prelude::*;

/// Confidence level of all intervals.
pub const LEVEL: f64 = 0.95;

/// What a model said of the tested sequences, in all its trainings.
pub struct Answers<'a> {
    targets: &'a Targets,
    /// The cluster of each sequence, from 0.
    clusters: Vec<usize>,
    n_clusters: usize,
    /// By training and sequence: the predicted class, or the value less the mean of the true ones.
    answers: Vec<Vec<f64>>,
    /// The true classes or values, the latter less their mean.
    truth: Vec<f64>,
}

/// The difference of two models' scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// The first model's score less the second's.
    pub value: f64,
    /// Lower end of its bootstrap interval (BCa over clusters).
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Two-sided p-value: both models' answers are exchanged for a random half of the clusters,
    /// again and again.
    pub p_value: f64,
    /// The least it could have been.
    pub p_floor: f64,
}

impl<'a> Answers<'a> {
    /// `trainings` hold the scores of each training for all sequences of `targets`, whose clusters
    /// are `clusters`.
    pub fn new(targets: &'a Targets, clusters: &[usize], trainings: &[&[Vec<f32>]]) -> Answers<'a> {
        let (clusters, n_clusters) = dense_clusters(clusters);
        let (center, truth) = match targets {
            Targets::Classes { labels, .. } => {
                (0.0, labels.iter().map(|label| f64::from(*label)).collect())
            }
            Targets::Values(values) => (mean(values), values.clone()),
        };
        // Sums of squares keep their digits around the mean.
        let truth: Vec<f64> = truth.into_iter().map(|value| value - center).collect();
        let answer = |scores: &Vec<f32>| match targets {
            Targets::Classes { .. } => f64::from(predicted(scores)),
            Targets::Values(_) => f64::from(scores[0]) - center,
        };
        let answers = trainings
            .iter()
            .map(|scores| scores.iter().map(answer).collect())
            .collect();
        Answers {
            targets,
            clusters,
            n_clusters,
            answers,
            truth,
        }
    }

    /// Clusters of sequences.
    pub fn n_clusters(&self) -> usize {
        self.n_clusters
    }

    /// The mean score over trainings: Matthews correlation, or Pearson's.
    pub fn score(&self) -> f64 {
        self.scored(&self.totals(&|_| 1.0))
    }

    /// The interval of the score over draws of the tested sequences: BCa, over clusters. `(low,
    /// high)`.
    pub fn interval(&self, draws: usize, seed: u64) -> (f64, f64) {
        let statistic = |weights: &[f64]| self.scored(&self.totals(&|cluster| weights[cluster]));
        let left_out = self.left_out(|totals| self.scored(totals));
        interval(
            statistic,
            self.n_clusters,
            &left_out,
            draws,
            LEVEL,
            &Rng::new(seed).derive("test sequences"),
        )
    }

    /// Sets the score beside that of another model with the same trainings on the same sequences.
    pub fn against(
        &self,
        other: &Answers<'_>,
        draws: usize,
        permutations: usize,
        seed: u64,
    ) -> Difference {
        let rng = Rng::new(seed);
        let all = |weight: &dyn Fn(usize) -> f64| {
            self.scored(&self.totals(weight)) - other.scored(&other.totals(weight))
        };
        let value = all(&|_| 1.0);
        let own = self.left_out(|totals| self.scored(totals));
        let left_out: Vec<f64> = own
            .iter()
            .zip(other.left_out(|totals| other.scored(totals)))
            .map(|(a, b)| a - b)
            .collect();
        let statistic = |weights: &[f64]| {
            let weight = |cluster: usize| weights[cluster];
            self.scored(&self.totals(&weight)) - other.scored(&other.totals(&weight))
        };
        let (low, high) = interval(
            statistic,
            self.n_clusters,
            &left_out,
            draws,
            LEVEL,
            &rng.derive("difference"),
        );
        let (p_value, p_floor) = self.exchange(other, value, permutations, &rng.derive("exchange"));
        Difference {
            value,
            low,
            high,
            p_value,
            p_floor,
        }
    }

    /// p-value and its floor. Only clusters on which the models' answers differ can change
    /// anything.
    fn exchange(
        &self,
        other: &Answers<'_>,
        value: f64,
        permutations: usize,
        rng: &Rng,
    ) -> (f64, f64) {
        let differs = |i: usize| {
            self.answers
                .iter()
                .zip(&other.answers)
                .any(|(a, b)| a[i] != b[i])
        };
        let mut number = vec![None; self.n_clusters];
        let mut n = 0;
        for i in (0..self.truth.len()).filter(|i| differs(*i)) {
            if number[self.clusters[i]].is_none() {
                number[self.clusters[i]] = Some(n);
                n += 1;
            }
        }
        if n == 0 || value.is_nan() {
            return (1.0, 1.0);
        }
        let fixed = |answers: &Answers<'_>| {
            answers.totals(&|cluster| f64::from(u8::from(number[cluster].is_none())))
        };
        let (own, others) = (fixed(self), fixed(other));
        let moving: Vec<(usize, usize)> = (0..self.truth.len())
            .filter_map(|i| Some((i, number[self.clusters[i]]?)))
            .collect();
        let flips = Flips::new(n, permutations, rng.clone());
        let far = |flip: u64| {
            let mut signs = flips.signs(flip);
            let words: Vec<u64> = (0..n.div_ceil(64)).map(|_| signs.next_64()).collect();
            let (mut own, mut others) = (own.clone(), others.clone());
            for (i, number) in &moving {
                let exchanged = words[number / 64] >> (number % 64) & 1 == 1;
                for training in 0..self.answers.len() {
                    let (mut a, mut b) = (self.answers[training][*i], other.answers[training][*i]);
                    if exchanged {
                        std::mem::swap(&mut a, &mut b);
                    }
                    self.add(&mut own[training], self.truth[*i], a, 1.0);
                    self.add(&mut others[training], self.truth[*i], b, 1.0);
                }
            }
            (self.scored(&own) - self.scored(&others)).abs() >= value.abs() - 1e-12
        };
        let beyond = (0..flips.count())
            .into_par_iter()
            .filter(|flip| far(*flip))
            .count();
        (flips.p_value(beyond), flips.p_floor())
    }

    /// The value of `statistic` without each cluster in turn.
    fn left_out(&self, statistic: impl Fn(&[Vec<f64>]) -> f64) -> Vec<f64> {
        let all = self.totals(&|_| 1.0);
        let mut members = vec![Vec::new(); self.n_clusters];
        self.clusters
            .iter()
            .enumerate()
            .for_each(|(i, cluster)| members[*cluster].push(i));
        let without = |members: &Vec<usize>| {
            let mut totals = all.clone();
            for (totals, answers) in totals.iter_mut().zip(&self.answers) {
                members
                    .iter()
                    .for_each(|i| self.add(totals, self.truth[*i], answers[*i], -1.0));
            }
            statistic(&totals)
        };
        members.iter().map(without).collect()
    }

    /// The sums of every training, each sequence counted as often as its cluster.
    fn totals(&self, weight: &dyn Fn(usize) -> f64) -> Vec<Vec<f64>> {
        let weights: Vec<f64> = self
            .clusters
            .iter()
            .map(|cluster| weight(*cluster))
            .collect();
        let sums = |answers: &Vec<f64>| {
            let mut totals = vec![0.0; self.width()];
            for ((weight, truth), answer) in weights.iter().zip(&self.truth).zip(answers) {
                if *weight != 0.0 {
                    self.add(&mut totals, *truth, *answer, *weight);
                }
            }
            totals
        };
        self.answers.iter().map(sums).collect()
    }

    /// Sums of a training: of classes the number of sequences and of right answers, then how many
    /// are of each class, then how many were said to be; of values `n, x, y, xx, yy, xy`.
    fn width(&self) -> usize {
        match self.targets {
            Targets::Classes { names, .. } => 2 + 2 * names.len(),
            Targets::Values(_) => 6,
        }
    }

    fn add(&self, totals: &mut [f64], truth: f64, answer: f64, weight: f64) {
        totals[0] += weight;
        match self.targets {
            Targets::Classes { names, .. } => {
                totals[1] += if truth == answer { weight } else { 0.0 };
                totals[2 + truth as usize] += weight;
                totals[2 + names.len() + answer as usize] += weight;
            }
            Targets::Values(_) => {
                let sums = [
                    truth,
                    answer,
                    truth * truth,
                    answer * answer,
                    truth * answer,
                ];
                totals[1..]
                    .iter_mut()
                    .zip(sums)
                    .for_each(|(total, sum)| *total += weight * sum);
            }
        }
    }

    /// The mean score over trainings.
    fn scored(&self, totals: &[Vec<f64>]) -> f64 {
        let score = |totals: &Vec<f64>| match self.targets {
            Targets::Classes { names, .. } => matthews(
                totals[0],
                totals[1],
                &totals[2..2 + names.len()],
                &totals[2 + names.len()..],
            ),
            Targets::Values(_) => {
                let [n, x, y, xx, yy, xy] = [0, 1, 2, 3, 4, 5].map(|i| totals[i]);
                (n * xy - x * y) / ((n * xx - x * x) * (n * yy - y * y)).sqrt()
            }
        };
        totals.iter().map(score).sum::<f64>() / totals.len() as f64
    }
}

#[cfg(test)]
mod tests;
