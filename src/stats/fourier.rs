//! Circular correlation of two series at every shift, by the fast Fourier transform (Cooley & Tukey
//! 1965): what a direct sum does in `n^2` steps takes `n log n`.

use std::f64::consts::PI;

/// A complex number: real and imaginary part.
type Complex = (f64, f64);

fn times((a, b): Complex, (c, d): Complex) -> Complex {
    (a * c - b * d, a * d + b * c)
}

/// `sum_i a[i] b[(i + s) mod n]` for every shift `s` in `0..n`. The longer slice is cut to the
/// shorter.
pub fn circular_correlation(a: &[f64], b: &[f64]) -> Vec<f64> {
    let n = a.len().min(b.len());
    if n == 0 {
        return Vec::new();
    }
    // Zeros behind both keep the end of one from meeting the start of the other; the circle is
    // closed by hand.
    let size = (2 * n).next_power_of_two();
    let roots = roots(size);
    let mut packed: Vec<Complex> = (0..size)
        .map(|i| if i < n { (a[i], b[i]) } else { (0.0, 0.0) })
        .collect();
    transform(&mut packed, &roots);
    // Both series went as one complex one: its transform parts into theirs by symmetry.
    let mut product: Vec<Complex> = (0..size)
        .map(|k| {
            let (here, there) = (packed[k], packed[(size - k) % size]);
            let of_a = ((here.0 + there.0) / 2.0, (here.1 - there.1) / 2.0);
            let of_b = ((here.1 + there.1) / 2.0, (there.0 - here.0) / 2.0);
            // The inverse is the forward transform of the conjugate, conjugated.
            let (real, imaginary) = times((of_a.0, -of_a.1), of_b);
            (real, -imaginary)
        })
        .collect();
    drop(packed);
    transform(&mut product, &roots);
    let at = |lag: usize| product[lag].0 / size as f64;
    (0..n)
        .map(|shift| match shift {
            0 => at(0),
            shift => at(shift) + at(size + shift - n),
        })
        .collect()
}

/// `exp(-2 pi i k / size)` for `k` in `0..size / 2`.
fn roots(size: usize) -> Vec<Complex> {
    (0..size / 2)
        .map(|k| {
            let (sin, cos) = (-2.0 * PI * k as f64 / size as f64).sin_cos();
            (cos, sin)
        })
        .collect()
}

/// The discrete Fourier transform in place; the length is a power of two, `roots` are its own.
fn transform(values: &mut [Complex], roots: &[Complex]) {
    let size = values.len();
    let bits = size.trailing_zeros();
    for i in 0..size {
        let turned = if bits == 0 {
            0
        } else {
            i.reverse_bits() >> (usize::BITS - bits)
        };
        if i < turned {
            values.swap(i, turned);
        }
    }
    let mut half = 1;
    while half < size {
        let step = size / (2 * half);
        for block in values.chunks_mut(2 * half) {
            let (low, high) = block.split_at_mut(half);
            for (k, (low, high)) in low.iter_mut().zip(high).enumerate() {
                let turned = times(*high, roots[k * step]);
                (*low, *high) = (
                    (low.0 + turned.0, low.1 + turned.1),
                    (low.0 - turned.0, low.1 - turned.1),
                );
            }
        }
        half *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::rng::Rng;

    #[test]
    fn is_the_direct_sum() {
        let mut rng = Rng::new(1);
        for n in [1, 2, 3, 5, 8, 17, 100, 129] {
            let mut series = || (0..n).map(|_| rng.uniform() - 0.3).collect::<Vec<f64>>();
            let (a, b) = (series(), series());
            let found = circular_correlation(&a, &b);
            assert_eq!(found.len(), n);
            for (shift, found) in found.iter().enumerate() {
                let direct: f64 = (0..n).map(|i| a[i] * b[(i + shift) % n]).sum();
                assert!((found - direct).abs() < 1e-11, "{n} {shift}");
            }
        }
        assert!(circular_correlation(&[], &[1.0]).is_empty());
    }
}
