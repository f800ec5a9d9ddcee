//! One hit where several of a motif overlap: a palindrome fits both strands, a repeat fits at every
//! period.

use std::collections::BTreeSet;

use super::scan::Hit;

/// The hits of one motif on one sequence that overlap no better one, by start. Best first: the
/// smallest p-value, then the smallest start, then the plus strand; each is kept if it shares no
/// base, on either strand, with one kept before.
pub fn best_of_overlapping(hits: &[Hit]) -> Vec<Hit> {
    let mut order: Vec<usize> = (0..hits.len()).collect();
    order.sort_unstable_by(|a, b| {
        let (a, b) = (&hits[*a], &hits[*b]);
        a.p_value
            .total_cmp(&b.p_value)
            .then((a.start, a.strand).cmp(&(b.start, b.strand)))
    });
    let mut kept: BTreeSet<(usize, usize, usize)> = BTreeSet::new();
    for index in order {
        let hit = &hits[index];
        // Those kept share no base, so the last that starts before this one's end reaches furthest.
        let before = kept.range(..(hit.end, 0, 0)).next_back();
        if before.is_none_or(|(_, end, _)| *end <= hit.start) {
            kept.insert((hit.start, hit.end, index));
        }
    }
    kept.into_iter().map(|(_, _, index)| hits[index]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::genome::Strand::{self, Minus, Plus};

    fn hit((start, strand, p_value): (usize, Strand, f64)) -> Hit {
        Hit {
            motif: 0,
            sequence: 0,
            start,
            end: start + 6,
            strand,
            score: -p_value.log2(),
            p_value,
        }
    }

    #[test]
    fn the_best_stays_and_what_touches_it_goes() {
        let hits = [
            (0, Minus, 3e-5),
            (2, Plus, 1e-5),
            (7, Plus, 2e-5),
            (8, Plus, 4e-5),
            (8, Minus, 4e-5),
            (30, Minus, 1e-5),
            (30, Plus, 1e-5),
        ];
        let kept = best_of_overlapping(&hits.map(hit));
        // 8+ touches 2+ and shares bases with 7+, which lost to 2+; of the palindrome the plus
        // strand is kept.
        assert_eq!(
            kept,
            [(2, Plus, 1e-5), (8, Plus, 4e-5), (30, Plus, 1e-5)].map(hit)
        );
        assert!(best_of_overlapping(&[]).is_empty());
    }
}
