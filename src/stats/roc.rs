//! How well scores tell positives from negatives, each observation with a weight and in a cluster:
//! AUROC, its curve, average precision, information in bits, with intervals over clusters.
//!
//! Intervals draw whole clusters (the scores stay as they are: they condition on whatever model
//! gave them) and are studentised (bootstrap-t; Efron & Tibshirani 1993, ch. 12): each draw is set
//! against its own standard error, that of the clusters' influence values. With few and unequal
//! clusters that covers better than percentiles of the draws. AUROCs are drawn on the logit scale.

use rayon::prelude::*;

use crate::stats::percentile_interval;
use crate::stats::rng::Rng;

/// Scored observations.
#[derive(Clone, Copy, Debug)]
pub struct Scored<'a> {
    /// Which are positive.
    pub positive: &'a [bool],
    /// How much each counts.
    pub weights: &'a [f64],
    /// The cluster of each, below `n_clusters`.
    pub clusters: &'a [usize],
    /// How many clusters there are.
    pub n_clusters: usize,
}

/// An estimate and its 95% interval; `NaN` where there is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The estimate.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

const LEVEL: f64 = 0.95;

/// Indices of scores from the lowest to the highest, in runs of equal ones.
struct Order {
    order: Vec<usize>,
    /// Ends of the runs.
    ends: Vec<usize>,
}

impl Order {
    fn of(scores: &[f64]) -> Order {
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
        let mut ends = Vec::new();
        for run in order.chunk_by(|a, b| scores[*a] == scores[*b]) {
            ends.push(ends.last().unwrap_or(&0) + run.len());
        }
        Order { order, ends }
    }

    fn runs(&self) -> impl Iterator<Item = &[usize]> {
        self.ends.iter().scan(0, |start, end| {
            Some(&self.order[std::mem::replace(start, *end)..*end])
        })
    }
}

