//! One chromosome, several names: `chr1`, `1`, `NC_000001.11`. Maps the names of an annotation to those of a genome.

use std::collections::{BTreeSet, HashMap};

use crate::error::{Error, Result};

/// RefSeq accessions without their version, per assembly family: (prefix, first number, versions in order, names in order).
struct Accessions {
    first: u32,
    versions: &'static [&'static [u32]],
    names: &'static [&'static str],
}

const HUMAN: Accessions = Accessions {
    first: 1,
    versions: &[
        // GRCh38, then GRCh37; X is NC_000023 and Y NC_000024.
        &[11, 12, 12, 12, 10, 12, 14, 11, 12, 11, 10, 12, 11, 9, 10, 10, 11, 10, 10, 11, 9, 11, 11, 10],
        &[10, 11, 11, 11, 9, 11, 13, 10, 11, 10, 9, 11, 10, 8, 9, 9, 10, 9, 9, 10, 8, 10, 10, 9],
    ],
    names: &[
        "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16", "17", "18", "19", "20", "21", "22", "X", "Y",
    ],
};

const MOUSE: Accessions = Accessions {
    first: 67,
    versions: &[
        // GRCm39, then GRCm38.
        &[7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 8],
        &[6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 7, 7],
    ],
    names: &["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16", "17", "18", "19", "X", "Y"],
};

/// dm6 and the mitochondria of human, mouse and fly.
const SINGLE: &[(&str, &str)] = &[
    ("NC_004354.4", "X"),
    ("NT_033779.5", "2L"),
    ("NT_033778.4", "2R"),
    ("NT_037436.4", "3L"),
    ("NT_033777.3", "3R"),
    ("NC_004353.4", "4"),
    ("NC_024512.1", "Y"),
    ("NC_024511.2", "MT"),
    ("NC_012920.1", "MT"),
    ("NC_005089.1", "MT"),
];

/// The chromosome a RefSeq accession stands for, without `chr` (`MT` for mitochondria), for GRCh38/37, GRCm39/38 and dm6.
pub fn refseq_chromosome(accession: &str) -> Option<&'static str> {
    if let Some((_, name)) = SINGLE.iter().find(|(a, _)| *a == accession) {
        return Some(name);
    }
    let (number, version) = accession.strip_prefix("NC_")?.split_once('.')?;
    if number.len() != 6 {
        return None;
    }
    let (number, version): (u32, u32) = (number.parse().ok()?, version.parse().ok()?);
    for family in [&HUMAN, &MOUSE] {
        let Some(index) = number.checked_sub(family.first).map(|i| i as usize).filter(|i| *i < family.names.len()) else {
            continue;
        };
        if family.versions.iter().any(|versions| versions.get(index) == Some(&version)) {
            return Some(family.names[index]);
        }
    }
    None
}

/// What two names of one chromosome share: accessions become the chromosome's name, a leading `chr` goes, `M` becomes `MT`.
fn key(name: &str) -> &str {
    if let Some(chromosome) = refseq_chromosome(name) {
        return chromosome;
    }
    let bare = match name.get(..3) {
        Some(prefix) if prefix.eq_ignore_ascii_case("chr") && name.len() > 3 => &name[3..],
        _ => name,
    };
    if bare == "M" { "MT" } else { bare }
}

/// Looks names up among the contigs of a genome.
#[derive(Clone, Debug)]
pub struct ContigNames {
    genome: Vec<String>,
    exact: HashMap<String, usize>,
    by_key: HashMap<String, Vec<usize>>,
}

