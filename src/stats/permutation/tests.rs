use statrs::distribution::{Binomial, DiscreteCDF};

use super::*;

/// Every one of the `2^clusters` flips.
fn exact(sums: &[f64]) -> f64 {
    let observed: f64 = sums.iter().sum::<f64>().abs();
    let beyond = (0u32..1 << sums.len())
        .filter(|mask| {
            let flipped: f64 = sums
                .iter()
                .enumerate()
                .map(|(i, s)| if mask >> i & 1 == 1 { -s } else { *s })
                .sum();
            flipped.abs() >= observed - 1e-9
        })
        .count();
    beyond as f64 / f64::from(1u32 << sums.len())
}

#[test]
fn few_clusters_are_enumerated_and_random_flips_approach_that() {
    let differences = [0.3, 0.1, -0.2, 0.5, 0.4, 0.1, -0.05, 0.2, 0.35, -0.1, 0.02];
    let clusters = [0, 0, 1, 2, 3, 3, 4, 5, 6, 7, 7];
    let sums = [0.4, -0.2, 0.5, 0.5, -0.05, 0.2, 0.35, -0.08];
    let expected = exact(&sums);
    let test = sign_flip_clusters(&differences, &clusters, 256, 11);
    assert!((test.statistic - 1.62 / 11.0).abs() < 1e-12 && test.exact && test.n_clusters == 8);
    assert_eq!((test.p_value, test.p_floor), (expected, 2.0 / 256.0));
    let test = sign_flip_clusters(&differences, &clusters, 255, 11);
    assert!(
        !test.exact
            && (test.p_value - expected).abs() < 4.0 * (expected * (1.0 - expected) / 255.0).sqrt()
    );

    let differences: Vec<f64> = (0..18).map(|i| f64::from(i * 7 % 18) - 6.1).collect();
    let (expected, clusters) = (exact(&differences), (0..18).collect::<Vec<usize>>());
    let test = sign_flip_clusters(&differences, &clusters, 200_000, 11);
    assert!(!test.exact && (0.01..0.5).contains(&expected), "{expected}");
    assert!(
        (test.p_value - expected).abs() < 4.0 * (expected * (1.0 - expected) / 200_000.0).sqrt(),
        "{} {expected}",
        test.p_value
    );
}

// import numpy as np, scipy.stats as st; x = np.array([.3,.1,-.2,.5,.4,.1,-.05,.2,.35,-.1])
// st.permutation_test((x,), np.mean, permutation_type='samples', n_resamples=np.inf).pvalue ->
// 0.068359375
#[test]
fn one_pair_a_cluster_is_scipys_sign_flip() {
    let x = [0.3, 0.1, -0.2, 0.5, 0.4, 0.1, -0.05, 0.2, 0.35, -0.1];
    let expected = 0.068359375;
    assert!((exact(&x) - expected).abs() < 1e-12);
    let clusters: Vec<usize> = (0..10).collect();
    assert_eq!(sign_flip_clusters(&x, &clusters, 1024, 2).p_value, expected);
}

#[test]
fn no_pairs_and_no_difference() {
    let empty = sign_flip_clusters(&[], &[], 100, 0);
    assert!(empty.statistic.is_nan() && empty.p_value == 1.0);
    assert_eq!(
        sign_flip_clusters(&[0.1, f64::NAN, 0.1], &[0, 1, 2], 100, 0).p_value,
        1.0
    );
    assert_eq!(
        sign_flip_clusters(&[0.0; 5], &[0, 1, 2, 3, 4], 100, 0).p_value,
        1.0
    );
    assert_eq!(
        sign_flip_clusters(&[1.0; 40], &(0..40).collect::<Vec<_>>(), 999, 0).p_value,
        0.001
    );
}

#[test]
fn threads_change_nothing() {
    let differences: Vec<f64> = (0..200).map(|i| f64::from(i % 17) - 7.5).collect();
    let clusters: Vec<usize> = (0..200).map(|i| i / 3).collect();
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| sign_flip_clusters(&differences, &clusters, 5000, 9))
    };
    assert_eq!(run(1), run(3));
}

