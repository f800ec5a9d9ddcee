//! From tables to figures.

use super::{AssociationPage, tracks};
use crate::figures::{
    ForestFigure, ForestGroup, ForestRow, ProfileFigure, ProfilePanel, ProfileSeries, Side,
};
use crate::pipelines::association::{
    AroundRow, BIN_BP, COMPOSITION, CorrelationRow, DENSITY, MIDDLE_BP, ProfileRow, TokenLengthRow,
};
use crate::report::format::{count, p_value};

/// What a measure is called over its rows.
fn words(measure: &str) -> &str {
    match measure {
        DENSITY => "boundary density",
        other => other,
    }
}

/// A class of lengths.
pub(super) fn bases(of: &TokenLengthRow) -> String {
    match of.length_to {
        Some(1) => "1 base".into(),
        Some(to) if to == of.length_from => format!("{to} bases"),
        Some(to) => format!("{} to {to} bases", of.length_from),
        None => format!("{} bases and more", of.length_from),
    }
}

impl AssociationPage {
    /// The track by length of tokens.
    pub(super) fn lengths(&self) -> ForestFigure {
        let row = |row: &TokenLengthRow| ForestRow {
            label: bases(row),
            value: row.percentile,
            ci_low: row.percentile_low,
            ci_high: row.percentile_high,
            n_pairs: row.n_tokens,
            n_clusters: row.n_blocks,
            p: String::new(),
        };
        let same = |a: &TokenLengthRow, b: &TokenLengthRow| a.track == b.track;
        let groups = self.found.token_lengths.chunk_by(same);
        ForestFigure {
            groups: groups
                .map(|rows| ForestGroup {
                    title: format!("{}, by length of tokens", rows[0].track),
                    rows: rows.iter().map(row).collect(),
                })
                .collect(),
            heads: ["percentage points (95% CI)", "tokens", "blocks"],
            x_label: "Percentile, less what composition predicts (points)".into(),
        }
    }

    /// Every correlation, by track and measure.
    pub(super) fn forest(&self) -> ForestFigure {
        let row = |row: &CorrelationRow| {
            let size = format!("{} bp", count(row.window_bp as usize));
            ForestRow {
                label: match row.given == COMPOSITION {
                    true => format!("{size}, given composition"),
                    false => size,
                },
                value: row.correlation,
                ci_low: row.ci_low,
                ci_high: row.ci_high,
                n_pairs: row.n_windows,
                n_clusters: row.n_blocks,
                p: p_value(row.p_value, Some(row.p_floor)),
            }
        };
        let same = |a: &CorrelationRow, b: &CorrelationRow| {
            (&a.track, &a.measure) == (&b.track, &b.measure)
        };
        let groups = self.found.correlations.chunk_by(same);
        ForestFigure {
            groups: groups
                .map(|rows| ForestGroup {
                    title: format!("{}, {}", words(&rows[0].measure), rows[0].track),
                    rows: rows.iter().map(row).collect(),
                })
                .collect(),
            heads: ["correlation (95% CI)", "windows", "blocks"],
            x_label: "Spearman’s correlation".into(),
        }
    }

    fn rows<'a>(&'a self, of: &'a AroundRow) -> impl Iterator<Item = &'a ProfileRow> {
        (self.found.profile.iter()).filter(|row| row.track == of.track && row.control == of.control)
    }

    /// The track around boundaries and around each kind of control.
    pub(super) fn profiles(&self) -> ProfileFigure {
        let panel = |of: &AroundRow| {
            let series = |label: String, value: fn(&ProfileRow) -> [f64; 3]| {
                let rows = || self.rows(of);
                ProfileSeries {
                    label,
                    offsets: rows().map(|row| row.offset_bp as i32).collect(),
                    mean: rows().map(|row| value(row)[0]).collect(),
                    ci_low: rows().map(|row| value(row)[1]).collect(),
                    ci_high: rows().map(|row| value(row)[2]).collect(),
                }
            };
            ProfilePanel {
                title: of.track.clone(),
                left: Side::line("upstream"),
                right: Side::line("downstream"),
                series: vec![
                    series(
                        format!("boundaries (n = {})", count(of.n_used as usize)),
                        |r| [r.boundary_mean, r.boundary_low, r.boundary_high],
                    ),
                    series(format!("not cut, {}", of.control), |r| {
                        [r.control_mean, r.control_low, r.control_high]
                    }),
                ],
                endpoint: Some((-(MIDDLE_BP as i32), MIDDLE_BP as i32)),
                ..ProfilePanel::default()
            }
        };
        self.figure(
            self.found.around.iter().map(panel).collect(),
            "Mean of the track",
        )
    }

    /// The differences.
    pub(super) fn differences(&self) -> ProfileFigure {
        let panel = |track: &&str| {
            let of_track = self.found.around.iter().filter(|row| row.track == *track);
            let series = of_track.map(|of| {
                let rows = || self.rows(of);
                ProfileSeries {
                    label: format!("boundaries less not cut, {}", of.control),
                    offsets: rows().map(|row| row.offset_bp as i32).collect(),
                    mean: rows().map(|row| row.difference).collect(),
                    ci_low: rows().map(|row| row.ci_low).collect(),
                    ci_high: rows().map(|row| row.ci_high).collect(),
                }
            });
            ProfilePanel {
                title: track.to_string(),
                left: Side::line("upstream"),
                right: Side::line("downstream"),
                series: series.collect(),
                endpoint: Some((-(MIDDLE_BP as i32), MIDDLE_BP as i32)),
                ..ProfilePanel::default()
            }
        };
        let panels = tracks(&self.found).iter().map(panel).collect();
        self.figure(panels, "Difference of the track")
    }

    fn figure(&self, panels: Vec<ProfilePanel>, y_label: &str) -> ProfileFigure {
        ProfileFigure {
            panels,
            x_label: format!("Distance from the position on plus (bases, means over {BIN_BP})"),
            y_label: y_label.into(),
            note: format!(
                "Bands: pointwise 95% intervals over draws of blocks. Grey: the {MIDDLE_BP} bases on either side that are tested together."
            ),
        }
    }
}
