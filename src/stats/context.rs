//! How much of a value at each inter-base position the letters around it explain: a back-off table,
//! cross-fitted over folds.
//!
//! The estimate of width `k` at a position is the mean of the values seen in the same `k` letters
//! on either side, shrunk towards the estimate of width `k - 1`: `(sum + w_k estimate_{k-1}) / (n +
//! w_k)`; width 0 is the mean of all. Everything is estimated without the position's own fold. The
//! weight `w_k` of a held-out fold is that of [`WEIGHTS`] with the least squared error when each of
//! the other folds is predicted from the rest of them, narrow widths first; it may say that a width
//! is not used at all. So a wider context that does not carry over to other genes does no harm.
//!
//! Observations with an unknown letter within [`WIDEST`] letters are left out of the fit and
//! counted; predictions there use the widest context that is known.

mod explained;
mod fit;

use std::collections::HashMap;

use rayon::prelude::*;

use crate::error::{Error, Result};
pub use explained::{Explained, R2};
pub use fit::WEIGHTS;

/// Letters on either side of the widest context.
pub const WIDEST: usize = 8;
/// Number of folds.
pub const FOLDS: usize = 5;
/// A context seen this often has its sums stored; those of a rarer one are taken when asked for.
const OFTEN: usize = 32;

/// The letters around an inter-base position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// Pairs of a left and a right letter, two bits each, from the inside out, the innermost in the
    /// highest bits.
    letters: u32,
    /// Letters known on either side, at most [`WIDEST`].
    known: u8,
}

impl Context {
    /// The context of inter-base position `position` (between `codes[position - 1]` and
    /// `codes[position]`). Codes 0 to 3 are letters, all others unknown, as is what lies beyond the
    /// ends.
    pub fn around(codes: &[u8], position: usize) -> Context {
        let mut context = Context {
            letters: 0,
            known: 0,
        };
        for width in 0..WIDEST {
            let left = position.checked_sub(width + 1).and_then(|i| codes.get(i));
            let right = position.checked_add(width).and_then(|i| codes.get(i));
            let (Some(left @ 0..=3), Some(right @ 0..=3)) = (left, right) else {
                break;
            };
            context.letters |= u32::from(left << 2 | right) << (28 - 4 * width);
            context.known += 1;
        }
        context
    }
}

/// Upper-case letters as codes: 0 to 3 for A, C, G and T, 4 for all others.
pub fn codes(letters: &[u8]) -> Vec<u8> {
    letters
        .iter()
        .map(|letter| b"ACGT".iter().position(|b| b == letter).unwrap_or(4) as u8)
        .collect()
}

/// The innermost `width` pairs of letters, 1 to [`WIDEST`].
fn prefix(letters: u32, width: usize) -> u32 {
    letters >> (4 * (WIDEST - width))
}

/// A fold of clusters that are predicted together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fold(u8);

impl Fold {
    /// Deals clusters of the given sizes into [`FOLDS`] folds of about equal size: the largest
    /// first, each to the fold that has least.
    pub fn deal(sizes: &[u64]) -> Vec<Fold> {
        let mut order: Vec<usize> = (0..sizes.len()).collect();
        order.sort_by_key(|i| std::cmp::Reverse(sizes[*i]));
        let (mut folds, mut load) = (vec![Fold(0); sizes.len()], [0u64; FOLDS]);
        for cluster in order {
            let least = (0..FOLDS).min_by_key(|fold| load[*fold]).unwrap_or(0);
            load[least] = load[least].saturating_add(sizes[cluster].max(1));
            folds[cluster] = Fold(least as u8);
        }
        folds
    }

    /// Its number, below [`FOLDS`].
    pub fn number(self) -> usize {
        usize::from(self.0)
    }
}

/// One value to fit.
#[derive(Clone, Copy, Debug)]
struct Observation {
    letters: u32,
    value: f32,
    fold: Fold,
}

/// Values to fit, 12 bytes each.
#[derive(Clone, Debug, Default)]
pub struct Observations {
    all: Vec<Observation>,
    left_out: usize,
}

