//! Controls that the user gives.

use std::collections::BTreeMap;

use super::{Control, Found, Seeker, member, site_member};
use crate::controls::area::{Area, Wanted};
use crate::controls::matching::{Dropped, Member, Metric};

/// Controls that the user gives for one strand of one contig.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// Positions named after a site, by the site's position.
    pub paired: BTreeMap<usize, Vec<usize>>,
    /// All others: matched here.
    pub free: Vec<usize>,
}

impl Seeker<'_> {
    /// The user's controls that the sites of an area may be told from: free positions in its genes,
    /// listed for it or named after one of its sites. One at its very start belongs to the area
    /// before.
    pub fn given_in(&self, area: &Area<'_>) -> Vec<usize> {
        let free = &self.given.free;
        let from = free.partition_point(|p| *p <= area.start());
        let to = free.partition_point(|p| *p <= area.end()).max(from);
        let named = (area.wanted.iter())
            .filter_map(|wanted| self.given.paired.get(&wanted.position))
            .flatten();
        let mut all: Vec<usize> = free[from..to].iter().chain(named).copied().collect();
        all.retain(|p| area.holds(*p) && area.is_free(*p));
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The surroundings of a given position; scored with the matrix of the nearest area before it,
    /// in which it may or may not lie.
    pub(super) fn lone(&self, position: usize) -> Option<(usize, Area<'_>)> {
        let after = self.areas.partition_point(|area| area.start() < position);
        let near = self.areas.get(after.saturating_sub(1));
        let cluster = near
            .filter(|area| area.holds(position))
            .map_or(Control::NO_CLUSTER, |area| area.cluster);
        let area = Area::lone(
            self.ground,
            cluster,
            position,
            near.and_then(Area::matrix),
            self.request.gc_flank_bp,
        )?;
        Some((position, area))
    }

    pub(super) fn by_list(&self, metric: &Metric) -> Vec<Found> {
        let mut rng = self.rng.derive(&format!(
            "bed {} {} {}",
            self.ground.contig, self.ground.strand, self.ground.kind
        ));
        let lone: Vec<(usize, Area<'_>)> = self
            .given
            .free
            .iter()
            .filter_map(|p| self.lone(*p))
            .collect();
        let members: Vec<Member> = lone.iter().map(|(p, area)| member(area, *p)).collect();
        let home: Vec<&Area<'_>> = lone.iter().map(|(_, area)| area).collect();
        let all: Vec<(&Area<'_>, &Wanted)> = self
            .areas
            .iter()
            .flat_map(|area| area.wanted.iter().map(move |w| (area, w)))
            .collect();
        let (named, free): (Vec<_>, Vec<_>) = all
            .into_iter()
            .partition(|(_, w)| self.given.paired.contains_key(&w.position));
        let mut order = rng.derive("two sets");
        let mut by_name = |(area, wanted): (&Area<'_>, &Wanted)| {
            let positions = self
                .given
                .paired
                .get(&wanted.position)
                .map_or(&[][..], Vec::as_slice);
            let control = |p: &usize| {
                let (position, home) = self.lone(*p)?;
                Some(Control {
                    position,
                    cluster: home.cluster,
                    covariates: home.covariates(position, None),
                    copy: None,
                    near: false,
                })
            };
            let controls: Vec<Control> = positions.iter().filter_map(control).collect();
            let (controls, second) = self.in_two(
                if controls.is_empty() {
                    Err(Dropped::NoCandidate)
                } else {
                    Ok(controls)
                },
                &mut order,
            );
            Found {
                site: wanted.site,
                covariates: area.covariates(wanted.position, Some(&wanted.genes)),
                controls,
                second,
                kmer: None,
            }
        };
        let mut found: Vec<Found> = named.into_iter().map(&mut by_name).collect();
        let sites: Vec<Member> = free.iter().map(|(area, w)| site_member(area, w)).collect();
        let inside = vec![None; sites.len()];
        found.extend(self.serve(free, &sites, &members, &home, &inside, metric, &mut rng));
        found
    }
}
