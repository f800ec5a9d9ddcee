//! Curves over the course of something, with horizontal reference levels: loss over bases seen,
//! against fixed baselines.

use super::Figure;
use super::axis::{Frame, Scale};
use super::canvas::{Canvas, Surface};
use super::legend::{self, Entry};
use super::lettering::Type;
use super::theme::{self, BLACK, DATA_WIDTH, GREY, TICK_SIZE};
use super::ticks::{self, Ticks};
use crate::error::Result;

const LEFT: f64 = 38.0;
const GAP: f64 = 44.0;
const PLOT: f64 = 120.0;
const FOOT: f64 = 32.0;
/// Room for the names of reference levels, right of the data.
const NAMES: f64 = 62.0;
/// A curve with more points than this is drawn as the lowest and highest value of each of `BINS`
/// stretches.
const MOST_POINTS: usize = 1500;
const BINS: usize = 500;
/// A curve with more points than this is drawn thin and pale.
const DENSE: usize = 400;

/// One or two panels abreast, over the same kind of horizontal axis.
#[derive(Debug, Clone, PartialEq)]
pub struct CurvesFigure {
    /// The panels.
    pub panels: Vec<CurvePanel>,
    /// Title of the horizontal axes.
    pub x_label: String,
}

/// Curves that share a vertical axis.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CurvePanel {
    /// Title over the panel.
    pub title: String,
    /// Title of the vertical axis.
    pub y_label: String,
    /// The curves.
    pub series: Vec<CurveSeries>,
    /// Levels to compare with.
    pub references: Vec<Reference>,
}

/// One curve. Points that are not finite leave a gap.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CurveSeries {
    /// Name in the legend.
    pub label: String,
    /// `(x, y)`, by rising x.
    pub points: Vec<(f64, f64)>,
}

/// A named horizontal level.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    /// Name at the right end of the line.
    pub label: String,
    /// Where the line lies.
    pub value: f64,
}

impl CurveSeries {
    fn dense(&self) -> bool {
        self.points.len() > DENSE
    }

    /// Pale only where other curves must stay readable in front of it.
    fn ink(&self, index: usize, among: usize) -> theme::Ink {
        let ink = theme::series_ink(index);
        if self.dense() && among > 1 {
            theme::pale(ink)
        } else {
            ink
        }
    }
}

impl CurvesFigure {
    fn width(&self) -> f64 {
        if self.panels.len() > 1 {
            theme::DOUBLE_WIDTH
        } else {
            theme::SINGLE_WIDTH
        }
    }

    fn head(&self) -> f64 {
        let entries = self
            .panels
            .iter()
            .map(|p| p.series.len())
            .max()
            .unwrap_or(0);
        13.0 + entries as f64 * legend::LINE + 7.0
    }

    fn panel<S: Surface>(
        &self,
        canvas: &mut Canvas<'_, S>,
        panel: &CurvePanel,
        (left, right): (f64, f64),
        top: f64,
    ) -> Result<()> {
        let head = self.head();
        let finite: Vec<&Reference> = panel
            .references
            .iter()
            .filter(|r| r.value.is_finite())
            .collect();
        let names = finite
            .iter()
            .map(|r| theme::text_width(&r.label, TICK_SIZE, false))
            .fold(0.0, f64::max);
        let room = if finite.is_empty() {
            8.0
        } else {
            names.min(NAMES) + 8.0
        };
        let frame = Frame {
            left,
            right: right - room,
            top: top + head,
            bottom: top + head + PLOT,
        };
        Frame { right, ..frame }.title(canvas, &panel.title, head - theme::TITLE_SIZE)?;
        let entries: Vec<Entry<'_>> = (panel.series.iter().enumerate())
            .map(|(i, s)| Entry {
                label: &s.label,
                ink: s.ink(i, panel.series.len()),
                marker: None,
                band: false,
            })
            .collect();
        legend::draw(canvas, &entries, (left, top + 13.0), right)?;

        let points = || {
            panel
                .series
                .iter()
                .flat_map(|s| &s.points)
                .filter(|p| p.0.is_finite() && p.1.is_finite())
        };
        let x_range = ticks::extent(points().map(|p| p.0)).unwrap_or((0.0, 1.0));
        // A course that begins near zero is shown from zero on.
        let x_range = if x_range.0 > 0.0 && x_range.0 < 0.2 * x_range.1 {
            (0.0, x_range.1)
        } else {
            x_range
        };
        let levels = finite.iter().map(|r| r.value);
        let y_range = ticks::extent(points().map(|p| p.1).chain(levels)).unwrap_or((0.0, 1.0));
        let y_ticks = Ticks::around(y_range, 6);
        let x = Scale::new(x_range, (frame.left, frame.right));
        let y = Scale::new(y_ticks.range, (frame.bottom, frame.top));
        frame.y_axis(canvas, &y, &y_ticks, false)?;
        for (i, series) in panel.series.iter().enumerate().rev() {
            // A curve of every step is noise around a course: thin and pale, so that the others
            // stay readable.
            let ink = series.ink(i, panel.series.len());
            let width = if series.dense() {
                DATA_WIDTH * 0.45
            } else {
                DATA_WIDTH
            };
            for run in series
                .points
                .chunk_by(|a, b| finite_point(a) && finite_point(b))
            {
                let line: Vec<(f64, f64)> = thin(run)
                    .into_iter()
                    .filter(finite_point)
                    .map(|(a, b)| (x.at(a), y.at(b)))
                    .collect();
                canvas.line(&line, width, ink)?;
                if let [only] = line[..] {
                    canvas.marker(theme::Marker::Circle, only, 1.9, ink)?;
                }
            }
        }
        // After the curves: a level hidden behind a noisy curve is no reference.
        references(canvas, &finite, &frame, &y, right)?;
        if points().next().is_none() {
            frame.say(canvas, "no data")?;
        }
        let (ticks, step) = ticks::nice_ticks(x.domain(), 6);
        let ticks: Vec<_> = ticks
            .into_iter()
            .map(|t| (t, ticks::tick_label(t, step)))
            .collect();
        frame.x_axis(canvas, &x, &ticks, 0.0)?;
        frame.names(
            canvas,
            (&self.x_label, 21.0),
            (&panel.y_label, y_ticks.name_offset()),
        )
    }
}

