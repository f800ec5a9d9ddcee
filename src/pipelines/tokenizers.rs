//! Tokenizers whose cuts do not come from a model, each as a source of values 1 (a cut) and 0.

mod file;

use std::path::Path;

use tokenizers::Tokenizer as HuggingFace;

use super::{BoundarySource, Stretch};
use crate::error::{Error, Result, contained};
use crate::genome::Strand;
use crate::stats::rng::Rng;

/// A way to cut a sequence.
pub enum Tokenizer {
    /// A grid over the contig: a cut before every base whose 0-based number is a multiple of so
    /// many.
    Fixed(usize),
    /// A cut at each inter-base position of the contig with probability 1 in so many,
    /// independently; the same on both strands.
    Random(usize, Rng),
    /// Words of so many letters, one after the other from the start of what is read, as the
    /// Nucleotide Transformer cuts: where the next word would hold a letter other than A, C, G and
    /// T, one letter is a token.
    Kmer(usize),
    /// A tokenizer of Hugging Face's `tokenizers` (`tokenizer.json`), such as DNABERT-2's, on
    /// upper-case letters.
    Bpe(Box<HuggingFace>),
}

impl Tokenizer {
    /// Reads a `tokenizer.json`. Its truncation and padding, which have no meaning for cuts, are
    /// left out.
    ///
    /// # Errors
    /// A file that cannot be read or is no tokenizer, and one whose cuts are drawn at random
    /// (`dropout`).
    pub fn open(path: &Path) -> Result<Tokenizer> {
        file::open(path).map(|tokenizer| Tokenizer::Bpe(Box::new(tokenizer)))
    }

    fn cuts(&self, stretch: &Stretch<'_>) -> Result<Vec<f32>> {
        let letters = &stretch.letters;
        let mut cuts = vec![0.0; letters.len()];
        match self {
            Tokenizer::Fixed(every) => {
                self.by_place(stretch, &mut cuts, |place| place.is_multiple_of(*every))?
            }
            Tokenizer::Random(every, rng) => {
                let contig = stretch.place.map_or("", |place| place.contig);
                let rng = rng.derive(contig);
                self.by_place(stretch, &mut cuts, |place| {
                    rng.derive_number(place as u64).below(*every) == 0
                })?;
            }
            Tokenizer::Kmer(k) => {
                let plain = |at: usize| {
                    letters
                        .get(at..at + k)
                        .is_some_and(|word| word.iter().all(|l| b"ACGT".contains(l)))
                };
                let mut at = 0;
                while at < letters.len() {
                    cuts[at] = 1.0;
                    at += if plain(at) { *k } else { 1 };
                }
            }
            Tokenizer::Bpe(tokenizer) => {
                let text = String::from_utf8_lossy(letters);
                let refused = |what: String| {
                    Error::Invalid(format!("the tokenizer refused a sequence: {what}"))
                };
                let tokens = contained(|| tokenizer.encode(text.as_ref(), false))
                    .map_err(refused)?
                    .map_err(|e| refused(e.to_string()))?;
                // A token that a normalizer puts in (`▁`) stands for no letter.
                for (start, _) in tokens
                    .get_offsets()
                    .iter()
                    .filter(|(start, end)| start < end)
                {
                    if let Some(cut) = cuts.get_mut(*start) {
                        *cut = 1.0;
                    }
                }
            }
        }
        if let Some(first) = cuts.first_mut() {
            *first = 1.0;
        }
        Ok(cuts)
    }

    /// Fills in what follows from the inter-base position of the contig.
    fn by_place(
        &self,
        stretch: &Stretch<'_>,
        cuts: &mut [f32],
        is_cut: impl Fn(usize) -> bool,
    ) -> Result<()> {
        let place = stretch.place.ok_or_else(|| {
            Error::Invalid("a grid over the contig cannot cut letters that stand nowhere".into())
        })?;
        for (t, cut) in cuts.iter_mut().enumerate() {
            let position = if place.strand == Strand::Plus {
                place.bases.start + t
            } else {
                place.bases.end - t
            };
            *cut = f32::from(u8::from(is_cut(position)));
        }
        Ok(())
    }
}

impl BoundarySource for Tokenizer {
    fn read(&self, stretches: &[Stretch<'_>]) -> Result<Vec<Vec<f32>>> {
        stretches.iter().map(|stretch| self.cuts(stretch)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::genome::Interval;

    const SEQUENCE: &[u8] = b"ACGTACGTNACGTACGTACG";

    fn cuts(tokenizer: &Tokenizer, start: usize, end: usize, strand: Strand) -> Vec<usize> {
        let stretch = Stretch::of_contig("c", SEQUENCE, Interval::new(start, end), strand).unwrap();
        let values = tokenizer.read(&[stretch]).unwrap().remove(0);
        let at = |t: usize| {
            if strand == Strand::Plus {
                start + t
            } else {
                end - t
            }
        };
        let mut found: Vec<usize> = (1..values.len())
            .filter(|t| values[*t] > 0.5)
            .map(at)
            .collect();
        found.sort_unstable();
        found
    }

    #[test]
    fn grids_stand_still() {
        for strand in [Strand::Plus, Strand::Minus] {
            assert_eq!(cuts(&Tokenizer::Fixed(4), 2, 19, strand), [4, 8, 12, 16]);
        }
        let random = Tokenizer::Random(3, Rng::new(1));
        let all = cuts(&random, 0, 20, Strand::Plus);
        assert!(all.len() > 2 && all.len() < 12);
        let inside: Vec<usize> = all
            .iter()
            .copied()
            .filter(|at| (6..15).contains(at))
            .collect();
        assert_eq!(cuts(&random, 5, 15, Strand::Plus), inside);
        assert_eq!(cuts(&random, 5, 15, Strand::Minus), inside);
        assert!(
            Tokenizer::Fixed(4)
                .read(&[Stretch::nowhere(b"ACGT".to_vec())])
                .is_err()
        );
    }

    #[test]
    fn words_start_where_reading_starts() {
        assert_eq!(
            cuts(&Tokenizer::Kmer(3), 0, 20, Strand::Plus),
            [3, 6, 7, 8, 9, 12, 15, 18, 19]
        );
        assert_eq!(cuts(&Tokenizer::Kmer(3), 10, 17, Strand::Plus), [13, 16]);
        assert_eq!(cuts(&Tokenizer::Kmer(3), 10, 17, Strand::Minus), [11, 14]);
    }
}
