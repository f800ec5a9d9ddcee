//! What the two readers fill, and how genes are made of it.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use super::copies::{Spans, place_of, places};
use super::{Annotation, AnnotationSummary, CanonicalTag, Gene, Segment, Transcript};
use crate::genome::text::printable;
use crate::genome::{Interval, Strand, merge_intervals};

/// Transcripts of one gene identifier that lie further apart than this, in bases, and are not said
/// to be one gene by a line of it, are two genes.
const LOCUS_GAP_BP: usize = 1000;

/// Genes and transcripts as their lines come, in any order.
#[derive(Default)]
pub(in crate::genome) struct Draft {
    contigs: Vec<String>,
    contig_index: HashMap<Vec<u8>, usize>,
    pub genes: Vec<GeneDraft>,
    pub transcripts: Vec<TranscriptDraft>,
    pub summary: AnnotationSummary,
}

/// A gene identifier on one strand of one contig.
pub(in crate::genome) struct GeneDraft {
    pub id: String,
    pub name: String,
    pub biotype: String,
    pub contig: usize,
    pub strand: Strand,
    /// Its own lines.
    pub declared: Vec<Interval>,
}

/// A transcript identifier of one [`GeneDraft`].
#[derive(Default)]
pub(in crate::genome) struct TranscriptDraft {
    /// Index into [`Draft::genes`].
    pub gene: usize,
    pub id: String,
    pub biotype: String,
    pub canonical: Option<CanonicalTag>,
    /// Its own lines.
    pub declared: Vec<Interval>,
    /// Numbers of exons; may be left out of a declared transcript.
    pub numbers: Vec<(Interval, u32)>,
    /// By [`Segment`].
    pub segments: [Vec<Interval>; 4],
}

impl TranscriptDraft {
    pub fn push(&mut self, segment: Segment, interval: Interval) {
        self.segments[segment as usize].push(interval);
    }

    fn of(&self, segment: Segment) -> &Vec<Interval> {
        &self.segments[segment as usize]
    }

    /// All it has been given, merged.
    fn parts(&self) -> Vec<Interval> {
        let mut parts = self.segments.concat();
        merge_intervals(&mut parts);
        parts
    }

    /// Stop codons and untranslated regions alone are of no transcript.
    fn is_empty(&self) -> bool {
        self.of(Segment::Exon).is_empty() && self.of(Segment::Cds).is_empty()
    }
}

impl Draft {
    /// The index of a contig name.
    pub fn contig(&mut self, name: &[u8]) -> usize {
        if let Some(index) = self.contig_index.get(name) {
            return *index;
        }
        self.contigs.push(printable(name));
        self.contig_index
            .insert(name.to_vec(), self.contigs.len() - 1);
        self.contigs.len() - 1
    }

    /// The annotation; empty where no gene was found.
    pub fn finish(mut self, path: &Path) -> Annotation {
        let mut by_gene: Vec<Vec<Transcript>> = self.genes.iter().map(|_| Vec::new()).collect();
        let others = self.spans();
        for draft in std::mem::take(&mut self.transcripts)
            .into_iter()
            .filter(|draft| !draft.is_empty())
        {
            let copies = self.copies(&draft, &others);
            by_gene[draft.gene].extend(copies);
        }
        let genes = self.loci(by_gene);
        self.summary.genes = genes.len();
        for transcript in genes.iter().flat_map(|gene| &gene.transcripts) {
            self.summary.transcripts += 1;
            self.summary.exons += transcript.exons.len();
        }
        Annotation {
            contigs: self.contigs,
            genes,
            summary: self.summary,
            path: path.to_path_buf(),
        }
    }

    /// Where transcripts lie, by contig: asked of those alone that no line declares.
    fn spans(&self) -> HashMap<usize, Spans> {
        if self
            .transcripts
            .iter()
            .all(|draft| !draft.declared.is_empty())
        {
            return HashMap::new();
        }
        let mut spans: HashMap<usize, Vec<Interval>> = HashMap::new();
        for draft in &self.transcripts {
            let parts = draft.segments.iter().flatten();
            if let Some(span) = parts.copied().reduce(|span, part| span.hull(&part)) {
                spans
                    .entry(self.genes[draft.gene].contig)
                    .or_default()
                    .push(span);
            }
        }
        spans
            .into_iter()
            .map(|(contig, spans)| (contig, Spans::new(spans)))
            .collect()
    }

    /// A transcript at each of its places.
    fn copies(
        &mut self,
        draft: &TranscriptDraft,
        others: &HashMap<usize, Spans>,
    ) -> Vec<Transcript> {
        let mut places = draft.declared.clone();
        merge_intervals(&mut places);
        if places.is_empty() {
            let gene = &self.genes[draft.gene];
            let none = Spans::default();
            places = self::places(
                &draft.parts(),
                &draft.numbers,
                gene.strand,
                others.get(&gene.contig).unwrap_or(&none),
            );
        }
        let mut segments: Vec<[Vec<Interval>; 4]> = vec![Default::default(); places.len()];
        for (segment, parts) in draft.segments.iter().enumerate() {
            parts
                .iter()
                .for_each(|part| segments[place_of(&places, part)][segment].push(*part));
        }
        let mut copies: Vec<Transcript> = segments
            .into_iter()
            .filter_map(|segments| self.transcript(draft, segments))
            .collect();
        for _ in 1..copies.len() {
            self.summary.note(SEVERAL_TRANSCRIPTS);
        }
        copies.sort_by_key(|copy| copy.exons[0]);
        copies
    }

