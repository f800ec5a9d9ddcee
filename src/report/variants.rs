//! What `variants` leaves behind: its tables, the VCF with scores, its figures and its page.

mod annotated;
mod pictures;
mod sections;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::Report;
use super::analysis::{self, Analysis, Tables as _, tables};
use super::format::{count, decimals, p_value, with_interval};
use super::page::FigureFolder;
use super::record::{About, Record};
use crate::error::Result;
use crate::pipelines::variants::{EvaluationRow, Variants, VariantsRequest};

tables! {
    Found; "variants": found.variants, "alleles": found.accounting, "evaluation": found.evaluation, "groups": found.groups, "score_differences": found.differences
}

/// The input's records with their scores, and the index.
pub(super) const VCF: &str = "variants.vcf.gz";
pub(super) const VCF_INDEX: &str = "variants.vcf.gz.tbi";

/// What was found, and the VCF that the variants are of.
#[derive(Default)]
pub struct Found {
    /// The scores.
    pub found: Variants,
    /// The file; `None` for a table.
    pub vcf: Option<PathBuf>,
}

impl Analysis for Found {
    const NAME: &'static str = "variants";
    const FIGURES: &'static [&'static str] = &["evaluation", "scores"];

    fn report(record: &Record, to: &FigureFolder) -> Result<Report> {
        VariantsPage::open(record)?.report(to)
    }
}

impl analysis::Found for Found {
    fn write_beside(&self, folder: &Path) -> Result<()> {
        match &self.vcf {
            Some(vcf) => annotated::write(vcf, &self.found.variants, folder),
            None => Ok(()),
        }
    }

    fn bases_read(&self) -> u64 {
        self.found.bases_read
    }

    fn summary(&self) -> String {
        summary(self)
    }

    fn outcome(&self) -> Value {
        let found = &self.found;
        json!({
            "bases_read": found.bases_read,
            "table_bases": found.table_bases,
            "accounting": found.accounting,
            "evaluation": found.evaluation,
        })
    }
}

/// The page.
pub(super) struct VariantsPage {
    found: Variants,
    request: VariantsRequest,
    about: About,
    /// Whether there is a VCF, and an index of it.
    vcf: Option<bool>,
}

/// The figures as SVG, for the page.
struct Svg {
    scores: String,
    evaluation: Option<String>,
}

impl VariantsPage {
    /// From a results folder.
    pub fn open(record: &Record) -> Result<VariantsPage> {
        let mut found = Found::default();
        found.read_tables(record)?;
        found.found.bases_read = record.outcome("bases_read")?;
        found.found.table_bases = record.outcome("table_bases")?;
        let vcf = record
            .folder
            .join(VCF)
            .exists()
            .then(|| record.folder.join(VCF_INDEX).exists());
        Ok(VariantsPage {
            found: found.found,
            request: record.parameters()?,
            about: record.about(),
            vcf,
        })
    }

    /// Draws and tells.
    pub fn report(&self, to: &FigureFolder) -> Result<Report> {
        let evaluation = (!self.found.evaluation.is_empty())
            .then(|| to.write_figure(&self.bars(), "evaluation"))
            .transpose()?;
        let svg = Svg {
            scores: to.write_figure(&self.curves(), "scores")?,
            evaluation,
        };
        let sections = [
            self.evaluation(&svg),
            Some(self.scores(&svg)),
            Some(self.accounting()),
            Some(self.methods()),
            Some(self.caveats()),
        ];
        let subtitle = [&self.about.model, &self.about.genome]
            .map(String::as_str)
            .join(" · ");
        Ok(Report {
            title: "What does the model say of variants it was never told of?".into(),
            subtitle,
            headline: headline(&self.found),
            answer: answer(&self.found),
            sections: sections
                .into_iter()
                .flatten()
                .chain([self.about.section(&self.request, &Found::names())])
                .collect(),
            ..Report::default()
        })
    }
}

