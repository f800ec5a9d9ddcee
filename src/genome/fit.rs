//! Whether an annotation is of a genome: nearly all introns start with GT and end with AG, by
//! chance one in 256 does.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Result;
use crate::genome::annotation::{Annotation, Transcript};
use crate::genome::contig_names::ContigNames;
use crate::genome::fasta::Genome;
use crate::genome::junctions::SiteKind;
use crate::genome::{Interval, Strand};

/// Contigs with as many introns tell enough.
const ENOUGH_INTRONS: usize = 100;

/// Fewer introns tell nothing.
const LEAST_INTRONS: usize = 3;

/// Shorter introns are frameshifts written as gaps.
const LEAST_INTRON_BP: usize = 30;

/// Shifts that are tried, in bases.
const SHIFTS: [i64; 5] = [-2, -1, 0, 1, 2];

/// How the introns of one contig read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IntronFit {
    contig: String,
    introns: usize,
    /// Those that read GT-AG where they are.
    gt_ag: usize,
    /// Those whose low end in the genome reads as it should when moved by each of [`SHIFTS`], and
    /// the same of the high end.
    low: [usize; SHIFTS.len()],
    high: [usize; SHIFTS.len()],
}

impl IntronFit {
    /// Reads one contig: the shortest with enough introns, or else that with most. Introns that
    /// end beyond it are left out, as they are where a genome is a slice: they are counted where
    /// sites are chosen. `None` where no contig of the genome has an intron.
    ///
    /// # Errors
    /// No contig of the annotation is in the genome; it cannot be read.
    pub fn of(genome: &Genome, annotation: &Annotation) -> Result<Option<IntronFit>> {
        let names = ContigNames::new(genome.contigs().iter().map(|contig| &contig.name));
        let map = names.map_annotation(&annotation.contigs)?;
        let mut introns: BTreeMap<usize, BTreeSet<(Strand, Interval)>> = BTreeMap::new();
        for gene in &annotation.genes {
            let Some(contig) = map[gene.contig] else {
                continue;
            };
            let length_bp = genome.contigs()[contig].length_bp;
            let long = gene
                .transcripts
                .iter()
                .flat_map(Transcript::introns)
                .filter(|intron| intron.len_bp() >= LEAST_INTRON_BP && intron.end <= length_bp);
            introns
                .entry(contig)
                .or_default()
                .extend(long.map(|intron| (gene.strand, intron)));
        }
        let length_bp = |contig: &usize| genome.contigs()[*contig].length_bp;
        let enough = introns
            .iter()
            .filter(|(_, introns)| introns.len() >= ENOUGH_INTRONS)
            .min_by_key(|(contig, _)| length_bp(contig));
        let most = || introns.iter().max_by_key(|(_, introns)| introns.len());
        let Some((contig, introns)) = enough
            .or_else(most)
            .filter(|(_, introns)| !introns.is_empty())
        else {
            return Ok(None);
        };
        let name = &genome.contigs()[*contig].name;
        Ok(Some(IntronFit::read(
            name,
            &genome.read_contig(name)?,
            introns,
        )))
    }

    fn read(contig: &str, sequence: &[u8], introns: &BTreeSet<(Strand, Interval)>) -> IntronFit {
        let mut fit = IntronFit {
            contig: contig.into(),
            introns: introns.len(),
            ..IntronFit::default()
        };
        for (strand, intron) in introns {
            let (low, high) = match strand {
                Strand::Plus => (SiteKind::Donor, SiteKind::Acceptor),
                Strand::Minus => (SiteKind::Acceptor, SiteKind::Donor),
            };
            let reads = |kind: SiteKind, shift: i64| {
                let position = usize::try_from(kind.position(*intron, *strand) as i64 + shift).ok();
                position.is_some_and(|position| {
                    position <= sequence.len() && kind.has_dinucleotide(sequence, *strand, position)
                })
            };
            fit.gt_ag += usize::from(reads(low, 0) && reads(high, 0));
            for (at, shift) in SHIFTS.into_iter().enumerate() {
                fit.low[at] += usize::from(reads(low, shift));
                fit.high[at] += usize::from(reads(high, shift));
            }
        }
        fit
    }

