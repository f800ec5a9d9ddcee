//! One training from start to its predictions. After every epoch it leaves what it needs to go on,
//! and then ends on the same bits.

use super::learner::{Learner, goals};
use super::outcome::{Outcome, epochs, epochs_text, model_file, stem};
use super::protocol::{Protocol, Trained};
use super::reader::SequenceReader;
use super::schedule::standing_of;
use crate::model::checkpoint::{load_tensors, on, save_tensors};
use crate::model::flops::forward_flops;
use crate::model::fresh::Fresh;
use crate::model::head::{self, Answer, Readout, parts};
use crate::model::{Checkpoint, Config, FineTuned, LdarNet, Precision};
use crate::output::write_atomic;
use crate::stats::rng::Rng;
use crate::tasks::metrics::measure;
use crate::tasks::moved::Moved;
use crate::tasks::{EpochRow, Partition, Predictions, Split, Targets, Task};
use crate::train::optimizer::trainable;
use crate::{Error, Result};
use candle_core::{Device, Tensor};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What a training starts from, but for the head.
pub enum Start {
    /// The weights of a file; a head in it is left out.
    Checkpoint(Checkpoint),
    /// Random weights, by the seed of the training.
    Random(Config),
}

impl Start {
    /// The configuration.
    pub fn config(&self) -> &Config {
        match self {
            Start::Checkpoint(checkpoint) => &checkpoint.config,
            Start::Random(config) => config,
        }
    }

    /// Weights of model and head.
    fn tensors(&self, readout: &Readout, seed: u64) -> Result<BTreeMap<String, Tensor>> {
        let mut fresh = Fresh::new(seed);
        FineTuned::new(self.config(), readout.clone(), &mut fresh)?;
        if let Start::Checkpoint(checkpoint) = self {
            let known = checkpoint
                .tensors
                .iter()
                .filter(|(name, _)| !head::TENSORS.contains(&name.as_str()));
            fresh
                .tensors
                .extend(known.map(|(name, tensor)| (name.clone(), tensor.clone())));
        }
        Ok(fresh.tensors)
    }
}

/// What a training tells on its way.
pub enum Told<'a> {
    /// So many bases more were trained on or read.
    Bases(usize),
    /// An epoch is done.
    Epoch(&'a EpochRow),
}

/// One training.
pub struct Job<'a> {
    /// The task.
    pub task: &'a Task,
    /// Which rows train and which validate.
    pub partition: &'a Partition,
    /// What it starts from.
    pub start: &'a Start,
    /// Its numbers.
    pub protocol: &'a Protocol,
    /// The model's name in tables.
    pub model: &'a str,
    /// Everything that decides the result, as text: what an earlier run left goes on only where it
    /// is the same.
    pub about: &'a str,
    /// Where its files are.
    pub folder: &'a Path,
    /// Where it runs.
    pub device: &'a Device,
    /// In which precision (see [`LdarNet::set_training_precision`]).
    pub precision: Precision,
}

/// A training between two epochs.
struct State {
    learner: Learner,
    epochs: Vec<EpochRow>,
    /// The trained tensors after the best epoch, on the CPU.
    best: BTreeMap<String, Tensor>,
}

