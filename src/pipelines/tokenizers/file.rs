//! `tokenizer.json` of Hugging Face's `tokenizers`: what has a meaning for cuts is given to the
//! library, after checks of what would make it panic, or grow a text without end.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde_json::Value;
use tokenizers::Tokenizer;

use crate::error::{Error, Result, contained};

/// Bytes of the largest file; vocabularies of 260 000 words take half of it.
const MOST_BYTES: u64 = 1 << 26;

/// Steps of normalization and splitting; tokenizers have up to five.
const MOST_STEPS: usize = 12;

/// Times that normalization may lengthen a text.
const MOST_GROWTH: usize = 64;

pub(super) fn open(path: &Path) -> Result<Tokenizer> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes))
        .map_err(Error::io(path))?;
    let wrong = |what: &str| {
        Error::file(
            path,
            format!("is no tokenizer.json that can be used: {what}"),
        )
    };
    if bytes.len() as u64 > MOST_BYTES {
        return Err(wrong(&format!("it has more than {MOST_BYTES} bytes")));
    }
    if bytes.starts_with(b"version https://git-lfs") {
        return Err(wrong(
            "it is a Git LFS pointer; run 'git lfs pull' in its repository, or download the file itself",
        ));
    }
    let mut json: Value = serde_json::from_slice(&bytes).map_err(|e| wrong(&e.to_string()))?;
    check(&json).map_err(|what| wrong(&what))?;
    for part in ["truncation", "padding", "post_processor", "decoder"] {
        json[part] = Value::Null;
    }
    let read = contained(|| json.to_string().parse::<Tokenizer>());
    read.map_err(|what| wrong(&what))?
        .map_err(|e| wrong(&e.to_string()))
}

fn check(json: &Value) -> std::result::Result<(), String> {
    if !json.is_object() || !json["model"].is_object() {
        return Err("it has no model".into());
    }
    if json["model"]["dropout"]
        .as_f64()
        .is_some_and(|dropout| dropout != 0.0)
    {
        return Err(
            "its dropout would give other cuts each time; set \"dropout\" to null in it".into(),
        );
    }
    let mut growth = 1_usize;
    let mut steps = 0;
    for step in [&json["normalizer"], &json["pre_tokenizer"]] {
        walk(step, &mut steps, &mut growth);
    }
    if steps > MOST_STEPS || growth > MOST_GROWTH {
        return Err(
            "its normalizer and pre_tokenizer have too many steps, or lengthen the text too much"
                .into(),
        );
    }
    merges(&json["model"])
}

/// Counts steps, and how many times longer a text can become by replacements.
fn walk(step: &Value, steps: &mut usize, growth: &mut usize) {
    *steps += usize::from(step.is_object());
    if let Some(content) = step["content"].as_str() {
        // A regular expression may fit between any two letters.
        let times = match step["pattern"]["String"].as_str().map(str::len) {
            None | Some(0) => 1 + content.len(),
            Some(length) => content.len().div_ceil(length).max(1),
        };
        *growth = growth.saturating_mul(times);
    }
    for inner in ["normalizers", "pretokenizers"]
        .iter()
        .filter_map(|key| step[*key].as_array())
        .flatten()
    {
        walk(inner, steps, growth);
    }
}

