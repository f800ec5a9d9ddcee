//! `--regions`: all of a genome, contigs, or the lines of a BED file.

use crate::error::{Error, Result};
use crate::genome::contig_names::ContigNames;
use crate::genome::fasta::Genome;
use crate::genome::{Interval, bed, merge_intervals};
use std::collections::BTreeMap;
use std::path::Path;

/// What to read of each contig, by its number: intervals in order and apart.
pub fn read(genome: &Genome, text: &str) -> Result<BTreeMap<usize, Vec<Interval>>> {
    let contigs = genome.contigs();
    let names = ContigNames::new(contigs.iter().map(|contig| &contig.name));
    let find = |name: &str| {
        let lacks = || Error::Invalid(format!("--regions: the genome has no contig '{name}'; it has {}", names.examples()));
        names.find(name).ok_or_else(lacks)
    };
    let whole = |contig: usize| (contig, vec![Interval::new(0, contigs[contig].length_bp)]);
    let path = Path::new(text);
    if text == "all" {
        return Ok((0..contigs.len()).map(whole).collect());
    }
    if !path.is_file() {
        let list: Result<BTreeMap<usize, Vec<Interval>>> = text.split(',').map(|name| find(name.trim()).map(whole)).collect();
        let is_path = text.contains('/') || text.ends_with(".bed") || text.ends_with(".gz");
        return list.map_err(|e| if is_path { Error::Usage(format!("--regions {text}: no such file")) } else { e });
    }
    let mut regions: BTreeMap<usize, Vec<Interval>> = BTreeMap::new();
    for record in bed::read(path)? {
        let contig = find(&record.contig).map_err(|e| Error::file(path, e.to_string()))?;
        let length = contigs[contig].length_bp;
        if record.interval.end > length {
            let Interval { start, end } = record.interval;
            return Err(Error::file(path, format!("{}:{start}-{end} reaches beyond the contig, which has {length} bases", record.contig)));
        }
        if record.interval.len_bp() > 0 {
            regions.entry(contig).or_default().push(record.interval);
        }
    }
    if regions.is_empty() {
        return Err(Error::file(path, "holds no region: a line is contig, start and end"));
    }
    regions.values_mut().for_each(merge_intervals);
    Ok(regions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contigs_files_and_faults() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("g.fa"), ">chr1\nACGTACGT\n>chr2\nACG\n").unwrap();
        std::fs::write(at("r.bed"), "2\t1\t3\nchr1\t5\t8\nchr1\t0\t2\nchr1\t1\t4\nchr1\t8\t8\n").unwrap();
        std::fs::write(at("far.bed"), "chr2\t1\t4\n").unwrap();
        std::fs::write(at("none.bed"), "#\n").unwrap();
        let genome = Genome::open(at("g.fa")).unwrap();
        let of = |text: &str| read(&genome, text);
        let bed = |name: &str| of(at(name).to_str().unwrap());
        assert_eq!(of("all").unwrap(), BTreeMap::from([(0, vec![Interval::new(0, 8)]), (1, vec![Interval::new(0, 3)])]));
        assert_eq!(of("2").unwrap(), BTreeMap::from([(1, vec![Interval::new(0, 3)])]));
        let found = bed("r.bed").unwrap();
        assert_eq!(found, BTreeMap::from([(0, vec![Interval::new(0, 4), Interval::new(5, 8)]), (1, vec![Interval::new(1, 3)])]));
        for (error, part) in [
            (of("chr3"), "no contig 'chr3'; it has chr1, chr2"),
            (of("none/x.bed"), "no such file"),
            (bed("far.bed"), "chr2:1-4 reaches beyond"),
            (bed("none.bed"), "no region"),
        ] {
            let message = error.unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }
}
