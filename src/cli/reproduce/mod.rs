//! `reproduce`: the analyses of a recipe, one report. Each step is a run of this program in a folder of its own, and is not run again while its
//! command, its inputs and the program are the same.

mod recipe;

use super::stderr::say;
use super::stdout;
use crate::error::{Error, Result};
use crate::output::{check_file, check_folder, write_atomic};
use crate::report::page;
use crate::report::provenance::{Input, Run};
use crate::report::record::Record;
use clap::Parser;
use recipe::{Job, Recipe};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

/// Run all analyses of a recipe, and write one report
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ldar-analyze reproduce
      fly-demo: every analysis on the bundled chromosome with the bundled model, in minutes; open fly-demo/index.html
  ldar-analyze reproduce --list
      the bundled recipes, and what they need
  ldar-analyze reproduce human-slice --set genome=chr1.fa.gz --set annotation=chr1.gtf.gz --out chr1
  ldar-analyze reproduce mine.toml --dry-run
      the commands of your own recipe; start from one in analyses/

Each step is a results folder under steps/. A step is skipped when its command and the contents of its inputs are those of the results that are there, and
these are whole: an interrupted run goes on where it stopped, and a second run does nothing. Another build of this program runs a step again only if
it would give other results; to have one run again, remove its folder.")]
pub struct Arguments {
    /// Bundled recipe, or a .toml file
    #[arg(value_name = "RECIPE", default_value = "fly-demo")]
    recipe: String,
    /// Folder for the report [default: the recipe's name]
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Give an input of the recipe
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = assignment)]
    set: Vec<(String, String)>,
    /// List the bundled recipes
    #[arg(long)]
    list: bool,
    /// Print the commands, and which would be run
    #[arg(long)]
    dry_run: bool,
}

fn assignment(text: &str) -> std::result::Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(name, value)| !name.is_empty() && !value.is_empty());
    pair.map(|(name, value)| (name.to_string(), value.to_string())).ok_or_else(|| "write NAME=VALUE".to_string())
}

/// Raised by hand when the analyses come to give other results for the same inputs: steps of another number are run again. The build of the program is not
/// asked: days of a model's time must outlive it.
const RESULTS_FORMAT: u32 = 1;

/// In the environment of a step: it ends when its standard input does, and so with the process that started it.
const ENDS_WITH_STDIN: &str = "LDAR_ENDS_WITH_STDIN";

/// What a finished step was made of, and what was made.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Made {
    #[serde(default)]
    results: u32,
    /// SHA-256 of the program.
    program: String,
    words: Vec<String>,
    inputs: Vec<Input>,
    /// `run.json` and the tables, by their paths in the step's folder.
    #[serde(default)]
    files: Vec<Input>,
}

/// In a step of a recipe, ends the process as soon as the one that started it is no more: a run that was killed must not go on unseen.
pub fn end_with_parent() {
    if std::env::var_os(ENDS_WITH_STDIN).is_some() {
        std::thread::spawn(|| {
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            std::process::exit(1)
        });
    }
}

/// The analyses that have a page.
const ANALYSES: [&str; 5] = ["splice-profile", "motif-enrichment", "density", "locus", "compare"];

/// Refuses a step that could not be run, before anything is.
fn check(job: &Job) -> Result<()> {
    let wrong = |what: String| Error::Usage(format!("step {}: {what}", job.name));
    if !ANALYSES.contains(&job.words[0].as_str()) {
        return Err(wrong(format!("'{}' is no analysis; there are {}", job.words[0], ANALYSES.join(", "))));
    }
    let words = [env!("CARGO_PKG_NAME")].into_iter().chain(job.words.iter().map(String::as_str));
    super::Arguments::try_parse_from(words).map(drop).map_err(|e| wrong(e.to_string()))
}

impl Arguments {
    /// Runs what has to be run, and writes the report.
    pub fn run(self, threads: Option<u16>) -> Result<()> {
        if self.list {
            let about = |(name, _): &(&str, &str)| {
                let recipe = Recipe::open(name)?;
                Ok(format!("{name}\n    {}{}\n", recipe.title, recipe.inputs()))
            };
            return stdout::print(&crate::bundled::RECIPES.iter().map(about).collect::<Result<String>>()?);
        }
        let recipe = Recipe::open(&self.recipe)?;
        let jobs = recipe.jobs(&self.set)?;
        jobs.iter().try_for_each(check)?;
        let out = self.out.clone().unwrap_or_else(|| PathBuf::from(&recipe.name));
        let program = std::env::current_exe().map_err(Error::io("this program"))?;
        let code = Input::file("program", &program)?.sha256;
        let kitchen = Kitchen { out: &out, program: &program, code: &code, threads };
        if self.dry_run {
            for job in &jobs {
                let state = if kitchen.made(job).is_some() { "done" } else { "to run" };
                stdout::print(&format!("{state:<8}{} --out {}\n", job.words.join(" "), kitchen.folder(job).display()))?;
            }
            return Ok(());
        }
        kitchen.open(&recipe)?;
        let run = Run::start();
        for (number, job) in jobs.iter().enumerate() {
            let which = format!("step {} of {}, {}", number + 1, jobs.len(), job.name);
            if let Some(made) = kitchen.made(job) {
                let folder = kitchen.folder(job);
                let by = match made.program == code {
                    true => String::new(),
                    false => format!(", by another build of this program (to run it again, remove {})", folder.display()),
                };
                say(&format!("{which}: unchanged since the last run{by}"));
                continue;
            }
            say(&which);
            let started = Instant::now();
            kitchen.cook(job)?;
            say(&format!("{which}: {:.0} seconds\n", started.elapsed().as_secs_f64()));
        }
        kitchen.record(&recipe, &run, &jobs)?;
        page::write(&out)?;
        stdout::print(&format!("{}\n", out.join("index.html").display()))
    }
}

