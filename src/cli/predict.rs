//! `predict`: what a fine-tuned model says of sequences.

use super::compute::Compute;
use super::progress::Bar;
use super::table;
use crate::error::{Error, Result};
use crate::genome::fasta::Genome;
use crate::model::checkpoint::at;
use crate::model::head::Answer;
use crate::model::{Checkpoint, FineTuned, tokenizer};
use crate::pipelines::Progress;
use std::io::{self, Write};
use std::path::PathBuf;

/// Write what a fine-tuned model says of every sequence of a FASTA
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ldar-analyze predict --model finetune/models/ldarnet-fold-0-seed-42.safetensors --fasta promoters.fa.gz --out scores.tsv

Columns, separated by tabs, under a header line:
  sequence       first word of the record's > line
  predicted      the most probable class; of a model of values the value
  p_CLASS        probability of each class

Soft-masked bases count; all but A, C, G, T and U are read as N. Both strands are read where the model was trained with --rc.")]
pub struct Arguments {
    /// Fine-tuned model: a file of models/ in the results folder of finetune
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// Sequences: FASTA, plain, gzip or bgzip
    #[arg(long, value_name = "FILE")]
    fasta: PathBuf,
    /// Table to write, gzip if the name ends in .gz; - for standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    out: PathBuf,
    /// Bases per pass through the model
    #[arg(long, value_name = "BASES", default_value_t = 16_384)]
    bases_at_once: usize,
    #[command(flatten)]
    compute: Compute,
}

/// What is to be predicted.
pub struct Request(Arguments);

/// Sequences that are read, scored and written together.
const TOGETHER: usize = 1024;

impl Arguments {
    /// Refuses what no run could do.
    pub fn validate(self) -> Result<Request> {
        match self.bases_at_once {
            0 => Err(Error::Usage("--bases-at-once is at least 1".into())),
            _ => Ok(Request(self)),
        }
    }
}

impl Request {
    /// Predicts and writes.
    pub fn run(self) -> Result<()> {
        let Arguments {
            model,
            fasta,
            out,
            bases_at_once,
            compute,
        } = self.0;
        let device = compute.device()?;
        let mut tuned =
            FineTuned::of(&Checkpoint::open(&model)?, &device).map_err(|e| at(&model, e))?;
        tuned.model.set_precision(compute.precision(&device))?;
        let (place, header) = (table::place(out), header(&tuned));
        table::check(place.as_deref(), &header, &[&model, &fasta])?;
        let genome = Genome::open(&fasta)?;
        let bar = Bar::new();
        table::write(place.as_deref(), |out, failed| {
            writeln!(out, "{header}")?;
            write(out, &tuned, &genome, bases_at_once, &bar).unwrap_or_else(|error| {
                *failed = Some(error);
                Err(io::Error::other("sequences could not be scored"))
            })
        })?;
        bar.finish();
        Ok(())
    }
}

/// The classes of a model; none of one of values.
fn classes(tuned: &FineTuned) -> &[String] {
    if let Answer::Classes(names) = &tuned.readout.answer {
        names
    } else {
        &[]
    }
}

fn header(tuned: &FineTuned) -> String {
    classes(tuned)
        .iter()
        .fold("sequence\tpredicted".into(), |head, class| {
            format!("{head}\tp_{class}")
        })
}

/// The rows; the inner result is that of writing.
fn write(
    out: &mut dyn Write,
    tuned: &FineTuned,
    genome: &Genome,
    at_once: usize,
    bar: &Bar,
) -> Result<io::Result<()>> {
    let contigs = genome.contigs();
    let total = contigs.iter().map(|contig| contig.length_bp as u64).sum();
    let (classes, mut written, mut done) = (classes(tuned), Ok(()), 0);
    for contigs in contigs.chunks(TOGETHER) {
        if written.is_err() {
            break;
        }
        let mut tokens = Vec::with_capacity(contigs.len());
        for contig in contigs {
            if contig.length_bp == 0 {
                return Err(Error::file(
                    genome.path(),
                    format!("sequence {} is empty: remove it", contig.name),
                ));
            }
            tokens.push(tokenizer::encode(&genome.read_contig(&contig.name)?));
        }
        let tokens: Vec<&[u8]> = tokens.iter().map(Vec::as_slice).collect();
        let scores = tuned.scores(&tokens, at_once, &mut |bases| {
            done += bases as u64;
            bar.show(Progress {
                stage: "predicting",
                done,
                total,
            });
            Ok(())
        })?;
        written = contigs
            .iter()
            .zip(&scores)
            .try_for_each(|(contig, scores)| match classes {
                [] => writeln!(out, "{}\t{}", contig.name, scores[0]),
                _ => {
                    let predicted = &classes[crate::tasks::metrics::predicted(scores) as usize];
                    let scores: String = scores.iter().map(|score| format!("\t{score}")).collect();
                    writeln!(out, "{}\t{predicted}{scores}", contig.name)
                }
            });
    }
    Ok(written)
}
