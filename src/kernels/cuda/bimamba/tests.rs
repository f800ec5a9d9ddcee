use super::Plan;
use crate::kernels::bimamba::scan;
use crate::kernels::check::{seqs, values};
use crate::kernels::cuda::{EMULATES, Order, emulated};
use crate::kernels::ssd::Dims;
use candle_core::{DType, Tensor};

fn inputs(dims: Dims, rows: usize) -> [Tensor; 3] {
    let params = |seed| values(dims.n_params(), seed, 1.0).to_dtype(DType::F32).unwrap();
    [values((rows, dims.in_proj()), 4, 1.5).to_dtype(DType::F32).unwrap(), params(5), params(6)]
}

/// Largest relative error in the L2 norm.
fn error(got: &Tensor, want: &Tensor) -> f32 {
    let norm = |x: &Tensor| x.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap().sqrt();
    norm(&(got.to_dtype(DType::F32).unwrap() - want).unwrap()) / norm(want).max(1e-12)
}

/// The scan through the kernels, in f32 and in bf16, against the CPU's in f32.
fn agrees(dims: Dims, lengths: &[usize]) {
    if !EMULATES {
        return;
    }
    let seqs = seqs(lengths);
    let [x, fwd, bwd] = inputs(dims, lengths.iter().sum());
    let want = scan(&x, [&fwd, &bwd], dims, &seqs).unwrap();
    for (dtype, order, tolerance) in [(DType::F32, Order::Descending, 2e-5), (DType::BF16, Order::Ascending, 1e-2)] {
        let got = emulated(order, || scan(&x.to_dtype(dtype).unwrap(), [&fwd, &bwd], dims, &seqs)).unwrap();
        assert_eq!(got.dtype(), dtype);
        let error = error(&got, &want);
        assert!(error < tolerance, "{dtype:?}: {error:.2e}");
    }
}

#[test]
fn long_and_empty_sequences() {
    agrees(Dims { d_inner: 64, d_state: 16, d_conv: 4, chunk: 64 }, &[0, 4097, 0, 1, 63, 64, 65, 513, 0]);
    agrees(Dims { d_inner: 64, d_state: 16, d_conv: 4, chunk: 64 }, &[]);
}

#[test]
fn sizes_of_the_released_model() {
    agrees(Dims { d_inner: 128, d_state: 128, d_conv: 4, chunk: 64 }, &[600]);
}

#[test]
fn odd_sizes_and_many_heads() {
    agrees(Dims { d_inner: 384, d_state: 24, d_conv: 2, chunk: 16 }, &[41, 3, 130]);
    agrees(Dims { d_inner: 64, d_state: 37, d_conv: 3, chunk: 16 }, &[70]);
}

#[test]
fn what_does_not_fit_is_refused() {
    let dims = Dims { d_inner: 64, d_state: 129, d_conv: 4, chunk: 64 };
    let [x, ..] = inputs(dims, 5);
    assert!(Plan::new(&x, 5, dims, &seqs(&[5])).is_err());
    let dims = Dims { d_state: 16, ..dims };
    assert!(Plan::new(&x, 5, dims, &seqs(&[4])).is_err() && Plan::new(&x, 5, dims, &seqs(&[5])).is_ok());
}
