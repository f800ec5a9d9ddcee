//! What is left on disk: files and folders appear whole or not at all, and never in the place of
//! what is not ours.
//!
//! A file is written under a temporary name in the folder where it belongs, brought to the disk,
//! and renamed. Links are followed, so that the file they lead to is the one that is judged and
//! replaced. Temporary files and folders hold a lock as long as their process lives: those of
//! processes that were killed are told by it, and removed by a later run.

use crate::{Error, Result};
use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How temporary names begin.
const TEMPORARY: &str = ".ldar-analyze-";
/// What was changed within this time is left alone, locked or not.
const STALE: Duration = Duration::from_secs(3600);

/// Writes a file through `fill`; the folder is made if missing. A device or a pipe (`/dev/null`)
/// cannot be renamed over and is written to.
///
/// # Errors
/// Those of `fill`; a file that cannot be written.
pub fn write_atomic(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<&mut dyn Write>) -> std::io::Result<()>,
) -> Result<()> {
    if is_device(path) {
        let mut device = File::options()
            .write(true)
            .open(path)
            .map_err(Error::io(path))?;
        let mut writer = BufWriter::new(&mut device as &mut dyn Write);
        return fill(&mut writer)
            .and_then(|()| writer.flush())
            .map_err(Error::io(path));
    }
    let mut file = Pending::new(path)?;
    let mut writer = BufWriter::new(&mut file.file as &mut dyn Write);
    fill(&mut writer)
        .and_then(|()| writer.flush())
        .map_err(Error::io(path))?;
    drop(writer);
    file.keep()
}

/// Whether a folder holds anything but temporary files.
pub fn holds_something(folder: &Path) -> bool {
    std::fs::read_dir(folder)
        .is_ok_and(|mut all| all.any(|entry| entry.is_ok_and(|e| !is_temporary(&e.file_name()))))
}

/// Whether there is something that is neither file nor folder.
pub fn is_device(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir())
}

/// Refuses a file as an output where something lies that must not be replaced: one of `inputs`, by
/// whatever path or link, or a file that `is_ours` does not know for one of this program. Nothing
/// is changed but that what killed runs left beside it is removed.
///
/// # Errors
/// [`Error::Usage`] for an input; [`Error::File`] for what is not ours, a folder, a write-protected
/// file and a link to nothing.
pub fn check_file(path: &Path, inputs: &[&Path], is_ours: impl Fn(&Path) -> bool) -> Result<()> {
    if is_device(path) {
        return Ok(()); // it is written to as it is
    }
    let place = place(path)?;
    let refuse = |what: &str| {
        Err(Error::file(
            path,
            format!("{what}: move it away, or choose another place for the output"),
        ))
    };
    if let Some(input) = inputs.iter().find(|input| is_same(input, &place)) {
        return Err(Error::Usage(format!(
            "the output '{}' would overwrite the input '{}'",
            path.display(),
            input.display()
        )));
    }
    match std::fs::metadata(&place) {
        Err(_) => {}
        Ok(found) if found.is_dir() => {
            return Err(Error::file(
                path,
                "is a folder, where a file is to be written",
            ));
        }
        Ok(found) if found.permissions().readonly() => return refuse("is write-protected"),
        Ok(found) if found.len() > 0 && !is_ours(&place) => {
            return refuse("is already there, and nothing in it tells that this program wrote it");
        }
        Ok(_) => {}
    }
    clear_stale(parent(&place));
    Ok(())
}

/// The place of a folder of results, through links. What lies in it is not looked at; what killed
/// runs left beside it is removed.
///
/// # Errors
/// The root, the home folder, the current folder, and those above: nobody wants to see them
/// replaced.
pub fn check_folder(path: &Path) -> Result<PathBuf> {
    let place = place(path)?;
    let lived_in = [std::env::current_dir().ok(), std::env::home_dir()]
        .into_iter()
        .flatten()
        .filter_map(|folder| folder.canonicalize().ok());
    if place.file_name().is_none()
        || lived_in
            .into_iter()
            .any(|folder| folder.starts_with(&place))
    {
        return Err(Error::file(
            &place,
            "cannot hold results; choose a folder inside it",
        ));
    }
    clear_stale(parent(&place));
    Ok(place)
}

/// Where a path leads through links; the last part need not be there.
fn place(path: &Path) -> Result<PathBuf> {
    match path.canonicalize() {
        Ok(place) => Ok(place),
        Err(_) if path.is_symlink() => Err(Error::file(
            path,
            "is a link to what is not there: remove it, or choose another place for the output",
        )),
        Err(_) => std::path::absolute(path).map_err(Error::io(path)),
    }
}

/// Whether two paths lead to one file, also through links of either kind.
fn is_same(one: &Path, other: &Path) -> bool {
    let (Ok(a), Ok(b)) = (std::fs::metadata(one), std::fs::metadata(other)) else {
        return false;
    };
    match (identity(&a), identity(&b)) {
        (Some(a), Some(b)) => a == b,
        _ => one
            .canonicalize()
            .is_ok_and(|one| other.canonicalize().is_ok_and(|other| one == other)),
    }
}

