//! What `splice-profile` leaves behind: its tables, its figures and its page.

mod answer;
mod compared;
pub(super) mod pictures;
mod sections;

use serde_json::{Value, json};

use super::Report;
use super::analysis::{self, Analysis, Tables as _, tables};
use super::discrimination::{BY_OPTION, Told, Words};
use super::format::{count, integer};
use super::page::FigureFolder;
use super::record::{About, Record};
use crate::controls::decoys::APART_BP;
use crate::error::Result;
use crate::figures::{
    BalanceFigure, CalibrationFigure, DistributionFigure, ForestFigure, HeatmapFigure,
    ProfileFigure, R2Figure, Side,
};
use crate::genome::region;
use crate::pipelines::comparison::discrimination::{Discrimination, MOST_ROWS};
use crate::pipelines::splice_profile::{SpliceProfile, SpliceProfileRequest};

/// The figures.
struct Figures {
    /// Mean profiles around the sites and their controls of the family asked for first.
    profile: ProfileFigure,
    /// The same for the other families.
    others: Option<ProfileFigure>,
    /// Mean profiles of what the letters nearby leave unexplained.
    residual: Option<ProfileFigure>,
    /// Site by site: kinds of sites with their heat maps.
    heatmaps: Vec<(String, HeatmapFigure)>,
    /// Balance of covariates.
    balance: BalanceFigure,
    /// Differences within pairs.
    differences: DistributionFigure,
    /// All families side by side.
    families: ForestFigure,
    /// What the letters nearby explain.
    baseline: R2Figure,
    /// In a negative control: all p-values beside uniform ones.
    calibration: Option<CalibrationFigure>,
}

tables! {
    SpliceProfile, with comparison.discrimination: Discrimination; "sites": sites, "controls": comparison.controls, "pairs": comparison.pairs, "profile": comparison.profile, "statistics": comparison.statistics, "balance": comparison.balance, "accounting": accounting, "letters": letters, "matching": comparison.matching, "offsets": comparison.offsets, "runs": comparison.runs, "baseline": comparison.baseline, "strands": comparison.strands, "heatmap": comparison.heatmap, "kmer_widths": comparison.widths, "sums": comparison.sums (not read)
}

impl Analysis for SpliceProfile {
    const NAME: &'static str = "splice-profile";
    const FIGURES: &'static [&'static str] = &[
        "r1_discrimination",
        "r1_splice",
        "balance",
        "differences",
        "families",
        "r2_by_k",
        "calibration",
        "r1_splice_families",
        "r1_splice_residual",
        "r1_heatmap_donor",
        "r1_heatmap_acceptor",
    ];

    fn report(record: &Record, to: &FigureFolder) -> Result<Report> {
        SplicePage::open(record)?.report(to)
    }
}

impl analysis::Found for SpliceProfile {
    fn bases_read(&self) -> u64 {
        self.comparison.bases_read
    }

    fn summary(&self) -> String {
        summary(self)
    }

    fn outcome(&self) -> Value {
        let found = self;
        json!({
            "tiles_read": found.comparison.tiles_read,
            "bases_read": found.comparison.bases_read,
            "annotation": found.annotation,
            "statistics": found.comparison.statistics,
            "matching": found.comparison.matching,
            "accounting": found.accounting,
        })
    }
}

/// The page.
pub(super) struct SplicePage {
    found: SpliceProfile,
    request: SpliceProfileRequest,
    about: About,
}

impl SplicePage {
    /// From a results folder.
    pub fn open(record: &Record) -> Result<SplicePage> {
        let request: SpliceProfileRequest = record.parameters()?;
        let mut found = SpliceProfile {
            annotation: record.outcome("annotation")?,
            ..SpliceProfile::default()
        };
        found.read_tables(record)?;
        found.comparison.tiles_read = record.outcome("tiles_read")?;
        found.comparison.bases_read = record.outcome("bases_read")?;
        found.comparison.negative_control = request.comparison.negative_control;
        Ok(SplicePage {
            found,
            request,
            about: record.about(),
        })
    }

    /// Draws and tells.
    pub fn report(&self, to: &FigureFolder) -> Result<Report> {
        let figures = Figures::new(&self.found, self.about.terms());
        let negative = self.found.comparison.negative_control;
        let told = told(&self.found);
        let svg = Svg {
            discrimination: if negative {
                String::new()
            } else {
                to.write_figure(&told.figure(), "r1_discrimination")?
            },
            profile: to.write_figure(&figures.profile, "r1_splice")?,
            heatmaps: (figures.heatmaps.into_iter())
                .map(|(kind, figure)| Ok((to.write_figure(&figure, &heatmap_name(&kind))?, kind)))
                .collect::<Result<_>>()?,
            balance: to.write_figure(&figures.balance, "balance")?,
            differences: to.write_figure(&figures.differences, "differences")?,
            families: to.write_figure(&figures.families, "families")?,
            baseline: to.write_figure(&figures.baseline, "r2_by_k")?,
            calibration: figures
                .calibration
                .map(|figure| to.write_figure(&figure, "calibration"))
                .transpose()?,
            others: figures
                .others
                .map(|figure| to.write_figure(&figure, "r1_splice_families"))
                .transpose()?,
            residual: figures
                .residual
                .map(|figure| to.write_figure(&figure, "r1_splice_residual"))
                .transpose()?,
        };
        let title = if self.found.comparison.negative_control {
            "Negative control: do two sets of controls differ?"
        } else {
            self.about.terms().either(
                "Do the model’s boundaries fall on splice sites?",
                "Does the signal differ at splice sites?",
            )
        };
        let mut report = Report {
            title: title.into(),
            subtitle: format!(
                "{} · {} · {}{}",
                self.about.model,
                self.about.genome,
                self.about.annotation,
                self.regions()
                    .map_or(String::new(), |regions| format!(" · genes in {regions}"))
            ),
            headline: headline(&self.found),
            answer: answer::answer(&self.found, self.about.terms()),
            sections: vec![
                self.result(&svg),
                self.endpoint(&svg),
                self.families(&svg),
                self.discussion(&svg),
                self.offsets(),
                self.control(),
                self.accounting(),
                self.balance(&svg),
                self.strands(),
                self.methods(),
                self.caveats(),
                self.about.section(&self.request, &SpliceProfile::names()),
            ],
            chapters: Vec::new(),
            appendix: Vec::new(),
        };
        if !negative {
            let section = told.section(&svg.discrimination, &self.words());
            report.sections.insert(1, section);
        }
        Ok(report)
    }

