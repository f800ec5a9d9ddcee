//! `scan`: where motifs fit, as a table.

use super::left_out::LeftOut;
use super::stderr::say;
use super::{progress, source, table};
use crate::bundled;
use crate::error::{Error, Result};
use crate::genome::Strand;
use crate::genome::fasta::{Contig, Genome};
use crate::genome::sequence::{is_acgt, reverse_complement};
use crate::motifs::Motif;
use crate::motifs::background::{Background, Letters};
use crate::motifs::scan::{Encoded, ScanRequest, scan};
use crate::motifs::select::{Selection, annotate};
use crate::pipelines::Progress;
use crate::report::format::count;
use crate::report::provenance::Input;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Write where motifs fit a FASTA, on both strands, with exact p-values
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ldar-analyze scan --out hits.tsv                              (bundled fly chromosome 4, JASPAR's insects)
  ldar-analyze scan --fasta promoters.fa.gz --motifs vertebrates --family ETS --out hits.tsv.gz
  ldar-analyze scan --fasta promoters.fa --motifs mine.jaspar --p 1e-5 --background uniform | head

Columns, separated by tabs, under a header line:
  motif_id, motif_name
  contig         first word of the record's > line
  start, end     0-based, half-open, on the strand of the FASTA
  strand         the one that reads as the motif
  score          log-odds in bits, with 0.8 pseudocounts a column
  p_value        probability that a random k-mer of the background scores as well or better: for one place, not corrected for their number
  matched        the sequence, read on that strand

Overlapping hits of a motif, on either strand, leave the one with the smallest p-value, unless --all-hits is given.
Soft-masked bases count; N and other IUPAC codes break a hit. A motif whose best k-mer is more likely than --p has no hits; it is named on standard error.")]
pub struct Arguments {
    /// Sequences: FASTA, plain, gzip or bgzip [default: the bundled D. melanogaster chromosome 4]
    #[arg(long, value_name = "FILE", value_parser = source::path_of("genome"))]
    fasta: Option<PathBuf>,
    /// JASPAR (.jaspar, .pfm, SQLite), HOMER, MEME or TRANSFAC; or insects, vertebrates (bundled
    /// JASPAR 2026), core-promoter
    #[arg(long, value_name = "FILE", default_value = "insects")]
    motifs: PathBuf,
    /// Matrix to take, by identifier, its latest version if none is given; may be repeated
    #[arg(long, value_name = "ID")]
    matrix_id: Vec<String>,
    /// Factor to take, by name; may be repeated
    #[arg(long, value_name = "NAME")]
    name: Vec<String>,
    /// Taxonomic group to take; may be repeated
    #[arg(long, value_name = "GROUP")]
    tax_group: Vec<String>,
    /// Family or class to take, by part of its name; may be repeated
    #[arg(long, value_name = "TEXT")]
    family: Vec<String>,
    /// Largest p-value of a hit
    #[arg(long, value_name = "P", default_value_t = 1e-4)]
    p: f64,
    /// Background: uniform, or a file with the frequencies of A, C, G and T [default: those
    /// of the sequences]
    #[arg(long, value_name = "FILE")]
    background: Option<PathBuf>,
    /// Keep overlapping hits too
    #[arg(long)]
    all_hits: bool,
    /// Table to write, gzip if the name ends in .gz; - for standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    out: PathBuf,
}

/// What is to be scanned for what.
pub struct Request {
    fasta: Option<PathBuf>,
    motifs: PathBuf,
    selection: Selection,
    p: f64,
    background: Option<PathBuf>,
    all_hits: bool,
    out: Option<PathBuf>,
}

/// The first line of the table.
const HEADER: &str = "motif_id\tmotif_name\tcontig\tstart\tend\tstrand\tscore\tp_value\tmatched";

/// Bases that are scanned together: sequences are held in memory, and motifs prepared, once for
/// each.
const BATCH_BP: usize = 1 << 26;

/// Motifs between two looks at the progress.
const MOTIFS_AT_ONCE: usize = 64;

impl Arguments {
    /// Refuses p-values that are none.
    pub fn validate(self) -> Result<Request> {
        if !(self.p > 0.0 && self.p <= 0.1) {
            return Err(Error::Usage(format!(
                "--p {}: above 0, and at most 0.1",
                self.p
            )));
        }
        let selection = Selection {
            matrix_ids: self.matrix_id,
            names: self.name,
            tax_groups: self.tax_group,
            families: self.family,
        };
        let Arguments {
            fasta,
            motifs,
            p,
            background,
            all_hits,
            out,
            ..
        } = self;
        let (fasta, out) = (source::fasta(fasta), table::place(out));
        let inputs: Vec<&Path> = [fasta.as_deref(), Some(&motifs), background.as_deref()]
            .into_iter()
            .flatten()
            .collect();
        table::check(out.as_deref(), HEADER, &inputs)?;
        Ok(Request {
            fasta,
            motifs,
            selection,
            p,
            background,
            all_hits,
            out,
        })
    }
}

impl Request {
    /// Scans and writes.
    pub fn run(self) -> Result<()> {
        let genome = self
            .fasta
            .as_ref()
            .map_or_else(bundled::genome, Genome::open)?;
        let (motifs, older) = self.selection.choose(read_motifs(&self.motifs)?)?;
        let bar = progress::Bar::new();
        let background = self.read_background(&genome, &bar)?;
        let request = ScanRequest {
            p: self.p,
            all_hits: self.all_hits,
            ..ScanRequest::new(background)
        };
        let mut run = Run {
            genome: &genome,
            motifs: &motifs,
            request,
            bar: &bar,
            n_hits: 0,
            unread: 0,
            hit: BTreeSet::new(),
            mute: BTreeSet::new(),
        };
        table::write(self.out.as_deref(), |out, failed| run.write(out, failed))?;
        bar.finish();
        run.report(older);
        Ok(())
    }

    fn read_background(&self, genome: &Genome, bar: &progress::Bar) -> Result<Background> {
        match &self.background {
            Some(name) if name.as_os_str() == "uniform" => Ok(Background::UNIFORM),
            Some(path) => Background::open(path),
            None => {
                let (mut letters, mut done, total) =
                    (Letters::default(), 0, total_bp(genome.contigs()));
                for contig in genome.contigs() {
                    bar.show(Progress {
                        stage: "counting nucleotides",
                        done,
                        total,
                    });
                    letters.add(&genome.read_contig(&contig.name)?);
                    done += contig.length_bp as u64;
                }
                Ok(letters.background())
            }
        }
    }
}

/// The motifs of a bundled set by its name, or of a file; those of JASPAR learn their group and
/// family.
pub fn read_motifs(motifs: &Path) -> Result<Vec<Motif>> {
    match motifs.to_str() {
        Some("insects") => bundled::motifs(bundled::MOTIFS_INSECTS),
        Some("vertebrates") => bundled::motifs(bundled::MOTIFS_VERTEBRATES),
        Some("core-promoter") => Ok(bundled::core_promoter()?
            .into_iter()
            .map(|element| element.motif)
            .collect()),
        _ => {
            let mut motifs = crate::motifs::read::open(motifs)?;
            for set in [bundled::MOTIFS_INSECTS, bundled::MOTIFS_VERTEBRATES] {
                annotate(&mut motifs, &bundled::motifs(set)?);
            }
            Ok(motifs)
        }
    }
}

/// The record of the file or set that [`read_motifs`] reads.
pub fn motifs_input(motifs: &Path) -> Result<Input> {
    let bundled = |file: bundled::File| Ok(Input::bytes("motifs", file.name, file.bytes));
    match motifs.to_str() {
        Some("insects") => bundled(bundled::MOTIFS_INSECTS),
        Some("vertebrates") => bundled(bundled::MOTIFS_VERTEBRATES),
        Some("core-promoter") => bundled(bundled::CORE_PROMOTER),
        _ => Input::file("motifs", motifs),
    }
}

fn total_bp(contigs: &[Contig]) -> u64 {
    contigs.iter().map(|contig| contig.length_bp as u64).sum()
}

/// Splits contigs, in order, into stretches of about `most` bases; a longer contig stands alone.
fn batches(contigs: &[Contig], most: usize) -> Vec<&[Contig]> {
    let (mut batches, mut from, mut held) = (Vec::new(), 0, 0);
    for (index, contig) in contigs.iter().enumerate() {
        if held > 0 && held + contig.length_bp > most {
            batches.push(&contigs[from..index]);
            (from, held) = (index, 0);
        }
        held += contig.length_bp;
    }
    batches.push(&contigs[from..]);
    batches
}

struct Run<'a> {
    genome: &'a Genome,
    motifs: &'a [Motif],
    request: ScanRequest,
    bar: &'a progress::Bar,
    n_hits: usize,
    /// Bases that are none of A, C, G and T.
    unread: usize,
    /// Motifs with a hit, and those that cannot have one.
    hit: BTreeSet<usize>,
    mute: BTreeSet<usize>,
}

