//! Models that differ in where their token boundaries come from, and in nothing else: the same
//! data, order, masks, seed, steps, and operations per base.
//!
//! What the paper leaves open is chosen so:
//!
//! * The learned model is trained first. The grid's N is the one at which its model spends the
//!   operations that the learned one spends at the compression it reached on the held-out windows,
//!   its router's projections included: slightly less than that compression, as a grid asks no
//!   router. Random cuts take the same N.
//! * Fine-tuning has no ratio loss, and the router leaves its compression. So a task's grid takes
//!   its N anew, that at which it spends what the fine-tuned learned model spends on the test
//!   sequences; random cuts too.
//! * Without compression there are fewer or narrower backbone blocks: of all stacks of the same
//!   mixer, with an MLP or without, the one whose operations are nearest. Blocks are whole, their
//!   channels counted in 64s, those of their MLPs in 128s and states in 4s, so they may miss; where
//!   much is compressed, one narrow block may already be too much.
//! * Learning rates follow the target compression by the authors' rule in every model.

use super::recipe::{ModelRecipe, Recipe};
use crate::model::config::{Block, Layout, Mixer};
use crate::model::flops::forward_flops_per_base;
use crate::model::{Config, Routing};
use crate::{Error, Result};
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const TEXTS: [(&str, &str); 2] = [
    (
        "small",
        include_str!("../../reference/matched-flops/small.toml"),
    ),
    (
        "full",
        include_str!("../../reference/matched-flops/full.toml"),
    ),
];

/// Weights of the ratio loss that are tried.
const ALPHAS: [f64; 4] = [0.0, 0.003, 0.03, 0.3];

/// Target compressions that are tried.
const TARGETS: [f64; 3] = [2.0, 4.0, 8.0];

/// Sizes of the experiment.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// What is typed: a name, or the file.
    #[serde(skip)]
    pub name: String,
    /// What it is, for readers.
    pub about: String,
    /// Seeds of everything: each is a pretraining of every arm, and its fine-tunings.
    pub seeds: Vec<u64>,
    /// Tasks of the suite `gue` that are fine-tuned on.
    pub tasks: Vec<String>,
    /// Options of every fine-tuning.
    pub finetune: Vec<String>,
    /// A training recipe without its seed and its FASTA files.
    pretraining: toml::Table,
}

impl Scale {
    /// A bundled one by its name, else a file.
    ///
    /// # Errors
    /// An unknown name, an unreadable file, sizes that make no sense.
    pub fn open(name: &str) -> Result<Scale> {
        if let Some((_, text)) = TEXTS.iter().find(|(known, _)| *known == name) {
            return Scale::parse(name, Path::new(name), text);
        }
        let path = Path::new(name);
        if path.extension().is_none_or(|ending| ending != "toml") {
            return Err(Error::Usage(format!(
                "no scale '{name}': there are small and full, or give a .toml file"
            )));
        }
        let text = std::fs::read_to_string(path).map_err(Error::io(path))?;
        Scale::parse(name, path, &text)
    }

    fn parse(name: &str, path: &Path, text: &str) -> Result<Scale> {
        let wrong = |what: String| Error::file(path, format!("is no scale of sizes: {what}"));
        let mut scale: Scale = toml::from_str(text).map_err(|e| wrong(e.to_string()))?;
        scale.name = name.to_string();
        let mut seeds = scale.seeds.clone();
        seeds.sort_unstable();
        seeds.dedup();
        if seeds.len() != scale.seeds.len() || seeds.is_empty() || scale.tasks.is_empty() {
            return Err(wrong(
                "it needs seeds, each once, and at least one task".into(),
            ));
        }
        let recipe = scale
            .recipe(seeds[0], &[PathBuf::from("genome.fa")])
            .map_err(|e| wrong(e.to_string()))?;
        let config = recipe.config()?;
        if config.layout.stages() != 2 || !config.routing.is_learned() {
            return Err(wrong(
                "pretraining.model has one router, which is learned".into(),
            ));
        }
        if recipe.data.holdout_contigs.is_empty() {
            return Err(wrong(
                "pretraining.data.holdout_contigs names the contigs on which the loss is measured"
                    .into(),
            ));
        }
        Ok(scale)
    }

