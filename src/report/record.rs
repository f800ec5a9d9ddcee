//! `run.json` read back: what a results folder says of itself. Pages are made of this and of the
//! tables, so that they can be made again.

use super::provenance::{Input, command_line};
use super::{Block, Format, Link, Section};
use crate::error::{Error, Result};
use crate::report::table::table;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// What `run.json` says.
#[derive(Debug, Clone, Deserialize)]
pub struct Record {
    /// The folder it was read from.
    #[serde(skip)]
    pub folder: PathBuf,
    /// The program.
    pub tool: Tool,
    /// Which analysis it was.
    pub analysis: String,
    /// The command, word by word.
    pub command: Vec<String>,
    /// Every parameter.
    pub parameters: Value,
    /// The files that went in.
    pub inputs: Vec<Input>,
    /// What came out beside the tables.
    pub outcome: Value,
    /// The tables that pages are made of, as the run wrote them; empty for runs of earlier
    /// versions.
    #[serde(default)]
    pub tables: Vec<Input>,
}

/// The tables of a results folder, for its record.
///
/// # Errors
/// A folder or a table that cannot be read.
pub fn tables_of(folder: &Path) -> Result<Vec<Input>> {
    let tables = folder.join("tables");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&tables).map_err(Error::io(&tables))? {
        let entry = entry.map_err(Error::io(&tables))?;
        if entry
            .path()
            .extension()
            .is_some_and(|ending| ending == "parquet")
        {
            let name = format!("tables/{}", entry.file_name().to_string_lossy());
            found.push(Input {
                path: name,
                ..Input::file("table", &entry.path())?
            });
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// A program.
#[derive(Debug, Clone, Deserialize)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The commit it was built from, where known.
    pub git_commit: Option<String>,
}

/// What a page says of a run, in a few words each.
#[derive(Clone, Debug)]
pub struct About {
    /// The genome.
    pub genome: String,
    /// The annotation, or the regions.
    pub annotation: String,
    /// The model.
    pub model: String,
    /// Whether genome and model are both the bundled ones: the model has then read most of this
    /// sequence in training.
    pub bundled: bool,
    /// Whether a track was read in place of a model.
    pub signal: bool,
    /// Name and version of the program.
    pub tool: String,
    /// The command, to be typed again.
    pub command: String,
    /// The files that went in.
    pub inputs: Vec<Input>,
}

impl Record {
    /// Reads `FOLDER/run.json`.
    ///
    /// # Errors
    /// A folder without one, or with one of another program.
    pub fn read(folder: &Path) -> Result<Record> {
        let path = folder.join("run.json");
        let text = std::fs::read_to_string(&path).map_err(Error::io(&path))?;
        let wrong = |what: &dyn std::fmt::Display| {
            Error::file(&path, format!("is no record of a run: {what}"))
        };
        let mut record: Record = serde_json::from_str(&text).map_err(|e| wrong(&e))?;
        if record.tool.name != env!("CARGO_PKG_NAME") {
            return Err(wrong(&format!("it is of {}", record.tool.name)));
        }
        record.folder = folder.to_path_buf();
        Ok(record)
    }

    /// The parameters of an analysis.
    ///
    /// # Errors
    /// They are those of another version.
    pub fn parameters<T: DeserializeOwned>(&self) -> Result<T> {
        T::deserialize(&self.parameters).map_err(|e| self.odd("parameters", &e))
    }

    /// A part of the outcome.
    ///
    /// # Errors
    /// It is missing, or of another version.
    pub fn outcome<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        T::deserialize(&self.outcome[name]).map_err(|e| self.odd(&format!("outcome.{name}"), &e))
    }

    fn odd(&self, what: &str, error: &dyn std::fmt::Display) -> Error {
        let by = format!("{} {}", self.tool.name, self.tool.version);
        Error::file(
            self.folder.join("run.json"),
            format!("{what}: {error} (written by {by}); run the analysis again"),
        )
    }

    /// The rows of a table. A damaged one is never handed to the library that reads it, which may
    /// ask for any amount of memory then.
    ///
    /// # Errors
    /// As [`super::tables::read`]; a table that is not the one that the run wrote.
    pub fn table<T: DeserializeOwned>(&self, name: &str) -> Result<Vec<T>> {
        let known = format!("tables/{name}.parquet");
        let path = self.folder.join(&known);
        if let Some(known) = self.tables.iter().find(|table| table.path == known)
            && Input::file("table", &path)?.sha256 != known.sha256
        {
            return Err(Error::file(
                path,
                "is not the table that the run wrote: it is damaged, or was changed; run the analysis again",
            ));
        }
        super::tables::read(&self.folder.join("tables"), name)
    }

    /// The file that went in as `role`.
    pub fn input(&self, role: &str) -> Option<&Input> {
        self.inputs.iter().find(|input| input.role == role)
    }

    /// What a page says of the run.
    pub fn about(&self) -> About {
        let named = |role: &str, bundled: &str, words: &str| {
            let input = self.input(role)?;
            let name = Path::new(&input.path)
                .file_name()
                .map_or(input.path.clone(), |name| {
                    name.to_string_lossy().into_owned()
                });
            Some(if input.is_bundled() {
                bundled.to_string()
            } else {
                format!("{words} {name}")
            })
        };
        let of = |role, bundled, words| {
            named(role, bundled, words).unwrap_or_else(|| format!("no {role}"))
        };
        let is_bundled = |role: &str| self.input(role).is_some_and(Input::is_bundled);
        let commit = self
            .tool
            .git_commit
            .as_ref()
            .map_or(String::new(), |commit| format!(" ({commit})"));
        About {
            genome: of("genome", "D. melanogaster chromosome 4 (dm6)", "genome"),
            annotation: named("regions", "", "promoters")
                .unwrap_or_else(|| of("annotation", "RefSeq annotation", "annotation")),
            model: named("signal", "", "signal")
                .unwrap_or_else(|| of("checkpoint", "bundled model demo-2m", "model")),
            signal: self.input("signal").is_some(),
            bundled: is_bundled("genome") && is_bundled("checkpoint"),
            tool: format!("{} {}{commit}", self.tool.name, self.tool.version),
            command: command_line(&self.command),
            inputs: self.inputs.clone(),
        }
    }
}

