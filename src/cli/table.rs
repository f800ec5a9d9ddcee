//! Where a command's table goes: standard output, a file, or a gzip file, which is there whole or not at all.

use super::stdout;
use crate::error::{Error, Result};
use crate::output::write_atomic;
use flate2::{Compression, GzBuilder};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// `None` for `-`, which is standard output.
pub fn place(out: PathBuf) -> Option<PathBuf> {
    (out.as_os_str() != "-").then_some(out)
}

/// Writes a table, gzip where the path ends in `.gz`. What is no fault of the writer goes to the second argument of `fill`, with any error as
/// the result, and comes out as it was.
pub fn write(path: Option<&Path>, fill: impl FnOnce(&mut dyn Write, &mut Option<Error>) -> io::Result<()>) -> Result<()> {
    let mut failed = None;
    let written = match path {
        None => {
            let mut out = BufWriter::new(io::stdout().lock());
            fill(&mut out, &mut failed).and_then(|()| out.flush()).map_err(Error::io(stdout::NAME))
        }
        Some(path) => write_atomic(path, |file| {
            if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gz")) {
                let mut file = GzBuilder::new().write(file, Compression::default());
                fill(&mut file, &mut failed)?;
                file.finish().map(drop)
            } else {
                fill(file, &mut failed)
            }
        }),
    };
    failed.map_or(written, Err)
}
