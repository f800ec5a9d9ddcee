use super::*;
use serde_json::json;

fn manifest(shard: u32) -> Manifest {
    let words =
        ["x/ldar-analyze", "splice-profile", "--genome", "g.fa", "--shard", "1/3", "--annotation=a b.gtf", "--out=s1", "--threads", "4"];
    let input = |role: &str, path: &str| Input { role: role.into(), path: path.into(), bytes: 1, sha256: format!("{role}-sum") };
    Manifest {
        tool: "t".into(),
        analysis: "splice-profile".into(),
        shard,
        of: 3,
        calls: 0,
        model: "m".into(),
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
    assert_eq!(words[1..], ["splice-profile", "--genome", "g.fa", "--annotation=/new/a.gtf", "--out", "all"]);
}

#[test]
fn shards_of_other_runs_and_missing_ones_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str, manifest: &Manifest| {
        let place = folder.path().join(name);
        std::fs::create_dir_all(&place).unwrap();
        std::fs::write(place.join("manifest.json"), serde_json::to_string(manifest).unwrap()).unwrap();
        place
    };
    let (a, b, c) = (place("a", &manifest(1)), place("b", &manifest(2)), place("c", &manifest(3)));
    let open = |folders: &[&PathBuf]| {
        let folders: Vec<PathBuf> = folders.iter().map(|f| f.to_path_buf()).collect();
        Shards::open(&folders, Path::new("out"), &[]).map(drop).map_err(|e| e.to_string())
    };
    assert!(open(&[&c, &a, &b]).is_ok());
    assert!(open(&[&a, &c]).unwrap_err().contains("missing: 2/3;"));
    assert!(open(&[&a, &b, &place("again", &manifest(2)), &c]).unwrap_err().contains("as is"));
    assert!(open(&[&a, &folder.path().join("none")]).unwrap_err().contains("is no finished shard"));
    let seed = place("seed", &Manifest { parameters: json!({"seed": 2, "batch": 4}), ..manifest(2) });
    assert!(open(&[&a, &seed, &c]).unwrap_err().contains("they differ in seed (1, 2)"));
    let mut other = manifest(2);
    other.inputs[0].sha256 = "else".into();
    assert!(open(&[&a, &place("genome", &other), &c]).unwrap_err().contains("the genome (g.fa)"));
    let model = place("model", &Manifest { model: "n".into(), ..manifest(2) });
    assert!(open(&[&a, &model, &c]).unwrap_err().contains("the model"));
}
