//! `finetune`: how well a model predicts labels of sequences once it is trained to.

use super::progress::Bar;
use super::task::{self, TaskOptions};
use super::{counts, results};
use crate::error::Result;
use crate::pipelines::Progress;
use crate::report::finetune as report;
use crate::report::folder::ResultsFolder;
use crate::report::provenance::Run;
use crate::tasks::judge::{JudgeRequest, judge};
use crate::tasks::{Predictions, Task, TaskRequest, kmer};
use serde_json::json;
use std::path::PathBuf;

/// Train on labelled sequences and test on others, beside a 6-mer baseline; writes an HTML report
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ldar-analyze finetune --model kmer --out mouse_2
      the bundled task mouse_2; open mouse_2/index.html
  ldar-analyze finetune --model kmer --train train.csv.gz --valid dev.csv.gz --test test.csv.gz --out tf_0
  ldar-analyze finetune --model kmer --data train.parquet --test test.parquet --task H3 --folds 10 --out H3

Tables in the results folder: predictions (one row a test sequence, training and class), metrics, folds, comparisons, duplicates, epochs.")]
pub struct Arguments {
    #[command(flatten)]
    task: TaskOptions,
    /// The model: kmer is the logistic regression on 6-mers alone
    #[arg(long, value_name = "MODEL", default_value = kmer::NAME, value_parser = [kmer::NAME])]
    model: String,
    /// Folder for the results
    #[arg(long, value_name = "FOLDER", default_value = "finetune")]
    out: PathBuf,
    /// Draws of the bootstraps
    #[arg(long, value_name = "N", default_value_t = 2000)]
    bootstraps: usize,
    /// Exchanges of the tests between models, at most
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    permutations: usize,
}

/// What is to be run.
pub struct Request {
    task: TaskRequest,
    model: String,
    out: PathBuf,
    judge: JudgeRequest,
}

impl Arguments {
    /// Refuses what no run could meet, before anything is read.
    pub fn validate(self) -> Result<Request> {
        counts::check(&[("--bootstraps", self.bootstraps), ("--permutations", self.permutations)])?;
        let judge = JudgeRequest { bootstraps: self.bootstraps, permutations: self.permutations, ..JudgeRequest::default() };
        Ok(Request { task: self.task.request()?, model: self.model, out: self.out, judge })
    }
}

impl Request {
    /// Trains, tests, and writes the results folder.
    pub fn run(self) -> Result<()> {
        let (run, folder, bar) = (Run::start(), ResultsFolder::at(&self.out)?, Bar::new());
        bar.show(Progress { stage: "reading sequences", done: 0, total: 1 });
        let inputs = task::inputs(&self.task)?;
        let task = self.task.load()?;
        task.notes.iter().for_each(|note| bar.note(note));
        let predictions = baseline(&task, &bar);
        bar.show(Progress { stage: "judging", done: 0, total: 1 });
        let found = judge(&task, &predictions, Vec::new(), &self.judge)?;
        let parameters = json!({"task": self.task, "model": self.model, "judge": self.judge});
        results::write(Some(folder), &self.out, 0, &report::summary(&found), |folder| {
            report::write_tables(&found, folder)?;
            Ok(run.to_json("finetune", parameters, &inputs, &json!(null), &bar.finish(), report::outcome(&found)))
        })
    }
}

/// What the 6-mer baseline says after each training.
fn baseline(task: &Task, bar: &Bar) -> Vec<Predictions> {
    let total = task.partitions.len() as u64;
    let one = |(done, partition)| {
        bar.show(Progress { stage: "6-mer baseline", done, total });
        let kmer::Fitted { valid, test, .. } = kmer::run(task, partition);
        [test, valid]
    };
    (0..).zip(&task.partitions).flat_map(one).collect()
}
