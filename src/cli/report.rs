//! `report`: the page of a results folder, made anew.

use super::stdout;
use crate::error::Result;
use crate::report::{page, pruned};
use std::path::PathBuf;

/// Make page and figures of a results folder anew, from its tables and run.json
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ldar-analyze report results
      rewrites results/index.html and results/figures; nothing else is changed, and no model is run
  rm results/tables/*.parquet && ldar-analyze report results --prune
      a smaller folder to hand on: its page no longer links to what is gone")]
pub struct Arguments {
    /// Results folder of an analysis, or of reproduce
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Draw nothing anew: only take links to files that are no longer there out of the page
    #[arg(long)]
    prune: bool,
}

impl Arguments {
    /// Rewrites.
    pub fn run(self) -> Result<()> {
        if self.prune {
            pruned::prune(&self.folder)?;
        } else {
            page::write(&self.folder)?;
        }
        stdout::print(&format!("{}\n", self.folder.join("index.html").display()))
    }
}
