//! Checkpoints that are damaged, dishonest or of another model: a clear error that names the
//! tensor, never a panic; nothing executed.
#![allow(clippy::unwrap_used)]

use candle_core::{Device, Tensor};
use ldar::model::{Checkpoint, Config, checkpoint, pickle, weights};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

fn nano() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/nano.pt")
}

/// Saves a changed copy and gives the error on opening it.
fn refused(change: impl FnOnce(&mut Checkpoint)) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("changed.safetensors");
    let mut checkpoint = Checkpoint::open(nano()).unwrap();
    change(&mut checkpoint);
    checkpoint.save(&path).unwrap();
    let error = Checkpoint::open(&path)
        .err()
        .expect("the changed checkpoint was accepted")
        .to_string();
    assert!(error.contains("changed.safetensors"), "{error}");
    error
}

#[test]
fn converts_and_reads_back() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("nano.safetensors");
    assert_eq!(checkpoint::convert(&nano(), &to).unwrap().1, 139_466);
    let (from, to) = (
        Checkpoint::open(nano()).unwrap(),
        Checkpoint::open(&to).unwrap(),
    );
    assert_eq!(from.config, to.config);
    assert!(
        !to.tensors
            .contains_key("backbone.decoder.layers.0.mixer.bwd.in_proj.weight"),
        "shared tensors are stored once"
    );
    let run = |c: &Checkpoint| {
        c.model()
            .unwrap()
            .forward(&[vec![0, 1, 2, 3, 3, 2]])
            .unwrap()
            .logits
            .to_vec2::<f32>()
            .unwrap()
    };
    assert_eq!(run(&from), run(&to));
}

#[test]
fn the_two_configurations_have_the_published_sizes() {
    for (name, parameters) in [("110m", 110_687_296), ("2m", 2_011_288)] {
        let tensors = weights::inventory(&Config::named(name).unwrap()).unwrap();
        assert_eq!(
            tensors
                .iter()
                .map(|(_, shape)| shape.iter().product::<usize>())
                .sum::<usize>(),
            parameters
        );
    }
}

#[test]
fn names_the_tensor_that_is_wrong() {
    let error = refused(|c| drop(c.tensors.remove("lm_head.weight")));
    assert!(
        error.contains("lm_head.weight") && error.contains("missing"),
        "{error}"
    );
    let error = refused(|c| {
        drop(c.tensors.insert(
            "backbone.stray".into(),
            Tensor::zeros(3, candle_core::DType::F32, &Device::Cpu).unwrap(),
        ))
    });
    assert!(error.contains("backbone.stray"), "{error}");
    let error = refused(|c| {
        let t = c.tensors["embeddings.weight"]
            .t()
            .unwrap()
            .contiguous()
            .unwrap();
        c.tensors.insert("embeddings.weight".into(), t);
    });
    assert!(
        error.contains("embeddings.weight")
            && error.contains("[32, 7]")
            && error.contains("[7, 32]"),
        "{error}"
    );
    let shared = "backbone.decoder.layers.0.mixer.bwd.in_proj.weight";
    let error = refused(|c| {
        let t = (&c.tensors["backbone.decoder.layers.0.mixer.fwd.in_proj.weight"] + 1.0).unwrap();
        c.tensors.insert(shared.into(), t);
    });
    assert!(
        error.contains(shared) && error.contains("differ"),
        "{error}"
    );
}

#[test]
fn refuses_what_is_no_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    for content in [
        &b""[..],
        b"PK",
        b"hello, this is text",
        b"PK\x03\x04 but no zip at all",
        &[0xff; 64],
    ] {
        std::fs::write(&path, content).unwrap();
        assert!(Checkpoint::open(&path).is_err());
    }
    assert!(
        Checkpoint::open(folder.path().join("absent"))
            .err()
            .unwrap()
            .to_string()
            .contains("absent")
    );
    let whole = std::fs::read(nano()).unwrap();
    for cut in [30, 1000, whole.len() / 2, whole.len() - 10] {
        std::fs::write(&path, &whole[..cut]).unwrap();
        assert!(Checkpoint::open(&path).is_err(), "cut at {cut}");
    }
}

