//! Pools, algorithms and settings that are changed through the API.

use serde_json::{Value, json};

use crate::support::{Builder, Gateway, Load, Pool, Upstream};

async fn before(server: &Upstream) -> Gateway {
    Builder::new().pool(Pool::of(&[server])).start().await
}

fn server(server: &Upstream) -> Value {
    let address = server.address();
    json!({ "host": address.ip().to_string(), "port": address.port() })
}

#[tokio::test]
async fn a_pool_is_created_changed_and_deleted() {
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let mut gateway = before(&a).await;
    let new = json!({ "pool": "api", "algorithm": "round_robin", "servers": [server(&b)] });
    let call = gateway.call("POST", "/api/pools").json(&new);
    let answer = call.send().await;
    assert_eq!(answer.status(), 201);
    let created = &answer.json()["data"];
    assert_eq!(created["pool"], "api");
    assert_eq!(created["algorithm"], "round_robin");
    assert_eq!(created["source"], "api");
    assert_eq!(created["isDefault"], false);
    let again = gateway.call("POST", "/api/pools").json(&new);
    assert_eq!(again.refused(409).await["code"], "conflict");

    let settings = json!({ "healthCheckInterval": 7, "healthCheckPath": "/up", "maxRetries": 0 });
    let changed = gateway.change("PUT", "/api/pools/api", settings).await;
    assert_eq!(changed["healthCheckInterval"], 7.0);
    assert_eq!(changed["healthCheckPath"], "/up");
    assert_eq!(changed["maxRetries"], 0);
    gateway.restart().await;
    let pool = gateway.api("/api/pools/api").await;
    assert_eq!(pool["healthCheckInterval"], 7.0);
    assert_eq!(pool["servers"], json!([b.address().to_string()]));
    let pools = gateway.api("/api/pools").await;
    assert_eq!(pools[1]["pool"], "web");
    assert_eq!(pools[1]["isDefault"], true);
    assert_eq!(pools[1]["source"], "file");

    let deleted = gateway
        .change("DELETE", "/api/pools/api", Value::Null)
        .await;
    assert_eq!(deleted["removed"], true);
    let gone = gateway.call("GET", "/api/pools/api");
    assert_eq!(gone.refused(404).await["code"], "not_found");
    let needed = gateway.call("DELETE", "/api/pools/web");
    assert_eq!(needed.refused(409).await["code"], "conflict");
    assert_eq!(gateway.get("/").await.text(), "a");
}

#[tokio::test]
async fn what_is_switched_off_and_on_is_as_the_file_has_it() {
    let a = Upstream::named("a").await;
    let plan = "{ path = \"/hh\", interval = \"3s\" }";
    let affinity = "{ plugin = \"sticky-cookie\", config = { name = \"at\" } }";
    let pool = Pool::of(&[&a]).health(plan).with("affinity", affinity);
    let pool = pool.with("breaker", "{ fail_threshold = 7 }");
    let gateway = Builder::new().pool(pool).start().await;
    let path = "/api/pools/web";
    for on in [false, true] {
        let settings = json!({
            "healthCheckEnabled": on, "sessionPersistence": on, "circuitBreaker": on,
        });
        gateway.change("PUT", path, settings).await;
        assert_eq!(gateway.api(path).await["circuitBreaker"], on);
    }
    let pool = gateway.api(path).await;
    assert_eq!(pool["failThreshold"], 7);
    assert_eq!(pool["healthCheckPath"], "/hh");
    assert_eq!(pool["healthCheckInterval"], 3.0);
    let cookie = gateway.get("/").await;
    let cookie = cookie.header("set-cookie").expect("a cookie");
    assert!(cookie.starts_with("at="), "{cookie}");
}

