//! Windows for the model, each asked once, in calls of one shape; and what becomes of letters and
//! values on a strand.

use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::genome::Strand;
use crate::genome::sequence::reverse_complement;
use crate::pipelines::{BoundarySource, MASKED, Stretch};

/// Letters of plus as a model reads them on a strand. Case and [`MASKED`] are kept.
pub(super) fn oriented(letters: Vec<u8>, strand: Strand) -> Vec<u8> {
    if strand == Strand::Plus {
        letters
    } else {
        reverse_complement(&letters)
    }
}

/// Values in the orientation of a strand by rising position.
pub(super) fn rising(values: &[f32], strand: Strand) -> Vec<f32> {
    if strand == Strand::Plus {
        values.to_vec()
    } else {
        values.iter().rev().copied().collect()
    }
}

/// Windows to be read. What [`Scorer`](crate::pipelines::ldarnet::Scorer) is asked is told by
/// letters in lower case and masked ones: windows that differ in these are not asked together.
#[derive(Default)]
pub(super) struct Questions {
    letters: Vec<Vec<u8>>,
    known: HashMap<Vec<u8>, usize>,
    bases: u64,
}

/// Length, masked bases, letters in lower case: questions alike in these have answers of one
/// length.
type Shape = (usize, usize, usize);

fn shape(letters: &[u8]) -> Shape {
    (
        letters.len(),
        letters.iter().filter(|b| **b == MASKED).count(),
        letters.iter().filter(|b| b.is_ascii_lowercase()).count(),
    )
}

impl Questions {
    /// Adds a window; the number of its answer. One that was asked already is not asked again.
    pub fn ask(&mut self, letters: Vec<u8>) -> usize {
        if let Some(number) = self.known.get(&letters) {
            return *number;
        }
        self.bases += letters.len() as u64;
        self.known.insert(letters.clone(), self.letters.len());
        self.letters.push(letters);
        self.letters.len() - 1
    }

    /// Bases of all windows.
    pub fn bases(&self) -> u64 {
        self.bases
    }

    /// The answers by number. Calls have `bases_at_once` bases at most, or one window; `asked` is
    /// told how many bases were read so far. Of a source that answers a part only, some are empty.
    pub fn answers(
        self,
        source: &dyn BoundarySource,
        bases_at_once: usize,
        asked: &dyn Fn(u64),
    ) -> Result<Vec<Vec<f32>>> {
        let mut order: Vec<usize> = (0..self.letters.len()).collect();
        let shapes: Vec<Shape> = self.letters.iter().map(|letters| shape(letters)).collect();
        order.sort_by_key(|number| (shapes[*number], *number));
        let (mut answers, mut done) = (vec![Vec::new(); self.letters.len()], 0);
        for alike in order.chunk_by(|a, b| shapes[*a] == shapes[*b]) {
            for some in alike.chunks((bases_at_once / shapes[alike[0]].0.max(1)).max(1)) {
                asked(done);
                let stretches: Vec<Stretch<'_>> = some
                    .iter()
                    .map(|number| Stretch::nowhere(self.letters[*number].clone()))
                    .collect();
                let found = source.read(&stretches)?;
                done += stretches
                    .iter()
                    .map(|stretch| stretch.letters.len() as u64)
                    .sum::<u64>();
                if source.is_part() {
                    continue;
                }
                if found.len() != some.len() {
                    return Err(Error::Invalid(
                        "the model did not answer for every window".into(),
                    ));
                }
                some.iter()
                    .zip(found)
                    .for_each(|(number, answer)| answers[*number] = answer);
            }
        }
        Ok(answers)
    }
}
