//! Learned against fixed token boundaries at equal operations: from what models said of the test
//! sequences to paired differences.
//!
//! A seed is one repeat of everything: initial weights, order and masks of pretraining, rows that
//! validate and order of fine-tuning. All arms share it, so arms are compared seed by seed. Two
//! things are uncertain, and stand apart:
//!
//! * Training: Student's interval and test of the differences by seed, n - 1 degrees of freedom.
//!   The exact test by signs of three seeds cannot fall under 0.25 and says nothing.
//! * Testing: BCa bootstrap of clusters of similar test sequences, and both arms' answers exchanged
//!   by whole clusters, of the mean over seeds.
//!
//! p-values are adjusted over the tasks for each pair of arms and each kind (Holm). Arms differ on a
//! task where both are at most [`LEVEL`].

use crate::error::{Error, Result};
use crate::stats::multiplicity::holm;
use crate::stats::repeats::{repeats, t_test};
use crate::tasks::Targets;
use crate::tasks::judge::JudgeRequest;
use crate::tasks::metrics::{Metrics, measure};
use crate::tasks::rows::PredictionRow;
use crate::tasks::sampling::{self, Answers};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Adjusted p-values above this tell no difference.
pub const LEVEL: f64 = 0.05;

/// A pretraining.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArmRow {
    /// The arm.
    pub arm: String,
    /// The part of the experiment that asks for it.
    pub part: String,
    /// Seed.
    pub seed: u64,
    /// Its router, as `--router` takes it.
    pub router: String,
    /// Architecture, in the authors' form.
    pub layout: String,
    /// Weight of the ratio loss.
    pub alpha: f64,
    /// Target bases per token.
    pub target: f64,
    /// Parameters.
    pub parameters: u64,
    /// Bases read in training.
    pub bases: u64,
    /// Masked-base loss on the held-out windows after the last step, in nats.
    pub mlm_nats: f64,
    /// Bases per token there.
    pub compression: f64,
    /// Operations of a forward pass per base there.
    pub flops_per_base: f64,
    /// The same, less that of the learned arm of the same seed, as a share of it.
    pub flops_off: f64,
    /// Operations of a forward pass per base, mean over all training steps.
    pub training_flops_per_base: f64,
    /// As `flops_off`.
    pub training_flops_off: f64,
}

/// A point of the course of a pretraining.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurveRow {
    /// The arm.
    pub arm: String,
    /// The part of the experiment that asks for it.
    pub part: String,
    /// Seed.
    pub seed: u64,
    /// Steps made.
    pub step: u64,
    /// Bases read.
    pub bases: u64,
    /// Masked-base loss on training windows since the point before, in nats.
    pub mlm_nats: f64,
    /// Bases per token there.
    pub compression: f64,
    /// Masked-base loss on the held-out windows, where measured.
    pub heldout_mlm_nats: f64,
    /// Bases per token there.
    pub heldout_compression: f64,
}

/// A task in numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskRow {
    /// The task.
    pub task: String,
    /// Rows that are trained on or chosen by.
    pub rows: u64,
    /// Test sequences.
    pub tested: u64,
    /// Clusters of similar ones.
    pub n_clusters: u64,
    /// Test sequences that are copies of such rows, or nearly.
    pub n_copies: u64,
    /// What the paper reports of learned less fixed, as a correlation; missing where nothing.
    pub published: f64,
}

/// A fine-tuning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScoreRow {
    /// The task.
    pub task: String,
    /// The arm, or the baseline.
    pub arm: String,
    /// Seed.
    pub seed: u64,
    /// Matthews correlation on the test sequences.
    pub mcc: f64,
    /// Share predicted right.
    pub accuracy: f64,
    /// Area under the ROC curve.
    pub auroc: f64,
    /// Operations of a forward pass per base of a test sequence.
    pub flops_per_base: f64,
    /// The same, less that of the learned arm of the same seed, as a share of it.
    pub flops_off: f64,
}

/// An arm on a task, over seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeanRow {
    /// The task.
    pub task: String,
    /// The arm, or the baseline.
    pub arm: String,
    /// Seeds.
    pub n_seeds: u64,
    /// Mean Matthews correlation.
    pub mcc: f64,
    /// Standard deviation over seeds.
    pub sd: f64,
    /// Lower end of Student's 95 % interval over seeds.
    pub seeds_low: f64,
    /// Upper end.
    pub seeds_high: f64,
    /// Lower end of the 95 % interval over clusters of test sequences.
    pub test_low: f64,
    /// Upper end.
    pub test_high: f64,
}

