//! `variants` as its users meet it.
#![allow(clippy::unwrap_used)]

mod common;

use common::{NANO, ok, run};
use std::io::{Read, Write};
use std::path::Path;

fn fails(folder: &Path, arguments: &[&str], exit: i32, part: &str) {
    let output = run(folder, arguments);
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.code() == Some(exit) && message.contains(part),
        "{arguments:?}: {message}"
    );
}

/// The letters of g.fa: chr1 of 6000 bases.
fn sequence() -> Vec<u8> {
    let mut state = 11_u64;
    let mut letter = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        b"ACGT"[(state >> 33) as usize % 4]
    };
    (0..6000).map(|_| letter()).collect()
}

fn other(base: u8) -> char {
    if base == b'A' { 'G' } else { 'A' }
}

/// g.fa, and v.vcf: 40 SNVs, an insertion, a deletion, a record of two alleles, a symbolic one, one
/// on an unknown contig and one whose REF is wrong; CRLF.
fn world(folder: &Path) -> Vec<String> {
    let sequence = sequence();
    std::fs::write(
        folder.join("g.fa"),
        format!(">chr1\n{}\n", std::str::from_utf8(&sequence).unwrap()),
    )
    .unwrap();
    let base = |first: usize| char::from(sequence[first - 1]);
    let mut lines: Vec<String> = (0..40)
        .map(|i| (300 + 50 * i, i))
        .map(|(first, i)| {
            let gene = i % 8;
            format!(
                "1\t{first}\trs{i}\t{}\t{}\t.\tPASS\tAC=1;P={};GENE=g{gene}",
                base(first),
                other(sequence[first - 1]),
                i % 2
            )
        })
        .collect();
    lines.push(format!(
        "1\t2400\t.\t{}\t{}GAT\t.\t.\t.",
        base(2400),
        base(2400)
    ));
    lines.push(format!(
        "1\t2500\t.\t{}{}\t{}\t.\t.\tDB",
        base(2500),
        base(2501),
        base(2500)
    ));
    lines.push(format!(
        "1\t2600\t.\t{}\t{},<DUP>\t.\t.\t.",
        base(2600),
        other(sequence[2599])
    ));
    lines.push(format!("1\t2700\t.\t{}\t<DEL>\t.\t.\tEND=2800", base(2700)));
    lines.push(format!(
        "1\t2800\t.\t{}\t{}\t.\t.\t.",
        other(sequence[2799]),
        base(2800)
    ));
    lines.push("chrUn\t5\t.\tA\tC\t.\t.\t.".into());
    let head = "##fileformat=VCFv4.2\r\n##INFO=<ID=AC,Number=1,Type=Integer,Description=\"x\">\r\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\r\n";
    std::fs::write(
        folder.join("v.vcf"),
        format!("{head}{}\r\n", lines.join("\r\n")),
    )
    .unwrap();
    lines
}

const SMALL: [&str; 12] = [
    "variants",
    "--vcf",
    "v.vcf",
    "--genome",
    "g.fa",
    "--checkpoint",
    NANO,
    "--context",
    "512",
    "--margin",
    "64",
    "--reach=24",
];

fn unpacked(path: &Path) -> String {
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(std::fs::File::open(path).unwrap())
        .read_to_string(&mut text)
        .unwrap();
    text
}

fn table(folder: &Path, name: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(folder.join("tables").join(format!("{name}.tsv"))).unwrap();
    text.lines()
        .map(|line| line.split('\t').map(str::to_string).collect())
        .collect()
}

