//! What `stability` leaves behind: its tables, its figures and its page.

mod pictures;
mod sections;

use serde_json::{Value, json};

use super::Report;
use super::analysis::{self, Analysis, Tables as _, tables};
use super::format::{count, decimals, interval, p_value, with_interval};
use super::page::FigureFolder;
use super::record::{About, Record};
use crate::error::Result;
use crate::pipelines::stability::{ComparisonRow, MODEL, Stability, StabilityRequest, SummaryRow};

tables! {
    Stability; "responses": summary, "comparisons": comparisons, "distances": distances, "edits": edits, "mutation_map": map
}

impl Analysis for Stability {
    const NAME: &'static str = "stability";
    const FIGURES: &'static [&'static str] =
        &["mutation_map", "response", "response_models", "forest"];

    fn report(record: &Record, to: &FigureFolder) -> Result<Report> {
        StabilityPage::open(record)?.report(to)
    }
}

impl analysis::Found for Stability {
    fn bases_read(&self) -> u64 {
        self.bases_read
    }

    fn summary(&self) -> String {
        summary(self)
    }

    fn outcome(&self) -> Value {
        let found = self;
        json!({
            "bases_read": found.bases_read,
            "n_places": found.n_places,
            "n_pairs": found.n_pairs,
            "responses": found.summary,
            "comparisons": found.comparisons,
        })
    }
}

/// The page.
pub(super) struct StabilityPage {
    found: Stability,
    request: StabilityRequest,
    about: About,
}

/// The figures as SVG, for the page.
struct Svg {
    distances: String,
    models: String,
    comparisons: String,
    map: Option<String>,
}

impl StabilityPage {
    /// From a results folder.
    pub fn open(record: &Record) -> Result<StabilityPage> {
        let mut found = Stability {
            n_places: record.outcome("n_places")?,
            n_pairs: record.outcome("n_pairs")?,
            bases_read: record.outcome("bases_read")?,
            ..Stability::default()
        };
        found.read_tables(record)?;
        Ok(StabilityPage {
            found,
            request: record.parameters()?,
            about: record.about(),
        })
    }

    /// Draws and tells.
    pub fn report(&self, to: &FigureFolder) -> Result<Report> {
        let map = (!self.found.map.is_empty())
            .then(|| to.write_figure(&self.map(), "mutation_map"))
            .transpose()?;
        let svg = Svg {
            distances: to.write_figure(&self.by_kind(), "response")?,
            models: to.write_figure(&self.by_model(), "response_models")?,
            comparisons: to.write_figure(&self.forest(), "forest")?,
            map,
        };
        let title = match self.request.sites.comparison.negative_control {
            true => {
                "Negative control: do edits at controls of splice cores differ from edits at other controls?"
            }
            false => "What does an edit of sequence do to the boundaries around it?",
        };
        let sections = [
            Some(self.result(&svg)),
            Some(self.against(&svg)),
            self.mutation_map(&svg),
            Some(self.methods()),
            Some(self.caveats()),
        ];
        Ok(Report {
            title: title.into(),
            subtitle: format!(
                "{} · {} · {}",
                self.about.model, self.about.genome, self.about.annotation
            ),
            headline: headline(&self.found),
            answer: answer(&self.found, &self.request),
            sections: sections
                .into_iter()
                .flatten()
                .chain([self.about.section(&self.request, &Stability::names())])
                .collect(),
            ..Report::default()
        })
    }
}

/// The row of a kind of edit at random places.
fn row<'a>(found: &'a Stability, model: &str, kind: &str, group: &str) -> Option<&'a SummaryRow> {
    found
        .summary
        .iter()
        .find(|row| row.model == model && row.kind == kind && row.group == group)
}

fn compared<'a>(found: &'a Stability, name: &str, measure: &str) -> Option<&'a ComparisonRow> {
    found
        .comparisons
        .iter()
        .find(|row| row.comparison.contains(name) && row.measure == measure)
}

