//! `benchmark`: the tasks of a suite, one fine-tuning each, one table.

use super::answers::Shard;
use super::stderr::say;
use super::steps::{Job, Steps};
use super::{Command, parsed, source, stdout};
use crate::error::{Error, Result};
use crate::genome::fasta::Genome;
use crate::output::write_atomic;
use crate::report::analysis::Tables as _;
use crate::report::benchmark as report;
use crate::report::page;
use crate::report::provenance::{Input, Run};
use crate::tasks::cut::cut;
use crate::tasks::suite::{self, AtHand, ClassFile, Suite, SuiteTask};
use serde_json::json;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Fine-tune on the tasks of a benchmark suite; writes one table of all, beside published results
///
/// Each task is a run of `finetune` in a folder under steps/, with the protocol and the learning
/// rate of the suite. It is skipped while its command, its files and this program are those of the
/// results that are there.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ldar-analyze benchmark gue --list
  ldar-analyze benchmark gue --data gue-tasks --tasks mouse_2,prom_core_tata --out gue -- --model kmer
      what stands behind -- is given to every finetune: here the 6-mer baseline alone
  ldar-analyze fetch nt && ldar-analyze benchmark nt --out nt -- --checkpoint model.pt
  ldar-analyze benchmark nt --shard 3/18 --out nt -- --checkpoint model.pt
      one of 18 jobs, all with the same --out; the last one that ends completes the table
  ldar-analyze benchmark gb --data datasets --genome GRCh38=human --tasks human_enhancers_cohn --out gb -- --checkpoint model.pt
      Genomic Benchmarks are coordinates: their sequences are cut from the genome

Files are looked for as TASK.SPLIT.csv (as `fetch` names them), TASK/SPLIT.csv, and in the suite's own folders; also .tsv, .parquet, .fa, and .gz of them.")]
pub struct Arguments {
    /// nt, gue or gb
    #[arg(value_name = "SUITE", value_parser = suite::names())]
    suite: String,
    /// Only these tasks
    #[arg(long, value_name = "TASK", value_delimiter = ',')]
    tasks: Vec<String>,
    /// Folder with the tasks' files [default: what `fetch SUITE` brought]
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Of gb: the FASTA of an assembly (a path or the name of a fetched set)
    #[arg(long = "genome", value_name = "ASSEMBLY=FASTA")]
    genomes: Vec<String>,
    /// Folder for the report [default: the suite's name]
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Run only every N-th task, from the I-th on
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// List the tasks of the suite, and what is known of them
    #[arg(long)]
    list: bool,
    /// Print the commands, and which would be run
    #[arg(long)]
    dry_run: bool,
    /// Options of every finetune
    #[arg(last = true, value_name = "OPTIONS", allow_hyphen_values = true)]
    finetune: Vec<String>,
}

/// What is to be run.
pub struct Request {
    suite: Suite,
    arguments: Arguments,
    genomes: Vec<(String, PathBuf)>,
}

impl Arguments {
    /// Refuses what no run could meet, before anything is read.
    pub fn validate(self) -> Result<Request> {
        let suite = suite::named(&self.suite)?;
        suite.chosen(&self.tasks)?;
        let genome = |text: &String| match text.split_once('=') {
            Some((assembly, path)) if suite.genomes.contains_key(assembly) => Ok((
                assembly.to_string(),
                source::resolve("genome", PathBuf::from(path))?,
            )),
            _ => {
                let known: Vec<&str> = suite.genomes.keys().map(String::as_str).collect();
                let known = if known.is_empty() {
                    "no suite but gb is cut from genomes".into()
                } else {
                    format!("ASSEMBLY=FASTA, of {}", known.join(", "))
                };
                Err(Error::Usage(format!("--genome {text}: {known}")))
            }
        };
        let genomes = self.genomes.iter().map(genome).collect::<Result<_>>()?;
        if self
            .finetune
            .iter()
            .any(|word| word == "--out" || word.starts_with("--out="))
        {
            return Err(Error::Usage(
                "--out after --: each task has a folder of its own under the --out before it"
                    .into(),
            ));
        }
        Ok(Request {
            suite,
            genomes,
            arguments: self,
        })
    }
}

