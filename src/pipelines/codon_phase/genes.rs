//! Which positions are asked about: those of codons, and those beside coding sequence.

use std::collections::BTreeMap;

use super::rows::GeneRow;
use super::{CodonPhaseRequest, K_HALF};
use crate::error::Result;
use crate::genome::annotation::{Annotation, Transcript};
use crate::genome::contig_names::ContigNames;
use crate::genome::fasta::Genome;
use crate::genome::junctions::{
    JunctionRequest, Junctions, TranscriptChoice, canonical_transcript,
};
use crate::genome::sequence::{complement, reverse_complement};
use crate::genome::{Interval, Strand, merge_intervals};
use crate::stats::rng::Rng;

/// Positions nearer than this to the end of a coding segment or an exon are not used, in bases:
/// splice sites have boundaries of their own.
pub const EDGE_BP: usize = 10;

/// Introns are read up to this distance from exons, in bases.
pub const FLANK_BP: usize = 200;

/// What a position is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    /// Before the base of a codon of this number, 0 to 2.
    Phase(u8),
    /// In no coding sequence of either strand.
    Outside,
}

/// A position, of the strand of its gene.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CodonSite {
    /// The base that it lies before.
    pub base: usize,
    pub cluster: u32,
    pub kmer: u32,
    pub group: Group,
}

/// What is read of one strand of a contig.
#[derive(Debug)]
pub(super) struct StrandPlan {
    pub contig: usize,
    pub strand: Strand,
    /// In order and apart.
    pub regions: Vec<Interval>,
    pub places: Vec<CodonSite>,
}

impl StrandPlan {
    pub fn bases(&self) -> u64 {
        self.regions
            .iter()
            .map(|region| region.len_bp() as u64)
            .sum()
    }
}

/// Genes, and what becomes of them.
pub(super) struct Study {
    junctions: Junctions,
    /// By contig of the annotation: that of the genome, where it is asked about.
    contig_of: Vec<Option<usize>>,
    /// Genes with a CDS whose length is a multiple of three, and their transcript.
    chosen: Vec<(usize, usize)>,
    statuses: BTreeMap<&'static str, u64>,
}

const USED: &str = "used";
const ELSEWHERE: &str = "on a contig that is not asked about";
const NOT_CODONS: &str = "coding length no multiple of three";
const STOP: &str = "a stop codon inside, or another letter than A, C, G and T";
const NOT_DRAWN: &str = "not drawn";

/// What coding sequence says of a base of a strand: nothing, its position in a codon, or both that
/// and the contrary.
const FREE: u8 = 0;
const CONFLICT: u8 = 4;

/// The bases of a coding sequence in the order in which they are read.
fn coding(transcript: &Transcript, strand: Strand) -> Vec<usize> {
    let bases = transcript.cds.iter().flat_map(|part| part.start..part.end);
    match strand {
        Strand::Plus => bases.collect(),
        Strand::Minus => {
            let mut bases: Vec<usize> = bases.collect();
            bases.reverse();
            bases
        }
    }
}

/// Whether a coding sequence reads through: no stop codon before the last codon.
fn reads_through(sequence: &[u8], bases: &[usize], strand: Strand) -> bool {
    let letter = |base: &usize| {
        let letter = sequence.get(*base).map_or(b'N', u8::to_ascii_uppercase);
        match strand {
            Strand::Plus => letter,
            Strand::Minus => complement(letter),
        }
    };
    let letters: Vec<u8> = bases.iter().map(letter).collect();
    let codons = letters.chunks_exact(3);
    let n = codons.len();
    codons.enumerate().all(|(number, codon)| {
        let is_stop = matches!(codon, b"TAA" | b"TAG" | b"TGA");
        codon.iter().all(|l| b"ACGT".contains(l)) && (!is_stop || number + 1 == n)
    })
}

