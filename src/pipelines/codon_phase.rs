//! Do boundaries keep to codons? How often each position of a codon is cut, against the same k-mers
//! at the other positions of codons and outside of coding sequence, stage by stage of a model.
//!
//! The unit of replication is a cluster of overlapping genes.

mod genes;
mod rows;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use genes::{EDGE_BP, FLANK_BP};
pub use rows::{ClusterRow, ComparisonRow, GeneRow, PhaseRow};

use crate::error::{Error, Result};
use crate::genome::annotation::Annotation;
use crate::genome::fasta::Genome;
use crate::pipelines::boundaries::{self, BoundariesRequest};
use crate::pipelines::tiles::ContigStrand;
use crate::pipelines::{BoundarySource, Progress};
use crate::stats::bootstrap::totals_interval;
use crate::stats::multiplicity::holm;
use crate::stats::rng::Rng;
use crate::stats::stratified::{Observation, stratified};
use genes::{Group, StrandPlan, Study};

/// Confidence level of intervals.
const LEVEL: f64 = 0.95;

/// Letters on either side of a position that make up its k-mer.
pub const K_HALF: usize = 3;

const KMERS: usize = 1 << (4 * K_HALF);

/// Positions of a codon.
pub const PHASES: usize = 3;

/// The same k-mers at the other two positions of codons.
pub const OTHER_FRAMES: &str = "other frames";
/// The same k-mers in introns and untranslated exons beside.
pub const OUTSIDE: &str = "outside CDS";

/// What is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CodonPhaseRequest {
    /// Contigs, by any of their names; empty for all.
    pub contigs: Vec<String>,
    /// Genes, at most; a random subset where there are more.
    pub max_genes: usize,
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
}

impl Default for CodonPhaseRequest {
    fn default() -> Self {
        CodonPhaseRequest {
            contigs: Vec::new(),
            max_genes: 500,
            context: 4096,
            margin: 512,
            permutations: 10_000,
            bootstraps: 2000,
            seed: 1,
            batch: 4,
        }
    }
}

/// What was found: plain tables.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CodonPhase {
    /// One row a stage and position of a codon.
    pub phases: Vec<PhaseRow>,
    /// One row a stage, control and position of a codon.
    pub comparisons: Vec<ComparisonRow>,
    /// What each cluster adds to those: every test can be redone from these.
    pub clusters: Vec<ClusterRow>,
    /// What became of genes with a CDS, and how many.
    pub genes: Vec<GeneRow>,
    /// Bases that the model read, in all its stages.
    pub bases_read: u64,
}

/// A position that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    cluster: u32,
    kmer: u32,
    group: Group,
    /// Bit `s`: a boundary of stage `s`.
    cut: u8,
}

/// Runs the analysis; `stages` are the routers of a model, the outermost first.
///
/// # Errors
/// A request that cannot be met, a genome and an annotation that do not fit each other, an
/// unreadable contig, and what the sources report.
pub fn run(
    genome: &Genome,
    annotation: &Annotation,
    stages: &[&dyn BoundarySource],
    request: &CodonPhaseRequest,
    progress: &dyn Fn(Progress),
) -> Result<CodonPhase> {
    if request.margin.max(1).saturating_mul(2) >= request.context {
        return Err(Error::Invalid(format!(
            "a context of {} bases has no room between margins of {}",
            request.context, request.margin
        )));
    }
    let mut study = Study::new(genome, annotation, request)?;
    let plans = study.plans(genome, annotation)?;
    let total = plans.iter().map(StrandPlan::bases).sum::<u64>() * stages.len() as u64;
    let (mut seen, mut done, mut bases_read) = (Vec::new(), 0, 0);
    let mut is_part = false;
    for plan in &plans {
        let sequence = genome.read_contig(&genome.contigs()[plan.contig].name)?;
        let on = ContigStrand {
            contig: &genome.contigs()[plan.contig].name,
            sequence: &sequence,
            strand: plan.strand,
        };
        let reading = BoundariesRequest {
            context: request.context,
            margin: request.margin,
            batch: request.batch,
            seams: 0,
        };
        let mut cut = vec![0u8; sequence.len()];
        for (stage, source) in stages.iter().enumerate() {
            let mut take = |first: usize, values: &[f32]| {
                // A base that the stage never sees is none of its boundaries.
                for (cut, value) in cut[first..].iter_mut().zip(values) {
                    *cut |= u8::from(*value > 0.5) << stage;
                }
                done += values.len() as u64;
                progress(Progress {
                    stage: "reading sequence",
                    done,
                    total,
                });
                Ok(())
            };
            let read = boundaries::read(on, &plan.regions, *source, &reading, &mut take)?;
            bases_read += read.bases_read;
            is_part |= source.is_part();
        }
        let of = |place: &genes::CodonSite| Seen {
            cluster: place.cluster,
            kmer: place.kmer,
            group: place.group,
            cut: cut[place.base],
        };
        seen.extend(plan.places.iter().map(of));
    }
    let mut found = CodonPhase {
        genes: study.rows(),
        bases_read,
        ..CodonPhase::default()
    };
    if is_part {
        return Ok(found);
    }
    progress(Progress {
        stage: "testing",
        done: 0,
        total: 1,
    });
    for stage in 0..stages.len() {
        found.phases.extend(phases(&seen, stage, request));
        for control in [OTHER_FRAMES, OUTSIDE] {
            let rows: Vec<(ComparisonRow, Vec<ClusterRow>)> = (0..PHASES)
                .filter_map(|phase| compared(&seen, stage, phase, control, &study, request))
                .collect();
            let p: Vec<f64> = rows.iter().map(|(row, _)| row.p_value).collect();
            for ((mut row, clusters), p) in rows.into_iter().zip(holm(&p)) {
                row.p_holm = p;
                found.comparisons.push(row);
                found.clusters.extend(clusters);
            }
        }
    }
    Ok(found)
}

