//! The vector tools every CPU kernel stands on: run-time choice of the instruction set (AVX-512,
//! AVX2, NEON, plain), a small cache-resident matrix product, a blocked transpose, and an `exp`
//! that vectorises.
//!
//! A kernel implements [`pulp::WithSimd`] and is started with `pulp::Arch::new().dispatch(kernel)`;
//! everything it calls is `#[inline(always)]`, so its plain loops are compiled for the instruction
//! set that was found.

use pulp::Simd;
use std::ops::Range;

/// Declares a function (`fn name<'a, simd>(..)`, `simd` being the token of the instruction set)
/// whose body is compiled for every instruction set and run with the widest that the machine has.
/// (A closure would do in principle, but nothing makes the compiler inline one into code for wider
/// vectors.)
macro_rules! vectorized {
    ($(#[$attribute:meta])* $visibility:vis fn $name:ident<$life:lifetime, $simd:ident>($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block) => {
        $(#[$attribute])*
        #[allow(clippy::too_many_arguments)]
        $visibility fn $name<$life>($($argument: $type),*) $(-> $result)? {
            struct Job<$life> {
                $($argument: $type,)*
                life: std::marker::PhantomData<&$life ()>,
            }
            impl<$life> pulp::WithSimd for Job<$life> {
                type Output = vectorized!(@result $($result)?);
                #[inline(always)]
                fn with_simd<S: pulp::Simd>(self, $simd: S) -> Self::Output {
                    let Job { $($argument,)* life: _ } = self;
                    $body
                }
            }
            pulp::Arch::new().dispatch(Job { $($argument,)* life: std::marker::PhantomData })
        }
    };
    (@result $result:ty) => { $result };
    (@result) => { () };
}
pub(crate) use vectorized;

/// Widths of local buffers are rounded up to this many floats, so that no kernel meets a partial
/// vector.
pub const LANES: usize = 16;

/// `n` rounded up to a multiple of [`LANES`].
pub fn padded(n: usize) -> usize {
    n.next_multiple_of(LANES)
}

/// Adding 1.5 * 2^23 rounds a small number to an integer held in the low bits.
const ROUND: f32 = 12_582_912.0;
/// -ln 2 in two parts, the first with few digits.
const LN2: [f32; 2] = [-0.693_359_4, 2.121_944_4e-4];
/// Coefficients of `(e^r - 1 - r) / r^2`, highest power first.
const EXP: [f32; 6] = [
    1.987_569_1e-4,
    1.398_2e-3,
    8.333_452e-3,
    4.166_579_6e-2,
    0.166_666_65,
    0.5,
];

/// `e^x` within 2 ulp for x in [-87, 88], clamped outside: 2^n times a degree-6 polynomial on
/// [-ln2/2, ln2/2].
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let x = x.clamp(-87.0, 88.0);
    let t = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = t - ROUND;
    let r = n.mul_add(LN2[1], n.mul_add(LN2[0], x));
    let mut p = EXP[0];
    for c in &EXP[1..] {
        p = p.mul_add(r, *c);
    }
    let p = (p * r).mul_add(r, r) + 1.0;
    p * f32::from_bits((t.to_bits() << 23).wrapping_add(127 << 23))
}

/// The vector at `data[at..]`.
///
/// # Safety
/// A whole vector lies there.
#[inline(always)]
pub unsafe fn load<S: Simd>(data: &[f32], at: usize) -> S::f32s {
    const {
        assert!(
            align_of::<S::f32s>() <= align_of::<f32>(),
            "vectors are loaded from any place in a slice of f32"
        )
    };
    debug_assert!(at + S::F32_LANES <= data.len());
    unsafe { *data.as_ptr().add(at).cast::<S::f32s>() }
}

/// Puts a vector at `data[at..]`.
///
/// # Safety
/// It has room there.
#[inline(always)]
pub unsafe fn store<S: Simd>(data: &mut [f32], at: usize, value: S::f32s) {
    const {
        assert!(
            align_of::<S::f32s>() <= align_of::<f32>(),
            "vectors are stored at any place in a slice of f32"
        )
    };
    debug_assert!(at + S::F32_LANES <= data.len());
    unsafe { *data.as_mut_ptr().add(at).cast::<S::f32s>() = value };
}

/// Asks for the cache line at an address, which need not be one of this program's.
#[inline(always)]
pub fn prefetch(address: *const f32) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 processor has it, and it never faults.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(address.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// A slice of whole vectors.
#[inline(always)]
pub fn vectors<S: Simd>(data: &[f32]) -> &[S::f32s] {
    let (vectors, rest) = S::as_simd_f32s(data);
    debug_assert!(rest.is_empty());
    vectors
}

/// The same to be changed.
#[inline(always)]
pub fn vectors_mut<S: Simd>(data: &mut [f32]) -> &mut [S::f32s] {
    let (vectors, rest) = S::as_mut_simd_f32s(data);
    debug_assert!(rest.is_empty());
    vectors
}

/// [`exp`] of a vector. What is no number stays none where vectors are the processor's own.
#[inline(always)]
pub fn exp_vector<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let constant = |c: f32| simd.splat_f32s(c);
    // Of two operands x86 gives the second where one is no number.
    let x = simd.min_f32s(constant(88.0), simd.max_f32s(constant(-87.0), x));
    let t = simd.mul_add_f32s(x, constant(std::f32::consts::LOG2_E), constant(ROUND));
    let n = simd.sub_f32s(t, constant(ROUND));
    let r = simd.mul_add_f32s(n, constant(LN2[0]), x);
    let r = simd.mul_add_f32s(n, constant(LN2[1]), r);
    let mut p = constant(EXP[0]);
    for c in &EXP[1..] {
        p = simd.mul_add_f32s(p, r, constant(*c));
    }
    let p = simd.add_f32s(simd.mul_add_f32s(simd.mul_f32s(p, r), r, r), constant(1.0));
    let power = simd.wrapping_dyn_shl_u32s(simd.transmute_u32s_f32s(t), simd.splat_u32s(23));
    simd.mul_f32s(
        p,
        simd.transmute_f32s_u32s(simd.add_u32s(power, simd.splat_u32s(127 << 23))),
    )
}

/// The logistic function of a vector, within 5 ulp between -20 and 20.
#[inline(always)]
pub fn sigmoid_vector<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    #[cfg(target_arch = "x86_64")]
    if S::F32_LANES == 16 {
        // SAFETY: vectors of 16 floats are AVX-512's.
        return unsafe {
            let x = std::mem::transmute_copy(&x);
            std::mem::transmute_copy(&sigmoid_avx512(x))
        };
    }
    let one = simd.splat_f32s(1.0);
    simd.div_f32s(one, simd.add_f32s(one, exp_vector(simd, simd.neg_f32s(x))))
}

