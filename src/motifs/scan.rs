//! Where a matrix fits: every word of both strands whose score has a p-value of at most a threshold.
//!
//! Most words are dismissed by one look at a table: eight neighbouring columns, the most telling ones, give a bit for each of the 65536
//! words of eight letters that says whether a hit on either strand may have that word there. The few that may are scored in full. The
//! idea is that of MOODS (Korhonen et al. 2009); the result is that of scoring every word.
//!
//! ```
//! use ldar::motifs::{background::Background, scan::{Encoded, ScanRequest, scan}};
//!
//! let mut motifs = ldar::bundled::motifs(ldar::bundled::MOTIFS_VERTEBRATES)?;
//! motifs.retain(|motif| motif.name == "CTCF");
//! let sequence = Encoded::new(b"ttgacgCCACCAGGGGGCGCTANNNN");
//! let found = scan(&motifs, &[sequence], &ScanRequest::new(Background::UNIFORM));
//! assert_eq!((found.hits[0].start, found.hits[0].end), (5, 20));
//! # Ok::<(), ldar::Error>(())
//! ```

use rayon::prelude::*;

use super::background::Background;
use super::distribution::Tail;
use super::overlap::best_of_overlapping;
use super::read::letter_index;
use super::weights::{PSEUDOCOUNT, Weights};
use super::{Motif, reverse_complement};
use crate::genome::Strand;

/// Letters of the widest core that is looked up at once.
const CORE: usize = 8;

/// What counts as a hit.
#[derive(Clone, Copy, Debug)]
pub struct ScanRequest {
    /// The largest p-value of a hit: for one word on one strand.
    pub p: f64,
    /// The letters by chance.
    pub background: Background,
    /// Pseudocounts a column.
    pub pseudocount: f64,
    /// Every hit, also where hits of the same motif overlap, on either strand; else the best of those alone (see
    /// [`best_of_overlapping`]).
    pub all_hits: bool,
}

