//! Matrix products of any size, over all threads.
//!
//! As in Goto & van de Geijn 2008: the right operand is copied once into panels as wide as the
//! register tile, the left one is read row by row (or, where it is a transpose, copied in small
//! blocks), and tiles of the result stay in registers over a block of the inner dimension. An
//! element is always summed in the order of the inner index, so results depend neither on the
//! number of threads nor on the other rows.

use super::simd::{Shared, prefetch};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Rows of a register tile.
const ROWS: usize = 6;
/// Inner indices between two visits of the result: a panel of the right operand then stays in the
/// caches next to the core.
const INNER: usize = 256;
/// Most rows of the result that one task takes.
const TASK_ROWS: usize = 32 * ROWS;
/// Columns between the one that is copied and the one that is asked for.
const AHEAD: usize = 12;

/// A matrix in memory: element (i, j) is `data[i * row + j * column]`.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    data: &'a [f32],
    row: usize,
    column: usize,
}

impl<'a> Matrix<'a> {
    /// A row-major matrix with `columns` columns.
    pub fn rows(data: &'a [f32], columns: usize) -> Self {
        Matrix {
            data,
            row: columns,
            column: 1,
        }
    }

    /// Its transpose.
    pub fn transpose(self) -> Self {
        Matrix {
            row: self.column,
            column: self.row,
            ..self
        }
    }
}

/// `a · b`, row-major (m, n); `a` is (m, k), `b` (k, n).
pub fn product(m: usize, n: usize, k: usize, a: Matrix<'_>, b: Matrix<'_>) -> Vec<f32> {
    assert!(a.data.len() == m * k && b.data.len() == k * n);
    if k == 0 {
        return vec![0.0; m * n];
    }
    let mut c: Vec<f32> = Vec::with_capacity(m * n);
    Arch::new().dispatch(Product {
        m,
        n,
        k,
        a,
        b,
        c: Shared::uninit(c.spare_capacity_mut()),
    });
    // SAFETY: every task has written all columns of its rows.
    unsafe { c.set_len(m * n) };
    c
}

struct Product<'a> {
    m: usize,
    n: usize,
    k: usize,
    a: Matrix<'a>,
    b: Matrix<'a>,
    c: Shared<f32>,
}

impl WithSimd for Product<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // As many vectors per row of a tile as the registers hold: 6 x 4 of 32, 6 x 2 of 16 (AVX2).
        if S::F32_LANES == 8 {
            self.run::<S, 2>(simd)
        } else {
            self.run::<S, 4>(simd)
        }
    }
}

impl Product<'_> {
    fn run<S: Simd, const V: usize>(&self, simd: S) {
        let width = V * S::F32_LANES;
        let panels = self.n.div_ceil(width);
        let mut packed = vec![0.0_f32; panels * width * self.k];
        let into = Shared::new(&mut packed);
        let pack = |panel: usize| self.pack_panel(panel, width, &into);
        if panels * width * self.k > 1 << 16 {
            (0..panels).into_par_iter().for_each(pack)
        } else {
            (0..panels).for_each(pack)
        }
        let share = self
            .m
            .div_ceil(if self.a.column == 1 { 4 } else { 1 } * rayon::current_num_threads());
        let step = share.next_multiple_of(ROWS).clamp(ROWS, TASK_ROWS);
        (0..self.m.div_ceil(step)).into_par_iter().for_each(|task| {
            let rows = task * step..self.m.min((task + 1) * step);
            simd.vectorize(Block::<V> {
                product: self,
                packed: &packed,
                rows,
            });
        });
    }

    /// Copies `width` columns of `b`, (k, width) row-major; columns past the end are 0.
    fn pack_panel(&self, panel: usize, width: usize, into: &Shared<f32>) {
        let (first, k, b) = (panel * width, self.k, self.b);
        let columns = width.min(self.n - first);
        // SAFETY: panels do not overlap.
        let to = unsafe { into.slice(panel * width * k, width * k) };
        for (l, to) in to.chunks_exact_mut(width).enumerate() {
            let from = &b.data[l * b.row + first * b.column..];
            if b.column == 1 {
                to[..columns].copy_from_slice(&from[..columns]);
            } else {
                to[..columns]
                    .iter_mut()
                    .enumerate()
                    .for_each(|(j, to)| *to = from[j * b.column]);
            }
        }
    }
}

/// Some rows of the result.
struct Block<'a, const V: usize> {
    product: &'a Product<'a>,
    packed: &'a [f32],
    rows: std::ops::Range<usize>,
}

