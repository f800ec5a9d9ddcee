//! Small sound files of every format.

use ldar::genome::bgzip;
use ldar::genome::bigwig::write::BigWigWriter;
use ldar::genome::fasta::Genome;
use ldar::model::Checkpoint;
use ldar::pipelines::store::{Opened, Store};
use ldar::report::provenance::Run;
use ldar::report::{shard, tables};
use ldar::stats::rng::Rng;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::fs;
use std::io::Write;
use std::path::Path;

/// The files of an input: names and contents.
pub type Files = Vec<(String, Vec<u8>)>;

fn one(name: &str, content: impl Into<Vec<u8>>) -> Files {
    vec![(name.into(), content.into())]
}

/// What is in a folder after something was written there, oldest first: an index must not be older
/// than what it is of.
fn made(make: impl FnOnce(&Path)) -> Files {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path());
    let mut paths: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort_by_key(|path| path.as_os_str().len());
    paths
        .iter()
        .map(|path| {
            (
                path.file_name().unwrap().to_string_lossy().into_owned(),
                fs::read(path).unwrap(),
            )
        })
        .collect()
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(text).unwrap();
    out.finish().unwrap()
}

pub fn fasta() -> Vec<Files> {
    let mut rng = Rng::new(1);
    let mut text = String::new();
    for contig in crate::targets::contigs() {
        text += &format!(">{} made\n", contig.name);
        let letters: String = (0..contig.length_bp)
            .map(|_| ['A', 'C', 'G', 'T', 'a', 'n'][rng.below(6)])
            .collect();
        letters
            .as_bytes()
            .chunks(60)
            .for_each(|line| text += &format!("{}\n", String::from_utf8_lossy(line)));
    }
    let indexed = made(|folder| {
        fs::write(folder.join("x.fa"), &text).unwrap();
        Genome::open(folder.join("x.fa")).unwrap();
    });
    let blocks = made(|folder| {
        fs::write(folder.join("plain.gz"), gzip(text.as_bytes())).unwrap();
        bgzip::rewrite(
            &folder.join("plain.gz"),
            &folder.join("x.fa.gz"),
            &|_, _| (),
        )
        .unwrap();
        fs::remove_file(folder.join("plain.gz")).unwrap();
        Genome::open(folder.join("x.fa.gz")).unwrap();
    });
    vec![
        one("x.fa", text.clone()),
        indexed,
        blocks,
        one("x.fa.gz", gzip(text.as_bytes())),
    ]
}

pub fn gtf() -> Vec<Files> {
    let mut text = String::from("#!genome-build x\n");
    for (gene, strand, start) in [("g1", '+', 100), ("g2", '-', 900), ("g3", '+', 1700)] {
        let names = format!(
            "gene_id \"{gene}\"; gene_name \"N; {gene}\"; gene_biotype \"protein_coding\";"
        );
        text += &format!(
            "chr1\tt\tgene\t{start}\t{}\t.\t{strand}\t.\t{names}\n",
            start + 600
        );
        let names = format!(
            "{names} transcript_id \"{gene}.t\"; tag \"basic\"; tag \"Ensembl_canonical\";"
        );
        text += &format!(
            "chr1\tt\ttranscript\t{start}\t{}\t.\t{strand}\t.\t{names}\n",
            start + 600
        );
        for exon in [start, start + 200, start + 500] {
            text += &format!(
                "chr1\tt\texon\t{exon}\t{}\t.\t{strand}\t.\t{names}\n",
                exon + 100
            );
            text += &format!(
                "chr1\tt\tCDS\t{}\t{}\t.\t{strand}\t0\t{names}\n",
                exon + 10,
                exon + 90
            );
        }
    }
    vec![
        one("x.txt", text.clone()),
        one("x.txt", gzip(text.as_bytes())),
    ]
}

pub fn gff3() -> Vec<Files> {
    let mut text = String::from("##gff-version 3\n##sequence-region chr1 1 3000\n");
    for (gene, strand, start) in [("g1", '+', 100), ("g2", '-', 900), ("g3", '+', 1700)] {
        let end = start + 600;
        text += &format!(
            "chr1\tt\tgene\t{start}\t{end}\t.\t{strand}\t.\tID={gene};Name=N%3B {gene};biotype=protein_coding\n"
        );
        text +=
            &format!("chr1\tt\tmRNA\t{start}\t{end}\t.\t{strand}\t.\tID={gene}.1;Parent={gene}\n");
        for exon in [start, start + 200, start + 500] {
            text += &format!(
                "chr1\tt\texon\t{exon}\t{}\t.\t{strand}\t.\tParent={gene}.1\n",
                exon + 100
            );
            text += &format!(
                "chr1\tt\tCDS\t{}\t{}\t.\t{strand}\t0\tID={gene}.c;Parent={gene}.1\n",
                exon + 10,
                exon + 90
            );
        }
    }
    text += "###\n##FASTA\n>chr1\nACGT\n";
    vec![one("x.txt", text)]
}

