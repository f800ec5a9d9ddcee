use crate::kernels::check::{gpu_tests, like_the_cpu, same, seqs, values};
use crate::kernels::dechunk::{Kept, dechunk};
use crate::kernels::reference;
use candle_core::Tensor;

/// Sequences of chunks of these lengths.
fn kept(sequences: &[Vec<usize>]) -> Kept {
    let lengths: Vec<usize> = sequences.iter().map(|chunks| chunks.iter().sum()).collect();
    let counts: Vec<usize> = sequences.iter().map(Vec::len).collect();
    let mut at = 0;
    let starts = sequences.iter().flatten().map(|length| {
        at += length;
        at - length
    });
    Kept {
        seqs: seqs(&lengths),
        chunks: seqs(&counts),
        index: starts.collect::<Vec<_>>().into(),
    }
}

/// Chunks with `d` channels, and the probabilities of all bases, some of them 1.
fn inputs(kept: &Kept, d: usize) -> [Tensor; 2] {
    let prob = values(kept.seqs.last().unwrap().end, 10, 1.2)
        .abs()
        .unwrap()
        .clamp(0.0, 1.0)
        .unwrap();
    [values((kept.index.len(), d), 11, 1.0), prob]
}

fn lengths(chunks: usize) -> Vec<usize> {
    (0..chunks).map(|j| 1 + j * j % 5).collect()
}

#[test]
fn segments_and_channels() {
    let several = kept(&[
        lengths(65),
        vec![],
        lengths(31),
        vec![1],
        lengths(32),
        vec![70],
        lengths(33),
        vec![],
    ]);
    for d in [1, 20, 133] {
        same(
            &inputs(&several, d),
            |t, x| dechunk(t, &x[0], &x[1], &several),
            |x| reference::dechunk(&x[0], &x[1], &several),
            1e-5,
        );
    }
}

#[test]
fn many_channels() {
    let few = kept(&[vec![2, 1, 3]]);
    same(
        &inputs(&few, 1031),
        |t, x| dechunk(t, &x[0], &x[1], &few),
        |x| reference::dechunk(&x[0], &x[1], &few),
        1e-5,
    );
}

/// Of which every base is a chunk, and of which none but the first is; carries go over more
/// segments than are loaded at a time.
#[test]
fn long_sequences() {
    let long = kept(&[vec![1; 4097], vec![4097], lengths(500)]);
    like_the_cpu(
        &inputs(&long, 33),
        |t, x| dechunk(t, &x[0], &x[1], &long),
        1e-5,
    );
}

#[test]
fn chunks_that_do_not_fit_are_refused() {
    if !crate::kernels::cuda::EMULATES {
        return;
    }
    let fits = kept(&[vec![2, 1, 3], vec![4]]);
    let x: Vec<Tensor> = inputs(&fits, 3)
        .iter()
        .map(|x| x.to_dtype(candle_core::DType::F32).unwrap())
        .collect();
    for index in [[0, 2, 3, 7], [1, 2, 3, 6]] {
        let wrong = Kept {
            index: index.to_vec().into(),
            ..fits.clone()
        };
        assert!(super::Call::new(&x[0], &x[1], &wrong).is_err());
    }
    assert!(super::Call::new(&x[0], &x[1], &fits).is_ok());
    assert!(super::Call::new(&x[0].narrow(0, 0, 3).unwrap(), &x[1], &fits).is_err());
}

gpu_tests!(segments_and_channels, many_channels, long_sequences);
