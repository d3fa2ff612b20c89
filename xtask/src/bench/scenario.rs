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
    /// HTTP/2 over TLS, four requests at a time on each connection
    Http2,
    /// HTTP/1.1 keep-alive, bodies of 16 KiB
    Body16k,
    /// HTTP/1.1 keep-alive, bodies of 1 MiB
    Body1m,
    /// Requests with bodies of 1 KiB
    Post,
    /// A connection for each request
    Connect,
    /// A TLS connection for each request, each with a full handshake
    TlsConnect,
    /// A TLS connection for each request, each resuming a session
    TlsResume,
    /// Messages of 128 bytes over WebSocket connections, each answered
    Websocket,
    /// As `plain`, with a rate limit and two header rules
    Policies,
    /// As `plain`, one server
    Endpoints1,
    /// As `plain`, 100 servers
    Endpoints100,
    /// As `plain`, 1,000 servers
    Endpoints1000,
    /// As `plain`, two workers that no core is set apart for
    TwoWorkers,
}

/// How clients ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Client {
    /// Over connections that are kept.
    Keep,
    /// The same over TLS.
    KeepTls,
    Http2,
    /// On a connection for each request.
    Connect,
    /// On a TLS connection for each.
    ConnectTls,
    /// The same, resuming a session.
    ResumeTls,
    Post,
    Websocket,
}

impl Client {
    pub(super) fn is_over_tls(self) -> bool {
        use Client::{ConnectTls, Http2, KeepTls, ResumeTls};
        matches!(self, KeepTls | Http2 | ConnectTls | ResumeTls)
    }
}

/// All that a scenario asks of clients, proxies and servers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Traffic {
    pub(super) client: Client,
    /// Connections that clients hold open where nothing else is asked for.
    pub(super) connections: u32,
    /// Bytes of a response's body, or of a message.
    pub(super) body_bytes: usize,
    pub(super) endpoints: usize,
    pub(super) workers: u16,
    /// Whether proxy and load have a core each.
    pub(super) pinned: bool,
    pub(super) policies: bool,
}

/// What the others are a change of.
const PLAIN: Traffic = Traffic {
    client: Client::Keep,
    connections: 32,
    body_bytes: 128,
    endpoints: 3,
    workers: 1,
    pinned: true,
    policies: false,
};

impl Scenario {
    pub(super) fn traffic(self) -> Traffic {
        let of = |client| Traffic { client, ..PLAIN };
        let answered = |body_bytes| Traffic {
            body_bytes,
            ..PLAIN
        };
        let between = |endpoints| Traffic { endpoints, ..PLAIN };
        match self {
            Self::Plain => PLAIN,
            Self::Tls => of(Client::KeepTls),
            Self::Http2 => of(Client::Http2),
            Self::Body16k => answered(16 << 10),
            Self::Body1m => answered(1 << 20),
            Self::Post => of(Client::Post),
            Self::Connect => of(Client::Connect),
            Self::TlsConnect => of(Client::ConnectTls),
            Self::TlsResume => of(Client::ResumeTls),
            Self::Websocket => Traffic {
                connections: 128,
                ..of(Client::Websocket)
            },
            Self::Policies => Traffic {
                policies: true,
                ..PLAIN
            },
            Self::Endpoints1 => between(1),
            Self::Endpoints100 => between(100),
            Self::Endpoints1000 => between(1000),
            Self::TwoWorkers => Traffic {
                workers: 2,
                pinned: false,
                ..PLAIN
            },
        }
    }

    /// Its name, as it is asked for.
    pub(super) fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
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
