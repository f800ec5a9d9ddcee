//! `fetch`: public references into the user's cache.

use super::stderr::say;
use super::{progress, stdout};
use crate::error::{Error, Result};
use crate::fetch::cache::{self, megabytes};
use crate::fetch::sources::{self, Set, Wanted, WantedFile, mirrored};
use crate::fetch::{self, Event, Held, Patience};
use crate::tasks::suite::{self, Suite, SuiteFile};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

/// Download public references into a cache: genomes, annotations, motifs, the released model,
/// benchmark suites
///
/// What is there already is not fetched again. A download that was cut goes on where it stopped,
/// also after the program was killed. Files are held to the checksum their source publishes before
/// they get their name; genomes become bgzip with their indexes, the model becomes safetensors,
/// once.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ldar-analyze fetch --list
  ldar-analyze fetch human --dry-run
  ldar-analyze fetch human
  ldar-analyze fetch model ldarnet-110m
  ldar-analyze splice-profile --genome human --annotation human --checkpoint ldarnet-110m --out results
      names stand for what was fetched; nothing is downloaded silently
  ldar-analyze fetch mouse --gencode M38 --annotation comprehensive
      another release, or all transcripts: give commands the paths that are printed, as names mean the pinned release's default
  ldar-analyze fetch jaspar --taxon plants

The cache is LDAR_CACHE, else XDG_CACHE_HOME/ldar-analyze, else ~/.cache/ldar-analyze; a folder of it may be removed at any time, and may be copied
to a machine without a network. Proxies are taken from ALL_PROXY, HTTPS_PROXY, HTTP_PROXY (http:// or socks5://USER:PASSWORD@HOST:PORT) and NO_PROXY,
certificates from the system or SSL_CERT_FILE. Addresses, releases and licences: reference/sources.toml.")]
pub struct Arguments {
    /// What to fetch: human, mouse, yeast, jaspar, epd-human, ldarnet-110m (or: model ldarnet-110m);
    /// thaliana-chr1, lyrata-chr1-2, arenosa-chr1-2, pombe; or a benchmark suite: nt, gue, gb; fly is
    /// bundled
    #[arg(value_name = "SET", required_unless_present = "list")]
    set: Option<String>,
    /// After `model`: its name
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Another release than the pinned one (GENCODE 49, M38; JASPAR 2024)
    #[arg(long, visible_alias = "gencode", value_name = "RELEASE")]
    release: Option<String>,
    /// Transcripts of human and mouse: basic or comprehensive [default: basic]
    #[arg(long, value_name = "KIND", conflicts_with = "taxon")]
    annotation: Option<String>,
    /// Matrices of jaspar: vertebrates, insects, plants, nematodes, fungi, urochordates or all
    /// [default: vertebrates]
    #[arg(long, value_name = "TAXON")]
    taxon: Option<String>,
    /// List what can be fetched, and what is in the cache
    #[arg(long, conflicts_with_all = ["set", "dry_run"])]
    list: bool,
    /// Print addresses, sizes, licence and place, and fetch nothing
    #[arg(long)]
    dry_run: bool,
    /// Scheme and host to put before the sources' unchanged paths [default: LDAR_MIRROR, else the
    /// sources' own]
    #[arg(long, value_name = "URL")]
    mirror: Option<String>,
    /// Failures in a row that are borne before giving up
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(0..=100))]
    retries: u32,
    /// Seconds without a byte after which a connection is given up
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
}

/// What is to be done.
pub enum Request {
    /// `--list`.
    List,
    /// Anything else.
    Fetch(Box<Fetch>),
}

/// A set to be fetched.
pub struct Fetch {
    wanted: Wanted,
    about: String,
    plain: bool,
    mirror: Option<String>,
    dry_run: bool,
    patience: Patience,
}

