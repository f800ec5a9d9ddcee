//! The paper's own table, as far as it can be set beside what was measured here.

use super::block::paragraph;
use super::page::FigureFolder;
use super::{Block, Cell, Format, Link, Section};
use crate::error::Result;
use crate::figures::{BenchmarkFigure, BenchmarkRow, Mark};
use crate::report::table::table;
use crate::tasks::suite::{PaperTask, paper};
use std::collections::BTreeMap;

/// The section. `measured` holds what fine-tuning runs of the report reached, by task; where there
/// are none, the section says so.
pub(super) fn section(to: &FigureFolder, measured: &BTreeMap<String, f64>) -> Result<Section> {
    let results = paper()?;
    let row = |task: &PaperTask| BenchmarkRow {
        label: task.name.clone(),
        values: vec![
            Mark::with_sd(task.released, task.released_sd),
            Mark::bare(task.paper),
            Mark::bare(task.small),
            Mark::bare(task.large),
        ],
        measured: measured.get(&task.name).copied(),
    };
    let figure = BenchmarkFigure {
        models: [
            "LDARNet, released checkpoint",
            "LDARNet, as printed",
            "best other below 300M parameters",
            "best other of any size",
        ]
        .map(String::from)
        .to_vec(),
        rows: results.task.iter().map(row).collect(),
        x_label: "Matthews correlation × 100, ten folds".into(),
        decimals: 1,
        note: format!(
            "Reported by {}. Bars: one standard deviation over folds.",
            results.source
        ),
    };
    let table = table! {
        "Matthews correlation × 100 on the 18 tasks of the Nucleotide Transformer benchmark.";
        results.task.iter();
        |task: &PaperTask|
        "task", Format::Text => task.name.clone();
        "released checkpoint", Format::Decimals(1) => task.released;
        "SD", Format::Decimals(1) => task.released_sd;
        "as printed", Format::Decimals(1) => task.paper;
        "best other below 300M", Format::Decimals(1) => task.small;
        "which", Format::Text => task.small_model.clone();
        "best other", Format::Decimals(1) => task.large;
        "which", Format::Text => task.large_model.clone();
        "measured here", Format::Decimals(1) => measured
                .get(&task.name)
                .map_or(Cell::Empty, |value| (*value).into());
    };
    let links = ["svg", "png"].map(|kind| Link {
        text: kind.to_uppercase(),
        href: format!("figures/paper.{kind}"),
    });
    let own = match measured.is_empty() {
        true => "This program has not fine-tuned the released checkpoint: the column of own measurements is empty.".to_string(),
        false => {
            "Measured here: the fine-tuning runs of this report, whose pages say of which checkpoint and protocol they are.".to_string()
        }
    };
    let blocks = vec![
        paragraph(format!(
            "What the paper reports of its model after fine-tuning. {own}"
        )),
        Block::Figure {
            svg: to.write_figure(&figure, "paper")?,
            label: "The paper’s table".into(),
            caption: "One row a task. Where a mark is missing it lies under another.".into(),
            downloads: links.to_vec(),
        },
        Block::Table(table),
    ];
    Ok(Section {
        title: "The paper’s numbers".into(),
        blocks,
    })
}
