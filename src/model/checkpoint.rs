//! Checkpoints: the authors' PyTorch archives are read (`torch`), safetensors are read and written
//! (`plain`).
//!
//! Ours is safetensors with the configuration as JSON under `config` in the metadata, and tensors
//! that two modules share stored once. A file first says what it holds; that is held against the
//! configuration and the file's own length before memory is taken for any number.

mod plain;
mod torch;

pub use plain::{is_ours, load_tensors, notes, save_tensors};

use super::LdarNet;
use super::config::Config;
use super::fresh::Fresh;
use super::head;
use super::weights::{Loaded, inventory};
use crate::{Error, Result};
use candle_core::{Device, Tensor};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::Path;

/// A model's configuration and tensors, as a file holds them.
pub struct Checkpoint {
    /// The configuration.
    pub config: Config,
    /// Tensors by the authors' names, f32, shared ones once (under their `fwd` name); of a
    /// fine-tuned model also those of its head.
    pub tensors: BTreeMap<String, Tensor>,
    /// Text entries beside the configuration: training step, recipe, notes.
    pub notes: BTreeMap<String, String>,
}

/// A file that can be read at any place.
trait ReadSeek: Read + Seek {}
impl<T: Read + Seek> ReadSeek for T {}

/// Bytes that show what kind of file it is.
const HEAD: u64 = 4096;

impl Checkpoint {
    /// Opens a `.pt` or `.safetensors` file, told apart by its first bytes. Names of tensors may
    /// stand behind a prefix that a wrapper gave to all of them (`module.`, `_orig_mod.`).
    ///
    /// # Errors
    /// The file cannot be read, holds no configuration, or its tensors do not fit the
    /// configuration; the message names the tensor.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file = File::open(path).map_err(Error::io(path))?;
        Self::read(path, &mut BufReader::new(file))
    }

    /// Reads a checkpoint that is already in memory; `name` is used in messages.
    ///
    /// # Errors
    /// As [`Checkpoint::open`].
    pub fn from_bytes(name: &str, bytes: &[u8]) -> Result<Self> {
        Self::read(Path::new(name), &mut Cursor::new(bytes))
    }

    fn read(path: &Path, source: &mut dyn ReadSeek) -> Result<Self> {
        let length = source.seek(SeekFrom::End(0)).map_err(Error::io(path))?;
        let mut head = Vec::new();
        source
            .rewind()
            .and_then(|()| (&mut *source).take(HEAD).read_to_end(&mut head))
            .map_err(Error::io(path))?;
        source.rewind().map_err(Error::io(path))?;
        if let Some(what) = other_kind(&head) {
            return Err(Error::file(path, what));
        }
        let checkpoint = if head.starts_with(b"PK\x03\x04") {
            torch::read(path, source, length)
        } else {
            plain::read(path, source, length)
        };
        let mut checkpoint = checkpoint.map_err(|e| at(path, e))?;
        checkpoint
            .untie()
            .and_then(|()| checkpoint.check())
            .map_err(|e| at(path, e))?;
        Ok(checkpoint)
    }

    /// Drops the second copy of every shared tensor, after seeing that it is one.
    fn untie(&mut self) -> Result<()> {
        let doubles: Vec<(String, String)> = self
            .tensors
            .keys()
            .filter_map(|name| Some((name.clone(), first_copy(name, &self.config)?)))
            .collect();
        for (name, first) in doubles {
            let Some(second) = self.tensors.remove(&name) else {
                continue;
            };
            match self.tensors.get(&first) {
                None => drop(self.tensors.insert(first, second)),
                Some(kept) if kept.dims() != second.dims() => {
                    return Err(Error::Invalid(format!(
                        "tensors {first} and {name} are shared but differ in shape"
                    )));
                }
                Some(kept) => {
                    if (kept - &second)?.abs()?.max_all()?.to_scalar::<f32>()? != 0.0 {
                        return Err(Error::Invalid(format!(
                            "tensors {first} and {name} should be one shared tensor, but differ"
                        )));
                    }
                }
            }
        }
        Ok(())
    }

    /// Holds names and shapes against the configuration, by building the model.
    fn check(&self) -> Result<()> {
        let mut source = Loaded::new(self.tensors.clone());
        LdarNet::new(&self.config, &mut source)?;
        let head = head::inventory(&self.notes, &self.config);
        match source
            .rest()
            .iter()
            .find(|name| head.iter().all(|(known, _)| known != *name))
        {
            Some(extra) => Err(Error::Invalid(format!(
                "tensor {extra} has no place in the configuration"
            ))),
            None => Ok(()),
        }
    }

    /// The model on these tensors.
    pub fn model(&self) -> Result<LdarNet> {
        self.model_on(&Device::Cpu)
    }

    /// The model on copies of these tensors on a device.
    pub fn model_on(&self, device: &Device) -> Result<LdarNet> {
        LdarNet::new(&self.config, &mut Loaded::new(on(&self.tensors, device)?))
    }

    /// Bases that the model was given at once in training, where the notes say so.
    pub fn trained_length(&self) -> Option<usize> {
        self.notes
            .get("train_length")?
            .trim()
            .parse()
            .ok()
            .filter(|length| *length > 0)
    }

    /// The same architecture with fresh weights, those that training with `seed` would start from.
    ///
    /// # Errors
    /// A configuration that cannot be built.
    pub fn untrained(&self, seed: u64) -> Result<Checkpoint> {
        let mut fresh = Fresh::new(seed);
        LdarNet::new(&self.config, &mut fresh)?;
        Ok(Checkpoint {
            config: self.config.clone(),
            tensors: fresh.tensors,
            notes: BTreeMap::new(),
        })
    }

    /// Number of parameters, shared ones once.
    pub fn parameters(&self) -> usize {
        self.tensors.values().map(Tensor::elem_count).sum()
    }

    /// Writes safetensors, atomically.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let mut notes = self.notes.clone();
        notes.insert("format".into(), "ldarnet".into());
        notes.insert("config".into(), self.config.json.to_string());
        save_tensors(path.as_ref(), &self.tensors, notes)
    }
}

