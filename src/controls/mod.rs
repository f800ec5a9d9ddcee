//! Controls: positions that look like the sites under study in all respects but the one in question, and how well they do.

pub mod balance;
pub mod decoy;

use serde::Serialize;

use crate::genome::composition::Composition;
use crate::genome::{Interval, Strand};

/// What sites and controls should share.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Covariates {
    /// G+C fraction of the flank before the position, in transcript orientation.
    pub gc_upstream: f64,
    /// G+C fraction of the flank after it.
    pub gc_downstream: f64,
    /// CpG dinucleotides in both flanks together.
    pub cpg_count: f64,
    /// Fraction of lower-case bases in both flanks together.
    pub soft_masked_fraction: f64,
    /// Bases to the nearest end of a gene that holds the position.
    pub gene_end_distance_bp: f64,
}

impl Covariates {
    /// Their names, in the order of [`Covariates::values`].
    pub const NAMES: [&'static str; 5] = ["gc_upstream", "gc_downstream", "cpg_count", "soft_masked_fraction", "gene_end_distance_bp"];

    /// Of an inter-base position with flanks of `flank_bp` bases that lie within the region of `composition`. Distances are to the ends of those
    /// of `genes` that hold the position.
    pub fn new(composition: &Composition, strand: Strand, position: usize, flank_bp: usize, genes: &[Interval]) -> Covariates {
        let (start, end) = (position.saturating_sub(flank_bp), position + flank_bp);
        let flank = flank_bp.max(1) as f64;
        let left = composition.gc(start, position) as f64 / flank;
        let right = composition.gc(position, end) as f64 / flank;
        let (gc_upstream, gc_downstream) = match strand {
            Strand::Plus => (left, right),
            Strand::Minus => (right, left),
        };
        let holding = genes.iter().filter(|gene| gene.start <= position && position <= gene.end);
        let distance = holding.map(|gene| (position - gene.start).min(gene.end - position)).min();
        Covariates {
            gc_upstream,
            gc_downstream,
            cpg_count: composition.cpg(start, end) as f64,
            soft_masked_fraction: composition.soft_masked(start, end) as f64 / (2.0 * flank),
            gene_end_distance_bp: distance.map_or(f64::NAN, |bp| bp as f64),
        }
    }

    /// The values, in the order of [`Covariates::NAMES`].
    pub fn values(&self) -> [f64; 5] {
        [self.gc_upstream, self.gc_downstream, self.cpg_count, self.soft_masked_fraction, self.gene_end_distance_bp]
    }
}