pub fn bed() -> Vec<Files> {
    let text =
        "track name=x\nchr1\t100\t260\tp1\t900\t+\t149\t160\nchr2\t10\t90\tp2\t0\t-\t20\t30\n";
    vec![one("x.bed", text), one("x.bed", gzip(text.as_bytes()))]
}

pub fn vcf() -> Vec<Files> {
    let text = "##fileformat=VCFv4.2\n##INFO=<ID=P,Number=A,Type=Float,Description=\"x\">\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n\
                chr1\t5\trs1\tA\tC,<DEL>\t.\tPASS\tP=0,1;END=40\nchr2\t7\t.\tAC\tA\t9\t.\t.\n";
    vec![one("x.vcf", text), one("x.vcf", gzip(text.as_bytes()))]
}

pub fn fps() -> Vec<Files> {
    let line = |name: &str, place: &str| format!("FP   {name:<20}:+U  EU:{place};     1.\n");
    vec![one(
        "x.fps",
        line("NOC2L_1", "chr1      1-      1259") + &line("B_1", "chr1      1+       300"),
    )]
}

pub fn bigwig() -> Vec<Files> {
    let packed = made(|folder| {
        let path = folder.join("x.bw");
        let mut file = BigWigWriter::create(
            fs::File::create(&path).unwrap(),
            &path,
            &crate::targets::contigs(),
        )
        .unwrap();
        for contig in crate::targets::contigs() {
            let values: Vec<f32> = (0..contig.length_bp)
                .map(|base| (base % 97) as f32)
                .collect();
            file.add(&contig.name, 0, &values).unwrap();
        }
        file.finish().unwrap();
    });
    vec![packed, one("x.bw", unpacked_bigwig())]
}

/// One block of each kind, not compressed.
fn unpacked_bigwig() -> Vec<u8> {
    let u32s = |numbers: &[u32]| {
        numbers
            .iter()
            .flat_map(|n| n.to_le_bytes())
            .collect::<Vec<u8>>()
    };
    let u64s = |numbers: &[u64]| {
        numbers
            .iter()
            .flat_map(|n| n.to_le_bytes())
            .collect::<Vec<u8>>()
    };
    let block = |kind: u32, count: u32, items: &[u32]| {
        [u32s(&[0, 40, 60, 10, 2, kind | count << 16]), u32s(items)].concat()
    };
    let blocks = [
        block(1, 1, &[10, 13, 0x3f80_0000]),
        block(2, 2, &[20, 0, 30, 0]),
        block(3, 2, &[0, 0]),
    ];
    let contigs = [
        u32s(&[0x78ca_8c91, 1, 4, 8]),
        u64s(&[1, 0]),
        vec![1, 0, 1, 0],
        b"chr1".to_vec(),
        u32s(&[0, 3000]),
    ]
    .concat();
    let (mut at, mut leaves) = (64 + contigs.len() as u64, Vec::new());
    for block in &blocks {
        leaves.extend([u32s(&[0, 0, 0, 3000]), u64s(&[at, block.len() as u64])].concat());
        at += block.len() as u64;
    }
    let header = [u32s(&[0x888f_fc26, 4]), u64s(&[64, 0, at]), vec![0; 32]].concat();
    let index = [
        u32s(&[0x2468_ace0, 256]),
        u64s(&[3]),
        u32s(&[0, 0, 0, 3000]),
        u64s(&[at]),
        u32s(&[1, 0]),
        vec![1, 0, 3, 0],
    ]
    .concat();
    [header, contigs, blocks.concat(), index, leaves].concat()
}

