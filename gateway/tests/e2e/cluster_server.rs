//! The cluster's server: with TLS and passwords, without memory, and when it hangs.

use serde_json::json;

use crate::cluster::member;
use crate::support::{Authority, Builder, Pool, Redis, Upstream, eventually, signal};

#[tokio::test]
async fn it_is_spoken_to_with_tls_certificates_and_a_password() {
    let authority = Authority::new();
    let (redis, port) = Redis::with_tls(&authority, "s3cret").await;
    let client = authority.sign("gateway");
    let first = Upstream::named("first").await;
    let cluster = |password: &str| {
        format!(
            "[cluster]\nurl = \"rediss://localhost:{port}/0\"\npassword = \"{password}\"\n\
             name = \"a\"\ntls = {{ ca = \"ca.pem\", cert = \"cert.pem\", key = \"key.pem\" }}"
        )
    };
    let gateway = |password: &str| {
        Builder::new()
            .pool(Pool::of(&[&first]))
            .with(&cluster(password))
            .file("ca.pem", authority.certificate())
            .file("cert.pem", client.certificate.clone())
            .file("key.pem", client.key.clone())
    };
    let right = gateway("s3cret").start().await;
    eventually("the cluster has begun", async || {
        right.api("/api/cluster").await["version"] == 1
    })
    .await;
    let server = json!({ "host": "127.0.0.1", "port": 1 });
    right.change("POST", "/api/servers", server).await;
    let asked = [
        "-a",
        "s3cret",
        "--no-auth-warning",
        "HGET",
        "gatewright:state",
        "version",
    ];
    assert_eq!(redis.ask(&asked), "2");
    let wrong = gateway("guess").start().await;
    let why = wrong.api("/api/cluster").await["why"].to_string();
    assert!(why.contains("cluster.password"), "{why}");
    assert!(!wrong.log().contains("guess"), "{}", wrong.log());
}

#[tokio::test]
async fn without_memory_there_it_refuses_a_change_and_says_why() {
    let redis = Redis::start(&["--maxmemory-policy", "noeviction"]).await;
    let first = Upstream::named("first").await;
    let a = member("a", &redis, &[&first]).start().await;
    eventually("the cluster has begun", async || {
        a.api("/api/cluster").await["version"] == 1
    })
    .await;
    redis.ask(&["CONFIG", "SET", "maxmemory", "1mb"]);
    let server = json!({ "host": "127.0.0.1", "port": 1 });
    let error = a
        .call("POST", "/api/servers")
        .json(&server)
        .refused(503)
        .await;
    assert!(
        error["message"].to_string().contains("maxmemory"),
        "{error}"
    );
    redis.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    a.change("POST", "/api/servers", server).await;
}

#[tokio::test]
async fn what_it_has_not_answered_is_not_said_to_be_done() {
    let redis = Redis::start(&[]).await;
    let first = Upstream::named("first").await;
    let a = member("a", &redis, &[&first]).start().await;
    eventually("the cluster has begun", async || {
        a.api("/api/cluster").await["version"] == 1
    })
    .await;
    signal(redis.id(), libc::SIGSTOP);
    let server = json!({ "host": "127.0.0.1", "port": 1 });
    let refused = a
        .call("POST", "/api/servers")
        .json(&server)
        .refused(503)
        .await;
    assert_eq!(refused["code"], "cluster_away");
    signal(redis.id(), libc::SIGCONT);
    // Asked again, it is done once, whatever became of the first.
    eventually("the change is there", async || {
        let answer = a.call("POST", "/api/servers").json(&server).send().await;
        matches!(answer.status(), 201 | 409)
    })
    .await;
}
