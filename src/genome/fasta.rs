//! Genomes: FASTA as plain text or bgzip (read contig by contig through an index, made where it is
//! missing) or plain gzip (decoded once into memory, as it cannot be read from the middle).

mod index;
mod records;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use noodles::bgzf;
use noodles::fasta::fai;

use crate::error::{Error, Result};
use crate::genome::contig_names::ContigNames;
use crate::genome::text::{self, BGZF_HEADER_LEN, is_bgzf};
use index::Text;

/// One sequence of a genome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contig {
    /// The first word of its `>` line.
    pub name: String,
    /// Its length in bases.
    pub length_bp: usize,
}

/// A genome whose contigs are read whole, one at a time.
///
/// ```
/// # fn main() -> ldar::error::Result<()> {
/// let folder = tempfile::tempdir().map_err(ldar::error::Error::io("temp"))?;
/// let path = folder.path().join("toy.fa");
/// std::fs::write(&path, ">chrT a toy\nACGTac\ngt\n").map_err(ldar::error::Error::io(&path))?;
/// let genome = ldar::genome::fasta::Genome::open(&path)?;
/// assert_eq!(genome.contigs()[0].length_bp, 8);
/// assert_eq!(genome.read_contig("chrT")?, b"ACGTacgt");
/// # Ok(())
/// # }
/// ```
pub struct Genome {
    path: PathBuf,
    contigs: Vec<Contig>,
    by_name: HashMap<String, usize>,
    source: Bases,
}

enum Bases {
    Indexed {
        text: Mutex<Text>,
        index: Vec<fai::Record>,
    },
    Memory(Vec<Vec<u8>>),
}

impl fmt::Debug for Genome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Genome")
            .field("path", &self.path)
            .field("contigs", &self.contigs.len())
            .finish_non_exhaustive()
    }
}

impl Genome {
    /// Opens a FASTA: plain, bgzip or gzip, told apart by content. `PATH.fai` (and `PATH.gzi` for
    /// bgzip) are used where they fit the file and made where they are missing, older than the
    /// FASTA or inconsistent with it; where the folder is not writable they are kept in memory.
    /// What cannot be indexed is held in memory: plain gzip, what comes through a pipe, a FASTA
    /// whose lines have no common length.
    ///
    /// # Errors
    /// A missing or unreadable file, one that is cut off, one that is not FASTA (with the line),
    /// one without a base, and contigs of the same name.
    pub fn open(path: impl AsRef<Path>) -> Result<Genome> {
        let path = path.as_ref();
        let mut file = File::open(path).map_err(Error::io(path))?;
        let about = file.metadata().map_err(Error::io(path))?;
        if about.is_dir() {
            return Err(Error::file(path, "a folder, not a FASTA file"));
        }
        if !about.is_file() {
            return Genome::in_memory(path, &mut text::unpacked(file).map_err(Error::io(path))?);
        }
        let mut head = Vec::with_capacity(BGZF_HEADER_LEN);
        file.by_ref()
            .take(BGZF_HEADER_LEN as u64)
            .read_to_end(&mut head)
            .map_err(Error::io(path))?;
        file.seek(SeekFrom::Start(0)).map_err(Error::io(path))?;
        let text = if is_bgzf(&head) {
            index::gzi_for(path)?
                .map(|blocks| Text::new(bgzf::io::IndexedReader::new(BufReader::new(file), blocks)))
        } else if head.starts_with(b">") {
            Some(Text::new(BufReader::with_capacity(1 << 18, file)))
        } else {
            None // plain gzip; a byte-order mark, a comment, or no FASTA at all
        };
        if let Some(mut text) = text
            && let Some(index) = index::fai_for(path, &mut text)?
        {
            return Genome::indexed(path, text, index);
        }
        Genome::in_memory(path, &mut text::open(path)?)
    }

    /// A bgzip FASTA that is already in memory (embedded in the program); its index is built here.
    /// `name` stands for the path in errors.
    ///
    /// # Errors
    /// As [`Genome::open`]; also when the bytes are not bgzip.
    pub fn from_bgzf_bytes(name: &str, bytes: impl Into<Cow<'static, [u8]>>) -> Result<Genome> {
        let bytes: Cow<'static, [u8]> = bytes.into();
        let path = Path::new(name);
        let blocks = if is_bgzf(&bytes) {
            index::scan_blocks(path, &mut Cursor::new(&bytes[..]))?
        } else {
            None
        };
        let blocks = blocks.ok_or_else(|| Error::file(path, "not a bgzip file"))?;
        let mut text = Text::new(bgzf::io::IndexedReader::new(Cursor::new(bytes), blocks));
        let index = index::build_fai(path, &mut text)?;
        Genome::indexed(
            path,
            text,
            index.ok_or_else(|| {
                Error::file(path, "lines have no common length: it cannot be indexed")
            })?,
        )
    }

