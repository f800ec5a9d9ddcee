//! What a model says of variants without having been told of any: likelihoods of the alleles,
//! boundaries, hidden states; beside them a table of local contexts and a track.
//!
//! Windows are tiles of the reference, laid over all variants of a contig as
//! [`tiles`](super::tiles) lays them: variants near each other share a tile, and with it the
//! reading of its reference and of each masked position. An allele is scored in the tile of its
//! variant, with the same bases on both sides.

mod judged;
mod local;
mod placed;
mod rows;
mod scored;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::genome::fasta::Genome;
use crate::pipelines::questions::Questions;
use crate::pipelines::signal::Signal;
use crate::pipelines::tiles::{TileShape, plan};
use crate::pipelines::{BoundarySource, Progress};
use local::LocalTable;
use placed::{Placed, track_value};
use scored::Tiled;

pub use judged::{LEAST_OF_GROUP, SCORES, Score};
pub use local::{TABLE_BP, WIDTH};
pub use rows::{AccountingRow, DifferenceRow, EvaluationRow, GroupRow, VariantRow};
pub use scored::ROUNDS;

/// What is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VariantsRequest {
    /// Bases given to the model at once.
    pub context: usize,
    /// Least distance of a read position from the ends of a window.
    pub margin: usize,
    /// Windows of full length given to the model together; of shorter ones as many as have as many
    /// bases.
    pub batch: usize,
    /// Bases on either side of a variant whose boundaries, and in insertions and deletions whose
    /// likelihoods, are looked at.
    pub reach: usize,
    /// Whether scores are the means of both strands.
    pub both_strands: bool,
    /// The column, or INFO field, of labels or measured effects.
    pub labels: Option<String>,
    /// The column, or INFO field, of groups, which are drawn as wholes; contigs where there is
    /// none.
    pub group: Option<String>,
    /// Draws of the bootstrap.
    pub bootstraps: usize,
    /// Sign flips of the tests.
    pub permutations: usize,
    /// Seed of everything random.
    pub seed: u64,
}

/// One allele, as a file has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Allele {
    /// Number of its record in the file, from 0.
    pub record: u64,
    /// Number among the record's alternative alleles, from 1.
    pub number: u64,
    /// The contig, as the file names it.
    pub contig: String,
    /// First base of the reference allele, counted from 1 as in VCF; 0 is before the first base.
    pub first: u64,
    /// The record's name; empty for none.
    pub id: String,
    /// The reference allele.
    pub reference: String,
    /// The alternative allele; `.` or empty where the record has none, `-` for nothing in its
    /// place.
    pub alternate: String,
    /// A label (0 or 1) or a measured effect; `NaN` where there is none.
    pub label: f64,
    /// The group; empty for the contig.
    pub group: String,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Variants {
    /// One row an allele, in the order of the file.
    pub variants: Vec<VariantRow>,
    /// Alleles by what became of them.
    pub accounting: Vec<AccountingRow>,
    /// How well scores tell labels or effects.
    pub evaluation: Vec<EvaluationRow>,
    /// The same by group.
    pub groups: Vec<GroupRow>,
    /// Scores against each other.
    pub differences: Vec<DifferenceRow>,
    /// Bases that the model read.
    pub bases_read: u64,
    /// Bases that the local table was counted on.
    pub table_bases: u64,
}

/// Bases of questions that are asked before their answers are made scores.
const TOGETHER_BP: u64 = 1 << 22;

/// Scores alleles. Every allele comes back, in its place: where it could not be scored, with the
/// reason.
///
/// # Errors
/// A context without room, contigs that cannot be read, and those of the source and the track.
pub fn run(
    genome: &Genome,
    alleles: &[Allele],
    source: &dyn BoundarySource,
    track: Option<&Signal>,
    request: &VariantsRequest,
    progress: &dyn Fn(Progress),
) -> Result<Variants> {
    let shape = TileShape {
        context_bp: request.context,
        margin_bp: request.margin,
    };
    let mut rows: Vec<VariantRow> = alleles.iter().map(VariantRow::new).collect();
    let by_contig = placed::by_contig(genome, alleles, &mut rows);
    let table = LocalTable::fit(
        genome,
        by_contig.iter().map(|(contig, _)| *contig),
        progress,
    )?;
    let mut found = Variants {
        table_bases: table.bases(),
        ..Variants::default()
    };
    let total = alleles.len() as u64;
    let mut done = rows.iter().filter(|row| !row.reason.is_empty()).count() as u64;
    for (contig, members) in by_contig {
        let name = genome.contigs()[contig].name.clone();
        let sequence = genome.read_contig(&name)?;
        let placed: Vec<Placed> = members
            .iter()
            .filter_map(|index| placed::place(&sequence, *index, alleles, request, &mut rows))
            .collect();
        done += (members.len() - placed.len()) as u64;
        for one in &placed {
            let row = &mut rows[one.index];
            row.table_llr = table.log_ratio(contig, &sequence, &one.edit);
            row.track = track.map_or(Ok(f64::NAN), |track| {
                track_value(track, &name, &sequence, &one.edit)
            })?;
        }
        let plan = plan(
            placed.iter().map(|one| one.window).collect(),
            sequence.len(),
            &shape,
        )?;
        let mut tiles = plan.tiles.iter().peekable();
        while tiles.peek().is_some() {
            let (mut questions, mut tiled) = (Questions::default(), Vec::new());
            while let Some(tile) = tiles.next_if(|_| questions.bases() < TOGETHER_BP) {
                tiled.push(Tiled::ask(
                    tile,
                    &sequence,
                    &placed,
                    request,
                    &mut questions,
                ));
            }
            let some: u64 = tiled.iter().map(|tiled| tiled.variants() as u64).sum();
            let all = questions.bases();
            let answers = questions.answers(source, request.batch * request.context, &|asked| {
                progress(Progress {
                    stage: "scoring variants",
                    done: done + some * asked / all.max(1),
                    total,
                });
            })?;
            done += some;
            if source.is_part() {
                continue;
            }
            found.bases_read += all;
            tiled
                .iter()
                .for_each(|tiled| tiled.score(&placed, &answers, &mut rows));
        }
    }
    found.accounting = rows::accounting(&rows);
    if !source.is_part() && request.labels.is_some() {
        progress(Progress {
            stage: "statistics",
            done: 0,
            total: 1,
        });
        judged::judge(&rows, request, &mut found);
    }
    found.variants = rows;
    Ok(found)
}

#[cfg(test)]
mod tests;
