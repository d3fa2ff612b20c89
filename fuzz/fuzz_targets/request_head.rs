//! The head of a request to a server, whatever the client's headers, path and
//! authority: one head, one host, one framing, nothing of the connection's own.
#![no_main]

use gatewright_wire::{
    Forwarding, RequestFraming, RequestId, Told, UpstreamHead, encode_head, http2_fields,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
use libfuzzer_sys::{arbitrary, fuzz_target};

/// More headers than a client may send.
const MOST_HEADERS: usize = 256;

/// Written besides those that are copied.
const OWN_HEADERS: usize = 32;

#[derive(Debug, arbitrary::Arbitrary)]
struct Input<'a> {
    path: &'a str,
    query: Option<&'a str>,
    authority: &'a str,
    headers: Vec<(&'a str, &'a [u8])>,
    length: Option<u64>,
    peer_trusted: bool,
    told: &'a str,
    is_told: bool,
}

fuzz_target!(|input: Input| {
    let mut headers = HeaderMap::new();
    for (name, value) in input.headers.iter().take(MOST_HEADERS) {
        let field = (HeaderName::try_from(*name), HeaderValue::try_from(*value));
        if let (Ok(name), Ok(value)) = field {
            headers.append(name, value);
        }
    }
    let told = Told::of(Some(input.told), "https");
    let head = UpstreamHead {
        method: &Method::POST,
        path: input.path,
        query: input.query,
        authority: input.authority,
        headers: &headers,
        framing: input
            .length
            .map_or(RequestFraming::Chunked, RequestFraming::Length),
        upgrade: None,
        forwarding: Forwarding {
            client: Some(input.told),
            real_ip: Some(input.told),
            proto: "https",
            host: input.authority,
            request_id: RequestId::from(0x1d),
            received: Version::HTTP_11,
            peer_trusted: input.peer_trusted,
            vouched: &[],
            told: input.is_told.then_some(&told),
            traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        },
    };
    let mut written = Vec::new();
    encode_head(&mut written, &head);
    assert_one_head(&written, input.length);
    for name in [
        "host",
        "connection",
        "upgrade",
        "transfer-encoding",
        "keep-alive",
    ] {
        assert!(!http2_fields(&head).contains_key(name), "{name}");
    }
});

/// What a server reads, by another parser than ours.
fn assert_one_head(written: &[u8], length: Option<u64>) {
    let mut fields = [httparse::EMPTY_HEADER; MOST_HEADERS + OWN_HEADERS];
    let mut request = httparse::Request::new(&mut fields);
    let read = request.parse(written).expect("a head that can be read");
    assert_eq!(read, httparse::Status::Complete(written.len()));

    let of = |name: &str| {
        let named = |field: &&httparse::Header<'_>| field.name.eq_ignore_ascii_case(name);
        request.headers.iter().filter(named).count()
    };
    assert_eq!(of("host"), 1);
    assert_eq!(of("content-length"), usize::from(length.is_some()));
    assert_eq!(of("transfer-encoding"), usize::from(length.is_none()));
    assert!(of("connection") <= 1);
    for name in [
        "upgrade",
        "keep-alive",
        "proxy-connection",
        "expect",
        "http2-settings",
    ] {
        assert_eq!(of(name), 0, "{name}");
    }
}
