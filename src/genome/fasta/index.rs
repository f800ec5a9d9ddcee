//! Indexes of FASTA files: `.fai` (where each contig starts and how its lines are wrapped) and
//! `.gzi` (where bgzip blocks start); and the text they are of, read from any place.

use std::fs;
use std::io::{self, BufRead, ErrorKind, Read, Seek, SeekFrom};
use std::num::NonZero;
use std::path::{Path, PathBuf};

use noodles::bgzf::gzi;
use noodles::fasta::fai;

use super::records::{self, MOST_HEADER_BYTES, is_sequence_letter, name_of};
use crate::error::{Error, Result};
use crate::genome::text::{BGZF_HEADER_LEN, CUT_OFF, is_bgzf};

/// Bytes that are rather read over than skipped by seeking.
const NEAR_BYTES: u64 = 1 << 16;

trait TextSource: BufRead + Seek + Send {}
impl<T: BufRead + Seek + Send> TextSource for T {}

/// A text that is read from any place. Reading on from where it is costs no look-up.
pub(super) struct Text {
    source: Box<dyn TextSource>,
    at: u64,
}

impl Text {
    /// A text that is at its start.
    pub fn new(source: impl BufRead + Seek + Send + 'static) -> Text {
        Text {
            source: Box::new(source),
            at: 0,
        }
    }

    /// Goes to a byte, or to the end if it lies beyond.
    fn go(&mut self, to: u64) -> io::Result<()> {
        let ahead = to.checked_sub(self.at).filter(|ahead| *ahead <= NEAR_BYTES);
        let Some(mut ahead) = ahead else {
            let sought = self.source.seek(SeekFrom::Start(to));
            self.at = self.known(sought)?;
            return Ok(());
        };
        while ahead > 0 {
            let here = (self.fill_buf()?.len() as u64).min(ahead);
            if here == 0 {
                break;
            }
            self.consume(here as usize);
            ahead -= here;
        }
        Ok(())
    }

    /// After a failure nothing is known of where the source is.
    fn known<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        result.inspect_err(|_| self.at = u64::MAX)
    }

    /// Goes on to the first byte that is no white space; whether a line ends before it, as at the
    /// end of the text.
    fn skip_blank(&mut self) -> io::Result<bool> {
        let mut ends = false;
        loop {
            let buffer = self.fill_buf()?;
            let Some(blank) = buffer.iter().position(|byte| !byte.is_ascii_whitespace()) else {
                if buffer.is_empty() {
                    return Ok(true);
                }
                ends |= buffer.contains(&b'\n');
                let length = buffer.len();
                self.consume(length);
                continue;
            };
            ends |= buffer[..blank].contains(&b'\n');
            self.consume(blank);
            return Ok(ends);
        }
    }
}

impl Read for Text {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer);
        let read = self.known(read)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl BufRead for Text {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let filled = self.source.fill_buf().map(drop);
        self.known(filled)?;
        self.source.fill_buf()
    }

    fn consume(&mut self, bytes: usize) {
        self.source.consume(bytes);
        self.at += bytes as u64;
    }
}

fn beside(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(extension);
    PathBuf::from(name)
}

/// Whether an index exists and is not older than what it indexes.
fn is_fresh(index: &Path, path: &Path) -> bool {
    let modified = |p: &Path| {
        fs::metadata(p)
            .ok()
            .filter(fs::Metadata::is_file)
            .and_then(|m| m.modified().ok())
    };
    matches!((modified(index), modified(path)), (Some(index), Some(path)) if index >= path)
}

/// Writes an index beside its FASTA under a temporary name, then renames. A folder that cannot be
/// written to is no error: the index is then made again by the next run.
fn store(index: &Path, write: impl FnOnce(&mut fs::File) -> io::Result<()>) {
    let Some(folder) = index.parent() else { return };
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    // A folder marked read-only stays as it is, also when the user is root, whom the system would
    // let write; and the system's own are no place for it.
    let is_of_system =
        folder == Path::new("/dev") || folder.starts_with("/dev/fd") || folder.starts_with("/proc");
    if is_of_system || fs::metadata(folder).is_ok_and(|m| m.permissions().readonly()) {
        return;
    }
    let mut temporary = tempfile::Builder::new();
    temporary.prefix(".ldar-analyze-"); // what a killed run leaves is removed by a later one: see `output`
    // As open to others as the user's mask says: temporary files are private else.
    #[cfg(unix)]
    temporary.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let Ok(mut file) = temporary.tempfile_in(folder) else {
        return;
    };
    if write(file.as_file_mut()).is_ok() {
        let _ = file.persist(index);
    }
}

