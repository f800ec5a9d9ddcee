//! The endpoint of pairs: differences, effect sizes, intervals, tests.

use super::rows::{StatisticsRow, WidthRow};
use crate::stats::bootstrap::{auroc_interval, log2_ratio_interval, paired_d_interval};
use crate::stats::effect::{auroc, cliffs_delta, log2_ratio, paired_d};
use crate::stats::multiplicity::{benjamini_hochberg, benjamini_yekutieli};
use crate::stats::permutation::{ClusterSums, Member, set_labels};
use crate::stats::{mean, variance};

/// The level of every interval.
pub(super) const LEVEL: f64 = 0.95;

/// The smallest difference of interest, in standard deviations of single controls: a small effect
/// by Cohen (1988). Fixed before any result was seen.
const SMALLEST_EFFECT_SD: f64 = 0.2;

/// What of the model is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Measure {
    Probability,
    Residual,
    StrandAverage,
}

impl Measure {
    pub fn name(self) -> &'static str {
        match self {
            Measure::Probability => "probability",
            Measure::Residual => "residual",
            Measure::StrandAverage => "strand_average",
        }
    }
}

/// The endpoints of the pairs of one kind and family: one entry a pair.
#[derive(Clone, Debug, Default)]
pub(super) struct Endpoints {
    pub sites: Vec<f64>,
    pub controls: Vec<f64>,
    pub units: Vec<usize>,
    /// The single controls behind each of `controls`.
    pub sets: Vec<Vec<f64>>,
    /// Sites and single controls with their shares, each in its own unit: what the test flips.
    pub members: [Vec<Member>; 2],
}

/// One row, with p-values not yet adjusted.
pub(super) fn row(
    names: (&str, &str, Measure),
    pairs: &Endpoints,
    (permutations, bootstraps): (usize, usize),
    seed: u64,
) -> StatisticsRow {
    let (kind, control, measure) = names;
    let Endpoints {
        sites,
        controls,
        units,
        sets,
        members: [first, second],
    } = pairs;
    let differences: Vec<f64> = sites
        .iter()
        .zip(controls)
        .map(|(site, control)| site - control)
        .collect();
    let sums = ClusterSums::of_members(first, second);
    let test = sums.test(permutations, seed);
    let smallest_effect = SMALLEST_EFFECT_SD * variance(&sets.concat()).sqrt();
    let (ci_low, ci_high) = sums.interval(permutations, LEVEL, seed);
    let (d_low, d_high) = paired_d_interval(&differences, units, bootstraps, LEVEL, seed);
    let (auroc_low, auroc_high) = auroc_interval(sites, controls, units, bootstraps, LEVEL, seed);
    let ratio = measure != Measure::Residual;
    let (log2_ratio_low, log2_ratio_high) = match ratio {
        true => log2_ratio_interval(sites, controls, units, bootstraps, LEVEL, seed),
        false => (f64::NAN, f64::NAN),
    };
    StatisticsRow {
        site_kind: kind.into(),
        control: control.into(),
        n_pairs: sites.len() as u64,
        n_clusters: test.n_clusters as u64,
        site_mean: mean(sites),
        control_mean: mean(controls),
        difference: test.statistic,
        ci_low,
        ci_high,
        d: paired_d(&differences),
        auroc: auroc(sites, controls),
        auroc_low,
        auroc_high,
        p_value: test.p_value,
        p_floor: test.p_floor,
        measure: measure.name().into(),
        p_bh: f64::NAN,
        p_by: f64::NAN,
        p_labels: sets
            .iter()
            .any(|set| set.len() > 1)
            .then(|| set_labels(sites, sets, permutations, seed).p_value),
        d_low,
        d_high,
        log2_ratio: if ratio {
            log2_ratio(sites, controls)
        } else {
            f64::NAN
        },
        log2_ratio_low,
        log2_ratio_high,
        cliffs_delta: cliffs_delta(sites, controls),
        cliffs_delta_low: 2.0 * auroc_low - 1.0,
        cliffs_delta_high: 2.0 * auroc_high - 1.0,
        n_effective: sums.effective(),
        smallest_effect,
        p_equivalence: sums.equivalence(smallest_effect, permutations, seed),
    }
}

/// The row of one width of family `kmer`.
pub(super) fn width_row(
    (kind, measure): (&str, Measure),
    kmer: usize,
    pairs: &Endpoints,
    permutations: usize,
    seed: u64,
) -> WidthRow {
    let sums = ClusterSums::of_members(&pairs.members[0], &pairs.members[1]);
    let test = sums.test(permutations, seed);
    let (ci_low, ci_high) = sums.interval(permutations, LEVEL, seed);
    WidthRow {
        site_kind: kind.into(),
        measure: measure.name().into(),
        kmer: kmer as u64,
        n_pairs: pairs.sites.len() as u64,
        n_clusters: test.n_clusters as u64,
        n_effective: sums.effective(),
        site_mean: mean(&pairs.sites),
        control_mean: mean(&pairs.controls),
        difference: test.statistic,
        ci_low,
        ci_high,
        p_value: test.p_value,
        p_floor: test.p_floor,
    }
}

/// Adjusts the p-values of the rows of one measure for each other. Rows without pairs are no tests.
pub(super) fn adjust(rows: &mut [StatisticsRow]) {
    let p_values: Vec<f64> = rows
        .iter()
        .map(|row| {
            if row.n_pairs > 0 {
                row.p_value
            } else {
                f64::NAN
            }
        })
        .collect();
    let adjusted = benjamini_hochberg(&p_values)
        .into_iter()
        .zip(benjamini_yekutieli(&p_values));
    rows.iter_mut()
        .zip(adjusted)
        .for_each(|(row, (bh, by))| (row.p_bh, row.p_by) = (bh, by));
}
