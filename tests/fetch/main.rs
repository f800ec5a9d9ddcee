//! `fetch` as its users meet it, against a mirror on this machine that misbehaves on purpose.
#![allow(clippy::unwrap_used)]

mod mirror;

use flate2::Compression;
use flate2::write::GzEncoder;
use md5::{Digest, Md5};
use mirror::{Mirror, Reply, sound};
use sha2::Sha256;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const NANO: &[u8] = include_bytes!("../golden/nano.pt");
const HUMAN: &str = "/pub/databases/gencode/Gencode_human/release_50";
const GENOME: &str = "GRCh38.primary_assembly.genome.fa.gz";
const ANNOTATION: &str = "gencode.v50.primary_assembly.basic.annotation.gtf.gz";
const JASPAR: &str =
    "/download/data/2026/CORE/JASPAR2026_CORE_vertebrates_non-redundant_pfms_jaspar.txt";
const EPD: &str = "/ftp/epdnew/H_sapiens/006/Hs_EPDnew_006_hg38.bed";
const MODEL: &str = "/darlednik/LDARNet-110M/resolve/main/model_ckpt_110m.pt";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    out.write_all(text).unwrap();
    out.finish().unwrap()
}

/// Two contigs of letters that look random; about 300 kB of gzip.
fn fasta() -> Vec<u8> {
    let (mut text, mut state) = (Vec::new(), 1_u64);
    for contig in ["chr1", "chr2"] {
        text.extend_from_slice(format!(">{contig} toy\n").as_bytes());
        for _ in 0..8000 {
            for _ in 0..60 {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                text.push(b"ACGT"[(state >> 62) as usize]);
            }
            text.push(b'\n');
        }
    }
    text
}

fn jaspar() -> Vec<u8> {
    let rows = [
        "A [ 9 1 1 9 ]",
        "C [ 1 9 1 1 ]",
        "G [ 1 1 9 1 ]",
        "T [ 1 1 1 9 ]",
    ];
    (0..200)
        .flat_map(|n| format!(">MA{n:04}.1\tTF{n}\n{}\n", rows.join("\n")).into_bytes())
        .collect()
}

/// The files of GENCODE's human release with their sums.
fn human() -> BTreeMap<String, Vec<u8>> {
    let gtf = "chr1\tt\texon\t100\t200\t.\t+\t.\tgene_id \"g\"; transcript_id \"t\";\n";
    let files = [(GENOME, gzip(&fasta())), (ANNOTATION, gzip(gtf.as_bytes()))];
    let sums: String = files
        .iter()
        .map(|(name, bytes)| format!("{}  {name}\n", hex(&Md5::digest(bytes))))
        .collect();
    let mut all: BTreeMap<String, Vec<u8>> = files
        .into_iter()
        .map(|(name, bytes)| (format!("{HUMAN}/{name}"), bytes))
        .collect();
    all.insert(format!("{HUMAN}/MD5SUMS"), sums.into_bytes());
    all
}

/// A mirror of human that answers about the genome as `answer` says, given its bytes.
fn human_but(answer: impl Fn(&mirror::Asked, &[u8]) -> Reply + Send + Sync + 'static) -> Mirror {
    let files = human();
    Mirror::new(move |asked| match files.get(&asked.path) {
        Some(body) if asked.path.ends_with(GENOME) => answer(asked, body),
        Some(body) => sound(asked, body, "v1"),
        None => Reply::status(404),
    })
}

struct User {
    cache: tempfile::TempDir,
}

