//! The isotropic stack: pre-norm blocks on a float32 residual stream, and a final norm.

use super::config::{Block, Mixer, Stage};
use super::weights::{Init, TensorSource};
use crate::kernels::Seqs;
use crate::kernels::add::add_row;
use crate::kernels::attention::{AttentionDims, attention};
use crate::kernels::bf16::Weights;
use crate::kernels::bimamba::{mixer, pack, scan};
use crate::kernels::linear::{linear, linear_bf16};
use crate::kernels::norm::add_rms_norm;
use crate::kernels::precision::Arithmetic;
use crate::kernels::ssd::Dims;
use crate::kernels::swiglu::swiglu;
use crate::kernels::tape::Tape;
use crate::{Error, Result};
use candle_core::{DType, Tensor};
use std::sync::Arc;

/// Positions per chunk of the scan: changes speed only.
const CHUNK: usize = 64;

/// Standard deviation of fresh linear weights.
const INIT_SD: f64 = 0.02;

/// `x · W^T (+ b)`; `weight` is (out, in), `x` (rows, in).
pub struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
    /// The weights in bf16, where inference is to use them: packed for the CPU, or on the device.
    bf16: Option<Arc<Weights>>,
    rounded: Option<Tensor>,
}

impl Linear {
    /// A layer without bias.
    pub fn new(
        source: &mut dyn TensorSource,
        name: &str,
        from: usize,
        to: usize,
        init: Init,
    ) -> Result<Self> {
        Ok(Linear::from_weight(source.tensor(
            &format!("{name}.weight"),
            &[to, from],
            init,
        )?))
    }

    /// A layer with bias.
    pub fn with_bias(
        source: &mut dyn TensorSource,
        name: &str,
        from: usize,
        to: usize,
        init: Init,
    ) -> Result<Self> {
        let mut linear = Linear::new(source, name, from, to, init)?;
        linear.bias = Some(source.tensor(&format!("{name}.bias"), &[to], init)?);
        Ok(linear)
    }

    /// A layer on a weight that is already there.
    pub fn from_weight(weight: Tensor) -> Self {
        Linear {
            weight,
            bias: None,
            bf16: None,
            rounded: None,
        }
    }

    /// Chooses the arithmetic of inference.
    pub fn set_arithmetic(&mut self, arithmetic: Arithmetic) -> Result<()> {
        if arithmetic.on_device() {
            self.rounded = if arithmetic.rounds_weights_once() {
                Some(self.weight.to_dtype(DType::BF16)?)
            } else {
                None
            };
            return Ok(());
        }
        let (out, inner) = self.weight.dims2()?;
        self.bf16 = Weights::pack(
            &self.weight.flatten_all()?.to_vec1::<f32>()?,
            out,
            inner,
            arithmetic,
        )
        .map(Arc::new);
        Ok(())
    }

    /// (rows, in) to (rows, out).
    pub fn forward(&self, tape: &Tape, x: &Tensor) -> candle_core::Result<Tensor> {
        let y = match (&self.bf16, &self.rounded) {
            (Some(weights), _) if !tape.is_on() => linear_bf16(x, weights)?,
            (_, Some(weight)) if !tape.is_on() && x.dtype() == weight.dtype() => {
                linear(tape, x, weight)?
            }
            _ => linear(tape, x, &self.weight)?,
        };
        Ok(match &self.bias {
            Some(bias) => add_row(tape, &y, bias)?,
            None => y,
        })
    }
}

/// Two Mamba-2 cores on shared projections.
struct BiMamba {
    in_proj: Linear,
    out_proj: Linear,
    /// Parameters of the two cores in the packed order of [`crate::kernels::ssd::Core`], each as a
    /// list.
    cores: [Vec<Tensor>; 2],
    /// The lists as [`pack`] gives them, for inference on a device: there each part would be copied
    /// by a launch of its own in every pass.
    packed: Option<[Tensor; 2]>,
    dims: Dims,
}

