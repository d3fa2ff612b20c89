//! The headers that tell a server about the client and the request's way.

use bytes::BytesMut;
use http::Version;

use super::text::{put_joined, put_line, put_text};
use super::{Forwarding, Seen, UpstreamHead};

/// The name under which the gateway appears in `Via` (RFC 9110 §7.6.3).
const PSEUDONYM: &str = " gatewright";

/// Writes the forwarding headers but those that are vouched for, continuing what
/// a trusted peer sent.
pub(super) fn put_forwarding(out: &mut BytesMut, head: &UpstreamHead<'_>, seen: &Seen) {
    let forwarding = &head.forwarding;
    let kept = |seen: bool| seen && forwarding.peer_trusted;
    let is_ours = |name: &str| !forwarding.is_vouched(name);

    if is_ours("x-forwarded-for") {
        begin_list(out, "x-forwarded-for", head, kept(seen.forwarded_for));
        put_text(out, forwarding.client);
        out.extend_from_slice(b"\r\n");
    }
    if kept(seen.forwarded) {
        begin_list(out, "forwarded", head, true);
        put_forwarded_element(out, forwarding);
    }
    if is_ours("x-forwarded-proto") && !kept(seen.forwarded_proto) {
        put_line(out, "x-forwarded-proto", forwarding.proto);
    }
    if is_ours("x-forwarded-host") && !kept(seen.forwarded_host) {
        put_line(out, "x-forwarded-host", forwarding.host);
    }
    if is_ours("x-real-ip") {
        put_line(out, "x-real-ip", forwarding.real_ip);
    }
    if is_ours("x-request-id") && !kept(seen.request_id) {
        put_line(out, "x-request-id", forwarding.request_id);
    }
    begin_list(out, "via", head, seen.via);
    out.extend_from_slice(received_protocol(forwarding.received).as_bytes());
    out.extend_from_slice(PSEUDONYM.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Begins a list header, with the client's own members first if they are continued.
fn begin_list(out: &mut BytesMut, name: &str, head: &UpstreamHead<'_>, continued: bool) {
    if continued {
        put_joined(out, name, head.headers, ", ");
        out.extend_from_slice(b", ");
    } else {
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b": ");
    }
}

/// One element of RFC 7239 with the line's end. An IPv6 address stands in
/// brackets and quotes there.
fn put_forwarded_element(out: &mut BytesMut, forwarding: &Forwarding<'_>) {
    let (open, close) = if forwarding.client.contains(':') {
        ("for=\"[", "]\"")
    } else {
        ("for=", "")
    };
    out.extend_from_slice(open.as_bytes());
    put_text(out, forwarding.client);
    out.extend_from_slice(close.as_bytes());
    out.extend_from_slice(b";proto=");
    put_text(out, forwarding.proto);
    out.extend_from_slice(b"\r\n");
}

/// The protocol version as `Via` names it.
fn received_protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => "1.1",
    }
}
