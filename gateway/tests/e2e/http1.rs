//! HTTP/1.1 on both sides: framing, connections, and bodies of every kind.

use std::time::Duration;

use tokio::io::AsyncWriteExt;

use crate::support::{Gateway, Message, Pool, Upstream, eventually, get, plain};

#[tokio::test]
async fn one_connection_carries_request_after_request_on_both_sides() {
    let server = Upstream::named("a").await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    let mut client = gateway.connect().await;
    for _ in 0..3 {
        client
            .send("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
            .await;
        assert_eq!(client.response().await.text(), "a");
    }
    assert_eq!((server.requests().len(), server.connections()), (3, 1));
}

#[tokio::test]
async fn with_no_idle_connection_allowed_each_request_gets_one_that_is_closed_after_it() {
    let server = Upstream::scripted(|mut peer| async move {
        peer.request().await;
        peer.send(plain("a")).await;
        let asked_again = peer.request().await;
        assert!(asked_again.is_none(), "{asked_again:?}");
        peer.note(Message::default());
    })
    .await;
    let gateway = Gateway::before(Pool::of(&[&server]).with("idle_connections", "0")).await;
    let mut client = gateway.connect().await;
    for _ in 0..3 {
        client.send(get("/")).await;
        assert_eq!(client.response().await.text(), "a");
    }
    eventually("each connection is closed", async || {
        server.requests().len() == 2 * 3
    })
    .await;
    assert_eq!(server.connections(), 3);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_their_order() {
    let server = Upstream::answering(|request| plain(request.target())).await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    let mut client = gateway.connect().await;
    let requests = ["/1", "/2", "/3"].map(|path| format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n"));
    client.send(requests.concat()).await;
    for path in ["/1", "/2", "/3"] {
        assert_eq!(client.response().await.text(), path);
    }
}

#[tokio::test]
async fn a_request_that_comes_before_the_last_one_is_answered_is_answered_too() {
    let server = Upstream::scripted(|mut peer| async move {
        while let Some(request) = peer.request().await {
            tokio::time::sleep(Duration::from_millis(100)).await;
            peer.send(plain(request.target())).await;
        }
    })
    .await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    let mut client = gateway.connect().await;
    client.send(get("/1")).await;
    eventually("it is in flight", async || gateway.active().await == 1).await;
    let long = "x".repeat(3000);
    let second = format!("GET /2 HTTP/1.1\r\nhost: x\r\nlong: {long}\r\n\r\n");
    client.send(second).await;
    for path in ["/1", "/2"] {
        assert_eq!(client.response().await.text(), path);
    }
    assert_eq!(server.requests()[1].header("long"), Some(&*long));
}

#[tokio::test]
async fn a_body_that_its_server_takes_late_arrives_in_its_order() {
    let server = Upstream::scripted(|mut peer| async move {
        peer.resumed().await;
        peer.request().await;
        peer.send(plain("taken")).await;
    })
    .await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    let body: String = (0..1_000_000).map(|piece| format!("{piece:07} ")).collect();
    let length = body.len();
    let head = format!("PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n");
    let mut client = gateway.connect().await;
    client.send(head).await;
    let take = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        server.resume();
    };
    tokio::join!(client.send(&body), take);
    assert_eq!(client.response().await.text(), "taken");
    assert!(server.request().text() == body);
}

#[tokio::test]
async fn of_pipelined_requests_before_a_half_close_all_but_the_last_are_answered() {
    let server = Upstream::scripted(|mut peer| async move {
        while let Some(request) = peer.request().await {
            peer.resumed().await;
            peer.send(plain(request.target())).await;
        }
    })
    .await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    let mut client = gateway.connect().await;
    client.send(["/1", "/2", "/3"].map(get).concat()).await;
    eventually("one is in flight", async || server.requests().len() == 1).await;
    client.stream.shutdown().await.expect("an open side");
    for path in ["/1", "/2"] {
        server.resume();
        assert_eq!(client.response().await.text(), path);
    }
    assert!(client.is_closed().await);
    gateway.settles().await;
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_chunked_response_arrives_whole() {
    let server = Upstream::answering(|_| {
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n".into()
    })
    .await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    let mut client = gateway.connect().await;
    for _ in 0..2 {
        client
            .send("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
            .await;
        let response = client.response().await;
        assert!(response.is_whole && response.is_chunked(), "{response:?}");
        assert_eq!(response.text(), "hello world");
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_chunked_request_arrives_whole() {
    let server = Upstream::named("a").await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    let head = "POST / HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n";
    let response = gateway
        .exchange(format!("{head}5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"))
        .await;
    assert_eq!(response.status(), 200);
    let request = server.request();
    assert!(request.is_whole && request.is_chunked() && request.length().is_none());
    assert_eq!(request.text(), "hello world");
}

#[tokio::test]
async fn responses_without_a_body_leave_the_connection_usable() {
    let server = Upstream::answering(|request| match request.target() {
        "/none" => "HTTP/1.1 204 No Content\r\n\r\n".into(),
        "/same" => "HTTP/1.1 304 Not Modified\r\netag: \"1\"\r\n\r\n".into(),
        _ => plain("a body"),
    })
    .await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    let mut client = gateway.connect().await;
    client
        .send("HEAD / HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await;
    assert_eq!(client.response_to_head().await.length(), Some(6));
    for (path, status) in [("/none", 204), ("/same", 304), ("/", 200)] {
        client
            .send(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n"))
            .await;
        assert_eq!(client.response().await.status(), status);
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_response_that_ends_with_its_connection_arrives_whole() {
    let server = Upstream::scripted(|mut peer| async move {
        peer.request().await;
        peer.send("HTTP/1.1 200 OK\r\n\r\nuntil the end").await;
    })
    .await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    let mut client = gateway.connect().await;
    for _ in 0..2 {
        client
            .send("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
            .await;
        let response = client.response().await;
        assert!(response.is_chunked() && response.is_whole, "{response:?}");
        assert_eq!(response.text(), "until the end");
    }
}

#[tokio::test]
async fn a_client_of_http_1_0_gets_a_body_that_ends_with_the_connection() {
    let server = Upstream::answering(|_| {
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n".into()
    })
    .await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    let response = gateway.exchange("GET / HTTP/1.0\r\n\r\n").await;
    assert!(!response.is_chunked());
    assert_eq!(response.text(), "hi");
    assert!(server.request().start_line().ends_with("HTTP/1.1"));
}

#[tokio::test]
async fn trailers_arrive_on_the_other_side_both_ways() {
    let server = Upstream::answering(|_| {
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n\
         2\r\nhi\r\n0\r\nx-sum: of the response\r\n\r\n"
            .into()
    })
    .await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    let head = "POST / HTTP/1.1\r\nhost: localhost\r\nte: trailers\r\nconnection: te\r\n\
                transfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n";
    let body = "2\r\nhi\r\n0\r\nx-sum: of the request\r\n\r\n";
    let response = gateway.exchange(format!("{head}{body}")).await;
    assert_eq!(server.request().trailer("x-sum"), Some("of the request"));
    assert_eq!(response.trailer("x-sum"), Some("of the response"));
}

#[tokio::test]
async fn a_client_that_expects_to_be_asked_for_its_body_is_asked_by_the_gateway() {
    let server = Upstream::named("a").await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    let mut client = gateway.connect().await;
    let head =
        "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n";
    client.send(head).await;
    assert_eq!(client.response().await.status(), 100);
    client.send("hello").await;
    assert_eq!(client.response().await.status(), 200);
    assert_eq!(server.request().header("expect"), None);
    assert_eq!(server.request().text(), "hello");
}

/// Enough that a gateway which kept it would be caught.
const BIG: usize = 64 << 20;

/// What a gateway may need more while a big body passes through it.
const ROOM: usize = 16 << 20;

#[tokio::test]
async fn a_big_response_streams_through_in_little_memory() {
    let server = Upstream::scripted(|mut peer| async move {
        peer.request().await;
        peer.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {BIG}\r\n\r\n"))
            .await;
        for _ in 0..BIG >> 20 {
            peer.send(vec![b'x'; 1 << 20]).await;
        }
    })
    .await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    let before = gateway.memory();
    let mut client = gateway.connect().await;
    client
        .send("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await;
    client.head().await.expect("a response");
    for _ in 0..BIG >> 20 {
        assert_eq!(client.bytes(1 << 20).await.len(), 1 << 20);
        assert!(gateway.memory() < before + ROOM);
    }
    gateway.settles().await;
}

#[tokio::test]
async fn a_big_request_streams_through_in_little_memory() {
    let server = Upstream::scripted(|mut peer| async move {
        peer.head().await;
        let mut received = 0;
        while received < BIG {
            received += peer.bytes(1 << 20).await.len();
        }
        peer.send(plain("whole")).await;
    })
    .await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    let before = gateway.memory();
    let mut client = gateway.connect().await;
    client
        .send(format!(
            "PUT / HTTP/1.1\r\nhost: localhost\r\ncontent-length: {BIG}\r\n\r\n"
        ))
        .await;
    for _ in 0..BIG >> 20 {
        client.send(vec![b'x'; 1 << 20]).await;
        assert!(gateway.memory() < before + ROOM);
    }
    assert_eq!(client.response().await.text(), "whole");
    gateway.settles().await;
}