/// Coefficients of `(2^f - 1) / f` for f in [-1/2, 1/2], highest power first: minimax, relative
/// error 1e-7.
#[cfg(target_arch = "x86_64")]
#[allow(clippy::approx_constant)] // the last is not ln 2
const EXP2: [f32; 5] = [
    1.326_472_7e-3,
    9.671_513e-3,
    5.550_733_6e-2,
    0.240_222_42,
    0.693_147,
];

/// The same with what AVX-512 has for it: scaling by powers of two, and a first guess of the
/// reciprocal, with one step of Newton's.
///
/// # Safety
/// The processor has AVX-512F.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn sigmoid_avx512(x: std::arch::x86_64::__m512) -> std::arch::x86_64::__m512 {
    use std::arch::x86_64::*;
    let constant = |c: f32| _mm512_set1_ps(c);
    // The order is that of `exp_vector`.
    let x = _mm512_min_ps(constant(87.0), _mm512_max_ps(constant(-87.0), x));
    let (one, to_base_2) = (constant(1.0), constant(-std::f32::consts::LOG2_E));
    let n = _mm512_roundscale_ps::<_MM_FROUND_TO_NEAREST_INT>(_mm512_mul_ps(x, to_base_2));
    let f = _mm512_fmsub_ps(x, to_base_2, n);
    let mut p = constant(EXP2[0]);
    for c in &EXP2[1..] {
        p = _mm512_fmadd_ps(p, f, constant(*c));
    }
    let e = _mm512_scalef_ps(_mm512_fmadd_ps(p, f, one), n);
    let sum = _mm512_add_ps(one, e);
    let guess = _mm512_rcp14_ps(sum);
    _mm512_fmadd_ps(_mm512_fnmadd_ps(sum, guess, one), guess, guess)
}

