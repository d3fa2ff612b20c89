//! Balancers that are judged before they decide for all.

use serde_json::{Value, json};

use crate::support::{Builder, Gateway, Pool, Upstream, ends};

/// It sends everybody to one server, which no battery lets pass.
const FIRST: &[u8] = include_bytes!("../../../plugins/dist/first.wasm");

async fn gateway(certify: &str) -> (Gateway, Upstream) {
    let a = Upstream::named("a").await;
    let keys = format!("certify_balancers = \"{certify}\"");
    let builder = Builder::new().admin_with(&keys).pool(Pool::of(&[&a]));
    (builder.start().await, a)
}

async fn bound(gateway: &Gateway) -> Value {
    gateway.api("/api/bindings/web/balancer").await["plugin"].take()
}

#[tokio::test]
async fn a_balancer_that_fails_the_battery_is_refused_with_what_it_fails() {
    let (gateway, _a) = gateway("require").await;
    let before = bound(&gateway).await;
    gateway.upload("mine", FIRST).await;
    let said = ends(&gateway, 1, &["plugin", "activate", "web/balancer", "mine"]).await;
    assert!(said.contains("fails the battery"), "{said}");
    assert!(said.contains("five equal servers, none starved"), "{said}");
    assert_eq!(bound(&gateway).await, before);
    gateway.says("a change was refused: mine ").await;
    gateway.says("five equal servers, none starved").await;
    // By now that is known.
    let path = "/api/bindings/web/balancer";
    let wanted = json!({ "plugin": "mine" });
    let error = gateway.call("PUT", path).json(&wanted).refused(409).await;
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("admin.certify_balancers"),
        "{error}"
    );
    let wanted = json!({ "algorithm": "mine" });
    let call = gateway.call("PUT", "/api/algorithm").json(&wanted);
    call.refused(409).await;
    // The default set has nothing to prove.
    gateway
        .change("PUT", path, json!({ "plugin": "first" }))
        .await;
}

#[tokio::test]
async fn a_mistake_in_its_configuration_is_told_as_that_and_before_the_battery() {
    let (gateway, _a) = gateway("require").await;
    gateway.upload("mine", FIRST).await;
    let key = "pools.web.balancer.config.limit";
    let wanted = json!({ "plugin": "mine", "config": { "limit": 0 } });
    let call = gateway.call("PUT", "/api/bindings/web/balancer");
    let error = call.json(&wanted).refused(422).await;
    assert_eq!(error["field"], key, "{error}");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("out of range"), "{error}");
    // It is no line of the file that is to blame.
    gateway.says(&format!("a change was refused: {key}")).await;
    assert!(!gateway.log().contains("battery"));
}

#[tokio::test]
async fn an_operator_may_be_warned_alone_or_not_at_all() {
    let (gateway, _a) = gateway("warn").await;
    gateway.upload("mine", FIRST).await;
    let said = ends(&gateway, 0, &["plugin", "activate", "web/balancer", "mine"]).await;
    assert!(said.contains("warning: mine"), "{said}");
    gateway.says("fails the battery").await;
    assert_eq!(bound(&gateway).await, "mine");

    let (gateway, _a) = self::gateway("off").await;
    gateway.upload("mine", FIRST).await;
    let wanted = json!({ "plugin": "mine" });
    gateway
        .change("PUT", "/api/bindings/web/balancer", wanted)
        .await;
    assert!(!gateway.log().contains("battery"));
}