impl Observations {
    /// Adds the value at a position. Left out and counted if a letter is unknown or the value not
    /// finite.
    pub fn push(&mut self, context: Context, fold: Fold, value: f32) {
        if usize::from(context.known) == WIDEST && value.is_finite() {
            self.all.push(Observation {
                letters: context.letters,
                value,
                fold,
            });
        } else {
            self.left_out += 1;
        }
    }

    /// How many are fitted.
    pub fn n(&self) -> usize {
        self.all.len()
    }

    /// How many were left out.
    pub fn left_out(&self) -> usize {
        self.left_out
    }
}

/// Number and sum of values by fold.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    n: [u32; FOLDS],
    sum: [f64; FOLDS],
}

impl Sums {
    fn of(run: &[Observation]) -> Sums {
        let mut sums = Sums::default();
        for observation in run {
            sums.n[observation.fold.number()] += 1;
            sums.sum[observation.fold.number()] += f64::from(observation.value);
        }
        sums
    }

    /// (number, sum) of the folds that are kept.
    fn of_folds(&self, kept: impl Fn(usize) -> bool) -> (f64, f64) {
        (0..FOLDS)
            .filter(|fold| kept(*fold))
            .fold((0.0, 0.0), |(n, sum), fold| {
                (n + f64::from(self.n[fold]), sum + self.sum[fold])
            })
    }
}

/// The mean of `n` values, shrunk.
fn shrunk((n, sum): (f64, f64), weight: f64, toward: f64) -> f64 {
    if n == 0.0 || weight.is_infinite() {
        toward
    } else {
        (sum + weight * toward) / (n + weight)
    }
}

/// A context seen often.
#[derive(Debug)]
struct Often {
    start: usize,
    end: usize,
    sums: Sums,
}

/// A fitted table.
#[derive(Debug)]
pub struct ContextTable {
    /// In order of letters, so that each context of each width is one run.
    all: Vec<Observation>,
    /// For each width, the contexts seen often.
    often: Vec<HashMap<u32, Often>>,
    /// By held-out fold: the mean of the others.
    means: [f64; FOLDS],
    /// By width, then held-out fold; width 0 is not used.
    weights: Vec<[f64; FOLDS]>,
}

impl ContextTable {
    /// Fits a table. The order of the observations does not matter.
    ///
    /// # Errors
    /// Fewer than three folds with observations: the weights are chosen by predicting one fold from
    /// another while a third is held out.
    pub fn fit(observations: Observations) -> Result<ContextTable> {
        let mut all = observations.all;
        all.par_sort_unstable_by_key(|o| (o.letters, o.fold.0, o.value.to_bits()));
        let sums = Sums::of(&all);
        let filled = sums.n.iter().filter(|n| **n > 0).count();
        if filled < 3 {
            return Err(Error::Invalid(format!(
                "a table of local nucleotides needs positions in three folds of genes or more; there are {filled}"
            )));
        }
        let means = std::array::from_fn(|held_out| {
            let (n, sum) = sums.of_folds(|fold| fold != held_out);
            sum / n
        });
        let weights = fit::weights(&all, &sums);
        let often = (0..=WIDEST)
            .into_par_iter()
            .map(|width| {
                if width == 0 {
                    HashMap::new()
                } else {
                    often(&all, width)
                }
            })
            .collect();
        Ok(ContextTable {
            all,
            often,
            means,
            weights,
        })
    }

    /// The weights that were chosen, by width from 0 (not used) to [`WIDEST`], for each held-out
    /// fold.
    pub fn weights(&self) -> &[[f64; FOLDS]] {
        &self.weights
    }

    /// The estimates at a position of a held-out fold, for widths 0 to [`WIDEST`]. Beyond what is
    /// known of the letters, that of the widest context that is.
    pub fn predict(&self, context: Context, held_out: Fold) -> [f32; WIDEST + 1] {
        Walk::new(self).predict(context, held_out)
    }

