//! The model: embedding, encoder, router, inner network on the kept vectors, dechunking, decoder,
//! LM head.

use super::config::{Block, Config, Layout};
use super::routing::{Routing, content};
use super::stack::{Linear, Stack};
use super::weights::{Init, TensorSource};
use crate::kernels::Seqs;
use crate::kernels::add::add;
use crate::kernels::columns::{extend_columns, first_columns};
use crate::kernels::cuda;
use crate::kernels::dechunk::{Kept, dechunk};
use crate::kernels::gather::{Index, above, gather_rows};
use crate::kernels::loss::nats;
use crate::kernels::precision::{Arithmetic, Precision};
use crate::kernels::routing::boundary_prob;
use crate::kernels::tape::Tape;
use crate::{Error, Result};
use candle_core::{Device, Tensor};
use rayon::prelude::*;
use std::ops::Range;

/// A boundary is where the probability is above this, in training and analysis.
pub const THRESHOLD: f32 = 0.5;

/// A model ready to run.
pub struct LdarNet {
    config: Config,
    /// A boundary is where the probability is above this.
    threshold: f32,
    arithmetic: Arithmetic,
    embeddings: Tensor,
    backbone: Level,
    lm_head: Linear,
}

/// One level of the hierarchy.
struct Level {
    d_model: usize,
    /// Fills the channels that this level has more than the one outside.
    pad_dimension: Option<Tensor>,
    network: Network,
}

enum Network {
    Stack(Stack),
    Stage(Box<StageNetwork>),
}

struct StageNetwork {
    encoder: Stack,
    query: Linear,
    key: Linear,
    residual: Linear,
    inner: Level,
    decoder: Stack,
}

/// What one router, or the rule that stands in for it ([`Routing`]), decided over a packed batch.
pub struct Routed {
    /// Boundary probabilities, (positions of this stage).
    pub prob: Tensor,
    /// Which positions are boundaries.
    pub mask: Vec<bool>,
    /// Rows of each sequence.
    pub seqs: Seqs,
}

impl Routed {
    /// The decisions over a batch from those over its parts, each a list by stage.
    fn of_parts(mut parts: Vec<Vec<Routed>>) -> Result<Vec<Routed>> {
        if parts.len() == 1 {
            return Ok(parts.remove(0));
        }
        let n_stages = parts.iter().map(Vec::len).min().unwrap_or(0);
        let stage = |stage: usize| {
            let probs: Vec<&Tensor> = parts.iter().map(|part| &part[stage].prob).collect();
            let (mut mask, mut seqs) = (Vec::new(), Vec::new());
            for Routed {
                mask: of_part,
                seqs: rows,
                ..
            } in parts.iter().map(|part| &part[stage])
            {
                let shift = |rows: &Range<usize>| rows.start + mask.len()..rows.end + mask.len();
                seqs.extend(rows.iter().map(shift));
                mask.extend_from_slice(of_part);
            }
            Ok(Routed {
                prob: Tensor::cat(&probs, 0)?,
                mask,
                seqs: seqs.into(),
            })
        };
        (0..n_stages).map(stage).collect()
    }
}

/// What a forward pass gives, over a packed batch.
pub struct Output {
    /// (total bases, 7).
    pub logits: Tensor,
    /// Input of the LM head, (total bases, d_model).
    pub hidden: Tensor,
    /// One entry per router, outermost first.
    pub stages: Vec<Routed>,
}

impl Output {
    /// Logarithms of the probabilities of A, C, G and T at rows of the packed batch, given that the
    /// base is one of these.
    ///
    /// # Errors
    /// The logits cannot be copied from their device.
    pub fn base_log_probs(&self, rows: &[usize]) -> Result<Vec<[f32; 4]>> {
        let logits = self.logits.to_vec2::<f32>()?;
        Ok(rows
            .iter()
            .map(|&row| std::array::from_fn(|base| -nats(&logits[row][..4], base) as f32))
            .collect())
    }
}

