//! Classes beside their controls: per class two rows of points, a box over each, and the difference
//! with its interval on an axis of its own.

use super::Figure;
use super::axis::{Frame, Scale};
use super::canvas::{Canvas, Surface};
use super::hover;
use super::lettering::{Align, Type};
use super::theme::{
    self, BLACK, BLUE, GREY, GRID_WIDTH, Ink, LIGHT, Marker, NOTE_SIZE, ORANGE, TICK_SIZE,
    TITLE_SIZE,
};
use super::ticks::{self, Ticks};
use crate::error::Result;

const HEAD: f64 = 30.0;
const FOOT: f64 = 36.0;
/// Height of a class, and of each of its two lines.
const CLASS: f64 = 25.0;
const LINE: f64 = 10.0;
const LABELS: f64 = 88.0;
const GAP: f64 = 26.0;
const RIGHT: f64 = 10.0;
/// Width of the panel of differences.
const DIFFERENCES: f64 = 150.0;
/// More points than this are drawn as a box alone with every so many-th point.
const MOST_POINTS: usize = 300;

/// Two kinds of values by class; page-wide.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BoxesFigure {
    /// The classes, from top to bottom.
    pub classes: Vec<BoxesClass>,
    /// Title of the values' axis.
    pub x_label: String,
    /// Title of the differences' axis.
    pub difference_label: String,
    /// Names of the differences, in the order of [`BoxesClass::differences`].
    pub differences: Vec<String>,
    /// What one point is.
    pub point: String,
}

/// One class. Values that are not finite are left out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BoxesClass {
    /// Its name.
    pub label: String,
    /// What stands under the name: numbers.
    pub note: String,
    /// Its values.
    pub values: Vec<f64>,
    /// Those of its controls.
    pub controls: Vec<f64>,
    /// Differences to controls with the two ends of their intervals.
    pub differences: Vec<(f64, f64, f64)>,
}

/// Quartiles and whiskers (Tukey: the furthest values within 1.5 interquartile ranges of the box).
struct Summary {
    low: f64,
    quartiles: [f64; 3],
    high: f64,
}

impl Summary {
    fn of(sorted: &[f64]) -> Option<Summary> {
        let last = sorted.len().checked_sub(1)?;
        // Linear between order statistics, as numpy's quantile.
        let quantile = |p: f64| {
            let at = p * last as f64;
            let low = at.floor() as usize;
            sorted[low] + (at - low as f64) * (sorted[(low + 1).min(last)] - sorted[low])
        };
        let quartiles = [0.25, 0.5, 0.75].map(quantile);
        let reach = 1.5 * (quartiles[2] - quartiles[0]);
        let low = sorted
            .iter()
            .copied()
            .find(|v| *v >= quartiles[0] - reach)?;
        let high = sorted
            .iter()
            .rev()
            .copied()
            .find(|v| *v <= quartiles[2] + reach)?;
        Some(Summary {
            low,
            quartiles,
            high,
        })
    }
}

fn finite_sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// A number in -1 to 1 that looks random and is the same every time.
fn jitter(index: usize) -> f64 {
    // Multiples of the golden ratio spread evenly.
    ((index as f64 * 0.618_033_988_749_895).fract() - 0.5) * 2.0
}

impl BoxesFigure {
    fn panels(&self) -> (Frame, Frame) {
        let bottom = HEAD + self.classes.len() as f64 * CLASS;
        let right = theme::DOUBLE_WIDTH - RIGHT;
        let middle = right - DIFFERENCES;
        let values = Frame {
            left: LABELS,
            right: middle - GAP,
            top: HEAD,
            bottom,
        };
        (
            values,
            Frame {
                left: middle,
                right,
                top: HEAD,
                bottom,
            },
        )
    }

    fn values<S: Surface>(&self, canvas: &mut Canvas<'_, S>, frame: Frame) -> Result<()> {
        let all = self
            .classes
            .iter()
            .flat_map(|class| class.values.iter().chain(&class.controls).copied());
        let marks = Ticks::around(ticks::extent(all).unwrap_or((0.0, 1.0)), 6);
        let x = Scale::new(marks.range, (frame.left, frame.right));
        grid(canvas, frame, &x, &marks)?;
        for (number, class) in self.classes.iter().enumerate() {
            let top = frame.top + number as f64 * CLASS;
            let label = theme::fit(&class.label, LABELS - 8.0, TICK_SIZE, false);
            canvas.text(
                &label,
                (LABELS - 6.0, top + 11.0),
                Type::new(TICK_SIZE, BLACK).align(Align::End),
            )?;
            let note = theme::fit(&class.note, LABELS - 8.0, NOTE_SIZE, false);
            canvas.text(
                &note,
                (LABELS - 6.0, top + 19.5),
                Type::new(NOTE_SIZE, GREY).align(Align::End),
            )?;
            for (line, (values, ink)) in [(&class.values, BLUE), (&class.controls, ORANGE)]
                .into_iter()
                .enumerate()
            {
                row(
                    canvas,
                    values,
                    &x,
                    top + 2.5 + (line as f64 + 0.5) * LINE,
                    ink,
                )?;
            }
            if class.values.is_empty() && class.controls.is_empty() {
                canvas.text(
                    "no stretches",
                    (frame.left + 4.0, top + 15.0),
                    Type::new(NOTE_SIZE, GREY),
                )?;
            }
        }
        frame.x_axis(canvas, &x, &marks.labelled(), 0.0)?;
        frame.names(canvas, (&self.x_label, 22.0), ("", 0.0))
    }

