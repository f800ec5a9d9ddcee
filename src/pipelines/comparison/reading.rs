//! What the model says around sites and controls. Of each profile only its sum by cluster and its
//! endpoint are kept (of a few sites the profile too), in three layers: the strand of the site, the
//! other strand, and what the letters nearby predict, in two stages; everything reported is a
//! linear combination of these.

mod explained;
mod plan;
mod shuffled;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use explained::Near;
pub use plan::strand_windows;

use super::baseline::{AT_ONCE, Baseline, Fit};
use super::correction::{Correction, Standard};
use super::discrimination::Spot;
use super::heatmap::Sample;
use super::{ComparisonRequest, ContigReader, ENDPOINT_REACH, Study};
use crate::controls::N_COVARIATES;
use crate::error::Result;
use crate::genome::Strand;
use crate::genome::classes::overlaps_any;
use crate::pipelines::tiles::{ContigStrand, Tile, TilePlan, TileShape, Window, plan, read_tiles};
use crate::pipelines::{BoundarySource, Progress, Values};
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
    /// What a table of the letters nearby predicts, fitted away from sites.
    Predicted,
    /// What of the rest the letters explain, fitted on the sites and controls of a family and kind.
    /// Its profiles are summed with those predicted.
    Explained,
}

impl Layer {
    /// The layer it is summed in.
    fn summed(self) -> usize {
        if self == Layer::Explained {
            Layer::Predicted as usize
        } else {
            self as usize
        }
    }
}

pub(super) const LAYERS: usize = 4;
/// Layers with sums of their own.
const SUMMED: usize = 3;

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

/// A share in one side of one pair.
#[derive(Clone, Copy, Debug)]
struct Role {
    slot: usize,
    unit: usize,
    weight: f64,
    /// Of a control: its pair, and its number there.
    control: Option<(u32, u32)>,
}

/// A pair: a site and its controls.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub family: usize,
    /// Index into [`Study::sites`].
    pub site: usize,
    /// Whether it is in the comparison: in family `kmer` only where the whole k-mer is shared.
    pub compared: bool,
    /// What stands in the site's place: itself, or in a negative control a second set of controls.
    pub first: Vec<usize>,
    /// Its controls.
    pub controls: Vec<usize>,
    /// The unit of replication of its site.
    pub unit: usize,
    /// The units of the members of `first` and of `controls`: where a control lies in another gene
    /// than its site, that gene's.
    pub units: [Vec<usize>; 2],
    /// Covariates of what stands in the site's place (their mean), and of each control.
    pub covariates: (Standard, Vec<Standard>),
    /// How much the residual of each control counts in its unit: 1 where nothing is corrected.
    pub weights: Vec<f64>,
}

impl Pair {
    /// The subjects of one side, each with its unit and its share of the pair.
    pub fn members(&self, group: Group) -> impl Iterator<Item = (usize, usize, f64)> + '_ {
        let subjects = if group == Group::Site {
            &self.first
        } else {
            &self.controls
        };
        let share = 1.0 / subjects.len() as f64;
        subjects
            .iter()
            .zip(&self.units[group as usize])
            .map(move |(subject, unit)| (*subject, *unit, share))
    }

    /// How far the covariates of a control lie from those of its site, site minus control.
    pub fn shift(&self, control: usize) -> [f64; N_COVARIATES] {
        let (site, controls) = &self.covariates;
        std::array::from_fn(|i| f64::from(site[i]) - f64::from(controls[control][i]))
    }
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
    /// Those of them whose values are kept.
    strand_sample: BTreeSet<usize>,
    pub pairs: Vec<Pair>,
    /// Subject of each site that was read.
    pub site_subject: BTreeMap<usize, usize>,
    endpoints: Vec<[f64; SUMMED]>,
    /// Those explained, by family and kind, and subject.
    explained: HashMap<(usize, usize), f64>,
    near: Near,
    sums: HashMap<usize, [ProfileSums; SUMMED]>,
    /// By family and kind: what covariates left unequal make of differences.
    corrections: Vec<Correction>,
    /// Probabilities of the same positions on the two strands, of a bounded sample of subjects:
    /// cluster, own, opposite.
    pub strand_values: Vec<(usize, f32, f32)>,
    /// What the values are.
    pub values: Values,
    /// Sites whose own profiles are kept.
    pub sample: Sample,
    pub baseline: Fit,
    pub tiles: u64,
    pub bases: u64,
    /// Places whose values are kept as they are; in the plans they are numbered after the subjects.
    spots: Vec<Spot>,
    /// Their values, `2 flank + 1` each, in transcript orientation.
    pub spot_values: Vec<Vec<f32>>,
}

impl Readings {
    fn tile_plan(
        &self,
        study: &Study<'_>,
        contig: usize,
        members: &[usize],
        shape: &TileShape,
    ) -> Result<TilePlan> {
        let window = |s: &usize| {
            let position = self.subjects.get(*s).map_or_else(
                || self.spots[*s - self.subjects.len()].position,
                |subject| subject.position,
            );
            Window {
                low: position.saturating_sub(self.flank),
                high: position + self.flank,
            }
        };
        let contig_bp = study
            .genome
            .contigs()
            .get(contig)
            .map_or(0, |c| c.length_bp);
        plan(members.iter().map(window).collect(), contig_bp, shape)
    }

