//! Versions that are activated, tried and taken back through the API while
//! clients ask.

use serde_json::{Value, json};

use crate::support::{Builder, Gateway, Guest, Load, Pool, Upstream, eventually, misdeeds};

const SEAT: &str = "/api/bindings/web/balancer";
const BACK: &str = "/api/bindings/web/balancer/rollback";

/// Two workers, so that all of them have to change, before the servers a and b;
/// plugin `mine` of a file picks the first.
async fn gateway(servers: [&Upstream; 2]) -> Gateway {
    let pool = Pool::of(&servers).with("balancer", "\"mine\"");
    let builder = Builder::new()
        .workers(2)
        .plugin("mine", Guest::always(0, 0));
    builder.pool(pool).start().await
}

/// Put something in the balancer's seat; it must be live on all workers.
async fn bind(gateway: &Gateway, binding: Value) -> Value {
    let bound = gateway.change("PUT", SEAT, binding).await;
    assert_eq!(
        bound["applied"],
        json!({ "workers": 2, "of": 2 }),
        "{bound}"
    );
    bound
}

/// Whether this server alone answers.
async fn all_decide_for(gateway: &Gateway, name: &str) -> bool {
    for _ in 0..16 {
        if gateway.get("/").await.text() != name {
            return false;
        }
    }
    true
}

/// The actions of the audit log, the newest first.
async fn actions(gateway: &Gateway) -> Vec<String> {
    let audit = gateway.api("/api/audit").await;
    let entries = audit.as_array().expect("entries").iter();
    let actions = entries.map(|entry| entry["action"].as_str().expect("a word").to_owned());
    actions.collect()
}

#[tokio::test]
async fn versions_are_activated_and_taken_back_one_by_one_under_load() {
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let gateway = gateway([&a, &b]).await;
    let load = Load::on(gateway.address(), "/");
    let first = gateway.upload("mine", Guest::always(1, 1)).await;
    let second = gateway.upload("mine", Guest::always(0, 2)).await;
    assert!(
        all_decide_for(&gateway, "a").await,
        "an upload decides nothing"
    );
    let bound = bind(&gateway, json!({ "version": &first[..8] })).await;
    assert_eq!(bound["version"], first.as_str());
    assert_eq!(bound["pinned"], true);
    assert!(all_decide_for(&gateway, "b").await);
    bind(&gateway, json!({ "version": second })).await;
    assert!(all_decide_for(&gateway, "a").await);
    let back = gateway.change("POST", BACK, Value::Null).await;
    assert_eq!(back["version"], first.as_str());
    assert!(all_decide_for(&gateway, "b").await);
    let back = gateway.change("POST", BACK, Value::Null).await;
    assert_eq!(back["source"], "file");
    assert_eq!(back["history"], json!([]));
    assert!(all_decide_for(&gateway, "a").await);
    let nothing = gateway.call("POST", BACK).refused(409).await;
    assert_eq!(nothing["code"], "conflict");
    load.goes_on(50).await;
    load.stop_without_failure().await;
    let actions = actions(&gateway).await;
    let rollback = "binding.rollback";
    assert_eq!(actions[..2], [rollback, rollback]);
    assert!(actions.contains(&"binding.activate".to_owned()));
    assert!(actions.contains(&"plugin.upload".to_owned()));
}

#[tokio::test]
async fn activation_and_history_outlive_a_restart() {
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let mut gateway = gateway([&a, &b]).await;
    let first = gateway.upload("other", Guest::always(1, 1)).await;
    bind(&gateway, json!({ "plugin": "other" })).await;
    let second = gateway.upload("other", Guest::always(0, 2)).await;
    bind(&gateway, json!({ "version": second })).await;
    let before = gateway.api(SEAT).await;
    gateway.restart().await;
    assert_eq!(gateway.api(SEAT).await, before);
    assert_eq!(before["version"], second.as_str());
    let back = gateway.change("POST", BACK, Value::Null).await;
    assert_eq!(back["version"], first.as_str());
    assert!(all_decide_for(&gateway, "b").await);
}

