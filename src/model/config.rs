//! Configuration of an LDARNet, in the authors' JSON form.
//!
//! ```
//! let config = ldar::model::Config::named("2m").unwrap();
//! assert_eq!(config.layout.stages(), 2);
//! ```

use super::routing::{self, Routing};
use crate::{Error, Result};
use serde_json::{Value, json};

/// What one block of a stack is; the letter of the layout grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// BiMamba-2 (`m`, `M`) or attention (`t`, `T`).
    pub mixer: Mixer,
    /// Followed by a SwiGLU MLP (upper case).
    pub mlp: bool,
}

/// The mixer of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mixer {
    /// Two Mamba-2 cores, one in each direction.
    BiMamba,
    /// Bidirectional attention.
    Attention,
}

/// The architecture: `[stack]`, or `[encoder, inner, decoder]` with a layout inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// The innermost stack.
    Stack(Vec<Block>),
    /// A stage with a router: encoder, the layout that runs on the chunks, decoder.
    Stage {
        /// Blocks before the router.
        encoder: Vec<Block>,
        /// What runs on the kept vectors.
        inner: Box<Layout>,
        /// Blocks after dechunking.
        decoder: Vec<Block>,
    },
}

impl Layout {
    fn parse(value: &Value) -> Result<Layout> {
        let wrong = || {
            Error::Invalid(format!(
                "arch_layout: {value} is neither [\"stack\"] nor [\"encoder\", [inner], \"decoder\"]"
            ))
        };
        match value.as_array().map(Vec::as_slice) {
            Some([Value::String(stack)]) => Ok(Layout::Stack(blocks(stack)?)),
            Some(
                [
                    Value::String(encoder),
                    inner @ Value::Array(_),
                    Value::String(decoder),
                ],
            ) => Ok(Layout::Stage {
                encoder: blocks(encoder)?,
                inner: Box::new(Layout::parse(inner)?),
                decoder: blocks(decoder)?,
            }),
            _ => Err(wrong()),
        }
    }

    /// Number of stages, the innermost included: routers + 1.
    pub fn stages(&self) -> usize {
        match self {
            Layout::Stack(_) => 1,
            Layout::Stage { inner, .. } => 1 + inner.stages(),
        }
    }

    /// Number of blocks of each stage, outermost first.
    pub fn blocks_by_stage(&self) -> Vec<usize> {
        match self {
            Layout::Stack(blocks) => vec![blocks.len()],
            Layout::Stage {
                encoder,
                inner,
                decoder,
            } => {
                let mut all = vec![encoder.len() + decoder.len()];
                all.extend(inner.blocks_by_stage());
                all
            }
        }
    }

    fn has(&self, mixer: Mixer) -> bool {
        let any = |blocks: &[Block]| blocks.iter().any(|b| b.mixer == mixer);
        match self {
            Layout::Stack(blocks) => any(blocks),
            Layout::Stage {
                encoder,
                inner,
                decoder,
            } => any(encoder) || inner.has(mixer) || any(decoder),
        }
    }
}

/// Reads a run of `letter count`, as in `m3t1`.
fn blocks(stack: &str) -> Result<Vec<Block>> {
    let wrong = || {
        Error::Invalid(format!(
            "arch_layout: \"{stack}\" is not a run of m, M, t or T, each with a count, as in \"m3t1\""
        ))
    };
    let mut out = Vec::new();
    let mut rest = stack;
    while let Some(letter) = rest.chars().next() {
        let (mixer, mlp) = match letter {
            'm' => (Mixer::BiMamba, false),
            'M' => (Mixer::BiMamba, true),
            't' => (Mixer::Attention, false),
            'T' => (Mixer::Attention, true),
            _ => return Err(wrong()),
        };
        let digits = rest[1..].bytes().take_while(u8::is_ascii_digit).count();
        let count: usize = rest[1..1 + digits].parse().map_err(|_| wrong())?;
        if count == 0 || out.len() + count > 1000 {
            return Err(wrong());
        }
        out.extend(std::iter::repeat_n(Block { mixer, mlp }, count));
        rest = &rest[1 + digits..];
    }
    if out.is_empty() {
        Err(wrong())
    } else {
        Ok(out)
    }
}

/// Sizes of one stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Channels of the residual stream.
    pub d_model: usize,
    /// Width of the MLP after rounding up to a multiple of 128.
    pub d_intermediate: usize,
    /// State size of Mamba-2.
    pub d_state: usize,
    /// Kernel of the depthwise convolution.
    pub d_conv: usize,
    /// Channels inside the Mamba-2 mixer.
    pub d_inner: usize,
    /// Attention heads.
    pub n_heads: usize,
    /// Channels of each head that rotary embedding turns.
    pub rotary_dim: usize,
    /// Positions that attention sees on each side; `None`: all.
    pub window: Option<usize>,
}

/// A model's configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The architecture.
    pub layout: Layout,
    /// Sizes of each stage, outermost first.
    pub stages: Vec<Stage>,
    /// Number of tokens.
    pub vocab_size: usize,
    /// The LM head is the embedding.
    pub tie_embeddings: bool,
    /// How each stage with a router chooses the positions it keeps.
    pub routing: Routing,
    /// The JSON it was read from, written back to checkpoints as it was.
    pub json: Value,
}

