//! Windows of one size: boundaries, tokens and composition, and their correlation with a track.

use std::collections::BTreeMap;

use super::reading::{Position, Read};
use crate::genome::sequence::is_gc;
use crate::stats::agreement::ranks;
use crate::stats::partial::{Accounted, bent_lines};
use crate::stats::rng::Rng;

/// A contig with fewer windows than this says nothing.
pub const LEAST_WINDOWS: usize = 60;

/// Least share of a window's positions that were read.
pub const READ: f64 = 0.9;

/// Least share of a window's bases that the track knows.
pub const KNOWN: f64 = 0.5;

/// The track is taken as measured with an error of this share of its standard deviation: what
/// follows from composition to the last digit would leave a rest that is nothing but the misfit of
/// the lines through it.
pub const ERROR: f64 = 0.1;

/// Windows for each knot of the lines through a covariate, and the most of those.
const WINDOWS_A_KNOT: usize = 100;
const MOST_KNOTS: usize = 9;
const FEW_KNOTS: usize = 3;

/// Windows on either side whose composition counts as that of the surroundings.
const AROUND: usize = 2;

/// What a window holds.
#[derive(Clone, Debug, Default)]
struct Counts {
    read: f64,
    boundaries: f64,
    /// Tokens that start in it, and the sum of their lengths in bases.
    tokens: f64,
    token_bp: f64,
    plain: f64,
    gc: f64,
    cpg: f64,
    soft_masked: f64,
    dinucleotides: [f64; 16],
}

/// Windows on a grid from the start of a contig; what is left at its end is in none.
pub(super) struct Windows {
    pub bp: usize,
    counts: Vec<Counts>,
}

/// What became of the windows of a contig.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counted {
    pub used: u64,
    pub unread: u64,
    pub without_track: u64,
    pub without_token: u64,
}

/// The correlation along one contig.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// Windows.
    pub n: u64,
    /// The correlation with the track shifted circularly by every number of windows, by none first;
    /// of tokens the covariance, by multiples of bases, in units that make the first a correlation.
    pub turned: Vec<f64>,
    /// By number of block: windows, sums, sums of squares and of products, of both series scaled to
    /// unit variance.
    pub blocks: BTreeMap<usize, [f64; 6]>,
}

impl Line {
    pub fn correlation(&self) -> f64 {
        self.turned.first().copied().unwrap_or(f64::NAN)
    }
}

/// The number of A, C, G or T.
pub(super) fn code(letter: u8) -> Option<usize> {
    match letter.to_ascii_uppercase() {
        b'A' => Some(0),
        b'C' => Some(1),
        b'G' => Some(2),
        b'T' => Some(3),
        _ => None,
    }
}

impl Windows {
    pub fn new(read: &Read, bp: usize) -> Windows {
        let mut counts = vec![Counts::default(); read.letters.len() / bp];
        let end = counts.len() * bp;
        for token in read.tokens() {
            if let Some(window) = counts.get_mut(token.start / bp) {
                window.tokens += 1.0;
                window.token_bp += token.len_bp() as f64;
            }
        }
        let mut before: Option<usize> = None;
        for (base, (letter, position)) in read
            .letters
            .iter()
            .zip(&read.positions)
            .enumerate()
            .take(end)
        {
            let window = &mut counts[base / bp];
            if *position != Position::Unknown {
                window.read += 1.0;
                window.boundaries += f64::from(u8::from(*position == Position::Boundary));
            }
            let this = code(*letter);
            if let Some(this) = this {
                window.plain += 1.0;
                window.gc += f64::from(u8::from(is_gc(*letter)));
                window.soft_masked += f64::from(u8::from(letter.is_ascii_lowercase()));
                if let Some(before) = before.filter(|_| base % bp > 0) {
                    window.dinucleotides[4 * before + this] += 1.0;
                    window.cpg += f64::from(u8::from((before, this) == (1, 2)));
                }
            }
            before = this;
        }
        Windows { bp, counts }
    }

    /// The mean of the track over each window; `NaN` where it knows too little of it.
    pub fn means(&self, values: &[f32]) -> Vec<f64> {
        let mean = |window: &[f32]| {
            let known = || window.iter().filter(|value| !value.is_nan());
            match known().count() {
                n if n as f64 >= KNOWN * self.bp as f64 => {
                    known().map(|value| f64::from(*value)).sum::<f64>() / n as f64
                }
                _ => f64::NAN,
            }
        };
        values.chunks_exact(self.bp).map(mean).collect()
    }

