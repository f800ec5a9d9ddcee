//! The program as its users meet it: exit codes, messages, files.
#![allow(clippy::unwrap_used)]

use flate2::read::GzDecoder;
use ldar::model::{Checkpoint, tokenizer};
use polars::prelude::{ParquetReader, SerReader};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const NANO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/nano.pt");

fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ldar-analyze"));
    command.current_dir(folder);
    command
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    program(folder).args(arguments).output().unwrap()
}

fn code(output: &Output) -> i32 {
    output
        .status
        .code()
        .unwrap_or_else(|| panic!("killed: {output:?}"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn ok(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    assert_eq!(code(&output), 0, "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// Runs what must fail with `exit` and a message that holds all of `parts`.
fn fails(folder: &Path, arguments: &[&str], exit: i32, parts: &[&str]) {
    let output = run(folder, arguments);
    let message = text(&output.stderr);
    assert_eq!(code(&output), exit, "{arguments:?}: {message}");
    for part in parts {
        assert!(
            message.contains(part),
            "{arguments:?}: no '{part}' in: {message}"
        );
    }
    assert!(!message.contains("panicked"), "{message}");
}

/// Letters that look random and are the same every time.
struct Letters(u64);

impl Letters {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn sequence(&mut self, length: usize) -> Vec<u8> {
        (0..length)
            .map(|_| b"ACGT"[(self.next() % 4) as usize])
            .collect()
    }
}

/// 24 genes of three exons on alternating strands, with GT-AG introns: genome.fa, genes.gtf and the
/// checkpoint's path.
fn world(folder: &Path) -> (PathBuf, PathBuf) {
    let mut sequence = Letters(7).sequence(24 * 1500 + 1000);
    let mut gtf = String::new();
    for gene in 0..24 {
        let (start, strand) = (500 + gene * 1500, if gene % 2 == 0 { '+' } else { '-' });
        let exons = [
            (start, start + 300),
            (start + 450, start + 700),
            (start + 900, start + 1200),
        ];
        for (from, to) in [(exons[0].1, exons[1].0), (exons[1].1, exons[2].0)] {
            let (first, last) = if strand == '+' {
                (b"GT", b"AG")
            } else {
                (b"CT", b"AC")
            };
            sequence[from..from + 2].copy_from_slice(first);
            sequence[to - 2..to].copy_from_slice(last);
        }
        for (from, to) in exons {
            let names = format!(
                "gene_id \"g{gene}\"; transcript_id \"t{gene}\"; gene_biotype \"protein_coding\";"
            );
            writeln!(
                gtf,
                "1\tt\texon\t{}\t{to}\t.\t{strand}\t.\t{names}",
                from + 1
            )
            .unwrap();
        }
    }
    let lines: Vec<String> = sequence.chunks(70).map(text).collect();
    let (fasta, annotation) = (folder.join("genome.fa"), folder.join("genes.gtf"));
    std::fs::write(&fasta, format!(">chr1 toy\n{}\n", lines.join("\n"))).unwrap();
    std::fs::write(&annotation, gtf).unwrap();
    (fasta, annotation)
}

fn splice_profile<'a>(out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec![
        "splice-profile",
        "--genome",
        "genome.fa",
        "--annotation",
        "genes.gtf",
        "--checkpoint",
        NANO,
        "--out",
        out,
    ];
    all.extend([
        "--context",
        "512",
        "--margin",
        "64",
        "--flank",
        "60",
        "--permutations",
        "200",
        "--bootstraps",
        "100",
        "--caliper",
        "0.2",
    ]);
    all.extend(more);
    all
}

#[test]
fn help_has_examples_and_exits_0() {
    let here = tempfile::tempdir().unwrap();
    assert!(ok(here.path(), &["--help"]).contains("ldar-analyze splice-profile --out results"));
    for command in [
        "splice-profile",
        "motif-enrichment",
        "density",
        "locus",
        "variants",
        "boundaries",
        "scan",
        "inspect",
        "convert",
        "train",
        "evaluate",
    ] {
        let help = ok(here.path(), &[command, "--help"]);
        assert!(
            help.contains("Example") && help.contains("--threads"),
            "{help}"
        );
    }
    assert!(ok(here.path(), &["--version"]).starts_with("ldar-analyze "));
}

#[cfg(not(feature = "cuda"))]
#[test]
fn a_gpu_needs_a_build_for_it() {
    let here = tempfile::tempdir().unwrap();
    fails(
        here.path(),
        &["bench", "--config", "2m", "--device", "cuda"],
        2,
        &["built without CUDA", "--features cuda"],
    );
}

#[test]
fn wrong_usage_exits_2() {
    let here = tempfile::tempdir().unwrap();
    let table: &[(&[&str], &str)] = &[
        (&[], "Usage"),
        (&["splice-profil"], "splice-profile"),
        (
            &["--threads", "0", "inspect", "--config", "2m"],
            "--threads",
        ),
        (&["inspect"], "--config"),
        (
            &["inspect", "x.pt", "--config", "2m"],
            "cannot be used with",
        ),
        (&["inspect", "--config", "3m"], "110m, 2m"),
        (&["inspect", "--config", "2m", "--length", "0"], "--length"),
        (
            &["inspect", "--config", "2m", "--compression", "0.5"],
            "--compression",
        ),
        (&["convert", NANO, "nano.pt"], ".safetensors"),
        (&["boundaries"], "--fasta"),
        (
            &[
                "boundaries",
                "--fasta",
                "x.fa",
                "--context",
                "100",
                "--margin",
                "50",
            ],
            "no room",
        ),
        (
            &["boundaries", "--fasta", "x.fa", "--batch", "0"],
            "--batch",
        ),
        (
            &["boundaries", "--fasta", "x.fa", "--dtype", "f16"],
            "f32, bf16x3, bf16",
        ),
        (
            &[
                "bench", "--config", "2m", "--mode", "train", "--dtype", "bf16",
            ],
            "on a CPU, training runs in f32",
        ),
        (&["bench", "--config", "2m", "--recompute"], "--mode train"),
        (
            &["boundaries", "--fasta", "x.fa", "--device", "gpu"],
            "cuda:N",
        ),
        (
            &["density", "--signal", "x.bw", "--device", "cpu"],
            "cannot be used with",
        ),
        (&["scan", "--p", "0"], "--p"),
        (&["scan", "--p", "nan"], "--p"),
        (&["scan", "--p", "0.5"], "at most 0.1"),
        (&["motif-enrichment", "--genome", "x.fa"], "--annotation"),
        (&["motif-enrichment", "--annotation", "x.gtf"], "--genome"),
        (&["motif-enrichment", "--p", "0.5"], "at most 0.1"),
        (&["motif-enrichment", "--control", "permutated"], "permuted"),
        (&["motif-enrichment", "--min-hits", "0"], "--min-hits"),
        (&["motif-enrichment", "--regions-are", "thick"], "--regions"),
        (
            &["motif-enrichment", "--motif-detail", "MA9999"],
            "no such motif",
        ),
        (
            &["motif-enrichment", "--context", "200", "--margin", "80"],
            "no room",
        ),
        (&["density", "--genome", "x.fa"], "--annotation"),
        (&["density", "--max-per-class", "0"], "--max-per-class"),
        (
            &["density", "--signal", "x.bw", "--reference", "untrained"],
            "a track has no weights",
        ),
        (
            &["density", "--negative-control", "--reference", "untrained"],
            "--negative-control compares controls",
        ),
        (&["density", "--stretch", "5"], "20 to 10000"),
        (&["density", "--stretch", "3000"], "no room"),
        (&["density", "--caliper", "2"], "--caliper"),
        (&["density", "--context", "200"], "no room"),
        (&["locus", "--region", "chr4:100"], "counted from 1"),
        (&["locus", "--region", "chr4:0-100"], "starts at 0"),
        (&["locus", "--region", "chr4:1-9000"], "10 to 5000"),
        (
            &["locus", "--region", "chr4:1-90", "--gene", "ey"],
            "cannot be used with",
        ),
        (
            &["locus", "--region", "chr4:1-90", "--strand", "x"],
            "--strand x",
        ),
        (&["locus", "--strand", "-"], "--region"),
        (&["locus", "--around", "exon:1"], "donor:N"),
        (&["locus", "--flank", "9000"], "--flank"),
        (&["locus", "--genome", "x.fa"], "--region"),
        (
            &["locus", "--genome", "x.fa", "--gene", "ey"],
            "--annotation",
        ),
        (&["locus", "--p", "1"], "at most 0.1"),
        (&["splice-profile", "--genome", "x.fa"], "--annotation"),
        (&["splice-profile", "--annotation", "x.gtf"], "--genome"),
        (&["splice-profile", "--caliper", "2"], "--caliper"),
        (&["splice-profile", "--flank", "1"], "--flank"),
        (&["splice-profile", "--permutations", "0"], "--permutations"),
        (&["splice-profile", "--context", "200"], "no room"),
        (&["splice-profile", "--transcripts", "some"], "canonical"),
        (&["splice-profile", "--control", "decoi"], "strength"),
        (&["splice-profile", "--control", "bed"], "--control-bed"),
        (&["splice-profile", "--control-bed", "x.bed"], "--control"),
        (&["splice-profile", "--kmer", "3"], "--kmer"),
        (
            &["splice-profile", "--donor-window", "3:10"],
            "--donor-window",
        ),
        (
            &["splice-profile", "--acceptor-window", "-300:10"],
            "--acceptor-window",
        ),
        (&["splice-profile", "--reference", "trained"], "untrained"),
        (
            &[
                "splice-profile",
                "--reference",
                "untrained",
                "--negative-control",
            ],
            "--negative-control",
        ),
        (
            &[
                "splice-profile",
                "--reference",
                "untrained",
                "--signal",
                "x.bw",
            ],
            "a track has no weights",
        ),
        (
            &["splice-profile", "--controls-per-site", "0"],
            "--controls-per-site",
        ),
    ];
    for (arguments, part) in table {
        fails(here.path(), arguments, 2, &[part]);
    }
    assert_eq!(
        std::fs::read_dir(here.path()).unwrap().count(),
        0,
        "wrong usage leaves nothing behind"
    );
}

#[test]
fn bad_inputs_exit_1_and_are_named() {
    let here = tempfile::tempdir().unwrap();
    let at = here.path();
    world(at);
    for (name, content) in [
        ("empty.fa", ""),
        ("text.fa", "this is no FASTA\n"),
        ("garbage.pt", "neither zip nor safetensors, but long enough"),
        ("short.pt", "x"),
        ("nothing.gtf", "# only a comment\n"),
        ("columns.gtf", "chr1\tthree\tcolumns\n"),
        (
            "elsewhere.gtf",
            "chrQ\tt\texon\t1\t9\t.\t+\t.\tgene_id \"g\"; transcript_id \"t\";\n",
        ),
        ("zip.pt", "PK\u{3}\u{4} and then no archive at all"),
    ] {
        std::fs::write(at.join(name), content).unwrap();
    }
    let table: &[(&[&str], &[&str])] = &[
        (&["inspect", "missing.pt"], &["missing.pt"]),
        (&["inspect", "garbage.pt"], &["garbage.pt", "neither"]),
        (&["inspect", "short.pt"], &["short.pt", "too short"]),
        (&["inspect", "zip.pt"], &["zip.pt"]),
        (
            &["convert", "garbage.pt", "out.safetensors"],
            &["garbage.pt"],
        ),
        (&["boundaries", "--fasta", "missing.fa"], &["missing.fa"]),
        (
            &["boundaries", "--fasta", "empty.fa"],
            &["empty.fa", "empty"],
        ),
        (&["boundaries", "--fasta", "text.fa"], &["text.fa"]),
        (
            &[
                "boundaries",
                "--fasta",
                "genome.fa",
                "--checkpoint",
                "garbage.pt",
            ],
            &["garbage.pt"],
        ),
        (
            &[
                "boundaries",
                "--fasta",
                "genome.fa",
                "--checkpoint",
                NANO,
                "--stage",
                "9",
                "--out",
                "o.tsv",
            ],
            &["stage 9"],
        ),
    ];
    for (arguments, parts) in table {
        fails(at, arguments, 1, parts);
    }
    for (genome, annotation, parts) in [
        ("missing.fa", "genes.gtf", &["missing.fa"] as &[&str]),
        ("genome.fa", "missing.gtf", &["missing.gtf"]),
        ("genome.fa", "nothing.gtf", &["nothing.gtf"]),
        ("genome.fa", "columns.gtf", &["columns.gtf:1"]),
        ("genome.fa", "elsewhere.gtf", &["chrQ", "chr1"]),
    ] {
        let arguments = [
            "splice-profile",
            "--genome",
            genome,
            "--annotation",
            annotation,
            "--checkpoint",
            NANO,
            "--out",
            "r",
        ];
        fails(at, &arguments, 1, parts);
    }
    fails(
        at,
        &splice_profile("r", &["--contigs", "chr9"]),
        1,
        &["chr9"],
    );
    fails(
        at,
        &splice_profile("r", &["--biotype", "tRNA"]),
        1,
        &["tRNA"],
    );
    for left in ["r", "o.tsv", "out.safetensors"] {
        assert!(
            !at.join(left).exists(),
            "{left}: a failed run leaves nothing"
        );
    }
}

#[test]
fn inspect_counts_the_published_parameters() {
    let here = tempfile::tempdir().unwrap();
    for (name, parameters) in [("110m", 110_687_296_u64), ("2m", 2_011_288)] {
        let json: serde_json::Value = serde_json::from_str(&ok(
            here.path(),
            &["inspect", "--config", name, "--json", "--tensors"],
        ))
        .unwrap();
        assert_eq!(json["parameters"], parameters);
        let tensors = json["tensors"].as_array().unwrap();
        assert_eq!(
            tensors
                .iter()
                .map(|t| t["parameters"].as_u64().unwrap())
                .sum::<u64>(),
            parameters
        );
        assert!(json["flops_per_base"].as_f64().unwrap() > 1e6 && json["length"] == 4096);
    }
    let plain = ok(here.path(), &["inspect", "--config", "110m"]);
    assert!(
        plain.contains("110,687,296") && !plain.contains("lm_head"),
        "{plain}"
    );
    assert!(ok(here.path(), &["inspect", NANO, "--tensors"]).contains("embeddings.weight"));
}

#[test]
fn a_converted_checkpoint_is_the_same_model() {
    let here = tempfile::tempdir().unwrap();
    world(here.path());
    assert!(ok(here.path(), &["convert", NANO, "nano.safetensors"]).contains("verified"));
    fails(
        here.path(),
        &["convert", "nano.safetensors", "nano.safetensors"],
        2,
        &["overwrite"],
    );
    let facts = |file: &str| -> serde_json::Value {
        serde_json::from_str(&ok(here.path(), &["inspect", file, "--json"])).unwrap()
    };
    let (before, after) = (facts(NANO), facts("nano.safetensors"));
    assert_eq!(
        (&before["parameters"], &before["config"]),
        (&after["parameters"], &after["config"])
    );
    std::fs::write(here.path().join("a.fa"), ">a\nACGTTGCATCGACTACGACTACGA\n").unwrap();
    let table = |file: &str| {
        ok(
            here.path(),
            &["boundaries", "--fasta", "a.fa", "--checkpoint", file],
        )
    };
    assert_eq!(table(NANO), table("nano.safetensors"));
}

#[test]
fn boundaries_are_those_of_the_library() {
    let here = tempfile::tempdir().unwrap();
    let at = here.path();
    let mut letters = Letters(3);
    let (mut first, second) = (letters.sequence(700), letters.sequence(90));
    first[10..14].copy_from_slice(b"nNac");
    let lines = |s: &[u8]| s.chunks(50).map(text).collect::<Vec<_>>().join("\r\n");
    let fasta = format!(
        ">one of two\r\n{}\r\n>two\r\n{}\r\n",
        lines(&first),
        lines(&second)
    );
    std::fs::write(at.join("dos.fa"), &fasta).unwrap();
    let mut gz = flate2::write::GzEncoder::new(
        std::fs::File::create(at.join("dos.fa.gz")).unwrap(),
        flate2::Compression::fast(),
    );
    gz.write_all(fasta.as_bytes()).unwrap();
    gz.finish().unwrap();

    let whole = ok(
        at,
        &[
            "boundaries",
            "--fasta",
            "dos.fa",
            "--checkpoint",
            NANO,
            "--context",
            "0",
        ],
    );
    let mut rows = whole.lines();
    assert_eq!(
        rows.next(),
        Some("contig\tposition\tbase\tboundary_prob\tis_boundary")
    );
    let model = Checkpoint::open(NANO).unwrap().model().unwrap();
    for (name, sequence) in [("one", &first), ("two", &second)] {
        let routed = &model
            .forward(&[tokenizer::encode(sequence)])
            .unwrap()
            .stages[0];
        let probs = routed.prob.to_vec1::<f32>().unwrap();
        for (position, base) in sequence.iter().enumerate() {
            let fields: Vec<&str> = rows.next().unwrap().split('\t').collect();
            let [contig, at, letter, prob, is_boundary] = fields[..] else {
                panic!("{fields:?}")
            };
            assert_eq!(
                (contig, at.parse(), letter),
                (name, Ok(position), char::from(*base).to_string().as_str())
            );
            assert_eq!(prob.parse(), Ok(probs[position]), "all digits are there");
            assert_eq!(is_boundary == "1", routed.mask[position]);
        }
    }
    assert_eq!(rows.next(), None);

    // The same from gzip, into a gzip file that is there whole.
    assert_eq!(
        ok(
            at,
            &[
                "boundaries",
                "--fasta",
                "dos.fa.gz",
                "--checkpoint",
                NANO,
                "--context",
                "0",
                "--out",
                "t.tsv.gz"
            ]
        ),
        ""
    );
    let mut unpacked = String::new();
    GzDecoder::new(std::fs::File::open(at.join("t.tsv.gz")).unwrap())
        .read_to_string(&mut unpacked)
        .unwrap();
    assert_eq!(unpacked, whole);

    // In windows: every base once, 1 only where a record starts.
    let windows = ok(
        at,
        &[
            "boundaries",
            "--fasta",
            "dos.fa",
            "--checkpoint",
            NANO,
            "--context",
            "128",
            "--batch",
            "3",
            "--threads",
            "2",
        ],
    );
    let column = |table: &str, n: usize| {
        table
            .lines()
            .map(|l| l.split('\t').nth(n).unwrap_or_default().to_string())
            .collect::<Vec<_>>()
    };
    for n in 0..3 {
        assert_eq!(column(&windows, n), column(&whole, n));
    }
    assert_eq!(
        column(&windows, 3).iter().filter(|p| *p == "1").count(),
        column(&whole, 3).iter().filter(|p| *p == "1").count()
    );
}

/// (columns of each row, standard error) of a scan.
fn scan(folder: &Path, arguments: &[&str]) -> (Vec<Vec<String>>, String) {
    let output = program(folder)
        .arg("scan")
        .args(arguments)
        .output()
        .unwrap();
    assert_eq!(code(&output), 0, "{arguments:?}: {}", text(&output.stderr));
    let table = text(&output.stdout);
    let mut lines = table.lines();
    assert_eq!(
        lines.next(),
        Some("motif_id\tmotif_name\tcontig\tstart\tend\tstrand\tscore\tp_value\tmatched")
    );
    (
        lines
            .map(|line| line.split('\t').map(str::to_string).collect())
            .collect(),
        text(&output.stderr),
    )
}

#[test]
fn scan_finds_both_strands_and_says_what_it_left_out() {
    let here = tempfile::tempdir().unwrap();
    let at = here.path();
    let row = |letter: char| {
        "CACGTGAC"
            .chars()
            .map(|c| if c == letter { " 9" } else { " 0" })
            .collect::<String>()
    };
    let long: String = "ACGT"
        .chars()
        .map(|letter| format!("{letter} [{}]\r\n", row(letter)))
        .collect();
    let motifs = format!(
        ">MA9999.1 old\r\n{long}\r\n>MA9999.2\tnew\r\n{long}>short x\r\n1 0 1\r\n0 1 0\r\n0 0 0\r\n0 0 0\r\n"
    );
    std::fs::write(at.join("m.jaspar"), motifs).unwrap();
    std::fs::write(
        at.join("s.fa"),
        ">one of three\r\nTTTcacgtgacNN\r\nGTCAC\r\n>empty\r\n>two\r\nGTCACGTG\r\n",
    )
    .unwrap();
    let (rows, said) = scan(
        at,
        &[
            "--fasta",
            "s.fa",
            "--motifs",
            "m.jaspar",
            "--background",
            "uniform",
        ],
    );
    let places: Vec<String> = rows
        .iter()
        .map(|row| {
            [
                &row[0], &row[1], &row[2], &row[3], &row[4], &row[5], &row[8],
            ]
            .map(String::as_str)
            .join(" ")
        })
        .collect();
    assert_eq!(
        places,
        [
            "MA9999.2 new one 3 11 + cacgtgac",
            "MA9999.2 new two 0 8 - CACGTGAC"
        ]
    );
    // One word of 4^8, and log2(9.2 / 9.8 * 4) in each of eight columns.
    assert_eq!(
        (rows[0][6].as_str(), rows[0][7].as_str()),
        ("15.2708", "1.5259e-5")
    );
    for part in [
        "2 hits of 1 of 2 motifs in 26 bases",
        "later version in the file: 1",
        "more likely than that: 1 (short)",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    // An older version by name, no hits at all, and the table in a gzip file.
    let (rows, _) = scan(
        at,
        &[
            "--fasta",
            "s.fa",
            "--motifs",
            "m.jaspar",
            "--matrix-id",
            "MA9999.1",
            "--background",
            "uniform",
        ],
    );
    assert_eq!(
        rows.iter().map(|row| row[1].as_str()).collect::<Vec<_>>(),
        ["old", "old"]
    );
    let (rows, said) = scan(
        at,
        &["--fasta", "s.fa", "--motifs", "m.jaspar", "--p", "1e-6"],
    );
    assert!(
        rows.is_empty() && said.contains("0 hits of 0 of 2 motifs"),
        "{said}"
    );
    let to_file = [
        "--fasta",
        "s.fa",
        "--motifs",
        "m.jaspar",
        "--background",
        "uniform",
        "--out",
        "hits.tsv.gz",
    ];
    assert_eq!(
        program(at)
            .arg("scan")
            .args(to_file)
            .output()
            .unwrap()
            .stdout,
        b""
    );
    let mut unpacked = String::new();
    GzDecoder::new(std::fs::File::open(at.join("hits.tsv.gz")).unwrap())
        .read_to_string(&mut unpacked)
        .unwrap();
    assert_eq!(unpacked.lines().count(), 3);
}

#[test]
fn scan_of_the_bundled_chromosome_does_not_depend_on_threads() {
    let here = tempfile::tempdir().unwrap();
    let (one, said) = scan(here.path(), &["--threads", "1", "--family", "ets"]);
    assert_eq!(
        one,
        scan(here.path(), &["--threads", "2", "--family", "ETS"]).0
    );
    assert!(
        one.len() > 500 && said.contains("1,348,131 bases"),
        "{said}"
    );
    // Of a motif no two hits overlap, and with --all-hits those that were kept are among them.
    let (all, _) = scan(here.path(), &["--all-hits", "--family", "ets"]);
    assert!(all.len() > one.len());
    let all: std::collections::BTreeSet<&Vec<String>> = all.iter().collect();
    let mut ends = std::collections::BTreeMap::new();
    for row in &one {
        assert!(all.contains(row));
        let (start, end): (usize, usize) = (row[3].parse().unwrap(), row[4].parse().unwrap());
        let before = ends.insert(&row[0], end).unwrap_or(0);
        assert!(before <= start && end - start == row[8].len(), "{row:?}");
    }
    assert!(
        scan(
            here.path(),
            &[
                "--motifs",
                "core-promoter",
                "--name",
                "initiator, fly",
                "--p",
                "0.002"
            ]
        )
        .0
        .len()
            > 100
    );
}

#[test]
fn scan_names_what_it_cannot_use() {
    let here = tempfile::tempdir().unwrap();
    let at = here.path();
    for (name, content) in [
        ("s.fa", ">a\nACGT\n"),
        ("empty.fa", ""),
        ("broken.jaspar", ">x\nA 1 2\nC 1 2\nG 1 2\nT 1 z\n"),
        ("empty.meme", ""),
        ("bg", "A 1\n"),
    ] {
        std::fs::write(at.join(name), content).unwrap();
    }
    let table: &[(&[&str], &[&str])] = &[
        (&["--fasta", "missing.fa"], &["missing.fa"]),
        (&["--fasta", "empty.fa"], &["empty.fa", "empty"]),
        (
            &["--fasta", "s.fa", "--motifs", "missing.meme"],
            &["missing.meme"],
        ),
        (
            &["--fasta", "s.fa", "--motifs", "broken.jaspar"],
            &["broken.jaspar:5", "'z'"],
        ),
        (
            &["--fasta", "s.fa", "--motifs", "empty.meme"],
            &["empty.meme", "no matrix"],
        ),
        (
            &["--fasta", "s.fa", "--background", "bg"],
            &["bg", "each of"],
        ),
        (&["--matrix-id", "MA0000"], &["MA0000", "296"]),
        (&["--tax-group", "plants"], &["plants", "insects"]),
        (&["--family", "no such thing"], &["no such thing"]),
    ];
    for (arguments, parts) in table {
        let arguments: Vec<&str> = ["scan", "--out", "o.tsv"]
            .iter()
            .chain(*arguments)
            .copied()
            .collect();
        fails(at, &arguments, 1, parts);
        assert!(!at.join("o.tsv").exists());
    }
    fails(
        at,
        &["scan", "--fasta", "s.fa", "--out", "s.fa"],
        2,
        &["overwrite"],
    );
}

#[test]
fn outputs_do_not_overwrite_inputs() {
    let folder = tempfile::tempdir().unwrap();
    world(folder.path());
    let before = std::fs::read(folder.path().join("genome.fa")).unwrap();
    let overwrite = [
        "boundaries",
        "--fasta",
        "genome.fa",
        "--checkpoint",
        NANO,
        "--out",
        "./genome.fa",
    ];
    fails(folder.path(), &overwrite, 2, &["overwrite", "genome.fa"]);
    assert_eq!(
        std::fs::read(folder.path().join("genome.fa")).unwrap(),
        before
    );
}

#[test]
fn a_reader_may_leave_early() {
    let here = tempfile::tempdir().unwrap();
    world(here.path());
    let mut child = program(here.path())
        .args([
            "boundaries",
            "--fasta",
            "genome.fa",
            "--checkpoint",
            NANO,
            "--context",
            "512",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((code(&output), text(&output.stderr).as_str()), (0, ""));
    assert!(line.starts_with("contig\t"));
}

fn bytes_of(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for part in ["tables", "figures"] {
        for entry in std::fs::read_dir(folder.join(part)).unwrap() {
            let path = entry.unwrap().path();
            all.push((
                path.file_name().unwrap().to_string_lossy().into_owned(),
                std::fs::read(&path).unwrap(),
            ));
        }
    }
    all.sort();
    all
}

fn tsv(path: PathBuf) -> (Vec<String>, Vec<Vec<String>>) {
    let table = std::fs::read_to_string(path).unwrap();
    let mut rows = table
        .lines()
        .map(|l| l.split('\t').map(str::to_string).collect::<Vec<_>>());
    (rows.next().unwrap(), rows.collect())
}

#[test]
fn motif_enrichment_from_bundle_to_report() {
    let here = tempfile::tempdir().unwrap();
    let shared = [
        "--checkpoint",
        NANO,
        "--context",
        "1024",
        "--margin",
        "100",
        "--permutations",
        "99",
        "--bootstraps",
        "50",
    ];
    let ask = |more: &[&str]| {
        ok(
            here.path(),
            &[&["motif-enrichment"], &shared[..], more].concat(),
        )
    };
    let said = ask(&[
        "--tss",
        "canonical",
        "--name",
        "Cf2",
        "--name",
        "dl",
        "--control",
        "all",
        "--motif-detail",
        "MA0015",
        "--out",
        "r",
    ]);
    assert!(
        said.contains("promoter regions") && said.contains("r/index.html"),
        "{said}"
    );
    let at = here.path().join("r");
    for figure in [
        "r2_motifs",
        "native_vs_shuffled",
        "volcano",
        "forest",
        "heatmap",
        "balance",
    ] {
        assert!(
            at.join(format!("figures/{figure}.svg")).exists()
                && at.join(format!("figures/{figure}.png")).exists(),
            "{figure}"
        );
    }
    let (head, rows) = tsv(at.join("tables/statistics.tsv"));
    let column = |name: &str| head.iter().position(|h| h == name).unwrap();
    let (id, control, endpoint, n) = (
        column("motif_id"),
        column("control"),
        column("endpoint"),
        column("n_pairs"),
    );
    let (_, pairs) = tsv(at.join("tables/pairs.tsv"));
    let (_, orders) = tsv(at.join("tables/orders.tsv"));
    let row = rows
        .iter()
        .find(|r| r[id] == "MA0015.2" && r[control] == "permuted" && r[endpoint] == "edges")
        .unwrap();
    assert!(
        orders
            .iter()
            .any(|o| o[0] == "MA0015.2" && o[1] == "0" && o[2] == row[n])
    );
    for wanted in ["position", "outside", "shuffled"] {
        let row = rows
            .iter()
            .find(|r| r[id] == "MA0015.2" && r[control] == wanted && r[endpoint] == "edges")
            .unwrap();
        let of = pairs
            .iter()
            .filter(|p| p[0] == "MA0015.2" && p[1] == wanted)
            .count();
        assert_eq!(row[n], of.to_string(), "{wanted}");
    }
    let (_, motifs) = tsv(at.join("tables/motifs.tsv"));
    assert!(
        motifs.iter().any(|m| m[0] == "tata") && motifs.iter().filter(|m| m[1] == "dl").count() > 1
    );
    let page = std::fs::read_to_string(at.join("index.html")).unwrap();
    assert!(page.contains("Core promoter elements") && page.contains("SHA-256"));
    // Page and figures come from the tables and run.json alone.
    let drawn = bytes_of(&at);
    std::fs::remove_file(at.join("index.html")).unwrap();
    std::fs::remove_dir_all(at.join("figures")).unwrap();
    ok(here.path(), &["report", "r"]);
    assert!(
        std::fs::read_to_string(at.join("index.html")).unwrap() == page && bytes_of(&at) == drawn
    );
    fails(here.path(), &["report", "nowhere"], 1, &["run.json"]);
    // A former result is replaced; regions of a file need no annotation.
    let (_, promoters) = tsv(at.join("tables/promoters.tsv"));
    let bed: String = promoters
        .iter()
        .map(|p| format!("{}\t{}\t{}\t{}\t0\t{}\n", p[2], p[3], p[4], p[0], p[5]))
        .collect();
    std::fs::write(here.path().join("p.bed"), bed).unwrap();
    ask(&[
        "--regions",
        "p.bed",
        "--name",
        "Cf2",
        "--negative-control",
        "--out",
        "r",
    ]);
    let said = run(
        here.path(),
        &[
            &["motif-enrichment"],
            &shared[..],
            &["--regions", "p.bed", "--name", "Cf2", "--out", "s"],
        ]
        .concat(),
    );
    let said = text(&said.stderr);
    assert!(
        said.contains("no start sites") && said.contains("--regions-are"),
        "{said}"
    );
    assert!(
        at.join("figures/calibration.svg").exists()
            && !at.join("figures/native_vs_shuffled.svg").exists()
    );
    let (_, again) = tsv(at.join("tables/promoters.tsv"));
    assert_eq!(again.len(), promoters.len());
    fails(
        here.path(),
        &["motif-enrichment", "--regions", "missing.bed", "--out", "q"],
        1,
        &["missing.bed"],
    );
}

#[test]
fn splice_profile_from_files_to_report() {
    let here = tempfile::tempdir().unwrap();
    let at = here.path();
    world(at);
    let printed = ok(at, &splice_profile("deep/one", &["--threads", "1"]));
    assert!(
        printed.contains("donor") && printed.trim_end().ends_with("deep/one/index.html"),
        "{printed}"
    );
    ok(at, &splice_profile("two", &["--threads", "2"]));
    let (one, two) = (at.join("deep/one"), at.join("two"));
    assert_eq!(bytes_of(&one), bytes_of(&two), "threads change nothing");
    assert_eq!(bytes_of(&one).len(), 2 * 23 + 2 * 9);

    let (head, statistics) = tsv(one.join("tables/statistics.tsv"));
    let wanted = "site_kind control n_pairs n_clusters site_mean control_mean difference ci_low ci_high d auroc auroc_low auroc_high p_value p_floor \
                  measure p_bh p_by";
    assert_eq!(head[..18].join(" "), wanted);
    let (head, pairs) = tsv(one.join("tables/pairs.tsv"));
    assert_eq!(
        head[..7].join(" "),
        "site_kind control site control_site cluster site_value control_value"
    );
    assert_eq!(head[7..9].join(" "), "site_residual control_residual");
    let frame = ParquetReader::new(std::fs::File::open(one.join("tables/pairs.parquet")).unwrap())
        .finish()
        .unwrap();
    let floats = |name: &str| {
        frame
            .column(name)
            .unwrap()
            .f64()
            .unwrap()
            .iter()
            .map(Option::unwrap)
            .collect::<Vec<_>>()
    };
    let (sites, controls, corrections) = (
        floats("site_value"),
        floats("control_value"),
        floats("control_correction"),
    );
    for (row, (site, control)) in pairs.iter().zip(sites.iter().zip(&controls)) {
        assert_eq!(
            (row[5].parse(), row[6].parse()),
            (Ok(*site), Ok(*control)),
            "text holds every digit of parquet"
        );
    }
    for row in statistics.iter().filter(|row| row[15] == "probability") {
        let values = sites
            .iter()
            .zip(&controls)
            .zip(&corrections)
            .map(|((site, control), correction)| site - control - correction);
        let own: Vec<f64> = pairs
            .iter()
            .zip(values)
            .filter(|(p, _)| p[0] == row[0])
            .map(|(_, difference)| difference)
            .collect();
        assert_eq!(row[2].parse(), Ok(own.len()));
        assert!(
            own.len() > 20
                && (row[6].parse::<f64>().unwrap() - own.iter().sum::<f64>() / own.len() as f64)
                    .abs()
                    < 1e-12
        );
    }
    let (_, accounting) = tsv(one.join("tables/accounting.tsv"));
    let total: u64 = accounting
        .iter()
        .map(|row| row[2].parse::<u64>().unwrap())
        .sum();
    assert_eq!(total, 24 * 2 * 2);
    let (_, profile) = tsv(one.join("tables/profile.tsv"));
    assert_eq!(
        profile.len(),
        2 * 2 * 2 * 121,
        "kinds, groups, measures, offsets"
    );

    let record: serde_json::Value =
        serde_json::from_slice(&std::fs::read(one.join("run.json")).unwrap()).unwrap();
    assert_eq!(record["tool"]["name"], "ldar-analyze");
    assert_eq!(
        (
            &record["parameters"]["seed"],
            &record["parameters"]["flank"]
        ),
        (&1.into(), &60.into())
    );
    assert_eq!(
        (
            record["inputs"].as_array().unwrap().len(),
            record["compute"]["threads"].as_u64()
        ),
        (3, Some(1))
    );
    assert!(
        record["inputs"][2]["sha256"].as_str().unwrap().len() == 64
            && record["compute"]["peak_memory_bytes"].as_u64() > Some(1 << 20)
    );

    let page = std::fs::read_to_string(one.join("index.html")).unwrap();
    assert!(
        page.len() < 2_000_000
            && page.starts_with("<!DOCTYPE html>")
            && page.contains("<svg")
            && page.contains("figures/r1_splice.png")
    );
    assert!(!page.contains("src=\"http") && !page.contains("NaN"));

    // A former result is replaced; another seed gives other decoys; somebody's folder is left
    // alone.
    let before = std::fs::read(two.join("tables/pairs.tsv")).unwrap();
    ok(
        at,
        &splice_profile("two", &["--seed", "2", "--negative-control"]),
    );
    assert_ne!(before, std::fs::read(two.join("tables/pairs.tsv")).unwrap());
    assert!(
        std::fs::read_to_string(two.join("index.html"))
            .unwrap()
            .contains("Negative control")
    );
    std::fs::create_dir(at.join("mine")).unwrap();
    std::fs::write(at.join("mine/thesis.txt"), "years").unwrap();
    fails(
        at,
        &splice_profile("mine", &[]),
        1,
        &["mine", "no former result"],
    );
    assert_eq!(std::fs::read_dir(at.join("mine")).unwrap().count(), 1);
}

/// Page and figures of a results folder come from its tables and run.json alone.
fn made_anew(folder: &Path, name: &str) {
    let at = folder.join(name);
    let page = std::fs::read(at.join("index.html")).unwrap();
    let drawn = bytes_of(&at);
    std::fs::remove_file(at.join("index.html")).unwrap();
    std::fs::remove_dir_all(at.join("figures")).unwrap();
    ok(folder, &["report", name]);
    assert!(std::fs::read(at.join("index.html")).unwrap() == page && bytes_of(&at) == drawn);
    // A second run knows the folder for its own.
    ldar::report::folder::ResultsFolder::at(&at).unwrap();
}

/// Classes, their accounts and the run; the same on one thread.
#[test]
fn density_from_files_to_report() {
    let folder = tempfile::tempdir().unwrap();
    world(folder.path());
    let files = [
        "density",
        "--genome",
        "genome.fa",
        "--annotation",
        "genes.gtf",
        "--checkpoint",
        NANO,
        "--context",
        "512",
        "--margin",
        "64",
    ];
    let draws = [
        "--permutations",
        "200",
        "--bootstraps",
        "100",
        "--max-per-class",
        "30",
        "--caliper",
        "0.1",
    ];
    let printed = ok(
        folder.path(),
        &[
            &files[..],
            &draws,
            &["--reference", "untrained", "--out", "a"],
        ]
        .concat(),
    );
    assert!(
        printed.contains("noncoding_exon")
            && printed.contains("exon             untrained model ")
            && printed.contains("cds              not compared: 0 stretches"),
        "{printed}"
    );
    ok(
        folder.path(),
        &[
            &files[..],
            &draws,
            &["--out", "b", "--threads", "1", "--batch", "1"],
        ]
        .concat(),
    );
    let (head, pairs) = tsv(folder.path().join("a/tables/pairs.tsv"));
    assert_eq!(head[..4], ["class", "cluster", "contig", "strand"]);
    assert!(pairs.len() > 150);
    let places = |pairs: Vec<Vec<String>>| {
        pairs
            .into_iter()
            .map(|row| row[..7].to_vec())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        places(pairs),
        places(tsv(folder.path().join("b/tables/pairs.tsv")).1)
    );
    for name in [
        "statistics",
        "untrained",
        "token_lengths",
        "balance",
        "accounting",
        "baseline",
    ] {
        let file =
            std::fs::File::open(folder.path().join(format!("a/tables/{name}.parquet"))).unwrap();
        assert!(
            ParquetReader::new(file).finish().unwrap().height() > 0,
            "{name}"
        );
    }
    let run: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.path().join("a/run.json")).unwrap()).unwrap();
    assert_eq!(
        (&run["analysis"], &run["parameters"]["max_per_class"]),
        (&"density".into(), &30.into())
    );
    let page = std::fs::read_to_string(folder.path().join("a/index.html")).unwrap();
    assert!(
        page.contains("non-coding exon")
            && page.contains("As an untrained model reads them")
            && !page.contains("NaN")
    );
    made_anew(folder.path(), "a");
    fails(
        folder.path(),
        &[&files[..], &["--contigs", "chr7", "--out", "c"]].concat(),
        1,
        &["no contig 'chr7'"],
    );
    assert!(!folder.path().join("c").exists());
}

/// Whatever is in a track's file, it is read or refused in one sentence.
#[test]
fn a_damaged_track_is_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    world(folder.path());
    let reading = [
        "boundaries",
        "--genome",
        "genome.fa",
        "--checkpoint",
        NANO,
        "--context",
        "512",
        "--margin",
        "64",
        "--out",
        "t.bw",
    ];
    ok(folder.path(), &reading);
    let whole = std::fs::read(folder.path().join("t.plus.bw")).unwrap();
    let (mut refused, mut state) = (0, 7_u64);
    let mut random = |n: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    };
    for round in 0..20 {
        let mut bytes = whole.clone();
        match round % 3 {
            0 => bytes.truncate(random(whole.len())),
            1 => (0..20).for_each(|_| bytes[random(64)] = random(256) as u8),
            _ => (0..200).for_each(|_| bytes[random(whole.len())] ^= 1 << random(8)),
        }
        std::fs::write(folder.path().join("t.plus.bw"), bytes).unwrap();
        let command = [
            "density",
            "--genome",
            "genome.fa",
            "--annotation",
            "genes.gtf",
            "--signal",
            "t.plus.bw",
            "--context",
            "512",
        ];
        let more = [
            "--margin",
            "64",
            "--permutations",
            "50",
            "--bootstraps",
            "50",
            "--out",
            "a",
        ];
        let output = run(folder.path(), &[&command[..], &more].concat());
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(
            matches!(output.status.code(), Some(0 | 1)) && !message.contains("panicked"),
            "round {round}: {message}"
        );
        refused += usize::from(!output.status.success());
    }
    assert!(refused > 5, "{refused}");
}

/// A track in place of a model: means are those of the track's bases, and nothing is said of
/// boundaries.
#[test]
fn density_of_a_track() {
    let folder = tempfile::tempdir().unwrap();
    world(folder.path());
    let reading = [
        "boundaries",
        "--genome",
        "genome.fa",
        "--checkpoint",
        NANO,
        "--context",
        "512",
        "--margin",
        "64",
    ];
    ok(folder.path(), &[&reading[..], &["--out", "t.bw"]].concat());
    ok(
        folder.path(),
        &[&reading[..], &["--out", "t.bedgraph"]].concat(),
    );
    let files = [
        "density",
        "--genome",
        "genome.fa",
        "--annotation",
        "genes.gtf",
        "--signal",
        "t.plus.bw",
        "--signal-minus",
        "t.minus.bw",
    ];
    let draws = [
        "--permutations",
        "200",
        "--bootstraps",
        "100",
        "--max-per-class",
        "30",
        "--caliper",
        "0.1",
        "--context",
        "512",
    ];
    ok(
        folder.path(),
        &[&files[..], &draws, &["--margin", "64", "--out", "a"]].concat(),
    );
    let tracks: BTreeMap<&str, Vec<f64>> = [("+", "plus"), ("-", "minus")]
        .map(|(strand, name)| {
            let text =
                std::fs::read_to_string(folder.path().join(format!("t.{name}.bedgraph"))).unwrap();
            let mut values = vec![f64::NAN; 24 * 1500 + 1000];
            for line in text.lines() {
                let cells: Vec<&str> = line.split('\t').collect();
                let Ok(value) = cells[cells.len() - 1].parse::<f64>() else {
                    continue;
                };
                values[cells[1].parse().unwrap()..cells[2].parse().unwrap()].fill(value);
            }
            (strand, values)
        })
        .into();
    let (head, pairs) = tsv(folder.path().join("a/tables/pairs.tsv"));
    let column = |name: &str| head.iter().position(|column| column == name).unwrap();
    assert!(
        pairs.len() > 150
            && ["+", "-"]
                .iter()
                .all(|strand| pairs.iter().any(|row| row[column("strand")] == *strand))
    );
    for row in &pairs {
        let [start, end, control] = ["start", "end", "control_start"]
            .map(|name| row[column(name)].parse::<usize>().unwrap());
        for (from, name) in [(start, "probability"), (control, "control_probability")] {
            let bases = &tracks[row[column("strand")].as_str()][from..from + end - start];
            let mean = bases.iter().sum::<f64>() / bases.len() as f64;
            assert!(
                (mean - row[column(name)].parse::<f64>().unwrap()).abs() < 1e-5,
                "{row:?}"
            );
        }
        assert_eq!(row[column("density")], "");
    }
    let (head, statistics) = tsv(folder.path().join("a/tables/statistics.tsv"));
    let measure = head.iter().position(|column| column == "measure").unwrap();
    assert!(
        statistics.iter().any(|row| row[measure] == "residual")
            && statistics.iter().all(|row| row[measure] != "density")
    );
    assert!(
        tsv(folder.path().join("a/tables/token_lengths.tsv"))
            .1
            .is_empty()
    );
    let page = std::fs::read_to_string(folder.path().join("a/index.html")).unwrap();
    assert!(
        page.contains("A track has no boundaries")
            && page.contains("Does the signal differ between classes of sequence?")
    );
    assert!(
        !page.contains("Token lengths")
            && !page.contains("oundary probability")
            && !page.contains("NaN")
    );
    made_anew(folder.path(), "a");
    // A folder made smaller: its page links to nothing that is gone.
    std::fs::remove_file(folder.path().join("a/tables/pairs.parquet")).unwrap();
    ok(folder.path(), &["report", "a", "--prune"]);
    let page = std::fs::read_to_string(folder.path().join("a/index.html")).unwrap();
    assert!(
        page.contains("href=\"tables/pairs.tsv\"")
            && !page.contains("pairs.parquet")
            && page.contains("left out of this copy")
    );
}

/// The page, the tables and the run of a locus; the region's ends count from 1 and are both inside.
#[test]
fn locus_from_files_to_report() {
    let folder = tempfile::tempdir().unwrap();
    world(folder.path());
    let files = [
        "locus",
        "--genome",
        "genome.fa",
        "--checkpoint",
        NANO,
        "--context",
        "512",
        "--margin",
        "64",
    ];
    let region = [
        &files[..],
        &[
            "--region",
            "1:2,001-2,080",
            "--strand",
            "-",
            "--motifs",
            "none",
            "--out",
            "a",
        ],
    ]
    .concat();
    assert!(ok(folder.path(), &region).contains("chr1:2001-2080, minus strand"));
    let (head, rows) = tsv(folder.path().join("a/tables/positions.tsv"));
    assert_eq!(
        head,
        ["series", "position", "base", "boundary_prob", "is_boundary"]
    );
    assert_eq!(
        (rows.len(), rows[0][1].as_str(), rows[80][1].as_str()),
        (81, "2000", "2080")
    );
    let tokens = tsv(folder.path().join("a/tables/tokens.tsv")).1;
    assert_eq!(
        tokens
            .iter()
            .map(|row| row[3].parse::<usize>().unwrap())
            .sum::<usize>(),
        80
    );
    let gene = [
        "--annotation",
        "genes.gtf",
        "--gene",
        "g1",
        "--around",
        "donor:2",
        "--flank",
        "400",
        "--motifs",
        "insects",
        "--out",
        "b",
    ];
    assert!(
        ok(
            folder.path(),
            &[&files[..], &gene, &["--compare", NANO]].concat()
        )
        .contains("donor 2 of g1 (t1)")
    );
    let (_, series) = tsv(folder.path().join("b/tables/series.tsv"));
    assert_eq!(series.len(), 2);
    let run: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.path().join("b/run.json")).unwrap()).unwrap();
    assert_eq!(
        (&run["analysis"], &run["outcome"]["frame"]["strand"]),
        (&"locus".into(), &"-".into())
    );
    let page = std::fs::read_to_string(folder.path().join("b/index.html")).unwrap();
    assert!(page.contains("One locus: donor 2 of g1") && !page.contains("NaN"));
    made_anew(folder.path(), "b");
    fails(
        folder.path(),
        &[&files[..], &["--region", "chr7:1-50", "--out", "c"]].concat(),
        1,
        &["no contig 'chr7'", "chr1"],
    );
    fails(
        folder.path(),
        &[
            &files[..],
            &[
                "--annotation",
                "genes.gtf",
                "--gene",
                "nobody",
                "--out",
                "c",
            ],
        ]
        .concat(),
        1,
        &["no gene 'nobody'"],
    );
    assert!(!folder.path().join("c").exists());
}

