//! What `motif-enrichment` leaves behind: its tables, its figures and its page.

mod pictures;
mod sections;

use std::io::Write;
use std::path::Path;

use super::format::{count, p_value};
use super::splice_profile::{About, save};
use super::{Report, tables, wording};
use crate::error::Result;
use crate::output::write_atomic;
use crate::pipelines::motif_enrichment::{Enrichment, EnrichmentRequest, MotifRow, StatisticsRow};

/// The false discovery rate that "significant" stands for.
pub const RATE: f64 = 0.05;

/// Everything that is written, from one outcome.
#[derive(Clone, Debug)]
pub struct MotifPage<'a> {
    /// What was found.
    pub found: &'a Enrichment,
    /// What was asked.
    pub request: &'a EnrichmentRequest,
    /// The run.
    pub about: About,
}

/// The figures as SVG, for the page.
struct Svg {
    motifs: String,
    shuffled: Option<String>,
    volcano: String,
    forest: String,
    heatmaps: Vec<(String, String)>,
    balance: String,
    calibration: Option<String>,
}

impl MotifPage<'_> {
    /// Writes `tables/`, `figures/` and `index.html` into a folder.
    ///
    /// # Errors
    /// What keeps a file from being written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let (found, at) = (self.found, folder.join("tables"));
        tables::write(&at, "promoters", &found.promoters)?;
        tables::write(&at, "motifs", &found.motifs)?;
        tables::write(&at, "hits", &found.hits)?;
        tables::write(&at, "pairs", &found.pairs)?;
        tables::write(&at, "statistics", &found.statistics)?;
        tables::write(&at, "balance", &found.balance)?;
        tables::write(&at, "profile", &found.profile)?;
        tables::write(&at, "detail", &found.detail)?;
        tables::write(&at, "orders", &found.orders)?;
        let at = folder.join("figures");
        let shuffled = found.profile.iter().any(|row| row.control == "shuffled");
        let heatmaps = self.request.detail.iter().enumerate().map(|(i, id)| {
            let name = if i == 0 { "heatmap".to_string() } else { format!("heatmap_{}", i + 1) };
            Ok((id.clone(), save(&self.heatmap(id), &at, &name)?))
        });
        let svg = Svg {
            motifs: save(&self.panels(), &at, "r2_motifs")?,
            shuffled: shuffled.then(|| save(&self.native_vs_shuffled(), &at, "native_vs_shuffled")).transpose()?,
            volcano: save(&self.volcano(), &at, "volcano")?,
            forest: save(&self.forest(), &at, "forest")?,
            heatmaps: heatmaps.collect::<Result<_>>()?,
            balance: save(&self.balance(), &at, "balance")?,
            calibration: found.negative_control.then(|| save(&self.calibration(), &at, "calibration")).transpose()?,
        };
        let page = wording::page(&self.about, self.report(&svg).to_html());
        write_atomic(&folder.join("index.html"), |file| file.write_all(page.as_bytes()))
    }

    fn report(&self, svg: &Svg) -> Report {
        let title = if self.found.negative_control {
            "Negative control: do permuted motifs differ from permuted motifs?"
        } else {
            "Do the model’s boundaries gather at motifs in promoters?"
        };
        let mut sections = vec![self.result(svg), self.panel_section(svg)];
        sections.extend(self.shuffled_section(svg));
        sections.extend([
            self.detail_section(svg),
            self.balance_section(svg),
            self.accounting(),
            self.methods(),
            self.caveats(),
            self.provenance(),
        ]);
        Report {
            title: title.into(),
            subtitle: format!("{} · {} · {}", self.about.model, self.about.genome, self.about.annotation),
            answer: answer(self.found),
            sections,
        }
    }

    fn motif(&self, id: &str) -> Option<&MotifRow> {
        self.found.motifs.iter().find(|row| row.motif_id == id)
    }

    /// The controls in the order of the table.
    fn controls(&self) -> Vec<&str> {
        let mut controls: Vec<&str> = Vec::new();
        for row in &self.found.statistics {
            if !controls.contains(&row.control.as_str()) {
                controls.push(&row.control);
            }
        }
        controls
    }
}