const MAX_SIZE: u64 = 1 << 20;

impl Config {
    /// The authors' configurations: `110m` (the released model) and `2m` (their micro model).
    pub fn named(name: &str) -> Result<Config> {
        let (layout, d_model, d_intermediate, heads, rotary) = match name {
            "110m" => (
                json!(["m3t1", ["M10"], "m4"]),
                [512, 768],
                [0, 2560],
                [16, 16],
                [32, 48],
            ),
            "2m" => (
                json!(["m3t1", ["M6"], "m3"]),
                [64, 128],
                [0, 384],
                [2, 4],
                [32, 32],
            ),
            _ => {
                return Err(Error::Invalid(format!(
                    "no configuration is called '{name}': there are 110m and 2m"
                )));
            }
        };
        Config::from_json(json!({
            "arch_layout": layout, "d_model": d_model, "d_intermediate": d_intermediate, "vocab_size": 7,
            "ssm_cfg": {"d_conv": 4, "expand": 2, "d_state": 128, "chunk_size": 256},
            "attn_cfg": {"num_heads": heads, "rotary_emb_dim": rotary, "window_size": [1023, -1]},
            "tie_embeddings": false, "mode": "mlm", "pad_token_id": 6, "mask_token_id": 5,
        }))
    }

    /// Reads and checks the authors' JSON form. Lists are indexed by stage; one value stands for
    /// all stages.
    ///
    /// # Errors
    /// A key is missing, has the wrong type, or sizes do not fit together; the message names the
    /// key.
    pub fn from_json(json: Value) -> Result<Config> {
        let layout = Layout::parse(json.get("arch_layout").unwrap_or(&Value::Null))?;
        let count = layout.stages();
        let at = |group: Option<&str>, key: &str, stage: usize| -> Option<Value> {
            let value = match group {
                Some(group) => json.get(group)?.get(key)?,
                None => json.get(key)?,
            };
            match value {
                Value::Array(list) => list.get(stage).cloned(),
                one => Some(one.clone()),
            }
        };
        let size =
            |group: Option<&str>, key: &str, stage: usize, default: Option<u64>| -> Result<usize> {
                let value = at(group, key, stage)
                    .filter(|v| !v.is_null())
                    .or_else(|| default.map(Value::from));
                match value.as_ref().and_then(Value::as_u64) {
                    Some(n) if n <= MAX_SIZE => Ok(n as usize),
                    _ => Err(Error::Invalid(format!(
                        "configuration: {key} of stage {stage} is {}, not a size",
                        value.unwrap_or(Value::Null)
                    ))),
                }
            };
        let (mamba, attention) = (layout.has(Mixer::BiMamba), layout.has(Mixer::Attention));
        let mut stages = Vec::new();
        for stage in 0..count {
            let d_model = size(None, "d_model", stage, None)?;
            let expand = size(Some("ssm_cfg"), "expand", stage, Some(2))?;
            let wanted = match at(None, "d_intermediate", stage) {
                None | Some(Value::Null) => 8 * d_model / 3,
                Some(_) => size(None, "d_intermediate", stage, None)?,
            };
            let heads = |key| size(Some("attn_cfg"), key, stage, (!attention).then_some(1));
            let window = at(Some("attn_cfg"), "window_size", stage)
                .and_then(|w| w.as_i64())
                .unwrap_or(-1);
            stages.push(Stage {
                d_model,
                d_intermediate: wanted.next_multiple_of(128),
                d_state: size(Some("ssm_cfg"), "d_state", stage, Some(128))?,
                d_conv: size(Some("ssm_cfg"), "d_conv", stage, Some(4))?,
                d_inner: expand * d_model,
                n_heads: heads("num_heads")?,
                rotary_dim: size(Some("attn_cfg"), "rotary_emb_dim", stage, Some(0))?,
                window: usize::try_from(window).ok(),
            });
        }
        for (i, s) in stages.iter().enumerate() {
            let fail =
                |what: String| Err(Error::Invalid(format!("configuration, stage {i}: {what}")));
            if s.d_model == 0 || (i > 0 && s.d_model < stages[i - 1].d_model) {
                return fail(format!(
                    "d_model {} must be positive and not under the stage before",
                    s.d_model
                ));
            }
            if mamba
                && (s.d_inner == 0
                    || !s.d_inner.is_multiple_of(64)
                    || !(2..=4).contains(&s.d_conv)
                    || s.d_state == 0)
            {
                return fail(format!(
                    "Mamba-2 needs expand * d_model in 64s, d_conv 2 to 4, d_state > 0; got {} {} {}",
                    s.d_inner, s.d_conv, s.d_state
                ));
            }
            if attention
                && (s.n_heads == 0
                    || !s.d_model.is_multiple_of(s.n_heads)
                    || !s.rotary_dim.is_multiple_of(2)
                    || s.rotary_dim > s.d_model / s.n_heads)
            {
                return fail(format!(
                    "{} heads with {} rotary channels do not fit d_model {}",
                    s.n_heads, s.rotary_dim, s.d_model
                ));
            }
        }
        let vocab_size = json.get("vocab_size").and_then(Value::as_u64).unwrap_or(7);
        if vocab_size != 7 {
            return Err(Error::Invalid(format!(
                "configuration: vocab_size {vocab_size}, but the DNA vocabulary has 7 tokens"
            )));
        }
        let tie_embeddings = json
            .get("tie_embeddings")
            .and_then(Value::as_bool)
            .unwrap_or(false);
        let routing = match json.get(routing::KEY) {
            None => Routing::Learned,
            Some(value) => value
                .as_str()
                .unwrap_or_default()
                .parse()
                .map_err(|e| Error::Invalid(format!("configuration: {e}")))?,
        };
        if count == 1 && !routing.is_learned() {
            return Err(Error::Invalid(format!(
                "router '{routing}': this model is a single stack, without a stage that could keep some bases"
            )));
        }
        Ok(Config {
            layout,
            stages,
            vocab_size: 7,
            tie_embeddings,
            routing,
            json,
        })
    }

