//! A splice site and what became of it.

use serde::Serialize;

use crate::genome::sequence::{base_downstream, is_acgt};
use crate::genome::{Interval, Strand};

/// One of the two ends of an intron.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SiteKind {
    /// exon|intron, before the GT.
    Donor,
    /// intron|exon, after the AG.
    Acceptor,
}

impl SiteKind {
    /// Both, in the order of reports.
    pub const ALL: [SiteKind; 2] = [SiteKind::Donor, SiteKind::Acceptor];

    /// `donor` or `acceptor`.
    pub fn name(self) -> &'static str {
        match self {
            SiteKind::Donor => "donor",
            SiteKind::Acceptor => "acceptor",
        }
    }

    /// The inter-base position of this end of an intron `[start, end)`.
    pub fn position(self, intron: Interval, strand: Strand) -> usize {
        match (self, strand) {
            (SiteKind::Donor, Strand::Plus) | (SiteKind::Acceptor, Strand::Minus) => intron.start,
            _ => intron.end,
        }
    }

    /// Whether the intron's dinucleotide (GT after a donor, AG before an acceptor) is at this
    /// position, in either case.
    pub fn has_dinucleotide(self, sequence: &[u8], strand: Strand, position: usize) -> bool {
        let base = |k| base_downstream(sequence, strand, position, k);
        match self {
            SiteKind::Donor => base(0) == Some(b'G') && base(1) == Some(b'T'),
            SiteKind::Acceptor => base(-2) == Some(b'A') && base(-1) == Some(b'G'),
        }
    }
}

/// What became of a site. Each annotated site has exactly one; a later one was reached by passing
/// those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SiteStatus {
    /// Its contig is not in the genome.
    ContigNotInGenome,
    /// Its contig was not asked for.
    ContigNotChosen,
    /// No gene that lies in an asked-for region has it.
    RegionNotChosen,
    /// No gene of an asked-for biotype has it.
    BiotypeNotChosen,
    /// No chosen transcript has it.
    TranscriptNotChosen,
    /// Every chosen intron with it reaches beyond the end of the contig: the annotation is of a
    /// longer sequence.
    IntronOffContig,
    /// Every chosen intron with it is shorter than the minimum.
    IntronTooShort,
    /// No chosen intron with it reads GT-AG.
    IntronNotGtAg,
    /// The window around it leaves the contig.
    WindowOffContig,
    /// The window around it holds a letter other than A, C, G and T.
    WindowNotAcgt,
    /// The track that was read has no value for some base of the window around it.
    NoSignal,
    /// Usable, but not in the random subset asked for.
    NotSampled,
    /// Usable, but no control lies within the caliper.
    NoPartner,
    /// Usable (and, where controls were looked for, paired).
    Used,
}

impl SiteStatus {
    /// Every status, in order.
    pub const ALL: [SiteStatus; 14] = [
        SiteStatus::ContigNotInGenome,
        SiteStatus::ContigNotChosen,
        SiteStatus::RegionNotChosen,
        SiteStatus::BiotypeNotChosen,
        SiteStatus::TranscriptNotChosen,
        SiteStatus::IntronOffContig,
        SiteStatus::IntronTooShort,
        SiteStatus::IntronNotGtAg,
        SiteStatus::WindowOffContig,
        SiteStatus::WindowNotAcgt,
        SiteStatus::NoSignal,
        SiteStatus::NotSampled,
        SiteStatus::NoPartner,
        SiteStatus::Used,
    ];

    /// The name used in tables.
    pub fn name(self) -> &'static str {
        match self {
            SiteStatus::ContigNotInGenome => "contig_not_in_genome",
            SiteStatus::ContigNotChosen => "contig_not_chosen",
            SiteStatus::RegionNotChosen => "region_not_chosen",
            SiteStatus::BiotypeNotChosen => "biotype_not_chosen",
            SiteStatus::TranscriptNotChosen => "transcript_not_chosen",
            SiteStatus::IntronOffContig => "intron_off_contig",
            SiteStatus::IntronTooShort => "intron_too_short",
            SiteStatus::IntronNotGtAg => "intron_not_gt_ag",
            SiteStatus::WindowOffContig => "window_off_contig",
            SiteStatus::WindowNotAcgt => "window_not_acgt",
            SiteStatus::NoSignal => "no_signal",
            SiteStatus::NotSampled => "not_sampled",
            SiteStatus::NoPartner => "no_partner",
            SiteStatus::Used => "used",
        }
    }
}

/// A unique splice site of the annotation.
#[derive(Clone, Debug)]
pub struct Site {
    /// Donor or acceptor.
    pub kind: SiteKind,
    /// Index into [`Junctions::contigs`](super::Junctions::contigs).
    pub contig: usize,
    /// Inter-base position.
    pub position: usize,
    /// Strand of its transcripts.
    pub strand: Strand,
    /// Indices into [`Annotation::genes`](crate::genome::annotation::Annotation::genes): those
    /// whose chosen transcripts have it, or, where none is chosen, all that have it. Ascending.
    pub genes: Vec<usize>,
    /// Index into [`Junctions::clusters`](super::Junctions::clusters).
    pub cluster: usize,
    /// [`SiteStatus::Used`] until [`Junctions::check_sequence`](super::Junctions::check_sequence)
    /// or a later step finds otherwise.
    pub status: SiteStatus,
}

/// Whether the bases `[position - radius_bp, position + radius_bp)` are all there and all ACGT. The
/// two ends of the contig are no inter-base positions that a model scores (one of them is its
/// position 0), so the window may not reach them.
pub fn window_status(sequence: &[u8], position: usize, radius_bp: usize) -> SiteStatus {
    let (start, end) = (
        position.checked_sub(radius_bp),
        position.checked_add(radius_bp),
    );
    match (start, end) {
        (Some(start), Some(end)) if start >= 1 && end < sequence.len() => {
            if is_acgt(&sequence[start..end]) {
                SiteStatus::Used
            } else {
                SiteStatus::WindowNotAcgt
            }
        }
        _ => SiteStatus::WindowOffContig,
    }
}
