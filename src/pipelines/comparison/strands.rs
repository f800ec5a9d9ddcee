//! Agreement of the two strands.

use super::ComparisonRequest;
use super::rows::StrandRow;
use super::statistics::LEVEL;
use crate::model::THRESHOLD;
use crate::pipelines::Values;
use crate::stats::agreement::{Agreement, decisions, pearson, spearman};
use crate::stats::permutation::ClusterSums;
use crate::stats::quantile_sorted;

/// Each draw ranks all positions anew.
const SPEARMAN_DRAWS: usize = 500;

/// Correlations, agreement of decisions (not of a track, which decides nothing) and the
/// distribution of the difference of positions read on both strands: (cluster, own strand, other
/// strand). No rows without.
pub(super) fn rows(
    values: &[(usize, f32, f32)],
    of: Values,
    request: &ComparisonRequest,
    seed: u64,
) -> Vec<StrandRow> {
    if values.is_empty() {
        return Vec::new();
    }
    let n_windows = (values.len() / (2 * request.flank + 1)) as u64;
    let clusters: Vec<usize> = values.iter().map(|v| v.0).collect();
    let differences: Vec<f64> = values
        .iter()
        .map(|v| f64::from(v.1) - f64::from(v.2))
        .collect();
    let row = |statistic: String, value: f64, interval: Option<(f64, f64)>| StrandRow {
        statistic,
        value,
        ci_low: interval.map(|i| i.0),
        ci_high: interval.map(|i| i.1),
        n_positions: values.len() as u64,
        n_windows,
    };
    let interval =
        ClusterSums::of_pairs(&differences, &clusters).interval(request.permutations, LEVEL, seed);
    let (own, other): (Vec<f64>, Vec<f64>) = values
        .iter()
        .map(|v| (f64::from(v.1), f64::from(v.2)))
        .unzip();
    let mut found = vec![
        (
            "pearson",
            pearson(&own, &other, &clusters, request.bootstraps, LEVEL, seed),
        ),
        (
            "spearman",
            spearman(
                &own,
                &other,
                &clusters,
                request.bootstraps.min(SPEARMAN_DRAWS),
                LEVEL,
                seed,
            ),
        ),
    ];
    if of == Values::Probabilities {
        let decided = |values: &[f64]| {
            values
                .iter()
                .map(|value| *value > f64::from(THRESHOLD))
                .collect::<Vec<bool>>()
        };
        let [share, kappa] = decisions(
            &decided(&own),
            &decided(&other),
            &clusters,
            request.bootstraps,
            LEVEL,
            seed,
        );
        found.extend([("same_decision", share), ("kappa", kappa)]);
    }
    let interval_of = |a: Agreement| Some((a.ci_low, a.ci_high));
    let mut rows: Vec<StrandRow> = found
        .into_iter()
        .map(|(name, a)| row(name.into(), a.correlation, interval_of(a)))
        .collect();
    rows.push(row(
        "mean_difference".into(),
        crate::stats::mean(&differences),
        Some(interval),
    ));
    let mut sorted = differences;
    sorted.sort_by(f64::total_cmp);
    let quantile = |percent: u32| {
        row(
            format!("difference_q{percent:02}"),
            quantile_sorted(&sorted, f64::from(percent) / 100.0),
            None,
        )
    };
    rows.extend([5, 25, 50, 75, 95].map(quantile));
    rows
}