impl<const V: usize> WithSimd for Block<'_, V> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Product { n, k, a, .. } = *self.product;
        let (width, rows) = (V * S::F32_LANES, self.rows.len());
        // A tile of the left operand that is not ROWS whole rows, or whose rows are not contiguous,
        // is copied: (inner, ROWS).
        let copied = |tile: usize| a.column != 1 || (tile + 1) * ROWS > rows;
        let first_copied = (0..rows.div_ceil(ROWS))
            .find(|tile| copied(*tile))
            .unwrap_or(0);
        let mut copy = vec![
            0.0_f32;
            if a.column == 1 && rows.is_multiple_of(ROWS) {
                0
            } else {
                (rows.div_ceil(ROWS) - first_copied) * ROWS * INNER
            }
        ];
        for first in (0..k).step_by(INNER) {
            let inner = INNER.min(k - first);
            for (tile, to) in copy.chunks_exact_mut(ROWS * INNER).enumerate() {
                let row = self.rows.start + (first_copied + tile) * ROWS;
                let here = ROWS.min(self.rows.end - row);
                for (l, to) in to.chunks_exact_mut(ROWS).take(inner).enumerate() {
                    let from = &a.data[(first + l) * a.column + row * a.row..];
                    // Columns of a transpose lie too far apart for the processor to see them coming.
                    prefetch(from.as_ptr().wrapping_add(AHEAD * a.column));
                    if a.row == 1 && here == ROWS {
                        to.copy_from_slice(&from[..ROWS]);
                    } else {
                        (0..here).for_each(|r| to[r] = from[r * a.row]);
                    }
                }
            }
            for panel in 0..n.div_ceil(width) {
                let columns = width.min(n - panel * width);
                let b = &self.packed[(panel * k + first) * width..][..inner * width];
                for tile in 0..rows.div_ceil(ROWS) {
                    let row = self.rows.start + tile * ROWS;
                    let (left, a_row, a_column) = match copied(tile) {
                        true => (
                            &copy[(tile - first_copied) * ROWS * INNER..][..ROWS * inner],
                            1,
                            ROWS,
                        ),
                        false => (&a.data[row * a.row + first..], a.row, 1),
                    };
                    let place = TilePosition {
                        rows: ROWS.min(self.rows.end - row),
                        row,
                        column: panel * width,
                        columns,
                        accumulate: first > 0,
                    };
                    let operands = Operands {
                        left,
                        a_row,
                        a_column,
                        right: b,
                        width,
                        inner,
                    };
                    if columns == width {
                        // SAFETY: the rows belong to this task, and the result has n columns.
                        unsafe { tile_of::<S, V>(simd, &operands, &place, &self.product.c, n) };
                        continue;
                    }
                    // The last columns vector by vector.
                    for v in 0..columns.div_ceil(S::F32_LANES) {
                        let done = v * S::F32_LANES;
                        let place = TilePosition {
                            column: place.column + done,
                            columns: (columns - done).min(S::F32_LANES),
                            ..place
                        };
                        // SAFETY: as above.
                        unsafe {
                            tile_of::<S, 1>(
                                simd,
                                &Operands {
                                    right: &b[done..],
                                    ..operands
                                },
                                &place,
                                &self.product.c,
                                n,
                            )
                        };
                    }
                }
            }
        }
    }
}

/// Where a tile of the result lies.
#[derive(Clone, Copy)]
struct TilePosition {
    row: usize,
    rows: usize,
    column: usize,
    columns: usize,
    accumulate: bool,
}

/// What it is made of.
#[derive(Clone, Copy)]
struct Operands<'a> {
    /// ROWS rows.
    left: &'a [f32],
    a_row: usize,
    a_column: usize,
    /// (inner, width), of which the tile takes the first columns.
    right: &'a [f32],
    width: usize,
    inner: usize,
}

