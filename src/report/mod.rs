//! The report: one self-contained HTML page made of sections and blocks, and the way its numbers are written.
//!
//! | file | what it holds |
//! |---|---|
//! | `html` | the page: header, contents, sections, blocks |
//! | `table` | tables: columns, cells, their formats |
//! | `inline_svg` | putting several SVG documents into one page without clashes |
//! | `splice_profile` | the page, figures and tables of `splice-profile` |
//! | `motif_enrichment` | those of `motif-enrichment` |
//! | `density` | those of `density` |
//! | `locus` | those of `locus` |
//! | `origin` | the section on where the numbers come from |
//! | `tables` | rows to parquet and tab-separated text |
//! | `folder` | the results folder: there whole or not at all |
//! | `provenance` | `run.json`: inputs with their hashes, parameters, compute |
//! | `format` | numbers, p-values, intervals as text |
//! | `page.css` | the one style sheet, for screens and paper, light and dark |
//!
//! Everything a caller passes is text and is escaped, except the SVG of a figure. The page loads nothing and runs no script.

pub mod density;
pub mod folder;
pub mod format;
pub mod html;
pub mod inline_svg;
pub mod locus;
pub mod motif_enrichment;
mod origin;
pub mod provenance;
pub mod splice_profile;
pub mod table;
pub mod tables;

#[cfg(test)]
mod tests;

pub use html::{Block, Card, Level, Link, Report, Section};
pub use table::{Cell, Column, Format, Table};
