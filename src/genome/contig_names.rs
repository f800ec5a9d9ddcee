//! One chromosome, several names: `chr1`, `1`, `NC_000001.11`. Maps the names of an annotation to
//! those of a genome.

use std::collections::{BTreeSet, HashMap};

use crate::error::{Error, Result};

/// Accessions of a species' chromosomes without their version: one number after another.
struct Accessions {
    prefix: &'static str,
    first: u32,
    /// The assemblies, each with its versions in order.
    versions: &'static [(&'static str, &'static [u32])],
    names: &'static [&'static str],
}

const OF_HUMAN: &[&str] = &[
    "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16", "17",
    "18", "19", "20", "21", "22", "X", "Y",
];

const OF_MOUSE: &[&str] = &[
    "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16", "17",
    "18", "19", "X", "Y",
];

/// RefSeq's (`NC_`) and GenBank's (`CM`).
const ACCESSIONS: [Accessions; 4] = [
    Accessions {
        prefix: "NC_",
        first: 1,
        versions: &[
            (
                "GRCh38",
                &[
                    11, 12, 12, 12, 10, 12, 14, 11, 12, 11, 10, 12, 11, 9, 10, 10, 11, 10, 10, 11,
                    9, 11, 11, 10,
                ],
            ),
            (
                "GRCh37",
                &[
                    10, 11, 11, 11, 9, 11, 13, 10, 11, 10, 9, 11, 10, 8, 9, 9, 10, 9, 9, 10, 8, 10,
                    10, 9,
                ],
            ),
        ],
        names: OF_HUMAN,
    },
    Accessions {
        prefix: "CM",
        first: 663,
        versions: &[("GRCh38", &[2; 24]), ("GRCh37", &[1; 24])],
        names: OF_HUMAN,
    },
    Accessions {
        prefix: "NC_",
        first: 67,
        versions: &[
            (
                "GRCm39",
                &[
                    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 8,
                ],
            ),
            (
                "GRCm38",
                &[
                    6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 7, 7,
                ],
            ),
        ],
        names: OF_MOUSE,
    },
    Accessions {
        prefix: "CM",
        first: 994,
        versions: &[("GRCm39", &[3; 21]), ("GRCm38", &[2; 21])],
        names: OF_MOUSE,
    },
];

/// dm6 and the mitochondria of human and mouse: accession, chromosome, assembly.
const SINGLE: &[(&str, &str, &str)] = &[
    ("NC_004354.4", "X", "dm6"),
    ("NT_033779.5", "2L", "dm6"),
    ("NT_033778.4", "2R", "dm6"),
    ("NT_037436.4", "3L", "dm6"),
    ("NT_033777.3", "3R", "dm6"),
    ("NC_004353.4", "4", "dm6"),
    ("NC_024512.1", "Y", "dm6"),
    ("NC_024511.2", "MT", "dm6"),
    ("AE014298.5", "X", "dm6"),
    ("AE014134.6", "2L", "dm6"),
    ("AE013599.5", "2R", "dm6"),
    ("AE014296.5", "3L", "dm6"),
    ("AE014297.3", "3R", "dm6"),
    ("AE014135.4", "4", "dm6"),
    ("CP007106.1", "Y", "dm6"),
    ("KJ947872.2", "MT", "dm6"),
    ("NC_012920.1", "MT", "human"),
    ("J01415.2", "MT", "human"),
    ("NC_005089.1", "MT", "mouse"),
    ("AY172335.1", "MT", "mouse"),
];

/// The chromosome an accession stands for, without `chr` (`MT` for mitochondria), and its assembly:
/// GRCh38/37, GRCm39/38 and dm6.
fn known(accession: &str) -> Option<(&'static str, &'static str)> {
    if let Some((_, name, assembly)) = SINGLE.iter().find(|(single, _, _)| *single == accession) {
        return Some((name, assembly));
    }
    ACCESSIONS.iter().find_map(|family| {
        let (number, version) = accession.strip_prefix(family.prefix)?.split_once('.')?;
        let (digits, number, version): (usize, u32, u32) =
            (number.len(), number.parse().ok()?, version.parse().ok()?);
        let index = number.checked_sub(family.first).filter(|_| digits == 6)? as usize;
        let (assembly, _) = family
            .versions
            .iter()
            .find(|(_, versions)| versions.get(index) == Some(&version))?;
        Some((*family.names.get(index)?, *assembly))
    })
}

