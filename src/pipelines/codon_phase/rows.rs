//! The rows of the tables. Field names are column names. Phase 0 lies between two codons, 1 after
//! the first base of a codon, 2 after the second.

use serde::{Deserialize, Serialize};

/// A position of codons.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PhaseRow {
    /// Router, 0 for the outermost.
    pub stage: u64,
    /// Position of the codon.
    pub phase: u64,
    /// Positions.
    pub n_positions: u64,
    /// Boundaries among them.
    pub n_boundaries: u64,
    /// Clusters of genes.
    pub n_clusters: u64,
    /// Share of these positions that are boundaries.
    pub rate: f64,
    /// Share of the boundaries in coding sequence that lie at this position.
    pub share: f64,
    /// Lower end of its 95% interval over draws of clusters.
    pub share_low: f64,
    /// Upper end.
    pub share_high: f64,
    /// The share if a position were cut as often as its k-mer is, whatever the frame.
    pub expected: f64,
}

/// A position of codons against positions elsewhere with the same k-mer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComparisonRow {
    /// Router, 0 for the outermost.
    pub stage: u64,
    /// `other frames` or `outside CDS`.
    pub control: String,
    /// Position of the codon.
    pub phase: u64,
    /// Positions with a control.
    pub n_positions: u64,
    /// Controls.
    pub n_controls: u64,
    /// Positions whose k-mer no control has.
    pub n_unmatched: u64,
    /// Clusters of genes.
    pub n_clusters: u64,
    /// Share of boundaries, k-mers weighing `n1 n0 / (n1 + n0)`.
    pub rate: f64,
    /// The same of controls.
    pub control_rate: f64,
    /// Their difference.
    pub difference: f64,
    /// Lower end of its 95% interval, by inversion of the test.
    pub ci_low: f64,
    /// Upper end.
    pub ci_high: f64,
    /// Two-sided, by sign flips of clusters.
    pub p_value: f64,
    /// The least it could be.
    pub p_floor: f64,
    /// Adjusted over the three positions of codons (Holm).
    pub p_holm: f64,
}

/// What a cluster adds to a comparison: its difference is the total of `sum` over that of `weight`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterRow {
    /// Router, 0 for the outermost.
    pub stage: u64,
    /// `other frames` or `outside CDS`.
    pub control: String,
    /// Position of the codon.
    pub phase: u64,
    /// The cluster, `contig:start-end`, 0-based and half-open.
    pub cluster: String,
    /// What is flipped.
    pub sum: f64,
    /// How much of the difference lies in it.
    pub weight: f64,
}

/// What became of genes with a CDS.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GeneRow {
    /// `used`, or why not.
    pub status: String,
    /// How many genes.
    pub n_genes: u64,
}