#[tokio::test]
async fn another_pool_may_become_the_default_one_and_the_first_may_go() {
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let gateway = before(&a).await;
    let new = json!({ "pool": "api", "servers": [server(&b)] });
    gateway.change("POST", "/api/pools", new).await;
    let needed = gateway.call("DELETE", "/api/pools/web").refused(409).await;
    let message = needed["message"].as_str().expect("a message");
    assert!(message.contains("defaultPool"), "{message}");
    let unknown = gateway
        .call("PUT", "/api/config")
        .json(&json!({ "defaultPool": "nowhere" }));
    assert_eq!(unknown.refused(422).await["field"], "defaultPool");
    let changed = gateway
        .change("PUT", "/api/config", json!({ "defaultPool": "api" }))
        .await;
    assert_eq!(changed["defaultPool"], "api");
    gateway
        .change("DELETE", "/api/pools/web", Value::Null)
        .await;
    assert_eq!(gateway.get("/").await.text(), "b");
}

#[tokio::test]
async fn the_algorithm_is_changed_without_a_failed_request_and_stays() {
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let pool = Pool::of(&[&a, &b]);
    let mut gateway = Builder::new().workers(2).pool(pool).start().await;
    let load = Load::on(gateway.address(), "/");
    for name in ["round_robin", "weighted", "ip_hash", "power-of-two"] {
        let body = json!({ "algorithm": name });
        let changed = gateway.change("PUT", "/api/algorithm", body).await;
        assert_eq!(changed["algorithm"], name.replace('-', "_"));
        assert_eq!(changed["applied"], json!({ "workers": 2, "of": 2 }));
        load.goes_on(50).await;
    }
    load.stop_without_failure().await;
    let metrics = gateway.api("/api/metrics").await;
    assert_eq!(metrics["algorithm"], "power_of_two");
    gateway.restart().await;
    let algorithm = gateway.api("/api/algorithm").await;
    assert_eq!(
        algorithm,
        json!({ "pool": "web", "algorithm": "power_of_two" })
    );
    let all = gateway.api("/api/algorithms").await;
    let with_a_pool = all.as_array().expect("algorithms").iter();
    let with_a_pool = with_a_pool.filter(|one| one["pools"] == json!(["web"]));
    let names: Vec<_> = with_a_pool.map(|one| &one["name"]).collect();
    assert_eq!(names, ["power_of_two"]);
}

#[tokio::test]
async fn an_algorithm_that_is_none_is_refused() {
    let a = Upstream::named("a").await;
    let gateway = before(&a).await;
    for (name, reason) in [
        (
            "best",
            "no plugin is named \"best\"; write one of: adaptive, ",
        ),
        ("round-robbin", "did you mean \"round_robin\"?"),
        ("path_router", "\"path-router\" is a router and no balancer"),
    ] {
        let call = gateway.call("PUT", "/api/algorithm");
        let error = call.json(&json!({ "algorithm": name })).refused(422).await;
        assert_eq!(error["field"], "algorithm", "{error}");
        let message = error["message"].as_str().expect("a text");
        assert!(message.contains(reason), "{message}");
    }
    assert_eq!(gateway.get("/").await.text(), "a");
    assert_eq!(gateway.metric("gatewright_generation").await, 1.0);
}

#[tokio::test]
async fn the_configuration_is_read_changed_and_sent_back() {
    let a = Upstream::named("a").await;
    let gateway = before(&a).await;
    let mut config = gateway.api("/api/config").await;
    assert_eq!(config["algorithm"], "least_connections");
    assert_eq!(config["healthCheckEnabled"], false);
    assert_eq!(config["healthCheckInterval"], Value::Null);
    assert_eq!(config["maxRetries"], 2);
    assert_eq!(config["sessionPersistence"], false);
    assert_eq!(config["sslTermination"], false);
    assert_eq!(config["overrides"], json!([]));
    let same = gateway.change("PUT", "/api/config", config.clone()).await;
    assert_eq!(same["generation"], 1);

    config["healthCheckEnabled"] = json!(true);
    config["healthCheckInterval"] = json!(0.5);
    config["healthCheckTimeout"] = json!(0.25);
    config["sessionPersistence"] = json!(true);
    config["maxRetries"] = json!(4);
    config["failThreshold"] = json!(9);
    config["openTime"] = json!(1.5);
    config["panicThreshold"] = json!(40);
    config["slowStart"] = json!(20.0);
    gateway.change("PUT", "/api/config", config).await;
    let config = gateway.api("/api/config").await;
    assert_eq!(config["healthCheckEnabled"], true);
    assert_eq!(config["healthCheckInterval"], 0.5);
    assert_eq!(config["healthCheckTimeout"], 0.25);
    assert_eq!(config["sessionPersistence"], true);
    assert_eq!(config["maxRetries"], 4);
    assert_eq!(config["failThreshold"], 9);
    assert_eq!(config["openTime"], 1.5);
    assert_eq!(config["panicThreshold"], 40);
    assert_eq!(config["slowStart"], 20.0);
    assert!(gateway.get("/").await.header("set-cookie").is_some());

    let off = json!({ "sessionPersistence": false, "healthCheckEnabled": false });
    gateway.change("PUT", "/api/config", off).await;
    assert!(gateway.get("/").await.header("set-cookie").is_none());
}