    /// The recipe of the learned model.
    ///
    /// # Errors
    /// Values that make no sense.
    pub fn recipe(&self, seed: u64, fasta: &[PathBuf]) -> Result<Recipe> {
        let wrong = |what: &dyn std::fmt::Display| Error::Invalid(format!("pretraining: {what}"));
        let mut table = self.pretraining.clone();
        let seed = i64::try_from(seed).map_err(|e| wrong(&e))?;
        table.insert("seed".into(), seed.into());
        let files: Vec<String> = fasta
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        table
            .get_mut("data")
            .and_then(toml::Value::as_table_mut)
            .ok_or_else(|| wrong(&"it has no [pretraining.data]"))?
            .insert("fasta".into(), files.into());
        let recipe: Recipe = table.try_into().map_err(|e| wrong(&e))?;
        recipe.check()?;
        Ok(recipe)
    }
}

/// A part of the experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Learned, fixed, random and no compression, pretrained and fine-tuned.
    Main,
    /// The weight of the ratio loss: pretraining alone.
    RatioLoss,
    /// The target compression: pretraining alone.
    Compression,
}

impl Part {
    /// All, in order.
    pub const ALL: [Part; 3] = [Part::Main, Part::RatioLoss, Part::Compression];

    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            Part::Main => "main",
            Part::RatioLoss => "ratio-loss",
            Part::Compression => "compression",
        }
    }
}

/// Where the token boundaries of an arm come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// A learned router.
    Learned,
    /// A grid.
    Fixed,
    /// Random cuts.
    Random,
    /// Every base is a token.
    None,
}

/// A model that is pretrained, once a seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Arm {
    /// Its name.
    pub name: String,
    /// The part that asks for it.
    pub part: Part,
    /// Its boundaries.
    pub rule: Rule,
    /// Weight of the ratio loss, where it is not that of the scale.
    alpha: Option<f64>,
    /// Target compression, where it is not that of the scale.
    target: Option<f64>,
}

/// The arm with learned boundaries.
pub const LEARNED: &str = "learned";
/// The arm with a grid.
pub const FIXED: &str = "fixed";
/// The learned arm's weights with its cuts circularly shifted within every sequence, before fine-tuning.
pub const TURNED: &str = "turned";

/// The arms of some parts, the learned one first: the others need to know what it reached.
pub fn arms(parts: &[Part], recipe: &Recipe) -> Vec<Arm> {
    let arm = |name: &str, part, rule| Arm {
        name: name.into(),
        part,
        rule,
        alpha: None,
        target: None,
    };
    let mut arms = vec![arm(LEARNED, Part::Main, Rule::Learned)];
    if parts.contains(&Part::Main) {
        arms.extend([
            arm(FIXED, Part::Main, Rule::Fixed),
            arm("random", Part::Main, Rule::Random),
            arm("none", Part::Main, Rule::None),
        ]);
    }
    let optimizer = &recipe.optimizer;
    if parts.contains(&Part::RatioLoss) {
        let others = ALPHAS.iter().filter(|alpha| **alpha != optimizer.alpha);
        arms.extend(others.map(|alpha| Arm {
            alpha: Some(*alpha),
            ..arm(&format!("alpha-{alpha}"), Part::RatioLoss, Rule::Learned)
        }));
    }
    if parts.contains(&Part::Compression) {
        let others = TARGETS.iter().filter(|n| optimizer.compression != [**n]);
        arms.extend(others.map(|target| Arm {
            target: Some(*target),
            ..arm(
                &format!("target-{target}"),
                Part::Compression,
                Rule::Learned,
            )
        }));
    }
    arms
}

impl Arm {
    /// Its recipe: that of the learned arm of the same seed, changed. `reached` is the compression
    /// that the learned one reached; the learned arms do not ask for it.
    ///
    /// # Errors
    /// It is asked for and not known.
    pub fn recipe(&self, learned: &Recipe, reached: Option<f64>) -> Result<Recipe> {
        let mut recipe = learned.clone();
        let optimizer = &mut recipe.optimizer;
        optimizer.alpha = self.alpha.unwrap_or(optimizer.alpha);
        if let Some(target) = self.target {
            optimizer.compression = vec![target];
        }
        if self.rule == Rule::Learned {
            return Ok(recipe);
        }
        let reached = reached.ok_or_else(|| {
            Error::Invalid(format!(
                "{}: the learned model is not trained yet",
                self.name
            ))
        })?;
        let (config, length) = (learned.config()?, learned.data.length);
        let spent = forward_flops_per_base(&config, length, reached);
        match self.routing(&config, length, spent)? {
            Some(routing) => recipe.route(routing)?,
            None => recipe.model = ModelRecipe::Written(uncompressed(&config, length, spent)?.json),
        }
        Ok(recipe)
    }

