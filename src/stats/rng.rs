//! A small seeded generator: xoshiro256++ (Blackman & Vigna 2019), its state filled by splitmix64.
//! The same seed gives the same numbers on every machine, and [`Rng::derive`] gives every piece of
//! work its own stream, so that the number of threads and the order of the work change nothing.

/// A seeded random generator.
#[derive(Clone, Debug)]
pub struct Rng {
    seed: u64,
    state: [u64; 4],
}

/// One step of splitmix64: a bijection that mixes well.
fn splitmix64(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Rng {
    /// The generator of a seed.
    pub fn new(seed: u64) -> Rng {
        let mut state = seed;
        Rng {
            seed,
            state: std::array::from_fn(|_| splitmix64(&mut state)),
        }
    }

    /// Another generator that depends on this one's seed and on `label`, and not on how much was
    /// drawn from this one.
    pub fn derive(&self, label: &str) -> Rng {
        // FNV-1a of the label, then mixed with the seed.
        let hash = label.bytes().fold(0xcbf2_9ce4_8422_2325u64, |h, b| {
            (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
        });
        self.derive_number(hash)
    }

    /// [`Rng::derive`] with a number for a label: the stream of replicate `i`.
    pub fn derive_number(&self, number: u64) -> Rng {
        let mut state = self.seed ^ 0x5851_f42d_4c95_7f2d;
        let mixed = splitmix64(&mut state) ^ number;
        Rng::new(splitmix64(&mut { mixed }))
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        let s = &mut self.state;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// A number in `0..n`, each equally likely (Lemire 2019: multiply, and reject the few that
    /// would be favoured); 0 for `n = 0`.
    pub fn below(&mut self, n: usize) -> usize {
        let n = n as u64;
        if n == 0 {
            return 0;
        }
        loop {
            let product = u128::from(self.next_u64()) * u128::from(n);
            let low = product as u64;
            // The remainder is below `n`, and seldom needed.
            if low >= n || low >= n.wrapping_neg() % n {
                return (product >> 64) as usize;
            }
        }
    }

    /// A number in `[0, 1)`, a multiple of 2^-53.
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * 2f64.powi(-53)
    }

    /// Puts a slice in random order, each order equally likely (Fisher & Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let j = self.below(i + 1);
            items.swap(i, j);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Written out in Python from the reference C of prng.di.unimi.it (splitmix64.c,
    // xoshiro256plusplus.c):
    //   M=(1<<64)-1
    //   def sm(s): s=(s+0x9e3779b97f4a7c15)&M; z=s; z=((z^z>>30)*0xbf58476d1ce4e5b9)&M;
    //   z=((z^z>>27)*0x94d049bb133111eb)&M; return s,z^z>>31 rotl=lambda x,k:((x<<k)|(x>>64-k))&M
    //   def nxt(s): r=(rotl((s[0]+s[3])&M,23)+s[0])&M; t=(s[1]<<17)&M; s[2]^=s[0]; s[3]^=s[1];
    //   s[1]^=s[2]; s[0]^=s[3]; s[2]^=t; s[3]=rotl(s[3],45); return r
    #[test]
    fn draws_of_the_reference() {
        let mut rng = Rng::new(1);
        let drawn: Vec<u64> = (0..4).map(|_| rng.next_u64()).collect();
        assert_eq!(drawn, ORACLE);
    }
    const ORACLE: [u64; 4] = [
        0xcfc5d07f6f03c29b,
        0xbf424132963fe08d,
        0x19a37d5757aaf520,
        0xbf08119f05cd56d6,
    ];

    #[test]
    fn below_is_even() {
        let (mut rng, mut counts) = (Rng::new(7), [0f64; 7]);
        for _ in 0..70_000 {
            counts[rng.below(7)] += 1.0;
        }
        let chi_square: f64 = counts
            .iter()
            .map(|c| (c - 10_000.0).powi(2) / 10_000.0)
            .sum();
        assert!(chi_square < 22.5, "{chi_square}"); // 99.9% point of chi-square with 6 degrees of freedom
        assert_eq!(rng.below(0), 0);
        assert_eq!(rng.below(1), 0);
    }

    #[test]
    fn streams_differ_and_repeat() {
        let mut drawn = Rng::new(3);
        drawn.next_u64();
        assert_eq!(
            Rng::new(3).derive("a").next_u64(),
            drawn.derive("a").next_u64()
        );
        assert_ne!(
            Rng::new(3).derive("a").next_u64(),
            Rng::new(3).derive("b").next_u64()
        );
        assert_ne!(
            Rng::new(3).derive_number(1).next_u64(),
            Rng::new(4).derive_number(1).next_u64()
        );
        let mut order: Vec<u8> = (0..50).collect();
        Rng::new(1).shuffle(&mut order);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert!(order != sorted && sorted == (0..50).collect::<Vec<u8>>());
    }
}
