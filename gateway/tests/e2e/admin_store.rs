//! What was changed through the API outlives the process, whatever ends it, and
//! gives way to the file.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::support::{Builder, Gateway, Guest, Load, Pool, Upstream, eventually, run_until_exit};

/// A server that nobody asks: its pool is not checked.
fn somewhere(port: u16) -> Value {
    json!({ "host": "127.0.0.1", "port": port, "weight": port })
}

async fn before(server: &Upstream) -> Gateway {
    Builder::new().pool(Pool::of(&[server])).start().await
}

/// Ids and weights of the servers.
async fn weights(gateway: &Gateway) -> Vec<(String, u64)> {
    let servers = gateway.servers().await;
    let weights = servers.iter().map(|one| {
        let id = one["serverId"].as_str().expect("an id").to_owned();
        (id, one["weight"].as_u64().expect("a weight"))
    });
    let mut weights: Vec<_> = weights.collect();
    weights.sort();
    weights
}

#[tokio::test]
async fn changes_are_there_after_a_restart() {
    let a = Upstream::named("a").await;
    let id = a.address().to_string();
    let mut gateway = before(&a).await;
    gateway.change("POST", "/api/servers", somewhere(1)).await;
    gateway.change("POST", "/api/servers", somewhere(2)).await;
    gateway
        .change("DELETE", "/api/servers/127.0.0.1:1", Value::Null)
        .await;
    let path = format!("/api/servers/{id}/weight");
    gateway.change("PUT", &path, json!({ "weight": 9 })).await;
    let expected = [("127.0.0.1:2".to_owned(), 2), (id, 9)];
    let mut sorted = expected.to_vec();
    sorted.sort();
    assert_eq!(weights(&gateway).await, sorted);
    gateway.restart().await;
    assert_eq!(weights(&gateway).await, sorted);
    let mode = |name| {
        let file = std::fs::metadata(gateway.path(name)).expect("it is there");
        file.permissions().mode() & 0o777
    };
    assert_eq!(mode("data/gatewright.redb"), 0o600);
}

#[tokio::test]
async fn the_log_says_who_did_what() {
    let a = Upstream::named("a").await;
    let gateway = before(&a).await;
    gateway.change("POST", "/api/servers", somewhere(1)).await;
    gateway
        .change("DELETE", "/api/servers/127.0.0.1:1", Value::Null)
        .await;
    gateway.edit(|text| text + "connect_timeout = \"3s\"\n");
    eventually("the file's change is noted", async || {
        gateway.api("/api/audit").await[0]["action"] == "reload"
    })
    .await;
    let audit = gateway.api("/api/audit").await;
    let told = |field: &str| -> Vec<Value> {
        let entries = audit.as_array().expect("entries").iter();
        entries.map(|entry| entry[field].clone()).collect()
    };
    assert_eq!(told("action"), ["reload", "server.remove", "server.add"]);
    assert_eq!(told("who"), ["file", "anonymous", "anonymous"]);
    assert_eq!(
        told("from"),
        [Value::Null, "127.0.0.1".into(), "127.0.0.1".into()]
    );
    assert_eq!(told("generation"), [4, 3, 2]);
    assert_eq!(told("sequence"), [3, 2, 1]);
    assert_eq!(told("target")[1], "pools.web.servers.\"127.0.0.1:1\"");
    // The gateway's log has each too.
    let line = "author=\"anonymous\" from=\"127.0.0.1\" action=\"server.remove\"";
    gateway.says(line).await;
    let newest = gateway.api("/api/audit?limit=1").await;
    assert_eq!(newest.as_array().expect("entries").len(), 1);
}

#[tokio::test]
async fn an_acknowledged_change_is_there_after_a_kill() {
    let a = Upstream::named("a").await;
    let mut gateway = before(&a).await;
    for port in 1..=20_u16 {
        gateway
            .change("POST", "/api/servers", somewhere(port))
            .await;
        gateway.restart().await;
        let weights = weights(&gateway).await;
        let added = (format!("127.0.0.1:{port}"), u64::from(port));
        assert!(weights.contains(&added), "{weights:?}");
        assert_eq!(weights.len(), usize::from(port) + 1);
    }
}

/// Two operators, each adding one server after the other until the gateway is
/// gone; which servers they were told are there.
async fn add_until_the_end(gateway: &Gateway, first: u16) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for port in (first..first + 2000).step_by(2) {
        let call = gateway.call("POST", "/api/servers").json(&somewhere(port));
        match call.try_send().await {
            Some(answer) if answer.is_whole && answer.status() == 201 => {
                acknowledged.push(format!("127.0.0.1:{port}"));
            }
            _ => break,
        }
    }
    acknowledged
}

/// What somebody who deploys was told.
#[derive(Default)]
struct Deployed {
    versions: Vec<String>,
    /// Decides for sure, or did when the last change was asked for.
    bound: Option<String>,
    /// What a change that nobody answered would have bound.
    asked: Option<String>,
}

