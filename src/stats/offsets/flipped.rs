//! Sums over clusters under many sign flips: the product of a matrix of signs with a matrix of cluster sums, four clusters at a time. The sixteen
//! signed sums of four rows are made once for a block of flips, so that each flip adds one row where it would multiply and add four.

use crate::stats::permutation::Signs;

/// Summed differences by cluster and offset, each offset divided by the root of its sum of squares.
pub(super) struct Standardised {
    pub n_clusters: usize,
    width: usize,
    /// `(n_clusters, width)`.
    rows: Vec<f64>,
}

impl Standardised {
    /// `sums` is `(clusters, width)`. Columns that cannot be divided are all 0.
    pub fn new(sums: &[f64], width: usize) -> Standardised {
        let mut squares = vec![0.0; width];
        for row in sums.chunks_exact(width.max(1)) {
            squares.iter_mut().zip(row).for_each(|(square, value)| *square += value * value);
        }
        let scale = |square: f64| if square > 0.0 && square.is_finite() { 1.0 / square.sqrt() } else { 0.0 };
        let scales: Vec<f64> = squares.into_iter().map(scale).collect();
        let scaled = |(value, scale): (&f64, &f64)| if *scale > 0.0 { value * scale } else { 0.0 };
        let rows: Vec<f64> = sums.chunks_exact(width.max(1)).flat_map(|row| row.iter().zip(&scales).map(scaled)).collect();
        Standardised { n_clusters: sums.len() / width.max(1), width, rows }
    }

    /// The statistics of the data as they are, `(width)`.
    pub fn unflipped(&self) -> Vec<f64> {
        self.flipped(vec![Signs::Mask(0)])
    }

    /// The statistics under some flips, `(flips, width)`.
    pub fn flipped(&self, mut signs: Vec<Signs>) -> Vec<f64> {
        let width = self.width.max(1);
        let mut totals = vec![0.0; signs.len() * self.width];
        let mut table = vec![0.0; 16 * self.width];
        for clusters in self.rows.chunks(64 * width) {
            let mut bits: Vec<u64> = signs.iter_mut().map(Signs::next_64).collect();
            for four in clusters.chunks(4 * width) {
                signed_sums(four, width, &mut table);
                for (total, bits) in totals.chunks_exact_mut(width).zip(&mut bits) {
                    let row = &table[(*bits & 15) as usize * width..][..width];
                    total.iter_mut().zip(row).for_each(|(total, value)| *total += value);
                    *bits >>= 4;
                }
            }
        }
        totals
    }
}

/// The sums of up to four rows under each of sixteen sign patterns (a set bit flips), `(16, width)`.
fn signed_sums(rows: &[f64], width: usize, table: &mut [f64]) {
    table[..width].fill(0.0);
    for row in rows.chunks_exact(width) {
        table[..width].iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    for pattern in 1..16usize {
        let (done, rest) = table.split_at_mut(pattern * width);
        let from = &done[(pattern & (pattern - 1)) * width..][..width];
        match rows.chunks_exact(width).nth(pattern.trailing_zeros() as usize) {
            Some(row) => rest.iter_mut().zip(from).zip(row).for_each(|((sum, from), value)| *sum = from - 2.0 * value),
            None => rest[..width].copy_from_slice(from),
        }
    }
}
