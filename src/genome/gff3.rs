//! GFF3: features name their parents, which may come later in the file. Genes are the roots of transcripts, transcripts what exons
//! have as their parent.
//!
//! The attributes are parsed here and not by noodles, so that one odd attribute does not cost the whole file.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::genome::annotation::{CanonicalTag, Draft, Feature, Gene, canonical_tag, text};
use crate::genome::{Interval, Strand};

/// How far up a chain of parents is followed; real files have two or three steps, and a file may hold a cycle.
const MAX_GENERATIONS: usize = 16;

/// A feature that may have exons below it.
struct Node {
    parent: Option<u32>,
    contig: usize,
    strand: Option<Strand>,
    interval: Interval,
    is_gene: bool,
    name: String,
    gene_id: String,
    transcript_id: String,
    biotype: String,
    canonical: Option<CanonicalTag>,
}

struct Segment {
    parent: u32,
    contig: usize,
    strand: Strand,
    interval: Interval,
    is_cds: bool,
}

/// Collects the features of a GFF3; [`Reader::finish`] links them.
#[derive(Default)]
pub(super) struct Reader {
    ids: HashMap<Vec<u8>, u32>,
    nodes: Vec<Node>,
    /// Nodes by id number: one id may stand on several lines.
    by_id: Vec<Vec<u32>>,
    segments: Vec<Segment>,
}

/// Undoes percent-encoding; a broken escape stays as it is.
fn decode(value: &[u8]) -> Cow<'_, [u8]> {
    if !value.contains(&b'%') {
        return Cow::Borrowed(value);
    }
    let digit = |b: Option<&u8>| b.and_then(|b| (*b as char).to_digit(16));
    let (mut out, mut i) = (Vec::with_capacity(value.len()), 0);
    while i < value.len() {
        match (value[i], digit(value.get(i + 1)), digit(value.get(i + 2))) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                i += 3;
            }
            (byte, _, _) => {
                out.push(byte);
                i += 1;
            }
        }
    }
    Cow::Owned(out)
}

/// Feature types that hold no exons, in great numbers: their lines are not kept.
fn is_leaf(kind: &[u8]) -> bool {
    matches!(
        kind,
        b"start_codon" | b"stop_codon" | b"five_prime_UTR" | b"three_prime_UTR" | b"UTR" | b"intron" | b"region" | b"match" | b"cDNA_match"
    )
}

fn is_gene(kind: &[u8]) -> bool {
    kind.ends_with(b"gene")
}

impl Reader {
    fn id(&mut self, id: &[u8]) -> u32 {
        let id = decode(id);
        if let Some(number) = self.ids.get(&*id) {
            return *number;
        }
        let number = self.by_id.len() as u32;
        self.by_id.push(Vec::new());
        self.ids.insert(id.into_owned(), number);
        number
    }

    pub fn feature(&mut self, draft: &mut Draft, feature: &Feature<'_>) {
        if is_leaf(feature.kind) {
            return;
        }
        let is_cds = feature.kind == b"CDS";
        let is_segment = is_cds || feature.kind == b"exon";
        let value_of = |wanted: &[u8]| {
            feature.attributes.split(|b| *b == b';').find_map(|pair| {
                let at = pair.iter().position(|b| *b == b'=')?;
                (pair[..at].trim_ascii() == wanted).then(|| pair[at + 1..].trim_ascii()).filter(|value| !value.is_empty())
            })
        };
        let parents = value_of(b"Parent");
        let contig = draft.contig(&decode(feature.contig));
        if is_segment {
            let Some(parents) = parents else {
                return draft.summary.note("exon or CDS without Parent: skipped");
            };
            let Some(strand) = feature.strand else {
                return draft.summary.note("feature without a strand: skipped");
            };
            for parent in parents.split(|b| *b == b',').filter(|p| !p.is_empty()) {
                let parent = self.id(parent);
                self.segments.push(Segment { parent, contig, strand, interval: feature.interval, is_cds });
            }
            return;
        }
        let Some(id) = value_of(b"ID") else { return };
        let field = |keys: &[&[u8]]| keys.iter().find_map(|key| value_of(key)).map_or(String::new(), |v| text(&decode(v)));
        let bare = |id: String, prefixes: [&str; 2]| match prefixes.iter().find_map(|p| id.strip_prefix(p)) {
            Some(rest) => rest.to_string(),
            None => id,
        };
        let own_id = text(&decode(id));
        let node = Node {
            parent: parents.and_then(|p| p.split(|b| *b == b',').find(|p| !p.is_empty())).map(|p| self.id(p)),
            contig,
            strand: feature.strand,
            interval: feature.interval,
            is_gene: is_gene(feature.kind),
            name: field(&[b"gene_name", b"Name", b"gene"]),
            gene_id: match field(&[b"gene_id"]) {
                given if !given.is_empty() => given,
                _ => bare(own_id.clone(), ["gene:", "gene-"]),
            },
            transcript_id: match field(&[b"transcript_id"]) {
                given if !given.is_empty() => given,
                _ => bare(own_id, ["transcript:", "rna-"]),
            },
            biotype: if is_gene(feature.kind) {
                field(&[b"gene_type", b"gene_biotype", b"biotype"])
            } else {
                field(&[b"transcript_type", b"transcript_biotype", b"biotype"])
            },
            canonical: value_of(b"tag").and_then(|tags| canonical_tag(&decode(tags))),
        };
        let number = self.id(id) as usize;
        self.by_id[number].push(self.nodes.len() as u32);
        self.nodes.push(node);
    }

