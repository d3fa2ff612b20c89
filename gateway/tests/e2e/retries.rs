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

/// What a server says that has too much to do.
const OVERLOADED: &str =
    "HTTP/1.1 503 Service Unavailable\r\nx-why: busy\r\ncontent-length: 4\r\n\r\nbusy";

/// A gateway that goes elsewhere after a 503, begins with the first server, and
/// gives no server up.
async fn minding(servers: &[&Upstream]) -> Gateway {
    let retries = "{ attempts = 3, budget = 1.0, statuses = [500, 503] }";
    let pool = Pool::of(servers).with("retries", retries);
    let pool = pool.with("breaker", "false");
    Gateway::before(pool.with("balancer", "\"round-robin\"")).await
}

#[tokio::test]
async fn a_status_that_is_named_leads_to_another_server_and_harms_no_connection() {
    let bad = Upstream::answering(|_| OVERLOADED.to_owned()).await;
    let good = Upstream::named("good").await;
    let gateway = minding(&[&bad, &good]).await;
    let put = "PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi";
    for _ in 0..10 {
        assert_eq!(gateway.get("/").await.text(), "good");
        assert_eq!(gateway.exchange(put).await.text(), "good");
    }
    assert!(bad.requests().len() >= 5);
    assert_eq!(bad.connections(), 1, "it serves again");
    let bodies = good
        .requests()
        .into_iter()
        .filter(|it| it.method() == "PUT");
    assert!(
        bodies
            .map(|it| it.text().to_owned())
            .all(|body| body == "hi")
    );
    gateway.settles().await;
}

#[tokio::test]
async fn a_response_that_streams_is_given_up_without_harm_too() {
    let bad = Upstream::scripted(|mut peer| async move {
        while peer.request().await.is_some() {
            let head = "HTTP/1.1 503 Service Unavailable\r\ntransfer-encoding: chunked\r\n\r\n";
            peer.send(head).await;
            peer.send_chunk(b"I am").await;
            peer.send_chunk(b" busy").await;
            peer.send_chunk(b"").await;
        }
    })
    .await;
    let good = Upstream::named("good").await;
    let gateway = minding(&[&bad, &good]).await;
    for _ in 0..10 {
        assert_eq!(gateway.get("/").await.text(), "good");
        gateway.settles().await;
    }
    assert!(bad.requests().len() >= 5);
    assert_eq!(bad.connections(), 1);
}

#[tokio::test]
async fn where_no_attempt_is_left_the_client_gets_the_last_response_itself() {
    let bad = || Upstream::answering(|_| OVERLOADED.to_owned());
    let servers = [bad().await, bad().await];
    let gateway = minding(&[&servers[0], &servers[1]]).await;
    let response = gateway.get("/").await;
    assert_eq!((response.status(), response.text()), (503, "busy"));
    assert_eq!(response.header("x-why"), Some("busy"));
    assert_eq!(servers[0].requests().len() + servers[1].requests().len(), 2);
    gateway.settles().await;
}

#[tokio::test]
async fn a_post_is_answered_with_whatever_status_its_server_has_said() {
    let bad = || Upstream::answering(|_| OVERLOADED.to_owned());
    let servers = [bad().await, bad().await];
    let gateway = minding(&[&servers[0], &servers[1]]).await;
    let post = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi";
    assert_eq!(gateway.exchange(post).await.text(), "busy");
    assert_eq!(servers[0].requests().len() + servers[1].requests().len(), 1);
}

#[tokio::test]
async fn attempts_end_with_the_time_of_the_request() {
    let stalling = || {
        Upstream::scripted(|mut peer| async move {
            peer.request().await;
            peer.stall().await;
        })
    };
    let slow = [stalling().await, stalling().await, stalling().await];
    let retries = "{ attempts = 3, budget = 1.0, per_try_timeout = \"400ms\" }";
    let pool = Pool::of(&[&slow[0], &slow[1], &slow[2]]).with("retries", retries);
    let gateway = Gateway::before(pool.with("request_timeout", "\"600ms\"")).await;
    assert_eq!(gateway.get("/").await.status(), 504);
    let attempts: usize = slow.iter().map(|server| server.requests().len()).sum();
    assert!((1..=2).contains(&attempts), "{attempts}");
}

/// How many requests a storm is made of, and of how many clients.
const STORM: (usize, usize) = (250, 8);

/// Ask as fast as answers come; how many there were, and how long that took, in
/// seconds.
async fn storm(gateway: &Gateway) -> (usize, f64) {
    let began = std::time::Instant::now();
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..STORM.1 {
        let mut client = gateway.connect().await;
        asking.spawn(async move {
            let mut answered = 0;
            for _ in 0..STORM.0 {
                client.send(crate::support::get("/")).await;
                answered += usize::from(client.response().await.status() == 200);
            }
            answered
        });
    }
    let answered = asking.join_all().await.into_iter().sum();
    (answered, began.elapsed().as_secs_f64())
}

#[tokio::test]
async fn a_pool_in_which_all_servers_fail_is_not_asked_ever_more() {
    let overloaded = || Upstream::answering(|_| OVERLOADED.to_owned());
    let retries = "{ attempts = 3, budget = 0.2, statuses = [503] }";
    // Each connection breaks with its second request.
    let breaking = || {
        Upstream::scripted(|mut peer| async move {
            peer.request().await;
            peer.send(plain("once")).await;
            peer.request().await;
            peer.reset();
        })
    };
    for how in ["503", "reset", "refused", "broken"] {
        let mut servers = Vec::new();
        for _ in 0..3 {
            match how {
                "503" => servers.push(overloaded().await),
                "reset" => servers.push(resetting().await),
                "broken" => servers.push(breaking().await),
                _ => {}
            }
        }
        let addresses: Vec<_> = match how {
            "refused" => (0..3).map(|_| Upstream::nowhere()).collect(),
            _ => servers.iter().map(Upstream::address).collect(),
        };
        let pool = Pool::at(&addresses).with("retries", retries);
        let gateway = Gateway::before(pool).await;
        let (answered, seconds) = storm(&gateway).await;
        assert_eq!(answered > 0, how == "broken", "{how}: {answered}");
        let offered = (STORM.0 * STORM.1) as f64;
        let attempts = gateway.metric("gatewright_server_requests_total").await;
        // The reserve, and what was saved for connections while all was well.
        let saved = match how {
            "refused" => 1000.0,
            _ => 0.0,
        };
        let allowed = offered * 1.2 + 10.0 * (seconds + 2.0) + saved;
        println!("{how}: {offered} requests, {attempts} attempts, {allowed:.0} allowed");
        assert!(attempts > offered, "{how}: {attempts}");
        assert!(attempts <= allowed, "{how}: {attempts} of {allowed}");
    }
}
