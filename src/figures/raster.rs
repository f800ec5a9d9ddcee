//! Grids of cells as pictures inside of an SVG: one element, whatever the number of cells.

use super::render;
use super::theme::Ink;
use crate::error::Result;

/// An SVG element that shows one cell a pixel, from an upper left corner on, of a width and height
/// in units of the document.
pub(super) fn image(
    (left, top): (i32, i32),
    (width, height): (i32, i32),
    rows: &[Vec<Ink>],
) -> Result<String> {
    let columns = rows.first().map_or(0, Vec::len);
    let pixels: Vec<u8> = rows
        .iter()
        .flatten()
        .flat_map(|ink| [ink.rgb.0, ink.rgb.1, ink.rgb.2])
        .collect();
    let png = render::encode(&pixels, columns as u32, rows.len() as u32)?;
    Ok(format!(
        "<image x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\" preserveAspectRatio=\"none\" style=\"image-rendering:pixelated\" \
         href=\"data:image/png;base64,{}\"/>\n",
        base64(&png)
    ))
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let bits = chunk
            .iter()
            .chain([0; 2].iter())
            .take(3)
            .fold(0, |bits, byte| bits << 8 | usize::from(*byte));
        for digit in 0..4 {
            let known = digit <= chunk.len();
            text.push(if known {
                char::from(DIGITS[bits >> (18 - 6 * digit) & 63])
            } else {
                '='
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::theme::ink;

    #[test]
    fn base64_of_the_standard() {
        // RFC 4648, section 10.
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(&[0xff, 0xef, 0xbe]), "/+++");
    }

    #[test]
    fn one_element_of_any_number_of_cells() {
        let rows: Vec<Vec<Ink>> = (0..200u8)
            .map(|r| (0..241u8).map(|c| ink(r, c, 0)).collect())
            .collect();
        let element = image((10, 20), (2410, 2000), &rows).unwrap();
        assert_eq!(element.matches('<').count(), 1);
        assert!(
            element.starts_with("<image x=\"10\" y=\"20\" width=\"2410\" height=\"2000\"")
                && element.contains("base64,iVBORw0KGgo")
        );
    }
}
