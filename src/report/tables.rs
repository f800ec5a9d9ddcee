//! Tables on disk: rows (any struct of text, numbers and truth values) as parquet and as
//! tab-separated text with the same content.
//!
//! Columns are the fields of the row's struct, in their order, with their types, also where a table
//! has no rows. A missing value is null in parquet and empty in text; a number that is not finite
//! counts as missing. Text gives back every number exactly.

mod rows;
mod schema;
pub mod stream;

use crate::error::{Error, Result, contained};
use crate::output::write_atomic;
use polars::prelude::{
    Column, CsvWriter, DataFrame, ParquetReader, ParquetWriter, PolarsError, SerReader, SerWriter,
};
use rayon::prelude::*;
use rows::Cells;
use schema::{ColumnType, Field, fields};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::io;
use std::path::Path;

/// The columns of a row type; none of a type that is no flat struct.
pub fn columns<T: DeserializeOwned>() -> Vec<&'static str> {
    let fields = fields::<T>().unwrap_or_default();
    fields.into_iter().map(|field| field.name).collect()
}

/// Writes `FOLDER/NAME.parquet` and `FOLDER/NAME.tsv`.
///
/// # Errors
/// Files that cannot be written; a row type that is no flat struct.
pub fn write<T: Serialize + DeserializeOwned + Sync>(
    folder: &Path,
    name: &str,
    rows: &[T],
) -> Result<()> {
    let mut frame = frame(name, rows)?;
    let mut same = frame.clone();
    let parquet = folder.join(format!("{name}.parquet"));
    let parquet = || {
        write_atomic(&parquet, |file| {
            ParquetWriter::new(file)
                .finish(&mut frame)
                .map(|_| ())
                .map_err(io::Error::other)
        })
    };
    let text = folder.join(format!("{name}.tsv"));
    let text = || {
        write_atomic(&text, |file| {
            CsvWriter::new(file)
                .with_separator(b'\t')
                .finish(&mut same)
                .map_err(io::Error::other)
        })
    };
    let (parquet, text) = rayon::join(parquet, text);
    parquet.and(text)
}

/// Reads `FOLDER/NAME.parquet` back. What was not finite is `NaN`, or `None` where the field is an
/// option.
///
/// # Errors
/// A file that cannot be read, lacks a column of the row's struct, or has one of another type.
pub fn read<T: DeserializeOwned>(folder: &Path, name: &str) -> Result<Vec<T>> {
    let path = folder.join(format!("{name}.parquet"));
    let wrong = |what: &dyn std::fmt::Display| {
        Error::file(&path, format!("the table cannot be read: {what}"))
    };
    let file = std::fs::File::open(&path).map_err(Error::io(&path))?;
    let frame = contained(|| ParquetReader::new(file).finish())
        .map_err(|what| wrong(&what))?
        .map_err(|e| wrong(&e))?;
    let fields = fields::<T>().map_err(|e| wrong(&e))?;
    let columns = fields
        .iter()
        .map(|field| cells(&frame, field))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| wrong(&e))?;
    (0..frame.height())
        .map(|index| rows::row(&fields, &columns, index).map_err(|e| wrong(&e)))
        .collect()
}

fn cells<'a>(frame: &'a DataFrame, field: &Field) -> Result<Cells<'a>, PolarsError> {
    let column = frame.column(field.name)?;
    Ok(match field.kind {
        ColumnType::Text => Cells::Text(column.str()?.iter().collect()),
        ColumnType::Float => Cells::Float(column.f64()?.iter().collect()),
        ColumnType::Integer => Cells::Integer(column.i64()?.iter().collect()),
        ColumnType::Truth => Cells::Truth(column.bool()?.iter().collect()),
    })
}

/// Rows that are made columns at once.
const ROWS: usize = 1 << 15;

fn frame<T: Serialize + DeserializeOwned + Sync>(name: &str, rows: &[T]) -> Result<DataFrame> {
    let wrong = |what: &dyn std::fmt::Display| Error::Invalid(format!("table {name}: {what}"));
    let fields = fields::<T>().map_err(|e| wrong(&e))?;
    let some = |rows: &[T]| -> Result<DataFrame> {
        let mut values: Vec<Vec<Value>> = fields
            .iter()
            .map(|_| Vec::with_capacity(rows.len()))
            .collect();
        for row in rows {
            let Value::Object(mut row) = serde_json::to_value(row).map_err(|e| wrong(&e))? else {
                return Err(wrong(&"its rows are no structs"));
            };
            for (column, field) in values.iter_mut().zip(&fields) {
                column.push(row.swap_remove(field.name).unwrap_or(Value::Null));
            }
        }
        let columns = fields
            .iter()
            .zip(values)
            .map(|(field, values)| column(field, &values))
            .collect();
        DataFrame::new(rows.len(), columns).map_err(|e| wrong(&e))
    };
    let mut frame = some(&[])?;
    for some in rows
        .par_chunks(ROWS)
        .map(some)
        .collect::<Result<Vec<_>>>()?
    {
        frame.vstack_mut(&some).map_err(|e| wrong(&e))?;
    }
    frame.rechunk_mut();
    Ok(frame)
}

