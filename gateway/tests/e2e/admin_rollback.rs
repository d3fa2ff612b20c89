//! What a seat goes back to, and that what it may go back to is still there.

use serde_json::{Value, json};

use crate::support::{Builder, Gateway, Guest, Pool, Upstream, eventually, misdeeds};

const SEAT: &str = "/api/bindings/web/balancer";
const BACK: &str = "/api/bindings/web/balancer/rollback";

/// Before the servers a and b; plugin `mine` of a file picks the first.
async fn gateway(servers: [&Upstream; 2]) -> Gateway {
    let pool = Pool::of(&servers).with("balancer", "\"mine\"");
    let builder = Builder::new().plugin("mine", Guest::always(0, 0));
    builder.pool(pool).start().await
}

async fn bind(gateway: &Gateway, binding: Value) -> Value {
    gateway.change("PUT", SEAT, binding).await
}

async fn back(gateway: &Gateway) -> Value {
    gateway.change("POST", BACK, Value::Null).await
}

#[tokio::test]
async fn a_version_of_a_file_that_a_rollback_may_lead_to_is_kept() {
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let mut gateway = gateway([&a, &b]).await;
    let oldest = gateway.api(SEAT).await["version"].clone();
    bind(&gateway, json!({ "version": oldest })).await;
    bind(&gateway, json!({ "version": null })).await;
    for build in 1..12 {
        gateway.put("mine.wasm", Guest::always(1, build));
        let before = gateway.api(SEAT).await["version"].clone();
        eventually("it decides", async || {
            gateway.api(SEAT).await["version"] != before
        })
        .await;
    }
    assert_eq!(back(&gateway).await["version"], oldest);
    gateway.restart().await;
    let seat = gateway.api(SEAT).await;
    assert_eq!(seat["version"], oldest, "{seat}");
    assert_eq!(gateway.api("/api/config").await["leftOut"], json!([]));
    assert_eq!(gateway.get("/").await.text(), "a");
}

#[tokio::test]
async fn what_was_deleted_is_passed_over() {
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let gateway = gateway([&a, &b]).await;
    bind(&gateway, json!({ "plugin": "ip-hash" })).await;
    let versions = [
        gateway.upload("near", Guest::always(1, 1)).await,
        gateway.upload("near", Guest::always(1, 2)).await,
    ];
    for version in versions {
        bind(&gateway, json!({ "plugin": "near", "version": version })).await;
    }
    bind(&gateway, json!({ "version": null })).await;
    bind(&gateway, json!({ "plugin": "weighted" })).await;
    let deleted = gateway.call("DELETE", "/api/plugins/near").send().await;
    assert_eq!(deleted.status(), 200);
    assert_eq!(back(&gateway).await["plugin"], "ip-hash");
    assert_eq!(back(&gateway).await["plugin"], "mine");
    assert_eq!(
        gateway.call("POST", BACK).refused(409).await["code"],
        "conflict"
    );
}

#[tokio::test]
async fn a_pool_that_comes_again_has_no_past() {
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let gateway = gateway([&a, &b]).await;
    let address = b.address();
    let server = json!({ "host": address.ip().to_string(), "port": address.port() });
    let pool = json!({ "pool": "api", "servers": [server] });
    gateway.change("POST", "/api/pools", pool.clone()).await;
    let affinity = "/api/bindings/api/affinity";
    let sticky = json!({ "plugin": "sticky-cookie" });
    gateway.change("PUT", affinity, sticky).await;
    gateway.change("DELETE", affinity, Value::Null).await;
    gateway
        .change("DELETE", "/api/pools/api", Value::Null)
        .await;
    gateway.change("POST", "/api/pools", pool).await;
    let back = gateway.call("POST", "/api/bindings/api/affinity/rollback");
    assert_eq!(back.refused(409).await["code"], "conflict");
}

