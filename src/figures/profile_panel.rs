//! One panel of a profile: what lies between its axes.

use super::axis::{Frame, Scale};
use super::canvas::{Canvas, Surface};
use super::hover;
use super::lettering::{Align, Type};
use super::logo;
use super::profile::{ProfilePanel, ProfileSeries};
use super::theme::{
    self, AXIS_WIDTH, BAND_ALPHA, BLACK, DATA_WIDTH, GREY, Ink, NOTE_SIZE, SHADE, WHITE,
};
use super::ticks::{self, Ticks};
use crate::error::Result;

/// Height of the sketch of the two sides.
const STRIP: f64 = 8.5;
/// From the lower edge of a plot to its axis: the sketch of the two sides lies between.
const AXIS_DROP: f64 = STRIP + 5.0;
/// From the lower edge of a plot to the baseline of its axis title.
const NAME_DROP: f64 = AXIS_DROP + 20.5;
/// From the lower edge of a plot to the end of everything under it.
pub(super) const BELOW: f64 = NAME_DROP + 6.0;
/// Height of the sequence logo.
pub(super) const LOGO: f64 = 24.0;
/// Up to this many offsets, each has a tick.
const MINOR_TICKS: i64 = 40;
/// The line at offset 0: dark enough to be seen through the bands.
pub(super) const JUNCTION: Ink = theme::ink(70, 70, 70);

/// Which part of the data a panel shows, and how.
pub(super) struct View<'a> {
    /// First and last offset.
    pub offsets: (i32, i32),
    /// Smallest and largest value of all panels of the row, if there is any.
    pub range: Option<(f64, f64)>,
    /// Only the first column of a row carries labels on its vertical axis.
    pub first_column: bool,
    /// A marker at every offset.
    pub markers: bool,
    /// The logo under the data.
    pub logo: bool,
    /// Title of the horizontal axis.
    pub x_label: &'a str,
    /// Title of the vertical axis.
    pub y_label: &'a str,
}

/// A mean and its interval at an offset.
#[derive(Clone, Copy)]
pub(super) struct Point {
    pub offset: i32,
    pub mean: f64,
    pub low: f64,
    pub high: f64,
}

/// The points of a series by rising offset.
pub(super) fn points(series: &ProfileSeries) -> Vec<Point> {
    let limit = |limits: &[f64], i: usize| limits.get(i).copied().unwrap_or(f64::NAN);
    let pairs = series.offsets.iter().zip(&series.mean).enumerate();
    let mut points: Vec<Point> = pairs
        .map(|(i, (&offset, &mean))| {
            let (low, high) = (limit(&series.ci_low, i), limit(&series.ci_high, i));
            Point {
                offset,
                mean,
                low,
                high,
            }
        })
        .collect();
    points.sort_by_key(|p| p.offset);
    points
}

/// An offset with its sign.
pub(super) fn signed(offset: i32) -> String {
    match offset {
        0 => "0".into(),
        o if o > 0 => format!("+{o}"),
        o => format!("−{}", o.unsigned_abs()),
    }
}

/// Draws one panel over the offsets of the view: shading, axes, the sketch of the two sides, the
/// position's line, the series.
pub(super) fn draw<S: Surface>(
    canvas: &mut Canvas<'_, S>,
    panel: &ProfilePanel,
    frame: Frame,
    view: &View<'_>,
) -> Result<()> {
    let (first, last) = view.offsets;
    // Half an offset of room at each end, so that end markers are not cut.
    let ends = (f64::from(first) - 0.5, f64::from(last) + 0.5);
    let x = Scale::new(ends, (frame.left, frame.right));
    let ticks = Ticks::around(view.range.unwrap_or((0.0, 1.0)), 6);
    let y = Scale::new(ticks.range, (frame.bottom, frame.top));
    if let Some((a, b)) = panel.endpoint {
        let (a, b) = (f64::from(a.min(b)) - 0.5, f64::from(a.max(b)) + 0.5);
        let (a, b) = (a.max(ends.0), b.min(ends.1));
        if a < b {
            canvas.rect((x.at(a), frame.top), (x.at(b), frame.bottom), SHADE)?;
        }
    }
    frame.y_axis(canvas, &y, &ticks, !view.first_column)?;
    let name_offset = ticks.name_offset();
    sketch(canvas, panel, &frame, &x, ends)?;
    let logo_drop = if view.logo { LOGO } else { 0.0 };
    if view.logo {
        let (from, top) = (panel.logo_first.max(first), frame.bottom + AXIS_DROP - 1.0);
        let skipped = usize::try_from(from - panel.logo_first).unwrap_or(0);
        let columns = panel
            .logo
            .iter()
            .skip(skipped)
            .take(usize::try_from(last - from).unwrap_or(0));
        let columns: Vec<[f64; 4]> = columns.copied().collect();
        let shifted = Scale::new(
            (ends.0 - f64::from(from), ends.1 - f64::from(from)),
            (frame.left, frame.right),
        );
        logo::draw(
            canvas,
            &columns,
            &shifted,
            (top, frame.bottom + AXIS_DROP + LOGO - 1.0),
        )?;
    }
    if ends.0 < 0.0 && ends.1 > 0.0 {
        let junction = x.at(0.0);
        let points = [
            (junction, frame.top),
            (junction, frame.bottom + AXIS_DROP + logo_drop),
        ];
        canvas.line(&points, 0.75, JUNCTION)?;
    }
    let drawn = curves(
        canvas,
        &panel.series,
        (first, last),
        &frame,
        (&x, &y),
        view.markers,
    )?;
    if !drawn {
        frame.say(canvas, "no data")?;
    }
    let mut ticks: Vec<(f64, String)> = ticks::offset_ticks((first, last), 7)
        .into_iter()
        .map(|t| (f64::from(t), signed(t)))
        .collect();
    if i64::from(last) - i64::from(first) <= MINOR_TICKS {
        ticks.extend((first..=last).map(|t| (f64::from(t), String::new())));
    }
    frame.x_axis(canvas, &x, &ticks, AXIS_DROP + logo_drop)?;
    let y_label = if view.first_column { view.y_label } else { "" };
    frame.names(
        canvas,
        (view.x_label, NAME_DROP + logo_drop),
        (y_label, name_offset),
    )
}