/// The files of the archive, by their names.
fn files() -> BTreeMap<String, Vec<u8>> {
    let mut archive = zip::ZipArchive::new(std::fs::File::open(nano()).unwrap()).unwrap();
    let names: Vec<String> = archive
        .file_names()
        .map(|n| n.unwrap().into_owned())
        .collect();
    let mut read = |name: &str| {
        let mut bytes = Vec::new();
        archive
            .by_name(name)
            .unwrap()
            .read_to_end(&mut bytes)
            .unwrap();
        bytes
    };
    names
        .iter()
        .map(|name| (name.clone(), read(name)))
        .collect()
}

fn data_pkl() -> Vec<u8> {
    files()
        .into_iter()
        .find(|(name, _)| name.ends_with("data.pkl"))
        .unwrap()
        .1
}

/// The archive with another pickle, in memory.
fn with_pickle(pickle: &[u8]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in files() {
        let stored = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored);
        zip.start_file(name.as_str(), stored).unwrap();
        zip.write_all(if name.ends_with("data.pkl") {
            pickle
        } else {
            &bytes
        })
        .unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A text as the pickle has it.
fn text(text: &str) -> Vec<u8> {
    [
        b"X",
        &(text.len() as u32).to_le_bytes()[..],
        text.as_bytes(),
    ]
    .concat()
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let (mut out, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        if bytes[at..].starts_with(from) {
            out.extend(to);
            at += from.len();
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    assert_ne!(out, bytes, "nothing to replace");
    out
}

#[test]
fn what_wrappers_write_is_read() {
    let whole = Checkpoint::open(nano()).unwrap();
    let same = |bytes: &[u8]| {
        let read = Checkpoint::from_bytes("x.pt", bytes).unwrap();
        assert_eq!(
            read.tensors.keys().collect::<Vec<_>>(),
            whole.tensors.keys().collect::<Vec<_>>()
        );
        let values = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert!(
            read.tensors
                .iter()
                .all(|(name, tensor)| values(tensor) == values(&whole.tensors[name]))
        );
    };
    let pickle = data_pkl();
    same(&with_pickle(&replaced(
        &pickle,
        &text("model"),
        &text("state_dict"),
    )));
    let names: BTreeSet<String> = {
        let model = pickle::read(&pickle).unwrap().get("model").unwrap();
        let pickle::Object::Dict(model) = &model else {
            panic!()
        };
        let name = |o: &pickle::Object| {
            if let pickle::Object::Text(t) = o {
                t.to_string()
            } else {
                panic!()
            }
        };
        model.borrow().iter().map(|(key, _)| name(key)).collect()
    };
    for prefix in ["module.", "_orig_mod.", "module._orig_mod.", "model."] {
        let renamed = names.iter().fold(pickle.clone(), |p, name| {
            replaced(&p, &text(name), &text(&format!("{prefix}{name}")))
        });
        same(&with_pickle(&renamed));
    }
    // A prefix on some names alone is no wrapper's.
    let one = replaced(
        &pickle,
        &text("embeddings.weight"),
        &text("module.embeddings.weight"),
    );
    let error = Checkpoint::from_bytes("x.pt", &with_pickle(&one))
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("module.embeddings.weight"), "{error}");
}

#[test]
fn says_what_a_file_is_and_what_to_do() {
    let mut gzip = vec![0x1f, 0x8b, 8, 0];
    gzip.resize(40, 0);
    let whole = std::fs::read(nano()).unwrap();
    let index = br#"{"metadata": {"total_size": 1}, "weight_map": {"a": "model-00001-of-00002.safetensors"}}"#;
    let legacy = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.";
    for (bytes, parts) in [
        (
            &b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 440000000\n"[..],
            ["Git LFS pointer", "git lfs pull"],
        ),
        (legacy, ["before PyTorch 1.6", "torch.save"]),
        (
            index,
            ["index of a checkpoint in several files", "one .safetensors"],
        ),
        (&gzip, ["gzip", "unpack it"]),
        (
            b"<!DOCTYPE html><html><body>Sign in</body></html>",
            ["web page", "download"],
        ),
        (
            &whole[..whole.len() / 2],
            ["cut off or damaged", "download it again"],
        ),
        (
            &whole[..whole.len() - 10],
            ["cut off or damaged", "download it again"],
        ),
        (b"short", ["too short", "checkpoint"]),
    ] {
        let error = Checkpoint::from_bytes("x.pt", bytes)
            .err()
            .unwrap()
            .to_string();
        assert!(
            parts.iter().all(|part| error.contains(part)) && error.contains("x.pt"),
            "{error}"
        );
    }
}

#[test]
fn a_configuration_of_any_size_takes_no_memory() {
    let error = refused(|c| {
        let mut json = c.config.json.clone();
        json["d_model"] = serde_json::json!([1 << 20, 1 << 20]);
        json["d_intermediate"] = serde_json::json!([1 << 20, 1 << 20]);
        c.config = Config::from_json(json).unwrap();
        c.tensors.clear();
    });
    assert!(
        error.contains("parameters") && error.contains("cannot hold"),
        "{error}"
    );
}

#[test]
fn a_pickle_that_refers_to_itself_is_refused() {
    let dict = [
        &b"\x80\x02}("[..],
        &text("config"),
        b"]q\x00(h\x00h\x00e",
        &text("model"),
        b"}u.",
    ]
    .concat();
    assert_eq!(dict.len(), 37);
    let error = Checkpoint::from_bytes("x.pt", &with_pickle(&dict))
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("refers to itself"), "{error}");
    // No cycle: each of thirty lists holds the one before twice.
    let doubled: Vec<u8> = (0..30).flat_map(|_| *b"q\x000](h\x00h\x00e").collect();
    let dict = [
        &b"\x80\x02}("[..],
        &text("config"),
        b"]",
        &doubled,
        &text("model"),
        b"}u.",
    ]
    .concat();
    let error = Checkpoint::from_bytes("x.pt", &with_pickle(&dict))
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("refers to itself"), "{error}");
    // One text that is held many times.
    let long = [
        text(&"A".repeat(1 << 20)),
        b"q\x000](".to_vec(),
        b"h\x00".repeat(1000),
        b"e".to_vec(),
    ]
    .concat();
    assert!(
        pickle::read(&[&long[..], b"."].concat())
            .unwrap()
            .to_json()
            .is_err()
    );
    let most = vec![b'N'; pickle::MOST_BYTES + 1];
    assert!(
        pickle::read(&most)
            .unwrap_err()
            .to_string()
            .contains("at most")
    );
}

