//! What the model says around sites and controls. Of each profile only its sum by cluster and its endpoint are kept, in three layers: the strand of
//! the site, the other strand, and what the letters nearby predict; everything reported is a linear combination of these.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::baseline::{Baseline, Fit};
use super::matching::Matched;
use super::{ComparisonRequest, ContigReader, ENDPOINT_REACH, Study, Unit};
use crate::controls::seek::shuffled_window;
use crate::controls::{Control, Ground};
use crate::error::{Error, Result};
use crate::genome::Strand;
use crate::genome::sequence::{model_letters, reverse_complement};
use crate::pipelines::tiles::{TilePlan, TileShape, Window, plan, read_tiles};
use crate::pipelines::{BoundaryModel, Progress};
use crate::stats::bootstrap::ProfileSums;
use crate::stats::context::WIDEST;
use crate::stats::rng::Rng;

/// What is summed of a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layer {
    /// The boundary probability on the strand of the site.
    Own,
    /// That of the same position on the other strand.
    Opposite,
    /// What the letters nearby predict.
    Predicted,
}

const LAYERS: usize = 3;

/// Sites that are read on both strands where not all are.
const STRAND_SAMPLE: usize = 100;

/// A member of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    Site,
    Control,
}

/// One position, or one shuffled window, that is read once however many pairs it is in.
#[derive(Clone, Debug)]
struct Subject {
    contig: usize,
    strand: Strand,
    position: usize,
    /// Its own cluster of genes, which the baseline that predicts it has not seen.
    cluster: usize,
    /// Kind of site and number of the shuffle.
    copy: Option<(usize, usize)>,
    roles: Vec<Role>,
}

/// Contig, strand, position, and of a shuffle its kind and number: what makes two subjects one.
type Key = (usize, Strand, usize, Option<(usize, usize)>);

/// A share in one side of one pair.
#[derive(Clone, Copy, Debug)]
struct Role {
    slot: usize,
    unit: usize,
    weight: f64,
}

/// A pair: a site and its controls.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub family: usize,
    /// Index into [`Study::sites`].
    pub site: usize,
    /// What stands in the site's place: itself, or in a negative control a second set of controls.
    pub first: Vec<usize>,
    /// Its controls.
    pub controls: Vec<usize>,
    /// Its unit of replication.
    pub unit: usize,
}

/// Plans, then results.
pub(super) struct Readings {
    flank: usize,
    n_kinds: usize,
    subjects: Vec<Subject>,
    /// Windows of plain subjects, by contig and strand.
    plans: BTreeMap<(usize, Strand), (Vec<usize>, TilePlan)>,
    /// Shuffled subjects, by contig and strand.
    shuffled: BTreeMap<(usize, Strand), Vec<usize>>,
    /// Subjects read on the other strand as well.
    both_strands: BTreeSet<usize>,
    pub pairs: Vec<Pair>,
    /// Subject of each site that was read.
    pub site_subject: BTreeMap<usize, usize>,
    endpoints: Vec<[f64; LAYERS]>,
    sums: HashMap<usize, [ProfileSums; LAYERS]>,
    /// Probabilities of the same positions on the two strands: cluster, own, opposite.
    pub strand_values: Vec<(usize, f32, f32)>,
    pub baseline: Fit,
    pub tiles: u64,
    pub bases: u64,
}

/// The unit of replication of a site.
pub(super) fn unit(study: &Study<'_>, site: usize, unit: Unit) -> usize {
    match unit {
        Unit::Gene => study.sites[site].cluster,
        Unit::Contig => study.sites[site].contig,
        Unit::Site => site,
    }
}

