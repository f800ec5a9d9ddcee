//! The emulation itself: it must find what it is there to find.

use super::launch::{Arg, Buffer, Grid, launch};
use super::*;
use crate::kernels::profile::Pass;
use candle_core::DType;

fn numbers() -> Tensor {
    Tensor::arange(0.0_f32, 64.0, &Device::Cpu).unwrap()
}

/// Numbers that [`numbers`] reversed by the planted kernel should be and are not, in either order
/// of warps.
fn wrong(wait: bool) -> usize {
    let wrong = |order| {
        let (x, mut out) = (numbers(), Buffer::new(&numbers(), DType::F32, 64).unwrap());
        let args = &mut [Arg::In(&x), Arg::Out(&mut out), Arg::Int(usize::from(wait))];
        emulated(order, || {
            launch(
                "planted_race",
                None,
                Pass::Forward,
                Grid::line(1, 64, 256),
                args,
            )
        })
        .unwrap();
        let out = out.tensor().unwrap().to_vec1::<f32>().unwrap();
        out.iter()
            .enumerate()
            .filter(|&(i, &x)| x != 63.0 - i as f32)
            .count()
    };
    wrong(Order::Ascending) + wrong(Order::Descending)
}

#[test]
fn a_missing_barrier_is_found() {
    assert_eq!(wrong(true), 0);
    assert!(wrong(false) >= 64);
}

#[test]
fn a_write_behind_a_buffer_is_found() {
    for (written, fits) in [(64, true), (65, false)] {
        let mut out = Buffer::new(&numbers(), DType::F32, 64).unwrap();
        let args = &mut [Arg::Out(&mut out), Arg::Int(written)];
        emulated(Order::Ascending, || {
            launch(
                "planted_overrun",
                None,
                Pass::Forward,
                Grid::line(1, 32, 0),
                args,
            )
        })
        .unwrap();
        assert_eq!(out.tensor().is_ok(), fits);
    }
}

#[test]
fn unknown_kernels_and_formats_are_refused() {
    let x = numbers().to_dtype(DType::F64).unwrap();
    let start = |name, typed| {
        launch(
            name,
            typed,
            Pass::Forward,
            Grid::line(1, 32, 0),
            &mut [Arg::In(&x)],
        )
        .unwrap_err()
        .to_string()
    };
    assert!(start("no_such", None).contains("no_such"));
    assert!(start("swiglu", Some(DType::F64)).contains("F64"));
    assert!(Buffer::new(&x, DType::I64, 4).is_err());
}