    /// The correlations of a measure (0: boundaries a base, 1: token length) with the track's
    /// means, nothing accounted for and composition accounted for; none with too few windows or
    /// where nothing varies.
    pub fn lines(
        &self,
        means: &[f64],
        measure: usize,
        block_bp: usize,
        rng: &Rng,
    ) -> (Counted, Option<[Line; 2]>) {
        let (mut counted, mut used, mut values) = (Counted::default(), Vec::new(), Vec::new());
        for (number, window) in self.counts.iter().enumerate() {
            let value = match measure {
                0 => window.boundaries / window.read,
                _ => window.token_bp / window.tokens,
            };
            if window.read < READ * self.bp as f64 {
                counted.unread += 1;
            } else if means[number].is_nan() {
                counted.without_track += 1;
            } else if value.is_nan() {
                counted.without_token += 1;
            } else {
                counted.used += 1;
                used.push(number);
                values.push(value);
            }
        }
        let track: Vec<f64> = used.iter().map(|number| means[*number]).collect();
        if used.len() < LEAST_WINDOWS || !varies(&values) || !varies(&track) {
            return (counted, None);
        }
        let (values, mut track) = (ranks(&values), ranks(&track));
        // An even law of unit variance reaches over the square root of 12.
        let error = ERROR * 12f64.sqrt() * crate::stats::variance(&track).sqrt();
        let mut rng = rng.derive("error of the track");
        track
            .iter_mut()
            .for_each(|value| *value += error * (rng.uniform() - 0.5));
        let blocks: Vec<usize> = used
            .iter()
            .map(|number| number * self.bp / block_bp)
            .collect();
        let n = used.len();
        let lines = [
            Accounted::new(n, []),
            Accounted::new(n, self.composition(&used)),
        ]
        .map(|accounted| line(&accounted, &values, &track, &blocks));
        (counted, Some(lines))
    }

    /// The columns of composition, and of what stands in for mappability.
    fn composition(&self, used: &[usize]) -> Vec<Vec<f64>> {
        let knots = (used.len() / WINDOWS_A_KNOT).clamp(1, MOST_KNOTS);
        let few = knots.min(FEW_KNOTS);
        let each = |of: &dyn Fn(&Counts) -> f64| -> Vec<f64> {
            used.iter()
                .map(|number| of(&self.counts[*number]))
                .collect()
        };
        let around = |of: &dyn Fn(&Counts) -> f64| -> Vec<f64> {
            let share = |number: &usize| {
                let near =
                    number.saturating_sub(AROUND)..(number + AROUND + 1).min(self.counts.len());
                let plain: f64 = self.counts[near.clone()].iter().map(|c| c.plain).sum();
                self.counts[near].iter().map(of).sum::<f64>() / plain.max(1.0)
            };
            used.iter().map(share).collect()
        };
        let share = |of: f64, window: &Counts| of / window.plain.max(1.0);
        let mut columns = bent_lines(ranks(&each(&|w| share(w.gc, w))), knots);
        columns.extend(bent_lines(ranks(&around(&|w| w.gc)), few));
        columns.extend(bent_lines(ranks(&each(&|w| share(w.cpg, w))), few));
        columns.extend(bent_lines(ranks(&around(&|w| w.cpg)), few));
        columns.extend(bent_lines(ranks(&each(&|w| share(w.soft_masked, w))), 1));
        columns.push(each(&|w| 1.0 - w.plain / self.bp as f64));
        columns.extend((0..16).map(|pair| each(&|w| share(w.dinucleotides[pair], w))));
        columns
    }
}

fn line(accounted: &Accounted, values: &[f64], track: &[f64], blocks: &[usize]) -> Line {
    let [a, b] = [values, track].map(|of| accounted.rest(of));
    Line {
        n: values.len() as u64,
        turned: accounted.turned(&a, &b),
        blocks: block_sums(&a, &b, |number| blocks[number]),
    }
}

/// Whether there are two values among them.
pub(super) fn varies(of: &[f64]) -> bool {
    of.iter().any(|value| *value != of[0])
}

/// The standard deviation of a series with mean 0.
pub(super) fn scale(of: &[f64]) -> f64 {
    let mean = of.iter().map(|v| v * v).sum::<f64>() / of.len() as f64;
    mean.sqrt().max(f64::MIN_POSITIVE)
}

/// What [`Line::blocks`] holds of two series with mean 0.
pub(super) fn block_sums(
    a: &[f64],
    b: &[f64],
    block: impl Fn(usize) -> usize,
) -> BTreeMap<usize, [f64; 6]> {
    let (scale_a, scale_b) = (scale(a), scale(b));
    let mut sums: BTreeMap<usize, [f64; 6]> = BTreeMap::new();
    for (number, (a, b)) in a.iter().zip(b).enumerate() {
        let (a, b) = (a / scale_a, b / scale_b);
        sums.entry(block(number))
            .or_default()
            .iter_mut()
            .zip([1.0, a, b, a * a, b * b, a * b])
            .for_each(|(sum, more)| *sum += more);
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_by_hand() {
        let mut probabilities = [0.0; 12];
        [2, 5, 9].iter().for_each(|at| probabilities[*at] = 0.9);
        let windows = Windows::new(&Read::new(b"ACGTacgNCCAG".to_vec(), &probabilities), 4);
        let [first, second, third] = &windows.counts[..] else {
            panic!("three windows")
        };
        assert_eq!((first.read, first.boundaries, first.gc), (3.0, 1.0, 2.0));
        assert_eq!((first.cpg, first.tokens, first.token_bp), (1.0, 1.0, 3.0));
        assert_eq!(
            (second.read, second.plain, second.soft_masked),
            (3.0, 3.0, 3.0)
        );
        assert_eq!(second.tokens, 0.0, "a token that an N ends is no token");
        assert_eq!((third.read, third.boundaries), (3.0, 1.0));
        assert_eq!(third.dinucleotides.iter().sum::<f64>(), 3.0);
        let means = windows.means(&[1.0, f32::NAN, 3.0, 2.0, f32::NAN, f32::NAN, f32::NAN, 1.0]);
        assert!(means[0] == 2.0 && means[1].is_nan());
    }
}
