//! Profiles: a mean per offset around a position (offset 0 is exactly that position), with
//! confidence bands and controls.
//!
//! Each panel is drawn twice: over all offsets, and below it zoomed on the ten offsets either side
//! of the position, with a marker at every offset, so that a shift by one base can be seen and not
//! guessed; means over bins of bases are not zoomed. All panels of a row of panels share one
//! vertical range.

use super::Figure;
use super::axis::Frame;
use super::canvas::{Canvas, Surface};
use super::legend::{self, Entry};
use super::profile_panel::{self, BELOW, View, signed};
use super::theme::{self, NOTE_SIZE};
use super::ticks;
use crate::error::Result;

/// Offsets either side of the position shown in the zoomed row.
const ZOOM: i32 = 10;
const COLUMNS: usize = 2;
const LEFT: f64 = 36.0;
const RIGHT: f64 = 11.0;
const GAP: f64 = 26.0;
const PLOT: f64 = 112.0;
/// Between the two rows.
const ROW_GAP: f64 = 7.0;

/// A figure of one or more panels, two abreast.
#[derive(Debug, Clone, PartialEq)]
pub struct ProfileFigure {
    /// The panels, in reading order.
    pub panels: Vec<ProfilePanel>,
    /// Title of the horizontal axes.
    pub x_label: String,
    /// Title of the vertical axes.
    pub y_label: String,
    /// A footnote under the panels (what bands and shading mean); empty for none.
    pub note: String,
}

/// One position, one or more series.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ProfilePanel {
    /// Title over the panel.
    pub title: String,
    /// What lies at negative offsets.
    pub left: Side,
    /// What lies at positive offsets.
    pub right: Side,
    /// The series; the first is what the figure is about (blue, drawn on top), the others are
    /// controls.
    pub series: Vec<ProfileSeries>,
    /// First and last offset (both included) of the endpoint's window, which is shaded.
    pub endpoint: Option<(i32, i32)>,
    /// Frequencies of A, C, G and T of one base after the other, as a logo under the zoomed row;
    /// empty for none.
    pub logo: Vec<[f64; 4]>,
    /// Offset of the left side of the first of these bases.
    pub logo_first: i32,
}

/// One side of the position, as sketched under the data.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Side {
    /// Its name.
    pub label: String,
    /// Drawn as a box (an exon) instead of a line (an intron).
    pub block: bool,
}

impl Side {
    /// A side drawn as a box.
    pub fn block(label: impl Into<String>) -> Side {
        Side {
            label: label.into(),
            block: true,
        }
    }
    /// A side drawn as a line.
    pub fn line(label: impl Into<String>) -> Side {
        Side {
            label: label.into(),
            block: false,
        }
    }
}

/// A mean and its 95% confidence interval per offset. NaN leaves a gap; limits that are missing
/// leave out the band.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ProfileSeries {
    /// Name in the legend, with its n.
    pub label: String,
    /// Offsets in bases from the position; 0 is the position.
    pub offsets: Vec<i32>,
    /// Mean at each offset.
    pub mean: Vec<f64>,
    /// Lower confidence limit at each offset.
    pub ci_low: Vec<f64>,
    /// Upper confidence limit at each offset.
    pub ci_high: Vec<f64>,
}

impl ProfileFigure {
    /// A figure with the titles that fit boundary probabilities around junctions.
    pub fn new(panels: Vec<ProfilePanel>) -> ProfileFigure {
        let mut windows = panels.iter().filter_map(|p| p.endpoint);
        let note = match windows.next() {
            Some(first) if windows.all(|w| w == first) => {
                let (a, b) = (signed(first.0), signed(first.1));
                format!(
                    "Bands: 95% confidence intervals. Grey: endpoint window, offsets {a} to {b}."
                )
            }
            Some(_) => "Bands: 95% confidence intervals. Grey: endpoint window.".into(),
            None => "Bands: 95% confidence intervals.".into(),
        };
        ProfileFigure {
            panels,
            x_label: "Offset from the junction (bases, transcript 5′ to 3′)".into(),
            y_label: "Mean boundary probability".into(),
            note,
        }
    }

    fn columns(&self) -> usize {
        self.panels.len().clamp(1, COLUMNS)
    }

    fn width(&self) -> f64 {
        if self.columns() == 1 {
            theme::SINGLE_WIDTH
        } else {
            theme::DOUBLE_WIDTH
        }
    }

    fn note_lines(&self) -> Vec<String> {
        theme::wrap(&self.note, self.width() - LEFT - RIGHT, NOTE_SIZE, false)
    }

