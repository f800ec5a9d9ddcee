//! `inspect`: what a checkpoint or a named configuration is.

use super::{counts, source, stdout};
use crate::error::{Error, Result};
use crate::model::flops::forward_flops_per_base;
use crate::model::weights::inventory;
use crate::model::{Checkpoint, Config};
use crate::report::format::{count, number};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Print a model's configuration, parameters, work per base and tensors
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ldar-analyze inspect model.safetensors
  ldar-analyze inspect model.pt --tensors
  ldar-analyze inspect --config 110m --length 131072 --json

Parameters are counted once where two modules share them. FLOPs are the useful operations of one forward pass over --length bases, per
base, if every router keeps one position in --compression.")]
pub struct Arguments {
    /// Checkpoint: the authors' .pt, or safetensors
    #[arg(value_name = "FILE", conflicts_with = "config", value_parser = source::path_of("checkpoint"))]
    file: Option<PathBuf>,
    /// A named configuration instead of a file
    #[arg(long, value_name = "NAME", value_parser = ["110m", "2m"])]
    config: Option<String>,
    /// Sequence length for which FLOPs are given, in bases
    #[arg(long, value_name = "BASES", default_value_t = 4096, value_parser = counts::parse)]
    length: usize,
    /// Bases per boundary assumed for FLOPs
    #[arg(long, value_name = "RATIO", default_value_t = 4.0)]
    compression: f64,
    /// List every tensor with its shape
    #[arg(long)]
    tensors: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What is to be printed, of what.
pub struct Request {
    source: Model,
    length: usize,
    compression: f64,
    tensors: bool,
    json: bool,
}

enum Model {
    File(PathBuf),
    Named(String),
}

impl Arguments {
    /// Refuses lengths and ratios that mean nothing.
    pub fn validate(self) -> Result<Request> {
        counts::check(&[("--length", self.length)])?;
        if !(self.compression >= 1.0 && self.compression.is_finite()) {
            return Err(Error::Usage(format!(
                "--compression {}: bases per boundary, so at least 1",
                self.compression
            )));
        }
        let source = match (self.file, self.config) {
            (Some(file), None) => Model::File(file),
            (None, Some(name)) => Model::Named(name),
            _ => return Err(Error::Usage("inspect needs either FILE or --config".into())),
        };
        Ok(Request {
            source,
            length: self.length,
            compression: self.compression,
            tensors: self.tensors,
            json: self.json,
        })
    }
}

/// What is known of a model.
struct Facts {
    name: String,
    config: Config,
    tensors: Vec<(String, Vec<usize>)>,
    notes: BTreeMap<String, String>,
    flops: f64,
}

impl Request {
    /// Inspects.
    pub fn run(self) -> Result<()> {
        let (name, config, notes) = match &self.source {
            Model::File(path) => {
                let checkpoint = Checkpoint::open(path)?;
                (
                    path.display().to_string(),
                    checkpoint.config,
                    checkpoint.notes,
                )
            }
            Model::Named(name) => (
                format!("configuration {name}"),
                Config::named(name)?,
                BTreeMap::new(),
            ),
        };
        // Names and shapes follow from the configuration (a file has been held against it): no
        // tensor is made for a named one.
        let tensors = inventory(&config)?;
        let flops = forward_flops_per_base(&config, self.length, self.compression);
        let facts = Facts {
            name,
            config,
            tensors,
            notes,
            flops,
        };
        stdout::print(&if self.json {
            facts.json(&self)
        } else {
            facts.text(&self)
        })
    }
}

impl Facts {
    fn parameters(&self) -> usize {
        self.tensors
            .iter()
            .map(|(_, shape)| shape.iter().product::<usize>())
            .sum()
    }

    fn json(&self, request: &Request) -> String {
        let mut value = json!({
            "name": self.name,
            "parameters": self.parameters(),
            "stages": self.config.layout.stages(),
            "flops_per_base": self.flops,
            "length": request.length,
            "compression": request.compression,
            "config": self.config.json,
            "notes": self.notes,
        });
        if request.tensors {
            let tensor = |(name, shape): &(String, Vec<usize>)| json!({"name": name, "shape": shape, "parameters": shape.iter().product::<usize>()});
            value["tensors"] = Value::Array(self.tensors.iter().map(tensor).collect());
        }
        format!("{value:#}\n")
    }

    fn text(&self, request: &Request) -> String {
        let mut text = format!("{}\n\n", self.name);
        let mut line = |name: &str, value: String| text += &format!("{name:<16}{value}\n");
        line("parameters", count(self.parameters()));
        line("routers", (self.config.layout.stages() - 1).to_string());
        let per_base = self.flops / 1e6;
        line(
            "forward work",
            format!(
                "{} MFLOP per base at {} bases, {} bases per boundary",
                number(per_base),
                count(request.length),
                request.compression
            ),
        );
        if let Some(object) = self.config.json.as_object() {
            text += "\nconfiguration\n";
            for (key, value) in object {
                text += &format!("  {key:<18}{value}\n");
            }
        }
        if !self.notes.is_empty() {
            text += "\nnotes\n";
            for (key, value) in &self.notes {
                let value = value.replace('\n', "\n    ");
                text += &format!("  {key}: {value}\n");
            }
        }
        if request.tensors {
            let width = self
                .tensors
                .iter()
                .map(|(name, _)| name.len())
                .max()
                .unwrap_or(0);
            text += "\ntensors\n";
            for (name, shape) in &self.tensors {
                let parameters = count(shape.iter().product());
                text += &format!(
                    "  {name:<width$}  {:<18}{parameters:>12}\n",
                    format!("{shape:?}")
                );
            }
        }
        text
    }
}
