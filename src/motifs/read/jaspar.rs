//! `>` headers and rows of numbers: JASPAR (letters before rows), raw PFM (four bare rows) and
//! HOMER (one row a column).

use super::{Lines, letter_index};
use crate::error::Result;
use crate::motifs::{Motif, NOMINAL_SITES};

/// One matrix while its rows are read.
struct Record {
    line: u64,
    id: String,
    name: String,
    /// (line, letter before the row, numbers).
    rows: Vec<(u64, Option<usize>, Vec<f64>)>,
}

pub(super) fn read(lines: &Lines) -> Result<Vec<Motif>> {
    let mut records: Vec<Record> = Vec::new();
    for (line, text) in lines
        .lines
        .iter()
        .copied()
        .filter(|(_, text)| !text.starts_with('#'))
    {
        if let Some(header) = text.strip_prefix('>') {
            let header = header.trim();
            let (id, rest) = header
                .split_once(char::is_whitespace)
                .unwrap_or((header, ""));
            let name = rest.trim().split('\t').next().unwrap_or_default().trim();
            records.push(Record {
                line,
                id: id.into(),
                name: name.into(),
                rows: Vec::new(),
            });
            continue;
        }
        if records.is_empty() {
            let id = lines
                .path
                .file_stem()
                .map(|stem| stem.to_string_lossy().replace(char::is_whitespace, "_"))
                .unwrap_or_default();
            records.push(Record {
                line,
                id,
                name: String::new(),
                rows: Vec::new(),
            });
        }
        if let Some(record) = records.last_mut() {
            record.rows.push(row(lines, line, text)?);
        }
    }
    records
        .into_iter()
        .map(|record| finish(lines, record))
        .collect()
}

/// `A [ 1 2 3 ]`, `A | 1 2 3`, `A: 1 2 3`, `A 1 2 3` or `1 2 3`.
fn row(lines: &Lines, line: u64, text: &str) -> Result<(u64, Option<usize>, Vec<f64>)> {
    let mut words = text
        .split(|c: char| c.is_whitespace() || "[]|:".contains(c))
        .filter(|word| !word.is_empty())
        .peekable();
    let letter = words
        .peek()
        .filter(|word| word.len() == 1)
        .and_then(|word| letter_index(word.as_bytes()[0]));
    if letter.is_some() {
        words.next();
    }
    Ok((line, letter, lines.numbers(line, words)?))
}

fn finish(lines: &Lines, record: Record) -> Result<Motif> {
    let wrong = |line: u64, message: String| lines.wrong(line, message);
    let labelled = record.rows.iter().any(|(_, letter, _)| letter.is_some());
    let columns = if labelled || record.rows.len() == 4 {
        let mut by_letter: [Option<&Vec<f64>>; 4] = [None; 4];
        let width = record
            .rows
            .first()
            .map_or(0, |(_, _, numbers)| numbers.len());
        for (index, (line, letter, numbers)) in record.rows.iter().enumerate() {
            let letter = match letter {
                Some(letter) => *letter,
                None if labelled => return Err(wrong(*line, "a row without its letter".into())),
                None => index,
            };
            if numbers.len() != width {
                return Err(wrong(
                    *line,
                    format!(
                        "{} numbers, where the first row of the matrix has {width}",
                        numbers.len()
                    ),
                ));
            }
            if by_letter[letter].replace(numbers).is_some() {
                return Err(wrong(
                    *line,
                    format!("a second row of {}", char::from(b"ACGT"[letter])),
                ));
            }
        }
        let [Some(a), Some(c), Some(g), Some(t)] = by_letter else {
            return Err(wrong(
                record.line,
                format!(
                    "the matrix '{}' needs a row for each of A, C, G and T",
                    record.id
                ),
            ));
        };
        (0..width)
            .map(|column| [a[column], c[column], g[column], t[column]])
            .collect()
    } else {
        let column = |(line, _, numbers): &(u64, Option<usize>, Vec<f64>)| match numbers[..] {
            [a, c, g, t] => Ok([a, c, g, t]),
            _ => {
                let message = format!(
                    "expected 4 rows (A, C, G, T) or rows of 4 numbers; the matrix '{}' has neither",
                    record.id
                );
                Err(wrong(*line, message))
            }
        };
        record.rows.iter().map(column).collect::<Result<_>>()?
    };
    Motif::new(&record.id, &record.name, columns, NOMINAL_SITES)
        .map_err(|message| wrong(record.line, message))
}
