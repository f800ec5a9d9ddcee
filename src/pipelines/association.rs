//! Do boundaries follow other data along the genome? Boundary density and token length against a
//! track in windows, given composition; the track token by token; and the track around boundaries
//! against positions that the same letters surround.
//!
//! The unit of replication of tests is a contig's whole track, shifted circularly along the contig by a random
//! distance; that of intervals is a block of a contig. Ranks, what is accounted for, and matched
//! positions are of one contig, so that nothing is compared between contigs.

mod around;
mod reading;
mod rows;
#[cfg(test)]
mod tests;
mod tokens;
mod tracks;
mod windows;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use around::{BIN_BP, FLANK, GC_FLANK, MIDDLE_BP};
pub use rows::{
    AroundRow, BlockRow, ContigRow, CorrelationRow, ProfileRow, ReadingRow, TokenLengthRow,
    TokenRow,
};
pub use tokens::{GC_REACHES, OTHER_REACHES};
pub use tracks::{FileTrack, SiteTrack, Track};
pub use windows::{ERROR, KNOWN, LEAST_WINDOWS, READ};

use crate::error::{Error, Result};
use crate::genome::fasta::Genome;
use crate::pipelines::{BoundarySource, Progress};
use crate::stats::agreement::correlation;
use crate::stats::bootstrap::totals_interval;
use crate::stats::multiplicity::holm;
use crate::stats::rng::Rng;
use crate::stats::shift::circular_shift;
use around::Around;
use tokens::Tokens;
use windows::{Line, Windows};

/// Confidence level of intervals.
const LEVEL: f64 = 0.95;

/// The window of the primary question, in bases: the answer is that of the asked size nearest to it.
pub const PRIMARY_BP: usize = 1000;

/// What is measured in a window: boundaries a base.
pub const DENSITY: &str = "density";
/// Mean length of the tokens that start in a window, in bases.
pub const TOKEN_LENGTH: &str = "token length";

/// What is accounted for: nothing.
pub const NOTHING: &str = "nothing";
/// Composition, and stand-ins of mappability.
pub const COMPOSITION: &str = "composition";

/// What is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AssociationRequest {
    /// Contigs, by any of their names; empty for all.
    pub contigs: Vec<String>,
    /// Sizes of windows, in bases, rising.
    pub windows: Vec<usize>,
    /// Bases of a block, the unit that intervals draw.
    pub block_bp: usize,
    /// Bases on either side of a boundary that its profile shows.
    pub reach_bp: usize,
    /// Bases of a tile given to the model.
    pub context: usize,
    /// Least distance of a position from the ends of its tile, in bases.
    pub margin: usize,
    /// Random shifts of the tests.
    pub permutations: usize,
    /// Draws of the bootstrap.
    pub bootstraps: usize,
    /// Seed of everything random.
    pub seed: u64,
    /// Tiles per call of the model.
    pub batch: usize,
}

impl Default for AssociationRequest {
    fn default() -> Self {
        AssociationRequest {
            contigs: Vec::new(),
            windows: vec![100, 300, 1000, 3000, 10_000],
            block_bp: 100_000,
            reach_bp: 1000,
            context: 4096,
            margin: 512,
            permutations: 10_000,
            bootstraps: 2000,
            seed: 1,
            batch: 4,
        }
    }
}

impl AssociationRequest {
    /// The asked size nearest to [`PRIMARY_BP`], on a scale of ratios.
    pub fn primary_bp(&self) -> usize {
        let far = |bp: &usize| (*bp as f64 / PRIMARY_BP as f64).ln().abs();
        self.windows
            .iter()
            .copied()
            .min_by(|a, b| far(a).total_cmp(&far(b)))
            .unwrap_or(PRIMARY_BP)
    }

    fn check(&self) -> Result<()> {
        let invalid = |message: String| Err(Error::Invalid(message));
        if self.margin.max(1).saturating_mul(2) >= self.context {
            return invalid(format!(
                "a context of {} bases has no room between margins of {}",
                self.context, self.margin
            ));
        }
        match self.windows.iter().max() {
            None => invalid("no size of windows was given".into()),
            Some(largest) if *largest > self.block_bp || self.windows.contains(&0) => {
                invalid(format!(
                    "blocks of {} bases for windows of {:?}: blocks hold whole windows",
                    self.block_bp, self.windows
                ))
            }
            Some(_) => Ok(()),
        }
    }
}

