//! From predictions to judgement: measures with both kinds of uncertainty, models against each
//! other, copies between training and test.

use super::metrics::{Metrics, measure};
use super::moved::MovedRow;
use super::rows::{ComparisonRow, DuplicateRow, FoldRow, MetricRow, PredictionRow};
use super::sampling::{Answers, Difference, LEVEL};
use super::similarity::{self, Likeness, Partner};
use super::{EpochRow, Partition, Predictions, Split, Targets, Task, kmer};
use crate::error::{Error, Result};
use crate::stats::repeats::repeats;
use crate::stats::{bootstrap, permutation};
use serde::{Deserialize, Serialize};

/// The name of the model that says the same of every sequence.
pub const MAJORITY: &str = "majority";

/// The name in tables of a model that starts from weights at hand.
pub const LDARNET: &str = "ldarnet";

/// That of one that starts from random weights.
pub const RANDOM: &str = "random";

/// How much is drawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JudgeRequest {
    /// Draws of the bootstraps.
    pub bootstraps: usize,
    /// Exchanges of the tests, at most.
    pub permutations: usize,
    /// Seed of both.
    pub seed: u64,
}

impl Default for JudgeRequest {
    fn default() -> Self {
        JudgeRequest {
            bootstraps: 2000,
            permutations: 10_000,
            seed: 1,
        }
    }
}

/// What is said of the models of a task.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judgement {
    /// The task in numbers.
    pub facts: Facts,
    /// Every score.
    pub predictions: Vec<PredictionRow>,
    /// One row a training and split.
    pub metrics: Vec<MetricRow>,
    /// One row a model and measure.
    pub folds: Vec<FoldRow>,
    /// Every two models.
    pub comparisons: Vec<ComparisonRow>,
    /// Test sequences that were seen, or nearly.
    pub duplicates: Vec<DuplicateRow>,
    /// The trainings.
    pub epochs: Vec<EpochRow>,
    /// The models' boundaries on the test sequences before and after; [`judge`] leaves it empty.
    pub boundaries: Vec<MovedRow>,
}

/// A task in numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// Its name.
    pub task: String,
    /// The classes; none for values.
    pub classes: Vec<String>,
    /// Rows of each class among those that are trained on or chosen by.
    pub class_rows: Vec<u64>,
    /// Of each class among those tested.
    pub class_tested: Vec<u64>,
    /// Rows to train on or choose by.
    pub rows: u64,
    /// Those of the first training that validate.
    pub valid_rows: u64,
    /// Test sequences.
    pub tested: u64,
    /// Clusters of similar ones among them.
    pub clusters: u64,
    /// Shortest and longest sequence of all, in bases.
    pub lengths: (u64, u64),
    /// What was said of the files.
    pub notes: Vec<String>,
}

/// Per sequence: probabilities of the classes, or one value.
type Scores = [Vec<f32>];

/// Scores of two models after the same training.
type Pair = (Vec<Vec<f32>>, Vec<Vec<f32>>);

/// A part of the test sequences.
struct Subset {
    name: &'static str,
    indices: Vec<usize>,
    targets: Targets,
    clusters: Vec<usize>,
}

