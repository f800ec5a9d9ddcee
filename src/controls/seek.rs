//! A family's candidates, given to the matcher.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::controls::area::{Area, Ground, Wanted};
use crate::controls::balance::Census;
use crate::controls::family::{Family, Source};
use crate::controls::matching::{Dropped, Member, Metric, Pool, serve};
use crate::controls::shuffle::dinucleotide_shuffle;
use crate::controls::{ControlRequest, Covariates};
use crate::genome::composition::Composition;
use crate::genome::sequence::model_letters;
use crate::genome::{Interval, Strand};
use crate::stats::rng::Rng;

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
    /// A second set, disjoint from all first ones, each matched to one of `controls`, where it was asked for.
    pub second: Vec<Control>,
    /// The width of the k-mer that was shared, in family `kmer`.
    pub kmer: Option<usize>,
}

/// Controls that the user gives for one strand of one contig.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// Positions named after a site, by the site's position.
    pub paired: BTreeMap<usize, Vec<usize>>,
    /// All others: matched here.
    pub free: Vec<usize>,
}

/// At most so many candidates of one k-mer are looked at, a random subset.
const KMER_CANDIDATES: usize = 2000;

/// The random stream of one shuffle of one site.
fn shuffle_stream(ground: &Ground<'_>, position: usize, copy: usize, rng: &Rng) -> Rng {
    rng.derive(&format!("shuffle {}:{position}:{} {} {copy}", ground.contig, ground.strand, ground.kind))
}

/// The window `[position - radius_bp, position + radius_bp)` of a site as its strand reads it, upper case, with the core letters in place and both
/// flanks shuffled: first the `flank_bp` bases nearest to the core, then what lies beyond, so that composition stays where it was. Neighbouring
/// stretches share a letter that stays in place, so that every dinucleotide of the window is kept.
pub fn shuffled_window(ground: &Ground<'_>, position: usize, copy: usize, flank_bp: usize, rng: &Rng) -> Vec<u8> {
    let radius = ground.radius_bp;
    let window = &ground.sequence[position.saturating_sub(radius)..(position + radius).min(ground.sequence.len())];
    let mut letters = model_letters(window, ground.strand);
    let mut rng = shuffle_stream(ground, position, copy, rng);
    let at = |offset: i64| (radius as i64 + offset).clamp(0, letters.len() as i64 - 1).max(0) as usize;
    let flank = flank_bp as i64;
    let (core, after) = (at(ground.core.start), at(ground.core.end() - 1));
    let (left, right) = (at(-flank).min(core), at(flank - 1).max(after));
    let last = letters.len().saturating_sub(1);
    for (first, last) in [(0, left), (left, core), (after, right), (right, last)] {
        let shuffled = dinucleotide_shuffle(letters.get(first..=last).unwrap_or(&[]), &mut rng);
        letters[first..first + shuffled.len()].copy_from_slice(&shuffled);
    }
    letters
}

fn stratum(area: &Area<'_>, position: usize) -> u64 {
    u64::from(area.soft_masked(position))
}

fn member(area: &Area<'_>, position: usize) -> Member {
    Member { stratum: stratum(area, position), position, covariates: area.covariates(position, None) }
}

fn site_member(area: &Area<'_>, wanted: &Wanted) -> Member {
    let covariates = area.covariates(wanted.position, Some(&wanted.genes));
    Member { stratum: stratum(area, wanted.position), position: wanted.position, covariates }
}

fn stream(ground: &Ground<'_>, family: Family, area: &Area<'_>, rng: &Rng) -> Rng {
    rng.derive(&format!("{} {}:{} {} {}", family.name(), ground.contig, area.start(), ground.strand, ground.kind))
}

