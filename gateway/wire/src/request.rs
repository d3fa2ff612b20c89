//! The head of an upstream request: for HTTP/1.1 written in one pass over the
//! client's headers and without allocation, for HTTP/2 as a map.
//!
//! Nothing of the client's framing survives: the head is framed anew in one
//! unambiguous form, so that a server cannot read another request out of the
//! bytes than the gateway did.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, Version};

use crate::hop;
use crate::request_id::RequestId;

mod fields;
mod forwarding;
mod text;
mod trailers;
mod treatment;

#[cfg(test)]
mod tests;

use fields::{Fields, Map};
use forwarding::{put_forwarding, put_forwarding_lines};
use text::{decimal, put_target};
use treatment::{Treatment, treatment};

pub use forwarding::Told;
pub use trailers::strip_trailers;

/// Room for the request line and the gateway's own headers; longer heads grow
/// the buffer, which keeps its size for the next one.
const USUAL_HEAD_BYTES: usize = 1024;

/// All that an upstream request head is made of.
#[derive(Debug, Clone, Copy)]
pub struct UpstreamHead<'a> {
    /// The method.
    pub method: &'a Method,
    /// The path in normal form (see [`crate::path::normalise`]), or `*`.
    pub path: &'a str,
    /// What follows the question mark, if there is one.
    pub query: Option<&'a str>,
    /// What the server gets as `Host`.
    pub authority: &'a str,
    /// The client's headers, but for those that `Connection` lists (see
    /// [`crate::hop::strip_listed`]).
    pub headers: &'a HeaderMap,
    /// How the body is delimited.
    pub framing: RequestFraming,
    /// The protocol that the server is asked to switch to (see [`crate::upgrade`]).
    pub upgrade: Option<&'a str>,
    /// What the server is told about the client.
    pub forwarding: Forwarding<'a>,
}

/// How the body of a request is delimited towards the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestFraming {
    /// There is no body. Methods that usually have one get `Content-Length: 0`.
    None,
    /// So many bytes.
    Length(u64),
    /// Chunks (see [`crate::chunk`]), for a body whose length is not known.
    Chunked,
}

/// What the server is told about the client and the way the request took.
///
/// The claims of a peer that is not trusted are all replaced: `Forwarded` and
/// every `X-Forwarded-…` header of its own is dropped. Those of a trusted one
/// are continued (`X-Forwarded-For`, `Forwarded`) or kept (the others).
#[derive(Debug, Clone, Copy)]
pub struct Forwarding<'a> {
    /// The address of the peer, for `X-Forwarded-For`. Without one, as a peer at
    /// a Unix socket is, a list that is continued gets no more members, since
    /// nothing that reads it could go on beyond one that is no address; a new one
    /// says `unknown` (RFC 7239 §6.2).
    pub client: Option<&'a str>,
    /// The address of the client behind trusted proxies (see
    /// [`crate::forwarded::client_address`]), for `X-Real-IP`, which is left out
    /// without one.
    pub real_ip: Option<&'a str>,
    /// `http` or `https`, as the peer connected.
    pub proto: &'a str,
    /// The authority that the client asked for.
    pub host: &'a str,
    /// The id of this request, used unless a trusted peer sent one.
    pub request_id: RequestId,
    /// What ties the attempt to its trace (see [`crate::trace_context`]), in the
    /// place of what the request has; none leaves that as it is.
    pub traceparent: Option<&'a str>,
    /// The version in which the request was received, for `Via`.
    pub received: Version,
    /// Whether the peer's own forwarding headers are believed.
    pub peer_trusted: bool,
    /// Forwarding headers (see [`is_claim`]) among the request's that are not
    /// the peer's: they are copied as they stand, and not written besides.
    pub vouched: &'a [HeaderName],
    /// What [`Told::of`] makes of `client` and `proto`, if `real_ip` is `client`: used
    /// where the peer is not trusted and nothing is vouched for. Without it the same is
    /// written anew.
    pub told: Option<&'a Told>,
}

impl Forwarding<'_> {
    /// Whether someone other than the peer has set a header.
    fn is_vouched(&self, name: &str) -> bool {
        self.vouched.iter().any(|vouched| vouched == name)
    }
}

/// Whether a header tells of the client or of the request's way, so that
/// [`encode_head`] writes it, or copies it from trusted peers alone.
#[must_use]
pub fn is_claim(name: &HeaderName) -> bool {
    let is_told = matches!(
        treatment(name.as_str()),
        Treatment::Claim
            | Treatment::Forwarded
            | Treatment::ForwardedFor
            | Treatment::ForwardedProto
            | Treatment::ForwardedHost
            | Treatment::RequestId
    );
    is_told || name == "x-real-ip"
}

/// Which of the headers that need more than copying the client sent.
#[derive(Debug, Default)]
struct Seen {
    cookie: bool,
    via: bool,
    te_trailers: bool,
    forwarded: bool,
    forwarded_for: bool,
    forwarded_proto: bool,
    forwarded_host: bool,
    request_id: bool,
}

