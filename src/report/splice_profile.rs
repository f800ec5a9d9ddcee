//! What `splice-profile` leaves behind: its tables, its figures and its page.

pub(super) mod answer;
mod compared;
mod pictures;
pub(super) mod sections;

use std::io::Write;
use std::path::Path;

use super::provenance::Input;
use super::{Report, tables};
use crate::error::Result;
use crate::figures::{BalanceFigure, CalibrationFigure, DistributionFigure, Figure, ForestFigure, ProfileFigure, R2Figure};
use crate::output::write_atomic;
use crate::pipelines::splice_profile::{SpliceProfile, SpliceProfileRequest};

/// What the page says of the run beside the outcome.
#[derive(Clone, Debug)]
pub struct About {
    /// The genome, in a few words.
    pub genome: String,
    /// The annotation, in a few words.
    pub annotation: String,
    /// The model, in a few words.
    pub model: String,
    /// Whether genome and model are both the bundled ones: the model has then read most of this sequence in training.
    pub bundled: bool,
    /// Name and version of the program.
    pub tool: String,
    /// The command, to be typed again.
    pub command: String,
    /// The files that went in.
    pub inputs: Vec<Input>,
}

/// The figures.
#[derive(Clone, Debug)]
pub struct Figures {
    /// Mean profiles around the sites and their controls of the family asked for first.
    pub profile: ProfileFigure,
    /// The same for the other families.
    pub others: Option<ProfileFigure>,
    /// Mean profiles of what the letters nearby leave unexplained.
    pub residual: Option<ProfileFigure>,
    /// Balance of covariates.
    pub balance: BalanceFigure,
    /// Differences within pairs.
    pub differences: DistributionFigure,
    /// All families side by side.
    pub families: ForestFigure,
    /// What the letters nearby explain.
    pub baseline: R2Figure,
    /// In a negative control: all p-values beside uniform ones.
    pub calibration: Option<CalibrationFigure>,
}

/// Everything that is written, from one outcome.
#[derive(Clone, Debug)]
pub struct SplicePage<'a> {
    /// What was found.
    pub found: &'a SpliceProfile,
    /// What was asked.
    pub request: &'a SpliceProfileRequest,
    /// The run.
    pub about: About,
}

impl SplicePage<'_> {
    /// Writes `tables/`, `figures/` and `index.html` into a folder.
    ///
    /// # Errors
    /// What keeps a file from being written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let found = self.found;
        let at = folder.join("tables");
        tables::write(&at, "sites", &found.sites)?;
        tables::write(&at, "controls", &found.comparison.controls)?;
        tables::write(&at, "pairs", &found.comparison.pairs)?;
        tables::write(&at, "profile", &found.comparison.profile)?;
        tables::write(&at, "statistics", &found.comparison.statistics)?;
        tables::write(&at, "balance", &found.comparison.balance)?;
        tables::write(&at, "matching", &found.comparison.matching)?;
        tables::write(&at, "offsets", &found.comparison.offsets)?;
        tables::write(&at, "runs", &found.comparison.runs)?;
        tables::write(&at, "baseline", &found.comparison.baseline)?;
        tables::write(&at, "strands", &found.comparison.strands)?;
        tables::write(&at, "accounting", &found.accounting)?;
        let figures = Figures::new(found);
        let at = folder.join("figures");
        let svg = Svg {
            profile: save(&figures.profile, &at, "r1_splice")?,
            balance: save(&figures.balance, &at, "balance")?,
            differences: save(&figures.differences, &at, "differences")?,
            families: save(&figures.families, &at, "families")?,
            baseline: save(&figures.baseline, &at, "r2_by_k")?,
            calibration: figures.calibration.map(|figure| save(&figure, &at, "calibration")).transpose()?,
            others: figures.others.map(|figure| save(&figure, &at, "r1_splice_families")).transpose()?,
            residual: figures.residual.map(|figure| save(&figure, &at, "r1_splice_residual")).transpose()?,
        };
        let page = self.report(&svg).to_html();
        let path = folder.join("index.html");
        write_atomic(&path, |file| file.write_all(page.as_bytes()))
    }

    /// The page.
    fn report(&self, svg: &Svg) -> Report {
        let title = if self.found.comparison.negative_control {
            "Negative control: do two sets of controls differ?"
        } else {
            "Do the model’s boundaries fall on splice sites?"
        };
        Report {
            title: title.into(),
            subtitle: format!("{} · {} · {}", self.about.model, self.about.genome, self.about.annotation),
            answer: answer::answer(self.found),
            sections: vec![
                self.result(svg),
                self.families(svg),
                self.discussion(svg),
                self.offsets(),
                self.control(),
                self.accounting(),
                self.balance(svg),
                self.strands(),
                self.methods(),
                self.caveats(),
                self.provenance(),
            ],
        }
    }
}

/// The figures as SVG, for the page.
struct Svg {
    profile: String,
    balance: String,
    differences: String,
    families: String,
    baseline: String,
    calibration: Option<String>,
    others: Option<String>,
    residual: Option<String>,
}

/// Writes `NAME.svg` and `NAME.png`; the SVG is handed on.
pub(super) fn save<F: Figure>(figure: &F, folder: &Path, name: &str) -> Result<String> {
    let svg = figure.to_svg()?;
    let png = figure.to_png()?;
    write_atomic(&folder.join(format!("{name}.svg")), |file| file.write_all(svg.as_bytes()))?;
    write_atomic(&folder.join(format!("{name}.png")), |file| file.write_all(&png))?;
    Ok(svg)
}

/// A short answer for the terminal: one line a kind of site and family.
pub fn summary(found: &SpliceProfile) -> String {
    let mut text = format!(
        "{:<10} {:<9} {:>6} {:>9} {:>9} {:>7}  {:<40} {}\n",
        "sites", "control", "pairs", "site", "control", "AUROC", "difference", "p"
    );
    for row in found.comparison.statistics.iter().filter(|row| row.measure == "probability") {
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
            if row.n_pairs == 0 { super::format::MISSING.to_string() } else { p.replace('\u{A0}', " ") },
        );
    }
    text
}
