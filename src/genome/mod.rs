//! Genomes and annotations: positions, strands, FASTA, GTF/GFF3, splice junctions.
//!
//! One coordinate rule holds everywhere. Bases are 0-based, intervals are half-open `[start, end)`,
//! and a *boundary* is an inter-base position: boundary `t` lies between base `t - 1` and base `t`.
//! Reverse-complementing a sequence of length `L` maps inter-base position `t` to `L - t` (not `L -
//! 1 - t`). Only this module converts from the 1-based closed intervals of GTF and GFF3.
//!
//! ```
//! use ldar::genome::fasta::Genome;
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("two.fa");
//! std::fs::write(&path, ">chr1 first\nACGTac\ngt\n>2\nNNNN\n")?;
//! let genome = Genome::open(&path)?; // makes two.fa.fai
//! assert_eq!(genome.contigs()[0].length_bp, 8);
//! // Soft-masked bases stay so.
//! assert_eq!(genome.read_contig("chr1")?, b"ACGTacgt");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod anchor;
pub mod annotation;
pub mod bed;
pub mod bgzip;
pub mod bigwig;
pub mod classes;
pub mod composition;
pub mod contig_names;
pub mod fasta;
pub mod fit;
mod gff3;
mod gtf;
pub mod junctions;
pub mod promoters;
pub mod region;
pub mod sequence;
pub mod text;
pub mod vcf;

use std::fmt;

use serde::{Deserialize, Serialize};

/// The strand of a feature. A feature without a strand has no splice sites and is never given one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Strand {
    /// The strand written in the FASTA.
    #[serde(rename = "+")]
    Plus,
    /// Its reverse complement.
    #[serde(rename = "-")]
    Minus,
}

impl Strand {
    /// `+` or `-`.
    pub fn symbol(self) -> char {
        match self {
            Strand::Plus => '+',
            Strand::Minus => '-',
        }
    }

    /// The inter-base position `offset` bases downstream, in transcript orientation, of `position`:
    /// `position + offset` on plus, `position - offset` on minus. `None` below 0.
    pub fn downstream(self, position: usize, offset: i64) -> Option<usize> {
        let signed = match self {
            Strand::Plus => offset,
            Strand::Minus => offset.checked_neg()?,
        };
        position.checked_add_signed(isize::try_from(signed).ok()?)
    }
}

impl fmt::Display for Strand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.symbol())
    }
}

/// A stretch of bases `[start, end)`, 0-based. `start` and `end` are also the two inter-base
/// positions that enclose it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Interval {
    /// First base.
    pub start: usize,
    /// One past the last base.
    pub end: usize,
}

impl Interval {
    /// `[start, end)`.
    pub fn new(start: usize, end: usize) -> Interval {
        Interval { start, end }
    }

    /// Length in bases; 0 where `end <= start`.
    pub fn len_bp(&self) -> usize {
        self.end.saturating_sub(self.start)
    }

    /// Whether the two share at least one base.
    pub fn overlaps(&self, other: &Interval) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// Whether every base of `other` is in `self`.
    pub fn contains(&self, other: &Interval) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// The smallest interval that holds both.
    pub fn hull(&self, other: &Interval) -> Interval {
        Interval {
            start: self.start.min(other.start),
            end: self.end.max(other.end),
        }
    }
}

/// Sorts intervals and merges those that overlap or touch: between the results lies at least one
/// base.
pub fn merge_intervals(intervals: &mut Vec<Interval>) {
    intervals.sort_unstable();
    let mut kept = 0;
    for i in 0..intervals.len() {
        let next = intervals[i];
        if kept > 0 && next.start <= intervals[kept - 1].end {
            intervals[kept - 1].end = intervals[kept - 1].end.max(next.end);
        } else {
            intervals[kept] = next;
            kept += 1;
        }
    }
    intervals.truncate(kept);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_run_with_the_transcript() {
        assert_eq!(Strand::Plus.downstream(10, 3), Some(13));
        assert_eq!(Strand::Minus.downstream(10, 3), Some(7));
        assert_eq!(Strand::Minus.downstream(10, -3), Some(13));
        assert_eq!(Strand::Plus.downstream(2, -3), None);
    }

    #[test]
    fn touching_intervals_leave_no_intron() {
        let mut exons = vec![
            Interval::new(30, 40),
            Interval::new(0, 10),
            Interval::new(10, 20),
            Interval::new(12, 15),
        ];
        merge_intervals(&mut exons);
        assert_eq!(exons, [Interval::new(0, 20), Interval::new(30, 40)]);
    }
}
