//! Runs of this program in folders of their own under one: not run again while their command, their
//! inputs and what they made are the same.

use super::stderr::say;
use super::stdout;
use crate::error::{Error, Result};
use crate::output::{check_file, check_folder, holds_something, write_atomic};
use crate::report::provenance::{Input, Run};
use crate::report::record::{Record, tables_of};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

/// A run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Name, and name of its folder.
    pub name: String,
    /// The command and its arguments, without `--out`.
    pub words: Vec<String>,
}

/// Raised by hand when the analyses come to give other results for the same inputs: steps of
/// another number are run again. The build of the program is not asked: days of a model's time must
/// outlive it.
const RESULTS_FORMAT: u32 = 3;

/// In the environment of a step: it ends when its standard input does, and so with the process that
/// started it.
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

/// In a step, ends the process as soon as the one that started it is no more: a run that was killed
/// must not go on unseen.
pub fn end_with_parent() {
    if std::env::var_os(ENDS_WITH_STDIN).is_some() {
        std::thread::spawn(|| {
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            std::process::exit(1)
        });
    }
}

/// Where they are run.
pub struct Steps<'a> {
    out: &'a Path,
    program: PathBuf,
    code: String,
    threads: Option<u16>,
    /// The command they are of, and the parameter that says what it was asked for: another one's
    /// folder is left alone.
    of: (&'static str, &'static str, &'a str),
}

impl<'a> Steps<'a> {
    /// Under `out`, for the command `analysis` whose parameter `key` is `value`.
    ///
    /// # Errors
    /// This program cannot be read.
    pub fn new(
        out: &'a Path,
        (analysis, key, value): (&'static str, &'static str, &'a str),
        threads: Option<u16>,
    ) -> Result<Steps<'a>> {
        let program = std::env::current_exe().map_err(Error::io("this program"))?;
        let code = Input::file("program", &program)?.sha256;
        Ok(Steps {
            out,
            program,
            code,
            threads,
            of: (analysis, key, value),
        })
    }

    /// The folder of a step.
    pub fn folder(&self, job: &Job) -> PathBuf {
        self.out.join("steps").join(&job.name)
    }

    /// What the results of a step were made of; it lies beside their folder.
    fn note(&self, job: &Job) -> PathBuf {
        self.out.join("steps").join(format!("{}.json", job.name))
    }

    /// Refuses a folder with anything in it but a former report of the same; begins one where there
    /// is none. Shards may do so at the same time.
    ///
    /// # Errors
    /// Such a folder; files that cannot be written.
    pub fn open(&self) -> Result<()> {
        check_folder(self.out)?;
        let (analysis, key, value) = self.of;
        let started = self.out.join("run.json");
        // Asked first: another shard may begin the folder meanwhile.
        let is_used = holds_something(self.out);
        if let Ok(former) = Record::read(self.out) {
            let name = former.parameters[key].as_str().unwrap_or_default();
            return match former.analysis.as_str() {
                other if other != analysis => Err(Error::file(
                    self.out,
                    format!("holds results of {other}: choose another --out"),
                )),
                _ if name == value => Ok(()),
                _ => Err(Error::file(
                    self.out,
                    format!("holds the report of {key} '{name}': choose another --out"),
                )),
            };
        }
        if is_used {
            return Err(Error::file(
                self.out,
                format!(
                    "is not empty and holds no report of a {key}: choose another --out, or empty it"
                ),
            ));
        }
        let begun = Run::start().to_json(
            analysis,
            json!({key: value}),
            &[],
            &json!(null),
            &[],
            json!({"steps": []}),
        );
        write_atomic(&started, |file| writeln!(file, "{begun:#}"))
    }

    /// Prints the commands, and which would be run.
    ///
    /// # Errors
    /// Standard output cannot be written to.
    pub fn plan(&self, jobs: &[Job]) -> Result<()> {
        jobs.iter().try_for_each(|job| {
            let state = if self.is_done(job) { "done" } else { "to run" };
            stdout::print(&format!(
                "{state:<8}{} --out {}\n",
                job.words.join(" "),
                self.folder(job).display()
            ))
        })
    }

    /// Runs what has to be run.
    ///
    /// # Errors
    /// A step that fails; what was done before is kept.
    pub fn run(&self, jobs: &[Job]) -> Result<()> {
        let all = jobs.len();
        let mut numbered = jobs.iter().enumerate();
        numbered.try_for_each(|(number, job)| self.run_one((number + 1, all), job))
    }

