//! Checkpoints: the authors' PyTorch archives are read, safetensors are read and written.
//!
//! A `.pt` is a zip of one pickle and one stored file per tensor; the pickle is read as data ([`super::pickle`]) and only the tensors under
//! `model` are touched, one at a time, so an optimizer state that rides along costs nothing. Ours is safetensors with the configuration as
//! JSON under `config` in the metadata, and tensors that two modules share stored once.

use super::LdarNet;
use super::config::Config;
use super::pickle::{self, Object};
use super::weights::{Loaded, inventory};
use crate::output::write_atomic;
use crate::{Error, Result};
use candle_core::{Device, Tensor};
use safetensors::tensor::{Dtype, Metadata};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// A model's configuration and tensors, as a file holds them.
pub struct Checkpoint {
    /// The configuration.
    pub config: Config,
    /// Tensors by the authors' names, f32, shared ones once (under their `fwd` name).
    pub tensors: BTreeMap<String, Tensor>,
    /// Text entries beside the configuration: training step, recipe, notes.
    pub notes: BTreeMap<String, String>,
}

/// A file that can be read at any place.
trait Source: Read + Seek {}
impl<T: Read + Seek> Source for T {}

impl Checkpoint {
    /// Opens a `.pt` or `.safetensors` file, told apart by its first bytes.
    ///
    /// # Errors
    /// The file cannot be read, holds no configuration, or its tensors do not fit the configuration; the message names the tensor.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file = File::open(path).map_err(Error::io(path))?;
        Self::read(path, &mut BufReader::new(file))
    }

    /// Reads a checkpoint that is already in memory; `name` is used in messages.
    pub fn from_bytes(name: &str, bytes: &[u8]) -> Result<Self> {
        Self::read(Path::new(name), &mut Cursor::new(bytes))
    }

    fn read(path: &Path, source: &mut dyn Source) -> Result<Self> {
        let mut magic = [0; 4];
        let length = source.seek(SeekFrom::End(0)).map_err(Error::io(path))?;
        source.rewind().map_err(Error::io(path))?;
        if length < 9 {
            return Err(Error::file(path, "is too short for a checkpoint"));
        }
        source.read_exact(&mut magic).map_err(Error::io(path))?;
        source.rewind().map_err(Error::io(path))?;
        let checkpoint = if &magic == b"PK\x03\x04" { read_torch(path, source) } else { read_safetensors(path, source, length) };
        let mut checkpoint = checkpoint.map_err(|e| at(path, e))?;
        checkpoint.untie().and_then(|()| checkpoint.check()).map_err(|e| at(path, e))?;
        Ok(checkpoint)
    }

    /// Drops the second copy of every shared tensor, after seeing that it is one.
    fn untie(&mut self) -> Result<()> {
        let doubles: Vec<(String, String)> =
            self.tensors.keys().filter_map(|name| Some((name.clone(), first_copy(name, &self.config)?))).collect();
        for (name, first) in doubles {
            let Some(second) = self.tensors.remove(&name) else { continue };
            match self.tensors.get(&first) {
                None => drop(self.tensors.insert(first, second)),
                Some(kept) if kept.dims() != second.dims() => {
                    return Err(Error::Invalid(format!("tensors {first} and {name} are shared but differ in shape")));
                }
                Some(kept) => {
                    if (kept - &second)?.abs()?.max_all()?.to_scalar::<f32>()? != 0.0 {
                        return Err(Error::Invalid(format!("tensors {first} and {name} should be one shared tensor, but differ")));
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
        match source.rest().first() {
            Some(extra) => Err(Error::Invalid(format!("tensor {extra} has no place in the configuration"))),
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
        self.notes.get("train_length")?.trim().parse().ok().filter(|length| *length > 0)
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
    tensors.iter().map(|(name, tensor)| Ok((name.clone(), tensor.to_device(device)?))).collect()
}

/// Writes tensors (as f32) and text as safetensors, atomically; the same content gives the same bytes.
pub fn save_tensors(path: &Path, tensors: &BTreeMap<String, Tensor>, notes: BTreeMap<String, String>) -> Result<()> {
    let mut header = serde_json::Map::new();
    header.insert("__metadata__".into(), serde_json::json!(notes));
    let mut end = 0;
    for (name, tensor) in tensors {
        let start = end;
        end += 4 * tensor.elem_count();
        header.insert(name.clone(), serde_json::json!({"dtype": "F32", "shape": tensor.dims(), "data_offsets": [start, end]}));
    }
    let mut header = serde_json::Value::Object(header).to_string().into_bytes();
    // The numbers start at a multiple of eight bytes.
    header.resize(header.len().next_multiple_of(8), b' ');
    let values = |tensor: &Tensor| tensor.to_dtype(candle_core::DType::F32)?.flatten_all()?.to_vec1::<f32>();
    write_atomic(path, |file| {
        file.write_all(&(header.len() as u64).to_le_bytes())?;
        file.write_all(&header)?;
        for tensor in tensors.values() {
            for value in values(tensor).map_err(std::io::Error::other)? {
                file.write_all(&value.to_le_bytes())?;
            }
        }
        Ok(())
    })
}

/// Whether a file is one that [`Checkpoint::save`] wrote: safetensors whose text says so.
pub fn is_ours(path: &Path) -> bool {
    notes(path).is_some_and(|notes| notes.get("format").is_some_and(|format| format == "ldarnet") && notes.contains_key("config"))
}

/// The text of a safetensors file; `None` for what is no such file.
pub fn notes(path: &Path) -> Option<HashMap<String, String>> {
    let mut file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    header(path, &mut file, length).ok()?.1.metadata().clone()
}

/// Reads all tensors and text of a safetensors file that [`save_tensors`] wrote.
pub fn load_tensors(path: &Path) -> Result<(BTreeMap<String, Tensor>, BTreeMap<String, String>)> {
    let mut file = BufReader::new(File::open(path).map_err(Error::io(path))?);
    let length = file.seek(SeekFrom::End(0)).map_err(Error::io(path))?;
    file.rewind().map_err(Error::io(path))?;
    safetensors_content(path, &mut file, length)
}

/// The error with the file that it is about, where it does not name one.
pub fn at(path: &Path, error: Error) -> Error {
    match error {
        Error::Invalid(message) => Error::file(path, message),
        other => other,
    }
}

type Content = (BTreeMap<String, Tensor>, BTreeMap<String, String>);

/// No safetensors header is longer.
const LONGEST_HEADER: u64 = 100_000_000;

/// The header of a safetensors file, and its length.
fn header(path: &Path, source: &mut dyn Source, length: u64) -> Result<(u64, Metadata)> {
    let bad = |what: &str| Error::file(path, format!("is neither a PyTorch archive nor safetensors: {what}"));
    if length < 8 {
        return Err(bad("it is too short"));
    }
    let mut size = [0; 8];
    source.read_exact(&mut size).map_err(Error::io(path))?;
    let size = u64::from_le_bytes(size);
    if size > length - 8 || size > LONGEST_HEADER {
        return Err(bad("its header would be longer than the file, or than 100 MB"));
    }
    let mut header = vec![0; size as usize];
    source.read_exact(&mut header).map_err(Error::io(path))?;
    Ok((size, serde_json::from_slice(&header).map_err(|e| bad(&e.to_string()))?))
}

fn safetensors_content(path: &Path, source: &mut dyn Source, length: u64) -> Result<Content> {
    let (size, metadata) = header(path, source, length)?;
    let mut tensors = BTreeMap::new();
    for (name, info) in metadata.tensors() {
        let (start, end) = (info.data_offsets.0 as u64, info.data_offsets.1 as u64);
        if start > end || end > length - 8 - size {
            return Err(Error::file(path, format!("tensor {name} lies past the end: the file is cut off")));
        }
        let mut raw = vec![0; (end - start) as usize];
        source.seek(SeekFrom::Start(8 + size + start)).map_err(Error::io(path))?;
        source.read_exact(&mut raw).map_err(Error::io(path))?;
        let kind = match info.dtype {
            Dtype::F32 => Kind::F32,
            Dtype::F64 => Kind::F64,
            Dtype::F16 => Kind::F16,
            Dtype::BF16 => Kind::BF16,
            other => return Err(Error::file(path, format!("tensor {name} is {other:?}: only floating-point tensors are read"))),
        };
        let values = kind.floats(&raw);
        let tensor =
            Tensor::from_vec(values, info.shape.clone(), &Device::Cpu).map_err(|e| Error::file(path, format!("tensor {name}: {e}")))?;
        tensors.insert(name.clone(), tensor);
    }
    let notes = metadata.metadata().clone().unwrap_or_default().into_iter().collect();
    Ok((tensors, notes))
}

fn read_safetensors(path: &Path, source: &mut dyn Source, length: u64) -> Result<Checkpoint> {
    let (tensors, mut notes) = safetensors_content(path, source, length)?;
    let config = notes.remove("config").ok_or_else(|| {
        Error::file(path, "has no configuration: an LDARNet safetensors file holds it as JSON under 'config' in its metadata")
    })?;
    let config = serde_json::from_str(&config).map_err(|e| Error::file(path, format!("its configuration is no JSON: {e}")))?;
    notes.remove("format");
    Ok(Checkpoint { config: Config::from_json(config)?, tensors, notes })
}

/// Element types that are read; all become f32.
#[derive(Clone, Copy)]
enum Kind {
    F32,
    F64,
    F16,
    BF16,
}

impl Kind {
    fn size(self) -> usize {
        match self {
            Kind::F64 => 8,
            Kind::F32 => 4,
            Kind::F16 | Kind::BF16 => 2,
        }
    }

    fn floats(self, raw: &[u8]) -> Vec<f32> {
        let short = |b: &[u8]| u16::from_le_bytes([b[0], b[1]]);
        raw.chunks_exact(self.size())
            .map(|b| match self {
                Kind::F32 => f32::from_le_bytes([b[0], b[1], b[2], b[3]]),
                Kind::F64 => f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]) as f32,
                Kind::F16 => half::f16::from_bits(short(b)).to_f32(),
                Kind::BF16 => half::bf16::from_bits(short(b)).to_f32(),
            })
            .collect()
    }
}

/// One tensor of a PyTorch pickle: where its numbers lie.
struct Stored {
    key: String,
    kind: Kind,
    offset: usize,
    shape: Vec<usize>,
    stride: Vec<usize>,
}

fn stored(name: &str, object: &Object) -> Result<Stored> {
    let wrong = |what: &str| Error::Invalid(format!("tensor {name}: {what}"));
    let size = |o: &Object| if let Object::Int(i) = o { usize::try_from(*i).ok() } else { None };
    let sizes = |o: &Object| if let Object::Tuple(items) = o { items.iter().map(size).collect::<Option<Vec<_>>>() } else { None };
    let mut object = object;
    // A parameter wraps its tensor.
    while let Object::Call(callee, arguments) = object
        && let (Object::Class(_, function), [tensor, ..]) = (&**callee, &arguments[..])
        && &**function == "_rebuild_parameter"
    {
        object = tensor;
    }
    let Object::Call(callee, arguments) = object else { return Err(wrong("is not a tensor")) };
    match (&**callee, &arguments[..]) {
        (Object::Class(_, function), [Object::Persistent(id), offset, shape, stride, ..]) if &**function == "_rebuild_tensor_v2" => {
            let Object::Tuple(id) = &**id else { return Err(wrong("its storage has no id")) };
            let [_, Object::Class(_, storage), Object::Text(key), ..] = &id[..] else { return Err(wrong("its storage has no id")) };
            let kind = match &**storage {
                "FloatStorage" => Kind::F32,
                "DoubleStorage" => Kind::F64,
                "HalfStorage" => Kind::F16,
                "BFloat16Storage" => Kind::BF16,
                other => return Err(wrong(&format!("is a {other}: only floating-point tensors are read"))),
            };
            match (size(offset), sizes(shape), sizes(stride)) {
                (Some(offset), Some(shape), Some(stride)) if shape.len() == stride.len() => {
                    Ok(Stored { key: key.to_string(), kind, offset, shape, stride })
                }
                _ => Err(wrong("has no readable shape")),
            }
        }
        _ => Err(wrong("is not a dense tensor")),
    }
}

fn read_torch(path: &Path, source: &mut dyn Source) -> Result<Checkpoint> {
    let zip_error = |e: zip::result::ZipError| Error::file(path, format!("is not a readable PyTorch archive: {e}"));
    let mut archive = zip::ZipArchive::new(source).map_err(zip_error)?;
    let names: Vec<String> = archive.file_names().filter_map(|n| Some(n.ok()?.into_owned())).collect();
    let pickle_name = names
        .iter()
        .find(|n| n.ends_with("/data.pkl"))
        .ok_or_else(|| Error::file(path, "is a zip without data.pkl, so no PyTorch checkpoint"))?;
    let root = pickle_name.trim_end_matches("data.pkl").to_string();
    let read = |archive: &mut zip::ZipArchive<&mut dyn Source>, name: &str| -> Result<Vec<u8>> {
        let mut entry = archive.by_name(name).map_err(|e| Error::file(path, format!("{name}: {e}")))?;
        // torch.save stores its files as they are: what is packed could unpack to any size.
        if entry.compression() != zip::CompressionMethod::Stored {
            return Err(Error::file(path, format!("{name} is compressed, which torch.save never does")));
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(|e| Error::file(path, format!("{name}: {e}: the file is damaged or cut off")))?;
        Ok(bytes)
    };
    if names.contains(&format!("{root}byteorder")) && read(&mut archive, &format!("{root}byteorder"))? != b"little" {
        return Err(Error::file(path, "holds big-endian tensors, which are not read"));
    }
    let payload = pickle::read(&read(&mut archive, pickle_name)?)?;
    let config = payload.get("config").ok_or_else(|| Error::file(path, "has no 'config' beside its tensors"))?;
    let config = Config::from_json(config.to_json())?;
    let model = payload.get("model").unwrap_or(Object::None);
    let Object::Dict(model) = &model else {
        return Err(Error::file(path, "has no dict of tensors under 'model'"));
    };
    let mut tensors: BTreeMap<String, Tensor> = BTreeMap::new();
    let wanted: HashMap<String, Vec<usize>> = inventory(&config)?.into_iter().collect();
    let mut shared: HashMap<(String, usize, Vec<usize>, Vec<usize>), String> = HashMap::new();
    for (key, value) in model.borrow().iter() {
        let Object::Text(name) = key else { continue };
        let place = stored(name, value)?;
        // A shared tensor is stored once and referred to twice: read once.
        fits(name, &place.shape, &wanted, &config)?;
        let view = (place.key.clone(), place.offset, place.shape.clone(), place.stride.clone());
        let first = shared.entry(view).or_insert_with(|| name.to_string()).clone();
        if let Some(tensor) = tensors.get(&first) {
            let tensor = tensor.clone();
            tensors.insert(name.to_string(), tensor);
            continue;
        }
        let raw = read(&mut archive, &format!("{root}data/{}", place.key))?;
        tensors.insert(name.to_string(), gather(name, &place, &raw)?);
    }
    let mut notes = BTreeMap::new();
    if let Some(Object::Int(step)) = payload.get("step") {
        notes.insert("step".to_string(), step.to_string());
    }
    Ok(Checkpoint { config, tensors, notes })
}

/// Holds one tensor of a file against the configuration before its numbers are read; a shared one goes by the name of its first copy.
fn fits(name: &str, shape: &[usize], wanted: &HashMap<String, Vec<usize>>, config: &Config) -> Result<()> {
    let first = first_copy(name, config);
    match wanted.get(first.as_deref().unwrap_or(name)) {
        None => Err(Error::Invalid(format!("tensor {name} has no place in the configuration"))),
        Some(want) if want != shape => {
            Err(Error::Invalid(format!("tensor {name} has shape {shape:?}, but the configuration asks for {want:?}")))
        }
        Some(_) => Ok(()),
    }
}

/// The name under which a shared tensor is kept, for its second copy.
fn first_copy(name: &str, config: &Config) -> Option<String> {
    if name == "lm_head.weight" && config.tie_embeddings {
        Some("embeddings.weight".to_string())
    } else if name.ends_with(".mixer.bwd.in_proj.weight") || name.ends_with(".mixer.bwd.out_proj.weight") {
        Some(name.replace(".mixer.bwd.", ".mixer.fwd."))
    } else {
        None
    }
}

/// Picks a tensor's numbers out of its storage.
fn gather(name: &str, place: &Stored, raw: &[u8]) -> Result<Tensor> {
    let available = raw.len() / place.kind.size();
    let count = place.shape.iter().try_fold(1_usize, |n, &s| n.checked_mul(s));
    let last =
        place.shape.iter().zip(&place.stride).try_fold(place.offset, |at, (&n, &s)| at.checked_add(n.checked_sub(1)?.checked_mul(s)?));
    let (Some(count), Some(true)) = (count.filter(|&n| n <= available), last.map(|l| l < available)) else {
        return Err(Error::Invalid(format!("tensor {name} {:?} reaches past its storage of {available} numbers", place.shape)));
    };
    let mut expected = 1;
    let contiguous = place.shape.iter().zip(&place.stride).rev().all(|(&n, &s)| {
        let fits = n == 1 || s == expected;
        expected *= n;
        fits
    });
    let size = place.kind.size();
    let values = if contiguous {
        place.kind.floats(&raw[place.offset * size..(place.offset + count) * size])
    } else {
        let all = place.kind.floats(raw);
        let mut index = vec![0; place.shape.len()];
        (0..count)
            .map(|_| {
                let at: usize = place.offset + index.iter().zip(&place.stride).map(|(i, s)| i * s).sum::<usize>();
                for (i, &n) in index.iter_mut().zip(&place.shape).rev() {
                    *i += 1;
                    if *i < n {
                        break;
                    }
                    *i = 0;
                }
                all[at]
            })
            .collect()
    };
    Ok(Tensor::from_vec(values, place.shape.clone(), &Device::Cpu)?)
}

/// Converts a checkpoint to safetensors and reads it back: the number of tensors and parameters that were found equal.
///
/// # Errors
/// Anything that was written differs from what was read.
pub fn convert(from: &Path, to: &Path) -> Result<(usize, usize)> {
    let checkpoint = Checkpoint::open(from)?;
    checkpoint.save(to)?;
    let written = Checkpoint::open(to)?;
    let same = |name: &String, a: &Tensor| -> Result<bool> {
        let Some(b) = written.tensors.get(name) else { return Ok(false) };
        let bits = |t: &Tensor| -> Result<Vec<u32>> { Ok(t.flatten_all()?.to_vec1::<f32>()?.into_iter().map(f32::to_bits).collect()) };
        Ok(a.dims() == b.dims() && bits(a)? == bits(b)?)
    };
    for (name, tensor) in &checkpoint.tensors {
        if !same(name, tensor)? {
            return Err(Error::file(to, format!("tensor {name} does not read back as it was written")));
        }
    }
    if written.config != checkpoint.config || written.tensors.len() != checkpoint.tensors.len() {
        return Err(Error::file(to, "does not read back as it was written"));
    }
    Ok((written.tensors.len(), written.parameters()))
}
