//! The share of the variance that out-of-fold estimates explain.

use std::collections::BTreeMap;

use super::WIDEST;
use crate::stats::bootstrap::totals_interval;
use crate::stats::rng::Rng;

/// Count, sum and sum of squares of the values, then the squared errors of the widths 0 to
/// [`WIDEST`].
type Row = [f64; 3 + WIDEST + 1];

/// Squared errors by cluster.
#[derive(Clone, Debug, Default)]
pub struct Explained {
    clusters: BTreeMap<usize, Row>,
}

/// The share of variance explained by one width.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct R2 {
    /// Letters on either side.
    pub k: usize,
    /// `1 - sum (value - estimate)^2 / sum (value - mean)^2`; below 0 where the mean of the values
    /// is the better estimate, `NaN` where all are alike.
    pub r2: f64,
    /// Lower end of the interval.
    pub ci_low: f64,
    /// Upper end.
    pub ci_high: f64,
}

impl Explained {
    /// Adds a value and its estimates (those of [`super::ContextTable::predict`]) to a cluster.
    pub fn add(&mut self, cluster: usize, value: f32, estimates: &[f32; WIDEST + 1]) {
        let value = f64::from(value);
        let row = self
            .clusters
            .entry(cluster)
            .or_insert([0.0; 3 + WIDEST + 1]);
        let errors = estimates
            .iter()
            .map(|estimate| (value - f64::from(*estimate)).powi(2));
        row.iter_mut()
            .zip([1.0, value, value * value].into_iter().chain(errors))
            .for_each(|(sum, value)| *sum += value);
    }

    /// The values of both.
    #[must_use]
    pub fn merged(&self, other: &Explained) -> Explained {
        let mut all = self.clone();
        for (cluster, row) in &other.clusters {
            let sums = all
                .clusters
                .entry(*cluster)
                .or_insert([0.0; 3 + WIDEST + 1]);
            sums.iter_mut()
                .zip(row)
                .for_each(|(sum, more)| *sum += more);
        }
        all
    }

    /// Number of values.
    pub fn n(&self) -> usize {
        self.clusters.values().map(|row| row[0]).sum::<f64>() as usize
    }

    /// Number of clusters.
    pub fn n_clusters(&self) -> usize {
        self.clusters.len()
    }

    /// R2 of the widths 1 to [`WIDEST`], with BCa intervals over `replicates` draws of clusters.
    pub fn r2(&self, replicates: usize, level: f64, seed: u64) -> Vec<R2> {
        let rows: Vec<Row> = self.clusters.values().copied().collect();
        let total: Row = std::array::from_fn(|i| rows.iter().map(|row| row[i]).sum());
        let rng = Rng::new(seed).derive("r2");
        let of_width = |k: usize| {
            let r2 = |row: &Row| {
                let squares = row[2] - row[1] * row[1] / row[0];
                if squares > 1e-12 * row[2] {
                    1.0 - row[3 + k] / squares
                } else {
                    f64::NAN
                }
            };
            let (ci_low, ci_high) = totals_interval(&rows, r2, replicates, level, &rng);
            R2 {
                k,
                r2: r2(&total),
                ci_low,
                ci_high,
            }
        };
        (1..=WIDEST).map(of_width).collect()
    }
}