/// The control of a shuffled copy.
fn shuffled(ground: &Ground<'_>, area: &Area<'_>, wanted: &Wanted, copy: usize, flank_bp: usize, rng: &Rng) -> Control {
    let letters = shuffled_window(ground, wanted.position, copy, flank_bp, rng);
    let composition = Composition::new(&letters, Interval::new(0, letters.len()));
    let site = area.covariates(wanted.position, Some(&wanted.genes));
    let mut covariates = Covariates::new(&composition, Strand::Plus, ground.radius_bp, flank_bp, &[]);
    covariates.soft_masked_fraction = site.soft_masked_fraction;
    covariates.gene_end_distance_bp = site.gene_end_distance_bp;
    covariates.strength_bits = area.matrix().and_then(|m| m.score(&letters, Strand::Plus, ground.radius_bp)).unwrap_or(f64::NAN);
    Control { position: wanted.position, cluster: area.cluster, covariates, copy: Some(copy) }
}

/// Seeks controls on one strand of a contig, for the sites of one kind.
pub struct Seeker<'a> {
    /// The strand.
    pub ground: &'a Ground<'a>,
    /// Its clusters of genes with sites.
    pub areas: &'a [Area<'a>],
    /// What is asked.
    pub request: &'a ControlRequest,
    /// Whether a second set is sought, to compare controls with controls.
    pub second: bool,
    /// The user's controls.
    pub given: &'a Given,
    /// From which every stream is derived, by name.
    pub rng: &'a Rng,
}

