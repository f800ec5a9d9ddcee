//! Which sign flips a test tries.

use crate::stats::rng::Rng;

/// The sign flips of a test: every one where there are no more than asked for, else random ones.
pub(crate) struct Flips {
    count: u64,
    n_clusters: usize,
    rng: Rng,
    /// Whether these are all flips.
    pub exact: bool,
}

/// The signs of one flip.
#[derive(Clone, Debug)]
pub(crate) enum Signs {
    /// A set bit for each cluster that is flipped.
    Mask(u64),
    /// Drawn as they are asked for.
    Random(Rng),
}

impl Signs {
    /// The signs of the next 64 clusters, the first in the lowest bit; 1 flips.
    pub fn next_64(&mut self) -> u64 {
        match self {
            Signs::Mask(mask) => *mask,
            Signs::Random(rng) => rng.next_u64(),
        }
    }
}

impl Flips {
    /// All `2^n_clusters` flips if they are at most `permutations`, else that many random ones.
    pub fn new(n_clusters: usize, permutations: usize, rng: Rng) -> Flips {
        let all = if n_clusters < 63 {
            1u64 << n_clusters
        } else {
            u64::MAX
        };
        let exact = all <= permutations as u64;
        Flips {
            count: if exact { all } else { permutations as u64 },
            n_clusters,
            rng,
            exact,
        }
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Flip number `flip`; of all flips, number 0 is the data as they are.
    pub fn signs(&self, flip: u64) -> Signs {
        if self.exact {
            Signs::Mask(flip)
        } else {
            Signs::Random(self.rng.derive_number(flip))
        }
    }

    /// The p-value where `beyond` flips were at least as extreme as the data.
    pub fn p_value(&self, beyond: usize) -> f64 {
        let counted = u64::from(!self.exact); // among all flips the data are there already
        (beyond as u64 + counted) as f64 / (self.count + counted) as f64
    }

    /// The least p-value of a two-sided test.
    pub fn p_floor(&self) -> f64 {
        let least = 2f64.powi(1 - i32::try_from(self.n_clusters).unwrap_or(i32::MAX));
        if self.exact {
            least.min(1.0)
        } else {
            least.max(1.0 / (self.count as f64 + 1.0)).min(1.0)
        }
    }
}
