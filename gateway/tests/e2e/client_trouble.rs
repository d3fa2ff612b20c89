//! Clients that dawdle, overreach or leave: whatever they do, nothing stays
//! counted as in flight.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::http2::{self, PREFACE, settings};
use crate::support::{
    Client, Gateway, Pool, Upstream, Wire, connect_tls, eventually, get, plain, soon,
};

/// A gateway whose deadlines pass soon.
async fn impatient(server: &Upstream) -> Gateway {
    let timeouts = "[timeouts]\nrequest_head = \"100ms\"\nidle = \"100ms\"\nbody_idle = \"100ms\"";
    let pool = Pool::of(&[server]);
    Gateway::builder().with(timeouts).pool(pool).start().await
}

#[tokio::test]
async fn a_head_that_comes_too_slowly_is_answered_408() {
    let server = Upstream::named("a").await;
    let gateway = impatient(&server).await;
    let mut client = gateway.connect().await;
    client.send("GET / HTTP/1.1\r\nhost:").await;
    let response = client.response().await;
    assert_eq!(response.status(), 408);
    assert!(response.error().contains("too slowly"));
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_second_head_that_comes_too_slowly_is_answered_408_too() {
    let server = Upstream::named("a").await;
    let gateway = impatient(&server).await;
    let mut client = gateway.connect().await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(client.response().await.status(), 200);
    client.send("G").await;
    assert_eq!(client.response().await.status(), 408);
}

#[tokio::test]
async fn a_connection_without_a_request_is_closed_in_time() {
    let server = Upstream::named("a").await;
    let gateway = impatient(&server).await;
    let mut client = gateway.connect().await;
    assert!(client.is_closed().await);
    let mut client = gateway.connect().await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(client.response().await.status(), 200);
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_body_that_stops_coming_ends_the_request_on_the_server_that_has_it() {
    let stalling = || Upstream::scripted(|peer| async move { peer.stall().await });
    let [a, b] = [stalling().await, stalling().await];
    let timeouts = "[timeouts]\nbody_idle = \"100ms\"";
    let builder = Gateway::builder().with(timeouts).pool(Pool::of(&[&a, &b]));
    let gateway = builder.start().await;
    let put = "PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhalf";
    let response = gateway.exchange(put).await;
    assert_eq!(response.status(), 408);
    assert!(response.error().contains("too slowly"), "{response:?}");
    gateway.settles().await;
    let attempts = a.connections() + b.connections();
    assert_eq!(attempts, 1, "another server would wait in vain too");
}

#[tokio::test]
async fn a_client_that_leaves_in_its_body_is_not_in_flight_any_more() {
    let server = Upstream::named("a").await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    let mut client = gateway.connect().await;
    client
        .send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nhalf")
        .await;
    eventually("it is in flight", async || gateway.active().await == 1).await;
    drop(client);
    gateway.settles().await;
    assert!(!server.request().is_whole);
}

/// Whole requests, with bodies of every kind, and with empty lines before one.
const REQUESTS: [&str; 5] = [
    "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
    "\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n",
    "PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello",
    "PUT / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "PUT / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx: 1\r\n\r\n",
];

/// A server that takes a request on each connection and never answers.
async fn mute() -> Upstream {
    Upstream::scripted(|mut peer| async move {
        peer.request().await;
        peer.stall().await;
    })
    .await
}

#[tokio::test]
async fn a_client_that_leaves_before_the_response_is_not_in_flight_any_more() {
    let server = mute().await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    let mut clients = Vec::new();
    for request in REQUESTS {
        let mut client = gateway.connect().await;
        client.send(request).await;
        clients.push(client);
    }
    let all = REQUESTS.len();
    eventually("all have come", async || server.requests().len() == all).await;
    drop(clients);
    gateway.settles().await;
    assert_eq!(server.requests().len(), all);
}

#[tokio::test]
async fn a_client_that_leaves_over_tls_is_not_in_flight_any_more() {
    let server = mute().await;
    let builder = Gateway::builder().tls("self_signed = true");
    let gateway = builder.pool(Pool::of(&[&server])).start().await;
    for (before, request) in REQUESTS.into_iter().enumerate() {
        let stream = connect_tls(gateway.tls_address(), "a.example", &[]).await;
        let mut client = Wire::new(stream);
        client.send(request).await;
        eventually("it has come", async || server.requests().len() > before).await;
        drop(client);
        gateway.settles().await;
    }
}

#[tokio::test]
async fn a_request_whose_client_has_closed_its_sending_side_already_reaches_no_server() {
    let server = Upstream::named("a").await;
    let builder = Gateway::builder().with("[limits]\nconnections = 1");
    let gateway = builder.pool(Pool::of(&[&server])).start().await;
    let first = gateway.connect().await;
    let mut clients = Vec::new();
    for request in REQUESTS {
        // All of it lies there before the gateway accepts the connection; and as none
        // to the server is open yet, the kernel is asked what has come before one is.
        let mut client = gateway.connect().await;
        client.send(request).await;
        client.stream.shutdown().await.expect("an open side");
        clients.push(client);
    }
    drop(first);
    for mut client in clients {
        assert!(client.is_closed().await);
    }
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_client_that_leaves_while_the_response_stands_still_is_not_in_flight_any_more() {
    let server = Upstream::scripted(|mut peer| async move {
        peer.request().await;
        peer.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n")
            .await;
        peer.stall().await;
    })
    .await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    for request in REQUESTS {
        let mut client = gateway.connect().await;
        client.send(request).await;
        client.head().await.expect("a response");
        assert_eq!(client.bytes(10).await, b"5\r\nhello\r\n");
        assert_eq!(gateway.active().await, 1);
        drop(client);
        gateway.settles().await;
    }
}

#[tokio::test]
async fn a_client_that_leaves_in_the_response_is_not_in_flight_any_more() {
    let server = Upstream::scripted(|mut peer| async move {
        peer.request().await;
        let _ = peer
            .try_send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            .await;
        while peer.try_send("5\r\nhello\r\n").await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    let mut client = gateway.connect().await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    client.bytes(1000).await;
    assert_eq!(gateway.active().await, 1);
    drop(client);
    gateway.settles().await;
}

#[tokio::test]
async fn a_client_that_stops_reading_is_cut_off() {
    let server = Upstream::answering(|_| plain(&"x".repeat(32 << 20))).await;
    let gateway = impatient(&server).await;
    let mut client = gateway.connect().await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    eventually("it is in flight", async || gateway.active().await == 1).await;
    gateway.settles().await;
    assert!(client.rest().await.len() < 32 << 20);
}

/// Clients that ask and ask for little and read nothing of it, until the gateway
/// has more to tell each of them than goes out.
async fn fill_up(gateway: &Gateway) -> Vec<Wire> {
    let mut clients = Vec::new();
    for _ in 0..4 {
        let client = gateway.connect_narrow(4096).await;
        let request = get("/");
        let requests = request.repeat(500);
        let mut sent = 0;
        // No more requests are taken once their answers do not go out.
        while is_writable_soon(&client.stream).await {
            let next = &requests.as_bytes()[sent % request.len()..];
            match client.stream.try_write(next) {
                Ok(count) => sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => panic!("it was cut too early: {error}"),
            }
        }
        clients.push(client);
    }
    clients
}

/// Whether more can be written before long: not while the gateway reads nothing.
async fn is_writable_soon(stream: &TcpStream) -> bool {
    let patience = Duration::from_millis(200);
    let writable = tokio::time::timeout(patience, stream.writable()).await;
    writable.is_ok_and(|writable| writable.is_ok())
}

#[tokio::test]
async fn clients_that_read_nothing_leave_no_descriptor_behind() {
    let server = Upstream::answering(|_| plain(&"x".repeat(3000))).await;
    let pool = || Pool::of(&[&server]).with("idle_connections", "0");
    let waits_long = Gateway::before(pool()).await;
    let before = waits_long.descriptors();
    drop(fill_up(&waits_long).await);
    eventually("those that left are closed", async || {
        waits_long.descriptors() <= before
    })
    .await;

    let cuts = Gateway::builder().with("[timeouts]\nbody_idle = \"3s\"");
    let cuts = cuts.pool(pool()).start().await;
    let before = cuts.descriptors();
    let _clients = fill_up(&cuts).await;
    eventually("those that stay are closed", async || {
        cuts.descriptors() <= before
    })
    .await;
}

#[tokio::test]
async fn a_client_that_reads_slowly_but_steadily_is_not_cut() {
    const BIG: usize = 32 << 20;
    const PIECE: usize = 128 << 10;
    let server = Upstream::answering(|_| plain(&"x".repeat(BIG))).await;
    let builder = Gateway::builder().with("[timeouts]\nbody_idle = \"1s\"");
    let gateway = builder.pool(Pool::of(&[&server])).start().await;
    // Much larger than a segment, or the systems' own timers rule the pace.
    let mut client = gateway.connect_narrow(4 * PIECE as u32).await;
    let request = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    client.send(request).await;
    client.head().await.expect("a response");
    let mut received = 0;
    for _ in 0..16 {
        // Together three times what a body may stand still.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let mut piece = vec![0; PIECE];
        let read = soon("a piece", client.stream.read(&mut piece)).await;
        received += read.expect("no reset");
    }
    received += client.rest().await.len();
    assert_eq!(received, BIG);
}

#[tokio::test]
async fn a_client_that_is_refused_while_it_sends_can_send_on_and_read_its_answer() {
    const UPLOAD: usize = 200 << 10;
    let server = Upstream::named("a").await;
    let limits = "[limits]\nrequest_body = \"1KiB\"\nrequest_head = \"8KiB\"";
    let builder = Gateway::builder().with(limits);
    let gateway = builder.pool(Pool::of(&[&server])).start().await;
    let upload = format!("PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: {UPLOAD}\r\n\r\n");
    let huge = format!("GET / HTTP/1.1\r\nx: {}", "x".repeat(8 << 10));
    for (beginning, status) in [(upload, 413), (huge, 431), ("nonsense\r\n\r\n".into(), 400)] {
        let mut client = gateway.connect().await;
        client.send(beginning).await;
        client.stream.readable().await.expect("an answer");
        for _ in 0..UPLOAD / 10_000 {
            // After a reset the next would fail.
            client.send([b'x'; 10_000]).await;
        }
        let response = client.response().await;
        assert_eq!((response.status(), response.is_whole), (status, true));
        assert!(client.is_closed().await);
    }
}

#[tokio::test]
async fn a_client_that_closes_its_sending_side_has_left() {
    let server = mute().await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    let mut client = gateway.connect().await;
    client.send(get("/")).await;
    eventually("it is in flight", async || gateway.active().await == 1).await;
    client.stream.shutdown().await.expect("an open side");
    assert!(client.is_closed().await);
    gateway.settles().await;
}

#[tokio::test]
async fn a_big_response_waits_with_its_server_for_a_slow_client() {
    const BIG: usize = 64 << 20;
    let server = Upstream::answering(|_| plain(&"x".repeat(BIG))).await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    let before = gateway.memory();
    let mut client = gateway.connect().await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    client.head().await.expect("a response");
    for _ in 0..20 {
        client.bytes(1000).await;
        assert!(gateway.memory() < before + (16 << 20));
        assert_eq!(gateway.active().await, 1);
    }
    drop(client);
    gateway.settles().await;
}

#[tokio::test]
async fn what_clients_do_wrong_is_not_counted_against_the_server() {
    let server = Upstream::scripted(|mut peer| async move {
        let head = peer.head().await;
        match head.is_some_and(|head| head.contains("/break")) {
            true => peer.reset(),
            false => peer.stall().await,
        }
    })
    .await;
    let limits = "[timeouts]\nbody_idle = \"500ms\"\n[limits]\nrequest_body = \"1KiB\"";
    let pool = Pool::of(&[&server]).with("retries", "{ attempts = 1 }");
    let gateway = Gateway::builder().with(limits).pool(pool).start().await;
    let failures = async || gateway.metric("gatewright_server_failures_total").await;

    let half = "PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhalf";
    assert_eq!(gateway.exchange(half).await.status(), 408);

    let mut greedy = gateway.connect().await;
    greedy
        .send("PUT / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n")
        .await;
    greedy.send_chunk(&[b'x'; 2000]).await;
    assert_eq!(greedy.response().await.status(), 413);

    for left_behind in [half, &get("/")] {
        let mut client = gateway.connect().await;
        client.send(left_behind).await;
        eventually("it is in flight", async || gateway.active().await == 1).await;
        drop(client);
        gateway.settles().await;
    }
    assert_eq!(failures().await, 0.0);

    assert_eq!(gateway.get("/break").await.status(), 502);
    assert_eq!(failures().await, 1.0, "that was the server's own");
}

#[tokio::test]
async fn more_connections_than_allowed_wait_for_room() {
    let server = Upstream::named("a").await;
    let builder = Gateway::builder().with("[limits]\nconnections = 2");
    let gateway = builder.pool(Pool::of(&[&server])).start().await;
    let [mut first, mut second] = [gateway.connect().await, gateway.connect().await];
    for client in [&mut first, &mut second] {
        client.send(get("/")).await;
        assert_eq!(client.response().await.status(), 200);
    }
    let mut third = gateway.connect().await;
    third.send(get("/")).await;
    first.send(get("/")).await;
    assert_eq!(first.response().await.status(), 200);
    assert_eq!(server.requests().len(), 3, "the third waits");
    drop(first);
    assert_eq!(third.response().await.status(), 200);
}

#[tokio::test]
async fn all_listeners_together_take_no_more_connections_than_allowed() {
    let server = Upstream::named("a").await;
    let builder = Gateway::builder()
        .tls("self_signed = true")
        .with("[limits]\nconnections = 1");
    let gateway = builder.pool(Pool::of(&[&server])).start().await;
    let mut first = gateway.connect().await;
    first.send(get("/")).await;
    assert_eq!(first.response().await.status(), 200);
    // The system takes the connection; the gateway must not.
    let second = TcpStream::connect(gateway.tls_address()).await;
    for _ in 0..3 {
        first.send(get("/")).await;
        assert_eq!(first.response().await.status(), 200);
    }
    assert_eq!(gateway.metric("gatewright_connections").await, 1.0);
    drop((first, second));
    let mut third = Client::https(gateway.tls_address(), &["h2"]).await;
    assert_eq!(third.get("/").await.body(), "a");
}

#[tokio::test]
async fn a_connection_that_has_begun_as_http_1_does_not_become_another_protocol() {
    let server = Upstream::named("a").await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    let http2 = [PREFACE, &settings(&[]), &http2::get(1, "/hidden")].concat();
    let mut client = gateway.connect().await;
    client.send(get("/")).await;
    assert_eq!(client.response().await.text(), "a");
    client.send(&http2).await;
    assert!(client.is_closed().await);
    let mut client = gateway.connect().await;
    client.send([get("/").as_bytes(), &http2].concat()).await;
    assert_eq!(client.response().await.text(), "a");
    assert!(client.is_closed().await);
    assert_eq!(server.requests().len(), 2);
}
