//! A made-up server, as the command line names it.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use gatewright_model::config::server_host;
use gatewright_model::endpoint::Endpoint;
use serde_json::{Value, json};

/// A server that nobody connects to.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::cli::plugin) struct Server {
    host: String,
    port: u16,
    weight: u16,
    /// Requests that it has under way.
    active: u32,
    labels: BTreeMap<String, String>,
}

impl Server {
    /// So many servers at addresses that are kept for documentation (RFC 5737).
    pub(in crate::cli::plugin) fn some(count: u16) -> Vec<Self> {
        let server = |number| Self {
            host: "192.0.2.1".to_owned(),
            port: 3000 + number,
            weight: 1,
            active: 0,
            labels: BTreeMap::new(),
        };
        (1..=count).map(server).collect()
    }

    /// As a gateway's file says it.
    pub(super) fn written(&self) -> Value {
        json!({
            "host": self.host, "port": self.port, "weight": self.weight, "labels": self.labels,
        })
    }

    /// Whether an endpoint was made of it.
    pub(super) fn is(&self, endpoint: &Endpoint) -> bool {
        *endpoint.host == *self.host && endpoint.port == self.port
    }

    /// Give its endpoint the requests that it is to have under way.
    pub(super) fn work_on(&self, endpoint: &Arc<Endpoint>) {
        for _ in 0..self.active {
            endpoint.state.pool().enter(endpoint.slot());
        }
    }
}

impl FromStr for Server {
    type Err = String;

    /// `HOST:PORT`, and behind it any of `+weight=2`, `+active=3` and labels
    /// such as `+zone=a`.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split('+');
        let address = parts.next().unwrap_or_default();
        let (host, port) = address
            .rsplit_once(':')
            .ok_or_else(|| format!("{address:?} has no port; write HOST:PORT"))?;
        let number = |what: &str| format!("{what} is no number that it could be");
        let mut server = Self {
            host: server_host(host)?,
            port: port.parse().map_err(|_| number(port))?,
            weight: 1,
            active: 0,
            labels: BTreeMap::new(),
        };
        for part in parts {
            let (key, value) = part
                .split_once('=')
                .ok_or_else(|| format!("{part:?} has no value; write it as +zone=a"))?;
            match key {
                "weight" => server.weight = value.parse().map_err(|_| number(part))?,
                "active" => server.active = value.parse().map_err(|_| number(part))?,
                label => _ = server.labels.insert(label.to_owned(), value.to_owned()),
            }
        }
        Ok(server)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_with_what_is_known_of_it() {
        let server: Server = "10.0.0.1:80+weight=2+active=3+zone=a".parse().unwrap();
        assert_eq!((server.weight, server.active), (2, 3));
        assert_eq!(server.written()["labels"], json!({ "zone": "a" }));
        assert_eq!("a:1".parse::<Server>().unwrap().weight, 1);
    }

    #[test]
    fn what_is_no_server_is_refused() {
        for text in ["a", "a:b", "a:80+zone", "a:80+weight=x", ":80"] {
            assert!(text.parse::<Server>().is_err(), "{text}");
        }
    }
}
