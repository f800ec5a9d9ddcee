//! One HTTP request: redirects followed, proxies of the environment used, failures told apart into
//! those that may pass and those that stay.

use crate::error::Error;
use std::env;
use std::io::{self, Read};
use std::time::Duration;
use ureq::http::Response;
use ureq::http::header::{HeaderMap, HeaderName};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body, Proxy};

/// Redirects followed for one request.
const MOST_REDIRECTS: usize = 10;

/// Why a request brought nothing.
#[derive(Debug)]
pub(super) enum Failure {
    /// It may go better a moment later.
    Passing(String),
    /// It will not.
    Lasting(Error),
}

/// An answer whose headers have come.
pub(super) struct Answer {
    /// 200, 206 or 416; anything else is a failure.
    pub status: u16,
    /// Length of what follows, where the server says.
    pub length: Option<u64>,
    /// Of `Content-Range`: first byte (not with 416), and length of the whole file where known.
    pub range: (Option<u64>, Option<u64>),
    /// What names this version of the file: a strong `ETag`, else `Last-Modified`.
    pub validator: Option<String>,
    /// The SHA-256 that a header of the answer, or of a redirect to it, gives.
    pub sha256: Option<String>,
    /// The content.
    pub body: Box<dyn Read>,
}

/// Makes requests.
pub(super) struct Client {
    agent: Agent,
    sha256_header: Option<String>,
}

impl Client {
    /// A client that gives up a connection after `silence` without a byte. Certificates are those
    /// of the system (`SSL_CERT_FILE` honoured), or Mozilla's where it has none.
    pub fn new(silence: Duration, sha256_header: Option<String>) -> Client {
        let system = rustls_native_certs::load_native_certs().certs;
        let roots = match system.is_empty() {
            true => RootCerts::WebPki,
            false => system
                .iter()
                .map(|cert| Certificate::from_der(cert.as_ref()).to_owned())
                .collect::<Vec<_>>()
                .into_iter()
                .into(),
        };
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .accept_encoding("identity")
            .user_agent(concat!("ldar-analyze/", env!("CARGO_PKG_VERSION")))
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .timeout_resolve(Some(silence))
            .timeout_connect(Some(silence))
            .timeout_recv_response(Some(silence))
            .timeout_per_read(Some(silence))
            .build();
        Client {
            agent: config.into(),
            sha256_header,
        }
    }

    /// Asks for a file from `from.0` on if it is still the version `from.1`, or from its start.
    pub fn get(&self, url: &str, from: Option<(u64, &str)>) -> Result<Answer, Failure> {
        let (mut at, mut sha256) = (url.to_string(), None);
        for _ in 0..=MOST_REDIRECTS {
            let mut request = self.agent.get(&at);
            if let Some((start, validator)) = from {
                request = request
                    .header("Range", format!("bytes={start}-"))
                    .header("If-Range", validator);
            }
            let response = request.call().map_err(|e| unreachable_host(&at, &e))?;
            sha256 = sha256.or_else(|| self.sha256(response.headers()));
            match response.status().as_u16() {
                200 | 206 | 416 => return Ok(answer(response, sha256)),
                301 | 302 | 303 | 307 | 308 => {
                    at = redirected(&at, text(response.headers(), "location"))?
                }
                status => return Err(refused(&at, status)),
            }
        }
        Err(lasting(format!(
            "{url}: more than {MOST_REDIRECTS} redirects"
        )))
    }

    fn sha256(&self, headers: &HeaderMap) -> Option<String> {
        let name: HeaderName = self.sha256_header.as_deref()?.parse().ok()?;
        let value = headers
            .get(name)?
            .to_str()
            .ok()?
            .trim_matches('"')
            .to_ascii_lowercase();
        (value.len() == 64 && value.bytes().all(|b| b.is_ascii_hexdigit())).then_some(value)
    }
}

