//! The learning rate over a run: warm-up, plateau, decay.

use serde::{Deserialize, Serialize};

/// Warm-up, stable, decay; fractions of the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Linear warm-up, fraction of the steps.
    pub warmup: f64,
    /// Decay at the end, fraction of the steps.
    pub decay: f64,
    /// Share of the learning rate that is left at the end.
    pub floor: f64,
}

impl Schedule {
    /// Factor on the learning rate for step `step` (from 0) of `steps`. The decay is the inverse
    /// square root that starts at 1 and ends at the floor: `(1 + x (floor^-2 - 1))^-1/2`, x from 0
    /// to 1.
    pub fn factor(&self, step: u64, steps: u64) -> f64 {
        let (at, all) = (step as f64, steps as f64);
        let (warmup, decay) = (self.warmup * all, self.decay * all);
        if at < warmup {
            return (at + 1.0) / warmup.max(1.0);
        }
        if decay > 0.0 && at > all - decay {
            let x = (at - (all - decay)) / decay;
            return (1.0 + x * (self.floor.powi(-2) - 1.0)).powf(-0.5);
        }
        1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warms_up_stays_and_decays() {
        let schedule = Schedule {
            warmup: 0.1,
            decay: 0.2,
            floor: 0.05,
        };
        assert_eq!(schedule.factor(0, 1000), 0.01);
        assert_eq!(schedule.factor(99, 1000), 1.0);
        assert_eq!(schedule.factor(500, 1000), 1.0);
        assert_eq!(schedule.factor(800, 1000), 1.0);
        assert!(schedule.factor(900, 1000) < 0.5);
        assert!((schedule.factor(1000, 1000) - 0.05).abs() < 1e-12);
        assert!((0..1000).all(|s| schedule.factor(s, 1000) > 0.0));
    }
}
