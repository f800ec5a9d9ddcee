//! Do boundaries tell sites from decoys, and do they given the nucleotides? Each site is set
//! against many decoys of its own genes; models of the nucleotides, of the values the source gives,
//! and of both are judged on genes that they have not seen.

mod cuts;
pub(super) mod features;
mod rows;
mod sets;

use std::collections::HashMap;

use rayon::prelude::*;
use serde::Serialize;

pub use rows::{
    ConditionalRow, CutRow, DecoyRow, DifferenceRow, DiscriminationRow, EffectRow, RocRow,
};
pub(super) use sets::Sets;
pub use sets::{CONTROLS, MOST_ROWS, MOST_SITES, PER_SITE};

use super::baseline::Baseline;
use super::{ComparisonRequest, ContigReader, ReplicateUnit, Study};
use crate::controls::decoys::Decoys;
use crate::controls::strength::Span;
use crate::error::Result;
use crate::genome::Strand;
use crate::pipelines::tiles::{ContigStrand, TileShape, Window, plan, read_tiles};
use crate::pipelines::{BoundarySource, Progress, Values};
use crate::stats::discrimination::conditional::{SecondStage, covariance_test};
use crate::stats::discrimination::measured::fit_scores;
use crate::stats::discrimination::sequence::SequenceModel;
use crate::stats::discrimination::swap::swap_test;
use crate::stats::discrimination::{Cases, standardised};
use crate::stats::offsets::OffsetTests;
use crate::stats::rng::Rng;
use crate::stats::roc::{Estimate, Scored};
use features::Measured;

/// A place whose values are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Spot {
    /// Index of the genome's contig.
    pub contig: usize,
    /// Strand.
    pub strand: Strand,
    /// Inter-base position.
    pub position: usize,
}

/// What a source says of all spots.
pub struct SpotValues {
    /// One list a spot: `2 flank + 1` values in transcript orientation.
    pub values: Vec<Vec<f32>>,
    /// What they are.
    pub kind: Values,
}

/// What was found: plain tables.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Discrimination {
    /// How well sites are told from controls.
    pub discrimination: Vec<DiscriminationRow>,
    /// What values tell beyond the nucleotides, offset by offset.
    pub conditional: Vec<ConditionalRow>,
    /// How often sites and controls are cut; of a model only.
    pub cuts: Vec<CutRow>,
    /// Further measures.
    pub effects: Vec<EffectRow>,
    /// Curves.
    pub roc: Vec<RocRow>,
    /// Mean values of sites less those of controls.
    pub difference: Vec<DifferenceRow>,
    /// The decoys that were found.
    pub decoys: Vec<DecoyRow>,
}

/// Reads spots from a source of their own.
///
/// # Errors
/// Unreadable contigs, and those of the source.
pub fn read(
    study: &Study<'_>,
    contigs: &mut ContigReader<'_>,
    spots: &[Spot],
    source: &dyn BoundarySource,
    request: &ComparisonRequest,
    progress: &dyn Fn(Progress),
) -> Result<Vec<Vec<f32>>> {
    let shape = TileShape {
        context_bp: request.context,
        margin_bp: request.margin,
    };
    let mut values = vec![Vec::new(); spots.len()];
    let mut places: Vec<(usize, Strand)> = spots
        .iter()
        .map(|spot| (spot.contig, spot.strand))
        .collect();
    places.sort_unstable();
    places.dedup();
    for (done, (contig, strand)) in places.iter().enumerate() {
        progress(Progress {
            stage: "reading with the reference",
            done: done as u64,
            total: places.len() as u64,
        });
        let members: Vec<usize> = (0..spots.len())
            .filter(|i| (spots[*i].contig, spots[*i].strand) == (*contig, *strand))
            .collect();
        let window = |i: &usize| Window {
            low: spots[*i].position.saturating_sub(request.flank),
            high: spots[*i].position + request.flank,
        };
        let sequence = contigs.get(*contig)?;
        let tiles = plan(members.iter().map(window).collect(), sequence.len(), &shape)?;
        let on = ContigStrand {
            contig: study.contig_name(*contig),
            sequence,
            strand: *strand,
        };
        read_tiles(
            on,
            &tiles,
            request.batch,
            source,
            &mut |_, _| (),
            &mut |index, found| values[members[index]] = found.to_vec(),
        )?;
    }
    Ok(values)
}