    /// The same with another way to choose the positions that are kept; its JSON says so.
    ///
    /// # Errors
    /// The model is a single stack.
    pub fn routed(&self, routing: Routing) -> Result<Config> {
        let mut json = self.json.clone();
        if let Some(object) = json.as_object_mut() {
            match routing {
                Routing::Learned => drop(object.remove(routing::KEY)),
                other => drop(object.insert(routing::KEY.into(), other.to_string().into())),
            }
        }
        Config::from_json(json)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_nested_layouts_and_rounds_the_mlp() {
        let config = Config::from_json(json!({
            "arch_layout": ["m1t1", ["m1", ["T1M1"], "m1"], "m2"], "d_model": [64, 64, 128], "d_intermediate": [0, null, 250],
            "attn_cfg": {"num_heads": 4, "rotary_emb_dim": 8, "window_size": [31, -1, -1]}
        }))
        .unwrap();
        assert_eq!(config.layout.stages(), 3);
        assert_eq!(
            config
                .stages
                .iter()
                .map(|s| s.d_intermediate)
                .collect::<Vec<_>>(),
            [0, 256, 256]
        );
        assert_eq!(config.stages[0].window, Some(31));
        assert_eq!(config.stages[2].window, None);
        let Layout::Stage { inner, decoder, .. } = &config.layout else {
            panic!()
        };
        assert_eq!(decoder.len(), 2);
        let Layout::Stage { inner, .. } = &**inner else {
            panic!()
        };
        assert_eq!(
            **inner,
            Layout::Stack(vec![
                Block {
                    mixer: Mixer::Attention,
                    mlp: true
                },
                Block {
                    mixer: Mixer::BiMamba,
                    mlp: true
                }
            ])
        );
    }

    #[test]
    fn the_router_is_a_key() {
        let learned = Config::named("2m").unwrap();
        let fixed = learned.routed("fixed:4.5".parse().unwrap()).unwrap();
        assert_eq!(
            (learned.routing, fixed.json["router"].as_str()),
            (Routing::Learned, Some("fixed:4.5"))
        );
        assert_eq!(Config::from_json(fixed.json.clone()).unwrap(), fixed);
        assert_eq!(fixed.routed(Routing::Learned).unwrap(), learned);
    }

    #[test]
    fn says_what_is_wrong() {
        for (json, part) in [
            (
                json!({"arch_layout": ["x3"], "d_model": [64]}),
                "m, M, t or T",
            ),
            (json!({"arch_layout": ["m0"], "d_model": [64]}), "count"),
            (
                json!({"arch_layout": ["m99999999999999999999999"], "d_model": [64]}),
                "count",
            ),
            (
                json!({"arch_layout": ["m1", "m1"], "d_model": [64]}),
                "arch_layout",
            ),
            (json!({"arch_layout": ["m1"]}), "d_model of stage 0"),
            (
                json!({"arch_layout": ["m1", ["m1"], "m1"], "d_model": [64]}),
                "d_model of stage 1",
            ),
            (
                json!({"arch_layout": ["m1", ["m1"], "m1"], "d_model": [128, 64]}),
                "not under",
            ),
            (json!({"arch_layout": ["m1"], "d_model": [40]}), "64s"),
            (
                json!({"arch_layout": ["t1"], "d_model": [64], "attn_cfg": {"num_heads": [3]}}),
                "heads",
            ),
            (
                json!({"arch_layout": ["m1"], "d_model": [64], "vocab_size": 12}),
                "vocab_size 12",
            ),
            (
                json!({"arch_layout": ["m1", ["m1"], "m1"], "d_model": [64, 64], "router": "fixed:0"}),
                "fixed:N",
            ),
            (
                json!({"arch_layout": ["m1", ["m1"], "m1"], "d_model": [64, 64], "router": 4}),
                "fixed:N",
            ),
            (
                json!({"arch_layout": ["m1"], "d_model": [64], "router": "fixed:4"}),
                "single stack",
            ),
        ] {
            let error = Config::from_json(json.clone()).unwrap_err().to_string();
            assert!(error.contains(part), "{json}: {error}");
        }
    }
}
