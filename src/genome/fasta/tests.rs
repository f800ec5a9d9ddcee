use std::io::Write;

use super::*;

const TEXT: &str =
    ">chr1 first\nACGTacgtNN\nACGTAC\n>chr2\nGGGCCCTTTA\n>chr3\nTTTTTTTTTT\nCCCCCCCCCC\n";

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
    let lengths: Vec<_> = genome
        .contigs()
        .iter()
        .map(|c| (c.name.as_str(), c.length_bp))
        .collect();
    assert_eq!(lengths, [("chr1", 16), ("chr2", 10), ("chr3", 20)]);
    assert_eq!(genome.read_contig("chr1").unwrap(), b"ACGTacgtNNACGTAC");
    assert_eq!(genome.read_contig("chr3").unwrap(), b"TTTTTTTTTTCCCCCCCCCC");
    assert!(
        genome
            .read_contig("chr9")
            .unwrap_err()
            .to_string()
            .contains("chr1, chr2, chr3")
    );
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
        assert_eq!(
            folder.path().join(format!("{name}.fai")).exists(),
            indexed,
            "{name}"
        );
        assert_eq!(
            folder.path().join(format!("{name}.gzi")).exists(),
            name.starts_with("bgzip"),
            "{name}"
        );
    }
    expect(&Genome::from_bgzf_bytes("embedded", bgzip(TEXT.as_bytes())).unwrap());
    assert!(
        Genome::from_bgzf_bytes("embedded", gzip(TEXT.as_bytes()))
            .unwrap_err()
            .to_string()
            .contains("not a bgzip file")
    );
}

#[test]
fn a_wrong_index_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.fa");
    std::fs::write(&path, TEXT).unwrap();
    // Written after the FASTA (so not older), but of another file; then unreadable.
    for index in [
        "chr1\t16\t12\t10\t11\nchr2\t10\t36\t10\t11\n",
        "chr1\t15\t12\t10\t11\n",
        "nonsense",
        "",
    ] {
        std::fs::write(folder.path().join("a.fa.fai"), index).unwrap();
        expect(&Genome::open(&path).unwrap());
    }
    let stored = std::fs::read_to_string(folder.path().join("a.fa.fai")).unwrap();
    assert_eq!(
        stored,
        "chr1\t16\t12\t10\t11\nchr2\t10\t36\t10\t11\nchr3\t20\t53\t10\t11\n"
    );
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
    let table: [(&[u8], &str); 18] = [
        (b"", "holds no sequence"),
        (b"\n\n", "holds no sequence"),
        (b">a\n>b\n", "holds no sequence: 2 records"),
        (b">\n>\n", ":1: a '>' line without a name"),
        (
            b">a\rACGT\r>b\rAC\r",
            ":1: its lines end in carriage returns",
        ),
        (b">a\r\nAC\rGT\r", ":2: its lines end in carriage returns"),
        (
            b">a\nAC>b\nGT\n",
            ":2: a '>' within the line: two records have run together",
        ),
        (b">a\nACG\nACG>b\nACG\n", ":3: a '>' within"),
        (b"\xff\xfe>\0a\0", "UTF-16"),
        (b"\0\0\0", ":1: not FASTA"),
        (
            b"version https://git-lfs.github.com/spec/v1\n",
            ":1: not FASTA",
        ),
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
        assert!(
            message.contains(expected),
            "{message} for {:?}",
            String::from_utf8_lossy(bytes)
        );
    }
    assert!(matches!(
        Genome::open(folder.path().join("none.fa")),
        Err(Error::Io { .. })
    ));
    assert!(
        Genome::open(folder.path())
            .unwrap_err()
            .to_string()
            .contains("folder")
    );
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
    assert_eq!(
        genome.contigs()[0],
        Contig {
            name: "a".into(),
            length_bp: 0
        }
    );
    assert_eq!(genome.read_contig("b").unwrap(), b"AC");
}

/// The text as a plain file, read twice: made, and through the stored index.
fn twice(folder: &Path, text: &[u8]) -> [Genome; 2] {
    let path = folder.join("x.fa");
    let _ = std::fs::remove_file(folder.join("x.fa.fai"));
    std::fs::write(&path, text).unwrap();
    [Genome::open(&path).unwrap(), Genome::open(&path).unwrap()]
}

