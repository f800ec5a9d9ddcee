//! The same operations written for reading, from plain candle operations, for any float type and
//! with candle's own gradients. They say what the fast versions compute, and judge them: in f64,
//! values and gradients must agree. They are slow, and some need memory that grows with the square
//! of the length.

use super::Seqs;
use super::attention::AttentionDims;
use super::dechunk::Kept;
use super::ssd::{Dims, HEAD_DIM};
use candle_core::{D, Result, Tensor};

fn sigmoid(x: &Tensor) -> Result<Tensor> {
    (x.neg()?.exp()? + 1.0)?.recip()
}

fn silu(x: &Tensor) -> Result<Tensor> {
    x * sigmoid(x)?
}

/// See [`super::norm::add_rms_norm`], of the sum.
pub fn rms_norm(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    let scale = (x.sqr()?.mean_keepdim(D::Minus1)? + f64::from(super::EPS))?.sqrt()?;
    x.broadcast_div(&scale)?.broadcast_mul(weight)
}

/// See [`super::swiglu::swiglu`].
pub fn swiglu(x: &Tensor) -> Result<Tensor> {
    let d = x.dim(1)? / 2;
    x.narrow(1, 0, d)? * silu(&x.narrow(1, d, d)?)?
}

/// The recurrence, one position after the other; see [`super::bimamba::mixer`], after its
/// projection.
pub fn bimamba(
    zxbcdt: &Tensor,
    fwd: &Tensor,
    bwd: &Tensor,
    dims: Dims,
    seqs: &Seqs,
) -> Result<Tensor> {
    let mut out = Vec::new();
    for seq in seqs.iter() {
        let rows = zxbcdt.narrow(0, seq.start, seq.len())?;
        let order: Vec<u32> = (0..seq.len() as u32).rev().collect();
        let reversed = Tensor::new(order, zxbcdt.device())?;
        let forward = core(&rows, fwd, dims)?;
        let backward =
            core(&rows.index_select(&reversed, 0)?, bwd, dims)?.index_select(&reversed, 0)?;
        out.push(((forward + backward)? * 0.5)?);
    }
    Tensor::cat(&out, 0)
}

/// One direction over one sequence, gate and norm included.
fn core(rows: &Tensor, params: &Tensor, dims: Dims) -> Result<Tensor> {
    let (d, n, h, k, len) = (
        dims.d_inner,
        dims.d_state,
        dims.n_heads(),
        dims.d_conv,
        rows.dim(0)?,
    );
    let mut at = 0;
    let mut take = |size: usize| {
        at += size;
        params.narrow(0, at - size, size)
    };
    let (weight, bias) = (
        take(dims.conv_dim() * k)?.reshape((dims.conv_dim(), k))?,
        take(dims.conv_dim())?,
    );
    let (dt_bias, a_log, skip, norm) = (take(h)?, take(h)?, take(h)?, take(d)?);
    let z = rows.narrow(1, 0, d)?;
    let padded = rows
        .narrow(1, d, dims.conv_dim())?
        .pad_with_zeros(0, k - 1, 0)?;
    let mut conv = bias.broadcast_as((len, dims.conv_dim()))?;
    for tap in 0..k {
        conv = (conv
            + padded
                .narrow(0, tap, len)?
                .broadcast_mul(&weight.narrow(1, tap, 1)?.reshape(dims.conv_dim())?)?)?;
    }
    let conv = silu(&conv)?;
    let raw = rows.narrow(1, 2 * d + 2 * n, h)?.broadcast_add(&dt_bias)?;
    let dt = (raw.exp()? + 1.0)?.log()?;
    let decay = dt.broadcast_mul(&a_log.exp()?.neg()?)?.exp()?;
    let mut state = Tensor::zeros((h, HEAD_DIM, n), rows.dtype(), rows.device())?;
    let mut out = Vec::new();
    for t in 0..len {
        let x = conv.get(t)?.narrow(0, 0, d)?.reshape((h, HEAD_DIM))?;
        let (b, c) = (
            conv.get(t)?.narrow(0, d, n)?,
            conv.get(t)?.narrow(0, d + n, n)?,
        );
        let input = x
            .broadcast_mul(&dt.get(t)?.reshape((h, 1))?)?
            .reshape((h, HEAD_DIM, 1))?;
        state = (state.broadcast_mul(&decay.get(t)?.reshape((h, 1, 1))?)?
            + input.broadcast_mul(&b.reshape((1, 1, n))?)?)?;
        let y = state.broadcast_mul(&c.reshape((1, 1, n))?)?.sum(2)?;
        out.push((y + x.broadcast_mul(&skip.reshape((h, 1))?)?)?.reshape((1, d))?);
    }
    rms_norm(&(Tensor::cat(&out, 0)? * silu(&z)?)?, &norm)
}

