//! Mean profiles with pointwise percentile bands.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::draw_weights;
use crate::matrix::add_product;
use crate::stats::percentile_interval;
use crate::stats::rng::Rng;

/// Draws whose totals are added up together: enough that the sums are seldom read again, few enough
/// that their weights take a few megabytes.
const DRAWS_AT_ONCE: usize = 128;

/// Sums of profiles by cluster, from which means and their bands follow without the profiles
/// themselves.
#[derive(Clone, Debug)]
pub struct ProfileSums {
    width: usize,
    /// In order of cluster, so that two groups over the same clusters are drawn alike by one seed,
    /// whatever came first.
    clusters: BTreeMap<usize, ClusterSum>,
}

#[derive(Clone, Debug)]
struct ClusterSum {
    count: f64,
    /// `(width)`.
    sums: Vec<f64>,
}

/// The mean of profiles at each position, with a pointwise band.
#[derive(Clone, Debug, PartialEq)]
pub struct Band {
    /// Mean over all profiles, `(width)`; `NaN` without profiles.
    pub mean: Vec<f64>,
    /// Lower end of the interval at each position, `(width)`.
    pub low: Vec<f64>,
    /// Upper end, `(width)`.
    pub high: Vec<f64>,
    /// Number of profiles.
    pub n: usize,
}

impl ProfileSums {
    /// For profiles of `width` values.
    pub fn new(width: usize) -> ProfileSums {
        ProfileSums {
            width,
            clusters: BTreeMap::new(),
        }
    }

    /// Adds one profile, of `width` values (others are cut; a shorter one counts as 0 beyond its
    /// end), to a cluster.
    pub fn add(&mut self, cluster: usize, profile: &[f32]) {
        let profile: Vec<f64> = profile.iter().map(|value| f64::from(*value)).collect();
        self.add_share(cluster, 1.0, &profile);
    }

    /// Adds a share of a profile: `weight` times `profile` to the sum of a cluster, and `weight` to
    /// its count. Shares of one profile are to add up to 1.
    pub fn add_share(&mut self, cluster: usize, weight: f64, profile: &[f64]) {
        let empty = || ClusterSum {
            count: 0.0,
            sums: vec![0.0; self.width],
        };
        let entry = self.clusters.entry(cluster).or_insert_with(empty);
        entry.count += weight;
        entry
            .sums
            .iter_mut()
            .zip(profile)
            .for_each(|(sum, value)| *sum += weight * value);
    }

    /// Adds to the sum of a cluster that has profiles, and to no count.
    pub fn shift(&mut self, cluster: usize, by: &[f64]) {
        if let Some(cluster) = self.clusters.get_mut(&cluster) {
            cluster
                .sums
                .iter_mut()
                .zip(by)
                .for_each(|(sum, by)| *sum += by);
        }
    }

    /// The sums of `a * self + b * other`, cluster by cluster, with the counts of `self`. Clusters
    /// that only `other` has are left out.
    #[must_use]
    pub fn combined(&self, a: f64, other: &ProfileSums, b: f64) -> ProfileSums {
        let mut all = self.clone();
        for (cluster, entry) in &mut all.clusters {
            entry.sums.iter_mut().for_each(|sum| *sum *= a);
            if let Some(other) = other.clusters.get(cluster) {
                entry
                    .sums
                    .iter_mut()
                    .zip(&other.sums)
                    .for_each(|(sum, more)| *sum += b * more);
            }
        }
        all
    }

    /// The clusters of either group, in order of number.
    pub fn clusters_with(&self, other: &ProfileSums) -> Vec<usize> {
        self.clusters
            .keys()
            .chain(other.clusters.keys())
            .copied()
            .collect::<BTreeSet<usize>>()
            .into_iter()
            .collect()
    }

    /// How many profiles a cluster has.
    pub fn count_of(&self, cluster: usize) -> f64 {
        self.clusters
            .get(&cluster)
            .map_or(0.0, |cluster| cluster.count)
    }

