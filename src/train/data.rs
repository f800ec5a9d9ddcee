//! Windows of sequence and their masks. What a step sees depends on the seed and the step's number
//! only, so that a resumed run goes on exactly where it stopped.

use super::recipe::{DataRecipe, Masking};
use crate::genome::contig_names::ContigNames;
use crate::genome::fasta::Genome;
use crate::model::tokenizer::{self, MASK, N, encode};
use crate::stats::rng::Rng;
use crate::{Error, Result};
use std::ops::Range;
use std::sync::Arc;

/// All sequence of a recipe as tokens, and where windows may start.
pub struct Corpus {
    contigs: Vec<Vec<u8>>,
    /// Runs without N outside the held-out part, at least one window long: (contig, range).
    training: Vec<(usize, Range<usize>)>,
    /// Each file's part of `training`, and its share of the windows; one part with all where none
    /// were asked for.
    shares: Vec<(Range<usize>, f64)>,
    /// The same inside the held-out part.
    holdout: Vec<(usize, Range<usize>)>,
    /// The same inside the part of the first file that is tested.
    test: Vec<(usize, Range<usize>)>,
    /// The same of the other files.
    tuning: Vec<(usize, Range<usize>)>,
    length: usize,
}

/// The hash FNV-1a, of numbers.
pub(super) struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Fnv {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    pub(super) fn add(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(0x0100_0000_01b3);
    }

    pub(super) fn value(&self) -> u64 {
        self.0
    }
}

/// Windows with their masks: what the model reads, and what it is to say where.
pub struct Batch {
    /// Corrupted windows.
    pub inputs: Vec<Vec<u8>>,
    /// (row in the packed batch, true base).
    pub targets: Arc<[(usize, u8)]>,
}

impl Corpus {
    /// Reads the files of a recipe.
    ///
    /// # Errors
    /// A file cannot be read, or no stretch without N is as long as a window.
    pub fn open(recipe: &DataRecipe) -> Result<Corpus> {
        let mut corpus = Corpus {
            contigs: Vec::new(),
            training: Vec::new(),
            shares: Vec::new(),
            holdout: Vec::new(),
            test: Vec::new(),
            tuning: Vec::new(),
            length: recipe.length,
        };
        for (file, path) in recipe.fasta.iter().enumerate() {
            let before = corpus.training.len();
            let genome = Genome::open(path)?;
            let held_out = match file {
                0 => held_out(&genome, &recipe.holdout_contigs)
                    .map_err(|e| Error::file(path, e.to_string()))?,
                _ => Vec::new(),
            };
            for (number, contig) in genome.contigs().iter().enumerate() {
                let parts = match held_out.contains(&number) {
                    true => [(0.0, 1.0); 2],
                    false => [recipe.holdout, recipe.test],
                };
                corpus.add(encode(&genome.read_contig(&contig.name)?), file == 0, parts);
            }
            let (part, share) = (before..corpus.training.len(), recipe.weights.get(file));
            match share {
                Some(0.0) => corpus.training.truncate(before),
                Some(_) if part.is_empty() => return Err(Error::file(path, recipe.nowhere())),
                Some(&share) => corpus.shares.push((part, share)),
                None => {}
            }
        }
        if corpus.training.is_empty() {
            return Err(Error::Invalid(format!(
                "training data: {}",
                recipe.nowhere()
            )));
        }
        if corpus.shares.is_empty() {
            corpus.shares.push((0..corpus.training.len(), 1.0));
        }
        Ok(corpus)
    }

