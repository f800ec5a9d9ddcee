//! The circular-shift test: does something fall where it falls for a reason, or would it as soon
//! fall anywhere else, spaced as it is?
//!
//! Marks along windows (cuts of a sequence, say) are shifted circularly within each window by a random
//! distance, which keeps their number and their spacing and breaks their tie to what stands at
//! fixed places of the window. Windows of one cluster are turned together.

use rayon::prelude::*;

use crate::stats::rng::Rng;

/// The outcome of a test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shift {
    /// The statistic as observed, summed over clusters.
    pub observed: f64,
    /// Its mean over all shifts.
    pub expected: f64,
    /// Two-sided: how often a random shift is at least as far from the mean, `(b + 1) / (m + 1)`.
    pub p_value: f64,
    /// `1 / (m + 1)`.
    pub p_floor: f64,
}

/// Tests whether the observed statistic could be that of any shift. Each curve is a cluster: its
/// statistic at every shift, that of no shift first. One shift is drawn a cluster, each equally
/// likely. Without a value, all is `NaN` and `p_value` 1. The result does not depend on the number
/// of threads.
pub fn circular_shift<C: AsRef<[f64]>>(curves: &[C], permutations: usize, seed: u64) -> Shift {
    let curves: Vec<&[f64]> = curves
        .iter()
        .map(AsRef::as_ref)
        .filter(|curve| !curve.is_empty())
        .collect();
    if curves.is_empty() {
        return Shift {
            observed: f64::NAN,
            expected: f64::NAN,
            p_value: 1.0,
            p_floor: 1.0,
        };
    }
    let observed: f64 = curves.iter().map(|curve| curve[0]).sum();
    let expected: f64 = curves.iter().map(|curve| super::mean(curve)).sum();
    let far = (observed - expected).abs() - 1e-9 * (observed.abs() + expected.abs());
    let rng = Rng::new(seed).derive("circular shift");
    let beyond = |draw: &usize| {
        let mut rng = rng.derive_number(*draw as u64);
        let shifted: f64 = curves
            .iter()
            .map(|curve| curve[rng.below(curve.len())])
            .sum();
        (shifted - expected).abs() >= far
    };
    let beyond = (0..permutations).into_par_iter().filter(beyond).count();
    let draws = permutations as f64 + 1.0;
    Shift {
        observed,
        expected,
        p_value: (beyond as f64 + 1.0) / draws,
        p_floor: 1.0 / draws,
    }
}

/// Profiles over lags as observed and at random shifts, summed over lines that are each turned by a
/// distance of their own.
#[derive(Clone, Debug)]
pub struct TurnedProfiles {
    reach: usize,
    observed: Vec<f64>,
    /// `(permutations, 2 reach + 1)`.
    draws: Vec<f64>,
    permutations: usize,
    rng: Rng,
}

/// The tests of a profile over lags.
#[derive(Clone, Debug, PartialEq)]
pub struct ProfileTest {
    /// Of the mean over the lags in the middle, two-sided.
    pub p_middle: f64,
    /// At each lag, adjusted over all of them: how often the largest deviation of a random shift,
    /// each lag in units of its standard deviation over shifts, is at least that of this lag
    /// (max-T; Westfall & Young 1993).
    pub p_max: Vec<f64>,
    /// `1 / (m + 1)`.
    pub p_floor: f64,
}

impl TurnedProfiles {
    /// For lags from `-reach` to `reach`.
    pub fn new(reach: usize, permutations: usize, seed: u64) -> TurnedProfiles {
        TurnedProfiles {
            reach,
            observed: vec![0.0; 2 * reach + 1],
            draws: vec![0.0; permutations * (2 * reach + 1)],
            permutations,
            rng: Rng::new(seed).derive("turned profiles"),
        }
    }

    /// Adds the statistic of a line at every shift, that of no shift first; the line is a circle.
    pub fn add(&mut self, line: u64, curve: &[f64]) {
        let n = curve.len();
        if n == 0 {
            return;
        }
        let (reach, width, rng) = (self.reach, 2 * self.reach + 1, self.rng.derive_number(line));
        let first = |shift: usize| (shift + n - reach % n) % n;
        let add = |sums: &mut [f64], shift: usize| {
            let mut at = first(shift);
            for sum in sums {
                *sum += curve[at];
                at = if at + 1 == n { 0 } else { at + 1 };
            }
        };
        add(&mut self.observed, 0);
        (self.draws.par_chunks_mut(width).enumerate()).for_each(|(draw, sums)| {
            add(sums, rng.derive_number(draw as u64).below(n));
        });
    }

    /// The sums over lines at each lag.
    pub fn observed(&self) -> &[f64] {
        &self.observed
    }

