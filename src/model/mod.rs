//! LDARNet: configuration, tokens, checkpoints, and the network itself.

pub mod checkpoint;
pub mod config;
pub mod device;
pub mod flops;
pub mod fresh;
pub mod head;
mod ldarnet;
pub mod pickle;
pub mod routing;
mod stack;
pub mod tokenizer;
pub mod weights;

pub use crate::kernels::precision::{Arithmetic, Precision};
pub use checkpoint::Checkpoint;
pub use config::Config;
pub use head::FineTuned;
pub use ldarnet::{LdarNet, Output, Routed, THRESHOLD};
pub use routing::Routing;