impl Arguments {
    /// Refuses sets, variants and mirrors that are none.
    pub fn validate(self) -> Result<Request> {
        let usage = |message: String| Err(Error::Usage(message));
        if self.list {
            return Ok(Request::List);
        }
        let name = match (self.set.as_deref(), self.name.as_deref()) {
            (Some("model"), Some(name)) | (Some(name), None) if name != "model" => name,
            (Some("model"), _) => {
                return usage(
                    "fetch model needs the model's name: fetch model ldarnet-110m".into(),
                );
            }
            (_, Some(extra)) => {
                return usage(format!("one set at a time: '{extra}' is one too many"));
            }
            _ => return usage("fetch needs the name of a set; see fetch --list".into()),
        };
        if name == "fly" {
            return usage(
                "fly is bundled: use it as --genome fly --annotation fly, or leave both out".into(),
            );
        }
        let patience = Patience {
            retries: self.retries,
            silence: Duration::from_secs(self.timeout),
            pause: Duration::from_millis(500),
        };
        if suite::names().contains(&name) {
            if self.release.is_some() || self.annotation.is_some() || self.taxon.is_some() {
                return usage(format!(
                    "{name} is a benchmark suite: it comes in one form, at one release"
                ));
            }
            let (suite, mirror) = (suite::named(name)?, mirror(self.mirror)?);
            let (wanted, about) = (
                files_of(&suite),
                format!("{}: {}", suite.title, suite.about),
            );
            return Ok(Request::Fetch(Box::new(Fetch {
                wanted,
                about,
                plain: false,
                mirror,
                dry_run: self.dry_run,
                patience,
            })));
        }
        let set = sources::named(name)?;
        for (option, value, role) in [
            ("--annotation", &self.annotation, "annotation"),
            ("--taxon", &self.taxon, "motifs"),
        ] {
            if value.is_some() && !set.roles().contains(&role) {
                return usage(format!("{option} has no meaning for {name}"));
            }
        }
        let variant = self.annotation.as_deref().or(self.taxon.as_deref());
        let wanted = set.choose(self.release.as_deref(), variant)?;
        let mirror = mirror(self.mirror)?;
        // Names stand for the pinned release in its first form.
        let plain = wanted.release == set.release
            && variant.is_none_or(|variant| set.variants().first() == Some(&variant));
        Ok(Request::Fetch(Box::new(Fetch {
            wanted,
            about: set.about,
            plain,
            mirror,
            dry_run: self.dry_run,
            patience,
        })))
    }
}

/// The mirror that was asked for, by option or environment.
fn mirror(option: Option<String>) -> Result<Option<String>> {
    let mirror = option.or_else(|| {
        std::env::var("LDAR_MIRROR")
            .ok()
            .filter(|url| !url.is_empty())
    });
    if let Some(url) = &mirror
        && !["http://", "https://"].iter().any(|scheme| {
            url.strip_prefix(scheme)
                .is_some_and(|rest| !rest.is_empty())
        })
    {
        let what = "http://HOST or https://HOST, perhaps with a port and a path";
        return Err(Error::Usage(format!(
            "--mirror (or LDAR_MIRROR) '{url}': {what}"
        )));
    }
    Ok(mirror)
}

/// The size of a file of a suite as it is announced before the server has told, in bytes.
const ABOUT_BYTES: u64 = 2_000_000;

/// The files of a suite.
fn files_of(suite: &Suite) -> Wanted {
    let starts = match suite.starts.as_str() {
        "gzip" => vec![0x1f, 0x8b],
        "parquet" => b"PAR1".to_vec(),
        text => text.as_bytes().to_vec(),
    };
    let file = |file: SuiteFile| WantedFile {
        role: "task".into(),
        url: file.url,
        name: file.name,
        about_bytes: ABOUT_BYTES,
        starts: starts.clone(),
        sha256: file.sha256,
        member: None,
        finish: None,
        options: None,
    };
    Wanted {
        name: suite.name.clone(),
        release: suite.release.clone(),
        licence: suite.licence.clone(),
        site: suite.site.clone(),
        checksums: None,
        sha256_header: None,
        files: suite
            .tasks
            .iter()
            .flat_map(|task| suite.files(task))
            .map(file)
            .collect(),
    }
}

impl Request {
    /// Fetches, or says what there is.
    pub fn run(self) -> Result<()> {
        match self {
            Request::List => stdout::print(&list()?),
            Request::Fetch(fetch) if fetch.dry_run => stdout::print(&fetch.plan()?),
            Request::Fetch(fetch) => fetch.run(),
        }
    }
}

