//! Whether training moved the model's token boundaries: the section of the page.

use super::{FinetunePage, words};
use crate::error::Result;
use crate::figures::curves::{CurvePanel, CurveSeries, CurvesFigure};
use crate::report::block::{downloads, paragraph};
use crate::report::format::decimals;
use crate::report::page::FigureFolder;
use crate::report::{Block, Cell, Format, Section, Table, columns};
use crate::tasks::moved::MovedRow;

/// Classes that are drawn, beside all sequences together.
const DRAWN: usize = 4;

impl FinetunePage {
    /// Models and classes, each once, in the order of the table.
    fn moved_models(&self) -> Vec<(&str, &str)> {
        let mut found: Vec<(&str, &str)> = Vec::new();
        for row in &self.found.boundaries {
            if !found.contains(&(row.model.as_str(), row.class.as_str())) {
                found.push((&row.model, &row.class));
            }
        }
        found
    }

    /// Mean of a value over the trainings of a model, in a part of the sequences of a class.
    fn moved_mean(
        &self,
        (model, class): (&str, &str),
        (from, to): (f64, f64),
        value: fn(&MovedRow) -> f64,
    ) -> f64 {
        let rows = self.found.boundaries.iter().filter(|row| {
            row.model == model && row.class == class && (row.from, row.to) == (from, to)
        });
        let values: Vec<f64> = rows.map(value).filter(|value| value.is_finite()).collect();
        values.iter().sum::<f64>() / values.len() as f64
    }

    pub(super) fn boundaries(&self, to: &FigureFolder) -> Result<Option<Section>> {
        let all = self.moved_models();
        let Some((first, _)) = all.first() else {
            return Ok(None);
        };
        let whole =
            |of: (&str, &str), value: fn(&MovedRow) -> f64| self.moved_mean(of, (0.0, 1.0), value);
        let row = |&of: &(&str, &str)| -> Vec<Cell> {
            vec![
                words(of.0).into(),
                of.1.into(),
                whole(of, |row| row.compression_before).into(),
                whole(of, |row| row.compression_after).into(),
                whole(of, |row| row.gained + row.lost).into(),
                whole(of, |row| row.gained).into(),
                whole(of, |row| row.lost).into(),
            ]
        };
        let head = [
            ("model", Format::Text),
            ("class", Format::Text),
            ("bases per token before", Format::Decimals(3)),
            ("after", Format::Decimals(3)),
            ("decisions changed", Format::Percent(2)),
            ("gained", Format::Percent(2)),
            ("lost", Format::Percent(2)),
        ];
        let table = Table {
            caption: "Boundaries on the test sequences before and after training, means over trainings. Shares are of all positions between bases.".into(),
            columns: columns(&head),
            rows: all.iter().map(row).collect(),
        };
        let of = (*first, "all");
        let (before, after) = (
            whole(of, |row| row.compression_before),
            whole(of, |row| row.compression_after),
        );
        let changed = 100.0 * whole(of, |row| row.gained + row.lost);
        let text = format!(
            "Training changed {}% of the outermost router's decisions on the test sequences ({} to {} bases per token).",
            decimals(changed, 2),
            decimals(before, 2),
            decimals(after, 2)
        );
        let figure = Block::Figure {
            svg: to.write_figure(&self.moved_profile(first), "boundaries")?,
            label: "Boundaries along the sequence".into(),
            caption:
                "Share of positions that are boundaries in each twentieth of the sequence, before and after training, means over trainings."
                    .into(),
            downloads: downloads("boundaries", "boundaries"),
        };
        Ok(Some(Section {
            title: "Do boundaries move?".into(),
            blocks: vec![paragraph(text), figure, Block::Table(table)],
        }))
    }

    /// Share of boundaries over the sequence, by class.
    fn moved_profile(&self, model: &str) -> CurvesFigure {
        let parts: Vec<(f64, f64)> = {
            let rows =
                self.found.boundaries.iter().filter(|row| {
                    row.model == model && row.class == "all" && row.to - row.from < 1.0
                });
            let mut parts: Vec<(f64, f64)> = rows.map(|row| (row.from, row.to)).collect();
            parts.sort_by(|a, b| a.0.total_cmp(&b.0));
            parts.dedup();
            parts
        };
        let series = |class: &str, label: &str, value: fn(&MovedRow) -> f64| CurveSeries {
            label: label.into(),
            points: parts
                .iter()
                .map(|&(from, to)| {
                    (
                        50.0 * (from + to),
                        self.moved_mean((model, class), (from, to), value),
                    )
                })
                .collect(),
        };
        let panel = |(_, class): (&str, &str)| CurvePanel {
            title: if class == "all" {
                "all sequences".into()
            } else {
                format!("class {class}")
            },
            y_label: "share of boundaries".into(),
            series: vec![
                series(class, "before", |row| row.boundaries_before),
                series(class, "after", |row| row.boundaries_after),
            ],
            ..CurvePanel::default()
        };
        let classes = self
            .moved_models()
            .into_iter()
            .filter(|(of, _)| *of == model);
        CurvesFigure {
            panels: classes.take(1 + DRAWN).map(panel).collect(),
            x_label: "% of the sequence".into(),
        }
    }
}