impl Scored<'_> {
    /// The probability that a positive outscores a negative, ties counting half, and the influence
    /// of each cluster on it, where cluster `c` counts `times[c]` times.
    fn auroc_and_influence(&self, order: &Order, times: &[f64]) -> (f64, Vec<f64>) {
        let weight = |i: usize| self.weights[i] * times[self.clusters[i]];
        let side = |positive: bool| {
            (0..self.positive.len())
                .filter(|i| self.positive[*i] == positive)
                .map(weight)
                .sum::<f64>()
        };
        let (positives, negatives) = (side(true), side(false));
        let (mut positives_below, mut negatives_below, mut won) = (0.0, 0.0, 0.0);
        // Of each cluster: its positives' and its negatives' shares won, and their weights.
        let mut parts = vec![[0.0; 4]; self.n_clusters];
        for run in order.runs() {
            let tied = |positive: bool| {
                run.iter()
                    .filter(|i| self.positive[**i] == positive)
                    .map(|i| weight(*i))
                    .sum::<f64>()
            };
            let (tied_positives, tied_negatives) = (tied(true), tied(false));
            let beaten = (negatives_below + 0.5 * tied_negatives) / negatives;
            let beating = (positives - positives_below - 0.5 * tied_positives) / positives;
            for i in run {
                let part = &mut parts[self.clusters[*i]];
                let (at, share) = if self.positive[*i] {
                    (0, beaten)
                } else {
                    (1, beating)
                };
                part[at] += self.weights[*i] * share;
                part[at + 2] += self.weights[*i];
            }
            won += tied_positives * beaten;
            positives_below += tied_positives;
            negatives_below += tied_negatives;
        }
        let auroc = won / positives;
        let influence = |[won, lost, of_positives, of_negatives]: &[f64; 4]| {
            (won - auroc * of_positives) / positives + (lost - auroc * of_negatives) / negatives
        };
        (auroc, parts.iter().map(influence).collect())
    }

    /// The AUROC of scores with its interval.
    pub fn auroc(&self, scores: &[f64], draws: usize, seed: u64) -> Estimate {
        let order = Order::of(scores);
        let logit = |p: f64| (p / (1.0 - p)).ln();
        let on_logits = |times: &[f64]| {
            let (auroc, influence) = self.auroc_and_influence(&order, times);
            (
                logit(auroc),
                standard_error(&influence, times) / (auroc * (1.0 - auroc)),
            )
        };
        let value = self
            .auroc_and_influence(&order, &vec![1.0; self.n_clusters])
            .0;
        let (low, high) = studentised(
            on_logits,
            self.n_clusters,
            draws,
            &Rng::new(seed).derive("auroc"),
        );
        let back = |x: f64| 1.0 / (1.0 + (-x).exp());
        Estimate {
            value,
            low: back(low),
            high: back(high),
        }
    }

    /// By how much the AUROC of `scores` is above that of `others`.
    pub fn auroc_gain(&self, scores: &[f64], others: &[f64], draws: usize, seed: u64) -> Estimate {
        let orders = [Order::of(scores), Order::of(others)];
        let gain = |times: &[f64]| {
            let [(a, of_a), (b, of_b)] =
                [0, 1].map(|i| self.auroc_and_influence(&orders[i], times));
            let influence: Vec<f64> = of_a.iter().zip(of_b).map(|(a, b)| a - b).collect();
            (a - b, standard_error(&influence, times))
        };
        self.estimate(gain, draws, &Rng::new(seed).derive("auroc gain"))
    }

    /// The weighted mean of values, one an observation.
    pub fn mean(&self, values: &[f64], draws: usize, seed: u64) -> Estimate {
        let mut sums = vec![[0.0; 2]; self.n_clusters];
        for ((value, weight), cluster) in values.iter().zip(self.weights).zip(self.clusters) {
            sums[*cluster][0] += weight * value;
            sums[*cluster][1] += weight;
        }
        let ratio = |times: &[f64]| {
            let total = |part: usize| {
                sums.iter()
                    .zip(times)
                    .map(|(sum, times)| times * sum[part])
                    .sum::<f64>()
            };
            let (above, below) = (total(0), total(1));
            let influence: Vec<f64> = sums
                .iter()
                .map(|[a, b]| (a - above / below * b) / below)
                .collect();
            (above / below, standard_error(&influence, times))
        };
        self.estimate(ratio, draws, &Rng::new(seed).derive("mean"))
    }

    fn estimate(
        &self,
        statistic: impl Fn(&[f64]) -> (f64, f64) + Sync,
        draws: usize,
        rng: &Rng,
    ) -> Estimate {
        let value = statistic(&vec![1.0; self.n_clusters]).0;
        let (low, high) = studentised(statistic, self.n_clusters, draws, rng);
        Estimate { value, low, high }
    }

    /// The AUROC over pairs of one cluster alone: what is left when clusters differ as wholes.
    pub fn auroc_within(&self, scores: &[f64]) -> f64 {
        let mut members = vec![Vec::new(); self.n_clusters];
        self.clusters
            .iter()
            .enumerate()
            .for_each(|(i, cluster)| members[*cluster].push(i));
        let (mut won, mut all) = (0.0, 0.0);
        for members in members {
            for i in members.iter().filter(|i| self.positive[**i]) {
                for j in members.iter().filter(|j| !self.positive[**j]) {
                    let weight = self.weights[*i] * self.weights[*j];
                    let wins = if scores[*i] > scores[*j] {
                        1.0
                    } else {
                        0.5 * f64::from(u8::from(scores[*i] == scores[*j]))
                    };
                    (won, all) = (won + weight * wins, all + weight);
                }
            }
        }
        won / all
    }

    /// The curve: shares of the negatives and of the positives that score at least as high as each
    /// score, from (0, 0) to (1, 1).
    pub fn curve(&self, scores: &[f64]) -> Vec<(f64, f64)> {
        let counts = self.at_least(scores);
        let Some((negatives, positives)) = counts.last().copied() else {
            return Vec::new();
        };
        std::iter::once((0.0, 0.0))
            .chain(
                counts
                    .into_iter()
                    .map(|(n, p)| (n / negatives, p / positives)),
            )
            .collect()
    }

    /// The mean of the precision at each positive, from the highest score on.
    pub fn average_precision(&self, scores: &[f64]) -> f64 {
        let (mut sum, mut before) = (0.0, 0.0);
        for (negatives, positives) in self.at_least(scores) {
            if positives > before {
                sum += (positives - before) * positives / (positives + negatives);
            }
            before = positives;
        }
        sum / before
    }

    /// Weights of (negatives, positives) from the highest score down to each.
    fn at_least(&self, scores: &[f64]) -> Vec<(f64, f64)> {
        let order = Order::of(scores);
        let runs: Vec<&[usize]> = order.runs().collect();
        let add = |sums: &mut (f64, f64), run: &&[usize]| {
            run.iter().for_each(|i| {
                if self.positive[*i] {
                    sums.1 += self.weights[*i]
                } else {
                    sums.0 += self.weights[*i]
                }
            });
            Some(*sums)
        };
        runs.iter().rev().scan((0.0, 0.0), add).collect()
    }

    /// What log-odds say of each observation, in bits: 1 for a sure and right answer, 0 for none,
    /// below 0 for a wrong one. Where positives and negatives weigh the same, the mean is the
    /// information of the scores.
    pub fn bits(&self, logits: &[f64]) -> Vec<f64> {
        let of = |(logit, positive): (&f64, &bool)| {
            1.0 - crate::stats::ridge::logistic::loss(*logit, *positive) / std::f64::consts::LN_2
        };
        logits.iter().zip(self.positive).map(of).collect()
    }
}

