//! Which bases a stage keeps: by its learned router, or by a rule that stands in for it.
//!
//! The rule is the key `router` of a configuration, one for all stages; a configuration without it
//! is [`Routing::Learned`]. Every other rule gives probabilities in place of the router's, and
//! everything after them stays as it is. What the paper leaves open is chosen so:
//!
//! * A rule without probabilities keeps a position with P = 1 and drops it with 0. The dechunker
//!   clamps P to 1 - 1e-4 as it does a learned one, so a chunk takes one part in ten thousand from
//!   its neighbours. The confidence `c = max(p, 1 - p)` is 1 everywhere.
//! * P is a constant there: no gradient goes to it, and there is no ratio loss. The router's
//!   projections stay in the checkpoint, as they were made or read, so that every rule has the same
//!   tensors and a model can be run by another rule than it was trained by. Training leaves them as
//!   they are, weight decay included.
//! * [`Routing::Turned`] shifts the learned probabilities together with their mask: P keeps the
//!   distribution that the weights were trained on. No gradient passes from a shifted cut to the
//!   router that made it elsewhere.
//! * The first position of every sequence is kept by every rule, as a token must start there.
//! * In a hierarchy the rule holds at every stage, over the positions of that stage.

use crate::kernels::Seqs;
use crate::stats::rng::Rng;
use crate::{Error, Result};
use std::fmt;
use std::str::FromStr;

/// The configuration's key.
pub const KEY: &str = "router";

/// Most bases per cut.
const MOST: f64 = 100_000.0;

/// Seed of the random rule and of the shifts. A model's rule must not hang on the seed of a run.
const SEED: u64 = 19;

/// How the positions that a stage keeps are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub enum Routing {
    /// By the learned router, the authors' form.
    #[default]
    Learned,
    /// A grid: `floor(i * every) + phase` for i = 0, 1, .., and position 0.
    Fixed {
        /// Positions per cut, 1 or more, not necessarily whole.
        every: f64,
        /// Where the grid starts, below `every`.
        phase: usize,
    },
    /// Each position with probability `1 / every`, drawn from its number and from all tokens of the
    /// sequence: a sequence has the same cuts in any batch, another sequence has others.
    Random {
        /// Positions per cut, 1 or more.
        every: f64,
    },
    /// Every position: nothing is compressed.
    None,
    /// By the learned router, shifted circularly within the sequence, its first position apart: as
    /// many cuts with the same distances (but for the two at the seam), at other places. The shift
    /// is a quarter to three quarters of the sequence, drawn from all its tokens.
    Turned,
}

impl FromStr for Routing {
    type Err = Error;

    fn from_str(text: &str) -> Result<Routing> {
        let number = |text: &str| {
            text.parse::<f64>()
                .ok()
                .filter(|n| (1.0..=MOST).contains(n))
        };
        let wrong = || {
            let rules = "learned, fixed:N or fixed:N+PHASE, random:N, none or turned; N is a number from 1 to 100000, PHASE a whole number below N";
            Error::Usage(format!("router '{text}': one of {rules}"))
        };
        match text.split_once(':') {
            None if text == "learned" => Ok(Routing::Learned),
            None if text == "none" => Ok(Routing::None),
            None if text == "turned" => Ok(Routing::Turned),
            Some(("fixed", grid)) => {
                let (every, phase) = grid.split_once('+').unwrap_or((grid, "0"));
                let every = number(every).ok_or_else(wrong)?;
                let phase = phase
                    .parse()
                    .ok()
                    .filter(|phase| (*phase as f64) < every)
                    .ok_or_else(wrong)?;
                Ok(Routing::Fixed { every, phase })
            }
            Some(("random", every)) => Ok(Routing::Random {
                every: number(every).ok_or_else(wrong)?,
            }),
            Some(("track", _)) => Err(Error::Usage(format!(
                "router '{text}': a track needs to know where a sequence lies in the genome, and a model reads sequence alone; \
                 compare takes track:FILE as one of those compared"
            ))),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Routing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Routing::Learned => write!(f, "learned"),
            Routing::Fixed { every, phase: 0 } => write!(f, "fixed:{every}"),
            Routing::Fixed { every, phase } => write!(f, "fixed:{every}+{phase}"),
            Routing::Random { every } => write!(f, "random:{every}"),
            Routing::None => write!(f, "none"),
            Routing::Turned => write!(f, "turned"),
        }
    }
}

impl Routing {
    /// Whether the router's own decisions are taken where it made them: the only rule that is
    /// trained.
    pub fn is_learned(self) -> bool {
        self == Routing::Learned
    }

    /// Whether the router's projections are run.
    pub fn asks_router(self) -> bool {
        matches!(self, Routing::Learned | Routing::Turned)
    }