    fn transcript(
        &mut self,
        draft: &TranscriptDraft,
        segments: [Vec<Interval>; 4],
    ) -> Option<Transcript> {
        let [mut exons, mut cds, stop, utr] = segments;
        if !cds.is_empty() {
            cds.extend(stop);
            merge_intervals(&mut cds);
        }
        if exons.is_empty() && !cds.is_empty() {
            self.summary
                .note("transcript without exon lines: its CDS and UTR taken as exons");
            exons = [cds.clone(), utr].concat();
        }
        merge_intervals(&mut exons);
        let (id, biotype, canonical) = (draft.id.clone(), draft.biotype.clone(), draft.canonical);
        (!exons.is_empty()).then_some(Transcript {
            id,
            biotype,
            canonical,
            exons,
            cds,
        })
    }

    /// A gene at each locus of an identifier: each of its lines with the transcripts there, and
    /// each group of transcripts far from them.
    fn loci(&mut self, by_gene: Vec<Vec<Transcript>>) -> Vec<Gene> {
        let mut genes: Vec<Gene> = Vec::new();
        let mut undeclared: HashMap<(usize, String), Vec<Interval>> = HashMap::new();
        for (draft, transcripts) in std::mem::take(&mut self.genes).into_iter().zip(by_gene) {
            let mut declared = draft.declared.clone();
            merge_intervals(&mut declared);
            let mut at: Vec<(Interval, Vec<Transcript>)> =
                declared.iter().map(|locus| (*locus, Vec::new())).collect();
            let mut far: Vec<(Interval, Transcript)> = Vec::new();
            for transcript in transcripts {
                let span = transcript.exons[0].hull(&transcript.exons[transcript.exons.len() - 1]);
                let near = (!declared.is_empty()).then(|| place_of(&declared, &span));
                match near.filter(|locus| gap(&declared[*locus], &span) <= LOCUS_GAP_BP) {
                    Some(locus) => at[locus].1.push(transcript),
                    None => far.push((span, transcript)),
                }
            }
            at.extend(grouped(far));
            if draft.declared.is_empty() {
                undeclared.insert(
                    (draft.contig, draft.id.clone()),
                    at.iter().map(|(locus, _)| *locus).collect(),
                );
            }
            genes.extend(
                at.into_iter()
                    .map(|(locus, transcripts)| gene(&draft, locus, transcripts)),
            );
        }
        let n_before = genes.len();
        genes.retain(|gene| {
            let elsewhere = || undeclared.get(&(gene.contig, gene.id.clone()));
            !gene.transcripts.is_empty()
                || !elsewhere()
                    .is_some_and(|loci| loci.iter().any(|locus| locus.overlaps(&gene.interval)))
        });
        for _ in genes.len()..n_before {
            self.summary
                .note("gene on another strand than its exons: the exons decide");
        }
        let mut of_id: BTreeMap<&str, usize> = BTreeMap::new();
        genes
            .iter()
            .filter(|gene| !gene.transcripts.is_empty())
            .for_each(|gene| *of_id.entry(&gene.id).or_insert(0) += 1);
        for _ in of_id.values().filter(|n| **n > 1) {
            self.summary
                .note("gene id at several loci, strands or contigs: a gene at each");
        }
        genes.sort_by(|a, b| (a.contig, a.interval, &a.id).cmp(&(b.contig, b.interval, &b.id)));
        genes
    }
}

/// A transcript identifier that stands for several transcripts; counted for each but the first.
pub(in crate::genome) const SEVERAL_TRANSCRIPTS: &str =
    "transcript id on several contigs, strands or loci: one transcript each";

/// Bases between two stretches; 0 where they overlap.
fn gap(a: &Interval, b: &Interval) -> usize {
    a.start.max(b.start).saturating_sub(a.end.min(b.end))
}

/// Transcripts by locus, each with the others that lie near it, directly or through others; in file
/// order within a locus.
fn grouped(transcripts: Vec<(Interval, Transcript)>) -> Vec<(Interval, Vec<Transcript>)> {
    let mut loci: Vec<Interval> = Vec::new();
    let mut spans: Vec<Interval> = transcripts.iter().map(|(span, _)| *span).collect();
    spans.sort_unstable();
    for span in spans {
        match loci.last_mut() {
            Some(last) if gap(last, &span) <= LOCUS_GAP_BP => *last = last.hull(&span),
            _ => loci.push(span),
        }
    }
    let mut grouped: Vec<(Interval, Vec<Transcript>)> =
        loci.iter().map(|locus| (*locus, Vec::new())).collect();
    for (span, transcript) in transcripts {
        grouped[place_of(&loci, &span)].1.push(transcript);
    }
    grouped
}

fn gene(draft: &GeneDraft, locus: Interval, transcripts: Vec<Transcript>) -> Gene {
    let exons = transcripts.iter().flat_map(|transcript| &transcript.exons);
    let interval = exons.fold(locus, |interval, exon| interval.hull(exon));
    // Some files name biotypes of transcripts alone.
    let of_transcripts = || {
        let coding = |transcript: &&Transcript| transcript.biotype == "protein_coding";
        let named = |transcript: &&Transcript| !transcript.biotype.is_empty();
        transcripts
            .iter()
            .find(coding)
            .or_else(|| transcripts.iter().find(named))
            .map_or(String::new(), |t| t.biotype.clone())
    };
    let biotype = if draft.biotype.is_empty() {
        of_transcripts()
    } else {
        draft.biotype.clone()
    };
    let (id, name) = (draft.id.clone(), draft.name.clone());
    Gene {
        id,
        name,
        biotype,
        contig: draft.contig,
        strand: draft.strand,
        interval,
        transcripts,
    }
}