/// Appends an upstream request head to `out`.
///
/// Dropped are hop-by-hop headers, `Expect` (the gateway has answered it), and
/// `Trailer` unless the body is chunked.
/// The values of several `Cookie` headers, as HTTP/2 clients send them, become
/// one. `TE: trailers` is said again, with `Connection: te`, if the client did;
/// `Upgrade` if `head` has it.
///
/// The texts in `head` cannot break out of their line: control characters are
/// percent-encoded in the target and left out elsewhere.
pub fn encode_head(out: &mut Vec<u8>, head: &UpstreamHead<'_>) {
    out.reserve(USUAL_HEAD_BYTES);
    out.extend_from_slice(head.method.as_str().as_bytes());
    out.extend_from_slice(b" ");
    put_target(out, head.path, head.query);
    out.extend_from_slice(b" HTTP/1.1\r\nhost: ");
    out.put_text(head.authority);
    out.end();

    let seen = put_end_to_end(out, head);
    put_connection(out, seen.te_trailers, head.upgrade);
    put_framing(out, head.method, head.framing);
    put_forwarding_lines(out, head, &seen);
    out.extend_from_slice(b"\r\n");
}

/// The request target in origin form, in which nothing can end it: what an
/// HTTP/2 request has as its `:path`.
#[must_use]
pub fn target(path: &str, query: Option<&str>) -> Bytes {
    let mut out = Vec::new();
    put_target(&mut out, path, query);
    out.into()
}

/// The fields of an upstream HTTP/2 request: those that [`encode_head`] writes,
/// but for what is an HTTP/1.1 connection's own (`Host`, `Connection`,
/// `Upgrade`, `Transfer-Encoding`).
#[must_use]
pub fn http2_fields(head: &UpstreamHead<'_>) -> HeaderMap {
    let mut out = Map::default();
    let seen = put_end_to_end(&mut out, head);
    if seen.te_trailers {
        out.put_line("te", "trailers");
    }
    if let RequestFraming::Length(length) = head.framing {
        put_length(&mut out, length);
    }
    put_forwarding(&mut out, head, &seen);
    out.headers
}

/// Writes what the client says to the server, whatever the connection.
fn put_end_to_end(out: &mut impl Fields, head: &UpstreamHead<'_>) -> Seen {
    let seen = copy_headers(out, head);
    if seen.cookie {
        out.begin("cookie");
        out.put_joined("cookie", head.headers, b"; ");
        out.end();
    }
    seen
}

/// Copies what may be copied, and notes what is to be written afterwards.
fn copy_headers(out: &mut impl Fields, head: &UpstreamHead<'_>) -> Seen {
    let mut seen = Seen::default();
    for (name, value) in head.headers {
        if head.forwarding.is_vouched(name.as_str())
            || is_copied(treatment(name.as_str()), value.as_bytes(), head, &mut seen)
        {
            out.copy(name, value);
        }
    }
    seen
}

/// Whether a header is copied as it came; if not, `seen` may hold a note of it.
fn is_copied(treatment: Treatment, value: &[u8], head: &UpstreamHead<'_>, seen: &mut Seen) -> bool {
    let trusted = head.forwarding.peer_trusted;
    let (noted, copied) = match treatment {
        Treatment::Copy => return true,
        Treatment::Drop => return false,
        Treatment::Trailer => return head.framing == RequestFraming::Chunked,
        Treatment::Claim => return trusted,
        Treatment::TraceParent => return head.forwarding.traceparent.is_none(),
        Treatment::Te => {
            seen.te_trailers |= says_trailers(value);
            return false;
        }
        Treatment::Cookie => (&mut seen.cookie, false),
        Treatment::Via => (&mut seen.via, false),
        Treatment::Forwarded => (&mut seen.forwarded, false),
        Treatment::ForwardedFor => (&mut seen.forwarded_for, false),
        Treatment::ForwardedProto => (&mut seen.forwarded_proto, trusted),
        Treatment::ForwardedHost => (&mut seen.forwarded_host, trusted),
        Treatment::RequestId => (&mut seen.request_id, trusted),
    };
    *noted = true;
    copied
}

fn says_trailers(te: &[u8]) -> bool {
    hop::listed(te).any(|coding| coding.eq_ignore_ascii_case(b"trailers"))
}

/// Says again what only holds for the connection to the server.
fn put_connection(out: &mut Vec<u8>, te_trailers: bool, upgrade: Option<&str>) {
    if !te_trailers && upgrade.is_none() {
        return;
    }
    if te_trailers {
        out.extend_from_slice(b"te: trailers\r\n");
    }
    if let Some(protocol) = upgrade {
        out.put_line("upgrade", protocol);
    }
    out.extend_from_slice(match (te_trailers, upgrade.is_some()) {
        (_, false) => b"connection: te\r\n",
        (false, true) => b"connection: upgrade\r\n",
        (true, true) => b"connection: te, upgrade\r\n",
    });
}

fn put_framing(out: &mut Vec<u8>, method: &Method, framing: RequestFraming) {
    match framing {
        RequestFraming::Chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        RequestFraming::Length(length) => put_length(out, length),
        // RFC 9110 §8.6: a method that anticipates content says that there is none.
        RequestFraming::None if matches!(*method, Method::POST | Method::PUT | Method::PATCH) => {
            out.extend_from_slice(b"content-length: 0\r\n");
        }
        RequestFraming::None => {}
    }
}

fn put_length(out: &mut impl Fields, length: u64) {
    out.begin("content-length");
    // The largest number has 20 digits.
    out.put(decimal(length, &mut [0; 20]));
    out.end();
}
