//! Recipes: which analyses make up a report, as TOML.
//!
//! ```toml
//! title = "…"
//! about = "…"
//! paper = true                   # the paper's own table at the end
//!
//! [inputs]                       # what `--set NAME=VALUE` may give
//! genome = { help = "FASTA" }    # must be given; or default = "…"; or optional = true
//!
//! [[step]]
//! name = "splice-profile"        # its folder
//! command = "splice-profile"
//! options = { genome = "{genome}", control = ["decoy", "kmer"], flank = 120, negative-control = true }
//! arguments = ["fixed:4"]        # what is no option
//! ```
//!
//! An option `x = "y"` is `--x y`; `true` is `--x`, `false` nothing; a list is joined with commas.
//! `{name}` stands for an input; an option whose optional input was not given is left out.

use crate::bundled;
use crate::cli::steps::Job;
use crate::error::{Error, Result};
use crate::report::page::is_step_name;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A recipe as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Name: of the bundled one, or of the file without its ending.
    #[serde(skip)]
    pub name: String,
    /// Title of the report.
    pub title: String,
    /// What the report is about.
    pub about: String,
    /// Whether the paper's own table is shown at the end.
    #[serde(default)]
    pub paper: bool,
    #[serde(default)]
    inputs: BTreeMap<String, Input>,
    step: Vec<Step>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    help: String,
    default: Option<String>,
    #[serde(default)]
    optional: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    name: String,
    command: String,
    #[serde(default)]
    arguments: Vec<String>,
    #[serde(default)]
    options: toml::Table,
}

impl Recipe {
    /// A bundled recipe by its name, else a file.
    ///
    /// # Errors
    /// An unknown name, an unreadable file, a recipe that is none.
    pub fn open(name: &str) -> Result<Recipe> {
        if let Some((_, text)) = bundled::RECIPES.iter().find(|(known, _)| *known == name) {
            return Recipe::parse(name, Path::new(name), text);
        }
        let path = Path::new(name);
        if path.extension().is_none() && !path.exists() {
            let known: Vec<&str> = bundled::RECIPES.iter().map(|(known, _)| *known).collect();
            return Err(Error::Usage(format!(
                "no recipe '{name}': there are {}, or give a .toml file",
                known.join(", ")
            )));
        }
        let text = std::fs::read_to_string(path).map_err(Error::io(path))?;
        let stem = path
            .file_stem()
            .map_or(name.into(), |stem| stem.to_string_lossy().into_owned());
        Recipe::parse(&stem, path, &text)
    }

    fn parse(name: &str, path: &Path, text: &str) -> Result<Recipe> {
        let mut recipe: Recipe =
            toml::from_str(text).map_err(|e| Error::file(path, format!("is no recipe: {e}")))?;
        recipe.name = name.to_string();
        let mut seen = BTreeSet::new();
        for step in &recipe.step {
            if !is_step_name(&step.name) || !seen.insert(&step.name) {
                let what = "names of steps are their folders: lower-case letters, digits and dashes, each once";
                return Err(Error::file(path, format!("step '{}': {what}", step.name)));
            }
        }
        if recipe.step.is_empty() {
            return Err(Error::file(path, "has no step"));
        }
        Ok(recipe)
    }

    /// What each input is, for people.
    pub fn inputs(&self) -> String {
        let line = |(name, input): (&String, &Input)| {
            let more = match (&input.default, input.optional) {
                (Some(default), _) => format!(" [default: {default}]"),
                (None, true) => " [optional]".into(),
                (None, false) => String::new(),
            };
            format!("\n    --set {name}=…  {}{more}", input.help)
        };
        self.inputs.iter().map(line).collect()
    }

    /// The steps with their inputs filled in.
    ///
    /// # Errors
    /// An input that is unknown, missing, or given twice.
    pub fn jobs(&self, given: &[(String, String)]) -> Result<Vec<Job>> {
        let mut values: BTreeMap<&str, Option<&str>> = BTreeMap::new();
        for (name, value) in given {
            if !self.inputs.contains_key(name) {
                return Err(Error::Usage(format!(
                    "--set {name}: recipe {} has no such input{}",
                    self.name,
                    self.inputs()
                )));
            }
            if values.insert(name, Some(value)).is_some() {
                return Err(Error::Usage(format!("--set {name}: given twice")));
            }
        }
        for (name, input) in &self.inputs {
            if !values.contains_key(name.as_str()) {
                if input.default.is_none() && !input.optional {
                    return Err(Error::Usage(format!(
                        "recipe {} needs --set {name}=…{}",
                        self.name,
                        self.inputs()
                    )));
                }
                values.insert(name, input.default.as_deref());
            }
        }
        self.step
            .iter()
            .map(|step| {
                step.job(&values).map_err(|what| {
                    Error::Invalid(format!("recipe {}, step {}: {what}", self.name, step.name))
                })
            })
            .collect()
    }
}