impl Run<'_> {
    /// Writes the table, by contig, start, motif and strand; what is no fault of the writer goes to
    /// `failed`.
    fn write(&mut self, out: &mut dyn Write, failed: &mut Option<Error>) -> io::Result<()> {
        writeln!(out, "{HEADER}")?;
        let mut done = 0;
        for batch in batches(self.genome.contigs(), BATCH_BP) {
            let sequences = batch
                .iter()
                .map(|contig| self.genome.read_contig(&contig.name))
                .collect::<Result<Vec<_>>>();
            let sequences = sequences.map_err(|error| {
                *failed = Some(error);
                io::Error::other("stopped")
            })?;
            self.batch(out, batch, &sequences, done)?;
            done += total_bp(batch);
        }
        out.flush()
    }

    fn batch(
        &mut self,
        out: &mut dyn Write,
        contigs: &[Contig],
        sequences: &[Vec<u8>],
        done: u64,
    ) -> io::Result<()> {
        let encoded = Encoded::new(sequences.iter().map(Vec::as_slice));
        let (here, total) = (total_bp(contigs), total_bp(self.genome.contigs()));
        self.unread += sequences
            .iter()
            .flatten()
            .filter(|base| !is_acgt(&[**base]))
            .count();
        let mut hits = Vec::new();
        for (index, motifs) in self.motifs.chunks(MOTIFS_AT_ONCE).enumerate() {
            let first = index * MOTIFS_AT_ONCE;
            self.bar.show(Progress {
                stage: "scanning",
                done: done + here * first as u64 / self.motifs.len() as u64,
                total,
            });
            let found = scan(motifs, &encoded, &self.request);
            hits.extend(found.hits.into_iter().map(|hit| crate::motifs::scan::Hit {
                motif: first + hit.motif,
                ..hit
            }));
            self.mute
                .extend(found.unreachable.iter().map(|motif| first + motif));
        }
        hits.sort_unstable_by_key(|hit| (hit.sequence, hit.start, hit.motif, hit.strand));
        for hit in &hits {
            let motif = &self.motifs[hit.motif];
            let letters = &sequences[hit.sequence][hit.start..hit.end];
            let matched = match hit.strand {
                Strand::Plus => letters.to_vec(),
                Strand::Minus => reverse_complement(letters),
            };
            let (contig, matched) = (
                &contigs[hit.sequence].name,
                String::from_utf8_lossy(&matched),
            );
            write!(
                out,
                "{}\t{}\t{contig}\t{}\t{}\t{}\t",
                motif.id, motif.name, hit.start, hit.end, hit.strand
            )?;
            writeln!(out, "{:.4}\t{:.4e}\t{matched}", hit.score, hit.p_value)?;
        }
        self.n_hits += hits.len();
        self.hit.extend(hits.iter().map(|hit| hit.motif));
        Ok(())
    }

    /// Says on standard error what was scanned with what, and what was left out.
    fn report(&self, older: usize) {
        let bases = total_bp(self.genome.contigs()) as usize;
        let [a, c, ..] = self.request.background.probabilities();
        let (hits, with) = (count(self.n_hits), count(self.hit.len()));
        say(&format!(
            "{hits} hits of {with} of {} motifs in {} bases at p <= {:e}",
            count(self.motifs.len()),
            count(bases),
            self.request.p
        ));
        let left_out = LeftOut {
            what: "bases",
            used: (bases - self.unread) as u64,
            reasons: vec![("N or no base".into(), self.unread as u64)],
        };
        left_out.line().iter().for_each(|line| say(line));
        say(&format!(
            "background: A and T {a:.4} each, C and G {c:.4} each"
        ));
        if older > 0 {
            say(&format!(
                "matrices passed over for a later version in the file: {}",
                count(older)
            ));
        }
        if !self.mute.is_empty() {
            let names: Vec<&str> = self
                .mute
                .iter()
                .take(5)
                .map(|index| self.motifs[*index].id.as_str())
                .collect();
            let more = if self.mute.len() > names.len() {
                ", ..."
            } else {
                ""
            };
            say(&format!(
                "motifs without hits because their best k-mer is more likely than that: {} ({}{more})",
                count(self.mute.len()),
                names.join(", ")
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_hold_every_contig_once() {
        let contigs: Vec<Contig> = [5, 5, 30, 1, 2, 0, 9]
            .into_iter()
            .map(|length_bp| Contig {
                name: length_bp.to_string(),
                length_bp,
            })
            .collect();
        let lengths = |most| -> Vec<Vec<usize>> {
            batches(&contigs, most)
                .into_iter()
                .map(|batch| batch.iter().map(|contig| contig.length_bp).collect())
                .collect()
        };
        assert_eq!(lengths(10), [vec![5, 5], vec![30], vec![1, 2, 0], vec![9]]);
        assert_eq!(lengths(1000).len(), 1);
    }
}
