//! Useful floating-point operations of a forward pass, per base.
//!
//! 2·in·out per linear layer (the projections that two directions share count once); scan 6·N·P per head and direction; attention
//! 4·D·min(L, 2w+1); convolution 2·d_conv per channel and direction. Inner stages are divided by the compression.

use super::config::{Block, Config, Layout, Mixer, Stage};
use crate::kernels::ssd::HEAD_DIM;

/// Operations per base for sequences of `length` bases when every router keeps one position in `compression`.
pub fn forward_flops_per_base(config: &Config, length: usize, compression: f64) -> f64 {
    let outer = &config.stages[0];
    level(&config.layout, &config.stages, length as f64, compression) + (2 * outer.d_model * config.vocab_size) as f64
}

fn level(layout: &Layout, stages: &[Stage], length: f64, compression: f64) -> f64 {
    match layout {
        Layout::Stack(blocks) => stack(blocks, &stages[0], length),
        Layout::Stage { encoder, inner, decoder } => {
            let d = stages[0].d_model as f64;
            let router_and_residual = 3.0 * 2.0 * d * d;
            stack(encoder, &stages[0], length)
                + router_and_residual
                + level(inner, &stages[1..], length / compression, compression) / compression
                + stack(decoder, &stages[0], length)
        }
    }
}

fn stack(blocks: &[Block], s: &Stage, length: f64) -> f64 {
    let d = s.d_model as f64;
    let one = |block: &Block| {
        let mixer = match block.mixer {
            Mixer::BiMamba => {
                let (inner, n) = (s.d_inner as f64, s.d_state as f64);
                let heads = (s.d_inner / HEAD_DIM) as f64;
                let channels = inner + 2.0 * n;
                2.0 * d * (2.0 * inner + 2.0 * n + heads)
                    + 2.0 * inner * d
                    + 2.0 * (6.0 * n * HEAD_DIM as f64 * heads + 2.0 * s.d_conv as f64 * channels)
            }
            Mixer::Attention => {
                let seen = s.window.map_or(length, |w| length.min(2.0 * w as f64 + 1.0));
                2.0 * d * 4.0 * d + 4.0 * d * seen
            }
        };
        let f = s.d_intermediate as f64;
        mixer + if block.mlp { 2.0 * d * 2.0 * f + 2.0 * f * d } else { 0.0 }
    };
    blocks.iter().map(one).sum()
}