    fn differences<S: Surface>(&self, canvas: &mut Canvas<'_, S>, frame: Frame) -> Result<()> {
        let all = self
            .classes
            .iter()
            .flat_map(|class| class.differences.iter().flat_map(|d| [d.0, d.1, d.2]))
            .chain([0.0]);
        let marks = Ticks::around(ticks::extent(all).unwrap_or((-1.0, 1.0)), 4);
        let x = Scale::new(marks.range, (frame.left, frame.right));
        grid(canvas, frame, &x, &marks)?;
        canvas.line(
            &[(x.at(0.0), frame.top), (x.at(0.0), frame.bottom)],
            0.75,
            BLACK,
        )?;
        let lines = self.differences.len().max(1) as f64;
        let mut told = Vec::new();
        for (number, class) in self.classes.iter().enumerate() {
            for (which, (value, low, high)) in class
                .differences
                .iter()
                .enumerate()
                .filter(|(_, d)| d.0.is_finite())
            {
                let y = frame.top
                    + number as f64 * CLASS
                    + 3.0
                    + (which as f64 + 0.5) * (CLASS - 6.0) / lines;
                let ink = difference_ink(which);
                canvas.line(&[(x.at(*low), y), (x.at(*high), y)], 1.0, ink)?;
                canvas.marker(difference_marker(which), (x.at(*value), y), 2.2, ink)?;
                let name = self.differences.get(which).map_or("", String::as_str);
                let interval = if low.is_finite() && high.is_finite() {
                    format!(" ({low:.4} to {high:.4})")
                } else {
                    String::new()
                };
                told.push((
                    x.at(*value),
                    y,
                    format!("{}, {name}: {value:.4}{interval}", class.label),
                ));
            }
        }
        canvas.hovers.push(hover::points(&frame, &told));
        frame.x_axis(canvas, &x, &marks.labelled(), 0.0)?;
        frame.names(canvas, (&self.difference_label, 22.0), ("", 0.0))
    }

    fn legend<S: Surface>(
        &self,
        canvas: &mut Canvas<'_, S>,
        values: Frame,
        differences: Frame,
    ) -> Result<()> {
        let mut at = values.left;
        for (name, ink) in [("class", BLUE), ("matched control", ORANGE)] {
            canvas.rect((at, 14.0), (at + 10.0, 19.0), theme::pale(ink))?;
            canvas.text(name, (at + 13.0, 19.0), Type::new(TICK_SIZE, BLACK))?;
            at += 13.0 + theme::text_width(name, TICK_SIZE, false) + 12.0;
        }
        let note = theme::fit(&self.point, values.right - at, NOTE_SIZE, false);
        canvas.text(&note, (at, 19.0), Type::new(NOTE_SIZE, GREY))?;
        canvas.text(
            "Class minus control, 95% CI",
            (differences.left, 9.0),
            Type::new(TITLE_SIZE - 1.0, BLACK).bold(),
        )?;
        let mut at = differences.left;
        for (which, name) in self.differences.iter().enumerate() {
            canvas.marker(
                difference_marker(which),
                (at + 3.0, 16.7),
                2.2,
                difference_ink(which),
            )?;
            let name = theme::fit(name, differences.right - at - 8.0, NOTE_SIZE, false);
            canvas.text(&name, (at + 8.0, 19.0), Type::new(NOTE_SIZE, BLACK))?;
            at += 8.0 + theme::text_width(&name, NOTE_SIZE, false) + 8.0;
        }
        canvas.text(
            "By class",
            (4.0, 9.0),
            Type::new(TITLE_SIZE - 1.0, BLACK).bold(),
        )
    }
}

fn difference_ink(which: usize) -> Ink {
    [BLACK, theme::VERMILLION, theme::ink(0, 158, 115)][which % 3]
}

fn difference_marker(which: usize) -> Marker {
    theme::series_marker([0, 3, 1][which % 3])
}

