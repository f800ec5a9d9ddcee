//! `matched-flops`: learned against fixed token boundaries at equal operations, from pretraining to
//! paired differences.

use super::answers::Shard;
use super::stderr::say;
use super::steps::{Job, Steps};
use super::{source, stdout};
use crate::error::{Error, Result};
use crate::model::flops::forward_flops_per_base;
use crate::model::{Config, Routing};
use crate::output::write_atomic;
use crate::pipelines::matched_flops::{ArmRow, CurveRow, Outcome, off};
use crate::report::analysis::Tables as _;
use crate::report::matched_flops::{self as report, FineTuned};
use crate::report::page;
use crate::report::provenance::{Input, Run};
use crate::tasks::JudgeRequest;
use crate::tasks::suite::{self, AtHand, Suite};
use crate::train::data::Corpus;
use crate::train::matched::{Arm, LEARNED, Part, Rule, Scale, TURNED, arms, layout, parameters};
use crate::train::recipe::Recipe;
use crate::train::run::{Metrics, Standing, metrics, standing};
use serde_json::json;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Pretrain models that differ in their token boundaries alone, at equal FLOPs, fine-tune them, and
/// compare them seed by seed; writes an HTML report
///
/// Arms: a learned router, a grid, random cuts, and no compression with a smaller backbone; and the
/// learned one with its cuts circularly shifted within every sequence. All of a seed see the same windows, masks
/// and rows. Each pretraining and each fine-tuning is a run of its own: what is finished is not run
/// again, and what was stopped goes on.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ldar-analyze fetch yeast && ldar-analyze fetch gue && ldar-analyze matched-flops
      about three hours on two cores; stop and start it at will; open matched-flops/index.html
  ldar-analyze matched-flops --genome R64.fa.gz --data gue-tasks --dry-run
      what would be run
  ldar-analyze matched-flops --parts main,ratio-loss,compression
      also other weights of the ratio loss (0, 0.003, 0.3) and other targets (2, 8), pretrained only
  ldar-analyze matched-flops --scale full --shard 2/3 --out full
      the second of three seeds, on a machine of its own, all with the same --out; the last that ends completes the tables
  ldar-analyze matched-flops --scale mine.toml --out mine
      your own sizes: start from reference/matched-flops/small.toml

Tables in the results folder: arms, curves, tasks, scores, means, differences. A pretraining lies under pretraining/, a fine-tuning under steps/.")]
pub struct Arguments {
    /// Sizes: small, full, or a .toml file
    #[arg(long, value_name = "SCALE", default_value = "small")]
    scale: String,
    /// FASTA of S. cerevisiae R64, or the name of a fetched set
    #[arg(long, value_name = "FASTA", default_value = "yeast", value_parser = source::path_of("genome"))]
    genome: PathBuf,
    /// Further FASTA files to pretrain on, with commas between
    #[arg(long, value_name = "FASTA", value_delimiter = ',')]
    also: Vec<PathBuf>,
    /// Folder with the tasks' files, as `benchmark gue` takes it [default: what `fetch gue` brought]
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Parts of the experiment: main, ratio-loss, compression
    #[arg(
        long,
        value_name = "PART",
        value_delimiter = ',',
        default_value = "main"
    )]
    parts: Vec<String>,
    /// Folder for the report
    #[arg(long, value_name = "FOLDER", default_value = "matched-flops")]
    out: PathBuf,
    /// Run only every N-th seed, from the I-th on
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// Print what would be run
    #[arg(long)]
    dry_run: bool,
}

/// What is to be run.
pub struct Request {
    scale: Scale,
    suite: Suite,
    parts: Vec<Part>,
    arguments: Arguments,
}

