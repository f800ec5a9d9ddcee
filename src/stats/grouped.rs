//! Groups of observations in clusters: how far the mean of a group lies from its expectation by
//! sampling alone.
//!
//! Observation `h` of group `j` in cluster `c` is taken as `m_j + u_jc + e_jch`: what a group has
//! of its own, what its members in one cluster share, and the rest. [`Components`] estimates the
//! variances of `u` and `e` from all groups together, by the analysis of variance of an unbalanced
//! nested design (Henderson 1953, Biometrics 9:226, method 1; Searle, Casella & McCulloch 1992,
//! *Variance Components*, ch. 3).

use super::dense_clusters;

/// Residual degrees of freedom below which no variance is estimated.
const LEAST_FREEDOM: usize = 9;

/// What of a group its components and its mean need.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Group {
    /// Observations.
    pub n: usize,
    /// Clusters they lie in.
    pub n_clusters: usize,
    /// Sum over the clusters of the squared number of observations.
    pub squared_counts: f64,
    /// Mean; `NaN` for none.
    pub mean: f64,
    /// Squares around the mean.
    pub squares: f64,
    /// Squares around the means of the clusters.
    pub squares_in_clusters: f64,
}

impl Group {
    /// Of values with one cluster number each; the shorter slice counts.
    pub fn new(values: &[f64], clusters: &[usize]) -> Group {
        let n = values.len().min(clusters.len());
        let (dense, n_clusters) = dense_clusters(&clusters[..n]);
        let mut cells = vec![(0.0, 0.0); n_clusters];
        for (value, cluster) in values.iter().zip(&dense) {
            cells[*cluster].0 += 1.0;
            cells[*cluster].1 += value;
        }
        let mean = super::mean(&values[..n]);
        let squares = |center: &dyn Fn(usize) -> f64| {
            values
                .iter()
                .zip(&dense)
                .map(|(v, c)| (v - center(*c)).powi(2))
                .sum()
        };
        Group {
            n,
            n_clusters,
            squared_counts: cells.iter().map(|(count, _)| count * count).sum(),
            mean,
            squares: squares(&|_| mean),
            squares_in_clusters: squares(&|cluster| cells[cluster].1 / cells[cluster].0),
        }
    }

    /// Variance of the observations, denominator `n - 1`; `NaN` below two.
    pub fn variance(&self) -> f64 {
        if self.n < 2 {
            f64::NAN
        } else {
            self.squares / (self.n - 1) as f64
        }
    }
}

/// Variances of what observations do not share with their group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Components {
    /// Of what members of a group in one cluster share.
    pub shared: f64,
    /// Of the rest.
    pub own: f64,
}

impl Components {
    /// By moments over all groups: expected squares around the means of the clusters are `own (N -
    /// cells)`, around those of the groups `own (N - groups) + shared sum(n_j - squared_counts_j /
    /// n_j)`. A negative `shared` is 0, and `own` then all there is. `None` below nine degrees of
    /// freedom, or where every group lies in one cluster.
    pub fn estimate(groups: &[Group]) -> Option<Components> {
        let some = || groups.iter().filter(|group| group.n > 0);
        let total: usize = some().map(|group| group.n).sum();
        let (within, free) = (
            total - some().map(|group| group.n_clusters).sum::<usize>(),
            total - some().count(),
        );
        let spread: f64 = some()
            .map(|group| group.n as f64 - group.squared_counts / group.n as f64)
            .sum();
        let squares: f64 = some().map(|group| group.squares).sum();
        if free < LEAST_FREEDOM || spread < 1e-9 || !squares.is_finite() {
            return None;
        }
        let alone = Components {
            shared: 0.0,
            own: squares / free as f64,
        };
        if within == 0 {
            return Some(alone);
        }
        let own = some().map(|group| group.squares_in_clusters).sum::<f64>() / within as f64;
        let shared = (squares - own * free as f64) / spread;
        Some(if shared > 0.0 {
            Components { shared, own }
        } else {
            alone
        })
    }

    /// The sampling variance of the mean of a group; `NaN` for an empty one.
    pub fn of_mean(&self, group: &Group) -> f64 {
        let n = group.n as f64;
        self.own / n + self.shared * group.squared_counts / (n * n)
    }

    /// The variance of one observation around what is expected of its group.
    pub fn of_one(&self) -> f64 {
        self.own + self.shared
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::rng::Rng;

    #[test]
    fn a_group_by_hand() {
        let group = Group::new(&[1.0, 3.0, 8.0], &[5, 5, 2]);
        assert_eq!(
            (group.n, group.n_clusters, group.squared_counts, group.mean),
            (3, 2, 5.0, 4.0)
        );
        assert_eq!(
            (group.squares, group.squares_in_clusters, group.variance()),
            (26.0, 2.0, 13.0)
        );
        let components = Components {
            shared: 3.0,
            own: 1.5,
        };
        assert!((components.of_mean(&group) - (0.5 + 3.0 * 5.0 / 9.0)).abs() < 1e-12);
        assert!(Group::new(&[], &[]).mean.is_nan() && Group::new(&[1.0], &[0]).variance().is_nan());
    }

    #[test]
    fn known_variances_come_back() {
        let mut rng = Rng::new(3);
        // Uniform of variance 1.
        let mut draw = |sd: f64| (rng.uniform() - 0.5) * sd * 12.0f64.sqrt();
        for (shared, own) in [(0.5, 2.0), (0.0, 1.0), (2.0, 0.1)] {
            let groups: Vec<Group> = (0..400)
                .map(|j| {
                    let level = draw(5.0);
                    let (mut values, mut clusters) = (Vec::new(), Vec::new());
                    for cluster in 0..6 + j % 7 {
                        let together = draw(f64::sqrt(shared));
                        for _ in 0..1 + (j + cluster) % 3 {
                            values.push(level + together + draw(f64::sqrt(own)));
                            clusters.push(cluster);
                        }
                    }
                    Group::new(&values, &clusters)
                })
                .collect();
            let found = Components::estimate(&groups).unwrap();
            assert!(
                (found.shared - shared).abs() < 0.06 * (shared + own)
                    && (found.own - own).abs() < 0.06 * own,
                "{found:?}"
            );
        }
    }

    #[test]
    fn too_little_gives_nothing() {
        let one = Group::new(&[0.1, 0.5, 0.9, 0.2], &[0, 1, 2, 3]);
        assert_eq!(Components::estimate(&[one, one]), None);
        let apart = Components::estimate(&[one; 4]).unwrap();
        assert!(apart.shared == 0.0 && (apart.own - one.variance()).abs() < 1e-12);
        assert_eq!(
            Components::estimate(&[Group::new(&[0.1, 0.5, 0.9, 0.2], &[7; 4]); 9]),
            None
        );
        assert_eq!(
            Components::estimate(&[Group::new(&[f64::NAN; 20], &[0; 20])]),
            None
        );
    }
}
