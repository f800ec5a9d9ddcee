//! Volcano plots: effect against strength of evidence, one point a comparison.

use super::Figure;
use super::axis::{Frame, Scale};
use super::canvas::{Canvas, Surface};
use super::hover;
use super::lettering::{Align, Type};
use super::theme::{self, BLACK, BLUE, GREY, Marker, NOTE_SIZE, VERMILLION};
use super::ticks::{self, Ticks};
use crate::error::Result;

const LEFT: f64 = 36.0;
const RIGHT: f64 = 9.0;
const GAP: f64 = 34.0;
const PLOT: f64 = 150.0;
const HEAD: f64 = 18.0;
const FOOT: f64 = 36.0;
const COLUMNS: usize = 2;
/// Points that carry their name, in each panel.
const NAMED: usize = 10;

/// Panels, two abreast; page-wide.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct VolcanoFigure {
    /// The panels, in reading order.
    pub panels: Vec<VolcanoPanel>,
    /// Title of the horizontal axes.
    pub x_label: String,
    /// A footnote; empty for none.
    pub note: String,
}

/// One family of comparisons.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct VolcanoPanel {
    /// Title over the panel.
    pub title: String,
    /// The points. Those without a finite effect or p-value are left out.
    pub points: Vec<VolcanoPoint>,
}

/// One comparison.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct VolcanoPoint {
    /// Its name.
    pub label: String,
    /// The effect.
    pub effect: f64,
    /// The p-value, before adjustment.
    pub p_value: f64,
    /// Whether it is significant after adjustment.
    pub significant: bool,
}

impl VolcanoPoint {
    fn is_shown(&self) -> bool {
        self.effect.is_finite() && self.p_value > 0.0 && self.p_value <= 1.0
    }
}

impl VolcanoFigure {
    fn note_lines(&self) -> Vec<String> {
        theme::wrap(
            &self.note,
            theme::DOUBLE_WIDTH - LEFT - RIGHT,
            NOTE_SIZE,
            false,
        )
    }

    fn panel<S: Surface>(
        &self,
        canvas: &mut Canvas<'_, S>,
        panel: &VolcanoPanel,
        frame: Frame,
    ) -> Result<()> {
        let points: Vec<&VolcanoPoint> = panel.points.iter().filter(|p| p.is_shown()).collect();
        let found = points.iter().filter(|p| p.significant).count();
        frame.title(
            canvas,
            &format!("{}: {found} of {} significant", panel.title, points.len()),
            HEAD - theme::TITLE_SIZE,
        )?;
        let height = |p: &VolcanoPoint| -p.p_value.log10();
        let x_ticks = Ticks::around(
            ticks::extent(points.iter().map(|p| p.effect).chain([0.0])).unwrap_or((-1.0, 1.0)),
            6,
        );
        let y_ticks = Ticks::around(
            ticks::extent(points.iter().map(|p| height(p)).chain([0.0, 1.0])).unwrap_or((0.0, 1.0)),
            6,
        );
        let x = Scale::new(x_ticks.range, (frame.left, frame.right));
        let y = Scale::new(y_ticks.range, (frame.bottom, frame.top));
        frame.y_axis(canvas, &y, &y_ticks, false)?;
        canvas.line(
            &[(x.at(0.0), frame.top), (x.at(0.0), frame.bottom)],
            0.75,
            GREY,
        )?;
        for significant in [false, true] {
            for p in points.iter().filter(|p| p.significant == significant) {
                let ink = if significant {
                    VERMILLION
                } else {
                    BLUE.mix(0.45)
                };
                let marker = if significant {
                    Marker::Diamond
                } else {
                    Marker::Circle
                };
                canvas.marker(
                    marker,
                    (x.at(p.effect), y.at(height(p))),
                    if significant { 2.2 } else { 1.7 },
                    ink,
                )?;
            }
        }
        self.names(canvas, &points, &frame, (&x, &y))?;
        let told = |p: &&VolcanoPoint| {
            let words =
                format!("{}: {:.4}, p = {:.2e}", p.label, p.effect, p.p_value).replace('-', "−");
            (x.at(p.effect), y.at(height(p)), words)
        };
        canvas.hovers.push(hover::points(
            &frame,
            &points.iter().map(told).collect::<Vec<_>>(),
        ));
        if points.is_empty() {
            frame.say(canvas, "no data")?;
        }
        frame.x_axis(canvas, &x, &x_ticks.labelled(), 0.0)?;
        frame.names(
            canvas,
            (&self.x_label, 21.0),
            ("−log10 p", y_ticks.name_offset()),
        )
    }

