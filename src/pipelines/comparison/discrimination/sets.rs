//! Which sites are told from which decoys.

use std::collections::HashSet;

use rayon::prelude::*;

use super::{DecoyRow, Spot};
use crate::controls::decoys::{Decoys, Search, choose};
use crate::controls::seek::Seeker;
use crate::pipelines::comparison::{ComparisonRequest, Study};
use crate::stats::context::WIDEST;
use crate::stats::rng::Rng;

/// The sets of controls: decoys of the same genes, and those of them that are as strong as their
/// site by a weight matrix.
pub const CONTROLS: [&str; 2] = ["decoy", "strength"];
/// Decoys a site, at most.
pub const PER_SITE: usize = 10;
/// Sites of a kind, at most: more are a random sample.
pub const MOST_SITES: usize = 2000;
/// Sites and decoys of a kind, at most: where sites are many, each has fewer decoys.
pub const MOST_ROWS: usize = 8000;

/// Sites with their decoys.
pub(in super::super) struct Sets {
    wanted: HashSet<usize>,
    /// By kind: how many sites are wanted, decoys a site, and least distance.
    kinds: Vec<(usize, usize, usize)>,
    /// By kind and control.
    found: Vec<[Vec<Decoys>; 2]>,
    rng: Rng,
}

impl Sets {
    /// Chooses the sites; none in a negative control.
    pub fn new(study: &Study<'_>, request: &ComparisonRequest, rng: &Rng) -> Sets {
        let rng = rng.derive("discrimination");
        let mut sets = Sets {
            wanted: HashSet::new(),
            kinds: Vec::new(),
            found: Vec::new(),
            rng,
        };
        for (kind, about) in study.kinds.iter().enumerate() {
            let mut of_kind: Vec<usize> = (0..study.sites.len())
                .filter(|site| study.sites[*site].kind == kind && !request.negative_control)
                .collect();
            sets.rng
                .derive(&format!("sites {}", about.name))
                .shuffle(&mut of_kind);
            of_kind.truncate(MOST_SITES);
            let per_site = (MOST_ROWS / of_kind.len().max(1))
                .saturating_sub(1)
                .clamp(1, PER_SITE);
            // Two windows must not share a position, nor one its nucleotides with what a table was
            // fitted on.
            let least_bp = (about.window.1 - about.window.0 + 1).max(2 * WIDEST as i64) as usize;
            sets.kinds.push((of_kind.len(), per_site, least_bp));
            sets.found.push(Default::default());
            sets.wanted.extend(of_kind);
        }
        sets
    }

    /// Seeks decoys on one strand of a contig. `caliper_bits` is the largest difference in strength
    /// of the second set.
    pub fn seek(&mut self, kind: usize, seeker: &Seeker<'_>, caliper_bits: f64) {
        let (_, per_site, least_bp) = self.kinds[kind];
        for (control, caliper_bits) in [None, Some(caliper_bits)].into_iter().enumerate() {
            if caliper_bits.is_some_and(|bits| !bits.is_finite()) {
                continue;
            }
            let search = Search {
                per_site,
                least_bp,
                caliper_bits,
            };
            let in_area = |area: &crate::controls::Area<'_>| {
                let ground = seeker.ground;
                let name = format!(
                    "{} {} {}:{} {}",
                    CONTROLS[control],
                    ground.kind,
                    ground.contig,
                    area.start(),
                    ground.strand
                );
                choose(
                    area,
                    &|site| self.wanted.contains(&site),
                    search,
                    &mut self.rng.derive(&name),
                )
            };
            let found: Vec<Decoys> = seeker.areas.par_iter().flat_map_iter(in_area).collect();
            self.found[kind][control].extend(found);
        }
    }

    /// The sets of one kind and control; `None` where none were sought.
    pub fn of(&self, kind: usize, control: usize) -> Option<&[Decoys]> {
        Some(&self.found[kind][control][..]).filter(|found| !found.is_empty())
    }

    /// All places, each once.
    pub fn spots(&self, study: &Study<'_>) -> Vec<Spot> {
        let (mut known, mut spots) = (HashSet::new(), Vec::new());
        for set in self
            .found
            .iter()
            .flatten()
            .flatten()
            .filter(|set| !set.positions.is_empty())
        {
            let site = &study.sites[set.site];
            for position in std::iter::once(&site.position).chain(&set.positions) {
                let spot = Spot {
                    contig: site.contig,
                    strand: site.strand,
                    position: *position,
                };
                if known.insert(spot) {
                    spots.push(spot);
                }
            }
        }
        spots
    }

    /// What was found, counted.
    pub fn row(&self, study: &Study<'_>, kind: usize, control: usize) -> DecoyRow {
        let (wanted, per_site, least_bp) = self.kinds[kind];
        let found = &self.found[kind][control];
        let served = || found.iter().filter(|set| !set.positions.is_empty());
        let n_all = study.sites.iter().filter(|site| site.kind == kind).count();
        DecoyRow {
            site_kind: study.kinds[kind].name.into(),
            control: CONTROLS[control].into(),
            n_usable: n_all as u64,
            n_drawn: wanted as u64,
            n_sites: served().count() as u64,
            n_controls: served().map(|set| set.positions.len() as u64).sum(),
            n_near: served().filter(|set| set.is_near).count() as u64,
            per_site: per_site as u64,
            least_bp: least_bp as u64,
            note: String::new(),
        }
    }
}
