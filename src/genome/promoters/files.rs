//! Promoters from files: BED regions and EPD's `.fps`.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::{Candidate, Dropped, Promoters, Window};
use crate::error::{Error, Result};
use crate::genome::contig_names::{ContigNames, examples};
use crate::genome::fasta::Contig;
use crate::genome::{Interval, Strand};

/// What the regions of a BED file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BedAnchor {
    /// The promoters themselves, as they are (ATAC peaks); they need no strand.
    Region,
    /// Clusters of starts: the 5' end of each, on its strand, is the start site (refTSS, CAGE peaks).
    FivePrime(Window),
    /// The 5' end of the thick part is the start site (EPDnew, FANTOM).
    Thick(Window),
}

/// One line of either format: contig, strand, start site or region, name.
struct Row<'a> {
    contig: &'a str,
    strand: Option<Strand>,
    place: Place,
    name: &'a str,
}

enum Place {
    Region(Interval),
    Tss(usize, Window),
}

/// Reads a BED file, plain or gzip: 3 columns or more, separated by tabs or spaces; `track`, `browser` and `#` lines are passed over.
///
/// # Errors
/// An unreadable file; [`Error::Parse`] with the line where columns are missing, a position is no number, a region is empty or a strand is
/// none of `+`, `-` and `.`; no region; no region on a contig of the genome.
pub fn read_bed(path: &Path, contigs: &[Contig], anchor: BedAnchor) -> Result<Promoters> {
    read(path, contigs, |line| {
        let columns: Vec<&str> = if line.contains('\t') { line.split('\t').collect() } else { line.split_whitespace().collect() };
        if matches!(columns[0].split_whitespace().next(), Some("track" | "browser")) {
            return Ok(None);
        }
        let region = |from: usize| {
            let [start, end] = [from, from + 1].map(|column| columns.get(column).map_or("", |text| text.trim()));
            let number = |text: &str| text.parse::<usize>().map_err(|_| format!("'{text}' is no position"));
            match (number(start)?, number(end)?) {
                (start, end) if start < end => Ok(Interval::new(start, end)),
                _ => Err(format!("the region {start}-{end} is empty")),
            }
        };
        let strand = match columns.get(5).map_or(".", |text| text.trim()) {
            "+" => Some(Strand::Plus),
            "-" => Some(Strand::Minus),
            "." => None,
            other => return Err(format!("the strand '{other}' is none of + - .")),
        };
        let five_prime = |region: Interval| if strand == Some(Strand::Minus) { region.end } else { region.start };
        let place = match anchor {
            BedAnchor::Region => Place::Region(region(1)?),
            BedAnchor::FivePrime(window) => Place::Tss(five_prime(region(1)?), window),
            BedAnchor::Thick(_) if columns.len() < 8 => return Err(format!("{} columns; a thick part takes 8", columns.len())),
            BedAnchor::Thick(window) => Place::Tss(five_prime(region(6)?), window),
        };
        Ok(Some(Row { contig: columns[0], strand, place, name: columns.get(3).map_or("", |text| text.trim()) }))
    })
}

/// Reads start sites of the Eukaryotic Promoter Database (`FP` lines: name, sequence, strand, 1-based position of the first transcribed
/// base).
///
/// # Errors
/// As [`read_bed`].
pub fn read_fps(path: &Path, contigs: &[Contig], window: Window) -> Result<Promoters> {
    read(path, contigs, |line| {
        let Some(rest) = line.strip_prefix("FP").filter(|rest| rest.starts_with(' ')) else { return Ok(None) };
        // FP   NOC2L_1             :+U  EU:NC_000001.11      1-    959256;     1.
        let mut words = rest.split_whitespace();
        let name = words.next().unwrap_or_default().split(':').next().unwrap_or_default();
        let mut words = words.skip_while(|word| word.starts_with(':') || !word.contains(':'));
        let contig = words.next().and_then(|word| word.split_once(':')).map(|(_, contig)| contig).ok_or("no sequence after the name")?;
        let (place, rest): (&str, Vec<&str>) = (words.next().unwrap_or_default(), words.collect());
        let strand = match place.chars().last() {
            Some('+') => Strand::Plus,
            Some('-') => Strand::Minus,
            _ => return Err(format!("'{place}' does not end with a strand")),
        };
        let position = rest.first().map_or("", |text| text.trim_end_matches(';'));
        let first_base = position.parse::<usize>().ok().and_then(|position| position.checked_sub(1));
        let first_base = first_base.ok_or_else(|| format!("'{position}' is no position; they count from 1"))?;
        // On minus the first transcribed base lies left of the inter-base position before it.
        let tss = if strand == Strand::Plus { first_base } else { first_base + 1 };
        Ok(Some(Row { contig, strand: Some(strand), place: Place::Tss(tss, window), name }))
    })
}

fn read(
    path: &Path,
    contigs: &[Contig],
    row: impl for<'a> Fn(&'a str) -> std::result::Result<Option<Row<'a>>, String>,
) -> Result<Promoters> {
    let mut bytes = Vec::new();
    File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)).map_err(Error::io(path))?;
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut unpacked = Vec::new();
        flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_end(&mut unpacked).map_err(Error::io(path))?;
        bytes = unpacked;
    }
    let text = String::from_utf8_lossy(&bytes);
    let names = ContigNames::new(contigs.iter().map(|contig| &contig.name));
    let (mut found, mut seen, mut on_genome) = (Promoters::default(), Vec::new(), false);
    for (index, line) in text.lines().enumerate().map(|(index, line)| (index, line.trim_end())) {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let parsed = row(line).map_err(|message| Error::Parse { path: path.into(), line: index as u64 + 1, message })?;
        let Some(row) = parsed else { continue };
        let contig = names.find(row.contig).ok_or(Dropped::ContigNotInGenome);
        on_genome |= contig.is_ok();
        seen.push(row.contig.to_string());
        let (contig, tss, window) = match row.place {
            Place::Region(region) => (contig, None, Some(region)),
            Place::Tss(tss, window) => match row.strand {
                Some(strand) => (contig, Some(tss), window.around(tss, strand)),
                None => (contig.and(Err(Dropped::NoStrand)), Some(tss), None),
            },
        };
        let unnamed = window.map_or(String::new(), |window| format!("{}:{}-{}", row.contig, window.start, window.end));
        let id = if matches!(row.name, "" | ".") { unnamed.as_str() } else { row.name };
        found.take(contigs, Candidate { id, gene: "", contig, strand: row.strand, tss, window });
    }
    if seen.is_empty() {
        return Err(Error::file(path, "no regions: is this a BED or EPD file?"));
    }
    if !on_genome {
        let theirs = examples(seen.iter().map(String::as_str));
        return Err(Error::file(path, format!("none of its contigs ({theirs}) is in the genome ({})", names.examples())));
    }
    found.finish(true);
    Ok(found)
}
