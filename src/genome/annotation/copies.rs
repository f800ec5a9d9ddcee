//! One transcript identifier at several places of a contig: a transcript each, so that no intron
//! leaps from one to the next.

use crate::genome::{Interval, Strand};

/// The index of the place that a part belongs to: one it overlaps, else the nearest. `places` are
/// sorted and do not overlap; there is at least one.
pub(super) fn place_of(places: &[Interval], part: &Interval) -> usize {
    let after = places.partition_point(|place| place.end <= part.start);
    if after == places.len() {
        return after - 1;
    }
    let is_before_nearer =
        || part.start - places[after - 1].end < places[after].start.saturating_sub(part.end);
    if after > 0 && !places[after].overlaps(part) && is_before_nearer() {
        after - 1
    } else {
        after
    }
}

/// The places of a transcript without a line of its own, whose `parts` are exons in genome order
/// without overlaps.
///
/// Several copies are told by numbers of exons that start over. Where exons are not numbered, by
/// copies that are alike base for base in the lengths of their exons and introns, with another gene
/// between each and the next.
pub(super) fn places(
    parts: &[Interval],
    numbers: &[(Interval, u32)],
    strand: Strand,
    other_genes: &Spans,
) -> Vec<Interval> {
    let Some((first, last)) = parts.first().zip(parts.last()) else {
        return Vec::new();
    };
    let starts = if numbers.is_empty() {
        repeats(parts, other_genes)
    } else {
        numbered(parts, numbers, strand)
    };
    if starts.is_empty() {
        return vec![first.hull(last)];
    }
    let ends = starts.iter().copied().skip(1).chain([parts.len()]);
    starts
        .iter()
        .zip(ends)
        .map(|(from, to)| parts[*from].hull(&parts[to - 1]))
        .collect()
}

/// The parts at which numbering starts over, the first among them; none where no number comes
/// twice.
fn numbered(parts: &[Interval], numbers: &[(Interval, u32)], strand: Strand) -> Vec<usize> {
    let mut of_part: Vec<Option<u32>> = vec![None; parts.len()];
    for (interval, number) in numbers {
        let part = place_of(parts, interval);
        of_part[part] = Some(of_part[part].map_or(*number, |known| known.min(*number)));
    }
    let Some(numbers) = of_part.into_iter().collect::<Option<Vec<u32>>>() else {
        return Vec::new();
    };
    let mut sorted = numbers.clone();
    sorted.sort_unstable();
    if sorted.windows(2).all(|pair| pair[0] != pair[1]) {
        return Vec::new();
    }
    // Numbers rise with the transcript; some files let them rise with the genome on both strands.
    let starts = |rising: bool| {
        let over = |at: &usize| {
            *at == 0
                || if rising {
                    numbers[*at] <= numbers[*at - 1]
                } else {
                    numbers[*at] >= numbers[*at - 1]
                }
        };
        (0..numbers.len()).filter(over).collect::<Vec<_>>()
    };
    let (with, against) = (
        starts(strand == Strand::Plus),
        starts(strand == Strand::Minus),
    );
    if against.len() < with.len() {
        against
    } else {
        with
    }
}

/// The first parts of copies that are alike.
fn repeats(parts: &[Interval], other_genes: &Spans) -> Vec<usize> {
    let alike = |period: usize| {
        (period..parts.len()).all(|at| {
            let (here, before) = (&parts[at], &parts[at - period]);
            let intron = |part: usize| parts[part].start - parts[part - 1].end;
            here.len_bp() == before.len_bp()
                && if at % period == 0 {
                    other_genes.any_within(Interval::new(parts[at - 1].end, here.start))
                } else {
                    intron(at) == intron(at - period)
                }
        })
    };
    let period = (1..=parts.len() / 2)
        .filter(|period| parts.len().is_multiple_of(*period))
        .find(|period| alike(*period));
    period.map_or(Vec::new(), |period| {
        (0..parts.len()).step_by(period).collect()
    })
}

/// Stretches of one contig, of which it can be asked whether one lies in an interval.
#[derive(Default)]
pub(super) struct Spans {
    /// By start; the second is the least end of this and those after it.
    sorted: Vec<(usize, usize)>,
}

