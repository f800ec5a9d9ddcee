//! What `motif-enrichment` leaves behind: its tables, its figures and its page.

mod pictures;
mod sections;

use serde_json::{Value, json};

use super::Report;
use super::analysis::{self, Analysis, Tables as _, tables};
use super::discrimination::{self, Told, Words};
use super::format::{count, integer, p_value};
use super::page::FigureFolder;
use super::record::{About, Record};
use super::terms::Terms;
use crate::error::Result;
use crate::pipelines::comparison::discrimination::{Discrimination, MOST_SITES};
use crate::pipelines::motif_enrichment::{
    Enrichment, EnrichmentRequest, HIT_WINDOW, MotifRow, StatisticsRow,
};

/// The false discovery rate that "significant" stands for.
pub const RATE: f64 = 0.05;

tables! {
    Enrichment, with discrimination: Discrimination; "promoters": promoters, "motifs": motifs, "logos": logos, "hits": hits (not read), "pairs": pairs (not read), "statistics": statistics, "balance": balance, "profile": profile, "detail": detail, "orders": orders (not read), "unmatched": unmatched, "yardsticks": yardsticks
}

/// The endpoints in the order of tables, and in words.
const ENDPOINTS: [(&str, &str); 2] = [("edges", "at their edges"), ("inside", "inside")];

impl Analysis for Enrichment {
    const NAME: &'static str = "motif-enrichment";
    const FIGURES: &'static [&'static str] = &[
        "discrimination",
        "r2_motifs",
        "native_vs_shuffled",
        "volcano",
        "forest",
        "heatmap",
        "heatmap_2",
        "heatmap_3",
        "heatmap_4",
        "balance",
        "calibration",
    ];

    fn report(record: &Record, to: &FigureFolder) -> Result<Report> {
        MotifPage::open(record)?.report(to)
    }
}

impl analysis::Found for Enrichment {
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
            "regions": found.n_regions,
            "region_bp": found.region_bp,
            "windows_outside": found.n_outside,
            "dropped": found.dropped,
            "background": found.background,
        })
    }
}

/// The page. It needs neither hits, pairs nor orders, the largest tables.
pub(super) struct MotifPage {
    found: Enrichment,
    request: EnrichmentRequest,
    about: About,
}

/// Hits of all motifs told from their controls.
fn told(found: &Enrichment) -> Told<'_> {
    Told {
        found: &found.discrimination,
        letters: &[],
        sides: discrimination::sides,
        every_control: true,
    }
}

/// The figures as SVG, for the page.
struct Svg {
    discrimination: String,
    motifs: String,
    shuffled: Option<String>,
    volcano: String,
    forest: String,
    heatmaps: Vec<(String, String)>,
    balance: String,
    calibration: Option<String>,
}

impl MotifPage {
    /// From a results folder.
    pub fn open(record: &Record) -> Result<MotifPage> {
        let request: EnrichmentRequest = record.parameters()?;
        let mut found = Enrichment {
            dropped: record.outcome("dropped")?,
            background: record.outcome("background")?,
            n_regions: record.outcome("regions")?,
            region_bp: record.outcome("region_bp")?,
            n_outside: record.outcome("windows_outside")?,
            tiles_read: record.outcome("tiles_read")?,
            bases_read: record.outcome("bases_read")?,
            negative_control: request.negative_control,
            ..Enrichment::default()
        };
        found.read_tables(record)?;
        Ok(MotifPage {
            found,
            request,
            about: record.about(),
        })
    }

