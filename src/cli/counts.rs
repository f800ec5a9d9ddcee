//! Counts that an option gives: of draws, tiles, bases.

use crate::error::{Error, Result};

/// No count is larger.
const MOST: usize = 10_000_000;

/// No more is given to a model together.
const MOST_TOGETHER: usize = 1024;

/// Parses a count.
pub fn parse(text: &str) -> std::result::Result<usize, String> {
    at_most(text, MOST)
}

/// Parses a number of stretches that a model is given together.
pub fn batch(text: &str) -> std::result::Result<usize, String> {
    at_most(text, MOST_TOGETHER)
}

fn at_most(text: &str, most: usize) -> std::result::Result<usize, String> {
    match text.parse() {
        Ok(count) if count <= most => Ok(count),
        Ok(_) => Err(format!("at most {most}")),
        Err(_) => Err(format!("a whole number from 0 to {most}")),
    }
}

/// Refuses counts of 0, each given with the name of its option.
pub fn check(counts: &[(&str, usize)]) -> Result<()> {
    match counts.iter().find(|(_, count)| *count == 0) {
        Some((name, _)) => Err(Error::Usage(format!("{name} 0: at least 1 is needed"))),
        None => Ok(()),
    }
}
