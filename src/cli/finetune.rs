//! `finetune`: how well a model predicts labels of sequences once it is trained to.

use super::answers::{Origin, ShardOption, partial};
use super::progress::Bar;
use super::stderr::say;
use super::task::{self, TaskOptions};
use super::training::{TrainingOptions, Trainings};
use super::{counts, results};
use crate::error::{Error, Result};
use crate::output::is_temporary;
use crate::pipelines::Progress;
use crate::pipelines::store::Part;
use crate::report::analysis::Tables as _;
use crate::report::finetune as report;
use crate::report::format::count;
use crate::report::shard::{FINETUNE, MANIFEST, Manifest, Model};
use crate::tasks::judge::{JudgeRequest, judge};
use crate::tasks::{Predictions, Task, TaskRequest, kmer};
use crate::train::finetune::outcome::{model_file, stem};
use crate::train::finetune::{Outcome, Protocol};
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

/// Train a model on labelled sequences and test it on others, beside a 6-mer baseline; writes an
/// HTML report
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ldar-analyze finetune
      the bundled task mouse_2 and the bundled model; open finetune/index.html
  ldar-analyze finetune --train train.csv.gz --valid dev.csv.gz --test test.csv.gz --checkpoint model.pt --protocol ldarnet --out tf_0
  ldar-analyze finetune --data train.parquet --test test.parquet --task H3 --folds 10 --protocol ldarnet --rate 1e-4 --out H3
      the authors' protocol: ten folds, one test split
  ldar-analyze finetune --data train.parquet --test test.parquet --task H3 --protocol ldarnet --shard 3/10 --out shards/3
      one of ten jobs; `ldar-analyze merge shards/* --out H3` then gives the results
  ldar-analyze finetune mouse_2 --model kmer --out baseline
      the logistic regression on 6-mers alone
  ldar-analyze predict --model finetune/models/ldarnet-fold-0-seed-42.safetensors --fasta new.fa

A run that was stopped goes on where it was when the same command is given again: what it needs is in FOLDER.partial after every epoch.
Tables in the results folder: predictions (one row a test sequence, training and class), metrics, folds, comparisons, duplicates, epochs, boundaries.")]
pub struct Arguments {
    #[command(flatten)]
    task: TaskOptions,
    /// The model: ldarnet, with the logistic regression on 6-mers beside it, or that alone
    #[arg(long, value_name = "MODEL", default_value = "ldarnet", value_parser = ["ldarnet", kmer::NAME])]
    model: String,
    #[command(flatten)]
    training: TrainingOptions,
    /// Folder for the results
    #[arg(long, value_name = "FOLDER", default_value = "finetune")]
    out: PathBuf,
    /// Draws of the bootstraps
    #[arg(long, value_name = "N", default_value_t = 2000)]
    bootstraps: usize,
    /// Exchanges of the tests between models, at most
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    permutations: usize,
    #[command(flatten)]
    shard: ShardOption,
}

/// What is to be run.
pub struct Request {
    task: TaskRequest,
    /// None: the baseline alone.
    training: Option<(TrainingOptions, Protocol)>,
    out: PathBuf,
    judge: JudgeRequest,
    part: Option<Part>,
}

impl Arguments {
    /// Refuses what no run could meet, before anything is read.
    pub fn validate(self) -> Result<Request> {
        counts::check(&[
            ("--bootstraps", self.bootstraps),
            ("--permutations", self.permutations),
        ])?;
        let (task, part) = (self.task.request()?, self.shard.part());
        let protocol = self.training.protocol(task.regression)?;
        let training = (self.model != kmer::NAME).then_some((self.training, protocol));
        if training.is_none() && part.is_some() {
            return Err(Error::Usage(
                "--shard is for models: the baseline is trained in no time".into(),
            ));
        }
        let judge = JudgeRequest {
            bootstraps: self.bootstraps,
            permutations: self.permutations,
            ..JudgeRequest::default()
        };
        Ok(Request {
            task,
            training,
            out: self.out,
            judge,
            part,
        })
    }
}