/// See [`super::attention::attention`].
pub fn attention(qkv: &Tensor, dims: AttentionDims, seqs: &Seqs) -> Result<Tensor> {
    let d = qkv.dim(1)? / 3;
    let (h, hd, dtype) = (dims.n_heads, d / dims.n_heads, qkv.dtype());
    let mut out = Vec::new();
    for seq in seqs.iter() {
        let len = seq.len();
        let heads = |part: usize| -> Result<Tensor> {
            qkv.narrow(0, seq.start, len)?
                .narrow(1, part * d, d)?
                .reshape((len, h, hd))?
                .transpose(0, 1)?
                .contiguous()
        };
        let half = dims.rotary_dim / 2;
        let angles: Vec<f64> = (0..len)
            .flat_map(|t| {
                (0..half).map(move |i| {
                    t as f64 * 10_000_f64.powf(-2.0 * i as f64 / dims.rotary_dim as f64)
                })
            })
            .collect();
        let angles = Tensor::from_vec(angles, (1, len, half), qkv.device())?;
        let (cos, sin) = (
            angles.cos()?.to_dtype(dtype)?,
            angles.sin()?.to_dtype(dtype)?,
        );
        let turn = |x: Tensor| -> Result<Tensor> {
            let (a, b, rest) = (
                x.narrow(2, 0, half)?,
                x.narrow(2, half, half)?,
                x.narrow(2, 2 * half, hd - 2 * half)?,
            );
            let first = (a.broadcast_mul(&cos)? - b.broadcast_mul(&sin)?)?;
            let second = (b.broadcast_mul(&cos)? + a.broadcast_mul(&sin)?)?;
            Tensor::cat(&[first, second, rest], 2)
        };
        let (q, k, v) = (turn(heads(0)?)?, turn(heads(1)?)?, heads(2)?);
        let window = dims.window.unwrap_or(len);
        let hidden: Vec<f64> = (0..len * len)
            .map(|i| {
                if (i / len).abs_diff(i % len) <= window {
                    0.0
                } else {
                    -1e300
                }
            })
            .collect();
        let hidden = Tensor::from_vec(hidden, (1, len, len), qkv.device())?.to_dtype(dtype)?;
        let scores = (q.matmul(&k.t()?)? / (hd as f64).sqrt())?.broadcast_add(&hidden)?;
        let weights = scores
            .broadcast_sub(&scores.max_keepdim(2)?.detach())?
            .exp()?;
        let weights = weights.broadcast_div(&weights.sum_keepdim(2)?)?;
        out.push(weights.matmul(&v)?.transpose(0, 1)?.reshape((len, d))?);
    }
    Tensor::cat(&out, 0)
}

