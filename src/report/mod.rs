//! The report: one self-contained HTML page made of sections and blocks, and the way its numbers
//! are written.
//!
//! | file | what it holds |
//! |---|---|
//! | `html` | the page: header, contents, sections, chapters |
//! | `block` | the pieces of a section |
//! | `table` | tables: columns, cells, their formats |
//! | `inline_svg` | putting several SVG documents into one page without clashes |
//! | `analysis` | what an analysis leaves behind, said once, and the list of all |
//! | `splice_profile` | the page, figures and tables of `splice-profile` |
//! | `comparison` | sites against matched controls: what analyses of them share |
//! | `discrimination` | sites told from controls: the section and figure that analyses share |
//! | `site_profile` | those of `site-profile` |
//! | `compare` | those of `compare` |
//! | `motif_enrichment` | those of `motif-enrichment` |
//! | `density` | those of `density` |
//! | `locus` | those of `locus` |
//! | `variants` | those of `variants` |
//! | `stability` | those of `stability` |
//! | `association` | those of `association` |
//! | `codon_phase` | those of `codon-phase` |
//! | `finetune` | those of `finetune` |
//! | `benchmark` | those of `benchmark` |
//! | `matched_flops` | those of `matched-flops` |
//! | `page` | from a results folder to its figures and page |
//! | `pruned` | a page whose folder was made smaller |
//! | `record` | `run.json` read back |
//! | `paper` | the paper's own table |
//! | `tables` | rows to parquet and tab-separated text, and back |
//! | `tracks` | values by base to bigWig, bedGraph and parquet |
//! | `folder` | the results folder: there whole or not at all |
//! | `provenance` | `run.json`: inputs with their hashes, parameters, compute |
//! | `terms` | what a page calls the values of a model and of a track |
//! | `shard` | the folder of a shard |
//! | `format` | numbers, p-values, intervals as text |
//! | `page.css` | the one style sheet, for screens and paper, light and dark |
//! | `page.js` | the one script: tables that sort and filter, figures that enlarge and tell their values |
//!
//! Everything a caller passes is text and is escaped, except the SVG of a figure. The page loads
//! nothing.

pub mod analysis;
pub mod association;
pub mod benchmark;
pub mod block;
pub mod codon_phase;
pub mod compare;
mod comparison;
pub mod density;
mod discrimination;
pub mod finetune;
pub mod folder;
pub mod format;
pub mod html;
pub mod inline_svg;
pub mod locus;
pub mod matched_flops;
pub mod motif_enrichment;
pub mod page;
mod paper;
pub mod provenance;
pub mod pruned;
pub mod record;
pub mod shard;
pub mod site_profile;
pub mod splice_profile;
pub mod stability;
pub mod table;
pub mod tables;
mod terms;
pub mod tracks;
pub mod variants;

#[cfg(test)]
mod tests;

pub use block::{Block, Card, Level, Link};
pub use html::{Chapter, Report, Section};
pub use table::{Cell, Column, Format, Table, columns};