    /// Adds a contig, of which the parts `holdout` and `test` are held out and tested.
    fn add(&mut self, tokens: Vec<u8>, first_file: bool, [holdout, test]: [(f64, f64); 2]) {
        let index = self.contigs.len();
        let at = |fraction: f64| (tokens.len() as f64 * fraction).round() as usize;
        let (from, to) = (at(holdout.0), at(holdout.1));
        let runs = |range: Range<usize>| {
            let mut out = Vec::new();
            let mut start = range.start;
            for t in range.clone() {
                if tokens[t] == N {
                    out.push(start..t);
                    start = t + 1;
                }
            }
            out.push(start..range.end.max(start));
            out.retain(|r| r.len() >= self.length);
            out.into_iter().map(|r| (index, r)).collect::<Vec<_>>()
        };
        let (before, after, middle) = (runs(0..from), runs(to..tokens.len()), runs(from..to));
        let test = runs(at(test.0)..at(test.1));
        self.training.extend(before.into_iter().chain(after));
        self.holdout.extend(middle);
        if first_file {
            self.test.extend(test)
        } else {
            self.tuning.extend(test)
        }
        self.contigs.push(tokens);
    }

    /// A number that changes with any base of the corpus (FNV-1a): a run goes on only with the
    /// sequence it was started on.
    pub fn digest(&self) -> u64 {
        let mut hash = Fnv::default();
        for contig in &self.contigs {
            for &byte in contig.iter().chain(&[u8::MAX]) {
                hash.add(u64::from(byte));
            }
        }
        hash.value()
    }

    /// Bases of training sequence.
    pub fn training_bases(&self) -> usize {
        self.training.iter().map(|(_, r)| r.len()).sum()
    }

    /// Stretches of training sequence, for tables that are fitted on all of it.
    pub fn training_runs(&self) -> impl Iterator<Item = &[u8]> {
        self.training
            .iter()
            .map(|(contig, range)| &self.contigs[*contig][range.clone()])
    }

    /// The windows of one step: uniform over all places where a window fits, or over those of a file
    /// that is drawn first by the recipe's weights; each turned with the recipe's probability.
    pub fn training_windows(
        &self,
        count: usize,
        reverse_complement: f64,
        rng: &mut Rng,
    ) -> Vec<Vec<u8>> {
        let places = |range: &Range<usize>| range.len() - self.length + 1;
        let total = |part: &Range<usize>| -> usize {
            let runs = &self.training[part.clone()];
            runs.iter().map(|(_, r)| places(r)).sum()
        };
        let totals: Vec<usize> = self.shares.iter().map(|(part, _)| total(part)).collect();
        let mut windows = Vec::with_capacity(count);
        for _ in 0..count {
            let file = self.draw_file(rng);
            let mut at = rng.below(totals[file]);
            for (contig, range) in &self.training[self.shares[file].0.clone()] {
                if at < places(range) {
                    let window = &self.contigs[*contig][range.start + at..][..self.length];
                    let turned = rng.uniform() < reverse_complement;
                    windows.push(if turned {
                        tokenizer::reverse_complement(window)
                    } else {
                        window.to_vec()
                    });
                    break;
                }
                at -= places(range);
            }
        }
        windows
    }

    /// The part that a window is drawn from.
    fn draw_file(&self, rng: &mut Rng) -> usize {
        if self.shares.len() == 1 {
            return 0; // nothing random where there is no choice
        }
        let all: f64 = self.shares.iter().map(|(_, share)| share).sum();
        let mut at = rng.uniform() * all;
        for (file, (_, share)) in self.shares.iter().enumerate() {
            if at < *share {
                return file;
            }
            at -= share;
        }
        self.shares.len() - 1 // rounding
    }

    /// Held-out windows side by side, at most `count` of them evenly spread.
    pub fn holdout_windows(&self, count: usize) -> Vec<Vec<u8>> {
        spread(self.side_by_side(&self.holdout), count)
    }

    /// Windows of the same part of the other files, at most `count` of them evenly spread: neither
    /// trained on nor tested, and as far from the training sequence as what is tested.
    pub fn tuning_windows(&self, count: usize) -> Vec<Vec<u8>> {
        spread(self.side_by_side(&self.tuning), count)
    }