/// Judges what models said. A model that says the same of every sequence is set beside them.
///
/// # Errors
/// Predictions that are not of this task: of another number of sequences or classes, or of a
/// training that it does not have.
pub fn judge(
    task: &Task,
    predictions: &[Predictions],
    epochs: Vec<EpochRow>,
    request: &JudgeRequest,
) -> Result<Judgement> {
    let mut all = predictions.to_vec();
    for partition in &task.partitions {
        let scores = kmer::majority(partition, &task.data, task.test.len());
        let (fold, seed) = (partition.fold, partition.seed);
        all.push(Predictions {
            model: MAJORITY.into(),
            fold,
            seed,
            split: Split::Test,
            scores,
            bases_per_second: f64::NAN,
        });
    }
    all.iter().try_for_each(|one| check(task, one))?;
    let clusters = similarity::clusters(&task.test.sequences);
    let (duplicates, likeness) = duplicates(task);
    let part = |name, indices: Vec<usize>| Subset {
        name,
        targets: task.test.targets.select(&indices),
        clusters: indices.iter().map(|i| clusters[*i]).collect(),
        indices,
    };
    let mut subsets = vec![part("all", (0..task.test.len()).collect())];
    if !duplicates.is_empty() {
        subsets.push(part(
            "without_duplicates",
            (0..task.test.len())
                .filter(|i| likeness[*i].is_none())
                .collect(),
        ));
    }
    let models = models(&all);
    let mut judgement = Judgement {
        facts: facts(task, &clusters),
        predictions: all
            .iter()
            .filter(|one| one.split == Split::Test)
            .flat_map(|one| prediction_rows(task, one, &clusters, &likeness))
            .collect(),
        metrics: Vec::new(),
        folds: Vec::new(),
        comparisons: Vec::new(),
        duplicates,
        epochs,
        boundaries: Vec::new(),
    };
    for one in &all {
        match one.split {
            Split::Test => judgement
                .metrics
                .extend(subsets.iter().map(|subset| tested(one, subset, request))),
            _ => judgement.metrics.push(chosen_by(task, one)),
        }
    }
    for subset in &subsets {
        for (number, model) in models.iter().enumerate() {
            let trainings = trainings(&all, model);
            judgement
                .folds
                .extend(fold_rows(model, &trainings, subset, request));
            for other in models[number + 1..]
                .iter()
                .filter(|other| *other != MAJORITY)
            {
                judgement
                    .comparisons
                    .extend(comparisons((model, other), &all, subset, request));
            }
        }
    }
    Ok(judgement)
}

/// The models, in order of first appearance; that of the majority is the last.
fn models(all: &[Predictions]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for one in all {
        if !names.contains(&one.model) {
            names.push(one.model.clone());
        }
    }
    names
}

/// The tested trainings of a model.
fn trainings<'a>(all: &'a [Predictions], model: &str) -> Vec<&'a Predictions> {
    all.iter()
        .filter(|one| one.model == model && one.split == Split::Test)
        .collect()
}

fn partition<'a>(task: &'a Task, one: &Predictions) -> Option<&'a Partition> {
    task.partitions
        .iter()
        .find(|partition| (partition.fold, partition.seed) == (one.fold, one.seed))
}

fn check(task: &Task, one: &Predictions) -> Result<()> {
    let partition = partition(task, one);
    let n = match (one.split, partition) {
        (Split::Test, Some(_)) => task.test.len(),
        (Split::Valid, Some(partition)) => partition.valid.len(),
        (Split::Train, Some(partition)) => partition.train.len(),
        (_, None) => 0,
    };
    let width = task.test.targets.width();
    match partition.is_some()
        && one.scores.len() == n
        && one.scores.iter().all(|scores| scores.len() == width)
    {
        true => Ok(()),
        false => Err(Error::Invalid(format!(
            "predictions of {} (fold {}, seed {}, {}) are not of task {}: they need {n} sequences with {width} values each",
            one.model,
            one.fold,
            one.seed,
            one.split.name(),
            task.name
        ))),
    }
}

fn facts(task: &Task, clusters: &[usize]) -> Facts {
    let (classes, count): (Vec<String>, _) = match &task.data.targets {
        Targets::Classes { names, .. } => (names.clone(), names.len()),
        Targets::Values(_) => (Vec::new(), 0),
    };
    let counted = |targets: &Targets| {
        let mut counts = vec![0; count];
        targets
            .labels()
            .iter()
            .for_each(|label| counts[*label as usize] += 1);
        counts
    };
    let lengths = || {
        task.data
            .sequences
            .iter()
            .chain(&task.test.sequences)
            .map(|sequence| sequence.len() as u64)
    };
    Facts {
        task: task.name.clone(),
        classes,
        class_rows: counted(&task.data.targets),
        class_tested: counted(&task.test.targets),
        rows: task.data.len() as u64,
        valid_rows: task
            .partitions
            .first()
            .map_or(0, |partition| partition.valid.len() as u64),
        tested: task.test.len() as u64,
        clusters: clusters.iter().max().map_or(0, |most| *most as u64 + 1),
        lengths: (lengths().min().unwrap_or(0), lengths().max().unwrap_or(0)),
        notes: task.notes.clone(),
    }
}