/// See [`super::routing::boundary_prob`].
pub fn boundary_prob(q: &Tensor, k: &Tensor, seqs: &Seqs) -> Result<Tensor> {
    let unit = |x: &Tensor| x.broadcast_div(&x.sqr()?.sum_keepdim(1)?.sqrt()?.maximum(1e-12)?);
    let (q, k) = (unit(q)?, unit(k)?);
    let mut out = Vec::new();
    for seq in seqs.iter() {
        out.push(Tensor::ones(1, q.dtype(), q.device())?);
        let n = seq.len() - 1;
        let (before, here) = (seq.start, seq.start + 1);
        let s = (q.narrow(0, before, n)? * k.narrow(0, here, n)?)?.sum(1)?;
        let s = ((s + (q.narrow(0, here, n)? * k.narrow(0, before, n)?)?.sum(1)?)? * 0.5)?;
        out.push(((1.0 - s)? * 0.5)?.clamp(0.0, 1.0)?);
    }
    Tensor::cat(&out, 0)
}

/// See [`super::dechunk::dechunk`].
pub fn dechunk(x: &Tensor, prob: &Tensor, kept: &Kept) -> Result<Tensor> {
    let mut out = Vec::new();
    for (seq, chunks) in kept.seqs.iter().zip(kept.chunks.iter()) {
        let starts = &kept.index[chunks.clone()];
        let run = |order: &mut dyn Iterator<Item = usize>| -> Result<Vec<Tensor>> {
            let mut last = x.get(0)?.zeros_like()?;
            let mut values = Vec::new();
            for j in order {
                let p = prob.get(starts[j])?.clamp(1e-4, 1.0 - 1e-4)?;
                last = (x.get(chunks.start + j)?.broadcast_mul(&p)?
                    + last.broadcast_mul(&(1.0 - p)?)?)?;
                values.push(last.clone());
            }
            Ok(values)
        };
        let forward = run(&mut (0..starts.len()))?;
        let mut backward = run(&mut (0..starts.len()).rev())?;
        backward.reverse();
        let mut chunk = 0;
        for t in seq.clone() {
            let boundary = starts.contains(&t);
            if boundary && t > starts[0] {
                chunk += 1;
            }
            let p = prob.get(t)?;
            let decision = if boundary { p } else { (1.0 - p)? };
            // 1 in the forward pass, identity in the backward pass.
            let ste = ((&decision - decision.detach())? + 1.0)?;
            let z = ((&forward[chunk] + &backward[chunk])? * 0.5)?;
            out.push(z.broadcast_mul(&ste)?.unsqueeze(0)?);
        }
    }
    Tensor::cat(&out, 0)
}

/// See [`super::loss::cross_entropy`].
pub fn cross_entropy(logits: &Tensor, targets: &[(usize, u8)]) -> Result<Tensor> {
    let mut sum = Tensor::zeros((), logits.dtype(), logits.device())?;
    for &(row, class) in targets {
        let x = logits.get(row)?;
        sum = (sum + (x.exp()?.sum_all()?.log()? - x.get(usize::from(class))?)?)?;
    }
    sum / targets.len() as f64
}

#[cfg(test)]
mod tests {
    use super::super::adamw::{AdamWStep, Moments, Update, squared_norm};
    use super::super::add::{add, add_row};
    use super::super::cast::cast;
    use super::super::check::{gpu_tests, same, same_bf16, seqs, through_kernels, values};
    use super::super::columns::{extend_columns, first_columns};
    use super::super::cuda;
    use super::super::gather::Index;
    use super::super::linear::linear;
    use super::super::tape::Tape;
    use super::super::{
        attention as fast_attention, bimamba as fast_bimamba, dechunk as fast_dechunk, gather,
        loss, norm, routing, swiglu as fast_swiglu,
    };
    use super::*;
    use candle_core::{DType, Device};
    use std::sync::Arc;

    gpu_tests!(
        norm_and_swiglu,
        mixer_at_any_chunk_length,
        mixer_of_odd_sizes_and_many_heads,
        attention_windowed_and_global,
        router,
        chosen_rows,
        base_rows,
        rows_above_a_threshold,
        products_and_channels,
        dechunked,
        adamw_and_norms,
        cross_entropy_of_chosen_rows,
    );