    /// Where most introns do not read GT-AG: what that looks like, in one line.
    pub fn complaint(&self) -> Option<String> {
        let IntronFit {
            contig,
            introns,
            gt_ag,
            ..
        } = self;
        if *introns < LEAST_INTRONS || gt_ag * 2 >= *introns {
            return None;
        }
        let best = |counts: &[usize; SHIFTS.len()]| {
            let at = (0..counts.len())
                .max_by_key(|at| (counts[*at], SHIFTS[*at] == 0))
                .unwrap_or(0);
            (counts[at] * 2 >= *introns).then_some(SHIFTS[at])
        };
        let moved = |what: &str, shift: i64| {
            (shift != 0).then(|| {
                format!(
                    "{what} moved by {shift:+} base{}",
                    if shift.abs() == 1 { "" } else { "s" }
                )
            })
        };
        let count_from = "positions of GTF and GFF3 count from 1, both ends included";
        let why = match (best(&self.low), best(&self.high)) {
            (Some(low), Some(high)) if low == high && low != 0 => {
                format!(
                    "{} most do: it is off by that ({count_from})",
                    moved("with the annotation", low).unwrap_or_default()
                )
            }
            (Some(low), Some(high)) if low != high => {
                // The low end of an intron is the end of an exon.
                let parts: Vec<String> = [
                    moved("the ends of exons", low),
                    moved("the starts of exons", high),
                ]
                .into_iter()
                .flatten()
                .collect();
                format!(
                    "with {} most do: they are off by that ({count_from})",
                    parts.join(" and ")
                )
            }
            _ => {
                "the annotation looks to be of another assembly or another species than the genome"
                    .into()
            }
        };
        Some(format!(
            "only {gt_ag} of {introns} annotated introns on {contig} read GT-AG: {why}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::genome::sequence::reverse_complement;

    /// Ten introns of 40 bases with GT and AG, 100 bases apart.
    fn world(strand: Strand) -> (Vec<u8>, Vec<Interval>) {
        let introns: Vec<Interval> = (0..10)
            .map(|i| Interval::new(50 + 100 * i, 90 + 100 * i))
            .collect();
        let mut sequence = vec![b'C'; 1100];
        for intron in &introns {
            sequence[intron.start..intron.start + 2].copy_from_slice(b"GT");
            sequence[intron.end - 2..intron.end].copy_from_slice(b"AG");
        }
        match strand {
            Strand::Plus => (sequence, introns),
            Strand::Minus => (
                reverse_complement(&sequence),
                introns
                    .iter()
                    .map(|intron| Interval::new(1100 - intron.end, 1100 - intron.start))
                    .collect(),
            ),
        }
    }

    fn complaint(strand: Strand, low: i64, high: i64) -> Option<String> {
        let (sequence, introns) = world(strand);
        let moved = |at: usize, by: i64| (at as i64 + by) as usize;
        let introns = introns
            .iter()
            .map(|intron| {
                (
                    strand,
                    Interval::new(moved(intron.start, low), moved(intron.end, high)),
                )
            })
            .collect();
        IntronFit::read("c", &sequence, &introns).complaint()
    }

    #[test]
    fn the_shift_that_fits_is_named() {
        for strand in [Strand::Plus, Strand::Minus] {
            assert_eq!(complaint(strand, 0, 0), None);
            for shift in [-2, -1, 1, 2] {
                let text = complaint(strand, shift, shift).unwrap();
                assert!(
                    text.contains("0 of 10")
                        && text.contains(&format!("moved by {:+} base", -shift)),
                    "{text}"
                );
            }
            let text = complaint(strand, 0, -1).unwrap();
            assert!(
                text.contains("with the starts of exons moved by +1 base most do"),
                "{text}"
            );
            let text = complaint(strand, 7, 9).unwrap();
            assert!(text.contains("another assembly"), "{text}");
        }
    }

    #[test]
    fn a_few_introns_tell_nothing() {
        let introns = [
            (Strand::Plus, Interval::new(0, 40)),
            (Strand::Plus, Interval::new(50, usize::MAX >> 2)),
        ]
        .into();
        assert_eq!(
            IntronFit::read("c", &[b'A'; 100], &introns).complaint(),
            None
        );
    }
}