    /// Probabilities of all positions of a packed batch at a stage, in place of the learned ones,
    /// which `learned` gives (positions). `contents` holds a number for each sequence
    /// ([`content`]).
    ///
    /// # Errors
    /// Those of `learned`.
    pub(super) fn probabilities(
        self,
        seqs: &Seqs,
        contents: &[u64],
        stage: usize,
        learned: impl FnOnce() -> Result<Vec<f32>>,
    ) -> Result<Vec<f32>> {
        let mut probs = if self.asks_router() {
            learned()?
        } else {
            vec![0.0; seqs.last().map_or(0, |seq| seq.end)]
        };
        for (seq, content) in seqs.iter().zip(contents).filter(|(seq, _)| !seq.is_empty()) {
            let probs = &mut probs[seq.clone()];
            let mut rng = Rng::new(SEED)
                .derive_number(*content)
                .derive_number(stage as u64);
            match self {
                Routing::Learned => {}
                Routing::Fixed { every, phase } => {
                    let cuts = (0_u32..).map(|i| (f64::from(i) * every) as usize + phase);
                    cuts.take_while(|cut| *cut < seq.len())
                        .for_each(|cut| probs[cut] = 1.0);
                }
                Routing::Random { every } => probs
                    .iter_mut()
                    .for_each(|p| *p = f32::from(u8::from(rng.uniform() * every < 1.0))),
                Routing::None => probs.fill(1.0),
                Routing::Turned => {
                    let ring = &mut probs[1..];
                    let least = ring.len() / 4;
                    ring.rotate_right(least + rng.below(ring.len() - 2 * least + 1));
                }
            }
            probs[0] = 1.0;
        }
        Ok(probs)
    }
}

/// A number that changes with any token of a sequence (FNV-1a).
pub(super) fn content(tokens: &[u8]) -> u64 {
    tokens.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &token| {
        (hash ^ u64::from(token)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probs(routing: &str, lengths: &[usize], contents: &[u64], learned: &[f32]) -> Vec<f32> {
        let mut end = 0;
        let rows = |n: &usize| {
            end += n;
            end - n..end
        };
        let seqs: Seqs = lengths.iter().map(rows).collect();
        routing
            .parse::<Routing>()
            .unwrap()
            .probabilities(&seqs, contents, 0, || Ok(learned.to_vec()))
            .unwrap()
    }

    fn cuts(probs: &[f32]) -> Vec<usize> {
        assert!(probs.iter().all(|p| *p == 0.0 || *p == 1.0));
        (0..probs.len()).filter(|t| probs[*t] > 0.5).collect()
    }

    #[test]
    fn rules_are_written_as_they_are_read() {
        for text in [
            "learned",
            "fixed:4",
            "fixed:4.25",
            "fixed:4.25+3",
            "random:3.9",
            "none",
            "turned",
        ] {
            assert_eq!(text.parse::<Routing>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "fixed",
            "fixed:0.9",
            "fixed:nan",
            "fixed:inf",
            "fixed:4+4",
            "fixed:4+-1",
            "random:",
            "random:x",
            "turned:2",
            "track:a.bw",
        ] {
            assert!(
                matches!(text.parse::<Routing>(), Err(Error::Usage(message)) if message.contains(text)),
                "{text}"
            );
        }
    }

    #[test]
    fn grids_start_anew_with_each_sequence() {
        assert_eq!(
            cuts(&probs("fixed:2.5", &[7, 4, 1], &[1, 2, 3], &[])),
            [0, 2, 5, 7, 9, 11]
        );
        assert_eq!(cuts(&probs("fixed:3+2", &[9], &[1], &[])), [0, 2, 5, 8]);
        assert_eq!(cuts(&probs("none", &[2, 1], &[1, 2], &[])), [0, 1, 2]);
        // A real N is met in the long run.
        assert_eq!(
            cuts(&probs("fixed:4.0625", &[65_000], &[1], &[])).len(),
            16_000
        );
    }

    #[test]
    fn random_cuts_follow_the_sequence() {
        let alone = probs("random:4", &[4000], &[7], &[]);
        let packed = probs("random:4", &[300, 4000], &[9, 7], &[]);
        assert_eq!(packed[300..], alone);
        assert_ne!(probs("random:4", &[4000], &[8], &[]), alone);
        let n = cuts(&alone).len();
        assert!((900..1100).contains(&n) && alone[0] == 1.0, "{n}");
        assert_eq!(cuts(&probs("random:1", &[50], &[7], &[])).len(), 50);
    }

    #[test]
    fn turned_cuts_keep_number_and_distances() {
        let learned: Vec<f32> = (0..101)
            .map(|t| {
                if t == 0 {
                    1.0
                } else {
                    ((t * 37) % 100) as f32 / 100.0
                }
            })
            .collect();
        for content in 0..200 {
            let turned = probs("turned", &[101], &[content], &learned);
            let by = (0..100)
                .find(|by| (0..100).all(|t| turned[1 + (t + by) % 100] == learned[1 + t]))
                .unwrap();
            assert!((25..=75).contains(&by) && turned[0] == 1.0, "{by}");
        }
        // Too short to turn.
        assert_eq!(
            probs("turned", &[1, 2], &[1, 2], &[1.0, 1.0, 0.3]),
            [1.0, 1.0, 0.3]
        );
    }

    #[test]
    fn contents_differ() {
        assert_ne!(content(&[0, 1, 2]), content(&[0, 1, 3]));
        assert_ne!(content(&[0]), content(&[0, 0]));
    }
}
