//! Operating a running gateway from the command line.

use serde_json::Value;

use crate::support::{Builder, Gateway, Pool, Upstream, ends, eventually, spawn};

async fn gateway() -> (Gateway, Upstream) {
    let a = Upstream::named("a").await;
    let gateway = Builder::new().pool(Pool::of(&[&a])).start().await;
    (gateway, a)
}

#[tokio::test]
async fn servers_are_listed_added_changed_and_removed() {
    let (gateway, a) = gateway().await;
    let listed = ends(&gateway, 0, &["servers", "list"]).await;
    assert!(listed.starts_with("SERVER") && listed.contains(&a.address().to_string()));
    let added = ["servers", "add", "127.0.0.1:9", "--weight", "3"];
    let said = ends(&gateway, 0, &added).await;
    assert!(said.contains("added 127.0.0.1:9 to pool web"), "{said}");
    assert!(
        said.contains("generation 2 is in force on 1 of 1 workers"),
        "{said}"
    );
    ends(&gateway, 0, &["servers", "weight", "127.0.0.1:9", "5"]).await;
    ends(&gateway, 0, &["servers", "drain", "127.0.0.1:9"]).await;
    let json = ends(&gateway, 0, &["servers", "list", "--json"]).await;
    let servers: Value = serde_json::from_str(&json).expect("JSON");
    let added = servers.as_array().expect("servers").iter();
    let added: Vec<_> = added.filter(|one| one["port"] == 9).collect();
    assert_eq!(
        (&added[0]["weight"], &added[0]["draining"]),
        (&5.into(), &true.into())
    );
    ends(&gateway, 0, &["servers", "enable", "127.0.0.1:9"]).await;
    ends(&gateway, 0, &["servers", "remove", "127.0.0.1:9"]).await;
    let said = ends(&gateway, 1, &["servers", "remove", "127.0.0.1:9"]).await;
    assert!(said.contains("there is no server 127.0.0.1:9"), "{said}");
    ends(&gateway, 2, &["servers", "add", "nowhere"]).await;
}

#[tokio::test]
async fn pools_and_algorithms_are_changed() {
    let (gateway, _server) = gateway().await;
    ends(
        &gateway,
        0,
        &[
            "pools",
            "create",
            "api",
            "--server",
            "127.0.0.1:9",
            "--no-health",
        ],
    )
    .await;
    ends(
        &gateway,
        0,
        &[
            "pools",
            "set",
            "api",
            "--algorithm",
            "weighted",
            "--sticky",
            "true",
        ],
    )
    .await;
    let listed = ends(&gateway, 0, &["pools", "list"]).await;
    assert!(
        listed.contains("api") && listed.contains("weighted"),
        "{listed}"
    );
    ends(
        &gateway,
        0,
        &["algorithm", "set", "round_robin", "--pool", "api"],
    )
    .await;
    let shown = ends(&gateway, 0, &["algorithm", "get", "--pool", "api"]).await;
    assert!(shown.contains("round_robin"), "{shown}");
    let listed = ends(&gateway, 0, &["algorithm", "list"]).await;
    assert!(listed.contains("power_of_two"), "{listed}");
    ends(&gateway, 0, &["pools", "delete", "api"]).await;
    let said = ends(&gateway, 1, &["algorithm", "set", "best"]).await;
    assert!(said.contains("algorithm: no plugin is named"), "{said}");
    ends(&gateway, 2, &["pools", "set", "api"]).await;
}

#[tokio::test]
async fn tokens_are_made_listed_and_revoked_in_the_folder_and_by_the_gateway() {
    let (mut gateway, _server) = gateway().await;
    let listed = ends(&gateway, 0, &["token", "list", "--json"]).await;
    assert_eq!(listed.trim(), "[]");
    let in_use = ends(&gateway, 2, &["token", "list", "--data", "data"]).await;
    assert!(in_use.contains("in use by another gateway"), "{in_use}");
    gateway.kill();
    let create = |role: &'static str| {
        [
            "token", "create", "--role", role, "--name", "ours", "--data", "data",
        ]
    };
    let refused = ends(&gateway, 2, &create("read")).await;
    assert!(refused.contains("no token of the role deploy"), "{refused}");
    let token = ends(&gateway, 0, &create("deploy")).await;
    assert!(token.starts_with("gw_"), "{token}");
    gateway.restart().await;
    let call = gateway.call("GET", "/api/servers").token(token.trim());
    assert_eq!(call.send().await.status(), 200);
    let refused = ends(&gateway, 1, &["servers", "list"]).await;
    assert!(refused.contains("GATEWRIGHT_TOKEN to one"), "{refused}");
    assert!(!refused.contains("Bearer"), "{refused}");
    gateway.kill();
    let listed = ends(&gateway, 0, &["token", "list", "--data", "data", "--json"]).await;
    let tokens: Value = serde_json::from_str(&listed).expect("JSON");
    let id = tokens[0]["id"].as_str().expect("an id");
    ends(&gateway, 0, &["token", "revoke", id, "--data", "data"]).await;
    gateway.restart().await;
    assert_eq!(gateway.admin("/api/servers").await.status(), 200);
}

