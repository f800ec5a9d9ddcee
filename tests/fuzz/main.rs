//! Every reader of files, on sound files with small damage: a result or an error, never a panic, an
//! endless loop or more memory than a small file is worth.
//!
//! `cargo test --test fuzz` tries a few inputs of each target, the same each time. By hand:
//!
//! ```sh
//! LDAR_FUZZ_SECONDS=600 cargo test --test fuzz              # all targets by turns, for ten minutes
//! LDAR_FUZZ_SECONDS=600 cargo test --test fuzz bigwig       # those whose names hold a word
//! LDAR_FUZZ_SEED=4711 cargo test --test fuzz bigwig         # the one input of this number
//! ```
//!
//! Inputs are tried in a process of their own, whose memory is limited. What a failure was found on
//! is printed, and kept under `target/tmp/fuzz`.
#![allow(clippy::unwrap_used)]

mod mutate;
mod seeds;
mod targets;

use ldar::stats::rng::Rng;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use targets::Target;

/// Inputs of each target where no time is given, and inputs of one process.
const INPUTS: u64 = 200;

/// Kilobytes of address space of the process that tries inputs.
const MEMORY_KB: u64 = 1 << 20;

/// An input that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// Set for the process that tries inputs: name of the target, number of the first input, how many.
const CHILD: &str = "LDAR_FUZZ_CHILD";

fn main() -> ExitCode {
    if let Ok(work) = std::env::var(CHILD) {
        try_inputs(&work);
        return ExitCode::SUCCESS;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    let word = arguments.iter().find(|argument| !argument.starts_with('-'));
    let targets: Vec<Target> = targets::all()
        .into_iter()
        .filter(|target| word.is_none_or(|word| target.name.contains(word.as_str())))
        .collect();
    let number = |name: &str| {
        std::env::var(name).ok().map(|value| {
            value
                .parse::<u64>()
                .unwrap_or_else(|_| panic!("{name} is no number"))
        })
    };
    let failures = match (number("LDAR_FUZZ_SEED"), number("LDAR_FUZZ_SECONDS")) {
        (Some(seed), _) => targets
            .iter()
            .flat_map(|target| run(target, seed, 1))
            .collect(),
        (None, None) => targets
            .iter()
            .flat_map(|target| run(target, 0, INPUTS))
            .collect(),
        (None, Some(seconds)) => by_turns(&targets, Duration::from_secs(seconds)),
    };
    for failure in &failures {
        println!("{failure}\n");
    }
    println!(
        "fuzz: {} targets, {} inputs failed",
        targets.len(),
        failures.len()
    );
    if failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Goes through the targets until the time is up; one that has failed five times rests.
fn by_turns(targets: &[Target], time: Duration) -> Vec<String> {
    let (start, mut failures, mut first) = (Instant::now(), Vec::new(), 0);
    let mut failed = vec![0; targets.len()];
    while start.elapsed() < time {
        for (target, failed) in targets
            .iter()
            .zip(&mut failed)
            .filter(|(_, failed)| **failed < 5)
        {
            if start.elapsed() < time {
                let found = run(target, first, INPUTS);
                *failed += found.len();
                found.iter().for_each(|failure| println!("{failure}\n"));
                failures.extend(found);
            }
        }
        first += INPUTS;
    }
    println!("fuzz: inputs 0 to {first} of each target");
    failures
}

/// Tries inputs in processes of their own. What failed.
fn run(target: &Target, first: u64, count: u64) -> Vec<String> {
    let (mut failures, end, mut next) = (Vec::new(), first + count, first);
    while next < end {
        let (tried, failure) = child(target, next, end - next);
        if let Some(what) = failure {
            let kept = kept(target, tried);
            failures.push(format!(
                "fuzz: {} fails: {what}\n  again: LDAR_FUZZ_SEED={tried} cargo test --test fuzz {}\n  input: {}",
                target.name,
                target.name,
                kept.display()
            ));
        }
        next = tried + 1;
    }
    failures
}

/// The number of the last input that was tried, and what happened on it if it failed.
fn child(target: &Target, first: u64, count: u64) -> (u64, Option<String>) {
    let errors = tempfile::NamedTempFile::new().unwrap();
    // The shell limits the memory and becomes the process.
    let limited = format!("ulimit -v {MEMORY_KB} -c 0 2>/dev/null; exec \"$0\"");
    let mut child = Command::new("sh")
        .args(["-c", &limited])
        .arg(std::env::current_exe().unwrap())
        .env(CHILD, format!("{} {first} {count}", target.name))
        .env("RAYON_NUM_THREADS", "1")
        .env("POLARS_MAX_THREADS", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(File::create(errors.path()).unwrap())
        .spawn()
        .unwrap();
    let (send, tried) = mpsc::channel();
    let out = BufReader::new(child.stdout.take().unwrap());
    thread::spawn(move || {
        out.lines()
            .map_while(Result::ok)
            .filter_map(|line| line.parse::<u64>().ok())
            .try_for_each(|n| send.send(n))
    });
    let mut last = first;
    let hangs = loop {
        match tried.recv_timeout(PATIENCE) {
            Ok(number) => last = number,
            Err(mpsc::RecvTimeoutError::Disconnected) => break false,
            Err(mpsc::RecvTimeoutError::Timeout) => break true,
        }
    };
    if hangs {
        child.kill().unwrap();
    }
    let status = child.wait().unwrap();
    if status.success() {
        return (first + count - 1, None);
    }
    let said = String::from_utf8_lossy(&fs::read(errors.path()).unwrap()).into_owned();
    let said = said.lines().take(4).collect::<Vec<_>>().join(" | ");
    (
        last,
        Some(if hangs {
            format!("no end after {PATIENCE:?}")
        } else {
            format!("{status}: {said}")
        }),
    )
}

/// Tries inputs here, saying the number of each beforehand.
fn try_inputs(work: &str) {
    let words: Vec<&str> = work.split(' ').collect();
    let [name, first, count] = words[..] else {
        panic!("{work}")
    };
    let target = targets::all()
        .into_iter()
        .find(|target| target.name == name)
        .unwrap();
    let (first, count): (u64, u64) = (first.parse().unwrap(), count.parse().unwrap());
    let (seeds, mut out) = ((target.seeds)(), std::io::stdout());
    for number in first..first + count {
        writeln!(out, "{number}")
            .and_then(|()| out.flush())
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let sound = write(&target, &seeds, number, folder.path());
        let read = (target.read)(folder.path());
        if let (true, Err(error)) = (sound, read) {
            panic!("the sound input is refused: {error}");
        }
    }
}

/// Writes input `number`. The first numbers are the seeds as they are: true.
fn write(target: &Target, seeds: &[seeds::Files], number: u64, folder: &Path) -> bool {
    let mut rng = Rng::new(number).derive(target.name);
    let sound = number < seeds.len() as u64;
    let mut files = if sound {
        seeds[number as usize].clone()
    } else {
        seeds[rng.below(seeds.len())].clone()
    };
    if !sound {
        mutate::files(&mut files, &mut rng);
    }
    for (name, bytes) in &files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    sound
}

/// The input, written where it stays.
fn kept(target: &Target, number: u64) -> PathBuf {
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz/{}-{number}", target.name));
    fs::create_dir_all(&folder).unwrap();
    write(target, &(target.seeds)(), number, &folder);
    folder
}
