//! Servers that come, go, are reweighed and drained through the API while
//! traffic flows.

use serde_json::{Value, json};

use crate::support::{Builder, Gateway, Load, Pool, Upstream, eventually};

async fn before(servers: &[&Upstream]) -> Gateway {
    let builder = Builder::new().workers(2);
    builder.pool(Pool::of(servers).checked()).start().await
}

fn new(server: &Upstream) -> Value {
    let address = server.address();
    json!({ "host": address.ip().to_string(), "port": address.port() })
}

/// The path of a server, and what follows it.
fn at(server: &Upstream, rest: &str) -> String {
    format!("/api/servers/{}{rest}", server.address())
}

/// How many requests of clients a server had.
fn served(server: &Upstream) -> usize {
    let requests = server.requests();
    requests.iter().filter(|one| one.target() == "/").count()
}

#[tokio::test]
async fn a_server_that_is_added_has_been_checked_and_takes_requests() {
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let gateway = before(&[&a]).await;
    let answer = gateway.call("POST", "/api/servers");
    let answer = answer.json(&new(&b)).send().await;
    assert_eq!(answer.status(), 201);
    let data = answer.json()["data"].take();
    assert_eq!(data["serverId"], b.address().to_string());
    assert_eq!(data["host"], "127.0.0.1");
    assert_eq!(data["port"], b.address().port());
    assert_eq!(data["weight"], 1);
    assert_eq!(data["status"], "healthy");
    assert_eq!(data["source"], "api");
    assert_eq!(data["changed"], true);
    assert_eq!(data["applied"], json!({ "workers": 2, "of": 2 }));
    assert_eq!(data["generation"], 2);
    assert!(data["addedAt"].is_string() && data["lastHealthCheck"].is_string());
    eventually("it takes requests", async || {
        gateway.get("/").await.text() == "b"
    })
    .await;
    let sources: Vec<_> = gateway.servers().await;
    let sources: Vec<_> = sources.iter().map(|one| &one["source"]).collect();
    assert_eq!(sources, ["file", "api"]);
}

#[tokio::test]
async fn a_server_may_be_added_that_takes_no_work_yet() {
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let gateway = before(&[&a]).await;
    let mut body = new(&b);
    body["draining"] = json!(true);
    let added = gateway.change("POST", "/api/servers", body).await;
    assert_eq!(
        (&added["draining"], &added["weightInForce"]),
        (&json!(true), &json!(0))
    );
}

#[tokio::test]
async fn a_server_that_is_not_there_is_added_as_unhealthy() {
    let [a, gone] = [Upstream::named("a").await, Upstream::named("gone").await];
    let gateway = before(&[&a]).await;
    let body = new(&gone);
    gone.kill().await;
    let data = gateway.change("POST", "/api/servers", body).await;
    assert_eq!(data["status"], "unhealthy");
    assert_eq!(gateway.get("/").await.text(), "a");
}

#[tokio::test]
async fn a_server_may_be_checked_at_a_path_of_its_own() {
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let gateway = before(&[&a]).await;
    let mut body = new(&b);
    body["healthCheckPath"] = json!("/own");
    body["healthCheckInterval"] = json!(0.02);
    let data = gateway.change("POST", "/api/servers", body).await;
    assert_eq!(data["healthCheckPath"], "/own");
    assert_eq!(data["healthCheckInterval"], 0.02);
    assert!(b.requests().iter().any(|one| one.target() == "/own"));
    let health = gateway.api(&at(&b, "/health")).await;
    assert_eq!(health["status"], "healthy");
    assert_eq!(health["healthCheckPath"], "/own");
    assert_eq!(health["eligible"], true);
}

#[tokio::test]
async fn a_removed_server_gets_nothing_new_and_finishes_what_it_has() {
    let slow = Upstream::scripted(|mut peer| async move {
        peer.request().await;
        peer.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello")
            .await;
        peer.resumed().await;
        peer.send("world").await;
    })
    .await;
    let other = Upstream::named("other").await;
    let gateway = Builder::new().pool(Pool::of(&[&slow])).start().await;
    let mut client = gateway.connect().await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    client.head().await.expect("a response");
    gateway.change("POST", "/api/servers", new(&other)).await;
    let removed = gateway.change("DELETE", &at(&slow, ""), Value::Null).await;
    assert_eq!(removed["removed"], true);
    assert_eq!(removed["pools"], json!(["web"]));
    for _ in 0..10 {
        assert_eq!(gateway.get("/").await.text(), "other");
    }
    slow.resume();
    assert_eq!(client.bytes(10).await, b"helloworld");
    assert_eq!(gateway.servers().await.len(), 1);
}

