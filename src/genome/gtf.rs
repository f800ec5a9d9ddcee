//! GTF: every line names its gene and transcript in quoted attributes.
//!
//! The attributes are parsed here and not by noodles, which refuses a whole file for one attribute without quotes or one value with
//! a stray quote; both occur in published annotations.

use std::collections::HashMap;

use crate::genome::annotation::{CanonicalTag, Draft, Feature, Gene, canonical_tag, text};
use crate::genome::{Interval, Strand};

/// The attributes that matter, as the line has them. Empty where absent.
#[derive(Default)]
struct Attributes<'a> {
    gene_id: &'a [u8],
    gene_name: &'a [u8],
    gene_biotype: &'a [u8],
    transcript_id: &'a [u8],
    transcript_biotype: &'a [u8],
    canonical: Option<CanonicalTag>,
}

/// Splits the first `key "value";` or `key value;` off `rest`. A quote ends a value only where `;` or the end of the line follows, so
/// values may hold semicolons and quotes.
fn next_attribute<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let start = rest.iter().position(|b| *b != b' ' && *b != b';')?;
    let line = &rest[start..];
    let key_end = line.iter().position(|b| matches!(b, b' ' | b';' | b'"')).unwrap_or(line.len());
    let (key, after) = line.split_at(key_end);
    let gap = after.iter().position(|b| *b != b' ').unwrap_or(after.len());
    let after = &after[gap..];
    if let Some(quoted) = after.strip_prefix(b"\"") {
        let mut from = 0;
        while let Some(quote) = quoted[from..].iter().position(|b| *b == b'"').map(|i| from + i) {
            let tail = quoted[quote + 1..].iter().find(|b| **b != b' ');
            if matches!(tail, None | Some(b';')) {
                *rest = &quoted[quote + 1..];
                return Some((key, &quoted[..quote]));
            }
            from = quote + 1;
        }
        *rest = &[];
        return Some((key, quoted));
    }
    let end = after.iter().position(|b| *b == b';').unwrap_or(after.len());
    *rest = &after[end..];
    Some((key, after[..end].trim_ascii()))
}

/// Parses attributes; with `ids_only` no further than the two identifiers, as most lines are exons of a known transcript.
fn parse(line: &[u8], ids_only: bool) -> Attributes<'_> {
    let (mut found, mut rest) = (Attributes::default(), line);
    while let Some((key, value)) = next_attribute(&mut rest) {
        match key {
            b"gene_id" => found.gene_id = value,
            b"transcript_id" => found.transcript_id = value,
            b"gene_name" | b"gene" => found.gene_name = value,
            b"gene_type" | b"gene_biotype" => found.gene_biotype = value,
            b"transcript_type" | b"transcript_biotype" => found.transcript_biotype = value,
            b"tag" => found.canonical = [found.canonical, canonical_tag(value)].into_iter().flatten().min(),
            _ => continue,
        }
        if ids_only && !found.gene_id.is_empty() && !found.transcript_id.is_empty() {
            break;
        }
    }
    found
}

/// Feeds feature lines of a GTF to a draft.
///
/// A gene or transcript is its identifier on one strand of one contig. The same transcript on two contigs or strands (PAR genes,
/// trans-splicing) is therefore two transcripts, neither of which has an intron that leaps between them; and a second `transcript` line
/// of a known transcript that does not overlap the first starts another copy, to which the exons after it belong.
#[derive(Default)]
pub(super) struct Reader {
    genes: HashMap<Vec<u8>, Vec<usize>>,
    transcripts: HashMap<Vec<u8>, Vec<usize>>,
    declared: HashMap<usize, Interval>,
    /// The transcript of the line before: exons follow their transcript.
    last: Option<usize>,
}

impl Reader {
    pub fn feature(&mut self, draft: &mut Draft, feature: &Feature<'_>) {
        let exon = feature.kind.eq_ignore_ascii_case(b"exon");
        let cds = feature.kind.eq_ignore_ascii_case(b"CDS");
        let gene = feature.kind == b"gene";
        let transcript = feature.kind == b"transcript" || feature.kind == b"mRNA";
        if !(exon || cds || gene || transcript) {
            return;
        }
        let Some(strand) = feature.strand else {
            return draft.summary.note("feature without a strand: skipped");
        };
        let contig = draft.contig(feature.contig);
        if gene {
            let attributes = parse(feature.attributes, false);
            match attributes.gene_id {
                b"" => draft.summary.note("gene without gene_id: skipped"),
                id => drop(self.gene(draft, id, contig, strand, feature.interval, &attributes)),
            }
            return;
        }
        let ids = parse(feature.attributes, true);
        if ids.transcript_id.is_empty() {
            return draft.summary.note("exon, CDS or transcript without transcript_id: skipped");
        }
        let known = self.known_transcript(draft, ids.transcript_id, contig, strand, ids.gene_id);
        let index = match known {
            Some(index) if !transcript => index,
            _ => {
                let attributes = parse(feature.attributes, false);
                let another_copy =
                    transcript && known.and_then(|index| self.declared.get(&index)).is_some_and(|first| !first.overlaps(&feature.interval));
                if another_copy {
                    draft.summary.note("transcript id used again elsewhere on the contig: kept as another copy");
                }
                let index = match known {
                    Some(index) if !another_copy => index,
                    _ => self.add_transcript(draft, &attributes, contig, strand, feature),
                };
                let entry = &mut draft.transcripts[index].1;
                if entry.biotype.is_empty() {
                    entry.biotype = text(attributes.transcript_biotype);
                }
                entry.canonical = [entry.canonical, attributes.canonical].into_iter().flatten().min();
                if transcript {
                    self.declared.insert(index, feature.interval);
                }
                index
            }
        };
        self.last = Some(index);
        let entry = &mut draft.transcripts[index].1;
        if exon {
            entry.exons.push(feature.interval);
        } else if cds {
            entry.cds.push(feature.interval);
        }
    }

