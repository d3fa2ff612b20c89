//! HTTP/2 from clients, HTTP/1.1 to servers.

use bytes::Bytes;
use h2::Reason;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Version};
use http_body_util::BodyExt;
use hyper::body::Frame;

use crate::support::{
    Body, Builder, Client, Gateway, Message, Pool, Upstream, body_of, empty, endless, eventually,
    frames, http2_by_hand, plain, soon, whole,
};

async fn over_tls(server: &Upstream) -> (Gateway, Client) {
    let builder = Builder::new()
        .tls("self_signed = true")
        .pool(Pool::of(&[server]));
    let gateway = builder.start().await;
    let client = Client::https(gateway.tls_address(), &["h2", "http/1.1"]).await;
    assert!(matches!(client, Client::Http2(_)), "HTTP/2 is preferred");
    (gateway, client)
}

fn post(body: Body) -> Request<Body> {
    Request::post("https://localhost/")
        .body(body)
        .expect("a request")
}

#[tokio::test]
async fn a_request_over_http2_reaches_the_server_as_http1() {
    let server = Upstream::named("a").await;
    let (_gateway, mut client) = over_tls(&server).await;
    let response = client.get("/path?query").await;
    assert_eq!(
        (response.version(), &response.body()[..]),
        (Version::HTTP_2, &b"a"[..])
    );
    let request = server.request();
    assert_eq!(request.start_line(), "GET /path?query HTTP/1.1");
    assert_eq!(request.headers("host"), ["localhost"]);
    assert_eq!(request.headers("via"), ["2 gatewright"]);
}

#[tokio::test]
async fn streams_of_one_connection_do_not_wait_for_each_other() {
    let server = Upstream::scripted(|mut peer| async move {
        let request = peer.request().await.expect("a request");
        match request.target() {
            "/slow" => peer.stall().await,
            _ => peer.send(plain("fast")).await,
        }
    })
    .await;
    let (gateway, mut client) = over_tls(&server).await;
    let slow = Request::get("https://localhost/slow")
        .body(empty())
        .expect("a request");
    let slow = match &mut client {
        Client::Http2(sender) => sender.send_request(slow),
        Client::Http1(_) => unreachable!("it speaks HTTP/2"),
    };
    let slow = tokio::spawn(slow);
    eventually("the slow one is in flight", async || {
        gateway.active().await == 1
    })
    .await;
    for _ in 0..10 {
        assert_eq!(client.get("/").await.body(), "fast");
    }
    assert!(!slow.is_finished());
    slow.abort();
    gateway.settles().await;
    // What ran the one that was taken back runs others.
    for _ in 0..3 {
        assert_eq!(client.get("/").await.body(), "fast");
    }
}

#[tokio::test]
async fn bodies_pass_both_ways() {
    let server = Upstream::answering(|request| plain(request.text())).await;
    let (_gateway, mut client) = over_tls(&server).await;
    let big = "x".repeat(1 << 20);
    let response = client
        .send(post(whole(big.clone())))
        .await
        .expect("a response");
    assert_eq!(
        body_of(response.into_body()).await.expect("a whole body"),
        big
    );
}

#[tokio::test]
async fn trailers_pass_both_ways() {
    let server = Upstream::answering(|_| {
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx-sum: back\r\n\r\n"
            .into()
    })
    .await;
    let (_gateway, mut client) = over_tls(&server).await;
    let sum = HeaderName::from_static("x-sum");
    let trailers = HeaderMap::from_iter([(sum, HeaderValue::from_static("there"))]);
    let body = frames([Frame::data("hi".into()), Frame::trailers(trailers)]);
    let response = client.send(post(body)).await.expect("a response");
    let received = soon("a body", response.into_body().collect())
        .await
        .expect("a whole body");
    assert_eq!(received.trailers().expect("trailers")["x-sum"], "back");
    assert_eq!(server.request().trailer("x-sum"), Some("there"));
}

#[tokio::test]
async fn announced_trailers_arrive_though_the_length_was_told_too() {
    let server = Upstream::named("a").await;
    let (_gateway, mut client) = over_tls(&server).await;
    for (announced, arrived) in [(true, Some("there")), (false, None)] {
        let sum = HeaderName::from_static("x-sum");
        let trailers = HeaderMap::from_iter([(sum, HeaderValue::from_static("there"))]);
        let body = frames([Frame::data("hi".into()), Frame::trailers(trailers)]);
        let mut request = post(body);
        let headers = request.headers_mut();
        headers.insert("content-length", HeaderValue::from_static("2"));
        if announced {
            headers.insert("trailer", HeaderValue::from_static("x-sum"));
        }
        let response = client.send(request).await.expect("a response");
        assert_eq!(response.status(), 200);
        let request = server.requests().pop().expect("a request");
        assert_eq!((request.text(), request.is_whole), ("hi", true));
        assert_eq!(request.trailer("x-sum"), arrived);
        assert_eq!(request.length(), (!announced).then_some(2));
    }
}

