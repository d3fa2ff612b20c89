//! When a request is sent again, and when it must not be.

use std::net::SocketAddr;

use crate::support::{Gateway, Pool, Upstream, plain};

/// A server that takes a whole request and then resets the connection.
async fn resetting() -> Upstream {
    Upstream::scripted(|mut peer| async move {
        peer.request().await;
        peer.reset();
    })
    .await
}

/// A gateway that begins with the first of these servers.
async fn in_order(servers: &[SocketAddr], attempts: u32) -> Gateway {
    let retries = format!("{{ attempts = {attempts}, budget = 1.0 }}");
    let pool = Pool::at(servers).with("retries", retries);
    Gateway::before(pool.with("balancer", "\"round-robin\"")).await
}

#[tokio::test]
async fn an_idempotent_request_goes_to_another_server_after_a_reset() {
    let [bad, good] = [resetting().await, Upstream::named("good").await];
    let gateway = in_order(&[bad.address(), good.address()], 2).await;
    for _ in 0..4 {
        assert_eq!(gateway.get("/").await.text(), "good");
    }
    assert!(!bad.requests().is_empty());
}

#[tokio::test]
async fn the_body_is_sent_again_with_the_request() {
    let [bad, good] = [resetting().await, Upstream::named("good").await];
    let gateway = in_order(&[bad.address(), good.address()], 2).await;
    for _ in 0..2 {
        let head = "PUT / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
        let response = gateway
            .exchange(format!("{head}5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"))
            .await;
        assert_eq!(response.text(), "good");
    }
    assert!(!bad.requests().is_empty());
    assert!(
        bad.requests()
            .iter()
            .all(|request| request.text() == "hello world")
    );
    assert!(
        good.requests()
            .iter()
            .all(|request| request.text() == "hello world")
    );
}

#[tokio::test]
async fn a_body_too_long_to_keep_is_not_sent_again() {
    let [bad, good] = [resetting().await, Upstream::named("good").await];
    let pool = Pool::at(&[bad.address(), good.address()]).with("balancer", "\"round-robin\"");
    let gateway = Gateway::builder()
        .with("[limits]\nreplay_body = \"1KiB\"")
        .pool(pool);
    let gateway = gateway.start().await;
    let mut statuses = Vec::new();
    for _ in 0..2 {
        let body = "x".repeat(2000);
        let head = "PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 2000\r\n\r\n";
        statuses.push(gateway.exchange(format!("{head}{body}")).await.status());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 502]);
    assert_eq!((bad.requests().len(), good.requests().len()), (1, 1));
}

#[tokio::test]
async fn a_body_is_kept_for_another_server_up_to_the_limit_and_no_further() {
    for (length, status) in [(1024, 200), (1025, 502)] {
        let [bad, good] = [resetting().await, Upstream::named("good").await];
        let pool = Pool::of(&[&bad, &good]).with("balancer", "\"round-robin\"");
        let builder = Gateway::builder().with("[limits]\nreplay_body = \"1KiB\"");
        let gateway = builder.pool(pool).start().await;
        let mut client = gateway.connect().await;
        // In pieces: it is their sum that counts.
        client
            .send("PUT / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n")
            .await;
        for piece in "x".repeat(length).as_bytes().chunks(200) {
            client.send_chunk(piece).await;
        }
        client.send_chunk(b"").await;
        assert_eq!(client.response().await.status(), status, "{length}");
        assert_eq!(bad.request().body.len(), length);
        let sent_again = good.requests().pop().map(|request| request.body.len());
        assert_eq!(sent_again, (status == 200).then_some(length));
    }
}

#[tokio::test]
async fn a_body_too_long_to_keep_reaches_the_first_server_that_can_be_reached() {
    let good = Upstream::named("good").await;
    let pool = Pool::at(&[Upstream::nowhere(), good.address()]);
    let gateway = Gateway::builder().with("[limits]\nreplay_body = \"1KiB\"");
    let pool = pool.with("balancer", "\"round-robin\"");
    let gateway = gateway.pool(pool).start().await;
    let body = "x".repeat(100_000);
    let put = format!("PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\n{body}");
    for _ in 0..2 {
        assert_eq!(gateway.exchange(&put).await.text(), "good");
    }
    assert!(good.requests().iter().all(|request| request.text() == body));
}

