//! `compare`: models and tokenizers side by side.

use super::analysis::{Asked, Course};
use super::answers::{Origin, ShardOption};
use super::biotypes::Biotypes;
use super::compute::Compute;
use super::left_out::LeftOut;
use super::router::RouterOption;
use super::source::Assembly;
use super::windows::Windows;
use super::{counts, scan, source};
use crate::error::{Error, Result};
use crate::genome::fasta::Genome;
use crate::genome::junctions::SiteStatus;
use crate::genome::promoters::{PromoterRequest, Promoters, TssChoice, Window};
use crate::model::{Checkpoint, LdarNet, device};
use crate::pipelines::compare::{self as pipeline, CompareRequest, Contender};
use crate::pipelines::ldarnet::Router;
use crate::pipelines::signal::{Missing, Signal};
use crate::pipelines::store::{Part, Unopened};
use crate::pipelines::tokenizers::Tokenizer;
use crate::pipelines::{BoundarySource, Values};
use crate::report::provenance::Input;
use crate::stats::rng::Rng;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Compare models and tokenizers: do their cuts respect motifs and splice sites, or split them?
///
/// Each is set against its own cuts, circularly shifted within every window by a random distance, so that who
/// cuts more often gains or loses nothing by that; and all are set against the first.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ldar-analyze compare --out cuts
      the bundled model against a grid of 4, random cuts and 6-mers, on the bundled chromosome
  ldar-analyze compare old.pt new.pt fixed:4 --genome hg38.fa.gz --annotation gencode.gtf.gz --out cuts
      two checkpoints and a grid
  ldar-analyze compare bundled bundled,router=turned bundled,router=fixed:4
      the bundled model beside itself with other ways to choose the bases it keeps
  ldar-analyze compare bundled bpe:tokenizer.json
      against byte-pair tokens of a Hugging Face tokenizer, such as DNABERT-2's
  ldar-analyze compare old.pt new.pt --genome hg38.fa.gz --annotation gencode.gtf.gz --shard 3/40 --out shards/3
      one of forty jobs; `ldar-analyze merge shards/* --out results` then gives the results

What can be compared:
  bundled           the bundled model
  FILE              a checkpoint: the authors' .pt, or safetensors
  ...,router=HOW    a model with another way to choose the bases it keeps, as --router has them; its fixed:N counts from the start of what is
                    read, from which junctions lie at one distance, as kmer:K does: for a grid take fixed:N
  fixed:N           a grid over the contig: a cut before every base whose 0-based number is a multiple of N
  random:N          a cut at each position with probability 1/N
  kmer:K            k-mers of K bases from the start of what is read, as the Nucleotide Transformer cuts
  bpe:FILE          a tokenizer.json of Hugging Face's tokenizers
  track:FILE        a bigWig: a cut where the value of the base after the position is above one half; bases without a value are 0

--router says how all models among them choose the bases they keep; their files say it otherwise.")]
pub struct Arguments {
    /// What is compared, the reference first [default: bundled fixed:4 random:4 kmer:6]
    #[arg(value_name = "WHAT")]
    contenders: Vec<String>,
    #[command(flatten)]
    assembly: Assembly,
    #[command(flatten)]
    biotypes: Biotypes,
    /// Motifs: insects, vertebrates, or a file [default: insects for the bundled genome, else
    /// vertebrates]
    #[arg(long, value_name = "FILE")]
    motifs: Option<PathBuf>,
    /// Folder for the results
    #[arg(long, value_name = "FOLDER", default_value = "compare")]
    out: PathBuf,
    /// Largest p-value of a motif's hit
    #[arg(long, value_name = "P", default_value_t = 1e-4)]
    p: f64,
    /// Positions on either side of a splice junction
    #[arg(long, value_name = "BASES", default_value_t = 150, value_parser = counts::parse)]
    flank: usize,
    #[command(flatten)]
    windows: Windows,
    /// Shifts and flips of the tests
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = counts::parse)]
    permutations: usize,
    /// Seed of everything random
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    router: RouterOption,
    #[command(flatten)]
    compute: Compute,
    #[command(flatten)]
    shard: ShardOption,
}

/// What parts a model from its router.
const ROUTER: &str = ",router=";

/// One of those compared, as asked for.
#[derive(Debug, Clone, PartialEq)]
enum What {
    /// A checkpoint, the bundled one without a file.
    Model(Option<PathBuf>, RouterOption),
    Fixed(usize),
    Random(usize),
    Kmer(usize),
    Bpe(PathBuf),
    Track(PathBuf),
}

