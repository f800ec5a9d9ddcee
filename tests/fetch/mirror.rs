//! A mirror of the sources on this machine, as bad as asked.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What a client asks for.
#[derive(Clone, Debug)]
pub struct Asked {
    pub path: String,
    /// First byte of `Range`.
    pub from: Option<usize>,
    pub if_range: Option<String>,
    /// How many requests for this path came before.
    pub before: usize,
}

/// What it gets.
#[derive(Clone, Default)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Bytes of the body after which the connection is cut.
    pub cut: Option<usize>,
    /// Bytes of the body that are sent at once, and the pause after each such piece.
    pub pieces: Option<(usize, Duration)>,
    /// A Content-Length other than the body's.
    pub claimed: Option<u64>,
    /// No Content-Length: the body ends with the connection.
    pub untold: bool,
}

impl Reply {
    pub fn status(status: u16) -> Reply {
        Reply {
            status,
            ..Reply::default()
        }
    }

    pub fn ok(body: &[u8]) -> Reply {
        Reply {
            status: 200,
            body: body.to_vec(),
            ..Reply::default()
        }
    }

    pub fn header(mut self, name: &str, value: impl Into<String>) -> Reply {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub fn cut(self, after: usize) -> Reply {
        Reply {
            cut: Some(after),
            ..self
        }
    }
}

/// What a sound server answers about a file of version `tag`.
pub fn sound(asked: &Asked, body: &[u8], tag: &str) -> Reply {
    let tag = format!("\"{tag}\"");
    match asked.from {
        Some(from) if asked.if_range.as_ref().is_none_or(|given| *given == tag) => {
            if from >= body.len() {
                return Reply::status(416)
                    .header("Content-Range", format!("bytes */{}", body.len()));
            }
            let range = format!("bytes {from}-{}/{}", body.len() - 1, body.len());
            Reply {
                status: 206,
                body: body[from..].to_vec(),
                ..Reply::default()
            }
            .header("ETag", tag)
            .header("Content-Range", range)
        }
        _ => Reply::ok(body).header("ETag", tag),
    }
}

/// A server that answers as `answer` says until the test ends.
pub struct Mirror {
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Mirror {
    pub fn new(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Mirror {
        Mirror::with(None, answer)
    }

    /// One that speaks TLS as `localhost`, and its certificate, which nobody has signed but itself.
    pub fn secure(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> (Mirror, String) {
        let rcgen::CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(["localhost".to_string()]).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let config = rustls::ServerConfig::builder_with_provider(
            rustls::crypto::ring::default_provider().into(),
        );
        let config = config
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth();
        let config = config
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        let mut mirror = Mirror::with(Some(config.into()), answer);
        mirror.url = mirror.url.replace("http://127.0.0.1", "https://localhost");
        (mirror, cert.pem())
    }

    fn with(
        tls: Option<Arc<rustls::ServerConfig>>,
        answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> Mirror {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (asked, answer) = (Arc::new(Mutex::new(Vec::new())), Arc::new(answer));
        let log = asked.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, answer, tls) = (log.clone(), answer.clone(), tls.clone());
                thread::spawn(move || match tls {
                    None => drop(serve(stream, &log, &*answer)),
                    Some(config) => {
                        let mut stream = rustls::StreamOwned::new(
                            rustls::ServerConnection::new(config).unwrap(),
                            stream,
                        );
                        if serve(&mut stream, &log, &*answer) {
                            stream.conn.send_close_notify();
                            let _ = stream.flush();
                        }
                    }
                });
            }
        });
        Mirror { url, asked }
    }

    /// Serves files that never change.
    pub fn of(files: BTreeMap<String, Vec<u8>>) -> Mirror {
        Mirror::new(move |asked| match files.get(&asked.path) {
            Some(body) => sound(asked, body, "v1"),
            None => Reply::status(404),
        })
    }

    /// All requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Those for a path that ends so.
    pub fn asked_for(&self, end: &str) -> Vec<Asked> {
        self.asked()
            .into_iter()
            .filter(|asked| asked.path.ends_with(end))
            .collect()
    }
}

/// Whether the whole of a reply was sent.
fn serve(
    mut stream: impl Read + Write,
    log: &Mutex<Vec<Asked>>,
    answer: &dyn Fn(&Asked) -> Reply,
) -> bool {
    let mut lines = BufReader::new(&mut stream).lines().map_while(Result::ok);
    let Some(first) = lines.next() else {
        return false;
    };
    let mut asked = Asked {
        path: first.split(' ').nth(1).unwrap_or("").into(),
        from: None,
        if_range: None,
        before: 0,
    };
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(": ").unwrap();
        match name.to_ascii_lowercase().as_str() {
            "range" => {
                asked.from = value
                    .strip_prefix("bytes=")
                    .and_then(|v| v.strip_suffix('-'))
                    .and_then(|v| v.parse().ok())
            }
            "if-range" => asked.if_range = Some(value.into()),
            _ => {}
        }
    }
    {
        let mut log = log.lock().unwrap();
        asked.before = log.iter().filter(|other| other.path == asked.path).count();
        log.push(asked.clone());
    }
    let reply = answer(&asked);
    let length = reply.claimed.unwrap_or(reply.body.len() as u64);
    let mut head = format!("HTTP/1.1 {} -\r\nConnection: close\r\n", reply.status);
    if !reply.untold {
        head += &format!("Content-Length: {length}\r\n");
    }
    for (name, value) in &reply.headers {
        head += &format!("{name}: {value}\r\n");
    }
    let body = &reply.body[..reply.cut.unwrap_or(reply.body.len()).min(reply.body.len())];
    // A client that has gone is no failure of the server.
    let _ = stream.write_all(format!("{head}\r\n").as_bytes());
    let (size, pause) = reply.pieces.unwrap_or((body.len().max(1), Duration::ZERO));
    for piece in body.chunks(size) {
        if stream.write_all(piece).is_err() {
            return false;
        }
        thread::sleep(pause);
    }
    let _ = stream.flush();
    reply.cut.is_none()
}
