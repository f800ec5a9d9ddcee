//! Tables of text: comma- or tab-separated, with a line of column names.

use super::{Columns, Row, Rows, Sheet, places};
use crate::error::Result;
use std::borrow::Cow;

/// Takes the rows of a table of sequences.
pub(super) fn read(text: &[u8], columns: &Columns, longest: usize, rows: &mut Rows) -> Result<()> {
    let table = Text::new(text, rows)?;
    if table.names.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = table.names.iter().map(String::as_str).collect();
    let [sequence, label, name, task] = places(&rows.path, columns, &names)?;
    for (line, at) in table.lines() {
        let found = table.fields(line, at, rows)?;
        let field = |place: Option<usize>| place.map_or(&[][..], |place| found[place].trim_ascii());
        let text = |place| String::from_utf8_lossy(field(place)).into_owned();
        if columns
            .task
            .as_ref()
            .is_some_and(|wanted| field(task) != wanted.as_bytes())
        {
            continue;
        }
        rows.push(
            Row {
                sequence: field(sequence).to_vec(),
                label: text(label),
                name: text(name),
                at,
            },
            longest,
        )?;
    }
    Ok(())
}

/// The fields of the columns `names`, with the number of each line. `file` says where errors are.
pub(super) fn table(file: &Rows, text: &[u8], names: &[&str]) -> Result<Vec<(u64, Vec<String>)>> {
    let table = sheet(file, text)?;
    let place = |name: &&str| {
        let missing = || {
            file.wrong(
                1,
                format!("no column '{name}' among {}", table.names.join(", ")),
            )
        };
        table
            .names
            .iter()
            .position(|column| column == name)
            .ok_or_else(missing)
    };
    let places = names.iter().map(place).collect::<Result<Vec<usize>>>()?;
    Ok(table
        .rows
        .into_iter()
        .map(|(at, fields)| {
            (
                at,
                places.iter().map(|place| fields[*place].clone()).collect(),
            )
        })
        .collect())
}

/// All fields.
pub(super) fn sheet(file: &Rows, text: &[u8]) -> Result<Sheet> {
    let table = Text::new(text, file)?;
    let row = |(line, at): (&[u8], u64)| {
        let found = table.fields(line, at, file)?;
        Ok((
            at,
            found
                .iter()
                .map(|field| String::from_utf8_lossy(field.trim_ascii()).into_owned())
                .collect(),
        ))
    };
    Ok(Sheet {
        rows: table.lines().map(row).collect::<Result<_>>()?,
        names: table.names,
    })
}

/// A table whose first line was read.
struct Text<'a> {
    separator: u8,
    /// Its columns; none of an empty file.
    names: Vec<String>,
    rest: &'a [u8],
}

impl<'a> Text<'a> {
    fn new(text: &'a [u8], file: &Rows) -> Result<Text<'a>> {
        let end = text.iter().position(|b| *b == b'\n').unwrap_or(text.len());
        let (head, rest) = (
            text[..end].trim_ascii(),
            text.get(end + 1..).unwrap_or_default(),
        );
        let separator = if head.contains(&b'\t') { b'\t' } else { b',' };
        let Some(names) = fields(head, separator) else {
            return Err(file.wrong(1, "a quote is not closed"));
        };
        let names = names
            .iter()
            .map(|name| String::from_utf8_lossy(name).trim().to_string());
        Ok(Text {
            separator,
            names: names.filter(|_| !head.is_empty()).collect(),
            rest,
        })
    }

    /// Lines that are not empty, with their numbers.
    fn lines(&self) -> impl Iterator<Item = (&'a [u8], u64)> + use<'a> {
        let lines = self.rest.split(|b| *b == b'\n').zip(2..);
        lines
            .map(|(line, at)| (line.strip_suffix(b"\r").unwrap_or(line), at))
            .filter(|(line, _)| !line.trim_ascii().is_empty())
    }

    /// As many fields as there are columns.
    fn fields(&self, line: &'a [u8], at: u64, file: &Rows) -> Result<Vec<Cow<'a, [u8]>>> {
        match fields(line, self.separator) {
            None => Err(file.wrong(at, "a quote is not closed")),
            Some(found) if found.len() == self.names.len() => Ok(found),
            Some(found) => Err(file.wrong(
                at,
                format!(
                    "{} fields where the first line names {} columns",
                    found.len(),
                    self.names.len()
                ),
            )),
        }
    }
}

/// The fields of a line; a field may stand in double quotes, with its own doubled. `None` where a
/// quote is not closed.
fn fields(line: &[u8], separator: u8) -> Option<Vec<Cow<'_, [u8]>>> {
    if !line.contains(&b'"') {
        return Some(line.split(|b| *b == separator).map(Cow::Borrowed).collect());
    }
    let (mut all, mut field, mut quoted, mut bytes) =
        (Vec::new(), Vec::new(), false, line.iter().peekable());
    while let Some(byte) = bytes.next() {
        match (byte, quoted) {
            (b'"', true) if bytes.peek() == Some(&&b'"') => {
                bytes.next();
                field.push(b'"');
            }
            (b'"', _) => quoted = !quoted,
            (byte, false) if *byte == separator => all.push(Cow::Owned(std::mem::take(&mut field))),
            (byte, _) => field.push(*byte),
        }
    }
    all.push(Cow::Owned(field));
    (!quoted).then_some(all)
}
