//! The table: a line a base.

use crate::cli::progress;
use crate::error::Error;
use crate::genome::fasta::Genome;
use crate::genome::{Interval, Strand};
use crate::model::THRESHOLD;
use crate::pipelines::boundaries::{self, BoundariesRequest};
use crate::pipelines::tiles::ContigStrand;
use crate::pipelines::{BoundarySource, Progress};
use std::collections::BTreeMap;
use std::io::{self, Write};

/// The first line.
pub const HEADER: &str = "contig\tposition\tbase\tboundary_prob\tis_boundary";

/// What is read, and how.
pub struct Table<'a> {
    /// The sequences.
    pub genome: &'a Genome,
    /// Which parts, by the number of the contig.
    pub regions: &'a BTreeMap<usize, Vec<Interval>>,
    /// What reads.
    pub source: &'a dyn BoundarySource,
    /// How.
    pub reading: BoundariesRequest,
}

impl Table<'_> {
    /// Writes the table; what is no fault of the writer goes to `failed`.
    pub fn write(&self, out: &mut dyn Write, failed: &mut Option<Error>) -> io::Result<()> {
        let bar = progress::Bar::new();
        let total = self
            .regions
            .values()
            .flatten()
            .map(|region| region.len_bp() as u64)
            .sum();
        let mut done = 0;
        writeln!(out, "{HEADER}")?;
        for (contig, regions) in self.regions {
            let name = &self.genome.contigs()[*contig].name;
            let mut refused = None;
            let mut rows = |sequence: &[u8], start: usize, probs: &[f32]| -> io::Result<()> {
                for (position, p) in (start..).zip(probs) {
                    let base = char::from(sequence[position]);
                    match p.is_nan() {
                        true => writeln!(out, "{name}\t{position}\t{base}\tNA\tNA")?,
                        false => writeln!(
                            out,
                            "{name}\t{position}\t{base}\t{}\t{}",
                            nine_digits(*p),
                            u8::from(*p > THRESHOLD)
                        )?,
                    }
                }
                Ok(())
            };
            let read = self.genome.read_contig(name).and_then(|sequence| {
                let on = ContigStrand {
                    contig: name,
                    sequence: &sequence,
                    strand: Strand::Plus,
                };
                boundaries::read(
                    on,
                    regions,
                    self.source,
                    &self.reading,
                    &mut |start, probs| {
                        done += probs.len() as u64;
                        bar.show(Progress {
                            stage: "reading sequence",
                            done,
                            total,
                        });
                        rows(&sequence, start, probs).map_err(|e| {
                            refused = Some(e);
                            Error::Invalid("the table could not be written".into())
                        })
                    },
                )
            });
            if let Some(error) = refused {
                return Err(error);
            }
            if let Err(error) = read {
                *failed = Some(error);
                return Err(io::Error::other("stopped"));
            }
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
        exponent => format!(
            "{}e{}{:02}",
            trim(mantissa),
            if exponent < 0 { '-' } else { '+' },
            exponent.abs()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::nine_digits;

    // for x in (...): print('%.9g' % numpy.float32(x))
    #[test]
    fn digits_are_those_of_c() {
        for (p, text) in [
            (1.0, "1"),
            (0.0, "0"),
            (0.5, "0.5"),
            (0.1, "0.100000001"),
            (1.5e-5, "1.49999996e-05"),
            (0.00012345, "0.000123449994"),
        ] {
            assert_eq!(nine_digits(p), text);
        }
        let mut p = 1.0_f32;
        while p > 1e-38 {
            assert_eq!(nine_digits(p).parse::<f32>().unwrap(), p);
            p *= 0.7317;
        }
    }
}
