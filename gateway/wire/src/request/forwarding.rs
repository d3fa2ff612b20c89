//! The headers that tell a server about the client and the request's way.

use http::Version;

use super::fields::Fields;
use super::{Forwarding, Seen, UpstreamHead};

/// Who has no address, in a list of those that have (RFC 7239 §6.2).
const UNKNOWN: &str = "unknown";

/// What servers are told of a client whatever it asks for, as lines that are written
/// once for all its requests.
#[derive(Debug)]
pub struct Told {
    lines: Vec<u8>,
    /// Where in them the host goes that it asked for; the request's id goes behind them.
    host_at: usize,
}

/// Room for the lines of a client that comes by TLS from an IPv4 address.
const LINES_BYTES: usize = 128;

impl Told {
    /// Of a client with this address, if it has one, that makes no claims and speaks
    /// `proto`: what [`Forwarding::client`] and [`Forwarding::proto`] say.
    #[must_use]
    pub fn of(client: Option<&str>, proto: &str) -> Self {
        let mut lines = Vec::with_capacity(LINES_BYTES);
        lines.put_line("x-forwarded-for", client.unwrap_or(UNKNOWN));
        lines.put_line("x-forwarded-proto", proto);
        lines.begin("x-forwarded-host");
        let host_at = lines.len();
        lines.end();
        if let Some(address) = client {
            lines.put_line("x-real-ip", address);
        }
        lines.begin("x-request-id");
        Self { lines, host_at }
    }

    fn put(&self, out: &mut Vec<u8>, forwarding: &Forwarding<'_>) {
        let (before, between) = self.lines.split_at(self.host_at);
        out.put(before);
        out.put_text(forwarding.host);
        out.put(between);
        out.put(forwarding.request_id.as_bytes());
        out.end();
    }
}

/// Writes the forwarding headers but those that are vouched for, continuing what
/// a trusted peer sent.
pub(super) fn put_forwarding(out: &mut impl Fields, head: &UpstreamHead<'_>, seen: &Seen) {
    put_claims(out, head, seen);
    put_way(out, head, seen);
}

/// The same as lines, some of which may have been written before.
pub(super) fn put_forwarding_lines(out: &mut Vec<u8>, head: &UpstreamHead<'_>, seen: &Seen) {
    let forwarding = &head.forwarding;
    let is_plain = !forwarding.peer_trusted && forwarding.vouched.is_empty();
    match forwarding.told.filter(|_| is_plain) {
        Some(told) => told.put(out, forwarding),
        None => put_claims(out, head, seen),
    }
    put_way(out, head, seen);
}

/// Writes what is said of the client and of what it asked for.
fn put_claims(out: &mut impl Fields, head: &UpstreamHead<'_>, seen: &Seen) {
    let forwarding = &head.forwarding;
    let kept = |seen: bool| seen && forwarding.peer_trusted;
    let is_ours = |name: &str| !forwarding.is_vouched(name);

    if is_ours("x-forwarded-for") {
        put_forwarded_for(out, head, kept(seen.forwarded_for));
    }
    if kept(seen.forwarded) {
        begin_list(out, "forwarded", head, true);
        put_forwarded_element(out, forwarding);
    }
    if is_ours("x-forwarded-proto") && !kept(seen.forwarded_proto) {
        out.put_line("x-forwarded-proto", forwarding.proto);
    }
    if is_ours("x-forwarded-host") && !kept(seen.forwarded_host) {
        out.put_line("x-forwarded-host", forwarding.host);
    }
    if is_ours("x-real-ip")
        && let Some(address) = forwarding.real_ip
    {
        out.put_line("x-real-ip", address);
    }
    if is_ours("x-request-id") && !kept(seen.request_id) {
        out.put_line("x-request-id", forwarding.request_id.as_str());
    }
}

/// Writes which way the request took.
fn put_way(out: &mut impl Fields, head: &UpstreamHead<'_>, seen: &Seen) {
    let forwarding = &head.forwarding;
    if let Some(traceparent) = forwarding.traceparent {
        out.put_line("traceparent", traceparent);
    }
    begin_list(out, "via", head, seen.via);
    out.put(received(forwarding.received));
    out.end();
}

/// The list of those whom the request has passed. Who has no address, as a peer
/// at a Unix socket, is not in it, but where there would be no list at all.
fn put_forwarded_for(out: &mut impl Fields, head: &UpstreamHead<'_>, continued: bool) {
    const NAME: &str = "x-forwarded-for";
    match head.forwarding.client {
        Some(client) => {
            begin_list(out, NAME, head, continued);
            out.put_text(client);
        }
        None => {
            out.begin(NAME);
            match continued {
                true => out.put_joined(NAME, head.headers, b", "),
                false => out.put_text(UNKNOWN),
            }
        }
    }
    out.end();
}

/// Begins a list header, with the client's own members first if they are continued.
#[inline]
fn begin_list(out: &mut impl Fields, name: &'static str, head: &UpstreamHead<'_>, continued: bool) {
    out.begin(name);
    if continued {
        put_members(out, name, head);
    }
}

/// Puts what is continued before what continues it; apart, since only proxies in front
/// send any of it.
#[inline(never)]
fn put_members(out: &mut impl Fields, name: &'static str, head: &UpstreamHead<'_>) {
    out.put_joined(name, head.headers, b", ");
    out.put(b", ");
}

/// One element of RFC 7239 with the line's end. An IPv6 address stands in
/// brackets and quotes there.
fn put_forwarded_element(out: &mut impl Fields, forwarding: &Forwarding<'_>) {
    let client = forwarding.client.unwrap_or(UNKNOWN);
    let (open, close) = if client.contains(':') {
        ("for=\"[", "]\"")
    } else {
        ("for=", "")
    };
    out.put(open.as_bytes());
    out.put_text(client);
    out.put(close.as_bytes());
    out.put(b";proto=");
    out.put_text(forwarding.proto);
    out.end();
}

/// In which version the gateway received it, as `Via` has it (RFC 9110 §7.6.3).
fn received(version: Version) -> &'static [u8] {
    match version {
        Version::HTTP_10 => b"1.0 gatewright",
        Version::HTTP_2 => b"2 gatewright",
        Version::HTTP_3 => b"3 gatewright",
        _ => b"1.1 gatewright",
    }
}
