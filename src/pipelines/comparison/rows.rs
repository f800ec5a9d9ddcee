//! The rows of the tables. Field names are column names.

use serde::{Deserialize, Serialize};

use crate::stats::context::{Explained, R2};

/// One matched control.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ControlRow {
    /// The kind of site.
    pub site_kind: String,
    /// The control's family.
    pub control: String,
    /// `contig:position:strand`; of a shuffle with `:shuffleN` behind it.
    pub control_site: String,
    /// The site it was matched to.
    pub site: String,
    /// Contig.
    pub contig: String,
    /// 0-based inter-base position on the plus strand.
    pub position: u64,
    /// `+` or `-`.
    pub strand: String,
    /// The cluster of overlapping genes it lies in; empty for none.
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
    /// Bases to the nearest end of a gene of its site, or of its own.
    pub gene_end_distance_bp: f64,
    /// Log-odds of the letters around it, in bits.
    pub strength_bits: f64,
}

/// One pair: all that the tests need.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairRow {
    /// The kind of site.
    pub site_kind: String,
    /// The control's family.
    pub control: String,
    /// The site.
    pub site: String,
    /// Its controls, separated by commas.
    pub control_site: String,
    /// The unit of replication: what the test flips and the bootstrap draws. By default a cluster
    /// of overlapping genes.
    pub cluster: String,
    /// Mean boundary probability over offsets -2..+2 at the site.
    pub site_value: f64,
    /// The same at the control, averaged over several.
    pub control_value: f64,
    /// What the letters nearby leave unexplained of `site_value`: less what a table predicts that
    /// was fitted away from sites, and less what a regression on the letters of the sites and
    /// controls of other genes explains of the rest (of 40 sites or more in ten genes or more).
    pub site_residual: f64,
    /// The same of `control_value`.
    pub control_residual: f64,
    /// `site_value` averaged over both strands, where those were read.
    pub site_strand_average: Option<f64>,
    /// The same of `control_value`.
    pub control_strand_average: Option<f64>,
    /// How many controls are averaged.
    pub n_controls: u64,
    /// Width of the shared k-mer, in family `kmer`.
    pub kmer: Option<u64>,
    /// What the test adds to `control_value` for the covariates that matching left unequal, the
    /// error of that correction with it (0 where the pair is in no row).
    pub control_correction: f64,
    /// What they add to `control_residual`.
    pub control_residual_correction: f64,
    /// What they add to `control_strand_average`.
    pub control_strand_average_correction: Option<f64>,
}

/// The mean profile of one group at one offset, over pairs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProfileRow {
    /// The kind of site.
    pub site_kind: String,
    /// `site` or the control's family.
    pub group: String,
    /// Inter-base positions downstream of the site, in transcript orientation.
    pub offset: i64,
    /// Mean of the measure.
    pub mean: f64,
    /// Lower end of the pointwise 95% cluster-bootstrap interval.
    pub ci_low: f64,
    /// Upper end.
    pub ci_high: f64,
    /// Profiles in the mean.
    pub n: u64,
    /// The family of the pairs.
    pub control: String,
    /// `probability`, `residual` (less what the letters nearby explain, as in
    /// [`PairRow::site_residual`]) or `strand_average`.
    pub measure: String,
}

/// The primary endpoint of one kind of site against one family of controls; in family `kmer` of the
/// pairs that share the whole k-mer. `NaN` where there are too few pairs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatisticsRow {
    /// The kind of site.
    pub site_kind: String,
    /// The control's family.
    pub control: String,
    /// Pairs.
    pub n_pairs: u64,
    /// Units of replication they come from.
    pub n_clusters: u64,
    /// Mean over sites of the measure's mean over offsets -2..+2.
    pub site_mean: f64,
    /// The same over controls, each corrected for the covariates in which it differs from its site
    /// (Abadie & Imbens 2011), as in all that follows.
    pub control_mean: f64,
    /// `site_mean - control_mean`.
    pub difference: f64,
    /// Lower end of its 95% interval: the differences that the sign-flip test does not reject;
    /// `NaN` where fewer than six units leave it without an end.
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
    /// Two-sided p-value of the sign-flip test over units of replication, each value in the unit it
    /// lies in.
    pub p_value: f64,
    /// The least p-value that test could have given.
    pub p_floor: f64,
    /// `probability`, `residual` or `strand_average`.
    pub measure: String,
    /// Benjamini-Hochberg adjusted p-value over kinds and families of this measure.
    pub p_bh: f64,
    /// Benjamini-Yekutieli adjusted p-value over the same.
    pub p_by: f64,
    /// Where sites have several controls: two-sided p-value of exchanging the site's label within
    /// its own set of controls. It takes sets as independent, which sites of one gene are not:
    /// `p_value` is the test to quote.
    pub p_labels: Option<f64>,
    /// Lower end of the 95% interval of `d`.
    pub d_low: f64,
    /// Upper end.
    pub d_high: f64,
    /// Log2 of `site_mean / control_mean`; `NaN` for residuals.
    pub log2_ratio: f64,
    /// Lower end of its 95% interval.
    pub log2_ratio_low: f64,
    /// Upper end.
    pub log2_ratio_high: f64,
    /// Cliff's delta: `2 auroc - 1`.
    pub cliffs_delta: f64,
    /// Lower end of its 95% interval.
    pub cliffs_delta_low: f64,
    /// Upper end.
    pub cliffs_delta_high: f64,
    /// How many units of one size would say as much: `(sum n)^2 / sum n^2` over the pairs of units.
    pub n_effective: f64,
    /// The smallest difference of interest: a fifth of the standard deviation of single controls.
    pub smallest_effect: f64,
    /// p-value of the hypothesis that the difference is at least so large either way, by two
    /// one-sided sign-flip tests: small where there is no difference of interest.
    pub p_equivalence: f64,
}

