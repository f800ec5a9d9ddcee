//! From tables to figures.

use super::{ENDPOINTS, MotifPage, RATE, controls, rows};
use crate::figures::{
    BalanceFigure, BalancePanel, BalanceRow, CalibrationFigure, CalibrationSeries, ForestFigure,
    ForestGroup, ForestRow, HeatmapFigure, MotifFigure, MotifPanel, ProfileSeries, VolcanoFigure,
    VolcanoPanel, VolcanoPoint,
};
use crate::pipelines::motif_enrichment::StatisticsRow;
use crate::report::format::p_value;
use crate::stats::quantile_sorted;

/// Groups of motifs in the forest plot, for each control and endpoint.
const FOREST_ROWS: usize = 8;

/// With fewer, a mean profile is drawn grey.
const FEW: u64 = 10;

/// The words of a covariate.
pub(super) fn covariate_name(covariate: &str) -> String {
    match covariate {
        "gc_upstream" => "G+C before the middle".into(),
        "gc_downstream" => "G+C after the middle".into(),
        "cpg_count" => "CpG count".into(),
        "soft_masked_fraction" => "soft-masked share".into(),
        "tss_distance_bp" => "distance to start site".into(),
        "score_bits" => "score".into(),
        other => other.replace('_', " "),
    }
}

/// `TBP (MA0108.3)`, or the name alone where it says as much.
pub(super) fn motif_label(name: &str, id: &str) -> String {
    if name == id || !id.contains('.') {
        name.to_string()
    } else {
        format!("{name} ({id})")
    }
}

/// As [`p_value`], in letters that the figures' font has.
fn p_plain(row: &StatisticsRow) -> String {
    let text = p_value(row.p_value, Some(row.p_floor));
    match text.contains('×') {
        true if row.p_value <= row.p_floor * (1.0 + 1e-9) => {
            format!("≤ {:.1e}", row.p_floor).replace("e-", "e−")
        }
        true => format!("{:.1e}", row.p_value).replace("e-", "e−"),
        false => text,
    }
}

impl MotifPage {
    fn series(&self, id: &str, control: &str, group: &str, label: &str) -> Option<ProfileSeries> {
        let of = |row: &&crate::pipelines::motif_enrichment::ProfileRow| {
            row.motif_id == id && row.control == control && row.group == group
        };
        let rows: Vec<_> = self.found.profile.iter().filter(of).collect();
        let n = rows.first()?.n;
        let few = if n < FEW { ", n < 10" } else { "" };
        Some(ProfileSeries {
            label: format!("{label} (n = {n}{few})"),
            offsets: rows.iter().map(|row| row.offset as i32).collect(),
            mean: rows.iter().map(|row| row.mean).collect(),
            ci_low: rows.iter().map(|row| row.ci_low).collect(),
            ci_high: rows.iter().map(|row| row.ci_high).collect(),
        })
    }

    fn panel(&self, id: &str, series: Vec<Option<ProfileSeries>>) -> MotifPanel {
        let row = self.motif(id);
        let missing = match row.map(|row| row.status.as_str()) {
            None => "not among the motifs".to_string(),
            Some("not_scannable") => "not scannable".into(),
            Some(_) => format!("{} usable hits", row.map_or(0, |row| row.n_usable)),
        };
        MotifPanel {
            title: row.map_or(id.to_string(), |row| {
                motif_label(&row.motif_name, &row.motif_id)
            }),
            logo: self.logo(id),
            series: series.into_iter().flatten().collect(),
            missing,
            pale: row.is_some_and(|row| row.n_usable < FEW),
        }
    }

    /// The paper's panels: native hits and their controls.
    pub(super) fn panels(&self) -> MotifFigure {
        let panel = |id: &String| {
            let controls = self
                .request
                .controls
                .iter()
                .map(|c| c.name())
                .filter(|c| *c != "shuffled");
            let mut series = Vec::new();
            for control in controls {
                if series.is_empty() {
                    series.push(self.series(id, control, "hit", "hits"));
                }
                // More than two bands would hide one another.
                let bands = series.len() < 2;
                let mean = |s: ProfileSeries| ProfileSeries {
                    ci_low: Vec::new(),
                    ci_high: Vec::new(),
                    ..s
                };
                series.push(
                    self.series(id, control, "control", control)
                        .map(|s| if bands { s } else { mean(s) }),
                );
            }
            self.panel(id, series)
        };
        MotifFigure {
            panels: self.request.panels.iter().map(panel).collect(),
            y_label: format!("Mean {}", self.about.terms().quantity()),
            note: "Bands: pointwise 95% intervals of a bootstrap over clusters of promoters. Shaded: the motif. Hits are those that have a control of the first kind; permuted: \
                   the hits of all permuted matrices. Grey curves: fewer than 10 hits (n < 10), too few to say anything."
                .into(),
        }
    }

    /// Hits in their own flanks and in shuffled ones.
    pub(super) fn native_vs_shuffled(&self) -> MotifFigure {
        let panel = |id: &String| {
            let native = self.series(id, "shuffled", "hit", "native flanks");
            self.panel(
                id,
                vec![
                    native,
                    self.series(
                        id,
                        "shuffled",
                        "control",
                        "flanks shuffled, dinucleotides kept",
                    ),
                ],
            )
        };
        MotifFigure {
            panels: self.request.panels.iter().map(panel).collect(),
            y_label: format!("Mean {}", self.about.terms().quantity()),
            note: format!(
                "Bands: pointwise 95% intervals of a bootstrap over clusters of promoters. Shaded: the motif, the same nucleotides in both. {} bases on either side are shuffled. Grey curves: \
                 fewer than 10 hits.",
                self.request.flank
            ),
        }
    }

