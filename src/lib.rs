//! `ldar`: LDARNet on candle, and what its token boundaries say about a genome.
//!
//! | room | what it holds |
//! |---|---|
//! | [`cli`] | one file per subcommand: arguments as typed, the validated request, the run |
//! | [`report`] | the results folder: tables, figures, `run.json`, the HTML page |
//! | [`pipelines`] | one file per question: a pure step from a request to an outcome; models are seen through a trait |
//! | [`model`] | LDARNet: configuration, tokens, checkpoints, the network |
//! | [`kernels`] | the operations the model needs, forward and backward |
//! | [`benchmark`] | how fast the model runs here |
//! | [`train`] | windows, masking, objective, optimizer, schedule, loop |
//! | [`tasks`] | labelled sequences, and how good predictions of their labels are |
//! | [`motifs`] | matrices of transcription factors and core promoter elements, where they fit, which are alike |
//! | [`controls`] | matched controls and how well they match |
//! | [`stats`] | permutation tests, bootstrap, effect sizes |
//! | [`matrix`] | products of matrices of doubles |
//! | [`figures`] | figures as SVG and PNG |
//! | [`genome`] | positions, FASTA, annotations, splice sites |
//! | [`fetch`] | downloads of public references into a cache: resumed, checked, done once |
//! | [`bundled`] | the reference set that travels inside the program |
//! | [`memory`] | memory of this process |
//! | [`output`] | files that appear whole or not at all |
//! | [`error`] | the one error type |
//!
//! Dependencies run one way: `cli` to `report` to `pipelines` to everything below; `stats` and
//! `figures` know neither genomes nor tensors. `tests/architecture.rs` holds these walls.
//!
//! Where do the bundled model's boundaries fall in ten bases of a fly?
//!
//! ```no_run
//! use ldar::pipelines::{BoundarySource, Stretch, ldarnet::Router};
//!
//! let genome = ldar::bundled::genome()?;
//! let sequence = genome.read_contig(&genome.contigs()[0].name)?;
//! let model = ldar::bundled::checkpoint()?.model()?;
//! let probs = Router::new(&model, 0)?.read(&[Stretch::nowhere(sequence[300_000..304_096].to_vec())])?;
//! println!("{:?}", &probs[0][2000..2010]);
//! # Ok::<(), ldar::Error>(())
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod benchmark;
pub mod bundled;
pub mod cli;
pub mod controls;
pub mod error;
pub mod fetch;
pub mod figures;
pub mod genome;
#[allow(unsafe_code)] // vector instructions and kernels that write one buffer from several threads
pub mod kernels;
#[allow(unsafe_code)] // the matrix product of a library takes pointers
pub mod matrix;
pub mod memory;
pub mod model;
pub mod motifs;
pub mod output;
pub mod pipelines;
pub mod report;
pub mod stats;
pub mod tasks;
pub mod train;

pub use error::{Error, Result};
