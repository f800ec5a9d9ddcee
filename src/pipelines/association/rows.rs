//! The rows of the tables. Field names are column names; positions are 0-based.

use serde::{Deserialize, Serialize};

/// The correlation of a measure of boundaries with a track, contigs put together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CorrelationRow {
    /// The track.
    pub track: String,
    /// `density` (boundaries a base) or `token length` (mean over tokens that start in a window).
    pub measure: String,
    /// Bases of a window.
    pub window_bp: u64,
    /// What is accounted for: `nothing` or `composition`.
    pub given: String,
    /// Windows.
    pub n_windows: u64,
    /// Blocks they lie in.
    pub n_blocks: u64,
    /// Contigs they lie in.
    pub n_contigs: u64,
    /// Spearman's correlation, partial where composition is accounted for; mean over contigs by
    /// their windows.
    pub correlation: f64,
    /// Lower end of its 95% interval over draws of blocks.
    pub ci_low: f64,
    /// Upper end.
    pub ci_high: f64,
    /// Two-sided, by circular shifts of the track along each contig; missing without a contig.
    pub p_value: f64,
    /// The least it could be.
    pub p_floor: f64,
    /// Adjusted over the sizes of windows (Holm).
    pub p_holm: f64,
}

/// The same along one contig.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContigRow {
    /// The track.
    pub track: String,
    /// `density` or `token length`.
    pub measure: String,
    /// Bases of a window.
    pub window_bp: u64,
    /// The contig.
    pub contig: String,
    /// Windows that could be used.
    pub n_windows: u64,
    /// Windows of which too few positions were read.
    pub n_unread: u64,
    /// Windows of which the track knows too little.
    pub n_without_track: u64,
    /// Windows in which no whole token starts.
    pub n_without_token: u64,
    /// Whether the contig has windows enough, and both series vary.
    pub is_used: bool,
    /// Spearman's correlation, nothing accounted for.
    pub correlation: f64,
    /// Composition accounted for.
    pub partial_correlation: f64,
}

/// Sums over the windows of a block, of two series that have mean 0 and variance 1 on their contig:
/// the ranks of a measure and of a track, less what is accounted for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlockRow {
    /// The track.
    pub track: String,
    /// `density` or `token length`.
    pub measure: String,
    /// Bases of a window.
    pub window_bp: u64,
    /// `nothing` or `composition`.
    pub given: String,
    /// The contig.
    pub contig: String,
    /// First base of the block.
    pub start: u64,
    /// Windows.
    pub n: f64,
    /// Sum of the measure.
    pub sum: f64,
    /// Sum of the track.
    pub track_sum: f64,
    /// Sum of squares of the measure.
    pub squares: f64,
    /// Sum of squares of the track.
    pub track_squares: f64,
    /// Sum of products.
    pub products: f64,
}

impl BlockRow {
    pub(super) fn new(
        [track, measure, given]: [&str; 3],
        window_bp: usize,
        contig: &str,
        start: usize,
        sums: &[f64; 6],
    ) -> BlockRow {
        let [n, sum, track_sum, squares, track_squares, products] = *sums;
        BlockRow {
            track: track.into(),
            measure: measure.into(),
            window_bp: window_bp as u64,
            given: given.into(),
            contig: contig.into(),
            start: start as u64,
            n,
            sum,
            track_sum,
            squares,
            track_squares,
            products,
        }
    }
}

/// The correlation, over tokens, of the length with the mean rank of the track's bases.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TokenRow {
    /// The track.
    pub track: String,
    /// What is accounted for: `nothing` or `composition`.
    pub given: String,
    /// Tokens.
    pub n_tokens: u64,
    /// Tokens of which the track knows too little, and that are left out.
    pub n_without_track: u64,
    /// Blocks they lie in.
    pub n_blocks: u64,
    /// Contigs they lie in.
    pub n_contigs: u64,
    /// Pearson's correlation of the binary logarithm of the length with the mean over the token's
    /// bases of their rank along the contig, partial where composition is accounted for; mean over
    /// contigs by their tokens.
    pub correlation: f64,
    /// Lower end of its 95% interval over draws of blocks.
    pub ci_low: f64,
    /// Upper end.
    pub ci_high: f64,
    /// Two-sided, by circular shifts of the track along each contig.
    pub p_value: f64,
    /// The least it could be.
    pub p_floor: f64,
}