#[tokio::test]
async fn a_drained_server_gets_nothing_until_it_is_enabled_again() {
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let mut gateway = before(&[&a, &b]).await;
    let drained = gateway.change("POST", &at(&b, "/drain"), Value::Null).await;
    assert_eq!(drained["draining"], true);
    let draining = async |gateway: &Gateway| {
        let server = gateway.api(&at(&b, "")).await;
        server["draining"].as_bool().expect("it says so")
    };
    assert!(draining(&gateway).await);
    gateway.restart().await;
    assert!(draining(&gateway).await);
    for _ in 0..10 {
        assert_eq!(gateway.get("/").await.text(), "a");
    }
    gateway
        .change("POST", &at(&b, "/enable"), Value::Null)
        .await;
    assert!(!draining(&gateway).await);
    eventually("it takes requests again", async || {
        gateway.get("/").await.text() == "b"
    })
    .await;
}

#[tokio::test]
async fn a_weight_is_changed_in_every_pool_or_in_the_one_that_is_named() {
    let a = Upstream::named("a").await;
    let builder = Builder::new().top("default_pool = \"web\"");
    let builder = builder.pool(Pool::of(&[&a]));
    let gateway = builder.pool(Pool::of(&[&a]).named("api")).start().await;
    let weights = async || {
        let servers = gateway.servers().await;
        let weights = servers.iter().map(|one| one["weight"].as_u64());
        weights
            .map(|weight| weight.expect("a number"))
            .collect::<Vec<_>>()
    };
    let path = at(&a, "/weight");
    let changed = gateway.change("PUT", &path, json!({ "weight": 7 })).await;
    assert_eq!(changed["pools"], json!(["api", "web"]));
    assert_eq!(weights().await, [7, 7]);
    let path = format!("{path}?pool=web");
    gateway.change("PUT", &path, json!({ "weight": 3 })).await;
    assert_eq!(weights().await, [7, 3]);
}

#[tokio::test]
async fn no_request_fails_while_servers_come_and_go() {
    let [a, b, c] = [
        Upstream::named("a").await,
        Upstream::named("b").await,
        Upstream::named("c").await,
    ];
    let gateway = before(&[&a]).await;
    let load = Load::on(gateway.address(), "/");
    for round in 0..5 {
        for server in [&b, &c] {
            gateway.change("POST", "/api/servers", new(server)).await;
        }
        load.goes_on(50).await;
        let weight = json!({ "weight": round + 2 });
        gateway.change("PUT", &at(&b, "/weight"), weight).await;
        gateway.change("POST", &at(&a, "/drain"), Value::Null).await;
        load.goes_on(50).await;
        gateway
            .change("POST", &at(&a, "/enable"), Value::Null)
            .await;
        for server in [&b, &c] {
            gateway.change("DELETE", &at(server, ""), Value::Null).await;
        }
        load.goes_on(50).await;
    }
    assert!(served(&b) > 0 && served(&c) > 0);
    load.stop_without_failure().await;
    gateway.settles().await;
}

#[tokio::test]
async fn wrong_bodies_are_refused_by_the_field() {
    let a = Upstream::named("a").await;
    let gateway = before(&[&a]).await;
    for (body, field) in [
        (json!({ "port": 1 }), "host"),
        (json!({ "host": "a" }), "port"),
        (json!({ "host": "a", "port": 0 }), "port"),
        (json!({ "host": "a", "port": 65_536 }), "port"),
        (json!({ "host": "a b", "port": 1 }), "host"),
        (json!({ "host": "a", "port": 1, "weight": -1 }), "weight"),
        (json!({ "host": "a", "port": 1, "wieght": 1 }), "wieght"),
        (
            json!({ "host": "a", "port": 1, "healthCheckPath": "up" }),
            "healthCheckPath",
        ),
        (
            json!({ "host": "a", "port": 1, "healthCheckInterval": 0 }),
            "healthCheckInterval",
        ),
        (
            json!({ "host": "a", "port": 1, "healthCheckInterval": -1 }),
            "healthCheckInterval",
        ),
    ] {
        let call = gateway.call("POST", "/api/servers").json(&body);
        let error = call.refused(422).await;
        assert_eq!(error["field"], field, "{body}: {error}");
        assert_eq!(error["code"], "invalid");
    }
    let json = |body: &str| {
        let call = gateway.call("POST", "/api/servers").body(body);
        call.header("content-type", "application/json")
    };
    assert_eq!(json("{").refused(400).await["code"], "bad_json");
    assert_eq!(json("").refused(400).await["code"], "bad_json");
    let long = format!("{{\"host\": \"{}\"}}", "a".repeat(300_000));
    assert_eq!(json(&long).refused(413).await["code"], "body_too_large");
    let plain = gateway.call("POST", "/api/servers").body("{}");
    assert_eq!(plain.refused(415).await["code"], "not_json");
    assert_eq!(gateway.metric("gatewright_generation").await, 1.0);
}

