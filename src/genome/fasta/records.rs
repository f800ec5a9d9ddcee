//! The records of a FASTA, read from its first byte to its last.

use std::io::BufRead;
use std::path::Path;

use crate::error::{Error, Result};
use crate::genome::text::{CARRIAGE_RETURNS, printable};

/// More letters than these are not held in memory.
const MOST_LETTERS: u64 = 1 << 32;

/// Bytes of a header line, at most.
pub(super) const MOST_HEADER_BYTES: usize = 1 << 20;

/// Letters a FASTA sequence may hold: letters, gaps, and the stop `*`.
pub(super) const fn is_sequence_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'*' | b'.')
}

/// The name in a header line: the first word after `>`.
pub(super) fn name_of(header: &[u8]) -> &[u8] {
    let rest = header
        .strip_prefix(b">")
        .unwrap_or(header)
        .trim_ascii_start();
    rest.split(u8::is_ascii_whitespace).next().unwrap_or(&[])
}

/// One record, as an index describes it.
#[derive(Clone, Debug, Default)]
pub(super) struct Record {
    /// As the file has it.
    pub name: Vec<u8>,
    /// Its letters, where they are kept.
    pub letters: Vec<u8>,
    /// How many there are.
    pub length: u64,
    /// The byte after its header line.
    pub position: u64,
    /// Letters of its first line, and bytes with the line's end.
    pub line_bases: u64,
    pub line_width: u64,
    /// Whether a shorter line or a blank one has been.
    closed: bool,
}

/// All records.
#[derive(Debug, Default)]
pub(super) struct Records {
    pub all: Vec<Record>,
    /// Whether an index can describe them: all lines of a record but its last are of one length,
    /// with nothing between the letters and the line's end but white space, and nothing stands
    /// before the first record.
    pub is_regular: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LineKind {
    /// White space so far.
    Blank,
    Header,
    Comment,
    Sequence,
}

/// What is known of the line that is being read.
struct Line {
    kind: LineKind,
    number: u64,
    bytes: u64,
    letters: u64,
    /// White space after its last letter, and a carriage return right before this byte.
    spaced: bool,
    returned: bool,
    header: Vec<u8>,
}

/// Reads a FASTA with lines of any length. A byte-order mark, blank lines, lines that start with
/// `;` and white space at the ends of lines and within them are passed over. Letters are kept in
/// memory if `keep`.
///
/// # Errors
/// [`Error::Parse`] with the line: what is no FASTA, a record without a name, a byte that is no
/// letter, two records on one line, lines that end in carriage returns alone; more letters than
/// memory is made for; and those of the reader.
pub(super) fn read(
    path: &Path,
    reader: &mut (impl BufRead + ?Sized),
    keep: bool,
) -> Result<Records> {
    let mut found = Records {
        all: Vec::new(),
        is_regular: true,
    };
    let mut line = Line {
        kind: LineKind::Blank,
        number: 1,
        bytes: 0,
        letters: 0,
        spaced: false,
        returned: false,
        header: Vec::new(),
    };
    let (mut at, mut total) = (0u64, 0u64);
    let wrong = |line: &Line, message: String| Error::Parse {
        path: path.to_path_buf(),
        line: line.number,
        message,
    };
    loop {
        let buffer = reader.fill_buf().map_err(Error::io(path))?;
        if buffer.is_empty() {
            break;
        }
        let mut rest = buffer;
        if at == 0
            && let Some(after) = rest.strip_prefix(b"\xef\xbb\xbf")
        {
            (rest, found.is_regular) = (after, false);
        }
        while !rest.is_empty() {
            let end = rest.iter().position(|byte| *byte == b'\n');
            let (piece, after) = rest.split_at(end.map_or(rest.len(), |end| end + 1));
            let text = if end.is_some() {
                &piece[..piece.len() - 1]
            } else {
                piece
            };
            let before = line.letters;
            found
                .piece(&mut line, text, keep)
                .map_err(|message| wrong(&line, message))?;
            total += line.letters - before;
            if keep && total > MOST_LETTERS {
                let message = format!(
                    "more than {MOST_LETTERS} letters, too many to hold in memory: give its lines one length and pack it with bgzip"
                );
                return Err(Error::file(path, message));
            }
            line.bytes += piece.len() as u64;
            if end.is_some() {
                let here = at + (buffer.len() - after.len()) as u64;
                found
                    .line(&line, here)
                    .map_err(|message| wrong(&line, message))?;
                line = Line {
                    kind: LineKind::Blank,
                    number: line.number + 1,
                    bytes: 0,
                    letters: 0,
                    spaced: false,
                    returned: false,
                    ..line
                };
                line.header.clear();
            }
            rest = after;
        }
        let length = buffer.len();
        at += length as u64;
        reader.consume(length);
    }
    if line.bytes > 0 {
        line.bytes += 1; // the line's end that is not there
        found
            .line(&line, at)
            .map_err(|message| wrong(&line, message))?;
    }
    Ok(found)
}

impl Records {
    /// Takes a piece of a line, without the line's end.
    fn piece(
        &mut self,
        line: &mut Line,
        text: &[u8],
        keep: bool,
    ) -> std::result::Result<(), String> {
        let mut text = text;
        if line.kind == LineKind::Blank {
            let blank = text
                .iter()
                .take_while(|byte| byte.is_ascii_whitespace())
                .count();
            let (spaces, rest) = text.split_at(blank);
            line.spaced |= blank > 0;
            line.returned = spaces.last().map_or(line.returned, |byte| *byte == b'\r');
            let Some(first) = rest.first() else {
                return Ok(());
            };
            if line.returned {
                return Err(CARRIAGE_RETURNS.into());
            }
            line.kind = match first {
                b'>' => LineKind::Header,
                b';' => LineKind::Comment,
                _ if self.all.is_empty() => {
                    return Err("not FASTA: expected a line that starts with '>'".into());
                }
                _ => LineKind::Sequence,
            };
            self.is_regular &= !line.spaced && line.kind != LineKind::Comment;
            text = rest;
        }
        match line.kind {
            LineKind::Blank | LineKind::Comment => Ok(()),
            LineKind::Header if line.header.len() + text.len() > MOST_HEADER_BYTES => {
                let returned = line.header.contains(&b'\r') || text.contains(&b'\r');
                Err(if returned {
                    CARRIAGE_RETURNS
                } else {
                    "a '>' line longer than 1 MiB"
                }
                .into())
            }
            LineKind::Header => {
                line.header.extend_from_slice(text);
                Ok(())
            }
            LineKind::Sequence => self.letters(line, text, keep),
        }
    }

