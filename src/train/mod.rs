//! Training LDARNet: a recipe names data, model and settings; the run can be stopped and resumed to
//! the same bits.

pub mod data;
pub mod evaluate;
pub mod finetune;
pub mod matched;
pub mod objective;
pub mod optimizer;
pub mod ranks;
pub mod recipe;
mod reduction;
pub mod run;
pub mod schedule;
