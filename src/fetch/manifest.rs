//! `manifest.json` of a set's folder: what each file is, where it came from, what it was held to.
//! It spares a second call the reading of gigabytes.

use super::checksum::Facts;
use super::sources::WantedFile;
use crate::error::{Error, Result};
use crate::output::write_atomic;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

const NAME: &str = "manifest.json";

/// What a downloaded file was held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// The MD5 that the source publishes.
    Md5,
    /// A SHA-256 that `sources.toml` pins.
    Sha256,
    /// The SHA-256 that the server gave with the file.
    Sha256OfServer,
    /// Nothing is published: length, first bytes and, if gzip, its own checks.
    FormatOnly,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Check::Md5 => "MD5 is the published one",
            Check::Sha256 => "SHA-256 is the pinned one",
            Check::Sha256OfServer => "SHA-256 is the one the server gives",
            Check::FormatOnly => {
                "no checksum published; size and format checked, SHA-256 recorded in manifest.json"
            }
        })
    }
}

/// A file of the cache.
#[derive(Clone, Debug)]
pub struct Held {
    /// What commands take it for.
    pub role: String,
    /// Where it lies.
    pub path: PathBuf,
    /// What it was held to.
    pub check: Check,
    /// Whether it was there before the call.
    pub before: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    role: String,
    /// Name in the folder.
    file: String,
    bytes: u64,
    /// Address it was fetched from.
    url: String,
    /// What was downloaded, before it was finished.
    source_bytes: u64,
    source_sha256: String,
    source_md5: String,
    check: Check,
}

/// The files of a folder by their names at the source.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Manifest {
    entries: BTreeMap<String, Entry>,
}

impl Manifest {
    /// That of a folder; empty where there is none.
    ///
    /// # Errors
    /// It cannot be read, or is not what this program writes.
    pub fn open(folder: &Path) -> Result<Manifest> {
        let path = folder.join(NAME);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Manifest::default()),
            Err(e) => return Err(Error::io(&path)(e)),
        };
        serde_json::from_str(&text)
            .map_err(|e| Error::file(&path, format!("damaged ({e}): remove it and fetch again")))
    }

    /// The file, if it is there and as long as it was when it was checked.
    pub fn held(&self, folder: &Path, file: &WantedFile) -> Option<Held> {
        let entry = self.entries.get(&file.name)?;
        let path = folder.join(&entry.file);
        let whole =
            fs::metadata(&path).is_ok_and(|found| found.is_file() && found.len() == entry.bytes);
        (whole && entry.file == file.final_name()).then(|| Held {
            role: file.role.clone(),
            path,
            check: entry.check,
            before: true,
        })
    }

    /// The SHA-256 of an earlier download of the same file from the same place.
    pub fn sha256_before(&self, file: &WantedFile, url: &str) -> Option<&str> {
        self.entries
            .get(&file.name)
            .filter(|entry| entry.url == url)
            .map(|entry| entry.source_sha256.as_str())
    }

    /// Records a file that has just got its name.
    pub fn add(
        &mut self,
        folder: &Path,
        file: &WantedFile,
        url: &str,
        facts: Facts,
        check: Check,
        bytes: u64,
    ) -> Result<Held> {
        let entry = Entry {
            role: file.role.clone(),
            file: file.final_name(),
            bytes,
            url: url.to_string(),
            source_bytes: facts.bytes,
            source_sha256: facts.sha256,
            source_md5: facts.md5,
            check,
        };
        let path = folder.join(&entry.file);
        self.entries.insert(file.name.clone(), entry);
        let text = serde_json::to_string_pretty(self)
            .map_err(|e| Error::Invalid(format!("{NAME}: {e}")))?;
        write_atomic(&folder.join(NAME), |out| writeln!(out, "{text}"))?;
        Ok(Held {
            role: file.role.clone(),
            path,
            check,
            before: false,
        })
    }
}
