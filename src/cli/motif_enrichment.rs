//! `motif-enrichment`: do boundaries gather at motifs in promoters?

use super::analysis::Course;
use super::answers::{Origin, ShardOption};
use super::biotypes::Biotypes;
use super::left_out::LeftOut;
use super::reads::Reads;
use super::windows::Windows;
use super::{counts, scan, source};
use crate::bundled;
use crate::error::{Error, Result};
use crate::genome::annotation::Annotation;
use crate::genome::fasta::Genome;
use crate::genome::promoters::{
    BedAnchor, Dropped, PromoterRequest, Promoters, TssChoice, Window, read_bed, read_fps,
};
use crate::motifs::select::Selection;
use crate::pipelines::motif_enrichment::{self as pipeline, Control, EnrichmentRequest, Query};
use crate::pipelines::store::Part;
use crate::report::provenance::Input;
use std::path::PathBuf;

/// Ask whether learned boundaries gather at transcription-factor motifs in promoters, against
/// matched controls; writes an HTML report
///
/// Motifs are scanned for on both strands of promoters. The boundary probability at the edges of each
/// hit and inside it is compared with that of controls: hits of column-permuted matrices in the
/// same promoters, random places there, hits of the same motif outside of promoters and exons, or
/// the hit itself in shuffled flanks. All motifs are tested; p-values are adjusted over all of
/// them.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ldar-analyze motif-enrichment --out results
      the promoters of the bundled fly chromosome 4, JASPAR's insects and core promoter elements; open results/index.html
  ldar-analyze motif-enrichment --genome hg38.fa.gz --annotation gencode.gtf.gz --checkpoint model.pt --control all --out motifs
  ldar-analyze motif-enrichment --genome hg38.fa.gz --annotation gencode.gtf.gz --regions Hs_EPDnew.fps --family ETS --out ets
      the promoters of a file; the annotation then says where exons are, for the control outside
  ldar-analyze motif-enrichment --matrix-id MA0108 --motif-detail MA0108 --motifs vertebrates --out tbp
      one motif, every hit of it in a heat map
  ldar-analyze motif-enrichment --genome hg38.fa.gz --annotation gencode.gtf.gz --signal phyloP.bw --out conservation
      any track in place of a model, with the same controls and tests (all but shuffled)
  ldar-analyze motif-enrichment --negative-control --out null
      permuted matrices against permuted matrices: a null by construction