    /// Tests the lags from `-middle` to `middle` together, and each lag. The mean over shifts must
    /// be 0, as of a contrast. Without a value `p_middle` is 1, as it is where nothing varies.
    pub fn test(&self, middle: usize) -> ProfileTest {
        let width = 2 * self.reach + 1;
        let draws = || self.draws.chunks(width);
        let of_middle = |sums: &[f64]| {
            let sums =
                &sums[self.reach - middle.min(self.reach)..=self.reach + middle.min(self.reach)];
            super::mean(sums).abs()
        };
        let p_floor = 1.0 / (self.permutations as f64 + 1.0);
        let p = |beyond: usize| (beyond as f64 + 1.0) * p_floor;
        let far = of_middle(&self.observed) * (1.0 - 1e-9);
        let p_middle = p(draws().filter(|sums| of_middle(sums) >= far).count());
        let mut scales = vec![0.0; width];
        draws().for_each(|sums| {
            scales
                .iter_mut()
                .zip(sums)
                .for_each(|(scale, sum)| *scale += sum * sum)
        });
        let scaled = |sum: f64, scale: f64| {
            if scale > 0.0 {
                sum.abs() / scale.sqrt()
            } else {
                0.0
            }
        };
        let mut most: Vec<f64> = draws()
            .map(|sums| {
                sums.iter()
                    .zip(&scales)
                    .map(|(sum, scale)| scaled(*sum, *scale))
                    .fold(0.0, f64::max)
            })
            .collect();
        most.sort_unstable_by(f64::total_cmp);
        let p_max = self
            .observed
            .iter()
            .zip(&scales)
            .map(|(sum, scale)| {
                let far = scaled(*sum, *scale) * (1.0 - 1e-9);
                p(most.len() - most.partition_point(|most| *most < far))
            })
            .collect();
        ProfileTest {
            p_middle,
            p_max,
            p_floor,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_read_around_the_circle() {
        let curve: Vec<f64> = (0..10).map(f64::from).collect();
        let mut turned = TurnedProfiles::new(2, 5, 1);
        turned.add(0, &curve);
        assert_eq!(turned.observed(), [8.0, 9.0, 0.0, 1.0, 2.0]);
        turned.add(1, &curve);
        assert_eq!(turned.observed()[1], 18.0);
        for sums in turned.draws.chunks(5) {
            let steps: Vec<f64> = sums.windows(2).map(|s| s[1] - s[0]).collect();
            assert!(
                steps.iter().all(|s| [2.0, -8.0, -18.0].contains(s)),
                "{sums:?}"
            );
        }
    }

    #[test]
    fn a_peak_is_found_at_its_lag_and_noise_is_not() {
        let (mut rng, mut low, mut any) = (Rng::new(5), 0, 0);
        for run in 0..200 {
            let mut turned = TurnedProfiles::new(5, 199, run);
            for line in 0..3 {
                let mut curve: Vec<f64> = (0..300).map(|_| rng.uniform() - 0.5).collect();
                let mean = super::super::mean(&curve);
                curve.iter_mut().for_each(|value| *value -= mean);
                turned.add(line, &curve);
            }
            let test = turned.test(1);
            low += usize::from(test.p_middle <= 0.05);
            any += usize::from(test.p_max.iter().any(|p| *p <= 0.05));
        }
        // 10 of 200, standard error 3.1.
        assert!(
            (2..=20).contains(&low) && (2..=20).contains(&any),
            "{low} {any}"
        );
        let mut turned = TurnedProfiles::new(5, 199, 1);
        let mut curve: Vec<f64> = (0..1000).map(|_| rng.uniform() - 0.5).collect();
        curve[3] = 20.0;
        turned.add(0, &curve);
        let test = turned.test(1);
        let found: Vec<usize> = (0..11).filter(|lag| test.p_max[*lag] <= 0.05).collect();
        assert_eq!(found, [8]);
    }

    #[test]
    fn a_curve_by_hand() {
        // Two clusters: 1 where it stands, 0 at the other 3 shifts. Both at 1 has probability 1/16; |T
        // - 1/2| >= 3/2 for nothing else.
        let curves = vec![vec![1.0, 0.0, 0.0, 0.0]; 2];
        let found = circular_shift(&curves, 100_000, 1);
        assert_eq!((found.observed, found.expected), (2.0, 0.5));
        assert!((found.p_value - 1.0 / 16.0).abs() < 0.003, "{found:?}");
        assert_eq!(circular_shift(&curves, 100_000, 1), found);
        assert!(circular_shift::<Vec<f64>>(&[], 10, 1).observed.is_nan());
    }

    #[test]
    fn nothing_to_find_gives_uniform_p() {
        let mut rng = Rng::new(3);
        let p: Vec<f64> = (0..2000)
            .map(|seed| {
                let curve = |rng: &mut Rng| {
                    (0..50)
                        .map(|_| f64::from(u8::from(rng.uniform() < 0.3)))
                        .collect::<Vec<f64>>()
                };
                circular_shift(
                    &(0..12).map(|_| curve(&mut rng)).collect::<Vec<_>>(),
                    199,
                    seed,
                )
                .p_value
            })
            .collect();
        for level in [0.05, 0.2, 0.5] {
            let share = p.iter().filter(|p| **p <= level).count() as f64 / p.len() as f64;
            // A test over whole numbers is conservative, never liberal: three standard errors.
            assert!(
                share <= level + 3.0 * (level * (1.0 - level) / 2000.0).sqrt()
                    && share > level / 3.0,
                "{level}: {share}"
            );
        }
    }
}
