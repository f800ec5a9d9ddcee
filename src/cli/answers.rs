//! Where a run has its answers from: the model, what an earlier run of the same kept, or shards. And what it leaves: results, or a shard.

use super::shards::Shards;
use crate::error::{Error, Result};
use crate::pipelines::BoundarySource;
use crate::pipelines::store::{Merged, Part, Remembering, Store};
use crate::report::format::count;
use crate::report::provenance::{Input, Run, tool};
use crate::report::shard::{ANSWERS, Manifest};
use serde_json::Value;
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// `--shard`, for every command that asks a model much.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct ShardOption {
    /// Ask the model only for the I-th of N equal parts, and leave a shard for `merge` in the folder of --out in place of results
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
}

/// `3/7`: the third of seven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shard(Part);

/// No run is cut into more.
const MOST_SHARDS: u32 = 100_000;

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Shard, String> {
        let numbers = text.split_once('/').and_then(|(i, n)| Some((i.parse::<u32>().ok()?, n.parse::<u32>().ok()?)));
        match numbers {
            Some((i, of)) if (1..=of).contains(&i) && of <= MOST_SHARDS => Ok(Shard(Part { index: i - 1, of })),
            _ => Err(format!("one of 1/N to N/N, N at most {MOST_SHARDS}")),
        }
    }
}

impl ShardOption {
    /// The part that was asked for.
    pub fn part(self) -> Option<Part> {
        self.shard.map(|shard| shard.0)
    }
}

/// Where a run starts from.
pub enum Origin {
    /// The command line.
    Typed,
    /// Shards of it.
    Merged(Shards),
}

impl Origin {
    /// The run, for its record: of shards, the command that would have given the same without them.
    pub fn start(&self) -> Run {
        match self {
            Origin::Typed => Run::start(),
            Origin::Merged(shards) => Run::of_command(shards.command()),
        }
    }
}

/// What one run is about, as its shards must agree on.
pub struct About<'a> {
    /// The subcommand.
    pub analysis: &'a str,
    /// Every parameter.
    pub parameters: Value,
    /// The files, checkpoints among them.
    pub inputs: &'a [Input],
    /// Router of the model.
    pub stage: usize,
    /// Precision and what runs it.
    pub dtype: &'a str,
}

impl About<'_> {
    /// What says which model answers, in which version of this program.
    fn model(&self) -> String {
        let checkpoints = self.inputs.iter().filter(|input| input.role == "checkpoint").map(|input| input.sha256.as_str());
        format!("{} checkpoint {} stage {} {}", tool(), checkpoints.collect::<Vec<_>>().join(" "), self.stage, self.dtype)
    }
}

/// The answers of one run.
pub enum Answers {
    /// Straight from a source that costs nothing, a track.
    Direct,
    /// From a model, kept in a folder beside the results until these are there.
    Kept {
        /// The folder.
        folder: PathBuf,
        /// The file in it.
        store: RefCell<Store>,
        /// The part that is asked for.
        part: Option<Part>,
    },
    /// From all shards.
    Merged(RefCell<Vec<Store>>),
}

impl Answers {
    /// Finds what is at hand for a run that will leave `out`.
    ///
    /// # Errors
    /// Shards of another run; a folder `OUT.partial` that is not ours or in use.
    pub fn of(origin: Origin, about: &About<'_>, out: &Path, part: Option<Part>) -> Result<Answers> {
        let model = about.model();
        if let Origin::Merged(shards) = origin {
            return Ok(Answers::Merged(RefCell::new(shards.stores(about.inputs, &about.parameters, &model)?)));
        }
        let folder = partial(out)?;
        std::fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
        let (store, dropped) = Store::open(&folder.join(ANSWERS), &model)?;
        if dropped {
            eprintln!("{}: answers of another model or version of this program are dropped", folder.display());
        }
        if !store.is_empty() {
            eprintln!("going on with {}: the answers to {} calls of the model are at hand", folder.display(), count(store.len()));
        }
        Ok(Answers::Kept { folder, store: RefCell::new(store), part })
    }

