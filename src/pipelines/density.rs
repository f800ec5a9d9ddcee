//! Do classes of sequence differ in how densely the model cuts them? Stretches of each class
//! against stretches of the same neighbourhood, length and composition that are not of the class.
//!
//! The unit of replication is a neighbourhood: a cluster of overlapping genes with half of the
//! space to the next ones. A control lies in its stretch's neighbourhood, so that pairs never reach
//! over two units, and whole units flip sign in the test and are drawn in the bootstrap.

mod listing;
mod matching;
mod reading;
mod rows;
mod statistics;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use crate::pipelines::comparison::BaselineRow;
pub use rows::{AccountingRow, BalanceRow, LengthRow, PairRow, StatisticsRow};

use crate::error::{Error, Result};
use crate::genome::annotation::{Annotation, Gene};
use crate::genome::classes::{Class, ClassWindows, ContigClasses};
use crate::genome::contig_names::ContigNames;
use crate::genome::fasta::Genome;
use crate::genome::promoters::Window;
use crate::genome::{Interval, Strand};
use crate::pipelines::comparison::ContigReader;
use crate::pipelines::{BoundarySource, Progress};
use crate::stats::rng::Rng;

/// Parts of a class shorter than this are no stretches, in bases.
pub const LEAST_BP: usize = 20;

/// Bases of a promoter before and after its start.
pub const PROMOTER: Window = Window {
    upstream_bp: 250,
    downstream_bp: 50,
};

/// A control lies within this distance of its stretch, in bases.
pub const NEIGHBOURHOOD_BP: usize = 50_000;

/// Tokens are followed so far beyond the position they start at, in bases; longer ones are counted
/// together.
pub const TOKEN_REACH: usize = 64;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DensityRequest {
    /// Bases of a stretch, at most.
    pub stretch_bp: usize,
    /// Stretches of a class, at most; a random subset where there are more.
    pub max_per_class: usize,
    /// Largest difference in G+C fraction between a stretch and its control.
    pub caliper: f64,
    /// Contigs, by any of their names; empty for all.
    pub contigs: Vec<String>,
    /// Biotypes of the genes whose classes are asked about; empty for all. Genes of other biotypes
    /// have no stretches, and are no controls.
    #[serde(default)]
    pub biotypes: Vec<String>,
    /// Bases of a tile given to the model.
    pub context: usize,
    /// Least distance of a position from the ends of its tile, in bases.
    pub margin: usize,
    /// Random flips of the permutation tests.
    pub permutations: usize,
    /// Draws of the bootstrap.
    pub bootstraps: usize,
    /// Seed of everything random.
    pub seed: u64,
    /// Tiles per call of the model.
    pub batch: usize,
    /// Compare two controls of each stretch with each other, in random order: expected to be null.
    pub negative_control: bool,
    /// Whether an untrained model of the same size reads the same stretches and controls.
    #[serde(default)]
    pub untrained: bool,
}

impl Default for DensityRequest {
    fn default() -> Self {
        DensityRequest {
            stretch_bp: 100,
            max_per_class: 400,
            caliper: 0.03,
            contigs: Vec::new(),
            biotypes: Vec::new(),
            context: 4096,
            margin: 512,
            permutations: 10_000,
            bootstraps: 2000,
            seed: 1,
            batch: 4,
            negative_control: false,
            untrained: false,
        }
    }
}

impl DensityRequest {
    fn check(&self) -> Result<()> {
        let invalid = |message: String| Err(Error::Invalid(message));
        if self.stretch_bp < LEAST_BP || self.max_per_class == 0 {
            return invalid(format!(
                "stretches of {} bases, {} a class: at least {LEAST_BP} and 1",
                self.stretch_bp, self.max_per_class
            ));
        }
        let needed = self.stretch_bp + TOKEN_REACH + 2 * self.margin.max(1);
        if needed > self.context {
            return invalid(format!(
                "a context of {} bases has no room for stretches of {} bases, {TOKEN_REACH} more for tokens and a margin of {} on both sides: it takes {needed}",
                self.context, self.stretch_bp, self.margin
            ));
        }
        Ok(())
    }
}

/// A stretch under study.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Stretch {
    contig: usize,
    class: Class,
    part: Interval,
    strand: Strand,
}

/// Stretches of the unit of replication.
#[derive(Clone, Debug)]
struct Unit {
    contig: usize,
    interval: Interval,
}

/// A stretch and its control; in a negative control two controls.
#[derive(Clone, Debug)]
struct Pair {
    class: Class,
    contig: usize,
    strand: Strand,
    unit: usize,
    stretch: Interval,
    control: Interval,
    covariates: [[f64; 3]; 2],
}

/// What was found: plain tables.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Density {
    /// One row a class.
    pub accounting: Vec<AccountingRow>,
    /// By class, contig and start.
    pub pairs: Vec<PairRow>,
    /// The same pairs as an untrained model reads them; empty where none was asked.
    pub untrained: Vec<PairRow>,
    /// By measure and class.
    pub statistics: Vec<StatisticsRow>,
    /// By class, group and length.
    pub token_lengths: Vec<LengthRow>,
    /// By class.
    pub balance: Vec<BalanceRow>,
    /// How much of the boundary probability the letters nearby explain.
    pub baseline: Vec<BaselineRow>,
    /// Annotation contigs that are not in the genome.
    pub contigs_unmatched: usize,
    /// Tiles the model read.
    pub tiles_read: u64,
    /// Bases in them.
    pub bases_read: u64,
    /// Whether this compared controls with controls.
    pub negative_control: bool,
}