impl LdarNet {
    /// Builds the model, asking `source` for every tensor.
    ///
    /// # Errors
    /// A tensor is missing or misshapen.
    pub fn new(config: &Config, source: &mut dyn TensorSource) -> Result<Self> {
        let d = config.stages[0].d_model;
        let embeddings = source.tensor(
            "embeddings.weight",
            &[config.vocab_size, d],
            Init::Normal(0.02),
        )?;
        let backbone = Level::new(config, &config.layout, 0, "backbone", 0, source)?;
        let lm_head = if config.tie_embeddings {
            Linear::from_weight(embeddings.clone())
        } else {
            Linear::new(source, "lm_head", d, config.vocab_size, Init::Normal(0.02))?
        };
        Ok(LdarNet {
            config: config.clone(),
            threshold: THRESHOLD,
            arithmetic: Arithmetic::default(),
            embeddings,
            backbone,
            lm_head,
        })
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Moves the boundary threshold from [`THRESHOLD`], for measurements at a given compression.
    pub fn set_threshold(&mut self, threshold: f32) {
        self.threshold = threshold;
    }

    /// Sets the precision, and says what is run for it.
    ///
    /// On the CPU ([`Precision::arithmetic`]) it is that of the projections in inference; norms,
    /// scan, attention, routing and the LM head stay f32, and so does all of training. On a GPU
    /// ([`Precision::on_device`]) it is that of all activations inside layers, in training too; the
    /// residual stream, sums, states, softmax, routing, dechunking, the LM head and the weights
    /// that training changes stay f32. The weights are kept in both precisions; a model that is
    /// trained takes [`LdarNet::set_training_precision`].
    ///
    /// # Errors
    /// The weights cannot be converted.
    pub fn set_precision(&mut self, precision: Precision) -> Result<Arithmetic> {
        let on_device = cuda::runs(&self.embeddings);
        self.set_arithmetic(if on_device {
            precision.on_device(false)
        } else {
            precision.arithmetic()
        })?;
        Ok(self.arithmetic)
    }

    /// The same for a model whose weights a trainer changes; f32 on the CPU.
    ///
    /// # Errors
    /// The same.
    pub fn set_training_precision(&mut self, precision: Precision) -> Result<Arithmetic> {
        let on_device = cuda::runs(&self.embeddings);
        self.set_arithmetic(if on_device {
            precision.on_device(true)
        } else {
            Precision::F32.arithmetic()
        })?;
        Ok(self.arithmetic)
    }

    /// The device that the weights lie on.
    pub fn device(&self) -> &Device {
        self.embeddings.device()
    }

    /// What the projections run on in inference.
    pub fn arithmetic(&self) -> Arithmetic {
        self.arithmetic
    }

    fn set_arithmetic(&mut self, arithmetic: Arithmetic) -> Result<()> {
        self.arithmetic = arithmetic;
        self.backbone.set_arithmetic(arithmetic)
    }

    /// Runs the model on sequences of tokens (see [`super::tokenizer`]). Sequences do not influence
    /// each other.
    ///
    /// # Errors
    /// A sequence is empty or holds a number that is no token.
    pub fn forward(&self, sequences: &[impl AsRef<[u8]> + Sync]) -> Result<Output> {
        let mut parts = self.by_parts(sequences, |part| self.forward_on(&Tape::off(), part))?;
        if parts.len() == 1 {
            return Ok(parts.remove(0));
        }
        let cat =
            |of: fn(&Output) -> &Tensor| Tensor::cat(&parts.iter().map(of).collect::<Vec<_>>(), 0);
        let (logits, hidden) = (cat(|part| &part.logits)?, cat(|part| &part.hidden)?);
        let stages = parts.into_iter().map(|part| part.stages).collect();
        Ok(Output {
            logits,
            hidden,
            stages: Routed::of_parts(stages)?,
        })
    }

    /// Runs parts of a batch beside each other, as many as there are threads: each part's rows stay
    /// in the caches of one core, and cores wait for each other once. One part where a GPU, or its
    /// emulation, does the work.
    fn by_parts<S: AsRef<[u8]> + Sync, T: Send>(
        &self,
        sequences: &[S],
        run: impl Fn(&[S]) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        self.check(sequences)?;
        let n_parts = match cuda::runs(&self.embeddings) {
            true => 1,
            false => rayon::current_num_threads().min(sequences.len()),
        };
        if n_parts == 1 {
            return Ok(vec![run(sequences)?]);
        }
        let bases = |sequences: &[S]| sequences.iter().map(|s| s.as_ref().len()).sum::<usize>();
        let (all, mut rest, mut parts) = (bases(sequences), sequences, Vec::new());
        for left in (1..=n_parts).rev() {
            // At least one, and one for each part to come.
            let (wanted, mut n) = (all.div_ceil(n_parts), 1);
            while n + left <= rest.len() && bases(&rest[..n]) < wanted {
                n += 1;
            }
            let n = if left == 1 { rest.len() } else { n };
            let (part, others) = rest.split_at(n);
            parts.push(part);
            rest = others;
        }
        parts.into_par_iter().map(&run).collect()
    }

    /// The same, noted on a tape for training.
    ///
    /// # Errors
    /// The same.
    pub fn forward_on(&self, tape: &Tape, sequences: &[impl AsRef<[u8]>]) -> Result<Output> {
        let (hidden, _, stages) = self.run(tape, sequences)?;
        let logits = self.lm_head.forward(tape, &hidden)?;
        Ok(Output {
            logits,
            hidden,
            stages,
        })
    }

    /// What the LM head would read, (total bases, d_model), and the rows of each sequence.
    ///
    /// # Errors
    /// As [`LdarNet::forward`].
    pub fn hidden_on(&self, tape: &Tape, sequences: &[impl AsRef<[u8]>]) -> Result<(Tensor, Seqs)> {
        self.run(tape, sequences)
            .map(|(hidden, seqs, _)| (hidden, seqs))
    }

    fn run(
        &self,
        tape: &Tape,
        sequences: &[impl AsRef<[u8]>],
    ) -> Result<(Tensor, Seqs, Vec<Routed>)> {
        let (x, seqs) = self.embed(tape, sequences)?;
        let mut stages = Vec::new();
        let hidden = self
            .backbone
            .forward(tape, x, &seqs, &self.rule(sequences), &mut stages)?;
        Ok((hidden, seqs, stages))
    }

    fn rule(&self, sequences: &[impl AsRef<[u8]>]) -> Rule {
        let contents = sequences
            .iter()
            .map(|sequence| content(sequence.as_ref()))
            .collect();
        Rule {
            routing: self.config.routing,
            threshold: self.threshold,
            contents,
        }
    }

    /// Output of the outermost encoder, (total bases, d_model); of the whole stack where there is
    /// no router.
    ///
    /// # Errors
    /// As [`LdarNet::forward`].
    pub fn encode(&self, sequences: &[impl AsRef<[u8]>]) -> Result<Tensor> {
        let tape = &Tape::off();
        let (x, seqs) = self.embed(tape, sequences)?;
        let x = self.backbone.pad(tape, x)?;
        match &self.backbone.network {
            Network::Stack(stack) => stack.forward(tape, x, &seqs),
            Network::Stage(stage) => stage.encoder.forward(tape, x, &seqs),
        }
    }

    /// The decisions of the routers down to `stage`, 0 for the outermost, as [`LdarNet::forward`]
    /// gives them, without running what comes after.
    ///
    /// # Errors
    /// The same, or the model has no such router.
    pub fn route(
        &self,
        sequences: &[impl AsRef<[u8]> + Sync],
        stage: usize,
    ) -> Result<Vec<Routed>> {
        Routed::of_parts(self.by_parts(sequences, |part| self.route_part(part, stage))?)
    }

    fn route_part(&self, sequences: &[impl AsRef<[u8]>], stage: usize) -> Result<Vec<Routed>> {
        let tape = &Tape::off();
        let (mut x, mut seqs) = self.embed(tape, sequences)?;
        let (rule, mut level, mut routed) = (self.rule(sequences), &self.backbone, Vec::new());
        loop {
            let Network::Stage(network) = &level.network else {
                return Err(Error::Invalid(format!(
                    "the model has no router of stage {stage}"
                )));
            };
            let (encoded, decision, kept) =
                network.route(tape, level.pad(tape, x)?, &seqs, &rule, routed.len())?;
            routed.push(decision);
            if routed.len() > stage {
                return Ok(routed);
            }
            (x, seqs, level) = (
                gather_rows(tape, &encoded, &kept.index)?,
                kept.chunks,
                &network.inner,
            );
        }
    }

    /// Whether sequences can be read.
    fn check(&self, sequences: &[impl AsRef<[u8]>]) -> Result<()> {
        let wrong = |sequence: &[u8]| {
            sequence.is_empty()
                || sequence
                    .iter()
                    .any(|&t| usize::from(t) >= self.config.vocab_size)
        };
        if let Some(i) = sequences.iter().position(|s| wrong(s.as_ref())) {
            return Err(Error::Invalid(format!(
                "sequence {i} of a batch is empty or holds a number that is no token"
            )));
        }
        match sequences.is_empty() {
            true => Err(Error::Invalid("a batch without sequences".into())),
            false => Ok(()),
        }
    }

    /// Packs sequences one after another: (total bases, d_model) and the rows of each.
    fn embed(&self, tape: &Tape, sequences: &[impl AsRef<[u8]>]) -> Result<(Tensor, Seqs)> {
        self.check(sequences)?;
        let mut tokens: Vec<usize> = Vec::new();
        let mut seqs = Vec::new();
        for sequence in sequences {
            let sequence = sequence.as_ref();
            seqs.push(tokens.len()..tokens.len() + sequence.len());
            tokens.extend(sequence.iter().map(|&t| usize::from(t)));
        }
        Ok((
            gather_rows(tape, &self.embeddings, &tokens.into())?,
            seqs.into(),
        ))
    }
}

/// What decides which positions are kept, beside the weights.
struct Rule {
    routing: Routing,
    threshold: f32,
    /// A number for the tokens of each sequence.
    contents: Vec<u64>,
}

/// Residual additions that blocks make: the height that scales fresh output projections.
fn height(blocks: &[Block]) -> usize {
    blocks.iter().map(|b| 1 + usize::from(b.mlp)).sum()
}

impl Level {
    fn new(
        config: &Config,
        layout: &Layout,
        index: usize,
        name: &str,
        above: usize,
        source: &mut dyn TensorSource,
    ) -> Result<Self> {
        let stage = &config.stages[index];
        let outer = if index == 0 {
            stage.d_model
        } else {
            config.stages[index - 1].d_model
        };
        let pad_dimension = if stage.d_model > outer {
            Some(source.tensor(
                &format!("{name}.pad_dimension"),
                &[stage.d_model - outer],
                Init::Constant(0.0),
            )?)
        } else {
            None
        };
        let d = stage.d_model;
        let network = match layout {
            Layout::Stack(blocks) => Network::Stack(Stack::new(
                source,
                &format!("{name}.main_network"),
                blocks,
                stage,
                above + height(blocks),
            )?),
            Layout::Stage {
                encoder,
                inner,
                decoder,
            } => {
                let additions = above + height(encoder) + height(decoder);
                Network::Stage(Box::new(StageNetwork {
                    encoder: Stack::new(
                        source,
                        &format!("{name}.encoder"),
                        encoder,
                        stage,
                        additions,
                    )?,
                    query: Linear::new(
                        source,
                        &format!("{name}.routing_module.q_proj_layer"),
                        d,
                        d,
                        Init::Identity,
                    )?,
                    key: Linear::new(
                        source,
                        &format!("{name}.routing_module.k_proj_layer"),
                        d,
                        d,
                        Init::Identity,
                    )?,
                    residual: Linear::with_bias(
                        source,
                        &format!("{name}.residual_proj"),
                        d,
                        d,
                        Init::Constant(0.0),
                    )?,
                    inner: Level::new(
                        config,
                        inner,
                        index + 1,
                        &format!("{name}.main_network"),
                        additions,
                        source,
                    )?,
                    decoder: Stack::new(
                        source,
                        &format!("{name}.decoder"),
                        decoder,
                        stage,
                        additions,
                    )?,
                }))
            }
        };
        Ok(Level {
            d_model: d,
            pad_dimension,
            network,
        })
    }

