//! What `density` leaves behind: its tables, its figures and its page.

mod pictures;
mod sections;

use serde_json::{Value, json};

use super::Report;
use super::analysis::{self, Analysis, Tables as _, tables};
use super::format::{decimals, p_value, with_interval};
use super::page::FigureFolder;
use super::record::{About, Record};
use super::terms::Terms;
use crate::error::Result;
use crate::genome::classes::Class;
use crate::pipelines::density::{Density, DensityRequest, StatisticsRow};

/// The false discovery rate at which a class is said to differ.
const RATE: f64 = 0.05;

tables! {
    Density; "statistics": statistics, "pairs": pairs, "untrained": untrained (not read), "token_lengths": token_lengths, "balance": balance, "accounting": accounting, "baseline": baseline
}

impl Analysis for Density {
    const NAME: &'static str = "density";
    const FIGURES: &'static [&'static str] = &["token_lengths", "density"];

    fn report(record: &Record, to: &FigureFolder) -> Result<Report> {
        DensityPage::open(record)?.report(to)
    }
}

impl analysis::Found for Density {
    fn bases_read(&self) -> u64 {
        self.bases_read
    }

    fn summary(&self) -> String {
        summary(self)
    }

    fn outcome(&self) -> Value {
        let found = self;
        json!({
            "tiles_read": found.tiles_read,
            "bases_read": found.bases_read,
            "contigs_unmatched": found.contigs_unmatched,
            "accounting": found.accounting,
            "statistics": found.statistics,
        })
    }
}

/// The page.
pub(super) struct DensityPage {
    found: Density,
    request: DensityRequest,
    about: About,
}

/// The figures as SVG, for the page.
struct Svg {
    density: String,
    /// `None` for a track.
    lengths: Option<String>,
}

impl DensityPage {
    /// From a results folder.
    pub fn open(record: &Record) -> Result<DensityPage> {
        let request: DensityRequest = record.parameters()?;
        let mut found = Density {
            contigs_unmatched: record.outcome("contigs_unmatched")?,
            tiles_read: record.outcome("tiles_read")?,
            bases_read: record.outcome("bases_read")?,
            negative_control: request.negative_control,
            ..Density::default()
        };
        found.read_tables(record)?;
        Ok(DensityPage {
            found,
            request,
            about: record.about(),
        })
    }

    /// Draws and tells.
    pub fn report(&self, to: &FigureFolder) -> Result<Report> {
        let lengths = (!self.about.signal)
            .then(|| to.write_figure(&self.lengths(), "token_lengths"))
            .transpose()?;
        let svg = Svg {
            density: to.write_figure(&self.boxes(), "density")?,
            lengths,
        };
        let title = if self.found.negative_control {
            "Negative control: do controls of classes differ from other controls?"
        } else {
            self.about.terms().either(
                "Does the model cut some classes of sequence more densely than others?",
                "Does the signal differ between classes of sequence?",
            )
        };
        let report = Report {
            title: title.into(),
            subtitle: format!(
                "{} · {} · {}",
                self.about.model, self.about.genome, self.about.annotation
            ),
            headline: headline(&self.found),
            answer: answer(&self.found, self.about.terms()),
            sections: [
                Some(self.result(&svg)),
                Some(self.letters()),
                svg.lengths.as_deref().map(|svg| self.token_section(svg)),
            ]
            .into_iter()
            .flatten()
            .chain([
                self.accounting(),
                self.balance(),
                self.methods(),
                self.caveats(),
                self.about.section(&self.request, &Density::names()),
            ])
            .collect(),
            ..Report::default()
        };
        Ok(report)
    }
}

/// The rows of a measure with pairs, in the order of classes.
fn rows<'a>(found: &'a Density, measure: &'a str) -> impl Iterator<Item = &'a StatisticsRow> {
    found
        .statistics
        .iter()
        .filter(move |row| row.measure == measure && row.n_pairs > 0)
}

