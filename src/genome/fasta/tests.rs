use std::io::Write;

use super::*;

const TEXT: &str = ">chr1 first\nACGTacgtNN\nACGTAC\n>chr2\nGGGCCCTTTA\n>chr3\nTTTTTTTTTT\nCCCCCCCCCC\n";

fn bgzip(text: &[u8]) -> Vec<u8> {
    let mut writer = bgzf::io::Writer::new(Vec::new());
    // Many small blocks, so that contigs start within and across them.
    for chunk in text.chunks(7) {
        writer.write_all(chunk).unwrap();
        writer.flush().unwrap();
    }
    writer.finish().unwrap()
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(text).unwrap();
    writer.finish().unwrap()
}

fn expect(genome: &Genome) {
    let lengths: Vec<_> = genome.contigs().iter().map(|c| (c.name.as_str(), c.length_bp)).collect();
    assert_eq!(lengths, [("chr1", 16), ("chr2", 10), ("chr3", 20)]);
    assert_eq!(genome.read_contig("chr1").unwrap(), b"ACGTacgtNNACGTAC");
    assert_eq!(genome.read_contig("chr3").unwrap(), b"TTTTTTTTTTCCCCCCCCCC");
    assert!(genome.read_contig("chr9").unwrap_err().to_string().contains("chr1, chr2, chr3"));
}

#[test]
fn every_packing_reads_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let crlf = TEXT.replace('\n', "\r\n");
    let unterminated = TEXT.trim_end();
    let ragged = TEXT.replace("ACGTAC\n", "AC\n\nGTAC\n");
    let files: [(&str, Vec<u8>); 7] = [
        ("plain.fa", TEXT.into()),
        ("crlf.fa", crlf.clone().into()),
        ("unterminated.fa", unterminated.into()),
        ("ragged.fa", ragged.into()),
        ("bgzip.fa.gz", bgzip(TEXT.as_bytes())),
        ("bgzip_crlf.fa.gz", bgzip(crlf.as_bytes())),
        ("gzip.fa.gz", gzip(TEXT.as_bytes())),
    ];
    for (name, bytes) in files {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        expect(&Genome::open(&path).unwrap());
        expect(&Genome::open(&path).unwrap()); // through the stored index, where there is one
        let indexed = !name.starts_with("ragged") && !name.starts_with("gzip");
        assert_eq!(folder.path().join(format!("{name}.fai")).exists(), indexed, "{name}");
        assert_eq!(folder.path().join(format!("{name}.gzi")).exists(), name.starts_with("bgzip"), "{name}");
    }
    expect(&Genome::from_bgzf_bytes("embedded", bgzip(TEXT.as_bytes())).unwrap());
    assert!(Genome::from_bgzf_bytes("embedded", gzip(TEXT.as_bytes())).unwrap_err().to_string().contains("not a bgzip file"));
}

#[test]
fn a_wrong_index_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.fa");
    std::fs::write(&path, TEXT).unwrap();
    // Written after the FASTA (so not older), but of another file; then unreadable.
    for index in ["chr1\t16\t12\t10\t11\nchr2\t10\t36\t10\t11\n", "chr1\t15\t12\t10\t11\n", "nonsense", ""] {
        std::fs::write(folder.path().join("a.fa.fai"), index).unwrap();
        expect(&Genome::open(&path).unwrap());
    }
    let stored = std::fs::read_to_string(folder.path().join("a.fa.fai")).unwrap();
    assert_eq!(stored, "chr1\t16\t12\t10\t11\nchr2\t10\t36\t10\t11\nchr3\t20\t53\t10\t11\n");
}

#[test]
fn a_read_only_folder_gets_no_index() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.fa.gz");
    std::fs::write(&path, bgzip(TEXT.as_bytes())).unwrap();
    let mut permissions = std::fs::metadata(folder.path()).unwrap().permissions();
    let writable = permissions.clone();
    permissions.set_readonly(true);
    std::fs::set_permissions(folder.path(), permissions).unwrap();
    expect(&Genome::open(&path).unwrap());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    std::fs::set_permissions(folder.path(), writable).unwrap();
}

#[test]
fn what_cannot_be_a_genome_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let table: [(&[u8], &str); 9] = [
        (b"", "an empty file"),
        (b"\n\n", "holds no sequence"),
        (b"ACGT\n", ":1: not FASTA"),
        (b"chr1\t5\t9\n", ":1: not FASTA"),
        (b">a\nAC\n>a\nGT\n", "two sequences are named 'a'"),
        (b">\nACGT\n", "without a name"),
        (b">a\nAC\nA1GT\n", ":3: the byte 0x31"),
        (b">a\nAC1T\n", "0x31"),
        (b"\x1f\x8b\x08\x00garbage", "x.fa"),
    ];
    for (bytes, expected) in table {
        let path = folder.path().join("x.fa");
        std::fs::write(&path, bytes).unwrap();
        let result = Genome::open(&path).and_then(|genome| genome.read_contig("a").map(drop));
        let message = result.unwrap_err().to_string();
        assert!(message.contains(expected), "{message} for {:?}", String::from_utf8_lossy(bytes));
    }
    assert!(matches!(Genome::open(folder.path().join("none.fa")), Err(Error::Io { .. })));
    assert!(Genome::open(folder.path()).unwrap_err().to_string().contains("folder"));
    let mut cut = bgzip(TEXT.as_bytes());
    cut.truncate(cut.len() - 40);
    let path = folder.path().join("cut.fa.gz");
    std::fs::write(&path, cut).unwrap();
    assert!(Genome::open(&path).is_err());
}

#[test]
fn an_empty_sequence_is_a_contig_of_no_bases() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.fa");
    std::fs::write(&path, ">a\n>b\nAC\n").unwrap();
    let genome = Genome::open(&path).unwrap();
    assert_eq!(genome.contigs()[0], Contig { name: "a".into(), length_bp: 0 });
    assert_eq!(genome.read_contig("b").unwrap(), b"AC");
}
