//! A request as it is written on the command line, seen as a gateway sees it.

use std::net::IpAddr;

use anyhow::{Context as _, anyhow, ensure};
use gatewright_host::{Effects, ExchangeView, Lent, Trace};
use gatewright_wire::{cookie, path};
use http::header::{COOKIE, HOST, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Uri};

/// Header lines that a request may have.
const HEADERS: usize = 100;

/// The host of a request that names none.
const NO_HOST: &str = "localhost";

/// A request without a client.
#[derive(Clone, Debug)]
pub(in crate::cli::plugin) struct Asked {
    method: Method,
    uri: Uri,
    /// The normalised path.
    path: String,
    authority: String,
    headers: HeaderMap,
    client: IpAddr,
    status: u16,
    effects: Effects,
}

impl Asked {
    /// A request line such as `GET /x HTTP/1.1`, with header lines behind it or
    /// beside it.
    ///
    /// # Errors
    ///
    /// When a gateway would not take such a request.
    pub(in crate::cli::plugin) fn new(
        text: &str,
        headers: &[String],
        client: IpAddr,
        status: u16,
    ) -> anyhow::Result<Self> {
        let head = head(text, headers);
        let mut lines = [httparse::EMPTY_HEADER; HEADERS];
        let mut request = httparse::Request::new(&mut lines);
        let parsed = request.parse(head.as_bytes());
        let parsed = parsed.map_err(|error| anyhow!("{text:?} is no request: {error}"))?;
        ensure!(parsed.is_complete(), "{text:?} is no whole request");
        let uri: Uri = request.path.unwrap_or_default().parse()?;
        let mut headers = HeaderMap::new();
        for header in &*request.headers {
            let name = HeaderName::try_from(header.name)?;
            headers.append(name, HeaderValue::from_bytes(header.value)?);
        }
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        Ok(Self {
            method: request.method.unwrap_or_default().parse()?,
            path: path::normalise(uri.path())
                .context("the path is malformed")?
                .into_owned(),
            authority: host.unwrap_or(NO_HOST).to_ascii_lowercase(),
            uri,
            headers,
            client,
            status,
            effects: Effects::default(),
        })
    }

    /// As it is lent to a plugin, with its decisions written down or not.
    pub(in crate::cli::plugin) fn lent(&self, is_traced: bool) -> Lent {
        let mut asked = self.clone();
        asked.effects.trace = is_traced.then(|| Box::new(Trace::default()));
        Some(Box::new(asked))
    }
}

/// The lines of a head, as they go over the wire.
fn head(text: &str, headers: &[String]) -> String {
    let mut lines: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
    if let Some(first) = lines.first_mut().filter(|line| !line.contains(" HTTP/")) {
        *first += " HTTP/1.1";
    }
    lines.extend(headers.iter().map(|line| line.trim().to_owned()));
    lines.retain(|line| !line.is_empty());
    format!("{}\r\n\r\n", lines.join("\r\n"))
}

impl ExchangeView for Asked {
    fn method(&self) -> &str {
        self.method.as_str()
    }

    fn scheme(&self) -> &str {
        "http"
    }

    fn authority(&self) -> &str {
        &self.authority
    }

    fn path(&self) -> &str {
        &self.path
    }

    fn query(&self) -> Option<&str> {
        self.uri.query()
    }

    fn header(&self, name: &str, index: usize) -> Option<&[u8]> {
        let values = self.headers.get_all(name);
        values.iter().nth(index).map(HeaderValue::as_bytes)
    }

    fn cookie(&self, name: &str) -> Option<&str> {
        let values = self.headers.get_all(COOKIE).iter();
        values
            .into_iter()
            .find_map(|value| cookie::find(value.as_bytes(), name))
    }

    fn client_address(&self) -> IpAddr {
        self.client
    }

    fn response_status(&self) -> u16 {
        self.status
    }

    fn effects(&mut self) -> &mut Effects {
        &mut self.effects
    }

    fn copy(&self) -> Box<dyn ExchangeView> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn asked(text: &str, headers: &[&str]) -> anyhow::Result<Asked> {
        let headers: Vec<_> = headers.iter().map(|line| (*line).to_owned()).collect();
        Asked::new(text, &headers, Ipv4Addr::LOCALHOST.into(), 200)
    }

    #[test]
    fn a_request_is_seen_as_a_gateway_sees_it() {
        let headers = ["Host: Shop.Example", "Cookie: a=1; beta=2"];
        let asked = asked("GET /a/../b?c=d HTTP/1.1", &headers).unwrap();
        assert_eq!((asked.method(), asked.path()), ("GET", "/b"));
        assert_eq!(asked.query(), Some("c=d"));
        assert_eq!(asked.authority(), "shop.example");
        assert_eq!(asked.cookie("beta"), Some("2"));
        assert_eq!(asked.header("HOST", 0), Some(&b"Shop.Example"[..]));
    }

    #[test]
    fn the_version_and_the_host_may_be_left_out() {
        let asked = asked("POST /x\nx-a: b", &[]).unwrap();
        assert_eq!((asked.method(), asked.authority()), ("POST", "localhost"));
        assert_eq!(asked.header("x-a", 0), Some(&b"b"[..]));
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for text in ["", "GET", "GET /a b HTTP/1.1", "GET /%zz HTTP/1.1"] {
            assert!(asked(text, &[]).is_err(), "{text}");
        }
        assert!(asked("GET /", &["no colon"]).is_err());
    }
}