impl What {
    fn parse(text: &str) -> Result<What> {
        let number = |digits: &str, most: usize| {
            let number = digits.parse().ok().filter(|n| (1..=most).contains(n));
            number.ok_or_else(|| {
                Error::Usage(format!(
                    "{text}: a number from 1 to {most} belongs after the colon"
                ))
            })
        };
        if let Some((model, router)) = text.rsplit_once(ROUTER) {
            let router =
                RouterOption::parse(router).map_err(|e| Error::Usage(format!("{text}: {e}")))?;
            return match What::parse(model)? {
                What::Model(file, _) => Ok(What::Model(file, router)),
                _ => Err(Error::Usage(format!(
                    "{text}: only a model chooses the bases it keeps"
                ))),
            };
        }
        match text.split_once(':') {
            None if text == "bundled" => Ok(What::Model(None, RouterOption::default())),
            Some(("fixed", n)) => Ok(What::Fixed(number(n, 100_000)?)),
            Some(("random", n)) => Ok(What::Random(number(n, 100_000)?)),
            Some(("kmer", k)) => Ok(What::Kmer(number(k, 64)?)),
            Some(("bpe", path)) => Ok(What::Bpe(path.into())),
            Some(("track", path)) => Ok(What::Track(path.into())),
            _ => Ok(What::Model(
                Some(source::resolve("checkpoint", text.into())?),
                RouterOption::default(),
            )),
        }
    }

    fn file(&self) -> Option<&Path> {
        match self {
            What::Model(path, _) => path.as_deref(),
            What::Bpe(path) | What::Track(path) => Some(path),
            _ => None,
        }
    }

    fn is_model(&self) -> bool {
        matches!(self, What::Model(..))
    }

    /// The router that a model is given by its name, as it was typed.
    fn router(&self) -> Option<String> {
        match self {
            What::Model(_, router) => router.routing().map(|routing| routing.to_string()),
            _ => None,
        }
    }

    fn name(&self, text: &str) -> String {
        match self.file() {
            Some(path) => path
                .file_name()
                .map_or(text.into(), |name| match self.router() {
                    Some(router) => format!("{}{ROUTER}{router}", name.to_string_lossy()),
                    None => name.to_string_lossy().into_owned(),
                }),
            None => text.into(),
        }
    }
}

/// What is to be run.
pub struct Request {
    contenders: Vec<(String, What)>,
    files: Option<(PathBuf, PathBuf)>,
    motifs: PathBuf,
    out: PathBuf,
    windows: Windows,
    router: RouterOption,
    compute: Compute,
    part: Option<Part>,
    biotypes: Biotypes,
    pipeline: CompareRequest,
}

impl Arguments {
    /// Refuses what no run could meet, before anything is read.
    pub fn validate(self) -> Result<Request> {
        let asked = if self.contenders.is_empty() {
            ["bundled", "fixed:4", "random:4", "kmer:6"]
                .map(String::from)
                .to_vec()
        } else {
            self.contenders
        };
        let mut contenders: Vec<(String, What)> = Vec::new();
        for text in asked {
            let what = What::parse(&text)?;
            let mut name = what.name(&text);
            if contenders.iter().any(|(known, _)| *known == name) {
                name = text.clone();
            }
            if contenders
                .iter()
                .any(|(known, other)| *known == name || *other == what)
            {
                return Err(Error::Usage(format!("{text}: asked for twice")));
            }
            contenders.push((name, what));
        }
        counts::check(&[
            ("--permutations", self.permutations),
            ("--batch", self.windows.batch),
        ])?;
        if !(6..=100_000).contains(&self.flank) {
            return Err(Error::Usage(format!("--flank {}: 6 to 100000", self.flank)));
        }
        if !(self.p > 0.0 && self.p <= 0.1) {
            return Err(Error::Usage(format!(
                "--p {}: above 0, and at most 0.1",
                self.p
            )));
        }
        if self.shard.part().is_some() && !contenders.iter().any(|(_, what)| what.is_model()) {
            return Err(Error::Usage(
                "--shard is for models: the others cut in no time".into(),
            ));
        }
        let files = self.assembly.files()?;
        let motifs = self.motifs.unwrap_or_else(|| {
            if files.is_some() {
                "vertebrates"
            } else {
                "insects"
            }
            .into()
        });
        Ok(Request {
            contenders,
            files,
            motifs,
            out: self.out,
            windows: self.windows,
            router: self.router,
            compute: self.compute,
            part: self.shard.part(),
            pipeline: CompareRequest {
                biotypes: self.biotypes.of_genes(),
                flank: self.flank,
                p: self.p,
                permutations: self.permutations,
                seed: self.seed,
                batch: self.windows.batch,
                ..CompareRequest::default()
            },
            biotypes: self.biotypes,
        })
    }
}