    /// The regions asked for, as they are typed.
    fn regions(&self) -> Option<String> {
        let regions = self.request.regions.iter();
        let regions: Vec<String> = regions
            .map(|of| region::written(&of.contig, of.interval))
            .collect();
        (!regions.is_empty()).then(|| regions.join(", "))
    }

    /// What the section on sites and decoys says of splice sites.
    fn words(&self) -> Words {
        let window = |(first, last): (i64, i64)| format!("{} to +{last}", integer(first));
        Words {
            terms: self.about.terms(),
            title: self.about.terms().either(
                "Do boundaries tell sites from decoys, and beyond the nucleotides?",
                "Does the signal tell sites from decoys, and beyond the nucleotides?",
            ),
            figure: "r1_discrimination",
            clusters: "clusters of genes",
            controls: format!(
                "Every site has up to 10 decoys: positions of the same cluster of genes and strand with the same two core nucleotides, at least {APART_BP} bases from any annotated site of the \
                 strand and from each other. Where a gene has no room its site has one nearer decoy, never so near that the windows of the two overlap. Decoys of a site weigh as \
                 much together as the site, so that sites and decoys weigh the same in every gene. With more sites than the models need, a random sample is used: at most {} \
                 sites and decoys of a kind. Strength: only decoys whose weight-matrix score is within 0.2 standard deviations of their site’s. Bed: the controls of --control-bed that \
                 lie in the same cluster of genes.",
                count(MOST_ROWS)
            ),
            windows: format!(
                "{} (donors) and {} (acceptors)",
                window(self.request.donor_window),
                window(self.request.acceptor_window)
            ),
            matrix: "donors −3..+6, acceptors −20..+3",
            without_reference: BY_OPTION,
        }
    }
}

/// Sites told from decoys.
fn told(found: &SpliceProfile) -> Told<'_> {
    Told {
        found: &found.comparison.discrimination,
        letters: &found.letters,
        sides,
        every_control: false,
    }
}

/// What lies before and after a junction.
fn sides(kind: &str) -> (Side, Side) {
    let (exon, intron) = (Side::block("exon"), Side::line("intron"));
    if kind == "donor" {
        (exon, intron)
    } else {
        (intron, exon)
    }
}

/// The file of the heat map of a kind of site.
fn heatmap_name(kind: &str) -> String {
    format!("r1_heatmap_{kind}")
}

/// The answer in a few sentences.
fn headline(found: &SpliceProfile) -> String {
    if found.comparison.negative_control {
        answer::headline(found)
    } else {
        told(found).headline()
    }
}

/// The figures as SVG, for the page.
struct Svg {
    discrimination: String,
    profile: String,
    /// With the kind of site.
    heatmaps: Vec<(String, String)>,
    balance: String,
    differences: String,
    families: String,
    baseline: String,
    calibration: Option<String>,
    others: Option<String>,
    residual: Option<String>,
}

/// A short answer for the terminal: the sentences, then the secondary endpoint with one line a kind
/// of site and family.
pub fn summary(found: &SpliceProfile) -> String {
    let head = if found.comparison.negative_control {
        String::new()
    } else {
        format!("{}\n\n", headline(found)).replace('\u{A0}', " ")
    };
    let mut text = head;
    text += &format!(
        "{:<10} {:<9} {:>6} {:>9} {:>9} {:>7}  {:<40} {}\n",
        "sites", "control", "pairs", "site", "control", "AUROC", "difference", "p"
    );
    for row in found
        .comparison
        .statistics
        .iter()
        .filter(|row| row.measure == "probability")
    {
        let p = super::format::p_value(row.p_value, Some(row.p_floor));
        let number = |value: f64| super::format::decimals(value, 4);
        text += &format!(
            "{:<10} {:<9} {:>6} {:>9} {:>9} {:>7}  {:<40} {}\n",
            row.site_kind,
            row.control,
            row.n_pairs,
            number(row.site_mean),
            number(row.control_mean),
            super::format::decimals(row.auroc, 3),
            super::format::with_interval(row.difference, row.ci_low, row.ci_high),
            if row.n_pairs == 0 {
                super::format::MISSING.to_string()
            } else {
                p.replace('\u{A0}', " ")
            },
        );
    }
    text
}
