//! Forest plots: one row a comparison, its estimate with the interval, and the numbers behind it.

use super::Figure;
use super::axis::{Frame, Scale};
use super::canvas::{Canvas, Surface};
use super::lettering::{Align, Type};
use super::theme::{
    self, BLACK, BLUE, GREY, GRID_WIDTH, LIGHT, Marker, NOTE_SIZE, SHADE, TICK_SIZE,
};
use super::ticks::{self, Ticks};
use crate::error::Result;

const WIDTH: f64 = theme::DOUBLE_WIDTH;
const ROW: f64 = 13.0;
const TITLE: f64 = 15.0;
const HEAD: f64 = 18.0;
const FOOT: f64 = 34.0;
/// Right ends of the columns right of the plot, from the right edge of the figure.
const COLUMNS: [f64; 4] = [112.0, 78.0, 42.0, 3.0];
/// Room for those columns.
const NUMBERS: f64 = 226.0;
/// A label is cut at this width.
const LABEL: f64 = 130.0;
const MOST_ROWS: usize = 200;

/// Rows in groups over one horizontal axis; page-wide.
#[derive(Debug, Clone, PartialEq)]
pub struct ForestFigure {
    /// The groups, from top to bottom.
    pub groups: Vec<ForestGroup>,
    /// What the columns of numbers hold: estimates, observations and units of replication; a column
    /// of p-values follows where a row has one.
    pub heads: [&'static str; 3],
    /// Title of the horizontal axis.
    pub x_label: String,
}

/// Rows under one title.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ForestGroup {
    /// Title over the rows.
    pub title: String,
    /// The rows, from top to bottom.
    pub rows: Vec<ForestRow>,
}

/// One comparison. An estimate that is not finite shows as "not defined", an interval that is not
/// finite is left out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ForestRow {
    /// Name of the comparison.
    pub label: String,
    /// The estimate.
    pub value: f64,
    /// Lower confidence limit.
    pub ci_low: f64,
    /// Upper confidence limit.
    pub ci_high: f64,
    /// Number of pairs; 0 beside a value where it is not known.
    pub n_pairs: u64,
    /// Number of clusters they lie in.
    pub n_clusters: u64,
    /// The p-value as it is to be printed, such as "≤ 0.0001"; empty for none.
    pub p: String,
}

impl ForestRow {
    /// A number of pairs or clusters as it is printed.
    fn count(&self, n: u64) -> String {
        match n == 0 && self.value.is_finite() {
            true => String::new(),
            false => grouped(n),
        }
    }

    fn has_interval(&self) -> bool {
        self.ci_low.is_finite() && self.ci_high.is_finite()
    }
}

impl ForestFigure {
    /// The heads of mean differences of pairs.
    pub const DIFFERENCES: [&str; 3] = ["difference (95% CI)", "pairs", "clusters"];

    /// The groups with as many rows as are shown.
    fn shown(&self) -> impl Iterator<Item = (&ForestGroup, &[ForestRow])> {
        self.groups.iter().scan(MOST_ROWS, |room, group| {
            let rows = &group.rows[..group.rows.len().min(*room)];
            *room -= rows.len();
            Some((group, rows))
        })
    }

    fn height(&self) -> f64 {
        self.shown()
            .map(|(_, rows)| TITLE + rows.len().max(1) as f64 * ROW)
            .sum()
    }

    fn frame(&self) -> Frame {
        let labels = self
            .shown()
            .flat_map(|(_, rows)| rows)
            .map(|row| theme::text_width(&row.label, TICK_SIZE, false));
        let left = 8.0 + labels.fold(40.0, f64::max).min(LABEL) + 8.0;
        Frame {
            left,
            right: WIDTH - NUMBERS,
            top: 2.0 + HEAD,
            bottom: 2.0 + HEAD + self.height().max(40.0),
        }
    }

    fn row<S: Surface>(
        &self,
        canvas: &mut Canvas<'_, S>,
        row: &ForestRow,
        x: &Scale,
        frame: &Frame,
        (y, step): (f64, f64),
    ) -> Result<()> {
        let base = y + TICK_SIZE * 0.36;
        let label = theme::fit(&row.label, frame.left - 16.0, TICK_SIZE, false);
        canvas.text(&label, (8.0, base), Type::new(TICK_SIZE, BLACK))?;
        let mut cells = [
            "not defined".to_owned(),
            row.count(row.n_pairs),
            row.count(row.n_clusters),
            row.p.clone(),
        ];
        if row.value.is_finite() {
            // One digit more than the axis.
            let number = |value: f64| ticks::tick_label(value, step / 10.0);
            cells[0] = number(row.value);
            if row.has_interval() {
                cells[0] += &format!(" ({} to {})", number(row.ci_low), number(row.ci_high));
                let ends = [(x.at(row.ci_low), y), (x.at(row.ci_high), y)];
                canvas.line(&ends, 1.1, BLUE)?;
                for (end, _) in ends {
                    canvas.line(&[(end, y - 2.4), (end, y + 2.4)], 0.9, BLUE)?;
                }
            }
            canvas.marker(Marker::Square, (x.at(row.value), y), 2.7, BLUE)?;
        }
        let ink = if row.value.is_finite() { BLACK } else { GREY };
        for (end, cell) in COLUMNS.iter().zip(cells) {
            let style = Type::new(TICK_SIZE, ink).align(Align::End);
            canvas.text(
                &theme::fit(&cell, 112.0, TICK_SIZE, false),
                (WIDTH - end, base),
                style,
            )?;
        }
        Ok(())
    }

