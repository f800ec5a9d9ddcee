//! From readings to tables.

use std::collections::BTreeSet;

use super::baseline::Baseline;
use super::matching::Matched;
use super::reading::{Group, Layer, Pair, Readings};
use super::rows::{ControlRow, MatchingRow, OffsetRow, PairRow, ProfileRow, RunRow, SumRow};
use super::statistics::{Endpoints, LEVEL, Measure, adjust, row, width_row};
use super::{
    Comparison, ComparisonRequest, ContigReader, ReplicateUnit, SiteFacts, Study, discrimination,
    strands,
};
use crate::controls::matching::Dropped;
use crate::controls::{Control, Found};
use crate::error::Result;
use crate::stats::bootstrap::ProfileSums;
use crate::stats::mean;
use crate::stats::offsets::{RUN_THRESHOLD, sign_flip_offsets};
use crate::stats::rng::Rng;

pub(super) fn outcome(
    study: &Study<'_>,
    contigs: &mut ContigReader<'_>,
    matched: &Matched,
    mut readings: Readings,
    (spots, reference): (
        discrimination::SpotValues,
        Option<discrimination::SpotValues>,
    ),
    request: &ComparisonRequest,
    rng: &Rng,
) -> Result<Comparison> {
    let baseline = Baseline::new(
        study,
        &readings.baseline,
        request,
        rng.derive("baseline").next_u64(),
    );
    if let Some((baseline, _)) = &baseline {
        readings.predict(study, contigs, baseline, request, rng)?;
        readings.explain(study, request.controls.families.len());
    }
    readings.correct();
    let fitted = baseline.as_ref().map(|(baseline, _)| baseline);
    let told = discrimination::outcome(
        study,
        contigs,
        &matched.sets,
        (&spots, reference.as_ref()),
        fitted,
        request,
        rng,
    )?;
    let mut found = Comparison {
        discrimination: told,
        tiles_read: readings.tiles,
        bases_read: readings.bases,
        negative_control: request.negative_control,
        baseline: baseline.map_or(Vec::new(), |(_, rows)| rows),
        strands: strands::rows(
            &readings.strand_values,
            readings.values,
            request,
            rng.derive("strands").next_u64(),
        ),
        ..Comparison::default()
    };
    let writer = Writer {
        study,
        matched,
        readings: &readings,
        request,
    };
    let mut measures = vec![Measure::Probability];
    if !found.baseline.is_empty() {
        measures.push(Measure::Residual);
    }
    if request.strand_average {
        measures.push(Measure::StrandAverage);
    }
    for measure in measures {
        let from = found.statistics.len();
        for kind in 0..study.kinds.len() {
            for family in 0..request.controls.families.len() {
                writer.compare(&mut found, measure, kind, family, rng);
                writer.widths(&mut found, measure, kind, family, rng);
            }
        }
        adjust(&mut found.statistics[from..]);
    }
    for kind in 0..study.kinds.len() {
        for (family, name) in request.controls.families.iter().enumerate() {
            let balance = matched.census[family][kind]
                .balance
                .rows(study.kinds[kind].name, name.name());
            found
                .matching
                .push(writer.matching_row(kind, family, &balance));
            found.balance.extend(balance);
            for pair in writer.pairs(kind, family) {
                found.pairs.push(writer.pair_row(pair));
                found.controls.extend(writer.control_rows(pair));
            }
        }
    }
    for (kind, of) in study.kinds.iter().enumerate() {
        found
            .heatmap
            .extend(readings.sample.rows(kind, of.name, |subject| {
                readings.endpoint(subject, Layer::Own)
            }));
    }
    found.by_site = writer.site_facts();
    Ok(found)
}

/// A measure of what is known by layer.
fn combined(measure: Measure, of: impl Fn(Layer) -> f64) -> f64 {
    match measure {
        Measure::Probability => of(Layer::Own),
        Measure::Residual => of(Layer::Own) - of(Layer::Predicted) - of(Layer::Explained),
        Measure::StrandAverage => (of(Layer::Own) + of(Layer::Opposite)) / 2.0,
    }
}

