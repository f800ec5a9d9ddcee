//! Tiles of 6 rows by 4 vectors in AVX-512 registers, with the bf16 dot product.

use super::{Line, MatrixUnit, PAIRS};
use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _mm512_dpbf16_ps, _mm512_set1_epi32, _mm512_setzero_ps,
};

const ROWS: usize = 6;
const VECTORS: usize = 4;

/// Whether the processor has the instructions.
pub fn available() -> bool {
    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bf16")
}

/// Proof that the processor has them.
pub struct Avx512(());

impl MatrixUnit for Avx512 {
    const ROWS: usize = ROWS;
    const COLUMNS: usize = VECTORS * PAIRS;

    fn begin() -> Self {
        assert!(available());
        Avx512(())
    }

    unsafe fn tile(&self, a: &[Line], b: &[Line], c: *mut f32, ld: usize, accumulate: bool) {
        let steps = a.len() / ROWS;
        assert!(a.len() == steps * ROWS && b.len() == steps * Self::COLUMNS);
        // SAFETY: the processor has the instructions, and the operands the lines of `steps` steps.
        unsafe { tile(a.as_ptr(), b.as_ptr(), steps, c, ld, accumulate) }
    }
}

/// A vector at any address.
#[derive(Clone, Copy)]
#[repr(C, packed)]
struct Anywhere<T>(T);

/// See [`MatrixUnit::tile`]. Pointers wrap and vectors are read without the checks of debug builds:
/// those keep the loops over registers from unrolling, and the tile would go through memory at
/// every step.
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn tile(
    a: *const Line,
    b: *const Line,
    steps: usize,
    c: *mut f32,
    ld: usize,
    accumulate: bool,
) {
    let as_pairs = |x: __m512i| -> __m512bh {
        // SAFETY: both are 512 bits without meaning of their own.
        unsafe { std::mem::transmute(x) }
    };
    let mut acc = [[_mm512_setzero_ps(); VECTORS]; ROWS];
    // SAFETY: the caller's promise bounds every place.
    unsafe {
        if accumulate {
            let mut from = c;
            for row in &mut acc {
                for (v, x) in row.iter_mut().enumerate() {
                    *x = (*from.wrapping_add(v * PAIRS).cast::<Anywhere<__m512>>()).0;
                }
                from = from.wrapping_add(ld);
            }
        }
        let (mut a, mut b) = (a.cast::<i32>(), b);
        for _ in 0..steps {
            for pair in 0..PAIRS {
                let mut right = [as_pairs(_mm512_set1_epi32(0)); VECTORS];
                for (v, x) in right.iter_mut().enumerate() {
                    *x = (*b.wrapping_add(v).cast::<Anywhere<__m512bh>>()).0;
                }
                for (r, row) in acc.iter_mut().enumerate() {
                    let left = as_pairs(_mm512_set1_epi32(
                        (*a.wrapping_add(r * PAIRS + pair).cast::<Anywhere<i32>>()).0,
                    ));
                    for (x, &right) in row.iter_mut().zip(&right) {
                        *x = _mm512_dpbf16_ps(*x, left, right);
                    }
                }
                b = b.wrapping_add(VECTORS);
            }
            a = a.wrapping_add(ROWS * PAIRS);
        }
        let mut to = c;
        for row in &acc {
            for (v, &x) in row.iter().enumerate() {
                *to.wrapping_add(v * PAIRS).cast::<Anywhere<__m512>>() = Anywhere(x);
            }
            to = to.wrapping_add(ld);
        }
    }
}
