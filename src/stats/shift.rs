//! The circular-shift test: does something fall where it falls for a reason, or would it as soon
//! fall anywhere else, spaced as it is?
//!
//! Marks along windows (cuts of a sequence, say) are turned around each window by a random
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

#[cfg(test)]
mod tests {
    use super::*;

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
