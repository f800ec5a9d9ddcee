//! What a page can tell of a figure under the pointer. It travels in the SVG as `<metadata>`; a PNG
//! has none.
//!
//! A list of panels, each `{box: [left, top, right, bottom], x: [low, high], series: [{name, color,
//! at, value, low, high}]}`, or with `points: [[x, y, name]]` for `x` and `series`. Boxes and
//! points are in units of the SVG's viewBox, `x` is the data at the two sides of the box, numbers
//! are rounded to four digits, and what is missing is null.

use super::axis::{Frame, Scale};
use super::profile_panel::Point;
use super::theme::Ink;
use serde_json::{Value, json};

/// A named series of a panel.
pub(super) struct Series<'a> {
    pub name: &'a str,
    pub ink: Ink,
    pub points: &'a [Point],
}

fn rounded(value: f64) -> Value {
    match value.is_finite() {
        true => json!(format!("{value:.3e}").parse::<f64>().unwrap_or(value)),
        false => Value::Null,
    }
}

fn color(ink: Ink) -> String {
    let (r, g, b) = ink.rgb;
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// A panel of curves.
pub(super) fn curves(frame: &Frame, x: &Scale, series: &[Series<'_>]) -> Value {
    let one = |series: &Series<'_>| {
        let column = |value: fn(&Point) -> f64| {
            series
                .points
                .iter()
                .map(|p| rounded(value(p)))
                .collect::<Vec<_>>()
        };
        let mut entry = json!({
            "name": series.name,
            "color": color(series.ink),
            "at": series.points.iter().map(|p| p.offset).collect::<Vec<_>>(),
            "value": column(|p| p.mean),
        });
        if series
            .points
            .iter()
            .any(|p| p.low.is_finite() && p.high.is_finite())
        {
            entry["low"] = json!(column(|p| p.low));
            entry["high"] = json!(column(|p| p.high));
        }
        entry
    };
    let (low, high) = x.domain();
    json!({"box": corners(frame), "x": [rounded(low), rounded(high)], "series": series.iter().map(one).collect::<Vec<_>>()})
}

/// A panel of named points, in points of the page.
pub(super) fn points(frame: &Frame, points: &[(f64, f64, String)]) -> Value {
    let known = points
        .iter()
        .filter(|(x, y, _)| x.is_finite() && y.is_finite());
    json!({"box": corners(frame), "points": known.map(|(x, y, name)| json!([units(*x), units(*y), name])).collect::<Vec<_>>()})
}

fn corners(frame: &Frame) -> Vec<i64> {
    [frame.left, frame.top, frame.right, frame.bottom]
        .map(units)
        .to_vec()
}

fn units(points: f64) -> i64 {
    (points * super::canvas::SVG_UNITS_PER_PT).round() as i64
}
