//! From a figure to the bytes of a file: an SVG document or a PNG.

use super::Figure;
use super::canvas::{Canvas, DPI, OVERSAMPLE, Surface, failed};
use super::theme::{self, PT_PER_MM};
use crate::error::{Error, Result};
use plotters::backend::BitMapBackend;
use plotters::backend::SVGBackend;
use plotters_backend::DrawingBackend;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// No figure grows beyond this height (about 1.2 m); it bounds the memory a PNG can ask for.
const TALLEST_PT: f64 = 3400.0;

/// What the root of every SVG of ours carries beside its size and description.
const ROOT: &str = "stroke-linejoin=\"round\" role=\"img\" aria-label=\"";

/// Whether a file is an SVG document of ours, by its root; a PNG says nothing of who made it.
pub fn is_ours(path: &Path) -> bool {
    let mut head = [0; 256];
    let read = File::open(path)
        .and_then(|mut file| file.read(&mut head))
        .unwrap_or(0);
    let head = String::from_utf8_lossy(&head[..read]);
    head.starts_with("<svg ") && head.contains(ROOT)
}

/// The figure as an SVG document. The root carries its size in millimetres and the figure's
/// description as its accessible name.
pub fn svg<F: Figure>(figure: &F) -> Result<String> {
    let (width, height) = size(figure);
    let scale = SVGBackend::UNITS_PER_PT;
    let units = (
        (width * scale).round() as u32,
        (height * scale).round() as u32,
    );
    let mut drawn = String::new();
    let (hovers, pictures) = {
        let mut backend = SVGBackend::with_string(&mut drawn, units);
        let mut canvas = Canvas::new(&mut backend);
        figure.draw(&mut canvas)?;
        let made = (canvas.hovers, canvas.pictures.concat());
        backend.present().map_err(failed)?;
        made
    };
    let body = drawn
        .split_once('>')
        .map_or("", |(_, body)| body.trim_start());
    let body = match hovers.is_empty() {
        true => body.to_string(),
        false => {
            let note = escape(&serde_json::Value::Array(hovers).to_string());
            format!(
                "{}<metadata>{note}</metadata>\n</svg>\n",
                body.trim_end().trim_end_matches("</svg>")
            )
        }
    };
    let name = escape(&figure.description());
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{:.2}mm\" height=\"{:.2}mm\" viewBox=\"0 0 {} {}\" \
         {ROOT}{name}\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#FFFFFF\"/>\n{pictures}{body}",
        width / PT_PER_MM,
        height / PT_PER_MM,
        units.0,
        units.1,
    ))
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars().map(theme::printable) {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// The figure as a PNG of 300 dots per inch.
pub fn png<F: Figure>(figure: &F) -> Result<Vec<u8>> {
    let (width, height) = size(figure);
    let dots = |pt: f64| ((pt * DPI / 72.0).round() as u32).max(1);
    let (columns, rows) = (dots(width), dots(height));
    let large = (columns * OVERSAMPLE as u32, rows * OVERSAMPLE as u32);
    let mut canvas = vec![255_u8; large.0 as usize * large.1 as usize * 3];
    {
        let mut backend = BitMapBackend::with_buffer(&mut canvas, large);
        figure.draw(&mut Canvas::new(&mut backend))?;
        backend.present().map_err(failed)?;
    }
    encode(
        &average(&canvas, columns as usize, rows as usize),
        columns,
        rows,
    )
}

fn size<F: Figure>(figure: &F) -> (f64, f64) {
    let (width, height) = figure.size_pt();
    // `max` also turns NaN into the bound.
    let bounded = |side: f64, most: f64| side.max(10.0).clamp(10.0, most);
    (
        bounded(width, theme::DOUBLE_WIDTH * 2.0),
        bounded(height, TALLEST_PT),
    )
}

/// Means of `OVERSAMPLE` x `OVERSAMPLE` blocks of an RGB picture.
fn average(large: &[u8], columns: usize, rows: usize) -> Vec<u8> {
    let stride = columns * OVERSAMPLE * 3;
    let mut small = Vec::with_capacity(columns * rows * 3);
    let count = (OVERSAMPLE * OVERSAMPLE) as u32;
    for band in large.chunks_exact(stride * OVERSAMPLE) {
        for column in 0..columns {
            for channel in 0..3 {
                let mut sum = count / 2;
                for line in band.chunks_exact(stride) {
                    for k in 0..OVERSAMPLE {
                        sum += u32::from(line[(column * OVERSAMPLE + k) * 3 + channel]);
                    }
                }
                small.push((sum / count) as u8);
            }
        }
    }
    small
}

/// An RGB picture as a PNG file.
pub(super) fn encode(pixels: &[u8], columns: u32, rows: u32) -> Result<Vec<u8>> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, columns, rows);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let per_meter = (DPI / 0.0254).round() as u32;
    encoder.set_pixel_dims(Some(png::PixelDimensions {
        xppu: per_meter,
        yppu: per_meter,
        unit: png::Unit::Meter,
    }));
    let refused = |e: png::EncodingError| {
        Error::Invalid(format!("a figure could not be written as PNG: {e}"))
    };
    let mut writer = encoder.write_header().map_err(refused)?;
    writer.write_image_data(pixels).map_err(refused)?;
    writer.finish().map_err(refused)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::canvas::Canvas;
    use crate::figures::lettering::Type;
    use crate::figures::theme::{BLACK, BLUE, Marker};

    /// A square, a line, a text with awkward characters, and shapes that must vanish.
    struct Sample(&'static str);

    impl Figure for Sample {
        fn size_pt(&self) -> (f64, f64) {
            (72.0, 36.0)
        }
        fn description(&self) -> String {
            format!("a \"sample\" {}", self.0)
        }
        fn draw<S: Surface>(&self, canvas: &mut Canvas<'_, S>) -> Result<()> {
            canvas.rect((0.0, 0.0), (36.0, 36.0), BLUE)?;
            canvas.line(&[(36.0, 20.0), (72.0, 30.0), (40.0, f64::NAN)], 1.0, BLACK)?;
            canvas.marker(Marker::Diamond, (f64::INFINITY, 1.0), 2.0, BLACK)?;
            canvas.dashes((0.0, 0.0), (f64::MAX, 0.0), (1.0, 1.0), 1.0, BLACK)?;
            canvas.text(self.0, (40.0, 20.0), Type::new(7.0, BLACK))
        }
    }

    #[test]
    fn svg_states_its_size_escapes_and_repeats() {
        let figure = Sample("<script>&\u{1}");
        let text = svg(&figure).unwrap();
        assert!(text.contains("width=\"25.40mm\" height=\"12.70mm\" viewBox=\"0 0 1440 720\""));
        assert!(text.contains("&lt;script&gt;&amp;") && !text.contains("<script"));
        assert!(!text.contains('\u{1}') && !text.contains("NaN") && !text.contains(" id="));
        assert!(
            !text.contains("<polyline"),
            "a line with a NaN is not drawn"
        );
        assert_eq!(text, svg(&figure).unwrap());
        let file = tempfile::NamedTempFile::new().unwrap();
        for (text, ours) in [
            (text.as_str(), true),
            ("<svg xmlns=\"http://www.w3.org/2000/svg\"></svg>", false),
            ("", false),
        ] {
            std::fs::write(file.path(), text).unwrap();
            assert_eq!(is_ours(file.path()), ours);
        }
    }

    #[test]
    fn png_has_the_promised_pixels() {
        let figure = Sample("A");
        let file = png(&figure).unwrap();
        assert_eq!(file, png(&figure).unwrap());
        let mut reader = png::Decoder::new(std::io::Cursor::new(&file))
            .read_info()
            .unwrap();
        assert_eq!((reader.info().width, reader.info().height), (300, 150));
        assert_eq!(reader.info().pixel_dims.unwrap().xppu, 11811);
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        let at = |x: usize, y: usize| &pixels[(y * 300 + x) * 3..][..3];
        assert_eq!(at(10, 10), [0, 114, 178]);
        assert_eq!(at(290, 140), [255, 255, 255]);
    }

    #[test]
    fn text_is_as_high_in_png_as_in_svg() {
        // The letter H at 70 pt: Noto Sans capitals are 1462 of 2048 units high.
        struct Letter;
        impl Figure for Letter {
            fn size_pt(&self) -> (f64, f64) {
                (100.0, 100.0)
            }
            fn description(&self) -> String {
                String::new()
            }
            fn draw<S: Surface>(&self, canvas: &mut Canvas<'_, S>) -> Result<()> {
                canvas.text("H", (20.0, 80.0), Type::new(70.0, BLACK))
            }
        }
        let mut reader = png::Decoder::new(std::io::Cursor::new(png(&Letter).unwrap()))
            .read_info()
            .unwrap();
        let width = reader.info().width as usize;
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        let dark: Vec<usize> = pixels
            .chunks(width * 3)
            .enumerate()
            .filter(|(_, r)| r.iter().any(|&v| v < 128))
            .map(|(y, _)| y)
            .collect();
        let (top, bottom) = (dark[0] as f64, *dark.last().unwrap() as f64 + 1.0);
        let dot = 72.0 / DPI;
        assert!(
            (bottom * dot - 80.0).abs() < 0.5,
            "baseline at {}",
            bottom * dot
        );
        assert!(
            ((bottom - top) * dot - 49.98).abs() < 0.5,
            "height {}",
            (bottom - top) * dot
        );
        assert!(svg(&Letter).unwrap().contains("font-size=\"1400\""));
    }
}
