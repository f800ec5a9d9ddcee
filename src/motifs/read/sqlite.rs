//! JASPAR as the SQLite file that its packages for Python and R carry (2014 to 2026).
//!
//! A database can hold programs (views, generated columns) that compute without end: only stored
//! tables are read, with a limit on the length of a value, on the text taken in all, and on the
//! steps of the database's machine.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::Error::FromSqlConversionFailure;
use rusqlite::limits::Limit;
use rusqlite::types::Type;
use rusqlite::{Connection, MAIN_DB, Row};

use crate::error::{Error, Result};
use crate::motifs::{Motif, NOMINAL_SITES};

/// How every SQLite file starts.
pub(super) const MAGIC: &[u8] = b"SQLite format 3\0";

/// Bytes of the longest value or row.
const LONGEST: i32 = 1 << 16;

/// All versions of all matrices of the CORE collection, by identifier and version, of a file that
/// is in memory.
pub(super) fn read(path: &Path, bytes: &[u8]) -> Result<Vec<Motif>> {
    rows(path, bytes).map_err(|error| Error::file(path, format!("no JASPAR database: {error}")))?
}

/// A connection that no content can keep busy for long.
fn connect(bytes: &[u8]) -> rusqlite::Result<Connection> {
    let mut database = Connection::open_in_memory()?;
    database.set_limit(Limit::SQLITE_LIMIT_LENGTH, LONGEST)?;
    database.deserialize_read_exact(MAIN_DB, bytes, bytes.len(), true)?;
    // A stored row takes ten bytes or more, and reading and sorting it about sixteen steps.
    let mut left = 10_000 + bytes.len() / 100;
    let out_of_steps = move || {
        left = left.saturating_sub(1);
        left == 0
    };
    database.progress_handler(1000, Some(out_of_steps))?;
    Ok(database)
}

/// How much more text a sound file can hold: values that it computes or repeats are no longer than
/// the file.
struct TextLeft(usize);

impl TextLeft {
    fn take(&mut self, row: &Row, column: usize) -> rusqlite::Result<String> {
        let text: String = row.get(column)?;
        let too_much = || {
            FromSqlConversionFailure(
                column,
                Type::Text,
                "its tables hold more text than the file".into(),
            )
        };
        self.0 = self.0.checked_sub(text.len()).ok_or_else(too_much)?;
        Ok(text)
    }
}

/// The inner result is for what the database says, the outer one for the database itself.
fn rows(path: &Path, bytes: &[u8]) -> rusqlite::Result<Result<Vec<Motif>>> {
    let database = connect(bytes)?;
    let stored: i64 = database.query_row(
        "SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND type = 'table'
         AND upper(name) IN ('MATRIX', 'MATRIX_DATA', 'MATRIX_ANNOTATION')",
        [],
        |row| row.get(0),
    )?;
    if stored != 3 {
        return Ok(Err(Error::file(
            path,
            "no JASPAR database: MATRIX, MATRIX_DATA and MATRIX_ANNOTATION must be its tables, and not views",
        )));
    }
    let mut left = TextLeft(bytes.len());
    // By the database's own number: the columns of a matrix, each letter with the column's number
    // and the value; then what is known of it.
    let mut cells: BTreeMap<i64, Vec<(i64, u8, f64)>> = BTreeMap::new();
    let mut select =
        database.prepare("SELECT ID, col, row, val FROM MATRIX_DATA ORDER BY ID, col, row")?;
    let mut found = select.query([])?;
    while let Some(row) = found.next()? {
        let letter = left.take(row, 2)?;
        let letter = if letter.len() == 1 {
            letter.as_bytes()[0]
        } else {
            b'?'
        };
        cells
            .entry(row.get(0)?)
            .or_default()
            .push((row.get(1)?, letter, row.get(3)?));
    }
    let mut notes: BTreeMap<(i64, String), Vec<String>> = BTreeMap::new();
    let mut select = database.prepare(
        "SELECT ID, TAG, VAL FROM MATRIX_ANNOTATION WHERE TAG IN ('tax_group', 'family', 'class') AND VAL IS NOT NULL ORDER BY rowid",
    )?;
    let mut found = select.query([])?;
    while let Some(row) = found.next()? {
        notes
            .entry((row.get(0)?, left.take(row, 1)?))
            .or_default()
            .push(left.take(row, 2)?);
    }
    let mut select =
        database.prepare("SELECT ID, BASE_ID, VERSION, NAME FROM MATRIX WHERE COLLECTION = 'CORE' ORDER BY BASE_ID, VERSION")?;
    let mut found = select.query([])?;
    let mut motifs = Vec::new();
    while let Some(row) = found.next()? {
        let (number, version): (i64, i64) = (row.get(0)?, row.get(2)?);
        let (id, name) = (
            format!("{}.{version}", left.take(row, 1)?),
            left.take(row, 3)?,
        );
        let mut noted = |tag: &str| notes.remove(&(number, tag.to_string())).unwrap_or_default();
        let (tax_group, families, classes) = (
            noted("tax_group").join("; "),
            noted("family"),
            noted("class"),
        );
        let columns = match columns(&cells.remove(&number).unwrap_or_default()) {
            Ok(columns) => columns,
            Err(lacks) => {
                return Ok(Err(Error::file(
                    path,
                    format!("the matrix '{id}' lacks {lacks}"),
                )));
            }
        };
        match Motif::new(&id, &name, columns, NOMINAL_SITES) {
            Ok(motif) => motifs.push(Motif {
                tax_group,
                families,
                classes,
                ..motif
            }),
            Err(message) => return Ok(Err(Error::file(path, message))),
        }
    }
    Ok(Ok(motifs))
}

/// The columns of (column from 0 or 1, letter, value), sorted; or what lacks.
fn columns(cells: &[(i64, u8, f64)]) -> std::result::Result<Vec<[f64; 4]>, String> {
    let first = i64::from(cells.first().is_some_and(|(column, ..)| *column != 0));
    let mut columns = Vec::new();
    for (number, cells) in (first..).zip(cells.chunks(4)) {
        match cells {
            [(a, b'A', _), (c, b'C', _), (g, b'G', _), (t, b'T', _)]
                if [a, c, g, t] == [&number; 4] =>
            {
                columns.push(std::array::from_fn(|letter| cells[letter].2));
            }
            [(found, ..), ..] if *found > number => return Err(format!("column {number}")),
            _ => return Err(format!("a letter in column {number}, or has one twice")),
        }
    }
    Ok(columns)
}
