//! Controls: positions that look like the sites under study in all respects but the one in
//! question, and how well they do.
//!
//! | file | what it holds |
//! |---|---|
//! | `family` | the families of controls: what each keeps and what it varies |
//! | `area` | the ground on which sites and candidates lie: letters, covariates, who may be a candidate |
//! | `matching` | the matcher all families share: exact strata, nearest, caliper, 1:k |
//! | `seek` | a family's candidates, given to the matcher |
//! | `decoys` | many decoys a site, far from each other |
//! | `balance` | how alike sites and controls are, before and after |
//! | `strength` | position weight matrices of sites |
//! | `shuffle` | dinucleotide shuffles |
//!
//! A site is a position on a strand with the genes it belongs to and a few core letters; what it is
//! a site of does not matter here.

pub mod area;
pub mod balance;
pub mod decoys;
pub mod family;
pub mod matching;
pub mod seek;
pub mod shuffle;
pub mod strength;

use serde::{Deserialize, Serialize};

pub use area::{Area, Core, Ground, Wanted};
pub use family::Family;
pub use seek::{Control, Found};

use crate::genome::composition::Composition;
use crate::genome::{Interval, Strand};

/// How many covariates there are.
pub const N_COVARIATES: usize = 6;

/// What sites and controls should share.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Covariates {
    /// G+C fraction of the upstream flank.
    pub gc_upstream: f64,
    /// G+C fraction of the downstream flank.
    pub gc_downstream: f64,
    /// CpG dinucleotides in both flanks together.
    pub cpg_count: f64,
    /// Fraction of lower-case bases in both flanks together.
    pub soft_masked_fraction: f64,
    /// Bases to the nearest end of a gene that holds the position.
    pub gene_end_distance_bp: f64,
    /// Log-odds of the letters around the position, as a site; `NaN` where there is no weight
    /// matrix.
    pub strength_bits: f64,
}

impl Covariates {
    /// Their names, in the order of [`Covariates::values`].
    pub const NAMES: [&'static str; N_COVARIATES] = [
        "gc_upstream",
        "gc_downstream",
        "cpg_count",
        "soft_masked_fraction",
        "gene_end_distance_bp",
        "strength_bits",
    ];

    /// Of an inter-base position with flanks of `flank_bp` bases that lie within the region of
    /// `composition`. Distances are to the ends of those of `genes` that hold the position. The
    /// strength is `NaN`: [`Area::covariates`] knows it.
    pub fn new(
        composition: &Composition,
        strand: Strand,
        position: usize,
        flank_bp: usize,
        genes: &[Interval],
    ) -> Covariates {
        let (start, end) = (position.saturating_sub(flank_bp), position + flank_bp);
        let flank = flank_bp.max(1) as f64;
        let left = composition.gc(start, position) as f64 / flank;
        let right = composition.gc(position, end) as f64 / flank;
        let (gc_upstream, gc_downstream) = match strand {
            Strand::Plus => (left, right),
            Strand::Minus => (right, left),
        };
        let holding = genes
            .iter()
            .filter(|gene| gene.start <= position && position <= gene.end);
        let distance = holding
            .map(|gene| (position - gene.start).min(gene.end - position))
            .min();
        Covariates {
            gc_upstream,
            gc_downstream,
            cpg_count: composition.cpg(start, end) as f64,
            soft_masked_fraction: composition.soft_masked(start, end) as f64 / (2.0 * flank),
            gene_end_distance_bp: distance.map_or(f64::NAN, |bp| bp as f64),
            strength_bits: f64::NAN,
        }
    }

    /// The values, in the order of [`Covariates::NAMES`].
    pub fn values(&self) -> [f64; N_COVARIATES] {
        [
            self.gc_upstream,
            self.gc_downstream,
            self.cpg_count,
            self.soft_masked_fraction,
            self.gene_end_distance_bp,
            self.strength_bits,
        ]
    }

    /// Of values in the order of [`Covariates::NAMES`].
    pub fn from_values(values: [f64; N_COVARIATES]) -> Covariates {
        let [
            gc_upstream,
            gc_downstream,
            cpg_count,
            soft_masked_fraction,
            gene_end_distance_bp,
            strength_bits,
        ] = values;
        Covariates {
            gc_upstream,
            gc_downstream,
            cpg_count,
            soft_masked_fraction,
            gene_end_distance_bp,
            strength_bits,
        }
    }

    /// Their means; `NaN` for none.
    pub fn mean(all: &[Covariates]) -> Covariates {
        let n = all.len() as f64;
        Covariates::from_values(std::array::from_fn(|i| {
            all.iter().map(|c| c.values()[i]).sum::<f64>() / n
        }))
    }
}

/// How near is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// By the Euclidean distance of standardised covariates.
    Nearest,
    /// By the difference of the logit of a propensity score.
    Propensity,
}

/// Where controls may lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Anywhere in the gene.
    Any,
    /// Strictly inside exons of any transcript.
    Exon,
    /// Strictly inside what no transcript has as exon.
    Intron,
}

/// How controls are looked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ControlRequest {
    /// The families, each once; the first is the primary one.
    pub families: Vec<Family>,
    /// How near is measured.
    pub method: Method,
    /// Controls a site, at most.
    pub per_site: usize,
    /// Whether a control may serve several sites.
    pub replacement: bool,
    /// Where controls may lie.
    pub side: Side,
    /// Bases of each flank that covariates are taken of.
    pub gc_flank_bp: usize,
    /// The largest difference in G+C fraction allowed, on each flank.
    pub caliper: f64,
    /// Least distance of a control from every annotated site of its strand. Neighbouring positions
    /// share most of their flanks, so the nearest match in composition is often a GT a few bases
    /// from the very site (GTRAGT holds one), whose signal it would carry. 1 bars only the
    /// annotated positions themselves.
    pub min_site_distance_bp: usize,
    /// Distance that controls keep from every annotated site of their strand where their gene
    /// allows: a nearer candidate is taken only where none so far off is within the calipers. At
    /// the reach of the profile, or its outer offsets would carry the signal of the site.
    pub site_distance_bp: usize,
    /// The widest k-mer of [`Family::Kmer`].
    pub kmer: usize,
}

#[cfg(test)]
mod tests;