/// One who uploads version after version and activates each, until the gateway
/// is gone.
async fn deploy_until_the_end(gateway: &Gateway, round: u32) -> Deployed {
    let mut told = Deployed::default();
    for build in 0.. {
        let component = Guest::always(0, round * 1000 + build);
        let upload = gateway.call("POST", "/api/plugins?name=mine");
        let Some(answer) = upload.component(component).try_send().await else {
            break;
        };
        if !answer.is_whole || answer.status() != 201 {
            break;
        }
        let version = answer.json()["data"]["version"].clone();
        let version = version.as_str().expect("a digest").to_owned();
        told.versions.push(version.clone());
        told.asked = Some(version.clone());
        let binding = json!({ "plugin": "mine", "version": version });
        let bind = gateway.call("PUT", "/api/bindings/web/balancer");
        match bind.json(&binding).try_send().await {
            Some(answer) if answer.is_whole && answer.status() == 200 => {
                told.bound = told.asked.take();
            }
            _ => break,
        }
    }
    told
}

/// Whether everything is there that who deploys was told.
async fn has_what_was_deployed(gateway: &Gateway, told: &Deployed) {
    for version in &told.versions {
        let path = format!("/api/plugins/mine/versions/{version}/download");
        let component = gateway.call("GET", &path).send().await;
        assert_eq!(component.status(), 200, "{version} is gone");
    }
    let seat = gateway.api("/api/bindings/web/balancer").await;
    let decides = seat["version"].as_str();
    let may = [&told.bound, &told.asked];
    assert!(
        told.bound.is_none() || may.into_iter().any(|version| version.as_deref() == decides),
        "{decides:?} decides instead of {:?}",
        told.bound
    );
    let config = gateway.api("/api/config").await;
    assert_eq!(config["leftOut"], json!([]));
}

/// How often a gateway is killed before the next one has its turn.
const KILLS: u64 = 20;

/// `cargo xtask verify` asks for more kills by the variable `KILLS`.
#[tokio::test]
async fn whenever_it_is_killed_no_acknowledged_change_is_lost_and_none_is_half_there() {
    let wanted = std::env::var("KILLS").map_or(KILLS, |kills| kills.parse().expect("a number"));
    for _ in 0..wanted.div_ceil(KILLS) {
        kill_again_and_again().await;
    }
}

async fn kill_again_and_again() {
    let a = Upstream::named("a").await;
    let own = a.address().to_string();
    let mut gateway = before(&a).await;
    let (mut told, mut versions) = (0, 0);
    for round in 0..KILLS {
        let killed = async {
            // Any moment will do: after so many changes, or versions, and then some.
            let (words, count) = match round % 2 {
                0 => (" is in force on ", round % 13),
                _ => (" action=\"binding.activate\"", round % 4),
            };
            eventually("changes are under way", async || {
                gateway.says_how_often(words) as u64 >= count
            })
            .await;
            tokio::time::sleep(std::time::Duration::from_micros(round * 613 % 5000)).await;
            gateway.kill();
        };
        let first = 1000 + 2000 * (round as u16);
        let even = add_until_the_end(&gateway, first);
        let odd = add_until_the_end(&gateway, first + 1);
        let deployed = deploy_until_the_end(&gateway, round as u32);
        let (even, odd, deployed, ()) = tokio::join!(even, odd, deployed, killed);
        gateway.restart().await;
        has_what_was_deployed(&gateway, &deployed).await;
        versions += deployed.versions.len();
        let weights = weights(&gateway).await;
        for id in even.iter().chain(&odd) {
            assert!(weights.iter().any(|(known, _)| known == id), "{id} is gone");
        }
        for (id, weight) in weights.iter().filter(|(id, _)| *id != own) {
            assert!(id.ends_with(&format!(":{weight}")), "{id} has {weight}");
        }
        told += even.len() + odd.len();
    }
    assert!(told > 20, "{told} changes were acknowledged");
    assert!(versions > 5, "{versions} versions were acknowledged");
}

#[tokio::test]
async fn the_file_wins_where_it_is_edited_later() {
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let mut gateway = before(&a).await;
    let path = format!("/api/servers/{}", a.address());
    let body = json!({ "weight": 9 });
    gateway.change("PUT", &format!("{path}/weight"), body).await;
    let body = json!({ "host": "127.0.0.1", "port": b.address().port() });
    gateway.change("POST", "/api/servers", body).await;
    let load = Load::on(gateway.address(), "/");
    let port = a.address().port();
    let table = format!("{{ host = \"127.0.0.1\", port = {port}, weight = 4 }}");
    let text = format!("\"{}\"", a.address());
    gateway.edit(|file| file.replace(&text, &table));
    eventually("the file's weight is in force", async || {
        gateway.api(&path).await["weight"] == 4
    })
    .await;
    gateway.says("the file was edited there").await;
    load.goes_on(50).await;
    load.stop_without_failure().await;
    assert_eq!(gateway.servers().await.len(), 2);
    gateway.restart().await;
    assert_eq!(gateway.api(&path).await["weight"], 4);
    let added = gateway.api(&format!("/api/servers/{}", b.address())).await;
    assert_eq!(added["source"], "api");
}

