//! FASTA with the label in the header.

use super::{Row, Rows};
use crate::error::Result;

pub(super) fn read(text: &[u8], longest: usize, rows: &mut Rows) -> Result<()> {
    let mut record: Option<Row> = None;
    for (line, at) in text.split(|b| *b == b'\n').zip(1..) {
        let line = line.trim_ascii();
        if let Some(header) = line.strip_prefix(b">") {
            let header = String::from_utf8_lossy(header);
            let Some((name, label)) = name_and_label(&header) else {
                let what = "the header has no label: '>NAME LABEL', '>NAME|LABEL', or a word 'label=LABEL'";
                return Err(rows.wrong(at, what));
            };
            let next = Row {
                name: name.into(),
                label: label.into(),
                at,
                ..Row::default()
            };
            if let Some(done) = record.replace(next) {
                rows.push(done, longest)?;
            }
        } else if let Some(record) = &mut record {
            record.sequence.extend_from_slice(line);
        }
    }
    record.map_or(Ok(()), |done| rows.push(done, longest))
}

fn name_and_label(header: &str) -> Option<(&str, &str)> {
    let mut words = header.split_whitespace();
    let name = words.next()?;
    let (keyed, last) = (
        words.clone().find_map(|word| word.strip_prefix("label=")),
        words.next_back(),
    );
    keyed
        .map(|label| (name, label))
        .or_else(|| name.rsplit_once('|'))
        .or_else(|| last.map(|label| (name, label)))
}
