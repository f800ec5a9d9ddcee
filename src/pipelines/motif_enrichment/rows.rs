//! Rows of the tables.

use serde::{Deserialize, Serialize};

/// A promoter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PromoterRow {
    /// Its transcript, or its name in the file.
    pub id: String,
    /// Its gene; empty where not known.
    pub gene: String,
    /// Contig.
    pub contig: String,
    /// First base of its window, 0-based.
    pub start: u64,
    /// One past the last.
    pub end: u64,
    /// Strand, or `.`.
    pub strand: String,
    /// Inter-base position of the start site.
    pub tss: Option<u64>,
    /// The unit of replication.
    pub cluster: u64,
}

/// A motif asked about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MotifRow {
    /// Identifier.
    pub motif_id: String,
    /// Name.
    pub motif_name: String,
    /// Taxonomic group.
    pub tax_group: String,
    /// Structural families of the factor.
    pub structural_family: String,
    /// Number of its group of like matrices.
    pub group: u64,
    /// Motifs of that group.
    pub group_size: u64,
    /// Whether it stands for its group: the member with most usable hits.
    pub represents_group: bool,
    /// Columns.
    pub width: u64,
    /// Information of the matrix in bits.
    pub information_bits: f64,
    /// Largest p-value of its hits.
    pub p_threshold: f64,
    /// The probability that a random word is its best word.
    pub best_p: f64,
    /// `tested`; `few_hits`; `no_hits`; `not_scannable` where the best word is more likely than the threshold.
    pub status: String,
    /// Hits in promoters, overlaps resolved (of core promoter elements all).
    pub n_hits: u64,
    /// Of those, where a core promoter element does not lie, or that overlap a better one where it does.
    pub n_misplaced: u64,
    /// Of the rest, without a whole window of plain letters that was read.
    pub n_not_plain: u64,
    /// What is left.
    pub n_usable: u64,
    /// Clusters of promoters they lie in.
    pub n_clusters: u64,
    /// Correlation, over the columns, of information with the mean boundary probability at the two sides of the column's base.
    pub information_r: f64,
}

/// A usable hit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HitRow {
    /// Identifier of the motif.
    pub motif_id: String,
    /// Contig.
    pub contig: String,
    /// First base, 0-based.
    pub start: u64,
    /// One past the last.
    pub end: u64,
    /// The strand that reads as the motif.
    pub strand: String,
    /// Log-odds in bits.
    pub score: f64,
    /// The probability that a random word scores as well or better.
    pub p_value: f64,
    /// The cluster of promoters.
    pub cluster: u64,
    /// Mean boundary probability around the two edges.
    pub edges: f64,
    /// Mean inside.
    pub inside: f64,
}

/// A hit and its control.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairRow {
    /// Identifier of the motif.
    pub motif_id: String,
    /// Control.
    pub control: String,
    /// `contig:start-end:strand`.
    pub hit: String,
    /// Likewise; for `shuffled` the hit again.
    pub control_place: String,
    /// The unit of replication.
    pub cluster: u64,
    /// Endpoint of the hit. For `shuffled` read in a short tile, as the control is.
    pub hit_edges: f64,
    /// Endpoint of the control.
    pub control_edges: f64,
    /// Endpoint of the hit.
    pub hit_inside: f64,
    /// Endpoint of the control.
    pub control_inside: f64,
}

/// One test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatisticsRow {
    /// Identifier of the motif.
    pub motif_id: String,
    /// Its name.
    pub motif_name: String,
    /// Number of its group of like matrices.
    pub group: u64,
    /// Whether it stands for its group.
    pub represents_group: bool,
    /// Control.
    pub control: String,
    /// `edges` or `inside`.
    pub endpoint: String,
    /// Pairs.
    pub n_pairs: u64,
    /// Units of replication.
    pub n_clusters: u64,
    /// Mean of the paired hits.
    pub hit_mean: f64,
    /// Mean of their controls.
    pub control_mean: f64,
    /// Mean difference.
    pub difference: f64,
    /// Lower end of its 95% interval.
    pub ci_low: f64,
    /// Upper end.
    pub ci_high: f64,
    /// Mean difference over the standard deviation of the differences.
    pub d: f64,
    /// Probability that a hit exceeds a control.
    pub auroc: f64,
    /// Sign flips of clusters, two-sided. For control `permuted`: that the mean over the motif's hits is one more draw of the means over the hits of
    /// permuted matrices; missing where fewer than 20 of those have hits enough.
    pub p_value: f64,
    /// The least p-value the sign flips could give; missing for control `permuted`.
    pub p_floor: f64,
    /// Sign flips of clusters for every control. Of `permuted`: the words of one order of columns differ from those of others, as they also would for an
    /// order without meaning.
    pub p_hits: f64,
    /// Benjamini-Hochberg over all motifs tested with this control and endpoint.
    pub p_bh: f64,
    /// Benjamini-Yekutieli.
    pub p_by: f64,
    /// The covariate that is furthest from balance; empty where none is known.
    pub worst_covariate: String,
    /// Its standardised mean difference.
    pub worst_smd: f64,
}

/// A column-permuted matrix.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrderRow {
    /// Identifier of the motif.
    pub motif_id: String,
    /// Usable hits of this order of its columns.
    pub n_hits: u64,
    /// Mean endpoint.
    pub edges: f64,
    /// Mean endpoint.
    pub inside: f64,
}

/// A point of a mean profile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProfileRow {
    /// Identifier of the motif.
    pub motif_id: String,
    /// Control.
    pub control: String,
    /// `hit` or `control`.
    pub group: String,
    /// Inter-base position from the hit's first edge, in its orientation; the second edge is at the width.
    pub offset: i64,
    /// Mean.
    pub mean: f64,
    /// Lower end of the pointwise 95% band.
    pub ci_low: f64,
    /// Upper end.
    pub ci_high: f64,
    /// Pairs.
    pub n: u64,
    /// Columns of the motif.
    pub width: u64,
}

/// A column of a motif.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogoRow {
    /// Identifier of the motif.
    pub motif_id: String,
    /// Frequency of A.
    pub a: f64,
    /// Frequency of C.
    pub c: f64,
    /// Frequency of G.
    pub g: f64,
    /// Frequency of T.
    pub t: f64,
}

/// One position of one hit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DetailRow {
    /// Identifier of the motif.
    pub motif_id: String,
    /// Number of the hit, by falling endpoint.
    pub rank: u64,
    /// `contig:start-end:strand`.
    pub hit: String,
    /// As in the profile.
    pub offset: i64,
    /// Boundary probability.
    pub probability: f64,
}