/// `x * sigmoid(x)` and its derivative.
#[inline(always)]
pub fn silu_with_slope<S: Simd>(simd: S, x: S::f32s) -> (S::f32s, S::f32s) {
    let one = simd.splat_f32s(1.0);
    let s = sigmoid_vector(simd, x);
    let value = simd.mul_f32s(x, s);
    (value, simd.mul_add_f32s(value, simd.sub_f32s(one, s), s))
}

/// The logistic function.
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// `ln(1 + e^x)` and its derivative `sigmoid(x)`; `ln(1 + z) = 2 atanh(z / (2 + z))` by its series,
/// exact to f32 for z in (0, 1].
#[inline(always)]
pub fn softplus(x: f32) -> (f32, f32) {
    let z = exp(-x.abs());
    let s = z / (2.0 + z);
    let q = s * s;
    let mut p = 1.0 / 15.0_f32;
    for c in [
        1.0 / 13.0,
        1.0 / 11.0,
        1.0 / 9.0,
        1.0 / 7.0,
        1.0 / 5.0,
        1.0 / 3.0,
        1.0,
    ] {
        p = p.mul_add(q, c);
    }
    let slope = if x >= 0.0 {
        1.0 / (1.0 + z)
    } else {
        z / (1.0 + z)
    };
    (x.max(0.0) + 2.0 * s * p, slope)
}

/// `x * sigmoid(x)`.
#[inline(always)]
pub fn silu(x: f32) -> f32 {
    x * sigmoid(x)
}

/// A left operand: element (i, k) is `data[i * row + k * column]`, so a transpose is a swap of the
/// two strides.
#[derive(Clone, Copy)]
pub struct Left<'a> {
    /// The elements.
    pub data: &'a [f32],
    /// Distance between rows.
    pub row: usize,
    /// Distance between columns.
    pub column: usize,
}

impl<'a> Left<'a> {
    /// A row-major matrix with `columns` columns.
    #[inline(always)]
    pub fn rows(data: &'a [f32], columns: usize) -> Self {
        Left {
            data,
            row: columns,
            column: 1,
        }
    }

    /// The transpose of a row-major matrix with `columns` columns.
    #[inline(always)]
    pub fn transposed(data: &'a [f32], columns: usize) -> Self {
        Left {
            data,
            row: 1,
            column: columns,
        }
    }
}

/// What a product is added to.
#[derive(Clone, Copy)]
pub enum Onto<'a> {
    /// Nothing: the result need not hold values.
    Zero,
    /// What the result holds.
    Held,
    /// The same, every row times its factor.
    Rows(&'a [f32]),
    /// The same times one factor.
    Times(f32),
    /// Another matrix, laid out as the result, times one factor.
    Other(&'a [f32], f32),
}

/// `c[i][j] = sum over k of a[i][k] * b[k][j]`, onto what is asked for, for i in `rows`, k in
/// `inner`, j < `n`.
///
/// `b` and `c` are row-major with rows `ld` apart; `n <= ld`, a multiple of [`LANES`]. Indices are
/// those of the whole matrices, so that blocks of a triangular product are written with the ranges
/// they need. Meant for operands that sit in the cache.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
pub fn matmul<S: Simd>(
    simd: S,
    rows: Range<usize>,
    inner: Range<usize>,
    n: usize,
    ld: usize,
    a: Left<'_>,
    b: &[f32],
    c: &mut [f32],
    onto: Onto<'_>,
) {
    // A function of its own for each instruction set: unrolled into every caller, its tiles would
    // be most of the program.
    simd.vectorize(MatMul {
        rows,
        inner,
        n,
        ld,
        a,
        b,
        c,
        onto,
    });
}

struct MatMul<'a> {
    rows: Range<usize>,
    inner: Range<usize>,
    n: usize,
    ld: usize,
    a: Left<'a>,
    b: &'a [f32],
    c: &'a mut [f32],
    onto: Onto<'a>,
}

