//! What is annotated in and around a window.

use std::collections::BTreeMap;

use super::rows::GeneRow;
use crate::genome::annotation::{Annotation, Gene, Transcript};
use crate::genome::junctions::{SiteKind, canonical_transcript};
use crate::genome::{Interval, Strand};

/// An annotated site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Site {
    pub position: usize,
    pub kind: &'static str,
    pub genes: Vec<String>,
}

/// The genes whose bases the window shares.
#[derive(Clone, Debug, Default)]
pub(super) struct Near {
    /// Their canonical transcripts.
    pub rows: Vec<GeneRow>,
    sites: BTreeMap<(Strand, usize, &'static str), Vec<String>>,
    /// Transcription starts of all transcripts of these genes and of those that start within the
    /// reach of a core promoter element.
    pub starts: Vec<(usize, Strand)>,
    /// Inter-base positions before their coding sequences.
    pub codons: Vec<(usize, Strand)>,
}

/// How far a gene may start from a window and still have its core promoter elements in it, in
/// bases.
const PROMOTER_REACH: usize = 200;

impl Near {
    pub fn new(
        annotation: &Annotation,
        map: &[Option<usize>],
        contig: usize,
        window: Interval,
    ) -> Near {
        let mut near = Near::default();
        let wide = Interval::new(
            window.start.saturating_sub(PROMOTER_REACH),
            window.end + PROMOTER_REACH,
        );
        for gene in annotation
            .genes
            .iter()
            .filter(|gene| map[gene.contig] == Some(contig) && gene.interval.overlaps(&wide))
        {
            for transcript in &gene.transcripts {
                near.starts.extend(
                    first_position(&transcript.exons, gene.strand).map(|at| (at, gene.strand)),
                );
                near.codons.extend(
                    first_position(&transcript.cds, gene.strand).map(|at| (at, gene.strand)),
                );
            }
            if gene.interval.overlaps(&window) {
                near.rows.extend(rows(gene, window));
            }
            near.take_sites(gene);
        }
        for places in [&mut near.starts, &mut near.codons] {
            places.sort_unstable();
            places.dedup();
        }
        near
    }

    fn take_sites(&mut self, gene: &Gene) {
        for transcript in &gene.transcripts {
            let start = first_position(&transcript.exons, gene.strand).map(|at| (at, "tss"));
            let of_intron = |intron: Interval| {
                SiteKind::ALL.map(|kind| (kind.position(intron, gene.strand), kind.name()))
            };
            for (position, kind) in start
                .into_iter()
                .chain(transcript.introns().flat_map(of_intron))
            {
                let genes = self.sites.entry((gene.strand, position, kind)).or_default();
                let name = symbol(gene);
                if !genes.contains(&name) {
                    genes.push(name);
                }
            }
        }
    }

    /// Unique sites of a strand, by position and kind.
    pub fn sites(&self, strand: Strand) -> Vec<Site> {
        let of_strand = self.sites.iter().filter(|((s, _, _), _)| *s == strand);
        of_strand
            .map(|((_, position, kind), genes)| Site {
                position: *position,
                kind,
                genes: genes.clone(),
            })
            .collect()
    }
}

/// The inter-base position before the first base in transcript order.
fn first_position(parts: &[Interval], strand: Strand) -> Option<usize> {
    match strand {
        Strand::Plus => parts.first().map(|part| part.start),
        Strand::Minus => parts.last().map(|part| part.end),
    }
}

fn symbol(gene: &Gene) -> String {
    if gene.name.is_empty() {
        gene.id.clone()
    } else {
        gene.name.clone()
    }
}

/// The canonical transcript and those of its parts that reach into the window.
fn rows(gene: &Gene, window: Interval) -> Vec<GeneRow> {
    let none = Transcript::default();
    let transcript =
        canonical_transcript(gene).map_or(&none, |(index, _)| &gene.transcripts[index]);
    let row = |feature: &str, part: Interval| GeneRow {
        gene_id: gene.id.clone(),
        gene: symbol(gene),
        biotype: gene.biotype.clone(),
        strand: gene.strand.to_string(),
        transcript: transcript.id.clone(),
        feature: feature.into(),
        start: part.start as u64,
        end: part.end as u64,
    };
    let whole = transcript
        .exons
        .first()
        .zip(transcript.exons.last())
        .map_or(gene.interval, |(first, last)| first.hull(last));
    let mut rows = vec![row("transcript", whole)];
    for (feature, parts) in [("exon", &transcript.exons), ("cds", &transcript.cds)] {
        rows.extend(
            parts
                .iter()
                .filter(|part| part.overlaps(&window))
                .map(|part| row(feature, *part)),
        );
    }
    rows
}
