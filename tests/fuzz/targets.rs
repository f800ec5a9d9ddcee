//! The readers, each with the files that it is tried on.

use crate::seeds::{self, Files};
use ldar::genome::annotation::Annotation;
use ldar::genome::bigwig::BigWig;
use ldar::genome::fasta::{Contig, Genome};
use ldar::genome::promoters::{self, BedAnchor, Window};
use ldar::genome::{Interval, bed, vcf};
use ldar::model::{Checkpoint, checkpoint};
use ldar::motifs::read as motifs;
use ldar::pipelines::store::Store;
use ldar::pipelines::tokenizers::Tokenizer;
use ldar::pipelines::{BoundarySource, Stretch};
use ldar::report::record::Record;
use ldar::report::{shard, tables};
use ldar::train::recipe::Recipe;
use ldar::{Error, Result, fetch};
use std::path::Path;
use std::process::Command;

/// A reader.
pub struct Target {
    /// What it is called.
    pub name: &'static str,
    /// Sound inputs.
    pub seeds: fn() -> Vec<Files>,
    /// Reads the input in a folder, as far as a command would.
    pub read: fn(&Path) -> Result<()>,
}

/// All of them.
pub fn all() -> Vec<Target> {
    vec![
        target("fasta", seeds::fasta, |folder| {
            let path = ["x.fa", "x.fa.gz"]
                .map(|name| folder.join(name))
                .into_iter()
                .find(|path| path.exists());
            let genome = Genome::open(path.unwrap_or(folder.join("x.fa")))?;
            genome
                .contigs()
                .iter()
                .try_for_each(|contig| genome.read_contig(&contig.name).map(drop))
        }),
        target("gtf", seeds::gtf, annotation),
        target("gff3", seeds::gff3, annotation),
        target("bed", seeds::bed, |folder| {
            let (path, window) = (
                folder.join("x.bed"),
                Window {
                    upstream_bp: 50,
                    downstream_bp: 50,
                },
            );
            for anchor in [
                BedAnchor::Region,
                BedAnchor::FivePrime(window),
                BedAnchor::Thick(window),
            ] {
                promoters::read_bed(&path, &contigs(), anchor)?;
            }
            bed::read(&path).map(drop)
        }),
        target("vcf", seeds::vcf, |folder| {
            let (from, to, index) = (
                folder.join("x.vcf"),
                folder.join("y.vcf.gz"),
                folder.join("y.vcf.gz.tbi"),
            );
            let read = vcf::read(&from, &mut |record| {
                std::hint::black_box((
                    record.contig(),
                    record.first(),
                    record.alternates(),
                    record.info("P"),
                ));
                Ok(())
            });
            let field = vcf::Field {
                id: "P",
                number: "A",
                kind: "Float",
                description: String::new(),
            };
            let written = vcf::annotate(&from, &to, &index, &[field], &mut |_| {
                vec![("P", "1".into())]
            });
            [to, index]
                .iter()
                .for_each(|path| drop(std::fs::remove_file(path)));
            assert_eq!(read.is_ok(), written.is_ok());
            read
        }),
        target("fps", seeds::fps, |folder| {
            let window = Window {
                upstream_bp: 50,
                downstream_bp: 50,
            };
            promoters::read_fps(&folder.join("x.fps"), &contigs(), window).map(drop)
        }),
        target("bigwig", seeds::bigwig, |folder| {
            let contigs = contigs();
            let file = BigWig::open(&folder.join("x.bw"), &contigs)?;
            let (mut values, mut number) = (Vec::new(), 0..contigs.len());
            number.try_for_each(|number| {
                file.values(
                    number,
                    Interval::new(0, contigs[number].length_bp),
                    &mut values,
                )
            })
        }),
        target("motifs", seeds::motifs, |folder| {
            motifs::open(folder.join("x.txt")).map(drop)
        }),
        target("jaspar-sqlite", seeds::sqlite, |folder| {
            motifs::open(folder.join("x.sqlite")).map(drop)
        }),
        target("pytorch", seeds::pytorch, |folder| {
            Checkpoint::open(folder.join("x.pt")).map(drop)
        }),
        target("safetensors", seeds::safetensors, |folder| {
            Checkpoint::open(folder.join("x.safetensors"))?;
            checkpoint::load_tensors(&folder.join("x.safetensors")).map(drop)
        }),
        target("tokenizer", seeds::tokenizer, |folder| {
            let letters = b"ACGTTGCATGCATTTAGCGCNNNNACGTACGGATTACA".repeat(20);
            Tokenizer::open(&folder.join("tokenizer.json"))?
                .read(&[Stretch::nowhere(letters)])
                .map(drop)
        }),
        target("train-recipe", seeds::train_recipe, |folder| {
            Recipe::open(&folder.join("x.toml")).map(drop)
        }),
        target("reproduce-recipe", seeds::reproduce_recipe, |folder| {
            let (program, recipe) = (env!("CARGO_BIN_EXE_ldar-analyze"), folder.join("x.toml"));
            let output = Command::new(program)
                .args(["reproduce", "--dry-run"])
                .arg(recipe)
                .output()
                .map_err(Error::io(program))?;
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            match output.status.code() {
                Some(0) => Ok(()),
                Some(1 | 2) if !said.contains("a fault of") => Err(Error::Invalid(said)),
                _ => panic!("{}: {said}", output.status),
            }
        }),
        target("run-json", seeds::run_json, |folder| {
            let record = Record::read(folder)?;
            record.about();
            record.parameters::<serde_json::Value>().map(drop)
        }),
        target("parquet", seeds::parquet, |folder| {
            tables::read::<seeds::Row>(folder, "rows").map(drop)
        }),
        target("shard", seeds::shard, |folder| {
            shard::Manifest::read(folder)?;
            let mut store = Store::open_finished(&folder.join(shard::ANSWERS), seeds::MODEL)?;
            store.get(&seeds::KEY).map(drop)
        }),
        target("cache", seeds::cache, |folder| {
            fetch::cache::find(folder, "human", "genome").map(drop)
        }),
    ]
}

fn target(name: &'static str, seeds: fn() -> Vec<Files>, read: fn(&Path) -> Result<()>) -> Target {
    Target { name, seeds, read }
}

fn annotation(folder: &Path) -> Result<()> {
    let annotation = Annotation::open(folder.join("x.txt"))?;
    let introns = annotation
        .genes
        .iter()
        .flat_map(|gene| &gene.transcripts)
        .flat_map(|transcript| transcript.introns());
    std::hint::black_box(introns.count());
    Ok(())
}

/// The contigs of the seeds.
pub fn contigs() -> Vec<Contig> {
    [("chr1", 3000), ("chr2", 400)]
        .map(|(name, length_bp)| Contig {
            name: name.into(),
            length_bp,
        })
        .to_vec()
}
