//! What is uploaded on one gateway of a cluster is compiled on the others before
//! anything binds it, once.

use serde_json::json;

use crate::cluster_trouble::two;
use crate::support::{Gateway, Guest, Redis, Upstream, eventually};

/// From now on a gateway does not share compiled code with those of all tests.
async fn keep_code_of_its_own(gateway: &mut Gateway) {
    gateway.kill();
    std::fs::remove_file(gateway.path("data/cache")).expect("a link");
    gateway.restart().await;
}

/// Whether a gateway says that a version is there and compiled.
pub(crate) async fn has_compiled(gateway: &Gateway, digest: &str) -> bool {
    let path = format!("/api/plugins/mine/versions/{digest}");
    let answer = gateway.call("GET", &path).send().await;
    answer.status() == 200 && answer.json()["data"]["compiled"] == true
}

/// How often a gateway has compiled a version.
fn compilations(gateway: &Gateway, digest: &str) -> usize {
    let log = gateway.log();
    let compiled = log
        .lines()
        .filter(|line| line.contains("a component was compiled") && line.contains(&digest[..12]));
    compiled.count()
}

/// Bind a version on one gateway, and wait until it decides on the other.
async fn bind(one: &Gateway, other: &Gateway, digest: &str) {
    let binding = json!({ "plugin": "mine", "version": digest });
    one.change("PUT", "/api/bindings/web/balancer", binding)
        .await;
    eventually("it decides elsewhere", async || {
        let bound = other.api("/api/bindings/web/balancer").await;
        bound["plugin"] == "mine" && bound["version"] == digest
    })
    .await;
}

#[tokio::test]
async fn what_is_uploaded_on_one_is_compiled_on_the_other_before_it_is_bound() {
    let redis = Redis::start(&[]).await;
    let first = Upstream::named("first").await;
    let [a, mut b] = two(&redis, &[&first]).await;
    keep_code_of_its_own(&mut b).await;
    let digest = a.upload("mine", Guest::always(0, 1)).await;
    eventually("it is compiled elsewhere", async || {
        has_compiled(&b, &digest).await
    })
    .await;
    eventually("it says so once", async || {
        let listed = b.api("/api/plugins").await;
        compilations(&b, &digest) == 1 && listed["uploads"] == json!([])
    })
    .await;
    bind(&a, &b, &digest).await;
    assert_eq!(compilations(&b, &digest), 1);
    assert_eq!(b.api("/api/cluster").await["problems"], json!([]));
    // Who binds at once makes the other compile it once all the same.
    let digest = a.upload("mine", Guest::always(0, 2)).await;
    bind(&a, &b, &digest).await;
    assert!(has_compiled(&b, &digest).await);
    eventually("it has compiled it once", async || {
        compilations(&b, &digest) == 1
    })
    .await;
}

#[tokio::test]
async fn who_was_away_compiles_what_was_uploaded_once_it_is_back() {
    let redis = Redis::start(&[]).await;
    let first = Upstream::named("first").await;
    let [a, mut b] = two(&redis, &[&first]).await;
    b.kill();
    let digest = a.upload("mine", Guest::always(0, 1)).await;
    keep_code_of_its_own(&mut b).await;
    eventually("it is compiled", async || has_compiled(&b, &digest).await).await;
    eventually("it has compiled it itself", async || {
        compilations(&b, &digest) == 1
    })
    .await;
}