/// The share of boundaries at each position of codons, and what the k-mers there let expect
/// whatever the frame.
fn phases(seen: &[Seen], stage: usize, request: &CodonPhaseRequest) -> Vec<PhaseRow> {
    let coding = || {
        seen.iter().filter_map(move |one| match one.group {
            Group::Phase(phase) => Some((one, usize::from(phase), one.cut >> stage & 1 == 1)),
            Group::Outside => None,
        })
    };
    let mut kmers = vec![[0u64; 2]; KMERS];
    let mut clusters: BTreeMap<u32, [f64; PHASES]> = BTreeMap::new();
    for (one, phase, is_cut) in coding() {
        let counts = &mut kmers[one.kmer as usize];
        counts[0] += 1;
        counts[1] += u64::from(is_cut);
        clusters.entry(one.cluster).or_default()[phase] += f64::from(u8::from(is_cut));
    }
    let (mut n, mut cut, mut expected) = ([0u64; PHASES], [0u64; PHASES], [0.0; PHASES]);
    for (one, phase, is_cut) in coding() {
        let [all, cuts] = kmers[one.kmer as usize];
        n[phase] += 1;
        cut[phase] += u64::from(is_cut);
        expected[phase] += cuts as f64 / all as f64;
    }
    let rows: Vec<[f64; PHASES]> = clusters.into_values().collect();
    let (cuts, sum) = (cut.iter().sum::<u64>() as f64, expected.iter().sum::<f64>());
    let row = |phase: usize| {
        let (share_low, share_high) = totals_interval(
            &rows,
            |cuts| cuts[phase] / cuts.iter().sum::<f64>(),
            request.bootstraps,
            LEVEL,
            &Rng::new(request.seed).derive("shares"),
        );
        PhaseRow {
            stage: stage as u64,
            phase: phase as u64,
            n_positions: n[phase],
            n_boundaries: cut[phase],
            n_clusters: rows.len() as u64,
            rate: cut[phase] as f64 / n[phase] as f64,
            share: cut[phase] as f64 / cuts,
            share_low,
            share_high,
            expected: expected[phase] / sum,
        }
    };
    (0..PHASES).map(row).collect()
}

/// One position of codons against a control; `None` where no k-mer is on both sides.
fn compared(
    seen: &[Seen],
    stage: usize,
    phase: usize,
    control: &str,
    study: &Study,
    request: &CodonPhaseRequest,
) -> Option<(ComparisonRow, Vec<ClusterRow>)> {
    let observations = seen.iter().filter_map(|one| {
        let first = match one.group {
            Group::Phase(own) if usize::from(own) == phase => true,
            Group::Phase(_) if control == OTHER_FRAMES => false,
            Group::Outside if control == OUTSIDE => false,
            _ => return None,
        };
        Some(Observation {
            cluster: one.cluster,
            stratum: one.kmer,
            first,
            hit: one.cut >> stage & 1 == 1,
        })
    });
    let found = stratified(observations, KMERS);
    if found.clusters.is_empty() {
        return None;
    }
    let sums = found.sums();
    let test = sums.test(request.permutations, request.seed);
    let (ci_low, ci_high) = sums.interval(request.permutations, LEVEL, request.seed);
    let row = ComparisonRow {
        stage: stage as u64,
        control: control.into(),
        phase: phase as u64,
        n_positions: found.n_first,
        n_controls: found.n_second,
        n_unmatched: found.n_unmatched,
        n_clusters: test.n_clusters as u64,
        rate: found.first,
        control_rate: found.second,
        difference: test.statistic,
        ci_low,
        ci_high,
        p_value: test.p_value,
        p_floor: test.p_floor,
        p_holm: f64::NAN,
    };
    let clusters = found
        .clusters
        .iter()
        .map(|(cluster, sum, count)| ClusterRow {
            stage: stage as u64,
            control: control.into(),
            phase: phase as u64,
            cluster: study.cluster_name(*cluster),
            sum: *sum,
            weight: *count,
        });
    Some((row, clusters.collect()))
}
