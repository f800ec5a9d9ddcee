//! Core promoter elements: short matrices or IUPAC words that mean something only at a certain distance from a transcription start.

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
    /// Its matrix, with `metazoa`, `vertebrates` or `insects` as the group. A word of IUPAC letters is a matrix of
    /// [`NOMINAL_SITES`] sites that share each column evenly among the letters it stands for.
    pub motif: Motif,
    /// The word, where the element is one.
    pub consensus: Option<String>,
    /// What its position is counted from.
    pub anchor: Anchor,
    /// Where its first base may lie, both ends included: bases downstream of the anchor, 0 for the base right after it (+1 in the
    /// literature), -1 for the one before.
    pub first_base: (i64, i64),
    /// Who found it there.
    pub source: String,
}

impl Element {
    /// Whether a hit lies where the element may: on the strand of the gene, with its first base (the last of the plus strand, for a gene on
    /// minus) at an allowed distance from the anchor, an inter-base position.
    pub fn allows(&self, anchor: usize, gene: Strand, hit: Interval, strand: Strand) -> bool {
        let offset = match gene {
            Strand::Plus => hit.start as i64 - anchor as i64,
            Strand::Minus => anchor as i64 - hit.end as i64,
        };
        strand == gene && (self.first_base.0..=self.first_base.1).contains(&offset)
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
    consensus: Option<String>,
    /// Rows of A, C, G and T.
    counts: Option<[Vec<f64>; 4]>,
    source: String,
}

/// Reads elements from the TOML of `reference/motifs/core-promoter.toml`, whose head describes it. `path` stands for it in errors.
///
/// # Errors
/// Text that is not of this form; an element with neither or both of `consensus` and `counts`, with rows of different lengths, with a letter
/// that is not IUPAC, or with a position 0.
pub fn from_toml(path: &Path, text: &str) -> Result<Vec<Element>> {
    let file: File = toml::from_str(text).map_err(|error| Error::file(path, error.to_string()))?;
    file.element.into_iter().map(|entry| element(entry).map_err(|message| Error::file(path, message))).collect()
}

fn element(entry: Entry) -> std::result::Result<Element, String> {
    let id = &entry.id;
    // The literature has no position 0.
    let offset = |position: i64| match position {
        0 => Err(format!("the element '{id}' has a position 0; +1 follows -1")),
        position => Ok(if position > 0 { position - 1 } else { position }),
    };
    let first_base = (offset(entry.first)?, offset(entry.last)?);
    if first_base.0 > first_base.1 {
        return Err(format!("the element '{id}' ends before it starts"));
    }
    let columns = match (&entry.consensus, &entry.counts) {
        (Some(word), None) => word.bytes().map(column).collect::<Option<Vec<_>>>().ok_or(format!("'{word}' is no IUPAC word"))?,
        (None, Some([a, c, g, t])) if [c, g, t].iter().all(|row| row.len() == a.len()) => {
            (0..a.len()).map(|i| [a[i], c[i], g[i], t[i]]).collect()
        }
        _ => return Err(format!("the element '{id}' needs either a consensus or four rows of counts, equally long")),
    };
    let motif = Motif { tax_group: entry.taxon, ..Motif::new(id, &entry.name, columns, NOMINAL_SITES)? };
    Ok(Element { motif, consensus: entry.consensus, anchor: entry.anchor, first_base, source: entry.source })
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
    Some(std::array::from_fn(|i| if letters.contains(&b"ACGT"[i]) { share } else { 0.0 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Element>> {
        from_toml(Path::new("x.toml"), text)
    }

    const INR: &str = "[[element]]\nid = 'inr'\nname = 'Initiator'\ntaxon = 'insects'\nanchor = 'tss'\nsource = 's'\n";

    #[test]
    fn the_initiator_lies_where_transcription_starts() {
        let [inr] = &read(&format!("{INR}consensus = 'TCAKTY'\nfirst = -2\nlast = 1\n")).unwrap()[..] else { panic!() };
        assert_eq!(inr.first_base, (-2, 0));
        assert_eq!((inr.motif.counts[2], inr.motif.counts[3]), ([20.0, 0.0, 0.0, 0.0], [0.0, 0.0, 10.0, 10.0]));
        // The A of TCAKTY at +1, on either strand: the TSS is the inter-base position before it.
        assert!(inr.allows(100, Strand::Plus, Interval::new(98, 104), Strand::Plus));
        assert!(inr.allows(100, Strand::Minus, Interval::new(96, 102), Strand::Minus));
        for (gene, start, strand) in [
            (Strand::Plus, 97, Strand::Plus),
            (Strand::Plus, 101, Strand::Plus),
            (Strand::Plus, 98, Strand::Minus),
            (Strand::Minus, 97, Strand::Minus),
            (Strand::Minus, 93, Strand::Minus),
        ] {
            assert!(!inr.allows(100, gene, Interval::new(start, start + 6), strand), "{gene} {start}");
        }
    }

    #[test]
    fn what_is_no_element_is_refused() {
        for (rest, part) in [
            ("consensus = 'TCA'\nfirst = 0\nlast = 1\n", "position 0"),
            ("consensus = 'TCA'\nfirst = 2\nlast = -1\n", "ends before"),
            ("consensus = 'TXA'\nfirst = 1\nlast = 1\n", "'TXA'"),
            ("first = 1\nlast = 1\n", "either"),
            ("counts = [[1], [1], [1], [1, 2]]\nfirst = 1\nlast = 1\n", "equally long"),
            ("counts = [[1], [1], [1]]\nfirst = 1\nlast = 1\n", "x.toml"),
            ("consensus = ''\nfirst = 1\nlast = 1\n", "0 columns"),
            ("colour = 1\nfirst = 1\nlast = 1\n", "colour"),
        ] {
            let message = read(&format!("{INR}{rest}")).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }
}
