//! Indexes of FASTA files: `.fai` (where each contig starts and how its lines are wrapped) and `.gzi` (where bgzip blocks start).

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use noodles::bgzf::gzi;
use noodles::fasta::{self, fai};

use crate::error::{Error, Result};

/// The bytes of a bgzip block header up to and with its block size.
pub(super) const BGZF_HEADER_LEN: usize = 18;

/// Whether these first bytes open a bgzip block: gzip with one extra field `BC` of two bytes (SAM specification, section 4.1).
pub(super) fn is_bgzf(head: &[u8]) -> bool {
    head.len() >= BGZF_HEADER_LEN && head.starts_with(&[0x1f, 0x8b, 8, 4]) && head[10..16] == [6, 0, b'B', b'C', 2, 0]
}

/// Letters a FASTA sequence may hold: letters, gaps, and the stop `*`.
pub(super) fn is_sequence_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'*' | b'.')
}

fn beside(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(extension);
    PathBuf::from(name)
}

/// Whether an index exists and is not older than what it indexes.
fn is_fresh(index: &Path, path: &Path) -> bool {
    let modified = |p: &Path| fs::metadata(p).and_then(|m| m.modified());
    matches!((modified(index), modified(path)), (Ok(index), Ok(path)) if index >= path)
}

/// Writes an index beside its FASTA under a temporary name, then renames. A folder that cannot be written to is no error: the index
/// is then made again by the next run.
fn store(index: &Path, write: impl FnOnce(&mut fs::File) -> io::Result<()>) {
    let Some(folder) = index.parent() else { return };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    // A folder marked read-only stays as it is, also when the user is root, whom the system would let write.
    if fs::metadata(folder).is_ok_and(|m| m.permissions().readonly()) {
        return;
    }
    let Ok(mut file) = tempfile::NamedTempFile::new_in(folder) else {
        return;
    };
    if write(file.as_file_mut()).is_ok() {
        // Readable by others, as any file the user makes: temporary files start out private.
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let _ = file.as_file().set_permissions(fs::Permissions::from_mode(0o644));
        }
        let _ = file.persist(index);
    }
}

/// The `.fai` of a FASTA whose text `reader` gives: the stored one where it is fresh and fits, a new one otherwise (then stored).
/// `None` where the lines of the file have no common length, so that no index can describe it.
pub(super) fn fai_for<R: BufRead + Seek>(path: &Path, reader: &mut R) -> Result<Option<fai::Index>> {
    let index_path = beside(path, ".fai");
    if is_fresh(&index_path, path)
        && let Ok(index) = fai::fs::read(&index_path)
        && fits(&index, reader).unwrap_or(false)
    {
        return Ok(Some(index));
    }
    reader.seek(SeekFrom::Start(0)).map_err(Error::io(path))?;
    let index = build_fai(path, reader)?;
    if let Some(index) = &index {
        store(&index_path, |file| fai::io::Writer::new(file).write_index(index));
    }
    Ok(index)
}

/// Indexes a FASTA from its start. `None` where its lines have no common length.
pub(super) fn build_fai<R: BufRead>(path: &Path, reader: &mut R) -> Result<Option<fai::Index>> {
    let start = reader.fill_buf().map_err(Error::io(path))?;
    if start.is_empty() {
        return Err(Error::file(path, "an empty file"));
    }
    if start[0] != b'>' {
        // Leading blank lines and comments are for the reader in memory to judge.
        return Ok(None);
    }
    let mut indexer = fasta::io::Indexer::new(reader);
    let mut records = Vec::new();
    loop {
        match indexer.index_record() {
            Ok(Some(record)) => records.push(record),
            Ok(None) => return Ok(Some(fai::Index::from(records))),
            // Ragged lines, an empty sequence, or a read that failed: the reader of whole files takes it from here, and says why it cannot.
            Err(_) => return Ok(None),
        }
    }
}

/// Whether an index describes this file: each contig's `>NAME` line must end where the index puts its first base, right after the
/// last line of the contig before, and the last contig must end the file.
fn fits<R: BufRead + Seek>(index: &fai::Index, reader: &mut R) -> io::Result<bool> {
    let mut records: Vec<&fai::Record> = index.as_ref().iter().collect();
    records.sort_by_key(|record| record.position());
    let (mut at, mut line) = (0u64, Vec::new());
    for record in records {
        reader.seek(SeekFrom::Start(at))?;
        line.clear();
        let header_len = reader.read_until(b'\n', &mut line)? as u64;
        let name = line.strip_prefix(b">").unwrap_or(&[]);
        let name = name.split(|b| b.is_ascii_whitespace()).next().unwrap_or(&[]);
        if !line.starts_with(b">") || name != record.name() || at + header_len != record.position() {
            return Ok(false);
        }
        let (bases, width) = (record.line_base_count().get(), record.line_width().get());
        if record.length() == 0 || width <= bases {
            return Ok(false);
        }
        let last = record.length() - 1;
        let end = (last / bases).checked_mul(width).and_then(|lines| (record.position() + last % bases + 1).checked_add(lines));
        let Some(end) = end else { return Ok(false) };
        reader.seek(SeekFrom::Start(end - 1))?;
        line.clear();
        let tail_len = reader.read_until(b'\n', &mut line)?;
        // The last base, then nothing but its line ending.
        if tail_len == 0 || !is_sequence_letter(line[0]) || !line[1..].iter().all(u8::is_ascii_whitespace) {
            return Ok(false);
        }
        at = end - 1 + tail_len as u64;
    }
    reader.seek(SeekFrom::Start(at))?;
    Ok(reader.fill_buf()?.is_empty())
}

