use super::{Plan, backward, forward};
use crate::kernels::bimamba::{mixer, scan};
use crate::kernels::check::{same_bf16, seqs, values};
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

/// Input, projection, cores; `slow` is taken from the biases of the steps.
fn inputs(dims: Dims, rows: usize, slow: f32) -> [Tensor; 4] {
    let of = |shape: candle_core::Shape, seed, scale| {
        values(shape, seed, scale).to_dtype(DType::F32).unwrap()
    };
    let start = dims.conv_dim() * (dims.d_conv + 1);
    let params = |seed| {
        let mut params = of(dims.n_params().into(), seed, 1.0)
            .to_vec1::<f32>()
            .unwrap();
        params[start..start + dims.n_heads()]
            .iter_mut()
            .for_each(|bias| *bias -= slow);
        Tensor::new(params, &Device::Cpu).unwrap()
    };
    [
        of((rows, 24).into(), 4, 1.5),
        of((dims.in_proj(), 24).into(), 14, 0.3),
        params(5),
        params(6),
    ]
}

/// Relative error in the L2 norm.
fn error(got: &Tensor, want: &Tensor) -> f32 {
    let norm = |x: &Tensor| {
        x.sqr()
            .unwrap()
            .sum_all()
            .unwrap()
            .to_scalar::<f32>()
            .unwrap()
            .sqrt()
    };
    norm(&(got.to_dtype(DType::F32).unwrap() - want).unwrap()) / norm(want).max(1e-12)
}

/// The mixer's value and gradients, in f32, against the CPU's; and the scan in bf16.
fn agrees(dims: Dims, lengths: &[usize], slow: f32) {
    if !EMULATES {
        return;
    }
    let (seqs, inputs) = (seqs(lengths), inputs(dims, lengths.iter().sum(), slow));
    let cores = [&inputs[2], &inputs[3]];
    let run = || {
        let tape = Tape::on();
        let out = mixer(&tape, &inputs[0], &inputs[1], cores, dims, &seqs).unwrap();
        let weights = values(out.shape(), 99, 1.0).to_dtype(DType::F32).unwrap();
        let grads = tape.backward([(out.clone(), weights)]).unwrap();
        std::iter::once(out)
            .chain(inputs.iter().map(|x| grads.get(x).unwrap().clone()))
            .collect::<Vec<_>>()
    };
    let want = run();
    for (i, (got, want)) in emulated(Order::Descending, run)
        .iter()
        .zip(&want)
        .enumerate()
    {
        assert!(
            error(got, want) < 2e-5,
            "value and gradients, {i}: {:.2e}",
            error(got, want)
        );
    }
    let projected = inputs[0]
        .matmul(&inputs[1].t().unwrap())
        .unwrap()
        .to_dtype(DType::BF16)
        .unwrap();
    let got = emulated(Order::Ascending, || scan(&projected, cores, dims, &seqs)).unwrap();
    assert_eq!(got.dtype(), DType::BF16);
    assert!(
        error(&got, &want[0]) < 1e-2,
        "bf16: {:.2e}",
        error(&got, &want[0])
    );
}

#[test]
fn long_and_empty_sequences_agree_with_the_cpu() {
    agrees(SMALL, &[0, 4097, 0, 1, 63, 64, 65, 513, 0], 0.0);
}

#[test]
fn states_that_outlive_segments_agree_with_the_cpu() {
    // Steps of about 0.002.
    agrees(SMALL, &[1700, 513], 6.0);
}

#[test]
fn no_rows_at_all() {
    agrees(SMALL, &[], 0.0);
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
