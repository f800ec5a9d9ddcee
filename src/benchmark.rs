//! How fast the model runs, as a ratio that does not depend on the machine.
//!
//! Efficiency `E = useful FLOPs per base * bases per second / FLOP/s of a matrix product` of the
//! kind the model itself is made of, in turn with the runs: on a CPU a 2048-cubed one in f32
//! ([`crate::kernels::gemm`]) on the same threads, on a GPU an 8192-cubed one of cuBLAS in the
//! precision of the run. Useful FLOPs: [`crate::model::flops`]; training counts three forward
//! passes, recomputed layers once.

use crate::error::{Error, Result};
use crate::kernels::cuda::{self, Facts};
use crate::kernels::gemm::{Matrix, product};
use crate::kernels::profile::{self, Pass, Profile};
use crate::memory;
use crate::model::checkpoint::on;
use crate::model::flops::{forward_flops_per_base, scan_flops_per_base};
use crate::model::weights::Loaded;
use crate::model::{Config, LdarNet, Precision};
use crate::stats::quantile_sorted;
use crate::stats::rng::Rng;
use crate::train::objective::Objective;
use crate::train::optimizer::{AdamW, Gradients, Optimizer, lr_multipliers, trainable};
use candle_core::{DType, Device, Tensor};
use std::collections::BTreeMap;
use std::time::Instant;

/// Side of the matrix product that stands for a CPU.
const CUBE: usize = 2048;

/// Side of the one that stands for a GPU.
const DEVICE_CUBE: usize = 8192;

/// The work that is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A forward pass through the whole network.
    Forward,
    /// Forward, loss, backward and a step of AdamW.
    Train,
}

/// One benchmark.
pub struct Benchmark {
    /// The model's configuration.
    pub config: Config,
    /// Its weights.
    pub tensors: BTreeMap<String, Tensor>,
    /// Choose the routing threshold so that one base in four is kept, for weights that were not
    /// trained.
    pub compress_fourfold: bool,
    /// Forward or training.
    pub mode: Mode,
    /// Precision, see [`LdarNet::set_precision`].
    pub precision: Precision,
    /// In training, run every layer again on the way back instead of keeping what is inside it.
    pub recompute: bool,
    /// Where.
    pub device: Device,
    /// Bases per sequence.
    pub length: usize,
    /// Sequences per batch.
    pub batch: usize,
    /// Timed runs, after one that is not counted.
    pub runs: usize,
    /// Count the time of every operation.
    pub profile: bool,
}

/// What was measured.
pub struct Measured {
    /// Seconds of each run.
    pub seconds: Vec<f64>,
    /// Bases in one run.
    pub bases: usize,
    /// FLOP/s of the matrix product, median over as many runs.
    pub matmul_flops_per_second: f64,
    /// On a CPU the same of candle's own product, for comparison. Its threads follow
    /// `RAYON_NUM_THREADS` and the number of cores.
    pub candle_flops_per_second: Option<f64>,
    /// What a GPU says of itself.
    pub gpu: Option<Facts>,
    /// Whether bf16 was asked for.
    pub bf16: bool,
    /// Useful operations per base of one run, at the compression that was reached.
    pub flops_per_base: f64,
    /// Bases per boundary, outermost stage.
    pub compression: f64,
    /// Most memory that was held up to the end of the first run, beyond the weights (once), in
    /// bytes: on a CPU by the process, where the system tells (Linux), on a GPU there.
    pub peak_bytes: Option<u64>,
    /// Time of every fused operation over all runs, where asked; the mean of those that ran beside
    /// each other.
    pub profile: Profile,
    /// Useful operations per base of the scans of one forward pass; none where they run twice.
    pub scan_flops_per_base: Option<f64>,
}

impl Measured {
    /// The `p`-quantile over runs of the bases read per second.
    pub fn bases_per_second(&self, p: f64) -> f64 {
        let mut rates: Vec<f64> = self.seconds.iter().map(|s| self.bases as f64 / s).collect();
        rates.sort_by(f64::total_cmp);
        quantile_sorted(&rates, p)
    }

    /// E at the median speed.
    pub fn efficiency(&self) -> f64 {
        self.flops_per_second() / self.matmul_flops_per_second
    }

