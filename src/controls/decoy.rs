//! Decoys: for a donor a GT, for an acceptor an AG, in the same gene and on the same strand, that no transcript splices at, with flanks
//! of like G+C content. What a model says there more than at a real site cannot be owed to the dinucleotide or to composition.

use std::collections::{BTreeMap, BTreeSet};

use crate::controls::Covariates;
use crate::controls::balance::Balance;
use crate::genome::composition::Composition;
use crate::genome::junctions::SiteKind;
use crate::genome::{Interval, Strand, merge_intervals};
use crate::stats::rng::Rng;

/// The name of this control in tables.
pub const NAME: &str = "decoy";

/// How decoys are sought.
#[derive(Clone, Copy, Debug)]
pub struct DecoyRequest {
    /// Bases on either side of a decoy that must be there and be ACGT; at least `gc_flank_bp`.
    pub radius_bp: usize,
    /// Bases of each flank whose G+C is matched.
    pub gc_flank_bp: usize,
    /// The largest difference in G+C fraction allowed, on each flank.
    pub caliper: f64,
    /// Least distance of a decoy from every annotated site of its strand. Neighbouring positions share most of their flanks, so the
    /// nearest match in composition is often a GT a few bases from the very site (GTRAGT holds one), whose signal it would carry. 1 bars
    /// only the annotated positions themselves.
    pub min_site_distance_bp: usize,
    /// Seek a second decoy for every first one, to compare decoys with decoys.
    pub second: bool,
}

/// Where decoys are sought: the sites of one kind on one strand of one contig.
#[derive(Clone, Copy, Debug)]
pub struct Search<'a> {
    /// The contig.
    pub sequence: &'a [u8],
    /// Donor or acceptor.
    pub kind: SiteKind,
    /// The strand of the sites and of their decoys.
    pub strand: Strand,
    /// Every annotated splice site of this strand, of either kind and any transcript.
    pub annotated: &'a BTreeSet<usize>,
}

/// A site that wants a decoy.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The caller's number for it.
    pub site: usize,
    /// Its inter-base position, with `radius_bp` good bases on either side.
    pub position: usize,
    /// The intervals of its genes: where its decoy may lie.
    pub genes: Vec<Interval>,
}

/// A site and what was found for it.
#[derive(Clone, Debug)]
pub struct Match {
    /// [`Wanted::site`].
    pub site: usize,
    /// Covariates of the site.
    pub covariates: Covariates,
    /// Its decoy.
    pub decoy: Option<Decoy>,
    /// A decoy for the decoy, where [`DecoyRequest::second`] asks for one.
    pub second: Option<Decoy>,
}

/// One decoy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decoy {
    /// Its inter-base position: before the G of its GT, after the G of its AG.
    pub position: usize,
    /// Its covariates.
    pub covariates: Covariates,
}

/// G+C counts of the two flanks, upstream first.
type Cell = (usize, usize);

/// Decoys not yet taken, by the G+C counts of their flanks: fractions of a fixed number of bases fall on a grid, so that the nearest partners are found
/// by looking at cells in order of distance, however many decoys a gene has.
struct Pool {
    cells: BTreeMap<Cell, Vec<usize>>,
    /// Steps on the grid within the caliper, in groups of equal distance, nearest first.
    steps: Vec<Vec<(isize, isize)>>,
}

impl Pool {
    fn new(caliper: f64, flank_bp: usize) -> Pool {
        // A difference of exactly the caliper is allowed, whatever the last bit of the product.
        let reach = ((caliper * flank_bp as f64 + 1e-9).floor().max(0.0) as isize).min(flank_bp as isize);
        let mut by_distance: BTreeMap<isize, Vec<(isize, isize)>> = BTreeMap::new();
        for up in -reach..=reach {
            for down in -reach..=reach {
                by_distance.entry(up * up + down * down).or_default().push((up, down));
            }
        }
        Pool { cells: BTreeMap::new(), steps: by_distance.into_values().collect() }
    }

    /// Takes a random one of the nearest decoys within the caliper of `cell` that lie in one of `genes`.
    fn take(&mut self, cell: Cell, genes: &[Interval], rng: &mut Rng) -> Option<usize> {
        for group in &self.steps {
            let mut candidates: Vec<(Cell, usize)> = Vec::new();
            for (up, down) in group {
                let (Some(up), Some(down)) = (cell.0.checked_add_signed(*up), cell.1.checked_add_signed(*down)) else {
                    continue;
                };
                let positions = self.cells.get(&(up, down)).map_or(&[][..], Vec::as_slice);
                for gene in genes {
                    let from = positions.partition_point(|p| *p <= gene.start);
                    let to = positions.partition_point(|p| *p < gene.end);
                    candidates.extend((from..to.max(from)).map(|index| ((up, down), index)));
                }
            }
            if !candidates.is_empty() {
                let (cell, index) = candidates[rng.below(candidates.len())];
                return self.cells.get_mut(&cell).map(|positions| positions.remove(index));
            }
        }
        None
    }
}