#[test]
fn families_side_by_side() {
    let here = tempfile::tempdir().unwrap();
    let at = here.path();
    world(at);
    let (_, sites) = {
        ok(at, &splice_profile("one", &[]));
        tsv(at.join("one/tables/sites.tsv"))
    };
    let used = sites
        .iter()
        .find(|row| row[7] == "used" && row[4] == "+")
        .unwrap();
    std::fs::write(
        at.join("mine.bed"),
        format!("chr1\t700\t700\t{}\t0\t+\n", used[1]),
    )
    .unwrap();
    let more = [
        "--control",
        "all",
        "--control-bed",
        "mine.bed",
        "--controls-per-site",
        "2",
        "--match",
        "propensity",
        "--strand-average",
    ];
    let printed = ok(at, &splice_profile("all", &more));
    for family in [
        "decoy", "strength", "kmer", "random", "shift", "shuffle", "bed",
    ] {
        assert_eq!(
            printed
                .lines()
                .filter(|line| line.split_whitespace().nth(1) == Some(family))
                .count(),
            2,
            "{family} in {printed}"
        );
    }
    let (_, matching) = tsv(at.join("all/tables/matching.tsv"));
    assert_eq!(matching.len(), 14);
    assert!(
        matching.iter().any(|row| row[1] == "bed" && row[4] == "1"),
        "{matching:?}"
    );
    let (_, statistics) = tsv(at.join("all/tables/statistics.tsv"));
    assert_eq!(statistics.len(), 14 * 3);
    let page = std::fs::read_to_string(at.join("all/index.html")).unwrap();
    assert!(
        page.contains("r1_splice_families.svg")
            && page.contains("Do the two strands agree")
            && !page.contains("NaN")
    );
    let (_, strands) = tsv(at.join("all/tables/strands.tsv"));
    assert!(strands[0][0] == "pearson" && strands[0][1].parse::<f64>().unwrap().abs() <= 1.0);
    let null = ok(
        at,
        &splice_profile(
            "null",
            &["--control", "decoy,random,kmer", "--negative-control"],
        ),
    );
    assert!(null.contains("kmer"));
    assert!(
        std::fs::read_to_string(at.join("null/index.html"))
            .unwrap()
            .contains("controls with controls")
    );
    std::fs::write(at.join("bad.bed"), "chr1\tx\t700\n").unwrap();
    fails(
        at,
        &splice_profile("bad", &["--control", "bed", "--control-bed", "bad.bed"]),
        1,
        &["bad.bed:1", "'x'"],
    );
    assert!(!at.join("bad").exists());
}

