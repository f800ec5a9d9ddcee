//! What `benchmark` leaves behind beside its runs: one table, one figure, one page.

use super::block::{downloads, link, paragraph};
use super::format::{decimals, interval};
use super::page::Gallery;
use super::record::Record;
use super::{Block, Cell, Format, Level, Report, Section, Table, columns, finetune, tables};
use crate::error::Result;
use crate::figures::{self, BenchmarkFigure, Mark};
use crate::tasks::judge::{Facts, MAJORITY};
use crate::tasks::kmer;
use crate::tasks::rows::{DuplicateRow, FoldRow};
use crate::tasks::suite::{self, Suite};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Its table.
pub(super) const TABLES: [&str; 1] = ["benchmark"];

/// A model on a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BenchmarkRow {
    /// The task.
    pub task: String,
    /// The model.
    pub model: String,
    /// `measured` here, or `published`.
    pub source: String,
    /// The measure of the suite.
    pub measure: String,
    /// Trainings; 0 where not known.
    pub n_folds: u64,
    /// Mean over trainings.
    pub value: f64,
    /// Standard deviation over trainings.
    pub sd: f64,
    /// Lower end of the 95 % interval over trainings.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Lower end of the 95 % interval over clusters of test sequences.
    pub test_low: f64,
    /// Upper end.
    pub test_high: f64,
    /// The mean without test sequences that are copies of training rows; as `value` where there are none.
    pub without_duplicates: f64,
    /// Such sequences.
    pub n_duplicates: u64,
    /// Test sequences; 0 where not known.
    pub tested: u64,
}

/// The rows of all tasks that are there.
///
/// # Errors
/// A folder that cannot be read.
pub fn rows(suite: &Suite, out: &Path, done: &[&str]) -> Result<Vec<BenchmarkRow>> {
    let mut rows = Vec::new();
    for task in done {
        let record = Record::read(&out.join("steps").join(task))?;
        let (facts, folds, duplicates): (Facts, Vec<FoldRow>, Vec<DuplicateRow>) =
            (record.outcome("facts")?, record.table("folds")?, record.table("duplicates")?);
        let of = |subset: &'static str| folds.iter().filter(move |row| row.subset == subset && row.measure == suite.measure);
        for row in of("all") {
            let without = of("without_duplicates").find(|other| other.model == row.model);
            rows.push(BenchmarkRow {
                task: (*task).into(),
                model: row.model.clone(),
                source: "measured".into(),
                measure: suite.measure.clone(),
                n_folds: row.n_folds,
                value: row.mean,
                sd: row.sd,
                low: row.low,
                high: row.high,
                test_low: row.test_low,
                test_high: row.test_high,
                without_duplicates: without.map_or(row.mean, |row| row.mean),
                n_duplicates: duplicates.iter().filter(|row| row.split == "train").count() as u64,
                tested: facts.tested,
            });
        }
        for published in suite.published(task)? {
            rows.push(BenchmarkRow {
                task: (*task).into(),
                model: published.model,
                source: "published".into(),
                measure: suite.measure.clone(),
                n_folds: 0,
                value: published.value,
                sd: published.sd,
                low: f64::NAN,
                high: f64::NAN,
                test_low: f64::NAN,
                test_high: f64::NAN,
                without_duplicates: f64::NAN,
                n_duplicates: 0,
                tested: 0,
            });
        }
    }
    Ok(rows)
}

/// Writes the table.
///
/// # Errors
/// What keeps a file from being written.
pub fn write_tables(rows: &[BenchmarkRow], folder: &Path) -> Result<()> {
    tables::write(&folder.join("tables"), TABLES[0], rows)
}

