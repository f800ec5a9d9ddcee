//! How a fast operation is held against the readable one: on the CPU, through the CUDA kernels
//! where this build emulates them, and on a GPU.

use super::cuda::{Order, emulated, launches};
use super::tape::Tape;
use super::{Seqs, cuda};
use candle_core::{DType, Device, Result, Tensor, Var};
use std::cell::RefCell;

/// Pseudo-random numbers of either sign, up to `scale`, f64.
pub(super) fn values(shape: impl Into<candle_core::Shape>, seed: u64, scale: f64) -> Tensor {
    let shape = shape.into();
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let data: Vec<f64> = (0..shape.elem_count())
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            ((state >> 33) as f64 / f64::from(1_u32 << 31) * 2.0 - 1.0) * scale
        })
        .collect();
    Tensor::from_vec(data, shape, &Device::Cpu).unwrap()
}

/// Sequences of these lengths, one after another.
pub(super) fn seqs(lengths: &[usize]) -> Seqs {
    let mut start = 0;
    lengths
        .iter()
        .map(|len| {
            start += len;
            start - len..start
        })
        .collect()
}

/// Result and gradients, as f64.
type Values = Vec<Vec<f64>>;

fn floats(x: &Tensor) -> Vec<f64> {
    x.to_device(&Device::Cpu)
        .unwrap()
        .to_dtype(DType::F64)
        .unwrap()
        .flatten_all()
        .unwrap()
        .to_vec1()
        .unwrap()
}

/// Of a fast operation, under a random linear loss.
fn fast_values(inputs: &[Tensor], fast: &dyn Fn(&Tape, &[Tensor]) -> Result<Tensor>) -> Values {
    let tape = Tape::on();
    let out = fast(&tape, inputs).unwrap();
    let weights = values(out.shape(), 99, 1.0)
        .to_dtype(out.dtype())
        .unwrap()
        .to_device(out.device())
        .unwrap();
    let grads = tape.backward([(out.clone(), weights)]).unwrap();
    std::iter::once(&out)
        .chain(inputs.iter().map(|x| grads.get(x).unwrap()))
        .map(floats)
        .collect()
}

/// Of a readable operation.
fn slow_values(inputs: &[Tensor], slow: &dyn Fn(&[Tensor]) -> Result<Tensor>) -> Values {
    let vars: Vec<Var> = inputs
        .iter()
        .map(|x| Var::from_tensor(x).unwrap())
        .collect();
    let out = slow(
        &vars
            .iter()
            .map(|v| v.as_tensor().clone())
            .collect::<Vec<_>>(),
    )
    .unwrap();
    let weights = values(out.shape(), 99, 1.0).to_dtype(out.dtype()).unwrap();
    let grads = (&out * weights)
        .unwrap()
        .sum_all()
        .unwrap()
        .backward()
        .unwrap();
    std::iter::once(&out)
        .chain(vars.iter().map(|x| grads.get(x).unwrap()))
        .map(floats)
        .collect()
}

/// Relative error in the L2 norm, of the value and of each gradient.
fn errors(got: &Values, want: &Values) -> Vec<f64> {
    let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|v| v * v).sum::<f64>().sqrt();
    let error = |(got, want): (&Vec<f64>, &Vec<f64>)| {
        assert_eq!(got.len(), want.len());
        norm(&mut got.iter().zip(want).map(|(a, b)| a - b))
            / norm(&mut want.iter().copied()).max(1e-12)
    };
    got.iter().zip(want).map(error).collect()
}

fn name(i: usize) -> String {
    if i == 0 {
        "value".into()
    } else {
        format!("gradient {i}")
    }
}

thread_local! {
    static GPU: RefCell<Option<Device>> = const { RefCell::new(None) };
}

/// Runs a test whose operations are to be held against the readable ones on the first GPU too.
#[cfg(feature = "cuda")]
pub(super) fn on_gpu(test: impl FnOnce()) {
    GPU.set(Some(cuda::open(0).unwrap()));
    test();
    GPU.set(None);
}

/// The same tests as ignored ones with every operation on a GPU too: `cargo test --features cuda --
/// --ignored gpu`.
macro_rules! gpu_tests {
    ($($name:ident),* $(,)?) => {
        #[cfg(feature = "cuda")]
        mod gpu {
            $(
                #[test]
                #[ignore = "needs an NVIDIA GPU"]
                fn $name() {
                    crate::kernels::check::on_gpu(super::$name);
                }
            )*
        }
    };
}
pub(super) use gpu_tests;

/// Whether kernels can be run here at all.
fn kernels_run() -> bool {
    cuda::EMULATES || GPU.with_borrow(Option::is_some)
}

