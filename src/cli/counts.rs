//! Counts that an option gives: of draws, tiles, bases.

use crate::error::{Error, Result};

/// No count is larger.
pub const MOST: usize = 10_000_000;

/// Refuses counts of 0 and beyond [`MOST`], each given with the name of its option.
pub fn check(counts: &[(&str, usize)]) -> Result<()> {
    match counts.iter().find(|(_, value)| !(1..=MOST).contains(value)) {
        Some((name, value)) => Err(Error::Usage(format!("{name} {value}: 1 to {MOST}"))),
        None => Ok(()),
    }
}
