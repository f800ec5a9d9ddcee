//! The last section of a page: where its numbers come from.

use super::provenance::Input;
use super::splice_profile::About;
use super::splice_profile::sections::{link, paragraph};
use super::{Block, Cell, Column, Format, Link, Section, Table};
use serde::Serialize;

/// Program, command, inputs with their hashes, parameters, and links to the tables of these names.
pub(super) fn section(about: &About, tables: &[&str], parameters: &impl Serialize) -> Section {
    let row =
        |i: &Input| -> Vec<Cell> { vec![i.role.clone().into(), i.path.clone().into(), (i.bytes as usize).into(), i.sha256.clone().into()] };
    let head = [("input", Format::Text), ("file", Format::Text), ("bytes", Format::Integer), ("SHA-256", Format::Text)];
    let table = Table {
        caption: "What went in.".into(),
        columns: head.map(|(name, format)| Column::new(name, format)).to_vec(),
        rows: about.inputs.iter().map(row).collect(),
    };
    let files = tables.iter().flat_map(|name| ["tsv", "parquet"].map(|kind| format!("tables/{name}.{kind}")));
    let files: Vec<Link> = files.chain(["run.json".into()]).map(|path| link(&path, path.clone())).collect();
    let parameters = serde_json::to_value(parameters).map_or(String::new(), |value| format!("{value:#}"));
    let blocks = vec![
        paragraph(format!("{}. To run it again: {}", about.tool, about.command)),
        Block::Table(table),
        Block::Details { summary: "Every parameter".into(), pre: parameters },
        paragraph("All numbers behind this page, as tab-separated text and parquet, and the record of the run with versions and timings:"),
        Block::Links(files),
    ];
    Section { title: "Where it comes from".into(), blocks }
}
