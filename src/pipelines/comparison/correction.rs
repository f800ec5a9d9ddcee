//! What covariates left unequal within the calipers would make of a difference, taken out by
//! regression (Abadie & Imbens 2011, J. Bus. Econ. Stat. 29:1): the value of a control is moved to
//! the covariates of its site along a linear fit over all controls. The fit is one a kind and
//! family, and of each layer and offset, so that all measures and profiles, which are linear in
//! these, are corrected alike.
//!
//! All units share the error of the slopes, which flips of units and draws of units do not see
//! where each control only brings its own residual. The corrected mean is a mean of controls
//! weighted so that their covariates agree with those of the sites; so in sums of units the
//! residual of a control counts by that weight, and over the root of one less its leverage
//! (MacKinnon & White 1985, HC2), as residuals of a fit are smaller than errors. The mean of all
//! stays the same.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::reading::LAYERS;
use crate::controls::N_COVARIATES;
use crate::stats::logistic::solve;
use crate::stats::mean;

/// Covariates of a control or a site in standard units; 0 where not compared or not known.
pub(super) type Standard = [f32; N_COVARIATES];

/// Fewer controls than this fit nothing.
const LEAST: f64 = 20.0;

/// Penalty on a slope, in controls: keeps covariates that hardly vary out, and is without effect
/// elsewhere.
const RIDGE: f64 = 1e-6;

/// What the controls of one unit, or all controls, bring that does not depend on their values.
#[derive(Clone, Debug, Default)]
struct Counted {
    /// Controls, by their shares.
    n: f64,
    /// Summed differences of covariates, site minus control.
    shift: [f64; N_COVARIATES],
    /// Sums of the weights of residuals, less those of plain controls, and of their products with
    /// covariates.
    more: f64,
    more_covariates: [f64; N_COVARIATES],
}

/// What is summed of the values of controls at one offset of one layer, from those of the first
/// control, so that values that do not vary are exactly 0.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    first: Option<f64>,
    values: f64,
    weighted: f64,
    products: [f64; N_COVARIATES],
}

/// The line through the values of controls at one offset of one layer.
#[derive(Clone, Copy, Debug, Default)]
struct Fit {
    /// Mean of the values.
    mean: f64,
    slopes: [f64; N_COVARIATES],
    /// Mean of the weighted residuals.
    residual: f64,
}

/// One kind and family.
#[derive(Clone, Debug)]
pub(super) struct Correction {
    /// Means of the covariates of controls, once counted; before that their sums.
    center: [f64; N_COVARIATES],
    /// Sums of products of covariates over controls, around their means once counted.
    squares: Vec<Vec<f64>>,
    units: BTreeMap<usize, Counted>,
    all: Counted,
    /// By layer and offset.
    sums: [Vec<Sums>; LAYERS],
    /// Once fitted; zeros where nothing is.
    fits: [Vec<Fit>; LAYERS],
}

impl Correction {
    /// Of profiles of `width` offsets.
    pub fn new(width: usize) -> Correction {
        Correction {
            center: [0.0; N_COVARIATES],
            squares: vec![vec![0.0; N_COVARIATES]; N_COVARIATES],
            units: BTreeMap::new(),
            all: Counted::default(),
            sums: std::array::from_fn(|_| vec![Sums::default(); width]),
            fits: std::array::from_fn(|_| vec![Fit::default(); width]),
        }
    }

    /// Counts a control of a unit and how it differs from its site.
    pub fn count(&mut self, unit: usize, share: f64, control: &Standard, site: &Standard) {
        self.all.n += share;
        let of_unit = self.units.entry(unit).or_default();
        of_unit.n += share;
        for i in 0..N_COVARIATES {
            let x = f64::from(control[i]);
            self.center[i] += share * x;
            of_unit.shift[i] += share * (f64::from(site[i]) - x);
            (0..N_COVARIATES).for_each(|j| self.squares[i][j] += share * x * f64::from(control[j]));
        }
    }

