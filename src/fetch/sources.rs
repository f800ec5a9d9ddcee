//! What can be fetched: `reference/sources.toml`, read as data.

use crate::error::{Error, Result};
use serde::Deserialize;

/// The file, as it is built in.
const TEXT: &str = include_str!("../../reference/sources.toml");

/// A set of files that belong together, at a pinned release.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Set {
    /// What is typed.
    pub name: String,
    /// What it is.
    pub about: String,
    /// The release that is meant unless another is asked for.
    pub release: String,
    /// Where people read about it.
    pub site: String,
    /// On which terms it may be used.
    pub licence: String,
    /// What could not be tried when the entry was written.
    pub unverified: String,
    /// Address of a file of MD5 sums.
    checksums: Option<String>,
    /// Header in which the server gives a file's SHA-256.
    sha256_header: Option<String>,
    #[serde(rename = "file")]
    files: Vec<File>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    role: String,
    variant: Option<String>,
    url: String,
    megabytes: u64,
    starts: String,
    sha256: Option<String>,
    member: Option<String>,
    finish: Option<Finish>,
    /// Further options of the commands that take the file.
    options: Option<String>,
}

/// What is done with a file once it is there and checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Finish {
    /// A gzip FASTA becomes bgzip, with `.fai` and `.gzi` beside it.
    Bgzip,
    /// A PyTorch checkpoint becomes safetensors.
    Safetensors,
}

/// A set at one release, with the files chosen of it.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Name of the set.
    pub name: String,
    /// Its release.
    pub release: String,
    /// On which terms it may be used.
    pub licence: String,
    /// Where people read about it.
    pub site: String,
    /// Address of the file of MD5 sums.
    pub checksums: Option<String>,
    /// Header in which the server gives a file's SHA-256.
    pub sha256_header: Option<String>,
    /// What is to be fetched.
    pub files: Vec<WantedFile>,
}

/// One file to fetch.
#[derive(Clone, Debug)]
pub struct WantedFile {
    /// What commands take it for: `genome`, `annotation`, `motifs`, `regions`, `checkpoint`.
    pub role: String,
    /// Its address at the source.
    pub url: String,
    /// Its name there.
    pub name: String,
    /// About its size in bytes.
    pub about_bytes: u64,
    /// Its first bytes.
    pub starts: Vec<u8>,
    /// The SHA-256 it must have, where pinned.
    pub sha256: Option<String>,
    /// What is taken of it, where it is a zip archive.
    pub member: Option<String>,
    /// What is done with it then.
    pub finish: Option<Finish>,
    /// How commands are told to read it, as options beside that of its role.
    pub options: Option<String>,
}

impl WantedFile {
    /// Its name in the cache.
    pub fn final_name(&self) -> String {
        let name = match &self.member {
            Some(member) => member.rsplit('/').next().unwrap_or(member),
            None => &self.name,
        };
        match self.finish {
            Some(Finish::Safetensors) => format!(
                "{}.safetensors",
                name.rsplit_once('.').map_or(name, |(stem, _)| stem)
            ),
            _ => name.to_string(),
        }
    }
}

impl Wanted {
    /// Its folder in the cache.
    pub fn folder(&self) -> String {
        format!("{}-{}", self.name, self.release)
    }
}

/// All sets, in file order.
///
/// # Errors
/// None that a sound build can meet; a test reads the file.
pub fn all() -> Result<Vec<Set>> {
    #[derive(Deserialize)]
    struct Sources {
        set: Vec<Set>,
    }
    let sources: Sources =
        toml::from_str(TEXT).map_err(|e| Error::Invalid(format!("reference/sources.toml: {e}")))?;
    Ok(sources.set)
}

/// The set of a name.
///
/// # Errors
/// There is none; the message lists them.
pub fn named(name: &str) -> Result<Set> {
    let sets = all()?;
    let names: Vec<String> = sets.iter().map(|set| set.name.clone()).collect();
    sets.into_iter()
        .find(|set| set.name == name)
        .ok_or_else(|| {
            Error::Usage(format!(
                "no set '{name}' can be fetched; there are {}",
                names.join(", ")
            ))
        })
}

impl Set {
    /// The set at `release` (its pinned one if `None`), with the files of `variant` (the first
    /// listed if `None`) and those that have none.
    ///
    /// # Errors
    /// A release that is no plain word, a variant that the set does not have.
    pub fn choose(&self, release: Option<&str>, variant: Option<&str>) -> Result<Wanted> {
        let pinned = release.is_none_or(|release| release == self.release);
        let release = release.unwrap_or(&self.release);
        if release.is_empty() || !release.chars().all(|c| c.is_ascii_alphanumeric()) {
            return Err(Error::Usage(format!(
                "--release {release}: letters and digits, as in {}",
                self.release
            )));
        }
        let of_release = |file: &File| file.url.contains("{release}");
        if !pinned && !self.files.iter().any(of_release) {
            return Err(Error::Usage(format!(
                "{} comes in one release only, {}",
                self.name, self.release
            )));
        }
        let variants = self.variants();
        if let Some(variant) = variant
            && !variants.contains(&variant)
        {
            return Err(Error::Usage(match variants.is_empty() {
                true => format!("{} comes in one form only, not as '{variant}'", self.name),
                false => format!(
                    "{} has no '{variant}'; it has {}",
                    self.name,
                    variants.join(", ")
                ),
            }));
        }
        let chosen = variant.or(variants.first().copied());
        let at = |text: &str| text.replace("{release}", release);
        let wanted = |file: &File| {
            let url = at(&file.url);
            WantedFile {
                role: file.role.clone(),
                name: url.rsplit('/').next().unwrap_or(&url).to_string(),
                url,
                about_bytes: file.megabytes * 1_000_000,
                starts: match file.starts.as_str() {
                    "gzip" => vec![0x1f, 0x8b],
                    "zip" => b"PK\x03\x04".to_vec(),
                    text => text.as_bytes().to_vec(),
                },
                sha256: file.sha256.clone().filter(|_| pinned),
                member: file.member.clone(),
                finish: file.finish,
                options: file.options.clone(),
            }
        };
        let files = self
            .files
            .iter()
            .filter(|file| file.variant.is_none() || file.variant.as_deref() == chosen)
            .map(wanted)
            .collect();
        Ok(Wanted {
            name: self.name.clone(),
            release: release.to_string(),
            licence: self.licence.clone(),
            site: self.site.clone(),
            checksums: self.checksums.as_deref().map(at),
            sha256_header: self.sha256_header.clone(),
            files,
        })
    }

    /// Names of its variants, the default first; none where it has one form only.
    pub fn variants(&self) -> Vec<&str> {
        self.files
            .iter()
            .filter_map(|file| file.variant.as_deref())
            .collect()
    }

    /// What its files are taken for, each once, in order.
    pub fn roles(&self) -> Vec<&str> {
        let mut roles: Vec<&str> = self.files.iter().map(|file| file.role.as_str()).collect();
        roles.dedup();
        roles
    }
}

/// The address with `mirror` in place of scheme and host; the path stays.
pub fn mirrored(url: &str, mirror: Option<&str>) -> String {
    let Some(mirror) = mirror else {
        return url.to_string();
    };
    let path = url
        .split_once("://")
        .and_then(|(_, rest)| rest.split_once('/'))
        .map_or("", |(_, path)| path);
    format!("{}/{path}", mirror.trim_end_matches('/'))
}
