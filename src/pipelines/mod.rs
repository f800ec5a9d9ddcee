//! One file per scientific question: a pure step from a request to an outcome. Only `cli` and `report` write files. `comparison` is what they share
//! that set positions against matched controls.

pub mod boundaries;
pub mod comparison;
pub mod density;
pub mod ldarnet;
pub mod locus;
pub mod motif_enrichment;
pub mod splice_profile;
pub mod tiles;

use crate::error::Result;

/// What a pipeline asks of a model: sequences in, boundary probabilities out. A toy, a fixed grid or a k-mer tokenizer can stand here.
pub trait BoundaryModel {
    /// `[t]` of result `i` is the probability that inter-base position `t` of sequence `i` (between base `t - 1` and base `t`) is a boundary:
    /// as many values as bases, in `[0, 1]`. `[0]` is 1 by definition and never enters a statistic. Sequences hold the letters A, C, G, T and N
    /// and, within one call, have one length. `NaN` stands for a base that the model's stage never sees; the outermost stage sees all.
    ///
    /// # Errors
    /// Whatever keeps the model from reading them.
    fn boundary_probs(&self, sequences: &[Vec<u8>]) -> Result<Vec<Vec<f32>>>;
}

/// How far a pipeline is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What it is doing.
    pub stage: &'static str,
    /// Units done: contigs in the stages before the model, bases read in the model's stage.
    pub done: u64,
    /// Units in all.
    pub total: u64,
}
