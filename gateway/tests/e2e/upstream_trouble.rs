//! Servers that misbehave: the client always gets a status that fits, or sees
//! that a body was cut short.

use std::time::Duration;

use crate::support::{Gateway, Message, Peer, Pool, Upstream, plain};

/// What a client gets from a pool of one such server, without retries.
async fn answer_by<F>(script: impl Fn(Peer) -> F + Send + 'static) -> Message
where
    F: Future<Output = ()> + Send + 'static,
{
    let server = Upstream::scripted(script).await;
    let retries = "{ attempts = 1, per_try_timeout = \"200ms\" }";
    let gateway = Gateway::before(Pool::of(&[&server]).with("retries", retries)).await;
    let response = gateway.get("/").await;
    gateway.settles().await;
    response
}

/// What a client gets from a server that sends these bytes and closes.
async fn answer_to(bytes: impl Into<Vec<u8>>) -> Message {
    let bytes: Vec<u8> = bytes.into();
    answer_by(move |mut peer| {
        let bytes = bytes.clone();
        async move {
            peer.request().await;
            peer.send(bytes).await;
        }
    })
    .await
}

#[tokio::test]
async fn a_server_that_refuses_connections_is_a_502_with_a_reason() {
    let gateway = Gateway::before(Pool::at(&[Upstream::nowhere()])).await;
    let response = gateway.get("/").await;
    assert_eq!(response.status(), 502);
    assert!(
        response.error().contains("cannot be reached"),
        "{response:?}"
    );
    gateway.settles().await;
}

#[tokio::test]
async fn a_server_that_accepts_and_closes_is_a_502() {
    let response = answer_by(|peer| async move { drop(peer) }).await;
    assert_eq!(response.status(), 502);
}

#[tokio::test]
async fn a_server_that_resets_is_a_502() {
    let reset = |mut peer: Peer| async move {
        peer.request().await;
        peer.reset();
    };
    let response = answer_by(reset).await;
    assert_eq!(response.status(), 502);
    assert!(response.error().contains("broke") || response.error().contains("closed"));
}

#[tokio::test]
async fn garbage_is_a_502() {
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 garbage\r\n\r\n"[..],
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
    ] {
        assert_eq!(answer_to(bytes).await.status(), 502, "{bytes:?}");
    }
}

#[tokio::test]
async fn a_head_that_breaks_off_is_a_502() {
    assert_eq!(
        answer_to("HTTP/1.1 200 OK\r\ncontent-le").await.status(),
        502
    );
}

