//! Files of matrices: JASPAR (`.jaspar`, raw `.pfm`, SQLite), HOMER, MEME and TRANSFAC, plain or
//! gzip, told apart by content.
//!
//! Written here and not taken from `lightmotif-io` (0.10), which gives no line numbers, reads whole
//! counts only, stops at the blank lines that JASPAR files have, and gives no motif and no error
//! for a matrix without a header.

mod jaspar;
mod meme;
mod sqlite;
mod transfac;

use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::Motif;
use crate::error::{Error, Result};
use crate::genome::text::{self, printable};

/// A file of matrices larger than this, unpacked, is none.
const MOST_BYTES: u64 = 1 << 28;

/// Reads the motifs of a file, in file order (of a JASPAR SQLite file, those of the CORE
/// collection, in order of identifier).
///
/// Columns that all add up to 1 are frequencies and are multiplied by their number of sites:
/// `nsites` of MEME, else [`NOMINAL_SITES`](super::NOMINAL_SITES). In files of bare numbers, four
/// rows are A, C, G and T, and any other number of rows of four numbers are columns, as HOMER
/// writes them. A file of one matrix without a header gives it the file's name.
///
/// # Errors
/// An unreadable file; [`Error::Parse`] with the line where one does not follow its format; a
/// matrix that is not of DNA or holds log-odds; two motifs with one identifier; a file without a
/// matrix.
pub fn open(path: impl AsRef<Path>) -> Result<Vec<Motif>> {
    let path = path.as_ref();
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes))
        .map_err(Error::io(path))?;
    from_bytes(path, &bytes)
}

/// Reads motifs that are already in memory. `path` stands for the file in errors.
///
/// # Errors
/// As [`open`].
pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Vec<Motif>> {
    let mut unpacked = Vec::new();
    text::unpacked(bytes)
        .and_then(|text| text.take(MOST_BYTES + 1).read_to_end(&mut unpacked))
        .map_err(Error::io(path))?;
    let bytes = unpacked;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(Error::file(
            path,
            format!("more than {MOST_BYTES} bytes: this is no file of matrices"),
        ));
    }
    if bytes.starts_with(sqlite::MAGIC) {
        return checked(path, sqlite::read(path, &bytes)?);
    }
    let text = String::from_utf8_lossy(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes));
    let numbered = text
        .lines()
        .enumerate()
        .map(|(index, line)| (index as u64 + 1, line.trim()));
    let lines = Lines {
        path,
        lines: numbered.filter(|(_, line)| !line.is_empty()).collect(),
    };
    let starts = |prefixes: &[&str]| {
        lines
            .lines
            .iter()
            .any(|(_, line)| prefixes.iter().any(|prefix| line.starts_with(prefix)))
    };
    let motifs = if starts(&["MEME version"]) {
        meme::read(&lines)?
    } else if starts(&["P0 ", "P0\t", "PO ", "PO\t"]) {
        transfac::read(&lines)?
    } else {
        jaspar::read(&lines)?
    };
    checked(path, motifs)
}

fn checked(path: &Path, mut motifs: Vec<Motif>) -> Result<Vec<Motif>> {
    if motifs.is_empty() {
        return Err(Error::file(
            path,
            "no matrix found; files of JASPAR (.jaspar, .pfm, SQLite), HOMER, MEME and TRANSFAC are read",
        ));
    }
    for motif in &mut motifs {
        let words = [&mut motif.id, &mut motif.name, &mut motif.tax_group].into_iter();
        words
            .chain(&mut motif.families)
            .chain(&mut motif.classes)
            .for_each(|word| *word = printable(word.as_bytes()));
    }
    let mut seen = HashSet::new();
    match motifs.iter().find(|motif| !seen.insert(motif.id.as_str())) {
        Some(twice) => Err(Error::file(
            path,
            format!(
                "two matrices have the identifier '{}'; rename one",
                twice.id
            ),
        )),
        None => Ok(motifs),
    }
}

/// The lines of a file that are not blank, trimmed, with their 1-based numbers.
struct Lines<'a> {
    path: &'a Path,
    lines: Vec<(u64, &'a str)>,
}

impl Lines<'_> {
    /// What is wrong with a line.
    fn wrong(&self, line: u64, message: impl Into<String>) -> Error {
        Error::Parse {
            path: self.path.into(),
            line,
            message: message.into(),
        }
    }

    /// Numbers separated by white space.
    fn numbers<'a>(&self, line: u64, words: impl Iterator<Item = &'a str>) -> Result<Vec<f64>> {
        words
            .map(|word| {
                word.parse()
                    .map_err(|_| self.wrong(line, format!("'{word}' is no number")))
            })
            .collect()
    }
}

/// 0 to 3 for A, C, G and T or U in either case.
pub(crate) fn letter_index(letter: u8) -> Option<usize> {
    match letter {
        b'A' | b'a' => Some(0),
        b'C' | b'c' => Some(1),
        b'G' | b'g' => Some(2),
        b'T' | b't' | b'U' | b'u' => Some(3),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
