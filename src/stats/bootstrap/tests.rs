use super::*;

/// 40 clusters of one to five values.
fn data() -> (Vec<f64>, Vec<usize>) {
    let mut rng = Rng::new(5);
    let clusters: Vec<usize> = (0..40usize).flat_map(|c| vec![c * 3; 1 + c % 5]).collect();
    (
        clusters
            .iter()
            .map(|c| (*c as f64 / 60.0) + rng.uniform())
            .collect(),
        clusters,
    )
}

#[test]
fn means_bands_and_threads_agree() {
    let (values, clusters) = data();
    let interval = mean_interval(&values, &clusters, 2000, 0.95, 1);
    let mut sums = ProfileSums::new(2);
    for (value, cluster) in values.iter().zip(&clusters) {
        sums.add(*cluster, &[*value as f32, 1.0]);
    }
    let band = sums.band(2000, 0.95, 1);
    assert_eq!(band.n, values.len());
    assert!((band.mean[0] - crate::stats::mean(&values)).abs() < 1e-6);
    assert!((band.low[0] - interval.0).abs() < 0.04 && (band.high[0] - interval.1).abs() < 0.04);
    assert_eq!((band.low[1], band.high[1]), (1.0, 1.0));
    let one = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap();
    assert_eq!(one.install(|| sums.band(2000, 0.95, 1)), band);
}

#[test]
fn width_is_that_of_the_ratio_estimator() {
    // The sd of a cluster bootstrap of a ratio of sums: sqrt(sum (S_c - n_c mean)^2) / sum n_c
    // (Cochran 1977, eq. 2.45).
    let (values, clusters) = data();
    let mean = crate::stats::mean(&values);
    let squares: f64 = (0..40usize)
        .map(|c| {
            values
                .iter()
                .zip(&clusters)
                .filter(|(_, k)| **k == c * 3)
                .map(|(v, _)| v - mean)
                .sum::<f64>()
                .powi(2)
        })
        .sum();
    let sd = squares.sqrt() / values.len() as f64;
    let (low, high) = mean_interval(&values, &clusters, 20_000, 0.95, 3);
    let expected = 2.0 * 1.959964 * sd;
    assert!(
        ((high - low) / expected - 1.0).abs() < 0.05,
        "{} {expected}",
        high - low
    );
}

#[test]
fn auroc_interval_holds_its_value() {
    let (values, clusters) = data();
    let shifted: Vec<f64> = values
        .iter()
        .enumerate()
        .map(|(i, v)| v - 0.3 + 0.1 * (i % 3) as f64)
        .collect();
    let (low, high) = auroc_interval(&values, &shifted, &clusters, 1000, 0.95, 4);
    let value = crate::stats::effect::auroc(&values, &shifted);
    assert!(
        low < value && value < high && high - low < 0.3,
        "{low} {value} {high}"
    );
    assert_eq!(
        auroc_interval(&values, &values, &clusters, 100, 0.95, 4),
        (0.5, 0.5)
    );
}

#[test]
fn nothing_gives_nan() {
    assert!(mean_interval(&[], &[], 10, 0.95, 0).0.is_nan());
    assert!(auroc_interval(&[], &[], &[], 10, 0.95, 0).1.is_nan());
    let band = ProfileSums::new(3).band(10, 0.95, 0);
    assert!(band.n == 0 && band.mean.len() == 3 && band.mean[0].is_nan() && band.low[0].is_nan());
}

// Fifteen clusters of one pair each.
const X: [f64; 15] = [
    0.12, 0.95, 0.33, 2.7, 0.08, 0.51, 1.4, 0.2, 0.77, 0.05, 3.9, 0.61, 0.02, 1.1, 0.29,
];
const Y: [f64; 15] = [
    0.31, 0.40, 0.52, 0.9, 0.22, 0.35, 0.8, 0.44, 0.6, 0.18, 1.2, 0.5, 0.3, 0.9, 0.1,
];

// import numpy as np, scipy.stats as st; i = np.arange(15); d = x - y
// for f in (lambda i: x[i].mean(), lambda i: np.log2(x[i].mean() / y[i].mean()), lambda i:
// d[i].mean() / d[i].std(ddof=1),
//           lambda i: st.mannwhitneyu(x[i], y[i]).statistic / 225):
//     st.bootstrap((i,), f, vectorized=False, n_resamples=40000, method='BCa',
//     random_state=1).confidence_interval
// Their percentile intervals: (0.403, 1.461), (0.022, 1.191), (0.022, 0.755), (0.356, 0.671).
#[test]
fn bca_as_scipy() {
    let clusters: Vec<usize> = (0..15).collect();
    let differences: Vec<f64> = X.iter().zip(Y).map(|(x, y)| x - y).collect();
    let draws = 40_000;
    let found = [
        mean_interval(&X, &clusters, draws, 0.95, 1),
        log2_ratio_interval(&X, &Y, &clusters, draws, 0.95, 1),
        paired_d_interval(&differences, &clusters, draws, 0.95, 1),
        auroc_interval(&X, &Y, &clusters, draws, 0.95, 1),
    ];
    let expected = [
        (0.47467, 1.64200),
        (0.19116, 1.28650),
        (0.01988, 0.75386),
        (0.34222, 0.65333),
    ];
    let tolerance = [0.02, 0.02, 0.012, 0.005]; // four standard errors of a quantile of 40 000 draws
    for ((found, expected), tolerance) in found.iter().zip(expected).zip(tolerance) {
        assert!(
            (found.0 - expected.0).abs() < tolerance && (found.1 - expected.1).abs() < tolerance,
            "{found:?} {expected:?}"
        );
    }
}

