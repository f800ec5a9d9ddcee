//! What covariates left unequal within the calipers would make of a difference, taken out by regression (Abadie & Imbens 2011, J. Bus. Econ. Stat. 29:1): the value of a
//! control is moved to the covariates of its site along a linear fit over all controls. The fit is one a kind and family, and of each layer and offset, so that all measures and
//! profiles, which are linear in these, are corrected alike.

use std::collections::BTreeMap;

use super::reading::LAYERS;
use crate::controls::N_COVARIATES;
use crate::stats::logistic::solve;

/// Covariates of a control or a site in standard units; 0 where not compared or not known.
pub(super) type Standard = [f32; N_COVARIATES];

/// Fewer controls than this fit nothing.
const LEAST: f64 = 20.0;

/// Penalty on a slope, in controls: keeps covariates that hardly vary out, and is without effect elsewhere.
const RIDGE: f64 = 1e-6;

/// One kind and family.
#[derive(Clone, Debug)]
pub(super) struct Correction {
    width: usize,
    /// Sums over controls, by their shares: of 1, of covariates, and of products of covariates.
    n: f64,
    sums: [f64; N_COVARIATES],
    squares: [[f64; N_COVARIATES]; N_COVARIATES],
    /// By layer and offset: of values, of their products with covariates, and of the sizes of these.
    values: [Vec<f64>; LAYERS],
    products: [Vec<[f64; N_COVARIATES]>; LAYERS],
    sizes: [Vec<[f64; N_COVARIATES]>; LAYERS],
    /// By unit: summed differences of covariates, site minus control.
    pub shifts: BTreeMap<usize, [f64; N_COVARIATES]>,
    /// By layer and offset, once fitted.
    slopes: [Vec<[f64; N_COVARIATES]>; LAYERS],
}

impl Correction {
    /// Of profiles of `width` offsets.
    pub fn new(width: usize) -> Correction {
        let none = || std::array::from_fn(|_| vec![[0.0; N_COVARIATES]; width]);
        Correction {
            width,
            n: 0.0,
            sums: [0.0; N_COVARIATES],
            squares: [[0.0; N_COVARIATES]; N_COVARIATES],
            values: std::array::from_fn(|_| vec![0.0; width]),
            products: none(),
            sizes: none(),
            shifts: BTreeMap::new(),
            slopes: none(),
        }
    }

    /// Counts a control of a unit and how it differs from its site.
    pub fn count(&mut self, unit: usize, share: f64, control: &Standard, site: &Standard) {
        self.n += share;
        let shifts = self.shifts.entry(unit).or_default();
        for i in 0..N_COVARIATES {
            let x = f64::from(control[i]);
            self.sums[i] += share * x;
            shifts[i] += share * (f64::from(site[i]) - x);
            (0..N_COVARIATES).for_each(|j| self.squares[i][j] += share * x * f64::from(control[j]));
        }
    }

    /// Takes the profile of a counted control in one layer.
    pub fn take(&mut self, layer: usize, share: f64, control: &Standard, profile: &[f64]) {
        let (values, products, sizes) = (&mut self.values[layer], &mut self.products[layer], &mut self.sizes[layer]);
        for (((value, sum), products), sizes) in profile.iter().zip(values).zip(products).zip(sizes) {
            *sum += share * value;
            for ((x, product), size) in control.iter().zip(products).zip(sizes) {
                let product_here = share * value * f64::from(*x);
                *product += product_here;
                *size += product_here.abs();
            }
        }
    }

    /// Fits the slopes.
    pub fn fit(&mut self) {
        if self.n < LEAST {
            return;
        }
        let squares: Vec<Vec<f64>> = (0..N_COVARIATES)
            .map(|i| {
                let centered = |j: usize| self.squares[i][j] - self.sums[i] * self.sums[j] / self.n;
                (0..N_COVARIATES).map(|j| centered(j) + if i == j { RIDGE * self.n } else { 0.0 }).collect()
            })
            .collect();
        for layer in 0..LAYERS {
            for at in 0..self.width {
                let centered = |i: usize| {
                    let product = self.products[layer][at][i] - self.sums[i] * self.values[layer][at] / self.n;
                    // Values that do not vary leave rounding alone.
                    if product.abs() > 1e-9 * self.sizes[layer][at][i] { product } else { 0.0 }
                };
                if let Some(slopes) = solve(squares.clone(), (0..N_COVARIATES).map(centered).collect()) {
                    self.slopes[layer][at].copy_from_slice(&slopes);
                }
            }
        }
    }

    /// What covariates that differ by `shift`, in standard units, add to a profile in one layer.
    pub fn profile(&self, layer: usize, shift: &[f64; N_COVARIATES]) -> Vec<f64> {
        self.slopes[layer].iter().map(|slopes| slopes.iter().zip(shift).map(|(slope, shift)| slope * shift).sum()).collect()
    }

    /// What they add to the mean over some offsets.
    pub fn mean(&self, layer: usize, offsets: std::ops::RangeInclusive<usize>, shift: &[f64; N_COVARIATES]) -> f64 {
        let some = &self.slopes[layer][offsets];
        some.iter().flat_map(|slopes| slopes.iter().zip(shift).map(|(slope, shift)| slope * shift)).sum::<f64>() / some.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::rng::Rng;

    /// Values that follow two covariates: controls move to their sites exactly, whatever the others do; a covariate that does not vary is left alone.
    #[test]
    fn controls_move_to_their_sites() {
        let mut rng = Rng::new(2);
        let mut correction = Correction::new(2);
        let value = |x: &Standard| f64::from(x[0]) * 0.5 - f64::from(x[3]) + 7.0;
        let mut draw = || std::array::from_fn(|i| if i == 2 { 3.0 } else { rng.uniform() as f32 });
        let pairs: Vec<(Standard, Standard)> = (0..200).map(|_| (draw(), draw())).collect();
        for (unit, (site, control)) in pairs.iter().enumerate() {
            correction.count(unit % 7, 0.5, control, site);
            correction.take(1, 0.5, control, &[value(control), 2.0]);
        }
        correction.fit();
        let shift = |(site, control): &(Standard, Standard)| std::array::from_fn(|i| f64::from(site[i]) - f64::from(control[i]));
        for pair in &pairs {
            let found = correction.profile(1, &shift(pair));
            assert!((found[0] - (value(&pair.0) - value(&pair.1))).abs() < 1e-4 && found[1] == 0.0, "{found:?}");
            assert_eq!(correction.mean(1, 1..=1, &shift(pair)), 0.0);
        }
        let of_unit: f64 = pairs.iter().step_by(7).map(|(site, control)| 0.5 * (value(site) - value(control))).sum();
        assert!((correction.profile(1, &correction.shifts[&0])[0] - of_unit).abs() < 1e-3);
    }

    #[test]
    fn few_controls_change_nothing() {
        let mut correction = Correction::new(1);
        for i in 0..10 {
            let x = [i as f32; N_COVARIATES];
            correction.count(0, 1.0, &x, &[0.0; N_COVARIATES]);
            correction.take(0, 1.0, &x, &[f64::from(i)]);
        }
        correction.fit();
        assert_eq!(correction.profile(0, &[1.0; N_COVARIATES]), [0.0]);
    }
}
