//! Edits of sequence, and what they do to boundaries.
//!
//! An edit puts letters in the place of bases. Inter-base positions left of it keep their number,
//! those right of it move by the change in length; positions inside of what is taken away or put in
//! have no partner. So an insertion or a deletion is not taken for a change of every boundary after
//! it.

use crate::genome::Interval;

/// A boundary is where the probability is above this, as in the model.
const THRESHOLD: f32 = crate::model::THRESHOLD;

/// Letters in the place of bases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The bases that are taken away; empty for an insertion before base `start`.
    pub bases: Interval,
    /// The letters put in their place, A, C, G and T in upper case, those of plus.
    pub letters: Vec<u8>,
}

/// What an edit does to boundaries nearby.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Response {
    /// Sum of |change of the boundary probability| over positions that are there before and after.
    pub change: f64,
    /// How many of these are a boundary in one of the two only.
    pub decisions: u32,
    /// Boundaries after less boundaries before, over all positions: tokens gained, negative where
    /// some are lost.
    pub tokens: i32,
}

impl Edit {
    /// `alternate` in the place of `reference`, which begins at base `start`; what both begin or
    /// end with alike is left out, the end first, as VCF is normalised.
    pub fn between(start: usize, reference: &[u8], alternate: &[u8]) -> Edit {
        let mut ends = (reference.len(), alternate.len());
        while ends.0 > 0 && ends.1 > 0 && reference[ends.0 - 1] == alternate[ends.1 - 1] {
            ends = (ends.0 - 1, ends.1 - 1);
        }
        let (reference, alternate) = (&reference[..ends.0], &alternate[..ends.1]);
        let same = reference
            .iter()
            .zip(alternate)
            .take_while(|(a, b)| a == b)
            .count();
        Edit {
            bases: Interval::new(start + same, start + reference.len()),
            letters: alternate[same..].to_vec(),
        }
    }

    /// Whether it changes nothing.
    pub fn is_nothing(&self) -> bool {
        self.bases.len_bp() == 0 && self.letters.is_empty()
    }

    /// Whether it puts one letter in the place of another.
    pub fn is_single(&self) -> bool {
        self.bases.len_bp() == 1 && self.letters.len() == 1
    }

    /// How far bases after it move.
    pub fn shift(&self) -> isize {
        self.letters.len() as isize - self.bases.len_bp() as isize
    }

