//! The columns that GTF and GFF3 share.

use crate::genome::{Interval, Strand};

/// The nine columns of a feature line, with positions as 0-based half-open bases.
pub(in crate::genome) struct Feature<'a> {
    pub contig: &'a [u8],
    pub kind: &'a [u8],
    pub interval: Interval,
    /// `None` for `.` and `?`.
    pub strand: Option<Strand>,
    pub attributes: &'a [u8],
}

/// What a feature adds to a transcript.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::genome) enum Segment {
    Exon,
    Cds,
    /// Part of the coding sequence, whether or not the CDS holds it: in GTF it does not, in GFF3 it
    /// does.
    StopCodon,
    Utr,
}

impl Segment {
    /// By the third column.
    pub fn of(kind: &[u8]) -> Option<Segment> {
        let ends = |suffix: &[u8]| {
            kind.len() >= suffix.len()
                && kind[kind.len() - suffix.len()..].eq_ignore_ascii_case(suffix)
        };
        match kind {
            _ if kind.eq_ignore_ascii_case(b"CDS") => Some(Segment::Cds),
            // Also noncoding_exon, pseudogenic_exon.
            _ if ends(b"exon") => Some(Segment::Exon),
            b"stop_codon" => Some(Segment::StopCodon),
            // five_prime_UTR, 3UTR, 5'-UTR.
            b"UTR5" | b"UTR3" => Some(Segment::Utr),
            _ if ends(b"UTR") => Some(Segment::Utr),
            _ => None,
        }
    }
}

fn position(text: &[u8]) -> Option<usize> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0usize, |n, b| {
        b.is_ascii_digit().then_some(())?;
        n.checked_mul(10)?.checked_add(usize::from(b - b'0'))
    })
}

/// Splits a feature line. The score and the frame are not looked at: nothing here uses them, and
/// files in the wild have frames of -1.
pub(super) fn split_columns(line: &[u8]) -> std::result::Result<Feature<'_>, String> {
    let mut columns = [&[][..]; 9];
    let mut count = 0;
    for column in line.split(|b| *b == b'\t') {
        if let Some(slot) = columns.get_mut(count) {
            *slot = column;
        }
        count += 1;
    }
    if count != 9 {
        let hint = if count == 1 && line.contains(&b' ') {
            " (columns are separated by tabs, not spaces)"
        } else {
            ""
        };
        return Err(format!(
            "expected 9 tab-separated columns, found {count}{hint}"
        ));
    }
    let number = |text: &[u8], what: &str| {
        position(text).ok_or_else(|| {
            format!(
                "the {what} '{}' is not a position",
                String::from_utf8_lossy(text)
            )
        })
    };
    let (start, end) = (number(columns[3], "start")?, number(columns[4], "end")?);
    if start == 0 {
        return Err("start 0: positions of GTF and GFF3 count from 1".into());
    }
    if start > end {
        return Err(format!(
            "start {start} lies beyond end {end}; the start is the lower position on both strands: swap them, or leave the line out"
        ));
    }
    let strand = match columns[6] {
        b"+" => Some(Strand::Plus),
        b"-" => Some(Strand::Minus),
        b"." | b"?" => None,
        other => {
            return Err(format!(
                "the strand '{}' is none of + - . ?",
                String::from_utf8_lossy(other)
            ));
        }
    };
    let interval = Interval::new(start - 1, end);
    Ok(Feature {
        contig: columns[0],
        kind: columns[2],
        interval,
        strand,
        attributes: columns[8],
    })
}
