//! What a server is sent, and what it is not.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
use proptest::prelude::*;

use super::{
    Forwarding, RequestFraming, RequestId, Told, UpstreamHead, encode_head, http2_fields, is_claim,
};

fn headers(fields: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in fields {
        map.append(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_str(value).unwrap(),
        );
    }
    map
}

fn head(headers: &HeaderMap) -> UpstreamHead<'_> {
    UpstreamHead {
        method: &Method::GET,
        path: "/a",
        query: None,
        authority: "shop.example",
        headers,
        framing: RequestFraming::None,
        upgrade: None,
        forwarding: Forwarding {
            client: Some("198.51.100.7"),
            real_ip: Some("198.51.100.7"),
            proto: "https",
            host: "shop.example",
            request_id: RequestId::from(0x1d),
            traceparent: None,
            received: Version::HTTP_2,
            peer_trusted: false,
            vouched: &[],
            told: None,
        },
    }
}

fn trusting<'a>(headers: &'a HeaderMap) -> UpstreamHead<'a> {
    let mut head = head(headers);
    head.forwarding.peer_trusted = true;
    head
}

fn encode(head: &UpstreamHead<'_>) -> String {
    let mut out = Vec::new();
    encode_head(&mut out, head);
    String::from_utf8(out).unwrap()
}

/// All values of a header in an encoded head, in their order.
fn values<'a>(encoded: &'a str, name: &str) -> Vec<&'a str> {
    encoded
        .lines()
        .filter_map(|line| line.split_once(": "))
        .filter(|(candidate, _)| *candidate == name)
        .map(|(_, value)| value)
        .collect()
}

#[test]
fn a_head_is_the_request_line_the_headers_and_an_empty_line() {
    let headers = headers(&[("Accept", "*/*")]);
    let mut head = head(&headers);
    head.query = Some("x=1&y");
    assert_eq!(
        encode(&head),
        "GET /a?x=1&y HTTP/1.1\r\n\
         host: shop.example\r\n\
         accept: */*\r\n\
         x-forwarded-for: 198.51.100.7\r\n\
         x-forwarded-proto: https\r\n\
         x-forwarded-host: shop.example\r\n\
         x-real-ip: 198.51.100.7\r\n\
         x-request-id: 0000000000000000000000000000001d\r\n\
         via: 2 gatewright\r\n\
         \r\n"
    );
}

#[test]
fn lines_that_were_written_before_are_those_that_are_written_anew() {
    let vouched = [HeaderName::from_static("x-forwarded-proto")];
    let headers = headers(&[("X-Forwarded-Proto", "http"), ("Via", "1.0 a"), ("A", "b")]);
    for client in [Some("198.51.100.7"), None] {
        let told = Told::of(client, "https");
        for (is_trusted, vouched) in [(false, &[][..]), (true, &[][..]), (false, &vouched[..])] {
            let mut head = head(&headers);
            (head.forwarding.client, head.forwarding.real_ip) = (client, client);
            (head.forwarding.peer_trusted, head.forwarding.vouched) = (is_trusted, vouched);
            head.forwarding.traceparent = Some("00-a");
            let anew = encode(&head);
            head.forwarding.told = Some(&told);
            assert_eq!(encode(&head), anew);
        }
    }
}

#[test]
fn an_attempts_own_place_in_a_trace_replaces_the_requests() {
    let headers = headers(&[("Traceparent", "00-a"), ("Tracestate", "x=1")]);
    let mut head = head(&headers);
    assert_eq!(values(&encode(&head), "traceparent"), ["00-a"]);
    head.forwarding.traceparent = Some("00-b");
    let encoded = encode(&head);
    assert_eq!(values(&encoded, "traceparent"), ["00-b"]);
    assert_eq!(values(&encoded, "tracestate"), ["x=1"]);
    assert_eq!(http2_fields(&head)["traceparent"], "00-b");
}

#[test]
fn hop_by_hop_headers_are_dropped() {
    let headers = headers(&[
        ("Connection", "keep-alive"),
        ("Keep-Alive", "timeout=5"),
        ("Proxy-Connection", "keep-alive"),
        ("Proxy-Authorization", "Basic x"),
        ("Upgrade", "h2c"),
        ("HTTP2-Settings", "x"),
        ("Expect", "100-continue"),
        ("TE", "gzip"),
        ("Trailer", "x-sum"),
        ("X-Kept", "k"),
    ]);
    let encoded = encode(&head(&headers));
    let names: Vec<_> = encoded
        .lines()
        .filter_map(|line| Some(line.split_once(": ")?.0))
        .filter(|name| !name.starts_with("x-forwarded"))
        .collect();
    assert_eq!(
        names,
        ["host", "x-kept", "x-real-ip", "x-request-id", "via"]
    );
}

