//! Several gateways that have one desired state by a Redis server: what is changed
//! on one counts on all, and is never lost once it was answered.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cluster_compiling::has_compiled;
use crate::support::{
    Builder, Gateway, Guest, Load, Pool, Redis, Upstream, eventually, signal, within,
    within_a_second_of,
};

/// It takes ten seconds.
const FALLS_SILENT: Duration = Duration::from_secs(20);

/// A gateway of this name in a cluster.
pub(crate) fn member(name: &str, redis: &Redis, servers: &[&Upstream]) -> Builder {
    let cluster = format!("[cluster]\nurl = \"{}\"\nname = \"{name}\"", redis.url());
    Builder::new().pool(Pool::of(servers)).with(&cluster)
}

/// Three gateways in front of the same server, once each knows of all.
pub(crate) async fn three(redis: &Redis, servers: &[&Upstream]) -> [Gateway; 3] {
    let a = member("a", redis, servers).start().await;
    let b = member("b", redis, servers).start().await;
    let c = member("c", redis, servers).start().await;
    for gateway in [&a, &b, &c] {
        eventually("every gateway knows of all", async || {
            let cluster = gateway.api("/api/cluster").await;
            let gateways = cluster["gateways"].as_array().expect("gateways");
            gateways.len() == 3 && cluster["version"] != 0
        })
        .await;
    }
    [a, b, c]
}

fn server(at: &Upstream) -> Value {
    json!({ "host": "127.0.0.1", "port": at.address().port() })
}

/// A server that nobody asks.
pub(crate) fn somewhere(port: u16) -> Value {
    json!({ "host": "127.0.0.1", "port": port })
}

/// What a gateway had alone, as it was told where.
pub(crate) async fn set_aside(gateway: &Gateway) -> String {
    let audit = gateway.api("/api/audit").await;
    let mut entries = audit.as_array().expect("entries").iter();
    let aside = entries.find(|one| one["action"] == "cluster.set-aside");
    let target = aside.expect("it is noted")["target"].to_string();
    let file = target.split(" now in ").nth(1).expect("a file");
    let file = gateway.path(&format!("data/{}", file.trim_matches('"')));
    std::fs::read_to_string(file).expect("it is kept")
}

/// The version of the state in the server.
pub(crate) fn version_there(redis: &Redis) -> String {
    redis.ask(&["HGET", "gatewright:state", "version"])
}

pub(crate) async fn has(gateway: &Gateway, id: &str) -> bool {
    let servers = gateway.servers().await;
    servers.iter().any(|one| one["serverId"] == id)
}

pub(crate) async fn comes_to_have(gateway: &Gateway, id: &str) {
    eventually("a server is there that was added elsewhere", async || {
        has(gateway, id).await
    })
    .await;
}

pub(crate) async fn version(gateway: &Gateway) -> Value {
    gateway.api("/api/cluster").await["version"].take()
}

async fn is_connected(gateway: &Gateway) -> bool {
    gateway.api("/api/cluster").await["connected"] == true
}

/// Whether one server gets every request, of those that otherwise take turns.
async fn goes_to_one(gateway: &Gateway) -> bool {
    let picked = gateway.get("/").await;
    for _ in 0..3 {
        if gateway.get("/").await.text() != picked.text() {
            return false;
        }
    }
    true
}