/// Null data in which the members of a cluster share half of their variance: flips of clusters must
/// keep their level, flips of single pairs must not.
#[test]
fn the_null_keeps_its_level_only_by_cluster() {
    const SEEDS: u64 = 600;
    let (mut by_cluster, mut by_pair, mut p_values) = (0u64, 0u64, Vec::new());
    for seed in 0..SEEDS {
        let mut rng = Rng::new(seed).derive("null");
        // Symmetric around 0 and not normal: the sum of two uniforms each.
        let mut noise = || rng.uniform() + rng.uniform() - 1.0;
        let (mut differences, mut clusters) = (Vec::new(), Vec::new());
        for cluster in 0..30usize {
            let shared = noise();
            for _ in 0..2 + cluster % 9 {
                differences.push(shared + noise());
                clusters.push(cluster);
            }
        }
        let alone: Vec<usize> = (0..differences.len()).collect();
        let p = sign_flip_clusters(&differences, &clusters, 499, seed).p_value;
        by_cluster += u64::from(p <= 0.05);
        by_pair += u64::from(sign_flip_clusters(&differences, &alone, 499, seed).p_value <= 0.05);
        p_values.push(p);
    }
    let null = Binomial::new(0.05, SEEDS).unwrap();
    let (low, high) = (null.inverse_cdf(0.005), null.inverse_cdf(0.995));
    assert!(
        (low..=high).contains(&by_cluster),
        "{by_cluster} of {SEEDS} outside [{low}, {high}]"
    );
    assert!(by_pair > 2 * high, "{by_pair}");
    // Kolmogorov-Smirnov distance to uniform, 1% critical value.
    p_values.sort_by(f64::total_cmp);
    let n = SEEDS as f64;
    let distance = p_values
        .iter()
        .enumerate()
        .map(|(i, p)| ((i as f64 + 1.0) / n - p).abs())
        .fold(0.0, f64::max);
    assert!(distance < 1.63 / n.sqrt(), "{distance}");
}

// import numpy as np, itertools
// sets = [[.9,.2,.4,.1], [.5,.6,.1,.3], [.8,.1,.2,.25], [.7,.4,.3,.65]]
// place = [[v - (sum(s) - v) / 3 for v in s] for s in sets]; observed = sum(p[0] for p in place)
// np.mean([abs(sum(c)) >= observed - 1e-12 for c in itertools.product(*place)]) -> 0.01171875;
// observed / 4 -> 0.425
#[test]
fn set_labels_as_enumerated() {
    let sites = [0.9, 0.5, 0.8, 0.7];
    let controls = [
        [0.2, 0.4, 0.1],
        [0.6, 0.1, 0.3],
        [0.1, 0.2, 0.25],
        [0.4, 0.3, 0.65],
    ];
    let test = set_labels(&sites, &controls, 256, 1);
    assert_eq!(
        (test.p_value, test.n_sets, test.exact),
        (0.01171875, 4, true)
    );
    assert!((test.statistic - 0.425).abs() < 1e-12);
    let controls: Vec<Vec<f64>> = controls.iter().map(|c| c.to_vec()).collect();
    // Twice the same sets: too many labellings to try.
    let (sites, controls) = (sites.repeat(2), [controls.clone(), controls].concat());
    let random = set_labels(&sites, &controls, 50_000, 1);
    let all = set_labels(&sites, &controls, 65_536, 1);
    assert!(
        all.exact
            && !random.exact
            && (random.p_value - all.p_value).abs() < 4.0 * (all.p_value / 50_000.0).sqrt()
    );
    // Pairs are sign flips.
    let differences: Vec<f64> = sites.iter().zip(&controls).map(|(s, c)| s - c[0]).collect();
    let pairs: Vec<&[f64]> = controls.iter().map(|c| &c[..1]).collect();
    let flips = sign_flip_clusters(&differences, &(0..8).collect::<Vec<_>>(), 256, 1);
    assert_eq!(set_labels(&sites, &pairs, 256, 1).p_value, flips.p_value);
    assert_eq!(set_labels(&[1.0], &[Vec::new()], 10, 1).p_value, 1.0);
    assert_eq!(set_labels(&[f64::NAN], &[[1.0]], 10, 1).p_value, 1.0);
}