/// A short answer for the terminal: one line a model and task.
pub fn summary(rows: &[BenchmarkRow]) -> String {
    let mut text = format!("{:<34} {:<30} {:>7}  {:<22} {}\n", "task", "model", "", "over test sequences", "over trainings");
    for row in rows {
        let (test, over) = match row.source.as_str() {
            "measured" => (interval(row.test_low, row.test_high), interval(row.low, row.high)),
            _ => ("published".into(), String::new()),
        };
        text += &format!("{:<34} {:<30} {:>7}  {test:<22} {over}\n", row.task, finetune::words(&row.model), decimals(row.value, 3));
    }
    text
}

/// The page.
pub(super) struct BenchmarkPage {
    rows: Vec<BenchmarkRow>,
    suite: Suite,
    asked: usize,
    about: super::record::About,
    parameters: serde_json::Value,
}

impl BenchmarkPage {
    /// From a results folder.
    pub fn open(record: &Record) -> Result<BenchmarkPage> {
        let suite = suite::named(record.parameters["suite"].as_str().unwrap_or_default())?;
        let asked = record.parameters["tasks"].as_array().map_or(0, Vec::len);
        Ok(BenchmarkPage { rows: record.table(TABLES[0])?, suite, asked, about: record.about(), parameters: record.parameters.clone() })
    }

    fn tasks(&self) -> Vec<&str> {
        let mut tasks: Vec<&str> = self.rows.iter().map(|row| row.task.as_str()).collect();
        tasks.dedup();
        tasks
    }

    fn of(&self, task: &str) -> impl Iterator<Item = &BenchmarkRow> {
        self.rows.iter().filter(move |row| row.task == task)
    }

    /// The model the run is about: the first that is measured.
    fn main(&self, task: &str) -> Option<&BenchmarkRow> {
        self.of(task).find(|row| row.source == "measured" && row.model != MAJORITY)
    }

    fn baseline(&self, task: &str) -> Option<&BenchmarkRow> {
        self.of(task).find(|row| row.model == kmer::NAME)
    }

    fn figure(&self) -> BenchmarkFigure {
        let mark = |row: Option<&BenchmarkRow>| {
            row.map_or(Mark::bare(f64::NAN), |row| match row.source.as_str() {
                "measured" => Mark { value: row.value, inner: (row.low, row.high), outer: (row.test_low, row.test_high) },
                _ => Mark::with_sd(row.value, row.sd),
            })
        };
        // Published columns: the paper's two, then the best others.
        let published = |task: &str, number: usize| self.of(task).filter(|row| row.source == "published").nth(number);
        let names = ["LDARNet, released checkpoint", "LDARNet, as printed", "best other below 300M parameters", "best other of any size"];
        let n_published = if self.rows.iter().any(|row| row.source == "published") { names.len() } else { 0 };
        let beside = self.tasks().iter().any(|task| self.main(task).is_some_and(|main| main.model != kmer::NAME));
        let row = |task: &&str| {
            let main = self.main(task);
            let mut values = vec![mark(main)];
            values.extend(beside.then(|| mark(self.baseline(task))));
            values.extend((0..n_published).map(|number| mark(published(task, number))));
            figures::BenchmarkRow { label: (*task).into(), values, measured: main.map(|row| (row.value * 1000.0).round() / 1000.0) }
        };
        let main =
            self.rows.iter().find(|row| row.source == "measured" && row.model != MAJORITY).map_or("", |row| finetune::words(&row.model));
        let mut models = vec![format!("{main}, measured here")];
        models.extend(beside.then(|| format!("{}, measured here", finetune::words(kmer::NAME))));
        models.extend(names.iter().take(n_published).map(|name| format!("{name}, published")));
        BenchmarkFigure {
            models,
            rows: self.tasks().iter().map(row).collect(),
            x_label: if self.suite.measure == "mcc" { "Matthews correlation".into() } else { self.suite.measure.clone() },
            note: "Measured here: thin lines with caps are 95% intervals over draws of clusters of test sequences, thick lines over trainings. Published: standard deviation over folds."
                .into(),
        }
    }