#[tokio::test]
async fn what_fits_no_more_is_left_out_and_the_gateway_starts() {
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let mut gateway = before(&a).await;
    let [old, new] = [&a, &b].map(|server| server.address().to_string());
    let path = format!("/api/servers/{old}/weight");
    gateway.change("PUT", &path, json!({ "weight": 9 })).await;
    gateway.kill();
    gateway.edit(|file| file.replace(&old, &new));
    gateway.restart().await;
    gateway.says("is left out").await;
    assert_eq!(gateway.get("/").await.text(), "b");
    let config = gateway.api("/api/config").await;
    let key = config["leftOut"][0]["key"].as_str().expect("a key");
    assert!(key.contains(&old) && key.ends_with("weight"), "{config}");
    gateway.edit(|file| file.replace(&new, &old));
    eventually("it fits again", async || {
        gateway.servers().await[0]["weight"] == 9
    })
    .await;
}

#[tokio::test]
async fn a_file_that_is_broken_meanwhile_holds_no_change_up() {
    let a = Upstream::named("a").await;
    let gateway = before(&a).await;
    gateway.edit(|text| text + "= = =\n");
    gateway.says("a change was refused").await;
    gateway.change("POST", "/api/servers", somewhere(1)).await;
    assert_eq!(gateway.servers().await.len(), 2);
}

/// What a gateway says that is not to start in the folder of another one.
async fn refusal(gateway: &Gateway) -> String {
    let folder = gateway.path("");
    let (code, words) = run_until_exit(&["run", "-c", "gatewright.toml"], &folder).await;
    assert_eq!(code, 2, "{words}");
    words
}

#[tokio::test]
async fn a_store_that_is_in_use_or_damaged_is_refused() {
    let a = Upstream::named("a").await;
    let gateway = before(&a).await;
    let words = refusal(&gateway).await;
    assert!(words.contains("in use by another gateway"), "{words}");
    gateway.kill();
    for content in ["", "nothing of ours"] {
        gateway.put("data/gatewright.redb", content);
        let words = refusal(&gateway).await;
        assert!(words.contains("data/gatewright.redb is damaged"), "{words}");
        assert!(words.contains("move it away"), "{words}");
        let left = std::fs::read_to_string(gateway.path("data/gatewright.redb"));
        assert_eq!(left.expect("it is there"), content);
    }
}

#[tokio::test]
async fn an_algorithm_whose_plugin_is_broken_since_is_left_out() {
    let a = Upstream::named("a").await;
    let component = Guest::balancer("(i32.const 0)").build();
    let builder = Builder::new().plugin("mine", component);
    let mut gateway = builder.pool(Pool::of(&[&a])).start().await;
    let body = json!({ "algorithm": "mine" });
    gateway.change("PUT", "/api/algorithm", body).await;
    gateway.kill();
    gateway.put("mine.wasm", "no component");
    gateway.restart().await;
    gateway.says("is left out").await;
    assert_eq!(gateway.get("/").await.text(), "a");
    let algorithm = gateway.api("/api/algorithm").await;
    assert_eq!(algorithm["algorithm"], "least_connections");
    let config = gateway.api("/api/config").await;
    assert_eq!(config["leftOut"][0]["key"], "pools.web.balancer");
}

#[tokio::test]
async fn a_full_disk_refuses_changes_until_there_is_room_and_loses_none() {
    let a = Upstream::named("a").await;
    let mut gateway = before(&a).await;
    gateway.change("POST", "/api/servers", somewhere(1)).await;
    let wanted = json!({ "pool": "web" });
    let first = gateway.change("POST", "/api/recordings", wanted).await;
    gateway.limit_files(Some(0));
    let refusal = gateway.call("POST", "/api/servers").json(&somewhere(2));
    let refusal = refusal.send().await;
    assert_eq!(refusal.status(), 507, "{refusal:?}");
    assert_eq!(refusal.json()["error"]["code"], "not_kept");
    let again = gateway
        .call("POST", "/api/servers")
        .json(&somewhere(60_000));
    assert_eq!(again.send().await.status(), 507);
    assert_eq!(gateway.get("/").await.text(), "a", "traffic goes on");
    // Nor is anything recorded, or deleted, that cannot be noted.
    let wanted = json!({ "pool": "web" });
    let recording = gateway.call("POST", "/api/recordings").json(&wanted);
    assert_eq!(recording.send().await.status(), 507);
    let path = format!("/api/recordings/{}", first["id"].as_str().expect("an id"));
    gateway.call("DELETE", &path).refused(507).await;
    let left = gateway.api("/api/recordings").await;
    assert_eq!(left.as_array().map(Vec::len), Some(1), "{left}");
    assert_eq!(left[0]["id"], first["id"]);
    gateway.limit_files(None);
    let late = somewhere(60_001);
    gateway.change("POST", "/api/servers", late).await;
    gateway.restart().await;
    let servers = weights(&gateway).await;
    assert_eq!(servers.len(), 3, "{servers:?}");
}