    /// Call it once, when all controls are counted.
    pub fn counted(&mut self) {
        for unit in self.units.values() {
            self.all
                .shift
                .iter_mut()
                .zip(unit.shift)
                .for_each(|(sum, shift)| *sum += shift);
        }
        for (i, row) in self.squares.iter_mut().enumerate() {
            row.iter_mut()
                .enumerate()
                .for_each(|(j, square)| *square -= self.center[i] * self.center[j] / self.all.n);
            row[i] += RIDGE * self.all.n;
        }
        self.center.iter_mut().for_each(|sum| *sum /= self.all.n);
    }

    /// How much the residual of a control counts in its unit, where that of a plain mean is 1. To
    /// be asked once of every control that was counted.
    pub fn weigh(&mut self, unit: usize, share: f64, control: &Standard) -> f64 {
        let less_center = self.less_center(control);
        let weight = match solve(self.squares.clone(), less_center.to_vec())
            .filter(|_| self.all.n >= LEAST)
        {
            Some(solved) => {
                let leverage = share * (1.0 / self.all.n + dot(&less_center, &solved));
                (1.0 + dot(&self.all.shift, &solved)) / (1.0 - leverage).max(1e-3).sqrt()
            }
            None => 1.0,
        };
        for counted in [self.units.entry(unit).or_default(), &mut self.all] {
            counted.more += share * (weight - 1.0);
            counted
                .more_covariates
                .iter_mut()
                .zip(less_center)
                .for_each(|(sum, x)| *sum += share * (weight - 1.0) * x);
        }
        weight
    }

    fn less_center(&self, control: &Standard) -> [f64; N_COVARIATES] {
        std::array::from_fn(|i| f64::from(control[i]) - self.center[i])
    }

    /// Takes the profile of a counted control in one layer, and makes it what the control brings to
    /// the sums of its unit.
    pub fn take(
        &mut self,
        layer: usize,
        (share, weight): (f64, f64),
        control: &Standard,
        profile: &mut [f64],
    ) {
        let less_center = self.less_center(control);
        for (value, sums) in profile.iter_mut().zip(&mut self.sums[layer]) {
            let from_first = *value - *sums.first.get_or_insert(*value);
            sums.values += share * from_first;
            sums.weighted += share * weight * from_first;
            sums.products
                .iter_mut()
                .zip(less_center)
                .for_each(|(product, x)| *product += share * from_first * x);
            *value += (weight - 1.0) * from_first;
        }
    }

    /// Fits the slopes.
    pub fn fit(&mut self) {
        if self.all.n < LEAST {
            return;
        }
        for (sums, fits) in self.sums.iter().zip(&mut self.fits) {
            for (sums, fit) in sums.iter().zip(fits) {
                // Covariates are taken from their means, so that the mean of the values does not
                // matter.
                let Some(solved) = solve(self.squares.clone(), sums.products.to_vec()) else {
                    continue;
                };
                let slopes = std::array::from_fn(|i| solved[i]);
                let mean = sums.values / self.all.n;
                let expected =
                    (self.all.n + self.all.more) * mean + dot(&slopes, &self.all.more_covariates);
                *fit = Fit {
                    mean,
                    slopes,
                    residual: (sums.weighted - expected) / self.all.n,
                };
            }
        }
    }

