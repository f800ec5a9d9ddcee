//! Gene annotations: GTF and GFF3 in the GENCODE, Ensembl and RefSeq dialects, plain or gzip, as genes with transcripts and exons.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};

mod lines;

pub(super) use lines::Feature;

use crate::error::{Error, Result};
use crate::genome::annotation::lines::{is_gff3, split_columns};
use crate::genome::{Interval, Strand, gff3, gtf, merge_intervals};

/// A gene model set.
#[derive(Clone, Debug, Default)]
pub struct Annotation {
    /// Contig names as the file writes them; genes refer to them by index.
    pub contigs: Vec<String>,
    /// The genes, in order of contig, start and id.
    pub genes: Vec<Gene>,
    /// What was read and what was passed over.
    pub summary: AnnotationSummary,
}

/// A gene on one strand of one contig.
#[derive(Clone, Debug)]
pub struct Gene {
    /// Its identifier.
    pub id: String,
    /// Its symbol; empty where the file has none.
    pub name: String,
    /// `protein_coding`, `lncRNA`...; empty where the file has none.
    pub biotype: String,
    /// Index into [`Annotation::contigs`].
    pub contig: usize,
    /// The strand it is read from.
    pub strand: Strand,
    /// From its first to its last base: its own line and all its exons.
    pub interval: Interval,
    /// Its transcripts, in file order.
    pub transcripts: Vec<Transcript>,
}

/// One transcript of a gene.
#[derive(Clone, Debug, Default)]
pub struct Transcript {
    /// Its identifier.
    pub id: String,
    /// Its own biotype; empty where the file has none.
    pub biotype: String,
    /// Tagged as the gene's representative, and by whom.
    pub canonical: Option<CanonicalTag>,
    /// Exons in genome order; exons that overlap or touch are merged, so at least one base lies between two.
    pub exons: Vec<Interval>,
    /// Coding segments in genome order, merged likewise; empty for a non-coding transcript.
    pub cds: Vec<Interval>,
}

/// Who chose a transcript as the representative one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CanonicalTag {
    /// `tag "Ensembl_canonical"`.
    EnsemblCanonical,
    /// `tag "MANE_Select"` (GENCODE, Ensembl) or `tag "MANE Select"` (RefSeq).
    ManeSelect,
}

impl Transcript {
    /// Exonic length in bases.
    pub fn exonic_bp(&self) -> usize {
        self.exons.iter().map(Interval::len_bp).sum()
    }

    /// Coding length in bases.
    pub fn cds_bp(&self) -> usize {
        self.cds.iter().map(Interval::len_bp).sum()
    }

    /// The introns, in genome order.
    pub fn introns(&self) -> impl Iterator<Item = Interval> + '_ {
        self.exons.windows(2).map(|pair| Interval::new(pair[0].end, pair[1].start))
    }
}

/// What an annotation held.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct AnnotationSummary {
    /// `GTF` or `GFF3`.
    pub format: String,
    /// Feature lines read (comments and blank lines are not counted).
    pub lines: u64,
    /// Genes.
    pub genes: usize,
    /// Transcripts with at least one exon.
    pub transcripts: usize,
    /// Exons over all transcripts, after merging.
    pub exons: usize,
    /// Lines passed over or mended, by reason.
    pub notes: BTreeMap<String, u64>,
}

impl AnnotationSummary {
    pub(super) fn note(&mut self, reason: &str) {
        match self.notes.get_mut(reason) {
            Some(n) => *n += 1,
            None => drop(self.notes.insert(reason.to_string(), 1)),
        }
    }
}

impl Annotation {
    /// Reads a GTF or GFF3 file, plain or gzip (also of several members), both told by content and not by the file's name.
    ///
    /// # Errors
    /// An unreadable file; [`Error::Parse`] with the line number where a line has not nine columns, a position that is no number, a
    /// start of 0 or beyond the end, or a strand other than `+`, `-`, `.` and `?`; a file without any gene model. Features that are
    /// sound but unusable (no strand, no parent) are skipped and counted in [`AnnotationSummary::notes`].
    pub fn open(path: impl AsRef<Path>) -> Result<Annotation> {
        let path = path.as_ref();
        let mut file = File::open(path).map_err(Error::io(path))?;
        let mut head = Vec::new();
        file.by_ref().take(2).read_to_end(&mut head).map_err(Error::io(path))?;
        let gzip = head == [0x1f, 0x8b];
        let whole = std::io::Cursor::new(head).chain(file);
        if gzip {
            read(path, &mut BufReader::with_capacity(1 << 18, flate2::bufread::MultiGzDecoder::new(BufReader::new(whole))))
        } else {
            read(path, &mut BufReader::with_capacity(1 << 18, whole))
        }
    }

    /// Reads a gzip GTF or GFF3 that is already in memory. `name` stands for the path in errors.
    ///
    /// # Errors
    /// As [`Annotation::open`].
    pub fn from_gz_bytes(name: &str, bytes: &[u8]) -> Result<Annotation> {
        read(Path::new(name), &mut BufReader::with_capacity(1 << 18, flate2::bufread::MultiGzDecoder::new(bytes)))
    }
}