    fn letters(
        &mut self,
        line: &mut Line,
        mut text: &[u8],
        keep: bool,
    ) -> std::result::Result<(), String> {
        let Some(record) = self.all.last_mut() else {
            return Ok(());
        };
        while let Some(first) = text.first() {
            let letters = text
                .iter()
                .position(|byte| !IS_LETTER[usize::from(*byte)])
                .unwrap_or(text.len());
            if letters > 0 {
                if line.returned {
                    return Err(CARRIAGE_RETURNS.into());
                }
                self.is_regular &= !line.spaced;
                line.letters += letters as u64;
                if keep {
                    record.letters.extend_from_slice(&text[..letters]);
                }
                text = &text[letters..];
                continue;
            }
            match first {
                b'>' if line.returned => return Err(CARRIAGE_RETURNS.into()),
                b'>' => return Err("a '>' within the line: two records have run together; start a new line before it".into()),
                byte if byte.is_ascii_whitespace() => (line.spaced, line.returned) = (true, *byte == b'\r'),
                byte => return Err(format!("the byte {byte:#04x} is no sequence letter")),
            }
            text = &text[1..];
        }
        Ok(())
    }

    /// Takes the end of a line; `after` is the byte after it.
    fn line(&mut self, line: &Line, after: u64) -> std::result::Result<(), String> {
        if line.kind == LineKind::Header {
            let header = line.header.trim_ascii_end();
            if header.contains(&b'\r') {
                return Err(CARRIAGE_RETURNS.into());
            }
            let name = name_of(header);
            if name.is_empty() {
                return Err("a '>' line without a name".into());
            }
            self.all.push(Record {
                name: name.to_vec(),
                position: after,
                ..Record::default()
            });
            return Ok(());
        }
        let Some(record) = self.all.last_mut() else {
            self.is_regular = false; // something before the first record
            return Ok(());
        };
        if line.letters == 0 {
            self.is_regular &= record.length > 0; // else its letters do not start where its header ends
            record.closed = true;
            return Ok(());
        }
        if record.length == 0 {
            (record.line_bases, record.line_width) = (line.letters, line.bytes);
        }
        self.is_regular &= !record.closed && line.letters <= record.line_bases;
        record.closed |= line.letters < record.line_bases || line.bytes != record.line_width;
        record.length += line.letters;
        Ok(())
    }
}

impl Record {
    /// The name in a form that can be printed.
    pub fn shown(&self) -> String {
        printable(&self.name)
    }
}

const IS_LETTER: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = is_sequence_letter(byte as u8);
        byte += 1;
    }
    table
};