/// Everything that is told from the values of the source and, where there is one, of a reference.
pub(super) fn outcome(
    study: &Study<'_>,
    contigs: &mut ContigReader<'_>,
    sets: &Sets,
    values: (&SpotValues, Option<&SpotValues>),
    baseline: Option<&Baseline>,
    request: &ComparisonRequest,
    rng: &Rng,
) -> Result<Discrimination> {
    let numbers: HashMap<Spot, usize> = sets.spots(study).into_iter().zip(0..).collect();
    let mut asked = Vec::new();
    for (kind, about) in study.kinds.iter().enumerate() {
        for (control, name) in CONTROLS.into_iter().enumerate() {
            let Some(all) = sets.of(kind, control) else {
                continue;
            };
            let of = Asked {
                window: about.window,
                span: about.span,
                flank: request.flank,
                permutations: request.permutations,
                bootstraps: request.bootstraps,
                seeds: rng.derive(&format!("discrimination {} {name}", about.name)),
            };
            let rows = Rows::new(&groups(study, all, request.cluster), &numbers);
            let seen = Seen::of(&rows, contigs, baseline, &of)?;
            asked.push((sets.row(study, kind, control), rows, seen, of));
        }
    }
    let tell = |(row, rows, seen, asked): (DecoyRow, Rows, _, Asked)| {
        let mut found = Discrimination::default();
        found.tell(row, &rows, seen, values, &asked);
        found
    };
    let told: Vec<Discrimination> = asked.into_par_iter().map(tell).collect();
    Ok(told
        .into_iter()
        .fold(Discrimination::default(), |mut all, more| {
            all.add(more);
            all
        }))
}

/// A site or a control.
#[derive(Clone, Copy, Debug)]
pub(in crate::pipelines) struct Member {
    pub spot: Spot,
    /// The cluster that a baseline must not have seen.
    pub cluster: usize,
    /// The unit of folds, tests and bootstraps.
    pub unit: usize,
}

/// A site and its controls.
pub(in crate::pipelines) struct Group {
    pub site: Member,
    pub controls: Vec<Member>,
}

/// Sites with decoys, in clusters of genes or in contigs: folds and tests need units larger than a
/// site.
fn groups(study: &Study<'_>, sets: &[Decoys], unit: ReplicateUnit) -> Vec<Group> {
    let group = |set: &Decoys| {
        let site = &study.sites[set.site];
        let member = |position: usize| Member {
            spot: Spot {
                contig: site.contig,
                strand: site.strand,
                position,
            },
            cluster: site.cluster,
            unit: match unit {
                ReplicateUnit::Contig => site.contig,
                _ => site.cluster,
            },
        };
        Group {
            site: member(site.position),
            controls: set.positions.iter().map(|p| member(*p)).collect(),
        }
    };
    (sets.iter().filter(|set| !set.positions.is_empty()))
        .map(group)
        .collect()
}

/// Sites and their controls, row by row: each site before its own.
pub(in crate::pipelines) struct Rows {
    members: Vec<Member>,
    /// The number of each spot among all.
    numbers: Vec<usize>,
    is_site: Vec<bool>,
    weights: Vec<f64>,
    /// Each site with its first control.
    pairs: Vec<(usize, usize)>,
}

impl Rows {
    /// Of sites that each have a control. `numbers` are the places of spots among all values.
    pub fn new(groups: &[Group], numbers: &HashMap<Spot, usize>) -> Rows {
        let mut rows = Rows {
            members: Vec::new(),
            numbers: Vec::new(),
            is_site: Vec::new(),
            weights: Vec::new(),
            pairs: Vec::new(),
        };
        for group in groups {
            let first = rows.members.len();
            rows.pairs.push((first, first + 1));
            rows.members.push(group.site);
            rows.members.extend(&group.controls);
            rows.is_site.push(true);
            rows.weights.push(1.0);
            rows.is_site.resize(rows.members.len(), false);
            (rows.weights).resize(rows.members.len(), 1.0 / group.controls.len() as f64);
        }
        let number = |member: &Member| numbers.get(&member.spot).copied().unwrap_or(0);
        rows.numbers = rows.members.iter().map(number).collect();
        rows
    }

    fn cases(&self) -> std::result::Result<Cases, String> {
        let units: Vec<usize> = self.members.iter().map(|member| member.unit).collect();
        Cases::new(self.is_site.clone(), self.weights.clone(), &units)
    }
}

/// What is asked of one kind of site and its controls.
pub(in crate::pipelines) struct Asked {
    /// First and last offset whose values are to tell.
    pub window: (i64, i64),
    /// The bases that a weight matrix scores; `None` for all.
    pub span: Option<Span>,
    /// Positions that are known on either side of a spot.
    pub flank: usize,
    /// Sign flips.
    pub permutations: usize,
    /// Draws of the bootstrap.
    pub bootstraps: usize,
    /// Of everything random.
    pub seeds: Rng,
}