impl Readings {
    pub fn plan(study: &Study<'_>, matched: &Matched, request: &ComparisonRequest, shape: &TileShape, rng: &Rng) -> Result<Readings> {
        let mut subjects: Vec<Subject> = Vec::new();
        let mut known: HashMap<Key, usize> = HashMap::new();
        let mut subject = |contig, strand, position, cluster, copy| {
            *known.entry((contig, strand, position, copy)).or_insert_with(|| {
                subjects.push(Subject { contig, strand, position, cluster, copy, roles: Vec::new() });
                subjects.len() - 1
            })
        };
        let n_kinds = study.kinds.len();
        let (mut pairs, mut site_subject) = (Vec::new(), BTreeMap::new());
        for (index, site) in study.sites.iter().enumerate() {
            if !request.negative_control {
                site_subject.insert(index, subject(site.contig, site.strand, site.position, site.cluster, None));
            }
        }
        for (family, found) in matched.found.iter().enumerate() {
            for (index, found) in found {
                let site = &study.sites[*index];
                let Ok(controls) = &found.controls else { continue };
                let mut all = |controls: &[Control]| -> Vec<usize> {
                    let copy = |c: &Control| c.copy.map(|copy| (site.kind, copy));
                    controls.iter().map(|c| subject(site.contig, site.strand, c.position, c.cluster, copy(c))).collect()
                };
                let controls = all(controls);
                let first = if request.negative_control { all(&found.second) } else { vec![site_subject[index]] };
                if !first.is_empty() {
                    pairs.push(Pair { family, site: *index, first, controls, unit: unit(study, *index, request.cluster) });
                }
            }
        }
        for pair in &pairs {
            for (group, members) in [(Group::Site, &pair.first), (Group::Control, &pair.controls)] {
                let slot = slot(pair.family, study.sites[pair.site].kind, group, n_kinds);
                let weight = 1.0 / members.len() as f64;
                members.iter().for_each(|s| subjects[*s].roles.push(Role { slot, unit: pair.unit, weight }));
            }
        }
        let mut readings = Readings {
            flank: request.flank,
            n_kinds,
            endpoints: vec![[f64::NAN; LAYERS]; subjects.len()],
            plans: BTreeMap::new(),
            shuffled: BTreeMap::new(),
            both_strands: BTreeSet::new(),
            pairs,
            site_subject,
            sums: HashMap::new(),
            strand_values: Vec::new(),
            baseline: Fit::default(),
            tiles: 0,
            bases: 0,
            subjects,
        };
        let mut plain: BTreeMap<(usize, Strand), Vec<usize>> = BTreeMap::new();
        for (index, subject) in readings.subjects.iter().enumerate() {
            let lists = if subject.copy.is_some() { &mut readings.shuffled } else { &mut plain };
            lists.entry((subject.contig, subject.strand)).or_default().push(index);
        }
        let mut sample: Vec<usize> = plain.values().flatten().copied().collect();
        if request.strand_average {
            sample.extend(readings.shuffled.values().flatten());
        } else {
            rng.derive("strands").shuffle(&mut sample);
            sample.truncate(STRAND_SAMPLE);
        }
        readings.both_strands = sample.into_iter().collect();
        for ((contig, strand), members) in plain {
            let tiles = readings.tile_plan(study, contig, &members, shape)?;
            readings.tiles += tiles.tiles.len() as u64;
            readings.bases += tiles.bases();
            readings.plans.insert((contig, strand), (members, tiles));
        }
        Ok(readings)
    }

    fn tile_plan(&self, study: &Study<'_>, contig: usize, members: &[usize], shape: &TileShape) -> Result<TilePlan> {
        let window = |s: &usize| {
            let position = self.subjects[*s].position;
            Window { low: position.saturating_sub(self.flank), high: position + self.flank }
        };
        let contig_bp = study.genome.contigs().get(contig).map_or(0, |c| c.length_bp);
        plan(members.iter().map(window).collect(), contig_bp, shape)
    }

