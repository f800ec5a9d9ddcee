use crate::kernels::check::{gpu_tests, like_the_cpu, same, seqs, values};
use crate::kernels::routing::boundary_prob;
use crate::kernels::{Seqs, reference};

#[test]
fn lengths_and_channels() {
    let lengths = seqs(&[1, 63, 0, 64, 65, 0]);
    let filled: Seqs = lengths
        .iter()
        .filter(|seq| !seq.is_empty())
        .cloned()
        .collect();
    for d in [3, 33, 100] {
        let inputs = [values((193, d), 8, 1.0), values((193, d), 9, 1.0)];
        same(
            &inputs,
            |t, x| boundary_prob(t, &x[0], &x[1], &lengths),
            |x| reference::boundary_prob(&x[0], &x[1], &filled),
            1e-5,
        );
    }
}

/// A vector of zeros has no direction: p is 1/2 on both sides of it.
#[test]
fn zeros() {
    let lengths = seqs(&[9]);
    let mut rows = vec![
        values((4, 5), 1, 1.0),
        values((1, 5), 1, 0.0),
        values((4, 5), 2, 1.0),
    ];
    let q = candle_core::Tensor::cat(&rows, 0).unwrap();
    rows.reverse();
    let k = candle_core::Tensor::cat(&rows, 0).unwrap();
    like_the_cpu(
        &[q, k],
        |t, x| boundary_prob(t, &x[0], &x[1], &lengths),
        1e-5,
    );
}

#[test]
fn a_long_sequence() {
    let lengths = seqs(&[4097, 3]);
    let inputs = [values((4100, 20), 8, 1.0), values((4100, 20), 9, 1.0)];
    like_the_cpu(
        &inputs,
        |t, x| boundary_prob(t, &x[0], &x[1], &lengths),
        1e-5,
    );
}

gpu_tests!(lengths_and_channels, zeros, a_long_sequence);
