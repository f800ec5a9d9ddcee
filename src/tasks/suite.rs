//! Benchmark suites as data: `reference/benchmarks/*.toml`.

use crate::error::{Error, Result};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const TEXTS: [(&str, &str); 3] = [
    ("nt", include_str!("../../reference/benchmarks/nt.toml")),
    ("gue", include_str!("../../reference/benchmarks/gue.toml")),
    ("gb", include_str!("../../reference/benchmarks/gb.toml")),
];

/// What the paper reports of the suite `nt`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Paper {
    /// Where it is reported.
    pub source: String,
    /// Its tasks.
    pub task: Vec<PaperTask>,
}

/// What the paper reports of one task: Matthews correlations, times 100.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct PaperTask {
    /// The task.
    pub name: String,
    /// LDARNet, released checkpoint.
    pub released: f64,
    /// Its standard deviation over folds.
    pub released_sd: f64,
    /// LDARNet, as printed.
    pub paper: f64,
    /// The best other model below 300 million parameters.
    pub small: f64,
    /// Which it is.
    pub small_model: String,
    /// The best other model of any size.
    pub large: f64,
    /// Which it is.
    pub large_model: String,
}

/// The paper's own table.
///
/// # Errors
/// None that a sound build can meet.
pub fn paper() -> Result<Paper> {
    toml::from_str(include_str!("../../reference/paper/results.toml"))
        .map_err(|e| Error::Invalid(format!("reference/paper/results.toml: {e}")))
}

/// What the paper reports of learned boundaries less a fixed grid at equal operations: differences
/// of Matthews correlation by task of the suite `gue`.
///
/// # Errors
/// None that a sound build can meet.
pub fn published_differences() -> Result<BTreeMap<String, f64>> {
    #[derive(Deserialize)]
    struct Published {
        task: Vec<Difference>,
    }
    #[derive(Deserialize)]
    struct Difference {
        name: String,
        difference: f64,
    }
    let published: Published =
        toml::from_str(include_str!("../../reference/paper/matched-flops.toml"))
            .map_err(|e| Error::Invalid(format!("reference/paper/matched-flops.toml: {e}")))?;
    let one = |of: Difference| (of.name, of.difference / 100.0);
    Ok(published.task.into_iter().map(one).collect())
}

/// Endings under which a file of sequences may lie.
const ENDINGS: [&str; 11] = [
    "csv", "csv.gz", "tsv", "tsv.gz", "parquet", "fna", "fna.gz", "fa", "fa.gz", "fasta",
    "fasta.gz",
];

/// Tasks that are reported together.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suite {
    /// What is typed.
    pub name: String,
    /// Its title.
    pub title: String,
    /// What it holds.
    pub about: String,
    /// Where people read about it.
    pub site: String,
    /// On which terms it may be used.
    pub licence: String,
    /// The pinned copy.
    pub release: String,
    /// What could not be tried when the entry was written.
    pub unverified: String,
    /// Address of a file, with `{release}`, `{path}`, `{split}` and `{class}`.
    address: String,
    splits: Vec<String>,
    /// First bytes of a file: `gzip`, `parquet`, or text.
    pub starts: String,
    /// Folds of the data of a task that has no validation file.
    #[serde(default)]
    pub folds: Option<usize>,
    /// Seeds of the trainings, in place of folds.
    #[serde(default)]
    pub seeds: Vec<u64>,
    /// The protocol of fine-tuning.
    pub protocol: String,
    /// What the suite reports: `mcc` or `accuracy`.
    pub measure: String,
    /// Where the genomes come from, by the name of the assembly, for suites of coordinates.
    #[serde(default)]
    pub genomes: BTreeMap<String, String>,
    /// The tasks.
    #[serde(rename = "task")]
    pub tasks: Vec<SuiteTask>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuiteTask {
    /// Its name.
    pub name: String,
    /// Its place in the address, where that is not its name.
    path: Option<String>,
    /// Its files, where they are not those of the suite.
    splits: Option<Vec<String>>,
    /// Learning rate.
    pub rate: Option<f64>,
    /// Rows of each split, as the suite states them.
    #[serde(default)]
    pub rows: BTreeMap<String, u64>,
    /// SHA-256 of the file of a split.
    #[serde(default)]
    sha256: BTreeMap<String, String>,
    /// The genome of each class, for files of coordinates.
    #[serde(default)]
    pub classes: BTreeMap<String, String>,
}

