//! Tables of text: comma- or tab-separated, with a line of column names.

use super::{Columns, Row, Rows, places};
use crate::error::Result;
use std::borrow::Cow;

pub(super) fn read(text: &[u8], columns: &Columns, longest: usize, rows: &mut Rows) -> Result<()> {
    let mut lines = text.split(|b| *b == b'\n').zip(1..).map(|(line, at)| (line.strip_suffix(b"\r").unwrap_or(line), at));
    let Some((head, _)) = lines.next().filter(|(head, _)| !head.is_empty()) else { return Ok(()) };
    let separator = if head.contains(&b'\t') { b'\t' } else { b',' };
    let Some(names) = fields(head, separator) else { return Err(rows.wrong(1, "a quote is not closed")) };
    let names: Vec<String> = names.iter().map(|name| String::from_utf8_lossy(name).trim().to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let [sequence, label, name, task] = places(&rows.path, columns, &names)?;
    for (line, at) in lines {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let Some(found) = fields(line, separator) else { return Err(rows.wrong(at, "a quote is not closed")) };
        if found.len() != names.len() {
            return Err(rows.wrong(at, format!("{} fields where the first line names {} columns", found.len(), names.len())));
        }
        let field = |place: Option<usize>| place.map_or(&[][..], |place| found[place].trim_ascii());
        let text = |place| String::from_utf8_lossy(field(place)).into_owned();
        if columns.task.as_ref().is_some_and(|wanted| field(task) != wanted.as_bytes()) {
            continue;
        }
        rows.push(Row { sequence: field(sequence).to_vec(), label: text(label), name: text(name), at }, longest)?;
    }
    Ok(())
}

/// The fields of a line; a field may stand in double quotes, with its own doubled. `None` where a quote is not closed.
fn fields(line: &[u8], separator: u8) -> Option<Vec<Cow<'_, [u8]>>> {
    if !line.contains(&b'"') {
        return Some(line.split(|b| *b == separator).map(Cow::Borrowed).collect());
    }
    let (mut all, mut field, mut quoted, mut bytes) = (Vec::new(), Vec::new(), false, line.iter().peekable());
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