#[test]
fn aurocs_without_a_cluster_are_those_of_the_rest() {
    let dense = [0, 1, 2, 0, 1, 2, 3, 3, 3, 3, 0, 1, 2, 2, 0];
    let mut tied = X;
    tied[4] = Y[3];
    tied[7] = Y[0];
    let found = aurocs_without(&tied, &Y, &Ranked::new(&tied, &Y), &dense, 4);
    for (cluster, found) in found.into_iter().enumerate() {
        let rest = |values: &[f64]| {
            values
                .iter()
                .zip(dense)
                .filter(|(_, d)| *d != cluster)
                .map(|(v, _)| *v)
                .collect::<Vec<f64>>()
        };
        assert!((found - crate::stats::effect::auroc(&rest(&tied), &rest(&Y))).abs() < 1e-12);
    }
}

/// Thirty clusters of one to four values that share a skewed part: BCa misses less often than the
/// percentile interval, and its misses are spread more evenly.
#[test]
fn bca_covers_where_percentiles_do_not() {
    const RUNS: u64 = 600;
    let (mut bca, mut percentile) = ([0u32; 2], [0u32; 2]);
    for run in 0..RUNS {
        let mut rng = Rng::new(run).derive("skewed");
        let mut exponential = || -(1.0 - rng.uniform()).ln();
        let (mut values, mut clusters) = (Vec::new(), Vec::new());
        for cluster in 0..30usize {
            let shared = exponential();
            for _ in 0..1 + cluster % 4 {
                values.push(shared + 0.5 * exponential());
                clusters.push(cluster);
            }
        }
        let count = |misses: &mut [u32; 2], (low, high): (f64, f64)| {
            misses[0] += u32::from(low > 1.5);
            misses[1] += u32::from(high < 1.5);
        };
        count(&mut bca, mean_interval(&values, &clusters, 1000, 0.95, run));
        let mut sums = ProfileSums::new(1);
        values
            .iter()
            .zip(&clusters)
            .for_each(|(value, cluster)| sums.add(*cluster, &[*value as f32]));
        let band = sums.band(1000, 0.95, run);
        count(&mut percentile, (band.low[0], band.high[0]));
    }
    let missed = |misses: [u32; 2]| f64::from(misses[0] + misses[1]) / RUNS as f64;
    assert!(
        missed(bca) < 0.08 && missed(bca) < missed(percentile),
        "{bca:?} {percentile:?}"
    );
    assert!(
        bca[0].abs_diff(bca[1]) < percentile[0].abs_diff(percentile[1]),
        "{bca:?} {percentile:?}"
    );
}

#[test]
fn differences_of_profiles() {
    let (mut sites, mut controls) = (ProfileSums::new(2), ProfileSums::new(2));
    for (cluster, site, control) in [
        (9, [1.0, 2.0], [0.5, 0.5]),
        (3, [4.0, 0.0], [1.0, 1.0]),
        (9, [1.0, 1.0], [1.0, 0.0]),
    ] {
        sites.add(cluster, &site);
        controls.add(cluster, &control);
    }
    assert_eq!(sites.against(&controls), vec![3.0, -1.0, 0.5, 2.5]);
    // A control in a cluster of its own: values less the middle of the two means, 2 and 1 at the
    // first position.
    let (mut sites, mut controls) = (ProfileSums::new(1), ProfileSums::new(1));
    [(1, 1.0), (2, 3.0)]
        .iter()
        .for_each(|(cluster, value)| sites.add(*cluster, &[*value]));
    [(1, 0.5), (7, 1.5)]
        .iter()
        .for_each(|(cluster, value)| controls.add(*cluster, &[*value]));
    assert_eq!(sites.against(&controls), vec![0.5, 3.0 - 1.5, -(1.5 - 1.5)]);
}

#[test]
fn undefined_is_nan_and_alike_is_a_point() {
    assert_eq!(
        mean_interval(&[2.0; 6], &[0, 0, 1, 1, 2, 2], 100, 0.95, 1),
        (2.0, 2.0)
    );
    assert!(mean_interval(&[1.0, 2.0], &[7, 7], 100, 0.95, 1).0.is_nan());
    assert!(
        mean_interval(&[1.0, f64::NAN, 3.0], &[0, 1, 2], 100, 0.95, 1)
            .0
            .is_nan()
    );
    assert!(
        log2_ratio_interval(&[0.0; 3], &[1.0; 3], &[0, 1, 2], 100, 0.95, 1)
            .0
            .is_nan()
    );
    assert!(
        paired_d_interval(&[0.5; 3], &[0, 1, 2], 100, 0.95, 1)
            .0
            .is_nan()
    );
    // All positives win: every draw says 1.
    assert_eq!(
        auroc_interval(&[2.0, 3.0, 4.0], &[0.0, 1.0, 0.5], &[0, 1, 2], 100, 0.95, 1),
        (1.0, 1.0)
    );
}
