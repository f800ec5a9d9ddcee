//! `merge`: shards of a run to its results.

use super::answers::Origin;
use super::parsed;
use super::shards::Shards;
use crate::error::{Error, Result};
use std::path::PathBuf;

/// Put the shards of a run together: the results are those of the same run without --shard
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  for i in 1 2 3; do ldar-analyze splice-profile --shard $i/3 --out shards/$i; done
  ldar-analyze merge shards/* --out results
      each of the three may run on another machine
  ldar-analyze merge shards/* --out results --input /data/hg38.fa.gz=/home/me/hg38.fa.gz
      a file that is no longer where the shards read it

Sites, controls and statistics are made again from the inputs, which must be those of the shards (their SHA-256 are compared); the model is neither
asked nor opened, and need not be there. Shards must have been run with the same checkpoint and options, and the same --dtype on processors that run it
alike; merge itself runs on any machine.")]
pub struct Arguments {
    /// Folders of all shards of one run
    #[arg(value_name = "SHARD", required = true)]
    shards: Vec<PathBuf>,
    /// Folder (of boundaries: file) for the results
    #[arg(long, value_name = "OUT")]
    out: PathBuf,
    /// Where a file is now: its path in the shards' command, then that of today; may be repeated
    #[arg(long, value_name = "THEN=NOW")]
    input: Vec<String>,
}

/// What is to be merged.
pub struct Request {
    shards: Vec<PathBuf>,
    out: PathBuf,
    inputs: Vec<(String, String)>,
}

impl Arguments {
    /// Refuses an `--input` without two paths.
    pub fn validate(self) -> Result<Request> {
        let pair = |text: &String| match text.split_once('=') {
            Some((then, now)) => Ok((then.to_string(), now.to_string())),
            None => Err(Error::Usage(format!(
                "--input {text}: the path in the shards' command, =, and the path now"
            ))),
        };
        Ok(Request {
            inputs: self.input.iter().map(pair).collect::<Result<_>>()?,
            shards: self.shards,
            out: self.out,
        })
    }
}

impl Request {
    /// Runs the shards' command on their answers.
    pub fn run(self) -> Result<()> {
        let shards = Shards::open(&self.shards, &self.out, &self.inputs)?;
        let command = parsed(&shards.words()).map_err(|e| {
            Error::file(&self.shards[0], format!("its command cannot be read: {e}"))
        })?;
        if !command.has_shards() {
            return Err(Error::file(
                &self.shards[0],
                "is of a command that has no shards",
            ));
        }
        command.run(Origin::Merged(shards), None)
    }
}