impl pulp::WithSimd for MatMul<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let MatMul {
            rows,
            inner,
            n,
            ld,
            a,
            b,
            c,
            onto,
        } = self;
        if rows.is_empty() || n == 0 {
            return;
        }
        assert!(
            n.is_multiple_of(LANES)
                && n <= ld
                && b.len() >= inner.end * ld
                && c.len() >= rows.end * ld
        );
        assert!(
            inner.is_empty() || a.data.len() > (rows.end - 1) * a.row + (inner.end - 1) * a.column
        );
        match onto {
            Onto::Rows(factors) => assert!(factors.len() >= rows.end),
            Onto::Other(other, _) => assert!(other.len() >= rows.end * ld),
            _ => (),
        }
        let mut i = rows.start;
        while i < rows.end {
            let mut j = 0;
            // SAFETY: the asserts above bound every index that the tiles read or write.
            unsafe {
                if rows.end - i >= 4 {
                    while j < n {
                        let left = (n - j) / S::F32_LANES;
                        if S::F32_LANES == 16 && left >= 4 {
                            tile::<S, 4, 4>(simd, i, j, &inner, ld, a, b, c, onto);
                            j += 4 * S::F32_LANES;
                        } else if left >= 2 {
                            tile::<S, 4, 2>(simd, i, j, &inner, ld, a, b, c, onto);
                            j += 2 * S::F32_LANES;
                        } else {
                            tile::<S, 4, 1>(simd, i, j, &inner, ld, a, b, c, onto);
                            j += S::F32_LANES;
                        }
                    }
                    i += 4;
                } else {
                    while j < n {
                        tile::<S, 1, 1>(simd, i, j, &inner, ld, a, b, c, onto);
                        j += S::F32_LANES;
                    }
                    i += 1;
                }
            }
        }
    }
}

/// One register tile of [`matmul`]: M rows by V vectors held in registers over the whole inner
/// range.
///
/// # Safety
/// Rows i..i+M and columns j..j+V*lanes lie inside `a`, `b` and `c` for every k in `inner`.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn tile<S: Simd, const M: usize, const V: usize>(
    simd: S,
    i: usize,
    j: usize,
    inner: &Range<usize>,
    ld: usize,
    a: Left<'_>,
    b: &[f32],
    c: &mut [f32],
    onto: Onto<'_>,
) {
    const {
        assert!(
            align_of::<S::f32s>() <= align_of::<f32>(),
            "vectors are loaded from any place in a slice of f32"
        )
    };
    unsafe {
        let c = c.as_mut_ptr().add(i * ld + j);
        let mut acc = [[simd.splat_f32s(0.0); V]; M];
        let held = match onto {
            Onto::Other(other, _) => other.as_ptr().add(i * ld + j),
            _ => c,
        };
        if !matches!(onto, Onto::Zero) {
            for (r, row) in acc.iter_mut().enumerate() {
                for (v, x) in row.iter_mut().enumerate() {
                    *x = *held.add(r * ld + v * S::F32_LANES).cast::<S::f32s>();
                }
            }
        }
        match onto {
            Onto::Zero | Onto::Held => (),
            Onto::Rows(factors) => {
                for (r, row) in acc.iter_mut().enumerate() {
                    let factor = simd.splat_f32s(*factors.get_unchecked(i + r));
                    row.iter_mut().for_each(|x| *x = simd.mul_f32s(*x, factor));
                }
            }
            Onto::Times(factor) | Onto::Other(_, factor) => {
                let factor = simd.splat_f32s(factor);
                for row in &mut acc {
                    row.iter_mut().for_each(|x| *x = simd.mul_f32s(*x, factor));
                }
            }
        }
        let mut a_k = a
            .data
            .as_ptr()
            .wrapping_add(i * a.row + inner.start * a.column);
        let mut b_k = b.as_ptr().wrapping_add(inner.start * ld + j);
        for _ in inner.start..inner.end {
            let mut right = [simd.splat_f32s(0.0); V];
            for (v, x) in right.iter_mut().enumerate() {
                *x = *b_k.add(v * S::F32_LANES).cast::<S::f32s>();
            }
            for (r, row) in acc.iter_mut().enumerate() {
                let left = simd.splat_f32s(*a_k.add(r * a.row));
                for (x, &y) in row.iter_mut().zip(&right) {
                    *x = simd.mul_add_f32s(left, y, *x);
                }
            }
            a_k = a_k.wrapping_add(a.column);
            b_k = b_k.wrapping_add(ld);
        }
        for (r, row) in acc.iter().enumerate() {
            for (v, x) in row.iter().enumerate() {
                *c.add(r * ld + v * S::F32_LANES).cast::<S::f32s>() = *x;
            }
        }
    }
}