    #[test]
    fn overlapping_sequences_are_refused() {
        let overlapping: Seqs = Arc::from(vec![0..6, 4..9]);
        let dims = Dims {
            d_inner: 64,
            d_state: 16,
            d_conv: 4,
            chunk: 16,
        };
        let x = values((9, 8), 1, 1.0).to_dtype(DType::F32).unwrap();
        let params = values(dims.n_params(), 2, 1.0)
            .to_dtype(DType::F32)
            .unwrap();
        let in_proj = values((dims.in_proj(), 8), 7, 1.0)
            .to_dtype(DType::F32)
            .unwrap();
        assert!(
            fast_bimamba::mixer(
                &Tape::off(),
                &x,
                &in_proj,
                [&params, &params],
                dims,
                &overlapping
            )
            .is_err()
        );
        let qkv = values((9, 48), 3, 1.0).to_dtype(DType::F32).unwrap();
        assert!(
            fast_attention::attention(
                &Tape::off(),
                &qkv,
                AttentionDims {
                    n_heads: 1,
                    rotary_dim: 8,
                    window: None
                },
                &overlapping
            )
            .is_err()
        );
    }

    #[test]
    fn norm_and_swiglu() {
        let inputs = [
            values((130, 48), 14, 2.0),
            values((130, 48), 1, 2.0),
            values(48, 2, 1.0),
        ];
        // Both results: the sum and its norm.
        let fast = |dtype| {
            move |t: &Tape, x: &[Tensor]| {
                let (sum, y) = norm::add_rms_norm(t, &x[1], Some(&x[0]), &x[2], dtype)?;
                add(t, &sum, &cast(t, &y, DType::F32)?)
            }
        };
        let slow = |x: &[Tensor]| {
            let sum = (&x[0] + &x[1])?;
            &sum + rms_norm(&sum, &x[2])?
        };
        same(&inputs, fast(DType::F32), slow, 1e-6);
        same_bf16(&inputs, 1, fast(DType::BF16), slow);
        same(
            &inputs[1..],
            |t, x| Ok(norm::add_rms_norm(t, &x[0], None, &x[1], DType::F32)?.1),
            |x| rms_norm(&x[0], &x[1]),
            1e-6,
        );
        same(
            &[values((130, 96), 3, 4.0)],
            |t, x| fast_swiglu::swiglu(t, &x[0]),
            |x| swiglu(&x[0]),
            1e-6,
        );
        same_bf16(
            &[values((13, 22), 3, 4.0)],
            1,
            |t, x| fast_swiglu::swiglu(t, &x[0]),
            |x| swiglu(&x[0]),
        );
    }

    fn mixer(d_inner: usize, d_state: usize, d_conv: usize, chunk: usize, lengths: &[usize]) {
        let dims = Dims {
            d_inner,
            d_state,
            d_conv,
            chunk,
        };
        let seqs = seqs(lengths);
        let total = lengths.iter().sum::<usize>();
        let in_proj = values((dims.in_proj(), 24), 14, 0.3);
        let inputs = [
            values((total, 24), 4, 1.5),
            in_proj,
            values(dims.n_params(), 5, 1.0),
            values(dims.n_params(), 6, 1.0),
        ];
        same(
            &inputs,
            |t, x| fast_bimamba::mixer(t, &x[0], &x[1], [&x[2], &x[3]], dims, &seqs),
            |x| bimamba(&x[0].matmul(&x[1].t()?)?, &x[2], &x[3], dims, &seqs),
            2e-5,
        );
    }

    #[test]
    fn mixer_at_any_chunk_length() {
        for chunk in [16, 32, 64] {
            mixer(128, 16, 4, chunk, &[75, 1, 64]);
        }
        mixer(64, 16, 4, 64, &[63, 65, 128]);
    }

    #[test]
    fn mixer_of_odd_sizes_and_many_heads() {
        mixer(64, 20, 3, 16, &[37]);
        mixer(384, 24, 2, 32, &[41, 3]);
    }