/// The rows of one control and endpoint.
fn rows<'a>(found: &'a Enrichment, control: &'a str, endpoint: &'a str) -> impl Iterator<Item = &'a StatisticsRow> {
    found.statistics.iter().filter(move |row| row.control == control && row.endpoint == endpoint)
}

/// Motifs tested, significantly higher, significantly lower.
fn tally(found: &Enrichment, control: &str, endpoint: &str) -> (usize, usize, usize) {
    let significant = |row: &&StatisticsRow| row.p_bh <= RATE;
    let all = || rows(found, control, endpoint).filter(|row| row.p_value.is_finite());
    (
        all().count(),
        all().filter(significant).filter(|row| row.difference > 0.0).count(),
        all().filter(significant).filter(|row| row.difference < 0.0).count(),
    )
}

/// The controls that were asked for, by their order in the table, without that of the panels alone.
fn asked(found: &Enrichment) -> Vec<&str> {
    let mut controls: Vec<&str> = found.statistics.iter().map(|row| row.control.as_str()).collect();
    controls.dedup();
    controls
}

/// The paragraph at the head of the page.
fn answer(found: &Enrichment) -> String {
    let regions = format!("{} promoter regions ({} bases)", count(found.n_regions), count(found.region_bp as usize));
    let tested = found.motifs.iter().filter(|row| row.status == "tested").count();
    if tested == 0 {
        return format!("No motif has hits enough in {regions} to be tested.");
    }
    let of = |control: &str| {
        let (n, up, down) = tally(found, control, "edges");
        format!("against {control}: {up} higher and {down} lower of {n} tested")
    };
    let controls: Vec<String> = asked(found).into_iter().map(of).collect();
    let all = asked(found).iter().any(|control| tally(found, control, "edges").1 + tally(found, control, "edges").2 > 0);
    let verdict = match (found.negative_control, all) {
        (true, false) => "No permuted motif differs from others, as it should be.",
        (true, true) => "Some permuted motifs differ from others, which should not be.",
        (false, true) => "Some motifs differ from their controls.",
        (false, false) => "No motif differs from its controls beyond what chance gives over so many tests.",
    };
    format!(
        "{verdict} Boundary probability at the edges of hits in {regions}, motifs that differ at a false discovery rate of 5%: {}. Controls ask different \
         questions: only a motif that stands out against all of them stands out beyond its letters, its place and its surroundings.",
        controls.join("; ")
    )
}

/// A short answer for the terminal: one line a control and endpoint, then the strongest motifs.
pub fn summary(found: &Enrichment) -> String {
    let count_of = |status: &str| found.motifs.iter().filter(|row| row.status == status).count();
    let mut text = format!(
        "{} promoter regions, {} motifs: {} tested, {} with too few hits, {} without, {} not scannable\n",
        found.n_regions,
        found.motifs.len(),
        count_of("tested"),
        count_of("few_hits"),
        count_of("no_hits"),
        count_of("not_scannable")
    );
    text += &format!("{:<10} {:<8} {:>7} {:>7} {:>7}  strongest\n", "control", "endpoint", "tested", "higher", "lower");
    for control in asked(found) {
        for endpoint in ["edges", "inside"] {
            let (n, up, down) = tally(found, control, endpoint);
            let best = rows(found, control, endpoint).filter(|row| row.p_value.is_finite()).min_by(|a, b| a.p_value.total_cmp(&b.p_value));
            let best = best.map_or(String::new(), |row| {
                let difference = super::format::decimals(row.difference, 4);
                format!("{} {difference}, p {}, BH {}", row.motif_name, p_value(row.p_value, Some(row.p_floor)), p_value(row.p_bh, None))
            });
            text += &format!("{control:<10} {endpoint:<8} {n:>7} {up:>7} {down:>7}  {best}\n");
        }
    }
    text
}