    /// All windows of the tested part, side by side.
    pub fn test_windows(&self) -> Vec<Vec<u8>> {
        self.side_by_side(&self.test)
    }

    fn side_by_side(&self, runs: &[(usize, Range<usize>)]) -> Vec<Vec<u8>> {
        let windows = |(contig, range): &(usize, Range<usize>)| {
            self.contigs[*contig][range.clone()]
                .chunks_exact(self.length)
                .map(<[u8]>::to_vec)
                .collect::<Vec<_>>()
        };
        runs.iter().flat_map(windows).collect()
    }
}

/// The contigs of some names, by number; `chrI` is `I`.
fn held_out(genome: &Genome, names: &[String]) -> Result<Vec<usize>> {
    let known = ContigNames::new(genome.contigs().iter().map(|contig| &contig.name));
    let found = |name: &String| {
        known
            .find(name)
            .ok_or_else(|| Error::Invalid(format!("data.holdout_contigs: {}", known.lacks(name))))
    };
    names.iter().map(found).collect()
}

/// At most `count` of `all`, evenly spread.
fn spread(all: Vec<Vec<u8>>, count: usize) -> Vec<Vec<u8>> {
    let step = all.len().div_ceil(count.max(1)).max(1);
    all.into_iter().step_by(step).take(count).collect()
}