/// Two arms on a task, seed by seed on the same test sequences.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DifferenceRow {
    /// The task.
    pub task: String,
    /// One arm.
    pub arm: String,
    /// The other.
    pub other: String,
    /// Seeds.
    pub n_seeds: u64,
    /// Test sequences.
    pub n: u64,
    /// Clusters of similar ones.
    pub n_clusters: u64,
    /// Matthews correlation of the first less that of the other, mean over seeds.
    pub difference: f64,
    /// Standard deviation of the differences over seeds.
    pub sd: f64,
    /// Lower end of Student's 95 % interval over seeds.
    pub seeds_low: f64,
    /// Upper end.
    pub seeds_high: f64,
    /// Student's test over seeds, two-sided.
    pub seeds_p: f64,
    /// Holm adjusted over the tasks.
    pub seeds_p_holm: f64,
    /// Lower end of the 95 % interval over clusters of test sequences (paired bootstrap, BCa).
    pub test_low: f64,
    /// Upper end.
    pub test_high: f64,
    /// Both arms' answers exchanged by whole clusters, two-sided.
    pub test_p: f64,
    /// The least it could have been.
    pub test_p_floor: f64,
    /// Holm adjusted over the tasks.
    pub test_p_holm: f64,
    /// The difference without test sequences that are copies of training rows, or nearly.
    pub without_copies: f64,
}

impl DifferenceRow {
    /// Whether the arms differ: over seeds, and over test sequences.
    pub fn is_told(&self) -> bool {
        self.seeds_p_holm <= LEVEL && self.test_p_holm <= LEVEL
    }
}

/// What is known of all arms.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Pretrainings.
    pub arms: Vec<ArmRow>,
    /// Their courses.
    pub curves: Vec<CurveRow>,
    /// Tasks.
    pub tasks: Vec<TaskRow>,
    /// Fine-tunings.
    pub scores: Vec<ScoreRow>,
    /// Arms on tasks.
    pub means: Vec<MeanRow>,
    /// Pairs of arms on tasks.
    pub differences: Vec<DifferenceRow>,
}

/// Scores of the classes by test sequence.
type Said<'a> = &'a [Vec<f32>];

/// The same for each seed.
type Seeds = BTreeMap<u64, Vec<Vec<f32>>>;

/// What the arms said of the test sequences of a task.
pub struct Tested {
    targets: Targets,
    clusters: Vec<usize>,
    /// Sequences that are no copies of training rows.
    fresh: Vec<usize>,
    /// Scores by arm and seed, arms in order of appearance.
    arms: Vec<(String, Seeds)>,
}

impl Tested {
    /// An empty one, for the sequences of some predictions.
    ///
    /// # Errors
    /// Predictions of values.
    pub fn new(rows: &[PredictionRow]) -> Result<Tested> {
        let mut classes: Vec<String> = Vec::new();
        let (mut labels, mut clusters, mut fresh) = (Vec::new(), Vec::new(), Vec::new());
        for row in rows {
            if !classes.contains(&row.class) {
                classes.push(row.class.clone());
            }
        }
        for row in rows {
            if row.index as usize == labels.len() {
                let class = classes.iter().position(|class| *class == row.label);
                let class = class.ok_or_else(|| {
                    Error::Invalid("the predictions are of values, not of classes".into())
                })?;
                if row.likeness.is_empty() {
                    fresh.push(labels.len());
                }
                labels.push(class as u32);
                clusters.push(row.cluster as usize);
            }
        }
        Ok(Tested {
            targets: Targets::Classes {
                labels,
                names: classes,
            },
            clusters,
            fresh,
            arms: Vec::new(),
        })
    }

    /// Takes what a model said, as that of an arm.
    ///
    /// # Errors
    /// It is of other test sequences.
    pub fn add(&mut self, arm: &str, seed: u64, model: &str, rows: &[PredictionRow]) -> Result<()> {
        let Targets::Classes { labels, names } = &self.targets else {
            return Ok(());
        };
        let mut scores = vec![vec![f32::NAN; names.len()]; labels.len()];
        for row in rows.iter().filter(|row| row.model == model) {
            let index = row.index as usize;
            let class = names.iter().position(|name| *name == row.class);
            match class {
                Some(class)
                    if labels
                        .get(index)
                        .is_some_and(|label| names[*label as usize] == row.label) =>
                {
                    scores[index][class] = row.score as f32;
                }
                _ => return Err(self.other(arm, seed)),
            }
        }
        if scores.iter().flatten().any(|score| score.is_nan()) {
            return Err(self.other(arm, seed));
        }
        match self.arms.iter_mut().find(|(name, _)| name == arm) {
            Some((_, seeds)) => drop(seeds.insert(seed, scores)),
            None => self.arms.push((arm.into(), [(seed, scores)].into())),
        }
        Ok(())
    }

    fn other(&self, arm: &str, seed: u64) -> Error {
        Error::Invalid(format!(
            "the predictions of {arm}, seed {seed}, are not of the {} test sequences of the others",
            self.clusters.len()
        ))
    }

    /// Clusters of similar test sequences.
    pub fn n_clusters(&self) -> usize {
        self.clusters.iter().collect::<BTreeSet<_>>().len()
    }

    /// Test sequences.
    pub fn n(&self) -> usize {
        self.clusters.len()
    }

