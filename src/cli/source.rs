//! Inputs that default to the bundled set, and names that stand for files of the cache.

use super::progress::Bar;
use crate::bundled;
use crate::error::{Error, Result};
use crate::fetch::{cache, sources};
use crate::genome::annotation::Annotation;
use crate::genome::contig_names::{ContigNames, examples};
use crate::genome::fasta::Genome;
use crate::genome::fit::IntronFit;
use crate::model::Checkpoint;
use crate::report::format::count;
use crate::report::provenance::Input;
use crate::tasks::suite::Suite;
use crate::train::recipe::Recipe;
use clap::builder::{PathBufValueParser, TypedValueParser};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What the bundled genome and annotation are called where a path is asked for.
const FLY: &str = "fly";

/// What is typed in place of a path: a path, or the name of a fetched set, for its file of `role`
/// in the cache. `./human` is a file of that name.
///
/// # Errors
/// The set is not in the cache, and the message says how to get it.
pub fn resolve(role: &str, path: PathBuf) -> Result<PathBuf> {
    match path.to_str() {
        Some(name) if sources::named(name).is_ok() => cache::find(&cache::root()?, name, role),
        _ => Ok(path),
    }
}

/// A recipe of training, in whose list of files names of fetched sets stand for their genomes; a file
/// of that name beside the recipe comes first.
///
/// # Errors
/// The recipe is none, or names a set that is not in the cache.
pub fn recipe(path: &Path) -> Result<Recipe> {
    let mut recipe = Recipe::open(path)?;
    let beside = path.parent();
    for fasta in &mut recipe.data.fasta {
        if let Some(name) = fasta.file_name()
            && fasta.parent() == beside
            && !fasta.exists()
        {
            let found = resolve("genome", PathBuf::from(name))?;
            if found != Path::new(name) {
                *fasta = found;
            }
        }
    }
    Ok(recipe)
}

/// [`resolve`] for an argument.
pub fn path_of(role: &'static str) -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(move |path| resolve(role, path))
}

/// A genome with its annotation, for analyses that need both.
#[derive(Debug, clap::Args)]
pub struct Assembly {
    /// Genome: FASTA, plain, gzip or bgzip, a .fai beside it is made if missing; or human, mouse,
    /// fly (see fetch) [default: bundled fly chromosome 4]
    #[arg(long, value_name = "FASTA", requires = "annotation", value_parser = path_of("genome"))]
    genome: Option<PathBuf>,
    /// Gene annotation, with CDS where codons are asked for: GTF or GFF3 of GENCODE, Ensembl or
    /// RefSeq, plain or gzip; or human, mouse, fly [default: bundled]
    #[arg(long, value_name = "GTF", requires = "genome", value_parser = path_of("annotation"))]
    annotation: Option<PathBuf>,
}

impl Assembly {
    /// Both files; none for the bundled ones.
    pub fn files(self) -> Result<Option<(PathBuf, PathBuf)>> {
        let (genome, annotation) = files(self.genome, self.annotation)?;
        Ok(genome.zip(annotation)) // clap has seen to it that both or none are there
    }
}

/// Genome and annotation as given; none of both for the bundled ones, which are also called `fly`.
pub fn files(
    genome: Option<PathBuf>,
    annotation: Option<PathBuf>,
) -> Result<(Option<PathBuf>, Option<PathBuf>)> {
    let is_fly =
        |path: &Option<PathBuf>| path.as_deref().is_some_and(|path| path.as_os_str() == FLY);
    match (is_fly(&genome), is_fly(&annotation)) {
        (false, false) => Ok((genome, annotation)),
        (true, true) => Ok((None, None)),
        (true, false) if annotation.is_none() => Ok((None, None)),
        _ => Err(Error::Usage(
            "fly is one contig with its own genes: give it as --genome fly --annotation fly".into(),
        )),
    }
}

/// The folder with the files of a suite's tasks: the one that is given, else what `fetch` brought.
///
/// # Errors
/// No place for a cache.
pub fn suite_folder(data: Option<&Path>, suite: &Suite) -> Result<PathBuf> {
    match data {
        Some(folder) => Ok(folder.to_path_buf()),
        None => Ok(cache::root()?.join(format!("{}-{}", suite.name, suite.release))),
    }
}

/// A FASTA as given; none for the bundled one.
pub fn fasta(path: Option<PathBuf>) -> Option<PathBuf> {
    path.filter(|path| path.as_os_str() != FLY)
}

/// A file, unless the bundled one is meant: by its name, or by none.
fn file(path: Option<&Path>) -> Option<&Path> {
    path.filter(|path| path.as_os_str() != "bundled")
}

