//! The program `ldar-analyze`; everything is in the library's `cli`.
#![allow(unsafe_code)] // an allocator is an unsafe trait

use mimalloc::MiMalloc;
use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::{c_int, c_long};

/// Blocks of at least this many bytes come from the system, which takes them back the moment they
/// are freed.
const LARGE: usize = 64 << 20;

/// Tensors of a forward pass come and go by the megabyte: mimalloc keeps their memory for the next
/// ones, where the system would hand it back and pay for every page again. For tensors of hundreds
/// of megabytes (long sequences) it is the other way round: the pages kept for sizes that do not
/// come again would double what the program holds.
struct Allocator;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

// SAFETY: both allocators keep the contract, and a block goes back to the one it came from, which
// its size tells.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        unsafe {
            if layout.size() >= LARGE {
                System.alloc(layout)
            } else {
                MiMalloc.alloc(layout)
            }
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        unsafe {
            if layout.size() >= LARGE {
                System.alloc_zeroed(layout)
            } else {
                MiMalloc.alloc_zeroed(layout)
            }
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        unsafe {
            if layout.size() >= LARGE {
                System.dealloc(block, layout)
            } else {
                MiMalloc.dealloc(block, layout)
            }
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        unsafe {
            match (layout.size() >= LARGE, size >= LARGE) {
                (true, true) => System.realloc(block, layout, size),
                (false, false) => MiMalloc.realloc(block, layout, size),
                _ => {
                    let to = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
                    if !to.is_null() {
                        block.copy_to_nonoverlapping(to, layout.size().min(size));
                        self.dealloc(block, layout);
                    }
                    to
                }
            }
        }
    }
}

unsafe extern "C" {
    fn mi_option_set_default(option: c_int, value: c_long);
}

/// How long memory that is not in use is kept before the system has it back, in milliseconds
/// (`mi_option_purge_delay` of mimalloc 3).
const PURGE_DELAY: c_int = 15;

fn main() -> std::process::ExitCode {
    // A minute: the next batch needs it again. `MIMALLOC_PURGE_DELAY` still says otherwise.
    // SAFETY: nothing else runs yet.
    unsafe { mi_option_set_default(PURGE_DELAY, 60_000) };
    ldar::run_program()
}
