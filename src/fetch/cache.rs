//! The user's cache of references: where it is, who works in it, whether there is room, and what is
//! in it.

use super::Event;
use super::manifest::Manifest;
use super::sources;
use crate::error::{Error, Result};
use std::env;
use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Bytes that must stay free beside what is written.
const SPARE: u64 = 64 << 20;

/// The cache: `LDAR_CACHE`, else `ldar-analyze` under `XDG_CACHE_HOME`, else under `.cache` of the
/// home folder. It need not exist.
///
/// # Errors
/// None of these is known.
pub fn root() -> Result<PathBuf> {
    let given = |name: &str| {
        env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    if let Some(root) = given("LDAR_CACHE") {
        return std::path::absolute(&root).map_err(Error::io(&root));
    }
    // A relative XDG path is to be ignored (XDG Base Directory Specification).
    let base = given("XDG_CACHE_HOME")
        .filter(|path| path.is_absolute())
        .or_else(|| env::home_dir().map(|home| home.join(".cache")));
    let base = base.ok_or_else(|| {
        Error::Invalid("no home folder is known: set LDAR_CACHE to a folder for downloads".into())
    })?;
    Ok(base.join("ldar-analyze"))
}

/// The file that a fetched set holds for `role`, at its pinned release and in its default variant.
///
/// # Errors
/// It is not there, and the message gives the command that brings it; an unknown set or one without
/// this role.
pub fn find(root: &Path, set: &str, role: &str) -> Result<PathBuf> {
    let wanted = sources::named(set)?.choose(None, None)?;
    let folder = root.join(wanted.folder());
    let file = wanted.files.iter().find(|file| file.role == role);
    let file = file.ok_or_else(|| {
        Error::Usage(format!(
            "'{set}' holds no {role}; for a file of this name write ./{set}"
        ))
    })?;
    match Manifest::open(&folder)?.held(&folder, file) {
        Some(held) => Ok(held.path),
        None => Err(Error::Invalid(format!(
            "{role} '{set}' is not in the cache ({}). Run: ldar-analyze fetch {set}",
            folder.join(file.final_name()).display()
        ))),
    }
}

/// The folder of a set, held by this process alone until dropped.
pub(super) struct SetFolder {
    pub path: PathBuf,
    _lock: File,
}

impl SetFolder {
    /// Makes the folder and waits until no other process works in it.
    pub fn lock(root: &Path, name: &str, tell: &dyn Fn(Event)) -> Result<SetFolder> {
        let path = root.join(name);
        fs::create_dir_all(&path).map_err(Error::io(&path))?;
        let place = path.join(".lock");
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&place)
            .map_err(Error::io(&place))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                tell(Event::Note(&format!(
                    "another process is fetching {name}; waiting until it is done"
                )));
                lock.lock().map_err(Error::io(&place))?;
            }
            // Some network file systems have no locks; the checks of content hold there as well.
            Err(TryLockError::Error(e)) if e.kind() == ErrorKind::Unsupported => {}
            Err(TryLockError::Error(e)) => return Err(Error::io(&place)(e)),
        }
        Ok(SetFolder { path, _lock: lock })
    }
}

/// Refuses to start what the disk has no room for.
pub(super) fn check_space(folder: &Path, needed: u64) -> Result<()> {
    // A file system that does not tell is found out by writing.
    let Ok(free) = fs4::available_space(folder) else {
        return Ok(());
    };
    match needed.saturating_add(SPARE) > free {
        true => Err(Error::file(
            folder,
            format!(
                "{} are needed here and {} are free: make room, or set LDAR_CACHE to a folder on another disk",
                megabytes(needed),
                megabytes(free)
            ),
        )),
        false => Ok(()),
    }
}

/// `845 MB`.
pub fn megabytes(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} bytes"),
        10_000..10_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.0} MB", bytes as f64 / 1e6),
    }
}