impl Request {
    /// Trains, tests, and writes the results folder, or of a part its shard.
    pub fn run(self, origin: Origin) -> Result<()> {
        let (mut run, folder, bar) = (
            origin.start(),
            results::place(&self.out, self.part)?,
            Bar::new(),
        );
        bar.show(Progress {
            stage: "reading sequences",
            done: 0,
            total: 1,
        });
        let mut inputs = task::inputs(&self.task)?;
        let task = self.task.load()?;
        task.notes.iter().for_each(|note| bar.note(note));
        let mut parameters = json!({"task": task::parameters(&self.task), "judge": self.judge});
        let (mut outcomes, mut facts, mut place) = (Vec::new(), Value::Null, None);
        if let Some((training, protocol)) = &self.training {
            parameters["protocol"] = json!(protocol);
            parameters["models"] = json!(training.names());
            training.router().note(&mut parameters);
            let checkpoint = training.input(&origin)?;
            let data: Vec<String> = inputs.iter().map(|input| input.sha256.clone()).collect();
            inputs.extend(checkpoint.clone());
            let decided = |model: &Model| json!([model.answers, parameters, data]).to_string();
            let trainings = |about| Trainings {
                task: &task,
                names: training.names(),
                protocol,
                about,
            };
            let model = match &origin {
                Origin::Merged(shards) => {
                    let (folders, model) = (
                        shards.folders(&inputs, &parameters)?,
                        shards.model().clone(),
                    );
                    outcomes = trainings(&decided(&model)).gather(&folders)?;
                    place = Some(Finished::Shards(folders));
                    model
                }
                Origin::Typed => {
                    let models = training.open()?;
                    let (model, work) =
                        (models.record(checkpoint.as_ref()), Work::open(&self.out)?);
                    let chosen = |number: usize| {
                        self.part
                            .is_none_or(|Part { index, of }| number % of as usize == index as usize)
                    };
                    outcomes =
                        trainings(&decided(&model)).run(&models, &work.folder, chosen, &bar)?;
                    if let Some(Part { index, of }) = self.part {
                        bar.finish();
                        let manifest = Manifest::new(
                            FINETUNE,
                            &parameters,
                            &inputs,
                            model,
                            (index, of),
                            outcomes.len(),
                            &run,
                        );
                        return work.leave_shard(&manifest, &self.out);
                    }
                    place = Some(Finished::Work(work));
                    model
                }
            };
            run.computed(&model.dtype, &model.device);
            facts = model.facts;
        }
        let mut predictions: Vec<Predictions> = outcomes
            .iter()
            .flat_map(|outcome| outcome.predictions.clone())
            .collect();
        predictions.extend(baseline(&task, &bar));
        bar.show(Progress {
            stage: "judging",
            done: 0,
            total: 1,
        });
        let mut found = judge(
            &task,
            &predictions,
            outcomes
                .iter()
                .flat_map(|outcome| outcome.epochs.clone())
                .collect(),
            &self.judge,
        )?;
        found.boundaries = outcomes
            .iter()
            .flat_map(|outcome| boundaries(outcome, &task))
            .collect();
        let read = outcomes
            .iter()
            .flat_map(|outcome| &outcome.predictions)
            .map(|one| one.scores.len() as u64)
            .sum::<u64>();
        let bases = read * task.test.bases() as u64 / task.test.len().max(1) as u64;
        let summary = format!("{}{}", report::summary(&found), work(&outcomes));
        let mean_length = task.test.bases() as f64 / task.test.len().max(1) as f64;
        let flops: Vec<Value> = outcomes
            .iter()
            .filter_map(|outcome| flops(outcome, mean_length))
            .collect();
        results::write(folder, &self.out, bases, &summary, |folder| {
            found.write_tables(folder)?;
            for one in outcomes
                .iter()
                .filter_map(|outcome| outcome.predictions.first())
            {
                place.iter().try_for_each(|place| {
                    place.keep_model(&stem(&one.model, one.fold, one.seed), folder)
                })?;
            }
            let mut outcome = report::outcome(&found);
            outcome["flops"] = json!(flops);
            Ok(run.to_json(
                FINETUNE,
                parameters,
                &inputs,
                &facts,
                &bar.finish(),
                outcome,
            ))
        })?;
        match place {
            Some(Finished::Work(work)) => work.remove(),
            _ => Ok(()),
        }
    }
}

/// The boundaries of a training in the report's rows.
fn boundaries(outcome: &Outcome, task: &Task) -> Vec<crate::tasks::moved::MovedRow> {
    let Some((moved, one)) = outcome.moved.as_ref().zip(outcome.predictions.first()) else {
        return Vec::new();
    };
    moved.rows((&one.model, one.fold, one.seed), &task.test)
}

/// The work of a training's model on the test sequences, for the record.
fn flops(outcome: &Outcome, mean_length: f64) -> Option<Value> {
    let one = outcome.predictions.first()?;
    Some(json!({
        "model": one.model, "fold": one.fold, "seed": one.seed,
        "flops_per_base": outcome.flops_per_base, "mean_length": mean_length,
    }))
}

