//! Requests as messages: what they consist of and what makes them malformed
//! (RFC 9113 §8), towards servers of either protocol.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use h2::Reason;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::{Case, Outcome, check};
use crate::support::http2::{block, data, flag, frame, head, kind, open, pseudo};
use crate::support::{Gateway, Pool, Upstream};

/// A request for `/bad` with one more field.
fn with(name: &str, value: &str) -> Vec<u8> {
    let fields = [&pseudo("GET", "/bad")[..], &[(name, value)]].concat();
    head(1, &block(&fields))
}

/// A request without one of the pseudo-headers.
fn without(name: &str) -> Vec<u8> {
    let mut fields = pseudo("GET", "/bad").to_vec();
    fields.retain(|(known, _)| *known != name);
    head(1, &block(&fields))
}

/// A request with another value of one of the pseudo-headers.
fn instead(name: &str, value: &str) -> Vec<u8> {
    let mut fields = pseudo("GET", "/bad");
    for (known, old) in &mut fields {
        if *known == name {
            *old = value;
        }
    }
    head(1, &block(&fields))
}

/// A POST with a length, and a body in these pieces.
fn announced(path: &str, length: &str, pieces: &[&[u8]]) -> Vec<u8> {
    let fields = [&pseudo("POST", path)[..], &[("content-length", length)]].concat();
    let mut bytes = open(1, &block(&fields));
    for piece in pieces {
        bytes.extend(data(1, piece));
    }
    bytes.extend(frame(kind::DATA, flag::END_STREAM, 1, &[]));
    bytes
}

fn malformed(name: &'static str, sent: Vec<u8>) -> Case {
    Case::new(name, sent, Outcome::Resets(1, Reason::PROTOCOL_ERROR))
}

/// Malformed so that the library that reads frames takes the whole connection
/// for broken, as §5.4 allows.
fn unreadable(name: &'static str, sent: Vec<u8>) -> Case {
    Case::new(name, sent, Outcome::Breaks(Reason::PROTOCOL_ERROR))
}

/// Malformed, and answered for it (§8.1.1).
fn refused(name: &'static str, sent: Vec<u8>) -> Case {
    Case::new(name, sent, Outcome::Refuses(1))
}

fn fields() -> Vec<Case> {
    vec![
        unreadable("8.2.1 a name in upper case", with("X-Test", "ok")),
        unreadable("8.2.1 an empty name", with("", "ok")),
        unreadable("8.2.1 a name with a space", with("x test", "ok")),
        unreadable("8.2.1 a name with a colon", with("x:test", "ok")),
        unreadable("8.2.1 a name with a line's end", with("x\r\ntest", "ok")),
        unreadable("8.2.1 a name with NUL", with("x\0test", "ok")),
        unreadable("8.2.1 a name beyond ASCII", with("x-té", "ok")),
        unreadable("8.2.1 a value with NUL", with("x-test", "a\0b")),
        unreadable("8.2.1 a value with LF", with("x-test", "a\nb: c")),
        unreadable("8.2.1 a value with CR", with("x-test", "a\rb")),
        unreadable(
            "8.2.1 a value with a request",
            with("x-test", "a\r\n\r\nGET /bad HTTP/1.1\r\nhost: a\r\n\r\n"),
        ),
        refused("8.2.1 a space before a value", with("x-test", " ok")),
        refused("8.2.1 a space behind a value", with("x-test", "ok ")),
        refused("8.2.1 a tab before a value", with("x-test", "\tok")),
        refused("8.2.1 a value of a space", with("x-test", " ")),
        malformed("8.2.2 Connection", with("connection", "keep-alive")),
        malformed("8.2.2 Keep-Alive", with("keep-alive", "timeout=5")),
        malformed("8.2.2 Proxy-Connection", with("proxy-connection", "close")),
        malformed(
            "8.2.2 Transfer-Encoding",
            with("transfer-encoding", "chunked"),
        ),
        malformed("8.2.2 Upgrade", with("upgrade", "websocket")),
        malformed(
            "8.2.2 TE other than trailers",
            with("te", "trailers, deflate"),
        ),
    ]
}