#[tokio::test]
async fn a_changed_file_decides_only_where_the_file_s_version_did() {
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let gateway = gateway([&a, &b]).await;
    let of_file = gateway.api(SEAT).await["version"].clone();
    gateway.put("mine.wasm", Guest::always(1, 3));
    eventually("the file's version decides", async || {
        all_decide_for(&gateway, "b").await
    })
    .await;
    let are_there = async |count: usize| {
        eventually("what the file held is a version", async || {
            gateway.api("/api/plugins/mine").await["versionCount"] == count
        })
        .await;
    };
    are_there(2).await;
    bind(&gateway, json!({ "version": of_file })).await;
    assert!(all_decide_for(&gateway, "a").await);
    gateway.put("mine.wasm", Guest::always(1, 4));
    are_there(3).await;
    assert!(all_decide_for(&gateway, "a").await, "over no activation");
    let mine = gateway.api("/api/plugins/mine").await;
    assert_eq!(mine["versions"][2]["source"], "file");
    assert_eq!(mine["versions"][2]["bound"], json!([]));
    bind(&gateway, json!({ "version": null })).await;
    assert!(all_decide_for(&gateway, "b").await);
}

#[tokio::test]
async fn as_many_versions_of_a_file_are_kept_as_one_may_want_back() {
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let gateway = gateway([&a, &b]).await;
    for build in 1..12 {
        gateway.put("mine.wasm", Guest::always(1, build));
        let before = gateway.api(SEAT).await["version"].clone();
        eventually("it decides", async || {
            gateway.api(SEAT).await["version"] != before
        })
        .await;
    }
    eventually("the oldest are gone", async || {
        gateway.api("/api/plugins/mine").await["versionCount"] == 9
    })
    .await;
}

#[tokio::test]
async fn a_canary_decides_for_its_share_and_is_promoted() {
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let gateway = gateway([&a, &b]).await;
    let canary = gateway.upload("mine", Guest::always(1, 1)).await;
    let load = Load::on(gateway.address(), "/");
    load.goes_on(20).await;
    let bound = bind(
        &gateway,
        json!({ "canary": { "version": canary, "percent": 30 } }),
    )
    .await;
    assert_eq!(bound["canary"]["percent"], 30);
    assert_eq!(bound["canary"]["state"], "active");
    eventually("the canary decides", async || {
        let stats = gateway.api("/api/plugins/mine/stats").await;
        stats["bindings"][1]["part"] == "canary"
            && stats["bindings"][1]["percent"] == 30
            && stats["bindings"][1]["decisions"].as_u64() > Some(20)
    })
    .await;
    let bound = bind(&gateway, json!({ "version": canary })).await;
    assert_eq!(bound["canary"], Value::Null, "it decides for all now");
    assert!(all_decide_for(&gateway, "b").await);
    let totals = load.stop_without_failure().await;
    assert!(totals.answers["a"] > 0 && totals.answers["b"] > 0);
}

#[tokio::test]
async fn a_shadow_is_compared_with_who_decides() {
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let gateway = gateway([&a, &b]).await;
    let shadow = gateway.upload("mine", Guest::always(1, 1)).await;
    let load = Load::on(gateway.address(), "/");
    bind(
        &gateway,
        json!({ "shadow": { "version": shadow, "sample": 100 } }),
    )
    .await;
    let comparison = async || {
        let stats = gateway.api("/api/plugins/mine/stats").await;
        stats["bindings"][1]["comparison"].clone()
    };
    eventually("decisions are compared", async || {
        comparison().await["compared"].as_u64() > Some(20)
    })
    .await;
    let compared = comparison().await;
    assert_eq!(compared["agreed"], 0, "{compared}");
    assert_eq!(compared["agreement"], 0.0);
    assert_eq!(compared["distance"], 1.0);
    assert!(compared["nsDifference"].is_number(), "{compared}");
    let bound = bind(&gateway, json!({ "shadow": null })).await;
    assert_eq!(bound["shadow"], Value::Null);
    let totals = load.stop_without_failure().await;
    assert!(
        !totals.answers.contains_key("b"),
        "a shadow is never obeyed"
    );
    let actions = actions(&gateway).await;
    assert_eq!(actions[..2], ["binding.shadow", "binding.shadow"]);
}

/// Wait until the gateway itself has taken something back.
async fn taken_back(gateway: &Gateway) -> Value {
    eventually("it is taken back", async || {
        gateway.api("/api/audit").await[0]["action"] == "binding.rollback"
    })
    .await;
    let entry = gateway.api("/api/audit").await[0].clone();
    assert_eq!(entry["who"], "gateway");
    let target = entry["target"].as_str().expect("a target");
    assert!(target.contains("was quarantined"), "{target}");
    entry
}

