//! Which matrices are near-identical: readers should see families, not forty copies of one motif.

use rayon::prelude::*;

use super::{Motif, reverse_complement};

/// Motifs whose average similarity is at least this belong together: it makes 347 groups of the
/// 1019 vertebrate matrices of JASPAR 2026, among them groups of 26 (22 Ets-related), 25 (all FOX)
/// and 86 (homeodomains that read TAATTA).
pub const THRESHOLD: f64 = 0.65;

/// One orientation of a matrix: frequencies less a quarter, and the sums of their squares up to
/// each column.
struct Centred {
    columns: Vec<[f64; 4]>,
    squares: Vec<f64>,
}

impl Centred {
    fn new(columns: Vec<[f64; 4]>) -> Centred {
        let columns: Vec<[f64; 4]> = columns
            .into_iter()
            .map(|column| column.map(|f| f - 0.25))
            .collect();
        let mut squares = vec![0.0];
        for column in &columns {
            squares.push(squares[squares.len() - 1] + column.iter().map(|f| f * f).sum::<f64>());
        }
        Centred { columns, squares }
    }

    /// The best [`similarity`] over all offsets of two matrices in these orientations.
    fn best(&self, other: &Centred) -> f64 {
        let (a, b) = (self.columns.len() as isize, other.columns.len() as isize);
        let at = |shift: isize| {
            // Column i of self lies on column i - shift of other.
            let (from, to) = (shift.max(0) as usize, (b + shift).min(a) as usize);
            let (other_from, overlap) = (from.wrapping_add_signed(-shift), to - from);
            let pairs = self.columns[from..to].iter().flatten().zip(
                other.columns[other_from..other_from + overlap]
                    .iter()
                    .flatten(),
            );
            let product: f64 = pairs.map(|(x, y)| x * y).sum();
            let squares = (self.squares[to] - self.squares[from])
                * (other.squares[other_from + overlap] - other.squares[other_from]);
            let covered = overlap as f64 / (a + b - overlap as isize) as f64;
            if squares > 1e-12 {
                product / squares.sqrt() * covered
            } else {
                0.0
            }
        };
        (1 - b..a).map(at).fold(-1.0, f64::max)
    }
}

/// How alike two matrices are, at their best relative offset in either orientation: Pearson's
/// correlation of the frequencies in the columns that lie on each other, times the share of those
/// columns in the width of the alignment (`Ncor` of RSAT matrix-clustering, Castro-Mondragon et al.
/// 2017, Nucleic Acids Res. 45:e119). At most 1, for a matrix and itself or its reverse complement.
pub fn similarity(a: &Motif, b: &Motif) -> f64 {
    let (a, b) = (a.frequencies(), b.frequencies());
    let (reversed, a, b) = (
        Centred::new(reverse_complement(&b)),
        Centred::new(a),
        Centred::new(b),
    );
    a.best(&b).max(a.best(&reversed))
}

/// Groups motifs by [`similarity`], by average linkage cut at `threshold`: the group of each motif,
/// numbered in order of first appearance.
pub fn families(motifs: &[Motif], threshold: f64) -> Vec<usize> {
    let matrices: Vec<(Centred, Centred)> = motifs
        .iter()
        .map(|motif| {
            let columns = motif.frequencies();
            (
                Centred::new(reverse_complement(&columns)),
                Centred::new(columns),
            )
        })
        .collect();
    let row = |(index, (_, a)): (usize, &(Centred, Centred))| -> Vec<f64> {
        matrices
            .iter()
            .take(index)
            .map(|(reversed, b)| a.best(b).max(a.best(reversed)))
            .collect()
    };
    let lower: Vec<Vec<f64>> = matrices.par_iter().enumerate().map(row).collect();
    average_linkage(lower, threshold)
}

/// Clusters of average linkage (UPGMA) by the nearest-neighbour chain (Murtagh 1983), cut at a
/// similarity. `lower[i][j]` is that of `i` and `j < i`.
fn average_linkage(mut lower: Vec<Vec<f64>>, threshold: f64) -> Vec<usize> {
    let n = lower.len();
    let (mut size, mut parent): (Vec<usize>, Vec<usize>) = (vec![1; n], (0..n).collect());
    let mut alive: Vec<usize> = (0..n).collect();
    let mut chain: Vec<usize> = Vec::new();
    while alive.len() > 1 {
        let tip = match chain.last() {
            Some(tip) => *tip,
            None => {
                chain.push(alive[0]);
                alive[0]
            }
        };
        let before = chain.len().checked_sub(2).map(|at| chain[at]);
        let of = |lower: &[Vec<f64>], a: usize, b: usize| lower[a.max(b)][a.min(b)];
        // The nearest; where several are, the one before in the chain, so that the chain ends, and
        // else the first.
        let mut nearest = before.map(|b| (of(&lower, tip, b), b));
        for other in alive.iter().copied().filter(|other| *other != tip) {
            let similarity = of(&lower, tip, other);
            if nearest.is_none_or(|(best, _)| similarity > best) {
                nearest = Some((similarity, other));
            }
        }
        let Some((similarity, next)) = nearest else {
            break;
        };
        if Some(next) != before {
            chain.push(next);
            continue;
        }
        // Two that are each other's nearest become one, under the smaller index.
        chain.truncate(chain.len() - 2);
        let (kept, gone) = (tip.min(next), tip.max(next));
        alive.retain(|one| *one != gone);
        for other in alive.iter().copied().filter(|other| *other != kept) {
            let (a, b) = (of(&lower, kept, other), of(&lower, gone, other));
            let mean =
                (a * size[kept] as f64 + b * size[gone] as f64) / (size[kept] + size[gone]) as f64;
            lower[kept.max(other)][kept.min(other)] = mean;
        }
        size[kept] += size[gone];
        if similarity >= threshold {
            parent[gone] = kept;
        }
    }
    let mut numbers = std::collections::HashMap::new();
    let root = |mut one: usize| {
        while parent[one] != one {
            one = parent[one];
        }
        one
    };
    (0..n)
        .map(|one| {
            let next = numbers.len();
            *numbers.entry(root(one)).or_insert(next)
        })
        .collect()
}

#[cfg(test)]
mod tests;
