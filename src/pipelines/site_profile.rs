//! Do boundaries tell any list of sites from controls: random positions nearby, or a second list?
//!
//! The unit of replication is a block of the genome: sites and controls within it are read, drawn
//! and flipped together.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::controls::{ControlRequest, Core, Family};
use crate::error::{Error, Result};
use crate::genome::bed::BedRecord;
use crate::genome::classes::overlaps_any;
use crate::genome::contig_names::ContigNames;
use crate::genome::fasta::Genome;
use crate::genome::junctions::{SiteStatus, window_status};
use crate::genome::{Interval, Strand};
use crate::pipelines::comparison::{
    self, Comparison, ComparisonRequest, ContigReader, LetterRow, Site, SiteClass, Study,
};
use crate::pipelines::{BoundarySource, Progress};
use crate::stats::rng::Rng;

/// Which inter-base position of a record is the site, in the orientation of its strand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Anchor {
    /// Its 5' end.
    #[default]
    Start,
    /// Its middle, rounded down on the plus strand.
    Middle,
    /// Its 3' end.
    End,
}

impl Anchor {
    /// The name in tables and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        }
    }

    fn position(self, of: Interval, strand: Strand) -> usize {
        match (self, strand) {
            (Anchor::Middle, _) => of.start + of.len_bp() / 2,
            (Anchor::Start, Strand::Plus) | (Anchor::End, Strand::Minus) => of.start,
            (Anchor::Start, Strand::Minus) | (Anchor::End, Strand::Plus) => of.end,
        }
    }
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SiteProfileRequest {
    /// What is asked whatever the sites.
    #[serde(flatten)]
    pub comparison: ComparisonRequest,
    /// The position of a record.
    pub anchor: Anchor,
    /// Bases of a block: the unit of replication.
    pub block_bp: usize,
    /// Contigs, by any of their names; empty for all.
    pub contigs: Vec<String>,
    /// At most this many sites, a random subset; `None` for all.
    pub max_sites: Option<usize>,
    /// First and last offset whose boundaries are to tell sites from controls.
    pub window: (i64, i64),
    /// Whether an untrained model of the same size is asked beside the source.
    pub untrained: bool,
}

impl Default for SiteProfileRequest {
    fn default() -> Self {
        let comparison = ComparisonRequest::default();
        let controls = ControlRequest {
            families: vec![Family::Random],
            ..comparison.controls.clone()
        };
        SiteProfileRequest {
            comparison: ComparisonRequest {
                controls,
                ..comparison
            },
            anchor: Anchor::Start,
            block_bp: 50_000,
            contigs: Vec::new(),
            max_sites: None,
            window: (-10, 10),
            untrained: false,
        }
    }
}

/// The kind of all sites, in tables.
pub const SITE: &str = "site";
/// The kind of the controls of a list, in `accounting`.
pub const CONTROL: &str = "control";

/// One record of the list of sites.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SiteRow {
    /// `contig:position:strand`, the site's name in the other tables.
    pub site: String,
    /// Contig, as the genome names it (as the list does, where the genome lacks it).
    pub contig: String,
    /// 0-based inter-base position on the plus strand.
    pub position: u64,
    /// `+` or `-`.
    pub strand: String,
    /// Its name in the list; empty for none.
    pub name: String,
    /// Its line in the list, from 1.
    pub line: u64,
    /// `used`, or why not.
    pub status: String,
    /// Mean boundary probability over offsets -2..+2, where the site was read.
    pub site_value: Option<f64>,
    /// The name of its matched control in the first family, where it has one.
    pub control_site: Option<String>,
}

/// How many sites, or controls of a list, have a status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountingRow {
    /// [`SITE`] or [`CONTROL`].
    pub kind: String,
    /// `used` (of controls: `usable`), or why not.
    pub status: String,
    /// Records.
    pub n: u64,
}

/// What was found: plain tables.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SiteProfile {
    /// Every record of the list, in its order.
    pub sites: Vec<SiteRow>,
    /// Records by status.
    pub accounting: Vec<AccountingRow>,
    /// Nucleotides around the used sites.
    pub letters: Vec<LetterRow>,
    /// Records without a strand, which were read on plus: sites and controls.
    pub unstranded: [u64; 2],
    /// Sites against controls.
    pub comparison: Comparison,
}

/// Statuses that splice sites do not have.
const DUPLICATE: &str = "duplicate";
const NO_SITE_IN_BLOCK: &str = "no_site_in_block";
/// A control that a site may be told from.
const USABLE: &str = "usable";

