//! Small damage to files: to bytes, to lines and fields, to nodes of JSON, and to what gzip, zip
//! and safetensors wrap.

use crate::seeds::Files;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use ldar::stats::rng::Rng;
use serde_json::{Value, json};
use std::io::{Cursor, Read, Write};

/// Numbers at which readers go wrong.
const NUMBERS: [u64; 14] = [
    0,
    1,
    2,
    3,
    4,
    7,
    127,
    255,
    65_535,
    1 << 20,
    1 << 31,
    u32::MAX as u64,
    i64::MAX as u64,
    u64::MAX,
];

/// Words at which readers go wrong.
const WORDS: [&str; 32] = [
    "",
    "0",
    "1",
    "-1",
    ".",
    "+",
    "-",
    "?",
    "nan",
    "inf",
    "-inf",
    "1e308",
    "1e-320",
    "0.5",
    "18446744073709551615",
    "18446744073709551616",
    "9223372036854775807",
    "99999999999999999999999",
    "4294967296",
    "2147483648",
    "\u{feff}",
    "\0",
    "\u{e9}\u{1f9ec}",
    "\x1b[2J",
    "\t",
    "\r",
    "\"",
    ";",
    "=",
    "%09",
    "../../x",
    "chr1",
];

/// Damages one of the files, or a few.
pub fn files(files: &mut Files, rng: &mut Rng) {
    for _ in 0..1 + rng.below(2) {
        let at = rng.below(files.len());
        let (name, bytes) = &mut files[at];
        *bytes = file(name, std::mem::take(bytes), rng);
        bytes.truncate(8 << 20);
    }
}

fn file(name: &str, bytes: Vec<u8>, rng: &mut Rng) -> Vec<u8> {
    let wrapped = rng.below(4) > 0;
    match name.rsplit('.').next().unwrap_or_default() {
        "json" if wrapped => as_json(&bytes, rng),
        "pt" if wrapped => as_zip(&bytes, rng),
        "safetensors" if wrapped => as_safetensors(&bytes, rng),
        "gz" if wrapped => as_gzip(&bytes, rng),
        "bw" | "parquet" | "sqlite" | "bin" | "gzi" | "pt" | "safetensors" | "gz" => {
            as_bytes(bytes, rng)
        }
        _ => as_text(bytes, rng),
    }
}

fn as_bytes(mut bytes: Vec<u8>, rng: &mut Rng) -> Vec<u8> {
    for _ in 0..1 + rng.below(4) {
        if bytes.is_empty() {
            return bytes;
        }
        let at = rng.below(bytes.len());
        let end = (at + 1 + rng.below(64)).min(bytes.len());
        match rng.below(9) {
            0 => bytes[at] ^= 1 << rng.below(8),
            1 => bytes[at] = rng.below(256) as u8,
            2..5 => {
                let number = NUMBERS[rng.below(NUMBERS.len())];
                let number = if rng.below(3) == 0 { at as u64 } else { number };
                let width = [1, 2, 4, 8][rng.below(4)];
                let at = if rng.below(2) == 0 { at / 4 * 4 } else { at };
                let raw = if rng.below(4) == 0 {
                    number.to_be_bytes()[8 - width..].to_vec()
                } else {
                    number.to_le_bytes()[..width].to_vec()
                };
                raw.iter()
                    .zip(at..bytes.len())
                    .for_each(|(byte, at)| bytes[at] = *byte);
            }
            5 => bytes.truncate(at),
            6 => drop(bytes.drain(at..end)),
            7 => {
                let part = bytes[at..end].to_vec();
                let to = rng.below(bytes.len());
                bytes.splice(to..to, part.repeat(1 + rng.below(40)));
            }
            _ => {
                let part = bytes[at..end].to_vec();
                let to = rng.below(bytes.len());
                part.iter()
                    .zip(to..bytes.len())
                    .for_each(|(byte, at)| bytes[at] = *byte);
            }
        }
    }
    bytes
}

