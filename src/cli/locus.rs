//! `locus`: what the model does at one place.

use super::biotypes::Biotypes;
use super::compute::Compute;
use super::windows::Windows;
use super::{counts, progress, results, scan, source};
use crate::bundled;
use crate::error::{Error, Result};
use crate::genome::anchor::Anchor;
use crate::genome::{Strand, region};
use crate::model::{Checkpoint, LdarNet, device};
use crate::pipelines::Progress;
use crate::pipelines::ldarnet::Router;
use crate::pipelines::locus::{
    self as pipeline, LEAST_BP, LocusRequest, MOST_BP, NamedSource, Target,
};
use crate::pipelines::motif_enrichment::Query;
use crate::pipelines::signal::{Missing, Signal};
use crate::pipelines::tiles::TileShape;
use crate::report::analysis::{Analysis as _, Found as _, Tables as _};
use crate::report::folder::ResultsFolder;
use crate::report::provenance::{Input, Run};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Draw one place: boundary probabilities, tokens, sequence, gene models and motif hits; writes an
/// HTML report
///
/// The window is a region, or lies around a place of a gene's canonical transcript. It is read on
/// the strand of --strand, or of the gene. One place illustrates what a model does; it is no
/// evidence.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ldar-analyze locus --out ci
      the start of ci (cubitus interruptus) on the bundled fly chromosome, with the bundled model
  ldar-analyze locus --gene ey --around donor:2 --flank 60 --out ey
  ldar-analyze locus --genome hg38.fa.gz --annotation gencode.gtf.gz --checkpoint model.pt --region chr11:5226702-5227302 --strand - --out hbb
  ldar-analyze locus --gene ey --motifs insects --compare other.safetensors --signal cage.bw --out three
      motif hits of JASPAR's insects; below the first model a second one, and a track

--region is counted from 1 with both ends included, as in samtools and the UCSC browser: chr11:5226702-5227302 has 601 bases. In the tables
positions are 0-based. Windows may have 10 to 5000 bases.")]
pub struct Arguments {
    /// Genome: FASTA, plain, gzip or bgzip; a .fai beside it is made if missing [default: bundled
    /// fly chromosome 4]
    #[arg(long, value_name = "FASTA", value_parser = source::path_of("genome"))]
    genome: Option<PathBuf>,
    /// Gene annotation: GTF or GFF3, plain or gzip; may be left out with --region [default:
    /// bundled]
    #[arg(long, value_name = "GTF", requires = "genome", value_parser = source::path_of("annotation"))]
    annotation: Option<PathBuf>,
    #[command(flatten)]
    biotypes: Biotypes,
    /// Model: the authors' .pt, or safetensors [default: bundled]
    #[arg(long, value_name = "FILE", value_parser = source::path_of("checkpoint"))]
    checkpoint: Option<PathBuf>,
    /// A second model to draw below the first
    #[arg(long, value_name = "FILE", value_parser = source::path_of("checkpoint"))]
    compare: Option<PathBuf>,
    /// A track to draw below the models, as it is: bigWig; bases without a value are 0
    #[arg(long, value_name = "BIGWIG")]
    signal: Option<PathBuf>,
    /// The window: CONTIG:FIRST-LAST, counted from 1, both ends included
    #[arg(long, value_name = "REGION", conflicts_with_all = ["gene", "around", "flank"], help_heading = "Place")]
    region: Option<String>,
    /// The strand to read the region on, + or -; a minus window is drawn 5' to 3', coordinates
    /// falling
    #[arg(
        long,
        value_name = "STRAND",
        requires = "region",
        default_value = "+",
        allow_hyphen_values = true,
        help_heading = "Place"
    )]
    strand: String,
    /// The gene to lay the window in, by symbol or identifier [default: ci on the bundled genome]
    #[arg(long, value_name = "NAME", help_heading = "Place")]
    gene: Option<String>,
    /// Where in the gene's canonical transcript: tss, cds-start, donor:N or acceptor:N, introns
    /// counted from 1
    #[arg(
        long,
        value_name = "PLACE",
        default_value = "tss",
        help_heading = "Place"
    )]
    around: String,
    /// Bases on either side of that place
    #[arg(long, value_name = "BASES", default_value_t = 250, help_heading = "Place", value_parser = counts::parse)]
    flank: usize,
    /// Motifs to mark: core-promoter, insects, vertebrates, a file as scan reads it, or none
    #[arg(long, value_name = "FILE", default_value = "core-promoter")]
    motifs: PathBuf,
    /// Largest p-value of a motif hit; core promoter elements have their own threshold
    #[arg(long, value_name = "P", default_value_t = 1e-4)]
    p: f64,
    /// Folder for the results
    #[arg(long, value_name = "FOLDER", default_value = "locus")]
    out: PathBuf,
    #[command(flatten)]
    windows: Windows,
    #[command(flatten)]
    compute: Compute,
}

