//! Learning rate, best epoch and end of a training: they follow from the validation scores of its
//! epochs alone, so that a training that was stopped goes on as if it had not been.

use super::protocol::{Protocol, Schedule};
use crate::tasks::EpochRow;

/// PyTorch's default: a score counts as better only by more than this share of the best.
const THRESHOLD: f64 = 1e-4;

/// PyTorch's default: the rate is not lowered by less.
const LEAST_STEP: f64 = 1e-8;

/// Where a training stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// Learning rate of the next epoch.
    pub rate: f64,
    /// The epoch with the best score, from 0; of equal ones the first. `None` before the first
    /// epoch.
    pub best: Option<usize>,
    /// Whether there is no next epoch.
    pub ended: bool,
}

/// From the scores of the epochs so far, the higher the better; one that is `NaN` is better than
/// none.
fn standing(protocol: &Protocol, scores: &[f64]) -> Standing {
    let mut best = None;
    for (epoch, score) in scores.iter().enumerate() {
        if best.is_none_or(|best: usize| {
            *score > scores[best] || scores[best].is_nan() && !score.is_nan()
        }) {
            best = Some(epoch);
        }
    }
    let without = best.map_or(0, |best| scores.len() - 1 - best) as u64;
    let ended = scores.len() as u64 >= protocol.epochs || without >= protocol.stop_after;
    Standing {
        rate: rate(protocol, scores),
        best,
        ended,
    }
}

/// From the epochs so far.
pub fn standing_of(protocol: &Protocol, epochs: &[EpochRow]) -> Standing {
    standing(
        protocol,
        &epochs
            .iter()
            .map(|row| protocol.score(row))
            .collect::<Vec<_>>(),
    )
}

/// `torch.optim.lr_scheduler.ReduceLROnPlateau` after these scores.
fn rate(protocol: &Protocol, scores: &[f64]) -> f64 {
    let better: fn(f64, f64) -> bool = match protocol.schedule {
        Schedule::Authors => |score, best| score < best * (1.0 - THRESHOLD),
        Schedule::Plateau => |score, best| score > best * (1.0 + THRESHOLD),
        Schedule::Constant => return protocol.rate,
    };
    let (mut rate, mut bad) = (protocol.rate, 0);
    let mut best = if protocol.schedule == Schedule::Authors {
        f64::INFINITY
    } else {
        f64::NEG_INFINITY
    };
    for &score in scores {
        if better(score, best) {
            (best, bad) = (score, 0);
        } else {
            bad += 1;
        }
        if bad > protocol.patience {
            let lower = rate * protocol.factor;
            if rate - lower > LEAST_STEP {
                rate = lower;
            }
            bad = 0;
        }
    }
    rate
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(schedule: Schedule, scores: &[f64]) -> Vec<f64> {
        let protocol = Protocol {
            rate: 1.0,
            schedule,
            ..Protocol::ldarnet()
        };
        (1..=scores.len())
            .map(|n| standing(&protocol, &scores[..n]).rate)
            .collect()
    }

    // o = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    // s = torch.optim.lr_scheduler.ReduceLROnPlateau(o, mode=mode, factor=0.5, patience=2)
    // for x in scores: o.step(); s.step(x); r.append(o.param_groups[0]['lr'])
    #[test]
    fn rates_are_those_of_pytorch() {
        let rising = [
            0.50, 0.55, 0.58, 0.60, 0.57, 0.61, 0.62, 0.40, 0.63, 0.64, 0.65,
        ];
        assert_eq!(rates(Schedule::Authors, &rising), MIN);
        let flat = [
            0.50, 0.55, 0.54, 0.53, 0.52, 0.51, 0.56, 0.55, 0.55, 0.55, 0.55,
        ];
        assert_eq!(rates(Schedule::Plateau, &flat), MAX);
        assert_eq!(rates(Schedule::Constant, &flat), [1.0; 11]);
    }
    const MIN: [f64; 11] = [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25, 0.125];
    const MAX: [f64; 11] = [1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25];

    #[test]
    fn in_effect_the_authors_halve_it_every_third_epoch() {
        let rising: Vec<f64> = (0..12).map(|i| 0.5 + 0.01 * f64::from(i)).collect();
        let rates = rates(Schedule::Authors, &rising);
        // The rate of epoch n (from 1) is that after n - 1 scores: it falls behind epochs 4, 7 and
        // 10.
        assert_eq!(
            (rates[2], rates[3], rates[5], rates[6], rates[9]),
            (1.0, 0.5, 0.5, 0.25, 0.125)
        );
    }

    #[test]
    fn a_training_ends_without_a_better_score() {
        let protocol = Protocol {
            stop_after: 2,
            epochs: 6,
            ..Protocol::ldarnet()
        };
        let at = |scores: &[f64]| standing(&protocol, scores);
        assert_eq!((at(&[]).best, at(&[]).ended), (None, false));
        assert_eq!(
            (at(&[0.1, 0.3, 0.3]).best, at(&[0.1, 0.3, 0.3]).ended),
            (Some(1), false)
        );
        assert!(at(&[0.1, 0.3, 0.3, 0.2]).ended);
        assert!(at(&[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]).ended);
        assert_eq!(at(&[f64::NAN, f64::NAN]).best, Some(0));
        assert_eq!(at(&[f64::NAN, -0.5]).best, Some(1));
    }
}
