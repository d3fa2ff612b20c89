//! What becomes of requests beside being served: copies of them for a second
//! pool, and faults on purpose.

use std::time::Instant;

use crate::support::{Builder, Gateway, Pool, Upstream, eventually, get, plain};

/// A gateway whose pool is mirrored to another.
async fn mirrored(server: &Upstream, second: Pool, mirror: &str) -> Gateway {
    let pool = Pool::of(&[server]).with("mirror", mirror);
    let builder = Builder::new().top("default_pool = \"web\"");
    builder
        .pool(pool)
        .pool(second.named("second"))
        .start()
        .await
}

#[tokio::test]
async fn copies_are_like_the_requests_and_their_answers_are_not_seen() {
    let first = Upstream::named("first").await;
    let second = Upstream::named("second").await;
    let gateway = mirrored(&first, Pool::of(&[&second]), "\"second\"").await;
    let post = "POST /a?b=c HTTP/1.1\r\nhost: shop\r\nx-own: yes\r\ncontent-length: 5\r\n\r\nhello";
    let chunked = "PUT /d HTTP/1.1\r\nhost: shop\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    for request in [get("/").as_str(), post, chunked] {
        assert_eq!(gateway.exchange(request).await.text(), "first");
    }
    eventually("three copies", async || second.requests().len() == 3).await;
    let mut copies = second.requests();
    copies.sort_by_key(|copy| copy.target().to_owned());
    let [_, posted, put] = &copies[..] else {
        panic!("{copies:?}");
    };
    assert_eq!((posted.method(), posted.target()), ("POST", "/a?b=c"));
    assert_eq!(posted.header("host"), Some("shop"));
    assert_eq!(posted.header("x-own"), Some("yes"));
    assert_eq!((posted.text(), put.text()), ("hello", "hello"));
    eventually("all are counted", async || {
        gateway.metric("gatewright_mirrored_total").await == 3.0
    })
    .await;
}

#[tokio::test]
async fn a_mirror_that_fails_or_says_nothing_is_not_noticed() {
    let first = Upstream::named("first").await;
    let silent = silent().await;
    for second in [Pool::at(&[Upstream::nowhere()]), Pool::of(&[&silent])] {
        let gateway = mirrored(&first, second, "\"second\"").await;
        for _ in 0..300 {
            assert_eq!(gateway.get("/").await.text(), "first");
        }
        assert_eq!(gateway.metric("gatewright_retries_total").await, 0.0);
        eventually("those that could not be sent are counted", async || {
            gateway.metric("gatewright_unmirrored_total").await >= 150.0
        })
        .await;
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_to_keep_is_not_copied() {
    let first = Upstream::answering(|request| plain(&request.body.len().to_string())).await;
    let second = Upstream::named("second").await;
    let gateway = mirrored(&first, Pool::of(&[&second]), "\"second\"").await;
    let large = "x".repeat(100_000);
    let post = format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\n{large}");
    assert_eq!(gateway.exchange(post).await.text(), "100000");
    eventually("it is counted", async || {
        gateway.metric("gatewright_unmirrored_total").await == 1.0
    })
    .await;
    assert!(second.requests().is_empty());
}

/// A server that never answers.
async fn silent() -> Upstream {
    Upstream::scripted(|mut peer| async move {
        peer.request().await;
        peer.stall().await;
    })
    .await
}

#[tokio::test]
async fn a_copy_that_lasts_holds_no_clients_place() {
    let (first, silent) = (Upstream::named("first").await, silent().await);
    let pool = Pool::of(&[&first]).with("mirror", "\"second\"");
    let gateway = Builder::new()
        .top("default_pool = \"web\"")
        .with("[limits]\nconnections = 1")
        .pool(pool)
        .pool(Pool::of(&[&silent]).named("second"));
    let gateway = gateway.start().await;
    for _ in 0..3 {
        assert_eq!(gateway.get("/").await.text(), "first");
    }
    eventually("all are copied", async || silent.requests().len() == 3).await;
}

#[tokio::test]
async fn uploads_that_never_end_do_not_keep_others_from_being_copied() {
    // One more than copies may be under way.
    const UPLOADS: usize = 129;
    let first = Upstream::named("first").await;
    let second = Upstream::named("second").await;
    let gateway = mirrored(&first, Pool::of(&[&second]), "\"second\"").await;
    let mut uploads = Vec::new();
    for _ in 0..UPLOADS {
        let mut client = gateway.connect().await;
        let post = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nx";
        client.send(post).await;
        uploads.push(client);
    }
    eventually("all are under way", async || {
        gateway.active().await == UPLOADS as u64
    })
    .await;
    assert_eq!(gateway.get("/").await.text(), "first");
    eventually("it is copied", async || second.requests().len() == 1).await;
    assert_eq!(gateway.metric("gatewright_unmirrored_total").await, 0.0);
}

#[tokio::test]
async fn a_copy_whose_answer_has_no_end_has_one_itself() {
    let first = Upstream::named("first").await;
    let trickling = Upstream::scripted(|mut peer| async move {
        peer.request().await;
        peer.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            .await;
        while peer.try_send("1\r\nx\r\n").await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    })
    .await;
    let second = Pool::of(&[&trickling]).with("request_timeout", "\"200ms\"");
    let gateway = mirrored(&first, second, "\"second\"").await;
    assert_eq!(gateway.get("/").await.text(), "first");
    eventually("it is given up", async || {
        gateway.metric("gatewright_unmirrored_total").await == 1.0
    })
    .await;
    gateway.settles().await;
}

#[tokio::test]
async fn a_share_of_the_requests_is_copied() {
    let first = Upstream::named("first").await;
    let second = Upstream::named("second").await;
    let share = "{ pool = \"second\", percent = 20 }";
    let gateway = mirrored(&first, Pool::of(&[&second]), share).await;
    let mut client = gateway.connect().await;
    for _ in 0..1000 {
        client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        client.response().await;
    }
    gateway.settles().await;
    let copies = gateway.metric("gatewright_mirrored_total").await;
    // Within eight standard deviations of 200.
    assert!((100.0..300.0).contains(&copies), "{copies}");
}

#[tokio::test]
async fn faults_hold_up_and_fail_as_many_requests_as_asked() {
    let server = Upstream::named("a").await;
    let faults = "{ delay = \"300ms\", abort = 503, abort_percent = 50 }";
    let gateway = Gateway::before(Pool::of(&[&server]).with("faults", faults)).await;
    let mut failed = 0;
    for _ in 0..12 {
        let asked = Instant::now();
        let response = gateway.get("/").await;
        assert!(asked.elapsed().as_millis() >= 300, "it is held up");
        failed += usize::from(response.status() == 503);
    }
    assert!((1..12).contains(&failed), "{failed} of 12");
    assert_eq!(server.requests().len(), 12 - failed);
}
