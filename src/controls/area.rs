//! The ground on which sites and their candidates lie: a strand of a contig, and on it one cluster
//! of overlapping genes after the other.

use std::collections::BTreeSet;

use crate::controls::strength::WeightMatrix;
use crate::controls::{ControlRequest, Covariates};
use crate::genome::classes::overlaps_any;
use crate::genome::composition::Composition;
use crate::genome::sequence::base_downstream;
use crate::genome::{Interval, Strand, merge_intervals};
use crate::stats::rng::Rng;

/// The letters that make a site look like one, at `start` bases downstream of its position
/// (negative: upstream), in transcript orientation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Core {
    /// A, C, G, T.
    pub letters: Vec<u8>,
    /// Where the first of them lies.
    pub start: i64,
}

impl Core {
    /// One past its last base, counted as its start is.
    pub fn end(&self) -> i64 {
        self.start + self.letters.len() as i64
    }

    /// Whether it stands at a position.
    pub fn is_at(&self, sequence: &[u8], strand: Strand, position: usize) -> bool {
        (self.start..).zip(&self.letters).all(|(offset, letter)| {
            base_downstream(sequence, strand, position, offset as isize) == Some(*letter)
        })
    }
}

/// One strand of a contig, and what is looked for on it.
#[derive(Clone, Debug)]
pub struct Ground<'a> {
    /// The contig.
    pub sequence: &'a [u8],
    /// Its name.
    pub contig: &'a str,
    /// The strand of the sites and of their controls.
    pub strand: Strand,
    /// What the sites are called (`donor`): names the random streams.
    pub kind: &'static str,
    /// Their core letters.
    pub core: Core,
    /// Every annotated site of this strand, of any kind: controls keep away from them.
    pub annotated: &'a BTreeSet<usize>,
    /// Bases on either side of a position that must be there and be ACGT.
    pub radius_bp: usize,
    /// Bases without a value, in order and apart.
    pub missing: &'a [Interval],
    /// Bases before and after a position that must have one.
    pub read_bp: [usize; 2],
}

impl Ground<'_> {
    /// Whether every base that the values around a position are read from has one.
    fn has_values(&self, position: usize) -> bool {
        let [before, after] = self.read_bp;
        !overlaps_any(
            self.missing,
            &Interval::new(
                position.saturating_sub(before),
                position.saturating_add(after),
            ),
        )
    }
}

/// A site that wants controls.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The caller's number for it.
    pub site: usize,
    /// Its inter-base position, with `radius_bp` good bases on either side.
    pub position: usize,
    /// The intervals of its genes: where its controls may lie.
    pub genes: Vec<Interval>,
}

/// One cluster of genes: its sites, and the places for their controls.
pub struct Area<'a> {
    ground: &'a Ground<'a>,
    /// The caller's number for the cluster.
    pub cluster: usize,
    /// The sites.
    pub wanted: Vec<Wanted>,
    genes: Vec<Interval>,
    places: Vec<Interval>,
    composition: Composition,
    matrix: Option<&'a WeightMatrix>,
    flank_bp: usize,
    near_bp: usize,
    far_bp: usize,
}

/// Candidates of a random sample, for each site of the area.
const ANYWHERE_PER_SITE: usize = 200;
/// Moves tried for each site.
const SHIFTS: usize = 16;
/// How far a window is moved, in bases, both included.
pub const SHIFT_BP: (usize, usize) = (30, 200);

