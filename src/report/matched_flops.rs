//! What `matched-flops` leaves behind beside its runs: tables, figures, one page.

mod pictures;
mod sections;

use super::Report;
use super::analysis::{Analysis, Tables as _, tables};
use super::format::{decimals, interval};
use super::page::FigureFolder;
use super::record::{About, Record};
use crate::error::{Error, Result};
use crate::pipelines::matched_flops::{
    DifferenceRow, Outcome, ScoreRow, TaskRow, Tested, adjust, off,
};
use crate::stats::repeats::{Repeats, repeats};
use crate::tasks::judge::{Facts, JudgeRequest, LDARNET};
use crate::tasks::rows::PredictionRow;
use crate::tasks::sampling::LEVEL;
use crate::tasks::{kmer, suite};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::Path;

tables! {
    Outcome; "arms": arms, "curves": curves, "tasks": tasks, "scores": scores, "means": means, "differences": differences
}

/// Operations are equal up to this share.
const EQUAL: f64 = 0.01;

/// The arm that others are compared with, and the first of those.
const LEARNED: &str = "learned";
const FIXED: &str = "fixed";

/// A finished fine-tuning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FineTuned {
    /// The task.
    pub task: String,
    /// The arm.
    pub arm: String,
    /// Seed.
    pub seed: u64,
    /// Name of its step.
    pub step: String,
}

/// Adds to an outcome what fine-tunings under `out` found.
///
/// # Errors
/// A folder that cannot be read, or that holds predictions of other test sequences.
pub fn judge(
    outcome: &mut Outcome,
    out: &Path,
    runs: &[FineTuned],
    request: &JudgeRequest,
) -> Result<()> {
    let published = suite::published_differences()?;
    let tasks: Vec<&str> = distinct(runs.iter().map(|run| run.task.as_str()));
    for task in tasks {
        let (mut tested, mut rows): (Option<Tested>, u64) = (None, 0);
        let (mut spent, mut baselines) = (Vec::new(), Vec::new());
        for run in runs.iter().filter(|run| run.task == task) {
            let record = Record::read(&out.join("steps").join(&run.step))?;
            let facts: Facts = record.outcome("facts")?;
            let of_test = spent_in(&record)?.flops_per_base;
            let predictions: Vec<PredictionRow> = record.table("predictions")?;
            let tested = match &mut tested {
                Some(tested) => tested,
                none => none.insert(Tested::new(&predictions)?),
            };
            rows = facts.rows;
            let wrong = |e: Error| Error::file(out.join("steps").join(&run.step), e.to_string());
            tested
                .add(&run.arm, run.seed, LDARNET, &predictions)
                .map_err(wrong)?;
            spent.push((run.arm.as_str(), run.seed, of_test));
            // Every arm has the same baseline beside it.
            if run.arm == LEARNED {
                baselines.push((run, predictions));
            }
        }
        let Some(mut tested) = tested else { continue };
        for (run, predictions) in &baselines {
            tested.add(kmer::NAME, run.seed, kmer::NAME, predictions)?;
        }
        for (arm, seed, found) in tested.measures() {
            let flops = |arm: &str| {
                let mut of = spent.iter();
                of.find(|one| (one.0, one.1) == (arm, seed))
                    .map(|one| one.2)
            };
            let flops_per_base = flops(arm).unwrap_or(f64::NAN);
            outcome.scores.push(ScoreRow {
                task: task.into(),
                arm: arm.into(),
                seed,
                mcc: found.mcc,
                accuracy: found.accuracy,
                auroc: found.auroc,
                flops_per_base,
                flops_off: off(flops_per_base, flops(LEARNED)),
            });
        }
        outcome.means.extend(tested.means(task, request));
        let others = distinct(outcome.means.iter().map(|row| row.arm.as_str()));
        let others = others.into_iter().filter(|arm| *arm != LEARNED);
        outcome
            .differences
            .extend(others.filter_map(|other| tested.difference(task, (LEARNED, other), request)));
        outcome.tasks.push(TaskRow {
            task: task.into(),
            rows,
            tested: tested.n() as u64,
            n_clusters: tested.n_clusters() as u64,
            n_copies: tested.n_copies() as u64,
            published: published.get(task).copied().unwrap_or(f64::NAN),
        });
    }
    adjust(&mut outcome.differences);
    Ok(())
}

/// What a fine-tuned model spends on the test sequences, as `finetune` records it.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Spent {
    /// Operations of a forward pass per base.
    pub flops_per_base: f64,
    /// Mean length of a sequence, in bases.
    pub mean_length: f64,
}

