//! `--regions`: all of a genome, contigs, or the lines of a BED file.

use crate::error::{Error, Result};
use crate::genome::bed::{self, BedRecord};
use crate::genome::contig_names::ContigNames;
use crate::genome::fasta::Genome;
use crate::genome::{Interval, merge_intervals};
use std::collections::BTreeMap;
use std::path::Path;

/// What to read of each contig, by its number: intervals in order and apart.
pub fn read(genome: &Genome, text: &str) -> Result<BTreeMap<usize, Vec<Interval>>> {
    let contigs = genome.contigs();
    let names = ContigNames::new(contigs.iter().map(|contig| &contig.name));
    let find = |name: &str| names.find(name).ok_or_else(|| names.lacks(name));
    let whole = |contig: usize| (contig, vec![Interval::new(0, contigs[contig].length_bp)]);
    let path = Path::new(text);
    if text == "all" {
        return Ok((0..contigs.len()).map(whole).collect());
    }
    if !is_file(text) {
        let list: std::result::Result<_, String> = text
            .split(',')
            .map(|name| find(name.trim()).map(whole))
            .collect();
        let is_path = text.contains('/') || text.ends_with(".bed") || text.ends_with(".gz");
        return list.map_err(|lacks| match is_path {
            true => Error::Usage(format!("--regions {text}: no such file")),
            false => Error::Invalid(format!("--regions: {lacks}")),
        });
    }
    let mut regions: BTreeMap<usize, Vec<Interval>> = BTreeMap::new();
    for BedRecord {
        line,
        contig: name,
        interval: Interval { start, end },
        ..
    } in bed::read(path)?
    {
        let wrong = |message: String| Error::Parse {
            path: path.into(),
            line,
            message,
        };
        let contig = find(&name).map_err(wrong)?;
        let length = contigs[contig].length_bp;
        if end > length {
            return Err(wrong(format!(
                "{name}:{start}-{end} reaches beyond the contig, which has {length} bases"
            )));
        }
        if start == end {
            return Err(wrong(format!("the region {name}:{start}-{end} is empty")));
        }
        regions
            .entry(contig)
            .or_default()
            .push(Interval { start, end });
    }
    if regions.is_empty() {
        return Err(Error::file(
            path,
            "holds no region: a line is contig, start and end",
        ));
    }
    regions.values_mut().for_each(merge_intervals);
    Ok(regions)
}

/// Whether `--regions` names a file, or a pipe.
pub fn is_file(text: &str) -> bool {
    text != "all"
        && Path::new(text)
            .metadata()
            .is_ok_and(|about| !about.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contigs_files_and_faults() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("g.fa"), ">chr1\nACGTACGT\n>chr2\nACG\n").unwrap();
        std::fs::write(at("r.bed"), "2\t1\t3\nchr1\t5\t8\nchr1\t0\t2\nchr1\t1\t4\n").unwrap();
        std::fs::write(at("far.bed"), "chr2\t1\t4\n").unwrap();
        std::fs::write(at("none.bed"), "#\n").unwrap();
        std::fs::write(at("empty.bed"), "chr1\t1\t4\nchr1\t8\t8\n").unwrap();
        std::fs::write(at("other.bed"), "#\nchr9\t1\t4\n").unwrap();
        let genome = Genome::open(at("g.fa")).unwrap();
        let of = |text: &str| read(&genome, text);
        let bed = |name: &str| of(at(name).to_str().unwrap());
        assert_eq!(
            of("all").unwrap(),
            BTreeMap::from([
                (0, vec![Interval::new(0, 8)]),
                (1, vec![Interval::new(0, 3)])
            ])
        );
        assert_eq!(
            of("2").unwrap(),
            BTreeMap::from([(1, vec![Interval::new(0, 3)])])
        );
        let found = bed("r.bed").unwrap();
        assert_eq!(
            found,
            BTreeMap::from([
                (0, vec![Interval::new(0, 4), Interval::new(5, 8)]),
                (1, vec![Interval::new(1, 3)])
            ])
        );
        for (error, part) in [
            (of("chr3"), "no contig 'chr3'; it has chr1, chr2"),
            (of("none/x.bed"), "no such file"),
            (bed("far.bed"), "far.bed:1: chr2:1-4 reaches beyond"),
            (
                bed("empty.bed"),
                "empty.bed:2: the region chr1:8-8 is empty",
            ),
            (
                bed("other.bed"),
                "other.bed:2: the genome has no contig 'chr9'; it has chr1, chr2",
            ),
            (bed("none.bed"), "no region"),
        ] {
            let message = error.unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }
}
