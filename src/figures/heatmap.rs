//! Heat maps: one row an observation, one column a position, with a logo under the axis.

use super::Figure;
use super::axis::{Frame, Scale};
use super::canvas::{Canvas, Surface};
use super::lettering::{Align, Type};
use super::logo;
use super::profile_panel::signed;
use super::theme::{self, BLACK, GREY, Ink, NOTE_SIZE, TICK_SIZE};
use super::ticks;
use crate::error::Result;

const LEFT: f64 = 36.0;
const RIGHT: f64 = 44.0;
const HEAD: f64 = 18.0;
const LOGO: f64 = 26.0;
const FOOT: f64 = 36.0;
/// Heights of all rows together, least and most.
const TALL: (f64, f64) = (96.0, 260.0);
/// More rows than this are averaged in groups: they would be thinner than a dot.
const MOST_ROWS: usize = 400;

/// Length of the marks over and under the map.
const MARK: f64 = 3.0;
/// Columns narrower than this would be hidden by a line along them.
const NARROW: f64 = 4.0;

/// A matrix of values; page-wide.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HeatmapFigure {
    /// Title over the map.
    pub title: String,
    /// Values, row by row from the top; all rows as long as the first.
    pub rows: Vec<Vec<f64>>,
    /// Observations behind the rows.
    pub n: usize,
    /// Offset of the first column.
    pub first: i32,
    /// Frequencies of A, C, G and T in consecutive columns; each lies between an offset and the
    /// next.
    pub logo: Vec<[f64; 4]>,
    /// Offset at which the logo starts.
    pub logo_first: i32,
    /// Offsets that are marked.
    pub edges: Vec<f64>,
    /// Title of the columns.
    pub x_label: String,
    /// Title of the rows.
    pub y_label: String,
    /// The values that are white and black; those beyond are shown as these.
    pub range: (f64, f64),
}

/// White (0) over blue to black (1), by rising darkness: it also reads in grey.
fn shade(value: f64) -> Ink {
    let stops = [
        (255.0, 255.0, 255.0),
        (158.0, 202.0, 225.0),
        (33.0, 113.0, 181.0),
        (8.0, 24.0, 58.0),
    ];
    let at = value.clamp(0.0, 1.0) * (stops.len() - 1) as f64;
    let low = (at.floor() as usize).min(stops.len() - 2);
    let (a, b, share) = (stops[low], stops[low + 1], at - low as f64);
    let mix = |a: f64, b: f64| (a + (b - a) * share).round() as u8;
    theme::ink(mix(a.0, b.0), mix(a.1, b.1), mix(a.2, b.2))
}

impl HeatmapFigure {
    /// Rows, averaged in groups of equal size where there are too many.
    fn shown(&self) -> Vec<Vec<f64>> {
        let group = self.rows.len().div_ceil(MOST_ROWS).max(1);
        let mean = |rows: &[Vec<f64>]| -> Vec<f64> {
            let columns = rows.first().map_or(0, Vec::len);
            (0..columns)
                .map(|c| rows.iter().filter_map(|row| row.get(c)).sum::<f64>() / rows.len() as f64)
                .collect()
        };
        self.rows.chunks(group).map(mean).collect()
    }

    fn tall(&self) -> f64 {
        (self.rows.len().min(MOST_ROWS) as f64 * 4.0).clamp(TALL.0, TALL.1)
    }
}

impl Figure for HeatmapFigure {
    fn size_pt(&self) -> (f64, f64) {
        (theme::DOUBLE_WIDTH, HEAD + self.tall() + LOGO + FOOT)
    }

    fn description(&self) -> String {
        format!(
            "Heat map. {}. {} rows of {} positions, {} observations. {}.",
            self.title,
            self.rows.len(),
            self.rows.first().map_or(0, Vec::len),
            self.n,
            self.y_label
        )
    }

    fn draw<S: Surface>(&self, canvas: &mut Canvas<'_, S>) -> Result<()> {
        let frame = Frame {
            left: LEFT,
            top: HEAD,
            right: theme::DOUBLE_WIDTH - RIGHT,
            bottom: HEAD + self.tall(),
        };
        frame.title(canvas, &self.title, HEAD - theme::TITLE_SIZE)?;
        let rows = self.shown();
        let (white, black) = self.range;
        let share = |value: f64| {
            if black > white {
                (value - white) / (black - white)
            } else {
                0.0
            }
        };
        let columns = rows.first().map_or(0, Vec::len);
        if columns == 0 {
            return frame.say(canvas, "no data");
        }
        let last = self.first.saturating_add(columns as i32 - 1);
        let x = Scale::new(
            (f64::from(self.first) - 0.5, f64::from(last) + 0.5),
            (frame.left, frame.right),
        );
        let ink = |value: &f64| {
            if value.is_finite() {
                shade(share(*value))
            } else {
                theme::WHITE
            }
        };
        let cells: Vec<Vec<Ink>> = rows
            .iter()
            .map(|row| row.iter().map(ink).collect())
            .collect();
        canvas.cells((frame.left, frame.top), (frame.right, frame.bottom), &cells)?;
        let hides = (frame.right - frame.left) / (columns as f64) < NARROW;
        for edge in &self.edges {
            let at = x.at(*edge);
            canvas.line(
                &[(at, frame.top - MARK), (at, frame.top)],
                0.8,
                theme::VERMILLION,
            )?;
            canvas.line(
                &[(at, frame.bottom), (at, frame.bottom + MARK)],
                0.8,
                theme::VERMILLION,
            )?;
            if !hides {
                canvas.dashes(
                    (at, frame.top),
                    (at, frame.bottom),
                    (2.0, 2.0),
                    0.6,
                    theme::VERMILLION,
                )?;
            }
        }
        let axis = Frame {
            bottom: frame.bottom + LOGO,
            ..frame
        };
        let ends = x.domain();
        let to_logo = Scale::new(
            (
                ends.0 - f64::from(self.logo_first),
                ends.1 - f64::from(self.logo_first),
            ),
            (frame.left, frame.right),
        );
        logo::draw(
            canvas,
            &self.logo,
            &to_logo,
            (frame.bottom + MARK + 0.5, axis.bottom - 1.0),
        )?;
        let marks: Vec<_> = ticks::offset_ticks((self.first, last), 11)
            .into_iter()
            .map(|t| (f64::from(t), signed(t)))
            .collect();
        axis.x_axis(canvas, &x, &marks, 0.0)?;
        axis.names(canvas, (&self.x_label, 21.0), ("", 0.0))?;
        frame.names(canvas, ("", 0.0), (&self.y_label, 24.0))?;
        for (count, at) in [(1, frame.top + TICK_SIZE), (self.n, frame.bottom)] {
            canvas.text(
                &count.to_string(),
                (frame.left - 4.0, at),
                Type::new(TICK_SIZE, BLACK).align(Align::End),
            )?;
        }
        // The key.
        let (left, tall) = (frame.right + 10.0, frame.bottom - frame.top);
        for step in 0..50 {
            let share = f64::from(step) / 50.0;
            let (top, bottom) = (
                frame.bottom - (share + 0.02) * tall,
                frame.bottom - share * tall,
            );
            canvas.rect((left, top), (left + 8.0, bottom), shade(share + 0.01))?;
        }
        for share in [0.0, 0.5, 1.0] {
            let label = ticks::short(white + share * (black - white));
            canvas.text(
                &label,
                (left + 10.5, frame.bottom - share * tall + NOTE_SIZE * 0.36),
                Type::new(NOTE_SIZE, GREY),
            )?;
        }
        Ok(())
    }
}
