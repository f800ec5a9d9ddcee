//! A track token by token: is it higher over long tokens than over short ones, also among tokens
//! of like composition?

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};

use rayon::prelude::*;

use super::reading::Read;
use super::rows::{TokenLengthRow, TokenRow};
use super::windows::{KNOWN, LEAST_WINDOWS, Line, block_sums, code, scale, varies};
use super::{AssociationRequest, GIVEN, LEVEL, correlate};
use crate::genome::Interval;
use crate::genome::sequence::is_gc;
use crate::stats::bootstrap::totals_interval;
use crate::stats::fourier::circular_correlation;
use crate::stats::partial::rest_by_rows;
use crate::stats::rng::Rng;

/// Lengths of tokens that are told apart in the table, in bases.
const LENGTHS: [RangeInclusive<usize>; 8] = [
    1..=1,
    2..=2,
    3..=3,
    4..=4,
    5..=6,
    7..=8,
    9..=12,
    13..=usize::MAX,
];

/// Bases on either side of a token's middle whose G+C is accounted for.
pub const GC_REACHES: [usize; 4] = [10, 50, 250, 1000];

/// The same for CpG and soft-masking.
pub const OTHER_REACHES: [usize; 2] = [50, 250];

/// Knots of the lines through the ranks of G+C.
const KNOTS: usize = 3;

/// The most distances by which a contig's track is shifted: each is a multiple of the same number
/// of bases.
const MOST_SHIFTS: usize = 1 << 20;

/// One, the dinucleotides at both ends, nucleotides of the token, G+C nearby, CpG and soft-masking.
const WIDTH: usize = 1 + 2 * 16 + 3 + GC_REACHES.len() * (1 + KNOTS) + 2 * OTHER_REACHES.len();

/// The tokens of one track, contig by contig.
pub(super) struct Tokens {
    track: String,
    lines: [Vec<Line>; 2],
    /// Of each class of lengths, by contig and block: tokens, sums of the track's mean, and of what
    /// composition leaves of its rank.
    lengths: [BTreeMap<(usize, usize), [f64; 3]>; LENGTHS.len()],
    n_without_track: u64,
}

impl Tokens {
    pub fn new(track: &str) -> Tokens {
        Tokens {
            track: track.into(),
            lines: Default::default(),
            lengths: Default::default(),
            n_without_track: 0,
        }
    }

    /// Adds a contig, whose track has `values` by base.
    pub fn add(
        &mut self,
        contig: usize,
        read: &Read,
        values: &[f32],
        request: &AssociationRequest,
    ) {
        let known = |token: &Interval| {
            let n = bases(token).filter(|base| !values[*base].is_nan()).count();
            n as f64 >= KNOWN * token.len_bp() as f64
        };
        let (tokens, without): (Vec<Interval>, Vec<Interval>) =
            read.tokens().into_iter().partition(known);
        let ranks = ranks(values, &tokens);
        let means = |of: &dyn Fn(usize) -> f64| -> Vec<f64> {
            let mean = |token: &Interval| {
                let known = || bases(token).filter(|base| !values[*base].is_nan());
                known().map(of).sum::<f64>() / known().count() as f64
            };
            tokens.iter().map(mean).collect()
        };
        let lengths: Vec<f64> = tokens.iter().map(|t| (t.len_bp() as f64).log2()).collect();
        let (track, ranked) = (
            means(&|base| f64::from(values[base])),
            means(&|base| f64::from(ranks[base])),
        );
        if tokens.len() < LEAST_WINDOWS || !varies(&lengths) || !varies(&ranked) {
            return;
        }
        self.n_without_track += without.len() as u64;
        let columns = Columns::new(read, &tokens);
        let block = |token: usize| tokens[token].start / request.block_bp;
        for (number, lines) in self.lines.iter_mut().enumerate() {
            let [a, b] = match number {
                0 => rest_by_rows(|_| [1.0], [&lengths, &ranked]),
                _ => rest_by_rows(|token| columns.row(&tokens[token]), [&lengths, &ranked]),
            };
            let full = tokens.len() as f64 * scale(&a) * scale(&b);
            lines.push(Line {
                n: tokens.len() as u64,
                turned: (shifted(&tokens, &a, values, &ranks).into_iter())
                    .map(|sum| sum / full)
                    .collect(),
                blocks: block_sums(&a, &b, block),
            });
            if number == 0 {
                continue;
            }
            for (token, (track, rest)) in track.iter().zip(&b).enumerate() {
                let class = |of: &RangeInclusive<usize>| of.contains(&tokens[token].len_bp());
                if let Some(class) = LENGTHS.iter().position(class) {
                    let sums = self.lengths[class]
                        .entry((contig, block(token)))
                        .or_default();
                    (sums.iter_mut().zip([1.0, *track, *rest]))
                        .for_each(|(sum, more)| *sum += more);
                }
            }
        }
    }

