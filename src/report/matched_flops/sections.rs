//! The texts and tables of `matched-flops`.

use super::pictures::signed;
use super::{
    EQUAL, FIXED, LEARNED, MatchedFlopsPage, apart, loss_difference, over_tasks, primary,
    published, words,
};
use crate::error::Result;
use crate::pipelines::matched_flops::{ArmRow, DifferenceRow, MeanRow};
use crate::report::block::{downloads, link, paragraph};
use crate::report::format::{count, decimals, interval, percent};
use crate::report::page::FigureFolder;
use crate::report::table::table;
use crate::report::{Block, Card, Cell, Format, Level, Section, Table, columns};
use crate::stats::repeats::repeats;
use crate::tasks::kmer;
use crate::tasks::sampling::LEVEL;

impl MatchedFlopsPage {
    /// The paragraph at the head of the page.
    pub(super) fn answer(&self) -> String {
        let found = &self.found;
        let mut texts = published(found);
        for other in ["turned", "random", "none", kmer::NAME] {
            let rows: Vec<&DifferenceRow> = found
                .differences
                .iter()
                .filter(|row| row.other == other)
                .collect();
            if rows.is_empty() {
                continue;
            }
            let over = over_tasks(found, other);
            let told = |sign: f64| {
                let of = rows.iter().filter(|row| row.difference * sign > 0.0);
                of.filter(|row| row.is_told()).count()
            };
            let than = match other {
                "turned" => "its own cuts, circularly shifted",
                "random" => "random cuts",
                "none" => "no compression",
                _ => "a logistic regression on 6-mers",
            };
            texts.push(format!(
                "Against {than}, learned boundaries score {} in MCC (mean over tasks; {}): higher on {}, lower on {} of {}.",
                signed(over.mean),
                over_seeds(over.n, over.low, over.high),
                told(1.0),
                told(-1.0),
                rows.len()
            ));
        }
        if self.compares() {
            let loss = loss_difference(found, FIXED);
            texts.push(format!(
                "Masked-base loss on held-out chromosomes, learned less fixed: {} nats ({}).",
                decimals(loss.mean, 4),
                over_seeds(loss.n, loss.low, loss.high)
            ));
        }
        texts.push("Arms differ on a task where both p-values, over seeds and over test sequences, are at most 0.05 after Holm's adjustment over the tasks.".into());
        texts.join(" ")
    }

    /// What must not be overlooked.
    fn warnings(&self) -> Vec<Block> {
        let found = &self.found;
        let warning = |text: String| Block::Callout {
            level: Level::Warning,
            text,
        };
        let mut blocks = Vec::new();
        let mut unequal = Vec::new();
        for arm in ["fixed", "random", "none", "turned"] {
            let [held_out, training, tested] = apart(found, arm);
            let whats = [
                ("on held-out windows after pretraining", held_out),
                ("over all of pretraining", training),
                ("on test sequences after fine-tuning", tested),
            ];
            let off: Vec<String> = whats
                .into_iter()
                .filter(|(_, off)| off.abs() > EQUAL)
                .map(|(what, off)| format!("{} {what}", signed_percent(off)))
                .collect();
            if !off.is_empty() {
                unequal.push(format!("{}: {}", words(arm), off.join(", ")));
            }
        }
        if unequal.is_empty() {
            if self.compares() {
                blocks.push(Block::Callout {
                    level: Level::Note,
                    text: "Operations of all arms are equal within 1% for every seed: on held-out windows, over all of pretraining, and on test sequences after fine-tuning.".into(),
                });
            }
        } else {
            blocks.push(warning(format!(
                "Operations are not equal within 1% everywhere. Against the learned arm, the seed that is farthest off: {}.",
                unequal.join("; ")
            )));
        }
        let done: std::collections::BTreeSet<u64> = found.arms.iter().map(|row| row.seed).collect();
        if done.len() < self.seeds {
            blocks.push(warning(format!(
                "{} of {} seeds are done; the others are not shown.",
                done.len(),
                self.seeds
            )));
        }
        if done.len() < 3 {
            blocks.push(warning(
                "Fewer than three seeds: intervals over seeds are wide or missing, and no difference can be told.".into(),
            ));
        }
        let below = found.tasks.iter().filter(|task| {
            let of = |arm: &str| {
                let mut rows = found.means.iter().filter(|row| row.task == task.task);
                rows.find(|row| row.arm == arm)
                    .map_or(f64::NAN, |row| row.mcc)
            };
            of(LEARNED) < of(kmer::NAME)
        });
        let below: Vec<&str> = below.map(|task| task.task.as_str()).collect();
        if !below.is_empty() {
            blocks.push(warning(format!(
                "On {} the learned arm scores lower than a logistic regression on 6-mers: what arms differ by there is not yet what a good model would gain.",
                below.join(", ")
            )));
        }
        blocks
    }