/// The rows of one kind of site and its controls, and the nucleotides around them.
pub(in crate::pipelines) struct Seen {
    cases: Cases,
    around: features::Around,
    /// Offsets whose values are to tell, as far as they are known.
    window: (i64, i64),
}

impl Seen {
    /// Reads the sequence; or says in words why nothing can be estimated.
    ///
    /// # Errors
    /// Unreadable contigs.
    pub fn of(
        rows: &Rows,
        contigs: &mut ContigReader<'_>,
        baseline: Option<&Baseline>,
        asked: &Asked,
    ) -> Result<std::result::Result<Seen, String>> {
        let cases = match rows.cases() {
            Ok(cases) => cases,
            Err(why) => return Ok(Err(why)),
        };
        let flank = asked.flank as i64;
        let (first, last) = asked.window;
        let window = (first.max(-flank), last.min(flank));
        Ok(Ok(Seen {
            cases,
            around: features::around(contigs, rows, (window, asked.span), baseline)?,
            window,
        }))
    }
}

impl Discrimination {
    /// Adds what tells one kind of site from one set of controls, `row`, which says in words where
    /// nothing could be estimated.
    pub(in crate::pipelines) fn tell(
        &mut self,
        row: DecoyRow,
        rows: &Rows,
        seen: std::result::Result<Seen, String>,
        values: (&SpotValues, Option<&SpotValues>),
        asked: &Asked,
    ) {
        let mut teller = Teller {
            found: self,
            row,
            asked,
        };
        let told = seen.and_then(|seen| teller.tell(rows, &seen, values));
        let mut row = teller.row;
        if let Err(why) = told {
            row.note = why;
            let empty = |features| DiscriminationRow::empty(&row, features);
            self.discrimination.extend(rows::MODELS.map(empty));
        }
        self.decoys.push(row);
    }

    /// Adds the rows of another.
    fn add(&mut self, more: Discrimination) {
        self.discrimination.extend(more.discrimination);
        self.conditional.extend(more.conditional);
        self.cuts.extend(more.cuts);
        self.effects.extend(more.effects);
        self.roc.extend(more.roc);
        self.difference.extend(more.difference);
        self.decoys.extend(more.decoys);
    }
}

/// One kind of site against one set of controls.
struct Teller<'a> {
    found: &'a mut Discrimination,
    row: DecoyRow,
    asked: &'a Asked,
}

