//! Shards of one run: that they are all there, alike, and of the inputs at hand.

use crate::error::{Error, Result};
use crate::fetch::sources;
use crate::pipelines::store::Store;
use crate::report::provenance::Input;
use crate::report::shard::{ANSWERS, Manifest, Model};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Options whose values differ between shards of a run, or say nothing of its result.
const OF_A_SHARD: [&str; 3] = ["--shard", "--out", "--threads"];

/// All shards of one run.
pub struct Shards {
    found: Vec<(PathBuf, Manifest)>,
    command: Vec<String>,
}

impl Shards {
    /// Opens folders of shards, in any order. `inputs` are new places of files: (path in the
    /// command, path now).
    ///
    /// # Errors
    /// Folders that are no shards, shards of different runs, a shard twice, and shards that are
    /// missing: each is named.
    pub fn open(folders: &[PathBuf], out: &Path, inputs: &[(String, String)]) -> Result<Shards> {
        let mut found: Vec<(PathBuf, Manifest)> = folders
            .iter()
            .map(|folder| Ok((folder.clone(), Manifest::read(folder)?)))
            .collect::<Result<_>>()?;
        found.sort_by_key(|(_, manifest)| manifest.shard);
        let Some((at, one)) = found.first() else {
            return Err(Error::Usage("merge needs the folders of shards".into()));
        };
        for (place, other) in &found[1..] {
            if let Some(what) = difference(one, other) {
                return Err(Error::file(
                    place,
                    format!(
                        "is of another run than {}: they differ in {what}",
                        at.display()
                    ),
                ));
            }
        }
        if let Some(twice) = found
            .windows(2)
            .find(|two| two[0].1.shard == two[1].1.shard)
        {
            return Err(Error::file(
                &twice[1].0,
                format!(
                    "is shard {} of {}, as is {}",
                    one.shard,
                    one.of,
                    twice[0].0.display()
                ),
            ));
        }
        let mut missing = (1..=one.of).filter(|n| {
            found
                .binary_search_by_key(n, |(_, manifest)| manifest.shard)
                .is_err()
        });
        let some: Vec<String> = missing
            .by_ref()
            .take(10)
            .map(|n| format!("{n}/{}", one.of))
            .collect();
        if !some.is_empty() {
            let more = match missing.count() {
                0 => String::new(),
                n => format!(" and {n} more"),
            };
            return Err(Error::Invalid(format!(
                "shards are missing: {}{more}; run them with --shard, then merge",
                some.join(", ")
            )));
        }
        let command = command(one, out, inputs);
        Ok(Shards { found, command })
    }

    /// The command of the whole run.
    pub fn command(&self) -> Vec<String> {
        self.command.clone()
    }

    /// The command in words that this machine understands: a fetched model goes by its path, as it
    /// need not be in the cache here.
    pub fn words(&self) -> Vec<String> {
        let of_cache = |word: &String| {
            let name = word.strip_prefix("--checkpoint=").unwrap_or(word);
            let set = sources::named(name)
                .ok()
                .filter(|set| set.roles().contains(&"checkpoint"))?;
            let is_of = |input: &&Input| {
                input.role == "checkpoint"
                    && Path::new(&input.path)
                        .iter()
                        .any(|part| part == set.name.as_str())
            };
            let path = &self.manifest().inputs.iter().find(is_of)?.path;
            Some(word.replace(name, path))
        };
        self.command
            .iter()
            .map(|word| of_cache(word).unwrap_or_else(|| word.clone()))
            .collect()
    }

    /// What all shards say alike.
    fn manifest(&self) -> &Manifest {
        &self.found[0].1
    }

    /// Who answered.
    pub fn model(&self) -> &Model {
        &self.manifest().model
    }

    /// The record of the checkpoint of a number, from 0, that the shards were made with.
    ///
    /// # Errors
    /// They were made with fewer.
    pub fn checkpoint(&self, number: usize) -> Result<Input> {
        let mut checkpoints = self
            .manifest()
            .inputs
            .iter()
            .filter(|input| input.role == "checkpoint");
        checkpoints
            .nth(number)
            .cloned()
            .ok_or_else(|| Error::file(&self.found[0].0, "does not say of which checkpoint it is"))
    }

