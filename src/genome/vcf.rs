//! VCF: records as they are, and a copy of a file with more INFO fields, bgzip with a tabix index.
//!
//! Lines are taken apart at their tabs and otherwise passed on byte by byte: what a file says of
//! its variants comes out as it went in, whether it keeps to the specification or not.

mod annotate;

pub use annotate::{Field, annotate};

use std::path::Path;

use crate::error::{Error, Result};
use crate::genome::text::{self, Lines, printable};

/// A file of variants has these columns at least: CHROM, POS, ID, REF, ALT.
const LEAST_COLUMNS: usize = 5;

/// One line of variants.
#[derive(Clone, Debug)]
pub struct Record<'a> {
    /// Its number, from 1.
    pub line: u64,
    columns: Vec<&'a [u8]>,
    first: u64,
}

impl<'a> Record<'a> {
    fn new(path: &Path, line: u64, text: &'a [u8]) -> Result<Record<'a>> {
        let wrong = |message: String| Error::Parse {
            path: path.into(),
            line,
            message,
        };
        let columns: Vec<&[u8]> = text.split(|b| *b == b'\t').collect();
        if columns.len() < LEAST_COLUMNS {
            let what = format!(
                "{} columns; a variant has CHROM, POS, ID, REF and ALT, with tabs between them",
                columns.len()
            );
            return Err(wrong(what));
        }
        let first = std::str::from_utf8(columns[1])
            .ok()
            .and_then(|text| text.trim().parse().ok());
        let first =
            first.ok_or_else(|| wrong(format!("POS '{}' is no number", printable(columns[1]))))?;
        Ok(Record {
            line,
            columns,
            first,
        })
    }

    fn text(&self, column: usize) -> String {
        self.columns
            .get(column)
            .map_or(String::new(), |text| printable(text.trim_ascii()))
    }

    /// CHROM.
    pub fn contig(&self) -> String {
        self.text(0)
    }

    /// POS: the first base of the reference allele, counted from 1; 0 is before the first base.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// ID; empty for none.
    pub fn id(&self) -> String {
        Some(self.text(2))
            .filter(|id| id != ".")
            .unwrap_or_default()
    }

    /// REF.
    pub fn reference(&self) -> String {
        self.text(3)
    }

    /// The alternative alleles, one at least: `.` where there is none.
    pub fn alternates(&self) -> Vec<String> {
        self.text(4)
            .split(',')
            .map(|allele| allele.trim().to_string())
            .collect()
    }

    /// The value of an INFO field; empty for a flag, `None` where it is not there.
    pub fn info(&self, key: &str) -> Option<String> {
        let info = self.text(7);
        info.split(';')
            .find_map(|field| match field.split_once('=') {
                Some((name, value)) => (name == key).then(|| value.to_string()),
                None => (field == key).then(String::new),
            })
    }

    /// The last base, counted from 1: of the reference allele, or the field END where that is
    /// further.
    fn last(&self) -> u64 {
        let of_reference = self.first + (self.columns[3].len() as u64).max(1) - 1;
        self.info("END")
            .and_then(|end| end.parse().ok())
            .unwrap_or(0)
            .max(of_reference)
    }
}

/// A line of a file.
enum Line<'a> {
    Header(&'a [u8]),
    Record(Record<'a>),
}

/// Hands over all lines but empty ones.
fn lines(path: &Path, found: &mut dyn FnMut(Line<'_>) -> Result<()>) -> Result<()> {
    let mut lines = Lines::new(path, text::open(path)?);
    let (mut names, mut any) = (false, false);
    while let Some((number, line)) = lines.advance()? {
        any = true;
        if line.starts_with(b"#") {
            names |= line.starts_with(b"#CHROM");
            found(Line::Header(line))?;
        } else if !line.trim_ascii().is_empty() {
            if !names {
                let message = "a variant before the line of columns (#CHROM POS ID REF ALT ...): this is no VCF".to_string();
                return Err(Error::Parse {
                    path: path.into(),
                    line: number,
                    message,
                });
            }
            found(Line::Record(Record::new(path, number, line)?))?;
        }
    }
    if any && names {
        Ok(())
    } else {
        Err(Error::file(
            path,
            "has no line of columns (#CHROM POS ID REF ALT ...): this is no VCF",
        ))
    }
}

/// Hands over the records of a VCF: plain, gzip or bgzip, told apart by content.
///
/// # Errors
/// An unreadable file, one without a line of columns, a line that is no variant, and those of
/// `found`.
pub fn read(path: &Path, found: &mut dyn FnMut(&Record<'_>) -> Result<()>) -> Result<()> {
    lines(path, &mut |line| match line {
        Line::Header(_) => Ok(()),
        Line::Record(record) => found(&record),
    })
}

#[cfg(test)]
mod tests;