    /// E of the scans in a pass alone, the mean over runs: the backward pass counts twice.
    pub fn scan_efficiency(&self, pass: Pass) -> Option<f64> {
        let spent = self.profile.get(&("bimamba", pass))?;
        let runs = match pass {
            Pass::Forward => self.seconds.len(),
            Pass::Backward => 2 * self.seconds.len(),
        };
        let flops = self.scan_flops_per_base? * (self.bases * runs) as f64;
        Some(flops / spent.time.as_secs_f64() / self.matmul_flops_per_second)
    }

    /// Useful FLOP/s at the median speed.
    pub fn flops_per_second(&self) -> f64 {
        self.flops_per_base * self.bases_per_second(0.5)
    }
}

impl Benchmark {
    /// Runs it.
    ///
    /// # Errors
    /// The weights do not fit the configuration, or there is nothing to run.
    pub fn run(self) -> Result<Measured> {
        if self.length == 0 || self.batch == 0 || self.runs == 0 {
            return Err(Error::Usage(
                "a benchmark needs at least one base, one sequence and one run".into(),
            ));
        }
        let (runs, bases, profiled) = (self.runs, self.length * self.batch, self.profile);
        let weights = self
            .tensors
            .values()
            .map(|t| 4 * t.elem_count() as u64)
            .sum();
        let device = self.device.clone();
        memory::reset_peak();
        cuda::reset_peak(&device);
        let mut rng = Rng::new(1).derive("bases");
        let sequences: Vec<Vec<u8>> = (0..self.batch)
            .map(|_| (0..self.length).map(|_| rng.below(4) as u8).collect())
            .collect();
        let (mut work, factor): (Box<dyn FnMut() -> Result<f64> + '_>, f64) = match self.mode {
            Mode::Forward => (forward(&self, &sequences)?, 1.0),
            Mode::Train => (train(&self, &sequences)?, 3.0),
        };
        let mut compression = work()?;
        let peak_bytes = if device.is_cpu() {
            memory::peak_bytes()
        } else {
            cuda::peak_bytes(&device)
        };
        let peak_bytes = peak_bytes.map(|peak| peak.saturating_sub(weights));
        let cube = Cube::new(&device, self.precision)?;
        cube.seconds()?;
        let (mut seconds, mut products, mut candle) = (Vec::new(), Vec::new(), Vec::new());
        if profiled {
            profile::start();
        }
        for _ in 0..runs {
            let start = Instant::now();
            compression = work()?;
            seconds.push(start.elapsed().as_secs_f64());
            products.push(cube.seconds()?);
            candle.extend(cube.candle_seconds()?);
        }
        let mut profile = profile::stop();
        if self.mode == Mode::Forward && device.is_cpu() {
            let beside = rayon::current_num_threads().min(self.batch) as u32;
            for spent in profile.values_mut() {
                spent.time /= beside;
                spent.calls /= beside;
            }
        }
        let rate = |mut seconds: Vec<f64>| {
            seconds.sort_by(f64::total_cmp);
            2.0 * cube.side().powi(3) / quantile_sorted(&seconds, 0.5)
        };
        Ok(Measured {
            seconds,
            bases,
            matmul_flops_per_second: rate(products),
            candle_flops_per_second: (!candle.is_empty()).then(|| rate(candle)),
            gpu: cuda::facts(&device),
            bf16: self.precision == Precision::Bf16,
            flops_per_base: factor * forward_flops_per_base(&self.config, self.length, compression),
            compression,
            peak_bytes,
            profile,
            scan_flops_per_base: (!self.recompute)
                .then(|| scan_flops_per_base(&self.config, compression)),
        })
    }

    /// The model on these tensors, with the routing threshold that was asked for.
    fn model(&self, tensors: BTreeMap<String, Tensor>, sequences: &[Vec<u8>]) -> Result<LdarNet> {
        let mut model = LdarNet::new(&self.config, &mut Loaded::new(on(&tensors, &self.device)?))?;
        match self.mode {
            Mode::Forward => model.set_precision(self.precision)?,
            Mode::Train => model.set_training_precision(self.precision)?,
        };
        if self.compress_fourfold && self.config.layout.stages() > 1 {
            let routed = model.route(&sequences[..1], 0)?;
            let mut probs: Vec<f64> = routed[0]
                .prob
                .to_vec1::<f32>()?
                .into_iter()
                .map(f64::from)
                .collect();
            probs.sort_by(f64::total_cmp);
            // The first position has probability 1 and is always kept.
            model.set_threshold((quantile_sorted(&probs, 0.75) as f32).min(0.999_999));
        }
        Ok(model)
    }
}