impl ScanRequest {
    /// The defaults for a background: p of 1e-4, the usual pseudocount, the best of overlapping hits.
    pub fn new(background: Background) -> ScanRequest {
        ScanRequest { p: 1e-4, background, pseudocount: PSEUDOCOUNT, all_hits: false }
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

/// A sequence ready to be scanned: 2 bytes a base. Soft-masked letters count, U is T, and every other letter breaks the sequence.
#[derive(Clone, Debug, Default)]
pub struct Encoded {
    /// The eight letters from each base on, two bits each, the first on top; A after the end of a run.
    codes: Vec<u16>,
    /// Stretches of A, C, G and T alone, `[start, end)`.
    runs: Vec<(usize, usize)>,
}

impl Encoded {
    /// Encodes the letters of one sequence.
    pub fn new(sequence: &[u8]) -> Encoded {
        let (mut codes, mut runs) = (vec![0; sequence.len()], Vec::new());
        let (mut code, mut end) = (0u16, sequence.len());
        for start in (0..=sequence.len()).rev() {
            // Seen from the right: `start` is the first base of the run that ends at `end`, until a letter breaks it.
            match start.checked_sub(1).and_then(|before| letter_index(sequence[before])) {
                Some(letter) => {
                    code = code >> 2 | (letter as u16) << 14;
                    codes[start - 1] = code;
                }
                None => {
                    if start < end {
                        runs.push((start, end));
                    }
                    (code, end) = (0, start.saturating_sub(1));
                }
            }
        }
        runs.reverse();
        Encoded { codes, runs }
    }

    /// Bases, broken ones included.
    pub fn len_bp(&self) -> usize {
        self.codes.len()
    }
}

/// The largest p-value that a hit of a motif can have at a threshold of `p`: what a random word reaches with this probability. `None` where there
/// can be no hit.
pub fn attained_p(motif: &Motif, background: Background, p: f64) -> Option<f64> {
    Tail::new(&Weights::new(motif, background, PSEUDOCOUNT), p).map(|tail| tail.p_value(tail.limit()))
}

/// Scans sequences for motifs, motif by motif on all threads. The result does not depend on their number.
pub fn scan(motifs: &[Motif], sequences: &[Encoded], request: &ScanRequest) -> Scan {
    let each = motifs.par_iter().enumerate().map(|(index, motif)| {
        let weights = Weights::new(motif, request.background, request.pseudocount);
        let scanner = Tail::new(&weights, request.p).map(|tail| Scanner::new(&weights, tail))?;
        let mut hits = Vec::new();
        for (sequence, encoded) in sequences.iter().enumerate() {
            let mut here = scanner.hits(encoded);
            here.iter_mut().for_each(|hit| (hit.motif, hit.sequence) = (index, sequence));
            hits.extend(if request.all_hits { here } else { best_of_overlapping(here) });
        }
        Some(hits)
    });
    let mut scan = Scan::default();
    for (index, hits) in each.collect::<Vec<_>>().into_iter().enumerate() {
        match hits {
            Some(hits) => scan.hits.extend(hits),
            None => scan.unreachable.push(index),
        }
    }
    scan
}

/// One strand's view of a matrix.
struct Side {
    strand: Strand,
    weights: Vec<[f64; 4]>,
    deficits: Vec<[u32; 4]>,
    /// Columns before the core.
    core_start: usize,
}

/// One matrix, ready to scan.
struct Scanner {
    sides: [Side; 2],
    tail: Tail,
    core: usize,
    /// A bit for each word of `core` letters: may a hit on either strand have it as its core?
    possible: Vec<u64>,
}

impl Scanner {
    fn new(weights: &Weights, tail: Tail) -> Scanner {
        let (width, core) = (tail.deficits.len(), tail.deficits.len().min(CORE));
        let letters = weights.background.probabilities();
        // Random words lose most in the most telling columns. Letters that never occur would outweigh everything else.
        let loss = |column: &[u32; 4]| column.iter().zip(letters).map(|(d, p)| f64::from((*d).min(tail.limit() + 1)) * p).sum::<f64>();
        let loss: Vec<f64> = tail.deficits.iter().map(loss).collect();
        let total = |start: usize| loss[start..start + core].iter().sum::<f64>();
        let core_start = (0..=width - core).max_by(|a, b| total(*a).total_cmp(&total(*b)).then(b.cmp(a))).unwrap_or(0);
        let plus = Side { strand: Strand::Plus, weights: weights.columns.clone(), deficits: tail.deficits.clone(), core_start };
        let minus = Side {
            strand: Strand::Minus,
            weights: reverse_complement(&weights.columns),
            deficits: reverse_complement(&tail.deficits),
            core_start: width - core - core_start,
        };
        let sides = [plus, minus];
        let mut possible = vec![0u64; (1usize << (2 * core)).div_ceil(64)];
        for side in &sides {
            let words = side.deficits[side.core_start..side.core_start + core]
                .iter()
                .fold(vec![0u32], |words, column| words.iter().flat_map(|word| column.iter().map(move |deficit| word + deficit)).collect());
            for (code, _) in words.iter().enumerate().filter(|(_, deficit)| **deficit <= tail.limit()) {
                possible[code / 64] |= 1 << (code % 64);
            }
        }
        Scanner { sides, tail, core, possible }
    }

    /// All hits of one sequence, by start and strand; `motif` and `sequence` are for the caller to set.
    fn hits(&self, sequence: &Encoded) -> Vec<Hit> {
        let (width, shift) = (self.tail.deficits.len(), 16 - 2 * self.core);
        let mut hits = Vec::new();
        for &(start, end) in sequence.runs.iter().filter(|(start, end)| end - start >= width) {
            for (offset, code) in sequence.codes[start..=end - self.core].iter().enumerate() {
                let code = usize::from(*code >> shift);
                if self.possible[code / 64] >> (code % 64) & 1 == 0 {
                    continue;
                }
                for side in &self.sides {
                    // The word must lie in the run.
                    let Some(from) = offset.checked_sub(side.core_start).map(|before| start + before) else { continue };
                    if from + width <= end {
                        hits.extend(self.hit(side, from, &sequence.codes[from..from + width]));
                    }
                }
            }
        }
        hits.sort_unstable_by_key(|hit| (hit.start, hit.strand));
        hits
    }

    fn hit(&self, side: &Side, start: usize, codes: &[u16]) -> Option<Hit> {
        let letters = || codes.iter().map(|code| usize::from(code >> 14));
        let mut deficit = 0;
        for (column, letter) in side.deficits.iter().zip(letters()) {
            deficit += column[letter];
            if deficit > self.tail.limit() {
                return None;
            }
        }
        // Summed along the motif on either strand, so that a palindrome scores the same on both.
        let bits = || side.weights.iter().zip(letters()).map(|(column, letter)| column[letter]);
        let score = match side.strand {
            Strand::Plus => bits().sum(),
            Strand::Minus => bits().rev().sum(),
        };
        let (end, strand, p_value) = (start + codes.len(), side.strand, self.tail.p_value(deficit));
        Some(Hit { motif: 0, sequence: 0, start, end, strand, score, p_value })
    }
}

#[cfg(test)]
mod tests;
