//! The hits of one motif and of its permuted versions.

use super::grounds::Grounds;
use super::matching::PERMUTED_MATRICES;
use super::{Control, EnrichmentRequest, Query};
use crate::genome::{Interval, Strand};
use crate::motifs::Motif;
use crate::motifs::background::Background;
use crate::motifs::elements::{Anchor, Element};
use crate::motifs::overlap::best_of_overlapping;
use crate::motifs::permute::permute_columns;
use crate::motifs::scan::{Encoded, Hit, ScanRequest, scan};
use crate::motifs::weights::{PSEUDOCOUNT, Weights};
use crate::stats::rng::Rng;

/// The threshold of core promoter elements: short words at a known place. Where even the best word is more likely, words as good as it are hits.
pub const ELEMENT_P: f64 = 1e-3;

/// Annotated start sites are taken to be right within this many bases when the place of a core promoter element is judged.
pub const TSS_SLACK_BP: usize = 5;

/// A stretch of one strand of a ground.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Place {
    pub ground: usize,
    pub start: usize,
    pub end: usize,
    pub strand: Strand,
    /// Log-odds in bits; `NaN` for a place that is no hit.
    pub score: f64,
    /// `NaN` likewise.
    pub p_value: f64,
}

impl Place {
    pub fn shares_a_base(&self, other: &Place) -> bool {
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
    /// In promoters, as scanned.
    pub all: Vec<Place>,
    /// Those that are where the motif may lie, and have a whole window of plain letters.
    pub usable: Vec<Place>,
    /// Hits where a core promoter element does not lie, or that overlap a better one where it does.
    pub misplaced: usize,
    /// Hits without a whole window of plain letters.
    pub not_plain: usize,
    /// In windows outside of promoters; usable ones alone.
    pub outside: Vec<Place>,
}

/// The probability that a random word is the best word of a matrix.
pub fn best_word_p(motif: &Motif, background: Background) -> f64 {
    let weights = Weights::new(motif, background, PSEUDOCOUNT);
    let letters = background.probabilities();
    let column = |column: &[f64; 4]| {
        let best = column.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        column.iter().zip(letters).filter(|(w, _)| **w >= best - 1e-9).map(|(_, p)| p).sum::<f64>()
    };
    weights.columns.iter().map(column).product()
}

/// Hits of a query, and those of its permuted versions where they are asked for (by matrix).
pub(super) fn find(
    query: &Query,
    grounds: &Grounds,
    encoded: &[Encoded],
    background: Background,
    request: &EnrichmentRequest,
) -> (Hits, Vec<Vec<Place>>) {
    let motif = &query.motif;
    let best_p = best_word_p(motif, background);
    // Rounding in the exact distribution moves a p-value by a thousandth of itself.
    let p = if query.element.is_some() { ELEMENT_P.max(best_p * 1.01) } else { request.p };
    let scanned = |motif: &Motif, grounds_asked: std::ops::Range<usize>, all_hits: bool| -> Vec<Place> {
        let asked = ScanRequest { p, all_hits, ..ScanRequest::new(background) };
        let found = scan(std::slice::from_ref(motif), &encoded[grounds_asked.clone()], &asked);
        let place = |hit: Hit| {
            let ground = grounds_asked.start + hit.sequence;
            let from = grounds.all[ground].interval.start;
            Place { ground, start: from + hit.start, end: from + hit.end, strand: hit.strand, score: hit.score, p_value: hit.p_value }
        };
        found.hits.into_iter().map(place).collect()
    };
    let plain = |place: &Place| grounds.all[place.ground].is_plain(place.start, place.end, request.reach_bp());
    let mut permuted: Vec<Vec<Place>> = Vec::new();
    if request.controls.contains(&Control::Permuted) {
        let mut rng = Rng::new(request.seed).derive(&format!("permuted {}", motif.id));
        for _ in 0..PERMUTED_MATRICES {
            let mut places = scanned(&permute_columns(motif, &mut rng), 0..grounds.n_promoters, false);
            places.retain(plain);
            permuted.push(places);
        }
    }
    // In a negative control, one permuted matrix stands for the motif, wherever its hits lie.
    let (all, element) = match request.negative_control {
        true if permuted.is_empty() => (Vec::new(), None),
        true => (permuted.remove(0), None),
        false => (scanned(motif, 0..grounds.n_promoters, query.element.is_some()), query.element.as_ref()),
    };
    // Of an element, overlaps are resolved among hits where it may lie: a better one on the other strand is none.
    let placed: Vec<Place> = match element {
        Some(element) => resolved(all.iter().copied().filter(|place| is_at_home(element, place, grounds)).collect()),
        None => all.clone(),
    };
    let usable: Vec<Place> = placed.iter().copied().filter(plain).collect();
    let mut outside = if request.needs_outside() { scanned(motif, grounds.n_promoters..encoded.len(), false) } else { Vec::new() };
    outside.retain(plain);
    let (misplaced, not_plain) = (all.len() - placed.len(), placed.len() - usable.len());
    (Hits { width: motif.width(), p, best_p, all, usable, misplaced, not_plain, outside }, permuted)
}

/// The best of overlapping hits, ground by ground.
fn resolved(places: Vec<Place>) -> Vec<Place> {
    let of_ground = |same: &[Place]| {
        let hit = |place: &Place| Hit {
            motif: 0,
            sequence: place.ground,
            start: place.start,
            end: place.end,
            strand: place.strand,
            score: place.score,
            p_value: place.p_value,
        };
        let place = |hit: Hit| Place {
            ground: hit.sequence,
            start: hit.start,
            end: hit.end,
            strand: hit.strand,
            score: hit.score,
            p_value: hit.p_value,
        };
        best_of_overlapping(same.iter().map(hit).collect()).into_iter().map(place).collect::<Vec<_>>()
    };
    places.chunk_by(|a, b| a.ground == b.ground).flat_map(of_ground).collect()
}

/// Whether an element lies where it may, of any of the start sites (or codons) of its ground.
fn is_at_home(element: &Element, place: &Place, grounds: &Grounds) -> bool {
    let ground = &grounds.all[place.ground];
    let (anchors, slack) = match element.anchor {
        Anchor::Tss => (&ground.starts, TSS_SLACK_BP),
        Anchor::StartCodon => (&ground.codons, 0),
    };
    let hit = Interval::new(place.start, place.end);
    anchors.iter().any(|(anchor, strand)| {
        (anchor.saturating_sub(slack)..=anchor + slack).any(|anchor| element.allows(anchor, *strand, hit, place.strand))
    })
}