/// The endpoint of the pairs of family `kmer` that share a k-mer of one width. What a narrower
/// k-mer leaves to differ is letters: the widths answer different questions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WidthRow {
    /// The kind of site.
    pub site_kind: String,
    /// `probability`, `residual` or `strand_average`.
    pub measure: String,
    /// Letters that site and control share, half of them upstream.
    pub kmer: u64,
    /// Pairs.
    pub n_pairs: u64,
    /// Units of replication that sites or controls lie in.
    pub n_clusters: u64,
    /// How many units of one size would say as much.
    pub n_effective: f64,
    /// Mean over sites.
    pub site_mean: f64,
    /// Mean over controls.
    pub control_mean: f64,
    /// `site_mean - control_mean`.
    pub difference: f64,
    /// Lower end of its 95% interval.
    pub ci_low: f64,
    /// Upper end.
    pub ci_high: f64,
    /// Two-sided p-value of the sign-flip test.
    pub p_value: f64,
    /// The least p-value that test could have given.
    pub p_floor: f64,
}

/// What became of the sites of one kind in one family.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MatchingRow {
    /// The kind of site.
    pub site_kind: String,
    /// The control's family.
    pub control: String,
    /// Usable sites.
    pub n_sites: u64,
    /// Candidates for controls.
    pub n_pool: u64,
    /// Sites with a control (in a negative control: with two sets).
    pub n_pairs: u64,
    /// Controls in all.
    pub n_controls: u64,
    /// Sites whose stratum holds no candidate.
    pub no_candidate: u64,
    /// Sites without a candidate within the calipers.
    pub outside_caliper: u64,
    /// Sites all of whose candidates within the calipers serve other sites.
    pub taken: u64,
    /// Sites without a second set, in a negative control.
    pub no_second: u64,
    /// The covariate that matching left furthest apart.
    pub worst_covariate: String,
    /// Its absolute standardised mean difference.
    pub worst_smd_after: f64,
    /// In family `kmer`, the sites by width of the shared k-mer, widest first: `8:300,7:21`.
    pub kmer_widths: String,
    /// Controls nearer to an annotated site than asked for, as no other was within the calipers.
    pub n_near: u64,
}

/// The test of one offset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OffsetRow {
    /// The kind of site.
    pub site_kind: String,
    /// The control's family.
    pub control: String,
    /// `probability` or `residual`.
    pub measure: String,
    /// Inter-base positions downstream of the site.
    pub offset: i64,
    /// Mean difference, site minus control.
    pub difference: f64,
    /// The difference over its standard deviation under sign flips of units of replication.
    pub t: f64,
    /// Two-sided p-value of this offset alone.
    pub p_value: f64,
    /// Two-sided p-value adjusted over all offsets (max-T).
    pub p_max_t: f64,
    /// The least p-value that these tests could have given.
    pub p_floor: f64,
}

/// What the tests of offsets flip: of one unit the summed differences, site minus control, at each
/// offset. With `t = sum S / sqrt(sum S^2)` under flips of their signs, offsets and runs can be
/// redone. Of the first family, where a kind has at most 5000 units.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SumRow {
    /// The kind of site.
    pub site_kind: String,
    /// The control's family.
    pub control: String,
    /// `probability`, `residual` or `strand_average`.
    pub measure: String,
    /// The unit of replication.
    pub cluster: String,
    /// Pairs in it; of a pair over two units, half in each.
    pub n_pairs: f64,
    /// Offset of the first of `values`.
    pub first_offset: i64,
    /// Sums at consecutive offsets, separated by commas.
    pub values: String,
}