#[tokio::test]
async fn a_post_that_was_sent_is_never_sent_again() {
    let bad = [resetting().await, resetting().await];
    let gateway = in_order(&[bad[0].address(), bad[1].address()], 3).await;
    let response = gateway
        .exchange("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi")
        .await;
    assert_eq!(response.status(), 502);
    assert_eq!(bad[0].requests().len() + bad[1].requests().len(), 1);
    assert_eq!(bad[0].connections() + bad[1].connections(), 1);
}

#[tokio::test]
async fn a_post_that_found_no_connection_goes_to_another_server() {
    let good = Upstream::named("good").await;
    let gateway = in_order(&[Upstream::nowhere(), good.address()], 2).await;
    for _ in 0..4 {
        let post = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi";
        assert_eq!(gateway.exchange(post).await.text(), "good");
    }
    assert!(good.requests().iter().all(|request| request.text() == "hi"));
}

#[tokio::test]
async fn a_post_on_a_connection_that_the_server_had_closed_is_not_lost() {
    let server = Upstream::answering(|_| plain("a")).await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    assert_eq!(gateway.get("/").await.text(), "a");
    let server = Upstream::named_at("b", server.kill().await).await;
    let post = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi";
    assert_eq!(gateway.exchange(post).await.text(), "b");
    assert_eq!(server.request().text(), "hi");
}

#[tokio::test]
async fn no_more_attempts_are_made_than_allowed_and_none_twice_on_a_server() {
    let bad = [
        resetting().await,
        resetting().await,
        resetting().await,
        resetting().await,
    ];
    let addresses: Vec<_> = bad.iter().map(Upstream::address).collect();
    let gateway = in_order(&addresses, 3).await;
    assert_eq!(gateway.get("/").await.status(), 502);
    let mut attempts = bad.each_ref().map(|server| server.requests().len());
    attempts.sort_unstable();
    assert_eq!(attempts, [0, 1, 1, 1]);
    gateway.settles().await;
}

#[tokio::test]
async fn no_retry_follows_once_a_response_has_begun() {
    let cutting = || {
        Upstream::scripted(|mut peer| async move {
            peer.request().await;
            peer.send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")
                .await;
        })
    };
    let bad = [cutting().await, cutting().await];
    let gateway = in_order(&[bad[0].address(), bad[1].address()], 3).await;
    let response = gateway.get("/").await;
    assert_eq!((response.status(), response.is_whole), (200, false));
    assert_eq!(bad[0].requests().len() + bad[1].requests().len(), 1);
}

#[tokio::test]
async fn the_budget_bounds_the_retries_to_a_failing_pool() {
    let bad = [resetting().await, resetting().await];
    let addresses: Vec<_> = bad.iter().map(Upstream::address).collect();
    let pool = Pool::at(&addresses).with("retries", "{ attempts = 2, budget = 0.0 }");
    let gateway = Gateway::before(pool).await;
    for _ in 0..100 {
        assert_eq!(gateway.get("/").await.status(), 502);
    }
    // Without a share there is the reserve alone: ten, and ten by the second.
    let attempts: usize = bad.iter().map(|server| server.requests().len()).sum();
    assert!((100..200).contains(&attempts), "{attempts}");
}

#[tokio::test]
async fn a_post_that_was_not_answered_in_time_is_never_sent_again() {
    let stalling = || {
        Upstream::scripted(|mut peer| async move {
            peer.request().await;
            peer.stall().await;
        })
    };
    let slow = [stalling().await, stalling().await];
    let retries = "{ attempts = 2, per_try_timeout = \"100ms\" }";
    let pool = Pool::of(&[&slow[0], &slow[1]]).with("retries", retries);
    let gateway = Gateway::before(pool).await;
    let post = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi";
    assert_eq!(gateway.exchange(post).await.status(), 504);
    assert_eq!(slow[0].connections() + slow[1].connections(), 1);
    assert_eq!(gateway.get("/").await.status(), 504);
    assert_eq!(slow[0].requests().len() + slow[1].requests().len(), 3);
}
