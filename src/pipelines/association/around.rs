//! The track around boundaries, against positions that are none and have the same letters around
//! them.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::reading::{Position, Read};
use super::rows::{AroundRow, ProfileRow};
use super::tokens::sums_before;
use super::{AssociationRequest, LEVEL};
use crate::genome::sequence::is_gc;
use crate::stats::Moments;
use crate::stats::bootstrap::{Band, ProfileSums, totals_interval};
use crate::stats::fourier::circular_correlation;
use crate::stats::rng::Rng;
use crate::stats::shift::TurnedProfiles;

/// Bases of a bin of the profile.
pub const BIN_BP: usize = 10;

/// Letters on either side of a position that a control shares: k-mers of twice that.
pub const FLANK: usize = 3;

/// Bases on either side of a position whose G+C is that of its surroundings.
pub const GC_FLANK: usize = 100;

/// The middle of the profile: bins within this distance, in bases.
pub const MIDDLE_BP: usize = 50;

/// Classes of G+C nearby, times two of soft-masking.
const GC_CLASSES: usize = 5;
const CLASSES: usize = 2 * GC_CLASSES;

const KMERS: usize = 1 << (4 * FLANK);

/// What a control shares with its boundary beside the contig.
const CONTROLS: [&str; 2] = ["same k-mer", "same k-mer and composition"];

/// A position that is in no stratum.
const NONE: u32 = u32::MAX;

/// The profiles of one track, contig by contig.
pub(super) struct Around {
    track: String,
    width: usize,
    known: Moments,
    kinds: [Contrast; 2],
    n_boundaries: u64,
    n_near_gap: u64,
    blocks: usize,
    lines: u64,
}

/// The profile against one kind of control.
struct Contrast {
    turned: TurnedProfiles,
    boundaries: ProfileSums,
    controls: ProfileSums,
    differences: ProfileSums,
    /// By block: the sum of differences in the middle, and boundaries.
    middle: Vec<[f64; 2]>,
    n_used: u64,
    n_unmatched: u64,
}

/// A contig's track by bin, of bins that are known alone: gaps are closed.
struct Bins {
    /// Bins of the contig, ascending.
    numbers: Vec<usize>,
    values: Vec<f64>,
    /// Where each bin of the contig stands among those; one more than there are bins.
    before: Vec<u32>,
}

impl Bins {
    fn new(read: &Read, values: &[f32]) -> Bins {
        let (mut numbers, mut means, mut before) = (Vec::new(), Vec::new(), vec![0]);
        for (number, (values, positions)) in values
            .chunks_exact(BIN_BP)
            .zip(read.positions.chunks_exact(BIN_BP))
            .enumerate()
        {
            let known = || values.iter().filter(|value| !value.is_nan());
            let n_read = positions
                .iter()
                .filter(|p| **p != Position::Unknown)
                .count();
            if 2 * known().count() >= BIN_BP && 2 * n_read >= BIN_BP {
                numbers.push(number);
                let sum: f64 = known().map(|value| f64::from(*value)).sum();
                means.push(sum / known().count() as f64);
            }
            before.push(numbers.len() as u32);
        }
        Bins {
            numbers,
            values: means,
            before,
        }
    }

    /// Where the bin of a base stands, if all bins within `reach` of it are known.
    fn whole(&self, base: usize, reach: usize) -> Option<usize> {
        let bin = base / BIN_BP;
        let (from, to) = (bin.checked_sub(reach)?, bin + reach + 1);
        let before = *self.before.get(to)? - self.before[from];
        (before as usize == to - from).then(|| self.before[bin] as usize)
    }
}

/// The stratum of each position: its k-mer, G+C nearby in classes of equal size, and whether its
/// base is soft-masked.
fn strata(read: &Read, usable: &[bool]) -> Vec<u32> {
    let n = read.letters.len();
    let gc = sums_before(n, |base| is_gc(read.letters[base]));
    let near = |base: usize| {
        let (from, to) = (base.saturating_sub(GC_FLANK), (base + GC_FLANK).min(n));
        (gc[to] - gc[from]) as usize
    };
    let mut frequencies = vec![0u64; 2 * GC_FLANK + 1];
    for base in (0..n).filter(|base| usable[*base]) {
        frequencies[near(base)] += 1;
    }
    let total: u64 = frequencies.iter().sum();
    let mut below = 0;
    let classes: Vec<usize> = frequencies
        .iter()
        .map(|n| {
            let middle = below + n / 2;
            below += n;
            ((middle * GC_CLASSES as u64 / total.max(1)) as usize).min(GC_CLASSES - 1)
        })
        .collect();
    let mut found = vec![NONE; n];
    let (mut kmer, mut plain) = (0usize, 0usize);
    for (base, letter) in read.letters.iter().enumerate() {
        match b"ACGT".iter().position(|l| l.eq_ignore_ascii_case(letter)) {
            Some(code) => (kmer, plain) = ((4 * kmer + code) % KMERS, plain + 1),
            None => plain = 0,
        }
        let Some(at) = (base + 1).checked_sub(FLANK).filter(|_| plain >= 2 * FLANK) else {
            continue;
        };
        if usable[at] {
            let soft = usize::from(read.letters[at].is_ascii_lowercase());
            found[at] = (CLASSES * kmer + 2 * classes[near(at)] + soft) as u32;
        }
    }
    found
}

