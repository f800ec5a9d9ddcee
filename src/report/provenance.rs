//! Where a result came from: enough to run it again and to tell whether it was run on the same
//! things.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// A file that went into a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// What it was used as.
    pub role: String,
    /// Its path as given, or its name in the bundled set.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// The SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
}

impl Input {
    /// A file on disk, read once from end to end.
    ///
    /// # Errors
    /// It cannot be read; a pipe, whose content is gone when it is asked for a second time.
    pub fn file(role: &str, path: &Path) -> Result<Input> {
        let mut file = File::open(path).map_err(Error::io(path))?;
        if !file.metadata().map_err(Error::io(path))?.is_file() {
            let message = "a pipe gives its content once, and this command reads its inputs twice, for their checksums: write it to a file first";
            return Err(Error::file(path, message));
        }
        let (mut hash, mut buffer, mut bytes) = (Sha256::new(), vec![0; 1 << 18], 0);
        loop {
            match file.read(&mut buffer).map_err(Error::io(path))? {
                0 => break,
                n => {
                    hash.update(&buffer[..n]);
                    bytes += n as u64;
                }
            }
        }
        Ok(Input {
            role: role.into(),
            path: path.display().to_string(),
            bytes,
            sha256: hex(&hash.finalize()),
        })
    }

    /// Bytes that are at hand under a name.
    pub fn bytes(role: &str, name: &str, bytes: &[u8]) -> Input {
        Input {
            role: role.into(),
            path: name.into(),
            bytes: bytes.len() as u64,
            sha256: hex(&Sha256::digest(bytes)),
        }
    }
}

impl Input {
    /// Whether it is part of the program.
    pub fn is_bundled(&self) -> bool {
        self.path.starts_with("bundled:")
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Everything `run.json` says beside parameters and outcome.
#[derive(Debug, Clone)]
pub struct Run {
    started: SystemTime,
    command: Vec<String>,
    /// Precision of the model's projections and what ran them.
    pub dtype: String,
    /// What the model ran on: `cpu`, `cuda:0`.
    pub device: String,
}

impl Run {
    /// A run that starts now, with the command line of this process.
    pub fn start() -> Run {
        let command = std::env::args_os()
            .map(|a| a.to_string_lossy().into_owned())
            .collect();
        Run {
            started: SystemTime::now(),
            command,
            dtype: "f32".into(),
            device: "cpu".into(),
        }
    }

    /// A run that starts now, under another command line.
    pub fn of_command(command: Vec<String>) -> Run {
        Run {
            command,
            ..Run::start()
        }
    }

    /// Says what the model ran in and on.
    pub fn computed(&mut self, dtype: &str, device: &str) {
        (self.dtype, self.device) = (dtype.into(), device.into());
    }

    /// The command line, word by word.
    pub fn command(&self) -> &[String] {
        &self.command
    }

    /// `run.json`: `parameters` and `outcome` belong to the analysis, `timings` are seconds by
    /// stage.
    pub fn to_json(
        &self,
        analysis: &str,
        parameters: Value,
        inputs: &[Input],
        model: &Value,
        timings: &[(&str, f64)],
        outcome: Value,
    ) -> Value {
        let timings: serde_json::Map<String, Value> = timings
            .iter()
            .map(|(stage, seconds)| {
                (
                    stage.replace(' ', "_"),
                    json!((seconds * 1e3).round() / 1e3),
                )
            })
            .collect();
        json!({
            "tool": {"name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION"), "git_commit": commit()},
            "analysis": analysis,
            "command": self.command,
            "started": utc(self.started),
            "parameters": parameters,
            "inputs": inputs,
            "model": model,
            "compute": {
                "device": self.device,
                "dtype": self.dtype,
                "threads": rayon::current_num_threads(),
                "cpu": cpu(),
                "peak_memory_bytes": crate::memory::peak_bytes(),
                "seconds": self.started.elapsed().map_or(0.0, |t| (t.as_secs_f64() * 1e3).round() / 1e3),
                "seconds_by_stage": timings,
            },
            "outcome": outcome,
        })
    }
}

/// What the program is: name, version, commit where it is known.
pub fn tool() -> String {
    let commit = commit().map_or(String::new(), |commit| format!(" ({commit})"));
    format!(
        "{} {}{commit}",
        env!("CARGO_PKG_NAME"),
        env!("CARGO_PKG_VERSION")
    )
}

/// A command as one would type it, with the program's bare name.
pub(super) fn command_line(words: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./,:=+@%".contains(c);
    let quoted = |word: &String| match !word.is_empty() && word.chars().all(plain) {
        true => word.clone(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    };
    let words = words.iter().skip(1).map(quoted);
    std::iter::once(env!("CARGO_PKG_NAME").to_string())
        .chain(words)
        .collect::<Vec<_>>()
        .join(" ")
}

/// The commit this program was built from, if whoever built it said so: `LDAR_GIT_COMMIT=$(git
/// rev-parse HEAD) cargo build`. It is not asked of git at build time, as every commit would then
/// compile the whole crate anew.
fn commit() -> Option<&'static str> {
    option_env!("LDAR_GIT_COMMIT").filter(|commit| !commit.is_empty())
}

fn cpu() -> Option<String> {
    let info = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = info.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_string())
}

/// `2026-01-31T12:00:00Z`.
fn utc(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |t| t.as_secs());
    // Civil date from days since 1970 (Hinnant, chrono-compatible low-level date algorithms); valid
    // for all dates after that.
    let shifted = (seconds / 86_400) as i64 + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let clock = seconds % 86_400;
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        clock / 3600,
        clock / 60 % 60,
        clock % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn dates_are_those_of_the_calendar() {
        // date -u -d @N +%FT%TZ
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (4_102_444_800, "2100-01-01T00:00:00Z"),
        ] {
            assert_eq!(utc(UNIX_EPOCH + Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn hashes_are_those_of_sha256sum() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        std::fs::write(&path, "abc").unwrap();
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Input::file("genome", &path).unwrap().sha256, abc);
        assert_eq!(Input::bytes("genome", "abc", b"abc").sha256, abc);
    }

    #[test]
    fn command_lines_can_be_pasted() {
        let command = [
            "/x/ldar-analyze",
            "splice-profile",
            "--out",
            "my results",
            "--biotype",
            "it's",
        ];
        let command = command.map(String::from);
        assert_eq!(
            command_line(&command),
            "ldar-analyze splice-profile --out 'my results' --biotype 'it'\\''s'"
        );
    }
}
