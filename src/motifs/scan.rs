//! Where a matrix fits: every word of both strands whose score has a p-value of at most a
//! threshold.
//!
//! Sequences are listed by their words of ten letters. Neighbouring columns of a matrix, up to ten
//! of the most telling ones, name the few words that a hit may have there; eight letters more stand
//! in the list and dismiss most of their places; what is left is scored in full. Such searches in
//! an index are those of Beckstette et al. (2006). A wide matrix is cut into parts: if a hit loses
//! `d` in all, it loses at most a share of `d` in one of them. The result is that of scoring every
//! word.
//!
//! ```
//! use ldar::motifs::{background::Background, scan::{Encoded, ScanRequest, scan}};
//!
//! let mut motifs = ldar::bundled::motifs(ldar::bundled::MOTIFS_VERTEBRATES)?;
//! motifs.retain(|motif| motif.name == "CTCF");
//! let sequence: &[u8] = b"ttgacgCCACCAGGGGGCGCTANNNN";
//! let found = scan(&motifs, &Encoded::new([sequence]), &ScanRequest::new(Background::UNIFORM));
//! assert_eq!((found.hits[0].start, found.hits[0].end), (5, 20));
//! # Ok::<(), ldar::Error>(())
//! ```

mod encoded;

use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;

use super::background::Background;
use super::distribution::{Tail, sorted_columns};
use super::overlap::best_of_overlapping;
use super::weights::{PSEUDOCOUNT, Weights};
use super::{Motif, reverse_complement};
use crate::genome::Strand;

pub use encoded::Encoded;
use encoded::{Block, CORE, NEXT};

/// What counts as a hit.
#[derive(Clone, Copy, Debug)]
pub struct ScanRequest {
    /// The largest p-value of a hit: for one word on one strand.
    pub p: f64,
    /// The letters by chance.
    pub background: Background,
    /// Pseudocounts a column.
    pub pseudocount: f64,
    /// Every hit, also where hits of the same motif overlap, on either strand; else the best of
    /// those alone (see [`best_of_overlapping`]).
    pub all_hits: bool,
}

impl ScanRequest {
    /// The defaults for a background: p of 1e-4, the usual pseudocount, the best of overlapping
    /// hits.
    pub fn new(background: Background) -> ScanRequest {
        ScanRequest {
            p: 1e-4,
            background,
            pseudocount: PSEUDOCOUNT,
            all_hits: false,
        }
    }
}

/// A place where a motif fits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    /// Index of the motif.
    pub motif: usize,
    /// Index of the sequence.
    pub sequence: usize,
    /// First base, 0-based, on the plus strand whichever strand the hit is on.
    pub start: usize,
    /// One past the last base: `start` plus the motif's width.
    pub end: usize,
    /// The strand that reads as the motif.
    pub strand: Strand,
    /// Log-odds in bits.
    pub score: f64,
    /// The probability that a random word scores as well or better.
    pub p_value: f64,
}

/// What a scan found.
#[derive(Clone, Debug, Default)]
pub struct Scan {
    /// The hits, by motif, sequence, start and strand.
    pub hits: Vec<Hit>,
    /// Motifs whose best word is more likely than the threshold, so that they can have no hit.
    pub unreachable: Vec<usize>,
}

/// Scans sequences for motifs, motif by motif on all threads. The result does not depend on their
/// number.
pub fn scan(motifs: &[Motif], sequences: &Encoded, request: &ScanRequest) -> Scan {
    Scanner::new(motifs, request).scan(0..motifs.len(), sequences)
}

/// Motifs ready to be looked for.
#[derive(Clone, Debug)]
pub struct Scanner {
    /// With the scores that are hits, if there can be any.
    matrices: Vec<(Weights, Option<Arc<Tail>>)>,
    all_hits: bool,
}

