//! Clusters on one server, each with a prefix of its own.

use crate::cluster::{comes_to_have, has, member, somewhere, version};
use crate::cluster_shared::{LIMIT, let_through, spend};
use crate::support::{Gateway, Redis, Upstream, eventually};

/// A gateway of the cluster with this prefix, which limits each key.
async fn of(prefix: &str, name: &str, redis: &Redis, server: &Upstream) -> Gateway {
    let limit = format!("rate = \"1/h\", burst = {LIMIT}, key = \"header:x-api-key\"");
    let policy = format!("[[policy]]\nplugin = \"rate-limit\"\nconfig = {{ {limit} }}");
    let builder = member(name, redis, &[server]);
    // The keys of the cluster are its last ones.
    let builder = builder.with(&format!("prefix = \"{prefix}\""));
    builder.with(&policy).start().await
}

/// How many gateways it knows of.
async fn known(gateway: &Gateway) -> usize {
    let cluster = gateway.api("/api/cluster").await;
    cluster["gateways"].as_array().expect("gateways").len()
}

#[tokio::test]
async fn clusters_with_prefixes_of_their_own_do_not_see_each_other() {
    let redis = Redis::start(&[]).await;
    redis.ask(&["DEL", "gatewright:empty"]);
    for prefix in ["blue", "green"] {
        // It has been empty ever since, so that the first gateway begins at once.
        redis.ask(&["SET", &format!("{prefix}:empty"), "0"]);
    }
    let first = Upstream::named("first").await;
    let a = of("blue", "a", &redis, &first).await;
    let green = of("green", "c", &redis, &first).await;
    for gateway in [&a, &green] {
        eventually("the cluster has begun there", async || {
            version(gateway).await == 1
        })
        .await;
    }
    let b = of("blue", "b", &redis, &first).await;
    green.change("POST", "/api/servers", somewhere(2)).await;
    a.change("POST", "/api/servers", somewhere(1)).await;
    comes_to_have(&b, "127.0.0.1:1").await;
    assert!(!has(&a, "127.0.0.1:2").await && !has(&b, "127.0.0.1:2").await);
    assert!(!has(&green, "127.0.0.1:1").await);
    // One change each, after the one that began it.
    assert_eq!(version(&a).await, 2);
    assert_eq!(version(&green).await, 2);
    eventually("both of the one know of each other", async || {
        known(&a).await == 2 && known(&b).await == 2
    })
    .await;
    assert_eq!(known(&green).await, 1);
    // What is spent in the one is there to be spent in the other.
    spend(&a, "one").await;
    eventually("nothing is left in the one", async || {
        let_through(&b, "one", 1).await == 0
    })
    .await;
    assert!(spend(&green, "one").await >= LIMIT);
    let is_told_apart = |name: &str| name.starts_with("blue:") || name.starts_with("green:");
    let keys = redis.ask(&["KEYS", "*"]);
    assert!(keys.lines().all(is_told_apart), "{keys}");
    for key in ["blue:state", "green:state", "blue:shared:items"] {
        assert!(keys.lines().any(|there| there == key), "{keys}");
    }
    let channels = redis.ask(&["PUBSUB", "CHANNELS"]);
    assert!(channels.lines().all(is_told_apart), "{channels}");
}
