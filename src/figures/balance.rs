//! Love plots: how far apart two groups are in each covariate, before and after matching.

use super::Figure;
use super::axis::{Frame, Scale};
use super::canvas::{Canvas, Surface};
use super::lettering::{Align, Type};
use super::theme::{
    self, BLACK, BLUE, GREY, GRID_WIDTH, LIGHT, Marker, NOTE_SIZE, ORANGE, TICK_SIZE, VERMILLION,
    WHITE,
};
use super::ticks::{self, Ticks};
use crate::error::Result;

const ROW: f64 = 12.0;
const HEAD: f64 = 38.0;
const FOOT: f64 = 32.0;
const RIGHT: f64 = 8.0;
const GAP: f64 = 14.0;
/// Rows beyond this many are left out, smallest differences first, and counted in words.
const MOST_ROWS: usize = 60;

/// Absolute standardised mean differences per covariate; one panel per kind of site, one or two
/// panels abreast.
#[derive(Debug, Clone, PartialEq)]
pub struct BalanceFigure {
    /// The panels.
    pub panels: Vec<BalancePanel>,
    /// The customary limit, drawn as a dashed line.
    pub threshold: f64,
}

/// The covariates of one comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct BalancePanel {
    /// Title over the panel.
    pub title: String,
    /// The covariates, from top to bottom.
    pub rows: Vec<BalanceRow>,
}

/// One covariate. Signs are ignored; NaN shows as "not defined".
#[derive(Debug, Clone, PartialEq)]
pub struct BalanceRow {
    /// Name of the covariate.
    pub label: String,
    /// Standardised mean difference before matching.
    pub before: f64,
    /// Standardised mean difference after matching.
    pub after: f64,
}

impl BalanceRow {
    fn worst(&self) -> f64 {
        [self.before, self.after]
            .into_iter()
            .filter(|v| !v.is_nan())
            .fold(0.0, |a, v| a.max(v.abs()))
    }
}

impl BalancePanel {
    fn shown(&self) -> Vec<&BalanceRow> {
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        order.sort_by(|&a, &b| self.rows[b].worst().total_cmp(&self.rows[a].worst()));
        order.truncate(MOST_ROWS);
        order.sort_unstable();
        order.into_iter().map(|i| &self.rows[i]).collect()
    }
}

impl BalanceFigure {
    /// A love plot with the customary limit of 0.1.
    pub fn new(panels: Vec<BalancePanel>) -> BalanceFigure {
        BalanceFigure {
            panels,
            threshold: 0.1,
        }
    }

    fn width(&self) -> f64 {
        if self.panels.len() > 1 {
            theme::DOUBLE_WIDTH
        } else {
            theme::SINGLE_WIDTH
        }
    }

    fn panel_height(&self, pair: &[BalancePanel]) -> f64 {
        let rows = pair
            .iter()
            .map(|p| p.rows.len().min(MOST_ROWS))
            .max()
            .unwrap_or(0)
            .max(2);
        HEAD + rows as f64 * ROW + FOOT
    }

    fn panel<S: Surface>(
        &self,
        canvas: &mut Canvas<'_, S>,
        panel: &BalancePanel,
        (left, right): (f64, f64),
        top: f64,
        rows: usize,
        most: f64,
    ) -> Result<()> {
        let shown = panel.shown();
        let names = shown
            .iter()
            .map(|r| theme::text_width(&r.label, TICK_SIZE, false))
            .fold(30.0, f64::max);
        let names = names.min((right - left) * 0.45);
        let frame = Frame {
            left: left + names + 6.0,
            right: right - RIGHT,
            top: top + HEAD,
            bottom: top + HEAD + rows as f64 * ROW,
        };
        let head = Frame { left, ..frame };
        head.title(canvas, &panel.title, HEAD - theme::TITLE_SIZE - 1.0)?;
        self.keys(canvas, (left, top + 22.0))?;
        let ticks = Ticks::around((0.0, most), 5);
        let x = Scale::new(ticks.range, (frame.left, frame.right));
        let ticks = ticks.labelled();
        for (tick, _) in &ticks {
            let at = x.at(*tick);
            canvas.line(&[(at, frame.top), (at, frame.bottom)], GRID_WIDTH, LIGHT)?;
        }
        let limit = x.at(self.threshold);
        if (frame.left..=frame.right).contains(&limit) {
            canvas.dashes(
                (limit, frame.top),
                (limit, frame.bottom),
                (3.0, 2.0),
                0.75,
                VERMILLION,
            )?;
        }
        for (i, row) in shown.iter().enumerate() {
            let y = frame.top + (i as f64 + 0.5) * ROW;
            let name = theme::fit(&row.label, names, TICK_SIZE, false);
            let style = Type::new(TICK_SIZE, BLACK).align(Align::End);
            canvas.text(&name, (frame.left - 5.0, y + TICK_SIZE * 0.36), style)?;
            self.row(canvas, row, &x, &frame, y)?;
        }
        if shown.is_empty() {
            frame.say(canvas, "no data")?;
        }
        frame.x_axis(canvas, &x, &ticks, 0.0)?;
        let hidden = panel.rows.len() - shown.len();
        let name = match hidden {
            0 => "|standardised mean difference|".to_owned(),
            n => format!("|standardised mean difference| ({n} smaller rows not shown)"),
        };
        frame.names(canvas, (&name, 20.5), ("", 0.0))
    }

