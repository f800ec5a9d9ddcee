//! What the model says around sites and controls.

use std::collections::{BTreeMap, HashMap};

use super::{ContigReader, ENDPOINT_REACH};
use crate::error::Result;
use crate::genome::Strand;
use crate::genome::fasta::Genome;
use crate::genome::junctions::SiteKind;
use crate::pipelines::tiles::{TilePlan, TileShape, Window, plan, read_tiles};
use crate::pipelines::{BoundaryModel, Progress};
use crate::stats::bootstrap::ProfileSums;
use crate::stats::mean;

/// Which member of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Group {
    Site,
    Control,
}

/// One position whose surroundings are read.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    pub site: usize,
    pub contig: usize,
    pub strand: Strand,
    pub kind: SiteKind,
    pub cluster: usize,
    pub position: usize,
    pub group: Group,
    /// Whether it enters the profile.
    pub paired: bool,
}

/// Plans, then results: of each profile only its sum by cluster and its endpoint are kept.
pub(super) struct Readings {
    flank: usize,
    plans: BTreeMap<(usize, Strand), (Vec<Subject>, TilePlan)>,
    pub profiles: BTreeMap<(SiteKind, Group), ProfileSums>,
    /// Mean over the endpoint's offsets, by site number and member of the pair.
    pub endpoints: HashMap<(usize, Group), f64>,
    pub tiles: u64,
    pub bases: u64,
}

impl Readings {
    pub fn plan(subjects: Vec<Subject>, genome: &Genome, shape: &TileShape, flank: usize) -> Result<Readings> {
        let mut by_strand: BTreeMap<(usize, Strand), Vec<Subject>> = BTreeMap::new();
        for subject in subjects {
            by_strand.entry((subject.contig, subject.strand)).or_default().push(subject);
        }
        let mut plans = BTreeMap::new();
        for ((contig, strand), subjects) in by_strand {
            let window = |s: &Subject| Window { low: s.position.saturating_sub(flank), high: s.position + flank };
            let contig_bp = genome.contigs().get(contig).map_or(0, |c| c.length_bp);
            let tiles = plan(subjects.iter().map(window).collect(), contig_bp, shape)?;
            plans.insert((contig, strand), (subjects, tiles));
        }
        let (mut tiles, mut bases) = (0, 0);
        for (_, plan) in plans.values() {
            tiles += plan.tiles.len() as u64;
            bases += plan.bases();
        }
        Ok(Readings { flank, plans, profiles: BTreeMap::new(), endpoints: HashMap::new(), tiles, bases })
    }

    pub fn read(
        &mut self,
        contigs: &mut ContigReader<'_>,
        model: &dyn BoundaryModel,
        batch: usize,
        progress: &dyn Fn(Progress),
    ) -> Result<()> {
        let (flank, total, mut done) = (self.flank, self.bases, 0);
        progress(Progress { stage: "reading sequence", done, total });
        for ((contig, strand), (subjects, tiles)) in &self.plans {
            let sequence = contigs.get(*contig)?;
            let (profiles, endpoints) = (&mut self.profiles, &mut self.endpoints);
            let mut report = |bases| {
                done += bases;
                progress(Progress { stage: "reading sequence", done, total });
            };
            let mut keep = |index: usize, values: &[f32]| {
                let subject: &Subject = &subjects[index];
                let around: Vec<f64> = values[flank - ENDPOINT_REACH..=flank + ENDPOINT_REACH].iter().map(|v| f64::from(*v)).collect();
                endpoints.insert((subject.site, subject.group), mean(&around));
                if subject.paired {
                    let sums = profiles.entry((subject.kind, subject.group)).or_insert_with(|| ProfileSums::new(2 * flank + 1));
                    sums.add(subject.cluster, values);
                }
            };
            read_tiles(sequence, *strand, tiles, batch, model, &mut report, &mut keep)?;
        }
        Ok(())
    }
}