/// Vertical lines at the ticks.
fn grid<S: Surface>(
    canvas: &mut Canvas<'_, S>,
    frame: Frame,
    x: &Scale,
    marks: &Ticks,
) -> Result<()> {
    for tick in &marks.at {
        canvas.line(
            &[(x.at(*tick), frame.top), (x.at(*tick), frame.bottom)],
            GRID_WIDTH,
            LIGHT,
        )?;
    }
    Ok(())
}

/// Points, and a box over them.
fn row<S: Surface>(
    canvas: &mut Canvas<'_, S>,
    values: &[f64],
    x: &Scale,
    y: f64,
    ink: Ink,
) -> Result<()> {
    let sorted = finite_sorted(values);
    let step = sorted.len().div_ceil(MOST_POINTS).max(1);
    for (index, value) in sorted.iter().enumerate().step_by(step) {
        canvas.marker(
            Marker::Circle,
            (x.at(*value), y + jitter(index) * LINE * 0.36),
            0.9,
            theme::pale(ink),
        )?;
    }
    let Some(Summary {
        low,
        quartiles: [first, median, third],
        high,
    }) = Summary::of(&sorted)
    else {
        return Ok(());
    };
    let half = LINE * 0.34;
    canvas.line(&[(x.at(low), y), (x.at(first), y)], 0.8, ink)?;
    canvas.line(&[(x.at(third), y), (x.at(high), y)], 0.8, ink)?;
    let corners = [
        (first, -half),
        (third, -half),
        (third, half),
        (first, half),
        (first, -half),
    ];
    canvas.line(
        &corners.map(|(value, rise)| (x.at(value), y + rise)),
        0.8,
        ink,
    )?;
    canvas.line(
        &[(x.at(median), y - half), (x.at(median), y + half)],
        1.6,
        ink,
    )
}

impl Figure for BoxesFigure {
    fn size_pt(&self) -> (f64, f64) {
        (
            theme::DOUBLE_WIDTH,
            HEAD + self.classes.len().max(2) as f64 * CLASS + FOOT,
        )
    }

    fn description(&self) -> String {
        let mut text = format!(
            "Boxes with points of {} by class, beside matched controls.",
            self.x_label
        );
        for class in &self.classes {
            let median = |values: &[f64]| {
                Summary::of(&finite_sorted(values)).map(|summary| summary.quartiles[1])
            };
            match (median(&class.values), median(&class.controls)) {
                (Some(own), Some(control)) => {
                    text += &format!(" {}: median {own:.3}, controls {control:.3}.", class.label)
                }
                _ => text += &format!(" {}: no data.", class.label),
            }
        }
        text
    }

    fn draw<S: Surface>(&self, canvas: &mut Canvas<'_, S>) -> Result<()> {
        if self.classes.is_empty() {
            return Frame {
                left: 0.0,
                right: theme::DOUBLE_WIDTH,
                top: 0.0,
                bottom: HEAD + 2.0 * CLASS,
            }
            .say(canvas, "no data");
        }
        let (values, differences) = self.panels();
        self.legend(canvas, values, differences)?;
        self.values(canvas, values)?;
        self.differences(canvas, differences)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // import numpy as np; x = np.array([1, 2, 3, 4, 100.]); np.quantile(x, [.25, .5, .75]) -> [2,
    // 3, 4]; whiskers within 1.5 IQR: 1 and 4
    #[test]
    fn boxes_as_numpy() {
        let found = Summary::of(&[1.0, 2.0, 3.0, 4.0, 100.0]).unwrap();
        assert_eq!(
            (found.quartiles, found.low, found.high),
            ([2.0, 3.0, 4.0], 1.0, 4.0)
        );
        let one = Summary::of(&[0.3]).unwrap();
        assert_eq!((one.quartiles, one.low, one.high), ([0.3; 3], 0.3, 0.3));
        assert!(Summary::of(&[]).is_none());
        assert!((0..500).map(jitter).all(|j| (-1.0..=1.0).contains(&j)));
    }

    #[test]
    fn it_draws_whatever_comes() {
        let class = |values: Vec<f64>| BoxesClass {
            label: "<cds>".into(),
            note: "n".repeat(200),
            controls: values.iter().map(|v| v + 0.1).collect(),
            values,
            differences: vec![(0.1, f64::NAN, 0.2), (f64::NAN, 0.0, 0.0)],
        };
        let some = class((0..1000).map(|i| f64::from(i) / 1000.0).collect());
        for classes in [
            vec![],
            vec![class(vec![])],
            vec![some.clone(), class(vec![f64::NAN, 1.0]), some],
        ] {
            let figure = BoxesFigure {
                classes,
                differences: vec!["a".into(), "b".into()],
                ..BoxesFigure::default()
            };
            let svg = figure.to_svg().unwrap();
            assert_eq!(svg, figure.to_svg().unwrap());
            assert!(
                !svg.contains("NaN")
                    && !svg.contains("<cds>")
                    && figure.to_png().unwrap().starts_with(b"\x89PNG")
            );
        }
    }
}
