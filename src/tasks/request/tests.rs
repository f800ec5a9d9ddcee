use super::*;
use std::path::Path;

fn write(folder: &Path, name: &str, text: &str) -> TableSource {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    TableSource::File(path)
}

fn request(folder: &Path, train: &str, valid: &str, test: &str) -> TaskRequest {
    let table = |text: &str| format!("sequence,label\n{text}");
    TaskRequest {
        data: write(folder, "train.csv", &table(train)),
        plan: Plan::Given {
            valid: write(folder, "dev.csv", &table(valid)),
            seeds: vec![7, 8],
        },
        test: write(folder, "test.csv", &table(test)),
        columns: Columns::default(),
        regression: false,
        longest: 100,
    }
}

fn classes_of(targets: &Targets) -> (Vec<u32>, Vec<&str>) {
    let Targets::Classes { labels, names } = targets else {
        panic!("no classes")
    };
    (labels.clone(), names.iter().map(String::as_str).collect())
}

#[test]
fn files_become_a_task() {
    let folder = tempfile::tempdir().unwrap();
    let request = request(
        folder.path(),
        "AC,10\nAG,2\nAT,1.0\n",
        "CC,01\nCRC,10\n",
        "GG,2\n",
    );
    let task = request.load().unwrap();
    assert_eq!(
        classes_of(&task.data.targets),
        (vec![2, 1, 0, 0, 2], vec!["1", "2", "10"])
    );
    assert_eq!(
        classes_of(&task.test.targets),
        (vec![1], vec!["1", "2", "10"])
    );
    assert_eq!(task.partitions.len(), 2);
    let Partition {
        fold,
        seed,
        train,
        valid,
    } = &task.partitions[1];
    assert_eq!(
        (*fold, *seed, &train[..], &valid[..]),
        (0, 8, &[0, 1, 2][..], &[3, 4][..])
    );
    assert_eq!(
        (
            task.data.names[3].as_str(),
            task.data.sequences[4].as_slice()
        ),
        ("dev.csv:2", &b"CNC"[..])
    );
    assert_eq!(task.notes.len(), 2, "{:?}", task.notes);
    assert!(
        task.notes[0].contains("1 letters of 1 sequences")
            && task.notes[1].contains("no row of class '1', '10'")
    );
    assert_eq!(
        task.data.select(&[4, 0]).sequences,
        [b"CNC".to_vec(), b"AC".to_vec()]
    );
}

#[test]
fn folds_and_shares_of_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let rows: String = (0..20)
        .map(|i| format!("AC,{}\n", ["yes", "no"][i % 2]))
        .collect();
    let mut request = request(folder.path(), &rows, "", "GG,no\n");
    request.plan = Plan::Folds { k: 4, seed: 42 };
    let task = request.load().unwrap();
    assert_eq!(
        task.partitions
            .iter()
            .map(|p| (p.fold, p.seed, p.valid.len()))
            .collect::<Vec<_>>(),
        [(0, 42, 5), (1, 42, 5), (2, 42, 5), (3, 42, 5)]
    );
    assert_eq!(classes_of(&task.test.targets), (vec![0], vec!["no", "yes"]));
    request.plan = Plan::Share {
        share: 0.1,
        seeds: vec![1, 2],
    };
    let task = request.load().unwrap();
    assert_eq!(
        task.partitions
            .iter()
            .map(|p| (p.seed, p.train.len(), p.valid.len()))
            .collect::<Vec<_>>(),
        [(1, 18, 2), (2, 18, 2)]
    );
    assert_ne!(task.partitions[0].valid, task.partitions[1].valid);
    for (plan, part) in [
        (Plan::Folds { k: 21, seed: 1 }, "21 folds of 20 rows"),
        (
            Plan::Share {
                share: 1.0,
                seeds: vec![1],
            },
            "a share of 1",
        ),
    ] {
        request.plan = plan;
        assert!(request.load().unwrap_err().to_string().contains(part));
    }
}

#[test]
fn numbers_to_predict() {
    let folder = tempfile::tempdir().unwrap();
    let mut request = request(folder.path(), "AC,0.5\nAG,-2\n", "CC,1e3\n", "GG,7\n");
    request.regression = true;
    let task = request.load().unwrap();
    assert_eq!(
        (&task.data.targets, &task.test.targets),
        (
            &Targets::Values(vec![0.5, -2.0, 1000.0]),
            &Targets::Values(vec![7.0])
        )
    );
    assert_eq!(
        (task.data.targets.width(), task.data.targets.labels().len()),
        (1, 0)
    );
    request.test = write(folder.path(), "test.csv", "sequence,label\nAC,NaN\n");
    assert!(
        request
            .load()
            .unwrap_err()
            .to_string()
            .contains("test.csv:2: label 'NaN' is no finite number")
    );
}

#[test]
fn labels_that_cannot_be_learned() {
    let folder = tempfile::tempdir().unwrap();
    for (train, valid, test, part) in [
        (
            "AC,a\nAG,b\n",
            "CC,a\n",
            "GG,a\nGG,c\n",
            "test.csv:3: class 'c' is in no training row; there are 'a', 'b'",
        ),
        (
            "AC,a\nAG,b\n",
            "CC,c\n",
            "GG,a\n",
            "class 'c' is in no training row of fold 0, seed 7: it is seen in validation only",
        ),
        (
            "AC,a\nAG,a\n",
            "CC,a\n",
            "GG,a\n",
            "train.csv: all rows are of class 'a'",
        ),
    ] {
        let message = request(folder.path(), train, valid, test)
            .load()
            .unwrap_err()
            .to_string();
        assert!(message.contains(part), "{message} has no '{part}'");
    }
    let many: String = (0..1001).map(|i| format!("AC,{i}.5\n")).collect();
    assert!(
        request(folder.path(), &many, "CC,1.5\n", "GG,1.5\n")
            .load()
            .unwrap_err()
            .to_string()
            .contains("--regression")
    );
}

#[test]
fn a_task_has_the_name_of_its_folder_or_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("mouse_2")).unwrap();
    let mut request = request(folder.path(), "AC,0\nAC,1\n", "AC,0\n", "AC,1\n");
    for (name, want) in [("mouse_2/test.csv", "mouse_2"), ("mine.csv", "mine")] {
        request.test = write(folder.path(), name, "sequence,label\nAC,1\n");
        assert_eq!(request.load().unwrap().name, want);
    }
}