    /// Draws and tells.
    pub fn report(&self, gallery: &Gallery) -> Result<Report> {
        let tasks = self.tasks();
        let pairs: Vec<(&BenchmarkRow, &BenchmarkRow)> =
            tasks.iter().filter_map(|task| Some((self.main(task)?, self.baseline(task)?))).collect();
        let pairs: Vec<_> = pairs.into_iter().filter(|(main, baseline)| main.model != baseline.model).collect();
        let better = pairs.iter().filter(|(main, baseline)| main.value > baseline.value).count();
        let headline = match pairs.first() {
            None => format!("6-mer logistic regression on {} tasks of {}; no model was fine-tuned.", tasks.len(), self.suite.title),
            Some((main, _)) => {
                format!("{} scores above 6-mer logistic regression on {better} of {} tasks.", finetune::words(&main.model), pairs.len())
            }
        };
        let mut blocks = Vec::new();
        if tasks.len() < self.asked {
            let text = format!("{} of {} tasks are done; the others are not shown.", tasks.len(), self.asked);
            blocks.push(Block::Callout { level: Level::Warning, text });
        }
        blocks.push(Block::Figure {
            svg: gallery.hang(&self.figure(), "benchmark")?,
            label: "Every task".into(),
            caption: "One row a task. Where a mark is missing it lies under another, or is not known.".into(),
            downloads: downloads("benchmark", "benchmark"),
        });
        blocks.push(Block::Table(self.table()));
        blocks.push(paragraph("Published results are of other trainings, often of other test sequences drawn or other epochs chosen: a difference from them has no p-value. Pages of the tasks:"));
        blocks.push(Block::Links(tasks.iter().map(|task| link(task, format!("steps/{task}/index.html"))).collect()));
        let sources = vec![
            paragraph(format!("{}: {}. {}. Licence: {}.", self.suite.title, self.suite.about, self.suite.site, self.suite.licence)),
            paragraph(format!("Not verified when this version was made: {}.", self.suite.unverified)),
        ];
        Ok(Report {
            title: format!("{}: how well are its tasks predicted?", self.suite.title),
            subtitle: format!("{} tasks · {}", tasks.len(), self.suite.measure),
            headline,
            answer: "Each task is a run of its own with a page of its own; scores are means over trainings on the official test sequences."
                .into(),
            sections: vec![
                Section { title: "Result".into(), blocks },
                Section { title: "The suite".into(), blocks: sources },
                self.about.section(&self.parameters, &TABLES),
            ],
            ..Report::default()
        })
    }

    fn table(&self) -> Table {
        let row = |r: &BenchmarkRow| -> Vec<Cell> {
            let measured = r.source == "measured";
            vec![
                r.task.clone().into(),
                finetune::words(&r.model).into(),
                r.source.clone().into(),
                r.value.into(),
                r.sd.into(),
                Cell::Interval { low: r.test_low, high: r.test_high },
                Cell::Interval { low: r.low, high: r.high },
                if measured { (r.n_folds as usize).into() } else { Cell::Empty },
                if measured { r.without_duplicates.into() } else { Cell::Empty },
                if measured { (r.n_duplicates as usize).into() } else { Cell::Empty },
                if measured { (r.tested as usize).into() } else { Cell::Empty },
            ]
        };
        let head = [
            ("task", Format::Text),
            ("model", Format::Text),
            ("source", Format::Text),
            (if self.suite.measure == "mcc" { "MCC" } else { "accuracy" }, Format::Decimals(3)),
            ("SD", Format::Decimals(3)),
            ("95% CI, test sequences", Format::Interval),
            ("95% CI, trainings", Format::Interval),
            ("trainings", Format::Integer),
            ("without copies", Format::Decimals(3)),
            ("copies", Format::Integer),
            ("test sequences", Format::Integer),
        ];
        Table {
            caption: "Every task and model. Copies: test sequences that are, or nearly are, training rows.".into(),
            columns: columns(&head),
            rows: self.rows.iter().map(row).collect(),
        }
    }
}