/// The checkpoint of a file, or the bundled one.
pub fn checkpoint(path: Option<&Path>) -> Result<Checkpoint> {
    file(path).map_or_else(bundled::checkpoint, Checkpoint::open)
}

/// The record of what [`checkpoint`] opens.
pub fn checkpoint_input(path: Option<&Path>) -> Result<Input> {
    let bundled = || {
        Ok(Input::bytes(
            "checkpoint",
            bundled::MODEL.name,
            bundled::MODEL.bytes,
        ))
    };
    file(path).map_or_else(bundled, |path| Input::file("checkpoint", path))
}

/// The genome of a file, or the bundled one.
pub fn genome(path: Option<&Path>) -> Result<Genome> {
    path.map_or_else(bundled::genome, Genome::open)
}

/// The record of what [`genome`] opens.
pub fn genome_input(path: Option<&Path>) -> Result<Input> {
    let bundled = || {
        Ok(Input::bytes(
            "genome",
            bundled::GENOME.name,
            bundled::GENOME.bytes,
        ))
    };
    path.map_or_else(bundled, |path| Input::file("genome", path))
}

/// The annotation of a file; without one that of the bundled genome, and none for a genome of a
/// file.
pub fn annotation(path: Option<&Path>, genome: Option<&Path>) -> Result<Option<Annotation>> {
    match (path, genome) {
        (Some(path), _) => Annotation::open(path).map(Some),
        (None, None) => bundled::annotation().map(Some),
        (None, Some(_)) => Ok(None),
    }
}

/// Genome and annotation of files, or the bundled ones; [`remarks`] go to `bar`.
pub fn reference(files: Option<&(PathBuf, PathBuf)>, bar: &Bar) -> Result<(Genome, Annotation)> {
    let (genome, annotation) = match files {
        Some((genome, annotation)) => (Genome::open(genome)?, Annotation::open(annotation)?),
        None => (bundled::genome()?, bundled::annotation()?),
    };
    remarks(&genome, &annotation)?
        .iter()
        .for_each(|line| bar.note(line));
    Ok((genome, annotation))
}

/// What a user should know of an annotation, a line each: what of it is left out or mended, and
/// where it looks to be of another genome.
///
/// # Errors
/// None of its contigs is in the genome; a contig that cannot be read.
pub fn remarks(genome: &Genome, annotation: &Annotation) -> Result<Vec<String>> {
    let (summary, path) = (&annotation.summary, annotation.path.display());
    let mut lines = Vec::new();
    if !summary.notes.is_empty() {
        let notes: Vec<String> = summary
            .notes
            .iter()
            .map(|(reason, n)| format!("{reason}: {}", count(*n as usize)))
            .collect();
        lines.push(format!(
            "{path}, {} lines: {}",
            count(summary.lines as usize),
            notes.join("; ")
        ));
    }
    let map = ContigNames::new(genome.contigs().iter().map(|contig| &contig.name))
        .map_annotation(&annotation.contigs)?;
    let lost = annotation
        .genes
        .iter()
        .filter(|gene| map[gene.contig].is_none())
        .count();
    if lost > 0 {
        let absent = annotation
            .contigs
            .iter()
            .zip(&map)
            .filter(|(_, index)| index.is_none())
            .map(|(name, _)| name.as_str());
        let (all, absent) = (count(annotation.genes.len()), examples(absent));
        lines.push(format!(
            "{path}: {} of {all} genes lie on contigs that the genome lacks ({absent})",
            count(lost)
        ));
    }
    lines.extend(
        IntronFit::of(genome, annotation)?
            .and_then(|fit| fit.complaint())
            .map(|complaint| format!("warning: {path}: {complaint}")),
    );
    Ok(lines)
}

/// The records of what [`genome`] and [`annotation`] open.
pub fn reference_inputs(genome: Option<&Path>, annotation: Option<&Path>) -> Result<Vec<Input>> {
    let mut inputs = vec![genome_input(genome)?];
    match (annotation, genome) {
        (Some(path), _) => inputs.push(Input::file("annotation", path)?),
        (None, None) => inputs.push(Input::bytes(
            "annotation",
            bundled::ANNOTATION.name,
            bundled::ANNOTATION.bytes,
        )),
        (None, Some(_)) => {}
    }
    Ok(inputs)
}

/// The records of what [`reference`] opens.
pub fn files_inputs(files: Option<&(PathBuf, PathBuf)>) -> Result<Vec<Input>> {
    let (genome, annotation) = files
        .map(|(genome, annotation)| (genome.as_path(), annotation.as_path()))
        .unzip();
    reference_inputs(genome, annotation)
}

/// What `run.json` says of a model.
pub fn model_facts(checkpoint: &Checkpoint) -> Value {
    json!({"parameters": checkpoint.parameters(), "config": checkpoint.config.json, "notes": checkpoint.notes})
}