/// Tensors on a device; those that are there already as they are.
pub fn on(tensors: &BTreeMap<String, Tensor>, device: &Device) -> Result<BTreeMap<String, Tensor>> {
    tensors
        .iter()
        .map(|(name, tensor)| Ok((name.clone(), tensor.to_device(device)?)))
        .collect()
}

/// The error with the file that it is about, where it does not name one.
pub fn at(path: &Path, error: Error) -> Error {
    match error {
        Error::Invalid(message) => Error::file(path, message),
        other => other,
    }
}

/// What a file is, by how it starts, that often stands where a checkpoint should, and what to do.
fn other_kind(head: &[u8]) -> Option<&'static str> {
    // The number that starts a file of PyTorch before 1.6, 0x1950a86a20f9469cfc6c, as a pickle.
    const BEFORE_1_6: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
    let is_text = !head[..head.len().min(8)].contains(&0);
    let holds = |word: &[u8]| head.windows(word.len()).any(|part| part == word);
    if head.len() < 9 {
        Some("is too short for a checkpoint")
    } else if head.starts_with(b"version https://git-lfs") {
        Some(
            "is a Git LFS pointer, not the weights: run 'git lfs pull' in its repository, or download the file itself",
        )
    } else if head.starts_with(BEFORE_1_6) {
        Some(
            "is in the format of torch.save before PyTorch 1.6: write it anew with \
             python -c \"import torch; torch.save(torch.load('OLD.pt', map_location='cpu'), 'NEW.pt')\"",
        )
    } else if head.starts_with(&[0x1f, 0x8b]) {
        Some("is compressed with gzip: unpack it first, if it is a checkpoint")
    } else if is_text && head.trim_ascii_start().starts_with(b"<") {
        Some("is a web page, as logins and errors send in place of a file: download it again")
    } else if is_text && head.trim_ascii_start().starts_with(b"{") && holds(b"\"weight_map\"") {
        Some(
            "is the index of a checkpoint in several files, which are not read: save all tensors as one .safetensors or .pt file",
        )
    } else {
        None
    }
}

/// What a file says it holds, before any number is read.
struct Listing<P> {
    config: Config,
    notes: BTreeMap<String, String>,
    /// The shape of each tensor, and where its numbers are.
    tensors: BTreeMap<String, (Vec<usize>, P)>,
}

