use std::cell::{Cell, RefCell};

use super::*;
use crate::pipelines::{BoundarySource, Values};
use crate::stats::rng::Rng;

/// Counts the calls, and gives numbers that tell the letters.
struct Counted(Cell<usize>);

impl BoundarySource for Counted {
    fn read(&self, stretches: &[Stretch<'_>]) -> Result<Vec<Vec<f32>>> {
        self.0.set(self.0.get() + 1);
        Ok(stretches
            .iter()
            .map(|s| s.letters.iter().map(|l| f32::from(*l) / 255.0).collect())
            .collect())
    }
}

fn open(path: &Path, of: &str) -> Store {
    match Store::open(path, of).unwrap() {
        Opened::Store(store) => store,
        Opened::OfAnother(name) => panic!("answers of {name}"),
    }
}

fn calls() -> Vec<Vec<Stretch<'static>>> {
    let mut rng = Rng::new(3);
    let mut call = |n: usize| -> Vec<Stretch<'static>> {
        (0..n)
            .map(|_| Stretch::nowhere((0..50).map(|_| b"ACGT"[rng.below(4)]).collect()))
            .collect()
    };
    (0..60).map(|i| call(1 + i % 4)).collect()
}

#[test]
fn a_file_cut_anywhere_goes_on_and_nothing_is_asked_twice() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("answers.bin");
    let (calls, model) = (calls(), Counted(Cell::new(0)));
    let (mut rng, mut asked) = (Rng::new(8), 0);
    for round in 0..40 {
        // Each round reads some calls, then loses the tail of the file.
        let store = open(&path, "model a");
        let kept = store.len();
        let store = RefCell::new(store);
        let remembering = Remembering::new("", &model, &store, None);
        for call in &calls[..(round * 2).min(calls.len())] {
            assert_eq!(
                remembering.read(call).unwrap(),
                Counted(Cell::new(0)).read(call).unwrap()
            );
        }
        asked += (round * 2).min(calls.len()).saturating_sub(kept);
        assert_eq!(model.0.get(), asked, "round {round}");
        drop(store);
        let length = std::fs::metadata(&path).unwrap().len();
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(length.saturating_sub(rng.below(1200) as u64))
            .unwrap();
    }
    // A broken byte drops its record and what follows; the head's kind is never taken for another
    // file's.
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    assert!(
        Store::open_finished(&path, "model a")
            .unwrap_err()
            .to_string()
            .contains("damaged")
    );
    let kept = open(&path, "model a").len();
    assert!(kept > 5 && kept < 40, "{kept}");
    assert!(
        Store::open_finished(&path, "model a").is_ok(),
        "it was cut behind its last sound record"
    );
}

#[test]
fn other_models_other_files_and_other_processes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("answers.bin");
    let mut store = open(&path, "model a");
    store.put([1; 16], &[vec![0.5, f32::NAN]]).unwrap();
    assert!(
        Store::open(&path, "model a")
            .unwrap_err()
            .to_string()
            .contains("another process")
    );
    drop(store);
    assert!(
        Store::open_finished(&path, "model b")
            .unwrap_err()
            .to_string()
            .contains("another model")
    );
    assert!(open(&path, "model a").get(&[1; 16]).unwrap().unwrap()[0][1].is_nan());
    // Those of another model stay.
    let found = Store::open(&path, "model b").unwrap();
    assert!(
        matches!(found, Opened::OfAnother(other) if other == name("model a") && other != name("model b"))
    );
    assert_eq!(open(&path, "model a").len(), 1);
    std::fs::write(&path, "somebody's notes").unwrap();
    assert!(
        Store::open(&path, "model a")
            .unwrap_err()
            .to_string()
            .contains("no file of answers")
    );
    assert_eq!(std::fs::read(&path).unwrap(), b"somebody's notes");
    std::fs::write(&path, &KIND[..5]).unwrap();
    assert!(
        open(&path, "model a").is_empty(),
        "killed while the head was written"
    );
}

#[test]
fn parts_together_are_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    let calls = calls();
    let mut stores = Vec::new();
    for index in 0..7 {
        let (path, model) = (folder.path().join(index.to_string()), Counted(Cell::new(0)));
        let store = RefCell::new(open(&path, "m"));
        let part = Remembering::new("", &model, &store, Some(Part { index, of: 7 }));
        assert!(part.is_part());
        let answered = calls
            .iter()
            .filter(|call| !part.read(call).unwrap().is_empty())
            .count();
        assert_eq!(
            (answered, store.borrow().len()),
            (model.0.get(), model.0.get())
        );
        drop(store);
        stores.push(Store::open_finished(&path, "m").unwrap());
    }
    assert_eq!(stores.iter().map(Store::len).sum::<usize>(), calls.len());
    assert!(
        stores.iter().all(|store| store.len() >= 2),
        "dealt evenly enough"
    );
    let stores = RefCell::new(stores);
    let merged = Merged::new("", &stores, Values::Probabilities, true);
    for call in &calls {
        assert_eq!(
            merged.read(call).unwrap(),
            Counted(Cell::new(0)).read(call).unwrap()
        );
    }
    let stores: Vec<Store> = (1..7)
        .map(|index| Store::open_finished(&folder.path().join(index.to_string()), "m").unwrap())
        .collect();
    let stores = RefCell::new(stores);
    let some = Merged::new("", &stores, Values::Probabilities, true);
    assert!(calls.iter().any(|call| {
        some.read(call)
            .is_err_and(|e| e.to_string().contains("no shard holds"))
    }));
}

#[test]
fn answers_of_several_are_not_mixed() {
    let folder = tempfile::tempdir().unwrap();
    let store = RefCell::new(open(&folder.path().join("answers.bin"), "a and b"));
    let (a, b, calls) = (Counted(Cell::new(0)), Counted(Cell::new(0)), calls());
    for _ in 0..2 {
        Remembering::new("a", &a, &store, None)
            .read(&calls[0])
            .unwrap();
        Remembering::new("b", &b, &store, None)
            .read(&calls[0])
            .unwrap();
    }
    assert_eq!((a.0.get(), b.0.get(), store.borrow().len()), (1, 1, 2));
}

/// NaN is no answer but of a stage that does not see all bases; what is no probability never is.
#[test]
fn shards_of_broken_answers_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("answers.bin");
    let calls = [b"A", b"C", b"G"].map(|letter| [Stretch::nowhere(letter.to_vec())]);
    let mut store = open(&path, "m");
    for (call, value) in calls.iter().zip([0.5, f32::NAN, 1.5]) {
        store.put(key("", call), &[vec![value]]).unwrap();
    }
    drop(store);
    let stores = RefCell::new(vec![Store::open_finished(&path, "m").unwrap()]);
    for (sees_all, expected) in [(true, [true, false, false]), (false, [true, true, false])] {
        let merged = Merged::new("", &stores, Values::Probabilities, sees_all);
        assert_eq!(
            calls.each_ref().map(|call| merged.read(call).is_ok()),
            expected
        );
        let message = merged.read(&calls[2]).unwrap_err().to_string();
        assert!(
            message.contains("answers.bin: holds 1.5 for a boundary probability"),
            "{message}"
        );
    }
}
