//! The hits of one motif and of its permuted versions.

use rayon::prelude::*;

use super::grounds::{Ground, Grounds};
use super::matching::PERMUTED_MATRICES;
use super::{Control, EnrichmentRequest, Query};
use crate::genome::Strand;
use crate::motifs::Motif;
use crate::motifs::background::Background;
use crate::motifs::elements::{Anchor, Element};
use crate::motifs::overlap::best_of_overlapping;
use crate::motifs::permute::permute_columns;
use crate::motifs::scan::{Encoded, Hit, ScanRequest, Scanner};
use crate::motifs::weights::{PSEUDOCOUNT, Weights};
use crate::stats::rng::Rng;

/// The threshold of core promoter elements: short words at a known place. Where even the best word
/// is more likely (or any word of a consensus), words as good as it are hits.
pub const ELEMENT_P: f64 = 1e-3;

/// Annotated start sites are taken to be right within this many bases when the place of a core
/// promoter element is judged.
pub const TSS_SLACK_BP: usize = 5;

/// A stretch of one strand of a ground.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Occurrence {
    pub ground: usize,
    pub start: usize,
    pub end: usize,
    pub strand: Strand,
    /// Log-odds in bits; `NaN` for a place that is no hit.
    pub score: f64,
    /// `NaN` likewise.
    pub p_value: f64,
}

impl Occurrence {
    pub fn shares_a_base(&self, other: &Occurrence) -> bool {
        self.ground == other.ground && self.start < other.end && other.start < self.end
    }
}

/// The hits of a motif.
#[derive(Clone, Debug)]
pub(super) struct Hits {
    /// Columns of the matrix.
    pub width: usize,
    /// The threshold.
    pub p: f64,
    /// The probability of its best word.
    pub best_p: f64,
    /// In promoters, as scanned; also those that overlap a better one.
    pub raw: Vec<Occurrence>,
    /// How many of them count as found: overlaps resolved, but for core promoter elements.
    pub n_found: usize,
    /// Of a core promoter element: where it may lie, ground by ground, by start and strand.
    pub homes: Option<Vec<Vec<(usize, Strand)>>>,
    /// Hits that words of independent letters would give there, overlaps not resolved; `NaN` of
    /// other motifs.
    pub expected: f64,
    /// Those that are where the motif may lie, and have a whole window of plain letters.
    pub usable: Vec<Occurrence>,
    /// Hits where a core promoter element does not lie, or that overlap a better one where it does.
    pub misplaced: usize,
    /// Hits without a whole window of plain letters.
    pub not_plain: usize,
    /// In windows outside of promoters; usable ones alone.
    pub outside: Vec<Occurrence>,
}

/// The probability that a random word is the best word of a matrix.
pub fn best_word_p(motif: &Motif, background: Background) -> f64 {
    let weights = Weights::new(motif, background, PSEUDOCOUNT);
    let letters = background.probabilities();
    let column = |column: &[f64; 4]| {
        let best = column.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        column
            .iter()
            .zip(letters)
            .filter(|(w, _)| **w >= best - 1e-9)
            .map(|(_, p)| p)
            .sum::<f64>()
    };
    weights.columns.iter().map(column).product()
}

