//! The one look of every figure: colour-blind-safe colours, type sizes in points, journal widths,
//! and the bundled font.
//!
//! The font is Noto Sans (SIL Open Font License 1.1, through the crate `notosans`), so that a
//! figure never depends on what a machine has installed. It draws the PNG and measures every text;
//! SVG files name it first and fall back to common faces.

use ab_glyph::{Font, FontRef, GlyphId, ScaleFont};
use plotters_backend::BackendColor;
use std::sync::OnceLock;

/// Points in a millimetre.
pub const PT_PER_MM: f64 = 72.0 / 25.4;
/// Width of a one-column figure: 89 mm, in points.
pub const SINGLE_WIDTH: f64 = 89.0 * PT_PER_MM;
/// Width of a two-column figure: 183 mm, in points.
pub const DOUBLE_WIDTH: f64 = 183.0 * PT_PER_MM;

/// The font families an SVG text asks for, best first. Arial and its metric twins are narrower than
/// Noto Sans, so a layout measured in Noto Sans holds in them.
pub const FONT_FAMILY: &str =
    "'Noto Sans', Arial, Helvetica, 'Liberation Sans', 'DejaVu Sans', sans-serif";

/// Size of panel titles, in points.
pub const TITLE_SIZE: f64 = 8.5;
/// Size of axis titles, in points.
pub const LABEL_SIZE: f64 = 7.5;
/// Size of tick labels and legends, in points.
pub const TICK_SIZE: f64 = 7.0;
/// Size of footnotes and annotations, in points; nothing is printed smaller than 6.
pub const NOTE_SIZE: f64 = 6.5;
/// From one line of a footnote to the next.
pub const NOTE_LINE: f64 = 8.5;

/// Width of data lines, in points.
pub const DATA_WIDTH: f64 = 1.1;
/// Width of axis lines and ticks, in points.
pub const AXIS_WIDTH: f64 = 0.6;
/// Width of grid lines, in points.
pub const GRID_WIDTH: f64 = 0.35;
/// Length of a tick, in points.
pub const TICK_LENGTH: f64 = 2.6;

/// A colour with its opacity.
pub type Ink = BackendColor;

/// An opaque colour.
pub const fn ink(red: u8, green: u8, blue: u8) -> Ink {
    BackendColor {
        alpha: 1.0,
        rgb: (red, green, blue),
    }
}

/// Text and data axes.
pub const BLACK: Ink = ink(26, 26, 26);
/// Secondary text; contrast against white above 4.5 to 1.
pub const GREY: Ink = ink(95, 95, 95);
/// Grid lines.
pub const LIGHT: Ink = ink(222, 222, 222);
/// Shaded windows behind the data.
pub const SHADE: Ink = ink(238, 238, 238);
/// The page.
pub const WHITE: Ink = ink(255, 255, 255);
/// Okabe-Ito blue: the series a figure is about.
pub const BLUE: Ink = ink(0, 114, 178);
/// Okabe-Ito orange: the first control.
pub const ORANGE: Ink = ink(230, 159, 0);
/// Okabe-Ito vermillion: emphasis and reference lines.
pub const VERMILLION: Ink = ink(213, 94, 0);

/// Series colours in order of use (Okabe and Ito 2008, without the yellow that is too light for a
/// line).
pub const SERIES: [Ink; 6] = [
    BLUE,
    ORANGE,
    ink(0, 158, 115),
    ink(204, 121, 167),
    VERMILLION,
    ink(86, 180, 233),
];

/// Opacity of confidence bands.
pub const BAND_ALPHA: f64 = 0.2;

/// The shape of a data point: the second way, after colour, to tell series apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marker {
    /// A disc.
    Circle,
    /// A square on its side.
    Square,
    /// A triangle pointing up.
    Triangle,
    /// A square on its corner.
    Diamond,
}

/// The colour of series number `index`, repeating after the last.
pub fn series_ink(index: usize) -> Ink {
    SERIES[index % SERIES.len()]
}

/// The colour as it looks half covered by white, opaque: fillings that hide what lies behind.
pub fn pale(color: Ink) -> Ink {
    let half = |v: u8| 255 - (255 - v) / 2;
    ink(half(color.rgb.0), half(color.rgb.1), half(color.rgb.2))
}

/// The marker of series number `index`, repeating after the last.
pub fn series_marker(index: usize) -> Marker {
    [
        Marker::Circle,
        Marker::Square,
        Marker::Triangle,
        Marker::Diamond,
    ][index % 4]
}