    /// What `of` takes of those at many positions, in their order. They are taken in order of
    /// letters, so that positions with the same letters next to them share the work: a few large
    /// calls cost less than many small ones. Memory: 8 bytes a position and the results twice.
    pub fn predict_all<T: Copy + Default + Send>(
        &self,
        positions: &[(Context, Fold)],
        of: impl Fn([f32; WIDEST + 1]) -> T + Sync,
    ) -> Vec<T> {
        // Letters above, index below.
        let mut order: Vec<u64> = (0u64..)
            .zip(positions)
            .map(|(index, (context, _))| u64::from(context.letters) << 32 | index)
            .collect();
        order.par_sort_unstable();
        let index = |key: &u64| (*key & u64::from(u32::MAX)) as usize;
        let walked = |some: &[u64]| {
            let mut walk = Walk::new(self);
            some.iter()
                .map(|key| positions[index(key)])
                .map(|(context, held_out)| of(walk.predict(context, held_out)))
                .collect::<Vec<T>>()
        };
        let parts: Vec<Vec<T>> = order.par_chunks(1 << 14).map(walked).collect();
        let mut all = vec![T::default(); positions.len()];
        order
            .iter()
            .zip(parts.into_iter().flatten())
            .for_each(|(key, taken)| all[index(key)] = taken);
        all
    }

    /// The part of a run of contexts of width `width - 1` with the same letters at `width` too.
    fn narrowed<'a>(
        &'a self,
        run: &'a [Observation],
        letters: u32,
        width: usize,
    ) -> (&'a [Observation], Sums) {
        let wanted = prefix(letters, width);
        // Inside a rare context all are rare.
        let often = if run.len() > OFTEN {
            self.often[width].get(&wanted)
        } else {
            None
        };
        if let Some(often) = often {
            return (&self.all[often.start..often.end], often.sums);
        }
        let start = run.partition_point(|o| prefix(o.letters, width) < wanted);
        let length = run[start..].partition_point(|o| prefix(o.letters, width) == wanted);
        let run = &run[start..start + length];
        (run, Sums::of(run))
    }
}

/// Predictions one after the other: what the letters of one share with those of the last is not
/// looked for again.
struct Walk<'a> {
    table: &'a ContextTable,
    letters: u32,
    /// The contexts of width 1 and on with the last letters: their runs and sums.
    found: Vec<(&'a [Observation], Sums)>,
}

impl<'a> Walk<'a> {
    fn new(table: &'a ContextTable) -> Walk<'a> {
        Walk {
            table,
            letters: 0,
            found: Vec::with_capacity(WIDEST),
        }
    }

    fn predict(&mut self, context: Context, held_out: Fold) -> [f32; WIDEST + 1] {
        let shared = (self.letters ^ context.letters).leading_zeros() as usize / 4;
        self.found.truncate(shared);
        self.letters = context.letters;
        let mut estimate = self.table.means[held_out.number()];
        let mut estimates = [estimate as f32; WIDEST + 1];
        for width in 1..=WIDEST {
            let run = width
                .checked_sub(2)
                .map_or(self.table.all.as_slice(), |above| self.found[above].0);
            if width <= usize::from(context.known) && !run.is_empty() {
                if self.found.len() < width {
                    self.found
                        .push(self.table.narrowed(run, context.letters, width));
                }
                let seen = self.found[width - 1]
                    .1
                    .of_folds(|fold| fold != held_out.number());
                estimate = shrunk(seen, self.table.weights[width][held_out.number()], estimate);
            } else {
                estimates[width..].fill(estimate as f32);
                return estimates;
            }
            estimates[width] = estimate as f32;
        }
        estimates
    }
}

fn often(all: &[Observation], width: usize) -> HashMap<u32, Often> {
    let (mut found, mut start) = (HashMap::new(), 0);
    for run in all.chunk_by(|a, b| prefix(a.letters, width) == prefix(b.letters, width)) {
        if run.len() > OFTEN {
            found.insert(
                prefix(run[0].letters, width),
                Often {
                    start,
                    end: start + run.len(),
                    sums: Sums::of(run),
                },
            );
        }
        start += run.len();
    }
    found
}

#[cfg(test)]
mod tests;