/// Where steps are run.
struct Kitchen<'a> {
    out: &'a Path,
    program: &'a Path,
    code: &'a str,
    threads: Option<u16>,
}

impl Kitchen<'_> {
    fn folder(&self, job: &Job) -> PathBuf {
        self.out.join("steps").join(&job.name)
    }

    /// What the results of a step were made of; it lies beside their folder.
    fn note(&self, job: &Job) -> PathBuf {
        self.out.join("steps").join(format!("{}.json", job.name))
    }

    /// Refuses a folder with anything in it but a report of the same recipe; begins one where there is none.
    fn open(&self, recipe: &Recipe) -> Result<()> {
        check_folder(self.out)?;
        let started = self.out.join("run.json");
        if let Ok(former) = Record::read(self.out) {
            let name = former.parameters["recipe"].as_str().unwrap_or_default();
            return match former.analysis.as_str() {
                "reproduce" if name == recipe.name => Ok(()),
                "reproduce" => Err(Error::file(self.out, format!("holds the report of recipe '{name}': choose another --out"))),
                other => Err(Error::file(self.out, format!("holds results of {other}: choose another --out"))),
            };
        }
        if std::fs::read_dir(self.out).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(Error::file(self.out, "is not empty and holds no report of a recipe: choose another --out, or empty it"));
        }
        let begun = Run::start().to_json("reproduce", json!({"recipe": recipe.name}), &[], &json!(null), &[], json!({"steps": []}));
        write_atomic(&started, |file| writeln!(file, "{begun:#}"))
    }

    /// What the results of a step were made of, where they are there, whole, and would be made of the same things now.
    fn made(&self, job: &Job) -> Option<Made> {
        let made = noted(&self.note(job))?;
        let same = |input: &Input| input.is_bundled() || Input::file(&input.role, Path::new(&input.path)).is_ok_and(|now| now == *input);
        let whole = || self.folder(job).join("index.html").exists() && self.files(job).is_ok_and(|files| files == made.files);
        let is_it = made.results == RESULTS_FORMAT && made.words == job.words && whole() && made.inputs.iter().all(same);
        is_it.then_some(made)
    }

    /// What the page of a step is made of: `run.json` and the tables.
    fn files(&self, job: &Job) -> Result<Vec<Input>> {
        let folder = self.folder(job);
        let tables = folder.join("tables");
        let mut files = vec![folder.join("run.json")];
        for entry in std::fs::read_dir(&tables).map_err(Error::io(&tables))? {
            files.push(entry.map_err(Error::io(&tables))?.path());
        }
        files.sort();
        let of = |path: &PathBuf| {
            let name = path.strip_prefix(&folder).unwrap_or(path).display().to_string();
            Ok(Input { path: name, ..Input::file("result", path)? })
        };
        files.iter().map(of).collect()
    }

    fn cook(&self, job: &Job) -> Result<()> {
        check_file(&self.note(job), &[], |path| noted(path).is_some())?;
        let mut command = std::process::Command::new(self.program);
        command.args(&job.words).arg("--out").arg(self.folder(job));
        if let Some(threads) = self.threads {
            command.args(["--threads", &threads.to_string()]);
        }
        let mut step = command.env(ENDS_WITH_STDIN, "1").stdin(Stdio::piped()).spawn().map_err(Error::io(self.program))?;
        let held = step.stdin.take(); // open until the step has ended, or this process has
        let status = step.wait().map_err(Error::io(self.program))?;
        drop(held);
        if !status.success() {
            let kept = "what was done before is kept; run the same command again to go on";
            return Err(Error::Invalid(format!("step {} failed ({status}): {kept}", job.name)));
        }
        let made = Made {
            results: RESULTS_FORMAT,
            program: self.code.into(),
            words: job.words.clone(),
            inputs: Record::read(&self.folder(job))?.inputs,
            files: self.files(job)?,
        };
        let text = serde_json::to_string_pretty(&made).unwrap_or_default();
        write_atomic(&self.note(job), |file| writeln!(file, "{text}"))
    }

    fn record(&self, recipe: &Recipe, run: &Run, jobs: &[Job]) -> Result<()> {
        let parameters = json!({"recipe": recipe.name, "title": recipe.title, "paper": recipe.paper, "about": recipe.about.split_whitespace().collect::<Vec<_>>().join(" ")});
        let steps: Vec<_> = jobs.iter().map(|job| json!({"name": job.name, "command": job.words})).collect();
        let text = run.to_json("reproduce", parameters, &[], &json!(null), &[], json!({"steps": steps}));
        write_atomic(&self.out.join("run.json"), |file| writeln!(file, "{text:#}"))
    }
}

/// What lies beside the folder of a step.
fn noted(path: &Path) -> Option<Made> {
    serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()
}