impl Around {
    pub fn new(track: &str, request: &AssociationRequest) -> Around {
        let reach = request.reach_bp / BIN_BP;
        let width = 2 * reach + 1;
        let kind = |label: &str| Contrast {
            turned: TurnedProfiles::new(
                reach,
                request.permutations,
                Rng::new(request.seed).derive(label).next_u64(),
            ),
            boundaries: ProfileSums::new(width),
            controls: ProfileSums::new(width),
            differences: ProfileSums::new(width),
            middle: Vec::new(),
            n_used: 0,
            n_unmatched: 0,
        };
        Around {
            track: track.into(),
            width,
            known: Moments::default(),
            kinds: CONTROLS.map(kind),
            n_boundaries: 0,
            n_near_gap: 0,
            blocks: 0,
            lines: 0,
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
        let (bins, reach) = (Bins::new(read, values), self.width / 2);
        let is_known = |p: &Position| *p != Position::Unknown;
        let usable: Vec<bool> = (read.positions.iter().enumerate())
            .map(|(base, p)| is_known(p) && bins.whole(base, reach).is_some())
            .collect();
        let is_boundary = |base: usize| read.positions[base] == Position::Boundary;
        let strata = strata(read, &usable);
        for base in (0..usable.len()).filter(|base| is_boundary(*base)) {
            self.n_boundaries += 1;
            self.n_near_gap += u64::from(strata[base] == NONE);
        }
        bins.values.iter().for_each(|value| self.known.push(*value));
        let mean = crate::stats::mean(&bins.values);
        let centred: Vec<f64> = bins.values.iter().map(|value| value - mean).collect();
        // Bins of a block, as places among known bins.
        let mut blocks: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (place, number) in bins.numbers.iter().enumerate() {
            blocks
                .entry(number * BIN_BP / request.block_bp)
                .or_default()
                .push(place);
        }
        for (number, kind) in self.kinds.iter_mut().enumerate() {
            let stratum = |base: usize| match number {
                0 => strata[base] as usize / CLASSES,
                _ => strata[base] as usize,
            };
            let placed = || (0..strata.len()).filter(|base| strata[*base] != NONE);
            let mut counts = vec![[0u32; 2]; KMERS * CLASSES];
            placed().for_each(|base| {
                counts[stratum(base)][usize::from(is_boundary(base))] += 1;
            });
            // Of each known bin: boundaries, and controls in the measure in which they stand for
            // boundaries.
            let mut weights = vec![[0.0f64; 2]; bins.values.len()];
            for base in placed() {
                let [inside, boundaries] = counts[stratum(base)];
                let Some(place) = bins.whole(base, reach) else {
                    continue;
                };
                match (is_boundary(base), inside, boundaries) {
                    (true, 0, _) => kind.n_unmatched += 1,
                    (true, ..) => {
                        kind.n_used += 1;
                        weights[place][0] += 1.0;
                    }
                    (false, _, 0) => {}
                    (false, ..) => {
                        weights[place][1] += f64::from(boundaries) / f64::from(inside);
                    }
                }
            }
            let contrast: Vec<f64> = weights.iter().map(|[one, other]| one - other).collect();
            kind.turned
                .add(contig as u64, &circular_correlation(&contrast, &centred));
            let of_block = |places: &Vec<usize>| sums(places, &weights, &bins.values, reach);
            let sums: Vec<Sums> = blocks
                .values()
                .collect::<Vec<_>>()
                .into_par_iter()
                .map(of_block)
                .collect();
            for (block, sums) in sums.iter().enumerate() {
                kind.take(self.blocks + block, sums, mean);
            }
        }
        self.blocks += blocks.len();
        self.lines += u64::from(!bins.values.is_empty());
    }

    /// The rows of a track; none without a boundary that has controls.
    pub fn finish(self, request: &AssociationRequest) -> (Vec<AroundRow>, Vec<ProfileRow>) {
        let (mut rows, mut profile) = (Vec::new(), Vec::new());
        let reach = self.width / 2;
        let middle = (MIDDLE_BP / BIN_BP).min(reach);
        let centre = reach - middle..=reach + middle;
        for (kind, control) in self.kinds.iter().zip(CONTROLS) {
            if kind.n_used == 0 {
                continue;
            }
            let n = kind.n_used as f64;
            let test = kind.turned.test(middle);
            let band = |sums: &ProfileSums| sums.band(request.bootstraps, LEVEL, request.seed);
            let [boundaries, controls, differences] =
                [&kind.boundaries, &kind.controls, &kind.differences].map(band);
            let (ci_low, ci_high) = totals_interval(
                &kind.middle,
                |[sum, n]| sum / n,
                request.bootstraps,
                LEVEL,
                &Rng::new(request.seed).derive("middle"),
            );
            let of_middle = |band: &Band| crate::stats::mean(&band.mean[centre.clone()]);
            let difference = crate::stats::mean(&kind.turned.observed()[centre.clone()]) / n;
            let sd = self.known.variance().sqrt();
            rows.push(AroundRow {
                track: self.track.clone(),
                control: control.into(),
                n_boundaries: self.n_boundaries,
                n_near_gap: self.n_near_gap,
                n_unmatched: kind.n_unmatched,
                n_used: kind.n_used,
                n_blocks: kind.middle.len() as u64,
                n_contigs: self.lines,
                boundary_mean: of_middle(&boundaries),
                control_mean: of_middle(&controls),
                difference,
                ci_low,
                ci_high,
                track_sd: sd,
                d: difference / sd,
                p_value: test.p_middle,
                p_floor: test.p_floor,
                p_any: test.p_max.iter().copied().fold(1.0, f64::min),
            });
            for (lag, observed) in kind.turned.observed().iter().enumerate() {
                profile.push(ProfileRow {
                    track: self.track.clone(),
                    control: control.into(),
                    offset_bp: (lag as i64 - reach as i64) * BIN_BP as i64,
                    boundary_mean: boundaries.mean[lag],
                    boundary_low: boundaries.low[lag],
                    boundary_high: boundaries.high[lag],
                    control_mean: controls.mean[lag],
                    control_low: controls.low[lag],
                    control_high: controls.high[lag],
                    difference: observed / n,
                    ci_low: differences.low[lag],
                    ci_high: differences.high[lag],
                    p_max: test.p_max[lag],
                });
            }
        }
        (rows, profile)
    }
}

/// The sums of a block over lags: boundaries and controls, and how many of both.
struct Sums {
    sums: [Vec<f64>; 2],
    n: [f64; 2],
}

fn sums(places: &[usize], weights: &[[f64; 2]], values: &[f64], reach: usize) -> Sums {
    let width = 2 * reach + 1;
    let mut found = Sums {
        sums: [vec![0.0; width], vec![0.0; width]],
        n: [0.0; 2],
    };
    for place in places {
        for (side, weight) in weights[*place].iter().enumerate() {
            if *weight > 0.0 {
                found.n[side] += weight;
                // Bins with a weight have all bins within reach.
                found.sums[side]
                    .iter_mut()
                    .zip(&values[place - reach..=place + reach])
                    .for_each(|(sum, value)| *sum += weight * value);
            }
        }
    }
    found
}

impl Contrast {
    /// Takes a block; `mean` is that of the contig's track.
    fn take(&mut self, block: usize, of: &Sums, mean: f64) {
        let Sums { sums, n } = of;
        let profile = |side: usize| {
            sums[side]
                .iter()
                .map(|sum| sum / n[side])
                .collect::<Vec<_>>()
        };
        if n[0] > 0.0 {
            self.boundaries.add_share(block, n[0], &profile(0));
        }
        if n[1] > 0.0 {
            self.controls.add_share(block, n[1], &profile(1));
        }
        if n[0] + n[1] > 0.0 {
            // A block with more boundaries than controls must not differ for that alone.
            let difference: Vec<f64> = (sums[0].iter().zip(&sums[1]))
                .map(|(one, other)| one - other - (n[0] - n[1]) * mean)
                .collect();
            let width = difference.len();
            let middle = (MIDDLE_BP / BIN_BP).min(width / 2);
            let centre = width / 2 - middle..=width / 2 + middle;
            self.middle
                .push([crate::stats::mean(&difference[centre]), n[0]]);
            self.differences.add_share(block, n[0], &vec![0.0; width]);
            self.differences.shift(block, &difference);
        }
    }
}
