//! From a tile to questions, and from their answers to scores.

use super::placed::Placed;
use super::{VariantRow, VariantsRequest};
use crate::genome::sequence::{complement, model_letters, reverse_complement};
use crate::genome::{Interval, Strand};
use crate::pipelines::MASKED;
use crate::pipelines::questions::{Questions, oriented, rising};
use crate::pipelines::tiles::{Tile, Window};
use crate::stats::context::codes;

/// Rounds in which the letters around an insertion or deletion are masked: in each one in so many,
/// as in training, so that in all of them each letter once.
pub const ROUNDS: usize = 7;

/// The variants of a tile and the numbers of their questions' answers.
pub(super) struct Tiled<'a> {
    tile: &'a Tile,
    strands: Vec<OnStrand>,
}

struct OnStrand {
    strand: Strand,
    /// The reference and the inter-base positions it was asked for.
    reference: usize,
    asked: Window,
    /// One a variant of the tile.
    variants: Vec<Asked>,
}

struct Asked {
    alternate: usize,
    likelihood: Likelihood,
}

/// How the alleles' likelihoods are asked for.
enum Likelihood {
    /// The answer with the one position masked, and the letters of the strand: old, then new.
    Single(usize, [u8; 2]),
    /// Of each allele, the answers of the rounds with the letters that were masked.
    Rounds([Vec<(usize, Vec<u8>)>; 2]),
}

/// `letters`, the first of which is base `first`, with the letters in lower case whose values are
/// those of inter-base positions `window` on a strand.
fn asking(mut letters: Vec<u8>, first: usize, window: Window, strand: Strand) -> Vec<u8> {
    // The value before a base in the orientation of minus is that of the position after it on plus.
    let back = usize::from(strand == Strand::Minus);
    letters[window.low - first - back..=window.high - first - back].make_ascii_lowercase();
    oriented(letters, strand)
}

/// The rounds of an allele that covers `allele` of `letters`: windows with the masked letters, in
/// the orientation of the strand. The letters beside the allele are in the same rounds whatever the
/// allele.
fn rounds(
    letters: &[u8],
    allele: Interval,
    reach: usize,
    strand: Strand,
    questions: &mut Questions,
) -> Vec<(usize, Vec<u8>)> {
    let seen = allele.start.saturating_sub(reach)..(allele.end + reach).min(letters.len());
    let round_of = |t: usize| match t {
        t if t < allele.start => (allele.start - 1 - t) % ROUNDS,
        t if t < allele.end => (t - allele.start) % ROUNDS,
        t => (t - allele.end) % ROUNDS,
    };
    let ask = |round: usize| {
        let masked: Vec<usize> = seen
            .clone()
            .filter(|t| round_of(*t) == round && letters[*t] != b'N')
            .collect();
        let (mut window, mut hidden) = (
            letters.to_vec(),
            masked.iter().map(|t| letters[*t]).collect::<Vec<u8>>(),
        );
        masked.iter().for_each(|t| window[*t] = MASKED);
        if strand == Strand::Minus {
            hidden = reverse_complement(&hidden);
        }
        (!masked.is_empty()).then(|| (questions.ask(oriented(window, strand)), hidden))
    };
    (0..ROUNDS).filter_map(ask).collect()
}