impl Request {
    /// Runs what has to be run, and writes the report of what is there.
    pub fn run(self, threads: Option<u16>) -> Result<()> {
        let Request {
            suite,
            arguments,
            genomes,
        } = self;
        let tasks = suite.chosen(&arguments.tasks)?;
        if arguments.list {
            return stdout::print(&listed(&suite, &tasks));
        }
        let out = arguments
            .out
            .clone()
            .unwrap_or_else(|| PathBuf::from(&suite.name));
        let data = source::suite_folder(arguments.data.as_deref(), &suite)?;
        let steps = Steps::new(&out, ("benchmark", "suite", &suite.name), threads)?;
        if !arguments.dry_run {
            steps.open()?;
        }
        let mut jobs = Vec::new();
        for task in tasks {
            let files = match task.classes.is_empty() {
                true => suite.at_hand(task, &data)?,
                false => sequences(&suite, task, (&data, &out), &genomes, arguments.dry_run)?,
            };
            jobs.push(job(&suite, task, &files, &arguments.finetune)?);
        }
        let own: Vec<Job> = match arguments.shard {
            Some(shard) => shard.share(&jobs),
            None => jobs.clone(),
        };
        if arguments.dry_run {
            return steps.plan(&own);
        }
        let run = Run::start();
        steps.run(&own)?;
        let done: Vec<Job> = jobs
            .iter()
            .filter(|job| steps.is_done(job))
            .cloned()
            .collect();
        let parameters = json!({"suite": suite.name, "title": suite.title, "measure": suite.measure, "tasks": jobs.iter().map(|job| &job.name).collect::<Vec<_>>()});
        let results = report::results(
            &suite,
            &out,
            &done.iter().map(|job| job.name.as_str()).collect::<Vec<_>>(),
        )?;
        results.write_tables(&out)?;
        steps.record(&run, parameters, &[], &done)?;
        page::write(&out)?;
        if done.len() < jobs.len() {
            say(&format!(
                "{} of {} tasks are done; run the others, then this command again for the whole table",
                done.len(),
                jobs.len()
            ));
        }
        stdout::print(&format!(
            "{}\n{}\n",
            report::summary(&results),
            out.join("index.html").display()
        ))
    }
}

fn listed(suite: &Suite, tasks: &[&SuiteTask]) -> String {
    let mut text = format!(
        "{}: {}\nlicence: {}\n{}\nnot verified: {}\n",
        suite.title, suite.about, suite.licence, suite.site, suite.unverified
    );
    for task in tasks {
        let rows: Vec<String> = task
            .rows
            .iter()
            .map(|(split, n)| format!("{split} {n}"))
            .collect();
        let rate = task
            .rate
            .map_or(String::new(), |rate| format!("rate {rate:e}"));
        let genomes: std::collections::BTreeSet<&String> = task.classes.values().collect();
        let genomes: Vec<&str> = genomes.into_iter().map(String::as_str).collect();
        text += &format!(
            "  {:<34} {}\n",
            task.name,
            [rows.join(", "), rate, genomes.join(", ")]
                .into_iter()
                .filter(|part| !part.is_empty())
                .collect::<Vec<_>>()
                .join("; ")
        );
    }
    for (genome, address) in &suite.genomes {
        text += &format!("  {genome}: {address}\n");
    }
    text
}

