//! Training: windows and masking, objective, optimizer, schedule, loop.
pub mod objective;
pub mod optimizer;
