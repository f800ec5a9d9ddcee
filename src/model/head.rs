//! A fine-tuned model: one linear layer on a pooled vector of each sequence, and what its outputs
//! mean.

use super::checkpoint::on;
use super::stack::Linear;
use super::tokenizer::reverse_complement;
use super::weights::{Init, Loaded, TensorSource};
use super::{Checkpoint, Config, LdarNet};
use crate::kernels::pool::pool;
use crate::kernels::tape::Tape;
use crate::{Error, Result};
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;

pub use crate::kernels::pool::Pooling;

/// The entry of a checkpoint's notes that describes its head ([`Readout`] as JSON).
pub const NOTE: &str = "head";

/// The head's tensors in a checkpoint: (outputs, d_model of the outermost stage) and (outputs).
pub const TENSORS: [&str; 2] = ["head.weight", "head.bias"];

/// The head's tensors that notes describe, with their shapes; none where they describe no head.
pub fn inventory(notes: &BTreeMap<String, String>, config: &Config) -> Vec<(String, Vec<usize>)> {
    let readout = notes
        .get(NOTE)
        .and_then(|note| serde_json::from_str::<Readout>(note).ok());
    let shapes = readout.map(|readout| {
        [
            vec![readout.answer.width(), config.stages[0].d_model],
            vec![readout.answer.width()],
        ]
    });
    shapes.map_or(Vec::new(), |shapes| {
        TENSORS.map(String::from).into_iter().zip(shapes).collect()
    })
}

/// How a sequence is read, and what the outputs mean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Readout {
    /// What becomes of the last hidden state, after the decoder.
    pub pooling: Pooling,
    /// Scores are means of those of both strands.
    pub both_strands: bool,
    /// What the outputs are.
    pub answer: Answer,
}

/// What the outputs of a head are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// Log-odds of these classes.
    Classes(Vec<String>),
    /// One number, less `mean` and divided by `sd`.
    Value {
        /// Of the training sequences.
        mean: f64,
        /// Of the training sequences.
        sd: f64,
    },
}

impl Answer {
    /// Outputs of the head.
    pub fn width(&self) -> usize {
        match self {
            Answer::Classes(names) => names.len(),
            Answer::Value { .. } => 1,
        }
    }

    /// Outputs as scores: probabilities of the classes, or the number.
    pub fn scores(&self, outputs: &[f32]) -> Vec<f32> {
        match self {
            Answer::Classes(_) => softmax(outputs).into_iter().map(|p| p as f32).collect(),
            Answer::Value { mean, sd } => outputs
                .iter()
                .map(|&x| (f64::from(x) * sd + mean) as f32)
                .collect(),
        }
    }
}

