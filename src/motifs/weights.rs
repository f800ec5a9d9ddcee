//! Log-odds: how much more likely a letter is in a motif's column than in the background.

use super::Motif;
use super::background::Background;

/// Pseudocounts added to each column, shared among the letters by the background: the value that
/// Nishida, Frith & Nakai (2009, Nucleic Acids Res. 37:939) recommend for transcription factors.
pub const PSEUDOCOUNT: f64 = 0.8;

/// Log-odds in bits of A, C, G and T in each column; `(width, 4)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    /// `log2(((count + pseudocount * b) / (sum + pseudocount)) / b)`, with `b` the background of
    /// the letter. Of a consensus: `-log2` of the background of all letters of the column for each
    /// of these, minus infinity for the others, so that a word scores `-log2` of its chance.
    pub columns: Vec<[f64; 4]>,
    /// The background.
    pub background: Background,
}

impl Weights {
    /// The log-odds of a motif. With a pseudocount of 0 a letter that never occurs has minus
    /// infinity.
    pub fn new(motif: &Motif, background: Background, pseudocount: f64) -> Weights {
        let b = background.probabilities();
        let column = |counts: &[f64; 4]| {
            if motif.is_consensus {
                let chance: f64 = counts
                    .iter()
                    .zip(b)
                    .filter(|(count, _)| **count > 0.0)
                    .map(|(_, b)| b)
                    .sum();
                return counts.map(|count| {
                    if count > 0.0 {
                        -chance.log2()
                    } else {
                        f64::NEG_INFINITY
                    }
                });
            }
            let sum: f64 = counts.iter().sum();
            std::array::from_fn(|i| {
                ((counts[i] + pseudocount * b[i]) / ((sum + pseudocount) * b[i])).log2()
            })
        };
        Weights {
            columns: motif.counts.iter().map(column).collect(),
            background,
        }
    }

    /// The score in bits of a word of letters 0 to 3, as long as the motif.
    pub fn score(&self, word: impl Iterator<Item = usize>) -> f64 {
        self.columns
            .iter()
            .zip(word)
            .map(|(column, letter)| column[letter])
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // from Bio import motifs; m = motifs.Motif(counts={'A':[3,0],'C':[0,4],'G':[1,0],'T':[0,0]})
    // bg = {'A':.3,'C':.2,'G':.2,'T':.3}; m.counts.normalize(pseudocounts={k: .8*v for k, v in
    // bg.items()}).log_odds(bg)
    #[test]
    fn log_odds_as_biopython() {
        let motif = Motif::new(
            "x",
            "",
            vec![[3.0, 0.0, 1.0, 0.0], [0.0, 4.0, 0.0, 0.0]],
            20.0,
        )
        .unwrap();
        let background = Background::from_gc(0.4);
        let weights = Weights::new(&motif, background, 0.8);
        for (column, expected) in weights.columns.iter().zip(ORACLE) {
            for (a, b) in column.iter().zip(expected) {
                assert!((a - b).abs() < 1e-12, "{a} {b}");
            }
        }
        assert_eq!(
            weights.score([0, 1].into_iter()),
            weights.columns[0][0] + weights.columns[1][1]
        );
    }

    #[test]
    fn letters_of_a_consensus_stand_equal() {
        let columns = vec![[10.0, 0.0, 10.0, 0.0], [0.0, 20.0, 0.0, 0.0], [5.0; 4]];
        let motif = Motif {
            is_consensus: true,
            ..Motif::new("x", "", columns, 20.0).unwrap()
        };
        let weights = Weights::new(&motif, Background::from_gc(0.4), 0.8);
        let chance = 0.5 * 0.2;
        for word in [[0, 1, 3], [2, 1, 0]] {
            assert!((weights.score(word.into_iter()) + f64::log2(chance)).abs() < 1e-12);
        }
        assert_eq!(weights.score([1, 1, 0].into_iter()), f64::NEG_INFINITY);
    }
    const ORACLE: [[f64; 4]; 2] = [
        [
            1.1699250014423124,
            -2.584962500721156,
            0.27301849440641585,
            -2.5849625007211565,
        ],
        [
            -2.5849625007211565,
            2.115477217419936,
            -2.584962500721156,
            -2.5849625007211565,
        ],
    ];
}