impl BiMamba {
    fn new(source: &mut dyn TensorSource, name: &str, stage: &Stage, out_sd: f64) -> Result<Self> {
        let dims = Dims {
            d_inner: stage.d_inner,
            d_state: stage.d_state,
            d_conv: stage.d_conv,
            chunk: CHUNK,
        };
        let in_proj = Linear::new(
            source,
            &format!("{name}.fwd.in_proj"),
            stage.d_model,
            dims.in_proj(),
            Init::Normal(INIT_SD),
        )?;
        let out_proj = Linear::new(
            source,
            &format!("{name}.fwd.out_proj"),
            dims.d_inner,
            stage.d_model,
            Init::Normal(out_sd),
        )?;
        let mut core = |direction: &str| -> Result<Vec<Tensor>> {
            let (channels, heads) = (dims.conv_dim(), dims.n_heads());
            let conv = Init::Uniform(1.0 / (dims.d_conv as f64).sqrt());
            let mut get = |part: &str, shape: &[usize], init| {
                source.tensor(&format!("{name}.{direction}.{part}"), shape, init)
            };
            Ok(vec![
                get("conv1d.weight", &[channels, 1, dims.d_conv], conv)?,
                get("conv1d.bias", &[channels], conv)?,
                get("dt_bias", &[heads], Init::DtBias)?,
                get("A_log", &[heads], Init::ALog)?,
                get("D", &[heads], Init::Constant(1.0))?,
                get("norm.weight", &[dims.d_inner], Init::Constant(1.0))?,
            ])
        };
        let cores = [core("fwd")?, core("bwd")?];
        Ok(BiMamba {
            in_proj,
            out_proj,
            cores,
            packed: None,
            dims,
        })
    }

    fn pack(&self, tape: &Tape) -> candle_core::Result<[Tensor; 2]> {
        Ok([pack(tape, &self.cores[0])?, pack(tape, &self.cores[1])?])
    }

    fn set_arithmetic(&mut self, arithmetic: Arithmetic) -> Result<()> {
        self.packed = if arithmetic.keeps_weights() {
            Some(self.pack(&Tape::off())?)
        } else {
            None
        };
        self.in_proj.set_arithmetic(arithmetic)?;
        self.out_proj.set_arithmetic(arithmetic)
    }

    fn forward(&self, tape: &Tape, x: Tensor, seqs: &Seqs) -> candle_core::Result<Tensor> {
        let [fwd, bwd] = match &self.packed {
            Some(packed) if !tape.is_on() => packed.clone(),
            _ => self.pack(tape)?,
        };
        let y = if tape.is_on() {
            mixer(
                tape,
                &x,
                &self.in_proj.weight,
                [&fwd, &bwd],
                self.dims,
                seqs,
            )?
        } else {
            let projected = self.in_proj.forward(tape, &x)?;
            drop(x); // before the scan makes its own
            scan(&projected, [&fwd, &bwd], self.dims, seqs)?
        };
        self.out_proj.forward(tape, &y)
    }
}

/// Bidirectional attention with its projections.
struct Attention {
    qkv: Linear,
    out_proj: Linear,
    dims: AttentionDims,
}

/// The mixer of one layer.
enum MixerLayer {
    BiMamba(BiMamba),
    Attention(Attention),
}

/// SwiGLU MLP with its norm.
struct Mlp {
    norm: Tensor,
    fc1: Linear,
    fc2: Linear,
}

struct Layer {
    norm: Tensor,
    mixer: MixerLayer,
    mlp: Option<Mlp>,
}

/// A run of blocks and the final norm.
pub struct Stack {
    layers: Vec<Arc<Layer>>,
    norm: Tensor,
    /// Of activations inside layers.
    dtype: DType,
}

impl Layer {
    /// The residual stream and what is to be added to it, before this layer and after it.
    fn forward(
        &self,
        tape: &Tape,
        residual: Tensor,
        h: Option<Tensor>,
        seqs: &Seqs,
        dtype: DType,
    ) -> candle_core::Result<(Tensor, Tensor)> {
        let (sum, y) = add_rms_norm(tape, &residual, h.as_ref(), &self.norm, dtype)?;
        drop((residual, h)); // as long as a chromosome arm may be
        let h = match &self.mixer {
            MixerLayer::BiMamba(mixer) => mixer.forward(tape, y, seqs)?,
            MixerLayer::Attention(mixer) => {
                let y = attention(tape, &mixer.qkv.forward(tape, &y)?, mixer.dims, seqs)?;
                mixer.out_proj.forward(tape, &y)?
            }
        };
        let Some(mlp) = &self.mlp else {
            return Ok((sum, h));
        };
        let (sum, y) = {
            let before = (sum, h);
            add_rms_norm(tape, &before.0, Some(&before.1), &mlp.norm, dtype)?
        };
        let h = mlp
            .fc2
            .forward(tape, &swiglu(tape, &mlp.fc1.forward(tape, &y)?)?)?;
        Ok((sum, h))
    }
}

