//! Servers that were added or have recovered come to their share step by step.

use std::net::SocketAddr;

use serde_json::json;

use crate::support::{Builder, Gateway, Mood, Moody, Pool, Upstream, eventually};

/// Requests that are enough to tell a tenth of a share from all of it.
const MANY: usize = 240;

async fn gateway(servers: &[SocketAddr], slow_start: &str) -> Gateway {
    let pool = Pool::at(servers)
        .with("balancer", "\"round-robin\"")
        .with("slow_start", slow_start)
        .with("breaker", "{ open_time = \"100ms\" }");
    Builder::new().pool(pool).start().await
}

async fn add(gateway: &Gateway, address: SocketAddr) {
    let server = json!({ "host": address.ip().to_string(), "port": address.port() });
    gateway.change("POST", "/api/servers", server).await;
}

async fn warmth(gateway: &Gateway, address: SocketAddr) -> u64 {
    let server = gateway.api(&format!("/api/servers/{address}")).await;
    server["warmth"].as_u64().expect("percent")
}

/// How many of many requests somebody answers.
async fn share(gateway: &Gateway, name: &str) -> usize {
    let mut answered = 0;
    for _ in 0..MANY {
        answered += usize::from(gateway.get("/").await.text() == name);
    }
    answered
}

#[tokio::test]
async fn a_server_that_is_added_begins_with_a_part_of_its_share() {
    let [a, b, new] = [
        Upstream::named("a").await,
        Upstream::named("b").await,
        Upstream::named("new").await,
    ];
    let gateway = gateway(&[a.address(), b.address()], "\"1h\"").await;
    assert_eq!(
        warmth(&gateway, a.address()).await,
        100,
        "it was there at the start"
    );
    add(&gateway, new.address()).await;
    eventually("it is warming", async || {
        warmth(&gateway, new.address()).await == 10
    })
    .await;
    // A third of them is its share, and a tenth of that about 8.
    let answered = share(&gateway, "new").await;
    assert!((1..=MANY / 6).contains(&answered), "{answered}");
}

#[tokio::test]
async fn in_the_end_a_server_has_its_whole_share() {
    let [a, new] = [Upstream::named("a").await, Upstream::named("new").await];
    let gateway = gateway(&[a.address()], "\"300ms\"").await;
    add(&gateway, new.address()).await;
    eventually("it is warm", async || {
        warmth(&gateway, new.address()).await == 100
    })
    .await;
    let answered = share(&gateway, "new").await;
    assert_eq!(answered, MANY / 2);
}

#[tokio::test]
async fn without_slow_start_who_is_warming_has_its_whole_share_at_once() {
    let [a, new] = [Upstream::named("a").await, Upstream::named("new").await];
    let gateway = gateway(&[a.address()], "\"1h\"").await;
    add(&gateway, new.address()).await;
    // Nothing has to be awaited: it was added cold.
    assert_eq!(warmth(&gateway, new.address()).await, 10);
    gateway
        .change("PUT", "/api/pools/web", json!({ "slowStart": 0 }))
        .await;
    eventually("it is warm", async || {
        warmth(&gateway, new.address()).await == 100
    })
    .await;
}

#[tokio::test]
async fn a_server_that_has_recovered_begins_with_a_part_of_its_share() {
    let [a, b] = [Moody::named("a").await, Moody::named("b").await];
    let gateway = gateway(&[a.address(), b.address()], "\"1h\"").await;
    b.is(Mood::Answering(503));
    eventually("it is given up", async || {
        gateway.get("/").await;
        let server = gateway.api(&format!("/api/servers/{}", b.address())).await;
        server["ejections"] == 1
    })
    .await;
    b.is(Mood::Well);
    eventually("it is tried, and warms up", async || {
        gateway.get("/").await;
        warmth(&gateway, b.address()).await == 10
    })
    .await;
    let answered = share(&gateway, "b").await;
    assert!((1..=MANY / 4).contains(&answered), "{answered}");
}

#[tokio::test]
async fn where_all_are_warming_none_waits_for_another() {
    let old = Upstream::named("old").await;
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let gateway = gateway(&[old.address()], "\"1h\"").await;
    for server in [&a, &b] {
        add(&gateway, server.address()).await;
        eventually("it warms up", async || {
            warmth(&gateway, server.address()).await == 10
        })
        .await;
    }
    let path = format!("/api/servers/{}", old.address());
    gateway.call("DELETE", &path).send().await;
    assert_eq!(share(&gateway, "a").await, MANY / 2);
}