/// The `.fai` of a FASTA: the stored one where it is fresh and fits, a new one otherwise (then
/// stored). `None` where no index can describe the file.
///
/// # Errors
/// As [`records::read`].
pub(super) fn fai_for(path: &Path, text: &mut Text) -> Result<Option<Vec<fai::Record>>> {
    let index_path = beside(path, ".fai");
    if is_fresh(&index_path, path)
        && let Ok(index) = fai::fs::read(&index_path)
        && fits(index.as_ref(), text).unwrap_or(false)
    {
        return Ok(Some(index.into()));
    }
    text.go(0).map_err(Error::io(path))?;
    let index = build_fai(path, text)?;
    if let Some(index) = &index {
        store(&index_path, |file| {
            fai::io::Writer::new(file).write_index(&fai::Index::from(index.clone()))
        });
    }
    Ok(index)
}

/// Indexes a FASTA from its start. `None` where no index can describe it.
///
/// # Errors
/// As [`records::read`].
pub(super) fn build_fai(path: &Path, text: &mut Text) -> Result<Option<Vec<fai::Record>>> {
    let found = records::read(path, text, false)?;
    let indexed = |record: records::Record| {
        let (bases, width) = (
            NonZero::new(record.line_bases)?,
            NonZero::new(record.line_width)?,
        );
        Some(fai::Record::new(
            record.name,
            record.length,
            record.position,
            bases,
            width,
        ))
    };
    Ok(if found.is_regular {
        found.all.into_iter().map(indexed).collect()
    } else {
        None
    })
}

/// Bytes from the first letter of a record to its last; `None` for what no file holds.
fn span(record: &fai::Record) -> Option<u64> {
    let (bases, width) = (record.line_base_count().get(), record.line_width().get());
    let last = record.length().checked_sub(1).filter(|_| width > bases)?;
    (last / bases)
        .checked_mul(width)?
        .checked_add(last % bases + 1)
}

/// Whether an index describes this text: each contig's `>NAME` line must end where the index puts
/// its first base, right after the last line of the contig before, and the last contig must end the
/// text.
fn fits(index: &[fai::Record], text: &mut Text) -> io::Result<bool> {
    let mut records: Vec<&fai::Record> = index.iter().collect();
    records.sort_by_key(|record| record.position());
    let mut header = Vec::new();
    text.go(0)?;
    for record in records {
        header.clear();
        text.by_ref()
            .take(MOST_HEADER_BYTES as u64)
            .read_until(b'\n', &mut header)?;
        if !header.starts_with(b">")
            || name_of(&header) != record.name()
            || text.at != record.position()
        {
            return Ok(false);
        }
        let Some(end) = span(record).and_then(|span| record.position().checked_add(span)) else {
            return Ok(false);
        };
        text.go(end - 1)?;
        if !text
            .fill_buf()?
            .first()
            .is_some_and(|byte| is_sequence_letter(*byte))
        {
            return Ok(false);
        }
        text.consume(1);
        if !text.skip_blank()? {
            return Ok(false);
        }
    }
    Ok(text.fill_buf()?.is_empty())
}

