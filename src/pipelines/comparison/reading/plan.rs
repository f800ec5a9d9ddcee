//! Which positions are read, and in which pairs they are.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Group, Near, Pair, Readings, Role, SUMMED, Subject, slot};
use crate::controls::{Control, Covariates};
use crate::error::Result;
use crate::genome::Strand;
use crate::pipelines::Values;
use crate::pipelines::comparison::baseline::Fit;
use crate::pipelines::comparison::correction::{Correction, Standard};
use crate::pipelines::comparison::discrimination::Spot;
use crate::pipelines::comparison::heatmap::Sample;
use crate::pipelines::comparison::matching::{Matched, mean_covariates};
use crate::pipelines::comparison::{ComparisonRequest, ReplicateUnit, Study};
use crate::pipelines::tiles::TileShape;
use crate::stats::rng::Rng;

/// Sites that are read on both strands where not all are.
const STRAND_SAMPLE: usize = 100;

/// Positions whose values on both strands are kept, where all are read on both, for the table of
/// their agreement: a random sample of windows.
const STRAND_POSITIONS: usize = 1 << 20;

/// Windows whose values on both strands are kept: a random sample where there are more.
pub fn strand_windows(strand_average: bool, flank: usize) -> usize {
    if strand_average {
        (STRAND_POSITIONS / (2 * flank + 1)).max(1)
    } else {
        STRAND_SAMPLE
    }
}

/// Contig, strand, position, and of a shuffle its kind and number: what makes two subjects one.
type Key = (usize, Strand, usize, Option<(usize, usize)>);

/// The unit of replication of a site.
fn unit(study: &Study<'_>, site: usize, unit: ReplicateUnit) -> usize {
    match unit {
        ReplicateUnit::Gene => study.sites[site].cluster,
        ReplicateUnit::Contig => study.sites[site].contig,
        ReplicateUnit::Site => site,
    }
}

/// The corrections by family and kind, all controls counted; pairs get the weights of their
/// controls.
fn corrections(
    study: &Study<'_>,
    pairs: &mut [Pair],
    request: &ComparisonRequest,
) -> Vec<Correction> {
    let n_kinds = study.kinds.len();
    let mut corrections =
        vec![Correction::new(2 * request.flank + 1); request.controls.families.len() * n_kinds];
    let of = |pair: &Pair| {
        slot(
            pair.family,
            study.sites[pair.site].kind,
            Group::Control,
            n_kinds,
        ) / 2
    };
    for pair in pairs.iter().filter(|pair| pair.compared) {
        for ((_, unit, share), covariates) in pair.members(Group::Control).zip(&pair.covariates.1) {
            corrections[of(pair)].count(unit, share, covariates, &pair.covariates.0);
        }
    }
    corrections.iter_mut().for_each(Correction::counted);
    for pair in pairs.iter_mut().filter(|pair| pair.compared) {
        let correction = &mut corrections[of(pair)];
        let members = pair.members(Group::Control).zip(&pair.covariates.1);
        pair.weights = members
            .map(|((_, unit, share), covariates)| correction.weigh(unit, share, covariates))
            .collect();
    }
    corrections
}