pub fn motifs() -> Vec<Files> {
    let jaspar = ">MA0001.1\tTBP\nA  [ 3 0 1 ]\nC  [ 0 4 1 ]\nG  [ 1 0 1 ]\nT  [ 0 0 1 ]\n>MA0002.1 b\n1 2\n3 4\n5 6\n7 8\n";
    let homer = ">AC\tmine\t4.7\t0\n3\t0\t1\t0\n0\t4\t0\t0\n1\t1\t1\t1\n";
    let meme = "MEME version 4\n\nALPHABET= ACGT\n\nstrands: + -\n\nMOTIF a b\nletter-probability matrix: alength= 4 w= 3 nsites= 4 E= 4.1e-009\n\
                0.75 0 0.25 0\n0 1 0 0\n.25 .25 .25 .25\n\nMOTIF c\nletter-probability matrix:\n1 0 0 0\n";
    let alphabet = "MEME version 5\nALPHABET \"DNA\" DNA-LIKE\nA \"Adenine\" CC0000 ~ T \"Thymine\" 0000CC\nC ~ G\nR = AG\nEND ALPHABET\n\
                    MOTIF a\nletter-probability matrix: w= 1\n1 0 0 0\n";
    let transfac = "VV  x\nXX\n//\nAC MA1.1\nXX\nID T\nNA T\nP0      A      C      G      T\n01 3 0 1 0 R\n02 0 4 0 0 C\nXX\nXL\n00 1\n\
                    CC tax_group:insects\nCC tf_family:a; b\nCC tf_class:c\n//\n";
    let mut seeds: Vec<Files> = [jaspar, homer, meme, alphabet, transfac]
        .iter()
        .map(|text| one("x.txt", *text))
        .collect();
    seeds.push(one("x.txt", gzip(meme.as_bytes())));
    seeds
}

pub fn sqlite() -> Vec<Files> {
    vec![made(|folder| {
        let database = rusqlite::Connection::open(folder.join("x.sqlite")).unwrap();
        let tables = "CREATE TABLE MATRIX (ID integer PRIMARY KEY, COLLECTION text, BASE_ID text, VERSION integer, NAME text);
             CREATE TABLE MATRIX_ANNOTATION (LOCAL_ID integer PRIMARY KEY, ID integer, TAG text, VAL text);
             CREATE TABLE MATRIX_DATA (ID integer, row text, col integer, val float);
             INSERT INTO MATRIX VALUES (7, 'CORE', 'MA0002', 1, 'ETS1'), (9, 'CORE', 'MA0001', 2, 'TBP');
             INSERT INTO MATRIX_ANNOTATION VALUES (1, 7, 'family', 'Ets-related'), (2, 7, 'tax_group', 'vertebrates');";
        database.execute_batch(tables).unwrap();
        for (id, row, col) in (1..40)
            .flat_map(|col| ["A", "C", "G", "T"].map(|row| (7, row, col)))
            .chain(["A", "C", "G", "T"].map(|row| (9, row, 1)))
        {
            database
                .execute(
                    "INSERT INTO MATRIX_DATA VALUES (?1, ?2, ?3, 1.5)",
                    (id, row, col),
                )
                .unwrap();
        }
    })]
}

const NANO: &[u8] = include_bytes!("../golden/nano.pt");

pub fn pytorch() -> Vec<Files> {
    vec![one("x.pt", NANO)]
}

pub fn safetensors() -> Vec<Files> {
    vec![made(|folder| {
        Checkpoint::from_bytes("nano.pt", NANO)
            .unwrap()
            .save(folder.join("x.safetensors"))
            .unwrap()
    })]
}