/// A file of a task at its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuiteFile {
    /// Its address.
    pub url: String,
    /// Its name in a cache: `TASK.SPLIT.ENDING`, of a class `TASK.SPLIT.CLASS.ENDING`.
    pub name: String,
    /// Its SHA-256, where known.
    pub sha256: Option<String>,
}

/// A reported result.
#[derive(Clone, Debug, PartialEq)]
pub struct Published {
    /// Whose.
    pub model: String,
    /// The measure of the suite, from -1 or 0 to 1.
    pub value: f64,
    /// Its standard deviation over folds; `NaN` where none is given.
    pub sd: f64,
}

/// The files of a task that are at hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AtHand {
    /// Training rows; of a task that has none, its validation rows.
    pub train: Vec<ClassFile>,
    /// Validation rows, where there are some beside.
    pub valid: Vec<ClassFile>,
    /// Test rows.
    pub test: Vec<ClassFile>,
}

/// A file, and the class of all its rows where these are coordinates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassFile {
    /// Where it lies.
    pub path: PathBuf,
    /// The class; `None` for a file with labels.
    pub class: Option<String>,
}

/// The names of the suites.
pub fn names() -> [&'static str; 3] {
    TEXTS.map(|(name, _)| name)
}

/// The suite of a name.
///
/// # Errors
/// There is none; the message lists them.
pub fn named(name: &str) -> Result<Suite> {
    let Some((_, text)) = TEXTS.iter().find(|(known, _)| *known == name) else {
        return Err(Error::Usage(format!(
            "no suite '{name}'; there are {}",
            names().join(", ")
        )));
    };
    toml::from_str(text)
        .map_err(|e| Error::Invalid(format!("reference/benchmarks/{name}.toml: {e}")))
}

impl Suite {
    /// Some tasks, in the order asked for; all of them where none is.
    ///
    /// # Errors
    /// A task that it does not have, or twice.
    pub fn chosen(&self, wanted: &[String]) -> Result<Vec<&SuiteTask>> {
        if wanted.is_empty() {
            return Ok(self.tasks.iter().collect());
        }
        let one = |(number, name): (usize, &String)| {
            let known = || {
                self.tasks
                    .iter()
                    .map(|task| task.name.as_str())
                    .collect::<Vec<_>>()
                    .join(", ")
            };
            match self.tasks.iter().find(|task| task.name == *name) {
                Some(_) if wanted[..number].contains(name) => {
                    Err(Error::Usage(format!("--tasks {name}: given twice")))
                }
                Some(task) => Ok(task),
                None => Err(Error::Usage(format!(
                    "--tasks {name}: {} has {}",
                    self.name,
                    known()
                ))),
            }
        };
        wanted.iter().enumerate().map(one).collect()
    }

    fn splits<'a>(&'a self, task: &'a SuiteTask) -> &'a [String] {
        task.splits.as_ref().unwrap_or(&self.splits)
    }

    /// The files of a task at their source.
    pub fn files(&self, task: &SuiteTask) -> Vec<SuiteFile> {
        let of = |split: &String| {
            let classes: Vec<Option<&String>> = if task.classes.is_empty() {
                vec![None]
            } else {
                task.classes.keys().map(Some).collect()
            };
            classes
                .into_iter()
                .map(|class| self.file(task, split, class))
                .collect::<Vec<_>>()
        };
        self.splits(task).iter().flat_map(of).collect()
    }

    fn file(&self, task: &SuiteTask, split: &str, class: Option<&String>) -> SuiteFile {
        let path = task.path.as_ref().unwrap_or(&task.name);
        let url = self
            .address
            .replace("{release}", &self.release)
            .replace("{path}", path)
            .replace("{split}", split);
        let url = class.map_or(url.clone(), |class| url.replace("{class}", class));
        let ending = url
            .rsplit('/')
            .next()
            .and_then(|name| name.split_once('.'))
            .map_or("", |(_, ending)| ending);
        let stem = class.map_or(format!("{}.{split}", task.name), |class| {
            format!("{}.{split}.{class}", task.name)
        });
        SuiteFile {
            name: format!("{stem}.{ending}"),
            sha256: task.sha256.get(split).cloned().filter(|_| class.is_none()),
            url,
        }
    }