    pub fn read(
        &mut self,
        study: &Study<'_>,
        contigs: &mut ContigReader<'_>,
        model: &dyn BoundaryModel,
        request: &ComparisonRequest,
        rng: &Rng,
        progress: &dyn Fn(Progress),
    ) -> Result<()> {
        // Tiles just long enough for one window, for what shares no tile.
        let lone_bp = 2 * (request.flank + request.margin.max(1));
        let lone = TileShape { context_bp: lone_bp, margin_bp: request.margin };
        let lone_windows = self.shuffled.values().flatten().map(|s| 1 + u64::from(self.both_strands.contains(s))).sum::<u64>();
        let others = self.both_strands.iter().filter(|s| self.subjects[**s].copy.is_none()).count() as u64;
        let total = self.bases + (lone_windows + others) * lone_bp as u64;
        let mut done = 0;
        progress(Progress { stage: "reading sequence", done, total });
        let mut report = |bases: u64| {
            done += bases;
            progress(Progress { stage: "reading sequence", done: done.min(total), total });
        };
        let places: BTreeSet<(usize, Strand)> = self.plans.keys().chain(self.shuffled.keys()).copied().collect();
        for (contig, strand) in places {
            let sequence = contigs.get(contig)?;
            let mut kept: HashMap<usize, Vec<f32>> = HashMap::new();
            if let Some((members, tiles)) = self.plans.remove(&(contig, strand)) {
                let mut fit = std::mem::take(&mut self.baseline);
                let mut seen = fit.on(study, sequence, contig, strand, request.margin.max(1));
                let mut whole = |tile: &crate::pipelines::tiles::Tile, values: &[f32]| {
                    report(tile.bases.len_bp() as u64);
                    seen.tile(tile.bases, values);
                };
                read_tiles(sequence, strand, &tiles, request.batch, model, &mut whole, &mut |index, values| {
                    let subject = members[index];
                    self.keep(subject, Layer::Own, values);
                    if self.both_strands.contains(&subject) {
                        kept.insert(subject, values.to_vec());
                    }
                })?;
                self.baseline = fit;
                let both: Vec<usize> = members.iter().copied().filter(|s| self.both_strands.contains(s)).collect();
                let shape = if request.strand_average { TileShape { context_bp: request.context, ..lone } } else { lone };
                let tiles = self.tile_plan(study, contig, &both, &shape)?;
                (self.tiles, self.bases) = (self.tiles + tiles.tiles.len() as u64, self.bases + tiles.bases());
                let other = if strand == Strand::Plus { Strand::Minus } else { Strand::Plus };
                let mut whole = |tile: &crate::pipelines::tiles::Tile, _: &[f32]| report(tile.bases.len_bp() as u64);
                read_tiles(sequence, other, &tiles, request.batch, model, &mut whole, &mut |index, values| {
                    let subject = both[index];
                    let turned: Vec<f32> = values.iter().rev().copied().collect();
                    self.keep(subject, Layer::Opposite, &turned);
                    let own = kept.remove(&subject).unwrap_or_default();
                    let cluster = self.subjects[subject].cluster;
                    self.strand_values.extend(own.into_iter().zip(turned).map(|(a, b)| (cluster, a, b)));
                })?;
            }
            for subject in self.shuffled.get(&(contig, strand)).cloned().unwrap_or_default().chunks(request.batch.max(1)) {
                self.read_shuffled(subject, study, sequence, model, request, lone_bp, rng, &mut report)?;
            }
        }
        Ok(())
    }

    /// The letters given to the model for a shuffled window, in the orientation of its strand, and the site's place in them.
    fn shuffled_letters(
        &self,
        subject: usize,
        study: &Study<'_>,
        sequence: &[u8],
        request: &ComparisonRequest,
        lone_bp: usize,
        rng: &Rng,
    ) -> (Vec<u8>, usize) {
        let Subject { contig, strand, position, copy, .. } = self.subjects[subject];
        let radius_bp = request.radius_bp();
        let half = (lone_bp / 2).max(radius_bp);
        let (start, end) = (position.saturating_sub(half), (position + half).min(sequence.len()));
        let mut letters = model_letters(&sequence[start..end], strand);
        let at = match strand {
            Strand::Plus => position - start,
            Strand::Minus => end - position,
        };
        if let Some((kind, copy)) = copy {
            let about = &study.kinds[kind];
            let none = BTreeSet::new();
            let name = study.genome.contigs().get(contig).map_or("", |c| c.name.as_str());
            let ground = Ground { sequence, contig: name, strand, kind: about.name, core: about.core.clone(), annotated: &none, radius_bp };
            let window = shuffled_window(&ground, position, copy, request.controls.gc_flank_bp, rng);
            letters[at - radius_bp..at + radius_bp].copy_from_slice(&window);
        }
        (letters, at)
    }

