//! Gene annotations: GTF and GFF3 in the GENCODE, Ensembl and RefSeq dialects, plain or gzip, as
//! genes with transcripts and exons.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

mod copies;
mod draft;
mod lines;
mod read;

pub(super) use draft::{Draft, GeneDraft, SEVERAL_TRANSCRIPTS, TranscriptDraft};
pub(super) use lines::{Feature, Segment};

use crate::error::{Error, Result};
use crate::genome::text;
use crate::genome::{Interval, Strand};

/// A gene model set.
#[derive(Clone, Debug, Default)]
pub struct Annotation {
    /// Contig names as the file writes them; genes refer to them by index.
    pub contigs: Vec<String>,
    /// The genes, in order of contig, start and id.
    pub genes: Vec<Gene>,
    /// What was read and what was passed over.
    pub summary: AnnotationSummary,
    /// Its file, for messages.
    pub path: PathBuf,
}

/// A gene on one strand of one contig.
#[derive(Clone, Debug)]
pub struct Gene {
    /// Its identifier. One that the file has at several loci is the identifier of a gene at each of
    /// them.
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
    /// Exons in genome order; exons that overlap or touch are merged, so at least one base lies
    /// between two.
    pub exons: Vec<Interval>,
    /// Coding segments with the stop codon, in genome order, merged likewise; empty for a
    /// non-coding transcript.
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
        self.exons
            .windows(2)
            .map(|pair| Interval::new(pair[0].end, pair[1].start))
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

/// The biotype that stands for all.
pub const ALL_BIOTYPES: &str = "all";

impl Annotation {
    /// Reads a GTF or GFF3 file, plain, gzip or bgzip, told by content and not by the file's name.
    ///
    /// # Errors
    /// An unreadable, damaged or cut-off file; [`Error::Parse`] with the line number where a line
    /// has not nine columns, a position that is no number, a start of 0 or beyond the end, or a
    /// strand other than `+`, `-`, `.` and `?`; a file without any gene model. Features that are
    /// sound but unusable (no strand, no parent) are skipped and counted in
    /// [`AnnotationSummary::notes`].
    pub fn open(path: impl AsRef<Path>) -> Result<Annotation> {
        let path = path.as_ref();
        read::read(path, text::open(path)?)
    }

    /// Reads a gzip GTF or GFF3 that is already in memory. `name` stands for the path in errors.
    ///
    /// # Errors
    /// As [`Annotation::open`].
    pub fn from_gz_bytes(name: &str, bytes: &[u8]) -> Result<Annotation> {
        let path = Path::new(name);
        read::read(path, text::unpacked(bytes).map_err(Error::io(path))?)
    }

    /// The biotypes of its genes.
    pub fn biotypes(&self) -> BTreeSet<&str> {
        self.genes
            .iter()
            .map(|gene| gene.biotype.as_str())
            .filter(|biotype| !biotype.is_empty())
            .collect()
    }

    /// Refuses biotypes that no gene has.
    ///
    /// # Errors
    /// [`Error::File`] with the biotypes there are.
    pub fn check_biotypes(&self, wanted: &[String]) -> Result<()> {
        let known = self.biotypes();
        let Some(unknown) = wanted
            .iter()
            .find(|wanted| !known.contains(wanted.as_str()))
        else {
            return Ok(());
        };
        let message = if known.is_empty() {
            format!(
                "no gene has the biotype '{unknown}': the annotation names no biotypes; --biotype {ALL_BIOTYPES} takes every gene"
            )
        } else {
            let known: Vec<&str> = known.into_iter().collect();
            format!(
                "no gene has the biotype '{unknown}'; there are {}; --biotype {ALL_BIOTYPES} takes every gene",
                known.join(", ")
            )
        };
        Err(Error::file(&self.path, message))
    }
}

/// The canonical tag a comma- or single-valued `tag` attribute carries, if any; the first of two
/// wins by [`CanonicalTag`]'s order.
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
