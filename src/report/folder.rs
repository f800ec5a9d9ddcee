//! The results folder: filled under a temporary name beside its place, then renamed into it, so
//! that it is there whole or not at all.

use crate::error::{Error, Result};
use crate::output::{PendingFolder, check_folder};
use crate::report::analysis::ANALYSES;
use crate::report::record::Record;
use crate::report::variants::{VCF, VCF_INDEX};
use std::path::{Path, PathBuf};

/// What a results folder holds; a folder with anything else in it is somebody's work and is not
/// replaced.
const OURS: [&str; 7] = [
    "index.html",
    "run.json",
    "tables",
    "figures",
    "models",
    VCF,
    VCF_INDEX,
];
/// The folders in it: the names that files may have there, and their endings.
fn below() -> [(&'static str, Vec<&'static str>, [&'static str; 2]); 2] {
    let columns = ANALYSES.iter().flat_map(|entry| (entry.columns)());
    let tables = columns.map(|(table, _)| table);
    let figures = ANALYSES.iter().flat_map(|entry| entry.figures);
    [
        ("tables", tables.collect(), ["tsv", "parquet"]),
        ("figures", figures.copied().collect(), ["svg", "png"]),
    ]
}

/// The place of results that are still being made.
#[derive(Debug)]
pub struct ResultsFolder {
    place: PathBuf,
    parent: PathBuf,
}

impl ResultsFolder {
    /// Looks whether results can be put there; nothing is changed but that missing folders above it
    /// are made.
    ///
    /// # Errors
    /// A file of that name, a folder that is not empty and no former result, one that must not be
    /// replaced (see `check_folder`), a parent that cannot be written to.
    pub fn at(place: &Path) -> Result<ResultsFolder> {
        let place = check_folder(place)?;
        let parent = place.parent().unwrap_or(Path::new("/")).to_path_buf();
        replaceable(&place)?;
        std::fs::create_dir_all(&parent).map_err(Error::io(&parent))?;
        // Better to learn now than after the run that nothing can be written.
        PendingFolder::new_in(&parent)?;
        Ok(ResultsFolder { place, parent })
    }

    /// Fills the folder through `fill` and puts it in its place; a former result there is replaced.
    /// Returns the place.
    ///
    /// # Errors
    /// Those of `fill`; then, and when the folder cannot be put in its place, a former result stays
    /// as it was.
    pub fn write(self, fill: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
        let fresh = PendingFolder::new_in(&self.parent)?;
        fill(fresh.path())?;
        replaceable(&self.place)?;
        fresh.keep(&self.place)?;
        Ok(self.place)
    }
}

fn replaceable(place: &Path) -> Result<()> {
    let Ok(found) = std::fs::metadata(place) else {
        return Ok(());
    };
    if !found.is_dir() {
        return Err(Error::file(
            place,
            "is a file; results need a folder of their own: choose another --out",
        ));
    }
    let mut names = Vec::new();
    for entry in std::fs::read_dir(place).map_err(Error::io(place))? {
        names.push(
            entry
                .map_err(Error::io(place))?
                .file_name()
                .to_string_lossy()
                .into_owned(),
        );
    }
    if names.is_empty() {
        return Ok(());
    }
    if Record::read(place).is_err() {
        return Err(Error::file(
            place,
            "is not empty and holds no former result (no run.json of ldar-analyze): choose another --out, or empty it",
        ));
    }
    for (folder, stems, endings) in below() {
        for entry in std::fs::read_dir(place.join(folder))
            .into_iter()
            .flatten()
            .flatten()
        {
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name
                .split_once('.')
                .is_some_and(|(stem, ending)| stems.contains(&stem) && endings.contains(&ending))
            {
                names.push(format!("{folder}/{name}"));
            }
        }
    }
    for entry in std::fs::read_dir(place.join("models"))
        .into_iter()
        .flatten()
        .flatten()
    {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.ends_with(".safetensors") {
            names.push(format!("models/{name}"));
        }
    }
    match names.iter().find(|name| !OURS.contains(&name.as_str())) {
        Some(name) => Err(Error::file(
            place,
            format!("holds '{name}' beside a former result: move it away, or choose another --out"),
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(folder: &Path, text: &str) -> Result<()> {
        let run = serde_json::json!({
            "tool": {"name": "ldar-analyze", "version": "0"}, "analysis": text, "command": [], "parameters": {}, "inputs": [], "outcome": {},
        });
        let run = run.to_string();
        std::fs::write(folder.join("run.json"), run).map_err(Error::io(folder))
    }

    #[test]
    fn a_foreign_file_below_is_not_lost() {
        let parent = tempfile::tempdir().unwrap();
        let place = parent.path().join("out");
        ResultsFolder::at(&place)
            .unwrap()
            .write(|folder| fill(folder, "first"))
            .unwrap();
        std::fs::create_dir(place.join("tables")).unwrap();
        std::fs::write(place.join("tables/pairs.tsv"), "").unwrap();
        assert!(ResultsFolder::at(&place).is_ok());
        std::fs::write(place.join("tables/mine.tsv"), "").unwrap();
        assert!(
            ResultsFolder::at(&place)
                .unwrap_err()
                .to_string()
                .contains("tables/mine.tsv")
        );
    }

    #[test]
    fn a_former_result_is_replaced_and_nothing_else() {
        let parent = tempfile::tempdir().unwrap();
        let place = parent.path().join("a/b");
        for text in ["first", "second"] {
            let at = ResultsFolder::at(&place)
                .unwrap()
                .write(|folder| fill(folder, text))
                .unwrap();
            assert!(
                std::fs::read_to_string(at.join("run.json"))
                    .unwrap()
                    .contains(text)
            );
        }
        // A run that fails leaves the former result.
        ResultsFolder::at(&place)
            .unwrap()
            .write(|_| Err(Error::Invalid("no".into())))
            .unwrap_err();
        assert!(
            std::fs::read_to_string(place.join("run.json"))
                .unwrap()
                .contains("second")
        );
        assert_eq!(
            std::fs::read_dir(place.parent().unwrap()).unwrap().count(),
            1,
            "no temporary folder is left"
        );
        std::fs::write(place.join("notes.txt"), "mine").unwrap();
        assert!(
            ResultsFolder::at(&place)
                .unwrap_err()
                .to_string()
                .contains("notes.txt")
        );
        std::fs::remove_file(place.join("run.json")).unwrap();
        assert!(
            ResultsFolder::at(&place)
                .unwrap_err()
                .to_string()
                .contains("no former result")
        );
        assert!(
            ResultsFolder::at(&place.join("notes.txt"))
                .unwrap_err()
                .to_string()
                .contains("is a file")
        );
    }
}
