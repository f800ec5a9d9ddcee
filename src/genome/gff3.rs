//! GFF3: features name their parents, which may come later in the file. Genes are the roots of
//! transcripts, transcripts what exons have as their parent.
//!
//! The attributes are parsed here and not by noodles, so that one odd attribute does not cost the
//! whole file.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use crate::genome::annotation::{
    CanonicalTag, Draft, Feature, GeneDraft, SEVERAL_TRANSCRIPTS, Segment, TranscriptDraft,
    canonical_tag,
};
use crate::genome::text::printable;
use crate::genome::{Interval, Strand};

/// How far up a chain of parents is followed; real files have two or three steps, and a file may
/// hold a cycle.
const MAX_GENERATIONS: usize = 16;

/// What a node is to genes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Gene,
    /// What may have exons.
    Other,
    /// A protein: what names it as a parent belongs to the transcript that it comes from.
    Protein,
    /// A CDS without a parent, as in annotations of bacteria: a gene of its own, of all lines of
    /// its identifier.
    Cds,
}

/// A feature that may have exons below it.
struct Node {
    parent: Option<u32>,
    strand: Option<Strand>,
    interval: Interval,
    role: Role,
    name: String,
    gene_id: String,
    transcript_id: String,
    biotype: String,
    canonical: Option<CanonicalTag>,
}

/// A line of an exon, CDS, stop codon or UTR.
struct Line {
    /// Where its parents begin in [`Reader::parents`].
    parents: usize,
    n_parents: usize,
    contig: usize,
    strand: Strand,
    interval: Interval,
    segment: Segment,
}

/// Collects the features of a GFF3; [`Reader::finish`] links them.
#[derive(Default)]
pub(super) struct Reader {
    ids: HashMap<Vec<u8>, u32>,
    /// Nodes by number of their identifier and contig: one identifier may stand on several lines.
    nodes: HashMap<(u32, usize), Vec<Node>>,
    /// The identifiers that nodes have, as they came.
    order: Vec<(u32, usize)>,
    parents: Vec<u32>,
    lines: Vec<Line>,
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
        b"start_codon" | b"intron" | b"region" | b"match" | b"cDNA_match"
    )
}

fn role(kind: &[u8]) -> Role {
    match kind {
        b"protein" | b"polypeptide" => Role::Protein,
        _ if kind.ends_with(b"gene") => Role::Gene,
        _ => Role::Other,
    }
}

/// What the kind of a gene says of it: `protein_coding` for a `protein_coding_gene`, nothing for a
/// `gene`.
fn biotype_of(kind: &[u8]) -> String {
    match kind {
        b"gene" => String::new(),
        _ => printable(kind.strip_suffix(b"_gene").unwrap_or(kind)),
    }
}

impl Reader {
    fn id(&mut self, id: &[u8]) -> u32 {
        let id = decode(id);
        if let Some(number) = self.ids.get(&*id) {
            return *number;
        }
        let number = self.ids.len() as u32;
        self.ids.insert(id.into_owned(), number);
        number
    }

