//! What the model says of stretches and controls.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::matching::Matched;
use super::{DensityRequest, TOKEN_REACH};
use crate::error::{Error, Result};
use crate::genome::fasta::Genome;
use crate::genome::sequence::model_letters;
use crate::genome::{Interval, Strand};
use crate::model::THRESHOLD;
use crate::pipelines::comparison::ContigReader;
use crate::pipelines::tiles::{ContigStrand, Tile, TileShape, Window, plan, read_tiles};
use crate::pipelines::{BoundarySource, Progress, Values};
use crate::stats::context::{Context, ContextTable, Explained, Fold, Observations, WIDEST, codes};

/// Numbers of tokens by length; the last entry is of those longer than [`TOKEN_REACH`].
pub(super) type Lengths = [u64; TOKEN_REACH + 2];

/// One stretch as read: one position a base, in the order of its strand.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    values: Vec<f32>,
    contexts: Vec<Context>,
    soft_masked: Vec<bool>,
    /// Of the tokens that start in it; `None` for a track, which has no boundaries.
    pub lengths: Option<Lengths>,
    /// Mean of what the letters nearby predict; `NaN` where nothing could be fitted.
    pub predicted: f64,
}

impl Reading {
    /// Mean probability.
    pub fn probability(&self) -> f64 {
        self.values.iter().copied().map(f64::from).sum::<f64>() / self.values.len() as f64
    }

    /// Share of positions above the threshold; `NaN` for a track.
    pub fn density(&self) -> f64 {
        if self.lengths.is_none() {
            return f64::NAN;
        }
        self.values
            .iter()
            .filter(|value| **value > THRESHOLD)
            .count() as f64
            / self.values.len() as f64
    }
}

/// All readings.
pub(super) struct Read {
    /// By pair: the stretch and the control.
    pub pairs: Vec<[Reading; 2]>,
    /// What was read.
    pub kind: Values,
    /// How well the letters predict, outside of soft-masked sequence and inside; `None` where
    /// nothing could be fitted.
    pub explained: Option<[Explained; 2]>,
    pub tiles: u64,
    pub bases: u64,
}

/// The inter-base positions of a stretch and the `reach` after them: each base's position is the
/// one before it on its strand.
fn window(part: Interval, strand: Strand, reach: usize) -> Window {
    match strand {
        Strand::Plus => Window {
            low: part.start,
            high: part.end + reach,
        },
        Strand::Minus => Window {
            low: part.start - reach,
            high: part.end,
        },
    }
}

/// Lengths of the tokens that start at the first `n` values.
pub(super) fn lengths(values: &[f32], n: usize) -> Lengths {
    let kept: Vec<usize> = values
        .iter()
        .enumerate()
        .filter(|(_, value)| **value > THRESHOLD)
        .map(|(i, _)| i)
        .collect();
    let mut counts = [0; TOKEN_REACH + 2];
    for (index, start) in kept.iter().enumerate().take_while(|(_, start)| **start < n) {
        let length = kept.get(index + 1).map_or(usize::MAX, |next| next - start);
        counts[length.min(TOKEN_REACH + 1)] += 1;
    }
    counts
}

fn reading(
    sequence: &[u8],
    part: Interval,
    strand: Strand,
    values: &[f32],
    kind: Values,
) -> Reading {
    let n = part.len_bp();
    let mut soft_masked: Vec<bool> = sequence[part.start..part.end]
        .iter()
        .map(u8::is_ascii_lowercase)
        .collect();
    if strand == Strand::Minus {
        soft_masked.reverse();
    }
    let letters = codes(&model_letters(
        &sequence[part.start - WIDEST..part.end + WIDEST],
        strand,
    ));
    Reading {
        values: values[..n].to_vec(),
        contexts: (0..n)
            .map(|t| Context::around(&letters, t + WIDEST))
            .collect(),
        soft_masked,
        lengths: (kind == Values::Probabilities).then(|| lengths(values, n)),
        predicted: f64::NAN,
    }
}

