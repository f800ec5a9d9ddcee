//! Which sites are told from which decoys.

use std::collections::HashSet;

use rayon::prelude::*;

use super::{DecoyRow, Spot};
use crate::controls::Family;
use crate::controls::decoys::{Decoys, Search, choose};
use crate::controls::seek::Seeker;
use crate::pipelines::comparison::{ComparisonRequest, Study};
use crate::stats::context::WIDEST;
use crate::stats::rng::Rng;

/// The sets of controls: decoys of the same genes; those of them that are as strong as their site
/// by a weight matrix; of sites without core letters, random positions; the user's own.
pub const CONTROLS: [&str; 4] = ["decoy", "strength", "random", "bed"];
const STRENGTH: usize = 1;
const GIVEN: usize = 3;
/// Decoys a site, at most.
pub const PER_SITE: usize = 10;
/// Sites of a kind, at most: more are a random sample.
pub const MOST_SITES: usize = 2000;
/// Sites and decoys of a kind, at most: where sites are many, each has fewer decoys.
pub const MOST_ROWS: usize = 8000;

/// What is looked for at one kind of site.
struct Sought {
    /// Sites that controls are looked for.
    n_sites: usize,
    /// Controls a site, at most.
    per_site: usize,
    /// The least distance of a control from annotated sites and other controls, in bases. Those the
    /// user gives may lie anywhere.
    least_bp: usize,
    /// Which of [`CONTROLS`].
    controls: Vec<usize>,
}

/// Sites with their controls.
pub(in super::super) struct Sets {
    wanted: HashSet<usize>,
    /// By kind.
    kinds: Vec<Sought>,
    /// By kind and control.
    found: Vec<[Vec<Decoys>; CONTROLS.len()]>,
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
            let families = &request.controls.families;
            let mut controls = match about.core.letters.is_empty() {
                false => vec![0, STRENGTH],
                true if families.contains(&Family::Random) => vec![2],
                true => Vec::new(),
            };
            controls.extend(families.contains(&Family::Bed).then_some(GIVEN));
            sets.kinds.push(Sought {
                n_sites: of_kind.len(),
                per_site,
                least_bp,
                controls,
            });
            sets.found.push(Default::default());
            sets.wanted.extend(of_kind);
        }
        sets
    }

    /// Seeks controls on one strand of a contig. `caliper_bits` is the largest difference in
    /// strength of the set of equal strength.
    pub fn seek(&mut self, kind: usize, seeker: &Seeker<'_>, caliper_bits: f64) {
        let sought = &self.kinds[kind];
        for &control in &sought.controls {
            let caliper_bits = (control == STRENGTH).then_some(caliper_bits);
            if caliper_bits.is_some_and(|bits| !bits.is_finite()) {
                continue;
            }
            let search = Search {
                per_site: sought.per_site,
                least_bp: if control == GIVEN { 1 } else { sought.least_bp },
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
                let candidates = || match control {
                    GIVEN => seeker.given_in(area),
                    _ => area.with_core().collect(),
                };
                choose(
                    area,
                    candidates,
                    &|site| self.wanted.contains(&site),
                    search,
                    &mut self.rng.derive(&name),
                )
            };
            let found: Vec<Decoys> = seeker.areas.par_iter().flat_map_iter(in_area).collect();
            self.found[kind][control].extend(found);
        }
    }

    /// The sets of one kind and control; `None` where none were looked for.
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
        let sought = &self.kinds[kind];
        let found = &self.found[kind][control];
        let served = || found.iter().filter(|set| !set.positions.is_empty());
        let n_all = study.sites.iter().filter(|site| site.kind == kind).count();
        DecoyRow {
            site_kind: study.kinds[kind].name.into(),
            control: CONTROLS[control].into(),
            n_usable: n_all as u64,
            n_drawn: sought.n_sites as u64,
            n_sites: served().count() as u64,
            n_controls: served().map(|set| set.positions.len() as u64).sum(),
            n_near: served().filter(|set| set.is_near).count() as u64,
            per_site: sought.per_site as u64,
            least_bp: if control == GIVEN {
                1
            } else {
                sought.least_bp as u64
            },
            note: String::new(),
        }
    }
}
