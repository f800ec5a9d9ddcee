//! bigWig: values by base, read by contig and interval, and written as they come.

mod file;
pub mod write;

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use file::BigWigFile;

use crate::error::{Error, Result};
use crate::genome::Interval;
use crate::genome::contig_names::{ContigNames, examples};
use crate::genome::fasta::Contig;

/// Bases that are read and kept together: tiles come in order, and each look-up in the file's index
/// costs more than its values.
const PIECE_BP: usize = 1 << 18;

/// A bigWig file that fits a genome.
pub struct BigWig {
    path: PathBuf,
    /// For each contig of the genome: its place in the file's list, where the file has it.
    listed: Vec<Option<usize>>,
    reader: RefCell<Reader>,
}

struct Reader {
    file: BigWigFile,
    /// The pieces read last, at most two: (contig, number, values).
    pieces: Vec<(usize, usize, Vec<f32>)>,
}

impl BigWig {
    /// Opens a file for a genome with these contigs; contigs may go by any of their names.
    ///
    /// # Errors
    /// An unreadable file, one that is no bigWig, one that shares no contig with the genome, and
    /// one with a contig of another length: it is of another assembly.
    pub fn open(path: &Path, contigs: &[Contig]) -> Result<BigWig> {
        let file = BigWigFile::open(path)?;
        let known = ContigNames::new(contigs.iter().map(|contig| &contig.name));
        let mut listed = vec![None; contigs.len()];
        for (place, found) in file.contigs().iter().enumerate() {
            let Some(index) = known.find(&found.name) else {
                continue;
            };
            let contig = &contigs[index];
            if contig.length_bp != found.length_bp as usize {
                let message = format!(
                    "{} has {} bases here and {} in the genome: the file is of another assembly",
                    found.name, found.length_bp, contig.length_bp
                );
                return Err(Error::file(path, message));
            }
            listed[index] = Some(place);
        }
        if listed.iter().all(Option::is_none) {
            let message = format!(
                "none of its contigs ({}) is in the genome ({})",
                examples(file.contigs().iter().map(|c| c.name.as_str())),
                known.examples()
            );
            return Err(Error::file(path, message));
        }
        Ok(BigWig {
            path: path.to_path_buf(),
            listed,
            reader: RefCell::new(Reader {
                file,
                pieces: Vec::new(),
            }),
        })
    }

    /// Appends the value of each base of an interval of a contig, given by its number in the
    /// genome; `NaN` where the file has none that is finite.
    ///
    /// # Errors
    /// A file that cannot be read, or is damaged.
    pub fn values(&self, contig: usize, bases: Interval, values: &mut Vec<f32>) -> Result<()> {
        let Some(place) = self.listed.get(contig).copied().flatten() else {
            values.extend(std::iter::repeat_n(f32::NAN, bases.len_bp()));
            return Ok(());
        };
        let mut at = bases.start;
        while at < bases.end {
            let number = at / PIECE_BP;
            let first = number * PIECE_BP;
            let to = bases.end.min(first + PIECE_BP);
            let Reader { file, pieces } = &mut *self.reader.borrow_mut();
            let known = match pieces
                .iter()
                .position(|(c, n, _)| (*c, *n) == (contig, number))
            {
                Some(known) => known,
                None => {
                    let length = file.contigs()[place].length_bp as usize;
                    let mut piece = file.values(
                        place,
                        Interval::new(first, (first + PIECE_BP).min(length).max(first)),
                    )?;
                    piece
                        .iter_mut()
                        .filter(|value| !value.is_finite())
                        .for_each(|value| *value = f32::NAN);
                    if pieces.len() == 2 {
                        pieces.remove(0);
                    }
                    pieces.push((contig, number, piece));
                    pieces.len() - 1
                }
            };
            let within = pieces[known].2.get(at - first..to - first);
            values.extend_from_slice(within.ok_or_else(|| {
                Error::file(&self.path, format!("the contig ends before base {to}"))
            })?);
            at = to;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