#[test]
fn nothing_to_compare_is_said_and_not_hidden() {
    let here = tempfile::tempdir().unwrap();
    world(here.path());
    let parts = ["nothing could be compared: left out 96 of 96 splice sites: 96 intron too short"];
    fails(
        here.path(),
        &splice_profile("r", &["--min-intron", "100000"]),
        1,
        &parts,
    );
    assert!(!here.path().join("r").exists());
}

#[test]
fn an_annotation_that_is_off_is_told_from_one_of_another_genome() {
    let here = tempfile::tempdir().unwrap();
    let (fasta, annotation) = world(here.path());
    let gtf = std::fs::read_to_string(&annotation).unwrap();
    let moved = |by: usize| -> String {
        let line = |line: &str| {
            let columns: Vec<&str> = line.split('\t').collect();
            let at = |column: usize| (columns[column].parse::<usize>().unwrap() + by).to_string();
            [&columns[..3], &[&at(3), &at(4)], &columns[5..]]
                .concat()
                .join("\t")
                + "\n"
        };
        gtf.lines().map(line).collect()
    };
    std::fs::write(&annotation, moved(1)).unwrap();
    let parts = [
        "genes.gtf: only 0 of 48 annotated introns on chr1 read GT-AG: with the annotation moved by -1 base",
        "nothing could be compared",
    ];
    fails(here.path(), &splice_profile("r", &[]), 1, &parts);
    std::fs::write(&annotation, moved(17)).unwrap();
    for command in ["splice-profile", "density", "compare"] {
        let output = run(
            here.path(),
            &[
                command,
                "--genome",
                fasta.to_str().unwrap(),
                "--annotation",
                "genes.gtf",
                "--shard",
                "1/2",
            ],
        );
        assert!(
            text(&output.stderr).contains("another assembly"),
            "{command}: {}",
            text(&output.stderr)
        );
    }
    // A slice of the genome: most introns lie beyond it, those within it read as they should.
    std::fs::write(
        &annotation,
        gtf.clone() + &moved(1_000_000) + &moved(2_000_000),
    )
    .unwrap();
    let output = run(here.path(), &splice_profile("slice", &[]));
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(
        !text(&output.stderr).contains("another assembly")
            && text(&output.stderr).contains("intron off contig"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn biotypes_follow_one_rule() {
    let here = tempfile::tempdir().unwrap();
    let (_, annotation) = world(here.path());
    let files = [
        "--genome",
        "genome.fa",
        "--annotation",
        "genes.gtf",
        "--checkpoint",
        NANO,
    ];
    let commands = [
        "splice-profile",
        "motif-enrichment",
        "density",
        "locus",
        "compare",
    ];
    let asked = |command: &'static str, more: &[&'static str]| -> Vec<&'static str> {
        let place: &[&str] = if command == "locus" {
            &["--gene", "g1"]
        } else {
            &[]
        };
        let files = if command == "compare" {
            &files[..4]
        } else {
            &files[..]
        };
        [&[command], files, place, more].concat()
    };
    for command in commands {
        let help = ok(here.path(), &[command, "--help"]);
        assert!(
            help.contains("--biotype <NAME>") && help.contains("`all` for every gene"),
            "{command}"
        );
        fails(
            here.path(),
            &asked(command, &["--biotype", "lncRNA"]),
            1,
            &[
                "genes.gtf: ",
                "'lncRNA'",
                "there are protein_coding",
                "--biotype all",
            ],
        );
    }
    let without = std::fs::read_to_string(&annotation)
        .unwrap()
        .replace(" gene_biotype \"protein_coding\";", "");
    std::fs::write(&annotation, without).unwrap();
    for command in commands {
        let parts = ["genes.gtf: ", "names no biotypes", "--biotype all"];
        fails(
            here.path(),
            &asked(command, &["--biotype", "protein_coding"]),
            1,
            &parts,
        );
    }
    // Without biotypes, promoters are those of all genes, with and without `all`.
    let few = [
        "--context",
        "512",
        "--margin",
        "64",
        "--permutations",
        "20",
        "--bootstraps",
        "20",
        "--matrix-id",
        "MA0108",
        "--motifs",
        "vertebrates",
    ];
    for (out, more) in [("a", &[][..]), ("b", &["--biotype", "all"])] {
        ok(
            here.path(),
            &[&asked("motif-enrichment", &few)[..], more, &["--out", out]].concat(),
        );
    }
    assert_eq!(
        tsv(here.path().join("a/tables/promoters.tsv")),
        tsv(here.path().join("b/tables/promoters.tsv"))
    );
}

#[test]
fn the_bundled_set_needs_no_path() {
    let elsewhere = tempfile::tempdir().unwrap();
    ok(
        elsewhere.path(),
        &[
            "splice-profile",
            "--max-sites",
            "2",
            "--context",
            "1024",
            "--permutations",
            "20",
            "--bootstraps",
            "20",
        ],
    );
    let (_, accounting) = tsv(elsewhere
        .path()
        .join("splice-profile/tables/accounting.tsv"));
    let all = |kind: &str| {
        accounting
            .iter()
            .filter(|row| row[0] == kind)
            .map(|row| row[2].parse::<u64>().unwrap())
            .sum::<u64>()
    };
    assert_eq!((all("donor"), all("acceptor")), (792, 749));
}

/// A recipe of a tiny model on the toy genome.
#[test]
fn a_recipe_goes_on_where_it_stopped() {
    let here = tempfile::tempdir().unwrap();
    world(here.path());
    let step = |name: &str, more: &str| {
        let options = "genome = \"{genome}\", annotation = \"genes.gtf\", flank = 60, context = 512, margin = 64, caliper = 0.2, permutations = 99, bootstraps = 50";
        format!(
            "[[step]]\nname = \"{name}\"\ncommand = \"splice-profile\"\noptions = {{ checkpoint = \"{NANO}\", {options}{more} }}\n"
        )
    };
    let recipe = |second: &str| {
        let head = "title = \"Two <steps>\"\nabout = \"a test\"\npaper = true\n[inputs]\ngenome = { help = \"FASTA\" }\n";
        std::fs::write(
            here.path().join("two.toml"),
            format!("{head}{}{}", step("first", ""), step("second", second)),
        )
        .unwrap();
    };
    recipe(", contigs = \"nowhere\"");
    let ask = |more: &[&str]| {
        run(
            here.path(),
            &[
                &["reproduce", "two.toml", "--set", "genome=genome.fa"],
                more,
            ]
            .concat(),
        )
    };
    let failed = ask(&[]);
    assert_eq!(code(&failed), 1);
    assert!(
        text(&failed.stderr).contains("step second failed")
            && text(&failed.stderr).contains("nowhere"),
        "{}",
        text(&failed.stderr)
    );
    assert!(
        here.path().join("two/steps/first/index.html").exists()
            && !here.path().join("two/index.html").exists()
    );

    // What was done is kept, a step that changed is run, and then there is nothing to do.
    recipe(", negative-control = true");
    assert_eq!(
        text(&ask(&["--dry-run"]).stdout)
            .lines()
            .map(|line| line.split_whitespace().next().unwrap().to_string())
            .collect::<Vec<_>>(),
        ["done", "to"]
    );
    let gone_on = ask(&[]);
    assert_eq!(code(&gone_on), 0, "{}", text(&gone_on.stderr));
    assert!(
        text(&gone_on.stderr).contains("first: unchanged")
            && !text(&gone_on.stderr).contains("second: unchanged")
    );
    let page = std::fs::read_to_string(here.path().join("two/index.html")).unwrap();
    for part in [
        "Two &lt;steps&gt;",
        "Do the model’s boundaries fall on splice sites?",
        "Negative control",
        "href=\"steps/first/figures/r1_splice.svg\"",
        "not measured",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert_eq!(text(&ask(&[]).stderr).matches("unchanged").count(), 2);
    assert_eq!(
        std::fs::read_to_string(here.path().join("two/index.html")).unwrap(),
        page
    );

    // A table that is gone is made again.
    std::fs::remove_file(here.path().join("two/steps/first/tables/pairs.tsv")).unwrap();
    let mended = text(&ask(&[]).stderr);
    assert!(
        !mended.contains("first: unchanged") && mended.contains("second: unchanged"),
        "{mended}"
    );
    assert!(
        here.path()
            .join("two/steps/first/tables/pairs.tsv")
            .exists()
    );

    // Another input of the same name is another input.
    let genome = std::fs::read_to_string(here.path().join("genome.fa")).unwrap();
    std::fs::write(here.path().join("genome.fa"), genome.to_lowercase()).unwrap();
    let _ = std::fs::remove_file(here.path().join("genome.fa.fai"));
    assert!(!text(&ask(&[]).stderr).contains("unchanged"));
    fails(
        here.path(),
        &["reproduce", "two.toml"],
        2,
        &["--set genome", "FASTA"],
    );
    fails(
        here.path(),
        &["reproduce", "--out", "two"],
        1,
        &["recipe 'two'"],
    );
    fails(here.path(), &["reproduce", "no-such"], 2, &["fly-demo"]);
    std::fs::write(
        here.path().join("bad.toml"),
        step("x", ", flanks = 3").replace("{genome}", "g") + "",
    )
    .unwrap();
    fails(
        here.path(),
        &["reproduce", "bad.toml"],
        1,
        &["bad.toml", "title"],
    );
    std::fs::write(
        here.path().join("bad.toml"),
        format!(
            "title = \"\"\nabout = \"\"\n{}",
            step("x", ", flanks = 3").replace("{genome}", "g")
        ),
    )
    .unwrap();
    fails(
        here.path(),
        &["reproduce", "bad.toml"],
        2,
        &["step x", "--flanks"],
    );
}

#[test]
fn compare_sets_tokenizers_side_by_side() {
    let here = tempfile::tempdir().unwrap();
    let quick = [
        "--permutations",
        "99",
        "--context",
        "1024",
        "--margin",
        "100",
    ];
    let said = ok(
        here.path(),
        &[
            &["compare", NANO, "fixed:4", "kmer:6", "--out", "c"],
            &quick[..],
        ]
        .concat(),
    );
    assert!(
        said.contains("nano.pt") && said.contains("kmer:6") && said.contains("c/index.html"),
        "{said}"
    );
    let (head, rows) = tsv(here.path().join("c/tables/cuts.tsv"));
    let column = |name: &str| head.iter().position(|h| h == name).unwrap();
    let grid = rows
        .iter()
        .find(|r| {
            r[0] == "fixed:4"
                && r[column("element")] == "donor"
                && r[column("measure")] == "cut at junction"
        })
        .unwrap();
    let observed: f64 = grid[column("observed")].parse().unwrap();
    assert!((observed - 0.25).abs() < 0.06, "{observed}");
    assert!(
        std::fs::read_to_string(here.path().join("c/index.html"))
            .unwrap()
            .contains("Do cuts respect")
    );
    for (asked, part) in [("fixed:0", "fixed:0"), ("kmer:", "kmer:")] {
        fails(here.path(), &["compare", asked], 2, &[part]);
    }
    fails(
        here.path(),
        &["compare", "fixed:4", "fixed:4"],
        2,
        &["twice"],
    );
    fails(
        here.path(),
        &["compare", "bpe:missing.json"],
        1,
        &["missing.json"],
    );
}

fn tiny_recipe(folder: &Path, steps: usize) -> &'static str {
    world(folder);
    let recipe = format!(
        r#"
        seed = 5
        [model]
        arch_layout = ["m1", ["M1"], "m1"]
        d_model = [32, 64]
        d_intermediate = [0, 128]
        ssm_cfg = {{ d_state = 16, d_conv = 4, expand = 2 }}
        [data]
        fasta = ["genome.fa"]
        length = 128
        reverse_complement = 0.5
        holdout = [0.4, 0.6]
        test = [0.45, 0.55]
        [masking]
        fraction = 0.15
        mask = 0.8
        random = 0.1
        [optimizer]
        alpha = 0.03
        compression = [4.0]
        lr = 1e-3
        betas = [0.9, 0.95]
        eps = 1e-8
        weight_decay = 0.01
        max_grad_norm = 1.0
        schedule = {{ warmup = 0.1, decay = 0.2, floor = 0.05 }}
        [run]
        steps = {steps}
        batch = 2
        micro_batch = 2
        log_every = 2
        validate_every = 4
        validation_windows = 2
        checkpoint_every = 100000
        "#
    );
    std::fs::write(folder.join("tiny.toml"), recipe).unwrap();
    "tiny.toml"
}

#[test]
fn trains_evaluates_and_draws() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = tiny_recipe(folder.path(), 4);
    assert!(
        ok(folder.path(), &["train", recipe, "--out", "run"]).contains("run/model.safetensors")
    );
    fails(
        folder.path(),
        &["train", recipe, "--out", "run"],
        1,
        &["run", "--resume"],
    );
    assert!(ok(folder.path(), &["inspect", "run/model.safetensors"]).contains("parameters"));
    let curves = ["--metrics", "run/metrics.tsv", "--curves", "curves.svg"];
    let printed = ok(
        folder.path(),
        &[
            &[
                "evaluate",
                recipe,
                "--checkpoint",
                "run/model.safetensors",
                "--json",
            ],
            &curves[..],
        ]
        .concat(),
    );
    let found: serde_json::Value = serde_json::from_str(&printed).unwrap();
    assert!(
        found["mlm_nats"].as_f64().unwrap() > 0.0
            && found["table_nats"].as_array().unwrap().len() == 11
    );
    assert!(
        std::fs::read_to_string(folder.path().join("curves.svg"))
            .unwrap()
            .contains("table, k = 10")
    );
    fails(
        folder.path(),
        &[
            "evaluate",
            recipe,
            "--metrics",
            "genome.fa",
            "--curves",
            "c.svg",
        ],
        1,
        &["genome.fa", "metrics.tsv"],
    );
    let text = std::fs::read_to_string(folder.path().join(recipe)).unwrap();
    for (from, to, part) in [
        ("log_every = 2", "log_every = 0", "at least 1"),
        ("alpha", "alfa", "alfa"),
        ("[0.45, 0.55]", "[0.1, 0.2]", "data.test"),
    ] {
        std::fs::write(folder.path().join("wrong.toml"), text.replace(from, to)).unwrap();
        fails(
            folder.path(),
            &["train", "wrong.toml", "--out", "wrong"],
            1,
            &["wrong.toml", part],
        );
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_training_run_can_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = tiny_recipe(folder.path(), 1_000_000);
    let mut child = program(folder.path())
        .args(["train", recipe, "--out", "run"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let metrics = folder.path().join("run/metrics.tsv");
    while std::fs::read_to_string(&metrics)
        .unwrap_or_default()
        .lines()
        .count()
        < 3
    {
        assert!(
            child.try_wait().unwrap().is_none(),
            "the run ended by itself"
        );
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert!(
        Command::new("kill")
            .args(["-INT", &child.id().to_string()])
            .status()
            .unwrap()
            .success()
    );
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 0);
    assert!(
        text(&output.stdout).contains("--resume"),
        "{}",
        text(&output.stdout)
    );
    assert!(
        folder.path().join("run/training.safetensors").exists()
            && !folder.path().join("run/model.safetensors").exists()
    );
}

#[test]
fn no_number_is_too_large_to_be_refused() {
    let here = tempfile::tempdir().unwrap();
    let table: &[(&[&str], &[&str])] = &[
        (
            &["splice-profile"],
            &[
                "flank",
                "context",
                "margin",
                "max-sites",
                "min-intron",
                "controls-per-site",
                "gc-flank",
                "min-site-distance",
                "kmer",
            ],
        ),
        (
            &["splice-profile"],
            &["permutations", "bootstraps", "batch"],
        ),
        (
            &["motif-enrichment"],
            &[
                "upstream",
                "downstream",
                "min-hits",
                "gc-flank",
                "flank",
                "context",
                "margin",
                "permutations",
                "bootstraps",
                "batch",
            ],
        ),
        (
            &["density"],
            &[
                "stretch",
                "max-per-class",
                "context",
                "margin",
                "permutations",
                "bootstraps",
                "batch",
            ],
        ),
        (
            &["compare"],
            &[
                "flank",
                "context",
                "margin",
                "permutations",
                "bootstraps",
                "batch",
            ],
        ),
        (&["locus"], &["flank", "context", "margin", "batch"]),
        (
            &["boundaries", "--fasta", "x.fa"],
            &["context", "margin", "stage", "batch"],
        ),
        (&["inspect", "--config", "2m"], &["length"]),
        (&["bench", "--config", "2m"], &["length", "batch", "runs"]),
        (&["fetch", "human"], &["retries", "timeout"]),
        (&["scan"], &["threads"]),
    ];
    for (command, options) in table {
        for option in *options {
            for value in ["18446744073709551615", "18446744073709551616", "10000001"] {
                let option = format!("--{option}={value}");
                fails(
                    here.path(),
                    &[*command, &[option.as_str()][..]].concat(),
                    2,
                    &[&option[2..option.find('=').unwrap()]],
                );
            }
        }
    }
    assert_eq!(std::fs::read_dir(here.path()).unwrap().count(), 0);
}

#[cfg(unix)]
#[test]
fn pipes_are_read_or_named() {
    let here = tempfile::tempdir().unwrap();
    let at = here.path();
    world(at);
    std::fs::write(
        at.join("m.jaspar"),
        ">m\nA 9 0 0 9 0 0\nC 0 9 0 0 9 0\nG 0 0 9 0 0 9\nT 0 0 0 0 0 0\n",
    )
    .unwrap();
    std::fs::write(at.join("r.bed"), "chr1\t100\t130\n").unwrap();
    let bash = |command: &str| {
        let command = command.replace("ldar-analyze", env!("CARGO_BIN_EXE_ldar-analyze"));
        Command::new("bash")
            .args(["-c", &command])
            .current_dir(at)
            .output()
            .unwrap()
    };
    let expected = ok(
        at,
        &[
            "scan",
            "--p",
            "1e-3",
            "--fasta",
            "genome.fa",
            "--motifs",
            "m.jaspar",
        ],
    );
    assert!(expected.lines().count() > 3);
    for command in [
        "ldar-analyze scan --p 1e-3 --fasta <(cat genome.fa) --motifs <(cat m.jaspar)",
        "cat genome.fa | gzip | ldar-analyze scan --p 1e-3 --fasta /dev/stdin --motifs m.jaspar",
        "ldar-analyze scan --p 1e-3 --fasta /dev/stdin --motifs m.jaspar < genome.fa",
    ] {
        let output = bash(command);
        assert_eq!(
            (code(&output), text(&output.stdout)),
            (0, expected.clone()),
            "{command}: {}",
            text(&output.stderr)
        );
    }
    let region = [
        "boundaries",
        "--fasta",
        "genome.fa",
        "--checkpoint",
        NANO,
        "--regions",
        "r.bed",
    ];
    let table = bash(&format!(
        "ldar-analyze boundaries --fasta <(cat genome.fa) --checkpoint {NANO} --regions <(cat r.bed)"
    ));
    assert_eq!(text(&table.stdout), ok(at, &region));
    // What is asked for its checksum too is asked twice.
    let kept = bash(&format!(
        "ldar-analyze boundaries --fasta genome.fa --checkpoint {NANO} --regions <(cat r.bed) --out o.bedgraph"
    ));
    assert!(
        code(&kept) == 1 && text(&kept.stderr).contains("write it to a file first"),
        "{}",
        text(&kept.stderr)
    );
    assert!(!Path::new("/dev/stdin.fai").exists());
}

#[test]
fn what_is_left_out_is_said() {
    let here = tempfile::tempdir().unwrap();
    let at = here.path();
    world(at);
    std::fs::write(at.join("n.fa"), ">a\nACGTNNNNACGT\n>b\nNN\n").unwrap();
    let said = text(&run(at, &["scan", "--fasta", "n.fa"]).stderr);
    assert!(
        said.contains("left out 6 of 14 bases: 6 N or no base"),
        "{said}"
    );
    std::fs::write(
        at.join("r.bed"),
        "chr1\t700\t1300\nchrZ\t1\t90\nchr1\t36900\t37100\nchr1\t3000\t3600\n",
    )
    .unwrap();
    let asked = [
        "motif-enrichment",
        "--genome",
        "genome.fa",
        "--regions",
        "r.bed",
        "--checkpoint",
        NANO,
        "--context",
        "512",
        "--motifs",
        "insects",
        "--name",
        "Cf2",
    ];
    let said = text(
        &run(
            at,
            &[&asked[..], &["--permutations", "100", "--bootstraps", "50"]].concat(),
        )
        .stderr,
    );
    assert!(
        said.contains("left out 2 of 4 ")
            && said.contains("1 contig not in genome")
            && said.contains("1 window off contig"),
        "{said}"
    );
    std::fs::write(at.join("bad.bed"), "chr1\t5\t9\nchr1\t\x1b[31m5\t9\n").unwrap();
    let said = run(
        at,
        &[
            "boundaries",
            "--fasta",
            "genome.fa",
            "--regions",
            "bad.bed",
            "--out",
            "o.bedgraph",
        ],
    );
    assert_eq!(code(&said), 1);
    assert!(
        text(&said.stderr).contains("bad.bed:2: ' [31m5' is no position"),
        "{}",
        text(&said.stderr)
    );
}
