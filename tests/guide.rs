//! The user guide runs: each `sh` block of `reference/guide/*.md` and of the README on the bundled
//! data, as a user would type it. Commands of `sh-example` blocks need files or time that tests do
//! not have; their options are held to `--help`.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

/// A page and its code blocks of one kind, each as lines.
fn blocks(page: &Path, kind: &str) -> Vec<String> {
    let text = std::fs::read_to_string(page).unwrap();
    let (mut found, mut fence): (Vec<String>, Option<&str>) = (Vec::new(), None);
    for line in text.lines() {
        match (fence, line.strip_prefix("```")) {
            (None, Some(opened)) => {
                fence = Some(opened.trim());
                if opened.trim() == kind {
                    found.push(String::new());
                }
            }
            (Some(_), Some(_)) => fence = None,
            (Some(open), None) if open == kind => {
                let block = found.last_mut().unwrap();
                block.push_str(line);
                block.push('\n');
            }
            _ => {}
        }
    }
    found
}

fn guide() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("reference/guide");
    let mut pages: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    pages.retain(|page| page.extension().is_some_and(|e| e == "md"));
    pages.sort();
    assert!(pages.len() > 10, "{pages:?}");
    pages
}

fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_ldar-analyze"))
}

#[test]
fn commands_of_the_guide_run() {
    for page in guide() {
        let folder = tempfile::tempdir().unwrap();
        for block in blocks(&page, "sh") {
            let path = format!(
                "{}:{}",
                program().parent().unwrap().display(),
                std::env::var("PATH").unwrap()
            );
            let ran = Command::new("sh")
                .args(["-euc", &block])
                .env("PATH", path)
                .current_dir(folder.path())
                .output()
                .unwrap();
            assert!(
                ran.status.success(),
                "{}:\n{block}\n{}",
                page.display(),
                String::from_utf8_lossy(&ran.stderr)
            );
        }
    }
}

#[test]
fn options_of_the_guide_and_the_readme_exist() {
    let mut pages = guide();
    pages.push(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md"));
    for page in pages {
        for block in ["sh", "sh-example"]
            .iter()
            .flat_map(|kind| blocks(&page, kind))
        {
            let block = block.replace("\\\n", " ");
            for line in block
                .lines()
                .filter_map(|line| line.trim().strip_prefix("ldar-analyze "))
            {
                let words: Vec<&str> = line.split('#').next().unwrap().split_whitespace().collect();
                let help = Command::new(program())
                    .args([words[0], "--help"])
                    .output()
                    .unwrap();
                assert!(
                    help.status.success(),
                    "{}: no command {}",
                    page.display(),
                    words[0]
                );
                let help = String::from_utf8(help.stdout).unwrap();
                for option in words.iter().filter(|word| word.starts_with("--")) {
                    let option = option.split('=').next().unwrap();
                    assert!(
                        help.contains(option),
                        "{}: {} has no {option}",
                        page.display(),
                        words[0]
                    );
                }
            }
        }
    }
}

#[test]
fn links_of_the_guide_and_the_readme_lead_somewhere() {
    let mut pages = guide();
    pages.push(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md"));
    for page in pages {
        let text = std::fs::read_to_string(&page).unwrap();
        for (number, line) in text.lines().enumerate() {
            assert!(
                line.chars().count() <= 120,
                "{}:{}: longer than 120 columns",
                page.display(),
                number + 1
            );
        }
        for target in text
            .split("](")
            .skip(1)
            .map(|rest| rest.split(')').next().unwrap())
        {
            let file = target.split('#').next().unwrap();
            if !file.contains("://") && !file.is_empty() {
                assert!(
                    page.parent().unwrap().join(file).exists(),
                    "{}: {target}",
                    page.display()
                );
            }
        }
    }
}