#[test]
fn white_space_and_marks_are_no_sequence() {
    let folder = tempfile::tempdir().unwrap();
    let spaced = TEXT.replace('\n', " \n");
    let tabs: String = TEXT
        .lines()
        .enumerate()
        .map(|(i, line)| line.to_string() + ["\n", "\t \n", "\r\n"][i % 3])
        .collect();
    let others = [
        (format!("\u{feff}{TEXT}"), false),
        (TEXT.replace('>', "> "), true),
        (TEXT.replace('>', ">\t"), true),
        (format!("{TEXT}\n\n"), true),
        (TEXT.replace("\n>", "\n\n \n>"), true),
        (TEXT.replace("ACGTacgt", "ACGT acgt"), false),
        (format!("\n{TEXT}"), false),
        (format!("; a comment\n{TEXT}"), false),
        (TEXT.replace("first\n", "first\n\n"), false),
        (spaced, true),
        (tabs, true),
    ];
    for (text, indexed) in others {
        twice(folder.path(), text.as_bytes())
            .iter()
            .for_each(expect);
        assert_eq!(folder.path().join("x.fa.fai").exists(), indexed, "{text:?}");
    }
}

// samtools faidx, of the text with a space at the end of every line.
#[test]
fn an_index_of_samtools_over_spaces_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("x.fa"), TEXT.replace('\n', " \n")).unwrap();
    let index = "chr1\t16\t13\t10\t12\nchr2\t10\t40\t10\t12\nchr3\t20\t59\t10\t12\n";
    std::fs::write(folder.path().join("x.fa.fai"), index).unwrap();
    expect(&Genome::open(folder.path().join("x.fa")).unwrap());
    assert_eq!(
        std::fs::read_to_string(folder.path().join("x.fa.fai")).unwrap(),
        index
    );
}

#[test]
fn no_index_is_believed_beyond_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.fa");
    let most = u64::MAX;
    for (name, bytes) in [
        ("a.fa", TEXT.as_bytes().to_vec()),
        ("a.fa.gz", bgzip(TEXT.as_bytes())),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        for index in [
            format!("chr1\t{most}\t12\t10\t11\n"),
            format!("chr1\t16\t{most}\t10\t11\n"),
            format!("chr1\t16\t12\t{most}\t{most}\n"),
            format!("chr1\t16\t12\t1\t{most}\n"),
            format!("chr1\t{}\t12\t10\t11\n", most / 2),
            format!(
                "chr1\t16\t12\t10\t11\nchr2\t10\t36\t10\t11\nchr3\t{}\t53\t{}\t{most}\n",
                1u64 << 40,
                1u64 << 40
            ),
            "chr1\t0\t12\t10\t11\n".into(),
        ] {
            std::fs::write(folder.path().join(format!("{name}.fai")), &index).unwrap();
            expect(&Genome::open(&path).unwrap());
        }
    }
    // Where two records have run together an index may still seem to fit.
    std::fs::write(&path, ">c1\nACGTACGTAC\nACGTA>c2 x\nACGTACGTAC\nACG\n").unwrap();
    std::fs::write(folder.path().join("a.fa.fai"), "c1\t33\t4\t10\t11\n").unwrap();
    let message = Genome::open(&path)
        .and_then(|genome| genome.read_contig("c1"))
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("a.fa:3: a '>' within the line"),
        "{message}"
    );
    std::fs::write(
        folder.path().join("a.fa.fai"),
        "c1\t15\t4\t10\t11\nc2\t13\t26\t10\t11\n",
    )
    .unwrap();
    assert!(
        Genome::open(&path)
            .unwrap_err()
            .to_string()
            .contains("a.fa:3: ")
    );
}

#[test]
fn a_bad_byte_of_an_indexed_file_is_named_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.fa");
    std::fs::write(&path, TEXT).unwrap();
    Genome::open(&path).unwrap();
    // The index stays the younger one, and fits.
    let index = std::fs::read(folder.path().join("a.fa.fai")).unwrap();
    std::fs::write(&path, TEXT.replace("GGGCCC", "GGG@CC")).unwrap();
    std::fs::write(folder.path().join("a.fa.fai"), index).unwrap();
    let genome = Genome::open(&path).unwrap();
    assert_eq!(genome.read_contig("chr1").unwrap(), b"ACGTacgtNNACGTAC");
    let message = genome.read_contig("chr2").unwrap_err().to_string();
    assert!(message.contains("a.fa:5: the byte 0x40"), "{message}");
}

