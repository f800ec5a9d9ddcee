//! What `codon-phase` leaves behind: its tables, its figures and its page.

mod sections;

use serde_json::{Value, json};

use super::Report;
use super::analysis::{self, Analysis, Tables as _, tables};
use super::format::{capital, count, decimals, interval, p_value, percent};
use super::page::FigureFolder;
use super::record::{About, Record};
use crate::error::Result;
use crate::figures::{Bar, BarPanel, BarsFigure, ForestFigure, ForestGroup, ForestRow};
use crate::pipelines::codon_phase::{
    CodonPhase, CodonPhaseRequest, ComparisonRow, OTHER_FRAMES, PhaseRow,
};

/// The level of claims.
const LEVEL: f64 = 0.05;

tables! {
    CodonPhase; "phases": phases, "comparisons": comparisons, "clusters": clusters, "genes": genes
}

impl Analysis for CodonPhase {
    const NAME: &'static str = "codon-phase";
    const FIGURES: &'static [&'static str] = &["shares", "differences"];

    fn report(record: &Record, to: &FigureFolder) -> Result<Report> {
        CodonPhasePage::open(record)?.report(to)
    }
}

impl analysis::Found for CodonPhase {
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
            "genes": found.genes,
            "phases": found.phases,
            "comparisons": found.comparisons,
        })
    }
}

/// The page.
pub(super) struct CodonPhasePage {
    found: CodonPhase,
    request: CodonPhaseRequest,
    about: About,
}

/// The figures as SVG, for the page.
struct Svg {
    shares: String,
    differences: String,
}

/// Where a position lies in its codon.
fn words(phase: u64) -> &'static str {
    match phase {
        0 => "between codons",
        1 => "after the first base",
        _ => "after the second base",
    }
}

impl CodonPhasePage {
    /// From a results folder.
    pub fn open(record: &Record) -> Result<CodonPhasePage> {
        let mut found = CodonPhase {
            bases_read: record.outcome("bases_read")?,
            ..CodonPhase::default()
        };
        found.read_tables(record)?;
        Ok(CodonPhasePage {
            found,
            request: record.parameters()?,
            about: record.about(),
        })
    }

    /// Draws and tells.
    pub fn report(&self, to: &FigureFolder) -> Result<Report> {
        let svg = Svg {
            shares: to.write_figure(&self.shares(), "shares")?,
            differences: to.write_figure(&self.differences(), "differences")?,
        };
        Ok(Report {
            title: "Do boundaries keep to codons?".into(),
            subtitle: format!(
                "{} · {} · {}",
                self.about.model, self.about.genome, self.about.annotation
            ),
            headline: headline(&self.found),
            answer: answer(&self.found),
            sections: vec![
                self.result(&svg),
                self.against(&svg),
                self.methods(),
                self.caveats(),
                self.about.section(&self.request, &CodonPhase::names()),
            ],
            ..Report::default()
        })
    }

    fn shares(&self) -> BarsFigure {
        let panel = |rows: &[PhaseRow]| BarPanel {
            title: format!("Stage {}", rows[0].stage),
            bars: rows
                .iter()
                .map(|row| Bar {
                    label: words(row.phase).into(),
                    value: row.share,
                    low: row.share_low,
                    high: row.share_high,
                    expected: row.expected,
                    points: Vec::new(),
                })
                .collect(),
        };
        BarsFigure {
            panels: (self.found.phases)
                .chunk_by(|a, b| a.stage == b.stage)
                .map(panel)
                .collect(),
            y_label: "share of boundaries".into(),
            line: "if each k-mer were cut alike".into(),
            note: "Whiskers: 95% intervals over draws of clusters of genes. Black lines: the share if each k-mer were cut alike in all frames.".into(),
        }
    }

    fn differences(&self) -> ForestFigure {
        let group = |rows: &[ComparisonRow]| ForestGroup {
            title: format!("Stage {}, against {}", rows[0].stage, rows[0].control),
            rows: rows
                .iter()
                .map(|row| ForestRow {
                    label: words(row.phase).into(),
                    value: row.difference,
                    ci_low: row.ci_low,
                    ci_high: row.ci_high,
                    n_pairs: row.n_positions,
                    n_clusters: row.n_clusters,
                    p: p_value(row.p_value, Some(row.p_floor)),
                })
                .collect(),
        };
        ForestFigure {
            groups: (self.found.comparisons)
                .chunk_by(|a, b| (a.stage, &a.control) == (b.stage, &b.control))
                .map(group)
                .collect(),
            heads: ["difference (95% CI)", "positions", "clusters"],
            x_label: "Share of positions cut, less that of the same k-mers elsewhere".into(),
        }
    }
}

/// The clearest difference of a stage from the other frames: the least p, then the largest.
fn clearest(found: &CodonPhase, stage: u64) -> Option<&ComparisonRow> {
    let rows =
        (found.comparisons.iter()).filter(|row| row.stage == stage && row.control == OTHER_FRAMES);
    rows.min_by(|a, b| {
        let larger = b.difference.abs().total_cmp(&a.difference.abs());
        a.p_holm.total_cmp(&b.p_holm).then(larger)
    })
}

/// The stages, the outermost first.
fn stages(found: &CodonPhase) -> Vec<u64> {
    let mut stages: Vec<u64> = found.phases.iter().map(|row| row.stage).collect();
    stages.dedup();
    stages
}

