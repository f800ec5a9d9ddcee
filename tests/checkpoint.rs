//! Checkpoints that are damaged, dishonest or of another model: a clear error that names the tensor, never a panic; nothing executed.
#![allow(clippy::unwrap_used)]

use candle_core::{Device, Tensor};
use ldar::model::{Checkpoint, Config, checkpoint, pickle, weights};
use std::io::Read;
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
    let error = Checkpoint::open(&path).err().expect("the changed checkpoint was accepted").to_string();
    assert!(error.contains("changed.safetensors"), "{error}");
    error
}

#[test]
fn converts_and_reads_back() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("nano.safetensors");
    assert_eq!(checkpoint::convert(&nano(), &to).unwrap().1, 139_466);
    let (from, to) = (Checkpoint::open(nano()).unwrap(), Checkpoint::open(&to).unwrap());
    assert_eq!(from.config, to.config);
    assert!(!to.tensors.contains_key("backbone.decoder.layers.0.mixer.bwd.in_proj.weight"), "shared tensors are stored once");
    let run = |c: &Checkpoint| c.model().unwrap().forward(&[vec![0, 1, 2, 3, 3, 2]]).unwrap().logits.to_vec2::<f32>().unwrap();
    assert_eq!(run(&from), run(&to));
}

#[test]
fn the_two_configurations_have_the_published_sizes() {
    for (name, parameters) in [("110m", 110_687_296), ("2m", 2_011_288)] {
        let tensors = weights::inventory(&Config::named(name).unwrap()).unwrap();
        assert_eq!(tensors.iter().map(|(_, shape)| shape.iter().product::<usize>()).sum::<usize>(), parameters);
    }
}

#[test]
fn names_the_tensor_that_is_wrong() {
    let error = refused(|c| drop(c.tensors.remove("lm_head.weight")));
    assert!(error.contains("lm_head.weight") && error.contains("missing"), "{error}");
    let error =
        refused(|c| drop(c.tensors.insert("backbone.stray".into(), Tensor::zeros(3, candle_core::DType::F32, &Device::Cpu).unwrap())));
    assert!(error.contains("backbone.stray"), "{error}");
    let error = refused(|c| {
        let t = c.tensors["embeddings.weight"].t().unwrap().contiguous().unwrap();
        c.tensors.insert("embeddings.weight".into(), t);
    });
    assert!(error.contains("embeddings.weight") && error.contains("[32, 7]") && error.contains("[7, 32]"), "{error}");
    let shared = "backbone.decoder.layers.0.mixer.bwd.in_proj.weight";
    let error = refused(|c| {
        let t = (&c.tensors["backbone.decoder.layers.0.mixer.fwd.in_proj.weight"] + 1.0).unwrap();
        c.tensors.insert(shared.into(), t);
    });
    assert!(error.contains(shared) && error.contains("differ"), "{error}");
}

#[test]
fn refuses_what_is_no_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    for content in [&b""[..], b"PK", b"hello, this is text", b"PK\x03\x04 but no zip at all", &[0xff; 64]] {
        std::fs::write(&path, content).unwrap();
        assert!(Checkpoint::open(&path).is_err());
    }
    assert!(Checkpoint::open(folder.path().join("absent")).err().unwrap().to_string().contains("absent"));
    let whole = std::fs::read(nano()).unwrap();
    for cut in [30, 1000, whole.len() / 2, whole.len() - 10] {
        std::fs::write(&path, &whole[..cut]).unwrap();
        assert!(Checkpoint::open(&path).is_err(), "cut at {cut}");
    }
}

fn data_pkl() -> Vec<u8> {
    let mut archive = zip::ZipArchive::new(std::fs::File::open(nano()).unwrap()).unwrap();
    let name = archive.file_names().map(|n| n.unwrap().into_owned()).find(|n| n.ends_with("data.pkl")).unwrap();
    let mut bytes = Vec::new();
    archive.by_name(&name).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
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
    assert!(matches!(pickle::read(&evil).unwrap(), pickle::Object::Call(..)));
    assert!(!marker.exists());
}

#[test]
fn damaged_pickles_never_panic() {
    let whole = data_pkl();
    let mut state = 1_u64;
    let mut random = |n: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
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
    assert!(pickle::read(b"]q\x00h\x00a.").is_ok_and(|o| o.to_json().is_array()));
    let mut deep = b")".to_vec();
    deep.extend(std::iter::repeat_n(0x85, 1_000_000));
    deep.push(b'.');
    assert!(pickle::read(&deep).is_ok_and(|o| o.to_json().is_array()));
}