impl Seeker<'_> {
    /// Adds the covariates of all sites, and of all candidates of a source, to a census.
    pub fn survey(&self, source: Source, census: &mut Census) {
        let mut draw = self.rng.derive(&format!("census {} {} {}", self.ground.contig, self.ground.strand, self.ground.kind));
        for area in self.areas {
            let mut pool = |position: usize| census.pool(&area.covariates(position, None), &mut draw);
            match source {
                Source::Core => area.with_core().for_each(&mut pool),
                Source::Anywhere => area.anywhere(&mut stream(self.ground, Family::Random, area, self.rng)).into_iter().for_each(&mut pool),
                Source::Near => {
                    let mut rng = stream(self.ground, Family::Shift, area, self.rng);
                    area.wanted.iter().flat_map(|w| area.near(w, &mut rng)).collect::<Vec<_>>().into_iter().for_each(&mut pool);
                }
                Source::Rearranged => {
                    let copies = |w| (0..self.request.per_site).map(move |copy| (w, copy));
                    for (wanted, copy) in area.wanted.iter().flat_map(copies) {
                        let control = shuffled(self.ground, area, wanted, copy, self.request.gc_flank_bp, self.rng);
                        census.pool(&control.covariates, &mut draw);
                    }
                }
                Source::Given => {}
            }
            for wanted in &area.wanted {
                census.site(&area.covariates(wanted.position, Some(&wanted.genes)), &mut draw);
            }
        }
        if source == Source::Given {
            let all = self.given.free.iter().chain(self.given.paired.values().flatten());
            all.filter_map(|p| self.lone(*p)).for_each(|area| census.pool(&area.1.covariates(area.0, None), &mut draw));
        }
    }

    /// The surroundings of a given position; scored with the matrix of the nearest area before it, in which it may or may not lie.
    fn lone(&self, position: usize) -> Option<(usize, Area<'_>)> {
        let after = self.areas.partition_point(|area| area.start() < position);
        let near = self.areas.get(after.saturating_sub(1));
        let cluster = near.filter(|area| area.holds(position)).map_or(Control::NO_CLUSTER, |area| area.cluster);
        let area = Area::lone(self.ground, cluster, position, near.and_then(Area::matrix), self.request.gc_flank_bp)?;
        Some((position, area))
    }

    /// The controls of every site, in the order of areas and their sites.
    pub fn find(&self, family: Family, metric: &Metric) -> Vec<Found> {
        match family {
            Family::Kmer => self.by_kmer(metric),
            Family::Bed => self.by_list(metric),
            Family::Shuffle => self.areas.iter().flat_map(|area| self.by_shuffle(area)).collect(),
            Family::Decoy | Family::Strength | Family::Random | Family::Shift => {
                self.areas.iter().flat_map(|area| self.in_gene(family, area, metric)).collect()
            }
        }
    }

    fn in_gene(&self, family: Family, area: &Area<'_>, metric: &Metric) -> Vec<Found> {
        let mut rng = stream(self.ground, family, area, self.rng);
        let mut sites: Vec<Member> = area.wanted.iter().map(|wanted| site_member(area, wanted)).collect();
        let members: Vec<Member> = match family.source() {
            Source::Anywhere => area.anywhere(&mut rng).into_iter().map(|p| member(area, p)).collect(),
            Source::Near => {
                // A moved window is a candidate of its own site only.
                let near: Vec<Vec<usize>> = area.wanted.iter().map(|w| area.near(w, &mut rng)).collect();
                sites.iter_mut().zip(0..).for_each(|(site, number)| site.stratum = number);
                let own = |(number, positions): (u64, Vec<usize>)| {
                    positions.into_iter().map(move |p| Member { stratum: number, ..member(area, p) })
                };
                (0..).zip(near).flat_map(own).collect()
            }
            _ => area.with_core().map(|p| member(area, p)).collect(),
        };
        let inside: Vec<Option<Vec<Interval>>> = area.wanted.iter().map(|w| Some(merged(&w.genes))).collect();
        let home = vec![area; members.len()];
        self.serve(area.wanted.iter().map(|w| (area, w)).collect(), &sites, &members, &home, &inside, metric, &mut rng)
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
        let served = serve(&mut pool, sites, inside, self.request.per_site, rng);
        let control = |index: &usize, genes: &[Interval]| {
            let position = members[*index].position;
            let own = genes.iter().any(|g| g.start <= position && position <= g.end).then_some(genes);
            Control { position, cluster: home[*index].cluster, covariates: home[*index].covariates(position, own), copy: None }
        };
        if self.second {
            served.iter().flatten().flatten().for_each(|index| pool.remove(*index));
        }
        let mut found = Vec::with_capacity(sites.len());
        for (((_, wanted), site), (served, inside)) in wanted.into_iter().zip(sites).zip(served.into_iter().zip(inside)) {
            let mut second = Vec::new();
            if self.second {
                for first in served.iter().flatten() {
                    // Matched to the first control, as that was to the site.
                    second.extend(pool.take(&members[*first], inside.as_deref(), &second, rng));
                }
            }
            found.push(Found {
                site: wanted.site,
                covariates: site.covariates,
                controls: served.map(|all| all.iter().map(|index| control(index, &wanted.genes)).collect()),
                second: second.iter().map(|index| control(index, &wanted.genes)).collect(),
                kmer: None,
            });
        }
        found
    }

    fn by_shuffle(&self, area: &Area<'_>) -> Vec<Found> {
        let k = self.request.per_site;
        let copies = |wanted: &Wanted, from: usize| -> Vec<Control> {
            (from..from + k).map(|copy| shuffled(self.ground, area, wanted, copy, self.request.gc_flank_bp, self.rng)).collect()
        };
        let found = |wanted: &Wanted| Found {
            site: wanted.site,
            covariates: area.covariates(wanted.position, Some(&wanted.genes)),
            controls: Ok(copies(wanted, 0)),
            second: if self.second { copies(wanted, k) } else { Vec::new() },
            kmer: None,
        };
        area.wanted.iter().map(found).collect()
    }

    /// From the widest k-mer down to the narrowest that still holds the core letters; a site leaves as soon as it is served.
    fn by_kmer(&self, metric: &Metric) -> Vec<Found> {
        let core = &self.ground.core;
        let holds_core = |k: usize| -((k / 2) as i64) <= core.start && core.end() <= (k - k / 2) as i64;
        let narrowest = (1..=self.request.kmer).find(|k| holds_core(*k)).unwrap_or(self.request.kmer);
        let mut rng = self.rng.derive(&format!("kmer {} {} {}", self.ground.contig, self.ground.strand, self.ground.kind));
        let mut left: Vec<(&Area<'_>, &Wanted)> = self.areas.iter().flat_map(|area| area.wanted.iter().map(move |w| (area, w))).collect();
        let (mut done, mut gone): (HashMap<usize, Found>, HashSet<usize>) = (HashMap::new(), HashSet::new());
        let order: Vec<usize> = left.iter().map(|(_, w)| w.site).collect();
        for k in (narrowest..=self.request.kmer).rev() {
            let key = |area: &Area<'_>, p: usize| area.kmer(p, k).map(|letters| letters << 1 | stratum(area, p));
            let wanted_keys: HashSet<u64> = left.iter().filter_map(|(area, w)| key(area, w.position)).collect();
            let mut sample: BTreeMap<u64, (usize, Vec<(usize, usize)>)> = BTreeMap::new();
            for (index, area) in self.areas.iter().enumerate() {
                for position in area.with_core().filter(|p| !gone.contains(p)) {
                    let Some(key) = key(area, position).filter(|key| wanted_keys.contains(key)) else { continue };
                    let (seen, kept) = sample.entry(key).or_default();
                    *seen += 1;
                    if kept.len() < KMER_CANDIDATES {
                        kept.push((index, position));
                    } else if let Some(place) = kept.get_mut(rng.below(*seen)) {
                        *place = (index, position);
                    }
                }
            }
            let (mut members, mut home) = (Vec::new(), Vec::new());
            for (key, (_, kept)) in sample {
                for (index, position) in kept {
                    members.push(Member { stratum: key, ..member(&self.areas[index], position) });
                    home.push(&self.areas[index]);
                }
            }
            let no_letters = u64::MAX;
            let sites: Vec<Member> = (left.iter())
                .map(|(area, w)| Member { stratum: key(area, w.position).unwrap_or(no_letters), ..site_member(area, w) })
                .collect();
            let inside = vec![None; sites.len()];
            for mut found in self.serve(left.clone(), &sites, &members, &home, &inside, metric, &mut rng) {
                let served = found.controls.is_ok() && (!self.second || !found.second.is_empty());
                if served || k == narrowest {
                    found.kmer = found.controls.is_ok().then_some(k);
                    if !self.request.replacement || self.second {
                        let taken = found.controls.iter().flatten().chain(&found.second);
                        gone.extend(taken.map(|control| control.position));
                    }
                    done.insert(found.site, found);
                }
            }
            left.retain(|(_, w)| !done.contains_key(&w.site));
        }
        order.iter().filter_map(|site| done.remove(site)).collect()
    }

    fn by_list(&self, metric: &Metric) -> Vec<Found> {
        let mut rng = self.rng.derive(&format!("bed {} {} {}", self.ground.contig, self.ground.strand, self.ground.kind));
        let lone: Vec<(usize, Area<'_>)> = self.given.free.iter().filter_map(|p| self.lone(*p)).collect();
        let members: Vec<Member> = lone.iter().map(|(p, area)| member(area, *p)).collect();
        let home: Vec<&Area<'_>> = lone.iter().map(|(_, area)| area).collect();
        let all: Vec<(&Area<'_>, &Wanted)> = self.areas.iter().flat_map(|area| area.wanted.iter().map(move |w| (area, w))).collect();
        let (named, free): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, w)| self.given.paired.contains_key(&w.position));
        let by_name = |(area, wanted): (&Area<'_>, &Wanted)| {
            let positions = self.given.paired.get(&wanted.position).map_or(&[][..], Vec::as_slice);
            let control = |p: &usize| {
                let (position, home) = self.lone(*p)?;
                Some(Control { position, cluster: home.cluster, covariates: home.covariates(position, None), copy: None })
            };
            let mut controls: Vec<Control> = positions.iter().filter_map(control).collect();
            let second = if self.second { controls.split_off(controls.len().div_ceil(2)) } else { Vec::new() };
            let controls = if controls.is_empty() { Err(Dropped::NoCandidate) } else { Ok(controls) };
            Found { site: wanted.site, covariates: area.covariates(wanted.position, Some(&wanted.genes)), controls, second, kmer: None }
        };
        let mut found: Vec<Found> = named.into_iter().map(by_name).collect();
        let sites: Vec<Member> = free.iter().map(|(area, w)| site_member(area, w)).collect();
        let inside = vec![None; sites.len()];
        found.extend(self.serve(free, &sites, &members, &home, &inside, metric, &mut rng));
        found
    }
}

fn merged(genes: &[Interval]) -> Vec<Interval> {
    let mut places = genes.to_vec();
    crate::genome::merge_intervals(&mut places); // a candidate in two of the genes is one candidate
    places
}