/// One register tile: ROWS rows by V vectors.
///
/// # Safety
/// The place lies in `c`, whose rows have `n` elements, and no other task writes there.
#[inline(always)]
unsafe fn tile_of<S: Simd, const V: usize>(
    simd: S,
    operands: &Operands<'_>,
    place: &TilePosition,
    c: &Shared<f32>,
    n: usize,
) {
    const {
        assert!(
            align_of::<S::f32s>() <= align_of::<f32>(),
            "vectors are loaded from any place in a slice of f32"
        )
    };
    let Operands {
        left,
        a_row,
        a_column,
        right,
        width,
        inner,
    } = *operands;
    let lanes = S::F32_LANES;
    assert!(inner > 0 && left.len() > (ROWS - 1) * a_row + (inner - 1) * a_column);
    assert!(right.len() >= (inner - 1) * width + V * lanes && V * lanes <= 64);
    let mut acc = [[simd.splat_f32s(0.0); V]; ROWS];
    // SAFETY: the asserts bound every index read.
    unsafe {
        let (mut a, mut b) = (left.as_ptr(), right.as_ptr());
        for _ in 0..inner {
            let mut right = [simd.splat_f32s(0.0); V];
            for (v, x) in right.iter_mut().enumerate() {
                *x = *b.add(v * lanes).cast::<S::f32s>();
            }
            for (r, row) in acc.iter_mut().enumerate() {
                let left = simd.splat_f32s(*a.add(r * a_row));
                for (x, &y) in row.iter_mut().zip(&right) {
                    *x = simd.mul_add_f32s(left, y, *x);
                }
            }
            a = a.wrapping_add(a_column);
            b = b.wrapping_add(width);
        }
    }
    // The loops over registers are kept so simple that they unroll: an index at run time would send
    // the tile through memory at every step.
    let at = place.row * n + place.column;
    if place.rows == ROWS && place.columns == V * lanes {
        let to = c.pointer(at, (ROWS - 1) * n + V * lanes);
        // SAFETY: these columns of these rows belong to this tile alone.
        unsafe {
            if place.accumulate {
                for (r, row) in acc.iter_mut().enumerate() {
                    for (v, x) in row.iter_mut().enumerate() {
                        *x = simd.add_f32s(*to.add(r * n + v * lanes).cast::<S::f32s>(), *x);
                    }
                }
            }
            for (r, row) in acc.iter().enumerate() {
                for (v, &x) in row.iter().enumerate() {
                    *to.add(r * n + v * lanes).cast::<S::f32s>() = x;
                }
            }
        }
        return;
    }
    let mut edge = [[0.0_f32; 64]; ROWS];
    for (row, edge) in acc.iter().zip(&mut edge) {
        for (v, &x) in row.iter().enumerate() {
            // SAFETY: a row of a tile has at most 64 elements.
            unsafe { *edge.as_mut_ptr().add(v * lanes).cast::<S::f32s>() = x };
        }
    }
    for (r, edge) in edge.iter().take(place.rows).enumerate() {
        let to = c.pointer(at + r * n, place.columns);
        for (j, x) in edge[..place.columns].iter().enumerate() {
            // SAFETY: as above.
            unsafe { *to.add(j) = if place.accumulate { *to.add(j) + x } else { *x } };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_agree_with_the_definition() {
        for (m, n, k) in [
            (1, 1, 1),
            (6, 64, 7),
            (13, 71, 300),
            (200, 130, 64),
            (5, 16, 513),
            (400, 514, 33),
            (3, 7, 0),
        ] {
            let a: Vec<f32> = (0..m * k)
                .map(|i| ((i * 7919) % 101) as f32 / 50.0 - 1.0)
                .collect();
            let b: Vec<f32> = (0..k * n)
                .map(|i| ((i * 104_729) % 97) as f32 / 50.0 - 1.0)
                .collect();
            for (a_transposed, b_transposed) in
                [(false, false), (false, true), (true, false), (true, true)]
            {
                let a_view = if a_transposed {
                    Matrix::rows(&a, m).transpose()
                } else {
                    Matrix::rows(&a, k)
                };
                let b_view = if b_transposed {
                    Matrix::rows(&b, k).transpose()
                } else {
                    Matrix::rows(&b, n)
                };
                let got = product(m, n, k, a_view, b_view);
                for i in 0..m {
                    for j in 0..n {
                        let term = |l: usize| {
                            f64::from(
                                a[i * a_view.row + l * a_view.column]
                                    * b[l * b_view.row + j * b_view.column],
                            )
                        };
                        let want: f64 = (0..k).map(term).sum();
                        assert!(
                            (f64::from(got[i * n + j]) - want).abs() < 1e-3,
                            "{m} x {n} x {k} at {i}, {j}"
                        );
                    }
                }
            }
        }
    }

    /// Every instruction set gives the same bits: an element is one chain of fused multiply-adds.
    #[test]
    fn instruction_sets_agree() {
        let (m, n, k) = (13, 71, 300);
        let a: Vec<f32> = (0..m * k)
            .map(|i| ((i * 7919) % 101) as f32 / 50.0 - 1.0)
            .collect();
        let b: Vec<f32> = (0..k * n)
            .map(|i| ((i * 104_729) % 97) as f32 / 50.0 - 1.0)
            .collect();
        let want = product(m, n, k, Matrix::rows(&a, k), Matrix::rows(&b, n));
        let mut got = vec![0.0; m * n];
        let job = |c: &mut [f32]| Product {
            m,
            n,
            k,
            a: Matrix::rows(&a, k),
            b: Matrix::rows(&b, n),
            c: Shared::new(c),
        };
        Simd::vectorize(pulp::Scalar::new(), job(&mut got));
        assert_eq!(got, want);
        #[cfg(target_arch = "x86_64")]
        if let Some(avx2) = pulp::x86::V3::try_new() {
            got.fill(0.0);
            Simd::vectorize(avx2, job(&mut got));
            assert_eq!(got, want);
        }
    }

    #[test]
    fn rows_and_threads_change_nothing() {
        let (n, k) = (130, 700);
        let a: Vec<f32> = (0..100 * k)
            .map(|i| ((i * 7919) % 101) as f32 / 50.0 - 1.0)
            .collect();
        let b: Vec<f32> = (0..k * n)
            .map(|i| ((i * 104_729) % 97) as f32 / 50.0 - 1.0)
            .collect();
        let whole = product(100, n, k, Matrix::rows(&a, k), Matrix::rows(&b, n));
        let part = product(37, n, k, Matrix::rows(&a[..37 * k], k), Matrix::rows(&b, n));
        assert_eq!(whole[..37 * n], part);
        let one = rayon::ThreadPoolBuilder::new()
            .num_threads(1)
            .build()
            .unwrap();
        assert_eq!(
            one.install(|| product(100, n, k, Matrix::rows(&a, k), Matrix::rows(&b, n))),
            whole
        );
    }
}
