use super::*;
use serde_json::json;

fn manifest(shard: u32) -> Manifest {
    let words = [
        "x/ldar-analyze",
        "splice-profile",
        "--genome",
        "g.fa",
        "--shard",
        "1/3",
        "--annotation=a b.gtf",
        "--out=s1",
        "--threads",
        "4",
    ];
    let input = |role: &str, path: &str| Input {
        role: role.into(),
        path: path.into(),
        bytes: 1,
        sha256: format!("{role}-sum"),
    };
    Manifest {
        tool: "t".into(),
        analysis: "splice-profile".into(),
        shard,
        of: 3,
        calls: 0,
        model: Model {
            answers: "m".into(),
            dtype: "bf16 (CUDA)".into(),
            device: "cuda:0".into(),
            trained_length: Some(2048),
            facts: json!({"parameters": 3}),
        },
        command: words.map(String::from).to_vec(),
        folder: "/nowhere".into(),
        parameters: json!({"seed": 1, "batch": 4}),
        inputs: vec![input("genome", "g.fa"), input("annotation", "a b.gtf")],
    }
}

#[test]
fn the_whole_command_comes_back() {
    let inputs = [("a b.gtf".to_string(), "/new/a.gtf".to_string())];
    let words = command(&manifest(1), Path::new("all"), &inputs);
    assert_eq!(
        words[1..],
        [
            "splice-profile",
            "--genome",
            "g.fa",
            "--annotation=/new/a.gtf",
            "--out",
            "all"
        ]
    );
}

#[test]
fn shards_of_other_runs_and_missing_ones_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str, manifest: &Manifest| {
        let place = folder.path().join(name);
        std::fs::create_dir_all(&place).unwrap();
        std::fs::write(
            place.join("manifest.json"),
            serde_json::to_string(manifest).unwrap(),
        )
        .unwrap();
        place
    };
    let (a, b, c) = (
        place("a", &manifest(1)),
        place("b", &manifest(2)),
        place("c", &manifest(3)),
    );
    let open = |folders: &[&PathBuf]| {
        let folders: Vec<PathBuf> = folders.iter().map(|f| f.to_path_buf()).collect();
        Shards::open(&folders, Path::new("out"), &[])
            .map(drop)
            .map_err(|e| e.to_string())
    };
    assert!(open(&[&c, &a, &b]).is_ok());
    assert!(open(&[&a, &c]).unwrap_err().contains("missing: 2/3;"));
    assert!(
        open(&[&a, &b, &place("again", &manifest(2)), &c])
            .unwrap_err()
            .contains("as is")
    );
    assert!(
        open(&[&a, &folder.path().join("none")])
            .unwrap_err()
            .contains("is no finished shard")
    );
    let seed = place(
        "seed",
        &Manifest {
            parameters: json!({"seed": 2, "batch": 4}),
            ..manifest(2)
        },
    );
    assert!(
        open(&[&a, &seed, &c])
            .unwrap_err()
            .contains("they differ in seed (1, 2)")
    );
    let mut other = manifest(2);
    other.inputs[0].sha256 = "else".into();
    assert!(
        open(&[&a, &place("genome", &other), &c])
            .unwrap_err()
            .contains("the genome (g.fa)")
    );
    let model = place(
        "model",
        &Manifest {
            model: Model {
                answers: "n".into(),
                ..manifest(2).model
            },
            ..manifest(2)
        },
    );
    assert!(open(&[&a, &model, &c]).unwrap_err().contains("the model"));
}

/// What the shards say is what the run is told of its model.
#[test]
fn the_model_is_that_of_the_shards() {
    let folder = tempfile::tempdir().unwrap();
    let place = |shard: u32| {
        let mut manifest = manifest(shard);
        // Another version, and another GPU of the machine, make no other answers.
        manifest.tool = format!("t {shard}");
        manifest.model.device = format!("cuda:{shard}");
        manifest.command = [
            "x",
            "density",
            "--checkpoint",
            "ldarnet-110m",
            "--genome=g.fa",
        ]
        .map(String::from)
        .to_vec();
        manifest.inputs.push(Input {
            role: "checkpoint".into(),
            path: "/gone/ldar-analyze/ldarnet-110m/1/model.safetensors".into(),
            bytes: 1,
            sha256: "c".into(),
        });
        let place = folder.path().join(shard.to_string());
        std::fs::create_dir(&place).unwrap();
        std::fs::write(
            place.join("manifest.json"),
            serde_json::to_string(&manifest).unwrap(),
        )
        .unwrap();
        place
    };
    let shards = Shards::open(&[place(1), place(2), place(3)], Path::new("out"), &[]).unwrap();
    assert_eq!(
        (shards.model().dtype.as_str(), shards.model().trained_length),
        ("bf16 (CUDA)", Some(2048))
    );
    assert_eq!(shards.checkpoint(0).unwrap().sha256, "c");
    assert!(shards.checkpoint(1).is_err());
    assert_eq!(shards.command()[3], "ldarnet-110m");
    assert_eq!(
        shards.words()[3],
        "/gone/ldar-analyze/ldarnet-110m/1/model.safetensors"
    );
}