fn cell(composition: &Composition, strand: Strand, position: usize, flank_bp: usize) -> Cell {
    let left = composition.gc(position.saturating_sub(flank_bp), position);
    let right = composition.gc(position, position + flank_bp);
    match strand {
        Strand::Plus => (left, right),
        Strand::Minus => (right, left),
    }
}

/// The two letters of a site's dinucleotide as the FASTA has them, and how far the site's position lies after the first.
fn genomic_dinucleotide(kind: SiteKind, strand: Strand) -> ([u8; 2], usize) {
    match (kind, strand) {
        (SiteKind::Donor, Strand::Plus) => (*b"GT", 0),
        (SiteKind::Donor, Strand::Minus) => (*b"AC", 2),
        (SiteKind::Acceptor, Strand::Plus) => (*b"AG", 2),
        (SiteKind::Acceptor, Strand::Minus) => (*b"CT", 0),
    }
}

/// Matches the sites of one kind, strand and cluster of genes, each to at most one decoy and no decoy twice. Sites are served in random
/// order; each gets one of the decoys nearest to it in the plane of the two G+C fractions. Covariates of sites and candidates are added to
/// `balance`, those of pairs are not (the caller may drop some).
///
/// Cluster by cluster is all there is: genes of different clusters share no decoy.
pub fn match_decoys(search: &Search<'_>, wanted: &[Wanted], request: &DecoyRequest, rng: &mut Rng, balance: &mut Balance) -> Vec<Match> {
    let Search { sequence, kind, strand, annotated } = *search;
    let genes: Vec<Interval> = {
        let mut all: Vec<Interval> = wanted.iter().flat_map(|w| w.genes.iter().copied()).collect();
        all.sort_unstable();
        all.dedup();
        all
    };
    let mut spans = genes.clone();
    merge_intervals(&mut spans);
    let radius = request.radius_bp.max(request.gc_flank_bp);
    let (Some(first), Some(last)) = (spans.first(), spans.last()) else {
        return Vec::new();
    };
    let region = Interval::new(first.start.saturating_sub(radius), last.end.saturating_add(radius));
    let composition = Composition::new(sequence, region);
    let mut pool = Pool::new(request.caliper, request.gc_flank_bp);
    let (letters, shift) = genomic_dinucleotide(kind, strand);
    let reach = request.min_site_distance_bp.max(1) - 1;
    let near_site = |position: usize| {
        let near = position.saturating_sub(reach)..=position.saturating_add(reach);
        annotated.range(near).next().is_some()
    };
    for span in &spans {
        let bases = &sequence[span.start.min(sequence.len())..span.end.min(sequence.len())];
        for (index, pair) in bases.windows(2).enumerate() {
            if !pair.eq_ignore_ascii_case(&letters) {
                continue;
            }
            let position = span.start + index + shift;
            // As for sites, the window may not reach the ends of the contig, which no model scores.
            let whole = position > radius && position + radius < sequence.len();
            // At the very end of a gene there is no exon beyond: not a place a decoy could be.
            let inside = span.start < position && position < span.end;
            if !whole || !inside || near_site(position) || !composition.is_acgt(position - radius, position + radius) {
                continue;
            }
            let at = cell(&composition, strand, position, request.gc_flank_bp);
            pool.cells.entry(at).or_default().push(position);
            balance.pool.push(&Covariates::new(&composition, strand, position, request.gc_flank_bp, &genes));
        }
    }
    let covariates = |position: usize, own: &[Interval]| Covariates::new(&composition, strand, position, request.gc_flank_bp, own);
    let mut order: Vec<&Wanted> = wanted.iter().collect();
    order.sort_by_key(|w| (w.position, w.site));
    rng.shuffle(&mut order);
    let mut take = |near: usize, own: &[Interval]| {
        let mut places = own.to_vec();
        merge_intervals(&mut places); // a decoy in two of the genes is one candidate
        let found = pool.take(cell(&composition, strand, near, request.gc_flank_bp), &places, rng);
        found.map(|position| Decoy { position, covariates: covariates(position, own) })
    };
    let mut matches: Vec<Match> = Vec::with_capacity(order.len());
    for site in &order {
        let own = covariates(site.position, &site.genes);
        balance.sites.push(&own);
        matches.push(Match { site: site.site, covariates: own, decoy: take(site.position, &site.genes), second: None });
    }
    if request.second {
        for (found, site) in matches.iter_mut().zip(&order) {
            found.second = found.decoy.and_then(|decoy| take(decoy.position, &site.genes));
        }
    }
    matches
}

#[cfg(test)]
mod tests;
