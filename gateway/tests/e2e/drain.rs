//! The end of a gateway: what runs is finished, and nothing new is begun.

use std::process::Command;

use bytes::Bytes;
use http::Request;

use crate::support::http2::{self, Frames, kind};
use crate::support::{
    BINARY, Builder, Client, Gateway, Pipe, Pool, Upstream, body_of, empty, eventually, get, plain,
    soon,
};

#[tokio::test]
async fn a_request_under_way_is_finished_before_the_gateway_ends() {
    let server = Upstream::in_two_halves().await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    let mut client = gateway.connect().await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    client.head().await.expect("a response");
    gateway.terminate();
    eventually("new clients are refused", async || !gateway.accepts().await).await;
    server.resume();
    assert_eq!(client.bytes(10).await, b"helloworld");
    assert!(client.is_closed().await);
    assert_eq!(gateway.exit_code().await, 0);
}

#[tokio::test]
async fn a_request_that_is_on_its_way_is_answered_and_told_that_it_was_the_last() {
    let server = Upstream::scripted(|mut peer| async move {
        let request = peer.request().await.expect("a request");
        peer.send("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n")
            .await;
        if request.target() == "/slow" {
            peer.resumed().await;
        }
        peer.send("a").await;
    })
    .await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    let [mut at_rest, mut fresh] = [gateway.connect().await, gateway.connect().await];
    at_rest.send(get("/")).await;
    assert_eq!(at_rest.response().await.header("connection"), None);
    // Something under way holds the end up, and is what the draining is seen by.
    let mut busy = gateway.connect().await;
    busy.send(get("/slow")).await;
    busy.head().await.expect("a response");
    gateway.terminate();
    eventually("new clients are refused", async || !gateway.accepts().await).await;
    for client in [&mut at_rest, &mut fresh] {
        client.send(get("/")).await;
        let answer = client.response().await;
        assert_eq!(answer.text(), "a");
        assert_eq!(answer.header("connection"), Some("close"));
        assert!(client.is_closed().await);
    }
    server.resume();
    assert_eq!(gateway.exit_code().await, 0);
}

#[tokio::test]
async fn a_client_of_http2_is_told_to_go_away_and_loses_nothing() {
    let server = Upstream::in_two_halves().await;
    let builder = Gateway::builder().pool(Pool::of(&[&server]));
    let gateway = builder.start().await;
    let mut client = Frames::begun(gateway.address(), &[]).await;
    client.send(http2::get(1, "/")).await;
    client.find(|frame| frame.is(kind::HEADERS)).await;
    gateway.terminate();
    client.find(|frame| frame.is(kind::GOAWAY)).await;
    server.resume();
    client.find(|frame| frame.stream == 1 && frame.ends()).await;
    assert_eq!(gateway.exit_code().await, 0);
}

#[tokio::test]
async fn what_a_client_of_http2_has_yet_to_take_reaches_it_though_it_goes_on_telling_its_room() {
    const LENGTH: u32 = 96 << 10;
    let server = Upstream::answering(|_| plain(&"x".repeat(LENGTH as usize))).await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    let handshake = h2::client::Builder::new()
        .initial_window_size(LENGTH)
        .initial_connection_window_size(LENGTH)
        .handshake::<_, Bytes>(gateway.connect_narrow(8 << 10).await.stream);
    let (mut sender, connection) = soon("a handshake", handshake).await.expect("HTTP/2");
    let mut connection = Box::pin(connection);
    let request = Request::get("http://localhost/").body(()).expect("one");
    let (response, _) = sender.send_request(request, true).expect("a stream");
    let response = tokio::select! {
        response = response => response.expect("a response"),
        _ = &mut connection => panic!("the connection ended"),
    };
    // From here on nothing is read: what has not come lies in the systems' memory.
    gateway.settles().await;
    gateway.terminate();
    eventually("new clients are refused", async || !gateway.accepts().await).await;
    tokio::spawn(connection);
    let mut body = response.into_body();
    let mut read = 0;
    while let Some(piece) = soon("a piece", body.data()).await {
        let length = piece.expect("no reset").len();
        read += length;
        body.flow_control().release_capacity(length).expect("room");
    }
    assert_eq!(read, LENGTH as usize);
    drop(sender);
    assert_eq!(gateway.exit_code().await, 0);
}

#[tokio::test]
async fn idle_connections_do_not_hold_the_end_up() {
    let server = Upstream::named("a").await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    let mut idle = [gateway.connect().await, gateway.connect().await];
    idle[0].send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(idle[0].response().await.status(), 200);
    gateway.terminate();
    for client in &mut idle {
        assert!(client.is_closed().await);
    }
    assert_eq!(gateway.exit_code().await, 0);
}

#[tokio::test]
async fn a_request_that_does_not_end_is_cut_when_patience_is_over() {
    let server = Upstream::in_two_halves().await;
    let gateway = Gateway::builder()
        .with("[timeouts]\ndrain = \"100ms\"")
        .pool(Pool::of(&[&server]));
    let gateway = gateway.start().await;
    let mut client = gateway.connect().await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    client.head().await.expect("a response");
    gateway.terminate();
    assert_eq!(client.rest().await, b"hello");
    assert_eq!(gateway.exit_code().await, 0);
}

/// A server that reads requests and answers none, and a gateway whose time to drain
/// is short.
async fn before_silence() -> (Gateway, Upstream) {
    let server = Upstream::scripted(|mut peer| async move {
        peer.request().await;
        peer.stall().await;
    })
    .await;
    let gateway = Gateway::builder()
        .with("[timeouts]\ndrain = \"200ms\"")
        .tls("self_signed = true")
        .pool(Pool::of(&[&server]));
    (gateway.start().await, server)
}

