//! HTTP/3 clients and servers that behave badly.

use std::net::UdpSocket;

use http::{HeaderName, HeaderValue, Method, Request};
use quinn::TransportConfig;

use crate::support::http3::{answer, dial, dialling, get, head};
use crate::support::{Builder, Gateway, Http3, Pool, Road, Upstream, eventually, soon};

async fn over_http3(server: &Upstream, more: &str) -> (Gateway, Http3) {
    let gateway = Builder::new()
        .tls("self_signed = true")
        .tls_listener("http3 = true")
        .with(more)
        .pool(Pool::of(&[server]))
        .start()
        .await;
    let client = Http3::to(&gateway).await;
    (gateway, client)
}

/// A request with one more line.
fn with(name: &'static str, value: &str) -> Request<()> {
    let mut request = get("/");
    let value = HeaderValue::try_from(value).expect("a value");
    request
        .headers_mut()
        .append(HeaderName::from_static(name), value);
    request
}

#[tokio::test]
async fn heads_that_mean_something_else_elsewhere_are_refused() {
    let server = Upstream::named("a").await;
    let (_gateway, mut client) = over_http3(&server, "").await;
    for (name, value) in [
        ("connection", "close"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "websocket"),
        ("keep-alive", "5"),
        ("te", "gzip"),
        ("content-length", "+1"),
    ] {
        let response = client.send(with(name, value)).await;
        assert!(response.is_err(), "{name}: {response:?}");
    }
    let mut twice = with("content-length", "1");
    twice
        .headers_mut()
        .append("content-length", HeaderValue::from_static("2"));
    assert!(client.send(twice).await.is_err());
    let padded = client.send(with("x-a", "a\t")).await.expect("an answer");
    assert_eq!(padded.status(), 400);
    for fields in [
        &[("host", "other.example")][..],
        &[("host", "localhost"), ("host", "localhost")],
        &[("X-A", "1")],
        &[(":protocol", "webtransport")],
        &[("x-a", "1\r\nx-b: 2")],
    ] {
        let usual = [
            (":method", "GET"),
            (":scheme", "https"),
            (":path", "/"),
            (":authority", "localhost"),
        ];
        let fields = [&usual[..], fields].concat();
        assert!(!client.is_served(&head(&fields)).await, "{fields:?}");
    }
    assert_eq!(server.requests().len(), 0);
    assert_eq!(client.get("/").await.body(), "a", "the connection goes on");
}

#[tokio::test]
async fn heads_have_their_limits() {
    let server = Upstream::named("a").await;
    let limits = "[limits]\nrequest_head = \"8KiB\"\nrequest_headers = 20";
    let (_gateway, mut client) = over_http3(&server, limits).await;
    let long = with("x-long", &"x".repeat(9000));
    // The client keeps to what it was told, if it has heard of it already.
    match client.send(long).await {
        Ok(response) => assert_eq!(response.status(), 431),
        Err(error) => assert!(
            matches!(error, h3::error::StreamError::HeaderTooBig { .. }),
            "{error:?}"
        ),
    }
    let mut many = get("/");
    for number in 0..30 {
        let name = HeaderName::try_from(format!("x-{number}")).expect("a name");
        many.headers_mut()
            .insert(name, HeaderValue::from_static("1"));
    }
    assert_eq!(client.send(many).await.expect("an answer").status(), 431);
    assert_eq!(client.get("/").await.body(), "a");
}

#[tokio::test]
async fn bodies_have_their_limits() {
    let server = Upstream::named("a").await;
    let (_gateway, mut client) = over_http3(&server, "[limits]\nrequest_body = \"1KiB\"").await;
    let request = Request::post("https://localhost/")
        .body(())
        .expect("a request");
    let mut stream = client.begin(request).await.expect("a stream");
    stream
        .send_data("x".repeat(2000).into())
        .await
        .expect("it goes");
    let _ = stream.finish().await;
    assert_eq!(answer(&mut stream).await.expect("an answer").status(), 413);
}

#[tokio::test]
async fn no_tunnels_are_opened() {
    let server = Upstream::named("a").await;
    let (_gateway, mut client) = over_http3(&server, "").await;
    let mut request = Request::new(());
    *request.method_mut() = Method::CONNECT;
    *request.uri_mut() = "localhost:80".parse().expect("an authority");
    let response = client.send(request).await.expect("an answer");
    assert_eq!(response.status(), 405);
    assert_eq!(server.requests().len(), 0);
}

#[tokio::test]
async fn what_goes_wrong_is_answered_as_ever() {
    let server = Upstream::named("a").await;
    let (_gateway, mut client) = over_http3(&server, "").await;
    assert_eq!(client.get("/").await.status(), 200);
    let address = server.kill().await;
    let response = client.get("/").await;
    assert!(
        [502, 503].contains(&response.status().as_u16()),
        "{response:?}"
    );
    drop(Upstream::named_at("b", address).await);
}

