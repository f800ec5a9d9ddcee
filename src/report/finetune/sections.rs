//! The sections of the page.

use super::{FinetunePage, rank, ranked, words};
use crate::error::Result;
use crate::report::block::{downloads, paragraph};
use crate::report::format::{MISSING, count, decimals};
use crate::report::page::FigureFolder;
use crate::report::table::table;
use crate::report::{Block, Card, Cell, Column, Format, Level, Section, Table, columns};
use crate::tasks::judge::{Judgement, MAJORITY};
use crate::tasks::rows::{ComparisonRow, DuplicateRow, FoldRow, MetricRow};
use crate::tasks::similarity::NEAR;

/// The rows of a long table that the page shows.
const SHOWN: usize = 60;

/// Fewer trainings than this make a poor interval.
const FEW: u64 = 3;

/// How many test sequences are like how many rows, by split and likeness, in words.
pub(super) fn copies(found: &Judgement) -> Vec<String> {
    let mut lines = Vec::new();
    for (split, of) in [("train", "training rows"), ("valid", "validation rows")] {
        for (likeness, what) in [
            ("exact", "exact copies"),
            ("reverse_complement", "reverse complements"),
            ("near", "near copies"),
        ] {
            let rows = || {
                found
                    .duplicates
                    .iter()
                    .filter(|row| row.split == split && row.likeness == likeness)
            };
            let (n, other) = (
                rows().count(),
                rows().filter(|row| row.n_other_label > 0).count(),
            );
            if n > 0 {
                let labels = if other > 0 {
                    format!(", {other} of them with another label")
                } else {
                    String::new()
                };
                lines.push(format!(
                    "{n} of {} test sequences are {what} of {of}{labels}.",
                    found.facts.tested
                ));
            }
        }
    }
    lines
}

impl FinetunePage {
    pub(super) fn result(&self, to: &FigureFolder) -> Result<Section> {
        let (found, name) = (&self.found, rank(&self.found).1);
        let card = |row: &FoldRow| Card {
            label: format!("{name}, {}", words(&row.model)),
            value: decimals(row.mean, 3),
            uncertainty: format!(
                "95% CI {} to {} over test sequences",
                decimals(row.test_low, 3),
                decimals(row.test_high, 3)
            ),
        };
        let mut blocks = vec![Block::Cards(
            ranked(found, "all")
                .filter(|row| row.model != MAJORITY)
                .map(card)
                .collect(),
        )];
        if !found
            .folds
            .iter()
            .any(|row| row.model == crate::tasks::kmer::NAME)
        {
            let text = "No 6-mer baseline was run: whether these scores need more than the composition of k-mers cannot be told.";
            blocks.push(Block::Callout {
                level: Level::Warning,
                text: text.into(),
            });
        }
        blocks.push(Block::Figure {
            svg: to.write_figure(&self.scores(), "scores")?,
            label: format!("{name} of each model"),
            caption: "Two kinds of uncertainty. All trainings share one test set, so that their spread (thick) says nothing of which sequences happened to be tested; the \
                      bootstrap over clusters of similar test sequences (thin) says nothing of training."
                .into(),
            downloads: downloads("scores", "folds"),
        });
        blocks.push(Block::Table(self.models_table()));
        blocks.push(Block::Table(comparisons(found)));
        Ok(Section {
            title: "Result".into(),
            blocks,
        })
    }