    fn set_arithmetic(&mut self, arithmetic: Arithmetic) -> Result<()> {
        match &mut self.network {
            Network::Stack(stack) => stack.set_arithmetic(arithmetic),
            Network::Stage(stage) => {
                // Not the router's own projections: in bf16 they alone move probabilities half as
                // far as all others together, and they are a sliver of the work.
                stage.encoder.set_arithmetic(arithmetic)?;
                stage.residual.set_arithmetic(arithmetic)?;
                stage.inner.set_arithmetic(arithmetic)?;
                stage.decoder.set_arithmetic(arithmetic)
            }
        }
    }

    /// Fills up the channels that this level has more than `x`.
    fn pad(&self, tape: &Tape, x: Tensor) -> Result<Tensor> {
        Ok(match &self.pad_dimension {
            Some(pad) => extend_columns(tape, &x, pad)?,
            None => x,
        })
    }

    fn forward(
        &self,
        tape: &Tape,
        x: Tensor,
        seqs: &Seqs,
        rule: &Rule,
        stages: &mut Vec<Routed>,
    ) -> Result<Tensor> {
        let outer = x.dim(1)?;
        let x = self.pad(tape, x)?;
        let out = match &self.network {
            Network::Stack(stack) => stack.forward(tape, x, seqs)?,
            Network::Stage(stage) => stage.forward(tape, x, seqs, rule, stages)?,
        };
        Ok(if outer == self.d_model {
            out
        } else {
            first_columns(tape, &out, outer)?
        })
    }
}

impl StageNetwork {
    /// The encoder's output and what is kept of it, at the stage of this number.
    fn route(
        &self,
        tape: &Tape,
        x: Tensor,
        seqs: &Seqs,
        rule: &Rule,
        stage: usize,
    ) -> Result<(Tensor, Routed, Kept)> {
        let x = self.encoder.forward(tape, x, seqs)?;
        let learned = |tape: &Tape| -> Result<Tensor> {
            Ok(boundary_prob(
                tape,
                &self.query.forward(tape, &x)?,
                &self.key.forward(tape, &x)?,
                seqs,
            )?)
        };
        let prob = if rule.routing.is_learned() {
            learned(tape)?
        } else {
            // Constants, whatever is noted on the tape: no gradient passes them.
            let read = || Ok(learned(&Tape::off())?.to_vec1::<f32>()?);
            let probs = rule
                .routing
                .probabilities(seqs, &rule.contents, stage, read)?;
            Tensor::from_vec(probs, x.dim(0)?, x.device())?
        };
        let kept = keep(above(&prob, rule.threshold)?, seqs);
        let mut mask = vec![false; prob.elem_count()];
        kept.index.iter().for_each(|&t| mask[t] = true);
        Ok((
            x,
            Routed {
                prob,
                mask,
                seqs: seqs.clone(),
            },
            kept,
        ))
    }

