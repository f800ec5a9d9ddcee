//! GTF: every line names its gene and transcript in quoted attributes.
//!
//! The attributes are parsed here and not by noodles, which refuses a whole file for one attribute
//! without quotes or one value with a stray quote; both occur in published annotations.

use std::collections::HashMap;

use crate::genome::Strand;
use crate::genome::annotation::{
    CanonicalTag, Draft, Feature, GeneDraft, SEVERAL_TRANSCRIPTS, Segment, TranscriptDraft,
    canonical_tag,
};
use crate::genome::text::printable;

/// The attributes that matter, as the line has them. Empty where absent.
#[derive(Default)]
struct Attributes<'a> {
    gene_id: &'a [u8],
    gene_name: &'a [u8],
    gene_biotype: &'a [u8],
    transcript_id: &'a [u8],
    transcript_biotype: &'a [u8],
    /// `biotype`: of what the line is.
    biotype: &'a [u8],
    exon_number: &'a [u8],
    canonical: Option<CanonicalTag>,
}

/// Whether an attribute starts here though no semicolon ended the one before: ` key "value"`, or `
/// key value` up to a semicolon.
fn starts_attribute(after_quote: &[u8]) -> bool {
    let text = after_quote.trim_ascii_start();
    let key_end = text
        .iter()
        .position(|b| !(b.is_ascii_alphanumeric() || *b == b'_'))
        .unwrap_or(text.len());
    if text.len() == after_quote.len() || key_end == 0 || text.get(key_end) != Some(&b' ') {
        return false;
    }
    let value = text[key_end..].trim_ascii_start();
    let end = value.iter().position(|b| *b == b';').unwrap_or(value.len());
    let bare = value[..end].trim_ascii_end();
    value.starts_with(b"\"") || !bare.is_empty() && !bare.iter().any(|b| matches!(b, b' ' | b'"'))
}