/// The track over tokens of like length.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TokenLengthRow {
    /// The track.
    pub track: String,
    /// The least length, in bases.
    pub length_from: u64,
    /// The greatest; missing where there is none.
    pub length_to: Option<u64>,
    /// Tokens.
    pub n_tokens: u64,
    /// Blocks they lie in.
    pub n_blocks: u64,
    /// Mean over tokens of the track's mean over their bases.
    pub mean: f64,
    /// Lower end of its 95% interval over draws of blocks.
    pub mean_low: f64,
    /// Upper end.
    pub mean_high: f64,
    /// Mean over tokens of the percentile of their bases along the contig, less what is expected of
    /// their composition, in percentage points.
    pub percentile: f64,
    /// Lower end of its 95% interval over draws of blocks.
    pub percentile_low: f64,
    /// Upper end.
    pub percentile_high: f64,
}

/// The track within 50 bases of boundaries, and of positions that are none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AroundRow {
    /// The track.
    pub track: String,
    /// What controls share with boundaries: `same k-mer` or `same k-mer and composition`.
    pub control: String,
    /// Boundaries that were read.
    pub n_boundaries: u64,
    /// Those with a base within reach that was not read or that the track does not know, or another
    /// letter than A, C, G and T beside them.
    pub n_near_gap: u64,
    /// Those of the others that no control is like.
    pub n_unmatched: u64,
    /// Those compared.
    pub n_used: u64,
    /// Blocks they lie in.
    pub n_blocks: u64,
    /// Contigs they lie in.
    pub n_contigs: u64,
    /// Mean of the track, boundaries.
    pub boundary_mean: f64,
    /// Mean of the track, controls.
    pub control_mean: f64,
    /// Their difference.
    pub difference: f64,
    /// Lower end of its 95% interval over draws of blocks.
    pub ci_low: f64,
    /// Upper end.
    pub ci_high: f64,
    /// Standard deviation of the track over bins of 10 bases.
    pub track_sd: f64,
    /// The difference in such standard deviations.
    pub d: f64,
    /// Two-sided, by circular shifts of the track along each contig.
    pub p_value: f64,
    /// The least it could be.
    pub p_floor: f64,
    /// The least of `p_max` over the profile: a difference at any distance.
    pub p_any: f64,
}

/// The track at a distance from boundaries and from controls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProfileRow {
    /// The track.
    pub track: String,
    /// What controls share with boundaries.
    pub control: String,
    /// Distance on plus of the bin from that of the position, in bases.
    pub offset_bp: i64,
    /// Mean of the track, boundaries.
    pub boundary_mean: f64,
    /// Lower end of its pointwise 95% interval over draws of blocks.
    pub boundary_low: f64,
    /// Upper end.
    pub boundary_high: f64,
    /// Mean of the track, controls.
    pub control_mean: f64,
    /// Lower end of its interval.
    pub control_low: f64,
    /// Upper end.
    pub control_high: f64,
    /// Their difference.
    pub difference: f64,
    /// Lower end of its interval.
    pub ci_low: f64,
    /// Upper end.
    pub ci_high: f64,
    /// By circular shifts, adjusted over the profile (max-T).
    pub p_max: f64,
}

/// What was read of a contig.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReadingRow {
    /// The contig.
    pub contig: String,
    /// Its bases.
    pub length_bp: u64,
    /// Inter-base positions read between two of the letters A, C, G and T.
    pub n_positions: u64,
    /// Boundaries among them.
    pub n_boundaries: u64,
    /// Their share.
    pub density: f64,
}
