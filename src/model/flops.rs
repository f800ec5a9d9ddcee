//! Useful floating-point operations of a forward pass.
//!
//! 2·in·out per linear layer (the projections that two directions share count once); scan 6·N·P per
//! head and direction; attention 4·D·min(L, 2w+1); convolution 2·d_conv per channel and direction.
//! An inner stage runs on what was kept. The projections of a router that is not asked
//! ([`super::Routing`]) are not run, and do not count. The LM head counts.

use super::config::{Block, Config, Layout, Mixer, Stage};
use super::ldarnet::Routed;
use crate::kernels::ssd::HEAD_DIM;

/// Operations per base for sequences of `length` bases when every router keeps one position in
/// `compression`.
pub fn forward_flops_per_base(config: &Config, length: usize, compression: f64) -> f64 {
    let rows: Vec<f64> = (0..config.stages.len())
        .map(|stage| length as f64 / compression.powi(stage as i32))
        .collect();
    of_sequence(config, &rows) / length as f64
}

/// Operations of a pass over a packed batch, from the positions that each sequence really kept;
/// `stages` are all routers' decisions.
pub fn forward_flops(config: &Config, sequences: &[impl AsRef<[u8]>], stages: &[Routed]) -> f64 {
    let of = |(i, sequence): (usize, &[u8])| {
        let mut rows = vec![sequence.len() as f64];
        rows.extend(stages.iter().map(|stage| {
            stage.mask[stage.seqs[i].clone()]
                .iter()
                .filter(|kept| **kept)
                .count() as f64
        }));
        of_sequence(config, &rows)
    };
    sequences
        .iter()
        .map(AsRef::as_ref)
        .enumerate()
        .map(of)
        .sum()
}

/// The part of [`forward_flops_per_base`] that is in the scans of both directions and their
/// convolutions.
pub fn scan_flops_per_base(config: &Config, compression: f64) -> f64 {
    fn of(layout: &Layout, stages: &[Stage], compression: f64) -> f64 {
        let scans = |blocks: &[Block]| {
            let mixers = blocks.iter().filter(|block| block.mixer == Mixer::BiMamba);
            mixers.count() as f64 * scan(&stages[0])
        };
        match layout {
            Layout::Stack(blocks) => scans(blocks),
            Layout::Stage {
                encoder,
                inner,
                decoder,
            } => {
                scans(encoder) + scans(decoder) + of(inner, &stages[1..], compression) / compression
            }
        }
    }
    of(&config.layout, &config.stages, compression)
}

/// Of one mixer, per row.
fn scan(s: &Stage) -> f64 {
    let (inner, n) = (s.d_inner as f64, s.d_state as f64);
    2.0 * (6.0 * n * inner + 2.0 * s.d_conv as f64 * (inner + 2.0 * n))
}

/// Of one sequence with so many rows at each stage, outermost first.
fn of_sequence(config: &Config, rows: &[f64]) -> f64 {
    let asked = if config.routing.asks_router() {
        2.0
    } else {
        0.0
    };
    let head = (2 * config.stages[0].d_model * config.vocab_size) as f64;
    level(&config.layout, &config.stages, rows, asked) + rows[0] * head
}

/// `asked`: projections of each router that are run.
fn level(layout: &Layout, stages: &[Stage], rows: &[f64], asked: f64) -> f64 {
    match layout {
        Layout::Stack(blocks) => rows[0] * stack(blocks, &stages[0], rows[0]),
        Layout::Stage {
            encoder,
            inner,
            decoder,
        } => {
            let d = stages[0].d_model as f64;
            let router_and_residual = (asked + 1.0) * 2.0 * d * d;
            rows[0]
                * (stack(encoder, &stages[0], rows[0])
                    + router_and_residual
                    + stack(decoder, &stages[0], rows[0]))
                + level(inner, &stages[1..], &rows[1..], asked)
        }
    }
}

/// Per row of a sequence of `length` rows.
fn stack(blocks: &[Block], s: &Stage, length: f64) -> f64 {
    let d = s.d_model as f64;
    let one = |block: &Block| {
        let mixer = match block.mixer {
            Mixer::BiMamba => {
                let (inner, n) = (s.d_inner as f64, s.d_state as f64);
                let heads = (s.d_inner / HEAD_DIM) as f64;
                2.0 * d * (2.0 * inner + 2.0 * n + heads) + 2.0 * inner * d + scan(s)
            }
            Mixer::Attention => {
                let seen = s
                    .window
                    .map_or(length, |w| length.min(2.0 * w as f64 + 1.0));
                2.0 * d * 4.0 * d + 4.0 * d * seen
            }
        };
        let f = s.d_intermediate as f64;
        mixer
            + if block.mlp {
                2.0 * d * 2.0 * f + 2.0 * f * d
            } else {
                0.0
            }
    };
    blocks.iter().map(one).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fresh::Fresh;
    use crate::model::{LdarNet, Routing};

    #[test]
    fn the_count_is_of_what_was_kept() {
        let config = Config::from_json(serde_json::json!({
            "arch_layout": ["m1t1", ["m1", ["T1"], "m1"], "m1"], "d_model": [64, 64, 64], "ssm_cfg": {"d_state": 16},
            "attn_cfg": {"num_heads": 2, "rotary_emb_dim": 8, "window_size": [15, -1, -1]}
        }))
        .unwrap();
        let count = |routing: Routing, lengths: &[usize]| {
            let config = config.routed(routing).unwrap();
            let model = LdarNet::new(&config, &mut Fresh::new(1)).unwrap();
            let sequences: Vec<Vec<u8>> = lengths
                .iter()
                .map(|n| (0..*n).map(|t| (t * t % 4) as u8).collect())
                .collect();
            let output = model.forward(&sequences).unwrap();
            forward_flops(&config, &sequences, &output.stages)
        };
        let grid = Routing::Fixed {
            every: 4.0,
            phase: 0,
        };
        let near = |a: f64, b: f64| assert!((a / b - 1.0).abs() < 1e-12, "{a} {b}");
        let by_formula = |routing, n: usize, compression| {
            forward_flops_per_base(&config.routed(routing).unwrap(), n, compression) * n as f64
        };
        near(count(grid, &[64]), by_formula(grid, 64, 4.0));
        near(
            count(Routing::None, &[50]),
            by_formula(Routing::None, 50, 1.0),
        );
        // Attention sees a sequence, not a batch.
        near(
            count(grid, &[64, 16, 32]),
            count(grid, &[64]) + count(grid, &[16]) + count(grid, &[32]),
        );
        // Kept 1 of 7 and 1 of 1, then 2 of 7 and 1 of 2.
        assert!(
            count(
                Routing::Fixed {
                    every: 7.0,
                    phase: 0
                },
                &[7]
            ) < count(
                Routing::Fixed {
                    every: 6.0,
                    phase: 0
                },
                &[7]
            )
        );
        // The two projections of each of the two routers are not run on a grid: 2·2·64² per
        // position of either stage.
        near(
            by_formula(Routing::Learned, 64, 4.0) - by_formula(grid, 64, 4.0),
            4.0 * 64.0 * 64.0 * (64.0 + 16.0),
        );
    }
}