/// Splits the first `key "value";` or `key value;` off `rest`. A quote ends a value only where `;`,
/// the end of the line or another attribute follows, so values may hold semicolons and quotes.
fn next_attribute<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let start = rest.iter().position(|b| *b != b' ' && *b != b';')?;
    let line = &rest[start..];
    let key_end = line
        .iter()
        .position(|b| matches!(b, b' ' | b';' | b'"' | b'='))
        .unwrap_or(line.len());
    let (key, after) = line.split_at(key_end);
    let gap = after
        .iter()
        .position(|b| *b != b' ' && *b != b'=')
        .unwrap_or(after.len());
    let after = &after[gap..];
    if let Some(quoted) = after.strip_prefix(b"\"") {
        let mut from = 0;
        while let Some(quote) = quoted[from..]
            .iter()
            .position(|b| *b == b'"')
            .map(|i| from + i)
        {
            let tail = quoted[quote + 1..].iter().find(|b| **b != b' ');
            if matches!(tail, None | Some(b';')) || starts_attribute(&quoted[quote + 1..]) {
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

/// Parses attributes; with `ids_only` no further than the two identifiers, as most lines are exons
/// of a known transcript.
fn parse(line: &[u8], ids_only: bool) -> Attributes<'_> {
    let (mut found, mut rest) = (Attributes::default(), line);
    while let Some((key, value)) = next_attribute(&mut rest) {
        match key {
            b"gene_id" => found.gene_id = value,
            b"transcript_id" => found.transcript_id = value,
            b"gene_name" | b"gene" => found.gene_name = value,
            b"gene_type" | b"gene_biotype" => found.gene_biotype = value,
            b"transcript_type" | b"transcript_biotype" => found.transcript_biotype = value,
            b"biotype" => found.biotype = value,
            b"exon_number" => found.exon_number = value,
            b"tag" => {
                found.canonical = [found.canonical, canonical_tag(value)]
                    .into_iter()
                    .flatten()
                    .min()
            }
            _ => continue,
        }
        if ids_only && !found.gene_id.is_empty() && !found.transcript_id.is_empty() {
            break;
        }
    }
    found
}

fn first<'a>(one: &'a [u8], other: &'a [u8]) -> &'a [u8] {
    if one.is_empty() { other } else { one }
}

/// An identifier by where it lies.
type Placed<K> = HashMap<Vec<u8>, HashMap<K, usize>>;

/// Feeds feature lines of a GTF to a draft.
///
/// A gene or transcript is its identifier on one strand of one contig. The same transcript on two
/// contigs or strands (PAR genes, trans-splicing) is therefore two transcripts, neither of which
/// has an intron that leaps between them.
#[derive(Default)]
pub(super) struct Reader {
    genes: Placed<(usize, Strand)>,
    /// Under its gene, and the first of that place under none: the gene of a line without
    /// `gene_id`.
    transcripts: Placed<(usize, Strand, Option<usize>)>,
    /// The transcript of the line before: exons follow their transcript.
    last: Option<usize>,
}

impl Reader {
    pub fn feature(&mut self, draft: &mut Draft, feature: &Feature<'_>) {
        let segment = Segment::of(feature.kind);
        let gene = feature.kind == b"gene";
        let transcript = feature.kind == b"transcript" || feature.kind == b"mRNA";
        if !(segment.is_some() || gene || transcript) {
            return;
        }
        let Some(strand) = feature.strand else {
            return draft.summary.note("feature without a strand: skipped");
        };
        let place = (draft.contig(feature.contig), strand);
        if gene {
            let attributes = parse(feature.attributes, false);
            if attributes.gene_id.is_empty() {
                return draft.summary.note("gene without gene_id: skipped");
            }
            let index = self.gene(draft, attributes.gene_id, place, &attributes);
            let entry = &mut draft.genes[index];
            entry.declared.push(feature.interval);
            if entry.biotype.is_empty() {
                entry.biotype = printable(attributes.biotype);
            }
            return;
        }
        let ids = parse(feature.attributes, true);
        if ids.transcript_id.is_empty() {
            return draft
                .summary
                .note("exon, CDS or transcript without transcript_id: skipped");
        }
        let known = self.known_transcript(draft, &ids, place);
        let index = match known {
            Some(index) if !transcript => index,
            _ => {
                let attributes = parse(feature.attributes, false);
                let index = known.unwrap_or_else(|| self.add_transcript(draft, &attributes, place));
                let entry = &mut draft.transcripts[index];
                if entry.biotype.is_empty() {
                    entry.biotype =
                        printable(first(attributes.transcript_biotype, attributes.biotype));
                }
                entry.canonical = [entry.canonical, attributes.canonical]
                    .into_iter()
                    .flatten()
                    .min();
                if transcript {
                    entry.declared.push(feature.interval);
                }
                index
            }
        };
        self.last = Some(index);
        let entry = &mut draft.transcripts[index];
        if let Some(segment) = segment {
            entry.push(segment, feature.interval);
            // Numbers tell the copies of a transcript apart that no line of its own tells apart.
            if entry.declared.is_empty() && matches!(segment, Segment::Exon | Segment::Cds) {
                let number = std::str::from_utf8(parse(feature.attributes, false).exon_number)
                    .ok()
                    .and_then(|text| text.parse().ok());
                entry
                    .numbers
                    .extend(number.map(|number| (feature.interval, number)));
            }
        }
    }

    fn known_transcript(
        &self,
        draft: &Draft,
        ids: &Attributes<'_>,
        place: (usize, Strand),
    ) -> Option<usize> {
        let is_it = |index: &usize| {
            let transcript = &draft.transcripts[*index];
            let gene = &draft.genes[transcript.gene];
            transcript.id.as_bytes() == ids.transcript_id
                && (gene.contig, gene.strand) == place
                && gene.id.as_bytes() == ids.gene_id
        };
        if let Some(last) = self.last.filter(is_it) {
            return Some(last);
        }
        let gene = match ids.gene_id {
            b"" => None,
            id => Some(*self.genes.get(id)?.get(&place)?),
        };
        self.transcripts
            .get(ids.transcript_id)?
            .get(&(place.0, place.1, gene))
            .copied()
    }

    fn add_transcript(
        &mut self,
        draft: &mut Draft,
        attributes: &Attributes<'_>,
        place: (usize, Strand),
    ) -> usize {
        // An exon without gene_id: its transcript stands for the gene.
        let gene = self.gene(
            draft,
            first(attributes.gene_id, attributes.transcript_id),
            place,
            attributes,
        );
        let index = draft.transcripts.len();
        draft.transcripts.push(TranscriptDraft {
            gene,
            id: printable(attributes.transcript_id),
            ..TranscriptDraft::default()
        });
        let copies = self
            .transcripts
            .entry(attributes.transcript_id.to_vec())
            .or_default();
        if !copies.is_empty() {
            draft.summary.note(SEVERAL_TRANSCRIPTS);
        }
        copies.insert((place.0, place.1, Some(gene)), index);
        copies.entry((place.0, place.1, None)).or_insert(index);
        index
    }

    /// The gene of that identifier on that strand, made where there is none.
    fn gene(
        &mut self,
        draft: &mut Draft,
        id: &[u8],
        place: (usize, Strand),
        attributes: &Attributes<'_>,
    ) -> usize {
        let index = *self
            .genes
            .entry(id.to_vec())
            .or_default()
            .entry(place)
            .or_insert_with(|| {
                let (contig, strand) = place;
                let (name, biotype) = (String::new(), String::new());
                draft.genes.push(GeneDraft {
                    id: printable(id),
                    name,
                    biotype,
                    contig,
                    strand,
                    declared: Vec::new(),
                });
                draft.genes.len() - 1
            });
        let gene = &mut draft.genes[index];
        if gene.biotype.is_empty() {
            gene.biotype = printable(attributes.gene_biotype);
        }
        if gene.name.is_empty() {
            gene.name = printable(attributes.gene_name);
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
            found.push((printable(key), printable(value)));
        }
        found
    }

    #[test]
    fn attributes_of_every_dialect() {
        type Line<'a> = (&'a [u8], &'a [(&'a str, &'a str)]);
        let table: [Line<'_>; 11] = [
            (
                b"gene_id \"g1\"; level 2; tag \"basic\";",
                &[("gene_id", "g1"), ("level", "2"), ("tag", "basic")],
            ),
            (
                b"note \"a; b\"; gene_id \"g\" ; ",
                &[("note", "a; b"), ("gene_id", "g")],
            ),
            (
                b"note \"the \"odd\" one\"; x \"\";",
                &[("note", "the \"odd\" one"), ("x", "")],
            ),
            (b"gene_id \"open", &[("gene_id", "open")]),
            (b"gene_id g1", &[("gene_id", "g1")]),
            (b"flag; gene_id \"g\"", &[("flag", ""), ("gene_id", "g")]),
            (
                b"gene_id \"a\" transcript_id \"b\"; c \"d\"",
                &[("gene_id", "a"), ("transcript_id", "b"), ("c", "d")],
            ),
            (
                b"gene_id \"a\"  exon_number 1; c \"d\"",
                &[("gene_id", "a"), ("exon_number", "1"), ("c", "d")],
            ),
            (
                b"note \"odd \"quote\" here\"; c d",
                &[("note", "odd \"quote\" here"), ("c", "d")],
            ),
            (
                b"gene_id=a;transcript_id=\"b\"",
                &[("gene_id", "a"), ("transcript_id", "b")],
            ),
            (b" ;; ", &[]),
        ];
        for (line, expected) in table {
            let expected: Vec<_> = expected
                .iter()
                .map(|(key, value)| (key.to_string(), value.to_string()))
                .collect();
            assert_eq!(all(line), expected, "{}", printable(line));
        }
    }
}
