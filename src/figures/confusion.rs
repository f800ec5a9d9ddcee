//! Confusion matrices: what a model says of the sequences of each class.

use super::Figure;
use super::axis::Frame;
use super::canvas::{Canvas, Surface};
use super::lettering::{Align, Type};
use super::theme::{self, BLACK, BLUE, GREY, NOTE_SIZE, TICK_SIZE, WHITE};
use crate::error::Result;

const LEFT: f64 = 74.0;
const HEAD: f64 = 40.0;
const GAP: f64 = 22.0;
/// Sides of a cell, most and least.
const CELL: (f64, f64) = (44.0, 16.0);
/// More classes than this are not drawn.
const MOST: usize = 12;
const COLUMNS: usize = 2;

/// Matrices, two abreast; page-wide.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ConfusionFigure {
    /// The classes, of rows and columns.
    pub classes: Vec<String>,
    /// The matrices.
    pub panels: Vec<ConfusionPanel>,
}

/// One matrix.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ConfusionPanel {
    /// Title over it.
    pub title: String,
    /// `[class][predicted]`: sequences, possibly a mean over trainings.
    pub counts: Vec<Vec<f64>>,
}

impl ConfusionFigure {
    fn cell(&self) -> f64 {
        let wide = (theme::DOUBLE_WIDTH - COLUMNS as f64 * LEFT - GAP) / COLUMNS as f64;
        (wide / self.classes.len().clamp(1, MOST) as f64).clamp(CELL.1, CELL.0)
    }

    fn height(&self) -> f64 {
        HEAD + self.cell() * self.classes.len().clamp(1, MOST) as f64 + 12.0
    }
}

fn number(value: f64) -> String {
    match value.is_finite() {
        false => "none".into(),
        true if value.fract() == 0.0 => format!("{value:.0}"),
        true => format!("{value:.1}"),
    }
}

impl Figure for ConfusionFigure {
    fn size_pt(&self) -> (f64, f64) {
        (
            theme::DOUBLE_WIDTH,
            self.panels.len().div_ceil(COLUMNS).max(1) as f64 * self.height(),
        )
    }

    fn description(&self) -> String {
        let row = |(class, row): (&String, &Vec<f64>)| {
            let cells = self
                .classes
                .iter()
                .zip(row)
                .map(|(other, n)| format!("{} as {other}", number(*n)));
            format!("{class}: {}", cells.collect::<Vec<_>>().join(", "))
        };
        let panel = |panel: &ConfusionPanel| {
            format!(
                "{}. {}.",
                panel.title,
                self.classes
                    .iter()
                    .zip(&panel.counts)
                    .map(row)
                    .collect::<Vec<_>>()
                    .join("; ")
            )
        };
        self.panels.iter().map(panel).collect::<Vec<_>>().join(" ")
    }

    fn draw<S: Surface>(&self, canvas: &mut Canvas<'_, S>) -> Result<()> {
        let (n, cell) = (self.classes.len(), self.cell());
        if n == 0 || n > MOST || self.panels.is_empty() {
            let words = if n > MOST {
                "too many classes to draw"
            } else {
                "no data"
            };
            return Frame {
                left: 0.0,
                right: theme::DOUBLE_WIDTH,
                top: 0.0,
                bottom: self.height(),
            }
            .say(canvas, words);
        }
        for (number_of, panel) in self.panels.iter().enumerate() {
            let left = LEFT + (number_of % COLUMNS) as f64 * (theme::DOUBLE_WIDTH / COLUMNS as f64);
            let top = (number_of / COLUMNS) as f64 * self.height() + HEAD;
            let frame = Frame {
                left,
                top,
                right: left + n as f64 * cell,
                bottom: top + n as f64 * cell,
            };
            // The title may be wider than the matrix.
            Frame {
                right: left + theme::DOUBLE_WIDTH / COLUMNS as f64 - LEFT,
                ..frame
            }
            .title(canvas, &panel.title, 26.0)?;
            canvas.text(
                "predicted",
                (frame.center(), top - 15.0),
                Type::new(NOTE_SIZE, GREY).align(Align::Middle),
            )?;
            for (i, class) in self.classes.iter().enumerate() {
                let middle = (i as f64 + 0.5) * cell;
                let name = |room: f64| theme::fit(class, room, TICK_SIZE, false);
                canvas.text(
                    &name(cell - 2.0),
                    (left + middle, top - 4.0),
                    Type::new(TICK_SIZE, BLACK).align(Align::Middle),
                )?;
                canvas.text(
                    &name(LEFT - 10.0),
                    (left - 5.0, top + middle + TICK_SIZE * 0.36),
                    Type::new(TICK_SIZE, BLACK).align(Align::End),
                )?;
                let row = panel.counts.get(i).map_or(&[][..], Vec::as_slice);
                let of: f64 = row.iter().filter(|count| count.is_finite()).sum();
                for (j, count) in row
                    .iter()
                    .enumerate()
                    .take(n)
                    .filter(|(_, count)| count.is_finite())
                {
                    let share = if of > 0.0 {
                        (count / of).clamp(0.0, 1.0)
                    } else {
                        0.0
                    };
                    let (x, y) = (left + j as f64 * cell, top + i as f64 * cell);
                    canvas.rect(
                        (x + 0.5, y + 0.5),
                        (x + cell - 0.5, y + cell - 0.5),
                        BLUE.mix(0.06 + 0.9 * share),
                    )?;
                    let ink = if share > 0.55 { WHITE } else { BLACK };
                    let base = y + cell / 2.0;
                    let style = |size| Type::new(size, ink).align(Align::Middle);
                    let shift = if cell >= 30.0 { -1.0 } else { TICK_SIZE * 0.36 };
                    canvas.text(
                        &theme::fit(&number(*count), cell - 2.0, TICK_SIZE, false),
                        (x + cell / 2.0, base + shift),
                        style(TICK_SIZE),
                    )?;
                    if cell >= 30.0 {
                        canvas.text(
                            &format!("{:.0}%", 100.0 * share),
                            (x + cell / 2.0, base + 8.5),
                            style(NOTE_SIZE),
                        )?;
                    }
                }
            }
        }
        Ok(())
    }
}
