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
    /// Hits of a core promoter element that independent letters would give where it may lie;
    /// missing for other motifs.
    pub n_expected: f64,
    /// `tested`; `few_hits`; `no_hits`; `not_scannable` where the best word is more likely than the
    /// threshold.
    pub status: String,
    /// Hits in promoters, overlaps resolved (of core promoter elements all, wherever they lie).
    pub n_hits: u64,
    /// Of those, where a core promoter element does not lie, or that overlap a better one where it
    /// does.
    pub n_misplaced: u64,
    /// Of the rest, without a whole window of plain letters that was read.
    pub n_not_plain: u64,
    /// What is left.
    pub n_usable: u64,
    /// Clusters of promoters they lie in.
    pub n_clusters: u64,
    /// Correlation, over the columns, of information with the mean boundary probability at the two
    /// sides of the column's base.
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

/// A hit and its control; `permuted` has none, as it compares means.
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
    /// Pairs; for control `permuted` the usable hits of the motif.
    pub n_pairs: u64,
    /// Units of replication: clusters of promoters that these lie in.
    pub n_clusters: u64,
    /// Orders of the columns that the motif is compared with; 0 for other controls.
    pub n_orders: u64,
    /// Mean of these hits.
    pub hit_mean: f64,
    /// Mean of their controls; for `permuted` the mean over orders of their mean hit, each weighted
    /// by its precision.
    pub control_mean: f64,
    /// `hit_mean` less `control_mean`.
    pub difference: f64,
    /// Lower end of its 95% interval: over clusters of promoters; for `permuted` that of the test.
    pub ci_low: f64,
    /// Upper end.
    pub ci_high: f64,
    /// Difference over the standard deviation of the paired differences; for `permuted` over that
    /// of hits of one order.
    pub d: f64,
    /// Probability that a hit exceeds a control; for `permuted` mean over the orders.
    pub auroc: f64,
    /// Standard deviation between orders, sampling error taken off; missing for other controls.
    pub order_sd: f64,
    /// Sign flips of clusters, two-sided. For `permuted`: that the level of the motif is one more
    /// draw of those of the orders of its columns.
    pub p_value: f64,
    /// The least p-value the sign flips could give; missing for control `permuted`.
    pub p_floor: f64,
    /// Benjamini-Hochberg over all motifs tested with this control and endpoint.
    pub p_bh: f64,
    /// Benjamini-Yekutieli.
    pub p_by: f64,
    /// The covariate that is furthest from balance; empty where none is known.
    pub worst_covariate: String,
    /// Its standardised mean difference.
    pub worst_smd: f64,
    /// How many clusters of one size would say as much: `(sum n)^2 / sum n^2` over the pairs (or
    /// hits) of clusters.
    pub n_effective: f64,
}

/// How many motifs one random function of the two letters around a position singles out, through
/// the hits, the controls and the tests of the model (whose p-values are those of the normal law
/// that many clusters lead to).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct YardstickRow {
    /// Control.
    pub control: String,
    /// `edges` or `inside`.
    pub endpoint: String,
    /// Number of the function, from 1.
    pub track: u64,
    /// Motifs tested.
    pub n_tested: u64,
    /// Those that differ upwards at a false discovery rate of 5% over these (Benjamini-Hochberg).
    pub n_higher: u64,
    /// Those that differ downwards.
    pub n_lower: u64,
}

/// Hits left without a control.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UnmatchedRow {
    /// Identifier of the motif.
    pub motif_id: String,
    /// Control.
    pub control: String,
    /// `no_candidate` in the cluster of promoters and on the strand; `outside_caliper`, none like
    /// it in composition or score; `taken` by other hits; `contig_end`, too near to it for flanks;
    /// `few_orders`, fewer than 20 permuted matrices with hits.
    pub reason: String,
    /// Usable hits.
    pub n_hits: u64,
}

/// The hits of one order of a motif's columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrderRow {
    /// Identifier of the motif.
    pub motif_id: String,
    /// 0 for the motif itself, then its permuted matrices.
    pub order: u64,
    /// Usable hits of this order; of a core promoter element, where it may lie.
    pub n_hits: u64,
    /// Clusters of promoters they lie in.
    pub n_clusters: u64,
    /// Mean endpoint.
    pub edges: f64,
    /// Variance among the hits.
    pub edges_variance: f64,
    /// Standard error of the mean, by the variance components of all orders of the motif.
    pub edges_se: f64,
    /// Mean endpoint.
    pub inside: f64,
    /// Variance among the hits.
    pub inside_variance: f64,
    /// Standard error of the mean.
    pub inside_se: f64,
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
    /// Inter-base position from the hit's first edge, in its orientation; the second edge is at the
    /// width.
    pub offset: i64,
    /// Mean.
    pub mean: f64,
    /// Lower end of the pointwise 95% band.
    pub ci_low: f64,
    /// Upper end.
    pub ci_high: f64,
    /// Pairs; for `permuted` hits.
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
