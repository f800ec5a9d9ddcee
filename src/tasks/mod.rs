//! Labelled sequences: read, divided, and what is made of a model's scores of them.
//!
//! | file | what it holds |
//! |---|---|
//! | `read` | tables, Parquet and FASTA to sequences with labels |
//! | `request` | the files of a task to what is trained on and tested |
//! | `folds` | shuffled k-fold |
//! | `suite` | benchmark suites as data |
//! | `cut` | sequences cut from a genome by coordinates |
//! | `kmer` | the baseline: logistic regression on 6-mers |
//! | `metrics` | how good predictions are |
//! | `judge` | from predictions to tables: everything that is said of models (`rows`: their columns) |
//! | `moved` | token boundaries before and after a training |
//! | `similarity` | sequences that are copies of each other, or nearly |
//! | `sampling` | how far a score depends on which sequences were tested; whether two models differ |

pub mod cut;
pub mod folds;
pub mod judge;
pub mod kmer;
pub mod metrics;
pub mod moved;
pub mod read;
pub mod request;
pub mod rows;
pub mod sampling;
pub mod similarity;
pub mod suite;

pub use folds::{Partition, folds};
pub use judge::{JudgeRequest, Judgement, judge};
pub use request::{Plan, TaskRequest};

use serde::{Deserialize, Serialize};

/// The two bits of A, C, G and T; `None` of any other letter.
fn base_code(letter: u8) -> Option<u64> {
    match letter {
        b'A' => Some(0),
        b'C' => Some(1),
        b'G' => Some(2),
        b'T' => Some(3),
        _ => None,
    }
}

/// Sequences with what is to be predicted of each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dataset {
    /// Names, as the file gives them, else `FILE:LINE` (Parquet: `FILE:ROW`).
    pub names: Vec<String>,
    /// Letters A, C, G, T and N, upper case; none is empty.
    pub sequences: Vec<Vec<u8>>,
    /// One a sequence.
    pub targets: Targets,
}

/// What is to be predicted.
#[derive(Clone, Debug, PartialEq)]
pub enum Targets {
    /// A class of two or more.
    Classes {
        /// Index into `names`, one a sequence.
        labels: Vec<u32>,
        /// The classes, numbers by value, names by letter; the same in all parts of a task.
        names: Vec<String>,
    },
    /// A finite number.
    Values(Vec<f64>),
}

impl Default for Targets {
    fn default() -> Self {
        Targets::Values(Vec::new())
    }
}

impl Targets {
    /// Values that a model gives a sequence: one a class, or one.
    pub fn width(&self) -> usize {
        match self {
            Targets::Classes { names, .. } => names.len(),
            Targets::Values(_) => 1,
        }
    }

    /// Those of some sequences, in the order of `indices`.
    ///
    /// # Panics
    /// Where an index is out of range.
    pub fn select(&self, indices: &[usize]) -> Targets {
        match self {
            Targets::Classes { labels, names } => Targets::Classes {
                labels: indices.iter().map(|i| labels[*i]).collect(),
                names: names.clone(),
            },
            Targets::Values(values) => {
                Targets::Values(indices.iter().map(|i| values[*i]).collect())
            }
        }
    }

    /// Which of the classes each sequence belongs to; empty for values.
    pub fn labels(&self) -> &[u32] {
        match self {
            Targets::Classes { labels, .. } => labels,
            Targets::Values(_) => &[],
        }
    }
}

impl Dataset {
    /// How many sequences there are.
    pub fn len(&self) -> usize {
        self.sequences.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.sequences.is_empty()
    }

    /// Bases of all sequences.
    pub fn bases(&self) -> usize {
        self.sequences.iter().map(Vec::len).sum()
    }

    /// Some of the sequences, in the order of `indices`.
    ///
    /// # Panics
    /// Where an index is out of range.
    pub fn select(&self, indices: &[usize]) -> Dataset {
        Dataset {
            names: indices.iter().map(|i| self.names[*i].clone()).collect(),
            sequences: indices.iter().map(|i| self.sequences[*i].clone()).collect(),
            targets: self.targets.select(indices),
        }
    }
}

/// Everything that one task is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// What it is called: the `--task` asked for, else the folder or file of the test sequences.
    pub name: String,
    /// All rows that may be trained on or validated with: those of `--train` (or `--data`), then
    /// those of `--valid`.
    pub data: Dataset,
    /// The rows that are tested. Its classes are those of `data`.
    pub test: Dataset,
    /// The independent jobs of a run: which rows of `data` train and which validate.
    pub partitions: Vec<Partition>,
    /// What is to be said of the files: letters read as N, classes without a test sequence.
    pub notes: Vec<String>,
}

/// A part of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// The rows of `data` that a partition trains on.
    Train,
    /// The rows of `data` that a partition chooses by.
    Valid,
    /// The tested rows.
    Test,
}

impl Split {
    /// `train`, `valid` or `test`.
    pub fn name(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Valid => "valid",
            Split::Test => "test",
        }
    }
}

/// What a trained model says of the sequences of a split.
#[derive(Clone, Debug, PartialEq)]
pub struct Predictions {
    /// The model's name in tables: `ldarnet`, `random`, `kmer`, ...
    pub model: String,
    /// [`Partition::fold`] of the training.
    pub fold: usize,
    /// [`Partition::seed`] of the training.
    pub seed: u64,
    /// Which sequences: `Test` in the order of [`Task::test`], `Valid` and `Train` in that of the
    /// partition's rows.
    pub split: Split,
    /// Per sequence: probabilities of the classes (they sum to 1), or one value.
    pub scores: Vec<Vec<f32>>,
    /// How fast the scores were had; `NaN` where nobody measured.
    pub bases_per_second: f64,
}

/// One epoch of a training: the points of the learning curves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRow {
    /// The model.
    pub model: String,
    /// [`Partition::fold`].
    pub fold: u64,
    /// [`Partition::seed`].
    pub seed: u64,
    /// From 1.
    pub epoch: u64,
    /// Learning rate of its last step.
    pub rate: f64,
    /// Mean loss over its training sequences, as they were met.
    pub train_loss: f64,
    /// Mean loss over the validation sequences, at its end.
    pub valid_loss: f64,
    /// Accuracy there; `NaN` for values.
    pub valid_accuracy: f64,
    /// Matthews correlation there; of values Pearson's.
    pub valid_score: f64,
    /// Training speed.
    pub bases_per_second: f64,
    /// Whether its weights were kept in the end.
    pub best: bool,
}