#[test]
fn bgzip_is_whole_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.fa.gz");
    let whole = bgzip(TEXT.as_bytes());
    let blocks = |bytes: &[u8]| {
        let mut starts = vec![0];
        while let Some(rest) = bytes
            .get(starts[starts.len() - 1]..)
            .filter(|rest| !rest.is_empty())
        {
            starts.push(
                starts[starts.len() - 1]
                    + usize::from(u16::from_le_bytes([rest[16], rest[17]]))
                    + 1,
            );
        }
        starts
    };
    for end in blocks(&whole)
        .into_iter()
        .rev()
        .skip(1)
        .filter(|end| *end > 0)
        .chain([whole.len() - 1, whole.len() - 40])
    {
        std::fs::write(&path, &whole[..end]).unwrap();
        let message = Genome::open(&path).unwrap_err().to_string();
        assert!(
            message.contains("a.fa.gz: ")
                && message.contains("cut off")
                && message.contains("again"),
            "{end}: {message}"
        );
    }
    let cut = gzip(TEXT.as_bytes());
    std::fs::write(&path, &cut[..cut.len() - 9]).unwrap();
    assert!(
        Genome::open(&path)
            .unwrap_err()
            .to_string()
            .contains("cut off")
    );
    // Several files of bgzip, and plain gzip behind bgzip.
    let (one, two) = TEXT.split_at(TEXT.find(">chr3").unwrap());
    for second in [bgzip(two.as_bytes()), gzip(two.as_bytes())] {
        std::fs::write(&path, [bgzip(one.as_bytes()), second].concat()).unwrap();
        expect(&Genome::open(&path).unwrap());
        expect(&Genome::open(&path).unwrap());
    }
}

#[test]
fn a_wrong_block_index_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let (path, index) = (
        folder.path().join("a.fa.gz"),
        folder.path().join("a.fa.gz.gzi"),
    );
    std::fs::write(&path, bgzip(TEXT.as_bytes())).unwrap();
    expect(&Genome::open(&path).unwrap());
    let right = std::fs::read(&index).unwrap();
    let mut wrong = right.clone();
    wrong[8] += 1;
    let huge = [&u64::MAX.to_le_bytes()[..], &right[8..]].concat();
    for bytes in [wrong, huge, b"nonsense".to_vec(), Vec::new()] {
        std::fs::write(&index, bytes).unwrap();
        expect(&Genome::open(&path).unwrap());
        assert_eq!(std::fs::read(&index).unwrap(), right);
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_is_read_into_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&path)
            .status()
            .unwrap()
            .success()
    );
    for bytes in [
        TEXT.as_bytes().to_vec(),
        gzip(TEXT.as_bytes()),
        bgzip(TEXT.as_bytes()),
    ] {
        let writer = std::thread::spawn({
            let path = path.clone();
            move || std::fs::write(path, bytes).unwrap()
        });
        expect(&Genome::open(&path).unwrap());
        writer.join().unwrap();
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    assert!(
        Genome::open("/dev/zero")
            .unwrap_err()
            .to_string()
            .contains("not FASTA")
    );
}

#[test]
fn names_are_printable() {
    let folder = tempfile::tempdir().unwrap();
    for genome in twice(folder.path(), b">chr\x1b[31m1\x07 red\nACGT\n") {
        assert_eq!(genome.contigs()[0].name, "chr [31m1 ");
        assert_eq!(
            genome.read_contig(&genome.contigs()[0].name).unwrap(),
            b"ACGT"
        );
    }
}

#[test]
fn many_small_contigs_are_read_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let text: String = (0..20_000)
        .map(|i| format!(">c{i}\nACGTACGTAC\nAC{}\n", &"GTTTTTTT"[..i % 8]))
        .collect();
    for genome in twice(folder.path(), text.as_bytes()) {
        for i in (0..20_000).chain([7, 19_999, 0]) {
            let sequence = genome.read_contig(&format!("c{i}")).unwrap();
            assert_eq!(
                sequence,
                format!("ACGTACGTACAC{}", &"GTTTTTTT"[..i % 8]).as_bytes()
            );
        }
    }
}