/// `to` (columns x rows) = transpose of `from` (rows x columns), both row-major, both sizes
/// multiples of [`LANES`].
#[inline(always)]
pub fn transpose<S: Simd>(_: S, from: &[f32], rows: usize, columns: usize, to: &mut [f32]) {
    assert!(rows.is_multiple_of(LANES) && columns.is_multiple_of(LANES));
    assert!(from.len() >= rows * columns && to.len() >= rows * columns);
    #[cfg(target_arch = "x86_64")]
    if S::F32_LANES == 16 {
        // SAFETY: vectors of 16 floats are AVX-512's, and the asserts bound every block.
        return unsafe { transpose_avx512(from, rows, columns, to) };
    }
    for i in (0..rows).step_by(LANES) {
        for j in (0..columns).step_by(LANES) {
            for r in 0..LANES {
                for c in 0..LANES {
                    to[(j + c) * rows + i + r] = from[(i + r) * columns + j + c];
                }
            }
        }
    }
}

/// The same in blocks of 16 x 16 in registers: rows are interleaved in pairs, then pairs in pairs,
/// then quarters of vectors change places.
///
/// # Safety
/// The processor has AVX-512F, both sizes are multiples of 16, and both slices hold rows x columns
/// elements.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn transpose_avx512(from: &[f32], rows: usize, columns: usize, to: &mut [f32]) {
    use std::arch::x86_64::*;
    for i in (0..rows).step_by(16) {
        for j in (0..columns).step_by(16) {
            unsafe {
                let x: [__m512; 16] = std::array::from_fn(|r| {
                    _mm512_loadu_ps(from.as_ptr().add((i + r) * columns + j))
                });
                // In each quarter of the vectors: rows 4g..4g+4 of one column.
                let mut quads = [_mm512_setzero_ps(); 16];
                for g in (0..16).step_by(4) {
                    let low = [
                        _mm512_unpacklo_ps(x[g], x[g + 1]),
                        _mm512_unpacklo_ps(x[g + 2], x[g + 3]),
                    ]
                    .map(|v| _mm512_castps_pd(v));
                    let high = [
                        _mm512_unpackhi_ps(x[g], x[g + 1]),
                        _mm512_unpackhi_ps(x[g + 2], x[g + 3]),
                    ]
                    .map(|v| _mm512_castps_pd(v));
                    quads[g] = _mm512_castpd_ps(_mm512_unpacklo_pd(low[0], low[1]));
                    quads[g + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low[0], low[1]));
                    quads[g + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(high[0], high[1]));
                    quads[g + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(high[0], high[1]));
                }
                for c in 0..4 {
                    let [a, b, d, e] = [quads[c], quads[4 + c], quads[8 + c], quads[12 + c]];
                    let (ab_even, ab_odd) = (
                        _mm512_shuffle_f32x4::<0x88>(a, b),
                        _mm512_shuffle_f32x4::<0xdd>(a, b),
                    );
                    let (de_even, de_odd) = (
                        _mm512_shuffle_f32x4::<0x88>(d, e),
                        _mm512_shuffle_f32x4::<0xdd>(d, e),
                    );
                    let columns_of = [
                        _mm512_shuffle_f32x4::<0x88>(ab_even, de_even),
                        _mm512_shuffle_f32x4::<0x88>(ab_odd, de_odd),
                        _mm512_shuffle_f32x4::<0xdd>(ab_even, de_even),
                        _mm512_shuffle_f32x4::<0xdd>(ab_odd, de_odd),
                    ];
                    for (quarter, v) in columns_of.into_iter().enumerate() {
                        _mm512_storeu_ps(to.as_mut_ptr().add((j + 4 * quarter + c) * rows + i), v);
                    }
                }
            }
        }
    }
}

/// Sum of products, in 32 partial sums so that it vectorises, and in an order that does not depend
/// on the machine.
#[inline(always)]
pub fn dot<S: Simd>(simd: S, a: &[f32], b: &[f32]) -> f32 {
    partial_sums::<S, true>(simd, a, b)
}

/// Sum of a slice, as [`dot`].
#[inline(always)]
pub fn sum<S: Simd>(simd: S, a: &[f32]) -> f32 {
    partial_sums::<S, false>(simd, a, a)
}