/// From influence values of clusters that count so many times.
fn standard_error(influence: &[f64], times: &[f64]) -> f64 {
    let n: f64 = times.iter().sum();
    (influence
        .iter()
        .zip(times)
        .map(|(u, times)| times * u * u)
        .sum::<f64>()
        * n
        / (n - 1.0))
        .sqrt()
}

/// The studentised interval of a statistic that gives, for how often each of `n` clusters counts,
/// its value and standard error. A statistic without error is its own interval; one that is not
/// finite has none.
fn studentised(
    statistic: impl Fn(&[f64]) -> (f64, f64) + Sync,
    n: usize,
    draws: usize,
    rng: &Rng,
) -> (f64, f64) {
    let (value, error) = statistic(&vec![1.0; n]);
    if error == 0.0 && value.is_finite() {
        return (value, value);
    }
    if n < 2 || !value.is_finite() || !error.is_finite() {
        return (f64::NAN, f64::NAN);
    }
    let draw = |draw: u64| {
        let (mut rng, mut times) = (rng.derive_number(draw), vec![0.0; n]);
        (0..n).for_each(|_| times[rng.below(n)] += 1.0);
        let (drawn, own) = statistic(&times);
        (drawn - value) / own
    };
    let mut distances: Vec<f64> = (0..draws as u64).into_par_iter().map(draw).collect();
    distances.retain(|d| d.is_finite());
    let (low, high) = percentile_interval(distances, LEVEL);
    (value - high * error, value - low * error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::effect::auroc;

    /// Normal numbers, in pairs (Box & Muller).
    fn normal(rng: &mut Rng) -> f64 {
        (-2.0 * (1.0 - rng.uniform()).ln()).sqrt() * (std::f64::consts::TAU * rng.uniform()).cos()
    }

    #[test]
    fn as_the_definitions() {
        let mut rng = Rng::new(2);
        let n = 60;
        let scores: Vec<f64> = (0..n).map(|_| (6.0 * rng.uniform()).floor()).collect();
        let positive: Vec<bool> = (0..n).map(|i| i % 3 == 0).collect();
        let weights: Vec<f64> = (0..n).map(|i| 1.0 + (i % 2) as f64).collect();
        let clusters: Vec<usize> = (0..n).map(|i| i % 10).collect();
        let scored = Scored {
            positive: &positive,
            weights: &weights,
            clusters: &clusters,
            n_clusters: 10,
        };
        let pairs = |within: bool| {
            let (mut won, mut all) = (0.0, 0.0);
            for i in (0..n).filter(|i| positive[*i]) {
                for j in
                    (0..n).filter(|j| !positive[*j] && (!within || clusters[i] == clusters[*j]))
                {
                    let w = weights[i] * weights[j];
                    won += w * if scores[i] > scores[j] {
                        1.0
                    } else if scores[i] == scores[j] {
                        0.5
                    } else {
                        0.0
                    };
                    all += w;
                }
            }
            won / all
        };
        assert!((scored.auroc(&scores, 50, 1).value - pairs(false)).abs() < 1e-12);
        assert!((scored.auroc_within(&scores) - pairs(true)).abs() < 1e-12);
        // The area under the curve, by trapezia.
        let curve = scored.curve(&scores);
        let area: f64 = curve
            .windows(2)
            .map(|two| (two[1].0 - two[0].0) * (two[0].1 + two[1].1) / 2.0)
            .sum();
        assert!((area - pairs(false)).abs() < 1e-12 && curve.last() == Some(&(1.0, 1.0)));
        // Unweighted as elsewhere.
        let ones = Scored {
            weights: &vec![1.0; n],
            ..scored
        };
        let side = |label: bool| {
            (0..n)
                .filter(|i| positive[*i] == label)
                .map(|i| scores[i])
                .collect::<Vec<f64>>()
        };
        assert!(
            (ones.auroc(&scores, 50, 1).value - auroc(&side(true), &side(false))).abs() < 1e-12
        );
    }

    // from sklearn.metrics import average_precision_score
    // average_precision_score([1,0,1,1,0,0,1,0], [.9,.8,.7,.6,.55,.5,.4,.1],
    // sample_weight=[1,2,1,1,1,1,2,1]) -> 0.6107142857142858
    #[test]
    fn average_precision_as_sklearn() {
        let scored = Scored {
            positive: &[true, false, true, true, false, false, true, false],
            weights: &[1.0, 2.0, 1.0, 1.0, 1.0, 1.0, 2.0, 1.0],
            clusters: &[0; 8],
            n_clusters: 1,
        };
        let found = scored.average_precision(&[0.9, 0.8, 0.7, 0.6, 0.55, 0.5, 0.4, 0.1]);
        // By hand: (1 * 1 + 1 * 2/4 + 1 * 3/5 + 2 * 5/9) / 5.
        assert!(
            (found - (1.0 + 0.5 + 0.6 + 10.0 / 9.0) / 5.0).abs() < 1e-12,
            "{found}"
        );
    }

    /// The influence of a cluster is the slope of the statistic in its weight.
    #[test]
    fn influence_is_a_slope() {
        let mut rng = Rng::new(9);
        let (n, n_clusters) = (200, 8);
        let positive: Vec<bool> = (0..n).map(|_| rng.below(2) == 0).collect();
        let scores: Vec<f64> = positive
            .iter()
            .map(|p| rng.uniform() + if *p { 0.3 } else { 0.0 })
            .collect();
        let clusters: Vec<usize> = (0..n).map(|_| rng.below(n_clusters)).collect();
        let weights: Vec<f64> = (0..n).map(|_| 0.5 + rng.uniform()).collect();
        let scored = Scored {
            positive: &positive,
            weights: &weights,
            clusters: &clusters,
            n_clusters,
        };
        let order = Order::of(&scores);
        let (value, influence) = scored.auroc_and_influence(&order, &vec![1.0; n_clusters]);
        for cluster in 0..n_clusters {
            let mut times = vec![1.0; n_clusters];
            times[cluster] += 1e-6;
            let slope = (scored.auroc_and_influence(&order, &times).0 - value) / 1e-6;
            assert!(
                (slope - influence[cluster]).abs() < 1e-5,
                "{cluster}: {slope} {}",
                influence[cluster]
            );
        }
    }

    #[test]
    fn bits_and_limits() {
        let scored = Scored {
            positive: &[true, false],
            weights: &[1.0; 2],
            clusters: &[0, 1],
            n_clusters: 2,
        };
        assert_eq!(scored.bits(&[0.0, 0.0]), [0.0, 0.0]);
        assert!(
            scored
                .bits(&[50.0, -50.0])
                .iter()
                .all(|bits| (bits - 1.0).abs() < 1e-12)
                && scored.bits(&[-1.0, 0.0])[0] < 0.0
        );
        let perfect = scored.auroc(&[1.0, 0.0], 20, 1);
        assert!(perfect.value == 1.0 && perfect.low.is_nan());
        assert_eq!(
            scored.auroc_gain(&[1.0, 0.0], &[1.0, 0.0], 20, 1),
            Estimate {
                value: 0.0,
                low: 0.0,
                high: 0.0
            }
        );
    }

    /// Sixty clusters of very unequal size, scores that share an effect of the cluster: nominal 95
    /// %.
    #[test]
    fn intervals_cover() {
        let truth = 0.5 * (1.0 + libm_erf(1.0 / (2.0 * 1.25f64.sqrt())));
        let (mut covered, mut means, runs) = (0, 0, 300);
        for run in 0..runs {
            let mut rng = Rng::new(1000 + run);
            let (mut positive, mut scores, mut clusters) = (Vec::new(), Vec::new(), Vec::new());
            for cluster in 0..60 {
                let shared = 0.5 * normal(&mut rng);
                for _ in 0..1 + cluster % 12 {
                    for label in [true, false] {
                        positive.push(label);
                        clusters.push(cluster);
                        scores.push(normal(&mut rng) + shared + f64::from(u8::from(label)));
                    }
                }
            }
            let weights = vec![1.0; scores.len()];
            let scored = Scored {
                positive: &positive,
                weights: &weights,
                clusters: &clusters,
                n_clusters: 60,
            };
            let found = scored.auroc(&scores, 400, run);
            covered += u32::from(found.low <= truth && truth <= found.high);
            let mean = scored.mean(&scores, 400, run);
            means += u32::from(mean.low <= 0.5 && 0.5 <= mean.high);
        }
        for covered in [covered, means] {
            let share = f64::from(covered) / runs as f64;
            assert!((0.92..=0.98).contains(&share), "{share}");
        }
    }

    /// Abramowitz & Stegun 7.1.26, to 1.5e-7.
    fn libm_erf(x: f64) -> f64 {
        let t = 1.0 / (1.0 + 0.3275911 * x);
        let tail = t
            * (0.254829592
                + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
        1.0 - tail * (-x * x).exp()
    }
}