    /// The rows of a track; none without a contig that has tokens enough.
    pub fn finish(self, request: &AssociationRequest) -> (Vec<TokenRow>, Vec<TokenLengthRow>) {
        let row = |given: usize| {
            let lines: Vec<&Line> = self.lines[given].iter().collect();
            let rng = Rng::new(request.seed).derive(&format!("tokens {}", GIVEN[given]));
            let found = correlate(&lines, request, &rng);
            TokenRow {
                track: self.track.clone(),
                given: GIVEN[given].into(),
                n_tokens: found.n,
                n_without_track: self.n_without_track,
                n_blocks: found.n_blocks,
                n_contigs: lines.len() as u64,
                correlation: found.correlation,
                ci_low: found.ci_low,
                ci_high: found.ci_high,
                p_value: found.p_value,
                p_floor: found.p_floor,
            }
        };
        if self.lines[0].is_empty() {
            return Default::default();
        }
        let lengths = LENGTHS
            .iter()
            .zip(&self.lengths)
            .filter_map(|(of, blocks)| {
                let rows: Vec<[f64; 3]> = blocks.values().copied().collect();
                let total = |column: usize| rows.iter().map(|row| row[column]).sum::<f64>();
                let mean = |column: usize| {
                    let rng = Rng::new(request.seed).derive("token lengths");
                    let of = |sums: &[f64; 3]| sums[column] / sums[0];
                    let (low, high) = totals_interval(&rows, of, request.bootstraps, LEVEL, &rng);
                    [total(column) / total(0), low, high]
                };
                let ([mean, mean_low, mean_high], [rest, rest_low, rest_high]) = (mean(1), mean(2));
                (!rows.is_empty()).then(|| TokenLengthRow {
                    track: self.track.clone(),
                    length_from: *of.start() as u64,
                    length_to: (*of.end() < usize::MAX).then_some(*of.end() as u64),
                    n_tokens: total(0) as u64,
                    n_blocks: rows.len() as u64,
                    mean,
                    mean_low,
                    mean_high,
                    percentile: 100.0 * rest,
                    percentile_low: 100.0 * rest_low,
                    percentile_high: 100.0 * rest_high,
                })
            });
        let lengths = lengths.collect();
        ((0..GIVEN.len()).map(row).collect(), lengths)
    }
}

fn bases(of: &Interval) -> Range<usize> {
    of.start..of.end
}

/// The rank of the track at each base of `tokens` among them all, ties sharing the mean of theirs,
/// from -1/2 to 1/2; 0 elsewhere.
fn ranks(values: &[f32], tokens: &[Interval]) -> Vec<f32> {
    let all = || tokens.iter().flat_map(bases);
    let mut sorted: Vec<f32> = all().map(|base| values[base]).collect();
    sorted.retain(|value| !value.is_nan());
    sorted.par_sort_unstable_by(f32::total_cmp);
    let n = sorted.len() as f64;
    let mut ranks = vec![0.0; values.len()];
    // Neighbours often have the same value.
    let (mut last, mut rank) = (f32::NAN, 0.0);
    for base in all().filter(|base| !values[*base].is_nan()) {
        let value = values[base];
        if value != last {
            let below = sorted.partition_point(|other| *other < value);
            let to = below + sorted[below..].partition_point(|other| *other == value);
            (last, rank) = (value, ((below + to) as f64 / 2.0 / n - 0.5) as f32);
        }
        ranks[base] = rank;
    }
    ranks
}

