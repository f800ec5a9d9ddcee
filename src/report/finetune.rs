//! What `finetune` leaves behind: its tables, its figures and its page.

mod boundaries;
mod pictures;
mod sections;

use std::path::Path;

use serde_json::{Value, json};

use super::Report;
use super::analysis::{Analysis, Tables as _, tables};
use super::format::{decimals, interval, p_value, with_interval};
use super::page::FigureFolder;
use super::record::{About, Record};
use crate::error::Result;
use crate::tasks::judge::{Facts, Judgement, LDARNET, MAJORITY, RANDOM};
use crate::tasks::kmer;
use crate::tasks::rows::{ComparisonRow, FoldRow};

tables! {
    Judgement; "metrics": metrics, "folds": folds, "comparisons": comparisons, "predictions": predictions, "duplicates": duplicates, "epochs": epochs, "boundaries": boundaries
}

/// p-values above this tell no difference.
const LEVEL: f64 = 0.05;

/// Task and mean Matthews correlation x 100 of the first model of a folder of fine-tuning; `None`
/// for another folder, values, or the baseline alone.
pub(super) fn measured(folder: &Path) -> Option<(String, f64)> {
    let record = Record::read(folder)
        .ok()
        .filter(|record| record.analysis == "finetune")?;
    let (facts, folds): (Facts, Vec<FoldRow>) =
        (record.outcome("facts").ok()?, record.table("folds").ok()?);
    let is_model = |row: &&FoldRow| {
        row.measure == "mcc"
            && row.subset == "all"
            && row.model != kmer::NAME
            && row.model != MAJORITY
    };
    Some((
        facts.task,
        (1000.0 * folds.iter().find(is_model)?.mean).round() / 10.0,
    ))
}

impl Analysis for Judgement {
    const NAME: &'static str = "finetune";
    const FIGURES: &'static [&'static str] =
        &["boundaries", "scores", "rates", "confusion", "learning"];

    fn report(record: &Record, to: &FigureFolder) -> Result<Report> {
        FinetunePage::open(record)?.report(to)
    }
}

/// What `run.json` keeps of the outcome.
pub fn outcome(found: &Judgement) -> Value {
    json!({"facts": found.facts})
}

/// The page.
pub(super) struct FinetunePage {
    found: Judgement,
    parameters: Value,
    about: About,
}

impl FinetunePage {
    /// From a results folder.
    pub fn open(record: &Record) -> Result<FinetunePage> {
        let mut found = Judgement {
            facts: record.outcome("facts")?,
            ..Judgement::default()
        };
        found.read_tables(record)?;
        Ok(FinetunePage {
            found,
            parameters: record.parameters.clone(),
            about: record.about(),
        })
    }

    /// Draws and tells.
    pub fn report(&self, to: &FigureFolder) -> Result<Report> {
        let facts = &self.found.facts;
        let what = if facts.classes.is_empty() {
            "values"
        } else {
            "classes"
        };
        let sections = [
            Some(self.result(to)?),
            self.rates(to)?,
            self.training(to)?,
            self.boundaries(to)?,
            Some(self.leaks()),
            Some(self.data()),
            Some(self.trainings()),
            Some(self.methods()),
            Some(self.caveats()),
            Some(self.about.section(&self.parameters, &Judgement::names())),
        ];
        Ok(Report {
            title: format!("{}: how well are its {what} predicted?", facts.task),
            subtitle: format!(
                "{} · {} test sequences in {} clusters",
                self.models().join(", "),
                facts.tested,
                facts.clusters
            ),
            headline: headline(&self.found),
            answer: answer(&self.found),
            sections: sections.into_iter().flatten().collect(),
            ..Report::default()
        })
    }

    /// The models but that of the majority, as the page calls them.
    fn models(&self) -> Vec<&str> {
        ranked(&self.found, "all")
            .map(|row| words(&row.model))
            .filter(|name| *name != words(MAJORITY))
            .collect()
    }
}

/// What a model is called.
pub(super) fn words(model: &str) -> &str {
    match model {
        kmer::NAME => "6-mer logistic regression",
        MAJORITY => "majority class",
        LDARNET => "LDARNet",
        RANDOM => "LDARNet from random weights",
        other => other,
    }
}