    /// Of each of [`ProfileSums::clusters_with`], the sums of its profiles less those of `other`,
    /// `(clusters, width)` row by row as [`crate::stats::offsets::sign_flip_offsets`] takes them. A
    /// cluster with more profiles of one group has those less the middle of the two means, as in
    /// [`crate::stats::permutation::ClusterSums::of_members`].
    pub fn against(&self, other: &ProfileSums) -> Vec<f64> {
        let (own_mean, other_mean) = (self.mean(), other.mean());
        let none = ClusterSum {
            count: 0.0,
            sums: vec![0.0; self.width],
        };
        let row = |cluster: usize| {
            let (own, taken) = (
                self.clusters.get(&cluster).unwrap_or(&none),
                other.clusters.get(&cluster).unwrap_or(&none),
            );
            let more = own.count - taken.count;
            let more = if more.abs() < 1e-9 { 0.0 } else { more };
            let middle = own_mean.iter().zip(&other_mean).map(move |(a, b)| {
                if more == 0.0 {
                    0.0
                } else {
                    more * (a + b) / 2.0
                }
            });
            own.sums
                .iter()
                .zip(&taken.sums)
                .zip(middle)
                .map(|((own, taken), middle)| own - taken - middle)
                .collect::<Vec<f64>>()
        };
        self.clusters_with(other)
            .into_iter()
            .flat_map(row)
            .collect()
    }

    /// The mean profile; `NaN` without profiles.
    fn mean(&self) -> Vec<f64> {
        let mut mean = vec![0.0; self.width];
        self.clusters.values().for_each(|cluster| {
            mean.iter_mut()
                .zip(&cluster.sums)
                .for_each(|(mean, sum)| *mean += sum)
        });
        let n: f64 = self.clusters.values().map(|cluster| cluster.count).sum();
        mean.iter_mut().for_each(|mean| *mean /= n);
        mean
    }

    /// Number of profiles.
    pub fn n(&self) -> usize {
        self.clusters
            .values()
            .map(|cluster| cluster.count)
            .sum::<f64>()
            .round() as usize
    }

    /// The mean profile and its pointwise `level` band over `replicates` draws of clusters. A
    /// position with a value that is not a number has `NaN` in all fields.
    pub fn band(&self, replicates: usize, level: f64, seed: u64) -> Band {
        let rng = Rng::new(seed).derive("profile");
        // One more column: the counts.
        let columns = self.width + 1;
        let sums: Vec<f64> = self
            .clusters
            .values()
            .flat_map(|cluster| {
                cluster
                    .sums
                    .iter()
                    .copied()
                    .chain(std::iter::once(cluster.count))
            })
            .collect();
        // The means under some weightings of the clusters, `(weightings, width)`.
        let means = |weights: &[f64], weightings: usize| {
            let mut totals = vec![0.0; weightings * columns];
            add_product(weights, &sums, columns, &mut totals);
            totals
                .chunks_exact(columns)
                .flat_map(|row| row[..self.width].iter().map(|sum| sum / row[self.width]))
                .collect::<Vec<f64>>()
        };
        let replicates: Vec<u64> = (0..replicates as u64).collect();
        let some = |some: &[u64]| {
            let weights: Vec<f64> = some
                .iter()
                .flat_map(|replicate| draw_weights(&rng, *replicate, self.clusters.len()))
                .collect();
            means(&weights, some.len())
        };
        let draws: Vec<Vec<f64>> = replicates.par_chunks(DRAWS_AT_ONCE).map(some).collect();
        let at = |position: usize| {
            draws
                .iter()
                .flat_map(move |some| some.iter().skip(position).step_by(self.width).copied())
        };
        let (low, high) = (0..self.width)
            .into_par_iter()
            .map(|position| percentile_interval(at(position).collect(), level))
            .unzip();
        Band {
            mean: means(&vec![1.0; self.clusters.len()], 1),
            low,
            high,
            n: self.n(),
        }
    }
}
