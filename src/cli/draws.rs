//! `--permutations`, `--bootstraps` and `--seed`: what tests and intervals draw.

use super::counts;
use crate::error::Result;

/// The options, for analyses that test clusters.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Draws {
    /// Random flips or shifts of the permutation tests
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = counts::parse)]
    pub permutations: usize,
    /// Draws of the bootstrap
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = counts::parse)]
    pub bootstraps: usize,
    /// Seed of everything random, untrained models among it
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

impl Draws {
    /// Refuses counts of 0.
    ///
    /// # Errors
    /// No permutation, or no bootstrap.
    pub fn check(self) -> Result<()> {
        counts::check(&[
            ("--permutations", self.permutations),
            ("--bootstraps", self.bootstraps),
        ])
    }
}
