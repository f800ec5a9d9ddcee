//! Files appear whole or not at all: written under a temporary name in the same folder, then renamed.

use crate::{Error, Result};
use std::io::{BufWriter, Write};
use std::path::Path;

/// Writes a file through `fill`; the folder is made if missing.
pub fn write_atomic(path: &Path, fill: impl FnOnce(&mut BufWriter<&mut tempfile::NamedTempFile>) -> std::io::Result<()>) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(Error::io(folder))?;
    let mut writer = BufWriter::new(&mut file);
    fill(&mut writer).and_then(|()| writer.flush()).map_err(Error::io(path))?;
    drop(writer);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // Temporary files are private; results are not.
        file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644)).map_err(Error::io(path))?;
    }
    file.persist(path).map_err(|e| Error::Io { path: path.to_path_buf(), source: e.error })?;
    Ok(())
}
