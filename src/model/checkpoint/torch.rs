//! A `.pt`: a zip of one pickle and one stored file per storage of tensors. The pickle is read as
//! data ([`pickle`]), and only the tensors of the model are touched, one storage at a time, so an
//! optimizer state that rides along costs nothing.

use super::plain::ElementType;
use super::{Checkpoint, Listing, ReadSeek};
use crate::model::config::Config;
use crate::model::pickle::{self, Object};
use crate::{Error, Result};
use candle_core::{Device, Tensor};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use zip::ZipArchive;

pub(super) fn read(path: &Path, source: &mut dyn ReadSeek, length: u64) -> Result<Checkpoint> {
    let mut archive = Archive::open(path, source)?;
    if let Some(order) = archive.read("byteorder", 16)?
        && order != b"little"
    {
        return Err(Error::file(
            path,
            "holds big-endian tensors, which are not read",
        ));
    }
    let payload = archive
        .read("data.pkl", pickle::MOST_BYTES as u64)?
        .unwrap_or_default();
    let payload = pickle::read(&payload)?;
    let config = payload.get("config").ok_or_else(|| {
        Error::file(
            path,
            "has no 'config' beside its tensors: save a dict with the model's configuration under 'config' and its tensors under 'model'",
        )
    })?;
    let tensors = ["model", "state_dict", "model_state_dict"]
        .iter()
        .find_map(|key| match payload.get(key) {
            Some(model @ Object::Dict(_)) => Some(model),
            _ => None,
        });
    let Some(Object::Dict(tensors)) = &tensors else {
        return Err(Error::file(
            path,
            "has no dict of tensors under 'model' or 'state_dict'",
        ));
    };
    let mut notes = BTreeMap::new();
    if let Some(Object::Int(step)) = payload.get("step") {
        notes.insert("step".to_string(), step.to_string());
    }
    let mut listing = Listing {
        config: Config::from_json(config.to_json()?)?,
        notes,
        tensors: BTreeMap::new(),
    };
    for (key, value) in tensors.borrow().iter() {
        if let Object::Text(name) = key {
            listing
                .tensors
                .insert(name.to_string(), stored(name, value)?);
        }
    }
    let Listing {
        config,
        notes,
        tensors: listed,
    } = listing.checked(length)?;
    let mut storages: BTreeMap<String, Vec<(String, Vec<usize>, View)>> = BTreeMap::new();
    for (name, (shape, view)) in listed {
        storages
            .entry(view.storage.clone())
            .or_default()
            .push((name, shape, view));
    }
    let (mut tensors, mut left) = (BTreeMap::new(), length);
    for (storage, views) in storages {
        let missing = || Error::file(path, format!("has no file of numbers data/{storage}"));
        let raw = archive
            .read(&format!("data/{storage}"), left)?
            .ok_or_else(missing)?;
        left -= raw.len() as u64;
        for (name, shape, view) in views {
            let tensor = view.numbers(&name, shape, &raw)?;
            tensors.insert(name, tensor);
        }
    }
    Ok(Checkpoint {
        config,
        tensors,
        notes,
    })
}

/// The files of an archive, below the folder of its `data.pkl`.
struct Archive<'a> {
    path: &'a Path,
    zip: ZipArchive<&'a mut dyn ReadSeek>,
    folder: String,
}

impl<'a> Archive<'a> {
    fn open(path: &'a Path, source: &'a mut dyn ReadSeek) -> Result<Archive<'a>> {
        let damaged = |e| {
            Error::file(
                path,
                format!(
                    "is a PyTorch archive that is cut off or damaged ({e}): copy or download it again"
                ),
            )
        };
        let zip = ZipArchive::new(source).map_err(damaged)?;
        let names = zip.file_names().filter_map(|name| name.ok());
        let folder = names
            .filter_map(|name| {
                name.strip_suffix("data.pkl")
                    .filter(|folder| folder.ends_with('/'))
                    .map(String::from)
            })
            .next();
        let folder = folder.ok_or_else(|| {
            Error::file(path, "is a zip without data.pkl, so no PyTorch checkpoint")
        })?;
        Ok(Archive { path, zip, folder })
    }

    /// A file of at most so many bytes; `None` where there is none.
    fn read(&mut self, name: &str, most: u64) -> Result<Option<Vec<u8>>> {
        let wrong = |what: &str| Error::file(self.path, format!("{name} {what}"));
        let mut entry = match self.zip.by_name(&format!("{}{name}", self.folder)) {
            Ok(entry) => entry,
            Err(zip::result::ZipError::FileNotFound) => return Ok(None),
            Err(e) => {
                return Err(wrong(&format!(
                    "cannot be read ({e}): the file is damaged or cut off"
                )));
            }
        };
        // torch.save stores its files as they are: what is packed could unpack to any size.
        if entry.compression() != zip::CompressionMethod::Stored {
            return Err(wrong("is compressed, which torch.save never does"));
        }
        if entry.size() > most {
            return Err(wrong(&format!(
                "would have {} bytes, more than can be: the file is damaged",
                entry.size()
            )));
        }
        let mut bytes = Vec::new();
        let read = (&mut entry).take(most + 1).read_to_end(&mut bytes);
        read.map_err(|e| {
            wrong(&format!(
                "cannot be read ({e}): the file is damaged or cut off"
            ))
        })?;
        if bytes.len() as u64 > most {
            return Err(wrong("is longer than it says: the file is damaged"));
        }
        Ok(Some(bytes))
    }
}

