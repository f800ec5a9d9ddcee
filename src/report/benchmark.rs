//! What `benchmark` leaves behind beside its runs: one table, one figure, one page.

use super::analysis::{Analysis, Tables as _, tables};
use super::block::{downloads, link, paragraph};
use super::format::{decimals, interval};
use super::page::FigureFolder;
use super::record::Record;
use super::{Block, Cell, Format, Level, Report, Section, Table, columns, finetune};
use crate::error::Result;
use crate::figures::{self, BenchmarkFigure, Mark};
use crate::report::table::table;
use crate::stats::multiplicity::holm;
use crate::tasks::judge::{Facts, MAJORITY};
use crate::tasks::kmer;
use crate::tasks::rows::{ComparisonRow, DuplicateRow, FoldRow};
use crate::tasks::suite::{self, Suite};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::Path;

tables! {
    Results; "benchmark": scores, "comparisons": comparisons
}

/// Adjusted p-values above this tell no difference.
const LEVEL: f64 = 0.05;

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
    /// The mean without test sequences that are copies of training rows; as `value` where there are
    /// none.
    pub without_duplicates: f64,
    /// Such sequences.
    pub n_duplicates: u64,
    /// Test sequences; 0 where not known.
    pub tested: u64,
}

/// Two models on a task, in the measure of the suite.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskComparisonRow {
    /// The task.
    pub task: String,
    /// One model.
    pub model: String,
    /// The other.
    pub other: String,
    /// Trainings that both have.
    pub n_folds: u64,
    /// Test sequences.
    pub n: u64,
    /// Clusters of similar ones: what is drawn and exchanged.
    pub n_clusters: u64,
    /// Of the first, less that of the other; mean over trainings.
    pub difference: f64,
    /// Lower end of the 95 % interval: paired bootstrap (BCa) over clusters of test sequences.
    pub ci_low: f64,
    /// Upper end.
    pub ci_high: f64,
    /// Two-sided p-value: the models' answers exchanged by whole clusters.
    pub p_value: f64,
    /// The least it could have been.
    pub p_floor: f64,
    /// Holm adjusted over the tasks that are there, for this pair of models.
    pub p_holm: f64,
}

/// What the tables hold.
#[derive(Debug, Default)]
pub struct Results {
    /// Every model on every task.
    pub scores: Vec<BenchmarkRow>,
    /// Every pair of models on every task.
    pub comparisons: Vec<TaskComparisonRow>,
}

/// The results of all tasks that are there.
///
/// # Errors
/// A folder that cannot be read.
pub fn results(suite: &Suite, out: &Path, done: &[&str]) -> Result<Results> {
    let mut rows = Vec::new();
    let mut comparisons = Vec::new();
    for task in done {
        let record = Record::read(&out.join("steps").join(task))?;
        let (facts, folds, duplicates): (Facts, Vec<FoldRow>, Vec<DuplicateRow>) = (
            record.outcome("facts")?,
            record.table("folds")?,
            record.table("duplicates")?,
        );
        let pairs: Vec<ComparisonRow> = record.table("comparisons")?;
        comparisons.extend(
            pairs
                .into_iter()
                .filter(|row| row.subset == "all" && row.measure == suite.measure)
                .map(|row| TaskComparisonRow {
                    task: (*task).into(),
                    model: row.model,
                    other: row.other,
                    n_folds: row.n_folds,
                    n: row.n,
                    n_clusters: row.n_clusters,
                    difference: row.difference,
                    ci_low: row.ci_low,
                    ci_high: row.ci_high,
                    p_value: row.p_value,
                    p_floor: row.p_floor,
                    p_holm: f64::NAN,
                }),
        );
        let of = |subset: &'static str| {
            folds
                .iter()
                .filter(move |row| row.subset == subset && row.measure == suite.measure)
        };
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
    adjust(&mut comparisons);
    Ok(Results {
        scores: rows,
        comparisons,
    })
}

/// Adjusts the p-values of each pair of models over the tasks.
fn adjust(rows: &mut [TaskComparisonRow]) {
    let pairs: BTreeSet<(String, String)> = rows
        .iter()
        .map(|row| (row.model.clone(), row.other.clone()))
        .collect();
    for (model, other) in pairs {
        let of: Vec<usize> = (0..rows.len())
            .filter(|i| rows[*i].model == model && rows[*i].other == other)
            .collect();
        let p_values: Vec<f64> = of.iter().map(|i| rows[*i].p_value).collect();
        for (i, adjusted) in of.iter().zip(holm(&p_values)) {
            rows[*i].p_holm = adjusted;
        }
    }
}

