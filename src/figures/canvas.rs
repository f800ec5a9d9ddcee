//! Drawing in points on a plotters backend, and the two surfaces behind it: SVG text and PNG
//! pixels.
//!
//! Plotters' chart builder places labels in whole pixels, and its ab_glyph text drops the bearings
//! of glyphs and comes out a tenth smaller in PNG than in SVG. Print sizes matter here, so figures
//! draw on the backends directly: [`Canvas`] turns points (1/72 inch) into backend units, fine
//! enough (0.05 pt and better) that rounding is not seen.

use super::lettering::{BackendType, TOP_TO_BASELINE_EM, Type};
use super::raster;
use super::theme::{self, Ink, Marker};
use crate::error::{Error, Result};
use plotters::backend::BitMapBackend;
use plotters::backend::SVGBackend;
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, DrawingBackend, DrawingErrorKind,
};

/// Dots per inch of a PNG.
pub const DPI: f64 = 300.0;
/// A PNG is drawn this many times larger and averaged down: even edges, whatever the backend's own
/// smoothing.
pub(super) const OVERSAMPLE: usize = 2;

/// A plotters backend figures are drawn on.
pub trait Surface: DrawingBackend {
    /// Backend units in a point.
    const UNITS_PER_PT: f64;
    /// Whether grids of cells go into the document as pictures.
    const EMBEDS: bool;

    /// Strokes a line through `points`, `width` units wide.
    fn stroke(
        &mut self,
        points: &[BackendCoord],
        pen: &Pen,
    ) -> Result<(), DrawingErrorKind<Self::ErrorType>>;
}

/// Units of an SVG in a point.
pub(super) const SVG_UNITS_PER_PT: f64 = 20.0;

impl Surface for SVGBackend<'_> {
    const UNITS_PER_PT: f64 = SVG_UNITS_PER_PT;
    const EMBEDS: bool = true;

    fn stroke(
        &mut self,
        points: &[BackendCoord],
        pen: &Pen,
    ) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        match points {
            [from, to] => self.draw_line(*from, *to, pen),
            _ => self.draw_path(points.iter().copied(), pen),
        }
    }
}

impl Surface for BitMapBackend<'_> {
    const UNITS_PER_PT: f64 = DPI * OVERSAMPLE as f64 / 72.0;
    const EMBEDS: bool = false;

    // One quadrilateral per segment and a disc per joint: plotters fills the outline of a whole
    // polyline by the even-odd rule, which leaves holes where a jagged curve is narrower than its
    // pen.
    fn stroke(
        &mut self,
        points: &[BackendCoord],
        pen: &Pen,
    ) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        let half = f64::from(pen.width) / 2.0;
        for pair in points.windows(2) {
            let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
            let (dx, dy) = (f64::from(x1 - x0), f64::from(y1 - y0));
            let length = dx.hypot(dy);
            if length == 0.0 {
                continue;
            }
            if x0 == x1 || y0 == y1 {
                // Axis-parallel: an exact rectangle, end caps flat as in the SVG.
                let low = half.floor() as i32;
                let high = pen.width as i32 - low;
                let (left, right) = (x0.min(x1), x0.max(x1));
                let (top, bottom) = (y0.min(y1), y0.max(y1));
                let (a, b) = if x0 == x1 {
                    ((left - low, top), (right + high, bottom))
                } else {
                    ((left, top - low), (right, bottom + high))
                };
                self.draw_rect(a, b, pen, true)?;
                continue;
            }
            let (nx, ny) = (-dy / length * half, dx / length * half);
            let corner = |x: i32, y: i32, sign: f64| {
                (
                    (f64::from(x) + sign * nx).round() as i32,
                    (f64::from(y) + sign * ny).round() as i32,
                )
            };
            let quad = [
                corner(x0, y0, 1.0),
                corner(x1, y1, 1.0),
                corner(x1, y1, -1.0),
                corner(x0, y0, -1.0),
            ];
            self.fill_polygon(quad, pen)?;
        }
        if pen.width >= 4 && pen.color.alpha >= 1.0 {
            for inner in points.iter().skip(1).take(points.len().saturating_sub(2)) {
                self.draw_circle(*inner, pen.width / 2, pen, true)?;
            }
        }
        Ok(())
    }
}

