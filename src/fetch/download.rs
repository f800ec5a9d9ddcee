//! A file from an address to a `.part`, over as many connections as it takes.
//!
//! Beside the part lies `NAME.part.json`: the address, and what named the version of the file there
//! when its first byte came. Only a server that vouches for the same version (`If-Range`) gives
//! more of it; any other answer starts the part anew, so that no two versions are ever joined.

use super::Event;
use super::cache::{check_space, megabytes};
use super::http::{Answer, Client, Failure};
use crate::error::{Error, Result};
use crate::output::write_atomic;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// How much is borne of a bad line.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Failures in a row without `PROGRESS` bytes between them, beyond the first.
    pub retries: u32,
    /// A connection that brings nothing for so long, or less than `SLOWEST` over it, is given up.
    pub silence: Duration,
    /// Pause before the first retry; doubled for each further one, up to a minute.
    pub pause: Duration,
}

/// Bytes that count as progress between two failures.
const PROGRESS: u64 = 1 << 16;

/// Bytes per second below which a line counts as dead.
const SLOWEST: u64 = 1000;

/// A checksum file is smaller.
const MOST_TEXT: u64 = 1 << 22;

/// A file whose length the server does not tell is taken up to so many times its expected size, and
/// at least up to [`MOST_TEXT`].
const MOST_TIMES: u64 = 4;

const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What is to be downloaded.
pub(super) struct Job<'a> {
    pub url: &'a str,
    /// Where to.
    pub part: &'a Path,
    /// Its size as far as known beforehand.
    pub about_bytes: u64,
    /// Copies of it that will be written on the same disk afterwards.
    pub copies_after: u64,
}

/// What is known of a part.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct State {
    url: String,
    validator: Option<String>,
    total: Option<u64>,
    /// The whole file is there.
    done: bool,
    /// The SHA-256 that the server gave.
    pub sha256: Option<String>,
}

fn state_path(part: &Path) -> PathBuf {
    part.with_added_extension("json")
}

/// Removes a part and what is known of it.
pub(super) fn discard(part: &Path) {
    // Gone already is as good.
    let _ = fs::remove_file(part);
    let _ = fs::remove_file(state_path(part));
}

/// Downloads a file to its `.part`, from where an earlier call left it.
///
/// # Errors
/// The retries are spent, the server refuses, or the disk is full.
pub(super) fn download(
    client: &Client,
    job: &Job,
    patience: &Patience,
    tell: &dyn Fn(Event),
) -> Result<State> {
    let mut best = 0;
    let held = || fs::metadata(job.part).map_or(0, |found| found.len());
    let attempt = || attempt(client, job, patience, tell);
    let progress = || {
        let gained = held() >= best + PROGRESS;
        best = best.max(held());
        gained
    };
    retry(job.url, patience, tell, attempt, progress).map_err(|e| match (e, held()) {
        (Error::Invalid(message), kept @ 1..) => Error::Invalid(format!(
            "{message}\n  {} of it are kept: the same command goes on from there",
            megabytes(kept)
        )),
        (e, _) => e,
    })
}

