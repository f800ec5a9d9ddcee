use super::{Plan, backward, forward};
use crate::kernels::bimamba::mixer;
use crate::kernels::check::{
    gpu_tests, like_the_cpu, like_the_cpu_in_bf16, same_bf16, seqs, values,
};
use crate::kernels::cuda::{EMULATES, Order, emulated};
use crate::kernels::reference;
use crate::kernels::ssd::Dims;
use crate::kernels::tape::Tape;
use candle_core::{DType, Device, Result, Tensor};

const SMALL: Dims = Dims {
    d_inner: 64,
    d_state: 16,
    d_conv: 4,
    chunk: 64,
};

/// What follows the projection, on the tape.
fn core(tape: &Tape, x: &[Tensor], dims: Dims, lengths: &[usize]) -> Result<Tensor> {
    let plan = Plan::new(&x[0], x[0].dim(0)?, dims, &seqs(lengths))?;
    let (out, y) = forward(&plan, &x[0], [&x[1], &x[2]])?;
    let x = x.to_vec();
    tape.record(&out, move |grad, grads| {
        let (d_projected, d_fwd, d_bwd) = backward(&plan, &x[0], [&x[1], &x[2]], y, grad)?;
        assert!(d_projected.dtype() == x[0].dtype() && d_fwd.dtype() == DType::F32);
        grads.add(&x[0], d_projected)?;
        grads.add(&x[1], d_fwd)?;
        grads.add(&x[2], d_bwd)
    });
    Ok(out)
}

/// In bf16 against the recurrence.
fn bf16(dims: Dims, lengths: &[usize]) {
    let rows = lengths.iter().sum::<usize>();
    let inputs = [
        values((rows, dims.in_proj()), 4, 1.5),
        values(dims.n_params(), 5, 1.0),
        values(dims.n_params(), 6, 1.0),
    ];
    same_bf16(
        &inputs,
        1,
        |t, x| core(t, x, dims, lengths),
        |x| reference::bimamba(&x[0], &x[1], &x[2], dims, &seqs(lengths)),
    );
}

#[test]
fn bf16_is_no_worse_than_the_recurrence_in_bf16() {
    bf16(SMALL, &[1, 63, 64, 65, 130]);
    bf16(
        Dims {
            d_inner: 384,
            d_state: 24,
            d_conv: 3,
            ..SMALL
        },
        &[70, 3],
    );
}

/// The mixer's value and gradients against the CPU's, in f32, and in bf16 up to `rounding`; `slow`
/// is taken from the biases of the steps. Over thousands of rows bf16 moves gradients by some per
/// cent: rounding x alone, the CPU's by 3 to 4 %.
fn agrees(dims: Dims, lengths: &[usize], slow: f64, rounding: f64) {
    let start = dims.conv_dim() * (dims.d_conv + 1);
    let params = |seed| {
        let mut params = values(dims.n_params(), seed, 1.0).to_vec1::<f64>().unwrap();
        params[start..start + dims.n_heads()]
            .iter_mut()
            .for_each(|bias| *bias -= slow);
        Tensor::new(params, &Device::Cpu).unwrap()
    };
    let inputs = [
        values((lengths.iter().sum(), 24), 4, 1.5),
        values((dims.in_proj(), 24), 14, 0.3),
        params(5),
        params(6),
    ];
    let seqs = seqs(lengths);
    let fast = |t: &Tape, x: &[Tensor]| mixer(t, &x[0], &x[1], [&x[2], &x[3]], dims, &seqs);
    like_the_cpu(&inputs, fast, 2e-5);
    like_the_cpu_in_bf16(&inputs, 1, fast, rounding);
}

#[test]
fn long_and_empty_sequences_agree_with_the_cpu() {
    agrees(SMALL, &[0, 4097, 0, 1, 63, 64, 65, 513, 0], 0.0, 5e-2);
}

#[test]
fn states_that_outlive_segments_agree_with_the_cpu() {
    // Steps of about 0.002.
    agrees(SMALL, &[1700, 513], 6.0, 1e-2);
}

#[test]
fn no_rows_at_all() {
    if !EMULATES {
        return;
    }
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
    let (projected, params) = (zeros(&[0, SMALL.in_proj()]), zeros(&[SMALL.n_params()]));
    let inputs = [projected, params.clone(), params];
    emulated(Order::Ascending, || {
        let tape = Tape::on();
        let out = core(&tape, &inputs, SMALL, &[]).unwrap();
        let grads = tape.backward([(out.clone(), out)]).unwrap();
        let grad = grads.get(&inputs[1]).unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(grad, vec![0.0; SMALL.n_params()]);
    });
}

#[test]
fn the_largest_state_and_more_heads_than_a_group_agree_with_the_cpu() {
    agrees(
        Dims {
            d_inner: 128,
            d_state: 128,
            ..SMALL
        },
        &[600],
        0.0,
        1e-2,
    );
    agrees(
        Dims {
            d_inner: 320,
            d_state: 37,
            d_conv: 3,
            ..SMALL
        },
        &[70, 2],
        0.0,
        1e-2,
    );
}

#[test]
fn what_does_not_fit_is_refused() {
    let like = Tensor::zeros(1, DType::F32, &Device::Cpu).unwrap();
    let dims = Dims {
        d_state: 129,
        ..SMALL
    };
    assert!(Plan::new(&like, 5, dims, &seqs(&[5])).is_err());
    assert!(
        Plan::new(&like, 5, SMALL, &seqs(&[4])).is_err()
            && Plan::new(&like, 5, SMALL, &seqs(&[5])).is_ok()
    );
}

gpu_tests!(
    bf16_is_no_worse_than_the_recurrence_in_bf16,
    long_and_empty_sequences_agree_with_the_cpu,
    states_that_outlive_segments_agree_with_the_cpu,
    the_largest_state_and_more_heads_than_a_group_agree_with_the_cpu,
);
