//! From answers to rows.

use std::collections::BTreeMap;

use super::probes::{KINDS, MAP_BP, OF_MAP, Probe};
use super::{
    ComparisonRow, DistanceRow, EditRow, MODEL, MapRow, Stability, StabilityRequest, SummaryRow,
    TABLE, UNTRAINED,
};
use crate::genome::Strand;
use crate::genome::sequence::complement;
use crate::model::THRESHOLD;
use crate::pipelines::questions::rising;
use crate::stats::bootstrap::mean_interval;
use crate::stats::mean;
use crate::stats::multiplicity::holm;
use crate::stats::permutation::sign_flip_clusters;

/// Confidence level.
const LEVEL: f64 = 0.95;

/// Positions, summed |change| and changed decisions by distance.
type Sums = Vec<(u64, f64, u64)>;

/// Sums by model, kind and group.
pub(super) type Distances = BTreeMap<(String, String, String), Sums>;

/// The values of inter-base positions `low` to `high` of a window that was read on a strand.
fn positions(values: &[f32], first: usize, strand: Strand, low: usize, high: usize) -> Vec<f32> {
    // The first value of what a model is given belongs to no position inside.
    let all = rising(values.get(1..).unwrap_or_default(), strand);
    all.get(low - first - 1..high - first)
        .unwrap_or_default()
        .to_vec()
}

/// Adds what a model says of an edit. `before` and `after` are the answers for its windows.
pub(super) fn add(
    model: &str,
    probe: &Probe,
    before: &[f32],
    after: &[f32],
    request: &StabilityRequest,
    found: &mut Stability,
    distances: &mut Distances,
) {
    let edit = &probe.edit;
    let (low, high) = match probe.kind {
        "mask_share" | "random_share" => (edit.bases.start, edit.bases.end),
        _ => (
            edit.bases.start - request.reach,
            edit.bases.end + request.reach,
        ),
    };
    let before = positions(before, probe.before.0, probe.strand, low, high);
    let after = positions(
        after,
        probe.after.0,
        probe.strand_after,
        low,
        high.saturating_add_signed(edit.shift()),
    );
    let response = edit.response(low, &before, &after);
    if probe.group == OF_MAP {
        let letter = if probe.strand == Strand::Plus {
            edit.letters[0]
        } else {
            complement(edit.letters[0])
        };
        found.map.push(MapRow {
            offset: probe.number as i64 - MAP_BP as i64,
            base: edit.bases.start as u64,
            letter: char::from(letter).to_string(),
            change: response.change,
            decisions: u64::from(response.decisions),
        });
        return;
    }
    let key = (
        model.to_string(),
        probe.kind.to_string(),
        probe.group.clone(),
    );
    let sums = distances
        .entry(key)
        .or_insert_with(|| vec![(0, 0.0, 0); request.reach + 1]);
    let mut compared = 0;
    for (t, before, after) in edit.pairs(low, &before, &after) {
        compared += 1;
        // Where there is no single place of an edit, the distance is that from the middle.
        let distance = match probe.kind {
            "mask_share" | "random_share" => t.abs_diff((low + high) / 2),
            _ => edit.distance(t),
        };
        if let Some(sum) = sums.get_mut(distance) {
            *sum = (
                sum.0 + 1,
                sum.1 + f64::from((after - before).abs()),
                sum.2 + u64::from((before > THRESHOLD) != (after > THRESHOLD)),
            );
        }
    }
    found.edits.push(EditRow {
        model: model.into(),
        kind: probe.kind.into(),
        group: probe.group.clone(),
        number: probe.number as u64,
        contig: probe.contig as u64,
        base: edit.bases.start as u64,
        strand: probe.strand.to_string(),
        cluster: probe.cluster as u64,
        change: response.change,
        decisions: u64::from(response.decisions),
        tokens: i64::from(response.tokens),
        positions: compared,
    });
}

