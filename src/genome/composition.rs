//! Counts of bases over any stretch of a region in constant time, by running sums: for scanning
//! every candidate of a gene.

use crate::genome::Interval;
use crate::genome::sequence::{is_acgt, is_gc};

/// Running counts over one region of a contig. All positions are those of the contig, and stretches
/// are half-open and cut to the region.
#[derive(Clone, Debug)]
pub struct Composition {
    start: usize,
    /// One entry an inter-base position of the region: of everything before it, by [`GC`], [`CPG`],
    /// [`SOFT_MASKED`] and [`NOT_ACGT`].
    counts: Vec<[u32; 4]>,
}

const GC: usize = 0;
/// A CpG counts at its G.
const CPG: usize = 1;
const SOFT_MASKED: usize = 2;
const NOT_ACGT: usize = 3;

impl Composition {
    /// Counts over `region` of `sequence`, cut to its length.
    pub fn new(sequence: &[u8], region: Interval) -> Composition {
        let end = region.end.min(sequence.len());
        let start = region.start.min(end);
        let mut counts = Vec::with_capacity(end - start + 1);
        let (mut sums, mut before) = ([0u32; 4], 0);
        counts.push(sums);
        for base in &sequence[start..end] {
            let is_cpg = base.eq_ignore_ascii_case(&b'G') && before == b'C';
            let holds = [
                is_gc(*base),
                is_cpg,
                base.is_ascii_lowercase(),
                !is_acgt(&[*base]),
            ];
            sums.iter_mut()
                .zip(holds)
                .for_each(|(sum, holds)| *sum += u32::from(holds));
            counts.push(sums);
            before = base.to_ascii_uppercase();
        }
        Composition { start, counts }
    }

    fn count(&self, kind: usize, start: usize, end: usize) -> usize {
        let sum = |position: usize| {
            self.counts[position
                .saturating_sub(self.start)
                .min(self.counts.len() - 1)][kind]
        };
        sum(end).saturating_sub(sum(start)) as usize
    }

    /// G and C in `[start, end)`.
    pub fn gc(&self, start: usize, end: usize) -> usize {
        self.count(GC, start, end)
    }

    /// CpG dinucleotides with both bases in `[start, end)`.
    pub fn cpg(&self, start: usize, end: usize) -> usize {
        self.count(CPG, start.saturating_add(1), end)
    }

    /// Lower-case bases in `[start, end)`.
    pub fn soft_masked(&self, start: usize, end: usize) -> usize {
        self.count(SOFT_MASKED, start, end)
    }

    /// Whether `[start, end)` lies in the region and holds nothing but A, C, G and T.
    pub fn is_acgt(&self, start: usize, end: usize) -> bool {
        let inside = self.start <= start && start <= end && end < self.start + self.counts.len();
        inside && self.count(NOT_ACGT, start, end) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_as_counted_by_hand() {
        let sequence = b"ACGtcgNNcCGGa";
        let all = Composition::new(sequence, Interval::new(2, 99));
        assert_eq!(all.gc(2, 6), 3);
        assert_eq!(all.cpg(2, 6), 1);
        assert_eq!(all.cpg(5, 6), 0); // its C lies outside
        assert_eq!(all.cpg(8, 13), 1);
        assert_eq!(all.soft_masked(2, 13), 5);
        assert!(all.is_acgt(2, 6) && !all.is_acgt(2, 7) && all.is_acgt(8, 13));
        assert!(!all.is_acgt(1, 6) && !all.is_acgt(8, 14) && !all.is_acgt(6, 5));
        let empty = Composition::new(b"", Interval::new(3, 9));
        assert_eq!(empty.gc(0, 10), 0);
        assert!(!empty.is_acgt(0, 1));
    }
}
