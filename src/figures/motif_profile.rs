//! Profiles around motifs: a mean per inter-base position with its band, hits against controls, the
//! sequence logo under the axis on the same scale.

use super::Figure;
use super::axis::{Frame, Scale};
use super::canvas::{Canvas, Surface};
use super::legend::{self, Entry};
use super::logo;
use super::profile::ProfileSeries;
use super::profile_panel::{inked_curves, points, signed};
use super::theme::{self, GREY, Ink, NOTE_SIZE, SHADE};
use super::ticks::{self, Ticks};
use crate::error::Result;

const COLUMNS: usize = 2;
const LEFT: f64 = 36.0;
const RIGHT: f64 = 9.0;
const GAP: f64 = 30.0;
/// Heights of the plot of all positions, of the one near the motif, and of the logo.
const WIDE: f64 = 62.0;
const NEAR: f64 = 92.0;
const LOGO: f64 = 26.0;
/// Under a plot: tick labels, and for the lower one the title of the axis.
const TICKS: f64 = 20.0;
const NAME: f64 = 14.0;
/// Positions either side of the motif in the lower plot.
const ZOOM: i32 = 12;

/// Panels, two abreast; page-wide.
#[derive(Debug, Clone, PartialEq)]
pub struct MotifFigure {
    /// The panels, in reading order.
    pub panels: Vec<MotifPanel>,
    /// Title of the vertical axes.
    pub y_label: String,
    /// A footnote; empty for none.
    pub note: String,
}

/// One motif.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MotifPanel {
    /// Title over the panel.
    pub title: String,
    /// Frequencies of A, C, G and T in each column; empty for a panel without data.
    pub logo: Vec<[f64; 4]>,
    /// The series by inter-base position: 0 is the first edge of the motif, its width the second.
    /// The first is what the figure is about.
    pub series: Vec<ProfileSeries>,
    /// What stands in the place of missing data.
    pub missing: String,
    /// Whether there is too little to look at colours: all series grey.
    pub pale: bool,
}

impl MotifFigure {
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
        panel: &MotifPanel,
        frame: Frame,
        head: f64,
        quiet: bool,
    ) -> Result<()> {
        frame.title(canvas, &panel.title, head - theme::TITLE_SIZE)?;
        let entries: Vec<Entry<'_>> = (panel.series.iter().enumerate())
            .map(|(i, s)| Entry {
                label: &s.label,
                ink: ink(panel, i),
                marker: Some(theme::series_marker(i)),
                band: !s.ci_low.is_empty(),
            })
            .collect();
        legend::draw(
            canvas,
            &entries,
            (frame.left, frame.top - head + 13.0),
            frame.right,
        )?;
        let width = panel.logo.len() as i32;
        let all = panel.series.iter().flat_map(|s| &s.offsets).copied();
        let (first, last) = (
            all.clone().min().unwrap_or(-ZOOM),
            all.max().unwrap_or(width + ZOOM),
        );
        let values = panel
            .series
            .iter()
            .flat_map(|s| s.mean.iter().chain(&s.ci_low).chain(&s.ci_high))
            .copied();
        let range = ticks::extent(values).unwrap_or((0.0, 1.0));
        self.plot(canvas, panel, frame, (first, last), range, false)?;
        let near = Frame {
            top: frame.bottom + TICKS,
            bottom: frame.bottom + TICKS + NEAR,
            ..frame
        };
        let (from, to) = (first.max(-ZOOM), last.min(width + ZOOM));
        let x = self.plot(canvas, panel, near, (from, to), range, true)?;
        let axis = Frame {
            bottom: near.bottom + LOGO,
            ..near
        };
        logo::draw(
            canvas,
            &panel.logo,
            &x,
            (near.bottom + 2.0, axis.bottom - 1.0),
        )?;
        let mut marks: Vec<(f64, String)> = ticks::offset_ticks((from, to), 9)
            .into_iter()
            .map(|t| (f64::from(t), signed(t)))
            .collect();
        marks.extend((from..=to).map(|t| (f64::from(t), String::new())));
        axis.x_axis(canvas, &x, &marks, 0.0)?;
        axis.names(
            canvas,
            (
                "Offset from the motif’s first edge (bases, motif 5′ to 3′)",
                20.0,
            ),
            ("", 0.0),
        )?;
        if !quiet {
            let both = Frame {
                bottom: near.bottom,
                ..frame
            };
            both.names(canvas, ("", 0.0), (&self.y_label, 27.0))?;
        }
        Ok(())
    }

    /// One plot; its horizontal scale.
    fn plot<S: Surface>(
        &self,
        canvas: &mut Canvas<'_, S>,
        panel: &MotifPanel,
        frame: Frame,
        (first, last): (i32, i32),
        range: (f64, f64),
        near: bool,
    ) -> Result<Scale> {
        let x = Scale::new(
            (f64::from(first) - 0.5, f64::from(last) + 0.5),
            (frame.left, frame.right),
        );
        let ticks = Ticks::around(range, if near { 6 } else { 4 });
        let y = Scale::new(ticks.range, (frame.bottom, frame.top));
        let width = panel.logo.len() as f64;
        canvas.rect((x.at(0.0), frame.top), (x.at(width), frame.bottom), SHADE)?;
        frame.y_axis(canvas, &y, &ticks, false)?;
        let drawn = inked_curves(
            canvas,
            &panel.series,
            (first, last),
            &frame,
            (&x, &y),
            (near, &|i| ink(panel, i)),
        )?;
        if !drawn && near {
            frame.say(
                canvas,
                if panel.missing.is_empty() {
                    "no data"
                } else {
                    &panel.missing
                },
            )?;
        }
        if !near {
            let marks: Vec<_> = ticks::offset_ticks((first, last), 9)
                .into_iter()
                .map(|t| (f64::from(t), signed(t)))
                .collect();
            frame.x_axis(canvas, &x, &marks, 0.0)?;
        }
        Ok(x)
    }
}