    fn keys<S: Surface>(&self, canvas: &mut Canvas<'_, S>, (left, y): (f64, f64)) -> Result<()> {
        let mut x = left + 3.0;
        for (marker, ink, name) in [
            (Marker::Diamond, ORANGE, "before matching"),
            (Marker::Circle, BLUE, "after matching"),
        ] {
            canvas.marker(marker, (x, y), 2.5, ink)?;
            canvas.text(
                name,
                (x + 5.5, y + TICK_SIZE * 0.36),
                Type::new(TICK_SIZE, BLACK),
            )?;
            x += 18.0 + theme::text_width(name, TICK_SIZE, false);
        }
        canvas.dashes((x - 3.0, y), (x + 9.0, y), (3.0, 2.0), 0.75, VERMILLION)?;
        let name = format!("limit {}", self.threshold);
        canvas.text(
            &name,
            (x + 12.5, y + TICK_SIZE * 0.36),
            Type::new(TICK_SIZE, BLACK),
        )
    }

    fn row<S: Surface>(
        &self,
        canvas: &mut Canvas<'_, S>,
        row: &BalanceRow,
        x: &Scale,
        frame: &Frame,
        y: f64,
    ) -> Result<()> {
        let (before, after) = (row.before.abs(), row.after.abs());
        if before.is_finite() && after.is_finite() {
            canvas.line(
                &[(x.at(before), y), (x.at(after), y)],
                0.9,
                theme::ink(170, 170, 170),
            )?;
        }
        let missing = match (before.is_finite(), after.is_finite()) {
            (true, true) => None,
            (true, false) => Some("after: not defined"),
            (false, true) => Some("before: not defined"),
            (false, false) => Some("not defined"),
        };
        if let Some(words) = missing {
            let style = Type::new(NOTE_SIZE, GREY).align(Align::End);
            let from = frame.right - theme::text_width(words, NOTE_SIZE, false) - 2.0;
            canvas.rect((from, y - ROW * 0.4), (frame.right, y + ROW * 0.4), WHITE)?;
            canvas.text(words, (frame.right, y + NOTE_SIZE * 0.36), style)?;
        }
        canvas.marker(Marker::Diamond, (x.at(before), y), 2.5, ORANGE)?;
        canvas.marker(Marker::Circle, (x.at(after), y), 2.4, BLUE)
    }
}

impl Figure for BalanceFigure {
    fn size_pt(&self) -> (f64, f64) {
        let height: f64 = self
            .panels
            .chunks(2)
            .map(|pair| self.panel_height(pair))
            .sum();
        (self.width(), height.max(60.0))
    }

    fn description(&self) -> String {
        let mut text =
            "Absolute standardised mean differences before and after matching.".to_owned();
        for panel in &self.panels {
            let over = |pick: fn(&BalanceRow) -> f64| {
                panel
                    .rows
                    .iter()
                    .filter(|r| pick(r).abs() > self.threshold)
                    .count()
            };
            text += &format!(
                " {}: of {} covariates, {} above {} before and {} after.",
                panel.title,
                panel.rows.len(),
                over(|r| r.before),
                self.threshold,
                over(|r| r.after)
            );
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
                bottom: 60.0,
            }
            .say(canvas, "no data");
        }
        let all = self
            .panels
            .iter()
            .flat_map(|p| &p.rows)
            .flat_map(|r| [r.before.abs(), r.after.abs()]);
        let most = ticks::extent(all)
            .map_or(0.0, |(_, high)| high)
            .max(self.threshold * 1.5)
            .max(1e-6);
        let mut top = 2.0;
        for pair in self.panels.chunks(2) {
            let rows = pair
                .iter()
                .map(|p| p.rows.len().min(MOST_ROWS))
                .max()
                .unwrap_or(0)
                .max(2);
            let columns = self.panels.len().min(2) as f64;
            let wide = (width - 4.0 - GAP * (columns - 1.0)) / columns;
            for (i, panel) in pair.iter().enumerate() {
                let left = 4.0 + i as f64 * (wide + GAP);
                self.panel(canvas, panel, (left, left + wide), top, rows, most)?;
            }
            top += self.panel_height(pair);
        }
        Ok(())
    }
}
