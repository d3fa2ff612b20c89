//! What the gateway says of its decisions about a request.

use serde_json::{Value, json};

use crate::support::{Builder, Gateway, Guest, Message, Pool, Upstream, misdeeds, run_until_exit};

const HEADER: &str = "x-gatewright-explain";

/// A request that asks to be explained.
async fn ask(gateway: &Gateway, token: &str, path: &str) -> Message {
    let request = format!("GET {path} HTTP/1.1\r\nhost: shop\r\n{HEADER}: {token}\r\n\r\n");
    gateway.exchange(request).await
}

/// A token of the lowest role.
async fn token(gateway: &Gateway) -> String {
    let wanted = json!({ "name": "deployer", "role": "deploy" });
    let made = gateway.change("POST", "/api/tokens", wanted).await;
    made["token"].as_str().expect("a token").to_owned()
}

async fn explained(gateway: &Gateway, token: &str, answer: &Message) -> Value {
    let id = answer.header(HEADER).expect("the explanation's id");
    let call = gateway.call("GET", &format!("/api/explain/{id}"));
    let answer = call.token(token).send().await;
    assert_eq!(answer.status(), 200, "{answer:?}");
    answer.json()["data"].clone()
}

#[tokio::test]
async fn a_request_that_asks_with_a_token_is_explained_decision_by_decision() {
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let pool = Pool::of(&[&a, &b]).with("affinity", "\"sticky-cookie\"");
    let gateway = Builder::new().pool(pool).start().await;
    let token = token(&gateway).await;
    let answer = ask(&gateway, &token, "/cart?secret=1").await;
    assert_eq!(answer.status(), 200);

    let explained = explained(&gateway, &token, &answer).await;
    let served_by = match answer.text() {
        "a" => a.address().to_string(),
        _ => b.address().to_string(),
    };
    assert_eq!(explained["serverId"], served_by.as_str());
    assert_eq!(explained["pool"], "web");
    assert_eq!(explained["statusCode"], 200);
    assert_eq!(explained["url"], "/cart", "the query is not kept");
    assert_eq!(explained["asked"], true);
    let decisions = explained["decisions"].as_array().expect("decisions");
    let roles: Vec<_> = decisions.iter().map(|one| &one["role"]).collect();
    assert_eq!(roles, ["router", "affinity", "balancer", "affinity"]);
    assert_eq!(decisions[0]["answer"], "web");
    assert_eq!(decisions[1]["answer"], "no opinion");
    assert_eq!(decisions[2]["answer"], served_by.as_str());
    assert_eq!(decisions[2]["candidates"].as_array().map(Vec::len), Some(2));
    assert!(decisions.iter().all(|one| one["fault"].is_null()));
    assert!(
        decisions
            .iter()
            .all(|one| one["nanoseconds"].as_u64() > Some(0))
    );
}

#[tokio::test]
async fn a_second_server_that_was_asked_beside_is_told_and_who_chose_it() {
    let (slow, good) = (Upstream::silent().await, Upstream::named("good").await);
    let pool = Pool::of(&[&slow, &good])
        .with("balancer", "\"round-robin\"")
        .with("hedge", "{ after = \"300ms\" }")
        .with("retries", "{ budget = 1.0 }");
    let gateway = Builder::new().pool(pool).start().await;
    let token = token(&gateway).await;
    let servers = [&slow, &good].map(|server| server.address().to_string());
    let mut is_hedged = false;
    while !is_hedged {
        let answer = ask(&gateway, &token, "/").await;
        is_hedged = !slow.requests().is_empty();
        let explained = explained(&gateway, &token, &answer).await;
        assert_eq!(explained["serverId"], servers[1].as_str());
        let decisions = explained["decisions"].as_array().expect("decisions");
        let decided = decisions.iter().filter(|one| one["role"] == "balancer");
        let decided: Vec<_> = decided.map(|one| &one["answer"]).collect();
        match is_hedged {
            true => assert_eq!(decided, servers.each_ref().map(String::as_str)),
            false => assert_eq!(decided, [servers[1].as_str()]),
        }
        let second = is_hedged.then(|| servers[1].as_str());
        assert_eq!(explained["hedgedTo"].as_str(), second);
    }
}

/// A guest's component that says why, from where its texts are.
fn because(guest: impl FnOnce(&str) -> Guest, reason: &str) -> Vec<u8> {
    let call = format!(
        "(call $reason (i32.const {}) (i32.const {}))",
        Guest::TEXTS,
        reason.len()
    );
    let guest = guest(&call).importing("advice", "reason", "$reason (param i32 i32)");
    guest.saying(&[reason]).build()
}