/// What models are ranked by.
fn rank(found: &Judgement) -> (&'static str, &'static str) {
    if found.facts.classes.is_empty() {
        ("pearson", "Pearson r")
    } else {
        ("mcc", "MCC")
    }
}

/// The rows of the measure that ranks models, one a model, in the order of the run.
fn ranked<'a>(found: &'a Judgement, subset: &'a str) -> impl Iterator<Item = &'a FoldRow> {
    let measure = rank(found).0;
    found
        .folds
        .iter()
        .filter(move |row| row.measure == measure && row.subset == subset)
}

/// The comparison of two models by the measure that ranks them.
fn comparison<'a>(found: &'a Judgement, model: &str, other: &str) -> Option<&'a ComparisonRow> {
    found.comparisons.iter().find(|row| {
        row.model == model
            && row.other == other
            && row.subset == "all"
            && row.measure == rank(found).0
    })
}

/// The answer in a sentence.
fn headline(found: &Judgement) -> String {
    let Some(first) = ranked(found, "all").find(|row| row.model != MAJORITY) else {
        return "No model was tested.".into();
    };
    let scored = |row: &FoldRow| with_interval(row.mean, row.test_low, row.test_high);
    let text = format!(
        "{}: {} {}",
        words(&first.model),
        rank(found).1,
        scored(first)
    );
    let baseline =
        ranked(found, "all").find(|row| row.model == kmer::NAME && row.model != first.model);
    let Some(baseline) = baseline else {
        return text + ".";
    };
    let verdict = comparison(found, &first.model, kmer::NAME).map_or(String::new(), |row| {
        let p = p_value(row.p_value, Some(row.p_floor));
        let how = match (row.p_value <= LEVEL, row.difference > 0.0) {
            (false, _) => "no clear difference",
            (true, true) => "the model is better",
            (true, false) => "6-mers are better",
        };
        format!("; {how} (p {p})")
    });
    format!(
        "{text}; 6-mers reach {}{verdict}.",
        decimals(baseline.mean, 3)
    )
}

/// The paragraph at the head of the page.
fn answer(found: &Judgement) -> String {
    let (facts, name) = (&found.facts, rank(found).1);
    let over = ranked(found, "all")
        .find(|row| row.model != MAJORITY && row.n_folds > 1)
        .map_or(String::new(), |row| {
            format!(
                " Over {} trainings of {} it is {} (interval of training alone).",
                row.n_folds,
                words(&row.model),
                interval(row.low, row.high)
            )
        });
    let seen = found
        .duplicates
        .iter()
        .filter(|row| row.split == "train")
        .count();
    let leaks = match seen {
        0 => "No test sequence is a copy, or nearly one, of a training row.".to_string(),
        1 => "1 test sequence is a copy, or nearly one, of a training row; scores without it stand beside.".to_string(),
        n => format!("{n} test sequences are copies, or nearly, of training rows; scores without them stand beside."),
    };
    format!(
        "{name} on {} test sequences in {} clusters of similar ones; the interval is that of drawing other test sequences.{over} {leaks}",
        facts.tested, facts.clusters
    )
}

/// A short answer for the terminal: one line a model.
pub fn summary(found: &Judgement) -> String {
    let (measure, name) = rank(found);
    let mut text = format!(
        "{:<28} {:>9} {:>8}  {:<24} {:<24} {}\n",
        "model", "trainings", name, "over test sequences", "over trainings", "without copies"
    );
    for row in ranked(found, "all") {
        let without = ranked(found, "without_duplicates").find(|other| other.model == row.model);
        text += &format!(
            "{:<28} {:>9} {:>8}  {:<24} {:<24} {}\n",
            words(&row.model),
            row.n_folds,
            decimals(row.mean, 3),
            interval(row.test_low, row.test_high),
            interval(row.low, row.high),
            without.map_or("no copies".into(), |row| decimals(row.mean, 3))
        );
    }
    for row in found
        .comparisons
        .iter()
        .filter(|row| row.subset == "all" && row.measure == measure)
    {
        text += &format!(
            "{} less {}: {}, p {}\n",
            words(&row.model),
            words(&row.other),
            with_interval(row.difference, row.ci_low, row.ci_high),
            p_value(row.p_value, Some(row.p_floor))
        );
    }
    text + &sections::copies(found).join("\n").replace('\u{A0}', " ")
}
