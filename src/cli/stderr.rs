//! Messages for people, on standard error. Nobody need read them: what cannot be written is no
//! reason to stop.

use crate::genome::text::printable;
use std::io::Write;

/// Writes a message of a line or more. Words of files in it, whatever they hold, do not move the
/// cursor of a terminal.
pub fn say(text: &str) {
    let lines: Vec<String> = text
        .lines()
        .map(|line| printable(line.as_bytes()))
        .collect();
    let _ = writeln!(std::io::stderr().lock(), "{}", lines.join("\n"));
}
