//! How well two groups of positions are told apart, and by what: curves of true against false
//! positives, bits with intervals, the difference of their mean profiles with a band over the logo,
//! and a statistic of each offset with its 5 % line.

use super::Figure;
use super::axis::{Frame, Scale};
use super::canvas::{Canvas, Surface};
use super::hover;
use super::legend::{self, Entry};
use super::lettering::{Align, Type};
use super::profile::ProfilePanel;
use super::profile_panel::{self, BELOW, LOGO, View, signed};
use super::theme::{self, AXIS_WIDTH, BLACK, DATA_WIDTH, GREY, TICK_SIZE, VERMILLION};
use super::ticks::{self, Ticks};
use crate::error::Result;

const COLUMNS: usize = 2;
const LEFT: f64 = 40.0;
const RIGHT: f64 = 11.0;
const GAP: f64 = 46.0;
const HEAD: f64 = 22.0;
const ROC: f64 = 128.0;
const PLOT: f64 = 84.0;
/// Under a plot with an axis and its title.
const FOOT: f64 = 34.0;
/// Between the title of a row and its plot.
const TITLE: f64 = 14.0;

/// One column a kind of position, two abreast.
#[derive(Debug, Clone, PartialEq)]
pub struct DiscriminationFigure {
    /// The columns.
    pub panels: Vec<DiscriminationPanel>,
    /// Title of the vertical axis of the difference.
    pub difference_label: String,
}

/// One kind of position.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DiscriminationPanel {
    /// Title over the column.
    pub title: String,
    /// What tells them apart, in one order in all columns.
    pub models: Vec<DiscriminationModel>,
    /// The difference of the mean profiles.
    pub difference: ProfilePanel,
    /// A statistic by offset.
    pub statistics: Vec<(i32, f64)>,
    /// The statistic that 5 % of chance maxima exceed.
    pub line: f64,
}

/// One model. What is not finite is left out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DiscriminationModel {
    /// Its name, with its AUROC.
    pub label: String,
    /// A short name.
    pub name: String,
    /// Shares of false and of true positives, from (0, 0) to (1, 1).
    pub curve: Vec<(f64, f64)>,
    /// Bits.
    pub bits: f64,
    /// Lower end of their interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl DiscriminationFigure {
    fn head(&self) -> f64 {
        HEAD + self
            .panels
            .iter()
            .map(|panel| panel.models.len())
            .max()
            .unwrap_or(0) as f64
            * legend::LINE
    }

    fn wide() -> f64 {
        (theme::DOUBLE_WIDTH - LEFT - RIGHT - GAP * (COLUMNS - 1) as f64) / COLUMNS as f64
    }

    /// Heights of the four rows, each with what is above and under its plot.
    fn rows(&self) -> [f64; 4] {
        [
            self.head() + ROC + FOOT,
            TITLE + PLOT + 20.0,
            TITLE + PLOT + BELOW + LOGO,
            TITLE + PLOT + FOOT,
        ]
    }

    fn difference_range(&self) -> Option<(f64, f64)> {
        let series = self
            .panels
            .iter()
            .flat_map(|panel| &panel.difference.series);
        ticks::extent(
            series
                .flat_map(|s| s.mean.iter().chain(&s.ci_low).chain(&s.ci_high))
                .copied()
                .chain([0.0]),
        )
    }
}

fn title<S: Surface>(canvas: &mut Canvas<'_, S>, frame: &Frame, text: &str) -> Result<()> {
    let text = theme::fit(text, frame.right - frame.left, theme::LABEL_SIZE, true);
    canvas.text(
        &text,
        (frame.left, frame.top - 5.0),
        Type::new(theme::LABEL_SIZE, BLACK).bold(),
    )
}

fn curves<S: Surface>(
    canvas: &mut Canvas<'_, S>,
    panel: &DiscriminationPanel,
    frame: Frame,
) -> Result<()> {
    // Square, as the two shares are of one kind.
    let side = (frame.right - frame.left).min(frame.bottom - frame.top);
    let frame = Frame {
        right: frame.left + side,
        ..frame
    };
    let all = Ticks::around((0.0, 1.0), 5);
    let (x, y) = (
        Scale::new((0.0, 1.0), (frame.left, frame.right)),
        Scale::new((0.0, 1.0), (frame.bottom, frame.top)),
    );
    frame.y_axis(canvas, &y, &all, false)?;
    canvas.dashes(
        (x.at(0.0), y.at(0.0)),
        (x.at(1.0), y.at(1.0)),
        (3.0, 2.0),
        0.7,
        GREY,
    )?;
    for (i, model) in panel.models.iter().enumerate().rev() {
        let points: Vec<(f64, f64)> = model
            .curve
            .iter()
            .map(|(false_share, true_share)| (x.at(*false_share), y.at(*true_share)))
            .collect();
        canvas.line(&points, DATA_WIDTH, theme::series_ink(i))?;
    }
    if panel.models.iter().all(|model| model.curve.is_empty()) {
        frame.say(canvas, "no data")?;
    }
    frame.x_axis(canvas, &x, &all.labelled(), 0.0)?;
    frame.names(
        canvas,
        ("share of controls", 21.0),
        ("share of sites", all.name_offset()),
    )
}

