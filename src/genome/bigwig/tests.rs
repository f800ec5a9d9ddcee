use super::write::BigWigWriter;
use super::*;

fn contigs() -> Vec<Contig> {
    [("chr1", 600_000), ("chr10", 40), ("chr2", 1000)].map(|(name, length_bp)| Contig { name: name.into(), length_bp }).to_vec()
}

fn value(contig: usize, base: usize) -> f32 {
    match base % 7 {
        3 => f32::NAN,
        _ => ((base * 31 + contig * 17) % 1009) as f32 / 1009.0 - 0.25,
    }
}

fn written(path: &Path) {
    let mut file = BigWigWriter::create(File::create(path).unwrap(), path, &contigs()).unwrap();
    for (number, contig) in contigs().iter().enumerate().filter(|(number, _)| *number != 1) {
        for first in (0..contig.length_bp).step_by(4321) {
            let values: Vec<f32> = (first..contig.length_bp.min(first + 4321)).map(|base| value(number, base)).collect();
            file.add(&contig.name, first, &values).unwrap();
        }
    }
    file.finish().unwrap();
}

#[test]
fn what_was_written_is_read_under_any_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.bw");
    written(&path);
    let mut named = contigs();
    named[2].name = "2".into();
    let file = BigWig::open(&path, &named).unwrap();
    for (contig, from, to) in [(0, 0, 50), (0, 262_100, 262_200), (0, 599_990, 600_000), (2, 0, 1000), (0, 5, 5), (0, 100_000, 590_000)] {
        let mut values = vec![9.0];
        file.values(contig, Interval::new(from, to), &mut values).unwrap();
        let expected: Vec<f32> = std::iter::once(9.0).chain((from..to).map(|base| value(contig, base))).collect();
        assert_eq!(values.iter().map(|v| v.to_bits()).collect::<Vec<_>>(), expected.iter().map(|v| v.to_bits()).collect::<Vec<_>>());
    }
    let mut nothing = Vec::new();
    file.values(1, Interval::new(0, 40), &mut nothing).unwrap();
    assert!(nothing.len() == 40 && nothing.iter().all(|v| v.is_nan()), "a contig without values");
    assert!(file.values(0, Interval::new(599_990, 600_001), &mut nothing).is_err());
}

#[test]
fn other_assemblies_and_other_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.bw");
    written(&path);
    let mut other = contigs();
    other[0].length_bp = 600_001;
    let message = BigWig::open(&path, &other).err().unwrap().to_string();
    assert!(message.contains("chr1 has 600000 bases here and 600001 in the genome"), "{message}");
    let foreign = [Contig { name: "ctg".into(), length_bp: 5 }];
    let message = BigWig::open(&path, &foreign).err().unwrap().to_string();
    assert!(message.contains("chr1, chr2") && message.contains("ctg"), "{message}");
    assert!(BigWig::open(&folder.path().join("none.bw"), &contigs()).is_err());
    std::fs::write(folder.path().join("text.bw"), "fixedStep chrom=chr1 start=1\n1\n2\n").unwrap();
    let message = BigWig::open(&folder.path().join("text.bw"), &contigs()).err().unwrap().to_string();
    assert!(message.contains("not a bigWig"), "{message}");
    let empty = BigWigWriter::create(File::create(folder.path().join("e.bw")).unwrap(), Path::new("asked.bw"), &contigs()).unwrap();
    assert!(empty.finish().unwrap_err().to_string().starts_with("asked.bw: no base has a value"));
}

#[test]
fn a_damaged_file_is_an_error_or_reads() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.bw");
    written(&path);
    let whole = std::fs::read(&path).unwrap();
    let mut rng = crate::stats::rng::Rng::new(4);
    for round in 0..60 {
        let mut bytes = whole.clone();
        match round % 3 {
            0 => bytes.truncate(rng.below(whole.len())),
            1 => (0..20).for_each(|_| bytes[rng.below(64)] = rng.below(256) as u8),
            _ => (0..200).for_each(|_| bytes[rng.below(whole.len())] ^= 1 << rng.below(8)),
        }
        std::fs::write(&path, &bytes).unwrap();
        if let Ok(file) = BigWig::open(&path, &contigs()) {
            let _ = file.values(0, Interval::new(0, 600_000), &mut Vec::new());
        }
    }
}
