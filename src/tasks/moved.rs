//! Whether training moved a model's token boundaries: its decisions at the positions of the tested
//! sequences, before and after.

use super::{Dataset, Targets};
use serde::{Deserialize, Serialize};

/// Parts of a sequence that are counted apart, from its start to its end.
pub const PARTS: usize = 20;

/// The decisions of a class in a part of its sequences; counts of positions, exact below 2^24.
pub const COUNTS: usize = 4;

/// Decisions before and after, by class of the sequence and part of it. The first position of a
/// sequence is always a boundary and is not counted.
#[derive(Clone, Debug, PartialEq)]
pub struct Moved {
    /// `[class][part]`: positions, boundaries before, boundaries after, boundaries in both.
    counts: Vec<[[u64; COUNTS]; PARTS]>,
}

/// Boundaries of a class of tested sequences before and after a training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MovedRow {
    /// The model.
    pub model: String,
    /// Number of the fold.
    pub fold: u64,
    /// Seed of the training.
    pub seed: u64,
    /// Class of the sequences; `all` for all.
    pub class: String,
    /// Start of the part of the sequence, as a share of its length; 0 to 1 is all of it.
    pub from: f64,
    /// End of it, open.
    pub to: f64,
    /// Positions between bases.
    pub positions: u64,
    /// Share of them that are boundaries before.
    pub boundaries_before: f64,
    /// After.
    pub boundaries_after: f64,
    /// Share of positions that became boundaries.
    pub gained: f64,
    /// Share of positions that ceased to be.
    pub lost: f64,
    /// Positions per boundary before.
    pub compression_before: f64,
    /// After.
    pub compression_after: f64,
}

impl Moved {
    /// Nothing counted yet.
    pub fn new(classes: usize) -> Moved {
        Moved {
            counts: vec![[[0; COUNTS]; PARTS]; classes],
        }
    }

    /// Counts a sequence of a class: whether a token starts at each base. The shorter of both
    /// counts.
    ///
    /// # Panics
    /// Where there is no such class.
    pub fn add(&mut self, class: usize, before: &[bool], after: &[bool]) {
        let length = before.len().min(after.len());
        for t in 1..length {
            let (before, after) = (u64::from(before[t]), u64::from(after[t]));
            let counts = &mut self.counts[class][t * PARTS / length];
            *counts = sum_of(*counts, [1, before, after, before * after]);
        }
    }

    /// As numbers in a row, for a file.
    pub fn flat(&self) -> Vec<f32> {
        self.counts
            .iter()
            .flatten()
            .flatten()
            .map(|&n| n as f32)
            .collect()
    }

    /// Back from numbers.
    pub fn from_flat(flat: &[f32]) -> Moved {
        let part = |part: &[f32]| std::array::from_fn(|i| part[i] as u64);
        let class = |class: &[f32]| {
            let mut parts = class.chunks_exact(COUNTS).map(part);
            std::array::from_fn(|_| parts.next().unwrap_or_default())
        };
        Moved {
            counts: flat.chunks_exact(PARTS * COUNTS).map(class).collect(),
        }
    }

    /// Rows: all classes together first, then each; of each the whole sequence, then its parts.
    pub fn rows(&self, (model, fold, seed): (&str, usize, u64), tested: &Dataset) -> Vec<MovedRow> {
        let names: Vec<&str> = match &tested.targets {
            Targets::Classes { names, .. } => names.iter().map(String::as_str).collect(),
            Targets::Values(_) => Vec::new(),
        };
        let mut all = [[0; COUNTS]; PARTS];
        self.counts.iter().for_each(|class| {
            all.iter_mut()
                .zip(class)
                .for_each(|(sum, part)| *sum = sum_of(*sum, *part))
        });
        let classes = std::iter::once(("all", &all)).chain(names.into_iter().zip(&self.counts));
        let row = |class: &str, from: usize, to: usize, counts: [u64; COUNTS]| {
            let [positions, before, after, both] = counts;
            let share = |n: u64| n as f64 / positions as f64;
            MovedRow {
                model: model.into(),
                fold: fold as u64,
                seed,
                class: class.into(),
                from: from as f64 / PARTS as f64,
                to: to as f64 / PARTS as f64,
                positions,
                boundaries_before: share(before),
                boundaries_after: share(after),
                gained: share(after - both),
                lost: share(before - both),
                compression_before: positions as f64 / before as f64,
                compression_after: positions as f64 / after as f64,
            }
        };
        classes
            .flat_map(|(class, parts)| {
                let whole = row(
                    class,
                    0,
                    PARTS,
                    parts
                        .iter()
                        .fold([0; COUNTS], |sum, part| sum_of(sum, *part)),
                );
                std::iter::once(whole).chain(
                    parts
                        .iter()
                        .enumerate()
                        .map(move |(i, part)| row(class, i, i + 1, *part)),
                )
            })
            .collect()
    }
}

fn sum_of(a: [u64; COUNTS], b: [u64; COUNTS]) -> [u64; COUNTS] {
    std::array::from_fn(|i| a[i] + b[i])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions_are_counted_where_they_change() {
        let mut moved = Moved::new(2);
        // 40 bases, two a part: a boundary at base 3 is lost, one at 39 gained, that at 10 stays.
        let (mut before, mut after) = (vec![false; 40], vec![false; 40]);
        for t in [0, 3, 10] {
            before[t] = true;
        }
        for t in [0, 10, 39] {
            after[t] = true;
        }
        moved.add(1, &before, &after);
        moved.add(0, &[true, true], &[true, false]);
        let data = Dataset {
            targets: Targets::Classes {
                labels: Vec::new(),
                names: vec!["a".into(), "b".into()],
            },
            ..Dataset::default()
        };
        let back = Moved::from_flat(&moved.flat());
        assert_eq!(back, moved);
        let rows = back.rows(("m", 2, 7), &data);
        assert_eq!(rows.len(), 3 * (1 + PARTS));
        let whole = rows
            .iter()
            .find(|row| row.class == "b" && row.to == 1.0)
            .unwrap();
        assert_eq!(
            (
                whole.positions,
                whole.gained * 39.0,
                whole.lost * 39.0,
                whole.compression_before
            ),
            (39, 1.0, 1.0, 19.5)
        );
        assert_eq!((whole.fold, whole.seed), (2, 7));
        let part = rows
            .iter()
            .find(|row| row.class == "b" && row.from == 0.05)
            .unwrap();
        assert_eq!(
            (
                part.positions,
                part.boundaries_before,
                part.lost,
                part.gained
            ),
            (2, 0.5, 0.5, 0.0)
        );
        assert_eq!(
            rows.iter()
                .find(|row| row.class == "b" && row.from == 0.95)
                .unwrap()
                .gained,
            0.5
        );
        assert_eq!((rows[0].class.as_str(), rows[0].positions), ("all", 40));
    }
}
