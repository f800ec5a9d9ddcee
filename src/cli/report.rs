//! `report`: the page of a results folder, made anew.

use super::stdout;
use crate::error::Result;
use crate::report::page;
use std::path::PathBuf;

/// Make page and figures of a results folder anew, from its tables and run.json
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ldar-analyze report results
      rewrites results/index.html and results/figures; nothing else is changed, and no model is run")]
pub struct Arguments {
    /// Results folder of splice-profile, motif-enrichment, locus, density, compare or reproduce
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

impl Arguments {
    /// Rewrites.
    pub fn run(self) -> Result<()> {
        page::write(&self.folder)?;
        stdout::print(&format!("{}\n", self.folder.join("index.html").display()))
    }
}