impl ContigNames {
    /// For the contigs of a genome, in its order.
    pub fn new<S: AsRef<str>>(genome: impl IntoIterator<Item = S>) -> ContigNames {
        let genome: Vec<String> = genome.into_iter().map(|name| name.as_ref().to_string()).collect();
        let mut exact = HashMap::new();
        let mut by_key: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, name) in genome.iter().enumerate() {
            exact.insert(name.clone(), index);
            by_key.entry(key(name).to_string()).or_default().push(index);
        }
        ContigNames { genome, exact, by_key }
    }

    /// The genome contig that `name` means: the same name, or the one contig that is the same chromosome under another convention.
    /// Two RefSeq accessions are the same chromosome of the same assembly only when they are equal.
    pub fn find(&self, name: &str) -> Option<usize> {
        if let Some(index) = self.exact.get(name) {
            return Some(*index);
        }
        match self.by_key.get(key(name))?.as_slice() {
            [index] if refseq_chromosome(name).is_none() || refseq_chromosome(&self.genome[*index]).is_none() => Some(*index),
            _ => None,
        }
    }

    /// The first names of the genome, for messages.
    pub fn examples(&self) -> String {
        examples(self.genome.iter().map(String::as_str))
    }

    /// Says that a contig is not among them.
    pub fn lacks(&self, name: &str) -> String {
        format!("the genome has no contig '{name}'; it has {}", self.examples())
    }

    /// Maps every annotation contig to a genome contig, or to `None`. Two annotation names for one genome contig both map to it.
    ///
    /// # Errors
    /// [`Error::Invalid`] when there are annotation contigs and none matches: nothing could be analysed, and silence would hide it.
    pub fn map_annotation(&self, annotation: &[String]) -> Result<Vec<Option<usize>>> {
        let map: Vec<Option<usize>> = annotation.iter().map(|name| self.find(name)).collect();
        if !annotation.is_empty() && map.iter().all(Option::is_none) {
            return Err(Error::Invalid(format!(
                "no contig of the annotation ({}) is in the genome ({}); use a genome and an annotation of the same assembly, or rename the contigs of one",
                examples(annotation.iter().map(String::as_str)),
                self.examples(),
            )));
        }
        Ok(map)
    }
}

/// The first five names, and how many more there are.
pub fn examples<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: BTreeSet<&str> = names.collect();
    let shown: Vec<&str> = names.iter().take(5).copied().collect();
    let more = names.len() - shown.len();
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conventions_meet() {
        let names = ContigNames::new(["chr1", "chrX", "chrM", "NC_004353.4", "scaffold_7"]);
        let table = [
            ("chr1", Some(0)),
            ("1", Some(0)),
            ("NC_000001.11", Some(0)),
            ("NC_000001.10", Some(0)),
            ("NC_000067.7", Some(0)),
            ("NC_000001.9", None),
            ("NC_000023.11", Some(1)),
            ("MT", Some(2)),
            ("NC_012920.1", Some(2)),
            ("chr4", Some(3)),
            ("4", Some(3)),
            ("NC_000004.12", None), // human chromosome 4 is not fly chromosome 4
            ("scaffold_7", Some(4)),
            ("chr2", None),
            ("", None),
            ("chr", None),
        ];
        for (name, expected) in table {
            assert_eq!(names.find(name), expected, "{name}");
        }
    }

    #[test]
    fn an_ambiguous_name_is_not_guessed() {
        let names = ContigNames::new(["chr1", "1"]);
        assert_eq!(names.find("1"), Some(1));
        assert_eq!(names.find("NC_000001.11"), None);
    }

    #[test]
    fn no_match_at_all_shows_both_sides() {
        let names = ContigNames::new(["chr1", "chr2"]);
        let error = names.map_annotation(&["ctgA".to_string()]).unwrap_err().to_string();
        assert!(error.contains("ctgA") && error.contains("chr1, chr2"), "{error}");
        assert_eq!(names.map_annotation(&["ctgA".into(), "2".into()]).unwrap(), [None, Some(1)]);
        assert!(names.map_annotation(&[]).unwrap().is_empty());
    }

    #[test]
    fn every_table_row_has_a_name() {
        for family in [&HUMAN, &MOUSE] {
            for versions in family.versions {
                assert_eq!(versions.len(), family.names.len());
            }
        }
    }
}
