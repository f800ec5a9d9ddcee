use super::super::background::Background;
use super::super::read::letter_index;
use super::super::weights::PSEUDOCOUNT;
use super::super::{Motif, NOMINAL_SITES};
use super::*;
use crate::bundled;

/// That of the oracle.
fn background() -> Background {
    Background::from_gc(0.42)
}

fn deficit(tail: &Tail, weights: &Weights, word: &[usize]) -> u32 {
    tail.deficits(weights)
        .iter()
        .zip(word)
        .map(|(column, letter)| column[*letter])
        .sum()
}

// bg = np.array([.29, .21, .21, .29]); w = np.log2((c + .8*bg) / (c.sum(1, keepdims=True) + .8) /
// bg), c the counts of JASPAR 2026 def half(w): # scores and probabilities of all words of some
// columns
//     s, p = np.zeros(1), np.ones(1)
//     for col in w: s = (s[:, None] + col).ravel(); p = (p[:, None] * bg).ravel()
//     return s, p
// def exact(w, t):                    # P(score >= t), every word of both halves counted
//     (a, pa), (b, pb) = half(w[:len(w)//2]), half(w[len(w)//2:]); o = np.argsort(b); b = b[o]
//     tail = np.concatenate([np.cumsum(pb[o][::-1])[::-1], [0]])
//     return (pa * tail[np.searchsorted(b, t - a - 1e-9)]).sum()
#[test]
fn p_values_are_those_of_all_words() {
    let set = bundled::motifs(bundled::MOTIFS_VERTEBRATES).unwrap();
    for (id, word, score, p) in ORACLE {
        let motif = set.iter().find(|motif| motif.id == id).unwrap();
        let weights = Weights::new(motif, background(), PSEUDOCOUNT);
        let word: Vec<usize> = word.bytes().filter_map(letter_index).collect();
        assert!((weights.score(word.iter().copied()) - score).abs() < 1e-9);
        let tail = Tail::new(&weights, 2e-4).unwrap();
        let found = tail.p_value(deficit(&tail, &weights, &word));
        assert!((found / p - 1.0).abs() < 1e-3, "{id}: {found} {p}");
    }
}

const ORACLE: [(&str, &str, f64, f64); 14] = [
    ("MA0108.3", "TATAAAA", 10.360305078700, 1.724987630900e-04),
    (
        "MA0139.2",
        "GGCACTAGGGGCTAC",
        7.938117329898,
        9.990887755114e-05,
    ),
    (
        "MA0139.2",
        "ACCACCAGGGGGATT",
        11.528205334045,
        1.996254712880e-05,
    ),
    (
        "MA0139.2",
        "ACCACTAGGTGTCAG",
        16.929376846477,
        9.990104127693e-07,
    ),
    ("MA0004.1", "CACGTG", 11.927897327113, 1.635585210000e-04),
    (
        "MA1149.2",
        "AGGTTACCCTAAGTTCC",
        9.820035688950,
        9.987791933967e-05,
    ),
    (
        "MA1149.2",
        "TGGTCACGTTCAGGTCA",
        12.617787313727,
        1.993744150818e-05,
    ),
    (
        "MA1149.2",
        "GGGTCATAGCGAGGTAA",
        16.706021522126,
        9.976546360975e-07,
    ),
    (
        "MA0073.2",
        "CCACAGTCCAGCACCCGAC",
        7.453003993784,
        9.993953588248e-05,
    ),
    (
        "MA0073.2",
        "CCCCATAACTCCCCCACAT",
        10.993651592058,
        1.998864137158e-05,
    ),
    (
        "MA0073.2",
        "CCGCAAACCACCCGCAAAA",
        16.565234352407,
        9.965402094156e-07,
    ),
    ("MA0079.5", "CGGGAGGGG", 7.200591945093, 9.866088984421e-05),
    ("MA0079.5", "GGGGCGGGG", 18.721482078193, 7.942800465810e-07),
    ("MA0528.3", "GGGAGGA", 14.185645815181, 3.434728941000e-05),
];

/// Every word of every bundled matrix of up to seven columns, by counting.
#[test]
fn narrow_matrices_by_enumeration() {
    let mut motifs = bundled::motifs(bundled::MOTIFS_INSECTS).unwrap();
    motifs.extend(bundled::motifs(bundled::MOTIFS_VERTEBRATES).unwrap());
    motifs.retain(|motif| motif.width() <= 7);
    assert!(motifs.len() > 100);
    let letters = background().probabilities();
    let (mut hits, mut none) = (0, 0);
    for motif in &motifs {
        let weights = Weights::new(motif, background(), PSEUDOCOUNT);
        let width = motif.width();
        let word = |code: usize| (0..width).map(move |i| code >> (2 * i) & 3);
        let mut words: Vec<(f64, f64, usize)> = (0..1usize << (2 * width))
            .map(|code| {
                (
                    weights.score(word(code)),
                    word(code).map(|letter| letters[letter]).product(),
                    code,
                )
            })
            .collect();
        words.sort_by(|a, b| b.0.total_cmp(&a.0));
        let tail = Tail::new(&weights, 5e-4);
        none += usize::from(tail.is_none());
        let (mut sum, mut from) = (0.0, 0);
        while from < words.len() && sum <= 5e-4 {
            // Words of one score share the p-value of all of them.
            let to = from
                + words[from..]
                    .iter()
                    .take_while(|w| w.0 > words[from].0 - 1e-9)
                    .count();
            sum += words[from..to].iter().map(|w| w.1).sum::<f64>();
            for (score, _, code) in &words[from..to] {
                let found = tail.as_ref().map_or(1.0, |tail| {
                    tail.p_value(deficit(tail, &weights, &word(*code).collect::<Vec<_>>()))
                });
                if sum <= 5e-4 {
                    assert!(
                        (found / sum - 1.0).abs() < 1e-3,
                        "{} {score}: {found} {sum}",
                        motif.id
                    );
                    hits += 1;
                } else {
                    assert_eq!(found, 1.0, "{} {score}", motif.id);
                }
            }
            from = to;
        }
    }
    assert!(hits > 500 && none > 0, "{hits} {none}");
}

#[test]
fn a_matrix_that_says_nothing_has_no_hits() {
    let flat = Motif::new("flat", "", vec![[5.0; 4]; 12], NOMINAL_SITES).unwrap();
    assert!(Tail::new(&Weights::new(&flat, Background::UNIFORM, PSEUDOCOUNT), 1e-4).is_none());
    let short = Motif::new("short", "", vec![[9.0, 0.0, 0.0, 0.0]; 6], NOMINAL_SITES).unwrap();
    let weights = Weights::new(&short, Background::UNIFORM, PSEUDOCOUNT);
    assert!(Tail::new(&weights, 2.44e-4).is_none());
    let tail = Tail::new(&weights, 2.45e-4).unwrap();
    assert_eq!((tail.limit() > 0, tail.p_value(0)), (true, 0.25f64.powi(6)));
    // Without pseudocounts a letter that never occurred can never be: one word is left.
    let tail = Tail::new(&Weights::new(&short, Background::UNIFORM, 0.0), 0.5).unwrap();
    assert_eq!(tail.p_value(tail.limit()), 0.25f64.powi(6));
    // At p = 1 every word is a hit.
    let loose = Tail::new(&Weights::new(&short, Background::UNIFORM, PSEUDOCOUNT), 1.0).unwrap();
    assert!((loose.p_value(loose.limit()) - 1.0).abs() < 1e-12);
}