    /// Runs with `source` where an answer is not at hand.
    pub fn with<T>(&self, source: &dyn BoundarySource, run: impl FnOnce(&dyn BoundarySource) -> Result<T>) -> Result<T> {
        self.with_all(&[("", source)], |sources| run(sources[0]))
    }

    /// Runs with several sources, each with what tells it from the others.
    pub fn with_all<T>(&self, sources: &[(&str, &dyn BoundarySource)], run: impl FnOnce(&[&dyn BoundarySource]) -> Result<T>) -> Result<T> {
        match self {
            Answers::Direct => run(&sources.iter().map(|(_, source)| *source).collect::<Vec<_>>()),
            Answers::Kept { folder, store, part } => {
                let all: Vec<Remembering<'_>> = sources.iter().map(|(of, source)| Remembering::new(of, *source, store, *part)).collect();
                let found = run(&all.iter().map(|one| one as &dyn BoundarySource).collect::<Vec<_>>());
                if found.is_err() && store.borrow().is_empty() {
                    clear(folder)?; // it failed before there was anything to keep
                }
                if part.is_some() && found.is_ok() {
                    eprintln!("{} bases read by the model", count(all.iter().map(|one| one.asked_bp() as usize).sum()));
                }
                found
            }
            Answers::Merged(stores) => {
                let all: Vec<Merged<'_>> = sources.iter().map(|(of, _)| Merged::new(of, stores)).collect();
                run(&all.iter().map(|one| one as &dyn BoundarySource).collect::<Vec<_>>())
            }
        }
    }

    /// Whether this is a shard: then there is no outcome, and [`Answers::leave_shard`] ends the run.
    pub fn is_shard(&self) -> bool {
        matches!(self, Answers::Kept { part: Some(_), .. })
    }

    /// Puts a shard into `out`.
    ///
    /// # Errors
    /// A folder `out` that is no former shard; files that cannot be written.
    pub fn leave_shard(self, about: &About<'_>, run: &Run, out: &Path) -> Result<()> {
        let Answers::Kept { folder, store, part: Some(part) } = self else { return Ok(()) };
        let manifest = Manifest::new(
            about.analysis,
            &about.parameters,
            about.inputs,
            &about.model(),
            (part.index, part.of),
            store.borrow().len(),
            run,
        );
        drop(store);
        manifest.put(&folder, out)?;
        eprintln!(
            "shard {} of {} in {}; when all are there: ldar-analyze merge SHARDS... --out RESULTS",
            part.index + 1,
            part.of,
            out.display()
        );
        Ok(())
    }

    /// Takes the kept answers away: the results are in place.
    ///
    /// # Errors
    /// A file that cannot be removed.
    pub fn remove(self) -> Result<()> {
        let Answers::Kept { folder, store, .. } = self else { return Ok(()) };
        drop(store);
        clear(&folder)
    }
}

/// Removes the kept answers, and their folder unless somebody has put something else there.
fn clear(folder: &Path) -> Result<()> {
    let answers = folder.join(ANSWERS);
    std::fs::remove_file(&answers).map_err(Error::io(&answers))?;
    let _ = std::fs::remove_dir(folder);
    Ok(())
}

/// `OUT.partial`, beside `OUT`.
fn partial(out: &Path) -> Result<PathBuf> {
    let out = std::path::absolute(out).map_err(Error::io(out))?;
    let name = out.file_name().ok_or_else(|| Error::file(&out, "cannot hold results; choose a folder inside it"))?;
    let mut name = name.to_os_string();
    name.push(".partial");
    Ok(out.with_file_name(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_numbered_from_one() {
        assert_eq!("3/7".parse(), Ok(Shard(Part { index: 2, of: 7 })));
        for wrong in ["0/7", "8/7", "3", "3/", "/7", "-1/7", "1/100001", "a/b", "1/0"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
        assert!(partial(Path::new("a/b/")).unwrap().ends_with("a/b.partial"));
    }
}
