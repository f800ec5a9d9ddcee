//! What a finished training leaves: a file of its scores and epochs, and the model beside it.

use super::protocol::Protocol;
use super::schedule::standing_of;
use crate::model::checkpoint::{load_tensors, save_tensors};
use crate::tasks::moved::Moved;
use crate::tasks::{EpochRow, Partition, Predictions, Split, Task};
use crate::{Error, Result};
use candle_core::{Device, Tensor};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What came out of one training.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Scores of the validation and of the test sequences, by the weights of the best epoch.
    pub predictions: Vec<Predictions>,
    /// The epochs.
    pub epochs: Vec<EpochRow>,
    /// The boundaries on the test sequences before and after; `None` of a model without a router,
    /// or one that stayed as it was.
    pub moved: Option<Moved>,
    /// Operations of a forward pass over the test sequences per base ([`crate::model::flops`]), by
    /// the weights of the best epoch.
    pub flops_per_base: f64,
}

/// Name of a training: its files start with it.
pub fn stem(model: &str, fold: usize, seed: u64) -> String {
    format!("{model}-fold-{fold}-seed-{seed}")
}

/// The file of scores of a training in a folder.
pub fn scores_file(folder: &Path, stem: &str) -> PathBuf {
    folder.join(format!("{stem}.scores.safetensors"))
}

/// The model of a training in a folder.
pub fn model_file(folder: &Path, stem: &str) -> PathBuf {
    folder.join(format!("{stem}.safetensors"))
}

const SPLITS: [Split; 2] = [Split::Valid, Split::Test];

impl Outcome {
    /// Writes the scores; `about` says what decided them.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write(&self, folder: &Path, stem: &str, about: &str) -> Result<()> {
        let mut tensors = BTreeMap::new();
        let mut notes = BTreeMap::from([
            ("about".to_string(), about.to_string()),
            ("epochs".to_string(), epochs_text(&self.epochs)),
        ]);
        for one in &self.predictions {
            let width = one.scores.first().map_or(0, Vec::len);
            tensors.insert(
                one.split.name().to_string(),
                Tensor::from_vec(one.scores.concat(), (one.scores.len(), width), &Device::Cpu)?,
            );
            notes.insert(speed(one.split), one.bases_per_second.to_string());
        }
        notes.insert(FLOPS.into(), self.flops_per_base.to_string());
        if let Some(moved) = &self.moved {
            let flat = moved.flat();
            tensors.insert(
                "moved".into(),
                Tensor::from_slice(&flat, flat.len(), &Device::Cpu)?,
            );
        }
        save_tensors(&scores_file(folder, stem), &tensors, notes)
    }

    /// Reads back those of a training of a task; `None` where there are none, or such that
    /// something else decided.
    ///
    /// # Errors
    /// A damaged file.
    pub fn read(
        folder: &Path,
        (task, partition): (&Task, &Partition),
        model: &str,
        protocol: &Protocol,
        about: &str,
    ) -> Result<Option<Outcome>> {
        let path = scores_file(folder, &stem(model, partition.fold, partition.seed));
        if !path.exists() {
            return Ok(None);
        }
        let (tensors, notes) = load_tensors(&path)?;
        if notes.get("about").map(String::as_str) != Some(about) {
            return Ok(None);
        }
        let damaged = || Error::file(&path, "is damaged: remove it and run its training again");
        let mut epochs = notes
            .get("epochs")
            .and_then(|text| epochs(text, model, partition))
            .ok_or_else(damaged)?;
        let best = standing_of(protocol, &epochs).best;
        epochs
            .iter_mut()
            .enumerate()
            .for_each(|(i, epoch)| epoch.best = Some(i) == best);
        let predictions = |split: Split| {
            let rows = if split == Split::Test {
                task.test.len()
            } else {
                partition.valid.len()
            };
            let scores = tensors
                .get(split.name())
                .ok_or_else(damaged)?
                .to_vec2::<f32>()?;
            let bases_per_second = notes
                .get(&speed(split))
                .and_then(|text| text.parse().ok())
                .ok_or_else(damaged)?;
            match scores.len() == rows {
                true => Ok(Predictions {
                    model: model.into(),
                    fold: partition.fold,
                    seed: partition.seed,
                    split,
                    scores,
                    bases_per_second,
                }),
                false => Err(damaged()),
            }
        };
        let predictions = SPLITS.into_iter().map(predictions).collect::<Result<_>>()?;
        let moved = tensors
            .get("moved")
            .map(Tensor::to_vec1::<f32>)
            .transpose()?
            .map(|flat| Moved::from_flat(&flat));
        let flops_per_base = notes
            .get(FLOPS)
            .and_then(|text| text.parse().ok())
            .ok_or_else(damaged)?;
        Ok(Some(Outcome {
            predictions,
            epochs,
            moved,
            flops_per_base,
        }))
    }
}

/// The entry of the notes with the work per base.
const FLOPS: &str = "flops_per_base";

fn speed(split: Split) -> String {
    format!("{}_bases_per_second", split.name())
}

/// Columns of the table of epochs.
const COLUMNS: &str =
    "epoch\trate\ttrain_loss\tvalid_loss\tvalid_accuracy\tvalid_score\tbases_per_second";

/// A table of epochs; every number comes back as it was.
pub fn epochs_text(epochs: &[EpochRow]) -> String {
    let line = |e: &EpochRow| {
        let numbers = [
            e.rate,
            e.train_loss,
            e.valid_loss,
            e.valid_accuracy,
            e.valid_score,
            e.bases_per_second,
        ];
        numbers.iter().fold(e.epoch.to_string(), |line, number| {
            format!("{line}\t{number}")
        }) + "\n"
    };
    epochs
        .iter()
        .fold(format!("{COLUMNS}\n"), |text, epoch| text + &line(epoch))
}

/// The epochs of a table that [`epochs_text`] made; `None` of anything else.
pub fn epochs(text: &str, model: &str, partition: &Partition) -> Option<Vec<EpochRow>> {
    let row = |line: &str| {
        let mut words = line.split('\t');
        let epoch = words.next()?.parse().ok()?;
        let numbers: Vec<f64> = words.map(|word| word.parse().ok()).collect::<Option<_>>()?;
        let [
            rate,
            train_loss,
            valid_loss,
            valid_accuracy,
            valid_score,
            bases_per_second,
        ] = numbers[..]
        else {
            return None;
        };
        let (model, fold, seed) = (model.to_string(), partition.fold as u64, partition.seed);
        Some(EpochRow {
            model,
            fold,
            seed,
            epoch,
            rate,
            train_loss,
            valid_loss,
            valid_accuracy,
            valid_score,
            bases_per_second,
            best: false,
        })
    };
    text.strip_prefix(COLUMNS)?
        .lines()
        .filter(|line| !line.is_empty())
        .map(row)
        .collect()
}