/// What the fine-tuned model in a folder spends.
///
/// # Errors
/// A folder that holds no results of `finetune`.
pub fn spent(folder: &Path) -> Result<Spent> {
    spent_in(&Record::read(folder)?)
}

fn spent_in(record: &Record) -> Result<Spent> {
    let all: Vec<Spent> = record.outcome("flops")?;
    let only = all.first().copied();
    only.ok_or_else(|| Error::Invalid("a fine-tuning without a model".into()))
}

/// Each once, in order of first appearance.
fn distinct<'a>(all: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = BTreeSet::new();
    all.filter(|one| seen.insert(*one)).collect()
}

/// A short answer for the terminal.
pub fn summary(outcome: &Outcome) -> String {
    let mut text = format!("{}\n\n", headline(outcome));
    text += &format!(
        "{:<14} {:<10} {:>7} {:>7}  {:<20} {}\n",
        "task", "arm", "seeds", "MCC", "over test sequences", "over seeds"
    );
    for row in &outcome.means {
        text += &format!(
            "{:<14} {:<10} {:>7} {:>7}  {:<20} {}\n",
            row.task,
            words(&row.arm),
            row.n_seeds,
            decimals(row.mcc, 3),
            interval(row.test_low, row.test_high),
            interval(row.seeds_low, row.seeds_high)
        );
    }
    text
}

/// What an arm is called.
fn words(arm: &str) -> &str {
    match arm {
        kmer::NAME => "6-mers",
        "none" => "no tokens",
        other => other,
    }
}

/// Learned less fixed by task.
fn primary(outcome: &Outcome) -> impl Iterator<Item = &DifferenceRow> {
    outcome
        .differences
        .iter()
        .filter(|row| row.arm == LEARNED && row.other == FIXED)
}

/// Learned less an arm, mean over tasks, seed by seed.
fn over_tasks(outcome: &Outcome, other: &str) -> Repeats {
    let of = |arm: &str, seed: u64| {
        let values: Vec<f64> = outcome
            .scores
            .iter()
            .filter(|row| row.arm == arm && row.seed == seed)
            .map(|row| row.mcc)
            .collect();
        crate::stats::mean(&values)
    };
    repeats(&by_seed(outcome, other, of), LEVEL)
}

/// Masked-base loss of learned less that of an arm, seed by seed.
fn loss_difference(outcome: &Outcome, other: &str) -> Repeats {
    let of = |arm: &str, seed: u64| {
        let mut rows = outcome.arms.iter().filter(|row| row.seed == seed);
        rows.find(|row| row.arm == arm)
            .map_or(f64::NAN, |row| row.mlm_nats)
    };
    repeats(&by_seed(outcome, other, of), LEVEL)
}

fn by_seed(outcome: &Outcome, other: &str, of: impl Fn(&str, u64) -> f64) -> Vec<f64> {
    let seeds: BTreeSet<u64> = outcome.arms.iter().map(|row| row.seed).collect();
    let differences = seeds
        .into_iter()
        .map(|seed| of(LEARNED, seed) - of(other, seed));
    differences
        .filter(|difference| !difference.is_nan())
        .collect()
}

/// How far the operations of an arm are off those of the learned one, at most: after pretraining,
/// over all of it, and of fine-tuned models on test sequences.
fn apart(outcome: &Outcome, arm: &str) -> [f64; 3] {
    let most = |values: &mut dyn Iterator<Item = f64>| {
        values
            .filter(|off| off.is_finite())
            .fold(f64::NAN, |most: f64, off| {
                if off.abs() > most.abs() || most.is_nan() {
                    off
                } else {
                    most
                }
            })
    };
    let arms = || outcome.arms.iter().filter(|row| row.arm == arm);
    let scores = || outcome.scores.iter().filter(|row| row.arm == arm);
    [
        most(&mut arms().map(|row| row.flops_off)),
        most(&mut arms().map(|row| row.training_flops_off)),
        most(&mut scores().map(|row| row.flops_off)),
    ]
}

/// Which of the paper's differences between learned and fixed lie outside of both intervals.
fn published(found: &Outcome) -> Vec<String> {
    let rows = primary(found).filter_map(|row| {
        let mut tasks = found.tasks.iter();
        let task = tasks.find(|task| task.task == row.task)?;
        let inside = |(low, high): (f64, f64)| (low..=high).contains(&task.published);
        let known = !(task.published + row.seeds_low + row.test_low).is_nan();
        known.then(|| {
            let excluded =
                !inside((row.seeds_low, row.seeds_high)) && !inside((row.test_low, row.test_high));
            let text = format!("{} ({})", row.task, pictures::signed(task.published));
            (text, excluded)
        })
    });
    let (excluded, open): (Vec<_>, Vec<_>) = rows.partition(|(_, excluded)| *excluded);
    let [excluded, open] = [excluded, open].map(|rows| {
        let texts: Vec<String> = rows.into_iter().map(|(text, _)| text).collect();
        texts.join(", ")
    });
    let mut texts = Vec::new();
    if !excluded.is_empty() {
        texts.push(format!(
            "The paper's difference lies outside of both 95% intervals on {excluded}."
        ));
    }
    if !open.is_empty() {
        texts.push(format!("The paper's difference is not excluded on {open}."));
    }
    texts
}

