//! BED files: regions with a name and a strand, plain, gzip or bgzip.

use std::path::Path;

use crate::error::{Error, Result};
use crate::genome::contig_names::ContigNames;
use crate::genome::fasta::Contig;
use crate::genome::text::{self, Lines, printable};
use crate::genome::{Interval, Strand};

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BedRecord {
    /// Its number in the file, from 1 on.
    pub line: u64,
    /// Contig, as the file names it.
    pub contig: String,
    /// The region, 0-based and half-open as in the file; it may be empty, which is then one
    /// inter-base position.
    pub interval: Interval,
    /// The fourth column; empty for none.
    pub name: String,
    /// The sixth column; `None` for `.` or none.
    pub strand: Option<Strand>,
}

impl BedRecord {
    /// The inter-base position at its upstream end: `start` on plus, `end` on minus.
    pub fn upstream_end(&self, strand: Strand) -> usize {
        match strand {
            Strand::Plus => self.interval.start,
            Strand::Minus => self.interval.end,
        }
    }
}

/// The columns of a line.
pub(super) struct Columns<'a>(Vec<&'a str>);

impl Columns<'_> {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    pub fn contig(&self) -> String {
        printable(self.0[0].as_bytes())
    }

    /// Empty for none.
    pub fn name(&self) -> String {
        printable(self.0.get(3).unwrap_or(&"").as_bytes())
    }

    /// A start and the end after it, counted from column 0. It may be empty.
    pub fn interval(&self, column: usize) -> std::result::Result<Interval, String> {
        let position = |column: usize| {
            let text = self.0.get(column).copied().unwrap_or_default();
            text.parse::<usize>()
                .map_err(|_| format!("'{text}' is no position"))
        };
        let interval = Interval::new(position(column)?, position(column + 1)?);
        match interval.end < interval.start {
            true => Err(format!(
                "the end {} lies before the start {}",
                interval.end, interval.start
            )),
            false => Ok(interval),
        }
    }

    /// `None` for `.` and for none.
    pub fn strand(&self) -> std::result::Result<Option<Strand>, String> {
        match self.0.get(5).copied().unwrap_or(".") {
            "+" => Ok(Some(Strand::Plus)),
            "-" => Ok(Some(Strand::Minus)),
            "." | "" => Ok(None),
            other => Err(format!("'{other}' is no strand: + or - or .")),
        }
    }
}

