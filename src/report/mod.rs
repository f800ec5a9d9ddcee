//! The report: one self-contained HTML page made of sections and blocks, and the way its numbers are written.
//!
//! | file | what it holds |
//! |---|---|
//! | `html` | the page: header, contents, sections, blocks |
//! | `table` | tables: columns, cells, their formats |
//! | `inline_svg` | putting several SVG documents into one page without clashes |
//! | `format` | numbers, p-values, intervals as text |
//! | `page.css` | the one style sheet, for screens and paper, light and dark |
//!
//! Everything a caller passes is text and is escaped, except the SVG of a figure. The page loads nothing and runs no script.

pub mod format;
pub mod html;
pub mod inline_svg;
pub mod table;

#[cfg(test)]
mod tests;

pub use html::{Block, Card, Level, Link, Report, Section};
pub use table::{Cell, Column, Format, Table};