/// How a model fares against another over the tasks, in words; `None` where they were not compared.
fn verdict(rows: &[TaskComparisonRow], model: &str, other: &str) -> Option<String> {
    let rows: Vec<&TaskComparisonRow> = rows
        .iter()
        .filter(|row| row.model == model && row.other == other)
        .collect();
    let told = |sign: f64| {
        rows.iter()
            .filter(|row| row.p_holm <= LEVEL && row.difference * sign > 0.0)
            .count()
    };
    let (higher, lower) = (told(1.0), told(-1.0));
    (!rows.is_empty()).then(|| {
        format!(
            "{} scores higher than {} on {higher} of {} {}, lower on {lower}; {} not told apart.",
            finetune::words(model),
            finetune::words(other),
            rows.len(),
            if rows.len() == 1 { "task" } else { "tasks" },
            rows.len() - higher - lower
        )
    })
}

/// A short answer for the terminal: one line a model and task.
pub fn summary(results: &Results) -> String {
    let rows = &results.scores;
    let mut text = format!(
        "{:<34} {:<30} {:>7}  {:<22} {}\n",
        "task", "model", "", "over test sequences", "over trainings"
    );
    for row in rows {
        let (test, over) = match row.source.as_str() {
            "measured" => (
                interval(row.test_low, row.test_high),
                interval(row.low, row.high),
            ),
            _ => ("published".into(), String::new()),
        };
        text += &format!(
            "{:<34} {:<30} {:>7}  {test:<22} {over}\n",
            row.task,
            finetune::words(&row.model),
            decimals(row.value, 3)
        );
    }
    text
}

impl Analysis for Results {
    const NAME: &'static str = "benchmark";
    const FIGURES: &'static [&'static str] = &["benchmark"];

    fn report(record: &Record, to: &FigureFolder) -> Result<Report> {
        BenchmarkPage::open(record)?.report(to)
    }
}