/// The sum of `a`, or with `PRODUCT` of `a b`, over as many vectors as hold 32 partial sums.
#[inline(always)]
fn partial_sums<S: Simd, const PRODUCT: bool>(simd: S, a: &[f32], b: &[f32]) -> f32 {
    let n = a.len().min(b.len());
    let ((a, a_end), (b, b_end)) = (S::as_simd_f32s(&a[..n]), S::as_simd_f32s(&b[..n]));
    let width = 2 * LANES / S::F32_LANES;
    let mut part = [simd.splat_f32s(0.0); 2 * LANES];
    let whole = a.len() / width * width;
    for (a, b) in a[..whole]
        .chunks_exact(width)
        .zip(b[..whole].chunks_exact(width))
    {
        for v in 0..width {
            part[v] = if PRODUCT {
                simd.mul_add_f32s(a[v], b[v], part[v])
            } else {
                simd.add_f32s(part[v], a[v])
            };
        }
    }
    let mut sums = [0.0_f32; 2 * LANES];
    for (v, &part) in part.iter().enumerate().take(width) {
        // SAFETY: 32 sums in vectors.
        unsafe { store::<S>(&mut sums, v * S::F32_LANES, part) };
    }
    // What is left, one vector after another, and a last one that is filled up with zeros.
    for v in 0..=a.len() - whole {
        let (a, b) = match a.get(whole + v) {
            Some(a) => (*a, b[whole + v]),
            None => (simd.partial_load_f32s(a_end), simd.partial_load_f32s(b_end)),
        };
        // SAFETY: fewer than `width` whole vectors are left.
        unsafe {
            let part = load::<S>(&sums, v * S::F32_LANES);
            store::<S>(
                &mut sums,
                v * S::F32_LANES,
                if PRODUCT {
                    simd.mul_add_f32s(a, b, part)
                } else {
                    simd.add_f32s(part, a)
                },
            );
        }
    }
    let mut half = [0.0_f32; LANES];
    for l in 0..LANES {
        half[l] = sums[l] + sums[l + LANES];
    }
    for width in [8, 4, 2, 1] {
        for l in 0..width {
            half[l] += half[l + width];
        }
    }
    half[0]
}

/// A buffer that parallel tasks write in disjoint places.
#[derive(Clone, Copy)]
pub struct Shared<T>(*mut T, usize);