#[tokio::test]
async fn an_upload_and_a_deletion_of_the_same_component_lose_nothing() {
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let gateway = gateway([&a, &b]).await;
    for build in 0..20 {
        let component = Guest::always(1, build);
        let digest = gateway.upload("one", component.clone()).await;
        let delete = gateway.call("DELETE", "/api/plugins/one").send();
        let upload = gateway.call("POST", "/api/plugins?name=two");
        let upload = upload.component(component).send();
        let (deleted, uploaded) = tokio::join!(delete, upload);
        assert_eq!(deleted.status(), 200);
        assert_eq!(uploaded.status(), 201);
        let download = format!("/api/plugins/two/versions/{digest}/download");
        let kept = gateway.call("GET", &download).send().await;
        assert_eq!(kept.status(), 200, "after {build}");
    }
}

#[tokio::test]
async fn what_stands_in_is_what_decided_there_before() {
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let of = |name| Pool::of(&[&a, &b]).named(name).with("balancer", "\"mine\"");
    let routes = "[router]\nplugin = \"path-router\"\n[router.config]\nroutes = [{ path = \"/b/*\", pool = \"other\" }, \
                  { path = \"/*\", pool = \"web\" }]";
    let builder = Builder::new().plugin("mine", Guest::always(0, 0));
    let builder = builder.pool(of("web")).pool(of("other")).with(routes);
    let gateway = builder.start().await;
    let other = "/api/bindings/other/balancer";
    let second = gateway.upload("mine", Guest::always(1, 1)).await;
    let traps = Guest::balancer_that(misdeeds::TRAP).build();
    let traps = gateway.upload("mine", traps).await;
    // The other pool goes from the second version to the third by its file, so
    // that nothing is rolled back; the first one decides in pool web all along.
    gateway
        .change("PUT", other, json!({ "version": second }))
        .await;
    gateway.edit(|text| {
        let pinned = format!("balancer = {{ plugin = \"mine\", version = \"{traps}\" }}");
        let (before, after) = text.split_once("[pools.other]").expect("the pool");
        let after = after.replacen("balancer = \"mine\"", &pinned, 1);
        format!("{before}[pools.other]{after}")
    });
    eventually("the second version stands in", async || {
        gateway.get("/b/x").await;
        let seat = gateway.api(other).await;
        seat["standIn"] == second.as_str()
    })
    .await;
    assert_eq!(gateway.get("/b/x").await.text(), "b");
}

#[tokio::test]
async fn a_change_that_was_left_out_is_made_when_it_is_asked_for_again() {
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let pool = Pool::of(&[&a, &b]);
    let builder = Builder::new().plugin("near", Guest::always(1, 0));
    let gateway = builder.pool(pool).start().await;
    let near = json!({ "algorithm": "near" });
    gateway.change("PUT", "/api/algorithm", near.clone()).await;
    gateway.edit(|text| text.replace("[plugins.near]\nfile = \"near.wasm\"\ngrants = []", ""));
    eventually("it is left out", async || {
        gateway.api("/api/config").await["leftOut"] != json!([])
    })
    .await;
    gateway.upload("near", Guest::always(1, 1)).await;
    gateway.change("PUT", "/api/algorithm", near).await;
    assert_eq!(gateway.api("/api/algorithm").await["algorithm"], "near");
    assert_eq!(gateway.api("/api/config").await["leftOut"], json!([]));
}

#[tokio::test]
async fn a_canary_that_comes_to_decide_for_all_is_no_canary_any_more() {
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let gateway = gateway([&a, &b]).await;
    let own = gateway.api(SEAT).await["version"].clone();
    let other = gateway.upload("mine", Guest::always(1, 1)).await;
    let canary = json!({ "version": own, "percent": 10 });
    bind(&gateway, json!({ "version": other, "canary": canary })).await;
    let bound = bind(&gateway, json!({ "version": null })).await;
    assert_eq!(bound["version"], own);
    assert_eq!(bound["canary"], Value::Null);
}
