//! The little HTTP that a bench needs beside the load generator: one request on
//! a connection of its own.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result};

/// How long connecting, and each read, may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// A response, read to its end.
pub(crate) struct Response {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Response {
    /// The first value of a header, whose name is not case sensitive.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// Ask a port of the loopback address for a path.
///
/// # Errors
///
/// When nobody answers in time, or not in HTTP.
pub(crate) fn get(port: u16, path: &str) -> Result<Response> {
    ask(port, "GET", path, "")
}

/// Ask a port of the loopback address for something, with a JSON text or none.
///
/// # Errors
///
/// As [`get`].
pub(crate) fn ask(port: u16, method: &str, path: &str, json: &str) -> Result<Response> {
    let body = ("application/json", json.as_bytes());
    send(port, (method, path), body, PATIENCE)
}

/// The same with a body of any kind, and as long as its answer may take.
///
/// # Errors
///
/// As [`get`].
pub(crate) fn send(
    port: u16,
    (method, path): (&str, &str),
    (kind, body): (&str, &[u8]),
    patience: Duration,
) -> Result<Response> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(patience))?;
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\
         Content-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text
        .split_once("\r\n\r\n")
        .context("the answer has no head")?;
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .context("the answer has no status")?;
    Ok(Response {
        status,
        head: head.to_owned(),
        body: body.to_owned(),
    })
}
