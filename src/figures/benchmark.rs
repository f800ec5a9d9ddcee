//! Results of a benchmark: one row a task, a mark a model, and a column for what was measured here.

use super::Figure;
use super::axis::{Frame, Scale};
use super::canvas::{Canvas, Surface};
use super::hover;
use super::legend::{self, Entry};
use super::lettering::{Align, Type};
use super::theme::{self, BLACK, DATA_WIDTH, GREY, GRID_WIDTH, LIGHT, NOTE_SIZE, TICK_SIZE};
use super::ticks::{self, Ticks};
use crate::error::Result;

const LEFT: f64 = 108.0;
/// Room for the column of own measurements.
const RIGHT: f64 = 78.0;
/// Least height of a row, and the room that each of its marks takes: marks of one row stand one
/// under the other.
const ROW: f64 = 12.0;
const LANE: f64 = 5.0;
const HEAD: f64 = 18.0;
const FOOT: f64 = 34.0;

/// Rows of marks over one axis; page-wide.
#[derive(Debug, Clone, PartialEq)]
pub struct BenchmarkFigure {
    /// Names of the marks, in the order of their values.
    pub models: Vec<String>,
    /// The rows, from top to bottom.
    pub rows: Vec<BenchmarkRow>,
    /// Title of the axis.
    pub x_label: String,
    /// Decimals of what was measured.
    pub decimals: usize,
    /// A footnote; empty for none.
    pub note: String,
}

/// One task.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BenchmarkRow {
    /// Its name.
    pub label: String,
    /// One a model.
    pub values: Vec<Mark>,
    /// What was measured here.
    pub measured: Option<f64>,
}

/// A value with up to two intervals. What is not finite is not drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mark {
    /// The value.
    pub value: f64,
    /// Ends of a thick line: the uncertainty of training.
    pub inner: (f64, f64),
    /// Ends of a thin line with caps: the uncertainty of testing.
    pub outer: (f64, f64),
}

impl Mark {
    /// A value alone.
    pub fn bare(value: f64) -> Mark {
        Mark {
            value,
            inner: (f64::NAN, f64::NAN),
            outer: (f64::NAN, f64::NAN),
        }
    }

    /// A value with its standard deviation.
    pub fn with_sd(value: f64, sd: f64) -> Mark {
        Mark {
            inner: (value - sd, value + sd),
            ..Mark::bare(value)
        }
    }

    fn ends(&self) -> [f64; 5] {
        [
            self.value,
            self.inner.0,
            self.inner.1,
            self.outer.0,
            self.outer.1,
        ]
    }
}

impl BenchmarkFigure {
    fn note_lines(&self) -> Vec<String> {
        theme::wrap(&self.note, theme::DOUBLE_WIDTH - 20.0, NOTE_SIZE, false)
    }

    fn row(&self) -> f64 {
        ROW.max(self.models.len() as f64 * LANE + 3.0)
    }

    fn head(&self) -> f64 {
        HEAD + self.models.len() as f64 * legend::LINE
    }
}

impl Figure for BenchmarkFigure {
    fn size_pt(&self) -> (f64, f64) {
        (
            theme::DOUBLE_WIDTH,
            self.head()
                + self.rows.len() as f64 * self.row()
                + FOOT
                + self.note_lines().len() as f64 * theme::NOTE_LINE,
        )
    }

    fn description(&self) -> String {
        let mut text = format!("{} of {} by task.", self.x_label, self.models.join(", "));
        for row in &self.rows {
            let values: Vec<String> = row
                .values
                .iter()
                .map(|mark| {
                    if mark.value.is_finite() {
                        ticks::short(mark.value)
                    } else {
                        "none".into()
                    }
                })
                .collect();
            text += &format!(" {}: {};", row.label, values.join(", "));
        }
        text
    }

    fn draw<S: Surface>(&self, canvas: &mut Canvas<'_, S>) -> Result<()> {
        let top = self.head();
        let frame = Frame {
            left: LEFT,
            top,
            right: theme::DOUBLE_WIDTH - RIGHT,
            bottom: top + self.rows.len() as f64 * self.row(),
        };
        let mark = |i: usize| Entry {
            label: &self.models[i],
            ink: theme::series_ink(i),
            marker: Some(theme::series_marker(i)),
            band: false,
        };
        let entries: Vec<Entry<'_>> = (0..self.models.len()).map(mark).collect();
        legend::draw(canvas, &entries, (LEFT, 8.0), frame.right)?;
        let ends = self
            .rows
            .iter()
            .flat_map(|row| row.values.iter().flat_map(Mark::ends).chain(row.measured));
        let ticks = Ticks::around(ticks::extent(ends).unwrap_or((0.0, 100.0)), 7);
        let x = Scale::new(ticks.range, (frame.left, frame.right));
        let column = theme::DOUBLE_WIDTH - 4.0;
        canvas.text(
            "measured here",
            (column, top - 4.0),
            Type::new(NOTE_SIZE, GREY).align(Align::End),
        )?;
        let mut told = Vec::new();
        for (r, row) in self.rows.iter().enumerate() {
            let y = top + (r as f64 + 0.5) * self.row();
            let base = y + TICK_SIZE * 0.36;
            canvas.text(
                &theme::fit(&row.label, LEFT - 12.0, TICK_SIZE, false),
                (LEFT - 8.0, base),
                Type::new(TICK_SIZE, BLACK).align(Align::End),
            )?;
            canvas.line(&[(frame.left, y), (frame.right, y)], GRID_WIDTH, LIGHT)?;
            for (i, mark) in row
                .values
                .iter()
                .enumerate()
                .rev()
                .filter(|(_, mark)| mark.value.is_finite())
            {
                let ink = theme::series_ink(i);
                let y = y + (i as f64 - (row.values.len() as f64 - 1.0) / 2.0) * LANE;
                let ends = |(low, high): (f64, f64)| {
                    (low.is_finite() && high.is_finite()).then(|| [(x.at(low), y), (x.at(high), y)])
                };
                if let Some(ends) = ends(mark.outer) {
                    canvas.line(&ends, 0.6, ink)?;
                    ends.iter().try_for_each(|(end, _)| {
                        canvas.line(&[(*end, y - 1.8), (*end, y + 1.8)], 0.6, ink)
                    })?;
                }
                if let Some(ends) = ends(mark.inner) {
                    canvas.line(&ends, 1.6 * DATA_WIDTH, ink)?;
                }
                canvas.marker(theme::series_marker(i), (x.at(mark.value), y), 2.2, ink)?;
                let name = self.models.get(i).map_or("", String::as_str);
                told.push((
                    x.at(mark.value),
                    y,
                    format!("{}, {name}: {}", row.label, ticks::short(mark.value)),
                ));
            }
            let text = row.measured.map_or("not measured".to_string(), |value| {
                format!("{value:.0$}", self.decimals)
            });
            canvas.text(
                &text,
                (column, base),
                Type::new(TICK_SIZE, if row.measured.is_some() { BLACK } else { GREY })
                    .align(Align::End),
            )?;
        }
        canvas.hovers.push(hover::points(&frame, &told));
        frame.x_axis(canvas, &x, &ticks.labelled(), 0.0)?;
        frame.names(canvas, (&self.x_label, 21.0), ("", 0.0))?;
        canvas.note(&self.note_lines(), (10.0, frame.bottom + FOOT))
    }
}
