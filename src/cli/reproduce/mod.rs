//! `reproduce`: the analyses of a recipe, one report. Each step is a run of this program in a
//! folder of its own, and is not run again while its command, its inputs and the program are the
//! same.

mod recipe;

use super::stdout;
use super::steps::{Job, Steps};
use crate::error::{Error, Result};
use crate::report::analysis::ANALYSES;
use crate::report::page;
use crate::report::provenance::Run;
use clap::Parser;
use recipe::Recipe;
use serde_json::json;
use std::path::PathBuf;

/// Run all analyses of a recipe, and write one report
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ldar-analyze reproduce
      fly-demo: every analysis on the bundled chromosome with the bundled model, in minutes; open fly-demo/index.html
  ldar-analyze reproduce --list
      the bundled recipes, and what they need
  ldar-analyze reproduce human-slice --set genome=chr1.fa.gz --set annotation=chr1.gtf.gz --out chr1
  ldar-analyze fetch yeast && ldar-analyze fetch gue && ldar-analyze reproduce matched-flops
      the paper's comparison of learned and fixed boundaries at equal FLOPs, three hours on two cores
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
    let pair = text
        .split_once('=')
        .filter(|(name, value)| !name.is_empty() && !value.is_empty());
    pair.map(|(name, value)| (name.to_string(), value.to_string()))
        .ok_or_else(|| "write NAME=VALUE".to_string())
}

/// No step: its results are folders of steps themselves, which its page links to.
const SUITES: &str = "benchmark";

/// Refuses a step that could not be run, before anything is.
fn check(job: &Job) -> Result<()> {
    let wrong = |what: String| Error::Usage(format!("step {}: {what}", job.name));
    let names: Vec<&str> = ANALYSES
        .iter()
        .map(|entry| entry.name)
        .filter(|name| *name != SUITES)
        .collect();
    if !names.contains(&job.words[0].as_str()) {
        return Err(wrong(format!(
            "'{}' is no analysis; there are {}",
            job.words[0],
            names.join(", ")
        )));
    }
    let words = [env!("CARGO_PKG_NAME")]
        .into_iter()
        .chain(job.words.iter().map(String::as_str));
    super::Arguments::try_parse_from(words)
        .map(drop)
        .map_err(|e| wrong(e.to_string()))
}

/// What is to be run; nothing where recipes are to be listed.
pub struct Request(Option<Plan>);

struct Plan {
    recipe: Recipe,
    jobs: Vec<Job>,
    out: PathBuf,
    dry_run: bool,
}

impl Arguments {
    /// Reads the recipe, and refuses what could not be run.
    pub fn validate(self) -> Result<Request> {
        if self.list {
            return Ok(Request(None));
        }
        let recipe = Recipe::open(&self.recipe)?;
        let jobs = recipe.jobs(&self.set)?;
        jobs.iter().try_for_each(check)?;
        Ok(Request(Some(Plan {
            out: self.out.unwrap_or_else(|| PathBuf::from(&recipe.name)),
            recipe,
            jobs,
            dry_run: self.dry_run,
        })))
    }
}

/// Prints what there is.
fn list() -> Result<()> {
    let about = |(name, _): &(&str, &str)| {
        let recipe = Recipe::open(name)?;
        Ok(format!("{name}\n    {}{}\n", recipe.title, recipe.inputs()))
    };
    let recipes = crate::bundled::RECIPES.iter().map(about);
    stdout::print(&recipes.collect::<Result<String>>()?)
}

impl Request {
    /// Runs what has to be run, and writes the report.
    pub fn run(self, threads: Option<u16>) -> Result<()> {
        let Some(plan) = self.0 else {
            return list();
        };
        let Plan {
            recipe, jobs, out, ..
        } = plan;
        let steps = Steps::new(&out, ("reproduce", "recipe", &recipe.name), threads)?;
        if plan.dry_run {
            return steps.plan(&jobs);
        }
        steps.open()?;
        let run = Run::start();
        steps.run(&jobs)?;
        let about = recipe
            .about
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        let parameters = json!({"recipe": recipe.name, "title": recipe.title, "paper": recipe.paper, "about": about});
        steps.record(&run, parameters, &[], &jobs)?;
        page::write(&out)?;
        stdout::print(&format!("{}\n", out.join("index.html").display()))
    }
}
