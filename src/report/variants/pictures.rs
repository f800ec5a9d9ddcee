//! From tables to figures.

use super::{VariantsPage, measure, words};
use crate::figures::bars::{Bar, BarPanel, BarsFigure};
use crate::figures::curves::{CurvePanel, CurveSeries, CurvesFigure};
use crate::pipelines::variants::VariantRow;

/// Points of a curve.
const POINTS: usize = 200;

/// The share of values at most as large, over the values.
fn cumulative(label: &str, mut values: Vec<f64>) -> Option<CurveSeries> {
    values.retain(|value| value.is_finite());
    values.sort_by(f64::total_cmp);
    let n = values.len();
    let steps = n.min(POINTS);
    let at = |step: usize| (step * n).div_ceil(steps.max(1)).clamp(1, n);
    let points = (1..=steps)
        .map(|step| (values[at(step) - 1], at(step) as f64 / n as f64))
        .collect();
    (n > 0).then(|| CurveSeries {
        label: label.into(),
        points,
    })
}

impl VariantsPage {
    /// How scores are distributed.
    pub(super) fn curves(&self) -> CurvesFigure {
        let rows = &self.found.variants;
        let of =
            |label: &str, is_it: &dyn Fn(&VariantRow) -> bool, value: fn(&VariantRow) -> f64| {
                cumulative(
                    label,
                    rows.iter().filter(|row| is_it(row)).map(value).collect(),
                )
            };
        let is_single = |row: &VariantRow| row.kind == "snv";
        let likelihood = [
            of("model", &is_single, |row| row.llr),
            of("local table", &is_single, |row| row.table_llr),
        ];
        let boundaries = [
            of("SNVs", &is_single, |row| row.boundary_change),
            of(
                "others",
                &|row| !row.kind.is_empty() && row.kind != "snv",
                |row| row.boundary_change,
            ),
        ];
        let panel = |title: &str, series: [Option<CurveSeries>; 2]| CurvePanel {
            title: title.into(),
            y_label: "share of alleles".into(),
            series: series.into_iter().flatten().collect(),
            references: Vec::new(),
        };
        let panels = [
            panel("Log-likelihood ratio of SNVs", likelihood),
            panel("Sum of |change of boundary probability|", boundaries),
        ];
        CurvesFigure {
            panels: panels
                .into_iter()
                .filter(|panel| !panel.series.is_empty())
                .collect(),
            x_label: "score".into(),
        }
    }

    /// Scores beside each other.
    pub(super) fn bars(&self) -> BarsFigure {
        let found = &self.found;
        let mut measures: Vec<&str> = Vec::new();
        found.evaluation.iter().for_each(|row| {
            if !measures.contains(&row.measure.as_str()) {
                measures.push(&row.measure);
            }
        });
        let panel = |name: &&str| {
            let rows = found.evaluation.iter().filter(|row| row.measure == **name);
            let bar = |row: &crate::pipelines::variants::EvaluationRow| Bar {
                label: words(&row.score).into(),
                value: row.value,
                low: row.ci_low,
                high: row.ci_high,
                expected: if *name == "auroc" { 0.5 } else { 0.0 },
                points: Vec::new(),
            };
            let title = match *name {
                "auroc" => "AUROC",
                "size" => "Size of the effect",
                _ => "Signed effect",
            };
            BarPanel {
                title: title.into(),
                bars: rows.map(bar).collect(),
            }
        };
        let y_label = if measures.first() == Some(&"auroc") {
            "AUROC"
        } else {
            "mean Spearman’s correlation"
        };
        let note = format!(
            "{}; bars are 95% intervals over draws of groups.",
            measures.first().map_or("", |name| measure(name))
        );
        BarsFigure {
            panels: measures.iter().map(panel).collect(),
            y_label: y_label.into(),
            line: "by chance".into(),
            note,
        }
    }
}