#[tokio::test]
async fn what_is_not_there_or_there_already_is_told() {
    let a = Upstream::named("a").await;
    let gateway = before(&[&a]).await;
    let error = gateway.call("DELETE", "/api/servers/127.0.0.1:1");
    assert_eq!(error.refused(404).await["code"], "not_found");
    let error = gateway.call("POST", "/api/servers").json(&new(&a));
    assert_eq!(error.refused(409).await["code"], "conflict");
    let mut body = new(&a);
    body["pool"] = json!("none");
    let error = gateway.call("POST", "/api/servers").json(&body);
    assert_eq!(error.refused(404).await["code"], "not_found");
    let last = gateway.call("DELETE", &at(&a, "")).refused(422).await;
    assert!(
        last["message"]
            .as_str()
            .expect("a text")
            .contains("no server")
    );
    let error = gateway.call("GET", "/api/servers/127.0.0.1:1/health");
    assert_eq!(error.refused(404).await["code"], "not_found");
    for (named, message) in [
        ("servers?pool=wbe", "there is no pool wbe"),
        ("server-stats?pool=wbe", "there is no pool wbe"),
        ("sessions?pool=wbe", "there is no pool wbe"),
        ("session-stats?pool=wbe", "there is no pool wbe"),
        (
            "sessions?server=127.0.0.1:1",
            "there is no server 127.0.0.1:1",
        ),
        ("sessions?pool=web&server=no", "pool web has no server no"),
    ] {
        let call = gateway.call("GET", &format!("/api/{named}"));
        assert_eq!(call.refused(404).await["message"], message);
    }
    let call = gateway.call("DELETE", "/api/cache?pool=wbe");
    assert_eq!(call.refused(404).await["message"], "there is no pool wbe");
    let call = gateway.call("POST", "/api/recordings");
    let call = call.json(&json!({ "pool": "wbe" }));
    assert_eq!(call.refused(404).await["message"], "there is no pool wbe");
    let error = gateway.call("GET", "/api/nothing");
    assert_eq!(error.refused(404).await["code"], "not_found");
    for wrong in [
        "/api/audit?limit=many",
        "/api/servers?pool=a&pool=b",
        "/api/servers/%ff",
    ] {
        let error = gateway.call("GET", wrong);
        assert_eq!(error.refused(400).await["code"], "bad_address");
    }
    let error = gateway.call("PATCH", "/api/servers");
    assert_eq!(error.refused(405).await["code"], "method_not_allowed");
}

#[tokio::test]
async fn a_change_that_changes_nothing_is_none() {
    let a = Upstream::named("a").await;
    let gateway = before(&[&a]).await;
    let weight = json!({ "weight": 1 });
    let answer = gateway.change("PUT", &at(&a, "/weight"), weight).await;
    assert_eq!(answer["generation"], 1);
    assert_eq!(answer["changed"], false);
    assert_eq!(answer["applied"], json!({ "workers": 2, "of": 2 }));
    assert_eq!(gateway.api("/api/audit").await, json!([]));
}

#[tokio::test]
async fn of_two_who_build_on_the_same_state_one_is_told_to_read_again() {
    let a = Upstream::named("a").await;
    let gateway = before(&[&a]).await;
    let read = gateway.call("GET", "/api/servers").send().await;
    let tag = read.header("etag").expect("a tag").to_owned();
    let weigh = |weight: u16| {
        let call = gateway.call("PUT", &at(&a, "/weight"));
        call.header("if-match", &tag)
            .json(&json!({ "weight": weight }))
    };
    let (one, other) = tokio::join!(weigh(2).send(), weigh(3).send());
    let mut statuses = [one.status(), other.status()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);
    assert_eq!(weigh(4).refused(412).await["code"], "stale");
    let taken = [&one, &other].into_iter().find(|one| one.status() == 200);
    let tag = taken.and_then(|one| one.header("etag")).expect("a tag");
    let call = gateway
        .call("PUT", &at(&a, "/weight"))
        .header("if-match", tag);
    assert_eq!(
        call.json(&json!({ "weight": 5 })).send().await.status(),
        200
    );
}

#[tokio::test]
async fn charts_get_what_they_poll() {
    let a = Upstream::named("a").await;
    let gateway = before(&[&a]).await;
    gateway.get("/").await;
    let stats = gateway.api("/api/server-stats").await;
    assert_eq!(stats[0]["id"], a.address().to_string());
    assert_eq!(stats[0]["health"], "healthy");
    assert_eq!(stats[0]["totalRequests"], 1);
    let pools = gateway.api("/api/metrics/pools").await;
    assert_eq!(pools[0]["pool"], "web");
    assert_eq!(pools[0]["totalRequests"], 1);
    assert_eq!(pools[0]["activeServers"], 1);
    let servers = gateway.api("/api/metrics/servers").await;
    assert_eq!(servers[0]["serverId"], a.address().to_string());
    assert!(servers[0]["p99ResponseTime"].is_number());
}
