//! Legends: one line a series, with a sample of its line, band and marker.

use super::canvas::{Canvas, Surface};
use super::lettering::Type;
use super::theme::{self, BAND_ALPHA, BLACK, DATA_WIDTH, Ink, Marker, TICK_SIZE};
use crate::error::Result;

/// Height of a line of a legend, in points.
pub const LINE: f64 = 9.6;
const SAMPLE: f64 = 15.0;

/// One entry: what the sample looks like, and the name.
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    /// The series' name.
    pub label: &'a str,
    /// The series' colour.
    pub ink: Ink,
    /// The marker on the sample, if the figure shows markers.
    pub marker: Option<Marker>,
    /// Whether the sample has a confidence band behind it.
    pub band: bool,
}

/// Draws the entries below each other from `(left, top)`, names cut to end at `right`.
pub fn draw<S: Surface>(
    canvas: &mut Canvas<'_, S>,
    entries: &[Entry<'_>],
    (left, top): (f64, f64),
    right: f64,
) -> Result<()> {
    for (i, entry) in entries.iter().enumerate() {
        let y = top + (i as f64 + 0.5) * LINE;
        if entry.band {
            let ink = entry.ink.mix(BAND_ALPHA);
            canvas.rect((left, y - 3.0), (left + SAMPLE, y + 3.0), ink)?;
        }
        canvas.line(&[(left, y), (left + SAMPLE, y)], DATA_WIDTH, entry.ink)?;
        if let Some(marker) = entry.marker {
            canvas.marker(marker, (left + SAMPLE / 2.0, y), 1.9, entry.ink)?;
        }
        let x = left + SAMPLE + 3.5;
        let name = theme::fit(entry.label, right - x, TICK_SIZE, false);
        canvas.text(
            &name,
            (x, y + TICK_SIZE * 0.36),
            Type::new(TICK_SIZE, BLACK),
        )?;
    }
    Ok(())
}
