//! The walls between the rooms of `src`, held by reading what each file names. Tests inside a file
//! may look over them.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A room and the rooms it may use.
const ROOMS: [(&str, &[&str]); 20] = [
    ("main", &["cli"]),
    (
        "cli",
        &[
            "benchmark",
            "bundled",
            "controls",
            "error",
            "fetch",
            "figures",
            "genome",
            "kernels",
            "memory",
            "model",
            "motifs",
            "output",
            "pipelines",
            "report",
            "stats",
            "tasks",
            "train",
        ],
    ),
    (
        "benchmark",
        &["error", "kernels", "memory", "model", "stats", "train"],
    ),
    (
        "report",
        &[
            "controls",
            "error",
            "figures",
            "genome",
            "memory",
            "output",
            "pipelines",
            "stats",
            "tasks",
        ],
    ),
    (
        "pipelines",
        &[
            "controls", "error", "genome", "model", "motifs", "stats", "tasks",
        ],
    ),
    (
        "train",
        &[
            "error", "genome", "kernels", "memory", "model", "output", "stats", "tasks",
        ],
    ),
    ("tasks", &["error", "genome", "stats"]),
    ("model", &["error", "kernels", "output", "stats"]),
    ("kernels", &["error"]),
    ("motifs", &["error", "genome", "stats"]),
    ("controls", &["error", "genome", "stats"]),
    ("stats", &["error", "matrix"]),
    ("matrix", &[]),
    ("figures", &["error"]),
    ("genome", &["error"]),
    ("bundled", &["error", "genome", "model", "motifs"]),
    ("fetch", &["error", "genome", "model", "output"]),
    ("memory", &[]),
    ("output", &["error"]),
    ("error", &[]),
];

/// A library and the only places that may name it (a room, or one file of it).
const LIBRARIES: [(&str, &[&str]); 23] = [
    (
        "tokenizers",
        &["pipelines/tokenizers.rs", "pipelines/tokenizers"],
    ),
    (
        "candle_core",
        &["model", "kernels", "train", "benchmark.rs", "error.rs"],
    ),
    ("safetensors", &["model", "train"]),
    ("zip", &["model", "fetch/finish.rs"]),
    ("mpi", &["train/ranks"]),
    ("noodles", &["genome"]),
    ("bio", &["genome"]),
    ("rusqlite", &["motifs/read/sqlite.rs"]),
    ("statrs", &["stats"]),
    ("bigtools", &["genome/bigwig.rs", "genome/bigwig"]),
    ("tokio", &["genome/bigwig"]),
    ("pulp", &["kernels"]),
    ("gemm", &["matrix.rs"]),
    ("plotters", &["figures"]),
    ("plotters_backend", &["figures"]),
    ("ab_glyph", &["figures"]),
    ("clap", &["cli"]),
    ("indicatif", &["cli"]),
    (
        "polars",
        &["report/tables.rs", "report/tables", "tasks/read/parquet.rs"],
    ),
    (
        "sha2",
        &[
            "report/provenance.rs",
            "fetch/checksum.rs",
            "pipelines/store.rs",
        ],
    ),
    ("md5", &["fetch/checksum.rs"]),
    ("ureq", &["fetch/http.rs"]),
    ("fs4", &["fetch/cache.rs"]),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.file_stem().is_some_and(|name| name == "tests") {
            continue;
        }
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// (path under `src` with `/`, code without comments and without its test module).
fn files() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    sources(&root, &mut paths);
    paths.sort();
    let code = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).unwrap();
        let text = text
            .split("#[cfg(test)]\nmod tests {")
            .next()
            .unwrap_or_default();
        let lines = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        lines
            .map(|line| line.split(" // ").next().unwrap_or_default())
            .collect::<Vec<_>>()
            .join("\n")
    };
    let name = |path: &PathBuf| {
        path.strip_prefix(&root)
            .unwrap()
            .to_string_lossy()
            .replace('\\', "/")
    };
    paths.iter().map(|path| (name(path), code(path))).collect()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The first path segments after `crate::`, through one level of braces: `crate::{a::b, c}` gives a