/// One relabelling index for all sets of a gene: what [`set_labels`] would be with genes as units.
fn labels_by_gene(
    sites: &[f64],
    controls: &[Vec<f64>],
    genes: &[usize],
    permutations: usize,
    seed: u64,
) -> f64 {
    let k = controls[0].len();
    let mut places = vec![vec![0.0; k + 1]; genes.iter().max().unwrap() + 1];
    for ((site, controls), gene) in sites.iter().zip(controls).zip(genes) {
        let total = site + controls.iter().sum::<f64>();
        for (place, value) in places[*gene]
            .iter_mut()
            .zip(std::iter::once(site).chain(controls))
        {
            *place += value - (total - value) / k as f64;
        }
    }
    let observed: f64 = places.iter().map(|p| p[0]).sum();
    let mut rng = Rng::new(seed);
    let beyond = (0..permutations)
        .filter(|_| {
            places
                .iter()
                .map(|p| p[rng.below(k + 1)])
                .sum::<f64>()
                .abs()
                >= observed.abs() - 1e-12
        })
        .count();
    (beyond + 1) as f64 / (permutations + 1) as f64
}

/// Nulls with three controls a site and skewed values. Where sets are independent, labels within
/// sets keep their level. Where the sites of a gene deviate together (as often up as down), only
/// the sign flip of genes does.
#[test]
fn what_is_exchangeable_with_three_controls() {
    const SEEDS: u64 = 500;
    let null = Binomial::new(0.05, SEEDS).unwrap();
    let (low, high) = (null.inverse_cdf(0.005), null.inverse_cdf(0.995));
    for together in [0.0, 0.7] {
        let (mut flips, mut labels, mut shared) = (0, 0, 0);
        for seed in 0..SEEDS {
            let mut rng = Rng::new(seed).derive("sets");
            let (mut sites, mut controls, mut genes) = (Vec::new(), Vec::new(), Vec::new());
            for gene in 0..40usize {
                let deviation = together * (rng.uniform() + rng.uniform() - 1.0);
                let level = rng.uniform();
                for _ in 0..2 + gene % 7 {
                    let mut value = || level - 0.2 * (1.0 - rng.uniform()).ln();
                    sites.push(value() + deviation);
                    controls.push((0..3).map(|_| value()).collect::<Vec<f64>>());
                    genes.push(gene);
                }
            }
            let difference =
                |(site, controls): (&f64, &Vec<f64>)| site - crate::stats::mean(controls);
            let differences: Vec<f64> = sites.iter().zip(&controls).map(difference).collect();
            flips += u64::from(sign_flip_clusters(&differences, &genes, 199, seed).p_value <= 0.05);
            labels += u64::from(set_labels(&sites, &controls, 199, seed).p_value <= 0.05);
            shared += u64::from(labels_by_gene(&sites, &controls, &genes, 199, seed) <= 0.05);
        }
        assert!(
            (low..=high).contains(&flips),
            "{flips} of {SEEDS}, {together}"
        );
        if together == 0.0 {
            assert!((low..=high).contains(&labels), "{labels}");
        } else {
            assert!(
                labels > 2 * high && shared > 2 * high,
                "{labels} {shared} {high}"
            );
        }
    }
}

/// With a true difference of half a standard deviation of a gene's mean, 60 genes nearly always
/// show it.
#[test]
fn planted_effects_are_found() {
    let found = (0..200u64).filter(|seed| {
        let mut rng = Rng::new(*seed).derive("power");
        let (mut differences, mut clusters) = (Vec::new(), Vec::new());
        for cluster in 0..60usize {
            let shared = rng.uniform() + rng.uniform() - 1.0; // sd 0.41
            for _ in 0..1 + cluster % 5 {
                differences.push(0.2 + shared + 0.4 * (rng.uniform() - 0.5));
                clusters.push(cluster);
            }
        }
        sign_flip_clusters(&differences, &clusters, 199, *seed).p_value <= 0.05
    });
    // Normal theory: mean 0.2, sd of the mean about 0.42 * sqrt(sum n^2) / sum n = 0.059, so power
    // about 0.92.
    assert!((170..=197).contains(&found.count()));
}

