//! Counts of bases over any stretch of a region in constant time, by running sums: for scanning every candidate of a gene.

use crate::genome::Interval;
use crate::genome::sequence::{is_acgt, is_gc};

/// Running counts over one region of a contig. All positions are those of the contig, and stretches are half-open and cut to the region.
#[derive(Clone, Debug)]
pub struct Composition {
    start: usize,
    /// One entry an inter-base position of the region: counts of everything before it.
    gc: Vec<u32>,
    /// A CpG counts at its G.
    cpg: Vec<u32>,
    soft_masked: Vec<u32>,
    not_acgt: Vec<u32>,
}

impl Composition {
    /// Counts over `region` of `sequence`, cut to its length.
    pub fn new(sequence: &[u8], region: Interval) -> Composition {
        let end = region.end.min(sequence.len());
        let start = region.start.min(end);
        let bases = &sequence[start..end];
        let running = |holds: &dyn Fn(usize) -> bool| {
            let (mut sums, mut sum) = (Vec::with_capacity(bases.len() + 1), 0u32);
            sums.push(0);
            for index in 0..bases.len() {
                sum += u32::from(holds(index));
                sums.push(sum);
            }
            sums
        };
        Composition {
            start,
            gc: running(&|i| is_gc(bases[i])),
            cpg: running(&|i| i > 0 && bases[i].eq_ignore_ascii_case(&b'G') && bases[i - 1].eq_ignore_ascii_case(&b'C')),
            soft_masked: running(&|i| bases[i].is_ascii_lowercase()),
            not_acgt: running(&|i| !is_acgt(&bases[i..=i])),
        }
    }

    fn count(&self, sums: &[u32], start: usize, end: usize) -> usize {
        let index = |position: usize| position.saturating_sub(self.start).min(sums.len() - 1);
        sums[index(end)].saturating_sub(sums[index(start)]) as usize
    }

    /// G and C in `[start, end)`.
    pub fn gc(&self, start: usize, end: usize) -> usize {
        self.count(&self.gc, start, end)
    }

    /// CpG dinucleotides with both bases in `[start, end)`.
    pub fn cpg(&self, start: usize, end: usize) -> usize {
        self.count(&self.cpg, start.saturating_add(1), end)
    }

    /// Lower-case bases in `[start, end)`.
    pub fn soft_masked(&self, start: usize, end: usize) -> usize {
        self.count(&self.soft_masked, start, end)
    }

    /// Whether `[start, end)` lies in the region and holds nothing but A, C, G and T.
    pub fn is_acgt(&self, start: usize, end: usize) -> bool {
        let inside = self.start <= start && start <= end && end < self.start + self.gc.len();
        inside && self.count(&self.not_acgt, start, end) == 0
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
