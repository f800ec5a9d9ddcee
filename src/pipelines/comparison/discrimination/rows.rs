//! The rows of the tables. Field names are column names.

use serde::{Deserialize, Serialize};

use crate::stats::roc::Estimate;

/// The models that are compared in every run.
pub(super) const MODELS: [&str; 3] = ["letters", "boundaries", "letters+boundaries"];

/// How well one model tells one kind of site from one set of controls, out of fold. `NaN` where it
/// could not be estimated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiscriminationRow {
    /// The kind of site.
    pub site_kind: String,
    /// `decoy`, `strength` for decoys as strong as their site, `random`, or `bed` for the user's; of
    /// motif hits `permuted`, `position` or `outside`.
    pub control: String,
    /// What the model sees: `letters` (nucleotides), `boundaries`, `letters+boundaries`; with a
    /// reference also `untrained` and `letters+untrained`.
    pub features: String,
    /// Sites.
    pub n_sites: u64,
    /// Controls; those of a site have its weight together.
    pub n_controls: u64,
    /// Clusters of genes (or contigs): the folds are of whole ones.
    pub n_clusters: u64,
    /// Probability that a site outscores a control.
    pub auroc: f64,
    /// Lower end of its 95% interval over clusters.
    pub auroc_low: f64,
    /// Upper end.
    pub auroc_high: f64,
    /// Information on which of the two a place is, in bits of at most 1.
    pub bits: f64,
    /// Lower end of its 95% interval over clusters.
    pub bits_low: f64,
    /// Upper end.
    pub bits_high: f64,
    /// Of `boundaries`: whether they tell at all (labels exchanged). Of `letters+boundaries`:
    /// whether boundaries tell beyond the nucleotides (generalised covariance measure, the greatest
    /// over offsets). Of the others `NaN`.
    pub p_value: f64,
}

impl DiscriminationRow {
    /// A row without estimates.
    pub(super) fn empty(of: &DecoyRow, features: &str) -> DiscriminationRow {
        DiscriminationRow {
            site_kind: of.site_kind.clone(),
            control: of.control.clone(),
            features: features.into(),
            n_sites: of.n_sites,
            n_controls: of.n_controls,
            n_clusters: 0,
            auroc: f64::NAN,
            auroc_low: f64::NAN,
            auroc_high: f64::NAN,
            bits: f64::NAN,
            bits_low: f64::NAN,
            bits_high: f64::NAN,
            p_value: f64::NAN,
        }
    }
}

/// What the value at one offset tells beyond the nucleotides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConditionalRow {
    /// The kind of site.
    pub site_kind: String,
    /// The controls.
    pub control: String,
    /// Inter-base positions downstream of the site, in transcript orientation.
    pub offset: i64,
    /// The generalised covariance measure over its standard deviation under sign flips of clusters:
    /// above 0 where sites have more than their nucleotides let expect.
    pub statistic: f64,
    /// Its p-value, adjusted for all offsets.
    pub p_maxt: f64,
}

/// How often sites and controls are cut at one offset: a boundary probability above one half.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CutRow {
    /// The kind of site.
    pub site_kind: String,
    /// The controls.
    pub control: String,
    /// Inter-base positions downstream of the site, in transcript orientation.
    pub offset: i64,
    /// Share of the sites.
    pub rate_sites: f64,
    /// Share of the controls, each site's weighted as one.
    pub rate_controls: f64,
    /// Odds at sites over odds at controls, half an observation added to each cell.
    pub odds_ratio: f64,
    /// By sign flips of clusters, adjusted for all offsets.
    pub p_maxt: f64,
}

/// Mean value at sites less that at controls, at one offset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DifferenceRow {
    /// The kind of site.
    pub site_kind: String,
    /// The controls.
    pub control: String,
    /// Inter-base positions downstream of the site, in transcript orientation.
    pub offset: i64,
    /// The difference.
    pub difference: f64,
    /// Lower end of a 95% band that holds all offsets at once.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// By sign flips of clusters, adjusted for all offsets.
    pub p_maxt: f64,
}

/// A further measure of a model, or of sites and controls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EffectRow {
    /// The kind of site.
    pub site_kind: String,
    /// The controls.
    pub control: String,
    /// As in `discrimination`; `sites` or `controls` for what is counted at them.
    pub features: String,
    /// `auroc_within_clusters`, `average_precision`; of a model beside the nucleotides
    /// `gain_auroc`, `gain_bits` (over `letters`), `folds_with_boundaries` (in how many folds they
    /// were used) and `max_t_95` (the 5 % line of `conditional`); of sites and controls
    /// `pattern_XYZ` (share cut or not at -1, 0, +1), `nearest_cut_offset` (its mean) and
    /// `without_cut` (share without one in the window).
    pub statistic: String,
    /// Its value.
    pub value: f64,
    /// Lower end of its 95% interval over clusters, where it has one.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl EffectRow {
    pub(super) fn new(
        of: &DecoyRow,
        features: &str,
        statistic: &str,
        estimate: Estimate,
    ) -> EffectRow {
        EffectRow {
            site_kind: of.site_kind.clone(),
            control: of.control.clone(),
            features: features.into(),
            statistic: statistic.into(),
            value: estimate.value,
            low: estimate.low,
            high: estimate.high,
        }
    }
}

/// A point of a receiver operating characteristic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RocRow {
    /// The kind of site.
    pub site_kind: String,
    /// The controls.
    pub control: String,
    /// As in `discrimination`.
    pub features: String,
    /// Share of the controls that score at least so high.
    pub false_positive_rate: f64,
    /// Share of the sites that do.
    pub true_positive_rate: f64,
}

/// The controls of one kind of site that it is told from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DecoyRow {
    /// The kind of site.
    pub site_kind: String,
    /// As in `discrimination`.
    pub control: String,
    /// Usable sites.
    pub n_usable: u64,
    /// Those of them that decoys were looked for: all, or a random sample.
    pub n_drawn: u64,
    /// Those of them that have a decoy.
    pub n_sites: u64,
    /// Their decoys.
    pub n_controls: u64,
    /// Sites whose only decoy lies nearer than 120 bases to an annotated site or another decoy: the
    /// gene has no room.
    pub n_near: u64,
    /// Decoys a site, at most.
    pub per_site: u64,
    /// The least distance of a decoy from an annotated site of its strand and from other decoys, in
    /// bases.
    pub least_bp: u64,
    /// Why nothing was estimated; empty where it was.
    pub note: String,
}

/// No more points of a curve than a figure can show.
const MOST_POINTS: usize = 200;

/// Every so many points of a curve, with both ends.
pub(super) fn thinned(curve: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let step = curve.len().div_ceil(MOST_POINTS).max(1);
    let last = curve.len().saturating_sub(1);
    curve
        .into_iter()
        .enumerate()
        .filter(|(index, _)| index % step == 0 || *index == last)
        .map(|(_, point)| point)
        .collect()
}