    /// Draws and tells.
    pub fn report(&self, to: &FigureFolder) -> Result<Report> {
        let found = &self.found;
        let shuffled = found.profile.iter().any(|row| row.control == "shuffled");
        let heatmaps = self.details().into_iter().enumerate().map(|(i, id)| {
            let name = if i == 0 {
                "heatmap".to_string()
            } else {
                format!("heatmap_{}", i + 1)
            };
            Ok((id.to_string(), to.write_figure(&self.heatmap(id), &name)?))
        });
        let told = told(found);
        let svg = Svg {
            discrimination: match found.negative_control {
                true => String::new(),
                false => to.write_figure(&told.figure(), "discrimination")?,
            },
            motifs: to.write_figure(&self.panels(), "r2_motifs")?,
            shuffled: shuffled
                .then(|| to.write_figure(&self.native_vs_shuffled(), "native_vs_shuffled"))
                .transpose()?,
            volcano: to.write_figure(&self.volcano(), "volcano")?,
            forest: to.write_figure(&self.forest(), "forest")?,
            heatmaps: heatmaps.collect::<Result<_>>()?,
            balance: to.write_figure(&self.balance(), "balance")?,
            calibration: found
                .negative_control
                .then(|| to.write_figure(&self.calibration(), "calibration"))
                .transpose()?,
        };
        let title = if found.negative_control {
            "Negative control: do permuted motifs differ from permuted motifs?"
        } else {
            self.about.terms().either(
                "Do the model’s boundaries gather at motifs in promoters?",
                "Does the signal differ at motifs in promoters?",
            )
        };
        let mut sections = vec![self.result(&svg)];
        if !found.negative_control {
            sections.push(told.section(&svg.discrimination, &self.words()));
        }
        sections.extend([self.panel_section(&svg), self.all_motifs()]);
        sections.extend(self.shuffled_section(&svg));
        sections.extend([
            self.detail_section(&svg),
            self.balance_section(&svg),
            self.accounting(),
            self.methods(),
            self.caveats(),
            self.about.section(&self.request, &Enrichment::names()),
        ]);
        let report = Report {
            title: title.into(),
            subtitle: format!(
                "{} · {} · {}",
                self.about.model, self.about.genome, self.about.annotation
            ),
            headline: headline(found),
            answer: answer(found, self.about.terms()),
            sections,
            chapters: Vec::new(),
            appendix: Vec::new(),
        };
        Ok(report)
    }

    /// What the section on hits and their controls says.
    fn words(&self) -> Words {
        let (first, last) = HIT_WINDOW;
        Words {
            terms: self.about.terms(),
            title: self.about.terms().either(
                "Do boundaries tell motif hits from controls, and beyond the nucleotides?",
                "Does the signal tell motif hits from controls, and beyond the nucleotides?",
            ),
            figure: "discrimination",
            clusters: "clusters of promoters",
            controls: format!(
                "Hits of all tested motifs are told together, of each group of like matrices those of the one with most hits; hits of two motifs with the same middle are one. Each has one \
                 control: a hit of a column-permuted version of its matrix in the same cluster of promoters, which shares no base with a hit of the motif; its matched position; or its \
                 matched hit outside of promoters. Windows outside of promoters are units of their own. Of more than {} hits a random sample is used. Offset 0 is the middle of the hit.",
                count(MOST_SITES)
            ),
            windows: format!("{} to +{last} from the middle of the hit", integer(first)),
            matrix: "over the whole window",
            without_reference: "",
        }
    }

    /// Frequencies of A, C, G and T by column.
    fn logo(&self, id: &str) -> Vec<[f64; 4]> {
        self.found
            .logos
            .iter()
            .filter(|row| row.motif_id == id)
            .map(|row| [row.a, row.c, row.g, row.t])
            .collect()
    }

    fn motif(&self, id: &str) -> Option<&MotifRow> {
        self.found.motifs.iter().find(|row| row.motif_id == id)
    }

    /// The motifs of which every hit is in the table.
    fn details(&self) -> Vec<&str> {
        self.found
            .detail
            .chunk_by(|a, b| a.motif_id == b.motif_id)
            .map(|rows| rows[0].motif_id.as_str())
            .collect()
    }
}

/// The rows of one control and endpoint.
fn rows<'a>(
    found: &'a Enrichment,
    control: &'a str,
    endpoint: &'a str,
) -> impl Iterator<Item = &'a StatisticsRow> {
    found
        .statistics
        .iter()
        .filter(move |row| row.control == control && row.endpoint == endpoint)
}

/// Motifs tested, significantly higher, significantly lower.
fn tally(found: &Enrichment, control: &str, endpoint: &str) -> (usize, usize, usize) {
    let significant = |row: &&StatisticsRow| row.p_bh <= RATE;
    let all = || rows(found, control, endpoint).filter(|row| row.p_value.is_finite());
    (
        all().count(),
        all()
            .filter(significant)
            .filter(|row| row.difference > 0.0)
            .count(),
        all()
            .filter(significant)
            .filter(|row| row.difference < 0.0)
            .count(),
    )
}

/// Motifs that random functions of two letters single out: the median over the functions, and the
/// range. `None` where they were not asked.
fn yardstick(found: &Enrichment, control: &str, endpoint: &str) -> Option<(f64, u64, u64)> {
    let of = found
        .yardsticks
        .iter()
        .filter(|row| row.control == control && row.endpoint == endpoint);
    let mut counts: Vec<u64> = of.map(|row| row.n_higher + row.n_lower).collect();
    counts.sort_unstable();
    let middle =
        crate::stats::quantile_sorted(&counts.iter().map(|n| *n as f64).collect::<Vec<_>>(), 0.5);
    Some((middle, *counts.first()?, *counts.last()?))
}