fn ink(panel: &MotifPanel, series: usize) -> Ink {
    if panel.pale {
        GREY.mix(if series == 0 { 1.0 } else { 0.6 })
    } else {
        theme::series_ink(series)
    }
}

fn head(panels: &[MotifPanel]) -> f64 {
    let entries = panels.iter().map(|p| p.series.len()).max().unwrap_or(0);
    13.0 + entries as f64 * legend::LINE + 7.0
}

impl Figure for MotifFigure {
    fn size_pt(&self) -> (f64, f64) {
        let row = |panels: &[MotifPanel]| head(panels) + WIDE + TICKS + NEAR + LOGO + TICKS + NAME;
        let rows: f64 = if self.panels.is_empty() {
            60.0
        } else {
            self.panels.chunks(COLUMNS).map(row).sum()
        };
        (
            theme::DOUBLE_WIDTH,
            rows + 4.0 + self.note_lines().len() as f64 * theme::NOTE_LINE,
        )
    }

    fn description(&self) -> String {
        let mut text = format!("{} around motifs.", self.y_label);
        for panel in &self.panels {
            text += &format!(" {}:", panel.title);
            for series in &panel.series {
                let points = points(series);
                let peak = points
                    .iter()
                    .filter(|p| p.mean.is_finite())
                    .max_by(|a, b| a.mean.total_cmp(&b.mean));
                text += &peak.map_or(format!(" {}: no data;", series.label), |p| {
                    format!(
                        " {}: highest {:.3} at offset {};",
                        series.label,
                        p.mean,
                        signed(p.offset)
                    )
                });
            }
        }
        text
    }

    fn draw<S: Surface>(&self, canvas: &mut Canvas<'_, S>) -> Result<()> {
        let mut y = 2.0;
        let wide = (theme::DOUBLE_WIDTH - LEFT - RIGHT - GAP) / COLUMNS as f64;
        for panels in self.panels.chunks(COLUMNS) {
            let head = head(panels);
            for (column, panel) in panels.iter().enumerate() {
                let left = LEFT + column as f64 * (wide + GAP);
                let frame = Frame {
                    left,
                    top: y + head,
                    right: left + wide,
                    bottom: y + head + WIDE,
                };
                self.panel(canvas, panel, frame, head, column > 0)?;
            }
            y += head + WIDE + TICKS + NEAR + LOGO + TICKS + NAME;
        }
        if self.panels.is_empty() {
            Frame {
                left: LEFT,
                top: 2.0,
                right: theme::DOUBLE_WIDTH - RIGHT,
                bottom: 60.0,
            }
            .say(canvas, "no motif was asked for")?;
            y = 62.0;
        }
        canvas.note(&self.note_lines(), (LEFT, y + 6.0))
    }
}
