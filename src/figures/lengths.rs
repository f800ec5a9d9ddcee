//! Distributions of lengths, one small panel a class: the share of tokens at most so long, over a
//! logarithmic axis.

use super::Figure;
use super::axis::{Frame, Scale};
use super::canvas::{Canvas, Surface};
use super::lettering::Type;
use super::theme::{self, BLACK, BLUE, DATA_WIDTH, GREY, NOTE_SIZE, ORANGE, TICK_SIZE};
use super::ticks::Ticks;
use crate::error::Result;

const COLUMNS: usize = 4;
const LEFT: f64 = 34.0;
const RIGHT: f64 = 6.0;
const GAP: f64 = 14.0;
const LEGEND: f64 = 14.0;
const HEAD: f64 = 22.0;
const PLOT: f64 = 74.0;
const FOOT: f64 = 18.0;
const NAME: f64 = 12.0;

/// Small panels side by side; page-wide.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LengthsFigure {
    /// The panels, row by row.
    pub panels: Vec<LengthsPanel>,
    /// The longest length that is told apart; longer ones lie beyond the right end.
    pub longest: usize,
}

/// One class and its controls.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LengthsPanel {
    /// Its name.
    pub title: String,
    /// `[i]` tokens of `i` bases in the class; those past [`LengthsFigure::longest`] are longer.
    pub class: Vec<u64>,
    /// The same in its controls.
    pub control: Vec<u64>,
}

/// The share of lengths at most `i`, for `i` in `1..=longest`; `None` without any.
fn shares(counts: &[u64], longest: usize) -> Option<Vec<f64>> {
    let total: u64 = counts.iter().sum();
    let mut below = 0;
    let share = |length: usize| {
        below += counts.get(length).copied().unwrap_or(0);
        below as f64 / total as f64
    };
    (total > 0).then(|| (1..=longest).map(share).collect())
}

/// The mean length, those that are too long counted as one more than the longest; `None` without
/// any.
fn mean(counts: &[u64], longest: usize) -> Option<f64> {
    let total: u64 = counts.iter().sum();
    let sum: f64 = counts
        .iter()
        .enumerate()
        .map(|(length, n)| length.min(longest + 1) as f64 * *n as f64)
        .sum();
    (total > 0).then(|| sum / total as f64)
}

impl LengthsFigure {
    fn panel<S: Surface>(
        &self,
        canvas: &mut Canvas<'_, S>,
        panel: &LengthsPanel,
        frame: Frame,
        quiet: bool,
    ) -> Result<()> {
        let title = theme::fit(
            &panel.title,
            frame.right - frame.left,
            TICK_SIZE + 0.5,
            true,
        );
        canvas.text(
            &title,
            (frame.left, frame.top - 12.5),
            Type::new(TICK_SIZE + 0.5, BLACK).bold(),
        )?;
        let mean = |counts: &[u64]| {
            mean(counts, self.longest).map_or("–".to_string(), |length| format!("{length:.2}"))
        };
        let note = format!(
            "mean {} and {} bp",
            mean(&panel.class),
            mean(&panel.control)
        );
        canvas.text(
            &note,
            (frame.left, frame.top - 4.0),
            Type::new(NOTE_SIZE, GREY),
        )?;
        let x = Scale::new(
            (0.0, (self.longest.max(2) as f64).log2()),
            (frame.left, frame.right),
        );
        let marks = Ticks::around((0.0, 1.0), 2);
        let y = Scale::new((0.0, 1.0), (frame.bottom, frame.top));
        frame.y_axis(canvas, &y, &marks, quiet)?;
        for (counts, ink) in [(&panel.control, ORANGE), (&panel.class, BLUE)] {
            let Some(shares) = shares(counts, self.longest) else {
                continue;
            };
            let mut line = vec![(x.at(0.0), y.at(0.0))];
            for (index, share) in shares.iter().enumerate() {
                let at = x.at(((index + 1) as f64).log2());
                line.extend(line.last().map(|(_, before)| (at, *before)));
                line.push((at, y.at(*share)));
            }
            canvas.line(&line, DATA_WIDTH, ink)?;
        }
        if shares(&panel.class, self.longest).is_none() {
            frame.say(canvas, "no tokens")?;
        }
        let numbers = (0..=12)
            .map(|power| 1usize << power)
            .filter(|length| *length <= self.longest);
        let marks: Vec<_> = numbers
            .map(|length| ((length as f64).log2(), length.to_string()))
            .collect();
        frame.x_axis(canvas, &x, &marks, 0.0)
    }
}

