//! Ridge regressions, logistic and of least squares, on rows with a few numbers and many columns of
//! 0 or 1.

pub mod linear;
pub mod logistic;

use std::sync::Arc;

use crate::matrix::add_product;

/// Rows whose numbers are multiplied together.
const ROWS_AT_ONCE: usize = 256;

/// Columns of 0 and 1: of each row, which are 1.
#[derive(Clone, Debug, Default)]
pub struct Indicators {
    /// How many columns there are.
    pub columns: usize,
    /// Where each row starts in `active`, and the end of the last: one more than there are rows.
    pub starts: Vec<usize>,
    /// The columns that are 1, ascending within a row.
    pub active: Vec<u32>,
}

impl Indicators {
    fn of(&self, row: usize) -> &[u32] {
        &self.active[self.starts[row]..self.starts[row + 1]]
    }
}

/// Rows of a regression: `numbers` columns of numbers, then columns of 0 and 1. The first number of
/// a row is usually 1, the intercept.
#[derive(Clone, Debug)]
pub struct Design {
    numbers: usize,
    /// `(rows, numbers)`, row-major.
    values: Vec<f64>,
    indicators: Option<Arc<Indicators>>,
}

impl Design {
    /// From `values`, `(rows, numbers)` row-major, and indicators of as many rows.
    ///
    /// # Panics
    /// Where the two are not of equally many rows.
    pub fn new(numbers: usize, values: Vec<f64>, indicators: Option<Arc<Indicators>>) -> Design {
        let rows = values.len() / numbers.max(1);
        assert!(values.len() == rows * numbers, "a row is cut short");
        assert!(
            indicators
                .as_ref()
                .is_none_or(|i| i.starts.len() == rows + 1),
            "indicators of other rows"
        );
        Design {
            numbers,
            values,
            indicators,
        }
    }

    /// Rows.
    pub fn rows(&self) -> usize {
        self.values.len() / self.numbers.max(1)
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.numbers + self.indicators.as_ref().map_or(0, |i| i.columns)
    }

    fn numbers_of(&self, row: usize) -> &[f64] {
        &self.values[row * self.numbers..(row + 1) * self.numbers]
    }

    fn active(&self, row: usize) -> &[u32] {
        self.indicators.as_ref().map_or(&[], |i| i.of(row))
    }

    /// The product of a row with coefficients.
    pub fn times(&self, row: usize, coefficients: &[f64]) -> f64 {
        let (numbers, indicators) = coefficients.split_at(self.numbers);
        let of_numbers: f64 = self
            .numbers_of(row)
            .iter()
            .zip(numbers)
            .map(|(x, b)| x * b)
            .sum();
        of_numbers
            + self
                .active(row)
                .iter()
                .map(|column| indicators[*column as usize])
                .sum::<f64>()
    }

    /// Adds `factor` times a row to `sums`, one a column.
    pub fn add_to(&self, row: usize, factor: f64, sums: &mut [f64]) {
        let (numbers, indicators) = sums.split_at_mut(self.numbers);
        numbers
            .iter_mut()
            .zip(self.numbers_of(row))
            .for_each(|(sum, x)| *sum += factor * x);
        self.active(row)
            .iter()
            .for_each(|column| indicators[*column as usize] += factor);
    }

    /// The lower half of `sum weight x x'` over some rows, `(width, width)` row-major; weight `i`
    /// is that of `rows[i]`.
    pub fn gram(&self, rows: &[usize], weights: &[f64]) -> Vec<f64> {
        let (width, numbers) = (self.width(), self.numbers);
        let mut gram = vec![0.0; width * width];
        let mut square = vec![0.0; numbers * numbers];
        let (mut plain, mut turned) = (Vec::new(), Vec::new());
        for (some, weights) in rows.chunks(ROWS_AT_ONCE).zip(weights.chunks(ROWS_AT_ONCE)) {
            plain.clear();
            for row in some {
                plain.extend_from_slice(self.numbers_of(*row));
            }
            turned.resize(plain.len(), 0.0);
            for (i, (row, weight)) in plain.chunks_exact(numbers.max(1)).zip(weights).enumerate() {
                for (column, number) in row.iter().enumerate() {
                    turned[column * some.len() + i] = weight * number;
                }
            }
            add_product(&turned, &plain, numbers, &mut square);
            for (row, weight) in some.iter().zip(weights) {
                let active = self.active(*row);
                for (rank, column) in active.iter().enumerate() {
                    let line = &mut gram[(numbers + *column as usize) * width..][..width];
                    let (of_numbers, of_indicators) = line.split_at_mut(numbers);
                    of_numbers
                        .iter_mut()
                        .zip(self.numbers_of(*row))
                        .for_each(|(sum, x)| *sum += weight * x);
                    active[..=rank]
                        .iter()
                        .for_each(|other| of_indicators[*other as usize] += weight);
                }
            }
        }
        for (line, sums) in gram
            .chunks_exact_mut(width.max(1))
            .zip(square.chunks_exact(numbers.max(1)))
        {
            line[..numbers].copy_from_slice(sums);
        }
        gram
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::stats::rng::Rng;

    /// Rows with an intercept, two numbers and six indicators, and the same written out.
    pub fn example(rows: usize, seed: u64) -> (Design, Vec<Vec<f64>>) {
        let mut rng = Rng::new(seed);
        let (mut values, mut indicators, mut plain) = (
            Vec::new(),
            Indicators {
                columns: 6,
                starts: vec![0],
                ..Default::default()
            },
            Vec::new(),
        );
        for _ in 0..rows {
            let numbers = [1.0, rng.uniform() - 0.5, 2.0 * rng.uniform()];
            let on: Vec<u32> = (0..6).filter(|_| rng.below(3) == 0).collect();
            values.extend(numbers);
            let mut row = numbers.to_vec();
            row.extend((0..6).map(|column| f64::from(u8::from(on.contains(&column)))));
            plain.push(row);
            indicators.active.extend(on);
            indicators.starts.push(indicators.active.len());
        }
        (Design::new(3, values, Some(Arc::new(indicators))), plain)
    }

    #[test]
    fn a_design_is_its_rows_written_out() {
        let (design, plain) = example(700, 5);
        let rows: Vec<usize> = (0..700).filter(|row| row % 3 != 1).collect();
        let weights: Vec<f64> = rows.iter().map(|row| 0.1 + (row % 7) as f64).collect();
        let gram = design.gram(&rows, &weights);
        for i in 0..9 {
            for j in 0..=i {
                let wanted: f64 = rows
                    .iter()
                    .zip(&weights)
                    .map(|(row, w)| w * plain[*row][i] * plain[*row][j])
                    .sum();
                assert!((gram[i * 9 + j] - wanted).abs() < 1e-8, "{i} {j}");
            }
        }
        let coefficients: Vec<f64> = (0..9).map(f64::from).collect();
        let mut sums = vec![0.0; 9];
        design.add_to(4, 2.0, &mut sums);
        for column in 0..9 {
            assert_eq!(sums[column], 2.0 * plain[4][column]);
        }
        let wanted: f64 = plain[4].iter().zip(&coefficients).map(|(x, b)| x * b).sum();
        assert!((design.times(4, &coefficients) - wanted).abs() < 1e-12);
        assert_eq!((design.rows(), design.width()), (700, 9));
    }
}