#[cfg(unix)]
fn identity(found: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((found.dev(), found.ino()))
}

#[cfg(not(unix))]
fn identity(_: &Metadata) -> Option<(u64, u64)> {
    None
}

fn parent(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Whether a name is one of the temporary names given here.
pub fn is_temporary(name: &OsStr) -> bool {
    name.to_string_lossy().starts_with(TEMPORARY)
}

/// Removes temporary files and folders of processes that are no more: nobody holds their lock.
/// Where a file system knows no locks, nothing is removed.
fn clear_stale(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let Some(found) = entry
            .metadata()
            .ok()
            .filter(|_| is_temporary(&entry.file_name()))
        else {
            continue;
        };
        let path = entry.path();
        let is_old = found
            .modified()
            .ok()
            .and_then(|time| time.elapsed().ok())
            .is_some_and(|age| age > STALE);
        if !is_old
            || found.is_symlink()
            || !File::open(&path).is_ok_and(|file| file.try_lock().is_ok())
        {
            continue;
        }
        let _ = if found.is_dir() {
            std::fs::remove_dir_all(&path)
        } else {
            std::fs::remove_file(&path)
        };
    }
}

/// What a temporary name is made with; files are as open to others as the user's mask says.
fn temporary(mode: u32) -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
    let _ = mode;
    builder
}

/// A file under a temporary name beside its place; dropped, it is gone.
pub struct Pending {
    path: PathBuf,
    file: tempfile::NamedTempFile,
}

impl Pending {
    /// An empty file beside `path`, or beside what `path` links to; the folder is made if missing.
    ///
    /// # Errors
    /// A folder that cannot be written to; a link to nothing.
    pub fn new(path: &Path) -> Result<Pending> {
        let path = place(path)?;
        let folder = parent(&path);
        std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
        let file = temporary(0o666)
            .tempfile_in(folder)
            .map_err(Error::io(folder))?;
        let _ = file.as_file().try_lock(); // where the file system can
        Ok(Pending { path, file })
    }

    /// Where it is for now.
    pub fn temporary(&self) -> &Path {
        self.file.path()
    }

    /// Where it will be.
    pub fn place(&self) -> &Path {
        &self.path
    }

    /// Brings it to the disk and gives it its name; what had the name before is replaced.
    ///
    /// # Errors
    /// A file that cannot be written to the end, or not be renamed.
    pub fn keep(self) -> Result<()> {
        let Pending { path, file } = self;
        sync(file.as_file()).map_err(Error::io(&path))?;
        file.persist(&path).map_err(|e| Error::Io {
            path,
            source: e.error,
        })?;
        Ok(())
    }
}

/// Brings a file to the disk; file systems that cannot say are believed.
///
/// # Errors
/// What was written did not fit, or could not be stored.
pub fn sync(file: &File) -> std::io::Result<()> {
    match file.sync_all() {
        Err(e) if matches!(e.kind(), ErrorKind::Unsupported | ErrorKind::InvalidInput) => Ok(()),
        done => done,
    }
}

/// A folder under a temporary name; dropped, it is gone with all that is in it.
pub struct PendingFolder {
    folder: tempfile::TempDir,
    _lock: Option<File>,
}

impl PendingFolder {
    /// An empty folder in `parent`.
    ///
    /// # Errors
    /// A folder `parent` that cannot be written to.
    pub fn new_in(parent: &Path) -> Result<PendingFolder> {
        let folder = temporary(0o777)
            .tempdir_in(parent)
            .map_err(Error::io(parent))?;
        let lock = File::open(folder.path())
            .ok()
            .filter(|lock| lock.try_lock().is_ok());
        Ok(PendingFolder {
            folder,
            _lock: lock,
        })
    }

    /// Where it is for now.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Puts it into `place`. A folder that is there is replaced; it stays as it was if that cannot
    /// be done.
    ///
    /// # Errors
    /// A folder that cannot be renamed.
    pub fn keep(self, place: &Path) -> Result<()> {
        replace_folder(self.folder.path(), place)?;
        let _ = self.folder.keep(); // it is elsewhere now
        Ok(())
    }
}

/// Renames the folder `fresh` to `place`. A folder that is there is replaced; it stays as it was if
/// that cannot be done.
///
/// # Errors
/// A folder that cannot be renamed.
pub fn replace_folder(fresh: &Path, place: &Path) -> Result<()> {
    if !place.exists() {
        return std::fs::rename(fresh, place).map_err(Error::io(place));
    }
    // A name of its own: killed between the two renamings, a run leaves the former results for the
    // user to find.
    let prefix = format!(
        "{}.former-",
        place.file_name().unwrap_or_default().to_string_lossy()
    );
    let mut former = tempfile::Builder::new()
        .prefix(&prefix)
        .tempdir_in(parent(place))
        .map_err(Error::io(place))?;
    let kept = former.path().join("results");
    std::fs::rename(place, &kept).map_err(Error::io(place))?;
    if let Err(error) = std::fs::rename(fresh, place) {
        if std::fs::rename(&kept, place).is_err() {
            former.disable_cleanup(true);
        }
        return Err(Error::io(place)(error));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
