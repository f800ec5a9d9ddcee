//! From the files of a task to what is trained on and tested.

use super::folds::{Partition, folds, holdout};
use super::read::{self, Rows};
use super::{Dataset, Targets, Task};
use crate::error::{Error, Result};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

pub use super::read::{Columns, TableSource};

/// The files of a task, and how they are divided.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TaskRequest {
    /// The rows to train on (with [`Plan::Given`]), or to train on and to validate with.
    pub data: TableSource,
    /// Where validation rows come from.
    pub plan: Plan,
    /// The rows to test.
    pub test: TableSource,
    /// Which columns are read.
    pub columns: Columns,
    /// Whether labels are numbers to be predicted, and not classes.
    pub regression: bool,
    /// The longest sequence, in bases.
    pub longest: usize,
}

/// Where validation rows come from, and how often the training is repeated.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Plan {
    /// A file of their own; one training a seed.
    Given {
        /// The file.
        valid: TableSource,
        /// Seeds of the trainings.
        seeds: Vec<u64>,
    },
    /// Every row once, by shuffled k-fold: `k` trainings, all with one seed.
    Folds {
        /// How many folds, at least 2.
        k: usize,
        /// Seed of the folds and of the trainings.
        seed: u64,
    },
    /// A random share of the rows, another for each seed; one training a seed.
    Share {
        /// Of all rows, between 0 and 1.
        share: f64,
        /// Seeds of the shares and of the trainings.
        seeds: Vec<u64>,
    },
}

/// More classes than this are no classes.
const MOST_CLASSES: usize = 1000;

impl TaskRequest {
    /// Reads the files.
    ///
    /// # Errors
    /// Those of the files; labels that are not what was asked for; classes that no training row
    /// has, fewer than two classes; fewer rows than folds.
    pub fn load(&self) -> Result<Task> {
        let read = |source: &TableSource| read::read(source, &self.columns, self.longest);
        let (mut files, test) = (vec![read(&self.data)?], read(&self.test)?);
        if let Plan::Given { valid, .. } = &self.plan {
            files.push(read(valid)?);
        }
        let train_rows = files[0].rows.len();
        let mut notes = files
            .iter()
            .chain([&test])
            .filter_map(codes)
            .collect::<Vec<_>>();
        let (targets, tested) = match self.regression {
            true => (values(&files)?, values(std::slice::from_ref(&test))?),
            false => classes(&files, &test, &mut notes)?,
        };
        let data = dataset(files, targets);
        let partitions = self.partitions(train_rows, data.len())?;
        for partition in &partitions {
            every_class_is_learned(&data.targets, partition)?;
        }
        Ok(Task {
            name: self.name(),
            test: dataset(vec![test], tested),
            data,
            partitions,
            notes,
        })
    }

    /// What the task is called.
    fn name(&self) -> String {
        let path = self.test.path();
        let stem = |name: &std::ffi::OsStr| {
            let name = name.to_string_lossy();
            let name = name.strip_prefix("bundled:").unwrap_or(&name);
            name.split('.').next().unwrap_or_default().to_string()
        };
        let file = path.file_name().map(stem).unwrap_or_default();
        let folder = path
            .parent()
            .and_then(|folder| folder.file_name())
            .map(stem);
        match (&self.columns.task, folder) {
            (Some(task), _) => task.clone(),
            (None, Some(folder)) if file == "test" && !folder.is_empty() => folder,
            _ => file,
        }
    }

    fn partitions(&self, train_rows: usize, rows: usize) -> Result<Vec<Partition>> {
        match &self.plan {
            Plan::Given { seeds, .. } => {
                let partition = |seed: &u64| Partition {
                    fold: 0,
                    seed: *seed,
                    train: (0..train_rows).collect(),
                    valid: (train_rows..rows).collect(),
                };
                Ok(seeds.iter().map(partition).collect())
            }
            Plan::Folds { k, seed } => {
                if !(2..=rows).contains(k) {
                    return Err(Error::Invalid(format!(
                        "{k} folds of {rows} rows: from 2 folds to one a row"
                    )));
                }
                let numbered = folds(rows, *k, *seed).into_iter().enumerate();
                Ok(numbered
                    .map(|(fold, (train, valid))| Partition {
                        fold,
                        seed: *seed,
                        train,
                        valid,
                    })
                    .collect())
            }
            Plan::Share { share, seeds } => {
                if !(*share > 0.0 && *share < 1.0 && rows > 1) {
                    return Err(Error::Invalid(format!(
                        "a share of {share} of {rows} rows to validate with: more than 0 and less than 1, of at least 2"
                    )));
                }
                let partition = |seed: &u64| {
                    let (train, valid) = holdout(rows, *share, *seed);
                    Partition {
                        fold: 0,
                        seed: *seed,
                        train,
                        valid,
                    }
                };
                Ok(seeds.iter().map(partition).collect())
            }
        }
    }
}

