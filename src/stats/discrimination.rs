//! How well sites are told from controls: by the nucleotides around them, by numbers measured at
//! them, and by both.
//!
//! Every score is out of fold. Clusters of observations are dealt into five folds; a score comes
//! from a model fitted on the other four, and whatever a model chooses (a penalty, a weight matrix)
//! is chosen on those four by predicting each of them from the other three.
//!
//! | file | what it holds |
//! |---|---|
//! | `letters` | what a regression sees of nucleotides |
//! | `sequence` | the model of the nucleotides |
//! | `measured` | the models of measured numbers, alone and beside the nucleotides |
//! | `swap` | whether measured numbers tell at all: labels swapped within pairs, cluster by cluster |
//! | `conditional` | whether they tell given the nucleotides: the generalised covariance measure |

pub mod conditional;
pub mod letters;
pub mod measured;
pub mod sequence;
pub mod swap;

pub use crate::stats::context::FOLDS;
use crate::stats::context::Fold;
use crate::stats::dense_clusters;

/// Fewer clusters than this are not dealt into folds.
pub const LEAST_CLUSTERS: usize = 10;
/// Fewer sites than this are not told from anything.
pub const LEAST_SITES: usize = 40;

/// Sites and controls, one row each. Weights of the sites and of the controls have equal sums in
/// every cluster where controls share the weight of their site.
#[derive(Clone, Debug)]
pub struct Cases {
    /// Which rows are sites.
    pub is_site: Vec<bool>,
    /// How much each row counts.
    pub weights: Vec<f64>,
    /// The cluster of each row, numbered from 0 without gaps.
    pub clusters: Vec<usize>,
    /// The fold of each row, below [`FOLDS`].
    pub folds: Vec<usize>,
    /// How many clusters there are.
    pub n_clusters: usize,
}

impl Cases {
    /// Rows with the clusters as the caller numbers them. Folds are of about equally many rows.
    ///
    /// # Errors
    /// In words, why nothing can be estimated: too few sites or clusters.
    pub fn new(is_site: Vec<bool>, weights: Vec<f64>, clusters: &[usize]) -> Result<Cases, String> {
        let (clusters, n_clusters) = dense_clusters(clusters);
        let n_sites = is_site.iter().filter(|is| **is).count();
        if n_sites < LEAST_SITES {
            return Err(format!(
                "{n_sites} sites with controls; at least {LEAST_SITES} are needed"
            ));
        }
        if n_clusters < LEAST_CLUSTERS {
            return Err(format!(
                "sites in {n_clusters} clusters; at least {LEAST_CLUSTERS} are needed for folds"
            ));
        }
        let mut sizes = vec![0; n_clusters];
        clusters.iter().for_each(|cluster| sizes[*cluster] += 1);
        let dealt = Fold::deal(&sizes);
        let folds = clusters
            .iter()
            .map(|cluster| dealt[*cluster].number())
            .collect();
        let cases = Cases {
            is_site,
            weights,
            clusters,
            folds,
            n_clusters,
        };
        // A model is fitted without two folds, and judged on one.
        let both = |fold: usize| {
            [true, false]
                .iter()
                .all(|label| cases.in_fold(fold).any(|row| cases.is_site[row] == *label))
        };
        if !(0..FOLDS).all(both) {
            return Err("a fold of clusters lacks sites or controls".into());
        }
        Ok(cases)
    }

    /// Rows.
    pub fn n(&self) -> usize {
        self.is_site.len()
    }

    /// The rows of a fold.
    pub fn in_fold(&self, fold: usize) -> impl Iterator<Item = usize> + '_ {
        (0..self.n()).filter(move |row| self.folds[*row] == fold)
    }

    /// The rows outside of all of some folds.
    pub fn without(&self, folds: &[usize]) -> Vec<usize> {
        (0..self.n())
            .filter(|row| !folds.contains(&self.folds[*row]))
            .collect()
    }

    fn weight_of(&self, rows: &[usize]) -> f64 {
        rows.iter().map(|row| self.weights[*row]).sum()
    }

    /// Summed loss of log-odds over the rows of a fold, in nats.
    fn loss_in(&self, fold: usize, logit: impl Fn(usize) -> f64) -> f64 {
        self.in_fold(fold)
            .map(|row| {
                self.weights[row]
                    * crate::stats::ridge::logistic::loss(logit(row), self.is_site[row])
            })
            .sum()
    }
}

/// Columns with mean 0 and standard deviation 1 under weights; a column without variation is 0.
/// Uses no label. `values` is `(rows, width)`.
pub fn standardised(values: &[f64], width: usize, weights: &[f64]) -> Vec<f64> {
    let mut all = values.to_vec();
    for (column, (mean, variance)) in moments(values, width, weights).into_iter().enumerate() {
        let scale = if variance > 1e-18 * (1.0 + mean * mean) {
            1.0 / variance.sqrt()
        } else {
            0.0
        };
        all.iter_mut()
            .skip(column)
            .step_by(width)
            .for_each(|value| *value = (*value - mean) * scale);
    }
    all
}

/// Mean and variance of each column of `(rows, width)` under weights.
fn moments(values: &[f64], width: usize, weights: &[f64]) -> Vec<(f64, f64)> {
    let total: f64 = weights.iter().sum();
    let of_column = |column: usize| {
        let at = |row: usize| values[row * width + column];
        let mean = weights
            .iter()
            .enumerate()
            .map(|(row, w)| w * at(row))
            .sum::<f64>()
            / total;
        let variance = weights
            .iter()
            .enumerate()
            .map(|(row, w)| w * (at(row) - mean).powi(2))
            .sum::<f64>()
            / total;
        (mean, variance)
    };
    (0..width).map(of_column).collect()
}

#[cfg(test)]
mod tests;
