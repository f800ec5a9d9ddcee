//! Core promoter elements: short matrices or IUPAC words that mean something only at a certain
//! distance from a transcription start.

use std::path::Path;

use serde::Deserialize;

use super::{Motif, NOMINAL_SITES};
use crate::error::{Error, Result};
use crate::genome::{Interval, Strand};

/// What an element's position is counted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Anchor {
    /// The transcription start site: the inter-base position before the first transcribed base.
    Tss,
    /// The inter-base position before the start codon.
    StartCodon,
}

/// A core promoter element.
#[derive(Clone, Debug, PartialEq)]
pub struct Element {
    /// Its matrix, with `metazoa`, `vertebrates` or `insects` as the group. A word of IUPAC letters
    /// is a consensus: it fits every word it stands for, all equally well.
    pub motif: Motif,
    /// The word, where the element is one.
    pub consensus: Option<String>,
    /// What its position is counted from.
    pub anchor: Anchor,
    /// Where its first base may lie, both ends included: bases downstream of the anchor, 0 for the
    /// base right after it (+1 in the literature), -1 for the one before.
    pub first_base: (i64, i64),
    /// Whether it works in either orientation: then its upstream end may lie at these distances,
    /// whichever strand reads as the motif.
    pub either_strand: bool,
    /// Who found it there.
    pub source: String,
}