enum Dialect {
    Gtf(gtf::Reader),
    Gff3(gff3::Reader),
}

fn read<R: BufRead>(path: &Path, reader: &mut R) -> Result<Annotation> {
    let (mut draft, mut dialect) = (Draft::default(), None);
    let (mut line, mut number) = (Vec::new(), 0u64);
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line).map_err(Error::io(path))? == 0 {
            break;
        }
        number += 1;
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text); // a byte-order mark, from editors
        if text.starts_with(b"##FASTA") || text.starts_with(b">") {
            break; // sequences follow the features
        }
        if text.starts_with(b"#") || text.trim_ascii().is_empty() {
            continue;
        }
        let feature = split_columns(text).map_err(|message| Error::Parse { path: path.to_path_buf(), line: number, message })?;
        draft.summary.lines += 1;
        if dialect.is_none() {
            dialect = is_gff3(feature.attributes)
                .map(|gff3| if gff3 { Dialect::Gff3(gff3::Reader::default()) } else { Dialect::Gtf(gtf::Reader::default()) });
        }
        match &mut dialect {
            Some(Dialect::Gtf(reader)) => reader.feature(&mut draft, &feature),
            Some(Dialect::Gff3(reader)) => reader.feature(&mut draft, &feature),
            None => draft.summary.note("line before the first with attributes: skipped"),
        }
    }
    draft.summary.format = match dialect {
        Some(Dialect::Gtf(_)) => "GTF".into(),
        Some(Dialect::Gff3(reader)) => {
            reader.finish(&mut draft);
            "GFF3".into()
        }
        None => String::new(),
    };
    if draft.genes.is_empty() {
        let message = if draft.summary.lines == 0 {
            "no feature lines: is this a GTF or GFF3 file?".to_string()
        } else {
            let notes: Vec<String> = draft.summary.notes.iter().map(|(reason, n)| format!("; {reason}: {n}")).collect();
            format!("no gene model in {} feature lines{}", draft.summary.lines, notes.concat())
        };
        return Err(Error::file(path, message));
    }
    Ok(draft.finish())
}

/// What the two readers fill.
#[derive(Default)]
pub(super) struct Draft {
    pub contigs: Vec<String>,
    contig_index: HashMap<Vec<u8>, usize>,
    pub genes: Vec<Gene>,
    /// (gene, transcript): the exons arrive line by line, in any order.
    pub transcripts: Vec<(usize, Transcript)>,
    pub summary: AnnotationSummary,
}

impl Draft {
    /// The index of a contig name.
    pub fn contig(&mut self, name: &[u8]) -> usize {
        // Features of one contig follow each other: the last one is nearly always the one.
        if let Some(last) = self.contigs.last()
            && last.as_bytes() == name
        {
            return self.contigs.len() - 1;
        }
        if let Some(index) = self.contig_index.get(name) {
            return *index;
        }
        self.contigs.push(text(name));
        self.contig_index.insert(name.to_vec(), self.contigs.len() - 1);
        self.contigs.len() - 1
    }

    /// Adds an empty transcript to a gene.
    pub fn add_transcript(&mut self, gene: usize, id: &[u8]) -> usize {
        self.transcripts.push((gene, Transcript { id: text(id), ..Transcript::default() }));
        self.transcripts.len() - 1
    }

    fn finish(mut self) -> Annotation {
        for (gene, mut transcript) in self.transcripts {
            merge_intervals(&mut transcript.exons);
            merge_intervals(&mut transcript.cds);
            if transcript.exons.is_empty() && !transcript.cds.is_empty() {
                // Gene finders may write coding segments only: they are what is known of the exons.
                transcript.exons = transcript.cds.clone();
                self.summary.note("transcript with CDS but no exon lines: its CDS taken as exons");
            }
            let Some(gene) = self.genes.get_mut(gene) else {
                continue;
            };
            let (Some(first), Some(last)) = (transcript.exons.first(), transcript.exons.last()) else {
                continue;
            };
            gene.interval = gene.interval.hull(first).hull(last);
            self.summary.transcripts += 1;
            self.summary.exons += transcript.exons.len();
            gene.transcripts.push(transcript);
        }
        self.summary.genes = self.genes.len();
        self.genes.sort_by(|a, b| (a.contig, a.interval, &a.id).cmp(&(b.contig, b.interval, &b.id)));
        Annotation { contigs: self.contigs, genes: self.genes, summary: self.summary }
    }
}

/// Text of a file, with what is not UTF-8 replaced.
pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The canonical tag a comma- or single-valued `tag` attribute carries, if any; the first of two wins by [`CanonicalTag`]'s order.
pub(super) fn canonical_tag(value: &[u8]) -> Option<CanonicalTag> {
    value
        .split(|b| *b == b',')
        .filter_map(|tag| match tag.trim_ascii() {
            b"Ensembl_canonical" => Some(CanonicalTag::EnsemblCanonical),
            b"MANE_Select" | b"MANE Select" => Some(CanonicalTag::ManeSelect),
            _ => None,
        })
        .min()
}

#[cfg(test)]
mod tests;
