//! Files appear whole or not at all: written under a temporary name in the same folder, then renamed.

use crate::{Error, Result};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Writes a file through `fill`; the folder is made if missing. A device or a pipe (`/dev/null`) cannot be renamed over and is written to.
pub fn write_atomic(path: &Path, fill: impl FnOnce(&mut BufWriter<&mut dyn Write>) -> std::io::Result<()>) -> Result<()> {
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir()) {
        let mut device = std::fs::OpenOptions::new().write(true).open(path).map_err(Error::io(path))?;
        let mut writer = BufWriter::new(&mut device as &mut dyn Write);
        return fill(&mut writer).and_then(|()| writer.flush()).map_err(Error::io(path));
    }
    let mut file = Pending::new(path)?;
    let mut writer = BufWriter::new(&mut file.file as &mut dyn Write);
    fill(&mut writer).and_then(|()| writer.flush()).map_err(Error::io(path))?;
    drop(writer);
    file.keep()
}

/// A file under a temporary name beside its place; dropped, it is gone.
pub struct Pending {
    path: PathBuf,
    file: tempfile::NamedTempFile,
}

impl Pending {
    /// An empty file beside `path`; the folder is made if missing.
    ///
    /// # Errors
    /// A folder that cannot be written to.
    pub fn new(path: &Path) -> Result<Pending> {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
        let file = tempfile::Builder::new().prefix(".ldar-analyze-").tempfile_in(folder).map_err(Error::io(folder))?;
        Ok(Pending { path: path.to_path_buf(), file })
    }

    /// Where it is for now.
    pub fn temporary(&self) -> &Path {
        self.file.path()
    }

    /// Where it will be.
    pub fn place(&self) -> &Path {
        &self.path
    }

    /// Gives it its name; what had the name before is replaced.
    ///
    /// # Errors
    /// A file that cannot be renamed.
    pub fn keep(self) -> Result<()> {
        let Pending { path, file } = self;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // Temporary files are private; results are not.
            file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644)).map_err(Error::io(&path))?;
        }
        file.persist(&path).map_err(|e| Error::Io { path, source: e.error })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/table.tsv");
        write_atomic(&path, |file| file.write_all(b"old")).unwrap();
        write_atomic(&path, |file| file.write_all(b"half").and(Err(std::io::Error::other("stop")))).unwrap_err();
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    #[cfg(unix)]
    fn what_is_no_file_is_not_replaced() {
        use std::os::unix::fs::FileTypeExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let _ = write_atomic(&path, |file| file.write_all(b"text"));
        assert!(std::fs::metadata(&path).unwrap().file_type().is_socket());
    }
}
