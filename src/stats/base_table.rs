//! A baseline for masked-base prediction: the base given the k bases on either side, from counts,
//! backing off to narrower contexts. Bases are codes, 0 to 3 for A, C, G and T, and any other
//! number for what is unknown.
//!
//! `P_k(base) = (count(context, base) + w P_{k-1}(base)) / (count(context) + w)`. The weight w of
//! the narrower table depends on the width, on how often the context was seen, and with how many
//! different bases (a context seen often and always with one base is a repeat, and is trusted
//! more). The weights decide how good the baseline is, so they are fitted on sequence that is
//! neither counted nor tested.

use std::collections::HashMap;

use rayon::prelude::*;

/// Interpolated tables for 0 to `k` bases on either side.
pub struct BaseTables {
    /// For each width, counts of the middle base by context. A context is its bases from the inside
    /// out, two bits each, under a leading 1.
    counts: Vec<HashMap<u64, [u32; 4]>>,
    /// Weight of the narrower table, in counts, for each width and group of contexts.
    weights: Vec<[f64; GROUPS]>,
}

/// Groups of contexts: number of different bases seen (1 to 4) by the logarithm of how often.
const GROUPS: usize = 4 * 12;

/// The next probability of a base from that of the narrower table.
fn mixed(counts: &[u32; 4], weight: f64, base: usize, p: f64) -> f64 {
    (f64::from(counts[base]) + weight * p) / (f64::from(counts.iter().sum::<u32>()) + weight)
}

/// The group of a context that was seen.
fn group(counts: &[u32; 4]) -> usize {
    let kinds = counts.iter().filter(|&&n| n > 0).count().max(1);
    let often = counts.iter().sum::<u32>().max(1).ilog2().min(11) as usize;
    (kinds - 1) * 12 + often
}

/// Weights that are tried: powers of two.
const WEIGHTS: [f64; 16] = [
    0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0,
    4096.0,
];

/// Keys of the contexts of position `t`, from width 0 to the widest that fits and holds only bases.
fn contexts(tokens: &[u8], t: usize, k: usize) -> impl Iterator<Item = u64> {
    let mut key = Some(1_u64);
    (0..=k).map_while(move |width| {
        if width > 0 {
            let (left, right) = (
                t.checked_sub(width).map(|i| tokens[i]),
                tokens.get(t + width).copied(),
            );
            key = match (key, left, right) {
                (Some(key), Some(left @ 0..=3), Some(right @ 0..=3)) => {
                    Some(key << 4 | u64::from(left) << 2 | u64::from(right))
                }
                _ => None,
            };
        }
        key
    })
}

/// The other strand.
fn reverse_complement(codes: &[u8]) -> Vec<u8> {
    codes
        .iter()
        .rev()
        .map(|&code| if code < 4 { 3 - code } else { code })
        .collect()
}

