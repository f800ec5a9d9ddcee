//! `boundaries`: the boundary probability of every base of a FASTA, as a table. The referee for whoever checks the model from outside.

use super::dtype::Dtype;
use super::{progress, source, table};
use crate::error::{Error, Result};
use crate::genome::Strand;
use crate::genome::fasta::Genome;
use crate::model::THRESHOLD;
use crate::pipelines::Progress;
use crate::pipelines::boundaries::{self, BoundariesRequest};
use crate::pipelines::ldarnet::Router;
use crate::pipelines::tiles::ContigStrand;
use std::io::{self, Write};
use std::path::PathBuf;

/// Write the boundary probability of every base of a FASTA
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ldar-analyze boundaries --fasta region.fa --out boundaries.tsv.gz
  ldar-analyze boundaries --fasta region.fa.gz --checkpoint model.pt --context 0 | head

Columns, separated by tabs, under a header line:
  contig         first word of the record's > line
  position       0-based: the inter-base position before this base
  base           the letter, as the file has it
  boundary_prob  9 significant digits; the first base of a record reads 1. NA where a deeper --stage never saw the base
  is_boundary    1 if the probability is above 0.5, else 0 (NA likewise)

A record longer than --context is read in windows that overlap by two margins, which are trimmed.")]
pub struct Arguments {
    /// Sequences: FASTA, plain, gzip or bgzip
    #[arg(long, value_name = "FILE", value_parser = source::path_of("genome"))]
    fasta: PathBuf,
    /// Model: the authors' .pt, or safetensors [default: the bundled model]
    #[arg(long, value_name = "FILE", value_parser = source::path_of("checkpoint"))]
    checkpoint: Option<PathBuf>,
    /// Table to write, gzip if the name ends in .gz; - for standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    out: PathBuf,
    /// Bases given to the model at once; 0 reads every record at once
    #[arg(long, value_name = "BASES", default_value_t = 4096)]
    context: usize,
    /// Bases trimmed from each end of a window [default: an eighth of the context]
    #[arg(long, value_name = "BASES")]
    margin: Option<usize>,
    /// Router to read, 0 for the outermost
    #[arg(long, value_name = "N", default_value_t = 0)]
    stage: usize,
    /// Windows given to the model together
    #[arg(long, value_name = "N", default_value_t = 4)]
    batch: usize,
    #[command(flatten)]
    dtype: Dtype,
}

/// What is to be read and written.
pub struct Request {
    fasta: PathBuf,
    checkpoint: Option<PathBuf>,
    out: Option<PathBuf>,
    stage: usize,
    dtype: Dtype,
    reading: BoundariesRequest,
}

impl Arguments {
    /// Refuses contexts without room between their margins.
    pub fn validate(self) -> Result<Request> {
        let margin = self.margin.unwrap_or(self.context / 8);
        if self.context > 0 && margin.max(1).saturating_mul(2) >= self.context {
            return Err(Error::Usage(format!(
                "--context {} leaves no room between two margins of {}: use a longer context or a smaller --margin",
                self.context,
                margin.max(1)
            )));
        }
        if self.batch == 0 {
            return Err(Error::Usage("--batch 0: at least one window must be read at a time".into()));
        }
        source::spare(Some(&self.fasta), &self.out)?;
        source::spare(self.checkpoint.as_deref(), &self.out)?;
        let reading = BoundariesRequest { context: self.context, margin, batch: self.batch };
        let out = table::place(self.out);
        Ok(Request { fasta: self.fasta, checkpoint: self.checkpoint, out, stage: self.stage, dtype: self.dtype, reading })
    }
}

impl Request {
    /// Reads and writes.
    pub fn run(self) -> Result<()> {
        let genome = Genome::open(&self.fasta)?;
        let mut model = source::checkpoint(self.checkpoint.as_deref())?.model()?;
        model.set_precision(self.dtype.precision())?;
        let router = Router::new(&model, self.stage)?;
        let rows = Table { genome: &genome, router: &router, reading: self.reading };
        table::write(self.out.as_deref(), |out, failed| rows.write(out, failed))
    }
}

struct Table<'a> {
    genome: &'a Genome,
    router: &'a Router<'a>,
    reading: BoundariesRequest,
}

impl Table<'_> {
    /// Writes the table; what is no fault of the writer goes to `failed`.
    fn write(&self, out: &mut dyn Write, failed: &mut Option<Error>) -> io::Result<()> {
        let bar = progress::Bar::new();
        let total = self.genome.contigs().iter().map(|c| c.length_bp as u64).sum();
        let mut before = 0;
        writeln!(out, "contig\tposition\tbase\tboundary_prob\tis_boundary")?;
        for contig in self.genome.contigs() {
            let mut refused = None;
            let mut rows = |name: &str, sequence: &[u8], start: usize, probs: &[f32]| -> io::Result<()> {
                for (position, p) in (start..).zip(probs) {
                    let base = char::from(sequence[position]);
                    match p.is_nan() {
                        true => writeln!(out, "{name}\t{position}\t{base}\tNA\tNA")?,
                        false => writeln!(out, "{name}\t{position}\t{base}\t{}\t{}", nine_digits(*p), u8::from(*p > THRESHOLD))?,
                    }
                }
                Ok(())
            };
            let read = self.genome.read_contig(&contig.name).and_then(|sequence| {
                let on = ContigStrand { contig: &contig.name, sequence: &sequence, strand: Strand::Plus };
                boundaries::read(on, self.router, &self.reading, &mut |start, probs| {
                    bar.show(Progress { stage: "reading sequence", done: before + (start + probs.len()) as u64, total });
                    rows(&contig.name, &sequence, start, probs).map_err(|e| {
                        refused = Some(e);
                        Error::Invalid("the table could not be written".into())
                    })
                })
            });
            if let Some(error) = refused {
                return Err(error);
            }
            if let Err(error) = read {
                *failed = Some(error);
                return Err(io::Error::other("stopped"));
            }
            before += contig.length_bp as u64;
        }
        bar.finish();
        out.flush()
    }
}

/// A probability with 9 significant digits, enough to give back every f32; as C's `%.9g` writes it.
fn nine_digits(p: f32) -> String {
    let scientific = format!("{:.8e}", f64::from(p));
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let trim = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => text.to_string(),
    };
    match exponent.parse::<i32>().unwrap_or(0) {
        exponent @ -4..=8 => trim(&format!("{:.*}", (8 - exponent) as usize, f64::from(p))),
        exponent => format!("{}e{}{:02}", trim(mantissa), if exponent < 0 { '-' } else { '+' }, exponent.abs()),
    }
}

#[cfg(test)]
mod tests {
    use super::nine_digits;

    // for x in (...): print('%.9g' % numpy.float32(x))
    #[test]
    fn digits_are_those_of_c() {
        for (p, text) in
            [(1.0, "1"), (0.0, "0"), (0.5, "0.5"), (0.1, "0.100000001"), (1.5e-5, "1.49999996e-05"), (0.00012345, "0.000123449994")]
        {
            assert_eq!(nine_digits(p), text);
        }
        let mut p = 1.0_f32;
        while p > 1e-38 {
            assert_eq!(nine_digits(p).parse::<f32>().unwrap(), p);
            p *= 0.7317;
        }
    }
}