/// The bundled face, or `None` if its bytes could not be parsed (a test holds that they can).
pub(crate) fn face(bold: bool) -> Option<&'static FontRef<'static>> {
    static REGULAR: OnceLock<Option<FontRef<'static>>> = OnceLock::new();
    static BOLD: OnceLock<Option<FontRef<'static>>> = OnceLock::new();
    if bold {
        BOLD.get_or_init(|| FontRef::try_from_slice(notosans::BOLD_TTF).ok())
            .as_ref()
    } else {
        REGULAR
            .get_or_init(|| FontRef::try_from_slice(notosans::REGULAR_TTF).ok())
            .as_ref()
    }
}

/// ab_glyph scales by line height, typography by the em: the factor between them.
pub(crate) fn line_height_per_em(font: &FontRef<'static>) -> f32 {
    font.units_per_em()
        .map_or(1.0, |units| font.height_unscaled() / units)
}

/// Width of a line of text in the bundled font; `size` and the result share a unit.
pub fn text_width(text: &str, size: f64, bold: bool) -> f64 {
    let Some(font) = face(bold) else {
        return text.chars().count() as f64 * size * 0.55;
    };
    let scaled = font.as_scaled(size as f32 * line_height_per_em(font));
    let (mut width, mut before) = (0.0, None::<GlyphId>);
    for c in text.chars() {
        let glyph = scaled.glyph_id(c);
        width += scaled.h_advance(glyph) + before.map_or(0.0, |b| scaled.kern(b, glyph));
        before = Some(glyph);
    }
    f64::from(width)
}

/// The text if it fits into `room`, else as much of its beginning as fits with an ellipsis. Control
/// characters, which SVG cannot hold, become spaces.
pub fn fit(text: &str, room: f64, size: f64, bold: bool) -> String {
    // A label longer than this fits nowhere; cutting it first keeps the search below short for
    // absurd input.
    const LONGEST: usize = 400;
    let mut chars: Vec<char> = text.chars().take(LONGEST).map(printable).collect();
    let whole: String = chars.iter().collect();
    if chars.len() < LONGEST && text_width(&whole, size, bold) <= room {
        return whole;
    }
    while chars.pop().is_some() {
        let cut: String = chars.iter().collect();
        let cut = format!("{}…", cut.trim_end());
        if text_width(&cut, size, bold) <= room {
            return cut;
        }
    }
    String::new()
}

/// Breaks a text into lines no wider than `room`, at spaces; a word too long for a line is cut
/// short.
pub fn wrap(text: &str, room: f64, size: f64, bold: bool) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let joined = lines.last().map(|line| format!("{line} {word}"));
        match (lines.last_mut(), joined) {
            (Some(last), Some(joined)) if text_width(&joined, size, bold) <= room => *last = joined,
            _ => lines.push(word.to_owned()),
        }
    }
    lines
        .iter()
        .map(|line| fit(line, room, size, bold))
        .collect()
}

/// XML 1.0 holds no control characters and no non-characters.
pub(crate) fn printable(c: char) -> char {
    if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') {
        ' '
    } else {
        c
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bundled_faces_parse_and_hold_the_signs_we_print() {
        for bold in [false, true] {
            let font = face(bold).unwrap();
            for c in "−–…±×≤≥′″·|Δ%ABCabc0123456789".chars() {
                assert_ne!(font.glyph_id(c).0, 0, "no glyph for {c}");
            }
        }
    }

    #[test]
    fn width_is_that_of_the_advance_table() {
        // Noto Sans: the digit zero advances 1171 of 2048 units.
        assert!((text_width("0000", 1000.0, false) - 4000.0 * 1171.0 / 2048.0).abs() < 0.01);
        assert!(text_width("0000", 10.0, true) >= text_width("0000", 10.0, false));
    }

    #[test]
    fn fit_never_exceeds_its_room() {
        for room in [0.0, 3.0, 20.0, 90.0] {
            let cut = fit(&"a very long gene name ".repeat(400), room, 7.0, false);
            assert!(text_width(&cut, 7.0, false) <= room);
        }
        assert_eq!(fit("short", 100.0, 7.0, false), "short");
        assert_eq!(fit("a\u{0}b\u{1b}c", 100.0, 7.0, false), "a b c");
        assert_eq!(fit("abc", f64::NAN, 7.0, false), "");
    }

    #[test]
    fn wrap_keeps_every_word_in_order() {
        let text = "one two three four five six seven";
        let lines = wrap(text, 50.0, 7.0, false);
        assert!(lines.len() > 1);
        assert_eq!(lines.join(" "), text);
        assert!(wrap("", 50.0, 7.0, false).is_empty());
    }

    #[test]
    fn series_colours_differ_and_repeat() {
        let mut colours = SERIES.map(|ink| ink.rgb).to_vec();
        colours.sort_unstable();
        colours.dedup();
        assert_eq!(colours.len(), SERIES.len());
        assert_eq!(series_ink(6).rgb, series_ink(0).rgb);
    }
}
