//! Sites from controls by the nucleotides around them.

use rayon::prelude::*;

use super::letters::Letters;
use super::{Cases, FOLDS};
use crate::stats::ridge::Design;
use crate::stats::ridge::logistic::{Labelled, fit};

/// Penalties that are tried for a nucleotide's coefficient, the strongest first: each fit starts
/// from the one before.
const PENALTIES: [f64; 5] = [256.0, 64.0, 16.0, 4.0, 1.0];

/// What the nucleotides say of every row.
#[derive(Clone, Debug)]
pub struct SequenceModel {
    /// Log-odds of being a site, of each row from a model that has not seen its fold.
    pub logits: Vec<f64>,
    /// `[f][row]`: the same from models that have seen neither fold `f` nor the row's own; for rows
    /// of `f`, from the model without `f`.
    pub(super) inner: Vec<Vec<f64>>,
    /// The penalty that was chosen where a fold is left out.
    pub penalties: [f64; FOLDS],
}

/// The log-odds of some rows under each penalty.
type Path = Vec<Vec<f64>>;

impl SequenceModel {
    /// Fits. A model without two folds serves either of them as the other's inner model.
    ///
    /// # Errors
    /// In words, why it cannot be fitted.
    pub fn fit(letters: &Letters, cases: &Cases) -> Result<SequenceModel, String> {
        let failed = || "the model of the nucleotides did not converge".to_string();
        let pairs: Vec<(usize, usize)> = (0..FOLDS)
            .flat_map(|a| (a + 1..FOLDS).map(move |b| (a, b)))
            .collect();
        let paths: Option<Vec<Path>> = pairs
            .par_iter()
            .map(|(a, b)| path(letters, cases, &[*a, *b], &PENALTIES))
            .collect();
        let paths = paths.ok_or_else(failed)?;
        let without = |a: usize, b: usize| {
            let at = pairs
                .iter()
                .position(|pair| *pair == (a.min(b), a.max(b)))
                .unwrap_or(0);
            &paths[at]
        };
        let chosen: Vec<usize> = (0..FOLDS)
            .map(|outer| {
                let loss = |penalty: &usize| {
                    let inner = (0..FOLDS).filter(|inner| *inner != outer);
                    inner
                        .map(|inner| {
                            cases.loss_in(inner, |row| without(outer, inner)[*penalty][row])
                        })
                        .sum::<f64>()
                };
                let losses: Vec<f64> = (0..PENALTIES.len()).map(|penalty| loss(&penalty)).collect();
                (0..PENALTIES.len())
                    .min_by(|a, b| losses[*a].total_cmp(&losses[*b]))
                    .unwrap_or(0)
            })
            .collect();
        let outer: Option<Vec<Path>> = (0..FOLDS)
            .into_par_iter()
            .map(|outer| path(letters, cases, &[outer], &PENALTIES[..=chosen[outer]]))
            .collect();
        let outer = outer.ok_or_else(failed)?;
        let inner: Vec<Vec<f64>> = (0..FOLDS)
            .map(|fold| {
                let of_row = |row: usize| match cases.folds[row] == fold {
                    true => outer[fold][chosen[fold]][row],
                    false => without(fold, cases.folds[row])[chosen[fold]][row],
                };
                (0..cases.n()).map(of_row).collect()
            })
            .collect();
        let calibrated: Option<Vec<Vec<f64>>> = (0..FOLDS)
            .map(|fold| calibrated(cases, &inner[fold], fold))
            .collect();
        let calibrated = calibrated.ok_or_else(failed)?;
        let logits = (0..cases.n())
            .map(|row| calibrated[cases.folds[row]][row])
            .collect();
        let penalties = std::array::from_fn(|fold| PENALTIES[chosen[fold]]);
        Ok(SequenceModel {
            logits,
            inner,
            penalties,
        })
    }
}

/// The log-odds of all rows under each penalty, from models without some folds.
fn path(letters: &Letters, cases: &Cases, left_out: &[usize], penalties: &[f64]) -> Option<Path> {
    let rows = cases.without(left_out);
    let design = letters.design(cases, &rows);
    let data = Labelled {
        design: &design,
        rows: &rows,
        labels: &cases.is_site,
        weights: &cases.weights,
    };
    let mut start = vec![0.0; design.width()];
    let one = |penalty: &f64| {
        start = fit(data, &letters.penalties(*penalty), &start)?;
        Some(
            (0..cases.n())
                .map(|row| design.times(row, &start))
                .collect(),
        )
    };
    penalties.iter().map(one).collect()
}

/// Scores with the intercept and slope that fit the rows outside of a fold.
fn calibrated(cases: &Cases, scores: &[f64], fold: usize) -> Option<Vec<f64>> {
    let rows = cases.without(&[fold]);
    let design = Design::new(
        2,
        scores.iter().flat_map(|score| [1.0, *score]).collect(),
        None,
    );
    let data = Labelled {
        design: &design,
        rows: &rows,
        labels: &cases.is_site,
        weights: &cases.weights,
    };
    let b = fit(data, &[0.0, 1e-6 * cases.weight_of(&rows)], &[0.0, 1.0])?;
    Some((0..cases.n()).map(|row| design.times(row, &b)).collect())
}
