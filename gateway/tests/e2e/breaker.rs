//! Servers that fail requests: when they get no more, for how long, and how they
//! come back.

use serde_json::{Value, json};

use crate::support::{
    Builder, Events, Gateway, Load, Mood, Moody, Pool, Upstream, eventually, get, plain,
};

/// A gateway before these servers, which it asks in turn.
async fn gateway(servers: &[&Moody], breaker: &str) -> Gateway {
    let servers: Vec<_> = servers.iter().map(|server| server.address()).collect();
    Gateway::before(pool(&servers, breaker)).await
}

fn pool(servers: &[std::net::SocketAddr], breaker: &str) -> Pool {
    Pool::at(servers)
        .with("balancer", "\"round-robin\"")
        .with("retries", "{ budget = 1.0, per_try_timeout = \"100ms\" }")
        .with("breaker", breaker)
}

async fn server(gateway: &Gateway, address: std::net::SocketAddr) -> Value {
    gateway.api(&format!("/api/servers/{address}")).await
}

/// Ask until a server's circuit is open.
async fn until_open(gateway: &Gateway, address: std::net::SocketAddr) {
    eventually("the circuit is open", async || {
        gateway.get("/").await;
        server(gateway, address).await["circuit"] == "open"
    })
    .await;
}

async fn next(events: &mut Events, circuit: &str) -> Value {
    let is_it = |event: &Value| event["circuit"] == circuit;
    events.find("circuit", is_it).await
}

#[tokio::test]
async fn a_server_that_fails_in_any_way_gets_no_more_requests() {
    for mood in [
        Mood::Resetting,
        Mood::Silent,
        Mood::Answering(500),
        Mood::Answering(503),
    ] {
        let [bad, good] = [Moody::named("bad").await, Moody::named("good").await];
        let breaker = "{ open_time = \"1h\", max_open_time = \"1h\" }";
        let gateway = gateway(&[&bad, &good], breaker).await;
        bad.is(mood);
        until_open(&gateway, bad.address()).await;
        let (asked, expected) = (
            bad.asked(),
            if mood == Mood::Answering(500) { 5 } else { 3 },
        );
        assert_eq!(asked, expected, "{mood:?}");
        for _ in 0..10 {
            assert_eq!(gateway.get("/").await.text(), "good");
        }
        assert_eq!(bad.asked(), asked, "{mood:?}: it is left alone");
        let shown = server(&gateway, bad.address()).await;
        assert_eq!(
            (&shown["ejections"], &shown["weightInForce"]),
            (&1.into(), &0.into())
        );
        assert!(shown["circuitOpenedAt"].is_string());
        assert_eq!(gateway.metric("gatewright_server_circuit_state").await, 2.0);
        assert_eq!(
            gateway.metric("gatewright_server_ejections_total").await,
            1.0
        );
    }
}

#[tokio::test]
async fn a_server_that_refuses_connections_is_left_alone_until_it_is_back() {
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let breaker = "{ open_time = \"100ms\", max_open_time = \"200ms\" }";
    let gateway = Gateway::before(pool(&[a.address(), b.address()], breaker)).await;
    let mut events = Events::of(&gateway, None).await;
    let load = Load::on(gateway.address(), "/");
    let address = a.kill().await;
    next(&mut events, "open").await;
    let _a = Upstream::named_at("a", address).await;
    next(&mut events, "closed").await;
    eventually("it answers", async || gateway.get("/").await.text() == "a").await;
    load.stop_without_failure().await;
}