#[test]
fn every_record_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let lines = world(at);
    let said = ok(
        at,
        &[&SMALL[..], &["--out", "out", "--both-strands"]].concat(),
    );
    assert!(
        said.contains("47 alleles, 43 scored") && said.contains("2 symbolic"),
        "{said}"
    );
    let vcf = unpacked(&at.join("out/variants.vcf.gz"));
    let records: Vec<&str> = vcf.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(records.len(), lines.len());
    for (record, line) in records.iter().zip(&lines) {
        let (was, is): (Vec<&str>, Vec<&str>) =
            (line.split('\t').collect(), record.split('\t').collect());
        assert_eq!(was[..7], is[..7]);
        assert!(was[7] == "." || is[7].starts_with(was[7]), "{record}");
        assert!(is[7].contains("LDAR_"), "{record}");
    }
    assert!(
        records[42].contains("LDAR_REASON=.,symbolic"),
        "{}",
        records[42]
    );
    assert!(
        records[44].contains("LDAR_REASON=reference_differs")
            && records[45].contains("LDAR_REASON=unknown_contig")
    );
    for id in [
        "LLR",
        "TABLE_LLR",
        "BOUNDARY",
        "DECISIONS",
        "TOKENS",
        "HIDDEN",
        "TRACK",
        "REASON",
        "NOTES",
    ] {
        assert!(
            vcf.contains(&format!("##INFO=<ID=LDAR_{id},Number=A,Type=")),
            "{id}"
        );
    }
    assert!(at.join("out/variants.vcf.gz.tbi").exists());
    let rows = table(&at.join("out"), "variants");
    assert_eq!(rows.len(), 48);
    let column = |name: &str| rows[0].iter().position(|column| column == name).unwrap();
    for row in rows[1..]
        .iter()
        .filter(|row| row[column("reason")].is_empty())
    {
        for name in ["llr", "table_llr", "boundary_change", "hidden_distance"] {
            assert!(
                row[column(name)].parse::<f64>().unwrap().is_finite(),
                "{row:?}"
            );
        }
    }
    // The same again from gzip, over the former results.
    let mut gz = flate2::write::GzEncoder::new(
        std::fs::File::create(at.join("v.vcf.gz")).unwrap(),
        flate2::Compression::fast(),
    );
    gz.write_all(&std::fs::read(at.join("v.vcf")).unwrap())
        .unwrap();
    gz.finish().unwrap();
    let before = std::fs::read(at.join("out/variants.vcf.gz")).unwrap();
    let mut again = SMALL.to_vec();
    again[2] = "v.vcf.gz";
    ok(
        at,
        &[&again[..], &["--out", "out", "--both-strands"]].concat(),
    );
    assert_eq!(
        std::fs::read(at.join("out/variants.vcf.gz")).unwrap(),
        before
    );
    let page = std::fs::read_to_string(at.join("out/index.html")).unwrap();
    assert!(
        page.contains("What does the model say of variants")
            && page.contains("variants.vcf.gz.tbi")
    );
    ok(at, &["report", "out"]);
    assert_eq!(
        std::fs::read_to_string(at.join("out/index.html")).unwrap(),
        page
    );
}

/// The score of an SNV, from the logits of the model asked by hand.
#[test]
fn the_likelihood_is_that_of_the_model() {
    use ldar::model::{Checkpoint, tokenizer};
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let sequence = &sequence()[..400];
    std::fs::write(
        at.join("g.fa"),
        format!(">c\n{}\n", std::str::from_utf8(sequence).unwrap()),
    )
    .unwrap();
    let alternate = other(sequence[199]);
    std::fs::write(
        at.join("t.tsv"),
        format!(
            "chrom\tpos\tref\talt\nc\t200\t{}\t{alternate}\n",
            char::from(sequence[199])
        ),
    )
    .unwrap();
    ok(
        at,
        &[
            "variants",
            "--table",
            "t.tsv",
            "--genome",
            "g.fa",
            "--checkpoint",
            NANO,
            "--context",
            "512",
            "--margin",
            "64",
            "--out",
            "out",
        ],
    );
    let mut tokens = tokenizer::encode(sequence);
    tokens[199] = tokenizer::MASK;
    let model = Checkpoint::open(NANO).unwrap().model().unwrap();
    let logits = model
        .forward(&[tokens])
        .unwrap()
        .logits
        .to_vec2::<f32>()
        .unwrap();
    let of = |letter: u8| f64::from(logits[199][usize::from(tokenizer::token(letter))]);
    let rows = table(&at.join("out"), "variants");
    let llr = rows[0].iter().position(|column| column == "llr").unwrap();
    let llr: f64 = rows[1][llr].parse().unwrap();
    assert!(
        (llr - (of(alternate as u8) - of(sequence[199]))).abs() < 1e-4,
        "{llr}"
    );
    assert!(!at.join("out/variants.vcf.gz").exists());
}

