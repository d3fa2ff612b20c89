//! A second server is asked when the first does not answer soon.

use std::time::Duration;

use crate::support::{Gateway, Mood, Moody, Pool, Upstream, eventually, get, plain};

/// A server that answers after a while, which is longer than one hedges for.
async fn slow() -> Upstream {
    Upstream::scripted(|mut peer| async move {
        while peer.request().await.is_some() {
            tokio::time::sleep(Duration::from_millis(60)).await;
            peer.send(plain("slow")).await;
        }
    })
    .await
}

/// A pool in which each server's turn comes.
fn hedged(servers: &[&Upstream]) -> Pool {
    let pool = Pool::of(servers).with("hedge", "{ after = \"20ms\" }");
    pool.with("balancer", "\"round-robin\"")
}

#[tokio::test]
async fn a_server_that_is_slow_is_overtaken_and_every_count_stays_exact() {
    let (slow, good) = (Upstream::silent().await, Upstream::named("good").await);
    let pool = hedged(&[&slow, &good]).with("retries", "{ budget = 1.0 }");
    let gateway = Gateway::before(pool).await;
    for _ in 0..20 {
        assert_eq!(gateway.get("/").await.text(), "good");
    }
    let met = slow.requests().len();
    assert!(met >= 5, "{met}");
    for figure in ["gatewright_hedges_total", "gatewright_hedges_won_total"] {
        assert_eq!(gateway.metric(figure).await, met as f64, "{figure}");
    }
    gateway.settles().await;
}

#[tokio::test]
async fn a_server_that_answers_soon_is_the_only_one_asked() {
    let servers = [Upstream::named("a").await, Upstream::named("b").await];
    let pool = Pool::of(&[&servers[0], &servers[1]]).with("hedge", "{ after = \"1m\" }");
    let gateway = Gateway::before(pool).await;
    for _ in 0..20 {
        assert_eq!(gateway.get("/").await.status(), 200);
    }
    let asked = servers[0].requests().len() + servers[1].requests().len();
    assert_eq!(asked, 20);
    assert_eq!(gateway.metric("gatewright_hedges_total").await, 0.0);
}

#[tokio::test]
async fn what_may_not_be_done_twice_or_has_a_body_is_given_to_one_server() {
    for request in [
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n",
        "PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi",
    ] {
        let servers = [Upstream::silent().await, Upstream::silent().await];
        let pool = hedged(&[&servers[0], &servers[1]]).with("request_timeout", "\"300ms\"");
        let gateway = Gateway::before(pool).await;
        assert_eq!(gateway.exchange(request).await.status(), 504);
        assert_eq!(gateway.metric("gatewright_hedges_total").await, 0.0);
        let asked = servers[0].requests().len() + servers[1].requests().len();
        assert_eq!(asked, 1);
    }
}

#[tokio::test]
async fn the_first_server_still_wins_when_it_answers_first() {
    let gated = || {
        Upstream::scripted(|mut peer| async move {
            while peer.request().await.is_some() {
                peer.resumed().await;
                if peer.try_send(plain("first")).await.is_err() {
                    return;
                }
            }
        })
    };
    let servers = [gated().await, Upstream::silent().await];
    let gateway = Gateway::before(hedged(&[&servers[0], &servers[1]])).await;
    let mut client = gateway.connect().await;
    client.send(get("/")).await;
    eventually("both are asked", async || {
        servers.iter().all(|server| server.requests().len() == 1)
    })
    .await;
    servers[0].resume();
    assert_eq!(client.response().await.text(), "first");
    assert_eq!(gateway.metric("gatewright_hedges_won_total").await, 0.0);
    gateway.settles().await;
}

#[tokio::test]
async fn a_server_that_fails_fast_does_not_overtake_one_that_thinks() {
    let thinking = Upstream::scripted(|mut peer| async move {
        while peer.request().await.is_some() {
            peer.resumed().await;
            if peer.try_send(plain("thought")).await.is_err() {
                return;
            }
        }
    })
    .await;
    let failing = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";
    let failing = Upstream::answering(|_| failing.to_owned()).await;
    let gateway = Gateway::before(hedged(&[&thinking, &failing])).await;
    let mut client = gateway.connect().await;
    client.send(get("/")).await;
    eventually("the second has failed", async || {
        failing.requests().len() == 1
    })
    .await;
    thinking.resume();
    assert_eq!(client.response().await.text(), "thought");
    gateway.settles().await;
}

