//! Sequences that are copies of each other, of either strand, or nearly: they share half of the
//! 20-mers of the one that has fewer.
//!
//! 20-mers are those of both strands (the lesser of a 20-mer and its reverse complement), each
//! counted once a sequence, without N.

use crate::genome::sequence::reverse_complement;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

const K: usize = 20;

/// Sequences with at least this share of 20-mers in common are nearly the same.
pub const NEAR: f64 = 0.5;

/// How a sequence is like another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Likeness {
    /// The same letters.
    Exact,
    /// The letters of the other strand.
    ReverseComplement,
    /// Shared 20-mers.
    Near,
}

impl Likeness {
    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Likeness::Exact => "exact",
            Likeness::ReverseComplement => "reverse_complement",
            Likeness::Near => "near",
        }
    }
}

/// A sequence among others that is like one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Partner {
    /// Its index among the others.
    pub index: usize,
    /// How it is like it.
    pub likeness: Likeness,
    /// Share of the 20-mers of the one that has fewer; 1 for copies.
    pub shared: f64,
}

/// Of each of `sequences` the ones like it among `others`: copies first, then by falling share,
/// then by index.
pub fn partners(sequences: &[Vec<u8>], others: &[Vec<u8>]) -> Vec<Vec<Partner>> {
    let index = Index::new(sequences);
    let found: Vec<Vec<(usize, Partner)>> = others
        .par_iter()
        .enumerate()
        .map(|(other, letters)| {
            index
                .like(letters)
                .into_iter()
                .map(|(own, likeness, shared)| {
                    (
                        own,
                        Partner {
                            index: other,
                            likeness,
                            shared,
                        },
                    )
                })
                .collect()
        })
        .collect();
    let mut partners = vec![Vec::new(); sequences.len()];
    found
        .into_iter()
        .flatten()
        .for_each(|(own, partner)| partners[own].push(partner));
    for some in &mut partners {
        some.sort_by(|a, b| {
            a.likeness
                .cmp(&b.likeness)
                .then(b.shared.total_cmp(&a.shared))
                .then(a.index.cmp(&b.index))
        });
    }
    partners
}

/// Clusters of sequences that are like each other, directly or through others: a number a sequence,
/// from 0 in order of first appearance.
pub fn clusters(sequences: &[Vec<u8>]) -> Vec<usize> {
    let index = Index::new(sequences);
    let pairs: Vec<Vec<usize>> = sequences
        .par_iter()
        .map(|letters| {
            index
                .like(letters)
                .into_iter()
                .map(|(other, _, _)| other)
                .collect()
        })
        .collect();
    let mut root: Vec<usize> = (0..sequences.len()).collect();
    for (one, others) in pairs.iter().enumerate() {
        for other in others {
            let (a, b) = (find(&mut root, one), find(&mut root, *other));
            root[a.max(b)] = a.min(b);
        }
    }
    let roots: Vec<usize> = (0..root.len()).map(|i| find(&mut root, i)).collect();
    crate::stats::dense_clusters(&roots).0
}

fn find(root: &mut [usize], mut i: usize) -> usize {
    while root[i] != i {
        root[i] = root[root[i]];
        i = root[i];
    }
    i
}

/// Sequences by their letters and by their 20-mers.
struct Index<'a> {
    copies: HashMap<&'a [u8], Vec<u32>>,
    /// (20-mer, sequence), sorted; looked up through `starts`, which gives the first entry of every
    /// value of the upper bits.
    entries: Vec<(u64, u32)>,
    starts: Vec<u32>,
    /// Different 20-mers of each sequence.
    counts: Vec<u32>,
}

/// Upper bits of a mixed 20-mer that are an address.
const ADDRESS: u32 = 18;