impl Figure for LengthsFigure {
    fn size_pt(&self) -> (f64, f64) {
        let rows = self.panels.len().div_ceil(COLUMNS).max(1) as f64;
        (
            theme::DOUBLE_WIDTH,
            LEGEND + rows * (HEAD + PLOT + FOOT) + NAME,
        )
    }

    fn description(&self) -> String {
        let mut text =
            "Cumulative distributions of token lengths by class and of matched controls."
                .to_string();
        for panel in &self.panels {
            let mean = |counts: &[u64]| {
                mean(counts, self.longest)
                    .map_or("none".to_string(), |length| format!("{length:.2}"))
            };
            text += &format!(
                " {}: mean {} bases, controls {}.",
                panel.title,
                mean(&panel.class),
                mean(&panel.control)
            );
        }
        text
    }

    fn draw<S: Surface>(&self, canvas: &mut Canvas<'_, S>) -> Result<()> {
        let width = theme::DOUBLE_WIDTH;
        let (_, height) = self.size_pt();
        if self.panels.is_empty() {
            return Frame {
                left: 0.0,
                right: width,
                top: 0.0,
                bottom: height,
            }
            .say(canvas, "no data");
        }
        let mut at = LEFT;
        for (name, ink) in [("class", BLUE), ("matched control", ORANGE)] {
            canvas.line(&[(at, 7.0), (at + 12.0, 7.0)], DATA_WIDTH, ink)?;
            canvas.text(name, (at + 15.0, 9.5), Type::new(TICK_SIZE, BLACK))?;
            at += 15.0 + theme::text_width(name, TICK_SIZE, false) + 12.0;
        }
        let wide = (width - LEFT - RIGHT - GAP * (COLUMNS - 1) as f64) / COLUMNS as f64;
        for (index, panel) in self.panels.iter().enumerate() {
            let (row, column) = (index / COLUMNS, index % COLUMNS);
            let left = LEFT + column as f64 * (wide + GAP);
            let top = LEGEND + row as f64 * (HEAD + PLOT + FOOT) + HEAD;
            self.panel(
                canvas,
                panel,
                Frame {
                    left,
                    right: left + wide,
                    top,
                    bottom: top + PLOT,
                },
                column > 0,
            )?;
        }
        let whole = Frame {
            left: LEFT,
            right: width - RIGHT,
            top: LEGEND + HEAD,
            bottom: height - NAME,
        };
        whole.names(
            canvas,
            ("Token length (bases, logarithmic)", 9.0),
            ("Share of tokens at most so long", 26.0),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_means_as_counted() {
        // Lengths 1, 1, 2, 4 and one too long: two of five are at most 1, three at most 2 and 3,
        // four at most 4.
        let counts = [0, 2, 1, 0, 1, 1];
        assert_eq!(shares(&counts, 4).unwrap(), [0.4, 0.6, 0.6, 0.8]);
        assert_eq!(
            (
                mean(&counts, 4),
                mean(&[0, 0, 0, 0, 0, 0, 0, 9], 4),
                mean(&[0; 6], 4)
            ),
            (Some(13.0 / 5.0), Some(5.0), None)
        );
    }

    #[test]
    fn it_draws_whatever_comes() {
        let panel = LengthsPanel {
            title: "<x>".into(),
            class: vec![0, 5, 3],
            control: vec![],
        };
        for (panels, longest) in [
            (vec![], 64),
            (vec![LengthsPanel::default()], 0),
            (vec![panel; 9], 64),
        ] {
            let figure = LengthsFigure { panels, longest };
            let svg = figure.to_svg().unwrap();
            assert_eq!(svg, figure.to_svg().unwrap());
            assert!(
                !svg.contains("NaN")
                    && !svg.contains("<x>")
                    && figure.to_png().unwrap().starts_with(b"\x89PNG")
            );
        }
    }
}