fn finite_point(p: &(f64, f64)) -> bool {
    p.0.is_finite() && p.1.is_finite()
}

/// Dashed lines, and their names beside them, moved apart where levels lie close.
pub(super) fn references<S: Surface>(
    canvas: &mut Canvas<'_, S>,
    levels: &[&Reference],
    frame: &Frame,
    y: &Scale,
    right: f64,
) -> Result<()> {
    let mut sorted: Vec<&Reference> = levels.to_vec();
    sorted.sort_by(|a, b| b.value.total_cmp(&a.value));
    let mut places: Vec<f64> = sorted.iter().map(|r| y.at(r.value)).collect();
    let pitch = TICK_SIZE + 1.2;
    for i in 1..places.len() {
        places[i] = places[i].max(places[i - 1] + pitch);
    }
    // Pushed below the frame: take the whole stack up again, from the last name on.
    let mut limit = frame.bottom;
    for place in places.iter_mut().rev() {
        *place = place.min(limit);
        limit = *place - pitch;
    }
    for (reference, place) in sorted.iter().zip(places) {
        let level = y.at(reference.value);
        canvas.dashes(
            (frame.left, level),
            (frame.right, level),
            (3.0, 2.0),
            0.7,
            GREY,
        )?;
        canvas.line(
            &[(frame.right, level), (frame.right + 4.0, place)],
            0.5,
            GREY,
        )?;
        let x = frame.right + 6.0;
        let name = theme::fit(&reference.label, right - x, TICK_SIZE, false);
        canvas.text(
            &name,
            (x, place + TICK_SIZE * 0.36),
            Type::new(TICK_SIZE, BLACK),
        )?;
    }
    Ok(())
}

/// The run itself if it is short, else the extremes of equal stretches in the order they occur: no
/// spike is lost.
fn thin(run: &[(f64, f64)]) -> Vec<(f64, f64)> {
    if run.len() <= MOST_POINTS {
        return run.to_vec();
    }
    let mut kept = Vec::with_capacity(2 * BINS + 2);
    for chunk in run.chunks(run.len().div_ceil(BINS)) {
        let order = |&a: &usize, &b: &usize| chunk[a].1.total_cmp(&chunk[b].1);
        let low = (0..chunk.len()).min_by(order).unwrap_or(0);
        let high = (0..chunk.len()).max_by(order).unwrap_or(0);
        kept.push(chunk[low.min(high)]);
        if low != high {
            kept.push(chunk[low.max(high)]);
        }
    }
    kept.extend(run.last().filter(|last| kept.last() != Some(last)).copied());
    kept
}

impl Figure for CurvesFigure {
    fn size_pt(&self) -> (f64, f64) {
        let rows = self.panels.len().div_ceil(2).max(1) as f64;
        (self.width(), rows * (self.head() + PLOT + FOOT))
    }

    fn description(&self) -> String {
        let mut text = format!("Curves over {}.", self.x_label);
        for panel in &self.panels {
            text += &format!(" {} ({}):", panel.title, panel.y_label);
            for series in &panel.series {
                let last = series.points.iter().rev().find(|p| finite_point(p));
                text += &match last {
                    Some(p) => format!(" {} ends at {:.4};", series.label, p.1),
                    None => format!(" {}: no data;", series.label),
                };
            }
            for r in panel.references.iter().filter(|r| r.value.is_finite()) {
                text += &format!(" reference {} at {:.4};", r.label, r.value);
            }
        }
        text
    }

    fn draw<S: Surface>(&self, canvas: &mut Canvas<'_, S>) -> Result<()> {
        let width = self.width();
        if self.panels.is_empty() {
            return Frame {
                left: 0.0,
                right: width,
                top: 0.0,
                bottom: PLOT,
            }
            .say(canvas, "no data");
        }
        let columns = self.panels.len().min(2) as f64;
        let wide = (width - LEFT - 4.0 - GAP * (columns - 1.0)) / columns;
        for (i, panel) in self.panels.iter().enumerate() {
            let left = LEFT + (i % 2) as f64 * (wide + GAP);
            let top = 2.0 + (i / 2) as f64 * (self.head() + PLOT + FOOT);
            self.panel(canvas, panel, (left, left + wide), top)?;
        }
        Ok(())
    }
}
