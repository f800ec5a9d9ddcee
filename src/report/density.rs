//! What `density` leaves behind: its tables, its figures and its page.

mod pictures;
mod sections;

use std::io::Write;
use std::path::Path;

use super::format::{decimals, p_value, with_interval};
use super::splice_profile::{About, save};
use super::{Report, tables};
use crate::error::Result;
use crate::genome::classes::Class;
use crate::output::write_atomic;
use crate::pipelines::density::{Density, DensityRequest, StatisticsRow};

/// The false discovery rate at which a class is said to differ.
const RATE: f64 = 0.05;

/// Everything that is written, from one outcome.
#[derive(Clone, Debug)]
pub struct DensityPage<'a> {
    /// What was found.
    pub found: &'a Density,
    /// What was asked.
    pub request: &'a DensityRequest,
    /// The run.
    pub about: About,
}

/// The figures as SVG, for the page.
struct Svg {
    density: String,
    lengths: String,
}

/// The tables, in the order of the page.
const TABLES: [&str; 6] = ["statistics", "pairs", "token_lengths", "balance", "accounting", "baseline"];

impl DensityPage<'_> {
    /// Writes `tables/`, `figures/` and `index.html` into a folder.
    ///
    /// # Errors
    /// What keeps a file from being written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let (found, at) = (self.found, folder.join("tables"));
        let [statistics, pairs, token_lengths, balance, accounting, baseline] = TABLES;
        tables::write(&at, statistics, &found.statistics)?;
        tables::write(&at, pairs, &found.pairs)?;
        tables::write(&at, token_lengths, &found.token_lengths)?;
        tables::write(&at, balance, &found.balance)?;
        tables::write(&at, accounting, &found.accounting)?;
        tables::write(&at, baseline, &found.baseline)?;
        let at = folder.join("figures");
        let svg = Svg { density: save(&self.boxes(), &at, "density")?, lengths: save(&self.lengths(), &at, "token_lengths")? };
        let page = self.report(&svg).to_html();
        write_atomic(&folder.join("index.html"), |file| file.write_all(page.as_bytes()))
    }

    fn report(&self, svg: &Svg) -> Report {
        let title = if self.found.negative_control {
            "Negative control: do controls of classes differ from other controls?"
        } else {
            "Does the model cut some classes of sequence more densely than others?"
        };
        Report {
            title: title.into(),
            subtitle: format!("{} · {} · {}", self.about.model, self.about.genome, self.about.annotation),
            answer: answer(self.found),
            sections: vec![
                self.result(svg),
                self.letters(),
                self.token_section(svg),
                self.accounting(),
                self.balance(),
                self.methods(),
                self.caveats(),
                self.origin(),
            ],
        }
    }
}

/// The rows of a measure with pairs, in the order of classes.
fn rows<'a>(found: &'a Density, measure: &'a str) -> impl Iterator<Item = &'a StatisticsRow> {
    found.statistics.iter().filter(move |row| row.measure == measure && row.n_pairs > 0)
}

/// A class's name in words.
fn words(name: &str) -> &str {
    Class::ALL.into_iter().find(|class| class.name() == name).map_or(name, |class| class.words())
}

/// Whether test and interval agree that a class differs.
fn differs(row: &StatisticsRow) -> bool {
    row.p_bh <= RATE && (row.ci_low > 0.0 || row.ci_high < 0.0)
}

/// `higher in a (+0.0123) and b (+0.0100), lower in c (-0.0200)`; `none` where no class differs.
fn listed(found: &Density, measure: &str) -> String {
    let of = |up: bool| {
        let named = rows(found, measure).filter(|row| differs(row) && (row.difference > 0.0) == up);
        named
            .map(|row| format!("{} ({}{})", words(&row.class), if up { "+" } else { "" }, decimals(row.difference, 3)))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let parts = [("higher in", of(true)), ("lower in", of(false))];
    let parts: Vec<String> =
        parts.into_iter().filter(|(_, names)| !names.is_empty()).map(|(how, names)| format!("{how} {names}")).collect();
    if parts.is_empty() { "none".into() } else { parts.join("; ") }
}

/// The paragraph at the head of the page.
fn answer(found: &Density) -> String {
    let n = rows(found, "probability").count();
    if n == 0 {
        return "No class has stretches with controls: nothing could be compared.".into();
    }
    let count = |measure: &str| rows(found, measure).filter(|row| differs(row)).count();
    let verdict = match (found.negative_control, count("probability")) {
        (true, 0) => "No: controls do not differ from other controls, as it should be.".to_string(),
        (true, some) => format!("{some} of {n} sets of controls differ from others, which should not be."),
        (false, 0) => format!("None of {n} classes shows a difference from stretches nearby of the same length and composition."),
        (false, some) => format!("{some} of {n} classes differ from stretches nearby of the same length and composition."),
    };
    let residual = match rows(found, "residual").any(|row| row.difference.is_finite()) {
        false => String::new(),
        true => format!(" Beyond what the letters within 8 bases predict, {} differ: {}.", count("residual"), listed(found, "residual")),
    };
    format!("{verdict} Mean boundary probability, false discovery rate of 5% over classes: {}.{residual}", listed(found, "probability"))
}

/// A short answer for the terminal: one line a class.
pub fn summary(found: &Density) -> String {
    let mut text = format!(
        "{:<16} {:>6} {:>6} {:>8} {:>8}  {:<38} {:>9} {:>8}  {}\n",
        "class", "pairs", "units", "class", "control", "difference", "p", "BH", "beyond the letters nearby"
    );
    for row in rows(found, "probability") {
        let residual = rows(found, "residual").find(|other| other.class == row.class && other.difference.is_finite());
        let residual = residual
            .map_or(String::new(), |r| format!("{} BH {}", with_interval(r.difference, r.ci_low, r.ci_high), p_value(r.p_bh, None)));
        text += &format!(
            "{:<16} {:>6} {:>6} {:>8} {:>8}  {:<38} {:>9} {:>8}  {}\n",
            row.class,
            row.n_pairs,
            row.n_clusters,
            decimals(row.class_mean, 4),
            decimals(row.control_mean, 4),
            with_interval(row.difference, row.ci_low, row.ci_high),
            p_value(row.p_value, Some(row.p_floor)),
            p_value(row.p_bh, None),
            residual
        );
    }
    for row in found.accounting.iter().filter(|row| row.n_used == 0) {
        text += &format!(
            "{:<16} not compared: {} stretches, {} sampled, {} without a control\n",
            row.class, row.n_stretches, row.n_sampled, row.n_no_control
        );
    }
    text.replace('\u{A0}', " ")
}
