//! The rows of the tables. Field names are column names. Positions are 0-based: inter-base position
//! `t` lies before base `t` of the plus strand.

use serde::{Deserialize, Serialize};

/// What one model says of the whole window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeriesRow {
    /// The model's name.
    pub series: String,
    /// Bases it was given at once.
    pub context_bp: u64,
    /// Least distance of a position from the ends of those.
    pub margin_bp: u64,
    /// Inter-base positions of the window.
    pub n_positions: u64,
    /// Those whose probability is above 0.5.
    pub n_boundaries: u64,
    /// Their share.
    pub density: f64,
    /// Mean boundary probability.
    pub mean_probability: f64,
    /// Positions over boundaries; `NaN` without any.
    pub mean_token_bp: f64,
    /// Annotated sites with two positions of the window on either side.
    pub n_sites: u64,
    /// Those with a boundary within two bases.
    pub n_sites_hit: u64,
    /// How many would have one, were each at a random position of the window.
    pub expected_sites_hit: f64,
}

/// One inter-base position as one model reads it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PositionRow {
    /// The model's name.
    pub series: String,
    /// Inter-base position.
    pub position: u64,
    /// The letter of the plus strand after it, as the FASTA has it.
    pub base: String,
    /// Boundary probability as read on the window's strand; of a track, its value.
    pub boundary_prob: f64,
    /// Whether it is above 0.5.
    pub is_boundary: bool,
}

/// A token: the bases from one boundary to the next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TokenRow {
    /// The model's name.
    pub series: String,
    /// First base.
    pub start: u64,
    /// One past the last base.
    pub end: u64,
    /// Bases.
    pub length_bp: u64,
    /// Whether both ends are boundaries; the window cuts the others.
    pub complete: bool,
    /// Its letters, read on the window's strand.
    pub letters: String,
}

/// A part of a gene model that reaches into the window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GeneRow {
    /// Identifier.
    pub gene_id: String,
    /// Symbol; the identifier where the annotation has none.
    pub gene: String,
    /// Biotype; empty where the annotation has none.
    pub biotype: String,
    /// `+` or `-`.
    pub strand: String,
    /// The gene's canonical transcript, which is shown.
    pub transcript: String,
    /// `transcript`, `exon` or `cds`.
    pub feature: String,
    /// First base, which may lie outside of the window.
    pub start: u64,
    /// One past the last base.
    pub end: u64,
}

/// An annotated site of the window's strand and the nearest boundary of one model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SiteRow {
    /// The model's name.
    pub series: String,
    /// `tss`, `donor` or `acceptor`.
    pub site_kind: String,
    /// Inter-base position.
    pub position: u64,
    /// The genes that have it, separated by commas.
    pub gene: String,
    /// Bases to the nearest boundary of the window; null without any.
    pub boundary_distance_bp: Option<u64>,
    /// Whether that is at most 2.
    pub hit: bool,
}

/// A motif hit inside the window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HitRow {
    /// The motif's identifier.
    pub motif_id: String,
    /// The factor's or element's name.
    pub motif_name: String,
    /// First base.
    pub start: u64,
    /// One past the last base.
    pub end: u64,
    /// The strand that reads as the motif.
    pub strand: String,
    /// Log-odds in bits.
    pub score: f64,
    /// The probability that a random word scores as well, for this one place.
    pub p_value: f64,
    /// The letters, read on that strand.
    pub matched: String,
}
