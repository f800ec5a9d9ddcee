//! The paired endpoint: a histogram of per-pair differences, with the line of no difference, their
//! mean and its interval.

use super::Figure;
use super::axis::{Frame, Scale};
use super::canvas::{Canvas, Surface};
use super::lettering::{Align, Type};
use super::theme::{self, BLACK, BLUE, GREY, LABEL_SIZE, Marker, NOTE_SIZE, ORANGE};
use super::ticks::{self, Ticks};
use crate::error::Result;

const LEFT: f64 = 36.0;
const RIGHT: f64 = 8.0;
const GAP: f64 = 38.0;
const HEAD: f64 = 30.0;
/// Room between the head and the bars for the mean and its interval.
const MEAN: f64 = 20.0;
const PLOT: f64 = 110.0;
const FOOT: f64 = 32.0;
const MOST_BINS: usize = 60;

/// One or two panels abreast that share their horizontal range.
#[derive(Debug, Clone, PartialEq)]
pub struct DistributionFigure {
    /// The panels.
    pub panels: Vec<DistributionPanel>,
    /// Title of the horizontal axes.
    pub x_label: String,
}

/// The differences of one comparison. Values that are not finite are left out and counted in words.
#[derive(Debug, Clone, PartialEq)]
pub struct DistributionPanel {
    /// Title over the panel.
    pub title: String,
    /// One difference per pair.
    pub differences: Vec<f64>,
    /// Their mean, as tested.
    pub mean: f64,
    /// Lower confidence limit of the mean.
    pub ci_low: f64,
    /// Upper confidence limit of the mean.
    pub ci_high: f64,
}

/// Equal bins with zero on an edge, so that bars left and right of it count negative and positive
/// pairs.
struct Bins {
    first: i64,
    width: f64,
    counts: Vec<usize>,
}

impl Bins {
    fn new(values: &[f64], width: f64) -> Bins {
        // A value on an edge belongs to the bin above it.
        let index = |v: f64| (v / width).floor() as i64;
        let first = values.iter().copied().map(index).min().unwrap_or(0);
        let last = values.iter().copied().map(index).max().unwrap_or(0);
        let mut counts = vec![0; ((last - first).clamp(0, 4 * MOST_BINS as i64) + 1) as usize];
        for &v in values {
            let at = ((index(v) - first).max(0) as usize).min(counts.len() - 1);
            counts[at] += 1;
        }
        Bins {
            first,
            width,
            counts,
        }
    }
}

impl DistributionPanel {
    fn finite(&self) -> Vec<f64> {
        self.differences
            .iter()
            .copied()
            .filter(|v| v.is_finite())
            .collect()
    }
}

impl DistributionFigure {
    /// A figure with the axis title that fits boundary probabilities.
    pub fn new(panels: Vec<DistributionPanel>) -> DistributionFigure {
        DistributionFigure {
            panels,
            x_label: "Difference within the pair (site − control)".into(),
        }
    }

    fn width(&self) -> f64 {
        if self.panels.len() > 1 {
            theme::DOUBLE_WIDTH
        } else {
            theme::SINGLE_WIDTH
        }
    }

    /// The Freedman-Diaconis width of the largest panel, as a round number that gives at most
    /// `MOST_BINS` bins.
    fn bin_width(&self, (low, high): (f64, f64)) -> f64 {
        let mut values = self
            .panels
            .iter()
            .map(DistributionPanel::finite)
            .max_by_key(Vec::len)
            .unwrap_or_default();
        values.sort_by(f64::total_cmp);
        let quartile = |q: usize| values.get(values.len() * q / 4).copied().unwrap_or(0.0);
        let rule = 2.0 * (quartile(3) - quartile(1)) / (values.len().max(1) as f64).cbrt();
        let span = high - low;
        let bins = if rule > 0.0 {
            (2.0 * span / rule).clamp(10.0, MOST_BINS as f64)
        } else {
            20.0
        };
        ticks::nice_ticks((0.0, span), bins as usize).1
    }