/// A run of offsets whose statistics pass the threshold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRow {
    /// The kind of site.
    pub site_kind: String,
    /// The control's family.
    pub control: String,
    /// `probability` or `residual`.
    pub measure: String,
    /// First offset.
    pub first: i64,
    /// Last offset, included.
    pub last: i64,
    /// Sum of `t` over the run.
    pub mass: f64,
    /// Cluster-mass p-value, two-sided, over all runs. It says that the profiles differ somewhere,
    /// not that the run is the place.
    pub p_value: f64,
    /// The least p-value that this test could have given.
    pub p_floor: f64,
}

/// How much of the boundary probability the letters within `k` bases explain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BaselineRow {
    /// Letters on either side.
    pub k: u64,
    /// Share of the variance explained in genes that the table was not fitted on.
    pub r2: f64,
    /// Lower end of its 95% cluster-bootstrap interval.
    pub r2_low: f64,
    /// Upper end.
    pub r2_high: f64,
    /// Positions.
    pub n_positions: u64,
    /// Clusters of genes.
    pub n_clusters: u64,
    /// The same share among soft-masked positions alone.
    pub r2_masked: f64,
    /// Lower end of its 95% interval.
    pub r2_masked_low: f64,
    /// Upper end.
    pub r2_masked_high: f64,
    /// Soft-masked positions.
    pub n_masked: u64,
    /// The same share among all others.
    pub r2_unmasked: f64,
    /// Lower end of its 95% interval.
    pub r2_unmasked_low: f64,
    /// Upper end.
    pub r2_unmasked_high: f64,
}

impl BaselineRow {
    /// One row a width, with intervals of `level`. Repeats make up much of some genomes and are
    /// told by their letters more easily than genes are: positions outside of soft-masked sequence,
    /// and those inside.
    pub fn of(
        [unmasked, masked]: &[Explained; 2],
        bootstraps: usize,
        level: f64,
        seed: u64,
    ) -> Vec<BaselineRow> {
        let all = unmasked.merged(masked);
        let [r2, inside, outside] =
            [&all, masked, unmasked].map(|explained| explained.r2(bootstraps, level, seed));
        let row = |((r2, inside), outside): ((R2, R2), R2)| BaselineRow {
            k: r2.k as u64,
            r2: r2.r2,
            r2_low: r2.ci_low,
            r2_high: r2.ci_high,
            n_positions: all.n() as u64,
            n_clusters: all.n_clusters() as u64,
            r2_masked: inside.r2,
            r2_masked_low: inside.ci_low,
            r2_masked_high: inside.ci_high,
            n_masked: masked.n() as u64,
            r2_unmasked: outside.r2,
            r2_unmasked_low: outside.ci_low,
            r2_unmasked_high: outside.ci_high,
        };
        r2.into_iter().zip(inside).zip(outside).map(row).collect()
    }
}

/// Agreement of the probabilities of the same positions read on both strands: of a random sample of
/// windows, of about a million positions at most.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StrandRow {
    /// The statistic: `pearson`, `spearman`, `same_decision` (share of positions that are
    /// boundaries on both strands or on neither), `kappa` (Cohen's: that share beyond what chance
    /// gives, over the most it could be), `mean_difference`, or a quantile of the difference (own
    /// strand minus other), `difference_q05`...
    pub statistic: String,
    /// Its value.
    pub value: f64,
    /// Lower end of its 95% cluster-bootstrap interval, where there is one.
    pub ci_low: Option<f64>,
    /// Upper end.
    pub ci_high: Option<f64>,
    /// Positions.
    pub n_positions: u64,
    /// Windows they come from.
    pub n_windows: u64,
}

/// Consecutive sites of a sample sorted by falling endpoint, averaged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeatmapRow {
    /// Kind of site.
    pub site_kind: String,
    /// Number of the bin, from 1: the highest endpoints.
    pub bin: u64,
    /// Rank of its first site in the sample, from 1.
    pub rank_first: u64,
    /// Rank of its last site.
    pub rank_last: u64,
    /// Sites in it.
    pub n_sites: u64,
    /// Mean of their endpoints.
    pub site_value: f64,
    /// Offset of the first of `values`.
    pub first_offset: i64,
    /// Mean boundary probability at consecutive offsets, five significant digits, separated by
    /// commas.
    pub values: String,
}