    pub fn feature(&mut self, draft: &mut Draft, feature: &Feature<'_>) {
        if is_leaf(feature.kind) {
            return;
        }
        let segment = Segment::of(feature.kind);
        let value_of = |wanted: &[u8]| {
            feature.attributes.split(|b| *b == b';').find_map(|pair| {
                let at = pair.iter().position(|b| *b == b'=')?;
                (pair[..at].trim_ascii() == wanted)
                    .then(|| pair[at + 1..].trim_ascii())
                    .filter(|value| !value.is_empty())
            })
        };
        let parents = value_of(b"Parent");
        let own = value_of(b"ID");
        let contig = draft.contig(&decode(feature.contig));
        let mut role = role(feature.kind);
        if let Some(segment) = segment {
            let gene_of_its_own = parents.is_none() && segment == Segment::Cds && own.is_some();
            let Some(parents) = parents.or(own.filter(|_| gene_of_its_own)) else {
                if matches!(segment, Segment::Exon | Segment::Cds) {
                    draft.summary.note("exon or CDS without Parent: skipped");
                }
                return;
            };
            let Some(strand) = feature.strand else {
                return draft.summary.note("feature without a strand: skipped");
            };
            let from = self.parents.len();
            for parent in parents
                .split(|b| *b == b',')
                .map(<[u8]>::trim_ascii)
                .filter(|p| !p.is_empty())
            {
                let parent = self.id(parent);
                self.parents.push(parent);
            }
            let n_parents = self.parents.len() - from;
            self.lines.push(Line {
                parents: from,
                n_parents,
                contig,
                strand,
                interval: feature.interval,
                segment,
            });
            if !gene_of_its_own {
                return;
            }
            role = Role::Cds;
        }
        let Some(id) = own else { return };
        let field = |keys: &[&[u8]]| {
            keys.iter()
                .find_map(|key| value_of(key))
                .map_or(String::new(), |v| printable(&decode(v)))
        };
        let bare = |id: String, prefixes: [&str; 3]| match prefixes
            .iter()
            .find_map(|p| id.strip_prefix(p))
        {
            Some(rest) => rest.to_string(),
            None => id,
        };
        let own_id = printable(&decode(id));
        let above = parents.or_else(|| value_of(b"Derives_from").filter(|_| role == Role::Protein));
        let node = Node {
            parent: above
                .and_then(|ids| {
                    ids.split(|b| *b == b',')
                        .map(<[u8]>::trim_ascii)
                        .find(|id| !id.is_empty())
                })
                .map(|id| self.id(id)),
            strand: feature.strand,
            interval: feature.interval,
            role,
            name: field(&[b"gene_name", b"Name", b"gene"]),
            gene_id: match field(&[b"gene_id"]) {
                given if !given.is_empty() => given,
                _ => bare(own_id.clone(), ["gene:", "gene-", "Gene:"]),
            },
            transcript_id: match field(&[b"transcript_id"]) {
                given if !given.is_empty() => given,
                _ => bare(own_id, ["transcript:", "rna-", "Transcript:"]),
            },
            biotype: match role {
                Role::Gene => match field(&[b"gene_type", b"gene_biotype", b"biotype"]) {
                    given if !given.is_empty() => given,
                    _ => biotype_of(feature.kind),
                },
                _ => field(&[b"transcript_type", b"transcript_biotype", b"biotype"]),
            },
            canonical: value_of(b"tag").and_then(|tags| canonical_tag(&decode(tags))),
        };
        let number = self.id(id);
        let nodes = self.nodes.entry((number, contig)).or_default();
        if nodes.is_empty() {
            self.order.push((number, contig));
        }
        nodes.push(node);
    }

    /// Of the nodes of an identifier on a contig, by start, the one that a feature means: the last
    /// that starts no later than it, or else the first, of those of its strand and without one
    /// where there are any.
    fn find(
        &self,
        id: u32,
        contig: usize,
        strand: Option<Strand>,
        interval: &Interval,
    ) -> Option<usize> {
        let nodes = self.nodes.get(&(id, contig))?;
        let before = nodes.partition_point(|node| node.interval.start <= interval.start);
        let fits = |at: &usize| {
            strand.is_none_or(|strand| nodes[*at].strand.is_none_or(|of_node| of_node == strand))
        };
        (0..before)
            .rev()
            .find(fits)
            .or_else(|| (before..nodes.len()).find(fits))
            .or_else(|| before.checked_sub(1))
            .or(Some(0))
    }

    fn node(
        &self,
        id: u32,
        contig: usize,
        strand: Option<Strand>,
        interval: &Interval,
    ) -> Option<&Node> {
        let at = self.find(id, contig, strand, interval)?;
        self.nodes.get(&(id, contig))?.get(at)
    }

    /// The identifier of the gene above a feature: the nearest ancestor that is a gene, or else the
    /// topmost feature.
    fn gene_of(&self, id: u32, contig: usize, strand: Strand, interval: &Interval) -> u32 {
        let mut at = id;
        for _ in 0..MAX_GENERATIONS {
            let node = self
                .node(at, contig, Some(strand), interval)
                .filter(|node| node.role != Role::Gene);
            match node
                .and_then(|node| node.parent)
                .filter(|parent| self.nodes.contains_key(&(*parent, contig)))
            {
                Some(parent) => at = parent,
                None => break,
            }
        }
        at
    }