#[test]
fn a_pickle_can_do_nothing() {
    // os.system("touch /tmp/owned"), as `pickle.dumps` writes an object with such a __reduce__.
    let marker = std::env::temp_dir().join(format!("ldar-pickle-{}", std::process::id()));
    let command = format!("touch {}", marker.display());
    let mut evil = b"\x80\x02cposix\nsystem\nX".to_vec();
    evil.extend((command.len() as u32).to_le_bytes());
    evil.extend(command.as_bytes());
    evil.extend(b"\x85R.");
    assert!(matches!(
        pickle::read(&evil).unwrap(),
        pickle::Object::Call(..)
    ));
    assert!(!marker.exists());
}

#[test]
fn damaged_pickles_never_panic() {
    let whole = data_pkl();
    let mut state = 1_u64;
    let mut random = |n: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    };
    for _ in 0..3000 {
        let mut bytes = whole[..1 + random(whole.len())].to_vec();
        for _ in 0..random(4) {
            let at = random(bytes.len());
            bytes[at] = random(256) as u8;
        }
        if let Ok(object) = pickle::read(&bytes) {
            let _ = object.to_json();
        }
    }
    // A list that holds itself, and a million nested tuples.
    assert!(pickle::read(b"]q\x00h\x00a.").unwrap().to_json().is_err());
    let mut deep = b")".to_vec();
    deep.extend(std::iter::repeat_n(0x85, 1_000_000));
    deep.push(b'.');
    assert!(pickle::read(&deep).unwrap().to_json().is_err());
}