impl<P: PartialEq> Listing<P> {
    /// Takes off a wrapper's prefix, leaves out the second names of tensors that are stored once,
    /// and holds the rest against the configuration and the length of the file.
    fn checked(mut self, length: u64) -> Result<Self> {
        self.unwrap();
        let (config, tensors) = (&self.config, &self.tensors);
        let doubles = tensors.iter().filter(|(name, place)| {
            first_copy(name, config).is_some_and(|first| tensors.get(&first) == Some(place))
        });
        for name in doubles.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
            self.tensors.remove(&name);
        }
        let head = head::inventory(&self.notes, &self.config);
        let wanted: HashMap<String, Vec<usize>> =
            inventory(&self.config)?.into_iter().chain(head).collect();
        for (name, (shape, _)) in &self.tensors {
            match wanted.get(first_copy(name, &self.config).as_ref().unwrap_or(name)) {
                None => {
                    return Err(Error::Invalid(format!(
                        "tensor {name} has no place in the configuration"
                    )));
                }
                Some(want) if want != shape => {
                    return Err(Error::Invalid(format!(
                        "tensor {name} has shape {shape:?}, but the configuration asks for {want:?}"
                    )));
                }
                Some(_) => {}
            }
        }
        let sizes = wanted.values().map(|shape| {
            shape
                .iter()
                .fold(1_u64, |n, size| n.saturating_mul(*size as u64))
        });
        let parameters = sizes.fold(0, u64::saturating_add);
        // A parameter takes two bytes or more.
        if parameters > length / 2 {
            return Err(Error::Invalid(format!(
                "the configuration asks for {parameters} parameters, which a file of {length} bytes cannot hold: it is cut off, or of another model"
            )));
        }
        Ok(self)
    }

    fn unwrap(&mut self) {
        let prefixes: Vec<&str> = self
            .tensors
            .keys()
            .filter_map(|name| name.strip_suffix("embeddings.weight"))
            .collect();
        let [prefix] = prefixes[..] else { return };
        if prefix.ends_with('.') && self.tensors.keys().all(|name| name.starts_with(prefix)) {
            let skip = prefix.len();
            let named = std::mem::take(&mut self.tensors)
                .into_iter()
                .map(|(name, place)| (name[skip..].to_string(), place));
            self.tensors = named.collect();
        }
    }
}

/// The name under which a shared tensor is kept, for its second copy.
fn first_copy(name: &str, config: &Config) -> Option<String> {
    if name == "lm_head.weight" && config.tie_embeddings {
        Some("embeddings.weight".to_string())
    } else if name.ends_with(".mixer.bwd.in_proj.weight")
        || name.ends_with(".mixer.bwd.out_proj.weight")
    {
        Some(name.replace(".mixer.bwd.", ".mixer.fwd."))
    } else {
        None
    }
}

/// Converts a checkpoint to safetensors and reads it back: the number of tensors and parameters
/// that were found equal.
///
/// # Errors
/// Anything that was written differs from what was read.
pub fn convert(from: &Path, to: &Path) -> Result<(usize, usize)> {
    let checkpoint = Checkpoint::open(from)?;
    checkpoint.save(to)?;
    let written = Checkpoint::open(to)?;
    let same = |name: &String, a: &Tensor| -> Result<bool> {
        let Some(b) = written.tensors.get(name) else {
            return Ok(false);
        };
        let bits = |t: &Tensor| -> Result<Vec<u32>> {
            Ok(t.flatten_all()?
                .to_vec1::<f32>()?
                .into_iter()
                .map(f32::to_bits)
                .collect())
        };
        Ok(a.dims() == b.dims() && bits(a)? == bits(b)?)
    };
    for (name, tensor) in &checkpoint.tensors {
        if !same(name, tensor)? {
            return Err(Error::file(
                to,
                format!("tensor {name} does not read back as it was written"),
            ));
        }
    }
    if written.config != checkpoint.config || written.tensors.len() != checkpoint.tensors.len() {
        return Err(Error::file(to, "does not read back as it was written"));
    }
    Ok((written.tensors.len(), written.parameters()))
}
