//! Two groups compared within strata: the difference of their shares of hits, each stratum weighing
//! `n1 n0 / (n1 + n0)` (Mantel & Haenszel 1959; Greenland & Robins 1985), by cluster.

use std::collections::BTreeMap;

use crate::stats::permutation::ClusterSums;

/// What is observed once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The unit of replication.
    pub cluster: u32,
    /// The stratum, below the number of strata.
    pub stratum: u32,
    /// Of the first group, else of the second.
    pub first: bool,
    /// What is counted.
    pub hit: bool,
}

/// The comparison of two groups.
#[derive(Clone, Debug, PartialEq)]
pub struct Stratified {
    /// Share of hits of the first group, strata weighted as above; `NaN` where no stratum holds
    /// both groups.
    pub first: f64,
    /// The same of the second.
    pub second: f64,
    /// Observations of the first group in strata that hold both.
    pub n_first: u64,
    /// Those of the second.
    pub n_second: u64,
    /// Observations of the first group in strata without any of the second.
    pub n_unmatched: u64,
    /// What each cluster adds to the difference, to first order, as (cluster, sum, weight): the
    /// total of the sums over that of the weights is `first - second`. Both groups' hits are taken
    /// less what the stratum's pooled share lets expect, so that a cluster adds nothing by its mere
    /// size.
    pub clusters: Vec<(u32, f64, f64)>,
}

impl Stratified {
    /// The difference as sums of clusters, for tests and intervals.
    pub fn sums(&self) -> ClusterSums {
        let (sums, weights) = self
            .clusters
            .iter()
            .map(|(_, sum, weight)| (*sum, *weight))
            .unzip();
        ClusterSums::new(sums, weights)
    }
}

/// Hits and observations of both groups in a stratum: `[n1, hits1, n0, hits0]`.
type Counts = [f64; 4];

/// Compares the groups of `observations`, whose strata are `0..n_strata`.
pub fn stratified(
    observations: impl Iterator<Item = Observation> + Clone,
    n_strata: usize,
) -> Stratified {
    let mut strata: Vec<Counts> = vec![[0.0; 4]; n_strata];
    for one in observations.clone() {
        let at = if one.first { 0 } else { 2 };
        let counts = &mut strata[one.stratum as usize];
        counts[at] += 1.0;
        counts[at + 1] += f64::from(u8::from(one.hit));
    }
    let both = |[n1, _, n0, _]: &Counts| *n1 > 0.0 && *n0 > 0.0;
    let (mut weights, mut shares) = (0.0, [0.0; 2]);
    for counts in strata.iter().filter(|counts| both(counts)) {
        let [n1, hits1, n0, hits0] = counts;
        let weight = n1 * n0 / (n1 + n0);
        weights += weight;
        shares[0] += weight * hits1 / n1;
        shares[1] += weight * hits0 / n0;
    }
    let sum = |at: usize, with: bool| -> u64 {
        strata
            .iter()
            .filter(|counts| both(counts) == with)
            .map(|counts| counts[at])
            .sum::<f64>() as u64
    };
    let mut clusters: BTreeMap<u32, (f64, f64)> = BTreeMap::new();
    for one in observations {
        let counts = &strata[one.stratum as usize];
        if !both(counts) {
            continue;
        }
        let [n1, hits1, n0, hits0] = counts;
        let n = n1 + n0;
        let beyond = f64::from(u8::from(one.hit)) - (hits1 + hits0) / n;
        let (other, sign) = if one.first { (n0, 1.0) } else { (n1, -1.0) };
        let entry = clusters.entry(one.cluster).or_default();
        entry.0 += sign * beyond * other / n;
        // Each group carries half of the stratum's weight.
        entry.1 += other / n / 2.0;
    }
    Stratified {
        first: shares[0] / weights,
        second: shares[1] / weights,
        n_first: sum(0, true),
        n_second: sum(2, true),
        n_unmatched: sum(0, false),
        clusters: clusters
            .into_iter()
            .map(|(cluster, (sum, weight))| (cluster, sum, weight))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::rng::Rng;

    fn one(cluster: u32, stratum: u32, first: bool, hit: bool) -> Observation {
        Observation {
            cluster,
            stratum,
            first,
            hit,
        }
    }

    #[test]
    fn two_strata_by_hand() {
        // Stratum 0: 2 of 4 against 1 of 4, weight 2. Stratum 1: 1 of 1 against 1 of 2, weight 2/3.
        // Stratum 2 has no second group. (2 (1/4) + (2/3)(1/2)) / (8/3) = 5/16.
        let mut all = Vec::new();
        for i in 0..4u32 {
            all.push(one(i % 2, 0, true, i < 2));
            all.push(one(i % 3, 0, false, i < 1));
        }
        all.extend([
            one(0, 1, true, true),
            one(1, 1, false, true),
            one(2, 1, false, false),
            one(2, 2, true, true),
        ]);
        let found = stratified(all.iter().copied(), 3);
        assert!((found.first - found.second - 5.0 / 16.0).abs() < 1e-12);
        assert_eq!(
            (found.n_first, found.n_second, found.n_unmatched),
            (5, 6, 1)
        );
        let test = found.sums().test(100, 1);
        assert!((test.statistic - 5.0 / 16.0).abs() < 1e-12 && test.n_clusters == 3);
        assert!(stratified([].into_iter(), 3).first.is_nan());
    }

    #[test]
    fn small_strata_are_calibrated() {
        // Hits that follow from stratum and cluster alone, two or three observations a stratum and
        // group: a table of the other group's shares, taken as known, would reject too often.
        let (mut rng, mut rejected) = (Rng::new(4), 0);
        let runs = 400;
        for run in 0..runs {
            let rates: Vec<f64> = (0..300).map(|_| rng.uniform()).collect();
            let all: Vec<Observation> = (0..1600)
                .map(|i| {
                    let (stratum, cluster) = (rng.below(300), i % 40);
                    let hit = rng.uniform() < rates[stratum];
                    one(cluster, stratum as u32, rng.uniform() < 0.33, hit)
                })
                .collect();
            let p = stratified(all.into_iter(), 300)
                .sums()
                .test(199, run)
                .p_value;
            rejected += usize::from(p <= 0.05);
        }
        let share = rejected as f64 / runs as f64;
        assert!((0.02..=0.08).contains(&share), "{share}");
    }
}