#[test]
fn members_of_one_cluster_are_pairs() {
    let (sites, controls) = (
        [0.9, 0.5, 0.8, 0.7, 0.2],
        [[0.2, 0.4], [0.6, 0.1], [0.1, 0.2], [0.4, 0.3], [0.1, 0.5]],
    );
    let clusters = [3, 3, 1, 0, 1];
    let first: Vec<Member> = clusters
        .iter()
        .zip(sites)
        .map(|(c, v)| (*c, 1.0, v))
        .collect();
    let second: Vec<Member> = clusters
        .iter()
        .zip(controls)
        .flat_map(|(c, v)| v.map(|v| (*c, 0.5, v)))
        .collect();
    let differences: Vec<f64> = sites
        .iter()
        .zip(controls)
        .map(|(s, c)| s - crate::stats::mean(&c))
        .collect();
    let (members, pairs) = (
        ClusterSums::of_members(&first, &second),
        ClusterSums::of_pairs(&differences, &clusters),
    );
    let near = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12);
    assert!(
        near(&members.sums, &pairs.sums) && near(&members.counts, &pairs.counts),
        "{members:?} {pairs:?}"
    );
    assert!((pairs.effective() - 25.0 / 9.0).abs() < 1e-12);
}

#[test]
fn equivalence_is_shown_where_the_interval_lies_within() {
    let differences: Vec<f64> = (0..40)
        .map(|i| f64::from(i * 7 % 40) / 40.0 - 0.49)
        .collect();
    let sums = ClusterSums::of_pairs(&differences, &(0..40).collect::<Vec<_>>());
    let (low, high) = sums.interval(4999, 0.9, 3);
    let most = high.max(-low);
    assert!(
        sums.equivalence(most * 1.05, 4999, 3) <= 0.05
            && sums.equivalence(most * 0.95, 4999, 3) > 0.05
    );
    assert_eq!(sums.equivalence(0.001, 4999, 3), 1.0);
    assert_eq!(ClusterSums::default().equivalence(1.0, 99, 3), 1.0);
}

/// Nulls in which genes have levels of their own and nearly every control lies in another gene than
/// its site, as equal k-mers do: with each value in its own gene the test keeps its level and sees
/// what is there; with every pair in its site's gene it is blind.
#[test]
fn pairs_over_two_genes_flip_by_both() {
    const SEEDS: u64 = 600;
    let rejected = |effect: f64| {
        let (mut both, mut one) = (0u64, 0u64);
        for seed in 0..SEEDS {
            let mut rng = Rng::new(seed).derive("two genes");
            let levels: Vec<f64> = (0..60).map(|_| rng.uniform() + rng.uniform()).collect();
            let (mut first, mut second, mut differences, mut genes) =
                (Vec::new(), Vec::new(), Vec::new(), Vec::new());
            // Every gene's sites, and of every gene as many controls as sites, dealt at random.
            let home: Vec<usize> = (0..60usize)
                .flat_map(|gene| vec![gene; 1 + gene % 9])
                .collect();
            let mut away = home.clone();
            rng.shuffle(&mut away);
            for (site, control) in home.iter().zip(&away) {
                let mut value = |gene: usize| levels[gene] + 0.5 * rng.uniform();
                let (a, b) = (value(*site) + effect, value(*control));
                first.push((*site, 1.0, a));
                second.push((*control, 1.0, b));
                differences.push(a - b);
                genes.push(*site);
            }
            both += u64::from(
                ClusterSums::of_members(&first, &second)
                    .test(199, seed)
                    .p_value
                    <= 0.05,
            );
            one += u64::from(sign_flip_clusters(&differences, &genes, 199, seed).p_value <= 0.05);
        }
        (both as f64 / SEEDS as f64, one as f64 / SEEDS as f64)
    };
    let (null, effect) = (rejected(0.0), rejected(0.04));
    println!("null {null:?}, effect {effect:?}");
    assert!((0.03..=0.08).contains(&null.0) && null.1 < 0.01, "{null:?}");
    assert!(effect.0 > 0.5 && effect.1 < 0.3, "{effect:?}");
}