fn list() -> Result<String> {
    let root = cache::root()?;
    let mut text = format!(
        "cache: {}\n\nfly (bundled)\n  Fly chromosome 4 (dm6) with RefSeq genes, JASPAR matrices of insects and vertebrates, a model\n",
        root.display()
    );
    for set in sources::all()? {
        let Set {
            name,
            about,
            release,
            site,
            licence,
            unverified,
            ..
        } = &set;
        let here = set
            .roles()
            .iter()
            .all(|role| cache::find(&root, name, role).is_ok());
        let size: u64 = set
            .choose(None, None)?
            .files
            .iter()
            .map(|file| file.about_bytes)
            .sum();
        let _ = write!(
            text,
            "\n{name} {release} ({})\n  {about}\n  licence: {licence}\n  {site}\n",
            if here {
                "in the cache".into()
            } else {
                format!("about {}", megabytes(size))
            }
        );
        if set.variants().len() > 1 {
            let _ = writeln!(text, "  forms: {}", set.variants().join(", "));
        }
        let _ = writeln!(
            text,
            "  not verified when this version was made: {unverified}"
        );
    }
    for name in suite::names() {
        let Suite {
            title,
            about,
            licence,
            site,
            unverified,
            tasks,
            ..
        } = suite::named(name)?;
        let n = tasks.len();
        let _ = write!(
            text,
            "\n{name} ({n} tasks)\n  {title}: {about}\n  licence: {licence}\n  {site}\n  not verified when this version was made: {unverified}\n"
        );
    }
    Ok(text)
}

impl Fetch {
    fn plan(&self) -> Result<String> {
        let folder = cache::root()?.join(self.wanted.folder());
        let mirror = self.mirror.as_deref();
        let mut text = format!(
            "{} {}: {}\nlicence: {} ({})\n",
            self.wanted.name,
            self.wanted.release,
            self.about,
            self.wanted.licence,
            self.wanted.site
        );
        let checksum = match (&self.wanted.checksums, &self.wanted.sha256_header) {
            (Some(url), _) => format!("MD5 of {}", mirrored(url, mirror)),
            (None, Some(header)) => {
                format!("SHA-256 that the server gives as {header}, if it does")
            }
            (None, None) => "none published".into(),
        };
        let _ = writeln!(text, "checksum: {checksum}");
        for file in &self.wanted.files {
            let place = folder.join(file.final_name());
            let _ = writeln!(
                text,
                "{}: {}\n  about {}\n  to {}",
                file.role,
                mirrored(&file.url, mirror),
                megabytes(file.about_bytes),
                place.display()
            );
        }
        Ok(text)
    }

    /// Fetches, and prints role and path of each file.
    fn run(&self) -> Result<()> {
        let root: PathBuf = cache::root()?;
        let bar = progress::Bar::new();
        let tell = |event: Event| match event {
            Event::Note(text) => bar.note(text),
            Event::Progress { stage, done, total } => bar.show_bytes(stage, done, total),
        };
        let request = fetch::Request {
            cache: &root,
            mirror: self.mirror.as_deref(),
            patience: self.patience,
            tell: &tell,
        };
        let held = fetch::fetch(&self.wanted, &request);
        bar.finish();
        let held = held?;
        if held.iter().all(|file| file.before) {
            say(&format!(
                "{} {} is in the cache: nothing to do",
                self.wanted.name, self.wanted.release
            ));
        }
        let mut lines = String::new();
        for file in &held {
            let _ = writeln!(lines, "{}\t{}", file.role, file.path.display());
        }
        stdout::print(&lines)?;
        say(&format!(
            "licence: {} ({})",
            self.wanted.licence, self.wanted.site
        ));
        if let Some(use_it) = self.use_it(&held) {
            say(&format!("use: {use_it}"));
        }
        Ok(())
    }

    /// How commands take what was fetched: by name where one stands for it, regions by their path.
    fn use_it(&self, held: &[Held]) -> Option<String> {
        if suite::names().contains(&self.wanted.name.as_str()) {
            return Some(format!("ldar-analyze benchmark {}", self.wanted.name));
        }
        let option = |(file, held): (&WantedFile, &Held)| match file.role.as_str() {
            role @ ("genome" | "annotation" | "checkpoint") if self.plain => {
                Some(format!("--{role} {}", self.wanted.name))
            }
            "regions" => Some(format!("--regions {}", held.path.display())),
            _ => None,
        };
        let further = |(file, _): (&WantedFile, &Held)| {
            file.options
                .as_ref()
                .map(|options| format!(" {options}"))
                .unwrap_or_default()
        };
        let both = |pair| Some(option(pair)? + &further(pair));
        let options: Option<Vec<String>> = self.wanted.files.iter().zip(held).map(both).collect();
        options.map(|options| options.join(" "))
    }
}