fn left_out(found: &pipeline::Compared) -> LeftOut {
    let out = found
        .site_statuses
        .iter()
        .filter(|(status, _)| **status != SiteStatus::Used);
    let reasons = out
        .map(|(status, n)| (status.name().to_string(), *n as u64))
        .collect();
    LeftOut {
        what: "windows around splice sites and over promoters",
        used: found.n_windows as u64,
        reasons,
    }
}

impl Request {
    /// The networks, all on one device, where a checkpoint is compared at all.
    fn models(&self, checkpoints: &[Option<Checkpoint>]) -> Result<Vec<Option<LdarNet>>> {
        if checkpoints.iter().all(Option::is_none) {
            return Ok(checkpoints.iter().map(|_| None).collect());
        }
        let device = self.compute.device()?;
        checkpoints
            .iter()
            .map(|checkpoint| {
                checkpoint
                    .as_ref()
                    .map(|c| self.compute.model(c, &device))
                    .transpose()
            })
            .collect()
    }

    /// Runs the comparison, writes the results folder and prints the short of it.
    pub fn run(mut self, origin: Origin) -> Result<()> {
        let mut course = Course::start(origin, &self.out, self.part)?;
        let (genome, annotation) = source::reference(self.files.as_ref(), &course.bar)?;
        let motifs = scan::read_motifs(&self.motifs)?;
        let inputs = self.inputs(&course.origin)?;
        let checkpoints = self.checkpoints(&course.origin)?;
        let first = checkpoints.iter().flatten().next();
        let trained_length = course.origin.trained_length(first);
        (self.pipeline.context, self.pipeline.margin) = self.windows.of(trained_length, 0)?;
        let models = self.models(&checkpoints)?;
        for model in models.iter().flatten() {
            course.run.computed(
                &model.arithmetic().to_string(),
                &device::name(model.device()),
            );
        }
        if let Some(model) = course.origin.model() {
            course.run.computed(&model.dtype, &model.device);
        }
        let promoters = PromoterRequest {
            tss: TssChoice::Unique,
            biotypes: self.biotypes.of_promoters(&annotation),
            window: Window {
                upstream_bp: 500,
                downstream_bp: 100,
            },
        };
        let promoters = Promoters::of_annotation(&annotation, genome.contigs(), &promoters)?;
        let names: Vec<&str> = self
            .contenders
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        let mut parameters = serde_json::to_value(&self.pipeline).unwrap_or_default();
        // Files are known by their content.
        let known = |(_, what): &(String, What)| {
            let router = what
                .router()
                .map_or(String::new(), |router| format!("{ROUTER}{router}"));
            json!(match (what.file(), what.is_model()) {
                (Some(_), _) => format!("file{router}"),
                (None, true) => format!("bundled{router}"),
                (None, false) => format!("{what:?}"),
            })
        };
        parameters["contenders"] = self.contenders.iter().map(known).collect();
        self.router.note(&mut parameters);
        let facts = |checkpoint: &Checkpoint| json!({"parameters": checkpoint.parameters(), "config": checkpoint.config.json});
        let facts = json!(checkpoints.iter().flatten().map(facts).collect::<Vec<_>>());
        let facts = course
            .origin
            .model()
            .map_or(facts, |model| model.facts.clone());
        let all = self.sources(&models, &genome)?;
        // Tokenizers and tracks are asked as they are; of models, each known by its file, the
        // answers are kept.
        let is_model = |number: usize| self.contenders[number].1.is_model();
        let routers = (self.contenders.iter())
            .filter(|(_, what)| what.is_model())
            .map(|(_, what)| what.router().map_or(String::new(), |r| format!(" {r}")));
        let files: Vec<String> = inputs
            .iter()
            .filter(|input| input.role == "checkpoint")
            .zip(routers)
            .map(|(input, router)| format!("{}{router}", input.sha256))
            .collect();
        let of_models = (0..all.len())
            .filter(|number| is_model(*number))
            .map(|number| all[number].as_ref());
        let of_models: Vec<(&str, &dyn BoundarySource)> =
            files.iter().map(String::as_str).zip(of_models).collect();
        let asked = Asked {
            parameters,
            inputs: &inputs,
            facts,
            trained_length,
            models: &of_models,
        };
        course.finish(asked, left_out, |kept, progress| {
            let (mut kept, mut contenders) = (kept.iter().copied(), Vec::new());
            for (number, name) in names.iter().enumerate() {
                let source = Some(number)
                    .filter(|number| is_model(*number))
                    .and_then(|_| kept.next())
                    .unwrap_or(all[number].as_ref());
                contenders.push(Contender {
                    name: name.to_string(),
                    source,
                });
            }
            pipeline::run(
                &genome,
                Some(&annotation),
                &promoters,
                &motifs,
                &contenders,
                &self.pipeline,
                progress,
            )
        })
    }

