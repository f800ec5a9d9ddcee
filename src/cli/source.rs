//! Inputs that default to the bundled set.

use crate::bundled;
use crate::error::Result;
use crate::model::Checkpoint;
use std::path::Path;

/// The checkpoint of a file, or the bundled one.
pub fn checkpoint(path: Option<&Path>) -> Result<Checkpoint> {
    path.map_or_else(bundled::checkpoint, Checkpoint::open)
}