    pub fn read(
        &mut self,
        study: &Study<'_>,
        contigs: &mut ContigReader<'_>,
        source: &dyn BoundarySource,
        request: &ComparisonRequest,
        rng: &Rng,
        progress: &dyn Fn(Progress),
    ) -> Result<()> {
        self.values = source.values();
        // Tiles just long enough for one window, for what shares no tile.
        let lone_bp = 2 * (request.flank + request.margin.max(1));
        let lone = TileShape {
            context_bp: lone_bp,
            margin_bp: request.margin,
        };
        let lone_windows = self
            .shuffled
            .values()
            .flatten()
            .map(|s| 1 + u64::from(self.both_strands.contains(s)))
            .sum::<u64>();
        let others = self
            .both_strands
            .iter()
            .filter(|s| self.subjects[**s].copy.is_none())
            .count() as u64;
        let total = self.bases + (lone_windows + others) * lone_bp as u64;
        let mut done = 0;
        progress(Progress {
            stage: "reading sequence",
            done,
            total,
        });
        let mut report = |bases: u64| {
            done += bases;
            progress(Progress {
                stage: "reading sequence",
                done: done.min(total),
                total,
            });
        };
        let places: BTreeSet<(usize, Strand)> = self
            .plans
            .keys()
            .chain(self.shuffled.keys())
            .copied()
            .collect();
        for (contig, strand) in places {
            let sequence = contigs.get(contig)?;
            let on = ContigStrand {
                contig: study.contig_name(contig),
                sequence,
                strand,
            };
            let mut kept: HashMap<usize, Vec<f32>> = HashMap::new();
            if let Some((members, tiles)) = self.plans.remove(&(contig, strand)) {
                let mut fit = std::mem::take(&mut self.baseline);
                let mut seen = fit.on(study, sequence, contig, strand, request.margin.max(1));
                let mut whole = |tile: &Tile, values: &[f32]| {
                    report(tile.bases.len_bp() as u64);
                    if !values.is_empty() {
                        seen.tile(tile.bases, values);
                    }
                };
                read_tiles(
                    on,
                    &tiles,
                    request.batch,
                    source,
                    &mut whole,
                    &mut |index, values| {
                        let subject = members[index];
                        if let Some(spot) = subject.checked_sub(self.subjects.len()) {
                            self.spot_values[spot] = values.to_vec();
                            return;
                        }
                        self.keep(subject, Layer::Own, values);
                        if self.strand_sample.contains(&subject) {
                            kept.insert(subject, values.to_vec());
                        }
                    },
                )?;
                self.baseline = fit;
                let other = if strand == Strand::Plus {
                    Strand::Minus
                } else {
                    Strand::Plus
                };
                // A track may lack the one base more that the other strand reads.
                let missing = source.missing(on.contig)?;
                let has_values = |s: &usize| {
                    !overlaps_any(
                        &missing,
                        &request.bases_read(self.subjects[*s].position, other),
                    )
                };
                let both: Vec<usize> = members
                    .iter()
                    .copied()
                    .filter(|s| self.both_strands.contains(s) && has_values(s))
                    .collect();
                let shape = if request.strand_average {
                    TileShape {
                        context_bp: request.context,
                        ..lone
                    }
                } else {
                    lone
                };
                let tiles = self.tile_plan(study, contig, &both, &shape)?;
                (self.tiles, self.bases) = (
                    self.tiles + tiles.tiles.len() as u64,
                    self.bases + tiles.bases(),
                );
                let mut whole = |tile: &Tile, _: &[f32]| report(tile.bases.len_bp() as u64);
                read_tiles(
                    ContigStrand {
                        strand: other,
                        ..on
                    },
                    &tiles,
                    request.batch,
                    source,
                    &mut whole,
                    &mut |index, values| {
                        let subject = both[index];
                        let turned: Vec<f32> = values.iter().rev().copied().collect();
                        self.keep(subject, Layer::Opposite, &turned);
                        let own = kept.remove(&subject).unwrap_or_default();
                        let cluster = self.subjects[subject].cluster;
                        self.strand_values
                            .extend(own.into_iter().zip(turned).map(|(a, b)| (cluster, a, b)));
                    },
                )?;
            }
            for subject in self
                .shuffled
                .get(&(contig, strand))
                .cloned()
                .unwrap_or_default()
                .chunks(request.batch.max(1))
            {
                self.read_shuffled(
                    subject,
                    study,
                    sequence,
                    source,
                    request,
                    lone_bp,
                    rng,
                    &mut report,
                )?;
            }
        }
        Ok(())
    }