impl Study {
    pub fn new(
        genome: &Genome,
        annotation: &Annotation,
        request: &CodonPhaseRequest,
    ) -> Result<Study> {
        let names: Vec<&String> = genome.contigs().iter().map(|contig| &contig.name).collect();
        let junctions = Junctions::new(
            annotation,
            &names,
            &JunctionRequest {
                transcripts: TranscriptChoice::Canonical,
                biotypes: Vec::new(),
                contigs: Vec::new(),
                regions: Vec::new(),
                min_intron_bp: 1,
            },
        )?;
        let known = ContigNames::new(&names);
        let wanted = genome.numbers(&request.contigs)?;
        let contig_of: Vec<Option<usize>> = known
            .map_annotation(&annotation.contigs)?
            .into_iter()
            .map(|contig| contig.filter(|c| wanted.is_empty() || wanted.contains(c)))
            .collect();
        let (mut chosen, mut statuses) = (Vec::new(), BTreeMap::new());
        for (number, gene) in annotation.genes.iter().enumerate() {
            let Some((transcript, _)) = canonical_transcript(gene) else {
                continue;
            };
            let status = match (
                gene.transcripts[transcript].cds_bp(),
                contig_of[gene.contig],
            ) {
                (0, _) => continue,
                (_, None) => ELSEWHERE,
                (bp, _) if bp % 3 > 0 => NOT_CODONS,
                _ => {
                    chosen.push((number, transcript));
                    continue;
                }
            };
            *statuses.entry(status).or_insert(0) += 1;
        }
        if chosen.len() > request.max_genes {
            statuses.insert(NOT_DRAWN, (chosen.len() - request.max_genes) as u64);
            Rng::new(request.seed).derive("genes").shuffle(&mut chosen);
            chosen.truncate(request.max_genes);
            chosen.sort_unstable();
        }
        Ok(Study {
            junctions,
            contig_of,
            chosen,
            statuses,
        })
    }

    /// The genes and what became of them.
    pub fn rows(&self) -> Vec<GeneRow> {
        let row = |(status, n_genes): (&&str, &u64)| GeneRow {
            status: (*status).into(),
            n_genes: *n_genes,
        };
        self.statuses.iter().map(row).collect()
    }

    pub fn cluster_name(&self, cluster: u32) -> String {
        let cluster = &self.junctions.clusters[cluster as usize];
        format!(
            "{}:{}-{}",
            self.junctions.contigs[cluster.contig], cluster.interval.start, cluster.interval.end
        )
    }

    /// What is to be read, contig by contig and strand by strand.
    pub fn plans(&mut self, genome: &Genome, annotation: &Annotation) -> Result<Vec<StrandPlan>> {
        let mut contigs: Vec<usize> = (self.chosen.iter())
            .filter_map(|(gene, _)| self.contig_of[annotation.genes[*gene].contig])
            .collect();
        contigs.sort_unstable();
        contigs.dedup();
        let mut plans = Vec::new();
        for contig in contigs {
            let sequence = genome.read_contig(&genome.contigs()[contig].name)?;
            let frames = self.frames(annotation, contig, sequence.len());
            for strand in [Strand::Plus, Strand::Minus] {
                let plan = self.plan(annotation, (contig, strand), &sequence, &frames);
                plans.extend((!plan.places.is_empty()).then_some(plan));
            }
        }
        Ok(plans)
    }

    /// What the coding sequences of all transcripts say of each base, on plus and on minus.
    fn frames(&self, annotation: &Annotation, contig: usize, length: usize) -> [Vec<u8>; 2] {
        let mut frames = [vec![FREE; length], vec![FREE; length]];
        let genes = annotation.genes.iter();
        for gene in genes.filter(|gene| self.contig_of[gene.contig] == Some(contig)) {
            let frames = &mut frames[usize::from(gene.strand == Strand::Minus)];
            for transcript in &gene.transcripts {
                let is_codons = transcript.cds_bp().is_multiple_of(3);
                for (number, base) in coding(transcript, gene.strand).into_iter().enumerate() {
                    let own = if is_codons {
                        (number % 3) as u8 + 1
                    } else {
                        CONFLICT
                    };
                    if let Some(frame) = frames.get_mut(base) {
                        *frame = if *frame == FREE || *frame == own {
                            own
                        } else {
                            CONFLICT
                        };
                    }
                }
            }
        }
        frames
    }