/// The same in a line for people: the mean over trainings.
fn work(outcomes: &[Outcome]) -> String {
    let all: Vec<f64> = outcomes
        .iter()
        .map(|outcome| outcome.flops_per_base / 1e6)
        .collect();
    if all.is_empty() {
        String::new()
    } else {
        format!(
            "\n{:.3} MFLOP per base of a test sequence",
            crate::stats::mean(&all)
        )
    }
}

/// What the 6-mer baseline says after each training.
fn baseline(task: &Task, bar: &Bar) -> Vec<Predictions> {
    let total = task.partitions.len() as u64;
    let one = |(done, partition)| {
        bar.show(Progress {
            stage: "6-mer baseline",
            done,
            total,
        });
        let kmer::Fitted { valid, test, .. } = kmer::run(task, partition);
        [test, valid]
    };
    (0..).zip(&task.partitions).flat_map(one).collect()
}

/// Where finished trainings are.
enum Finished {
    /// In the run's own folder.
    Work(Work),
    /// In those of its shards.
    Shards(Vec<PathBuf>),
}

impl Finished {
    /// Puts the model of a training into a results folder.
    fn keep_model(&self, stem: &str, results: &Path) -> Result<()> {
        let folders = match self {
            Finished::Work(work) => std::slice::from_ref(&work.folder),
            Finished::Shards(folders) => folders,
        };
        let models = results.join("models");
        std::fs::create_dir_all(&models).map_err(Error::io(&models))?;
        match folders
            .iter()
            .map(|folder| model_file(folder, stem))
            .find(|path| path.exists())
        {
            Some(from) => std::fs::copy(&from, model_file(&models, stem))
                .map(drop)
                .map_err(Error::io(&from)),
            None => Err(Error::file(
                &folders[0],
                format!("lacks the model {stem}.safetensors: run its training again"),
            )),
        }
    }
}

/// The file that a run at work holds.
const LOCK: &str = "lock";

/// The folder of a run at work, `OUT.partial`; one process at a time.
struct Work {
    folder: PathBuf,
    lock: PathBuf,
    _held: File,
}

impl Work {
    /// Makes it, or finds what an earlier run left.
    ///
    /// # Errors
    /// One that another process is at work in, or that holds anything else.
    fn open(out: &Path) -> Result<Work> {
        let folder = partial(out)?;
        std::fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
        let mut found = 0;
        for entry in std::fs::read_dir(&folder).map_err(Error::io(&folder))? {
            let name = entry.map_err(Error::io(&folder))?.file_name();
            if !is_ours(&name) {
                return Err(Error::file(
                    &folder,
                    format!(
                        "holds '{}', which is of no training: choose another --out",
                        name.to_string_lossy()
                    ),
                ));
            }
            found += usize::from(name != LOCK);
        }
        let lock = folder.join(LOCK);
        let held = File::create(&lock).map_err(Error::io(&lock))?;
        if let Err(TryLockError::WouldBlock) = held.try_lock() {
            return Err(Error::file(
                &folder,
                "another process is at work here: wait for it, or choose another --out",
            ));
        }
        if found > 0 {
            say(&format!(
                "going on with the trainings in {}",
                folder.display()
            ));
        }
        Ok(Work {
            folder,
            lock,
            _held: held,
        })
    }

    /// Becomes a shard.
    fn leave_shard(self, manifest: &Manifest, out: &Path) -> Result<()> {
        std::fs::remove_file(&self.lock).map_err(Error::io(&self.lock))?;
        manifest.put(&self.folder, out)?;
        let (n, shard, of, out) = (
            count(manifest.calls),
            manifest.shard,
            manifest.of,
            out.display(),
        );
        say(&format!(
            "{n} trainings; shard {shard} of {of} in {out}; when all are there: ldar-analyze merge SHARDS... --out RESULTS"
        ));
        Ok(())
    }

    /// Removes what trainings left, and the folder: the results are in place.
    fn remove(self) -> Result<()> {
        std::fs::remove_dir_all(&self.folder).map_err(Error::io(&self.folder))
    }
}

/// What a run at work may leave in its folder.
fn is_ours(name: &OsStr) -> bool {
    let ending = Path::new(name)
        .extension()
        .is_some_and(|e| e == "safetensors" || e == "tsv");
    ending || name == LOCK || name == MANIFEST || is_temporary(name)
}
