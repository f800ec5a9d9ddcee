//! The folder of a shard: answers of a model, and a manifest that says of what run.

use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::provenance::{Input, Run, tool};
use crate::error::{Error, Result};
use crate::output::write_atomic;

/// The file of answers in a shard's folder.
pub const ANSWERS: &str = "answers.bin";
/// The manifest beside it.
pub const MANIFEST: &str = "manifest.json";

/// What a shard says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Name, version and commit of the program.
    pub tool: String,
    /// The subcommand.
    pub analysis: String,
    /// Its number, from 1.
    pub shard: u32,
    /// How many shards the run has.
    pub of: u32,
    /// Calls of the model in it.
    pub calls: usize,
    /// Which model answered.
    pub model: String,
    /// The command, word by word.
    pub command: Vec<String>,
    /// The folder that paths in the command start from.
    pub folder: String,
    /// Every parameter of the run.
    pub parameters: Value,
    /// The files that went in.
    pub inputs: Vec<Input>,
}

impl Manifest {
    /// That of shard `index` (from 0) of `of`.
    pub fn new(
        analysis: &str,
        parameters: &Value,
        inputs: &[Input],
        model: &str,
        (index, of): (u32, u32),
        calls: usize,
        run: &Run,
    ) -> Manifest {
        let folder = std::env::current_dir().map_or(String::new(), |folder| folder.display().to_string());
        Manifest {
            tool: tool(),
            analysis: analysis.into(),
            shard: index + 1,
            of,
            calls,
            model: model.into(),
            command: run.command().to_vec(),
            folder,
            parameters: parameters.clone(),
            inputs: inputs.to_vec(),
        }
    }

    /// Reads that of a shard's folder.
    ///
    /// # Errors
    /// A folder without one, or with one that is not of this program.
    pub fn read(folder: &Path) -> Result<Manifest> {
        let path = folder.join(MANIFEST);
        let text = std::fs::read_to_string(&path)
            .map_err(|e| Error::file(folder, format!("is no finished shard: {MANIFEST} cannot be read ({e})")))?;
        serde_json::from_str(&text).map_err(|e| Error::file(&path, format!("is no manifest of a shard: {e}")))
    }

    /// Writes it into the folder of the answers, which then becomes `out`; a former shard there is replaced.
    ///
    /// # Errors
    /// A folder `out` that holds anything else than a former shard; files that cannot be written.
    pub fn put(&self, folder: &Path, out: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self).map_err(|e| Error::file(out, e.to_string()))?;
        write_atomic(&folder.join(MANIFEST), |file| writeln!(file, "{text}"))?;
        replaceable(out)?;
        if out.exists() {
            std::fs::remove_dir_all(out).map_err(Error::io(out))?;
        }
        std::fs::rename(folder, out).map_err(Error::io(out))
    }
}

/// Refuses a place that holds anything but a shard.
///
/// # Errors
/// A file, or a folder with other things in it.
pub fn replaceable(out: &Path) -> Result<()> {
    let entries = match std::fs::read_dir(out) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(Error::io(out)(e)),
    };
    for entry in entries {
        let name = entry.map_err(Error::io(out))?.file_name();
        if name != ANSWERS && name != MANIFEST {
            return Err(Error::file(out, format!("holds '{}', which is no part of a shard: choose another --out", name.to_string_lossy())));
        }
    }
    Ok(())
}