    /// One row a model, and one more without copies.
    fn models_table(&self) -> Table {
        let found = &self.found;
        let measures: Vec<&str> = crate::tasks::judge::measures(!found.facts.classes.is_empty());
        let mut head = vec![
            Column::new("model", Format::Text),
            Column::new("test sequences", Format::Text),
            Column::new("trainings", Format::Integer),
        ];
        for measure in &measures {
            head.push(Column::new(title(measure), Format::Decimals(3)));
            if measure == &measures[0] {
                head.extend([
                    Column::new("95% CI, test sequences", Format::Interval),
                    Column::new("95% CI, trainings", Format::Interval),
                ]);
            }
            head.push(Column::new("SD", Format::Decimals(3)));
        }
        let row = |first: &FoldRow| -> Vec<Cell> {
            let subset = if first.subset == "all" {
                "all"
            } else {
                "without copies"
            };
            let mut cells: Vec<Cell> = vec![
                words(&first.model).into(),
                subset.into(),
                (first.n_folds as usize).into(),
            ];
            for measure in &measures {
                let row = found.folds.iter().find(|row| {
                    row.model == first.model
                        && row.subset == first.subset
                        && row.measure == *measure
                });
                let Some(row) = row else { continue };
                cells.push(row.mean.into());
                if measure == &measures[0] {
                    cells.push(Cell::Interval {
                        low: row.test_low,
                        high: row.test_high,
                    });
                    cells.push(Cell::Interval {
                        low: row.low,
                        high: row.high,
                    });
                }
                cells.push(row.sd.into());
            }
            cells
        };
        let rows = ranked(found, "all")
            .chain(ranked(found, "without_duplicates"))
            .map(row)
            .collect();
        Table {
            caption:
                "Means over trainings on the test sequences; SD: standard deviation over trainings."
                    .into(),
            columns: head,
            rows,
        }
    }

    pub(super) fn rates(&self, to: &FigureFolder) -> Result<Option<Section>> {
        if self.found.facts.classes.is_empty() {
            return Ok(None);
        }
        let of = if self.found.facts.classes.len() == 2 {
            format!("Curves are of class “{}”.", self.found.facts.classes[1])
        } else {
            "Curves pool all classes, each against the rest.".into()
        };
        let blocks = vec![
            Block::Figure {
                svg: to.write_figure(&self.squares(), "rates")?,
                label: "ROC, precision and recall, calibration".into(),
                caption: format!(
                    "Of the mean probability over trainings. {of} Dashed: a model that knows nothing (left, middle); probabilities that hold (right, ten bins)."
                ),
                downloads: downloads("rates", "predictions"),
            },
            Block::Figure {
                svg: to.write_figure(&self.confusion(), "confusion")?,
                label: "Confusion".into(),
                caption: "Test sequences of each class (rows) by what they were said to be (columns), means over trainings; shares are of the row.".into(),
                downloads: downloads("confusion", "predictions"),
            },
        ];
        Ok(Some(Section {
            title: "Right and wrong".into(),
            blocks,
        }))
    }

    pub(super) fn training(&self, to: &FigureFolder) -> Result<Option<Section>> {
        if self.found.epochs.is_empty() {
            return Ok(None);
        }
        let blocks = vec![Block::Figure {
            svg: to.write_figure(&self.learning(), "learning")?,
            label: "Learning curves".into(),
            caption: "Means over the trainings that reached an epoch. The epoch with the best validation score is the one that was tested."
                .into(),
            downloads: downloads("learning", "epochs"),
        }];
        Ok(Some(Section {
            title: "Training".into(),
            blocks,
        }))
    }

    pub(super) fn leaks(&self) -> Section {
        let found = &self.found;
        let lines = copies(found);
        if lines.is_empty() {
            let text = "No test sequence is a copy of a training or validation row, nor of its other strand, nor shares half of its 20-mers with one.";
            return Section {
                title: "Copies between training and test".into(),
                blocks: vec![paragraph(text)],
            };
        }
        let mut blocks = vec![Block::Callout {
            level: Level::Warning,
            text: lines.join(" "),
        }];
        let conflicts = found
            .duplicates
            .iter()
            .filter(|row| row.likeness == "exact" && row.n_other_label > 0)
            .count();
        if conflicts > 0 {
            blocks.push(paragraph(format!(
                "{conflicts} of the exact copies carry another label in training: no model that sees only the sequence can be right about both."
            )));
        }
        blocks.push(Block::Table(table! {
            format!(
                "Test sequences that were seen, or nearly{}.",
                more(found.duplicates.len(), "duplicates")
            );
            found.duplicates.iter().take(SHOWN);
            |r: &DuplicateRow|
            "test sequence", Format::Text => r.sequence.clone();
            "label", Format::Text => r.label.clone();
            "likeness", Format::Text => r.likeness.replace('_', " ");
            "shared 20-mers", Format::Percent(0) => r.shared;
            "in", Format::Text => r.split.clone();
            "partner", Format::Text => r.partner.clone();
            "its label", Format::Text => r.partner_label.clone();
            "partners", Format::Integer => r.n_partners;
            "with another label", Format::Integer => r.n_other_label;
        }));
        Section {
            title: "Copies between training and test".into(),
            blocks,
        }
    }

