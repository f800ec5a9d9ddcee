//! The options that say which sequences a model is trained and tested on.

use crate::bundled;
use crate::error::{Error, Result};
use crate::report::provenance::Input;
use crate::tasks::request::{Columns, Plan, TableSource, TaskRequest};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// The options, for every command that trains on labelled sequences.
#[derive(Clone, Debug, clap::Args)]
pub struct TaskOptions {
    /// A bundled task, in place of files: mouse_2 or prom_core_tata [default: mouse_2]
    #[arg(value_name = "TASK", conflicts_with_all = ["train", "data", "test", "valid"])]
    bundled: Option<String>,
    /// Sequences with labels to train on: CSV, TSV, Parquet, or FASTA with the label in the header;
    /// plain or gzip
    #[arg(long, value_name = "FILE", requires = "test", conflicts_with = "data")]
    train: Option<PathBuf>,
    /// Sequences to choose the best epoch and the baseline's penalty by [default: a share of
    /// --train]
    #[arg(long, value_name = "FILE", requires = "train")]
    valid: Option<PathBuf>,
    /// Sequences to train on and to validate with in turn, --folds times
    #[arg(long, value_name = "FILE", requires = "test")]
    data: Option<PathBuf>,
    /// Sequences to test; never trained on, nothing is chosen by them
    #[arg(long, value_name = "FILE")]
    test: Option<PathBuf>,
    /// Folds of --data: shuffled k-fold, the rows of scikit-learn's KFold
    #[arg(long, value_name = "K", default_value_t = 10)]
    folds: usize,
    /// Share of --train that validates where --valid is not given, another for each seed
    #[arg(long, value_name = "SHARE", default_value_t = 0.1, conflicts_with_all = ["valid", "data"])]
    holdout: f64,
    /// Seeds; one training each (with --data: one seed for the folds and all trainings)
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "42")]
    seeds: Vec<u64>,
    /// Only rows with this in the column 'task', as in Hugging Face's Nucleotide Transformer tasks
    #[arg(long, value_name = "NAME")]
    task: Option<String>,
    /// Column of the sequences
    #[arg(long, value_name = "NAME", default_value = "sequence")]
    sequence_column: String,
    /// Column of the labels: two or more classes by name or number, or values with --regression
    #[arg(long, value_name = "NAME", default_value = "label")]
    label_column: String,
    /// Column of names [default: name, where that is there]
    #[arg(long, value_name = "NAME")]
    name_column: Option<String>,
    /// Labels are numbers to be predicted, not classes
    #[arg(long)]
    regression: bool,
    /// Longest sequence that is read, in bases; a longer one is an error
    #[arg(long, value_name = "BASES", default_value_t = 100_000)]
    longest: usize,
}

/// The name of a bundled task where none is given.
const DEFAULT: &str = "mouse_2";

impl TaskOptions {
    /// The request.
    ///
    /// # Errors
    /// An unknown bundled task; counts that mean nothing.
    pub fn request(&self) -> Result<TaskRequest> {
        let usage = |message: String| Err(Error::Usage(message));
        let mut seen = self.seeds.clone();
        seen.sort_unstable();
        seen.dedup();
        if seen.len() != self.seeds.len() || self.seeds.is_empty() {
            return usage("--seeds: one or more, each once".into());
        }
        if self.longest == 0 {
            return usage("--longest 0: no sequence would be read".into());
        }
        let seeds = self.seeds.clone();
        let files = |path: &Option<PathBuf>| path.clone().map(TableSource::File);
        let (data, plan, test) = match (files(&self.train), files(&self.data), files(&self.test)) {
            (Some(train), _, Some(test)) => match files(&self.valid) {
                Some(valid) => (train, Plan::Given { valid, seeds }, test),
                None if self.holdout > 0.0 && self.holdout < 1.0 => (
                    train,
                    Plan::Share {
                        share: self.holdout,
                        seeds,
                    },
                    test,
                ),
                None => {
                    return usage(format!(
                        "--holdout {}: more than 0 and less than 1",
                        self.holdout
                    ));
                }
            },
            (None, Some(data), Some(test)) => match (self.folds, &seeds[..]) {
                (0 | 1, _) => return usage(format!("--folds {}: at least 2", self.folds)),
                (k, [seed]) => (data, Plan::Folds { k, seed: *seed }, test),
                _ => {
                    return usage(
                        "--data takes one of --seeds: each fold is a training of its own".into(),
                    );
                }
            },
            (None, None, Some(_)) => return usage("--test needs --train or --data".into()),
            _ => {
                let name = self.bundled.as_deref().unwrap_or(DEFAULT);
                let Some(files) = bundled::task(name) else {
                    let known: Vec<&str> = bundled::TASKS.iter().map(|(name, _)| *name).collect();
                    return usage(format!(
                        "no bundled task '{name}': there are {}; files are given by --train, --valid and --test",
                        known.join(", ")
                    ));
                };
                let [train, valid, test] =
                    files.map(|file| TableSource::Bundled(file.name, file.bytes));
                (train, Plan::Given { valid, seeds }, test)
            }
        };
        let columns = Columns {
            sequence: self.sequence_column.clone(),
            label: self.label_column.clone(),
            name: self.name_column.clone(),
            task: self.task.clone(),
        };
        Ok(TaskRequest {
            data,
            plan,
            test,
            columns,
            regression: self.regression,
            longest: self.longest,
        })
    }
}

/// The records of the files of a task.
///
/// # Errors
/// One that cannot be read.
pub fn inputs(request: &TaskRequest) -> Result<Vec<Input>> {
    let mut files = vec![("train", &request.data)];
    if let Plan::Given { valid, .. } = &request.plan {
        files.push(("valid", valid));
    }
    files.push(("test", &request.test));
    let one = |(role, source): (&str, &TableSource)| match source {
        TableSource::File(path) => Input::file(role, path),
        TableSource::Bundled(name, bytes) => Ok(Input::bytes(role, name, bytes)),
    };
    files.into_iter().map(one).collect()
}

/// What the files are and how they are divided, by file names only: the same in every folder.
pub fn parameters(request: &TaskRequest) -> Value {
    let mut value = json!(request);
    shorten(&mut value["data"]);
    shorten(&mut value["test"]);
    if let Some(valid) = value["plan"].pointer_mut("/given/valid") {
        shorten(valid);
    }
    value
}

/// A path becomes its last part.
fn shorten(path: &mut Value) {
    let name = path
        .as_str()
        .and_then(|path| Path::new(path).file_name())
        .map(|name| name.to_string_lossy().into_owned());
    if let Some(name) = name {
        *path = name.into();
    }
}
