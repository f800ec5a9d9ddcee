//! From tables to figures.

use std::collections::BTreeMap;

use super::{FinetunePage, rank, ranked, words};
use crate::figures::curves::{CurvePanel, CurveSeries, CurvesFigure};
use crate::figures::{
    BenchmarkFigure, BenchmarkRow, ConfusionFigure, ConfusionPanel, Mark, UnitSquare,
    UnitSquareFigure,
};
use crate::tasks::judge::MAJORITY;
use crate::tasks::rows::PredictionRow;

/// Bins of the calibration, and the most points of a curve.
const BINS: usize = 10;
const MOST_POINTS: usize = 300;

/// A probability that a sequence is of a class, and whether it is.
type Claim = (f64, bool);

impl FinetunePage {
    /// Scores of the models with both intervals.
    pub(super) fn scores(&self) -> BenchmarkFigure {
        let row = |row: &crate::tasks::rows::FoldRow| BenchmarkRow {
            label: words(&row.model).into(),
            values: vec![Mark {
                value: row.mean,
                inner: (row.low, row.high),
                outer: (row.test_low, row.test_high),
            }],
            measured: Some(row.mean),
        };
        BenchmarkFigure {
            models: vec![format!("mean over trainings, on {} test sequences", self.found.facts.tested)],
            rows: ranked(&self.found, "all").map(row).collect(),
            x_label: rank(&self.found).1.into(),
            decimals: 3,
            note: "Thin line with caps: 95% interval over draws of clusters of test sequences. Thick line: 95% interval over trainings."
                .into(),
        }
    }

    /// The models whose predictions are drawn.
    fn drawn(&self) -> Vec<&str> {
        ranked(&self.found, "all")
            .map(|row| row.model.as_str())
            .filter(|model| *model != MAJORITY)
            .collect()
    }

    /// Mean probability over trainings by (sequence, class), with whether the sequence is of the
    /// class.
    fn claims(&self, model: &str) -> Vec<Claim> {
        let facts = &self.found.facts;
        let mut sums: BTreeMap<(u64, &str), (f64, f64, bool)> = BTreeMap::new();
        let wanted = |row: &&PredictionRow| {
            row.model == model
                && (facts.classes.len() > 2 || facts.classes.last() == Some(&row.class))
        };
        for row in self.found.predictions.iter().filter(wanted) {
            let sum = sums.entry((row.index, row.class.as_str())).or_insert((
                0.0,
                0.0,
                row.class == row.label,
            ));
            *sum = (sum.0 + row.score, sum.1 + 1.0, sum.2);
        }
        sums.into_values()
            .map(|(sum, n, is)| (sum / n, is))
            .collect()
    }

    /// ROC, precision over recall, calibration.
    pub(super) fn squares(&self) -> UnitSquareFigure {
        let models: Vec<(&str, Vec<Claim>)> = self
            .drawn()
            .into_iter()
            .map(|model| (words(model), self.claims(model)))
            .collect();
        let all = |curve: fn(&[Claim]) -> Vec<(f64, f64)>| -> Vec<CurveSeries> {
            models
                .iter()
                .map(|(label, claims)| CurveSeries {
                    label: (*label).into(),
                    points: curve(claims),
                })
                .collect()
        };
        let share = models.first().map_or(0.0, |(_, claims)| {
            claims.iter().filter(|claim| claim.1).count() as f64 / claims.len().max(1) as f64
        });
        let square = |title: &str, x: &str, y: &str, series, reference, marked| UnitSquare {
            title: title.into(),
            x_label: x.into(),
            y_label: y.into(),
            series,
            reference: Some(reference),
            marked,
        };
        UnitSquareFigure {
            squares: vec![
                square(
                    "ROC",
                    "False positive rate",
                    "True positive rate",
                    all(roc),
                    [(0.0, 0.0), (1.0, 1.0)],
                    false,
                ),
                square(
                    "Precision and recall",
                    "Recall",
                    "Precision",
                    all(precision),
                    [(0.0, share), (1.0, share)],
                    false,
                ),
                square(
                    "Calibration",
                    "Predicted probability",
                    "Share that is",
                    all(calibration),
                    [(0.0, 0.0), (1.0, 1.0)],
                    true,
                ),
            ],
        }
    }

    /// Confusion matrices, means over trainings.
    pub(super) fn confusion(&self) -> ConfusionFigure {
        let classes = self.found.facts.classes.clone();
        let panel = |model: &str| {
            // The most probable class of each training and sequence, the first of several.
            let mut best: BTreeMap<(u64, u64, u64), &PredictionRow> = BTreeMap::new();
            for row in self
                .found
                .predictions
                .iter()
                .filter(|row| row.model == model)
            {
                best.entry((row.fold, row.seed, row.index))
                    .and_modify(|so_far| {
                        if row.score > so_far.score {
                            *so_far = row
                        }
                    })
                    .or_insert(row);
            }
            let trainings = ranked(&self.found, "all")
                .find(|row| row.model == model)
                .map_or(1.0, |row| row.n_folds.max(1) as f64);
            let place = |name: &str| classes.iter().position(|class| class == name);
            let mut counts = vec![vec![0.0; classes.len()]; classes.len()];
            for row in best.values() {
                if let (Some(own), Some(said)) = (place(&row.label), place(&row.class)) {
                    counts[own][said] += 1.0 / trainings;
                }
            }
            counts
                .iter_mut()
                .flatten()
                .for_each(|count| *count = (*count * 10.0).round() / 10.0);
            ConfusionPanel {
                title: words(model).into(),
                counts,
            }
        };
        ConfusionFigure {
            panels: self.drawn().into_iter().map(panel).collect(),
            classes: classes.clone(),
        }
    }

