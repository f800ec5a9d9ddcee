//! The rows of the tables. Field names are column names. What is not defined, or is of the other
//! kind of target, is `NaN` (empty in text).

use serde::{Deserialize, Serialize};

/// What one training of a model said of a tested sequence and a class: every measure can be redone
/// from these.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PredictionRow {
    /// The model.
    pub model: String,
    /// Number of the fold.
    pub fold: u64,
    /// Seed of the training.
    pub seed: u64,
    /// Number of the test sequence, from 0 in file order.
    pub index: u64,
    /// Its name.
    pub sequence: String,
    /// Its class, or value.
    pub label: String,
    /// The class that `score` is the probability of; empty for values.
    pub class: String,
    /// Probability of the class, or the predicted value.
    pub score: f64,
    /// Number of the cluster of similar test sequences that it is in.
    pub cluster: u64,
    /// How it is like a sequence that was trained on or chosen by (see `duplicates`); empty where
    /// it is not.
    pub likeness: String,
}

/// How good one training of a model is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricRow {
    /// The model.
    pub model: String,
    /// Number of the fold.
    pub fold: u64,
    /// Seed of the training.
    pub seed: u64,
    /// `test` or `valid`.
    pub split: String,
    /// `all` sequences, or those `without_duplicates` among the rows that were trained on or chosen
    /// by.
    pub subset: String,
    /// Sequences.
    pub n: u64,
    /// Share predicted right.
    pub accuracy: f64,
    /// F1, weighted by class.
    pub f1: f64,
    /// Matthews correlation.
    pub mcc: f64,
    /// Lower end of its 95 % interval over draws of clusters of test sequences.
    pub mcc_low: f64,
    /// Upper end.
    pub mcc_high: f64,
    /// Area under the ROC curve; each class against the rest, weighted.
    pub auroc: f64,
    /// Cross-entropy in nats; of values the mean squared error.
    pub loss: f64,
    /// Speed of prediction.
    pub bases_per_second: f64,
    /// Mean squared error.
    pub mse: f64,
    /// Pearson's correlation.
    pub pearson: f64,
    /// Lower end of its interval, as that of `mcc`.
    pub pearson_low: f64,
    /// Upper end.
    pub pearson_high: f64,
    /// Spearman's correlation.
    pub spearman: f64,
}

/// A measure of a model over its trainings, on the test sequences.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FoldRow {
    /// The model.
    pub model: String,
    /// As in `metrics`.
    pub subset: String,
    /// `accuracy`, `f1`, `mcc`, `auroc`, `loss`, `mse`, `pearson` or `spearman`.
    pub measure: String,
    /// Trainings: folds or seeds.
    pub n_folds: u64,
    /// Mean over trainings.
    pub mean: f64,
    /// Standard deviation over trainings, denominator n - 1.
    pub sd: f64,
    /// Lower end of Student's 95 % interval over trainings. All share one test set: it holds the
    /// noise of training only.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Lower end of the 95 % interval of the mean over draws of clusters of test sequences, for
    /// `mcc`, `accuracy`, `pearson` and `mse`: the noise of testing only.
    pub test_low: f64,
    /// Upper end.
    pub test_high: f64,
    /// Clusters of similar test sequences.
    pub n_clusters: u64,
}

/// Two models on the same test sequences, after the same trainings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComparisonRow {
    /// One model.
    pub model: String,
    /// The other.
    pub other: String,
    /// As in `metrics`.
    pub subset: String,
    /// `mcc` or `accuracy`; `pearson` or `mse`.
    pub measure: String,
    /// Trainings that both have.
    pub n_folds: u64,
    /// Test sequences.
    pub n: u64,
    /// Clusters of them.
    pub n_clusters: u64,
    /// Of the first, less that of the other; mean over trainings.
    pub difference: f64,
    /// Lower end of the 95 % interval: paired bootstrap (BCa) over clusters.
    pub ci_low: f64,
    /// Upper end.
    pub ci_high: f64,
    /// Two-sided p-value: the models' answers exchanged by whole clusters.
    pub p_value: f64,
    /// The least it could have been.
    pub p_floor: f64,
}

/// A test sequence that is like one among the rows that were trained on or chosen by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DuplicateRow {
    /// Number of the test sequence.
    pub index: u64,
    /// Its name.
    pub sequence: String,
    /// Its class, or value.
    pub label: String,
    /// Where its partners are: `train`, or `valid` for rows that are never trained on.
    pub split: String,
    /// `exact`; `reverse_complement`; `near`: half of the 20-mers (of both strands) of the one that
    /// has fewer are shared.
    pub likeness: String,
    /// Share of 20-mers that the most alike partner has in common; 1 for copies.
    pub shared: f64,
    /// Name of that partner.
    pub partner: String,
    /// Its class, or value.
    pub partner_label: String,
    /// Partners of this likeness.
    pub n_partners: u64,
    /// Those of another class or value.
    pub n_other_label: u64,
}