impl Spans {
    pub fn new(mut spans: Vec<Interval>) -> Spans {
        spans.sort_unstable();
        let mut sorted: Vec<(usize, usize)> =
            spans.iter().map(|span| (span.start, span.end)).collect();
        for at in (1..sorted.len()).rev() {
            sorted[at - 1].1 = sorted[at - 1].1.min(sorted[at].1);
        }
        Spans { sorted }
    }

    fn any_within(&self, interval: Interval) -> bool {
        let first = self
            .sorted
            .partition_point(|(start, _)| *start < interval.start);
        self.sorted
            .get(first)
            .is_some_and(|(_, least_end)| *least_end <= interval.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intervals(pairs: &[(usize, usize)]) -> Vec<Interval> {
        pairs
            .iter()
            .map(|(start, end)| Interval::new(*start, *end))
            .collect()
    }

    fn found(
        parts: &[(usize, usize)],
        numbers: &[u32],
        strand: Strand,
        others: &[(usize, usize)],
    ) -> Vec<(usize, usize)> {
        let parts = intervals(parts);
        let numbers: Vec<_> = parts.iter().copied().zip(numbers.iter().copied()).collect();
        places(&parts, &numbers, strand, &Spans::new(intervals(others)))
            .iter()
            .map(|place| (place.start, place.end))
            .collect()
    }

    #[test]
    fn numbers_that_start_over_are_copies() {
        let parts = [(0, 10), (20, 30), (100, 110), (120, 131)];
        for (numbers, strand, expected) in [
            ([1, 2, 1, 2], Strand::Plus, vec![(0, 30), (100, 131)]),
            ([2, 1, 2, 1], Strand::Minus, vec![(0, 30), (100, 131)]),
            ([1, 2, 1, 2], Strand::Minus, vec![(0, 30), (100, 131)]),
            (
                [1, 1, 1, 1],
                Strand::Plus,
                vec![(0, 10), (20, 30), (100, 110), (120, 131)],
            ),
            ([1, 2, 3, 4], Strand::Minus, vec![(0, 131)]),
            ([7, 5, 3, 1], Strand::Plus, vec![(0, 131)]),
        ] {
            assert_eq!(
                found(&parts, &numbers, strand, &[]),
                expected,
                "{numbers:?}"
            );
        }
    }

    #[test]
    fn copies_are_alike_and_have_other_genes_between_them() {
        let (plus, alike) = (
            Strand::Plus,
            [(0, 10), (20, 35), (1000, 1010), (1020, 1035)],
        );
        assert_eq!(
            found(&alike, &[], plus, &[(40, 900)]),
            [(0, 35), (1000, 1035)]
        );
        assert_eq!(
            found(&alike, &[], plus, &[(30, 900), (40, 1001)]),
            [(0, 1035)]
        );
        assert_eq!(
            found(
                &[(0, 10), (20, 35), (1000, 1010), (1021, 1036)],
                &[],
                plus,
                &[(40, 900)]
            ),
            [(0, 1036)]
        );
        // Exons of one length are no copies.
        assert_eq!(
            found(&[(0, 10), (20, 30), (40, 50)], &[], plus, &[(60, 70)]),
            [(0, 50)]
        );
        assert_eq!(
            found(
                &[(0, 10), (20, 30), (40, 50)],
                &[],
                plus,
                &[(12, 18), (33, 35)]
            ),
            [(0, 10), (20, 30), (40, 50)]
        );
        assert!(found(&[], &[], plus, &[]).is_empty());
    }

    #[test]
    fn a_part_belongs_where_it_lies() {
        let places = intervals(&[(10, 20), (100, 110)]);
        for (part, expected) in [
            ((0, 5), 0),
            ((12, 15), 0),
            ((19, 30), 0),
            ((25, 26), 0),
            ((90, 95), 1),
            ((105, 200), 1),
            ((300, 301), 1),
        ] {
            assert_eq!(
                place_of(&places, &Interval::new(part.0, part.1)),
                expected,
                "{part:?}"
            );
        }
    }
}