impl Element {
    /// Where the element may lie: on the strand of the gene (on any, of an element for either),
    /// with its first base (the last of the plus strand, for a gene on minus) at an allowed
    /// distance from the anchor, an inter-base position that is right within `slack_bp`.
    pub fn places(
        &self,
        anchor: usize,
        gene: Strand,
        slack_bp: usize,
    ) -> impl Iterator<Item = (Interval, Strand)> + '_ {
        let (width, slack) = (self.motif.width(), slack_bp as i64);
        let start = move |offset: i64| match gene {
            Strand::Plus => anchor.checked_add_signed(offset as isize),
            Strand::Minus => anchor
                .checked_add_signed(-offset as isize)
                .and_then(|end| end.checked_sub(width)),
        };
        let intervals = (self.first_base.0 - slack..=self.first_base.1 + slack).filter_map(start);
        let strands = [Strand::Plus, Strand::Minus]
            .into_iter()
            .filter(move |strand| self.either_strand || *strand == gene);
        intervals.flat_map(move |start| {
            strands
                .clone()
                .map(move |strand| (Interval::new(start, start + width), strand))
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    element: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: String,
    name: String,
    taxon: String,
    anchor: Anchor,
    first: i64,
    last: i64,
    #[serde(default)]
    either_strand: bool,
    consensus: Option<String>,
    /// Rows of A, C, G and T.
    counts: Option<[Vec<f64>; 4]>,
    source: String,
}

/// Reads elements from the TOML of `reference/motifs/core-promoter.toml`, whose head describes it.
/// `path` stands for it in errors.
///
/// # Errors
/// Text that is not of this form; an element with neither or both of `consensus` and `counts`, with
/// rows of different lengths, with a letter that is not IUPAC, or with a position 0.
pub fn from_toml(path: &Path, text: &str) -> Result<Vec<Element>> {
    let file: File = toml::from_str(text).map_err(|error| Error::file(path, error.to_string()))?;
    file.element
        .into_iter()
        .map(|entry| element(entry).map_err(|message| Error::file(path, message)))
        .collect()
}

fn element(entry: Entry) -> std::result::Result<Element, String> {
    let id = &entry.id;
    // The literature has no position 0.
    let offset = |position: i64| match position {
        0 => Err(format!(
            "the element '{id}' has a position 0; +1 follows -1"
        )),
        position => Ok(if position > 0 { position - 1 } else { position }),
    };
    let first_base = (offset(entry.first)?, offset(entry.last)?);
    if first_base.0 > first_base.1 {
        return Err(format!("the element '{id}' ends before it starts"));
    }
    let columns = match (&entry.consensus, &entry.counts) {
        (Some(word), None) => word
            .bytes()
            .map(column)
            .collect::<Option<Vec<_>>>()
            .ok_or(format!("'{word}' is no IUPAC word"))?,
        (None, Some([a, c, g, t])) if [c, g, t].iter().all(|row| row.len() == a.len()) => {
            (0..a.len()).map(|i| [a[i], c[i], g[i], t[i]]).collect()
        }
        _ => {
            return Err(format!(
                "the element '{id}' needs either a consensus or four rows of counts, equally long"
            ));
        }
    };
    let is_consensus = entry.consensus.is_some();
    let motif = Motif {
        tax_group: entry.taxon,
        is_consensus,
        ..Motif::new(id, &entry.name, columns, NOMINAL_SITES)?
    };
    let Entry {
        consensus,
        anchor,
        either_strand,
        source,
        ..
    } = entry;
    Ok(Element {
        motif,
        consensus,
        anchor,
        first_base,
        either_strand,
        source,
    })
}

/// Frequencies of A, C, G and T that an IUPAC letter stands for.
fn column(letter: u8) -> Option<[f64; 4]> {
    let letters: &[u8] = match letter.to_ascii_uppercase() {
        b'A' => b"A",
        b'C' => b"C",
        b'G' => b"G",
        b'T' | b'U' => b"T",
        b'R' => b"AG",
        b'Y' => b"CT",
        b'S' => b"CG",
        b'W' => b"AT",
        b'K' => b"GT",
        b'M' => b"AC",
        b'B' => b"CGT",
        b'D' => b"AGT",
        b'H' => b"ACT",
        b'V' => b"ACG",
        b'N' => b"ACGT",
        _ => return None,
    };
    let share = 1.0 / letters.len() as f64;
    Some(std::array::from_fn(|i| {
        if letters.contains(&b"ACGT"[i]) {
            share
        } else {
            0.0
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Element>> {
        from_toml(Path::new("x.toml"), text)
    }

    const INR: &str = "[[element]]\nid = 'inr'\nname = 'Initiator'\ntaxon = 'insects'\nanchor = 'tss'\nsource = 's'\n";

    fn allows(
        element: &Element,
        anchor: usize,
        gene: Strand,
        hit: Interval,
        strand: Strand,
    ) -> bool {
        element
            .places(anchor, gene, 0)
            .any(|place| place == (hit, strand))
    }

    #[test]
    fn the_initiator_lies_where_transcription_starts() {
        let [inr] = &read(&format!(
            "{INR}consensus = 'TCAKTY'\nfirst = -2\nlast = 1\n"
        ))
        .unwrap()[..] else {
            panic!()
        };
        assert_eq!(inr.first_base, (-2, 0));
        assert_eq!(
            (inr.motif.counts[2], inr.motif.counts[3]),
            ([20.0, 0.0, 0.0, 0.0], [0.0, 0.0, 10.0, 10.0])
        );
        // The A of TCAKTY at +1, on either strand: the TSS is the inter-base position before it.
        assert!(allows(
            inr,
            100,
            Strand::Plus,
            Interval::new(98, 104),
            Strand::Plus
        ));
        assert!(allows(
            inr,
            100,
            Strand::Minus,
            Interval::new(96, 102),
            Strand::Minus
        ));
        for (gene, start, strand) in [
            (Strand::Plus, 97, Strand::Plus),
            (Strand::Plus, 101, Strand::Plus),
            (Strand::Plus, 98, Strand::Minus),
            (Strand::Minus, 97, Strand::Minus),
            (Strand::Minus, 93, Strand::Minus),
        ] {
            assert!(
                !allows(inr, 100, gene, Interval::new(start, start + 6), strand),
                "{gene} {start}"
            );
        }
        // With slack the place may be wrong by as much; a contig begins at 0.
        assert!(
            inr.places(100, Strand::Plus, 1)
                .any(|place| place == (Interval::new(97, 103), Strand::Plus))
        );
        assert_eq!(
            (
                inr.places(100, Strand::Plus, 5).count(),
                inr.places(3, Strand::Plus, 5).count()
            ),
            (13, 9)
        );
    }

    #[test]
    fn either_strand_where_the_source_says_so() {
        let text =
            format!("{INR}consensus = 'TCAKTY'\nfirst = -80\nlast = -60\neither_strand = true\n");
        let [both] = &read(&text).unwrap()[..] else {
            panic!()
        };
        for strand in [Strand::Plus, Strand::Minus] {
            assert!(
                allows(both, 100, Strand::Plus, Interval::new(30, 36), strand)
                    && !allows(both, 100, Strand::Plus, Interval::new(50, 56), strand)
            );
            assert!(allows(
                both,
                100,
                Strand::Minus,
                Interval::new(164, 170),
                strand
            ));
        }
    }

    #[test]
    fn what_is_no_element_is_refused() {
        for (rest, part) in [
            ("consensus = 'TCA'\nfirst = 0\nlast = 1\n", "position 0"),
            ("consensus = 'TCA'\nfirst = 2\nlast = -1\n", "ends before"),
            ("consensus = 'TXA'\nfirst = 1\nlast = 1\n", "'TXA'"),
            ("first = 1\nlast = 1\n", "either"),
            (
                "counts = [[1], [1], [1], [1, 2]]\nfirst = 1\nlast = 1\n",
                "equally long",
            ),
            ("counts = [[1], [1], [1]]\nfirst = 1\nlast = 1\n", "x.toml"),
            ("consensus = ''\nfirst = 1\nlast = 1\n", "0 columns"),
            ("colour = 1\nfirst = 1\nlast = 1\n", "colour"),
        ] {
            let message = read(&format!("{INR}{rest}")).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }
}