/// The answer in a sentence.
fn headline(outcome: &Outcome) -> String {
    let rows: Vec<&DifferenceRow> = primary(outcome).collect();
    if rows.is_empty() {
        let arms = distinct(outcome.arms.iter().map(|row| row.arm.as_str()));
        return format!(
            "{} models were pretrained and none was fine-tuned: their losses and compressions stand below.",
            arms.len()
        );
    }
    let told = |sign: f64| {
        let of = rows.iter().filter(|row| row.difference * sign > 0.0);
        of.filter(|row| row.is_told()).count()
    };
    let [pretrained, _, tested] = apart(outcome, FIXED);
    let most = pretrained.abs().max(tested.abs());
    let over = over_tasks(outcome, FIXED);
    let how_sure = match over.n {
        0 | 1 => "one seed, no interval".to_string(),
        n => format!("{}, {n} seeds", interval(over.low, over.high)),
    };
    format!(
        "Learned boundaries beat fixed on {} of {} tasks at FLOPs within {}, lose on {}; MCC differs by {} ({how_sure}).",
        told(1.0),
        rows.len(),
        super::format::percent(most, 1),
        told(-1.0),
        decimals(over.mean, 3)
    )
}

impl Analysis for Outcome {
    const NAME: &'static str = "matched-flops";
    const FIGURES: &'static [&'static str] = &[
        "scores",
        "differences",
        "pretraining",
        "ratio_loss",
        "targets",
    ];

    fn report(record: &Record, to: &FigureFolder) -> Result<Report> {
        MatchedFlopsPage::open(record)?.report(to)
    }
}

/// The page.
pub(super) struct MatchedFlopsPage {
    found: Outcome,
    seeds: usize,
    scale: String,
    sizes: String,
    steps: Vec<String>,
    about: About,
    parameters: serde_json::Value,
}

impl MatchedFlopsPage {
    /// From a results folder.
    pub fn open(record: &Record) -> Result<MatchedFlopsPage> {
        #[derive(Deserialize)]
        struct Parameters {
            scale: String,
            sizes: String,
            seeds: Vec<u64>,
        }
        #[derive(Deserialize)]
        struct Step {
            name: String,
        }
        let parameters: Parameters = record.parameters()?;
        let steps: Vec<Step> = record.outcome("steps")?;
        let mut found = Outcome::default();
        found.read_tables(record)?;
        Ok(MatchedFlopsPage {
            found,
            seeds: parameters.seeds.len(),
            scale: parameters.scale,
            sizes: parameters.sizes,
            steps: steps.into_iter().map(|step| step.name).collect(),
            about: record.about(),
            parameters: record.parameters.clone(),
        })
    }

    /// Draws and tells.
    pub fn report(&self, to: &FigureFolder) -> Result<Report> {
        let mut sections = Vec::new();
        if !self.found.tasks.is_empty() {
            sections.push(self.result(to)?);
        }
        sections.push(self.pretraining(to)?);
        sections.extend(self.part(to, "ratio-loss")?);
        sections.extend(self.part(to, "compression")?);
        sections.extend([
            self.methods(),
            self.about.section(&self.parameters, &Outcome::names()),
        ]);
        let seeds = distinct_seeds(&self.found);
        Ok(Report {
            title: "Do learned token boundaries beat a fixed grid at equal FLOPs?".into(),
            subtitle: format!(
                "{} · scale {} · {} · {seeds}",
                self.about.genome,
                self.scale,
                match self.found.tasks.len() {
                    1 => "1 task".into(),
                    n => format!("{n} tasks"),
                }
            ),
            headline: headline(&self.found),
            answer: self.answer(),
            sections,
            ..Report::default()
        })
    }
}

/// How many seeds there are, in words.
fn distinct_seeds(outcome: &Outcome) -> String {
    let seeds: BTreeSet<u64> = outcome.arms.iter().map(|row| row.seed).collect();
    match seeds.len() {
        1 => "1 seed".into(),
        n => format!("{n} seeds"),
    }
}

#[cfg(test)]
mod tests;
