//! Shuffles that keep every dinucleotide: a uniform draw among all sequences with the same first
//! and last letter and the same count of each pair of neighbours. A sequence is a path through the
//! graph of its letters; each draw is an Euler path of that graph (Kandel, Matias, Unger & Winkler
//! 1996), made uniform by a uniform random tree of last exits (Wilson 1996), as in uShuffle (Jiang,
//! Anderson, Gillespie & Mayne 2008).

use crate::stats::rng::Rng;

/// A uniformly drawn rearrangement of `letters` with the same first letter, last letter and
/// dinucleotide counts. Any bytes will do; upper and lower case are different letters.
pub fn dinucleotide_shuffle(letters: &[u8], rng: &mut Rng) -> Vec<u8> {
    let (Some(first), Some(last)) = (letters.first(), letters.last()) else {
        return Vec::new();
    };
    // exits[a]: the letters that follow a, one entry an occurrence.
    let mut exits: Vec<Vec<u8>> = vec![Vec::new(); 256];
    letters
        .windows(2)
        .for_each(|pair| exits[usize::from(pair[0])].push(pair[1]));
    // tree[a]: the exit of a that is used when no other is left.
    let mut tree: Vec<Option<u8>> = vec![None; 256];
    for (letter, kept) in last_exits(&exits, *last, rng).into_iter().enumerate() {
        tree[letter] = kept.map(|kept| exits[letter].swap_remove(kept));
        rng.shuffle(&mut exits[letter]);
    }
    let mut shuffled = Vec::with_capacity(letters.len());
    let mut here = *first;
    shuffled.push(here);
    while shuffled.len() < letters.len() {
        let next = exits[usize::from(here)]
            .pop()
            .or_else(|| tree[usize::from(here)].take());
        let Some(next) = next else { break }; // cannot be: the tree leads every letter to the last one
        here = next;
        shuffled.push(here);
    }
    shuffled
}

/// For each letter but the last one, which of its exits is taken last: a uniform random tree
/// towards `root`, by loop-erased walks.
fn last_exits(exits: &[Vec<u8>], root: u8, rng: &mut Rng) -> Vec<Option<usize>> {
    let mut chosen: Vec<Option<usize>> = vec![None; 256];
    let mut in_tree = [false; 256];
    in_tree[usize::from(root)] = true;
    for start in (0..256).filter(|letter| !exits[*letter].is_empty()) {
        let mut at = start;
        while !in_tree[at] {
            let exit = rng.below(exits[at].len());
            chosen[at] = Some(exit); // a later visit overwrites: that erases the loop
            at = usize::from(exits[at][exit]);
        }
        let mut at = start;
        while !in_tree[at] {
            in_tree[at] = true;
            at = chosen[at].map_or(at, |exit| usize::from(exits[at][exit]));
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn pairs(letters: &[u8]) -> BTreeMap<(u8, u8), usize> {
        let mut counts = BTreeMap::new();
        letters
            .windows(2)
            .for_each(|w| *counts.entry((w[0], w[1])).or_insert(0) += 1);
        counts
    }

    #[test]
    fn dinucleotides_and_ends_are_kept_exactly() {
        for seed in 0..400 {
            let mut rng = Rng::new(seed);
            let length = rng.below(60);
            let alphabet = 1 + rng.below(4);
            let letters: Vec<u8> = (0..length).map(|_| b"ACGT"[rng.below(alphabet)]).collect();
            let shuffled = dinucleotide_shuffle(&letters, &mut rng);
            assert_eq!(
                (shuffled.first(), shuffled.last(), shuffled.len()),
                (letters.first(), letters.last(), letters.len())
            );
            assert_eq!(pairs(&shuffled), pairs(&letters));
        }
        let mut long: Vec<u8> = Vec::new();
        let mut rng = Rng::new(5);
        (0..500).for_each(|_| long.push(b"ACGT"[rng.below(4)]));
        let shuffled = dinucleotide_shuffle(&long, &mut rng);
        let same = shuffled.iter().zip(&long).filter(|(a, b)| a == b).count();
        assert!(same < 250, "{same} of 500 letters stayed");
    }

    /// Every arrangement with the same ends and pairs, by trying all.
    fn all(letters: &[u8]) -> Vec<Vec<u8>> {
        let mut found = vec![vec![letters[0]]];
        for _ in 1..letters.len() {
            found = found
                .into_iter()
                .flat_map(|s| b"ACGT".iter().map(move |b| [&s[..], &[*b]].concat()))
                .collect();
            let left = pairs(letters);
            found.retain(|s| {
                pairs(s)
                    .iter()
                    .all(|(pair, n)| left.get(pair).is_some_and(|most| n <= most))
            });
        }
        found.retain(|s| s.last() == letters.last() && pairs(s) == pairs(letters));
        found
    }

    #[test]
    fn every_euler_path_is_as_likely() {
        for letters in [
            &b"ACAGATACGA"[..],
            b"AACCAACACA",
            b"ACGTACTGAC",
            b"GATTACAGAT",
        ] {
            let paths = all(letters);
            assert!(paths.len() > 3, "{}", paths.len());
            let mut counts: BTreeMap<Vec<u8>, f64> =
                paths.iter().map(|p| (p.clone(), 0.0)).collect();
            let (mut rng, draws) = (Rng::new(17), 3000.0 * paths.len() as f64);
            for _ in 0..draws as usize {
                *counts
                    .get_mut(&dinucleotide_shuffle(letters, &mut rng))
                    .unwrap() += 1.0;
            }
            let chi_square: f64 = counts.values().map(|n| (n - 3000.0).powi(2) / 3000.0).sum();
            // Mean plus five standard deviations of chi-square.
            let freedom = paths.len() as f64 - 1.0;
            assert!(
                chi_square < freedom + 5.0 * (2.0 * freedom).sqrt(),
                "{chi_square} with {freedom} degrees of freedom"
            );
        }
    }
}