/// A record on the genome.
#[derive(Clone, Debug)]
struct Located {
    /// `None` where the genome lacks it.
    contig: Option<usize>,
    position: usize,
    strand: Strand,
    status: &'static str,
}

/// Runs the analysis. `controls` are those of family `bed`.
///
/// # Errors
/// A request that cannot be met, a list of which the genome has no contig, an unreadable contig,
/// and what the model reports. A list without a usable site is no error: every count is there and
/// the statistics are `NaN`.
pub fn run(
    genome: &Genome,
    (sites, controls): (&[BedRecord], &[BedRecord]),
    (source, reference): (&dyn BoundarySource, Option<&dyn BoundarySource>),
    request: &SiteProfileRequest,
    progress: &dyn Fn(Progress),
) -> Result<SiteProfile> {
    request.comparison.check()?;
    if request.block_bp < 2 * request.comparison.flank {
        return Err(Error::Invalid(format!(
            "blocks of {} bases are shorter than the profile of a site, {}",
            request.block_bp,
            2 * request.comparison.flank
        )));
    }
    let mut contigs = ContigReader::new(genome, source);
    let names = ContigNames::new(genome.contigs().iter().map(|contig| &contig.name));
    let chosen: BTreeSet<usize> = genome.numbers(&request.contigs)?.into_iter().collect();
    let locate = |records: &[BedRecord]| -> Vec<Located> {
        let located = |record: &BedRecord| {
            let contig = names.find(&record.contig);
            let strand = record.strand.unwrap_or(Strand::Plus);
            let status = match contig {
                None => SiteStatus::ContigNotInGenome,
                Some(c) if !chosen.is_empty() && !chosen.contains(&c) => {
                    SiteStatus::ContigNotChosen
                }
                Some(_) => SiteStatus::Used,
            };
            Located {
                contig,
                position: request.anchor.position(record.interval, strand),
                strand,
                status: status.name(),
            }
        };
        records.iter().map(located).collect()
    };
    let (mut located, mut others) = (locate(sites), locate(controls));
    for (records, all) in [(sites, &located), (controls, &others)] {
        if !records.is_empty() && all.iter().all(|one| one.contig.is_none()) {
            return Err(Error::Invalid(names.lacks(&records[0].contig)));
        }
    }
    check(&mut located, &mut contigs, request, progress)?;
    check(&mut others, &mut contigs, request, progress)?;
    sample(&mut located, request);
    let block = |one: &Located| Some((one.contig?, one.position / request.block_bp));
    let of_sites: BTreeSet<(usize, usize)> = located
        .iter()
        .filter(|one| one.is_used())
        .filter_map(block)
        .collect();
    for one in others.iter_mut().filter(|one| one.is_used()) {
        one.status = match block(one).is_some_and(|block| of_sites.contains(&block)) {
            true => USABLE,
            false => NO_SITE_IN_BLOCK,
        };
    }
    let study = study(genome, &located, &others, request);
    let found = comparison::run(
        &study,
        &mut contigs,
        (source, reference),
        &request.comparison,
        progress,
    )?;
    for (index, one) in located
        .iter_mut()
        .enumerate()
        .filter(|(_, one)| one.is_used())
    {
        if (found.by_site.get(&index)).is_none_or(|facts| facts.control.is_none()) {
            one.status = SiteStatus::NoPartner.name();
        }
    }
    let row = |(index, one): (usize, &Located)| {
        let facts = found.by_site.get(&index);
        let contig = one
            .contig
            .map_or(&*sites[index].contig, |contig| study.contig_name(contig));
        SiteRow {
            site: format!("{contig}:{}:{}", one.position, one.strand),
            contig: contig.into(),
            position: one.position as u64,
            strand: one.strand.to_string(),
            name: sites[index].name.clone(),
            line: sites[index].line,
            status: one.status.into(),
            site_value: facts.and_then(|facts| facts.value),
            control_site: facts.and_then(|facts| facts.control.clone()),
        }
    };
    let used = (study.sites.iter()).filter(|site| located[site.number].is_used());
    let unstranded =
        |records: &[BedRecord]| records.iter().filter(|r| r.strand.is_none()).count() as u64;
    Ok(SiteProfile {
        sites: located.iter().enumerate().map(row).collect(),
        accounting: accounting(&located, &others),
        letters: comparison::letters(used, &study.kinds, &mut contigs)?,
        unstranded: [unstranded(sites), unstranded(controls)],
        comparison: found,
    })
}

impl Located {
    fn is_used(&self) -> bool {
        self.status == SiteStatus::Used.name()
    }
}