#[tokio::test]
async fn a_server_that_dies_is_made_up_for() {
    let [dead, alive] = [
        Upstream::named("dead").await,
        Upstream::named("alive").await,
    ];
    let gateway = Builder::new()
        .tls("self_signed = true")
        .tls_listener("http3 = true")
        .pool(Pool::of(&[&dead, &alive]))
        .start()
        .await;
    let mut client = Http3::to(&gateway).await;
    dead.kill().await;
    for _ in 0..4 {
        assert_eq!(client.get("/").await.body(), "alive");
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_no_whole_answer() {
    let server = Upstream::scripted(|mut peer| async move {
        peer.request().await;
        peer.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello")
            .await;
        peer.reset();
    })
    .await;
    let (gateway, mut client) = over_http3(&server, "").await;
    let mut stream = client.begin(get("/")).await.expect("a stream");
    stream.finish().await.expect("it ends");
    assert!(answer(&mut stream).await.is_err());
    gateway.settles().await;
}

#[tokio::test]
async fn a_head_that_does_not_come_is_not_waited_for() {
    let server = Upstream::named("a").await;
    let timeouts = "[timeouts]\nrequest_head = \"1s\"\nidle = \"2s\"";
    let (gateway, client) = over_http3(&server, timeouts).await;
    // The beginning of a head, and no more of it.
    let (mut sending, mut receiving) = client.quic.open_bi().await.expect("a stream");
    sending
        .write_all(&[0x01, 0x20, 0x00])
        .await
        .expect("it goes");
    let end = soon("the end of the stream", receiving.read_to_end(100)).await;
    assert!(end.is_err() || end.is_ok_and(|read| read.is_empty()));
    client.closed().await;
    gateway.settles().await;
}

#[tokio::test]
async fn a_head_that_would_never_end_costs_its_stream() {
    let server = Upstream::named("a").await;
    let (_gateway, mut client) = over_http3(&server, "").await;
    let (mut sending, _receiving) = client.quic.open_bi().await.expect("a stream");
    // A head of 2^30 bytes.
    let began = [0x01, 0xc0, 0, 0, 0, 0x40, 0, 0, 0];
    sending.write_all(&began).await.expect("it goes");
    let refused = soon("a refusal", sending.stopped())
        .await
        .expect("a reason");
    assert!(refused.is_some(), "{refused:?}");
    assert_eq!(client.get("/").await.body(), "a", "the connection goes on");
}

#[tokio::test]
async fn a_body_that_ends_within_a_frame_is_no_whole_request() {
    let server = Upstream::named("a").await;
    let (gateway, mut client) = over_http3(&server, "").await;
    let mut request = head(&[
        (":method", "POST"),
        (":scheme", "https"),
        (":path", "/"),
        (":authority", "localhost"),
    ]);
    // Half a frame of ten bytes.
    request.extend_from_slice(b"\x00\x0ahello");
    assert!(!client.is_served(&request).await);
    eventually("nothing is under way", async || gateway.active().await == 0).await;
    assert_eq!(client.get("/").await.body(), "a", "the gateway goes on");
}

#[tokio::test]
async fn who_comes_among_many_that_begin_and_do_not_go_on_has_to_prove_its_address() {
    /// As many as are let be under way on a worker.
    const UNPROVEN: usize = 64;
    let server = Upstream::named("a").await;
    let (gateway, mut client) = over_http3(&server, "").await;
    assert_eq!(client.get("/").await.body(), "a");
    let [silent, calm, busy] = [
        Road::to(gateway.tls_address()).await,
        Road::to(gateway.tls_address()).await,
        Road::to(gateway.tls_address()).await,
    ];
    let before = Http3::showing(calm.address(), None).await;
    let mut before = before.expect("a connection");
    assert_eq!(before.get("/").await.body(), "a");
    assert_eq!(calm.retries(), 0, "nobody else comes");
    before.quic.close(0u32.into(), b"");
    eventually("it has gone", async || {
        gateway.metric("gatewright_connections").await == 1.0
    })
    .await;
    silent.becomes_one_way();
    let flood = dialling(None, TransportConfig::default());
    let begun = (0..UNPROVEN).map(|_| dial(&flood, silent.address()));
    let _begun: Vec<_> = begun.collect();
    eventually("all have begun", async || {
        let all = gateway.metric("gatewright_connections").await;
        let asked = gateway.metric("gatewright_protocol_connections").await;
        (all - asked) as usize == UNPROVEN
    })
    .await;
    let honest = Http3::showing(busy.address(), None).await;
    assert_eq!(honest.expect("a connection").get("/").await.body(), "a");
    assert!(busy.retries() > 0, "it was let in as it came");
    assert_eq!(
        client.get("/").await.body(),
        "a",
        "who is there already goes on"
    );
}

#[tokio::test]
async fn datagrams_that_mean_nothing_hurt_nobody() {
    let server = Upstream::named("a").await;
    let (gateway, mut client) = over_http3(&server, "").await;
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let mut byte = 7u8;
    for length in (0..1400).step_by(3) {
        let noise: Vec<u8> = (0..length)
            .map(|_| {
                byte = byte.wrapping_mul(181).wrapping_add(59);
                byte
            })
            .collect();
        let _ = socket.send_to(&noise, gateway.tls_address());
    }
    assert_eq!(client.get("/").await.body(), "a");
    assert_eq!(Http3::to(&gateway).await.get("/").await.body(), "a");
}
