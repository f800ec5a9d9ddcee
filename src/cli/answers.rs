//! Where a run has its answers from: the model, what an earlier run of the same kept, or shards.
//! And what it leaves: results, or a shard.

use super::shards::Shards;
use super::stderr::say;
use crate::error::{Error, Result};
use crate::model::Checkpoint;
use crate::output::{check_folder, is_temporary};
use crate::pipelines::BoundarySource;
use crate::pipelines::store::{self, Merged, Part, Remembering, Store};
use crate::report::format::count;
use crate::report::provenance::{Input, Run};
use crate::report::shard::{ANSWERS, MANIFEST, MOST_SHARDS, Manifest, Model};
use serde_json::Value;
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// `--shard`, for every command that asks a model much.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct ShardOption {
    /// Ask the model only for the I-th of N equal parts, and leave a shard for `merge` in the
    /// folder of --out in place of results
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
}

/// `3/7`: the third of seven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard(pub Part);

/// Raised by hand when a checkpoint comes to give other answers in the same arithmetic, or when the
/// analyses come to ask for them otherwise: kept answers and shards of another number are not used.
/// The version of the program is not asked: days of a model's time must outlive it.
const ANSWERS_FORMAT: u32 = 1;

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Shard, String> {
        let numbers = text
            .split_once('/')
            .and_then(|(i, n)| Some((i.parse::<u32>().ok()?, n.parse::<u32>().ok()?)));
        match numbers {
            Some((i, of)) if (1..=of).contains(&i) && of <= MOST_SHARDS => {
                Ok(Shard(Part { index: i - 1, of }))
            }
            _ => Err(format!("one of 1/N to N/N, N at most {MOST_SHARDS}")),
        }
    }
}

impl Shard {
    /// Its share of some jobs: every N-th, from the I-th on.
    pub fn share<T: Clone>(self, all: &[T]) -> Vec<T> {
        let Shard(Part { index, of }) = self;
        (all.iter().skip(index as usize).step_by(of as usize))
            .cloned()
            .collect()
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

    /// Who answered, for shards: their model is not opened, and need not be there nor run on this
    /// machine.
    pub fn model(&self) -> Option<&Model> {
        match self {
            Origin::Typed => None,
            Origin::Merged(shards) => Some(shards.model()),
        }
    }

    /// Bases that a model was given at once in training, where its file says so: of the checkpoint
    /// that was opened, or of the shards' model.
    pub fn trained_length(&self, checkpoint: Option<&Checkpoint>) -> Option<usize> {
        checkpoint.map_or_else(|| self.model()?.trained_length, Checkpoint::trained_length)
    }

    /// The record of a run's checkpoint: of the file, which `open` reads, or, of shards, of their
    /// checkpoint of that number.
    ///
    /// # Errors
    /// Those of `open`; shards of another command.
    pub fn checkpoint(&self, number: usize, open: impl FnOnce() -> Result<Input>) -> Result<Input> {
        match self {
            Origin::Typed => open(),
            Origin::Merged(shards) => shards.checkpoint(number),
        }
    }
}

/// What one run is about, as its shards must agree on.
pub struct About<'a> {
    /// The subcommand.
    pub analysis: &'a str,
    /// Every parameter; `router` where the models keep positions in another way than their files
    /// say.
    pub parameters: Value,
    /// The files, checkpoints among them.
    pub inputs: &'a [Input],
    /// Router of the model.
    pub stage: usize,
    /// Precision and what runs it.
    pub dtype: &'a str,
    /// The device.
    pub device: &'a str,
    /// Bases the model was given at once in training, where its file says so.
    pub trained_length: Option<usize>,
    /// What `run.json` says of the model.
    pub facts: &'a Value,
}

impl About<'_> {
    /// What the answers depend on.
    fn model(&self) -> String {
        let checkpoints = self
            .inputs
            .iter()
            .filter(|input| input.role == "checkpoint")
            .map(|input| input.sha256.as_str());
        let checkpoints = checkpoints.collect::<Vec<_>>().join(" ");
        let router = self.parameters["router"]
            .as_str()
            .map_or(String::new(), |router| format!(", router {router}"));
        format!(
            "answers {ANSWERS_FORMAT}, checkpoint {checkpoints}, stage {}, {}{router}",
            self.stage, self.dtype
        )
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
    Merged {
        /// Their files.
        stores: RefCell<Vec<Store>>,
        /// Router of the model.
        stage: usize,
    },
}

