//! Do boundaries fall on splice junctions? Annotated donors and acceptors against matched controls.

mod rows;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use crate::pipelines::comparison::{
    BalanceRow, BaselineRow, Comparison, ComparisonRequest, ControlRow, Discrimination,
    ENDPOINT_REACH, HeatmapRow, LetterRow, MOST_BINS, MOST_SITES, MatchingRow, OffsetRow, PairRow,
    ProfileRow, ReplicateUnit, RunRow, StatisticsRow, StrandRow, SumRow, WidthRow,
};
pub use rows::{AccountingRow, SiteRow};

use crate::controls::strength::Span;
use crate::controls::{Core, Side};
use crate::error::Result;
use crate::genome::annotation::{Annotation, AnnotationSummary};
use crate::genome::bed::BedRecord;
use crate::genome::contig_names;
use crate::genome::fasta::Genome;
use crate::genome::junctions::{
    CanonicalRule, JunctionRequest, Junctions, SiteKind, SiteStatus, TranscriptChoice,
};
use crate::genome::region::Region;
use crate::genome::{Interval, Strand, merge_intervals};
use crate::pipelines::comparison::{self, ContigReader, Site, SiteClass, Study};
use crate::pipelines::{BoundarySource, Progress};
use crate::stats::rng::Rng;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpliceProfileRequest {
    /// What is asked whatever the sites.
    #[serde(flatten)]
    pub comparison: ComparisonRequest,
    /// Which transcripts speak for a gene.
    pub transcripts: TranscriptChoice,
    /// Gene biotypes; empty for all.
    pub biotypes: Vec<String>,
    /// Contigs, by any of their names; empty for all.
    pub contigs: Vec<String>,
    /// Only genes that lie wholly in one of these regions; empty for all.
    #[serde(default)]
    pub regions: Vec<Region>,
    /// At most this many sites of each kind, a random subset; `None` for all.
    pub max_sites: Option<usize>,
    /// Shorter introns are left out, in bases.
    pub min_intron_bp: usize,
    /// First and last offset whose boundaries are to tell donors from decoys.
    pub donor_window: (i64, i64),
    /// The same of acceptors.
    pub acceptor_window: (i64, i64),
    /// Whether an untrained model of the same size is asked beside the source.
    pub untrained: bool,
}

impl Default for SpliceProfileRequest {
    fn default() -> Self {
        SpliceProfileRequest {
            comparison: ComparisonRequest::default(),
            transcripts: TranscriptChoice::Canonical,
            biotypes: Vec::new(),
            contigs: Vec::new(),
            regions: Vec::new(),
            max_sites: None,
            min_intron_bp: 30,
            donor_window: (-10, 10),
            acceptor_window: (-30, 10),
            untrained: false,
        }
    }
}

/// What the annotation gave.
#[derive(Default, Clone, Debug, Serialize, Deserialize)]
pub struct AnnotationReport {
    /// What its file held.
    pub summary: AnnotationSummary,
    /// Annotation contigs found in the genome.
    pub contigs_matched: usize,
    /// Annotation contigs not found there.
    pub contigs_unmatched: usize,
    /// The first of those; empty for none.
    pub unmatched_examples: String,
    /// How many genes each rule named the canonical transcript of; empty when all transcripts are
    /// used.
    pub canonical_rules: BTreeMap<CanonicalRule, usize>,
}

/// What was found: plain tables.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SpliceProfile {
    /// Every annotated site, in order of contig, position, strand and kind.
    pub sites: Vec<SiteRow>,
    /// All annotated sites by kind and status, every status listed.
    pub accounting: Vec<AccountingRow>,
    /// Letters around the used sites.
    pub letters: Vec<LetterRow>,
    /// What the annotation gave.
    pub annotation: AnnotationReport,
    /// Sites against controls.
    pub comparison: Comparison,
}