    /// The folders, once it is sure that they hold answers to this run's questions.
    ///
    /// # Errors
    /// Inputs that are not those of the shards, other parameters.
    pub fn folders(&self, inputs: &[Input], parameters: &Value) -> Result<Vec<PathBuf>> {
        let check = |(folder, manifest): &(PathBuf, Manifest)| {
            for (number, input) in inputs.iter().enumerate() {
                if !manifest
                    .inputs
                    .get(number)
                    .is_some_and(|known| same_file(known, input))
                {
                    return Err(Error::file(
                        &input.path,
                        format!(
                            "is not the {} that {} was made of",
                            input.role,
                            folder.display()
                        ),
                    ));
                }
            }
            if manifest.parameters != *parameters {
                let by = &manifest.tool;
                return Err(Error::file(
                    folder,
                    format!(
                        "was made with other parameters, by {by}: merge with the version that made the shards"
                    ),
                ));
            }
            Ok(folder.clone())
        };
        self.found.iter().map(check).collect()
    }

    /// The answers in the folders.
    ///
    /// # Errors
    /// As [`Shards::folders`]; damaged files.
    pub fn stores(&self, inputs: &[Input], parameters: &Value) -> Result<Vec<Store>> {
        let open = |(folder, (_, manifest)): (PathBuf, &(PathBuf, Manifest))| {
            let store = Store::open_finished(&folder.join(ANSWERS), &manifest.model.answers)?;
            match store.len() == manifest.calls {
                true => Ok(store),
                false => Err(Error::file(
                    &folder,
                    format!(
                        "holds {} of {} answers: run this shard again",
                        store.len(),
                        manifest.calls
                    ),
                )),
            }
        };
        self.folders(inputs, parameters)?
            .into_iter()
            .zip(&self.found)
            .map(open)
            .collect()
    }
}

/// The same content in the same role, wherever it lies.
fn same_file(one: &Input, other: &Input) -> bool {
    (&one.role, &one.sha256) == (&other.role, &other.sha256)
}

/// The first thing in which two shards are not of one run.
fn difference(one: &Manifest, other: &Manifest) -> Option<String> {
    let words = |what: &str, a: &str, b: &str| Some(format!("{what} ({a}, {b})"));
    if one.analysis != other.analysis {
        return words("the analysis", &one.analysis, &other.analysis);
    }
    if one.of != other.of {
        return words(
            "the number of shards",
            &one.of.to_string(),
            &other.of.to_string(),
        );
    }
    if let (Value::Object(a), Value::Object(b)) = (&one.parameters, &other.parameters)
        && let Some((name, value)) = a.iter().find(|(name, value)| b.get(*name) != Some(value))
    {
        return words(
            name,
            &value.to_string(),
            &b.get(name).map_or("none".into(), Value::to_string),
        );
    }
    let file = one
        .inputs
        .iter()
        .zip(&other.inputs)
        .find(|(a, b)| !same_file(a, b));
    if let Some((file, _)) = file {
        return Some(format!("the {} ({})", file.role, file.path));
    }
    (one.model.answers != other.model.answers
        || one.parameters != other.parameters
        || one.inputs.len() != other.inputs.len())
    .then(|| {
        format!(
            "the model ('{}', '{}')",
            one.model.answers, other.model.answers
        )
    })
}

/// The command without what is of a shard, for results in `out`, with files where they are now.
fn command(manifest: &Manifest, out: &Path, inputs: &[(String, String)]) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut old = manifest.command.iter();
    while let Some(word) = old.next() {
        match OF_A_SHARD.iter().find(|option| {
            word.strip_prefix(*option)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
        }) {
            Some(option) if word == option => drop(old.next()),
            Some(_) => {}
            None => words.push(moved(word, manifest, inputs)),
        }
    }
    words.extend(["--out".to_string(), out.display().to_string()]);
    words
}

/// A word of the command; a file that is not there under its path is looked for from the folder
/// where the shard ran.
fn moved(word: &str, manifest: &Manifest, inputs: &[(String, String)]) -> String {
    // `--option=PATH`; `bpe:PATH` and `track:PATH` of `compare`.
    let (option, path) = match (word.split_once('='), word.split_once(':')) {
        (Some((option, path)), _) if option.starts_with("--") => (format!("{option}="), path),
        (_, Some((kind @ ("bpe" | "track"), path))) => (format!("{kind}:"), path),
        _ => (String::new(), word),
    };
    if let Some((_, now)) = inputs.iter().find(|(then, _)| then == path) {
        return format!("{option}{now}");
    }
    let there = Path::new(&manifest.folder).join(path);
    let is_input = manifest.inputs.iter().any(|input| input.path == path);
    match is_input && !Path::new(path).exists() && there.exists() {
        true => format!("{option}{}", there.display()),
        false => word.to_string(),
    }
}

#[cfg(test)]
mod tests;