impl User {
    fn new() -> User {
        User {
            cache: tempfile::tempdir().unwrap(),
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ldar-analyze"));
        for name in [
            "ALL_PROXY",
            "all_proxy",
            "HTTPS_PROXY",
            "https_proxy",
            "HTTP_PROXY",
            "http_proxy",
            "LDAR_MIRROR",
        ] {
            command.env_remove(name);
        }
        command
            .env("LDAR_CACHE", self.cache.path())
            .current_dir(self.cache.path())
            .args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn fetch(&self, mirror: &Mirror, more: &[&str]) -> Output {
        let mut all = vec!["fetch", "--mirror", &mirror.url, "--timeout", "1"];
        all.extend(more);
        self.run(&all)
    }

    /// Standard output and standard error of what must work.
    fn fetched(&self, mirror: &Mirror, more: &[&str]) -> (String, String) {
        let output = self.fetch(mirror, more);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        (text(&output.stdout), text(&output.stderr))
    }

    /// Standard error of what must fail.
    fn refused(&self, mirror: &Mirror, more: &[&str], parts: &[&str]) -> String {
        let output = self.fetch(mirror, more);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{message}");
        for part in parts {
            assert!(message.contains(part), "no '{part}' in: {message}");
        }
        message
    }

    fn path(&self, name: &str) -> PathBuf {
        self.cache.path().join(name)
    }

    /// The genome is there, holds the letters of [`fasta`], and nothing half-done lies beside it.
    fn has_genome(&self) {
        let folder = self.path("human-50");
        let genome = ldar::genome::fasta::Genome::open(folder.join(GENOME)).unwrap();
        let letters: Vec<u8> = ["chr1", "chr2"]
            .iter()
            .flat_map(|name| genome.read_contig(name).unwrap())
            .collect();
        let plain: Vec<u8> = fasta()
            .split(|b| *b == b'\n')
            .filter(|line| !line.starts_with(b">"))
            .flat_map(<[u8]>::to_vec)
            .collect();
        assert_eq!(letters, plain);
        let names = names(&folder);
        let gzi = format!("{GENOME}.gzi");
        assert!(
            names.contains(&gzi) && names.contains(&format!("{GENOME}.fai")),
            "{names:?}"
        );
        assert!(
            !names
                .iter()
                .any(|name| name.contains(".part") || name.ends_with(".new")),
            "{names:?}"
        );
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// EPDnew's thick parts start at the start sites: who is not told so takes the whole lines.
#[test]
fn regions_come_with_the_options_that_read_them() {
    let bed = "chr1\t200\t260\tp1\t900\t+\t249\t260\n";
    let (user, mirror) = (
        User::new(),
        Mirror::of(BTreeMap::from([(EPD.to_string(), bed.as_bytes().to_vec())])),
    );
    let (_, log) = user.fetched(&mirror, &["epd-human"]);
    let path = user.path("epd-human-006").join("Hs_EPDnew_006_hg38.bed");
    assert!(
        log.contains(&format!(
            "use: --regions {} --regions-are thick\n",
            path.display()
        )),
        "{log}"
    );
}

#[test]
fn a_set_is_fetched_once_and_then_called_by_its_name() {
    let (user, mirror) = (User::new(), Mirror::of(human()));
    let scan = [
        "scan",
        "--fasta",
        "human",
        "--motifs",
        "core-promoter",
        "--out",
        "hits.tsv",
    ];
    let before = user.run(&scan);
    assert_eq!(before.status.code(), Some(2));
    assert!(
        text(&before.stderr).contains("Run: ldar-analyze fetch human"),
        "{}",
        text(&before.stderr)
    );

    let (out, log) = user.fetched(&mirror, &["human"]);
    let genome = user.path("human-50").join(GENOME);
    assert!(
        out.starts_with(&format!("genome\t{}\nannotation\t", genome.display())),
        "{out}"
    );
    assert!(
        log.contains("MD5 is the published one")
            && log.contains("use: --genome human --annotation human"),
        "{log}"
    );
    user.has_genome();

    let (asked, written) = (
        mirror.asked().len(),
        std::fs::metadata(&genome).unwrap().modified().unwrap(),
    );
    let (again, log) = user.fetched(&mirror, &["human"]);
    assert!(again == out && log.contains("nothing to do"), "{log}");
    assert_eq!(
        (
            mirror.asked().len(),
            std::fs::metadata(&genome).unwrap().modified().unwrap()
        ),
        (asked, written)
    );

    assert_eq!(user.run(&scan).status.code(), Some(0));
    assert!(
        std::fs::read_to_string(user.path("hits.tsv"))
            .unwrap()
            .contains("\tchr2\t")
    );
    // A damaged copy is not taken for the file, and is replaced.
    std::fs::write(&genome, "x").unwrap();
    assert!(text(&user.run(&scan).stderr).contains("fetch human"));
    user.fetched(&mirror, &["human"]);
    user.has_genome();
    assert_eq!(
        (
            mirror.asked_for(GENOME).len(),
            mirror.asked_for(ANNOTATION).len()
        ),
        (2, 1)
    );
}

#[test]
fn cut_connections_are_resumed() {
    // Where each connection is cut, counted from where it went on; the last is not.
    let mirror = human_but(|asked, body| match [70_001, 1, 99_999].get(asked.before) {
        Some(after) => sound(asked, body, "v1").cut(*after),
        None => sound(asked, body, "v1"),
    });
    let user = User::new();
    let (_, log) = user.fetched(&mirror, &["human"]);
    user.has_genome();
    let from: Vec<Option<usize>> = mirror
        .asked_for(GENOME)
        .iter()
        .map(|asked| asked.from)
        .collect();
    assert_eq!(
        from,
        [None, Some(70_001), Some(70_002), Some(170_001)],
        "{log}"
    );
}

#[test]
fn servers_without_ranges_start_anew() {
    let mirror = human_but(|asked, body| match asked.before {
        0 => sound(asked, body, "v1").cut(100_000),
        1 => Reply::ok(body).cut(50_000),
        _ => Reply::ok(body),
    });
    let user = User::new();
    user.fetched(&mirror, &["human"]);
    user.has_genome();
    assert_eq!(mirror.asked_for(GENOME).len(), 3);
}

#[test]
fn two_versions_are_never_joined() {
    // The first piece is of another file. Then the server honours If-Range, ignores it, or has less
    // than is held.
    for case in 0..3 {
        let mirror = human_but(move |asked, body| match (asked.before, case) {
            (0, _) => sound(asked, &[7; 400_000], "old").cut(200_000),
            (1, 1) => sound(
                &mirror::Asked {
                    if_range: None,
                    ..asked.clone()
                },
                body,
                "new",
            ),
            (1, 2) => Reply::status(416).header("Content-Range", "bytes */10"),
            _ => sound(asked, body, "new"),
        });
        let user = User::new();
        user.fetched(&mirror, &["human"]);
        user.has_genome();
        let from: Vec<Option<usize>> = mirror
            .asked_for(GENOME)
            .iter()
            .map(|asked| asked.from)
            .collect();
        let expected: &[Option<usize>] = if case == 0 {
            &[None, Some(200_000)]
        } else {
            &[None, Some(200_000), None]
        };
        assert_eq!(from, expected, "case {case}");
    }
}

#[test]
fn wrong_content_does_not_get_the_name() {
    let mirror = human_but(|asked, body| sound(asked, &[body, b"x"].concat(), "v1"));
    let user = User::new();
    user.refused(
        &mirror,
        &["human"],
        &[
            "its MD5 is",
            "and should be",
            "twice",
            "Nothing of it is kept",
        ],
    );
    assert_eq!(names(&user.path("human-50")), [".lock"]);
    assert_eq!(mirror.asked_for(GENOME).len(), 2);

    let page = Mirror::new(|_| Reply::ok(b"<!DOCTYPE html><title>Please log in</title>"));
    user.refused(&page, &["jaspar"], &["an HTML page came in its place"]);
    user.refused(&page, &["human"], &["MD5SUMS", "has no line for"]);
}

#[test]
fn a_gzip_that_ends_early_is_refused() {
    let mut files = human();
    let genome = files.get_mut(&format!("{HUMAN}/{GENOME}")).unwrap();
    genome.truncate(genome.len() - 1000);
    let sums = format!("{}  {GENOME}\n", hex(&Md5::digest(&genome)));
    files.insert(format!("{HUMAN}/MD5SUMS"), sums.into_bytes());
    let user = User::new();
    user.refused(&Mirror::of(files), &["human"], &["cut off"]);
    assert!(!user.path("human-50").join(GENOME).exists());
}

#[test]
fn what_will_not_pass_is_not_retried_and_what_may_is() {
    let user = User::new();
    let missing = Mirror::of(BTreeMap::new());
    user.refused(
        &missing,
        &["human", "--release", "999"],
        &["release_999/MD5SUMS: not there (HTTP 404)"],
    );
    assert_eq!(missing.asked().len(), 1);

    let busy = Mirror::new(|asked| {
        if asked.before < 2 {
            Reply::status(503)
        } else {
            sound(asked, &jaspar(), "v1")
        }
    });
    let (out, log) = user.fetched(&busy, &["jaspar"]);
    assert!(
        log.contains("the server answers 503") && log.contains("no checksum published"),
        "{log}"
    );
    let path = user
        .path("jaspar-2026")
        .join(JASPAR.rsplit('/').next().unwrap());
    assert_eq!(out, format!("motifs\t{}\n", path.display()));
    assert_eq!(std::fs::read(path).unwrap(), jaspar());
    let manifest = std::fs::read_to_string(user.path("jaspar-2026/manifest.json")).unwrap();
    assert!(manifest.contains(&hex(&Sha256::digest(jaspar()))) && manifest.contains("format_only"));

    let down = Mirror::new(|_| Reply::status(500));
    let message = user.refused(
        &down,
        &["human", "--retries", "1"],
        &["tried 2 times in a row", "HTTPS_PROXY", "--mirror"],
    );
    assert_eq!(
        (down.asked().len(), message.matches("trying again").count()),
        (2, 1)
    );
}

#[test]
fn silence_and_trickles_are_given_up() {
    let user = User::new();
    let silent = Mirror::new(|asked| match asked.before {
        0 => Reply {
            pieces: Some((2000, Duration::from_secs(3))),
            ..sound(asked, &jaspar(), "v1")
        },
        _ => sound(asked, &jaspar(), "v1"),
    });
    user.fetched(&silent, &["jaspar"]);
    assert_eq!(silent.asked()[1].from, Some(2000));

    let trickle = Mirror::new(|asked| Reply {
        pieces: Some((10, Duration::from_millis(100))),
        ..sound(asked, &jaspar(), "v1")
    });
    user.refused(
        &trickle,
        &[
            "jaspar",
            "--taxon",
            "vertebrates",
            "--retries",
            "0",
            "--release",
            "2024",
        ],
        &["less than 1000 bytes a second", "kept"],
    );
}

#[test]
fn the_model_comes_by_redirect_and_becomes_safetensors() {
    let right = hex(&Sha256::digest(NANO));
    let storage = Mirror::new(|asked| {
        if asked.path == "/blob?sig=1" {
            sound(asked, NANO, "v1")
        } else {
            Reply::status(403)
        }
    });
    let to = format!("{}/blob?sig=1", storage.url);
    let hub = |sum: String| {
        let to = to.clone();
        Mirror::new(move |asked| match asked.path.as_str() {
            MODEL => Reply::status(307).header("Location", "/moved"),
            "/moved" => Reply::status(302)
                .header("Location", to.as_str())
                .header("X-Linked-ETag", format!("\"{sum}\"")),
            _ => Reply::status(404),
        })
    };
    let user = User::new();
    user.refused(
        &hub("0".repeat(64)),
        &["model", "ldarnet-110m"],
        &["its SHA-256 is", &right],
    );
    let (out, log) = user.fetched(&hub(right), &["model", "ldarnet-110m"]);
    assert!(log.contains("SHA-256 is the one the server gives"), "{log}");
    assert!(
        out.trim_end()
            .ends_with("ldarnet-110m-main/model_ckpt_110m.safetensors"),
        "{out}"
    );
    let inspected = user.run(&["inspect", "ldarnet-110m"]);
    assert_eq!(
        inspected.status.code(),
        Some(0),
        "{}",
        text(&inspected.stderr)
    );

    let circle = Mirror::new(|asked| Reply::status(302).header("Location", asked.path.clone()));
    User::new().refused(&circle, &["ldarnet-110m"], &["more than 10 redirects"]);
}

#[test]
fn two_processes_do_not_fight() {
    let user = User::new();
    let mirror = human_but(|asked, body| Reply {
        pieces: Some((100_000, Duration::from_millis(150))),
        ..sound(asked, body, "v1")
    });
    let arguments = ["fetch", "human", "--mirror", &mirror.url];
    let start = || {
        user.command(&arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let outputs = [start(), start()].map(|child| child.wait_with_output().unwrap());
    assert!(
        outputs.iter().all(|output| output.status.success()),
        "{outputs:?}"
    );
    assert_eq!(outputs[0].stdout, outputs[1].stdout);
    assert_eq!(
        outputs
            .iter()
            .filter(|output| text(&output.stderr).contains("another process is fetching"))
            .count(),
        1
    );
    assert_eq!(mirror.asked_for(GENOME).len(), 1);
    user.has_genome();
}

#[test]
fn a_killed_download_goes_on() {
    let user = User::new();
    let mirror = human_but(|asked, body| match asked.before {
        0 | 1 => Reply {
            pieces: Some((60_000, Duration::from_millis(300))),
            ..sound(asked, body, "v1")
        },
        _ => sound(asked, body, "v1"),
    });
    let part = user.path("human-50").join(format!("{GENOME}.part"));
    let mut held = 0;
    for _ in 0..2 {
        let mut child = user
            .command(&["fetch", "human", "--mirror", &mirror.url])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let start = Instant::now();
        while std::fs::metadata(&part).map_or(0, |m| m.len()) <= held
            && start.elapsed() < Duration::from_secs(10)
        {
            std::thread::sleep(Duration::from_millis(5));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        held = std::fs::metadata(&part).unwrap().len();
        assert!(held > 0 && !user.path("human-50").join(GENOME).exists());
    }
    user.fetched(&mirror, &["human"]);
    user.has_genome();
    assert_eq!(mirror.asked_for(GENOME)[2].from, Some(held as usize));
}

#[test]
fn a_full_disk_is_seen_beforehand() {
    let user = User::new();
    let mirror = human_but(|asked, body| Reply {
        claimed: Some(1 << 60),
        ..sound(asked, body, "v1")
    });
    user.refused(
        &mirror,
        &["human"],
        &["MB are needed here and", "LDAR_CACHE"],
    );
    assert_eq!(mirror.asked_for(GENOME).len(), 1);
}

#[test]
fn a_body_without_length_has_a_ceiling() {
    let untold = |body: &[u8]| Reply {
        untold: true,
        ..Reply::ok(body)
    };
    let (user, short) = (User::new(), Mirror::new(move |_| untold(&jaspar())));
    user.fetched(&short, &["jaspar"]);
    let endless = [jaspar(), vec![b'\n'; 100 << 20]].concat();
    let (user, long) = (User::new(), Mirror::new(move |_| untold(&endless)));
    user.refused(
        &long,
        &["jaspar"],
        &["sends more than", "were expected", "--mirror"],
    );
    assert_eq!(
        (names(&user.path("jaspar-2026")), long.asked().len()),
        (vec![".lock".to_string()], 1)
    );
    let sums = Mirror::new(move |_| untold(&vec![b'0'; 5 << 20]));
    user.refused(
        &sums,
        &["human"],
        &["MD5SUMS", "larger than any list of checksums"],
    );
}

#[test]
#[cfg(unix)]
fn links_in_the_cache_lead_nowhere() {
    use std::os::unix::fs::symlink;
    let (user, mirror) = (User::new(), Mirror::of(human()));
    let (folder, other) = (user.path("human-50"), user.path("other"));
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(&other, "mine").unwrap();
    let kept = format!(
        r#"{{"url":"{}{HUMAN}/{GENOME}","validator":"\"v1\"","total":null,"done":false,"sha256":null}}"#,
        mirror.url
    );
    std::fs::write(folder.join(format!("{GENOME}.part.json")), kept).unwrap();
    for name in [
        GENOME.to_string(),
        format!("{GENOME}.part"),
        format!("{GENOME}.new"),
    ] {
        symlink(&other, folder.join(name)).unwrap();
    }
    user.fetched(&mirror, &["human"]);
    user.has_genome();
    assert_eq!(std::fs::read(&other).unwrap(), b"mine");
}

#[test]
fn a_dead_proxy_is_named() {
    let user = User::new();
    let mut command = user.command(&["fetch", "jaspar", "--retries", "0"]);
    let output = command
        .env("HTTPS_PROXY", "http://me:secret@127.0.0.1:1")
        .output()
        .unwrap();
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(
        message.contains("through the proxy 127.0.0.1:1") && message.contains("--mirror"),
        "{message}"
    );
    assert!(!message.contains("secret"), "{message}");
}

/// Files of one name in many folders get names of their own; what a suite pins is held to it.
#[test]
fn a_suite_is_fetched_file_by_file() {
    let user = User::new();
    let mirror = Mirror::new(|asked| match asked.path.contains("/datasets/") {
        true => Reply::ok(&gzip(b"id,region,start,end,strand\n")),
        false => Reply::ok(b"sequence,label\nACGT,0\n"),
    });
    let (_, log) = user.fetched(&mirror, &["gb"]);
    assert!(log.contains("use: ldar-analyze benchmark gb"), "{log}");
    let held = names(&user.path("gb-main"));
    assert!(
        held.contains(&"human_ensembl_regulatory.test.ocr.csv.gz".to_string()) && held.len() >= 38,
        "{held:?}"
    );
    user.refused(
        &mirror,
        &["gue"],
        &["its SHA-256 is", "and should be e6d6f827"],
    );
    let plan = text(&user.run(&["fetch", "nt", "--dry-run"]).stdout);
    assert!(
        plan.contains("resolve/main/H3/test.parquet") && plan.contains("H3.test.parquet"),
        "{plan}"
    );
}

#[test]
fn plans_and_lists_need_no_network() {
    let user = User::new();
    let plan = user.run(&[
        "fetch",
        "mouse",
        "--gencode",
        "M38",
        "--annotation",
        "comprehensive",
        "--dry-run",
        "--mirror",
        "http://mirror.lab/x/",
    ]);
    let plan = text(&plan.stdout);
    let base = "http://mirror.lab/x/pub/databases/gencode/Gencode_mouse/release_M38";
    for part in [
        &format!("genome: {base}/GRCm39.primary_assembly.genome.fa.gz"),
        &format!("annotation: {base}/gencode.vM38.primary_assembly.annotation.gtf.gz"),
        &format!("MD5 of {base}/MD5SUMS"),
        "licence: open access",
        "about 775 MB",
        "mouse-M38/GRCm39",
    ] {
        assert!(plan.contains(part), "no '{part}' in: {plan}");
    }
    let list = text(&user.run(&["fetch", "--list"]).stdout);
    assert!(
        [
            "human 50 (about 895 MB)",
            "ldarnet-110m main",
            "CC BY 4.0",
            "not verified"
        ]
        .iter()
        .all(|part| list.contains(part)),
        "{list}"
    );
    assert!(names(user.cache.path()).is_empty());
}

#[test]
fn wrong_usage_exits_2() {
    let user = User::new();
    let table: &[(&[&str], &str)] = &[
        (&["fetch"], "SET"),
        (&["fetch", "rat"], "human, mouse, yeast, jaspar"),
        (&["fetch", "fly"], "fly is bundled"),
        (&["fetch", "model"], "ldarnet-110m"),
        (&["fetch", "human", "mouse"], "one set at a time"),
        (
            &["fetch", "human", "--taxon", "plants"],
            "--taxon has no meaning for human",
        ),
        (
            &["fetch", "human", "--annotation", "all"],
            "basic, comprehensive",
        ),
        (
            &["fetch", "human", "--release", "../50"],
            "letters and digits",
        ),
        (&["fetch", "human", "--mirror", "ftp://x"], "http://HOST"),
        (&["fetch", "nt", "--release", "2"], "benchmark suite"),
        (&["fetch", "human", "--timeout", "0"], "--timeout"),
        (
            &["splice-profile", "--genome", "fly", "--annotation", "x.gtf"],
            "--genome fly --annotation fly",
        ),
        (
            &[
                "splice-profile",
                "--genome",
                "jaspar",
                "--annotation",
                "x.gtf",
            ],
            "holds no genome",
        ),
        (
            &["inspect", "ldarnet-110m"],
            "Run: ldar-analyze fetch ldarnet-110m",
        ),
    ];
    for (arguments, part) in table {
        let output = user.run(arguments);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
        assert!(
            message.contains(part),
            "{arguments:?}: no '{part}' in: {message}"
        );
    }
}

#[test]
fn secure_connections_are_held_to_trusted_certificates() {
    let user = User::new();
    let (mirror, certificate) = Mirror::secure(|asked| {
        let reply = sound(asked, &jaspar(), "v1");
        if asked.before == 0 {
            reply.cut(1000)
        } else {
            reply
        }
    });
    user.refused(
        &mirror,
        &["jaspar"],
        &["no secure connection", "UnknownIssuer", "SSL_CERT_FILE"],
    );
    assert!(mirror.asked().is_empty(), "nothing is said to a stranger");
    let file = user.path("certificate.pem");
    std::fs::write(&file, certificate).unwrap();
    let trusting = |url: &str| {
        let mut command = user.command(&["fetch", "--mirror", url, "jaspar"]);
        command
            .env("SSL_CERT_FILE", &file)
            .env_remove("SSL_CERT_DIR")
            .output()
            .unwrap()
    };
    let other = trusting(&mirror.url.replace("localhost", "127.0.0.1"));
    assert!(
        !other.status.success() && text(&other.stderr).contains("not valid for name"),
        "{}",
        text(&other.stderr)
    );
    assert!(mirror.asked().is_empty());
    let output = trusting(&mirror.url);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(
        std::fs::read(
            user.path("jaspar-2026")
                .join(JASPAR.rsplit('/').next().unwrap())
        )
        .unwrap(),
        jaspar()
    );
    assert_eq!(
        mirror.asked_for(".txt").last().unwrap().from,
        Some(1000),
        "it went on where the connection was cut"
    );
}
