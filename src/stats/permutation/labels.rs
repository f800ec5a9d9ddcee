//! Labels exchanged within sets of a site and its controls.

use rayon::prelude::*;

use crate::stats::rng::Rng;

/// The outcome of a test of labels within sets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SetLabels {
    /// The observed mean, over sets, of the site's value less the mean of its controls.
    pub statistic: f64,
    /// Number of sets with at least one control.
    pub n_sets: usize,
    /// Two-sided p-value, as in [`super::SignFlip`].
    pub p_value: f64,
    /// Whether all labellings were tried: there were no more of them than permutations asked for.
    pub exact: bool,
}

/// Tests whether a site is like a member of its own set: the site's label goes to each of the `k +
/// 1` members of a set with equal probability, independently in every set. Sets are taken as
/// independent; where they share genes use [`super::sign_flip_clusters`].
///
/// `sites` and `controls` have one entry a set; the shorter one counts, and sets without controls
/// are left out. `statistic` is `NaN` (and `p_value`
/// 1) without sets or with a value that is not a number. The result depends on `seed` and the data,
///    not on the number of threads.
pub fn set_labels(
    sites: &[f64],
    controls: &[impl AsRef<[f64]>],
    permutations: usize,
    seed: u64,
) -> SetLabels {
    // Of each set, what it would add to the statistic with each member in the site's place, the
    // site itself first.
    let mut places: Vec<Vec<f64>> = Vec::new();
    for (site, controls) in sites.iter().zip(controls) {
        let controls = controls.as_ref();
        let (k, total) = (controls.len() as f64, site + controls.iter().sum::<f64>());
        let place = |value: &f64| value - (total - value) / k;
        if !controls.is_empty() {
            places.push(std::iter::once(site).chain(controls).map(place).collect());
        }
    }
    let observed: f64 = places.iter().map(|place| place[0]).sum();
    if places.is_empty() || observed.is_nan() {
        return SetLabels {
            statistic: f64::NAN,
            n_sets: places.len(),
            p_value: 1.0,
            exact: false,
        };
    }
    let tolerance = 1e-12 * places.iter().flatten().map(|v| v.abs()).sum::<f64>();
    let all = places
        .iter()
        .try_fold(1u64, |all, place| all.checked_mul(place.len() as u64));
    let all = all.filter(|all| *all <= permutations as u64);
    let rng = Rng::new(seed).derive("set-labels");
    let far = |labelling: &u64| {
        let (mut rng, mut rest) = (rng.derive_number(*labelling), *labelling);
        let mut draw = |n: usize| match all {
            Some(_) => {
                let digit = rest % n as u64;
                rest /= n as u64;
                digit as usize
            }
            None => rng.below(n),
        };
        let sum: f64 = places.iter().map(|place| place[draw(place.len())]).sum();
        sum.abs() >= observed.abs() - tolerance
    };
    let beyond = (0..all.unwrap_or(permutations as u64))
        .into_par_iter()
        .filter(far)
        .count() as f64;
    let p_value = match all {
        Some(all) => beyond / all as f64,
        None => (beyond + 1.0) / (permutations as f64 + 1.0),
    };
    SetLabels {
        statistic: observed / places.len() as f64,
        n_sets: places.len(),
        p_value,
        exact: all.is_some(),
    }
}