    fn panel<S: Surface>(
        &self,
        canvas: &mut Canvas<'_, S>,
        panel: &DistributionPanel,
        (left, right): (f64, f64),
        top: f64,
        (range, bin_width): ((f64, f64), f64),
    ) -> Result<()> {
        let bars = top + HEAD + MEAN;
        let frame = Frame {
            left,
            right,
            top: bars,
            bottom: bars + PLOT,
        };
        frame.title(canvas, &panel.title, HEAD + MEAN - theme::TITLE_SIZE)?;
        let values = panel.finite();
        let x = Scale::new(range, (left, right));
        let bins = Bins::new(&values, bin_width);
        let most = bins.counts.iter().copied().max().unwrap_or(0);
        let mut y_ticks = Ticks::around((0.0, most.max(1) as f64), 5);
        // Counts have no halves.
        y_ticks.at.retain(|t| (t - t.round()).abs() < 1e-9);
        y_ticks.step = y_ticks.step.max(1.0);
        let y = Scale::new(y_ticks.range, (frame.bottom, frame.top));
        frame.y_axis(canvas, &y, &y_ticks, false)?;
        for (i, &count) in bins.counts.iter().enumerate().filter(|(_, c)| **c > 0) {
            let from = (bins.first + i as i64) as f64 * bins.width;
            let (a, b) = (x.at(from).max(left), x.at(from + bins.width).min(right));
            let ink = if from < -bins.width * 1e-6 {
                ORANGE
            } else {
                BLUE
            };
            canvas.rect(
                (a + 0.2, y.at(count as f64)),
                (b - 0.2, frame.bottom),
                theme::pale(ink),
            )?;
        }
        summary(canvas, panel, &values, &frame, top)?;
        if values.is_empty() {
            frame.say(canvas, "no data")?;
        }
        let zero = x.at(0.0);
        canvas.line(
            &[(zero, frame.top - MEAN + 4.0), (zero, frame.bottom)],
            0.75,
            BLACK,
        )?;
        if panel.mean.is_finite() {
            let level = frame.top - MEAN / 2.0 + 1.0;
            let within = |v: f64| x.at(v).clamp(left, right);
            let ends = [
                (within(panel.ci_low), level),
                (within(panel.ci_high), level),
            ];
            canvas.line(&ends, 1.1, BLACK)?;
            for (end, _) in ends {
                canvas.line(&[(end, level - 2.2), (end, level + 2.2)], 0.9, BLACK)?;
            }
            canvas.marker(Marker::Diamond, (within(panel.mean), level), 2.3, BLACK)?;
        }
        let (x_ticks, step) = ticks::nice_ticks(range, 6);
        let ticks: Vec<_> = x_ticks
            .into_iter()
            .map(|t| (t, ticks::tick_label(t, step)))
            .collect();
        frame.x_axis(canvas, &x, &ticks, 0.0)?;
        frame.names(
            canvas,
            (&self.x_label, 21.0),
            ("Pairs", y_ticks.name_offset()),
        )
    }

    fn range(&self) -> (f64, f64) {
        let all = self.panels.iter().flat_map(|p| {
            p.differences
                .iter()
                .copied()
                .chain([p.mean, p.ci_low, p.ci_high, 0.0])
        });
        Ticks::around(ticks::extent(all).unwrap_or((-1.0, 1.0)), 12).range
    }
}

/// The line under the title: n, and how many pairs lie on either side of zero.
fn summary<S: Surface>(
    canvas: &mut Canvas<'_, S>,
    panel: &DistributionPanel,
    values: &[f64],
    frame: &Frame,
    top: f64,
) -> Result<()> {
    let n = values.len();
    let above = values.iter().filter(|v| **v > 0.0).count();
    let lost = panel.differences.len() - n;
    let mut text = format!("n = {n} {}", if n == 1 { "pair" } else { "pairs" });
    if n > 0 {
        text += &format!(", {:.0}% above zero", 100.0 * above as f64 / n as f64);
    }
    if lost > 0 {
        text += &format!(", {lost} not defined");
    }
    canvas.text(
        &text,
        (frame.left, top + 20.5),
        Type::new(LABEL_SIZE - 0.5, BLACK),
    )?;
    if panel.mean.is_finite() {
        let style = Type::new(NOTE_SIZE, GREY).align(Align::End);
        canvas.text("diamond: mean, 95% CI", (frame.right, top + 20.5), style)?;
    }
    Ok(())
}

impl Figure for DistributionFigure {
    fn size_pt(&self) -> (f64, f64) {
        let rows = self.panels.len().div_ceil(2).max(1) as f64;
        (self.width(), rows * (HEAD + MEAN + PLOT + FOOT))
    }

    fn description(&self) -> String {
        let mut text = format!("Histograms. {}.", self.x_label);
        for p in &self.panels {
            let n = p.finite().len();
            text += &format!(" {}: {n} pairs", p.title);
            if n > 0 && p.mean.is_finite() {
                text += &format!(
                    ", mean {:.4}, 95% interval {:.4} to {:.4}",
                    p.mean, p.ci_low, p.ci_high
                );
            }
            text += ".";
        }
        text
    }

    fn draw<S: Surface>(&self, canvas: &mut Canvas<'_, S>) -> Result<()> {
        let width = self.width();
        if self.panels.is_empty() {
            return Frame {
                left: 0.0,
                right: width,
                top: 0.0,
                bottom: PLOT,
            }
            .say(canvas, "no data");
        }
        let range = self.range();
        let bin_width = self.bin_width(range);
        // Out to whole bins: no bar is cut off at the frame.
        let whole = (
            (range.0 / bin_width + 1e-9).floor() * bin_width,
            (range.1 / bin_width - 1e-9).ceil() * bin_width,
        );
        let columns = self.panels.len().min(2) as f64;
        let wide = (width - LEFT - RIGHT - GAP * (columns - 1.0)) / columns;
        for (i, panel) in self.panels.iter().enumerate() {
            let left = LEFT + (i % 2) as f64 * (wide + GAP);
            let top = 2.0 + (i / 2) as f64 * (HEAD + MEAN + PLOT + FOOT);
            self.panel(canvas, panel, (left, left + wide), top, (whole, bin_width))?;
        }
        Ok(())
    }
}