    /// The names of the strongest, where they do not cover one another.
    fn names<S: Surface>(
        &self,
        canvas: &mut Canvas<'_, S>,
        points: &[&VolcanoPoint],
        frame: &Frame,
        (x, y): (&Scale, &Scale),
    ) -> Result<()> {
        let mut strongest: Vec<&&VolcanoPoint> = points.iter().filter(|p| p.significant).collect();
        strongest.sort_by(|a, b| {
            a.p_value
                .total_cmp(&b.p_value)
                .then(b.effect.abs().total_cmp(&a.effect.abs()))
        });
        // Left, right and baseline of what no name may cover: first the points that may have one.
        let of = |p: &&&VolcanoPoint| {
            (
                x.at(p.effect) - 2.5,
                x.at(p.effect) + 2.5,
                y.at(-p.p_value.log10()) + NOTE_SIZE * 0.36,
            )
        };
        let mut taken: Vec<(f64, f64, f64)> = strongest.iter().map(of).collect();
        for point in strongest.into_iter().take(NAMED) {
            let (px, base) = (
                x.at(point.effect),
                y.at(-point.p_value.log10()) + NOTE_SIZE * 0.36,
            );
            let label = theme::fit(&point.label, 90.0, NOTE_SIZE, false);
            let wide = theme::text_width(&label, NOTE_SIZE, false);
            let right = px + 4.0 + wide <= frame.right;
            let (from, to) = if right {
                (px + 4.0, px + 4.0 + wide)
            } else {
                (px - 4.0 - wide, px - 4.0)
            };
            if from < frame.left
                || taken
                    .iter()
                    .any(|t| from < t.1 && t.0 < to && (base - t.2).abs() < NOTE_SIZE)
            {
                continue;
            }
            taken.push((from, to, base));
            let align = if right { Align::Start } else { Align::End };
            canvas.text(
                &label,
                (if right { from } else { to }, base),
                Type::new(NOTE_SIZE, BLACK).align(align),
            )?;
        }
        Ok(())
    }
}

impl Figure for VolcanoFigure {
    fn size_pt(&self) -> (f64, f64) {
        let rows = self.panels.len().div_ceil(COLUMNS).max(1) as f64;
        (
            theme::DOUBLE_WIDTH,
            rows * (HEAD + PLOT + FOOT) + 2.0 + self.note_lines().len() as f64 * theme::NOTE_LINE,
        )
    }

    fn description(&self) -> String {
        let mut text = format!(
            "Volcano plots: {} against −log10 of the p-value.",
            self.x_label
        );
        for panel in &self.panels {
            let shown = panel.points.iter().filter(|p| p.is_shown());
            let significant: Vec<&str> = shown
                .clone()
                .filter(|p| p.significant)
                .map(|p| p.label.as_str())
                .collect();
            text += &format!(
                " {}: {} points, {} significant.",
                panel.title,
                shown.count(),
                significant.len()
            );
        }
        text
    }

    fn draw<S: Surface>(&self, canvas: &mut Canvas<'_, S>) -> Result<()> {
        let wide = (theme::DOUBLE_WIDTH - LEFT - RIGHT - GAP) / COLUMNS as f64;
        let mut y = 2.0;
        for panels in self.panels.chunks(COLUMNS) {
            for (column, panel) in panels.iter().enumerate() {
                let left = LEFT + column as f64 * (wide + GAP);
                self.panel(
                    canvas,
                    panel,
                    Frame {
                        left,
                        top: y + HEAD,
                        right: left + wide,
                        bottom: y + HEAD + PLOT,
                    },
                )?;
            }
            y += HEAD + PLOT + FOOT;
        }
        canvas.note(&self.note_lines(), (LEFT, y + 4.0))
    }
}
