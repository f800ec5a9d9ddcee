//! Bars with intervals, each with a line where chance, or a baseline, would put it.

use super::Figure;
use super::axis::{Frame, Scale};
use super::canvas::{Canvas, Surface};
use super::hover;
use super::lettering::{Align, Type};
use super::theme::{self, AXIS_WIDTH, BLACK, BLUE, DATA_WIDTH, NOTE_SIZE, ORANGE, TICK_SIZE};
use super::ticks::{self, Ticks};
use crate::error::Result;

const COLUMNS: usize = 2;
const LEFT: f64 = 36.0;
const RIGHT: f64 = 9.0;
const GAP: f64 = 34.0;
const HEAD: f64 = 20.0;
const PLOT: f64 = 92.0;
/// Under a plot: three lines of names.
const FOOT: f64 = 36.0;
/// A bar is no wider.
const WIDEST: f64 = 34.0;

/// Panels, two abreast; page-wide.
#[derive(Debug, Clone, PartialEq)]
pub struct BarsFigure {
    /// The panels, in reading order.
    pub panels: Vec<BarPanel>,
    /// Title of the vertical axes.
    pub y_label: String,
    /// What the black lines are: `by chance`.
    pub line: String,
    /// A footnote; empty for none.
    pub note: String,
}

/// Bars over one axis, which starts at 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BarPanel {
    /// Title over the panel.
    pub title: String,
    /// The bars, from left to right; the first is what the figure is about.
    pub bars: Vec<Bar>,
}

/// One bar. What is not finite is left out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Bar {
    /// Its name.
    pub label: String,
    /// Its height.
    pub value: f64,
    /// Lower end of its interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Where a line stands across it: chance, or a baseline.
    pub expected: f64,
    /// The repeats that it is the mean of, as dots.
    pub points: Vec<f64>,
}

impl BarsFigure {
    fn note_lines(&self) -> Vec<String> {
        // Where a viewer lacks the typeface it takes a wider one.
        let room = 0.92 * (theme::DOUBLE_WIDTH - LEFT - RIGHT);
        theme::wrap(&self.note, room, NOTE_SIZE, false)
    }

    fn panel<S: Surface>(
        &self,
        canvas: &mut Canvas<'_, S>,
        panel: &BarPanel,
        frame: Frame,
        first_column: bool,
    ) -> Result<()> {
        frame.title(canvas, &panel.title, HEAD - theme::TITLE_SIZE)?;
        let values = panel.bars.iter().flat_map(|bar| {
            [bar.value, bar.low, bar.high, bar.expected]
                .into_iter()
                .chain(bar.points.iter().copied())
        });
        let ticks = Ticks::around(ticks::extent(values.chain([0.0])).unwrap_or((0.0, 1.0)), 5);
        let y = Scale::new(ticks.range, (frame.bottom, frame.top));
        frame.y_axis(canvas, &y, &ticks, false)?;
        let step = (frame.right - frame.left) / panel.bars.len().max(1) as f64;
        let half = (step * 0.32).min(WIDEST / 2.0);
        let mut told = Vec::new();
        for (i, bar) in panel.bars.iter().enumerate() {
            let x = frame.left + (i as f64 + 0.5) * step;
            let ink = if i == 0 { BLUE } else { ORANGE };
            canvas.rect(
                (x - half, y.at(bar.value)),
                (x + half, y.at(0.0)),
                theme::pale(ink),
            )?;
            canvas.line(&[(x, y.at(bar.low)), (x, y.at(bar.high))], DATA_WIDTH, ink)?;
            for end in [bar.low, bar.high] {
                canvas.line(
                    &[(x - 3.0, y.at(end)), (x + 3.0, y.at(end))],
                    DATA_WIDTH,
                    ink,
                )?;
            }
            canvas.line(
                &[
                    (x - half - 4.0, y.at(bar.expected)),
                    (x + half + 4.0, y.at(bar.expected)),
                ],
                DATA_WIDTH,
                BLACK,
            )?;
            for (number, point) in bar.points.iter().enumerate().filter(|(_, p)| p.is_finite()) {
                let beside = (number as f64 - (bar.points.len() as f64 - 1.0) / 2.0) * 4.0;
                let at = (x + beside, y.at(*point));
                canvas.marker(theme::Marker::Circle, at, 1.4, BLACK)?;
            }
            for (line, text) in theme::wrap(&bar.label, step - 4.0, TICK_SIZE, false)
                .into_iter()
                .take(3)
                .enumerate()
            {
                let text = theme::fit(&text, step - 2.0, TICK_SIZE, false);
                let at = (x, frame.bottom + 10.0 + line as f64 * 8.5);
                canvas.text(&text, at, Type::new(TICK_SIZE, BLACK).align(Align::Middle))?;
            }
            told.push((
                x,
                y.at(bar.value),
                format!(
                    "{}: {:.3} ({:.3} to {:.3}), {} {:.3}",
                    bar.label, bar.value, bar.low, bar.high, self.line, bar.expected
                ),
            ));
        }
        canvas.line(
            &[(frame.left, y.at(0.0)), (frame.right, y.at(0.0))],
            AXIS_WIDTH,
            BLACK,
        )?;
        canvas.hovers.push(hover::points(&frame, &told));
        if panel.bars.is_empty() {
            frame.say(canvas, "no data")?;
        }
        frame.names(
            canvas,
            ("", 0.0),
            (
                if first_column { &self.y_label } else { "" },
                ticks.name_offset(),
            ),
        )
    }
}

impl Figure for BarsFigure {
    fn size_pt(&self) -> (f64, f64) {
        let rows = self.panels.len().div_ceil(COLUMNS).max(1) as f64;
        (
            theme::DOUBLE_WIDTH,
            rows * (HEAD + PLOT + FOOT) + 4.0 + self.note_lines().len() as f64 * theme::NOTE_LINE,
        )
    }

    fn description(&self) -> String {
        let mut text = format!("Bars: {}.", self.y_label);
        for panel in &self.panels {
            text += &format!(" {}:", panel.title);
            for bar in &panel.bars {
                text += &format!(
                    " {} {:.3}, {} {:.3};",
                    bar.label, bar.value, self.line, bar.expected
                );
            }
        }
        text
    }

    fn draw<S: Surface>(&self, canvas: &mut Canvas<'_, S>) -> Result<()> {
        let wide = (theme::DOUBLE_WIDTH - LEFT - RIGHT - GAP) / COLUMNS as f64;
        let mut y = 2.0;
        for panels in self.panels.chunks(COLUMNS) {
            for (column, panel) in panels.iter().enumerate() {
                let left = LEFT + column as f64 * (wide + GAP);
                let frame = Frame {
                    left,
                    top: y + HEAD,
                    right: left + wide,
                    bottom: y + HEAD + PLOT,
                };
                self.panel(canvas, panel, frame, column == 0)?;
            }
            y += HEAD + PLOT + FOOT;
        }
        canvas.note(&self.note_lines(), (LEFT, y + 4.0))
    }
}
