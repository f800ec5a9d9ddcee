//! Answers of a model, kept in a file as they come, so that a run that was stopped goes on where it
//! was, and so that shards can be put together.
//!
//! What is kept are whole calls: the stretches that the model was given together, with the value of
//! each of their bases. A call is known by its letters (and, where several models answer in one
//! run, by the model). The answer is then that of the same call in any run, whatever a model makes
//! of the company of a stretch.
//!
//! Whole tiles are kept, as the table of letters is fitted on all of their positions: four bytes a
//! base. 70 000 donors and as many acceptors of a human genome with one control each are 280 000
//! tiles of 4096 bases at most (near sites share one), 4.6 GB in all shards together; each further
//! family of controls adds 2.3 GB at most, shuffled windows 0.7 GB. All of a human genome on both
//! strands, in windows that overlap by half, is 50 GB.
//!
//! The file is a head of 40 bytes (its kind, and the SHA-256 of what says which model answered) and
//! records: key (16 bytes), number of stretches and their length (4 bytes each, little endian),
//! values (f32), and the first 8 bytes of the record's SHA-256. A record that was cut short by the
//! end of its process is dropped when the file is opened again, with all that follows it.

mod merged;
mod remembering;

pub use merged::{Merged, Unopened};
pub use remembering::{Part, Remembering};

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::Stretch;
use crate::error::{Error, Result};

const KIND: &[u8; 8] = b"LDARans1";
const HEAD: u64 = 40;
/// Bytes of a record beside its values: key, two numbers, check.
const FRAME: u64 = 16 + 8 + 8;

/// What tells one call from another.
pub type Key = [u8; 16];

/// The key of a call: of who is asked, where answers of several are kept together, and of the
/// letters of its stretches, in order.
pub fn key(of: &str, stretches: &[Stretch<'_>]) -> Key {
    let mut hash = Sha256::new();
    hash.update(of);
    for stretch in stretches {
        hash.update((stretch.letters.len() as u64).to_le_bytes());
        hash.update(&stretch.letters);
    }
    first(&hash.finalize())
}

fn first<const N: usize>(hash: &[u8]) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&hash[..N]);
    bytes
}

/// What tells a model, given as to [`Store::open`], from others in names of files.
pub fn name(of: &str) -> String {
    short_name(&Sha256::digest(of)[..])
}

fn short_name(model: &[u8]) -> String {
    model
        .iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// What [`Store::open`] found.
#[derive(Debug)]
pub enum Opened {
    /// Answers of the model asked for, or a file without any.
    Store(Store),
    /// Answers of another one, with its [`name`].
    OfAnother(String),
}

/// A file of answers.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    file: File,
    /// Where the values of a call start, number of stretches, their length.
    index: HashMap<Key, (u64, u32, u32)>,
    end: u64,
}

