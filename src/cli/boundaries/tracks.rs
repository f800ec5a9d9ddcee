//! Tracks: one file a strand.

use crate::cli::progress;
use crate::error::Result;
use crate::genome::fasta::Genome;
use crate::genome::{Interval, Strand};
use crate::pipelines::boundaries::{self, BoundariesRequest, Reading};
use crate::pipelines::tiles::ContigStrand;
use crate::pipelines::{BoundarySource, Progress};
use crate::report::tracks::{TrackWriter, of_strand};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The two files, plus and minus.
pub fn places(out: &Path) -> [PathBuf; 2] {
    ["plus", "minus"].map(|strand| of_strand(out, strand))
}

/// Takes values: contig, strand, first base, values.
pub type Found<'a> = dyn FnMut(&str, Strand, usize, &[f32]) -> Result<()> + 'a;

/// Reads both strands of regions, contig by contig.
pub fn read(
    genome: &Genome,
    regions: &BTreeMap<usize, Vec<Interval>>,
    source: &dyn BoundarySource,
    request: &BoundariesRequest,
    found: &mut Found<'_>,
) -> Result<Reading> {
    let bar = progress::Bar::new();
    let total = regions
        .values()
        .flatten()
        .map(|region| 2 * region.len_bp() as u64)
        .sum();
    let (mut done, mut reading) = (0, Reading::default());
    for (contig, regions) in regions {
        let name = &genome.contigs()[*contig].name;
        let sequence = genome.read_contig(name)?;
        for strand in [Strand::Plus, Strand::Minus] {
            let on = ContigStrand {
                contig: name,
                sequence: &sequence,
                strand,
            };
            reading = reading.and(boundaries::read(
                on,
                regions,
                source,
                request,
                &mut |first, values| {
                    done += values.len() as u64;
                    bar.show(Progress {
                        stage: "reading sequence",
                        done,
                        total,
                    });
                    found(name, strand, first, values)
                },
            )?);
        }
    }
    bar.finish();
    Ok(reading)
}

/// Reads both strands and writes their files, which both appear when both are whole.
pub fn write(
    genome: &Genome,
    regions: &BTreeMap<usize, Vec<Interval>>,
    source: &dyn BoundarySource,
    request: &BoundariesRequest,
    out: &Path,
) -> Result<Reading> {
    let [plus, minus] = places(out);
    let (mut plus, mut minus) = (
        TrackWriter::create(&plus, genome.contigs())?,
        TrackWriter::create(&minus, genome.contigs())?,
    );
    let reading = read(
        genome,
        regions,
        source,
        request,
        &mut |contig, strand, first, values| match strand {
            Strand::Plus => plus.add(contig, first, values),
            Strand::Minus => minus.add(contig, first, values),
        },
    )?;
    plus.keep()?;
    minus.keep()?;
    Ok(reading)
}