/// Hits of a query, and usable ones of its permuted versions where they are asked for (by matrix):
/// of a core promoter element, those that lie where it may.
pub(super) fn find(
    query: &Query,
    grounds: &Grounds,
    [promoters, outside]: &[Encoded; 2],
    background: Background,
    request: &EnrichmentRequest,
) -> (Hits, Vec<Vec<Occurrence>>) {
    let motif = &query.motif;
    let best_p = best_word_p(motif, background);
    // Rounding in the exact distribution moves a p-value by a thousandth of itself.
    let p = if query.element.is_some() {
        ELEMENT_P.max(best_p * 1.01)
    } else {
        request.p
    };
    // In a negative control, one permuted matrix stands for the motif, wherever its hits lie.
    let element = query.element.as_ref().filter(|_| !request.negative_control);
    let homes = element.map(|element| {
        grounds.all[..grounds.n_promoters]
            .iter()
            .map(|ground| homes(element, ground))
            .collect::<Vec<_>>()
    });
    let at_home = |place: &Occurrence| {
        homes.as_ref().is_none_or(|homes| {
            homes[place.ground]
                .binary_search(&(place.start, place.strand))
                .is_ok()
        })
    };
    // Of an element, overlaps are resolved among hits where it may lie: a better one on the other
    // strand is none.
    let placed = |raw: &[Occurrence]| resolved(raw.iter().copied().filter(at_home).collect());
    let plain =
        |place: &Occurrence| grounds.all[place.ground].is_plain(place.start, place.end, request);
    let mut motifs = vec![motif.clone()];
    if request.controls.contains(&Control::Permuted) {
        let mut rng = Rng::new(request.seed).derive(&format!("permuted {}", motif.id));
        motifs.extend((0..PERMUTED_MATRICES).map(|_| permute_columns(motif, &mut rng)));
    }
    let scanner = Scanner::new(
        &motifs,
        &ScanRequest {
            p,
            all_hits: true,
            ..ScanRequest::new(background)
        },
    );
    // Hits of one of them, in grounds from `first` on.
    let scanned = |motif: usize, letters: &Encoded, first: usize| -> Vec<Occurrence> {
        let place = |hit: Hit| {
            let ground = first + hit.sequence;
            let from = grounds.all[ground].interval.start;
            Occurrence {
                ground,
                start: from + hit.start,
                end: from + hit.end,
                strand: hit.strand,
                score: hit.score,
                p_value: hit.p_value,
            }
        };
        scanner
            .scan(motif..motif + 1, letters)
            .hits
            .into_iter()
            .map(place)
            .collect()
    };
    // A negative control takes the first permuted matrix in the place of the motif, and nothing
    // without permuted ones.
    let own = usize::from(request.negative_control);
    let raw = if own < motifs.len() {
        scanned(own, promoters, 0)
    } else {
        Vec::new()
    };
    let order = |motif| {
        placed(&scanned(motif, promoters, 0))
            .into_iter()
            .filter(plain)
            .collect()
    };
    let permuted = (own + 1..motifs.len()).into_par_iter().map(order).collect();
    let at_place = placed(&raw);
    let n_found = if element.is_some() {
        raw.len()
    } else {
        at_place.len()
    };
    let usable: Vec<Occurrence> = at_place.iter().copied().filter(plain).collect();
    let mut outside = if request.needs_outside() {
        resolved(scanned(0, outside, grounds.n_promoters))
    } else {
        Vec::new()
    };
    outside.retain(plain);
    let (misplaced, not_plain) = (n_found - at_place.len(), at_place.len() - usable.len());
    let places = homes.as_ref().map_or(f64::NAN, |homes| {
        homes.iter().map(Vec::len).sum::<usize>() as f64
    });
    let expected = places * scanner.attained_p(0).unwrap_or(0.0);
    let hits = Hits {
        width: motif.width(),
        p,
        best_p,
        raw,
        n_found,
        homes,
        expected,
        usable,
        misplaced,
        not_plain,
        outside,
    };
    (hits, permuted)
}

/// The best of overlapping hits, ground by ground.
fn resolved(places: Vec<Occurrence>) -> Vec<Occurrence> {
    let of_ground = |same: &[Occurrence]| {
        let hit = |place: &Occurrence| Hit {
            motif: 0,
            sequence: place.ground,
            start: place.start,
            end: place.end,
            strand: place.strand,
            score: place.score,
            p_value: place.p_value,
        };
        let place = |hit: Hit| Occurrence {
            ground: hit.sequence,
            start: hit.start,
            end: hit.end,
            strand: hit.strand,
            score: hit.score,
            p_value: hit.p_value,
        };
        best_of_overlapping(&same.iter().map(hit).collect::<Vec<_>>())
            .into_iter()
            .map(place)
            .collect::<Vec<_>>()
    };
    places
        .chunk_by(|a, b| a.ground == b.ground)
        .flat_map(of_ground)
        .collect()
}

/// Where an element may lie, of any of the start sites (or codons) of a ground: starts and strands,
/// sorted, each once.
fn homes(element: &Element, ground: &Ground) -> Vec<(usize, Strand)> {
    let (anchors, slack) = match element.anchor {
        Anchor::Tss => (&ground.starts, TSS_SLACK_BP),
        Anchor::StartCodon => (&ground.codons, 0),
    };
    let of = |(anchor, strand): &(usize, Strand)| {
        element.places(*anchor, *strand, slack).collect::<Vec<_>>()
    };
    let within = anchors
        .iter()
        .flat_map(of)
        .filter(|(place, _)| ground.interval.contains(place));
    let mut found: Vec<(usize, Strand)> = within
        .map(|(place, strand)| (place.start, strand))
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}