    fn known_transcript(&self, draft: &Draft, id: &[u8], contig: usize, strand: Strand, gene_id: &[u8]) -> Option<usize> {
        let same = |index: usize| {
            let gene = draft.transcripts.get(index).and_then(|(gene, _)| draft.genes.get(*gene));
            gene.is_some_and(|g| g.contig == contig && g.strand == strand && (gene_id.is_empty() || g.id.as_bytes() == gene_id))
        };
        if let Some(last) = self.last
            && draft.transcripts.get(last).is_some_and(|(_, t)| t.id.as_bytes() == id)
            && same(last)
        {
            return Some(last);
        }
        self.transcripts.get(id)?.iter().rev().copied().find(|index| same(*index))
    }

    fn add_transcript(
        &mut self,
        draft: &mut Draft,
        attributes: &Attributes<'_>,
        contig: usize,
        strand: Strand,
        feature: &Feature<'_>,
    ) -> usize {
        // An exon without gene_id: its transcript stands for the gene.
        let gene_id = if attributes.gene_id.is_empty() { attributes.transcript_id } else { attributes.gene_id };
        let gene = self.gene(draft, gene_id, contig, strand, feature.interval, attributes);
        let index = draft.add_transcript(gene, attributes.transcript_id);
        let copies = self.transcripts.entry(attributes.transcript_id.to_vec()).or_default();
        if !copies.is_empty() {
            draft.summary.note("transcript id on several contigs, strands or loci: one transcript each");
        }
        copies.push(index);
        index
    }

    /// The gene of that identifier on that strand, made or extended. One identifier at two far places of a contig stays one gene.
    fn gene(
        &mut self,
        draft: &mut Draft,
        id: &[u8],
        contig: usize,
        strand: Strand,
        interval: Interval,
        attributes: &Attributes<'_>,
    ) -> usize {
        if !self.genes.contains_key(id) {
            self.genes.insert(id.to_vec(), Vec::new());
        }
        let copies = self.genes.entry(id.to_vec()).or_default();
        let known = copies.iter().copied().find(|g| draft.genes[*g].contig == contig && draft.genes[*g].strand == strand);
        let index = known.unwrap_or_else(|| {
            copies.push(draft.genes.len());
            draft.genes.push(Gene {
                id: text(id),
                name: String::new(),
                biotype: String::new(),
                contig,
                strand,
                interval,
                transcripts: Vec::new(),
            });
            draft.genes.len() - 1
        });
        let gene = &mut draft.genes[index];
        gene.interval = gene.interval.hull(&interval);
        if gene.biotype.is_empty() {
            gene.biotype = text(attributes.gene_biotype);
        }
        if gene.name.is_empty() {
            gene.name = text(attributes.gene_name);
        }
        index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut line: &[u8]) -> Vec<(String, String)> {
        let mut found = Vec::new();
        while let Some((key, value)) = next_attribute(&mut line) {
            found.push((text(key), text(value)));
        }
        found
    }

    #[test]
    fn attributes_of_every_dialect() {
        type Line<'a> = (&'a [u8], &'a [(&'a str, &'a str)]);
        let table: [Line<'_>; 7] = [
            (b"gene_id \"g1\"; level 2; tag \"basic\";", &[("gene_id", "g1"), ("level", "2"), ("tag", "basic")]),
            (b"note \"a; b\"; gene_id \"g\" ; ", &[("note", "a; b"), ("gene_id", "g")]),
            (b"note \"the \"odd\" one\"; x \"\";", &[("note", "the \"odd\" one"), ("x", "")]),
            (b"gene_id \"open", &[("gene_id", "open")]),
            (b"gene_id g1", &[("gene_id", "g1")]),
            (b"flag; gene_id \"g\"", &[("flag", ""), ("gene_id", "g")]),
            (b" ;; ", &[]),
        ];
        for (line, expected) in table {
            let expected: Vec<_> = expected.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
            assert_eq!(all(line), expected, "{}", text(line));
        }
    }
}
