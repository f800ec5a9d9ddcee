//! One file per scientific question: a pure step from a request to an outcome. Only `cli` and
//! `report` write files. `comparison` is what they share that set positions against matched
//! controls.

pub mod association;
pub mod boundaries;
pub mod codon_phase;
pub mod compare;
pub mod comparison;
pub mod density;
pub mod edits;
pub mod ldarnet;
pub mod locus;
pub mod matched_flops;
pub mod motif_enrichment;
mod questions;
pub mod signal;
pub mod site_profile;
pub mod splice_profile;
pub mod stability;
pub mod store;
pub mod tiles;
pub mod tokenizers;
pub mod variants;

use crate::error::Result;
use crate::genome::sequence::model_letters;
use crate::genome::{Interval, Strand};

/// Where a stretch lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region<'a> {
    /// The contig, as the genome names it.
    pub contig: &'a str,
    /// The bases it covers.
    pub bases: Interval,
    /// The strand it is read on.
    pub strand: Strand,
}

/// The letter of a base that a model is given as `[MASK]`.
pub const MASKED: u8 = b'?';

/// Something to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch<'a> {
    /// Its letters A, C, G, T, N and [`MASKED`], in the orientation of its strand.
    pub letters: Vec<u8>,
    /// Where these letters lie; `None` for letters that stand nowhere in the genome, such as
    /// shuffled ones.
    pub place: Option<Region<'a>>,
}

impl<'a> Stretch<'a> {
    /// Bases of a contig, read on a strand; `None` where they reach beyond its sequence.
    pub fn of_contig(
        contig: &'a str,
        sequence: &[u8],
        bases: Interval,
        strand: Strand,
    ) -> Option<Stretch<'a>> {
        let letters = model_letters(sequence.get(bases.start..bases.end)?, strand);
        Some(Stretch {
            letters,
            place: Some(Region {
                contig,
                bases,
                strand,
            }),
        })
    }

    /// Letters that stand nowhere.
    pub fn nowhere(letters: Vec<u8>) -> Stretch<'static> {
        Stretch {
            letters,
            place: None,
        }
    }
}

/// What the values of a source are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// Boundary probabilities of a model, in `[0, 1]`. It reads any letters, also such as stand
    /// nowhere.
    Probabilities,
    /// Finite numbers of a model that are none for each base: see [`ldarnet::Scorer`].
    Scores,
    /// A track of finite numbers, known for places alone.
    Signal,
}

/// What a pipeline reads: a model, a toy, a fixed grid, or a track from a file.
pub trait BoundarySource {
    /// `[t]` of result `i` belongs to inter-base position `t` of stretch `i`, between its letters
    /// `t - 1` and `t`: as many values as letters. The stretches of one call have one length. The
    /// values of a stretch depend on this stretch alone (but for rounding, on nothing else of the
    /// call, nor on calls before).
    ///
    /// A model's `[0]` is 1 by definition and never enters a statistic; `NaN` stands for a base
    /// that the model's stage never sees; the outermost stage sees all. A track's value of base `t`
    /// belongs to the position before it in the orientation of the stretch.
    ///
    /// # Errors
    /// Whatever keeps the source from reading them.
    fn read(&self, stretches: &[Stretch<'_>]) -> Result<Vec<Vec<f32>>>;

    /// What the values are.
    fn values(&self) -> Values {
        Values::Probabilities
    }

    /// Whether it answers a part of the calls only, and the others with nothing: pipelines then
    /// read and stop.
    fn is_part(&self) -> bool {
        false
    }

    /// Bases of a contig that the source has no value for, in order and apart: nothing that is read
    /// holds one.
    ///
    /// # Errors
    /// Whatever keeps the source from saying so.
    fn missing(&self, _contig: &str) -> Result<Vec<Interval>> {
        Ok(Vec::new())
    }
}

/// The letters of a contig with N for bases that have no value and for those next to them: a
/// position is read from the base on either side.
pub fn masked(mut letters: Vec<u8>, missing: &[Interval]) -> Vec<u8> {
    for part in missing {
        let end = part.end.saturating_add(1).min(letters.len());
        letters[part.start.saturating_sub(1).min(end)..end].fill(b'N');
    }
    letters
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
