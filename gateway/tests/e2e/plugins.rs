//! Plugins that fault while clients ask: balancers and routers are answered
//! for, policies decide as their binding says, and the default ones do as told.

use crate::support::{Builder, Gateway, Guest, Load, Pool, Upstream, eventually, misdeeds};

/// A gateway whose pool of two servers has this balancer.
async fn balanced_by(component: Vec<u8>, servers: [&Upstream; 2]) -> Gateway {
    let pool = Pool::of(&servers).with("balancer", "\"mine\"");
    Builder::new()
        .plugin("mine", component)
        .pool(pool)
        .start()
        .await
}

/// Ask under load while a balancer misbehaves on every pick.
async fn no_request_fails_when_a_balancer(misbehaves: &str, fault: &str) {
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let component = Guest::balancer_that(misbehaves).build();
    let gateway = balanced_by(component, [&a, &b]).await;
    let load = Load::on(gateway.address(), "/");
    gateway.says(fault).await;
    gateway.says("quarantined").await;
    load.goes_on(100).await;
    let totals = load.stop_without_failure().await;
    assert_eq!(
        totals.answers.len(),
        2,
        "the fallback goes round: {totals:?}"
    );
    gateway.settles().await;
}

#[tokio::test]
async fn a_balancer_that_traps_fails_no_request() {
    no_request_fails_when_a_balancer(misdeeds::TRAP, "the plugin trapped").await;
}

#[tokio::test]
async fn a_trap_is_logged_in_one_line_with_its_cause_and_place() {
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let component = Guest::balancer_that(misdeeds::TRAP).build();
    let gateway = balanced_by(component, [&a, &b]).await;
    assert_eq!(gateway.get("/").await.status(), 200);
    gateway.says("the plugin trapped").await;
    let log = gateway.log();
    let told = log.lines().find(|line| line.contains("the plugin trapped"));
    let told = told.expect("it was said");
    assert!(told.contains("unreachable"), "{told}");
    assert!(told.contains("!pick"), "{told}");
    let begins_with_a_time = |line: &str| line.starts_with("20");
    assert!(log.lines().all(begins_with_a_time), "{log}");
}

#[tokio::test]
async fn a_balancer_that_never_answers_fails_no_request() {
    no_request_fails_when_a_balancer(misdeeds::LOOP, "did not answer in time").await;
}

#[tokio::test]
async fn a_balancer_that_eats_memory_fails_no_request() {
    no_request_fails_when_a_balancer(misdeeds::EAT, "ran out of memory").await;
}

#[tokio::test]
async fn a_balancer_that_names_a_server_that_cannot_be_fails_no_request() {
    let lie = "(return (i32.const 4711))";
    no_request_fails_when_a_balancer(lie, "there is no slot 4711").await;
}

#[tokio::test]
async fn a_balancer_that_names_a_server_that_is_down_is_overruled_and_keeps_its_seat() {
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let pool = Pool::of(&[&a, &b]).with("balancer", "\"mine\"").checked();
    let component = Guest::balancer("(i32.const 1)").build();
    let gateway = Builder::new()
        .plugin("mine", component)
        .pool(pool)
        .start()
        .await;
    let address = b.kill().await;
    eventually("it is known to be down", async || {
        gateway.count("unhealthy").await == 1
    })
    .await;
    for _ in 0..20 {
        assert_eq!(gateway.get("/").await.text(), "a");
    }
    let _b = Upstream::named_at("b", address).await;
    eventually("the balancer decides again", async || {
        gateway.get("/").await.text() == "b"
    })
    .await;
    assert!(!gateway.log().contains("quarantined"));
}

#[tokio::test]
async fn a_version_that_faults_too_often_gives_its_seat_back_to_the_one_before() {
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let gateway = balanced_by(Guest::balancer("(i32.const 1)").build(), [&a, &b]).await;
    let load = Load::on(gateway.address(), "/");
    load.goes_on(50).await;
    gateway.put("mine.wasm", Guest::balancer_that(misdeeds::TRAP).build());
    gateway.says("quarantined").await;
    eventually("the version before decides again", async || {
        let mut answers = Vec::new();
        for _ in 0..8 {
            answers.push(gateway.get("/").await.text().to_owned());
        }
        answers.iter().all(|answer| answer == "b")
    })
    .await;
    load.stop_without_failure().await;
}

/// A gateway with the pools `web` and `api`, the first being the default one,
/// and a router that does this for every path but `/`.
async fn routed_by(misbehaves: &str, [web, api]: [&Upstream; 2]) -> Gateway {
    let component = Guest::router_that(misbehaves).build();
    let builder = Builder::new()
        .top("default_pool = \"web\"")
        .plugin("mine", component);
    let builder = builder.with("[router]\nplugin = \"mine\"");
    builder
        .pool(Pool::of(&[web]))
        .pool(Pool::of(&[api]).named("api"))
        .start()
        .await
}

#[tokio::test]
async fn a_router_that_faults_leaves_requests_to_the_default_pool() {
    let [web, api] = [Upstream::named("web").await, Upstream::named("api").await];
    let no_such_pool = "(i32.store8 (i32.const 16) (i32.const 0)) \
                        (i32.store (i32.const 20) (i32.const 99)) (return (i32.const 16))";
    for misdeed in [misdeeds::TRAP, misdeeds::LOOP, misdeeds::EAT, no_such_pool] {
        let gateway = routed_by(misdeed, [&web, &api]).await;
        for _ in 0..20 {
            assert_eq!(gateway.get("/anything").await.text(), "web", "{misdeed}");
        }
        gateway.settles().await;
    }
    assert!(api.requests().is_empty());
}