/// A name without what NCBI's tools put around it: `chr1` of `lcl|chr1`, `NC_001422.1` of
/// `gi|9626372|ref|NC_001422.1|`.
fn plain(name: &str) -> &str {
    name.trim_end_matches('|')
        .rsplit('|')
        .next()
        .unwrap_or(name)
}

/// What two names of one chromosome share: accessions become the chromosome's name, a leading `chr`
/// goes, `M` becomes `MT`, in lower case.
fn key(name: &str) -> String {
    let name = plain(name);
    let bare = match (known(name), name.get(..3)) {
        (Some((chromosome, _)), _) => chromosome,
        (None, Some(prefix)) if prefix.eq_ignore_ascii_case("chr") && name.len() > 3 => &name[3..],
        _ => name,
    };
    if bare.eq_ignore_ascii_case("M") {
        "mt".into()
    } else {
        bare.to_ascii_lowercase()
    }
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
        let genome: Vec<String> = genome
            .into_iter()
            .map(|name| name.as_ref().to_string())
            .collect();
        let mut exact = HashMap::new();
        let mut by_key: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, name) in genome.iter().enumerate() {
            exact.insert(name.clone(), index);
            by_key.entry(key(name)).or_default().push(index);
        }
        ContigNames {
            genome,
            exact,
            by_key,
        }
    }

    /// The genome contig that `name` means: the same name, or the one contig that is the same
    /// chromosome under another convention. Accessions of two assemblies are of two chromosomes.
    pub fn find(&self, name: &str) -> Option<usize> {
        if let Some(index) = self.exact.get(name) {
            return Some(*index);
        }
        let assembly = |name: &str| known(plain(name)).map(|(_, assembly)| assembly);
        let [index] = self.by_key.get(&key(name))?[..] else {
            return None;
        };
        let pair = assembly(name).zip(assembly(&self.genome[index]));
        pair.is_none_or(|(one, other)| one == other)
            .then_some(index)
    }

    /// The first names of the genome, for messages.
    pub fn examples(&self) -> String {
        examples(self.genome.iter().map(String::as_str))
    }

    /// Says that a contig is not among them.
    pub fn lacks(&self, name: &str) -> String {
        format!(
            "the genome has no contig '{name}'; it has {}",
            self.examples()
        )
    }

    /// Maps every annotation contig to a genome contig, or to `None`. Two annotation names for one
    /// genome contig both map to it.
    ///
    /// # Errors
    /// [`Error::Invalid`] when there are annotation contigs and none matches: nothing could be
    /// analysed, and silence would hide it.
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
    if more == 0 {
        shown.join(", ")
    } else {
        format!("{} and {more} more", shown.join(", "))
    }
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
            ("CHR1", Some(0)),
            ("CM000663.2", Some(0)),
            ("CM000663.9", None),
            ("CM000685.2", Some(1)),
            ("AE014135.4", Some(3)),
            ("CM000666.2", None),
            ("lcl|scaffold_7", Some(4)),
            ("gi|1|ref|NC_004353.4|", Some(3)),
            ("|", None),
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
        let error = names
            .map_annotation(&["ctgA".to_string()])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("ctgA") && error.contains("chr1, chr2"),
            "{error}"
        );
        assert_eq!(
            names.map_annotation(&["ctgA".into(), "2".into()]).unwrap(),
            [None, Some(1)]
        );
        assert!(names.map_annotation(&[]).unwrap().is_empty());
    }

    #[test]
    fn assemblies_are_told_apart() {
        let names = ContigNames::new(["NC_000001.11", "CM000664.2", "lcl|chrT"]);
        let found = [
            "CM000663.2",
            "CM000663.1",
            "NC_000001.10",
            "NC_000002.12",
            "NC_000002.11",
            "chrt",
            "T",
        ]
        .map(|name| names.find(name));
        assert_eq!(
            found,
            [Some(0), None, None, Some(1), None, Some(2), Some(2)]
        );
    }

    #[test]
    fn every_table_row_has_a_name() {
        for family in ACCESSIONS {
            for (assembly, versions) in family.versions {
                assert_eq!(
                    versions.len(),
                    family.names.len(),
                    "{} {assembly}",
                    family.prefix
                );
            }
        }
    }
}