/// The run of a task.
fn job(suite: &Suite, task: &SuiteTask, files: &AtHand, options: &[String]) -> Result<Job> {
    let path = |files: &[ClassFile]| {
        files
            .first()
            .map_or(String::new(), |file| file.path.display().to_string())
    };
    let mut words: Vec<String> = vec!["finetune".into(), "--test".into(), path(&files.test)];
    let given = |option: &str| {
        options
            .iter()
            .any(|word| word == option || word.starts_with(&format!("{option}=")))
    };
    let mut option = |name: &str, value: String| {
        if !given(name) {
            words.extend([name.to_string(), value]);
        }
    };
    match (files.valid.is_empty(), suite.folds) {
        (false, _) => {
            option("--train", path(&files.train));
            option("--valid", path(&files.valid));
        }
        (true, Some(folds)) => {
            option("--data", path(&files.train));
            option("--folds", folds.to_string());
        }
        (true, None) => option("--train", path(&files.train)),
    }
    if !suite.seeds.is_empty() {
        option(
            "--seeds",
            suite
                .seeds
                .iter()
                .map(u64::to_string)
                .collect::<Vec<_>>()
                .join(","),
        );
    }
    option("--protocol", suite.protocol.clone());
    if let Some(rate) = task.rate {
        option("--rate", rate.to_string());
    }
    words.extend_from_slice(options);
    let job = Job {
        name: task.name.clone(),
        words,
    };
    let typed: Vec<String> = std::iter::once(env!("CARGO_PKG_NAME").to_string())
        .chain(job.words.iter().cloned())
        .collect();
    match parsed(&typed) {
        Ok(Command::Finetune(_)) => Ok(job),
        Ok(_) => Err(Error::Usage("after -- come options of finetune".into())),
        Err(e) => Err(Error::Usage(format!("task {}: {e}", task.name))),
    }
}

/// The files of a task of coordinates, cut from their genomes into `OUT/sequences` unless they are
/// there already.
fn sequences(
    suite: &Suite,
    task: &SuiteTask,
    (data, out): (&Path, &Path),
    genomes: &[(String, PathBuf)],
    planned: bool,
) -> Result<AtHand> {
    let regions = suite.at_hand(task, data)?;
    let place = |split: &str| {
        out.join("sequences")
            .join(format!("{}.{split}.csv", task.name))
    };
    let whole = |split: &str| {
        vec![ClassFile {
            path: place(split),
            class: None,
        }]
    };
    for (split, files) in [("train", &regions.train), ("test", &regions.test)] {
        if planned {
            continue;
        }
        let genome_of = |file: &ClassFile| {
            let assembly = file
                .class
                .as_ref()
                .and_then(|class| task.classes.get(class))
                .map_or("", String::as_str);
            let found = genomes
                .iter()
                .find(|(name, _)| name == assembly)
                .map(|(_, path)| path.clone());
            found.ok_or_else(|| {
                Error::Usage(format!(
                    "task {}: give --genome {assembly}=FASTA (from {})",
                    task.name,
                    suite.genomes.get(assembly).map_or("", String::as_str)
                ))
            })
        };
        let genomes: Vec<PathBuf> = files.iter().map(genome_of).collect::<Result<_>>()?;
        let mut made = Vec::new();
        for (file, genome) in files.iter().zip(&genomes) {
            made.extend([
                Input::file("regions", &file.path)?,
                Input::file("genome", genome)?,
            ]);
        }
        let note = out
            .join("sequences")
            .join(format!("{}.{split}.json", task.name));
        let made = serde_json::to_string_pretty(&made).unwrap_or_default();
        if place(split).exists() && std::fs::read_to_string(&note).is_ok_and(|text| text == made) {
            continue;
        }
        say(&format!("{}: cutting the sequences of {split}", task.name));
        let mut text = String::from("name,sequence,label\n");
        for (file, genome) in files.iter().zip(&genomes) {
            for one in cut(&file.path, &Genome::open(genome)?)? {
                text += &format!(
                    "{},{},{}\n",
                    one.name.replace([',', '"'], "_"),
                    String::from_utf8_lossy(&one.sequence),
                    file.class.as_deref().unwrap_or_default()
                );
            }
        }
        write_atomic(&place(split), |file| file.write_all(text.as_bytes()))?;
        write_atomic(&note, |file| file.write_all(made.as_bytes()))?;
    }
    Ok(AtHand {
        train: whole("train"),
        valid: Vec::new(),
        test: whole("test"),
    })
}