/// The two sides under the data: a box for an exon, a line for an intron.
fn sketch<S: Surface>(
    canvas: &mut Canvas<'_, S>,
    panel: &ProfilePanel,
    frame: &Frame,
    x: &Scale,
    ends: (f64, f64),
) -> Result<()> {
    let (top, bottom) = (frame.bottom + 2.5, frame.bottom + 2.5 + STRIP);
    let middle = (top + bottom) / 2.0;
    let zero = x.at(0.0_f64.clamp(ends.0, ends.1));
    for (side, from, to) in [
        (&panel.left, frame.left, zero),
        (&panel.right, zero, frame.right),
    ] {
        let name = theme::fit(&side.label, to - from - 6.0, NOTE_SIZE, false);
        let center = (from + to) / 2.0;
        if to - from < 1.0 || side.label.is_empty() {
            continue;
        }
        let style = Type::new(NOTE_SIZE, BLACK).align(Align::Middle);
        if side.block {
            canvas.rect((from, top), (to, bottom), theme::ink(208, 208, 208))?;
        } else {
            canvas.line(&[(from, middle), (to, middle)], AXIS_WIDTH, GREY)?;
            // The name interrupts the line: a white gap behind it.
            let half = theme::text_width(&name, NOTE_SIZE, false) / 2.0 + 3.0;
            canvas.rect((center - half, top), (center + half, bottom), WHITE)?;
        }
        canvas.text(&name, (center, middle + NOTE_SIZE * 0.36), style)?;
    }
    Ok(())
}

/// The curves of a panel between two offsets, the first on top; says whether anything was there to
/// draw.
pub(super) fn curves<S: Surface>(
    canvas: &mut Canvas<'_, S>,
    series: &[ProfileSeries],
    (first, last): (i32, i32),
    frame: &Frame,
    scales: (&Scale, &Scale),
    markers: bool,
) -> Result<bool> {
    inked_curves(
        canvas,
        series,
        (first, last),
        frame,
        scales,
        (markers, &theme::series_ink),
    )
}

/// The same in other colours, one by number of the series.
pub(super) fn inked_curves<S: Surface>(
    canvas: &mut Canvas<'_, S>,
    series: &[ProfileSeries],
    (first, last): (i32, i32),
    frame: &Frame,
    (x, y): (&Scale, &Scale),
    (markers, ink): (bool, &dyn Fn(usize) -> Ink),
) -> Result<bool> {
    let inside = |series: &ProfileSeries| {
        points(series)
            .into_iter()
            .filter(|p| (first..=last).contains(&p.offset))
            .collect()
    };
    let all: Vec<Vec<Point>> = series.iter().map(inside).collect();
    let mut drawn = false;
    for (i, points) in all.iter().enumerate().rev() {
        drawn |= curve(
            canvas,
            points,
            (x, y),
            ink(i),
            markers.then(|| theme::series_marker(i)),
        )?;
    }
    let told = series.iter().zip(&all).enumerate();
    let told: Vec<_> = told
        .map(|(i, (series, points))| hover::Series {
            name: &series.label,
            ink: ink(i),
            points,
        })
        .collect();
    canvas.hovers.push(hover::curves(frame, x, &told));
    Ok(drawn)
}

/// Band, line and markers of a series, broken where a value is missing; says whether anything was
/// there to draw.
fn curve<S: Surface>(
    canvas: &mut Canvas<'_, S>,
    points: &[Point],
    (x, y): (&Scale, &Scale),
    ink: Ink,
    marker: Option<theme::Marker>,
) -> Result<bool> {
    let at = |p: &Point, value: f64| (x.at(f64::from(p.offset)), y.at(value));
    for run in points
        .chunk_by(|a, b| banded(a) && banded(b))
        .filter(|r| banded(&r[0]))
    {
        let mut outline: Vec<(f64, f64)> = run.iter().map(|p| at(p, p.high)).collect();
        outline.extend(run.iter().rev().map(|p| at(p, p.low)));
        canvas.polygon(&outline, ink.mix(BAND_ALPHA))?;
        if let [only] = run {
            canvas.line(&[at(only, only.low), at(only, only.high)], AXIS_WIDTH, ink)?;
        }
    }
    let mut any = false;
    for run in points.chunk_by(|a, b| a.mean.is_finite() && b.mean.is_finite()) {
        let line: Vec<(f64, f64)> = run
            .iter()
            .filter(|p| p.mean.is_finite())
            .map(|p| at(p, p.mean))
            .collect();
        any |= !line.is_empty();
        canvas.line(
            &line,
            if marker.is_some() {
                DATA_WIDTH
            } else {
                DATA_WIDTH * 0.8
            },
            ink,
        )?;
        // A value between two gaps has no line: it shows as a point.
        let marker = marker.or((line.len() == 1).then_some(theme::Marker::Circle));
        if let Some(marker) = marker {
            for &point in &line {
                canvas.marker(marker, point, 1.9, ink)?;
            }
        }
    }
    Ok(any)
}

fn banded(p: &Point) -> bool {
    p.low.is_finite() && p.high.is_finite()
}