    /// The node of an id that a feature on this contig and strand means: one whose interval holds it, or else the last one there.
    fn node(&self, id: u32, contig: usize, strand: Option<Strand>, interval: &Interval) -> Option<usize> {
        let fits = |node: &Node| node.contig == contig && (node.strand == strand || node.strand.is_none() || strand.is_none());
        let candidates = || self.by_id[id as usize].iter().rev().map(|n| *n as usize).filter(|n| fits(&self.nodes[*n]));
        candidates().find(|n| self.nodes[*n].interval.contains(interval)).or_else(|| candidates().next())
    }

    /// The gene above a node: the nearest ancestor that is a gene, or else the topmost feature.
    fn gene_of(&self, node: usize) -> usize {
        let mut at = node;
        for _ in 0..MAX_GENERATIONS {
            if self.nodes[at].is_gene {
                break;
            }
            let here = &self.nodes[at];
            let Some(parent) = here.parent.and_then(|id| self.node(id, here.contig, here.strand, &here.interval)) else {
                break;
            };
            at = parent;
        }
        at
    }

    /// Links exons to transcripts and transcripts to genes. Exons of one transcript on two strands (trans-splicing) make two transcripts.
    pub fn finish(self, draft: &mut Draft) {
        let mut genes: HashMap<(usize, Strand), usize> = HashMap::new();
        let mut transcripts: HashMap<(usize, Strand), usize> = HashMap::new();
        let mut gene_at = |draft: &mut Draft, root: usize, strand: Strand| {
            *genes.entry((root, strand)).or_insert_with(|| {
                let node = &self.nodes[root];
                draft.genes.push(Gene {
                    id: node.gene_id.clone(),
                    name: node.name.clone(),
                    biotype: node.biotype.clone(),
                    contig: node.contig,
                    strand,
                    interval: node.interval,
                    transcripts: Vec::new(),
                });
                draft.genes.len() - 1
            })
        };
        for (index, node) in self.nodes.iter().enumerate().filter(|(_, node)| node.is_gene) {
            match node.strand {
                Some(strand) => drop(gene_at(draft, index, strand)),
                None => draft.summary.note("gene without a strand: its exons decide"),
            }
        }
        for segment in &self.segments {
            let Some(node) = self.node(segment.parent, segment.contig, Some(segment.strand), &segment.interval) else {
                let reason = match self.by_id[segment.parent as usize].is_empty() {
                    true => "exon or CDS whose Parent is not in the file: skipped",
                    false => "exon or CDS on another contig or strand than its Parent: skipped",
                };
                draft.summary.note(reason);
                continue;
            };
            let transcript = *transcripts.entry((node, segment.strand)).or_insert_with(|| {
                let gene = gene_at(draft, self.gene_of(node), segment.strand);
                let index = draft.add_transcript(gene, self.nodes[node].transcript_id.as_bytes());
                let transcript = &mut draft.transcripts[index].1;
                transcript.biotype = self.nodes[node].biotype.clone();
                transcript.canonical = self.nodes[node].canonical;
                index
            });
            let transcript = &mut draft.transcripts[transcript].1;
            if segment.is_cds { transcript.cds.push(segment.interval) } else { transcript.exons.push(segment.interval) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_escapes() {
        assert_eq!(&*decode(b"a%2Cb%3b"), b"a,b;");
        assert_eq!(&*decode(b"50%"), b"50%");
        assert_eq!(&*decode(b"%zz%4"), b"%zz%4");
    }
}