    /// Learning curves: mean over trainings at each epoch that any of them reached.
    pub(super) fn learning(&self) -> CurvesFigure {
        let mut models: Vec<&str> = self
            .found
            .epochs
            .iter()
            .map(|row| row.model.as_str())
            .collect();
        models.dedup();
        let mean = |model: &str, value: fn(&crate::tasks::EpochRow) -> f64| {
            let mut sums: BTreeMap<u64, (f64, f64)> = BTreeMap::new();
            for row in self
                .found
                .epochs
                .iter()
                .filter(|row| row.model == model && value(row).is_finite())
            {
                let sum = sums.entry(row.epoch).or_default();
                *sum = (sum.0 + value(row), sum.1 + 1.0);
            }
            sums.into_iter()
                .map(|(epoch, (sum, n))| (epoch as f64, sum / n))
                .collect::<Vec<_>>()
        };
        let series = |model: &&str, what: &str, value| CurveSeries {
            label: format!("{}, {what}", words(model)),
            points: mean(model, value),
        };
        let losses = models.iter().flat_map(|model| {
            [
                series(model, "training", |row| row.train_loss),
                series(model, "validation", |row| row.valid_loss),
            ]
        });
        let scores = models
            .iter()
            .map(|model| series(model, "validation", |row| row.valid_score));
        CurvesFigure {
            panels: vec![
                CurvePanel {
                    title: "Loss".into(),
                    y_label: "loss".into(),
                    series: losses.collect(),
                    ..CurvePanel::default()
                },
                CurvePanel {
                    title: rank(&self.found).1.into(),
                    y_label: rank(&self.found).1.into(),
                    series: scores.collect(),
                    ..CurvePanel::default()
                },
            ],
            x_label: "epoch".into(),
        }
    }
}

/// Claims by falling probability, those that tie together: (true, false) so far after each.
fn steps(claims: &[Claim]) -> Vec<(f64, f64)> {
    let mut sorted = claims.to_vec();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut so_far = (0.0, 0.0);
    let ties = sorted.chunk_by(|a, b| a.0 == b.0).map(|ties| {
        let hits = ties.iter().filter(|claim| claim.1).count() as f64;
        so_far = (so_far.0 + hits, so_far.1 + ties.len() as f64 - hits);
        so_far
    });
    ties.collect()
}

fn thinned(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let every = points.len().div_ceil(MOST_POINTS).max(1);
    let last = points.len().saturating_sub(1);
    points
        .into_iter()
        .enumerate()
        .filter(|(i, _)| i % every == 0 || *i == last)
        .map(|(_, point)| point)
        .collect()
}

fn roc(claims: &[Claim]) -> Vec<(f64, f64)> {
    let steps = steps(claims);
    let Some((positives, negatives)) = steps.last().copied() else {
        return Vec::new();
    };
    let points = std::iter::once((0.0, 0.0)).chain(
        steps
            .into_iter()
            .map(|(hits, misses)| (misses / negatives, hits / positives)),
    );
    thinned(points.collect())
}

fn precision(claims: &[Claim]) -> Vec<(f64, f64)> {
    let steps = steps(claims);
    let positives = steps.last().map_or(0.0, |(hits, _)| *hits);
    thinned(
        steps
            .into_iter()
            .map(|(hits, misses)| (hits / positives, hits / (hits + misses)))
            .collect(),
    )
}

fn calibration(claims: &[Claim]) -> Vec<(f64, f64)> {
    let mut bins = [(0.0, 0.0, 0.0); BINS];
    for (probability, is) in claims {
        let bin = &mut bins[((probability * BINS as f64) as usize).min(BINS - 1)];
        *bin = (
            bin.0 + probability,
            bin.1 + f64::from(u8::from(*is)),
            bin.2 + 1.0,
        );
    }
    bins.iter()
        .filter(|bin| bin.2 > 0.0)
        .map(|(sum, hits, n)| (sum / n, hits / n))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_by_hand() {
        let claims = [(0.9, true), (0.8, false), (0.8, true), (0.3, false)];
        assert_eq!(
            roc(&claims),
            [(0.0, 0.0), (0.0, 0.5), (0.5, 1.0), (1.0, 1.0)]
        );
        assert_eq!(
            precision(&claims),
            [(0.5, 1.0), (1.0, 2.0 / 3.0), (1.0, 0.5)]
        );
        assert_eq!(calibration(&claims), [(0.3, 0.0), (0.8, 0.5), (0.9, 1.0)]);
        assert!(roc(&[]).is_empty() && precision(&[]).is_empty() && calibration(&[]).is_empty());
        let many: Vec<Claim> = (0..5000)
            .map(|i| (f64::from(i) / 5000.0, i % 2 == 0))
            .collect();
        assert!(roc(&many).len() <= MOST_POINTS + 1 && roc(&many).last() == Some(&(1.0, 1.0)));
    }
}