/// The `.gzi` of a bgzip file: the stored one where it is fresh, a new one otherwise (then stored).
pub(super) fn gzi_for(path: &Path) -> Result<gzi::Index> {
    let index_path = beside(path, ".gzi");
    let file_len = fs::metadata(path).map_err(Error::io(path))?.len();
    if is_fresh(&index_path, path)
        && let Ok(index) = gzi::fs::read(&index_path)
        && index.as_ref().last().is_none_or(|(compressed, _)| *compressed < file_len)
    {
        return Ok(index);
    }
    let file = fs::File::open(path).map_err(Error::io(path))?;
    let index = scan_blocks(path, &mut BufReader::new(file))?;
    store(&index_path, |file| gzi::io::Writer::new(file).write_index(&index));
    Ok(index)
}

/// Walks the block headers of a bgzip file: (compressed, uncompressed) start of every block but the first.
pub(super) fn scan_blocks<R: Read + Seek>(path: &Path, reader: &mut R) -> Result<gzi::Index> {
    let (mut compressed, mut uncompressed, mut blocks) = (0u64, 0u64, Vec::new());
    loop {
        reader.seek(SeekFrom::Start(compressed)).map_err(Error::io(path))?;
        let mut header = Vec::with_capacity(BGZF_HEADER_LEN);
        reader.by_ref().take(BGZF_HEADER_LEN as u64).read_to_end(&mut header).map_err(Error::io(path))?;
        if header.is_empty() {
            return Ok(gzi::Index::from(blocks));
        }
        if !is_bgzf(&header) {
            return Err(Error::file(path, format!("a damaged bgzip file: no block starts at byte {compressed}")));
        }
        let block_len = u64::from(u16::from_le_bytes([header[16], header[17]])) + 1;
        // The last four bytes of a block hold its uncompressed length.
        let mut length = [0u8; 4];
        let tail = compressed + block_len.max(4) - 4;
        reader.seek(SeekFrom::Start(tail)).map_err(Error::io(path))?;
        reader.read_exact(&mut length).map_err(|_| Error::file(path, "a truncated bgzip file: its last block is not whole"))?;
        let length = u64::from(u32::from_le_bytes(length));
        if length > 1 << 16 {
            return Err(Error::file(path, format!("a damaged bgzip file: the block at byte {compressed} claims {length} bytes")));
        }
        if compressed > 0 && length > 0 {
            blocks.push((compressed, uncompressed));
        }
        compressed += block_len;
        uncompressed += length;
    }
}

/// Reads a whole FASTA with lines of any length: (name, letters) of each record. Blank lines and `;` comments are skipped, white
/// space within lines too.
pub(super) fn read_records<R: BufRead>(path: &Path, reader: &mut R) -> Result<Vec<(String, Vec<u8>)>> {
    let parse_error = |line: u64, message: String| Error::Parse { path: path.to_path_buf(), line, message };
    let mut records: Vec<(String, Vec<u8>)> = Vec::new();
    let (mut line, mut number) = (Vec::new(), 0);
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line).map_err(Error::io(path))? == 0 {
            break;
        }
        number += 1;
        let text = line.trim_ascii();
        if text.is_empty() || text[0] == b';' {
            continue;
        }
        if text[0] == b'>' {
            let name = text[1..].split(u8::is_ascii_whitespace).next().unwrap_or(&[]);
            if name.is_empty() {
                return Err(parse_error(number, "a '>' line without a name".into()));
            }
            records.push((String::from_utf8_lossy(name).into_owned(), Vec::new()));
            continue;
        }
        let Some((_, sequence)) = records.last_mut() else {
            return Err(parse_error(number, "not FASTA: expected a line that starts with '>'".into()));
        };
        for byte in text.iter().copied().filter(|b| !b.is_ascii_whitespace()) {
            if !is_sequence_letter(byte) {
                return Err(parse_error(number, format!("the byte {byte:#04x} is no sequence letter")));
            }
            sequence.push(byte);
        }
    }
    Ok(records)
}
