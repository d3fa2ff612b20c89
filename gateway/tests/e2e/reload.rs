//! Changes of the configuration while traffic flows: all of one or nothing.

use crate::support::{Builder, Gateway, Load, Pool, Upstream, ends, eventually, get, plain};

async fn before_a(server: &Upstream) -> Gateway {
    Builder::new()
        .workers(2)
        .pool(Pool::of(&[server]))
        .start()
        .await
}

#[tokio::test]
async fn a_saved_change_is_taken_over_without_a_failed_request() {
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let gateway = before_a(&a).await;
    let load = Load::on(gateway.address(), "/");
    load.goes_on(50).await;
    let [old, new] = [&a, &b].map(|server| server.address().to_string());
    gateway.edit(|text| text.replace(&old, &new));
    eventually("the new server is the only one", async || {
        let servers = gateway.servers().await;
        servers.len() == 1 && servers[0]["port"] == b.address().port()
    })
    .await;
    load.goes_on(50).await;
    let before = a.requests().len();
    load.goes_on(50).await;
    assert_eq!(a.requests().len(), before);
    load.stop_without_failure().await;
}

#[tokio::test]
async fn a_wrong_change_is_refused_with_its_place_and_the_old_goes_on() {
    let server = Upstream::named("a").await;
    let gateway = before_a(&server).await;
    let load = Load::on(gateway.address(), "/");
    for (line, reason) in [
        ("balancre = \"round-robin\"", "balancre"),
        ("balancer = \"no-such-plugin\"", "no-such-plugin"),
        ("connect_timeout = 2", "connect_timeout"),
        ("= = =", "gatewright.toml"),
    ] {
        let mut sound = String::new();
        gateway.edit(|text| {
            sound.clone_from(&text);
            text + line
        });
        gateway.says(reason).await;
        assert_eq!(gateway.get("/").await.text(), "a");
        gateway.edit(|_| sound);
    }
    load.stop_without_failure().await;
    gateway.edit(|text| {
        text.replace(
            "health = false",
            "balancer = \"round-robin\"\nhealth = false",
        )
    });
    gateway.says("round-robin").await;
}

#[tokio::test]
async fn what_was_refused_is_told_until_it_is_mended() {
    let server = Upstream::named("a").await;
    let gateway = before_a(&server).await;
    let successful = async || {
        gateway
            .metric("gatewright_config_last_reload_successful")
            .await
    };
    assert_eq!(successful().await, 1.0);
    let mut sound = String::new();
    gateway.edit(|text| {
        sound.clone_from(&text);
        text + "balancre = \"round-robin\""
    });
    eventually("the refusal is told", async || successful().await == 0.0).await;
    let last = gateway.api("/api/config").await["lastReload"].take();
    assert_eq!(last["outcome"], "refused", "{last}");
    let error = last["error"].as_str().expect("a reason");
    assert!(error.contains("balancre"), "{last}");
    assert!(last["at"].as_str() > last["succeededAt"].as_str(), "{last}");
    let said = ends(&gateway, 0, &["status"]).await;
    assert!(said.contains("the configuration was refused"), "{said}");
    gateway.edit(|_| sound);
    eventually("it is mended", async || successful().await == 1.0).await;
    let last = gateway.api("/api/config").await["lastReload"].take();
    assert_eq!(last["outcome"], "unchanged", "{last}");
    assert!(last["error"].is_null(), "{last}");
}

#[tokio::test]
async fn saving_what_was_there_already_publishes_nothing() {
    let server = Upstream::named("a").await;
    let gateway = before_a(&server).await;
    let generation = gateway.metric("gatewright_generation").await;
    gateway.edit(|text| format!("# a comment\n{text}"));
    gateway.hang_up();
    gateway.says("nothing to change").await;
    assert_eq!(gateway.metric("gatewright_generation").await, generation);
}

#[tokio::test]
async fn a_hang_up_reads_the_configuration_again() {
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let gateway = before_a(&a).await;
    let [old, new] = [&a, &b].map(|server| server.address().to_string());
    gateway.edit(|text| text.replace(&old, &new));
    gateway.hang_up();
    eventually("the new server answers", async || {
        gateway.get("/").await.text() == "b"
    })
    .await;
}

#[tokio::test]
async fn what_needs_a_restart_is_said_and_changes_nothing() {
    let server = Upstream::named("a").await;
    let gateway = before_a(&server).await;
    gateway.edit(|text| text.replace("count = 2", "count = 3"));
    gateway.says("restart").await;
    assert_eq!(gateway.get("/").await.text(), "a");
    // It is nobody's mistake, and told as what it is.
    eventually("the reload is noted", async || {
        gateway.api("/api/config").await["lastReload"]["outcome"] == "needsRestart"
    })
    .await;
    let said = ends(&gateway, 0, &["status"]).await;
    let line = "the configuration was not taken over, and the one before is in force: needs a";
    assert!(said.contains(line), "{said}");
}

