//! Many controls a site, to learn from: positions of the site's own cluster and strand (those with
//! its core letters, or those that the user gives), far from annotated sites and from each other.

use std::collections::BTreeSet;

use crate::controls::Area;
use crate::stats::rng::Rng;

/// How far a decoy should lie from every annotated site of its strand and from every other decoy,
/// in bases.
pub const APART_BP: usize = 120;

/// How decoys are looked for.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// Decoys a site, at most.
    pub per_site: usize,
    /// The least distance where a gene has no room for [`APART_BP`], in bases: what is measured at
    /// two places must not overlap.
    pub least_bp: usize,
    /// The largest difference in strength from the site, in bits; `None` for any.
    pub caliper_bits: Option<f64>,
}

/// The decoys of a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoys {
    /// [`crate::controls::Wanted::site`].
    pub site: usize,
    /// Their positions; none where the gene has no room for any. No decoy serves two sites.
    pub positions: Vec<usize>,
    /// Whether the first of them lies nearer than [`APART_BP`] to an annotated site or to another
    /// decoy.
    pub is_near: bool,
}

struct Candidate {
    position: usize,
    strength_bits: f64,
    /// Whether it is far from annotated sites.
    is_far: bool,
}

/// Decoys, from `candidates` of an area, of those of its sites that are `wanted`: to all their
/// first, in random order, then to all their second, and so on. Only a first decoy may lie nearer
/// than [`APART_BP`].
pub fn choose(
    area: &Area<'_>,
    candidates: impl FnOnce() -> Vec<usize>,
    wanted: &dyn Fn(usize) -> bool,
    search: Search,
    rng: &mut Rng,
) -> Vec<Decoys> {
    let mut order: Vec<usize> = (0..area.wanted.len())
        .filter(|index| wanted(area.wanted[*index].site))
        .collect();
    if order.is_empty() {
        return Vec::new();
    }
    rng.shuffle(&mut order);
    let strength = |position: usize| area.covariates(position, None).strength_bits;
    let mut pool: Vec<Candidate> = candidates()
        .into_iter()
        .filter(|position| area.bases_to_site(*position) >= search.least_bp)
        .map(|position| Candidate {
            position,
            strength_bits: if search.caliper_bits.is_some() {
                strength(position)
            } else {
                0.0
            },
            is_far: area.bases_to_site(position) >= APART_BP,
        })
        .filter(|candidate| candidate.strength_bits.is_finite())
        .collect();
    pool.sort_by(|a, b| a.strength_bits.total_cmp(&b.strength_bits));
    let ranges = order.iter().map(|index| match search.caliper_bits {
        None => 0..pool.len(),
        Some(caliper) => {
            let bits = strength(area.wanted[*index].position);
            let from = pool.partition_point(|c| c.strength_bits < bits - caliper);
            from..pool
                .partition_point(|c| c.strength_bits <= bits + caliper)
                .max(from)
        }
    });
    let ranges: Vec<std::ops::Range<usize>> = ranges.collect();
    let mut taken: BTreeSet<usize> = BTreeSet::new();
    let mut found: Vec<Decoys> = order
        .iter()
        .map(|index| Decoys {
            site: area.wanted[*index].site,
            positions: Vec::new(),
            is_near: false,
        })
        .collect();
    for round in 0..search.per_site {
        for (decoys, range) in found
            .iter_mut()
            .zip(&ranges)
            .filter(|(decoys, _)| decoys.positions.len() == round)
        {
            let from = rng.below(range.len());
            let first = |least_bp: usize, far: bool| {
                let some = pool[range.clone()]
                    .iter()
                    .cycle()
                    .skip(from)
                    .take(range.len());
                let mut free = some.filter(|c| {
                    (c.is_far || !far)
                        && taken
                            .range(c.position.saturating_sub(least_bp - 1)..c.position + least_bp)
                            .next()
                            .is_none()
                });
                free.next().map(|c| c.position)
            };
            let (position, is_near) = match first(APART_BP, true) {
                None if round == 0 => (first(search.least_bp, false), true),
                far => (far, false),
            };
            if let Some(position) = position {
                taken.insert(position);
                decoys.positions.push(position);
                decoys.is_near |= is_near;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controls::strength::{LetterCounts, Span};
    use crate::controls::{ControlRequest, Core, Family, Ground, Method, Side, Wanted};
    use crate::genome::{Interval, Strand};

    const LEAST: usize = 21;

    /// Decoys of sites at `sites` in a gene over 200..len - 200 of a random sequence with GT at
    /// each of them.
    fn found(
        len: usize,
        sites: &[usize],
        per_site: usize,
        caliper_bits: Option<f64>,
        seed: u64,
    ) -> (Vec<u8>, Vec<Decoys>, Vec<f64>) {
        let mut rng = Rng::new(7);
        let mut sequence: Vec<u8> = (0..len).map(|_| b"ACGT"[rng.below(4)]).collect();
        sites
            .iter()
            .for_each(|site| sequence[*site..site + 2].copy_from_slice(b"GT"));
        let annotated: BTreeSet<usize> = sites.iter().copied().collect();
        let core = Core {
            letters: b"GT".to_vec(),
            start: 0,
        };
        let ground = Ground {
            sequence: &sequence,
            contig: "c",
            strand: Strand::Plus,
            kind: "donor",
            core,
            annotated: &annotated,
            radius_bp: 40,
            missing: &[],
            read_bp: [0, 0],
        };
        let request = ControlRequest {
            families: vec![Family::Decoy],
            method: Method::Nearest,
            per_site: 1,
            replacement: false,
            side: Side::Any,
            gc_flank_bp: 10,
            caliper: 0.1,
            min_site_distance_bp: 5,
            site_distance_bp: 0,
            kmer: 8,
        };
        let gene = Interval::new(200, len - 200);
        let wanted = sites
            .iter()
            .enumerate()
            .map(|(site, position)| Wanted {
                site,
                position: *position,
                genes: vec![gene],
            })
            .collect();
        let mut counts = LetterCounts::new(Span::DONOR);
        sites
            .iter()
            .for_each(|site| counts.add(&sequence, Strand::Plus, *site));
        let matrix = counts.matrix([0.25; 4]);
        let area = Area::new(&ground, 0, wanted, None, matrix.as_ref(), &request);
        let search = Search {
            per_site,
            least_bp: LEAST,
            caliper_bits,
        };
        let decoys = choose(
            &area,
            || area.with_core().collect(),
            &|_| true,
            search,
            &mut Rng::new(seed),
        );
        let strengths = sites
            .iter()
            .chain(decoys.iter().flat_map(|d| &d.positions))
            .map(|p| area.covariates(*p, None).strength_bits)
            .collect();
        (sequence, decoys, strengths)
    }

    fn distances(decoys: &[Decoys], sites: &[usize]) -> (usize, usize) {
        let all: Vec<usize> = decoys
            .iter()
            .flat_map(|d| d.positions.iter().copied())
            .collect();
        let between = all
            .iter()
            .enumerate()
            .flat_map(|(i, a)| all[..i].iter().map(|b| a.abs_diff(*b)))
            .min()
            .unwrap_or(usize::MAX);
        let to_sites = all
            .iter()
            .flat_map(|a| sites.iter().map(|s| a.abs_diff(*s)))
            .min()
            .unwrap_or(usize::MAX);
        (between, to_sites)
    }

    #[test]
    fn decoys_hold_the_core_and_keep_apart() {
        let sites = [2000, 5000, 9000];
        let (sequence, decoys, _) = found(20_000, &sites, 10, None, 1);
        assert!(decoys.len() == 3 && decoys.iter().all(|d| d.positions.len() == 10 && !d.is_near));
        assert!(
            decoys
                .iter()
                .flat_map(|d| &d.positions)
                .all(|p| sequence[*p..].starts_with(b"GT") && (201..19_800).contains(p))
        );
        let (between, to_sites) = distances(&decoys, &sites);
        assert!(
            between >= APART_BP && to_sites >= APART_BP,
            "{between} {to_sites}"
        );
        assert_eq!(decoys, found(20_000, &sites, 10, None, 1).1);
        assert_ne!(decoys, found(20_000, &sites, 10, None, 2).1);
    }

    /// Where sites stand close there is room for one decoy each at most, and it is counted as near.
    #[test]
    fn a_small_gene_gives_near_ones_first() {
        let sites: Vec<usize> = (0..8).map(|i| 260 + i * 110).collect();
        let (_, decoys, _) = found(1400, &sites, 10, None, 1);
        let near = decoys.iter().filter(|d| d.is_near).count();
        assert!(
            near > 3
                && decoys
                    .iter()
                    .filter(|d| d.is_near)
                    .all(|d| !d.positions.is_empty()),
            "{decoys:?}"
        );
        let (between, to_sites) = distances(&decoys, &sites);
        assert!(
            between >= LEAST && to_sites >= LEAST,
            "{between} {to_sites}"
        );
    }

    #[test]
    fn equal_strength_is_within_the_caliper() {
        let sites = [2000, 5000, 9000, 15_000];
        let (_, decoys, strengths) = found(30_000, &sites, 4, Some(0.8), 3);
        let (of_sites, mut of_decoys) = (&strengths[..4], strengths[4..].iter());
        let mut n = 0;
        for d in &decoys {
            for _ in &d.positions {
                assert!((of_decoys.next().unwrap() - of_sites[d.site]).abs() <= 0.8);
                n += 1;
            }
        }
        assert!(n > 0);
    }
}