    /// The cuts at which its model spends what the learned one spends, in operations per base of
    /// sequences of `length`: none for arms whose cuts have no N.
    ///
    /// # Errors
    /// A single stack.
    pub fn routing(&self, learned: &Config, length: usize, spent: f64) -> Result<Option<Routing>> {
        let every = || every(learned, length, spent);
        Ok(match self.rule {
            Rule::Learned | Rule::None => None,
            Rule::Random => Some(Routing::Random { every: every()? }),
            Rule::Fixed => Some(Routing::Fixed {
                every: every()?,
                phase: 0,
            }),
        })
    }

    /// Weight of the ratio loss and target compression.
    pub fn objective(&self, learned: &Recipe) -> (f64, f64) {
        let optimizer = &learned.optimizer;
        let target = optimizer.compression.first().copied().unwrap_or(f64::NAN);
        (
            self.alpha.unwrap_or(optimizer.alpha),
            self.target.unwrap_or(target),
        )
    }
}

/// The N of a grid whose model spends so many operations per base of sequences of `length`. Four
/// decimals.
fn every(config: &Config, length: usize, wanted: f64) -> Result<f64> {
    let grid = config.routed(Routing::Fixed {
        every: 1.0,
        phase: 0,
    })?;
    let (mut least, mut most) = (1.0, length as f64);
    for _ in 0..60 {
        let middle = (least + most) / 2.0;
        match forward_flops_per_base(&grid, length, middle) > wanted {
            true => least = middle,
            false => most = middle,
        }
    }
    Ok((most * 1e4).round() / 1e4)
}

/// The model without compression, with fewer or narrower backbone blocks, whose operations per base
/// are nearest to those wanted.
///
/// # Errors
/// A backbone that is no plain stack.
fn uncompressed(config: &Config, length: usize, wanted: f64) -> Result<Config> {
    let backbone = match &config.layout {
        Layout::Stage { inner, .. } => match &**inner {
            Layout::Stack(blocks) => blocks.clone(),
            Layout::Stage { .. } => Vec::new(),
        },
        Layout::Stack(_) => Vec::new(),
    };
    let [Block { mixer, .. }, ..] = backbone[..] else {
        return Err(Error::Invalid(
            "a model without compression is made of one with one router".into(),
        ));
    };
    let (with, without) = match mixer {
        Mixer::BiMamba => ("M", "m"),
        Mixer::Attention => ("T", "t"),
    };
    let run = |letter: &str, n: usize| match n {
        0 => String::new(),
        n => format!("{letter}{n}"),
    };
    let [outer, inner] = [0, 1].map(|stage| config.stages[stage].d_model);
    let widest = 2 * config.stages[1].d_intermediate.max(128);
    let state = config.stages[1].d_state;
    let states: Vec<usize> = (state / 2..=state).filter(|n| n % 4 == 0).collect();
    let mut shapes = Vec::new();
    for d_model in (outer..=inner).step_by(64) {
        for plain in 0..=backbone.len() {
            for wide in usize::from(plain == 0)..=backbone.len() - plain {
                // Without an MLP its width says nothing.
                let most = if wide == 0 { 128 } else { widest };
                let stack = run(with, wide) + &run(without, plain);
                for width in (128..=most).step_by(128) {
                    let of = |n: &usize| (d_model, stack.clone(), width, *n);
                    shapes.extend(states.iter().map(of));
                }
            }
        }
    }
    let mut best: Option<(f64, Config)> = None;
    for (d_model, stack, width, state) in shapes {
        let mut json = config.json.clone();
        json["arch_layout"][1] = json!([stack]);
        json["d_model"] = json!([outer, d_model]);
        json["d_intermediate"] = json!([config.stages[0].d_intermediate, width]);
        json["ssm_cfg"]["d_state"] = json!([config.stages[0].d_state, state]);
        let Ok(other) = Config::from_json(json).and_then(|other| other.routed(Routing::None))
        else {
            continue; // heads that do not fit the channels
        };
        let off = (forward_flops_per_base(&other, length, 1.0) / wanted - 1.0).abs();
        if best.as_ref().is_none_or(|(least, _)| off < *least) {
            best = Some((off, other));
        }
    }
    best.map(|(_, config)| config)
        .ok_or_else(|| Error::Invalid("the backbone has no block".into()))
}