/// Of kinds with more units than this, sums by unit and offset are not written: they would be
/// larger than all other tables together.
const MOST_UNITS: usize = 5000;

struct Writer<'a> {
    study: &'a Study<'a>,
    matched: &'a Matched,
    readings: &'a Readings,
    request: &'a ComparisonRequest,
}

impl Writer<'_> {
    fn pairs(&self, kind: usize, family: usize) -> impl Iterator<Item = &Pair> {
        self.readings
            .pairs
            .iter()
            .filter(move |pair| pair.family == family && self.study.sites[pair.site].kind == kind)
    }

    fn found(&self, pair: &Pair) -> Option<&Found> {
        self.matched.found[pair.family].get(&pair.site)
    }

    fn family_name(&self, family: usize) -> &'static str {
        self.request.controls.families[family].name()
    }

    /// The mean endpoint of some members of a pair in one measure.
    fn value(&self, pair: &Pair, subjects: &[usize], measure: Measure) -> f64 {
        let kind = self.study.sites[pair.site].kind;
        let endpoint = |s: &usize, layer| self.readings.endpoint_of(pair, kind, *s, layer);
        combined(measure, |layer| {
            subjects.iter().map(|s| endpoint(s, layer)).sum::<f64>() / subjects.len() as f64
        })
    }

    /// What is added to the endpoint of a control of a pair for the covariates in which it differs
    /// from its site.
    fn correction(&self, pair: &Pair, control: usize, measure: Measure) -> f64 {
        let kind = self.study.sites[pair.site].kind;
        combined(measure, |layer| {
            self.readings.correction(pair, kind, control, layer)
        })
    }

    /// What is added beyond that where units are flipped or drawn, as all share the error of the
    /// correction.
    fn reweighted(&self, pair: &Pair, control: usize, measure: Measure) -> f64 {
        let kind = self.study.sites[pair.site].kind;
        combined(measure, |layer| {
            self.readings.reweighted(pair, kind, control, layer)
        })
    }

    fn sums(
        &self,
        measure: Measure,
        kind: usize,
        family: usize,
        group: Group,
    ) -> Option<ProfileSums> {
        let layer = |layer| self.readings.sums(family, kind, group, layer);
        match measure {
            Measure::Probability => layer(Layer::Own).cloned(),
            // What is explained is summed with what is predicted.
            Measure::Residual => {
                Some(layer(Layer::Own)?.combined(1.0, layer(Layer::Predicted)?, -1.0))
            }
            Measure::StrandAverage => {
                Some(layer(Layer::Own)?.combined(0.5, layer(Layer::Opposite)?, 0.5))
            }
        }
    }

    fn compare(
        &self,
        found: &mut Comparison,
        measure: Measure,
        kind: usize,
        family: usize,
        rng: &Rng,
    ) {
        let (kind_name, family_name) = (self.study.kinds[kind].name, self.family_name(family));
        let endpoints = self.endpoints(
            self.pairs(kind, family).filter(|pair| pair.compared),
            measure,
        );
        let mut seeds = rng.derive(&format!("statistics {kind_name} {family_name}"));
        let draws = (self.request.permutations, self.request.bootstraps);
        found.statistics.push(row(
            (kind_name, family_name, measure),
            &endpoints,
            draws,
            seeds.next_u64(),
        ));
        let (seed, offsets_seed) = (seeds.next_u64(), seeds.next_u64());
        let both =
            [Group::Site, Group::Control].map(|group| self.sums(measure, kind, family, group));
        let [Some(sites), Some(controls)] = both else {
            return;
        };
        for (sums, name) in [(&sites, "site"), (&controls, family_name)] {
            // One seed for both groups: where they lie in the same clusters, each draw is of the
            // same ones in both.
            let band = sums.band(self.request.bootstraps, LEVEL, seed);
            found
                .profile
                .extend((0..self.width()).map(|index| ProfileRow {
                    site_kind: kind_name.into(),
                    group: name.into(),
                    offset: self.offset(index),
                    mean: band.mean[index],
                    ci_low: band.low[index],
                    ci_high: band.high[index],
                    n: band.n as u64,
                    control: family_name.into(),
                    measure: measure.name().into(),
                }));
        }
        let differences = sites.against(&controls);
        let clusters = sites.clusters_with(&controls);
        if family == 0 && clusters.len() <= MOST_UNITS {
            found.sums.extend(
                clusters
                    .iter()
                    .zip(differences.chunks_exact(self.width()))
                    .map(|(cluster, sums)| SumRow {
                        site_kind: kind_name.into(),
                        control: family_name.into(),
                        measure: measure.name().into(),
                        cluster: self.unit_name(*cluster),
                        n_pairs: (sites.count_of(*cluster) + controls.count_of(*cluster)) / 2.0,
                        first_offset: self.offset(0),
                        values: sums
                            .iter()
                            .map(f64::to_string)
                            .collect::<Vec<_>>()
                            .join(","),
                    }),
            );
        }
        let tests = sign_flip_offsets(
            &differences,
            self.width(),
            sites.n(),
            RUN_THRESHOLD,
            self.request.permutations,
            offsets_seed,
        );
        found.offsets.extend(
            tests
                .offsets
                .iter()
                .enumerate()
                .map(|(index, test)| OffsetRow {
                    site_kind: kind_name.into(),
                    control: family_name.into(),
                    measure: measure.name().into(),
                    offset: self.offset(index),
                    difference: test.difference,
                    t: test.t,
                    p_value: test.p_value,
                    p_max_t: test.p_max_t,
                    p_floor: tests.p_floor,
                }),
        );
        found.runs.extend(tests.runs.iter().map(|run| RunRow {
            site_kind: kind_name.into(),
            control: family_name.into(),
            measure: measure.name().into(),
            first: self.offset(run.start),
            last: self.offset(run.end) - 1,
            mass: run.mass,
            p_value: run.p_value,
            p_floor: tests.p_floor,
        }));
    }

    fn endpoints<'p>(&self, pairs: impl Iterator<Item = &'p Pair>, measure: Measure) -> Endpoints {
        let mut endpoints = Endpoints::default();
        for pair in pairs {
            endpoints.sites.push(self.value(pair, &pair.first, measure));
            let set: Vec<f64> = (pair.controls.iter().enumerate())
                .map(|(i, control)| {
                    self.value(pair, &[*control], measure) + self.correction(pair, i, measure)
                })
                .collect();
            endpoints.controls.push(mean(&set));
            endpoints.units.push(pair.unit);
            let [sites, controls] = &mut endpoints.members;
            sites.extend(pair.members(Group::Site).map(|(subject, unit, share)| {
                (unit, share, self.value(pair, &[subject], measure))
            }));
            let brought = set
                .iter()
                .enumerate()
                .map(|(i, value)| value + self.reweighted(pair, i, measure));
            controls.extend(
                pair.members(Group::Control)
                    .zip(brought)
                    .map(|((_, unit, share), value)| (unit, share, value)),
            );
            endpoints.sets.push(set);
        }
        endpoints
    }

    /// Family `kmer` by width, widest first.
    fn widths(
        &self,
        found: &mut Comparison,
        measure: Measure,
        kind: usize,
        family: usize,
        rng: &Rng,
    ) {
        let width = |pair: &Pair| self.found(pair).and_then(|found| found.kmer);
        let all: BTreeSet<usize> = self.pairs(kind, family).filter_map(width).collect();
        for kmer in all.into_iter().rev() {
            let endpoints = self.endpoints(
                self.pairs(kind, family)
                    .filter(|pair| width(pair) == Some(kmer)),
                measure,
            );
            let name = self.study.kinds[kind].name;
            let seed = rng.derive(&format!("width {name} {kmer}")).next_u64();
            found.widths.push(width_row(
                (name, measure),
                kmer,
                &endpoints,
                self.request.permutations,
                seed,
            ));
        }
    }

    fn width(&self) -> usize {
        2 * self.request.flank + 1
    }

    fn offset(&self, index: usize) -> i64 {
        index as i64 - self.request.flank as i64
    }

    fn unit_name(&self, unit: usize) -> String {
        match self.request.cluster {
            ReplicateUnit::Gene => self.study.cluster_name(unit),
            ReplicateUnit::Contig => self.study.contig_name(unit).to_string(),
            ReplicateUnit::Site => self.study.sites.get(unit).map_or(String::new(), |site| {
                self.study
                    .site_name(site.contig, site.position, site.strand)
            }),
        }
    }

    fn site_name(&self, pair: &Pair) -> String {
        let site = &self.study.sites[pair.site];
        match self.found(pair) {
            Some(found) if self.request.negative_control => self.control_names(pair, &found.second),
            _ => self
                .study
                .site_name(site.contig, site.position, site.strand),
        }
    }

    fn control_name(&self, pair: &Pair, control: &Control) -> String {
        let site = &self.study.sites[pair.site];
        let name = self
            .study
            .site_name(site.contig, control.position, site.strand);
        control
            .copy
            .map_or(name.clone(), |copy| format!("{name}:shuffle{copy}"))
    }

    fn control_names(&self, pair: &Pair, controls: &[Control]) -> String {
        controls
            .iter()
            .map(|control| self.control_name(pair, control))
            .collect::<Vec<_>>()
            .join(",")
    }

    fn pair_row(&self, pair: &Pair) -> PairRow {
        let site = &self.study.sites[pair.site];
        let found = self.found(pair);
        let value = |subjects, measure| self.value(pair, subjects, measure);
        let added = |measure| {
            move |i| self.correction(pair, i, measure) + self.reweighted(pair, i, measure)
        };
        let correction = |measure| {
            mean(
                &(0..pair.controls.len())
                    .map(added(measure))
                    .collect::<Vec<_>>(),
            )
        };
        let average = |subjects| {
            self.request
                .strand_average
                .then(|| self.value(pair, subjects, Measure::StrandAverage))
        };
        PairRow {
            site_kind: self.study.kinds[site.kind].name.into(),
            control: self.family_name(pair.family).into(),
            site: self.site_name(pair),
            control_site: found
                .and_then(|f| f.controls.as_ref().ok())
                .map_or(String::new(), |all| self.control_names(pair, all)),
            cluster: self.unit_name(pair.unit),
            site_value: value(&pair.first, Measure::Probability),
            control_value: value(&pair.controls, Measure::Probability),
            site_residual: value(&pair.first, Measure::Residual),
            control_residual: value(&pair.controls, Measure::Residual),
            site_strand_average: average(&pair.first),
            control_strand_average: average(&pair.controls),
            n_controls: pair.controls.len() as u64,
            kmer: found.and_then(|f| f.kmer).map(|k| k as u64),
            control_correction: correction(Measure::Probability),
            control_residual_correction: correction(Measure::Residual),
            control_strand_average_correction: self
                .request
                .strand_average
                .then(|| correction(Measure::StrandAverage)),
        }
    }

    fn control_rows(&self, pair: &Pair) -> Vec<ControlRow> {
        let site = &self.study.sites[pair.site];
        let controls = self
            .found(pair)
            .and_then(|f| f.controls.as_ref().ok())
            .map_or(&[][..], Vec::as_slice);
        let row = |(control, subject): (&Control, &usize)| {
            let c = control.covariates;
            ControlRow {
                site_kind: self.study.kinds[site.kind].name.into(),
                control: self.family_name(pair.family).into(),
                control_site: self.control_name(pair, control),
                site: self.site_name(pair),
                contig: self
                    .study
                    .genome
                    .contigs()
                    .get(site.contig)
                    .map_or(String::new(), |c| c.name.clone()),
                position: control.position as u64,
                strand: site.strand.to_string(),
                cluster: self.study.cluster_name(control.cluster),
                control_value: self.readings.endpoint(*subject, Layer::Own),
                gc_upstream: c.gc_upstream,
                gc_downstream: c.gc_downstream,
                cpg_count: c.cpg_count,
                soft_masked_fraction: c.soft_masked_fraction,
                gene_end_distance_bp: c.gene_end_distance_bp,
                strength_bits: c.strength_bits,
            }
        };
        controls.iter().zip(&pair.controls).map(row).collect()
    }

    fn matching_row(
        &self,
        kind: usize,
        family: usize,
        balance: &[super::BalanceRow],
    ) -> MatchingRow {
        let of_kind: Vec<&Found> = self.matched.found[family]
            .iter()
            .filter(|(site, _)| self.study.sites[**site].kind == kind)
            .map(|(_, f)| f)
            .collect();
        let dropped = |why: Dropped| {
            of_kind
                .iter()
                .filter(|f| f.controls.as_ref().err() == Some(&why))
                .count() as u64
        };
        let served = of_kind.iter().filter(|f| f.controls.is_ok()).count() as u64;
        let pairs: Vec<&Pair> = self.pairs(kind, family).collect();
        let worst = balance
            .iter()
            .filter(|b| b.smd_after.is_finite())
            .max_by(|a, b| a.smd_after.abs().total_cmp(&b.smd_after.abs()));
        let mut widths: std::collections::BTreeMap<usize, usize> =
            std::collections::BTreeMap::new();
        of_kind
            .iter()
            .filter_map(|f| f.kmer)
            .for_each(|k| *widths.entry(k).or_default() += 1);
        let census = &self.matched.census[family][kind].balance;
        MatchingRow {
            site_kind: self.study.kinds[kind].name.into(),
            control: self.family_name(family).into(),
            n_sites: of_kind.len() as u64,
            n_pool: census.pool.n(),
            n_pairs: pairs.len() as u64,
            n_controls: pairs.iter().map(|pair| pair.controls.len() as u64).sum(),
            no_candidate: dropped(Dropped::NoCandidate),
            outside_caliper: dropped(Dropped::OutsideCaliper),
            taken: dropped(Dropped::Taken),
            no_second: served - pairs.len() as u64,
            worst_covariate: worst.map_or(String::new(), |b| b.covariate.clone()),
            worst_smd_after: worst.map_or(f64::NAN, |b| b.smd_after.abs()),
            n_near: of_kind
                .iter()
                .filter_map(|f| f.controls.as_ref().ok())
                .flatten()
                .filter(|control| control.near)
                .count() as u64,
            kmer_widths: widths
                .iter()
                .rev()
                .map(|(k, n)| format!("{k}:{n}"))
                .collect::<Vec<_>>()
                .join(","),
        }
    }

    fn site_facts(&self) -> std::collections::BTreeMap<usize, SiteFacts> {
        let Some(first) = self.matched.found.first() else {
            return Default::default();
        };
        let facts = |(index, found): (&usize, &Found)| {
            let site = &self.study.sites[*index];
            let value = self
                .readings
                .site_subject
                .get(index)
                .map(|subject| self.readings.endpoint(*subject, Layer::Own));
            let name = |c: &Control| {
                let name = self.study.site_name(site.contig, c.position, site.strand);
                c.copy
                    .map_or(name.clone(), |copy| format!("{name}:shuffle{copy}"))
            };
            let paired = self
                .matched
                .is_paired(0, *index, self.request.negative_control);
            let control = found
                .controls
                .as_ref()
                .ok()
                .filter(|_| paired)
                .map(|all| all.iter().map(name).collect::<Vec<_>>().join(","));
            (
                site.number,
                SiteFacts {
                    covariates: found.covariates,
                    value,
                    control,
                },
            )
        };
        first.iter().map(facts).collect()
    }
}