/// The controls in the order of the table.
fn controls(found: &Enrichment) -> Vec<&str> {
    let mut controls: Vec<&str> = Vec::new();
    for row in &found.statistics {
        if !controls.contains(&row.control.as_str()) {
            controls.push(&row.control);
        }
    }
    controls
}

/// The smallest p-value of a control and endpoint.
fn strongest<'a>(
    found: &'a Enrichment,
    control: &'a str,
    endpoint: &'a str,
) -> Option<&'a StatisticsRow> {
    rows(found, control, endpoint)
        .filter(|row| row.p_value.is_finite())
        .min_by(|a, b| a.p_value.total_cmp(&b.p_value))
}

/// The answer: how many motifs differ from the first control, and whether hits are told from it.
fn headline(found: &Enrichment) -> String {
    let Some(control) = controls(found).first().copied() else {
        return "No motif has hits enough to be tested.".into();
    };
    let [edges, inside] = ENDPOINTS.map(|(endpoint, _)| tally(found, control, endpoint));
    let counted = format!(
        "Of {} motifs {} {} from {} at their edges and {} inside (false discovery rate 5%).",
        edges.0,
        edges.1 + edges.2,
        match edges.1 + edges.2 {
            1 => "differs",
            _ => "differ",
        },
        discrimination::controls_word(control),
        inside.1 + inside.2
    );
    let told = told(found).claims().into_iter().next();
    format!("{counted} {}", told.unwrap_or_default())
        .trim_end()
        .into()
}

/// The paragraph under it.
fn answer(found: &Enrichment, terms: Terms) -> String {
    let quantity = terms.quantity();
    let regions = format!(
        "{} promoter regions ({} bases)",
        count(found.n_regions),
        count(found.region_bp as usize)
    );
    let differs = |control: &&str| {
        ENDPOINTS.iter().any(|(endpoint, _)| {
            let (_, up, down) = tally(found, control, endpoint);
            up + down > 0
        })
    };
    let all = controls(found);
    let from: Vec<&str> = all.iter().copied().filter(differs).collect();
    let verdict = match (found.negative_control, from.is_empty()) {
        (true, true) => "No permuted motif differs from others, as it should be.".to_string(),
        (true, false) => "Some permuted motifs differ from others, which should not be.".into(),
        (false, false) if from.len() == all.len() => {
            format!(
                "Some motifs differ from each kind of control ({}), at their edges or inside.",
                from.join(", ")
            )
        }
        (false, false) => {
            let rest: Vec<&str> = all
                .iter()
                .copied()
                .filter(|control| !from.contains(control))
                .collect();
            format!(
                "Some motifs differ from {}, at their edges or inside; none from {}.",
                from.join(" and "),
                rest.join(" or ")
            )
        }
        (false, true) => {
            "No motif differs from its controls beyond what chance gives over so many tests.".into()
        }
    };
    format!(
        "{verdict} The {quantity} was measured at hits in {regions}. Controls ask different questions: only a motif that stands out against all of them stands out \
         beyond its nucleotides, its place and its surroundings."
    )
}

/// A short answer for the terminal: one line a control and endpoint, then the strongest motifs.
pub fn summary(found: &Enrichment) -> String {
    let count_of = |status: &str| {
        found
            .motifs
            .iter()
            .filter(|row| row.status == status)
            .count()
    };
    let mut text = format!(
        "{} promoter regions, {} motifs: {} tested, {} with too few hits, {} without, {} not scannable\n",
        found.n_regions,
        found.motifs.len(),
        count_of("tested"),
        count_of("few_hits"),
        count_of("no_hits"),
        count_of("not_scannable")
    );
    text += &format!(
        "{:<10} {:<8} {:>7} {:>7} {:>7}  strongest\n",
        "control", "endpoint", "tested", "higher", "lower"
    );
    for control in controls(found) {
        for (endpoint, _) in ENDPOINTS {
            let (n, up, down) = tally(found, control, endpoint);
            let best = strongest(found, control, endpoint).map_or(String::new(), |row| {
                let difference = super::format::decimals(row.difference, 4);
                format!(
                    "{} {difference}, p {}, BH {}",
                    row.motif_name,
                    p_value(row.p_value, Some(row.p_floor)),
                    p_value(row.p_bh, None)
                )
            });
            text += &format!("{control:<10} {endpoint:<8} {n:>7} {up:>7} {down:>7}  {best}\n");
        }
    }
    text
}