/// Percentage points with their interval.
fn points(row: &ComparisonRow) -> String {
    format!(
        "{} points (95% CI {}, Holm p {})",
        decimals(100.0 * row.difference, 2),
        interval(100.0 * row.ci_low, 100.0 * row.ci_high),
        p_value(row.p_holm, None)
    )
}

/// The answer in a sentence: of the innermost stage, where codons would be looked for.
fn headline(found: &CodonPhase) -> String {
    let all = stages(found);
    let Some(row) = all.last().and_then(|stage| clearest(found, *stage)) else {
        return "No k-mer lies in two frames.".into();
    };
    let stage = match all.len() {
        1 => String::new(),
        _ => format!("Stage {}: ", row.stage),
    };
    let place = words(row.phase);
    let text = match row.p_holm <= LEVEL {
        true => format!(
            "{stage}{place}, k-mers are cut {} than in other frames: {}.",
            if row.difference > 0.0 { "more" } else { "less" },
            points(row)
        ),
        false => format!(
            "{stage}no codon phase beyond k-mers is shown; clearest difference, {place}: {}.",
            points(row)
        ),
    };
    capital(&text)
}

/// The paragraph at the head of the page.
fn answer(found: &CodonPhase) -> String {
    let used = found.genes.iter().find(|row| row.status == "used");
    let n: u64 = found
        .phases
        .iter()
        .filter(|row| row.stage == 0)
        .map(|row| row.n_positions)
        .sum();
    let mut texts = vec![format!(
        "{} coding positions of {} genes in {} clusters.",
        count(n as usize),
        count(used.map_or(0, |row| row.n_genes) as usize),
        count(found.phases.first().map_or(0, |row| row.n_clusters) as usize)
    )];
    for stage in stages(found) {
        let shares: Vec<String> = (found.phases.iter())
            .filter(|row| row.stage == stage)
            .map(|row| {
                format!(
                    "{} {} (95% CI {} to {}; by k-mers {})",
                    words(row.phase),
                    percent(row.share, 1),
                    percent(row.share_low, 1),
                    percent(row.share_high, 1),
                    percent(row.expected, 1)
                )
            })
            .collect();
        texts.push(format!(
            "Stage {stage}, share of boundaries {}.",
            shares.join(", ")
        ));
        let rows = found
            .comparisons
            .iter()
            .filter(|row| row.stage == stage && row.control == OTHER_FRAMES);
        let all: Vec<&ComparisonRow> = rows.collect();
        let most = all
            .iter()
            .flat_map(|row| [row.ci_low.abs(), row.ci_high.abs()])
            .fold(0.0, f64::max);
        if all.iter().all(|row| row.p_holm > LEVEL) && most > 0.0 {
            texts.push(format!(
                "Differences between frames of more than {} points are excluded, each at 95%.",
                decimals(100.0 * most, 1)
            ));
        }
    }
    texts.join(" ")
}

fn summary(found: &CodonPhase) -> String {
    let mut text = headline(found) + "\n\n";
    text += &format!(
        "{:<6} {:<24} {:>10} {:>11} {:>7} {:>9}\n",
        "stage", "position", "positions", "boundaries", "share", "by k-mers"
    );
    for row in &found.phases {
        text += &format!(
            "{:<6} {:<24} {:>10} {:>11} {:>7} {:>9}\n",
            row.stage,
            words(row.phase),
            row.n_positions,
            row.n_boundaries,
            percent(row.share, 1),
            percent(row.expected, 1)
        );
    }
    for row in &found.comparisons {
        text += &format!(
            "{:<6} {:<24} against {:<13} {}\n",
            row.stage,
            words(row.phase),
            row.control,
            points(row)
        );
    }
    text.replace('\u{A0}', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headlines_are_short_and_follow_the_numbers() {
        let row = |stage: u64, phase: u64, difference: f64, p: f64| ComparisonRow {
            stage,
            control: OTHER_FRAMES.into(),
            phase,
            n_positions: 100,
            n_controls: 200,
            n_unmatched: 1,
            n_clusters: 50,
            rate: 0.2,
            control_rate: 0.2 - difference,
            difference,
            ci_low: difference - 0.01,
            ci_high: difference + 0.01,
            p_value: p,
            p_floor: 1e-4,
            p_holm: p,
        };
        let phase = |stage: u64| PhaseRow {
            stage,
            phase: 0,
            n_positions: 1,
            n_boundaries: 1,
            n_clusters: 1,
            rate: 1.0,
            share: 1.0,
            share_low: 1.0,
            share_high: 1.0,
            expected: 1.0,
        };
        let found = CodonPhase {
            phases: vec![phase(0), phase(1)],
            comparisons: vec![
                row(0, 0, 0.2, 1e-4),
                row(1, 0, 0.04, 0.9),
                row(1, 2, -0.03, 1e-4),
            ],
            ..CodonPhase::default()
        };
        let said = headline(&found);
        assert!(
            said.starts_with("Stage 1: after the second base, k-mers are cut less"),
            "{said}"
        );
        assert!(said.contains("−3.00 points"), "{said}");
        let none = CodonPhase {
            phases: vec![phase(0)],
            comparisons: vec![row(0, 1, 0.001, 0.9)],
            ..CodonPhase::default()
        };
        let none = headline(&none);
        assert!(
            none.starts_with("No codon phase beyond k-mers is shown"),
            "{none}"
        );
        for text in [said, none] {
            assert!(text.split_whitespace().count() <= 25, "{text}");
        }
    }
}