    fn plan(
        &mut self,
        annotation: &Annotation,
        (contig, strand): (usize, Strand),
        sequence: &[u8],
        frames: &[Vec<u8>; 2],
    ) -> StrandPlan {
        let [own, other] = match strand {
            Strand::Plus => [&frames[0], &frames[1]],
            Strand::Minus => [&frames[1], &frames[0]],
        };
        let mut plan = StrandPlan {
            contig,
            strand,
            regions: Vec::new(),
            places: Vec::new(),
        };
        let mut taken = vec![false; sequence.len()];
        for (number, transcript) in &self.chosen {
            let gene = &annotation.genes[*number];
            if self.contig_of[gene.contig] != Some(contig) || gene.strand != strand {
                continue;
            }
            let transcript = &gene.transcripts[*transcript];
            let through = reads_through(sequence, &coding(transcript, strand), strand);
            let status = if through { USED } else { STOP };
            *self.statuses.entry(status).or_insert(0) += 1;
            if !through {
                continue;
            }
            let cluster = self.junctions.cluster_of_gene[*number] as u32;
            // Away from the ends of exons and of coding segments.
            let mut ends: Vec<usize> = (transcript.exons.iter())
                .chain(&transcript.cds)
                .flat_map(|part| [part.start, part.end])
                .collect();
            ends.sort_unstable();
            let near_end = |base: usize| {
                let after = ends.partition_point(|end| *end < base);
                let mut beside = ends[after.saturating_sub(1)..].iter().take(2);
                beside.any(|end| end.abs_diff(base) < EDGE_BP)
            };
            for exon in &transcript.exons {
                let region = Interval::new(
                    exon.start.saturating_sub(FLANK_BP),
                    (exon.end + FLANK_BP).min(sequence.len()),
                );
                for base in region.start..region.end {
                    let group = match (own[base], other[base]) {
                        (FREE, FREE) => Group::Outside,
                        (frame, FREE) if frame != CONFLICT => Group::Phase(frame - 1),
                        _ => continue,
                    };
                    if taken[base] || near_end(base) {
                        continue;
                    }
                    if let Some(kmer) = kmer(sequence, base, strand) {
                        taken[base] = true;
                        plan.places.push(CodonSite {
                            base,
                            cluster,
                            kmer,
                            group,
                        });
                    }
                }
                plan.regions.push(region);
            }
        }
        merge_intervals(&mut plan.regions);
        plan
    }
}

/// The letters around the position before a base of a strand, in its orientation, as a number;
/// `None` near an end and next to another letter than A, C, G and T.
fn kmer(sequence: &[u8], base: usize, strand: Strand) -> Option<u32> {
    let from = match strand {
        Strand::Plus => base.checked_sub(K_HALF)?,
        Strand::Minus => (base + 1).checked_sub(K_HALF)?,
    };
    let letters = sequence.get(from..from + 2 * K_HALF)?.to_ascii_uppercase();
    let letters = match strand {
        Strand::Plus => letters,
        Strand::Minus => reverse_complement(&letters),
    };
    letters.iter().try_fold(0, |kmer, letter| {
        let code = b"ACGT".iter().position(|l| l == letter)?;
        Some(4 * kmer + code as u32)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_strands_read_the_same_kmers() {
        let plus = b"ACGTTGCATTAC";
        let minus = reverse_complement(plus);
        for base in 0..plus.len() {
            let there = plus.len() - 1 - base;
            assert_eq!(
                kmer(plus, base, Strand::Plus),
                kmer(&minus, there, Strand::Minus),
                "{base}"
            );
        }
        assert_eq!(kmer(b"AAAAAC", 3, Strand::Plus), Some(1));
        assert!(kmer(b"AAANAC", 3, Strand::Plus).is_none());
    }

    #[test]
    fn stops_and_frames() {
        let transcript = Transcript {
            cds: vec![Interval::new(1, 5), Interval::new(7, 9)],
            ..Transcript::default()
        };
        assert_eq!(coding(&transcript, Strand::Minus), [8, 7, 4, 3, 2, 1]);
        let through =
            |text: &[u8], strand| reads_through(text, &coding(&transcript, strand), strand);
        assert!(through(b"NATGTNNAAN", Strand::Plus)); // ATG TAA
        assert!(!through(b"NTAGTNNAAN", Strand::Plus)); // TAG inside
        assert!(through(b"NATGTNNCTN", Strand::Minus)); // AGA CAT
        assert!(!through(b"NATGCNNTAN", Strand::Minus)); // TAG CAT
    }
}