    /// Draws two rows (all offsets, zoom) of panels side by side, and returns where they end.
    fn row<S: Surface>(
        &self,
        canvas: &mut Canvas<'_, S>,
        panels: &[ProfilePanel],
        top: f64,
    ) -> Result<f64> {
        let columns = self.columns() as f64;
        let wide = (self.width() - LEFT - RIGHT - GAP * (columns - 1.0)) / columns;
        let (first, last) = offsets(panels);
        let range = values(panels);
        let zoomed = needs_zoom(panels);
        let plot_top = top + head(panels);
        for (column, panel) in panels.iter().enumerate() {
            let left = LEFT + column as f64 * (wide + GAP);
            let frame = Frame {
                left,
                top: plot_top,
                right: left + wide,
                bottom: plot_top + PLOT,
            };
            frame.title(canvas, &panel.title, head(panels) - theme::TITLE_SIZE)?;
            let entries: Vec<Entry<'_>> = (panel.series.iter().enumerate())
                .map(|(i, s)| Entry {
                    label: &s.label,
                    ink: theme::series_ink(i),
                    marker: Some(theme::series_marker(i)),
                    band: true,
                })
                .collect();
            legend::draw(canvas, &entries, (left, top + 13.0), frame.right)?;
            let mut view = View {
                offsets: (first, last),
                range,
                first_column: column == 0,
                markers: !zoomed && i64::from(last) - i64::from(first) <= i64::from(4 * ZOOM),
                logo: false,
                x_label: &self.x_label,
                y_label: &self.y_label,
            };
            profile_panel::draw(canvas, panel, frame, &view)?;
            if zoomed {
                let below = plot_top + PLOT + BELOW + ROW_GAP;
                let frame = Frame {
                    top: below,
                    bottom: below + PLOT,
                    ..frame
                };
                view.markers = true;
                view.logo = has_logo(panels);
                view.offsets = (first.max(-ZOOM), last.min(ZOOM));
                profile_panel::draw(canvas, panel, frame, &view)?;
            }
        }
        Ok(plot_top + plots(panels))
    }
}

/// Height of title and legend over a row of panels.
fn head(panels: &[ProfilePanel]) -> f64 {
    let entries = panels.iter().map(|p| p.series.len()).max().unwrap_or(0);
    13.0 + entries as f64 * legend::LINE + 7.0
}

/// Height of one or two rows of plots with all that is under them.
fn plots(panels: &[ProfilePanel]) -> f64 {
    let logo = if has_logo(panels) {
        profile_panel::LOGO
    } else {
        0.0
    };
    if needs_zoom(panels) {
        2.0 * (PLOT + BELOW) + ROW_GAP + logo
    } else {
        PLOT + BELOW
    }
}

fn has_logo(panels: &[ProfilePanel]) -> bool {
    panels.iter().any(|panel| !panel.logo.is_empty())
}

fn offsets(panels: &[ProfilePanel]) -> (i32, i32) {
    let all = || {
        panels
            .iter()
            .flat_map(|p| &p.series)
            .flat_map(|s| &s.offsets)
            .copied()
    };
    (all().min().unwrap_or(-ZOOM), all().max().unwrap_or(ZOOM))
}

fn values(panels: &[ProfilePanel]) -> Option<(f64, f64)> {
    let series = panels.iter().flat_map(|p| &p.series);
    ticks::extent(
        series
            .flat_map(|s| s.mean.iter().chain(&s.ci_low).chain(&s.ci_high))
            .copied(),
    )
}

fn needs_zoom(panels: &[ProfilePanel]) -> bool {
    let (first, last) = offsets(panels);
    let mut all = panels.iter().flat_map(|p| &p.series).map(|s| &s.offsets);
    let base_by_base = all.any(|offsets| {
        offsets
            .windows(2)
            .any(|two| two[0].checked_add(1) == Some(two[1]))
    });
    // Twice as many offsets as the zoom would show, and a position to zoom on.
    base_by_base
        && i64::from(last) - i64::from(first) > i64::from(4 * ZOOM)
        && first < 0
        && last > 0
}

impl Figure for ProfileFigure {
    fn size_pt(&self) -> (f64, f64) {
        let rows = self
            .panels
            .chunks(COLUMNS)
            .map(|panels| head(panels) + plots(panels) + 10.0);
        let rows: f64 = if self.panels.is_empty() {
            60.0
        } else {
            rows.sum()
        };
        (
            self.width(),
            rows + self.note_lines().len() as f64 * theme::NOTE_LINE,
        )
    }

    fn description(&self) -> String {
        let mut text = format!("{} by offset from the position.", self.y_label);
        for panel in &self.panels {
            text += &format!(" {}:", panel.title);
            for series in &panel.series {
                let points = profile_panel::points(series);
                let peak = points
                    .iter()
                    .filter(|p| p.mean.is_finite())
                    .max_by(|a, b| a.mean.total_cmp(&b.mean));
                text += &match peak {
                    Some(p) => format!(
                        " {}: highest {:.3} at offset {};",
                        series.label,
                        p.mean,
                        signed(p.offset)
                    ),
                    None => format!(" {}: no data;", series.label),
                };
            }
            if panel.series.is_empty() {
                text += " no data;";
            }
        }
        text
    }

    fn draw<S: Surface>(&self, canvas: &mut Canvas<'_, S>) -> Result<()> {
        let mut y = 2.0;
        if self.panels.is_empty() {
            Frame {
                left: 0.0,
                right: self.width(),
                top: 0.0,
                bottom: 50.0,
            }
            .say(canvas, "no data")?;
            y = 52.0;
        }
        for panels in self.panels.chunks(COLUMNS) {
            y = self.row(canvas, panels, y)? + 8.0;
        }
        canvas.note(&self.note_lines(), (LEFT, y))
    }
}
