//! Which scores are hits, and how likely chance is to reach them: the distribution of a matrix's
//! score over random words of independent letters, by dynamic programming over discretised scores
//! (Staden 1989; Wu et al. 2000).
//!
//! The score is measured from above, as *deficit*: how far a word stays below the best word of the
//! matrix, in small units. Only deficits that can be hits are followed, so the unit can be small.
//! Each letter's deficit is rounded to whole units, so that the deficits of two words are in their
//! true order unless their scores differ by less than `width * unit`, which is
//! [`RESOLUTION_BITS`]: a thousandth of a bit, within which lies less than a thousandth of a smooth
//! tail.

use super::weights::Weights;

/// Scores that differ by more are told apart.
pub const RESOLUTION_BITS: f64 = 0.001;

/// The unit grows where more of them would be needed: scores of matrices of dozens of columns are
/// then told apart at some thousandths of a bit.
const MOST_UNITS: f64 = (1 << 21) as f64;

/// Units of a first, coarse look for where the threshold lies.
const COARSE_UNITS: f64 = 4096.0;

/// The deficit of a letter that cannot occur; a hundred of them fit a `u32`, and one is beyond
/// every threshold.
const NEVER: u32 = 1 << 25;

/// The upper tail of a matrix's score distribution, as far as hits go: that of every matrix of the
/// same columns, in whatever order.
#[derive(Clone, Debug)]
pub struct Tail {
    /// One unit in bits.
    pub unit_bits: f64,
    /// P(deficit of a random word <= d) for each d that is a hit.
    p_values: Vec<f64>,
}

impl Tail {
    /// The tail up to the largest deficit whose p-value is at most `p`. `None` where even the best
    /// word of the matrix is more likely.
    pub fn new(weights: &Weights, p: f64) -> Option<Tail> {
        let letters = weights.background.probabilities();
        let below = below_best(&sorted_columns(weights));
        let width = below.len() as f64;
        let whole: f64 = below
            .iter()
            .map(|column| {
                column
                    .iter()
                    .copied()
                    .filter(|d| d.is_finite())
                    .fold(0.0, f64::max)
            })
            .sum();
        let coarse = (whole / COARSE_UNITS).max(RESOLUTION_BITS / width);
        let looked = cumulative(
            &rounded(&below, coarse),
            letters,
            (whole / coarse + width) as usize,
        );
        let crossed = looked
            .iter()
            .position(|sum| *sum > p)
            .unwrap_or(looked.len());
        // Rounding moves a word by at most half a unit a column: the threshold lies before this
        // many bits.
        let band = (crossed as f64 + width / 2.0) * coarse + RESOLUTION_BITS;
        let unit_bits = (RESOLUTION_BITS / width).max(band / MOST_UNITS);
        let mut p_values = cumulative(
            &rounded(&below, unit_bits),
            letters,
            (band / unit_bits).ceil() as usize,
        );
        p_values.truncate(p_values.partition_point(|sum| *sum <= p));
        (!p_values.is_empty()).then_some(Tail {
            unit_bits,
            p_values,
        })
    }

    /// Units by which A, C, G and T stay below the best letter of each column of a matrix with this
    /// distribution; `(width, 4)`.
    pub fn deficits(&self, weights: &Weights) -> Vec<[u32; 4]> {
        rounded(&below_best(&weights.columns), self.unit_bits)
    }

    /// The largest deficit of a hit.
    pub fn limit(&self) -> u32 {
        (self.p_values.len() - 1) as u32
    }

    /// The probability that a random word scores as well as one of this deficit, or better; 1
    /// beyond [`Tail::limit`].
    pub fn p_value(&self, deficit: u32) -> f64 {
        self.p_values.get(deficit as usize).copied().unwrap_or(1.0)
    }
}

/// The columns of a matrix in an order of their own: the same for all matrices of these columns.
pub(super) fn sorted_columns(weights: &Weights) -> Vec<[f64; 4]> {
    let mut columns = weights.columns.clone();
    columns.sort_by(|a, b| {
        a.iter()
            .zip(b)
            .map(|(a, b)| a.total_cmp(b))
            .find(|order| order.is_ne())
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    columns
}

/// Bits by which each letter stays below the best of its column.
fn below_best(columns: &[[f64; 4]]) -> Vec<[f64; 4]> {
    let column = |column: &[f64; 4]| {
        let best = column.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        column.map(|weight| best - weight)
    };
    columns.iter().map(column).collect()
}

fn rounded(below: &[[f64; 4]], unit: f64) -> Vec<[u32; 4]> {
    below
        .iter()
        .map(|column| column.map(|bits| (bits / unit).round().min(f64::from(NEVER)) as u32))
        .collect()
}

/// P(deficit <= d) for d in `0..=limit`.
fn cumulative(deficits: &[[u32; 4]], letters: [f64; 4], limit: usize) -> Vec<f64> {
    let (mut now, mut next) = (vec![0.0; limit + 1], vec![0.0; limit + 1]);
    now[0] = 1.0;
    let mut reach = 0; // no word so far has a larger deficit, up to the limit
    for column in deficits {
        let widest = column
            .iter()
            .map(|d| *d as usize)
            .filter(|d| *d < NEVER as usize)
            .max()
            .unwrap_or(0);
        let reached = (reach + widest).min(limit);
        next[..=reached].fill(0.0);
        for (deficit, letter) in column.iter().zip(letters) {
            let deficit = *deficit as usize;
            if deficit <= reached {
                next[deficit..=reached]
                    .iter_mut()
                    .zip(&now[..=reach])
                    .for_each(|(to, from)| *to += letter * from);
            }
        }
        reach = reached;
        std::mem::swap(&mut now, &mut next);
    }
    now[reach + 1..].fill(0.0);
    let mut sum = 0.0;
    for value in &mut now {
        sum += *value;
        *value = sum;
    }
    now
}

#[cfg(test)]
mod tests;