    /// `snv`, `substitution`, `insertion`, `deletion`, or `indel` for both.
    pub fn kind(&self) -> &'static str {
        match (self.bases.len_bp(), self.letters.len()) {
            (1, 1) => "snv",
            (0, _) => "insertion",
            (_, 0) => "deletion",
            (a, b) if a == b => "substitution",
            _ => "indel",
        }
    }

    /// `window`, whose first letter is base `first`, with the edit made in it.
    pub fn applied(&self, window: &[u8], first: usize) -> Vec<u8> {
        let (start, end) = (self.bases.start - first, self.bases.end - first);
        [&window[..start], &self.letters, &window[end..]].concat()
    }

    /// Where inter-base position `t` is after the edit; `None` inside of what is taken away. A
    /// position at which letters are put in, or at which the two ends of what is taken away meet,
    /// is the one before the edit.
    pub fn moved(&self, t: usize) -> Option<usize> {
        match () {
            () if t <= self.bases.start || self.shift() == 0 => Some(t),
            () if t < self.bases.end || (t == self.bases.end && self.letters.is_empty()) => None,
            () => t.checked_add_signed(self.shift()),
        }
    }

    /// Bases between inter-base position `t` and what is taken away; 0 at its ends and inside.
    pub fn distance(&self, t: usize) -> usize {
        self.bases.start.saturating_sub(t) + t.saturating_sub(self.bases.end)
    }

    /// (position before the edit, value there, value after) of positions that are there both times.
    /// `before` are values of inter-base positions from `low` on, `after` those from `low` on once
    /// the edit is made; `low` is not right of the edit.
    pub fn pairs<'a>(
        &'a self,
        low: usize,
        before: &'a [f32],
        after: &'a [f32],
    ) -> impl Iterator<Item = (usize, f32, f32)> + 'a {
        (low..)
            .zip(before)
            .filter_map(move |(t, before)| Some((t, *before, *after.get(self.moved(t)? - low)?)))
    }

    /// What changes between the two; arguments as of [`Edit::pairs`].
    pub fn response(&self, low: usize, before: &[f32], after: &[f32]) -> Response {
        let boundaries = |values: &[f32]| values.iter().filter(|p| **p > THRESHOLD).count() as i32;
        let mut response = Response {
            tokens: boundaries(after) - boundaries(before),
            ..Response::default()
        };
        for (_, before, after) in self.pairs(low, before, after) {
            response.change += f64::from((after - before).abs());
            response.decisions += u32::from((before > THRESHOLD) != (after > THRESHOLD));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(start: usize, reference: &str, alternate: &str) -> Edit {
        Edit::between(start, reference.as_bytes(), alternate.as_bytes())
    }

    #[test]
    fn alleles_are_trimmed() {
        for (reference, alternate, kind, bases, letters) in [
            ("A", "C", "snv", (10, 11), "C"),
            ("A", "ATG", "insertion", (11, 11), "TG"),
            ("ATG", "A", "deletion", (11, 13), ""),
            ("CAT", "CGT", "snv", (11, 12), "G"),
            ("CA", "TG", "substitution", (10, 12), "TG"),
            ("CAG", "TT", "indel", (10, 13), "TT"),
            ("AAA", "AA", "deletion", (10, 11), ""),
            ("A", "", "deletion", (10, 11), ""),
        ] {
            let edit = edit(10, reference, alternate);
            assert_eq!(
                (edit.kind(), edit.bases, &edit.letters[..]),
                (kind, Interval::new(bases.0, bases.1), letters.as_bytes())
            );
        }
        assert!(edit(3, "ACG", "ACG").is_nothing());
        assert_eq!(edit(10, "A", "ATG").applied(b"CCACC", 8), b"CCATGCC");
    }

    /// Values that name the letter to the right of a position are the same before and after, but
    /// where the edit is.
    #[test]
    fn positions_meet_their_partners() {
        let window = b"ACGTACGTAC";
        let value = |letters: &[u8]| -> Vec<f32> {
            (1..letters.len())
                .map(|t| f32::from(letters[t]) / 256.0)
                .collect()
        };
        for (reference, alternate, lost) in [
            ("A", "G", 0),
            ("A", "AGG", 0),
            ("AC", "A", 1),
            ("ACG", "A", 2),
            ("ACG", "TTT", 0),
            ("ACG", "TT", 2),
        ] {
            let edit = edit(4, reference, alternate);
            let (before, after) = (value(window), value(&edit.applied(window, 0)));
            let differ: Vec<usize> = edit
                .pairs(1, &before, &after)
                .filter(|(_, a, b)| a != b)
                .map(|(t, ..)| t)
                .collect();
            assert!(
                !differ.is_empty() && differ.iter().all(|t| edit.distance(*t) == 0),
                "{reference}>{alternate} {differ:?}"
            );
            assert_eq!(
                edit.pairs(1, &before, &after).count(),
                9 - lost,
                "{reference}>{alternate}"
            );
            assert_eq!(
                edit.pairs(1, &before, &after).last().map(|(t, ..)| t),
                Some(9)
            );
        }
    }

    #[test]
    fn responses_count_decisions_and_tokens() {
        let deletion = edit(2, "CG", "C"); // base 3 is gone
        let response = deletion.response(1, &[0.1, 0.9, 0.9, 0.2], &[0.1, 0.4, 0.3]);
        assert!((response.change - (0.5 + 0.6)).abs() < 1e-6, "{response:?}");
        assert_eq!((response.decisions, response.tokens), (2, -2));
        let single = edit(2, "C", "T").response(1, &[0.1, 0.9, 0.2], &[0.6, 0.9, 0.2]);
        assert_eq!((single.decisions, single.tokens), (1, 1));
        assert!((single.change - 0.5).abs() < 1e-6);
    }
}
