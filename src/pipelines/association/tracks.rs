//! What boundaries are set against: a number for each base, from a bigWig file or from sites.

use std::path::Path;

use crate::error::{Error, Result};
use crate::genome::bed::{self, BedRecord};
use crate::genome::bigwig::BigWig;
use crate::genome::contig_names::ContigNames;
use crate::genome::fasta::Contig;
use crate::genome::{Interval, merge_intervals};
use crate::pipelines::signal::Missing;

/// A number for each base of a genome.
pub trait Track {
    /// What it is called in tables and on the page.
    fn name(&self) -> &str;

    /// Appends the value of each base of an interval of a contig, given by its number in the
    /// genome; `NaN` for what is not known.
    ///
    /// # Errors
    /// Whatever keeps the track from being read.
    fn values(&self, contig: usize, bases: Interval, values: &mut Vec<f32>) -> Result<()>;
}

/// A bigWig file.
pub struct FileTrack {
    name: String,
    file: BigWig,
    missing: Missing,
}

impl FileTrack {
    /// Opens a file for a genome with these contigs; `missing` says what bases without a value are.
    ///
    /// # Errors
    /// A file that cannot be read or does not fit the genome.
    pub fn open(path: &Path, missing: Missing, contigs: &[Contig]) -> Result<FileTrack> {
        Ok(FileTrack {
            name: name_of(path),
            file: BigWig::open(path, contigs)?,
            missing,
        })
    }
}

impl Track for FileTrack {
    fn name(&self) -> &str {
        &self.name
    }

    fn values(&self, contig: usize, bases: Interval, values: &mut Vec<f32>) -> Result<()> {
        let from = values.len();
        self.file.values(contig, bases, values)?;
        if self.missing == Missing::Zero {
            values[from..]
                .iter_mut()
                .filter(|value| value.is_nan())
                .for_each(|value| *value = 0.0);
        }
        Ok(())
    }
}

/// Sites: 1 at each base of one, else 0.
#[derive(Debug)]
pub struct SiteTrack {
    name: String,
    /// By contig of the genome, in order and apart.
    sites: Vec<Vec<Interval>>,
    /// Sites on contigs that the genome lacks.
    pub n_elsewhere: u64,
}

impl SiteTrack {
    /// Reads a BED file of sites, or a BEDPE file (by its name) of which both ends of a line are
    /// sites. An empty site is the base after its position. Contigs may go by any of their names.
    ///
    /// # Errors
    /// An unreadable file, a line that is no site or lies beyond its contig, and a file without a
    /// site on a contig of the genome.
    pub fn open(path: &Path, contigs: &[Contig]) -> Result<SiteTrack> {
        let name = name_of(path);
        let is_paired = [".bedpe", ".bedpe.gz"]
            .iter()
            .any(|end| name.ends_with(end));
        let records = match is_paired {
            true => bed::read_paired(path)?,
            false => bed::read(path)?,
        };
        let names = ContigNames::new(contigs.iter().map(|contig| &contig.name));
        let mut found = SiteTrack {
            name,
            sites: vec![Vec::new(); contigs.len()],
            n_elsewhere: 0,
        };
        for record in &records {
            let Some(contig) = names.find(&record.contig) else {
                found.n_elsewhere += 1;
                continue;
            };
            found.sites[contig].push(site(path, record, &contigs[contig])?);
        }
        if found.sites.iter().all(Vec::is_empty) {
            let message = match records.first() {
                Some(first) => format!("no site is in the genome: {}", names.lacks(&first.contig)),
                None => "holds no site".into(),
            };
            return Err(Error::file(path, message));
        }
        found.sites.iter_mut().for_each(merge_intervals);
        Ok(found)
    }
}

fn site(path: &Path, record: &BedRecord, contig: &Contig) -> Result<Interval> {
    let Interval { start, end } = record.interval;
    let site = Interval::new(start, end.max(start + 1));
    match site.end > contig.length_bp {
        true => Err(Error::Parse {
            path: path.to_path_buf(),
            line: record.line,
            message: format!(
                "the site ends at {} and {} has {} bases: the file is of another assembly",
                site.end, contig.name, contig.length_bp
            ),
        }),
        false => Ok(site),
    }
}

impl Track for SiteTrack {
    fn name(&self) -> &str {
        &self.name
    }

    fn values(&self, contig: usize, bases: Interval, values: &mut Vec<f32>) -> Result<()> {
        let from = values.len();
        values.resize(from + bases.len_bp(), 0.0);
        let sites = self.sites.get(contig).map_or(&[][..], Vec::as_slice);
        let first = sites.partition_point(|site| site.end <= bases.start);
        for site in sites[first..]
            .iter()
            .take_while(|site| site.start < bases.end)
        {
            let (start, end) = (site.start.max(bases.start), site.end.min(bases.end));
            values[from + start - bases.start..from + end - bases.start].fill(1.0);
        }
        Ok(())
    }
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned()
}
