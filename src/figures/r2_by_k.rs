//! How much wider and wider surroundings explain: R2 over k, with intervals and levels to compare
//! with.

use super::Figure;
use super::axis::{Frame, Scale};
use super::canvas::{Canvas, Surface};
use super::curves::{Reference, references};
use super::legend::{self, Entry};
use super::theme::{self, DATA_WIDTH};
use super::ticks::{self, Ticks};
use crate::error::Result;

const LEFT: f64 = 38.0;
const PLOT: f64 = 140.0;
const FOOT: f64 = 32.0;
/// Room for the names of reference levels.
const NAMES: f64 = 70.0;
/// Series of one k stand this far apart, in units of k.
const APART: f64 = 0.09;

/// R2 over k for a few series; column-wide.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct R2Figure {
    /// Title over the panel.
    pub title: String,
    /// Title of the horizontal axis.
    pub x_label: String,
    /// The series.
    pub series: Vec<R2Series>,
    /// Levels to compare with.
    pub references: Vec<Reference>,
}

/// One series.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct R2Series {
    /// Name in the legend.
    pub label: String,
    /// The points, by rising k.
    pub points: Vec<R2Point>,
}

/// One value. A value that is not finite is left out, as is an interval that is not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct R2Point {
    /// Letters on either side.
    pub k: usize,
    /// Share of variance explained.
    pub r2: f64,
    /// Lower confidence limit.
    pub ci_low: f64,
    /// Upper confidence limit.
    pub ci_high: f64,
}

impl R2Figure {
    fn head(&self) -> f64 {
        15.0 + self.series.len() as f64 * legend::LINE + 7.0
    }

    fn points(&self) -> impl Iterator<Item = &R2Point> {
        self.series
            .iter()
            .flat_map(|series| &series.points)
            .filter(|point| point.r2.is_finite())
    }
}

impl Figure for R2Figure {
    fn size_pt(&self) -> (f64, f64) {
        (theme::SINGLE_WIDTH, self.head() + PLOT + FOOT)
    }

    fn description(&self) -> String {
        let mut text = format!("{}. R2 over {}.", self.title, self.x_label);
        for series in &self.series {
            text += &format!(" {}:", series.label);
            for point in series.points.iter().filter(|point| point.r2.is_finite()) {
                text += &format!(
                    " {:.3} at {} ({:.3} to {:.3});",
                    point.r2, point.k, point.ci_low, point.ci_high
                );
            }
        }
        for r in self.references.iter().filter(|r| r.value.is_finite()) {
            text += &format!(" reference {} at {:.3};", r.label, r.value);
        }
        text
    }

    fn draw<S: Surface>(&self, canvas: &mut Canvas<'_, S>) -> Result<()> {
        let (head, right) = (self.head(), theme::SINGLE_WIDTH - 4.0);
        let finite: Vec<&Reference> = self
            .references
            .iter()
            .filter(|r| r.value.is_finite())
            .collect();
        let names = finite
            .iter()
            .map(|r| theme::text_width(&r.label, theme::TICK_SIZE, false))
            .fold(0.0, f64::max);
        let room = if finite.is_empty() {
            4.0
        } else {
            names.min(NAMES) + 8.0
        };
        let frame = Frame {
            left: LEFT,
            right: right - room,
            top: head,
            bottom: head + PLOT,
        };
        Frame { right, ..frame }.title(canvas, &self.title, head - theme::TITLE_SIZE - 1.0)?;
        let entries: Vec<Entry<'_>> = (self.series.iter().enumerate())
            .map(|(i, s)| Entry {
                label: &s.label,
                ink: theme::series_ink(i),
                marker: Some(theme::series_marker(i)),
                band: false,
            })
            .collect();
        legend::draw(canvas, &entries, (LEFT, 15.0), right)?;

        // The whole scale of a share, so that a difference looks as large as it is.
        let lows = self
            .points()
            .flat_map(|p| [p.r2, p.ci_low])
            .chain(finite.iter().map(|r| r.value));
        let low = ticks::extent(lows).map_or(0.0, |(low, _)| low.clamp(-1.0, 0.0));
        let y_ticks = Ticks::around((low, 1.0), 6);
        let y = Scale::new(y_ticks.range, (frame.bottom, frame.top));
        let (first, last) = ticks::extent(self.points().map(|p| p.k as f64)).unwrap_or((1.0, 8.0));
        let x = Scale::new((first - 0.5, last + 0.5), (frame.left, frame.right));
        frame.y_axis(canvas, &y, &y_ticks, false)?;
        for (i, series) in self.series.iter().enumerate().rev() {
            let ink = theme::series_ink(i);
            let shift = (i as f64 - (self.series.len() as f64 - 1.0) / 2.0)
                * APART.min(0.8 / self.series.len() as f64);
            let at = |point: &R2Point| {
                (
                    x.at(point.k as f64 + shift),
                    y.at(point.r2.clamp(y_ticks.range.0, y_ticks.range.1)),
                )
            };
            let points: Vec<&R2Point> = series
                .points
                .iter()
                .filter(|point| point.r2.is_finite())
                .collect();
            canvas.line(
                &points.iter().map(|point| at(point)).collect::<Vec<_>>(),
                DATA_WIDTH * 0.7,
                theme::pale(ink),
            )?;
            for point in points {
                let level = |value: f64| y.at(value.clamp(y_ticks.range.0, y_ticks.range.1));
                let (x, y) = at(point);
                canvas.line(
                    &[(x, level(point.ci_low)), (x, level(point.ci_high))],
                    0.9,
                    ink,
                )?;
                canvas.marker(theme::series_marker(i), (x, y), 1.7, ink)?;
            }
        }
        references(canvas, &finite, &frame, &y, right)?;
        if self.points().next().is_none() {
            frame.say(canvas, "no data")?;
        }
        let every = ((last - first) / 12.0).floor().max(0.0) as usize + 1;
        let ticks: Vec<_> = (first as usize..=last as usize)
            .step_by(every)
            .take(30)
            .map(|k| (k as f64, k.to_string()))
            .collect();
        frame.x_axis(canvas, &x, &ticks, 0.0)?;
        frame.names(
            canvas,
            (&self.x_label, 21.0),
            ("R² (out of fold)", y_ticks.name_offset()),
        )
    }
}