#[tokio::test]
async fn a_canary_that_faults_is_taken_back_for_good() {
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let mut gateway = gateway([&a, &b]).await;
    let bad = Guest::balancer_that(misdeeds::TRAP).build();
    let bad = gateway.upload("mine", bad).await;
    let load = Load::on(gateway.address(), "/");
    bind(
        &gateway,
        json!({ "canary": { "version": bad, "percent": 50 } }),
    )
    .await;
    taken_back(&gateway).await;
    load.goes_on(50).await;
    let totals = load.stop_without_failure().await;
    assert!(
        !totals.answers.contains_key("b"),
        "who decides answered for it"
    );
    gateway.restart().await;
    assert_eq!(gateway.api(SEAT).await["canary"], Value::Null);
}

#[tokio::test]
async fn a_shadow_that_faults_is_taken_back() {
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let gateway = gateway([&a, &b]).await;
    let bad = Guest::balancer_that(misdeeds::TRAP).build();
    let bad = gateway.upload("mine", bad).await;
    let load = Load::on(gateway.address(), "/");
    bind(
        &gateway,
        json!({ "shadow": { "version": bad, "sample": 100 } }),
    )
    .await;
    taken_back(&gateway).await;
    load.stop_without_failure().await;
    assert_eq!(gateway.api(SEAT).await["shadow"], Value::Null);
}

#[tokio::test]
async fn an_activated_version_that_faults_is_rolled_back_and_not_tried_again() {
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let mut gateway = gateway([&a, &b]).await;
    let good = gateway.upload("mine", Guest::always(1, 1)).await;
    let bad = Guest::balancer_that(misdeeds::TRAP).build();
    let bad = gateway.upload("mine", bad).await;
    bind(&gateway, json!({ "version": good })).await;
    let load = Load::on(gateway.address(), "/");
    bind(&gateway, json!({ "version": bad })).await;
    taken_back(&gateway).await;
    assert!(all_decide_for(&gateway, "b").await);
    load.stop_without_failure().await;
    let bound = gateway.api(SEAT).await;
    assert_eq!(
        (&bound["version"], &bound["state"]),
        (&json!(good), &json!("active"))
    );
    gateway.restart().await;
    assert_eq!(gateway.api(SEAT).await["version"], good.as_str());
}

#[tokio::test]
async fn a_binding_that_cannot_be_changes_nothing() {
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let gateway = gateway([&a, &b]).await;
    let digest = gateway.upload("mine", Guest::always(1, 1)).await;
    for (binding, field) in [
        (json!({ "plugin": "nobody" }), json!("plugin")),
        (json!({ "version": "ab" }), json!("version")),
        (json!({ "version": "0".repeat(64) }), json!("version")),
        (
            json!({ "canary": { "version": digest } }),
            json!("canary.percent"),
        ),
        (
            json!({ "canary": { "version": digest, "percent": 0 } }),
            json!("canary.percent"),
        ),
        (
            json!({ "canary": { "version": digest, "percent": 101 } }),
            json!("canary.percent"),
        ),
        (
            json!({ "shadow": { "version": digest, "sample": 0 } }),
            json!("shadow.sample"),
        ),
        (json!({ "deadline": -1.0 }), json!("deadline")),
        (json!({ "deadline": 9.0 }), json!("deadline")),
        (json!({ "colour": "red" }), json!("colour")),
        (json!({ "plugin": "path-router" }), json!("plugin")),
        (
            json!({ "plugin": "first", "config": { "limit": 0 } }),
            json!("pools.web.balancer.config.limit"),
        ),
    ] {
        let refused = gateway.call("PUT", SEAT).json(&binding).refused(422).await;
        assert_eq!(refused["field"], field, "{binding}: {refused}");
    }
    let wanted = json!({ "version": digest });
    for unknown in ["no/balancer", "web/router", "-/balancer", "-/policy."] {
        let call = gateway.call("PUT", &format!("/api/bindings/{unknown}"));
        assert_eq!(call.json(&wanted).refused(404).await["code"], "not_found");
    }
    let stale = gateway.call("PUT", SEAT).header("if-match", "\"0-0\"");
    assert_eq!(stale.json(&wanted).refused(412).await["code"], "stale");
    assert!(all_decide_for(&gateway, "a").await);
    assert_eq!(gateway.api(SEAT).await["history"], json!([]));
}