/// Lists, matches, reads and compares; `reference` is an untrained model that reads the same
/// stretches and controls. Memory holds one contig and the stretches that were drawn,
/// whatever the genome; the result depends on the inputs and the seed, not on threads or (but for
/// the model's own rounding) on `batch`.
///
/// # Errors
/// A request that cannot be met, an unreadable contig, an unknown contig, and what the model
/// reports. A class without stretches is no error.
pub fn run(
    genome: &Genome,
    annotation: &Annotation,
    (source, reference): (&dyn BoundarySource, Option<&dyn BoundarySource>),
    request: &DensityRequest,
    progress: &dyn Fn(Progress),
) -> Result<Density> {
    request.check()?;
    let rng = Rng::new(request.seed);
    let names = ContigNames::new(genome.contigs().iter().map(|contig| &contig.name));
    let map = names.map_annotation(&annotation.contigs)?;
    let chosen = chosen(genome, &names, annotation, &map, request)?;
    annotation.check_biotypes(&request.biotypes)?;
    let mut genes = BTreeMap::new();
    for gene in &annotation.genes {
        genes
            .entry(map[gene.contig])
            .or_insert_with(Vec::new)
            .push(gene);
    }
    let windows = ClassWindows {
        junction_bp: request.stretch_bp / 2,
        promoter: PROMOTER,
    };
    let classes = |contig: usize, sequence: &[u8]| {
        let genes: &[&Gene] = genes.get(&Some(contig)).map_or(&[], Vec::as_slice);
        let all = ContigClasses::new(sequence, genes, &windows);
        if request.biotypes.is_empty() {
            return all;
        }
        let asked: Vec<&Gene> = genes
            .iter()
            .copied()
            .filter(|gene| request.biotypes.contains(&gene.biotype))
            .collect();
        all.only(&ContigClasses::new(sequence, &asked, &windows))
    };
    let mut contigs = ContigReader::new(genome, source);
    let total: u64 = chosen
        .iter()
        .map(|contig| genome.contigs()[*contig].length_bp as u64)
        .sum();
    let mut listing = listing::Listing::new(request, &rng);
    let mut done = 0;
    for &contig in &chosen {
        progress(Progress {
            stage: "listing classes",
            done,
            total,
        });
        let sequence = contigs.get(contig)?;
        let classes = classes(contig, sequence);
        listing.contig(contig, &genome.contigs()[contig].name, sequence, &classes);
        done += sequence.len() as u64;
    }
    let (mut accounting, stretches) = listing.finish();
    let mut matched = matching::Matched::default();
    let mut done = 0;
    for stretches in stretches.chunk_by(|a, b| a.contig == b.contig) {
        progress(Progress {
            stage: "matching",
            done,
            total,
        });
        let contig = stretches[0].contig;
        let sequence = contigs.get(contig)?;
        let classes = classes(contig, sequence);
        matched.contig(contig, sequence, &classes, stretches, request, &rng);
        done += sequence.len() as u64;
    }
    for row in &mut accounting {
        row.n_used = matched
            .pairs
            .iter()
            .filter(|pair| pair.class.name() == row.class)
            .count() as u64;
        row.n_no_control = row.n_sampled - row.n_used;
    }
    let mut outcome = |source: &dyn BoundarySource| -> Result<Option<Density>> {
        let read = reading::read(genome, &mut contigs, &matched, source, request, progress)?;
        if source.is_part() {
            return Ok(None);
        }
        progress(Progress {
            stage: "testing",
            done: 0,
            total: 1,
        });
        Ok(Some(statistics::outcome(genome, &matched, read, request)))
    };
    let (own, untrained) = (outcome(source)?, reference.map(outcome).transpose()?);
    let Some(mut found) = own else {
        return Ok(Density::default());
    };
    if let Some(untrained) = untrained.flatten() {
        found.beside(untrained);
    }
    found.accounting = accounting;
    found.contigs_unmatched = map.iter().filter(|contig| contig.is_none()).count();
    found.negative_control = request.negative_control;
    Ok(found)
}

impl Density {
    /// Takes what an untrained model shows of the same pairs.
    fn beside(&mut self, untrained: Density) {
        let named = |row: StatisticsRow| {
            let measure = match &*row.measure {
                "probability" => "untrained",
                "residual" => "untrained_residual",
                _ => return None,
            };
            Some(StatisticsRow {
                measure: measure.into(),
                ..row
            })
        };
        self.statistics
            .extend(untrained.statistics.into_iter().filter_map(named));
        self.untrained = untrained.pairs;
        self.tiles_read += untrained.tiles_read;
        self.bases_read += untrained.bases_read;
    }
}

/// The genome's contigs that are asked about, in its order.
fn chosen(
    genome: &Genome,
    names: &ContigNames,
    annotation: &Annotation,
    map: &[Option<usize>],
    request: &DensityRequest,
) -> Result<Vec<usize>> {
    if request.contigs.is_empty() {
        // A contig that the annotation does not know would be one class, intergenic, without being
        // so.
        let mut known: Vec<usize> = map.iter().flatten().copied().collect();
        known.sort_unstable();
        known.dedup();
        return Ok(known);
    }
    let mut found = Vec::new();
    for name in &request.contigs {
        let by_annotation = || {
            map[annotation
                .contigs
                .iter()
                .position(|contig| contig == name)?]
        };
        let index = names.find(name).or_else(by_annotation);
        found.push(index.ok_or_else(|| {
            Error::Invalid(format!(
                "no contig '{name}' in the genome; it has {}",
                names.examples()
            ))
        })?);
    }
    found.sort_unstable();
    found.dedup();
    debug_assert!(found.iter().all(|contig| *contig < genome.contigs().len()));
    Ok(found)
}

#[cfg(test)]
mod tests;
