//! Standard output that may be closed early (`| head`): that is the reader's choice and no failure.

use crate::error::{Error, Result};
use std::io::{ErrorKind, Write};

/// The name under which standard output stands in errors.
pub const NAME: &str = "standard output";

/// Prints text.
pub fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(Error::io(NAME))
}

/// Whether an error says no more than that nobody reads standard output any longer.
pub fn is_closed(error: &Error) -> bool {
    matches!(error, Error::Io { path, source } if path.as_os_str() == NAME && source.kind() == ErrorKind::BrokenPipe)
}