fn codes(rows: &Rows) -> Option<String> {
    let (letters, sequences) = rows.codes;
    (letters > 0).then(|| {
        format!(
            "{}: {letters} letters of {sequences} sequences are other nucleotide codes, read as N",
            rows.path.display()
        )
    })
}

fn dataset(files: Vec<Rows>, targets: Targets) -> Dataset {
    let mut data = Dataset {
        targets,
        ..Dataset::default()
    };
    for file in files {
        let name = file
            .path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        for row in file.rows {
            data.names.push(if row.name.is_empty() {
                format!("{name}:{}", row.at)
            } else {
                row.name
            });
            data.sequences.push(row.sequence);
        }
    }
    data
}

fn values(files: &[Rows]) -> Result<Targets> {
    let value = |file: &Rows, row: &read::Row| {
        let value = row
            .label
            .parse::<f64>()
            .ok()
            .filter(|value| value.is_finite());
        value.ok_or_else(|| {
            file.wrong(
                row.at,
                format!(
                    "label '{}' is no finite number, which --regression needs",
                    row.label
                ),
            )
        })
    };
    files
        .iter()
        .flat_map(|file| file.rows.iter().map(move |row| value(file, row)))
        .collect::<Result<_>>()
        .map(Targets::Values)
}

/// The name of a class: `1.0` and `01` are `1`.
fn class(label: &str) -> std::borrow::Cow<'_, str> {
    match label.parse::<f64>() {
        Ok(number) if number.fract() == 0.0 && number.abs() < 1e15 => {
            (number as i64).to_string().into()
        }
        _ => label.into(),
    }
}

/// Labels of the trained and of the tested rows. Classes are those of all trained files.
fn classes(files: &[Rows], test: &Rows, notes: &mut Vec<String>) -> Result<(Targets, Targets)> {
    let seen: BTreeSet<_> = files
        .iter()
        .flat_map(|file| &file.rows)
        .map(|row| class(&row.label))
        .collect();
    if seen.len() < 2 {
        let only = seen.first().map_or("", |name| name);
        return Err(Error::file(
            &files[0].path,
            format!("all rows are of class '{only}': there is nothing to tell apart"),
        ));
    }
    if seen.len() > MOST_CLASSES {
        return Err(Error::file(
            &files[0].path,
            format!(
                "{} classes, more than {MOST_CLASSES}: are these numbers to predict (--regression)?",
                seen.len()
            ),
        ));
    }
    let mut names: Vec<String> = seen.into_iter().map(String::from).collect();
    if names.iter().all(|name| name.parse::<i64>().is_ok()) {
        names.sort_by_key(|name| name.parse::<i64>().unwrap_or_default());
    }
    let numbers: BTreeMap<&str, u32> = names.iter().map(String::as_str).zip(0..).collect();
    let label = |file: &Rows, row: &read::Row| {
        let class = class(&row.label);
        numbers.get(&*class).copied().ok_or_else(|| {
            file.wrong(
                row.at,
                format!(
                    "class '{class}' is in no training row; there are {}",
                    some(&names)
                ),
            )
        })
    };
    let of = |files: &[Rows]| {
        files
            .iter()
            .flat_map(|file| file.rows.iter().map(move |row| label(file, row)))
            .collect::<Result<Vec<u32>>>()
    };
    let (labels, tested) = (of(files)?, of(std::slice::from_ref(test))?);
    let untested: Vec<String> = (0..)
        .zip(&names)
        .filter(|(number, _)| !tested.contains(number))
        .map(|(_, name)| name.clone())
        .collect();
    if !untested.is_empty() {
        notes.push(format!(
            "{}: no row of class {}; nothing is said of it",
            test.path.display(),
            some(&untested)
        ));
    }
    Ok((
        Targets::Classes {
            labels,
            names: names.clone(),
        },
        Targets::Classes {
            labels: tested,
            names,
        },
    ))
}

fn some(names: &[String]) -> String {
    let more = if names.len() > 10 {
        format!(" and {} more", names.len() - 10)
    } else {
        String::new()
    };
    names
        .iter()
        .take(10)
        .map(|name| format!("'{name}'"))
        .collect::<Vec<_>>()
        .join(", ")
        + &more
}

/// Refuses a partition that is to tell classes apart of which it sees none.
fn every_class_is_learned(targets: &Targets, partition: &Partition) -> Result<()> {
    let Targets::Classes { labels, names } = targets else {
        return Ok(());
    };
    let mut seen = vec![false; names.len()];
    partition
        .train
        .iter()
        .for_each(|row| seen[labels[*row] as usize] = true);
    match seen.iter().position(|seen| !seen) {
        None => Ok(()),
        Some(missing) => Err(Error::Invalid(format!(
            "class '{}' is in no training row of fold {}, seed {}: it is seen in validation only",
            names[missing], partition.fold, partition.seed
        ))),
    }
}

#[cfg(test)]
mod tests;