fn column(field: &Field, values: &[Value]) -> Column {
    let name = field.name.into();
    match field.kind {
        ColumnType::Text => Column::new(name, values.iter().map(Value::as_str).collect::<Vec<_>>()),
        ColumnType::Float => {
            Column::new(name, values.iter().map(Value::as_f64).collect::<Vec<_>>())
        }
        ColumnType::Integer => {
            Column::new(name, values.iter().map(Value::as_i64).collect::<Vec<_>>())
        }
        ColumnType::Truth => {
            Column::new(name, values.iter().map(Value::as_bool).collect::<Vec<_>>())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::{CsvParseOptions, CsvReadOptions};
    use serde::Deserialize;

    #[derive(Debug, Serialize, Deserialize)]
    struct Row {
        name: String,
        n: u64,
        shift: i64,
        value: f64,
        maybe: Option<f64>,
        partner: Option<String>,
        good: bool,
    }

    fn rows() -> Vec<Row> {
        let row = |name: &str, value, maybe, partner: Option<&str>| Row {
            name: name.into(),
            n: 1 << 40,
            shift: -3,
            value,
            maybe,
            partner: partner.map(Into::into),
            good: true,
        };
        vec![
            row("a\tb", 0.1 + 0.2, None, None),
            row("\"q\"", f64::NAN, Some(1e-300), Some("p")),
            row("", 1.0 / 3.0, Some(1e22), None),
        ]
    }

    #[test]
    fn both_files_give_back_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "rows", &rows()).unwrap();
        let parquet = std::fs::File::open(folder.path().join("rows.parquet")).unwrap();
        let parquet = ParquetReader::new(parquet).finish().unwrap();
        let text = std::fs::read_to_string(folder.path().join("rows.tsv")).unwrap();
        let options = CsvReadOptions::default()
            .with_parse_options(CsvParseOptions::default().with_separator(b'\t'));
        let tsv = options
            .into_reader_with_file_handle(std::io::Cursor::new(text.clone()))
            .finish()
            .unwrap();
        for frame in [&parquet, &tsv] {
            assert_eq!(
                frame.get_column_names(),
                ["name", "n", "shift", "value", "maybe", "partner", "good"]
            );
            let floats = |name: &str| {
                frame
                    .column(name)
                    .unwrap()
                    .f64()
                    .unwrap()
                    .iter()
                    .collect::<Vec<_>>()
            };
            assert_eq!(floats("value"), [Some(0.1 + 0.2), None, Some(1.0 / 3.0)]);
            assert_eq!(floats("maybe"), [None, Some(1e-300), Some(1e22)]);
            assert_eq!(
                frame.column("n").unwrap().i64().unwrap().get(0),
                Some(1 << 40)
            );
            assert_eq!(
                frame.column("name").unwrap().str().unwrap().get(0),
                Some("a\tb")
            );
        }
        assert!(
            text.starts_with("name\tn\tshift\tvalue\tmaybe\tpartner\tgood\n"),
            "{text}"
        );
        assert!(text.contains("0.30000000000000004\t\t\ttrue\n"), "{text}");
    }

    #[test]
    fn rows_come_back() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "rows", &rows()).unwrap();
        let back: Vec<Row> = read(folder.path(), "rows").unwrap();
        let text = |rows: &[Row]| serde_json::to_string(rows).unwrap();
        assert_eq!(text(&back), text(&rows()));
        assert!(back[1].value.is_nan() && back[0].maybe.is_none());

        #[derive(Debug, Serialize, Deserialize)]
        struct Other {
            n: String,
        }
        let message = read::<Other>(folder.path(), "rows")
            .unwrap_err()
            .to_string();
        assert!(message.contains("rows.parquet"), "{message}");
        assert!(
            read::<Row>(folder.path(), "none")
                .unwrap_err()
                .to_string()
                .contains("none.parquet")
        );
    }

    #[test]
    fn a_table_without_rows_keeps_its_columns() {
        let folder = tempfile::tempdir().unwrap();
        write::<Row>(folder.path(), "rows", &[]).unwrap();
        let text = std::fs::read_to_string(folder.path().join("rows.tsv")).unwrap();
        assert_eq!(text, "name\tn\tshift\tvalue\tmaybe\tpartner\tgood\n");
        let parquet = std::fs::File::open(folder.path().join("rows.parquet")).unwrap();
        let parquet = ParquetReader::new(parquet).finish().unwrap();
        assert_eq!(
            (
                parquet.height(),
                parquet
                    .column("partner")
                    .unwrap()
                    .dtype()
                    .to_string()
                    .as_str()
            ),
            (0, "str")
        );
    }
}