/// What is to be drawn.
pub struct Request {
    genome: Option<PathBuf>,
    annotation: Option<PathBuf>,
    biotypes: Biotypes,
    checkpoints: Vec<Option<PathBuf>>,
    signal: Option<PathBuf>,
    motifs: Option<PathBuf>,
    windows: Windows,
    out: PathBuf,
    compute: Compute,
    pipeline: LocusRequest,
}

impl Arguments {
    /// Refuses places that no genome has, before anything is read.
    pub fn validate(self) -> Result<Request> {
        let usage = |message: String| Err(Error::Usage(message));
        if !(self.p > 0.0 && self.p <= 0.1) {
            return usage(format!("--p {}: above 0, and at most 0.1", self.p));
        }
        counts::check(&[("--batch", self.windows.batch)])?;
        self.windows.check(0)?;
        let (genome, annotation) = source::files(self.genome, self.annotation)?;
        let place = match (&self.region, self.gene) {
            (Some(text), _) => {
                let region = region::parse(text)
                    .map_err(|message| Error::Usage(format!("--region {message}")))?;
                let strand = match self.strand.as_str() {
                    "+" => Strand::Plus,
                    "-" => Strand::Minus,
                    other => return usage(format!("--strand {other}: + or -")),
                };
                let bases = region.interval.len_bp();
                if !(LEAST_BP..=MOST_BP).contains(&bases) {
                    return usage(format!(
                        "--region {text} has {bases} bases: {LEAST_BP} to {MOST_BP} can be drawn; for longer stretches see boundaries and density"
                    ));
                }
                Target::Region {
                    contig: region.contig,
                    interval: region.interval,
                    strand,
                }
            }
            (None, None) if genome.is_some() => {
                return usage("--genome needs --region, or --gene with --annotation".into());
            }
            (None, gene) => {
                if genome.is_some() && annotation.is_none() {
                    return usage("--gene needs --annotation beside --genome".into());
                }
                self.around
                    .parse::<Anchor>()
                    .map_err(|message| Error::Usage(format!("--around {message}")))?;
                if !(LEAST_BP / 2..=MOST_BP / 2).contains(&self.flank) {
                    return usage(format!(
                        "--flank {}: {} to {} bases can be drawn",
                        self.flank,
                        LEAST_BP / 2,
                        MOST_BP / 2
                    ));
                }
                Target::Gene {
                    name: gene.unwrap_or_else(|| "ci".into()),
                    around: self.around,
                    flank_bp: self.flank,
                }
            }
        };
        let motifs = Some(self.motifs).filter(|motifs| motifs.as_os_str() != "none");
        Ok(Request {
            genome,
            annotation,
            biotypes: self.biotypes,
            checkpoints: std::iter::once(self.checkpoint)
                .chain(self.compare.map(Some))
                .collect(),
            signal: self.signal,
            windows: self.windows,
            out: self.out,
            compute: self.compute,
            pipeline: LocusRequest {
                place,
                motifs: motifs
                    .as_ref()
                    .map_or(String::new(), |motifs| motifs.display().to_string()),
                p: self.p,
                batch: self.windows.batch,
            },
            motifs,
        })
    }
}

/// A model that is ready to read.
struct Ready {
    name: String,
    checkpoint: Checkpoint,
    model: LdarNet,
    shape: TileShape,
}

