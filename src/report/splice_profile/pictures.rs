//! From tables to figures.

use super::answer::primary;
use super::{Figures, sides};
use crate::controls::Covariates;
use crate::figures::{
    BalanceFigure, BalancePanel, BalanceRow, CalibrationFigure, CalibrationSeries,
    DistributionFigure, DistributionPanel, ForestFigure, ForestGroup, ForestRow, HeatmapFigure,
    ProfileFigure, ProfilePanel, R2Figure, R2Point, R2Series,
};
use crate::pipelines::splice_profile::{BaselineRow, HeatmapRow, SpliceProfile, StatisticsRow};
use crate::report::comparison::{PanelWords, profile_panel};
use crate::report::format::p_value;
use crate::report::terms::Terms;
use crate::stats::quantile_sorted;

/// A covariate's name in words.
pub fn covariate_name(covariate: &str) -> String {
    // In the order of the table's names, so that a new covariate cannot be forgotten without a test
    // noticing.
    const WORDS: [&str; 6] = [
        "G+C upstream",
        "G+C downstream",
        "CpG count",
        "soft-masked share",
        "distance to gene end",
        "site strength",
    ];
    let known = Covariates::NAMES
        .iter()
        .position(|name| *name == covariate)
        .and_then(|i| WORDS.get(i));
    known.map_or_else(|| covariate.replace('_', " "), |words| (*words).to_string())
}

/// A panel's title.
fn title(row: &StatisticsRow) -> String {
    if row.site_kind == "donor" {
        "Donors".into()
    } else {
        "Acceptors".into()
    }
}

/// The same where a figure shows several families.
fn title_with_family(row: &StatisticsRow) -> String {
    format!("{}, {}", title(row), row.control)
}

impl Figures {
    /// The figures of an outcome.
    pub fn new(found: &SpliceProfile, terms: Terms) -> Figures {
        let quantity = terms.quantity();
        let compared = &found.comparison;
        let differences = |row: &StatisticsRow| DistributionPanel {
            title: title(row),
            differences: (compared
                .pairs
                .iter()
                .filter(|p| p.site_kind == row.site_kind && p.control == row.control))
            .map(|p| p.site_value - p.control_value)
            .collect(),
            mean: row.difference,
            ci_low: row.ci_low,
            ci_high: row.ci_high,
        };
        let balance = |row: &StatisticsRow| BalancePanel {
            title: title_with_family(row),
            rows: (compared
                .balance
                .iter()
                .filter(|b| b.site_kind == row.site_kind && b.control == row.control))
            .map(|b| BalanceRow {
                label: covariate_name(&b.covariate),
                before: b.smd_before,
                after: b.smd_after,
            })
            .collect(),
        };
        let profiles = |rows: Vec<&StatisticsRow>| {
            let figure =
                ProfileFigure::new(rows.into_iter().map(|row| profile(found, row)).collect());
            ProfileFigure {
                y_label: format!("Mean {quantity}"),
                ..figure
            }
        };
        let of = |measure: &'static str| {
            compared
                .statistics
                .iter()
                .filter(move |row| row.measure == measure)
        };
        // Donors and acceptors of a family abreast, family by family.
        let mut others: Vec<&StatisticsRow> = of("probability")
            .filter(|row| primary(found, "probability").all(|p| p != *row))
            .collect();
        let order: Vec<&str> = of("probability").map(|row| row.control.as_str()).collect();
        others.sort_by_key(|row| order.iter().position(|name| *name == row.control));
        let mut all: Vec<&StatisticsRow> = of("probability").collect();
        all.sort_by_key(|row| order.iter().position(|name| *name == row.control));
        let mut residual = profiles(primary(found, "residual").collect());
        residual.y_label = terms
            .either("Probability less prediction", "Signal less prediction")
            .into();
        let group = |kind: &str, measure: &'static str, words: &str| ForestGroup {
            title: format!(
                "{}, {words}",
                if kind == "donor" {
                    "Donors"
                } else {
                    "Acceptors"
                }
            ),
            rows: of(measure)
                .filter(|row| row.site_kind == kind && row.n_pairs > 0)
                .map(forest_row)
                .collect(),
        };
        let mut groups = Vec::new();
        for (measure, words) in [
            ("probability", quantity),
            ("residual", "less what the nucleotides nearby predict"),
            ("strand_average", "mean of both strands"),
        ] {
            groups.extend(["donor", "acceptor"].map(|kind| group(kind, measure, words)));
        }
        groups.retain(|group| !group.rows.is_empty());
        let point = |row: &BaselineRow| R2Point {
            k: row.k as usize,
            r2: row.r2,
            ci_low: row.r2_low,
            ci_high: row.r2_high,
        };
        let calibration = CalibrationFigure {
            title: "p-values of controls against controls".into(),
            series: ["probability", "residual"]
                .into_iter()
                .map(|measure| CalibrationSeries {
                    label: measure.into(),
                    p_values: of(measure)
                        .filter(|row| row.n_pairs > 0)
                        .map(|row| row.p_value)
                        .collect(),
                })
                .filter(|series| !series.p_values.is_empty())
                .collect(),
        };
        Figures {
            calibration: (compared.negative_control && compared.statistics.len() > 2)
                .then_some(calibration),
            profile: profiles(primary(found, "probability").collect()),
            others: (!others.is_empty()).then(|| profiles(others)),
            residual: primary(found, "residual")
                .next()
                .is_some()
                .then_some(residual),
            heatmaps: (primary(found, "probability"))
                .filter_map(|row| Some((row.site_kind.clone(), heatmap(found, row, quantity)?)))
                .collect(),
            balance: BalanceFigure::new(all.into_iter().map(balance).collect()),
            differences: DistributionFigure::new(
                primary(found, "probability").map(differences).collect(),
            ),
            families: ForestFigure {
                groups,
                heads: ForestFigure::DIFFERENCES,
                x_label: "Difference, site minus control (mean over offsets −2 to +2)".into(),
            },
            baseline: R2Figure {
                title: "What the nucleotides nearby explain".into(),
                x_label: "Nucleotides on either side, k".into(),
                series: vec![R2Series {
                    label: format!("{quantity}, genes left out of the fit"),
                    points: compared.baseline.iter().map(point).collect(),
                }],
                references: Vec::new(),
            },
        }
    }
}