fn lasting(message: String) -> Failure {
    Failure::Lasting(Error::Invalid(message))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn answer(response: Response<Body>, sha256: Option<String>) -> Answer {
    let headers = response.headers();
    let etag = text(headers, "etag").filter(|tag| !tag.starts_with("W/"));
    Answer {
        status: response.status().as_u16(),
        length: text(headers, "content-length").and_then(|n| n.parse().ok()),
        range: text(headers, "content-range").map_or((None, None), content_range),
        validator: etag
            .or_else(|| text(headers, "last-modified"))
            .map(String::from),
        sha256,
        body: Box::new(response.into_body().into_reader()),
    }
}

/// `bytes 100-199/1000` is (100, 1000), `bytes */1000` is (none, 1000).
fn content_range(value: &str) -> (Option<u64>, Option<u64>) {
    let Some((span, total)) = value.trim_start_matches("bytes").trim().split_once('/') else {
        return (None, None);
    };
    (
        span.split_once('-')
            .and_then(|(start, _)| start.trim().parse().ok()),
        total.trim().parse().ok(),
    )
}

/// Where a redirect leads; never from https to plain http.
fn redirected(from: &str, location: Option<&str>) -> Result<String, Failure> {
    let Some(location) = location.filter(|l| !l.is_empty()) else {
        return Err(lasting(format!(
            "{from}: a redirect that does not say where to"
        )));
    };
    let (scheme, rest) = from.split_once("://").unwrap_or(("https", from));
    let host = rest.split('/').next().unwrap_or(rest);
    let to = if location.contains("://") {
        location.to_string()
    } else if let Some(other_host) = location.strip_prefix("//") {
        format!("{scheme}://{other_host}")
    } else if location.starts_with('/') {
        format!("{scheme}://{host}{location}")
    } else {
        let path = from.split(['?', '#']).next().unwrap_or(from);
        format!(
            "{}/{location}",
            path.rsplit_once('/').map_or(path, |(folder, _)| folder)
        )
    };
    match scheme == "https" && !to.starts_with("https://") {
        true => Err(lasting(format!(
            "{from}: redirects to {to}, which is not encrypted; a login page of the network?"
        ))),
        false => Ok(to),
    }
}

fn refused(url: &str, status: u16) -> Failure {
    match status {
        408 | 425 | 429 | 500..=599 => Failure::Passing(format!("the server answers {status}")),
        404 | 410 => lasting(format!(
            "{url}: not there (HTTP {status}). Is there such a release, and does the mirror keep the source's paths?"
        )),
        407 => lasting(format!(
            "{url}: the proxy asks for a login (HTTP 407): give it as http://USER:PASSWORD@HOST:PORT in HTTPS_PROXY"
        )),
        _ => lasting(format!("{url}: refused (HTTP {status}){}", proxy_note())),
    }
}

fn unreachable_host(url: &str, error: &ureq::Error) -> Failure {
    let host = url
        .split_once("://")
        .map_or(url, |(_, rest)| rest)
        .split('/')
        .next()
        .unwrap_or(url);
    match error {
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => {
            lasting(format!("{url}: not an address ({error})"))
        }
        ureq::Error::Rustls(e) => lasting(format!(
            "{host}: no secure connection ({e}). If your network inspects TLS, name its certificate in SSL_CERT_FILE{}",
            proxy_note()
        )),
        ureq::Error::HostNotFound => {
            Failure::Passing(format!("no host {host} is known here{}", proxy_note()))
        }
        ureq::Error::Io(e) if e.kind() == io::ErrorKind::InvalidData => lasting(format!(
            "{host}: no secure connection ({e}). If your network inspects TLS, name its certificate in SSL_CERT_FILE{}",
            proxy_note()
        )),
        ureq::Error::Io(e) => {
            Failure::Passing(format!("{host} cannot be reached: {e}{}", proxy_note()))
        }
        e => Failure::Passing(format!("{host} cannot be reached: {e}{}", proxy_note())),
    }
}

/// Which proxy is used, in words; without its password.
fn proxy_note() -> String {
    match Proxy::try_from_env() {
        Some(proxy) => format!(" (through the proxy {}:{})", proxy.host(), proxy.port()),
        None => {
            let set = [
                "ALL_PROXY",
                "all_proxy",
                "HTTPS_PROXY",
                "https_proxy",
                "HTTP_PROXY",
                "http_proxy",
            ];
            match set
                .iter()
                .find(|name| env::var(name).is_ok_and(|value| !value.is_empty()))
            {
                Some(name) => format!(
                    " (without a proxy: {name} is not understood, it should read http://HOST:PORT)"
                ),
                None => " (no proxy is set)".into(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_lead_where_browsers_go() {
        let from = "https://a.org/x/y.gz?z=1/2";
        for (location, to) in [
            ("https://b.org/q", "https://b.org/q"),
            ("//b.org/q", "https://b.org/q"),
            ("/q?r", "https://a.org/q?r"),
            ("q.gz", "https://a.org/x/q.gz"),
        ] {
            assert_eq!(redirected(from, Some(location)).unwrap(), to);
        }
        for location in [None, Some(""), Some("http://a.org/x")] {
            assert!(
                matches!(redirected(from, location), Err(Failure::Lasting(_))),
                "{location:?}"
            );
        }
        assert_eq!(
            redirected("http://a.org:80/x", Some("http://a.org:80/y")).unwrap(),
            "http://a.org:80/y"
        );
    }

    #[test]
    fn ranges_are_read() {
        assert_eq!(content_range("bytes 100-199/1000"), (Some(100), Some(1000)));
        assert_eq!(content_range("bytes 100-199/*"), (Some(100), None));
        assert_eq!(content_range("bytes */1000"), (None, Some(1000)));
        assert_eq!(content_range("100"), (None, None));
    }
}