    /// Sequences that are at hand, by name; `path` stands for them in errors.
    ///
    /// # Errors
    /// Two of one name, and none with a base.
    pub fn of_sequences(path: &Path, sequences: Vec<(String, Vec<u8>)>) -> Result<Genome> {
        let contigs = |(name, letters): (String, Vec<u8>)| {
            (
                Contig {
                    name,
                    length_bp: letters.len(),
                },
                letters,
            )
        };
        let (contigs, sequences) = sequences.into_iter().map(contigs).unzip();
        Genome::new(path, contigs, Bases::Memory(sequences))
    }

    fn indexed(path: &Path, text: Text, index: Vec<fai::Record>) -> Result<Genome> {
        let contig = |record: &fai::Record| Contig {
            name: text::printable(record.name()),
            length_bp: record.length() as usize,
        };
        let contigs = index.iter().map(contig).collect();
        Genome::new(
            path,
            contigs,
            Bases::Indexed {
                text: Mutex::new(text),
                index,
            },
        )
    }

    fn in_memory(path: &Path, text: &mut dyn BufRead) -> Result<Genome> {
        let records = records::read(path, text, true)?.all;
        Genome::of_sequences(
            path,
            records
                .into_iter()
                .map(|record| (record.shown(), record.letters))
                .collect(),
        )
    }

    fn new(path: &Path, contigs: Vec<Contig>, source: Bases) -> Result<Genome> {
        if contigs.iter().all(|contig| contig.length_bp == 0) {
            return Err(Error::file(
                path,
                format!(
                    "holds no sequence: {} records, and no base in them",
                    contigs.len()
                ),
            ));
        }
        let mut by_name = HashMap::with_capacity(contigs.len());
        for (number, contig) in contigs.iter().enumerate() {
            if by_name.insert(contig.name.clone(), number).is_some() {
                return Err(Error::file(
                    path,
                    format!("two sequences are named '{}'; rename one", contig.name),
                ));
            }
        }
        Ok(Genome {
            path: path.to_path_buf(),
            contigs,
            by_name,
            source,
        })
    }

    /// The contigs, in file order.
    pub fn contigs(&self) -> &[Contig] {
        &self.contigs
    }

    /// The number of a contig among [`Genome::contigs`], by its very name.
    pub fn number(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// The numbers of the contigs of some names, of whatever style, in the order of the names.
    ///
    /// # Errors
    /// A name that none of them goes by.
    pub fn numbers(&self, names: &[String]) -> Result<Vec<usize>> {
        let known = ContigNames::new(self.contigs.iter().map(|contig| &contig.name));
        let number = |name: &String| {
            (known.find(name)).ok_or_else(|| Error::file(&self.path, known.lacks(name)))
        };
        names.iter().map(number).collect()
    }

    /// Where the genome came from, for messages and reports.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The letters of one contig as the file has them, lower case (soft-masked) included;
    /// `length_bp` bytes.
    ///
    /// # Errors
    /// An unknown name, an unreadable file, and characters that are no sequence letters.
    pub fn read_contig(&self, name: &str) -> Result<Vec<u8>> {
        let Some(number) = self.number(name) else {
            let known =
                crate::genome::contig_names::examples(self.contigs.iter().map(|c| c.name.as_str()));
            return Err(Error::file(
                &self.path,
                format!("no contig '{name}'; it has {known}"),
            ));
        };
        match &self.source {
            Bases::Memory(sequences) => Ok(sequences[number].clone()),
            Bases::Indexed { text, index } => {
                let mut text = text.lock().unwrap_or_else(PoisonError::into_inner);
                let letters =
                    index::letters(&mut text, &index[number]).map_err(Error::io(&self.path))?;
                letters.ok_or_else(|| self.fault(name))
            }
        }
    }

    /// Why a contig is not what the index says: read from its start, the file tells the line.
    fn fault(&self, name: &str) -> Error {
        match text::open(&self.path)
            .and_then(|mut text| records::read(&self.path, &mut text, false))
        {
            Err(error) => error,
            Ok(_) => {
                let message = format!(
                    "contig '{name}' is not as its index says: remove {}.fai and run again",
                    self.path.display()
                );
                Error::file(&self.path, message)
            }
        }
    }
}

#[cfg(test)]
mod tests;