pub fn tokenizer() -> Vec<Files> {
    let words = json!({"A": 0, "C": 1, "G": 2, "T": 3, "N": 4, "AC": 5, "GT": 6, "ACGT": 7, "##A": 8, "##C": 9, "##G": 10, "##T": 11, "▁": 12});
    let bpe = json!({"type": "BPE", "dropout": null, "unk_token": "N", "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": false,
        "byte_fallback": false, "ignore_merges": false, "vocab": words, "merges": [["A", "C"], ["G", "T"], ["AC", "GT"]]});
    let piece = json!({"type": "WordPiece", "unk_token": "N", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": words});
    let unigram = json!({"type": "Unigram", "unk_id": 4, "byte_fallback": false,
        "vocab": [["A", -1.0], ["C", -1.0], ["G", -1.0], ["T", -1.0], ["N", -3.0], ["ACG", -2.0]]});
    let level = json!({"type": "WordLevel", "unk_token": "N", "vocab": words});
    let normalizer = json!({"type": "Sequence", "normalizers": [{"type": "NFKC"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        {"type": "Replace", "pattern": {"Regex": "N{2,}"}, "content": "N"}, {"type": "Prepend", "prepend": "▁"}, {"type": "Strip", "strip_left": true,
        "strip_right": true}, {"type": "StripAccents"}]});
    let splits = json!({"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": "A+|C?G"}, "behavior": "Isolated", "invert": false},
        {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true}, {"type": "Digits", "individual_digits": true}]});
    let added = json!([{"id": 4, "content": "N", "single_word": false, "lstrip": false, "rstrip": true, "normalized": true, "special": true}]);
    let template = json!({"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A", "type_id": 0}}], "pair": [], "special_tokens": {}});
    let truncation =
        json!({"direction": "Right", "max_length": 64, "strategy": "LongestFirst", "stride": 0});
    let plain = |model: &serde_json::Value| {
        json!({"version": "1.0", "truncation": truncation, "padding": null, "added_tokens": [], "normalizer": null, "pre_tokenizer": {"type": "Whitespace"},
            "post_processor": template, "decoder": null, "model": model})
    };
    let mut many = plain(&bpe);
    (
        many["normalizer"],
        many["pre_tokenizer"],
        many["added_tokens"],
    ) = (normalizer, splits, added);
    let seeds = [
        plain(&bpe),
        plain(&piece),
        plain(&unigram),
        plain(&level),
        many,
    ];
    seeds
        .iter()
        .map(|seed| one("tokenizer.json", seed.to_string()))
        .collect()
}

pub fn train_recipe() -> Vec<Files> {
    vec![one(
        "x.toml",
        &include_bytes!("../../analyses/train-fly-2m.toml")[..],
    )]
}

pub fn reproduce_recipe() -> Vec<Files> {
    vec![one(
        "x.toml",
        &include_bytes!("../../analyses/fly-demo.toml")[..],
    )]
}

pub fn run_json() -> Vec<Files> {
    vec![one(
        "run.json",
        &include_bytes!("../../reports/fly-demo/run.json")[..],
    )]
}

/// A table's row with a column of each type.
#[derive(Serialize, Deserialize)]
pub struct Row {
    name: String,
    count: u64,
    value: f64,
    maybe: Option<f64>,
    good: bool,
}

pub fn parquet() -> Vec<Files> {
    let row = |n: u64| Row {
        name: format!("row {}", n % 7),
        count: n,
        value: n as f64 / 3.0,
        maybe: (!n.is_multiple_of(5)).then_some(0.5),
        good: n.is_multiple_of(2),
    };
    let table = |rows: u64| {
        let mut files = made(|folder| {
            tables::write(folder, "rows", &(0..rows).map(row).collect::<Vec<_>>()).unwrap()
        });
        files.retain(|(name, _)| name == "rows.parquet");
        files
    };
    vec![table(40), table(3), table(0)]
}

/// The model that the answers are of, and one call.
pub const MODEL: &str = "a model";
pub const KEY: [u8; 16] = [7; 16];

pub fn shard() -> Vec<Files> {
    vec![made(|folder| {
        let Opened::Store(mut store) = Store::open(&folder.join(shard::ANSWERS), MODEL).unwrap()
        else {
            panic!()
        };
        store.put(KEY, &[vec![0.5; 64], vec![0.25; 64]]).unwrap();
        store.put([8; 16], &[vec![]]).unwrap();
        let model = shard::Model {
            answers: MODEL.into(),
            dtype: "f32".into(),
            device: "cpu".into(),
            trained_length: Some(64),
            facts: json!({}),
        };
        let manifest = shard::Manifest::new(
            "density",
            &json!({"flank": 60}),
            &[],
            model,
            (0, 3),
            2,
            &Run::start(),
        );
        fs::write(
            folder.join(shard::MANIFEST),
            serde_json::to_string(&manifest).unwrap(),
        )
        .unwrap();
    })]
}

pub fn cache() -> Vec<Files> {
    let wanted = ldar::fetch::sources::named("human")
        .unwrap()
        .choose(None, None)
        .unwrap();
    let genome = &wanted.files[0];
    let entry = json!({"role": "genome", "file": genome.final_name(), "bytes": 3, "url": genome.url, "source_bytes": 3, "source_sha256": "0",
        "source_md5": "0", "check": "md5"});
    let at = |name: &str| format!("{}/{name}", wanted.folder());
    let manifest = json!({genome.name.clone(): entry}).to_string();
    vec![vec![
        (at("manifest.json"), manifest.into()),
        (at(&genome.final_name()), b"abc".to_vec()),
    ]]
}
