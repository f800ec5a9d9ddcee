use super::*;
use crate::bundled;
use crate::motifs::NOMINAL_SITES;
use crate::stats::rng::Rng;

fn consensus(id: &str, word: &str) -> Motif {
    let column =
        |letter: u8| std::array::from_fn(|i| if b"ACGT"[i] == letter { 17.0 } else { 1.0 });
    Motif::new(id, "", word.bytes().map(column).collect(), NOMINAL_SITES).unwrap()
}

#[test]
fn the_best_offset_in_either_orientation() {
    let a = consensus("a", "CCGGAAGT");
    assert!((similarity(&a, &a) - 1.0).abs() < 1e-12);
    assert!((similarity(&a, &a.reverse_complement()) - 1.0).abs() < 1e-12);
    // Six of eight columns lie on the same letters: correlation 1, six columns of the ten that the
    // two span shared.
    let shifted = consensus("b", "GGAAGTTT");
    assert!((similarity(&a, &shifted) - 0.6).abs() < 1e-12);
    assert!(
        (similarity(&a, &shifted.reverse_complement()) - similarity(&shifted, &a)).abs() < 1e-12
    );
    // A part of a longer matrix: the share of its columns.
    assert!((similarity(&a, &consensus("c", "GGAA")) - 0.5).abs() < 1e-12);
    let flat = Motif::new("flat", "", vec![[5.0; 4]; 8], NOMINAL_SITES).unwrap();
    assert_eq!(similarity(&a, &flat), 0.0);
}

// from scipy.cluster.hierarchy import linkage, fcluster; from scipy.spatial.distance import
// squareform fcluster(linkage(squareform(1 - S), "average"), 1 - t, "distance"), S below its
// diagonal as in `lower`
#[test]
fn clusters_are_those_of_scipy() {
    let mut rng = Rng::new(3);
    let n = 12;
    // A multiple of 1/64, so that Python can be given the same: ((i * 37 + j * 11) * (i + j) % 61)
    // / 64.
    let lower: Vec<Vec<f64>> = (0..n)
        .map(|i| {
            (0..i)
                .map(|j| ((i * 37 + j * 11) * (i + j) % 61) as f64 / 64.0)
                .collect()
        })
        .collect();
    for (threshold, expected) in SCIPY {
        assert_eq!(
            average_linkage(lower.clone(), threshold),
            expected,
            "{threshold}"
        );
    }
    // Three tight groups, in any order of their members, come out as they are.
    for _ in 0..20 {
        let mut of: Vec<usize> = (0..30).map(|i| i % 3).collect();
        rng.shuffle(&mut of);
        let near = |a: usize, b: usize, noise: f64| if a == b { 0.9 - noise } else { 0.1 + noise };
        let lower: Vec<Vec<f64>> = (0..30)
            .map(|i| {
                (0..i)
                    .map(|j| near(of[i], of[j], rng.uniform() / 10.0))
                    .collect()
            })
            .collect();
        let mut numbers = std::collections::HashMap::new();
        let expected: Vec<usize> = of
            .iter()
            .map(|group| {
                let next = numbers.len();
                *numbers.entry(*group).or_insert(next)
            })
            .collect();
        assert_eq!(average_linkage(lower, 0.5), expected);
    }
    assert!(average_linkage(Vec::new(), 0.5).is_empty());
    assert_eq!(average_linkage(vec![vec![]], 0.5), [0]);
}

const SCIPY: [(f64, [usize; 12]); 3] = [
    (0.9, [0, 1, 2, 3, 4, 5, 5, 6, 7, 8, 9, 3]),
    (0.7, [0, 1, 2, 3, 0, 4, 4, 3, 0, 5, 3, 3]),
    (0.5, [0, 1, 2, 3, 0, 0, 0, 3, 0, 4, 3, 3]),
];

#[test]
fn families_of_jaspar_come_together() {
    let motifs = bundled::motifs(bundled::MOTIFS_VERTEBRATES).unwrap();
    let groups = families(&motifs, THRESHOLD);
    let of = |name: &str| groups[motifs.iter().position(|motif| motif.name == name).unwrap()];
    for [a, b] in [
        ["ETS1", "ELK1"],
        ["ETS1", "GABPA"],
        ["MAX", "MYC"],
        ["SP1", "SP2"],
        ["GATA1", "GATA4"],
        ["STAT1", "STAT3"],
        ["FOXA1", "FOXP3"],
    ] {
        assert_eq!(of(a), of(b), "{a} {b}");
    }
    for [a, b] in [
        ["ETS1", "MAX"],
        ["MAX", "MYOD1"],
        ["CTCF", "ETS1"],
        ["GATA1", "FOXA1"],
        ["TBP", "SP1"],
    ] {
        assert_ne!(of(a), of(b), "{a} {b}");
    }
    // Most Ets-related factors share one group, and they are most of it.
    let is_ets = |motif: &Motif| motif.families.iter().any(|family| family == "Ets-related");
    let group: Vec<&Motif> = motifs
        .iter()
        .zip(&groups)
        .filter(|(_, group)| **group == of("ETS1"))
        .map(|(motif, _)| motif)
        .collect();
    let ets = group.iter().filter(|motif| is_ets(motif)).count();
    assert!(
        ets >= 20 && ets * 4 >= group.len() * 3,
        "{ets} of {}",
        group.len()
    );
    // Numbers follow the order of first appearance, and no thread count changes them.
    let mut next = 0;
    for group in &groups {
        assert!(*group <= next);
        next += usize::from(*group == next);
    }
    let one = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap();
    assert_eq!(one.install(|| families(&motifs, THRESHOLD)), groups);
}