/// A difference with its interval and p.
fn told(row: &ComparisonRow) -> String {
    format!(
        "{}, p {}",
        with_interval(row.difference, row.ci_low, row.ci_high),
        p_value(row.p_value, Some(row.p_floor))
    )
}

/// The answer in a sentence.
fn headline(found: &Stability) -> String {
    let Some(snv) = row(found, MODEL, "snv", "random") else {
        return "No place could be edited.".into();
    };
    let core = |kind: &str| {
        let row = compared(found, &format!("{kind} core"), "decisions")?;
        Some(format!(
            "{} more ({}) at {kind} cores",
            decimals(row.difference, 2),
            interval(row.ci_low, row.ci_high)
        ))
    };
    let cores: Vec<String> = ["donor", "acceptor"].into_iter().filter_map(core).collect();
    let than = match cores.is_empty() {
        true => String::new(),
        false => format!(
            "; {} than at the same nucleotides elsewhere",
            cores.join(" and ")
        ),
    };
    format!(
        "An SNV changes {} decisions, 95% of the change within {} bases{than}.",
        decimals(snv.decisions, 2),
        snv.reach_95
    )
}

/// The paragraph at the head of the page.
fn answer(found: &Stability, request: &StabilityRequest) -> String {
    let mut texts = vec![format!(
        "{} places edited in every way, {} pairs of a splice core and the same nucleotides elsewhere; boundaries within {} bases.",
        count(found.n_places as usize),
        count(found.n_pairs as usize),
        count(request.reach)
    )];
    if let (Some(snv), Some(mask)) = (
        row(found, MODEL, "snv", "random"),
        compared(found, "[MASK] − random base", "change"),
    ) {
        texts.push(format!(
            "A single [MASK] changes probabilities by {} in all, a random base in its place by {} (difference {}).",
            decimals(mask.first, 2),
            decimals(mask.second, 2),
            told(mask)
        ));
        texts.push(format!(
            "An SNV gains or loses {} tokens on average.",
            decimals(snv.tokens, 2)
        ));
    }
    if let Some(share) = compared(found, "15% [MASK]", "decisions") {
        texts.push(format!(
            "Masking 15% of the bases changes {} decisions in the same stretch, random bases there {} (difference {}).",
            decimals(share.first, 1),
            decimals(share.second, 1),
            told(share)
        ));
    }
    let cores = ["donor core", "acceptor core"]
        .into_iter()
        .filter_map(|name| compared(found, name, "decisions"));
    let cores: Vec<String> = cores
        .map(|row| format!("{}: {}", row.comparison, told(row)))
        .collect();
    if !cores.is_empty() {
        texts.push(format!(
            "Decisions changed by the same substitution, {}.",
            cores.join("; ")
        ));
    }
    if let Some(letters) = compared(found, "model − letters", "change") {
        texts.push(format!(
            "A function of {} nucleotides on either side of a position would change by {} for an SNV, the model by {}.",
            crate::pipelines::stability::LETTERS,
            decimals(letters.second, 2),
            decimals(letters.first, 2)
        ));
    }
    texts.join(" ")
}

fn summary(found: &Stability) -> String {
    let mut text = headline(found) + "\n\n";
    text += &format!(
        "{:<10} {:<16} {:<18} {:>6} {:>6} {:>9} {:>10} {:>8} {:>9}\n",
        "", "edit", "where", "edits", "units", "change", "decisions", "tokens", "95% bp"
    );
    for row in &found.summary {
        text += &format!(
            "{:<10} {:<16} {:<18} {:>6} {:>6} {:>9} {:>10} {:>8} {:>9}\n",
            row.model,
            row.kind,
            row.group,
            row.n,
            row.n_clusters,
            decimals(row.change, 3),
            decimals(row.decisions, 3),
            decimals(row.tokens, 3),
            row.reach_95
        );
    }
    for row in &found.comparisons {
        text += &format!("{:<58} {:<9} {}\n", row.comparison, row.measure, told(row));
    }
    text.replace('\u{A0}', " ")
}