/// Chooses positions to predict and corrupts them.
pub fn mask(windows: Vec<Vec<u8>>, masking: &Masking, rng: &mut Rng) -> Batch {
    let mut targets = Vec::new();
    let mut row = 0;
    let mut inputs = windows;
    for window in &mut inputs {
        for token in window.iter_mut() {
            if *token < N && rng.uniform() < masking.fraction {
                targets.push((row, *token));
                let u = rng.uniform();
                if u < masking.mask {
                    *token = MASK;
                } else if u < masking.mask + masking.random {
                    *token = rng.below(4) as u8;
                }
            }
            row += 1;
        }
    }
    Batch {
        inputs,
        targets: targets.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn corpus(sequence: &str) -> Corpus {
        let mut file = tempfile::Builder::new().suffix(".fa").tempfile().unwrap();
        writeln!(file, ">c\n{sequence}").unwrap();
        let recipe = DataRecipe {
            fasta: vec![file.path().to_path_buf()],
            weights: Vec::new(),
            length: 4,
            reverse_complement: 0.5,
            holdout: (0.4, 0.6),
            test: (0.45, 0.55),
            holdout_contigs: Vec::new(),
        };
        Corpus::open(&recipe).unwrap()
    }

    #[test]
    fn whole_contigs_are_held_out() {
        let mut file = tempfile::Builder::new().suffix(".fa").tempfile().unwrap();
        writeln!(file, ">I\nAAAAAAAA\n>II\nCCCCCCCC\n>III\nGGGGGGGG").unwrap();
        let recipe = |contig: &str| DataRecipe {
            fasta: vec![file.path().to_path_buf()],
            weights: Vec::new(),
            length: 4,
            reverse_complement: 0.0,
            holdout: (0.0, 0.0),
            test: (0.0, 0.0),
            holdout_contigs: vec![contig.into()],
        };
        let corpus = Corpus::open(&recipe("chrII")).unwrap();
        assert_eq!(corpus.training_bases(), 16);
        assert_eq!(corpus.holdout_windows(10), [[1; 4], [1; 4]]);
        assert_eq!(corpus.test_windows(), [[1; 4], [1; 4]]);
        let message = Corpus::open(&recipe("IV")).err().unwrap().to_string();
        assert!(message.contains("'IV'"), "{message}");
    }

    #[test]
    fn files_have_the_shares_that_are_asked_for() {
        let file = |sequence: &str| {
            let mut file = tempfile::Builder::new().suffix(".fa").tempfile().unwrap();
            writeln!(file, ">c\n{sequence}\n>d\n{sequence}").unwrap();
            file
        };
        let files = [
            file(&"A".repeat(400)),
            file(&"C".repeat(40)),
            file(&"G".repeat(40)),
            file("TTT"),
        ];
        let recipe = |weights: &[f64]| DataRecipe {
            fasta: files.iter().map(|file| file.path().into()).collect(),
            weights: weights.to_vec(),
            length: 4,
            reverse_complement: 0.0,
            holdout: (0.0, 0.0),
            test: (0.0, 0.0),
            holdout_contigs: Vec::new(),
        };
        let counts = |weights: &[f64]| {
            let corpus = Corpus::open(&recipe(weights)).unwrap();
            let windows = corpus.training_windows(4000, 0.0, &mut Rng::new(1));
            [0, 1, 2].map(|base| windows.iter().filter(|w| w[0] == base).count())
        };
        let near = |counts: [usize; 3], wanted: [usize; 3]| {
            let close = |(n, wanted): (&usize, &usize)| n.abs_diff(*wanted) < 130;
            assert!(counts.iter().zip(&wanted).all(close), "{counts:?}");
        };
        near(counts(&[]), [3371, 314, 314]);
        near(counts(&[1.0, 2.0, 1.0, 0.0]), [1000, 2000, 1000]);
        assert_eq!(counts(&[0.0, 5.0, 0.0, 0.0]), [0, 4000, 0]);
        let message = Corpus::open(&recipe(&[1.0; 4])).err().unwrap().to_string();
        assert!(message.contains("4 bases long"), "{message}");
    }

    #[test]
    fn windows_avoid_n_and_what_is_held_out() {
        // 40 bases: held out 16..24, an N at 5.
        let corpus = corpus("AAAAANAAAAAAAAAACCCCCCCCGGGGGGGGGGGGGGGG");
        assert_eq!(corpus.training_bases(), 5 + 10 + 16);
        let windows = corpus.training_windows(500, 0.0, &mut Rng::new(1));
        assert!(
            windows
                .iter()
                .all(|w| w == &[0, 0, 0, 0] || w == &[2, 2, 2, 2])
        );
        let turned = corpus.training_windows(500, 1.0, &mut Rng::new(1));
        assert!(
            turned
                .iter()
                .all(|w| w == &[3, 3, 3, 3] || w == &[1, 1, 1, 1])
        );
        assert_eq!(corpus.holdout_windows(10), [[1; 4], [1; 4]]);
        assert_eq!(corpus.test_windows(), [[1; 4]]);
        assert!(
            corpus.tuning_windows(10).is_empty(),
            "there is no other file"
        );
    }

    #[test]
    fn masks_as_asked() {
        let window: Vec<u8> = (0..100_000).map(|i| (i % 5) as u8).collect();
        let batch = mask(
            vec![window.clone()],
            &Masking {
                fraction: 0.15,
                mask: 0.8,
                random: 0.1,
            },
            &mut Rng::new(3),
        );
        let share = |n: usize, of: usize| n as f64 / of as f64;
        assert!((share(batch.targets.len(), 80_000) - 0.15).abs() < 0.005);
        assert!(
            batch
                .targets
                .iter()
                .all(|&(row, base)| window[row] == base && base < 4)
        );
        let shown = |f: &dyn Fn(usize, u8) -> bool| {
            batch
                .targets
                .iter()
                .filter(|&&(row, base)| f(row, base))
                .count()
        };
        assert!(
            (share(
                shown(&|row, _| batch.inputs[0][row] == MASK),
                batch.targets.len()
            ) - 0.8)
                .abs()
                < 0.02
        );
        let changed = shown(&|row, base| batch.inputs[0][row] < 4 && batch.inputs[0][row] != base);
        assert!((share(changed, batch.targets.len()) - 0.075).abs() < 0.01);
        let touched: std::collections::HashSet<usize> = batch.targets.iter().map(|t| t.0).collect();
        assert!((0..window.len()).all(|i| touched.contains(&i) || batch.inputs[0][i] == window[i]));
    }
}