/// The sum over tokens of `a` times the mean rank, with the ranks circularly shifted against the
/// tokens by every multiple of the least distance, by none first. Bases of no token and those that
/// the track does not know are left out of the circle.
fn shifted(tokens: &[Interval], a: &[f64], values: &[f32], ranks: &[f32]) -> Vec<f64> {
    let (mut weights, mut series): (Vec<f32>, Vec<f32>) = (Vec::new(), Vec::new());
    for (token, a) in tokens.iter().zip(a) {
        let from = series.len();
        series
            .extend((bases(token).filter(|base| !values[*base].is_nan())).map(|base| ranks[base]));
        let n = series.len() - from;
        weights.resize(series.len(), (a / n as f64) as f32);
    }
    let stride = series.len().div_ceil(MOST_SHIFTS).max(1);
    let circle = series.len().div_ceil(stride);
    // Mean 0 fills up the circle.
    let phase = |of: &[f32], first: usize| -> Vec<f64> {
        (0..circle)
            .map(|step| of.get(step * stride + first).map_or(0.0, |v| f64::from(*v)))
            .collect()
    };
    let mut sums = vec![0.0; circle];
    // A few at a time: each holds a transform of its phase.
    for phases in (0..stride).collect::<Vec<_>>().chunks(4) {
        let curves: Vec<Vec<f64>> = phases
            .par_iter()
            .map(|first| circular_correlation(&phase(&weights, *first), &phase(&series, *first)))
            .collect();
        for curve in curves {
            sums.iter_mut()
                .zip(curve)
                .for_each(|(sum, more)| *sum += more);
        }
    }
    sums
}

/// What is accounted for, by token.
struct Columns<'a> {
    letters: &'a [u8],
    /// How many of the bases before each are G or C, start with a CpG, or are soft-masked.
    before: [Vec<u32>; 3],
    /// Of each reach: the rank of a token with so much G+C.
    ranks: [Vec<f64>; GC_REACHES.len()],
}

impl<'a> Columns<'a> {
    fn new(read: &'a Read, tokens: &[Interval]) -> Columns<'a> {
        let letters = &read.letters[..];
        let is_cpg = |base: usize| {
            let pair = letters.get(base..base + 2);
            pair.is_some_and(|pair| pair.eq_ignore_ascii_case(b"CG"))
        };
        let before = [
            sums_before(letters.len(), |base| is_gc(letters[base])),
            sums_before(letters.len(), is_cpg),
            sums_before(letters.len(), |base| letters[base].is_ascii_lowercase()),
        ];
        let mut columns = Columns {
            letters,
            before,
            ranks: Default::default(),
        };
        columns.ranks = GC_REACHES.map(|reach| {
            let mut frequencies = vec![0u64; 2 * reach + 1];
            tokens
                .iter()
                .for_each(|token| frequencies[columns.near(0, token, reach)] += 1);
            let mut below = 0;
            let rank = |n: &u64| {
                below += n;
                (below as f64 - *n as f64 / 2.0) / tokens.len() as f64 - 0.5
            };
            frequencies.iter().map(rank).collect()
        });
        columns
    }

    /// How much of `what` lies within reach of a token's middle.
    fn near(&self, what: usize, token: &Interval, reach: usize) -> usize {
        let middle = (token.start + token.end) / 2;
        let (from, to) = (
            middle.saturating_sub(reach),
            (middle + reach).min(self.letters.len()),
        );
        (self.before[what][to] - self.before[what][from]) as usize
    }

    /// The numbers of a token, one first.
    fn row(&self, token: &Interval) -> [f64; WIDTH] {
        let mut row = [0.0; WIDTH];
        row[0] = 1.0;
        let mut at = 1;
        for cut in [token.start, token.end] {
            let pair = self.letters[cut - 1..=cut].iter();
            let pair = pair.fold(0, |pair, letter| 4 * pair + code(*letter).unwrap_or(0));
            row[at + pair] = 1.0;
            at += 16;
        }
        for base in bases(token) {
            if let Some(code @ 1..) = code(self.letters[base]) {
                row[at + code - 1] += 1.0 / token.len_bp() as f64;
            }
        }
        at += 3;
        for (reach, ranks) in GC_REACHES.iter().zip(&self.ranks) {
            let rank = ranks[self.near(0, token, *reach)];
            row[at] = rank;
            for knot in 1..=KNOTS {
                row[at + knot] = (rank + 0.5 - knot as f64 / (KNOTS + 1) as f64).max(0.0);
            }
            at += 1 + KNOTS;
        }
        for reach in OTHER_REACHES {
            for what in [1, 2] {
                row[at] = self.near(what, token, reach) as f64 / (2 * reach) as f64;
                at += 1;
            }
        }
        row
    }
}

/// How many of the bases before each are so; one more than there are bases.
pub(super) fn sums_before(n: usize, is: impl Fn(usize) -> bool) -> Vec<u32> {
    let mut found = Vec::with_capacity(n + 1);
    found.push(0);
    for base in 0..n {
        found.push(found[base] + u32::from(is(base)));
    }
    found
}