    /// Fine-tuned arms.
    pub(super) fn result(&self, to: &FigureFolder) -> Result<Section> {
        let mut blocks = self.warnings();
        let card = |row: &DifferenceRow| Card {
            label: format!("{}, learned − fixed, MCC", row.task),
            value: signed(row.difference),
            uncertainty: format!(
                "{}; 95% CI {} over test sequences",
                over_seeds(row.n_seeds as usize, row.seeds_low, row.seeds_high),
                interval(row.test_low, row.test_high)
            ),
        };
        blocks.push(Block::Cards(primary(&self.found).map(card).collect()));
        blocks.push(Block::Figure {
            svg: to.write_figure(&self.bars(), "scores")?,
            label: "Every task and arm".into(),
            caption: "The bar chart of the paper's slide, with intervals and seeds. Learned: the router's cuts. Fixed: a grid. Turned: the learned arm's weights, its cuts circularly shifted within every sequence. \
                      Random: as many random cuts. No tokens: every base through fewer or narrower backbone blocks."
                .into(),
            downloads: downloads("scores", "means"),
        });
        blocks.push(Block::Figure {
            svg: to.write_figure(&self.forest(), "differences")?,
            label: "Learned less fixed".into(),
            caption: "Two intervals of the same difference: over seeds (Student's, all else fixed) and over clusters of similar test sequences (bootstrap). p is Holm adjusted over tasks. The paper gives no \
                      interval."
                .into(),
            downloads: downloads("differences", "differences"),
        });
        blocks.extend([
            Block::Table(self.difference_table()),
            Block::Table(self.mean_table()),
        ]);
        Ok(Section {
            title: "Result".into(),
            blocks,
        })
    }

    fn difference_table(&self) -> Table {
        table! {
            "Learned less every other arm, seed by seed on the same test sequences. p-values are Holm adjusted over the tasks. Without copies: without test sequences that are copies of training \
                      rows, or nearly.";
            self.found.differences.iter();
            |r: &DifferenceRow|
            "task", Format::Text => r.task.clone();
            "arms", Format::Text => format!("{} − {}", words(&r.arm), words(&r.other))
                    .replace(' ', "\u{a0}")
                    ;
            "difference in MCC", Format::Decimals(3) => r.difference;
            "95% CI, seeds", Format::Interval => (r.seeds_low, r.seeds_high);
            "p, seeds", Format::PValue => Cell::p(r.seeds_p_holm, None);
            "95% CI, test sequences", Format::Interval => (r.test_low, r.test_high);
            "p, test sequences", Format::PValue => Cell::p(r.test_p_holm, None);
            "without copies", Format::Decimals(3) => r.without_copies;
            "seeds", Format::Integer => r.n_seeds;
            "clusters", Format::Integer => r.n_clusters;
            "differ", Format::Text => if r.is_told() { "yes" } else { "no" };
        }
    }

    fn mean_table(&self) -> Table {
        let row = |r: &MeanRow| -> Vec<Cell> {
            let flops: Vec<f64> = self
                .found
                .scores
                .iter()
                .filter(|score| score.task == r.task && score.arm == r.arm)
                .map(|score| score.flops_per_base)
                .collect();
            let flops = crate::stats::mean(&flops);
            vec![
                r.task.clone().into(),
                words(&r.arm).replace(' ', "\u{a0}").into(),
                r.mcc.into(),
                Cell::Interval {
                    low: r.seeds_low,
                    high: r.seeds_high,
                },
                Cell::Interval {
                    low: r.test_low,
                    high: r.test_high,
                },
                match flops.is_nan() {
                    true => Cell::Empty,
                    false => (flops / 1e6).into(),
                },
                (r.n_seeds as usize).into(),
            ]
        };
        let head = [
            ("task", Format::Text),
            ("arm", Format::Text),
            ("MCC", Format::Decimals(3)),
            ("95% CI, seeds", Format::Interval),
            ("95% CI, test sequences", Format::Interval),
            ("MFLOP per base", Format::Decimals(3)),
            ("seeds", Format::Integer),
        ];
        Table {
            caption: "Every arm on every task: mean over seeds, and operations of a forward pass over the test sequences from the tokens that were kept.".into(),
            columns: columns(&head),
            rows: self.found.means.iter().map(row).collect(),
        }
    }

