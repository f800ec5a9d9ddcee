//! The rows of the tables. Field names are column names.

use serde::{Deserialize, Serialize};

/// One annotated splice site, used or not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SiteRow {
    /// `donor` or `acceptor`.
    pub site_kind: String,
    /// `contig:position:strand`, the site's name in the other tables.
    pub site: String,
    /// Contig, as the genome names it (as the annotation does, where the genome lacks it).
    pub contig: String,
    /// 0-based inter-base position on the plus strand.
    pub position: u64,
    /// `+` or `-`.
    pub strand: String,
    /// Genes whose chosen transcripts have the site (or, where none is chosen, all that have it), separated by commas.
    pub gene_ids: String,
    /// Cluster of overlapping genes, `contig:start-end` (0-based, half-open).
    pub cluster: String,
    /// `used`, or why not.
    pub status: String,
    /// Mean boundary probability over offsets -2..+2, where the site was read.
    pub site_value: Option<f64>,
    /// G+C fraction of the upstream flank, for usable sites.
    pub gc_upstream: Option<f64>,
    /// G+C fraction of the downstream flank, for usable sites.
    pub gc_downstream: Option<f64>,
    /// CpG dinucleotides in both flanks, for usable sites.
    pub cpg_count: Option<f64>,
    /// Lower-case fraction of both flanks, for usable sites.
    pub soft_masked_fraction: Option<f64>,
    /// Bases to the nearest end of a gene of the site, for usable sites.
    pub gene_end_distance_bp: Option<f64>,
    /// The name of its matched control, where it has one.
    pub control_site: Option<String>,
}

/// One matched control.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ControlRow {
    /// `donor` or `acceptor`.
    pub site_kind: String,
    /// The control's family: `decoy`.
    pub control: String,
    /// `contig:position:strand`.
    pub control_site: String,
    /// The site it was matched to.
    pub site: String,
    /// Contig.
    pub contig: String,
    /// 0-based inter-base position on the plus strand.
    pub position: u64,
    /// `+` or `-`.
    pub strand: String,
    /// Cluster of overlapping genes, that of its site.
    pub cluster: String,
    /// Mean boundary probability over offsets -2..+2.
    pub control_value: f64,
    /// G+C fraction of the upstream flank.
    pub gc_upstream: f64,
    /// G+C fraction of the downstream flank.
    pub gc_downstream: f64,
    /// CpG dinucleotides in both flanks.
    pub cpg_count: f64,
    /// Lower-case fraction of both flanks.
    pub soft_masked_fraction: f64,
    /// Bases to the nearest end of a gene of its site.
    pub gene_end_distance_bp: f64,
}

/// One pair: all that the test needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairRow {
    /// `donor` or `acceptor`.
    pub site_kind: String,
    /// The control's family: `decoy`.
    pub control: String,
    /// The site.
    pub site: String,
    /// Its control.
    pub control_site: String,
    /// Cluster of overlapping genes: what the test flips and the bootstrap draws.
    pub cluster: String,
    /// Mean boundary probability over offsets -2..+2 at the site.
    pub site_value: f64,
    /// The same at the control.
    pub control_value: f64,
}

/// The mean profile of one group at one offset, over pairs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProfileRow {
    /// `donor` or `acceptor`.
    pub site_kind: String,
    /// `site` or the control's family.
    pub group: String,
    /// Inter-base positions downstream of the site, in transcript orientation.
    pub offset: i64,
    /// Mean boundary probability.
    pub mean: f64,
    /// Lower end of the pointwise 95% cluster-bootstrap interval.
    pub ci_low: f64,
    /// Upper end.
    pub ci_high: f64,
    /// Profiles in the mean.
    pub n: u64,
}

/// The primary endpoint of one kind of site against one control. `NaN` where there are too few pairs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatisticsRow {
    /// `donor` or `acceptor`.
    pub site_kind: String,
    /// The control's family: `decoy`.
    pub control: String,
    /// Pairs.
    pub n_pairs: u64,
    /// Clusters they come from.
    pub n_clusters: u64,
    /// Mean over sites of the mean boundary probability over offsets -2..+2.
    pub site_mean: f64,
    /// The same over controls.
    pub control_mean: f64,
    /// `site_mean - control_mean`.
    pub difference: f64,
    /// Lower end of its 95% cluster-bootstrap interval.
    pub ci_low: f64,
    /// Upper end.
    pub ci_high: f64,
    /// Mean difference over the standard deviation of the differences.
    pub d: f64,
    /// Probability that a site exceeds a control, ties half.
    pub auroc: f64,
    /// Lower end of its 95% cluster-bootstrap interval.
    pub auroc_low: f64,
    /// Upper end.
    pub auroc_high: f64,
    /// Two-sided p-value of the sign-flip test over clusters.
    pub p_value: f64,
    /// The least p-value that test could have given.
    pub p_floor: f64,
}

/// How many annotated sites of a kind have a status; over all statuses these add up to all annotated sites of the kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountingRow {
    /// `donor` or `acceptor`.
    pub site_kind: String,
    /// `used`, or why not.
    pub status: String,
    /// Sites.
    pub n: u64,
}