/// It runs alone (`xtask/nextest.toml`), for it measures a second that is promised.
#[tokio::test]
async fn what_is_changed_on_one_gateway_counts_on_all() {
    let redis = Redis::on_a_port(&[]).await;
    let (first, second) = (
        Upstream::named("first").await,
        Upstream::named("second").await,
    );
    let [a, b, c] = three(&redis, &[&first]).await;
    a.change("POST", "/api/servers", server(&second)).await;
    let answered = Instant::now();
    for gateway in [&b, &c] {
        within_a_second_of(answered, "the new server is asked", async || {
            gateway.get("/").await.text() == "second"
        })
        .await;
    }
    // A version is uploaded on one, activated on another, and decides on the third,
    // which has got its component. The second is promised of what all have compiled.
    let digest = a.upload("mine", Guest::always(0, 1)).await;
    for gateway in [&a, &b, &c] {
        eventually("the version is compiled", async || {
            has_compiled(gateway, &digest).await
        })
        .await;
        assert!(!goes_to_one(gateway).await);
    }
    let mine = json!({ "plugin": "mine" });
    b.change("PUT", "/api/bindings/web/balancer", mine).await;
    let answered = Instant::now();
    for gateway in [&a, &c] {
        within_a_second_of(answered, "the version decides elsewhere", async || {
            let binding = gateway.api("/api/bindings/web/balancer").await;
            binding["plugin"] == "mine" && goes_to_one(gateway).await
        })
        .await;
    }
    assert!(c.path(&format!("data/plugins/{digest}.wasm")).exists());
    let noted = c.api("/api/audit").await;
    assert_eq!(noted[0]["action"], "cluster.follow", "{noted}");
    // The last: from then on all ask for it.
    let token = a
        .change(
            "POST",
            "/api/tokens",
            json!({ "name": "ops", "role": "deploy" }),
        )
        .await;
    let token = token["token"].as_str().expect("a token");
    for gateway in [&b, &c] {
        eventually("the token is asked for, and counts", async || {
            let closed = gateway.call("GET", "/api/servers").send().await.status() == 401;
            let shown = gateway.call("GET", "/api/servers").token(token);
            closed && shown.send().await.status() == 200
        })
        .await;
    }
}

#[tokio::test]
async fn of_changes_at_the_same_time_none_is_lost() {
    const EACH: u16 = 12;
    let redis = Redis::start(&[]).await;
    let first = Upstream::named("first").await;
    let [a, b, c] = three(&redis, &[&first]).await;
    let plans = [100, 200, 300];
    let gateways = [&a, &b, &c];
    let changing = gateways.iter().zip(plans).map(async |(gateway, from)| {
        for port in from..from + EACH {
            gateway
                .change("POST", "/api/servers", somewhere(port))
                .await;
        }
    });
    futures_util::future::join_all(changing).await;
    for gateway in gateways {
        for from in plans {
            for port in from..from + EACH {
                comes_to_have(gateway, &format!("127.0.0.1:{port}")).await;
            }
        }
    }
    eventually("all have the same version", async || {
        let [a, b, c] = [version(&a).await, version(&b).await, version(&c).await];
        a == b && b == c
    })
    .await;
}

async fn weigh(gateway: &Gateway, port: u16, weight: u64) {
    let path = format!("/api/servers/127.0.0.1:{port}/weight");
    let weight = json!({ "weight": weight });
    gateway.change("PUT", &path, weight).await;
}

#[tokio::test]
async fn who_changes_without_pause_starves_nobody() {
    const EACH: u64 = 10;
    let redis = Redis::start(&[]).await;
    let first = Upstream::named("first").await;
    let [a, b, c] = three(&redis, &[&first]).await;
    for port in 1..=5 {
        a.change("POST", "/api/servers", somewhere(port)).await;
    }
    for gateway in [&b, &c] {
        comes_to_have(gateway, "127.0.0.1:5").await;
    }
    let is_over = AtomicBool::new(false);
    let without_pause = [1, 2, 3].map(|port| {
        let (a, is_over) = (&a, &is_over);
        async move {
            let mut changes = 0;
            while !is_over.load(Ordering::Relaxed) {
                changes += 1;
                weigh(a, port, 2 + changes % 2).await;
            }
        }
    });
    let others = async {
        let some = [(&b, 4), (&c, 5)].map(|(gateway, port)| async move {
            for weight in 2..2 + EACH {
                weigh(gateway, port, weight).await;
            }
        });
        futures_util::future::join_all(some).await;
        is_over.store(true, Ordering::Relaxed);
    };
    let without_pause = futures_util::future::join_all(without_pause);
    futures_util::future::join(without_pause, others).await;
    eventually("the last of each is known everywhere", async || {
        let servers = a.servers().await;
        let last = [4, 5].map(|port| format!("127.0.0.1:{port}"));
        let of = |id: &String| servers.iter().find(|one| one["serverId"] == **id);
        let mut weights = last
            .iter()
            .map(|id| of(id).map(|one| one["weight"].clone()));
        weights.all(|weight| weight == Some(json!(1 + EACH)))
    })
    .await;
    eventually("nobody stands in line any more", async || {
        redis.ask(&["ZCARD", "gatewright:line"]) == "0"
    })
    .await;
}