/// The letters of a record; `None` where the text is not as the index says.
///
/// # Errors
/// Those of reading.
pub(super) fn letters(text: &mut Text, record: &fai::Record) -> io::Result<Option<Vec<u8>>> {
    let Some(span) = span(record).and_then(|span| usize::try_from(span).ok()) else {
        return Ok(None);
    };
    let (bases, width) = (
        record.line_base_count().get() as usize,
        record.line_width().get() as usize,
    );
    let mut bytes = Vec::new();
    bytes
        .try_reserve_exact(span)
        .map_err(|e| io::Error::new(ErrorKind::OutOfMemory, e))?;
    text.go(record.position())?;
    text.by_ref().take(span as u64).read_to_end(&mut bytes)?;
    if bytes.len() != span {
        return Ok(None);
    }
    // Lines move together over the ends between them.
    let mut to = 0;
    for from in (0..span).step_by(width) {
        let end = (from + bases).min(span);
        if !bytes[end..(from + width).min(span)]
            .iter()
            .all(u8::is_ascii_whitespace)
        {
            return Ok(None);
        }
        bytes.copy_within(from..end, to);
        to += end - from;
    }
    bytes.truncate(to);
    Ok(bytes
        .iter()
        .all(|byte| is_sequence_letter(*byte))
        .then_some(bytes))
}

/// Where the blocks of a bgzip file start, by its own headers; `PATH.gzi` is brought in line with
/// them. `None` where plain gzip follows the blocks.
///
/// # Errors
/// A damaged file, and one that is cut off.
pub(super) fn gzi_for(path: &Path) -> Result<Option<gzi::Index>> {
    let mut file = fs::File::open(path).map_err(Error::io(path))?;
    let Some(index) = scan_blocks(path, &mut file)? else {
        return Ok(None);
    };
    let index_path = beside(path, ".gzi");
    let mut bytes = Vec::new();
    if gzi::io::Writer::new(&mut bytes).write_index(&index).is_ok() {
        let same_length =
            fs::metadata(&index_path).is_ok_and(|m| m.is_file() && m.len() == bytes.len() as u64);
        if !(same_length
            && is_fresh(&index_path, path)
            && fs::read(&index_path).is_ok_and(|stored| stored == bytes))
        {
            store(&index_path, |file| io::Write::write_all(file, &bytes));
        }
    }
    Ok(Some(index))
}

/// Walks the block headers of a bgzip file: (compressed, uncompressed) start of every block but the
/// first, as htslib has it. `None` where plain gzip follows.
///
/// # Errors
/// As [`gzi_for`].
pub(super) fn scan_blocks<R: Read + Seek>(
    path: &Path,
    reader: &mut R,
) -> Result<Option<gzi::Index>> {
    let cut_off = || Error::file(path, CUT_OFF);
    let (mut compressed, mut uncompressed, mut blocks) = (0u64, 0u64, Vec::new());
    let mut last_length = 0;
    loop {
        reader
            .seek(SeekFrom::Start(compressed))
            .map_err(Error::io(path))?;
        let mut header = Vec::with_capacity(BGZF_HEADER_LEN);
        reader
            .by_ref()
            .take(BGZF_HEADER_LEN as u64)
            .read_to_end(&mut header)
            .map_err(Error::io(path))?;
        if header.is_empty() {
            // bgzip ends with an empty block.
            return if last_length == 0 {
                Ok(Some(gzi::Index::from(blocks)))
            } else {
                Err(cut_off())
            };
        }
        if header.len() < BGZF_HEADER_LEN {
            return Err(cut_off());
        }
        if !is_bgzf(&header) {
            if header.starts_with(&[0x1f, 0x8b]) {
                return Ok(None);
            }
            return Err(Error::file(
                path,
                format!("a damaged bgzip file: no block starts at byte {compressed}"),
            ));
        }
        let block_len = u64::from(u16::from_le_bytes([header[16], header[17]])) + 1;
        // The last four bytes of a block hold its uncompressed length.
        let mut length = [0u8; 4];
        let tail = compressed + block_len.max(4) - 4;
        reader
            .seek(SeekFrom::Start(tail))
            .map_err(Error::io(path))?;
        reader.read_exact(&mut length).map_err(|_| cut_off())?;
        last_length = u64::from(u32::from_le_bytes(length));
        if last_length > 1 << 16 {
            return Err(Error::file(
                path,
                format!(
                    "a damaged bgzip file: the block at byte {compressed} claims {last_length} bytes"
                ),
            ));
        }
        if compressed > 0 {
            blocks.push((compressed, uncompressed));
        }
        compressed += block_len;
        uncompressed += last_length;
    }
}
