//! What integration tests share: the program run in a folder, and a small model.

use std::path::Path;
use std::process::{Command, Output};

/// A checkpoint of few weights.
pub const NANO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/nano.pt");

/// Runs the program in a folder.
pub fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ldar-analyze"))
        .current_dir(folder)
        .args(arguments)
        .output()
        .unwrap()
}

/// The same; it must succeed. Its standard output.
pub fn ok(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