/// Colour and width of a stroke, in backend units.
#[derive(Clone, Copy)]
pub struct Pen {
    color: BackendColor,
    width: u32,
}

impl BackendStyle for Pen {
    fn color(&self) -> BackendColor {
        self.color
    }
    fn stroke_width(&self) -> u32 {
        self.width
    }
}

/// A page measured in points, origin at the top left, y downwards. Non-finite coordinates never
/// reach the backend: the shape they belong to is left out.
pub struct Canvas<'a, S: Surface> {
    surface: &'a mut S,
    /// See `hover`.
    pub(super) hovers: Vec<serde_json::Value>,
    /// Elements of an SVG that lie under everything else.
    pub(super) pictures: Vec<String>,
}

impl<'a, S: Surface> Canvas<'a, S> {
    /// A page on `surface`.
    pub fn new(surface: &'a mut S) -> Canvas<'a, S> {
        Canvas {
            surface,
            hovers: Vec::new(),
            pictures: Vec::new(),
        }
    }

    fn unit(value: f64) -> i32 {
        (value * S::UNITS_PER_PT).clamp(-1e6, 1e6).round() as i32
    }

    fn units(points: &[(f64, f64)]) -> Option<Vec<BackendCoord>> {
        let finite = points.iter().all(|(x, y)| x.is_finite() && y.is_finite());
        finite.then(|| {
            points
                .iter()
                .map(|&(x, y)| (Self::unit(x), Self::unit(y)))
                .collect()
        })
    }

    fn pen(ink: Ink, width: f64) -> Pen {
        Pen {
            color: ink,
            width: Self::unit(width).max(1) as u32,
        }
    }

    /// Strokes a line through two or more points.
    pub fn line(&mut self, points: &[(f64, f64)], width: f64, ink: Ink) -> Result<()> {
        match Self::units(points) {
            Some(units) if units.len() > 1 => self
                .surface
                .stroke(&units, &Self::pen(ink, width))
                .map_err(failed),
            _ => Ok(()),
        }
    }

    /// Strokes a straight line in dashes `on` points long with gaps of `off` points.
    pub fn dashes(
        &mut self,
        (x0, y0): (f64, f64),
        (x1, y1): (f64, f64),
        (on, off): (f64, f64),
        width: f64,
        ink: Ink,
    ) -> Result<()> {
        let length = (x1 - x0).hypot(y1 - y0);
        // Also false for NaN; the upper bound keeps an absurd length from looping for ever.
        if !(length > 0.0 && length < 1e5 && on + off > 0.1) {
            return Ok(());
        }
        let at = |d: f64| (x0 + (x1 - x0) * d / length, y0 + (y1 - y0) * d / length);
        let mut start = 0.0;
        while start < length {
            self.line(&[at(start), at((start + on).min(length))], width, ink)?;
            start += on + off;
        }
        Ok(())
    }

    /// Fills a polygon.
    pub fn polygon(&mut self, points: &[(f64, f64)], ink: Ink) -> Result<()> {
        match Self::units(points) {
            Some(units) if units.len() > 2 => {
                self.surface.fill_polygon(units, &ink).map_err(failed)
            }
            _ => Ok(()),
        }
    }

    /// Fills the rectangle between two corners.
    pub fn rect(&mut self, (x0, y0): (f64, f64), (x1, y1): (f64, f64), ink: Ink) -> Result<()> {
        match Self::units(&[(x0.min(x1), y0.min(y1)), (x0.max(x1), y0.max(y1))]).as_deref() {
            Some([a, b]) if a.0 < b.0 && a.1 < b.1 => {
                self.surface.draw_rect(*a, *b, &ink, true).map_err(failed)
            }
            _ => Ok(()),
        }
    }

    /// Fills the rectangle between its upper left and lower right corner with a grid of equal
    /// cells, row by row from the top, all rows as long as the first. In an SVG the grid is one
    /// picture and lies under everything else.
    pub fn cells(
        &mut self,
        (x0, y0): (f64, f64),
        (x1, y1): (f64, f64),
        rows: &[Vec<Ink>],
    ) -> Result<()> {
        let columns = rows.first().map_or(0, Vec::len);
        if columns == 0 || !(x1 > x0 && y1 > y0) {
            return Ok(());
        }
        if S::EMBEDS {
            let (left, top, right, bottom) = (
                Self::unit(x0),
                Self::unit(y0),
                Self::unit(x1),
                Self::unit(y1),
            );
            self.pictures.push(raster::image(
                (left, top),
                (right - left, bottom - top),
                rows,
            )?);
            return Ok(());
        }
        let (wide, tall) = ((x1 - x0) / columns as f64, (y1 - y0) / rows.len() as f64);
        for (r, row) in rows.iter().enumerate() {
            for (c, ink) in row.iter().enumerate() {
                let (left, top) = (x0 + c as f64 * wide, y0 + r as f64 * tall);
                self.rect((left, top), (left + wide, top + tall), *ink)?;
            }
        }
        Ok(())
    }

    /// Fills a marker of radius `r` around a point.
    pub fn marker(&mut self, marker: Marker, (x, y): (f64, f64), r: f64, ink: Ink) -> Result<()> {
        match (marker, Self::units(&[(x, y)]).as_deref()) {
            (Marker::Circle, Some([center])) => {
                let radius = Self::unit(r).max(1) as u32;
                self.surface
                    .draw_circle(*center, radius, &ink, true)
                    .map_err(failed)
            }
            (Marker::Square, Some(_)) => {
                let a = r * 0.88;
                self.rect((x - a, y - a), (x + a, y + a), ink)
            }
            (Marker::Triangle, Some(_)) => {
                let a = r * 1.15;
                self.polygon(
                    &[(x, y - a), (x + a, y + a * 0.75), (x - a, y + a * 0.75)],
                    ink,
                )
            }
            (Marker::Diamond, Some(_)) => {
                let a = r * 1.2;
                self.polygon(&[(x, y - a), (x + a, y), (x, y + a), (x - a, y)], ink)
            }
            _ => Ok(()),
        }
    }

    /// Writes a footnote line by line ([`theme::NOTE_LINE`] apart), the first with its baseline
    /// through `(x, y)`.
    pub fn note(&mut self, lines: &[String], (x, y): (f64, f64)) -> Result<()> {
        let style = Type::new(theme::NOTE_SIZE, theme::GREY);
        lines
            .iter()
            .enumerate()
            .try_for_each(|(i, line)| self.text(line, (x, y + i as f64 * theme::NOTE_LINE), style))
    }

    /// Writes one line of text whose baseline runs through `(x, y)`.
    pub fn text(&mut self, text: &str, (x, y): (f64, f64), style: Type) -> Result<()> {
        let clean: String = text.chars().map(theme::printable).collect();
        if clean.trim().is_empty() {
            return Ok(());
        }
        let rise = style.size * TOP_TO_BASELINE_EM;
        let top_left = if style.upwards {
            (x - rise, y)
        } else {
            (x, y - rise)
        };
        let Some(&[position]) = Self::units(&[top_left]).as_deref() else {
            return Ok(());
        };
        let style = BackendType::new(style, S::UNITS_PER_PT);
        self.surface
            .draw_text(&clean, &style, position)
            .map_err(failed)
    }
}

pub(super) fn failed<E: std::error::Error + Send + Sync>(error: DrawingErrorKind<E>) -> Error {
    Error::Invalid(format!("a figure could not be drawn: {error}"))
}
