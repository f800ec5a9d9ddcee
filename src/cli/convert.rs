//! `convert`: a PyTorch checkpoint to safetensors, read back and compared.

use super::stdout;
use crate::error::{Error, Result};
use crate::model::checkpoint;
use crate::output::check_file;
use crate::report::format::count;
use std::path::PathBuf;

/// Convert a checkpoint to safetensors and verify what was written
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  ldar-analyze convert ldarnet.pt ldarnet.safetensors

The configuration travels in the file's metadata. Every tensor is read back and compared bit by bit. A PyTorch file is read as data:
nothing in it is executed, and an optimizer state in it is skipped.")]
pub struct Arguments {
    /// Checkpoint to read: the authors' .pt, or safetensors
    #[arg(value_name = "IN")]
    from: PathBuf,
    /// Safetensors file to write
    #[arg(value_name = "OUT")]
    to: PathBuf,
}

/// What is to be done.
pub struct Request {
    from: PathBuf,
    to: PathBuf,
}

impl Arguments {
    /// Refuses an output that would be misnamed or would overwrite the input.
    pub fn validate(self) -> Result<Request> {
        if !self
            .to
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("safetensors"))
        {
            return Err(Error::Usage(format!(
                "convert writes safetensors: give '{}' a name that ends in .safetensors",
                self.to.display()
            )));
        }
        check_file(&self.to, &[&self.from], checkpoint::is_ours)?;
        Ok(Request {
            from: self.from,
            to: self.to,
        })
    }
}

impl Request {
    /// Converts.
    pub fn run(self) -> Result<()> {
        let (tensors, parameters) = checkpoint::convert(&self.from, &self.to)?;
        stdout::print(&format!(
            "wrote {}\nverified: read back, {tensors} tensors with {} parameters are bit for bit those of {}, and the configuration is the same\n",
            self.to.display(),
            count(parameters),
            self.from.display()
        ))
    }
}