/// Reads all pairs and predicts each from the letters of the other units.
pub(super) fn read(
    genome: &Genome,
    contigs: &mut ContigReader<'_>,
    matched: &Matched,
    source: &dyn BoundarySource,
    request: &DensityRequest,
    progress: &dyn Fn(Progress),
) -> Result<Read> {
    let mut subjects: BTreeMap<(usize, Strand), Vec<(usize, usize)>> = BTreeMap::new();
    for (index, pair) in matched.pairs.iter().enumerate() {
        subjects
            .entry((pair.contig, pair.strand))
            .or_default()
            .extend([(index, 0), (index, 1)]);
    }
    let part = |(pair, side): (usize, usize)| {
        [matched.pairs[pair].stretch, matched.pairs[pair].control][side]
    };
    let kind = source.values();
    // Beyond a stretch a track may have no values.
    let reach = if kind == Values::Probabilities {
        TOKEN_REACH
    } else {
        0
    };
    let shape = TileShape {
        context_bp: request.context,
        margin_bp: request.margin,
    };
    let mut plans = Vec::new();
    for ((contig, strand), members) in &subjects {
        let windows = members
            .iter()
            .map(|member| window(part(*member), *strand, reach))
            .collect();
        plans.push(plan(windows, contigs.get(*contig)?.len(), &shape)?);
    }
    let total = plans.iter().map(|plan| plan.bases()).sum();
    let (mut done, mut found): (u64, Vec<[Option<Reading>; 2]>) =
        (0, vec![[None, None]; matched.pairs.len()]);
    for (((contig, strand), members), plan) in subjects.iter().zip(&plans) {
        let sequence = contigs.get(*contig)?;
        let mut tile = |tile: &Tile, _: &[f32]| {
            done += tile.bases.len_bp() as u64;
            progress(Progress {
                stage: "reading sequence",
                done,
                total,
            });
        };
        let on = ContigStrand {
            contig: &genome.contigs()[*contig].name,
            sequence,
            strand: *strand,
        };
        read_tiles(
            on,
            plan,
            request.batch,
            source,
            &mut tile,
            &mut |index, values| {
                let (pair, side) = members[index];
                found[pair][side] =
                    Some(reading(sequence, part((pair, side)), *strand, values, kind));
            },
        )?;
    }
    // Of a part of the calls only nothing is found, and the pipeline ends after it.
    let pairs = match source.is_part() {
        true => Vec::new(),
        false => whole(found)?,
    };
    let mut read = Read {
        pairs,
        kind,
        explained: None,
        tiles: plans.iter().map(|plan| plan.tiles.len() as u64).sum(),
        bases: total,
    };
    read.predict(matched);
    Ok(read)
}

/// Every stretch and control, as later steps go by the number of the pair.
fn whole(found: Vec<[Option<Reading>; 2]>) -> Result<Vec<[Reading; 2]>> {
    let all = found
        .into_iter()
        .enumerate()
        .map(|(pair, found)| match found {
            [Some(stretch), Some(control)] => Ok([stretch, control]),
            _ => Err(Error::Invalid(format!(
                "pair {} of a stretch and its control was planned and not read: please report this",
                pair + 1
            ))),
        });
    all.collect()
}

impl Read {
    /// Fits the table of letters on all units but those of a fold, and predicts that fold.
    fn predict(&mut self, matched: &Matched) {
        let mut sizes = vec![0; matched.units.len()];
        for (pair, readings) in matched.pairs.iter().zip(&self.pairs) {
            sizes[pair.unit] += readings
                .iter()
                .map(|reading| reading.values.len() as u64)
                .sum::<u64>();
        }
        let folds = Fold::deal(&sizes);
        let mut observations = Observations::default();
        for (pair, readings) in matched.pairs.iter().zip(&self.pairs) {
            for reading in readings {
                reading
                    .contexts
                    .iter()
                    .zip(&reading.values)
                    .for_each(|(context, value)| {
                        observations.push(*context, folds[pair.unit], *value)
                    });
            }
        }
        let Ok(table) = ContextTable::fit(observations) else {
            return;
        };
        let estimates: Vec<[Vec<[f32; WIDEST + 1]>; 2]> =
            (matched.pairs.par_iter().zip(&self.pairs))
                .map(|(pair, readings)| {
                    let of = |reading: &Reading| {
                        reading
                            .contexts
                            .iter()
                            .map(|context| table.predict(*context, folds[pair.unit]))
                            .collect()
                    };
                    [of(&readings[0]), of(&readings[1])]
                })
                .collect();
        let mut explained = [Explained::default(), Explained::default()];
        for ((pair, readings), estimates) in
            matched.pairs.iter().zip(&mut self.pairs).zip(&estimates)
        {
            for (reading, estimates) in readings.iter_mut().zip(estimates) {
                for ((value, masked), estimates) in reading
                    .values
                    .iter()
                    .zip(&reading.soft_masked)
                    .zip(estimates)
                {
                    explained[usize::from(*masked)].add(pair.unit, *value, estimates);
                }
                reading.predicted = estimates.iter().map(|e| f64::from(e[WIDEST])).sum::<f64>()
                    / estimates.len() as f64;
            }
        }
        self.explained = Some(explained);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_that_was_not_read_is_an_error() {
        let read = || {
            Some(reading(
                &[b'A'; 60],
                Interval::new(20, 40),
                Strand::Plus,
                &[0.5; 20],
                Values::Signal,
            ))
        };
        assert_eq!(
            whole(vec![[read(), read()], [read(), read()]])
                .unwrap()
                .len(),
            2
        );
        assert!(
            whole(vec![[read(), read()], [read(), None]])
                .unwrap_err()
                .to_string()
                .contains("pair 2")
        );
    }
}
