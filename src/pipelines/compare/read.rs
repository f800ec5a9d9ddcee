//! Where each contender cuts, window by window.

use std::collections::BTreeMap;

use super::elements::Window;
use super::{CompareRequest, Contender};
use crate::error::{Error, Result};
use crate::genome::Strand;
use crate::genome::fasta::Genome;
use crate::pipelines::Progress;
use crate::pipelines::comparison::ContigReader;
use crate::pipelines::tiles::{self, ContigStrand, TileShape, plan, read_tiles};

/// Fills in [`Window::cuts`]; how many bases each source read. A window longer than what fits
/// between the margins is read in pieces.
pub(super) fn cuts(
    genome: &Genome,
    windows: &mut [Window],
    contenders: &[Contender<'_>],
    request: &CompareRequest,
    progress: &dyn Fn(Progress),
) -> Result<u64> {
    let shape = TileShape {
        context_bp: request.context,
        margin_bp: request.margin,
    };
    let room = request.context - 2 * request.margin.max(1);
    let mut places: BTreeMap<(usize, Strand), Vec<usize>> = BTreeMap::new();
    for (index, window) in windows.iter_mut().enumerate() {
        window.cuts = vec![vec![false; window.length]; contenders.len()];
        places
            .entry((window.contig, window.strand))
            .or_default()
            .push(index);
    }
    let mut plans = Vec::new();
    for ((contig, strand), members) in places {
        // (window, first position of the piece)
        let mut pieces: Vec<(usize, usize)> = Vec::new();
        let mut asked = Vec::new();
        for index in members {
            let Window { low, length, .. } = windows[index];
            for from in (low..low + length).step_by(room) {
                pieces.push((index, from));
                asked.push(tiles::Window {
                    low: from,
                    high: (from + room - 1).min(low + length - 1),
                });
            }
        }
        plans.push((
            contig,
            strand,
            pieces,
            plan(asked, genome.contigs()[contig].length_bp, &shape)?,
        ));
    }
    let bases: u64 = plans.iter().map(|(_, _, _, plan)| plan.bases()).sum();
    // Where a part is asked for, tokenizers that cost nothing have nothing to add.
    let is_part = contenders
        .iter()
        .any(|contender| contender.source.is_part());
    let asked: Vec<(usize, &Contender<'_>)> = contenders
        .iter()
        .enumerate()
        .filter(|(_, c)| c.source.is_part() == is_part)
        .collect();
    let (mut done, total) = (0, bases * asked.len() as u64);
    let mut contigs = ContigReader::new(genome, contenders[0].source);
    for (contig, strand, pieces, tiles) in &plans {
        let (name, sequence) = (&genome.contigs()[*contig].name, contigs.get(*contig)?);
        for &(number, contender) in &asked {
            let mut bad = None;
            let mut found = |piece: usize, values: &[f32]| {
                let (index, from) = pieces[piece];
                let window = &mut windows[index];
                // Values are in the orientation of the strand: on minus the first is that of the
                // piece's last position.
                let first = match strand {
                    Strand::Plus => from - window.low,
                    Strand::Minus => window.low + window.length - (from + values.len()),
                };
                for (cut, value) in window.cuts[number][first..].iter_mut().zip(values) {
                    *cut = *value > 0.5;
                }
                bad = bad.or(values.iter().find(|value| value.is_nan()).map(|_| from));
            };
            let mut read = |tile: &tiles::Tile, _: &[f32]| {
                done += tile.bases.len_bp() as u64;
                progress(Progress {
                    stage: "reading sequence",
                    done,
                    total,
                });
            };
            read_tiles(
                ContigStrand {
                    contig: name,
                    sequence,
                    strand: *strand,
                },
                tiles,
                request.batch,
                contender.source,
                &mut read,
                &mut found,
            )?;
            if let Some(at) = bad {
                return Err(Error::Invalid(format!(
                    "{} has no value near {name}:{at}",
                    contender.name
                )));
            }
        }
    }
    Ok(bases)
}