/// Probabilities from log-odds.
pub fn softmax(outputs: &[f32]) -> Vec<f64> {
    let max = outputs.iter().copied().fold(f32::MIN, f32::max);
    let powers: Vec<f64> = outputs.iter().map(|&x| f64::from(x - max).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

/// A model with a head.
pub struct FineTuned {
    /// The model.
    pub model: LdarNet,
    /// What is read of it.
    pub readout: Readout,
    head: Linear,
}

impl FineTuned {
    /// Builds model and head, asking `source` for every tensor. A fresh head is uniform in `±1 /
    /// sqrt(d_model)`, as PyTorch's linear layers are.
    ///
    /// # Errors
    /// A tensor is missing or misshapen.
    pub fn new(
        config: &Config,
        readout: Readout,
        source: &mut dyn TensorSource,
    ) -> Result<FineTuned> {
        let d = config.stages[0].d_model;
        let model = LdarNet::new(config, source)?;
        let head = Linear::with_bias(
            source,
            "head",
            d,
            readout.answer.width(),
            Init::Uniform(1.0 / (d as f64).sqrt()),
        )?;
        Ok(FineTuned {
            model,
            readout,
            head,
        })
    }

    /// That of a checkpoint, on a device.
    ///
    /// # Errors
    /// It has no head.
    pub fn of(checkpoint: &Checkpoint, device: &Device) -> Result<FineTuned> {
        let note = checkpoint.notes.get(NOTE).ok_or_else(|| {
            Error::Invalid("the model has no head: make one with ldar-analyze finetune, whose results hold models/*.safetensors".into())
        })?;
        let readout = serde_json::from_str(note).map_err(|e| {
            Error::Invalid(format!("its description of the head cannot be read: {e}"))
        })?;
        FineTuned::new(
            &checkpoint.config,
            readout,
            &mut Loaded::new(on(&checkpoint.tensors, device)?),
        )
    }

    /// The pooled vectors, (sequences, d_model).
    ///
    /// # Errors
    /// As [`LdarNet::forward`].
    pub fn features(&self, tape: &Tape, sequences: &[impl AsRef<[u8]>]) -> Result<Tensor> {
        let (hidden, seqs) = self.model.hidden_on(tape, sequences)?;
        Ok(pool(tape, &hidden, &seqs, self.readout.pooling)?)
    }

    /// The head's outputs of pooled vectors, (sequences, outputs).
    ///
    /// # Errors
    /// Vectors of another width.
    pub fn outputs(&self, tape: &Tape, features: &Tensor) -> Result<Tensor> {
        Ok(self.head.forward(tape, features)?)
    }

    /// Scores of sequences of tokens, in their order; about `at_once` bases are run together.
    /// `done` is told the bases that are done after each run, and may end it.
    ///
    /// # Errors
    /// As [`LdarNet::forward`].
    pub fn scores(
        &self,
        sequences: &[&[u8]],
        at_once: usize,
        done: &mut dyn FnMut(usize) -> Result<()>,
    ) -> Result<Vec<Vec<f32>>> {
        let one =
            |sequences: &[&[u8]]| self.scores_of_features(&self.features(&Tape::off(), sequences)?);
        let mut all = Vec::with_capacity(sequences.len());
        for part in parts(sequences, at_once) {
            let (part, bases) = (
                &sequences[part.clone()],
                sequences[part].iter().map(|s| s.len()).sum(),
            );
            let mut scores = one(part)?;
            if self.readout.both_strands {
                let other: Vec<Vec<u8>> = part
                    .iter()
                    .map(|sequence| reverse_complement(sequence))
                    .collect();
                let other = one(&other.iter().map(Vec::as_slice).collect::<Vec<_>>())?;
                scores = scores
                    .iter()
                    .zip(&other)
                    .map(|(one, other)| mean(one, other))
                    .collect();
            }
            all.extend(scores);
            done(bases)?;
        }
        Ok(all)
    }

    /// Scores of pooled vectors.
    ///
    /// # Errors
    /// Vectors of another width.
    pub fn scores_of_features(&self, features: &Tensor) -> Result<Vec<Vec<f32>>> {
        let outputs = self.outputs(&Tape::off(), features)?.to_vec2::<f32>()?;
        Ok(outputs
            .iter()
            .map(|outputs| self.readout.answer.scores(outputs))
            .collect())
    }
}

/// Means of two strands' scores.
pub fn mean(one: &[f32], other: &[f32]) -> Vec<f32> {
    one.iter().zip(other).map(|(a, b)| 0.5 * (a + b)).collect()
}

/// Runs of sequences of at most `at_once` bases together; a longer one alone.
pub fn parts(sequences: &[impl AsRef<[u8]>], at_once: usize) -> Vec<Range<usize>> {
    let (mut parts, mut start, mut bases) = (Vec::new(), 0, 0);
    for (i, sequence) in sequences.iter().enumerate() {
        let length = sequence.as_ref().len();
        if i > start && bases + length > at_once {
            parts.push(start..i);
            (start, bases) = (i, 0);
        }
        bases += length;
    }
    if start < sequences.len() {
        parts.push(start..sequences.len());
    }
    parts
}

#[cfg(test)]
mod tests;