impl Teller<'_> {
    fn seed(&self, what: &str) -> u64 {
        self.asked.seeds.derive(what).next_u64()
    }

    /// Adds its rows, or says in words why there are none.
    fn tell(
        &mut self,
        rows: &Rows,
        seen: &Seen,
        (own, reference): (&SpotValues, Option<&SpotValues>),
    ) -> std::result::Result<(), String> {
        let (cases, window) = (&seen.cases, seen.window);
        let flank = self.asked.flank as i64;
        let measured = |values: &SpotValues| Measured::new(rows, values, window, flank);
        let estimated = self.estimate(
            cases,
            rows,
            &seen.around,
            &measured(own),
            reference.map(measured).as_ref(),
        );
        if estimated.is_ok() && own.kind == Values::Probabilities {
            let cuts = cuts::Cuts {
                row: &self.row,
                cases,
                measured: &measured(own),
                window,
            };
            cuts.add(self.found, self.asked.permutations, self.seed("cuts"));
        }
        estimated
    }

    fn estimate(
        &mut self,
        cases: &Cases,
        rows: &Rows,
        around: &features::Around,
        measured: &Measured,
        reference: Option<&Measured>,
    ) -> std::result::Result<(), String> {
        let scored = Scored {
            positive: &cases.is_site,
            weights: &cases.weights,
            clusters: &cases.clusters,
            n_clusters: cases.n_clusters,
        };
        let model = SequenceModel::fit(&around.letters, cases)?;
        self.judge(&scored, "letters", &model.logits, f64::NAN);
        for (measured, alone, beside) in [
            (Some(measured), "boundaries", "letters+boundaries"),
            (reference, "untrained", "letters+untrained"),
        ] {
            let Some(measured) = measured else { continue };
            let features = standardised(&measured.features, measured.n_features, &cases.weights);
            let swapped = swap_test(
                cases,
                &features,
                measured.n_features,
                &rows.pairs,
                SWAPS.min(self.asked.permutations),
                self.seed("swap"),
            );
            let scores = fit_scores(cases, &features, measured.n_features, None)?;
            self.judge(
                &scored,
                alone,
                &scores.logits,
                swapped.map_or(f64::NAN, |swapped| swapped.p_value),
            );
            let both = fit_scores(cases, &features, measured.n_features, Some(&model))?;
            let p = if alone == "boundaries" {
                self.conditional(cases, around, measured, &model)?
            } else {
                f64::NAN
            };
            self.judge(&scored, beside, &both.logits, p);
            let draws = self.asked.bootstraps;
            let gain = scored.auroc_gain(
                &both.logits,
                &model.logits,
                draws,
                self.seed("gain in AUROC"),
            );
            self.effect(beside, "gain_auroc", gain);
            let bits: Vec<f64> = scored
                .bits(&both.logits)
                .iter()
                .zip(scored.bits(&model.logits))
                .map(|(both, alone)| both - alone)
                .collect();
            self.effect(
                beside,
                "gain_bits",
                scored.mean(&bits, draws, self.seed("gain in bits")),
            );
            self.effect(beside, "folds_with_boundaries", only(both.used as f64));
        }
        Ok(())
    }

    /// The test of what values tell beyond the nucleotides; its p-value over all offsets.
    fn conditional(
        &mut self,
        cases: &Cases,
        around: &features::Around,
        measured: &Measured,
        model: &SequenceModel,
    ) -> std::result::Result<f64, String> {
        let stage = SecondStage::new(&around.letters, cases)?;
        let tests = beyond(
            cases,
            (&model.logits, &stage),
            around,
            measured,
            self.asked.permutations,
            self.seed("conditional"),
        );
        self.effect("letters+boundaries", "max_t_95", only(tests.max_t_95));
        self.found
            .conditional
            .extend(
                (around.first..)
                    .zip(&tests.offsets)
                    .map(|(offset, test)| ConditionalRow {
                        site_kind: self.row.site_kind.clone(),
                        control: self.row.control.clone(),
                        offset,
                        statistic: test.t,
                        p_maxt: test.p_max_t,
                    }),
            );
        Ok(tests
            .offsets
            .iter()
            .map(|test| test.p_max_t)
            .fold(f64::NAN, f64::min))
    }

    fn judge(&mut self, scored: &Scored<'_>, features: &str, logits: &[f64], p_value: f64) {
        let draws = self.asked.bootstraps;
        // One seed for all models: each draw is of the same clusters.
        let auroc = scored.auroc(logits, draws, self.seed("AUROC"));
        let bits = scored.mean(&scored.bits(logits), draws, self.seed("bits"));
        self.found.discrimination.push(DiscriminationRow {
            n_clusters: scored.n_clusters as u64,
            auroc: auroc.value,
            auroc_low: auroc.low,
            auroc_high: auroc.high,
            bits: bits.value,
            bits_low: bits.low,
            bits_high: bits.high,
            p_value,
            ..DiscriminationRow::empty(&self.row, features)
        });
        self.effect(
            features,
            "auroc_within_clusters",
            only(scored.auroc_within(logits)),
        );
        self.effect(
            features,
            "average_precision",
            only(scored.average_precision(logits)),
        );
        let curve = rows::thinned(scored.curve(logits));
        self.found.roc.extend(curve.into_iter().map(
            |(false_positive_rate, true_positive_rate)| RocRow {
                site_kind: self.row.site_kind.clone(),
                control: self.row.control.clone(),
                features: features.into(),
                false_positive_rate,
                true_positive_rate,
            },
        ));
    }

    fn effect(&mut self, features: &str, statistic: &str, estimate: Estimate) {
        self.found
            .effects
            .push(EffectRow::new(&self.row, features, statistic, estimate));
    }
}

/// Whether values tell sites from controls beyond the nucleotides, at each offset and at the
/// greatest of all.
fn beyond(
    cases: &Cases,
    (logits, stage): (&[f64], &SecondStage<'_>),
    around: &features::Around,
    measured: &Measured,
    permutations: usize,
    seed: u64,
) -> OffsetTests {
    let less: Vec<f64> = measured
        .values
        .iter()
        .zip(&around.predicted)
        .map(|(value, predicted)| value - predicted)
        .collect();
    covariance_test(
        cases,
        logits,
        (&measured.values, &stage.residuals(&less, measured.width)),
        measured.width,
        permutations,
        seed,
    )
}

/// Exchanges of the test of whether values tell at all, at most.
const SWAPS: usize = 999;

/// An estimate without an interval.
fn only(value: f64) -> Estimate {
    Estimate {
        value,
        low: f64::NAN,
        high: f64::NAN,
    }
}

#[cfg(test)]
mod tests;