/// A class's name in words.
fn words(name: &str) -> &str {
    Class::ALL
        .into_iter()
        .find(|class| class.name() == name)
        .map_or(name, |class| class.words())
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
            .map(|row| {
                format!(
                    "{} ({}{})",
                    words(&row.class),
                    if up { "+" } else { "" },
                    decimals(row.difference, 3)
                )
            })
            .collect::<Vec<_>>()
            .join(", ")
    };
    let parts = [("higher in", of(true)), ("lower in", of(false))];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(how, names)| format!("{how} {names}"))
        .collect();
    if parts.is_empty() {
        "none".into()
    } else {
        parts.join("; ")
    }
}

/// The answer in a sentence, with the class that stands out most.
fn headline(found: &Density) -> String {
    let n = rows(found, "probability").count();
    let count = rows(found, "probability")
        .filter(|row| differs(row))
        .count();
    let verdict = match (n, found.negative_control, count) {
        (0, _, _) => {
            return "No class has stretches with controls: nothing could be compared.".into();
        }
        (_, true, 0) => "Controls do not differ from other controls, as it should be.".to_string(),
        (_, true, some) => {
            format!("{some} of {n} sets of controls differ from others, which should not be.")
        }
        (_, false, 0) => format!(
            "None of {n} classes shows a difference from stretches nearby of the same length and composition."
        ),
        (_, false, some) => format!(
            "{some} of {n} classes differ from stretches nearby of the same length and composition."
        ),
    };
    let untrained = || rows(found, "untrained");
    let verdict = match untrained().count() {
        0 => verdict,
        n => format!(
            "{verdict} As an untrained model reads them, {} of {n} do.",
            untrained().filter(|row| differs(row)).count()
        ),
    };
    let most = rows(found, "probability").filter(|row| row.p_value.is_finite());
    let most = most.min_by(|a, b| {
        a.p_value
            .total_cmp(&b.p_value)
            .then(b.d.abs().total_cmp(&a.d.abs()))
    });
    most.map_or(verdict.clone(), |row| {
        let p = p_value(row.p_value, Some(row.p_floor));
        let beside = untrained().find(|other| other.class == row.class);
        let beside = beside.map_or(String::new(), |row| {
            format!(
                "; untrained {}",
                with_interval(row.difference, row.ci_low, row.ci_high)
            )
        });
        format!(
            "{verdict} Strongest: {}, {}, p {p}{beside}.",
            words(&row.class),
            with_interval(row.difference, row.ci_low, row.ci_high)
        )
    })
}

/// The paragraph at the head of the page.
fn answer(found: &Density, terms: Terms) -> String {
    let quantity = terms.quantity();
    let count = |measure: &str| rows(found, measure).filter(|row| differs(row)).count();
    let residual = match rows(found, "residual").any(|row| row.difference.is_finite()) {
        false => String::new(),
        true => format!(
            " Beyond what the nucleotides within 8 bases predict, {} differ: {}.",
            count("residual"),
            listed(found, "residual")
        ),
    };
    let untrained = match rows(found, "untrained").next() {
        None => String::new(),
        Some(_) => format!(" An untrained model: {}.", listed(found, "untrained")),
    };
    format!(
        "Mean {quantity}, false discovery rate of 5% over classes: {}.{residual}{untrained}",
        listed(found, "probability")
    )
}

/// A short answer for the terminal: one line a class.
pub fn summary(found: &Density) -> String {
    let mut text = format!(
        "{:<16} {:>6} {:>6} {:>8} {:>8}  {:<38} {:>9} {:>8}  {}\n",
        "class",
        "pairs",
        "units",
        "class",
        "control",
        "difference",
        "p",
        "BH",
        "beyond the nucleotides nearby"
    );
    for row in rows(found, "probability") {
        let residual = rows(found, "residual")
            .find(|other| other.class == row.class && other.difference.is_finite());
        let residual = residual.map_or(String::new(), |r| {
            format!(
                "{} BH {}",
                with_interval(r.difference, r.ci_low, r.ci_high),
                p_value(r.p_bh, None)
            )
        });
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
    for row in rows(found, "untrained") {
        text += &format!(
            "{:<16} untrained model {} BH {}\n",
            row.class,
            with_interval(row.difference, row.ci_low, row.ci_high),
            p_value(row.p_bh, None)
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