    /// The main arms before fine-tuning.
    pub(super) fn pretraining(&self, to: &FigureFolder) -> Result<Section> {
        let arms = self.main_arms();
        let mut blocks = Vec::new();
        if self.found.tasks.is_empty() {
            blocks = self.warnings();
        }
        blocks.push(Block::Figure {
            svg: to.write_figure(&self.courses(&arms, &|arm| words(arm).into()), "pretraining")?,
            label: "Pretraining".into(),
            caption: "Means over seeds; the same windows and masks for all arms of a seed. Compressions above five times the target, at the start, are not drawn.".into(),
            downloads: downloads("pretraining", "curves"),
        });
        blocks.push(Block::Table(self.arm_table(
            &arms,
            "The pretrained arms, means over seeds with 95% intervals over seeds. Operations are those of a forward pass; off: the farthest of the seeds against its learned arm.",
        )));
        Ok(Section {
            title: "Pretraining".into(),
            blocks,
        })
    }

    fn arm_table(&self, arms: &[&str], caption: &str) -> Table {
        let row = |arm: &&str| -> Vec<Cell> {
            let of: Vec<&ArmRow> = self
                .found
                .arms
                .iter()
                .filter(|row| row.arm == **arm)
                .collect();
            let over = |value: &dyn Fn(&ArmRow) -> f64| {
                repeats(&of.iter().map(|row| value(row)).collect::<Vec<_>>(), LEVEL)
            };
            let (loss, kept) = (over(&|row| row.mlm_nats), over(&|row| row.compression));
            let [held_out, training, _] = apart(&self.found, arm);
            let first = of.first();
            vec![
                words(arm).into(),
                of.iter()
                    .map(|row| row.router.as_str())
                    .collect::<Vec<_>>()
                    .join(", ")
                    .into(),
                first.map_or(String::new(), |row| row.layout.clone()).into(),
                first.map_or(0, |row| row.parameters as usize).into(),
                first.map_or(f64::NAN, |row| row.alpha).into(),
                loss.mean.into(),
                Cell::Interval {
                    low: loss.low,
                    high: loss.high,
                },
                kept.mean.into(),
                (over(&|row| row.flops_per_base).mean / 1e6).into(),
                held_out.into(),
                training.into(),
                of.len().into(),
            ]
        };
        let head = [
            ("arm", Format::Text),
            ("router, by seed", Format::Text),
            ("layout", Format::Text),
            ("parameters", Format::Integer),
            ("ratio loss", Format::Significant(2)),
            ("held-out loss, nats", Format::Decimals(4)),
            ("95% CI, seeds", Format::Interval),
            ("bases per token", Format::Decimals(2)),
            ("MFLOP per base", Format::Decimals(3)),
            ("off, held out", Format::Percent(2)),
            ("off, in training", Format::Percent(2)),
            ("seeds", Format::Integer),
        ];
        Table {
            caption: caption.into(),
            columns: columns(&head),
            rows: arms.iter().map(row).collect(),
        }
    }