fn bars<S: Surface>(
    canvas: &mut Canvas<'_, S>,
    panel: &DiscriminationPanel,
    frame: Frame,
) -> Result<()> {
    title(canvas, &frame, "Information, bits a position")?;
    let values = panel
        .models
        .iter()
        .flat_map(|model| [model.bits, model.low, model.high]);
    let ticks = Ticks::around(ticks::extent(values.chain([0.0])).unwrap_or((0.0, 1.0)), 5);
    let y = Scale::new(ticks.range, (frame.bottom, frame.top));
    frame.y_axis(canvas, &y, &ticks, false)?;
    let step = (frame.right - frame.left) / panel.models.len().max(1) as f64;
    let half = (step * 0.3).min(17.0);
    let mut told = Vec::new();
    for (i, model) in panel.models.iter().enumerate() {
        let (at, ink) = (frame.left + (i as f64 + 0.5) * step, theme::series_ink(i));
        canvas.rect(
            (at - half, y.at(model.bits)),
            (at + half, y.at(0.0)),
            theme::pale(ink),
        )?;
        canvas.line(
            &[(at, y.at(model.low)), (at, y.at(model.high))],
            DATA_WIDTH,
            ink,
        )?;
        for end in [model.low, model.high] {
            canvas.line(
                &[(at - 3.0, y.at(end)), (at + 3.0, y.at(end))],
                DATA_WIDTH,
                ink,
            )?;
        }
        let name = theme::fit(&model.name, step - 2.0, TICK_SIZE, false);
        canvas.text(
            &name,
            (at, frame.bottom + 10.0),
            Type::new(TICK_SIZE, BLACK).align(Align::Middle),
        )?;
        if [model.bits, model.low, model.high]
            .iter()
            .all(|value| value.is_finite())
        {
            told.push((
                at,
                y.at(model.bits),
                format!(
                    "{}: {:.3} ({:.3} to {:.3})",
                    model.name, model.bits, model.low, model.high
                ),
            ));
        }
    }
    canvas.line(
        &[(frame.left, y.at(0.0)), (frame.right, y.at(0.0))],
        AXIS_WIDTH,
        BLACK,
    )?;
    canvas.hovers.push(hover::points(&frame, &told));
    if panel.models.is_empty() {
        frame.say(canvas, "no data")
    } else {
        Ok(())
    }
}

fn statistics<S: Surface>(
    canvas: &mut Canvas<'_, S>,
    panel: &DiscriminationPanel,
    frame: Frame,
) -> Result<()> {
    title(canvas, &frame, "Boundaries beyond the nucleotides, |T|")?;
    let finite = || panel.statistics.iter().filter(|(_, t)| t.is_finite());
    let most = ticks::extent(finite().map(|(_, t)| t.abs()).chain([0.0, panel.line]));
    let ticks = Ticks::around(most.unwrap_or((0.0, 3.0)), 5);
    let offsets = ticks::extent(
        panel
            .statistics
            .iter()
            .map(|(offset, _)| f64::from(*offset)),
    )
    .unwrap_or((-10.0, 10.0));
    let x = Scale::new(
        (offsets.0 - 0.5, offsets.1 + 0.5),
        (frame.left, frame.right),
    );
    let y = Scale::new(ticks.range, (frame.bottom, frame.top));
    frame.y_axis(canvas, &y, &ticks, false)?;
    if panel.line.is_finite() {
        canvas.dashes(
            (frame.left, y.at(panel.line)),
            (frame.right, y.at(panel.line)),
            (3.0, 2.0),
            0.8,
            VERMILLION,
        )?;
    }
    let mut told = Vec::new();
    for (offset, t) in finite() {
        let at = (x.at(f64::from(*offset)), y.at(t.abs()));
        let ink = theme::series_ink(0);
        canvas.line(&[(at.0, y.at(0.0)), at], AXIS_WIDTH, ink)?;
        canvas.marker(theme::series_marker(0), at, 1.7, ink)?;
        told.push((at.0, at.1, format!("{}: T = {t:.2}", signed(*offset))));
    }
    canvas.hovers.push(hover::points(&frame, &told));
    if finite().next().is_none() {
        frame.say(canvas, "no data")?;
    }
    let at = ticks::offset_ticks((offsets.0 as i32, offsets.1 as i32), 7)
        .into_iter()
        .map(|t| (f64::from(t), signed(t)));
    frame.x_axis(canvas, &x, &at.collect::<Vec<_>>(), 0.0)?;
    frame.names(
        canvas,
        ("Offset (bases, transcript 5′ to 3′)", 21.0),
        ("|T|", ticks.name_offset()),
    )
}

