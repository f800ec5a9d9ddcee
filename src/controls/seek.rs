//! A family's candidates, given to the matcher.

mod by_kmer;
mod by_list;
mod rearranged;

pub use by_list::Given;
pub use rearranged::shuffled_window;

use rayon::prelude::*;

use crate::controls::area::{Area, Ground, Wanted};
use crate::controls::balance::Census;
use crate::controls::family::{CandidateSource, Family};
use crate::controls::matching::{Dropped, Member, Metric, Pool, serve};
use crate::controls::{ControlRequest, Covariates};
use crate::genome::{Interval, merge_intervals};
use crate::stats::rng::Rng;
use rearranged::shuffled;

/// One control.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Control {
    /// Its inter-base position.
    pub position: usize,
    /// The cluster of genes it lies in.
    pub cluster: usize,
    /// Its covariates.
    pub covariates: Covariates,
    /// For a shuffle, which one of the site: the position is then the site's own.
    pub copy: Option<usize>,
    /// Whether it lies nearer to an annotated site than [`ControlRequest::site_distance_bp`].
    pub near: bool,
}

impl Control {
    /// The cluster of a control outside of every gene with sites.
    pub const NO_CLUSTER: usize = usize::MAX;
}

/// A site and what was found for it.
#[derive(Clone, Debug)]
pub struct Found {
    /// [`Wanted::site`].
    pub site: usize,
    /// Covariates of the site.
    pub covariates: Covariates,
    /// Its controls, or why there is none.
    pub controls: Result<Vec<Control>, Dropped>,
    /// A second set as large as `controls` and matched to the site as those are, where it was asked
    /// for. Which of a site's two sets is which is random.
    pub second: Vec<Control>,
    /// The width of the k-mer that was shared, in family `kmer`.
    pub kmer: Option<usize>,
}

fn stratum(area: &Area<'_>, position: usize) -> u64 {
    u64::from(area.soft_masked(position))
}

fn member(area: &Area<'_>, position: usize) -> Member {
    Member {
        stratum: stratum(area, position),
        position,
        covariates: area.covariates(position, None),
        second_choice: area.is_near(position),
    }
}

fn site_member(area: &Area<'_>, wanted: &Wanted) -> Member {
    let covariates = area.covariates(wanted.position, Some(&wanted.genes));
    Member {
        stratum: stratum(area, wanted.position),
        position: wanted.position,
        covariates,
        second_choice: false,
    }
}

fn stream(ground: &Ground<'_>, family: Family, area: &Area<'_>, rng: &Rng) -> Rng {
    rng.derive(&format!(
        "{} {}:{} {} {}",
        family.name(),
        ground.contig,
        area.start(),
        ground.strand,
        ground.kind
    ))
}

/// Seeks controls on one strand of a contig, for the sites of one kind.
pub struct Seeker<'a> {
    /// The strand.
    pub ground: &'a Ground<'a>,
    /// Its clusters of genes with sites.
    pub areas: &'a [Area<'a>],
    /// What is asked.
    pub request: &'a ControlRequest,
    /// Whether a second set is looked for, to compare controls with controls.
    pub second: bool,
    /// The user's controls.
    pub given: &'a Given,
    /// From which every stream is derived, by name.
    pub rng: &'a Rng,
}

