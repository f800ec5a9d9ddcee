//! Sites from controls by numbers measured at them, alone and beside what the nucleotides say.

use rayon::prelude::*;

use super::sequence::SequenceModel;
use super::{Cases, FOLDS};
use crate::stats::ridge::Design;
use crate::stats::ridge::logistic::{Labelled, fit};

/// Penalties that are tried for a standardised number's coefficient, for each unit of weight;
/// infinite leaves the numbers out.
const PENALTIES: [f64; 6] = [f64::INFINITY, 3.0, 0.3, 0.03, 0.003, 0.0003];

/// What the numbers say of every row.
#[derive(Clone, Debug)]
pub struct Scores {
    /// Log-odds of being a site, of each row from a model that has not seen its fold.
    pub logits: Vec<f64>,
    /// In how many of the folds the numbers were used at all.
    pub used: usize,
}

/// Fits a model of standardised numbers, `(rows, width)`, and of the score of the nucleotides where
/// one is given. Not to use the numbers at all is among the choices: what does not help in the
/// other folds is left out.
///
/// # Errors
/// In words, why it cannot be fitted.
pub fn fit_scores(
    cases: &Cases,
    numbers: &[f64],
    width: usize,
    sequence: Option<&SequenceModel>,
) -> Result<Scores, String> {
    let folds: Option<Vec<(Vec<f64>, bool)>> = (0..FOLDS)
        .into_par_iter()
        .map(|fold| of_fold(cases, numbers, width, sequence, fold))
        .collect();
    let folds = folds.ok_or("the model of the measured numbers did not converge")?;
    let logits = (0..cases.n())
        .map(|row| folds[cases.folds[row]].0[row])
        .collect();
    Ok(Scores {
        logits,
        used: folds.iter().filter(|(_, used)| *used).count(),
    })
}

/// The log-odds of all rows from a model without one fold, and whether it uses the numbers.
fn of_fold(
    cases: &Cases,
    numbers: &[f64],
    width: usize,
    sequence: Option<&SequenceModel>,
    outer: usize,
) -> Option<(Vec<f64>, bool)> {
    // The intercept, and the score of the nucleotides.
    let base = 1 + usize::from(sequence.is_some());
    let first =
        |row: usize| std::iter::once(1.0).chain(sequence.map(|model| model.inner[outer][row]));
    let plain = Design::new(base, (0..cases.n()).flat_map(first).collect(), None);
    let row =
        |row: usize| first(row).chain(numbers[row * width..(row + 1) * width].iter().copied());
    let design = Design::new(base + width, (0..cases.n()).flat_map(row).collect(), None);
    let mut losses = [0.0; PENALTIES.len()];
    for inner in (0..FOLDS).filter(|inner| *inner != outer) {
        let rows = cases.without(&[outer, inner]);
        let mut start = Vec::new();
        for (loss, penalty) in losses.iter_mut().zip(PENALTIES) {
            let fitted = Fitted::of(cases, &rows, (&plain, &design, base), penalty, &start)?;
            *loss += cases.loss_in(inner, |row| fitted.logit(row));
            start = fitted.coefficients;
        }
    }
    let best = (0..PENALTIES.len()).min_by(|a, b| losses[*a].total_cmp(&losses[*b]))?;
    let fitted = Fitted::of(
        cases,
        &cases.without(&[outer]),
        (&plain, &design, base),
        PENALTIES[best],
        &[],
    )?;
    Some((
        (0..cases.n()).map(|row| fitted.logit(row)).collect(),
        best > 0,
    ))
}

struct Fitted<'a> {
    design: &'a Design,
    coefficients: Vec<f64>,
}

impl<'a> Fitted<'a> {
    /// `designs`: without the numbers, with them, and how many columns the first has.
    fn of(
        cases: &Cases,
        rows: &[usize],
        designs: (&'a Design, &'a Design, usize),
        penalty: f64,
        start: &[f64],
    ) -> Option<Fitted<'a>> {
        let (plain, with, base) = designs;
        let design = if penalty.is_finite() { with } else { plain };
        let weight = cases.weight_of(rows);
        let mut penalties = vec![penalty * weight; design.width()];
        penalties[..base].fill(1e-6 * weight);
        penalties[0] = 0.0;
        let mut from = vec![0.0; design.width()];
        from.iter_mut()
            .zip(start)
            .for_each(|(from, start)| *from = *start);
        let data = Labelled {
            design,
            rows,
            labels: &cases.is_site,
            weights: &cases.weights,
        };
        Some(Fitted {
            design,
            coefficients: fit(data, &penalties, &from)?,
        })
    }

    fn logit(&self, row: usize) -> f64 {
        self.design.times(row, &self.coefficients)
    }
}
