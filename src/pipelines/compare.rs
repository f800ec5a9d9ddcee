//! Do cuts respect what they could split? Models and tokenizers side by side: how often each cuts
//! through motifs and splice sites and how often it cuts exactly at junctions and at motifs' edges,
//! against its own cuts shifted circularly within each window, which keeps their number and spacing.

mod elements;
mod read;
mod rows;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub use elements::Measure;
pub use rows::{ClusterRow, CutRow, LengthRow, TokenizerRow};

use crate::error::{Error, Result};
use crate::genome::annotation::Annotation;
use crate::genome::fasta::Genome;
use crate::genome::junctions::SiteStatus;
use crate::genome::promoters::Promoters;
use crate::motifs::Motif;
use crate::pipelines::{BoundarySource, Progress};
use crate::stats::multiplicity::benjamini_hochberg;
use crate::stats::permutation::ClusterSums;
use crate::stats::rng::Rng;
use crate::stats::shift::{Shift, circular_shift};
use elements::Window;

/// Confidence level of intervals.
const LEVEL: f64 = 0.95;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CompareRequest {
    /// Bases given to a source at once.
    pub context: usize,
    /// Least distance of a read position from the ends of these.
    pub margin: usize,
    /// Inter-base positions on either side of a splice junction that make up its window.
    pub flank: usize,
    /// Biotypes of genes whose junctions are looked at; empty for all.
    #[serde(default)]
    pub biotypes: Vec<String>,
    /// The largest p-value of a motif's hit.
    pub p: f64,
    /// Shifts and flips of the tests.
    pub permutations: usize,
    /// Seed of everything random.
    pub seed: u64,
    /// Stretches per call of a source.
    pub batch: usize,
}

impl Default for CompareRequest {
    fn default() -> Self {
        CompareRequest {
            context: 4096,
            margin: 512,
            flank: 150,
            biotypes: Vec::new(),
            p: 1e-4,
            permutations: 10_000,
            seed: 1,
            batch: 4,
        }
    }
}

/// One of those compared.
pub struct Contender<'a> {
    /// Its name.
    pub name: String,
    /// What cuts: a position with a value above one half is a cut.
    pub source: &'a dyn BoundarySource,
}

/// What was found: plain tables.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Compared {
    /// One row a contender, kind of element and measure.
    pub cuts: Vec<CutRow>,
    /// Sums by cluster: every test can be redone from these.
    pub clusters: Vec<ClusterRow>,
    /// One row a contender: how it cuts, whatever lies there.
    pub tokenizers: Vec<TokenizerRow>,
    /// Lengths of whole tokens.
    pub lengths: Vec<LengthRow>,
    /// What became of splice sites: one that is used has a window.
    pub site_statuses: BTreeMap<SiteStatus, usize>,
    /// Windows around junctions and over promoters.
    pub n_windows: usize,
    /// Inter-base positions in them.
    pub n_positions: u64,
    /// Bases that each source read.
    pub bases_read: u64,
}

/// Sums of one measure over one cluster.
struct Total {
    cluster: usize,
    n: f64,
    /// At every shift of the cuts.
    curve: Vec<f64>,
    /// At none, less the mean over all.
    excess: f64,
}