impl<'a> Area<'a> {
    /// The area of the sites `wanted`. Controls lie strictly inside `places`, or inside the sites'
    /// genes where those are not given.
    pub fn new(
        ground: &'a Ground<'a>,
        cluster: usize,
        wanted: Vec<Wanted>,
        places: Option<Vec<Interval>>,
        matrix: Option<&'a WeightMatrix>,
        request: &ControlRequest,
    ) -> Area<'a> {
        let mut genes: Vec<Interval> = wanted
            .iter()
            .flat_map(|w| w.genes.iter().copied())
            .collect();
        genes.sort_unstable();
        genes.dedup();
        let mut places = places.unwrap_or_else(|| genes.clone());
        merge_intervals(&mut places);
        let ends =
            genes.first().map_or(0, |g| g.start)..genes.iter().map(|g| g.end).max().unwrap_or(0);
        let reach = ground.radius_bp.max(request.gc_flank_bp);
        let region = Interval::new(
            ends.start.saturating_sub(reach),
            ends.end.saturating_add(reach),
        );
        let composition = Composition::new(ground.sequence, region);
        let [near_bp, far_bp] =
            [request.min_site_distance_bp, request.site_distance_bp].map(|bp| bp.max(1) - 1);
        Area {
            ground,
            cluster,
            wanted,
            genes,
            places,
            composition,
            matrix,
            flank_bp: request.gc_flank_bp,
            near_bp,
            far_bp,
        }
    }

    /// The surroundings of a position that the user gives, without genes; `None` where its window
    /// leaves the contig, is not all ACGT or lacks a value.
    pub fn lone(
        ground: &'a Ground<'a>,
        cluster: usize,
        position: usize,
        matrix: Option<&'a WeightMatrix>,
        flank_bp: usize,
    ) -> Option<Area<'a>> {
        let reach = ground.radius_bp.max(flank_bp);
        let region = Interval::new(position.checked_sub(reach)?, position.checked_add(reach)?);
        let composition = Composition::new(ground.sequence, region);
        let whole = region.start >= 1
            && region.end < ground.sequence.len()
            && composition.is_acgt(region.start, region.end);
        let area = Area {
            ground,
            cluster,
            wanted: Vec::new(),
            genes: Vec::new(),
            places: Vec::new(),
            composition,
            matrix,
            flank_bp,
            near_bp: 0,
            far_bp: 0,
        };
        (whole && ground.has_values(position)).then_some(area)
    }

    /// Whether a position lies in one of its genes.
    pub fn holds(&self, position: usize) -> bool {
        self.genes
            .iter()
            .any(|gene| gene.start <= position && position <= gene.end)
    }

    /// Where it starts: names its random streams, so that no other area changes what is drawn here.
    pub fn start(&self) -> usize {
        self.genes.first().map_or(0, |gene| gene.start)
    }

    /// Where it ends.
    pub fn end(&self) -> usize {
        self.genes.iter().map(|gene| gene.end).max().unwrap_or(0)
    }

    /// What matching compares. Distances are to the ends of `genes`, or of all genes of the area.
    pub fn covariates(&self, position: usize, genes: Option<&[Interval]>) -> Covariates {
        let Ground {
            sequence, strand, ..
        } = *self.ground;
        let mut found = Covariates::new(
            &self.composition,
            strand,
            position,
            self.flank_bp,
            genes.unwrap_or(&self.genes),
        );
        found.strength_bits = self
            .matrix
            .and_then(|m| m.score(sequence, strand, position))
            .unwrap_or(f64::NAN);
        found
    }

    /// The weight matrix of the area.
    pub fn matrix(&self) -> Option<&'a WeightMatrix> {
        self.matrix
    }

    /// Bases from a position to the nearest annotated site of its strand; the greatest number where
    /// there is none.
    pub fn bases_to_site(&self, position: usize) -> usize {
        let before = self
            .ground
            .annotated
            .range(..=position)
            .next_back()
            .map(|site| position - site);
        let after = self
            .ground
            .annotated
            .range(position..)
            .next()
            .map(|site| site - position);
        before.into_iter().chain(after).min().unwrap_or(usize::MAX)
    }

    /// Whether a base beside the position is lower case.
    pub fn soft_masked(&self, position: usize) -> bool {
        self.composition
            .soft_masked(position.saturating_sub(1), position + 1)
            > 0
    }

    /// Whether a position has its whole window of plain letters and of values, and keeps away from
    /// annotated sites. As for sites, the window may not reach the ends of the contig, which no
    /// model scores.
    pub fn is_free(&self, position: usize) -> bool {
        let radius = self.ground.radius_bp.max(self.flank_bp);
        let whole = position > radius && position + radius < self.ground.sequence.len();
        whole
            && self
                .composition
                .is_acgt(position - radius, position + radius)
            && !self.site_within(position, self.near_bp)
            && self.ground.has_values(position)
    }

    /// Whether a position is nearer to an annotated site than it would be if its gene allowed.
    pub fn is_near(&self, position: usize) -> bool {
        self.site_within(position, self.far_bp)
    }

    fn site_within(&self, position: usize, bp: usize) -> bool {
        let near = position.saturating_sub(bp)..=position.saturating_add(bp);
        self.ground.annotated.range(near).next().is_some()
    }

    /// Whether a position lies strictly inside a place: at the very end of a gene there is nothing
    /// beyond.
    fn is_inside(&self, position: usize) -> bool {
        let after = self.places.partition_point(|place| place.start < position);
        after > 0 && position < self.places[after - 1].end
    }

    /// Every free position with the core letters, ascending.
    pub fn with_core(&self) -> impl Iterator<Item = usize> + '_ {
        let inside = self
            .places
            .iter()
            .flat_map(|place| place.start + 1..place.end.min(self.ground.sequence.len()));
        inside.filter(|p| {
            self.ground
                .core
                .is_at(self.ground.sequence, self.ground.strand, *p)
                && self.is_free(*p)
        })
    }

    /// A random sample of the free positions, ascending: 200 draws for each site of the area,
    /// without repeats.
    pub fn anywhere(&self, rng: &mut Rng) -> Vec<usize> {
        let lengths: Vec<usize> = self
            .places
            .iter()
            .map(|place| place.len_bp().saturating_sub(1))
            .collect();
        let total: usize = lengths.iter().sum();
        let mut found = BTreeSet::new();
        for _ in 0..self.wanted.len() * ANYWHERE_PER_SITE {
            let mut at = rng.below(total);
            for (place, length) in self.places.iter().zip(&lengths) {
                if at < *length {
                    found.insert(place.start + 1 + at);
                    break;
                }
                at -= length;
            }
        }
        found.into_iter().filter(|p| self.is_free(*p)).collect()
    }

    /// Free positions 30 to 200 bases either way from a site and inside one of its genes: 16 draws,
    /// without repeats.
    pub fn near(&self, wanted: &Wanted, rng: &mut Rng) -> Vec<usize> {
        let (least, most) = SHIFT_BP;
        let mut found = BTreeSet::new();
        for _ in 0..SHIFTS {
            let by = (least + rng.below(most - least + 1)) as i64;
            let by = if rng.below(2) == 0 { by } else { -by };
            found.extend(self.ground.strand.downstream(wanted.position, by));
        }
        let of_gene = |p: usize| {
            wanted
                .genes
                .iter()
                .any(|gene| gene.start < p && p < gene.end)
        };
        found
            .into_iter()
            .filter(|p| of_gene(*p) && self.is_inside(*p) && self.is_free(*p))
            .collect()
    }

    /// The `k` letters around a position as a number, `k / 2` of them upstream; `None` where one is
    /// missing or none of A, C, G and T, and for more than 31.
    pub fn kmer(&self, position: usize, k: usize) -> Option<u64> {
        let upstream = (k / 2) as isize;
        let mut number = (k < 32).then_some(0u64)?;
        for offset in -upstream..k as isize - upstream {
            let base = base_downstream(self.ground.sequence, self.ground.strand, position, offset)?;
            number = number << 2 | b"ACGT".iter().position(|b| *b == base)? as u64;
        }
        Some(number)
    }
}
