//! Sums over clusters under many sign flips: the product of a matrix of signs with a matrix of
//! cluster sums.

use crate::matrix::add_product;
use crate::stats::permutation::Signs;

/// Clusters whose signs are written out together, a multiple of 64: a block of flips then needs a
/// megabyte.
const CLUSTERS_AT_ONCE: usize = 1024;

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
            squares
                .iter_mut()
                .zip(row)
                .for_each(|(square, value)| *square += value * value);
        }
        let scale = |square: f64| {
            if square > 0.0 && square.is_finite() {
                1.0 / square.sqrt()
            } else {
                0.0
            }
        };
        let scales: Vec<f64> = squares.into_iter().map(scale).collect();
        let scaled = |(value, scale): (&f64, &f64)| if *scale > 0.0 { value * scale } else { 0.0 };
        let rows: Vec<f64> = sums
            .chunks_exact(width.max(1))
            .flat_map(|row| row.iter().zip(&scales).map(scaled))
            .collect();
        Standardised {
            n_clusters: sums.len() / width.max(1),
            width,
            rows,
        }
    }

    /// The statistics of the data as they are, `(width)`.
    pub fn unflipped(&self) -> Vec<f64> {
        self.flipped(vec![Signs::Mask(0)])
    }

    /// The statistics under some flips, `(flips, width)`.
    pub fn flipped(&self, mut flips: Vec<Signs>) -> Vec<f64> {
        let mut totals = vec![0.0; flips.len() * self.width];
        for clusters in self.rows.chunks((CLUSTERS_AT_ONCE * self.width).max(1)) {
            let signs: Vec<f64> = flips
                .iter_mut()
                .flat_map(|flip| signs(flip, clusters.len() / self.width))
                .collect();
            add_product(&signs, clusters, self.width, &mut totals);
        }
        totals
    }
}

/// The signs of the next `n` clusters, -1 where a cluster is flipped and 1 where not.
fn signs(flip: &mut Signs, n: usize) -> Vec<f64> {
    let words: Vec<u64> = (0..n.div_ceil(64)).map(|_| flip.next_64()).collect();
    (0..n)
        .map(|cluster| {
            if words[cluster / 64] >> (cluster % 64) & 1 == 1 {
                -1.0
            } else {
                1.0
            }
        })
        .collect()
}
