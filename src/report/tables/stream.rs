//! A table of values by base, written as they come: columns `contig`, `position` (0-based base) and
//! `value`, missing values left out.

use std::fs::File;
use std::path::{Path, PathBuf};

use polars::prelude::{Column, DataFrame, DataType, Field, ParquetWriter, PolarsError, Schema};

use crate::error::{Error, Result};

/// Rows of a row group.
const ROWS: usize = 1 << 18;

/// The parquet file in the making.
pub struct BaseTable {
    path: PathBuf,
    writer: polars::io::parquet::write::BatchedWriter<File>,
    contigs: Vec<String>,
    positions: Vec<i64>,
    values: Vec<f32>,
}

impl BaseTable {
    /// Starts a table in a file; `path` is what errors call it.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn new(file: File, path: &Path) -> Result<BaseTable> {
        let fields = [
            ("contig", DataType::String),
            ("position", DataType::Int64),
            ("value", DataType::Float32),
        ];
        let schema = Schema::from_iter(fields.map(|(name, kind)| Field::new(name.into(), kind)));
        let writer = ParquetWriter::new(file)
            .batched(&schema)
            .map_err(|e| refused(path, &e))?;
        Ok(BaseTable {
            path: path.to_path_buf(),
            writer,
            contigs: Vec::new(),
            positions: Vec::new(),
            values: Vec::new(),
        })
    }

    /// Adds values of consecutive bases from `first` on.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn add(&mut self, contig: &str, first: usize, values: &[f32]) -> Result<()> {
        for (base, value) in (first as i64..)
            .zip(values)
            .filter(|(_, value)| !value.is_nan())
        {
            self.contigs.push(contig.into());
            self.positions.push(base);
            self.values.push(*value);
        }
        if self.values.len() >= ROWS {
            self.flush()
        } else {
            Ok(())
        }
    }

    fn flush(&mut self) -> Result<()> {
        let (contigs, positions) = (
            std::mem::take(&mut self.contigs),
            std::mem::take(&mut self.positions),
        );
        let values = std::mem::take(&mut self.values);
        let columns = vec![
            Column::new("contig".into(), contigs),
            Column::new("position".into(), positions),
            Column::new("value".into(), values),
        ];
        let wrong = |e: PolarsError| refused(&self.path, &e);
        let frame = DataFrame::new_infer_height(columns).map_err(wrong)?;
        self.writer.write_batch(&frame).map_err(wrong)
    }

    /// Ends the file.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn finish(mut self) -> Result<()> {
        self.flush()?;
        self.writer
            .finish()
            .map(drop)
            .map_err(|e| refused(&self.path, &e))
    }
}

fn refused(path: &Path, error: &PolarsError) -> Error {
    Error::file(path, format!("the table cannot be written: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::{ParquetReader, SerReader};

    #[test]
    fn batches_make_one_table() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.parquet");
        let mut table = BaseTable::new(File::create(&path).unwrap(), &path).unwrap();
        let values: Vec<f32> = (0..ROWS + 10)
            .map(|i| if i % 5 == 4 { f32::NAN } else { i as f32 })
            .collect();
        for (piece, part) in values.chunks(1000).enumerate() {
            table.add("c1", piece * 1000, part).unwrap();
        }
        table.add("c2", 7, &[0.5]).unwrap();
        table.finish().unwrap();
        let frame = ParquetReader::new(File::open(&path).unwrap())
            .finish()
            .unwrap();
        assert_eq!(
            frame.height(),
            values.iter().filter(|v| !v.is_nan()).count() + 1
        );
        let (positions, read) = (
            frame.column("position").unwrap().i64().unwrap(),
            frame.column("value").unwrap().f32().unwrap(),
        );
        assert!(
            (0..frame.height() - 1)
                .all(|row| positions.get(row).map(|p| p as f32) == read.get(row))
        );
        assert_eq!(
            frame
                .column("contig")
                .unwrap()
                .str()
                .unwrap()
                .get(frame.height() - 1),
            Some("c2")
        );
    }
}
