//! Servers that fall ill and recover, and what clients notice of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use crate::support::http2::{self, Frames};
use crate::support::{Builder, Gateway, Load, Mood, Moody, Pool, Upstream, eventually, plain};

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

/// A server that answers each call of gRPC's health service about `shop` with
/// this serving status, and others with gRPC's status 5.
async fn grpc_server(status: &Arc<AtomicU8>) -> Upstream {
    let status = Arc::clone(status);
    Upstream::speaking(move |stream| {
        let status = Arc::clone(&status);
        async move {
            let mut frames = Frames::serving(stream).await;
            let asked = frames.find(|frame| frame.is(http2::kind::DATA)).await;
            let is_shop = asked.payload == b"\0\0\0\0\x06\x0a\x04shop";
            let code = if is_shop { "0" } else { "5" };
            let answer = [0, 0, 0, 0, 2, 8, status.load(Ordering::Relaxed)];
            frames.send(http2::ok(asked.stream)).await;
            frames.send(http2::data(asked.stream, &answer)).await;
            let trailers = http2::block(&[("grpc-status", code)]);
            frames.send(http2::head(asked.stream, &trailers)).await;
            while frames.next().await.is_some() {}
        }
    })
    .await
}

const SERVING: u8 = 1;
const NOT_SERVING: u8 = 2;

#[tokio::test]
async fn a_grpc_server_is_well_while_it_says_that_it_is_serving() {
    let status = Arc::new(AtomicU8::new(SERVING));
    let server = grpc_server(&status).await;
    let checks = |service: &str| {
        format!(
            "{{ type = \"grpc\", service = \"{service}\", interval = \"50ms\", rise = 1, fall = 1 }}"
        )
    };
    let pool = |service| {
        let pool = Pool::of(&[&server]).with("protocol", "\"http2\"");
        pool.health(&checks(service))
    };
    let gateway = Gateway::before(pool("shop")).await;
    eventually("it is well", async || gateway.count("healthy").await == 1).await;
    status.store(NOT_SERVING, Ordering::Relaxed);
    eventually("it is out", async || gateway.count("unhealthy").await == 1).await;
    gateway.says("NotServing").await;
    status.store(SERVING, Ordering::Relaxed);
    eventually("it is back", async || gateway.count("healthy").await == 1).await;
    let other = Gateway::before(pool("other")).await;
    eventually("of another service it knows nothing", async || {
        other.count("unhealthy").await == 1
    })
    .await;
    other.says("gRPC status 5").await;
}

#[tokio::test]
async fn a_check_by_tcp_needs_no_answer_but_a_connection() {
    let silent = Upstream::scripted(|peer| async move { peer.stall().await }).await;
    let health = "{ type = \"tcp\", interval = \"50ms\", rise = 1, fall = 1 }";
    let gateway = Gateway::before(Pool::of(&[&silent]).health(health)).await;
    eventually("it is well", async || gateway.count("healthy").await == 1).await;
    silent.kill().await;
    eventually("it is out", async || gateway.count("unhealthy").await == 1).await;
}

#[tokio::test]
async fn which_statuses_are_healthy_is_the_pools_to_say() {
    let server = Moody::named("a").await;
    server.is(Mood::Answering(302));
    let health = "{ interval = \"50ms\", rise = 1, fall = 1, status = \"200, 301-307\" }";
    let gateway = Gateway::before(Pool::of(&[server.upstream()]).health(health)).await;
    eventually("it is well", async || gateway.count("healthy").await == 1).await;
    server.is(Mood::Answering(204));
    eventually("it is out", async || gateway.count("unhealthy").await == 1).await;
    gateway.says("/health answered 204").await;
}

#[tokio::test]
async fn a_server_may_be_checked_in_another_way_than_its_pool() {
    let web = Moody::named("web").await;
    let silent = Upstream::scripted(|peer| async move { peer.stall().await }).await;
    web.is(Mood::Answering(404));
    let own = "health = { status = \"404\", path = \"/own\", rise = 2 }";
    let tables = format!(
        "[pools.web]\nhealth = {{ interval = \"50ms\", timeout = \"1s\", fall = 1 }}\nservers = [\
         {{ host = \"127.0.0.1\", port = {}, {own} }}, \
         {{ host = \"127.0.0.1\", port = {}, health = {{ type = \"tcp\" }} }}]",
        web.address().port(),
        silent.address().port(),
    );
    let gateway = Builder::new().with(&tables).start().await;
    eventually("both are well", async || {
        gateway.count("healthy").await == 2
    })
    .await;
    assert!(
        web.upstream()
            .requests()
            .iter()
            .all(|one| one.target() == "/own")
    );
    let path = |server: &Upstream| format!("/api/servers/{}/health", server.address());
    let of_web = gateway.api(&path(web.upstream())).await;
    assert_eq!(
        (&of_web["healthCheckType"], &of_web["healthCheckPath"]),
        (&"http".into(), &"/own".into())
    );
    let of_silent = gateway.api(&path(&silent)).await;
    assert_eq!(of_silent["healthCheckType"], "tcp");
    assert!(of_silent["healthCheckPath"].is_null());
}
