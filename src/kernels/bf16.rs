//! Products of f32 rows with weights held in bf16 (one part, or two: see [`super::precision`]),
//! summed in f32.
//!
//! Both instructions that multiply bf16 read pairs of neighbouring inner indices: a line of 64
//! bytes holds 32 values of one row of the left operand, or 16 pairs of two neighbouring rows of
//! the right one. Weights are packed once, when a model's precision is set; the left operand is
//! rounded block by block by the task that needs it. Odd sizes are filled up with zeros, so that
//! units only meet whole tiles. An element is always summed in the same order, so results depend
//! neither on the number of threads nor on the other rows.

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub(super) mod amx;
#[cfg(target_arch = "x86_64")]
pub(super) mod avx512;
#[cfg(test)]
mod emulated;
#[cfg(test)]
mod tests;

use super::precision::{Arithmetic, Unit};
use super::simd::{Shared, vectorized};
use rayon::prelude::*;
use std::ops::Range;

/// What a tile row or a vector holds.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub(super) struct Line(pub(super) [u16; STEP]);

/// Inner indices of a line of the left operand.
const STEP: usize = 32;
/// Columns of a line of the right operand.
const PAIRS: usize = STEP / 2;
/// Steps between two visits of the result: a panel of the right operand (32 or 64 KiB) then stays
/// in the nearest caches.
const BLOCK: usize = 16;
/// Most rows of the result that one task takes.
const TASK_ROWS: usize = 192;
/// Elements of the largest tile.
const TILE: usize = 32 * 32;

/// What multiplies whole tiles.
pub(super) trait MatrixUnit {
    /// Rows of a tile of the result.
    const ROWS: usize;
    /// Its columns, a multiple of 16.
    const COLUMNS: usize;

    /// Readies this thread; what it takes is undone when the value is dropped.
    fn begin() -> Self;

    /// `c = a · b`, or `c += a · b`: `a` is (steps, ROWS) lines, `b` (steps, 16 pairs of inner
    /// indices, COLUMNS / 16) lines.
    ///
    /// # Safety
    /// `c` points to ROWS rows of COLUMNS elements, `ld` elements apart, that belong to the caller
    /// alone and hold values if they are added to.
    unsafe fn tile(&self, a: &[Line], b: &[Line], c: *mut f32, ld: usize, accumulate: bool);
}

/// The nearest bf16, ties to even.
#[inline(always)]
fn round(x: f32) -> u16 {
    let bits = x.to_bits();
    let nearest = bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16;
    if x.is_nan() {
        (bits >> 16) as u16 | 0x40
    } else {
        nearest as u16
    }
}

/// The bf16 number that stands for `x` (part 0), or for what that leaves (part 1).
#[inline(always)]
fn part(x: f32, part: usize) -> u16 {
    let high = round(x);
    if part == 0 {
        high
    } else {
        round(x - f32::from_bits(u32::from(high) << 16))
    }
}

/// Weights (out, in) of a linear layer, rounded and packed for one unit.
pub struct Weights {
    arithmetic: Arithmetic,
    out: usize,
    inner: usize,
    steps: usize,
    /// (parts, panels as wide as a tile, steps, 16 pairs, width / 16).
    lines: Vec<Line>,
}

impl Weights {
    /// Packs `weight`, row-major (out, inner); `None` where the arithmetic is f32, which needs no
    /// packing.
    pub fn pack(
        weight: &[f32],
        out: usize,
        inner: usize,
        arithmetic: Arithmetic,
    ) -> Option<Weights> {
        assert_eq!(weight.len(), out * inner);
        let width = match arithmetic.unit {
            Unit::Vector => return None,
            #[cfg(target_arch = "x86_64")]
            Unit::Avx512 => avx512::Avx512::COLUMNS,
            #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
            Unit::Amx => amx::Amx::COLUMNS,
            #[cfg(test)]
            Unit::Emulated => emulated::Emulated::COLUMNS,
            #[allow(unreachable_patterns)] // on processors that lack the units above
            _ => return None,
        };
        let (steps, panels) = (inner.div_ceil(STEP), out.div_ceil(width));
        let mut lines =
            vec![Line([0; STEP]); arithmetic.precision.parts() * panels * steps * width];
        lines
            .par_chunks_mut((steps * width).max(1))
            .enumerate()
            .for_each(|(index, panel)| {
                let (which, first) = (index / panels, index % panels * width);
                for (column, row) in weight
                    .chunks_exact(inner)
                    .skip(first)
                    .take(width)
                    .enumerate()
                {
                    for (l, &x) in row.iter().enumerate() {
                        let line =
                            (l / STEP * PAIRS + l % STEP / 2) * (width / PAIRS) + column / PAIRS;
                        panel[line].0[column % PAIRS * 2 + l % 2] = part(x, which);
                    }
                }
            });
        Some(Weights {
            arithmetic,
            out,
            inner,
            steps,
            lines,
        })
    }

    /// (out, in).
    pub fn shape(&self) -> (usize, usize) {
        (self.out, self.inner)
    }

    /// `x · W^T`, row-major (rows, out); `x` is (rows, in).
    pub fn product(&self, x: &[f32], rows: usize) -> Vec<f32> {
        assert_eq!(x.len(), rows * self.inner);
        match self.arithmetic.unit {
            #[cfg(target_arch = "x86_64")]
            Unit::Avx512 => self.product_on::<avx512::Avx512>(x, rows),
            #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
            Unit::Amx => self.product_on::<amx::Amx>(x, rows),
            #[cfg(test)]
            Unit::Emulated => self.product_on::<emulated::Emulated>(x, rows),
            _ => unreachable!("nothing is packed for f32 vectors"),
        }
    }

