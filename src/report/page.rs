//! From a results folder to its page: the one way in which pages and figures are made, whether a
//! run has just ended or ended long ago.

use super::association::AssociationPage;
use super::benchmark::BenchmarkPage;
use super::codon_phase::CodonPhasePage;
use super::compare::ComparePage;
use super::density::DensityPage;
use super::finetune::FinetunePage;
use super::html::is_page;
use super::locus::LocusPage;
use super::matched_flops::MatchedFlopsPage;
use super::motif_enrichment::MotifPage;
use super::record::Record;
use super::site_profile::SitePage;
use super::splice_profile::SplicePage;
use super::stability::StabilityPage;
use super::variants::VariantsPage;
use super::{Chapter, Report};
use crate::error::{Error, Result};
use crate::figures::Figure;
use crate::output::{check_file, write_atomic};
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
            write_atomic(&folder.join(format!("{name}.svg")), |file| {
                file.write_all(svg.as_bytes())
            })?;
            write_atomic(&folder.join(format!("{name}.png")), |file| {
                file.write_all(&png)
            })?;
        }
        Ok(svg)
    }
}

/// Writes `figures/` and `index.html` of a results folder from its `run.json` and `tables/`.
///
/// # Errors
/// What keeps a file from being read or written, and a folder of another version.
pub fn write(folder: &Path) -> Result<()> {
    check_page(folder)?;
    let page = report(folder, &Gallery::at(folder.join("figures")))?.to_html();
    write_atomic(&folder.join("index.html"), |file| {
        file.write_all(page.as_bytes())
    })
}

/// Refuses to write over a page that is not one of ours.
///
/// # Errors
/// It is somebody's.
pub fn check_page(folder: &Path) -> Result<()> {
    check_file(&folder.join("index.html"), &[], |page| {
        std::fs::read_to_string(page).is_ok_and(|page| is_page(&page))
    })
}

/// The report of a results folder.
///
/// # Errors
/// As [`write()`].
pub fn report(folder: &Path, gallery: &Gallery) -> Result<Report> {
    of_record(&Record::read(folder)?, gallery)
}

fn of_record(record: &Record, gallery: &Gallery) -> Result<Report> {
    match record.analysis.as_str() {
        "splice-profile" => SplicePage::open(record)?.report(gallery),
        "site-profile" => SitePage::open(record)?.report(gallery),
        "density" => DensityPage::open(record)?.report(gallery),
        "locus" => LocusPage::open(record)?.report(gallery),
        "compare" => ComparePage::open(record)?.report(gallery),
        "benchmark" => BenchmarkPage::open(record)?.report(gallery),
        "association" => AssociationPage::open(record)?.report(gallery),
        "codon-phase" => CodonPhasePage::open(record)?.report(gallery),
        "matched-flops" => MatchedFlopsPage::open(record)?.report(gallery),
        "stability" => StabilityPage::open(record)?.report(gallery),
        "variants" => VariantsPage::open(record)?.report(gallery),
        "finetune" => FinetunePage::open(record)?.report(gallery),
        "reproduce" => collection(record, gallery),
        "motif-enrichment" => MotifPage::open(record)?.report(gallery),
        other => Err(Error::file(
            &record.folder,
            format!("holds results of '{other}', which has no page"),
        )),
    }
}

/// Whether a step of a recipe may be called so: its name is that of its folder.
pub fn is_step_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
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
    let Parameters {
        title,
        about,
        paper,
    } = record.parameters()?;
    let steps: Vec<Step> = record.outcome("steps")?;
    let chapter = |step: &Step| {
        let wrong = |what: &str| {
            Error::file(
                record.folder.join("run.json"),
                format!("step '{}' {what}", step.name),
            )
        };
        if !is_step_name(&step.name) {
            return Err(wrong("is no name of a folder under steps/"));
        }
        let folder = format!("steps/{}/", step.name);
        let of_step = Record::read(&record.folder.join(&folder))?;
        if of_step.analysis == record.analysis {
            return Err(wrong("is the report of a recipe itself"));
        }
        Ok(Chapter {
            report: of_record(&of_step, &Gallery::none())?,
            folder,
        })
    };
    let chapters = steps.iter().map(chapter).collect::<Result<_>>()?;
    let measured =
        |step: &Step| super::finetune::measured(&record.folder.join("steps").join(&step.name));
    let measured = steps.iter().filter_map(measured).collect();
    let appendix = if paper {
        vec![super::paper::section(gallery, &measured)?]
    } else {
        Vec::new()
    };
    Ok(Report {
        title,
        subtitle: about,
        chapters,
        appendix,
        ..Report::default()
    })
}
