//! Genomes: FASTA as plain text or bgzip (read contig by contig through an index, made where it is missing) or plain gzip (decoded
//! once into memory, as it cannot be read from the middle).

use std::borrow::Cow;
use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use noodles::bgzf::{self, gzi};
use noodles::core::Region;
use noodles::fasta::{self, fai};

use crate::error::{Error, Result};
use crate::genome::fasta_index::{self, BGZF_HEADER_LEN};

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
#[derive(Debug)]
pub struct Genome {
    path: PathBuf,
    contigs: Vec<Contig>,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Plain { index: fai::Index },
    Bgzf { index: fai::Index, blocks: gzi::Index },
    BgzfBytes { bytes: Cow<'static, [u8]>, index: fai::Index, blocks: gzi::Index },
    Memory(Vec<Vec<u8>>),
}

impl Genome {
    /// Opens a FASTA: plain, bgzip or gzip, told apart by content. `PATH.fai` (and `PATH.gzi` for bgzip) are used where they fit the
    /// file and made where they are missing, older than the FASTA or inconsistent with it; where the folder is not writable they are kept
    /// in memory. A FASTA whose lines have no common length cannot be indexed and is held in memory.
    ///
    /// # Errors
    /// A missing or unreadable file, an empty file, one that is not FASTA, and contigs of the same name.
    pub fn open(path: impl AsRef<Path>) -> Result<Genome> {
        let path = path.as_ref();
        let mut file = File::open(path).map_err(Error::io(path))?;
        if file.metadata().map_err(Error::io(path))?.is_dir() {
            return Err(Error::file(path, "a folder, not a FASTA file"));
        }
        let mut head = Vec::with_capacity(BGZF_HEADER_LEN);
        file.by_ref().take(BGZF_HEADER_LEN as u64).read_to_end(&mut head).map_err(Error::io(path))?;
        file.seek(SeekFrom::Start(0)).map_err(Error::io(path))?;
        if fasta_index::is_bgzf(&head) {
            let blocks = fasta_index::gzi_for(path)?;
            let mut reader = bgzf::io::IndexedReader::new(BufReader::new(file), blocks.clone());
            match fasta_index::fai_for(path, &mut reader)? {
                Some(index) => Genome::indexed(path, index.clone(), Source::Bgzf { index, blocks }),
                None => Genome::in_memory(path, flate2::read::MultiGzDecoder::new(File::open(path).map_err(Error::io(path))?)),
            }
        } else if head.starts_with(&[0x1f, 0x8b]) {
            Genome::in_memory(path, flate2::read::MultiGzDecoder::new(file))
        } else {
            match fasta_index::fai_for(path, &mut BufReader::with_capacity(1 << 18, file))? {
                Some(index) => Genome::indexed(path, index.clone(), Source::Plain { index }),
                None => Genome::in_memory(path, File::open(path).map_err(Error::io(path))?),
            }
        }
    }

    /// A bgzip FASTA that is already in memory (embedded in the program); its index is built here. `name` stands for the path in errors.
    ///
    /// # Errors
    /// As [`Genome::open`]; also when the bytes are not bgzip.
    pub fn from_bgzf_bytes(name: &str, bytes: impl Into<Cow<'static, [u8]>>) -> Result<Genome> {
        let bytes = bytes.into();
        let path = Path::new(name);
        if !fasta_index::is_bgzf(&bytes) {
            return Err(Error::file(path, "not a bgzip file"));
        }
        let blocks = fasta_index::scan_blocks(path, &mut Cursor::new(&bytes[..]))?;
        let mut reader = bgzf::io::IndexedReader::new(Cursor::new(&bytes[..]), blocks.clone());
        match fasta_index::build_fai(path, &mut reader)? {
            Some(index) => Genome::indexed(path, index.clone(), Source::BgzfBytes { bytes, index, blocks }),
            None => Genome::in_memory(path, flate2::read::MultiGzDecoder::new(&bytes[..])),
        }
    }

    fn indexed(path: &Path, index: fai::Index, source: Source) -> Result<Genome> {
        let contigs =
            index.as_ref().iter().map(|record| Contig { name: record.name().to_string(), length_bp: record.length() as usize }).collect();
        Genome { path: path.to_path_buf(), contigs, source }.checked()
    }

    fn in_memory(path: &Path, text: impl Read) -> Result<Genome> {
        let records = fasta_index::read_records(path, &mut BufReader::with_capacity(1 << 18, text))?;
        let (contigs, sequences) =
            records.into_iter().map(|(name, sequence)| (Contig { name, length_bp: sequence.len() }, sequence)).unzip();
        Genome { path: path.to_path_buf(), contigs, source: Source::Memory(sequences) }.checked()
    }

    fn checked(self) -> Result<Genome> {
        if self.contigs.is_empty() {
            return Err(Error::file(&self.path, "an empty FASTA: it holds no sequence"));
        }
        let mut seen = HashSet::new();
        if let Some(contig) = self.contigs.iter().find(|contig| !seen.insert(contig.name.as_str())) {
            return Err(Error::file(&self.path, format!("two sequences are named '{}'; rename one", contig.name)));
        }
        Ok(self)
    }

    /// The contigs, in file order.
    pub fn contigs(&self) -> &[Contig] {
        &self.contigs
    }

    /// Where the genome came from, for messages and reports.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The letters of one contig as the file has them, lower case (soft-masked) included; `length_bp` bytes.
    ///
    /// # Errors
    /// An unknown name, an unreadable file, and characters that are no sequence letters.
    pub fn read_contig(&self, name: &str) -> Result<Vec<u8>> {
        let position = self.contigs.iter().position(|contig| contig.name == name);
        let Some(position) = position else {
            let known = crate::genome::contig_names::examples(self.contigs.iter().map(|c| c.name.as_str()));
            return Err(Error::file(&self.path, format!("no contig '{name}'; it has {known}")));
        };
        let length_bp = self.contigs[position].length_bp;
        let sequence = match &self.source {
            Source::Memory(sequences) => return Ok(sequences[position].clone()),
            Source::Plain { index } => self.query(BufReader::with_capacity(1 << 18, self.file()?), index, name)?,
            Source::Bgzf { index, blocks } => {
                self.query(bgzf::io::IndexedReader::new(BufReader::new(self.file()?), blocks.clone()), index, name)?
            }
            Source::BgzfBytes { bytes, index, blocks } => {
                self.query(bgzf::io::IndexedReader::new(Cursor::new(&bytes[..]), blocks.clone()), index, name)?
            }
        };
        if sequence.len() != length_bp {
            return Err(Error::file(
                &self.path,
                format!(
                    "contig '{name}' has {} bases where its index says {length_bp}; the file changed while it was open",
                    sequence.len()
                ),
            ));
        }
        if let Some(letter) = sequence.iter().find(|b| !fasta_index::is_sequence_letter(**b)) {
            return Err(Error::file(&self.path, format!("contig '{name}' holds the byte {letter:#04x}, which is no sequence letter")));
        }
        Ok(sequence)
    }

    fn file(&self) -> Result<File> {
        File::open(&self.path).map_err(Error::io(&self.path))
    }

    fn query<R: BufRead + Seek>(&self, reader: R, index: &fai::Index, name: &str) -> Result<Vec<u8>> {
        let mut reader = fasta::io::Reader::new(reader);
        let record = reader.query(index, &Region::new(name, ..)).map_err(Error::io(&self.path))?;
        Ok(record.sequence().as_ref().to_vec())
    }
}

#[cfg(test)]
mod tests;
