//! `ldar`: LDARNet on candle, and what its token boundaries say about a genome.
#![allow(missing_docs)]
pub mod error;
pub mod kernels;
pub mod model;
pub mod output;
pub use error::{Error, Result};
pub mod train;
