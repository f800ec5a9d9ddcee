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

/// Reads both strands and writes their files, which both appear when both are whole.
pub fn write(
    genome: &Genome,
    regions: &BTreeMap<usize, Vec<Interval>>,
    source: &dyn BoundarySource,
    request: &BoundariesRequest,
    out: &Path,
) -> Result<Reading> {
    let [plus, minus] = places(out);
    let mut files = [TrackWriter::create(&plus, genome.contigs())?, TrackWriter::create(&minus, genome.contigs())?];
    let bar = progress::Bar::new();
    let total = regions.values().flatten().map(|region| 2 * region.len_bp() as u64).sum();
    let (mut done, mut reading) = (0, Reading::default());
    for (contig, regions) in regions {
        let name = &genome.contigs()[*contig].name;
        let sequence = genome.read_contig(name)?;
        for (strand, file) in [Strand::Plus, Strand::Minus].into_iter().zip(&mut files) {
            let on = ContigStrand { contig: name, sequence: &sequence, strand };
            let found = boundaries::read(on, regions, source, request, &mut |first, values| {
                done += values.len() as u64;
                bar.show(Progress { stage: "reading sequence", done, total });
                file.add(name, first, values)
            })?;
            reading = reading.and(found);
        }
    }
    bar.show(Progress { stage: "writing files", done: 0, total: 1 });
    let [plus, minus] = files;
    plus.keep()?;
    minus.keep()?;
    bar.finish();
    Ok(reading)
}