impl Store {
    /// Opens a file of the answers of the model that `of` describes, to read and to add to, and
    /// makes it where there is none. Answers of another model are left as they are.
    ///
    /// # Errors
    /// A file that cannot be read or written, one that is something else, and one that another
    /// process adds to.
    pub fn open(path: &Path, of: &str) -> Result<Opened> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(Error::io(path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::file(
                    path,
                    "another process is at work on these answers: wait for it, or choose another --out",
                ));
            }
            Err(TryLockError::Error(_)) => {} // a file system without locks
        }
        let model = Sha256::digest(of);
        let (index, end) = match Store::index(path, &file)? {
            Some((head, ..)) if head[..] != model[..] => {
                return Ok(Opened::OfAnother(short_name(&head)));
            }
            Some((_, index, end)) => (index, end),
            None => {
                file.set_len(0)
                    .and_then(|()| file.rewind())
                    .map_err(Error::io(path))?;
                file.write_all(&[&KIND[..], &model[..]].concat())
                    .map_err(Error::io(path))?;
                (HashMap::new(), HEAD)
            }
        };
        file.set_len(end).map_err(Error::io(path))?;
        Ok(Opened::Store(Store {
            path: path.to_path_buf(),
            file,
            index,
            end,
        }))
    }

    /// Whether a file is one of answers, by its first bytes.
    pub fn is_one(path: &Path) -> bool {
        let mut kind = [0; KIND.len()];
        File::open(path)
            .and_then(|mut file| file.read_exact(&mut kind))
            .is_ok_and(|()| kind == *KIND)
    }

    /// Opens a finished file to read.
    ///
    /// # Errors
    /// A file that cannot be read, that is something else, of another model than `of` describes, or
    /// damaged.
    pub fn open_finished(path: &Path, of: &str) -> Result<Store> {
        let file = File::open(path).map_err(Error::io(path))?;
        let length = file.metadata().map_err(Error::io(path))?.len();
        match Store::index(path, &file)? {
            Some((head, ..)) if head[..] != Sha256::digest(of)[..] => {
                Err(Error::file(path, "holds answers of another model"))
            }
            Some((_, index, end)) if end == length => Ok(Store {
                path: path.to_path_buf(),
                file,
                index,
                end,
            }),
            _ => Err(Error::file(path, "is damaged: run its shard again")),
        }
    }

    /// The model's hash, the sound records, and where they end; `None` for a file without a whole
    /// head.
    #[allow(clippy::type_complexity)]
    fn index(
        path: &Path,
        file: &File,
    ) -> Result<Option<([u8; 32], HashMap<Key, (u64, u32, u32)>, u64)>> {
        let length = file.metadata().map_err(Error::io(path))?.len();
        let mut reader = BufReader::with_capacity(1 << 20, file);
        let mut head = [0; HEAD as usize];
        let known = length.min(HEAD) as usize;
        reader
            .read_exact(&mut head[..known])
            .map_err(Error::io(path))?;
        if head[..known.min(8)] != KIND[..known.min(8)] {
            return Err(Error::file(
                path,
                "is no file of answers of this program: move it away, or choose another --out",
            ));
        }
        if length < HEAD {
            return Ok(None);
        }
        let (mut index, mut end, mut record) = (HashMap::new(), HEAD, Vec::new());
        while end + FRAME <= length {
            let mut frame = [0; 24];
            reader.read_exact(&mut frame).map_err(Error::io(path))?;
            let number = |at: usize| u32::from_le_bytes(first(&frame[at..]));
            let bytes = u64::from(number(16))
                .checked_mul(u64::from(number(20)))
                .and_then(|n| n.checked_mul(4));
            let Some(bytes) = bytes.filter(|bytes| end + FRAME + bytes <= length) else {
                break;
            };
            record.clear();
            record.extend_from_slice(&frame);
            record.resize(24 + bytes as usize, 0);
            reader
                .read_exact(&mut record[24..])
                .map_err(Error::io(path))?;
            let mut check = [0; 8];
            reader.read_exact(&mut check).map_err(Error::io(path))?;
            if check != first::<8>(&Sha256::digest(&record)) {
                break;
            }
            index.insert(first(&frame), (end + 24, number(16), number(20)));
            end += FRAME + bytes;
        }
        Ok(Some((first(&head[8..]), index, end)))
    }

    /// How many calls are kept.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Where the file lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Brings all answers to the disk.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn finish(self) -> Result<()> {
        self.file.sync_all().map_err(Error::io(&self.path))
    }

    /// The answer to a call, where it is kept.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn get(&mut self, key: &Key) -> Result<Option<Vec<Vec<f32>>>> {
        let Some((start, stretches, length)) = self.index.get(key).copied() else {
            return Ok(None);
        };
        let mut bytes = vec![0; stretches as usize * length as usize * 4];
        let read = self
            .file
            .seek(SeekFrom::Start(start))
            .and_then(|_| self.file.read_exact(&mut bytes));
        read.map_err(Error::io(&self.path))?;
        let values: Vec<f32> = bytes
            .chunks_exact(4)
            .map(|four| f32::from_le_bytes(first(four)))
            .collect();
        Ok(Some(match length {
            0 => vec![Vec::new(); stretches as usize],
            length => values
                .chunks(length as usize)
                .map(<[f32]>::to_vec)
                .collect(),
        }))
    }

    /// Keeps an answer: stretches of one length.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn put(&mut self, key: Key, values: &[Vec<f32>]) -> Result<()> {
        let (stretches, length) = (
            values.len() as u32,
            values.first().map_or(0, Vec::len) as u32,
        );
        let mut record = Vec::with_capacity((FRAME as usize) + values.len() * length as usize * 4);
        record.extend_from_slice(&key);
        record.extend_from_slice(&stretches.to_le_bytes());
        record.extend_from_slice(&length.to_le_bytes());
        values
            .iter()
            .flatten()
            .for_each(|value| record.extend_from_slice(&value.to_le_bytes()));
        record.extend_from_slice(&first::<8>(&Sha256::digest(&record)));
        // In one piece: what a kill leaves is a record cut short, never one in the middle.
        let written = self
            .file
            .seek(SeekFrom::Start(self.end))
            .and_then(|_| self.file.write_all(&record));
        written.map_err(Error::io(&self.path))?;
        self.index.insert(key, (self.end + 24, stretches, length));
        self.end += record.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