/// Words of a merge and what they make are words of the vocabulary, also without the prefix that
/// marks a word's continuation.
fn merges(model: &Value) -> std::result::Result<(), String> {
    let Some(merges) = model["merges"].as_array() else {
        return Ok(());
    };
    let prefix = model["continuing_subword_prefix"]
        .as_str()
        .unwrap_or_default();
    for merge in merges {
        let pair = match merge {
            Value::String(line) if line.starts_with("#version") => continue,
            Value::String(pair) => pair.split_once(' '),
            pair => pair[0].as_str().zip(pair[1].as_str()),
        };
        let whole = pair
            .and_then(|(first, second)| Some(format!("{first}{}", second.strip_prefix(prefix)?)));
        if whole.is_none_or(|whole| model["vocab"].get(&whole).is_none()) {
            return Err(format!("its merge {merge} makes no word of its vocabulary"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipelines::tokenizers::Tokenizer;
    use crate::pipelines::{BoundarySource, Stretch};
    use serde_json::json;

    fn tokenizer() -> Value {
        let model = json!({
            "type": "BPE", "dropout": null, "unk_token": "N", "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": false,
            "byte_fallback": false, "vocab": {"A": 0, "C": 1, "G": 2, "T": 3, "N": 4, "AC": 5, "GT": 6, "ACGT": 7},
            "merges": ["A C", "G T", "AC GT"]
        });
        json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null, "pre_tokenizer": null,
            "post_processor": null, "decoder": null, "model": model
        })
    }

    /// Where a file like [`tokenizer`] but for a change cuts letters; or why it is refused.
    fn cuts(
        letters: &[u8],
        change: impl FnOnce(&mut Value),
    ) -> std::result::Result<Vec<usize>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokenizer.json");
        let mut json = tokenizer();
        change(&mut json);
        std::fs::write(&path, json.to_string()).unwrap();
        let read = Tokenizer::open(&path)
            .and_then(|tokenizer| tokenizer.read(&[Stretch::nowhere(letters.to_vec())]));
        let values = read.map_err(|e| e.to_string())?.remove(0);
        Ok((0..values.len()).filter(|at| values[*at] > 0.5).collect())
    }

    const LETTERS: &[u8] = b"ACGTACGTNACGTACGTACG";

    #[test]
    fn merges_become_cuts() {
        assert_eq!(cuts(LETTERS, |_| ()).unwrap(), [0, 4, 8, 9, 13, 17, 19]);
        let pairs = json!([["A", "C"], ["G", "T"], ["AC", "GT"]]);
        assert_eq!(
            cuts(LETTERS, |json| json["model"]["merges"] = pairs).unwrap(),
            [0, 4, 8, 9, 13, 17, 19]
        );
    }

    #[test]
    fn truncation_and_padding_change_nothing() {
        let long: Vec<u8> = LETTERS.repeat(200);
        let all = cuts(&long, |_| ()).unwrap();
        assert!(all.len() > 1000);
        let truncated = json!({"direction": "Right", "max_length": 512, "strategy": "LongestFirst", "stride": 0});
        let padded = json!({"strategy": {"Fixed": 512}, "direction": "Left", "pad_to_multiple_of": null, "pad_id": 4, "pad_type_id": 0, "pad_token": "N"});
        let both = |json: &mut Value| {
            (json["truncation"], json["padding"]) = (truncated.clone(), padded.clone())
        };
        assert_eq!(cuts(&long, both).unwrap(), all);
        // More overlap than length panics in the library, and so much padding takes all memory.
        let stride = |json: &mut Value| {
            both(json);
            json["truncation"]["stride"] = json!(600);
            json["padding"]["strategy"]["Fixed"] = json!(1_u64 << 40);
        };
        assert_eq!(cuts(&long, stride).unwrap(), all);
    }

    #[test]
    fn what_cannot_be_used_is_refused() {
        let refused = |part: &str, change: &dyn Fn(&mut Value)| {
            let message = cuts(LETTERS, change).unwrap_err();
            assert!(
                message.contains("tokenizer.json") && message.contains(part),
                "{message}"
            );
        };
        refused("dropout", &|json| json["model"]["dropout"] = json!(0.1));
        refused("has no model", &|json| *json = json!({}));
        refused("has no model", &|json| *json = json!([1]));
        refused("makes no word", &|json| {
            json["model"]["continuing_subword_prefix"] = json!("####")
        });
        refused("makes no word", &|json| {
            json["model"]["continuing_subword_prefix"] = json!("\u{e9}")
        });
        refused("makes no word", &|json| {
            json["model"]["merges"] = json!(["A C", "AC AC"])
        });
        refused("makes no word", &|json| {
            json["model"]["merges"] = json!(["AC"])
        });
        let double = json!({"type": "Replace", "pattern": {"String": "A"}, "content": "AA"});
        refused(
            "lengthen",
            &|json| {
                json["normalizer"] =
                    json!({"type": "Sequence", "normalizers": vec![double.clone(); 8]})
            },
        );
        let bytes = json!({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": false});
        refused(
            "too many steps",
            &|json| {
                json["pre_tokenizer"] =
                    json!({"type": "Sequence", "pretokenizers": vec![bytes.clone(); 40]})
            },
        );
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokenizer.json");
        std::fs::write(&path, "version https://git-lfs.github.com/spec/v1\n").unwrap();
        assert!(
            Tokenizer::open(&path)
                .err()
                .unwrap()
                .to_string()
                .contains("git lfs pull")
        );
        #[cfg(unix)]
        assert!(
            Tokenizer::open(Path::new("/dev/zero"))
                .err()
                .unwrap()
                .to_string()
                .contains("more than")
        );
    }
}
