//! From a results folder to its page: the one way in which pages and figures are made, whether a run has just ended or ended long ago.

use super::compare::ComparePage;
use super::density::DensityPage;
use super::locus::LocusPage;
use super::motif_enrichment::MotifPage;
use super::record::Record;
use super::splice_profile::SplicePage;
use super::{Chapter, Report};
use crate::error::{Error, Result};
use crate::figures::Figure;
use crate::output::write_atomic;
use serde::Deserialize;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Where figures go.
#[derive(Debug, Clone)]
pub struct Gallery(Option<PathBuf>);

impl Gallery {
    /// Into the folder, as `NAME.svg` and `NAME.png`.
    pub fn at(folder: PathBuf) -> Gallery {
        Gallery(Some(folder))
    }

    /// Nowhere but into the page.
    pub fn none() -> Gallery {
        Gallery(None)
    }

    /// Draws a figure; its SVG is for the page.
    ///
    /// # Errors
    /// What keeps its files from being written.
    pub fn hang<F: Figure>(&self, figure: &F, name: &str) -> Result<String> {
        let svg = figure.to_svg()?;
        if let Gallery(Some(folder)) = self {
            let png = figure.to_png()?;
            write_atomic(&folder.join(format!("{name}.svg")), |file| file.write_all(svg.as_bytes()))?;
            write_atomic(&folder.join(format!("{name}.png")), |file| file.write_all(&png))?;
        }
        Ok(svg)
    }
}

/// Writes `figures/` and `index.html` of a results folder from its `run.json` and `tables/`.
///
/// # Errors
/// What keeps a file from being read or written, and a folder of another version.
pub fn write(folder: &Path) -> Result<()> {
    let page = report(folder, &Gallery::at(folder.join("figures")))?.to_html();
    write_atomic(&folder.join("index.html"), |file| file.write_all(page.as_bytes()))
}

/// The report of a results folder.
///
/// # Errors
/// As [`write()`].
pub fn report(folder: &Path, gallery: &Gallery) -> Result<Report> {
    let record = Record::read(folder)?;
    match record.analysis.as_str() {
        "splice-profile" => SplicePage::open(&record)?.report(gallery),
        "density" => DensityPage::open(&record)?.report(gallery),
        "locus" => LocusPage::open(&record)?.report(gallery),
        "compare" => ComparePage::open(&record)?.report(gallery),
        "reproduce" => collection(&record, gallery),
        "motif-enrichment" => MotifPage::open(&record)?.report(gallery),
        other => Err(Error::file(folder, format!("holds results of '{other}', which has no page"))),
    }
}

/// The steps of a recipe, a chapter each.
fn collection(record: &Record, gallery: &Gallery) -> Result<Report> {
    #[derive(Deserialize)]
    struct Parameters {
        title: String,
        about: String,
        #[serde(default)]
        paper: bool,
    }
    #[derive(Deserialize)]
    struct Step {
        name: String,
    }
    let Parameters { title, about, paper } = record.parameters()?;
    let steps: Vec<Step> = record.outcome("steps")?;
    let chapter = |step: &Step| {
        let folder = format!("steps/{}/", step.name);
        Ok(Chapter { report: report(&record.folder.join(&folder), &Gallery::none())?, folder })
    };
    let chapters = steps.iter().map(chapter).collect::<Result<_>>()?;
    let appendix = if paper { vec![super::paper::section(gallery)?] } else { Vec::new() };
    Ok(Report { title, subtitle: about, chapters, appendix, ..Report::default() })
}