    #[test]
    fn attention_windowed_and_global() {
        let lengths = seqs(&[150, 1, 64]);
        for (window, d, n_heads, rotary_dim) in [
            (Some(7), 32, 2, 16),
            (None, 40, 2, 8),
            (Some(70), 48, 3, 10),
            (Some(0), 16, 1, 0),
        ] {
            let dims = AttentionDims {
                n_heads,
                rotary_dim,
                window,
            };
            same(
                &[values((215, 3 * d), 7, 2.0)],
                |t, x| fast_attention::attention(t, &x[0], dims, &lengths),
                |x| attention(&x[0], dims, &lengths),
                2e-5,
            );
        }
    }

    #[test]
    fn router() {
        let lengths = seqs(&[33, 2, 70]);
        let inputs = [values((105, 24), 8, 1.0), values((105, 24), 9, 1.0)];
        same(
            &inputs,
            |t, x| routing::boundary_prob(t, &x[0], &x[1], &lengths),
            |x| boundary_prob(&x[0], &x[1], &lengths),
            1e-5,
        );
    }

    #[test]
    fn chosen_rows() {
        // Ascending rows of a long tensor, and rows of a small table, some more than once, some
        // never.
        for (rows, chosen) in [
            (75, vec![0, 3, 4, 8, 9, 12, 14, 74]),
            (75, vec![]),
            (7, vec![3, 0, 3, 3, 6, 1, 0]),
        ] {
            let index: Index = chosen.clone().into();
            let numbers = Tensor::from_vec(
                chosen.iter().map(|&i| i as u32).collect::<Vec<_>>(),
                chosen.len(),
                &Device::Cpu,
            )
            .unwrap();
            same(
                &[values((rows, 20), 12, 1.0)],
                |t, x| gather::gather_rows(t, &x[0], &index),
                |x| x[0].index_select(&numbers, 0),
                1e-6,
            );
        }
    }

    #[test]
    fn base_rows() {
        let bases: Vec<usize> = (0..2500).map(|i| i * i % 5).collect();
        let numbers = Tensor::from_vec(
            bases.iter().map(|&i| i as u32).collect::<Vec<_>>(),
            bases.len(),
            &Device::Cpu,
        )
        .unwrap();
        let index: Index = bases.into();
        same(
            &[values((7, 70), 12, 1.0)],
            |t, x| gather::gather_rows(t, &x[0], &index),
            |x| x[0].index_select(&numbers, 0),
            1e-5,
        );
    }

    #[test]
    fn rows_above_a_threshold() {
        for n in [1, 4, 1023, 1024, 1025, 5000] {
            let prob = values(n, n as u64, 0.5)
                .to_dtype(DType::F32)
                .unwrap()
                .affine(1.0, 0.5)
                .unwrap();
            let prob_values = prob.to_vec1::<f32>().unwrap();
            for threshold in [0.5, -1.0, 2.0] {
                let want: Vec<usize> = (0..n).filter(|&t| prob_values[t] > threshold).collect();
                assert_eq!(gather::above(&prob, threshold).unwrap()[..], want);
                let found = |x: &[Tensor]| {
                    let index = gather::above(&x[0], threshold).unwrap();
                    let numbers = index.on(&x[0]).unwrap().to_vec1::<u32>().unwrap();
                    (index, numbers)
                };
                for (way, (index, numbers)) in through_kernels(std::slice::from_ref(&prob), found) {
                    assert_eq!(index[..], want, "{way}");
                    let numbers = numbers.iter().map(|&row| row as usize);
                    assert!(want.is_empty() || numbers.eq(want.iter().copied()), "{way}");
                }
            }
        }
    }

