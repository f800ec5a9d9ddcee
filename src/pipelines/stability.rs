//! What an edit of sequence does to the boundaries around it.
//!
//! Edits are made at random places of genes, and at splice cores and the same letters elsewhere;
//! each is read in a window of its own, before and after, on one strand. Beside the model stand an
//! untrained one of the same shape, and a table of the letters around a position that was fitted on
//! what the model said of unedited sequence: what a function of so few letters would do.

mod probes;
mod rows;
mod summary;
mod table;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::genome::annotation::Annotation;
use crate::genome::fasta::Genome;
use crate::pipelines::comparison::{self, ContigReader};
use crate::pipelines::questions::Questions;
use crate::pipelines::splice_profile::{self, SpliceProfileRequest};
use crate::pipelines::{BoundarySource, Progress};
use probes::{Asked, Probe};
use table::Letters;

pub use probes::{KINDS, MAP_BP, SHARE};
pub use rows::{ComparisonRow, DistanceRow, EditRow, MapRow, SummaryRow};
pub use table::LETTERS;

/// The names of what is edited: models, and the table.
pub const MODEL: &str = "model";
/// A model of the same shape with random weights.
pub const UNTRAINED: &str = "untrained";
/// The table of letters, fitted on the model.
pub const TABLE: &str = "letters";

/// What is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StabilityRequest {
    /// Sites and their controls.
    #[serde(flatten)]
    pub sites: SpliceProfileRequest,
    /// Random places.
    pub places: usize,
    /// Bases on either side of an edit whose boundaries are looked at.
    pub reach: usize,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Stability {
    /// Every edit, as every model answers it.
    pub edits: Vec<EditRow>,
    /// Responses by distance from the edit.
    pub distances: Vec<DistanceRow>,
    /// Means by kind of edit.
    pub summary: Vec<SummaryRow>,
    /// What is compared.
    pub comparisons: Vec<ComparisonRow>,
    /// All substitutions around one place.
    pub map: Vec<MapRow>,
    /// Places that were edited, and pairs of a site and a control.
    pub n_places: u64,
    /// Pairs.
    pub n_pairs: u64,
    /// Bases read by the models.
    pub bases_read: u64,
}

/// Bases of questions that are asked together.
const TOGETHER_BP: u64 = 1 << 22;

/// Edits and compares. `models` are the model, and the untrained one.
///
/// # Errors
/// A request that cannot be met, a genome and an annotation that do not fit each other, an
/// unreadable contig, and what the models report.
pub fn run(
    genome: &Genome,
    annotation: &Annotation,
    models: &[&dyn BoundarySource],
    request: &StabilityRequest,
    progress: &dyn Fn(Progress),
) -> Result<Stability> {
    let Some(first) = models.first() else {
        return Ok(Stability::default());
    };
    request.sites.comparison.check()?;
    let mut contigs = ContigReader::new(genome, *first);
    let (study, _) =
        splice_profile::study(annotation, &[], &mut contigs, &request.sites, progress)?;
    let pairs = comparison::pairs(&study, &mut contigs, &request.sites.comparison, progress)?;
    let places = probes::places(&study, &mut contigs, request)?;
    let mut all = probes::at_places(&places, &mut contigs, request)?;
    all.extend(probes::of_pairs(&study, &pairs, &mut contigs, request)?);
    let map = probes::map(&study, &pairs, &mut contigs, request)?;
    let mut found = Stability {
        n_places: places.len() as u64,
        n_pairs: pairs.len() as u64,
        ..Stability::default()
    };
    let mut letters = Letters::new(&study);
    let mut distances = BTreeMap::new();
    let total = (models.len() * (all.len() + map.len())) as u64;
    let mut done = 0;
    for (number, source) in models.iter().enumerate() {
        let name = if number == 0 { MODEL } else { UNTRAINED };
        let of_map = if number == 0 { &map[..] } else { &[] };
        let probes: Vec<&Probe> = all.iter().chain(of_map).collect();
        let mut rest = &probes[..];
        while !rest.is_empty() {
            let mut questions = Questions::default();
            let mut asked: Vec<Asked> = Vec::new();
            while asked.len() < rest.len() && questions.bases() < TOGETHER_BP {
                asked.push(rest[asked.len()].ask(&mut questions));
            }
            let (some, later) = rest.split_at(asked.len());
            let n = some.len();
            let bases = questions.bases();
            let answers = questions.answers(
                *source,
                request.sites.comparison.batch * request.sites.comparison.context,
                &|read| {
                    progress(Progress {
                        stage: "reading edits",
                        done: done + n as u64 * read / bases.max(1),
                        total,
                    });
                },
            )?;
            done += n as u64;
            if !source.is_part() {
                found.bases_read += bases;
                for (probe, asked) in some.iter().zip(&asked) {
                    let (before, after) = (&answers[asked.before], &answers[asked.after]);
                    if number == 0 {
                        letters.learn(probe, before);
                    }
                    summary::add(
                        name,
                        probe,
                        before,
                        after,
                        request,
                        &mut found,
                        &mut distances,
                    );
                }
            }
            rest = later;
        }
    }
    if first.is_part() {
        return Ok(found);
    }
    progress(Progress {
        stage: "testing",
        done: 0,
        total: 1,
    });
    if let Some(table) = letters.fit() {
        for probe in all.iter().filter(|probe| probe.is_edit_of_letters()) {
            let (before, after) = table.predict(probe);
            summary::add(
                TABLE,
                probe,
                &before,
                &after,
                request,
                &mut found,
                &mut distances,
            );
        }
    }
    summary::finish(&mut found, distances, request);
    Ok(found)
}

#[cfg(test)]
mod tests;
