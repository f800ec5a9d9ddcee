//! `ldar`: LDARNet on candle, and what its token boundaries say about a genome.
//!
//! For those who call it:
//!
//! | room | what it holds |
//! |---|---|
//! | [`model`] | LDARNet: configuration, tokens, checkpoints, the network |
//! | [`pipelines`] | one file per question: a pure step from a request to an outcome; models are seen through a trait |
//! | [`genome`] | positions, FASTA, annotations, splice sites |
//! | [`motifs`] | matrices of transcription factors and core promoter elements, where they fit, which are alike |
//! | [`controls`] | matched controls and how well they match |
//! | [`stats`] | permutation tests, bootstrap, effect sizes |
//! | [`train`] | windows, masking, objective, optimizer, schedule, loop |
//! | [`tasks`] | labelled sequences, and how good predictions of their labels are |
//! | [`figures`] | figures as SVG and PNG |
//! | [`bundled`] | the reference set that travels inside the program |
//! | [`error`] | the one error type |
//!
//! The program's own:
//!
//! | room | what it holds |
//! |---|---|
//! | `cli` | one file per subcommand: arguments as typed, the validated request, the run |
//! | `report` | the results folder: tables, figures, `run.json`, the HTML page |
//! | `kernels` | the operations the model needs, forward and backward |
//! | `benchmark` | how fast the model runs here |
//! | `fetch` | downloads of public references into a cache: resumed, checked, done once |
//! | `matrix` | products of matrices of doubles |
//! | `memory` | memory of this process |
//! | `output` | files that appear whole or not at all |
//!
//! Dependencies run one way: `cli` to `report` to `pipelines` to everything below; `stats` and
//! `figures` know neither genomes nor tensors. `tests/architecture.rs` holds these walls.
//!
//! Where do the bundled model's boundaries fall in a fly?
//!
//! ```
//! use ldar::pipelines::{BoundarySource, Stretch, ldarnet::Router};
//!
//! let genome = ldar::bundled::genome()?;
//! let sequence = genome.read_contig(&genome.contigs()[0].name)?;
//! let model = ldar::bundled::checkpoint()?.model()?;
//! let stretch = Stretch::nowhere(sequence[300_000..301_000].to_vec());
//! let probabilities = Router::new(&model, 0)?.read(&[stretch])?;
//! // One before each base; the first base always starts a token.
//! assert_eq!((probabilities[0].len(), probabilities[0][0]), (1000, 1.0));
//! let boundaries = probabilities[0].iter().filter(|p| **p > 0.5).count();
//! assert!((100..500).contains(&boundaries));
//! # Ok::<(), ldar::Error>(())
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod benchmark;
pub mod bundled;
mod cli;
pub mod controls;
pub mod error;
#[doc(hidden)]
pub mod fetch;
pub mod figures;
pub mod genome;
#[allow(unsafe_code)] // vector instructions and kernels that write one buffer from several threads
#[doc(hidden)]
pub mod kernels;
#[allow(unsafe_code)] // the matrix product of a library takes pointers
mod matrix;
mod memory;
pub mod model;
pub mod motifs;
mod output;
pub mod pipelines;
#[doc(hidden)]
pub mod report;
pub mod stats;
pub mod tasks;
pub mod train;

/// The program: command line in, exit code out.
pub use cli::main as run_program;
pub use error::{Error, Result};
