//! Public references, brought into a cache of the user: downloads that resume, are checked before
//! they get their name, and happen once.
//!
//! What can be had is data ([`sources`], `reference/sources.toml`). A set lies in one folder of the
//! cache, `NAME-RELEASE`, with `manifest.json` saying what each file is, where it came from and
//! which checksum it was held to. A file under its own name is whole and checked; what is on its
//! way is `NAME.part`. One process at a time works on a folder.

pub mod cache;
mod checksum;
mod download;
mod finish;
mod http;
mod manifest;
pub mod sources;

pub use download::Patience;
pub use manifest::{Check, Held};

use crate::error::{Error, Result};
use cache::SetFolder;
use checksum::Expected;
use download::Job;
use http::Client;
use manifest::Manifest;
use sources::{Wanted, WantedFile};
use std::path::Path;

/// What happens during a download, for whoever watches.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A line worth keeping in a log.
    Note(&'a str),
    /// How far the current file is.
    Progress {
        /// What is being done: `downloading`, `checking`, `compressing`.
        stage: &'static str,
        /// Bytes done.
        done: u64,
        /// Bytes in all, where known.
        total: Option<u64>,
    },
}

/// Where and how to fetch.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// Root of the cache, as [`cache::root`] gives it.
    pub cache: &'a Path,
    /// Scheme and host (and perhaps a path) that stand before every source's unchanged path in
    /// place of its own.
    pub mirror: Option<&'a str>,
    /// How much is borne of a bad line.
    pub patience: Patience,
    /// Is told what happens.
    pub tell: &'a dyn Fn(Event),
}

/// Brings what is wanted and not yet there. The files of the set, in order.
///
/// # Errors
/// A source that cannot be reached or does not have the file, content that is not what its checksum
/// says, a full disk; each names the address and what to do. What was downloaded so far is kept for
/// the next call, unless it was wrong.
pub fn fetch(wanted: &Wanted, request: &Request) -> Result<Vec<Held>> {
    let folder = SetFolder::lock(request.cache, &wanted.folder(), request.tell)?;
    let mut manifest = Manifest::open(&folder.path)?;
    let mut fetching = Fetching {
        wanted,
        request,
        client: None,
        sums: None,
        folder: &folder.path,
    };
    wanted
        .files
        .iter()
        .map(|file| fetching.bring(file, &mut manifest))
        .collect()
}

struct Fetching<'a> {
    wanted: &'a Wanted,
    request: &'a Request<'a>,
    /// Made when first needed: a call that finds everything in place touches no network.
    client: Option<Client>,
    /// The text of the source's checksum file, once read.
    sums: Option<String>,
    folder: &'a Path,
}

impl Fetching<'_> {
    fn bring(&mut self, file: &WantedFile, manifest: &mut Manifest) -> Result<Held> {
        let part = self.folder.join(format!("{}.part", file.name));
        if let Some(held) = manifest.held(self.folder, file) {
            download::discard(&part);
            return Ok(held);
        }
        let expected = self.expected(file)?;
        let url = sources::mirrored(&file.url, self.request.mirror);
        let job = Job {
            url: &url,
            part: &part,
            about_bytes: file.about_bytes,
            copies_after: u64::from(file.finish.is_some()),
        };
        let (facts, check) = self.verified(&job, file, &expected)?;
        if check == Check::FormatOnly
            && let Some(before) = manifest.sha256_before(file, &url)
            && before != facts.sha256
        {
            self.note(&format!(
                "{}: differs from the copy fetched before (SHA-256 {before}, now {})",
                file.name, facts.sha256
            ));
        }
        let bytes = finish::finish(file, &part, self.folder, self.request.tell)?;
        let held = manifest.add(self.folder, file, &url, facts, check, bytes)?;
        download::discard(&part);
        self.note(&format!("{}: {}", file.name, held.check));
        Ok(held)
    }

    /// Downloads until the content is what it should be: a second time, from its start, where the
    /// first was wrong.
    fn verified(
        &mut self,
        job: &Job,
        file: &WantedFile,
        expected: &Expected,
    ) -> Result<(checksum::Facts, Check)> {
        self.note(&format!("fetching {}", job.url));
        let mut wrong = String::new();
        for again in [false, true] {
            if again {
                self.note(&format!("{}: {wrong}; fetching it once more", file.name));
            }
            let Request { patience, tell, .. } = *self.request;
            let arrived = download::download(self.client(), job, &patience, tell)?;
            match checksum::verify(job.part, file, expected, arrived.sha256.as_deref(), tell)? {
                Ok(verified) => return Ok(verified),
                Err(message) => wrong = message,
            }
            download::discard(job.part);
        }
        Err(Error::Invalid(format!(
            "{}: {wrong}, twice. Nothing of it is kept. Something on the way alters it, or the copy there is damaged: try later, or another --mirror",
            job.url
        )))
    }

    fn expected(&mut self, file: &WantedFile) -> Result<Expected> {
        if let Some(sha256) = &file.sha256 {
            return Ok(Expected::Sha256(sha256.clone()));
        }
        let Some(url) = &self.wanted.checksums else {
            return Ok(match &self.wanted.sha256_header {
                Some(_) => Expected::OfServer,
                None => Expected::Unknown,
            });
        };
        let url = sources::mirrored(url, self.request.mirror);
        if self.sums.is_none() {
            let Request { patience, tell, .. } = *self.request;
            self.sums = Some(download::text(self.client(), &url, &patience, tell)?);
        }
        let sums = self.sums.as_deref().unwrap_or_default();
        let md5 = checksum::md5_of(sums, &file.name).ok_or_else(|| {
            Error::Invalid(format!(
                "{url}: has no line for {}; does release {} hold it?",
                file.name, self.wanted.release
            ))
        })?;
        Ok(Expected::Md5(md5))
    }

    fn client(&mut self) -> &Client {
        let (silence, header) = (self.request.patience.silence, &self.wanted.sha256_header);
        self.client
            .get_or_insert_with(|| Client::new(silence, header.clone()))
    }

    fn note(&self, text: &str) {
        (self.request.tell)(Event::Note(text));
    }
}

#[cfg(test)]
mod tests;