/// Reads a small text file.
///
/// # Errors
/// As [`download`]; also one that is not small.
pub(super) fn text(
    client: &Client,
    url: &str,
    patience: &Patience,
    tell: &dyn Fn(Event),
) -> Result<String> {
    let attempt = || {
        let answer = client.get(url, None)?;
        let mut bytes = Vec::new();
        answer
            .body
            .take(MOST_TEXT + 1)
            .read_to_end(&mut bytes)
            .map_err(|e| Failure::Passing(cut(&e)))?;
        if bytes.len() as u64 > MOST_TEXT {
            return Err(Failure::Lasting(Error::Invalid(format!(
                "{url}: is larger than any list of checksums ({})",
                megabytes(MOST_TEXT)
            ))));
        }
        if answer
            .length
            .is_some_and(|length| length != bytes.len() as u64)
        {
            return Err(Failure::Passing("the connection was cut".into()));
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    retry(url, patience, tell, attempt, || false)
}

/// Tries until it works, it cannot work, or there were too many failures without progress in
/// between.
fn retry<T>(
    url: &str,
    patience: &Patience,
    tell: &dyn Fn(Event),
    attempt: impl Fn() -> Result<T, Failure>,
    mut progress: impl FnMut() -> bool,
) -> Result<T> {
    let mut failures = 0;
    loop {
        let message = match attempt() {
            Ok(done) => return Ok(done),
            Err(Failure::Lasting(error)) => return Err(error),
            Err(Failure::Passing(message)) => message,
        };
        failures = if progress() { 1 } else { failures + 1 };
        if failures > patience.retries {
            let tries = if failures == 1 {
                "once".into()
            } else {
                format!("{failures} times in a row")
            };
            return Err(Error::Invalid(format!(
                "{url}: {message}; tried {tries}\n  behind a firewall, set HTTPS_PROXY=http://HOST:PORT, or give --mirror URL (or LDAR_MIRROR) of a copy that can be reached;\n  a cache made elsewhere can be copied here, see: ldar-analyze fetch --help"
            )));
        }
        let pause = patience
            .pause
            .saturating_mul(1 << (failures - 1).min(16))
            .min(LONGEST_PAUSE);
        tell(Event::Note(&format!(
            "{message}; trying again in {:.1} s",
            pause.as_secs_f64()
        )));
        thread::sleep(pause);
    }
}

fn attempt(
    client: &Client,
    job: &Job,
    patience: &Patience,
    tell: &dyn Fn(Event),
) -> Result<State, Failure> {
    let (mut state, mut held) = left_over(job).map_err(Failure::Lasting)?;
    if state.done {
        return Ok(state);
    }
    let from = state.validator.clone().filter(|_| held > 0);
    let answer = client.get(job.url, from.as_deref().map(|validator| (held, validator)))?;
    let goes_on = answer.status == 206
        && from.is_some()
        && answer.range.0 == Some(held)
        && (answer.range.1 == state.total);
    match answer.status {
        206 if goes_on => {}
        200 => {
            held = 0;
            state = State {
                url: job.url.to_string(),
                validator: answer.validator.clone(),
                total: answer.length,
                done: false,
                sha256: answer.sha256.clone(),
            };
        }
        416 if held > 0 && answer.range.1 == Some(held) && state.total.is_none() => {
            return finished(job, state);
        }
        _ => {
            discard(job.part);
            return Err(Failure::Passing(
                "the file there has changed: it is fetched from its start".into(),
            ));
        }
    }
    let total = state.total.unwrap_or(job.about_bytes);
    let folder = job.part.parent().unwrap_or(Path::new("."));
    check_space(
        folder,
        total
            .saturating_sub(held)
            .saturating_add(total.saturating_mul(job.copies_after)),
    )
    .map_err(Failure::Lasting)?;
    receive(job, answer, &state, held, patience, tell)?;
    finished(job, state)
}

/// The part that an earlier attempt left: its state and length. One of another address, or without
/// its state, is dropped.
fn left_over(job: &Job) -> Result<(State, u64)> {
    // Only a file of its own is gone on with: a link would lead the rest elsewhere.
    let held = fs::symlink_metadata(job.part)
        .map_or(0, |found| if found.is_file() { found.len() } else { 0 });
    let state = fs::read_to_string(state_path(job.part))
        .ok()
        .and_then(|text| serde_json::from_str::<State>(&text).ok());
    match state {
        Some(state)
            if held > 0
                && state.url == job.url
                && state.total.is_none_or(|total| held <= total) =>
        {
            let done = state.done || state.total == Some(held);
            Ok((State { done, ..state }, held))
        }
        _ => {
            discard(job.part);
            Ok((State::default(), 0))
        }
    }
}

fn finished(job: &Job, state: State) -> Result<State, Failure> {
    let state = State {
        done: true,
        ..state
    };
    save(job, &state).map_err(Failure::Lasting)?;
    Ok(state)
}

fn save(job: &Job, state: &State) -> Result<()> {
    let text = serde_json::to_string(state).map_err(|e| Error::Invalid(e.to_string()))?;
    write_atomic(&state_path(job.part), |out| writeln!(out, "{text}"))
}

/// Writes what comes behind the `held` bytes of the part (from its start if there are none).
fn receive(
    job: &Job,
    answer: Answer,
    state: &State,
    held: u64,
    patience: &Patience,
    tell: &dyn Fn(Event),
) -> Result<(), Failure> {
    let io = |e| Failure::Lasting(Error::io(job.part)(e));
    let mut file = match held {
        0 => {
            // The state comes first: a part is never without it, or with another's.
            discard(job.part);
            save(job, state).map_err(Failure::Lasting)?;
            File::create_new(job.part).map_err(io)?
        }
        _ => File::options().append(true).open(job.part).map_err(io)?,
    };
    let (mut body, mut done) = (answer.body, held);
    let most = state
        .total
        .unwrap_or_else(|| job.about_bytes.saturating_mul(MOST_TIMES).max(MOST_TEXT));
    let mut buffer = vec![0; 1 << 16];
    let (mut window, mut in_window) = (Instant::now(), 0);
    loop {
        let n = match body.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            Err(e) => return Err(Failure::Passing(cut(&e))),
        };
        done += n as u64;
        if done > most {
            discard(job.part);
            let (most, about) = (megabytes(most), megabytes(job.about_bytes));
            let message = format!(
                "{}: sends more than {most}, where about {about} were expected. Nothing of it is kept: try another --mirror",
                job.url
            );
            return Err(Failure::Lasting(Error::Invalid(message)));
        }
        file.write_all(&buffer[..n]).map_err(io)?;
        in_window += n as u64;
        tell(Event::Progress {
            stage: "downloading",
            done,
            total: state.total,
        });
        if window.elapsed() > patience.silence {
            if (in_window as f64) < SLOWEST as f64 * window.elapsed().as_secs_f64() {
                return Err(Failure::Passing(format!(
                    "less than {SLOWEST} bytes a second came"
                )));
            }
            (window, in_window) = (Instant::now(), 0);
        }
    }
    file.sync_all().map_err(io)?;
    match state.total.is_none_or(|total| total == done) && done > 0 {
        true => Ok(()),
        false => Err(Failure::Passing(format!(
            "the connection was cut after {}",
            megabytes(done)
        ))),
    }
}

fn cut(error: &std::io::Error) -> String {
    format!("the connection broke off ({error})")
}