    /// Those that are copies of training rows, or nearly.
    pub fn n_copies(&self) -> usize {
        self.n() - self.fresh.len()
    }

    /// Every measure of every arm and seed.
    pub fn measures(&self) -> Vec<(&str, u64, Metrics)> {
        let mut all = Vec::new();
        for (arm, seeds) in &self.arms {
            for (seed, scores) in seeds {
                all.push((arm.as_str(), *seed, measure(scores, &self.targets)));
            }
        }
        all
    }

    fn seeds(&self, arm: &str) -> Option<&Seeds> {
        self.arms
            .iter()
            .find(|(name, _)| name == arm)
            .map(|(_, seeds)| seeds)
    }

    fn mcc(&self, scores: &[Vec<f32>]) -> f64 {
        measure(scores, &self.targets).mcc
    }

    /// Every arm over its seeds.
    pub fn means(&self, task: &str, request: &JudgeRequest) -> Vec<MeanRow> {
        let row = |(arm, seeds): &(String, Seeds)| {
            let values: Vec<f64> = seeds.values().map(|scores| self.mcc(scores)).collect();
            let over = repeats(&values, sampling::LEVEL);
            let parts: Vec<&[Vec<f32>]> = seeds.values().map(Vec::as_slice).collect();
            let (test_low, test_high) = Answers::new(&self.targets, &self.clusters, &parts)
                .interval(request.bootstraps, request.seed);
            MeanRow {
                task: task.into(),
                arm: arm.clone(),
                n_seeds: over.n as u64,
                mcc: over.mean,
                sd: over.sd,
                seeds_low: over.low,
                seeds_high: over.high,
                test_low,
                test_high,
            }
        };
        self.arms.iter().map(row).collect()
    }

    /// An arm less another, on the seeds that both have; `None` where there is no such seed.
    pub fn difference(
        &self,
        task: &str,
        (arm, other): (&str, &str),
        request: &JudgeRequest,
    ) -> Option<DifferenceRow> {
        let (own, others) = (self.seeds(arm)?, self.seeds(other)?);
        let (first, second): (Vec<Said<'_>>, Vec<Said<'_>>) = own
            .iter()
            .filter_map(|(seed, scores)| Some((scores.as_slice(), others.get(seed)?.as_slice())))
            .unzip();
        if first.is_empty() {
            return None;
        }
        let pairs = || first.iter().zip(&second);
        let by_seed: Vec<f64> = pairs().map(|(a, b)| self.mcc(a) - self.mcc(b)).collect();
        let over = repeats(&by_seed, sampling::LEVEL);
        let answers = |parts: &[&[Vec<f32>]]| Answers::new(&self.targets, &self.clusters, parts);
        let found = answers(&first).against(
            &answers(&second),
            request.bootstraps,
            request.permutations,
            request.seed,
        );
        let kept = self.targets.select(&self.fresh);
        let fresh = |scores: &[Vec<f32>]| {
            let scores: Vec<Vec<f32>> = self.fresh.iter().map(|i| scores[*i].clone()).collect();
            measure(&scores, &kept).mcc
        };
        let without: Vec<f64> = pairs().map(|(a, b)| fresh(a) - fresh(b)).collect();
        Some(DifferenceRow {
            task: task.into(),
            arm: arm.into(),
            other: other.into(),
            n_seeds: over.n as u64,
            n: self.n() as u64,
            n_clusters: self.n_clusters() as u64,
            difference: over.mean,
            sd: over.sd,
            seeds_low: over.low,
            seeds_high: over.high,
            seeds_p: t_test(&by_seed),
            seeds_p_holm: f64::NAN,
            test_low: found.low,
            test_high: found.high,
            test_p: found.p_value,
            test_p_floor: found.p_floor,
            test_p_holm: f64::NAN,
            without_copies: crate::stats::mean(&without),
        })
    }
}

/// Adjusts the p-values of each pair of arms over the tasks.
pub fn adjust(rows: &mut [DifferenceRow]) {
    let pairs: BTreeSet<(String, String)> = rows
        .iter()
        .map(|row| (row.arm.clone(), row.other.clone()))
        .collect();
    for (arm, other) in pairs {
        let of: Vec<usize> = (0..rows.len())
            .filter(|i| rows[*i].arm == arm && rows[*i].other == other)
            .collect();
        let seeds: Vec<f64> = of.iter().map(|i| rows[*i].seeds_p).collect();
        let tests: Vec<f64> = of.iter().map(|i| rows[*i].test_p).collect();
        for ((i, over_seeds), over_tests) in of.iter().zip(holm(&seeds)).zip(holm(&tests)) {
            (rows[*i].seeds_p_holm, rows[*i].test_p_holm) = (over_seeds, over_tests);
        }
    }
}

/// What a number is off that of the arm `learned` with the same seed, as a share of it.
pub fn off(value: f64, learned: Option<f64>) -> f64 {
    learned.map_or(f64::NAN, |learned| value / learned - 1.0)
}

#[cfg(test)]
mod tests;