/// A score in words.
fn words(score: &str) -> &str {
    match score {
        "llr" => "likelihood",
        "boundary_change" => "boundary change",
        "decisions_changed" => "decisions changed",
        "tokens_gained" => "tokens gained or lost",
        "hidden_distance" => "hidden state",
        "table_llr" => "local table",
        other => other,
    }
}

/// A measure in words.
fn measure(name: &str) -> &str {
    match name {
        "auroc" => "AUROC",
        "size" => "Spearman’s correlation with the size of the effect, mean over groups",
        _ => "Spearman’s correlation with the signed effect, mean over groups",
    }
}

/// The measure that the headline is about.
fn main_rows(found: &Variants) -> impl Iterator<Item = &EvaluationRow> {
    found
        .evaluation
        .iter()
        .filter(|row| row.measure != "signed" && row.value.is_finite())
}

fn scored(found: &Variants) -> usize {
    found.accounting.first().map_or(0, |row| row.n as usize)
}

/// The answer in a sentence.
fn headline(found: &Variants) -> String {
    let row = |name: &str| main_rows(found).find(|row| row.score == name);
    let Some(model) = row("llr") else {
        return format!(
            "{} of {} alleles scored.",
            count(scored(found)),
            count(found.variants.len())
        );
    };
    let of = |row: &EvaluationRow| {
        format!(
            "{} {}",
            words(&row.score),
            with_interval(row.value, row.ci_low, row.ci_high)
        )
    };
    let others: Vec<String> = ["boundary_change", "table_llr"]
        .iter()
        .filter_map(|name| row(name))
        .map(of)
        .collect();
    let against = found
        .differences
        .iter()
        .find(|d| d.score == "llr" && d.other == "table_llr" && d.measure == model.measure);
    let against = against.map_or(String::new(), |d| {
        let p = if d.p_value.is_finite() {
            format!(", p {}", p_value(d.p_value, Some(d.p_floor)))
        } else {
            String::new()
        };
        format!(
            " Likelihood less local table: {}{p}.",
            with_interval(d.difference, d.ci_low, d.ci_high)
        )
    });
    format!(
        "{}: {}; {}.{against}",
        measure(&model.measure),
        of(model),
        others.join("; ")
    )
}

/// The paragraph at the head of the page.
fn answer(found: &Variants) -> String {
    let left: Vec<String> = found
        .accounting
        .iter()
        .skip(1)
        .map(|row| {
            format!(
                "{} {}",
                count(row.n as usize),
                row.outcome.replace('_', " ")
            )
        })
        .collect();
    let left = if left.is_empty() {
        String::new()
    } else {
        format!(
            " Not scored, but in the tables with the reason: {}.",
            left.join(", ")
        )
    };
    let singles = found.variants.iter().filter(|row| row.kind == "snv");
    let n = singles.clone().count();
    let less = singles.filter(|row| row.llr < 0.0).count();
    let single = match n {
        0 => String::new(),
        n => format!(
            " Of {} SNVs the model finds {} less likely than the reference.",
            count(n),
            count(less)
        ),
    };
    format!(
        "{} alleles, {} scored.{single}{left}",
        count(found.variants.len()),
        count(scored(found))
    )
}

fn summary(Found { found, .. }: &Found) -> String {
    let mut text = answer(found) + "\n";
    if !found.evaluation.is_empty() {
        text += &format!(
            "{:<22} {:<8} {:>8} {:>7}  {}\n",
            "score", "measure", "alleles", "groups", "value (95% CI)"
        );
    }
    for row in &found.evaluation {
        let value = if row.ci_low.is_finite() {
            with_interval(row.value, row.ci_low, row.ci_high)
        } else {
            decimals(row.value, 3)
        };
        text += &format!(
            "{:<22} {:<8} {:>8} {:>7}  {value}\n",
            words(&row.score),
            row.measure,
            row.n,
            row.n_groups
        );
    }
    text.replace('\u{A0}', " ")
}
