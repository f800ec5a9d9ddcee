//! Sequence motifs: reading matrices, scanning both strands with exact p-values, grouping
//! near-identical matrices.
//!
//! A [`Motif`] holds counts; [`weights::Weights`] turns it into log-odds in bits against a
//! [`background::Background`]; [`distribution::Tail`] gives the p-value of every score that can be
//! a hit; [`scan`] finds the hits.
//!
//! ```
//! use ldar::motifs::background::Background;
//! use ldar::motifs::scan::{Encoded, ScanRequest, scan};
//!
//! let motifs = ldar::bundled::motifs(ldar::bundled::MOTIFS_INSECTS)?;
//! let gaga: Vec<_> = motifs.into_iter().filter(|motif| motif.name == "Trl").collect();
//! let sequence = b"TTCAGTTGAGAGAGAGACTTAC";
//! let found = scan(
//!     &gaga,
//!     &Encoded::new([&sequence[..]]),
//!     &ScanRequest::new(Background::UNIFORM),
//! );
//! assert!(!found.hits.is_empty() && found.hits.iter().all(|hit| hit.p_value <= 1e-4));
//! # Ok::<(), ldar::Error>(())
//! ```

pub mod background;
pub mod distribution;
pub mod elements;
pub mod overlap;
pub mod permute;
pub mod read;
pub mod scan;
pub mod select;
pub mod similarity;
pub mod weights;

/// Sites that a matrix of frequencies without a number of sites is taken to come from, as MEME
/// does.
pub const NOMINAL_SITES: f64 = 20.0;

/// Columns of the widest matrix that is read.
pub const MOST_COLUMNS: usize = 100;

/// A position count matrix and what is known of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Motif {
    /// Its identifier: `MA0108.3`.
    pub id: String,
    /// The factor: `TBP`; the identifier where the file has no name.
    pub name: String,
    /// Counts of A, C, G and T in each column; `(width, 4)`, not always whole numbers, every column
    /// with a sum above 0.
    pub counts: Vec<[f64; 4]>,
    /// `vertebrates`, `insects`...; empty where not known.
    pub tax_group: String,
    /// Structural families of the factor, one for each part of a dimer; empty where not known.
    pub families: Vec<String>,
    /// Structural classes likewise.
    pub classes: Vec<String>,
    /// Whether the columns are sets of letters of equal standing (an IUPAC word): it fits every
    /// word of these letters equally well, and no other.
    pub is_consensus: bool,
}

impl Motif {
    /// A motif from its columns (A, C, G, T). Columns that all add up to 1 within 0.02 are
    /// frequencies: they are multiplied by `sites`. Refuses, in words, what is no matrix of counts
    /// or frequencies.
    pub fn new(
        id: &str,
        name: &str,
        mut columns: Vec<[f64; 4]>,
        sites: f64,
    ) -> std::result::Result<Motif, String> {
        if id.is_empty() {
            return Err("a matrix without an identifier".into());
        }
        if columns.is_empty() || columns.len() > MOST_COLUMNS {
            return Err(format!(
                "the matrix '{id}' has {} columns; 1 to {MOST_COLUMNS} are read",
                columns.len()
            ));
        }
        if let Some(value) = columns
            .iter()
            .flatten()
            .find(|value| !(value.is_finite() && **value >= 0.0))
        {
            return Err(format!(
                "the matrix '{id}' holds {value}: counts or frequencies are needed, not log-odds"
            ));
        }
        let sum = |column: &[f64; 4]| column.iter().sum::<f64>();
        if columns
            .iter()
            .all(|column| (sum(column) - 1.0).abs() <= 0.02)
        {
            columns
                .iter_mut()
                .flatten()
                .for_each(|value| *value *= sites);
        }
        if let Some(wrong) = columns
            .iter()
            .position(|column| sum(column) <= 0.0 || !sum(column).is_finite())
        {
            return Err(format!(
                "the counts in column {} of the matrix '{id}' add up to {}",
                wrong + 1,
                sum(&columns[wrong])
            ));
        }
        let name = if name.is_empty() { id } else { name };
        Ok(Motif {
            id: id.into(),
            name: name.into(),
            counts: columns,
            ..Motif::default()
        })
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.counts.len()
    }

