//! The rows of the tables. Field names are column names. Positions are 0-based, of the plus strand.

use serde::{Deserialize, Serialize};

/// One edit, as one model answers it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EditRow {
    /// `model`, `untrained`, or `letters`: a table of the letters around a position, fitted on the
    /// model.
    pub model: String,
    /// What is done.
    pub kind: String,
    /// `random` places; `donor` and `acceptor` cores; the same letters elsewhere, `..._control`.
    pub group: String,
    /// Number of the place, or of the pair.
    pub number: u64,
    /// Contig, by number in the genome.
    pub contig: u64,
    /// First base that is changed.
    pub base: u64,
    /// The strand that is read.
    pub strand: String,
    /// The cluster of genes, by number.
    pub cluster: u64,
    /// Sum of |change of boundary probability| over positions within reach that are there before
    /// and after.
    pub change: f64,
    /// How many of these become a boundary or cease to be one.
    pub decisions: u64,
    /// Boundaries within reach, after less before.
    pub tokens: i64,
    /// Positions that were compared.
    pub positions: u64,
}

/// The mean response at a distance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DistanceRow {
    /// As of edits.
    pub model: String,
    /// As of edits.
    pub kind: String,
    /// As of edits.
    pub group: String,
    /// Bases between the position and the edit; 0 beside it.
    pub distance: u64,
    /// Positions.
    pub n: u64,
    /// Mean |change of boundary probability|.
    pub change: f64,
    /// Share of positions that become a boundary or cease to be one.
    pub decisions: f64,
}

/// Means by kind of edit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SummaryRow {
    /// As of edits.
    pub model: String,
    /// As of edits.
    pub kind: String,
    /// As of edits.
    pub group: String,
    /// Edits.
    pub n: u64,
    /// Clusters of genes they lie in.
    pub n_clusters: u64,
    /// Mean sum of |change| an edit.
    pub change: f64,
    /// Lower end of its 95 % interval over draws of clusters.
    pub change_low: f64,
    /// Upper end.
    pub change_high: f64,
    /// Mean number of decisions changed.
    pub decisions: f64,
    /// Lower end of its interval.
    pub decisions_low: f64,
    /// Upper end.
    pub decisions_high: f64,
    /// Share of the positions compared whose decision changed.
    pub share: f64,
    /// Mean number of tokens gained or lost.
    pub tokens: f64,
    /// The distance within which 95 % of all change lies.
    pub reach_95: u64,
}

/// Two kinds of edits on the same places, or on pairs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComparisonRow {
    /// What is compared.
    pub comparison: String,
    /// `change` or `decisions`.
    pub measure: String,
    /// Pairs of edits.
    pub n: u64,
    /// Clusters of genes.
    pub n_clusters: u64,
    /// Mean of the first.
    pub first: f64,
    /// Mean of the second.
    pub second: f64,
    /// Mean difference.
    pub difference: f64,
    /// Lower end of its 95 % interval over draws of clusters.
    pub ci_low: f64,
    /// Upper end.
    pub ci_high: f64,
    /// Two-sided, by flipping the signs of clusters.
    pub p_value: f64,
    /// The least it could be.
    pub p_floor: f64,
    /// Holm-adjusted over the comparisons of a measure.
    pub p_holm: f64,
}

/// One substitution of the map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MapRow {
    /// Base from the site, in the orientation of its strand: 0 is the first one after it.
    pub offset: i64,
    /// The base that is changed.
    pub base: u64,
    /// The letter put there, in the orientation of the strand.
    pub letter: String,
    /// Sum of |change of boundary probability| within reach.
    pub change: f64,
    /// Decisions changed.
    pub decisions: u64,
}
