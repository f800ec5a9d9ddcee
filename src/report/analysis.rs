//! What an analysis leaves behind, said once: its tables, its figures, its page, and the short of
//! it. [`ANALYSES`] lists them all; who writes, opens, or replaces a results folder asks the list.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Report;
use super::page::FigureFolder;
use super::record::Record;
use super::tables::columns;
use crate::error::Result;

/// What was found, as tables.
pub trait Tables {
    /// The tables in the order of the page, each with its columns in their order.
    fn columns() -> Vec<(&'static str, Vec<&'static str>)>;

    /// Writes them into `FOLDER/tables`.
    ///
    /// # Errors
    /// What keeps a file from being written.
    fn write_tables(&self, folder: &Path) -> Result<()>;

    /// Takes from a results folder those that pages are made of.
    ///
    /// # Errors
    /// A table that is missing, damaged or of another version.
    fn read_tables(&mut self, record: &Record) -> Result<()>;

    /// Their names.
    fn names() -> Vec<&'static str> {
        Self::columns().into_iter().map(|(name, _)| name).collect()
    }
}

/// The columns of a table, asked of the field that holds its rows.
pub(super) fn columns_of<F, T: DeserializeOwned>(_: fn(&F) -> &Vec<T>) -> Vec<&'static str> {
    columns::<T>()
}

/// Declares the tables of a type: name and field of each, in the order of the page, after those of
/// a field that has tables itself. What only serves those who redo the statistics is marked
/// `(not read)`: pages do without it.
macro_rules! tables {
    ($found:ty $(, with $($part:ident).+: $of:ty)?;
     $($name:literal: $($field:ident).+ $(($($mark:tt)+))?),+ $(,)?) => {
        impl $crate::report::analysis::Tables for $found {
            fn columns() -> Vec<(&'static str, Vec<&'static str>)> {
                let own = [$((
                    $name,
                    $crate::report::analysis::columns_of(|found: &$found| &found.$($field).+),
                )),+];
                let first = std::iter::empty();
                $(let first = first.chain(<$of as $crate::report::analysis::Tables>::columns());)?
                first.chain(own).collect()
            }

            fn write_tables(&self, folder: &std::path::Path) -> $crate::error::Result<()> {
                let at = folder.join("tables");
                $($crate::report::analysis::Tables::write_tables(&self.$($part).+, folder)?;)?
                $($crate::report::tables::write(&at, $name, &self.$($field).+)?;)+
                Ok(())
            }

            fn read_tables(
                &mut self,
                record: &$crate::report::record::Record,
            ) -> $crate::error::Result<()> {
                let found = self;
                $($crate::report::analysis::Tables::read_tables(
                    &mut found.$($part).+,
                    record,
                )?;)?
                $($crate::report::analysis::tables!(
                    @read found record $name $($field).+ $(($($mark)+))?
                );)+
                Ok(())
            }
        }
    };
    (@read $found:ident $record:ident $name:literal $($field:ident).+) => {
        $found.$($field).+ = $record.table($name)?;
    };
    (@read $found:ident $record:ident $name:literal $($field:ident).+ (not read)) => {};
}
pub(super) use tables;

/// What was found, with a page.
pub trait Analysis: Tables {
    /// The subcommand.
    const NAME: &'static str;

    /// The figures, by the names of their files.
    const FIGURES: &'static [&'static str];

    /// The page of a results folder.
    ///
    /// # Errors
    /// A folder that cannot be read or is of another version; figures that cannot be written.
    fn report(record: &Record, to: &FigureFolder) -> Result<Report>;
}

/// What was found in one run.
pub trait Found: Analysis {
    /// Bases that models and tracks were asked for.
    fn bases_read(&self) -> u64;

    /// A short answer for the terminal.
    fn summary(&self) -> String;

    /// What `run.json` keeps of the outcome.
    fn outcome(&self) -> Value;

    /// Writes what belongs beside the tables.
    ///
    /// # Errors
    /// What keeps it from being written.
    fn write_beside(&self, _folder: &Path) -> Result<()> {
        Ok(())
    }
}

/// An analysis in the list.
pub struct Entry {
    /// The subcommand.
    pub name: &'static str,
    /// The figures.
    pub figures: &'static [&'static str],
    /// The tables with their columns.
    pub columns: fn() -> Vec<(&'static str, Vec<&'static str>)>,
    /// The page.
    pub report: fn(&Record, &FigureFolder) -> Result<Report>,
}

impl Entry {
    const fn of<A: Analysis>() -> Entry {
        Entry {
            name: A::NAME,
            figures: A::FIGURES,
            columns: A::columns,
            report: A::report,
        }
    }

    /// The analysis of that name.
    pub fn named(name: &str) -> Option<&'static Entry> {
        ANALYSES.iter().find(|entry| entry.name == name)
    }
}

/// Every analysis. A new one is a line here and one among the commands (`cli/mod.rs`).
pub static ANALYSES: &[Entry] = &[
    Entry::of::<crate::pipelines::splice_profile::SpliceProfile>(),
    Entry::of::<crate::pipelines::site_profile::SiteProfile>(),
    Entry::of::<crate::pipelines::motif_enrichment::Enrichment>(),
    Entry::of::<crate::pipelines::density::Density>(),
    Entry::of::<crate::pipelines::locus::Locus>(),
    Entry::of::<crate::pipelines::association::Association>(),
    Entry::of::<crate::pipelines::codon_phase::CodonPhase>(),
    Entry::of::<super::variants::Found>(),
    Entry::of::<crate::pipelines::stability::Stability>(),
    Entry::of::<crate::pipelines::compare::Compared>(),
    Entry::of::<crate::tasks::judge::Judgement>(),
    Entry::of::<super::benchmark::Results>(),
    Entry::of::<crate::pipelines::matched_flops::Outcome>(),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Columns are what others' scripts rely on: one that is renamed, moved or gone is a change of
    /// version. Where the change is meant, run with `LDAR_FREEZE=1`, and say it in CHANGELOG.md.
    #[test]
    fn tables_and_columns_are_frozen() {
        let mut text = String::new();
        for entry in ANALYSES {
            for (table, columns) in (entry.columns)() {
                assert!(!columns.is_empty(), "{table}");
                text += &format!("{}\t{table}\t{}\n", entry.name, columns.join(" "));
            }
        }
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/report/columns.tsv");
        if std::env::var_os("LDAR_FREEZE").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let frozen = std::fs::read_to_string(&path).unwrap();
        for (now, then) in text.lines().zip(frozen.lines()) {
            assert_eq!(now, then);
        }
        assert_eq!(text, frozen);
    }

    #[test]
    fn names_are_distinct() {
        let mut names: Vec<&str> = ANALYSES.iter().map(|entry| entry.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ANALYSES.len());
    }
}
