//! From a results folder to its page: the one way in which pages and figures are made, whether a
//! run has just ended or ended long ago.

use super::analysis::Entry;
use super::html::is_page;
use super::record::Record;
use super::{Chapter, Report};
use crate::error::{Error, Result};
use crate::figures::Figure;
use crate::output::{check_file, write_atomic};
use serde::Deserialize;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The analysis whose results are the steps of a recipe.
const REPRODUCE: &str = "reproduce";

/// Where figures go.
#[derive(Debug, Clone, Default)]
pub struct FigureFolder {
    /// `None` for nowhere but into the page.
    path: Option<PathBuf>,
    /// What the analysis declares.
    names: &'static [&'static str],
}

impl FigureFolder {
    /// Into the folder, as `NAME.svg` and `NAME.png`.
    pub fn at(path: PathBuf) -> FigureFolder {
        FigureFolder {
            path: Some(path),
            names: &[],
        }
    }

    /// The same for the figures that an analysis declares.
    fn of(&self, names: &'static [&'static str]) -> FigureFolder {
        FigureFolder {
            path: self.path.clone(),
            names,
        }
    }

    /// Draws a figure; its SVG is for the page.
    ///
    /// # Errors
    /// What keeps its files from being written.
    pub fn write_figure<F: Figure>(&self, figure: &F, name: &str) -> Result<String> {
        debug_assert!(
            self.names.is_empty() || self.names.contains(&name),
            "the figure {name} is not declared: results with it could not be replaced"
        );
        let svg = figure.to_svg()?;
        if let Some(folder) = &self.path {
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
    let page = report(folder, &FigureFolder::at(folder.join("figures")))?.to_html();
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
pub fn report(folder: &Path, to: &FigureFolder) -> Result<Report> {
    of_record(&Record::read(folder)?, to)
}

fn of_record(record: &Record, to: &FigureFolder) -> Result<Report> {
    if record.analysis == REPRODUCE {
        return collection(record, to);
    }
    let entry = Entry::named(&record.analysis).ok_or_else(|| {
        Error::file(
            &record.folder,
            format!("holds results of '{}', which has no page", record.analysis),
        )
    })?;
    (entry.report)(record, &to.of(entry.figures))
}

/// Whether a step of a recipe may be called so: its name is that of its folder.
pub fn is_step_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// The steps of a recipe, a chapter each.
fn collection(record: &Record, to: &FigureFolder) -> Result<Report> {
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
            report: of_record(&of_step, &FigureFolder::default())?,
            folder,
        })
    };
    let chapters = steps.iter().map(chapter).collect::<Result<_>>()?;
    let measured =
        |step: &Step| super::finetune::measured(&record.folder.join("steps").join(&step.name));
    let measured = steps.iter().filter_map(measured).collect();
    let appendix = if paper {
        vec![super::paper::section(to, &measured)?]
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