/// One forward pass; gives the compression.
fn forward<'a>(
    benchmark: &'a Benchmark,
    sequences: &'a [Vec<u8>],
) -> Result<Box<dyn FnMut() -> Result<f64> + 'a>> {
    let model = benchmark.model(benchmark.tensors.clone(), sequences)?;
    Ok(Box::new(move || {
        let output = model.forward(sequences)?;
        benchmark.device.synchronize()?;
        let Some(stage) = output.stages.first() else {
            return Ok(1.0);
        };
        Ok(stage.mask.len() as f64 / stage.mask.iter().filter(|kept| **kept).count() as f64)
    }))
}

/// One training step at a rate that leaves the weights about where they are; gives the compression.
fn train<'a>(
    benchmark: &'a Benchmark,
    sequences: &'a [Vec<u8>],
) -> Result<Box<dyn FnMut() -> Result<f64> + 'a>> {
    let tensors = trainable(&benchmark.tensors, &benchmark.device)?;
    let model = benchmark.model(tensors.clone(), sequences)?;
    let objective = Objective {
        alpha: 0.03,
        compression: vec![4.0],
        recompute: benchmark.recompute,
    };
    let settings = AdamW {
        betas: (0.9, 0.95),
        eps: 1e-8,
        weight_decay: 0.01,
        max_grad_norm: 1.0,
        lr_multiplier: lr_multipliers(&benchmark.config, &objective.compression),
    };
    let mut optimizer = Optimizer::new(settings, &tensors, benchmark.config.layout.stages())?;
    let length = benchmark.length;
    // Every base is scored, as the peer's benchmark does.
    let targets: std::sync::Arc<[(usize, u8)]> = (0..length * benchmark.batch)
        .map(|i| (i, sequences[i / length][i % length]))
        .collect();
    Ok(Box::new(move || {
        let loss = objective.loss(&model, sequences, &targets)?;
        let (compression, mut sums) = (loss.compression, Gradients::default());
        optimizer.accumulate(&loss.backward()?, &mut sums)?;
        optimizer.step(&sums, 1, 1e-6)?;
        benchmark.device.synchronize()?;
        Ok(compression)
    }))
}

/// The matrix product that stands for the machine.
enum Cube {
    Host(Vec<f32>, Vec<f32>),
    Device(Tensor, Tensor),
}

impl Cube {
    fn new(device: &Device, precision: Precision) -> Result<Cube> {
        if !device.is_cpu() {
            let dtype = if precision == Precision::Bf16 {
                DType::BF16
            } else {
                DType::F32
            };
            let side = || {
                Ok::<_, Error>(
                    Tensor::randn(0.0_f32, 1.0, (DEVICE_CUBE, DEVICE_CUBE), device)?
                        .to_dtype(dtype)?,
                )
            };
            return Ok(Cube::Device(side()?, side()?));
        }
        let mut rng = Rng::new(1).derive("cube");
        let mut side = || {
            (0..CUBE * CUBE)
                .map(|_| rng.uniform() as f32 - 0.5)
                .collect()
        };
        Ok(Cube::Host(side(), side()))
    }

    fn side(&self) -> f64 {
        match self {
            Cube::Host(..) => CUBE as f64,
            Cube::Device(..) => DEVICE_CUBE as f64,
        }
    }

    /// Of the product that the model uses.
    fn seconds(&self) -> Result<f64> {
        let start = Instant::now();
        match self {
            Cube::Host(a, b) => drop(std::hint::black_box(product(
                CUBE,
                CUBE,
                CUBE,
                Matrix::rows(a, CUBE),
                Matrix::rows(b, CUBE),
            ))),
            Cube::Device(a, b) => {
                a.matmul(b)?;
                a.device().synchronize()?;
            }
        }
        Ok(start.elapsed().as_secs_f64())
    }

    /// Of candle's, on a CPU.
    fn candle_seconds(&self) -> Result<Option<f64>> {
        let Cube::Host(a, b) = self else {
            return Ok(None);
        };
        let side = |x: &[f32]| Tensor::from_slice(x, (CUBE, CUBE), &Device::Cpu);
        let (a, b) = (side(a)?, side(b)?);
        let start = Instant::now();
        a.matmul(&b)?;
        Ok(Some(start.elapsed().as_secs_f64()))
    }
}