/// The class or value of a sequence as text.
fn label(targets: &Targets, index: usize) -> String {
    match targets {
        Targets::Classes { labels, names } => names[labels[index] as usize].clone(),
        Targets::Values(values) => values[index].to_string(),
    }
}

fn prediction_rows(
    task: &Task,
    one: &Predictions,
    clusters: &[usize],
    likeness: &[Option<Likeness>],
) -> Vec<PredictionRow> {
    let classes = match &task.test.targets {
        Targets::Classes { names, .. } => names.clone(),
        Targets::Values(_) => vec![String::new()],
    };
    let row = |index: usize, class: &String, score: f32| PredictionRow {
        model: one.model.clone(),
        fold: one.fold as u64,
        seed: one.seed,
        index: index as u64,
        sequence: task.test.names[index].clone(),
        label: label(&task.test.targets, index),
        class: class.clone(),
        score: f64::from(score),
        cluster: clusters[index] as u64,
        likeness: likeness[index].map_or("", Likeness::name).into(),
    };
    let of = |(index, scores): (usize, &Vec<f32>)| {
        classes
            .iter()
            .zip(scores)
            .map(|(class, score)| row(index, class, *score))
            .collect::<Vec<_>>()
    };
    one.scores.iter().enumerate().flat_map(of).collect()
}

fn metric_row(
    one: &Predictions,
    subset: &str,
    found: Metrics,
    (low, high): (f64, f64),
) -> MetricRow {
    let of_classes = |value: f64| if found.mcc.is_nan() { f64::NAN } else { value };
    let of_values = |value: f64| if found.mcc.is_nan() { value } else { f64::NAN };
    MetricRow {
        model: one.model.clone(),
        fold: one.fold as u64,
        seed: one.seed,
        split: one.split.name().into(),
        subset: subset.into(),
        n: found.n as u64,
        accuracy: found.accuracy,
        f1: found.f1,
        mcc: found.mcc,
        mcc_low: of_classes(low),
        mcc_high: of_classes(high),
        auroc: found.auroc,
        loss: found.loss,
        bases_per_second: one.bases_per_second,
        mse: found.mse,
        pearson: found.pearson,
        pearson_low: of_values(low),
        pearson_high: of_values(high),
        spearman: found.spearman,
    }
}

fn scores_of(one: &Predictions, subset: &Subset) -> Vec<Vec<f32>> {
    subset
        .indices
        .iter()
        .map(|i| one.scores[*i].clone())
        .collect()
}

fn tested(one: &Predictions, subset: &Subset, request: &JudgeRequest) -> MetricRow {
    let scores = scores_of(one, subset);
    let interval = match one.model == MAJORITY {
        true => (f64::NAN, f64::NAN),
        false => Answers::new(&subset.targets, &subset.clusters, &[&scores])
            .interval(request.bootstraps, request.seed),
    };
    metric_row(
        one,
        subset.name,
        measure(&scores, &subset.targets),
        interval,
    )
}

fn chosen_by(task: &Task, one: &Predictions) -> MetricRow {
    let rows = partition(task, one).map_or(&[][..], |partition| {
        if one.split == Split::Valid {
            &partition.valid
        } else {
            &partition.train
        }
    });
    metric_row(
        one,
        "all",
        measure(&one.scores, &task.data.targets.select(rows)),
        (f64::NAN, f64::NAN),
    )
}

