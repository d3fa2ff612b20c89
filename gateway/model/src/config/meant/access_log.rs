//! A line for each request: where it goes, and what is in it.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

/// A line for each request.
#[derive(Clone, Debug, PartialEq)]
pub struct AccessLog {
    /// Where lines go.
    pub target: LogTarget,
    /// What a line looks like.
    pub layout: Layout,
    /// The share of requests that get one: 0 to 1.
    pub sample: f64,
    /// Whether requests that are answered with 500 or above always get one.
    pub always_errors: bool,
}

/// Where lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogTarget {
    /// The standard output.
    Stdout,
    /// The error output, where the gateway's own log is too.
    Stderr,
    /// A file, which is appended to.
    File(Arc<Path>),
}

/// What a line looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// An object of JSON with these fields, in their order.
    Json(Vec<Field>),
    /// A text.
    Text(Vec<Piece>),
}

impl Layout {
    /// The fields in it.
    pub fn fields(&self) -> impl Iterator<Item = &Field> {
        let (fields, pieces): (&[Field], &[Piece]) = match self {
            Self::Json(fields) => (fields, &[]),
            Self::Text(pieces) => (&[], pieces),
        };
        let pieces = pieces.iter().filter_map(|piece| match piece {
            Piece::Field(field) => Some(field),
            Piece::Literal(_) => None,
        });
        fields.iter().chain(pieces)
    }
}

/// A part of a line that is a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// What stands in every line.
    Literal(Arc<str>),
    /// What differs.
    Field(Field),
}

macro_rules! fields {
    ($($(#[$doc:meta])* $field:ident $name:literal,)*) => {
        /// What can be told of a request.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Field {
            $($(#[$doc])* $field,)*
            /// A header of the request, by its name in lower case.
            Header(Arc<str>),
            /// A header of the response, by its name in lower case.
            ResponseHeader(Arc<str>),
        }

        impl Field {
            /// The names of all but the headers.
            pub const NAMES: &[&str] = &[$($name),*];

            /// What it is called in a configuration and in JSON.
            pub fn name(&self) -> Cow<'static, str> {
                match self {
                    $(Self::$field => Cow::Borrowed($name),)*
                    Self::Header(name) => Cow::Owned(format!("header:{name}")),
                    Self::ResponseHeader(name) => Cow::Owned(format!("response_header:{name}")),
                }
            }

            /// The one of that name that is no header.
            pub fn named(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$field),)*
                    _ => None,
                }
            }
        }
    };
}

fields! {
    /// When the request's head had been read: RFC 3339 in UTC, with milliseconds.
    Time "time",
    /// The same as web servers have always written it, to the second.
    CommonTime "common_time",
    /// The client's address.
    Client "client",
    /// The method.
    Method "method",
    /// `http` or `https`.
    Scheme "scheme",
    /// The host that was asked for.
    Host "host",
    /// The path as it was asked for.
    Path "path",
    /// The query as it was asked for.
    Query "query",
    /// The protocol, such as `HTTP/1.1`.
    Protocol "protocol",
    /// The status of the answer.
    Status "status",
    /// Bytes of the response's body that went to the client.
    BytesSent "bytes_sent",
    /// Bytes of the request's body that came.
    BytesReceived "bytes_received",
    /// From the request's head to the response's end, in milliseconds.
    DurationMs "duration_ms",
    /// From the request's head to the response's head, in milliseconds.
    TtfbMs "ttfb_ms",
    /// The pool that it was routed to.
    Pool "pool",
    /// The server that answered, or else the last one that was tried.
    Server "server",
    /// Attempts at servers.
    Attempts "attempts",
    /// Attempts beyond the first.
    Retries "retries",
    /// Whether the answer came out of a cache, as the response's `Cache-Status`
    /// (RFC 9211) has it.
    Cached "cached",
    /// The request's id, as servers are told.
    RequestId "request_id",
    /// The trace that the request is a part of.
    TraceId "trace_id",
    /// The listener that it came in by.
    Listener "listener",
    /// The version of TLS that it came in by.
    TlsVersion "tls_version",
    /// The name that the client asked for in TLS.
    TlsName "tls_name",
    /// The router that had an answer, with its version.
    Router "router",
    /// The affinity that had a server for the session, with its version.
    Affinity "affinity",
    /// The balancer that had a server, with its version.
    Balancer "balancer",
    /// The policy that answered, with its version.
    Policy "policy",
    /// Why, in the words of the plugin that gave a reason last.
    Reason "reason",
    /// How it ended: `complete`, `client_gone`, `upstream_broke` or `timeout`.
    Ended "ended",
}