impl Figure for DiscriminationFigure {
    fn size_pt(&self) -> (f64, f64) {
        let rows = self.panels.len().div_ceil(COLUMNS).max(1) as f64;
        (
            theme::DOUBLE_WIDTH,
            rows * self.rows().iter().sum::<f64>() + 4.0,
        )
    }

    fn description(&self) -> String {
        let mut text = String::from("How well sites are told from decoys, and by what.");
        for panel in &self.panels {
            text += &format!(" {}:", panel.title);
            for model in &panel.models {
                text += &match model.bits.is_finite() && model.low.is_finite() {
                    true => format!(
                        " {}, {:.3} bits ({:.3} to {:.3});",
                        model.label, model.bits, model.low, model.high
                    ),
                    false => format!(" {}: no bits;", model.label),
                };
            }
            let largest = panel
                .statistics
                .iter()
                .filter(|(_, t)| t.is_finite())
                .max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()));
            if let Some((offset, t)) = largest {
                text += &format!(
                    " beyond the nucleotides |T| is largest at offset {}: {:.2}",
                    signed(*offset),
                    t.abs()
                );
                text += &if panel.line.is_finite() {
                    format!(", 5 % line {:.2};", panel.line)
                } else {
                    ";".into()
                };
            }
        }
        text
    }

    fn draw<S: Surface>(&self, canvas: &mut Canvas<'_, S>) -> Result<()> {
        let (rows, wide) = (self.rows(), Self::wide());
        if self.panels.is_empty() {
            return Frame {
                left: 0.0,
                right: theme::DOUBLE_WIDTH,
                top: 0.0,
                bottom: ROC,
            }
            .say(canvas, "no data");
        }
        for (number, panel) in self.panels.iter().enumerate() {
            let left = LEFT + (number % COLUMNS) as f64 * (wide + GAP);
            let mut top = 2.0 + (number / COLUMNS) as f64 * rows.iter().sum::<f64>();
            let frame = |top: f64, tall: f64| Frame {
                left,
                right: left + wide,
                top,
                bottom: top + tall,
            };
            let first = frame(top + self.head(), ROC);
            first.title(canvas, &panel.title, self.head() - theme::TITLE_SIZE)?;
            let entries: Vec<Entry<'_>> = (panel.models.iter().enumerate())
                .map(|(i, model)| Entry {
                    label: &model.label,
                    ink: theme::series_ink(i),
                    marker: None,
                    band: false,
                })
                .collect();
            legend::draw(canvas, &entries, (left, top + 13.0), left + wide)?;
            curves(canvas, panel, first)?;
            top += rows[0];
            bars(canvas, panel, frame(top + TITLE, PLOT))?;
            top += rows[1];
            let plot = frame(top + TITLE, PLOT);
            title(
                canvas,
                &plot,
                "Sites less controls, band for all offsets at once",
            )?;
            let offsets = || {
                panel
                    .difference
                    .series
                    .iter()
                    .flat_map(|series| &series.offsets)
                    .copied()
            };
            let view = View {
                offsets: (
                    offsets().min().unwrap_or(-10),
                    offsets().max().unwrap_or(10),
                ),
                range: self.difference_range(),
                first_column: number % COLUMNS == 0,
                markers: true,
                logo: true,
                x_label: "Offset (bases, transcript 5′ to 3′)",
                y_label: &self.difference_label,
            };
            profile_panel::draw(canvas, &panel.difference, plot, &view)?;
            top += rows[2];
            statistics(canvas, panel, frame(top + TITLE, PLOT))?;
        }
        Ok(())
    }
}