#[tokio::test]
async fn ambiguous_responses_are_a_502() {
    for head in [
        "content-length: 2\r\ntransfer-encoding: chunked",
        "content-length: 2\r\ncontent-length: 3",
        "content-length: 2, 3",
        "content-length: +2",
        "transfer-encoding: gzip, chunked",
    ] {
        let response = answer_to(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\nhi")).await;
        assert_eq!(response.status(), 502, "{head}");
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_reaches_the_client_broken_off() {
    for (head, body) in [
        ("content-length: 100", "only this"),
        ("transfer-encoding: chunked", "9\r\nonly this\r\n"),
        ("transfer-encoding: chunked", "20\r\nonly this"),
    ] {
        let response = answer_to(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{body}")).await;
        assert_eq!(response.status(), 200);
        assert!(!response.is_whole, "{head}: {response:?}");
    }
}

#[tokio::test]
async fn malformed_chunks_reach_the_client_as_a_broken_body() {
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked";
    let response = answer_to(format!("{head}\r\n\r\n2\r\nhi\r\nno size\r\n")).await;
    assert!(!response.is_whole, "{response:?}");
}

#[tokio::test]
async fn a_head_without_end_is_a_502() {
    let response = answer_by(|mut peer| async move {
        peer.request().await;
        let _ = peer.try_send("HTTP/1.1 200 OK\r\n").await;
        while peer.try_send("x-more: of the same\r\n").await.is_ok() {}
    })
    .await;
    assert_eq!(response.status(), 502);
}

#[tokio::test]
async fn too_long_a_head_is_a_502() {
    let long = "x".repeat(65 << 10);
    let response = answer_to(format!("HTTP/1.1 200 OK\r\nx-long: {long}\r\n\r\n")).await;
    assert_eq!(response.status(), 502);
}

#[tokio::test]
async fn a_server_that_stalls_is_a_504_with_a_reason() {
    let response = answer_by(|peer| async move { peer.stall().await }).await;
    assert_eq!(response.status(), 504);
    assert!(response.error().contains("in time"), "{response:?}");
}

#[tokio::test]
async fn a_body_that_stalls_reaches_the_client_broken_off() {
    let server = Upstream::scripted(|mut peer| async move {
        peer.request().await;
        peer.send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nonly")
            .await;
        peer.stall().await;
    })
    .await;
    let gateway = Gateway::builder().with("[timeouts]\nbody_idle = \"100ms\"");
    let gateway = gateway.pool(Pool::of(&[&server])).start().await;
    let response = gateway.get("/").await;
    assert_eq!((response.status(), response.is_whole), (200, false));
    gateway.settles().await;
}

#[tokio::test]
async fn the_whole_request_has_a_limit_beside_that_of_an_attempt() {
    let server = Upstream::scripted(|peer| async move { peer.stall().await }).await;
    let pool = Pool::of(&[&server]).with("request_timeout", "\"200ms\"");
    let gateway = Gateway::before(pool).await;
    assert_eq!(gateway.get("/").await.status(), 504);
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn without_a_limit_a_server_may_think() {
    let server = Upstream::scripted(|mut peer| async move {
        peer.request().await;
        // Longer than the gateway's deadlines are coarse.
        tokio::time::sleep(Duration::from_millis(250)).await;
        peer.send(plain("late")).await;
    })
    .await;
    let pool = Pool::of(&[&server]).with("request_timeout", "\"0s\"");
    let gateway = Gateway::before(pool).await;
    assert_eq!(gateway.get("/").await.text(), "late");
}

#[tokio::test]
async fn a_response_may_come_byte_by_byte() {
    let response = answer_by(|mut peer| async move {
        peer.request().await;
        let bytes = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
        for byte in bytes.bytes() {
            peer.send([byte]).await;
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!((response.text(), response.is_whole), ("hello", true));
}

#[tokio::test]
async fn interim_responses_stay_with_the_gateway() {
    let response = answer_to(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n\
         HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi",
    )
    .await;
    assert_eq!((response.status(), response.text()), (200, "hi"));
}

#[tokio::test]
async fn interim_responses_without_end_are_a_502() {
    let interim = "HTTP/1.1 102 Processing\r\n\r\n";
    let whole = |count| interim.repeat(count) + &plain("hi");
    assert_eq!(answer_to(whole(16)).await.text(), "hi");
    let response = answer_to(whole(17)).await;
    assert_eq!(response.status(), 502);
    assert!(response.error().contains("interim"), "{response:?}");
}

#[tokio::test]
async fn each_response_on_a_connection_may_have_its_interim_ones() {
    let interim = "HTTP/1.1 102 Processing\r\n\r\n";
    let server = Upstream::answering(move |_| interim.repeat(10) + &plain("hi")).await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    for _ in 0..3 {
        assert_eq!(gateway.get("/").await.text(), "hi");
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn an_early_response_reaches_a_client_that_is_still_sending() {
    let server = Upstream::scripted(|mut peer| async move {
        peer.head().await;
        peer.send("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno")
            .await;
        peer.stall().await;
    })
    .await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    let mut client = gateway.connect().await;
    client
        .send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\nbegin")
        .await;
    let response = client.response().await;
    assert_eq!((response.status(), response.text()), (403, "no"));
    drop(client);
    gateway.settles().await;
}

#[tokio::test]
async fn an_upload_that_moves_is_not_cut_though_its_response_began_before() {
    const PIECES: usize = 20;
    let server = Upstream::scripted(|mut peer| async move {
        peer.head().await;
        peer.send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n")
            .await;
        let received = peer.bytes(PIECES).await;
        peer.send(format!("{:04}", received.len())).await;
    })
    .await;
    let builder = Gateway::builder().with("[timeouts]\nbody_idle = \"500ms\"");
    let gateway = builder.pool(Pool::of(&[&server])).start().await;
    let mut client = gateway.connect().await;
    client
        .send(format!(
            "PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: {PIECES}\r\n\r\n"
        ))
        .await;
    client.head().await.expect("an early head");
    for _ in 0..PIECES {
        // Together three times what it may stand still.
        tokio::time::sleep(Duration::from_millis(75)).await;
        client.send("x").await;
    }
    assert_eq!(client.bytes(4).await, format!("{PIECES:04}").as_bytes());
    gateway.settles().await;
}
