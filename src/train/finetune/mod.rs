//! Fine-tuning: a head on the model, trained on labelled sequences.
//!
//! | file | what it holds |
//! |---|---|
//! | `protocol` | every number of a training, and those of two published protocols |
//! | `schedule` | learning rate, best epoch and end of a training, from its validation scores |
//! | `learner` | a model with its head and optimizer: loss, gradients, steps |
//! | `reader` | the sequences of a task as the learner takes them |
//! | `job` | one training from start to its predictions, stopped and gone on with at will |
//! | `outcome` | what a finished training leaves |

pub mod job;
pub mod learner;
pub mod outcome;
pub mod protocol;
pub mod reader;
pub mod schedule;

pub use job::{Job, Start, Told};
pub use outcome::Outcome;
pub use protocol::Protocol;