/// What was found: plain tables.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Association {
    /// One row a track, measure, size of window and what is accounted for.
    pub correlations: Vec<CorrelationRow>,
    /// The same by contig.
    pub contigs: Vec<ContigRow>,
    /// One row a track and what is accounted for: the track token by token.
    pub tokens: Vec<TokenRow>,
    /// One row a track and class of lengths.
    pub token_lengths: Vec<TokenLengthRow>,
    /// One row a track and kind of control: the track in the middle of the profile.
    pub around: Vec<AroundRow>,
    /// The profiles.
    pub profile: Vec<ProfileRow>,
    /// Sums by block: correlations and their intervals can be redone from these.
    pub blocks: Vec<BlockRow>,
    /// What was read of each contig.
    pub reading: Vec<ReadingRow>,
    /// Bases that the model read.
    pub bases_read: u64,
    /// Bases of the windows of the primary question.
    pub primary_bp: u64,
}

/// A track, measure, size of window and what is accounted for, each by its number; rows come in
/// this order.
type Question = (usize, usize, usize, usize);

const MEASURES: [&str; 2] = [DENSITY, TOKEN_LENGTH];
const GIVEN: [&str; 2] = [NOTHING, COMPOSITION];

/// Runs the analysis.
///
/// # Errors
/// A request that cannot be met, an unknown or unreadable contig, and what the source and the
/// tracks report.
pub fn run(
    genome: &Genome,
    source: &dyn BoundarySource,
    tracks: &[&dyn Track],
    request: &AssociationRequest,
    progress: &dyn Fn(Progress),
) -> Result<Association> {
    request.check()?;
    let chosen = chosen(genome, &request.contigs)?;
    let total = chosen
        .iter()
        .map(|contig| genome.contigs()[*contig].length_bp as u64)
        .sum();
    let mut found = Association {
        primary_bp: request.primary_bp() as u64,
        ..Association::default()
    };
    let mut lines: BTreeMap<Question, Vec<(usize, Line)>> = BTreeMap::new();
    let mut around: Vec<Around> = tracks
        .iter()
        .map(|track| Around::new(track.name(), request))
        .collect();
    let mut tokens: Vec<Tokens> = (tracks.iter())
        .map(|track| Tokens::new(track.name()))
        .collect();
    let mut done = 0;
    for contig in chosen {
        let name = &genome.contigs()[contig].name;
        let step = |more: u64| {
            progress(Progress {
                stage: "reading sequence",
                done: done + more,
                total,
            })
        };
        let (read, bases_read) = reading::read(genome, contig, source, request, &step)?;
        done += genome.contigs()[contig].length_bp as u64;
        found.bases_read += bases_read;
        if source.is_part() {
            continue;
        }
        found.reading.push(read.row(name));
        let sizes: Vec<Windows> = request
            .windows
            .iter()
            .map(|bp| Windows::new(&read, *bp))
            .collect();
        for (number, track) in tracks.iter().enumerate() {
            let values = read.values_of(*track, contig)?;
            around[number].add(contig, &read, &values, request);
            tokens[number].add(contig, &read, &values, request);
            for (size, windows) in sizes.iter().enumerate() {
                let means = windows.means(&values);
                for (measure, words) in MEASURES.iter().enumerate() {
                    let label = format!("{} {name} {words} {}", track.name(), windows.bp);
                    let rng = Rng::new(request.seed).derive(&label);
                    let (counted, of) = windows.lines(&means, measure, request.block_bp, &rng);
                    found.contigs.push(ContigRow {
                        track: track.name().into(),
                        measure: (*words).into(),
                        window_bp: windows.bp as u64,
                        contig: name.clone(),
                        n_windows: counted.used,
                        n_unread: counted.unread,
                        n_without_track: counted.without_track,
                        n_without_token: counted.without_token,
                        is_used: of.is_some(),
                        correlation: of.as_ref().map_or(f64::NAN, |of| of[0].correlation()),
                        partial_correlation: of.as_ref().map_or(f64::NAN, |of| of[1].correlation()),
                    });
                    for (given, line) in of.into_iter().flatten().enumerate() {
                        let question = (number, measure, size, given);
                        lines.entry(question).or_default().push((contig, line));
                    }
                }
            }
        }
    }
    if source.is_part() {
        return Ok(found);
    }
    progress(Progress {
        stage: "testing",
        done: 0,
        total: 1,
    });
    for (number, track) in tracks.iter().enumerate() {
        for (measure, words) in MEASURES.iter().enumerate() {
            for (size, bp) in request.windows.iter().enumerate() {
                for (given, accounted) in GIVEN.iter().enumerate() {
                    let of = lines.remove(&(number, measure, size, given));
                    let names = [track.name(), words, accounted];
                    let of = of.unwrap_or_default();
                    found.correlations.push(pooled(names, *bp, &of, request));
                    found.blocks.extend(of.iter().flat_map(|(contig, line)| {
                        let name = &genome.contigs()[*contig].name;
                        line.blocks.iter().map(|(block, sums)| {
                            BlockRow::new(names, *bp, name, block * request.block_bp, sums)
                        })
                    }));
                }
            }
        }
    }
    adjust(&mut found.correlations);
    for tokens in tokens {
        let (rows, lengths) = tokens.finish(request);
        found.tokens.extend(rows);
        found.token_lengths.extend(lengths);
    }
    for around in around {
        let (row, profile) = around.finish(request);
        found.around.extend(row);
        found.profile.extend(profile);
    }
    Ok(found)
}