/// A configuration's number of parameters.
///
/// # Errors
/// One that no model can be built on.
pub fn parameters(config: &Config) -> Result<u64> {
    let all = crate::model::weights::inventory(config)?;
    Ok(all
        .iter()
        .map(|(_, shape)| shape.iter().map(|n| *n as u64).product::<u64>())
        .sum())
}

/// The configuration's layout as text.
pub fn layout(config: &Config) -> String {
    match &config.json["arch_layout"] {
        Value::Null => String::new(),
        layout => layout.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learned() -> Recipe {
        let scale = Scale::open("small").unwrap();
        scale.recipe(1, &[PathBuf::from("a.fa")]).unwrap()
    }

    #[test]
    fn scales_are_sound() {
        for (name, _) in TEXTS {
            let scale = Scale::open(name).unwrap();
            assert!(scale.seeds.len() >= 3 && !scale.about.is_empty());
            crate::tasks::suite::named("gue")
                .unwrap()
                .chosen(&scale.tasks)
                .unwrap();
        }
        assert!(matches!(Scale::open("tall"), Err(Error::Usage(_))));
        let text = TEXTS[0].1;
        for (from, to, part) in [
            ("seeds = [", "seeds = [1, 1, ", "each once"),
            ("holdout_contigs", "holdout_contig", "holdout_contig"),
            ("alpha", "alfa", "alfa"),
        ] {
            let message =
                Scale::parse("x", Path::new("x.toml"), &text.replacen(from, to, 1)).unwrap_err();
            assert!(message.to_string().contains(part), "{message}");
        }
    }

    #[test]
    fn operations_match() {
        let recipe = learned();
        let config = recipe.config().unwrap();
        let length = recipe.data.length;
        for compression in [1.3, 2.7, 4.0, 9.5] {
            let wanted = forward_flops_per_base(&config, length, compression);
            for arm in &arms(&[Part::Main], &recipe)[1..] {
                let other = arm.recipe(&recipe, Some(compression)).unwrap();
                other.check().unwrap();
                let config = other.config().unwrap();
                let kept = match config.routing {
                    Routing::Fixed { every, .. } | Routing::Random { every } => every,
                    _ => 1.0,
                };
                let off = forward_flops_per_base(&config, length, kept) / wanted - 1.0;
                // One narrow block is the least that a model without compression can do.
                let bound = match arm.rule {
                    Rule::None if compression > 5.0 => f64::INFINITY,
                    Rule::None => 0.01,
                    _ => 1e-4,
                };
                assert!(off.abs() < bound, "{} {compression}: {off}", arm.name);
                assert!(kept <= compression);
            }
        }
    }

    #[test]
    fn arms_differ_in_one_thing() {
        let recipe = learned();
        let all = arms(&Part::ALL, &recipe);
        let names: Vec<&str> = all.iter().map(|arm| arm.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "learned",
                "fixed",
                "random",
                "none",
                "alpha-0",
                "alpha-0.003",
                "alpha-0.3",
                "target-2",
                "target-8"
            ]
        );
        let text = |recipe: &Recipe| toml::to_string(recipe).unwrap();
        let own = text(&recipe);
        for arm in &all {
            let other = text(&arm.recipe(&recipe, Some(3.5)).unwrap());
            let changed: Vec<&str> = other
                .lines()
                .filter(|line| !own.lines().any(|of| of == *line))
                .collect();
            let expected = match arm.rule {
                Rule::None => changed.len() > 1,
                Rule::Learned if arm.part == Part::Main => changed.is_empty(),
                _ => changed.len() == 1,
            };
            assert!(expected, "{}: {changed:?}", arm.name);
        }
        assert!(all[1].recipe(&recipe, None).is_err());
    }
}