#[tokio::test]
async fn cookies_that_come_in_pieces_arrive_as_one() {
    let server = Upstream::named("a").await;
    let (_gateway, mut client) = over_tls(&server).await;
    let request = Request::get("https://localhost/")
        .header("cookie", "a=1")
        .header("cookie", "b=2");
    client
        .send(request.body(empty()).expect("a request"))
        .await
        .expect("a response");
    assert_eq!(server.request().headers("cookie"), ["a=1; b=2"]);
}

#[tokio::test]
async fn a_stream_that_is_reset_is_not_in_flight_any_more() {
    let server = Upstream::scripted(|peer| async move { peer.stall().await }).await;
    let (gateway, mut client) = over_tls(&server).await;
    let sending = tokio::spawn(async move { client.send(post(endless("begin"))).await.is_ok() });
    eventually("it is in flight", async || gateway.active().await == 1).await;
    sending.abort();
    gateway.settles().await;
}

#[tokio::test]
async fn a_body_that_breaks_off_resets_its_stream_alone() {
    let server = Upstream::scripted(|mut peer| async move {
        let request = peer.request().await.expect("a request");
        match request.target() {
            "/cut" => {
                peer.send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")
                    .await;
            }
            _ => peer.send(plain("whole")).await,
        }
    })
    .await;
    let (_gateway, mut client) = over_tls(&server).await;
    let cut = Request::get("https://localhost/cut")
        .body(empty())
        .expect("a request");
    let response = client.send(cut).await.expect("a response");
    assert!(body_of(response.into_body()).await.is_err());
    assert_eq!(client.get("/").await.body(), "whole");
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_answered_413_on_its_stream_alone() {
    let server = Upstream::named("a").await;
    let builder = Builder::new()
        .tls("self_signed = true")
        .pool(Pool::of(&[&server]));
    let gateway = builder
        .with("[limits]\nrequest_body = \"1KiB\"")
        .start()
        .await;
    let mut client = Client::https(gateway.tls_address(), &["h2"]).await;
    let response = client
        .send(post(whole("x".repeat(2000))))
        .await
        .expect("a response");
    assert_eq!(response.status(), 413);
    assert_eq!(client.get("/").await.body(), "a");
    gateway.settles().await;
}

#[tokio::test]
async fn an_upload_that_is_reset_without_an_error_is_not_taken_for_a_whole_one() {
    const HALF: &str = "4\r\nhalf\r\n";
    for reason in [Reason::NO_ERROR, Reason::CANCEL] {
        let server = Upstream::scripted(|mut peer| async move {
            peer.head().await;
            let of_body = |body| Message {
                body,
                ..Message::default()
            };
            let half = peer.bytes(HALF.len()).await;
            peer.note(of_body(half));
            let rest = peer.rest().await;
            peer.note(of_body(rest));
        })
        .await;
        let (gateway, _client) = over_tls(&server).await;
        let sender = http2_by_hand(gateway.tls_address()).await;
        let mut sender = sender.ready().await.expect("room for a stream");
        let post = Request::post("https://localhost/").body(());
        let (_response, mut body) = sender
            .send_request(post.expect("a request"), false)
            .expect("a stream");
        body.send_data(Bytes::from("half"), false).expect("room");
        eventually("the server has the half", async || {
            server.requests().len() == 1
        })
        .await;
        body.send_reset(reason);
        eventually("the server sees an end", async || {
            server.requests().len() == 2
        })
        .await;
        let [half, rest] = [0, 1].map(|part| server.requests()[part].body.clone());
        assert_eq!(half, HALF.as_bytes());
        assert_eq!(rest, b"", "no last chunk ends the body after {reason:?}");
        gateway.settles().await;
    }
}

#[tokio::test]
async fn more_headers_than_allowed_are_answered_431() {
    let server = Upstream::named("a").await;
    let builder = Builder::new()
        .tls("self_signed = true")
        .pool(Pool::of(&[&server]));
    let limits = "[limits]\nrequest_headers = 20";
    let gateway = builder.with(limits).start().await;
    let mut client = Client::https(gateway.tls_address(), &["h2"]).await;
    for (lines, status) in [(20, 200), (21, 431)] {
        let request = (0..lines).fold(Request::get("https://localhost/"), |request, _| {
            request.header("x-a", "1")
        });
        let request = request.body(empty()).expect("a request");
        let response = client.send(request).await.expect("a response");
        assert_eq!(response.status(), status, "{lines}");
    }
    assert_eq!(server.requests().len(), 1);
}