    /// One row of panels a control, one column an endpoint.
    pub(super) fn volcano(&self) -> VolcanoFigure {
        let panel = |(control, endpoint): (&str, &str)| VolcanoPanel {
            title: format!("{control}, {endpoint}"),
            points: rows(&self.found, control, endpoint)
                .map(|row| VolcanoPoint {
                    label: row.motif_name.clone(),
                    effect: row.difference,
                    p_value: row.p_value,
                    significant: row.p_bh <= RATE,
                })
                .collect(),
        };
        VolcanoFigure {
            panels: self.comparisons().map(panel).collect(),
            x_label: "Difference, hit minus control".into(),
            note: "Diamonds: significant at a false discovery rate of 5% (Benjamini-Hochberg over the motifs of the panel).".into(),
        }
    }

    /// Every control with every endpoint.
    fn comparisons(&self) -> impl Iterator<Item = (&str, &'static str)> {
        controls(&self.found)
            .into_iter()
            .flat_map(|control| ENDPOINTS.map(|(endpoint, _)| (control, endpoint)))
    }

    /// The groups of motifs with the smallest p-values, each through the member with most hits.
    pub(super) fn forest(&self) -> ForestFigure {
        let group = |(control, endpoint): (&str, &str)| {
            let mut all: Vec<&StatisticsRow> = rows(&self.found, control, endpoint)
                .filter(|row| row.represents_group && row.p_value.is_finite())
                .collect();
            all.sort_by(|a, b| {
                a.p_value
                    .total_cmp(&b.p_value)
                    .then(b.d.abs().total_cmp(&a.d.abs()))
            });
            all.truncate(FOREST_ROWS);
            ForestGroup {
                title: format!("Against {control}, {endpoint}"),
                rows: all.into_iter().map(|row| self.forest_row(row)).collect(),
            }
        };
        ForestFigure {
            groups: self.comparisons().map(group).collect(),
            heads: ForestFigure::DIFFERENCES,
            x_label: "Difference, hit minus control".into(),
        }
    }

    fn forest_row(&self, row: &StatisticsRow) -> ForestRow {
        let others = self.motif(&row.motif_id).map_or(0, |m| m.group_size - 1);
        let label = if others > 0 {
            format!("{} (+{others} alike)", row.motif_name)
        } else {
            row.motif_name.clone()
        };
        ForestRow {
            label,
            value: row.difference,
            ci_low: row.ci_low,
            ci_high: row.ci_high,
            n_pairs: row.n_pairs,
            n_clusters: row.n_clusters,
            p: p_plain(row),
        }
    }

    pub(super) fn heatmap(&self, id: &str) -> HeatmapFigure {
        let of: Vec<_> = self
            .found
            .detail
            .iter()
            .filter(|row| row.motif_id == id)
            .collect();
        let values: Vec<Vec<f64>> = of
            .chunk_by(|a, b| a.rank == b.rank)
            .map(|hit| hit.iter().map(|row| row.probability).collect())
            .collect();
        let name = self
            .motif(id)
            .map_or(id.to_string(), |row| motif_label(&row.motif_name, id));
        let mut sorted: Vec<f64> = values.iter().flatten().copied().collect();
        sorted.sort_by(f64::total_cmp);
        let range = match self.about.signal {
            true if !sorted.is_empty() => (
                quantile_sorted(&sorted, 0.02),
                quantile_sorted(&sorted, 0.98),
            ),
            _ => (0.0, 1.0),
        };
        HeatmapFigure {
            range,
            title: format!(
                "{name}: {} at every hit (n = {})",
                self.about.terms().quantity(),
                values.len()
            ),
            n: values.len(),
            rows: values,
            first: of.first().map_or(0, |row| row.offset as i32),
            edges: vec![0.0, self.logo(id).len() as f64],
            logo: self.logo(id),
            logo_first: 0,
            x_label: "Offset from the motif’s first edge (bases, motif 5′ to 3′)".into(),
            y_label: "Hits, by falling endpoint".into(),
        }
    }

    pub(super) fn balance(&self) -> BalanceFigure {
        let mut panels: Vec<BalancePanel> = Vec::new();
        // What a control does not have by its nature (a score, a start site) is in the table alone.
        for row in self
            .found
            .balance
            .iter()
            .filter(|row| row.smd_after.is_finite())
        {
            let title = format!("Against {}", row.control);
            if panels.last().is_none_or(|panel| panel.title != title) {
                panels.push(BalancePanel {
                    title,
                    rows: Vec::new(),
                });
            }
            let line = BalanceRow {
                label: covariate_name(&row.covariate),
                before: row.smd_before,
                after: row.smd_after,
            };
            panels
                .last_mut()
                .into_iter()
                .for_each(|panel| panel.rows.push(line.clone()));
        }
        BalanceFigure::new(panels)
    }

    pub(super) fn calibration(&self) -> CalibrationFigure {
        let series = ["edges", "inside"].map(|endpoint| CalibrationSeries {
            label: endpoint.into(),
            p_values: self
                .found
                .statistics
                .iter()
                .filter(|row| row.endpoint == endpoint)
                .map(|row| row.p_value)
                .collect(),
        });
        CalibrationFigure {
            title: "p-values of permuted against permuted motifs".into(),
            series: series.to_vec(),
        }
    }
}