/// Makes the tables of means and comparisons.
pub(super) fn finish(found: &mut Stability, distances: Distances, request: &StabilityRequest) {
    for ((model, kind, group), sums) in &distances {
        for (distance, (n, change, decisions)) in
            sums.iter().enumerate().filter(|(_, (n, ..))| *n > 0)
        {
            found.distances.push(DistanceRow {
                model: model.clone(),
                kind: kind.clone(),
                group: group.clone(),
                distance: distance as u64,
                n: *n,
                change: change / *n as f64,
                decisions: *decisions as f64 / *n as f64,
            });
        }
    }
    found.summary = summary(&found.edits, &distances, request);
    found.comparisons = comparisons(&found.edits, request);
}

fn summary(
    edits: &[EditRow],
    distances: &Distances,
    request: &StabilityRequest,
) -> Vec<SummaryRow> {
    let comparison = &request.sites.comparison;
    let interval = |values: &[f64], clusters: &[usize]| {
        mean_interval(
            values,
            clusters,
            comparison.bootstraps,
            LEVEL,
            comparison.seed,
        )
    };
    let mut rows = Vec::new();
    for ((model, kind, group), sums) in distances {
        let own: Vec<&EditRow> = edits
            .iter()
            .filter(|row| (&row.model, &row.kind, &row.group) == (model, kind, group))
            .collect();
        let of =
            |value: fn(&EditRow) -> f64| own.iter().map(|row| value(row)).collect::<Vec<f64>>();
        let clusters: Vec<usize> = own.iter().map(|row| row.cluster as usize).collect();
        let (change, decisions) = (of(|row| row.change), of(|row| row.decisions as f64));
        let ((change_low, change_high), (decisions_low, decisions_high)) = (
            interval(&change, &clusters),
            interval(&decisions, &clusters),
        );
        let total: f64 = sums.iter().map(|(_, change, _)| change).sum();
        let mut so_far = 0.0;
        let reach_95 = sums.iter().position(|(_, change, _)| {
            so_far += change;
            so_far >= 0.95 * total
        });
        rows.push(SummaryRow {
            model: model.clone(),
            kind: kind.clone(),
            group: group.clone(),
            n: own.len() as u64,
            n_clusters: crate::stats::dense_clusters(&clusters).1 as u64,
            change: mean(&change),
            change_low,
            change_high,
            decisions: mean(&decisions),
            decisions_low,
            decisions_high,
            share: decisions.iter().sum::<f64>()
                / own.iter().map(|row| row.positions).sum::<u64>().max(1) as f64,
            tokens: mean(&of(|row| row.tokens.unsigned_abs() as f64)),
            reach_95: reach_95.unwrap_or(0) as u64,
        });
    }
    // The model first, then random places, then kinds as they are listed.
    let place = |row: &SummaryRow| {
        let kind = KINDS
            .iter()
            .position(|kind| *kind == row.kind)
            .unwrap_or(KINDS.len());
        (
            [MODEL, TABLE, UNTRAINED]
                .iter()
                .position(|name| *name == row.model),
            row.group != "random",
            row.group.clone(),
            kind,
        )
    };
    rows.sort_by_key(place);
    rows
}