impl BaseTables {
    /// Counts every base of `sequences` (codes), and of their reverse complements, with up to `k`
    /// bases on either side, at most 15; then fits the weights to predict the bases of `tuning`
    /// best. Memory grows with the sequences; where all that will be `asked` is known, with that
    /// and `tuning` alone: contexts of neither are not kept.
    pub fn fit<'a>(
        sequences: impl Iterator<Item = &'a [u8]>,
        k: usize,
        tuning: &[Vec<u8>],
        asked: Option<&[Vec<u8>]>,
    ) -> Self {
        let k = k.min(15);
        let mut counts: Vec<HashMap<u64, [u32; 4]>> = vec![HashMap::new(); k + 1];
        for window in asked
            .into_iter()
            .flat_map(|asked| asked.iter().chain(tuning))
        {
            for t in 0..window.len() {
                for (table, key) in counts.iter_mut().zip(contexts(window, t, k)) {
                    table.insert(key, [0; 4]);
                }
            }
        }
        for sequence in sequences {
            let strands = [sequence.to_vec(), reverse_complement(sequence)];
            counts
                .par_iter_mut()
                .enumerate()
                .for_each(|(width, table)| {
                    for strand in &strands {
                        for (t, &base) in strand.iter().enumerate().filter(|(_, b)| **b < 4) {
                            let Some(key) = contexts(strand, t, width).nth(width) else {
                                continue;
                            };
                            let counts = match asked {
                                Some(_) => table.get_mut(&key),
                                None => Some(table.entry(key).or_default()),
                            };
                            if let Some(counts) = counts {
                                counts[usize::from(base)] += 1;
                            }
                        }
                    }
                });
        }
        if asked.is_some() {
            for table in &mut counts {
                table.retain(|_, counts| *counts != [0; 4]);
            }
        }
        let mut tables = BaseTables {
            weights: vec![[16.0; GROUPS]; counts.len()],
            counts,
        };
        tables.tune(tuning);
        tables
    }

    fn tune(&mut self, windows: &[Vec<u8>]) {
        let k = self.counts.len() - 1;
        // For each position to predict: its base, the probability so far, and the keys of its
        // contexts.
        let mut positions: Vec<(usize, f64, Vec<u64>)> = Vec::new();
        for window in windows {
            for t in (0..window.len()).filter(|&t| window[t] < 4) {
                positions.push((
                    usize::from(window[t]),
                    0.25,
                    contexts(window, t, k).collect(),
                ));
            }
        }
        for width in 0..=k {
            let table = &self.counts[width];
            let mut members: Vec<Vec<(usize, f64, &[u32; 4])>> = vec![Vec::new(); GROUPS];
            for (base, p, keys) in &positions {
                if let Some(counts) = keys.get(width).and_then(|key| table.get(key)) {
                    members[group(counts)].push((*base, *p, counts));
                }
            }
            for (weight, members) in self.weights[width]
                .iter_mut()
                .zip(&members)
                .filter(|(_, members)| !members.is_empty())
            {
                let loss = |w: f64| -> f64 {
                    members
                        .iter()
                        .map(|(base, p, counts)| -mixed(counts, w, *base, *p).ln())
                        .sum()
                };
                let best = WEIGHTS
                    .iter()
                    .map(|&w| (loss(w), w))
                    .min_by(|a, b| a.0.total_cmp(&b.0));
                *weight = best.map_or(*weight, |(_, w)| w);
            }
            let weights = &self.weights[width];
            for (base, p, keys) in &mut positions {
                if let Some(counts) = keys.get(width).and_then(|key| table.get(key)) {
                    *p = mixed(counts, weights[group(counts)], *base, *p);
                }
            }
        }
    }

    /// `-ln P(base at t | its neighbours)` for every width from 0 to k.
    pub fn nats(&self, tokens: &[u8], t: usize) -> Vec<f64> {
        let base = usize::from(tokens[t]);
        let mut p = 0.25;
        let mut keys = contexts(tokens, t, self.counts.len() - 1);
        let one = |(table, weights): (&HashMap<u64, [u32; 4]>, &[f64; GROUPS])| {
            if let Some(counts) = keys.next().and_then(|key| table.get(&key)) {
                p = mixed(counts, weights[group(counts)], base, p);
            }
            -p.ln()
        };
        self.counts.iter().zip(&self.weights).map(one).collect()
    }

    /// `ln P` of A, C, G and T at `t` given its neighbours, by the widest table. Where the position
    /// was among the counted ones, `own` is its base, and one count of it is taken away first: a
    /// table must not know what it is asked for.
    pub fn log_probs(&self, codes: &[u8], t: usize, own: Option<u8>) -> [f64; 4] {
        let mut p = [0.25; 4];
        for ((table, weights), key) in
            self.counts
                .iter()
                .zip(&self.weights)
                .zip(contexts(codes, t, self.counts.len() - 1))
        {
            let mut counts = table.get(&key).copied().unwrap_or_default();
            if let Some(count) = own.and_then(|own| counts.get_mut(usize::from(own))) {
                *count = count.saturating_sub(1);
            }
            if counts.iter().any(|&n| n > 0) {
                p = std::array::from_fn(|base| {
                    mixed(&counts, weights[group(&counts)], base, p[base])
                });
            }
        }
        p.map(f64::ln)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backs_off_to_what_it_has_seen() {
        // C is always between A and G, on both strands with its complement.
        let sequence: Vec<u8> = [0, 1, 2].repeat(200);
        let tables = BaseTables::fit(std::iter::once(&sequence[..]), 2, &[], None);
        let nats = tables.nats(&[0, 1, 2, 0, 1, 2], 1);
        assert!(nats[0] > 1.0 && nats[1] < 0.1, "{nats:?}");
        // An unseen context falls back to the narrower one; the sequence's end likewise.
        let unseen = tables.nats(&[3, 0, 1, 2, 3], 2);
        assert_eq!(unseen[2], unseen[1]);
        assert_eq!(tables.nats(&[1, 2], 0)[1], tables.nats(&[1, 2], 0)[0]);
        // Probabilities of the four bases sum to one.
        let total: f64 = (0..4).map(|b| (-tables.nats(&[0, b, 2], 1)[1]).exp()).sum();
        assert!((total - 1.0).abs() < 1e-12);
        let all = tables.log_probs(&[0, 1, 2], 1, None);
        assert!(
            (0..4).all(|b| (all[b] + tables.nats(&[0, b as u8, 2], 1)[2]).abs() < 1e-12),
            "{all:?}"
        );
    }

    #[test]
    fn a_position_does_not_vote_for_itself() {
        // AAAAA around C was seen once: at the position itself.
        let mut sequence = [0, 3, 2, 1].repeat(50);
        sequence.extend([0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0]);
        sequence.extend([0, 3, 2, 1].repeat(50));
        let tables = BaseTables::fit(std::iter::once(&sequence[..]), 5, &[], None);
        let (with, without) = (
            tables.log_probs(&sequence, 205, None),
            tables.log_probs(&sequence, 205, Some(1)),
        );
        assert!(with[1] > without[1], "{with:?} {without:?}");
        assert!((without.iter().map(|l| l.exp()).sum::<f64>() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn weights_follow_what_they_are_fitted_on() {
        // Wide contexts of random sequence say nothing of other random sequence: their weight in
        // the mixture goes to the narrow ones.
        let mut rng = crate::stats::rng::Rng::new(2);
        let mut random = |n: usize| {
            (0..n)
                .map(|_| {
                    if rng.uniform() < 0.4 {
                        0
                    } else {
                        rng.below(4) as u8
                    }
                })
                .collect::<Vec<u8>>()
        };
        let (counted, other, tested) = (random(20_000), random(20_000), random(5_000));
        let mean = |tables: &BaseTables, k: usize| {
            (9..4990).map(|t| tables.nats(&tested, t)[k]).sum::<f64>() / 4981.0
        };
        let tuned = BaseTables::fit(std::iter::once(&counted[..]), 6, &[other], None);
        let untuned = BaseTables::fit(std::iter::once(&counted[..]), 6, &[], None);
        let (tuned, untuned, base) = (mean(&tuned, 6), mean(&untuned, 6), mean(&tuned, 0));
        assert!(
            tuned < base + 0.01 && untuned > tuned + 0.02,
            "{tuned} {untuned} {base}"
        );
    }

    #[test]
    fn tables_of_what_is_asked_answer_as_tables_of_all() {
        let mut rng = crate::stats::rng::Rng::new(4);
        let mut random = |n: usize| (0..n).map(|_| rng.below(5) as u8).collect::<Vec<u8>>();
        let (counted, tuning, asked) = (random(30_000), random(900), [random(400), random(70)]);
        let fit = |asked| {
            let sequences = counted.chunks(1001);
            BaseTables::fit(sequences, 4, std::slice::from_ref(&tuning), asked)
        };
        let (all, some) = (fit(None), fit(Some(&asked[..])));
        assert!(some.counts[4].len() < all.counts[4].len() / 2);
        for window in &asked {
            for t in (0..window.len()).filter(|t| window[*t] < 4) {
                assert_eq!(some.nats(window, t), all.nats(window, t));
            }
        }
    }
}
