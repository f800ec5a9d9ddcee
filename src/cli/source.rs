//! Inputs that default to the bundled set.

use crate::bundled;
use crate::error::{Error, Result};
use crate::model::Checkpoint;
use std::path::Path;

/// The checkpoint of a file, or the bundled one.
pub fn checkpoint(path: Option<&Path>) -> Result<Checkpoint> {
    path.map_or_else(bundled::checkpoint, Checkpoint::open)
}

/// Refuses to write where something is read.
pub fn spare(input: Option<&Path>, output: &Path) -> Result<()> {
    match (input.map(Path::canonicalize), output.canonicalize()) {
        (Some(Ok(from)), Ok(to)) if from == to => Err(Error::Usage(format!("the output would overwrite the input '{}'", output.display()))),
        _ => Ok(()),
    }
}