#[tokio::test]
async fn half_open_a_server_is_tried_with_one_request_which_decides() {
    let [bad, good] = [Moody::named("bad").await, Moody::named("good").await];
    let gateway = gateway(
        &[&bad, &good],
        "{ open_time = \"500ms\", max_open_time = \"1h\" }",
    )
    .await;
    let mut events = Events::of(&gateway, None).await;
    bad.is(Mood::Answering(503));
    until_open(&gateway, bad.address()).await;
    let opened = next(&mut events, "open").await;
    assert_eq!(opened["serverId"], bad.address().to_string());
    assert_eq!(opened["pool"], "web");
    assert!(
        opened["reason"]
            .as_str()
            .is_some_and(|why| why.contains("in a row"))
    );
    next(&mut events, "half-open").await;
    let asked = bad.asked();
    assert_eq!(
        gateway.get("/").await.status(),
        503,
        "the first is on trial"
    );
    let again = next(&mut events, "open").await;
    assert!(
        again["reason"]
            .as_str()
            .is_some_and(|why| why.contains("on trial"))
    );
    assert_eq!(gateway.get("/").await.text(), "good");
    assert_eq!(bad.asked(), asked + 1);
    bad.is(Mood::Well);
    next(&mut events, "half-open").await;
    assert_eq!(gateway.get("/").await.text(), "bad");
    next(&mut events, "closed").await;
    eventually("it has its turns again", async || {
        [gateway.get("/").await, gateway.get("/").await]
            .iter()
            .any(|answer| answer.text() == "bad")
    })
    .await;
    assert_eq!(server(&gateway, bad.address()).await["circuit"], "closed");
}

