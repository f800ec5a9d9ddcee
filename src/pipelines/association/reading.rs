//! The boundaries of a contig, and a track beside them.

use super::rows::ReadingRow;
use super::{AssociationRequest, Track};
use crate::error::Result;
use crate::genome::fasta::Genome;
use crate::genome::sequence::is_acgt;
use crate::genome::{Interval, Strand};
use crate::pipelines::BoundarySource;
use crate::pipelines::boundaries::{self, BoundariesRequest};
use crate::pipelines::tiles::ContigStrand;

/// Stretches without a letter A, C, G or T of this length and more are not read, in bases.
const GAP_BP: usize = 1000;

/// Bases of a track that are asked for together.
const PIECE_BP: usize = 1 << 20;

/// What a position is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Position {
    /// Not read, or next to another letter than A, C, G and T.
    Unknown,
    /// Read, and no boundary.
    Inside,
    /// A boundary.
    Boundary,
}

/// A contig as it was read, up to its last base that is A, C, G or T.
pub(super) struct Read {
    /// The letters as the file has them.
    pub letters: Vec<u8>,
    /// Position `t` lies before base `t`.
    pub positions: Vec<Position>,
    length_bp: usize,
}

impl Read {
    pub(super) fn new(letters: Vec<u8>, probabilities: &[f32]) -> Read {
        let plain = |base: usize| is_acgt(&letters[base..=base]);
        let positions = (0..letters.len())
            .map(|base| match probabilities[base] {
                p if p.is_nan() || base == 0 || !plain(base) || !plain(base - 1) => {
                    Position::Unknown
                }
                p if p > 0.5 => Position::Boundary,
                _ => Position::Inside,
            })
            .collect();
        let length_bp = letters.len();
        Read {
            letters,
            positions,
            length_bp,
        }
    }

    /// Tokens between two boundaries with nothing unknown between them, in order.
    pub fn tokens(&self) -> Vec<Interval> {
        let (mut found, mut start) = (Vec::new(), None);
        for (base, position) in self.positions.iter().enumerate() {
            match position {
                Position::Unknown => start = None,
                Position::Inside => {}
                Position::Boundary => {
                    found.extend(start.map(|start| Interval::new(start, base)));
                    start = Some(base);
                }
            }
        }
        found
    }

    /// The value of a track at each base.
    pub fn values_of(&self, track: &dyn Track, contig: usize) -> Result<Vec<f32>> {
        let (end, mut values) = (self.letters.len(), Vec::new());
        for start in (0..end).step_by(PIECE_BP) {
            let bases = Interval::new(start, end.min(start + PIECE_BP));
            track.values(contig, bases, &mut values)?;
        }
        Ok(values)
    }

    pub fn row(&self, contig: &str) -> ReadingRow {
        let count = |what: Position| self.positions.iter().filter(|p| **p == what).count() as u64;
        let (boundaries, inside) = (count(Position::Boundary), count(Position::Inside));
        ReadingRow {
            contig: contig.into(),
            length_bp: self.length_bp as u64,
            n_positions: boundaries + inside,
            n_boundaries: boundaries,
            density: boundaries as f64 / (boundaries + inside) as f64,
        }
    }
}

/// Stretches of the letters A, C, G and T with no long gap, in order and apart.
fn stretches(letters: &[u8]) -> Vec<Interval> {
    let mut found: Vec<Interval> = Vec::new();
    for (base, letter) in letters.iter().enumerate() {
        if !is_acgt(&[*letter]) {
            continue;
        }
        match found.last_mut() {
            Some(last) if base < last.end + GAP_BP => last.end = base + 1,
            _ => found.push(Interval::new(base, base + 1)),
        }
    }
    found
}

/// Reads plus of a contig, and says how many bases the model read for it; `step` is told how many
/// have a value. Of a source that answers a part only, nothing is known.
pub(super) fn read(
    genome: &Genome,
    contig: usize,
    source: &dyn BoundarySource,
    request: &AssociationRequest,
    step: &dyn Fn(u64),
) -> Result<(Read, u64)> {
    let name = &genome.contigs()[contig].name;
    let mut letters = genome.read_contig(name)?;
    let (length_bp, regions) = (letters.len(), stretches(&letters));
    let on = ContigStrand {
        contig: name,
        sequence: &letters,
        strand: Strand::Plus,
    };
    let reading = BoundariesRequest {
        context: request.context,
        margin: request.margin,
        batch: request.batch,
        seams: 0,
    };
    let end = regions.last().map_or(0, |last| last.end);
    let mut probabilities = vec![f32::NAN; end];
    let mut done = 0;
    let mut found = |first: usize, values: &[f32]| {
        probabilities[first..first + values.len()].copy_from_slice(values);
        done += values.len() as u64;
        step(done);
        Ok(())
    };
    let bases_read = boundaries::read(on, &regions, source, &reading, &mut found)?.bases_read;
    letters.truncate(end);
    let read = Read::new(letters, &probabilities);
    Ok((Read { length_bp, ..read }, bases_read))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_not_read() {
        let mut letters = b"NNACG".to_vec();
        letters.extend([b'N'; 999]);
        letters.extend(b"ac");
        letters.extend([b'N'; 1000]);
        letters.extend(b"T");
        assert_eq!(
            stretches(&letters),
            [Interval::new(2, 1006), Interval::new(2006, 2007)]
        );
        let read = Read::new(b"ACNGT".to_vec(), &[1.0, 0.7, 0.7, 0.7, 0.5]);
        use Position::{Boundary, Inside, Unknown};
        assert_eq!(
            read.positions,
            [Unknown, Boundary, Unknown, Unknown, Inside]
        );
    }
}