impl Request {
    /// Reads, draws, writes the results folder and prints the short of it.
    pub fn run(self) -> Result<()> {
        let mut run = Run::start();
        let folder = ResultsFolder::at(&self.out)?;
        let bar = progress::Bar::new();
        bar.show(Progress {
            stage: "opening inputs",
            done: 0,
            total: 1,
        });
        let genome = source::genome(self.genome.as_deref())?;
        let annotation = source::annotation(self.annotation.as_deref(), self.genome.as_deref())?;
        if let Some(annotation) = &annotation {
            source::remarks(&genome, annotation)?
                .iter()
                .for_each(|line| bar.note(line));
        }
        let annotation = annotation
            .map(|annotation| self.biotypes.only(annotation))
            .transpose()?;
        let queries = self.queries()?;
        let inputs = self.inputs()?;
        let models = self.models()?;
        for ready in &models {
            run.computed(
                &ready.model.arithmetic().to_string(),
                &device::name(ready.model.device()),
            );
        }
        let routers = models
            .iter()
            .map(|ready| Router::new(&ready.model, 0))
            .collect::<Result<Vec<_>>>()?;
        let signal = self
            .signal
            .as_deref()
            .map(|path| Signal::open(path, None, Missing::Zero, genome.contigs()))
            .transpose()?;
        let mut readers: Vec<NamedSource<'_>> = (models.iter().zip(&routers))
            .map(|(ready, router)| NamedSource {
                name: ready.name.clone(),
                source: router,
                shape: ready.shape,
            })
            .collect();
        if let (Some(signal), Some(path)) = (&signal, &self.signal) {
            let shape = TileShape {
                context_bp: 2 * MOST_BP,
                margin_bp: 1,
            };
            readers.push(NamedSource {
                name: format!("signal {}", file_name(path)),
                source: signal,
                shape,
            });
        }
        let found = pipeline::run(
            &genome,
            annotation.as_ref(),
            &queries,
            &readers,
            &self.pipeline,
            &|progress| bar.show(progress),
        )?;
        bar.show(Progress {
            stage: "writing results",
            done: 0,
            total: 1,
        });
        let facts = |ready: &Ready| {
            let checkpoint = &ready.checkpoint;
            json!({"name": ready.name, "parameters": checkpoint.parameters(), "config": checkpoint.config.json, "notes": checkpoint.notes})
        };
        let parameters = serde_json::to_value(&self.pipeline).unwrap_or_default();
        let models = json!(models.iter().map(facts).collect::<Vec<_>>());
        results::write(
            Some(folder),
            &self.out,
            found.bases_read,
            &found.summary(),
            |folder| {
                found.write_tables(folder)?;
                Ok(run.to_json(
                    pipeline::Locus::NAME,
                    parameters,
                    &inputs,
                    &models,
                    &bar.finish(),
                    found.outcome(),
                ))
            },
        )
    }

    fn models(&self) -> Result<Vec<Ready>> {
        let device = self.compute.device()?;
        let mut all: Vec<Ready> = Vec::new();
        for path in &self.checkpoints {
            let checkpoint = source::checkpoint(path.as_deref())?;
            let (context_bp, margin_bp) = self.windows.of(checkpoint.trained_length(), 0)?;
            let file = path.as_deref().filter(|path| path.as_os_str() != "bundled");
            let mut name = file.map_or("bundled model demo-2m".into(), file_name);
            if all.iter().any(|other| other.name == name) {
                name = format!(
                    "{name} ({})",
                    path.as_deref()
                        .map_or(String::new(), |path| path.display().to_string())
                );
            }
            let model = self.compute.model(&checkpoint, &device)?;
            all.push(Ready {
                name,
                checkpoint,
                model,
                shape: TileShape {
                    context_bp,
                    margin_bp,
                },
            });
        }
        Ok(all)
    }

    fn queries(&self) -> Result<Vec<Query>> {
        match &self.motifs {
            None => Ok(Vec::new()),
            Some(set) if set.as_os_str() == "core-promoter" => Ok(bundled::core_promoter()?
                .into_iter()
                .map(|element| Query {
                    motif: element.motif.clone(),
                    element: Some(element),
                })
                .collect()),
            Some(set) => Ok(scan::read_motifs(set)?
                .into_iter()
                .map(|motif| Query {
                    motif,
                    element: None,
                })
                .collect()),
        }
    }

    fn inputs(&self) -> Result<Vec<Input>> {
        let mut inputs =
            source::reference_inputs(self.genome.as_deref(), self.annotation.as_deref())?;
        for (path, role) in self
            .checkpoints
            .iter()
            .zip(["checkpoint", "second checkpoint"])
        {
            inputs.push(Input {
                role: role.into(),
                ..source::checkpoint_input(path.as_deref())?
            });
        }
        if let Some(path) = &self.signal {
            inputs.push(Input::file("track", path)?);
        }
        if let Some(set) = &self.motifs {
            inputs.push(scan::motifs_input(set)?);
        }
        Ok(inputs)
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(
        || path.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    )
}
