//! A baseline for masked-base prediction: the base given the k bases on either side, from counts, backing off to narrower contexts.

use std::collections::HashMap;

/// Interpolated tables for 0 to `k` bases on either side.
pub struct ContextTables {
    /// For each width, counts of the middle base by context. A context is its bases from the inside out, two bits each, under a leading 1.
    counts: Vec<HashMap<u64, [u32; 4]>>,
}

/// Weight of the narrower table, in counts.
const PRIOR: f64 = 4.0;

/// Keys of the contexts of position `t`, from width 0 to the widest that fits and holds only bases.
fn contexts(tokens: &[u8], t: usize, k: usize) -> impl Iterator<Item = u64> {
    let mut key = Some(1_u64);
    (0..=k).map_while(move |width| {
        if width > 0 {
            let (left, right) = (t.checked_sub(width).map(|i| tokens[i]), tokens.get(t + width).copied());
            key = match (key, left, right) {
                (Some(key), Some(left @ 0..=3), Some(right @ 0..=3)) => Some(key << 4 | u64::from(left) << 2 | u64::from(right)),
                _ => None,
            };
        }
        key
    })
}

impl ContextTables {
    /// Counts every base of `sequences` (tokens, 0..=3 for A, C, G, T), and of their reverse complements, with up to `k` bases on
    /// either side, at most 15.
    pub fn fit<'a>(sequences: impl Iterator<Item = &'a [u8]>, k: usize) -> Self {
        let k = k.min(15);
        let mut counts = vec![HashMap::new(); k + 1];
        for sequence in sequences {
            for strand in [sequence.to_vec(), super::data::reverse(sequence)] {
                for (t, &base) in strand.iter().enumerate().filter(|(_, b)| **b < 4) {
                    for (table, key) in counts.iter_mut().zip(contexts(&strand, t, k)) {
                        table.entry(key).or_insert([0; 4])[usize::from(base)] += 1;
                    }
                }
            }
        }
        ContextTables { counts }
    }

    /// `-ln P(base at t | its neighbours)` for every width from 0 to k.
    pub fn nats(&self, tokens: &[u8], t: usize) -> Vec<f64> {
        let base = usize::from(tokens[t]);
        let mut p = 0.25;
        let mut keys = contexts(tokens, t, self.counts.len() - 1);
        let one = |table: &HashMap<u64, [u32; 4]>| {
            if let Some(counts) = keys.next().and_then(|key| table.get(&key)) {
                let total: u32 = counts.iter().sum();
                p = (f64::from(counts[base]) + PRIOR * p) / (f64::from(total) + PRIOR);
            }
            -p.ln()
        };
        self.counts.iter().map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backs_off_to_what_it_has_seen() {
        // C is always between A and G, on both strands with its complement.
        let sequence: Vec<u8> = [0, 1, 2].repeat(200);
        let tables = ContextTables::fit(std::iter::once(&sequence[..]), 2);
        let nats = tables.nats(&[0, 1, 2, 0, 1, 2], 1);
        assert!(nats[0] > 1.0 && nats[1] < 0.02, "{nats:?}");
        // An unseen context falls back to the narrower one; the sequence's end likewise.
        let unseen = tables.nats(&[3, 0, 1, 2, 3], 2);
        assert_eq!(unseen[2], unseen[1]);
        assert_eq!(tables.nats(&[1, 2], 0)[1], tables.nats(&[1, 2], 0)[0]);
        // Probabilities of the four bases sum to one.
        let total: f64 = (0..4).map(|b| (-tables.nats(&[0, b, 2], 1)[1]).exp()).sum();
        assert!((total - 1.0).abs() < 1e-12);
    }
}