    fn forward(
        &self,
        tape: &Tape,
        x: Tensor,
        seqs: &Seqs,
        rule: &Rule,
        stages: &mut Vec<Routed>,
    ) -> Result<Tensor> {
        let (x, routed, kept) = self.route(tape, x, seqs, rule, stages.len())?;
        let prob = routed.prob.clone();
        stages.push(routed);
        let inner = self.inner.forward(
            tape,
            gather_rows(tape, &x, &kept.index)?,
            &kept.chunks,
            rule,
            stages,
        )?;
        let h = add(
            tape,
            &dechunk(tape, &inner, &prob, &kept)?,
            &self.residual.forward(tape, &x)?,
        )?;
        drop((x, inner)); // as long as a chromosome arm may be
        self.decoder.forward(tape, h, seqs)
    }
}

/// The chunks of each sequence, from the rows of all boundaries.
fn keep(index: Index, seqs: &Seqs) -> Kept {
    let mut start = 0;
    let chunks = seqs.iter().map(|seq| {
        let end = start + index[start..].partition_point(|&t| t < seq.end);
        std::mem::replace(&mut start, end)..end
    });
    Kept {
        seqs: seqs.clone(),
        chunks: chunks.collect(),
        index,
    }
}

#[cfg(test)]
mod tests;
