//! The end of an analysis: its results folder, and what is said of it.

use super::stderr::say;
use super::stdout;
use crate::error::Result;
use crate::memory;
use crate::output::write_atomic;
use crate::pipelines::store::Part;
use crate::report::folder::ResultsFolder;
use crate::report::format::count;
use crate::report::page;
use crate::report::record::tables_of;
use crate::report::shard;
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;

/// The place of results; `None` for a part, which leaves a shard.
pub fn place(out: &Path, part: Option<Part>) -> Result<Option<ResultsFolder>> {
    match part {
        None => ResultsFolder::at(out).map(Some),
        Some(_) => shard::replaceable(out).map(|_| None),
    }
}

/// Puts the results in `out`: `fill` writes the tables and gives `run.json`; figures and page are
/// made of these. Prints `summary` and the page's path, as the user gave it, which is what can be
/// clicked or typed.
pub fn write(
    folder: Option<ResultsFolder>,
    out: &Path,
    bases_read: u64,
    summary: &str,
    fill: impl FnOnce(&Path) -> Result<Value>,
) -> Result<()> {
    let folder = folder.map_or_else(|| ResultsFolder::at(out), Ok)?;
    let place = folder.write(|folder| {
        let mut run = fill(folder)?;
        run["tables"] = json!(tables_of(folder)?);
        write_atomic(&folder.join("run.json"), |file| writeln!(file, "{run:#}"))?;
        page::write(folder)
    })?;
    let peak = memory::peak_bytes().map_or(String::new(), |bytes| {
        format!("peak memory {:.2} GB, ", bytes as f64 / 1e9)
    });
    say(&format!(
        "{peak}{} bases read by the model",
        count(bases_read as usize)
    ));
    let shown = if out.exists() { out } else { &place };
    stdout::print(&format!(
        "{summary}\n{}\n",
        shown.join("index.html").display()
    ))
}
