//! safetensors: a header of JSON that names each tensor, its type, shape and place, then the
//! numbers.

use super::{Checkpoint, Listing, ReadSeek};
use crate::model::config::Config;
use crate::output::write_atomic;
use crate::{Error, Result};
use candle_core::{Device, Tensor};
use safetensors::tensor::{Dtype, Metadata};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Seek, SeekFrom, Write};
use std::path::Path;

/// Bytes of the largest header, as the format has it.
const MOST_HEADER: u64 = 100_000_000;

/// Writes tensors (as f32) and text as safetensors, atomically; the same content gives the same
/// bytes.
pub fn save_tensors(
    path: &Path,
    tensors: &BTreeMap<String, Tensor>,
    notes: BTreeMap<String, String>,
) -> Result<()> {
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
    let values = |tensor: &Tensor| {
        tensor
            .to_dtype(candle_core::DType::F32)?
            .flatten_all()?
            .to_vec1::<f32>()
    };
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
    notes(path).is_some_and(|notes| {
        notes
            .get("format")
            .is_some_and(|format| format == "ldarnet")
            && notes.contains_key("config")
    })
}

/// The text of a safetensors file; `None` for what is no such file.
pub fn notes(path: &Path) -> Option<BTreeMap<String, String>> {
    let mut file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    Some(Header::read(path, &mut file, length).ok()?.notes())
}

/// Reads all tensors and text of a safetensors file that [`save_tensors`] wrote.
///
/// # Errors
/// A file that cannot be read, or is none of safetensors with floating-point numbers.
pub fn load_tensors(path: &Path) -> Result<(BTreeMap<String, Tensor>, BTreeMap<String, String>)> {
    let mut file = BufReader::new(File::open(path).map_err(Error::io(path))?);
    let length = file.seek(SeekFrom::End(0)).map_err(Error::io(path))?;
    file.rewind().map_err(Error::io(path))?;
    let header = Header::read(path, &mut file, length)?;
    let mut tensors = BTreeMap::new();
    for (name, (shape, place)) in header.listed(path)? {
        let tensor = place.numbers(path, &mut file, shape)?;
        tensors.insert(name, tensor);
    }
    Ok((tensors, header.notes()))
}

pub(super) fn read(path: &Path, source: &mut dyn ReadSeek, length: u64) -> Result<Checkpoint> {
    let header = Header::read(path, source, length)?;
    let mut notes = header.notes();
    let config = notes.remove("config").ok_or_else(|| {
        Error::file(path, "has no configuration: an LDARNet safetensors file holds it as JSON under 'config' in its metadata")
    })?;
    let config = serde_json::from_str(&config)
        .map_err(|e| Error::file(path, format!("its configuration is no JSON: {e}")))?;
    notes.remove("format");
    let Listing {
        config,
        notes,
        tensors: listed,
    } = Listing {
        config: Config::from_json(config)?,
        notes,
        tensors: header.listed(path)?,
    }
    .checked(length)?;
    let mut tensors = BTreeMap::new();
    for (name, (shape, place)) in listed {
        let tensor = place.numbers(path, source, shape)?;
        tensors.insert(name, tensor);
    }
    Ok(Checkpoint {
        config,
        tensors,
        notes,
    })
}

/// The header, which is sound in itself: tensors follow one another without overlap, each as long
/// as its shape says.
struct Header {
    metadata: Metadata,
    /// Where the numbers start, and how many bytes of them there are.
    numbers: (u64, u64),
}

impl Header {
    fn read(path: &Path, source: &mut dyn ReadSeek, length: u64) -> Result<Header> {
        let bad = |what: &str| {
            Error::file(
                path,
                format!("is neither a PyTorch archive nor safetensors: {what}"),
            )
        };
        if length < 8 {
            return Err(bad("it is too short"));
        }
        let mut size = [0; 8];
        source.read_exact(&mut size).map_err(Error::io(path))?;
        let size = u64::from_le_bytes(size);
        if size > (length - 8).min(MOST_HEADER) {
            return Err(bad(
                "its header would be longer than the file, or than any header",
            ));
        }
        let mut header = vec![0; size as usize];
        source.read_exact(&mut header).map_err(Error::io(path))?;
        let metadata = serde_json::from_slice(&header).map_err(|e| bad(&e.to_string()))?;
        Ok(Header {
            metadata,
            numbers: (8 + size, length - 8 - size),
        })
    }

    fn notes(&self) -> BTreeMap<String, String> {
        self.metadata
            .metadata()
            .clone()
            .unwrap_or_default()
            .into_iter()
            .collect()
    }

    fn listed(&self, path: &Path) -> Result<BTreeMap<String, (Vec<usize>, Storage)>> {
        let mut listed = BTreeMap::new();
        for (name, info) in self.metadata.tensors() {
            let (start, end) = (info.data_offsets.0 as u64, info.data_offsets.1 as u64);
            if end > self.numbers.1 {
                return Err(Error::file(
                    path,
                    format!("tensor {name} lies past the end: the file is cut off"),
                ));
            }
            let kind = match info.dtype {
                Dtype::F32 => ElementType::F32,
                Dtype::F64 => ElementType::F64,
                Dtype::F16 => ElementType::F16,
                Dtype::BF16 => ElementType::BF16,
                other => {
                    return Err(Error::file(
                        path,
                        format!("tensor {name} is {other:?}: only floating-point tensors are read"),
                    ));
                }
            };
            listed.insert(
                name,
                (
                    info.shape.clone(),
                    Storage {
                        kind,
                        start: self.numbers.0 + start,
                        bytes: (end - start) as usize,
                    },
                ),
            );
        }
        Ok(listed)
    }
}

/// Where the numbers of a tensor are.
#[derive(PartialEq)]
struct Storage {
    kind: ElementType,
    start: u64,
    bytes: usize,
}

impl Storage {
    fn numbers(&self, path: &Path, source: &mut dyn ReadSeek, shape: Vec<usize>) -> Result<Tensor> {
        let mut raw = vec![0; self.bytes];
        source
            .seek(SeekFrom::Start(self.start))
            .and_then(|_| source.read_exact(&mut raw))
            .map_err(Error::io(path))?;
        Ok(Tensor::from_vec(
            self.kind.floats(&raw),
            shape,
            &Device::Cpu,
        )?)
    }
}

/// Element types that are read; all become f32.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum ElementType {
    F32,
    F64,
    F16,
    BF16,
}

impl ElementType {
    /// Bytes of a number.
    pub fn size(self) -> usize {
        match self {
            ElementType::F64 => 8,
            ElementType::F32 => 4,
            ElementType::F16 | ElementType::BF16 => 2,
        }
    }

    /// Numbers of raw bytes.
    pub fn floats(self, raw: &[u8]) -> Vec<f32> {
        let short = |b: &[u8]| u16::from_le_bytes([b[0], b[1]]);
        raw.chunks_exact(self.size())
            .map(|b| match self {
                ElementType::F32 => f32::from_le_bytes([b[0], b[1], b[2], b[3]]),
                ElementType::F64 => {
                    f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]) as f32
                }
                ElementType::F16 => half::f16::from_bits(short(b)).to_f32(),
                ElementType::BF16 => half::bf16::from_bits(short(b)).to_f32(),
            })
            .collect()
    }
}
