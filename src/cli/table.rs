//! Where a command's table goes: standard output, a file, or a gzip file, which is there whole or
//! not at all.

use super::stdout;
use crate::error::{Error, Result};
use crate::output::{self, write_atomic};
use flate2::read::GzDecoder;
use flate2::{Compression, GzBuilder};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

/// `None` for `-`, which is standard output.
pub fn place(out: PathBuf) -> Option<PathBuf> {
    (out.as_os_str() != "-").then_some(out)
}

/// Refuses a place where an input lies, or what does not begin with the first line of such a table.
pub fn check(path: Option<&Path>, header: &str, inputs: &[&Path]) -> Result<()> {
    path.map_or(Ok(()), |path| {
        output::check_file(path, inputs, |found| {
            begins_with(found, header).unwrap_or(false)
        })
    })
}

fn begins_with(path: &Path, header: &str) -> io::Result<bool> {
    let mut file = BufReader::new(File::open(path)?);
    let is_gzip = file.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    let file: Box<dyn Read> = if is_gzip {
        Box::new(GzDecoder::new(file))
    } else {
        Box::new(file)
    };
    let mut line = String::new();
    file.take(header.len() as u64 + 1)
        .read_to_string(&mut line)?;
    Ok(line.strip_suffix('\n') == Some(header))
}

/// Writes a table, gzip where the path ends in `.gz`. What is no fault of the writer goes to the
/// second argument of `fill`, with any error as the result, and comes out as it was.
pub fn write(
    path: Option<&Path>,
    fill: impl FnOnce(&mut dyn Write, &mut Option<Error>) -> io::Result<()>,
) -> Result<()> {
    let mut failed = None;
    let written = match path {
        None => {
            let mut out = BufWriter::new(io::stdout().lock());
            fill(&mut out, &mut failed)
                .and_then(|()| out.flush())
                .map_err(Error::io(stdout::NAME))
        }
        Some(path) => write_atomic(path, |file| {
            if path
                .extension()
                .is_some_and(|e| e.eq_ignore_ascii_case("gz"))
            {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_former_table_is_known_by_its_first_line() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["x.tsv", "x.tsv.gz"] {
            let path = folder.path().join(name);
            write(Some(&path), |out, _| writeln!(out, "a\tb\n1\t2")).unwrap();
            check(Some(&path), "a\tb", &[]).unwrap();
            for other in ["a\tb\tc", "a", "b\ta"] {
                assert!(
                    matches!(check(Some(&path), other, &[]), Err(Error::File { .. })),
                    "{name} {other}"
                );
            }
            assert!(matches!(
                check(Some(&path), "a\tb", &[&path]),
                Err(Error::Usage(_))
            ));
        }
        check(None, "a", &[]).unwrap();
    }
}
