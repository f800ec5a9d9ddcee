//! The sequences of a task as the learner takes them: those to train on or validate with, then
//! those that are tested.

use super::learner::{Batch, Goal, Inputs, Learner};
use crate::Result;
use crate::kernels::tape::Tape;
use crate::model::FineTuned;
use crate::model::head::{mean, parts};
use crate::model::tokenizer::{encode, reverse_complement};
use crate::tasks::Task;

/// Sequences by row: [`Task::data`], then [`Task::test`].
pub struct SequenceReader {
    tokens: Vec<Vec<u8>>,
    /// Pooled vectors of each strand that is read, where the model stays as it is.
    features: Vec<Vec<Vec<f32>>>,
    /// Sequences of `data`.
    data: usize,
}

impl SequenceReader {
    /// Letters to tokens.
    pub fn new(task: &Task) -> SequenceReader {
        let sequences = task.data.sequences.iter().chain(&task.test.sequences);
        SequenceReader {
            tokens: sequences.map(|letters| encode(letters)).collect(),
            features: Vec::new(),
            data: task.data.len(),
        }
    }

    /// The rows that are tested.
    pub fn tested(&self) -> Vec<usize> {
        (self.data..self.tokens.len()).collect()
    }

    /// The tokens of a row.
    pub fn tokens(&self, row: usize) -> &[u8] {
        &self.tokens[row]
    }

    /// Bases of some rows.
    pub fn bases(&self, rows: &[usize]) -> usize {
        rows.iter().map(|&row| self.tokens[row].len()).sum()
    }

    /// Reads all sequences once with a model that will stay as it is: from now on its pooled
    /// vectors stand for them. `done` is told the bases read.
    ///
    /// # Errors
    /// As [`FineTuned::features`].
    pub fn freeze(
        &mut self,
        tuned: &FineTuned,
        at_once: usize,
        done: &mut dyn FnMut(usize) -> Result<()>,
    ) -> Result<()> {
        self.features.clear();
        let other = |tokens: &Vec<u8>| reverse_complement(tokens);
        for turned in if tuned.readout.both_strands {
            &[false, true][..]
        } else {
            &[false]
        } {
            let mut features = Vec::with_capacity(self.tokens.len());
            for part in parts(&self.tokens, at_once) {
                let tokens: Vec<Vec<u8>> = self.tokens[part]
                    .iter()
                    .map(|tokens| {
                        if *turned {
                            other(tokens)
                        } else {
                            tokens.clone()
                        }
                    })
                    .collect();
                features.extend(tuned.features(&Tape::off(), &tokens)?.to_vec2::<f32>()?);
                done(tokens.iter().map(Vec::len).sum())?;
            }
            self.features.push(features);
        }
        Ok(())
    }

    /// One step's sequences: rows, and whether each is read on the other strand.
    pub fn batch(&self, rows: &[(usize, bool)], goals: &[Goal]) -> Batch {
        let inputs = if self.features.is_empty() {
            let tokens = |&(row, turned): &(usize, bool)| {
                if turned {
                    reverse_complement(&self.tokens[row])
                } else {
                    self.tokens[row].clone()
                }
            };
            Inputs::Tokens(rows.iter().map(tokens).collect())
        } else {
            Inputs::Features(
                rows.iter()
                    .map(|&(row, turned)| self.features[usize::from(turned)][row].clone())
                    .collect(),
            )
        };
        Batch {
            inputs,
            goals: rows.iter().map(|&(row, _)| goals[row]).collect(),
        }
    }

    /// Scores of rows. `done` is told the bases read.
    ///
    /// # Errors
    /// As [`FineTuned::scores`].
    pub fn scores(
        &self,
        learner: &Learner,
        rows: &[usize],
        at_once: usize,
        done: &mut dyn FnMut(usize) -> Result<()>,
    ) -> Result<Vec<Vec<f32>>> {
        if self.features.is_empty() {
            let tokens: Vec<&[u8]> = rows.iter().map(|&row| self.tokens(row)).collect();
            return learner.tuned.scores(&tokens, at_once, done);
        }
        let of = |features: &Vec<Vec<f32>>| {
            let features: Vec<Vec<f32>> = rows.iter().map(|&row| features[row].clone()).collect();
            learner
                .tuned
                .scores_of_features(&learner.tensor(&features)?)
        };
        let strands = self.features.iter().map(of).collect::<Result<Vec<_>>>()?;
        done(self.bases(rows))?;
        Ok(match &strands[..] {
            [one, other] => one
                .iter()
                .zip(other)
                .map(|(one, other)| mean(one, other))
                .collect(),
            _ => strands.concat(),
        })
    }
}