/// The measures of a kind of target, each with how it is had.
type Measure = (&'static str, fn(&Metrics) -> f64);
const OF_CLASSES: [Measure; 5] = [
    ("mcc", |m| m.mcc),
    ("accuracy", |m| m.accuracy),
    ("f1", |m| m.f1),
    ("auroc", |m| m.auroc),
    ("loss", |m| m.loss),
];
const OF_VALUES: [Measure; 3] = [
    ("pearson", |m| m.pearson),
    ("spearman", |m| m.spearman),
    ("mse", |m| m.mse),
];

/// The measures of a task; models are ranked by the first.
pub fn measures(targets_are_classes: bool) -> Vec<&'static str> {
    if targets_are_classes {
        OF_CLASSES.map(|(name, _)| name).to_vec()
    } else {
        OF_VALUES.map(|(name, _)| name).to_vec()
    }
}

fn fold_rows(
    model: &str,
    trainings: &[&Predictions],
    subset: &Subset,
    request: &JudgeRequest,
) -> Vec<FoldRow> {
    let scores: Vec<Vec<Vec<f32>>> = trainings.iter().map(|one| scores_of(one, subset)).collect();
    let found: Vec<Metrics> = scores
        .iter()
        .map(|scores| measure(scores, &subset.targets))
        .collect();
    let parts: Vec<&[Vec<f32>]> = scores.iter().map(Vec::as_slice).collect();
    let answers = Answers::new(&subset.targets, &subset.clusters, &parts);
    let measures = if matches!(subset.targets, Targets::Classes { .. }) {
        &OF_CLASSES[..]
    } else {
        &OF_VALUES[..]
    };
    let row = |(number, (measure, value)): (usize, &Measure)| {
        let over = repeats(&found.iter().map(value).collect::<Vec<f64>>(), LEVEL);
        let (test_low, test_high) = match *measure {
            _ if model == MAJORITY => (f64::NAN, f64::NAN),
            _ if number == 0 => answers.interval(request.bootstraps, request.seed),
            "accuracy" | "mse" => {
                let own = |i: usize| {
                    scores
                        .iter()
                        .map(|scores| by_sequence(&scores[i], i, subset))
                        .sum::<f64>()
                        / scores.len() as f64
                };
                let values: Vec<f64> = (0..subset.indices.len()).map(own).collect();
                bootstrap::mean_interval(
                    &values,
                    &subset.clusters,
                    request.bootstraps,
                    LEVEL,
                    request.seed,
                )
            }
            _ => (f64::NAN, f64::NAN),
        };
        FoldRow {
            model: model.into(),
            subset: subset.name.into(),
            measure: (*measure).into(),
            n_folds: over.n as u64,
            mean: over.mean,
            sd: over.sd,
            low: over.low,
            high: over.high,
            test_low,
            test_high,
            n_clusters: answers.n_clusters() as u64,
        }
    };
    measures.iter().enumerate().map(row).collect()
}

fn comparisons(
    (model, other): (&str, &str),
    all: &[Predictions],
    subset: &Subset,
    request: &JudgeRequest,
) -> Vec<ComparisonRow> {
    let same = |one: &Predictions| {
        trainings(all, other)
            .into_iter()
            .find(|two| (two.fold, two.seed) == (one.fold, one.seed))
    };
    let pairs: Vec<_> = trainings(all, model)
        .into_iter()
        .filter_map(|one| Some((scores_of(one, subset), scores_of(same(one)?, subset))))
        .collect();
    if pairs.is_empty() || subset.indices.is_empty() {
        return Vec::new();
    }
    let (own, others): (Vec<&Scores>, Vec<&Scores>) = pairs
        .iter()
        .map(|(a, b)| (a.as_slice(), b.as_slice()))
        .unzip();
    let answers =
        |trainings: &[&Scores]| Answers::new(&subset.targets, &subset.clusters, trainings);
    let (first, second) = (answers(&own), answers(&others));
    let row = |measure: &str, found: Difference| ComparisonRow {
        model: model.into(),
        other: other.into(),
        subset: subset.name.into(),
        measure: measure.into(),
        n_folds: pairs.len() as u64,
        n: subset.indices.len() as u64,
        n_clusters: first.n_clusters() as u64,
        difference: found.value,
        ci_low: found.low,
        ci_high: found.high,
        p_value: found.p_value,
        p_floor: found.p_floor,
    };
    let [score, by_sequence] = if matches!(subset.targets, Targets::Classes { .. }) {
        ["mcc", "accuracy"]
    } else {
        ["pearson", "mse"]
    };
    let ranked = first.against(
        &second,
        request.bootstraps,
        request.permutations,
        request.seed,
    );
    vec![
        row(score, ranked),
        row(by_sequence, by_sequences(&pairs, subset, request)),
    ]
}

