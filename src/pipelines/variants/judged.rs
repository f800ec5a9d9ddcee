//! How well scores tell labels, or follow measured effects: by group, with intervals over draws of
//! groups, and against each other on the same variants.
//!
//! Labels (0 and 1 alone): the AUROC over all variants. Effects: Spearman's correlation in each
//! group, which is an element or a gene with a scale of its own, and their mean.

use std::collections::BTreeMap;

use super::{DifferenceRow, EvaluationRow, GroupRow, VariantRow, Variants, VariantsRequest};
use crate::stats::agreement::spearman;
use crate::stats::bootstrap::{labelled_auroc, mean_interval};
use crate::stats::permutation::sign_flip_clusters;

/// A group with fewer variants has no correlation of its own.
pub const LEAST_OF_GROUP: usize = 10;

/// Confidence level.
const LEVEL: f64 = 0.95;

/// A score, turned so that more of it means more of an effect.
pub struct Score {
    /// Its name.
    pub name: &'static str,
    /// Its value for a variant.
    pub of: fn(&VariantRow) -> f64,
}

/// The scores that are judged.
pub const SCORES: [Score; 7] = [
    Score {
        name: "llr",
        of: |row| -row.llr,
    },
    Score {
        name: "boundary_change",
        of: |row| row.boundary_change,
    },
    Score {
        name: "decisions_changed",
        of: |row| row.decisions_changed,
    },
    Score {
        name: "tokens_gained",
        of: |row| row.tokens_gained.abs(),
    },
    Score {
        name: "hidden_distance",
        of: |row| row.hidden_distance,
    },
    Score {
        name: "table_llr",
        of: |row| -row.table_llr,
    },
    Score {
        name: "track",
        of: |row| row.track,
    },
];

/// The variants that are judged, and what is known of them.
struct Judged<'a> {
    rows: Vec<&'a VariantRow>,
    groups: Vec<usize>,
    names: Vec<&'a str>,
    request: &'a VariantsRequest,
}

/// Adds the rows of evaluation, groups and differences.
pub(super) fn judge(rows: &[VariantRow], request: &VariantsRequest, found: &mut Variants) {
    let rows: Vec<&VariantRow> = rows
        .iter()
        .filter(|row| row.reason.is_empty() && row.label.is_finite())
        .collect();
    let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
    for row in &rows {
        numbers.insert(&row.group, 0);
    }
    numbers
        .values_mut()
        .enumerate()
        .for_each(|(number, place)| *place = number);
    let groups = rows.iter().map(|row| numbers[row.group.as_str()]).collect();
    let judged = Judged {
        groups,
        names: numbers.into_keys().collect(),
        rows,
        request,
    };
    // A score that some variant lacks (a track with gaps) is judged on none: all are compared on
    // the same.
    let scores: Vec<(&str, Vec<f64>)> = (SCORES.iter().map(|score| {
        (
            score.name,
            judged
                .rows
                .iter()
                .map(|row| (score.of)(row))
                .collect::<Vec<f64>>(),
        )
    }))
    .filter(|(_, values)| !values.is_empty() && values.iter().all(|value| value.is_finite()))
    .collect();
    let is_labels = judged
        .rows
        .iter()
        .all(|row| row.label == 0.0 || row.label == 1.0);
    if is_labels {
        judged.labels(&scores, found);
    } else {
        judged.effects(&scores, "size", f64::abs, found);
        judged.effects(&scores, "signed", |effect| effect, found);
    }
}