/// One side of a comparison: model, kind, group.
type Side = [&'static str; 3];

/// What is compared: a name, the first and the second.
const COMPARED: [(&str, Side, Side); 9] = [
    (
        "[MASK] − random base",
        [MODEL, "mask", "random"],
        [MODEL, "snv", "random"],
    ),
    (
        "15% [MASK] − 15% random",
        [MODEL, "mask_share", "random"],
        [MODEL, "random_share", "random"],
    ),
    (
        "SNV: model − letters nearby",
        [MODEL, "snv", "random"],
        [TABLE, "snv", "random"],
    ),
    (
        "SNV: model − untrained",
        [MODEL, "snv", "random"],
        [UNTRAINED, "snv", "random"],
    ),
    (
        "donor core − elsewhere",
        [MODEL, "snv", "donor"],
        [MODEL, "snv", "donor_control"],
    ),
    (
        "acceptor core − elsewhere",
        [MODEL, "snv", "acceptor"],
        [MODEL, "snv", "acceptor_control"],
    ),
    (
        "donor, untrained",
        [UNTRAINED, "snv", "donor"],
        [UNTRAINED, "snv", "donor_control"],
    ),
    (
        "acceptor, untrained",
        [UNTRAINED, "snv", "acceptor"],
        [UNTRAINED, "snv", "acceptor_control"],
    ),
    (
        "insertion − deletion, 1 bp",
        [MODEL, "insertion_1", "random"],
        [MODEL, "deletion_1", "random"],
    ),
];

fn comparisons(edits: &[EditRow], request: &StabilityRequest) -> Vec<ComparisonRow> {
    let mut rows = Vec::new();
    for (measure, value) in [
        ("change", (|row| row.change) as fn(&EditRow) -> f64),
        ("decisions", |row| row.decisions as f64),
    ] {
        let side = |[model, kind, group]: Side| -> BTreeMap<u64, &EditRow> {
            edits
                .iter()
                .filter(|row| row.model == model && row.kind == kind && row.group == group)
                .map(|row| (row.number, row))
                .collect()
        };
        let mut of_measure: Vec<ComparisonRow> = Vec::new();
        let mut add = |name: &str, values: Vec<(u64, f64, f64)>| {
            if !values.is_empty() {
                of_measure.push(compared(name, measure, &values, request));
            }
        };
        for (name, first, second) in COMPARED {
            let (first, second) = (side(first), side(second));
            let both = first
                .iter()
                .filter_map(|(number, a)| Some((a.cluster, value(a), value(second.get(number)?))));
            add(name, both.collect());
        }
        // What letters nearby would make of the difference between sites and the same core letters
        // elsewhere is taken away.
        for kind in ["donor", "acceptor"] {
            let name = format!("{kind}, beyond letters");
            let control: &'static str = if kind == "donor" {
                "donor_control"
            } else {
                "acceptor_control"
            };
            let [sites, controls] = [kind, control]
                .map(|group| [MODEL, TABLE].map(|model| side([model, "snv", group])));
            let residual = |of: &[BTreeMap<u64, &EditRow>; 2], number: &u64| {
                Some(value(of[0].get(number)?) - value(of[1].get(number)?))
            };
            let both = sites[0].iter().filter_map(|(number, row)| {
                Some((
                    row.cluster,
                    residual(&sites, number)?,
                    residual(&controls, number)?,
                ))
            });
            add(&name, both.collect());
        }
        let adjusted = holm(
            &of_measure
                .iter()
                .map(|row| row.p_value)
                .collect::<Vec<f64>>(),
        );
        of_measure
            .iter_mut()
            .zip(adjusted)
            .for_each(|(row, p)| row.p_holm = p);
        rows.extend(of_measure);
    }
    rows
}

/// `values`: cluster, first, second.
fn compared(
    name: &str,
    measure: &str,
    values: &[(u64, f64, f64)],
    request: &StabilityRequest,
) -> ComparisonRow {
    let comparison = &request.sites.comparison;
    let clusters: Vec<usize> = values
        .iter()
        .map(|(cluster, ..)| *cluster as usize)
        .collect();
    let differences: Vec<f64> = values.iter().map(|(_, a, b)| a - b).collect();
    let (ci_low, ci_high) = mean_interval(
        &differences,
        &clusters,
        comparison.bootstraps,
        LEVEL,
        comparison.seed,
    );
    let test = sign_flip_clusters(
        &differences,
        &clusters,
        comparison.permutations,
        comparison.seed,
    );
    ComparisonRow {
        comparison: name.into(),
        measure: measure.into(),
        n: values.len() as u64,
        n_clusters: test.n_clusters as u64,
        first: mean(&values.iter().map(|(_, a, _)| *a).collect::<Vec<f64>>()),
        second: mean(&values.iter().map(|(.., b)| *b).collect::<Vec<f64>>()),
        difference: mean(&differences),
        ci_low,
        ci_high,
        p_value: test.p_value,
        p_floor: test.p_floor,
        p_holm: f64::NAN,
    }
}
