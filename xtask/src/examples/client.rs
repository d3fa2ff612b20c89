//! A client that sends its requests one after another over one connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// How long a read may take: longer than the slowest answer asked for.
const PATIENCE: Duration = Duration::from_secs(30);

/// The header that a server of the demo says its name in.
const NAME: &str = "x-backend";

/// A kept connection.
pub(super) struct Client {
    reader: BufReader<TcpStream>,
}

impl Client {
    /// Connect to a port of the loopback address.
    ///
    /// # Errors
    ///
    /// When nobody listens.
    pub(super) fn connect(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            reader: BufReader::new(stream),
        })
    }

    /// Ask for a path; returns the name of the server that answered.
    ///
    /// # Errors
    ///
    /// When the answer is not 200, or names no server.
    pub(super) fn get(&mut self, path: &str, cookie: Option<&str>) -> Result<String> {
        let cookie = cookie.map_or(String::new(), |cookie| format!("Cookie: {cookie}\r\n"));
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{cookie}\r\n");
        self.reader.get_mut().write_all(request.as_bytes())?;
        let status = self.line()?;
        if status.split(' ').nth(1) != Some("200") {
            bail!("{path} was answered with `{status}`");
        }
        let mut name = None;
        let mut length = None;
        loop {
            let line = self.line()?;
            match line.split_once(": ") {
                None => break,
                Some((key, value)) if key.eq_ignore_ascii_case(NAME) => {
                    name = Some(value.to_owned());
                }
                Some((key, value)) if key.eq_ignore_ascii_case("content-length") => {
                    length = Some(value.parse()?);
                }
                Some(_) => {}
            }
        }
        let mut body = vec![0; length.context("the answer does not tell its length")?];
        self.reader.read_exact(&mut body)?;
        name.with_context(|| format!("the answer has no {NAME}"))
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.reader.read_line(&mut line)? == 0 {
            bail!("the connection was closed before the answer");
        }
        Ok(line.trim_end().to_owned())
    }
}
