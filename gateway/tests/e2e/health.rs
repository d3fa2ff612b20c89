//! Servers that fall ill and recover, and what clients notice of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::{Builder, Gateway, Load, Pool, Upstream, eventually, plain};

#[tokio::test]
async fn a_killed_server_leaves_the_rotation_and_comes_back_without_a_failed_request() {
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let pool = Pool::of(&[&a, &b]).checked();
    let gateway = Builder::new().workers(2).pool(pool).start().await;
    eventually("both are healthy", async || {
        gateway.count("healthy").await == 2
    })
    .await;
    let load = Load::on(gateway.address(), "/");
    load.goes_on(100).await;
    let address = b.kill().await;
    eventually("one is known to be down", async || {
        gateway.count("unhealthy").await == 1
    })
    .await;
    load.goes_on(100).await;
    let b = Upstream::named_at("b", address).await;
    eventually("both are healthy again", async || {
        gateway.count("healthy").await == 2
    })
    .await;
    let clients = |server: &Upstream| {
        server
            .requests()
            .iter()
            .filter(|request| request.target() == "/")
            .count()
    };
    eventually("it takes requests again", async || clients(&b) > 20).await;
    load.stop_without_failure().await;
    gateway.settles().await;
}

#[tokio::test]
async fn with_all_servers_down_clients_are_told_when_to_come_back() {
    let server = Upstream::named("a").await;
    let gateway = Gateway::before(Pool::of(&[&server]).checked()).await;
    let address = server.kill().await;
    eventually("it is known to be down", async || {
        gateway.count("unhealthy").await == 1
    })
    .await;
    let response = gateway.get("/").await;
    assert_eq!(response.status(), 503);
    assert!(
        response
            .header("retry-after")
            .is_some_and(|after| after.parse::<u32>().is_ok())
    );
    assert!(response.error().contains("no server"));
    let _server = Upstream::named_at("b", address).await;
    eventually("it serves again", async || {
        gateway.get("/").await.status() == 200
    })
    .await;
}

#[tokio::test]
async fn a_server_whose_check_fails_takes_no_requests_though_it_would_answer() {
    let is_well = Arc::new(AtomicBool::new(true));
    let known = Arc::clone(&is_well);
    let a = Upstream::answering(move |request| match request.target() {
        "/health" if !known.load(Ordering::Relaxed) => {
            "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n".into()
        }
        _ => plain("a"),
    })
    .await;
    let b = Upstream::named("b").await;
    let gateway = Gateway::before(Pool::of(&[&a, &b]).checked()).await;
    is_well.store(false, Ordering::Relaxed);
    eventually("it is out", async || gateway.count("unhealthy").await == 1).await;
    for _ in 0..10 {
        assert_eq!(gateway.get("/").await.text(), "b");
    }
    is_well.store(true, Ordering::Relaxed);
    eventually("it is back", async || gateway.get("/").await.text() == "a").await;
}

#[tokio::test]
async fn a_check_that_is_not_answered_in_time_has_failed() {
    let silent = Upstream::scripted(|peer| async move { peer.stall().await }).await;
    let health = "{ interval = \"50ms\", timeout = \"50ms\", rise = 1, fall = 1 }";
    let gateway = Gateway::before(Pool::of(&[&silent]).health(health)).await;
    eventually("it is out", async || gateway.count("unhealthy").await == 1).await;
    assert_eq!(gateway.get("/").await.status(), 503);
}

#[tokio::test]
async fn the_gateway_says_that_it_lives_and_is_ready() {
    let server = Upstream::named("a").await;
    let gateway = Gateway::before(Pool::of(&[&server]).checked()).await;
    assert_eq!(gateway.admin("/livez").await.status(), 200);
    eventually("it is ready", async || {
        gateway.admin("/readyz").await.status() == 200
    })
    .await;
    let health = gateway.api("/api/health").await;
    assert_eq!(health["servers"]["total"], 1);
    assert_eq!(health["servers"]["healthy"], 1);
}

#[tokio::test]
async fn what_was_served_is_counted_exactly() {
    let server = Upstream::named("a").await;
    let gateway = Builder::new()
        .workers(2)
        .pool(Pool::of(&[&server]))
        .start()
        .await;
    for _ in 0..7 {
        gateway.get("/").await;
    }
    gateway.settles().await;
    assert_eq!(gateway.api("/api/metrics").await["totalRequests"], 7);
    assert_eq!(gateway.servers().await[0]["totalRequests"], 7);
    assert_eq!(gateway.metric("gatewright_requests_total").await, 7.0);
}