// SAFETY: `Shared` only hands out slices through the unsafe `slice`, whose caller promises
// disjointness.
unsafe impl<T: Send> Send for Shared<T> {}
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// Wraps a buffer for the time of a parallel loop.
    pub fn new(data: &mut [T]) -> Self {
        Shared(data.as_mut_ptr(), data.len())
    }

    /// Wraps memory that tasks will fill; until then it may only be written.
    pub fn uninit(data: &mut [std::mem::MaybeUninit<T>]) -> Self {
        Shared(data.as_mut_ptr().cast(), data.len())
    }

    /// A pointer to the elements `start..start + len`.
    #[inline(always)]
    pub fn pointer(&self, start: usize, len: usize) -> *mut T {
        assert!(start + len <= self.1);
        self.0.wrapping_add(start)
    }

    /// The same for a part of the buffer, without touching its elements.
    pub fn part(&self, start: usize, len: usize) -> Self {
        assert!(start + len <= self.1);
        Shared(self.0.wrapping_add(start), len)
    }

    /// The elements `start..start + len`.
    ///
    /// # Safety
    /// No two live slices overlap, and the wrapped buffer outlives them.
    #[inline(always)]
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn slice(&self, start: usize, len: usize) -> &mut [T] {
        assert!(start + len <= self.1);
        unsafe { std::slice::from_raw_parts_mut(self.0.add(start), len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Product<'a> {
        sizes: [usize; 3],
        a: Left<'a>,
        b: &'a [f32],
        c: &'a mut [f32],
        onto: Onto<'a>,
    }

    impl pulp::WithSimd for Product<'_> {
        type Output = ();
        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let [m, n, k] = self.sizes;
            matmul(simd, 0..m, 0..k, n, n, self.a, self.b, self.c, self.onto);
        }
    }

    #[test]
    fn products_agree_with_the_definition() {
        for (m, n, k) in [
            (64, 64, 128),
            (5, 16, 3),
            (7, 48, 1),
            (64, 112, 64),
            (4, 32, 0),
        ] {
            for transposed in [false, true] {
                let a: Vec<f32> = (0..m * k)
                    .map(|i| ((i * 7919) % 101) as f32 / 50.0 - 1.0)
                    .collect();
                let b: Vec<f32> = (0..k * n)
                    .map(|i| ((i * 104_729) % 97) as f32 / 50.0 - 1.0)
                    .collect();
                let left = if transposed {
                    Left::transposed(&a, m)
                } else {
                    Left::rows(&a, k)
                };
                let other: Vec<f32> = (0..m * n).map(|i| (i % 13) as f32).collect();
                let factors: Vec<f32> = (0..m).map(|i| i as f32 / 8.0).collect();
                for onto in [
                    Onto::Zero,
                    Onto::Held,
                    Onto::Rows(&factors),
                    Onto::Times(0.25),
                    Onto::Other(&other, 0.5),
                ] {
                    let mut got = vec![2.0; m * n];
                    pulp::Arch::new().dispatch(Product {
                        sizes: [m, n, k],
                        a: left,
                        b: &b,
                        c: &mut got,
                        onto,
                    });
                    for (at, got) in got.into_iter().enumerate() {
                        let (i, j) = (at / n, at % n);
                        let product: f32 = (0..k)
                            .map(|l| a[i * left.row + l * left.column] * b[l * n + j])
                            .sum();
                        let before = match onto {
                            Onto::Zero => 0.0,
                            Onto::Held => 2.0,
                            Onto::Rows(factors) => 2.0 * factors[i],
                            Onto::Times(factor) => 2.0 * factor,
                            Onto::Other(other, factor) => other[at] * factor,
                        };
                        let off = (got - before - product).abs();
                        assert!(off < 1e-4, "{m} x {n} x {k} at {i}, {j}: off by {off}");
                    }
                }
            }
        }
    }

    #[test]
    fn transposes() {
        let from: Vec<f32> = (0..32 * 48).map(|i| i as f32).collect();
        let mut to = vec![0.0; 32 * 48];
        struct Turn<'a>(&'a [f32], &'a mut [f32]);
        impl pulp::WithSimd for Turn<'_> {
            type Output = ();
            #[inline(always)]
            fn with_simd<S: Simd>(self, simd: S) {
                transpose(simd, self.0, 32, 48, self.1);
            }
        }
        pulp::Arch::new().dispatch(Turn(&from, &mut to));
        for i in 0..32 {
            for j in 0..48 {
                assert_eq!(to[j * 32 + i], from[i * 48 + j]);
            }
        }
    }

    #[test]
    fn logistic_functions() {
        struct Sigmoids<'a>(&'a mut [f32]);
        impl pulp::WithSimd for Sigmoids<'_> {
            type Output = ();
            #[inline(always)]
            fn with_simd<S: Simd>(self, simd: S) {
                for x in vectors_mut::<S>(self.0) {
                    *x = sigmoid_vector(simd, *x);
                }
            }
        }
        let from: Vec<f32> = (-20_000..20_000).map(|i| i as f32 / 1000.0).collect();
        let mut got = from.clone();
        pulp::Arch::new().dispatch(Sigmoids(&mut got));
        for (x, got) in from.iter().zip(got) {
            let want = 1.0 / (1.0 + f64::from(-x).exp());
            let off = (f64::from(got) / want - 1.0).abs();
            assert!(off < 6e-7, "sigmoid({x}) is off by {off}");
        }
        let mut far = [-3e38, -200.0, -88.0, 88.0, 200.0, 3e38, f32::NAN, 0.0].repeat(2);
        pulp::Arch::new().dispatch(Sigmoids(&mut far));
        assert!(far[..3].iter().all(|x| (0.0..1e-37).contains(x)), "{far:?}");
        assert!(far[3..6].iter().all(|x| *x == 1.0), "{far:?}");
        assert!(far[6].is_nan() && far[7] == 0.5, "{far:?}");
    }

    #[test]
    fn exponentials_hold_two_ulp() {
        for i in -86_000..88_000 {
            let x = i as f32 / 1000.0;
            let want = f64::from(x).exp();
            assert!((f64::from(exp(x)) / want - 1.0).abs() < 2.5e-7, "exp({x})");
        }
        assert!(
            exp(-1e30) < 2e-38
                && exp(1e30).is_finite()
                && sigmoid(-200.0) < 1e-37
                && sigmoid(200.0) == 1.0
        );
    }
}
