//! Labelled sequences of files: tables of text, Parquet and FASTA, told apart by their content;
//! gzip around any of them.

mod delimited;
mod fasta;
mod parquet;

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A file to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TableSource {
    /// On disk.
    File(PathBuf),
    /// Part of the program, under a name.
    Bundled(&'static str, &'static [u8]),
}

/// As its path, or the name in its place.
impl Serialize for TableSource {
    fn serialize<S: serde::Serializer>(
        &self,
        serializer: S,
    ) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(&self.path().display())
    }
}

impl TableSource {
    /// Its path, or the name in its place.
    pub fn path(&self) -> &Path {
        match self {
            TableSource::File(path) => path,
            TableSource::Bundled(name, _) => Path::new(name),
        }
    }
}

/// Which columns of a table are read. A FASTA has none: its label is the word `label=X` of the
/// header, else what follows the last `|` of the name, else the last word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Columns {
    /// The sequences.
    pub sequence: String,
    /// What is to be predicted.
    pub label: String,
    /// The sequences' names; `name` where that is there, and not needed.
    pub name: Option<String>,
    /// Only rows with this in the column `task`.
    pub task: Option<String>,
}

impl Default for Columns {
    fn default() -> Self {
        Columns {
            sequence: "sequence".into(),
            label: "label".into(),
            name: None,
            task: None,
        }
    }
}

/// One labelled sequence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    /// Upper-case A, C, G, T and N.
    pub sequence: Vec<u8>,
    pub label: String,
    /// Empty where the file gives none.
    pub name: String,
    /// Its line, from 1; in Parquet its row.
    pub at: u64,
}

/// The rows of a file.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub path: PathBuf,
    pub rows: Vec<Row>,
    /// Whether [`Row::at`] counts rows and not lines.
    by_row: bool,
    /// Letters of other nucleotide codes (R, Y, ...), read as N, and the sequences they were in.
    pub codes: (usize, usize),
}

impl Rows {
    /// An error about a row.
    pub fn wrong(&self, at: u64, message: impl std::fmt::Display) -> Error {
        match self.by_row {
            true => Error::file(&self.path, format!("row {at}: {message}")),
            false => Error::Parse {
                path: self.path.clone(),
                line: at,
                message: message.to_string(),
            },
        }
    }

    /// Takes a row if its sequence is one.
    fn push(&mut self, mut row: Row, longest: usize) -> Result<()> {
        let n = row.sequence.len();
        if n == 0 {
            return Err(self.wrong(row.at, "the sequence is empty"));
        }
        if n > longest {
            return Err(
                self.wrong(row.at, format!("a sequence of {n} bases; at most {longest} are read (--longest): cut it, or raise that"))
            );
        }
        if row.label.is_empty() {
            return Err(self.wrong(row.at, "the label is empty"));
        }
        let mut codes = 0;
        for letter in &mut row.sequence {
            *letter = match letter.to_ascii_uppercase() {
                base @ (b'A' | b'C' | b'G' | b'T' | b'N') => base,
                b'U' => b'T',
                b'R' | b'Y' | b'S' | b'W' | b'K' | b'M' | b'B' | b'D' | b'H' | b'V' => {
                    codes += 1;
                    b'N'
                }
                other => {
                    let what = format!(
                        "'{}' in the sequence is no nucleotide (A, C, G, T, U, N or a code such as R)",
                        other.escape_ascii()
                    );
                    return Err(self.wrong(row.at, what));
                }
            };
        }
        self.codes.0 += codes;
        self.codes.1 += usize::from(codes > 0);
        self.rows.push(row);
        Ok(())
    }
}

