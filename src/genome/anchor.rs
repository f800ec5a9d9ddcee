//! Places in a gene by name: its transcription start, its second donor.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::genome::annotation::{Annotation, Gene, Transcript};
use crate::genome::contig_names::examples;
use crate::genome::junctions::SiteKind;
use crate::genome::{Strand, region};

/// An inter-base position of a transcript.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// Before the first transcribed base.
    Tss,
    /// Before the first base of the start codon, or of the first coding base that is annotated.
    CdsStart,
    /// exon|intron of the intron of this number, from 1, in transcript order.
    Donor(usize),
    /// intron|exon likewise.
    Acceptor(usize),
}

impl FromStr for Anchor {
    type Err = String;

    fn from_str(text: &str) -> Result<Anchor, String> {
        let wrong = || {
            format!(
                "'{text}' is no place in a gene: tss, cds-start, donor:N or acceptor:N, N counted from 1"
            )
        };
        match text.split_once(':') {
            None if text == "tss" => Ok(Anchor::Tss),
            None if text == "cds-start" => Ok(Anchor::CdsStart),
            Some((kind, number)) => {
                let number = number.parse().ok().filter(|n| *n > 0).ok_or_else(wrong)?;
                match kind {
                    "donor" => Ok(Anchor::Donor(number)),
                    "acceptor" => Ok(Anchor::Acceptor(number)),
                    _ => Err(wrong()),
                }
            }
            None => Err(wrong()),
        }
    }
}

impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Anchor::Tss => write!(f, "TSS"),
            Anchor::CdsStart => write!(f, "CDS start"),
            Anchor::Donor(n) => write!(f, "donor {n}"),
            Anchor::Acceptor(n) => write!(f, "acceptor {n}"),
        }
    }
}

impl Anchor {
    /// Where it lies in a transcript of a strand.
    ///
    /// # Errors
    /// Words that say what the transcript lacks.
    pub fn position(self, transcript: &Transcript, strand: Strand) -> Result<usize, String> {
        let upstream_end = |first: Option<usize>, last: Option<usize>| {
            if strand == Strand::Plus { first } else { last }
        };
        let lacks = |what: &str| format!("the transcript {} has {what}", transcript.id);
        match self {
            Anchor::Tss => upstream_end(
                transcript.exons.first().map(|e| e.start),
                transcript.exons.last().map(|e| e.end),
            )
            .ok_or_else(|| lacks("no exon")),
            Anchor::CdsStart => upstream_end(
                transcript.cds.first().map(|c| c.start),
                transcript.cds.last().map(|c| c.end),
            )
            .ok_or_else(|| lacks("no coding sequence")),
            Anchor::Donor(number) | Anchor::Acceptor(number) => {
                let kind = if matches!(self, Anchor::Donor(_)) {
                    SiteKind::Donor
                } else {
                    SiteKind::Acceptor
                };
                let introns: Vec<_> = transcript.introns().collect();
                let index = number.checked_sub(1).filter(|index| *index < introns.len());
                let index = index
                    .ok_or_else(|| lacks(&format!("{} introns, so no {self}", introns.len())))?;
                let intron = introns[if strand == Strand::Plus {
                    index
                } else {
                    introns.len() - 1 - index
                }];
                Ok(kind.position(intron, strand))
            }
        }
    }
}

/// The gene of a symbol or identifier: as it is written, else whatever its case. The index into
/// [`Annotation::genes`].
///
/// # Errors
/// [`Error::Invalid`] where there is none, or more than one.
pub fn find_gene(annotation: &Annotation, name: &str) -> Result<usize> {
    let of = |meets: &dyn Fn(&str) -> bool| -> Vec<usize> {
        let genes = annotation.genes.iter().enumerate();
        genes
            .filter(|(_, g)| meets(&g.id) || !g.name.is_empty() && meets(&g.name))
            .map(|(i, _)| i)
            .collect()
    };
    let mut found = of(&|text| text == name);
    if found.is_empty() {
        found = of(&|text| text.eq_ignore_ascii_case(name));
    }
    match found[..] {
        [one] => Ok(one),
        [] => {
            let known = annotation.genes.iter().map(|g| {
                if g.name.is_empty() {
                    g.id.as_str()
                } else {
                    g.name.as_str()
                }
            });
            Err(Error::Invalid(format!(
                "no gene '{name}' in the annotation; it has {}",
                examples(known)
            )))
        }
        _ => {
            let place = |gene: &Gene| {
                let contig = annotation
                    .contigs
                    .get(gene.contig)
                    .map_or("", String::as_str);
                format!("{} at {}", gene.id, region::written(contig, gene.interval))
            };
            let places: Vec<String> = found.iter().map(|i| place(&annotation.genes[*i])).collect();
            let places = examples(places.iter().map(String::as_str));
            Err(Error::Invalid(format!(
                "{} genes are called '{name}' ({places}): name one by its identifier, or give --region",
                found.len()
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::genome::Interval;

    fn transcript() -> Transcript {
        let exons = [(100, 200), (300, 400), (500, 600)]
            .map(|(a, b)| Interval::new(a, b))
            .to_vec();
        Transcript {
            id: "t".into(),
            exons,
            cds: vec![Interval::new(150, 200), Interval::new(300, 350)],
            ..Transcript::default()
        }
    }

    #[test]
    fn places_lie_where_the_transcript_has_them() {
        let at = |text: &str, strand| {
            text.parse::<Anchor>()
                .unwrap()
                .position(&transcript(), strand)
                .unwrap()
        };
        for (text, plus, minus) in [
            ("tss", 100, 600),
            ("cds-start", 150, 350),
            ("donor:1", 200, 500),
            ("acceptor:1", 300, 400),
            ("donor:2", 400, 300),
            ("acceptor:2", 500, 200),
        ] {
            assert_eq!(
                (at(text, Strand::Plus), at(text, Strand::Minus)),
                (plus, minus),
                "{text}"
            );
        }
        let message = Anchor::Donor(3)
            .position(&transcript(), Strand::Plus)
            .unwrap_err();
        assert!(message.contains("2 introns, so no donor 3"), "{message}");
        assert!(
            Anchor::CdsStart
                .position(&Transcript::default(), Strand::Plus)
                .unwrap_err()
                .contains("no coding")
        );
        for bad in ["", "TSS:1", "donor", "donor:0", "donor:x", "exon:1"] {
            assert!(
                bad.parse::<Anchor>()
                    .unwrap_err()
                    .contains("tss, cds-start"),
                "{bad}"
            );
        }
    }

    #[test]
    fn genes_by_symbol_or_identifier() {
        let gene = |id: &str, name: &str| crate::genome::annotation::Gene {
            id: id.into(),
            name: name.into(),
            biotype: String::new(),
            contig: 0,
            strand: Strand::Plus,
            interval: Interval::new(0, 10),
            transcripts: Vec::new(),
        };
        let genes = vec![
            gene("G1", "ey"),
            gene("G2", "Ey"),
            gene("G3", "HBB"),
            gene("G4", "dup"),
            gene("G5", "dup"),
        ];
        let annotation = Annotation {
            genes,
            ..Annotation::default()
        };
        for (name, index) in [("ey", 0), ("Ey", 1), ("hbb", 2), ("g4", 3)] {
            assert_eq!(find_gene(&annotation, name).unwrap(), index);
        }
        for (name, part) in [
            ("EY", "2 genes"),
            ("dup", "G4 at :1-10, G5 at :1-10"),
            ("nope", "no gene 'nope'"),
            ("", "no gene"),
        ] {
            let message = find_gene(&annotation, name).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }
}