/// Where the numbers of a tensor lie.
#[derive(PartialEq)]
struct View {
    /// The name of the file.
    storage: String,
    kind: ElementType,
    /// In numbers, from the start of the file.
    offset: usize,
    /// Numbers from one index to the next, for each dimension.
    stride: Vec<usize>,
}

/// The shape of a tensor of the pickle, and where it lies.
fn stored(name: &str, object: &Object) -> Result<(Vec<usize>, View)> {
    let wrong = |what: &str| Error::Invalid(format!("tensor {name}: {what}"));
    let size = |o: &Object| {
        if let Object::Int(i) = o {
            usize::try_from(*i).ok()
        } else {
            None
        }
    };
    let sizes = |o: &Object| {
        if let Object::Tuple(items) = o {
            items.iter().map(size).collect::<Option<Vec<_>>>()
        } else {
            None
        }
    };
    let mut object = object;
    // A parameter wraps its tensor.
    while let Object::Call(callee, arguments) = object
        && let (Object::Class(_, function), [tensor, ..]) = (&**callee, &arguments[..])
        && &**function == "_rebuild_parameter"
    {
        object = tensor;
    }
    let Object::Call(callee, arguments) = object else {
        return Err(wrong("is not a tensor"));
    };
    match (&**callee, &arguments[..]) {
        (Object::Class(_, function), [Object::Persistent(id), offset, shape, stride, ..])
            if &**function == "_rebuild_tensor_v2" =>
        {
            let Object::Tuple(id) = &**id else {
                return Err(wrong("its storage has no id"));
            };
            let [_, Object::Class(_, storage), Object::Text(key), ..] = &id[..] else {
                return Err(wrong("its storage has no id"));
            };
            let kind = match &**storage {
                "FloatStorage" => ElementType::F32,
                "DoubleStorage" => ElementType::F64,
                "HalfStorage" => ElementType::F16,
                "BFloat16Storage" => ElementType::BF16,
                other => {
                    return Err(wrong(&format!(
                        "is a {other}: only floating-point tensors are read"
                    )));
                }
            };
            match (size(offset), sizes(shape), sizes(stride)) {
                (Some(offset), Some(shape), Some(stride)) if shape.len() == stride.len() => Ok((
                    shape,
                    View {
                        storage: key.to_string(),
                        kind,
                        offset,
                        stride,
                    },
                )),
                _ => Err(wrong("has no readable shape")),
            }
        }
        _ => Err(wrong("is not a dense tensor")),
    }
}

impl View {
    /// Picks the numbers out of their storage.
    fn numbers(&self, name: &str, shape: Vec<usize>, raw: &[u8]) -> Result<Tensor> {
        let available = raw.len() / self.kind.size();
        let count = shape.iter().try_fold(1_usize, |n, &s| n.checked_mul(s));
        let last = shape
            .iter()
            .zip(&self.stride)
            .try_fold(self.offset, |at, (&n, &s)| {
                at.checked_add(n.checked_sub(1)?.checked_mul(s)?)
            });
        let (Some(count), Some(true)) = (
            count.filter(|&n| n <= available),
            last.map(|l| l < available),
        ) else {
            return Err(Error::Invalid(format!(
                "tensor {name} {:?} reaches past its storage of {available} numbers",
                shape
            )));
        };
        let mut expected = 1;
        let contiguous = shape.iter().zip(&self.stride).rev().all(|(&n, &s)| {
            let fits = n == 1 || s == expected;
            expected *= n;
            fits
        });
        let size = self.kind.size();
        let values = if contiguous {
            self.kind
                .floats(&raw[self.offset * size..(self.offset + count) * size])
        } else {
            let all = self.kind.floats(raw);
            let mut index = vec![0; shape.len()];
            (0..count)
                .map(|_| {
                    let at: usize = self.offset
                        + index
                            .iter()
                            .zip(&self.stride)
                            .map(|(i, s)| i * s)
                            .sum::<usize>();
                    for (i, &n) in index.iter_mut().zip(&shape).rev() {
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
        Ok(Tensor::from_vec(values, shape, &Device::Cpu)?)
    }
}