    /// Learned arms with other weights of the ratio loss, or other targets.
    pub(super) fn part(&self, to: &FigureFolder, part: &str) -> Result<Option<Section>> {
        if self.found.arms.iter().all(|row| row.part != part) {
            return Ok(None);
        }
        let arms = self.part_arms(part);
        let of = |arm: &str| self.found.arms.iter().find(|row| row.arm == arm);
        let (title, figure) = match part {
            "compression" => ("The target compression", "targets"),
            _ => ("The ratio loss", "ratio_loss"),
        };
        let label = |arm: &str| match (part, of(arm)) {
            ("compression", Some(row)) => format!("target {}", row.target),
            (_, Some(row)) => format!("weight {}", row.alpha),
            _ => arm.to_string(),
        };
        let compared = arms.iter().filter(|arm| **arm != LEARNED).map(|arm| {
            let loss = loss_difference(&self.found, arm);
            let kept: Vec<f64> = self
                .found
                .arms
                .iter()
                .filter(|row| row.arm == *arm)
                .map(|row| row.compression)
                .collect();
            let kept = repeats(&kept, LEVEL);
            format!(
                "{}: loss {} nats against that of {} ({}), {} bases per token ({}).",
                label(arm),
                signed(-loss.mean),
                label(LEARNED),
                over_seeds(loss.n, -loss.high, -loss.low),
                decimals(kept.mean, 2),
                over_seeds(kept.n, kept.low, kept.high)
            )
        });
        let told: Vec<String> = compared.collect();
        let says = match part {
            "compression" => "The paper: the target tunes how much is compressed for what loss.",
            _ => {
                "The paper: without the ratio loss the masked-base loss is unchanged and the compression drifts."
            }
        };
        let caption = match part {
            "compression" => "Learned arms by their target of bases per token.",
            _ => "Learned arms by the weight of the ratio loss.",
        };
        Ok(Some(Section {
            title: title.into(),
            blocks: vec![
                paragraph(format!(
                    "{says} Here, on held-out chromosomes: {}",
                    told.join(" ")
                )),
                Block::Figure {
                    svg: to.write_figure(&self.courses(&arms, &label), figure)?,
                    label: title.into(),
                    caption: format!(
                        "{caption} Means over seeds; compressions above five times the target of the main arms are not drawn."
                    ),
                    downloads: downloads(figure, "curves"),
                },
                Block::Table(self.arm_table(&arms, caption)),
            ],
        }))
    }

    /// How it was done, and what it does not say.
    pub(super) fn methods(&self) -> Section {
        let task = |row: &crate::pipelines::matched_flops::TaskRow| {
            format!(
                "{}: {} rows to train on and choose by, {} test sequences in {} clusters of similar ones, {} of them copies of such rows, or nearly",
                row.task,
                count(row.rows as usize),
                count(row.tested as usize),
                count(row.n_clusters as usize),
                count(row.n_copies as usize)
            )
        };
        let tasks: Vec<String> = self.found.tasks.iter().map(task).collect();
        let mut blocks = vec![
            paragraph(format!("Sizes: {}.", self.sizes)),
            paragraph(
                "A seed is one repeat of everything: initial weights, order and masks of the windows, rows that validate, order of fine-tuning. All arms share it, so arms are compared seed by seed. The learned model is trained first; the grid then keeps a token of every N bases, N being that at which both spend the same operations at the compression that the learned one reached on the held-out windows, its router's projections included. The ratio loss is no part of fine-tuning, which moves the router, so a task's grid takes its N anew: that at which it spends what the fine-tuned learned model of the same seed spends on the test sequences. Random cuts take the same N. Without compression there are fewer or narrower backbone blocks, whole ones, so that operations may miss by more than 1%.",
            ),
            paragraph(
                "Operations are counted from the tokens that were kept, by sequence. A learned router changes its compression while it is trained and fine-tuned, and a grid does not. So the operations of grids and random cuts are equal where models are used, after pretraining and after fine-tuning, and not over the whole of either; those of the other two arms are matched after pretraining, or not at all. The table of arms and the warnings say by how much they differ.",
            ),
            paragraph(
                "The test sequences lie in the genome that the arms were pretrained on, without labels; this is the same for all arms. Of the histone tasks only dev and test are to be had: dev is trained on, a tenth of it, another for each seed, chooses the epoch, and test is the official one. The full training sets, which are not to be had, are about eight times as large, so scores are not those of the paper.",
            ),
            paragraph(
                "The paper publishes neither code, seeds nor intervals of this experiment; where it is silent the choices above are ours. A proxy of another size may answer otherwise.",
            ),
        ];
        if !tasks.is_empty() {
            blocks.push(paragraph(format!("{}.", tasks.join("; "))));
        }
        if !self.steps.is_empty() {
            blocks.push(paragraph("Pages of the fine-tunings:"));
            blocks.push(Block::Links(
                self.steps
                    .iter()
                    .map(|step| link(step, format!("steps/{step}/index.html")))
                    .collect(),
            ));
        }
        Section {
            title: "How it was done".into(),
            blocks,
        }
    }
}

/// An interval over seeds, or that there is none.
fn over_seeds(n: usize, low: f64, high: f64) -> String {
    match n {
        0 => "not measured".into(),
        1 => "one seed, no interval".into(),
        n => format!("95% CI {} over {n} seeds", interval(low, high)),
    }
}

/// A share with its sign.
fn signed_percent(share: f64) -> String {
    let text = percent(share, 1);
    if share > 0.0 {
        format!("+{text}")
    } else {
        text
    }
}