impl About {
    /// The last section of a page: program, command, inputs, every parameter, and the files beside
    /// the page.
    pub fn section<T: Serialize>(&self, request: &T, tables: &[&str]) -> Section {
        let table = table! {
            "What went in.";
            self.inputs.iter();
            |i: &Input|
            "input", Format::Text => i.role.clone();
            "file", Format::Text => i.path.clone();
            "bytes", Format::Integer => i.bytes;
            "SHA-256", Format::Text => i.sha256.clone();
        };
        let files = tables
            .iter()
            .flat_map(|name| ["tsv", "parquet"].map(|kind| format!("tables/{name}.{kind}")));
        let files = files.chain(["run.json".into()]).map(|path| Link {
            text: path.clone(),
            href: path,
        });
        let parameters =
            serde_json::to_value(request).map_or(String::new(), |value| format!("{value:#}"));
        let numbers = "All numbers behind this page, as tab-separated text and parquet, and the record of the run with versions and timings:";
        let blocks = vec![
            Block::Paragraph(format!("{}. To run it again: {}", self.tool, self.command)),
            Block::Table(table),
            Block::Details {
                summary: "Every parameter".into(),
                pre: parameters,
            },
            Block::Paragraph(numbers.into()),
            Block::Links(files.collect()),
        ];
        Section {
            title: "Where it comes from".into(),
            blocks,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Row {
        value: f64,
    }

    #[test]
    fn a_damaged_table_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        super::super::tables::write(
            &folder.path().join("tables"),
            "rows",
            &[Row { value: 0.5 }, Row { value: 1.0 }],
        )
        .unwrap();
        let run = serde_json::json!({
            "tool": {"name": "ldar-analyze", "version": "0"}, "analysis": "a", "command": [], "parameters": {}, "inputs": [], "outcome": {},
            "tables": tables_of(folder.path()).unwrap(),
        });
        std::fs::write(folder.path().join("run.json"), run.to_string()).unwrap();
        let record = Record::read(folder.path()).unwrap();
        assert_eq!(record.table::<Row>("rows").unwrap().len(), 2);
        let path = folder.path().join("tables/rows.parquet");
        let sound = std::fs::read(&path).unwrap();
        for at in 0..sound.len() {
            let mut damaged = sound.clone();
            damaged[at] ^= 0x80;
            for bytes in [&damaged[..], &sound[..at]] {
                std::fs::write(&path, bytes).unwrap();
                let message = record.table::<Row>("rows").err().unwrap().to_string();
                assert!(
                    message.contains("rows.parquet") && message.contains("not the table"),
                    "{message}"
                );
            }
        }
    }
}
