//! Sequences cut from genomes by coordinates: `id,region,start,end,strand`, 0-based and half-open,
//! as Genomic Benchmarks keeps them.

use super::read::{self, TableSource};
use crate::error::{Error, Result};
use crate::genome::Strand;
use crate::genome::contig_names::ContigNames;
use crate::genome::fasta::Genome;
use crate::genome::sequence::model_letters;
use std::path::Path;

/// One cut sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Its name in the file.
    pub name: String,
    /// Its letters, on its strand.
    pub sequence: Vec<u8>,
}

/// Cuts the regions of a file from a genome, in file order.
///
/// # Errors
/// A file without these columns, a strand that is none, a region that the genome does not have or
/// that reaches beyond it; each names the line.
pub fn cut(path: &Path, genome: &Genome) -> Result<Vec<Cut>> {
    let table = read::table(
        &TableSource::File(path.to_path_buf()),
        &["id", "region", "start", "end", "strand"],
    )?;
    let names = ContigNames::new(genome.contigs().iter().map(|contig| contig.name.as_str()));
    let wrong = |line: u64, message: String| Error::Parse {
        path: path.to_path_buf(),
        line,
        message,
    };
    let mut by_contig: Vec<Vec<usize>> = vec![Vec::new(); genome.contigs().len()];
    for (number, (line, fields)) in table.iter().enumerate() {
        let contig = names.find(&fields[1]).ok_or_else(|| {
            wrong(
                *line,
                format!(
                    "region '{}' is not in {}; it has {}",
                    fields[1],
                    genome.path().display(),
                    names.examples()
                ),
            )
        })?;
        by_contig[contig].push(number);
    }
    let mut cuts = vec![
        Cut {
            name: String::new(),
            sequence: Vec::new()
        };
        table.len()
    ];
    for (contig, rows) in genome
        .contigs()
        .iter()
        .zip(by_contig)
        .filter(|(_, rows)| !rows.is_empty())
    {
        let letters = genome.read_contig(&contig.name)?;
        for row in rows {
            let (line, fields) = &table[row];
            let number = |text: &str| {
                text.parse::<usize>().map_err(|_| {
                    wrong(
                        *line,
                        format!("'{text}' is no position: a whole number from 0"),
                    )
                })
            };
            let (start, end) = (number(&fields[2])?, number(&fields[3])?);
            let strand = match fields[4].as_str() {
                "+" => Strand::Plus,
                "-" => Strand::Minus,
                other => return Err(wrong(*line, format!("strand '{other}': + or -"))),
            };
            let bases = letters.get(start..end).filter(|bases| !bases.is_empty()).ok_or_else(|| {
                wrong(
                    *line,
                    format!(
                        "{start} to {end} is no stretch of {}, which has {} bases: is this the right assembly?",
                        contig.name,
                        letters.len()
                    ),
                )
            })?;
            cuts[row] = Cut {
                name: fields[0].clone(),
                sequence: model_letters(bases, strand),
            };
        }
    }
    Ok(cuts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_cut_on_their_strand_and_wrong_ones_named() {
        let folder = tempfile::tempdir().unwrap();
        let genome = folder.path().join("g.fa");
        std::fs::write(&genome, ">1\nAACCGGTTNN\n>2\nacgt\n").unwrap();
        let genome = Genome::open(&genome).unwrap();
        let path = folder.path().join("positive.csv");
        let cut = |text: &str| {
            std::fs::write(&path, format!("id,region,start,end,strand\n{text}")).unwrap();
            cut(&path, &genome)
        };
        let found = cut("7,chr2,0,3,+\n8,chr1,1,5,-\n9,1,6,10,+\n").unwrap();
        let found: Vec<(&str, &[u8])> = found
            .iter()
            .map(|cut| (cut.name.as_str(), cut.sequence.as_slice()))
            .collect();
        assert_eq!(found, [("7", &b"ACG"[..]), ("8", b"CGGT"), ("9", b"TTNN")]);
        for (text, part) in [
            ("1,chr9,0,1,+\n", ":2: region 'chr9' is not in"),
            ("1,1,0,1,+\n2,2,2,5,+\n", ":3: 2 to 5 is no stretch of 2"),
            ("1,1,3,3,+\n", "3 to 3 is no stretch"),
            ("1,1,-1,3,+\n", "'-1' is no position"),
            ("1,1,0,3,*\n", "strand '*'"),
        ] {
            let message = cut(text).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
        std::fs::write(&path, "id,region,start,end\n").unwrap();
        assert!(
            super::cut(&path, &genome)
                .unwrap_err()
                .to_string()
                .contains("no column 'strand'")
        );
    }
}