impl<'a> Index<'a> {
    fn new(sequences: &'a [Vec<u8>]) -> Index<'a> {
        let mut copies: HashMap<&[u8], Vec<u32>> = HashMap::new();
        (0..)
            .zip(sequences)
            .for_each(|(i, letters)| copies.entry(letters).or_default().push(i));
        let words: Vec<Vec<u64>> = sequences.par_iter().map(|letters| words(letters)).collect();
        let counts = words.iter().map(|words| words.len() as u32).collect();
        let mut entries: Vec<(u64, u32)> = (0..)
            .zip(&words)
            .flat_map(|(i, words)| words.iter().map(move |word| (*word, i)))
            .collect();
        entries.par_sort_unstable();
        let mut starts = vec![0; (1 << ADDRESS) + 1];
        entries
            .iter()
            .for_each(|(word, _)| starts[address(*word) + 1] += 1);
        (1..starts.len()).for_each(|i| starts[i] += starts[i - 1]);
        Index {
            copies,
            entries,
            starts,
            counts,
        }
    }

    fn with_word(&self, word: u64) -> impl Iterator<Item = u32> {
        let at = address(word);
        let some = &self.entries[self.starts[at] as usize..self.starts[at + 1] as usize];
        let first = some.partition_point(|(other, _)| *other < word);
        some[first..]
            .iter()
            .take_while(move |(other, _)| *other == word)
            .map(|(_, i)| *i)
    }

    /// The sequences that are like `letters`, by index, each once.
    fn like(&self, letters: &[u8]) -> Vec<(usize, Likeness, f64)> {
        let mut found: BTreeMap<u32, (Likeness, f64)> = BTreeMap::new();
        let own = words(letters);
        let mut shared: HashMap<u32, u32> = HashMap::new();
        own.iter()
            .flat_map(|word| self.with_word(*word))
            .for_each(|i| *shared.entry(i).or_default() += 1);
        for (i, n) in shared {
            let share = f64::from(n) / own.len().min(self.counts[i as usize] as usize) as f64;
            if share >= NEAR {
                found.insert(i, (Likeness::Near, share));
            }
        }
        let other_strand = reverse_complement(letters);
        for (letters, likeness) in [
            (&other_strand[..], Likeness::ReverseComplement),
            (letters, Likeness::Exact),
        ] {
            found.extend(
                self.copies
                    .get(letters)
                    .into_iter()
                    .flatten()
                    .map(|i| (*i, (likeness, 1.0))),
            );
        }
        found
            .into_iter()
            .map(|(i, (likeness, share))| (i as usize, likeness, share))
            .collect()
    }
}

/// The address of a mixed word: its upper bits.
fn address(word: u64) -> usize {
    (word >> (64 - ADDRESS)) as usize
}

/// The different 20-mers of a sequence, mixed one to one so that any bits of theirs tell them
/// apart, sorted.
fn words(letters: &[u8]) -> Vec<u64> {
    const MASK: u64 = (1 << (2 * K)) - 1;
    let (mut forward, mut backward, mut plain) = (0u64, 0u64, 0);
    let mut words = Vec::with_capacity(letters.len().saturating_sub(K - 1));
    for letter in letters {
        let Some(code) = super::base_code(*letter) else {
            plain = 0;
            continue;
        };
        forward = (forward << 2 | code) & MASK;
        backward = backward >> 2 | (3 - code) << (2 * (K - 1));
        plain += 1;
        if plain >= K {
            // An odd factor is a bijection of 64 bits.
            words.push(forward.min(backward).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        }
    }
    words.sort_unstable();
    words.dedup();
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::rng::Rng;

    fn random(n: usize, rng: &mut Rng) -> Vec<u8> {
        (0..n).map(|_| b"ACGT"[rng.below(4)]).collect()
    }

    #[test]
    fn copies_of_both_strands_and_shifted_ones_are_found() {
        let mut rng = Rng::new(5);
        let base = random(100, &mut rng);
        let mut changed = base.clone();
        changed[50] = if changed[50] == b'A' { b'C' } else { b'A' };
        let shifted = [random(40, &mut rng), base[..60].to_vec()].concat();
        let far = [random(61, &mut rng), base[..39].to_vec()].concat();
        let sequences = vec![base.clone(), random(100, &mut rng), b"ACGTT".to_vec()];
        let others = vec![
            reverse_complement(&base),
            random(100, &mut rng),
            base.clone(),
            reverse_complement(&changed),
            shifted,
            far,
            b"AACGT".to_vec(),
        ];
        let found = partners(&sequences, &others);
        let partner = |index, likeness, shared| Partner {
            index,
            likeness,
            shared,
        };
        // 81 words: a changed letter spoils 20 of them, a shift by 40 leaves 41.
        let want = [
            partner(2, Likeness::Exact, 1.0),
            partner(0, Likeness::ReverseComplement, 1.0),
            partner(3, Likeness::Near, 61.0 / 81.0),
            partner(4, Likeness::Near, 41.0 / 81.0),
        ];
        assert_eq!(
            found,
            [
                want.to_vec(),
                Vec::new(),
                vec![partner(6, Likeness::ReverseComplement, 1.0)]
            ]
        );
    }

    #[test]
    fn clusters_reach_over_a_third_sequence() {
        let mut rng = Rng::new(6);
        let long = random(160, &mut rng);
        let part = |start: usize| long[start..start + 100].to_vec();
        let sequences = vec![
            part(0),
            random(100, &mut rng),
            part(60),
            reverse_complement(&part(30)),
            b"ACG".to_vec(),
            b"ACG".to_vec(),
        ];
        assert_eq!(clusters(&sequences), [0, 1, 0, 0, 2, 2]);
        assert!(clusters(&[]).is_empty());
    }

    #[test]
    fn words_with_other_letters_do_not_count() {
        let mut rng = Rng::new(7);
        let mut one = random(60, &mut rng);
        one[30] = b'N';
        assert_eq!(
            (
                words(&one).len(),
                words(&one[..19]).len(),
                words(&[b'A'; 100]).len()
            ),
            (11 + 10, 0, 1)
        );
        let all_n = vec![b'N'; 30];
        assert_eq!(
            partners(
                std::slice::from_ref(&all_n),
                &[random(30, &mut rng), all_n.clone()]
            )
            .concat()
            .len(),
            1
        );
    }
}