Core promoter elements are always among the motifs: hits where they are known to lie, on the strand of the gene, at p <= 0.001 (or as good as
their best k-mer, where that is more likely). Motifs whose best k-mer is more likely than --p can have no hits and are listed as not_scannable.
What the model has said is kept in OUT.partial until the results are there: a run that was stopped goes on where it was.
A former result in the folder of --out is replaced; any other folder that is not empty is left alone.")]
pub struct Arguments {
    /// Genome: FASTA, plain, gzip or bgzip, a .fai beside it is made if missing; or human, mouse,
    /// fly (see fetch) [default: bundled fly chromosome 4]
    #[arg(long, visible_alias = "fasta", value_name = "FASTA", value_parser = source::path_of("genome"))]
    genome: Option<PathBuf>,
    /// Gene annotation: GTF or GFF3, plain or gzip; or human, mouse, fly; may be left out where
    /// --regions are given [default: bundled]
    #[arg(long, value_name = "GTF", requires = "genome", value_parser = source::path_of("annotation"))]
    annotation: Option<PathBuf>,
    /// Promoters from a file in place of the annotation's: BED, or EPD's .fps
    #[arg(long, value_name = "FILE", value_parser = source::path_of("regions"))]
    regions: Option<PathBuf>,
    /// What the lines of a BED file of --regions are
    #[arg(long, value_enum, default_value = "regions", requires = "regions")]
    regions_are: RegionsAre,
    /// Which transcription starts of the annotation
    #[arg(long, value_enum, default_value = "unique")]
    tss: TssChoice,
    #[command(flatten)]
    biotypes: Biotypes,
    /// Bases of a promoter before its start site
    #[arg(long, value_name = "BASES", default_value_t = 500, value_parser = counts::parse)]
    upstream: usize,
    /// Bases of a promoter after its start site
    #[arg(long, value_name = "BASES", default_value_t = 100, value_parser = counts::parse)]
    downstream: usize,
    #[command(flatten)]
    reads: Reads,
    #[command(flatten)]
    shard: ShardOption,
    /// Folder for the results
    #[arg(long, value_name = "FOLDER", default_value = "motif-enrichment")]
    out: PathBuf,
    /// JASPAR (.jaspar, .pfm, SQLite), HOMER, MEME or TRANSFAC; or insects, vertebrates [default:
    /// those of --taxon]
    #[arg(long, value_name = "FILE", help_heading = "Motifs")]
    motifs: Option<PathBuf>,
    /// Whose core promoter elements [default: insects for the bundled genome, else vertebrates]
    #[arg(long, value_enum, help_heading = "Motifs")]
    taxon: Option<Taxon>,
    /// Matrix to take, by identifier, its latest version if none is given; may be repeated
    #[arg(
        long,
        value_name = "ID",
        value_delimiter = ',',
        help_heading = "Motifs"
    )]
    matrix_id: Vec<String>,
    /// Factor to take, by name; may be repeated
    #[arg(long, value_name = "NAME", help_heading = "Motifs")]
    name: Vec<String>,
    /// Taxonomic group to take; may be repeated
    #[arg(long, value_name = "GROUP", help_heading = "Motifs")]
    tax_group: Vec<String>,
    /// Family or class to take, by part of its name; may be repeated
    #[arg(long, value_name = "TEXT", help_heading = "Motifs")]
    family: Vec<String>,
    /// Largest p-value of a hit
    #[arg(
        long,
        value_name = "P",
        default_value_t = 1e-4,
        help_heading = "Motifs"
    )]
    p: f64,
    /// Motifs with fewer usable hits are listed, not tested
    #[arg(long, value_name = "N", default_value_t = 10, help_heading = "Motifs", value_parser = counts::parse)]
    min_hits: usize,
    /// Show every hit of this motif in a heat map, by identifier; several with commas [default: the
    /// TATA box, or where it has fewer than --min-hits, the motif with most hits]
    #[arg(
        long,
        value_name = "ID",
        value_delimiter = ',',
        help_heading = "Motifs"
    )]
    motif_detail: Vec<String>,
    /// Controls, the primary one first
    #[arg(
        long,
        value_enum,
        value_name = "CONTROL",
        value_delimiter = ',',
        default_value = "permuted,position,outside",
        help_heading = "Controls"
    )]
    control: Vec<ControlChoice>,
    /// Bases on either side of a hit's middle whose composition is matched
    #[arg(long, value_name = "BASES", default_value_t = 50, help_heading = "Controls", value_parser = counts::parse)]
    gc_flank: usize,
    /// Largest difference in G+C fraction between a hit and its control, on each side
    #[arg(
        long,
        value_name = "FRACTION",
        default_value_t = 0.1,
        help_heading = "Controls"
    )]
    caliper: f64,
    /// Positions of the profile on either side of a hit; the control shuffled shuffles as many
    /// bases
    #[arg(long, value_name = "BASES", default_value_t = 50, value_parser = counts::parse)]
    flank: usize,
    #[command(flatten)]
    windows: Windows,
    /// Random flips of the first round of the permutation tests; small p-values get as many as the
    /// number of motifs needs
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = counts::parse)]
    permutations: usize,
    /// Draws of the bootstrap
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = counts::parse)]
    bootstraps: usize,
    /// Seed of everything random
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Compare hits of a permuted matrix with hits of others, for every motif: a null by construction
    #[arg(long)]
    negative_control: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum RegionsAre {
    /// Promoters as they are
    Regions,
    /// Clusters of starts: the 5' end of each is the start site (refTSS, CAGE peaks)
    Starts,
    /// The 5' end of the thick part is the start site (EPDnew, FANTOM)
    Thick,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Taxon {
    /// Flies
    Insects,
    /// Man and mouse
    Vertebrates,
}

impl Taxon {
    /// Its name among the motifs, and the core promoter elements of the panels.
    fn panels(self) -> (&'static str, [&'static str; 6]) {
        match self {
            Taxon::Insects => (
                "insects",
                [
                    "tata",
                    "ccaat-box",
                    "gc-box",
                    "kozak-fly",
                    "inr-fly",
                    "ohler-2-dre",
                ],
            ),
            Taxon::Vertebrates => (
                "vertebrates",
                [
                    "tata",
                    "ccaat-box",
                    "gc-box",
                    "kozak-vertebrates",
                    "inr-human",
                    "inr",
                ],
            ),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum ControlChoice {
    /// Hits of column-permuted matrices in the same promoters
    Permuted,
    /// Random places in the same promoters
    Position,
    /// Hits of the same motif outside of promoters and exons
    Outside,
    /// The hit in shuffled flanks; without it this is done for the motifs of the panels alone
    Shuffled,
    /// All of them
    All,
}

impl ControlChoice {
    fn controls(self) -> Vec<Control> {
        match self {
            ControlChoice::Permuted => vec![Control::Permuted],
            ControlChoice::Position => vec![Control::Position],
            ControlChoice::Outside => vec![Control::Outside],
            ControlChoice::Shuffled => vec![Control::Shuffled],
            ControlChoice::All => Control::ALL.to_vec(),
        }
    }
}

/// Heat maps of one run.
const MOST_DETAILS: usize = 4;

/// What is to be run.
pub struct Request {
    genome: Option<PathBuf>,
    annotation: Option<PathBuf>,
    regions: Option<PathBuf>,
    bed_anchor: BedAnchor,
    /// Its biotypes are those of `biotypes`.
    promoters: PromoterRequest,
    biotypes: Biotypes,
    reads: Reads,
    part: Option<Part>,
    out: PathBuf,
    motifs: PathBuf,
    taxon: Taxon,
    selection: Selection,
    windows: Windows,
    pipeline: EnrichmentRequest,
}

impl Arguments {
    /// Refuses what no run could meet, before anything is read.
    pub fn validate(self) -> Result<Request> {
        let usage = |message: String| Err(Error::Usage(message));
        counts::check(&[
            ("--permutations", self.permutations),
            ("--bootstraps", self.bootstraps),
            ("--batch", self.windows.batch),
            ("--gc-flank", self.gc_flank),
            ("--flank", self.flank),
            ("--min-hits", self.min_hits),
            (
                "--upstream + --downstream",
                self.upstream.saturating_add(self.downstream),
            ),
        ])?;
        if self.genome.is_some() && self.annotation.is_none() && self.regions.is_none() {
            return usage("--genome needs --annotation, or --regions".into());
        }
        if !(self.p > 0.0 && self.p <= 0.1) {
            return usage(format!("--p {}: above 0, and at most 0.1", self.p));
        }
        if !(0.0..=1.0).contains(&self.caliper) {
            return usage(format!(
                "--caliper {}: a difference in G+C fraction lies in 0 to 1",
                self.caliper
            ));
        }
        self.windows.check(self.flank)?;
        if self.motif_detail.len() > MOST_DETAILS {
            return usage(format!("--motif-detail: at most {MOST_DETAILS} motifs"));
        }
        let mut controls: Vec<Control> = Vec::new();
        for control in self.control.iter().flat_map(|control| control.controls()) {
            if !controls.contains(&control) {
                controls.push(control);
            }
        }
        if self.negative_control {
            controls = vec![Control::Permuted];
        }
        self.reads.refuse_shards_of_signal(self.shard.part())?;
        if self.reads.is_signal() && self.control.contains(&ControlChoice::All) {
            controls.retain(|control| *control != Control::Shuffled);
        }
        if controls.contains(&Control::Shuffled) {
            self.reads.refuse_for_signal("--control shuffled")?;
        }
        let window = Window {
            upstream_bp: self.upstream,
            downstream_bp: self.downstream,
        };
        let (genome, annotation) = source::files(self.genome, self.annotation)?;
        let taxon = self.taxon.unwrap_or(if genome.is_some() {
            Taxon::Vertebrates
        } else {
            Taxon::Insects
        });
        let motifs = self.motifs.unwrap_or_else(|| taxon.panels().0.into());
        Ok(Request {
            bed_anchor: match self.regions_are {
                RegionsAre::Regions => BedAnchor::Region,
                RegionsAre::Starts => BedAnchor::FivePrime(window),
                RegionsAre::Thick => BedAnchor::Thick(window),
            },
            promoters: PromoterRequest {
                tss: self.tss,
                biotypes: Vec::new(),
                window,
            },
            genome,
            annotation,
            regions: self.regions,
            biotypes: self.biotypes,
            part: self.shard.part(),
            reads: self.reads,
            out: self.out,
            motifs,
            taxon,
            selection: Selection {
                matrix_ids: self.matrix_id,
                names: self.name,
                tax_groups: self.tax_group,
                families: self.family,
            },
            windows: self.windows,
            pipeline: EnrichmentRequest {
                flank: self.flank,
                p: self.p,
                min_hits: self.min_hits,
                controls,
                gc_flank_bp: self.gc_flank,
                caliper: self.caliper,
                permutations: self.permutations,
                bootstraps: self.bootstraps,
                seed: self.seed,
                batch: self.windows.batch,
                negative_control: self.negative_control,
                detail: self.motif_detail,
                ..EnrichmentRequest::default()
            },
        })
    }
}

fn left_out(found: &pipeline::Enrichment) -> LeftOut {
    let reason = |dropped: &Dropped| {
        serde_json::to_value(dropped)
            .ok()
            .and_then(|name| Some(name.as_str()?.to_string()))
            .unwrap_or_default()
    };
    let reasons = found
        .dropped
        .iter()
        .map(|(dropped, n)| (reason(dropped), *n as u64))
        .collect();
    LeftOut {
        what: "promoters",
        used: found.promoters.len() as u64,
        reasons,
    }
}

impl Request {
    /// Runs the analysis, writes the results folder and prints the short of it.
    pub fn run(mut self, origin: Origin) -> Result<()> {
        let course = Course::start(origin, &self.out, self.part)?;
        let checkpoint = self.reads.checkpoint(&course.origin)?;
        self.settle_context(course.origin.trained_length(checkpoint.as_ref()))?;
        let genome = source::genome(self.genome.as_deref())?;
        let annotation = source::annotation(self.annotation.as_deref(), self.genome.as_deref())?;
        if let Some(annotation) = &annotation {
            source::remarks(&genome, annotation)?
                .iter()
                .for_each(|line| course.bar.note(line));
        }
        let queries = self.queries()?;
        let promoters = self.read_promoters(&genome, annotation.as_ref())?;
        if !promoters.promoters.is_empty()
            && promoters
                .promoters
                .iter()
                .all(|promoter| promoter.tss.is_none())
        {
            course.bar.note(
                "warning: the promoters have no start sites, so no core promoter element can be placed: all its hits count as misplaced. If the 5' end of each line, or of its thick \
                 part, is the start site, give --regions-are starts or --regions-are thick",
            );
        }
        let inputs = self.inputs(&course.origin)?;
        let opened = self.reads.open(&course.origin, checkpoint, &genome)?;
        let parameters = serde_json::to_value(&self.pipeline).unwrap_or_default();
        course.read(
            &opened,
            (parameters, &inputs),
            left_out,
            |source, progress| {
                pipeline::run(
                    &genome,
                    annotation.as_ref(),
                    &promoters,
                    &queries,
                    source,
                    &self.pipeline,
                    progress,
                )
            },
        )
    }

    fn settle_context(&mut self, trained: Option<usize>) -> Result<()> {
        (self.pipeline.context, self.pipeline.margin) =
            self.windows.of(trained, self.pipeline.flank)?;
        Ok(())
    }

    /// The motifs asked for, and the core promoter elements of their taxon.
    fn queries(&mut self) -> Result<Vec<Query>> {
        let (motifs, _) = self.selection.choose(scan::read_motifs(&self.motifs)?)?;
        let (taxon, panels) = self.taxon.panels();
        self.pipeline.panels = panels.iter().map(|id| id.to_string()).collect();
        let mut queries: Vec<Query> = Vec::new();
        for element in bundled::core_promoter()? {
            let motif = element.motif.clone();
            if ["metazoa", taxon].contains(&motif.tax_group.as_str())
                || self.pipeline.panels.contains(&motif.id)
            {
                queries.push(Query {
                    motif,
                    element: Some(element),
                });
            }
        }
        let known: Vec<String> = queries.iter().map(|query| query.motif.id.clone()).collect();
        queries.extend(
            motifs
                .into_iter()
                .filter(|m| !known.contains(&m.id))
                .map(|motif| Query {
                    motif,
                    element: None,
                }),
        );
        for detail in &mut self.pipeline.detail {
            let is_it = |query: &&Query| {
                query.motif.id == *detail
                    || query
                        .motif
                        .base_and_version()
                        .is_some_and(|(base, _)| base == detail)
            };
            let found = queries
                .iter()
                .find(is_it)
                .map(|query| query.motif.id.clone());
            *detail = found.ok_or_else(|| {
                Error::Usage(format!(
                    "--motif-detail {detail}: no such motif among those asked for"
                ))
            })?;
        }
        Ok(queries)
    }

    fn read_promoters(
        &self,
        genome: &Genome,
        annotation: Option<&Annotation>,
    ) -> Result<Promoters> {
        match (&self.regions, annotation) {
            (Some(path), _)
                if path
                    .to_string_lossy()
                    .trim_end_matches(".gz")
                    .ends_with(".fps") =>
            {
                read_fps(path, genome.contigs(), self.promoters.window)
            }
            (Some(path), _) => read_bed(path, genome.contigs(), self.bed_anchor),
            (None, Some(annotation)) => {
                let asked = PromoterRequest {
                    biotypes: self.biotypes.of_promoters(annotation),
                    ..self.promoters.clone()
                };
                Promoters::of_annotation(annotation, genome.contigs(), &asked)
            }
            (None, None) => Err(Error::Usage(
                "--genome needs --annotation, or --regions".into(),
            )),
        }
    }

    fn inputs(&self, origin: &Origin) -> Result<Vec<Input>> {
        let mut inputs =
            source::reference_inputs(self.genome.as_deref(), self.annotation.as_deref())?;
        if let Some(path) = &self.regions {
            inputs.push(Input::file("regions", path)?);
        }
        inputs.extend(self.reads.inputs(origin)?);
        inputs.push(scan::motifs_input(&self.motifs)?);
        inputs.push(Input::bytes(
            "core promoter elements",
            bundled::CORE_PROMOTER.name,
            bundled::CORE_PROMOTER.bytes,
        ));
        Ok(inputs)
    }
}