    #[test]
    fn products_and_channels() {
        let inputs = [
            values((65, 24), 1, 1.0),
            values((40, 24), 2, 0.5),
            values(40, 3, 1.0),
            values(8, 4, 1.0),
        ];
        let fast = |t: &Tape, x: &[Tensor]| {
            let y = add_row(t, &linear(t, &x[0], &x[1])?, &x[2])?;
            first_columns(t, &extend_columns(t, &y, &x[3])?, 45)
        };
        let slow = |x: &[Tensor]| {
            let y = x[0].matmul(&x[1].t()?)?.broadcast_add(&x[2])?;
            Tensor::cat(
                &[
                    y,
                    x[3].reshape((1, 8))?.broadcast_as((65, 8))?.contiguous()?,
                ],
                1,
            )?
            .narrow(1, 0, 45)
        };
        same(&inputs, fast, slow, 1e-6);
        same_bf16(
            &inputs[..2],
            1,
            |t, x| fast_swiglu::swiglu(t, &linear(t, &x[0], &x[1])?),
            |x| swiglu(&x[0].matmul(&x[1].t()?)?),
        );
    }

    #[test]
    fn dechunked() {
        let bases = seqs(&[9, 5, 1]);
        let index: Index = vec![0, 3, 4, 8, 9, 12, 14].into();
        let kept = Kept {
            seqs: bases,
            chunks: seqs(&[4, 2, 1]),
            index,
        };
        let prob = ((values(15, 10, 0.5) + 0.5).unwrap() * 0.999).unwrap();
        let inputs = [values((7, 20), 11, 1.0), prob];
        same(
            &inputs,
            |t, x| fast_dechunk::dechunk(t, &x[0], &x[1], &kept),
            |x| dechunk(&x[0], &x[1], &kept),
            1e-5,
        );
    }

    #[test]
    fn adamw_and_norms() {
        let sizes = [1, 70, 4096, 9000];
        // Where the one input is.
        let run = |like: &[Tensor]| {
            let before = cuda::launches();
            let tensor = |n: usize, seed| {
                let values = values(n, seed, 1.0).to_dtype(DType::F32).unwrap();
                values.to_device(like[0].device()).unwrap()
            };
            let params: Vec<Tensor> = sizes.iter().map(|&n| tensor(n, 1)).collect();
            let mut moments: Vec<Moments> =
                params.iter().map(|p| Moments::new(p).unwrap()).collect();
            let mut norms = Vec::new();
            for step in 1..4 {
                let grads: Vec<Tensor> = sizes.iter().map(|&n| tensor(n, 10 + step)).collect();
                norms.push(squared_norm(&grads.iter().collect::<Vec<_>>()).unwrap());
                let updates = params.iter().zip(&grads).zip(&mut moments).enumerate();
                let updates = updates.map(|(i, ((parameter, grad), moments))| Update {
                    parameter,
                    grad,
                    moments,
                    keep: 1.0 - 0.01 * i as f32,
                    rate: 0.1 / (1.0 + i as f32),
                });
                let step = AdamWStep {
                    betas: [0.9, 0.95],
                    eps: 1e-8,
                    grad_scale: 0.5,
                    root: 0.3,
                };
                step.apply(updates.collect()).unwrap();
            }
            let state = moments.iter().flat_map(|m| m.tensors().unwrap());
            (
                params
                    .iter()
                    .cloned()
                    .chain(state)
                    .map(|x| x.to_vec1::<f32>().unwrap())
                    .collect::<Vec<_>>(),
                norms,
                cuda::launches() - before,
            )
        };
        let like = [Tensor::zeros(1, DType::F32, &Device::Cpu).unwrap()];
        let want = run(&like);
        for (way, got) in through_kernels(&like, run) {
            assert_eq!(got.2, 6);
            for (got, want) in got.0.iter().zip(&want.0) {
                assert!(
                    got.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-6),
                    "{way}: {got:?} {want:?}"
                );
            }
            assert!(
                got.1
                    .iter()
                    .zip(&want.1)
                    .all(|(a, b)| (a - b).abs() < 1e-5 * b)
            );
        }
    }

    #[test]
    fn cross_entropy_of_chosen_rows() {
        let targets: Arc<[(usize, u8)]> = vec![(0, 3), (4, 1), (5, 6)].into();
        same(
            &[values((6, 7), 13, 3.0)],
            |t, x| loss::cross_entropy(t, &x[0], &targets),
            |x| cross_entropy(&x[0], &targets),
            1e-6,
        );
    }
}
