//! The folder of a shard: answers of a model, or what was trained, and a manifest that says of what
//! run.

use std::ffi::OsString;
use std::fs::DirEntry;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::provenance::{Input, Run, tool};
use crate::error::{Error, Result};
use crate::output::{check_folder, is_temporary, replace_folder, write_atomic};
use crate::pipelines::store::Store;

/// The file of answers in a shard's folder.
pub const ANSWERS: &str = "answers.bin";
/// The manifest beside it.
pub const MANIFEST: &str = "manifest.json";
/// The analysis whose shards hold finished trainings, safetensors, in place of answers.
pub const FINETUNE: &str = "finetune";
/// No run is cut into more.
pub const MOST_SHARDS: u32 = 100_000;

/// Who answered, as far as a run that does not open the model must know it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// What the answers depend on: see `cli/answers.rs`.
    pub answers: String,
    /// Precision of the model's projections and what ran them.
    pub dtype: String,
    /// The device it ran on.
    pub device: String,
    /// Bases that it was given at once in training, where its file says so.
    pub trained_length: Option<usize>,
    /// What `run.json` says of it.
    pub facts: Value,
}

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
    /// Calls of the model in it, or trainings.
    pub calls: usize,
    /// Who answered.
    pub model: Model,
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
        model: Model,
        (index, of): (u32, u32),
        calls: usize,
        run: &Run,
    ) -> Manifest {
        let folder =
            std::env::current_dir().map_or(String::new(), |folder| folder.display().to_string());
        Manifest {
            tool: tool(),
            analysis: analysis.into(),
            shard: index + 1,
            of,
            calls,
            model,
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
        let text = std::fs::read_to_string(&path).map_err(|e| {
            Error::file(
                folder,
                format!("is no finished shard: {MANIFEST} cannot be read ({e})"),
            )
        })?;
        let wrong = |what: String| Error::file(&path, format!("is no manifest of a shard: {what}"));
        let manifest: Manifest = serde_json::from_str(&text).map_err(|e| wrong(e.to_string()))?;
        match (1..=manifest.of).contains(&manifest.shard) && manifest.of <= MOST_SHARDS {
            true => Ok(manifest),
            false => Err(wrong(format!(
                "it says shard {} of {}",
                manifest.shard, manifest.of
            ))),
        }
    }

    /// Writes it into the folder of the answers, which then becomes `out`; a former shard there is
    /// replaced.
    ///
    /// # Errors
    /// A folder `out` that holds anything else than a former shard; files that cannot be written.
    pub fn put(&self, folder: &Path, out: &Path) -> Result<()> {
        let text =
            serde_json::to_string_pretty(self).map_err(|e| Error::file(out, e.to_string()))?;
        write_atomic(&folder.join(MANIFEST), |file| writeln!(file, "{text}"))?;
        replace_folder(folder, &replaceable(out)?)
    }
}

/// The place of a shard, through links.
///
/// # Errors
/// A file, a folder with anything in it but a former shard, and one that must not be replaced (see
/// `check_folder`).
pub fn replaceable(out: &Path) -> Result<PathBuf> {
    let place = check_folder(out)?;
    let entries = match std::fs::read_dir(&place) {
        Ok(entries) => entries
            .collect::<std::io::Result<Vec<_>>>()
            .map_err(Error::io(out))?,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(place),
        Err(e) => return Err(Error::io(out)(e)),
    };
    let is_training = |name: &OsString| {
        Path::new(name)
            .extension()
            .is_some_and(|e| e == "safetensors")
    };
    let is_ours = |name: &OsString| {
        name == ANSWERS || name == MANIFEST || is_temporary(name) || is_training(name)
    };
    if let Some(other) = entries
        .iter()
        .map(DirEntry::file_name)
        .find(|name| !is_ours(name))
    {
        return Err(Error::file(
            out,
            format!(
                "holds '{}', which is no part of a shard: choose another --out",
                other.to_string_lossy()
            ),
        ));
    }
    let is_shard = || {
        Manifest::read(&place).is_ok_and(|manifest| {
            manifest.analysis == FINETUNE || Store::is_one(&place.join(ANSWERS))
        })
    };
    if !entries.is_empty() && !is_shard() {
        return Err(Error::file(
            out,
            format!(
                "is not empty and holds no former shard ({MANIFEST}, {ANSWERS}): choose another --out, or empty it"
            ),
        ));
    }
    Ok(place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_a_former_shard_is_replaced() {
        let parent = tempfile::tempdir().unwrap();
        let at = |name: &str| parent.path().join(name);
        let answers = |name: &str| {
            std::fs::create_dir(at(name)).unwrap();
            drop(Store::open(&at(name).join(ANSWERS), "m").unwrap());
        };
        let manifest = |shard, of| Manifest {
            tool: "t".into(),
            analysis: "density".into(),
            shard,
            of,
            calls: 0,
            model: Model {
                answers: "m".into(),
                dtype: "f32".into(),
                device: "cpu".into(),
                trained_length: None,
                facts: json!(null),
            },
            command: Vec::new(),
            folder: "/".into(),
            parameters: json!({}),
            inputs: Vec::new(),
        };
        for part in ["first", "second"] {
            answers(part);
            manifest(1, 2).put(&at(part), &at("shard")).unwrap();
            assert!(!at(part).exists() && Manifest::read(&at("shard")).is_ok());
        }
        // Names are not enough.
        for (name, text) in [
            (MANIFEST, "{\"files\": []}"),
            (ANSWERS, "42"),
            ("notes.txt", "mine"),
        ] {
            let theirs = at(&format!("with {name}"));
            std::fs::create_dir(&theirs).unwrap();
            std::fs::write(theirs.join(name), text).unwrap();
            answers("fresh");
            let message = manifest(1, 2)
                .put(&at("fresh"), &theirs)
                .unwrap_err()
                .to_string();
            assert!(message.contains("choose another --out"), "{message}");
            assert_eq!(std::fs::read_to_string(theirs.join(name)).unwrap(), text);
            std::fs::remove_dir_all(at("fresh")).unwrap();
        }
        // Numbers that no run gives are damage.
        for (shard, of) in [(0, 2), (3, 2), (1, u32::MAX)] {
            std::fs::write(
                at("shard").join(MANIFEST),
                serde_json::to_string(&manifest(shard, of)).unwrap(),
            )
            .unwrap();
            let message = Manifest::read(&at("shard")).unwrap_err().to_string();
            assert!(
                message.contains("no manifest of a shard")
                    && message.contains(&format!("shard {shard} of {of}")),
                "{message}"
            );
        }
    }
}
