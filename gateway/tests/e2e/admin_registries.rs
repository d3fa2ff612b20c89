//! Components that the gateway fetches from an OCI registry.

use minisign::KeyPair;
use serde_json::json;

use crate::support::{Builder, Gateway, Guest, Pool, Registry, Upstream, ends};

async fn gateway(builder: Builder) -> (Gateway, [Upstream; 2]) {
    let servers = [Upstream::named("a").await, Upstream::named("b").await];
    let pool = Pool::of(&servers.each_ref());
    (builder.pool(pool).start().await, servers)
}

#[tokio::test]
async fn a_reference_becomes_a_version_that_outlives_its_registry() {
    let registry = Registry::start();
    let (mut gateway, _servers) = gateway(Builder::new()).await;
    let component = Guest::always(1, 1);
    let digest = registry.push("shop/near", "1.2", &component, None).await;
    let by_tag = json!({ "reference": format!("{}/shop/near:1.2", registry.host()) });
    let call = gateway.call("POST", "/api/plugins").json(&by_tag);
    let fetched = call.send().await;
    assert_eq!(fetched.status(), 201, "{}", fetched.text());
    let fetched = &fetched.json()["data"];
    assert_eq!(fetched["name"], "near", "as the repository ends");
    let pinned = format!("{}/shop/near@{digest}", registry.host());
    assert_eq!(fetched["reference"], pinned.as_str());
    let pinned = json!({ "reference": pinned });
    let call = gateway.call("POST", "/api/plugins?name=near").json(&pinned);
    assert_eq!(call.send().await.status(), 200, "it is there already");
    let unknown = json!({ "reference": format!("{}/shop/near:9", registry.host()) });
    let call = gateway.call("POST", "/api/plugins").json(&unknown);
    let refused = call.refused(422).await;
    assert_eq!(refused["code"], "not_fetched", "{refused}");
    assert!(refused["message"].to_string().contains("404"), "{refused}");
    let bound = json!({ "plugin": "near", "version": fetched["version"] });
    gateway
        .change("PUT", "/api/bindings/web/balancer", bound)
        .await;
    drop(registry);
    gateway.restart().await;
    assert_eq!(gateway.get("/").await.text(), "b");
}

#[tokio::test]
async fn a_push_of_a_reference_has_the_gateway_fetch_it_with_its_signature() {
    let registry = Registry::start();
    let signer = KeyPair::generate_unencrypted_keypair().expect("randomness");
    let keys = format!("plugin_keys = [\"{}\"]", signer.pk.to_base64());
    let (gateway, _servers) = gateway(Builder::new().admin_with(&keys)).await;
    let component = Guest::always(1, 2);
    let signature = minisign::sign(None, &signer.sk, &*component, None, None);
    let signature = signature.expect("a signature").into_string();
    registry.push("near", "plain", &component, None).await;
    registry
        .push("near", "signed", &component, Some(&signature))
        .await;
    let plain = format!("oci://{}/near:plain", registry.host());
    let said = ends(&gateway, 1, &["plugin", "push", &plain]).await;
    assert!(said.contains("it has no signature"), "{said}");
    let signed = format!("oci://{}/near:signed", registry.host());
    let push = [
        "plugin",
        "push",
        &signed,
        "--name",
        "mine",
        "--activate",
        "web/balancer",
    ];
    let said = ends(&gateway, 0, &push).await;
    assert!(
        said.starts_with("mine ") && said.contains("decides"),
        "{said}"
    );
    assert_eq!(gateway.get("/").await.text(), "b");
}

#[tokio::test]
async fn what_names_nothing_is_refused_by_its_field() {
    let (gateway, _servers) = gateway(Builder::new()).await;
    for reference in [
        "near",
        "https://registry.example/near:1",
        "a.example/near:1@sha256:12",
    ] {
        let call = gateway.call("POST", "/api/plugins");
        let refused = call
            .json(&json!({ "reference": reference }))
            .refused(422)
            .await;
        assert_eq!(refused["field"], "reference", "{refused}");
    }
    let none = gateway.call("POST", "/api/plugins").json(&json!({}));
    assert_eq!(none.refused(422).await["field"], "reference");
}