    /// The files of a task in a folder: `TASK.SPLIT.ENDING` as `fetch` names them,
    /// `TASK/SPLIT.ENDING`, or the suite's own folders; of classes `TASK/SPLIT/CLASS.ENDING`. A
    /// training file is taken also where the suite's copy has none.
    ///
    /// # Errors
    /// A task without test rows, or without any others; the message says where they were looked for.
    pub fn at_hand(&self, task: &SuiteTask, folder: &Path) -> Result<AtHand> {
        let found = |split: &str| -> Option<Vec<ClassFile>> {
            if task.classes.is_empty() {
                return Some(vec![ClassFile {
                    path: one_of(folder, &self.stems(task, split, ""))?,
                    class: None,
                }]);
            }
            let of = |class: &String| {
                Some(ClassFile {
                    path: one_of(folder, &self.stems(task, split, class))?,
                    class: Some(class.clone()),
                })
            };
            task.classes.keys().map(of).collect()
        };
        let valid = found("dev").or_else(|| found("valid"));
        let (Some(test), Some(train)) = (found("test"), found("train").or_else(|| valid.clone()))
        else {
            let message = format!(
                "has no files of task '{}': looked for {}.csv and the like for train and test; `ldar-analyze fetch {}` brings them",
                task.name,
                self.stems(
                    task,
                    "test",
                    task.classes.keys().next().map_or("", String::as_str)
                )
                .join(".csv, "),
                self.name
            );
            return Err(Error::file(folder, message));
        };
        let valid = valid.filter(|valid| *valid != train).unwrap_or_default();
        Ok(AtHand { train, valid, test })
    }

    fn stems(&self, task: &SuiteTask, split: &str, class: &str) -> Vec<String> {
        let places = [Some(&task.name), task.path.as_ref()].into_iter().flatten();
        match class {
            "" => std::iter::once(format!("{}.{split}", task.name))
                .chain(places.map(|place| format!("{place}/{split}")))
                .collect(),
            class => {
                let first = format!("{}.{split}.{class}", task.name);
                std::iter::once(first)
                    .chain(places.map(|place| format!("{place}/{split}/{class}")))
                    .collect()
            }
        }
    }

    /// What is reported of a task, best known sources only.
    ///
    /// # Errors
    /// None that a sound build can meet.
    pub fn published(&self, task: &str) -> Result<Vec<Published>> {
        if self.name != "nt" {
            return Ok(Vec::new());
        }
        let Some(row) = paper()?.task.into_iter().find(|row| row.name == task) else {
            return Ok(Vec::new());
        };
        let one = |model: &str, value: f64, sd: f64| Published {
            model: model.into(),
            value: value / 100.0,
            sd: sd / 100.0,
        };
        Ok(vec![
            one(
                "LDARNet, released checkpoint",
                row.released,
                row.released_sd,
            ),
            one("LDARNet, as printed", row.paper, f64::NAN),
            one(&row.small_model, row.small, f64::NAN),
            one(&row.large_model, row.large, f64::NAN),
        ])
    }
}