#[test]
fn the_clients_framing_is_replaced_by_one_unambiguous_form() {
    let headers = headers(&[
        ("Host", "evil.example"),
        ("Content-Length", "5"),
        ("Content-Length", "6"),
        ("Transfer-Encoding", "chunked, gzip"),
        ("Content_Length", "7"),
    ]);
    let mut head = head(&headers);
    head.framing = RequestFraming::Length(42);
    let encoded = encode(&head);
    assert_eq!(values(&encoded, "content-length"), ["42"]);
    assert!(values(&encoded, "transfer-encoding").is_empty());
    assert!(values(&encoded, "content_length").is_empty());
    assert_eq!(values(&encoded, "host"), ["shop.example"]);

    head.framing = RequestFraming::Chunked;
    let encoded = encode(&head);
    assert!(values(&encoded, "content-length").is_empty());
    assert_eq!(values(&encoded, "transfer-encoding"), ["chunked"]);
}

#[test]
fn methods_that_expect_a_body_say_when_there_is_none() {
    let headers = HeaderMap::new();
    for (method, expected) in [
        (Method::POST, vec!["0"]),
        (Method::PUT, vec!["0"]),
        (Method::PATCH, vec!["0"]),
        (Method::GET, vec![]),
        (Method::DELETE, vec![]),
    ] {
        let mut head = head(&headers);
        head.method = &method;
        assert_eq!(values(&encode(&head), "content-length"), expected);
    }
}

#[test]
fn several_cookie_headers_become_one() {
    let headers = headers(&[("Cookie", "a=1"), ("Cookie", "b=2"), ("Cookie", "c=3")]);
    assert_eq!(
        values(&encode(&head(&headers)), "cookie"),
        ["a=1; b=2; c=3"]
    );
}

#[test]
fn te_trailers_is_said_again_and_announced() {
    let headers = headers(&[("TE", "deflate;q=0.5, Trailers")]);
    let encoded = encode(&head(&headers));
    assert_eq!(values(&encoded, "te"), ["trailers"]);
    assert_eq!(values(&encoded, "connection"), ["te"]);
}

#[test]
fn trailers_are_announced_for_chunked_bodies() {
    let headers = headers(&[("Trailer", "x-sum")]);
    let mut head = head(&headers);
    head.framing = RequestFraming::Chunked;
    assert_eq!(values(&encode(&head), "trailer"), ["x-sum"]);
}

/// What a peer may claim about the way of a request.
const CLAIMS: [(&str, &str); 10] = [
    ("X-Forwarded-For", "1.1.1.1"),
    ("X-Forwarded-For", "10.0.0.2"),
    ("X-Forwarded-Proto", "gopher"),
    ("X-Forwarded-Host", "claimed.example"),
    ("X-Forwarded-Port", "70"),
    ("X-Real-IP", "1.1.1.1"),
    ("X-Request-Id", "claimed-id"),
    ("Forwarded", "for=1.1.1.1"),
    ("Via", "1.0 cache"),
    ("X_Forwarded_For", "1.1.1.1"),
];

#[test]
fn the_claims_of_an_untrusted_peer_are_replaced() {
    let headers = headers(&CLAIMS);
    let encoded = encode(&head(&headers));
    assert_eq!(values(&encoded, "x-forwarded-for"), ["198.51.100.7"]);
    assert_eq!(values(&encoded, "x-forwarded-proto"), ["https"]);
    assert_eq!(values(&encoded, "x-forwarded-host"), ["shop.example"]);
    assert!(values(&encoded, "x-forwarded-port").is_empty());
    assert!(values(&encoded, "x_forwarded_for").is_empty());
    assert!(values(&encoded, "forwarded").is_empty());
    assert_eq!(values(&encoded, "x-real-ip"), ["198.51.100.7"]);
    let id = RequestId::from(0x1d);
    assert_eq!(values(&encoded, "x-request-id"), [id.as_str()]);
    assert_eq!(values(&encoded, "via"), ["1.0 cache, 2 gatewright"]);
}

#[test]
fn the_claims_of_a_trusted_peer_are_kept_or_continued() {
    let headers = headers(&CLAIMS);
    let mut head = trusting(&headers);
    head.forwarding.real_ip = Some("1.1.1.1");
    let encoded = encode(&head);
    assert_eq!(
        values(&encoded, "x-forwarded-for"),
        ["1.1.1.1, 10.0.0.2, 198.51.100.7"]
    );
    assert_eq!(values(&encoded, "x-forwarded-proto"), ["gopher"]);
    assert_eq!(values(&encoded, "x-forwarded-host"), ["claimed.example"]);
    assert_eq!(values(&encoded, "x-forwarded-port"), ["70"]);
    assert_eq!(
        values(&encoded, "forwarded"),
        ["for=1.1.1.1, for=198.51.100.7;proto=https"]
    );
    assert_eq!(values(&encoded, "x-real-ip"), ["1.1.1.1"]);
    assert_eq!(values(&encoded, "x-request-id"), ["claimed-id"]);
}