impl Answers {
    /// Finds what is at hand for a run that will leave `out`.
    ///
    /// # Errors
    /// Shards of another run; a folder `OUT.partial` that is not ours or in use.
    pub fn of(
        origin: Origin,
        about: &About<'_>,
        out: &Path,
        part: Option<Part>,
    ) -> Result<Answers> {
        if let Origin::Merged(shards) = origin {
            let stores = RefCell::new(shards.stores(about.inputs, &about.parameters)?);
            return Ok(Answers::Merged {
                stores,
                stage: about.stage,
            });
        }
        let (folder, store) = kept(out, &about.model())?;
        if !store.is_empty() {
            say(&format!(
                "going on with {}: the outputs of {} calls of the model are at hand",
                folder.display(),
                count(store.len())
            ));
        }
        Ok(Answers::Kept {
            folder,
            store: RefCell::new(store),
            part,
        })
    }

    /// Runs with `source` where an answer is not at hand.
    pub fn with<T>(
        &self,
        source: &dyn BoundarySource,
        run: impl FnOnce(&dyn BoundarySource) -> Result<T>,
    ) -> Result<T> {
        self.with_all(&[("", source)], |sources| run(sources[0]))
    }

    /// Runs with several sources, each with what tells it from the others.
    pub fn with_all<T>(
        &self,
        sources: &[(&str, &dyn BoundarySource)],
        run: impl FnOnce(&[&dyn BoundarySource]) -> Result<T>,
    ) -> Result<T> {
        match self {
            Answers::Direct => run(&sources
                .iter()
                .map(|(_, source)| *source)
                .collect::<Vec<_>>()),
            Answers::Kept {
                folder,
                store,
                part,
            } => {
                let all: Vec<Remembering<'_>> = sources
                    .iter()
                    .map(|(of, source)| Remembering::new(of, *source, store, *part))
                    .collect();
                let found = run(&all
                    .iter()
                    .map(|one| one as &dyn BoundarySource)
                    .collect::<Vec<_>>());
                if found.is_err() && store.borrow().is_empty() {
                    clear(folder)?; // it failed before there was anything to keep
                }
                if part.is_some() && found.is_ok() {
                    say(&format!(
                        "{} bases read by the model",
                        count(all.iter().map(|one| one.asked_bp() as usize).sum())
                    ));
                }
                found
            }
            Answers::Merged { stores, stage } => {
                let all: Vec<Merged<'_>> = sources
                    .iter()
                    .map(|(of, source)| Merged::new(of, stores, source.values(), *stage == 0))
                    .collect();
                run(&all
                    .iter()
                    .map(|one| one as &dyn BoundarySource)
                    .collect::<Vec<_>>())
            }
        }
    }

    /// Whether this is a shard: then there is no outcome, and [`Answers::leave_shard`] ends the
    /// run.
    pub fn is_shard(&self) -> bool {
        matches!(self, Answers::Kept { part: Some(_), .. })
    }

    /// Puts a shard into `out`.
    ///
    /// # Errors
    /// A folder `out` that is no former shard; files that cannot be written.
    pub fn leave_shard(self, about: &About<'_>, run: &Run, out: &Path) -> Result<()> {
        let Answers::Kept {
            folder,
            store,
            part: Some(part),
        } = self
        else {
            return Ok(());
        };
        let store = store.into_inner();
        let model = Model {
            answers: about.model(),
            dtype: about.dtype.into(),
            device: about.device.into(),
            trained_length: about.trained_length,
            facts: about.facts.clone(),
        };
        let part = (part.index, part.of);
        let manifest = Manifest::new(
            about.analysis,
            &about.parameters,
            about.inputs,
            model,
            part,
            store.len(),
            run,
        );
        store.finish()?;
        manifest.put(&folder, out)?;
        let (index, of) = part;
        say(&format!(
            "shard {} of {of} in {}; when all are there: ldar-analyze merge SHARDS... --out RESULTS",
            index + 1,
            out.display()
        ));
        Ok(())
    }