/// What `work` makes of some tensors through the kernels, which must have run, in every way there is
/// here: emulated in both orders of warps, and on the GPU of [`on_gpu`].
pub(super) fn through_kernels<T>(
    inputs: &[Tensor],
    work: impl Fn(&[Tensor]) -> T,
) -> Vec<(&'static str, T)> {
    let counted = |inputs: &[Tensor]| {
        let before = launches();
        let out = work(inputs);
        assert!(launches() > before, "no kernel ran");
        out
    };
    let orders = [
        ("emulated", Order::Ascending),
        ("emulated, descending", Order::Descending),
    ]
    .into_iter()
    .filter(|_| cuda::EMULATES);
    let mut all: Vec<_> = orders
        .map(|(way, order)| (way, emulated(order, || counted(inputs))))
        .collect();
    if let Some(gpu) = GPU.with_borrow(Clone::clone) {
        let inputs: Vec<Tensor> = inputs.iter().map(|x| x.to_device(&gpu).unwrap()).collect();
        all.push(("on the GPU", counted(&inputs)));
    }
    all
}

/// The same of a fast operation.
fn kernel_values(
    inputs: &[Tensor],
    fast: &dyn Fn(&Tape, &[Tensor]) -> Result<Tensor>,
) -> Vec<(&'static str, Values)> {
    through_kernels(inputs, |x| fast_values(x, fast))
}

/// Asserts that value and gradients are off by less than `tolerance`.
fn close(way: &str, got: &Values, want: &Values, tolerance: f64) {
    for (i, error) in errors(got, want).into_iter().enumerate() {
        assert!(
            error < tolerance,
            "{way}, {}: relative error {error:.2e}",
            name(i)
        );
    }
}

/// Compares value and gradients of a fast operation in f32 with the readable one in f64; through
/// the kernels too, in both orders of warps.
pub(super) fn same(
    inputs: &[Tensor],
    fast: impl Fn(&Tape, &[Tensor]) -> Result<Tensor>,
    slow: impl Fn(&[Tensor]) -> Result<Tensor>,
    tolerance: f64,
) {
    let want = slow_values(inputs, &slow);
    let tensors = all_as(DType::F32, inputs);
    close(
        "on the CPU",
        &fast_values(&tensors, &fast),
        &want,
        tolerance,
    );
    for (way, got) in kernel_values(&tensors, &fast) {
        close(way, &got, &want, tolerance);
    }
}

/// The tensors in another number format.
fn all_as(dtype: DType, tensors: &[Tensor]) -> Vec<Tensor> {
    let cast = |x: &Tensor| x.to_dtype(dtype).unwrap();
    tensors.iter().map(cast).collect()
}

/// Rounded inputs as kernels on bf16 activations read them: the first `activations` as they are,
/// the others in f32.
fn mixed(rounded: &[Tensor], activations: usize) -> Vec<Tensor> {
    let (activations, others) = rounded.split_at(activations);
    [activations.to_vec(), all_as(DType::F32, others)].concat()
}

/// Kernels on bf16 activations (the first `activations` inputs; the others are f32): value and
/// gradients are off the readable operation in f64 by at most twice what the readable operation
/// itself is off when everything in it is bf16.
pub(super) fn same_bf16(
    inputs: &[Tensor],
    activations: usize,
    fast: impl Fn(&Tape, &[Tensor]) -> Result<Tensor>,
    slow: impl Fn(&[Tensor]) -> Result<Tensor>,
) {
    if !kernels_run() {
        return;
    }
    let rounded = all_as(DType::BF16, inputs);
    let exact = all_as(DType::F64, &rounded);
    let mixed = mixed(&rounded, activations);
    let want = slow_values(&exact, &slow);
    let allowed = errors(&slow_values(&rounded, &slow), &want);
    for (way, got) in kernel_values(&mixed, &fast) {
        for (i, (error, allowed)) in errors(&got, &want).into_iter().zip(&allowed).enumerate() {
            assert!(
                error <= 2.0 * allowed,
                "{way}, {}: relative error {error:.2e}, of bf16 throughout {allowed:.2e}",
                name(i)
            );
        }
    }
}

/// Compares value and gradients of the kernels in f32 with the CPU version, for sizes that the
/// readable operation cannot reach.
pub(super) fn like_the_cpu(
    inputs: &[Tensor],
    fast: impl Fn(&Tape, &[Tensor]) -> Result<Tensor>,
    tolerance: f64,
) {
    if !kernels_run() {
        return;
    }
    let tensors = all_as(DType::F32, inputs);
    let want = fast_values(&tensors, &fast);
    for (way, got) in kernel_values(&tensors, &fast) {
        close(way, &got, &want, tolerance);
    }
}

/// The same of kernels on bf16 activations (the first `activations` inputs) with the CPU version in
/// f32 on the same rounded numbers.
pub(super) fn like_the_cpu_in_bf16(
    inputs: &[Tensor],
    activations: usize,
    fast: impl Fn(&Tape, &[Tensor]) -> Result<Tensor>,
    tolerance: f64,
) {
    if !kernels_run() {
        return;
    }
    let rounded = all_as(DType::BF16, inputs);
    let exact = all_as(DType::F32, &rounded);
    let mixed = mixed(&rounded, activations);
    let want = fast_values(&exact, &fast);
    for (way, got) in kernel_values(&mixed, &fast) {
        close(way, &got, &want, tolerance);
    }
}