#[tokio::test]
async fn a_request_under_way_to_a_removed_server_is_finished() {
    let slow = Upstream::scripted(|mut peer| async move {
        peer.request().await;
        peer.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello")
            .await;
        // The other half is sent once the gateway has let go of the server.
        peer.resumed().await;
        peer.send("world").await;
    })
    .await;
    let other = Upstream::named("other").await;
    let gateway = before_a(&slow).await;
    let mut client = gateway.connect().await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    client.head().await.expect("a response");
    let [old, new] = [&slow, &other].map(|server| server.address().to_string());
    gateway.edit(|text| text.replace(&old, &new));
    eventually("the other is the only one", async || {
        gateway.servers().await[0]["port"] == other.address().port()
    })
    .await;
    assert_eq!(gateway.get("/").await.text(), "other");
    slow.resume();
    assert_eq!(client.bytes(10).await, b"helloworld");
    gateway.settles().await;
}

/// Change the configuration and wait until it is in force.
async fn change(gateway: &Gateway, old: &str, new: &str) {
    let before = gateway.metric("gatewright_generation").await;
    gateway.edit(|text| {
        assert!(text.contains(old), "{text}");
        text.replace(old, new)
    });
    eventually("the change is in force", async || {
        gateway.metric("gatewright_generation").await > before
    })
    .await;
}

#[tokio::test]
async fn a_server_that_was_unhealthy_is_used_again_once_nobody_checks_it() {
    let health = "{ interval = \"50ms\", timeout = \"1s\", rise = 1, fall = 1 }";
    let ill = Upstream::answering(|request| match request.target() {
        "/health" => "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n".into(),
        _ => plain("a"),
    })
    .await;
    let gateway = Gateway::before(Pool::of(&[&ill]).health(health)).await;
    eventually("it is out", async || gateway.count("unhealthy").await == 1).await;
    assert_eq!(gateway.get("/").await.status(), 503);
    change(&gateway, health, "false").await;
    eventually("it is asked again", async || {
        gateway.get("/").await.status() == 200
    })
    .await;
    assert_eq!(gateway.count("unhealthy").await, 0);
}

#[tokio::test]
async fn how_many_idle_connections_are_kept_follows_a_change() {
    let server = Upstream::named("a").await;
    let pool = Pool::of(&[&server]).with("idle_connections", "64");
    let gateway = Gateway::before(pool).await;
    for _ in 0..3 {
        gateway.get("/").await;
    }
    assert_eq!(server.connections(), 1);
    change(&gateway, "idle_connections = 64", "idle_connections = 0").await;
    // The first may still use the one that was kept.
    for _ in 0..4 {
        gateway.get("/").await;
    }
    assert_eq!(server.connections(), 1 + 3);
}

#[tokio::test]
async fn how_long_a_servers_head_may_be_follows_a_change() {
    let head = format!("HTTP/1.1 200 OK\r\nx-long: {}\r\n", "x".repeat(2000));
    let answer = format!("{head}connection: close\r\ncontent-length: 0\r\n\r\n");
    let server = Upstream::answering(move |_| answer.clone()).await;
    let builder = Builder::new().with("[limits]\nresponse_head = \"4KiB\"");
    let gateway = builder.pool(Pool::of(&[&server])).start().await;
    assert_eq!(gateway.get("/").await.status(), 200);
    change(&gateway, "\"4KiB\"", "\"1KiB\"").await;
    assert_eq!(gateway.get("/").await.status(), 502);
    change(&gateway, "\"1KiB\"", "\"4KiB\"").await;
    assert_eq!(gateway.get("/").await.status(), 200);
}

#[tokio::test]
async fn how_many_clients_may_be_connected_follows_a_change() {
    let server = Upstream::named("a").await;
    let builder = Builder::new().with("[limits]\nconnections = 1");
    let gateway = builder.pool(Pool::of(&[&server])).start().await;
    let [mut first, mut second] = [gateway.connect().await, gateway.connect().await];
    first.send(get("/")).await;
    assert_eq!(first.response().await.status(), 200);
    second.send(get("/")).await;
    first.send(get("/")).await;
    assert_eq!(first.response().await.status(), 200);
    assert_eq!(server.requests().len(), 2, "the second waits");
    change(&gateway, "connections = 1", "connections = 2").await;
    assert_eq!(second.response().await.status(), 200);
}
