//! How strong a site is: the log-odds score of a position weight matrix over the letters around it.

use crate::genome::Strand;
use crate::genome::sequence::base_downstream;

/// Added to the count of every letter in every column.
const PSEUDOCOUNT: f64 = 0.5;

/// Which bases around a position are scored: `[start, end)` in bases downstream of it, transcript
/// orientation (-1 is the base right before, 0 the one right after).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First base.
    pub start: i64,
    /// One past the last.
    pub end: i64,
}

impl Span {
    /// -3..+6 of a donor: three exonic and six intronic bases.
    pub const DONOR: Span = Span { start: -3, end: 6 };
    /// -20..+3 of an acceptor: twenty intronic and three exonic bases.
    pub const ACCEPTOR: Span = Span { start: -20, end: 3 };
}

fn letter(sequence: &[u8], strand: Strand, position: usize, offset: i64) -> Option<usize> {
    let base = base_downstream(sequence, strand, position, isize::try_from(offset).ok()?)?;
    b"ACGT".iter().position(|b| *b == base)
}

/// Letters counted column by column over some sites.
#[derive(Clone, Debug)]
pub struct LetterCounts {
    span: Span,
    columns: Vec<[f64; 4]>,
    /// Sites counted.
    pub n: usize,
}

impl LetterCounts {
    /// No site yet.
    pub fn new(span: Span) -> LetterCounts {
        let width = usize::try_from(span.end - span.start).unwrap_or(0);
        LetterCounts {
            span,
            columns: vec![[0.0; 4]; width],
            n: 0,
        }
    }

    /// Takes one more site. A letter other than A, C, G and T, or none, is not counted in its
    /// column.
    pub fn add(&mut self, sequence: &[u8], strand: Strand, position: usize) {
        self.n += 1;
        for (offset, column) in (self.span.start..self.span.end).zip(&mut self.columns) {
            if let Some(letter) = letter(sequence, strand, position, offset) {
                column[letter] += 1.0;
            }
        }
    }

    /// The counts of these sites without those of `others`, a part of them.
    #[must_use]
    pub fn without(&self, others: &LetterCounts) -> LetterCounts {
        let mut left = self.clone();
        left.n = self.n.saturating_sub(others.n);
        for (column, minus) in left.columns.iter_mut().zip(&others.columns) {
            column.iter_mut().zip(minus).for_each(|(a, b)| *a -= b);
        }
        left
    }

    /// Adds the counts of other sites.
    pub fn merge(&mut self, others: &LetterCounts) {
        self.n += others.n;
        for (column, plus) in self.columns.iter_mut().zip(&others.columns) {
            column.iter_mut().zip(plus).for_each(|(a, b)| *a += b);
        }
    }

    /// The weight matrix of these counts, with half a count added to each, against a background (A,
    /// C, G, T; positive). `None` without sites.
    pub fn matrix(&self, background: [f64; 4]) -> Option<WeightMatrix> {
        if self.n == 0 {
            return None;
        }
        let weights = |column: &[f64; 4]| {
            let total: f64 = column.iter().sum::<f64>() + 4.0 * PSEUDOCOUNT;
            std::array::from_fn(|i| ((column[i] + PSEUDOCOUNT) / total / background[i]).log2())
        };
        Some(WeightMatrix {
            span: self.span,
            columns: self.columns.iter().map(weights).collect(),
        })
    }
}

/// Log2 odds of each letter in each column.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightMatrix {
    span: Span,
    columns: Vec<[f64; 4]>,
}

impl WeightMatrix {
    /// The sum of log-odds at a position, in bits; `None` where a letter is missing or none of A,
    /// C, G and T.
    pub fn score(&self, sequence: &[u8], strand: Strand, position: usize) -> Option<f64> {
        let mut bits = 0.0;
        for (offset, column) in (self.span.start..self.span.end).zip(&self.columns) {
            bits += column[letter(sequence, strand, position, offset)?];
        }
        Some(bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::genome::sequence::reverse_complement;

    // import numpy as np; sites = ["CAGGTAAGT", "AAGGTGAGT", "CAGGTAAGA"]; bg =
    // dict(A=.3,C=.2,G=.2,T=.3) c = [[sum(s[i]==b for s in sites)+.5 for b in "ACGT"] for i in
    // range(9)] sum(np.log2(c[i]["ACGT".index(b)]/5/bg[b]) for i, b in enumerate("CAGGTAAGT")) ->
    // 11.885101313401929
    #[test]
    fn scores_as_by_hand_on_both_strands() {
        let sequence = b"TTCAGGTAAGTTTTAAGGTGAGTTTTCAGGTAAGATT";
        let mut counts = LetterCounts::new(Span::DONOR);
        [5, 17, 29]
            .iter()
            .for_each(|p| counts.add(sequence, Strand::Plus, *p));
        let matrix = counts.matrix([0.3, 0.2, 0.2, 0.3]).unwrap();
        let score = matrix.score(sequence, Strand::Plus, 5).unwrap();
        assert!((score - 11.885101313401929).abs() < 1e-9, "{score}");
        let turned = reverse_complement(sequence);
        assert_eq!(
            matrix.score(&turned, Strand::Minus, turned.len() - 5),
            Some(score)
        );
        assert_eq!(matrix.score(sequence, Strand::Plus, 2), None);
        assert_eq!(matrix.score(b"TTCAGGTANGTTT", Strand::Plus, 5), None);
    }

    #[test]
    fn a_fold_is_taken_out_exactly() {
        let sequence = b"TTCAGGTAAGTTTTAAGGTGAGTTTTCAGGTAAGATT";
        let count = |positions: &[usize]| {
            let mut counts = LetterCounts::new(Span::DONOR);
            positions
                .iter()
                .for_each(|p| counts.add(sequence, Strand::Plus, *p));
            counts
        };
        let mut all = count(&[5]);
        all.merge(&count(&[17, 29]));
        let background = [0.25; 4];
        assert_eq!(
            all.without(&count(&[17])).matrix(background),
            count(&[5, 29]).matrix(background)
        );
        assert_eq!(all.without(&all).matrix(background), None);
    }
}