#[tokio::test]
async fn a_request_without_an_answer_is_refused_when_patience_is_over() {
    let (gateway, server) = before_silence().await;
    let mut client = gateway.connect().await;
    client.send(get("/")).await;
    eventually("the server has it", async || server.requests().len() == 1).await;
    gateway.terminate();
    let refused = client.response().await;
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(refused.header("connection"), Some("close"));
    assert!(refused.error().contains("ending"), "{}", refused.text());
    assert!(client.is_closed().await);
    assert_eq!(gateway.exit_code().await, 0);
}

#[tokio::test]
async fn a_stream_without_an_answer_is_refused_when_patience_is_over() {
    let (gateway, server) = before_silence().await;
    let mut client = Client::https(gateway.tls_address(), &["h2"]).await;
    let request = Request::get("https://localhost/").body(empty());
    let sending = client.send(request.expect("a request"));
    let (refused, ()) = tokio::join!(sending, async {
        eventually("the server has it", async || server.requests().len() == 1).await;
        gateway.terminate();
    });
    let refused = refused.expect("a response");
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.headers()["retry-after"], "1");
    let body = body_of(refused.into_body()).await.expect("a whole body");
    assert!(body.starts_with(b"{\"error\""), "{body:?}");
    assert_eq!(gateway.exit_code().await, 0);
}

#[tokio::test]
async fn a_request_that_is_held_up_on_purpose_is_refused_too_when_patience_is_over() {
    let server = Upstream::named("a").await;
    let pool = Pool::of(&[&server]).with("faults", "{ delay = \"30s\" }");
    let gateway = Gateway::builder()
        .with("[timeouts]\ndrain = \"200ms\"")
        .tls("self_signed = true")
        .pool(pool);
    let gateway = gateway.start().await;
    let mut client = Client::https(gateway.tls_address(), &["h2"]).await;
    let request = Request::get("https://localhost/").body(empty());
    let sending = client.send(request.expect("a request"));
    let (refused, ()) = tokio::join!(sending, async {
        eventually("it is held up", async || {
            gateway.metric("gatewright_requests_in_flight").await == 1.0
        })
        .await;
        gateway.terminate();
    });
    assert_eq!(refused.expect("a response").status(), 503);
    assert_eq!(gateway.exit_code().await, 0);
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once_whatever_is_under_way() {
    let server = Upstream::that_hangs().await;
    let gateway = Gateway::builder()
        .with("[timeouts]\ndrain = \"10m\"")
        .pool(Pool::of(&[&server]));
    let gateway = gateway.start().await;
    let mut client = gateway.connect().await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    client.head().await.expect("a response");
    gateway.terminate();
    eventually("new clients are refused", async || !gateway.accepts().await).await;
    gateway.terminate();
    assert_eq!(gateway.exit_code().await, 1);
    assert_eq!(client.rest().await, b"hello");
}

#[tokio::test]
async fn a_start_that_waits_for_a_file_ends_when_asked() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("gatewright.toml");
    let pipe = Pipe::at(&file);
    let arguments = ["run", "-c", "gatewright.toml"];
    let gateway = Gateway::spawn_as(Command::new(&*BINARY), &arguments, folder);
    let _writer = pipe.is_read().await;
    gateway.terminate();
    assert_eq!(gateway.exit_code().await, 0);
}

#[tokio::test]
async fn a_gateway_that_ends_is_not_ready() {
    let server = Upstream::in_two_halves().await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    let mut client = gateway.connect().await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    client.head().await.expect("a response");
    gateway.terminate();
    eventually("it says so", async || {
        gateway.admin("/readyz").await.status() == 503
    })
    .await;
    server.resume();
    assert_eq!(gateway.exit_code().await, 0);
}

#[tokio::test]
async fn a_stream_under_way_over_http2_is_finished_too() {
    let server = Upstream::in_two_halves().await;
    let builder = Builder::new().tls("self_signed = true");
    let gateway = builder.pool(Pool::of(&[&server])).start().await;
    let mut client = Client::https(gateway.tls_address(), &["h2"]).await;
    let request = Request::get("https://localhost/").body(empty());
    let response = client.send(request.expect("a request")).await;
    gateway.terminate();
    eventually("new clients are refused", async || !gateway.accepts().await).await;
    server.resume();
    let body = response.expect("a response").into_body();
    assert_eq!(body_of(body).await.expect("a whole body"), "helloworld");
    assert_eq!(gateway.exit_code().await, 0);
}

#[tokio::test]
async fn what_is_under_way_with_a_removed_server_is_cut_when_its_time_is_over() {
    let [a, b] = [
        Upstream::in_two_halves().await,
        Upstream::in_two_halves().await,
    ];
    let gateway = Gateway::builder()
        .with("[timeouts]\ndrain = \"1s\"")
        .pool(Pool::of(&[&a, &b]));
    let gateway = gateway.start().await;
    let mut clients = [gateway.connect().await, gateway.connect().await];
    for client in &mut clients {
        client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        client.head().await.expect("a response");
    }
    let path = format!("/api/servers/{}", a.address());
    gateway
        .change("DELETE", &path, serde_json::Value::Null)
        .await;
    // Whichever client the server had: it loses the rest, the other does not.
    let [one, other] = &mut clients;
    let cut = tokio::select! {
        rest = one.rest() => rest,
        rest = other.rest() => rest,
    };
    assert_eq!(cut, b"hello");
    eventually("the server left has its request still", async || {
        gateway.active().await == 1
    })
    .await;
    b.resume();
}
