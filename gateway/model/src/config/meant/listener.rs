//! Listeners as meant: where clients connect, and what becomes of them there.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{Peers, Tls};
use crate::address::Address;
use crate::id::PoolName;

/// Where clients connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Its name in logs and metrics.
    pub name: Arc<str>,
    /// Its address.
    pub listen: Address,
    /// The mode of its file where it is a Unix socket: who may write to the file
    /// may connect.
    pub socket_mode: u32,
    /// How it speaks TLS; none for plain HTTP.
    pub tls: Option<Tls>,
    /// Whether it speaks HTTP/3 too, and what clients are told of it.
    pub http3: Option<Http3>,
    /// The port of HTTPS that its clients are sent on to; none: it serves them.
    pub redirect: Option<u16>,
    /// The proxies that it is behind, which begin each connection with a header
    /// of the PROXY protocol; if there are any, nobody else is served.
    pub proxy_protocol: Peers,
    /// Which servers get the connections of TLS clients as they come; if there
    /// are any, nothing else is served.
    pub passthrough: Vec<Passthrough>,
}

/// What clients of HTTP/1.1 and HTTP/2 are told of HTTP/3 (RFC 7838).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Http3 {
    /// The UDP port that they are told; none: the one that they came to.
    pub advertise: Option<u16>,
    /// For how long they remember it.
    pub max_age: Duration,
}

impl Http3 {
    /// As the header `Alt-Svc` says it to clients who came to a port: to forget all
    /// that they were told before, where nothing is to be remembered (RFC 7838 §3).
    pub fn alternative(self, port: u16) -> impl fmt::Display {
        let port = self.advertise.unwrap_or(port);
        let max_age = self.max_age.as_secs();
        fmt::from_fn(move |f| match max_age {
            0 => f.write_str("clear"),
            _ => write!(f, "h3=\":{port}\"; ma={max_age}"),
        })
    }
}

/// Clients whose TLS is a server's business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passthrough {
    /// The name that they ask for, in lower case; `*.` before it stands for one
    /// more label, and `*` alone for all others.
    pub name: Arc<str>,
    /// The pool whose servers get them.
    pub pool: PoolName,
}
