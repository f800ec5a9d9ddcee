//! Tiles of 32 x 32 in the eight tile registers of AMX: four of the result, two of each operand.
//!
//! **Not run on AMX hardware by its authors yet.** The single instructions, the configuration and
//! the kernel's permission call were (on a Sapphire Rapids); the program below was run, in the very
//! text that the assembler reads, by the interpreter of the tests.

use super::{Line, MatrixUnit};
use std::arch::asm;
use std::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};

/// The program without its start. `{a}` is (steps, 32 rows) lines, `{b}` (steps, 16 pairs, 2)
/// lines; `{c_low}` is row 16 of `{c}`.
macro_rules! program {
    ($($start:literal),*) => {
        concat!(
            $($start, "\n",)*
            "2:\n",
            "tileloadd tmm4, [{a} + {a_row}*1]\n",
            "tileloadd tmm5, [{a} + {a_row}*1 + 1024]\n",
            "tileloadd tmm6, [{b} + {b_row}*1]\n",
            "tileloadd tmm7, [{b} + {b_row}*1 + 64]\n",
            "tdpbf16ps tmm0, tmm4, tmm6\n",
            "tdpbf16ps tmm1, tmm4, tmm7\n",
            "tdpbf16ps tmm2, tmm5, tmm6\n",
            "tdpbf16ps tmm3, tmm5, tmm7\n",
            "add {a}, 2048\n",
            "add {b}, 2048\n",
            "dec {steps}\n",
            "jnz 2b\n",
            "tilestored [{c} + {c_row}*1], tmm0\n",
            "tilestored [{c} + {c_row}*1 + 64], tmm1\n",
            "tilestored [{c_low} + {c_row}*1], tmm2\n",
            "tilestored [{c_low} + {c_row}*1 + 64], tmm3\n",
        )
    };
}

/// Puts the product into the result.
macro_rules! overwriting {
    () => {
        program!(
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3"
        )
    };
}

/// Adds it to the result.
macro_rules! accumulating {
    () => {
        program!(
            "tileloadd tmm0, [{c} + {c_row}*1]",
            "tileloadd tmm1, [{c} + {c_row}*1 + 64]",
            "tileloadd tmm2, [{c_low} + {c_row}*1]",
            "tileloadd tmm3, [{c_low} + {c_row}*1 + 64]"
        )
    };
}

/// Both programs, for the interpreter.
#[cfg(test)]
pub(super) const PROGRAMS: [&str; 2] = [overwriting!(), accumulating!()];
/// Bytes between the rows of `{a}` and of `{b}`.
pub(super) const ROW_BYTES: [usize; 2] = [64, 128];
/// Rows and columns of a tile of the result, in elements.
pub(super) const SIDE: usize = 32;

/// What `ldtilecfg` reads.
#[repr(C, align(64))]
struct Configuration {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

/// Eight tiles of 16 rows of 64 bytes.
const TILES: Configuration = Configuration {
    palette: 1,
    start_row: 0,
    reserved: [0; 14],
    row_bytes: [64, 64, 64, 64, 64, 64, 64, 64, 0, 0, 0, 0, 0, 0, 0, 0],
    rows: [16, 16, 16, 16, 16, 16, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0],
};

/// `ARCH_REQ_XCOMP_PERM` of `arch_prctl`, and the state component it is asked for.
const REQUEST_PERMISSION: u64 = 0x1023;
const TILE_DATA: u64 = 18;

/// Whether processor, kernel and virtual machine allow tiles. Asks the kernel for permission, which
/// the whole process then has.
pub fn available() -> bool {
    // Leaf 7 EDX: AMX-BF16 is bit 22, AMX-TILE bit 24; leaf 1 ECX bit 27: OSXSAVE; XCR0 bits 17 and
    // 18: tile configuration and data.
    let tiles = (1 << 22) | (1 << 24);
    __cpuid(0).eax >= 7
        && __cpuid_count(7, 0).edx & tiles == tiles
        && __cpuid(1).ecx & (1 << 27) != 0
        && enabled()
        && permitted()
}

/// Whether the kernel saves tiles.
fn enabled() -> bool {
    #[target_feature(enable = "xsave")]
    fn xcr0() -> u64 {
        // SAFETY: OSXSAVE has been seen.
        unsafe { _xgetbv(0) }
    }
    let states = 0b11 << 17;
    // SAFETY: OSXSAVE stands for XSAVE too.
    unsafe { xcr0() & states == states }
}

fn permitted() -> bool {
    let code: i64;
    // SAFETY: a system call that reads and writes no memory of ours; 158 is arch_prctl.
    unsafe {
        asm!("syscall", inlateout("rax") 158_i64 => code, in("rdi") REQUEST_PERMISSION, in("rsi") TILE_DATA, out("rcx") _, out("r11") _);
    }
    code == 0
}

/// A thread whose tiles are configured. Tied to its thread.
pub struct Amx(std::marker::PhantomData<*const ()>);

impl MatrixUnit for Amx {
    const ROWS: usize = SIDE;
    const COLUMNS: usize = SIDE;

    fn begin() -> Self {
        // SAFETY: whoever asks for this unit has found it available; the compiler uses no tiles, so
        // the configuration stays.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &TILES, options(nostack)) };
        Amx(std::marker::PhantomData)
    }

    unsafe fn tile(&self, a: &[Line], b: &[Line], c: *mut f32, ld: usize, accumulate: bool) {
        let steps = a.len() / SIDE;
        assert!(steps > 0 && a.len() == steps * SIDE && b.len() == steps * SIDE);
        let (a, b, c_low) = (a.as_ptr(), b.as_ptr(), c.wrapping_add(16 * ld));
        macro_rules! run {
            ($program:expr) => {
                asm!(
                    $program,
                    a = inout(reg) a => _, b = inout(reg) b => _, steps = inout(reg) steps => _,
                    c = in(reg) c, c_low = in(reg) c_low, c_row = in(reg) 4 * ld,
                    a_row = in(reg) ROW_BYTES[0], b_row = in(reg) ROW_BYTES[1],
                    out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _, out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                    options(nostack)
                )
            };
        }
        // SAFETY: the operands hold the lines of `steps` steps, the caller promises the place of
        // the result, and `self` is the configuration.
        unsafe {
            if accumulate {
                run!(accumulating!())
            } else {
                run!(overwriting!())
            }
        }
    }
}

impl Drop for Amx {
    fn drop(&mut self) {
        // SAFETY: frees the tiles of this thread.
        unsafe { asm!("tilerelease", options(nostack)) };
    }
}
