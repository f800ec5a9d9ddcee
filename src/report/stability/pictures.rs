//! From tables to figures.

use super::StabilityPage;
use crate::figures::curves::{CurvePanel, CurveSeries, CurvesFigure};
use crate::figures::{ForestFigure, ForestGroup, ForestRow, HeatmapFigure};
use crate::pipelines::stability::{MAP_BP, MODEL, TABLE, UNTRAINED};
use crate::report::format::p_value;

/// A kind of edit in words.
pub(super) fn words(kind: &str) -> String {
    match kind {
        "snv" => "random base".into(),
        "mask" => "[MASK]".into(),
        "mask_share" => "15% [MASK]".into(),
        "random_share" => "15% random bases".into(),
        "shift" => "window shifted by 17 bases".into(),
        "half_context" => "half the context".into(),
        "other_strand" => "other strand".into(),
        other => match other.split_once('_') {
            Some((what, "1")) => format!("{what} of 1 base"),
            Some((what, n)) => format!("{what} of {n} bases"),
            None => other.into(),
        },
    }
}

impl StabilityPage {
    /// Responses over distance: (label, model, kind, group).
    fn curves(&self, series: &[(String, &str, &str, &str)]) -> CurvesFigure {
        let rows = |model: &str, kind: &str, group: &str| {
            let (model, kind, group) = (model.to_string(), kind.to_string(), group.to_string());
            self.found
                .distances
                .iter()
                .filter(move |row| row.model == model && row.kind == kind && row.group == group)
        };
        let panel =
            |title: &str,
             y_label: &str,
             value: fn(&crate::pipelines::stability::DistanceRow) -> f64| CurvePanel {
                title: title.into(),
                y_label: y_label.into(),
                series: series
                    .iter()
                    .map(|(label, model, kind, group)| CurveSeries {
                        label: label.clone(),
                        points: rows(model, kind, group)
                            .filter(|row| row.distance <= 40)
                            .map(|row| (row.distance as f64, value(row)))
                            .collect(),
                    })
                    .filter(|series| !series.points.is_empty())
                    .collect(),
                references: Vec::new(),
            };
        CurvesFigure {
            panels: vec![
                panel("Boundary probability", "mean |change|", |row| row.change),
                panel("Decisions", "share changed", |row| row.decisions),
            ],
            x_label: "bases between the position and the edit".into(),
        }
    }

    /// What different edits do.
    pub(super) fn by_kind(&self) -> CurvesFigure {
        let kinds = ["snv", "mask", "insertion_1", "deletion_1"];
        self.curves(&kinds.map(|kind| (words(kind), MODEL, kind, "random")))
    }

    /// What a random base does to different models, and at splice cores.
    pub(super) fn by_model(&self) -> CurvesFigure {
        self.curves(&[
            ("model".into(), MODEL, "snv", "random"),
            ("nucleotides within 8 bases".into(), TABLE, "snv", "random"),
            ("untrained".into(), UNTRAINED, "snv", "random"),
            ("donor cores".into(), MODEL, "snv", "donor"),
            (
                "the same nucleotides elsewhere".into(),
                MODEL,
                "snv",
                "donor_control",
            ),
        ])
    }

    /// What is compared.
    pub(super) fn forest(&self) -> ForestFigure {
        let group = |measure: &str, title: &str| ForestGroup {
            title: title.into(),
            rows: (self
                .found
                .comparisons
                .iter()
                .filter(|row| row.measure == measure))
            .map(|row| ForestRow {
                label: row.comparison.clone(),
                value: row.difference,
                ci_low: row.ci_low,
                ci_high: row.ci_high,
                n_pairs: row.n,
                n_clusters: row.n_clusters,
                p: p_value(row.p_value, Some(row.p_floor)),
            })
            .collect(),
        };
        ForestFigure {
            groups: vec![
                group("change", "Sum of |change of boundary probability|"),
                group("decisions", "Decisions changed"),
            ],
            heads: ForestFigure::DIFFERENCES,
            x_label: "difference an edit".into(),
        }
    }

    /// Position by letter, as in in-silico mutagenesis.
    pub(super) fn map(&self) -> HeatmapFigure {
        let first = -(MAP_BP as i64);
        let cell = |letter: &str, offset: i64| {
            self.found
                .map
                .iter()
                .find(|row| row.letter == letter && row.offset == offset)
                .map_or(0.0, |row| row.change)
        };
        let rows: Vec<Vec<f64>> = ["A", "C", "G", "T"]
            .iter()
            .map(|letter| (first..-first).map(|offset| cell(letter, offset)).collect())
            .collect();
        let most = rows.iter().flatten().copied().fold(0.0, f64::max);
        HeatmapFigure {
            title: "Sum of |change of boundary probability| by substitution".into(),
            n: rows.len(),
            rows,
            first: first as i32,
            edges: vec![0.0],
            x_label: "base from the splice site".into(),
            y_label: "A, C, G, T".into(),
            range: (0.0, most.max(1e-6)),
            ..HeatmapFigure::default()
        }
    }
}