impl Judged<'_> {
    fn labels(&self, scores: &[(&str, Vec<f64>)], found: &mut Variants) {
        let VariantsRequest {
            bootstraps, seed, ..
        } = *self.request;
        let labels: Vec<bool> = self.rows.iter().map(|row| row.label == 1.0).collect();
        let measure = "auroc";
        let auroc = |values: &[f64], other: Option<&[f64]>| {
            labelled_auroc(
                values,
                other,
                &labels,
                &self.groups,
                bootstraps,
                LEVEL,
                seed,
            )
        };
        for (number, (name, values)) in scores.iter().enumerate() {
            let (value, ci_low, ci_high) = auroc(values, None);
            let (n, n_groups) = (values.len() as u64, self.names.len() as u64);
            found.evaluation.push(EvaluationRow {
                score: (*name).into(),
                measure: measure.into(),
                n,
                n_groups,
                value,
                ci_low,
                ci_high,
            });
            for (other, others) in &scores[number + 1..] {
                let (difference, ci_low, ci_high) = auroc(values, Some(others));
                let (p_value, p_floor) = (f64::NAN, f64::NAN);
                let (score, other, measure) = ((*name).into(), (*other).into(), measure.into());
                found.differences.push(DifferenceRow {
                    score,
                    other,
                    measure,
                    n_groups,
                    difference,
                    ci_low,
                    ci_high,
                    p_value,
                    p_floor,
                });
            }
        }
    }

    fn effects(
        &self,
        scores: &[(&str, Vec<f64>)],
        measure: &str,
        target: fn(f64) -> f64,
        found: &mut Variants,
    ) {
        let VariantsRequest {
            bootstraps,
            permutations,
            seed,
            ..
        } = *self.request;
        let members: Vec<Vec<usize>> = (0..self.names.len())
            .map(|group| {
                (0..self.rows.len())
                    .filter(|i| self.groups[*i] == group)
                    .collect()
            })
            .collect();
        // By group: the correlation of each score, where there is one.
        let of = |values: &[f64], members: &[usize]| {
            let scores: Vec<f64> = members.iter().map(|i| values[*i]).collect();
            let effects: Vec<f64> = members
                .iter()
                .map(|i| target(self.rows[*i].label))
                .collect();
            let one = vec![0; members.len()];
            if members.len() < LEAST_OF_GROUP {
                f64::NAN
            } else {
                spearman(&scores, &effects, &one, 0, LEVEL, seed).correlation
            }
        };
        let by_score: Vec<Vec<f64>> = scores
            .iter()
            .map(|(_, values)| members.iter().map(|members| of(values, members)).collect())
            .collect();
        for (number, ((name, _), values)) in scores.iter().zip(&by_score).enumerate() {
            let (known, n) = known(values, &members);
            let clusters: Vec<usize> = (0..known.len()).collect();
            let (ci_low, ci_high) = mean_interval(&known, &clusters, bootstraps, LEVEL, seed);
            found.evaluation.push(EvaluationRow {
                score: (*name).into(),
                measure: measure.into(),
                n,
                n_groups: known.len() as u64,
                value: crate::stats::mean(&known),
                ci_low,
                ci_high,
            });
            for ((group, members), value) in self.names.iter().zip(&members).zip(values) {
                let (score, measure, group) = ((*name).into(), measure.into(), (*group).into());
                found.groups.push(GroupRow {
                    score,
                    measure,
                    group,
                    n: members.len() as u64,
                    value: *value,
                });
            }
            for ((other, _), others) in scores.iter().zip(&by_score).skip(number + 1) {
                let differences: Vec<f64> = values
                    .iter()
                    .zip(others)
                    .map(|(a, b)| a - b)
                    .filter(|d| d.is_finite())
                    .collect();
                let clusters: Vec<usize> = (0..differences.len()).collect();
                let (ci_low, ci_high) =
                    mean_interval(&differences, &clusters, bootstraps, LEVEL, seed);
                let test = sign_flip_clusters(&differences, &clusters, permutations, seed);
                found.differences.push(DifferenceRow {
                    score: (*name).into(),
                    other: (*other).into(),
                    measure: measure.into(),
                    n_groups: differences.len() as u64,
                    difference: crate::stats::mean(&differences),
                    ci_low,
                    ci_high,
                    p_value: test.p_value,
                    p_floor: test.p_floor,
                });
            }
        }
    }
}

/// The values of groups that have one, and the variants in these.
fn known(values: &[f64], members: &[Vec<usize>]) -> (Vec<f64>, u64) {
    let known = values
        .iter()
        .zip(members)
        .filter(|(value, _)| value.is_finite());
    known.fold((Vec::new(), 0), |(mut all, n), (value, members)| {
        all.push(*value);
        (all, n + members.len() as u64)
    })
}
