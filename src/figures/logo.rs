//! Sequence logos (Schneider & Stephens 1990): letters as high as their share of a column's
//! information.

use super::axis::Scale;
use super::canvas::{Canvas, Surface};
use super::theme::{self, BLUE, Ink, VERMILLION};
use crate::error::Result;
use ab_glyph::{Font, OutlineCurve, Point};

/// A, C, G and T with their colours.
const LETTERS: [(char, Ink); 4] = [
    ('A', theme::ink(0, 158, 115)),
    ('C', BLUE),
    ('G', theme::ORANGE),
    ('T', VERMILLION),
];

/// A letter and its colour; `None` for another than A, C, G and T.
pub fn letter(base: u8) -> Option<(char, Ink)> {
    LETTERS
        .into_iter()
        .find(|(letter, _)| *letter == char::from(base))
}

/// Bits of a column without uncertainty.
const MOST_BITS: f64 = 2.0;

/// Steps into which a curve of a letter is cut.
const STEPS: usize = 8;

/// Draws a logo: column `i` of `columns` (frequencies of A, C, G and T) between positions `i` and
/// `i + 1` of `x`, 2 bits from `bottom` to `top`.
pub fn draw<S: Surface>(
    canvas: &mut Canvas<'_, S>,
    columns: &[[f64; 4]],
    x: &Scale,
    (top, bottom): (f64, f64),
) -> Result<()> {
    for (index, column) in columns.iter().enumerate() {
        let (left, right) = (x.at(index as f64), x.at(index as f64 + 1.0));
        let bits = information(column);
        let mut order: Vec<usize> = (0..4)
            .filter(|i| column[*i].is_finite() && column[*i] > 0.0)
            .collect();
        order.sort_by(|a, b| column[*a].total_cmp(&column[*b]).then(b.cmp(a))); // the most frequent on top
        let mut base = bottom;
        for letter in order {
            let height = column[letter] * bits / MOST_BITS * (bottom - top);
            if height > 0.05 {
                let (name, ink) = LETTERS[letter];
                glyph(
                    canvas,
                    name,
                    (left + 0.04 * (right - left), base - height),
                    (right - 0.04 * (right - left), base),
                    ink,
                )?;
            }
            base -= height;
        }
    }
    Ok(())
}

/// `2 + sum f log2 f`, between 0 and 2.
fn information(column: &[f64; 4]) -> f64 {
    let entropy: f64 = column
        .iter()
        .filter(|f| **f > 0.0)
        .map(|f| -f * f.log2())
        .sum();
    (MOST_BITS - entropy).clamp(0.0, MOST_BITS)
}

/// A letter stretched to a rectangle. A contour after the first is the hole of the A.
fn glyph<S: Surface>(
    canvas: &mut Canvas<'_, S>,
    letter: char,
    (left, top): (f64, f64),
    (right, bottom): (f64, f64),
    ink: Ink,
) -> Result<()> {
    let Some(outline) = theme::face(true).and_then(|font| font.outline(font.glyph_id(letter)))
    else {
        return canvas.rect((left, top), (right, bottom), ink);
    };
    let contours = contours(&outline.curves);
    let all = || contours.iter().flatten();
    let ends = |value: fn(&Point) -> f32| {
        all()
            .map(value)
            .fold((f32::MAX, f32::MIN), |(low, high), v| {
                (low.min(v), high.max(v))
            })
    };
    let ((x_low, x_high), (y_low, y_high)) = (ends(|p| p.x), ends(|p| p.y));
    let place = |p: &Point| {
        let (x, y) = (
            f64::from((p.x - x_low) / (x_high - x_low)),
            f64::from((p.y - y_low) / (y_high - y_low)),
        );
        (left + x * (right - left), bottom - y * (bottom - top))
    };
    for (number, contour) in contours.iter().enumerate() {
        let points: Vec<(f64, f64)> = contour.iter().map(place).collect();
        canvas.polygon(&points, if number == 0 { ink } else { theme::WHITE })?;
    }
    Ok(())
}

/// Closed polygons, the widest first.
fn contours(curves: &[OutlineCurve]) -> Vec<Vec<Point>> {
    let mut found: Vec<Vec<Point>> = Vec::new();
    let mut last = None;
    for curve in curves {
        let (start, points, end): (Point, Vec<Point>, Point) = match curve {
            OutlineCurve::Line(a, b) => (*a, vec![*b], *b),
            OutlineCurve::Quad(a, b, c) => (
                *a,
                (1..=STEPS)
                    .map(|i| quadratic(*a, *b, *c, i as f32 / STEPS as f32))
                    .collect(),
                *c,
            ),
            OutlineCurve::Cubic(a, b, c, d) => {
                let at = |t: f32| {
                    let (p, q) = (quadratic(*a, *b, *c, t), quadratic(*b, *c, *d, t));
                    Point {
                        x: p.x + (q.x - p.x) * t,
                        y: p.y + (q.y - p.y) * t,
                    }
                };
                (
                    *a,
                    (1..=STEPS).map(|i| at(i as f32 / STEPS as f32)).collect(),
                    *d,
                )
            }
        };
        match found.last_mut().filter(|_| last == Some(start)) {
            Some(contour) => contour.extend(points),
            None => found.push([vec![start], points].concat()),
        }
        last = Some(end);
    }
    let width = |contour: &Vec<Point>| {
        let ends = contour.iter().fold((f32::MAX, f32::MIN), |(low, high), p| {
            (low.min(p.x), high.max(p.x))
        });
        ends.1 - ends.0
    };
    found.sort_by(|a, b| width(b).total_cmp(&width(a)));
    found
}

fn quadratic(a: Point, b: Point, c: Point, t: f32) -> Point {
    let at =
        |a: f32, b: f32, c: f32| (1.0 - t) * (1.0 - t) * a + 2.0 * t * (1.0 - t) * b + t * t * c;
    Point {
        x: at(a.x, b.x, c.x),
        y: at(a.y, b.y, c.y),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_closed_and_the_a_has_a_hole() {
        for (letter, n) in [('A', 2), ('C', 1), ('G', 1), ('T', 1)] {
            let font = theme::face(true).unwrap();
            let outline = font.outline(font.glyph_id(letter)).unwrap();
            let contours = contours(&outline.curves);
            assert_eq!(contours.len(), n, "{letter}");
            assert!(
                contours
                    .iter()
                    .all(|c| c.len() > 2 && c.first() == c.last())
            );
        }
    }

    #[test]
    fn information_as_schneider() {
        assert_eq!(
            (
                information(&[1.0, 0.0, 0.0, 0.0]),
                information(&[0.25; 4]),
                information(&[0.5, 0.5, 0.0, 0.0])
            ),
            (2.0, 0.0, 1.0)
        );
    }
}