impl Readings {
    pub fn plan(
        study: &Study<'_>,
        matched: &Matched,
        spots: &[Spot],
        request: &ComparisonRequest,
        shape: &TileShape,
        rng: &Rng,
    ) -> Result<Readings> {
        let mut subjects: Vec<Subject> = Vec::new();
        let mut known: HashMap<Key, usize> = HashMap::new();
        let mut subject = |contig, strand, position, cluster, copy| {
            *known
                .entry((contig, strand, position, copy))
                .or_insert_with(|| {
                    subjects.push(Subject {
                        contig,
                        strand,
                        position,
                        cluster,
                        copy,
                        roles: Vec::new(),
                    });
                    subjects.len() - 1
                })
        };
        let n_kinds = study.kinds.len();
        let (mut pairs, mut site_subject) = (Vec::new(), BTreeMap::new());
        for (index, site) in study.sites.iter().enumerate() {
            if !request.negative_control {
                site_subject.insert(
                    index,
                    subject(site.contig, site.strand, site.position, site.cluster, None),
                );
            }
        }
        for (family, found) in matched.found.iter().enumerate() {
            for (index, found) in found {
                let site = &study.sites[*index];
                let Ok(controls) = &found.controls else {
                    continue;
                };
                let mut all = |controls: &[Control]| -> Vec<usize> {
                    let copy = |c: &Control| c.copy.map(|copy| (site.kind, copy));
                    let own = |c: &Control| {
                        study
                            .cluster_at(site.contig, c.position)
                            .unwrap_or(Control::NO_CLUSTER)
                    };
                    controls
                        .iter()
                        .map(|c| subject(site.contig, site.strand, c.position, own(c), copy(c)))
                        .collect()
                };
                let home = unit(study, *index, request.cluster);
                let units = |controls: &[Control]| -> Vec<usize> {
                    let own = |c: &Control| match (
                        request.cluster,
                        study.cluster_at(site.contig, c.position),
                    ) {
                        (ReplicateUnit::Gene, Some(cluster)) => cluster,
                        _ => home,
                    };
                    controls.iter().map(own).collect()
                };
                let of_family = request.controls.families[family];
                let scale = matched.census[family][site.kind].balance.denominators();
                let standard = |covariates: &Covariates| -> Standard {
                    let values = covariates
                        .values()
                        .into_iter()
                        .zip(scale)
                        .zip(of_family.compares());
                    let mut all = values.map(|((value, scale), compared)| {
                        if compared && scale > 0.0 && value.is_finite() {
                            value / scale
                        } else {
                            0.0
                        }
                    });
                    std::array::from_fn(|_| all.next().unwrap_or(0.0) as f32)
                };
                let (first, first_units, target) = match request.negative_control {
                    true => (
                        all(&found.second),
                        units(&found.second),
                        mean_covariates(&found.second),
                    ),
                    false => (vec![site_subject[index]], vec![home], found.covariates),
                };
                if !first.is_empty() {
                    let units = [first_units, units(controls)];
                    let compared = found
                        .kmer
                        .is_none_or(|width| width == request.controls.kmer);
                    let covariates = (
                        standard(&target),
                        controls.iter().map(|c| standard(&c.covariates)).collect(),
                    );
                    let weights = vec![1.0; controls.len()];
                    let controls = all(controls);
                    pairs.push(Pair {
                        family,
                        site: *index,
                        compared,
                        first,
                        controls,
                        unit: home,
                        units,
                        covariates,
                        weights,
                    });
                }
            }
        }
        for (number, pair) in pairs.iter().enumerate().filter(|(_, pair)| pair.compared) {
            for group in [Group::Site, Group::Control] {
                let slot = slot(pair.family, study.sites[pair.site].kind, group, n_kinds);
                for (member, (subject, unit, weight)) in pair.members(group).enumerate() {
                    let control =
                        (group == Group::Control).then_some((number as u32, member as u32));
                    subjects[subject].roles.push(Role {
                        slot,
                        unit,
                        weight,
                        control,
                    });
                }
            }
        }
        let corrections = corrections(study, &mut pairs, request);
        let mut of_kind = vec![Vec::new(); n_kinds];
        for pair in pairs
            .iter()
            .filter(|pair| pair.family == 0 && pair.compared && !request.negative_control)
        {
            of_kind[study.sites[pair.site].kind].extend(&pair.first);
        }
        let sample = Sample::draw(of_kind, rng);
        let mut readings = Readings {
            flank: request.flank,
            n_kinds,
            endpoints: vec![[f64::NAN; SUMMED]; subjects.len()],
            explained: HashMap::new(),
            near: Near::new(study, request.flank, subjects.len()),
            plans: BTreeMap::new(),
            shuffled: BTreeMap::new(),
            both_strands: BTreeSet::new(),
            strand_sample: BTreeSet::new(),
            pairs,
            site_subject,
            sums: HashMap::new(),
            corrections,
            strand_values: Vec::new(),
            values: Values::Probabilities,
            sample,
            baseline: Fit::default(),
            tiles: 0,
            bases: 0,
            spots: spots.to_vec(),
            spot_values: vec![Vec::new(); spots.len()],
            subjects,
        };
        let mut plain: BTreeMap<(usize, Strand), Vec<usize>> = BTreeMap::new();
        for (index, subject) in readings.subjects.iter().enumerate() {
            let lists = if subject.copy.is_some() {
                &mut readings.shuffled
            } else {
                &mut plain
            };
            lists
                .entry((subject.contig, subject.strand))
                .or_default()
                .push(index);
        }
        let mut sample: Vec<usize> = plain.values().flatten().copied().collect();
        if request.strand_average {
            readings.both_strands = sample
                .iter()
                .chain(readings.shuffled.values().flatten())
                .copied()
                .collect();
        }
        rng.derive("strands").shuffle(&mut sample);
        sample.truncate(strand_windows(request.strand_average, request.flank));
        readings.strand_sample = sample.into_iter().collect();
        if !request.strand_average {
            readings.both_strands = readings.strand_sample.clone();
        }
        for (index, spot) in spots.iter().enumerate() {
            plain
                .entry((spot.contig, spot.strand))
                .or_default()
                .push(readings.subjects.len() + index);
        }
        for ((contig, strand), members) in plain {
            let tiles = readings.tile_plan(study, contig, &members, shape)?;
            readings.tiles += tiles.tiles.len() as u64;
            readings.bases += tiles.bases();
            readings.plans.insert((contig, strand), (members, tiles));
        }
        Ok(readings)
    }
}
