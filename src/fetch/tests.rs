use super::sources;
use super::*;

#[test]
fn sources_are_sound() {
    let sets = sources::all().unwrap();
    let mut names: Vec<&str> = sets.iter().map(|set| set.name.as_str()).collect();
    names.dedup();
    assert_eq!(
        names,
        [
            "human",
            "mouse",
            "yeast",
            "jaspar",
            "epd-human",
            "ldarnet-110m",
            "thaliana-chr1",
            "lyrata-chr1-2",
            "arenosa-chr1-2",
            "pombe"
        ]
    );
    for set in &sets {
        assert!(
            !set.about.is_empty()
                && !set.licence.is_empty()
                && !set.unverified.is_empty()
                && set.site.starts_with("https://")
        );
        let mut paths = std::collections::BTreeSet::new();
        let variants = set.variants();
        let choices = if variants.is_empty() {
            vec![None]
        } else {
            variants.iter().map(|v| Some(*v)).collect()
        };
        for variant in choices {
            let wanted = set.choose(None, variant).unwrap();
            assert!(
                wanted
                    .files
                    .iter()
                    .filter(|file| file.role == wanted.files[0].role)
                    .count()
                    == 1
            );
            for file in &wanted.files {
                assert!(
                    file.url.starts_with("https://") && !file.url.contains(['{', '}']),
                    "{}",
                    file.url
                );
                assert!(
                    !file.name.is_empty() && !file.starts.is_empty() && file.about_bytes > 0,
                    "{}",
                    file.url
                );
                assert!(file.sha256.as_ref().is_none_or(|sum| sum.len() == 64));
                paths.insert(file.url.clone());
            }
        }
        assert!(paths.len() >= set.roles().len());
    }
}

#[test]
fn releases_and_variants_name_files() {
    let human = sources::named("human").unwrap();
    let wanted = human.choose(Some("49"), Some("comprehensive")).unwrap();
    assert_eq!(wanted.folder(), "human-49");
    let base = "https://ftp.ebi.ac.uk/pub/databases/gencode/Gencode_human/release_49";
    let urls: Vec<&str> = wanted.files.iter().map(|file| file.url.as_str()).collect();
    assert_eq!(
        urls,
        [
            format!("{base}/GRCh38.primary_assembly.genome.fa.gz"),
            format!("{base}/gencode.v49.primary_assembly.annotation.gtf.gz")
        ]
    );
    assert_eq!(wanted.checksums, Some(format!("{base}/MD5SUMS")));
    for (release, variant, part) in [
        (Some("../49"), None, "letters and digits"),
        (Some(""), None, "letters"),
        (None, Some("full"), "basic, comprehensive"),
    ] {
        assert!(
            human
                .choose(release, variant)
                .unwrap_err()
                .to_string()
                .contains(part)
        );
    }
    assert!(
        sources::named("rat")
            .unwrap_err()
            .to_string()
            .contains("human, mouse")
    );
    let model = sources::named("ldarnet-110m")
        .unwrap()
        .choose(None, None)
        .unwrap();
    assert_eq!(model.files[0].final_name(), "model_ckpt_110m.safetensors");
    let url = sources::mirrored(&wanted.files[0].url, Some("http://127.0.0.1:8000/copy/"));
    assert_eq!(
        url,
        "http://127.0.0.1:8000/copy/pub/databases/gencode/Gencode_human/release_49/GRCh38.primary_assembly.genome.fa.gz"
    );
}

#[test]
fn sums_are_found_by_the_name_of_their_file() {
    let sum = "0123456789abcdef0123456789ABCDEF";
    let sums = format!(
        "# comment\nshort  b.gz\n{sum}  ./_old/a.gz.bak\n{sum} *./x/a.gz\n{}  b.gz\n",
        "f".repeat(32)
    );
    assert_eq!(
        checksum::md5_of(&sums, "a.gz").unwrap(),
        sum.to_ascii_lowercase()
    );
    assert_eq!(checksum::md5_of(&sums, "b.gz").unwrap(), "f".repeat(32));
    assert_eq!(checksum::md5_of(&sums, "c.gz"), None);
}

#[test]
fn a_name_that_is_not_there_says_how_to_get_it() {
    let cache = tempfile::tempdir().unwrap();
    let error = cache::find(cache.path(), "human", "genome")
        .unwrap_err()
        .to_string();
    assert!(error.ends_with("Run: ldar-analyze fetch human"), "{error}");
    let error = cache::find(cache.path(), "jaspar", "genome")
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("holds no genome") && error.contains("./jaspar"),
        "{error}"
    );
}

#[test]
fn without_a_checksum_a_gzip_is_read_to_its_end() {
    use std::io::Write;
    let folder = tempfile::tempdir().unwrap();
    let part = folder.path().join("a.gz.part");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&[b'A'; 100_000]).unwrap();
    let bytes = gzip.finish().unwrap();
    let file = sources::named("human")
        .unwrap()
        .choose(None, None)
        .unwrap()
        .files[0]
        .clone();
    let verify = || checksum::verify(&part, &file, &Expected::Unknown, None, &|_| {}).unwrap();
    std::fs::write(&part, &bytes).unwrap();
    let (facts, check) = verify().unwrap();
    assert_eq!(
        (facts.bytes, check),
        (bytes.len() as u64, Check::FormatOnly)
    );
    std::fs::write(&part, &bytes[..bytes.len() - 5]).unwrap();
    assert!(
        verify()
            .unwrap_err()
            .contains("gzip stream is damaged or cut short")
    );
}
