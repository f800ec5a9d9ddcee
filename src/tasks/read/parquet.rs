//! Parquet, as Hugging Face keeps data sets.

use super::{Columns, Row, Rows, places};
use crate::error::{Error, Result};
use polars::prelude::{Column, DataType, ParquetReader, PolarsError, SerReader};
use std::io::Cursor;
use std::path::Path;

pub(super) fn read(bytes: &[u8], columns: &Columns, longest: usize, rows: &mut Rows) -> Result<()> {
    let path = rows.path.clone();
    let wrong =
        |e: PolarsError| Error::file(&path, format!("the Parquet file cannot be read: {e}"));
    let mut reader = ParquetReader::new(Cursor::new(bytes));
    let names: Vec<String> = reader
        .schema()
        .map_err(wrong)?
        .iter_names()
        .map(ToString::to_string)
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let places = places(&path, columns, &names)?;
    let wanted = places
        .iter()
        .flatten()
        .map(|place| names[*place].to_string())
        .collect();
    let frame = reader.with_columns(Some(wanted)).finish().map_err(wrong)?;
    let texts = places.map(|place| {
        place
            .map(|place| text(&path, frame.column(names[place]).map_err(wrong)?))
            .transpose()
    });
    let [sequence, label, name, task] = texts;
    let (sequence, label, name, task) = (sequence?, label?, name?, task?);
    let cell = |column: &Option<Column>, row: usize| -> Result<String> {
        let Some(column) = column else {
            return Ok(String::new());
        };
        Ok(column
            .str()
            .map_err(wrong)?
            .get(row)
            .unwrap_or_default()
            .to_string())
    };
    for row in 0..frame.height() {
        if let Some(wanted) = &columns.task
            && cell(&task, row)? != *wanted
        {
            continue;
        }
        let sequence = cell(&sequence, row)?.into_bytes();
        rows.push(
            Row {
                sequence,
                label: cell(&label, row)?,
                name: cell(&name, row)?,
                at: row as u64 + 1,
            },
            longest,
        )?;
    }
    Ok(())
}

/// A column as text.
fn text(path: &Path, column: &Column) -> Result<Column> {
    let whole = column.rechunk();
    whole.cast(&DataType::String).map_err(|e| {
        Error::file(
            path,
            format!(
                "column '{}' is neither text nor numbers: {e}",
                column.name()
            ),
        )
    })
}