#[tokio::test]
async fn a_token_that_a_secret_holds_counts_on_a_gateway_that_is_given_it() {
    let (mut gateway, _server) = gateway().await;
    let secret = format!("gw_{}", "0123456789abcdef".repeat(4));
    std::fs::write(gateway.path("secret"), format!("{secret}\n")).expect("it is written");
    let create = ["token", "create", "--role=deploy", "--from=secret"];
    let said = ends(&gateway, 2, &create).await;
    assert!(said.contains("--data"), "{said}");
    gateway.kill();
    let create = [&create[..], &["--data=data"]].concat();
    let id = ends(&gateway, 0, &create).await;
    assert!(!id.contains("gw_"), "{id}");
    assert_eq!(ends(&gateway, 0, &create).await, id, "it is the same one");
    gateway.restart().await;
    let with = gateway.call("GET", "/api/servers").token(&secret);
    assert_eq!(with.send().await.status(), 200);
    assert_eq!(gateway.admin("/api/servers").await.status(), 401);
}

#[tokio::test]
async fn a_probe_hears_whether_it_is_ready_and_needs_no_token() {
    let (gateway, _server) = gateway().await;
    ends(&gateway, 0, &["token", "create", "--role", "deploy"]).await;
    eventually("every server has been checked", async || {
        gateway.admin("/readyz").await.status() == 200
    })
    .await;
    let said = ends(&gateway, 0, &["status", "--ready"]).await;
    assert_eq!(said.trim(), "ready");
    ends(&gateway, 1, &["status"]).await;
    gateway.kill();
    let said = ends(&gateway, 1, &["status", "--ready"]).await;
    assert!(said.contains("asking http://127.0.0.1:"), "{said}");
}

#[tokio::test]
async fn a_gateway_that_is_not_there_is_told() {
    let (gateway, _server) = gateway().await;
    gateway.kill();
    let said = ends(&gateway, 1, &["servers", "list"]).await;
    assert!(said.contains("cannot ask http://127.0.0.1:"), "{said}");
    assert!(said.contains("by --admin"), "{said}");
}

#[tokio::test]
async fn the_status_is_one_look_at_everything() {
    let (gateway, a) = gateway().await;
    let said = ends(&gateway, 0, &["status"]).await;
    assert!(
        said.starts_with("healthy, up 0d 0h 0m; generation 1 is in force on 1 of 1"),
        "{said}"
    );
    let server = a.address().to_string();
    for part in ["POOL", &server, "path-router"] {
        assert!(said.contains(part), "no {part:?} in:\n{said}");
    }
    let json = ends(&gateway, 0, &["status", "--json"]).await;
    let figures: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(figures["servers"][0]["requestsPerSecond"], 0.0);
}

#[tokio::test]
async fn the_status_of_a_gateway_without_servers_ends_with_one() {
    let nobody = Upstream::nowhere();
    let pool = Pool::at(&[nobody]).checked();
    let gateway = Builder::new().pool(pool).start().await;
    eventually("the server is unhealthy", async || {
        gateway.count("unhealthy").await == 1
    })
    .await;
    let said = ends(&gateway, 1, &["status"]).await;
    assert!(said.contains("unhealthy, up"), "{said}");
    assert!(
        said.contains("a pool has no server that may take requests"),
        "{said}"
    );
}

#[tokio::test]
async fn the_status_is_watched_until_the_gateway_ends() {
    let (gateway, _server) = gateway().await;
    let admin = format!("http://{}", gateway.admin_address());
    let watch = ["status", "--watch", "--admin", &admin];
    let (mut watching, said) = spawn(&watch, &gateway.path(""));
    let says = |words: &str| said.lock().expect("no panic").contains(words);
    eventually("a line", async || says("0 requests  0/s")).await;
    gateway.edit(|text| text.replace("[workers]", "[workerz]"));
    eventually("what is refused", async || {
        says("the configuration was refused")
    })
    .await;
    gateway.terminate();
    eventually("its end", async || says("it ended the stream")).await;
    let ended = watching.wait().expect("it is our child");
    assert_eq!(ended.code(), Some(1));
    let said = ends(&gateway, 1, &["status"]).await;
    assert!(said.contains("cannot ask"), "{said}");
}
