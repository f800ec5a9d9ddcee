//! JASPAR as the SQLite file that its packages for Python and R carry (2014 to 2026).

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::error::{Error, Result};
use crate::motifs::{Motif, NOMINAL_SITES};

/// How every SQLite file starts.
pub(super) const MAGIC: &[u8] = b"SQLite format 3\0";

/// All versions of all matrices of the CORE collection, by identifier and version.
pub(super) fn read(path: &Path) -> Result<Vec<Motif>> {
    rows(path).map_err(|error| Error::file(path, format!("no JASPAR database: {error}")))?
}

/// The inner result is for what the database says, the outer one for the database itself.
fn rows(path: &Path) -> rusqlite::Result<Result<Vec<Motif>>> {
    let database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    // By the database's own number: the columns of a matrix, each letter with its value; then what is known of it.
    let mut cells: BTreeMap<i64, Vec<(String, f64)>> = BTreeMap::new();
    let mut select = database.prepare("SELECT ID, row, val FROM MATRIX_DATA ORDER BY ID, col, row")?;
    let mut found = select.query([])?;
    while let Some(row) = found.next()? {
        cells.entry(row.get(0)?).or_default().push((row.get(1)?, row.get(2)?));
    }
    let mut notes: BTreeMap<(i64, String), Vec<String>> = BTreeMap::new();
    let mut select = database.prepare(
        "SELECT ID, TAG, VAL FROM MATRIX_ANNOTATION WHERE TAG IN ('tax_group', 'family', 'class') AND VAL IS NOT NULL ORDER BY rowid",
    )?;
    let mut found = select.query([])?;
    while let Some(row) = found.next()? {
        notes.entry((row.get(0)?, row.get(1)?)).or_default().push(row.get(2)?);
    }
    let mut select =
        database.prepare("SELECT ID, BASE_ID, VERSION, NAME FROM MATRIX WHERE COLLECTION = 'CORE' ORDER BY BASE_ID, VERSION")?;
    let mut found = select.query([])?;
    let mut motifs = Vec::new();
    while let Some(row) = found.next()? {
        let (number, base, version, name): (i64, String, i64, String) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        let id = format!("{base}.{version}");
        let mut noted = |tag: &str| notes.remove(&(number, tag.to_string())).unwrap_or_default();
        let (tax_group, families, classes) = (noted("tax_group").join("; "), noted("family"), noted("class"));
        let cells = cells.remove(&number).unwrap_or_default();
        // Sorted by letter: A, C, G, T of the first column, then of the second.
        if cells.iter().zip(["A", "C", "G", "T"].iter().cycle()).any(|((letter, _), expected)| letter != expected)
            || !cells.len().is_multiple_of(4)
        {
            return Ok(Err(Error::file(path, format!("the matrix '{id}' lacks a letter in some column"))));
        }
        let columns = cells.chunks_exact(4).map(|column| std::array::from_fn(|letter| column[letter].1)).collect();
        match Motif::new(&id, &name, columns, NOMINAL_SITES) {
            Ok(motif) => motifs.push(Motif { tax_group, families, classes, ..motif }),
            Err(message) => return Ok(Err(Error::file(path, message))),
        }
    }
    Ok(Ok(motifs))
}
