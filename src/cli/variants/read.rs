//! Variants of files.

use crate::error::{Error, Result};
use crate::genome::fasta::Genome;
use crate::genome::vcf;
use crate::pipelines::variants::Allele;
use crate::tasks::read::{Sheet, sheet};
use std::collections::HashMap;
use std::path::Path;

/// What is read beside the alleles.
pub struct Names<'a> {
    /// Labels or effects.
    pub labels: Option<&'a str>,
    /// Groups.
    pub group: Option<&'a str>,
}

/// A label or an effect; `NaN` where there is none.
fn label(text: &str) -> Option<f64> {
    match text.trim() {
        "" | "." | "NA" | "nan" | "NaN" => Some(f64::NAN),
        text => text.parse().ok().filter(|value: &f64| value.is_finite()),
    }
}

fn no_number(path: &Path, line: u64, name: &str, value: &str) -> Error {
    let message = format!(
        "{name} '{value}' is no number: 0 and 1 for labels, or a measured effect; '.' for none"
    );
    Error::Parse {
        path: path.into(),
        line,
        message,
    }
}

fn empty(path: &Path) -> Error {
    Error::file(path, "holds no variants")
}

/// The alleles of a VCF.
///
/// # Errors
/// As [`vcf::read`]; one without variants; one in which no variant has a field that is asked for; a
/// label that is no number.
pub fn vcf(path: &Path, names: &Names<'_>) -> Result<Vec<Allele>> {
    let (mut alleles, mut record, mut missing) = (Vec::new(), 0, [names.labels, names.group]);
    vcf::read(path, &mut |found| {
        let of = |name: Option<&str>| name.and_then(|name| found.info(name));
        let (labels, group) = (of(names.labels), of(names.group));
        if labels.is_some() {
            missing[0] = None;
        }
        if group.is_some() {
            missing[1] = None;
        }
        let alternates = found.alternates();
        // One value an allele, or one for all.
        let values: Vec<&str> = labels
            .as_deref()
            .map_or(vec![], |labels| labels.split(',').collect());
        for (number, alternate) in (1..).zip(&alternates) {
            let value = if values.len() == alternates.len() {
                values[number - 1]
            } else {
                labels.as_deref().unwrap_or("")
            };
            alleles.push(Allele {
                record,
                number: number as u64,
                contig: found.contig(),
                first: found.first(),
                id: found.id(),
                reference: found.reference(),
                alternate: alternate.clone(),
                label: label(value).ok_or_else(|| {
                    no_number(path, found.line, names.labels.unwrap_or_default(), value)
                })?,
                group: group.clone().unwrap_or_default(),
            });
        }
        record += 1;
        Ok(())
    })?;
    match missing.into_iter().flatten().next() {
        _ if alleles.is_empty() => Err(empty(path)),
        Some(name) => Err(Error::file(
            path,
            format!("no variant has the INFO field {name}"),
        )),
        None => Ok(alleles),
    }
}

/// Names of columns that mean the same.
const CONTIG: [&str; 4] = ["chrom", "#chrom", "chr", "contig"];
const POSITION: [&str; 2] = ["pos", "position"];
const REFERENCE: [&str; 2] = ["ref", "reference"];
const ALTERNATE: [&str; 3] = ["alt", "alternate", "alternative"];

/// The alleles of a table, and its own sequences where it has a column of these.
///
/// # Errors
/// An unreadable file, one without a column that is needed, one without variants; a position or
/// label that is no number; two sequences of one name.
pub fn table(path: &Path, names: &Names<'_>) -> Result<(Option<Genome>, Vec<Allele>)> {
    let Sheet {
        names: columns,
        rows,
    } = sheet(path)?;
    let wrong = |line: u64, message: String| Error::Parse {
        path: path.into(),
        line,
        message,
    };
    let find = |wanted: &[&str]| {
        columns
            .iter()
            .position(|name| wanted.contains(&name.to_ascii_lowercase().as_str()))
    };
    let needed = |wanted: &[&str]| {
        find(wanted).ok_or_else(|| {
            wrong(
                1,
                format!("no column '{}' among {}", wanted[0], columns.join(", ")),
            )
        })
    };
    let named = |name: Option<&str>| -> Result<Option<usize>> {
        let place = |name: &str| columns.iter().position(|column| column == name);
        name.map(|name| {
            place(name).ok_or_else(|| {
                wrong(
                    1,
                    format!("no column '{name}' among {}", columns.join(", ")),
                )
            })
        })
        .transpose()
    };
    let sequence = find(&["sequence"]);
    let contig = if sequence.is_some() {
        find(&CONTIG)
    } else {
        Some(needed(&CONTIG)?)
    };
    let (position, reference, alternate, id) = (
        needed(&POSITION)?,
        needed(&REFERENCE)?,
        needed(&ALTERNATE)?,
        find(&["id"]),
    );
    let (labels, group) = (named(names.labels)?, named(names.group)?);
    let mut own = OwnSequences::default();
    let mut alleles = Vec::with_capacity(rows.len());
    for (record, (line, fields)) in (0..).zip(&rows) {
        let field = |place: Option<usize>| place.map_or("", |place| fields[place].as_str());
        let contig = match sequence {
            Some(place) => own
                .name(field(contig), &fields[place])
                .map_err(|message| wrong(*line, message))?,
            None => field(contig).into(),
        };
        let text = &fields[position];
        let value = field(labels);
        alleles.push(Allele {
            record,
            number: 1,
            contig,
            first: text.parse().map_err(|_| {
                wrong(
                    *line,
                    format!("{} '{text}' is no number", columns[position]),
                )
            })?,
            id: field(id).into(),
            reference: fields[reference].clone(),
            alternate: fields[alternate].clone(),
            label: label(value)
                .ok_or_else(|| no_number(path, *line, names.labels.unwrap_or_default(), value))?,
            group: field(group).into(),
        });
    }
    if alleles.is_empty() {
        return Err(empty(path));
    }
    let own = sequence
        .map(|_| Genome::of_sequences(path, own.all))
        .transpose()?;
    Ok((own, alleles))
}

/// Sequences of a table, each once.
#[derive(Default)]
struct OwnSequences {
    all: Vec<(String, Vec<u8>)>,
    by_letters: HashMap<String, String>,
    by_name: HashMap<String, usize>,
}

impl OwnSequences {
    /// The name of a sequence; one without a name gets a number.
    fn name(&mut self, name: &str, letters: &str) -> std::result::Result<String, String> {
        if let Some(other) = letters.chars().find(|c| !c.is_ascii_alphabetic()) {
            return Err(format!("'{other}' in the sequence is no nucleotide"));
        }
        if name.is_empty() {
            if let Some(name) = self.by_letters.get(letters) {
                return Ok(name.clone());
            }
            let name = format!("sequence_{}", self.all.len() + 1);
            self.by_letters.insert(letters.into(), name.clone());
            self.all.push((name.clone(), letters.into()));
            return Ok(name);
        }
        match self.by_name.get(name) {
            Some(place) if self.all[*place].1 == letters.as_bytes() => Ok(name.into()),
            Some(_) => Err(format!("'{name}' has another sequence in a line above")),
            None => {
                self.by_name.insert(name.into(), self.all.len());
                self.all.push((name.into(), letters.into()));
                Ok(name.into())
            }
        }
    }
}