impl Arguments {
    /// Refuses what no run could meet, before anything is run.
    pub fn validate(self) -> Result<Request> {
        let scale = Scale::open(&self.scale)?;
        let suite = suite::named("gue")?;
        suite.chosen(&scale.tasks)?;
        let part = |name: &String| {
            let found = Part::ALL.into_iter().find(|part| part.name() == name);
            found.ok_or_else(|| {
                let known = Part::ALL.map(Part::name).join(", ");
                Error::Usage(format!("--parts {name}: one or more of {known}"))
            })
        };
        let mut parts: Vec<Part> = self.parts.iter().map(part).collect::<Result<_>>()?;
        parts.sort_unstable();
        parts.dedup();
        Ok(Request {
            scale,
            suite,
            parts,
            arguments: self,
        })
    }
}

/// A pretraining: an arm with a seed, in its folder.
struct Pretraining<'a> {
    arm: &'a Arm,
    seed: u64,
    folder: PathBuf,
}

impl Request {
    /// Runs what has to be run, and writes the report of what is there.
    pub fn run(self, threads: Option<u16>) -> Result<()> {
        let Request {
            scale,
            suite,
            parts,
            arguments,
        } = &self;
        let out = &arguments.out;
        let fasta: Vec<PathBuf> = std::iter::once(&arguments.genome)
            .chain(&arguments.also)
            .map(|path| path.canonicalize().map_err(Error::io(path)))
            .collect::<Result<_>>()?;
        let data = source::suite_folder(arguments.data.as_deref(), suite)?;
        let mut inputs = vec![Input::file("genome", &arguments.genome)?];
        for path in &arguments.also {
            inputs.push(Input::file("genome", path)?);
        }
        if Path::new(&scale.name).extension().is_some() {
            inputs.push(Input::file("scale", Path::new(&scale.name))?);
        }
        let mut tasks = Vec::new();
        if parts.contains(&Part::Main) {
            for task in suite.chosen(&scale.tasks)? {
                let files = suite.at_hand(task, &data)?;
                for file in [&files.train, &files.valid, &files.test]
                    .into_iter()
                    .flatten()
                {
                    inputs.push(Input::file("task", &file.path)?);
                }
                tasks.push((task.name.as_str(), files));
            }
        }
        let first = scale.recipe(scale.seeds[0], &fasta)?;
        let corpus = Corpus::open(&first.data)?;
        let plan = Plan {
            scale,
            fasta: &fasta,
            digest: corpus.digest(),
            arms: arms(parts, &first),
            tasks: &tasks,
            out,
        };
        let steps = Steps::new(out, ("matched-flops", "scale", &scale.name), threads)?;
        let own: Vec<u64> = match arguments.shard {
            Some(shard) => shard.share(&scale.seeds),
            None => scale.seeds.clone(),
        };
        if arguments.dry_run {
            return plan.print(&own, &steps);
        }
        steps.open()?;
        let run = Run::start();
        plan.pretrain(&own, &steps)?;
        let all = plan.finetunings(&own);
        for (number, of) in all.iter().enumerate() {
            let job = plan.job(of, &steps)?.ok_or_else(|| {
                Error::Invalid(format!(
                    "{}: the learned model is not fine-tuned yet",
                    of.step
                ))
            })?;
            steps.run_one((number + 1, all.len()), &job)?;
        }

        let (done, jobs) = plan.done(&steps)?;
        let mut outcome = Outcome::default();
        for seed in &done {
            plan.read(*seed, &mut outcome)?;
        }
        let judge = JudgeRequest::default();
        report::judge(&mut outcome, out, &plan.finetunings(&done), &judge)?;
        outcome.write_tables(out)?;
        let names: Vec<&str> = parts.iter().map(|part| part.name()).collect();
        let parameters = json!({
            "scale": scale.name, "sizes": scale.about, "seeds": scale.seeds, "tasks": scale.tasks, "parts": names,
            "finetune": scale.finetune, "pretraining": recipe_facts(&first), "judge": judge,
        });
        steps.record(&run, parameters, &inputs, &jobs)?;
        page::write(out)?;
        if done.len() < scale.seeds.len() {
            say(&format!(
                "{} of {} seeds are done; run the others, then this command again for all",
                done.len(),
                scale.seeds.len()
            ));
        }
        stdout::print(&format!(
            "{}\n{}\n",
            report::summary(&outcome),
            out.join("index.html").display()
        ))
    }
}