fn forest_row(row: &StatisticsRow) -> ForestRow {
    ForestRow {
        label: row.control.clone(),
        value: row.difference,
        ci_low: row.ci_low,
        ci_high: row.ci_high,
        n_pairs: row.n_pairs,
        n_clusters: row.n_clusters,
        p: p_value(row.p_value, Some(row.p_floor)),
    }
}

/// The sites of a kind one by one, `None` where there are none.
fn heatmap(found: &SpliceProfile, row: &StatisticsRow, quantity: &str) -> Option<HeatmapFigure> {
    let of: Vec<_> = found
        .comparison
        .heatmap
        .iter()
        .filter(|bin| bin.site_kind == row.site_kind)
        .collect();
    let values = |bin: &HeatmapRow| {
        bin.values
            .split(',')
            .map(|v| v.parse().unwrap_or(f64::NAN))
            .collect::<Vec<f64>>()
    };
    // One scale for all kinds.
    let mut sorted: Vec<f64> = found
        .comparison
        .heatmap
        .iter()
        .flat_map(values)
        .filter(|value| value.is_finite())
        .collect();
    sorted.sort_by(f64::total_cmp);
    // Two digits, for the key.
    let end = |share: f64| {
        format!("{:.1e}", quantile_sorted(&sorted, share))
            .parse()
            .unwrap_or(f64::NAN)
    };
    let letters: Vec<_> = found
        .letters
        .iter()
        .filter(|l| l.site_kind == row.site_kind)
        .collect();
    let (first, last) = (of.first()?, of.last()?);
    Some(HeatmapFigure {
        title: format!("{}: {quantity} (n = {})", title(row), last.rank_last),
        n: last.rank_last as usize,
        first: first.first_offset as i32,
        rows: of.iter().map(|bin| values(bin)).collect(),
        logo: letters.iter().map(|l| [l.a, l.c, l.g, l.t]).collect(),
        logo_first: letters.first().map_or(0, |l| l.offset as i32),
        edges: vec![0.0],
        x_label: "Offset from the junction (bases, transcript 5′ to 3′)".into(),
        y_label: "Sites, by falling endpoint".into(),
        range: (end(0.02), end(0.98)),
    })
}

fn profile(found: &SpliceProfile, row: &StatisticsRow) -> ProfilePanel {
    let (sites, controls) = match found.comparison.negative_control {
        true => (
            format!("second {} controls", row.control),
            format!("first {} controls", row.control),
        ),
        false => (
            format!("{} sites", row.site_kind),
            format!("{} controls", row.control),
        ),
    };
    // In a negative control there are no sites in the figure.
    let letters = (found.letters.iter())
        .filter(|l| l.site_kind == row.site_kind && !found.comparison.negative_control);
    let words = PanelWords {
        title: title_with_family(row),
        sides: sides(&row.site_kind),
        names: [sites, controls],
        units: "clusters",
    };
    profile_panel(&found.comparison, letters, row, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_covariate_has_words() {
        for name in Covariates::NAMES {
            assert_ne!(covariate_name(name), name.replace('_', " "), "{name}");
        }
        assert_eq!(covariate_name("new_one"), "new one");
    }
}