    /// Adds one profile to a layer.
    fn keep(&mut self, subject: usize, layer: Layer, values: &[f32]) {
        if layer == Layer::Own {
            self.sample.keep(subject, values);
        }
        match layer {
            Layer::Own => self.near.add(subject, 1.0, values),
            Layer::Predicted => self.near.add(subject, -1.0, values),
            Layer::Opposite | Layer::Explained => {}
        }
        let values: Vec<f64> = values.iter().map(|v| f64::from(*v)).collect();
        self.endpoints[subject][layer as usize] =
            crate::stats::mean(&values[self.endpoint_offsets()]);
        self.add(subject, layer, &values, None);
    }

    /// Adds a profile to the sums that a subject is in: of one family and kind, where that is
    /// given.
    fn add(&mut self, subject: usize, layer: Layer, values: &[f64], of: Option<usize>) {
        let width = values.len();
        for role in self.subjects[subject]
            .roles
            .iter()
            .filter(|role| of.is_none_or(|of| role.slot / 2 == of))
        {
            let mut values = values.to_vec();
            if let Some((pair, number)) = role.control {
                let (pair, number) = (&self.pairs[pair as usize], number as usize);
                let weights = (role.weight, pair.weights[number]);
                self.corrections[role.slot / 2].take(
                    layer as usize,
                    weights,
                    &pair.covariates.1[number],
                    &mut values,
                );
            }
            let sums = self
                .sums
                .entry(role.slot)
                .or_insert_with(|| std::array::from_fn(|_| ProfileSums::new(width)));
            sums[layer.summed()].add_share(role.unit, role.weight, &values);
        }
    }

    /// Corrects the sums of controls for the covariates in which they differ from their sites. Call
    /// it once, when all is read and predicted.
    pub fn correct(&mut self) {
        for (index, correction) in self.corrections.iter_mut().enumerate() {
            correction.fit();
            let Some(sums) = self.sums.get_mut(&(2 * index + 1)) else {
                continue;
            };
            for layer in [
                Layer::Own,
                Layer::Opposite,
                Layer::Predicted,
                Layer::Explained,
            ] {
                let sums = &mut sums[layer.summed()];
                correction
                    .profiles(layer as usize)
                    .for_each(|(unit, more)| sums.shift(unit, &more));
            }
        }
    }

    /// What the correction adds to the endpoint of a control of a pair in one layer.
    pub fn correction(&self, pair: &Pair, kind: usize, control: usize, layer: Layer) -> f64 {
        self.corrections[self.correction_slot(pair, kind)].mean(
            layer as usize,
            self.endpoint_offsets(),
            &pair.shift(control),
        )
    }

    /// What the endpoint of a control of a pair brings to its unit beyond that, in one layer.
    pub fn reweighted(&self, pair: &Pair, kind: usize, control: usize, layer: Layer) -> f64 {
        if !pair.compared {
            return 0.0;
        }
        let (weight, covariates) = (pair.weights[control], &pair.covariates.1[control]);
        let value = self.endpoint_of(pair, kind, pair.controls[control], layer);
        self.corrections[self.correction_slot(pair, kind)].reweighted(
            layer as usize,
            self.endpoint_offsets(),
            weight,
            covariates,
            value,
        )
    }

    fn correction_slot(&self, pair: &Pair, kind: usize) -> usize {
        slot(pair.family, kind, Group::Site, self.n_kinds) / 2
    }

    fn endpoint_offsets(&self) -> std::ops::RangeInclusive<usize> {
        self.flank - ENDPOINT_REACH..=self.flank + ENDPOINT_REACH
    }

    /// Adds what the fitted baseline predicts for every subject. Sequence is read again, the model
    /// is not.
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
        let (reach, width) = (request.flank + WIDEST, 2 * self.flank + 1);
        for some in order.chunks((AT_ONCE / width).max(1)) {
            let mut asked = Vec::with_capacity(some.len() * width);
            for subject in some {
                let sequence = contigs.get(self.subjects[*subject].contig)?;
                let (letters, at) =
                    self.shuffled_letters(*subject, study, sequence, request, 2 * reach, rng);
                self.near.read(*subject, &letters, at);
                baseline.ask(
                    &letters,
                    at - self.flank..=at + self.flank,
                    self.subjects[*subject].cluster,
                    &mut asked,
                );
            }
            for (subject, values) in some.iter().zip(baseline.predict(&asked).chunks(width)) {
                self.keep(*subject, Layer::Predicted, values);
            }
        }
        Ok(())
    }

    /// The endpoint of a subject in one layer; `NaN` where it was not read.
    pub fn endpoint(&self, subject: usize, layer: Layer) -> f64 {
        self.endpoints[subject][layer as usize]
    }

    /// Sums of the profiles of one side of the pairs of a family and kind, in one layer.
    pub fn sums(
        &self,
        family: usize,
        kind: usize,
        group: Group,
        layer: Layer,
    ) -> Option<&ProfileSums> {
        self.sums
            .get(&slot(family, kind, group, self.n_kinds))
            .map(|layers| &layers[layer.summed()])
    }
}

fn slot(family: usize, kind: usize, group: Group, n_kinds: usize) -> usize {
    (family * n_kinds + kind) * 2 + usize::from(group == Group::Control)
}