/// A token of the role `deploy`, made with another one once there is one: its id and
/// itself.
pub(crate) async fn deployer(gateway: &Gateway, with: Option<&str>) -> (String, String) {
    let call = gateway.call("POST", "/api/tokens");
    let call = match with {
        Some(token) => call.token(token),
        None => call,
    };
    let wanted = json!({ "name": "ops", "role": "deploy" });
    let answer = call.json(&wanted).send().await;
    assert_eq!(answer.status(), 201, "{answer:?}");
    let made = answer.json();
    let text = |key: &str| made["data"][key].as_str().expect("a text").to_owned();
    (text("id"), text("token"))
}

#[tokio::test]
async fn of_two_deployers_that_revoke_each_other_one_stays() {
    let redis = Redis::start(&[]).await;
    let first = Upstream::named("first").await;
    let [a, b, _c] = three(&redis, &[&first]).await;
    let mut one = deployer(&a, None).await;
    for _ in 0..5 {
        let other = deployer(&a, Some(&one.1)).await;
        eventually("the token counts on the other gateway", async || {
            let shown = b.call("GET", "/api/servers").token(&other.1);
            shown.send().await.status() == 200
        })
        .await;
        let [path_of_one, path_of_other] =
            [&one, &other].map(|(id, _)| format!("/api/tokens/{id}"));
        let by_one = a.call("DELETE", &path_of_other).token(&one.1);
        let by_other = b.call("DELETE", &path_of_one).token(&other.1);
        let (by_one, by_other) = futures_util::future::join(by_one.send(), by_other.send()).await;
        let done = [by_one.status() == 200, by_other.status() == 200];
        assert_ne!(done[0], done[1], "{by_one:?} {by_other:?}");
        if done[1] {
            one = other;
        }
    }
}

#[tokio::test]
async fn without_the_server_traffic_goes_on_and_changes_wait() {
    let redis = Redis::start(&[]).await;
    let first = Upstream::named("first").await;
    let [a, b, _c] = three(&redis, &[&first]).await;
    a.change("POST", "/api/servers", somewhere(1)).await;
    comes_to_have(&b, "127.0.0.1:1").await;
    a.change("DELETE", "/api/servers/127.0.0.1:1", Value::Null)
        .await;
    let load = Load::on(b.address(), "/");
    load.goes_on(50).await;
    redis.kill();
    eventually("the gateways see that the server is away", async || {
        !is_connected(&a).await && !is_connected(&b).await
    })
    .await;
    let answer = a
        .call("POST", "/api/servers")
        .json(&somewhere(2))
        .send()
        .await;
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.header("retry-after"), Some("1"));
    let error = &answer.json()["error"];
    assert_eq!(error["code"], "cluster_away", "{error}");
    assert!(!has(&a, "127.0.0.1:2").await);
    load.goes_on(50).await;
    // It comes back empty, and is given what it lost.
    let version = version(&a).await.to_string();
    redis.restart().await;
    eventually("the server has the state again", async || {
        version_there(&redis) == version
    })
    .await;
    eventually("changes are taken again", async || {
        let call = a.call("POST", "/api/servers").json(&somewhere(3));
        call.send().await.status() == 201
    })
    .await;
    comes_to_have(&b, "127.0.0.1:3").await;
    load.goes_on(50).await;
    b.change("DELETE", "/api/servers/127.0.0.1:3", Value::Null)
        .await;
    load.stop_without_failure().await;
}

