//! Scales, and the frame of a panel with its axes.

use super::canvas::{Canvas, Surface};
use super::lettering::{Align, Type};
use super::theme::{self, AXIS_WIDTH, BLACK, GREY, GRID_WIDTH, LIGHT, TICK_LENGTH, TICK_SIZE};
use super::ticks::{Ticks, tick_label, widened};
use crate::error::Result;

/// A straight map from data to points on the page.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    domain: (f64, f64),
    page: (f64, f64),
}

impl Scale {
    /// Maps `domain.0` to `page.0` and `domain.1` to `page.1`. A domain without width is widened
    /// around its value.
    pub fn new(domain: (f64, f64), page: (f64, f64)) -> Scale {
        Scale {
            domain: widened(domain),
            page,
        }
    }

    /// Position of a value; NaN for NaN.
    pub fn at(&self, value: f64) -> f64 {
        let share = (value - self.domain.0) / (self.domain.1 - self.domain.0);
        self.page.0 + share * (self.page.1 - self.page.0)
    }

    /// The two ends of the data.
    pub fn domain(&self) -> (f64, f64) {
        self.domain
    }
}

/// The rectangle of a panel's data, in points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Frame {
    /// Left edge.
    pub left: f64,
    /// Upper edge.
    pub top: f64,
    /// Right edge.
    pub right: f64,
    /// Lower edge.
    pub bottom: f64,
}

impl Frame {
    /// Horizontal middle.
    pub fn center(&self) -> f64 {
        (self.left + self.right) / 2.0
    }

    /// The words that stand where data would: "no data", or another reason.
    pub fn say<S: Surface>(&self, canvas: &mut Canvas<'_, S>, words: &str) -> Result<()> {
        let (x, y) = (self.center(), (self.top + self.bottom) / 2.0);
        let half = theme::text_width(words, theme::LABEL_SIZE, false) / 2.0 + 3.0;
        canvas.rect((x - half, y - 6.0), (x + half, y + 6.0), theme::WHITE)?;
        let middle = (x, y + 2.5);
        canvas.text(
            words,
            middle,
            Type::new(theme::LABEL_SIZE, GREY).align(Align::Middle),
        )
    }

    /// Horizontal grid lines, the left axis with its ticks, and their labels unless `quiet`.
    pub fn y_axis<S: Surface>(
        &self,
        canvas: &mut Canvas<'_, S>,
        scale: &Scale,
        ticks: &Ticks,
        quiet: bool,
    ) -> Result<()> {
        for &tick in &ticks.at {
            let y = scale.at(tick);
            canvas.line(&[(self.left, y), (self.right, y)], GRID_WIDTH, LIGHT)?;
            canvas.line(
                &[(self.left - TICK_LENGTH, y), (self.left, y)],
                AXIS_WIDTH,
                BLACK,
            )?;
            if !quiet {
                let at = (self.left - TICK_LENGTH - 1.8, y + TICK_SIZE * 0.36);
                let style = Type::new(TICK_SIZE, BLACK).align(Align::End);
                canvas.text(&tick_label(tick, ticks.step), at, style)?;
            }
        }
        canvas.line(
            &[(self.left, self.top), (self.left, self.bottom)],
            AXIS_WIDTH,
            BLACK,
        )
    }

    /// The lower axis, drawn `drop` points under the frame, with ticks at the given values and
    /// their labels.
    pub fn x_axis<S: Surface>(
        &self,
        canvas: &mut Canvas<'_, S>,
        scale: &Scale,
        ticks: &[(f64, String)],
        drop: f64,
    ) -> Result<()> {
        let y = self.bottom + drop;
        canvas.line(&[(self.left, y), (self.right, y)], AXIS_WIDTH, BLACK)?;
        for (value, label) in ticks {
            let x = scale.at(*value);
            // A tick without a label is a minor one.
            let length = if label.is_empty() {
                TICK_LENGTH * 0.6
            } else {
                TICK_LENGTH
            };
            canvas.line(&[(x, y), (x, y + length)], AXIS_WIDTH, BLACK)?;
            let style = Type::new(TICK_SIZE, BLACK).align(Align::Middle);
            canvas.text(label, (x, y + TICK_LENGTH + TICK_SIZE), style)?;
        }
        Ok(())
    }

    /// The title over the frame, `rise` points above it, cut to the frame's width.
    pub fn title<S: Surface>(
        &self,
        canvas: &mut Canvas<'_, S>,
        text: &str,
        rise: f64,
    ) -> Result<()> {
        let text = theme::fit(text, self.right - self.left, theme::TITLE_SIZE, true);
        canvas.text(
            &text,
            (self.left, self.top - rise),
            Type::new(theme::TITLE_SIZE, BLACK).bold(),
        )
    }

    /// The axis titles: `x` centred `drop` points under the frame, `y` centred `offset` points left
    /// of it.
    pub fn names<S: Surface>(
        &self,
        canvas: &mut Canvas<'_, S>,
        (x, drop): (&str, f64),
        (y, offset): (&str, f64),
    ) -> Result<()> {
        let style = Type::new(theme::LABEL_SIZE, BLACK).align(Align::Middle);
        let text = theme::fit(x, self.right - self.left + 24.0, theme::LABEL_SIZE, false);
        canvas.text(&text, (self.center(), self.bottom + drop), style)?;
        let text = theme::fit(y, self.bottom - self.top + 24.0, theme::LABEL_SIZE, false);
        let middle = (self.top + self.bottom) / 2.0;
        canvas.text(&text, (self.left - offset, middle), style.upwards())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scale_maps_ends_to_ends_and_survives_degenerate_domains() {
        let scale = Scale::new((-10.0, 10.0), (100.0, 300.0));
        assert_eq!(
            (scale.at(-10.0), scale.at(0.0), scale.at(10.0)),
            (100.0, 200.0, 300.0)
        );
        for domain in [
            (0.3, 0.3),
            (0.0, 0.0),
            (f64::NAN, 1.0),
            (5.0, 4.0),
            (-f64::MAX, f64::MAX),
        ] {
            assert!(
                Scale::new(domain, (0.0, 1.0)).at(0.5).is_finite(),
                "{domain:?}"
            );
        }
    }
}