#[test]
fn a_peer_without_an_address_is_unknown_and_breaks_no_list() {
    let claims = headers(&CLAIMS);
    let mut head = head(&claims);
    head.forwarding.client = None;
    head.forwarding.real_ip = None;
    let encoded = encode(&head);
    assert_eq!(values(&encoded, "x-forwarded-for"), ["unknown"]);
    assert!(values(&encoded, "x-real-ip").is_empty());
    head.forwarding.peer_trusted = true;
    let encoded = encode(&head);
    assert_eq!(values(&encoded, "x-forwarded-for"), ["1.1.1.1, 10.0.0.2"]);
    assert_eq!(
        values(&encoded, "forwarded"),
        ["for=1.1.1.1, for=unknown;proto=https"]
    );
}

#[test]
fn what_is_vouched_for_is_copied_as_it_stands_and_written_once() {
    let names = [
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-port",
        "x-forwarded-proto",
        "x-real-ip",
        "x-request-id",
    ];
    let claims = headers(&names.map(|name| (name, "theirs")));
    for peer_trusted in [false, true] {
        for name in names {
            let vouched = [HeaderName::from_static(name)];
            assert!(is_claim(&vouched[0]), "{name}");
            let mut head = head(&claims);
            head.forwarding.peer_trusted = peer_trusted;
            head.forwarding.vouched = &vouched;
            assert_eq!(values(&encode(&head), name), ["theirs"], "{name}");
        }
    }
    assert!(!is_claim(&HeaderName::from_static("x-forwarded")));
}

#[test]
fn a_trusted_peer_that_claims_nothing_gets_all_headers_written() {
    let encoded = encode(&trusting(&HeaderMap::new()));
    for name in [
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-forwarded-host",
        "x-real-ip",
        "x-request-id",
    ] {
        assert_eq!(values(&encoded, name).len(), 1, "{name}");
    }
    assert!(values(&encoded, "forwarded").is_empty());
}

#[test]
fn an_ipv6_address_is_quoted_where_the_grammar_wants_it() {
    let headers = headers(&[("Forwarded", "for=unknown")]);
    let mut head = trusting(&headers);
    head.forwarding.client = Some("2001:db8::1");
    let encoded = encode(&head);
    assert_eq!(values(&encoded, "x-forwarded-for"), ["2001:db8::1"]);
    assert_eq!(
        values(&encoded, "forwarded"),
        ["for=unknown, for=\"[2001:db8::1]\";proto=https"]
    );
}

fn any_headers() -> impl Strategy<Value = HeaderMap> {
    let name = prop_oneof![
        "[a-zA-Z][a-zA-Z0-9_-]{0,12}",
        Just("Connection".to_owned()),
        Just("Content-Length".to_owned()),
        Just("Transfer-Encoding".to_owned()),
        Just("Cookie".to_owned()),
        Just("X-Forwarded-For".to_owned()),
        Just("Host".to_owned()),
    ];
    prop::collection::vec((name, "[ -~]{0,20}"), 0..12).prop_map(|fields| {
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        headers(&fields)
    })
}

proptest! {
    #[test]
    fn http2_servers_are_told_the_same_as_http1_servers(
        headers in any_headers(),
        peer_trusted: bool,
    ) {
        let mut head = head(&headers);
        head.forwarding.peer_trusted = peer_trusted;
        head.framing = RequestFraming::Length(7);
        let mut fields = http2_fields(&head);
        let encoded = encode(&head);
        // What is the connection's own.
        for name in ["te", "connection", "host"] {
            fields.remove(name);
        }
        let own = ["te", "connection", "host"];
        let lines = encoded.lines().skip(1).filter_map(|line| line.split_once(": "));
        let mut lines: Vec<_> = lines.filter(|(name, _)| !own.contains(name)).collect();
        let mut fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect();
        lines.sort_unstable();
        fields.sort_unstable();
        prop_assert_eq!(fields, lines);
    }

    #[test]
    fn any_head_parses_as_exactly_one_request(
        headers in any_headers(),
        path: String,
        query in proptest::option::of(any::<String>()),
        authority: String,
        length: u64,
        peer_trusted: bool,
    ) {
        let mut head = head(&headers);
        (head.path, head.query, head.authority) = (&path, query.as_deref(), &authority);
        head.framing = RequestFraming::Length(length);
        head.forwarding.peer_trusted = peer_trusted;
        let mut out = Vec::new();
        encode_head(&mut out, &head);

        let mut fields = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut fields);
        prop_assert_eq!(request.parse(&out), Ok(httparse::Status::Complete(out.len())));
        let count = |name: &str| {
            request.headers.iter().filter(|field| field.name == name).count()
        };
        for name in ["host", "content-length", "x-forwarded-for", "x-real-ip", "via"] {
            prop_assert_eq!(count(name), 1, "{}", name);
        }
        prop_assert_eq!(count("transfer-encoding") + count("connection"), 0);
        prop_assert!(count("cookie") <= 1);
        let expected = length.to_string();
        let found = request.headers.iter().find(|field| field.name == "content-length");
        prop_assert_eq!(found.map(|field| field.value), Some(expected.as_bytes()));
    }
}