impl Scanner {
    /// Works out which scores are hits, which takes longer than the search in a few million bases.
    /// Neighbouring motifs with the same columns in another order share it.
    pub fn new(motifs: &[Motif], request: &ScanRequest) -> Scanner {
        let weights = motifs
            .iter()
            .map(|motif| Weights::new(motif, request.background, request.pseudocount));
        let weights: Vec<(Vec<[f64; 4]>, Weights)> = weights
            .map(|weights| (sorted_columns(&weights), weights))
            .collect();
        let same: Vec<_> = weights.chunk_by(|a, b| a.0 == b.0).collect();
        let matrices = same.into_par_iter().flat_map_iter(|same| {
            let tail = Tail::new(&same[0].1, request.p).map(Arc::new);
            same.iter()
                .map(move |(_, weights)| (weights.clone(), tail.clone()))
        });
        Scanner {
            matrices: matrices.collect(),
            all_hits: request.all_hits,
        }
    }

    /// The largest p-value that a hit of a motif can have: what a random word reaches with this
    /// probability. `None` where there can be no hit.
    pub fn attained_p(&self, motif: usize) -> Option<f64> {
        self.matrices[motif]
            .1
            .as_ref()
            .map(|tail| tail.p_value(tail.limit()))
    }

    /// Scans sequences for some of the motifs, as [`scan`].
    pub fn scan(&self, motifs: Range<usize>, sequences: &Encoded) -> Scan {
        let of_motif = |motif: usize| {
            let (weights, tail) = &self.matrices[motif];
            Some(hits(
                motif,
                weights,
                tail.as_ref()?,
                sequences,
                self.all_hits,
            ))
        };
        let mut scan = Scan::default();
        for (motif, hits) in motifs
            .clone()
            .zip(motifs.into_par_iter().map(of_motif).collect::<Vec<_>>())
        {
            match hits {
                Some(hits) => scan.hits.extend(hits),
                None => scan.unreachable.push(motif),
            }
        }
        scan
    }
}

/// The hits of one motif.
fn hits(motif: usize, weights: &Weights, tail: &Tail, sequences: &Encoded, all: bool) -> Vec<Hit> {
    let (width, deficits, letters) = (
        weights.columns.len(),
        tail.deficits(weights),
        weights.background.probabilities(),
    );
    let sides = [
        Side::new(Strand::Plus, &deficits, letters, tail.limit()),
        Side::new(
            Strand::Minus,
            &reverse_complement(&deficits),
            letters,
            tail.limit(),
        ),
    ];
    let mut found: Vec<(usize, Strand, u32)> = Vec::new();
    for (block, side) in sequences
        .blocks
        .iter()
        .flat_map(|block| sides.iter().map(move |side| (block, side)))
    {
        side.candidates(block, |start| {
            found.extend(
                side.deficit(sequences, start)
                    .map(|deficit| (start, side.strand, deficit)),
            )
        });
    }
    found.sort_unstable();
    found.dedup();
    let hit = |(at, strand, deficit): (usize, Strand, u32)| {
        let word = sequences
            .word(at, width)?
            .iter()
            .map(|letter| usize::from(*letter));
        let (sequence, start) = sequences.place(at);
        // Along the motif on either strand, so that a palindrome scores the same on both.
        let score = match strand {
            Strand::Plus => weights.score(word),
            Strand::Minus => weights.score(word.rev().map(|letter| 3 - letter)),
        };
        Some(Hit {
            motif,
            sequence,
            start,
            end: start + width,
            strand,
            score,
            p_value: tail.p_value(deficit),
        })
    };
    let hits: Vec<Hit> = found.into_iter().filter_map(hit).collect();
    match all {
        true => hits,
        false => hits
            .chunk_by(|a, b| a.sequence == b.sequence)
            .flat_map(best_of_overlapping)
            .collect(),
    }
}

/// One strand's view of a matrix.
struct Side {
    strand: Strand,
    /// The largest deficit of a hit.
    limit: u32,
    /// A hit has at least one of them.
    cores: Vec<Core>,
    /// Deficits of each four letters in all columns.
    all: Vec<[u32; 256]>,
}

/// Neighbouring columns in which a hit loses little.
struct Core {
    /// Columns before.
    start: usize,
    columns: Vec<[u32; 4]>,
    /// The largest deficit in these columns.
    limit: u32,
    /// Deficits of each four letters in the columns after the listed words that start with the
    /// core, and after those.
    next: [[u32; 256]; NEXT / 4],
}

