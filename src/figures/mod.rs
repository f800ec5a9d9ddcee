//! Figures: plain structs in, SVG text and PNG bytes out.
//!
//! | file | what it holds |
//! |---|---|
//! | `theme` | colours, type sizes, page widths, and the bundled font |
//! | `canvas` | drawing in points on a plotters backend; SVG and PNG surfaces |
//! | `lettering` | text: size, weight, alignment, and its way to a backend |
//! | `render` | a figure to an SVG document or a PNG file |
//! | `ticks` | round numbers on an axis, and how they are written |
//! | `axis` | scales, and the frame of a panel with its axes |
//! | `legend` | a coloured sample and a name per series |
//! | `profile` | mean per offset around a position, with bands and controls (`profile_panel`: one panel of it) |
//! | `balance` | love plot: covariate balance before and after matching |
//! | `benchmark` | results of models by task |
//! | `bars` | bars with intervals, and where chance would put them |
//! | `curves` | training curves with reference levels |
//! | `confusion` | what a model says of the sequences of each class |
//! | `unit_square` | ROC, precision and recall, calibration of probabilities |
//! | `discrimination` | two groups told apart: curves, bits, difference, statistics by offset |
//! | `distribution` | per-pair differences with their mean and interval |
//! | `forest` | estimates with intervals and numbers, one row a comparison |
//! | `r2_by_k` | share of variance explained over the width of the surroundings |
//! | `motif_profile` | mean per offset around motifs, with the sequence logo (`logo`) on the same scale |
//! | `volcano` | effects against p-values |
//! | `heatmap` | one row an observation, one column a position |
//! | `locus` | one place of a sequence, track under track |
//! | `boxes` | values of classes beside their controls, and the differences |
//! | `lengths` | distributions of token lengths, one panel a class |
//! | `raster` | a grid of cells as a picture inside of an SVG |
//! | `hover` | what a page can tell under the pointer |
//! | `calibration` | distribution of p-values beside the uniform one |
//!
//! A figure knows no genomics and no tensors. The same drawing code makes both formats, the same
//! input gives the same bytes, and no input (empty, NaN, one point, endless names) makes it panic:
//! what cannot be drawn is said in words in its place.
//!
//! ```
//! use ldar::figures::{Figure, ProfileFigure, ProfilePanel, ProfileSeries, Side};
//!
//! let series = ProfileSeries {
//!     label: "donor sites (n = 3)".into(),
//!     offsets: vec![-1, 0, 1],
//!     mean: vec![0.3, 0.5, 0.3],
//!     ci_low: vec![0.2, 0.4, 0.2],
//!     ci_high: vec![0.4, 0.6, 0.4],
//! };
//! let figure = ProfileFigure::new(vec![ProfilePanel {
//!     title: "Donors".into(),
//!     left: Side::block("exon"),
//!     right: Side::line("intron"),
//!     series: vec![series],
//!     endpoint: Some((-2, 2)),
//!     ..ProfilePanel::default()
//! }]);
//! assert!(figure.to_svg()?.starts_with("<svg"));
//! assert!(figure.to_png()?.starts_with(b"\x89PNG"));
//! # Ok::<(), ldar::Error>(())
//! ```

pub mod axis;
pub mod balance;
pub mod bars;
pub mod benchmark;
pub mod boxes;
pub mod calibration;
pub mod canvas;
pub mod confusion;
pub mod curves;
pub mod discrimination;
pub mod distribution;
pub mod forest;
pub mod heatmap;
mod hover;
pub mod legend;
pub mod lengths;
pub mod lettering;
pub mod locus;
mod logo;
pub mod motif_profile;
pub mod profile;
mod profile_panel;
pub mod r2_by_k;
mod raster;
pub mod render;
pub mod theme;
pub mod ticks;
pub mod unit_square;
pub mod volcano;

#[cfg(test)]
mod tests;

pub use balance::{BalanceFigure, BalancePanel, BalanceRow};
pub use bars::{Bar, BarPanel, BarsFigure};
pub use benchmark::{BenchmarkFigure, BenchmarkRow, Mark};
pub use boxes::{BoxesClass, BoxesFigure};
pub use calibration::{CalibrationFigure, CalibrationSeries};
pub use canvas::{Canvas, Surface};
pub use confusion::{ConfusionFigure, ConfusionPanel};
pub use curves::{CurvePanel, CurveSeries, CurvesFigure, Reference};
pub use discrimination::{DiscriminationFigure, DiscriminationModel, DiscriminationPanel};
pub use distribution::{DistributionFigure, DistributionPanel};
pub use forest::{ForestFigure, ForestGroup, ForestRow};
pub use heatmap::HeatmapFigure;
pub use lengths::{LengthsFigure, LengthsPanel};
pub use locus::{LocusFigure, LocusGene, LocusHit, LocusSeries};
pub use motif_profile::{MotifFigure, MotifPanel};
pub use profile::{ProfileFigure, ProfilePanel, ProfileSeries, Side};
pub use r2_by_k::{R2Figure, R2Point, R2Series};
pub use unit_square::{UnitSquare, UnitSquareFigure};
pub use volcano::{VolcanoFigure, VolcanoPanel, VolcanoPoint};

use crate::error::Result;

/// Something that can be drawn on one page-wide or column-wide canvas.
pub trait Figure {
    /// Width and height in points (1/72 inch).
    fn size_pt(&self) -> (f64, f64);

    /// One or two plain sentences for readers who cannot see the figure.
    fn description(&self) -> String;

    /// Draws the figure; the canvas is white and has the size of [`Figure::size_pt`].
    fn draw<S: Surface>(&self, canvas: &mut Canvas<'_, S>) -> Result<()>;

    /// The figure as an SVG document: real text, sizes in millimetres, no ids, no scripts.
    fn to_svg(&self) -> Result<String>
    where
        Self: Sized,
    {
        render::svg(self)
    }

    /// The figure as a PNG at 300 dots per inch (the resolution is stored in the file).
    fn to_png(&self) -> Result<Vec<u8>>
    where
        Self: Sized,
    {
        render::png(self)
    }
}
