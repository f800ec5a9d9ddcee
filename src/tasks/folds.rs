//! Shuffled k-fold, and other ways to set validation rows aside: as scikit-learn does it, so that
//! the same seed gives the same rows.

/// One training: which rows it learns from and which it chooses by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Number of the fold, from 0; 0 where validation rows are given.
    pub fold: usize,
    /// Seed of everything random in the training.
    pub seed: u64,
    /// Rows of [`super::Task::data`], in file order.
    pub train: Vec<usize>,
    /// The others, in file order.
    pub valid: Vec<usize>,
}

/// `k` ways to set aside about an `n / k`-th of the rows `0..n`, each row once: (the others, those
/// set aside), in order. They are those of scikit-learn's `KFold(k, shuffle=True,
/// random_state=seed)`; of a seed the low 32 bits count.
pub fn folds(n: usize, k: usize, seed: u64) -> Vec<(Vec<usize>, Vec<usize>)> {
    let order = shuffled(n, seed);
    let mut start = 0;
    let fold = |i: usize| {
        let size = n / k + usize::from(i < n % k);
        let mut set_aside = order[start..start + size].to_vec();
        start += size;
        set_aside.sort_unstable();
        (without(n, &set_aside), set_aside)
    };
    (0..k).map(fold).collect()
}

/// A random `share` of the rows `0..n`, at least one of each side where `n > 1`: (the others, those
/// set aside), in order.
pub fn holdout(n: usize, share: f64, seed: u64) -> (Vec<usize>, Vec<usize>) {
    let size = ((n as f64 * share).round() as usize)
        .clamp(1.min(n.saturating_sub(1)), n.saturating_sub(1));
    let mut set_aside = shuffled(n, seed)[..size].to_vec();
    set_aside.sort_unstable();
    (without(n, &set_aside), set_aside)
}

fn without(n: usize, sorted: &[usize]) -> Vec<usize> {
    let mut left_out = sorted.iter().copied().peekable();
    (0..n)
        .filter(|row| left_out.next_if_eq(row).is_none())
        .collect()
}

/// `numpy.random.RandomState(seed).shuffle(arange(n))`.
fn shuffled(n: usize, seed: u64) -> Vec<usize> {
    let (mut order, mut generator): (Vec<usize>, _) =
        ((0..n).collect(), MersenneTwister::new(seed as u32));
    for i in (1..n).rev() {
        order.swap(i, generator.at_most(i as u32) as usize);
    }
    order
}

/// MT19937 (Matsumoto & Nishimura 1998), numpy's generator of `RandomState`.
struct MersenneTwister {
    state: [u32; 624],
    next: usize,
}

impl MersenneTwister {
    fn new(seed: u32) -> MersenneTwister {
        let mut state = [seed; 624];
        for i in 1..state.len() {
            let before = state[i - 1];
            state[i] = 1_812_433_253u32
                .wrapping_mul(before ^ (before >> 30))
                .wrapping_add(i as u32);
        }
        MersenneTwister { state, next: 624 }
    }

    fn next_u32(&mut self) -> u32 {
        if self.next == self.state.len() {
            for i in 0..624 {
                let joined =
                    (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % 624] & 0x7fff_ffff);
                let twist = if joined & 1 == 1 { 0x9908_b0df } else { 0 };
                self.state[i] = self.state[(i + 397) % 624] ^ (joined >> 1) ^ twist;
            }
            self.next = 0;
        }
        let mut y = self.state[self.next];
        self.next += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    /// A number in `0..=most`, by numpy's rejection of masked draws.
    fn at_most(&mut self, most: u32) -> u32 {
        let mask = u32::MAX.checked_shr(most.leading_zeros()).unwrap_or(0);
        loop {
            let drawn = self.next_u32() & mask;
            if drawn <= most {
                return drawn;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // from sklearn.model_selection import KFold
    // [v.tolist() for _, v in KFold(3, shuffle=True, random_state=42).split(range(11))]
    // [int(v.sum()) for _, v in KFold(10, shuffle=True, random_state=42).split(range(13468))]
    #[test]
    fn folds_are_those_of_scikit_learn() {
        let aside = |n, k, seed| {
            folds(n, k, seed)
                .into_iter()
                .map(|(_, aside)| aside)
                .collect::<Vec<_>>()
        };
        assert_eq!(aside(11, 3, 42), ORACLE);
        assert_eq!(
            aside(13468, 10, 42)
                .iter()
                .map(|rows| rows.iter().sum::<usize>())
                .collect::<Vec<_>>(),
            ORACLE_SUMS
        );
    }
    const ORACLE: [&[usize]; 3] = [&[0, 5, 9, 10], &[1, 2, 4, 8], &[3, 6, 7]];
    const ORACLE_SUMS: [usize; 10] = [
        9_180_936, 8_984_789, 8_990_608, 9_049_234, 8_933_021, 9_091_632, 8_800_361, 9_292_105,
        9_241_003, 9_123_089,
    ];

    #[test]
    fn every_row_is_set_aside_once() {
        for (n, k) in [(10, 2), (11, 3), (7, 7), (1000, 10)] {
            let folds = folds(n, k, 1);
            let mut all: Vec<usize> = folds.iter().flat_map(|(_, aside)| aside.clone()).collect();
            all.sort_unstable();
            assert_eq!(all, (0..n).collect::<Vec<_>>());
            assert!(
                folds
                    .iter()
                    .all(|(train, aside)| train.len() + aside.len() == n
                        && train.iter().all(|row| !aside.contains(row)))
            );
        }
        let (train, aside) = holdout(200, 0.1, 3);
        assert!(
            train.len() == 180 && aside.len() == 20 && aside.iter().all(|row| !train.contains(row))
        );
        assert_eq!(
            (
                holdout(2, 0.01, 1).1.len(),
                holdout(1, 0.5, 1).1.len(),
                holdout(0, 0.5, 1).0.len()
            ),
            (1, 0, 0)
        );
    }
}