/// Looks for repeats, and at the sequence around each.
fn check(
    all: &mut [Located],
    contigs: &mut ContigReader<'_>,
    request: &SiteProfileRequest,
    progress: &dyn Fn(Progress),
) -> Result<()> {
    let mut order: Vec<usize> = (0..all.len()).filter(|i| all[*i].is_used()).collect();
    order.sort_by_key(|i| (all[*i].contig, all[*i].position, all[*i].strand)); // stable: first lines first
    let mut last = None;
    for (done, index) in order.iter().enumerate() {
        if done % 1024 == 0 {
            progress(Progress {
                stage: "checking sites",
                done: done as u64,
                total: order.len() as u64,
            });
        }
        let one = &mut all[*index];
        let place = (one.contig, one.position, one.strand);
        if last.replace(place) == Some(place) {
            one.status = DUPLICATE;
            continue;
        }
        let comparison = &request.comparison;
        let (sequence, missing) = contigs.letters(one.contig.unwrap_or(0))?;
        one.status = match window_status(sequence, one.position, comparison.radius_bp()) {
            SiteStatus::Used
                if overlaps_any(missing, &comparison.bases_read(one.position, one.strand)) =>
            {
                SiteStatus::NoSignal
            }
            status => status,
        }
        .name();
    }
    Ok(())
}

/// Keeps a random subset of `max_sites`.
fn sample(all: &mut [Located], request: &SiteProfileRequest) {
    let Some(max_sites) = request.max_sites else {
        return;
    };
    let mut usable: Vec<usize> = (0..all.len()).filter(|i| all[*i].is_used()).collect();
    let mut rng = Rng::new(request.comparison.seed).derive("sample site");
    rng.shuffle(&mut usable);
    for index in usable.into_iter().skip(max_sites) {
        all[index].status = SiteStatus::NotSampled.name();
    }
}

/// Sites and their blocks.
fn study<'a>(
    genome: &'a Genome,
    located: &[Located],
    others: &[Located],
    request: &SiteProfileRequest,
) -> Study<'a> {
    let blocks: Vec<(usize, Interval)> = (genome.contigs().iter().enumerate())
        .flat_map(|(contig, of)| {
            (0..of.length_bp)
                .step_by(request.block_bp)
                .map(move |start| {
                    let end = (start + request.block_bp).min(of.length_bp);
                    (contig, Interval::new(start, end))
                })
        })
        .collect();
    let mut first_block = vec![0; genome.contigs().len() + 1];
    (blocks.iter()).for_each(|(contig, _)| first_block[contig + 1] += 1);
    (1..first_block.len()).for_each(|i| first_block[i] += first_block[i - 1]);
    let mut annotated: BTreeMap<(usize, Strand), BTreeSet<usize>> = BTreeMap::new();
    let mut given: BTreeMap<(usize, Strand), Vec<BedRecord>> = BTreeMap::new();
    let mut sites = Vec::new();
    for (number, one) in located.iter().enumerate() {
        let Some(contig) = one.contig else { continue };
        (annotated.entry((contig, one.strand)).or_default()).insert(one.position);
        if one.is_used() {
            let cluster = first_block[contig] + one.position / request.block_bp;
            sites.push(Site {
                number,
                kind: 0,
                contig,
                position: one.position,
                strand: one.strand,
                genes: vec![blocks[cluster].1],
                cluster,
            });
        }
    }
    sites.sort_by_key(|site| (site.contig, site.position, site.strand));
    for one in others.iter().filter(|one| one.status == USABLE) {
        let Some(contig) = one.contig else { continue };
        given
            .entry((contig, one.strand))
            .or_default()
            .push(BedRecord {
                line: 0,
                contig: genome.contigs()[contig].name.clone(),
                interval: Interval::new(one.position, one.position),
                name: String::new(),
                strand: Some(one.strand),
            });
    }
    Study {
        genome,
        kinds: vec![SiteClass {
            name: SITE,
            core: Core {
                letters: Vec::new(),
                start: 0,
            },
            span: None,
            window: request.window,
        }],
        references: sites.clone(),
        sites,
        clusters: blocks,
        annotated,
        exons: BTreeMap::new(),
        given,
    }
}

fn accounting(located: &[Located], others: &[Located]) -> Vec<AccountingRow> {
    let of = |kind: &str, all: &[Located]| -> Vec<AccountingRow> {
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        (all.iter()).for_each(|one| *counts.entry(one.status).or_default() += 1);
        (counts.into_iter())
            .map(|(status, n)| AccountingRow {
                kind: kind.into(),
                status: status.into(),
                n,
            })
            .collect()
    };
    let mut rows = of(SITE, located);
    rows.extend(of(CONTROL, others));
    rows
}

#[cfg(test)]
mod tests;
