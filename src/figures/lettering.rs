//! Text on a canvas: how a line of text looks, and how it reaches a backend.
//!
//! The SVG backend writes the text itself; the bitmap backend asks the style to draw it, glyph by
//! glyph, from the bundled font. Both put the same em size on the same baseline.

use super::theme::{self, Ink};
use ab_glyph::{Font, ScaleFont, point};
use plotters_backend::text_anchor::{HPos, Pos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendTextStyle, FontFamily, FontStyle, FontTransform,
};

/// Plotters' SVG backend puts the baseline of a top-anchored text this many em below its position.
pub(super) const TOP_TO_BASELINE_EM: f64 = 0.76;

/// Where a text sits relative to its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Starts there.
    Start,
    /// Is centred there.
    Middle,
    /// Ends there.
    End,
}

/// How a line of text looks.
#[derive(Clone, Copy)]
pub struct Type {
    /// Size of the em in points.
    pub size: f64,
    /// Bold face.
    pub bold: bool,
    /// Colour.
    pub ink: Ink,
    /// Horizontal alignment (along the line of text).
    pub align: Align,
    /// Reads upwards instead of rightwards.
    pub upwards: bool,
}

impl Type {
    /// Upright regular text that starts at its position.
    pub const fn new(size: f64, ink: Ink) -> Type {
        Type {
            size,
            bold: false,
            ink,
            align: Align::Start,
            upwards: false,
        }
    }
    /// The same, bold.
    pub const fn bold(self) -> Type {
        Type { bold: true, ..self }
    }
    /// The same, aligned.
    pub const fn align(self, align: Align) -> Type {
        Type { align, ..self }
    }
    /// The same, reading upwards.
    pub const fn upwards(self) -> Type {
        Type {
            upwards: true,
            ..self
        }
    }
}

/// A text style as a backend wants it: the SVG backend reads its names and sizes, the bitmap
/// backend has it draw glyphs.
pub(super) struct BackendType {
    style: Type,
    em: f64,
}

impl BackendType {
    /// The style on a surface with this many units in a point.
    pub(super) fn new(style: Type, units_per_pt: f64) -> BackendType {
        BackendType {
            style,
            em: (style.size * units_per_pt).round(),
        }
    }
}

/// Text drawing cannot fail: a missing glyph is drawn as the font's own "missing" box.
#[derive(Debug)]
pub(super) enum Never {}

impl std::fmt::Display for Never {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {}
    }
}

impl std::error::Error for Never {}

impl BackendTextStyle for BackendType {
    type FontError = Never;

    fn color(&self) -> BackendColor {
        self.style.ink
    }
    // The SVG backend divides by 1.24 to get the em.
    fn size(&self) -> f64 {
        self.em * 1.24
    }
    fn transform(&self) -> FontTransform {
        if self.style.upwards {
            FontTransform::Rotate270
        } else {
            FontTransform::None
        }
    }
    fn style(&self) -> FontStyle {
        if self.style.bold {
            FontStyle::Bold
        } else {
            FontStyle::Normal
        }
    }
    fn anchor(&self) -> Pos {
        let h_pos = match self.style.align {
            Align::Start => HPos::Left,
            Align::Middle => HPos::Center,
            Align::End => HPos::Right,
        };
        Pos {
            h_pos,
            v_pos: VPos::Top,
        }
    }
    fn family(&self) -> FontFamily<'_> {
        FontFamily::Name(theme::FONT_FAMILY)
    }

    fn layout_box(&self, text: &str) -> Result<((i32, i32), (i32, i32)), Never> {
        let width = theme::text_width(text, self.em, self.style.bold).round() as i32;
        Ok(((0, 0), (width, self.em.round() as i32)))
    }

    fn draw<E, DrawFunc: FnMut(i32, i32, BackendColor) -> Result<(), E>>(
        &self,
        text: &str,
        (left, top): BackendCoord,
        mut draw: DrawFunc,
    ) -> Result<Result<(), E>, Never> {
        let Some(font) = theme::face(self.style.bold) else {
            return Ok(Ok(()));
        };
        let scaled = font.as_scaled(self.em as f32 * theme::line_height_per_em(font));
        let baseline = top as f32 + (self.em * TOP_TO_BASELINE_EM).round() as f32;
        let (mut x, mut before) = (left as f32, None);
        for c in text.chars() {
            let mut glyph = scaled.scaled_glyph(c);
            let id = glyph.id;
            x += before.map_or(0.0, |b| scaled.kern(b, id));
            glyph.position = point(x, baseline);
            x += scaled.h_advance(id);
            before = Some(id);
            let Some(outline) = scaled.outline_glyph(glyph) else {
                continue;
            };
            let corner = outline.px_bounds().min;
            let mut done = Ok(());
            outline.draw(|dx, dy, coverage| {
                if done.is_ok() && coverage > 0.0 {
                    let ink = self.style.ink.mix(f64::from(coverage.min(1.0)));
                    done = draw(
                        corner.x as i32 + dx as i32,
                        corner.y as i32 + dy as i32,
                        ink,
                    );
                }
            });
            if done.is_err() {
                return Ok(done);
            }
        }
        Ok(Ok(()))
    }
}