    /// The parents of a line that are transcripts: of a protein, what it comes from; no gene beside
    /// one of its transcripts.
    fn transcripts_of(&self, line: &Line) -> Vec<u32> {
        let node = |id: u32| self.node(id, line.contig, Some(line.strand), &line.interval);
        let mut found: Vec<u32> = Vec::new();
        for parent in &self.parents[line.parents..line.parents + line.n_parents] {
            let mut id = *parent;
            for _ in 0..MAX_GENERATIONS {
                match node(id)
                    .filter(|node| node.role == Role::Protein)
                    .and_then(|node| node.parent)
                {
                    Some(above) => id = above,
                    None => break,
                }
            }
            if !found.contains(&id) {
                found.push(id);
            }
        }
        if found.len() > 1 {
            let is_gene = |id: &u32| node(*id).is_some_and(|node| node.role == Role::Gene);
            if !found.iter().all(is_gene) {
                found.retain(|id| !is_gene(id));
            }
        }
        found
    }

    /// Sorts the nodes of each identifier; lines of one feature that overlap, and those of a CDS
    /// that is a gene, are one node.
    fn sort_nodes(&mut self) {
        for nodes in self.nodes.values_mut() {
            nodes.sort_by_key(|node| node.interval);
            nodes.dedup_by(|next, kept| {
                let same = next.role == kept.role
                    && next.strand == kept.strand
                    && next.parent == kept.parent;
                let one =
                    same && (next.interval.start < kept.interval.end || next.role == Role::Cds);
                if one {
                    kept.interval = kept.interval.hull(&next.interval);
                }
                one
            });
        }
    }

    /// Links exons to transcripts and transcripts to genes. Exons of one transcript on two strands
    /// (trans-splicing) make two transcripts; exons on another strand than their parent are
    /// believed.
    pub fn finish(mut self, draft: &mut Draft) {
        self.sort_nodes();
        let mut genes: HashMap<(u32, usize, Strand), usize> = HashMap::new();
        let mut gene_at = |draft: &mut Draft, id: u32, contig: usize, strand: Strand| {
            *genes.entry((id, contig, strand)).or_insert_with(|| {
                let nodes = &self.nodes[&(id, contig)];
                let fits = |node: &&Node| node.strand.is_none_or(|of_node| of_node == strand);
                let node = nodes.iter().find(fits).unwrap_or(&nodes[0]);
                let declared = nodes
                    .iter()
                    .filter(fits)
                    .map(|node| node.interval)
                    .collect();
                let (id, name, biotype) = (
                    node.gene_id.clone(),
                    node.name.clone(),
                    node.biotype.clone(),
                );
                draft.genes.push(GeneDraft {
                    id,
                    name,
                    biotype,
                    contig,
                    strand,
                    declared,
                });
                draft.genes.len() - 1
            })
        };
        for (id, contig) in &self.order {
            for node in self.nodes[&(*id, *contig)]
                .iter()
                .filter(|node| node.role == Role::Gene)
            {
                match node.strand {
                    Some(strand) => drop(gene_at(draft, *id, *contig, strand)),
                    None => draft
                        .summary
                        .note("gene without a strand: its exons decide"),
                }
            }
        }
        let contigs_of: HashMap<u32, usize> = self.order.iter().copied().collect();
        let mut transcripts: HashMap<(u32, usize, Strand, usize), usize> = HashMap::new();
        let mut seen: HashSet<u32> = HashSet::new();
        for line in &self.lines {
            for id in self.transcripts_of(line) {
                let Some(at) = self.find(id, line.contig, Some(line.strand), &line.interval) else {
                    if matches!(line.segment, Segment::Exon | Segment::Cds) {
                        draft.summary.note(match contigs_of.contains_key(&id) {
                            true => "exon or CDS on another contig than its Parent: skipped",
                            false => "exon or CDS whose Parent is not in the file: skipped",
                        });
                    }
                    continue;
                };
                let index = *transcripts
                    .entry((id, line.contig, line.strand, at))
                    .or_insert_with(|| {
                        let node = &self.nodes[&(id, line.contig)][at];
                        let gene = gene_at(
                            draft,
                            self.gene_of(id, line.contig, line.strand, &node.interval),
                            line.contig,
                            line.strand,
                        );
                        if !seen.insert(id) {
                            draft.summary.note(SEVERAL_TRANSCRIPTS);
                        }
                        let (id, biotype, canonical) = (
                            node.transcript_id.clone(),
                            node.biotype.clone(),
                            node.canonical,
                        );
                        let declared = vec![node.interval];
                        draft.transcripts.push(TranscriptDraft {
                            gene,
                            id,
                            biotype,
                            canonical,
                            declared,
                            ..TranscriptDraft::default()
                        });
                        draft.transcripts.len() - 1
                    });
                draft.transcripts[index].push(line.segment, line.interval);
            }
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