    fn heads<S: Surface>(&self, canvas: &mut Canvas<'_, S>, y: f64) -> Result<()> {
        let has_p = self
            .shown()
            .flat_map(|(_, rows)| rows)
            .any(|row| !row.p.is_empty());
        let p = has_p.then_some(&"p");
        for (end, head) in COLUMNS.iter().zip(self.heads.iter().chain(p)) {
            canvas.text(
                head,
                (WIDTH - end, y),
                Type::new(NOTE_SIZE, GREY).align(Align::End),
            )?;
        }
        Ok(())
    }
}

/// Digits in groups of three, as in the report.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl Figure for ForestFigure {
    fn size_pt(&self) -> (f64, f64) {
        (WIDTH, self.frame().bottom + FOOT)
    }

    fn description(&self) -> String {
        let mut text = format!("Forest plot. {}.", self.x_label);
        for (group, rows) in self.shown() {
            text += &format!(" {}:", group.title);
            for row in rows {
                let interval = match row.has_interval() {
                    true => format!("95% interval {:.4} to {:.4}; ", row.ci_low, row.ci_high),
                    false => String::new(),
                };
                text += &match row.value.is_finite() {
                    true => format!(
                        " {} {:.4} ({interval}{} {}, {} {});",
                        row.label,
                        row.value,
                        row.n_pairs,
                        self.heads[1],
                        row.n_clusters,
                        self.heads[2]
                    ),
                    false => format!(" {} not defined;", row.label),
                };
            }
        }
        text
    }

    fn draw<S: Surface>(&self, canvas: &mut Canvas<'_, S>) -> Result<()> {
        let frame = self.frame();
        if self.shown().all(|(_, rows)| rows.is_empty()) {
            return frame.say(canvas, "no data");
        }
        let drawn = self
            .shown()
            .flat_map(|(_, rows)| rows)
            .filter(|row| row.value.is_finite());
        let ends = drawn.flat_map(|row| {
            if row.has_interval() {
                [row.value, row.ci_low, row.ci_high]
            } else {
                [row.value; 3]
            }
        });
        let x_ticks = Ticks::around(ticks::extent(ends.chain([0.0])).unwrap_or((-1.0, 1.0)), 6);
        let x = Scale::new(x_ticks.range, (frame.left, frame.right));
        self.heads(canvas, frame.top - 6.0)?;
        let mut y = frame.top;
        for (group, rows) in self.shown() {
            canvas.rect((4.0, y), (WIDTH, y + TITLE - 2.0), SHADE)?;
            let title = theme::fit(&group.title, WIDTH - 16.0, theme::LABEL_SIZE, true);
            canvas.text(
                &title,
                (8.0, y + 9.2),
                Type::new(theme::LABEL_SIZE, BLACK).bold(),
            )?;
            y += TITLE;
            let bottom = y + rows.len().max(1) as f64 * ROW;
            for tick in &x_ticks.at {
                canvas.line(
                    &[(x.at(*tick), y), (x.at(*tick), bottom)],
                    GRID_WIDTH,
                    LIGHT,
                )?;
            }
            canvas.line(&[(x.at(0.0), y), (x.at(0.0), bottom)], 0.75, BLACK)?;
            for (i, row) in rows.iter().enumerate() {
                self.row(
                    canvas,
                    row,
                    &x,
                    &frame,
                    (y + (i as f64 + 0.5) * ROW, x_ticks.step),
                )?;
            }
            if rows.is_empty() {
                canvas.text(
                    "no data",
                    (8.0, y + ROW * 0.5 + TICK_SIZE * 0.36),
                    Type::new(TICK_SIZE, GREY),
                )?;
            }
            y = bottom;
        }
        frame.x_axis(canvas, &x, &x_ticks.labelled(), 2.0)?;
        let hidden = self
            .groups
            .iter()
            .map(|group| group.rows.len())
            .sum::<usize>()
            .saturating_sub(MOST_ROWS);
        let name = if hidden == 0 {
            self.x_label.clone()
        } else {
            format!("{} ({hidden} rows not shown)", self.x_label)
        };
        frame.names(canvas, (&name, 23.0), ("", 0.0))
    }
}