    fn product_on<U: MatrixUnit>(&self, x: &[f32], rows: usize) -> Vec<f32> {
        if self.steps == 0 {
            return vec![0.0; rows * self.out];
        }
        let mut y: Vec<f32> = Vec::with_capacity(rows * self.out);
        let to = Shared::uninit(y.spare_capacity_mut());
        let share = rows.div_ceil(4 * rayon::current_num_threads());
        let step = share.next_multiple_of(U::ROWS).clamp(U::ROWS, TASK_ROWS);
        (0..rows.div_ceil(step))
            .into_par_iter()
            .for_each(|task| self.rows::<U>(x, task * step..rows.min((task + 1) * step), &to));
        // SAFETY: every task has written all columns of its rows.
        unsafe { y.set_len(rows * self.out) };
        y
    }

    /// Some rows of the product.
    fn rows<U: MatrixUnit>(&self, x: &[f32], rows: Range<usize>, to: &Shared<f32>) {
        let unit = U::begin();
        let precision = self.arithmetic.precision;
        let (groups, panels) = (rows.len().div_ceil(U::ROWS), self.out.div_ceil(U::COLUMNS));
        let x = &x[rows.start * self.inner..rows.end * self.inner];
        let mut left =
            vec![Line([0; STEP]); precision.parts() * groups * U::ROWS * BLOCK.min(self.steps)];
        for first in (0..self.steps).step_by(BLOCK) {
            let steps = BLOCK.min(self.steps - first);
            let part_lines = groups * U::ROWS * steps;
            left.chunks_exact_mut(part_lines)
                .take(precision.parts())
                .enumerate()
                .for_each(|(which, to)| {
                    round_rows(x, self.inner, first * STEP, U::ROWS, steps, which, to);
                });
            for panel in 0..panels {
                for group in 0..groups {
                    let operands = precision.products().iter().map(|&(a, b)| {
                        let a =
                            &left[a * part_lines + group * U::ROWS * steps..][..U::ROWS * steps];
                        let b = &self.lines
                            [((b * panels + panel) * self.steps + first) * U::COLUMNS..]
                            [..U::COLUMNS * steps];
                        (a, b)
                    });
                    let (row, column) = (rows.start + group * U::ROWS, panel * U::COLUMNS);
                    let place = TilePosition {
                        row,
                        rows: U::ROWS.min(rows.end - row),
                        column,
                        columns: U::COLUMNS.min(self.out - column),
                    };
                    // SAFETY: these rows belong to this task, and the first block has written them
                    // all before the next adds to them.
                    unsafe { tile(&unit, operands, &place, to, self.out, first > 0) };
                }
            }
        }
    }
}

/// Where a tile of the result lies, and how much of it there is.
struct TilePosition {
    row: usize,
    rows: usize,
    column: usize,
    columns: usize,
}

/// One tile of the result: the sum of the products of some operands, put in its place or added to
/// what is there.
///
/// # Safety
/// The place belongs to the caller alone, and holds values if they are added to.
unsafe fn tile<'a, U: MatrixUnit>(
    unit: &U,
    operands: impl Iterator<Item = (&'a [Line], &'a [Line])>,
    place: &TilePosition,
    to: &Shared<f32>,
    n: usize,
    accumulate: bool,
) {
    let to = to.pointer(
        place.row * n + place.column,
        (place.rows - 1) * n + place.columns,
    );
    if place.rows == U::ROWS && place.columns == U::COLUMNS {
        for (i, (a, b)) in operands.enumerate() {
            // SAFETY: the whole tile lies in the place.
            unsafe { unit.tile(a, b, to, n, accumulate || i > 0) };
        }
        return;
    }
    const { assert!(U::ROWS * U::COLUMNS <= TILE) };
    // What is there goes through the unit too, so that an element is summed in the same order
    // wherever it lies in its tile.
    let mut edge = [0.0_f32; TILE];
    if accumulate {
        for (r, edge) in edge
            .chunks_exact_mut(U::COLUMNS)
            .take(place.rows)
            .enumerate()
        {
            for (j, x) in edge[..place.columns].iter_mut().enumerate() {
                // SAFETY: row r and column j lie in the place.
                unsafe { *x = *to.add(r * n + j) };
            }
        }
    }
    for (a, b) in operands {
        // SAFETY: the assertion.
        unsafe { unit.tile(a, b, edge.as_mut_ptr(), U::COLUMNS, true) };
    }
    for (r, edge) in edge.chunks_exact(U::COLUMNS).take(place.rows).enumerate() {
        for (j, x) in edge[..place.columns].iter().enumerate() {
            // SAFETY: row r and column j lie in the place.
            unsafe { *to.add(r * n + j) = *x };
        }
    }
}

vectorized! {
    /// Rounds the columns of `x` (rows, inner) from `first` on into lines (groups of `height` rows,
    /// steps, height); what is not there is 0.
    fn round_rows<'a, _simd>(x: &'a [f32], inner: usize, first: usize, height: usize, steps: usize, which: usize, to: &'a mut [Line]) {
        for (group, to) in to.chunks_exact_mut(height * steps).enumerate() {
            for r in 0..height {
                let row = (group * height + r) * inner;
                let row = if row < x.len() { &x[row + first..row + inner] } else { &[] };
                for step in 0..steps {
                    let line = &mut to[step * height + r];
                    match row.get(step * STEP..(step + 1) * STEP) {
                        Some(from) => (0..STEP).for_each(|l| line.0[l] = part(from[l], which)),
                        None => {
                            let from = row.get(step * STEP..).unwrap_or_default();
                            (0..STEP).for_each(|l| line.0[l] = from.get(l).map_or(0, |&x| part(x, which)));
                        }
                    }
                }
            }
        }
    }
}
