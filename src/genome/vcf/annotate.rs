//! A copy of a VCF with more INFO fields.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use noodles::bgzf;
use noodles::core::Position;
use noodles::csi::binning_index::index::Header;
use noodles::csi::binning_index::index::header::Builder;
use noodles::csi::binning_index::index::reference_sequence::bin::Chunk;
use noodles::tabix;

use super::{Line, Record, lines};
use crate::error::{Error, Result};

/// A tabix index knows positions below this.
const TABIX_BP: u64 = 1 << 29;

/// An INFO field.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name.
    pub id: &'static str,
    /// `1`, `A` (one value an alternative allele) or another number of VCF.
    pub number: &'static str,
    /// `Float`, `Integer` or `String`.
    pub kind: &'static str,
    /// What it is.
    pub description: String,
}

impl Field {
    /// Its line of the header.
    fn line(&self) -> String {
        let text = self.description.replace('\\', "\\\\").replace('"', "\\\"");
        format!(
            "##INFO=<ID={},Number={},Type={},Description=\"{text}\">\n",
            self.id, self.number, self.kind
        )
    }

    /// Whether a line of a header is of a field of this name.
    fn is_of(&self, line: &[u8]) -> bool {
        let start = format!("##INFO=<ID={}", self.id);
        line.strip_prefix(start.as_bytes())
            .is_some_and(|rest| rest.starts_with(b",") || rest.starts_with(b">"))
    }
}

/// Writes the VCF `from` to `to` (bgzip) with `fields` added to each record; `values` gives those
/// of a record, by its number from 0, as text (a field that is left out is not written). Fields of
/// the same names are replaced. `index` gets the tabix index; returns whether there could be one:
/// the records must be sorted, each contig in one run, and no position above 2^29. Line ends become
/// line feeds; all else stays as it is.
///
/// # Errors
/// As [`read`](super::read); files that cannot be written, or are there.
pub fn annotate(
    from: &Path,
    to: &Path,
    index: &Path,
    fields: &[Field],
    values: &mut dyn FnMut(u64) -> Vec<(&'static str, String)>,
) -> Result<bool> {
    let failed = || Error::io(to);
    let mut out = bgzf::io::Writer::new(BufWriter::new(File::create_new(to).map_err(failed())?));
    let (mut tabix, mut number, mut is_first) = (Some(Tabix::default()), 0, true);
    lines(from, &mut |line| match line {
        Line::Header(line) => {
            if is_first && !line.starts_with(b"##fileformat=") {
                out.write_all(b"##fileformat=VCFv4.3\n").map_err(failed())?;
            }
            is_first = false;
            if fields.iter().any(|field| field.is_of(line)) {
                return Ok(());
            }
            if line.starts_with(b"#CHROM") {
                fields
                    .iter()
                    .try_for_each(|field| out.write_all(field.line().as_bytes()))
                    .map_err(failed())?;
                return out.write_all(&columns_line(line)).map_err(failed());
            }
            out.write_all(line)
                .and_then(|()| out.write_all(b"\n"))
                .map_err(failed())
        }
        Line::Record(record) => {
            let start = out.virtual_position();
            out.write_all(&annotated(&record, fields, &values(number)))
                .map_err(failed())?;
            number += 1;
            if tabix
                .as_mut()
                .is_some_and(|tabix| !tabix.add(&record, Chunk::new(start, out.virtual_position())))
            {
                tabix = None;
            }
            Ok(())
        }
    })?;
    let mut file = out.finish().map_err(failed())?;
    file.flush().map_err(failed())?;
    let Some(tabix) = tabix else { return Ok(false) };
    let file = File::create_new(index).map_err(Error::io(index))?;
    let mut writer = tabix::io::Writer::new(BufWriter::new(file));
    writer
        .write_index(&tabix.build())
        .map_err(Error::io(index))?;
    writer
        .into_inner()
        .finish()
        .and_then(|mut file| file.flush())
        .map_err(Error::io(index))?;
    Ok(true)
}

/// The line of columns, with those up to INFO that it lacks.
fn columns_line(line: &[u8]) -> Vec<u8> {
    let mut columns: Vec<&[u8]> = line.split(|b| *b == b'\t').collect();
    for name in [&b"QUAL"[..], b"FILTER", b"INFO"]
        .into_iter()
        .skip(columns.len().saturating_sub(5))
    {
        columns.push(name);
    }
    let mut text = columns.join(&b'\t');
    text.push(b'\n');
    text
}

/// The line of a record with its values.
fn annotated(record: &Record<'_>, fields: &[Field], values: &[(&'static str, String)]) -> Vec<u8> {
    let mut columns = record.columns.clone();
    columns.resize(columns.len().max(8), b".");
    let is_old = |field: &&[u8]| {
        fields
            .iter()
            .any(|known| field.split(|b| *b == b'=').next() == Some(known.id.as_bytes()))
    };
    let kept = columns[7]
        .split(|b| *b == b';')
        .filter(|field| !field.is_empty() && *field != b"." && !is_old(field));
    let mut info: Vec<Vec<u8>> = kept.map(<[u8]>::to_vec).collect();
    info.extend(
        values
            .iter()
            .map(|(id, value)| format!("{id}={value}").into_bytes()),
    );
    let info = if info.is_empty() {
        b".".to_vec()
    } else {
        info.join(&b';')
    };
    columns[7] = &info;
    let mut text = columns.join(&b'\t');
    text.push(b'\n');
    text
}

/// An index in the making, as long as the records are in order.
#[derive(Default)]
struct Tabix {
    indexer: tabix::index::Indexer,
    contig: Vec<u8>,
    past: HashSet<Vec<u8>>,
    first: u64,
}

impl Tabix {
    /// Adds a record; false where there can be no index any more.
    fn add(&mut self, record: &Record<'_>, chunk: Chunk) -> bool {
        let contig = record.columns[0];
        if self.contig != contig {
            let former = std::mem::replace(&mut self.contig, contig.to_vec());
            self.past.insert(former);
            self.first = 0;
        }
        let (first, last) = (record.first.max(1), record.last().max(1));
        let is_next = !self.past.contains(contig) && first >= self.first && last < TABIX_BP;
        self.first = first;
        let at = |position: u64| usize::try_from(position).ok().and_then(Position::new);
        let (Ok(name), Some(first), Some(last), true) =
            (std::str::from_utf8(contig), at(first), at(last), is_next)
        else {
            return false;
        };
        self.indexer.add_record(name, first, last, chunk).is_ok()
    }

    fn build(mut self) -> tabix::Index {
        let header: Header = Builder::vcf().build();
        self.indexer.set_header(header);
        self.indexer.build()
    }
}