#[tokio::test]
async fn an_answered_change_outlives_whichever_gateway_is_killed() {
    let redis = Redis::start(&[]).await;
    let first = Upstream::named("first").await;
    let mut gateways = three(&redis, &[&first]).await;
    let mut answered = Vec::new();
    for (killed, port) in [10, 20, 30].into_iter().enumerate() {
        let [one, other, third] = [0, 1, 2].map(|step| &gateways[(killed + step) % 3]);
        one.change("POST", "/api/servers", somewhere(port)).await;
        // At once, whatever it has told the others by then.
        signal(one.id(), libc::SIGKILL);
        answered.push(format!("127.0.0.1:{port}"));
        for id in &answered {
            comes_to_have(other, id).await;
            comes_to_have(third, id).await;
        }
        let meanwhile = somewhere(port + 1);
        other.change("POST", "/api/servers", meanwhile).await;
        answered.push(format!("127.0.0.1:{}", port + 1));
        gateways[killed].restart().await;
        for id in &answered {
            assert!(has(&gateways[killed], id).await, "{id}");
        }
    }
    // One that starts while the server is away has what it had.
    redis.kill();
    gateways[0].restart().await;
    for id in &answered {
        assert!(has(&gateways[0], id).await, "{id}");
    }
    assert!(!is_connected(&gateways[0]).await);
}

#[tokio::test]
async fn a_gateway_that_is_killed_falls_silent_and_one_that_ends_leaves() {
    let redis = Redis::start(&[]).await;
    let first = Upstream::named("first").await;
    let [a, b, c] = three(&redis, &[&first]).await;
    b.kill();
    c.terminate();
    c.exit_code().await;
    let silent = async || {
        let cluster = a.api("/api/cluster").await;
        let gateways = cluster["gateways"].as_array().expect("gateways").iter();
        let silent = gateways.map(|one| json!([one["name"], one["silent"]]));
        silent.collect::<Vec<_>>()
    };
    within(FALLS_SILENT, "the killed one is silent", async || {
        silent().await == [json!(["a", false]), json!(["b", true])]
    })
    .await;
    assert_eq!(a.metric("gatewright_cluster_gateways").await, 1.0);
    // What is known of it is not forgotten with the server.
    redis.kill();
    eventually("the server is away", async || !is_connected(&a).await).await;
    assert_eq!(silent().await.len(), 2);
}

#[tokio::test]
async fn a_gateway_that_ends_stays_off_the_list_while_it_drains() {
    let redis = Redis::start(&[]).await;
    let server = Upstream::in_two_halves().await;
    let a = member("a", &redis, &[&server]).start().await;
    let is_listed = || redis.ask(&["EXISTS", "gatewright:gateway:a"]) == "1";
    eventually("it is on the list", async || is_listed()).await;
    let mut client = a.connect().await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    client.head().await.expect("a response");
    a.terminate();
    eventually("it is off the list", async || !is_listed()).await;
    // It would have spoken every two seconds.
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(!is_listed());
    server.resume();
    assert_eq!(client.bytes(10).await, b"helloworld");
    assert_eq!(a.exit_code().await, 0);
}

#[tokio::test]
async fn who_joins_a_cluster_takes_over_its_state_and_keeps_its_own_aside() {
    let redis = Redis::start(&[]).await;
    let first = Upstream::named("first").await;
    let a = member("a", &redis, &[&first]).start().await;
    eventually("the cluster has begun", async || {
        version_there(&redis) == "1"
    })
    .await;
    a.change("POST", "/api/servers", somewhere(1)).await;
    let mut alone = Builder::new().pool(Pool::of(&[&first])).start().await;
    alone.change("POST", "/api/servers", somewhere(2)).await;
    let cluster = format!("[cluster]\nurl = \"{}\"\nname = \"b\"\n", redis.url());
    alone.kill();
    alone.edit(|text| format!("{text}{cluster}"));
    alone.restart().await;
    assert!(has(&alone, "127.0.0.1:1").await);
    assert!(!has(&alone, "127.0.0.1:2").await);
    let text = set_aside(&alone).await;
    assert!(text.contains("127.0.0.1:2"), "{text}");
}