fn pseudo_headers() -> Vec<Case> {
    let swapped = |fields: &[(&str, &str)]| head(1, &block(fields));
    vec![
        unreadable("8.3 an unknown pseudo-header", with(":test", "ok")),
        malformed("8.3 a response's pseudo-header", with(":status", "200")),
        malformed(
            "8.3 a pseudo-header after a field",
            swapped(&[
                (":method", "GET"),
                (":scheme", "http"),
                (":authority", "localhost"),
                ("x-test", "ok"),
                (":path", "/bad"),
            ]),
        ),
        malformed("8.3 :method twice", with(":method", "GET")),
        malformed("8.3 :scheme twice", with(":scheme", "http")),
        malformed("8.3 :path twice", with(":path", "/bad")),
        malformed("8.3 :authority twice", with(":authority", "localhost")),
        malformed("8.3.1 no :method", without(":method")),
        malformed("8.3.1 no :scheme", without(":scheme")),
        malformed("8.3.1 no :path", without(":path")),
        malformed("8.3.1 an empty :path", instead(":path", "")),
        unreadable("8.3.1 an empty :method", instead(":method", "")),
        unreadable(
            "8.3.1 a :method with a space",
            instead(":method", "GET /bad"),
        ),
        unreadable(
            "8.3.1 a :method with a line's end",
            instead(":method", "GET\r\n"),
        ),
        malformed("8.3.1 a :scheme with a space", instead(":scheme", "ht tp")),
        malformed(
            "8.3.1 a :path with a space",
            instead(":path", "/bad HTTP/1.1"),
        ),
        malformed(
            "8.3.1 a :path with a line's end",
            instead(":path", "/bad\r\nx: y"),
        ),
        malformed("8.3.1 a :path with NUL", instead(":path", "/bad\0")),
        malformed("8.3.1 a :path without a slash", instead(":path", "bad")),
        refused(
            "8.3.1 an asterisk for another method",
            instead(":path", "*"),
        ),
        refused(
            "8.3.1 an :authority with a user",
            instead(":authority", "me@localhost"),
        ),
        malformed(
            "8.3.1 an :authority with a space",
            instead(":authority", "a b"),
        ),
        malformed(
            "8.3.1 an :authority with a line's end",
            instead(":authority", "a\r\nb: c"),
        ),
        malformed(
            "8.3.1 an :authority with a path",
            instead(":authority", "a/b"),
        ),
        refused("8.3.1 another Host", with("host", "elsewhere")),
        refused("8.3.1 neither :authority nor Host", without(":authority")),
    ]
}

fn connects() -> Vec<Case> {
    let connect = |more: &[(&str, &str)]| {
        let fields = [&[(":method", "CONNECT")], more].concat();
        open(1, &block(&fields))
    };
    let target = (":authority", "localhost:80");
    let extended = [
        (":scheme", "http"),
        (":authority", "localhost"),
        (":path", "/bad"),
    ];
    let protocol = |name: &'static str| [&extended[..], &[(":protocol", name)]].concat();
    vec![
        malformed(
            "8.5 CONNECT with :path and :scheme",
            connect(&[target, (":scheme", "http"), (":path", "/bad")]),
        ),
        refused("8.5 CONNECT without :authority", connect(&[])),
        refused("8.5 CONNECT", connect(&[target])),
        refused(
            "RFC 8441 4 a protocol that is not allowed",
            connect(&protocol("bad")),
        ),
        malformed(
            "RFC 8441 4 :protocol without :scheme and :path",
            connect(&[target, (":protocol", "websocket")]),
        ),
        malformed(
            "RFC 8441 4 :protocol of a GET",
            with(":protocol", "websocket"),
        ),
    ]
}