impl Seeker<'_> {
    /// Adds the covariates of all sites, and of all candidates of a source, to a census.
    pub fn survey(&self, source: CandidateSource, census: &mut Census) {
        let mut draw = self.rng.derive(&format!(
            "census {} {} {}",
            self.ground.contig, self.ground.strand, self.ground.kind
        ));
        for area in self.areas {
            let mut pool =
                |position: usize| census.pool(&area.covariates(position, None), &mut draw);
            match source {
                CandidateSource::Core => area.with_core().for_each(&mut pool),
                CandidateSource::Anywhere => area
                    .anywhere(&mut stream(self.ground, Family::Random, area, self.rng))
                    .into_iter()
                    .for_each(&mut pool),
                CandidateSource::Near => {
                    let mut rng = stream(self.ground, Family::Shift, area, self.rng);
                    area.wanted
                        .iter()
                        .flat_map(|w| area.near(w, &mut rng))
                        .collect::<Vec<_>>()
                        .into_iter()
                        .for_each(&mut pool);
                }
                CandidateSource::Rearranged => {
                    let copies = |w| (0..self.request.per_site).map(move |copy| (w, copy));
                    for (wanted, copy) in area.wanted.iter().flat_map(copies) {
                        let control = shuffled(
                            self.ground,
                            area,
                            wanted,
                            copy,
                            self.request.gc_flank_bp,
                            self.rng,
                        );
                        census.pool(&control.covariates, &mut draw);
                    }
                }
                CandidateSource::Given => {}
            }
            for wanted in &area.wanted {
                census.site(
                    &area.covariates(wanted.position, Some(&wanted.genes)),
                    &mut draw,
                );
            }
        }
        if source == CandidateSource::Given {
            let all = self
                .given
                .free
                .iter()
                .chain(self.given.paired.values().flatten());
            all.filter_map(|p| self.lone(*p))
                .for_each(|area| census.pool(&area.1.covariates(area.0, None), &mut draw));
        }
    }

    /// The controls of every site, in the order of areas and their sites.
    pub fn find(&self, family: Family, metric: &Metric) -> Vec<Found> {
        match family {
            Family::Kmer => self.by_kmer(metric),
            Family::Bed => self.by_list(metric),
            Family::Shuffle => self
                .areas
                .par_iter()
                .flat_map_iter(|area| self.by_shuffle(area))
                .collect(),
            Family::Decoy | Family::Strength | Family::Random | Family::Shift => self
                .areas
                .par_iter()
                .flat_map_iter(|area| self.in_gene(family, area, metric))
                .collect(),
        }
    }

    fn in_gene(&self, family: Family, area: &Area<'_>, metric: &Metric) -> Vec<Found> {
        let mut rng = stream(self.ground, family, area, self.rng);
        let mut sites: Vec<Member> = area
            .wanted
            .iter()
            .map(|wanted| site_member(area, wanted))
            .collect();
        let members: Vec<Member> = match family.source() {
            CandidateSource::Anywhere => area
                .anywhere(&mut rng)
                .into_iter()
                .map(|p| member(area, p))
                .collect(),
            CandidateSource::Near => {
                // A moved window is a candidate of its own site only.
                let near: Vec<Vec<usize>> =
                    area.wanted.iter().map(|w| area.near(w, &mut rng)).collect();
                sites
                    .iter_mut()
                    .zip(0..)
                    .for_each(|(site, number)| site.stratum = number);
                let own = |(number, positions): (u64, Vec<usize>)| {
                    positions.into_iter().map(move |p| Member {
                        stratum: number,
                        ..member(area, p)
                    })
                };
                (0..).zip(near).flat_map(own).collect()
            }
            _ => area.with_core().map(|p| member(area, p)).collect(),
        };
        let inside: Vec<Option<Vec<Interval>>> =
            area.wanted.iter().map(|w| Some(merged(&w.genes))).collect();
        let home = vec![area; members.len()];
        self.serve(
            area.wanted.iter().map(|w| (area, w)).collect(),
            &sites,
            &members,
            &home,
            &inside,
            metric,
            &mut rng,
        )
    }

    /// Serves sites from members, `home[i]` being the area of member `i`.
    #[allow(clippy::too_many_arguments)]
    fn serve(
        &self,
        wanted: Vec<(&Area<'_>, &Wanted)>,
        sites: &[Member],
        members: &[Member],
        home: &[&Area<'_>],
        inside: &[Option<Vec<Interval>>],
        metric: &Metric,
        rng: &mut Rng,
    ) -> Vec<Found> {
        let mut pool = Pool::new(members, metric, self.request.replacement);
        let per_site = self.request.per_site * if self.second { 2 } else { 1 };
        let served = serve(&mut pool, sites, inside, per_site, rng);
        let control = |index: &usize, genes: &[Interval]| {
            let position = members[*index].position;
            let own = genes
                .iter()
                .any(|g| g.start <= position && position <= g.end)
                .then_some(genes);
            let near = members[*index].second_choice;
            Control {
                position,
                cluster: home[*index].cluster,
                covariates: home[*index].covariates(position, own),
                copy: None,
                near,
            }
        };
        let mut found = Vec::with_capacity(sites.len());
        for (((_, wanted), site), served) in wanted.into_iter().zip(sites).zip(served) {
            let controls = served.map(|all| {
                all.iter()
                    .map(|index| control(index, &wanted.genes))
                    .collect()
            });
            let (controls, second) = self.in_two(controls, rng);
            found.push(Found {
                site: wanted.site,
                covariates: site.covariates,
                controls,
                second,
                kmer: None,
            });
        }
        found
    }
}

/// A site's controls, or why it has none.
type Controls = Result<Vec<Control>, Dropped>;

impl Seeker<'_> {
    /// Where a second set is looked for, deals a site's controls into two sets of one size at random:
    /// nothing tells one from the other. A lone control makes no second set.
    fn in_two(&self, controls: Controls, rng: &mut Rng) -> (Controls, Vec<Control>) {
        let (true, Ok(mut all)) = (self.second, controls.clone()) else {
            return (controls, Vec::new());
        };
        all.truncate((all.len() & !1).max(1));
        rng.shuffle(&mut all);
        let second = all.split_off(all.len().div_ceil(2));
        (Ok(all), second)
    }
}

fn merged(genes: &[Interval]) -> Vec<Interval> {
    let mut places = genes.to_vec();
    merge_intervals(&mut places); // a candidate in two of the genes is one candidate
    places
}