#[tokio::test]
async fn a_pool_that_is_slow_as_a_whole_is_not_given_twice_as_much() {
    let servers = [Upstream::silent().await, Upstream::silent().await];
    let pool = hedged(&[&servers[0], &servers[1]])
        .with("retries", "{ budget = 0.0 }")
        .with("request_timeout", "\"500ms\"");
    let gateway = Gateway::before(pool).await;
    let mut clients = Vec::new();
    for _ in 0..100 {
        let mut client = gateway.connect().await;
        client.send(get("/")).await;
        clients.push(client);
    }
    for client in &mut clients {
        assert_eq!(client.response().await.status(), 504);
    }
    // Without a share there is the reserve alone: ten, and ten by the second.
    let hedges = gateway.metric("gatewright_hedges_total").await;
    assert!((1.0..60.0).contains(&hedges), "{hedges}");
    gateway.settles().await;
}

#[tokio::test]
async fn a_server_with_an_open_circuit_is_nobodys_second_server() {
    let bad = Moody::named("bad").await;
    let slow = slow().await;
    let pool = Pool::at(&[bad.address(), slow.address()])
        .with("balancer", "\"round-robin\"")
        .with("hedge", "{ after = \"20ms\" }")
        .with("breaker", "{ open_time = \"1h\", max_open_time = \"1h\" }");
    let gateway = Gateway::before(pool).await;
    bad.is(Mood::Resetting);
    let of_bad = format!("/api/servers/{}", bad.address());
    eventually("its circuit is open", async || {
        gateway.get("/").await;
        gateway.api(&of_bad).await["circuit"] == "open"
    })
    .await;
    bad.is(Mood::Well);
    let asked = bad.asked();
    for _ in 0..5 {
        assert_eq!(gateway.get("/").await.text(), "slow");
    }
    assert_eq!(bad.asked(), asked);
    assert_eq!(gateway.api(&of_bad).await["circuit"], "open");
}

#[tokio::test]
async fn a_server_that_is_overtaken_on_and_on_gets_no_more_requests() {
    let (hangs, good) = (Upstream::silent().await, Upstream::named("good").await);
    let pool = hedged(&[&hangs, &good])
        .with("retries", "{ budget = 1.0 }")
        .with("breaker", "{ open_time = \"1h\", max_open_time = \"1h\" }");
    let gateway = Gateway::before(pool).await;
    let of_hanging = format!("/api/servers/{}", hangs.address());
    eventually("its circuit is open", async || {
        assert_eq!(gateway.get("/").await.text(), "good");
        gateway.api(&of_hanging).await["circuit"] == "open"
    })
    .await;
    // Ten may be by chance, and three open a circuit.
    assert_eq!(hangs.requests().len(), 13);
    for _ in 0..5 {
        assert_eq!(gateway.get("/").await.text(), "good");
    }
    assert_eq!(hangs.requests().len(), 13);
}

#[tokio::test]
async fn a_session_stays_with_its_server_for_a_moments_slowness() {
    let (a, b) = (slow().await, slow().await);
    let pool = hedged(&[&a, &b])
        .with("retries", "{ budget = 1.0 }")
        .with("affinity", "\"sticky-cookie\"");
    let gateway = Gateway::before(pool).await;
    let first = gateway.get("/").await;
    let cookie = first.header("set-cookie").expect("a cookie");
    let cookie = cookie.split(';').next().expect("a pair").to_owned();
    let hedges = gateway.metric("gatewright_hedges_total").await;
    for _ in 0..5 {
        let answer = gateway
            .exchange(&format!(
                "GET / HTTP/1.1\r\nhost: localhost\r\ncookie: {cookie}\r\n\r\n"
            ))
            .await;
        assert_eq!(answer.header("set-cookie"), None);
    }
    assert_eq!(gateway.metric("gatewright_hedges_total").await, hedges);
}