    /// Takes the kept answers away: the results are in place.
    ///
    /// # Errors
    /// A file that cannot be removed.
    pub fn remove(self) -> Result<()> {
        let Answers::Kept { folder, store, .. } = self else {
            return Ok(());
        };
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

/// The folder `OUT.partial` with the answers of a model. Those of another one are put aside, under
/// its name, and found again when it is asked anew.
fn kept(out: &Path, model: &str) -> Result<(PathBuf, Store)> {
    let folder = partial(out)?;
    let of = |name: &str| {
        let mut aside = folder.clone().into_os_string();
        aside.push(format!(".{name}"));
        PathBuf::from(aside)
    };
    let moved = |from: &Path, to: &Path| std::fs::rename(from, to).map_err(Error::io(from));
    for _ in 0..2 {
        let own = of(&store::name(model));
        if own.exists() && !folder.exists() {
            moved(&own, &folder)?;
        }
        std::fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
        only_answers(&folder)?;
        match Store::open(&folder.join(ANSWERS), model)? {
            store::Opened::Store(store) => return Ok((folder, store)),
            store::Opened::OfAnother(other) => {
                let aside = of(&other);
                moved(&folder, &aside)?;
                say(&format!(
                    "{}: kept answers of another checkpoint, stage, precision or kind of processor; now in {}, for a run with those. Remove it if there will be none",
                    folder.display(),
                    aside.display()
                ));
            }
        }
    }
    Err(Error::file(
        &folder,
        "another process changes it: choose another --out",
    ))
}

/// Refuses a folder `OUT.partial` that is somebody's: it would become a shard, or go with its
/// answers.
fn only_answers(folder: &Path) -> Result<()> {
    for entry in std::fs::read_dir(folder).map_err(Error::io(folder))? {
        let name = entry.map_err(Error::io(folder))?.file_name();
        if name != ANSWERS && name != MANIFEST && !is_temporary(&name) {
            return Err(Error::file(
                folder,
                format!(
                    "holds '{}', which is no answer of a model: choose another --out",
                    name.to_string_lossy()
                ),
            ));
        }
    }
    Ok(())
}

/// `OUT.partial`, beside `OUT`.
///
/// # Errors
/// As [`check_folder`].
pub fn partial(out: &Path) -> Result<PathBuf> {
    let place = check_folder(out)?;
    let mut name = place.file_name().unwrap_or_default().to_os_string();
    name.push(".partial");
    Ok(place.with_file_name(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_numbered_from_one() {
        assert_eq!("3/7".parse(), Ok(Shard(Part { index: 2, of: 7 })));
        for wrong in [
            "0/7", "8/7", "3", "3/", "/7", "-1/7", "1/100001", "a/b", "1/0",
        ] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
        assert!(partial(Path::new("a/b/")).unwrap().ends_with("a/b.partial"));
    }

    #[test]
    fn answers_of_another_model_are_put_aside_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let names = || {
            let all = std::fs::read_dir(folder.path())
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap());
            all.collect::<std::collections::BTreeSet<_>>()
        };
        let (_, mut store) = kept(&out, "f32").unwrap();
        store.put([1; 16], &[vec![0.5]]).unwrap();
        assert!(
            kept(&out, "f32")
                .unwrap_err()
                .to_string()
                .contains("another process")
        );
        drop(store);
        let (_, mut store) = kept(&out, "bf16").unwrap();
        assert!(store.is_empty());
        store.put([2; 16], &[vec![0.5]]).unwrap();
        store.put([3; 16], &[vec![0.5]]).unwrap();
        drop(store);
        assert_eq!(
            names(),
            [
                "out.partial".to_string(),
                format!("out.partial.{}", store::name("f32"))
            ]
            .into()
        );
        for (model, answers, other) in [("f32", 1, "bf16"), ("bf16", 2, "f32"), ("f32", 1, "bf16")]
        {
            assert_eq!(kept(&out, model).unwrap().1.len(), answers);
            assert_eq!(
                names(),
                [
                    "out.partial".to_string(),
                    format!("out.partial.{}", store::name(other))
                ]
                .into()
            );
        }
        std::fs::write(folder.path().join("out.partial/thesis.txt"), "years").unwrap();
        assert!(
            kept(&out, "f32")
                .unwrap_err()
                .to_string()
                .contains("thesis.txt")
        );
    }
}
