//! What a regression sees of the nucleotides around a place: each nucleotide and each pair of
//! neighbours against the commonest there, and the log-odds of a weight matrix with knots.

use std::sync::Arc;

use super::{Cases, standardised};
use crate::stats::quantile_sorted;
use crate::stats::ridge::{Design, Indicators};

/// Added to the weight of every nucleotide in every column.
const PSEUDOCOUNT: f64 = 0.5;
/// Where the log-odds may change their slope: quantiles of those of the sites, and of those of the
/// controls, that are fitted on. Enough of them that a curve of the score, such as a sigmoid, is
/// followed: what tests take for knowledge beyond the nucleotides must not be such a curve.
const KNOTS: [f64; 5] = [0.1, 0.3, 0.5, 0.7, 0.9];
/// Numbers of a row: the intercept, the log-odds, and what they have beyond each knot.
const NUMBERS: usize = 2 + 2 * KNOTS.len();
/// The log-odds are a summary of all columns and are shrunk this much less than they are.
const SHRUNK_LESS: f64 = 0.01;

/// The nucleotides around places.
#[derive(Clone, Debug)]
pub struct Letters {
    /// `(places, width)`: 0 to 3 for A, C, G and T, anything else unknown.
    codes: Vec<u8>,
    width: usize,
    scored: std::ops::Range<usize>,
    indicators: Arc<Indicators>,
}

impl Letters {
    /// From codes, `(places, width)` row-major. The weight matrix scores the columns `scored`:
    /// those where sites are known to differ.
    pub fn new(codes: Vec<u8>, width: usize, scored: std::ops::Range<usize>) -> Letters {
        let indicators = Arc::new(indicators(&codes, width));
        Letters {
            codes,
            width,
            scored: scored.start.min(width)..scored.end.min(width),
            indicators,
        }
    }

    fn of(&self, row: usize) -> &[u8] {
        &self.codes[row * self.width..(row + 1) * self.width]
    }

    /// Places.
    pub fn n(&self) -> usize {
        self.codes.len() / self.width.max(1)
    }

    /// The regressors of all places. The weight matrix and its knots are those of `rows`.
    pub fn design(&self, cases: &Cases, rows: &[usize]) -> Design {
        let matrix = self.log_odds(cases, rows);
        let score = |row: usize| {
            self.of(row)[self.scored.clone()]
                .iter()
                .zip(&matrix[self.scored.clone()])
                .map(|(code, column)| known(column, *code))
                .sum()
        };
        let scores: Vec<f64> = (0..self.n()).map(score).collect();
        let quantiles = |label: bool| {
            let mut sorted: Vec<f64> = rows
                .iter()
                .filter(|row| cases.is_site[**row] == label)
                .map(|row| scores[*row])
                .collect();
            sorted.sort_by(f64::total_cmp);
            KNOTS.map(|share| quantile_sorted(&sorted, share))
        };
        let knots = [quantiles(true), quantiles(false)].concat();
        let bent: Vec<f64> = scores
            .iter()
            .flat_map(|score| {
                std::iter::once(*score).chain(knots.iter().map(move |knot| (score - knot).max(0.0)))
            })
            .collect();
        let bent = standardised(&bent, NUMBERS - 1, &cases.weights);
        let values = bent
            .chunks_exact(NUMBERS - 1)
            .flat_map(|row| std::iter::once(1.0).chain(row.iter().copied()))
            .collect();
        Design::new(NUMBERS, values, Some(self.indicators.clone()))
    }

    /// The penalty of each column of [`Letters::design`] where that of a nucleotide is `penalty`.
    pub fn penalties(&self, penalty: f64) -> Vec<f64> {
        let mut penalties = vec![penalty; NUMBERS + self.indicators.columns];
        penalties[0] = 0.0;
        penalties[1..NUMBERS].fill(SHRUNK_LESS * penalty);
        penalties
    }