impl Side {
    fn new(strand: Strand, deficits: &[[u32; 4]], letters: [f64; 4], limit: u32) -> Side {
        let width = deficits.len();
        // What random words lose. Letters that never occur would outweigh everything else.
        let loss = |column: &[u32; 4]| {
            column
                .iter()
                .zip(letters)
                .map(|(d, p)| f64::from((*d).min(limit + 1)) * p)
                .sum::<f64>()
        };
        let loss: Vec<f64> = deficits.iter().map(loss).collect();
        let sum = |from: usize, to: usize| loss[from..to.min(width)].iter().sum::<f64>();
        let deficit =
            |column: usize, letter: usize| deficits.get(column).map_or(0, |column| column[letter]);
        let four = |from: usize| {
            std::array::from_fn(|code| {
                (0..4)
                    .map(|i| deficit(from + i, code >> (6 - 2 * i) & 3))
                    .sum()
            })
        };
        // As many as were fastest for matrices of each width.
        let parts = ((width + 1) / 8).max(1);
        let core = |part: usize| {
            let (from, to) = (width * part / parts, width * (part + 1) / parts);
            let core = (to - from).min(CORE);
            let told = |start: usize| {
                sum(start, start + core) + sum((start + CORE).min(width), start + CORE + NEXT) / 2.0
            };
            let start = (from..=to - core)
                .max_by(|a, b| told(*a).total_cmp(&told(*b)).then(b.cmp(a)))
                .unwrap_or(from);
            (start, start + core)
        };
        let cores: Vec<(usize, usize)> = (0..parts).map(core).collect();
        let total: f64 = cores.iter().map(|(start, end)| sum(*start, *end)).sum();
        let core = |(start, end): (usize, usize)| Core {
            start,
            columns: deficits[start..end].to_vec(),
            // A word that loses more than its share in every core loses more than the limit;
            // rounded up for what the division loses. Where nothing is lost anywhere, shares are no
            // numbers and the limit is 0, which all words meet.
            limit: ((f64::from(limit) * sum(start, end) / total).ceil() as u32).min(limit),
            next: std::array::from_fn(|i| four(start + CORE + 4 * i)),
        };
        Side {
            strand,
            limit,
            cores: cores.into_iter().map(core).collect(),
            all: (0..width).step_by(4).map(four).collect(),
        }
    }

    /// Calls with the place of each word of a block that may be a hit.
    fn candidates(&self, block: &Block, mut call: impl FnMut(usize)) {
        for core in &self.cores {
            let shift = 2 * (CORE - core.columns.len());
            words(&core.columns, 0, core.limit, &mut |code, left| {
                let left = left + (self.limit - core.limit);
                let entries =
                    block.first[code << shift] as usize..block.first[(code + 1) << shift] as usize;
                for (next, at) in block.next[entries.clone()].iter().zip(&block.at[entries]) {
                    let [high, low] = next.to_be_bytes().map(usize::from);
                    if core.next[0][high] + core.next[1][low] <= left
                        && let Some(start) = (block.start + *at as usize).checked_sub(core.start)
                    {
                        call(start);
                    }
                }
            });
        }
    }

    /// That of the word at a place if it can be a hit, should it have no break.
    fn deficit(&self, sequences: &Encoded, start: usize) -> Option<u32> {
        let mut sum = 0;
        for (i, four) in self.all.iter().enumerate() {
            sum += four[sequences.four(start + 4 * i)];
            if sum > self.limit {
                return None;
            }
        }
        Some(sum)
    }
}

/// Calls with each word of the columns that a hit may have, its code below that of the letters
/// before, and the deficit left to the other columns.
fn words(columns: &[[u32; 4]], code: usize, left: u32, call: &mut impl FnMut(usize, u32)) {
    let Some((column, columns)) = columns.split_first() else {
        return call(code, left);
    };
    for (letter, deficit) in column
        .iter()
        .enumerate()
        .filter(|(_, deficit)| **deficit <= left)
    {
        words(columns, code << 2 | letter, left - deficit, call);
    }
}

#[cfg(test)]
mod tests;
