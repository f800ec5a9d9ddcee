//! One error type for the whole library. Every error names the file, record, tensor or option it is
//! about and, where there is something to do, what to do next.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The result of everything that can fail here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, and where.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused to read or write a file.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A line of a text file does not follow its format.
    #[error("{}:{line}: {message}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// 1-based line number.
        line: u64,
        /// What is wrong with the line, and what was expected.
        message: String,
    },
    /// A file as a whole cannot be used.
    #[error("{}: {message}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        message: String,
    },
    /// A request or a combination of inputs makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// The command line asks for something that cannot be: the exit code is 2, as for a misspelt
    /// option.
    #[error("{0}")]
    Usage(String),
    /// A tensor operation failed.
    #[error("tensor operation: {0}")]
    Tensor(#[from] candle_core::Error),
}

impl Error {
    /// Wraps an I/O error with the path it is about: `File::open(p).map_err(Error::io(p))`.
    pub fn io(path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.as_ref().to_path_buf();
        move |source| Error::Io { path, source }
    }

    /// An error about a file as a whole.
    pub fn file(path: impl AsRef<Path>, message: impl Into<String>) -> Error {
        Error::File {
            path: path.as_ref().to_path_buf(),
            message: message.into(),
        }
    }
}

/// Calls of [`contained`] that have not ended.
static CONTAINED: AtomicUsize = AtomicUsize::new(0);

/// Runs a library's reader that panics on damaged files, and gives what it said as an error. `run`
/// must leave nothing half-changed behind.
///
/// # Errors
/// It panicked.
pub fn contained<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    CONTAINED.fetch_add(1, Ordering::Relaxed);
    let done = catch_unwind(AssertUnwindSafe(run));
    CONTAINED.fetch_sub(1, Ordering::Relaxed);
    done.map_err(|what| {
        said(what.as_ref())
            .unwrap_or("damaged")
            .lines()
            .next()
            .unwrap_or_default()
            .to_string()
    })
}

/// The name of threads whose panics become errors of those that wait for them.
pub const CONTAINED_THREAD: &str = "contained";

/// Whether a panic on this thread, or on one that a library works on in [`contained`], will become
/// an error and need not be reported.
pub fn is_contained() -> bool {
    CONTAINED.load(Ordering::Relaxed) > 0 || std::thread::current().name() == Some(CONTAINED_THREAD)
}

/// What a panic says.
pub fn said(what: &(dyn std::any::Any + Send)) -> Option<&str> {
    what.downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| what.downcast_ref::<&str>().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contained_panic_is_an_error() {
        assert_eq!(contained(|| 1), Ok(1));
        assert_eq!(
            contained(|| -> u8 { panic!("column {} is short\nbacktrace", 3) }),
            Err("column 3 is short".into())
        );
    }
}