/// The page.
pub(super) struct BenchmarkPage {
    rows: Vec<BenchmarkRow>,
    comparisons: Vec<TaskComparisonRow>,
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
        let mut found = Results::default();
        found.read_tables(record)?;
        Ok(BenchmarkPage {
            rows: found.scores,
            comparisons: found.comparisons,
            suite,
            asked,
            about: record.about(),
            parameters: record.parameters.clone(),
        })
    }

    fn tasks(&self) -> Vec<&str> {
        let mut tasks: Vec<&str> = self.rows.iter().map(|row| row.task.as_str()).collect();
        tasks.dedup();
        tasks
    }

    fn of(&self, task: &str) -> impl Iterator<Item = &BenchmarkRow> {
        self.rows.iter().filter(move |row| row.task == task)
    }

    /// The models that were measured, the one that the run is about first; without the majority
    /// class.
    fn measured(&self) -> Vec<&str> {
        let mut models: Vec<&str> = Vec::new();
        for row in self
            .rows
            .iter()
            .filter(|row| row.source == "measured" && row.model != MAJORITY)
        {
            if !models.contains(&row.model.as_str()) {
                models.push(&row.model);
            }
        }
        models
    }

    fn score(&self, task: &str, model: &str) -> Option<&BenchmarkRow> {
        self.of(task)
            .find(|row| row.source == "measured" && row.model == model)
    }

    fn figure(&self) -> BenchmarkFigure {
        let mark = |row: Option<&BenchmarkRow>| {
            row.map_or(Mark::bare(f64::NAN), |row| match row.source.as_str() {
                "measured" => Mark {
                    value: row.value,
                    inner: (row.low, row.high),
                    outer: (row.test_low, row.test_high),
                },
                _ => Mark::with_sd(row.value, row.sd),
            })
        };
        // Published columns: the paper's two, then the best others.
        let published = |task: &str, number: usize| {
            self.of(task)
                .filter(|row| row.source == "published")
                .nth(number)
        };
        let names = [
            "LDARNet, released checkpoint",
            "LDARNet, as printed",
            "best other below 300M parameters",
            "best other of any size",
        ];
        let n_published = if self.rows.iter().any(|row| row.source == "published") {
            names.len()
        } else {
            0
        };
        let measured = self.measured();
        let row = |task: &&str| {
            let mut values: Vec<Mark> = measured
                .iter()
                .map(|model| mark(self.score(task, model)))
                .collect();
            values.extend((0..n_published).map(|number| mark(published(task, number))));
            let main = measured.first().and_then(|model| self.score(task, model));
            figures::BenchmarkRow {
                label: (*task).into(),
                values,
                measured: main.map(|row| row.value),
            }
        };
        let mut models: Vec<String> = measured
            .iter()
            .map(|model| format!("{}, measured here", finetune::words(model)))
            .collect();
        models.extend(
            names
                .iter()
                .take(n_published)
                .map(|name| format!("{name}, published")),
        );
        BenchmarkFigure {
            models,
            rows: self.tasks().iter().map(row).collect(),
            x_label: if self.suite.measure == "mcc" { "Matthews correlation".into() } else { self.suite.measure.clone() },
            decimals: 3,
            note: "Measured here: thin lines with caps are 95% intervals over draws of clusters of test sequences, thick lines over trainings. Published: standard deviation over folds."
                .into(),
        }
    }

    /// Draws and tells.
    pub fn report(&self, to: &FigureFolder) -> Result<Report> {
        let tasks = self.tasks();
        let measured = self.measured();
        let main = measured.first().copied().unwrap_or_default();
        let verdicts: Vec<String> = [kmer::NAME]
            .into_iter()
            .chain(
                measured
                    .iter()
                    .copied()
                    .filter(|model| *model != kmer::NAME),
            )
            .filter_map(|other| verdict(&self.comparisons, main, other))
            .collect();
        let headline = match verdicts.first() {
            None => format!(
                "{} on {} tasks of {}; no model was fine-tuned.",
                finetune::words(main),
                tasks.len(),
                self.suite.title
            ),
            Some(verdict) => verdict.clone(),
        };
        let tests = "Tests are paired by test sequence; p-values are Holm adjusted over the tasks.";
        let answer: Vec<&str> = verdicts
            .iter()
            .skip(1)
            .map(String::as_str)
            .chain((!verdicts.is_empty()).then_some(tests))
            .chain([
                "Each task is a run of its own with a page of its own; scores are means over trainings on the official test sequences.",
            ])
            .collect();
        let mut blocks = Vec::new();
        if tasks.len() < self.asked {
            let text = format!(
                "{} of {} tasks are done; the others are not shown.",
                tasks.len(),
                self.asked
            );
            blocks.push(Block::Callout {
                level: Level::Warning,
                text,
            });
        }
        blocks.push(Block::Figure {
            svg: to.write_figure(&self.figure(), "benchmark")?,
            label: "Every task".into(),
            caption: "One row a task. Where a mark is missing, the number is not known.".into(),
            downloads: downloads("benchmark", "benchmark"),
        });
        blocks.extend([
            Block::Table(self.overview()),
            Block::Table(self.differences()),
            Block::Table(self.table()),
        ]);
        blocks.push(paragraph("Published results are of other trainings, often of other test sequences drawn or other epochs chosen: a difference from them has no p-value. Pages of the tasks:"));
        blocks.push(Block::Links(
            tasks
                .iter()
                .map(|task| link(task, format!("steps/{task}/index.html")))
                .collect(),
        ));
        let sources = vec![
            paragraph(format!(
                "{}: {}. {}. Licence: {}.",
                self.suite.title, self.suite.about, self.suite.site, self.suite.licence
            )),
            paragraph(format!(
                "Not verified when this version was made: {}.",
                self.suite.unverified
            )),
        ];
        Ok(Report {
            title: format!("{}: how well are they predicted?", self.suite.title),
            subtitle: format!("{} tasks · {}", tasks.len(), self.suite.measure),
            headline,
            answer: answer.join(" "),
            sections: vec![
                Section {
                    title: "Result".into(),
                    blocks,
                },
                Section {
                    title: "The suite".into(),
                    blocks: sources,
                },
                self.about.section(&self.parameters, &Results::names()),
            ],
            ..Report::default()
        })
    }

    /// One row a task, the measured models side by side.
    fn overview(&self) -> Table {
        let measured = self.measured();
        let published = self.rows.iter().any(|row| row.source == "published");
        let mut head = vec![("task", Format::Text), ("test sequences", Format::Integer)];
        for model in &measured {
            head.extend([
                (finetune::words(model), Format::Decimals(3)),
                ("95% CI, test sequences", Format::Interval),
                ("95% CI, trainings", Format::Interval),
            ]);
        }
        head.extend(published.then_some(("LDARNet, published", Format::Decimals(3))));
        let row = |task: &&str| -> Vec<Cell> {
            let mut cells = vec![
                (*task).into(),
                self.of(task)
                    .map(|row| row.tested as usize)
                    .max()
                    .unwrap_or(0)
                    .into(),
            ];
            for model in &measured {
                match self.score(task, model) {
                    Some(row) => cells.extend([
                        row.value.into(),
                        Cell::Interval {
                            low: row.test_low,
                            high: row.test_high,
                        },
                        Cell::Interval {
                            low: row.low,
                            high: row.high,
                        },
                    ]),
                    None => cells.extend([Cell::Empty, Cell::Empty, Cell::Empty]),
                }
            }
            cells.extend(published.then(|| {
                self.of(task)
                    .find(|row| row.source == "published")
                    .map_or(Cell::Empty, |row| row.value.into())
            }));
            cells
        };
        Table {
            caption: format!(
                "{} of the models measured here, task by task.",
                self.measure()
            ),
            columns: columns(&head),
            rows: self.tasks().iter().map(row).collect(),
        }
    }

    /// Pairs of models on the same test sequences.
    fn differences(&self) -> Table {
        table! {
            format!(
                "Differences of {}, model less other model, paired by test sequence. Clusters hold similar test sequences; they are drawn and exchanged whole.",
                self.measure()
            );
            self.comparisons.iter();
            |r: &TaskComparisonRow|
            "task", Format::Text => r.task.clone();
            "model", Format::Text => finetune::words(&r.model);
            "other model", Format::Text => finetune::words(&r.other);
            "difference", Format::Decimals(3) => r.difference;
            "95% CI, test sequences", Format::Interval => (r.ci_low, r.ci_high);
            "p", Format::PValue => Cell::p(r.p_value, Some(r.p_floor));
            "p, Holm over tasks", Format::PValue => Cell::p(r.p_holm, None);
            "clusters", Format::Integer => r.n_clusters;
            "trainings", Format::Integer => r.n_folds;
        }
    }

    fn measure(&self) -> &'static str {
        if self.suite.measure == "mcc" {
            "MCC"
        } else {
            "accuracy"
        }
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
                Cell::Interval {
                    low: r.test_low,
                    high: r.test_high,
                },
                Cell::Interval {
                    low: r.low,
                    high: r.high,
                },
                if measured {
                    (r.n_folds as usize).into()
                } else {
                    Cell::Empty
                },
                if measured {
                    r.without_duplicates.into()
                } else {
                    Cell::Empty
                },
                if measured {
                    (r.n_duplicates as usize).into()
                } else {
                    Cell::Empty
                },
                if measured {
                    (r.tested as usize).into()
                } else {
                    Cell::Empty
                },
            ]
        };
        let head = [
            ("task", Format::Text),
            ("model", Format::Text),
            ("source", Format::Text),
            (self.measure(), Format::Decimals(3)),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_told_where_it_holds_over_all_tasks_of_the_pair() {
        let row = |task: &str, other: &str, difference: f64, p_value: f64| TaskComparisonRow {
            task: task.into(),
            model: "ldarnet".into(),
            other: other.into(),
            n_folds: 1,
            n: 100,
            n_clusters: 90,
            difference,
            ci_low: difference - 0.1,
            ci_high: difference + 0.1,
            p_value,
            p_floor: 1e-4,
            p_holm: f64::NAN,
        };
        let mut rows = vec![
            row("a", "kmer", -0.2, 0.001),
            row("b", "kmer", 0.1, 0.03),
            row("c", "kmer", 0.2, 0.01),
            row("a", "random", 0.1, 0.04),
        ];
        adjust(&mut rows);
        let adjusted: Vec<f64> = rows.iter().map(|row| row.p_holm).collect();
        assert!(
            adjusted
                .iter()
                .zip([0.003, 0.03, 0.02, 0.04])
                .all(|(a, b)| (a - b).abs() < 1e-12),
            "{adjusted:?}"
        );
        rows[1].p_holm = 0.06;
        let told = verdict(&rows, "ldarnet", "kmer").unwrap();
        assert_eq!(
            told,
            "LDARNet scores higher than 6-mer logistic regression on 1 of 3 tasks, lower on 1; 1 not told apart."
        );
        assert!(verdict(&rows, "random", "kmer").is_none());
    }
}