fn as_text(bytes: Vec<u8>, rng: &mut Rng) -> Vec<u8> {
    if rng.below(6) == 0 {
        return as_bytes(bytes, rng);
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let mut lines: Vec<String> = text.lines().map(String::from).collect();
    let mut end = "\n";
    for _ in 0..1 + rng.below(4) {
        if lines.is_empty() {
            return bytes;
        }
        let (at, other) = (rng.below(lines.len()), rng.below(lines.len()));
        match rng.below(12) {
            0 => drop(lines.remove(at)),
            1 => lines.insert(other, lines[at].clone()),
            2 => lines.swap(at, other),
            3 => lines
                .splice(at..at, vec![lines[other].clone(); 1 + rng.below(2000)])
                .for_each(drop),
            4 => lines.truncate(at),
            5 => end = ["\n", "\r\n", "\r", "\n\n", "\n \n"][rng.below(5)],
            6 => {
                let joined = lines.remove(at);
                if let Some(line) = lines.get_mut(at) {
                    line.insert_str(0, &joined);
                }
            }
            _ => lines[at] = field(&lines[at], rng),
        }
    }
    let start = if rng.below(20) == 0 { "\u{feff}" } else { "" };
    format!(
        "{start}{}{}",
        lines.join(end),
        if rng.below(10) == 0 { "" } else { end }
    )
    .into_bytes()
}

/// A line with one of its fields changed.
fn field(line: &str, rng: &mut Rng) -> String {
    let separators: Vec<usize> = line
        .char_indices()
        .filter(|(_, c)| "\t ;=,:".contains(*c))
        .map(|(at, _)| at)
        .collect();
    let start = if separators.is_empty() || rng.below(8) == 0 {
        0
    } else {
        separators[rng.below(separators.len())] + 1
    };
    let stop = separators
        .iter()
        .copied()
        .find(|at| *at >= start)
        .unwrap_or(line.len());
    let word = WORDS[rng.below(WORDS.len())];
    let new = match rng.below(10) {
        0 => "A".repeat(1 + rng.below(200_000)),
        1 => line[start..stop].repeat(2),
        2 => line[start..stop].chars().rev().collect(),
        3 => format!("{}{word}", &line[start..stop]),
        _ => word.to_string(),
    };
    format!("{}{new}{}", &line[..start], &line[stop..])
}

fn as_json(bytes: &[u8], rng: &mut Rng) -> Vec<u8> {
    let Ok(mut json) = serde_json::from_slice::<Value>(bytes) else {
        return as_bytes(bytes.to_vec(), rng);
    };
    for _ in 0..1 + rng.below(3) {
        let other = pick(&mut json.clone(), rng).clone();
        let node = pick(&mut json, rng);
        *node = match rng.below(10) {
            0 => Value::Null,
            1 => json!(NUMBERS[rng.below(NUMBERS.len())]),
            2 => json!(-1),
            3 => json!([1e308, 0.5, -0.0][rng.below(3)]),
            4 | 5 => json!(WORDS[rng.below(WORDS.len())]),
            6 => json!([node.clone(), node.clone()]),
            7 => (0..100).fold(node.clone(), |inner, _| json!([inner])),
            8 => json!({}),
            _ => other,
        };
        if let Value::Object(map) = pick(&mut json, rng)
            && let Some(key) = map.keys().nth(rng.below(map.len().max(1))).cloned()
            && rng.below(3) == 0
        {
            map.remove(&key);
        }
    }
    json.to_string().into_bytes()
}

/// A node of a tree, deep ones as likely as others.
fn pick<'a>(json: &'a mut Value, rng: &mut Rng) -> &'a mut Value {
    let inner = match json {
        Value::Array(items) => items.len(),
        Value::Object(map) => map.len(),
        _ => 0,
    };
    if inner == 0 || rng.below(5) == 0 {
        return json;
    }
    let at = rng.below(inner);
    match json {
        Value::Array(items) => pick(&mut items[at], rng),
        Value::Object(map) => pick(map.values_mut().nth(at).unwrap(), rng),
        _ => json,
    }
}

fn as_gzip(bytes: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut text = Vec::new();
    if MultiGzDecoder::new(bytes).read_to_end(&mut text).is_err() {
        return as_bytes(bytes.to_vec(), rng);
    }
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    out.write_all(&as_text(text, rng)).unwrap();
    out.finish().unwrap()
}

/// Damages a file of an archive, which is put together again with sums that fit.
fn as_zip(bytes: &[u8], rng: &mut Rng) -> Vec<u8> {
    let Ok(mut archive) = zip::ZipArchive::new(Cursor::new(bytes)) else {
        return as_bytes(bytes.to_vec(), rng);
    };
    let names: Vec<String> = archive
        .file_names()
        .filter_map(|name| Some(name.ok()?.into_owned()))
        .collect();
    let pickle = names
        .iter()
        .position(|name| name.ends_with("data.pkl"))
        .unwrap_or_default();
    let chosen = if rng.below(4) > 0 {
        pickle
    } else {
        rng.below(names.len())
    };
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (at, name) in names.iter().enumerate() {
        let mut content = Vec::new();
        // What was damaged before is taken as far as it goes.
        let _ = archive
            .by_name(name)
            .map(|mut entry| entry.read_to_end(&mut content));
        let mut method = zip::CompressionMethod::Stored;
        if at == chosen {
            match rng.below(8) {
                0 => continue,
                1 => method = zip::CompressionMethod::Deflated,
                _ => content = as_bytes(content, rng),
            }
        }
        let options = zip::write::SimpleFileOptions::default().compression_method(method);
        let _ = zip
            .start_file(name.as_str(), options)
            .map(|()| zip.write_all(&content));
    }
    zip.finish().unwrap().into_inner()
}

/// Damages the header, whose length is made to fit.
fn as_safetensors(bytes: &[u8], rng: &mut Rng) -> Vec<u8> {
    let split = bytes
        .split_first_chunk()
        .and_then(|(length, rest)| rest.split_at_checked(u64::from_le_bytes(*length) as usize));
    let Some((header, numbers)) = split else {
        return as_bytes(bytes.to_vec(), rng);
    };
    let header = match (rng.below(3), serde_json::from_slice::<Value>(header)) {
        // The configuration is JSON in the JSON.
        (0, Ok(mut json)) if json["__metadata__"].is_object() => {
            let config = json["__metadata__"]["config"]
                .as_str()
                .unwrap_or_default()
                .as_bytes()
                .to_vec();
            json["__metadata__"]["config"] = String::from_utf8_lossy(&as_json(&config, rng)).into();
            json.to_string().into_bytes()
        }
        _ => as_json(header, rng),
    };
    [&(header.len() as u64).to_le_bytes()[..], &header, numbers].concat()
}
