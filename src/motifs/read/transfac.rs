//! TRANSFAC records, as JASPAR, TRANSFAC and PRODORIC write them. JASPAR's comment lines give
//! taxonomic group, families and classes.

use super::{Lines, letter_index};
use crate::error::Result;
use crate::motifs::{Motif, NOMINAL_SITES};

#[derive(Default)]
struct Record<'a> {
    accession: Option<&'a str>,
    id: Option<&'a str>,
    name: Option<&'a str>,
    /// Where the `P0` line is and which letter each of its columns holds.
    letters: Option<(u64, [usize; 4])>,
    columns: Vec<[f64; 4]>,
    /// The rows of the matrix go on; any line that is none ends them.
    in_matrix: bool,
    /// The number of the next row, which follows from the row before.
    next: Option<u64>,
    tax_group: &'a str,
    families: Vec<String>,
    classes: Vec<String>,
}

pub(super) fn read(lines: &Lines) -> Result<Vec<Motif>> {
    let (mut motifs, mut record) = (Vec::new(), Record::default());
    for &(line, text) in &lines.lines {
        if text.starts_with("//") {
            motifs.extend(finish(lines, std::mem::take(&mut record))?);
            continue;
        }
        let (key, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let rest = rest.trim();
        if key.bytes().all(|b| b.is_ascii_digit()) {
            let Some((_, letters)) = record.letters else {
                return Err(lines.wrong(
                    line,
                    "a row of numbers before the P0 line that names its letters",
                ));
            };
            let number: u64 = key
                .parse()
                .map_err(|_| lines.wrong(line, format!("'{key}' is no number of a row")))?;
            match (record.in_matrix, record.next) {
                (true, Some(next)) if next != number => {
                    return Err(lines.wrong(
                        line,
                        format!("row {number} of the matrix where row {next} should be"),
                    ));
                }
                (true, _) => {
                    record.columns.push(column(lines, line, rest, letters)?);
                    record.next = number.checked_add(1);
                }
                (false, Some(next)) if next == number => {
                    return Err(lines.wrong(
                        line,
                        format!(
                            "row {number} of the matrix after its end: remove what stands before it"
                        ),
                    ));
                }
                // Numbered rows of another section.
                (false, _) => record.next = None,
            }
            continue;
        }
        record.in_matrix = false;
        match key {
            "P0" | "PO" if record.letters.is_some() => {
                return Err(lines.wrong(
                    line,
                    "a second P0 line in one record: the // that ends a record lacks before it",
                ));
            }
            "AC" => record.accession = Some(rest),
            "ID" => record.id = Some(rest),
            "NA" => record.name = Some(rest),
            "P0" | "PO" => {
                (record.letters, record.in_matrix) =
                    (Some((line, letters(lines, line, rest)?)), true)
            }
            "CC" => {
                // Several values are separated by semicolons; commas belong to names.
                let values = |list: &str| {
                    list.split(';')
                        .map(|v| v.trim().to_string())
                        .filter(|v| !v.is_empty())
                        .collect()
                };
                match rest.split_once(':') {
                    Some(("tax_group", group)) => record.tax_group = group.trim(),
                    Some(("tf_family", list)) => record.families = values(list),
                    Some(("tf_class", list)) => record.classes = values(list),
                    _ => {}
                }
            }
            _ => {}
        }
    }
    motifs.extend(finish(lines, record)?); // the last may lack its //
    Ok(motifs)
}

/// A row: four numbers, which a consensus letter may follow.
fn column(lines: &Lines, line: u64, text: &str, letters: [usize; 4]) -> Result<[f64; 4]> {
    let numbers = lines.numbers(line, text.split_whitespace().take(4))?;
    if numbers.len() < 4 {
        return Err(lines.wrong(line, format!("expected 4 numbers, found {}", numbers.len())));
    }
    let mut column = [0.0; 4];
    letters
        .iter()
        .zip(numbers)
        .for_each(|(letter, number)| column[*letter] = number);
    Ok(column)
}

fn letters(lines: &Lines, line: u64, text: &str) -> Result<[usize; 4]> {
    let wrong = || {
        lines.wrong(
            line,
            format!("expected the letters A, C, G and T, found '{text}'"),
        )
    };
    let found: Vec<usize> = text
        .split_whitespace()
        .filter(|w| w.len() == 1)
        .filter_map(|w| letter_index(w.as_bytes()[0]))
        .collect();
    let letters: [usize; 4] = found.try_into().map_err(|_| wrong())?;
    if (0..4).all(|letter| letters.contains(&letter)) {
        Ok(letters)
    } else {
        Err(wrong())
    }
}

/// `None` for a record without a matrix, as the version header is.
fn finish(lines: &Lines, record: Record) -> Result<Option<Motif>> {
    let Some((line, _)) = record.letters else {
        return Ok(None);
    };
    let id = record
        .accession
        .or(record.id)
        .or(record.name)
        .unwrap_or_default();
    let name = record.name.or(record.id).unwrap_or_default();
    let motif = Motif::new(id, name, record.columns, NOMINAL_SITES)
        .map_err(|message| lines.wrong(line, message))?;
    let Record {
        families, classes, ..
    } = record;
    Ok(Some(Motif {
        tax_group: record.tax_group.into(),
        families,
        classes,
        ..motif
    }))
}