    /// Frequencies of A, C, G and T in each column, without pseudocounts; `(width, 4)`, columns sum
    /// to 1.
    pub fn frequencies(&self) -> Vec<[f64; 4]> {
        let normalized = |column: &[f64; 4]| {
            let sum: f64 = column.iter().sum();
            column.map(|count| count / sum)
        };
        self.counts.iter().map(normalized).collect()
    }

    /// Information of each column in bits, `2 + sum f log2 f`, without small-sample correction
    /// (Schneider et al. 1986); `(width)`, 0 to 2.
    pub fn information_bits(&self) -> Vec<f64> {
        let entropy = |column: &[f64; 4]| {
            column
                .iter()
                .filter(|f| **f > 0.0)
                .map(|f| -f * f.log2())
                .sum::<f64>()
        };
        self.frequencies()
            .iter()
            .map(|column| (2.0 - entropy(column)).max(0.0))
            .collect()
    }

    /// The matrix of the other strand: columns in reverse order, A exchanged with T and C with G.
    pub fn reverse_complement(&self) -> Motif {
        Motif {
            counts: reverse_complement(&self.counts),
            ..self.clone()
        }
    }

    /// `MA0108.3` is version 3 of `MA0108`. `None` for identifiers of another make.
    pub fn base_and_version(&self) -> Option<(&str, u32)> {
        base_and_version(&self.id)
    }
}

/// Columns in reverse order, A exchanged with T and C with G.
pub(crate) fn reverse_complement<T: Copy>(columns: &[[T; 4]]) -> Vec<[T; 4]> {
    columns
        .iter()
        .rev()
        .map(|[a, c, g, t]| [*t, *g, *c, *a])
        .collect()
}

fn base_and_version(id: &str) -> Option<(&str, u32)> {
    let (base, version) = id.split_once('.')?;
    let (letters, digits) = base.split_at_checked(2)?;
    let jaspar = letters.bytes().all(|b| b.is_ascii_uppercase())
        && digits.len() >= 4
        && digits.bytes().all(|b| b.is_ascii_digit());
    Some((base, version.parse().ok().filter(|_| jaspar)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_stay_and_frequencies_become_counts() {
        let counts = vec![[3.0, 0.0, 1.0, 0.0], [0.0, 4.0, 0.0, 0.0]];
        let motif = Motif::new("a", "", counts.clone(), 20.0).unwrap();
        assert_eq!((motif.name.as_str(), &motif.counts), ("a", &counts));
        assert_eq!(
            Motif::new("a", "b", motif.frequencies(), 8.0)
                .unwrap()
                .counts,
            [[6.0, 0.0, 2.0, 0.0], [0.0, 8.0, 0.0, 0.0]]
        );
        let bits = motif.information_bits();
        assert!(
            (bits[0] - (2.0 + 0.75 * 0.75f64.log2() + 0.25 * 0.25f64.log2())).abs() < 1e-12
                && bits[1] == 2.0
        );
        assert_eq!(
            motif.reverse_complement().counts,
            [[0.0, 0.0, 4.0, 0.0], [0.0, 1.0, 0.0, 3.0]]
        );
    }

    #[test]
    fn what_is_no_matrix_is_refused() {
        for (columns, part) in [
            (vec![], "0 columns"),
            (vec![[1.0; 4]; 101], "101 columns"),
            (vec![[1.0, -0.5, 0.0, 0.0]], "log-odds"),
            (vec![[1.0, f64::NAN, 0.0, 0.0]], "log-odds"),
            (vec![[1.0; 4], [0.0; 4]], "column 2"),
            (vec![[f64::MAX; 4]], "column 1"),
        ] {
            let message = Motif::new("x", "", columns, 20.0).unwrap_err();
            assert!(message.contains(part), "{message}");
        }
        assert!(
            Motif::new("x", "", vec![[0.25; 4]], f64::MAX * 2.0).is_err(),
            "no end of sites"
        );
    }

    #[test]
    fn versions_of_jaspar() {
        assert_eq!(base_and_version("MA0108.3"), Some(("MA0108", 3)));
        for other in [
            "MA0108",
            "motif.1",
            "MA0108.x",
            "ma0108.1",
            "M00.1",
            "",
            "\u{e9}\u{e9}1234.1",
        ] {
            assert_eq!(base_and_version(other), None, "{other}");
        }
    }
}
