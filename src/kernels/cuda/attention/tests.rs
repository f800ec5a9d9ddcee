use crate::kernels::attention::{AttentionDims, attention};
use crate::kernels::check::{gpu_tests, like_the_cpu, same, same_bf16, seqs, values};
use crate::kernels::{Seqs, reference};

#[test]
fn lengths_around_a_block() {
    let lengths = seqs(&[1, 63, 64, 0, 65]);
    let filled: Seqs = lengths
        .iter()
        .filter(|seq| !seq.is_empty())
        .cloned()
        .collect();
    for (window, d, n_heads, rotary_dim) in [(Some(33), 48, 1, 48), (None, 48, 2, 10)] {
        let dims = AttentionDims {
            n_heads,
            rotary_dim,
            window,
        };
        let qkv = [values((193, 3 * d), 3, 2.0)];
        same(
            &qkv,
            |t, x| attention(t, &x[0], dims, &lengths),
            |x| reference::attention(&x[0], dims, &filled),
            2e-5,
        );
    }
}

#[test]
fn bf16() {
    let lengths = seqs(&[150, 1, 64]);
    for (window, d, n_heads, rotary_dim) in [
        (Some(7), 32, 2, 16),
        (None, 40, 2, 8),
        (Some(70), 72, 3, 10),
        (None, 48, 1, 48),
    ] {
        let dims = AttentionDims {
            n_heads,
            rotary_dim,
            window,
        };
        let qkv = [values((215, 3 * d), 7, 2.0)];
        same_bf16(
            &qkv,
            1,
            |t, x| attention(t, &x[0], dims, &lengths),
            |x| reference::attention(&x[0], dims, &lengths),
        );
    }
}

/// The widest heads: their rows are taken fewer at a time.
#[test]
fn heads_of_128() {
    let lengths = seqs(&[70, 3]);
    let dims = AttentionDims {
        n_heads: 1,
        rotary_dim: 64,
        window: Some(40),
    };
    let qkv = [values((73, 3 * 128), 5, 1.0)];
    same(
        &qkv,
        |t, x| attention(t, &x[0], dims, &lengths),
        |x| reference::attention(&x[0], dims, &lengths),
        2e-5,
    );
    same_bf16(
        &qkv,
        1,
        |t, x| attention(t, &x[0], dims, &lengths),
        |x| reference::attention(&x[0], dims, &lengths),
    );
}

#[test]
fn a_long_sequence() {
    let lengths = seqs(&[4097]);
    let dims = AttentionDims {
        n_heads: 1,
        rotary_dim: 16,
        window: Some(100),
    };
    like_the_cpu(
        &[values((4097, 48), 1, 2.0)],
        |t, x| attention(t, &x[0], dims, &lengths),
        2e-5,
    );
}

gpu_tests!(lengths_around_a_block, bf16, heads_of_128, a_long_sequence);