impl<'a> Tiled<'a> {
    /// Asks what the scores of a tile's variants need.
    pub fn ask(
        tile: &'a Tile,
        sequence: &[u8],
        placed: &[Placed],
        request: &VariantsRequest,
        questions: &mut Questions,
    ) -> Tiled<'a> {
        let first = tile.bases.start;
        let reference = model_letters(&sequence[first..tile.bases.end], Strand::Plus);
        let windows = || tile.windows.iter().map(|index| placed[*index].window);
        let asked = Window {
            low: windows().map(|w| w.low).min().unwrap_or(1),
            high: windows().map(|w| w.high).max().unwrap_or(1),
        };
        let strands = if request.both_strands {
            &[Strand::Plus, Strand::Minus][..]
        } else {
            &[Strand::Plus]
        };
        let on = |strand: &Strand| {
            let strand = *strand;
            let variant = |index: &usize| {
                let Placed { edit, window, .. } = &placed[*index];
                let edited = edit.applied(&reference, first);
                let after = Window {
                    low: window.low,
                    high: window.high.saturating_add_signed(edit.shift()),
                };
                let at = edit.bases.start - first;
                let likelihood = if edit.is_single() {
                    let mut masked = reference.clone();
                    masked[at] = MASKED;
                    let letters = [reference[at], edit.letters[0]].map(|b| {
                        if strand == Strand::Plus {
                            b
                        } else {
                            complement(b)
                        }
                    });
                    Likelihood::Single(questions.ask(oriented(masked, strand)), letters)
                } else {
                    let mut of = |letters: &[u8], length| {
                        rounds(
                            letters,
                            Interval::new(at, at + length),
                            request.reach,
                            strand,
                            questions,
                        )
                    };
                    Likelihood::Rounds([
                        of(&reference, edit.bases.len_bp()),
                        of(&edited, edit.letters.len()),
                    ])
                };
                Asked {
                    alternate: questions.ask(asking(edited, first, after, strand)),
                    likelihood,
                }
            };
            let variants = tile.windows.iter().map(variant).collect();
            OnStrand {
                strand,
                reference: questions.ask(asking(reference.clone(), first, asked, strand)),
                asked,
                variants,
            }
        };
        Tiled {
            tile,
            strands: strands.iter().map(on).collect(),
        }
    }

    /// Variants of the tile.
    pub fn variants(&self) -> usize {
        self.tile.windows.len()
    }

    /// Writes the scores into the variants' rows: the means over strands.
    pub fn score(&self, placed: &[Placed], answers: &[Vec<f32>], rows: &mut [VariantRow]) {
        for (number, index) in self.tile.windows.iter().enumerate() {
            let Placed {
                index,
                edit,
                window,
            } = &placed[*index];
            let row = &mut rows[*index];
            (
                row.llr,
                row.boundary_change,
                row.decisions_changed,
                row.tokens_gained,
                row.hidden_distance,
            ) = (0.0, 0.0, 0.0, 0.0, 0.0);
            let share = 1.0 / self.strands.len() as f64;
            for on in &self.strands {
                let asked = &on.variants[number];
                let before = &answers[on.reference];
                let (probs, hidden) = before.split_at(on.asked.high - on.asked.low + 1);
                let before = rising(probs, on.strand);
                let (probs, hidden_after) = answers[asked.alternate]
                    .split_at((window.high - window.low + 1).saturating_add_signed(edit.shift()));
                let response = edit.response(
                    window.low,
                    &before[window.low - on.asked.low..=window.high - on.asked.low],
                    &rising(probs, on.strand),
                );
                row.llr += share * asked.likelihood.ratio(answers);
                row.boundary_change += share * response.change;
                row.decisions_changed += share * f64::from(response.decisions);
                row.tokens_gained += share * f64::from(response.tokens);
                row.hidden_distance += share * distance(hidden, hidden_after);
            }
        }
    }
}

/// The Euclidean distance.
fn distance(a: &[f32], b: &[f32]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(a, b)| f64::from(a - b).powi(2))
        .sum::<f64>()
        .sqrt()
}

impl Likelihood {
    /// The logarithm of how much likelier the new allele is than the old one.
    fn ratio(&self, answers: &[Vec<f32>]) -> f64 {
        let log_prob = |four: &[f32], letter: u8| {
            codes(&[letter])
                .first()
                .and_then(|code| four.get(usize::from(*code)))
                .map_or(f64::NAN, |p| f64::from(*p))
        };
        match self {
            Likelihood::Single(masked, [old, new]) => {
                log_prob(&answers[*masked], *new) - log_prob(&answers[*masked], *old)
            }
            Likelihood::Rounds([old, new]) => {
                let sum = |rounds: &[(usize, Vec<u8>)]| -> f64 {
                    let of = |(number, letters): &(usize, Vec<u8>)| {
                        answers[*number]
                            .chunks(4)
                            .zip(letters)
                            .map(|(four, letter)| log_prob(four, *letter))
                            .sum::<f64>()
                    };
                    rounds.iter().map(of).sum()
                };
                sum(new) - sum(old)
            }
        }
    }
}