#[tokio::test]
async fn wrong_settings_are_refused_by_the_field() {
    let a = Upstream::named("a").await;
    let gateway = before(&a).await;
    for (settings, field) in [
        (json!({ "maxRetries": 10 }), "maxRetries"),
        (json!({ "maxRetries": "2" }), "maxRetries"),
        (json!({ "hashKey": "moon" }), "hashKey"),
        (json!({ "requestTimeout": -1 }), "requestTimeout"),
        (json!({ "healthCheckInterval": 5 }), "healthCheckInterval"),
        (json!({ "failThreshold": 0 }), "failThreshold"),
        (
            json!({ "circuitBreaker": false, "openTime": 3 }),
            "openTime",
        ),
        (json!({ "panicThreshold": 101 }), "panicThreshold"),
        (json!({ "slowStart": -1 }), "slowStart"),
        (json!({ "sslTermination": true }), "sslTermination"),
        (json!({ "sslCertPath": "a.pem" }), "sslCertPath"),
        (json!({ "color": "blue" }), "color"),
    ] {
        let call = gateway.call("PUT", "/api/config").json(&settings);
        let error = call.refused(422).await;
        assert_eq!(error["field"], field, "{error}");
    }
    assert_eq!(gateway.metric("gatewright_generation").await, 1.0);
}

#[tokio::test]
async fn what_plugins_are_configured_with_is_not_shown() {
    let a = Upstream::named("a").await;
    let affinity = "{ plugin = \"sticky-cookie\", config = { secret = \"confidential-and-long-enough-to-sign\" } }";
    let pool = Pool::of(&[&a]).with("affinity", affinity);
    let gateway = Builder::new().pool(pool).start().await;
    for path in ["/api/config", "/api/pools", "/api/servers", "/api/audit"] {
        let answer = gateway.admin(path).await;
        assert!(!answer.text().contains("confidential"), "{path}");
    }
}

#[tokio::test]
async fn without_a_default_pool_a_change_has_to_name_one() {
    let a = Upstream::named("a").await;
    let route = "{ path = \"/*\", pool = \"web\" }";
    let router = format!("[router]\nplugin = \"path-router\"\nconfig = {{ routes = [{route}] }}");
    let builder = Builder::new().with(&router).pool(Pool::of(&[&a]));
    let gateway = builder.pool(Pool::of(&[&a]).named("api")).start().await;
    assert_eq!(gateway.api("/api/config").await["pool"], "api");
    assert_eq!(gateway.api("/api/config?pool=web").await["pool"], "web");
    assert_eq!(gateway.api("/api/algorithm").await["pool"], "api");
    let algorithm = json!({ "algorithm": "weighted" });
    let call = gateway.call("PUT", "/api/algorithm").json(&algorithm);
    assert_eq!(call.refused(422).await["field"], "pool");
    let settings = json!({ "algorithm": "weighted", "pool": "web" });
    let changed = gateway.change("PUT", "/api/config", settings).await;
    assert_eq!(changed["pool"], "web");
    assert_eq!(changed["algorithm"], "weighted");
    let algorithm = gateway.api("/api/algorithm?pool=api").await;
    assert_eq!(algorithm["algorithm"], "least_connections");
}