/// The contigs that are asked about, in the genome's order.
fn chosen(genome: &Genome, wanted: &[String]) -> Result<Vec<usize>> {
    if wanted.is_empty() {
        return Ok((0..genome.contigs().len()).collect());
    }
    let mut found = genome.numbers(wanted)?;
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// Contigs put together, each weighing as many windows as it has.
fn pooled(
    [track, measure, given]: [&str; 3],
    bp: usize,
    lines: &[(usize, Line)],
    request: &AssociationRequest,
) -> CorrelationRow {
    let lines: Vec<&Line> = lines.iter().map(|(_, line)| line).collect();
    let rng = Rng::new(request.seed).derive(&format!("{measure} {given} {bp}"));
    let found = correlate(&lines, request, &rng);
    CorrelationRow {
        track: track.into(),
        measure: measure.into(),
        window_bp: bp as u64,
        given: given.into(),
        n_windows: found.n,
        n_blocks: found.n_blocks,
        n_contigs: lines.len() as u64,
        correlation: found.correlation,
        ci_low: found.ci_low,
        ci_high: found.ci_high,
        p_value: found.p_value,
        p_floor: found.p_floor,
        p_holm: f64::NAN,
    }
}

/// A correlation over contigs.
struct Correlation {
    n: u64,
    n_blocks: u64,
    correlation: f64,
    ci_low: f64,
    ci_high: f64,
    p_value: f64,
    p_floor: f64,
}

/// The correlation along contigs, each weighing as much as it has of what is correlated; without a
/// contig, `NaN`.
fn correlate(lines: &[&Line], request: &AssociationRequest, rng: &Rng) -> Correlation {
    let n: u64 = lines.iter().map(|line| line.n).sum();
    let curve = |line: &&Line| -> Vec<f64> {
        let share = line.n as f64 / n as f64;
        line.turned.iter().map(|r| r * share).collect()
    };
    let curves: Vec<Vec<f64>> = lines.iter().map(curve).collect();
    let seed = rng.derive("shift").next_u64();
    let test = circular_shift(&curves, request.permutations, seed);
    let rows: Vec<[f64; 6]> = (lines.iter())
        .flat_map(|line| line.blocks.values().copied())
        .collect();
    let rng = rng.derive("blocks");
    let (ci_low, ci_high) = totals_interval(&rows, correlation, request.bootstraps, LEVEL, &rng);
    let p_value = match lines {
        [] => f64::NAN,
        _ => test.p_value,
    };
    Correlation {
        n,
        n_blocks: rows.len() as u64,
        correlation: test.observed,
        ci_low,
        ci_high,
        p_value,
        p_floor: test.p_floor,
    }
}

/// Holm's p over the sizes of windows, for each track, measure and what is accounted for by itself:
/// another track beside it must not change its answer.
fn adjust(rows: &mut [CorrelationRow]) {
    let mut families: BTreeMap<[String; 3], Vec<usize>> = BTreeMap::new();
    for (index, row) in rows.iter().enumerate() {
        let family = [&row.track, &row.measure, &row.given].map(Clone::clone);
        families.entry(family).or_default().push(index);
    }
    for family in families.values() {
        let p: Vec<f64> = family.iter().map(|index| rows[*index].p_value).collect();
        for (index, p) in family.iter().zip(holm(&p)) {
            rows[*index].p_holm = p;
        }
    }
}