#[tokio::test]
async fn what_may_not_be_repeated_is_tried_on_nobody_before_another_while_has_passed() {
    let [bad, good] = [Moody::named("bad").await, Moody::named("good").await];
    let gateway = gateway(&[&bad, &good], "{ open_time = \"1500ms\" }").await;
    let mut events = Events::of(&gateway, None).await;
    bad.is(Mood::Answering(503));
    until_open(&gateway, bad.address()).await;
    bad.is(Mood::Well);
    next(&mut events, "half-open").await;
    let post = "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(gateway.exchange(post).await.text(), "good");
    assert_eq!(
        server(&gateway, bad.address()).await["circuit"],
        "half-open"
    );
    eventually("in the end it is tried with one of those", async || {
        gateway.exchange(post).await.text() == "bad"
    })
    .await;
    next(&mut events, "closed").await;
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_a_trial_leaves_it_to_the_next() {
    let [bad, good] = [Moody::named("bad").await, Moody::named("good").await];
    // Without a timeout of its own: it is the client that ends the trial.
    let pool = Pool::at(&[bad.address(), good.address()])
        .with("balancer", "\"round-robin\"")
        .with(
            "breaker",
            "{ open_time = \"100ms\", max_open_time = \"1h\" }",
        );
    let gateway = Gateway::before(pool).await;
    let mut events = Events::of(&gateway, None).await;
    bad.is(Mood::Answering(503));
    until_open(&gateway, bad.address()).await;
    bad.is(Mood::Silent);
    next(&mut events, "half-open").await;
    let asked = bad.asked();
    let mut leaving = gateway.connect().await;
    leaving.send(get("/")).await;
    eventually("it is on trial", async || bad.asked() == asked + 1).await;
    drop(leaving);
    gateway.settles().await;
    bad.is(Mood::Well);
    eventually("another one is", async || {
        gateway.get("/").await.text() == "bad"
    })
    .await;
    next(&mut events, "closed").await;
    assert_eq!(server(&gateway, bad.address()).await["ejections"], 1);
}

#[tokio::test]
async fn no_more_servers_are_given_up_than_may_be() {
    let servers: [Moody; 4] = [
        Moody::named("a").await,
        Moody::named("b").await,
        Moody::named("c").await,
        Moody::named("d").await,
    ];
    let breaker = "{ fail_threshold = 2, open_time = \"1h\", max_open_time = \"1h\" }";
    let gateway = gateway(&servers.each_ref(), breaker).await;
    servers.iter().for_each(|server| server.is(Mood::Resetting));
    let open = async || {
        gateway.get("/").await;
        let all = gateway.servers().await;
        all.iter().filter(|one| one["circuit"] == "open").count()
    };
    eventually("half of them are given up", async || open().await == 2).await;
    for _ in 0..10 {
        assert_eq!(open().await, 2);
    }
}

#[tokio::test]
async fn the_only_server_of_a_pool_is_never_given_up() {
    let only = Moody::named("only").await;
    let gateway = gateway(&[&only], "{ fail_threshold = 1, max_ejected = 100 }").await;
    only.is(Mood::Resetting);
    for _ in 0..10 {
        assert_eq!(gateway.get("/").await.status(), 502);
    }
    assert_eq!(server(&gateway, only.address()).await["circuit"], "closed");
    only.is(Mood::Well);
    assert_eq!(gateway.get("/").await.text(), "only");
}

#[tokio::test]
async fn a_server_is_taken_back_when_the_others_are_gone() {
    let [bad, good] = [Moody::named("bad").await, Moody::named("good").await];
    let breaker = "{ open_time = \"1h\", max_open_time = \"1h\" }";
    let gateway = gateway(&[&bad, &good], breaker).await;
    bad.is(Mood::Resetting);
    until_open(&gateway, bad.address()).await;
    bad.is(Mood::Well);
    let drain = format!("/api/servers/{}/drain", good.address());
    gateway.call("POST", &drain).send().await;
    eventually("it answers", async || {
        gateway.get("/").await.text() == "bad"
    })
    .await;
}

#[tokio::test]
async fn when_all_others_have_failed_a_request_a_server_is_asked_however_open_its_circuit() {
    let [back, failing] = [Moody::named("back").await, Moody::named("failing").await];
    let breaker = "{ open_time = \"1h\", max_open_time = \"1h\" }";
    let gateway = gateway(&[&back, &failing], breaker).await;
    let mut events = Events::of(&gateway, None).await;
    back.is(Mood::Resetting);
    until_open(&gateway, back.address()).await;
    back.is(Mood::Well);
    let asked = back.asked();
    assert_eq!(gateway.get("/").await.text(), "failing");
    assert_eq!(back.asked(), asked, "another one answers");
    failing.is(Mood::Resetting);
    assert_eq!(gateway.get("/").await.text(), "back");
    let closed = next(&mut events, "closed").await;
    assert_eq!(closed["serverId"], back.address().to_string());
}

#[tokio::test]
async fn whom_every_server_has_failed_may_come_back_when_one_is_tried_again() {
    let [bad, last] = [Moody::named("bad").await, Moody::named("last").await];
    let breaker = "{ open_time = \"1h\", max_open_time = \"1h\" }";
    let gateway = gateway(&[&bad, &last], breaker).await;
    let seconds = async || {
        let refused = gateway.get("/").await;
        assert_eq!(refused.status(), 502);
        refused.header("retry-after").map(str::to_owned)
    };
    [&bad, &last]
        .iter()
        .for_each(|server| server.is(Mood::Resetting));
    assert_eq!(seconds().await.as_deref(), Some("1"));
    last.is(Mood::Well);
    until_open(&gateway, bad.address()).await;
    last.is(Mood::Resetting);
    assert_eq!(seconds().await.as_deref(), Some("30"), "no later than that");
}

#[tokio::test]
async fn a_retry_gets_to_the_last_resort_though_those_that_failed_are_full() {
    let back = Moody::named("back").await;
    let other = Upstream::scripted(|mut peer| async move {
        while let Some(request) = peer.request().await {
            match request.target() {
                "/stays" => return peer.stall().await,
                "/breaks" => return peer.resumed().await,
                _ => peer.send(plain("other")).await,
            }
        }
    })
    .await;
    let breaker = "{ open_time = \"1h\", max_open_time = \"1h\" }";
    let pool = pool(&[back.address(), other.address()], breaker);
    let pool = pool.with("max_active_per_server", "2");
    let gateway = Gateway::before(pool).await;
    back.is(Mood::Resetting);
    until_open(&gateway, back.address()).await;
    back.is(Mood::Well);
    let before = other.requests().len();
    let (mut stays, mut breaks) = (gateway.connect().await, gateway.connect().await);
    stays.send(get("/stays")).await;
    breaks.send(get("/breaks")).await;
    eventually("both are there", async || {
        other.requests().len() == before + 2
    })
    .await;
    let lower = json!({ "maxActivePerServer": 1 });
    gateway.change("PUT", "/api/pools/web", lower).await;
    other.resume();
    assert_eq!(breaks.response().await.text(), "back");
}

#[tokio::test]
async fn a_server_whose_checks_pass_again_is_tried_before_its_time() {
    let back = Upstream::named("back").await;
    let others = [Upstream::named("a").await, Upstream::named("b").await];
    // So many failures that requests find out before the checks do.
    let health = "{ type = \"tcp\", interval = \"20ms\", timeout = \"1s\", rise = 1, fall = 15 }";
    let breaker = "{ open_time = \"1h\", max_open_time = \"1h\" }";
    let [a, b] = others.each_ref().map(Upstream::address);
    let pool = pool(&[back.address(), a, b], breaker).health(health);
    let gateway = Builder::new().pool(pool).start().await;
    let mut events = Events::of(&gateway, None).await;
    let load = Load::on(gateway.address(), "/");
    let address = back.kill().await;
    next(&mut events, "open").await;
    let unhealthy = |event: &Value| event["status"] == "unhealthy";
    events.find("health", unhealthy).await;
    let _back = Upstream::named_at("back", address).await;
    let told = next(&mut events, "half-open").await;
    let why = told["reason"].as_str().expect("a reason");
    assert!(why.contains("checks pass again"), "{why}");
    next(&mut events, "closed").await;
    load.stop_without_failure().await;
}

#[tokio::test]
async fn without_a_breaker_a_server_that_fails_is_asked_on() {
    let [bad, good] = [Moody::named("bad").await, Moody::named("good").await];
    let gateway = gateway(&[&bad, &good], "false").await;
    bad.is(Mood::Answering(500));
    for _ in 0..20 {
        gateway.get("/").await;
    }
    assert_eq!(bad.asked(), 10);
    assert_eq!(server(&gateway, bad.address()).await["circuit"], "closed");
}

#[tokio::test]
async fn what_clients_do_says_nothing_of_a_server() {
    let [a, b] = [Moody::named("a").await, Moody::named("b").await];
    let pool = Pool::at(&[a.address(), b.address()])
        .with("balancer", "\"round-robin\"")
        .with("breaker", "{ fail_threshold = 1, error_threshold = 1 }");
    let gateway = Gateway::before(pool).await;
    let closed = async || {
        let all = gateway.servers().await;
        all.iter().filter(|one| one["circuit"] == "closed").count()
    };
    [&a, &b]
        .iter()
        .for_each(|server| server.is(Mood::Answering(404)));
    for _ in 0..4 {
        assert_eq!(gateway.get("/missing").await.status(), 404);
    }
    [&a, &b].iter().for_each(|server| server.is(Mood::Silent));
    for left in 1..=4 {
        let mut leaving = gateway.connect().await;
        leaving.send(get("/")).await;
        eventually("a server is asked", async || {
            a.asked() + b.asked() == 4 + left
        })
        .await;
        drop(leaving);
        gateway.settles().await;
    }
    assert_eq!(closed().await, 2);
}

#[tokio::test]
async fn with_too_few_servers_well_all_get_requests() {
    let servers: [Moody; 3] = [
        Moody::named("a").await,
        Moody::named("b").await,
        Moody::named("c").await,
    ];
    let addresses = servers.each_ref().map(Moody::address);
    let health = "{ interval = \"50ms\", timeout = \"1s\", rise = 1, fall = 1, status = \"200\" }";
    let pool = pool(&addresses, "true").health(health);
    let pool = pool.with("panic_threshold", "50");
    let gateway = Builder::new().pool(pool).start().await;
    let mut events = Events::of(&gateway, None).await;
    eventually("all are healthy", async || {
        gateway.count("healthy").await == 3
    })
    .await;
    let panicking = async || gateway.api("/api/metrics/pools").await[0]["panicking"] == true;
    servers[0].is(Mood::Answering(299));
    eventually("one is not", async || gateway.count("unhealthy").await == 1).await;
    assert!(!panicking().await, "two of three are well");
    // They would answer, though their checks fail.
    servers[1].is(Mood::Answering(299));
    let told = events.find("panic", |_| true).await;
    assert_eq!(
        (&told["pool"], &told["panicking"]),
        (&"web".into(), &true.into())
    );
    assert_eq!((&told["well"], &told["of"]), (&1.into(), &3.into()));
    assert!(panicking().await);
    assert_eq!(gateway.api("/api/pools").await[0]["panicking"], true);
    assert_eq!(gateway.metric("gatewright_pool_panicking").await, 1.0);
    eventually("the unhealthy get requests", async || {
        gateway.get("/").await.status() == 299
    })
    .await;
    servers[1].is(Mood::Well);
    let told = events.find("panic", |_| true).await;
    assert_eq!(told["panicking"], false);
    for _ in 0..6 {
        assert_eq!(gateway.get("/").await.status(), 200);
    }
}
