//! How many motifs tracks of letters alone would single out: random functions of the two letters
//! around a position, put through the same hits, controls and tests. A count of motifs for which
//! the model differs says something only beside theirs.

use rayon::prelude::*;

use super::grounds::Grounds;
use super::hits::Occurrence;
use super::matching::Matched;
use super::rows::YardstickRow;
use super::{Control, EnrichmentRequest, Studied, endpoints};
use crate::genome::sequence::model_letters;
use crate::stats::context::codes;
use crate::stats::multiplicity::benjamini_hochberg;
use crate::stats::permutation::ClusterSums;
use crate::stats::rng::Rng;

/// Random functions.
pub const YARDSTICKS: usize = 20;

/// False discovery rate of the counts.
const RATE: f64 = 0.05;

/// A value for each pair of neighbouring letters, the first letter in the higher two bits.
type Function = [f32; 16];

/// The pairs of letters around the inter-base positions of a place, from one before its first edge
/// to one after its second, in its orientation. Usable hits and their controls have plain letters
/// so far.
fn pairs_of_letters(place: &Occurrence, grounds: &Grounds) -> Vec<u8> {
    let ground = &grounds.all[place.ground];
    let bases = &ground.letters
        [place.start - 2 - ground.letters_start..place.end + 2 - ground.letters_start];
    codes(&model_letters(bases, place.strand))
        .windows(2)
        .map(|pair| (pair[0] << 2 | pair[1]) & 15)
        .collect()
}

fn value(function: &Function, letters: &[u8]) -> [f64; 2] {
    let values: Vec<f32> = letters
        .iter()
        .map(|pair| function[usize::from(*pair)])
        .collect();
    let (edges, inside) = endpoints(&values, 1, letters.len() - 3);
    [edges, inside]
}

/// One row a control with pairs of places, endpoint and function.
pub(super) fn rows(
    studied: &[Studied],
    grounds: &Grounds,
    request: &EnrichmentRequest,
) -> Vec<YardstickRow> {
    let rng = Rng::new(request.seed).derive("yardsticks");
    let functions: Vec<Function> = (0..YARDSTICKS as u64)
        .map(|number| {
            let mut rng = rng.derive_number(number);
            std::array::from_fn(|_| rng.uniform() as f32)
        })
        .collect();
    let enough = |matched: &&Matched| matched.pairs.len() >= request.min_hits;
    let mut found = Vec::new();
    for control in request
        .controls
        .iter()
        .filter(|control| matches!(control, Control::Position | Control::Outside))
    {
        let of = studied
            .iter()
            .filter(|s| s.hits.usable.len() >= request.min_hits);
        let matched = of.filter_map(|s| Some((s, s.matched_to(*control).filter(enough)?)));
        // By motif, function and endpoint: the difference and its p-value.
        let motifs: Vec<_> = matched.collect();
        let tests: Vec<Vec<[(f64, f64); 2]>> = motifs
            .into_par_iter()
            .map(|(studied, matched)| tests(studied, matched, grounds, &functions))
            .collect();
        for (number, endpoint) in ["edges", "inside"].into_iter().enumerate() {
            for track in 0..functions.len() {
                let of: Vec<(f64, f64)> = tests.iter().map(|motif| motif[track][number]).collect();
                let adjusted = benjamini_hochberg(&of.iter().map(|(_, p)| *p).collect::<Vec<_>>());
                let significant = |up: bool| {
                    adjusted
                        .iter()
                        .zip(&of)
                        .filter(|(p, (d, _))| **p <= RATE && (*d > 0.0) == up)
                        .count() as u64
                };
                found.push(YardstickRow {
                    control: control.name().into(),
                    endpoint: endpoint.into(),
                    track: track as u64 + 1,
                    n_tested: of.iter().filter(|(_, p)| p.is_finite()).count() as u64,
                    n_higher: significant(true),
                    n_lower: significant(false),
                });
            }
        }
    }
    found
}

fn tests(
    studied: &Studied,
    matched: &Matched,
    grounds: &Grounds,
    functions: &[Function],
) -> Vec<[(f64, f64); 2]> {
    let hit = |index: usize| &studied.hits.usable[index];
    let clusters: Vec<usize> = matched
        .pairs
        .iter()
        .map(|(index, _)| grounds.all[hit(*index).ground].cluster)
        .collect();
    let letters: Vec<[Vec<u8>; 2]> = matched
        .pairs
        .iter()
        .map(|(index, place)| {
            [
                pairs_of_letters(hit(*index), grounds),
                pairs_of_letters(place, grounds),
            ]
        })
        .collect();
    let test = |function: &Function| {
        let values: Vec<[[f64; 2]; 2]> = letters
            .iter()
            .map(|[hit, control]| [value(function, hit), value(function, control)])
            .collect();
        [0, 1].map(|endpoint| {
            let differences: Vec<f64> = values
                .iter()
                .map(|[hit, control]| hit[endpoint] - control[endpoint])
                .collect();
            (
                crate::stats::mean(&differences),
                ClusterSums::of_pairs(&differences, &clusters).normal_p_value(),
            )
        })
    };
    functions.iter().map(test).collect()
}