#[tokio::test]
async fn affinity_and_router_are_seats_too() {
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let gateway = gateway([&a, &b]).await;
    let path = "/api/bindings/web/affinity";
    assert_eq!(gateway.api(path).await["plugin"], Value::Null);
    let nothing = gateway
        .call("PUT", path)
        .json(&json!({ "deadline": 0.001 }));
    assert_eq!(nothing.refused(422).await["field"], "plugin");
    let sticky = json!({ "plugin": "sticky-cookie" });
    gateway.change("PUT", path, sticky).await;
    assert!(gateway.get("/").await.header("set-cookie").is_some());
    let back = format!("{path}/rollback");
    gateway.change("POST", &back, Value::Null).await;
    assert!(gateway.get("/").await.header("set-cookie").is_none());
    let router = gateway.api("/api/bindings/-/router").await;
    assert_eq!(router["plugin"], "path-router");
    let closed = json!({ "config": { "routes": [{ "path": "/open/*", "pool": "web" }] } });
    gateway
        .change("PUT", "/api/bindings/-/router", closed)
        .await;
    assert_eq!(gateway.get("/open/x").await.status(), 200);
    gateway
        .change("POST", "/api/bindings/-/router/rollback", Value::Null)
        .await;
    let seats = gateway.api("/api/bindings").await;
    let seats = seats.as_array().expect("seats").iter();
    let names: Vec<_> = seats.map(|seat| seat["binding"].clone()).collect();
    assert_eq!(names, ["-/router", "web/balancer"]);
}

/// A policy that answers with this status where the path is not `/`.
fn answering(status: u16) -> Vec<u8> {
    let answer = format!(
        "(i32.store8 (i32.const 16) (i32.const 1)) \
         (i32.store16 (i32.const 18) (i32.const {status})) (return (i32.const 16))"
    );
    Guest::policy_that(&answer).build()
}

async fn status(gateway: &Gateway) -> u16 {
    gateway.get("/x").await.status()
}

#[tokio::test]
async fn policies_come_go_and_are_taken_back() {
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let mut gateway = gateway([&a, &b]).await;
    let guard = "/api/bindings/-/policy.guard";
    let back = "/api/bindings/-/policy.guard/rollback";
    assert_eq!(
        gateway.call("GET", guard).refused(404).await["code"],
        "not_found"
    );
    let first = gateway.upload("guard", answering(403)).await;
    let second = gateway.upload("guard", answering(401)).await;
    let bound = gateway
        .change("PUT", guard, json!({ "plugin": "guard" }))
        .await;
    assert_eq!(bound["binding"], "-/policy.guard");
    assert_eq!(bound["role"], "request-policy");
    assert_eq!(bound["onFault"], "deny");
    assert_eq!(bound["version"], first.as_str());
    assert_eq!(status(&gateway).await, 403);
    let plugin = gateway.call("DELETE", "/api/plugins/guard");
    assert_eq!(plugin.refused(409).await["code"], "conflict");
    let wanted = json!({ "version": second, "onFault": "allow" });
    let bound = gateway.change("PUT", guard, wanted).await;
    assert_eq!(bound["onFault"], "allow");
    assert_eq!(status(&gateway).await, 401);
    gateway.restart().await;
    assert_eq!(status(&gateway).await, 401);
    gateway.change("POST", back, Value::Null).await;
    assert_eq!(status(&gateway).await, 403);
    gateway.change("DELETE", guard, Value::Null).await;
    assert_eq!(status(&gateway).await, 200);
    assert_eq!(
        gateway.call("DELETE", guard).refused(404).await["code"],
        "not_found"
    );
    gateway.change("POST", back, Value::Null).await;
    assert_eq!(status(&gateway).await, 403);
    // To before it was first bound.
    gateway.change("POST", back, Value::Null).await;
    assert_eq!(status(&gateway).await, 200);
    assert_eq!(
        gateway.call("POST", back).refused(409).await["code"],
        "conflict"
    );
}

