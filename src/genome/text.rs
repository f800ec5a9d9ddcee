//! Text files as they are in the world: plain, gzip or bgzip, told by content, with line ends of
//! any kind; and what of their words can be printed.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Chain, Cursor, ErrorKind, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::GzDecoder;

use crate::error::{Error, Result};

/// What to do about a compressed file that ends before its content does.
pub const CUT_OFF: &str = "the compressed file is cut off: copy or download it again";

/// What old Mac OS made, and some spreadsheets still do.
pub(super) const CARRIAGE_RETURNS: &str = "its lines end in carriage returns alone, as in files of old Mac OS; convert it first: tr '\\r' '\\n' < FILE > NEW";

/// The bytes of a bgzip block header up to and with its block size.
pub(super) const BGZF_HEADER_LEN: usize = 18;

/// A longer line is none of a text file of lines.
const MOST_LINE_BYTES: usize = 1 << 24;

/// Whether these first bytes open a bgzip block: gzip with one extra field `BC` of two bytes (SAM
/// specification, section 4.1).
pub(super) fn is_bgzf(head: &[u8]) -> bool {
    head.len() >= BGZF_HEADER_LEN
        && head.starts_with(&[0x1f, 0x8b, 8, 4])
        && head[10..16] == [6, 0, b'B', b'C', 2, 0]
}

/// Opens a text file, which may be a pipe.
///
/// # Errors
/// It cannot be opened, or [`unpacked`] refuses it.
pub fn open(path: &Path) -> Result<Box<dyn BufRead>> {
    let file = File::open(path).map_err(Error::io(path))?;
    if file.metadata().map_err(Error::io(path))?.is_dir() {
        return Err(Error::file(path, "a folder, not a file"));
    }
    unpacked(file).map_err(Error::io(path))
}

/// The text of plain, gzip (also of several members) or bgzip bytes.
///
/// # Errors
/// Those of `source`; text in UTF-16. While reading: compressed bytes that are damaged or cut off,
/// among these bgzip without its closing block.
pub fn unpacked<'a>(source: impl Read + 'a) -> io::Result<Box<dyn BufRead + 'a>> {
    let mut source = BufReader::with_capacity(1 << 18, source);
    let head = peeked(&mut source)?;
    if head.starts_with(&[0x1f, 0x8b]) {
        let is_bgzf = is_bgzf(&head);
        let members = Members {
            member: Some(GzDecoder::new(Cursor::new(head).chain(source))),
            is_bgzf,
            is_empty: true,
        };
        return Ok(Box::new(BufReader::with_capacity(1 << 18, members)));
    }
    if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
        return Err(io::Error::new(
            ErrorKind::InvalidData,
            "the text is in UTF-16; save it as UTF-8",
        ));
    }
    Ok(Box::new(Cursor::new(head).chain(source)))
}

/// The next bytes, as many as tell what they are.
fn peeked(source: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(BGZF_HEADER_LEN);
    source.take(BGZF_HEADER_LEN as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// Gzip, member by member. A file of bgzip blocks that is cut off between two of them is sound
/// gzip: it lacks the empty block that ends bgzip.
struct Members<R> {
    /// `None` when all are read.
    member: Option<GzDecoder<Chain<Cursor<Vec<u8>>, R>>>,
    /// Whether the member is a bgzip block, and has given nothing.
    is_bgzf: bool,
    is_empty: bool,
}

impl<R: BufRead> Members<R> {
    /// Goes on to the next member, if there is one.
    fn go_on(&mut self) -> io::Result<()> {
        let Some(done) = self.member.take() else {
            return Ok(());
        };
        let (_, mut source) = done.into_inner().into_inner();
        let head = peeked(&mut source)?;
        let (was_open, is_bgzf) = (self.is_bgzf && !self.is_empty, is_bgzf(&head));
        if was_open && !is_bgzf || head == [0x1f] {
            return Err(io::Error::new(ErrorKind::UnexpectedEof, CUT_OFF));
        }
        if head.is_empty() {
            return Ok(());
        }
        if !head.starts_with(&[0x1f, 0x8b]) {
            return Err(io::Error::new(
                ErrorKind::InvalidData,
                "a damaged gzip file: after its end follows what is no gzip",
            ));
        }
        (self.is_bgzf, self.is_empty) = (is_bgzf, true);
        self.member = Some(GzDecoder::new(Cursor::new(head).chain(source)));
        Ok(())
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(member) = &mut self.member else {
                return Ok(0);
            };
            match member.read(buffer) {
                Ok(0) if !buffer.is_empty() => self.go_on()?,
                Ok(n) => {
                    self.is_empty &= n == 0;
                    return Ok(n);
                }
                Err(e) if e.kind() == ErrorKind::UnexpectedEof => {
                    return Err(io::Error::new(ErrorKind::UnexpectedEof, CUT_OFF));
                }
                Err(e) if matches!(e.kind(), ErrorKind::InvalidInput | ErrorKind::InvalidData) => {
                    return Err(io::Error::new(
                        ErrorKind::InvalidData,
                        format!("a damaged gzip file ({e}): copy or download it again"),
                    ));
                }
                Err(e) => return Err(e),
            }
        }
    }
}

/// The lines of a text, one at a time, without a byte-order mark and without their ends (line
/// feeds, also after a carriage return).
pub struct Lines<R> {
    path: PathBuf,
    reader: R,
    line: Vec<u8>,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    /// Of a reader; `path` stands for it in errors.
    pub fn new(path: &Path, reader: R) -> Lines<R> {
        Lines {
            path: path.to_path_buf(),
            reader,
            line: Vec::new(),
            number: 0,
        }
    }

    /// The next line and its number, from 1 on; `None` at the end.
    ///
    /// # Errors
    /// Those of the reader; a line longer than 16 MiB; a first line that holds carriage returns.
    pub fn advance(&mut self) -> Result<Option<(u64, &[u8])>> {
        self.line.clear();
        let mut some = (&mut self.reader).take(MOST_LINE_BYTES as u64 + 1);
        if some
            .read_until(b'\n', &mut self.line)
            .map_err(Error::io(&self.path))?
            == 0
        {
            return Ok(None);
        }
        self.number += 1;
        if self.line.len() > MOST_LINE_BYTES {
            return Err(self.wrong("the line is longer than 16 MiB: this is no text file of the kind that is read here"));
        }
        let mut line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        while let Some(shorter) = line.strip_suffix(b"\r") {
            line = shorter; // more than one after conversions from text mode to text mode
        }
        if self.number == 1 {
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
            if line.contains(&b'\r') {
                return Err(self.wrong(CARRIAGE_RETURNS));
            }
        }
        Ok(Some((self.number, line)))
    }

    fn wrong(&self, message: &str) -> Error {
        Error::Parse {
            path: self.path.clone(),
            line: self.number,
            message: message.into(),
        }
    }
}

/// Text of a file in a form that can be printed and stand in a table: what is not UTF-8 is
/// replaced, and control characters (tabs, line ends, escapes that terminals obey) and characters
/// that turn the direction of writing become spaces.
pub fn printable(text: &[u8]) -> String {
    let plain = |c: char| {
        let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if c.is_control() || turns { ' ' } else { c }
    };
    String::from_utf8_lossy(text).chars().map(plain).collect()
}

#[cfg(test)]
mod tests;
