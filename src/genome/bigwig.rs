//! bigWig: values by base, read by contig and interval, and written as they come.

pub mod write;

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{BufReader, ErrorKind};
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::Once;

use bigtools::{BigWigRead, BigWigReadOpenError};

use crate::error::{Error, Result};
use crate::genome::Interval;
use crate::genome::contig_names::{ContigNames, examples};
use crate::genome::fasta::Contig;

/// Bases that are read and kept together: tiles come in order, and each look-up in the file's index costs more than its values.
const BLOCK_BP: usize = 1 << 18;

/// A bigWig file that fits a genome.
pub struct BigWig {
    path: PathBuf,
    /// For each contig of the genome: its name in the file and its length, where the file has it.
    names: Vec<Option<(String, usize)>>,
    reader: RefCell<Reader>,
}

struct Reader {
    file: BigWigRead<BufReader<File>>,
    /// The blocks read last, at most two: (contig, number, values).
    blocks: Vec<(usize, usize, Vec<f32>)>,
}

impl BigWig {
    /// Opens a file for a genome with these contigs; contigs may go by any of their names.
    ///
    /// # Errors
    /// An unreadable file, one that is no bigWig, one that shares no contig with the genome, and one with a contig of another length: it is of
    /// another assembly.
    pub fn open(path: &Path, contigs: &[Contig]) -> Result<BigWig> {
        let file = BufReader::new(File::open(path).map_err(Error::io(path))?);
        let file = guarded(path, || BigWigRead::open(file))?.map_err(|error| match error {
            BigWigReadOpenError::IoError(e) if e.kind() == ErrorKind::UnexpectedEof => {
                Error::file(path, "not a bigWig file, or one cut short")
            }
            BigWigReadOpenError::IoError(source) => Error::Io { path: path.to_path_buf(), source },
            BigWigReadOpenError::NotABigWig => Error::file(path, "not a bigWig file"),
            BigWigReadOpenError::InvalidChroms => Error::file(path, "a bigWig file whose list of contigs cannot be read"),
        })?;
        let known = ContigNames::new(contigs.iter().map(|contig| &contig.name));
        let mut names: Vec<Option<(String, usize)>> = vec![None; contigs.len()];
        for found in file.chroms() {
            let Some(index) = known.find(&found.name) else { continue };
            let contig = &contigs[index];
            if contig.length_bp != found.length as usize {
                let message = format!(
                    "{} has {} bases here and {} in the genome: the file is of another assembly",
                    found.name, found.length, contig.length_bp
                );
                return Err(Error::file(path, message));
            }
            names[index] = Some((found.name.clone(), contig.length_bp));
        }
        if names.iter().all(Option::is_none) {
            let message = format!(
                "none of its contigs ({}) is in the genome ({})",
                examples(file.chroms().iter().map(|c| c.name.as_str())),
                known.examples()
            );
            return Err(Error::file(path, message));
        }
        Ok(BigWig { path: path.to_path_buf(), names, reader: RefCell::new(Reader { file, blocks: Vec::new() }) })
    }

    /// Appends the value of each base of an interval of a contig, given by its number in the genome; `NaN` where the file has none that is finite.
    ///
    /// # Errors
    /// A file that cannot be read, or is damaged.
    pub fn values(&self, contig: usize, bases: Interval, values: &mut Vec<f32>) -> Result<()> {
        let Some((name, length)) = self.names.get(contig).and_then(Option::as_ref) else {
            values.extend(std::iter::repeat_n(f32::NAN, bases.len_bp()));
            return Ok(());
        };
        let mut at = bases.start;
        while at < bases.end {
            let number = at / BLOCK_BP;
            let first = number * BLOCK_BP;
            let to = bases.end.min(first + BLOCK_BP);
            let mut reader = self.reader.borrow_mut();
            if !reader.blocks.iter().any(|(c, n, _)| (*c, *n) == (contig, number)) {
                let block = self.block(&mut reader.file, name, Interval::new(first, (first + BLOCK_BP).min(*length)))?;
                if reader.blocks.len() == 2 {
                    reader.blocks.remove(0);
                }
                reader.blocks.push((contig, number, block));
            }
            let known = reader.blocks.iter().find(|(c, n, _)| (*c, *n) == (contig, number)).map(|(.., block)| block.as_slice());
            let within = known.and_then(|block| block.get(at - first..to - first));
            values.extend_from_slice(within.ok_or_else(|| Error::file(&self.path, format!("{name} ends before base {to}")))?);
            at = to;
        }
        Ok(())
    }

    fn block(&self, file: &mut BigWigRead<BufReader<File>>, name: &str, bases: Interval) -> Result<Vec<f32>> {
        // Bounds fit: lengths of contigs were compared with the file's, which are of 32 bits.
        let read = guarded(&self.path, || file.values(name, bases.start as u32, bases.end as u32))?;
        let mut values = read.map_err(|e| Error::file(&self.path, format!("{name}:{}-{}: {e}", bases.start, bases.end)))?;
        values.iter_mut().filter(|value| !value.is_finite()).for_each(|value| *value = f32::NAN);
        Ok(values)
    }
}

thread_local! {
    static IN_LIBRARY: Cell<bool> = const { Cell::new(false) };
}

/// The library asserts what a sound file holds; a damaged one is an error here, not the end of the program nor a report of a panic.
fn guarded<T>(path: &Path, read: impl FnOnce() -> T) -> Result<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |of| {
            if !IN_LIBRARY.get() {
                report(of)
            }
        }));
    });
    IN_LIBRARY.set(true);
    let read = panic::catch_unwind(AssertUnwindSafe(read));
    IN_LIBRARY.set(false);
    read.map_err(|_| Error::file(path, "a damaged bigWig file: copy or make it again"))
}

#[cfg(test)]
mod tests;
