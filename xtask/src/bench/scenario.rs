//! What the load generator does, and so what a proxy must do.

use clap::ValueEnum;
use serde::Serialize;

/// The traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(super) enum Scenario {
    /// HTTP/1.1 keep-alive, bodies of 128 bytes
    Plain,
    /// The same over TLS
    Tls,
    /// HTTP/1.1 keep-alive, bodies of 16 KiB
    Body16k,
    /// A connection for each request
    Connect,
}

impl Scenario {
    /// Bytes of a response's body.
    pub(super) fn body_bytes(self) -> usize {
        match self {
            Self::Body16k => 16 * 1024,
            Self::Plain | Self::Tls | Self::Connect => 128,
        }
    }

    /// What a client asks for, given a proxy's ports.
    pub(super) fn url(self, plain_port: u16, tls_port: u16) -> String {
        match self {
            Self::Tls => format!("https://127.0.0.1:{tls_port}/"),
            _ => format!("http://127.0.0.1:{plain_port}/"),
        }
    }

    /// The header lines of every request.
    pub(super) fn headers(self) -> Vec<String> {
        match self {
            Self::Connect => vec!["Connection: close".to_owned()],
            _ => Vec::new(),
        }
    }
}

/// Who asks, as far as sessions go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(super) enum Clients {
    /// Clients without a cookie: each answer sets one, every plugin is asked
    New,
    /// Clients that send the cookie they were given
    Returning,
    /// No sessions: neither Gatewright nor HAProxy is configured for them
    Sessionless,
}

impl Clients {
    /// Whether the proxies that can keep sessions do.
    pub(super) fn have_sessions(self) -> bool {
        self != Self::Sessionless
    }
}