/// and c.
fn rooms_named(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code
        .match_indices("crate::")
        .filter(|(at, _)| !code[..*at].ends_with(is_word))
    {
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            None => drop(found.insert(rest.chars().take_while(|c| is_word(*c)).collect())),
            Some(group) => {
                let (mut depth, mut item) = (0, String::new());
                for c in group.chars() {
                    match c {
                        '}' if depth == 0 => break,
                        '{' => depth += 1,
                        '}' => depth -= 1,
                        ',' if depth == 0 => {
                            found.insert(first_word(&std::mem::take(&mut item)));
                        }
                        c => item.push(c),
                    }
                }
                found.insert(first_word(&item));
            }
        }
    }
    // `crate::Error` and `crate::Result` stand for `error`; a macro or an empty item for nothing.
    let named = found.into_iter().map(|name| {
        if matches!(name.as_str(), "Error" | "Result") {
            "error".into()
        } else {
            name
        }
    });
    named.filter(|name| !name.is_empty()).collect()
}

fn first_word(text: &str) -> String {
    text.trim().chars().take_while(|c| is_word(*c)).collect()
}

fn names_library(code: &str, library: &str) -> bool {
    code.match_indices(&format!("{library}::"))
        .any(|(at, _)| !code[..at].ends_with(|c| is_word(c) || c == ':'))
        || code.contains(&format!("use {library};"))
}

fn room(path: &str) -> &str {
    path.split('/')
        .next()
        .unwrap_or_default()
        .trim_end_matches(".rs")
}

#[test]
fn rooms_use_only_rooms_below_them() {
    let mut broken = Vec::new();
    for (path, code) in files().iter().filter(|(path, _)| path != "lib.rs") {
        let (_, allowed) = ROOMS
            .iter()
            .find(|(name, _)| *name == room(path))
            .unwrap_or_else(|| panic!("{path}: which rooms may it use?"));
        let named = rooms_named(code);
        broken.extend(
            named
                .iter()
                .filter(|n| *n != room(path) && !allowed.contains(&n.as_str()))
                .map(|n| format!("{path} uses {n}")),
        );
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn each_library_stays_in_its_room() {
    let mut broken = Vec::new();
    for (path, code) in files() {
        // The names of an enum's values are derived where it is declared, as those in tables are.
        let code = code.replace("clap::ValueEnum", "ValueEnum");
        for (library, places) in LIBRARIES {
            let at_home = places
                .iter()
                .any(|place| path == *place || path.starts_with(&format!("{place}/")));
            if !at_home && names_library(&code, library) {
                broken.push(format!("{path} names {library}"));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// These panic where nobody reads: messages go through `cli/stderr.rs`, results through
/// `cli/stdout.rs`.
#[test]
fn nothing_is_printed_by_macros_that_panic() {
    let prints = |code: &str| {
        ["println!(", "eprintln!(", "print!(", "eprint!(", "dbg!("]
            .iter()
            .any(|name| names_macro(code, name))
    };
    let broken: Vec<String> = files()
        .into_iter()
        .filter(|(_, code)| prints(code))
        .map(|(path, _)| path)
        .collect();
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(
        prints("let x = 1; println!(\"\")")
            && prints("eprint!(x)")
            && !prints("writeln!(out) my_print!()")
    );
}

fn names_macro(code: &str, name: &str) -> bool {
    code.match_indices(name)
        .any(|(at, _)| !code[..at].ends_with(is_word))
}

/// `lib.rs` lifts the lint for `kernels` and `matrix`; `main.rs` holds the program's allocator, an
/// unsafe trait.
#[test]
fn unsafe_code_stays_in_kernels() {
    let outside = files().into_iter().filter(|(path, _)| {
        !matches!(room(path), "kernels" | "matrix") && path != "lib.rs" && path != "main.rs"
    });
    let broken: Vec<String> = outside
        .filter(|(_, code)| code.contains("unsafe {") || code.contains("unsafe fn"))
        .map(|(p, _)| p)
        .collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn the_reader_of_imports_reads() {
    let code = "use crate::genome::{a, b};\nuse crate::{Error, stats::{x, y}, figures};\nlet z = crate::model::Q; my_crate::no();";
    assert_eq!(
        rooms_named(code).into_iter().collect::<Vec<_>>(),
        ["error", "figures", "genome", "model", "stats"]
    );
    assert!(
        names_library("use clap::Parser;", "clap")
            && names_library("#[derive(clap::Args)]", "clap")
    );
    assert!(!names_library("use my_clap::Parser; a::clap::b", "clap"));
}
