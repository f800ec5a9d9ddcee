//! The rows of the tables. Field names are column names. Positions are 0-based and half-open, of
//! the plus strand.

use serde::{Deserialize, Serialize};

/// What became of a class.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AccountingRow {
    /// The class.
    pub class: String,
    /// Its bases on the contigs asked for, those of both strands once.
    pub bases: u64,
    /// Stretches it was cut into.
    pub n_stretches: u64,
    /// Parts too short for a stretch.
    pub n_short: u64,
    /// Stretches with another base than A, C, G and T in or near them, or too near the end of a
    /// contig.
    pub n_not_plain: u64,
    /// Stretches drawn from the others.
    pub n_sampled: u64,
    /// Those without a control.
    pub n_no_control: u64,
    /// Those compared.
    pub n_used: u64,
}

/// A stretch and its control: all that the tests need.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairRow {
    /// The class.
    pub class: String,
    /// The unit of replication, `contig:start-end`: a cluster of overlapping genes with half of the
    /// space to the next ones.
    pub cluster: String,
    /// Contig.
    pub contig: String,
    /// The strand both are read on.
    pub strand: String,
    /// First base of the stretch.
    pub start: u64,
    /// One past its last base.
    pub end: u64,
    /// First base of the control, as long as the stretch.
    pub control_start: u64,
    /// G+C fraction of the stretch.
    pub gc: f64,
    /// G+C fraction of the control.
    pub control_gc: f64,
    /// CpG dinucleotides a base, stretch.
    pub cpg: f64,
    /// CpG dinucleotides a base, control.
    pub control_cpg: f64,
    /// Lower-case fraction, stretch.
    pub soft_masked: f64,
    /// Lower-case fraction, control.
    pub control_soft_masked: f64,
    /// Mean boundary probability, stretch.
    pub probability: f64,
    /// Mean boundary probability, control.
    pub control_probability: f64,
    /// Share of positions above 0.5, stretch.
    pub density: f64,
    /// Share of positions above 0.5, control.
    pub control_density: f64,
    /// What the letters nearby predict of `probability`; `NaN` where nothing could be fitted.
    pub predicted: f64,
    /// The same of `control_probability`.
    pub control_predicted: f64,
}

/// One comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatisticsRow {
    /// The class.
    pub class: String,
    /// `probability`, `density` (share of positions above 0.5), `predicted` (by the letters nearby)
    /// or `residual` (probability less predicted); of an untrained model `untrained` (its
    /// probability) and `untrained_residual`.
    pub measure: String,
    /// Pairs of a stretch and its control.
    pub n_pairs: u64,
    /// Units of replication.
    pub n_clusters: u64,
    /// Mean over stretches.
    pub class_mean: f64,
    /// Lower end of its 95% interval.
    pub class_low: f64,
    /// Upper end.
    pub class_high: f64,
    /// Mean over controls.
    pub control_mean: f64,
    /// Lower end of its 95% interval.
    pub control_low: f64,
    /// Upper end.
    pub control_high: f64,
    /// Mean paired difference.
    pub difference: f64,
    /// Lower end of its 95% interval.
    pub ci_low: f64,
    /// Upper end.
    pub ci_high: f64,
    /// Mean over standard deviation of the differences.
    pub d: f64,
    /// Two-sided p-value of the sign-flip test over units; missing for `predicted`, whose units
    /// share a fitted table.
    pub p_value: f64,
    /// The least p-value this test could have given.
    pub p_floor: f64,
    /// Benjamini-Hochberg over the classes of this measure.
    pub p_bh: f64,
    /// Benjamini-Yekutieli likewise.
    pub p_by: f64,
    /// How many units of one size would say as much: `(sum n)^2 / sum n^2` over the pairs of units.
    pub n_effective: f64,
}

/// How many tokens have a length.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LengthRow {
    /// The class.
    pub class: String,
    /// `class` or `control`.
    pub group: String,
    /// Bases; 65 stands for 65 and more.
    pub length_bp: u64,
    /// Tokens that start in the stretches and are so long.
    pub n_tokens: u64,
}

/// How alike stretches and controls are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BalanceRow {
    /// The class.
    pub class: String,
    /// `gc`, `cpg` or `soft_masked`.
    pub covariate: String,
    /// Mean over stretches.
    pub class_mean: f64,
    /// Mean over controls.
    pub control_mean: f64,
    /// Difference of the means over the pooled standard deviation.
    pub smd: f64,
}