impl Step {
    fn job(&self, values: &BTreeMap<&str, Option<&str>>) -> Result<Job, String> {
        let mut words = vec![self.command.clone()];
        for argument in &self.arguments {
            words.extend(filled(argument, values)?);
        }
        for (name, value) in &self.options {
            let text = match value {
                toml::Value::Boolean(false) => continue,
                toml::Value::Boolean(true) => {
                    words.push(format!("--{name}"));
                    continue;
                }
                toml::Value::Array(items) => items
                    .iter()
                    .map(plain)
                    .collect::<Option<Vec<_>>>()
                    .map(|items| items.join(",")),
                value => plain(value),
            };
            let text = text.ok_or_else(|| {
                format!("option {name}: text, numbers, true, false, or a list of these")
            })?;
            if let Some(text) = filled(&text, values)? {
                // One word: a value may begin with a dash.
                words.push(format!("--{name}={text}"));
            }
        }
        Ok(Job {
            name: self.name.clone(),
            words,
        })
    }
}

fn plain(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The text with its inputs; `None` if one was not given.
fn filled(text: &str, values: &BTreeMap<&str, Option<&str>>) -> Result<Option<String>, String> {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after
            .split_once('}')
            .ok_or_else(|| format!("'{text}': a brace is not closed"))?;
        match values.get(name) {
            None => return Err(format!("'{text}': there is no input '{name}'")),
            Some(None) => return Ok(None),
            Some(Some(value)) => out += &format!("{before}{value}"),
        }
        rest = after;
    }
    Ok(Some(out + rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
        title = "t"
        about = "a"
        [inputs]
        genome = { help = "FASTA" }
        model = { help = "a model", optional = true }
        motifs = { help = "motifs", default = "insects" }
        [[step]]
        name = "one"
        command = "splice-profile"
        arguments = ["x:{genome}"]
        options = { genome = "{genome}", checkpoint = "{model}", motifs = "{motifs}", flank = 12, control = ["a", "b"], yes = true, no = false }
    "#;

    fn given(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect()
    }

    #[test]
    fn options_become_words() {
        let recipe = Recipe::parse("r", Path::new("r.toml"), TEXT).unwrap();
        let words = |pairs: &[(&str, &str)]| {
            recipe
                .jobs(&given(pairs))
                .map(|jobs| jobs[0].words.join(" "))
        };
        assert_eq!(
            words(&[("genome", "g.fa")]).unwrap(),
            "splice-profile x:g.fa --control=a,b --flank=12 --genome=g.fa --motifs=insects --yes"
        );
        assert!(
            words(&[("genome", "g"), ("model", "m.pt")])
                .unwrap()
                .contains("--checkpoint=m.pt")
        );
        for (pairs, part) in [
            (vec![], "needs --set genome"),
            (vec![("genome", "g"), ("other", "x")], "no such input"),
            (vec![("genome", "g"), ("genome", "h")], "given twice"),
        ] {
            let message = words(&pairs).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn what_is_no_recipe_is_named() {
        for (text, part) in [
            ("title = 1", "r.toml"),
            (
                &TEXT.replace("name = \"one\"", "name = \"../one\""),
                "'../one'",
            ),
            (&TEXT.replace("about", "abut"), "abut"),
            (&TEXT.replace("{motifs}", "{motif}"), "no input 'motif'"),
            (&TEXT.replace("{motifs}", "{motifs"), "not closed"),
            (
                &TEXT.replace("flank = 12", "flank = { a = 1 }"),
                "option flank",
            ),
        ] {
            let jobs = Recipe::parse("r", Path::new("r.toml"), text)
                .and_then(|recipe| recipe.jobs(&given(&[("genome", "g")])));
            let message = jobs.unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
        assert!(matches!(Recipe::open("no-such"), Err(Error::Usage(_))));
    }

    #[test]
    fn bundled_recipes_are_sound() {
        for (name, _) in bundled::RECIPES {
            let recipe = Recipe::open(name).unwrap();
            let all: Vec<(String, String)> = recipe
                .inputs
                .keys()
                .map(|input| (input.clone(), "7".into()))
                .collect();
            for job in recipe.jobs(&all).unwrap() {
                super::super::check(&job).unwrap();
            }
        }
    }
}
