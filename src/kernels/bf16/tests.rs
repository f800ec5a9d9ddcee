use super::super::precision::Precision;
use super::*;

fn values(n: usize, seed: usize) -> Vec<f32> {
    (0..n)
        .map(|i| (((i * 7919 + seed * 104_729) % 10_007) as f32 / 5003.0 - 1.0) * 1.37)
        .collect()
}

/// What this machine can test: the tile program everywhere on Linux, and the vector instructions
/// where they are.
fn arithmetics(precision: Precision) -> Vec<Arithmetic> {
    let mut all = vec![Arithmetic::emulated(precision)];
    if avx512::available() {
        all.push(Arithmetic {
            precision,
            unit: Unit::Avx512,
        });
    }
    if amx::available() {
        all.push(Arithmetic {
            precision,
            unit: Unit::Amx,
        });
    }
    all
}

#[test]
fn products_hold_the_bound_of_their_format() {
    // Rounding one operand to p bits is off by 2^-p at most, relative to it; sums of k terms in f32
    // by k 2^-24 of the sum of their sizes. One part has 8 bits and both operands are rounded: 2^-8 +
    // 2^-8 / 2. Two parts have 16 or more, and the product of the low parts is left out: 3 *
    // 2^-16.
    for (precision, bound) in [
        (Precision::Bf16, 1.01 * 2.0_f64.powi(-8)),
        (Precision::Bf16x3, 3.0 * 2.0_f64.powi(-16)),
    ] {
        for arithmetic in arithmetics(precision) {
            for (m, n, k) in [
                (1, 1, 1),
                (6, 64, 32),
                (32, 32, 64),
                (7, 65, 33),
                (45, 31, 700),
                (200, 130, 64),
                (33, 96, 513),
                (3, 7, 0),
                (0, 5, 9),
            ] {
                let (x, w) = (values(m * k, 1), values(n * k, 2));
                let got = Weights::pack(&w, n, k, arithmetic).unwrap().product(&x, m);
                assert_eq!(got.len(), m * n);
                for (i, got) in got.iter().enumerate() {
                    let terms =
                        (0..k).map(|l| f64::from(x[i / n * k + l]) * f64::from(w[i % n * k + l]));
                    let (want, size) = terms.fold((0.0, 0.0), |(sum, size), term| {
                        (sum + term, size + term.abs())
                    });
                    let most = (bound + k as f64 * 2.0_f64.powi(-24)) * size;
                    assert!(
                        (f64::from(*got) - want).abs() <= most,
                        "{arithmetic}: {m} x {n} x {k}, element {i}: {got} for {want}"
                    );
                }
            }
        }
    }
}

#[test]
fn rows_and_threads_change_nothing() {
    let (n, k) = (70, 600);
    let (x, w) = (values(100 * k, 3), values(n * k, 4));
    for arithmetic in [Precision::Bf16, Precision::Bf16x3]
        .into_iter()
        .flat_map(arithmetics)
    {
        let weights = Weights::pack(&w, n, k, arithmetic).unwrap();
        let whole = weights.product(&x, 100);
        assert!(
            weights.product(&x[..37 * k], 37) == whole[..37 * n],
            "{arithmetic}: fewer rows"
        );
        let one = rayon::ThreadPoolBuilder::new()
            .num_threads(1)
            .build()
            .unwrap();
        assert!(
            one.install(|| weights.product(&x, 100)) == whole,
            "{arithmetic}: one thread"
        );
    }
}

#[test]
fn vectors_and_tiles_give_the_same_where_sums_are_exact() {
    // Small whole numbers: no rounding anywhere, so both must find the very product.
    let (m, n, k) = (41, 77, 290);
    let whole = |n: usize, seed: usize| {
        (0..n)
            .map(|i| ((i * 31 + seed) % 17) as f32 - 8.0)
            .collect::<Vec<_>>()
    };
    let (x, w) = (whole(m * k, 1), whole(n * k, 5));
    let want: Vec<f32> = (0..m * n)
        .map(|i| (0..k).map(|l| x[i / n * k + l] * w[i % n * k + l]).sum())
        .collect();
    for arithmetic in [Precision::Bf16, Precision::Bf16x3]
        .into_iter()
        .flat_map(arithmetics)
    {
        assert!(
            Weights::pack(&w, n, k, arithmetic).unwrap().product(&x, m) == want,
            "{arithmetic}"
        );
    }
}

#[test]
fn rounding_is_to_nearest_even() {
    for i in 0..2_000_000_u32 {
        let x = f32::from_bits(i.wrapping_mul(2_147_483_629));
        if x.is_nan() {
            assert!(f32::from_bits(u32::from(round(x)) << 16).is_nan());
        } else {
            assert_eq!(round(x), half::bf16::from_f32(x).to_bits(), "{x:e}");
        }
    }
    let x = std::f32::consts::PI;
    let both = [0, 1].map(|which| f64::from(f32::from_bits(u32::from(part(x, which)) << 16)));
    assert!((both[0] + both[1] - f64::from(x)).abs() < f64::from(x) * 2.0_f64.powi(-17));
}
