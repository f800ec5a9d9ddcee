//! What the letters nearby alone say of an allele: a table of bases by their neighbours, counted on
//! the genome.

use std::collections::HashSet;

use crate::error::Result;
use crate::genome::Strand;
use crate::genome::fasta::Genome;
use crate::genome::sequence::model_letters;
use crate::pipelines::Progress;
use crate::pipelines::edits::Edit;
use crate::stats::base_table::BaseTables;
use crate::stats::context::codes;

/// Letters on either side that the table knows.
pub const WIDTH: usize = 5;
/// Bases that it is counted on, at most: pieces spread evenly over the contigs of the variants, and
/// over others where these are shorter.
pub const TABLE_BP: usize = 16_000_000;
/// Bases of a piece.
const PIECE: usize = 16_384;
/// Of so many pieces one is kept for fitting how far wide contexts are trusted.
const TUNED_BY: usize = 10;
/// Pieces kept for that, at most.
const MOST_TUNING: usize = 20;

pub(super) struct LocalTable {
    tables: BaseTables,
    /// (contig, number of the piece) that were counted.
    counted: HashSet<(usize, usize)>,
    bases: u64,
}

impl LocalTable {
    /// Counts the contigs `of` variants, and others as long as there is room.
    pub fn fit(
        genome: &Genome,
        of: impl Iterator<Item = usize>,
        progress: &dyn Fn(Progress),
    ) -> Result<LocalTable> {
        let mut contigs: Vec<usize> = of.collect();
        let length = |contig: &usize| genome.contigs()[*contig].length_bp;
        let mut all: usize = contigs.iter().map(length).sum();
        for contig in 0..genome.contigs().len() {
            if all < TABLE_BP && !contigs.contains(&contig) {
                all += length(&contig);
                contigs.push(contig);
            }
        }
        let every = all.div_ceil(TABLE_BP).max(1);
        let (mut counted, mut sequences, mut tuning, mut number) =
            (HashSet::new(), Vec::new(), Vec::new(), 0);
        for (done, contig) in contigs.iter().enumerate() {
            progress(Progress {
                stage: "local table",
                done: done as u64,
                total: contigs.len() as u64,
            });
            let letters = codes(&model_letters(
                &genome.read_contig(&genome.contigs()[*contig].name)?,
                Strand::Plus,
            ));
            for (piece, letters) in letters
                .chunks(PIECE)
                .enumerate()
                .filter(|(piece, _)| piece % every == 0)
            {
                number += 1;
                if number % TUNED_BY == 0 && tuning.len() < MOST_TUNING {
                    tuning.push(letters.to_vec());
                } else {
                    counted.insert((*contig, piece));
                    sequences.push(letters.to_vec());
                }
            }
        }
        let bases = sequences.iter().map(|letters| letters.len() as u64).sum();
        let tables = BaseTables::fit(sequences.iter().map(Vec::as_slice), WIDTH, &tuning, None);
        Ok(LocalTable {
            tables,
            counted,
            bases,
        })
    }

    /// Bases that were counted.
    pub fn bases(&self) -> u64 {
        self.bases
    }

    /// The logarithm of how much likelier the edited sequence is by the table. Of a single letter:
    /// of the new letter over the old one given the neighbours, as a model with that position
    /// masked is asked. Else: the sum over all positions that see the edit, each given its
    /// neighbours, after less before.
    pub fn log_ratio(&self, contig: usize, sequence: &[u8], edit: &Edit) -> f64 {
        let reach = 2 * WIDTH;
        let (first, last) = (
            edit.bases.start.saturating_sub(reach),
            (edit.bases.end + reach).min(sequence.len()),
        );
        let before = model_letters(&sequence[first..last], Strand::Plus);
        let after = codes(&edit.applied(&before, first));
        let before = codes(&before);
        let at = edit.bases.start - first;
        let own = |t: usize| {
            self.counted
                .contains(&(contig, (first + t) / PIECE))
                .then(|| before[t])
        };
        if edit.is_single() {
            let of = self.tables.log_probs(&before, at, own(at));
            return of[usize::from(after[at])] - of[usize::from(before[at])];
        }
        let sum = |letters: &[u8], end: usize, own: &dyn Fn(usize) -> Option<u8>| -> f64 {
            let seen = at.saturating_sub(WIDTH)..(end + WIDTH).min(letters.len());
            seen.filter(|t| letters[*t] < 4)
                .map(|t| self.tables.log_probs(letters, t, own(t))[usize::from(letters[t])])
                .sum()
        };
        sum(&after, at + edit.letters.len(), &|_| None)
            - sum(&before, at + edit.bases.len_bp(), &own)
    }
}