fn one_of(folder: &Path, stems: &[String]) -> Option<PathBuf> {
    let named = stems.iter().flat_map(|stem| {
        ENDINGS
            .iter()
            .map(move |ending| folder.join(format!("{stem}.{ending}")))
    });
    named.into_iter().find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_are_sound() {
        for (name, n) in [("nt", 18), ("gue", 27), ("gb", 9)] {
            let suite = named(name).unwrap();
            assert_eq!((suite.name.as_str(), suite.tasks.len()), (name, n));
            let files: Vec<SuiteFile> = suite
                .tasks
                .iter()
                .flat_map(|task| suite.files(task))
                .collect();
            let mut names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), files.len(), "names in the cache are different");
            assert!(files.iter().all(|file| file.url.starts_with("https://")
                && !file.url.contains('{')
                && !file.name.contains('/')));
            assert!(
                files
                    .iter()
                    .filter_map(|file| file.sha256.as_ref())
                    .all(|sum| sum.len() == 64)
            );
            for task in &suite.tasks {
                assert!(
                    task.classes
                        .values()
                        .all(|genome| suite.genomes.contains_key(genome)),
                    "{}",
                    task.name
                );
                let published = suite.published(&task.name).unwrap();
                assert_eq!(published.len(), if name == "nt" { 4 } else { 0 });
                assert!(
                    published
                        .iter()
                        .all(|row| row.value > 0.3 && row.value < 1.0)
                );
            }
        }
        let published = published_differences().unwrap();
        let names: Vec<String> = published.keys().cloned().collect();
        assert_eq!(named("gue").unwrap().chosen(&names).unwrap().len(), 3);
        assert!((published["emp_H3K4me1"] - 0.143).abs() < 1e-12);
        assert!(named("no").unwrap_err().to_string().contains("nt, gue, gb"));
        let nt = named("nt").unwrap();
        let h3 = nt.chosen(&["H3".into()]).unwrap()[0];
        assert_eq!(
            (h3.rate, h3.rows["train"], nt.files(h3)[0].name.as_str()),
            (Some(1e-4), 13468, "H3.train.parquet")
        );
        assert!(
            nt.files(h3)[1]
                .url
                .ends_with("resolve/main/H3/test.parquet")
        );
        for (tasks, part) in [
            (vec!["H9".to_string()], "nt has H3"),
            (vec!["H3".to_string(), "H3".to_string()], "given twice"),
        ] {
            assert!(nt.chosen(&tasks).unwrap_err().to_string().contains(part));
        }
    }

    #[test]
    fn files_at_hand_are_found_in_every_layout() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        };
        [
            "tf_0.train.csv",
            "tf_0.dev.csv",
            "tf_0.test.csv",
            "mouse_2/train.csv.gz",
            "mouse_2/test.csv.gz",
            "EMP/H3/dev.tsv",
            "EMP/H3/test.tsv",
        ]
        .iter()
        .for_each(|name| put(name));
        let suite = named("gue").unwrap();
        let hand =
            |task: &str| suite.at_hand(suite.chosen(&[task.into()]).unwrap()[0], folder.path());
        let names = |files: &[ClassFile]| {
            files
                .iter()
                .map(|f| {
                    f.path
                        .strip_prefix(folder.path())
                        .unwrap()
                        .display()
                        .to_string()
                })
                .collect::<Vec<_>>()
        };
        let tf = hand("tf_0").unwrap();
        assert_eq!(
            (names(&tf.train), names(&tf.valid)),
            (
                vec!["tf_0.train.csv".to_string()],
                vec!["tf_0.dev.csv".to_string()]
            )
        );
        assert!(hand("mouse_2").unwrap().valid.is_empty());
        let emp = hand("emp_H3").unwrap();
        assert_eq!(
            (names(&emp.train), emp.valid.len()),
            (vec!["EMP/H3/dev.tsv".to_string()], 0)
        );
        let message = hand("tf_1").unwrap_err().to_string();
        assert!(
            message.contains("tf_1.test.csv, tf_1/test.csv, tf/1/test")
                && message.contains("fetch gue"),
            "{message}"
        );
        [
            "demo_human_or_worm/train/human.csv.gz",
            "demo_human_or_worm/train/worm.csv.gz",
            "demo_human_or_worm/test/human.csv.gz",
        ]
        .iter()
        .for_each(|name| put(name));
        let gb = named("gb").unwrap();
        let task = gb.chosen(&["demo_human_or_worm".into()]).unwrap()[0];
        assert!(
            gb.at_hand(task, folder.path()).is_err(),
            "a class is missing"
        );
        put("demo_human_or_worm/test/worm.csv.gz");
        assert_eq!(
            gb.at_hand(task, folder.path()).unwrap().test[1]
                .class
                .as_deref(),
            Some("worm")
        );
    }
}
