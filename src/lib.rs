//! `ldar`: LDARNet on candle, and what its token boundaries say about a genome.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod controls;
pub mod error;
pub mod figures;
pub mod genome;
pub mod kernels;
pub mod model;
pub mod output;
pub mod pipelines;
pub mod report;
pub mod stats;
pub mod train;

pub use error::{Error, Result};
