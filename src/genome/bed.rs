//! BED files: regions with a name and a strand, plain or gzip.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use crate::error::{Error, Result};
use crate::genome::{Interval, Strand};

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BedRecord {
    /// Contig, as the file names it.
    pub contig: String,
    /// The region, 0-based and half-open as in the file; it may be empty, which is then one inter-base position.
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

/// Reads a BED file, plain or gzip (told by content). `track` and `browser` lines, comments and blank lines are passed over.
///
/// # Errors
/// An unreadable file; [`Error::Parse`] with the line number for fewer than three columns, a start or end that is no number, an end before its
/// start, or a strand other than `+`, `-` and `.`.
pub fn read(path: &Path) -> Result<Vec<BedRecord>> {
    let mut file = File::open(path).map_err(Error::io(path))?;
    let mut head = Vec::new();
    file.by_ref().take(2).read_to_end(&mut head).map_err(Error::io(path))?;
    let gzip = head == [0x1f, 0x8b];
    let whole = BufReader::new(std::io::Cursor::new(head).chain(file));
    if gzip { parse(path, BufReader::new(flate2::bufread::MultiGzDecoder::new(whole))) } else { parse(path, whole) }
}

fn parse(path: &Path, reader: impl BufRead) -> Result<Vec<BedRecord>> {
    let mut records = Vec::new();
    for (number, line) in reader.lines().enumerate() {
        let line = line.map_err(Error::io(path))?;
        let text = line.trim_end();
        let passed_over = ["#", "track", "browser"].iter().any(|start| text.starts_with(start));
        if text.is_empty() || passed_over {
            continue;
        }
        let wrong = |message: String| Error::Parse { path: path.to_path_buf(), line: number as u64 + 1, message };
        let columns: Vec<&str> = if text.contains('\t') { text.split('\t').collect() } else { text.split_whitespace().collect() };
        let [contig, start, end, ..] = columns[..] else {
            return Err(wrong(format!("a BED line has at least three columns, this one has {}", columns.len())));
        };
        let position = |text: &str| text.parse::<usize>().map_err(|_| wrong(format!("'{text}' is no position")));
        let interval = Interval::new(position(start)?, position(end)?);
        if interval.end < interval.start {
            return Err(wrong(format!("the end {} lies before the start {}", interval.end, interval.start)));
        }
        let strand = match columns.get(5).copied().unwrap_or(".") {
            "+" => Some(Strand::Plus),
            "-" => Some(Strand::Minus),
            "." | "" => None,
            other => return Err(wrong(format!("'{other}' is no strand: + or - or ."))),
        };
        let name = columns.get(3).copied().unwrap_or_default().to_string();
        records.push(BedRecord { contig: contig.to_string(), interval, name, strand });
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_their_faults() {
        let read = |text: &str| parse(Path::new("x.bed"), text.as_bytes());
        let text = "track name=x\n#c\nchr1\t5\t5\tchr1:3:+\t0\t+\r\n\nchr2 7 9\nchr1\t1\t4\tn\t0\t-\n";
        let records = read(text).unwrap();
        assert_eq!(records.len(), 3);
        assert_eq!(
            (records[0].name.as_str(), records[0].strand, records[0].interval),
            ("chr1:3:+", Some(Strand::Plus), Interval::new(5, 5))
        );
        assert_eq!((records[1].strand, records[1].contig.as_str()), (None, "chr2"));
        assert_eq!((records[2].upstream_end(Strand::Plus), records[2].upstream_end(Strand::Minus)), (1, 4));
        assert!(read("").unwrap().is_empty());
        for (text, part) in [
            ("chr1\t5\n", "x.bed:1: a BED line"),
            ("\nchr1\tx\t5\n", "x.bed:2: 'x' is no position"),
            ("chr1\t9\t5\n", "before the start"),
            ("chr1\t-1\t5\n", "no position"),
            ("chr1\t1\t5\t.\t0\tplus\n", "no strand"),
        ] {
            let message = read(text).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }
}