/// What decides a pretraining, by file names only.
fn recipe_facts(recipe: &Recipe) -> serde_json::Value {
    let mut facts = json!(recipe);
    let names: Vec<String> = recipe
        .data
        .fasta
        .iter()
        .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
        .collect();
    facts["data"]["fasta"] = json!(names);
    facts
}

/// All that may be run.
struct Plan<'a> {
    scale: &'a Scale,
    fasta: &'a [PathBuf],
    digest: u64,
    arms: Vec<Arm>,
    tasks: &'a [(&'a str, AtHand)],
    out: &'a Path,
}

impl Plan<'_> {
    fn folder(&self, arm: &str, seed: u64) -> PathBuf {
        self.out
            .join("pretraining")
            .join(format!("{arm}-seed-{seed}"))
    }

    /// Seed by seed, the learned arm first.
    fn pretrainings(&self, seeds: &[u64]) -> Vec<Pretraining<'_>> {
        let of = |seed: &u64| {
            let seed = *seed;
            self.arms.iter().map(move |arm| Pretraining {
                arm,
                seed,
                folder: self.folder(&arm.name, seed),
            })
        };
        seeds.iter().flat_map(of).collect()
    }

    /// The recipe of a pretraining; none while the learned arm of its seed, which others follow, is
    /// not finished.
    fn recipe(&self, of: &Pretraining<'_>) -> Result<Option<Recipe>> {
        let learned = self.scale.recipe(of.seed, self.fasta)?;
        if of.arm.rule == Rule::Learned {
            return of.arm.recipe(&learned, None).map(Some);
        }
        let folder = self.folder(LEARNED, of.seed);
        match standing(&learned, self.digest, &folder) {
            Standing::Finished => {
                let (_, reached) = held_out(&metrics(&folder)?, &folder)?;
                of.arm.recipe(&learned, Some(reached)).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn standing(&self, of: &Pretraining<'_>) -> Result<Standing> {
        let recipe = self.recipe(of)?;
        Ok(recipe.map_or(Standing::Fresh, |recipe| {
            standing(&recipe, self.digest, &of.folder)
        }))
    }

    fn pretrain(&self, seeds: &[u64], steps: &Steps<'_>) -> Result<()> {
        let all = self.pretrainings(seeds);
        for (number, of) in all.iter().enumerate() {
            let name = format!("{}, seed {}", of.arm.name, of.seed);
            let which = format!("pretraining {} of {}, {name}", number + 1, all.len());
            let recipe = self.recipe(of)?.ok_or_else(|| {
                Error::Invalid(format!("{name}: the learned model is not trained yet"))
            })?;
            let mut words = vec!["train".to_string()];
            let file = of.folder.with_extension("toml");
            match standing(&recipe, self.digest, &of.folder) {
                Standing::Finished => {
                    say(&format!("{which}: unchanged since the last run"));
                    continue;
                }
                Standing::Begun => words.extend([file.display().to_string(), "--resume".into()]),
                Standing::Fresh => words.push(file.display().to_string()),
            }
            say(&which);
            let text = toml::to_string(&recipe)
                .map_err(|e| Error::Invalid(format!("the recipe cannot be written down: {e}")))?;
            write_atomic(&file, |file| file.write_all(text.as_bytes()))?;
            let started = std::time::Instant::now();
            steps.call(&name, &words, &of.folder)?;
            say(&format!(
                "{which}: {:.0} seconds\n",
                started.elapsed().as_secs_f64()
            ));
        }
        Ok(())
    }

    /// The fine-tunings of some seeds: of every arm of the main part, and of the learned one with its
    /// cuts shifted. The learned one comes first: others need to know what it spends then.
    fn finetunings(&self, seeds: &[u64]) -> Vec<FineTuned> {
        let mut all = Vec::new();
        for seed in seeds {
            for (task, _) in self.tasks {
                let main = self.arms.iter().filter(|arm| arm.part == Part::Main);
                all.extend(
                    main.map(|arm| arm.name.as_str())
                        .chain([TURNED])
                        .map(|arm| FineTuned {
                            task: (*task).into(),
                            arm: arm.into(),
                            seed: *seed,
                            step: format!("{task}-{arm}-seed-{seed}"),
                        }),
                );
            }
        }
        all
    }

    /// The run of a fine-tuning; none while that of the learned arm, whose operations others match,
    /// is not finished.
    fn job(&self, of: &FineTuned, steps: &Steps<'_>) -> Result<Option<Job>> {
        let mut words = vec!["finetune".to_string()];
        let mut option = |name: &str, value: String| {
            words.extend([name.to_string(), value]);
        };
        let named = self.tasks.iter().find(|(task, _)| *task == of.task);
        for (name, files) in named.into_iter().flat_map(|(_, files)| {
            [
                ("--train", &files.train),
                ("--valid", &files.valid),
                ("--test", &files.test),
            ]
        }) {
            if let Some(file) = files.first() {
                option(name, file.path.display().to_string());
            }
        }
        option("--seeds", of.seed.to_string());
        let arm = self.arms.iter().find(|arm| arm.name == of.arm);
        let from = arm.map_or(LEARNED, |arm| &arm.name);
        let model = self.folder(from, of.seed).join("model.safetensors");
        option("--checkpoint", model.display().to_string());
        match arm {
            None => option("--router", Routing::Turned.to_string()),
            Some(arm) if matches!(arm.rule, Rule::Learned | Rule::None) => (),
            Some(arm) => {
                let learned = FineTuned {
                    arm: LEARNED.into(),
                    step: format!("{}-{LEARNED}-seed-{}", of.task, of.seed),
                    ..of.clone()
                };
                let Some(job) = self.job(&learned, steps)?.filter(|job| steps.is_done(job)) else {
                    return Ok(None);
                };
                let spent = report::spent(&steps.folder(&job))?;
                let config = self.scale.recipe(of.seed, self.fasta)?.config()?;
                let length = spent.mean_length.round() as usize;
                if let Some(routing) = arm.routing(&config, length, spent.flops_per_base)? {
                    option("--router", routing.to_string());
                }
            }
        }
        words.extend(self.scale.finetune.iter().cloned());
        Ok(Some(Job {
            name: of.step.clone(),
            words,
        }))
    }

    /// The seeds of which everything is finished, and their fine-tunings.
    fn done(&self, steps: &Steps<'_>) -> Result<(Vec<u64>, Vec<Job>)> {
        let (mut seeds, mut all) = (Vec::new(), Vec::new());
        for seed in &self.scale.seeds {
            let mut whole = true;
            for of in self.pretrainings(&[*seed]) {
                whole = whole && self.standing(&of)? == Standing::Finished;
            }
            let mut jobs = Vec::new();
            for of in self.finetunings(&[*seed]) {
                let job = self.job(&of, steps)?.filter(|job| steps.is_done(job));
                whole = whole && job.is_some();
                jobs.extend(job);
            }
            if whole {
                seeds.push(*seed);
                all.extend(jobs);
            }
        }
        Ok((seeds, all))
    }

    /// Prints what would be run, and how many bases that is.
    fn print(&self, seeds: &[u64], steps: &Steps<'_>) -> Result<()> {
        let all = self.pretrainings(seeds);
        for of in &all {
            let state = match self.standing(of)? {
                Standing::Fresh => "to run",
                Standing::Begun => "begun",
                Standing::Finished => "done",
            };
            stdout::print(&format!(
                "{state:<8}train {} --out {}\n",
                of.folder.with_extension("toml").display(),
                of.folder.display()
            ))?;
        }
        let finetunings = self.finetunings(seeds);
        for of in &finetunings {
            match self.job(of, steps)? {
                Some(job) => steps.plan(&[job])?,
                None => stdout::print(&format!(
                    "to see  finetune: {}, at the operations of its learned arm\n",
                    of.step
                ))?,
            }
        }
        let recipe = self.scale.recipe(self.scale.seeds[0], self.fasta)?;
        let target = recipe.optimizer.compression[0];
        let flops = forward_flops_per_base(&recipe.config()?, recipe.data.length, target);
        let bases = all.len() as f64 * bases(&recipe) as f64;
        stdout::print(&format!(
            "{} pretrainings of {:.1} million bases each: {:.2e} operations, forward and back, {:.3} million a base forward; {} fine-tunings\n",
            all.len(),
            bases / all.len().max(1) as f64 / 1e6,
            3.0 * flops * bases,
            flops / 1e6,
            finetunings.len()
        ))
    }

    /// Puts the pretrainings of a seed into the tables.
    fn read(&self, seed: u64, outcome: &mut Outcome) -> Result<()> {
        let learned = self.scale.recipe(seed, self.fasta)?;
        let (mut at_end, mut in_training) = (None, None);
        for of in self.pretrainings(&[seed]) {
            let recipe = self.recipe(&of)?.ok_or_else(|| {
                Error::file(
                    &of.folder,
                    "its learned model is not finished: run it again",
                )
            })?;
            let course = metrics(&of.folder)?;
            let (mlm_nats, compression) = held_out(&course, &of.folder)?;
            let config: Config = recipe.config()?;
            let flops_per_base = forward_flops_per_base(&config, recipe.data.length, compression);
            let training = over_steps(&course);
            if of.arm.name == LEARNED {
                (at_end, in_training) = (Some(flops_per_base), Some(training));
            }
            let (alpha, target) = of.arm.objective(&learned);
            let (arm, part) = (of.arm.name.clone(), of.arm.part.name().to_string());
            outcome.arms.push(ArmRow {
                arm: arm.clone(),
                part: part.clone(),
                seed,
                router: config.routing.to_string(),
                layout: layout(&config),
                alpha,
                target,
                parameters: parameters(&config)?,
                bases: bases(&recipe),
                mlm_nats,
                compression,
                flops_per_base,
                flops_off: off(flops_per_base, at_end),
                training_flops_per_base: training,
                training_flops_off: off(training, in_training),
            });
            outcome.curves.extend(course.iter().map(|row| {
                let (heldout_mlm_nats, heldout_compression) =
                    row.validation.unwrap_or((f64::NAN, f64::NAN));
                CurveRow {
                    arm: arm.clone(),
                    part: part.clone(),
                    seed,
                    step: row.step,
                    bases: row.bases,
                    mlm_nats: row.mlm,
                    compression: row.compression,
                    heldout_mlm_nats,
                    heldout_compression,
                }
            }));
        }
        Ok(())
    }
}

/// Bases that a pretraining reads.
fn bases(recipe: &Recipe) -> u64 {
    recipe.run.steps * (recipe.run.batch * recipe.data.length) as u64
}

/// Loss and compression on the held-out windows after the last step.
fn held_out(course: &[Metrics], folder: &Path) -> Result<(f64, f64)> {
    let last = course.last().and_then(|row| row.validation);
    last.ok_or_else(|| {
        Error::file(
            folder,
            "its metrics.tsv ends without a held-out loss: the held-out contigs are shorter than data.length, or run.validation_windows is 0",
        )
    })
}

/// Operations per base, mean over all steps.
fn over_steps(course: &[Metrics]) -> f64 {
    let (mut before, mut sum) = (0, 0.0);
    for row in course {
        sum += row.flops_per_base * (row.step - before) as f64;
        before = row.step;
    }
    sum / before as f64
}