impl Job<'_> {
    /// Runs it to its end, or takes what an earlier run left. `told` may end it with an error;
    /// nothing but the epoch at work is lost then.
    ///
    /// # Errors
    /// Those of the model and of `told`; a loss that is no number; files that cannot be read or
    /// written.
    pub fn run(
        &self,
        reader: &mut SequenceReader,
        told: &mut dyn FnMut(Told) -> Result<()>,
    ) -> Result<Outcome> {
        if let Some(done) = self.outcome()? {
            return Ok(done);
        }
        let (readout, before) = self.beginning()?;
        let goals = self.goals(&readout.answer);
        let mut state = self.open(&readout, &before)?;
        if self.protocol.trained == Trained::Head {
            reader.freeze(&state.learner.tuned, self.protocol.at_once, &mut |bases| {
                told(Told::Bases(bases))
            })?;
        }
        loop {
            let now = standing_of(self.protocol, &state.epochs);
            if now.ended {
                break;
            }
            let row = self.epoch(&mut state, reader, &goals, now.rate, told)?;
            state.epochs.push(row);
            if standing_of(self.protocol, &state.epochs).best == Some(state.epochs.len() - 1) {
                state.best = trainable(state.learner.trained(), &Device::Cpu)?;
            }
            self.save(&state)?;
            told(Told::Epoch(&state.epochs[state.epochs.len() - 1]))?;
        }
        self.finish(state, &readout, before, reader, told)?;
        self.outcome()?
            .ok_or_else(|| Error::file(self.folder, "lost the scores that were just written there"))
    }

    fn outcome(&self) -> Result<Option<Outcome>> {
        Outcome::read(
            self.folder,
            (self.task, self.partition),
            self.model,
            self.protocol,
            self.about,
        )
    }

    fn beginning(&self) -> Result<(Readout, BTreeMap<String, Tensor>)> {
        let answer = match &self.task.data.targets {
            Targets::Classes { names, .. } => Answer::Classes(names.clone()),
            Targets::Values(values) => {
                let known: Vec<f64> = self
                    .partition
                    .train
                    .iter()
                    .map(|&row| values[row])
                    .collect();
                let sd = crate::stats::variance(&known).sqrt();
                Answer::Value {
                    mean: crate::stats::mean(&known),
                    sd: if sd > 0.0 { sd } else { 1.0 },
                }
            }
        };
        let readout = Readout {
            pooling: self.protocol.pooling,
            both_strands: self.protocol.both_strands,
            answer,
        };
        let tensors = self.start.tensors(&readout, self.partition.seed)?;
        Ok((readout, tensors))
    }

    /// Of the rows that the reader knows.
    fn goals(&self, answer: &Answer) -> Vec<super::learner::Goal> {
        goals(&self.task.data.targets, answer)
            .into_iter()
            .chain(goals(&self.task.test.targets, answer))
            .collect()
    }

    fn learner(&self, readout: &Readout, tensors: &BTreeMap<String, Tensor>) -> Result<Learner> {
        Learner::new(
            self.start.config(),
            readout.clone(),
            tensors,
            self.protocol,
            self.device,
            self.precision,
        )
    }

    fn stem(&self) -> String {
        stem(self.model, self.partition.fold, self.partition.seed)
    }

    fn state_file(&self) -> PathBuf {
        self.folder
            .join(format!("{}.training.safetensors", self.stem()))
    }

    fn epochs_file(&self) -> PathBuf {
        self.folder.join(format!("{}.tsv", self.stem()))
    }

    /// Starts, or goes on from the last epoch that an earlier run left.
    fn open(&self, readout: &Readout, before: &BTreeMap<String, Tensor>) -> Result<State> {
        let path = self.state_file();
        let left = if path.exists() {
            Some(load_tensors(&path)?)
        } else {
            None
        };
        let Some((tensors, notes)) =
            left.filter(|(_, notes)| notes.get("about").map(String::as_str) == Some(self.about))
        else {
            return Ok(State {
                learner: self.learner(readout, before)?,
                epochs: Vec::new(),
                best: BTreeMap::new(),
            });
        };
        let damaged = || Error::file(&path, "is damaged: remove it to start this training anew");
        let of = |kind: &str| {
            tensors
                .iter()
                .filter_map(|(name, tensor)| {
                    Some((name.strip_prefix(kind)?.to_string(), tensor.clone()))
                })
                .collect()
        };
        let mut weights = before.clone();
        weights.extend::<BTreeMap<String, Tensor>>(of("w."));
        let mut learner = self.learner(readout, &weights)?;
        let steps = notes
            .get("steps")
            .and_then(|steps| steps.parse().ok())
            .ok_or_else(damaged)?;
        learner.restore(&tensors, steps)?;
        let epochs = notes
            .get("epochs")
            .and_then(|text| epochs(text, self.model, self.partition))
            .ok_or_else(damaged)?;
        Ok(State {
            learner,
            epochs,
            best: of("best."),
        })
    }

    fn save(&self, state: &State) -> Result<()> {
        let mut tensors = state.learner.moments()?;
        let named = |kind: &str, tensors: BTreeMap<String, Tensor>| {
            tensors
                .into_iter()
                .map(|(name, tensor)| (format!("{kind}{name}"), tensor))
                .collect::<Vec<_>>()
        };
        tensors.extend(named("w.", on(state.learner.trained(), &Device::Cpu)?));
        tensors.extend(named("best.", state.best.clone()));
        let text = epochs_text(&state.epochs);
        write_atomic(&self.epochs_file(), |file| file.write_all(text.as_bytes()))?;
        let notes = BTreeMap::from([
            ("about".to_string(), self.about.to_string()),
            ("steps".to_string(), state.learner.steps().to_string()),
            ("epochs".to_string(), text),
        ]);
        save_tensors(&self.state_file(), &tensors, notes)
    }

    /// Trains on every row once, in an order of the epoch's own, and scores the validation rows.
    fn epoch(
        &self,
        state: &mut State,
        reader: &SequenceReader,
        goals: &[super::learner::Goal],
        rate: f64,
        told: &mut dyn FnMut(Told) -> Result<()>,
    ) -> Result<EpochRow> {
        let (number, partition, learner) = (
            state.epochs.len() as u64 + 1,
            self.partition,
            &mut state.learner,
        );
        let rng = Rng::new(partition.seed)
            .derive("fine-tuning")
            .derive_number(partition.fold as u64)
            .derive_number(number);
        let (mut order, mut strands) = (partition.train.clone(), rng.derive("strands"));
        rng.derive("order").shuffle(&mut order);
        let (mut loss, mut seconds) = (0.0, 0.0);
        for rows in order.chunks(self.protocol.batch) {
            let since = Instant::now();
            let drawn: Vec<(usize, bool)> = rows
                .iter()
                .map(|&row| (row, self.protocol.both_strands && strands.uniform() < 0.5))
                .collect();
            let (mean, gradients) = learner.gradients(&reader.batch(&drawn, goals))?;
            learner.step(&gradients, rate)?;
            loss += mean * rows.len() as f64;
            seconds += since.elapsed().as_secs_f64();
            told(Told::Bases(reader.bases(rows)))?;
        }
        let scores = reader.scores(
            learner,
            &partition.valid,
            self.protocol.at_once,
            &mut |bases| told(Told::Bases(bases)),
        )?;
        let found = measure(&scores, &self.task.data.targets.select(&partition.valid));
        let unit = if let Answer::Value { sd, .. } = learner.tuned.readout.answer {
            sd * sd
        } else {
            1.0
        };
        Ok(EpochRow {
            model: self.model.into(),
            fold: partition.fold as u64,
            seed: partition.seed,
            epoch: number,
            rate,
            train_loss: loss * unit / order.len().max(1) as f64,
            valid_loss: found.loss,
            valid_accuracy: found.accuracy,
            valid_score: found.score(),
            bases_per_second: reader.bases(&order) as f64 / seconds,
            best: false,
        })
    }

    /// Scores validation and test rows by the weights of the best epoch, and leaves scores and
    /// model.
    fn finish(
        &self,
        state: State,
        readout: &Readout,
        before: BTreeMap<String, Tensor>,
        reader: &SequenceReader,
        told: &mut dyn FnMut(Told) -> Result<()>,
    ) -> Result<()> {
        let State {
            learner,
            epochs,
            best,
        } = state;
        drop(learner); // its moments and weights
        let mut after = before.clone();
        after.extend(best);
        let learner = self.learner(readout, &after)?;
        let mut predictions = |split, rows: &[usize]| {
            let (since, mut bases) = (Instant::now(), 0);
            let scores = reader.scores(&learner, rows, self.protocol.at_once, &mut |more| {
                bases += more;
                told(Told::Bases(more))
            })?;
            let bases_per_second = bases as f64 / since.elapsed().as_secs_f64();
            let Partition { fold, seed, .. } = *self.partition;
            Ok(Predictions {
                model: self.model.into(),
                fold,
                seed,
                split,
                scores,
                bases_per_second,
            })
        };
        let predictions: Vec<Predictions> = [
            predictions(Split::Valid, &self.partition.valid),
            predictions(Split::Test, &reader.tested()),
        ]
        .into_iter()
        .collect::<Result<_>>()?;
        let has_router = self.start.config().layout.stages() > 1;
        let before = (has_router && self.protocol.trained != Trained::Head)
            .then(|| self.learner(readout, &before))
            .transpose()?;
        let (moved, flops_per_base) = self.routed(
            before.as_ref().map(|before| &before.tuned.model),
            &learner.tuned.model,
            reader,
        )?;
        let json = |value: serde_json::Result<String>| {
            value.map_err(|e| Error::Invalid(format!("the head cannot be written down: {e}")))
        };
        let mut notes = BTreeMap::from([
            (
                head::NOTE.to_string(),
                json(serde_json::to_string(readout))?,
            ),
            ("task".to_string(), self.task.name.clone()),
            (
                "protocol".to_string(),
                json(serde_json::to_string(self.protocol))?,
            ),
            (
                "epoch".to_string(),
                standing_of(self.protocol, &epochs)
                    .best
                    .map_or(0, |best| best + 1)
                    .to_string(),
            ),
        ]);
        if let Start::Checkpoint(checkpoint) = self.start {
            // How long the windows were that the model was pretrained on is still what it reads
            // best.
            notes.extend(
                checkpoint
                    .notes
                    .get_key_value("train_length")
                    .map(|(key, value)| (key.clone(), value.clone())),
            );
        }
        let checkpoint = Checkpoint {
            config: self.start.config().clone(),
            tensors: on(learner.tensors(), &Device::Cpu)?,
            notes,
        };
        checkpoint.save(model_file(self.folder, &self.stem()))?;
        Outcome {
            predictions,
            epochs,
            moved,
            flops_per_base,
        }
        .write(self.folder, &self.stem(), self.about)?;
        for path in [self.state_file(), self.epochs_file()] {
            std::fs::remove_file(&path).map_err(Error::io(&path))?;
        }
        Ok(())
    }

    /// The decisions of the outermost router on the test sequences before, where asked for, and
    /// after; and the work per base after.
    fn routed(
        &self,
        before: Option<&LdarNet>,
        after: &LdarNet,
        reader: &SequenceReader,
    ) -> Result<(Option<Moved>, f64)> {
        let labels = self.task.test.targets.labels();
        let mut moved = before.map(|_| Moved::new(self.task.test.targets.width()));
        let tested: Vec<&[u8]> = reader
            .tested()
            .into_iter()
            .map(|row| reader.tokens(row))
            .collect();
        let routers = after.config().layout.stages() - 1;
        let (mut flops, mut bases) = (0.0, 0);
        for part in parts(&tested, self.protocol.at_once) {
            let sequences = &tested[part.clone()];
            let all = if routers == 0 {
                Vec::new()
            } else {
                after.route(sequences, routers - 1)?
            };
            flops += forward_flops(after.config(), sequences, &all);
            bases += sequences
                .iter()
                .map(|sequence| sequence.len())
                .sum::<usize>();
            let (Some(before), Some(moved), Some(after)) = (before, &mut moved, all.first()) else {
                continue;
            };
            let before = before.route(sequences, 0)?.remove(0);
            for (i, seq) in part.zip(before.seqs.iter()) {
                let class = labels.get(i).map_or(0, |&label| label as usize);
                moved.add(class, &before.mask[seq.clone()], &after.mask[seq.clone()]);
            }
        }
        Ok((moved, flops / bases as f64))
    }
}

#[cfg(test)]
mod tests;