#[tokio::test]
async fn why_plugins_decided_so_is_told_beside_their_decisions() {
    let a = Upstream::named("a").await;
    let first = |why: &str| Guest::balancer(&format!("{why} (i32.const 0)"));
    let builder = Builder::new()
        .plugin("door", because(Guest::policy_that, "it knocked"))
        .plugin("near", because(first, "it is near"))
        .with("[[policy]]\nplugin = \"door\"");
    let pool = Pool::of(&[&a]).with("balancer", "\"near\"");
    let gateway = builder.pool(pool).start().await;
    let token = token(&gateway).await;
    let answer = ask(&gateway, &token, "/cart").await;
    assert_eq!(answer.text(), "a");

    let explained = explained(&gateway, &token, &answer).await;
    let reason = |role: &str| {
        let decisions = explained["decisions"].as_array().expect("decisions");
        let decision = decisions.iter().find(|one| one["role"] == role);
        decision.expect("its decision")["reason"].clone()
    };
    assert_eq!(reason("request-policy"), "it knocked");
    assert_eq!(reason("router"), Value::Null, "it said nothing");
    assert_eq!(reason("balancer"), "it is near");
    let call = gateway.call("GET", "/api/explain").token(&token);
    assert_eq!(call.send().await.json()["data"][0], explained);
}

#[tokio::test]
async fn servers_never_see_the_token_and_strangers_learn_nothing() {
    let a = Upstream::named("a").await;
    let gateway = Builder::new().pool(Pool::of(&[&a])).start().await;
    let unasked = ask(&gateway, "anything", "/").await;
    assert_eq!(unasked.header(HEADER), None, "there is no token at all yet");
    let token = token(&gateway).await;
    let wrong = ask(&gateway, "gw_wrong", "/").await;
    assert_eq!((wrong.status(), wrong.header(HEADER)), (200, None));
    let right = ask(&gateway, &token, "/").await;
    assert!(right.header(HEADER).is_some());
    for request in a.requests() {
        assert_eq!(request.header(HEADER), None, "{request:?}");
    }
    let missing = gateway.call("GET", "/api/explain/none").token(&token);
    assert_eq!(missing.refused(404).await["code"], "not_found");
}

#[tokio::test]
async fn a_fault_and_who_answered_in_its_place_are_told() {
    let a = Upstream::named("a").await;
    let mine = Guest::balancer_that(misdeeds::TRAP).build();
    let pool = Pool::of(&[&a]).with("balancer", "\"mine\"");
    let gateway = Builder::new().plugin("mine", mine).pool(pool);
    let gateway = gateway.start().await;
    let token = token(&gateway).await;
    let answer = ask(&gateway, &token, "/").await;
    assert_eq!(answer.status(), 200);
    let explained = explained(&gateway, &token, &answer).await;
    assert_eq!(explained["serverId"], a.address().to_string().as_str());
    let decisions = explained["decisions"].as_array().expect("decisions");
    let balancer = decisions.iter().find(|one| one["role"] == "balancer");
    let balancer = balancer.expect("the balancer's");
    assert_eq!(balancer["fault"], "the plugin trapped");
    assert!(balancer["answer"].is_null());
}

#[tokio::test]
async fn the_latest_requests_are_listed_without_being_asked_for() {
    let a = Upstream::named("a").await;
    let gateway = Builder::new().pool(Pool::of(&[&a])).start().await;
    gateway.get("/first").await;
    for path in ["/api/requests", "/api/metrics/requests"] {
        let requests = gateway.api(path).await;
        let first = requests.as_array().and_then(|all| all.last());
        let first = first.unwrap_or_else(|| panic!("{path}: {requests}"));
        assert_eq!(first["url"], "/first");
        assert_eq!(first["method"], "GET");
        assert_eq!(first["statusCode"], 200);
        assert_eq!(first["serverId"], a.address().to_string().as_str());
    }
    let admin = format!("http://{}", gateway.admin_address());
    let (code, said) =
        run_until_exit(&["explain", "--admin", &admin], std::path::Path::new(".")).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("/first"), "{said}");
    let id = gateway.api("/api/explain").await[0]["id"].clone();
    let id = id.as_str().expect("an id");
    let (code, said) = run_until_exit(
        &["explain", id, "--admin", &admin],
        std::path::Path::new("."),
    )
    .await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("path-router"), "{said}");
}