/// Hands the lines of a BED file to `take`, with their numbers. Columns are separated by tabs, or
/// in a line without a tab by spaces. `track` and `browser` lines, comments and blank lines are
/// passed over.
///
/// # Errors
/// An unreadable file; [`Error::Parse`] with the line for fewer than three columns, and for what
/// `take` says.
pub(super) fn each(
    path: &Path,
    mut take: impl FnMut(u64, &Columns<'_>) -> std::result::Result<(), String>,
) -> Result<()> {
    let mut lines = Lines::new(path, text::open(path)?);
    while let Some((line, bytes)) = lines.advance()? {
        let wrong = |message: String| Error::Parse {
            path: path.to_path_buf(),
            line,
            message,
        };
        let text = String::from_utf8_lossy(bytes);
        let first = text.split_whitespace().next().unwrap_or_default();
        if first.is_empty() || first.starts_with('#') || matches!(first, "track" | "browser") {
            continue;
        }
        let columns: Vec<&str> = if text.contains('\t') {
            text.split('\t').map(str::trim).collect()
        } else {
            text.split_whitespace().collect()
        };
        if columns.len() < 3 {
            return Err(wrong(format!(
                "a BED line has at least three columns, this one has {}",
                columns.len()
            )));
        }
        take(line, &Columns(columns)).map_err(wrong)?;
    }
    Ok(())
}

/// Reads a BED file.
///
/// # Errors
/// An unreadable file; [`Error::Parse`] with the line number for fewer than three columns, a start
/// or end that is no number, an end before its start, or a strand other than `+`, `-` and `.`.
pub fn read(path: &Path) -> Result<Vec<BedRecord>> {
    let mut records = Vec::new();
    each(path, |line, columns| {
        let (contig, name) = (columns.contig(), columns.name());
        records.push(BedRecord {
            line,
            contig,
            interval: columns.interval(1)?,
            name,
            strand: columns.strand()?,
        });
        Ok(())
    })?;
    Ok(records)
}

/// Reads a BEDPE file: two records a line, one of its first three columns and one of the next three;
/// an end whose contig is `.` is none.
///
/// # Errors
/// An unreadable file; [`Error::Parse`] with the line number for fewer than six columns and for
/// positions as in [`read`].
pub fn read_paired(path: &Path) -> Result<Vec<BedRecord>> {
    let mut records = Vec::new();
    each(path, |line, columns| {
        if columns.count() < 6 {
            return Err(format!(
                "a BEDPE line has at least six columns, this one has {}",
                columns.count()
            ));
        }
        for first in [0, 3] {
            let contig = printable(columns.0[first].as_bytes());
            if contig != "." {
                records.push(BedRecord {
                    line,
                    contig,
                    interval: columns.interval(first + 1)?,
                    name: String::new(),
                    strand: None,
                });
            }
        }
        Ok(())
    })?;
    Ok(records)
}

/// Reads positions on a genome with these contigs, each with its strand: contigs get the genome's
/// names, also in names such as `4:24052:+`.
///
/// # Errors
/// As [`read`]; [`Error::Parse`] too for a contig that the genome lacks, a position beyond its
/// contig, and a line without a strand.
pub fn read_positions(path: &Path, contigs: &[Contig]) -> Result<Vec<BedRecord>> {
    let names = ContigNames::new(contigs.iter().map(|contig| &contig.name));
    let mut records = read(path)?;
    for record in &mut records {
        let wrong = |message: String| Error::Parse {
            path: path.to_path_buf(),
            line: record.line,
            message,
        };
        let found = names.find(&record.contig);
        let contig = &contigs[found.ok_or_else(|| wrong(names.lacks(&record.contig)))?];
        if record.interval.end > contig.length_bp {
            return Err(wrong(format!(
                "{} reaches beyond the contig, which has {} bases",
                record.interval.end, contig.length_bp
            )));
        }
        if record.strand.is_none() {
            return Err(wrong("no strand: column 6 must be + or -".into()));
        }
        if let Some((of, rest)) = record.name.split_once(':')
            && names.find(of) == found
        {
            record.name = format!("{}:{rest}", contig.name);
        }
        record.contig = contig.name.clone();
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written<T>(bytes: &[u8], read: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.bed");
        std::fs::write(&path, bytes).unwrap();
        read(&path)
    }

    #[test]
    fn lines_and_their_faults() {
        let read = |text: &str| written(text.as_bytes(), read);
        let text =
            "track name=x\n#c\nchr1\t5\t5\tchr1:3:+\t0\t+\r\n\nchr2 7 9\nchr1\t1\t4\tn\t0\t-\n";
        let records = read(text).unwrap();
        assert_eq!(records, read(&format!("\u{feff}{text}")).unwrap());
        assert_eq!(
            records.iter().map(|record| record.line).collect::<Vec<_>>(),
            [3, 5, 6]
        );
        assert_eq!(
            (
                records[0].name.as_str(),
                records[0].strand,
                records[0].interval
            ),
            ("chr1:3:+", Some(Strand::Plus), Interval::new(5, 5))
        );
        assert_eq!(
            (records[1].strand, records[1].contig.as_str()),
            (None, "chr2")
        );
        assert_eq!(
            (
                records[2].upstream_end(Strand::Plus),
                records[2].upstream_end(Strand::Minus)
            ),
            (1, 4)
        );
        assert_eq!(read("track1\t1\t2\n").unwrap()[0].contig, "track1");
        assert_eq!(read("c\x1b[1m\t1\t2\ta\x07\n").unwrap()[0].contig, "c [1m");
        assert!(read("").unwrap().is_empty());
        for (text, part) in [
            ("chr1\t5\n", "x.bed:1: a BED line"),
            ("\nchr1\tx\t5\n", "x.bed:2: 'x' is no position"),
            ("chr1\t6e+03\t6500\n", "x.bed:1: '6e+03' is no position"),
            ("chr1\t9\t5\n", "before the start"),
            ("chr1\t-1\t5\n", "no position"),
            ("chr1\t1\t5\t.\t0\tplus\n", "no strand"),
            (
                "chr1\t1\t5\rchr1\t7\t9\r",
                "x.bed:1: its lines end in carriage returns",
            ),
        ] {
            let message = read(text).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn positions_are_on_the_genome_and_have_a_strand() {
        let contigs = [Contig {
            name: "chr4".into(),
            length_bp: 100,
        }];
        let read = |text: &str| written(text.as_bytes(), |path| read_positions(path, &contigs));
        let found = read("4\t7\t8\t4:5:+\t0\t+\nchr4\t7\t100\tx:5\t0\t-\n").unwrap();
        assert_eq!(
            (found[0].contig.as_str(), found[0].name.as_str()),
            ("chr4", "chr4:5:+")
        );
        assert_eq!(found[1].name, "x:5");
        for (text, part) in [
            (
                "#\nchrX\t1\t2\t.\t0\t+\n",
                "x.bed:2: the genome has no contig 'chrX'; it has chr4",
            ),
            ("chr4\t1\t2\n", "x.bed:1: no strand"),
            ("chr4\t1\t101\t.\t0\t+\n", "x.bed:1: 101 reaches beyond"),
        ] {
            let message = read(text).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }
}