/// A gateway with a policy that traps for every path but `/`.
async fn policed(on_fault: &str, server: &Upstream) -> Gateway {
    let component = Guest::policy_that(misdeeds::TRAP).build();
    let policy = format!("[[policy]]\nplugin = \"mine\"\non_fault = \"{on_fault}\"");
    let builder = Builder::new().plugin("mine", component).with(&policy);
    builder.pool(Pool::of(&[server])).start().await
}

#[tokio::test]
async fn a_policy_that_faults_denies_however_often_it_does() {
    let server = Upstream::named("a").await;
    let gateway = policed("deny", &server).await;
    for _ in 0..20 {
        let response = gateway.get("/private").await;
        assert_eq!(response.status(), 503);
        assert!(response.error().contains("policy"), "{response:?}");
    }
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_policy_that_faults_allows_if_its_binding_says_so() {
    let server = Upstream::named("a").await;
    let gateway = policed("allow", &server).await;
    for _ in 0..20 {
        assert_eq!(gateway.get("/public").await.text(), "a");
    }
}

/// The cookie that a response sets, without its attributes.
fn cookie_of(response: &crate::support::Message) -> Option<String> {
    let cookie = response.header("set-cookie")?;
    Some(cookie.split(';').next()?.to_owned())
}

#[tokio::test]
async fn a_sticky_cookie_keeps_a_client_on_its_server() {
    let [a, b, c] = [
        Upstream::named("a").await,
        Upstream::named("b").await,
        Upstream::named("c").await,
    ];
    let pool = Pool::of(&[&a, &b, &c]).with("affinity", "\"sticky-cookie\"");
    let gateway = Gateway::before(pool.with("balancer", "\"round-robin\"")).await;
    for _ in 0..3 {
        let first = gateway.get("/").await;
        let cookie = cookie_of(&first).expect("a cookie");
        let again = format!("GET / HTTP/1.1\r\nhost: a\r\ncookie: x=1; {cookie}\r\n\r\n");
        for _ in 0..5 {
            let response = gateway.exchange(&again).await;
            assert_eq!(response.text(), first.text());
            assert_eq!(
                cookie_of(&response),
                None,
                "who has a session gets no other"
            );
        }
    }
    let served = [&a, &b, &c].map(|server| server.requests().len());
    assert_eq!(served, [6, 6, 6]);
}

#[tokio::test]
async fn a_sticky_cookie_is_good_for_another_build_of_the_plugin() {
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let pool = Pool::of(&[&a, &b]).with("affinity", "\"sticky-cookie\"");
    let pool = pool.with("balancer", "\"round-robin\"");
    let gateway = Builder::new().workers(2).pool(pool).start().await;
    let mut clients = Vec::new();
    for _ in 0..4 {
        let first = gateway.get("/").await;
        clients.push((cookie_of(&first).expect("a cookie"), first));
    }
    let seat = "web/affinity";
    let rebuilt = gateway.activate_rebuilt("sticky-cookie", seat).await;
    for (cookie, first) in &clients {
        let again = format!("GET / HTTP/1.1\r\nhost: a\r\ncookie: {cookie}\r\n\r\n");
        for _ in 0..8 {
            let response = gateway.exchange(&again).await;
            assert_eq!(response.text(), first.text());
            assert_eq!(cookie_of(&response), None, "its session goes on");
        }
    }
    let new = gateway.get("/").await;
    assert!(cookie_of(&new).is_some(), "the other build decides");
    assert!(gateway.has_seated(&rebuilt, seat).await);
}

#[tokio::test]
async fn a_session_moves_on_when_its_server_is_gone() {
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let pool = Pool::of(&[&a, &b]).with("affinity", "\"sticky-cookie\"");
    let gateway = Gateway::before(pool.with("balancer", "\"round-robin\"")).await;
    let first = gateway.get("/").await;
    let (gone, name) = if first.text() == "a" {
        (a, "b")
    } else {
        (b, "a")
    };
    gone.kill().await;
    let cookie = cookie_of(&first).expect("a cookie");
    let response = gateway
        .exchange(format!(
            "GET / HTTP/1.1\r\nhost: a\r\ncookie: {cookie}\r\n\r\n"
        ))
        .await;
    assert_eq!((response.status(), response.text()), (200, name));
    assert_ne!(cookie_of(&response).expect("a new cookie"), cookie);
}

#[tokio::test]
async fn the_default_router_splits_traffic_by_path() {
    let [web, api] = [Upstream::named("web").await, Upstream::named("api").await];
    let routes = "[router]\nplugin = \"path-router\"\n[router.config]\nroutes = [\
                  { path = \"/api/*\", pool = \"api\", strip_prefix = \"/api\" }, \
                  { path = \"/*\", pool = \"web\" }]";
    let builder = Builder::new().with(routes).pool(Pool::of(&[&web]));
    let gateway = builder.pool(Pool::of(&[&api]).named("api")).start().await;
    assert_eq!(gateway.get("/api/items?x=1").await.text(), "api");
    assert_eq!(gateway.get("/items/../api/%69tems").await.text(), "api");
    assert_eq!(gateway.get("/apis").await.text(), "web");
    assert_eq!(api.requests()[0].target(), "/items?x=1");
    assert_eq!(api.requests()[1].target(), "/items");
}