/// Runs the analysis. `given` are the controls of family `bed`, on contigs as the genome names
/// them, each with a strand.
///
/// # Errors
/// A request that cannot be met, a genome and an annotation that do not fit each other, an
/// unreadable contig, and what the model reports. An annotation without a usable site is no error:
/// every count is there and the statistics are `NaN`.
pub fn run(
    genome: &Genome,
    annotation: &Annotation,
    given: &[BedRecord],
    source: &dyn BoundarySource,
    request: &SpliceProfileRequest,
    progress: &dyn Fn(Progress),
) -> Result<SpliceProfile> {
    run_beside(genome, annotation, given, (source, None), request, progress)
}

/// The same, with a reference that is asked to tell sites from decoys too: an untrained model.
///
/// # Errors
/// As [`run`].
pub fn run_beside(
    genome: &Genome,
    annotation: &Annotation,
    given: &[BedRecord],
    (source, reference): (&dyn BoundarySource, Option<&dyn BoundarySource>),
    request: &SpliceProfileRequest,
    progress: &dyn Fn(Progress),
) -> Result<SpliceProfile> {
    request.comparison.check()?;
    let mut contigs = ContigReader::new(genome, source);
    let (study, mut junctions) = study(annotation, given, &mut contigs, request, progress)?;
    let found = comparison::run(
        &study,
        &mut contigs,
        (source, reference),
        &request.comparison,
        progress,
    )?;
    for site in junctions
        .sites
        .iter_mut()
        .enumerate()
        .filter(|(_, site)| site.status == SiteStatus::Used)
    {
        if found
            .by_site
            .get(&site.0)
            .is_none_or(|facts| facts.control.is_none())
        {
            site.1.status = SiteStatus::NoPartner;
        }
    }
    let is_used = |site: &&Site| junctions.sites[site.number].status == SiteStatus::Used;
    let used = study.sites.iter().filter(is_used);
    Ok(SpliceProfile {
        sites: rows::sites(annotation, &junctions, &found),
        accounting: rows::accounting(&junctions),
        letters: comparison::letters(used, &study.kinds, &mut contigs)?,
        annotation: annotation_report(annotation, &junctions),
        comparison: found,
    })
}

/// The usable sites, with what was made of every annotated one.
pub(super) fn study<'a>(
    annotation: &Annotation,
    given: &[BedRecord],
    contigs: &mut ContigReader<'a>,
    request: &SpliceProfileRequest,
    progress: &dyn Fn(Progress),
) -> Result<(Study<'a>, Junctions)> {
    let genome = contigs.genome();
    let names: Vec<&str> = genome
        .contigs()
        .iter()
        .map(|contig| contig.name.as_str())
        .collect();
    let junction_request = JunctionRequest {
        transcripts: request.transcripts,
        biotypes: request.biotypes.clone(),
        contigs: request.contigs.clone(),
        regions: request.regions.clone(),
        min_intron_bp: request.min_intron_bp,
    };
    let mut junctions = Junctions::new(annotation, &names, &junction_request)?;
    let usable: Vec<usize> = (0..names.len())
        .filter(|c| {
            junctions.sites[junctions.site_range(*c)]
                .iter()
                .any(|s| s.status == SiteStatus::Used)
        })
        .collect();
    for (done, contig) in usable.iter().enumerate() {
        progress(Progress {
            stage: "checking sites",
            done: done as u64,
            total: usable.len() as u64,
        });
        let radius_bp = request.comparison.radius_bp();
        let (sequence, missing) = contigs.letters(*contig)?;
        junctions.check_sequence(*contig, sequence, radius_bp);
        junctions.check_signal(*contig, missing, |position, strand| {
            request.comparison.bases_read(position, strand)
        });
    }
    let references = sites(&junctions, annotation);
    sample(
        &mut junctions,
        request.max_sites,
        &Rng::new(request.comparison.seed),
    );
    let study = Study {
        genome,
        kinds: SiteKind::ALL.map(|of| kind(of, request)).to_vec(),
        sites: sites(&junctions, annotation),
        references,
        clusters: junctions
            .clusters
            .iter()
            .map(|cluster| (cluster.contig, cluster.interval))
            .collect(),
        annotated: annotated(&junctions),
        exons: match request.comparison.controls.side {
            Side::Any => BTreeMap::new(),
            Side::Exon | Side::Intron => exons(&junctions, annotation),
        },
        given: by_place(genome, given),
    };
    Ok((study, junctions))
}