    /// By unit, what is added to the sums of its controls in one layer.
    pub fn profiles(&self, layer: usize) -> impl Iterator<Item = (usize, Vec<f64>)> + '_ {
        self.units.iter().map(move |(unit, counted)| {
            let of = |fit: &Fit| {
                let expected = counted.more * fit.mean + dot(&fit.slopes, &counted.more_covariates);
                dot(&fit.slopes, &counted.shift) - expected - counted.n * fit.residual
            };
            (*unit, self.fits[layer].iter().map(of).collect())
        })
    }

    /// What covariates that differ by `shift`, in standard units, add to the mean over some
    /// offsets.
    pub fn mean(
        &self,
        layer: usize,
        offsets: RangeInclusive<usize>,
        shift: &[f64; N_COVARIATES],
    ) -> f64 {
        let fits = &self.fits[layer][offsets];
        fits.iter().map(|fit| dot(&fit.slopes, shift)).sum::<f64>() / fits.len() as f64
    }

    /// What the mean `value` of a control over some offsets brings to its unit beyond itself, as
    /// its residual counts by a weight. 0 in the mean of all controls.
    pub fn reweighted(
        &self,
        layer: usize,
        offsets: RangeInclusive<usize>,
        weight: f64,
        control: &Standard,
        value: f64,
    ) -> f64 {
        let (sums, fits) = (
            &self.sums[layer][offsets.clone()],
            &self.fits[layer][offsets],
        );
        let less_center = self.less_center(control);
        let first = mean(
            &sums
                .iter()
                .map(|sums| sums.first.unwrap_or(0.0))
                .collect::<Vec<_>>(),
        );
        let expected = mean(
            &fits
                .iter()
                .map(|fit| fit.mean + dot(&fit.slopes, &less_center))
                .collect::<Vec<_>>(),
        );
        (weight - 1.0) * (value - first - expected)
            - mean(&fits.iter().map(|fit| fit.residual).collect::<Vec<_>>())
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::rng::Rng;

    fn shift((site, control): &(Standard, Standard)) -> [f64; N_COVARIATES] {
        std::array::from_fn(|i| f64::from(site[i]) - f64::from(control[i]))
    }

    /// The correction of one layer over pairs of seven units, from the profiles of controls, and
    /// the sums of its units.
    fn corrected(
        pairs: &[(Standard, Standard)],
        share: f64,
        profile: impl Fn(usize) -> Vec<f64>,
    ) -> (Correction, Vec<f64>, Vec<Vec<f64>>) {
        let width = profile(0).len();
        let mut correction = Correction::new(width);
        pairs
            .iter()
            .enumerate()
            .for_each(|(i, (site, control))| correction.count(i % 7, share, control, site));
        correction.counted();
        let weights: Vec<f64> = pairs
            .iter()
            .enumerate()
            .map(|(i, (_, control))| correction.weigh(i % 7, share, control))
            .collect();
        let mut sums = vec![vec![0.0; width]; 7];
        for (i, (_, control)) in pairs.iter().enumerate() {
            let mut values = profile(i);
            correction.take(1, (share, weights[i]), control, &mut values);
            sums[i % 7]
                .iter_mut()
                .zip(values)
                .for_each(|(sum, value)| *sum += share * value);
        }
        correction.fit();
        for (unit, more) in correction.profiles(1) {
            sums[unit]
                .iter_mut()
                .zip(more)
                .for_each(|(sum, more)| *sum += more);
        }
        (correction, weights, sums)
    }

    /// Values that follow two covariates: controls move to their sites exactly, whatever the others
    /// do; a covariate that does not vary is left alone, and so are values that do not.
    #[test]
    fn controls_move_to_their_sites() {
        let mut rng = Rng::new(2);
        let value = |x: &Standard| f64::from(x[0]) * 0.5 - f64::from(x[3]) + 7.0;
        let mut draw = || std::array::from_fn(|i| if i == 2 { 3.0 } else { rng.uniform() as f32 });
        let pairs: Vec<(Standard, Standard)> = (0..200).map(|_| (draw(), draw())).collect();
        let (correction, weights, sums) = corrected(&pairs, 0.5, |i| vec![value(&pairs[i].1), 0.3]);
        for (pair, weight) in pairs.iter().zip(weights) {
            let found = correction.mean(1, 0..=0, &shift(pair))
                + correction.reweighted(1, 0..=0, weight, &pair.1, value(&pair.1));
            assert!(
                (found - (value(&pair.0) - value(&pair.1))).abs() < 1e-4,
                "{found:?}"
            );
            assert_eq!(
                (
                    correction.mean(1, 1..=1, &shift(pair)),
                    correction.reweighted(1, 1..=1, weight, &pair.1, 0.3)
                ),
                (0.0, 0.0)
            );
        }
        let of_unit: f64 = pairs
            .iter()
            .step_by(7)
            .map(|(site, _)| 0.5 * value(site))
            .sum();
        assert!(
            (sums[0][0] - of_unit).abs() < 1e-3
                && sums[0][1] == (0..29).fold(0.0, |sum, _| sum + 0.5 * 0.3)
        );
    }

    /// Sums of units hold what their controls bring, and the mean is that of the plain fit.
    #[test]
    fn units_hold_what_their_controls_bring() {
        let mut rng = Rng::new(4);
        let mut draw = |up: f32| std::array::from_fn(|_| up + rng.uniform() as f32);
        let pairs: Vec<(Standard, Standard)> = (0..60).map(|_| (draw(0.2), draw(0.0))).collect();
        let values: Vec<f64> = (0..60).map(|i| f64::from(i * 37 % 19)).collect();
        let (correction, weights, sums) = corrected(&pairs, 1.0, |i| vec![values[i]]);
        let plain = |i: usize| values[i] + correction.mean(1, 0..=0, &shift(&pairs[i]));
        let brought = |i: usize| {
            plain(i) + correction.reweighted(1, 0..=0, weights[i], &pairs[i].1, values[i])
        };
        for (unit, sums) in sums.iter().enumerate() {
            let wanted: f64 = (unit..60).step_by(7).map(brought).sum();
            assert!((sums[0] - wanted).abs() < 1e-9, "{sums:?} {wanted}");
        }
        let [all, as_plain] = [
            sums.iter().map(|sums| sums[0]).sum::<f64>(),
            (0..60).map(plain).sum(),
        ];
        assert!((all - as_plain).abs() < 1e-9);
        // The weighted controls have the covariates of the sites, but for what leverage adds.
        assert!(
            weights.iter().any(|weight| *weight > 1.3)
                && weights.iter().any(|weight| *weight < 0.7),
            "{weights:?}"
        );
    }

    /// Noise without any difference, the covariates of sites moved: the sums of units vary as much
    /// as their total does from one draw to the next.
    #[test]
    fn units_know_the_error_of_the_slopes() {
        let (mut totals, mut squares, mut plain) = (0.0, 0.0, 0.0);
        for seed in 0..400 {
            let mut rng = Rng::new(seed);
            let mut draw = |up: f32| std::array::from_fn(|_| up + rng.uniform() as f32);
            let pairs: Vec<(Standard, Standard)> =
                (0..42).map(|_| (draw(0.25), draw(0.0))).collect();
            let noise: Vec<f64> = (0..42).map(|_| rng.uniform() - 0.5).collect();
            let (correction, _, sums) = corrected(&pairs, 1.0, |i| vec![noise[i]]);
            let of_unit = |unit: usize| {
                (unit..42)
                    .step_by(7)
                    .map(|i| noise[i] + correction.mean(1, 0..=0, &shift(&pairs[i])))
                    .sum::<f64>()
            };
            totals += sums.iter().map(|sums| sums[0]).sum::<f64>().powi(2);
            squares +=
                7.0 * crate::stats::variance(&sums.iter().map(|sums| sums[0]).collect::<Vec<_>>());
            plain += 7.0 * crate::stats::variance(&(0..7).map(of_unit).collect::<Vec<_>>());
        }
        println!(
            "sums of units {:.2}, plain ones {:.2} of the variance",
            squares / totals,
            plain / totals
        );
        assert!((0.85..1.2).contains(&(squares / totals)) && plain / totals < 0.6);
    }

    #[test]
    fn few_controls_change_nothing() {
        let pairs: Vec<(Standard, Standard)> = (0..10)
            .map(|i| ([0.0; N_COVARIATES], [i as f32; N_COVARIATES]))
            .collect();
        let (correction, weights, sums) = corrected(&pairs, 1.0, |i| vec![i as f64]);
        assert!(
            weights.iter().all(|weight| *weight == 1.0)
                && correction.mean(1, 0..=0, &[1.0; N_COVARIATES]) == 0.0
        );
        assert_eq!((sums[0][0], sums[4][0]), (7.0, 4.0));
    }
}