    /// Runs the step with this number, of so many, if it has to be run.
    ///
    /// # Errors
    /// It fails.
    pub fn run_one(&self, (number, all): (usize, usize), job: &Job) -> Result<()> {
        let which = format!("step {number} of {all}, {}", job.name);
        if let Some(made) = self.made(job) {
            let folder = self.folder(job);
            let by = match made.program == self.code {
                true => String::new(),
                false => format!(
                    ", by another build of this program (to run it again, remove {})",
                    folder.display()
                ),
            };
            say(&format!("{which}: unchanged since the last run{by}"));
            return Ok(());
        }
        say(&which);
        let started = Instant::now();
        self.make(job)?;
        say(&format!(
            "{which}: {:.0} seconds\n",
            started.elapsed().as_secs_f64()
        ));
        Ok(())
    }

    /// Whether the results of a step are there, whole, and would be made of the same things now.
    pub fn is_done(&self, job: &Job) -> bool {
        self.made(job).is_some()
    }

    /// What the results of a step were made of, where they are there, whole, and would be made of
    /// the same things now.
    fn made(&self, job: &Job) -> Option<Made> {
        let made = noted(&self.note(job))?;
        let same = |input: &Input| {
            input.is_bundled()
                || Input::file(&input.role, Path::new(&input.path)).is_ok_and(|now| now == *input)
        };
        let whole = || {
            self.folder(job).join("index.html").exists()
                && self.files(job).is_ok_and(|files| files == made.files)
        };
        let is_it = made.results == RESULTS_FORMAT
            && made.words == job.words
            && whole()
            && made.inputs.iter().all(same);
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
            let name = path
                .strip_prefix(&folder)
                .unwrap_or(path)
                .display()
                .to_string();
            Ok(Input {
                path: name,
                ..Input::file("result", path)?
            })
        };
        files.iter().map(of).collect()
    }

    fn make(&self, job: &Job) -> Result<()> {
        check_file(&self.note(job), &[], |path| noted(path).is_some())?;
        self.call(&job.name, &job.words, &self.folder(job))?;
        let made = Made {
            results: RESULTS_FORMAT,
            program: self.code.clone(),
            words: job.words.clone(),
            inputs: Record::read(&self.folder(job))?.inputs,
            files: self.files(job)?,
        };
        let text = serde_json::to_string_pretty(&made).unwrap_or_default();
        write_atomic(&self.note(job), |file| writeln!(file, "{text}"))
    }

    /// Runs this program on a command line with `--out folder`; it ends when this process does.
    ///
    /// # Errors
    /// It fails.
    pub fn call(&self, name: &str, words: &[String], folder: &Path) -> Result<()> {
        let mut command = std::process::Command::new(&self.program);
        command.args(words).arg("--out").arg(folder);
        if let Some(threads) = self.threads {
            command.args(["--threads", &threads.to_string()]);
        }
        let mut step = command
            .env(ENDS_WITH_STDIN, "1")
            .stdin(Stdio::piped())
            .spawn()
            .map_err(Error::io(&self.program))?;
        let held = step.stdin.take(); // open until the step has ended, or this process has
        let status = step.wait().map_err(Error::io(&self.program))?;
        drop(held);
        match status.success() {
            true => Ok(()),
            false => Err(Error::Invalid(format!(
                "step {name} failed ({status}): what was done before is kept; run the same command again to go on"
            ))),
        }
    }

    /// Writes `run.json` of the whole, whose own tables are there already.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn record(
        &self,
        run: &Run,
        parameters: Value,
        inputs: &[Input],
        jobs: &[Job],
    ) -> Result<()> {
        let steps: Vec<_> = jobs
            .iter()
            .map(|job| json!({"name": job.name, "command": job.words}))
            .collect();
        let mut text = run.to_json(
            self.of.0,
            parameters,
            inputs,
            &json!(null),
            &[],
            json!({"steps": steps}),
        );
        if self.out.join("tables").is_dir() {
            text["tables"] = json!(tables_of(self.out)?);
        }
        write_atomic(&self.out.join("run.json"), |file| {
            writeln!(file, "{text:#}")
        })
    }
}

/// What lies beside the folder of a step.
fn noted(path: &Path) -> Option<Made> {
    serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()
}
