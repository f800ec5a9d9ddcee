//! The program `ldar-analyze`; everything is in the library's `cli`.

// Tensors of a forward pass come and go by the megabyte; the system allocator gives each back to the kernel and pays for it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    ldar::cli::main()
}