#[tokio::test]
async fn policies_are_asked_in_the_order_in_which_they_came() {
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let mut gateway = gateway([&a, &b]).await;
    for (name, status) in [("zeta", 403), ("alpha", 401)] {
        gateway.upload(name, answering(status)).await;
        let path = format!("/api/bindings/-/policy.{name}");
        gateway
            .change("PUT", &path, json!({ "plugin": name }))
            .await;
    }
    let first = "/api/bindings/-/policy.zeta";
    gateway
        .change("PUT", first, json!({ "deadline": 0.003 }))
        .await;
    assert_eq!(status(&gateway).await, 403);
    gateway.restart().await;
    assert_eq!(status(&gateway).await, 403);
    let seats = gateway.api("/api/bindings").await;
    assert_eq!(seats[0]["binding"], "-/policy.zeta");
    assert_eq!(seats[1]["binding"], "-/policy.alpha");
}

#[tokio::test]
async fn a_policy_of_the_file_has_a_canary_too_which_faults_and_is_taken_back() {
    let server = Upstream::named("a").await;
    let builder = Builder::new().plugin("guard", answering(403));
    let builder = builder.with("[[policy]]\nplugin = \"guard\"\nname = \"door\"");
    let gateway = builder.pool(Pool::of(&[&server])).start().await;
    let door = "/api/bindings/-/policy.door";
    let traps = Guest::policy_that(misdeeds::TRAP).build();
    let traps = gateway.upload("guard", traps).await;
    let canary = json!({ "canary": { "version": traps, "percent": 100 } });
    gateway.change("PUT", door, canary).await;
    eventually("the canary is taken back", async || {
        assert_eq!(status(&gateway).await, 403);
        gateway.api(door).await["canary"].is_null()
    })
    .await;
    assert_eq!(actions(&gateway).await[0], "binding.rollback");
    gateway.change("DELETE", door, Value::Null).await;
    assert_eq!(status(&gateway).await, 200);
    let bindings = gateway.api("/api/bindings").await;
    assert_eq!(bindings[0]["binding"], "-/router");
}

#[tokio::test]
async fn what_only_policies_have_and_what_must_be_bound_is_said() {
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let gateway = gateway([&a, &b]).await;
    for (field, value) in [("onFault", "allow"), ("role", "request-policy")] {
        let call = gateway.call("PUT", SEAT).json(&json!({ field: value }));
        assert_eq!(call.refused(422).await["field"], field);
    }
    gateway.upload("guard", answering(403)).await;
    for (binding, field) in [
        (json!({ "plugin": "guard", "onFault": "maybe" }), "onFault"),
        (json!({ "plugin": "guard", "role": "router" }), "role"),
        (json!({ "plugin": "mine" }), "plugin"),
    ] {
        let call = gateway.call("PUT", "/api/bindings/-/policy.guard");
        let refused = call.json(&binding).refused(422).await;
        assert_eq!(refused["field"], field, "{refused}");
    }
    for seat in [SEAT, "/api/bindings/-/router"] {
        assert_eq!(
            gateway.call("DELETE", seat).refused(409).await["code"],
            "conflict"
        );
    }
}

#[tokio::test]
async fn running_weights_survive_the_activation_of_another_build() {
    let servers = [
        Upstream::named("a").await,
        Upstream::named("b").await,
        Upstream::named("c").await,
    ];
    let [a, b, c] = servers.each_ref().map(Upstream::address);
    let pool = format!(
        "[pools.web]\nhealth = false\nbalancer = \"weighted\"\nservers = [\
         {{ host = \"127.0.0.1\", port = {}, weight = 5 }}, \"{b}\", \"{c}\"]",
        a.port()
    );
    let gateway = Builder::new().with(&pool).start().await;
    let own = gateway.api("/api/plugins/weighted").await["version"].clone();
    let own = own.as_str().expect("a digest");
    let other = gateway.upload_rebuilt("weighted").await;
    let picks = async |count: usize| {
        let mut picks = Vec::new();
        for _ in 0..count {
            picks.push(gateway.get("/").await.text().to_owned());
        }
        picks
    };
    let cycle = picks(7).await;
    assert_eq!(picks(7).await, cycle, "seven picks are a cycle");
    for (version, at) in [(other.as_str(), 2), (own, 3), (other.as_str(), 4)] {
        assert_eq!(picks(at).await, cycle[..at]);
        let bound = gateway
            .change("PUT", SEAT, json!({ "version": version }))
            .await;
        assert_eq!(bound["version"], version);
        assert_eq!(picks(7 - at).await, cycle[at..], "from {at} on");
    }
}