impl Stack {
    /// `additions` is the number of residual additions down to this stage, by which fresh output
    /// projections are scaled.
    pub fn new(
        source: &mut dyn TensorSource,
        name: &str,
        blocks: &[Block],
        stage: &Stage,
        additions: usize,
    ) -> Result<Self> {
        let d = stage.d_model;
        let out_sd = INIT_SD / (additions as f64).sqrt();
        let mut layers = Vec::new();
        for (i, block) in blocks.iter().enumerate() {
            let layer = format!("{name}.layers.{i}");
            let norm =
                source.tensor(&format!("{layer}.norm1.weight"), &[d], Init::Constant(1.0))?;
            let mixer = match block.mixer {
                Mixer::BiMamba => MixerLayer::BiMamba(BiMamba::new(
                    source,
                    &format!("{layer}.mixer"),
                    stage,
                    out_sd,
                )?),
                Mixer::Attention => MixerLayer::Attention(Attention {
                    qkv: Linear::new(
                        source,
                        &format!("{layer}.mixer.Wqkv"),
                        d,
                        3 * d,
                        Init::Normal(INIT_SD),
                    )?,
                    out_proj: Linear::new(
                        source,
                        &format!("{layer}.mixer.out_proj"),
                        d,
                        d,
                        Init::Normal(out_sd),
                    )?,
                    dims: AttentionDims {
                        n_heads: stage.n_heads,
                        rotary_dim: stage.rotary_dim,
                        window: stage.window,
                    },
                }),
            };
            let mlp = if block.mlp {
                Some(Mlp {
                    norm: source.tensor(
                        &format!("{layer}.norm2.weight"),
                        &[d],
                        Init::Constant(1.0),
                    )?,
                    fc1: Linear::new(
                        source,
                        &format!("{layer}.mlp.fc1"),
                        d,
                        2 * stage.d_intermediate,
                        Init::Normal(INIT_SD),
                    )?,
                    fc2: Linear::new(
                        source,
                        &format!("{layer}.mlp.fc2"),
                        stage.d_intermediate,
                        d,
                        Init::Normal(out_sd),
                    )?,
                })
            } else {
                None
            };
            layers.push(Arc::new(Layer { norm, mixer, mlp }));
        }
        let norm = source.tensor(&format!("{name}.rmsnorm.weight"), &[d], Init::Constant(1.0))?;
        Ok(Stack {
            layers,
            norm,
            dtype: DType::F32,
        })
    }

    /// Chooses the arithmetic of all projections in inference; on a device, that of all activations
    /// inside layers, in training too.
    ///
    /// # Errors
    /// The stack is being run.
    pub fn set_arithmetic(&mut self, arithmetic: Arithmetic) -> Result<()> {
        self.dtype = arithmetic.activations();
        for layer in &mut self.layers {
            let Some(layer) = Arc::get_mut(layer) else {
                return Err(Error::Invalid(
                    "a model's precision cannot change while it runs".into(),
                ));
            };
            match &mut layer.mixer {
                MixerLayer::BiMamba(mixer) => mixer.set_arithmetic(arithmetic)?,
                MixerLayer::Attention(mixer) => {
                    mixer.qkv.set_arithmetic(arithmetic)?;
                    mixer.out_proj.set_arithmetic(arithmetic)?;
                }
            }
            if let Some(mlp) = &mut layer.mlp {
                mlp.fc1.set_arithmetic(arithmetic)?;
                mlp.fc2.set_arithmetic(arithmetic)?;
            }
        }
        Ok(())
    }

    /// (total positions, d_model) to the same shape. Takes its input, which would otherwise outlive
    /// its use.
    pub fn forward(&self, tape: &Tape, x: Tensor, seqs: &Seqs) -> Result<Tensor> {
        let (mut residual, mut h) = (x, None);
        for layer in &self.layers {
            let (layer, seqs, dtype) = (layer.clone(), seqs.clone(), self.dtype);
            let (sum, next) = tape.segment(residual, h, move |tape, residual, h| {
                layer.forward(tape, residual, h, &seqs, dtype)
            })?;
            (residual, h) = (sum, Some(next));
        }
        Ok(add_rms_norm(tape, &residual, h.as_ref(), &self.norm, DType::F32)?.1)
    }
}
