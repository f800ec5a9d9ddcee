//! Whether a downloaded file is what it should be.

use super::Event;
use super::manifest::Check;
use super::sources::WantedFile;
use crate::error::{Error, Result};
use crate::genome::text;
use md5::Md5;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// What a file must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// Of this MD5, in lower-case hexadecimal.
    Md5(String),
    /// Of this SHA-256.
    Sha256(String),
    /// Of the SHA-256 that came with the answer, if one did.
    OfServer,
    /// Nothing is known of it but its format.
    Unknown,
}

/// What a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    pub bytes: u64,
    pub md5: String,
    pub sha256: String,
}

/// The MD5 of `name` in the text that `md5sum` writes: 32 hexadecimal digits, blanks (and `*`), and
/// a path.
pub(super) fn md5_of(sums: &str, name: &str) -> Option<String> {
    sums.lines().find_map(|line| {
        let (sum, path) = line.trim().split_once(char::is_whitespace)?;
        let path = path.trim_start().trim_start_matches('*');
        let is_sum = sum.len() == 32 && sum.bytes().all(|b| b.is_ascii_hexdigit());
        (is_sum && path.rsplit('/').next() == Some(name)).then(|| sum.to_ascii_lowercase())
    })
}

/// Holds a file to what is expected of it; the inner error says what is wrong with the content.
pub(super) fn verify(
    path: &Path,
    file: &WantedFile,
    expected: &Expected,
    of_server: Option<&str>,
    tell: &dyn Fn(Event),
) -> Result<Result<(Facts, Check), String>> {
    let (facts, head) = read(path, tell)?;
    let differs = |kind: &str, found: &str, right: &str| {
        Ok(Err(format!("its {kind} is {found} and should be {right}")))
    };
    if !head.starts_with(&file.starts) {
        let page = head.trim_ascii_start().starts_with(b"<");
        let seen = if page {
            "an HTML page came in its place, as logins and proxies send"
        } else {
            "it does not start as such a file does"
        };
        return Ok(Err(seen.into()));
    }
    let check = match (expected, of_server) {
        (Expected::Md5(right), _) if *right == facts.md5 => Check::Md5,
        (Expected::Md5(right), _) => return differs("MD5", &facts.md5, right),
        (Expected::Sha256(right), _) if *right == facts.sha256 => Check::Sha256,
        (Expected::Sha256(right), _) => return differs("SHA-256", &facts.sha256, right),
        (Expected::OfServer, Some(right)) if *right == facts.sha256 => Check::Sha256OfServer,
        (Expected::OfServer, Some(right)) => return differs("SHA-256", &facts.sha256, right),
        (Expected::OfServer, None) | (Expected::Unknown, _) => Check::FormatOnly,
    };
    if check == Check::FormatOnly
        && head.starts_with(&[0x1f, 0x8b])
        && let Err(e) = unpack(path)
    {
        return Ok(Err(format!(
            "its gzip stream is damaged or cut short ({e})"
        )));
    }
    Ok(Ok((facts, check)))
}

/// Reads a file once: its sums, and its first bytes.
fn read(path: &Path, tell: &dyn Fn(Event)) -> Result<(Facts, Vec<u8>)> {
    let mut file = File::open(path).map_err(Error::io(path))?;
    let total = file.metadata().map_err(Error::io(path))?.len();
    let (mut md5, mut sha256, mut head, mut bytes) = (Md5::new(), Sha256::new(), Vec::new(), 0);
    let mut buffer = vec![0; 1 << 18];
    loop {
        let n = file.read(&mut buffer).map_err(Error::io(path))?;
        if n == 0 {
            break;
        }
        head.extend(
            buffer[..n]
                .iter()
                .take(512_usize.saturating_sub(head.len())),
        );
        md5.update(&buffer[..n]);
        sha256.update(&buffer[..n]);
        bytes += n as u64;
        tell(Event::Progress {
            stage: "checking",
            done: bytes,
            total: Some(total),
        });
    }
    Ok((
        Facts {
            bytes,
            md5: hex(&md5.finalize()),
            sha256: hex(&sha256.finalize()),
        },
        head,
    ))
}

fn unpack(path: &Path) -> io::Result<u64> {
    io::copy(&mut text::unpacked(File::open(path)?)?, &mut io::sink())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