    /// The files of those that are models; of shards none, as their models are not opened.
    fn checkpoints(&self, origin: &Origin) -> Result<Vec<Option<Checkpoint>>> {
        let open = |(_, what): &(String, What)| match what {
            _ if origin.model().is_some() => Ok(None),
            What::Model(path, own) => {
                let router = if own.routing().is_some() {
                    *own
                } else {
                    self.router
                };
                router
                    .checkpoint(source::checkpoint(path.as_deref())?)
                    .map(Some)
            }
            _ => Ok(None),
        };
        self.contenders.iter().map(open).collect()
    }

    fn sources<'a>(
        &self,
        models: &'a [Option<LdarNet>],
        genome: &Genome,
    ) -> Result<Vec<Box<dyn BoundarySource + 'a>>> {
        let rng = Rng::new(self.pipeline.seed);
        let source = |((name, what), model): (&(String, What), &'a Option<LdarNet>)| -> Result<Box<dyn BoundarySource + 'a>> {
            Ok(match (what, model) {
                (_, Some(model)) => Box::new(Router::new(model, 0)?),
                (What::Fixed(every), _) => Box::new(Tokenizer::Fixed(*every)),
                (What::Random(every), _) => Box::new(Tokenizer::Random(*every, rng.derive(name))),
                (What::Kmer(k), _) => Box::new(Tokenizer::Kmer(*k)),
                (What::Bpe(path), _) => Box::new(Tokenizer::open(path)?),
                (What::Track(path), _) => Box::new(Signal::open(path, None, Missing::Zero, genome.contigs())?),
                (What::Model(..), None) => Box::new(Unopened(Values::Probabilities)),
            })
        };
        self.contenders.iter().zip(models).map(source).collect()
    }

    fn inputs(&self, origin: &Origin) -> Result<Vec<Input>> {
        let mut inputs = source::files_inputs(self.files.as_ref())?;
        let mut models = 0;
        let mut checkpoint = |path: Option<&Path>| {
            models += 1;
            origin.checkpoint(models - 1, || source::checkpoint_input(path))
        };
        for (_, what) in &self.contenders {
            match what {
                What::Model(path, _) => inputs.push(checkpoint(path.as_deref())?),
                What::Bpe(path) => inputs.push(Input::file("tokenizer", path)?),
                What::Track(path) => inputs.push(Input::file("track", path)?),
                What::Fixed(_) | What::Random(_) | What::Kmer(_) => {}
            }
        }
        inputs.push(scan::motifs_input(&self.motifs)?);
        Ok(inputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compared_is_read_from_its_name() {
        let bundled = What::Model(None, RouterOption::default());
        assert_eq!(What::parse("bundled").unwrap(), bundled);
        let turned = What::parse("a/b.pt,router=turned").unwrap();
        assert_eq!(turned.name("a/b.pt,router=turned"), "b.pt,router=turned");
        assert_eq!(
            (turned.router().as_deref(), turned.is_model()),
            (Some("turned"), true)
        );
        assert_eq!(What::parse("fixed:4").unwrap(), What::Fixed(4));
        assert_eq!(What::parse("kmer:6").unwrap(), What::Kmer(6));
        assert_eq!(What::parse("a/b.pt").unwrap().name("a/b.pt"), "b.pt");
        assert_eq!(
            What::parse("bpe:x/tokenizer.json").unwrap(),
            What::Bpe("x/tokenizer.json".into())
        );
        for bad in [
            "fixed:0",
            "random:",
            "kmer:x",
            "kmer:65",
            "bundled,router=x",
            "kmer:6,router=none",
        ] {
            assert!(matches!(What::parse(bad), Err(Error::Usage(_))), "{bad}");
        }
    }
}