fn lengths() -> Vec<Case> {
    let begun =
        |name, length, pieces: &[&[u8]]| malformed(name, announced("/begun", length, pieces));
    let bodiless = |length| {
        let fields = [&pseudo("POST", "/bad")[..], &[("content-length", length)]].concat();
        head(1, &block(&fields))
    };
    vec![
        begun("8.1.1 a body longer than its length", "1", &[b"two"]),
        // A body is passed on as it comes: the server gets what was announced.
        malformed(
            "8.1.1 pieces longer than their length",
            announced("/sound", "3", &[b"two", b"two"]),
        ),
        begun("8.1.1 a body shorter than its length", "9", &[b"two"]),
        begun("8.1.1 no body for a length", "9", &[]),
        malformed("8.1.1 a length and no body", bodiless("9")),
        malformed(
            "8.1.1 a length that is none",
            announced("/bad", "x", &[b"x"]),
        ),
        malformed("8.1.1 a negative length", announced("/bad", "-1", &[b"x"])),
        malformed(
            "8.1.1 a length with a sign",
            announced("/bad", "+1", &[b"x"]),
        ),
        malformed(
            "8.1.1 two lengths in one",
            announced("/bad", "1, 2", &[b"x"]),
        ),
        malformed(
            "8.1.1 two lengths",
            [
                open(
                    1,
                    &block(
                        &[
                            &pseudo("POST", "/bad")[..],
                            &[("content-length", "1"), ("content-length", "2")],
                        ]
                        .concat(),
                    ),
                ),
                frame(kind::DATA, flag::END_STREAM, 1, b"x"),
            ]
            .concat(),
        ),
        malformed(
            "8.1.1 a length beyond all numbers",
            announced("/bad", "99999999999999999999", &[b"x"]),
        ),
    ]
}

fn sound() -> Vec<Case> {
    let with = |fields: &[(&str, &str)]| {
        let fields = [&pseudo("GET", "/sound")[..], fields].concat();
        head(1, &block(&fields))
    };
    let answers = |name, sent: Vec<u8>| Case::answers(name, 1, &[&sent]);
    vec![
        answers("8.2.2 TE: trailers", with(&[("te", "trailers")])),
        answers(
            "8.2.3 cookies in pieces",
            with(&[("cookie", "a=1"), ("cookie", "b=2")]),
        ),
        answers("8.2.1 a value beyond ASCII", with(&[("x-test", "té")])),
        answers("8.2.1 an empty value", with(&[("x-test", "")])),
        answers("8.3.1 the same Host", with(&[("host", "localhost")])),
        answers(
            "8.1.1 the right length",
            announced("/sound", "6", &[b"two", b"", b"two"]),
        ),
        answers(
            "8.3.1 Host alone",
            head(
                1,
                &block(&[
                    (":method", "GET"),
                    (":scheme", "http"),
                    (":path", "/sound"),
                    ("host", "localhost"),
                ]),
            ),
        ),
    ]
}

#[tokio::test]
async fn malformed_fields_are_refused() {
    check(&fields()).await;
}

#[tokio::test]
async fn malformed_pseudo_headers_are_refused() {
    check(&pseudo_headers()).await;
}

#[tokio::test]
async fn malformed_connects_are_refused() {
    check(&connects()).await;
}

#[tokio::test]
async fn bodies_that_belie_their_length_are_refused() {
    check(&lengths()).await;
}

#[tokio::test]
async fn what_is_unusual_and_sound_is_answered() {
    check(&sound()).await;
}

#[tokio::test]
async fn nothing_malformed_reaches_a_server_over_http2() {
    let seen = Arc::<Mutex<Vec<String>>>::default();
    let noting = Arc::clone(&seen);
    let answer = move |request: Request<Incoming>| {
        let noting = Arc::clone(&noting);
        async move {
            let target = request.uri().path().to_owned();
            let is_whole = request.into_body().collect().await.is_ok();
            if is_whole || target != "/begun" {
                noting.lock().expect("no panic").push(target);
            }
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        }
    };
    let server = Upstream::speaking(move |stream| {
        let serving = http2::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(stream), service_fn(answer.clone()));
        async {
            // How it ends is the gateway's to decide.
            let _ = serving.await;
        }
    })
    .await;
    let pool = Pool::of(&[&server]).with("protocol", "\"http2\"");
    let gateway = Gateway::before(pool).await;
    let mut faults = Vec::new();
    for case in [fields(), pseudo_headers(), connects(), lengths(), sound()].concat() {
        faults.extend(case.fault(&gateway).await);
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    gateway.settles().await;
    let seen = seen.lock().expect("no panic");
    assert!(seen.iter().all(|target| target == "/sound"), "{seen:?}");
}