    #[allow(clippy::too_many_arguments)]
    fn read_shuffled(
        &mut self,
        subjects: &[usize],
        study: &Study<'_>,
        sequence: &[u8],
        model: &dyn BoundaryModel,
        request: &ComparisonRequest,
        lone_bp: usize,
        rng: &Rng,
        report: &mut dyn FnMut(u64),
    ) -> Result<()> {
        let both = subjects.first().is_some_and(|s| self.both_strands.contains(s));
        for layer in if both { &[Layer::Own, Layer::Opposite][..] } else { &[Layer::Own] } {
            let (mut letters, places): (Vec<Vec<u8>>, Vec<usize>) =
                subjects.iter().map(|s| self.shuffled_letters(*s, study, sequence, request, lone_bp, rng)).unzip();
            if *layer == Layer::Opposite {
                letters.iter_mut().for_each(|l| *l = reverse_complement(l));
            }
            // Windows at the ends of a contig are shorter: each length is a call of its own.
            let mut from = 0;
            while from < letters.len() {
                let to = from + letters[from..].iter().take_while(|l| l.len() == letters[from].len()).count();
                let probabilities = model.boundary_probs(&letters[from..to])?;
                let shapes =
                    probabilities.len() == to - from && probabilities.iter().zip(&letters[from..to]).all(|(p, l)| p.len() == l.len());
                if !shapes || probabilities.iter().flat_map(|p| p.iter().skip(1)).any(|p| !(0.0..=1.0).contains(p)) {
                    return Err(Error::Invalid("the model gave not one boundary probability for each base".into()));
                }
                for (index, probabilities) in (from..to).zip(&probabilities) {
                    let (at, length) = (places[index], letters[index].len());
                    let values = match layer {
                        Layer::Opposite => {
                            let at = length - at;
                            probabilities[at - self.flank..=at + self.flank].iter().rev().copied().collect::<Vec<f32>>()
                        }
                        _ => probabilities[at - self.flank..=at + self.flank].to_vec(),
                    };
                    self.keep(subjects[index], *layer, &values);
                    (self.tiles, self.bases) = (self.tiles + 1, self.bases + length as u64);
                    report(length as u64);
                }
                from = to;
            }
        }
        Ok(())
    }

    /// Adds one profile to a layer.
    fn keep(&mut self, subject: usize, layer: Layer, values: &[f32]) {
        let values: Vec<f64> = values.iter().map(|v| f64::from(*v)).collect();
        let width = values.len();
        self.endpoints[subject][layer as usize] = crate::stats::mean(&values[self.flank - ENDPOINT_REACH..=self.flank + ENDPOINT_REACH]);
        for role in &self.subjects[subject].roles {
            let sums = self.sums.entry(role.slot).or_insert_with(|| std::array::from_fn(|_| ProfileSums::new(width)));
            sums[layer as usize].add_share(role.unit, role.weight, &values);
        }
    }

    /// Adds what the fitted baseline predicts for every subject. Sequence is read again, the model is not.
    pub fn predict(
        &mut self,
        study: &Study<'_>,
        contigs: &mut ContigReader<'_>,
        baseline: &Baseline,
        request: &ComparisonRequest,
        rng: &Rng,
    ) -> Result<()> {
        let mut order: Vec<usize> = (0..self.subjects.len()).collect();
        order.sort_by_key(|s| self.subjects[*s].contig); // stable: a contig is loaded once
        let reach = request.flank + WIDEST;
        for subject in order {
            let sequence = contigs.get(self.subjects[subject].contig)?;
            let (letters, at) = self.shuffled_letters(subject, study, sequence, request, 2 * reach, rng);
            let values = baseline.predict(&letters, at - self.flank..=at + self.flank, self.subjects[subject].cluster);
            self.keep(subject, Layer::Predicted, &values);
        }
        Ok(())
    }

    /// The endpoint of a subject in one layer; `NaN` where it was not read.
    pub fn endpoint(&self, subject: usize, layer: Layer) -> f64 {
        self.endpoints[subject][layer as usize]
    }

    /// Sums of the profiles of one side of the pairs of a family and kind, in one layer.
    pub fn sums(&self, family: usize, kind: usize, group: Group, layer: Layer) -> Option<&ProfileSums> {
        self.sums.get(&slot(family, kind, group, self.n_kinds)).map(|layers| &layers[layer as usize])
    }
}

fn slot(family: usize, kind: usize, group: Group, n_kinds: usize) -> usize {
    (family * n_kinds + kind) * 2 + usize::from(group == Group::Control)
}