    /// Log-odds of each nucleotide in each column, sites against controls.
    fn log_odds(&self, cases: &Cases, rows: &[usize]) -> Vec<[f64; 4]> {
        let mut counts = vec![[[PSEUDOCOUNT; 4]; 2]; self.width];
        for row in rows {
            for (column, code) in counts.iter_mut().zip(self.of(*row)) {
                if let Some(count) =
                    column[usize::from(cases.is_site[*row])].get_mut(usize::from(*code))
                {
                    *count += cases.weights[*row];
                }
            }
        }
        let odds = |[controls, sites]: &[[f64; 4]; 2]| {
            let (all_sites, all_controls): (f64, f64) = (sites.iter().sum(), controls.iter().sum());
            std::array::from_fn(|letter| {
                (sites[letter] / all_sites / (controls[letter] / all_controls)).ln()
            })
        };
        counts.iter().map(odds).collect()
    }
}

fn known(column: &[f64; 4], code: u8) -> f64 {
    column.get(usize::from(code)).copied().unwrap_or(0.0)
}

/// Three columns a position and nine a pair of neighbouring positions: is the nucleotide (are both)
/// such a one, other than the commonest there?
fn indicators(codes: &[u8], width: usize) -> Indicators {
    let mut counts = vec![[0usize; 4]; width];
    for row in codes.chunks_exact(width.max(1)) {
        for (column, code) in counts.iter_mut().zip(row) {
            column
                .get_mut(usize::from(*code))
                .into_iter()
                .for_each(|count| *count += 1);
        }
    }
    let commonest: Vec<u8> = counts
        .iter()
        .map(|c| {
            (0..4u8)
                .rev()
                .max_by_key(|letter| c[usize::from(*letter)])
                .unwrap_or(0)
        })
        .collect();
    // 0 to 2 for the three that are not the commonest.
    let rank = |position: usize, code: u8| {
        (code < 4 && code != commonest[position])
            .then(|| u32::from(code - u8::from(code > commonest[position])))
    };
    let pairs_from = 3 * width as u32;
    let mut found = Indicators {
        columns: 3 * width + 9 * width.saturating_sub(1),
        starts: vec![0],
        active: Vec::new(),
    };
    for row in codes.chunks_exact(width.max(1)) {
        let ranks: Vec<Option<u32>> = row
            .iter()
            .enumerate()
            .map(|(position, code)| rank(position, *code))
            .collect();
        found.active.extend(
            (0..)
                .zip(&ranks)
                .filter_map(|(position, rank)| Some(3 * position + (*rank)?)),
        );
        let pairs = (0..)
            .zip(ranks.windows(2))
            .filter_map(|(pair, two)| Some(pairs_from + 9 * pair + 3 * two[0]? + two[1]?));
        found.active.extend(pairs);
        found.starts.push(found.active.len());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indicators_by_hand() {
        // Commonest: A, then C. Columns 0..3 are C, G, T at the first place, 3..6 A, G, T at the
        // second, then nine pairs.
        let found = indicators(&[0, 1, 0, 1, 3, 1, 0, 2, 3, 3, 4, 0], 2);
        let row = |row: usize| found.active[found.starts[row]..found.starts[row + 1]].to_vec();
        assert_eq!(found.columns, 15);
        assert_eq!(
            (row(0), row(2), row(3), row(4), row(5)),
            (vec![], vec![2], vec![4], vec![2, 5, 6 + 3 * 2 + 2], vec![3])
        );
    }

    #[test]
    fn log_odds_by_hand_and_their_columns() {
        let codes: Vec<u8> = (0..100)
            .flat_map(|i| [if i < 50 { 0 } else { 1 }, (i % 4) as u8])
            .collect();
        let is_site: Vec<bool> = (0..100).map(|i| !(40..90).contains(&i)).collect();
        let clusters: Vec<usize> = (0..100).map(|i| (i * 7) % 20).collect();
        let cases = Cases::new(is_site, vec![1.0; 100], &clusters).unwrap();
        let letters = Letters::new(codes, 2, 0..2);
        let all: Vec<usize> = (0..100).collect();
        let odds = letters.log_odds(&cases, &all);
        // 40 of 50 sites and 10 of 50 controls have an A.
        assert!(
            (odds[0][0] - (40.5f64 / 10.5).ln()).abs() < 1e-12
                && (odds[0][1] - (10.5f64 / 40.5).ln()).abs() < 1e-12
        );
        let design = letters.design(&cases, &all);
        assert_eq!(
            (design.rows(), design.width(), letters.penalties(2.0).len()),
            (100, NUMBERS + 15, NUMBERS + 15)
        );
        assert_eq!(letters.penalties(2.0)[..3], [0.0, 0.02, 0.02]);
    }
}
