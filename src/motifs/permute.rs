//! A matrix with its columns in another order: the same letters, the same information, no meaning.

use super::{Motif, reverse_complement};
use crate::stats::rng::Rng;

/// Orders tried before a matrix is taken to have no other.
const TRIES: usize = 1000;

/// The motif with its columns in random order. Orders that give the matrix itself or its reverse
/// complement, which fit the same places, are drawn again; only a matrix that has no other order
/// (all columns the same, say) comes back as one of the two.
pub fn permute_columns(motif: &Motif, rng: &mut Rng) -> Motif {
    let mut permuted = motif.clone();
    let reversed = reverse_complement(&motif.counts);
    for _ in 0..TRIES {
        rng.shuffle(&mut permuted.counts);
        if permuted.counts != motif.counts && permuted.counts != reversed {
            break;
        }
    }
    permuted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn motif(consensus: &str) -> Motif {
        let one =
            |letter: u8| std::array::from_fn(|i| if b"ACGT"[i] == letter { 9.0 } else { 0.0 });
        Motif::new("x", "", consensus.bytes().map(one).collect(), 20.0).unwrap()
    }

    #[test]
    fn same_columns_in_an_order_of_its_own() {
        let mut rng = Rng::new(1).derive("permuted");
        for consensus in ["CACGTG", "AC", "AAC"] {
            let original = motif(consensus);
            for _ in 0..200 {
                let permuted = permute_columns(&original, &mut rng);
                assert!(
                    permuted.counts != original.counts
                        && permuted.counts != original.reverse_complement().counts,
                    "{consensus}"
                );
                let sorted = |motif: &Motif| {
                    let mut counts = motif.counts.clone();
                    counts.sort_by(|a, b| a.partial_cmp(b).unwrap());
                    counts
                };
                assert_eq!(sorted(&permuted), sorted(&original));
            }
        }
        for consensus in ["AAAA", "G"] {
            assert_eq!(
                permute_columns(&motif(consensus), &mut rng),
                motif(consensus)
            );
        }
        let draw =
            |label: &str| permute_columns(&motif("ACGTTGCATC"), &mut Rng::new(1).derive(label));
        assert_eq!(draw("a"), draw("a"));
        assert_ne!(draw("a"), draw("b"));
    }
}
