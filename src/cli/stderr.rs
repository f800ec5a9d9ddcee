//! Messages for people, on standard error. Nobody need read them: what cannot be written is no reason to stop.

use std::io::Write;

/// Writes a line.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