    pub(super) fn data(&self) -> Section {
        let facts = &self.found.facts;
        let mut blocks = vec![paragraph(format!(
            "{} rows to train on and to choose by ({} validate the first training), {} test sequences in {} clusters of similar ones; {} to {} bases long.",
            count(facts.rows as usize),
            count(facts.valid_rows as usize),
            count(facts.tested as usize),
            count(facts.clusters as usize),
            count(facts.lengths.0 as usize),
            count(facts.lengths.1 as usize)
        ))];
        if !facts.classes.is_empty() {
            let row = |i: usize| -> Vec<Cell> {
                let share = |n: u64, of: u64| {
                    if of > 0 {
                        Cell::Number(n as f64 / of as f64)
                    } else {
                        MISSING.into()
                    }
                };
                let (rows, tested) = (facts.class_rows[i], facts.class_tested[i]);
                vec![
                    facts.classes[i].clone().into(),
                    (rows as usize).into(),
                    share(rows, facts.rows),
                    (tested as usize).into(),
                    share(tested, facts.tested),
                ]
            };
            let head = [
                ("class", Format::Text),
                ("rows", Format::Integer),
                ("share", Format::Percent(1)),
                ("test sequences", Format::Integer),
                ("share", Format::Percent(1)),
            ];
            let known = facts
                .classes
                .len()
                .min(facts.class_rows.len())
                .min(facts.class_tested.len());
            blocks.push(Block::Table(Table {
                caption: "Classes.".into(),
                columns: columns(&head),
                rows: (0..known.min(SHOWN)).map(row).collect(),
            }));
        }
        blocks.extend(facts.notes.iter().map(|note| Block::Callout {
            level: Level::Note,
            text: note.clone(),
        }));
        Section {
            title: "Data".into(),
            blocks,
        }
    }

    pub(super) fn trainings(&self) -> Section {
        let found = &self.found;
        let is_classes = !found.facts.classes.is_empty();
        let rows: Vec<&MetricRow> = found
            .metrics
            .iter()
            .filter(|row| row.model != MAJORITY && row.subset == "all")
            .collect();
        let row = |r: &&MetricRow| -> Vec<Cell> {
            let mut cells: Vec<Cell> = vec![
                words(&r.model).into(),
                (r.fold as usize).into(),
                (r.seed as usize).into(),
                r.split.clone().into(),
                (r.n as usize).into(),
            ];
            match is_classes {
                true => cells.extend([
                    r.mcc.into(),
                    Cell::Interval {
                        low: r.mcc_low,
                        high: r.mcc_high,
                    },
                    r.accuracy.into(),
                    r.f1.into(),
                    r.auroc.into(),
                ]),
                false => cells.extend([
                    r.pearson.into(),
                    Cell::Interval {
                        low: r.pearson_low,
                        high: r.pearson_high,
                    },
                    r.spearman.into(),
                    r.mse.into(),
                ]),
            }
            cells.extend([r.loss.into(), r.bases_per_second.into()]);
            cells
        };
        let measures: &[(&str, Format)] = match is_classes {
            true => &[
                ("MCC", Format::Decimals(3)),
                ("95% CI", Format::Interval),
                ("accuracy", Format::Decimals(3)),
                ("F1", Format::Decimals(3)),
                ("AUROC", Format::Decimals(3)),
            ],
            false => &[
                ("Pearson r", Format::Decimals(3)),
                ("95% CI", Format::Interval),
                ("Spearman", Format::Decimals(3)),
                ("MSE", Format::Significant(3)),
            ],
        };
        let head = [
            ("model", Format::Text),
            ("fold", Format::Integer),
            ("seed", Format::Integer),
            ("split", Format::Text),
            ("n", Format::Integer),
        ];
        let tail = [
            ("loss", Format::Significant(3)),
            ("bases/s", Format::Integer),
        ];
        let head: Vec<(&str, Format)> = head.iter().chain(measures).chain(&tail).copied().collect();
        let table = Table {
            caption: format!("Every training{}.", more(rows.len(), "metrics")),
            columns: columns(&head),
            rows: rows.iter().take(SHOWN).map(row).collect(),
        };
        Section {
            title: "Trainings".into(),
            blocks: vec![Block::Table(table)],
        }
    }

