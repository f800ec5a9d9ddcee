//! Are p-values of comparisons without a difference uniform? Their empirical distribution beside
//! the diagonal.

use super::Figure;
use super::axis::{Frame, Scale};
use super::canvas::{Canvas, Surface};
use super::legend::{self, Entry};
use super::theme::{self, DATA_WIDTH, GREY};
use super::ticks::Ticks;
use crate::error::Result;

const LEFT: f64 = 38.0;
const RIGHT: f64 = 10.0;
const PLOT: f64 = 150.0;
const FOOT: f64 = 32.0;
/// The 95% point of Kolmogorov's distribution, over the root of n.
const KOLMOGOROV: f64 = 1.358;

/// Empirical distribution functions of p-values; column-wide.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CalibrationFigure {
    /// Title over the panel.
    pub title: String,
    /// The series.
    pub series: Vec<CalibrationSeries>,
}

/// The p-values of one kind of comparison. Those that are not finite are left out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CalibrationSeries {
    /// Name in the legend.
    pub label: String,
    /// The p-values, in any order.
    pub p_values: Vec<f64>,
}

impl CalibrationSeries {
    fn sorted(&self) -> Vec<f64> {
        let mut sorted: Vec<f64> = self
            .p_values
            .iter()
            .copied()
            .filter(|p| p.is_finite())
            .map(|p| p.clamp(0.0, 1.0))
            .collect();
        sorted.sort_by(f64::total_cmp);
        sorted
    }
}

impl CalibrationFigure {
    fn head(&self) -> f64 {
        15.0 + (self.series.len() + 1) as f64 * legend::LINE + 7.0
    }

    /// The least number of p-values of a series that has any.
    fn least(&self) -> Option<usize> {
        self.series
            .iter()
            .map(|series| series.sorted().len())
            .filter(|n| *n > 0)
            .min()
    }
}

impl Figure for CalibrationFigure {
    fn size_pt(&self) -> (f64, f64) {
        (theme::SINGLE_WIDTH, self.head() + PLOT + FOOT)
    }

    fn description(&self) -> String {
        let mut text = format!(
            "{}. Empirical distribution of p-values; the diagonal is uniform.",
            self.title
        );
        for series in &self.series {
            let sorted = series.sorted();
            let low = sorted.iter().filter(|p| **p <= 0.05).count();
            text += &format!(
                " {}: {} p-values, {low} at most 0.05;",
                series.label,
                sorted.len()
            );
        }
        text
    }

    fn draw<S: Surface>(&self, canvas: &mut Canvas<'_, S>) -> Result<()> {
        let (head, right) = (self.head(), theme::SINGLE_WIDTH - RIGHT);
        let frame = Frame {
            left: LEFT,
            right,
            top: head,
            bottom: head + PLOT,
        };
        frame.title(canvas, &self.title, head - theme::TITLE_SIZE - 1.0)?;
        let ticks = Ticks::around((0.0, 1.0), 5);
        let (x, y) = (
            Scale::new((0.0, 1.0), (LEFT, right)),
            Scale::new((0.0, 1.0), (frame.bottom, frame.top)),
        );
        frame.y_axis(canvas, &y, &ticks, false)?;
        let band = self.least().map(|n| (n, KOLMOGOROV / (n as f64).sqrt()));
        let uniform = match band {
            Some((n, _)) => format!("uniform, with the 95% band for n = {n}"),
            None => "uniform".to_owned(),
        };
        let mut entries: Vec<Entry<'_>> = (self.series.iter().enumerate())
            .map(|(i, series)| Entry {
                label: &series.label,
                ink: theme::series_ink(i),
                marker: None,
                band: false,
            })
            .collect();
        entries.push(Entry {
            label: &uniform,
            ink: GREY,
            marker: None,
            band: band.is_some(),
        });
        legend::draw(canvas, &entries, (LEFT, 15.0), right)?;
        if let Some((_, half)) = band {
            // The part of the band inside the unit square.
            let half = half.min(1.0);
            let corners = [
                (0.0, 0.0),
                (0.0, half),
                (1.0 - half, 1.0),
                (1.0, 1.0),
                (1.0, 1.0 - half),
                (half, 0.0),
            ];
            canvas.polygon(
                &corners.map(|(a, b)| (x.at(a), y.at(b))),
                GREY.mix(theme::BAND_ALPHA),
            )?;
        }
        canvas.line(
            &[(x.at(0.0), y.at(0.0)), (x.at(1.0), y.at(1.0))],
            0.75,
            GREY,
        )?;
        for (i, series) in self.series.iter().enumerate().rev() {
            let sorted = series.sorted();
            let mut steps = vec![(x.at(0.0), y.at(0.0))];
            for (below, p) in sorted.iter().enumerate() {
                let level = |count: usize| y.at(count as f64 / sorted.len() as f64);
                steps.extend([(x.at(*p), level(below)), (x.at(*p), level(below + 1))]);
            }
            steps.push((x.at(1.0), y.at(1.0)));
            if !sorted.is_empty() {
                canvas.line(&steps, DATA_WIDTH, theme::series_ink(i))?;
            }
        }
        if band.is_none() {
            frame.say(canvas, "no data")?;
        }
        frame.x_axis(canvas, &x, &ticks.labelled(), 0.0)?;
        frame.names(
            canvas,
            ("p-value", 21.0),
            ("Share at most p", ticks.name_offset()),
        )
    }
}
