//! The figures of `matched-flops`.

use super::{FIXED, LEARNED, MatchedFlopsPage, distinct, primary, words};
use crate::figures::{
    Bar, BarPanel, BarsFigure, CurvePanel, CurveSeries, CurvesFigure, ForestFigure, ForestGroup,
    ForestRow, Reference,
};
use crate::pipelines::matched_flops::{CurveRow, TaskRow};
use crate::report::format::{decimals, p_value};
use crate::tasks::kmer;
use std::collections::BTreeMap;

impl MatchedFlopsPage {
    /// The arms on every task.
    pub(super) fn bars(&self) -> BarsFigure {
        let panel = |task: &TaskRow| {
            let of = || self.found.means.iter().filter(|row| row.task == task.task);
            let baseline = of()
                .find(|row| row.arm == kmer::NAME)
                .map_or(f64::NAN, |row| row.mcc);
            let scores = |arm: &str| {
                let rows = self.found.scores.iter();
                rows.filter(|row| row.task == task.task && row.arm == arm)
                    .map(|row| row.mcc)
                    .collect()
            };
            let bars = of().filter(|row| row.arm != kmer::NAME).map(|row| Bar {
                label: words(&row.arm).into(),
                value: row.mcc,
                low: row.test_low,
                high: row.test_high,
                expected: baseline,
                points: scores(&row.arm),
            });
            let published = match task.published.is_nan() {
                true => String::new(),
                false => format!(" (paper: {})", signed(task.published)),
            };
            BarPanel {
                title: format!("{}{published}", task.task),
                bars: bars.collect(),
            }
        };
        BarsFigure {
            panels: self.found.tasks.iter().map(panel).collect(),
            y_label: "Matthews correlation".into(),
            line: "6-mers".into(),
            note: "Bars: mean over seeds. Dots: the seeds, in the same order in every bar. Whiskers: 95% intervals of the mean over draws of clusters of similar test sequences. Black lines: the \
                   logistic regression on 6-mers, trained on the same rows. In brackets: the difference learned − fixed that the paper prints."
                .into(),
        }
    }

    /// Learned less fixed: over seeds, over test sequences, and in the paper.
    pub(super) fn forest(&self) -> ForestFigure {
        let group = |row: &crate::pipelines::matched_flops::DifferenceRow| {
            let published = self.found.tasks.iter().find(|task| task.task == row.task);
            let published = published
                .map(|task| task.published)
                .filter(|value| !value.is_nan());
            let mut rows = vec![
                ForestRow {
                    label: "interval over seeds".into(),
                    value: row.difference,
                    ci_low: row.seeds_low,
                    ci_high: row.seeds_high,
                    n_pairs: row.n_seeds,
                    n_clusters: row.n_seeds,
                    p: p_value(row.seeds_p_holm, None),
                },
                ForestRow {
                    label: "over test sequences".into(),
                    value: row.difference,
                    ci_low: row.test_low,
                    ci_high: row.test_high,
                    n_pairs: row.n,
                    n_clusters: row.n_clusters,
                    p: p_value(row.test_p_holm, Some(row.test_p_floor)),
                },
            ];
            rows.extend(published.map(|value| ForestRow {
                label: "in the paper".into(),
                value,
                ci_low: f64::NAN,
                ci_high: f64::NAN,
                n_pairs: 0,
                n_clusters: 0,
                p: "not given".into(),
            }));
            ForestGroup {
                title: row.task.clone(),
                rows,
            }
        };
        ForestFigure {
            groups: primary(&self.found).map(group).collect(),
            x_label: "Matthews correlation, learned − fixed".into(),
            heads: ["difference (95% CI)", "n", "units"],
        }
    }

    /// Loss and compression of some arms over pretraining, means over seeds.
    pub(super) fn courses(&self, arms: &[&str], label: &dyn Fn(&str) -> String) -> CurvesFigure {
        let course = |arm: &str, value: &dyn Fn(&CurveRow) -> f64| {
            let mut by_bases: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
            for row in self.found.curves.iter().filter(|row| row.arm == arm) {
                if value(row).is_finite() {
                    by_bases.entry(row.bases).or_default().push(value(row));
                }
            }
            let point = |(bases, values): (u64, Vec<f64>)| {
                (bases as f64 / 1e6, crate::stats::mean(&values))
            };
            by_bases.into_iter().map(point).collect()
        };
        let series = |value: &dyn Fn(&CurveRow) -> f64| -> Vec<CurveSeries> {
            let one = |arm: &&str| CurveSeries {
                label: label(arm),
                points: course(arm, value),
            };
            arms.iter().map(one).collect()
        };
        let targets = self.found.arms.iter().filter(|row| row.arm == LEARNED);
        let target = targets.map(|row| row.target).next().unwrap_or(f64::NAN);
        // A router begins with a token in hundreds of bases.
        let shown = |row: &CurveRow| match row.compression <= 5.0 * target {
            true => row.compression,
            false => f64::NAN,
        };
        CurvesFigure {
            panels: vec![
                CurvePanel {
                    title: "Masked-base loss, held-out chromosomes".into(),
                    y_label: "cross-entropy (nats)".into(),
                    series: series(&|row| row.heldout_mlm_nats),
                    references: Vec::new(),
                },
                CurvePanel {
                    title: "Compression, training windows".into(),
                    y_label: "bases per token".into(),
                    series: series(&shown),
                    references: vec![Reference {
                        label: "target".into(),
                        value: target,
                    }],
                },
            ],
            x_label: "bases read (millions)".into(),
        }
    }

    /// The arms of the main part.
    pub(super) fn main_arms(&self) -> Vec<&str> {
        distinct(
            self.found
                .arms
                .iter()
                .filter(|row| row.part == "main")
                .map(|row| row.arm.as_str()),
        )
    }

    /// The arms that a part sets beside the learned one, by what it varies.
    pub(super) fn part_arms(&self, part: &str) -> Vec<&str> {
        let of = self
            .found
            .arms
            .iter()
            .filter(|row| row.part == part || row.arm == LEARNED);
        let mut of: Vec<_> = of.collect();
        let varied = |row: &crate::pipelines::matched_flops::ArmRow| match part {
            "compression" => row.target,
            _ => row.alpha,
        };
        of.sort_by(|a, b| varied(a).total_cmp(&varied(b)));
        distinct(of.into_iter().map(|row| row.arm.as_str()))
    }

    /// Whether the fixed arm is there.
    pub(super) fn compares(&self) -> bool {
        self.found.arms.iter().any(|row| row.arm == FIXED)
    }
}

/// A difference with its sign.
pub(super) fn signed(value: f64) -> String {
    match value > 0.0 {
        true => format!("+{}", decimals(value, 3)),
        false => decimals(value, 3),
    }
}