    pub(super) fn methods(&self) -> Section {
        let texts = [
            "Measures are those of scikit-learn: accuracy, F1 weighted by class, Matthews correlation (of many classes by Gorodkin’s formula), area under the ROC curve (each \
             class against the rest, weighted), cross-entropy in nats; of values Pearson’s and Spearman’s correlation and the mean squared error."
                .to_string(),
            "Over trainings (folds or seeds): mean, standard deviation with denominator n − 1, Student’s interval. Over test sequences: whole clusters of similar ones are drawn with \
             replacement (BCa bootstrap), each draw scored for all trainings and averaged."
                .into(),
            "Two models: the same draws for both give the interval of the difference. For the p-value the two models’ answers are exchanged within a random half of the clusters; where few \
             clusters differ every exchange is tried, which is McNemar’s exact test by cluster. Accuracy flips the sign of whole clusters’ differences."
                .into(),
            format!(
                "Copies: the same sequence; its reverse complement; near copies share at least {}% of the 20-mers (of both strands, each counted once) of the sequence that has \
                 fewer. Clusters join all test sequences that are linked by such likeness.",
                NEAR * 100.0
            ),
            "6-mer logistic regression: square roots of the counts of the 4096 6-mers on the given strand, scaled to length 1; ridge penalty by the score of the validation rows; the same \
             rows as every other model. Majority: the shares of the classes among the training rows."
                .into(),
        ];
        Section {
            title: "How it was done".into(),
            blocks: texts.into_iter().map(paragraph).collect(),
        }
    }

    pub(super) fn caveats(&self) -> Section {
        let few = ranked(&self.found, "all").find(|row| row.model != MAJORITY && row.n_folds < FEW);
        let few = few.map(|row| {
            let trainings = if row.n_folds == 1 { "one training".into() } else { format!("{} trainings", row.n_folds) };
            format!("With {trainings} of {} little or nothing is known of how much its score varies between trainings.", words(&row.model))
        });
        let texts = [
            Some("A score above that of 6-mers says that something beyond the composition of k-mers was used, not what. A score below says that a model of k-mers is the better tool for this task.".to_string()),
            few,
            Some("Clusters hold what is alike in sequence. Sequences of one gene family or one locus without shared 20-mers count as independent, which makes intervals too narrow.".into()),
        ];
        Section {
            title: "What this does not show".into(),
            blocks: texts.into_iter().flatten().map(paragraph).collect(),
        }
    }
}

/// `; the first 60 of 100, all of them in tables/X.tsv` where not all rows are shown.
fn more(n: usize, table: &str) -> String {
    if n > SHOWN {
        format!(
            "; the first {SHOWN} of {}, all of them in tables/{table}.tsv",
            count(n)
        )
    } else {
        String::new()
    }
}

fn title(measure: &str) -> &str {
    match measure {
        "mcc" => "MCC",
        "f1" => "F1",
        "auroc" => "AUROC",
        "mse" => "MSE",
        "pearson" => "Pearson r",
        "spearman" => "Spearman",
        other => other,
    }
}

fn comparisons(found: &Judgement) -> Table {
    table! {
        "Models against each other on the same sequences after the same trainings.";
        found.comparisons.iter();
        |r: &ComparisonRow|
        "models", Format::Text => format!("{} less {}", words(&r.model), words(&r.other));
        "test sequences", Format::Text => if r.subset == "all" {
                "all"
            } else {
                "without copies"
            }
            ;
        "measure", Format::Text => title(&r.measure);
        "trainings", Format::Integer => r.n_folds;
        "n", Format::Integer => r.n;
        "clusters", Format::Integer => r.n_clusters;
        "difference", Format::Decimals(3) => r.difference;
        "95% CI", Format::Interval => (r.ci_low, r.ci_high);
        "p", Format::PValue => Cell::p(r.p_value, Some(r.p_floor));
    }
}