/// What accuracy, or the mean squared error, is the mean of.
fn by_sequence(scores: &[f32], i: usize, subset: &Subset) -> f64 {
    match &subset.targets {
        Targets::Classes { labels, .. } => {
            f64::from(u8::from(super::metrics::predicted(scores) == labels[i]))
        }
        Targets::Values(values) => (f64::from(scores[0]) - values[i]).powi(2),
    }
}

/// The difference in what is a mean over sequences: accuracy, or squared error.
fn by_sequences(pairs: &[Pair], subset: &Subset, request: &JudgeRequest) -> Difference {
    let of =
        |(a, b): &Pair, i: usize| by_sequence(&a[i], i, subset) - by_sequence(&b[i], i, subset);
    let mean = |i: usize| pairs.iter().map(|pair| of(pair, i)).sum::<f64>() / pairs.len() as f64;
    let differences: Vec<f64> = (0..subset.indices.len()).map(mean).collect();
    let (low, high) = bootstrap::mean_interval(
        &differences,
        &subset.clusters,
        request.bootstraps,
        LEVEL,
        request.seed,
    );
    // Flipping a difference of 0 changes nothing, and where few are left every flip can be tried.
    let (some, theirs): (Vec<f64>, Vec<usize>) = differences
        .iter()
        .zip(&subset.clusters)
        .filter(|(d, _)| **d != 0.0)
        .unzip();
    let test = permutation::sign_flip_clusters(&some, &theirs, request.permutations, request.seed);
    Difference {
        value: crate::stats::mean(&differences),
        low,
        high,
        p_value: test.p_value,
        p_floor: test.p_floor,
    }
}

/// The rows, and how each test sequence is like one of the data at most.
fn duplicates(task: &Task) -> (Vec<DuplicateRow>, Vec<Option<Likeness>>) {
    let mut trained = vec![false; task.data.len()];
    task.partitions
        .iter()
        .flat_map(|partition| &partition.train)
        .for_each(|row| trained[*row] = true);
    let partners = similarity::partners(&task.test.sequences, &task.data.sequences);
    let mut rows = Vec::new();
    for (index, partners) in partners.iter().enumerate() {
        for (split, is_trained) in [(Split::Train, true), (Split::Valid, false)] {
            let own: Vec<&Partner> = partners
                .iter()
                .filter(|partner| trained[partner.index] == is_trained)
                .collect();
            let Some(first) = own.first() else { continue };
            let alike = || {
                own.iter()
                    .filter(|partner| partner.likeness == first.likeness)
            };
            let label_of = |partner: &Partner| label(&task.data.targets, partner.index);
            let own_label = label(&task.test.targets, index);
            rows.push(DuplicateRow {
                index: index as u64,
                sequence: task.test.names[index].clone(),
                split: split.name().into(),
                likeness: first.likeness.name().into(),
                shared: first.shared,
                partner: task.data.names[first.index].clone(),
                partner_label: label_of(first),
                n_partners: alike().count() as u64,
                n_other_label: alike()
                    .filter(|partner| label_of(partner) != own_label)
                    .count() as u64,
                label: own_label,
            });
        }
    }
    (
        rows,
        partners
            .iter()
            .map(|partners| partners.first().map(|first| first.likeness))
            .collect(),
    )
}

#[cfg(test)]
mod tests;
