//! Promoters from files: BED regions and EPD's `.fps`.

use std::path::Path;

use super::{Candidate, Dropped, Promoters, Window};
use crate::error::{Error, Result};
use crate::genome::contig_names::{ContigNames, examples};
use crate::genome::fasta::Contig;
use crate::genome::text::{self, Lines, printable};
use crate::genome::{Interval, Strand, bed};

/// What the regions of a BED file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BedAnchor {
    /// The promoters themselves, as they are (ATAC peaks); they need no strand.
    Region,
    /// Clusters of starts: the 5' end of each, on its strand, is the start site (refTSS, CAGE
    /// peaks).
    FivePrime(Window),
    /// The 5' end of the thick part is the start site (EPDnew, FANTOM).
    Thick(Window),
}

/// One line of either format: contig, strand, start site or region, name.
struct Row {
    contig: String,
    strand: Option<Strand>,
    place: Located,
    name: String,
}

enum Located {
    Region(Interval),
    Tss(usize, Window),
}

/// Reads a BED file, plain or gzip: 3 columns or more, separated by tabs or spaces; `track`,
/// `browser` and `#` lines are passed over.
///
/// # Errors
/// An unreadable file; [`Error::Parse`] with the line where columns are missing, a position is no
/// number, a region is empty or ends before it starts, or a strand is none of `+`, `-` and `.`; no
/// region; no region on a contig of the genome.
pub fn read_bed(path: &Path, contigs: &[Contig], anchor: BedAnchor) -> Result<Promoters> {
    let mut rows = Vec::new();
    bed::each(path, |_, columns| {
        let region = |from: usize| match columns.interval(from)? {
            Interval { start, end } if start == end => {
                Err(format!("the region {start}-{end} is empty"))
            }
            region => Ok(region),
        };
        let strand = columns.strand()?;
        let five_prime = |region: Interval| {
            if strand == Some(Strand::Minus) {
                region.end
            } else {
                region.start
            }
        };
        let place = match anchor {
            BedAnchor::Region => Located::Region(region(1)?),
            BedAnchor::FivePrime(window) => Located::Tss(five_prime(region(1)?), window),
            BedAnchor::Thick(_) if columns.count() < 8 => {
                return Err(format!("{} columns; a thick part takes 8", columns.count()));
            }
            BedAnchor::Thick(window) => Located::Tss(five_prime(region(6)?), window),
        };
        rows.push(Row {
            contig: columns.contig(),
            strand,
            place,
            name: columns.name(),
        });
        Ok(())
    })?;
    promoters(path, contigs, rows)
}

/// Reads start sites of the Eukaryotic Promoter Database (`FP` lines: name, sequence, strand,
/// 1-based position of the first transcribed base).
///
/// # Errors
/// As [`read_bed`].
pub fn read_fps(path: &Path, contigs: &[Contig], window: Window) -> Result<Promoters> {
    let mut rows = Vec::new();
    let row = |line: &str| {
        let Some(rest) = line.strip_prefix("FP").filter(|rest| rest.starts_with(' ')) else {
            return Ok(None);
        };
        // FP   NOC2L_1             :+U  EU:NC_000001.11      1-    959256;     1.
        let mut words = rest.split_whitespace();
        let name = words
            .next()
            .unwrap_or_default()
            .split(':')
            .next()
            .unwrap_or_default();
        let mut words = words.skip_while(|word| word.starts_with(':') || !word.contains(':'));
        let contig = words
            .next()
            .and_then(|word| word.split_once(':'))
            .map(|(_, contig)| contig)
            .ok_or("no sequence after the name")?;
        let (place, rest): (&str, Vec<&str>) = (words.next().unwrap_or_default(), words.collect());
        let strand = match place.chars().last() {
            Some('+') => Strand::Plus,
            Some('-') => Strand::Minus,
            _ => return Err(format!("'{place}' does not end with a strand")),
        };
        let position = rest.first().map_or("", |text| text.trim_end_matches(';'));
        let first_base = position
            .parse::<usize>()
            .ok()
            .and_then(|position| position.checked_sub(1));
        let first_base =
            first_base.ok_or_else(|| format!("'{position}' is no position; they count from 1"))?;
        // On minus the first transcribed base lies left of the inter-base position before it.
        let tss = if strand == Strand::Plus {
            first_base
        } else {
            first_base + 1
        };
        let [contig, name] = [contig, name].map(|word| printable(word.as_bytes()));
        Ok(Some(Row {
            contig,
            strand: Some(strand),
            place: Located::Tss(tss, window),
            name,
        }))
    };
    let mut lines = Lines::new(path, text::open(path)?);
    while let Some((line, bytes)) = lines.advance()? {
        let parsed = row(&String::from_utf8_lossy(bytes)).map_err(|message| Error::Parse {
            path: path.into(),
            line,
            message,
        })?;
        rows.extend(parsed);
    }
    promoters(path, contigs, rows)
}

fn promoters(path: &Path, contigs: &[Contig], rows: Vec<Row>) -> Result<Promoters> {
    if rows.is_empty() {
        return Err(Error::file(path, "no regions: is this a BED or EPD file?"));
    }
    let names = ContigNames::new(contigs.iter().map(|contig| &contig.name));
    if rows.iter().all(|row| names.find(&row.contig).is_none()) {
        let theirs = examples(rows.iter().map(|row| row.contig.as_str()));
        return Err(Error::file(
            path,
            format!(
                "none of its contigs ({theirs}) is in the genome ({})",
                names.examples()
            ),
        ));
    }
    let mut found = Promoters::default();
    for row in &rows {
        let contig = names.find(&row.contig).ok_or(Dropped::ContigNotInGenome);
        let (contig, tss, window) = match row.place {
            Located::Region(region) => (contig, None, Some(region)),
            Located::Tss(tss, window) => match row.strand {
                Some(strand) => (contig, Some(tss), window.around(tss, strand)),
                None => (contig.and(Err(Dropped::NoStrand)), Some(tss), None),
            },
        };
        let unnamed = window.map_or(String::new(), |window| {
            format!("{}:{}-{}", row.contig, window.start, window.end)
        });
        let id = if matches!(row.name.as_str(), "" | ".") {
            unnamed.as_str()
        } else {
            &row.name
        };
        found.take(
            contigs,
            Candidate {
                id,
                gene: "",
                owner: 0,
                contig,
                strand: row.strand,
                tss,
                window,
            },
        );
    }
    found.finish(true);
    Ok(found)
}
