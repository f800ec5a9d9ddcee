//! The AUROC of values with labels, which need not come in pairs, and the difference of two on the
//! same labels.

use super::interval;
use crate::stats::dense_clusters;
use crate::stats::rng::Rng;

/// Leave-one-out sets are of this many groups of clusters at most: each costs a pass over all
/// values.
const GROUPS: usize = 200;

/// Values by rising order with their ties.
struct Order {
    /// (index, whether the next one has another value).
    order: Vec<(usize, bool)>,
}

impl Order {
    fn new(values: &[f64]) -> Order {
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
        let is_last = |at: usize| {
            order
                .get(at + 1)
                .is_none_or(|next| values[*next] != values[order[at]])
        };
        Order {
            order: (0..order.len())
                .map(|at| (order[at], is_last(at)))
                .collect(),
        }
    }

    /// The AUROC where value `i` counts `weight(i)` times; `NaN` where a side is empty.
    fn auroc(&self, labels: &[bool], weight: impl Fn(usize) -> f64) -> f64 {
        let (mut below, mut won, mut positives, mut tied) = (0.0, 0.0, 0.0, [0.0; 2]);
        for (index, is_last) in &self.order {
            tied[usize::from(labels[*index])] += weight(*index);
            if *is_last {
                won += tied[1] * (below + 0.5 * tied[0]);
                below += tied[0];
                positives += tied[1];
                tied = [0.0; 2];
            }
        }
        won / (positives * below)
    }
}

/// The probability that a value with the label true exceeds one with the label false, ties counting
/// half; with `other`, how much that of `values` exceeds that of `other`, which has the same
/// labels. One label and one cluster number a value (the shortest slice counts). `(value, low,
/// high)`: the BCa `level` interval over `replicates` draws of clusters.
pub fn labelled_auroc(
    values: &[f64],
    other: Option<&[f64]>,
    labels: &[bool],
    clusters: &[usize],
    replicates: usize,
    level: f64,
    seed: u64,
) -> (f64, f64, f64) {
    let n = values
        .len()
        .min(labels.len())
        .min(clusters.len())
        .min(other.map_or(usize::MAX, <[f64]>::len));
    let (dense, n_clusters) = dense_clusters(&clusters[..n]);
    let (order, other) = (
        Order::new(&values[..n]),
        other.map(|other| Order::new(&other[..n])),
    );
    let statistic = |weights: &[f64]| {
        let weight = |i: usize| weights[dense[i]];
        order.auroc(labels, weight)
            - other
                .as_ref()
                .map_or(0.0, |other| other.auroc(labels, weight))
    };
    let groups = n_clusters.min(GROUPS);
    let without = |group| {
        statistic(
            &(0..n_clusters)
                .map(|cluster| f64::from(u8::from(cluster % groups != group)))
                .collect::<Vec<f64>>(),
        )
    };
    let left_out: Vec<f64> = (0..groups).map(without).collect();
    let (low, high) = interval(
        statistic,
        n_clusters,
        &left_out,
        replicates,
        level,
        &Rng::new(seed).derive("labelled-auroc"),
    );
    (statistic(&vec![1.0; n_clusters]), low, high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::effect::auroc;

    #[test]
    fn values_in_any_order_have_the_auroc_of_their_sides() {
        let (a, b) = (
            [0.9, 0.4, 0.4, 0.7, 0.1, 0.35, 0.8],
            [0.2, 0.4, 0.1, 0.6, 0.1],
        );
        let values = [&a[..5], &b[..], &a[5..]].concat();
        let labels: Vec<bool> = (0..12).map(|i| !(5..10).contains(&i)).collect();
        let clusters: Vec<usize> = (0..12).map(|i| i % 4).collect();
        let (value, low, high) = labelled_auroc(&values, None, &labels, &clusters, 500, 0.95, 1);
        assert!((value - auroc(&a, &b)).abs() < 1e-12);
        assert!(low <= value && value <= high, "{low} {value} {high}");
        let same = labelled_auroc(&values, Some(&values), &labels, &clusters, 500, 0.95, 1);
        assert_eq!(same, (0.0, 0.0, 0.0));
        assert!(
            labelled_auroc(&values, None, &[true; 12], &clusters, 10, 0.95, 1)
                .0
                .is_nan()
        );
        assert!(labelled_auroc(&[], None, &[], &[], 10, 0.95, 1).0.is_nan());
    }

    /// Of scores that know nothing, 95 % intervals over clusters hold 0.5 about as often as they
    /// say, also where the members of a cluster are alike.
    #[test]
    fn intervals_hold_under_the_null() {
        let (mut held, runs) = (0, 200);
        for run in 0..runs {
            let mut rng = Rng::new(run);
            let (mut values, mut labels, mut clusters) = (Vec::new(), Vec::new(), Vec::new());
            for cluster in 0..40 {
                let (shared, share) = (rng.uniform(), rng.uniform());
                for _ in 0..8 {
                    values.push(shared + rng.uniform());
                    labels.push(rng.uniform() < share);
                    clusters.push(cluster);
                }
            }
            let (_, low, high) = labelled_auroc(&values, None, &labels, &clusters, 400, 0.95, run);
            held += u32::from(low <= 0.5 && 0.5 <= high);
        }
        assert!((180..=198).contains(&held), "{held} of {runs}");
    }
}
