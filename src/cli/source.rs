//! Inputs that default to the bundled set.

use crate::bundled;
use crate::error::{Error, Result};
use crate::model::Checkpoint;
use crate::report::provenance::Input;
use std::path::Path;

/// A file, unless the bundled one is meant: by its name, or by none.
fn file(path: Option<&Path>) -> Option<&Path> {
    path.filter(|path| path.as_os_str() != "bundled")
}

/// The checkpoint of a file, or the bundled one.
pub fn checkpoint(path: Option<&Path>) -> Result<Checkpoint> {
    file(path).map_or_else(bundled::checkpoint, Checkpoint::open)
}

/// The record of what [`checkpoint`] opens.
pub fn checkpoint_input(path: Option<&Path>) -> Result<Input> {
    let bundled = || Ok(Input::bytes("checkpoint", bundled::MODEL.name, bundled::MODEL.bytes));
    file(path).map_or_else(bundled, |path| Input::file("checkpoint", path))
}

/// Refuses to write where something is read.
pub fn spare(input: Option<&Path>, output: &Path) -> Result<()> {
    match (input.map(Path::canonicalize), output.canonicalize()) {
        (Some(Ok(from)), Ok(to)) if from == to => Err(Error::Usage(format!("the output would overwrite the input '{}'", output.display()))),
        _ => Ok(()),
    }
}