#[test]
fn labels_and_effects_are_judged() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    world(at);
    let said = ok(
        at,
        &[
            &SMALL[..],
            &[
                "--out",
                "out",
                "--labels",
                "P",
                "--group",
                "GENE",
                "--bootstraps",
                "100",
            ],
        ]
        .concat(),
    );
    assert!(
        said.contains("auroc") && said.contains("local table"),
        "{said}"
    );
    let evaluation = table(&at.join("out"), "evaluation");
    assert!(
        evaluation[1..]
            .iter()
            .all(|row| row[1] == "auroc" && row[2] == "40" && row[3] == "8"),
        "{evaluation:?}"
    );
    assert!(at.join("out/figures/evaluation.svg").exists());
    fails(
        at,
        &[&SMALL[..], &["--out", "x", "--labels", "Q"]].concat(),
        1,
        "no variant has the INFO field Q",
    );
    fails(
        at,
        &[&SMALL[..], &["--out", "x", "--labels", "GENE"]].concat(),
        1,
        "GENE 'g0' is no number",
    );
    // Sequences of one's own, with effects.
    let sequence = sequence();
    let mut text = "element,sequence,pos,ref,alt,effect\n".to_string();
    for element in 0..4 {
        let own = &sequence[element * 300..element * 300 + 250];
        for first in (20..230).step_by(15) {
            let (letters, old) = (
                std::str::from_utf8(own).unwrap(),
                char::from(own[first - 1]),
            );
            let new = if first == 20 {
                '-'
            } else {
                other(own[first - 1])
            };
            text += &format!("e{element},{letters},{first},{old},{new},{}.5\n", first % 7);
        }
    }
    std::fs::write(at.join("t.csv"), &text).unwrap();
    let own = [
        "variants",
        "--table",
        "t.csv",
        "--checkpoint",
        NANO,
        "--context",
        "256",
        "--margin",
        "16",
        "--reach",
        "16",
        "--bootstraps",
        "100",
    ];
    let said = ok(
        at,
        &[
            &own[..],
            &["--out", "own", "--labels", "effect", "--group", "element"],
        ]
        .concat(),
    );
    assert!(said.contains("size") && said.contains("signed"), "{said}");
    assert_eq!(
        table(&at.join("own"), "groups")
            .iter()
            .filter(|row| row[0] == "llr" && row[1] == "size")
            .count(),
        4
    );
    fails(
        at,
        &[&own[..], &["--out", "x", "--genome", "g.fa"]].concat(),
        2,
        "sequences of its own",
    );
    fails(
        at,
        &[&own[..], &["--out", "x", "--labels", "size"]].concat(),
        1,
        "no column 'size'",
    );
}

#[test]
fn a_run_in_shards_is_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    world(at);
    let labelled = [
        &SMALL[..],
        &[
            "--labels",
            "P",
            "--group",
            "GENE",
            "--bootstraps",
            "100",
            "--batch",
            "2",
        ],
    ]
    .concat();
    ok(at, &[&labelled[..], &["--out", "whole"]].concat());
    for shard in ["1/3", "2/3", "3/3"] {
        ok(
            at,
            &[
                &labelled[..],
                &["--shard", shard, "--out", &format!("s{}", &shard[..1])],
            ]
            .concat(),
        );
    }
    ok(at, &["merge", "s1", "s2", "s3", "--out", "merged"]);
    for name in [
        "tables/variants.tsv",
        "tables/evaluation.tsv",
        "tables/score_differences.parquet",
        "variants.vcf.gz",
        "figures/scores.svg",
    ] {
        assert_eq!(
            std::fs::read(at.join("whole").join(name)).unwrap(),
            std::fs::read(at.join("merged").join(name)).unwrap(),
            "{name}"
        );
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    world(at);
    std::fs::write(at.join("t.tsv"), "chrom\tpos\tref\tA\nc\tx\tA\tC\n").unwrap();
    std::fs::write(at.join("u.tsv"), "chrom\tpos\tref\talt\nc\tx\tA\tC\n").unwrap();
    std::fs::write(at.join("none.vcf"), "#CHROM\tPOS\tID\tREF\tALT\n").unwrap();
    std::fs::write(
        at.join("far.vcf"),
        "#CHROM\tPOS\tID\tREF\tALT\nchr7\t5\t.\tA\tC\n",
    )
    .unwrap();
    fails(at, &["variants"], 2, "--vcf");
    fails(
        at,
        &["variants", "--vcf", "v.vcf", "--table", "t.tsv"],
        2,
        "cannot be used with",
    );
    fails(
        at,
        &[
            "variants",
            "--vcf",
            "v.vcf",
            "--context",
            "300",
            "--reach",
            "100",
        ],
        2,
        "has no room",
    );
    fails(
        at,
        &["variants", "--vcf", "v.vcf", "--group", "G"],
        2,
        "--labels",
    );
    fails(
        at,
        &["variants", "--table", "t.tsv"],
        1,
        "t.tsv:1: no column 'alt'",
    );
    fails(
        at,
        &["variants", "--table", "u.tsv"],
        1,
        "u.tsv:2: pos 'x' is no number",
    );
    fails(
        at,
        &["variants", "--vcf", "none.vcf"],
        1,
        "holds no variants",
    );
    fails(
        at,
        &["variants", "--vcf", "far.vcf", "--genome", "g.fa"],
        1,
        "1 unknown contig",
    );
    fails(at, &["variants", "--vcf", "g.fa"], 1, "this is no VCF");
    fails(at, &["variants", "--vcf", "absent.vcf"], 1, "absent.vcf");
}