/// Reads a file. No sequence may be longer than `longest`.
///
/// # Errors
/// An unreadable file, a missing column, a row that is none, an empty or overlong sequence or a
/// letter that is no nucleotide (with its line), and a file without rows.
pub(super) fn read(source: &TableSource, columns: &Columns, longest: usize) -> Result<Rows> {
    let path = source.path();
    let bytes = bytes(source)?;
    let mut rows = Rows {
        path: path.to_path_buf(),
        ..Rows::default()
    };
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    if bytes.starts_with(b"PAR1") {
        rows.by_row = true;
        parquet::read(&bytes, columns, longest, &mut rows)?;
    } else if text.trim_ascii_start().starts_with(b">") {
        if let Some(task) = &columns.task {
            return Err(Error::file(
                path,
                format!("--task {task}: a FASTA has no column 'task'"),
            ));
        }
        fasta::read(text, longest, &mut rows)?;
    } else {
        delimited::read(text, columns, longest, &mut rows)?;
    }
    match (rows.rows.is_empty(), &columns.task) {
        (false, _) => Ok(rows),
        (true, Some(task)) => Err(Error::file(path, format!("no row of task '{task}'"))),
        (true, None) => Err(Error::file(path, "holds no sequences")),
    }
}

/// The fields of the columns `names` of a table of text, with the number of each line.
///
/// # Errors
/// An unreadable file, a missing column, a line with another number of fields than columns.
pub(super) fn table(source: &TableSource, names: &[&str]) -> Result<Vec<(u64, Vec<String>)>> {
    let bytes = bytes(source)?;
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    delimited::table(
        &Rows {
            path: source.path().to_path_buf(),
            ..Rows::default()
        },
        text,
        names,
    )
}

/// A table of text as it is.
pub struct Sheet {
    /// Its columns.
    pub names: Vec<String>,
    /// The fields of each line, with its number.
    pub rows: Vec<(u64, Vec<String>)>,
}

/// All fields of a table of text: comma- or tab-separated, with a line of column names; plain or
/// gzip.
///
/// # Errors
/// An unreadable file, a line with another number of fields than columns.
pub fn sheet(path: &Path) -> Result<Sheet> {
    let bytes = bytes(&TableSource::File(path.to_path_buf()))?;
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    delimited::sheet(
        &Rows {
            path: path.to_path_buf(),
            ..Rows::default()
        },
        text,
    )
}

/// The content, unpacked.
fn bytes(source: &TableSource) -> Result<Cow<'static, [u8]>> {
    let path = source.path();
    let bytes = match source {
        TableSource::File(path) => Cow::Owned(std::fs::read(path).map_err(Error::io(path))?),
        TableSource::Bundled(_, bytes) => Cow::Borrowed(*bytes),
    };
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    let mut text = Vec::with_capacity(4 * bytes.len());
    let damaged = |e| Error::file(path, format!("damaged gzip ({e}): fetch or pack it again"));
    flate2::read::MultiGzDecoder::new(&bytes[..])
        .read_to_end(&mut text)
        .map_err(damaged)?;
    Ok(Cow::Owned(text))
}

/// The places of the columns that are wanted among those that are there: sequence, label, and where
/// they are there name and task.
fn places(path: &Path, wanted: &Columns, there: &[&str]) -> Result<[Option<usize>; 4]> {
    let place = |name: &str| there.iter().position(|column| *column == name);
    let needed = |name: &str, option: &str| {
        let names = there
            .iter()
            .take(12)
            .map(|name| name.chars().take(40).collect::<String>())
            .collect::<Vec<_>>()
            .join(", ");
        let message = match there
            .iter()
            .any(|name| name.len() >= 8 && name.bytes().all(|b| b"ACGTNacgtn".contains(&b)))
        {
            true => "the first line holds a sequence; it must name the columns: sequence,label"
                .to_string(),
            false => format!("no column '{name}' among {names}: name yours with {option}"),
        };
        place(name).ok_or_else(|| Error::Parse {
            path: path.to_path_buf(),
            line: 1,
            message,
        })
    };
    let name = match &wanted.name {
        Some(name) => Some(needed(name, "--name-column")?),
        None => place("name"),
    };
    let task = match &wanted.task {
        Some(_) => Some(needed("task", "a column 'task', or leave out --task")?),
        None => None,
    };
    Ok([
        Some(needed(&wanted.sequence, "--sequence-column")?),
        Some(needed(&wanted.label, "--label-column")?),
        name,
        task,
    ])
}

#[cfg(test)]
mod tests;