/// What a donor or an acceptor looks like.
fn kind(kind: SiteKind, request: &SpliceProfileRequest) -> SiteClass {
    let (letters, start, span, window) = match kind {
        SiteKind::Donor => (b"GT", 0, Span::DONOR, request.donor_window),
        SiteKind::Acceptor => (b"AG", -2, Span::ACCEPTOR, request.acceptor_window),
    };
    SiteClass {
        name: kind.name(),
        core: Core {
            letters: letters.to_vec(),
            start,
        },
        span: Some(span),
        window,
    }
}

/// The usable sites; each is numbered by its place among all.
fn sites(junctions: &Junctions, annotation: &Annotation) -> Vec<Site> {
    let usable = junctions
        .sites
        .iter()
        .enumerate()
        .filter(|(_, site)| site.status == SiteStatus::Used);
    usable
        .map(|(number, site)| Site {
            number,
            kind: usize::from(site.kind == SiteKind::Acceptor),
            contig: site.contig,
            position: site.position,
            strand: site.strand,
            genes: site
                .genes
                .iter()
                .map(|gene| annotation.genes[*gene].interval)
                .collect(),
            cluster: site.cluster,
        })
        .collect()
}

/// Every annotated site of the genome's contigs, whatever its status.
fn annotated(junctions: &Junctions) -> BTreeMap<(usize, Strand), BTreeSet<usize>> {
    let mut all: BTreeMap<(usize, Strand), BTreeSet<usize>> = BTreeMap::new();
    for site in &junctions.sites {
        all.entry((site.contig, site.strand))
            .or_default()
            .insert(site.position);
    }
    all
}

/// Exons of all transcripts, merged, by cluster of genes and strand.
fn exons(
    junctions: &Junctions,
    annotation: &Annotation,
) -> BTreeMap<(usize, Strand), Vec<Interval>> {
    let mut all: BTreeMap<(usize, Strand), Vec<Interval>> = BTreeMap::new();
    for (gene, cluster) in annotation.genes.iter().zip(&junctions.cluster_of_gene) {
        let of_cluster = all.entry((*cluster, gene.strand)).or_default();
        of_cluster.extend(
            gene.transcripts
                .iter()
                .flat_map(|transcript| transcript.exons.iter().copied()),
        );
    }
    all.values_mut().for_each(merge_intervals);
    all
}

/// The user's controls by contig and strand.
fn by_place(genome: &Genome, given: &[BedRecord]) -> BTreeMap<(usize, Strand), Vec<BedRecord>> {
    let mut all: BTreeMap<(usize, Strand), Vec<BedRecord>> = BTreeMap::new();
    for record in given {
        if let Some(place) = genome.number(&record.contig).zip(record.strand) {
            all.entry(place).or_default().push(record.clone());
        }
    }
    all
}

/// Keeps a random subset of `max_sites` usable sites of each kind.
fn sample(junctions: &mut Junctions, max_sites: Option<usize>, rng: &Rng) {
    let Some(max_sites) = max_sites else { return };
    for kind in SiteKind::ALL {
        let mut usable: Vec<usize> = (0..junctions.sites.len())
            .filter(|s| {
                junctions.sites[*s].kind == kind && junctions.sites[*s].status == SiteStatus::Used
            })
            .collect();
        rng.derive(&format!("sample {}", kind.name()))
            .shuffle(&mut usable);
        for site in usable.into_iter().skip(max_sites) {
            junctions.sites[site].status = SiteStatus::NotSampled;
        }
    }
}

fn annotation_report(annotation: &Annotation, junctions: &Junctions) -> AnnotationReport {
    let unmatched = &junctions.contigs[junctions.n_genome_contigs..];
    let some = !unmatched.is_empty();
    AnnotationReport {
        summary: annotation.summary.clone(),
        contigs_matched: annotation.contigs.len() - unmatched.len(),
        contigs_unmatched: unmatched.len(),
        unmatched_examples: if some {
            contig_names::examples(unmatched.iter().map(String::as_str))
        } else {
            String::new()
        },
        canonical_rules: junctions.canonical_rules.clone(),
    }
}

#[cfg(test)]
mod tests;