/// Runs the comparison; the first contender is the one that others are set against.
///
/// # Errors
/// A request that cannot be met, an unreadable contig, and what the sources report. No element is
/// no error: the tables are then empty.
pub fn run(
    genome: &Genome,
    annotation: Option<&Annotation>,
    promoters: &Promoters,
    motifs: &[Motif],
    contenders: &[Contender<'_>],
    request: &CompareRequest,
    progress: &dyn Fn(Progress),
) -> Result<Compared> {
    if request
        .margin
        .max(1)
        .checked_mul(2)
        .is_none_or(|margins| margins >= request.context)
    {
        return Err(Error::Invalid(format!(
            "a context of {} bases has no room between margins of {}",
            request.context, request.margin
        )));
    }
    let Some(first) = contenders.first() else {
        return Err(Error::Invalid("nothing was asked to be compared".into()));
    };
    let (mut windows, site_statuses) = elements::windows(
        genome,
        annotation,
        promoters,
        motifs,
        first.source,
        request,
        progress,
    )?;
    let bases_read = read::cuts(genome, &mut windows, contenders, request, progress)?;
    if contenders
        .iter()
        .any(|contender| contender.source.is_part())
    {
        return Ok(Compared::default());
    }
    progress(Progress {
        stage: "testing",
        done: 0,
        total: 1,
    });
    let mut found = Compared {
        site_statuses,
        n_windows: windows.len(),
        n_positions: windows.iter().map(|window| window.length as u64).sum(),
        bases_read,
        ..Compared::default()
    };
    let rng = Rng::new(request.seed);
    for measure in Measure::ALL {
        let totals: Vec<Vec<Total>> = (0..contenders.len())
            .into_par_iter()
            .map(|contender| totals(&windows, contender, measure))
            .collect();
        for (contender, of) in contenders.iter().zip(&totals) {
            let label = format!("{} {}", contender.name, measure.name());
            found.cuts.extend(row(
                &contender.name,
                measure,
                of,
                &totals[0],
                request,
                &rng.derive(&label),
            ));
            found.clusters.extend(of.iter().map(|total| {
                ClusterRow::new(
                    &contender.name,
                    measure,
                    total.cluster,
                    total.n,
                    total.curve[0],
                    total.excess,
                )
            }));
        }
    }
    let adjust = |rows: &mut [CutRow], get: fn(&CutRow) -> f64, set: fn(&mut CutRow, f64)| {
        // Each contender is a question of its own: another beside it must not change its answer.
        for contender in contenders {
            let mut of: Vec<&mut CutRow> = rows
                .iter_mut()
                .filter(|row| row.tokenizer == contender.name)
                .collect();
            let adjusted = benjamini_hochberg(&of.iter().map(|row| get(row)).collect::<Vec<_>>());
            of.iter_mut().zip(adjusted).for_each(|(row, p)| set(row, p));
        }
    };
    adjust(&mut found.cuts, |row| row.p_value, |row, p| row.p_bh = p);
    adjust(
        &mut found.cuts,
        |row| row.first_p_value,
        |row, p| row.first_p_bh = p,
    );
    for (number, contender) in contenders.iter().enumerate() {
        let (row, lengths) = rows::lengths(&contender.name, &windows, number);
        found.tokenizers.push(row);
        found.lengths.extend(lengths);
    }
    Ok(found)
}

/// The statistic of every cluster at every shift.
fn totals(windows: &[Window], contender: usize, measure: Measure) -> Vec<Total> {
    let mut totals: Vec<Total> = Vec::new();
    // Windows of a cluster lie side by side; they are turned together, in shares of their lengths.
    for of_cluster in windows.chunk_by(|a, b| a.cluster == b.cluster) {
        let curves: Vec<(usize, Vec<f64>)> = of_cluster
            .iter()
            .map(|window| window.curve(contender, measure))
            .filter(|(n, _)| *n > 0)
            .collect();
        let Some(longest) = curves.iter().map(|(_, curve)| curve.len()).max() else {
            continue;
        };
        let at = |g: usize| {
            curves
                .iter()
                .map(|(_, curve)| curve[g * curve.len() / longest])
                .sum::<f64>()
        };
        let n = curves.iter().map(|(n, _)| *n).sum::<usize>() as f64;
        let curve: Vec<f64> = (0..longest).map(at).collect();
        totals.push(Total {
            cluster: of_cluster[0].cluster,
            n,
            excess: curve[0] - crate::stats::mean(&curve),
            curve,
        });
    }
    totals
}

fn row(
    name: &str,
    measure: Measure,
    of: &[Total],
    first: &[Total],
    request: &CompareRequest,
    rng: &Rng,
) -> Option<CutRow> {
    let n: f64 = of.iter().map(|total| total.n).sum();
    if of.is_empty() {
        return None;
    }
    let curves: Vec<&[f64]> = of.iter().map(|total| total.curve.as_slice()).collect();
    let Shift {
        observed,
        expected,
        p_value,
        p_floor,
    } = circular_shift(
        &curves,
        request.permutations,
        rng.derive("shift").next_u64(),
    );
    let sums = |of_cluster: &dyn Fn(usize) -> f64| {
        ClusterSums::new(
            (0..of.len()).map(of_cluster).collect(),
            of.iter().map(|total| total.n).collect(),
        )
    };
    let seed = rng.derive("flips").next_u64();
    let (ci_low, ci_high) = sums(&|i| of[i].excess).interval(request.permutations, LEVEL, seed);
    let is_first = std::ptr::eq(of, first);
    let beyond_first = sums(&|i| of[i].excess - first[i].excess);
    let flipped = beyond_first.test(request.permutations, seed);
    let (first_low, first_high) = if is_first {
        (f64::NAN, f64::NAN)
    } else {
        beyond_first.interval(request.permutations, LEVEL, seed)
    };
    Some(CutRow {
        tokenizer: name.into(),
        element: measure.element().into(),
        measure: measure.what().into(),
        n_elements: n as u64,
        n_clusters: of.len() as u64,
        observed: observed / n,
        expected: expected / n,
        difference: (observed - expected) / n,
        ci_low,
        ci_high,
        p_value,
        p_floor,
        p_bh: f64::NAN,
        first_difference: if is_first {
            f64::NAN
        } else {
            flipped.statistic
        },
        first_low,
        first_high,
        first_p_value: if is_first { f64::NAN } else { flipped.p_value },
        first_p_floor: if is_first { f64::NAN } else { flipped.p_floor },
        first_p_bh: f64::NAN,
    })
}
