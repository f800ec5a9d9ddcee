//! Curves in unit squares, side by side: ROC, precision over recall, calibration of probabilities.

use super::Figure;
use super::axis::{Frame, Scale};
use super::canvas::{Canvas, Surface};
use super::curves::CurveSeries;
use super::legend::{self, Entry};
use super::theme::{self, DATA_WIDTH, GREY};
use super::ticks::Ticks;
use crate::error::Result;

const LEFT: f64 = 36.0;
const GAP: f64 = 40.0;
const RIGHT: f64 = 8.0;
const FOOT: f64 = 32.0;
const COLUMNS: usize = 3;

/// Squares, three abreast, under one legend; page-wide.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct UnitSquareFigure {
    /// The squares.
    pub squares: Vec<UnitSquare>,
}

/// One square: both axes run from 0 to 1. All squares have the same series in the same order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct UnitSquare {
    /// Title over it.
    pub title: String,
    /// Title of the horizontal axis.
    pub x_label: String,
    /// Title of the vertical axis.
    pub y_label: String,
    /// The curves; points that are not finite are left out.
    pub series: Vec<CurveSeries>,
    /// Ends of a dashed line to compare with.
    pub reference: Option<[(f64, f64); 2]>,
    /// Whether the points are marked.
    pub marked: bool,
}

impl UnitSquareFigure {
    fn names(&self) -> Vec<&str> {
        self.squares
            .iter()
            .max_by_key(|square| square.series.len())
            .map_or(Vec::new(), |s| {
                s.series.iter().map(|s| s.label.as_str()).collect()
            })
    }

    fn head(&self) -> f64 {
        self.names().len() as f64 * legend::LINE + 18.0
    }

    fn side(&self) -> f64 {
        let columns = self.squares.len().clamp(1, COLUMNS) as f64;
        ((theme::DOUBLE_WIDTH - LEFT - RIGHT - GAP * (columns - 1.0)) / columns).min(150.0)
    }

    /// From the top of a square to that of the one below it.
    fn pitch(&self) -> f64 {
        self.side() + FOOT + 18.0
    }
}

impl Figure for UnitSquareFigure {
    fn size_pt(&self) -> (f64, f64) {
        let rows = self.squares.len().div_ceil(COLUMNS).max(1) as f64;
        (
            theme::DOUBLE_WIDTH,
            self.head() + rows * self.pitch() - 18.0,
        )
    }

    fn description(&self) -> String {
        let square = |square: &UnitSquare| {
            let names: Vec<&str> = square.series.iter().map(|s| s.label.as_str()).collect();
            format!(
                "{}: {} over {} of {}.",
                square.title,
                square.y_label,
                square.x_label,
                names.join(", ")
            )
        };
        self.squares
            .iter()
            .map(square)
            .collect::<Vec<_>>()
            .join(" ")
    }

    fn draw<S: Surface>(&self, canvas: &mut Canvas<'_, S>) -> Result<()> {
        let entry = |(i, label): (usize, &&'_ str)| (i, label.to_string());
        let names: Vec<(usize, String)> = self.names().iter().enumerate().map(entry).collect();
        let entries: Vec<Entry<'_>> = names
            .iter()
            .map(|(i, label)| Entry {
                label,
                ink: theme::series_ink(*i),
                marker: None,
                band: false,
            })
            .collect();
        legend::draw(canvas, &entries, (LEFT, 2.0), theme::DOUBLE_WIDTH)?;
        let side = self.side();
        for (number, square) in self.squares.iter().enumerate() {
            let (column, row) = (number % COLUMNS, number / COLUMNS);
            let (left, top) = (
                LEFT + column as f64 * (side + GAP),
                self.head() + row as f64 * self.pitch(),
            );
            let frame = Frame {
                left,
                top,
                right: left + side,
                bottom: top + side,
            };
            frame.title(canvas, &square.title, 6.0)?;
            let ticks = Ticks::around((0.0, 1.0), 5);
            let (x, y) = (
                Scale::new((0.0, 1.0), (frame.left, frame.right)),
                Scale::new((0.0, 1.0), (frame.bottom, frame.top)),
            );
            frame.y_axis(canvas, &y, &ticks, false)?;
            let place = |(a, b): &(f64, f64)| (x.at(a.clamp(0.0, 1.0)), y.at(b.clamp(0.0, 1.0)));
            if let Some([from, to]) = &square.reference {
                canvas.dashes(place(from), place(to), (3.0, 2.0), 0.7, GREY)?;
            }
            for (i, series) in square.series.iter().enumerate().rev() {
                let points: Vec<(f64, f64)> = series
                    .points
                    .iter()
                    .filter(|(a, b)| a.is_finite() && b.is_finite())
                    .map(place)
                    .collect();
                canvas.line(&points, DATA_WIDTH, theme::series_ink(i))?;
                if square.marked {
                    points.iter().try_for_each(|at| {
                        canvas.marker(theme::series_marker(i), *at, 1.9, theme::series_ink(i))
                    })?;
                }
            }
            if square.series.iter().all(|series| series.points.is_empty()) {
                frame.say(canvas, "no data")?;
            }
            frame.x_axis(canvas, &x, &ticks.labelled(), 0.0)?;
            frame.names(
                canvas,
                (&square.x_label, 21.0),
                (&square.y_label, ticks.name_offset()),
            )?;
        }
        Ok(())
    }
}
