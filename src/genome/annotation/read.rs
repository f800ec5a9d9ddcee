//! From lines to an annotation: which of the two formats it is, and each line to its reader.

use std::io::BufRead;
use std::path::Path;

use super::lines::split_columns;
use super::{Annotation, Draft};
use crate::error::{Error, Result};
use crate::genome::text::Lines;
use crate::genome::{gff3, gtf};

/// Lines that tell their format, after which it is taken as known.
const ENOUGH_LINES: usize = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Gtf,
    Gff3,
}

enum Reader {
    Gtf(gtf::Reader),
    Gff3(gff3::Reader),
}

/// What speaks for a format.
#[derive(Default)]
struct Evidence {
    /// Lines with `gene_id` or `transcript_id`, and with neither `ID=` nor `Parent=`.
    gtf: usize,
    /// Lines with `ID=` or `Parent=`.
    gff3: usize,
    /// `##gff-version 3`.
    directive: bool,
}

impl Evidence {
    fn see(&mut self, attributes: &[u8]) {
        let pairs = || attributes.split(|b| *b == b';').map(<[u8]>::trim_ascii);
        let starts = |pair: &[u8], key: &[u8], after: &[u8]| {
            pair.starts_with(key) && pair.get(key.len()).is_some_and(|b| after.contains(b))
        };
        if pairs().any(|pair| starts(pair, b"ID", b"=") || starts(pair, b"Parent", b"=")) {
            self.gff3 += 1;
        } else if pairs().any(|pair| {
            starts(pair, b"gene_id", b" \"=") || starts(pair, b"transcript_id", b" \"=")
        }) {
            self.gtf += 1;
        }
    }

    /// By most lines; where none tells, by the directive, else by the name.
    fn format(&self, path: &Path) -> Format {
        let named_gff3 = || {
            path.to_string_lossy()
                .trim_end_matches(".gz")
                .ends_with(".gff3")
        };
        match self.gff3.cmp(&self.gtf) {
            std::cmp::Ordering::Greater => Format::Gff3,
            std::cmp::Ordering::Less => Format::Gtf,
            std::cmp::Ordering::Equal if self.directive || named_gff3() => Format::Gff3,
            std::cmp::Ordering::Equal => Format::Gtf,
        }
    }
}

/// Feature lines on their way to a reader. Until the format is known they are kept.
struct Course<'a> {
    path: &'a Path,
    draft: Draft,
    evidence: Evidence,
    kept: Vec<Vec<u8>>,
    reader: Option<Reader>,
}

impl Course<'_> {
    fn line(&mut self, number: u64, text: &[u8]) -> Result<()> {
        let feature = split_columns(text).map_err(|message| Error::Parse {
            path: self.path.to_path_buf(),
            line: number,
            message,
        })?;
        self.draft.summary.lines += 1;
        match &mut self.reader {
            Some(Reader::Gtf(reader)) => reader.feature(&mut self.draft, &feature),
            Some(Reader::Gff3(reader)) => reader.feature(&mut self.draft, &feature),
            None => {
                self.evidence.see(feature.attributes);
                self.kept.push(text.to_vec());
                if self.evidence.gtf + self.evidence.gff3 >= ENOUGH_LINES {
                    self.settle();
                }
            }
        }
        Ok(())
    }

    /// Takes the format as known and hands on what was kept.
    fn settle(&mut self) {
        let mut reader = match self.evidence.format(self.path) {
            Format::Gtf => Reader::Gtf(gtf::Reader::default()),
            Format::Gff3 => Reader::Gff3(gff3::Reader::default()),
        };
        for feature in std::mem::take(&mut self.kept)
            .iter()
            .filter_map(|text| split_columns(text).ok())
        {
            match &mut reader {
                Reader::Gtf(reader) => reader.feature(&mut self.draft, &feature),
                Reader::Gff3(reader) => reader.feature(&mut self.draft, &feature),
            }
        }
        self.reader = Some(reader);
    }

    fn finish(mut self) -> Result<Annotation> {
        if self.reader.is_none() {
            self.settle();
        }
        let format = match self.reader {
            Some(Reader::Gff3(reader)) => {
                reader.finish(&mut self.draft);
                "GFF3"
            }
            _ => "GTF",
        };
        self.draft.summary.format = format.into();
        let annotation = self.draft.finish(self.path);
        if !annotation.genes.is_empty() {
            return Ok(annotation);
        }
        let summary = annotation.summary;
        Err(Error::file(
            self.path,
            match summary.lines {
                0 => "no feature lines: is this a GTF or GFF3 file?".to_string(),
                lines => {
                    let notes: Vec<String> = summary
                        .notes
                        .iter()
                        .map(|(reason, n)| format!("; {reason}: {n}"))
                        .collect();
                    format!(
                        "no gene model in {lines} feature lines, read as {format}{}",
                        notes.concat()
                    )
                }
            },
        ))
    }
}

/// Reads an annotation; `path` is for messages, and for the format where no line tells it.
pub(super) fn read(path: &Path, reader: impl BufRead) -> Result<Annotation> {
    let mut course = Course {
        path,
        draft: Draft::default(),
        evidence: Evidence::default(),
        kept: Vec::new(),
        reader: None,
    };
    let mut lines = Lines::new(path, reader);
    while let Some((number, text)) = lines.advance()? {
        if text.starts_with(b"##FASTA") || text.starts_with(b">") {
            break; // sequences follow the features
        }
        if let Some(version) = text.strip_prefix(b"##gff-version") {
            course.evidence.directive |= version.trim_ascii().starts_with(b"3");
        }
        if !text.starts_with(b"#") && !text.trim_ascii().is_empty() {
            course.line(number, text)?;
        }
    }
    course.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_that_of_most_lines() {
        let format = |directive: bool, name: &str, lines: &[&str]| {
            let mut evidence = Evidence {
                directive,
                ..Evidence::default()
            };
            lines.iter().for_each(|line| evidence.see(line.as_bytes()));
            evidence.format(Path::new(name))
        };
        let (gtf, gff3) = ("gene_id \"a\"; transcript_id \"b\";", "ID=a;gene_id=b");
        assert_eq!(
            format(false, "x.gff3", &["free text;gene_id \"x\"", gff3, gff3]),
            Format::Gff3
        );
        assert_eq!(
            format(true, "x.gff3.gz", &["Parent=x", gtf, gtf]),
            Format::Gtf
        );
        assert_eq!(
            format(false, "x", &["gene_id=a;transcript_id=b"]),
            Format::Gtf
        );
        assert_eq!(format(false, "x.gff3.gz", &["free text"]), Format::Gff3);
        assert_eq!(format(true, "x.gtf", &["free text"]), Format::Gff3);
        assert_eq!(
            format(false, "x.gtf", &["free text; PARENT=x"]),
            Format::Gtf
        );
    }
}
